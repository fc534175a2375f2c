"""Every speed of a report, held against the estimate of what the report says was run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..catalog.gguf_files import format_of_file, models_of_file
from ..catalog.objects import get_device, get_model
from ..engine.engines import DEFAULT_ENGINE, Engine, get_engine
from ..errors import HayasaError, InvalidValueError, UnknownNameError, shown
from ..machine.device import Device
from ..model.shape import Model
from ..model.weights import WeightFormat, weight_bytes
from ..reports.reader import BROWSER, read_report
from ..reports.run import BOTH, DECODE, PROMPT, Run
from ..units import significant
from .causes import MAKERS_OWN_BACKENDS, Seen
from .check import Check, Expectation, decode_expectation, held_against, prompt_expectation, whole_expectation
from .estimate import Estimate, estimate

SHORTEST_PROMPT = 64
"""Tokens from which the speed of reading a prompt says something: below, the fixed costs of a step rule."""

MANY_TOKENS = 100
"""Tokens of an answer from which the first one does not count."""

IN_A_BROWSER = (
    "ブラウザが乱数の重みを読んで掛けた速さです。エンジンほど磨かれていない代わりに、注意機構の計算は入っていません。"
)

ASSUMABLE = (
    *("model", "weights", "device", "devices", "split", "engine", "backend", "kv_cache"),
    *("context_length", "prompt_length"),
)
"""Arguments of `hayasa.estimate` that may be assumed where a report leaves them open."""

_FIRST_TOKEN_FREE = ("ollama", "llama-server")

_SPLITS = {"layer": "pipeline", "row": "pipeline", "tensor": "tensor"}
"""Our words for llama.cpp's ways to cut a model; rows are held against layers, than which they are rarely faster."""


class CheckedRun(NamedTuple):
    """A line of a report and what its speed says.

    Parameters
    ----------
    line : int
        Line of the report, from 1.
    text : str
        What stands there.
    run : Run or None
        What was read from it; None if it was not understood.
    check : Check or None
        What its speed says; None if that cannot be told.
    reason : str
        Why not, in Japanese; empty if it can.
    notes : tuple of str
        What was taken for granted, in Japanese.
    """

    line: int
    text: str
    run: Run | None
    check: Check | None
    reason: str = ""
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """Everything as plain values under stable keys, ready for JSON."""
        return {
            "line": self.line,
            "text": self.text,
            "run": None if self.run is None else self.run._asdict(),
            "check": None if self.check is None else self.check.to_dict(),
            "reason": self.reason,
            "notes": list(self.notes),
        }


def check_report(
    text: str,
    *,
    model: str | Model | None = None,
    device: str | Device | None = None,
    weights: str | WeightFormat | None = None,
    assumed: Mapping[str, Any] | None = None,
    **question: Any,
) -> tuple[CheckedRun, ...]:
    """Tell of every speed in a report whether it is normal.

    Parameters
    ----------
    text : str
        What `hayasa.read_report` reads: output of llama-bench, Ollama, LM
        Studio, mlx-lm, llama.cpp's programs or vLLM.
    model, device, weights : optional
        What was run, in the words of `hayasa.estimate`, if the report does not say
        or is not to be believed.
    assumed : mapping, optional
        Arguments of `hayasa.estimate` for what a line leaves open: a model and
        its format, a device, an engine, a context.  The notes say what of them was taken.
    **question
        Other arguments of `hayasa.estimate` that are known better than the report says.

    Returns
    -------
    tuple of CheckedRun
        One for each speed and for each line about a speed that was not
        understood, in the order of the report.

    Raises
    ------
    InvalidValueError
        If the report says no speed at all, or something is assumed that cannot be.

    Examples
    --------
    >>> text = '''
    ... | model         |     size | params | backend | ngl |  test |            t/s |
    ... | ------------- | -------: | -----: | ------- | --: | ----: | -------------: |
    ... | llama 7B Q4_0 | 3.56 GiB | 6.74 B | CUDA    |  99 | tg128 | 161.20 ± 0.30 |
    ... '''
    >>> [row] = check_report(text, device="RTX 4090")
    >>> row.check.verdict, row.check.estimate.model.id, row.check.estimate.weights.id
    ('normal', 'llama-2-7b', 'q4_0')
    """
    given = {"model": model, "device": device, "weights": weights, **question}
    known = {name: value for name, value in given.items() if value is not None}
    return checked_runs(text, known, _require_assumed(assumed))


def _require_assumed(assumed: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what may stand in the place of what a report leaves open, or refuse it."""
    if assumed is None:
        return {}
    if not isinstance(assumed, Mapping):
        raise InvalidValueError(
            f"assumed は、estimate の引数の名前と値の辞書で指定してください（与えられた値: {shown(assumed)}）。"
        )
    for name in assumed:
        if name not in ASSUMABLE:
            raise InvalidValueError(
                f"assumed に使える名前は {'、'.join(ASSUMABLE)} です（与えられた値: {shown(name)}）。"
            )
    return dict(assumed)


def checked_runs(text: str, known: dict[str, Any], assumed: dict[str, Any]) -> tuple[CheckedRun, ...]:
    """Do what `check_report` does, with what is known better than the report says and what it leaves open."""
    reading = read_report(text)
    if not (reading.runs or reading.unread):
        raise InvalidValueError(
            "速さの書かれた行が見つかりません。llama-bench の表、ollama run --verbose、LM Studio、mlx_lm、"
            "llama.cpp、vLLM の出力を渡してください。"
        )
    rows = [_checked(run, known, assumed) for run in reading.runs]
    rows += [CheckedRun(one.line, one.text, None, None, one.reason) for one in reading.unread]
    return tuple(sorted(rows, key=lambda row: row.line))


def _checked(run: Run, known: dict[str, Any], assumed: dict[str, Any]) -> CheckedRun:
    """Hold one run against its estimate, or say why that cannot be done."""
    notes: list[str] = []
    if run.kind == DECODE and run.tool in _FIRST_TOKEN_FREE and run.decode_tokens in range(2, MANY_TOKENS):
        notes.append(
            f"{run.tool} は最初のトークンの時間を計っていないので、"
            f"{run.decode_tokens} 個のうち残りの {run.decode_tokens - 1} 個の速さで比べました。"
        )
    try:
        question = _question(run, {**_left_open(run, known, assumed, notes), **known}, notes)
        result = estimate(**question)
        expected = _expected(run, result)
        if expected is None:
            return CheckedRun(run.line, run.text, run, None, _why_not(run, result), tuple(notes))
        answer = held_against(result, run.tokens_per_s, expected, _seen(run, result))
        if run.tool == BROWSER:
            # What makes an engine slow says nothing of a browser.
            answer = answer._replace(causes=())
            notes.append(IN_A_BROWSER)
    except HayasaError as error:
        return CheckedRun(run.line, run.text, run, None, str(error), tuple(notes))
    return CheckedRun(run.line, run.text, run, answer, "", (*notes, *result.notes))


def _left_open(run: Run, known: dict[str, Any], assumed: dict[str, Any], notes: list[str]) -> dict[str, Any]:
    """Return what of the assumptions neither a run nor what is known of it says."""
    said: list[str] = []
    if run.model or (run.architecture and run.parameters) or "model" in known:
        said += ["model", "weights"]
    if run.weights:
        said += ["weights"]
    if run.backend:
        said += ["backend"]
    if run.device or "device" in known:
        said += ["device", "devices", "backend", "split"]
    if run.engine or "engine" in known:
        said += ["engine", "backend", "kv_cache"]
    if run.prompt_tokens or run.decode_tokens or run.depth:
        said += ["context_length", "prompt_length"]
    taken = {name: value for name, value in assumed.items() if name not in said}
    if "model" in taken:
        notes.append(f"モデルは書かれていないので、{_called(taken['model'])} として答えました。")
    if "device" in taken:
        notes.append(f"機械は書かれていないので、{_called(taken['device'])} として答えました。")
    return taken


def _called(named: str | Model | Device) -> str:
    return named.name or named.id if isinstance(named, (Model, Device)) else str(named)


def _question(run: Run, known: dict[str, Any], notes: list[str]) -> dict[str, Any]:
    """Return the arguments of `estimate` for a run."""
    if not (run.device or "device" in known):
        raise InvalidValueError("デバイスが書かれていません。--device で指定してください。")
    told: dict[str, Any] = {
        "model": run.model,
        "device": run.device,
        "engine": run.engine,
        "backend": _comparable_backend(run, known),
        "kv_cache": run.kv_cache,
        "split": _SPLITS.get(run.split, ""),
        # Whoever names the device has one of them, if the report names several kinds.
        "devices": 1 if "device" in known and " + " in run.device else run.devices,
        "batch_size": run.batch_size,
        "context_length": run.context_length,
        "prompt_length": run.prompt_tokens or None,
        # The others are servers by their engine, or none.
        "server": run.tool == "llama-server",
    }
    question = {**{name: value for name, value in told.items() if value}, **known}
    if "model" not in known and run.architecture and run.parameters:
        question["model"] = _model_of_file(run, notes)
    if "model" not in question:
        raise InvalidValueError("モデルが書かれていません。--model で指定してください。")
    if "weights" not in known and run.weights:
        model = question["model"]
        model = model if isinstance(model, Model) else get_model(model)
        weights = format_of_file(run.weights, model, run.file_bytes, run.parameters)
        question |= {"model": model, "weights": weights}
    return question


def _comparable_backend(run: Run, known: dict[str, Any]) -> str:
    """Return the backend to hold a run against: its own, but where a better one is there."""
    engine, device = known.get("engine", run.engine or DEFAULT_ENGINE), known.get("device", run.device)
    engine = engine if isinstance(engine, Engine) else get_engine(engine)
    device = device if isinstance(device, Device) else get_device(device)
    there = engine.backends_on(device)
    if there and run.backend in (*MAKERS_OWN_BACKENDS, "rocm") and run.backend not in there:
        raise InvalidValueError(
            f"{run.backend} で測った速さですが、{device.name} の {engine.name} に {run.backend} はありません。"
            "測った機械を選んでください（--device）。"
        )
    usable = run.backend in there and there[0] not in MAKERS_OWN_BACKENDS
    return run.backend if usable else ""


def _model_of_file(run: Run, notes: list[str]) -> Model:
    """Return the model of a file's structure and parameters: what its name says may be true of many."""
    found = models_of_file(run.architecture, run.parameters)
    if not found:
        count = significant(run.parameters / 1e8, 4)
        raise UnknownNameError(
            f"構造が {run.architecture} でパラメータが {count} 億個のモデルは登録されていません。"
            "どのモデルかを指定してください（--model）。"
        )
    if len(found) > 1:
        others = "、".join(model.id for model in found[1:])
        notes.append(f"{run.model or run.architecture} は {found[0].id} として答えました（ほかに合うもの: {others}）。")
    return found[0]


def _expected(run: Run, result: Estimate) -> Expectation | None:
    """Return what a run's speed should be; None if that is not known."""
    if run.kind == DECODE:
        return decode_expectation(result)
    if run.kind == BOTH:
        return whole_expectation(result, run.decode_tokens, run.depth)
    if run.prompt_tokens and run.prompt_tokens < SHORTEST_PROMPT:
        return None
    return prompt_expectation(result, run.depth)


def _why_not(run: Run, result: Estimate) -> str:
    if run.kind == PROMPT and run.prompt_tokens in range(1, SHORTEST_PROMPT):
        return f"プロンプトが {run.prompt_tokens} トークンと短く、処理する速さを比べられません。"
    return f"{result.device.id} の {result.engine.id} では、プロンプトを処理する速さの見積りがありません。"


def _seen(run: Run, result: Estimate) -> Seen:
    """Return what a report says beside the speed."""
    return Seen(
        of=run.kind,
        cpu_share=_cpu_share(run, result),
        backend=run.backend,
        split=run.split,
        decode_tokens=run.decode_tokens,
        drafts=run.drafts,
        cache_on_cpu=run.cache_on_cpu,
        build_number=run.build_number,
        by_tool=bool(run.tool),
    )


def _cpu_share(run: Run, result: Estimate) -> float | None:
    """Return the share of the weights of a step that the report gives to the CPU; None if it does not say."""
    if run.backend == "cpu":
        return 1.0
    model, share = result.model, run.cpu_share
    if share is None and run.gpu_layers is not None:
        all_on_gpu = run.gpu_layers < 0 or run.gpu_layers >= model.layers
        share = 0.0 if all_on_gpu else 1 - run.gpu_layers / (model.layers + 1)  # the output counts as a layer
    if run.cpu_expert_layers and model.experts:
        parts = weight_bytes(model, result.weights)
        routed = parts.routed_bytes_per_expert * parts.experts_per_token / parts.read_bytes(1)
        share = max(share or 0.0, routed * min(1.0, run.cpu_expert_layers / model.layers))
    return share
