"""The page's scripts: hayasa's formulas and tables, and the modules that show them."""

from __future__ import annotations

import re
from pathlib import Path

from tools.page.bundle import HEADER, IMPORT, NAME, bundle, names_in, quoted, shortened
from tools.page.tables import NOT_SHOWN, calculator_data, compact_json, measurement_data
from tools.page.translate import translate

TABLES = "hayasaTables"
RUNTIME = Path(__file__).resolve().with_name("runtime.mjs")

# What the page computes, by its place in hayasa; whatever these mention is translated with them.
WANTED = (
    "hayasa.engine.calibration.Calibration",
    "hayasa.engine.calibration.DeviceFactor",
    "hayasa.machine.device.Device",
    "hayasa.engine.engines.ENGINES",
    "hayasa.errors.MAX_BATCH_SIZE",
    "hayasa.errors.MAX_CONTEXT_LENGTH",
    "hayasa.errors.MAX_DEVICES",
    "hayasa.answer.choose.first_that_fits",
    "hayasa.answer.choose.speed_per_sequence",
    "hayasa.answer.estimate.estimate",
    "hayasa.answer.explain.explanation",
    "hayasa.engine.buffers.EngineMemory",
    "hayasa.engine.offload.OffloadCalibration",
    "hayasa.machine.host.Host",
    "hayasa.machine.reserve.MemoryReserve",
    "hayasa.model.shape.Model",
    "hayasa.units.GIB",
    "hayasa.units.duration",
    "hayasa.units.gibibytes",
    "hayasa.units.scaled",
    "hayasa.units.significant",
    "hayasa.model.weights.BlockType",
    "hayasa.model.weights.TensorRule",
    "hayasa.model.weights.WeightFormat",
)
# What reads files, which a page cannot do: web/estimator.mjs does it instead.
GIVEN = (
    "hayasa.engine.calibration.calibrations",
    "hayasa.engine.calibration.device_factors",
    "hayasa.engine.buffers.engine_memories",
    "hayasa.engine.offload.offload_calibration",
    "hayasa.machine.reserve.memory_reserves",
    "hayasa.catalog.hosts.get_host",
    "hayasa.catalog.objects.get_device",
    "hayasa.catalog.objects.get_named_model",
    "hayasa.catalog.objects.get_weight_format",
    "hayasa.catalog.objects.weight_formats",
    "hayasa.engine.engines.get_engine",
)
USED_BY_HAND = ("$dict",)
# What nobody asks for there.
LEFT_OUT = (
    "Estimate.require_fit",
    "Model.full_attention_layers",
    "Estimate.to_dict",
    "Wait.name",
    "Engine.aliases",
    *(f"Calibration.{name}" for name in NOT_SHOWN),
)


def made_modules(source: Path) -> dict[str, str]:
    """Return the modules that are made anew for every script, and the runtime that they need.

    Parameters
    ----------
    source : pathlib.Path
        Folder in which ``src/hayasa`` lies.
    """
    formulas = translate(source / "src" / "hayasa", root=source, wanted=WANTED, given=GIVEN, left_out=LEFT_OUT)
    used = {name for found in IMPORT.finditer(formulas) for name in names_in(found[1])}
    return {
        "data.mjs": f"export const data = JSON.parse({quoted(compact_json(calculator_data()))});\n",
        "formulas.mjs": formulas,
        "runtime.mjs": needed(RUNTIME.read_text(encoding="utf-8"), used | set(USED_BY_HAND)),
    }


def page_modules(source: Path) -> dict[str, str]:
    """Return the modules of `made_modules` for a page, which has its tables from `tables_script`."""
    return {**made_modules(source), "data.mjs": f"export const data = globalThis.{TABLES};\n"}


def needed(module: str, wanted: set[str]) -> str:
    """Leave out what of a module nobody wants, and nothing that is wanted mentions."""
    parts = re.split(r"^(?=(?:export )?(?:const|class|function\*?) )", module, flags=re.MULTILINE)
    by_name = {re.findall(NAME, part.removeprefix("export "))[1]: part for part in parts[1:]}
    kept: set[str] = set()
    while wanted:
        kept |= wanted
        mentioned = {name for one in wanted for name in re.findall(NAME, by_name[one])}
        wanted = (mentioned & by_name.keys()) - kept
    return parts[0] + "".join(part for name, part in by_name.items() if name in kept)


def page_script(root: Path, source: Path) -> str:
    """Return the script for the modules of a book."""
    return shortened(bundle(root / "web", page_modules(source)))


def tables_script() -> str:
    """Return the script that brings the tables, and runs before that of the page."""
    return _data_script(TABLES, calculator_data())


def measurements_script() -> str:
    """Return the script that brings the published measurements to the one that asks for them."""
    return _data_script("hayasaMeasurements", measurement_data())


def _data_script(name: str, data: object) -> str:
    return f"{HEADER}globalThis.{name} = JSON.parse({quoted(compact_json(data))});\n"
