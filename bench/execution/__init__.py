"""From a request to scores: gather slices, build the matrix, execute it."""
