"""A device as the estimate sees it: how fast it reads, how fast it computes."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import (
    InvalidValueError,
    require_choice,
    require_integer,
    require_non_negative,
    require_positive,
    require_tuple,
)
from ..names import hash_of_id
from ..units import GIB

# Formats a device may have a peak for, from many bits to few.
PEAK_FORMATS = ("fp32", "fp16", "bf16", "fp8", "int8", "int4", "fp4")

ESTIMATED_LABELS = {
    "memory_bandwidth_bytes_per_s": "帯域幅",
    "gpu_cores": "コアの数",
    "gpu_clock_hz": "クロック",
    "peak_fp32_flop_per_s": "fp32 のピーク",
    "peak_fp16_dense_flop_per_s": "fp16 のピーク",
    "peak_bf16_dense_flop_per_s": "bf16 のピーク",
    "peak_fp8_dense_flop_per_s": "fp8 のピーク",
    "peak_int8_dense_op_per_s": "int8 のピーク",
    "peak_fp4_dense_flop_per_s": "fp4 のピーク",
}
"""What of a device may be estimated, and what each is called in Japanese."""


@dataclass(frozen=True, kw_only=True)
class Device:
    """One accelerator, or one computer whose memory the model lies in.

    Parameters
    ----------
    id : str
        Short name.
    name, vendor, family : str
        Name as its makers write it, who makes it, and its architecture family
        such as ``"nvidia-ampere"`` or ``"apple-m4"``; the family decides which
        calibration is near.
    memory_bandwidth_bytes_per_s : float
        Theoretical memory bandwidth in bytes per second.
    memory_capacity_bytes : float
        Memory in bytes; 0 if unknown, then nothing is said about fitting.
    unified_memory : bool
        Whether the processor and its operating system live in the same memory.
    peak_fp32_flop_per_s, peak_fp16_dense_flop_per_s, peak_bf16_dense_flop_per_s, \
peak_fp8_dense_flop_per_s, peak_int8_dense_op_per_s, peak_int4_dense_op_per_s, \
peak_fp4_dense_flop_per_s : float
        Dense peaks in FLOP (or operations) per second; 0 if not published.
    peak_fp16_accumulate_fp16_dense_flop_per_s : float
        The fp16 peak where sums are kept in fp16 too, which is twice as fast
        on some devices; 0 if not published.
    link_bandwidth_bytes_per_s : float
        Bandwidth to a neighbouring device, one direction, in bytes per
        second; 0 if not published.
    gpu_cores : int
        GPU cores (Apple), multiprocessors (NVIDIA), compute units (AMD), or the cores of
        a processor that multiply matrices: where it has fast and efficient ones, the fast;
        0 if unknown.
    gpu_clock_hz : float
        Highest clock of these cores in cycles per second; 0 if unknown.
    dies : int
        Dies that the chip is joined of: 2 for Apple's Ultra.
    memory_options_bytes : tuple of float
        Amounts of memory, in bytes, that it is sold with; empty if any will do,
        as on a device of the reader's own.
    estimated : tuple of str
        Fields above, of `ESTIMATED_LABELS`, whose value is published nowhere
        and was estimated from kin.
    notes : tuple of str
        What to know about it, in Japanese; every estimate repeats it.

    Raises
    ------
    InvalidValueError
        If the bandwidth is not positive, another number is negative, or the
        capacity is none of `memory_options_bytes`.

    Examples
    --------
    >>> m4 = Device(id="m4", memory_bandwidth_bytes_per_s=120e9, memory_capacity_bytes=16e9)
    >>> m4.peak_flop_per_s("fp16")
    0.0
    """

    id: str
    name: str = ""
    vendor: str = ""
    family: str = ""
    memory_bandwidth_bytes_per_s: float
    memory_capacity_bytes: float = 0.0
    unified_memory: bool = False
    peak_fp32_flop_per_s: float = 0.0
    peak_fp16_dense_flop_per_s: float = 0.0
    peak_bf16_dense_flop_per_s: float = 0.0
    peak_fp8_dense_flop_per_s: float = 0.0
    peak_int8_dense_op_per_s: float = 0.0
    peak_int4_dense_op_per_s: float = 0.0
    peak_fp4_dense_flop_per_s: float = 0.0
    peak_fp16_accumulate_fp16_dense_flop_per_s: float = 0.0
    link_bandwidth_bytes_per_s: float = 0.0
    gpu_cores: int = 0
    gpu_clock_hz: float = 0.0
    dies: int = 1
    memory_options_bytes: tuple[float, ...] = ()
    estimated: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_positive("memory_bandwidth_bytes_per_s", self.memory_bandwidth_bytes_per_s, maximum=1e17)
        require_non_negative("memory_capacity_bytes", self.memory_capacity_bytes, maximum=1e18)
        for name in (*_PEAK_FIELDS.values(), "peak_fp16_accumulate_fp16_dense_flop_per_s"):
            require_non_negative(name, getattr(self, name), maximum=1e21)
        require_non_negative("link_bandwidth_bytes_per_s", self.link_bandwidth_bytes_per_s, maximum=1e17)
        require_integer("gpu_cores", self.gpu_cores, 0, 10**6)
        require_integer("dies", self.dies, 1, 10**4)
        require_non_negative("gpu_clock_hz", self.gpu_clock_hz, maximum=1e12)
        require_tuple("memory_options_bytes", self.memory_options_bytes)
        require_tuple("estimated", self.estimated)
        require_tuple("notes", self.notes)
        for size in self.memory_options_bytes:
            require_positive("memory_options_bytes", size, maximum=1e18)
        for name in self.estimated:
            require_choice("estimated", name, tuple(ESTIMATED_LABELS))
        if self.memory_options_bytes and self.memory_capacity_bytes not in self.memory_options_bytes:
            raise InvalidValueError(
                f"{self.name or self.id} のメモリは {sizes_text(self.memory_options_bytes)} です"
                f"（与えられた値: {self.memory_capacity_bytes / GIB:g} GB）。"
            )

    __hash__ = hash_of_id

    @property
    def is_processor(self) -> bool:
        """Whether its cores are those of a processor."""
        return self.family.startswith("cpu")

    @property
    def shares_memory(self) -> bool:
        """Whether processor and GPU share one memory, or it is a processor."""
        return self.unified_memory or self.is_processor or self.family.startswith("apple")

    def peak_flop_per_s(self, compute_format: str) -> float:
        """Dense peak for numbers of a format.

        Where the device has no published peak for the format, the next wider
        one counts: the numbers are converted and multiplied there.  fp32
        stands in for nothing: 16-bit units beside it, if there are any, are
        faster.

        Parameters
        ----------
        compute_format : str
            One of `PEAK_FORMATS`.

        Returns
        -------
        float
            FLOP per second; 0 if no such peak is published.

        Examples
        --------
        >>> gpu = Device(id="x", memory_bandwidth_bytes_per_s=1e12,
        ...              peak_fp16_dense_flop_per_s=312e12, peak_int8_dense_op_per_s=624e12)
        >>> gpu.peak_flop_per_s("int4") / 1e12, gpu.peak_flop_per_s("bf16") / 1e12
        (624.0, 312.0)
        """
        for wider in _WIDER[compute_format]:
            peak: float = getattr(self, _PEAK_FIELDS[wider])
            if wider == "fp16":
                peak = max(peak, self.peak_fp16_accumulate_fp16_dense_flop_per_s)
            if peak:
                return peak
        return 0.0


def sizes_text(sizes_bytes: tuple[float, ...]) -> str:
    """Write amounts of memory as they are sold.

    Examples
    --------
    >>> sizes_text((16 * 2**30, 24 * 2**30))
    '16 GB か 24 GB'
    """
    return " か ".join([f"{size / GIB:g} GB" for size in sizes_bytes])


_PEAK_FIELDS = {
    "fp32": "peak_fp32_flop_per_s",
    "fp16": "peak_fp16_dense_flop_per_s",
    "bf16": "peak_bf16_dense_flop_per_s",
    "fp8": "peak_fp8_dense_flop_per_s",
    "int8": "peak_int8_dense_op_per_s",
    "int4": "peak_int4_dense_op_per_s",
    "fp4": "peak_fp4_dense_flop_per_s",
}

_WIDER = {
    "fp32": ("fp32",),
    "fp16": ("fp16", "bf16"),
    "bf16": ("bf16", "fp16"),
    "fp8": ("fp8", "fp16", "bf16"),
    "int8": ("int8", "fp16", "bf16"),
    "int4": ("int4", "int8", "fp16", "bf16"),
    "fp4": ("fp4", "fp8", "fp16", "bf16"),
}
