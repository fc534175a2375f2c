"""Where it runs: devices, what fits in their memory, several of them together."""
