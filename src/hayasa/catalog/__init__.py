"""What is known by name: models, devices, weight formats, published measurements."""
