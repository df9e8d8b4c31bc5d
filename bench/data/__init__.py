"""Datasets: where images lie, how they are read, drawn, and made comparable."""
