"""Training and prediction for all methods: batches with artefacts, the fit and predict loops, checkpoints."""
