"""Ten questions that newcomers ask, each answered on a phone as a finger would find it; and the names that they type."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import expect

import hayasa
from hayasa.model.tensors import total_parameters
from hayasa.units import significant
from tests.browser.calculator import PAGE, SETTLED, Calculator, Machine, View, differences
from tests.browser.test_pages import violations
from tests.checks.report import expect_none

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
ON_A_PHONE = pytest.mark.parametrize("visitor", [PHONE], ids=["390"], indirect=True)
MOST_TAPS, MOST_SCREENS = 7, 4.0  # in a minute a finger does many more


@dataclass
class Phone:
    """A reader with one finger: it taps what is in sight, or scrolls there first."""

    page: Any
    path: list[str] = field(default_factory=list)
    scrolled: float = 0.0

    @property
    def taps(self) -> int:
        return sum(not step.startswith("（") for step in self.path)

    def arrive(self) -> None:
        """Wait until the calculator has its first answer."""
        self.page.wait_for_selector("html[data-hayasa-ready]", state="attached")

    def see(self, what) -> None:
        """Scroll until a thing is in the middle of the screen, unless the screen has it."""
        moved = what.evaluate(
            """(one) => {
              const box = one.getBoundingClientRect();
              if (box.top >= 60 && box.bottom <= innerHeight) return 0;
              const before = scrollY;
              one.scrollIntoView({ block: "center", behavior: "instant" });
              return Math.abs(scrollY - before) / innerHeight;
            }"""
        )
        self.scrolled += moved

    def tap(self, what, name: str) -> None:
        self.see(what)
        what.tap()
        self.path.append(name)

    def find(self, label: str, typed: str, name: str) -> None:
        """Type a part of a name, and tap the one that is meant."""
        field = self.page.get_by_label(f"{label}を名前で探す", exact=True).last
        self.tap(field, f"{label}を探す")
        field.fill(typed)
        self.path.append(f"（「{typed}」と打つ）")
        self.tap(self.page.get_by_role("listbox").get_by_role("option", name=name, exact=True), name)

    def choose(self, label: str, text: str) -> None:
        """Choose of a menu: it is tapped, and then the line that is meant."""
        menu = self.page.get_by_label(label, exact=True)
        self.tap(menu, label)
        menu.select_option(label=text)
        self.path.append(text)

    def write(self, label: str, text: str) -> None:
        number = self.page.get_by_role("textbox", name=re.compile(f"^{label}(（.*）)?$"))
        self.tap(number, label)
        number.fill(text)
        number.blur()
        self.path.append(f"（「{text}」と打つ）")

    def unfold(self, title: str) -> None:
        self.tap(self.page.locator(".hayasa-calculator summary").get_by_text(title), title)

    def read(self, what, name: str) -> str:
        """Return what stands somewhere, when it has been calculated and is in sight."""
        self.page.evaluate(f"async () => {{ {SETTLED} }}")
        self.see(what)
        assert what.evaluate("one => one.scrollWidth <= innerWidth"), f"{name} が画面からはみ出します"
        self.path.append(f"（{name}を読む）")
        return re.sub(r"\s+", " ", what.inner_text())

    def card(self, number: int = 1):
        return self.page.locator(".hy-machine").nth(number - 1).locator(".hy-output")


@dataclass
class Question:
    """A question, how a finger answers it, and what hayasa says."""

    asked: str
    way: Callable[[Phone], str]
    view: Callable[[], View]
    says: Callable[[View], list[str]]
    begins: str = PAGE


def on(device: str, gb: float | None = None, count: int = 1, **chosen: Any) -> Callable[[], View]:
    return lambda: View(**{"context_length": 2048, "machines": [Machine(device, gb, count)]} | chosen)


def speed_and_memory(view: View) -> list[str]:
    (shown,) = view.cards()
    return [f"{shown['kind']} {shown['number']} トークン/秒", shown["memory"].partition("：")[2][:5]]


def laptop(phone: Phone) -> str:
    link = phone.page.locator("p").get_by_role("link", name="速度計算機").first
    phone.tap(link, "はじめにの「速度計算機」")
    assert phone.scrolled == 0  # it is on the first screen
    phone.arrive()
    phone.find("モデル", "deepseek r1 14b", "Qwen2.5 14B：deepseek-r1:14b")
    phone.find("機種", "ノート 4060", "NVIDIA GeForce RTX 4060 Laptop GPU")
    return phone.read(phone.card(), "見積りと、入るか")


def six_bits(phone: Phone) -> str:
    phone.find("モデル", "deepseek-r1:14b", "Qwen2.5 14B：deepseek-r1:14b")
    phone.choose("重みの形式", "GGUF Q6_K")
    phone.tap(phone.page.get_by_role("button", name="RTX 3060"), "お使いの機械は：RTX 3060")
    return phone.read(phone.card(), "見積りと、入るか")


def two_cards(phone: Phone) -> str:
    phone.find("機種", "4090", "NVIDIA GeForce RTX 4090")
    phone.tap(phone.page.get_by_role("button", name="機械を加えて比べる"), "機械を加えて比べる")
    phone.find("機種", "２枚の4090", "NVIDIA GeForce RTX 4090")
    return phone.read(phone.page.locator(".hy-verdict"), "どちらが何倍か")


def agent(phone: Phone) -> str:
    phone.find("モデル", "gemma 4 31b", "Gemma 4 31B")
    phone.find("機種", "MacBook Pro M4 Pro 48GB", "Apple M4 Pro (20 コア GPU)")
    phone.unfold("くわしい条件")
    phone.write("プロンプトの長さ", "12000")
    return phone.read(phone.card(), "最初のトークンまで")


def built_in(phone: Phone) -> str:
    phone.find("モデル", "qwen3.6:35b", "Qwen3.6 35B-A3B")
    phone.find("機種", "780m 32gb", "AMD Ryzen 7040/8040 (Radeon 780M)")
    return phone.read(phone.card(), "見積りと、入るか")


def split(phone: Phone) -> str:
    phone.find("モデル", "qwen3.6:35b", "Qwen3.6 35B-A3B")
    phone.find("機種", "5080", "NVIDIA GeForce RTX 5080")
    phone.tap(phone.page.locator(".hy-ways a").first, "入らない分を主記憶に置く")
    phone.page.locator(".hy-memory", has_text="主記憶").wait_for()
    return phone.read(phone.card(), "見積り")


def on_the_host() -> list[str]:
    asked = {"weights": "q4_k_m", "engine": "llama.cpp", "context_length": 2048}
    result = hayasa.estimate("qwen3.6-35b-a3b", "rtx-5080", host="ddr5-5600 x2", **asked)
    return [f"見積り {significant(result.decode_tokens_per_s)} トークン/秒"]


def models(phone: Phone) -> str:
    phone.find("機種", "MacBook Air M4 24GB", "Apple M4 (10 コア GPU)")
    phone.unfold("機械、形式、モデルを探す")
    phone.choose("探すもの", "機械1で動くモデル")
    phone.write("ほしい速さ", "15")
    return phone.read(phone.page.locator("[data-part=choosing] tbody tr").first, "いちばん大きいモデル")


def largest_model(view: View) -> list[str]:
    device = view.machines[0].object
    found = hayasa.choose_models(device, context_length=2048, at_least_tokens_per_s=15, engine="llama.cpp")
    best = max((one for one in found if one.fits), key=lambda one: total_parameters(one.model))
    return [f"{best.model.name} {best.weights.name} {significant(best.decode_tokens_per_s)}"]


def desks(phone: Phone) -> str:
    phone.find("モデル", "gptoss 120", "gpt-oss-120b")
    phone.find("機種", "GB10", "NVIDIA DGX Spark (GB10)")
    phone.tap(phone.page.get_by_role("button", name="機械を加えて比べる"), "機械を加えて比べる")
    phone.find("機種", "m5 max 128gb", "Apple M5 Max (40 コア GPU)")
    return phone.read(phone.page.locator(".hy-verdict"), "どちらが何倍か")


def bill(phone: Phone) -> str:
    phone.find("モデル", "gemma3:27b", "Gemma 3 27B")
    phone.find("機種", "rtx3090", "NVIDIA GeForce RTX 3090")
    phone.unfold("電力と電気代")
    return phone.read(phone.page.locator("[data-part=energy] .hy-facts"), "100万トークンの電気代")


def yen(view: View) -> list[str]:
    (result,) = view.results()
    return [f"書く電気代 {significant(hayasa.cost(hayasa.energy(result)).electricity_yen)} 円"]


def room(phone: Phone) -> str:
    phone.find("モデル", "qwen3.6 27b", "Qwen3.6 27B")
    phone.find("機種", "４０９０", "NVIDIA GeForce RTX 4090")
    return phone.read(phone.card(), "文脈長の限り")


# Each was asked in public, of issue trackers mostly, and is put here in our words.
QUESTIONS = [
    Question(
        "RTX 4060のノートPCで、DeepSeek R1（14B）は動く？",
        laptop,
        on("rtx-4060-laptop", model="qwen2.5-14b"),
        speed_and_memory,
        begins="index.html",
    ),
    Question(
        "14BのモデルのQ6は、12 GBのGPUに入る？",
        six_bits,
        on("rtx-3060", 12, model="qwen2.5-14b", weights="q6_k"),
        speed_and_memory,
    ),
    Question(
        "GPUを2枚にすると、2倍速くなる？",
        two_cards,
        on("", model="llama-3.1-8b", machines=[Machine("rtx-4090"), Machine("rtx-4090", devices=2)]),
        lambda view: [view.verdict()],
    ),
    Question(
        "M4 Pro（48 GB）のGemma 4 31Bが、コードを書く道具では一言目まで2分かかる。普通？",
        agent,
        on("apple-m4-pro-20c", 48, model="gemma-4-31b", prompt_length=12000),
        lambda view: [view.cards()[0]["facts"]["最初のトークンまで"]],
    ),
    Question(
        "内蔵GPUと32 GBのPCで、Qwen3.6 35B-A3Bは動く？",
        built_in,
        on("radeon-780m", 32, model="qwen3.6-35b-a3b"),
        speed_and_memory,
    ),
    Question(
        "16 GBのRTX 5080に入らない専門家をCPUの側に置くと、どれくらい？",
        split,
        on("rtx-5080", model="qwen3.6-35b-a3b"),
        lambda view: on_the_host(),
    ),
    Question(
        "24 GBのMacBook Air（M4）で、15トークン/秒より速く動く、いちばん大きいモデルは？",
        models,
        on("apple-m4-10c", 24, model=""),
        largest_model,
    ),
    Question(
        "gpt-oss-120bを動かすなら、DGX SparkとM5 Maxのどちらが速い？",
        desks,
        on(
            "", model="gpt-oss-120b", weights="mxfp4", machines=[Machine("dgx-spark"), Machine("apple-m5-max-40c", 128)]
        ),
        lambda view: [view.verdict()],
    ),
    Question(
        "RTX 3090でGemma 3 27Bを使うと、100万トークンの電気代はいくら？", bill, on("rtx-3090", model="gemma-3-27b"), yen
    ),
    Question(
        "24 GBのGPUにQwen3.6 27Bを載せると、文脈はどこまで入る？",
        room,
        on("rtx-4090", model="qwen3.6-27b"),
        lambda view: [f"文脈長 {view.results()[0].longest_context_length:,} トークンまで入ります"],
    ),
]


def without_blanks(text: str) -> str:
    return re.sub(r"\s", "", text)


@ON_A_PHONE
def test_ten_questions_are_answered_with_a_finger(visitor, record_property):
    found, told = [], []
    for question in QUESTIONS:
        page = visitor.page
        page.goto(visitor.address + question.begins, wait_until="commit")
        phone = Phone(page)
        if question.begins == PAGE:
            phone.arrive()
        shown = without_blanks(question.way(phone))
        found += [
            f"{question.asked} {text} とありません：{shown}"
            for text in question.says(question.view())
            if without_blanks(text) not in shown
        ]
        if phone.taps > MOST_TAPS or phone.scrolled > MOST_SCREENS:
            found.append(f"{question.asked} {phone.taps}回、{phone.scrolled:.1f}画面：{phone.path}")
        told.append(f"{question.asked} → {' → '.join(phone.path)}（{phone.taps}回、{phone.scrolled:.1f}画面）")
    record_property("note", "速度計算機、指で：\n" + "\n".join(told))
    expect_none(found + visitor.problems)


# ---------------------------------------------------------------- the names that they type


@pytest.fixture
def calculator(visitor):
    yield Calculator(visitor)
    expect_none(visitor.problems)


MACHINE, MODEL = "機種を名前で探す", "モデルを名前で探す"
CARD = "?model=llama-3.1-8b&weights=q4_k_m&engine=llama.cpp&batch=1&context=2048&machine=rtx-4090"


NOTHING = ["この名前のものはありません。", "自分の機械（数字を入れる）"]


def test_names_are_found_however_they_are_typed(calculator):
    """`tests/web/test_names.py` asks for many more; here is what is seen of them."""
    page = calculator.open(CARD).page
    offered = page.get_by_role("listbox").get_by_role("option")
    for label, typed, first, count in (
        (MACHINE, "ＲＴＸ５０９０", "NVIDIA GeForce RTX 5090", 3),
        (MACHINE, "ノート 4060", "NVIDIA GeForce RTX 4060 Laptop GPU", 1),
        (MACHINE, "マックミニ m4 pro", "Apple M4 Pro (16 コア GPU)", 2),
        (MACHINE, "Strix Halo", "AMD Ryzen AI Max+ 395 (Radeon 8060S)：Strix Halo", 1),
        (MODEL, "deepseek-r1:14b", "Qwen2.5 14B：deepseek-r1:14b", 1),
    ):
        field = page.get_by_label(label, exact=True)
        field.fill(typed)
        expect(offered.first).to_have_text(first)
        assert offered.count() == count, typed
        field.fill("")
    field = page.get_by_label(MACHINE, exact=True)
    field.fill("rtx 9090")
    assert offered.all_text_contents() == NOTHING
    field.press("Escape")
    assert differences(calculator.read(), View.read(CARD)) == []
    # The amounts come with the name.
    field.fill("2台 MacBook Air M4 24GB")
    field.press("Enter")
    view = View.read(CARD)
    view.machines = [Machine("apple-m4-8c", 24, 2)]
    assert differences(calculator.read(), view) == []


def test_a_model_comes_in_its_usual_format_unless_another_was_chosen(calculator):
    calculator.open(CARD).page.wait_for_selector("[data-part=choosing]", state="attached")
    weights = calculator.field("重みの形式")
    for model in ("gpt-oss-20b", "deepseek-r1", "own", "gpt-oss-120b", "qwen3-8b"):
        calculator.choose("モデル", model)
        usual = "q4_k_m" if model == "own" else hayasa.estimate(model, "rtx-4090", engine="llama.cpp").weights.id
        assert weights.input_value() == usual
    calculator.choose("重みの形式", "q8_0")
    calculator.choose("モデル", "gpt-oss-20b")
    assert weights.input_value() == "q8_0"


@pytest.mark.parametrize("visitor", [{}, PHONE | {"color_scheme": "dark"}], ids=["light", "dark phone"], indirect=True)
def test_keys_go_through_the_names_that_are_found(calculator, axe):
    page = calculator.open(CARD).page
    field = page.get_by_label(MACHINE, exact=True)
    found = page.get_by_role("listbox")
    assert (field.get_attribute("role"), field.get_attribute("aria-expanded"), found.count()) == (
        "combobox",
        "false",
        0,
    )
    field.press_sequentially("m4 max")
    expect(field).to_have_attribute("aria-expanded", "true")  # the names come with the first key
    assert field.get_attribute("aria-controls") == found.get_attribute("id")
    names = found.get_by_role("option")

    def chosen() -> str:
        (one,) = [name for name in names.all() if name.get_attribute("aria-selected") == "true"]
        assert field.get_attribute("aria-activedescendant") == one.get_attribute("id")
        return one.text_content()

    walked = []
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowUp"):
        field.press(key)
        walked.append(chosen())
    assert walked == ["Apple M4 Max (32 コア GPU)", "Apple M4 Max (40 コア GPU)"] * 2
    assert violations(page, axe, "'.hayasa-calculator'") == []
    # Enter while an input method puts words together is not the page's.
    field.evaluate("one => one.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', isComposing: true }))")
    assert found.is_visible()
    field.press("Escape")
    assert (field.input_value(), found.count(), field.get_attribute("aria-expanded")) == ("", 0, "false")
    field.press_sequentially("m4 max")
    field.press("ArrowUp")
    field.press("Enter")
    view = View.read(CARD)
    view.machines = [Machine("apple-m4-max-40c")]
    assert page.evaluate("document.activeElement.selectedOptions[0].textContent") == "Apple M4 Max (40 コア GPU)"
    assert differences(calculator.read(), view) == []
    # Whoever leaves the field leaves everything as it is.
    field.fill("a100")
    assert found.is_visible()
    field.blur()
    assert found.count() == 0
    assert differences(calculator.read(), view) == []
