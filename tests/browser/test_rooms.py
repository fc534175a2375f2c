"""Whole answers, energy and money, and drafts: asked on the page, seen as hayasa says, and kept in the address."""

import pytest

import hayasa
from hayasa.answer.check import prompt_expectation
from hayasa.answer.check_words import VERDICTS, cause_heading, sentence, shown_causes
from hayasa.engine.drafting import TEXTS
from hayasa.units import GIB, gibibytes, significant
from tests.browser.calculator import Calculator, View, differences, run
from tests.browser.test_pages import violations
from tests.checks.report import expect_none

pytestmark = pytest.mark.browser

VIEW = (
    "?model=qwen3.6-27b&weights=q4_k_m&engine=llama.cpp&batch=1&context=2048&machine=rtx-4090&machine=apple-m4-max-40c"
)
LOOKS = [{}, {"color_scheme": "dark", "viewport": {"width": 390, "height": 844}}]


@pytest.fixture
def calculator(visitor):
    yield Calculator(visitor)
    expect_none(visitor.problems)


def unfolded(calculator, part: str):
    """Unfold a room and return it when its inside has come."""
    room = calculator.root.locator(f"[data-part={part}]")
    if room.get_attribute("open") is None:
        room.locator("summary").click()
    room.locator("section").first.wait_for()
    return room


def facts(room) -> list[dict[str, str]]:
    """Return what stands in the parts of a room, one per machine."""
    return room.evaluate(
        "room => [...room.querySelectorAll('section')].map((part) => Object.fromEntries("
        "[...part.querySelectorAll('.hy-facts > div')].map((one) => [...one.children].map((child) => child.textContent))))"
    )


def interval(best: float, low: float, high: float, unit: str) -> str:
    return f"{significant(best)} {unit}（90%区間 {significant(low)} ～ {significant(high)}）"


def test_the_time_of_a_whole_answer_stands_in_the_card(calculator):
    calculator.open(VIEW).unfold()
    assert differences(calculator.read(), View.read(VIEW)) == []
    calculator.type("答えの長さ", "700")
    assert "&answer=700&" in calculator.query
    view = View.read(calculator.query)
    assert view.answer_length == 700 and differences(calculator.read(), view) == []
    assert differences(calculator.open(calculator.query).read(), view) == []


@pytest.mark.parametrize("visitor", LOOKS, ids=["light", "dark and narrow"], indirect=True)
def test_energy_and_money_are_those_of_hayasa(calculator, axe):
    calculator.open(VIEW)
    room = unfolded(calculator, "energy")
    for typed in ({}, {"yen_per_kwh": 24.5, "hours_per_day": 12}):
        for label, name in (("電気の値段（円/kWh）", "yen_per_kwh"), ("1日に使う時間（時間）", "hours_per_day")):
            if name in typed:
                calculator.type(label, f"{typed[name]}")
        shown = facts(room)
        assert len(shown) == 2
        for result, one in zip(View.read(VIEW).results(), shown, strict=True):
            assert not isinstance(result, str)
            spent = hayasa.energy(result)
            price = hayasa.cost(spent, **typed)
            watts = spent.decode_power
            assert one["書くときの電力"] == interval(watts.best_w, watts.low_w, watts.high_w, "W")
            yen = price.electricity_yen, price.electricity_low_yen, price.electricity_high_yen
            assert one["書く電気代"] == interval(*yen, "円")
            for term, value in (
                ("使わない間の電気代", price.idle_yen),
                ("機械の代金", price.machine_yen),
                ("借りたとき", price.rent_yen),
            ):
                assert one.get(term) == (None if value is None else f"{significant(value)} 円")
    assert "&yen=24.5&hours=12&" in calculator.query
    assert violations(calculator.page, axe, "'.hayasa-calculator'") == []
    assert calculator.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # Who opens that address finds the room unfolded.
    again = calculator.open(calculator.query).root.locator("[data-part=energy][open] section")
    again.first.wait_for()
    assert again.count() == 2


def test_of_a_machine_without_a_rated_power_one_is_asked_for(calculator):
    unlisted = VIEW.partition("&machine")[0] + "&machine=apple-m4-8c"
    calculator.open(unlisted)
    room = unfolded(calculator, "energy")
    assert "定格の電力は、表にありません" in room.text_content() and facts(room) == [{}]
    calculator.type("表にない機械の定格の電力（W）", "30")
    spent = hayasa.energy(View.read(unlisted).results()[0], rated_power_w=30)
    watts = spent.decode_power
    assert facts(room)[0]["書くときの電力"] == interval(watts.best_w, watts.low_w, watts.high_w, "W")
    calculator.type("表にない機械の定格の電力（W）", "0")
    assert calculator.root.locator(".hy-field .hy-problem", has_text="表にない機械の定格の電力").is_visible()


@pytest.mark.parametrize("visitor", LOOKS, ids=["light", "dark and narrow"], indirect=True)
def test_drafts_gain_what_hayasa_says(calculator, axe):
    calculator.open(VIEW)
    room = unfolded(calculator, "drafts")
    for draft, text in ((None, None), ("ngram", "code"), ("qwen3-0.6b", "prose"), ("mtp", "chat")):
        calculator.choose("下書きの作り方", draft or "")
        calculator.choose("文章の種類", text or "")
        answers = [
            (result, hayasa.draft_speedup(result, draft, acceptance=text)) for result in View.read(VIEW).results()
        ]
        speeds = [
            f"{significant(gained.decode_tokens_per_s)} トークン/秒（下書きなしで {significant(result.decode_tokens_per_s)}）"
            for result, gained in answers
        ]
        for speed in speeds:  # what was chosen is drawn a little later
            room.get_by_text(speed).first.wait_for()
        shown = facts(room)
        assert [one["速さ"] for one in shown] == speeds
        for (_, gained), one in zip(answers, shown, strict=True):
            pays = "何倍か" if gained.pays else "何倍か（遅くなります）"
            low, high = significant(gained.speedup_low), significant(gained.speedup_high)
            assert one[pays] == f"{significant(gained.speedup)}倍（90%区間 {low} ～ {high}）"
            for note in gained.notes:
                assert note in room.text_content()
    assert "&draft=mtp&text=chat&" in calculator.query
    assert room.get_by_label("文章の種類").locator("option").count() == len(TEXTS) + 1
    assert violations(calculator.page, axe, "'.hayasa-calculator'") == []
    assert calculator.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_way_to_draft_that_a_model_lacks_is_refused_in_words(calculator):
    calculator.open(VIEW.replace("qwen3.6-27b", "llama-3.1-8b") + "&draft=mtp")
    room = unfolded(calculator, "drafts")
    assert room.locator("section .hy-problem").count() == 2
    assert "MTP の層がありません" in room.text_content()
    calculator.choose("下書きの作り方", "eagle3")
    room.locator("section .hy-problem").first.wait_for(state="detached")
    assert room.locator("section .hy-problem").count() == 0


REPORT = """\
| model         |     size | params | backend | ngl |  test |            t/s |
| ------------- | -------: | -----: | ------- | --: | ----: | -------------: |
| llama 7B Q4_0 | 3.56 GiB | 6.74 B | CUDA    |  99 | pp512 | 9012.30 ± 9.00 |
| llama 7B Q4_0 | 3.56 GiB | 6.74 B | CUDA    |  99 | tg128 |   21.20 ± 0.30 |
I got 23 tokens/s yesterday
"""


@pytest.mark.parametrize("visitor", LOOKS, ids=["light", "dark and narrow"], indirect=True)
def test_measured_speeds_get_their_verdicts(calculator, axe):
    view = VIEW.replace("qwen3.6-27b", "llama-3.1-8b")
    calculator.open(f"{view}&measured=31")
    room = unfolded(calculator, "check")  # the address says that something was measured
    first, second = View.read(view).results()
    assert not isinstance(first, str) and not isinstance(second, str)
    for result, section in zip((first, second), room.locator("section").all(), strict=True):
        answer = hayasa.check(result, 31)
        text = section.text_content()
        assert sentence(answer) in text and f"{significant(answer.ratio)} 倍" in text
        assert section.locator("svg").get_attribute("aria-label").startswith("実測 31.0 トークン/秒は、")
        assert section.locator("li strong").all_text_contents() == [*map(cause_heading, shown_causes(answer))]
    # What is typed belongs to the address, what is pasted does not.
    calculator.type("プロンプトの速さの実測（トークン/秒）", "12000")
    assert "&measured=31&measured_prompt=12000&" in calculator.query
    expected = prompt_expectation(first)
    assert expected and f"見積り{significant(expected.best)} トークン/秒" in room.text_content()
    address = calculator.query
    calculator.page.keyboard.press("Tab")
    calculator.page.keyboard.insert_text(REPORT)
    said = room.get_by_role("status").filter(has_text="3 件の速さ")
    said.wait_for()
    rows = hayasa.check_report(REPORT, assumed={"device": first.device})
    verdicts = [VERDICTS[row.check.verdict] for row in rows if row.check]
    assert [*room.locator("section > p > strong").all_text_contents()] == [f"{one}：" for one in verdicts]
    for row in rows:
        assert row.reason in room.text_content() and set(row.notes) <= set(room.locator(".hy-note").all_text_contents())
    # From the report's model to that of the page: with the keyboard, as all of it.
    calculator.page.keyboard.press("Tab")
    calculator.page.keyboard.press("Space")
    known = {"model": first.model, "weights": first.weights, "device": first.device}
    changed = [row.check.expected.best for row in hayasa.check_report(REPORT, **known) if row.check]
    room.get_by_text(f"見積り {significant(changed[1])} トークン/秒").wait_for()
    assert calculator.query == address
    assert violations(calculator.page, axe, "'.hayasa-calculator'") == []
    assert calculator.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    room.locator("textarea").fill("速い")
    room.get_by_text("速さの書かれた行が見つかりません").wait_for()


FULL = "?model=llama-3.3-70b&weights=q4_k_m&engine=llama.cpp&batch=1&context=1000&machine=rtx-4090"


@pytest.mark.parametrize("visitor", LOOKS, ids=["light", "dark and narrow"], indirect=True)
def test_what_does_not_fit_may_lie_in_the_hosts_memory(calculator, axe):
    calculator.open(FULL)
    way = calculator.root.locator(".hy-ways a")
    assert "入りません" in calculator.root.locator(".hy-memory").text_content() and way.count() == 1
    way.click()
    calculator.root.locator(".hy-memory", has_text="主記憶").wait_for()
    assert "&host=ddr5-5600-dual&" in calculator.query
    desktop = hayasa.get_device("ddr5-5600-dual")
    for typed in ({}, {"gpu_layers": 20}):
        if typed:
            calculator.type("GPUに置く層", "20")
            calculator.type("主記憶の量（GB）", "64")
        host = hayasa.Host(
            id=desktop.id,
            name=desktop.name,
            memory_bandwidth_bytes_per_s=desktop.memory_bandwidth_bytes_per_s,
            memory_capacity_bytes=64 * GIB if typed else 0,
        )
        result = hayasa.estimate(
            "llama-3.3-70b", "rtx-4090", weights="q4_k_m", engine="llama.cpp", context_length=1000, host=host, **typed
        )
        assert calculator.root.locator(".hy-number").text_content() == significant(result.decode_tokens_per_s)
        assert result.host_fit and f"主記憶 {gibibytes(result.host_fit.required_bytes)}" in (
            calculator.root.locator(".hy-memory").text_content()
        )
        notes = calculator.root.locator(".hy-note").all_text_contents()
        assert set(result.notes) <= set(notes)
        # The program that is shown says the same.
        calculator.root.locator("[data-part=python]").evaluate("room => { room.open = true; }")
        calculator.root.locator(".hy-code").wait_for()
        assert calculator.query
        code = calculator.root.locator(".hy-code").text_content()
        assert run(code or "").splitlines() == hayasa.explain(result).splitlines()
    assert "&host_memory=" in calculator.query and "&gpu_layers=20&" in calculator.query
    assert violations(calculator.page, axe, "'.hayasa-calculator'") == []
    assert calculator.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    number = calculator.root.locator(".hy-number").text_content()
    calculator.open(calculator.query)
    calculator.root.locator(".hy-memory", has_text="主記憶").wait_for()
    assert calculator.root.locator(".hy-number").text_content() == number
