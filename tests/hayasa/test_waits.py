"""A step is one list of waits: summed, written down, fitted, all by the same names."""

from __future__ import annotations

import math
from dataclasses import fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hayasa
from hayasa.answer.step import step_s
from hayasa.engine.waits import FITTED_WAITS, UNIT_S
from hayasa.model.work import Work
from lab.calibrate import FORMS, rows_of
from lab.fit import _START
from lab.rows import is_side_by_side, load_measurements

PAIRS = [
    ("llama-3.1-8b", "rtx-4090", "llama.cpp"),
    ("qwen3-30b-a3b", "apple-m4-max-40c", "llama.cpp"),
    ("llama-3.1-70b", "h100-sxm", "vllm"),
    ("gpt-oss-20b", "ryzen-ai-max-395", "llama.cpp"),
    ("llama-2-7b", "apple-m3-ultra-80c", "mlx"),
    ("llama-2-7b", "raspberry-pi-5", "llama.cpp"),
    ("llama-2-7b", "rtx-4090", "ideal"),
]


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(PAIRS),
    st.sampled_from([1, 2, 8, 64]),
    st.integers(0, 100_000),
    st.sampled_from([1, 2, 8]),
    st.sampled_from(["pipeline", "tensor"]),
)
def test_the_waits_add_up_to_the_step(
    pair: tuple[str, str, str], batch: int, context: int, devices: int, split: str
) -> None:
    model, device, engine = pair
    result = hayasa.estimate(
        model, device, engine=engine, batch_size=batch, context_length=context, devices=devices, split=split
    )
    assert math.isclose(step_s(result.waits), result.step_latency_s, rel_tol=1e-12)
    assert math.isclose(
        sum(wait["seconds"] for wait in result.to_dict()["waits"] if not wait["hidden"]),
        result.step_latency_s,
        rel_tol=1e-12,
    )
    names = [wait.kind.name for wait in result.waits]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(("model", "device", "engine"), PAIRS[:-1])
def test_every_wait_is_written_down(model: str, device: str, engine: str) -> None:
    result = hayasa.estimate(model, device, engine=engine, context_length=1000, batch_size=2)
    text = hayasa.explain(result)
    for wait in result.waits:
        assert (wait.kind.label in text) == bool(wait.seconds), wait.kind.name


def test_the_longer_of_reading_and_unpacking_counts() -> None:
    """Q8_0 on a GTX-class balance: a device of few cores unpacks for longer than it reads."""
    for cores, longer in ((1, "unpack_weights"), (1000, "read_weights")):
        device = hayasa.Device(
            id="x", family="nvidia", memory_bandwidth_bytes_per_s=1e12, gpu_cores=cores, gpu_clock_hz=2e9
        )
        hidden = {wait.kind.name: wait.hidden for wait in hayasa.estimate("llama-2-7b", device).waits}
        assert {name for name in ("read_weights", "unpack_weights") if not hidden[name]} == {longer}


def test_each_fitted_wait_has_its_coefficient_its_amount_and_its_start() -> None:
    coefficients = {field.name for field in fields(hayasa.Calibration)}
    for fitted in FITTED_WAITS:
        assert fitted.coefficient in coefficients
        assert fitted.amount in Work._fields
        assert fitted.kind.name in _START
    assert len({fitted.kind.name for fitted in FITTED_WAITS}) == len(FITTED_WAITS)
    assert {fitted.kind.unit for fitted in FITTED_WAITS} - {"倍", "サイクル"} == set(UNIT_S)


def test_what_is_fitted_is_what_is_estimated() -> None:
    """A measured row and the estimate of the same question have the same loads."""
    measurements = load_measurements()[0]
    checked = 0
    for form in FORMS:
        for m in rows_of(form, measurements)[::25]:
            if not is_side_by_side(m) or m.row["micro_batch"]:
                continue
            result = hayasa.estimate(
                m.model,
                m.device,
                weights=m.weights,
                engine=m.row["engine"],
                backend=m.row["backend"],
                batch_size=m.batch_size,
                context_length=m.context_length,
                devices=m.devices,
                split=m.row["split"] or "pipeline",
                build=m.month,
                server=m.row["measured_through"] == "server",
            )
            assert result.calibration and result.calibration.id == form.id
            for wait in result.waits:
                if wait.name in m.loads_s:
                    assert math.isclose(wait.load_s, m.loads_s[wait.name], rel_tol=1e-12), (m.row["id"], wait.name)
                    checked += 1
    assert checked > 300


@pytest.mark.parametrize(
    ("engine", "device"),
    [
        ("llama.cpp", "rtx-4090"),
        ("llama.cpp", "apple-m4-max-40c"),
        ("llama.cpp", "rx-7900-xtx"),
        ("llama.cpp", "raspberry-pi-5"),
        ("mlx", "apple-m3-ultra-80c"),
        ("vllm", "h100-80gb-sxm"),
        ("gpt-fast", "a100-80gb-sxm"),
    ],
)
def test_a_deep_context_is_read_no_faster_than_the_memory_allows(engine: str, device: str) -> None:
    """An estimate that falls back on the bound has forgotten to read the cache."""
    for context_length in (0, 8192, 131072):
        result = hayasa.estimate("llama-3.1-8b", device, engine=engine, context_length=context_length)
        assert result.decode_tokens_per_s < result.decode_tokens_per_s_bound
        assert "bound" not in [wait.name for wait in result.waits]


def test_a_split_by_rows_is_as_slow_as_it_was_measured() -> None:
    rows = [row for row in hayasa.measurements(engine="llama.cpp") if row["split"] == "row"]
    results = [
        hayasa.estimate(
            row["model"],
            row["device"],
            weights=row["weights"],
            context_length=row["context_length"],
            devices=row["devices"],
            split="row",
        )
        for row in rows
    ]
    speeds = [row["decode_tokens_per_s"] for row in rows]
    inside = [
        result.decode_tokens_per_s_low <= speed <= result.decode_tokens_per_s_high
        for result, speed in zip(results, speeds, strict=True)
    ]
    errors = [abs(result.decode_tokens_per_s / speed - 1) for result, speed in zip(results, speeds, strict=True)]
    assert len(rows) == 24
    assert sum(inside) >= 0.9 * len(rows)
    assert sum(errors) / len(errors) < 0.15


def test_what_lies_behind_a_window_is_read() -> None:
    """Gemma 3's windows of 1,024 keep a micro-batch more, once the context is long enough."""
    model = hayasa.get_model("gemma-3-4b")
    per_token = 2 * model.kv_heads * model.head_dim * 2 * model.sliding_window_layers
    for context, behind in ((1024, 0), (1100, 76), (8192, 512)):
        [padding] = [
            wait
            for wait in hayasa.estimate(model, "rtx-4090", weights="q4_0", context_length=context).waits
            if wait.name == "read_padding"
        ]
        read = padding.load_s * hayasa.get_device("rtx-4090").memory_bandwidth_bytes_per_s
        assert math.isclose(read, per_token * behind, abs_tol=1e-3)


def test_devices_side_by_side_share_what_can_be_cut() -> None:
    one, four = (
        {
            wait.name: wait
            for wait in hayasa.estimate(
                "llama-3.1-8b", "h100-80gb-sxm", engine="vllm", context_length=1000, devices=n, split="tensor"
            ).waits
        }
        for n in (1, 4)
    )
    assert math.isclose(four["read_weights"].load_s, one["read_weights"].load_s / 4)
    assert four["layers"] == one["layers"]
    assert one["all_reduces"].seconds == 0 < four["all_reduces"].seconds
