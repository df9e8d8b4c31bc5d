"""Suites: which methods with which parameters, on what, by which protocols."""
