"""What a system keeps of a device's memory before a model gets any."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from ..catalog.reader import read_objects
from .device import Device


@dataclass(frozen=True, kw_only=True)
class MemoryReserve:
    """What is kept of the memory of one kind of device: a row of ``memory_reserves.csv``.

    How much that is differs from one reader's machine to the next, so it is a
    range: from what was seen at least to what is usual with a screen, a
    browser, or nothing set by hand.

    Parameters
    ----------
    id : str
        Short name.
    name : str
        Who keeps it, in Japanese.
    scopes : str
        Beginnings of the device ids and families it holds for, joined by
        ``|``; empty for all.
    unified_memory : bool
        Whether it holds for devices with unified memory only.
    memory_from_bytes : float
        Amount of memory that it holds for, and for more.
    kept_least_bytes, kept_most_bytes : float
        Ends of the range, the part that does not grow with the memory.
    kept_least_share, kept_most_share : float
        The part that does: shares of the memory, from 0 to 1.
    remedy : str
        What a reader can do to get nearer the lower end, in Japanese.
    """

    id: str
    name: str = ""
    scopes: str = ""
    unified_memory: bool = False
    memory_from_bytes: float = 0.0
    kept_least_bytes: float = 0.0
    kept_least_share: float = 0.0
    kept_most_bytes: float = 0.0
    kept_most_share: float = 0.0
    remedy: str = ""

    def holds_for(self, device: Device) -> bool:
        """Tell whether a device is of this kind."""
        if device.memory_capacity_bytes < self.memory_from_bytes or (self.unified_memory and not device.shares_memory):
            return False
        return any(device.family.startswith(scope) or device.id.startswith(scope) for scope in self.scopes.split("|"))

    def least_bytes(self, device: Device) -> float:
        """Bytes that are kept at least."""
        return self.kept_least_bytes + self.kept_least_share * device.memory_capacity_bytes

    def most_bytes(self, device: Device) -> float:
        """Bytes that may be kept as things usually are."""
        return self.kept_most_bytes + self.kept_most_share * device.memory_capacity_bytes


@cache
def memory_reserves() -> tuple[MemoryReserve, ...]:
    """All rows of ``memory_reserves.csv``, in the order in which the first that holds counts."""
    return read_objects(MemoryReserve, "memory_reserves.csv")


def reserve_of(device: Device) -> MemoryReserve:
    """Return what is kept of a device's memory.

    Examples
    --------
    macOS lets the GPU have two thirds of 16 GB unless told otherwise:

    >>> mini = Device(id="mini", family="apple-m4", memory_bandwidth_bytes_per_s=120e9,
    ...               memory_capacity_bytes=16 * 2**30)
    >>> reserve = reserve_of(mini)
    >>> reserve.name, round((mini.memory_capacity_bytes - reserve.most_bytes(mini)) / 2**20)
    ('macOS', 10922)
    """
    # The last row holds for everything.
    for reserve in memory_reserves():
        if reserve.holds_for(device):
            return reserve
    return MemoryReserve(id="none")
