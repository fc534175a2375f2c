"""How fast the estimator is; part of ``python -m tools.bench``."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import hayasa

ESTIMATES = 100_000
TRIES = 5


def estimates_per_s() -> float:
    """Best of a few tries, with a different context each time and the objects given."""
    model, device = hayasa.get_model("llama-3.1-8b"), hayasa.get_device("rtx-4090")
    weights, engine = hayasa.get_weight_format("q4_k_m"), hayasa.get_engine("llama.cpp")
    best = 0.0
    for _ in range(TRIES):
        start = time.perf_counter()
        for i in range(ESTIMATES):
            result = hayasa.estimate(model, device, weights=weights, engine=engine, context_length=i % 8192)
            _ = result.decode_tokens_per_s
        best = max(best, ESTIMATES / (time.perf_counter() - start))
    return best


def loops_per_s() -> float:
    """Best of a few tries of a fixed loop of Python: how fast the machine is, to compare figures of several."""
    best = 0.0
    for _ in range(TRIES):
        start, total = time.perf_counter(), 0.0
        for i in range(1_000_000):
            total += i * 0.5
        best = max(best, 1_000_000 / (time.perf_counter() - start))
    return best


def import_ms(code: str) -> float:
    """Best of a few tries, as ``python -X importtime`` counts them."""
    best = float("inf")
    for _ in range(TRIES):
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-c", code],
            capture_output=True,
            text=True,
            check=True,
        )
        rows = [line.split("|")[1:] for line in done.stderr.splitlines() if "hayasa" in line]
        # The outermost imports are the least indented; theirs include all inside them.
        least = min(len(name) - len(name.lstrip()) for _, name in rows)
        outer = [int(t) for t, name in rows if len(name) - len(name.lstrip()) == least]
        best = min(best, sum(outer) / 1000)
    return best


def command_ms() -> float:
    """Best of a few tries of the whole command, process start included."""
    command = [sys.executable, "-m", "hayasa", "estimate"]
    command += ["--model", "llama-3.1-8b", "--device", "rtx-4090", "--json"]
    best = float("inf")
    for _ in range(TRIES):
        start = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)
        best = min(best, 1000 * (time.perf_counter() - start))
    return best


def measure_hayasa() -> Iterator[tuple[str, float, str]]:
    """Time estimates with objects at hand, imports, and the whole command."""
    estimates, loops = estimates_per_s(), loops_per_s()
    yield "hayasa: 見積り (1 プロセス)", estimates, "回/秒"
    yield "見積り 1 回の間に回る、Python の短いループ", loops / estimates, "回"
    yield "import hayasa", import_ms("import hayasa"), "ms"
    yield "最初の estimate に要る import", import_ms("import hayasa; hayasa.estimate"), "ms"
    yield "hayasa estimate (プロセスの起動を含む)", command_ms(), "ms"
