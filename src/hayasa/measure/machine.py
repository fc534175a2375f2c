"""What kind of machine this is."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any


def machine_description() -> dict[str, Any]:
    """Say what kind of machine this is, without its name or any path."""
    return {
        "processor": _processor(),
        "logical_cores": os.cpu_count() or 1,
        "memory_bytes": _memory_bytes(),
        "caches_bytes": _caches_bytes(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _sysctl(name: str) -> str:
    """Ask macOS for a property of the machine; empty elsewhere."""
    if sys.platform != "darwin":
        return ""
    asked = subprocess.run(["sysctl", "-n", name], capture_output=True, text=True, check=False)
    return asked.stdout.strip()


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return _sysctl("machdep.cpu.brand_string") or platform.processor()


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0


def _caches_bytes() -> dict[str, int]:
    sizes = {}
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        try:
            level, kind, size = (
                (folder / name).read_text(encoding="utf-8").strip() for name in ("level", "type", "size")
            )
        except OSError:
            continue
        if kind != "Instruction" and size.endswith("K"):
            sizes[f"L{level}"] = int(size[:-1]) * 1024
    for level, names in {
        "L1": ("hw.perflevel0.l1dcachesize", "hw.l1dcachesize"),
        "L2": ("hw.perflevel0.l2cachesize", "hw.l2cachesize"),
        "L3": ("hw.l3cachesize",),
    }.items():
        found = next((text for text in map(_sysctl, names) if text.isdigit() and int(text)), "")
        if found:
            sizes[level] = int(found)
    return sizes


def peak_memory_bytes() -> int:
    """Return the most memory that this process has had so far; 0 where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
