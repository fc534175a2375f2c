"""Devices by the names people type.

A name is read in parts: amounts (memory, cores, watts, how many), the form
(SXM, PCIe, a laptop's), words that tell nothing ("NVIDIA", "搭載"), and what is
left, which has to be a name that the table knows.  Nothing that was not
understood is dropped, so that "富士通のM4" is no Apple M4.

Two rows whose names differ in amounts and form only are two readings of the
bare name.  The one that lists the bare name itself is the common one; a name
that begins with ``?`` is another reading that the table lists.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from ..errors import InvalidValueError, UnknownNameError
from ..machine.device import Device, sizes_text
from ..names import unknown_name
from ..units import GIB
from .reader import Row

if TYPE_CHECKING:
    from .objects import Processor


class DeviceName(NamedTuple):
    """What a name says.

    Parameters
    ----------
    key : str
        What tells devices apart: everything that is not said by the other parts.
    laptop : bool
        Whether it is a laptop's.
    form : str
        ``"sxm"``, ``"pcie"``, ``"nvl"``, ``"oam"``, or empty.
    memory_gb : float
        Memory; 0 if not said.
    memory_type : str
        ``"gddr6"``, ``"hbm3"``, …, or empty.
    gpu_cores : int
        GPU cores; 0 if not said.
    cores : int
        Cores of which it is not said whether they are the GPU's; 0 if not said.
    memory_kind : str
        Kind of memory (``"ddr5"``), if its speed is said.
    mega_transfers_per_s, channels : int
        Speed of the memory ("DDR5-6000") and its channels; 0 if not said.
    remarks : tuple of str
        What was understood but counts for nothing, in Japanese.
    """

    key: str
    laptop: bool = False
    form: str = ""
    memory_gb: float = 0.0
    memory_type: str = ""
    gpu_cores: int = 0
    cores: int = 0
    memory_kind: str = ""
    mega_transfers_per_s: int = 0
    channels: int = 0
    remarks: tuple[str, ...] = ()


# Letters are ASCII here and digits stand by themselves, as Japanese is written without blanks around them.
# Nothing has 0 of anything.
_START, _END = r"(?<![a-z\d.])(?!0+\D)", r"(?![a-z\d])"


def _pattern(*ways: str) -> re.Pattern[str]:
    return re.compile("|".join(ways), re.ASCII)


def _words(*words: str) -> str:
    return rf"(?<![a-z])(?:{'|'.join(words)}){_END}"


_TRADEMARKS = _pattern(r"[™®©]", r"\((?:r|tm|c)\)")
_COUNT = _pattern(
    r"^\s*(?!0+\D)(\d{1,3})\s*[x×]\s*(?=\S)",
    r"(?:\sx|(?<=\d)x|\s?×)\s*(\d{1,3})\s*$",
    rf"{_START}(\d{{1,3}})\s*[枚台基](?:の(?=\s*[a-z]))?",
)
_STORAGE = _pattern(r"\d+(?:\.\d+)?\s*[gt]i?b\s*(?:の\s*)?(?:ssd|nvme|storage|ストレージ)")
_WATTS = _pattern(rf"{_START}(\d{{2,4}})\s*w(?![a-z\d/])(?:\s*(?:power\s*)?(?:limit|cap|tgp|tdp|制限))?")

_RAM = r"(?:(?:unified|ユニファイド)\s*)?(?:memory|メモリー?|v?ram)"
_AMOUNT = rf"(?<![\d.])(?!0+\D)(\d+(?:\.\d+)?)\s*(?:gib|gb|ギガ(?:バイト)?){_END}"
_SHORT_AMOUNT = rf"{_START}(\d{{1,3}})\s*g{_END}"  # "16G", but the Ryzen 5600G has no 5600 GB
_MEMORY = _pattern(rf"(?:{_RAM}\s*[:：]?\s*)?(?:{_AMOUNT}|{_SHORT_AMOUNT})(?:\s*(?:の\s*)?{_RAM})?")
_MEMORY_TYPE = _pattern(rf"(?<![a-z])(gddr\d[xw]?|hbm\d?e?|lpddr\d?x?){_END}")
_TRANSFERS = _pattern(r"(?<![a-z])((?:lp)?ddr\d?x?)[\s-]*(\d{4,5})(?:\s*mt/s)?(?!\d)")
_CHANNELS = _pattern(
    rf"{_START}(\d{{1,2}})\s*-?\s*(?:ch{_END}|channels?|チャンネル)",
    r"(シングル|single|デュアル|dual|クアッド|quad)(?:\s*-?\s*(?:チャンネル|channel))?",
)
_CHANNELS_OF_WORD = {"シングル": 1, "single": 1, "デュアル": 2, "dual": 2, "クアッド": 4, "quad": 4}

_CORE = r"\s*-?\s*(?:cores?|コア)"
_CLUSTERS = _pattern(r"\d{1,2}p\s*\+\s*\d{1,2}e(?:\s*\+\s*(\d{1,2})\s*-?(?:core\s*)?gpu)?")
_GPU_CORES = _pattern(
    rf"{_START}(\d{{1,2}})(?:{_CORE})?\s*(?:の\s*)?-?gpu(?:{_CORE})?",
    rf"gpu\s*:?\s*(\d{{1,2}}){_CORE}",
    rf"{_START}(\d{{1,2}})\s*cus?{_END}",
)
_CPU_CORES = _pattern(
    rf"{_START}\d{{1,3}}{_CORE}\s*(?:の\s*)?-?cpu",
    rf"{_START}\d{{1,2}}\s*cpu(?=\s*(?:[,、)]|$))",
    rf"cpu\s*:?\s*\d{{1,3}}{_CORE}",
)
_CORES = _pattern(rf"{_START}(\d{{1,3}})(?:{_CORE}|c{_END})", r"(?<=ultra)\s+(\d{2})\s*$")  # "M3 Ultra 60"

_FORM = _pattern(rf"(?<![a-z])(sxm|pcie|pci-e|nvl|oam)\d?{_END}")
_LAPTOP = _pattern(
    r"(?<![a-z])(?:laptop|notebook|mobile)(?:\s*(?:gpu|pc))?(?![a-z])",
    r"(?:ノート(?:\s*pc|パソコン|ブック)?|ラップトップ|モバイル)(?:\s*(?:用|版|向け))?",
)

# What tells nothing of a device, so that a name may have it or not.
_SILENT = (
    # A computer that a chip is sold in: "MacBook Pro M4" has no M4 Pro.
    _pattern(
        r"(?<![a-z])(?:macbook|mac)[\s-]*(?:air|pro|mini|studio)(?:\s+1[3-6](?=\s))?(?=[\s\d(,-]|$)",
        r"(?<=m\d)[\s-]+(?:air|mini)(?![a-z])",
        _words("macbook", "mbp", "mba", "imac", "mac", "studio"),
        r"マックブック(?:・?(?:プロ|エアー?))?|マック・?(?:ミニ|スタジオ)|アイマック",
    ),
    # Its screen and its year.
    _pattern(r"(?<![a-z\d.-])1\d(?:\.\d)?[\s-]*(?:inch(?:es)?|インチ|型)"),
    _pattern(r"(?<![a-z\d-])20(?:1[5-9]|2\d)(?![\d.])(?:\s*年(?:\s*(?:モデル|版))?)?"),
    # A generation or a tier that the number says, too: "Ryzen 7 5800X" is the 5800X.
    _pattern(r"(?<![a-z\d])\d{1,2}(?:st|nd|rd|th)\s*gen(?:eration)?(?![a-z])", r"第\s*\d{1,2}\s*世代"),
    _pattern(
        r"(?<=ryzen)[\s-]*[3579](?!\d)(?:[\s-]+pro(?![a-z]))?(?=[\s-]*\d)",
        r"(?<![a-z])core[\s-]+(?=i[3579][\s-]*\d)",
        r"(?<![a-z])xeon[\s-]+(?:cpu[\s-]+)?(?=(?:platinum|gold|silver|bronze)\s*\d|e5|w\d)",
    ),
    # What a driver or a compiler calls a chip, and its clock.
    _pattern(
        r"\((?:znver\d|[a-z]*lake(?:-[a-z\d]+)?|[a-z]*bridge|haswell|broadwell|[a-z]*rapids|radv[^)]*|navi\s*\d+)\)",
        r"@?\s*\d+(?:\.\d+)?\s*[gm]hz",
    ),
    # Who makes it, and what kind of thing it is.
    _pattern(
        _words(
            *("nvidia", "geforce", "tesla", "amd", "radeon", "instinct", "intel", "apple", "qualcomm"),
            *("gpu", "igpu", "cpu", "graphics", "card", "processor", "chip", "desktop", "pc", "windows", "linux"),
            *("workstation", "edition", "generation", r"developer\s*kit", r"dev\s*kit", "with", "w/"),
            *("colab", "kaggle"),
        ),
        r"エヌビディア|アップル|インテル|クアルコム|ジーフォース|ラデオン|ライゼン(?=\s*[\da])|グラフィックス?(?:ボード|カード)|グラボ|デスクトップ(?:\s*pc)?|パソコン|ゲーミング",
        r"搭載|開発キット|モデル|版|の(?=\s*[a-z\d])",
    ),
)
_SEPARATORS = re.compile(r"[\s\-_()\[\]{},;/+・、。'\"]+", re.ASCII)


@lru_cache(maxsize=8192)
def read_name(name: str) -> DeviceName:
    """Read a name in parts.

    Examples
    --------
    >>> read_name("NVIDIA GeForce RTX 4060 Ti 16G")[:4]
    ('rtx4060ti', False, '', 16.0)
    >>> said = read_name("MacBook Pro M4 Max（GPU 40コア、メモリ64GB）")
    >>> said.key, said.memory_gb, said.gpu_cores
    ('m4max', 64.0, 40)
    >>> read_name("富士通のM4").key
    '富士通m4'
    """
    remarks = []
    count, text = _cut(_COUNT, _plain(name))
    if count:
        remarks.append(f"名前にある台数（{count}）は使いません。台数は devices（--devices）で指定します。")
    _, text = _cut(_STORAGE, text)
    watts, text = _cut(_WATTS, text)
    if watts:
        remarks.append(f"名前にある電力の上限（{watts} W）は、見積りに入れていません。")
    transfers = _TRANSFERS.search(text)
    _, text = _cut(_TRANSFERS, text)
    channels, text = _cut(_CHANNELS, text)
    memory_gb, text = _cut(_MEMORY, text)
    memory_type, text = _cut(_MEMORY_TYPE, text)
    gpu_cores, text = _cut(_CLUSTERS, text)
    if not gpu_cores:
        gpu_cores, text = _cut(_GPU_CORES, text)
    _, text = _cut(_CPU_CORES, text)
    cores, text = _cut(_CORES, text)
    form, text = _cut(_FORM, text)
    laptop = _LAPTOP.search(text) is not None
    _, text = _cut(_LAPTOP, text)
    for pattern in _SILENT:
        text = pattern.sub(" ", text)
    return DeviceName(
        key=_SEPARATORS.sub("", text) or (f"{transfers[1]}{transfers[2]}" if transfers else ""),
        laptop=laptop,
        form=form.replace("-", ""),
        memory_gb=float(memory_gb or 0),
        memory_type=memory_type,
        gpu_cores=int(gpu_cores or 0),
        cores=int(cores or 0),
        memory_kind=transfers[1] if transfers else "",
        mega_transfers_per_s=int(transfers[2]) if transfers else 0,
        channels=_CHANNELS_OF_WORD.get(channels) or int(channels or 0),
        remarks=tuple(remarks),
    )


def _cut(pattern: re.Pattern[str], text: str) -> tuple[str, str]:
    """Return the first group of what a pattern finds first that found something, and the text without all of it."""
    found = pattern.search(text)
    if found is None:
        return "", text
    return next((group for group in found.groups() if group), ""), pattern.sub(" ", text, 1)


class SpelledName(NamedTuple):
    """A name of a row.

    Parameters
    ----------
    id : str
        The row.
    name : str
        As it stands there.
    text : str
        The same in lower case, without what differs in look only.
    """

    id: str
    name: str
    text: str


def spelled_names(rows: Mapping[str, Row]) -> list[SpelledName]:
    """Return every name of every row."""
    return [
        SpelledName(id_, name, _plain(name))
        for id_, row in rows.items()
        for name in (id_, row["name"], *row["aliases"].split("|"))
        if name
    ]


def _plain(name: str) -> str:
    # First the signs, which would become letters.
    return unicodedata.normalize("NFKC", _TRADEMARKS.sub(" ", name.lower())).lower().strip()


def device_of_name(
    name: str,
    names: Sequence[SpelledName],
    rows: Mapping[str, Row],
    listed: Callable[[str], Device],
    processors: Mapping[str, Sequence[Processor]],
    memory_bytes: float = 0.0,
) -> Device:
    """Return the device that a name means.

    Parameters
    ----------
    name : str
        As typed.
    names : sequence of SpelledName
        From `spelled_names`.
    rows : mapping
        Rows by id.
    listed : callable
        Gives the device of an id.
    processors : mapping
        What a row of processors stands for, by its id.
    memory_bytes : float
        Memory of the reader's own, as if the name said it; 0 if not given.

    Returns
    -------
    Device
        With the memory that the name says, and with notes on how it was read.

    Raises
    ------
    UnknownNameError
        If no row answers to the name, or several do and none is the common one.
    InvalidValueError
        If no device of this name has that memory or so many cores.
    """
    said = read_name(name)
    if memory_bytes and said.memory_gb * GIB not in (0, memory_bytes):
        given = f"{memory_bytes / GIB:g} GB"
        raise InvalidValueError(f"device の名前 {name!r} にあるメモリと、指定されたメモリ {given} が合いません。")
    said = said._replace(memory_gb=said.memory_gb or memory_bytes / GIB)
    readings = _readings(said, names, rows)
    if _is_memory_alone(said) and not _channels_listed(said, readings):
        return _memory_alone(said)
    if not readings:
        raise unknown_name(name, rows, argument="device", what="デバイス")
    devices = [listed(id_) for id_ in readings]
    if said.memory_type:
        # Two makes of a chip may differ in the type of their memory, which makers do not always tell.
        devices = [one for one in devices if rows[one.id]["memory_kind"].lower() == said.memory_type] or devices
    fitting = _fitting(name, said, readings, devices)
    chosen = _common(name, said, readings, fitting)
    notes = said.remarks
    if said.cores and chosen.gpu_cores and not chosen.is_processor and _cores_are_the_cpus(said, fitting):
        notes = (*notes, f"名前にある {said.cores} コアは、CPU のものと読みました。見積りには入りません。")
    if len(fitting) > 1:
        others = "".join([f"「{_called(device)}」" for device in fitting if device.id != chosen.id])
        notes = (f"{name!r} には{others}もあります。「{_called(chosen)}」として答えました。", *notes)
    row = rows[chosen.id]
    if chosen.is_processor:
        chosen = _with_cores(said, chosen, processors.get(chosen.id, ()))
    return _with_memory(said, chosen, row, notes)


def _called(device: Device) -> str:
    """What a device is called where its kin have other amounts of memory."""
    if "GB" in device.name or len(device.memory_options_bytes) != 1:
        return device.name
    return f"{device.name}（{sizes_text(device.memory_options_bytes)}）"


def _amounts(said: DeviceName) -> tuple[object, ...]:
    """What a name says beside the key."""
    return said.form, said.memory_gb, said.gpu_cores, said.cores, said.channels, said.mega_transfers_per_s


def _readings(said: DeviceName, names: Sequence[SpelledName], rows: Mapping[str, Row]) -> dict[str, list[DeviceName]]:
    """Return the rows that a name may mean by its key, each with its own names.

    A processor, with graphics or without, has no laptop's variant: there the word tells nothing.
    """
    found = _named(said.key, said.laptop, names)
    if said.laptop and not found:
        found = _named(said.key, False, [name for name in names if _is_processor(rows[name.id])])
    return found


def _named(key: str, laptop: bool, names: Sequence[SpelledName]) -> dict[str, list[DeviceName]]:
    """Return the names that have a key, by row; a further reading adds a row, but no name."""
    found: dict[str, list[DeviceName]] = {}
    if not key:
        return found
    # A key is what is left of a text, so its letters stand there in their order; this is quickly seen.
    letters = [re.escape(letter) for letter in key]
    could_have_key = re.compile("".join([f"[^{letter}]*{letter}" for letter in letters]), re.ASCII)
    for id_, name, text in names:
        if not could_have_key.match(text):
            continue
        said = read_name(name.removeprefix("?"))
        if (said.key, said.laptop) == (key, laptop):
            found.setdefault(id_, []).extend([] if name.startswith("?") else [said])
    return found


def _is_processor(row: Row) -> bool:
    return row["unified_memory"] == "1" or row["family"].startswith("cpu")


def _fitting(
    name: str, said: DeviceName, readings: Mapping[str, list[DeviceName]], devices: list[Device]
) -> list[Device]:
    """Return the readings that have the form, the cores and the memory that the name says."""

    def names_say(device: Device, part: str) -> bool:
        return getattr(said, part) in [getattr(one, part) for one in readings[device.id]]

    fitting = devices
    if said.form:
        fitting = [
            device
            for device in fitting
            if names_say(device, "form") or not any(one.form for one in readings[device.id])
        ]
        if not fitting:
            raise unknown_name(name, readings, argument="device", what="デバイス")
    for part in ("channels", "mega_transfers_per_s"):
        if getattr(said, part):  # where no name says it, any processor may have it
            fitting = [device for device in fitting if names_say(device, part)] or fitting
    known = {device.gpu_cores for device in fitting}
    cores = said.gpu_cores or (0 if _cores_are_the_cpus(said, fitting) else said.cores)
    if cores and 0 not in known:
        if cores not in known:
            allowed = " か ".join([str(count) for count in sorted(known)])
            raise InvalidValueError(f"{name!r} の GPU のコアは {allowed} です（与えられた値: {cores}）。")
        fitting = [device for device in fitting if device.gpu_cores == cores]
    if said.memory_gb:
        size = said.memory_gb * GIB
        options = sorted({size for device in fitting for size in device.memory_options_bytes})
        fitting = [
            device
            for device in fitting
            if not device.memory_options_bytes or size in device.memory_options_bytes or names_say(device, "memory_gb")
        ]
        if not fitting:
            raise InvalidValueError(
                f"{name!r} のメモリは {sizes_text(tuple(options))} です（与えられた値: {said.memory_gb:g} GB）。"
            )
    return fitting


def _channels_listed(said: DeviceName, readings: Mapping[str, list[DeviceName]]) -> bool:
    return any(not said.channels or said.channels == one.channels for names in readings.values() for one in names)


def _cores_are_the_cpus(said: DeviceName, devices: list[Device]) -> bool:
    return said.cores not in [device.gpu_cores for device in devices]


def _common(name: str, said: DeviceName, readings: Mapping[str, list[DeviceName]], fitting: list[Device]) -> Device:
    """Return the reading that lists what the name says, else the one that lists the bare name, else ask."""
    if len(fitting) == 1:
        return fitting[0]
    for wanted in (_amounts(said), _amounts(DeviceName(""))):
        for device in fitting:
            if wanted in [_amounts(one) for one in readings[device.id]]:
                return device
    ids = tuple(device.id for device in fitting)
    raise UnknownNameError(
        f"device に指定されたデバイス {name!r} は、{'、'.join(ids)} のどれにも読めます。どれかを指定してください。", ids
    )


def _with_cores(said: DeviceName, device: Device, processors: Sequence[Processor]) -> Device:
    """Return a row's device with the cores of the very processor that the name says."""
    named = [one for one in processors if said.key.endswith(_SEPARATORS.sub("", _plain(one.name)))]
    if named:
        one = max(named, key=lambda processor: len(processor.name))
        device = replace(device, family=one.family, gpu_cores=one.cores, gpu_clock_hz=one.clock_hz)
    elif said.cores:
        device = replace(device, gpu_cores=said.cores)
    known = ("gpu_cores", "gpu_clock_hz") if named else ("gpu_cores",) if said.cores else ()
    return replace(device, estimated=tuple(name for name in device.estimated if name not in known))


def _with_memory(said: DeviceName, device: Device, row: Row, notes: tuple[str, ...]) -> Device:
    """Return a device with the amount and the speed of memory that the name says."""
    size = said.memory_gb * GIB
    if size and (size in device.memory_options_bytes or not device.memory_options_bytes):
        device = replace(device, memory_capacity_bytes=size)
    elif not size and len(device.memory_options_bytes) > 1:
        most = f"{device.memory_capacity_bytes / GIB:g} GB"
        notes = (*notes, f"メモリは最大の {most} としました（選べるもの: {sizes_text(device.memory_options_bytes)}）。")
    usual = int(row["memory_channels"] or 0)
    if not said.mega_transfers_per_s and not said.channels:
        return replace(device, notes=(*device.notes, *notes))
    if not usual:
        unused = "名前にあるメモリの速さやチャンネル数は使わず、この機種の公称の帯域幅で答えました。"
        return replace(device, notes=(*device.notes, *notes, unused))
    if _is_memory_alone(said):
        return replace(device, notes=notes)
    # The name says what the row could only assume.
    channels = said.channels or usual
    speed = said.mega_transfers_per_s or round(device.memory_bandwidth_bytes_per_s / _bandwidth_bytes_per_s(usual, 1))
    bandwidth = _bandwidth_bytes_per_s(channels, speed)
    used = f"メモリは {speed} MT/s、{channels} チャンネルとして、{bandwidth / 1e9:g} GB/s としました。"
    return replace(
        device,
        memory_bandwidth_bytes_per_s=bandwidth,
        estimated=tuple(name for name in device.estimated if name != "memory_bandwidth_bytes_per_s"),
        notes=(*notes, used),
    )


def _is_memory_alone(said: DeviceName) -> bool:
    return said.mega_transfers_per_s > 0 and said.key == f"{said.memory_kind}{said.mega_transfers_per_s}"


def _memory_alone(said: DeviceName) -> Device:
    """Return the CPU of which nothing is known but its memory."""
    channels = said.channels or 2
    kind = f"{said.memory_kind.upper()}-{said.mega_transfers_per_s}"
    assumed = () if said.channels else ("メモリのチャンネル数の指定がないため、2 としました。",)
    return Device(
        id=f"{kind.lower()}-{channels}ch",
        name=f"{kind}（{channels} チャンネル）",
        family="cpu",
        memory_bandwidth_bytes_per_s=_bandwidth_bytes_per_s(channels, said.mega_transfers_per_s),
        memory_capacity_bytes=said.memory_gb * GIB,
        notes=assumed + said.remarks,
    )


def _bandwidth_bytes_per_s(channels: int, mega_transfers_per_s: int) -> float:
    """A channel of memory is 8 bytes wide."""
    return channels * 8 * mega_transfers_per_s * 1e6
