"""From a request to a plan: what is trained and tested, in which units, at what cost. Does not import torch."""
