"""The page's scripts: hayasa's formulas and tables, and the modules that show them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from textwrap import indent
from typing import NamedTuple

from tools.page.bundle import HEADER, NAME, bundle, bundles, quoted, shortened
from tools.page.live import LIVE
from tools.page.measure import measure_data
from tools.page.package import Package
from tools.page.race import race_data
from tools.page.tables import (
    NOT_SHOWN,
    calculator_data,
    check_data,
    compact_json,
    draft_data,
    energy_data,
    file_data,
    measurement_data,
    names_data,
    offload_data,
    prompt_data,
)
from tools.page.translate import (
    IMPORT_OF_BROUGHT,
    Formulas,
    formulas_module,
    import_of,
    split_given,
    translate_in_turn,
)

TABLES = "hayasaTables"
RUNTIME = Path(__file__).resolve().with_name("runtime.mjs")

# What the page computes, by its place in hayasa; whatever these mention is translated with them.
WANTED = (
    "hayasa.engine.calibration.Calibration",
    "hayasa.engine.calibration.DeviceFactor",
    "hayasa.machine.device.Device",
    "hayasa.engine.engines.BACKENDS",
    "hayasa.engine.engines.Engine",
    "hayasa.errors.MAX_BATCH_SIZE",
    "hayasa.errors.MAX_CONTEXT_LENGTH",
    "hayasa.errors.MAX_DEVICES",
    "hayasa.answer.estimate._meant",
    "hayasa.answer.estimate.estimate",
    "hayasa.engine.buffers.EngineMemory",
    "hayasa.machine.host.Host",
    "hayasa.machine.reserve.MemoryReserve",
    "hayasa.model.shape.Model",
    "hayasa.units.GIB",
    "hayasa.units.gibibytes",
    "hayasa.units.scaled",
    "hayasa.units.significant",
    "hayasa.model.weights.BlockType",
    "hayasa.model.weights.TensorRule",
    "hayasa.model.weights.WeightFormat",
)


class Later(NamedTuple):
    """A script that a page asks for when it is needed."""

    wanted: tuple[str, ...] = ()
    """What it computes, as in `WANTED`."""

    beside: str = ""
    """The one that has come before it, besides the first."""


# By the module whose exports each brings; the one that another stands beside comes before it.
LATER = {
    "figures": Later(),
    "calculator": Later(),
    "measure": Later(),
    "names": Later(),
    "below": Later(
        (
            "hayasa.answer.duration.answer_time",
            "hayasa.answer.estimate._usual_weights",
            "hayasa.answer.fit.remedies",
            "hayasa.answer.fit.split_that_fits",
            "hayasa.answer.prompt.prompt_time",
            "hayasa.engine.prompt.PromptCalibration",
            "hayasa.engine.prompt.PromptFactor",
            "hayasa.model.placement.host_weight_bytes",
            "hayasa.model.placement.placement_of",
            "hayasa.units.duration",
        ),
        beside="calculator",
    ),
    "measurements": Later(beside="below"),
    "sums": Later(("hayasa.answer.explain.explanation",), beside="below"),
    "choosing": Later(
        (
            *(
                f"hayasa.answer.choose.{name}"
                for name in ("first_that_fits", "formats_to_try", "may_hold", "speed_per_sequence", "stored_formats")
            ),
            "hayasa.model.tensors.total_parameters",
        ),
        beside="below",
    ),
    "python": Later(beside="below"),
    "offload": Later(
        (
            "hayasa.answer.choose.layers_instead",
            "hayasa.answer.offload.offload_of",
            "hayasa.answer.offload.offloaded_prompt",
            "hayasa.answer.offload.require_split",
            "hayasa.answer.offload.with_host",
            "hayasa.engine.offload.OffloadCalibration",
            "hayasa.machine.host.Host",
        ),
        beside="below",
    ),
    "energy": Later(
        (
            "hayasa.answer.cost.Price",
            "hayasa.answer.cost.cost",
            "hayasa.answer.energy.answer_energy",
            "hayasa.answer.energy.energy",
            "hayasa.engine.power.ClockCalibration",
            "hayasa.engine.power.PowerCalibration",
            "hayasa.engine.power.RatedPower",
        ),
        beside="below",
    ),
    "files": Later(
        (
            "hayasa.errors.InvalidValueError",
            "hayasa.files.gguf.gguf_header",
            "hayasa.files.gguf_model.format_of_stored",
            "hayasa.files.read.LARGEST_CONFIG_BYTES",
            "hayasa.files.read.model_of_config",
            "hayasa.files.read.model_of_headers",
            "hayasa.files.read.parts_of",
            "hayasa.files.read.require_parts",
            "hayasa.model.weights.WeightBytes",
        ),
        beside="below",
    ),
    "check": Later(
        (
            *(f"hayasa.answer.check.{name}" for name in ("FASTEST_TOKENS_PER_S", "SLOWEST_TOKENS_PER_S")),
            *(f"hayasa.answer.check.{name}" for name in ("decode_expectation", "held_against", "prompt_expectation")),
            *(
                f"hayasa.answer.check_words.{name}"
                for name in ("VERDICTS", "cause_heading", "causes_title", "count_text", "rows_alike", "run_text")
            ),
            "hayasa.answer.check_words.sentence",
            "hayasa.answer.check_words.shown_causes",
            "hayasa.answer.causes.Seen",
            "hayasa.answer.check_report.checked_runs",
            "hayasa.catalog.device_names.device_of_name",
            "hayasa.catalog.device_names.spelled_names",
            "hayasa.catalog.model_names.index_models",
            "hayasa.catalog.model_names.read_model_name",
            "hayasa.catalog.model_names.says_format",
            "hayasa.catalog.objects.Processor",
            "hayasa.names.find_id",
            "hayasa.names.index_by_name",
        ),
        beside="below",
    ),
    "drafts": Later(
        (
            "hayasa.answer.drafts.draft_speedup",
            "hayasa.engine.drafting.DraftAcceptance",
            "hayasa.engine.drafting.DraftCalibration",
        ),
        beside="below",
    ),
}
BESIDE = {name: one.beside for name, one in LATER.items()}
# What reads files, which a page cannot do, is data, or is never asked there: web/estimator.mjs has it instead.
GIVEN = (
    "hayasa.engine.calibration.calibrations",
    "hayasa.engine.calibration.device_factors",
    "hayasa.engine.buffers.engine_memories",
    "hayasa.machine.reserve.memory_reserves",
    "hayasa.catalog.objects.get_device",
    "hayasa.catalog.objects.get_named_model",
    "hayasa.catalog.objects.get_weight_format",
    "hayasa.catalog.objects.weight_formats",
    "hayasa.engine.engines.get_engine",
    "hayasa.engine.engines.ENGINES",
    "hayasa.engine.engines._ENGINES",
    "hayasa.engine.builds.build_month",
)
# The same of what comes later than what asks for it: it is handed over in web/brought.mjs.
BROUGHT = (
    "hayasa.answer.causes.cause_rows",
    "hayasa.catalog.gguf_files.format_of_block",
    "hayasa.catalog.gguf_files.format_of_file_type",
    "hayasa.catalog.gguf_files.models_of_architecture",
    "hayasa.catalog.objects.device_rows",
    "hayasa.catalog.objects.gguf_block_types",
    "hayasa.catalog.objects.is_weight_format",
    "hayasa.files.gguf.text_at",
    "hayasa.files.gguf.whole_number_at",
    "hayasa.files.read.parsed_json",
    "hayasa.reports.reader.json_value",
    "hayasa.answer.cost.prices",
    "hayasa.answer.fit.remedies",
    "hayasa.answer.prompt.prompt_time",
    "hayasa.engine.offload.offload_calibration",
    "hayasa.answer.fit.split_that_fits",
    "hayasa.answer.offload.offload_of",
    "hayasa.answer.offload.offloaded_prompt",
    "hayasa.answer.offload.require_split",
    "hayasa.answer.offload.with_host",
    "hayasa.model.placement.host_weight_bytes",
    "hayasa.model.placement.placement_of",
    "hayasa.engine.drafting.draft_acceptances",
    "hayasa.engine.drafting.draft_calibrations",
    "hayasa.engine.power.clock_calibration",
    "hayasa.engine.power.power_calibrations",
    "hayasa.engine.power.rated_powers",
    "hayasa.engine.prompt.prompt_calibrations",
    "hayasa.engine.prompt.prompt_factors",
)
# What the page never asks for: it has nothing to show of several unlike devices, and names hosts itself.  Each is
# undefined there.
NEVER_ASKED = (
    "hayasa.catalog.hosts.get_host",
    "hayasa.answer.estimate._estimate_dealt",
    "hayasa.answer.estimate._joined",
    "hayasa.answer.prompt.dealt_prompt",
    "hayasa.answer.fit._dealt_fit",
    "hayasa.answer.fit._require_dealt",
)
# Tables that only a later script needs.
LATER_DATA = {
    "check": check_data,
    "draft": draft_data,
    "energy": energy_data,
    "file": file_data,
    "measure": measure_data,
    "measurement": measurement_data,
    "names": names_data,
    "offload": offload_data,
    "prompt": prompt_data,
}
BROUGHT_NAMES = frozenset(name.rpartition(".")[2] for name in BROUGHT)
USED_BY_HAND = ("$dict",)
# What nobody asks for there.
LEFT_OUT = (
    "Check.to_dict",
    "CheckedRun.to_dict",
    "Cost.to_dict",
    "DraftSpeedup.to_dict",
    "Energy.to_dict",
    "Estimate.require_fit",
    "Model.full_attention_layers",
    "Estimate.to_dict",
    "Wait.name",
    "Engine.aliases",
    *(f"{kind}.{name}" for kind in ("Calibration", "PromptCalibration") for name in NOT_SHOWN),
)


def made_modules(source: Path) -> dict[str, str]:
    """Return the modules that are made anew for every script, and the runtime that they need.

    Parameters
    ----------
    source : pathlib.Path
        Folder in which ``src/hayasa`` lies.
    """
    package = Package(source / "src" / "hayasa", source)
    wanted = {"": WANTED, **{name: one.wanted for name, one in LATER.items()}}
    translated = translate_in_turn(package, wanted, BESIDE, given=(*GIVEN, *BROUGHT, *NEVER_ASKED), left_out=LEFT_OUT)
    first = translated.pop("")
    runtime = Runtime()
    here = runtime.needed({*first.runtime, *USED_BY_HAND})
    return {
        "data.mjs": data_module("data", calculator_data()),
        **{f"{name}-data.mjs": data_module(f"{name}Data", data()) for name, data in LATER_DATA.items()},
        "formulas.mjs": formulas_module(first, BROUGHT_NAMES),
        "runtime.mjs": runtime.module(here),
        **{
            f"{name}-formulas.mjs": later_module(f"{name}Formulas", formulas, runtime, here)
            for name, formulas in translated.items()
            if formulas.results
        },
    }


def data_module(name: str, data: object) -> str:
    """Write the module of data under a name."""
    return f"export const {name} = JSON.parse({quoted(compact_json(data))});\n"


def later_module(name: str, formulas: Formulas, runtime: Runtime, here: set[str]) -> str:
    """Write the module of what a further script computes, with what the first one lacks of the runtime."""
    lacking = runtime.needed(formulas.runtime) - here
    used = (formulas.runtime | runtime.mentioned(lacking)) & here
    given, asked = split_given(formulas, BROUGHT_NAMES)
    body = indent(f"{runtime.text(lacking)}{asked}{formulas.body}", "  ")
    exports = "".join(f"export const {result} = {name}.{result};\n" for result in formulas.results)
    taken = dict(formulas.taken)
    parameters = given | taken.pop("", set())
    imports = (IMPORT_OF_BROUGHT if asked else "") + "".join(
        f'import {{ {", ".join(sorted(names))} }} from "./{script}-formulas.mjs";\n' for script, names in taken.items()
    )
    return (
        f'{import_of(used)}import {{ hayasa }} from "./estimator.mjs";\n{imports}\n'
        f"const {name} = (({{ {', '.join(sorted(parameters))} }}) => {{\n{body}\n"
        f"  return {{ {', '.join(formulas.results)} }};\n}})(hayasa);\n{exports}"
    )


def page_modules(source: Path) -> dict[str, str]:
    """Return the modules of `made_modules` for a page, which has its tables from `tables_script`."""
    return {**made_modules(source), "data.mjs": f"export const data = globalThis.{TABLES};\n"}


class Runtime:
    """The definitions of `runtime.mjs`, of which each script has those that it needs."""

    def __init__(self) -> None:
        text = RUNTIME.read_text(encoding="utf-8")
        parts = re.split(r"^(?:export )?(?=(?:const|class|function\*?) )", text, flags=re.MULTILINE)
        self.definitions = {re.findall(NAME, part)[1]: part for part in parts[1:]}

    def mentioned(self, names: Iterable[str]) -> set[str]:
        """Return the definitions that some definitions mention."""
        return {one for name in names for one in re.findall(NAME, self.definitions[name])} & self.definitions.keys()

    def needed(self, names: set[str]) -> set[str]:
        """Return some definitions with all that they mention."""
        further = self.mentioned(names) - names
        return self.needed(names | further) if further else names

    def text(self, names: set[str], before: str = "") -> str:
        """Write some definitions, each with a word before it."""
        return "".join(f"{before}{part}" for name, part in self.definitions.items() if name in names)

    def module(self, names: set[str]) -> str:
        """Write a module that exports some definitions."""
        return self.text(names, "export ")


def page_scripts(root: Path, source: Path) -> dict[str, str]:
    """Return the scripts for the modules of a book by file name: ``hayasa.js``, and those that may come later."""
    scripts = bundles(root / "web", page_modules(source), BESIDE)
    return {name: shortened(script) for name, script in zip(script_names(), scripts, strict=True)}


def script_names() -> list[str]:
    """Return the names of the scripts that `bundles` makes."""
    return ["hayasa.js", *(f"hayasa-{name}.js" for name in LATER)]


def live_scripts(root: Path) -> dict[str, str]:
    """Return the script of all live figures by file name, and that of each, which the first asks for."""
    made = {f"{name}-data.mjs": data_module(f"{name}Data", data()) for name, data in LIVE.items()}
    scripts = bundles(root / "web", made, dict.fromkeys(LIVE, ""), "live.mjs", "hayasaLive")
    return dict(zip(["hayasa-live.js", *(f"hayasa-{name}.js" for name in LIVE)], scripts, strict=True))


# Scripts of their own, which need nothing of the others, and what each imports under its name.
ALONE: dict[str, Callable[[], object] | None] = {"race": race_data, "chapter": None, "thread": None}


def plain_script(root: Path, name: str) -> str:
    """Return a script that stands alone: the race, what a chapter begins with, a thread."""
    data = ALONE[name]
    made = data_module(name, data()) if data else ""
    return bundle(root / "web", {f"{name}-data.mjs": made}, f"{name}.mjs", f"hayasa{name.title()}")


def scripts_alone(root: Path) -> dict[str, str]:
    """Return all of these and those of the live figures by file name, shortened."""
    scripts = {f"hayasa-{name}.js": plain_script(root, name) for name in ALONE} | live_scripts(root)
    return {name: shortened(script) for name, script in scripts.items()}


def tables_script() -> str:
    """Return the script that brings the tables, and runs before that of the page."""
    return f"{HEADER}globalThis.{TABLES} = JSON.parse({quoted(compact_json(calculator_data()))});\n"
