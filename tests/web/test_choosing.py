"""What the page finds is what `hayasa.choose_devices`, `choose_formats` and `choose_models` find."""

import json

import pytest

import hayasa
from hayasa.answer.choose import speed_per_sequence
from hayasa.model.tensors import total_parameters
from tests.web.javascript import Estimator
from tests.web.states import machine, state


@pytest.fixture(scope="module")
def estimator():
    return Estimator()


def question_of(chosen: dict, *names: str) -> dict:
    return {name: chosen[name] for name in (*names, "batch_size", "context_length", "engine", "backend", "kv_cache")}


def found(estimator, chosen: dict, find: str, speed: float) -> list[list]:
    return json.loads(estimator.context.call("hayasa.found", {**chosen, "find": find, "find_speed": speed}))


def same(found: list[list], results, rank) -> bool:
    """Compare in order; of those that rank alike, the page has first what its menus have first."""
    ranks = {tuple(row(one)): rank(one) for one in results}
    return sorted(found) == sorted(map(row, results)) and [ranks[tuple(one)] for one in found] == [
        rank(one) for one in results
    ]


def row(one) -> list:
    return [one.model.id, one.weights.id, one.device.id, one.device.memory_capacity_bytes]


def largest(one) -> tuple[bool, float]:
    return one.fits is not True, -total_parameters(one.model)


def memory(one) -> float:
    return one.memory_required_bytes


@pytest.mark.parametrize(
    ("changed", "speed"),
    [
        ({"model": "llama-3.3-70b", "context_length": 8000}, 8),
        ({"model": "gpt-oss-120b", "weights": "mxfp4", "batch_size": 4}, 30),
        ({"model": "qwen3-32b", "engine": "vllm", "weights": "bf16", "context_length": 4096}, 1),
        ({"model": "llama-3.1-8b", "backend": "vulkan"}, 50),
        ({"model": "llama-3.1-8b"}, 1e6),
    ],
)
def test_the_page_finds_the_same_machines(estimator, changed, speed):
    chosen = state(**changed)
    expected = hayasa.choose_devices(
        chosen["model"], at_least_tokens_per_s=speed, **question_of(chosen, "weights", "split")
    )
    assert same(found(estimator, chosen, "machines", speed), expected, speed_per_sequence)
    assert bool(expected) == (speed < 1e6)


@pytest.mark.parametrize(
    ("changed", "device", "speed"),
    [
        ({"model": "gemma-3-27b", "context_length": 8192}, machine("rtx-3090"), 0),
        ({"model": "llama-3.1-8b", "engine": "mlx"}, machine("apple-m4-10c", 16 * 2**30), 25),
        ({"model": "qwen3-32b", "engine": "vllm"}, machine("h100-80gb-sxm", devices=2), 30),
        ({"model": "llama-3.1-8b", "backend": "vulkan"}, machine("rtx-4090"), 200),
    ],
)
def test_the_page_finds_the_same_formats(estimator, changed, device, speed):
    chosen = state(**changed, machines=[device])
    its = hayasa.get_device(device["device"])
    if device["memory_bytes"]:
        its = hayasa.get_device(f"{its.name} 16GB")
    expected = hayasa.choose_formats(
        chosen["model"], its, at_least_tokens_per_s=speed, devices=device["devices"], **question_of(chosen, "split")
    )
    assert expected and same(found(estimator, chosen, "formats", speed), expected, memory)


@pytest.mark.parametrize(
    ("changed", "device", "speed"),
    [
        ({"context_length": 4096}, "rtx-3060", 40),
        ({"engine": "mlx", "context_length": 8192}, "apple-m4-pro-20c", 20),
    ],
)
def test_the_page_finds_the_same_models(estimator, changed, device, speed):
    chosen = state(**changed, machines=[machine(device)])
    expected = hayasa.choose_models(device, at_least_tokens_per_s=speed, **question_of(chosen, "split"))
    assert len(expected) > 10
    # As the command lists them: who asks what runs here hardly means the smallest.
    expected = sorted(expected, key=largest)
    assert same(found(estimator, chosen, "models", speed), expected, largest)
