"""What people call a machine or a model finds it on the page, as it does in hayasa."""

import json

import pytest
from py_mini_racer import MiniRacer

from hayasa.catalog.objects import device_rows, model_rows, processors
from tests.checks.report import expect_none
from tests.web.javascript import ROOT
from tools.page.bundle import bundle
from tools.page.script import data_module
from tools.page.tables import names_data

ASK = """
globalThis.ask = (asked) => {
  const { kinds, typed } = JSON.parse(asked);
  return JSON.stringify(typed.map(([kind, text]) => ({
    ...hayasaNames.namesWith(text, kinds[kind]),
    ...hayasaNames.readTyped(text).amounts,
  })));
};
"""


def asker(**changed):
    """Return what finds names; `changed` are modules in the place of the page's."""
    made = {"names-data.mjs": data_module("namesData", names_data())}
    rows = {"devices": device_rows(), "models": model_rows()}
    kinds = {kind: [("own", "自分のもの"), *((id_, row["name"]) for id_, row in rows[kind].items())] for kind in rows}
    context = MiniRacer()
    context.eval(bundle(ROOT / "web", made | changed, "names.mjs", "hayasaNames") + ASK)
    return lambda typed: json.loads(context.call("ask", json.dumps({"kinds": kinds, "typed": typed})))


@pytest.fixture(scope="module")
def ask():
    return asker()


def called():
    """Yield kind, id and name for everything that hayasa understands, of every so many one."""
    for kind, rows in (("devices", device_rows()), ("models", model_rows())):
        names = [
            (kind, id_, name.lstrip("?"))
            for id_, row in rows.items()
            for name in (row["name"], *row["aliases"].split("|"), *(one.name for one in processors().get(id_, ())))
            if name
        ]
        yield from names[:: 20 if kind == "devices" else 4]


def missed(ask):
    """Yield a line for every name that does not offer what it names."""
    names = list(called())
    for (_, id_, name), answer in zip(names, ask([(kind, name) for kind, _, name in names]), strict=True):
        if id_ not in [value for value, *_ in answer["found"]]:
            yield f"{name}: {id_} が候補になく、{answer['found'][:2]} があります。"


def test_whatever_hayasa_understands_is_offered(ask):
    expect_none(missed(ask))


def test_names_without_aliases_are_missed():
    changed = {"names-data.mjs": data_module("namesData", {})}
    assert len(list(missed(asker(**changed)))) > 30


@pytest.mark.parametrize(
    ("kind", "typed", "first"),
    [
        ("devices", "Strix Halo", "ryzen-ai-max-395"),
        ("devices", "ryzen 7 5800x", "ryzen-5000"),
        ("devices", "M5", "apple-m5-10c"),  # no SXM5
        ("devices", "N100", "intel-n100"),  # no Ryzen 1000
        ("devices", "RTX 4060 Ti 16GB", "rtx-4060-ti"),
        ("devices", "7900XTX", "rx-7900-xtx"),
        ("devices", "GPUなし", "ddr-1600-single"),
        ("models", "deepseek-r1:14b", "qwen2.5-14b"),
        ("models", "deepseek r1", "deepseek-r1"),  # no DeepSeek Coder 1.3B
        ("models", "hermes 3", "llama-3.1-8b"),
        ("models", "gpt oss", "gpt-oss-20b"),
        ("models", "unsloth/Qwen3-8B-GGUF Q4_K_M", "qwen3-8b"),
    ],
)
def test_what_is_meant_comes_first(ask, kind, typed, first):
    (answer,) = ask([(kind, typed)])
    assert (answer["found"][0][0], answer["unknown"]) == (first, [])


def test_what_is_not_there_is_told(ask):
    nothing, other, dropped = ask([("devices", "rtx 9090"), ("models", "grok 2"), ("models", "bonsai 8b")])
    assert nothing["found"] == other["found"] == []
    assert dropped["unknown"] == ["bonsai"] and all("8" in name for _, name, *_ in dropped["found"])


def test_amounts_are_read_with_the_name(ask):
    typed = [
        "MacBook Air M4 24GB",
        "2x RTX 3090",
        "RTX 3090 2枚",
        "m4max 128 ×2",
        "A6000 x2",
        "9950X3D",
        "Snapdragon X2",
    ]
    answers = ask([("devices", one) for one in typed])
    assert [(one.get("memoryGb"), one.get("devices")) for one in answers] == [
        (24, None),
        (None, 2),
        (None, 2),
        (128, 2),
        (None, 2),
        (None, None),
        (None, None),
    ]
    assert answers[1]["found"] == answers[2]["found"] and all(answer["found"] for answer in answers)
