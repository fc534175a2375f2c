"""Engines: the programs that run a model, where each runs, and what it reads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from ..errors import InvalidValueError, UnknownNameError
from ..machine.device import Device
from ..model.weights import WeightFormat
from ..names import find_id, hash_of_id, name_key

BACKENDS = ("cuda", "vulkan", "rocm", "sycl", "metal", "mlx", "cpu", "tpu", "neuron", "hpu")
"""What an engine computes with, as `hayasa.estimate` takes it."""

_MLX_READS = ("mlx", "awq", "gptq")


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
        Pairs of device-family prefix and backend.  All that match can be
        chosen, the first is the usual one; an empty backend ends the search:
        it does not run there.  Without any pair it runs everywhere.
    where : str
        The same in Japanese words, for whom it does not run.
    reads : tuple of str
        Packings of weights that it reads (`WeightFormat.packing`); empty for any.
    caches : tuple of str
        Formats, by id, in which it can keep keys and values beside 16 bits.
    usual_formats : tuple of str
        Ids of the formats that models are usually run in with it, best first.
    runs : tuple of str
        Engines that do its work: what was measured with them holds for it.
    kin : tuple of str
        Engines whose measurements stand in best where it was not measured.
    serves : bool
        Whether people meet it as a server, or an application, that chooses the next token as well.
    cautions : tuple of (str, str)
        Pairs of packing and sentence, in Japanese: what it reads, but was not made for.
    aliases : tuple of str
        Other spellings.

    Examples
    --------
    >>> radeon = Device(id="rx", family="amd-rdna3", memory_bandwidth_bytes_per_s=960e9)
    >>> ENGINES["llama.cpp"].backends_on(radeon)
    ('vulkan', 'rocm')
    """

    id: str
    name: str = ""
    backends: tuple[tuple[str, str], ...] = ()
    where: str = ""
    reads: tuple[str, ...] = ()
    caches: tuple[str, ...] = ()
    usual_formats: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    kin: tuple[str, ...] = ()
    serves: bool = False
    cautions: tuple[tuple[str, str], ...] = ()
    aliases: tuple[str, ...] = ()

    __hash__ = hash_of_id

    def backends_on(self, device: Device) -> tuple[str, ...]:
        """Return the backends that this engine has on a device, the usual one first.

        Parameters
        ----------
        device : Device
            Any device; of one without a family nothing is known.

        Returns
        -------
        tuple of str
            Names from `BACKENDS`; empty if it does not run there.
        """
        found: list[str] = []
        for prefix, backend in self.backends:
            if device.family.startswith(prefix):
                if not backend:
                    break
                if backend not in found:
                    found.append(backend)
        # The processor beside an integrated GPU reads the same memory; Apple's reaches far less of it than the GPU.
        beside = device.unified_memory and not device.family.startswith("apple")
        if beside and "cpu" not in found and any(backend == "cpu" for _, backend in self.backends):
            found.append("cpu")
        return tuple(found)

    def reads_with(self, backend: str, weights: WeightFormat) -> bool:
        """Tell whether it reads weights packed so, computing with a backend.

        Parameters
        ----------
        backend : str
            One of `BACKENDS`, or empty if it is not known.
        weights : WeightFormat
            Any format; plain numbers are read by all.

        Returns
        -------
        bool
            Whether it does.
        """
        # LM Studio has MLX beside llama.cpp: it is the backend that reads the file.
        packings = _MLX_READS if backend == "mlx" else self.reads
        return not weights.packing or not packings or any(one in packings for one in weights.packing.split("|"))


_GGUF_CACHES = ("q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl")
_GGUF_BACKENDS = (
    ("apple", "metal"),
    ("nvidia", "cuda"),
    ("nvidia", "vulkan"),
    ("amd-rdna", "vulkan"),
    ("amd", "rocm"),
    ("amd", "vulkan"),
    ("intel", "vulkan"),
    ("intel", "sycl"),
    ("cpu", "cpu"),
)
_DESKTOP_BACKENDS = (
    ("apple-a", ""),
    ("apple", "metal"),
    ("nvidia", "cuda"),
    ("nvidia", "vulkan"),
    ("amd", "rocm"),
    ("amd", "vulkan"),
    ("intel", "vulkan"),
    ("cpu", "cpu"),
)
_BEFORE_VOLTA = (("nvidia-maxwell", ""), ("nvidia-pascal", ""))
_BEFORE_TURING = (*_BEFORE_VOLTA, ("nvidia-volta", ""))
_BEFORE_AMPERE = (*_BEFORE_TURING, ("nvidia-turing", ""))
_SERVER_READS = ("awq", "gptq", "autoround", "fp8", "int8", "nvfp4", "mxfp4", "bitsandbytes", "torchao")

# Each list is what the makers' documentation says in November 2026: README.md and docs/ of ggml-org/llama.cpp,
# ikawrakow/ik_llama.cpp, ollama/ollama (docs/gpu.mdx, docs/faq.mdx), mozilla-ai/llamafile, ml-explore/mlx-lm
# (utils.py), vllm-project/vllm (docs/features/quantization), sgl-project/sglang (quantization.md,
# quantized_kv_cache.md), NVIDIA/TensorRT-LLM (features/quantization), turboderp-org/exllamav2 and exllamav3,
# pytorch-labs/gpt-fast.
_ENGINES = (
    Engine(id="ideal", name="物理的な上限（実測による補正なし）", aliases=("bound", "roofline", "理想")),
    Engine(
        id="llama.cpp",
        name="llama.cpp",
        backends=_GGUF_BACKENDS,
        where="GPU と CPU のほとんど",
        reads=("gguf",),
        caches=_GGUF_CACHES,
        usual_formats=("q4_k_m",),
        aliases=("llamacpp", "llama-cpp", "llama-server", "llama-bench", "llama-cli", "ggml", "gguf"),
    ),
    Engine(
        id="mlx",
        name="Apple の MLX（mlx-lm）",
        backends=(("apple", "mlx"),),
        where="Apple の GPU（NVIDIA で動く版もありますが、実測がありません）",
        reads=_MLX_READS,
        caches=("mlx-q2", "mlx-q3", "mlx-q4", "mlx-q5", "mlx-q6", "mlx-q8"),
        usual_formats=("mlx-q4",),
        cautions=(
            ("awq", "MLX は AWQ のファイルを、読み込むときに MLX の形へ直します。その実測はありません。"),
            ("gptq", "MLX は GPTQ のファイルを、読み込むときに MLX の形へ直します。その実測はありません。"),
        ),
        aliases=("mlx-lm", "mlxlm"),
    ),
    Engine(
        id="gpt-fast",
        name="gpt-fast（torch.compile した PyTorch）",
        backends=(("nvidia", "cuda"), ("amd", "rocm")),
        where="NVIDIA と AMD の GPU",
        reads=("torchao",),
        usual_formats=("bf16",),
        kin=("vllm",),
        aliases=("gptfast", "pytorch", "torch", "torch.compile"),
    ),
    Engine(
        id="vllm",
        name="vLLM",
        backends=(
            *_BEFORE_VOLTA,
            ("nvidia", "cuda"),
            ("amd-gcn", ""),
            ("amd-rdna1", ""),
            ("amd-rdna2", ""),
            ("amd", "rocm"),
            ("intel-xe", ""),
            ("intel", "sycl"),
            ("cpu", "cpu"),
            ("google-tpu", "tpu"),
            ("aws", "neuron"),
            ("habana", "hpu"),
        ),
        where="NVIDIA（Volta 以降）、AMD（RDNA 3 以降と Instinct）、Intel Arc の GPU、TPU、Trainium、Gaudi、CPU"
        "（Mac では vllm-mlx が別にあります）",
        reads=(*_SERVER_READS, "gguf"),
        caches=("fp8",),
        usual_formats=("bf16",),
        cautions=(("gguf", "vLLM が GGUF を読むには vllm-gguf-plugin が要り、速くなるようには作られていません。"),),
        aliases=("vllm-v1",),
        serves=True,
    ),
    Engine(
        id="sglang",
        name="SGLang",
        backends=(
            *_BEFORE_TURING,
            ("nvidia", "cuda"),
            ("amd-cdna3", "rocm"),
            ("amd-cdna4", "rocm"),
            ("cpu", "cpu"),
            ("google-tpu", "tpu"),
        ),
        where="NVIDIA（Turing 以降）と AMD の Instinct MI300 以降の GPU、TPU、CPU",
        reads=(*_SERVER_READS, "gguf"),
        caches=("fp8",),
        usual_formats=("bf16",),
        cautions=(("gguf", "SGLang で GGUF を動かした実測はありません。"),),
        kin=("vllm",),
        aliases=("sgl", "sgl-project"),
        serves=True,
    ),
    Engine(
        id="tensorrt-llm",
        name="TensorRT-LLM",
        backends=(*_BEFORE_AMPERE, ("nvidia", "cuda")),
        where="NVIDIA の GPU（Ampere 以降）",
        reads=("awq", "gptq", "fp8", "int8", "nvfp4", "mxfp4"),
        caches=("fp8", "nvfp4"),
        usual_formats=("bf16",),
        kin=("vllm",),
        aliases=("trt-llm", "trtllm"),
        serves=True,
    ),
    Engine(
        id="exllamav3",
        name="ExLlamaV3（TabbyAPI）",
        backends=(*_BEFORE_AMPERE, ("nvidia", "cuda")),
        where="NVIDIA の GPU（Ampere 以降）",
        reads=("exl3",),
        caches=("int8", "int4"),
        usual_formats=("exl3-4.0bpw",),
        kin=("gpt-fast",),
        cautions=(("exl3", "ExLlamaV3 は、Ampere の GPU（RTX 3090 など）ではメモリの速さを出し切れません。"),),
        aliases=("exl3", "exllama", "tabbyapi"),
        serves=True,
    ),
    Engine(
        id="exllamav2",
        name="ExLlamaV2",
        backends=(("nvidia-maxwell", ""), ("nvidia", "cuda"), ("amd", "rocm")),
        where="NVIDIA（Pascal 以降）と AMD の GPU",
        reads=("exl2", "gptq"),
        caches=("int8", "int4"),
        usual_formats=("exl2-4.0bpw",),
        kin=("gpt-fast",),
        aliases=("exl2",),
        serves=True,
    ),
    Engine(
        id="ik_llama.cpp",
        name="ik_llama.cpp（llama.cpp の分家）",
        backends=(*_BEFORE_TURING, ("nvidia", "cuda"), ("cpu", "cpu")),
        where="NVIDIA の GPU（Turing 以降）と CPU",
        reads=("gguf",),
        caches=_GGUF_CACHES,
        usual_formats=("q4_k_m",),
        kin=("llama.cpp",),
        aliases=("ik-llama", "ikllama"),
    ),
    Engine(
        id="ollama",
        name="Ollama",
        backends=_DESKTOP_BACKENDS,
        where="GPU と CPU のほとんど",
        reads=("gguf",),
        caches=("q8_0", "q4_0"),
        usual_formats=("q4_k_m",),
        runs=("llama.cpp",),
        serves=True,
    ),
    Engine(
        id="lm-studio",
        name="LM Studio",
        backends=(("apple-a", ""), ("apple", "metal"), ("apple", "mlx"), *_GGUF_BACKENDS),
        where="GPU と CPU のほとんど",
        reads=("gguf",),
        caches=_GGUF_CACHES,
        usual_formats=("q4_k_m", "mlx-q4"),
        runs=("llama.cpp", "mlx"),
        aliases=("lmstudio", "lms"),
        serves=True,
    ),
    Engine(
        id="llamafile",
        name="llamafile（LocalScore）",
        backends=_DESKTOP_BACKENDS,
        where="GPU と CPU のほとんど",
        reads=("gguf",),
        caches=_GGUF_CACHES,
        usual_formats=("q4_k_m",),
        runs=("llama.cpp",),
        aliases=("localscore", "llamafile (LocalScore)"),
        serves=True,
    ),
    Engine(
        id="exo",
        name="exo（Mac をつないで MLX で動かす）",
        backends=(("apple-a", ""), ("apple", "mlx")),
        where="Apple の GPU",
        reads=_MLX_READS,
        usual_formats=("mlx-q4",),
        runs=("mlx",),
        aliases=("exo-labs",),
        serves=True,
    ),
    Engine(
        id="vllm-mlx",
        name="vllm-mlx（MLX の上のサーバー）",
        backends=(("apple-a", ""), ("apple", "mlx")),
        where="Apple の GPU",
        reads=_MLX_READS,
        usual_formats=("mlx-q4",),
        runs=("mlx",),
        serves=True,
    ),
)

DEFAULT_ENGINE = "llama.cpp"
"""Id of the engine that is meant where nobody says one."""

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
    if isinstance(name, str) and name in ENGINES:  # the common case, kept fast
        return ENGINES[name]
    try:
        return ENGINES[find_id(name, _INDEX, argument="engine", what="エンジン")]
    except UnknownNameError as error:
        message = f"{error}使えるもの: {', '.join(ENGINES)}。"
        raise UnknownNameError(message, error.suggestions) from None


@lru_cache(maxsize=4096)
def backends_to_choose(engine: Engine, device: Device, backend: str | None) -> tuple[str, ...]:
    """Return the backends that a question leaves open, the usual one first.

    Parameters
    ----------
    engine : Engine
        What runs the model.
    device : Device
        Where.
    backend : str or None
        What was asked for, one of `BACKENDS`.

    Returns
    -------
    tuple of str
        At least one; an empty name where nothing is known of the device or the engine.

    Raises
    ------
    InvalidValueError
        If the engine does not run there, or has no such backend there; what
        can be done instead is in the message.

    Examples
    --------
    >>> rtx = Device(id="rtx", family="nvidia-ada", memory_bandwidth_bytes_per_s=1e12)
    >>> backends_to_choose(ENGINES["llama.cpp"], rtx, None)
    ('cuda', 'vulkan')
    """
    if not engine.backends or not device.family:
        return (backend or "",)
    known = engine.backends_on(device)
    if not known:
        others = [one.id for one in _ENGINES if one.backends_on(device)]
        instead = f"この device で動くもの: {'、'.join(others)}。" if others else ""
        raise InvalidValueError(
            f"engine {engine.id} は device {device.id} では動きません。動くところ: {engine.where}。{instead}"
        )
    if backend is None:
        return known
    if backend not in known:
        raise InvalidValueError(
            f"backend {backend} は、device {device.id} の engine {engine.id} にありません。使えるもの: {'、'.join(known)}。"
        )
    return (backend,)


@lru_cache(maxsize=4096)
def backend_that_reads(
    engine: Engine, backends: tuple[str, ...], weights: WeightFormat, kv_cache: WeightFormat, device: Device
) -> str:
    """Return the first of some backends with which an engine reads the weights and keeps the cache.

    Parameters
    ----------
    engine : Engine
        What runs the model.
    backends : tuple of str
        From `backends_to_choose`.
    weights, kv_cache : WeightFormat
        How weights, keys and values are stored.
    device : Device
        Where, for what to take instead.

    Returns
    -------
    str
        The backend.

    Raises
    ------
    InvalidValueError
        If it reads no such weights, or keeps no such cache; what it takes and
        who takes it is in the message.
    """
    if engine.caches or engine.reads:
        if kv_cache.packing and kv_cache.id not in engine.caches:
            allowed = "、".join(("f16", "bf16", *engine.caches))
            raise InvalidValueError(
                f"kv_cache {kv_cache.id} は engine {engine.id} では使えません。使えるもの: {allowed}。"
            )
    for backend in backends:
        if engine.reads_with(backend, weights):
            return backend
    others = [one.id for one in _ENGINES if one.backends_on(device) and one.reads_with("", weights)]
    instead = f"この形式を読むもの: {'、'.join(others)}。" if others else ""
    raise InvalidValueError(
        f"weights {weights.id} は engine {engine.id} では読めません。"
        f"読めるのは {'、'.join(engine.usual_formats)} などです。{instead}"
    )
