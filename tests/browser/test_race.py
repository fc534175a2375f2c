"""The front page's race in a browser: the picture at a moment, its controls, and when it may move."""

import random

import pytest

from tests.browser.waiting import wait_until
from tests.web.test_race import finish, written
from tools.page.race import race_lanes, race_tokens

TOKENS, LANES = race_tokens(), race_lanes()
PASSED = "t => parseFloat(document.querySelector('.hy-clock').textContent) > t"
KINDS = {"measured": "実測", "bound": "上限", "reader": "およそ"}
READER = [lane.kind for lane in LANES].index("reader")


def race(visitor):
    page = visitor.visit("index.html")
    place = page.locator(".hayasa-race")
    place.scroll_into_view_if_needed()
    return page, place


def wind(place, t: float) -> None:
    place.get_by_role("slider", name="経過した時間").fill(f"{t:.1f}")


def test_the_picture_at_any_moment_is_what_the_speeds_say(visitor):
    _, place = race(visitor)
    draw = random.Random(11)
    moments = [round(draw.uniform(0, 36), 1) for _ in range(12)]
    for t in [*moments, *reversed(moments)]:  # forwards and back
        wind(place, t)
        texts = place.locator(".hy-lane-text").all_text_contents()
        widths = place.locator(".hy-lane-bar").evaluate_all(
            "bars => bars.map(bar => bar.getBoundingClientRect().width / bar.parentElement.clientWidth)"
        )
        for lane, text, width in zip(LANES, texts, widths, strict=True):
            count = written(lane, t)
            assert text in ("".join(TOKENS[:count]), "".join(TOKENS[: count + 1])), (lane.name, t)
            assert width == pytest.approx(count / len(TOKENS), abs=0.02)
    assert not visitor.problems


def test_it_runs_in_real_time_only_while_it_is_seen(visitor):
    page, place = race(visitor)
    clock = place.locator(".hy-clock")

    def seconds() -> float:
        return float(clock.text_content().split()[0])

    page.wait_for_timeout(300)
    assert seconds() == 0, "nothing starts by itself"
    place.get_by_role("button", name="始める").click()
    wait_until(page, PASSED, 0.5)
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.wait_for_timeout(200)
    stopped = seconds()
    page.wait_for_timeout(600)
    assert seconds() == stopped
    place.scroll_into_view_if_needed()
    wait_until(page, PASSED, stopped + 0.3)
    place.get_by_role("button", name="止める").click()
    stopped = seconds()
    page.wait_for_timeout(400)
    assert seconds() == stopped
    assert place.get_by_role("button", name="続ける").is_visible()


def test_a_guess_is_set_beside_the_answer(visitor):
    page, place = race(visitor)
    page.keyboard.press("Tab")
    place.get_by_role("radio").last.focus()
    page.keyboard.press("Space")
    wind(place, 40)
    said = place.locator(".hy-readout").text_content()
    assert said.startswith("予想したA100（7B、4ビット）は、読む速さの94倍でした。")
    assert f"{round(finish(LANES[READER - 1]))} 秒" in said
    assert place.get_by_role("radio").count() == len(LANES) - 1


@pytest.mark.parametrize(
    "visitor", [{"reduced_motion": "reduce", "viewport": {"width": 390, "height": 844}}], indirect=True
)
def test_without_motion_the_end_is_shown_at_once_and_a_phone_shows_all_lanes_in_one_view(visitor):
    page, place = race(visitor)
    place.get_by_role("button", name="結果を見る").click()
    top, lanes = (place.locator(one).bounding_box() for one in (".hy-film", ".hy-lanes"))
    assert lanes["y"] + lanes["height"] - top["y"] < page.viewport_size["height"]
    speeds = place.locator(".hy-lane-speed").all_text_contents()
    assert speeds == [
        f"{KINDS[lane.kind]} {lane.shown} トークン/秒"
        + (f"、最初の一文字まで{lane.first_token_s:.1f} 秒" if lane.first_token_s else "")
        for lane in LANES
    ]
    assert place.locator(".hy-finished").count() == len(LANES)
    assert place.locator(".hy-readout").is_visible()


@pytest.mark.parametrize("visitor", [{"java_script_enabled": False}], indirect=True)
def test_without_a_script_the_table_stands_alone(visitor):
    page = visitor.visit("index.html")
    assert not page.locator(".hayasa-race").is_visible()
    assert page.get_by_role("cell", name="Mac mini 8台（DeepSeek-V3）").is_visible()


def test_on_paper_the_table_stands_alone(visitor):
    page, place = race(visitor)
    page.emulate_media(media="print")
    assert not place.is_visible()
    assert page.get_by_role("cell", name="Mac mini 8台（DeepSeek-V3）").is_visible()
