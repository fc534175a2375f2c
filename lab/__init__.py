"""The laboratory: what fits the calibrations and what measures engines and GPUs; no part of the package."""
