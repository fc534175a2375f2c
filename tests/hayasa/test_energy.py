"""Energy and money: what physics demands of any answer, and what was measured."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hayasa
from hayasa.answer.cost import prices
from hayasa.catalog.objects import device_rows, get_device
from hayasa.cli.commands import main
from hayasa.engine.power import (
    LEAST_CLOCK,
    at_clock,
    clock_at_power,
    clock_calibration,
    power_at_clock,
    power_calibrations,
    rated_powers,
)
from lab.power import fit_clock, shares

DATA = Path(__file__).resolve().parents[2] / "data"
POWERS = sorted((DATA / "measurements" / "power").glob("*.csv"))
DEVICES = ["rtx-3090", "rtx-4090", "h100-80gb-sxm", "apple-m4-10c", "dgx-spark", "rx-7900-xtx"]


def rows() -> list[dict[str, str]]:
    return [row for path in POWERS for row in csv.DictReader(path.open(encoding="utf-8", newline=""))]


def question(device: str, **other: object) -> hayasa.Estimate:
    return hayasa.estimate("llama-3.1-8b", device, **{"weights": "q4_k_m", "prompt_length": 512, **other})  # type: ignore[arg-type]


# ---- identities


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("batch_size", [1, 16])
def test_joules_times_tokens_are_watts(device: str, batch_size: int) -> None:
    spent = hayasa.energy(question(device, batch_size=batch_size))
    assert spent.decode_joules_per_token * spent.decode.decode_tokens_per_s == pytest.approx(spent.decode_power.best_w)
    speed, joules = spent.prompt.prefill_tokens_per_s, spent.prompt_joules_per_token
    assert speed and joules and joules * speed == pytest.approx(spent.prompt_power.best_w)
    for power in (spent.decode_power, spent.prompt_power):
        assert 0 < power.low_w <= power.best_w <= power.high_w
    assert 0 < spent.decode_joules_per_token_low <= spent.decode_joules_per_token <= spent.decode_joules_per_token_high


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(DEVICES[:3]), st.floats(0.55, 1.3), st.floats(0.55, 1.3))
def test_a_higher_limit_is_never_slower(device: str, one: float, other: float) -> None:
    low, high = sorted((one, other))
    rated_w = rated_powers()[device].rated_power_w
    less, more = (hayasa.energy(question(device), power_limit_w=share * rated_w) for share in (low, high))
    assert less.decode.decode_tokens_per_s <= more.decode.decode_tokens_per_s * (1 + 1e-9)
    assert (less.prompt.prefill_tokens_per_s or 0) <= (more.prompt.prefill_tokens_per_s or 0) * (1 + 1e-9)
    assert less.decode_power.best_w <= more.decode_power.best_w
    assert less.decode_power.high_w - less.host_power_w <= low * rated_w + 200  # the rest of the machine is not limited


def test_a_limit_that_is_not_reached_changes_nothing() -> None:
    free, limited = hayasa.energy(question("rtx-4090")), hayasa.energy(question("rtx-4090"), power_limit_w=600)
    assert limited.decode == free.decode and limited.prompt == free.prompt
    assert limited.decode_power.best_w == free.decode_power.best_w


def test_the_clock_and_the_power_undo_each_other() -> None:
    known = clock_calibration()
    assert power_at_clock(1.0, known) == 1
    for step in range(1, 20):
        clock = LEAST_CLOCK + (1 - LEAST_CLOCK) * step / 20
        assert clock_at_power(power_at_clock(clock, known), known) == pytest.approx(clock)
    assert clock_at_power(0.01, known) == 0


def test_many_share_what_a_step_takes() -> None:
    one, many = (hayasa.energy(question("h100-80gb-sxm", engine="vllm", weights="bf16", batch_size=n)) for n in (1, 64))
    assert many.decode_joules_per_token < one.decode_joules_per_token / 10


def test_an_answer_is_the_sum_of_its_parts() -> None:
    spent = hayasa.energy(question("rtx-4090"))
    answer = hayasa.answer_energy(spent, 300)
    time = hayasa.answer_time(spent.decode, 300)
    assert answer.total_wh is not None and time.total_s is not None and time.first_token_s is not None
    assert answer.writing_wh * 3600 == pytest.approx(spent.decode_power.best_w * time.answer_s)
    assert answer.total_wh == pytest.approx(answer.writing_wh + spent.prompt_power.best_w * time.first_token_s / 3600)


def test_of_devices_in_a_row_one_works_at_a_time() -> None:
    alone, row, cut = (
        hayasa.energy(question("rtx-3090", devices=n, split=split), host_power_w=0).decode_power.best_w
        for n, split in ((1, "pipeline"), (2, "pipeline"), (2, "tensor"))
    )
    assert alone < row < cut == pytest.approx(2 * alone)


# ---- money


def test_the_price_of_a_joule() -> None:
    spent = hayasa.energy(question("rtx-4090"))
    price = hayasa.cost(spent, yen_per_kwh=36)
    assert price.electricity_yen == pytest.approx(10 * spent.decode_joules_per_token)


def test_a_machine_that_is_used_twice_as_much_costs_half() -> None:
    spent = hayasa.energy(question("rtx-4090"))
    base = hayasa.cost(spent, machine_price_yen=400_000).machine_yen
    assert base is not None
    for more in ({"hours_per_day": 8}, {"years": 8}):
        assert hayasa.cost(spent, machine_price_yen=400_000, **more).machine_yen == pytest.approx(base / 2)
    assert base == pytest.approx(1e6 * 4e5 / (4 * 365.25 * 4 * 3600 * spent.decode.decode_tokens_per_s))


def test_rent_and_exchange() -> None:
    spent = hayasa.energy(question("rtx-4090"))
    price = hayasa.cost(spent, rent_usd_per_hour=0.5, yen_per_usd=100)
    assert price.rent_yen == pytest.approx(50 * 1e6 / 3600 / spent.decode.decode_tokens_per_s)
    assert hayasa.cost(hayasa.energy(question("gtx-1080"))).rent_yen is None


def test_every_assumption_is_said() -> None:
    text = " ".join(hayasa.cost(hayasa.energy(question("apple-m4-10c"))).assumptions)
    for word in ("円/kWh", "2022-07-22", "4 年", "4 時間", "158.19", "待機"):
        assert word in text


# ---- refusals


def test_what_cannot_be_is_refused() -> None:
    result = question("rtx-4090")
    with pytest.raises(hayasa.InvalidValueError, match=r"power_limit_w は \d+ W 以上"):
        hayasa.energy(result, power_limit_w=50)
    with pytest.raises(hayasa.InvalidValueError, match="rated_power_w"):
        hayasa.energy(question("ryzen-9000"))
    with pytest.raises(hayasa.InvalidValueError, match="24 以下"):
        hayasa.cost(hayasa.energy(result), hours_per_day=25)


# ---- what was measured


def test_watts_of_one_sequence_lie_in_their_intervals() -> None:
    """Cards that report their own watts, without the rest of the machine; a limit is kept to 1 %."""
    inside = [
        0.99 * spent.decode_power.low_w <= float(row["power_w"]) <= spent.decode_power.high_w
        for row in rows()
        if row["phase"] == "decode" and row["measured_at"] == "device" and row["model"] and row["power_limit_w"]
        for spent in [
            hayasa.energy(
                hayasa.estimate(row["model"], row["device"], weights=row["weights"]),
                power_limit_w=float(row["power_limit_w"]),
                host_power_w=0,
            )
        ]
    ]
    assert sum(inside) / len(inside) >= 0.85


def test_walls_of_whole_machines_lie_in_their_intervals() -> None:
    inside = [
        spent.decode_power.low_w <= float(row["power_w"]) <= spent.decode_power.high_w
        for row in rows()
        if row["measured_at"] == "wall"
        and ("265K" in row["machine"] or "Mac" in row["machine"] or "GB10" in row["machine"])
        for spent in [hayasa.energy(hayasa.estimate(row["model"], row["device"], weights=row["weights"]))]
    ]
    assert sum(inside) / len(inside) >= 0.85


def test_joules_of_servers() -> None:
    """The share of the rated power, at the measured speed: of both servers, over all loads."""
    found = []
    for row in rows():
        if row["phase"] != "serving" or int(row["devices"]) > 1:
            continue
        result = hayasa.estimate(
            row["model"], row["device"], weights=row["weights"], batch_size=int(row["batch_size"]), engine="vllm"
        )
        found.append(hayasa.energy(result).decode_power.best_w / float(row["power_w"]))
    assert 0.85 < median(found) < 1.2


def test_of_mild_limits_the_loss_is_as_measured() -> None:
    """The cards that the clock was not fitted to: within 3 % of what they lose."""
    sweep = [row for row in rows() if row["device"] == "rtx-4090" and row["power_limit_w"]]
    free = max(float(row["tokens_per_s"]) for row in sweep)
    result = hayasa.estimate("qwen3.6-27b", "rtx-4090", weights="ud-q3_k_xl")
    for row in sweep:
        limit_w = float(row["power_limit_w"])
        if limit_w >= 280:
            speed = hayasa.energy(result, power_limit_w=limit_w).decode.decode_tokens_per_s
            assert speed / result.decode_tokens_per_s == pytest.approx(float(row["tokens_per_s"]) / free, abs=0.06)


def test_a_measured_clock_gives_the_measured_loss() -> None:
    """What a limit costs is what the waits for the cores say: cores that unpack are exposed as they slow down."""
    sweep = [
        row
        for row in rows()
        if (row["device"], row["model"], row["phase"]) == ("rtx-3090", "qwen3.6-27b", "decode") and row["core_clock_hz"]
    ]
    stock = next(row for row in sweep if row["power_limit_w"] == "350")
    device = get_device("rtx-3090")

    def speed(clock: float) -> float:
        return hayasa.estimate("qwen3.6-27b", at_clock(device, clock), weights="ud-q3_k_xl").decode_tokens_per_s

    for row in sweep:
        clock = float(row["core_clock_hz"]) / float(stock["core_clock_hz"])
        if clock < 1:
            measured = float(row["tokens_per_s"]) / float(stock["tokens_per_s"])
            assert speed(clock) / speed(1.0) == pytest.approx(measured, abs=0.06)


def test_joules_under_a_limit_lie_in_their_intervals() -> None:
    """Relative to the speed at the rated power: how far off that is, other tests say."""
    inside = []
    for row in rows():
        if row["phase"] != "decode" or not row["power_limit_w"]:
            continue
        [stock, *_] = [
            float(other["tokens_per_s"])
            for other in rows()
            if (other["device"], other["model"]) == (row["device"], row["model"])
            and other["phase"] == "decode"
            and float(other["power_limit_w"] or 0) >= rated_powers()[row["device"]].rated_power_w
        ]
        result = hayasa.estimate(row["model"], row["device"], weights=row["weights"])
        spent = hayasa.energy(result, power_limit_w=float(row["power_limit_w"]), host_power_w=0)
        tokens_per_s = result.decode_tokens_per_s * float(row["tokens_per_s"]) / stock
        joules = float(row["power_w"]) / tokens_per_s
        inside.append(spent.decode_joules_per_token_low <= joules <= spent.decode_joules_per_token_high)
    assert sum(inside) / len(inside) >= 0.85


# ---- tables


def test_every_row_has_a_source_and_known_names() -> None:
    for path in [DATA / "device_power.csv", DATA / "prices.csv", *POWERS]:
        with path.open(encoding="utf-8", newline="") as file:
            table = list(csv.DictReader(file, strict=True))
        assert table and len({row["id"] for row in table}) == len(table)
        for row in table:
            assert row["source"].startswith("https://"), row["id"]
            assert row["source_kind"] in ("primary", "secondary")
            assert row["retrieved"] == "2026-11-28"
            if row.get("device"):
                get_device(row["device"])
    assert set(rated_powers()) <= set(device_rows())
    assert all(1 <= one.rated_power_w <= 2000 for one in rated_powers().values())
    assert all(0 <= one.idle_power_w < one.rated_power_w / 2 for one in rated_powers().values())
    assert all(price.value > 0 and price.priced_on for price in prices())


def test_measured_watts_are_possible() -> None:
    for row in rows():
        if row["measured_at"] == "device":
            assert float(row["power_w"]) / int(row["devices"]) <= 1.12 * rated_powers()[row["device"]].rated_power_w
        if row["power_limit_w"]:
            assert float(row["power_w"]) <= 1.01 * float(row["power_limit_w"])
        assert float(row["tokens_per_s"]) > 0


@pytest.mark.parametrize(("name", "fit"), [("power_calibrations", shares), ("power_clocks", lambda: [fit_clock()])])
def test_the_tables_are_what_the_fit_makes(name: str, fit: Callable[[], list[dict[str, object]]]) -> None:
    """Else ``make calibrate`` was forgotten after the speeds or the watts changed."""
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.DictReader(file)) == [{key: str(value) for key, value in row.items()} for row in fit()]


def test_the_calibrations_say_how_far_off_they_are() -> None:
    assert {id_.split("/")[0] for id_ in power_calibrations()} == {one.rating for one in rated_powers().values()}
    for row in power_calibrations().values():
        assert row.low_factor < 1 < row.high_factor and row.rows >= row.devices >= 2
        assert 0 < row.error_device_held_out < 0.5


# ---- command line


def test_the_command_says_units_prices_and_assumptions(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main("cost --model llama-3.1-8b --device rtx-3090 --power-limit 250W --answer 500 --price 300000".split()) == 0
    )
    text = capsys.readouterr().out
    for word in (
        "ジュール/トークン",
        "円/100万トークン",
        "Wh",
        "90%区間",
        "仮定: 電気 31 円/kWh",
        "上限 250 W",
        "借りたとき",
    ):
        assert word in text


def test_the_command_writes_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main("cost --model llama-3.1-8b --device apple-m4-10c --answer 500 --electricity 40 --json".split()) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["yen_per_kwh"] == 40
    assert told["electricity_yen"] == pytest.approx(told["energy"]["decode_joules_per_token"] * 40 / 3.6)
    assert told["answer"]["total_wh"] > 0
