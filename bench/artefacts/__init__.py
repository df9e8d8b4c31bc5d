"""Artefacts: how they are made, and the store that keeps them."""
