"""Fit what a part of the model on the host costs: ``python -m lab.offload``.

Reads ``data/measurements/offload/*.csv`` and rewrites ``data/offload_calibrations.csv``.
The device's own share of a step is not fitted here: it is what
`hayasa.estimate` says of it.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import least_squares
