"""Pretrained models by role: their files, content hashes and licences."""
