"""The model and the machine that a command is about: named, in a file, or in the reader's own numbers."""

from __future__ import annotations

import argparse
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..catalog.objects import get_device, get_model
from ..errors import InvalidValueError, UnknownNameError
from ..machine.device import Device
from ..model.shape import Model
from .amounts import BANDWIDTHS, CLOCKS, COUNTS, PEAKS, integer, memory_bytes, quantity

if TYPE_CHECKING:
    from ..model.weights import WeightFormat
    from .parser import Parser

FILES = (".gguf", ".json")
"""Endings of files that `--model` reads wherever they lie; others are told from names by their folder."""


def add_model(command: Parser) -> None:
    """Add the options that say which model."""
    add = command.add_argument
    add(
        "--model",
        metavar="名前かファイル",
        help="モデル（一覧: hayasa models）、または手元の .gguf か config.json",
    )
    add("--parameters", metavar="数", help="一覧にないモデルの、パラメータ数。8B や 70億 と書く")
    add("--active", metavar="数", help="そのうち 1 トークンごとに使う数（既定: すべて）")


def add_device(command: Parser) -> None:
    """Add the options that say which machine."""
    add = command.add_argument
    add(
        "--device",
        action="append",
        metavar="名前",
        help="デバイス（一覧: hayasa devices）。違うものを何台か使うなら、その数だけ並べる",
    )
    add("--memory", metavar="GiB", help="手元のデバイスのメモリ。16 や 16GB と書く（既定: その機種の最大）")
    add("--bandwidth", metavar="GB/s", help="メモリ帯域幅。一覧にないデバイスは、これだけで見積れる")
    add("--cores", metavar="数", help="GPU の演算器の数（Apple のコア、NVIDIA の SM、AMD の CU）")
    add("--clock", metavar="GHz", help="その最高クロック")
    add("--peak", metavar="TFLOPS", help="16 ビットの演算の速さ（密行列）")


def names_model(arguments: argparse.Namespace) -> bool:
    """Tell whether an option says anything of the model."""
    return any(one is not None for one in (arguments.model, arguments.parameters, arguments.active))


def names_device(arguments: argparse.Namespace) -> bool:
    """Tell whether an option says anything of the machine."""
    return any(one is not None for one in (arguments.device, *_own_numbers(arguments)))


def model_of(arguments: argparse.Namespace) -> tuple[str | Model, WeightFormat | None]:
    """Return the model that the options name, and the format if its file says it."""
    if arguments.parameters is not None:
        if arguments.model is not None:
            raise InvalidValueError("--model と --parameters は、どちらか一方を指定してください。")
        return _by_count(arguments), None
    if arguments.active is not None:
        raise InvalidValueError("--active は、--parameters と一緒に指定してください。")
    if arguments.model is None:
        raise InvalidValueError("--model か --parameters を指定してください。")
    name = str(arguments.model)
    is_named_so = name.lower().endswith(FILES)
    if (is_named_so or "/" in name or "\\" in name) and Path(name).is_file():
        from ..files.read import read_model  # most questions name a model

        return read_model(name)
    if is_named_so:
        try:
            get_model(name)
        except UnknownNameError as error:
            raise UnknownNameError(f"{name} というファイルはありません。{error}", error.suggestions) from None
    return name, None


def _by_count(arguments: argparse.Namespace) -> Model:
    total = quantity("--parameters", arguments.parameters, COUNTS, "8B や 70億")
    active = 0.0
    if arguments.active is not None:
        active = quantity("--active", arguments.active, COUNTS, "3B や 30億")
    if active > total:
        raise InvalidValueError(f"--active は --parameters の {arguments.parameters} 以下で指定してください。")
    return Model(id=f"{arguments.parameters}", stated_parameters=total, stated_active_parameters=active)


def machines_of(arguments: argparse.Namespace) -> tuple[str | Device | None, int | list[str]]:
    """Return the machine and how many of it, or no machine and the names of several unlike ones."""
    given, text = arguments.device or [], arguments.count
    named = _names_in(text)
    if (named and given) or (len(given) > 1 and text is not None):
        raise InvalidValueError(
            "デバイスの並びは、--device を並べるか --devices に書くか、どちらか一方で指定してください。"
        )
    several = named or (given if len(given) > 1 else [])
    if not several:
        return device_of(arguments), count_of(arguments)
    if any(one is not None for one in _own_numbers(arguments)):
        raise InvalidValueError("--memory、--bandwidth などの値は、デバイスを並べるときには指定できません。")
    return None, several


def count_of(arguments: argparse.Namespace) -> int:
    """Return how many devices the options ask for."""
    return integer("--devices", "1" if arguments.count is None else arguments.count)


def _names_in(text: str | None) -> list[str]:
    """Return the devices that ``--devices`` names; none if it counts them."""
    # argparse makes an empty list of the value --.
    if not isinstance(text, str):
        return []
    try:
        integer("--devices", text)
    except InvalidValueError:
        names = [name.strip() for name in text.split(",")]
        # What has no letter was meant as a number: the error for that says more.
        return names if all(any(map(str.isalpha, name)) for name in names) else []
    return []


def _own_numbers(arguments: argparse.Namespace) -> tuple[str | None, ...]:
    return arguments.memory, arguments.bandwidth, arguments.cores, arguments.clock, arguments.peak


def device_of(arguments: argparse.Namespace) -> str | Device:
    """Return the machine that the options name, with the reader's own numbers in the place of the table's."""
    own: dict[str, float | int] = {}
    if arguments.bandwidth is not None:
        bandwidth = quantity("--bandwidth", arguments.bandwidth, BANDWIDTHS, "273 や 273GB/s")
        own["memory_bandwidth_bytes_per_s"] = bandwidth
    if arguments.cores is not None:
        own["gpu_cores"] = integer("--cores", arguments.cores)
    if arguments.clock is not None:
        own["gpu_clock_hz"] = quantity("--clock", arguments.clock, CLOCKS, "1.4 や 1400MHz")
    if arguments.peak is not None:
        own["peak_fp16_dense_flop_per_s"] = quantity("--peak", arguments.peak, PEAKS, "29 や 29TFLOPS")
    memory = 0.0 if arguments.memory is None else memory_bytes("--memory", arguments.memory)
    if not arguments.device:
        if "memory_bandwidth_bytes_per_s" not in own:
            raise InvalidValueError("--device か --bandwidth を指定してください。")
        name = f"手元のデバイス（{own['memory_bandwidth_bytes_per_s'] / 1e9:g} GB/s）"
        return Device(id="手元のデバイス", name=name, memory_capacity_bytes=memory, **own)  # type: ignore[arg-type]
    if not memory and not own:
        return str(arguments.device[0])
    device = get_device(arguments.device[0], memory_bytes=memory)
    peak, listed = own.get("peak_fp16_dense_flop_per_s", 0.0), device.peak_fp16_dense_flop_per_s
    if peak and listed:
        # Who slows one number format down slows them all: it is the same machine at another clock.
        for field in fields(device):
            if field.name.startswith("peak_"):
                own[field.name] = getattr(device, field.name) * peak / listed
    estimated = tuple(field for field in device.estimated if field not in own)
    return replace(device, estimated=estimated, **own)  # type: ignore[arg-type]
