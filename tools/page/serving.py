"""What chapter 15's figure of the queue runs with: that chapter's own scheduler, run for all that can be chosen."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable
from functools import cache
from itertools import accumulate, pairwise
from pathlib import Path
from random import Random
from statistics import mean
from types import SimpleNamespace
from typing import Any

import hayasa

NOTEBOOK = Path(__file__).resolve().parents[2] / "chapters" / "15-serving.ipynb"
CELLS = ("four-numbers-1", "scheduler-3", "scheduler-5")
"""Those that define ``four_numbers``, ``advance`` and ``serve``."""

PROMPT, ANSWER = 1000, 250
"""The chapter's tokens of a prompt and, on average, of an answer."""

RATES, SEATS = tuple(range(2, 13)), (8, 16, 32)
SECONDS, STEP_S = 20, 0.25
GRAIN = 50
"""Tokens are told in fifties: the figure shows them no more exactly."""


@cache
def chapter() -> dict[str, Any]:
    """Return what the chapter's cells define.

    The scheduler needs numpy for nothing but the array that it returns, and the page is made without.

    Raises
    ------
    ValueError
        If the chapter lacks one of `CELLS`.
    """
    cells = {cell["id"]: "".join(cell["source"]) for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]}
    lacking = [name for name in CELLS if name not in cells]
    if lacking:
        raise ValueError(
            f"chapters/{NOTEBOOK.name} に、セル {'、'.join(lacking)} がありません（列の図が動かすものです）。"
        )
    h100 = hayasa.get_device("h100-80gb-sxm")
    names: dict[str, Any] = {"hayasa": hayasa, "h100": h100, "deque": deque, "np": SimpleNamespace(array=list)}
    for name in CELLS:
        exec(compile(cells[name], f"{NOTEBOOK.name}:{name}", "exec"), names)
    return names


@cache
def times() -> tuple[float, float, float, float]:
    """Return the four numbers of Llama 3.1 8B on an H100, in seconds."""
    return chapter()["four_numbers"](hayasa.get_model("llama-3.1-8b"), hayasa.get_weight_format("bf16"))


def requests(per_s: float) -> list[dict[str, Any]]:
    """Return those that come: at every rate the same ones, only closer together."""
    chance, at, asked = Random(15), 0.0, []
    while True:
        at += chance.expovariate(per_s)
        answer = int(chance.expovariate(1 / ANSWER)) + 1
        if at > SECONDS:
            return asked
        asked.append({"at": at, "prompt": PROMPT, "left": PROMPT, "answer": answer, "tokens": []})


def capacity(seats: int) -> float:
    """Return how many requests a second are served where no seat is ever empty: the chapter's straight line."""
    fixed, per_sequence, per_cached, per_prompt_token = times()
    each = per_sequence + per_cached * (PROMPT + ANSWER) + per_prompt_token * PROMPT / ANSWER
    return seats / (fixed + seats * each) / ANSWER


def run(seats: int, per_s: float) -> dict[str, object]:
    """Return what a queue and a machine hold from step to step, as differences, and what its guests waited for."""
    asked = requests(per_s)
    log = chapter()["serve"](asked, seats, times())
    begins = [now for now, *_ in log]
    arrivals = [one["at"] for one in asked]
    tokens = sorted(token for one in asked for token in one["tokens"])
    firsts = sorted(one["tokens"][0] for one in asked)
    leaving = sorted(asked, key=lambda one: one["tokens"][-1])
    lasts = [one["tokens"][-1] for one in leaving]
    gone = [0, *accumulate(one["prompt"] + one["answer"] for one in leaving)]

    def at(now: float) -> tuple[int, int, int, int]:
        """Return who waits and who sits, what is written, and what of it, with its prompts, is kept."""
        begun, left = bisect_right(begins, now), bisect_right(lasts, now)
        _, waiting, running = log[begun - 1] if begun and left < bisect_right(arrivals, now) else (now, 0, 0)
        written = bisect_right(tokens, now)
        return waiting, running, written, PROMPT * bisect_right(firsts, now) + written - gone[left]

    shown = [at(k * STEP_S) for k in range(round(SECONDS / STEP_S) + 1)]
    waiting, running, written, cached = zip(*shown, strict=True)
    # Little's law is one of all that come and go again.
    inside = [sum(at(k * STEP_S)[:2]) for k in range(round(lasts[-1] / STEP_S))]
    return {
        "waiting": _differences(waiting),
        "running": _differences(running),
        "written": _differences([round(one / GRAIN) for one in written]),
        "cached": _differences([round(one / GRAIN) for one in cached]),
        "requests": len(asked),
        "wait_s": _rounded(mean(one["tokens"][0] - one["at"] for one in asked)),
        "stay_s": _rounded(mean(one["tokens"][-1] - one["at"] for one in asked)),
        "inside": round(mean(inside), 1),
        "until_s": _rounded(lasts[-1]),
    }


def _differences(values: Iterable[int]) -> list[int]:
    return [after - before for before, after in pairwise([0, *values])]


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


@cache
def queue_data() -> dict[str, object]:
    """Return the runs by the number of seats and the rate, and what is the same in all of them."""
    model = hayasa.get_model("llama-3.1-8b")
    return {
        "seconds": SECONDS,
        "step": STEP_S,
        "grain": GRAIN,
        "rates": RATES,
        "seats": SEATS,
        "capacity": [_rounded(capacity(seats)) for seats in SEATS],
        "bytes": hayasa.kv_cache_bytes_per_token(model),
        "runs": [[run(seats, per_s) for per_s in RATES] for seats in SEATS],
    }
