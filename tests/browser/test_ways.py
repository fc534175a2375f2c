"""Backends can be chosen; what does not go together is marked, and a refusal offers what can be computed."""

import pytest

import hayasa
from tests.browser.calculator import Calculator, Machine, View, choose, differences
from tests.browser.test_pages import violations
from tests.browser.waiting import wait_until
from tests.checks.report import expect_none

pytestmark = pytest.mark.browser

CARD = "?model=llama-3.1-8b&weights=q4_k_m&engine=llama.cpp&batch=1&context=2048&machine=rtx-4090"
MAC = CARD.replace("rtx-4090", "apple-m4-10c")


@pytest.fixture
def calculator(visitor):
    yield Calculator(visitor)
    expect_none(visitor.problems)


def marked(calculator, label: str, value: str) -> str:
    """Return what stands behind the text of an option."""
    calculator.field(label).focus()
    option = calculator.field(label).locator(f"option[value='{value}']")
    return option.text_content().partition("（この")[2] or option.text_content().partition("（ここ")[2]


def test_the_backend_is_computed_with_and_stands_in_the_address(calculator):
    calculator.open(CARD).unfold()
    calculator.choose("バックエンド", "vulkan")
    view = View.read(CARD)
    view.backend = "vulkan"
    assert "&backend=vulkan&" in calculator.query
    shown = calculator.read()
    assert differences(shown, view) == []
    assert differences(calculator.open(calculator.query).read(), view) == []
    calculator.choose("バックエンド", "")
    assert "backend" not in calculator.query


def test_menus_mark_what_does_not_go_together(calculator):
    calculator.open(MAC).unfold()
    assert marked(calculator, "バックエンド", "cuda") and not marked(calculator, "バックエンド", "metal")
    assert marked(calculator, "エンジン", "tensorrt-llm") and not marked(calculator, "エンジン", "mlx")
    assert marked(calculator, "重みの形式", "nvfp4") and not marked(calculator, "重みの形式", "q4_k_m")
    calculator.choose("機種", "rtx-4090", 1)
    calculator.choose("エンジン", "vllm")
    assert calculator.query
    assert marked(calculator, "エンジン", "mlx") and not marked(calculator, "バックエンド", "cuda")
    assert not marked(calculator, "重みの形式", "awq-int4-g128") and marked(calculator, "重みの形式", "exl3-4.0bpw")


@pytest.mark.parametrize("visitor", [{}, {"color_scheme": "dark"}], ids=["light", "dark"], indirect=True)
def test_a_refusal_offers_what_can_be_computed(calculator, axe):
    page = calculator.open(MAC.replace("llama.cpp", "vllm")).page
    ways = calculator.root.locator(".hy-ways a")
    assert 1 <= ways.count() <= 3
    assert violations(page, axe, "'.hayasa-calculator'") == []
    addresses = [link.get_attribute("href") for link in ways.all()]
    for address in addresses:
        # Each is a choice that hayasa answers, and the page shows it.
        view = View.read(address)
        assert not isinstance(view.results()[0], str)
    ways.first.click()
    calculator.root.locator(".hy-number").wait_for()
    assert differences(calculator.read(), View.read(addresses[0])) == []


def test_cores_and_clock_of_ones_own_machine_count(calculator):
    calculator.open(CARD)
    calculator.choose("機種", "own", 1)
    calculator.choose("種類", "apple", 1)
    for label, text in (("メモリ帯域幅", "100"), ("コアの数", "2"), ("クロック", "0.8")):
        calculator.machine(1).get_by_label(label).fill(text)
    view = View.read(CARD)
    device = {"family": "apple", "memory_bandwidth_bytes_per_s": 100e9, "gpu_cores": 2, "gpu_clock_hz": 0.8e9}
    view.machines = [Machine({**device, "memory_capacity_bytes": 32 * 2**30})]
    calculator.type("メモリ（GB）", "32", 1)
    assert "cores=2;clock=8e8" in calculator.query
    shown = calculator.read()
    assert differences(shown, view) == []
    calculator.machine(1).get_by_label("コアの数").fill("")
    assert calculator.read()["cards"] != shown["cards"]


SEARCHES = {
    "machines": lambda view: hayasa.choose_devices(view["model"], weights=view["weights"], **view["question"]),
    "formats": lambda view: hayasa.choose_formats(view["model"], view["device"], **view["question"]),
    "models": lambda view: hayasa.choose_models(view["device"], **view["question"]),
}
NAMES = {"machines": "device", "formats": "weights", "models": "model"}


@pytest.mark.parametrize(
    "visitor",
    [{"viewport": {"width": 390, "height": 800}}, {"color_scheme": "dark"}],
    ids=["390", "dark"],
    indirect=True,
)
def test_machines_formats_and_models_are_found(calculator, axe):
    calculator.open(CARD)
    room = calculator.root.locator("[data-part=choosing]")
    room.locator("summary").click()
    view = {"model": "llama-3.1-8b", "weights": "q4_k_m", "device": "rtx-4090"}
    for find, speed in (("machines", 180), ("formats", 150), ("models", 600)):
        choose(room.get_by_label("探すもの"), find)
        room.get_by_label("ほしい速さ").fill(str(speed))
        view["question"] = {"context_length": 2048, "at_least_tokens_per_s": speed, "engine": "llama.cpp"}
        expected = [getattr(one, NAMES[find]).name for one in SEARCHES[find](view)]
        rows = room.locator("tbody tr td:first-child")
        assert len(expected) < 30  # so many are listed
        # Of what ranks alike, the page has first what its menus have first.
        wait_until(
            calculator.page,
            "expected => [...document.querySelectorAll('[data-part=choosing] tbody tr')]"
            ".map((row) => row.cells[0].textContent).sort().join() === expected",
            ",".join(sorted(expected)),
        )
        assert rows.count() == len(expected) > 3
        room.get_by_label("ほしい速さ").blur()
        assert f"&find={find}&speed={speed}&" in calculator.query
    assert violations(calculator.page, axe, "'.hayasa-calculator'") == []
    assert calculator.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # The address brings the question back.
    query = calculator.query
    calculator.open(query)
    wait_until(calculator.page, "document.querySelectorAll('[data-part=choosing] tbody tr').length > 3")
    assert sorted(" ".join(name.split()) for name in rows.all_inner_texts()) == sorted(
        " ".join(name.split()) for name in expected
    )
    room.get_by_label("ほしい速さ").fill("1e8")
    room.get_by_text("ありません").wait_for()
