"""More than one token per reading: what drafting costs, and how well drafts are accepted.

``data/draft_calibrations.csv`` says what a pass over several tokens of one
sequence costs beyond a batch of as many sequences; ``data/draft_acceptance.csv``
how likely a drafted token is accepted, by how it was drafted and in what kind
of text.  Both are made by ``python -m lab.drafts``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from ..catalog.reader import read_objects
from ..model.shape import Model
from ..model.tensors import WeightTensor
from ..model.weights import WeightFormat, tensor_bytes, weight_bytes
from ..model.work import layer_count
from .calibration import FALLBACK_WIDENING
from .engines import Engine
from .waits import WaitKind

DRAFTING = WaitKind("drafting", "下書きを作る", "memory", "トークン")
LEAVE_ONE_TOKEN_PATH = WaitKind("leave_one_token_path", "1 トークン専用の経路を離れる", "launches", "倍")
FURTHER_TOKENS = WaitKind("further_tokens", "少数のトークンをまとめる計算の余分", "cores", "サイクル")

FEW_TOKENS = 8
"""Tokens up to which engines have kernels for a few: beyond, those for prompts take over.

Source: ggml-org/llama.cpp, ``ne11_mm_min`` of the Metal backend and ``MMVQ_MAX_BATCH_SIZE`` of the CUDA backend.
"""

BYTES_IN_16_BITS = 2

MODEL = "model"
MTP = "mtp"
EAGLE = "eagle"
EAGLE3 = "eagle3"
NGRAM = "ngram"


class Drafter(NamedTuple):
    """A way of making drafts.

    Parameters
    ----------
    id : str
        Short name.
    label : str
        What it is, in Japanese.
    layer_squares : float
        Parameters of its one layer, in 16 bits, over the square of the model's
        width; 0 if it is a layer of the model's own, or none at all.
    most_tokens : int
        Vocabulary of its output; 0 for the model's whole one.
    """

    id: str
    label: str
    layer_squares: float = 0.0
    most_tokens: int = 0


DRAFTERS = (
    Drafter(MODEL, "小さいモデル"),
    Drafter(MTP, "モデルに付いた MTP の層"),
    Drafter(EAGLE, "EAGLE の層", layer_squares=15.0),
    Drafter(EAGLE3, "EAGLE-3 の層", layer_squares=17.5, most_tokens=32_000),
    Drafter(NGRAM, "すでにある文からの写し"),
)
"""The ways of making drafts.

EAGLE's layer for a model of width 4,096 has 252 million parameters (15.0
squares) and shares the model's output; EAGLE-3's has 293 million (17.5) and
an output of 32,000 tokens.  Sources: the configurations of
yuhuili/EAGLE-LLaMA3.1-Instruct-8B and yuhuili/EAGLE3-LLaMA3.1-Instruct-8B,
whose parameters these are: a layer of 218 million, of which EAGLE-3's
attention takes inputs of twice the width, and a projection from two or three
widths to one.
"""

TEXTS = {
    "code": "プログラム",
    "math": "計算の手順",
    "chat": "対話",
    "explanation": "説明",
    "qa": "一問一答",
    "summary": "要約",
    "rag": "検索した文に基づく答え",
    "edit": "文を直す",
    "translation": "翻訳",
    "prose": "創作",
}
"""Kinds of text whose acceptance was published, with what they are in Japanese."""

ANY_TEXT = ""
"""Stands for all kinds of text together."""


def get_drafter(id_: str) -> Drafter:
    """Return the way of drafting of a name that is in `DRAFTERS`.

    Examples
    --------
    >>> get_drafter("ngram").label
    'すでにある文からの写し'
    """
    return [one for one in DRAFTERS if one.id == id_][0]  # noqa: RUF015 (plain enough for the page)


@dataclass(frozen=True, kw_only=True)
class DraftCalibration:
    """What a pass over several tokens of a sequence costs, beyond a batch of as many sequences.

    Parameters
    ----------
    id : str
        Short name.
    engine : str
        What it holds for; empty for all engines that have no row of their own.
    backend : str
        Backends that were measured, joined by ``|``.
    leaving_share : float
        Share of a step that a pass over more than one token costs in addition.
    cycles_per_flop : float
        Core cycles per FLOP with the weights, of up to `FEW_TOKENS` tokens,
        beyond what a batch waits for.
    low_factor, high_factor : float
        Ends of the 90 % interval of the gain over the estimate, on machines
        that were not measured, for a known acceptance.
    rows, machines, models : int
        Measurements behind it, and how many machines and models they span.
    error_in_sample, error_machine_held_out, error_model_held_out, error_source_held_out : float
        Mean absolute relative error of the gain on all rows, and on those that the fit had not seen;
        0 if nothing could be held out.
    coverage_machine_held_out : float
        Share of the held-out rows inside an interval made without them.
    note : str
        What to know about it, in Japanese.
    """

    id: str
    engine: str = ""
    backend: str = ""
    leaving_share: float = 0.0
    cycles_per_flop: float = 0.0
    low_factor: float = 1.0
    high_factor: float = 1.0
    rows: int = 0
    machines: int = 0
    models: int = 0
    error_in_sample: float = 0.0
    error_machine_held_out: float = 0.0
    error_model_held_out: float = 0.0
    error_source_held_out: float = 0.0
    coverage_machine_held_out: float = 0.0
    note: str = ""

    @property
    def backends(self) -> tuple[str, ...]:
        """Backends that were measured."""
        return tuple(self.backend.split("|"))


@dataclass(frozen=True, kw_only=True)
class DraftAcceptance:
    """How likely the first drafted token is accepted, and each further one after those before it.

    Parameters
    ----------
    id : str
        Method and kind of text, joined by ``/``.
    method : str
        One of `DRAFTERS`.
    text : str
        One of `TEXTS`; empty for all together.
    acceptance, low, high : float
        Of the first token: median of what was published, and the ends of a 90 % interval.
    decay : float
        Acceptance of a position over that of the one before it: heads that were trained for one token draft the
        further ones from their own output.
    rows, sources : int
        Figures behind it, and how many sources they are from.
    """

    id: str
    method: str
    text: str = ""
    acceptance: float = 0.0
    low: float = 0.0
    high: float = 0.0
    decay: float = 1.0
    rows: int = 0
    sources: int = 0


@cache
def draft_calibrations() -> tuple[DraftCalibration, ...]:
    """All rows of ``draft_calibrations.csv``."""
    return read_objects(DraftCalibration, "draft_calibrations.csv")


@cache
def draft_acceptances() -> dict[tuple[str, str], DraftAcceptance]:
    """All rows of ``draft_acceptance.csv`` by method and kind of text."""
    return {(row.method, row.text): row for row in read_objects(DraftAcceptance, "draft_acceptance.csv")}


class ChosenDrafting(NamedTuple):
    """The calibration that counts, with its interval as it applies.

    Parameters
    ----------
    calibration : DraftCalibration
        The row.
    low_factor, high_factor : float
        Ends of the interval, widened where it stands in for another.
    notes : tuple of str
        What it stands in for, in Japanese.
    """

    calibration: DraftCalibration
    low_factor: float
    high_factor: float
    notes: tuple[str, ...]


def choose_drafting(engine: Engine, backend: str) -> ChosenDrafting:
    """Return the row for an engine (or one that it runs) on a backend, else that for all others."""
    if engine.id == "ideal":
        return ChosenDrafting(DraftCalibration(id="ideal"), 1.0, 1.0, ())
    measured = (engine.id, *engine.runs)
    others = draft_calibrations()[0]
    for row in draft_calibrations():
        if row.engine in measured and backend in row.backends:
            return ChosenDrafting(row, row.low_factor, row.high_factor, ())
        if not row.engine:
            others = row
    if backend in others.backends:
        return ChosenDrafting(others, others.low_factor, others.high_factor, ())
    note = (
        f"{backend or engine.id} で下書きを使った実測がありません。"
        "少数のトークンをまとめる経路が遅いところでは、2 倍ほど違うことがあります。"
    )
    widened = others.low_factor**FALLBACK_WIDENING, others.high_factor**FALLBACK_WIDENING
    return ChosenDrafting(others, widened[0], widened[1], (note,))


class DrafterBytes(NamedTuple):
    """What is read for one drafted token.

    Parameters
    ----------
    layer : float
        Bytes of the drafter's own layer.
    output : float
        Bytes of the matrix that its tokens come from.
    owns_output : bool
        Whether that is another one than the model's.
    """

    layer: float
    output: float
    owns_output: bool

    @property
    def read(self) -> float:
        """Bytes for one token."""
        return self.layer + self.output

    @property
    def resident(self) -> float:
        """Bytes in memory beside the model."""
        return self.layer + (self.output if self.owns_output else 0.0)


def drafter_bytes(drafter: Drafter, model: Model, weights: WeightFormat) -> DrafterBytes:
    r"""Return the bytes that are read for one drafted token: a layer and an output matrix.

    An MTP layer is as large as one of the model's own, behind a projection of
    two widths to one, :math:`2h^2`.  The output of a model whose shape is not
    known is not counted.

    Examples
    --------
    EAGLE-3 for Llama 3.1 8B: 293 million parameters and 32,000 rows of 4,096, in 16 bits.

    >>> from hayasa import get_model, get_weight_format
    >>> llama = get_model("llama-3.1-8b")
    >>> round(drafter_bytes(get_drafter("eagle3"), llama, get_weight_format("bf16")).read / 1e6)
    849
    """
    if drafter.id in (MODEL, NGRAM):
        return DrafterBytes(0.0, 0.0, False)
    width = float(model.hidden_size)
    output = tensor_bytes(WeightTensor("output", -1, model.hidden_size, model.vocab_size), model, weights)
    if drafter.layer_squares:
        layer = BYTES_IN_16_BITS * drafter.layer_squares * width * width
    else:
        one_layer = (weight_bytes(model, weights).read_bytes(1) - output) / layer_count(model)
        layer = one_layer + 2 * width * width * weights.bytes_per_weight
    own_tokens = drafter.most_tokens
    if 0 < own_tokens < model.vocab_size:
        return DrafterBytes(layer, BYTES_IN_16_BITS * width * own_tokens, True)
    return DrafterBytes(layer, output, False)
