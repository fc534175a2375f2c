"""Models from a file of the reader's own: a GGUF file, a published config.json."""
