"""From the text on the screen to the speeds in it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ..errors import InvalidValueError, shown
from .lines import FACT_LINES, SPEED_LINES, SPOKEN_OF
from .run import DECODE, PROMPT, Run, Unread, run_of
from .tables import BENCH, Cells, cells_of, is_rule

_UNSEEN = re.compile(r"^\ufeff|\x1b\[[0-9;?]*[A-Za-z]", re.ASCII)
"""What tells how a text is encoded, and the colours of a terminal."""

_DIGIT = re.compile(r"\d", re.ASCII)
_CELL = re.compile(r',(?:"((?:[^"]|"")*)"|([^,]*))', re.ASCII)
"""A cell of a line of CSV behind a comma: what stands between quotes, or as it is."""

_OF_ONE_ANSWER = ("prompt_tokens", "decode_tokens", "depth", "batch_size")
"""What is true of one speed only; everything else holds until something else is said."""
_OF_THE_MACHINE = ("device", "devices", "build")


class Reading(NamedTuple):
    """What was found in a report.

    Parameters
    ----------
    runs : tuple of Run
        The speeds, in the order of the report.
    unread : tuple of Unread
        Lines that speak of a speed and were not understood.
    """

    runs: tuple[Run, ...]
    unread: tuple[Unread, ...]


class _Found(NamedTuple):
    """A speed, before what the rest of the report says is added."""

    line: int
    text: str
    facts: dict[str, str]
    kind: str
    tokens_per_s: float


def read_report(text: str) -> Reading:
    """Find the speeds in what a tool printed.

    Parameters
    ----------
    text : str
        Output of llama-bench (Markdown, CSV, JSON, JSON lines),
        llama-batched-bench, ``ollama run --verbose``, LM Studio, mlx-lm,
        llama.cpp's programs or vLLM, with whatever stands around it; or a
        record of the book's page that measures its reader's machine.

    Returns
    -------
    Reading
        The speeds, and the lines about speeds that were not understood.

    Examples
    --------
    >>> [run] = read_report("45.21 tok/sec • 512 tokens • 0.30s to first token").runs
    >>> run.tool, run.tokens_per_s, run.decode_tokens
    ('lm-studio', 45.21, 512)
    """
    if not isinstance(text, str):
        raise InvalidValueError(f"text は道具の出力の文字列で指定してください（与えられた値: {shown(text)}）。")
    text = _UNSEEN.sub("", text)
    reader = _Reader()
    entries = _json_entries(text)
    if entries is not None:
        reader.read_entries(entries, text)
    else:
        reader.read_lines(text.splitlines())
    return reader.reading()


class _Reader:
    """What was found so far."""

    def __init__(self) -> None:
        self.found: list[_Found] = []
        self.unread: list[Unread] = []
        self.known: dict[str, str] = {}
        self.first: dict[str, str] = {}
        self.listed: list[tuple[str, bool]] = []

    def reading(self) -> Reading:
        """Return everything, each speed with what was said of it anywhere in the report."""
        runs = []
        for found in self.found:
            facts = {**_around(found.facts, self.first), **found.facts}
            try:
                run = run_of(facts, line=found.line, text=found.text, kind=found.kind, tokens_per_s=found.tokens_per_s)
            except (ValueError, KeyError, IndexError):
                self._not_understood(found.line, found.text, "数であるはずのところが数ではありません。")
                continue
            runs.append(run)
        return Reading(tuple(runs), tuple(sorted(self.unread)))

    def _not_understood(self, line: int, text: str, reason: str) -> None:
        self.unread.append(Unread(line, text.strip(), reason))

    def _say(self, facts: Mapping[str, str]) -> None:
        """Remember what a line says."""
        for name, value in facts.items():
            self.known[name] = value
            if name not in _OF_ONE_ANSWER:
                self.first.setdefault(name, value)

    def _add(self, line: int, text: str, facts: Mapping[str, str], kind: str, tokens_per_s: float) -> None:
        if tokens_per_s > 0:
            self.found.append(_Found(line, text, {**_around(facts, self.known), **facts}, kind, tokens_per_s))
        else:
            self._not_understood(line, text, "速さが 0 です。")

    # ------------------------------------------------------------ lines

    def read_lines(self, lines: list[str]) -> None:
        """Read a text line by line: tables, lines of tools, lines of logs."""
        columns: Cells | None = None
        comma_titles: list[str] = []
        for number, line in enumerate(lines, 1):
            entries = _json_entries(line)
            if entries is not None:
                for entry in entries:
                    self._read_entry(entry, number, line)
                continue
            # Digits, colons and blanks are ASCII's, however wide they were typed or pasted.
            plain = unicodedata.normalize("NFKC", line)
            if plain.startswith("build_commit,"):
                comma_titles = plain.split(",")
                continue
            if comma_titles and plain.count(",") >= len(comma_titles) - 1:
                self._read_row(Cells(comma_titles), _comma_cells(plain), number, line)
                continue
            cells = cells_of(plain)
            if cells is None:
                columns = None
                self._read_line(plain, number, line)
            elif columns is None or (Cells(cells).tells_speeds and not _has_digits(cells[0])):
                columns = Cells(cells)
                if not columns.tells_speeds:
                    self._read_line(plain, number, line)
            elif columns.tells_speeds:
                if not is_rule(cells):
                    self._read_row(columns, cells, number, line)
            else:
                self._read_line(plain, number, line)

    def _read_row(self, columns: Cells, cells: list[str], number: int, line: str) -> None:
        if len(cells) != len(columns.titles):
            self._not_understood(number, line, "列の数が見出しと合いません。")
            return
        try:
            speeds = list(columns.speeds(cells))
        except ValueError as error:
            self._not_understood(number, line, f"{error}。")
            return
        for facts, kind, tokens_per_s in speeds:
            self._add(number, line, facts, kind, tokens_per_s)

    def _read_line(self, text: str, number: int, line: str) -> None:
        plain = text.replace("*", "").strip()
        for tool, engine, pattern in SPEED_LINES:
            match = pattern.search(plain)
            if match:
                self._read_facts(plain)
                self._read_speed(tool, engine, match, number, line)
                return
        if not self._read_facts(plain) and SPOKEN_OF.search(plain) and _has_digits(plain):
            self._not_understood(number, line, "知っている形の行ではありません。")

    def _read_facts(self, line: str) -> bool:
        """Remember whatever a line says beside a speed, and return whether that is anything."""
        found = [match.groupdict() for match in (pattern.search(line) for pattern in FACT_LINES) if match]
        for facts in found:
            self._say_of_line(facts)
        return bool(found)

    def _say_of_line(self, facts: dict[str, str | None]) -> None:
        """Remember what a line of a log says."""
        said = {name: value for name, value in facts.items() if value is not None}
        if "index" in said:
            place, shared = int(said.pop("index")), said.pop("shared", "0") == "1"
            said |= self._devices_with(place, said.pop("device"), shared=shared)
            self.first.update(said)
        self._say(said)

    def _devices_with(self, index: int, name: str, *, shared: bool) -> dict[str, str]:
        """Return all devices that a list names so far: a GPU inside the processor helps no card."""
        if index == 0:
            self.listed = []
        self.listed.append((name.strip(), shared))
        cards = [name for name, shared in self.listed if not shared] or [name for name, _ in self.listed]
        return {"device": " + ".join(dict.fromkeys(cards)), "devices": str(len(cards))}

    def _read_speed(self, tool: str, engine: str, match: re.Match[str], number: int, line: str) -> None:
        said = {name: value for name, value in match.groupdict().items() if value is not None}
        facts = {"tool": tool, "engine": engine} if tool else {}
        kind = DECODE if any(name.startswith("decode_") for name in said if name != "decode_tokens") else PROMPT
        try:
            tokens_per_s = _speed(said)
        except ValueError:
            self._not_understood(number, line, "速さが有限の数ではありません。")
            return
        counts = {name: value for name, value in said.items() if name in _OF_ONE_ANSWER}
        self.known.update(counts)
        if kind == DECODE and tool == "ollama":
            tokens_per_s *= share_of_timed_tokens(int(self.known.get("decode_tokens", "0")))
        if "decode_ms_each" in said:  # of each of the sequences
            tokens_per_s *= int(self.known.get("batch_size", "1"))
        self._add(number, line, facts, kind, tokens_per_s)
        if kind == DECODE:
            for name in _OF_ONE_ANSWER:
                self.known.pop(name, None)

    # ------------------------------------------------------------ JSON

    def read_entries(self, entries: Iterable[Any], text: str) -> None:
        """Read a list of JSON objects; an entry's number stands for its line."""
        for number, entry in enumerate(entries, 1):
            self._read_entry(entry, number, text if len(text) < _LONG else f"{number} 番目")

    def _read_entry(self, entry: Any, number: int, text: str) -> None:
        shown = text if len(text) < _LONG else f"{number} 番目"
        if not isinstance(entry, dict):
            self._not_understood(number, shown, "JSON の要素が、名前と値の組ではありません。")
            return
        try:
            speeds = list(_speeds_of_entry(entry))
        except (ValueError, TypeError, KeyError, ZeroDivisionError):
            self._not_understood(number, shown, "JSON の値が、数であるはずのところで数ではありません。")
            return
        if not speeds:
            self._not_understood(number, shown, "JSON に速さがありません。")
        for facts, kind, tokens_per_s in speeds:
            self._add(number, shown, facts, kind, tokens_per_s)


BROWSER = "browser"
BROWSER_SCHEMA = "hayasa-browser/1"
"""What the book's page that measures its reader's machine calls its records (``web/measure-session.mjs``)."""

_LONG = 200
"""Characters from which a line of JSON is no help to a reader."""


def _around(facts: Mapping[str, str], said: Mapping[str, str]) -> dict[str, str]:
    """Return what the rest of a report says of a speed: a row of llama-bench lacks the machine only."""
    names = _OF_THE_MACHINE if facts.get("tool") == BENCH else tuple(said)
    return {name: said[name] for name in names if name in said}


def _has_digits(text: str) -> bool:
    return _DIGIT.search(text) is not None


def _comma_cells(line: str) -> list[str]:
    return [quoted.replace('""', '"') or plain for quoted, plain in _CELL.findall(f",{line}")]


def _json_entries(text: str) -> list[Any] | None:
    """Return the objects of a JSON text: a list, or one; None if it is no such text."""
    if not text.strip().startswith(("{", "[{", "[\n", "[ ")):
        return None
    value = json_value(text)
    return value if value is None or isinstance(value, list) else [value]


def json_value(text: str) -> Any:
    """Return what a JSON text says; None if it is none."""
    import json  # only this form needs it

    try:
        return json.loads(text, parse_constant=_refuse)
    except ValueError:
        return None


def _refuse(constant: str) -> None:
    """Refuse NaN and infinities, which Python would take for JSON."""
    raise ValueError(constant)


def _speed(said: Mapping[str, str]) -> float:
    """Return the speed that a line says, or that follows from its times."""
    for each in ("prompt_ms_each", "decode_ms_each"):
        if each in said:
            return 1e3 / float(said[each])
    if "decode_ms" in said:
        tokens = int(said["decode_tokens"])
        return share_of_timed_tokens(tokens) * tokens / float(said["decode_ms"]) * 1e3
    speed = float(said.get("decode_speed", said.get("prompt_speed", "")).replace(",", ""))
    if speed == float("inf"):
        raise ValueError(speed)
    return speed


def share_of_timed_tokens(tokens: int) -> float:
    """Return how many of an answer's tokens a server has timed: the first came with the prompt and took no time.

    Parameters
    ----------
    tokens : int
        Tokens of the answer; 0 if nobody said.

    Notes
    -----
    Source: ggml-org/llama.cpp, ``tools/server`` (``n_decoded``); ollama/ollama,
    ``runner/llamarunner/runner.go`` (``startGenerationTime``).

    Examples
    --------
    >>> share_of_timed_tokens(101) * 101, share_of_timed_tokens(0)
    (100.0, 1.0)
    """
    return (tokens - 1) / tokens if tokens else 1.0


def _speeds_of_entry(entry: Mapping[str, Any]) -> Iterator[tuple[dict[str, str], str, float]]:
    """Yield facts, kind and speed of what a JSON object says: llama-bench, llama-server, Ollama, LM Studio, a browser."""
    if entry.get("schema") == BROWSER_SCHEMA:
        for one in entry.get("decoding") or ():
            facts = {"tool": BROWSER, "model": str(one["model"]), "weights": str(one["weights"])}
            device = {"device": str(entry.get("device", "")), "devices": "1"}
            yield facts | device, DECODE, float(one["tokens_per_s"])
        return
    if "avg_ts" in entry:
        texts = {name: str(value) for name, value in entry.items()}
        for backend in ("cuda", "vulkan", "metal", "sycl", "opencl"):  # flags, before November 2024
            if entry.get(backend) is True:
                texts.setdefault("backends", backend)
        yield from Cells(list(texts)).speeds(texts)
        return
    timings, usage, stats = (_part(entry, "timings") or entry), _part(entry, "usage"), _part(entry, "stats")
    facts = {"model": str(entry["model"])} if "model" in entry else {}
    if "predicted_ms" in timings:
        facts |= {"tool": "llama-server", "engine": "llama.cpp", "decode_tokens": str(timings["predicted_n"])}
        facts |= {"prompt_tokens": str(timings.get("prompt_n", 0)), "drafts": str(timings.get("draft_n_accepted", 0))}
        if "prompt_per_second" in timings:
            yield facts, PROMPT, float(timings["prompt_per_second"])
        tokens = int(timings["predicted_n"])
        yield facts, DECODE, share_of_timed_tokens(tokens) * tokens / float(timings["predicted_ms"]) * 1e3
    elif "eval_duration" in entry:
        facts |= {"tool": "ollama", "engine": "ollama", "decode_tokens": str(entry["eval_count"])}
        facts["prompt_tokens"] = str(entry.get("prompt_eval_count", 0))
        if entry.get("prompt_eval_duration"):
            yield facts, PROMPT, int(facts["prompt_tokens"]) / entry["prompt_eval_duration"] * 1e9
        tokens = int(facts["decode_tokens"])
        yield facts, DECODE, share_of_timed_tokens(tokens) * tokens / entry["eval_duration"] * 1e9
    elif "tokens_per_second" in stats:
        facts |= {"tool": "lm-studio", "engine": "lm-studio", "decode_tokens": str(usage.get("completion_tokens", 0))}
        facts["prompt_tokens"] = str(usage.get("prompt_tokens", 0))
        yield facts, DECODE, float(stats["tokens_per_second"])


def _part(entry: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the object that a JSON object has under a name; an empty one if it has none there."""
    part = entry.get(name)
    return part if isinstance(part, dict) else {}
