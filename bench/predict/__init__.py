"""Scores of a person's own images, by a fit of a run or by an official checkpoint."""
