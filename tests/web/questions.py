"""Questions to hayasa, with the answers that Python gives; what is translated has to give the same.

All pairs of things need not come: a translation goes wrong by a construct, not by a device.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from itertools import chain, islice, product
from typing import Any

from hayasa.answer.estimate import Estimate, estimate
from hayasa.answer.explain import explanation
from hayasa.catalog.objects import device_rows, get_device, get_weight_format, model_rows, weight_format_rows
from hayasa.engine.engines import BACKENDS, DEFAULT_ENGINE, ENGINES
from hayasa.errors import MAX_BATCH_SIZE, MAX_CONTEXT_LENGTH, MAX_DEVICES, InvalidValueError
from hayasa.machine.device import Device
from hayasa.machine.host import Host
from hayasa.model.shape import Model
from hayasa.model.weights import WeightFormat
from hayasa.units import GIB, duration, gibibytes, scaled, significant

Fields = dict[str, Any]

SEED = 20261122
"""Seed of what is drawn by chance, so that the same questions come every time."""

_BATCH_SIZES = (1, 2, 3, 7, 8, 16, 33, 64, 100, 512, 1000, 4096)
_CONTEXT_LENGTHS = (0, 1, 127, 128, 512, 1000, 4095, 4096, 8192, 32768, 131072, 262144, 1_000_000)
_PROMPT_LENGTHS = (1, 2, 17, 512, 1023, 8192, 100_000, MAX_CONTEXT_LENGTH)
_COUNTS = (1, 2, 3, 4, 8, 16, 1000)
_KV_CACHES = ("f16", "q8_0", "q4_0", "f32", "bf16")
_SHARED = ("pipeline", "tensor")
_DRAWN = 150

_OWN_DEVICES: tuple[Fields, ...] = (
    {"memory_bandwidth_bytes_per_s": 120e9},
    {"name": "M4's mini", "family": "apple", "memory_bandwidth_bytes_per_s": 273e9, "memory_capacity_bytes": 64e9},
    {"family": "apple-m4", "memory_bandwidth_bytes_per_s": 546e9, "gpu_cores": 40, "dies": 2},
    {"family": "nvidia", "memory_bandwidth_bytes_per_s": 1.01e12, "peak_fp16_dense_flop_per_s": 165.2e12},
    {
        "family": "nvidia-ada",
        "memory_bandwidth_bytes_per_s": 1008e9,
        "memory_capacity_bytes": 24 * GIB,
        "peak_bf16_dense_flop_per_s": 82.6e12,
        "peak_fp16_accumulate_fp16_dense_flop_per_s": 165.2e12,
        "peak_int8_dense_op_per_s": 330.3e12,
        "gpu_cores": 128,
        "gpu_clock_hz": 2.52e9,
    },
    {"family": "amd", "memory_bandwidth_bytes_per_s": 256e9, "memory_capacity_bytes": 96e9, "gpu_clock_hz": 2.9e9},
    {"family": "amd-rdna", "memory_bandwidth_bytes_per_s": 960e9, "peak_fp32_flop_per_s": 61e12, "gpu_cores": 96},
    {"family": "cpu", "memory_bandwidth_bytes_per_s": 76.8e9, "memory_capacity_bytes": 1.5e9},
    {"family": "tpu", "memory_bandwidth_bytes_per_s": 0.1, "peak_int4_dense_op_per_s": 1e-3},
    {"memory_bandwidth_bytes_per_s": 1e17, "memory_capacity_bytes": 1e18, "peak_fp16_dense_flop_per_s": 1e21},
)

_DENSE: Fields = {
    "layers": 32,
    "hidden_size": 4096,
    "attention_heads": 32,
    "kv_heads": 8,
    "head_dim": 128,
    "intermediate_size": 14336,
    "vocab_size": 128256,
}
_EXPERTS: Fields = {
    "layers": 7,
    "hidden_size": 896,
    "attention_heads": 14,
    "kv_heads": 2,
    "head_dim": 64,
    "intermediate_size": 4864,
    "vocab_size": 151936,
    "experts": 8,
    "experts_per_token": 3,
    "moe_intermediate_size": 4865,
    "shared_experts": 2,
    "dense_layers": 1,
    "norms_per_layer": 4,
    "attention_kind": "mha",
    "sliding_window": 1000,
    "sliding_window_layers": 5,
    "attention_sinks": True,
    "qkv_bias": True,
    "o_bias": True,
    "qk_norm": True,
    "mlp_bias": True,
    "router_bias": True,
    "expert_bias": True,
}
_LATENT: Fields = {
    "layers": 5,
    "hidden_size": 2048,
    "attention_heads": 16,
    "intermediate_size": 10944,
    "vocab_size": 102400,
    "attention_kind": "mla",
    "kv_lora_rank": 512,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
}
# What layers are made of, each kind in some model.
_RECURRENT: Fields = {"state_heads": 32, "state_head_dim": 64, "state_groups": 8, "state_dim": 128, "conv_kernel": 4}
_LINEAR: Fields = {
    **_DENSE,
    **_RECURRENT,
    "mixer_pattern": "LKCA",
    "attention_gate_dim": 128,
    "mtp_layers": 1,
    "qk_norm_over_heads": True,
}
_ONE_OPERATION: Fields = {
    **_DENSE,
    **_RECURRENT,
    "layers": 9,
    "mixer_pattern": "M-MA-M-A-",
    "mlp_pattern": "-E--E-E-D",
    "mlp_kind": "relu2",
    "norms_per_layer": 1,
    "experts": 16,
    "experts_per_token": 3,
    "moe_intermediate_size": 2688,
    "moe_latent_size": 1024,
    "shared_experts": 1,
    "shared_expert_intermediate_size": 5376,
}
_WINDOWS: Fields = {
    **_DENSE,
    "mixer_pattern": "WWAwwa",
    "mlp_pattern": "D2B",
    "sliding_window": 512,
    "window_attention_heads": 16,
    "window_kv_heads": 2,
    "window_head_dim": 256,
    "keys_are_values": True,
    "tied_embeddings": True,
    "per_layer_embedding_size": 256,
    "further_parameters": 12345,
    "experts": 8,
    "experts_per_token": 2,
    "moe_intermediate_size": 704,
    "shared_expert_gate": True,
}
_SPARSE: Fields = {"index_heads": 32, "index_head_dim": 128, "index_top_k": 2048}
_ONE_VECTOR: Fields = {
    **_DENSE,
    **_SPARSE,
    "mixer_pattern": "WQZ",
    "sliding_window": 128,
    "attention_kind": "shared",
    "head_dim": 512,
    "q_lora_rank": 1024,
    "o_lora_rank": 1024,
    "o_groups": 8,
}
_OWN_MODELS: tuple[Fields, ...] = (
    {"stated_parameters": 7e9},
    {"name": "自分のモデル", "stated_parameters": 123_456_789},
    {"stated_parameters": 1e16},
    {"stated_parameters": 0.5},
    _DENSE,
    {
        **_DENSE,
        "layers": 80,
        "hidden_size": 8190,
        "head_dim": 127,
        "gguf_architecture": "qwen2",
        "mlp_kind": "gelu2",
        "tied_embeddings": True,
        "context_length_max": 4096,
    },
    {**_DENSE, "fused_projections": True, "attention_kind": "mqa", "kv_heads": 1, "other_parameters": 5},
    # Not even one layer looks at the whole context, so that any context fits.
    {**_DENSE, "layers": 4, "sliding_window": 64, "sliding_window_layers": 4},
    _EXPERTS,
    # A share of 7 in 10 is no binary fraction, so that what is active has to be rounded.
    {**_EXPERTS, "experts": 10, "experts_per_token": 7},
    _LATENT,
    {**_LATENT, **_SPARSE, "mixer_pattern": "IRR", "qk_rope_head_dim": 0, "index_pool": 16},
    {**_DENSE, **_SPARSE, "mixer_pattern": "AII"},
    _LINEAR,
    _ONE_OPERATION,
    _WINDOWS,
    _ONE_VECTOR,
    # What the letters ask for is missing, or they are none.
    {**_DENSE, "mixer_pattern": "LLLA"},
    {**_DENSE, "mixer_pattern": "AX"},
    {**_DENSE, "mlp_pattern": "DE"},
    {**_DENSE, "layers": 2, "mlp_pattern": "DDD"},
    {**_DENSE, "mixer_pattern": "WA", "sliding_window": 64, "sliding_window_layers": 16},
)

# Written as JSON can, where it cannot: {"number": "NaN"}.
_BAD_NUMBERS: tuple[Any, ...] = (
    *(0, -1, 1, 1.5, -0.25, 0.1 + 0.2, 1e-7, 5e-324, 1e-5, 123456789.125, 65, 10**6 + 1, 10**9, 2.0**53, 1e16),
    *(1.7976931348623157e308, -1e30, 1e18 + 1e6, 3.3e17, 4.4e21),
    *("8", "", "it's", None, True, False),
    *({"number": name} for name in ("NaN", "Infinity", "-Infinity")),
)
_BAD_WORDS: tuple[Any, ...] = (
    *("", "row", "it's", 'say "it\'s"', "a\n\t\\b", "\u200b\x7f", "表\u3000😀", "\U000e0001"),
    *(3, None, True),
)


def vectors() -> Iterator[dict[str, Any]]:
    """Ask some hundred questions and give the answers of Python.

    Every model, weight format and engine, devices and models of one's own, several devices, prompts and formats of
    the KV cache, whatever is refused, and how numbers are written.

    Yields
    ------
    dict
        ``ask`` says what: ``"estimate"``, ``"make"`` or ``"write"``.
        An estimate has a ``choice`` and its ``expected`` values, where
        ``inexact`` names those in which powers of numbers are taken, whose
        last digit may differ; or it has an ``error``.  The question whether
        something can be made has its ``kind``, ``fields`` and ``error``;
        writing a number has a ``function``, its ``arguments`` and the
        ``expected`` text.

    Examples
    --------
    >>> next(vectors())["expected"]["decode_tokens_per_s_bound"] > 0
    True
    """
    for choice in chain(_every_listed(), _every_own(), _drawn(), _shared_with_a_host(), _refused_choices()):
        choice = {"engine": DEFAULT_ENGINE, **choice}  # which engine is usual, the page never asks
        answer = _answer(choice)
        yield {"ask": "estimate", "choice": choice, "names": list(answer.get("expected", ())), **answer}
    yield from _refused_objects()
    yield from _written_numbers()


def _every_listed() -> Iterator[Fields]:
    """Choices in which every model, weight format and engine comes; the rest goes round."""
    devices, models, weights = list(device_rows()), list(model_rows()), list(weight_format_rows())
    for n in range(3 * max(len(models), len(weights))):
        device, stored = devices[n * 37 % len(devices)], weights[n % len(weights)]
        engine, backend = _runner(n, device, stored)
        yield {
            **_choice(n, model=models[n % len(models)], weights=stored, device=device, engine=engine, backend=backend),
            "devices": _COUNTS[n // 2 % len(_COUNTS)] if n % 3 else 1,
            "split": _SHARED[n // 3 % 2],
        }


def _runner(n: int, device: object, weights: object) -> tuple[str, str | None]:
    """Return an engine, and a backend to ask for, that go round with `n` among those that take device and weights."""
    where, stored = _object("device", device), _object("weights", weights)
    where = where if isinstance(where, Device) else get_device(where)
    stored = stored if isinstance(stored, WeightFormat) else get_weight_format(stored)
    runners: list[tuple[str, str | None]] = [("ideal", None)] if n % 5 == 0 else []
    for engine in ENGINES.values():
        # The backend is left open now and then; whether there is one, the engine says.
        backends = [one for one in engine.backends_on(where) or ("",) if engine.reads_with(one, stored)]
        runners += [(engine.id, one if one and n % 2 else None) for one in backends if one or not where.family]
    if n % 9 == 0:  # whether it runs or not
        return list(ENGINES)[n % len(ENGINES)], None
    return runners[n % len(runners)] if runners else ("ideal", None)


def _choice(n: int, **chosen: object) -> Fields:
    """Return a choice with a batch and a context that go round with `n`, not in step."""
    batch = _BATCH_SIZES[n // 2 % len(_BATCH_SIZES)] if n % 2 else 1
    return {**chosen, "batch_size": batch, "context_length": _CONTEXT_LENGTHS[n % len(_CONTEXT_LENGTHS)]}


def _every_own() -> Iterator[Fields]:
    """Choices with devices and models of one's own."""
    for n, (device, model) in enumerate(product(_OWN_DEVICES, _OWN_MODELS)):
        weights = ("int4", "q4_k_m", "f16", "q8_0", "mxfp4", "mlx-q4", "bf16")[n % 7]
        engine, backend = _runner(n, device, weights)
        asked = _choice(n, device=device, model=model, engine=engine, backend=backend, weights=weights)
        yield asked
        if "layers" not in model:
            yield {**asked, "context_length": 0}


def _drawn() -> Iterator[Fields]:
    """Choices in which everything is drawn."""
    draw = random.Random(SEED)
    devices, models, weights = list(device_rows()), list(model_rows()), list(weight_format_rows())
    for _ in range(_DRAWN):
        bits = round(draw.uniform(0.1, 64), draw.randrange(4))
        own = {"id": draw.choice(("bits", "q_k")), "bits_per_weight": bits or 1, "kind": draw.choice(("plain", "file"))}
        device = draw.choice((draw.choice(devices), draw.choice(_OWN_DEVICES)))
        stored = draw.choice((draw.choice(weights), draw.choice(weights), own))
        engine, backend = _runner(draw.randrange(1000), device, stored)
        yield {
            "device": device,
            "model": draw.choice((draw.choice(models), draw.choice(models), draw.choice(_OWN_MODELS[4:]))),
            "weights": draw.choice((stored, stored, None)),
            "engine": engine,
            "backend": backend,
            "kv_cache": draw.choice((draw.choice(_KV_CACHES), own)),
            "batch_size": draw.choice((1, draw.choice(_BATCH_SIZES), draw.randrange(1, MAX_BATCH_SIZE))),
            "context_length": draw.choice((draw.choice(_CONTEXT_LENGTHS), draw.randrange(MAX_CONTEXT_LENGTH))),
            "devices": draw.choice((1, draw.choice(_COUNTS), draw.randrange(1, MAX_DEVICES))),
            "split": draw.choice(_SHARED),
            "prompt_length": draw.choice((None, draw.choice(_PROMPT_LENGTHS))),
        }


def _shared_with_a_host() -> Iterator[Fields]:
    """Choices in which a part of the model is left to the host."""
    for n, (model, host) in enumerate(product(_SPLIT_MODELS, _HOSTS)):
        engine = ("llama.cpp", "vllm", "ideal", "ollama", "mlx")[n % 5 if n % 2 else 0]
        yield {
            **_choice(n, model=model, device=("rtx-3060", "rtx-4090")[n % 2], engine=engine, host=host),
            "gpu_layers": (None, 0, 1, 20, 999)[n % 5],
            "cpu_moe_layers": (None, 0, 7, 999)[n % 4],
            "prompt_length": (None, 31, 1000)[n % 3],
        }
    yield {"model": "llama-3.1-8b", "device": "rtx-3060", "gpu_layers": 3}
    yield {"model": "llama-3.1-8b", "device": "apple-m4-10c", "gpu_layers": 3, "host": _HOSTS[0]}


_SPLIT_MODELS: tuple[Any, ...] = ("gemma-3-12b", "gpt-oss-120b", "qwen3.5-35b-a3b", "deepseek-r1", _WINDOWS, _LINEAR)
_HOSTS: tuple[Fields, ...] = (
    {"memory_bandwidth_bytes_per_s": 51.2e9},
    {"memory_bandwidth_bytes_per_s": 460.8e9, "memory_capacity_bytes": 384 * GIB},
    {"memory_bandwidth_bytes_per_s": 96e9, "memory_capacity_bytes": 16 * GIB, "disk_bandwidth_bytes_per_s": 7e9},
    {"memory_bandwidth_bytes_per_s": 38e9, "is_measured": True, "link_bandwidth_bytes_per_s": 15.75e9},
    {"tokens_per_s": 2.89},
)


def _refused_choices() -> Iterator[Fields]:
    """Choices of which most are refused."""
    asked: Fields = {"model": "llama-3.1-8b", "device": "apple-m4-10c"}
    for name in ("batch_size", "context_length", "devices", "prompt_length"):
        yield from ({**asked, name: value} for value in _BAD_NUMBERS)
    yield from ({**asked, "split": value} for value in _BAD_WORDS)
    yield from ({**asked, "backend": value} for value in (*_BAD_WORDS, *BACKENDS))
    yield from ({**asked, "engine": engine} for engine in ENGINES)
    yield {**asked, "model": {"id": "it's", "stated_parameters": 7e9}, "context_length": 1}


def _refused_objects() -> Iterator[dict[str, Any]]:
    """Objects of which most are refused, and the word for it."""
    device: Fields = {"memory_bandwidth_bytes_per_s": 120e9}
    trials: list[tuple[str, Fields, Iterable[str], Iterable[Any]]] = [
        ("device", device, (f.name for f in fields(Device) if f.type in ("int", "float")), _BAD_NUMBERS),
        ("weights", {"bits_per_weight": 4}, ("bits_per_weight",), _BAD_NUMBERS),
    ]
    sizes = [name for name in dict.fromkeys((*_EXPERTS, *_LATENT)) if name != "attention_kind"]
    for shape in (_DENSE, _EXPERTS, _LATENT, {"stated_parameters": 7e9}):
        model = {"stated_parameters": 0, **shape}
        trials.append(("model", model, ("stated_parameters", *sizes), _BAD_NUMBERS))
        trials.append(("model", model, ("attention_kind", "mlp_kind"), _BAD_WORDS))
    for kind, whole, names, values in trials:
        # Every name with some of the values, and every value with some of the names.
        for name, value in islice(product(names, values), 0, None, 7):
            given = {**whole, name: value}
            error = None
            try:
                _object(kind, given)
            except InvalidValueError as refused:
                error = _refusal(refused)
            yield {"ask": "make", "kind": kind, "fields": given, "error": error}


def _written_numbers() -> Iterator[dict[str, Any]]:
    """Numbers as they are written, those exactly between two shorter ones among them."""
    draw = random.Random(SEED)
    ties = [n / 2**k for k in range(8) for n in (1, 3, 5, 7, 25, 99, 125, 375, 625, 999, 1001, 12345, 99995)]
    edges = [0, 5e-324, 1e-300, 9.995e-5, 9.9949e-5, 9.9951e-5, 1e-4, 0.00099951, 999.5, 999.49, 1e21, 1.2345e22, 1e300]
    values = [*edges, *ties, *(value * 10.0 ** draw.randrange(-25, 25) for value in ties)]
    values += [draw.uniform(1, 10) * 10.0 ** draw.randrange(-20, 30) for _ in range(60)]
    for n, value in enumerate(values):
        digits = 1 + n % 6
        asked: tuple[tuple[Callable[..., str], tuple[Any, ...]], ...] = (
            (significant, (value, digits)),
            (significant, (-value,)),
            (scaled, (value, "B/s", 3)),
            (gibibytes, (value, 3)),
            (duration, (value, 2)),
        )
        for function, arguments in asked:
            expected = function(*arguments)
            yield {"ask": "write", "function": function.__name__, "arguments": arguments, "expected": expected}


def _answer(choice: Fields) -> dict[str, Any]:
    """Return what Python says to a choice."""
    try:
        arguments = {name: _object(name, value) for name, value in choice.items()}
        result = estimate(**arguments)
    except InvalidValueError as refused:
        return {"error": _refusal(refused)}
    expected = {**result.to_dict(), **_beyond_the_dict(result)}
    calibration = result.calibration
    expected["calibration"] = calibration.id if calibration else None
    if result.offload:
        # Its waits and its words say what it is.
        del expected["offload"]
    return {"expected": expected, "inexact": _inexact(result)}


def _beyond_the_dict(result: Estimate) -> dict[str, Any]:
    """Return what else the page shows of an estimate."""
    chosen = result.chosen
    further: dict[str, Any] = {
        "weight_flop_per_step": result.weight_flop_per_step,
        "attention_flop_per_step": result.attention_flop_per_step,
        "step_latency_slow_s": result.step_latency_slow_s,
        "step_latency_fast_s": result.step_latency_fast_s,
        "explanation": [section._asdict() for section in explanation(result)],
    }
    if chosen:
        further["chosen"] = {
            **chosen._asdict(),
            "calibration": chosen.calibration.id,
            "paces": [[pace.kind._asdict(), *pace[1:]] for pace in chosen.paces],
            "notes": list(chosen.notes),
        }
    return further


_PREFILL_INTERVAL = (
    "prefill_tokens_per_s_low",
    "prefill_tokens_per_s_high",
    "time_to_first_token_s_low",
    "time_to_first_token_s_high",
    "prompt_time",
)
_PREFILL = (
    "prefill_tokens_per_s_bound",
    "prefill_tokens_per_s",
    "time_to_first_token_s",
    "prefill_waits",
    *_PREFILL_INTERVAL,
)
_INTERVAL = (
    "decode_tokens_per_s_low",
    "decode_tokens_per_s_high",
    "step_latency_slow_s",
    "step_latency_fast_s",
    "chosen",
)


def _inexact(result: Estimate) -> list[str]:
    """Name the values into which a power goes, whose last bit is left to each platform.

    Experts that a batch touches, and intervals that are widened.
    """
    names: list[str] = []
    if result.chosen and result.chosen.notes:
        names += _INTERVAL
    time = result.prompt_time
    if time and time.chosen and time.chosen.notes:
        names += _PREFILL_INTERVAL
    if result.model.experts and result.prompt_length > 1:
        names += _PREFILL
    if result.model.experts and result.batch_size > 1:
        names += [name for name, value in result.to_dict().items() if isinstance(value, float)]
        names += ["step_latency_slow_s", "step_latency_fast_s"]
    return list(dict.fromkeys(names))


def _object(name: str, value: Any) -> Any:
    """Turn the fields of a model, device or weight format into one, and a word for a number into it."""
    kinds: dict[str, Callable[..., object]] = {
        "device": Device,
        "model": Model,
        "weights": WeightFormat,
        "kv_cache": WeightFormat,
        "host": Host,
    }
    if isinstance(value, dict) and name in kinds:
        given = {field: _object(field, one) for field, one in value.items()}
        return kinds[name](**{"id": "own", **given})
    return float(value["number"]) if isinstance(value, dict) else value


def _refusal(error: InvalidValueError) -> dict[str, str]:
    """Return what is said of a value."""
    return {"type": type(error).__name__, "message": str(error)}
