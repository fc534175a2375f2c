"""A measured speed and a pasted report get on the page the verdict, the causes and the words that Python gives them."""

import json
import random

import pytest

import hayasa
from hayasa import Estimate, InvalidValueError, Seen, check, check_report
from hayasa.answer.check import Check, prompt_expectation
from hayasa.answer.check_report import CheckedRun
from hayasa.answer.check_words import cause_heading, causes_title, count_text, run_text, sentence, shown_causes
from tests.hayasa.test_check import SLOW_REPORTS, TABLE
from tests.hayasa.test_reports import FORMS
from tests.web.javascript import Estimator, same

CHOICES = [
    {"model": "llama-3.1-8b", "device": "rtx-4090", "weights": "q4_k_m", "engine": "llama.cpp", "context_length": 512},
    {"model": "qwen3-30b-a3b", "device": "apple-m4-max-40c", "weights": "mlx-q4", "engine": "mlx"},
    {"model": "gpt-oss-20b", "device": "rtx-3060", "weights": "mxfp4", "engine": "ollama", "context_length": 4096},
    {"model": "llama-3.3-70b", "device": "rtx-3090", "weights": "q4_k_m", "engine": "llama.cpp", "devices": 2},
    {"model": "qwen2.5-7b", "device": "ddr5-5600-dual", "weights": "q8_0", "engine": "llama.cpp", "batch_size": 4},
]
NAMED = ("model", "device", "weights", "engine", "kv_cache")
KNOWN = ("model", "weights", "device", "devices")
ASSUMED = (*KNOWN, "split", "engine", "backend", "kv_cache", "context_length", "prompt_length")


@pytest.fixture(scope="module")
def estimator():
    return Estimator()


def plain_check(answer: Check) -> dict:
    return {
        "verdict": answer.verdict,
        "ratio": answer.ratio,
        "expected": answer.expected._asdict(),
        "causes": [cause._asdict() for cause in answer.causes],
        "shown": [cause_heading(cause) for cause in shown_causes(answer)],
        "said": [sentence(answer), causes_title(answer), count_text(answer.estimate.devices)],
        "asked": [getattr(answer.estimate, name).id for name in NAMED],
    }


def plain_row(row: CheckedRun) -> dict:
    return {
        "line": row.line,
        "text": row.text,
        "reason": row.reason,
        "notes": list(row.notes),
        "run": row.run and {**row.run._asdict(), "said": run_text(row.run)},
        "check": row.check and plain_check(row.check),
    }


def expected_of_report(text: str, choice: dict | None, *, instead: bool) -> object:
    result = hayasa.estimate(**choice) if choice else None

    def named(names: tuple[str, ...]) -> dict:
        return {name: getattr(result, name) for name in names if getattr(result, name)} if result else {}

    try:
        return [plain_row(row) for row in check_report(text, assumed=named(ASSUMED), **named(KNOWN if instead else ()))]
    except InvalidValueError as error:
        return str(error)


def difference(expected: object, given: object, where: str = "") -> str:
    """Name the first thing that differs, by more than the last digits of a number."""
    if isinstance(expected, dict) and isinstance(given, dict) and expected.keys() == given.keys():
        return next(filter(None, (difference(expected[key], given[key], f"{where}.{key}") for key in expected)), "")
    if isinstance(expected, list) and isinstance(given, list) and len(expected) == len(given):
        pairs = enumerate(zip(expected, given, strict=True))
        return next(filter(None, (difference(*pair, f"{where}[{place}]") for place, pair in pairs)), "")
    close = same(expected, given, exact=False)
    return "" if close else f"{where}: Python {expected!r}, JavaScript {given!r}"


def reported(estimator: Estimator, text: str, choice: dict | None = None, *, instead: bool = False) -> str:
    """Return what the page says otherwise than Python of a report."""
    given = json.loads(estimator.context.call("hayasa.reported", text, choice, instead), parse_int=float)
    expected = json.loads(json.dumps(expected_of_report(text, choice, instead=instead)), parse_int=float)
    return difference(expected, given, text[:60])


# ---------------------------------------------------------------- one speed


def typed(estimator: Estimator, choice: dict, factor: float) -> str:
    """Return what the page says otherwise than Python of speeds so many times as high as estimated."""
    result: Estimate = hayasa.estimate(**choice)
    prompt = prompt_expectation(result)
    speed, prompt_speed = factor * result.decode_tokens_per_s, factor * prompt.best if prompt else 1.0
    expected = [plain_check(check(result, speed))]
    expected.append(
        plain_check(check(result, prompt_speed, seen=Seen(of="prompt"), expected=prompt)) if prompt else None
    )
    given = json.loads(estimator.context.call("hayasa.checked", choice, speed, prompt_speed), parse_int=float)
    return difference(json.loads(json.dumps(expected), parse_int=float), given, f"{choice} × {factor}")


@pytest.mark.parametrize("choice", CHOICES, ids=[one["model"] for one in CHOICES])
def test_a_typed_speed_gets_the_verdict_of_python(estimator, choice):
    drawn = random.Random(choice["model"])
    for factor in (0.02, 0.3, 0.7, 1.0, 1.3, 3.0, *(10 ** drawn.uniform(-2.5, 1.5) for _ in range(10))):
        assert typed(estimator, choice, factor) == ""


def test_published_slow_runs_have_the_causes_of_python(estimator):
    for row in SLOW_REPORTS:
        choice = {name: row[name] for name in ("model", "device", "weights", "engine")}
        choice |= {name: int(row[name]) for name in ("devices", "context_length")}
        speed = float(row["measured_tokens_per_s"])
        result = hayasa.estimate(**choice)
        assert typed(estimator, choice, speed / result.decode_tokens_per_s) == ""


# ---------------------------------------------------------------- reports

MACHINES = """\
ggml_cuda_init: found 1 CUDA devices:
  Device 0: NVIDIA GeForce RTX 3060 Laptop GPU, compute capability 8.6, VMM: yes
"""
UNUSUAL = {
    "nothing": "",
    "chatter": "Why is the sky blue?",
    "full width": "速さ：１２．３ tokens/s\u3000",
    "no-break": "eval rate:\u00a085.11\u00a0tokens/s",
    "colours": "\ufeff\x1b[32m12.3 t/s\x1b[0m\r\n\r\n0 t/s\x0b4 tok/s\u20285 tok/s",
    "emoji": "🚀🚀 generation: 12.3 tok/s 🚀\n| GPU | tg128 t/s |\n|---|---|\n| 🚀 RTX 4090 | 150 |\n",
    "unknown device": "| GPU | tg128 t/s |\n|---|---|\n| RTX 4900 | 150 |\n| M4 0コアGPU | 20 |\n| M4 Ultra | 20 |\n",
    "named devices": "| GPU | tg128 t/s |\n|---|---|\n"
    + "".join(
        f"| {name} | 20.5 |\n"
        for name in ("MacBook Pro M4 Max（GPU 40コア、メモリ64GB）", "RTX 4060 Ti 16G", "Ryzen 9 7950X 64GB DDR5-6000",
                     "2x RTX 3090", "RTX 3060", "EPYC 9654 12ch", "ノートPC RTX 4070", "H100 PCIe", "DDR4-3200 x2",
                     "RTX 3090 250W power limit", "M3 Pro 99-core GPU", "RTX 3060 76GB", "ラデオン RX 7900 XTX", "M2")
    ),
    "unknown model": "ollama run some-model:7b\neval rate: 85.11 tokens/s\n",
    "named models": "".join(
        f"ollama run {name} --verbose\neval rate: 25.11 tokens/s\n"
        for name in ("llama3.1:8b", "llama3.1:8b-instruct-q8_0", "gemma3", "qwen3:30b-a3b", "deepseek-r1:8b",
                     "unsloth/Qwen3-30B-A3B-GGUF:Q4_K_M", "hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF")
    ),
    "a laptop's": MACHINES + FORMS["bench"][0],
    "other size": FORMS["bench"][0].replace("3.56 GiB", "3.00 GiB"),
    "other format": FORMS["bench"][0].replace("Q4_0", "Q9_Z"),
    "unknown structure": FORMS["bench"][0].replace("llama 7B", "unheard 7B"),
    "json": '{"avg_ts": 1e400}',
    "json again": '{"timings": "x", "usage": [1], "stats": {"tokens_per_second": "fast"}}',
    "json with nan": '{"model": "x", "stats": {"tokens_per_second": NaN}}',
    "half json": '{"avg_ts": 12, ',
    "comma": FORMS["bench-csv"][0].replace('"CUDA"', '"CU""DA, 2"'),
    "rows": FORMS["bench"][0] + "| a | b |\n| llama 7B Q4_0 | x |\n",
}  # fmt: skip
REPORTS = {"table": TABLE, **{name: text for name, (text, *_) in FORMS.items()}, **UNUSUAL}


@pytest.mark.parametrize("choice", [None, CHOICES[0]], ids=["nothing assumed", "assumed"])
@pytest.mark.parametrize("name", REPORTS)
def test_a_report_is_read_as_python_reads_it(estimator, name, choice):
    assert reported(estimator, REPORTS[name], choice) == ""


def test_a_reader_may_know_better_than_a_report(estimator):
    for text in (TABLE, *UNUSUAL.values(), FORMS["bench-json"][0], FORMS["mlx"][0]):
        assert reported(estimator, text, CHOICES[1], instead=True) == ""


def test_damaged_reports_are_read_as_python_reads_them(estimator):
    drawn = random.Random(12)
    lines = [line for text in REPORTS.values() for line in text.splitlines()]
    pieces = ["|", " ", "/s", "12.3", "：", "tok", "\t", '"', "é", "ſ", "K", "}", "\u3000", "tg128", "*"]
    for _ in range(60):
        text = list("\n".join(drawn.choices(lines, k=drawn.randint(1, 6))))
        for _ in range(drawn.randint(0, 4)):
            place = drawn.randrange(len(text) + 1)
            text[place : place + drawn.randint(0, 3)] = drawn.choice(pieces)
        assert reported(estimator, "".join(text), CHOICES[0]) == ""


# ---------------------------------------------------------------- the checks can fail


def test_another_answer_is_noticed():
    estimator = Estimator("check.mjs", 'new Seen("prompt")', "new Seen()")
    assert typed(estimator, CHOICES[0], 0.3)
    assert difference({"a": [1.0, {"b": "c"}]}, {"a": [1.0, {"b": "d"}]}) == ".a[1].b: Python 'c', JavaScript 'd'"
    assert difference({"a": []}, {"a": [1]}) and difference({"a": 1}, {"b": 1})
