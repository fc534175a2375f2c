"""Set the errors on what was held out beside their goals: ``python -m lab.goals``.

Reads the calibrations and ``data/measurements/*.csv`` and rewrites
``data/goals.csv``, which ``hayasa calibrations`` shows.  Beside each error
stands how much the measurements themselves differ: where one question was
measured by several people, or with several builds, no single answer is right
for all of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

import hayasa
from hayasa.catalog.reader import data_directory
from hayasa.engine.drafting import draft_calibrations
from hayasa.engine.goals import Goal

from . import prompts as lab_prompts
from .calibrate import FORMS, HELD_OUT, given_to, rounded, rows_of, write_rows
from .fit import Coefficients, fit_coefficients, hold_out
from .rows import Measurement, load_measurements, usable

KEYS = ("device", "model", "source", "year")
"""What the goals ask to be held out."""

ALIKE_TOKENS = 512
"""Tokens in the cache that make no other question of it."""


class Class(NamedTuple):
    """A class of questions and its goal; why it is missed, and what would help, in Japanese."""

    part: str
    id: str
    goal: float
    reason: str
    needed: str
    subset: str = ""


STATED = "メモリの速さが書かれた行"

CLASSES = (
    Class(
        "decode",
        "llama.cpp/cuda",
        0.07,
        "外れの 3 割は DGX Spark 1 機種の文脈の長い行、大きく外れるのはサーバーを通した 3B のモデル。",
        "GB10 を積んだほかの機械と、A100 の PCIe 版での llama-bench。",
    ),
    Class(
        "decode",
        "mlx/mlx",
        0.07,
        "M1 Ultra と M3 Ultra（60 コア）の、一人ずつの記録が大きく外れる。ほかの M3 と M4 は目標に収まる。",
        "M1・M2 世代の Ultra を、別の人が mlx_lm.benchmark で測った行。",
    ),
    Class(
        "decode",
        "llama.cpp/metal",
        0.08,
        "2023 年の M1 Max の記録（2 割遅い）と、潜在ベクトルの注意機構（DeepSeek-V2-Lite）の長い文脈が平均を上げる。",
        "2026 年のビルドでの M1 Max と、MLA のモデルを 2 機種目の Mac で深い文脈まで測った行。",
    ),
    Class("decode", "llama.cpp/vulkan", 0.08, "", ""),
    Class("decode", "llama.cpp/rocm", 0.14, "", ""),
    Class("decode", "vllm/cuda", 0.10, "", ""),
    Class("decode", "sglang/cuda", 0.14, "", ""),
    Class(
        "decode",
        "llama.cpp/cpu",
        0.14,
        "行が少ないうえ、Raspberry Pi 4 と、192 コアの AmpereOne の小さなモデルが 2 倍から 3 倍遅い。"
        "コアが帯域幅を使い切れない待ちと、多くのコアが揃うのを待つ時間は、今の行からは決められない。",
        "メモリの型番、枚数、スレッド数を書いた llama-bench の行を、2 枚差しの PC とサーバーで 5 機種ずつ。",
        STATED,
    ),
    Class(
        "batches",
        "llama.cpp/cuda",
        0.13,
        "複数の系列を測ったのは DGX Spark 1 台だけで、ほかの 2 機種は、1 系列をまとめて通した速さ。",
        "1 から 32 系列の llama-batched-bench を、PC のカード 3 種で、密なモデルと MoE で。",
    ),
    Class(
        "prompt",
        "llama.cpp/cuda",
        0.17,
        "カードの多くは LocalScore の 1 行だけで、DGX Spark と、A10、L40 などのサーバー用のカードが 3 割遅い。"
        "電力の上限の低さでは説明できない。",
        "計算中のクロックか電力を添えた pp512 から pp4096 を、コア数の違う 5 機種で。",
    ),
    Class("prompt", "llama.cpp/metal", 0.11, "", ""),
    Class(
        "prompt",
        "mlx/mlx",
        0.11,
        "M5 の行列演算器は 1 台でしか測られておらず、それを隠すと 3 倍遅く見積る（公表されたピークの比を使うと M5 は合うが、"
        "ほかの世代が外れる）。M2 Max の gpt-oss は半分の速さ。",
        "M5 の別の機種と、M1・M2 世代で測った MLX のプロンプト。",
    ),
    Class("prompt", "llama.cpp/vulkan", 0.30, "", ""),
    Class("prompt", "llama.cpp/rocm", 0.30, "", ""),
    Class(
        "prompt",
        "llama.cpp/cpu",
        0.30,
        "ほとんどが LocalScore で、使われたコアの数も、ほかの負荷も書かれていない。Zen 5 と Raspberry Pi 4 は世代に 1 機種しかない。",
        "スレッド数とビルドを書いた pp512 を、Zen 5、Arrow Lake、Sapphire Rapids で 2 機種ずつ。",
    ),
    Class("offload", "llama.cpp/cuda", 0.15, "", ""),
    Class(
        "draft",
        "llama.cpp/metal",
        0.16,
        "3 台の 5 行しかなく、少数のトークンをまとめる経路がビルドごとに違う。",
        "Mac での llama-bench -ub 1 から 8（1 回で通すトークンを増やした速さ）と、合格率を添えた下書き。",
    ),
    Class("draft", "others", 0.16, "", ""),
)
"""The goals of the project, and why some of them are missed."""


def states_memory(m: Measurement) -> bool:
    """Tell whether the source of a row of a processor says how fast its memory is."""
    note = m.row["note"]
    return m.source != "localscore" and not any(
        f"メモリ{it}書かれていない" in note for it in ("は", "の速さは", "のチャンネル数が")
    )


def spread(questions: Iterable[tuple[Hashable, Hashable, float]]) -> tuple[float, int]:
    """Return how far off the best single answers are, and on how many measurements.

    Parameters
    ----------
    questions : iterable of tuple
        Question, who measured it with which build, and the logarithm of the speed.

    Examples
    --------
    >>> error, rows = spread([("q", "a", 0.0), ("q", "b", 0.2), ("only once", "a", 1.0)])
    >>> round(error, 3), rows
    (0.1, 2)
    """
    answers: dict[Hashable, dict[Hashable, list[float]]] = defaultdict(lambda: defaultdict(list))
    for question, who, log in questions:
        answers[question][who].append(log)
    errors: list[float] = []
    for by_who in answers.values():
        logs = [float(np.mean(found)) for found in by_who.values()]
        if len(logs) > 1:
            errors += [abs(float(np.expm1(np.mean(logs) - log))) for log in logs]
    return (float(np.mean(errors)) if errors else 0.0), len(errors)


def _question(m: Measurement) -> Hashable:
    row, context = m.row, round(m.context_length / ALIKE_TOKENS)
    return row["device"], m.model.id, m.weights.id, m.devices, row["split"], m.batch_size, context


def decode_goals(measurements: Sequence[Measurement]) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Return the errors and the spread of what generates, one sequence and several."""
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    fitted: dict[str, Coefficients] = {}
    by_id = {row.id: row for row in hayasa.calibrations()}
    wanted = {(one.part, one.id): one for one in CLASSES if one.part in ("decode", "batches")}
    for form in FORMS:
        given = given_to(form, fitted)
        rows = usable(rows_of(form, measurements), several=form.several)
        row = by_id[form.id]
        fitted[form.id] = fit_coefficients(rows, form.waits, given)
        if (one := wanted.get(("decode", form.id))) is None:
            continue
        errors = {key: getattr(row, f"error_{key}_held_out") for key in KEYS}
        if one.subset:
            counts = np.array([states_memory(m) for m in rows])
            for key in KEYS:
                held_out = hold_out(rows, form.waits, HELD_OUT[key], given)
                errors[key] = float(np.nanmean(np.abs(np.expm1(-held_out.log_ratio[counts]))))
            rows = [m for m, keep in zip(rows, counts, strict=True) if keep]
        alike = spread((_question(m), (m.source, m.row["engine_build"]), -float(np.log(m.step_s))) for m in rows)
        found["decode", form.id, one.subset] = {"rows": len(rows), "errors": errors, "spread": alike}
        if ("batches", form.id) in wanted:
            errors = {"device": row.error_batches_device_held_out, "model": row.error_batches_model_held_out}
            found["batches", form.id, ""] = {"rows": row.batched_rows, "errors": errors}
    return found


def prompt_goals() -> dict[tuple[str, str, str], dict[str, Any]]:
    """Return the errors and the spread of prompts."""
    prompts, _ = lab_prompts.load_prompts()
    by_id = {row.id: row for row in hayasa.prompt_calibrations()}
    found = {}
    for form in lab_prompts.FORMS:
        row = by_id[form.id]
        today = [m for m in lab_prompts.usable(form, prompts) if not form.is_before(m)]
        alike = spread(
            (
                (m.row["device"], m.model.id, m.weights.id, m.tokens, m.cached_tokens, m.row["micro_batch"]),
                (m.source, m.row["engine_build"], m.row["conditions"]),
                float(np.log(m.tokens_per_s)),
            )
            for m in today
        )
        errors = {key: getattr(row, f"error_{key}_held_out") for key in KEYS}
        found["prompt", form.id, ""] = {"rows": row.rows, "errors": errors, "spread": alike}
    return found


def other_goals() -> dict[tuple[str, str, str], dict[str, Any]]:
    """Return the errors of what lies on the host, and of drafts."""
    host = hayasa.offload_calibration()
    found: dict[tuple[str, str, str], dict[str, Any]] = {
        ("offload", host.id, ""): {"rows": host.rows, "errors": _errors(host)}
    }
    for row in draft_calibrations():
        found["draft", row.id, ""] = {"rows": row.rows, "errors": _errors(row)}
    return found


def _errors(row: object) -> dict[str, float]:
    names = {"device": "machine"}
    return {key: getattr(row, f"error_{names.get(key, key)}_held_out", 0.0) for key in KEYS}


def all_goals() -> list[Goal]:
    """Return every class with its errors."""
    found = decode_goals(load_measurements()[0]) | prompt_goals() | other_goals()
    return [_goal(one, **found[one.part, one.id, one.subset]) for one in CLASSES]


def _goal(one: Class, rows: int, errors: dict[str, float], spread: tuple[float, int] = (0.0, 0)) -> Goal:
    held_out: dict[str, Any] = {f"error_{key}_held_out": rounded(errors.get(key, 0.0)) for key in KEYS}
    return Goal(
        part=one.part,
        id=one.id,
        subset=one.subset,
        goal=one.goal,
        rows=rows,
        **held_out,
        spread=rounded(spread[0]),
        spread_rows=spread[1],
        reason=one.reason,
        needed=one.needed,
    )


def main() -> None:
    """Rewrite the table and report it in Japanese."""
    found = all_goals()
    for goal in found:
        missed = "" if goal.reached <= goal.goal else f"（目標 {goal.goal:.0%}）"
        alike = f"、同じ問いの測定どうし {goal.spread:.1%}（{goal.spread_rows} 件）" if goal.spread_rows else ""
        print(f"{goal.part} {goal.id} {goal.subset}: {goal.reached:.1%}{missed}、{goal.rows} 件{alike}")
    write_rows(data_directory() / "goals.csv", found)


if __name__ == "__main__":
    main()
