"""With what it runs: engines, and what was measured of them."""
