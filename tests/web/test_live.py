"""The chapters' guesses and live figures: what they run with is what the chapters compute, and they compute alike."""

import itertools
import json
import random
import re
import struct
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import nbformat
import numpy as np
import pytest
from gguf import GGMLQuantizationType, quants
from py_mini_racer import MiniRacer

import hayasa
from hayasa.book.blocks import quantize_q4_0
from hayasa.book.drafted import drafted
from hayasa.book.letters import Letters, story
from hayasa.engine.waits import COMPUTE, READ_WEIGHTS
from hayasa.machine.split import pipeline_step_s
from hayasa.model.flops import attention_flop_per_token, weight_flop_per_token
from tests.checks.chapters import Manuscript
from tests.checks.report import expect_none
from tests.web.javascript import ROOT
from tools.page import script, serving, splitting
from tools.page.climb import CONTEXTS, MODELS, SIZES, climb_data
from tools.page.live import (
    BLOCK,
    FILLING_MODELS,
    LIVE,
    ROUND_MACHINES,
    WALK_MODELS,
    drawing_data,
    eight_data,
    filling_data,
    least_squares,
    lottery_data,
    macs_data,
    pipes_data,
    rounds_data,
    slow_data,
    walk_data,
    waterfall_data,
)

GUESS = re.compile(r"^:::: \{(?:#[\w-]+ )?\.hayasa-guess (.*)\}\n((?:.*\n)*?)::::$", re.MULTILINE)
FOLDED = re.compile(r'::: \{\.callout-tip collapse="true"\}\n## 答えを見る\n((?:.*\n)*?):::\n')
CHOICE = re.compile(r"^(?:\d\.|-) (.*)$", re.MULTILINE)


@pytest.fixture(scope="module")
def page() -> MiniRacer:
    context = MiniRacer()
    for one in (script.plain_script(ROOT, "chapter"), *script.live_scripts(ROOT).values()):
        context.eval(one)
    return context


# ---- guesses


def guesses(manuscript: Manuscript) -> Iterator[tuple[dict[str, str], str]]:
    """Yield the attributes and the inside of every guess of a chapter."""
    for attributes, inside in GUESS.findall(manuscript.markdown):
        yield dict(re.findall(r'data-(\w+)="([^"]*)"', attributes)), inside


def answer_text(given: dict[str, str], inside: str) -> str:
    """Return the answer of a guess in words: a number with its unit, or the choice that is right."""
    if "unit" in given:
        gap = " " if re.match(r"[A-Za-z]|トークン/", given["unit"]) else ""
        return f"{float(given['answer']):,g}{gap}{given['unit']}"
    return CHOICE.findall(inside)[int(given["answer"]) - 1]


def said_as(answer: str) -> re.Pattern[str]:
    """Return what finds an answer in a text: 1.4倍 is also written 1.40倍."""
    number = re.match(r"[\d,.]*", answer)[0]
    zeros = "0*" if "." in number else ""
    return re.compile(rf"(?<![\d.]){re.escape(number)}{zeros}{re.escape(answer[len(number) :])}")


def guess_problems(manuscript: Manuscript) -> Iterator[str]:
    """Yield what is wrong with a chapter's guesses."""
    text = manuscript.markdown
    if re.search(r"[^\n]\n:::: \{[^}]*\.hayasa-guess", text):
        yield f"{manuscript.name}: 予想の囲みの前には、空の行を置いてください"
    if text.count(".hayasa-guess") != len(GUESS.findall(text)):
        yield f"{manuscript.name}: 予想の囲みは、:::: {{.hayasa-guess …}} から :::: までです"
    rest = FOLDED.sub("", text) + "".join(
        "".join(output.get("text", "")) + "".join(output.get("data", {}).get("text/markdown", ""))
        for cell in manuscript.code_cells
        for output in cell.outputs
    )
    code = "\n".join(cell.source for cell in manuscript.code_cells)
    for given, inside in guesses(manuscript):
        if "at" not in given:  # a question; tests/teaching holds what it says
            if not re.search(r"^- ○ \*\*[A-D]\*\*　", inside, re.MULTILINE):
                yield f"{manuscript.name}: 札のない予想には、選択肢ごとのわけが要ります"
            continue
        name = f"{manuscript.name}: {given.get('at')}"
        folded = FOLDED.findall(inside)
        if len(folded) != 1:
            yield f"{name}: 答えが一つ、たたんであるはずです"
            continue
        answer = said_as(answer_text(given, inside))
        if not answer.search(folded[0]):
            yield f"{name}: たたんだ答えに「{answer.pattern}」とありません"
        if "unit" in given:
            if not float(given["from"]) < float(given["answer"]) < float(given["to"]):
                yield f"{name}: 答えが、つまみの動く範囲にありません"
            # The number is computed by a cell, or stands in the text, whose numbers are checked against cells and sources.
            if not answer.search(rest):
                yield f"{name}: {answer.pattern} が、セルの出力にも本文にもありません"
        if f"#{given.get('at')}" not in text and f"label: {given.get('at')}\n" not in code:
            yield f"{name}: この札がありません"


def test_every_guess_has_the_answer_that_the_chapter_computes(manuscripts):
    found = [guess for manuscript in manuscripts for guess in guesses(manuscript)]
    assert len(found) >= 2
    expect_none(problem for manuscript in manuscripts for problem in guess_problems(manuscript))


NUMBER = """:::: {.hayasa-guess data-answer="16" data-unit="倍" data-from="1" data-to="100" data-at="sec-a"}
何倍でしょうか。

::: {.callout-tip collapse="true"}
## 答えを見る
16倍です。
:::
::::

## 題 {#sec-a}

16倍です。
"""
CHOSEN = """:::: {.hayasa-guess data-answer="2" data-at="sec-a"}
どちらでしょうか。

1. 甲
2. 乙

::: {.callout-tip collapse="true"}
## 答えを見る
乙です。
:::
::::

## 題 {#sec-a}
"""


def chapter(markdown: str) -> Manuscript:
    return Manuscript("chapters/00-test.ipynb", (nbformat.v4.new_markdown_cell(markdown),))


def test_right_guesses_pass():
    assert [*guess_problems(chapter(NUMBER))] == [*guess_problems(chapter(CHOSEN))] == []


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        (NUMBER, 'data-answer="16"', 'data-answer="15"'),
        (NUMBER, "見る\n16倍", "見る\n17倍"),
        (NUMBER, "#sec-a}\n\n16倍", "#sec-a}\n\n116倍"),
        (NUMBER, 'data-to="100"', 'data-to="10"'),
        (NUMBER, "{#sec-a}", "{#sec-b}"),
        (NUMBER, "::::\n\n", ":::\n\n"),
        (NUMBER, "## 答えを見る", "## 答え"),
        (NUMBER, ":::: {.hayasa-guess", "文。\n:::: {.hayasa-guess"),
        (CHOSEN, 'data-answer="2"', 'data-answer="1"'),
        (CHOSEN, ' data-at="sec-a"', ""),
    ],
)
def test_a_wrong_guess_is_noticed(text, old, new):
    assert text.count(old) == 1
    assert [*guess_problems(chapter(text.replace(old, new)))]


def test_the_slider_goes_from_end_to_end_in_even_steps(page):
    for low, high in [(1, 100), (0.5, 2000), (1, 10), (100, 1e6)]:
        values = [*page.call("hayasaChapter.steps", low, high)]
        assert (values[0], values[-1]) == (low, high)
        assert values == sorted(set(values))
        assert max(after / before for before, after in itertools.pairwise(values)) < 1.3


@pytest.mark.parametrize(
    ("guess", "truth", "said"),
    [
        (16, 16, "ほぼ当たりです。"),
        (17, 16, "ほぼ当たりです。"),
        (51, 16, "3.2倍、多く見積もりました。"),
        (5, 16, "3.2倍、少なく見積もりました。"),
        (2, 1000, "500倍、少なく見積もりました。"),
    ],
)
def test_how_far_a_guess_was_off(page, guess, truth, said):
    assert page.call("hayasaChapter.miss", guess, truth) == said


# ---- the speeds of chapter 9


def output_of(manuscripts, name: str) -> str:
    """Return what a cell of chapter 9 puts out."""
    (chapter_9,) = (one for one in manuscripts if one.name.startswith("chapters/09"))
    (output,) = next(cell.outputs for cell in chapter_9.code_cells if cell.get("id") == name)
    return output["text"] if "text" in output else output["data"]["text/markdown"]


def test_the_two_numbers_and_their_errors_are_chapter_9_s(page, manuscripts):
    fit, formats = least_squares(), macs_data()
    assert f"η = {fit['eta']:.1%}、t0 = {1000 * fit['wait_s']:.2f} ms\n" in output_of(manuscripts, "two-parameters-2")
    count = sum(len(one["rows"]) for one in formats)
    assert output_of(manuscripts, "measured-data-3").startswith(f"{count}行、")
    table = dict(re.findall(r"^\| (\S+)（.*?\|\s*([\d.]+)% ", output_of(manuscripts, "tbl-held-out"), re.MULTILINE))
    for name, numbers in (("上限", {"eta": 1, "wait_s": 0}), ("二つの数", fit)):
        assert f"{100 * page.call('hayasaLive.parts.fitting.errorOfFit', formats, numbers):.1f}" == table[name]


def test_the_reader_s_own_line_is_as_far_off_as_it_is(page):
    data, draw = drawing_data(), random.Random(31)
    bandwidth, speed = np.array(data["rows"]).T
    places = np.arange(0, 821e9, 20e9)
    for _ in range(30):
        line = [0.0, *(draw.uniform(0, 250) for _ in places[1:])]
        shown = [page.call("hayasaLive.parts.drawing.lineAt", line, one) for one in bandwidth]
        assert shown == pytest.approx(np.interp(bandwidth, places, line))
        fit = {"eta": draw.uniform(0.4, 1), "wait_s": draw.uniform(0, 0.012)}
        given = [page.call("hayasaLive.shared.speedBy", data["bytes"], one, fit) for one in bandwidth]
        assert given == pytest.approx(1 / (data["bytes"] / bandwidth / fit["eta"] + fit["wait_s"]))
        formats = [{"bytes": data["bytes"], "rows": data["rows"]}]
        off = np.abs(np.array(given) / speed - 1).mean()
        assert page.call("hayasaLive.parts.fitting.errorOfFit", formats, fit) == pytest.approx(off)


def test_a_stroke_changes_the_line_only_where_it_passes(page):
    draw = random.Random(32)
    places = np.arange(0, 821e9, 20e9)
    for _ in range(100):
        line = [0.0, *(draw.uniform(0, 250) for _ in places[1:])]
        ends = sorted((draw.uniform(0, 820e9), draw.uniform(0, 250)) for _ in range(2))
        there, back = ([*page.call("hayasaLive.parts.drawing.drawnOver", line, *way)] for way in (ends, ends[::-1]))
        assert there == pytest.approx(back)
        (left, start), (right, end) = ends
        for i, place in enumerate(places):
            if i and left <= place <= right:
                assert there[i] == pytest.approx(start + (place - left) / (right - left) * (end - start))
            elif i == 0 or place < left - 10e9 or place > right + 10e9:
                assert there[i] == line[i]
    handles = [0, 5, 10, 20, 30, 41]  # where they stand on the line
    for _ in range(40):
        line = [0.0, *(draw.uniform(0, 250) for _ in places[1:])]
        which, speed = draw.randrange(5), draw.uniform(0, 250)
        moved = [*page.call("hayasaLive.parts.drawing.bent", line, which, speed)]
        before, here, after = handles[which], handles[which + 1], handles[min(which + 2, 5)]
        assert moved[here] == pytest.approx(speed)
        assert (moved[:before], moved[after + 1 :]) == (line[:before], line[after + 1 :])
        for low, high in ((before, here), (here, after)):
            assert moved[low : high + 1] == pytest.approx(np.linspace(moved[low], moved[high], high - low + 1))


# ---- eight machines


def test_a_token_takes_what_hayasa_says(page):
    data = eight_data()
    whole = data["part_s"] * 8
    assert 1 / whole == pytest.approx(13.15, abs=0.01)
    draw = random.Random(3)
    for link_s in [0.0, *(draw.uniform(0, 0.02) for _ in range(200))]:
        given = page.call("hayasaLive.parts.eight.passing", {**data, "people": 1, "link_s": link_s})
        assert given["token_s"] == pytest.approx(pipeline_step_s(whole, 8, link_latency_s=link_s))
        assert given["tokens_per_s"] == pytest.approx(1 / given["token_s"])


def test_the_schedule_is_one_of_work_that_nobody_does_twice(page):
    draw = random.Random(5)
    for _ in range(60):
        people, link_s = draw.randint(1, 8), draw.choice([0.0, draw.uniform(0, 0.02)])
        part_s, until_s = draw.uniform(0.002, 0.02), draw.uniform(0.5, 2.0)
        given = {"machines": 8, "messages": draw.choice([7, 8]), "part_s": part_s, "people": people, "link_s": link_s}
        work = [dict(one) for one in page.call("hayasaLive.parts.eight.schedule", given, until_s)]
        for machine in range(8):
            own = [one for one in work if one["machine"] == machine]
            assert all(b["from"] >= a["to"] - 1e-12 for a, b in itertools.pairwise(own))
        for person in range(people):
            steps = [one for one in work if one["person"] == person]
            assert [one["machine"] for one in steps] == [i % 8 for i in range(len(steps))]
            for before, after in itertools.pairwise(steps):
                waited = link_s if after["machine"] else (given["messages"] - 7) * link_s
                assert after["from"] >= before["to"] + waited - 1e-12
        # As many come out as the closed form says.
        done = sum(one["machine"] == 7 and one["to"] <= until_s for one in work)
        closed = page.call("hayasaLive.parts.eight.passing", given)
        assert done == pytest.approx((until_s - closed["token_s"]) * closed["tokens_per_s"], abs=people + 1)


# ---- waterfall


def test_the_waits_are_those_of_chapter_3(page, manuscripts):
    (chapter_3,) = (one for one in manuscripts if one.name.startswith("chapters/03"))
    (cell,) = (cell for cell in chapter_3.code_cells if cell.get("id") == "tbl-waterfall")
    rows = [line.strip("|").split("|") for line in cell.outputs[0]["data"]["text/markdown"].splitlines()[2:]]
    table = [[part.strip() for part in row] for row in rows]
    data = waterfall_data()
    shown = []
    for k, wait in enumerate(data["waits"]):
        row = [wait]
        for machine in data["machines"]:
            end = page.call("hayasaLive.parts.waterfall.pile", machine["waits_ms"], k + 1)
            row += [f"{machine['waits_ms'][k]:.2f}", f"{1000 / end:.0f}"]
        shown.append(row)
    assert shown == table


def test_data_is_json_of_the_figures_that_the_chapters_name(manuscripts):
    named = {kind for one in manuscripts for kind in re.findall(r'data-live="([\w-]+)"', one.markdown)}
    assert named <= LIVE.keys()
    assert named


# ---- pipes


def test_the_pipes_are_the_two_formulas_of_the_article_s_machines():
    data = pipes_data()
    for machine, device in zip(data["machines"], ("a100-80gb-pcie", "apple-m4-10c"), strict=True):
        for bits, memory_s in zip(data["bits"], machine["memory_s"], strict=True):
            weights = hayasa.WeightFormat(id="bits", bits_per_weight=bits)
            model = hayasa.Model(id="model", stated_parameters=7e9)
            assert memory_s == pytest.approx(
                hayasa.estimate(model, device, weights=weights, engine="ideal").memory_latency_s
            )
    at_once = [
        [1 / machine["memory_s"][data["bits"].index(4)], 1 / machine["compute_s"][0]] for machine in data["machines"]
    ]
    assert [[int(speed) for speed in pair] for pair in at_once] == [[552, 89142], [34, 2714]]


def test_the_later_tank_is_empty_at_the_end(page):
    draw = random.Random(9)
    for _ in range(100):
        ends, share = [draw.uniform(1e-5, 1), draw.uniform(1e-5, 1)], draw.uniform(0, 1)
        for end, level in zip(ends, page.call("hayasaLive.parts.pipes.levels", ends, share), strict=True):
            assert level == pytest.approx(max(0.0, 1 - share * max(ends) / end))
        assert max([*page.call("hayasaLive.parts.pipes.levels", ends, 1)]) == pytest.approx(0)
        assert [*page.call("hayasaLive.parts.pipes.levels", ends, 0)] == [1, 1]


# ---- the bytes of a block


def half_bytes(draw: random.Random) -> list[int]:
    return [
        *struct.pack("<e", draw.choice([draw.uniform(-1, 1), draw.uniform(-6e4, 6e4), draw.uniform(-5e-5, 5e-5), 0.0]))
    ]


def test_the_block_is_chapter_6_s():
    matrix = np.random.default_rng(seed=6).normal(0, 0.02, size=(64, 256)).astype(np.float32)
    assert quantize_q4_0(matrix[0, :32]) == bytes.fromhex(BLOCK)


def test_a_block_is_read_as_gguf_reads_it(page):
    draw = random.Random(12)
    for _ in range(200):
        block = [*half_bytes(draw), *(draw.randrange(256) for _ in range(16))]
        (scale,) = struct.unpack("<e", bytes(block[:2]))
        assert page.call("hayasaLive.parts.nibbles.half", block[0], block[1]) == scale
        given = [*page.call("hayasaLive.parts.nibbles.dequantized", block)]
        library = quants.dequantize(np.array([block], np.uint8), GGMLQuantizationType.Q4_0)[0]
        assert given == pytest.approx(library.tolist(), rel=1e-6)


def test_what_16_bits_cannot_write_is_no_number(page):
    assert page.eval(
        "hayasaLive.parts.nibbles.half(0, 0x7c) === Infinity && hayasaLive.parts.nibbles.half(0, 0xfc) === -Infinity"
    )
    assert page.eval("Number.isNaN(hayasaLive.parts.nibbles.half(1, 0xfc))")


def test_a_bit_changes_the_weights_of_its_byte_and_no_other(page):
    block = LIVE["nibbles"]()["block"]
    before = [*page.call("hayasaLive.parts.nibbles.dequantized", block)]
    for byte in range(18):
        for bit in range(8):
            turned = [value ^ (1 << bit) if i == byte else value for i, value in enumerate(block)]
            after = [*page.call("hayasaLive.parts.nibbles.dequantized", turned)]
            moved = {i for i in range(32) if after[i] != before[i]}
            weights = [*page.call("hayasaLive.parts.nibbles.weightsIn", byte)]
            # A weight of the middle step is 0 whatever the scale.
            wanted = {i for i in weights if before[i]} if byte < 2 else {weights[bit >= 4]}
            assert moved == wanted


# ---- the lottery of experts


def test_a_draw_is_the_same_whenever_it_is_drawn_and_nobody_draws_twice(page):
    router = {"experts": 256, "each": 8}
    for people in (1, 5, 40):
        drawn = [*page.call("hayasaLive.parts.lottery.draw", router, people, 17)]
        assert drawn == [*page.call("hayasaLive.parts.lottery.draw", router, people, 17)]
        assert drawn != [*page.call("hayasaLive.parts.lottery.draw", router, people, 18)]
        assert sum(drawn) == people * 8
        assert max(drawn) <= people
    assert sorted(page.call("hayasaLive.parts.lottery.draw", router, 1, 3))[-9:] == [0, *[1] * 8]


def test_the_draws_agree_with_the_formula(page):
    data = lottery_data()
    router = data["router"]
    assert data["expected"] == pytest.approx([256 * (1 - (1 - 8 / 256) ** people) for people in data["people"]])
    for people, expected in zip(data["people"], data["expected"], strict=True):
        counts = [
            sum(map(bool, page.call("hayasaLive.parts.lottery.draw", router, people, seed))) for seed in range(1, 201)
        ]
        mean = sum(counts) / len(counts)
        spread = (sum((count - mean) ** 2 for count in counts) / len(counts)) ** 0.5
        assert abs(mean - expected) <= 3 * spread / len(counts) ** 0.5 + 1e-9


def test_what_is_read_is_more_with_every_expert():
    read = lottery_data()["read"]
    assert read[0].split() == ["20.8", "GB"]
    assert len({*read}) == len(read)


# ---- the memory that fills


def test_the_cache_and_the_speed_are_hayasa_s_at_any_length(page):
    data = filling_data()
    draw = random.Random(21)
    for name, model in zip(FILLING_MODELS, data["models"], strict=True):
        for tokens in [0, 1, 1023, 1024, 1025, *(draw.randrange(data["longest"]) for _ in range(60))]:
            result = hayasa.estimate(name, "apple-m4-10c", weights="q4_k_m", engine="ideal", context_length=tokens)
            assert page.call("hayasaLive.parts.filling.cacheBytes", model, tokens) == pytest.approx(
                result.kv_bytes_per_step
            )
            given = page.call("hayasaLive.parts.filling.boundAt", model, data["bandwidth"], tokens)
            assert given == pytest.approx(result.decode_tokens_per_s_bound, rel=1e-6)


def test_a_talk_fits_as_long_as_hayasa_says(page):
    data = filling_data()
    device = replace(hayasa.get_device("apple-m4-10c"), memory_capacity_bytes=16 * 2**30)
    for name, model in zip(FILLING_MODELS, data["models"], strict=True):
        longest = hayasa.max_context_length(hayasa.get_model(name), device, hayasa.get_weight_format("q4_k_m"))
        filled = [
            model["resident"] + page.call("hayasaLive.parts.filling.cacheBytes", model, longest + more)
            for more in (0, 1000)
        ]
        assert filled[0] <= model["usable"] < filled[1]
        assert longest <= page.call("hayasaLive.parts.filling.fullAt", model) < longest + 1000


# ---- the roofline


def bound_of(shown, device, work: int, size: int, context: int) -> tuple[float, float, str]:
    """Return the intensity, the tokens per second that hayasa allows, and what binds them."""
    result = hayasa.estimate(
        shown.model,
        device,
        weights=shown.weights,
        engine="ideal",
        batch_size=1 if work else size,
        context_length=0 if work else context,
        prompt_length=size if work else 1,
    )
    if not work:
        return result.flop_per_step / result.bytes_per_step, result.decode_tokens_per_s_bound, result.bound_by
    seconds = {wait.kind: wait.seconds for wait in result.prefill_waits}
    read_s, compute_s = seconds[READ_WEIGHTS], seconds[COMPUTE]
    read = read_s * result.device.memory_bandwidth_bytes_per_s
    intensity = hayasa.prefill_flop(result.model, size) / read
    return intensity, result.prefill_tokens_per_s_bound, "memory" if read_s >= compute_s else "compute"


def test_the_work_lies_where_hayasa_says_wherever_it_is_dragged(page):
    data, draw = climb_data(), random.Random(25)
    for _ in range(120):
        which, work = draw.randrange(len(MODELS)), draw.randrange(2)
        size, context = draw.randrange(len(SIZES)), draw.randrange(len(CONTEXTS))
        shown, one = MODELS[which], data["models"][which]
        given = page.call("hayasaLive.parts.climb.climbed", one, {"work": work, "size": size, "context": context})
        for (device, _), machine in zip(shown.machines.values(), given["machines"], strict=True):
            intensity, speed, kind = bound_of(shown, device, work, SIZES[size], CONTEXTS[context])
            assert given["intensity"] == pytest.approx(intensity, rel=1e-4)
            assert machine["tokens_per_s"] == pytest.approx(speed, rel=2e-4)
            assert (intensity < machine["ridge"]) == (kind == "memory")


def test_what_was_measured_lies_under_the_roof_where_it_was_measured(page):
    for shown, one in zip(MODELS, climb_data()["models"], strict=True):
        for (device, ids), machine in zip(shown.machines.values(), one["machines"], strict=True):
            rows = {row["id"]: row for row in hayasa.measurements(model=shown.model) if row["id"] in ids}
            assert rows.keys() == {*ids} and all(row["device"] == device for row in rows.values())
            speeds = {row["decode_tokens_per_s"] for row in rows.values()}
            assert {point["tokens_per_s"] for point in machine["measured"] if not point["work"]} == speeds
            for point in machine["measured"]:
                intensity, speed, _ = bound_of(shown, device, point["work"], point["size"], point["context"])
                assert point["intensity"] == pytest.approx(intensity, rel=1e-4)
                assert point["share"] == pytest.approx(point["tokens_per_s"] / speed, rel=2e-4)
                assert point["share"] < 1 and point["source"].startswith("https://")
                beside = page.call("hayasaLive.parts.climb.besides", machine, {**point, "source": ""})
                assert beside["tokens_per_s"] == point["tokens_per_s"]
                far = f"{json.dumps(machine)}, {json.dumps({**point, 'size': 10 * SIZES[-1]})}"
                assert page.eval(f"!hayasaLive.parts.climb.besides({far})"), "what is far is not spoken of"


def test_the_nearest_place_is_the_fewest_times_away(page):
    draw = random.Random(2)
    for _ in range(100):
        values, wanted = sorted(draw.uniform(0.1, 1e3) for _ in range(9)), draw.uniform(0.01, 1e4)
        best = min(range(9), key=lambda i: max(values[i] / wanted, wanted / values[i]))
        assert page.call("hayasaLive.parts.climb.nearest", values, wanted) == best


# ---- slow motion


def test_the_slow_motion_is_chapter_1_s(manuscripts):
    (chapter_1,) = (one for one in manuscripts if one.name.startswith("chapters/01"))
    (cell,) = (cell for cell in chapter_1.code_cells if cell.get("id") == "tbl-slow-motion")
    rows = [line.strip("|").split("|") for line in cell.outputs[0]["data"]["text/markdown"].splitlines()[2:]]
    for row, machine in zip(rows, slow_data()["machines"], strict=True):
        token_s, transfer_s, compute_s = (machine[name] for name in ("token_s", "transfer_s", "compute_s"))
        slow = f"{token_s * 1e6 / 60:.0f}分" if token_s < 3.6e-3 else f"{token_s * 1e6 / 3600:.1f}時間"
        assert [part.strip() for part in row[1:]] == [
            f"{token_s * 1e3:.3g} ms",
            slow,
            f"{transfer_s * 1e6:.1f} µs",
            f"{compute_s * 1e6:.2f} µs",
            f"{compute_s / transfer_s:.0%}",
        ]


def test_a_load_is_computed_with_as_soon_as_it_is_there(page):
    data, draw = slow_data(), random.Random(40)
    for machine in data["machines"]:
        transfer_s, compute_s = machine["transfer_s"], machine["compute_s"]
        assert machine["token_s"] == pytest.approx(transfer_s * data["bytes"] / data["load"])
        for _ in range(200):
            seconds = draw.choice([draw.uniform(0, 4e-5), draw.uniform(0, machine["token_s"])])
            given = page.call("hayasaLive.parts.slow.carried", machine, data, seconds)
            ends = [transfer_s * (load + 1) for load in range(1 + int(seconds / transfer_s))]
            there = [end for end in ends if end <= seconds]
            assert given["moved"] == pytest.approx(machine["bandwidth"] * seconds)
            assert given["loads"] == len(there)
            assert given["filled"] == pytest.approx(seconds / transfer_s - len(there), abs=1e-6)
            assert given["computing"] == any(end <= seconds < end + compute_s for end in there)
            assert given["worked_s"] == pytest.approx(sum(min(compute_s, seconds - end) for end in there), abs=1e-15)
        done = page.call("hayasaLive.parts.slow.carried", machine, data, machine["token_s"] * 2)
        assert done["moved"] == data["bytes"] and done["loads"] == 175 and not done["computing"]
        assert done["worked_s"] == pytest.approx(175 * compute_s)


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0秒"), (59.6, "1分0秒"), (2333.3, "38分53秒"), (3600, "1時間0分"), (29166.7, "8時間6分")]
)
def test_a_long_time_is_said_in_hours_and_minutes(page, seconds, said):
    assert page.call("hayasaLive.parts.slow.longTime", seconds) == said


# ---- the queue


def cells_of(manuscripts, number: str, *names: str) -> str:
    """Return the code of some cells of a chapter."""
    (found,) = (one for one in manuscripts if one.name.startswith(f"chapters/{number}"))
    return "\n".join(cell.source for cell in found.code_cells if cell.get("id") in names)


@pytest.fixture(scope="module")
def chapter_15(manuscripts):
    """What chapter 15 defines, as its reader has it."""
    names = {"hayasa": hayasa, "np": np}
    h100, model, weights = "h100-80gb-sxm", "llama-3.1-8b", "bf16"
    names |= {"h100": hayasa.get_device(h100), "llama": hayasa.get_model(model)}
    names["bf16"] = hayasa.get_weight_format(weights)
    cells = ("four-numbers-1", "four-numbers-2", "four-numbers-3", "scheduler-1", "scheduler-3", "scheduler-5")
    exec(cells_of(manuscripts, "15", *cells), names)
    return names


def test_the_queue_is_what_the_chapter_s_scheduler_makes_of_it(page, chapter_15):
    data, draw = serving.queue_data(), random.Random(33)
    times = tuple(chapter_15[name] for name in ("t_W", "t_B", "t_kv", "t_n"))
    assert serving.times() == times
    assert (serving.PROMPT, serving.ANSWER) == (chapter_15["n"], chapter_15["n_answer"])
    for _ in range(3):
        which, rate = draw.randrange(len(data["seats"])), draw.randrange(len(data["rates"]))
        run = page.call("hayasaLive.parts.queue.whole", data["runs"][which][rate])
        asked = serving.requests(data["rates"][rate])
        log = chapter_15["serve"](asked, data["seats"][which], times)
        for t in [0, data["seconds"], *(draw.uniform(0, data["seconds"]) for _ in range(30))]:
            shown = page.call("hayasaLive.parts.queue.queued", run, data, t)
            now = int(t / data["step"]) * data["step"]
            arrived = [one for one in asked if one["at"] <= now]
            inside = [one for one in arrived if one["tokens"][-1] > now]
            steps = log[log[:, 0] <= now]
            waiting, running = steps[-1, 1:] if inside and len(steps) else (0, 0)
            assert (shown["waiting"], shown["running"]) == (waiting, running)
            written = [sum(token <= now for token in one["tokens"]) for one in asked]
            assert shown["written"] == pytest.approx(sum(written), abs=serving.GRAIN / 2)
            cached = sum(
                one["prompt"] + count for one, count in zip(asked, written, strict=True) if 0 < count < one["answer"]
            )
            assert shown["cached"] == pytest.approx(cached, abs=serving.GRAIN / 2)
        assert run["wait_s"] == pytest.approx(np.mean([one["tokens"][0] - one["at"] for one in asked]), rel=1e-3)


def test_a_scheduler_that_is_gone_is_missed_by_its_name(monkeypatch, tmp_path):
    notebook = tmp_path / serving.NOTEBOOK.name
    notebook.write_text(serving.NOTEBOOK.read_text(encoding="utf-8").replace('"scheduler-5"', '"other"'), "utf-8")
    monkeypatch.setattr(serving, "NOTEBOOK", notebook)
    with pytest.raises(ValueError, match=r"chapters/15-serving.ipynb に、セル scheduler-5 がありません"):
        serving.chapter.__wrapped__()


def test_the_queue_begins_where_the_seats_do_not_suffice_and_obeys_little_s_law(chapter_15):
    data = serving.queue_data()
    assert serving.capacity(256) == pytest.approx(chapter_15["X_full"] / chapter_15["n_answer"])
    for served_per_s, runs in zip(data["capacity"], data["runs"], strict=True):
        waits = [run["wait_s"] for run in runs]
        assert waits == sorted(waits)
        for per_s, run in zip(data["rates"], runs, strict=True):
            if per_s < 0.7 * served_per_s:
                assert run["wait_s"] < 0.1
            if per_s > 1.2 * served_per_s:
                assert run["wait_s"] > 1
            assert run["inside"] == pytest.approx(run["requests"] / run["until_s"] * run["stay_s"], rel=0.03)


# ---- the split between GPU and host


def asked_of(split: splitting.Split, ram: int) -> dict[str, object]:
    """Return the question of a split, but for what is where; `ram` of `splitting.RAMS`."""
    return {
        "model": split.model,
        "device": "RTX 4090",
        "weights": split.weights,
        "engine": "llama.cpp",
        "context_length": 8192,
        "host": f"ddr5-6000 x2 {splitting.RAMS[ram]}GB",
    }


def test_a_split_waits_as_hayasa_says_wherever_it_is(page):
    data, draw = splitting.split_data(), random.Random(34)
    for _ in range(60):
        which, ram = draw.randrange(len(splitting.SPLITS)), draw.randrange(len(splitting.RAMS))
        split, model = splitting.SPLITS[which], data["models"][which]
        (name, way), outside = draw.choice([*split.ways.items()]), draw.randint(0, model["layers"])
        (shown,) = (one for one in model["ways"] if one["name"] == name)
        given = page.call("hayasaLive.parts.split.waited", shown, data["usable"], ram, outside)
        layers = hayasa.get_model(split.model).layers
        where = {way: layers + 1 - outside if way == "gpu_layers" else outside}
        result = hayasa.estimate(**asked_of(split, ram), **where)
        assert 1 / given["token_s"] == pytest.approx(result.decode_tokens_per_s, rel=1e-3)
        assert given["left"] == pytest.approx(result.fit.left_bytes, abs=1e7)
        slow = [wait for wait in (result.offload.step_waits() if outside else []) if not wait.hidden]
        gpu, *others = given["parts"]
        assert gpu == pytest.approx(result.step_latency_s - sum(wait.seconds for wait in slow), rel=1e-3)
        places = {"read_host": 0, "host_cores": 0, "hand_overs": 1, "read_disk": 2}
        for place, part in enumerate(others):
            assert part == pytest.approx(sum(wait.seconds for wait in slow if places[wait.name] == place), rel=1e-3)


def test_the_fastest_split_is_the_one_that_hayasa_chooses(page):
    data = splitting.split_data()
    for split, model in zip(splitting.SPLITS, data["models"], strict=True):
        for ram in range(len(splitting.RAMS)):
            best = hayasa.best_split(**asked_of(split, ram))
            found = {}
            for (_, way), one in zip(split.ways.items(), model["ways"], strict=True):
                outside = page.call("hayasaLive.parts.split.fewest", one, data["usable"])
                assert page.call("hayasaLive.parts.split.waited", one, data["usable"], ram, outside - 1)["left"] < 0
                given = page.call("hayasaLive.parts.split.waited", one, data["usable"], ram, outside)
                found[1 / given["token_s"]] = way, outside
            way, outside = found[max(found)]
            assert max(found) == pytest.approx(best.decode_tokens_per_s, rel=1e-3)
            layers = hayasa.get_model(split.model).layers
            assert getattr(best.offload, way) == (layers + 1 - outside if way == "gpu_layers" else outside)


# ---- the token that walks


def flop_by_kind(model: hayasa.Model, context: int) -> list[float]:
    """Return the FLOP of a token as chapter 4 counts them by hand: its two equations."""
    d, heads = model.hidden_size, model.head_dim * np.array([model.attention_heads, model.kv_heads])
    return [
        2 * model.layers * 2 * d * heads.sum(),
        4 * model.layers * context * heads[0],
        2 * model.layers * 3 * d * model.intermediate_size,
        2 * model.vocab_size * d,
    ]


def walked_at(model: hayasa.Model, context: int, t: float) -> tuple[list[float], float]:
    """Return the FLOP by kind, and the bytes of weights, that are behind a token at a moment of the film."""
    d, kv = model.hidden_size, model.kv_heads * model.head_dim
    dots = 4 * context * model.attention_heads * model.head_dim
    square = 2 * d * model.attention_heads * model.head_dim
    ffn = 2 * d * model.intermediate_size
    layer = [(0, square), (0, 2 * d * kv), (0, 2 * d * kv), (1, dots), (0, square), *[(2, ffn)] * 3]
    ends = np.cumsum([0.0, *(flop for _, flop in layer)])
    now = ends[-1] * min(1, t / 10)
    others = (model.layers - 1) * np.clip((t - 10) / 4, 0, 1)
    flop = [0.0, 0.0, 0.0, 2 * model.vocab_size * d * np.clip((t - 14) / 2, 0, 1)]
    for (kind, whole), start in zip(layer, ends, strict=False):
        flop[kind] += np.clip(now - start, 0, whole) + whole * others
    return flop, sum(flop) - flop[1]  # a weight has two bytes, and two FLOP


def test_a_token_that_walks_meets_all_of_hayasa_s_flop(page):
    data, draw = walk_data(), random.Random(31)
    for name, given in zip(WALK_MODELS, data["models"], strict=True):
        model = hayasa.get_model(name)
        for _ in range(60):
            context, t = draw.randrange(1, 2**17), draw.uniform(0, 16)
            shown = page.call("hayasaLive.parts.walk.walked", given, context, t)
            flop, read = walked_at(model, context, t)
            assert [*shown["flop"]] == pytest.approx(flop) and shown["bytes"] == pytest.approx(read)
            end = page.call("hayasaLive.parts.walk.walked", given, context, 16)
            assert [*end["flop"]] == pytest.approx(flop_by_kind(model, context))
            assert end["layers"] == model.layers
            # Hayasa also counts the weights of the normalizations.
            counted = weight_flop_per_token(model) + attention_flop_per_token(model, context)
            assert sum(end["flop"]) == pytest.approx(counted, rel=5e-5)
            read = hayasa.weight_bytes_per_step(model, hayasa.get_weight_format("f16"))
            assert end["bytes"] == pytest.approx(read, rel=5e-5)


def test_the_walk_ends_at_the_chapter_s_table(page, manuscripts):
    (chapter_4,) = (one for one in manuscripts if one.name.startswith("chapters/04"))
    (cell,) = (cell for cell in chapter_4.code_cells if cell.get("id") == "tbl-breakdown")
    table = cell.outputs[0]["data"]["text/markdown"]
    for column, given in enumerate(walk_data()["models"]):
        flop = [*page.call("hayasaLive.parts.walk.walked", given, 1, 16)["flop"]]
        for name, counted in {"gate、up、down": flop[2], "出力": flop[3], "合計": sum(flop) - flop[1]}.items():
            (row,) = re.findall(rf"^\| {name} +\|(.*)$", table, re.MULTILINE)
            assert row.split("|")[column].split("（")[0].strip() == f"{counted / 1e9:.2f}"


# ---- drafts


rounds_given = cache(rounds_data)


def rounds_by_hand(order: int, length: int) -> list[tuple[int, str, int]]:
    """Return where each draft begins, what it is and how much of it is kept, as chapter 12's own loop has it."""
    data, small = rounds_given(), Letters(story(), order=order)
    text, rounds, at = data["text"], [], data["start"]
    while at < len(text):
        draft = ""
        for _ in range(length):
            draft += small.answer(text[:at] + draft)
        kept = 0
        while kept < length and draft[kept] == text[at + kept : at + kept + 1]:
            kept += 1
        rounds.append((at, draft, kept))
        at += kept + 1
    return rounds


def test_the_drafts_are_those_of_the_chapter_s_models(page, manuscripts):
    (chapter_12,) = (one for one in manuscripts if one.name.startswith("chapters/12"))
    printed = "".join("".join(output.get("text", "")) for cell in chapter_12.code_cells for output in cell.outputs)
    data = rounds_given()
    told = {key: data[key] for key in ("text", "start")}
    for drafter in data["drafters"]:
        for length in range(1, 9):
            given = page.call("hayasaLive.parts.rounds.roundsOf", told, drafter, length)
            rounds = [(one["from"], one["draft"], one["kept"]) for one in given]
            assert rounds == rounds_by_hand(drafter["order"], length)
            if drafter["order"] == 2 and length in (1, 2, 4, 8):
                assert f"γ = {length}: {len(rounds)}回、文章は同じ" in printed
        alpha = drafter["acceptance"]
        assert f"{drafter['order']}文字を見る下書き: 合格率 {alpha:.2f}、" in printed
        assert drafter["expected"] == [pytest.approx(sum(alpha**i for i in range(n + 1))) for n in range(9)]


def test_the_cost_of_a_round_runs_through_what_was_measured():
    """The line is off by less than a tenth of a round on the machine with six points, and by a sixth on the other."""
    rows = {row["id"]: row for row in drafted()}
    for machine, numbers, off in zip(rounds_given()["machines"], ROUND_MACHINES.values(), (0.1, 1 / 6), strict=True):
        for number in numbers:
            row = rows[f"qwen38_mtp-{number}"]
            measured = row["tokens_per_pass"] / row["measured"]
            assert 1 + machine["cost"] * row["draft_tokens"] == pytest.approx(measured, rel=off)


def test_as_much_is_written_as_the_rounds_that_are_over(page):
    draw = random.Random(33)
    for _ in range(60):
        rounds = [{"kept": draw.randrange(5)} for _ in range(draw.randrange(1, 40))]
        each, passed = draw.uniform(1, 5), draw.uniform(0, 100)
        given = page.call("hayasaLive.parts.rounds.writtenAt", rounds, each, passed)
        done = min(len(rounds), int(passed / each))
        assert dict(given) == {"done": done, "letters": done + sum(one["kept"] for one in rounds[:done])}
