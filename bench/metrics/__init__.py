"""Metrics and intervals in plain numpy: no torch, no files."""
