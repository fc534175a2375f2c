"""What the reader has chosen and the address say the same, whatever either may be."""

import ast
import json
import re
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from py_mini_racer import MiniRacer

from tests.checks import chapters
from tests.checks.report import expect_none
from tests.web.javascript import changed_scripts, one_after_another, page_script
from tests.web.states import HOSTILE, ODD_NAMES, UNUSUAL, hostile, machine, state, states, systematic

# V8 alone has none of this. tests/browser asks the same of the real one.
ADDRESSES = """
globalThis.URLSearchParams = class {
  constructor(search) {
    const decoded = (text) => text.replaceAll("+", " ").replaceAll(/(?:%[0-9a-f]{2})+/gi, (bytes) => {
      try { return decodeURIComponent(bytes); } catch { return "\\ufffd"; }
    });
    this.pairs = search.replace(/^\\?/, "").split("&").filter(Boolean).map((pair) => {
      const [key, ...rest] = pair.split("=");
      return [decoded(key), decoded(rest.join("="))];
    });
  }
  keys() { return this.pairs.map(([key]) => key); }
  has(key) { return this.keys().includes(key); }
  get(key) { return this.getAll(key)[0] ?? null; }
  getAll(key) { return this.pairs.filter(([name]) => name === key).map(([, value]) => value); }
};
"""
ASK = """
const { tables, parts } = hayasa;
const { readAddress, readNumber, writeAddress } = parts.calculator;
const { pythonCode } = parts.python;
globalThis.ask = {
  write: (state) => writeAddress(state),
  read: (search) => readAddress(search, tables),
  number: ([text, rule]) => readNumber(text, rule),
  code: (state) => pythonCode(state),
  // What the page makes of a state: an estimate per machine, or what hayasa says against it.
  answers: ({ model, machines, host, host_memory_bytes, ...choice }) => machines.map(({ device, memory_bytes, devices }) => {
    try {
      const made = typeof device === "string" ? tables.devices.get(device) : hayasa.makeDevice({ ...device, id: "own" });
      const its = typeof model === "string" ? model : hayasa.makeModel({ ...model, id: "own" });
      const split = parts.offload.splitOf(tables, { ...choice, host, host_memory_bytes });
      const result = hayasa.estimate({ ...choice, ...split, model: its, device: made, devices });
      return Number.isFinite(result.decode_tokens_per_s);
    } catch (error) {
      if (error.name !== "InvalidValueError") throw error;
      return error.message;
    }
  }),
};
globalThis.answer = (name, argument) => JSON.stringify(ask[name](JSON.parse(argument)));
"""


class Page:
    """The page's script without a page."""

    def __init__(self, script: str):
        self.context = MiniRacer()
        self.context.eval(ADDRESSES + script + ASK)

    def ask(self, name: str, argument: object) -> object:
        # JavaScript has one kind of number.
        return json.loads(self.context.call("answer", name, json.dumps(argument)), parse_int=float)

    def read(self, search: str) -> dict:
        found = self.ask("read", search)
        assert isinstance(found, dict)
        return found

    def there_and_back(self, chosen: dict) -> list[str]:
        """Return what is wrong with the address of a state."""
        address = self.ask("write", chosen)
        found = self.read(address)
        wrong = [f"{address}: {problem}" for problem in found["problems"]]
        if found["state"] != chosen:
            wrong.append(f"{address}: {chosen} ≠ {found['state']}")
        if re.search(r"[^!-~]", address):
            wrong.append(f"{address}: アドレスに書けない文字があります")
        return wrong


@pytest.fixture(scope="module")
def page(root):
    return Page(page_script(root))


def test_every_choice_survives_its_address(page):
    chosen = list(systematic())
    assert len(chosen) > 150
    expect_none(wrong for one in chosen for wrong in page.there_and_back(one))


@settings(max_examples=300, deadline=None)
@given(chosen=states)
def test_any_choice_survives_its_address(page, chosen):
    assert page.there_and_back(chosen) == []


def test_the_address_can_be_read_by_people(page):
    address = page.ask(
        "write",
        state(
            batch_size=2,
            prompt_length=100,
            kv_cache="q8_0",
            split="tensor",
            machines=[machine("apple-m4-10c", 16 * 2**30, 2)],
        ),
    )
    assert address == (
        "?model=llama-3.1-8b&weights=q4_k_m&engine=llama.cpp&batch=2&context=0&prompt=100&kv=q8_0&split=tensor"
        "&machine=apple-m4-10c@16*2"
    )


@pytest.mark.parametrize("name", ODD_NAMES)
def test_an_odd_name_stays_a_name(page, name):
    own = machine({"name": name, "memory_bandwidth_bytes_per_s": 1e11}, devices=3)
    assert page.there_and_back(state(machines=[own, own])) == []


def test_half_a_character_is_written_as_a_missing_one(page):
    written = page.ask("write", state(machines=[machine({"name": "a\ud83d", "memory_bandwidth_bytes_per_s": 1e11})]))
    assert page.read(written)["state"]["machines"][0]["device"]["name"] == "a\ufffd"


def usable(page: Page, search: str) -> dict:
    """Read an address of any kind; the state has to be one that the page can go on from."""
    found = page.read(search)
    chosen = found["state"]
    assert 1 <= len(chosen["machines"]) <= 4
    assert len(found["problems"]) <= 11
    assert all(isinstance(problem, str) and len(problem) < 300 for problem in found["problems"])
    assert len(page.ask("answers", chosen)) == len(chosen["machines"])
    ast.parse(page.ask("code", chosen))
    # Its own address is sound, and stands for the same.
    again = page.read(page.ask("write", chosen))
    assert again["problems"] == []
    assert page.ask("write", again["state"]) == page.ask("write", chosen)
    return found


@pytest.mark.parametrize("search", HOSTILE, ids=lambda search: search[:60])
def test_a_hostile_address_is_answered(page, search):
    assert usable(page, search)["problems"]


@pytest.mark.parametrize("search", UNUSUAL, ids=lambda search: search[:60])
def test_an_unusual_address_is_read(page, search):
    assert usable(page, search)["problems"] == []


@settings(max_examples=500, deadline=None)
@given(search=hostile)
def test_any_address_is_answered(page, search):
    usable(page, search)


def test_full_width_numbers_are_read_in_an_address(page):
    (own,) = page.read("?machine=own:bandwidth=１２０ｅ９;memory=16,000,000,000")["state"]["machines"]
    assert own["device"] == {"memory_bandwidth_bytes_per_s": 120e9, "memory_capacity_bytes": 16e9}


def test_what_is_not_said_is_as_the_page_has_it(page):
    found = page.read("?machine=rtx-4090")
    opening = page.read("")["state"]
    assert found == {"state": state(model=opening["model"]), "problems": []}


PLAIN = {"label": "数", "minimum": 1, "maximum": 1e16}
READ = [
    ("70億", 7e9),
    ("7B", 7e9),
    ("7b", 7e9),
    ("７ｅ９", 7e9),
    ("7E9", 7e9),
    ("7e+9", 7e9),
    ("７０億", 7e9),
    ("7 000 000 000", 7e9),
    ("7,000,000,000", 7e9),
    ("7_000_000_000", 7e9),
    ("0.5M", 5e5),
    ("1.5k", 1500),
    ("1,000", 1000),
    ("1,234.5", 1234.5),
    ("２兆", 2e12),
    ("3万", 3e4),
    (" 12 ", 12),
    ("+12", 12),
    ("12.", 12),
]
REFUSED = ["", "  ", "16,5", "1,2,3", ",5", "1,2345", "abc", "−5", "-5", "7e", "7BB", "7億B", "1e400", "NaN", "Infinity", "0x10", "1.2.3", "e9", "億", "0", "1e17", "٣", "7 billion"]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), READ)
def test_numbers_are_read_as_people_write_them(page, text, value):
    assert page.ask("number", [text, PLAIN]) == {"value": value, "problem": ""}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_number_is_refused_with_what_is_allowed(page, text):
    found = page.ask("number", [text, PLAIN])
    assert found["value"] is None
    assert found["problem"].startswith("数は、1以上、1億億以下" if "億億" in found["problem"] else "数は、1以上、")
    assert (f"「{text.strip()}」" if text.strip() else "何も入力されていません") in found["problem"]


def test_whole_and_missing_numbers(page):
    assert page.ask("number", ["1.5", PLAIN | {"integer": True}])["problem"].count("整数") == 1
    assert page.ask("number", ["", PLAIN | {"optional": True}]) == {"value": None, "problem": ""}
    assert page.ask("number", ["", PLAIN | {"optional": False}])["problem"]
    assert "120 GB/s以下" in page.ask("number", ["x", PLAIN | {"maximum": 120, "unit": "GB/s"}])["problem"]


# ---------------------------------------------------------------- links to views


def links() -> dict[str, list[str]]:
    """Return the views of the calculator that the book links, by manuscript."""
    found = {
        path.name: re.findall(r"calculator\.(?:html|qmd)(\?[^)\s\"'\\]+)", path.read_text(encoding="utf-8"))
        for path in chapters.manuscript_paths()
    }
    return {name: searches for name, searches in found.items() if searches}


def test_every_view_that_the_book_links_is_sound(page):
    wrong = []
    for name, searches in links().items():
        for search in searches:
            found = page.read(urlsplit(search).query and search)
            wrong += [f"{name}: {search}: {problem}" for problem in found["problems"]]
            wrong += [
                f"{name}: {search}: {answer}" for answer in page.ask("answers", found["state"]) if answer is not True
            ]
    assert len(links()) >= 3
    expect_none(wrong)


# ---------------------------------------------------------------- the checks can fail


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/[%;]/g", "/[;]/g"),
        ("/[%;]/g", "/[%]/g"),
        ("number.toExponential()", "number.toExponential(0)"),
        ('`@${memory_bytes / GIB}`', '`@${memory_bytes / 1e9}`'),
        ('  answer: "answer_length",', '  answer: "prompt_length",'),
    ],
)  # fmt: skip
def test_a_lost_part_of_an_address_is_noticed(old, new):
    page = Page(one_after_another(*changed_scripts("address.mjs", old, new).values()))
    assert [wrong for one in systematic() for wrong in page.there_and_back(one)]


@pytest.mark.parametrize(
    ("old", "new"),
    [("Object.hasOwn(parts, key) && parts[key]", "parts[key]"), ("shortened(value)} に当", "value} に当")],
)
def test_a_careless_reading_is_noticed(old, new):
    page = Page(one_after_another(*changed_scripts("address.mjs", old, new).values()))
    careless = 0
    for search in HOSTILE:
        try:
            usable(page, search)
        except Exception:
            careless += 1
    assert careless
