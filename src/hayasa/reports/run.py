"""One speed that a tool reported, as far as the report tells what was run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from ..units import GIB

DECODE, PROMPT, BOTH = "decode", "prompt", "both"
"""What a speed is of: writing tokens, reading a prompt, or one after the other."""


class Run(NamedTuple):
    """A speed that a tool reported.

    Parameters
    ----------
    line : int
        Line of the report that it stands on, from 1; of a JSON list, the entry.
    text : str
        That line.
    tool : str
        Who printed it, such as ``"llama-bench"``; empty if that cannot be told.
    engine : str
        Name of the engine, as `hayasa.get_engine` knows it; empty if unknown.
    kind : {"decode", "prompt", "both"}
        What the speed is of.
    tokens_per_s : float
        The speed, of all sequences together.
    prompt_tokens, decode_tokens : int
        Tokens that were read and written to measure it; 0 if the report does not say.
    depth : int
        Tokens that were in the cache before.
    batch_size : int
        Sequences that advanced together.
    model : str
        The model's name in the report; empty if it does not say.
    architecture : str
        llama.cpp's name of its structure; empty if the report does not say.
    parameters : float
        How many parameters it has; 0 if the report does not say.
    weights : str
        The name of its format; empty if the report does not say.
    file_bytes : float
        Bytes of the weights; 0 if the report does not say.
    kv_cache : str
        The format of the KV cache; empty if the report does not say.
    device : str
        The device's name; empty if the report does not say.
    devices : int
        How many.
    split : str
        ``"layer"``, ``"row"`` or ``"tensor"``; empty if the report does not say.
    backend : str
        ``"cuda"``, ``"metal"`` and so on; empty if the report does not say.
    cpu_share : float or None
        Share of the weights that the CPU multiplied; None if the report does not say.
    gpu_layers : int or None
        Layers that the GPU was asked to take, -1 for all; None if the report does not say.
    cpu_expert_layers : int
        Layers whose experts the CPU was given.
    drafts : bool
        Whether the report says that tokens were drafted.
    cache_on_cpu : bool
        Whether the report says that the KV cache lies in the computer's memory.
    build : str
        Version of the engine; empty if the report does not say.
    """

    line: int
    text: str
    tool: str
    engine: str
    kind: str
    tokens_per_s: float
    prompt_tokens: int = 0
    decode_tokens: int = 0
    depth: int = 0
    batch_size: int = 1
    model: str = ""
    architecture: str = ""
    parameters: float = 0.0
    weights: str = ""
    file_bytes: float = 0.0
    kv_cache: str = ""
    device: str = ""
    devices: int = 1
    split: str = ""
    backend: str = ""
    cpu_share: float | None = None
    gpu_layers: int | None = None
    cpu_expert_layers: int = 0
    drafts: bool = False
    cache_on_cpu: bool = False
    build: str = ""

    @property
    def context_length(self) -> int:
        """Tokens in the cache on average while tokens were written."""
        before = self.depth + (0 if self.kind == PROMPT else self.prompt_tokens)
        return before + self.decode_tokens // 2

    @property
    def build_number(self) -> int:
        """Number in the version, as llama.cpp counts its builds; 0 if there is none."""
        found = _BUILD_NUMBER.search(self.build)
        return int(found[0]) if found else 0


class Unread(NamedTuple):
    """A line that speaks of a speed and was not understood.

    Parameters
    ----------
    line : int
        Line of the report, from 1.
    text : str
        What stands there.
    reason : str
        Why it was not understood, in Japanese.
    """

    line: int
    text: str
    reason: str


_BUILD_NUMBER = re.compile(r"\b\d{3,6}\b", re.ASCII)
_DRIVERS_WORDS = re.compile(r"\((?:R|TM|C)\)| \(.*\)$| Graphics$", re.ASCII | re.IGNORECASE)

Facts = Mapping[str, str]
"""What a report says, as text, by what it is about."""

_UNITS = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12, "KIB": 2.0**10, "MIB": 2.0**20, "GIB": float(GIB), "TIB": 2.0**40}
_BACKENDS = ("cuda", "rocm", "hip", "vulkan", "metal", "mtl", "sycl", "opencl", "mlx", "cpu", "blas")
_SAME_BACKEND = {"mtl": "metal", "hip": "rocm", "blas": "cpu"}


def amount(text: str) -> float:
    """Read a number with its unit.

    Examples
    --------
    >>> amount("8.03 B"), amount("1.00 KiB"), amount("1,234")
    (8030000000.0, 1024.0, 1234.0)
    """
    number, *unit = text.replace(",", "").split()
    return round(float(number) * (_UNITS[unit[0].upper()] if unit else 1.0), 3)


def backend_name(text: str) -> str:
    """Return the backend that a report's word stands for; empty if it is none of the known.

    Examples
    --------
    >>> backend_name("Metal,BLAS"), backend_name("MTL"), backend_name("RPC")
    ('metal', 'metal', '')
    """
    words = text.lower().replace(",", " ").replace("/", " ").split()
    for backend in _BACKENDS:  # what computes on a GPU stands before what helps it
        if backend in words:
            return _SAME_BACKEND.get(backend, backend)
    return ""


def _cpu_share(facts: Facts) -> float | None:
    """Return the share of the weights that the report gives to the CPU; None if it does not say."""
    if "cpu_percent" in facts:
        return float(facts["cpu_percent"]) / 100
    if "layers" in facts:
        return 1 - int(facts["offloaded_layers"]) / int(facts["layers"])
    return None


def _device_name(text: str) -> str:
    """Return a device's name without what drivers put into it: marks of trade, the driver's own name."""
    return _DRIVERS_WORDS.sub("", text.strip())


def run_of(facts: Facts, *, line: int, text: str, kind: str, tokens_per_s: float) -> Run:
    """Make a run of what a report says about it.

    Raises
    ------
    ValueError
        If a cell that should hold a number does not.
    """
    devices = facts.get("devices", "1")
    return Run(
        line=line,
        text=text.strip(),
        tool=facts.get("tool", ""),
        engine=facts.get("engine", ""),
        kind=kind,
        tokens_per_s=tokens_per_s,
        prompt_tokens=int(amount(facts.get("prompt_tokens", "0"))),
        decode_tokens=int(amount(facts.get("decode_tokens", "0"))),
        depth=int(amount(facts.get("depth", "0"))),
        batch_size=max(1, int(amount(facts.get("batch_size", "1")))),
        model=facts.get("model", "").strip(),
        architecture=facts.get("architecture", ""),
        parameters=amount(facts.get("parameters", "0")),
        weights=facts.get("weights", "").strip(),
        file_bytes=amount(facts.get("file_bytes", "0")),
        kv_cache=facts.get("kv_cache", "").strip(),
        device=_device_name(facts.get("device", "")),
        devices=1 if facts.get("split") == "none" else int(devices),
        split=facts.get("split", ""),
        backend=backend_name(facts.get("backend", "")),
        cpu_share=_cpu_share(facts),
        gpu_layers=int(facts["gpu_layers"]) if "gpu_layers" in facts else None,
        cpu_expert_layers=int(facts.get("cpu_expert_layers", "0")),
        drafts=facts.get("drafts", "0") != "0",
        cache_on_cpu=facts.get("cache_on_cpu", "0").lower() in ("1", "true"),
        build=facts.get("build", "").strip(),
    )
