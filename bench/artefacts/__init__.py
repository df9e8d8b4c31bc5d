"""Artefacts: the engines that make them, and the store that keeps them."""
