"""Finding a row by a name that people write in many ways."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from .errors import DataFileError, UnknownNameError, shown

# Words that say who sells a thing, or which flavour of the same weights it
# is, but never which thing: "NVIDIA GeForce RTX 4090" is rtx-4090.
_SILENT_WORDS = frozenset(
    (
        *("nvidia", "geforce", "tesla", "amd", "radeon", "instinct", "intel", "apple"),
        *("mac", "macbook", "studio", "imac"),
        *("gpu", "chip", "tensor", "core", "meta", "google", "microsoft", "openai"),
        *("mistralai", "instruct", "chat", "it", "base", "hf", "gguf"),
    )
)
# A computer that a chip is sold in says nothing of the chip: "MacBook Pro M4" has no M4 Pro.
_COMPUTERS = re.compile(r"\b(?:macbook|mac|imac)[\s-]+(?:air|pro|mini|studio)\b", re.ASCII)
_WORD = re.compile(r"[a-z0-9.]+", re.ASCII)
_DIGIT = re.compile(r"\d", re.ASCII)
_ALIKE = 0.5  # from here on a name may be a slip for another
_CORES = re.compile(r"(\d+)[\s-]*(?:gpu[\s-]*)?cores?\b", re.ASCII)


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


def hash_of_id(named: _HasId) -> int:
    """Hash `named` by its id alone, which keeps look-ups fast; equality still compares every field."""
    return hash(named.id)


def name_key(name: str) -> str:
    """Reduce a name to what tells it apart: letters and digits, lower case.

    Examples
    --------
    >>> name_key("NVIDIA GeForce RTX 4090"), name_key("rtx_4090")
    ('rtx4090', 'rtx4090')
    >>> name_key("meta-llama/Llama-3.1-8B-Instruct"), name_key("Q4_K_M")
    ('llama3.18b', 'q4km')
    >>> name_key("Apple M4 Pro (20-core GPU)"), name_key("MacBook Pro M4")
    ('m4pro20c', 'm4')
    """
    lowered = _CORES.sub(r"\1c", unicodedata.normalize("NFKC", name).lower().split("/")[-1])
    lowered = lowered.replace("ビット", "bit")
    lowered = _COMPUTERS.sub(" ", lowered)
    words = _words(lowered)
    kept = [word for word in words if word not in _SILENT_WORDS]
    # A name without Latin letters keeps its own: it must not answer to every other such name.
    return "".join(kept or words) or "".join(lowered.split())


def _words(text: str) -> list[str]:
    return _WORD.findall(text)


def suggest(name: str, ids: Iterable[str], limit: int = 4) -> tuple[str, ...]:
    """Known ids that look like `name`: those it begins, those that begin it, similar ones, those that share a word.

    Examples
    --------
    >>> suggest("rtx 409", ["rtx-4090", "rtx-3090", "l4"])
    ('rtx-4090', 'rtx-3090')
    """
    keys = {name_key(id_): id_ for id_ in ids}
    wanted = name_key(name)
    inside = [key for key in keys if wanted and key.startswith(wanted)]
    begun = sorted([key for key in keys if wanted.startswith(key)], key=len, reverse=True)
    alike = [(_likeness(wanted, key), key) for key in keys]
    close = [key for likeness, key in sorted(alike, reverse=True) if likeness >= _ALIKE][:limit]
    # "Surface M4" is like nothing, but the 4 of M4 tells much: a word with a digit is a clue.
    words = [word for word in _words(name.lower()) if _DIGIT.search(word)]
    sharing = [key for key, id_ in keys.items() if any(word in words for word in _words(id_.lower()))]
    ordered = dict.fromkeys([*inside, *begun, *close, *sharing])
    return tuple(keys[key] for key in ordered)[:limit]


def _likeness(one: str, other: str) -> float:
    """Share of the letters of two keys that both have in the same order, 0 to 1.

    Examples
    --------
    >>> _likeness("rtx4900", "rtx4090"), _likeness("rtx4090", "m2")
    (0.8571428571428571, 0.0)
    """
    common = [0] * (len(other) + 1)
    for letter in one:
        row = [0]
        for place, its in enumerate(other):
            row.append(common[place] + 1 if its == letter else max(row[place], common[place + 1]))
        common = row
    return 2 * common[len(other)] / max(1, len(one) + len(other))


def index_by_name(
    rows: Mapping[str, object],
    names_of: Callable[[str], Iterable[str]],
    what: str,
) -> dict[str, str]:
    """Map every accepted spelling's key to its id."""
    index = {name_key(id_): id_ for id_ in rows}
    if len(index) != len(rows):
        raise DataFileError(f"{what}の id に、区別できないものがあります。")
    ids = set(index)
    for id_ in rows:
        for alias in names_of(id_):
            key = name_key(alias)
            if key in ids:
                continue
            if index.setdefault(key, id_) != id_:
                raise DataFileError(f"{what}の別名 {alias!r} が {index[key]} と {id_} の両方にあります。")
    return index


_LISTED_BY = {
    "model": "hayasa models",
    "device": "hayasa devices",
    "weights": "hayasa weights",
    "kv_cache": "hayasa weights",
}
"""The command that lists what an argument may name."""


MAX_NAME_LENGTH = 200
"""No name of anything is longer; a longer text is a slip, and would take long to compare."""


def require_name(name: str, *, argument: str, what: str) -> str:
    """Return `name` if it is a short text, else raise: `argument` is how the caller calls it, `what` what it names."""
    if not isinstance(name, str):
        raise UnknownNameError(f"{argument} は{what}の名前で指定してください（与えられた値: {shown(name)}）。")
    if len(name) > MAX_NAME_LENGTH:
        raise UnknownNameError(
            f"{argument} は {MAX_NAME_LENGTH} 文字までの{what}の名前で指定してください"
            f"（与えられた値: {name[:20]!r} で始まる {len(name):,} 文字）。"
        )
    return name


def find_id(name: str, index: Mapping[str, str], *, argument: str, what: str) -> str:
    """Return the id that `name` stands for.

    Examples
    --------
    >>> find_id("RTX 4090", {"rtx4090": "rtx-4090"}, argument="device", what="デバイス")
    'rtx-4090'
    """
    found = index.get(name_key(require_name(name, argument=argument, what=what)))
    if found is not None:
        return found
    raise unknown_name(name, dict.fromkeys(index.values()), argument=argument, what=what)


def unknown_name(name: str, ids: Iterable[str], *, argument: str, what: str) -> UnknownNameError:
    """Return the error for a name that nothing answers to, with near ones."""
    near = suggest(name, ids)
    hint = f"近い名前: {', '.join(near)}。" if near else ""
    command = _LISTED_BY.get(argument)
    if command:
        hint += f"一覧は {command} で表示できます。"
    return UnknownNameError(f"{argument} に指定された{what} {name!r} は登録されていません。{hint}", near)
