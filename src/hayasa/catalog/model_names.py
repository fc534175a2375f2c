"""Names of models as people type them: repositories, files and tags, which say model and weight format at once.

``llama3.1:8b-instruct-q8_0``, ``unsloth/Qwen3-30B-A3B-GGUF:Q4_K_M`` and
``Qwen2.5-7B-Instruct-GPTQ-Int4`` are words: some name the model, some the
format, and some say nothing of either.  Nothing else is dropped.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import NamedTuple

from ..errors import DataFileError, UnknownNameError, shown
from ..names import suggest

# Words that say nothing of a model: who packed it, in which container.
_CONTAINER = frozenset(
    """
    hf gguf safetensors latest mlx quantized imatrix imat i1 meta google microsoft openai mistralai unsloth bartowski
    thebloke mradermacher パラメータ パラメーター モデル
    """.split()
)
# Words that its shape does not depend on, unless the table has a model that they tell apart.
_FLAVOUR = frozenset("instruct chat it base text pt moe preview thinking reasoning nonthinking qat".split())
# The month of a release (2507, 0528) or the longest context (128k) of what is one shape.
_RELEASE = re.compile(r"2[3-9](?:0[1-9]|1[0-2])|(?:0[1-9]|1[0-2])[0-3]\d|\d{1,3}k|1m", re.ASCII)
# Who made a model, in the names of files that keep it before an underscore.
_MAKER = re.compile(
    r"(?:qwen|meta-llama|google|microsoft|mistralai|deepseek-ai|nvidia|openai|zai-org|thudm|ibm-granite|allenai"
    r"|huggingfacetb|cohereforai|coherelabs|lgai-exaone|tiiuae|baidu|tencent|moonshotai|minimaxai|arcee-ai|liquidai"
    r"|swiss-ai|internlm|01-ai)_",
    re.ASCII,
)
_SIZE = re.compile(r"[ae]?\d+(?:\.\d+)?[bmt]", re.ASCII)
_SHARD = re.compile(r"-\d{5}-of-\d{5}$", re.ASCII)
_LONE_DOT = re.compile(r"\.(?!\d)|(?<!\d)\.", re.ASCII)
_HUNDRED_MILLIONS = re.compile(r"(\d+)億", re.ASCII)
# Of ASCII or not: behind it come its signs, those of typography, and those that stand between Japanese words.
_WORD = re.compile(r"[a-z0-9.]+|[^\x00-\xbf\u2000-\u206f\u3000-\u3004\u3008-\u3020\u30fb]+", re.ASCII)
_DIGIT = re.compile(r"\d", re.ASCII)
# A bare number of bits is how MLX's files are called; others name the method with it.
_BARE_BITS = re.compile(r"\dbit", re.ASCII)
_LONGEST_FORMAT = 8  # words
# What is published under the first keeps embedding and output in 16 bits; what was trained for being
# quantized (QAT) was trained for the second.
_FORMATS_IN_NAMES = {"fp8": "fp8-block", "qat": "q4_0"}
# Names that Japanese readers write as they say them.
_SPOKEN = {
    "リャマ": "llama", "ラマ": "llama", "クウェン": "qwen", "ジェマ": "gemma", "ミストラル": "mistral",
    "ディープシーク": "deepseek", "スワロー": "swallow", "ファイ": "phi",
}  # fmt: skip


class NamedModel(NamedTuple):
    """What a name says.

    Parameters
    ----------
    id : str
        Id of the model.
    weights : str
        Id of the weight format, or its name where that has a number of bits
        of its own; empty if the name says nothing of it.
    """

    id: str
    weights: str = ""


class ModelIndex(NamedTuple):
    """Every accepted spelling of every model.

    Parameters
    ----------
    ids : dict
        Id by the key of a spelling.
    dated : frozenset of str
        Keys that stand in the table with a release: another one is another model.
    """

    ids: dict[str, str]
    dated: frozenset[str]


def words_of(name: str) -> list[str]:
    """Split a name into words: what follows the last slash, without the container and the number of a part.

    Examples
    --------
    >>> words_of("unsloth/Qwen3-30B-A3B-GGUF:Q4_K_M")
    ['qwen3', '30b', 'a3b', 'gguf', 'q4', 'k', 'm']
    >>> words_of("Llama-2-7B-chat.Q4_0.gguf"), words_of("Ｌｌａｍａ 3.1 80億")
    (['llama', '2', '7b', 'chat', 'q4', '0'], ['llama', '3.1', '8b'])
    >>> words_of("Qwen_Qwen3-32B-IQ4_XS.gguf")
    ['qwen3', '32b', 'iq4', 'xs']
    """
    text = unicodedata.normalize("NFKC", name).lower().strip()
    text = text.replace("\\", "/").split("/")[-1].removesuffix(".gguf")
    text = _SHARD.sub("", _MAKER.sub("", text, 1) if _MAKER.match(text) else text)
    text = _HUNDRED_MILLIONS.sub(lambda found: f"{int(found[1]) / 10:g}b", text)
    for spoken, written in _SPOKEN.items():
        text = text.replace(spoken, written)
    return _WORD.findall(_LONE_DOT.sub(" ", text))


def _whole(words: Iterable[str]) -> str:
    """Return the key of a name with all that it says of the model."""
    return "".join(word for word in words if word not in _CONTAINER)


def _key(words: Iterable[str]) -> str:
    """Return what is left of it without the flavour."""
    return _whole(word for word in words if word not in _FLAVOUR)


def _undated(words: Iterable[str]) -> list[str]:
    return [word for word in words if not _RELEASE.fullmatch(word)]


def index_models(rows: Iterable[str], names_of: Callable[[str], Iterable[str]]) -> ModelIndex:
    """Index the ids and names of models.

    Raises
    ------
    DataFileError
        If two models answer to the same spelling.
    """
    ids: dict[str, str] = {}
    short: dict[str, str] = {}
    dated = []
    for id_ in rows:
        for name in (id_, *names_of(id_)):
            words = words_of(name)
            whole, key, undated = _whole(words), _key(words), _key(_undated(words))
            if ids.setdefault(whole, id_) != id_:
                raise DataFileError(f"モデルの別名 {name!r} が {ids[whole]} と {id_} の両方にあります。")
            short[key] = id_ if short.get(key, id_) == id_ else ""
            if undated != key:
                dated.append(undated)
    return ModelIndex({key: id_ for key, id_ in (short | ids).items() if id_}, frozenset(dated))


def read_model_name(
    name: str, index: ModelIndex, find_format: Callable[[str], str | None], *, argument: str = "model"
) -> NamedModel:
    """Return the model and the weight format that a name says.

    Parameters
    ----------
    name : str
        Name as it was typed.
    index : ModelIndex
        From `index_models`.
    find_format : callable
        Gives the weight format for words written as one; None if there is none.
    argument : str
        What the caller's argument is called.

    Returns
    -------
    NamedModel
        Their ids.

    Raises
    ------
    UnknownNameError
        If a word of it is not understood; near names are proposed.

    Examples
    --------
    >>> index = index_models(["qwen3-30b-a3b"], lambda id_: [])
    >>> read_model_name("Qwen3-30B-A3B-Instruct-2507-Q4_K_M.gguf", index, {"q4km": "q4_k_m"}.get)
    NamedModel(id='qwen3-30b-a3b', weights='q4_k_m')
    """
    words = words_of(name)
    readings = [(words[:start] + words[end:], id_) for start, end, id_ in _formats_in(words, find_format)]
    for rest, format_ in [*readings, (words, "")]:
        key, undated = _key(rest), _key(_undated(rest))
        for written in (_whole(rest), key, undated if undated not in index.dated else key):
            if written in index.ids:
                return NamedModel(index.ids[written], format_)
    sizes = _sizes(words, index)
    if len(sizes) == 1:
        return NamedModel(sizes[0])
    if sizes:
        message = f"{argument} の {shown(name)} には、いくつかの大きさがあります。どれかを指定してください: "
        raise UnknownNameError(f"{message}{'、'.join(sizes)}。", sizes)
    raise _unknown(name, words, index, argument)


def says_format(word: str, packings: Iterable[str]) -> bool:
    """Tell whether a word that a weight format answers to means the format where it stands in the name of a model.

    Of the formats' names only those count that no model has a word of: with a digit, or of a way of packing.
    """
    return _DIGIT.search(word) is not None or word in packings


def _sizes(words: Iterable[str], index: ModelIndex) -> tuple[str, ...]:
    """Return the models of which a name says all but the size."""
    key = _key(words)
    ids = dict.fromkeys(index.ids.values())
    return tuple(id_ for id_ in ids if key and _key(word for word in words_of(id_) if not _SIZE.fullmatch(word)) == key)


def _formats_in(words: list[str], find_format: Callable[[str], str | None]) -> list[tuple[int, int, str]]:
    """Return where formats are named, the longest name first: in q4_k_m there is a q4, too."""
    found = []
    for start in range(len(words)):
        for end in range(start + 1, min(start + _LONGEST_FORMAT, len(words)) + 1):
            written = "".join(words[start:end])
            bare = _BARE_BITS.fullmatch(written)
            format_ = _FORMATS_IN_NAMES.get(written) or find_format(f"mlx{written}" if bare else written)
            if format_ is not None:
                found.append((start, end, format_))
    return sorted(found, key=lambda one: -len("".join(words[one[0] : one[1]])))


def _unknown(name: str, words: list[str], index: ModelIndex, argument: str) -> UnknownNameError:
    """Return the error for a name, with the models that its words name and those that look alike."""
    ids = dict.fromkeys(index.ids.values())
    named = [id_ for id_ in ids if all(word in words for word in words_of(id_))]
    # What stands there in one piece comes first: Hermes 3 of Llama 3.1 8B is no Llama 3 8B.
    inside = sorted(named, key=lambda id_: (_key(words_of(id_)) not in "".join(words), -len(id_)))
    near = tuple(dict.fromkeys([*inside, *suggest(name, ids)]))[:4]
    hint = f"近い名前: {', '.join(near)}。" if near else ""
    if inside and not any(_SIZE.fullmatch(word) for word in words if word not in words_of(inside[0])):
        hint += f"{inside[0]} から作られたものなら、形は同じなので、その名前で答えられます。"
    message = (
        f"{argument} に指定されたモデル {shown(name)} は登録されていません。{hint}一覧は hayasa models で表示できます。"
    )
    return UnknownNameError(message, near)
