"""The computer that a device is plugged into: its own memory, and the ways out of it."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import InvalidValueError, require_non_negative
from ..names import hash_of_id

PCIE_4_X16_BYTES_PER_S = 16e9 * 128 / 130 * 16 / 8
"""One direction of a slot as most cards have it: 16 lanes of 16 GT/s, 128 of 130 bits of which are data."""


@dataclass(frozen=True, kw_only=True)
class Host:
    """A computer's own memory, in which a part of a model lies that a device has no room for.

    How fast it is follows from one of two numbers: its memory bandwidth, or
    the speed at which the same model in the same format runs there alone.

    Parameters
    ----------
    id : str
        Short name.
    name : str
        Name as it is usually written.
    memory_bandwidth_bytes_per_s : float
        Bandwidth of all channels together, in bytes per second; 0 if only
        `tokens_per_s` is known.
    is_measured : bool
        Whether the bandwidth was measured; else it is the theoretical one.
    tokens_per_s : float
        Tokens per second of the very model on the processor alone; 0 if unknown.
    memory_capacity_bytes : float
        Memory in bytes; 0 if unknown, then nothing is said about fitting.
    link_bandwidth_bytes_per_s : float
        Bandwidth of the slot that the device is in, one direction, in bytes
        per second; 0 if unknown.
    disk_bandwidth_bytes_per_s : float
        Bandwidth of the SSD that the model's file lies on; 0 if unknown.

    Raises
    ------
    InvalidValueError
        If a number is out of range, or neither bandwidth nor speed is given.

    Examples
    --------
    >>> Host(id="desktop", memory_bandwidth_bytes_per_s=89.6e9).is_measured
    False
    """

    id: str
    name: str = ""
    memory_bandwidth_bytes_per_s: float = 0.0
    is_measured: bool = False
    tokens_per_s: float = 0.0
    memory_capacity_bytes: float = 0.0
    link_bandwidth_bytes_per_s: float = 0.0
    disk_bandwidth_bytes_per_s: float = 0.0

    def __post_init__(self) -> None:
        require_non_negative("memory_bandwidth_bytes_per_s", self.memory_bandwidth_bytes_per_s, maximum=1e17)
        require_non_negative("tokens_per_s", self.tokens_per_s, maximum=1e9)
        require_non_negative("memory_capacity_bytes", self.memory_capacity_bytes, maximum=1e18)
        require_non_negative("link_bandwidth_bytes_per_s", self.link_bandwidth_bytes_per_s, maximum=1e17)
        require_non_negative("disk_bandwidth_bytes_per_s", self.disk_bandwidth_bytes_per_s, maximum=1e17)
        if not (self.memory_bandwidth_bytes_per_s or self.tokens_per_s):
            raise InvalidValueError(
                "host には、memory_bandwidth_bytes_per_s（メモリ帯域幅）か"
                " tokens_per_s（CPU だけでの速さ）を指定してください（与えられた値: どちらも 0）。"
            )

    __hash__ = hash_of_id


def link_bytes_per_s(host: Host) -> float:
    """Return the bandwidth between host and device; `PCIE_4_X16_BYTES_PER_S` where it is unknown.

    Examples
    --------
    >>> round(link_bytes_per_s(Host(id="h", memory_bandwidth_bytes_per_s=9e10)) / 1e9, 1)
    31.5
    """
    return host.link_bandwidth_bytes_per_s or PCIE_4_X16_BYTES_PER_S
