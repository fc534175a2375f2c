"""The answer: a step as a list of waits, the estimate that sums them, its explanation."""
