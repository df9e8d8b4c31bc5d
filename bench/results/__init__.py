"""Results on disk: per-image scores, rows, and what is recomputed from one to the other."""
