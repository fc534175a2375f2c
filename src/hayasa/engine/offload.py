"""What a part of the model on the host costs: one row of ``data/offload_calibrations.csv``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from ..catalog.reader import read_objects
from ..errors import DataFileError
from ..machine.host import Host, link_bytes_per_s
from .engines import Engine
from .waits import FETCH_WEIGHTS, HOST_CORES, READ_HOST, Wait

COMPUTES = "computes"
"""The host multiplies with the weights that lie there, as llama.cpp has it."""

SENDS = "sends"
"""The weights that lie there are sent to the device in every step, as vLLM has it."""

SENDING_ENGINES = ("vllm", "sglang")
"""Engines with ``--cpu-offload-gb``."""

TOKENS_WORTH_SENDING = 32
"""Tokens from which on llama.cpp sends the weights to the device, too, and multiplies there.

Source: ``op_offload_min_batch_size`` of ggml's backends, 32 by default.
"""


@dataclass(frozen=True, kw_only=True)
class OffloadCalibration:
    """What was measured of hosts.

    Parameters
    ----------
    id : str
        ``engine/backend`` of the measurements.
    host_read_factor, measured_host_read_factor : float
        Time to read over the ideal, of a theoretical bandwidth and of a measured one.
    host_cores_bytes_per_s : float
        Bytes per second that the cores of a desktop can multiply with, however fast its memory is.
    host_cores_share : float
        The same for hosts with many channels, which have more cores: a share of their theoretical bandwidth.
    hand_over_s : float
        Seconds to go over to the host and to come back.
    fetch_factor : float
        Time to send weights to the device over the ideal, when reading a prompt.
    fetch_spread : float
        By what factor a machine that was not measured may be off in that, either way.
    low_factor, high_factor : float
        Ends of the 90 % interval over the estimate.
    own_low_factor, own_high_factor : float
        The same where the host's own speed with the model is known.
    rows, machines, models : int
        Measurements behind it, and how many machines and models they span.
    error_in_sample, error_machine_held_out, error_model_held_out, error_source_held_out, \
error_year_held_out : float
        Mean absolute relative error on all rows, and on what the fit had not seen.
    error_offloaded_machine_held_out : float
        The same on machines that were not seen, of the rows with a device alone.
    coverage_machine_held_out : float
        Share of the held-out rows inside an interval made without them.
    note : str
        What to know about it, in Japanese.
    """

    id: str
    host_read_factor: float = 1.0
    measured_host_read_factor: float = 1.0
    host_cores_bytes_per_s: float = 0.0
    host_cores_share: float = 1.0
    hand_over_s: float = 0.0
    fetch_factor: float = 1.0
    fetch_spread: float = 1.0
    low_factor: float = 1.0
    high_factor: float = 1.0
    own_low_factor: float = 1.0
    own_high_factor: float = 1.0
    rows: int = 0
    machines: int = 0
    models: int = 0
    error_in_sample: float = 0.0
    error_machine_held_out: float = 0.0
    error_offloaded_machine_held_out: float = 0.0
    error_model_held_out: float = 0.0
    error_source_held_out: float = 0.0
    error_year_held_out: float = 0.0
    coverage_machine_held_out: float = 0.0
    note: str = ""


IDEAL_OFFLOAD = OffloadCalibration(id="ideal")
"""Physics alone."""


@cache
def offload_calibration() -> OffloadCalibration:
    """Return what was measured of hosts.

    Raises
    ------
    DataFileError
        If ``offload_calibrations.csv`` is missing or empty, or a cell holds no number.
    """
    found = read_objects(OffloadCalibration, "offload_calibrations.csv")
    if not found:
        raise DataFileError("offload_calibrations.csv に行がありません。make calibrate で作り直せます。")
    return found[0]


def way_of(engine: Engine, keeps_embedding_on_host: bool) -> str:
    """Tell what an engine does with weights on the host; empty if it leaves none there.

    Parameters
    ----------
    engine : Engine
        What runs the model.
    keeps_embedding_on_host : bool
        Whether it is llama.cpp, or runs it, as `EngineMemory.embedding_on_host` says.

    Examples
    --------
    >>> from .engines import ENGINES
    >>> [way_of(ENGINES["ollama"], True), way_of(ENGINES["vllm"], False), way_of(ENGINES["exllamav3"], False)]
    ['computes', 'sends', '']
    """
    if keeps_embedding_on_host or engine.id == "ideal":
        return COMPUTES
    return SENDS if engine.id in SENDING_ENGINES else ""


def reading_waits(calibration: OffloadCalibration, host: Host, n_bytes: float, own_bytes_per_s: float) -> list[Wait]:
    """Return the waits of a host that multiplies with some bytes of its memory.

    Memory and cores work at the same time, as on a device: of the two the longer counts.

    Parameters
    ----------
    calibration : OffloadCalibration
        What was measured.
    host : Host
        Where.
    n_bytes : float
        Bytes of weights and caches.
    own_bytes_per_s : float
        Bytes per second at which it ran this very model alone; 0 if unknown.

    Examples
    --------
    >>> desktop = Host(id="h", memory_bandwidth_bytes_per_s=50e9)
    >>> row = OffloadCalibration(id="x", host_cores_bytes_per_s=40e9, host_cores_share=0.4)
    >>> [(wait.name, wait.seconds, wait.hidden) for wait in reading_waits(row, desktop, 1e9, 0.0)]
    [('read_host', 0.02, True), ('host_cores', 0.025, False)]
    """
    if own_bytes_per_s:
        return [Wait(READ_HOST, 1.0, n_bytes / own_bytes_per_s)]
    load_s = n_bytes / host.memory_bandwidth_bytes_per_s
    if host.is_measured or not calibration.host_cores_bytes_per_s:
        return [Wait(READ_HOST, calibration.measured_host_read_factor if host.is_measured else 1.0, load_s)]
    reading = Wait(READ_HOST, calibration.host_read_factor, load_s)
    share = calibration.host_cores_share * host.memory_bandwidth_bytes_per_s
    cores = Wait(HOST_CORES, 1.0, n_bytes / max(calibration.host_cores_bytes_per_s, share))
    return [reading.hide(), cores] if cores.seconds > reading.seconds else [reading, cores.hide()]


def fetching_wait(calibration: OffloadCalibration, host: Host, n_bytes: float) -> Wait:
    """Return the wait for some bytes of weights on their way to the device."""
    return Wait(FETCH_WEIGHTS, calibration.fetch_factor, n_bytes / link_bytes_per_s(host))
