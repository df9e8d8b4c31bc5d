"""Execute a plan: make artefacts, train fits, score cells, and record the run."""
