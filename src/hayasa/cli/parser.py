"""The options of the command, in Japanese, whatever Python words them in."""

from __future__ import annotations

import argparse
import re
import sys
from typing import NoReturn

from .. import __version__

BAD_INPUT = 2


def fail(message: str) -> NoReturn:
    """Print one line to the error output and leave with code 2."""
    print(f"エラー: {' '.join(message.split())}", file=sys.stderr)
    raise SystemExit(BAD_INPUT)


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """argparse's help with a Japanese heading."""

    def add_usage(self, usage, actions, groups, prefix=None):  # type: ignore[no-untyped-def]
        super().add_usage(usage, actions, groups, "使い方: " if prefix is None else prefix)


class Parser(argparse.ArgumentParser):
    """argparse whose errors are one Japanese line and exit code 2."""

    def __init__(self, **options: object) -> None:
        super().__init__(
            formatter_class=_Formatter,
            add_help=False,
            allow_abbrev=False,
            **options,  # type: ignore[arg-type]
        )
        if sys.version_info >= (3, 14):
            self.color = False  # a help text is the same on every terminal
        self._positionals.title = "引数"
        self._optionals.title = "オプション"
        self.add_argument("-h", "--help", action="help", help="この説明を表示して終わります")

    def add_version(self) -> None:
        """Let it tell its version."""
        text = f"{self.prog} {__version__}"
        self.add_argument("--version", action="version", version=text, help="版を表示して終わります")

    def error(self, message: str) -> NoReturn:
        """Say in Japanese what is wrong."""
        for pattern, japanese in _MESSAGES:
            message = re.sub(pattern, japanese, message)
        fail(f"{message}（使い方: {self.prog} -h）")


# What argparse says, from 3.11 to 3.15.
_MESSAGES = (
    (r"^the following arguments are required: (.*)$", r"\1 を指定してください。"),
    (
        r"^unrecognized arguments: ([^-].*)$",
        r"使えない引数です: \1。名前は --model や --device のようなオプションに続けて書きます。",
    ),
    (r"^unrecognized arguments: (.*)$", r"使えない引数です: \1。"),
    (r"^argument ([^:]*): expected one argument$", r"\1 には値を 1 つ指定してください。"),
    (r"^argument ([^:]*): expected at least one argument$", r"\1 には値が必要です。"),
    (r"^argument ([^:]*): not allowed with argument (.*)$", r"\1 は \2 と一緒には使えません。"),
    (r"^argument ([^:]*): ignored explicit argument (.*)$", r"\1 に値 \2 は付けられません。"),
    (
        r"^argument ([^:]*): invalid choice: ('[^']*')(?:, maybe you meant '[^']*'\?)? \(choose from (.*)\)$",
        r"\1 に \2 は使えません。使えるもの: \3。",
    ),
)
