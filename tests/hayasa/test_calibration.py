"""The calibrations are what the published rows say, and as good as promised."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import hayasa
from hayasa.catalog.reader import data_directory
from hayasa.engine.calibration import DeviceFactor
from hayasa.engine.goals import goals as listed_goals
from lab import calibrate, fit, goals, trends
from lab.rows import Measurement, load_measurements, usable
from lab.unseen import Unseen


@pytest.fixture(scope="module")
def measurements() -> list[Measurement]:
    return load_measurements()[0]


@pytest.fixture(scope="module")
def fitted(
    measurements: list[Measurement],
) -> list[tuple[hayasa.Calibration, list[DeviceFactor]]]:
    return calibrate.calibrate_all(measurements)


def test_the_files_are_what_the_code_writes(fitted: list, tmp_path: Path) -> None:
    calibrate.write_rows(tmp_path / "calibrations.csv", [row for row, _ in fitted])
    calibrate.write_rows(tmp_path / "calibration_factors.csv", [row for _, rows in fitted for row in rows])
    for name in ("calibrations.csv", "calibration_factors.csv"):
        assert (tmp_path / name).read_bytes() == (data_directory() / name).read_bytes(), name


def row(id_: str) -> hayasa.Calibration:
    return next(row for row in hayasa.calibrations() if row.id == id_)


def test_the_book_holds_out_as_the_table_does(measurements: list[Measurement]) -> None:
    unseen = Unseen(measurements)
    for id_, held_out in unseen.held_out.items():
        assert calibrate.rounded(held_out.error) == row(id_).error_device_held_out
    rows = unseen.table()
    assert list(rows.groupby("form", sort=False).size()) == [row(id_).rows for id_ in unseen.held_out]
    best, low, high, _ = unseen.speed("mlx/mlx", rows["id"].iloc[-1], lambda device: device.family == "apple-m5")
    assert 0 < low < best < high


def test_unseen_nvidia_chips() -> None:
    assert row("llama.cpp/cuda").error_device_held_out <= 0.12


@pytest.mark.parametrize("id_", ["llama.cpp/cuda", "llama.cpp/metal", "mlx/mlx"])
def test_the_interval_holds_what_it_says(id_: str) -> None:
    assert 0.85 <= row(id_).coverage_device_held_out <= 0.95
    assert 0.85 <= row(id_).coverage_model_held_out <= 0.96


@pytest.fixture(scope="module")
def metal(measurements: list[Measurement]) -> list[Measurement]:
    form = next(form for form in calibrate.FORMS if form.backend == "metal")
    return usable(calibrate.rows_of(form, measurements))


def test_unseen_apple_chips(metal: list[Measurement]) -> None:
    """The Apple table of llama.cpp, each chip predicted from all the others."""
    form = next(form for form in calibrate.FORMS if form.backend == "metal")
    held_out = fit.hold_out(metal, form.waits, lambda m: m.device.id)
    in_table = [m.source == "llamacpp_apple_4167" for m in metal]
    assert sum(in_table) >= 79
    table = replace(held_out, log_ratio=held_out.log_ratio[in_table])
    assert table.error <= 0.06


def test_bytes_over_bandwidth_alone_misses_by_far(metal: list[Measurement]) -> None:
    """The same measure, applied to the bound, shows that it can tell good from bad."""
    table = [m for m in metal if m.source == "llamacpp_apple_4167"]
    errors = [m.step_s / m.loads_s["read_weights"] - 1 for m in table]
    assert sum(map(abs, errors)) / len(errors) > 0.3


def test_no_estimate_of_a_measured_row_needs_numpy() -> None:
    import subprocess
    import sys

    code = (
        "import sys; sys.modules['numpy'] = None; import hayasa;"
        "print(hayasa.estimate('llama-2-7b', 'rtx-4090').decode_tokens_per_s > 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "True", done.stderr


def test_a_fit_finds_what_was_put_in(metal: list[Measurement]) -> None:
    """Made-up speeds from known coefficients give the coefficients back."""
    truth = {"read_weights": 1.25, "attention": 0.05, "layers": 1.5e5, "dies": 5e4}
    made_up = [replace(m, step_s=sum(truth[name] * m.loads_s[name] for name in truth)) for m in metal]
    assert fit.fit_coefficients(made_up, list(truth), {}) == pytest.approx(truth, rel=0.01)


def test_every_measurement_is_below_the_bound(measurements: list[Measurement]) -> None:
    """Nothing published is faster than physics; 5 % for clocks above the nominal."""
    for m in measurements:
        if m.devices == 1 and m.batch_size == 1:
            result = hayasa.estimate(
                m.model,
                m.device,
                weights=m.weights,
                engine="ideal",
                context_length=m.context_length,
            )
            # A file of a mix of its own may be smaller than the estimate's.
            highest = 1.05 * (1 + m.weights.spread) * result.decode_tokens_per_s_bound
            assert 1 / m.step_s <= highest, m.row["id"]


def test_every_prompt_is_read_below_the_bound(measurements: list[Measurement]) -> None:
    for m in measurements:
        if m.devices == 1 and m.row["prefill_tokens"] and m.row["prefill_tokens_per_s"]:
            result = hayasa.estimate(
                m.model,
                m.device,
                weights=m.weights,
                engine="ideal",
                prompt_length=m.row["prefill_tokens"],
            )
            bound = result.prefill_tokens_per_s_bound
            if bound and m.batch_size == 1:
                assert m.row["prefill_tokens_per_s"] <= bound, m.row["id"]


def test_a_drift_that_was_put_in_is_found(metal: list[Measurement]) -> None:
    """An error of 1 % for each doubling of the context, and none."""
    along = trends.ALONG["文脈"]
    rows = [m for m in metal if m.context_length]
    ones = np.ones(len(rows))
    for slope in (0.0, 0.01):
        held_out = fit.HeldOut(slope * np.array([along(m) for m in rows]), [m.model.id for m in rows], ones)
        low, high = np.quantile([along(m) for m in rows], [0.05, 0.95])
        assert trends.drift(rows, held_out, along) == pytest.approx(np.expm1(slope * (high - low)), abs=1e-9)


@pytest.mark.parametrize(
    ("id_", "error"),
    [
        ("llama.cpp/cuda", 0.08),
        ("mlx/mlx", 0.075),
        ("llama.cpp/vulkan", 0.08),
        ("llama.cpp/rocm", 0.14),
        ("vllm/cuda", 0.10),
    ],
)
def test_what_was_not_seen_is_estimated_well(id_: str, error: float) -> None:
    one = row(id_)
    assert (
        one.error_model_held_out <= error and one.error_device_held_out <= error and one.error_source_held_out <= error
    )


def test_the_goals_are_what_the_code_writes(tmp_path: Path) -> None:
    calibrate.write_rows(tmp_path / "goals.csv", goals.all_goals())
    assert (tmp_path / "goals.csv").read_bytes() == (data_directory() / "goals.csv").read_bytes()


def test_a_missed_goal_says_why() -> None:
    for goal in listed_goals():
        assert goal.rows and goal.reached, goal.id
        assert bool(goal.reason) == bool(goal.needed) == (goal.reached > goal.goal), goal.id


def test_what_was_measured_twice_sets_the_floor() -> None:
    """Two answers 10 % off their mean; one that nobody repeated says nothing."""
    once, twice = ("once", "a", 3.0), [("twice", "a", np.log(90)), ("twice", "b", np.log(110))]
    error, rows = goals.spread([once, *twice])
    assert rows == 2 and error == pytest.approx(0.1, abs=0.002)
    assert goals.spread([once]) == (0.0, 0)
