"""Put the published rows to other estimators, too: ``python -m lab.compare``.

Rewrites ``data/estimator_comparison.csv``.  The estimators are installed once
into ``build/compare``, which needs the network; what they answer does not.
"""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
import venv
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path

import numpy as np

import hayasa
from hayasa.catalog.objects import device_rows, model_rows
from hayasa.catalog.reader import data_directory
from hayasa.engine.waits import FITTED_WAITS
from hayasa.model.tensors import active_parameters, total_parameters
from hayasa.model.weights import weight_bytes

from .calibrate import FORMS, Form, rows_of
from .fit import NOT_FITTED, hold_out
from .rows import Measurement, load_measurements, usable

LAB = Path(__file__).parent
REQUIREMENTS = LAB / "compare-requirements.txt"
ENVIRONMENT = LAB.parent / "build" / "compare"

COLUMNS = ("estimator", "version", "rows_asked", "rows_answered", "mean_error", "median_error", "hayasa_on_the_same")
"""Of the table: errors are of the speed, and hayasa's is held out by device."""

Speeds = Mapping[str, float | None]
"""Tokens per second by id of the row; None where there is no answer."""


def rows_by_form() -> list[tuple[Form, Sequence[Measurement]]]:
    """Return the rows that each calibration of hayasa is fitted to."""
    measurements, _ = load_measurements()
    return [(form, usable(rows_of(form, measurements), several=form.several)) for form in FORMS]


def is_asked(m: Measurement) -> bool:
    """Tell whether a row is what all estimators are about: one sequence on one device."""
    return m.devices == 1 and m.batch_size == 1


def question(m: Measurement) -> dict[str, object]:
    """Return a row as plain values, with what other estimators ask for."""
    model, device = m.model, m.device
    named = model_rows()[model.id], device_rows()[device.id]
    return {
        "id": m.row["id"],
        "engine": m.row["engine"],
        "backend": m.row["backend"],
        "model": model.id,
        "model_names": [model.id, *named[0]["aliases"].split("|")],
        "device": device.id,
        "device_name": device.name,
        "device_names": [device.id, device.name, *named[1]["aliases"].replace("?", "").split("|")],
        "vendor": device.family.partition("-")[0],
        "weights": m.weights.id,
        "weight_bytes": weight_bytes(model, m.weights).resident_bytes,
        "context": m.context_length,
        "prompt": m.row["context_length"] or 0,
        "bandwidth_gb_s": device.memory_bandwidth_bytes_per_s / 1e9,
        "memory_bytes": device.memory_capacity_bytes,
        "fp16_tflops": device.peak_flop_per_s("fp16") / 1e12,
        "unified_memory": device.unified_memory,
        "parameters": total_parameters(model),
        "active_parameters": active_parameters(model),
        "has_shape": model.has_shape,
        "dense": model.has_shape and not model.experts and not model.mixer_pattern and not model.kv_lora_rank,
        "full_attention_layers": sum(mixer == "A" for mixer in model.layer_mixers) or model.layers,
        **{
            name: getattr(model, name)
            for name in (
                "layers",
                "hidden_size",
                "attention_heads",
                "kv_heads",
                "head_dim",
                "intermediate_size",
                "vocab_size",
                "tied_embeddings",
                "qkv_bias",
                "norms_per_layer",
                "kv_lora_rank",
                "qk_rope_head_dim",
                "experts",
                "experts_per_token",
                "shared_experts",
            )
        },
    }


def others_answers(rows: Sequence[Measurement]) -> dict[str, Speeds]:
    """Ask the other estimators, in their own environment."""
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        venv.create(ENVIRONMENT, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", REQUIREMENTS], check=True)
    asked, answered = ENVIRONMENT / "questions.json", ENVIRONMENT / "answers.json"
    asked.write_text(json.dumps([question(m) for m in rows]), encoding="utf-8")
    subprocess.run([python, LAB / "estimators.py", asked, answered], check=True)
    found: dict[str, Speeds] = json.loads(answered.read_text(encoding="utf-8"))
    return found


def hayasa_answers(rows: Sequence[Measurement]) -> Speeds:
    """Ask hayasa, as a reader would."""
    found = {}
    for m in rows:
        result = hayasa.estimate(
            m.model,
            m.device,
            weights=m.weights,
            context_length=m.context_length,
            engine=m.row["engine"],
            backend=m.row["backend"],
            build=m.month,
            server=m.row["measured_through"] == "server",
        )
        found[m.row["id"]] = result.decode_tokens_per_s
    return found


def held_out_answers(
    forms: Sequence[tuple[Form, Sequence[Measurement]]], key: Callable[[Measurement], Hashable]
) -> Speeds:
    """Answer each row by a fit that has not seen what `key` says of it."""
    found: dict[str, float | None] = {}
    written = {row.id: row for row in hayasa.calibrations()}
    for form, rows in forms:
        given = dict(NOT_FITTED)
        for fitted in FITTED_WAITS:
            if fitted.kind.name in form.borrows:
                given[fitted.kind.name] = getattr(written[form.borrowed], fitted.coefficient)
        for m, ratio in zip(rows, hold_out(rows, form.waits, key, given).log_ratio, strict=True):
            found[m.row["id"]] = None if np.isnan(ratio) else float(np.exp(-ratio)) / m.step_s
    return found


def errors(speeds: Speeds, rows: Sequence[Measurement], only: Speeds | None = None) -> list[float]:
    """Return the relative errors where there is an answer, and one in `only`."""
    measured = {m.row["id"]: 1 / m.step_s for m in rows}
    ids = [id_ for id_ in measured if speeds.get(id_) is not None and (only is None or only.get(id_) is not None)]
    return [abs((speeds[id_] or 0) / measured[id_] - 1) for id_ in ids]


def main() -> None:
    """Ask all of them, and write the table."""
    forms = rows_by_form()
    rows = [m for _, mine in forms for m in mine if is_asked(m)]
    by_device = held_out_answers(forms, lambda m: m.device.id)
    by_model = held_out_answers(forms, lambda m: m.model.id)
    versions = dict(re.findall(r"^([\w-]+)==(\S+)$", REQUIREMENTS.read_text(encoding="utf-8"), re.M))
    answers = {
        "hayasa": hayasa_answers(rows),
        "hayasa, device held out": by_device,
        "hayasa, model held out": by_model,
        **others_answers(rows),
    }
    with (data_directory() / "estimator_comparison.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for name, speeds in answers.items():
            missed, same = errors(speeds, rows), errors(by_device, rows, speeds)
            figures = [np.mean(missed), np.median(missed), np.mean(same)]
            version = hayasa.__version__ if name.startswith("hayasa") else versions[name]
            line = [name, version, len(rows), len(missed), *(f"{figure:.3f}" for figure in figures)]
            writer.writerow(line)
            print(*line, file=sys.stderr)


if __name__ == "__main__":
    main()
