"""A part of the model in the host's memory: what lies there, and what a step waits for it."""

from __future__ import annotations

from typing import NamedTuple

from ..engine.buffers import memory_of
from ..engine.calibration import FALLBACK_WIDENING, ChosenCalibration
from ..engine.engines import Engine
from ..engine.offload import (
    COMPUTES,
    IDEAL_OFFLOAD,
    SENDING_ENGINES,
    SENDS,
    TOKENS_WORTH_SENDING,
    OffloadCalibration,
    fetching_wait,
    offload_calibration,
    reading_waits,
    way_of,
)
from ..engine.waits import HAND_OVERS, READ_DISK, Wait
from ..errors import MAX_LAYERS, InvalidValueError
from ..machine.device import Device
from ..machine.host import PCIE_4_X16_BYTES_PER_S, Host
from ..machine.reserve import reserve_of
from ..model.placement import HostPart, Placement, host_part, placement_of
from ..model.shape import Model
from ..model.weights import WeightFormat, weight_bytes
from ..model.work import Work, step_work
from ..units import gibibytes, scaled
from .fit import MemoryFit
from .prompt import PromptTime
from .step import step_s

ASSUMED_DISK_BYTES_PER_S = PCIE_4_X16_BYTES_PER_S / 4
"""What the slot of an SSD lets through, four lanes of PCIe 4.0, where its bandwidth is unknown."""


class Offload(NamedTuple):
    """What of a model lies in the host's memory, and what a step does there.

    Parameters
    ----------
    host : Host
        The computer that the device is in.
    gpu_layers, cpu_moe_layers : int
        What was asked for.
    way : str
        ``"computes"`` where the host multiplies with what lies there,
        ``"sends"`` where the device fetches it.
    part : HostPart
        What lies there, and its share of a step's work.
    calibration : OffloadCalibration
        What was measured of hosts.
    own_bytes_per_s : float
        Bytes per second at which the host runs this very model alone; 0 if unknown.
    fit : MemoryFit
        What lies in the host's memory and what there is.
    """

    host: Host
    gpu_layers: int
    cpu_moe_layers: int
    way: str
    part: HostPart
    calibration: OffloadCalibration
    own_bytes_per_s: float
    fit: MemoryFit

    @property
    def bytes_per_step(self) -> float:
        """Bytes of weights and caches on the host that a step needs."""
        return self.part.work.weight_bytes + self.part.work.kv_bytes

    @property
    def is_bound(self) -> bool:
        """Whether `bound_s` is what physics allows, not what was measured."""
        return self.way == SENDS or not (self.host.is_measured or self.own_bytes_per_s)

    @property
    def missing_share(self) -> float:
        """Share of what should lie in the host's memory for which there is no room at best."""
        required = self.fit.required_bytes
        if not (self.fit.capacity_bytes and required):
            return 0.0
        return max(0.0, 1 - self.fit.available_most_bytes / required)

    @property
    def bound_s(self) -> float:
        """Seconds per step that the host's memory, or the slot, takes at least."""
        if self.own_bytes_per_s:
            return self.bytes_per_step / self.own_bytes_per_s
        if self.way == SENDS:
            return fetching_wait(IDEAL_OFFLOAD, self.host, self.bytes_per_step).load_s
        return self.bytes_per_step / self.host.memory_bandwidth_bytes_per_s

    def step_waits(self) -> list[Wait]:
        """Return what a decode step waits for on the host and on the way to it."""
        if self.way == SENDS:
            waits = [fetching_wait(self.calibration, self.host, self.bytes_per_step)]
        else:
            waits = reading_waits(self.calibration, self.host, self.bytes_per_step, self.own_bytes_per_s)
            if self.part.hand_overs and self.calibration.hand_over_s:
                waits.append(Wait(HAND_OVERS, self.part.hand_overs, self.calibration.hand_over_s))
        return waits + self.disk_waits(self.bytes_per_step)

    def disk_waits(self, n_bytes: float) -> list[Wait]:
        """Return the wait for that share of some bytes for which the memory has no room: none if it has."""
        if not self.missing_share:
            return []
        bandwidth = self.host.disk_bandwidth_bytes_per_s or ASSUMED_DISK_BYTES_PER_S
        return [Wait(READ_DISK, 1.0, self.missing_share * n_bytes / bandwidth)]

    def prompt_waits(self, prompt_length: int, micro_batch: int) -> list[Wait]:
        """Return what reading a prompt waits for beside what it waits for where all lies on the device.

        The weights go to the device once per micro-batch, but for those of
        few tokens, which the host multiplies itself.

        Parameters
        ----------
        prompt_length : int
            Tokens of the prompt.
        micro_batch : int
            Tokens that are computed together; 0 for all.
        """
        together = min(prompt_length, micro_batch or prompt_length)
        n_bytes = self.part.weights.read_bytes(together) * prompt_length / together
        if self.way == COMPUTES and together < TOKENS_WORTH_SENDING:
            waits = reading_waits(self.calibration, self.host, n_bytes, self.own_bytes_per_s)
        else:
            waits = [fetching_wait(self.calibration, self.host, n_bytes)]
        return waits + self.disk_waits(n_bytes)


def offloaded_prompt(time: PromptTime, offload: Offload, tokens: int) -> PromptTime:
    """Return how long it takes to read so many tokens of prompts, from how long it takes where all lies on the device.

    Physics allows that all tokens of a micro-batch take the same experts.
    """
    waits = offload.prompt_waits(tokens, time.micro_batch)
    seconds, spread, stored = step_s(waits), offload.calibration.fetch_spread, offload.part.weights
    fewest = stored.read_bytes(1) / stored.read_bytes(min(tokens, time.micro_batch))
    bound_s = time.bound_s + waits[0].load_s * fewest
    return PromptTime(
        (*time.waits, *waits),
        time.micro_batch,
        time.best_s + seconds,
        time.slow_s + seconds * spread,
        max(time.fast_s + seconds / spread, bound_s),
        bound_s,
        time.chosen,
    )


def require_split(
    model: Model,
    device: Device,
    engine: Engine,
    backend: str,
    gpu_layers: int | None,
    cpu_moe_layers: int | None,
) -> Placement:
    """Return where the layers lie, or say why they cannot.

    Raises
    ------
    InvalidValueError
        If a number is out of range, the device has no host of its own, the
        engine leaves nothing there, or the model has no experts to leave.
    """
    if device.shares_memory:
        raise InvalidValueError(
            f"host は device {device.id} では指定できません。CPU と GPU が同じメモリを使うので、分けるものがありません。"
        )
    way = way_of(engine, memory_of(engine, backend).embedding_on_host)
    if not way:
        raise InvalidValueError(
            f"engine {engine.id} は、モデルの一部を CPU の側に置けません。"
            f"置けるもの: llama.cpp とそれを使うもの、{'、'.join(SENDING_ENGINES)}。"
        )
    placement = placement_of(
        model,
        MAX_LAYERS if gpu_layers is None else gpu_layers,
        0 if cpu_moe_layers is None else cpu_moe_layers,
    )
    experts = placement.expert_layers
    if experts and not model.moe_layers:
        raise InvalidValueError(
            f"cpu_moe_layers は、専門家のある model で指定してください。{model.id} にはありません"
            f"（与えられた値: {cpu_moe_layers}）。gpu_layers を使えます。"
        )
    if experts and way == SENDS:
        raise InvalidValueError(
            f"cpu_moe_layers は engine {engine.id} にはありません（与えられた値: {cpu_moe_layers}）。"
            "gpu_layers を使えます。"
        )
    return placement


def offload_of(
    model: Model,
    weights: WeightFormat,
    kv_cache: WeightFormat,
    engine: Engine,
    backend: str,
    host: Host,
    placement: Placement,
    work: Work,
    batch_size: int,
    context_length: int,
) -> Offload:
    """Return what of a model lies on the host."""
    way = way_of(engine, memory_of(engine, backend).embedding_on_host)
    part = host_part(
        model,
        weights,
        kv_cache,
        placement,
        work,
        batch_size=batch_size,
        context_length=context_length,
        keeps_cache=way == COMPUTES,
    )
    own_bytes_per_s = 0.0
    if host.tokens_per_s and way == COMPUTES:
        # As such speeds are measured: one sequence, little context.
        alone = step_work(model, weights, kv_cache)
        own_bytes_per_s = host.tokens_per_s * (alone.weight_bytes + alone.kv_bytes)
    embedding_bytes = weight_bytes(model, weights).embedding_bytes
    processor = Device(
        id="host",
        family="cpu",
        memory_bandwidth_bytes_per_s=host.memory_bandwidth_bytes_per_s or 1.0,
        memory_capacity_bytes=host.memory_capacity_bytes,
    )
    reserve = reserve_of(processor)
    return Offload(
        host=host,
        gpu_layers=0 if placement.output_on_host else model.layers + 1 - placement.host_layers,
        cpu_moe_layers=placement.expert_layers,
        way=way,
        part=part,
        calibration=IDEAL_OFFLOAD if engine.id == "ideal" else offload_calibration(),
        own_bytes_per_s=own_bytes_per_s,
        fit=MemoryFit(
            weights_bytes=part.weights.resident_bytes + embedding_bytes,
            kv_cache_bytes=part.cache_bytes,
            state_bytes=0.0,
            buffer_bytes=0.0,
            capacity_bytes=host.memory_capacity_bytes,
            kept_least_bytes=reserve.least_bytes(processor),
            kept_most_bytes=reserve.most_bytes(processor),
            kept_by=reserve.name,
            remedy=reserve.remedy,
        ),
    )


def with_host(chosen: ChosenCalibration, offload: Offload, batch_size: int) -> ChosenCalibration:
    """Return a calibration of the device as it applies to a step that is shared with the host.

    Its interval is that of shared steps, widened by what is not known here.
    """
    notes: list[str] = []
    host, row = offload.host, offload.calibration
    low, high = row.low_factor, row.high_factor
    if offload.own_bytes_per_s:
        low, high = row.own_low_factor, row.own_high_factor
    if offload.way == SENDS:
        offloaded = scaled(offload.part.weights.resident_bytes, "B")
        notes.append(
            f"CPU の側の重み {offloaded} を、毎回 GPU へ運ぶものとしました（--cpu-offload-gb）。実測はありません。"
        )
        notes.append("運ぶ速さは、llama.cpp がプロンプトを処理するときの実測で代えました。")
    elif f"{chosen.calibration.engine}/{chosen.calibration.backend}" != row.id:
        notes.append(f"CPU の側の待ちには、{row.id} の実測を使いました。")
    if not host.link_bandwidth_bytes_per_s:
        link = "CPU と GPU のあいだは、PCIe 4.0 x16 と仮定しました。"
        if offload.way == SENDS:
            notes.append(link)
    if batch_size > 1 and offload.way == COMPUTES:
        notes.append("CPU が 2 系列目から計算に掛ける時間を数えていません。")
    if offload.missing_share:
        missing = gibibytes(offload.missing_share * offload.fit.required_bytes)
        speed = "" if host.disk_bandwidth_bytes_per_s else "（速さは PCIe 4.0 x4 と仮定）"
        notes.append(f"主記憶に入らない {missing} を、毎回 SSD から読みます{speed}。最もうまくいったときの速さです。")
        notes.append("SSD から読むときの速さは、実測と合わせていません。")
    widening = FALLBACK_WIDENING ** len(notes)
    return ChosenCalibration(
        calibration=chosen.calibration,
        paces=chosen.paces,
        step_factor=chosen.step_factor,
        batch_share=chosen.batch_share,
        low_factor=min(chosen.low_factor, low**widening),
        high_factor=max(chosen.high_factor, high**widening),
        notes=(*chosen.notes, *notes),
    )
