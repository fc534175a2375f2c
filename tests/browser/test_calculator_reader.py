"""The calculator for every reader: keyboard, screen reader, small screens, paper, no script, impossible input."""

import re

import pytest

import hayasa
from hayasa.units import scaled, significant
from tests.browser.calculator import ARTICLE, Calculator, Machine, View, changes, differences
from tests.browser.conftest import Visitor
from tests.browser.test_pages import violations
from tests.browser.waiting import wait_until
from tests.checks.report import expect_none
from tools import calculator_table

pytestmark = pytest.mark.browser

FOUR = (
    "?model=llama-3.1-8b&weights=q4_k_m&engine=llama.cpp&batch=8&context=2048"
    "&machine=apple-m4-max-40c@64&machine=rtx-4090*2&machine=dgx-spark&machine=a100-80gb-pcie"
)
OWN = (
    "?model=own:layers=32;hidden=4096;heads=32;kv_heads=8;head_dim=128;ffn=14336;vocab=128256&context=4096&prompt=100"
    "&machine=own:name=%E6%9C%BA;family=apple;bandwidth=120e9;memory=16e9;int8=38e12&machine=own:bandwidth=50e9"
)
TWO = "?model=llama-2-7b&weights=q4_0&engine=llama.cpp&batch=1&context=0&machine=apple-m4-10c&machine=rtx-4090"


@pytest.fixture
def calculator(visitor):
    """Return the calculator; whatever goes wrong on its page fails the test."""
    yield Calculator(visitor)
    expect_none(visitor.problems)


# ---------------------------------------------------------------- impossible input

IMPOSSIBLE = [
    ("バッチサイズ", None, ["abc", "0", "-5", "1.5", "", "9999999999", "1e400", "２－１"]),
    ("文脈長", None, ["-1", "たくさん", "1e12"]),
    ("プロンプトの長さ", None, ["0", "1.5"]),
    ("台数", 1, ["0", "2.5", ""]),
    ("層の数", None, ["0", "x"]),
    ("語彙の数", None, ["-1"]),
    ("メモリ帯域幅（GB/s）", 2, ["0", "", "速い"]),
    ("メモリ（GB）", 2, ["-16"]),
    ("int4の計算力（TOPS）", 2, ["-1", "?"]),
]
BESIDE = """field => {
  const problem = field.closest(".hy-field").querySelector(".hy-problem");
  return {
    invalid: field.getAttribute("aria-invalid"),
    text: problem.hidden ? "" : problem.textContent,
    described: (field.getAttribute("aria-describedby") ?? "").split(" ").includes(problem.id),
  };
}"""


def test_impossible_input_is_explained_beside_the_field_and_the_rest_goes_on(calculator):
    calculator.open(OWN).unfold()
    view = View(
        {"layers": 32, "hidden_size": 4096, "attention_heads": 32, "kv_heads": 8, "head_dim": 128, "intermediate_size": 14336, "vocab_size": 128256},
        context_length=4096,
        prompt_length=100,
        machines=[
            Machine({"name": "机", "family": "apple", "memory_bandwidth_bytes_per_s": 120e9, "memory_capacity_bytes": 16e9, "peak_int8_dense_op_per_s": 38e12}),
            Machine({"memory_bandwidth_bytes_per_s": 50e9}),
        ],
    )  # fmt: skip
    query, found = calculator.query, []
    good = {"invalid": None, "text": "", "described": True}
    for label, machine, texts in IMPOSSIBLE:
        field = calculator.field(label, machine)
        possible = field.input_value()
        for text in texts:
            calculator.type(label, text, machine)
            beside = field.evaluate(BESIDE)
            shown = text or "何も入力されていません"
            if beside["invalid"] != "true" or not beside["described"] or shown not in beside["text"]:
                found.append(f"{label} {text!r}: {beside}")
            if label.partition("（")[0] not in beside["text"] or "以上" not in beside["text"]:
                found.append(f"{label} {text!r}: 何が許されるか分かりません: {beside['text']}")
            found += [f"{label} {text!r}: {one}" for one in differences(calculator.read(), view)]
        # The other machine still answers.
        other = 2 if machine == 1 else 1
        calculator.type("台数", "3", other)
        view.machines[other - 1].devices = 3
        found += [f"{label} と台数: {one}" for one in differences(calculator.read(), view)]
        calculator.type("台数", "1", other)
        view.machines[other - 1].devices = 1
        if field.evaluate(BESIDE)["invalid"] != "true":
            found.append(f"{label}: 直していないのに、誤りの印が消えました")
        calculator.type(label, possible, machine)
        if field.evaluate(BESIDE) != good:
            found.append(f"{label}: 直しても {field.evaluate(BESIDE)}")
    found += differences(calculator.read(), view)
    assert calculator.query.partition("&machine")[0] == query.partition("&machine")[0].replace(
        "&context", "&weights=q4_k_m&engine=llama.cpp&batch=1&context"
    )
    expect_none(found)


def test_what_hayasa_refuses_stands_in_the_card(calculator):
    """A bare number of parameters has no cache; only hayasa can say so."""
    calculator.open("?model=own:parameters=7e9&context=100&machine=rtx-4090&machine=apple-m4-10c")
    machines = [Machine("rtx-4090"), Machine("apple-m4-10c")]
    view = View({"stated_parameters": 7e9}, context_length=100, machines=machines)
    assert all("problem" in card for card in view.cards())
    assert differences(calculator.read(), view) == []
    assert calculator.read()["captions"] == ["", ""]
    calculator.type("文脈長", "0")
    view.context_length = 0
    assert differences(calculator.read(), view) == []


# ---------------------------------------------------------------- keyboard

FOCUS = """() => {
  const field = document.activeElement;
  const style = getComputedStyle(field);
  const box = field.getBoundingClientRect();
  const name = field.getAttribute("aria-label") ?? field.labels?.[0]?.textContent ?? field.textContent;
  return {
    name: name.trim(),
    machine: [...document.querySelectorAll(".hy-machine")].indexOf(field.closest(".hy-machine")) + 1,
    inside: document.querySelector(".hayasa-calculator").contains(field),
    outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    inView: box.bottom > 0 && box.top < innerHeight && box.width > 0,
  };
}"""


class Keyboard:
    """A reader who has nothing but a keyboard, and always has to see where they are."""

    def __init__(self, calculator):
        self.keyboard, self.page = calculator.page.keyboard, calculator.page

    def at(self) -> dict:
        return self.page.evaluate(FOCUS)

    def press(self, *keys: str) -> dict:
        for key in keys:
            self.keyboard.press(key)
        at = self.at()
        assert at["inside"], f"{keys} の後で、どこにいるか分からなくなりました: {at}"
        assert at["outlined"], f"{keys} の後で、枠が見えません: {at}"
        assert at["inView"], f"{keys} の後で、画面の外にいます: {at}"
        return at

    def move(self, name: str, key: str = "Tab") -> dict:
        """Tab to the next control of a name."""
        for _ in range(60):
            at = self.press(key)
            if at["name"] == name:
                return at
        raise AssertionError(f"{name} に着きません")

    def enter(self) -> None:
        """Tab from the top of the page into the calculator."""
        self.keyboard.press("Tab")
        self.keyboard.press("Enter")  # the link that skips the menus
        for _ in range(20):
            self.keyboard.press("Tab")
            if self.at()["inside"]:
                return
        raise AssertionError("計算機に着きません")

    def write(self, text: str) -> dict:
        self.keyboard.press("Control+A")
        self.keyboard.type(text)
        return self.press("Enter")


def test_everything_works_by_keyboard_alone(calculator):
    calculator.open(TWO)
    view = View.read(TWO)
    folded = calculator.root.locator(".hy-more")
    folded.evaluate("part => { part.open = false; }")
    reader = Keyboard(calculator)
    reader.enter()
    assert reader.at()["name"] == "モデルを名前で探す"
    assert reader.press("Tab")["name"] == "モデル"
    reader.keyboard.type("Llama 3.1 8B")
    view.model = "llama-3.1-8b"
    assert reader.press("Tab")["name"] == "重みの形式"
    assert reader.press("Tab")["name"] == folded.locator("summary").text_content()
    reader.press("Enter")
    reader.move("バッチサイズ")
    reader.write("3")
    reader.move("バッチサイズ（スライダー）")
    reader.press("ArrowRight", "ArrowRight")
    view.batch_size = 16
    reader.move("プロンプトの長さ")
    reader.write("77")
    view.prompt_length = 77
    assert differences(calculator.read(), view) == []

    reader.move("＋ 機械を加えて比べる")
    assert reader.press("Enter") == reader.at() | {"name": "機種", "machine": 3}
    view.machines.append(Machine("rtx-4090"))
    reader.keyboard.type("NVIDIA DGX")
    view.machines[2].device = "dgx-spark"
    assert differences(calculator.read(), view) == []
    reader.move("機械 3 を外す", "Shift+Tab")
    assert reader.press("Enter") == reader.at() | {"name": "機種", "machine": 2}
    view.machines.pop()
    reader.move("機械 1 を外す", "Shift+Tab")
    assert reader.press("Space") == reader.at() | {"name": "機種", "machine": 1}
    view.machines.pop(0)
    assert differences(calculator.read(), view) == []

    reader.move(view.machines[0].name)
    line = calculator.root.locator(".hy-line").first
    assert not line.is_visible()
    reader.press("Enter")
    assert line.is_visible()
    reader.press("Shift+Tab", "Tab")
    # A change leaves the sum open, and the reader where they are.
    reader.move("文脈長", "Shift+Tab")
    reader.write("100")
    view.context_length = 100
    assert line.is_visible()
    assert differences(calculator.read(), view) == []
    calculator.go("back", calculator.query.replace("context=100&", "context=0&"))
    assert reader.press()["name"] == "文脈長"


def test_the_fourth_machine_and_ones_own_model_keep_the_focus(calculator):
    calculator.open(TWO)
    reader = Keyboard(calculator)
    reader.enter()
    reader.move("モデル")
    reader.keyboard.press("Home")  # the first of the list: a model of one's own
    reader.move("パラメータ数")
    reader.write("13e9")
    reader.press("Tab")
    assert "層やヘッドの数も入れる" in reader.press("Space")["name"]
    assert reader.press("Shift+Tab")["name"] == "語彙の数"
    for machine in (3, 4):
        reader.move("＋ 機械を加えて比べる")
        assert reader.press("Enter")["machine"] == machine
    assert calculator.root.get_by_role("button", name="機械を加えて比べる").is_disabled()
    reader.keyboard.press("Home")
    assert reader.press("Tab")["name"] == "名前"


# ---------------------------------------------------------------- screen reader

LISTEN = """() => {
  const regions = () => [...document.querySelectorAll("[role=status], [role=alert], [role=log], [aria-live], output")]
    .filter((region) => region.getAttribute("aria-live") !== "off" && !region.closest("[aria-hidden=true]"));
  window.heard = [];
  let last = regions().map((region) => region.textContent).join("|");
  new MutationObserver(() => {
    const text = regions().map((region) => region.textContent).join("|");
    if (text !== last) heard.push(text.replaceAll("|", ""));
    last = text;
  }).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""


def hear_a_burst(calculator) -> list[str]:
    """Move a slider by several steps, type a number, and return what a screen reader announces."""
    calculator.page.evaluate(LISTEN)
    slider = calculator.field("バッチサイズ（スライダー）")
    for _ in range(5):
        slider.press("ArrowRight")
    calculator.field("文脈長").press_sequentially("1024")
    calculator.page.wait_for_timeout(1200)
    return [heard.strip() for heard in calculator.page.evaluate("heard")]


def test_a_burst_of_changes_is_announced_once(calculator):
    calculator.open(TWO).page.wait_for_timeout(1000)
    assert calculator.page.locator(".hayasa-calculator [role=status]").all_text_contents() == [""] * 3
    view = View.read(TWO)
    view.batch_size, view.context_length = 32, 10240
    assert hear_a_burst(calculator) == [view.announcement()]
    assert differences(calculator.read(), view) == []


def test_announcements_at_every_step_are_noticed(visitor, change_script):
    change_script("announcer.mjs", "const QUIET_MS = 700;", "const QUIET_MS = 0;")
    assert len(hear_a_burst(Calculator(visitor).open(TWO))) > 3


# ---------------------------------------------------------------- axe, narrow screens, dark


def with_errors(calculator):
    calculator.type("バッチサイズ", "たくさん")
    calculator.type("台数", "0", 1)


STATES = {
    "はじめ": ("", None),
    "4台": (FOUR, None),
    "自分の": (OWN, None),
    "誤り": (
        "?model=own:parameters=7e9&context=9&batch=x&machine=nowhere&machine=own:bandwidth=1e11&machine=rtx-4090",
        with_errors,
    ),
    "長いアドレス": (f"?model={'m' * 3000}&machine=own:name={'n' * 3000};bandwidth=1e11&machine={'x' * 3000}", None),
}
WIDTHS = (1280, 360)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(
    "visitor", [{"color_scheme": "light"}, {"color_scheme": "dark"}], ids=["light", "dark"], indirect=True
)
def test_axe_finds_nothing_and_nothing_sticks_out(calculator, axe, state):
    query, prepare = STATES[state]
    calculator.open(query)
    if prepare:
        prepare(calculator)
    calculator.unfold()
    page, found = calculator.page, []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        wait_until(page, "width => document.querySelector('.hy-plot, .hy-problem').clientWidth <= width", width)
        # test_pages looks at the frame around it.
        found += [f"{width}: {problem}" for problem in violations(page, axe, "'.hayasa-calculator'")]
        page.evaluate("window.scrollTo(10_000, 0)")
        scrolled, wide = page.evaluate("[window.scrollX, document.documentElement.scrollWidth]")
        if scrolled or wide > width:
            found.append(f"{width}: 横に {wide} px あります")
    expect_none(found)


# The box of a line is higher than its letters, which stand within six pixels of its middle; an upright text is all box.
OVERLAPPING = """() => [...document.querySelectorAll("svg.hy-plot")].flatMap((chart) => {
  const letters = ({ left, right, top, bottom }) => {
    const middle = (top + bottom) / 2;
    return bottom - top > 30 ? { left, right, top, bottom } : { left, right, top: middle - 6, bottom: middle + 6 };
  };
  const texts = [...chart.querySelectorAll("text")].map((text) => [text.textContent, letters(text.getBoundingClientRect())]);
  return texts.flatMap(([one, a], i) => texts.slice(i + 1)
    .filter(([, b]) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)
    .map(([other]) => `${chart.getAttribute("aria-label").slice(0, 20)}: ${one} と ${other}`));
})"""
NARROW = {"viewport": {"width": 360, "height": 800}}


@pytest.mark.parametrize("visitor", [NARROW, {}], ids=["360", "1280"], indirect=True)
def test_labels_in_charts_do_not_overlap(visitor, site):
    found = []
    for query in (FOUR, OWN, TWO, TWO.replace("batch=1", "batch=4096"), ""):
        page = Calculator(visitor).open(query).page
        found += [f"{query}: {pair}" for pair in page.evaluate(OVERLAPPING)]
    for name in figure_pages(site):
        found += [f"{name}: {pair}" for pair in visit_figures(visitor, name).evaluate(OVERLAPPING)]
    expect_none(found)


def test_a_missing_label_is_noticed(calculator, axe):
    page = calculator.open().page
    page.evaluate("document.querySelector('.hy-field label').remove()")
    assert any("select-name" in problem for problem in violations(page, axe))


# ---------------------------------------------------------------- paper, no script, the disk


def test_on_paper_the_results_stand_and_what_can_be_pressed_is_gone(calculator):
    page = calculator.open(FOUR).page
    pressed = calculator.root.locator("button, input[type=range]")
    results = calculator.root.locator(
        ".hy-number, .hy-facts, .hy-memory, .hy-verdict, .hy-plot, .hy-table, .hy-caption"
    )
    assert sum(one.is_visible() for one in pressed.all()) > 5
    page.emulate_media(media="print")
    assert [one.inner_html() for one in pressed.all() if one.is_visible()] == []
    assert [one.inner_html()[:80] for one in results.all() if not one.is_visible()] == []
    assert results.count() > 4 * 3
    # Two machines to a line at most would still be too wide for paper if something stuck out.
    page.set_viewport_size({"width": 700, "height": 1000})
    assert page.evaluate("document.documentElement.scrollWidth") <= 700


@pytest.mark.parametrize("visitor", [{"java_script_enabled": False}], ids=["ohne"], indirect=True)
def test_without_script_the_table_is_there(visitor):
    page = visitor.page
    page.goto(visitor.address + "calculator.html")
    table = page.locator("main table")
    assert table.count() == 1
    assert table.is_visible()
    rows = [[cell.strip() for cell in row.locator("th, td").all_inner_texts()] for row in table.locator("tr").all()]
    lines = calculator_table.table().partition("\n\n")[0].splitlines()
    written = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if not line.startswith("|:")]
    assert rows == written
    assert "早見表" in page.locator(".hayasa-calculator").inner_text()
    # No empty room is kept for what will not come.
    assert page.locator(".hayasa-calculator").bounding_box()["height"] < 150
    expect_none(visitor.problems)


def test_the_calculator_works_on_a_page_opened_straight_from_the_disk(browser, site):
    with browser.new_context(locale="ja-JP") as context:
        visitor = Visitor(context.new_page(), "file://")
        calculator = Calculator(visitor).open_address((site / "calculator.html").as_uri() + ARTICLE)
        calculator.choose("モデル", "llama-3.1-8b")
        calculator.choose("重みの形式", "q4_k_m")
        calculator.choose("エンジン", "llama.cpp")
        calculator.type("バッチサイズ", "4")
        calculator.choose("機種", "rtx-4090", 2)
        calculator.add()
        calculator.choose("機種", "dgx-spark", 3)
        machines = [Machine("a100-80gb-pcie"), Machine("rtx-4090"), Machine("dgx-spark")]
        view = View("llama-3.1-8b", batch_size=4, machines=machines)
        before = calculator.read()
        assert differences(before, view) == []
        # Going to a heading must not take the choice back.
        calculator.page.evaluate("location.hash = document.querySelector('main h2[id]').id")
        calculator.page.wait_for_timeout(100)
        assert changes(before, calculator.read()) == []
        example = calculator.page.locator("main a[href*='calculator.html?model=llama']").first
        example.click()
        view = View.read(example.get_attribute("href").partition("?")[2])
        assert differences(calculator.read(), view) == []
        expect_none(visitor.problems)


# ---------------------------------------------------------------- the small figures in the chapters


def figure_pages(site) -> list[str]:
    found = [
        path for path in sorted(site.rglob("*.html")) if 'class="hayasa-figure"' in path.read_text(encoding="utf-8")
    ]
    return [path.relative_to(site).as_posix() for path in found]


def visit_figures(visitor, name: str):
    """Go to a page, and to its figures, which come when a reader is near."""
    page = visitor.visit(name)
    for root in page.locator(".hayasa-figure, .hayasa-live").all():
        root.scroll_into_view_if_needed()
        root.locator("svg.hy-plot").wait_for()
    return page


def test_at_least_two_chapters_have_a_figure_that_moves(site):
    assert len(figure_pages(site)) >= 2


def figure_lines(asked: dict, values: list[float]) -> list[str]:
    """Return what a figure says beside its chart, computed by hayasa."""
    machines, models = asked["machines"].split(), asked["models"].split()
    if asked["figure"] == "context":
        results = [
            hayasa.estimate(model, machines[0], weights=asked["weights"], engine="ideal", context_length=int(values[0]))
            for model in models
        ]
        return [
            f"{result.model.name}：重み{scaled(result.weight_bytes_per_step, 'B')} ＋ KVキャッシュ{scaled(result.kv_bytes_per_step, 'B')}、"
            f"{significant(result.decode_tokens_per_s)} トークン/秒"
            + ("（このモデルが扱える文脈長を超えています）" if 0 < result.model.context_length_max < values[0] else "")
            for result in results
        ]
    assert asked["figure"] == "bits"
    weights = hayasa.WeightFormat(id="bits", bits_per_weight=values[0])
    model = hayasa.Model(id="model", stated_parameters=float(models[0]))
    results = [hayasa.estimate(model, machine, weights=weights, engine="ideal") for machine in machines]
    return [f"1トークンで読み出す重み：{scaled(results[0].weight_bytes_per_step, 'B')}"] + [
        f"{result.device.name}：{significant(1 / result.memory_latency_s)} トークン/秒" for result in results
    ]


STATIC = """root => {
  const later = [...document.querySelectorAll("main figure, main h2")].filter((one) =>
    root.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_FOLLOWING);
  return later[0]?.tagName === "FIGURE" && later[0].querySelector("svg, img") !== null && later[0].id;
}"""


def test_figures_in_the_chapters_answer_their_sliders(visitor, site):
    found, kinds = [], set()
    for name in figure_pages(site):
        page = visit_figures(visitor, name)
        # Paper needs every image; a page that is left while one is loading would count as broken.
        page.evaluate("for (const image of document.images) image.loading = 'eager'")
        wait_until(page, "[...document.images].every((image) => image.complete)")
        for root in page.locator(".hayasa-figure").all():
            asked = root.evaluate("root => ({ ...root.dataset })")
            kinds.add(asked["figure"])
            sliders = root.get_by_role("slider")
            for key in ("End", "ArrowLeft", "Home", "ArrowRight", "ArrowRight"):
                for slider in sliders.all():
                    before = root.locator("svg.hy-plot").evaluate("chart => chart.outerHTML")
                    slider.press(key)
                    values = [
                        float(re.sub(r"[^\d.]", "", slider.get_attribute("aria-valuetext"))) for slider in sliders.all()
                    ]
                    lines = [line.strip() for line in root.locator(".hy-readout p").all_inner_texts()]
                    if lines != figure_lines(asked, values):
                        found.append(f"{name} {values}: ページは {lines}、hayasa は {figure_lines(asked, values)}")
                    if root.locator("svg.hy-plot").evaluate("chart => chart.outerHTML") == before:
                        found.append(f"{name} {values}: 図が動きません")
            static = root.evaluate(STATIC)
            if not static:
                found.append(f"{name}: 動く図の後に、紙のための図がありません")
            page.emulate_media(media="print")
            if root.is_visible() or not (static and page.locator(f"[id='{static}']").is_visible()):
                found.append(f"{name}: 紙では、動かない図だけが見えるはずです")
            page.emulate_media(media="screen")
    assert len(kinds) >= 2
    expect_none(found + visitor.problems)
