"""The front page's race: what is drawn at a moment is what the speeds say, and the still table says the same."""

import json
import random
import re
from math import floor

import pytest
from py_mini_racer import MiniRacer

from tests.web.javascript import ROOT
from tools.page import script
from tools.page.race import Lane, race_lanes, race_tokens


def written(lane: Lane, t: float) -> int:
    """Tokens that a lane has written."""
    return min(len(race_tokens()), floor(max(0.0, t - lane.first_token_s) * lane.tokens_per_s))


def finish(lane: Lane) -> float:
    """Seconds until a lane is done."""
    return lane.first_token_s + len(race_tokens()) / lane.tokens_per_s


INDEX = (ROOT / "index.qmd").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page() -> MiniRacer:
    context = MiniRacer()
    context.eval(script.plain_script(ROOT, "race"))
    return context


def test_what_is_written_is_speed_times_time(page: MiniRacer) -> None:
    total = len(race_tokens())
    draw = random.Random(4)
    for lane in race_lanes():
        for _ in range(50):
            t = draw.uniform(0, 40)
            expected = written(lane, t)
            given = page.call("hayasaRace.written", lane._asdict(), t, total)
            assert abs(given - expected) <= (
                1 if abs((t - lane.first_token_s) * lane.tokens_per_s % 1) > 1 - 1e-6 else 0
            )
        end = finish(lane)
        assert page.call("hayasaRace.finish", lane._asdict(), total) == pytest.approx(end)
        assert page.call("hayasaRace.written", lane._asdict(), end, total) == total
        assert page.call("hayasaRace.written", lane._asdict(), end - 1 / lane.tokens_per_s, total) == total - 1
        assert page.call("hayasaRace.written", lane._asdict(), lane.first_token_s - 1e-6, total) == 0


def test_the_still_table_says_the_same() -> None:
    kinds = {"measured": "実測", "bound": "上限", "reader": "およそ"}
    rows = re.findall(r"^\| ([^|]+) \| (実測|上限|およそ) \| ([\d.]+) \| ([\d.]+) 秒 \|$", INDEX, re.MULTILINE)
    expected = []
    for lane in race_lanes():
        end = finish(lane)
        expected.append((lane.name, kinds[lane.kind], lane.shown, f"{end:.1f}" if end < 10 else str(round(end))))
    assert rows == expected


def test_the_text_says_how_long_it_is() -> None:
    tokens = race_tokens()
    found = re.search(r"(\d+)字が(\d+)トークンになります", INDEX)
    assert found
    assert (int(found[1]), int(found[2])) == (len("".join(tokens)), len(tokens))
    assert f"{len(tokens)}トークンを書き終えるまで" in INDEX


def test_it_concludes_from_the_lanes(page: MiniRacer) -> None:
    lanes = [lane._asdict() for lane in race_lanes()]
    slow = [lane["name"] for lane in lanes].index("Mac mini 8台（DeepSeek-V3）")
    right = page.call("hayasaRace.conclusion", lanes, len(race_tokens()), slow)
    assert right[0] == "予想のとおりでした。"
    wrong = page.call("hayasaRace.conclusion", lanes, len(race_tokens()), len(lanes) - 1)
    assert wrong[0] == "予想したA100（7B、4ビット）は、読む速さの94倍でした。"
    assert wrong[1:] == right[1:] == page.call("hayasaRace.conclusion", lanes, len(race_tokens()), None)
    assert json.dumps(right, ensure_ascii=False).count("36 秒") == 1
