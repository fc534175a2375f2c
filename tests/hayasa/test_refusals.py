"""Whatever is given, a public function answers, or refuses in the package's own words."""

from __future__ import annotations

import atexit
import contextlib
import inspect
import io
import json
import math
import tempfile
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hayasa
from hayasa import Device, HayasaError, Host, Model, WeightFormat
from hayasa.cli.commands import _parser, main

MODEL = Model(
    id="m",
    layers=2,
    hidden_size=64,
    attention_heads=2,
    kv_heads=1,
    head_dim=32,
    intermediate_size=64,
    vocab_size=100,
)
DEVICE = Device(id="d", memory_bandwidth_bytes_per_s=1e11, memory_capacity_bytes=8e9)
WEIGHTS = WeightFormat(id="w", bits_per_weight=16)


def write_config() -> str:
    """Write a small config.json, which goes with the process."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    sizes = {"num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 2, "vocab_size": 100}
    path = Path(folder.name) / "config.json"
    path.write_text(json.dumps({"model_type": "llama", "intermediate_size": 64, **sizes}))
    return str(path)


SOUND: dict[str, Any] = {
    "model": MODEL,
    "device": DEVICE,
    "weights": WEIGHTS,
    "kv_cache": WEIGHTS,
    "engine": "llama.cpp",
    "backend": "cuda",
    "split": "pipeline",
    "device_shares": None,
    "link_latency_s": 1e-3,
    "dealt": (),
    "build": "2025-06",
    "server": True,
    "file": None,
    "seen": None,
    "host": 60e9,
    "cpu_moe_layers": 0,
    "placement": None,
    "expected": None,
    "argument": "weights",
    "spent": hayasa.energy(hayasa.estimate(MODEL, DEVICE, weights=WEIGHTS), rated_power_w=2),
    "result": hayasa.estimate(MODEL, DEVICE, weights=WEIGHTS),
    "text": "eval rate: 45.2 tokens/s",
    "assumed": {"engine": "ollama", "devices": 2},
    "memory_bytes": 0.0,
    "path": write_config(),
    "among": ("rtx-4090",),
    "prompt_length": 4,
    "context_length": 4,
    "draft": "ngram",
    "draft_weights": None,
    "acceptance": 0.5,
    "share": 0.5,
    "decay": 0.9,
    "cached_tokens": 4,
    "micro_batch": 4,
}
"""A sound value of each parameter that is no number like 2."""

NAMES = {
    "get_model": "llama-3.1-8b",
    "get_device": "rtx-4090",
    "get_weight_format": "q4_k_m",
    "get_engine": "mlx",
    "get_host": "ddr5-5600 x2",
}
"""What is sound as the `name` of each function that takes one."""

NASTY = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([-1, 0, 10**9, 10**30, 10**400]),
    st.floats(),
    st.sampled_from([-1.0, math.nan, math.inf, -math.inf, 1e308, 5e-324, -0.0]),
    st.text(max_size=8),
    st.sampled_from(["", " ", "8k", "１６", "NaN", "q4_k_m,q8_0", "\ud800", "a" * 10_000, "../x", "%s{0}", "\0"]),
    st.binary(max_size=4),
    st.lists(st.integers(), max_size=2),
    st.tuples(st.text(max_size=3)),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=1),
    st.complex_numbers(),
    st.builds(object),
    st.just(MODEL),
    st.just(DEVICE),
    st.just(WEIGHTS),
)

HOST = Host(id="h", memory_bandwidth_bytes_per_s=6e10)

OBJECTS = (Model, Device, WeightFormat, Host)


def _functions() -> dict[str, Callable[..., object]]:
    """Return what is public and takes something."""
    found = {}
    for name in hayasa.__all__:
        value = getattr(hayasa, name)
        if value in OBJECTS or (inspect.isfunction(inspect.unwrap(value)) and inspect.signature(value).parameters):
            found[name] = value
    return found


FUNCTIONS = _functions()


def sound_arguments(name: str, function: Callable[..., object]) -> dict[str, object]:
    """Return arguments that a function answers to."""
    if function in OBJECTS:
        own = {Model: MODEL, Device: DEVICE, WeightFormat: WEIGHTS, Host: HOST}[function]  # type: ignore[index]
        return {field.name: getattr(own, field.name) for field in fields(own)}
    return {
        parameter: NAMES[name] if parameter == "name" else SOUND.get(parameter, 2)
        for parameter, one in inspect.signature(function).parameters.items()
        if one.kind != one.VAR_KEYWORD and not (name == "measurements" and parameter != "engine")
    }


CASES = [
    (name, parameter)
    for name, function in FUNCTIONS.items()
    for parameter in sound_arguments(name, function)
    if parameter != "argument"  # what a caller calls the name that it hands on
]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_sound_arguments_are_answered(name: str) -> None:
    """Else the test below would see refusals for another reason."""
    FUNCTIONS[name](**sound_arguments(name, FUNCTIONS[name]))


@pytest.mark.parametrize(("name", "parameter"), CASES)
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_nothing_but_the_package_s_own_errors(name: str, parameter: str, data: st.DataObject) -> None:
    function = FUNCTIONS[name]
    arguments = sound_arguments(name, function)
    value = data.draw(NASTY)
    try:
        function(**{**arguments, parameter: value})
    except HayasaError as error:
        text = str(error)
        assert text and len(text) < 1000
        assert any("\u3040" <= letter <= "\u9fff" for letter in text), text


# ---- the same on the command line

TYPED = st.one_of(
    st.text(max_size=10),
    st.sampled_from(
        ["", " ", "-1", "0", "1e400", "nan", "inf", "-inf", "8k", "８ｋ", "16,5", "10" * 3000, "\ud800", "a" * 10_000]
    ),
    st.sampled_from(["--", "-", "--json", "../x", "%s{0}", "q4_k_m", "llama-3.1-8b", "rtx-4090", "富士通のM4", "\n"]),
)


def commands() -> dict[str, list[str]]:
    """Return the options that take a value, by command."""
    parser = _parser()
    [choices] = [action.choices for action in parser._actions if action.choices]
    return {
        name: [action.option_strings[0] for action in command._actions if action.option_strings and action.nargs != 0]
        for name, command in choices.items()
    }


OPTIONS = [(command, option) for command, options in commands().items() for option in options if command != "measure"]
"""Measuring takes half a minute, and what it is given is tested with it."""

BASE = {
    "estimate": ["--model", "llama-3.1-8b", "--device", "rtx-4090"],
    "explain": ["--model", "llama-3.1-8b", "--device", "rtx-4090"],
    "check": ["--model", "llama-3.1-8b", "--device", "rtx-4090", "--measured", "100"],
    "cost": ["--model", "llama-3.1-8b", "--device", "rtx-4090"],
    "compare": ["--model", "llama-3.1-8b", "--devices", "rtx-4090"],
    "fit": ["--device", "rtx-4090"],
    "choose": ["--model", "llama-3.1-8b"],
    "formats": ["--model", "llama-3.1-8b", "--device", "rtx-4090"],
    "draft": ["--model", "llama-3.1-8b", "--device", "rtx-4090"],
}


@pytest.mark.parametrize(("command", "option"), OPTIONS)
@settings(max_examples=15, deadline=None)
@given(st.data())
def test_the_command_line_answers_or_refuses_in_one_line(command: str, option: str, data: st.DataObject) -> None:
    typed = data.draw(TYPED)
    out, error = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
            code = main([command, *BASE[command], f"{option}={typed}"])
    except SystemExit as left:
        code = int(left.code or 0)
    text = error.getvalue()
    if code:
        assert code == 2
        assert text.startswith("エラー: ") and text.count("\n") == 1 and len(text) < 1200, text
    else:
        assert out.getvalue()
