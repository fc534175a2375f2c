"""The page that measures its reader's machine, on a GPU that a processor plays: right, and to its end, whatever fails."""

import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest

import hayasa
from hayasa.units import significant
from tests.browser.calculator import choose
from tests.browser.conftest import Visitor, missing
from tests.browser.test_pages import violations
from tests.browser.test_policy import WATCH
from tests.browser.waiting import wait_until
from tests.checks.report import expect_none
from tests.web.javascript import ROOT, changed_scripts
from tools.browser import ARGUMENTS, find_browser
from tools.page.bundle import bundle

pytestmark = pytest.mark.browser

# The software adapter of Chromium, where there is no GPU.
SOFTWARE = [
    "--enable-unsafe-webgpu",
    "--enable-features=Vulkan",
    "--use-webgpu-adapter=swiftshader",
    *(one for one in ARGUMENTS if one != "--disable-gpu"),
]
LONGEST_MS = 60_000
DONE = "() => document.querySelector('.hayasa-measure button').textContent === 'もう一度測る'"
LOOKS = [{}, {"color_scheme": "dark", "viewport": {"width": 390, "height": 844}}]


@pytest.fixture(scope="module")
def gpu_browser(browser):
    """Start a browser with a GPU, beside the one without."""
    opened = browser.browser_type.launch(executable_path=find_browser(), args=SOFTWARE)
    yield opened
    opened.close()


def give(page, scripts: dict[str, str]) -> None:
    """Give a page these scripts instead of its own."""

    def fulfill(route):
        name = urlsplit(route.request.url).path.rpartition("/")[2]
        route.fulfill(body=scripts[name], content_type="text/javascript")

    for name in scripts:
        page.route(f"**/{name}", fulfill)


@pytest.fixture
def change_gpu_script(instrument):
    """Give the page with a GPU scripts in which one thing is changed in one module."""
    return lambda *changed: give(instrument.page, changed_scripts(*changed))


@pytest.fixture
def change_thread(visitor):
    """Give the page a script for its threads in which one thing is changed in one module."""

    def change(module: str, old: str, new: str) -> None:
        text = (ROOT / "web" / module).read_text(encoding="utf-8")
        assert text.count(old) == 1
        data = "export const thread = {};\n"
        made = {"thread-data.mjs": data, module: text.replace(old, new)}
        give(visitor.page, {"hayasa-thread.js": bundle(ROOT / "web", made, "thread.mjs", "hayasaThread")})

    return change


class Instrument:
    """The page as its reader uses it."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor, self.page = visitor, visitor.page

    def open(self, fragment: str = "", *, models: tuple[str, ...] = ("Qwen3 0.6B",)) -> "Instrument":
        self.visitor.visit(f"measure.html{fragment}", until="load")
        choose(self.page.get_by_label("かける時間"), "short")
        for box in self.page.get_by_role("checkbox").all():
            label = box.evaluate("box => box.parentElement.textContent.trim()")
            box.set_checked(label in models)
        return self

    def press(self, name: str = "測る") -> "Instrument":
        self.page.get_by_role("button", name=name, exact=True).click()
        return self

    def measure(self) -> dict:
        self.press()
        wait_until(self.page, DONE, timeout_ms=LONGEST_MS)
        return self.record()

    def record(self) -> dict:
        with self.page.expect_download() as download:
            self.page.get_by_role("link", name="記録を保存する").click()
        return json.loads(download.value.path().read_text(encoding="utf-8"))

    def said(self) -> str:
        return self.page.locator(".hayasa-measure").inner_text()


@pytest.fixture
def instrument(gpu_browser, address, site, request):
    """Return the page with a GPU; parametrize with options of the context, a scheme and a script that runs before."""
    asked = dict(getattr(request, "param", {}))
    before = asked.pop("before", "")
    scheme = asked.pop("scheme", "http")
    with gpu_browser.new_context(locale="ja-JP", **asked) as context:
        context.add_init_script(WATCH + before)
        yield Instrument(Visitor(context.new_page(), address if scheme == "http" else f"{site.as_uri()}/"))


def require_adapter(instrument: Instrument) -> None:
    if not instrument.page.evaluate("async () => Boolean(await navigator.gpu?.requestAdapter())"):
        missing("ソフトウェアの WebGPU が、この Chromium にはありません")


def started(instrument: Instrument, part: str) -> None:
    wait_until(instrument.page, "part => document.querySelector('.hy-status').textContent.includes(part)", part)


# ---------------------------------------------------------------- right, and as hayasa says


@pytest.mark.parametrize("instrument", [{}, {"scheme": "file"}], indirect=True, ids=["http", "file"])
def test_all_is_measured_and_every_kernel_is_right(instrument):
    instrument.open()
    require_adapter(instrument)
    served = instrument.visitor.address.startswith("http")
    record = instrument.measure()
    assert record["complete"] and record["problems"] == [], record["problems"]
    assert record["checked"] == {"cases": 9, "wrong": []}
    assert record["gpu"]["software"] is True
    assert [one["weights"] for one in record["decoding"]] == ["q4_0", "bf16"]
    for one in record["decoding"]:
        read = hayasa.estimate(one["model"], "apple-m4-10c", weights=one["weights"], engine="ideal").bytes_per_step
        assert one["bytes_per_token"] == pytest.approx(read)
        assert one["tokens_per_s"] == pytest.approx(one["bytes_per_s"] / read)
        assert one["low_tokens_per_s"] <= one["tokens_per_s"] <= one["high_tokens_per_s"]
        assert one["bytes"] > 0 and one["layers"] >= 1
    assert record["reading"][-1]["median"] > 0 and record["product"]["median"] > 0
    processor = record["processor"]
    # The page's policy forbids WebAssembly, and from the disk its threads have the same one, where they may begin.
    assert processor["engine"] == ("WebAssembly" if served else "JavaScript")
    assert not (served and processor["alone"])
    assert processor["wrong"] == [] and set(processor["tasks"]) == {"read", "q4_0", "bf16"}
    expect_none(instrument.page.evaluate("violations") if served else [])
    expect_none([one for one in instrument.visitor.problems if served or "Content Security" not in one])


def test_beside_each_speed_stands_what_hayasa_says(instrument):
    instrument.open()
    require_adapter(instrument)
    record = instrument.measure()
    choose(instrument.page.get_by_label("この機械", exact=True), "rtx-4090")
    rows = instrument.page.locator("[aria-label='書く速さの表'] tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
    )
    for one, (name, _, measured, bound, best, share) in zip(record["decoding"], rows, strict=True):
        ideal, real = (
            hayasa.estimate(one["model"], "rtx-4090", weights=one["weights"], engine=engine)
            for engine in ("ideal", "llama.cpp")
        )
        assert name.strip() == real.model.name and measured == significant(one["tokens_per_s"])
        assert bound == significant(ideal.decode_tokens_per_s_bound)
        low, high = significant(real.decode_tokens_per_s_low), significant(real.decode_tokens_per_s_high)
        assert best == f"{significant(real.decode_tokens_per_s)}（{low} ～ {high}）"
        assert share == f"{significant(100 * one['tokens_per_s'] / ideal.decode_tokens_per_s_bound, 2)}%"
    # What is kept says which machine it is of, and hayasa reads it.
    kept = instrument.record()
    checked = hayasa.check_report(json.dumps(kept))
    assert [row.check.measured_tokens_per_s for row in checked] == [one["tokens_per_s"] for one in kept["decoding"]]
    assert {row.check.estimate.device.id for row in checked} == {"rtx-4090"}


SHARED = (
    "#on=2026-11-28&device=apple-m4-10c&machine=Apple%20M4&read=9.87e10&product=2.5e12&decode=llama-3.1-8b:q4_0:18.4"
)


@pytest.mark.parametrize("visitor", LOOKS, ids=["light", "dark and narrow"], indirect=True)
def test_an_address_brings_a_result(visitor, axe):
    page = Instrument(visitor).open(SHARED).page
    text = page.locator(".hy-result").inner_text()
    bandwidth = hayasa.get_device("apple-m4-10c").memory_bandwidth_bytes_per_s
    assert f"{significant(100 * 9.87e10 / bandwidth, 2)}%" in text and "98.7 GB/s" in text and "18.4" in text
    for model in ("llama-3.1-8b", "deepseek-v3"):
        device = hayasa.Device(id="own", memory_bandwidth_bytes_per_s=9.87e10)
        bound = hayasa.estimate(model, device, engine="ideal").decode_tokens_per_s_bound
        assert re.search(rf"{hayasa.get_model(model).name}\t[^\n]*\t{re.escape(significant(bound))}\n", text), model
    assert page.locator(".hy-result svg .hy-other").count() > 80
    assert violations(page, axe, "'.hayasa-measure'") == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect_none(visitor.problems)


def test_an_address_that_says_nonsense_is_told_so(visitor):
    page = Instrument(visitor).open("#device=no-such&read=fast&decode=x:y:1&decode=llama-3.1-8b:q4_0:-1&on=<b>").page
    notices = page.locator(".hy-result .hy-notice").all_text_contents()
    assert len(notices) == 4 and "no-such" in notices[0]
    assert page.locator(".hy-result table").count() == 0
    expect_none(visitor.problems)


def test_what_is_shared_is_what_was_measured(visitor, axe):
    """Without a GPU: the processor alone is measured, and its result goes into the address."""
    visitor.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    instrument = Instrument(visitor).open()
    record = instrument.measure()
    assert record["complete"] and "WebGPU" in record["problems"][0] and record["gpu"] is None
    instrument.press("結果の入ったアドレスを写す")
    instrument.page.get_by_text("コピーしました。").wait_for()
    address = instrument.page.evaluate("navigator.clipboard.readText()")
    said = parse_qs(address.partition("#")[2])
    assert violations(instrument.page, axe, "'.hayasa-measure'") == []
    rate = record["processor"]["tasks"]["read"]["all"]["median"]
    assert said["cpu"] == [f"{float(f'{rate:.3e}'):.0f}"]


# ---------------------------------------------------------------- a broken kernel


@pytest.mark.parametrize(
    ("module", "old", "new", "wrong"),
    [
        ("measure-kernels.mjs", "let excess = 8.0 *", "let excess = 7.0 *", ["q4_0"]),
        ("measure-kernels.mjs", "low(q.w >> 4u)", "low(q.w >> 3u)", ["q4_0"]),
        ("measure-kernels.mjs", "(16u * (block % 2u))", "(16u * ((block + 1u) % 2u))", ["q4_0"]),
        ("measure-kernels.mjs", "word & 0xffff0000u", "word & 0xff000000u", ["bf16"]),
        ("measure-kernels.mjs", "y[p.first + row]", "y[row]", ["q4_0", "bf16"]),
        ("measure-kernels.mjs", "for (; i < count; i += step) { sum ^= data[i]; }", "", ["read"]),
        ("measure-kernels.mjs", "x[i] * factor", "x[i] * factor * 1.001", ["norm"]),
        ("measure-kernels.mjs", "top + ${i}u]), across", "top]), across", ["product"]),
    ],
)
def test_a_broken_kernel_is_noticed(instrument, change_gpu_script, module, old, new, wrong):
    change_gpu_script(module, old, new)
    instrument.open(models=())
    require_adapter(instrument)
    instrument.press()
    wait_until(instrument.page, "() => document.querySelector('.hy-notice')", timeout_ms=LONGEST_MS)
    notice = instrument.page.locator(".hy-notice").first.text_content()
    named = re.search(r"（(.+?)）", notice)
    assert named
    assert list(dict.fromkeys(name.split()[0] for name in named[1].split("、"))) == wrong


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("measure-wasm.mjs", "[getLocal(5), wasmInteger(15), WIDE.splat_8, WIDE.and,", "[getLocal(5),"),
        ("measure-wasm.mjs", "wasmInteger(-65536)", "wasmInteger(-131072)"),
    ],
)
def test_a_broken_function_of_the_processor_is_noticed(visitor, change_thread, module, old, new):
    change_thread(module, old, new)
    instrument = Instrument(visitor).open()
    record = instrument.measure()
    assert len(record["processor"]["wrong"]) == 1
    assert any("答えが合わない" in one for one in record["problems"])


# ---------------------------------------------------------------- what fails


FAILURES = {
    "no adapter": ("navigator.gpu && (GPU.prototype.requestAdapter = async () => null);", "渡してくれませんでした"),
    "no device": ("GPUAdapter.prototype.requestDevice = async () => { throw new Error('だめ'); };", "開けませんでした"),
    "lost": (
        """const made = GPUAdapter.prototype.requestDevice;
        GPUAdapter.prototype.requestDevice = async function (asked) {
          const device = await made.call(this, asked);
          setTimeout(() => device.destroy(), 4000);
          return device;
        };""",
        "失いました",
    ),
    "no memory": (
        """const made = GPUDevice.prototype.createBuffer;
        GPUDevice.prototype.createBuffer = function (asked) {
          if (asked.size > 2 ** 20) throw new RangeError("大きすぎます");
          return made.call(this, asked);
        };""",
        "メモリが足りません",
    ),
}


@pytest.mark.parametrize(
    ("instrument", "reason"),
    [({"before": before}, reason) for before, reason in FAILURES.values()],
    ids=list(FAILURES),
    indirect=["instrument"],
)
def test_what_fails_is_said_and_the_rest_is_measured(instrument, reason):
    instrument.open()
    record = instrument.measure()
    assert any(reason in problem for problem in record["problems"]), record["problems"]
    assert record["complete"] and record["processor"]["tasks"]["read"]["all"]["median"] > 0
    assert any(reason in notice for notice in instrument.page.locator(".hy-notice").all_text_contents())
    expect_none(instrument.visitor.problems)


SMALL_LIMITS = """const made = GPUAdapter.prototype.requestDevice;
GPUAdapter.prototype.requestDevice = function () {
  return made.call(this, { requiredLimits: { maxStorageBufferBindingSize: 134217728, maxBufferSize: 268435456 } });
};"""


@pytest.mark.parametrize("instrument", [{"before": SMALL_LIMITS}], indirect=True)
def test_a_matrix_that_no_binding_holds_is_cut(instrument):
    instrument.open(models=("Llama 3.1 8B",))
    require_adapter(instrument)
    record = instrument.measure()
    assert record["complete"] and record["problems"] == []
    assert record["gpu"]["largest_part_bytes"] == 2**27
    assert record["decoding"][1]["bytes"] > 2**27 and record["decoding"][1]["dispatches"] > 6


def test_it_stops_at_once_and_keeps_what_it_has(instrument):
    instrument.open()
    require_adapter(instrument)
    instrument.press()
    started(instrument, "1トークンずつ")
    instrument.press("止める")
    wait_until(instrument.page, DONE, timeout_ms=5000)
    record = instrument.record()
    assert (
        not record["complete"]
        and record["reading"]
        and record["problems"] == ["途中で止めました。ここまでの結果は残します。"]
    )
    # And may be begun again.
    instrument.press("もう一度測る")
    started(instrument, "計算が正しい")
    instrument.press("止める")
    wait_until(instrument.page, DONE, timeout_ms=5000)


def test_it_stops_when_the_page_is_hidden(instrument):
    instrument.open()
    require_adapter(instrument)
    instrument.press()
    started(instrument, "メモリを読む")
    instrument.page.evaluate(
        "() => { Object.defineProperty(document, 'hidden', { value: true });"
        " document.dispatchEvent(new Event('visibilitychange')); }"
    )
    wait_until(instrument.page, DONE, timeout_ms=5000)
    assert "ページが隠れたので" in instrument.said()


def test_the_keyboard_is_enough(visitor):
    page = Instrument(visitor).open().page
    page.get_by_label("この機械", exact=True).focus()
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "測る":
            break
    page.keyboard.press("Enter")
    wait_until(page, DONE, timeout_ms=LONGEST_MS)
    assert page.locator(".hy-result table").count() >= 2


@pytest.mark.parametrize("visitor", [{"java_script_enabled": False}], indirect=True)
def test_without_a_script_the_example_stands_alone(visitor):
    page = visitor.visit("measure.html")
    assert not page.locator(".hayasa-measure").is_visible()
    assert page.get_by_role("cell", name="読むだけ").is_visible()
