"""Datasets: finding and decoding images, drawing subsets of them, and making the two classes comparable."""
