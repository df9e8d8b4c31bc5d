"""What every method shares: batches with their artefacts, the fit and predict loops, checkpoints."""
