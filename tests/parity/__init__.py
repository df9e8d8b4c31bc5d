"""Our networks against the published code: its outputs on seeded weights are kept as numbers, the code is not."""
