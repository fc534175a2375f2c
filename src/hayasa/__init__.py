"""hayasa (速さ): how fast a language model runs on a device, and how sure that is.

>>> import hayasa
>>> m4 = hayasa.Device(id="m4", memory_bandwidth_bytes_per_s=120e9)
>>> seven_b = hayasa.Model(id="7b", stated_parameters=7e9)
>>> int4 = hayasa.WeightFormat(id="int4", bits_per_weight=4)
>>> int(hayasa.estimate(seven_b, m4, weights=int4, engine="ideal").decode_tokens_per_s)
34
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

# What is public, by the module it lives in.  A module is imported when one of
# its names is first used, so that `import hayasa` itself costs next to nothing.
_PUBLIC = {
    "calibration": (
        "Calibration",
        "calibrations",
    ),
    "datasets": (
        "device_rows",
        "get_device",
        "get_model",
        "get_weight_format",
        "model_rows",
        "weight_format_rows",
    ),
    "devices": ("Device",),
    "engines": (
        "ENGINES",
        "Engine",
        "get_engine",
    ),
    "errors": (
        "DataFileError",
        "DoesNotFitError",
        "HayasaError",
        "InvalidValueError",
        "UnknownNameError",
    ),
    "estimation": (
        "Estimate",
        "estimate",
    ),
    "explanation": ("explain",),
    "flops": (
        "attention_flop_per_token",
        "flop_per_token",
        "prefill_flop",
        "weight_flop_per_token",
    ),
    "kv_cache": (
        "kv_cache_bytes",
        "kv_cache_bytes_per_token",
    ),
    "latency": (
        "arithmetic_intensity_flop_per_byte",
        "compute_latency_s",
        "crossover_batch_size",
        "memory_latency_s",
        "ridge_point_flop_per_byte",
        "step_latency_bounds_s",
        "tokens_per_s",
        "transfer_latency_s",
    ),
    "memory": (
        "max_batch_size",
        "max_context_length",
        "memory_available_bytes",
        "memory_required_bytes",
    ),
    "models": (
        "Model",
        "active_parameters",
        "embedding_parameters",
        "experts_touched",
        "total_parameters",
        "weight_tensors",
    ),
    "parallel": (
        "pipeline_step_s",
        "tensor_parallel_step_s",
    ),
    "utilization": (
        "mbu",
        "mfu",
    ),
    "weights": (
        "TensorRule",
        "WeightFormat",
        "weight_bytes_per_step",
        "weight_bytes_resident",
    ),
}
_MODULE_OF = {name: module for module, names in _PUBLIC.items() for name in names}

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
    "explain",
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


def __getattr__(name: str) -> object:
    module_name = _MODULE_OF.get(name)
    if module_name is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__name__}.{module_name}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if TYPE_CHECKING:  # what __getattr__ finds, spelled out for type checkers and editors
    from .calibration import Calibration as Calibration
    from .calibration import calibrations as calibrations
    from .datasets import (
        device_rows as device_rows,
    )
    from .datasets import (
        get_device as get_device,
    )
    from .datasets import (
        get_model as get_model,
    )
    from .datasets import (
        get_weight_format as get_weight_format,
    )
    from .datasets import (
        model_rows as model_rows,
    )
    from .datasets import (
        weight_format_rows as weight_format_rows,
    )
    from .devices import Device as Device
    from .engines import ENGINES as ENGINES
    from .engines import Engine as Engine
    from .engines import get_engine as get_engine
    from .errors import (
        DataFileError as DataFileError,
    )
    from .errors import (
        DoesNotFitError as DoesNotFitError,
    )
    from .errors import (
        HayasaError as HayasaError,
    )
    from .errors import (
        InvalidValueError as InvalidValueError,
    )
    from .errors import (
        UnknownNameError as UnknownNameError,
    )
    from .estimation import Estimate as Estimate
    from .estimation import estimate as estimate
    from .explanation import explain as explain
    from .flops import (
        attention_flop_per_token as attention_flop_per_token,
    )
    from .flops import (
        flop_per_token as flop_per_token,
    )
    from .flops import (
        prefill_flop as prefill_flop,
    )
    from .flops import (
        weight_flop_per_token as weight_flop_per_token,
    )
    from .kv_cache import (
        kv_cache_bytes as kv_cache_bytes,
    )
    from .kv_cache import (
        kv_cache_bytes_per_token as kv_cache_bytes_per_token,
    )
    from .latency import (
        arithmetic_intensity_flop_per_byte as arithmetic_intensity_flop_per_byte,
    )
    from .latency import (
        compute_latency_s as compute_latency_s,
    )
    from .latency import (
        crossover_batch_size as crossover_batch_size,
    )
    from .latency import (
        memory_latency_s as memory_latency_s,
    )
    from .latency import (
        ridge_point_flop_per_byte as ridge_point_flop_per_byte,
    )
    from .latency import (
        step_latency_bounds_s as step_latency_bounds_s,
    )
    from .latency import (
        tokens_per_s as tokens_per_s,
    )
    from .latency import (
        transfer_latency_s as transfer_latency_s,
    )
    from .memory import (
        max_batch_size as max_batch_size,
    )
    from .memory import (
        max_context_length as max_context_length,
    )
    from .memory import (
        memory_available_bytes as memory_available_bytes,
    )
    from .memory import (
        memory_required_bytes as memory_required_bytes,
    )
    from .models import (
        Model as Model,
    )
    from .models import (
        active_parameters as active_parameters,
    )
    from .models import (
        embedding_parameters as embedding_parameters,
    )
    from .models import (
        experts_touched as experts_touched,
    )
    from .models import (
        total_parameters as total_parameters,
    )
    from .models import (
        weight_tensors as weight_tensors,
    )
    from .parallel import (
        pipeline_step_s as pipeline_step_s,
    )
    from .parallel import (
        tensor_parallel_step_s as tensor_parallel_step_s,
    )
    from .utilization import mbu as mbu
    from .utilization import mfu as mfu
    from .weights import (
        TensorRule as TensorRule,
    )
    from .weights import (
        WeightFormat as WeightFormat,
    )
    from .weights import (
        weight_bytes_per_step as weight_bytes_per_step,
    )
    from .weights import (
        weight_bytes_resident as weight_bytes_resident,
    )
