"""What runs: the shape of a model, its weights, its cache, and the work of a step."""
