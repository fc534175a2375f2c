"""The calculator in a real browser: whatever a reader changes, it says what hayasa says, and can be shared."""

import contextlib
import csv
import json
import math
import re
import subprocess
import sys
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import pytest

import hayasa
from hayasa.catalog.objects import device_rows
from hayasa.catalog.reader import data_directory, parse_number
from hayasa.units import GIB, duration, gibibytes, significant
from tests.browser.calculator import PAGE, Calculator, Machine, View, changes, differences
from tests.browser.conftest import Visitor
from tests.browser.waiting import wait_until
from tests.checks.report import expect_none
from tests.web.states import HOSTILE, UNUSUAL, systematic

pytestmark = pytest.mark.browser


def article() -> View:
    """Return the article's comparison, its Mac mini counted with the Neural Engine."""
    row = device_rows()["apple-m4-10c"]
    mini = {
        "name": "Mac mini M4",
        "family": "apple",
        "memory_bandwidth_bytes_per_s": hayasa.get_device("apple-m4-10c").memory_bandwidth_bytes_per_s,
        "memory_capacity_bytes": min(map(int, row["memory_options_gb"].split("|"))) * GIB,
        "peak_int4_dense_op_per_s": parse_number(row, "neural_engine_op_per_s", "devices.csv"),
    }
    machines = [Machine("a100-80gb-pcie"), Machine(mini)]
    return View({"stated_parameters": 7e9}, weights="int4", engine="ideal", machines=machines)


@pytest.fixture
def calculator(visitor):
    """Return the calculator; whatever goes wrong on its page fails the test."""
    yield Calculator(visitor)
    expect_none(visitor.problems)


# ---------------------------------------------------------------- what the page says


@pytest.mark.parametrize(
    ("visitor", "machine"),
    [
        ({"user_agent": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"}, Machine("apple-m4-10c", 16)),
        ({"user_agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"}, Machine("rtx-4060")),
    ],
    indirect=["visitor"],
)
def test_a_first_visitor_sees_an_estimate_and_is_asked_for_the_machine(calculator, machine):
    view = View("llama-3.1-8b", context_length=2048, machines=[machine])
    expect_none(differences(calculator.open("").read(), view))
    assert calculator.query == ""
    asked = calculator.root.get_by_role("group", name="お使いの機械").get_by_role("button")
    for name, own in (("M2", Machine("apple-m2-8c", 16)), ("RTX 3060", Machine("rtx-3060", 12))):
        asked.filter(has_text=re.compile(f"^{name}$")).click()
        expect_none(differences(calculator.read(), View("llama-3.1-8b", context_length=2048, machines=[own])))
        assert f"machine={own.device}@{own.memory_gb:.0f}" in calculator.query
    # Who comes with a question of their own is not asked.
    assert calculator.open("?model=qwen3-8b&machine=rtx-3060").root.locator(".hy-asked").count() == 0


@pytest.mark.parametrize("visitor", [{"viewport": {"width": 390, "height": 844}}], indirect=True)
def test_question_answer_and_interval_are_in_the_first_screen_of_a_phone(calculator):
    calculator.open_address(calculator.visitor.address + PAGE)
    calculator.page.evaluate("document.querySelector('.hy-more').open = false")
    for shown in (calculator.field("モデル"), calculator.field("重みの形式"), calculator.field("機種")):
        assert in_view(shown)
    for selector in (".hy-speed", ".hy-output .hy-facts", ".hy-memory p"):
        assert in_view(calculator.root.locator(selector).first)
    assert not calculator.field("エンジン").is_visible()
    assert "llama.cpp" in calculator.root.locator(".hy-more summary").text_content()


def in_view(part) -> bool:
    return part.evaluate(
        "part => { const { top, bottom } = part.getBoundingClientRect(); return top >= 0 && bottom <= innerHeight; }"
    )


def test_the_comparison_of_the_article_is_one_touch_away(calculator):
    calculator.open("").page.get_by_role("link", name="この本の出発点", exact=True).first.click()
    wait_until(calculator.page, "() => location.search.includes('engine=ideal')")
    shown = calculator.read()
    expect_none(differences(shown, article()))
    limits = [
        result.batch_size / seconds
        for result in article().results()
        for seconds in (result.memory_latency_s, result.compute_latency_s)
    ]
    assert [f"{limit:,.1f}" for limit in limits] == ["552.9", "89,142.9", "34.3", "2,714.3"]
    for card, memory, compute in zip(shown["cards"], limits[::2], limits[1::2], strict=True):
        assert card["facts"]["メモリの限界"] == f"{memory:,.1f} トークン/秒"
        assert card["facts"]["計算の限界"] == f"{compute:,.1f} トークン/秒"


def test_every_part_of_a_sum_links_the_chapter_that_explains_it(calculator, site):
    calculator.open(COMMANDS[0]).unfold()
    calculator.page.wait_for_selector(".hy-sum section")
    parts = calculator.page.evaluate(
        """() => [...document.querySelectorAll(".hy-sum section")]
        .map((part) => [...part.querySelectorAll("a")].map((link) => [link.getAttribute("href"), link.textContent]))"""
    )
    heading, *parts = parts
    assert heading == []
    assert len(parts) == 8
    for links in parts:
        assert links
        for address, text in links:
            assert (site / address).is_file()
            assert text == f"第{int(address.removeprefix('chapters/')[:2])}章"


def test_what_a_step_waits_for_stands_above_its_sum(calculator):
    query = COMMANDS[0] + "&machine=rtx-4090"
    calculator.open(query).root.locator(".hy-waits").nth(1).wait_for()
    shown = calculator.root.locator(".hy-waits")
    for place, result in enumerate(View.read(query).results()):
        waits = [one for one in result.waits if one.seconds and not one.hidden]
        said = [
            f"{one.kind.label} {'−' if one.seconds < 0 else ''}{duration(abs(one.seconds))}"
            for one in sorted(waits, key=lambda one: -one.seconds)
        ]
        caption = f"1ステップに {duration(result.step_latency_s)}：{'、'.join(said)}"
        assert shown.nth(place).locator(".hy-caption").text_content() == caption
        widths = [part.bounding_box()["width"] for part in shown.nth(place).locator(".hy-wait-bar > div").all()]
        longest = max(one.seconds for one in waits)
        total = sum(one.seconds for one in waits if one.seconds > 0)
        assert math.isclose(widths[0] / sum(widths), longest / total, abs_tol=0.02)


# A step: what it is called, what the reader does, and what that makes of the view.


def set_to(**values):
    """Return a change of the conditions."""

    def change(view):
        for name, value in values.items():
            setattr(view, name, value)

    return change


def set_machine(number, **values):
    """Return a change of a machine, from 1."""

    def change(view):
        for name, value in values.items():
            setattr(view.machines[number - 1], name, value)

    return change


def set_number(number, **values):
    """Return a change of a device of one's own."""
    return lambda view: view.machines[number - 1].device.update(values)


def set_size(**values):
    """Return a change of a model of one's own."""
    return lambda view: view.model.update(values)


CONDITIONS = [
    ("モデル", lambda c: c.choose("モデル", "llama-3.1-8b"), set_to(model="llama-3.1-8b")),
    ("重み", lambda c: c.choose("重みの形式", "q4_k_m"), set_to(weights="q4_k_m")),
    ("エンジン", lambda c: c.choose("エンジン", "llama.cpp"), set_to(engine="llama.cpp")),
    ("バッチ", lambda c: c.type("バッチサイズ", "6"), set_to(batch_size=6)),
    ("バッチのつまみ", lambda c: c.press("バッチサイズ（スライダー）", "ArrowRight"), set_to(batch_size=16)),
    ("文脈", lambda c: c.type("文脈長", "4,096"), set_to(context_length=4096)),
    ("文脈のつまみ", lambda c: c.press("文脈長（スライダー）", "ArrowRight"), set_to(context_length=8192)),
    ("プロンプト", lambda c: c.type("プロンプトの長さ", "１２３"), set_to(prompt_length=123)),
    ("KVキャッシュ", lambda c: c.choose("KVキャッシュの形式", "q8_0"), set_to(kv_cache="q8_0")),
    ("台数", lambda c: c.type("台数", "2", 1), set_machine(1, devices=2)),
    ("分け方", lambda c: c.choose("複数台での分け方", "tensor"), set_to(split="tensor")),
    ("機種", lambda c: c.choose("機種", "apple-m2-8c", 1), set_machine(1, device="apple-m2-8c")),
    ("メモリ", lambda c: c.choose("メモリ", str(8 * GIB), 1), set_machine(1, memory_gb=8)),
    ("バッチを戻す", lambda c: c.press("バッチサイズ（スライダー）", "Home"), set_to(batch_size=1)),
    ("プロンプトを消す", lambda c: c.type("プロンプトの長さ", ""), set_to(prompt_length=None)),
    ("MLX", lambda c: c.choose("エンジン", "mlx"), set_to(engine="mlx")),
    ("MoE", lambda c: c.choose("モデル", "deepseek-v3"), set_to(model="deepseek-v3")),
    ("vLLM", lambda c: c.choose("エンジン", "vllm"), set_to(engine="vllm")),
]

OWN_MACHINE = [
    (
        "名前",
        lambda c: c.type("名前", "机の上の & 'Mac'; <b>*2</b>", 2),
        set_number(2, name="机の上の & 'Mac'; <b>*2</b>"),
    ),
    ("帯域幅", lambda c: c.type("メモリ帯域幅（GB/s）", "273", 2), set_number(2, memory_bandwidth_bytes_per_s=273e9)),
    ("int4", lambda c: c.type("int4の計算力（TOPS）", "68.7", 2), set_number(2, peak_int4_dense_op_per_s=68.7e12)),
    ("エンジン", lambda c: c.choose("エンジン", "llama.cpp"), set_to(engine="llama.cpp")),
    ("種類", lambda c: c.choose("種類", "nvidia", 2), set_number(2, family="nvidia")),
    ("重み", lambda c: c.choose("重みの形式", "int8"), set_to(weights="int8")),
    ("int8", lambda c: c.type("int8の計算力（TOPS）", "34.1", 2), set_number(2, peak_int8_dense_op_per_s=34.1e12)),
    ("重み16", lambda c: c.choose("重みの形式", "f16"), set_to(weights="f16")),
    ("fp16", lambda c: c.type("fp16の計算力（TFLOPS）", "17.1", 2), set_number(2, peak_fp16_dense_flop_per_s=17.1e12)),
    ("メモリ", lambda c: c.type("メモリ（GB）", "8", 2), set_number(2, memory_capacity_bytes=8 * GIB)),
    ("メモリなし", lambda c: c.type("メモリ（GB）", "", 2), set_number(2, memory_capacity_bytes=0)),
    ("台数", lambda c: c.type("台数", "4", 2), set_machine(2, devices=4)),
    ("名前なし", lambda c: c.type("名前", "", 2), set_number(2, name="")),
]

OWN_SHAPE = dict.fromkeys(
    ("layers", "hidden_size", "attention_heads", "kv_heads", "head_dim", "intermediate_size", "vocab_size")
)


def example_shape(view):
    view.model = {name: getattr(hayasa.get_model("llama-3.1-8b"), name) for name in OWN_SHAPE}


def check_shape(calculator):
    calculator.root.get_by_role("checkbox").click()


OWN_MODEL = [
    ("パラメータ数", lambda c: c.type("パラメータ数", "130億"), set_size(stated_parameters=130e8)),
    ("Bで書く", lambda c: c.type("パラメータ数", "1.5B"), set_size(stated_parameters=1.5e9)),
    (
        "文脈",
        lambda c: c.type("文脈長", "3000"),
        set_to(context_length=3000),
    ),  # needs a shape: an error in every card
    ("形", check_shape, example_shape),
    ("層", lambda c: c.type("層の数", "40"), set_size(layers=40)),
    ("隠れ次元", lambda c: c.type("隠れ次元", "5120"), set_size(hidden_size=5120)),
    ("ヘッド", lambda c: c.type("ヘッド数", "40"), set_size(attention_heads=40)),
    ("KVヘッド", lambda c: c.type("KVヘッド数", "10"), set_size(kv_heads=10)),
    ("次元", lambda c: c.type("ヘッドの次元", "64"), set_size(head_dim=64)),
    ("FFN", lambda c: c.type("FFNの幅", "13824"), set_size(intermediate_size=13824)),
    ("語彙", lambda c: c.type("語彙の数", "32000"), set_size(vocab_size=32000)),
    ("表のモデル", lambda c: c.choose("モデル", "llama-2-7b"), set_to(model="llama-2-7b")),
    ("文脈なし", lambda c: c.type("文脈長", "0"), set_to(context_length=0)),
    ("自分のモデル", lambda c: c.choose("モデル", "own"), set_to(model={"stated_parameters": 7e9})),
]


def add(view):
    view.machines.append(deepcopy(view.machines[-1]))


MACHINES = [
    ("加える", lambda c: c.add(), add),
    (
        "三つめを変える",
        lambda c: c.type("メモリ帯域幅（GB/s）", "546", 3),
        set_number(3, memory_bandwidth_bytes_per_s=546e9),
    ),
    ("もう一つ加える", lambda c: c.add(), add),
    ("表の機種", lambda c: c.choose("機種", "rtx-4090", 4), set_machine(4, device="rtx-4090")),
    ("二つめを外す", lambda c: c.remove(2), lambda view: view.machines.pop(1)),
    ("また加える", lambda c: c.add(), add),
    ("その機種", lambda c: c.choose("機種", "apple-m4-max-40c", 4), set_machine(4, device="apple-m4-max-40c")),
    ("そのメモリ", lambda c: c.choose("メモリ", str(64 * GIB), 4), set_machine(4, memory_gb=64)),
    (
        "自分の機械",
        lambda c: c.choose("機種", "own", 1),
        set_machine(
            1,
            device={
                "family": "apple",
                "memory_bandwidth_bytes_per_s": hayasa.get_device("apple-m4-10c").memory_bandwidth_bytes_per_s,
                "memory_capacity_bytes": hayasa.get_device("apple-m4-10c").memory_capacity_bytes,
            },
        ),
    ),
    ("一つめを外す", lambda c: c.remove(1), lambda view: view.machines.pop(0)),
    ("さらに外す", lambda c: c.remove(1), lambda view: view.machines.pop(0)),
    ("一つだけ残す", lambda c: c.remove(1), lambda view: view.machines.pop(0)),
]

WALKS = {"条件": CONDITIONS, "自分の機械": OWN_MACHINE, "自分のモデル": OWN_MODEL, "機械の数": MACHINES}


@dataclass
class Stop:
    """Where a walk through the controls has come to."""

    name: str
    view: View
    query: str
    shown: dict


@dataclass
class Walk:
    """A page on which one control after the other was changed, and what stood there each time."""

    calculator: Calculator
    stops: list[Stop]


@pytest.fixture(scope="module", params=WALKS.values(), ids=WALKS)
def walk(request, browser, address):
    with browser.new_context(locale="ja-JP") as context:
        calculator = Calculator(Visitor(context.new_page(), address)).open()
        view = article()
        stops = [Stop("はじめ", deepcopy(view), calculator.query, calculator.read())]
        for name, do, change in request.param:
            do(calculator)
            change(view)
            stops.append(Stop(name, deepcopy(view), calculator.query, calculator.read()))
        yield Walk(calculator, stops)
        expect_none(calculator.visitor.problems)


def test_every_change_shows_what_hayasa_says(walk):
    found = []
    for before, stop in pairwise(walk.stops):
        found += [f"{stop.name}: {difference}" for difference in differences(stop.shown, stop.view)]
        if (stop.shown["cards"], stop.shown["code"]) == (before.shown["cards"], before.shown["code"]):
            found.append(f"{stop.name}: 何も変わりませんでした")
    expect_none(found)


def test_back_and_forward_pass_every_change(walk):
    found = []
    places = range(len(walk.stops))
    ways = [("戻る", "back", places[-2::-1]), ("進む", "forward", places[1:])]
    for title, way, stops in ways:
        for place in stops:
            stop = walk.stops[place]
            walk.calculator.go(way, stop.query)
            found += [f"{title}: {stop.name}: {change}" for change in changes(stop.shown, walk.calculator.read())]
    expect_none(found)


def test_every_address_opens_the_same_view_in_a_new_tab(walk, browser, address):
    found = []
    with browser.new_context(locale="ja-JP") as context:
        reader = Calculator(Visitor(context.new_page(), address))
        reader.page.set_viewport_size(walk.calculator.page.viewport_size)
        for stop in walk.stops:
            restored = reader.open(stop.query).read()
            found += [f"{stop.name}: {change}" for change in changes(stop.shown, restored)]
    assert len({stop.query for stop in walk.stops}) == len({repr(stop.view) for stop in walk.stops}) > 10
    expect_none(found)


def test_a_machine_that_the_model_does_not_fit_is_not_called_the_fastest(calculator):
    # An RTX 4090 would be the faster one, if it held the 70 billion parameters.
    query = (
        "?model=llama-3.3-70b&weights=q4_k_m&engine=llama.cpp&context=2048&machine=rtx-4090&machine=apple-m4-max-40c"
    )
    assert calculator.open(query).read()["verdict"] == "NVIDIA GeForce RTX 4090 のメモリには入りません。"
    verdict = calculator.open(query + "&machine=a100-80gb-pcie").read()["verdict"]
    assert verdict.startswith("メモリに入るもののうち、いちばん速いのは NVIDIA A100 PCIe 80GB で、Apple M4 Max")
    assert verdict.endswith("倍です。NVIDIA GeForce RTX 4090 のメモリには入りません。")
    assert [change for change in differences(calculator.read(), View.read(calculator.query))] == []


# ---------------------------------------------------------------- the same on the command line

COMMANDS = [
    "?model=llama-3.1-8b&weights=q4_k_m&engine=llama.cpp&batch=1&context=2048&machine=apple-m2-8c@16",
    "?model=deepseek-v3&weights=mlx-q4&engine=mlx&batch=1&context=0&machine=apple-m4-pro-20c@64*8",
    "?model=llama-3.3-70b&weights=awq-int4-g128&engine=vllm&batch=16&context=4096&prompt=1000&kv=fp8&split=tensor&machine=h100-80gb-sxm*2",
    "?model=gpt-oss-20b&weights=mxfp4&engine=llama.cpp&batch=1&context=300&machine=rtx-3060",
    "?model=qwen3-32b&weights=f16&engine=ideal&batch=3&context=100&machine=rtx-4090",
]


@pytest.mark.parametrize("query", COMMANDS)
def test_the_page_shows_what_the_command_prints(calculator, query):
    (shown,) = calculator.open(query).read()["cards"]
    printed = command(View.read(query))
    facts = {
        "90%区間": f"{significant(printed['decode_tokens_per_s_low'])} ～ {significant(printed['decode_tokens_per_s_high'])}",
        "上限": f"{significant(printed['decode_tokens_per_s_bound'])} トークン/秒",
        "決めるもの": {"memory": "メモリ帯域幅", "compute": "計算力"}[printed["bound_by"]],
    }
    if wait := printed["time_to_first_token_s"]:
        facts["最初のトークンまで"] = f"{duration(wait)}（プロンプト {printed['prompt_length']:,} トークン）"
    else:
        facts["最初のトークンまで"] = "見積もれません"
    if printed["engine"] == "ideal":
        facts = {name: fact for name, fact in facts.items() if name not in ("90%区間", "上限")}
    assert shown["number"] == significant(printed["decode_tokens_per_s"])
    assert {name: shown["facts"].get(name) for name in facts} == facts
    assert (shown["facts"].get("90%区間") is None) == (printed["engine"] == "ideal")
    assert ("入りません" in shown["memory"]) == (printed["fit"]["verdict"] == "does_not_fit")
    assert gibibytes(printed["fit"]["required_bytes"]) in shown["memory"]
    assert shown["notes"] == printed["notes"]


def command(view: View) -> dict:
    """Ask `hayasa estimate` on the command line."""
    (machine,) = view.machines
    options = {
        "--model": view.model, "--device": machine.device, "--memory": machine.memory_gb, "--devices": machine.devices,
        "--weights": view.weights, "--engine": view.engine, "--batch": view.batch_size, "--context": view.context_length,
        "--prompt": view.prompt_length, "--kv-cache": view.kv_cache, "--split": view.split,
    }  # fmt: skip
    arguments = [part for option, value in options.items() if value for part in (option, str(value))]
    line = [sys.executable, "-m", "hayasa", "estimate", "--json", *arguments]
    return json.loads(subprocess.run(line, check=True, capture_output=True, encoding="utf-8").stdout)


# ---------------------------------------------------------------- addresses


def test_examples_on_the_page_move_it_without_loading_it_anew(calculator):
    page = calculator.open().page
    page.evaluate("window.stayed = true")
    examples = page.locator("main a[href*='calculator.html?model']:not([href*='own:'])")
    found = []
    for place in range(examples.count()):
        examples.nth(place).click()
        assert calculator.query == "?" + examples.nth(place).get_attribute("href").partition("?")[2]
        found += [f"{calculator.query}: {one}" for one in differences(calculator.read(), View.read(calculator.query))]
        assert calculator.root.is_visible()
    assert examples.count() >= 3
    assert page.evaluate("window.stayed")
    calculator.go("back", "?" + examples.nth(examples.count() - 2).get_attribute("href").partition("?")[2])
    found += differences(calculator.read(), View.read(calculator.query))
    expect_none(found)


def test_a_broken_address_says_what_is_wrong_and_keeps_the_rest(calculator):
    shown = calculator.open(
        "?model=no-such-model&weights=q8_0&engine=nothing&batch=abc&context=512&prompt=-1&kv=q8_0&split=sideways"
        "&machine=nowhere&machine=apple-m4-10c@17&machine=rtx-4090*0&machine=own:memory=8e9&machine=rtx-3090"
    ).read()
    machines = [Machine("apple-m4-10c"), Machine("rtx-3090")]
    view = View(article().model, weights="q8_0", context_length=512, kv_cache="q8_0", machines=machines)
    assert differences(shown, view) == []
    said = [
        "model=no-such-model",
        "engine=nothing",
        "「abc」",
        "「-1」",
        "split=sideways",
        "machine=nowhere",
        "17 GB",
        "rtx-4090*0",
        "bandwidth",
    ]
    assert [word for word in said if word not in shown["notice"]] == []
    # Whatever is chosen next has a whole address, and nothing to complain of.
    calculator.choose("モデル", "llama-2-7b")
    view.model = "llama-2-7b"
    assert differences(calculator.read(), view) == []
    new_tab = Calculator(Visitor(calculator.page.context.new_page(), calculator.visitor.address))
    restored = new_tab.open(calculator.query).read()
    assert (restored["notice"], differences(restored, view)) == ("", [])


ASK = """
([states, searches]) => {
  const { tables, parts } = globalThis.hayasa;
  const { readAddress, writeAddress } = parts.calculator;
  return [
    states.map((state) => readAddress(writeAddress(state), tables)),
    searches.map((search) => readAddress(writeAddress(readAddress(search, tables).state), tables).problems),
  ];
}
"""


def test_the_browser_reads_addresses_as_the_tests_without_one_do(calculator):
    chosen = list(systematic())
    read, problems = calculator.open().page.evaluate(ASK, [chosen, HOSTILE + UNUSUAL])
    assert read == [{"state": state, "problems": []} for state in chosen]
    assert problems == [[]] * len(HOSTILE + UNUSUAL)


def test_markup_in_an_address_stays_text(calculator):
    shown = calculator.open(
        "?model=%3Cimg%20src=x%20onerror=alert(1)%3E&machine=own:name=%3Cb%3E%22x%22%3C/b%3E;bandwidth=1e11"
    ).read()
    assert calculator.root.locator("img, b").count() == 0
    assert "<img src=x onerror=alert(1)>" in shown["notice"]
    assert '<b>"x"</b>' in shown["sums"][0]


def test_links_within_the_page_are_no_choices(calculator):
    """A heading's link has the query of the page; it still leads to the heading, and leaves the form alone."""
    calculator.open(COMMANDS[0])
    calculator.field("バッチサイズ").fill("12x")
    before = calculator.read()
    anchor = calculator.page.evaluate("document.querySelector('main h2[id]').id")
    calculator.page.evaluate(
        "id => { const link = document.createElement('a'); link.href = `#${id}`; link.textContent = 'x';"
        " document.querySelector('main h2').append(link); link.click(); }",
        anchor,
    )
    wait_until(calculator.page, "id => decodeURIComponent(location.hash) === `#${id}`", anchor)
    calculator.page.wait_for_timeout(100)
    assert changes(before, calculator.read()) == []


# ---------------------------------------------------------------- published measurements


def measurements(view: View) -> list[list[dict]]:
    """Return the published rows of each machine, the nearest first, read anew from data/measurements."""
    found = []
    for machine in view.machines:
        rows = [row for row in published() if (row["model"], row["device"]) == (view.model, machine.device)]

        def distance(row, machine=machine):
            return (
                16 * (row["devices"] != machine.devices)
                + 8 * (row["weights"] != view.weights)
                + 4 * (view.engine not in ("ideal", row["engine"]))
                + 2 * (row["batch_size"] != view.batch_size)
                + min(1.9, abs(row["context_length"] - view.context_length) / 8192)
            )

        found.append(sorted(rows, key=distance))
    return found


@cache
def published() -> list[dict]:
    rows = []
    for path in sorted((data_directory() / "measurements").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                with contextlib.suppress(hayasa.HayasaError, ValueError):
                    rows.append(
                        {
                            "engine": hayasa.get_engine(row["engine"]).id,
                            "model": hayasa.get_model(row["model"]).id,
                            "device": hayasa.get_device(row["device"]).id,
                            "weights": hayasa.get_weight_format(row["weights"]).id,
                            "devices": int(row["devices"]),
                            "split": {"layer": "pipeline", "row": "tensor", "": "pipeline"}.get(
                                row["split"], row["split"]
                            ),
                            "batch_size": int(row["batch_size"]),
                            "context_length": int(row["context_length"]) + int(row["decode_tokens"] or 0) // 2,
                            # The page has the three digits that it shows, and goes on from them.
                            "speed": float(f"{float(row['decode_tokens_per_s']):.3g}"),
                            "month": row["measured_on"][:7],
                            "source": row["source"],
                        }
                    )
    return rows


def speed_like(row: dict, **changed: int) -> float:
    names = ("weights", "engine", "batch_size", "context_length", "devices", "split")
    question = {name: row[name] for name in names} | changed
    return hayasa.estimate(row["model"], row["device"], **question).decode_tokens_per_s


def alike(row: dict, view: View, machine: Machine) -> bool:
    """Tell whether a measurement can stand beside the estimate."""
    conditions = ("weights", "batch_size") if view.engine == "ideal" else ("weights", "batch_size", "engine")
    if row["devices"] != machine.devices or any(row[name] != getattr(view, name) for name in conditions):
        return False
    return abs(speed_like(row, context_length=view.context_length) / speed_like(row) - 1) <= 0.1


MEASURED = [
    "?model=llama-2-7b&weights=q4_0&engine=llama.cpp&batch=1&context=0&machine=apple-m4-10c&machine=rtx-4090",
    "?model=gpt-oss-20b&weights=mxfp4&engine=llama.cpp&batch=1&context=2048&machine=ryzen-ai-max-395&machine=dgx-spark",
    "?model=llama-3-8b&weights=f16&engine=ideal&batch=1&context=0&machine=rtx-4090*2",
    "?model=mistral-7b&weights=f16&engine=vllm&batch=32&context=1024&machine=a100-40gb-sxm",
]
READ_MEASURED = """() => ({
  rows: [...document.querySelectorAll(".hy-measured-list tbody tr")].map((row) => [
    row.querySelector("svg").getAttribute("aria-label") + row.cells[0].textContent,
    ...[...row.cells].slice(1).map((cell) => cell.textContent), row.querySelector("a").href,
  ]),
  dots: [...document.querySelectorAll(".hy-measured")].map((dot) => [dot.textContent, dot.getBoundingClientRect()])
    .map(([text, box]) => ({ text, middle: (box.left + box.right) / 2 })),
  grid: [...document.querySelector(".hy-chart").querySelectorAll(".hy-grid")].map((line) => line.getBoundingClientRect().left),
  ticks: [...document.querySelector(".hy-chart").querySelectorAll(".hy-tick")].map((tick) => tick.textContent),
})"""


@pytest.mark.parametrize("query", MEASURED)
def test_measurements_beside_the_estimate_are_the_published_ones(calculator, query):
    view = View.read(query)
    calculator.open(query).ask_for_measurements()
    shown = calculator.page.evaluate(READ_MEASURED)
    found = measurements(view)
    share = 12 // sum(map(bool, found))
    rows, dots = [], []
    for number, (machine, its) in enumerate(zip(view.machines, found, strict=True), start=1):
        for row in its[:share]:
            speed = speed_like(row)
            percent = math.floor(100 * (speed / row["speed"] - 1) + 0.5)
            signed = f"{'−' if percent < 0 else '+' if percent else ''}{abs(percent)}%"
            address = row["source"].split(" ; ")[0].split("/blob/")[0]
            title = re.sub(r"^https://(github\.com/)?", "", address)
            month = f"（{row['month']}）" if row["month"] else ""
            several = f" ×{row['devices']}" if row["devices"] > 1 else ""
            rows.append([
                f"機械 {number}{several}", significant(row["speed"]), significant(speed), signed, row["weights"], row["engine"],
                f"{row['batch_size']:,}", f"{row['context_length']:,}", title + month, address,
            ])  # fmt: skip
        dots += [row["speed"] for row in its if alike(row, view, machine)]
    assert shown["rows"] == rows
    assert rows
    assert len(shown["dots"]) == len(dots)
    left, *_, right = shown["grid"]
    end = float(shown["ticks"][-1].replace(",", ""))
    for dot, speed in zip(shown["dots"], dots, strict=True):
        assert dot["text"].startswith(f"実測 {speed:g} トークン/秒")
        # A dot stands where its speed belongs, to the pixel.
        assert dot["middle"] == pytest.approx(left + (right - left) * speed / end, abs=1)


def test_the_measured_choices_have_dots():
    """Show that the comparison above compares something."""
    views = [View.read(query) for query in MEASURED]
    counted = [
        sum(
            alike(row, view, machine)
            for machine, rows in zip(view.machines, measurements(view), strict=True)
            for row in rows
        )
        for view in views
    ]
    assert min(counted[:3]) > 0


# ---------------------------------------------------------------- the checks can fail


@pytest.mark.parametrize(
    ("module", "old", "new", "noticed"),
    [
        (
            "estimator.mjs",
            "makeModel), objectOf(device, makeDevice), {",
            "makeModel), makeDevice({ ...device, memory_bandwidth_bytes_per_s: 1e9 }), {",
            "cards",
        ),
        ("cards.mjs", "limit(result.memory_latency_s)", "limit(result.compute_latency_s)", "cards"),
        (
            "answers.mjs",
            "fast.result.decode_tokens_per_s / slow",
            "fast.result.decode_tokens_per_s_low / slow",
            "verdict",
        ),
        ("sums-formulas.mjs", "演算の数 ÷ 演算の速さ", "演算の速さ ÷ 演算の数", "計算の道筋"),
        ("python.mjs", ": text(state.weights)]", ': text("f16")]', "Pythonのコード"),
    ],
)
def test_a_changed_script_is_noticed(visitor, change_script, module, old, new, noticed):
    change_script(module, old, new)
    found = differences(Calculator(visitor).open().read(), article())
    assert any(one.startswith(noticed) for one in found)


def test_an_address_that_leaves_something_out_is_noticed(visitor, change_script):
    change_script("address.mjs", 'kv: "kv_cache",', "")
    calculator = Calculator(visitor).open()
    calculator.choose("KVキャッシュの形式", "q8_0")
    calculator.choose("重みの形式", "q8_0")
    before = calculator.read()
    assert changes(before, calculator.open(calculator.query).read()) != []
