"""hayasa (速さ): how fast a language model runs on a device, and how sure that is.

>>> import hayasa
>>> m4 = hayasa.Device(id="m4", memory_bandwidth_bytes_per_s=120e9)
>>> seven_b = hayasa.Model(id="7b", stated_parameters=7e9)
>>> int4 = hayasa.WeightFormat(id="int4", bits_per_weight=4)
>>> int(hayasa.estimate(seven_b, m4, weights=int4, engine="ideal").decode_tokens_per_s)
34
"""

from __future__ import annotations

from .calibration import Calibration, calibrations
from .datasets import (
    device_rows,
    get_device,
    get_model,
    get_weight_format,
    model_rows,
    weight_format_rows,
)
from .devices import Device
from .engines import ENGINES, Engine, get_engine
from .errors import (
    DataFileError,
    DoesNotFitError,
    HayasaError,
    InvalidValueError,
    UnknownNameError,
)
from .estimate import Estimate, estimate
from .flops import (
    attention_flop_per_token,
    flop_per_token,
    prefill_flop,
    weight_flop_per_token,
)
from .kv_cache import kv_cache_bytes, kv_cache_bytes_per_token
from .latency import (
    arithmetic_intensity_flop_per_byte,
    compute_latency_s,
    crossover_batch_size,
    memory_latency_s,
    ridge_point_flop_per_byte,
    step_latency_bounds_s,
    tokens_per_s,
    transfer_latency_s,
)
from .memory import (
    max_batch_size,
    max_context_length,
    memory_available_bytes,
    memory_required_bytes,
)
from .models import (
    Model,
    active_parameters,
    embedding_parameters,
    experts_touched,
    total_parameters,
    weight_tensors,
)
from .parallel import pipeline_step_s, tensor_parallel_step_s
from .utilization import mbu, mfu
from .weights import (
    TensorRule,
    WeightFormat,
    weight_bytes_per_step,
    weight_bytes_resident,
)

__version__ = "0.1.0"

__all__ = [
    "ENGINES",
    "Calibration",
    "DataFileError",
    "Device",
    "DoesNotFitError",
    "Engine",
    "Estimate",
    "HayasaError",
    "InvalidValueError",
    "Model",
    "TensorRule",
    "UnknownNameError",
    "WeightFormat",
    "active_parameters",
    "arithmetic_intensity_flop_per_byte",
    "attention_flop_per_token",
    "calibrations",
    "compute_latency_s",
    "crossover_batch_size",
    "device_rows",
    "embedding_parameters",
    "estimate",
    "experts_touched",
    "flop_per_token",
    "get_device",
    "get_engine",
    "get_model",
    "get_weight_format",
    "kv_cache_bytes",
    "kv_cache_bytes_per_token",
    "max_batch_size",
    "max_context_length",
    "mbu",
    "memory_available_bytes",
    "memory_latency_s",
    "memory_required_bytes",
    "mfu",
    "model_rows",
    "pipeline_step_s",
    "prefill_flop",
    "ridge_point_flop_per_byte",
    "step_latency_bounds_s",
    "tensor_parallel_step_s",
    "tokens_per_s",
    "total_parameters",
    "transfer_latency_s",
    "weight_bytes_per_step",
    "weight_bytes_resident",
    "weight_flop_per_token",
    "weight_format_rows",
    "weight_tensors",
]
