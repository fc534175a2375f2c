"""What stands beside the results of a reader's machine: the points of chapter 9's figure."""

from __future__ import annotations

from hayasa.catalog.measurements import Measurement, measurements
from hayasa.catalog.objects import get_device, get_model, get_weight_format
from hayasa.model.weights import weight_bytes_per_step


def is_in_figure(row: Measurement) -> bool:
    """Tell whether a measurement is a point of `fig-mbu`: Macs but for the latest, and NVIDIA's cards by CUDA."""
    if row["file"] == "llamacpp_apple_4167":
        return get_device(row["device"]).family != "apple-m5"
    return row["file"] == "llamacpp_scoreboards" and row["backend"] == "cuda"


def measure_data() -> dict[str, object]:
    """Return what `web/measure-view.mjs` imports, ready for JSON.

    Returns
    -------
    dict
        ``shares``: for each point the milliseconds of the bound and the share of the bandwidth that was used.
    """
    shares = []
    for row in measurements():
        if is_in_figure(row):
            device = get_device(row["device"])
            n_bytes = weight_bytes_per_step(get_model(row["model"]), get_weight_format(row["weights"]))
            bound_s = n_bytes / device.memory_bandwidth_bytes_per_s
            shares.append([_rounded(1e3 * bound_s), _rounded(bound_s * float(row["decode_tokens_per_s"] or 0))])
    return {"shares": shares}


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")
