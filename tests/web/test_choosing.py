"""The machines that the page finds are those that `hayasa.choose_devices` finds."""

import json

import pytest

import hayasa
from tests.web.javascript import Estimator
from tests.web.states import state


@pytest.fixture(scope="module")
def estimator():
    return Estimator()


@pytest.mark.parametrize(
    ("changed", "speed"),
    [
        ({"model": "llama-3.3-70b", "context_length": 8000}, 8),
        ({"model": "gpt-oss-120b", "weights": "mxfp4", "batch_size": 4}, 30),
        ({"model": "qwen3-32b", "engine": "vllm", "weights": "bf16", "context_length": 4096}, 1),
        ({"model": "llama-3.1-8b"}, 1e6),
    ],
)
def test_the_page_finds_the_same_machines(estimator, changed, speed):
    chosen = state(**changed)
    question = {name: value for name, value in chosen.items() if name not in ("model", "machines")}
    expected = [
        [one.device.id, one.device.memory_capacity_bytes]
        for one in hayasa.choose_devices(chosen["model"], at_least_tokens_per_s=speed, **question)
    ]
    found = json.loads(estimator.context.call("hayasa.machines", chosen, speed))
    assert found == expected
    assert bool(found) == (speed < 1e6)
