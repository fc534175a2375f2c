"""The chapters' guesses and live figures in a browser: what is drawn is what hayasa says, whoever looks, however."""

import random
import re
import tomllib

import numpy as np
import pytest

import hayasa
from hayasa.book.blocks import dequantize_q4_0
from tests.browser.test_calculator_reader import OVERLAPPING, visit_figures
from tests.browser.test_pages import violations
from tests.browser.waiting import wait_until
from tests.checks.report import expect_none
from tests.web.test_live import GUESS, bound_of, flop_by_kind, rounds_by_hand, rounds_given, walked_at
from tools.page import serving, splitting
from tools.page.climb import CONTEXTS, MODELS, SIZES
from tools.page.live import (
    BLOCK,
    WALK_CONTEXTS,
    WALK_MODELS,
    drawing_data,
    eight_data,
    filling_data,
    least_squares,
    lottery_data,
    macs_data,
    pipes_data,
    slow_data,
    waterfall_data,
)

pytestmark = pytest.mark.browser

COMPARISON = "chapters/03-a100-vs-macmini.html"
PLACES = {
    "climb": "chapters/05-batch-and-roofline.html",
    "slow": "chapters/01-memory-hierarchy.html",
    "pipes": "chapters/02-latency.html",
    "waterfall": COMPARISON,
    "walk": "chapters/04-flops-per-token.html",
    "rounds": "chapters/12-tokens-per-read.html",
    "nibbles": "chapters/06-quantization.html",
    "filling": "chapters/07-kv-cache.html",
    "queue": "chapters/15-serving.html",
    "split": "chapters/13-does-not-fit.html",
    "lottery": "chapters/08-moe-and-clusters.html",
    "eight": "chapters/08-moe-and-clusters.html",
    "drawing": "chapters/09-measured.html",
    "fitting": "chapters/09-measured.html",
}
READY = "document.documentElement.dataset.hayasaChapter !== undefined"
NARROW = {"viewport": {"width": 390, "height": 844}}
WIDTHS = pytest.mark.parametrize("visitor", [NARROW, {}], ids=["390", "1280"], indirect=True)

# Lengths on the axis at whose end a bar ends, from where two labels of its ticks stand.
BARS = """(root) => {
  const ticks = [...root.querySelectorAll("text.hy-tick")].filter((one) => /^[\\d.,]+$/.test(one.textContent));
  const middle = (box) => box.x + box.width / 2;
  return [...root.querySelectorAll("svg.hy-plot rect.hy-wait")].map((bar) => {
    const box = bar.getBoundingClientRect();
    return { from: box.left, to: box.right, top: box.top };
  }).concat(ticks.map((one) => ({
    tick: Number(one.textContent.replaceAll(",", "")),
    at: middle(one.getBoundingClientRect()), top: one.getBoundingClientRect().top,
  })));
}"""


def live(visitor, kind: str):
    """Return a page and a figure that is built."""
    page = visitor.visit(PLACES[kind])
    wait_until(page, READY)
    return page, built(page, kind)


def built(page, kind: str):
    """Return a figure of a page, which is built when it comes near."""
    root = page.locator(f".hayasa-live[data-live={kind}]")
    root.scroll_into_view_if_needed()
    root.locator("svg.hy-plot").wait_for()
    return root


def axis(marks: list[dict], above: float) -> tuple[float, float]:
    """Return pixels at 0 and pixels per unit of the first axis beneath a height."""
    ticks = [mark for mark in marks if "tick" in mark and mark["top"] > above]
    row = [tick for tick in ticks if abs(tick["top"] - min(tick["top"] for tick in ticks)) < 2]
    first, second = row[0], row[1]  # the last one stands left of its place
    scale = (second["at"] - first["at"]) / (second["tick"] - first["tick"])
    return first["at"] - first["tick"] * scale, scale


# ---- guesses


def guess_pages(manuscripts) -> list[str]:
    """Return the pages that set guesses beside their answers."""
    names = [one.name for one in manuscripts if GUESS.search(one.markdown)]
    return [re.sub(r"\.(ipynb|qmd)$", ".html", name) for name in names]


def test_every_guess_is_taken_and_set_beside_the_answer(visitor, manuscripts):
    found = []
    for name in guess_pages(manuscripts):
        page = visit_figures(visitor, name)  # what is on its way when a page is left would count as lost
        for root in page.locator(".hayasa-guess[data-at]").all():
            given = root.evaluate("root => ({ ...root.dataset })")
            assert page.locator(".hy-guess-verdict").count() == 0
            button = root.get_by_role("button", name="決める")
            button.click()
            if not given.get("unit"):
                assert page.locator(".hy-guess-verdict").count() == 0, "ask for a choice first"
                root.get_by_role("radio").nth(int(given["answer"]) - 1).check()
                button.click()
            verdict = page.locator(".hy-guess-verdict")
            if not page.evaluate(AFTER, given["at"]):
                found.append(f"{name}: {given['at']}: 答えのところに、予想が並びません")
            said = verdict.text_content()
            if given.get("unit"):
                if not re.search(rf"答えは{float(given['answer']):,g} ?{given['unit']}です。", said):
                    found.append(f"{name}: {said}")
            elif "のとおりです" not in said:
                found.append(f"{name}: {said}")
            assert root.get_by_text("答えを見る").is_visible()
            page.evaluate("document.querySelector('.hy-guess-verdict').remove()")
    expect_none(found + visitor.problems)


AFTER = """(id) => {
  const [place, verdict] = [document.getElementById(id), document.querySelector(".hy-guess-verdict")];
  const follows = place.compareDocumentPosition(verdict) & Node.DOCUMENT_POSITION_FOLLOWING;
  return Boolean(follows) && verdict.getBoundingClientRect().top - place.getBoundingClientRect().bottom < 400;
}"""


@pytest.mark.parametrize(
    "visitor", [{}, {"color_scheme": "dark"} | NARROW], ids=["light", "dark and narrow"], indirect=True
)
def test_a_question_says_why_a_choice_is_wrong_and_lets_choose_again(visitor, axe, root):
    chapter = "09-measured" if visitor.page.viewport_size["width"] == 390 else "01-memory-hierarchy"
    page = visitor.visit(f"chapters/{chapter}.html", until="load")
    wait_until(page, READY)
    quizzes = tomllib.loads((root / "teaching" / "quizzes.toml").read_text(encoding="utf-8"))["quiz"]
    asked = [quiz for quiz in quizzes if quiz["chapter"] == chapter]
    assert page.locator(".hayasa-guess:not([data-at])").count() == len(asked) == 5
    for quiz in asked:
        box = page.locator(f"#quiz-{quiz['id']}")
        assert box.get_by_role("radiogroup", name=quiz["id"]).get_by_role("radio").count() == len(quiz["choices"])
        box.get_by_role("button", name="決める").click()
        assert box.locator(".hy-guess-said").text_content() == "", "ask for a choice first"
        for i, choice in enumerate(quiz["choices"]):
            box.get_by_role("radio").nth(i).focus()
            page.keyboard.press("Space")
            box.get_by_role("button", name="決める").press("Enter")
            said = ("合っています。" if "right" in choice else "違います。") + choice["say"]
            assert box.locator(".hy-guess-said").text_content() == said
    # It is read aloud, too.
    heard = "(said) => [...document.querySelectorAll('.hy-guess [role=status]')].some((at) => at.textContent === said)"
    wait_until(page, heard, said)
    assert page.locator(".hy-guess-verdict").count() == 0
    assert violations(page, axe, "'.hayasa-guess'") == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect_none(visitor.problems)


def test_a_guess_is_made_with_keys_alone(visitor):
    page = visitor.visit(COMPARISON)
    wait_until(page, READY)
    root = page.locator(".hayasa-guess").first
    slider = root.get_by_role("slider", name="予想")
    slider.focus()
    page.keyboard.press("End")
    assert slider.get_attribute("aria-valuetext") == "100倍"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    verdict = page.locator(".hy-guess-verdict")
    assert verdict.text_content() == "あなたの予想は100倍、答えは16倍です。6.3倍、多く見積もりました。"
    marks = verdict.locator("circle").evaluate_all("marks => marks.map((mark) => mark.cx.baseVal.value)")
    assert marks == pytest.approx([292, 8 + 284 * 0.602], abs=1)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == f"#{verdict.get_attribute('id')}"
    wait_until(page, "document.querySelector('.hy-guess [role=status]').textContent === '予想を100倍に決めました。'")


@pytest.mark.parametrize("visitor", [{"java_script_enabled": False}], indirect=True)
def test_without_a_script_the_question_stands_with_its_folded_answer(visitor):
    page = visitor.page
    page.goto(visitor.address + COMPARISON)
    root = page.locator(".hayasa-guess").first
    assert root.get_by_text("A100の速さの上限は、M4の何倍でしょうか。").is_visible()
    assert not root.get_by_text("16倍です。").is_visible()
    root.locator("summary").click()
    assert root.get_by_text("16倍です。").is_visible()
    assert not page.locator(".hayasa-live").is_visible()
    assert page.locator("#fig-waterfall").is_visible()


def test_on_paper_the_question_and_the_still_figure_stand_alone(visitor):
    page, root = live(visitor, "waterfall")
    page.emulate_media(media="print")
    guess = page.locator(".hayasa-guess").first
    assert guess.get_by_text("A100の速さの上限は、M4の何倍でしょうか。").is_visible()
    assert not any(part.is_visible() for part in [root, *guess.locator("details, button, input").all()])
    assert page.locator("#fig-waterfall").is_visible()


# ---- the waterfall


@WIDTHS
def test_the_waits_are_drawn_as_long_as_they_are(visitor):
    _, root = live(visitor, "waterfall")
    machines = waterfall_data()["machines"]
    following = root.get_by_role("button", name="次を積む")
    for count in (1, 2, 3, 4):
        for same in (False, True):
            root.get_by_role("checkbox").set_checked(same)
            marks = root.evaluate(BARS)
            bars = [mark for mark in marks if "from" in mark]
            for i, machine in enumerate(machines):
                end = 0.0
                for wait, bar in zip(machine["waits_ms"], bars[i * count : (i + 1) * count], strict=False):
                    zero, scale = axis(marks, bar["top"])
                    assert (bar["from"] - zero) / scale == pytest.approx(end, abs=1 / scale)
                    end += wait
                    assert (bar["to"] - zero) / scale == pytest.approx(end, abs=1 / scale)
                assert f"{machine['name']}は{end:.2f}ミリ秒（毎秒{1000 / end:.0f}トークン）" in root.text_content()
        if count < 4:
            following.click()
    assert root.get_by_role("button", name="実測まで積みました").is_disabled()
    expect_none(visitor.problems)


# ---- the pipes


@WIDTHS
def test_the_tanks_are_as_full_as_the_formulas_say(visitor):
    _, root = live(visitor, "pipes")
    data = pipes_data()
    draw = random.Random(7)
    tank = "rect.hy-tank"
    for _ in range(12):
        machine, bits, batch = (
            draw.randrange(2),
            draw.randrange(len(data["bits"])),
            draw.randrange(len(data["batches"])),
        )
        share = round(draw.uniform(0, 6), 1)
        root.get_by_role("radio").nth(machine).check()
        root.get_by_role("slider", name="重み1個のビット数").fill(str(bits))
        root.get_by_role("slider", name="バッチサイズ").fill(str(batch))
        root.get_by_role("slider", name="経過した時間").fill(str(share))
        ends = [data["machines"][machine]["memory_s"][bits], data["machines"][machine]["compute_s"][batch]]
        tanks = root.locator(tank).evaluate_all("all => [all[0], all[2]].map((one) => one.getBBox().height)")
        levels = root.locator("svg.hy-plot rect.hy-work").evaluate_all(
            "all => [all[0], all[2]].map((one) => one.getBBox().height)"
        )
        for end, whole, level in zip(ends, tanks, levels, strict=True):
            assert level / whole == pytest.approx(max(0.0, 1 - share / 6 * max(ends) / end), abs=1 / whole)
        kind = "メモリバウンド" if ends[0] >= ends[1] else "計算バウンド"
        assert kind in root.locator(".hy-readout").text_content()
    expect_none(visitor.problems)


# ---- the memory that fills


@WIDTHS
def test_the_memory_is_as_full_as_hayasa_says(visitor):
    _, root = live(visitor, "filling")
    data = filling_data()
    draw = random.Random(8)
    for _ in range(12):
        which, t = draw.randrange(3), round(draw.uniform(0, 20), 1)
        root.get_by_role("radio").nth(which).check()
        root.get_by_role("slider", name="経過した時間").fill(str(t))
        tokens = t / 20 * data["longest"]
        model = data["models"][which]
        filled = model["resident"] + model["full"] * tokens + model["windowed"] * min(tokens, model["window"])
        shares = root.locator("svg.hy-plot").evaluate(
            """(svg) => {
              const wide = (name) => svg.querySelector(name).getBBox().width;
              return [wide("rect.hy-wait") + wide("rect.hy-cache"), wide("rect.hy-tank")];
            }"""
        )
        assert shares[0] / shares[1] == pytest.approx(min(1, filled / data["capacity"]), abs=1 / shares[1])
        fits = filled <= model["usable"]
        assert root.locator("svg.hy-plot").get_by_text("入りきりません").count() == (not fits)
        assert root.locator("svg.hy-plot .hy-over").count() == (not fits)
        if fits:
            speed = data["bandwidth"] / (model["read"] + filled - model["resident"])
            assert f"毎秒{speed:.1f}トークンまで" in root.locator("svg.hy-plot").text_content()
        # The last point of the curve is that speed.
        marks = root.locator("svg.hy-plot").evaluate(
            """(svg) => ({
              end: [...svg.querySelectorAll("polyline")].flatMap((line) => [...line.points]).at(-1).y,
              ticks: [...svg.querySelectorAll("text.hy-tick[text-anchor=end]")]
                .filter((one) => /^[0-9.]+$/.test(one.textContent) && Number(one.getAttribute("x")) < 44)
                .map((one) => [Number(one.textContent), Number(one.getAttribute("y")) - 4]),
            })"""
        )
        (low, low_y), (high, high_y) = marks["ticks"][0], marks["ticks"][-1]
        shown = low + (marks["end"] - low_y) / (high_y - low_y) * (high - low)
        truth = data["bandwidth"] / (model["read"] + filled - model["resident"])
        assert shown == pytest.approx(truth, abs=abs((high - low) / (high_y - low_y)))
    expect_none(visitor.problems)


# ---- eight machines


@WIDTHS
def test_eight_machines_work_when_the_schedule_says(visitor):
    _, root = live(visitor, "eight")
    data, draw = eight_data(), random.Random(4)
    links = [0, 0.05, 0.1, 0.3, 0.5, 1, 2, 3, 5, 8, 10, 12, 14, 15, 16, 18]
    for _ in range(12):
        people, link, t = draw.randint(1, 8), draw.randrange(len(links)), round(draw.uniform(0.1, 9.9), 1)
        root.get_by_role("slider", name="同時に使う人").fill(str(people - 1))
        root.get_by_role("slider", name="隣へ渡すのにかかる時間").fill(str(link))
        root.get_by_role("slider", name="経過した時間").fill(str(t))
        now, part_s, link_s = t / 50, data["part_s"], links[link] / 1000
        # One person after the other enters; each goes round and round, since eight parts are no longer than a round.
        token_s = 8 * part_s + data["messages"] * link_s
        busy = set()
        for person in range(people):
            since = now - person * part_s
            for machine in range(8):
                start = machine * (part_s + link_s)
                if since >= start and (since - start) % token_s < part_s - 1e-9:
                    busy.add(machine)
        lit = root.locator("svg.hy-plot rect.hy-box").evaluate_all(
            "boxes => boxes.flatMap((box, i) => (box.classList.contains('hy-lit') ? [i] : []))"
        )
        assert set(lit) == busy, (people, links[link], t)
        chart = root.evaluate(BARS.replace("rect.hy-wait", "g rect.hy-work"))
        bars = [mark for mark in chart if "from" in mark]
        zero, scale = axis(chart, bars[0]["top"])
        assert (bars[0]["from"] - zero) / scale == pytest.approx(0, abs=1 / scale)
        assert (bars[0]["to"] - bars[0]["from"]) / scale == pytest.approx(1000 * part_s, abs=1 / scale)
        # Beneath them, the token of one person, who is never the faster for the others.
        token = [mark for mark in root.evaluate(BARS.replace(" rect.hy-wait", " > rect.hy-work")) if "from" in mark]
        assert (token[-1]["to"] - zero) / scale == pytest.approx(min(200, 1000 * token_s), abs=1 / scale)
    expect_none(visitor.problems)


# ---- slow motion

# Of each machine: sides of the squares, widths of the pipe, how full the chip and the whole token are, and what computes.
MACHINES = """(svg) => {
  const sides = (name) => [...svg.querySelectorAll(name)].map((one) => one.getBBox());
  const [cells, cores, tanks, works] = ["rect.hy-cell", "rect.hy-core", "rect.hy-tank", "rect.hy-work"].map(sides);
  return [0, 1].map((i) => ({
    memory: cells[i].width, compute: cores[i].width, weights: works[3 * i].width,
    pipe: Number(svg.querySelectorAll("line.hy-flow")[i].getAttribute("stroke-width")),
    filled: works[3 * i + 1].height / tanks[2 * i].height, moved: works[3 * i + 2].width / tanks[2 * i + 1].width,
    lit: svg.querySelectorAll("rect.hy-core")[i].classList.contains("hy-lit"),
  }));
}"""


@WIDTHS
def test_the_token_in_slow_motion_is_as_far_as_the_bandwidth_says(visitor):
    _, root = live(visitor, "slow")
    data, draw = slow_data(), random.Random(1)
    assert "運び終える" not in root.locator("svg.hy-plot").text_content(), "the answer comes when it runs"
    for t in [13.3, 13.4, 13.6, 26.7, 180, *(round(draw.uniform(0.1, 180), 1) for _ in range(6))]:
        root.get_by_role("slider", name="経過した時間").fill(str(t))
        shown = root.locator("svg.hy-plot").evaluate(MACHINES)
        words = root.locator("svg.hy-plot").text_content()
        amounts = re.findall(r"運んだ量 ([\d.]+)\N{NO-BREAK SPACE}MB", words)
        for one, machine, amount in zip(shown, data["machines"], amounts, strict=True):
            moved = machine["bandwidth"] * t / 1e6
            assert float(amount) == pytest.approx(moved / 1e6, abs=0.051)
            full, filled = divmod(moved / data["load"] + 1e-9, 1)
            assert one["filled"] == pytest.approx(filled, abs=0.01)
            assert one["moved"] == pytest.approx(moved / data["bytes"], abs=1e-3)
            assert one["lit"] == (full > 0 and filled * machine["transfer_s"] < machine["compute_s"])
            left = round((machine["token_s"] * 1e6) * (1 - moved / data["bytes"]))
            hours, minutes, seconds = left // 3600, left // 60 % 60, left % 60
            wait = f"{hours}時間{minutes}分" if hours else f"{minutes}分{seconds}秒"
            assert f"運び終えるまで{wait}" in words
            worked = sum(
                min(machine["compute_s"], t / 1e6 - machine["transfer_s"] * n) for n in range(1, int(full) + 1)
            )
            assert f"計算は合計{1e6 * worked:.1f}秒" in words
            # To scale: areas are amounts, the pipe is as wide as it is fast.
            first, other = shown[0], data["machines"][0]
            assert (one["memory"] / first["memory"]) ** 2 == pytest.approx(machine["capacity"] / other["capacity"])
            assert (one["weights"] / one["memory"]) ** 2 == pytest.approx(data["bytes"] / machine["capacity"])
            assert (one["compute"] / first["compute"]) ** 2 == pytest.approx(machine["peak"] / other["peak"], rel=1e-3)
            assert one["pipe"] / first["pipe"] == pytest.approx(machine["bandwidth"] / other["bandwidth"])
        assert [one["lit"] for one in shown] == [False, True] or t < 180, "at the end, the slower one computes, too"
    expect_none(visitor.problems)


# ---- the roofline

# Where the marks are on two logarithmic axes, which labels of ticks tell.
LOGARITHMIC = """(root) => {
  const prefixes = { "": 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15 };
  const value = (text) => { const [n, p = ""] = text.replaceAll(",", "").split(" "); return n * prefixes[p]; };
  const middle = ({ x, y, width, height }) => [x + width / 2, y + height / 2];
  const ticks = [...root.querySelectorAll("text.hy-tick")].map((one) => {
    const box = one.getBoundingClientRect();
    const [x, y] = middle(box); // the last label ends at its tick
    const ends = one.getAttribute("text-anchor") === "end";
    return { log: Math.log(value(one.textContent)), at: [ends ? box.right : x, y], left: Number(one.getAttribute("x")) < 62 };
  });
  const axis = (own, i) => {
    const [first, last] = [own[0], own.at(-1)];
    return (at) => Math.exp(first.log + ((at - first.at[i]) / (last.at[i] - first.at[i])) * (last.log - first.log));
  };
  const x = axis(ticks.filter(({ left }) => !left), 0);
  const y = axis(ticks.filter(({ left }) => left), 1);
  return [...root.querySelectorAll("svg.hy-plot .hy-mark")].map((mark) => {
    const at = middle(mark.getBoundingClientRect());
    return { intensity: x(at[0]), flop_per_s: y(at[1]), at };
  });
}"""


@pytest.mark.parametrize("visitor", [NARROW], ids=["390"], indirect=True)
def test_a_token_has_walked_as_far_as_is_counted(visitor):
    _, root = live(visitor, "walk")
    draw = random.Random(32)
    svg = root.locator("svg.hy-plot")
    for _ in range(10):
        which, place, t = draw.randrange(2), draw.randrange(len(WALK_CONTEXTS)), round(draw.uniform(0, 16), 1)
        root.get_by_role("radio").nth(which).check()
        root.get_by_role("slider", name="参照するトークン").fill(str(place))
        root.get_by_role("slider", name="経過した時間").fill(str(t))
        model, context = hayasa.get_model(WALK_MODELS[which]), WALK_CONTEXTS[place]
        flop, read = walked_at(model, context, t)
        marks = root.evaluate(BARS)
        bars = [mark for mark in marks if "from" in mark]
        zero, scale = axis(marks, bars[0]["top"])
        ends = [zero + scale * end / 1e9 for end in np.cumsum([0, *flop])]
        assert [bar["from"] for bar in bars] == pytest.approx(ends[:-1], abs=1)
        assert [bar["to"] for bar in bars] == pytest.approx(ends[1:], abs=1)
        said = svg.text_content()
        assert f"計算 {sum(flop) / 1e9:.3f}\u00a0GFLOP" in said and f"読み出した重み {read / 1e9:.3f}\u00a0GB" in said
        # The token stands in the layer where it has come to, the layer in the model.
        whole = flop_by_kind(model, context)
        circle, strip, box = svg.evaluate(
            """(svg) => [svg.querySelector("circle").cx.baseVal.value,
              svg.querySelector("rect.hy-walked").getBBox().width, svg.viewBox.baseVal.width - 16]"""
        )
        assert circle == pytest.approx(8 + box * min(1, t / 10), abs=0.1)
        assert strip == pytest.approx(box * sum(flop) / sum(whole), abs=0.1)
        lines = root.locator(".hy-readout").text_content()
        for part in whole:
            assert f"{part / 1e9:.2f}\u00a0GFLOP、{100 * part / sum(whole):.0f}%" in lines
    expect_none(visitor.problems)


@pytest.mark.parametrize("visitor", [NARROW], ids=["390"], indirect=True)
def test_drafts_are_kept_and_thrown_away_as_the_chapter_s_models_say(visitor):
    _, root = live(visitor, "rounds")
    data, draw = rounds_given(), random.Random(34)
    svg = root.locator("svg.hy-plot")
    for _ in range(10):
        who, where, length, t = draw.randrange(2), draw.randrange(2), draw.randrange(1, 9), draw.randrange(151) / 10
        root.get_by_role("radio").nth(who).check()
        root.get_by_role("radio").nth(2 + where).check()
        root.get_by_role("slider", name="下書きの長さγ").fill(str(length - 1))
        root.get_by_role("slider", name="経過した時間").fill(str(t))
        drafter, cost = data["drafters"][who], data["machines"][where]["cost"]
        each, expected = 1 + cost * length, drafter["expected"]
        rounds = rounds_by_hand(drafter["order"], length)
        over = rounds[: int(4 * t / each + 1e-9)]
        letters = sum(kept + 1 for *_, kept in over)
        seen = svg.evaluate(SEEN_ROUNDS)
        assert seen["kept"] == "".join(text[:kept] for _, text, kept in over)
        assert seen["own"] == "".join(data["text"][at + kept] for at, _, kept in over)
        assert seen["thrown"] == "".join(text[kept:] for _, text, kept in over)
        alone, drafting = seen["bars"]
        assert [alone, drafting] == pytest.approx([int(4 * t + 1e-9), letters], abs=0.5)
        assert seen["curve"] == [[n, pytest.approx(expected[n] / (1 + cost * n), abs=0.02)] for n in range(9)]
        assert seen["dot"] == (pytest.approx(letters / len(over) / each, abs=0.02) if over else None)
        said = root.locator(".hy-readout").text_content()
        gains = [one / (1 + cost * n) for n, one in enumerate(expected)]
        assert f"速さは{gains[length]:.2f}倍" in said
        best = gains.index(max(gains))
        assert (f"{best}文字ずつの下書きがいちばん速く" if best else "下書きしないのがいちばん速く") in said
        written = len(data["text"]) - data["start"]
        (mean,) = re.findall(rf"{written}文字に{len(rounds)}回で、平均は一回に([0-9.]+)文字です。", said)
        assert float(mean) == pytest.approx(written / len(rounds), abs=0.005)
    expect_none(visitor.problems)


# What can be read off the picture: letters by their fate, letters that both have written, gains by the axis.
SEEN_ROUNDS = """(svg) => {
  const shown = [...svg.querySelectorAll("g")].filter((one) => one.getAttribute("visibility") === "visible");
  const text = (kind) => shown.flatMap((one) => [...one.querySelectorAll(kind + " + text")])
    .map((one) => one.textContent).join("");
  const at = (one, name) => Number(one.getAttribute(name));
  const ticks = [...svg.querySelectorAll("text.hy-tick[text-anchor=end]")].filter((one) => at(one, "x") < 40);
  const [low, high] = [ticks[0], ticks.at(-1)].map((one) => [Number(one.textContent), at(one, "y") - 4]);
  const gain = (y) => low[0] + ((y - low[1]) / (high[1] - low[1])) * (high[0] - low[0]);
  const points = [...svg.querySelector("polyline").points];
  const wide = points.at(-1).x - points[0].x;
  const dot = svg.querySelector("circle.hy-filled");
  return {
    kept: text(".hy-series-2"), own: text(".hy-series-0"), thrown: text("rect.hy-cell:not(.hy-lit)"),
    bars: [...svg.querySelectorAll("rect.hy-wait")].map((one) => (at(one, "width") / svg.viewBox.baseVal.width) * 150),
    curve: points.map(({ x, y }) => [Math.round(((x - points[0].x) / wide) * 8), gain(y)]),
    dot: dot.getAttribute("visibility") === "visible" ? gain(at(dot, "cy")) : null,
  };
}"""


@pytest.mark.parametrize("visitor", [NARROW | {"has_touch": True}, {}], ids=["390", "1280"], indirect=True)
def test_the_work_is_drawn_where_hayasa_says_and_follows_the_finger(visitor):
    page, root = live(visitor, "climb")
    draw = random.Random(14)
    for _ in range(10):
        which, work = draw.randrange(2), draw.randrange(2)
        size, context = draw.randrange(len(SIZES)), draw.randrange(len(CONTEXTS))
        root.get_by_role("radio").nth(which).check()
        root.get_by_role("radio").nth(2).check()
        root.get_by_role("slider", name="文脈長").fill(str(context))
        root.get_by_role("radio").nth(2 + work).check()
        root.get_by_role("slider", name="一度に計算する数").fill(str(size))
        marks = root.evaluate(LOGARITHMIC)
        said = root.locator(".hy-readout").text_content()
        shown = MODELS[which]
        for (name, (device, _)), mark in zip(shown.machines.items(), marks, strict=True):
            intensity, speed, kind = bound_of(shown, device, work, SIZES[size], CONTEXTS[context])
            device = hayasa.get_device(device)
            peak = device.peak_flop_per_s(hayasa.get_weight_format(shown.weights).compute_format)
            roof = min(peak, intensity * device.memory_bandwidth_bytes_per_s)
            assert mark["intensity"] == pytest.approx(intensity, rel=0.05)
            assert mark["flop_per_s"] == pytest.approx(roof, rel=0.1)
            kind = {"memory": "メモリ", "compute": "計算"}[kind]
            assert f"{name}：{kind}バウンド。上限は毎秒{float(f'{speed:.3g}'):,g}トークン" in said
    # A finger, or a mouse, sets the slider.
    root.get_by_role("radio").nth(0).check()
    root.get_by_role("radio").nth(2).check()
    root.get_by_role("slider", name="文脈長").fill("0")
    slider = root.get_by_role("slider", name="一度に計算する数")
    slider.fill("0")
    (start, *_) = root.evaluate(LOGARITHMIC)
    slider.fill("9")
    (end, *_) = root.evaluate(LOGARITHMIC)
    slider.fill("0")
    page.mouse.move(*start["at"])
    page.mouse.down()
    page.mouse.move(*end["at"], steps=4)
    page.mouse.up()
    assert slider.get_attribute("aria-valuetext") == f"{SIZES[9]}トークン"
    page.mouse.move(*start["at"])
    assert slider.input_value() == "9", "only what is held follows"
    expect_none(visitor.problems)


# ---- the queue

# How many squares wait and are taken, how full the memory is, and how high each line of the first chart ends.
HOUSE = """(svg) => {
  const count = (name) => (svg.querySelector(name).getAttribute("d") || "").split("M").length - 1;
  const wide = (name) => svg.querySelector(name).getBBox().width;
  const ticks = [...svg.querySelectorAll("text.hy-tick")].filter((one) => Number(one.getAttribute("x")) === 34);
  const second = ticks.findIndex((one, i) => i && one.textContent === "0"); // of the other chart, where that is below
  const [zero, top] = [ticks[0], ticks.at(second < 0 ? -1 : second - 1)];
  const y = (one) => Number(one.getAttribute("y")) - 4;
  const ends = [...svg.querySelectorAll("polyline")].slice(0, 2).map((line) => [...line.points].at(-1).y);
  return {
    waiting: count("path.hy-series-1"), running: count("path.hy-series-0"), seats: count("path.hy-box"),
    filled: wide("rect.hy-work") / wide("rect.hy-tank"),
    ends: ends.map((end) => ((end - y(zero)) / (y(top) - y(zero))) * Number(top.textContent)),
    dots: svg.querySelectorAll("g rect.hy-filled").length,
  };
}"""


@WIDTHS
def test_the_queue_is_drawn_as_long_as_the_scheduler_says_and_its_knee_as_it_is_seen(visitor):
    _, root = live(visitor, "queue")
    data, draw, svg = serving.queue_data(), random.Random(16), root.locator("svg.hy-plot")
    assert svg.evaluate(HOUSE)["dots"] == 0, "nothing is shown before it ran"
    for last in (False, False, True, True):
        which, rate = draw.randrange(len(data["seats"])), draw.randrange(len(data["rates"]))
        t = data["seconds"] if last else round(draw.uniform(2, 19), 1)
        root.get_by_role("radio").nth(which).check()
        root.get_by_role("slider", name="1秒に来る依頼").fill(str(rate))
        root.get_by_role("slider", name="経過した時間").fill(str(t))
        run, k = data["runs"][which][rate], int(t / data["step"] + 1e-9) + 1
        waiting, running, cached = (sum(run[name][:k]) for name in ("waiting", "running", "cached"))
        shown = svg.evaluate(HOUSE)
        assert (shown["waiting"], shown["running"], shown["seats"]) == (waiting, running, data["seats"][which])
        assert shown["ends"] == pytest.approx([running, waiting], abs=1.5)
        assert shown["filled"] == pytest.approx(data["grain"] * cached * data["bytes"] / 6e9, abs=0.01)
        said = root.locator(".hy-readout").text_content()
        assert f"席で書いている依頼：{running}件" in said and f"列で待つ依頼：{waiting}件" in said
        assert ("待った時間は、平均" in said) == last == (shown["dots"] > 0)
    # At the end, each rate leaves its mark.
    root.get_by_role("slider", name="1秒に来る依頼").press("Home")
    root.get_by_role("slider", name="1秒に来る依頼").press("ArrowRight")
    assert svg.evaluate(HOUSE)["dots"] >= 3
    expect_none(visitor.problems)


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("slow", "働くのは、時間の"),
        ("pipes", "後まで残るのは"),
        ("walk", "2Pの"),
        ("eight", "同時に働くのは"),
        ("rounds", "いちばん速く"),
    ],
)
def test_the_answer_is_not_told_before_the_reader_begins(visitor, kind, answer):
    _, root = live(visitor, kind)
    said, drawn = root.locator(".hy-readout"), root.locator(".hy-answers")
    for slider in root.locator(".hy-control input").all():
        slider.press("ArrowRight")  # what is asked is set with them, too: that is no beginning
        slider.press("ArrowLeft")
    assert answer not in said.text_content() and not drawn.first.is_visible()
    root.get_by_role("slider", name="経過した時間").press("ArrowRight")
    assert answer in said.text_content() and all(one.is_visible() for one in drawn.all())


# ---- the split between GPU and host


@WIDTHS
def test_the_bar_of_a_token_is_as_long_as_the_split_says(visitor):
    _, root = live(visitor, "split")
    data, draw = splitting.split_data(), random.Random(17)
    farthest = [model["layers"] for model in data["models"]]
    for _ in range(8):
        which, ram = draw.randrange(2), draw.randrange(2)
        model = data["models"][which]
        fitting = [next(n for n, one in enumerate(way["on_gpu"]) if one <= data["usable"]) for way in model["ways"]]
        outside = draw.randint(min(fitting) - 2, model["layers"])
        root.get_by_role("radio").nth(which).check()
        root.get_by_role("radio").nth(2 + ram).check()
        root.get_by_role("slider", name="外に置く層").fill(str(outside - min(fitting) + 2))
        farthest[which] = min(farthest[which], outside)
        curves = root.locator("svg.hy-plot polyline").evaluate_all("all => all.map((one) => one.points.length)")
        assert curves == [model["layers"] + 1 - max(one, farthest[which]) for one in fitting], "no farther than tried"
        marks = root.evaluate(BARS)
        bars = [mark for mark in marks if "from" in mark]
        zero, scale = axis(marks, max([bar["top"] for bar in bars], default=0))
        said = root.locator(".hy-readout").text_content()
        for way in model["ways"]:
            parts = [way["gpu"], way["host"], way["hand_over"], way["disk"][ram]]
            waits = [1000 * one[outside] for one in parts if one[outside]]
            if way["on_gpu"][outside] > data["usable"]:
                assert (
                    f"GPUに{(way['on_gpu'][outside] - data['usable']) / 1e9:.1f}\N{NO-BREAK SPACE}GB入りきりません"
                    in said
                )
                continue
            end = 0.0
            for wait, bar in zip(waits, bars[: len(waits)], strict=True):
                assert (bar["from"] - zero) / scale == pytest.approx(end, abs=1 / scale)
                end += wait
                assert (bar["to"] - zero) / scale == pytest.approx(end, abs=1 / scale)
            assert f"で、毎秒{float(f'{1000 / end:.3g}'):g}トークン" in said
            bars = bars[len(waits) :]
        assert bars == []
    expect_none(visitor.problems)


# ---- the bytes and the lottery


def test_a_bit_is_turned_with_keys(visitor):
    page, root = live(visitor, "nibbles")
    root.get_by_role("radio", name="3バイト目（整数）", exact=True).focus()
    page.keyboard.press("ArrowRight")  # the fourth byte: weights 1 and 17
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    block = bytearray(bytes.fromhex(BLOCK))
    before = dequantize_q4_0(bytes(block))
    block[3] ^= 128
    after = dequantize_q4_0(bytes(block))
    moved = [i for i in range(32) if before[i] != after[i]]
    assert moved == [17]
    said = root.locator(".hy-readout").text_content().replace("−", "-")
    assert "32個のうち1個が変わりました" in said
    found = re.search(r"17番の重み：.*＝ (-?[\d.]+)", said)
    assert float(found[1]) == pytest.approx(float(after[17]), rel=1e-3)
    assert root.locator(".hy-bit").first.get_attribute("aria-pressed") == str(bool(block[3] & 128)).lower()
    # Where the marks stand is what the weights are.
    heights = root.locator("svg.hy-plot circle.hy-filled").evaluate_all("all => all.map((one) => one.cy.baseVal.value)")
    low, high = after.argmin(), after.argmax()
    scale = (heights[high] - heights[low]) / float(after[high] - after[low])
    for i in range(32):
        assert heights[i] == pytest.approx(heights[low] + scale * float(after[i] - after[low]), abs=0.5)
    # A bit of the scale moves them all, and the axis with them.
    assert root.locator(".hy-halves span").all_text_contents() == ["17番の重み", "1番の重み"]
    root.get_by_role("radio", name="2バイト目（倍率）", exact=True).check()
    root.locator(".hy-bit").nth(1).click()
    block[1] ^= 64
    (wider,) = re.findall(r"縦軸の範囲は、±0.1から±([\d,]+)に広がりました", root.locator(".hy-readout").text_content())
    reach = np.abs(dequantize_q4_0(bytes(block))).max()
    assert reach <= float(wider.replace(",", "")) < 2 * reach
    assert root.locator(".hy-halves span").all_text_contents() == ["倍率の上の8ビット"]
    root.get_by_role("button", name="もとに戻す").click()
    assert "まだ、どの重みも変わっていません" in root.locator(".hy-readout").text_content()


def test_as_many_cells_are_lit_as_are_said(visitor):
    _, root = live(visitor, "lottery")
    data = lottery_data()
    for i, people in enumerate(data["people"]):
        root.get_by_role("slider").fill(str(i))
        lit = root.locator("svg.hy-plot rect.hy-cell.hy-lit").count()
        said = root.locator(".hy-readout").text_content()
        assert f"{people}人で、256組のうち{lit}組を読み出します。" in said
        assert f"式の平均は{data['expected'][i]:.1f}組です。" in said
        assert root.locator("svg.hy-plot polyline").evaluate("one => one.points.length") == i + 1, (
            "no farther than tried"
        )
    root.get_by_role("button", name="100回引く").click()
    assert "100回の平均は" in root.locator(".hy-readout").text_content()


# ---- the speeds of chapter 9

# Bandwidths in GB/s and speeds where marks and the corners of lines stand, from where the labels of the axes stand.
SPEEDS = """(root) => {
  const svg = root.querySelector("svg.hy-plot");
  const number = (one) => Number(one.textContent);
  const ticks = [...svg.querySelectorAll("text.hy-tick")].filter((one) => /^[\\d.]+$/.test(one.textContent));
  const of = (anchor) => ticks.filter((one) => one.getAttribute("text-anchor") === anchor);
  const scale = (marks, at) => {
    const [first, last] = [marks[0], marks.at(-1)];
    const unit = (number(last) - number(first)) / (at(last) - at(first));
    return (place) => number(first) + (place - at(first)) * unit;
  };
  const gb = scale(of("middle"), (one) => one.x.baseVal[0].value);
  const speed = scale(of("end"), (one) => one.y.baseVal[0].value - 4);
  const place = (point) => [gb(point.x), speed(point.y)];
  return {
    marks: [...svg.querySelectorAll(".hy-filled")].map((mark) => {
      const box = mark.getBBox();
      return place({ x: box.x + box.width / 2, y: box.y + box.height / 2 });
    }),
    lines: [...svg.querySelectorAll("polyline")].map((line) => [...line.points].map(place)),
  };
}"""
SEEN = 1.5  # GB/s, and tokens/s: less than a pixel


def on_paper(svg, gb: float, speed: float) -> dict[str, float]:
    """Return where on the screen a bandwidth and a speed are drawn."""
    return svg.evaluate(
        """(svg, [gb, speed]) => {
          const [box, width] = [svg.getBoundingClientRect(), svg.viewBox.baseVal.width];
          const x = 40 + (gb / 820) * (width - 56);
          const y = 284 - (speed / 250) * 254;
          return { x: box.left + x * (box.width / width), y: box.top + y * (box.width / width) };
        }""",
        [gb, speed],
    )


def off_by(line, rows) -> str:
    """Return how far a line of bandwidths in GB/s and speeds is off what was measured."""
    bandwidth, speed = np.array(rows).T
    return f"{np.abs(np.interp(bandwidth / 1e9, *np.array(line).T) / speed - 1).mean():.1%}"


def drawn_by_hand(page, svg, corners) -> None:
    """Draw a line through corners with the mouse, or where there is a finger with that."""
    places = [on_paper(svg, *corner) for corner in corners]
    if page.evaluate("navigator.maxTouchPoints"):
        touch = page.context.new_cdp_session(page)
        for i, place in enumerate(places):
            kind = "touchMove" if i else "touchStart"
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [place]})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        return
    page.mouse.move(**places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(**place)
    page.mouse.up()


@pytest.mark.parametrize("visitor", [NARROW | {"has_touch": True}, {}], ids=["finger", "mouse"], indirect=True)
def test_a_line_is_drawn_and_the_measured_points_appear_beside_it(visitor):
    page, root = live(visitor, "drawing")
    data, draw = drawing_data(), random.Random(14)
    svg = root.locator("svg.hy-plot")
    svg.evaluate("one => one.scrollIntoView({ block: 'center' })")
    top = page.evaluate("scrollY")
    before = root.evaluate(SPEEDS)
    bound = before["lines"][1]  # as the line that is drawn is at first
    assert before["lines"][0] == bound
    assert before["marks"] == [], "nothing is shown before the guess"
    assert bound[-1] == pytest.approx([820, 820e9 / data["bytes"]], abs=SEEN)
    corners = [(gb, draw.uniform(20, 200)) for gb in range(100, 801, 100)]
    corners[1] = (200, corners[0][1])  # a finger that goes up or down first scrolls the page
    drawn_by_hand(page, svg, corners)
    mine = root.evaluate(SPEEDS)["lines"][0]
    assert [mine[0], mine[-1]] == [bound[0], bound[-1]], "what was not drawn over is as it was"
    for gb, speed in corners:
        assert mine[gb // 20] == pytest.approx([gb, speed], abs=2 * SEEN)
    # Pulled straight down at its end, it stays as it was up to the grip before.
    drawn_by_hand(page, svg, [mine[41], (820, 60)])
    pulled = root.evaluate(SPEEDS)["lines"][0]
    assert pulled[:31] == mine[:31]
    middle = np.interp(720, [600, 820], [mine[30][1], 60])
    assert pulled[36] + pulled[41] == pytest.approx([720, middle, 820, 60], abs=2 * SEEN)
    # Beside the line that was drawn, one that keys move.
    root.locator("summary").press("Enter")
    for slider in root.get_by_role("slider").all()[:2]:
        slider.press("End")
        slider.press("ArrowLeft")
    mine = root.evaluate(SPEEDS)["lines"][0]
    assert [mine[5], mine[10]] == pytest.approx(np.array([[100, 218], [200, 218]]), abs=SEEN)
    assert mine[20] == pytest.approx([400, corners[3][1]], abs=2 * SEEN)
    root.get_by_role("button", name="この線に決める").press("Enter")
    shown = root.evaluate(SPEEDS)
    assert shown["marks"] == pytest.approx(np.array(data["rows"]) / [1e9, 1], abs=SEEN)
    said = root.locator(".hy-readout").text_content()
    guess, bound_off, formula = re.findall(r"([\d.]+%)", said)
    assert float(guess[:-1]) == pytest.approx(float(off_by(shown["lines"][0], data["rows"])[:-1]), abs=0.6)
    assert bound_off == off_by(shown["lines"][1], data["rows"])
    fit = data["fit"]
    formula_line = [[gb, 1 / (data["bytes"] / (gb * 1e9) / fit["eta"] + fit["wait_s"])] for gb in range(60, 830)]
    assert formula == off_by(formula_line, data["rows"])
    assert root.get_by_role("slider").first.is_disabled()
    assert page.evaluate("scrollY") == top or not page.evaluate("navigator.maxTouchPoints")
    root.get_by_role("button", name="はじめから引きなおす").press("Enter")
    assert root.evaluate(SPEEDS) == before
    expect_none(visitor.problems)


@WIDTHS
def test_the_lines_of_two_numbers_run_where_the_formula_says(visitor):
    _, root = live(visitor, "fitting")
    formats, fit, draw = macs_data(), least_squares(), random.Random(15)
    sliders = root.get_by_role("slider").all()
    root.get_by_role("checkbox").check()

    def speeds(one, numbers, gb):
        return 1 / (one["bytes"] / (gb * 1e9) / numbers["eta"] + numbers["wait_s"])

    def at_places(share, wait):
        return {"eta": 0.4 + share / 200, "wait_s": wait / 1e4}

    def off_by_each(numbers):
        rows = [(one, *np.array(one["rows"]).T) for one in formats]
        return [np.abs(speeds(one, numbers, at / 1e9) / measured - 1) for one, at, measured in rows]

    seen = [(120, 0)]  # places of the sliders
    for k in range(8):
        seen += [(draw.randrange(121), seen[-1][1])]
        sliders[0].fill(str(seen[-1][0]))
        seen += [(seen[-1][0], draw.randrange(121) if k > 2 else 0)]
        sliders[1].fill(str(seen[-1][1]))
        mine = at_places(*seen[-1])
        shown = root.evaluate(SPEEDS)
        rows = [row for one in formats for row in one["rows"]]
        assert shown["marks"] == pytest.approx(np.array(rows) / [1e9, 1], abs=SEEN)
        for i, one in enumerate(formats):
            for line, numbers in zip(shown["lines"][2 * i : 2 * i + 2], (mine, fit), strict=True):
                gb, drawn = np.array(line[1:]).T
                assert drawn == pytest.approx(speeds(one, numbers, gb), abs=SEEN)
        off = off_by_each(mine)
        said = root.locator(".hy-readout").text_content()
        assert f"{len(rows)}個の実測から、平均で{np.concatenate(off).mean():.1%}外れています。" in said
        for how, tried in (("ηだけで", lambda at: not at[1]), ("t₀も動かして", lambda at: at[1])):
            errors = [np.concatenate(off_by_each(at_places(*at))).mean() for at in seen if tried(at)]
            assert (f"{how}{min(errors):.1%}（" if errors else "これまでの最小は、") in said
        for one, each in zip(formats, off, strict=True):
            assert re.search(rf"{one['name']}（[^）]*）：平均{each.mean():.1%}", said)
    expect_none(visitor.problems)


# ---- time


def test_a_film_runs_only_while_it_is_seen_and_back_is_as_forward(visitor):
    page, root = live(visitor, "pipes")
    passed = "t => parseFloat(document.querySelector('.hy-clock').textContent) > t"
    page.wait_for_timeout(200)
    assert root.locator(".hy-clock").text_content() == "0.0 秒", "nothing starts by itself"
    wind = root.get_by_role("slider", name="経過した時間")
    pictures = {}
    for t in ("0", "1.5", "3", "6", "3", "1.5", "0"):
        wind.fill(t)
        picture = root.locator("svg.hy-plot").evaluate("one => one.outerHTML")
        assert pictures.setdefault(t, picture) == picture
    root.get_by_role("button", name="始める").click()
    wait_until(page, passed, 0.3)
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.wait_for_timeout(200)
    stopped = root.locator(".hy-clock").text_content()
    page.wait_for_timeout(400)
    assert root.locator(".hy-clock").text_content() == stopped


@pytest.mark.parametrize("visitor", [{"reduced_motion": "reduce"}], indirect=True)
def test_without_motion_the_end_is_shown_at_once(visitor):
    _, root = live(visitor, "pipes")
    root.get_by_role("button", name="結果を見る").click()
    assert root.locator(".hy-clock").text_content() == "6.0 秒"


# ---- whoever looks

PARTS = "'.hayasa-guess, .hayasa-live, .hy-guess-verdict'"
AS_WIDE = """() => [...document.querySelectorAll(".hayasa-live svg.hy-plot")].every((one) =>
  Math.abs(one.viewBox.baseVal.width - one.getBoundingClientRect().width) < 2)"""


@pytest.mark.parametrize(
    "visitor",
    [NARROW, {"color_scheme": "dark"}],
    ids=["390", "dark"],
    indirect=True,
)
def test_axe_finds_nothing_and_no_label_overlaps(visitor, axe):
    found = []
    wide = visitor.page.viewport_size
    for name in dict.fromkeys(PLACES.values()):
        page = visitor.visit(name)
        wait_until(page, READY)
        for guess in page.locator(".hayasa-guess[data-at]").all():
            if guess.get_by_role("radio").count():
                guess.get_by_role("radio").first.check()
            guess.get_by_role("button", name="決める").click()
        for root in [built(page, kind) for kind in PLACES if PLACES[kind] == name]:
            for folded in root.locator("summary").all():
                folded.click()
            root.get_by_role("slider").first.press("End") if root.get_by_role("slider").count() else None
        found += [f"{name}: {pair}" for pair in page.evaluate(OVERLAPPING)]
        found += [f"{name}: {problem}" for problem in violations(page, axe, PARTS)]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        # Figures are drawn anew for another width: here for the narrowest phone.
        page.set_viewport_size({"width": 360, "height": 700})
        wait_until(page, AS_WIDE)
        found += [f"{name}, 360 px: {pair}" for pair in page.evaluate(OVERLAPPING)]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.set_viewport_size(wide)
    expect_none(found + visitor.problems)


def test_they_work_from_the_disk(browser, site):
    with browser.new_context(locale="ja-JP", offline=True) as context:
        page = context.new_page()
        problems = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto((site / COMPARISON).as_uri())
        wait_until(page, READY)
        page.locator(".hayasa-live").scroll_into_view_if_needed()
        page.locator(".hayasa-live svg.hy-plot").wait_for()
        page.locator(".hayasa-guess").first.get_by_role("button", name="決める").click()
        assert page.locator(".hy-guess-verdict").count() == 1
        expect_none(problems)
