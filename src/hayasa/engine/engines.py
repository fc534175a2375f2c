"""Engines: the programs that run a model, and which backend each takes where."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import UnknownNameError
from ..machine.device import Device
from ..names import find_id, hash_of_id, name_key


@dataclass(frozen=True, kw_only=True)
class Engine:
    """A program that runs a model.

    Parameters
    ----------
    id : str
        Short name.
    name : str
        What it is, in Japanese.
    backends : tuple of (str, str)
        Pairs of device-family prefix and backend; the first that matches counts.
    aliases : tuple of str
        Other spellings.

    Examples
    --------
    >>> apple = Device(id="m4", family="apple-m4", memory_bandwidth_bytes_per_s=120e9)
    >>> ENGINES["llama.cpp"].backend_on(apple)
    'metal'
    """

    id: str
    name: str = ""
    backends: tuple[tuple[str, str], ...] = ()
    aliases: tuple[str, ...] = ()

    __hash__ = hash_of_id

    def backend_on(self, device: Device) -> str:
        """Return the backend this engine takes on a device; empty if none is known."""
        for prefix, backend in self.backends:
            if device.family.startswith(prefix):
                return backend
        return ""


_ENGINES = (
    Engine(id="ideal", name="物理的な上限（実測による補正なし）", aliases=("bound", "roofline", "理想")),
    Engine(
        id="llama.cpp",
        name="llama.cpp（Ollama、LM Studio も中身は同じ）",
        backends=(
            ("apple", "metal"),
            ("nvidia", "cuda"),
            ("amd-rdna", "vulkan"),
            ("amd", "rocm"),
            ("intel", "vulkan"),
            ("cpu", "cpu"),
        ),
        aliases=("llamacpp", "llama-cpp", "ollama", "lm-studio", "ggml", "gguf"),
    ),
    Engine(
        id="mlx",
        name="Apple の MLX（mlx-lm）",
        backends=(("apple", "mlx"),),
        aliases=("mlx-lm", "mlxlm"),
    ),
    Engine(
        id="gpt-fast",
        name="gpt-fast（torch.compile した PyTorch）",
        backends=(("nvidia", "cuda"),),
        aliases=("gptfast", "pytorch", "torch", "torch.compile"),
    ),
    Engine(
        id="vllm",
        name="vLLM",
        backends=(("nvidia", "cuda"), ("amd", "rocm")),
        aliases=("vllm-v1",),
    ),
)

ENGINES = {engine.id: engine for engine in _ENGINES}
"""Every engine by id."""

_INDEX = {name_key(name): engine.id for engine in _ENGINES for name in (engine.id, *engine.aliases)}


def get_engine(name: str) -> Engine:
    """Return the engine of a name.

    Parameters
    ----------
    name : str
        Id or alias, in any spelling.

    Returns
    -------
    Engine
        The engine.

    Raises
    ------
    UnknownNameError
        If there is no such engine; all of them are named.

    Examples
    --------
    >>> get_engine("Llama.CPP").id
    'llama.cpp'
    """
    try:
        return ENGINES[find_id(name, _INDEX, argument="engine", what="エンジン")]
    except UnknownNameError as error:
        message = f"{error}使えるもの: {', '.join(ENGINES)}。"
        raise UnknownNameError(message, error.suggestions) from None
