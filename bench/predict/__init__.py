"""Score a user's own images with a fit of a run or with an official checkpoint."""
