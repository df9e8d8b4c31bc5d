"""Pretrained models by role: where they lie, what they hash to, under which licence."""
