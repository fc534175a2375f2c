"""The command: what it prints, and how it refuses."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys

import pytest

import hayasa
from hayasa.cli import commands, main
from hayasa.cli.parser import Parser

EXAMPLE = [
    "estimate", "--model", "llama-3.1-8b", "--device", "apple-m4-pro-20c",
    "--weights", "q4_k_m", "--context", "8192",
]  # fmt: skip

KEYS = {
    "decode_tokens_per_s_bound", "decode_tokens_per_s", "decode_tokens_per_s_low",
    "decode_tokens_per_s_high", "bytes_per_step", "memory_required_bytes", "fits", "bound_by",
    "prefill_tokens_per_s", "time_to_first_token_s", "calibration",
}  # fmt: skip


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 0
    return capsys.readouterr().out


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    captured = capsys.readouterr()
    assert caught.value.code == 2
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert captured.err.startswith("エラー: ")
    return captured.err


def test_estimate_prints_a_small_japanese_table(capsys: pytest.CaptureFixture[str]) -> None:
    lines = run(capsys, *EXAMPLE).splitlines()
    assert len(lines) <= 15
    text = "\n".join(lines)
    for word in ("生成の上限", "生成の見積り", "90%区間", "何が決めるか", "入ります"):
        assert word in text


def test_json_says_the_same_under_stable_keys(capsys: pytest.CaptureFixture[str]) -> None:
    answer = json.loads(run(capsys, *EXAMPLE, "--json"))
    assert set(answer) >= KEYS
    expected = hayasa.estimate("llama-3.1-8b", "apple-m4-pro-20c", weights="q4_k_m", context_length=8192)
    assert answer["decode_tokens_per_s"] == expected.decode_tokens_per_s
    assert answer["bytes_per_step"] == expected.bytes_per_step
    assert answer["calibration"]["id"] == "llama.cpp/metal"
    assert answer["fits"] is True


def test_ideal_has_no_calibration(capsys: pytest.CaptureFixture[str]) -> None:
    answer = json.loads(run(capsys, *EXAMPLE, "--engine", "ideal", "--json"))
    assert answer["calibration"] is None
    assert answer["decode_tokens_per_s"] == answer["decode_tokens_per_s_bound"]


def test_several_devices(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["estimate", "--model", "deepseek-v3", "--device", "apple-m4-pro-20c"]
    text = run(capsys, *arguments, "--engine", "mlx", "--weights", "mlx-q4", "--devices", "8")
    assert "8 台" in text


def test_what_does_not_fit_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["estimate", "--model", "llama-3-70b", "--device", "rtx-4090"]
    assert main([*arguments, "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["fits"] is False
    assert "メモリに入りません" in captured.err
    assert "メモリに入りません" in refusal(capsys, *arguments, "--require-fit")


def test_compare_ranks_from_fast_to_slow(capsys: pytest.CaptureFixture[str]) -> None:
    names = ["apple-m4-10c", "rtx-5090", "rtx-4090"]
    text = run(capsys, "compare", "--model", "llama-2-7b", "--devices", *names, "--csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["device"] for row in rows] == ["rtx-5090", "rtx-4090", "apple-m4-10c"]
    speeds = [float(row["decode_tokens_per_s"]) for row in rows]
    assert speeds == sorted(speeds, reverse=True)


def test_compare_takes_every_device_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    answers = json.loads(run(capsys, "compare", "--model", "llama-3-8b", "--engine", "ideal", "--json"))
    assert {answer["device"] for answer in answers} == set(hayasa.device_rows())


def test_compare_takes_the_devices_that_the_engine_runs_on(capsys: pytest.CaptureFixture[str]) -> None:
    answers = json.loads(run(capsys, "compare", "--model", "llama-3-8b", "--engine", "mlx", "--json"))
    assert answers and {answer["device"].partition("-")[0] for answer in answers} == {"apple"}
    answers = json.loads(run(capsys, "compare", "--model", "llama-3-8b", "--backend", "rocm", "--json"))
    assert answers and {answer["backend"] for answer in answers} == {"rocm"}
    assert "npu" in refusal(capsys, "compare", "--model", "llama-3-8b", "--backend", "npu")


def test_fit_lists_only_what_fits(capsys: pytest.CaptureFixture[str]) -> None:
    answers = json.loads(run(capsys, "fit", "--device", "rtx-3070", "--json"))
    assert answers
    assert all(answer["memory_required_bytes"] <= 8 * 2**30 for answer in answers)
    assert "llama-3-70b" not in {answer["model"] for answer in answers}


@pytest.mark.parametrize("model", ["gpt-oss-20b", "deepseek-v3", "llama-3.1-8b"])
@pytest.mark.parametrize("engine", sorted(hayasa.ENGINES))
def test_explain_shows_every_number(capsys: pytest.CaptureFixture[str], model: str, engine: str) -> None:
    devices = [hayasa.get_device(name) for name in ("apple-m3-ultra-80c", "rtx-5090")]
    device = next((one.id for one in devices if hayasa.get_engine(engine).backends_on(one)), "rtx-5090")
    arguments = ["--model", model, "--device", device, "--context", "4096"]
    text = run(capsys, "explain", *arguments, "--engine", engine)
    result = hayasa.estimate(model, device, context_length=4096, engine=engine)
    for value in (result.decode_tokens_per_s_bound, result.decode_tokens_per_s):
        assert f"{hayasa.units.significant(value)} トークン/秒" in text


@pytest.mark.parametrize(
    ("arguments", "id_"),
    [(["devices", "4090"], "rtx-4090"), (["models", "qwen3", "30b"], "qwen3-30b-a3b"),
     (["weights", "q4_k"], "q4_k_m"), (["devices"], "apple-m4-10c")],
)  # fmt: skip
def test_lists_and_their_filter(capsys: pytest.CaptureFixture[str], arguments: list[str], id_: str) -> None:
    lines = run(capsys, *arguments).splitlines()
    assert any(line.split()[0] == id_ for line in lines)
    rows = json.loads(run(capsys, *arguments, "--json"))
    assert id_ in {row["id"] for row in rows}
    assert all(row["source"] for row in rows)


def test_calibrations_list_their_errors(capsys: pytest.CaptureFixture[str]) -> None:
    rows = json.loads(run(capsys, "calibrations", "--json"))
    parts = ("decode", "prompt", "offload", "draft", "power")
    ids = {part: {row["id"] for row in rows if row["part"] == part} for part in parts}
    assert ids["decode"] == {row.id for row in hayasa.calibrations()}
    assert ids["prompt"] == {row.id for row in hayasa.prompt_calibrations()}
    assert ids["offload"] == {hayasa.offload_calibration().id}
    goals = [row for row in rows if row["part"] == "goal"]
    assert ids["draft"] and ids["power"] and len(rows) == sum(map(len, ids.values())) + len(goals)
    listed = run(capsys, "calibrations")
    table, against = listed.split("\n\n")
    assert len(table.splitlines()) == 2 + len(rows) - len(goals)
    missed = [line for line in against.splitlines() if line.startswith("* ")]
    assert len(against.splitlines()) == 3 + len(goals) + len(missed)
    metal = next(row for row in rows if row["part"] == "prompt" and row["id"] == "llama.cpp/metal")
    assert f"{100 * metal['error_device_held_out']:.2g}%" in listed


@pytest.mark.parametrize(
    "command",
    [[], *([name] for name in
     ("estimate", "explain", "compare", "fit", "devices", "models", "weights", "calibrations"))],
)  # fmt: skip
def test_help_everywhere_in_japanese(capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([*command, "-h"])
    text = capsys.readouterr().out
    assert caught.value.code == 0
    assert text.startswith("使い方: hayasa")
    assert "usage" not in text
    assert "options" not in text


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["estimate", "--device", "rtx-4090"], "--model"),
        (["estimate", "--model", "llama-2-7b", "--device", "rtx-409"], "rtx-4090"),
        (["estimate", "--model", "lama-2-7b", "--device", "rtx-4090"], "llama-2-7b"),
        ([*EXAMPLE, "--batch", "0"], "batch_size"),
        ([*EXAMPLE, "--batch", "two"], "'two'"),
        ([*EXAMPLE, "--context", "-1"], "context_length"),
        ([*EXAMPLE, "--context", "nan"], "--context"),
        ([*EXAMPLE, "--weights", "q4_k_x"], "q4_k_m"),
        ([*EXAMPLE, "--engine", "tensor-rt"], "llama.cpp"),
        ([*EXAMPLE, "--split", "x"], "pipeline"),
        ([*EXAMPLE, "--devices", "0"], "devices"),
        ([*EXAMPLE, "--no-such"], "--no-such"),
        ([*EXAMPLE, "--prompt"], "--prompt"),
        (["frobnicate"], "frobnicate"),
        (["devices", "zzz"], "zzz"),
        (["fit", "--device", "ddr-1600-single"], "ddr-1600-single"),
    ],
)
def test_bad_input_is_one_clear_line(capsys: pytest.CaptureFixture[str], arguments: list[str], part: str) -> None:
    message = refusal(capsys, *arguments)
    assert part in message
    assert not any(english in message for english in ("usage:", "invalid", "expected", "required"))


@pytest.mark.parametrize(
    ("message", "part"),
    [
        ("argument --csv: not allowed with argument --json", "--csv は --json と一緒には"),
        ("argument --json: ignored explicit argument '1'", "--json に値 '1' は"),
        ("argument コマンド: invalid choice: 'x' (choose from 'a', 'b')", "使えるもの: 'a', 'b'"),
        ("argument コマンド: invalid choice: 'x' (choose from a, b)", "使えるもの: a, b"),
        ("argument コマンド: invalid choice: 'x', maybe you meant 'a'? (choose from a, b)", "使えるもの: a, b"),
    ],
)
def test_every_wording_of_argparse_is_turned_into_japanese(
    capsys: pytest.CaptureFixture[str], message: str, part: str
) -> None:
    with pytest.raises(SystemExit):
        Parser(prog="hayasa").error(message)
    assert part in capsys.readouterr().err


def test_two_formats_at_once_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "一緒には" in refusal(capsys, "fit", "--device", "rtx-4090", "--csv", "--json")


def test_it_knows_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"hayasa {hayasa.__version__}\n"


@pytest.mark.parametrize(
    ("option", "name", "command"),
    [
        ("--model", "llama-9-9b", "hayasa models"),
        ("--device", "rtx-4091", "hayasa devices"),
        ("--weights", "q4_k_x", "hayasa weights"),
        ("--kv-cache", "q4_k_x", "hayasa weights"),
    ],
)
def test_a_refused_name_says_which_command_lists_them(
    capsys: pytest.CaptureFixture[str], option: str, name: str, command: str
) -> None:
    assert command in refusal(capsys, *EXAMPLE, option, name)
    with pytest.raises(SystemExit):
        main(["estimate", "-h"])
    assert command in capsys.readouterr().out


@pytest.mark.parametrize("text", ["8192", "8,192", "8_192", "８１９２", "8.192k", "8.192K"])
def test_numbers_are_read_as_people_type_them(capsys: pytest.CaptureFixture[str], text: str) -> None:
    assert json.loads(run(capsys, *EXAMPLE[:-1], text, "--json"))["context_length"] == 8192


@pytest.mark.parametrize(
    "text", ["8,19", "1,2,3", ",8", "8,", "8__1", "_8", "8x", "k", "1.5", "8kk", "", "８ｋ４", "inf", "0x10", "1e3k"]
)
def test_what_is_no_whole_number_is_refused(capsys: pytest.CaptureFixture[str], text: str) -> None:
    message = refusal(capsys, *EXAMPLE[:-1], text)
    assert "--context" in message
    assert repr(text) in message


@pytest.mark.parametrize("text", ["24", "24GB", "24 gb", "24GiB", "24G", "２４ＧＢ"])
def test_memory_is_read_as_it_is_sold(capsys: pytest.CaptureFixture[str], text: str) -> None:
    answer = json.loads(run(capsys, *EXAMPLE, "--memory", text, "--json"))
    assert answer["memory_available_bytes"] == 24 * 2**30


@pytest.mark.parametrize("memory", ["76", "24576"])
@pytest.mark.parametrize("command", ["estimate", "explain", "fit"])
def test_memory_that_the_device_cannot_have_is_refused(
    capsys: pytest.CaptureFixture[str], command: str, memory: str
) -> None:
    model = [] if command == "fit" else ["--model", "llama-3.1-8b"]
    with pytest.raises(SystemExit) as stopped:
        main([command, *model, "--device", "RTX 3060", "--memory", memory])
    assert stopped.value.code == 2
    assert f"'RTX 3060' のメモリは 8 GB か 12 GB です（与えられた値: {memory} GB）" in capsys.readouterr().err


def test_of_two_readings_the_answer_says_which(capsys: pytest.CaptureFixture[str]) -> None:
    text = run(capsys, "estimate", "--model", "llama-3.1-8b", "--device", "M4 Max")
    assert "注意: 'M4 Max' には「Apple M4 Max (32 コア GPU)（36 GB）」もあります。" in text
    assert "もあります" not in run(capsys, "estimate", "--model", "llama-3.1-8b", "--device", "M4 Max 64GB")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp932", "euc-jp", "utf-8"])
@pytest.mark.parametrize(
    "arguments", [["-h"], ["estimate", "-h"], EXAMPLE, ["explain", *EXAMPLE[1:]], ["estimate", "--device", "無い機械"]]
)
def test_any_console_encoding_is_written(encoding: str, arguments: list[str]) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, "-m", "hayasa", *arguments], capture_output=True, env=environment)
    assert b"Traceback" not in done.stderr
    assert done.returncode in (0, 2)
    assert (done.stdout + done.stderr).decode(encoding)


def test_ctrl_c_is_no_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "estimate", interrupt)
    assert main(EXAMPLE) == 130
    assert "中断" in capsys.readouterr().err


def test_as_a_process() -> None:
    good = subprocess.run([sys.executable, "-m", "hayasa", *EXAMPLE, "--json"], capture_output=True, text=True)
    assert good.returncode == 0
    assert json.loads(good.stdout)["model"] == "llama-3.1-8b"
    bad = subprocess.run([sys.executable, "-m", "hayasa", "estimate", "--model", "x"], capture_output=True, text=True)
    assert bad.returncode == 2
    assert "Traceback" not in bad.stderr


def test_the_readers_own_memory_decides_what_fits(capsys: pytest.CaptureFixture[str]) -> None:
    question = ("estimate", "--model", "qwen2.5-32b", "--device", "apple-m4-10c", "--json")
    assert json.loads(run(capsys, *question))["fits"] is True
    small = json.loads(run(capsys, *question, "--memory", "16"))
    assert small["fits"] is False
    assert small["memory_available_bytes"] == 16 * 2**30


@pytest.mark.parametrize("memory", ["much", "0", "-16", "nan", "16,5", "1,6", "16TB"])
def test_an_impossible_memory_is_refused(capsys: pytest.CaptureFixture[str], memory: str) -> None:
    error = refusal(capsys, "fit", "--device", "apple-m4-10c", f"--memory={memory}")
    assert "--memory" in error


@pytest.mark.parametrize(
    ("words", "found", "not_found"),
    [
        (["apple", "m4"], "apple-m4-10c", "a100-40gb-sxm"),
        (["m4"], "apple-m4-10c", "a100-40gb-sxm"),
        (["rtx", "4090"], "rtx-4090", "rtx-3090"),
        (["ＲＴＸ４０９０"], "rtx-4090", "rtx-3090"),
    ],
)
def test_words_narrow_a_list(capsys: pytest.CaptureFixture[str], words: list[str], found: str, not_found: str) -> None:
    ids = {row["id"] for row in json.loads(run(capsys, "devices", *words, "--json"))}
    assert found in ids
    assert not_found not in ids


def test_an_output_that_cannot_be_written_is_one_line() -> None:
    command = f"{sys.executable} -m hayasa devices > /dev/full"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "書けません" in done.stderr
    closed = subprocess.run(["sh", "-c", f"{sys.executable} -m hayasa devices >&-"], capture_output=True, text=True)
    assert "Traceback" not in closed.stderr


def test_a_model_by_its_count_alone(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--device", "rtx-4090", "--weights", "q4_0", "--engine", "ideal", "--json"]
    found = json.loads(run(capsys, "estimate", "--parameters", "80億", *options))
    assert found == {
        **json.loads(run(capsys, "estimate", "--parameters", "8B", *options)),
        "model": "80億",
    }
    sparse = json.loads(run(capsys, "estimate", "--parameters", "30B", "--active", "3B", *options))
    assert sparse["bytes_per_step"] * 8 == pytest.approx(found["bytes_per_step"] * 3)


def test_a_device_by_its_bandwidth_alone(capsys: pytest.CaptureFixture[str]) -> None:
    model = ["--parameters", "7B", "--weights", "int4", "--engine", "ideal", "--json"]
    found = json.loads(run(capsys, "estimate", *model, "--bandwidth", "120", "--memory", "16"))
    assert found["decode_tokens_per_s_bound"] == pytest.approx(120 / 3.5)
    assert found["fit"]["capacity_bytes"] == 16 * 2**30
    assert found["fits"]


def test_own_numbers_stand_in_the_place_of_a_device_s(capsys: pytest.CaptureFixture[str]) -> None:
    question = ["estimate", "--model", "llama-3.1-8b", "--device", "rtx-4090", "--weights", "q4_k_m", "--json"]
    listed, own = (json.loads(run(capsys, *question, *more)) for more in ([], ["--bandwidth", "504 GB/s"]))
    assert own["decode_tokens_per_s_bound"] == pytest.approx(listed["decode_tokens_per_s_bound"] / 2)
    slower = json.loads(run(capsys, *question, "--peak", "16.5"))
    assert slower["prefill_tokens_per_s"] < listed["prefill_tokens_per_s"]
    assert slower["decode_tokens_per_s_bound"] == listed["decode_tokens_per_s_bound"]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--model", "llama-3.1-8b", "--parameters", "8B"], "--model と --parameters は、どちらか一方"),
        (["--active", "3B", "--model", "llama-3.1-8b"], "--active は、--parameters と一緒に"),
        (["--parameters", "3B", "--active", "8B"], "--active は --parameters の 3B 以下"),
        (["--parameters", "many"], "--parameters は 8B や 70億 のように"),
        ([], "--model か --parameters を"),
    ],
)
def test_what_contradicts_is_refused(capsys: pytest.CaptureFixture[str], arguments: list[str], part: str) -> None:
    assert part in refusal(capsys, "estimate", "--device", "rtx-4090", *arguments)
    assert part in refusal(capsys, "choose", *arguments)


def test_a_machine_has_to_be_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--device か --bandwidth を" in refusal(capsys, "estimate", "--model", "llama-3.1-8b")
    assert "--device か --bandwidth を" in refusal(capsys, "fit", "--memory", "16")
    assert "--memory 32" in refusal(capsys, "fit", "--bandwidth", "273")


def test_a_measured_speed_of_a_model_and_a_machine_in_no_table(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--parameters", "8B", "--weights", "q4_0", "--bandwidth", "100", "--json"]
    assert json.loads(run(capsys, "check", *arguments, "--measured", "500"))["verdict"] == "impossible"


def test_what_the_reader_gives_is_no_estimate(capsys: pytest.CaptureFixture[str]) -> None:
    question = ["estimate", "--model", "llama-3.1-8b", "--device", "ryzen-z1-extreme", "--json"]
    listed, own = (json.loads(run(capsys, *question, *more)) for more in ([], ["--bandwidth", "102.4"]))
    assert any("帯域幅" in note and "推定" in note for note in listed["notes"])
    assert not any("帯域幅" in note for note in own["notes"])
