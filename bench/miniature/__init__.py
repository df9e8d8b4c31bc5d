"""The embedded world: scenes, cameras, generators, and the images and weights made from them."""
