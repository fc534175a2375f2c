"""How fast the pages are in a browser; part of ``python -m tools.bench``.

Input to paint is taken with real key strokes and drags that the browser's own driver sends: from the
time stamp of the event to a message that arrives after the next frame was made (a message posted in
`requestAnimationFrame` is delivered once style, layout and painting of that frame are done).
The wait for the frame, up to 16.7 ms at 60 Hz, is part of it. The Event Timing API would round
to 8 ms and leave out everything shorter than 16 ms.
"""

from __future__ import annotations

import contextlib
import gzip
import importlib.util
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools import lighthouse
from tools.browser import ARGUMENTS, find_browser
from tools.static_server import serve

ROOT = Path(__file__).resolve().parent.parent
SCRIPT, CALCULATOR_SCRIPT, TABLES, STYLE, MEASUREMENTS = (
    f"web/hayasa{name}" for name in (".js", "-calculator.js", "-tables.js", ".css", "-measurements.js")
)
CALCULATOR = "calculator.html"
VISITS = 15
CHANGES = 300
# Out of step with the frames, so that the wait for them is as long as it happens to be.
PAUSE_MS = 41
TIMEOUT_MS = 5000

SIZE_LIMIT_KB = 40
READY_LIMIT_MS = 500
INPUT_LIMIT_MS = 20

Row = tuple[str, float, str]

WATCH = """() => {
  let began = 0;
  window.samples = [];
  const changed = () => {
    const since = began;
    began = 0;
    if (!since) return;
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => samples.push(performance.now() - since);
      port2.postMessage(null);
    });
  };
  const on = (name, listener) => addEventListener(name, listener, { capture: true });
  on("keydown", (event) => { began = event.timeStamp; });
  on("input", changed);
  on("click", changed);
  on("pointermove", (event) => {
    if (!event.buttons) return;
    began = event.timeStamp;
    changed();
  });
}"""
CONTROLS = ".hayasa-calculator :is(select, input[type=range], input[type=text])"
FIGURE = re.compile(r'class="hayasa-(live|figure|race)"(?: data-(?:live|figure)="(\w+)")?')
FIGURE_CHANGES = 60


def missing() -> str | None:
    """Return in one line what the measurements in a browser lack here, if anything."""
    if importlib.util.find_spec("playwright") is None:
        return "Playwright が入っていません (make test BROWSER=1 で入ります)"
    if find_browser() is None:
        return "Chromium も Chrome も見つかりません (CHROMIUM= で場所を指定できます)"
    return None


def skip(what: str, lack: str) -> None:
    """Say in one line what is not measured, and why."""
    print(f"{what}は測りません: {lack}。", file=sys.stderr)


@contextlib.contextmanager
def built_site() -> Iterator[Path]:
    """Build this book somewhere else."""
    with tempfile.TemporaryDirectory() as directory:
        site = Path(directory) / "site"
        command = [sys.executable, "-m", "press", "build", str(ROOT), "--output", str(site), "--quiet"]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        yield site


def quantile(values: list[float], share: float) -> float:
    """Return the value that this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def ready_ms(browser: Any, address: str) -> float:
    """Visit the calculator with nothing in the cache; return when it says that it is ready."""
    with browser.new_context(locale="ja-JP") as context:
        page = context.new_page()
        page.goto(address)
        page.wait_for_selector("html[data-hayasa-ready]", state="attached", timeout=TIMEOUT_MS)
        return float(page.evaluate("document.documentElement.dataset.hayasaReady"))


@contextlib.contextmanager
def watched(browser: Any, address: str) -> Iterator[Any]:
    """Visit a page that notes when what was changed on it is painted."""
    with browser.new_context(locale="ja-JP") as context:
        page = context.new_page()
        page.goto(address, wait_until="networkidle")
        page.evaluate(WATCH)
        yield page


def press_key(control: Any, turn: int) -> None:
    """Change a control with one key: back and forth in menus, choices and sliders, another digit in fields."""
    kind = control.evaluate("element => element.tagName === 'INPUT' ? element.type : element.tagName")
    if kind == "text":
        control.evaluate("element => element.select()")
        control.press(str(1 + turn % 9))
    elif kind == "BUTTON":
        control.press("Enter")
    else:
        control.press("ArrowUp" if turn % 2 else "ArrowDown")


def input_to_paint_ms(page: Any, controls: Any, changes: int) -> list[float]:
    """Change every one of the controls in turn; return the times until the change was painted."""
    page.evaluate("samples.length = 0")
    turn = 0
    for turn in range(2 * changes):
        control = controls.nth(turn % controls.count())
        control.focus()
        page.wait_for_timeout(PAUSE_MS)
        before = page.evaluate("samples.length")
        press_key(control, turn // controls.count())
        # A menu at its end does not change: then there is nothing to wait for.
        with contextlib.suppress(TimeoutError):
            wait_for_sample(page, before)
        if page.evaluate("samples.length") >= changes:
            break
    samples: list[float] = page.evaluate("samples")
    if len(samples) < changes:
        raise RuntimeError(f"{turn + 1} 回キーを押しましたが、変わったのは {len(samples)} 回だけです")
    return samples


def drag_to_paint_ms(page: Any, chart: Any, changes: int) -> list[float]:
    """Drag over a picture, to and fro; return the times until what was dragged was painted."""
    page.evaluate("samples.length = 0")
    box = chart.bounding_box()
    height = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, height)
    page.mouse.down()
    for turn in range(changes):
        page.wait_for_timeout(PAUSE_MS)
        before = page.evaluate("samples.length")
        page.mouse.move(box["x"] + box["width"] * (0.3 + 0.4 * (turn * 7 % changes) / changes), height)
        with contextlib.suppress(TimeoutError):
            wait_for_sample(page, before)
    page.mouse.up()
    samples: list[float] = page.evaluate("samples")
    return samples


def wait_for_sample(page: Any, before: int) -> None:
    """Wait until the change has been painted; raise `TimeoutError` if nothing was."""
    for _ in range(20):
        page.wait_for_timeout(10)
        if page.evaluate("samples.length") > before:
            return
    raise TimeoutError


def measure_pages() -> Iterator[Row]:
    """Weigh the calculator, and time it in a browser where there is one."""
    with built_site() as site:
        files = (SCRIPT, CALCULATOR_SCRIPT, TABLES, STYLE, MEASUREMENTS)
        sizes = (len(gzip.compress((site / name).read_bytes())) / 1e3 for name in files)
        script, calculator, tables, style, measurements = sizes
        first = f"{SCRIPT}、{CALCULATOR_SCRIPT}、{STYLE}"
        yield f"計算機: {first} (gzip、上限 {SIZE_LIMIT_KB} KB)", script + calculator + style, "KB"
        yield f"計算機: それが読む {TABLES} (gzip)", tables, "KB"
        yield f"計算機: あとから来る {MEASUREMENTS} (gzip)", measurements, "KB"
        if lack := missing():
            skip("計算機の速さ", lack)
            return
        from playwright.sync_api import sync_playwright

        with serve(site) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=find_browser(), args=ARGUMENTS)
            visits = [ready_ms(browser, address + CALCULATOR) for _ in range(VISITS)]
            with watched(browser, address + CALCULATOR) as page:
                samples = input_to_paint_ms(page, page.locator(CONTROLS).filter(visible=True), CHANGES)
            browser.close()
    yield f"計算機: 開いて使えるまで ({VISITS} 回の中央値、上限 {READY_LIMIT_MS} ms)", statistics.median(visits), "ms"
    yield "計算機: 開いて使えるまで (いちばん遅い回)", max(visits), "ms"
    what = f"計算機: キーを押して描かれるまで ({len(samples)} 回の"
    yield f"{what} 50 パーセンタイル)", quantile(samples, 0.50), "ms"
    yield f"{what} 95 パーセンタイル、上限 {INPUT_LIMIT_MS} ms)", quantile(samples, 0.95), "ms"


def figures_of(site: Path) -> Iterator[tuple[str, str, str]]:
    """Return where the live figures stand: page, kind, and how a style sheet would find it."""
    for page in sorted(site.rglob("*.html")):
        for sort, kind in FIGURE.findall(page.read_text(encoding="utf-8")):
            place = f".hayasa-{sort}" + (f'[data-{sort}="{kind}"]' if kind else "")
            yield page.relative_to(site).as_posix(), kind or sort, place


def paint_times(browser: Any, site: Path, address: str) -> Iterator[tuple[str, list[float]]]:
    """Move whatever can be moved in every live figure; a figure without sliders and choices has its buttons pressed."""
    for name, kind, place in figures_of(site):
        with watched(browser, address + name) as page:
            figure = page.locator(place)
            figure.scroll_into_view_if_needed()
            figure.locator("input, button").filter(visible=True).first.wait_for()
            inputs = figure.locator("input[type=range], input[type=radio]:checked").filter(visible=True)
            buttons = figure.locator("button:enabled").filter(visible=True)
            controls = inputs if inputs.count() else buttons
            yield f"{kind}: キーを押して", input_to_paint_ms(page, controls, FIGURE_CHANGES)
            chart = figure.locator(".hy-draggable")
            if chart.count():
                yield f"{kind}: 引きずって", drag_to_paint_ms(page, chart.first, FIGURE_CHANGES)


def measure_figures() -> Iterator[Row]:
    """Time every live figure, from the key or the drag to the paint."""
    if lack := missing():
        skip("動く図の速さ", lack)
        return
    from playwright.sync_api import sync_playwright

    with built_site() as site, serve(site) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=ARGUMENTS)
        for what, samples in paint_times(browser, site, address):
            for share in (0.50, 0.95):
                limit = f"、上限 {INPUT_LIMIT_MS} ms" * (share > 0.9)
                said = f"動く図 {what}描かれるまで ({len(samples)} 回の {100 * share:.0f} パーセンタイル{limit})"
                yield said, quantile(samples, share), "ms"
        browser.close()


def measure_lighthouse() -> Iterator[Row]:
    """Let Lighthouse score the pages, compressed as a host of static pages sends them."""
    if lack := lighthouse.missing():
        skip("Lighthouse の点数", lack)
        return
    with built_site() as site:
        for (verdict,) in lighthouse.judge([site], lighthouse.PAGES):
            for category in lighthouse.CATEGORIES:
                yield f"Lighthouse (gzip で配る): {verdict.page}: {category}", verdict.score(category), "点"
