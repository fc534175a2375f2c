"""The command ``hayasa draft``: what drafts of the next tokens gain."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ..answer.drafts import DraftSpeedup, acceptance_from_share, draft_speedup, published_acceptance
from ..answer.estimate import Estimate
from ..engine.drafting import ANY_TEXT, DRAFTERS, MODEL, TEXTS, get_drafter
from ..errors import InvalidValueError
from ..listing import table_lines
from ..units import duration, gibibytes, significant
from .amounts import fraction, integer
from .answers import print_json


def add_draft(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how drafts are made and accepted."""
    add = parser.add_argument
    named = "、".join(one.id for one in DRAFTERS if one.id != MODEL)
    add(
        "--draft",
        metavar="名前",
        help=f"下書きの作り方: {named}、または小さいモデルの名前（既定: MTP の層があれば mtp、なければ ngram）",
    )
    add("--draft-weights", metavar="形式", help="小さいモデルの重みの形式")
    add("--draft-tokens", metavar="数", help="1 回に下書きするトークンの数（既定: いちばん速くなる数）")
    add("--explain", action="store_true", help="1 回にかかる時間の内訳も書き出します")
    accepted = parser.add_mutually_exclusive_group()
    accepted.add_argument(
        "--acceptance",
        metavar="値",
        help="前のトークンまで受け入れられたとき、次も受け入れられる割合（0.8 など）、位置ごとの割合（0.87,0.75,0.6）、"
        f"または文章の種類: {'、'.join(TEXTS)}（既定: 公開された値）",
    )
    accepted.add_argument(
        "--accepted",
        metavar="割合",
        help="エンジンが表示する割合（受け入れられた数 ÷ 下書きした数）。--draft-tokens と一緒に指定します",
    )


def draft_command(arguments: argparse.Namespace, result: Estimate) -> None:
    """Answer ``hayasa draft``."""
    tokens = None if arguments.draft_tokens is None else integer("--draft-tokens", arguments.draft_tokens)
    acceptance = _acceptance(arguments, tokens)

    def ask(accepted: float | str | Sequence[float] | None) -> DraftSpeedup:
        return draft_speedup(
            result, arguments.draft, draft_weights=arguments.draft_weights, tokens=tokens, acceptance=accepted
        )

    speedup = ask(acceptance)
    if arguments.json:
        print_json({**speedup.to_dict(), "decode_tokens_per_s_without_drafts": result.decode_tokens_per_s})
        return
    print("\n".join(draft_lines(result, speedup, acceptance)))
    if arguments.explain:
        print("\n" + "\n".join(_wait_lines(speedup)))
    texts = [text for text in TEXTS if published_acceptance(speedup.draft, text).text]
    if acceptance is None and texts:
        print("\n" + "\n".join(_text_lines([(TEXTS[text], ask(text)) for text in texts])))
    for note in speedup.notes:
        print(f"注意: {note}")


def _acceptance(arguments: argparse.Namespace, tokens: int | None) -> float | str | list[float] | None:
    if arguments.accepted is not None:
        if tokens is None:
            raise InvalidValueError("--accepted は --draft-tokens と一緒に指定してください。")
        return acceptance_from_share(fraction("--accepted", arguments.accepted), tokens)
    if arguments.acceptance is None:
        return None
    text: str = arguments.acceptance or ""  # argparse makes an empty list of the value --
    if text in TEXTS:
        return text
    shares = [fraction("--acceptance", one) for one in text.split(",")]
    return shares[0] if len(shares) == 1 else shares


def draft_lines(result: Estimate, speedup: DraftSpeedup, acceptance: float | str | Sequence[float] | None) -> list[str]:
    """Lay out what drafts gain, as a small table."""
    drafter = get_drafter(speedup.draft)
    made = f"{drafter.label}（{speedup.draft_model}）" if speedup.draft_model else drafter.label
    best = "（いちばん速い長さ）" if speedup.draft_tokens == speedup.best_tokens else ""
    low, high = significant(speedup.decode_tokens_per_s_low), significant(speedup.decode_tokens_per_s_high)
    rows = [
        ("下書き", f"{made}、{speedup.draft_tokens} トークンずつ{best}"),
        ("受け入れ", _acceptance_text(speedup, acceptance)),
        ("1 回に進むトークン", significant(speedup.tokens_per_pass)),
        ("下書きの時間", duration(speedup.draft_s)),
        (
            "まとめて通す時間",
            f"{duration(speedup.pass_s)}（1 トークンだけなら {duration(result.step_latency_s)}）",
        ),
        (
            "生成の見積り",
            f"{significant(speedup.decode_tokens_per_s)} トークン/秒"
            f"（下書きなしで {significant(result.decode_tokens_per_s)}）",
        ),
        ("90%区間", f"{low} ～ {high} トークン/秒"),
        ("下書きの効果", f"{_gain(speedup)}（90%区間 {_interval(speedup)}）"),
    ]
    if speedup.draft_bytes:
        rows.append(("下書きの重み", gibibytes(speedup.draft_bytes)))
    return table_lines(rows)


def _acceptance_text(speedup: DraftSpeedup, acceptance: float | str | Sequence[float] | None) -> str:
    percent = f"{significant(100 * speedup.acceptance, 2)}%"
    if acceptance is not None and not isinstance(acceptance, str):
        return percent
    row = published_acceptance(speedup.draft, ANY_TEXT if acceptance is None else acceptance)
    kind = f"、{TEXTS[row.text]}" if row.text else ""
    return f"{percent}（最初のトークン{kind}、公開された {row.rows} 件から）"


def _wait_lines(speedup: DraftSpeedup) -> list[str]:
    """Lay out what a draft and the pass over it wait for."""
    rows = [(wait.kind.label, _signed(wait.seconds)) for wait in speedup.waits if wait.seconds and not wait.hidden]
    return table_lines([*rows, ("合わせて", duration(speedup.draft_s + speedup.pass_s))], right="lr")


def _signed(seconds: float) -> str:
    return f"-{duration(-seconds)}" if seconds < 0 else duration(seconds)


def _text_lines(answers: Sequence[tuple[str, DraftSpeedup]]) -> list[str]:
    rows = [
        [
            label,
            f"{significant(100 * one.acceptance, 2)}%",
            str(one.draft_tokens),
            significant(one.decode_tokens_per_s),
            _gain(one),
            _interval(one),
        ]
        for label, one in answers
    ]
    return table_lines(
        rows, header=["文章の種類", "受け入れ", "長さ", "トークン/秒", "効果", "90%区間"], right="lrrrrr"
    )


def _gain(speedup: DraftSpeedup) -> str:
    return f"{significant(speedup.speedup)}倍"


def _interval(speedup: DraftSpeedup) -> str:
    return f"{significant(speedup.speedup_low, 2)} ～ {significant(speedup.speedup_high, 2)}倍"
