"""The embedded miniature world: its committed images and weights, and the code that unpacks the images."""
