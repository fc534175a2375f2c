"""hayasa (速さ): how fast a large language model runs, and why."""
