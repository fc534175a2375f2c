"""Measuring this machine: the sums, the record, the command, and one small real run."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

import hayasa
from hayasa import measure
from hayasa.cli import main
from hayasa.measure import prediction, probes
from hayasa.measure import record as records
from hayasa.measure.probes import Plan
from hayasa.measure.record import Check, Record, Row

ROOT = Path(__file__).resolve().parents[2]
OWN = ROOT / "data" / "measurements" / "own"
SMALL = Plan(
    hidden_size=128,
    layers=4,
    short_layers=2,
    probe_bytes=2**20,
    rounds=3,
    batch_rounds=3,
    batch_sizes=(1, 4),
)
# The records of `hayasa measure`; what a browser measured is of another kind, and has tests of its own.
RECORDED = sorted(path.stem for path in OWN.glob("*.json") if not path.stem.endswith("-browser"))


@pytest.fixture(scope="module")
def record() -> Record:
    """One run of the real thing, small."""
    return probes.measure(SMALL)


@pytest.fixture
def stored() -> Record:
    return measure.recorded(RECORDED[0])


def tool(name: str) -> ModuleType:
    """Load a script of `tools/` as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "lab" / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


# --- predictions -----------------------------------------------------------------------------


@pytest.mark.parametrize("bandwidth", [1e9, 28e9, 3.35e12])
def test_predictions_are_the_estimators_own(bandwidth: float) -> None:
    peak = 100e9
    one = prediction.decode_prediction_tokens_per_s(7e9, 0.5, bandwidth)
    assert one == pytest.approx(1 / hayasa.memory_latency_s(7e9, 0.5, bandwidth))
    cross = hayasa.crossover_batch_size(4, peak, bandwidth)
    for batch_size in (1, 3, 64, 4096):
        many = prediction.batch_prediction_tokens_per_s(7e9, 4, batch_size, bandwidth, peak)
        read_s, compute_s = 7e9 * 4 / bandwidth, 2 * 7e9 * batch_size / peak
        assert many == pytest.approx(batch_size / max(read_s, compute_s))
        assert (compute_s > read_s) == (batch_size > cross)


def test_pairs_cancel_what_slows_both_sides() -> None:
    quiet, noisy = [10.0, 10.0, 10.0], [10.0, 1.0, 4.0]
    half = [value / 2 for value in noisy]
    assert prediction.paired(half, noisy) == (0.5, 0.5, 0.5)
    assert prediction.paired(half, quiet)[0] != 0.5
    with pytest.raises(ValueError):
        prediction.paired([1.0, 2.0, 3.0], [1.0, 2.0])


def test_quartiles_stay_between_the_pairs() -> None:
    wild = [0.04, 3.0, 9.0]
    assert prediction.paired(wild, [1.0, 1.0, 1.0]) == (3.0, 0.04, 9.0)
    # Two values have no quartiles: the usual formula would answer -0.7 for these.
    with pytest.raises(ValueError, match="three"):
        prediction.paired([0.5, 5.3], [1.0, 1.0])


def test_tasks_take_turns_and_the_first_time_does_not_count() -> None:
    called: list[str] = []
    ticks = iter(range(100))
    seconds = probes.in_turns(
        {"a": lambda: called.append("a"), "b": lambda: called.append("b")},
        3,
        lambda: float(next(ticks)),
    )
    assert "".join(called) == "ab" * 4
    assert seconds == {"a": [1.0] * 3, "b": [1.0] * 3}


def test_probe_is_written_and_starts_at_a_page() -> None:
    ones = probes.aligned_ones(1000)
    assert ones.ctypes.data % 4096 == 0
    assert ones.sum() == 1000


# --- one small real run ------------------------------------------------------------------------


def test_a_run_has_a_prediction_beside_each_speed(record: Record) -> None:
    assert len({row.id for row in record.rows}) == len(record.rows)
    for row in record.rows:
        assert row.measured > 0, row
        if row.unit == "tokens/s":
            assert row.predicted > 0 and 0 < row.ratio_low <= row.ratio <= row.ratio_high, row
    sizes = [row.read_bytes for row in record.of_kind("bandwidth")]
    assert sizes == records.working_sets(SMALL.probe_bytes)
    assert record.row("decode-fp64-small").read_bytes == 2 * 128 * 128 * 8
    assert [row.batch_size for row in record.of_kind("batch")] == [1, 4]


def test_a_record_says_on_what_but_not_on_whose_machine(record: Record) -> None:
    import platform

    text = measure.to_json(record)
    assert platform.node() not in text
    for path in ("/home", "/root", "/tmp", "/Users", str(ROOT)):
        assert path not in text
    assert record.machine["logical_cores"] >= 1
    assert record.versions["numpy"] and record.versions["python"]


def test_a_fresh_process_uses_one_blas_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}

    def fake_run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        seen.update(options["env"])  # type: ignore[call-overload]
        text = measure.to_json(Record("2026-11-22", {}, {}, {}, ()))
        return subprocess.CompletedProcess(command, 0, text, "")

    monkeypatch.setattr(subprocess, "run", fake_run)
    measure.run()
    assert set(measure.ONE_THREAD.items()) <= set(seen.items())


def test_a_failed_run_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def fake_run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "Traceback\nMemoryError: 足りません")

    monkeypatch.setattr(subprocess, "run", fake_run)
    with pytest.raises(hayasa.HayasaError, match="MemoryError"):
        measure.run()


def test_missing_numpy_is_said_before_anything_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("測り始めました"))
    with pytest.raises(hayasa.HayasaError, match=r"numpy 2\.0 以上"):
        measure.run()


def test_a_browser_is_told_where_it_can_be_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "emscripten")
    with pytest.raises(hayasa.HayasaError, match="この機械を測る"):
        measure.run()


def test_the_module_can_be_imported_without_numpy() -> None:
    code = "import sys; sys.modules['numpy'] = None; import hayasa.measure, hayasa.cli"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- checks and records ------------------------------------------------------------------------


def test_the_recorded_runs_pass_their_checks() -> None:
    assert RECORDED
    for name in RECORDED:
        record = measure.recorded(name)
        if record.of_kind("decode"):
            assert [check.name for check in measure.checks(record) if not check.holds] == []
            assert record.method["seconds"] < 60
            assert record.method["peak_memory_bytes"] < 2e9


@pytest.mark.parametrize(
    ("id_", "factor"),
    [("decode-fp32-small", 0.5), ("decode-fp32-large", 3), ("decode-fp64-small", 0.1)],
)
def test_a_ratio_out_of_range_is_noticed(stored: Record, id_: str, factor: float) -> None:
    rows = tuple(replace(row, ratio=row.ratio * factor) if row.id == id_ else row for row in stored.rows)
    failed = [check for check in measure.checks(replace(stored, rows=rows)) if not check.holds]
    assert len(failed) == 1


@pytest.mark.parametrize(
    ("broken", "changes"),
    [
        ("重みを4倍", {"large_over_small": 2.0}),
        ("fp64", {"fp64_over_fp32": 1.0}),
    ],
)
def test_times_that_do_not_scale_are_noticed(stored: Record, broken: str, changes: dict[str, float]) -> None:
    found = measure.checks(replace(stored, time_ratios={**stored.time_ratios, **changes}))
    (failed,) = [check for check in found if not check.holds]
    assert broken in failed.name


@pytest.mark.parametrize("id_", [f"bandwidth-{2**19}", "batch-64"])
def test_a_missing_cache_or_batch_gain_is_noticed(stored: Record, id_: str) -> None:
    rows = tuple(replace(row, measured=row.measured / 10) if row.id == id_ else row for row in stored.rows)
    assert sum(not check.holds for check in measure.checks(replace(stored, rows=rows))) == 1


def test_the_ends_of_a_range_belong_to_it() -> None:
    assert Check("", 0.5, 0.5, 1.4).holds and Check("", 1.4, 0.5, 1.4).holds
    assert not Check("", 1.41, 0.5, 1.4).holds


def test_a_record_survives_being_written(record: Record, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    measure.write_record(record, path)
    assert measure.read_record(path) == record


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"schema": "other"}', '{"schema": "hayasa-measurement/1"}'])
def test_what_is_no_record_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(hayasa.DataFileError, match=r"r\.json"):
        measure.read_record(path)


def test_a_missing_record_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(hayasa.DataFileError, match=r"nothing\.json"):
        measure.read_record(tmp_path / "nothing.json")
    with pytest.raises(hayasa.DataFileError, match="書けません"):
        measure.write_record(Record("", {}, {}, {}, ()), tmp_path / "no" / "r.json")


def test_rows_of_a_table_have_numbers_as_numbers() -> None:
    row = measure.recorded_rows("2026-11-22-epyc-2core-engine")[0]
    assert (row["read_bytes"], row["ratio"], row["gguf_version"]) == (931517440, 0.837376, "0.19.0")


def test_repeated_runs_all_pass() -> None:
    """Ten runs alone and ten beside a process that reads memory as fast as it can."""
    (path,) = OWN.glob("*-repeated.csv")
    rows = list(csv.DictReader(path.open(encoding="utf-8")))
    for loaded in "01":
        assert len({row["run"] for row in rows if row["loaded"] == loaded}) == 10
    for row in rows:
        holds = float(row["low"]) <= float(row["value"]) <= float(row["high"])
        assert holds == (row["holds"] == "1")
        assert holds, row


# --- the command -------------------------------------------------------------------------------


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stored: Record) -> pytest.MonkeyPatch:
    """Let the command find a stored run instead of making one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(measure, "run", lambda: stored)
    return monkeypatch


def test_command_prints_predictions_and_says_how_to_keep_the_record(
    command: object, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["measure"]) == 0
    printed = capsys.readouterr()
    for word in ("実測", "見積り", "実測/見積り", "トークン/秒", "GB/s", "はい", "512 KiB"):
        assert word in printed.out
    assert "--output" in printed.err
    assert list(tmp_path.iterdir()) == []


def test_command_writes_the_record_where_it_is_asked_to(
    command: object, capsys: pytest.CaptureFixture[str], stored: Record, tmp_path: Path
) -> None:
    assert main(["measure", "--output", "mine.json"]) == 0
    assert "mine.json" in capsys.readouterr().err
    assert measure.read_record(tmp_path / "mine.json") == stored


def test_command_formats_agree(
    command: object, capsys: pytest.CaptureFixture[str], stored: Record, tmp_path: Path
) -> None:
    main(["measure", "--json"])
    assert records.from_json(capsys.readouterr().out) == stored
    main(["measure", "--csv"])
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [float(row["measured"]) for row in rows] == [row.measured for row in stored.rows]
    assert list(tmp_path.iterdir()) == []


def test_command_compares_with_a_published_bandwidth(command: object, capsys: pytest.CaptureFixture[str]) -> None:
    main(["measure", "--device", "M4"])
    assert "120 GB/s" in capsys.readouterr().out


def test_command_says_at_once_that_numpy_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SystemExit):
        main(["measure"])
    (line,) = capsys.readouterr().err.splitlines()
    assert "numpy" in line


@pytest.mark.parametrize("output", ["", ".", "no/such/folder/r.json"])
def test_command_says_at_once_that_it_cannot_write_the_record(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, output: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(measure, "run", lambda: pytest.fail("測り始めました"))
    with pytest.raises(SystemExit):
        main(["measure", "--output", output])
    (line,) = capsys.readouterr().err.splitlines()
    assert "書けません" in line


def test_command_refuses_an_unknown_device_before_measuring(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(measure, "run", lambda: pytest.fail("測り始めました"))
    with pytest.raises(SystemExit) as caught:
        main(["measure", "--device", "no-such-chip"])
    assert caught.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


# --- the tools, without what they measure with -------------------------------------------------


def test_engine_reads_everything_but_an_embedding_of_its_own() -> None:
    engine = tool("measure_engine")
    sizes = {"token_embd.weight": 100, "output.weight": 100, "blk.0.attn_q.weight": 7}
    assert engine.read_bytes(sizes) == 107
    del sizes["output.weight"]
    assert engine.read_bytes(sizes) == 107


def test_engine_cancels_the_prompt_and_the_free_first_token() -> None:
    engine = tool("measure_engine")
    start, each = 0.7, 0.02
    short, long = (start + (n - 1) * each for n in (8, 40))
    assert engine.per_token_s(short, long, 8, 40) == pytest.approx(each)
    assert 40 / (long - start) > 1 / each  # what dividing by n would have claimed


def test_engine_random_model_has_half_a_billion_weights() -> None:
    shape = tool("measure_engine").Shape()
    total = sum(rows * columns for _, (rows, columns) in shape.tensors())
    assert 0.4e9 < total < 0.6e9
    assert shape.hidden_size % shape.heads == 0 and shape.heads % shape.kv_heads == 0


def test_engine_rows_are_recorded_with_their_versions() -> None:
    (path,) = OWN.glob("*-engine.csv")
    rows = list(csv.DictReader(path.open(encoding="utf-8")))
    assert tuple(rows[0]) == tool("measure_engine").COLUMNS
    assert {row["weights"] for row in rows} == {"f16", "q8_0", "q4_0"}
    for row in rows:
        predicted = float(row["bandwidth_bytes_per_s"]) / float(row["read_bytes"])
        assert float(row["predicted_tokens_per_s"]) == pytest.approx(predicted, rel=0.05)
        assert 0.1 < float(row["ratio"]) < 1.2
        assert row["engine_version"] and row["measured_on"] and row["processor"]
        bits = {"f16": 16.0, "q8_0": 8.5, "q4_0": 4.5}[row["weights"]]
        assert float(row["bits_per_weight"]) == pytest.approx(bits, rel=0.02)


def test_gpu_rows_follow_the_roofline() -> None:
    gpu = tool("measure_gpu")
    assert gpu.int4_bytes(8192, 8) == 8 * 8192**2 // 2 + 8 * 8192**2 // 128 * 4
    row = Row("x", "batch", 0.0, "tokens/s", read_bytes=2000, batch_size=4)
    # 1000 weights of 2 bytes: reading takes 1 s, computing 8000 / 4000 = 2 s.
    made = gpu.batch_row(row, [4.0, 4.0, 4.0], 1000, [2000.0] * 3, [4000.0] * 3)
    assert made.measured == 1.0 and made.predicted == 2.0 and made.ratio == 0.5


def test_gpu_without_pytorch_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert tool("measure_gpu").main([]) == 2
    assert "PyTorch" in capsys.readouterr().err


def test_gpu_refuses_a_machine_without_a_gpu(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from types import SimpleNamespace

    fake = SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: False))
    monkeypatch.setitem(sys.modules, "torch", fake)
    assert tool("measure_gpu").main([]) == 2
    assert "GPU" in capsys.readouterr().err


def test_json_of_the_records_is_stable() -> None:
    for name in RECORDED:
        text = (OWN / f"{name}.json").read_text(encoding="utf-8")
        assert json.loads(text)["schema"] == records.SCHEMA
        assert measure.to_json(measure.recorded(name)) == text
