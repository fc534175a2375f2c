"""`python -m press build`, `python -m press pdf`, `python -m press epub`, `python -m press slides` and `python -m press preview`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from press.build import Say, build, build_epub, build_pdf, build_slides
from press.preview import preview
from press.problems import BookError
from press.read.config import EPUB, PDF
from press.server import PortError
from press.write.pdf import MissingPackageError


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="press", description="Quarto の本を、Quarto なしで Web サイトにします。")
    commands = parser.add_subparsers(dest="command", required=True, metavar="build|pdf|epub|slides|preview")
    for name, text in (
        ("build", "サイトを作ります"),
        ("pdf", "一冊の PDF を作ります"),
        ("epub", "一冊の EPUB を作ります"),
        ("slides", "スライド（フォルダーの _quarto.yml が format: revealjs のもの）を、壁に映すページと PDF にします"),
        ("preview", "サイトを見せ、原稿が変わるたびに作り直します"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("root", nargs="?", type=Path, default=Path("."), help="_quarto.yml のあるフォルダー")
        default = {"pdf": PDF, "epub": EPUB}.get(name, "_quarto.yml の output-dir")
        command.add_argument("--output", type=Path, help=f"出力先（既定は {default}）")
        command.add_argument("--quiet", action="store_true", help="進みぐあいを表示しません")
        if name == "preview":
            command.add_argument(
                "--port", type=_port, default=8000, help="ポート番号（既定 8000。0 なら空いている番号）"
            )
    try:
        given = parser.parse_args(arguments)
        say: Say = (lambda line: None) if given.quiet else (lambda line: print(line, flush=True))
        if given.command == "preview":
            preview(given.root, given.output, given.port, say)
        elif given.command == "pdf":
            build_pdf(given.root, given.output or given.root / PDF, say)
        elif given.command == "epub":
            build_epub(given.root, given.output or given.root / EPUB, say)
        elif given.command == "slides":
            say(str(build_slides(given.root, given.output, say)))
        else:
            build(given.root, given.output, say)
    except (PortError, MissingPackageError) as error:
        print(error, file=sys.stderr)
        return 1
    except BookError as error:
        print(f"本を作れませんでした。直す所が {len(error.problems)} か所あります。\n", file=sys.stderr)
        print(error, file=sys.stderr)
        print("\n前に作ったものはそのままです。", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _port(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise PortError(f"ポート {text} はありません。数にしてください（0 なら空いている番号を選びます）") from None


if __name__ == "__main__":
    sys.exit(main())
