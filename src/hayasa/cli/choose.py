"""The commands that ask the other way round: which machine, which format, which model."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ..answer.choose import choose_devices, choose_formats, choose_models, memory_of_machines
from ..answer.estimate import Estimate
from ..errors import require_choice, require_integer
from ..machine.device import Device
from ..model.shape import Model
from ..model.tensors import total_parameters
from ..units import gibibytes
from .amounts import integer, quantity
from .answers import print_ranking
from .parser import fail

MOST_SHOWN = 10_000
"""More lines than there are models."""


def add_at_least(command: argparse.ArgumentParser) -> None:
    """Add the option that asks for a speed."""
    command.add_argument(
        "--at-least", metavar="速さ", help="1 系列あたりの速さ（トークン/秒）。見積りがこれ以上のものに絞ります"
    )


def add_order(command: argparse.ArgumentParser) -> None:
    """Add the options that say which of the models come first, and how many."""
    command.add_argument("--sort", default="size", metavar="順", help="大きい順 size か、速い順 speed（既定: size）")
    command.add_argument("--top", metavar="数", help="はじめのいくつかだけを表示します（既定: すべて）")


def choose_command(arguments: argparse.Namespace, model: str | Model, question: dict[str, object]) -> None:
    """Print the machines that run a model."""
    names = [name for text in arguments.devices or () for name in text.split(",") if name]
    found = choose_devices(model, names, at_least_tokens_per_s=_at_least(arguments), **question)
    _print(
        arguments,
        found,
        f"model {_id(model)} が{_wish(arguments)}入るデバイスがありません。",
        "device",
        "memory_capacity_bytes",
    )


def formats_command(
    arguments: argparse.Namespace, model: str | Model, device: str | Device | None, question: dict[str, object]
) -> None:
    """Print the formats in which a model fits a machine."""
    del question["weights"]
    found = choose_formats(model, device, at_least_tokens_per_s=_at_least(arguments), **question)
    none = f"device {_machine_id(device, question)} に、model {_id(model)} が{_wish(arguments)}入る形式がありません。"
    _print(arguments, found, none, "weights", ranked=False)


def fit_command(arguments: argparse.Namespace, device: str | Device | None, question: dict[str, object]) -> None:
    """Print the models that fit a machine."""
    capacity = memory_of_machines(device, question)
    if not capacity:
        fail(
            f"device {_machine_id(device, question)} のメモリの量が分かりません。--memory 32 のように指定してください。"
        )
    require_choice("--sort", arguments.sort, ("size", "speed"))
    found = list(choose_models(device, at_least_tokens_per_s=_at_least(arguments), **question))  # type: ignore[arg-type]
    if arguments.sort == "size":
        found.sort(key=lambda one: (one.fits is not True, -total_parameters(one.model)))
    if arguments.top is not None:
        del found[require_integer("--top", integer("--top", arguments.top), 1, MOST_SHOWN) :]
    none = f"device {_machine_id(device, question)} のメモリ（{gibibytes(capacity)}）に{_wish(arguments)}入るモデルがありません。"
    _print(arguments, found, none, "model", "weights", ranked=False)


def _id(subject: str | Model | Device) -> str:
    return subject if isinstance(subject, str) else subject.id


def _machine_id(device: str | Device | None, question: dict[str, object]) -> str:
    return _id(device) if device is not None else "+".join(question["devices"])  # type: ignore[arg-type]


def _at_least(arguments: argparse.Namespace) -> float:
    return 0.0 if arguments.at_least is None else quantity("--at-least", arguments.at_least, {"": 1.0}, "20")


def _wish(arguments: argparse.Namespace) -> str:
    return f" {arguments.at_least} トークン/秒以上で" if arguments.at_least else ""


def _print(
    arguments: argparse.Namespace, found: Sequence[Estimate], none: str, *subjects: str, ranked: bool = True
) -> None:
    if not found:
        fail(none)
    print_ranking(found, *subjects, as_csv=arguments.csv, as_json=arguments.json, ranked=ranked)
