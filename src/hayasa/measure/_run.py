"""Measure in this process and print the record as JSON: what `hayasa.measure.run` starts."""

import sys

import numpy as np

from .probes import measure
from .record import to_json

if not hasattr(np, "vecdot"):
    sys.exit("測るには numpy 2.0 以上が必要です。pip install 'numpy>=2' を実行してください。")
print(to_json(measure()), end="")
