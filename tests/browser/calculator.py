"""The calculator as a reader sees it, and what hayasa says should stand there.

Everything in `View` comes from Python; nothing of the page's own JavaScript is asked.
"""

import contextlib
import io
import unicodedata
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from urllib.parse import parse_qs

import hayasa
from hayasa.units import GIB, duration, gibibytes, significant
from tests.browser.waiting import wait_until

PAGE = "calculator.html"
ARTICLE = (
    "?model=own:parameters=7e9&weights=int4&engine=ideal&batch=1&context=0&machine=a100-80gb-pcie"
    "&machine=own:name=Mac%20mini%20M4;family=apple;bandwidth=1.2e11;memory=17179869184;int4=3.8e13"
)
NEEDS_SHAPE = (
    "パラメータ数だけでは、KVキャッシュの大きさが分かりません。"
    "文脈長を0にするか、「層やヘッドの数も入れる」に印を付けてください。"
)
OWN_MODEL, OWN_DEVICE = "自分のモデル", "自分の機械"


@dataclass
class Machine:
    """One machine of a view: a device by id or by its numbers."""

    device: str | dict
    memory_gb: float | None = None
    devices: int = 1

    @property
    def object(self) -> hayasa.Device:
        if isinstance(self.device, dict):
            numbers = {key: value for key, value in self.device.items() if value}
            return hayasa.Device(**{"id": "own", **numbers, "name": self.device.get("name") or OWN_DEVICE})
        device = hayasa.get_device(self.device)
        return replace(device, memory_capacity_bytes=self.memory_gb * GIB) if self.memory_gb else device

    @property
    def name(self) -> str:
        return self.object.name + (f" × {self.devices}" if self.devices > 1 else "")


@dataclass
class View:
    """What the reader has chosen; `cards`, `sums` and `verdict` are what the page has to say to it."""

    model: str | dict
    weights: str = "q4_k_m"
    engine: str = "llama.cpp"
    backend: str | None = None
    batch_size: int = 1
    context_length: int = 0
    prompt_length: int | None = None
    answer_length: int | None = None
    kv_cache: str = "f16"
    split: str = "pipeline"
    machines: list[Machine] = field(default_factory=list)

    @classmethod
    def read(cls, query: str) -> "View":
        """Return the view of an address without a model or a device of one's own."""
        asked = parse_qs(query.removeprefix("?"), strict_parsing=True)
        names = {"weights": "weights", "engine": "engine", "backend": "backend", "kv": "kv_cache", "split": "split"}
        numbers = {
            "batch": "batch_size",
            "context": "context_length",
            "prompt": "prompt_length",
            "answer": "answer_length",
        }
        chosen: dict = {name: asked[key][0] for key, name in names.items() if key in asked}
        chosen |= {name: int(asked[key][0]) for key, name in numbers.items() if key in asked}
        machines = []
        for text in asked["machine"]:
            text, _, devices = text.partition("*")
            device, _, memory_gb = text.partition("@")
            machines.append(Machine(device, float(memory_gb or 0), int(devices or 1)))
        return cls(asked["model"][0], **chosen, machines=machines)

    def results(self) -> list[hayasa.Estimate | str]:
        """Return one estimate per machine, or what hayasa says is wrong."""
        question = {
            name: getattr(self, name)
            for name in (
                "weights",
                "engine",
                "backend",
                "batch_size",
                "context_length",
                "prompt_length",
                "kv_cache",
                "split",
            )
        }
        found: list[hayasa.Estimate | str] = []
        for machine in self.machines:
            try:
                model = self.model
                if isinstance(model, dict):
                    model = hayasa.Model(id="own", name=OWN_MODEL, **model)
                found.append(hayasa.estimate(model, machine.object, devices=machine.devices, **question))
            except hayasa.HayasaError as error:
                bare = isinstance(self.model, dict) and "layers" not in self.model
                found.append(NEEDS_SHAPE if bare and self.context_length else str(error))
        return found

    def cards(self) -> list[dict]:
        return [{"problem": one} if isinstance(one, str) else card(one, self.answer_length) for one in self.results()]

    def sums(self) -> list[str]:
        return [hayasa.explain(one) for one in self.results() if not isinstance(one, str)]

    def verdict(self) -> str:
        pairs = zip(self.machines, self.results(), strict=True)
        answered = [(machine.name, one) for machine, one in pairs if not isinstance(one, str)]
        if len(answered) < 2:
            return ""
        # A machine that the model does not fit is no winner, and not the slowest either.
        speeds = [(one.decode_tokens_per_s, name) for name, one in answered if one.fits is not False]
        full = [name for name, one in answered if one.fits is False]
        without = f"{'、'.join(full)} のメモリには入りません。" if full else ""
        if len(speeds) < 2:
            return without
        fast = max(speeds, key=lambda pair: pair[0])
        slow = min(reversed(speeds), key=lambda pair: pair[0])
        among = "メモリに入るもののうち、" if full else ""
        ratio = significant(fast[0] / slow[0])
        return f"{among}いちばん速いのは {fast[1]} で、{slow[1]} の {ratio} 倍です。{without}"

    def announcement(self) -> str:
        said = []
        for machine, one in zip(self.machines, self.results(), strict=True):
            name = machine.object.name if isinstance(one, str) else machine.name
            if isinstance(one, str):
                said.append(f"{name}：{one}")
            else:
                full = "メモリに入りません。" if one.fits is False else ""
                said.append(f"{name}：{significant(one.decode_tokens_per_s)} トークン毎秒。{full}")
        return "".join(said)


def card(result: hayasa.Estimate, answer_length: int | None = None) -> dict:
    """Return what stands in the card of a machine."""
    ideal = result.engine.id == "ideal"

    def limit(seconds: float) -> str:
        speed = result.batch_size / seconds
        return f"{significant(speed) if speed < 10 else f'{speed:,.1f}'} トークン/秒"

    facts = {}
    if not ideal:
        low, high = significant(result.decode_tokens_per_s_low), significant(result.decode_tokens_per_s_high)
        facts["90%区間"] = f"{low} ～ {high}"
        facts["上限"] = f"{significant(result.decode_tokens_per_s_bound)} トークン/秒"
    facts["メモリの限界"] = limit(result.memory_latency_s)
    facts["計算の限界"] = (
        limit(result.compute_latency_s)
        if result.compute_latency_s
        else f"計算力が{'未入力' if result.device.id == 'own' else '未公表'}"
    )
    facts["決めるもの"] = {"memory": "メモリ帯域幅", "compute": "計算力"}[result.bound_by]
    if result.batch_size > 1:
        facts["1系列あたり"] = f"{significant(result.decode_tokens_per_s / result.batch_size)} トークン/秒"
    wait = result.time_to_first_token_s
    facts["最初のトークンまで"] = (
        f"{duration(wait)}（プロンプト {result.prompt_length:,} トークン）" if wait else "見積もれません"
    )
    if wait and not ideal:
        low, high = result.time_to_first_token_s_low, result.time_to_first_token_s_high
        facts["最初のトークンの90%区間"] = f"{duration(low)} ～ {duration(high)}"
    if answer_length is not None:
        answer = hayasa.answer_time(result, answer_length)
        term = f"答え {answer_length:,} トークンを書き終えるまで"
        facts[term] = "見積もれません" if answer.total_s is None else duration(answer.total_s)
        if answer.total_s is not None and not ideal:
            facts["答えの90%区間"] = f"{duration(answer.total_low_s)} ～ {duration(answer.total_high_s)}"
    return {
        "kind": ("もし入れば、" if result.fits is False else "") + ("上限" if ideal else "見積り"),
        "number": significant(result.decode_tokens_per_s),
        "facts": facts,
        "memory": memory(result),
        "notes": list(result.notes),
    }


def memory(result: hayasa.Estimate) -> str:
    """Return what a card says about memory."""
    fit = result.fit
    needed = gibibytes(fit.required_bytes)
    if fit.verdict is None:
        return f"必要なメモリ {needed}（機械のメモリを入れると、入るかどうかも分かります）"
    short = "きわどい量です" if fit.verdict == "tight" else f"入りません（{gibibytes(-fit.left_bytes)} 不足）"
    text = f"メモリ {needed} ／ {gibibytes(fit.capacity_bytes)}：{'入ります' if result.fits else short}"
    if not result.fits:
        return text + "".join(result.remedies)
    longest = result.longest_context_length
    return text if longest is None else f"{text}文脈長 {longest:,} トークンまで入ります。"


# The lower parts and the address follow when the frame with the numbers has been painted.
SETTLED = "await new Promise((done) => requestAnimationFrame(() => setTimeout(() => setTimeout(done))));"
# A reader who looks at everything presses the button that brings the measurements, where it stands.
MEASURED = """
  const ask = document.querySelector(".hy-measured-list button");
  if (ask) {
    ask.click();
    while (ask.isConnected) await new Promise((done) => setTimeout(done));
  }
"""
# And unfolds for a moment what comes when it is unfolded.
UNFOLDED = """
  const folded = [...document.querySelectorAll(".hy-sum, [data-part=python]")].filter((part) => !part.open);
  await Promise.all(folded.map((part) => new Promise((done) => {
    part.addEventListener("toggle", done, { once: true });
    part.open = true;
  })));
  while (document.querySelector("details[open] [role=status]:not(:empty)")) await new Promise((done) => setTimeout(done));
  for (const part of folded) part.open = false;
"""
READ = (
    "async () => {"
    + SETTLED
    + MEASURED
    + UNFOLDED
    + """
  const root = document.querySelector(".hayasa-calculator");
  const all = (selector, of = root) => [...of.querySelectorAll(selector)];
  const text = (selector, of) => of.querySelector(selector)?.textContent ?? "";
  const card = (machine) => {
    const output = machine.querySelector(".hy-output");
    if (!output.querySelector(".hy-number")) return { problem: text(".hy-problem", output) };
    return {
      kind: text(".hy-kind", output),
      number: text(".hy-number", output),
      facts: Object.fromEntries(all(".hy-facts > div", output).map((fact) => [text("dt", fact), text("dd", fact)])),
      memory: text(".hy-memory", output),
      notes: all(".hy-note", output).map((note) => note.textContent),
    };
  };
  const sum = (part) => all("section", part).map((section) => [
    section.querySelector(".hy-sum-title").firstChild.textContent,
    ...all(".hy-line", section).map((line) => `   ${line.textContent}`),
  ].join("\\n")).join("\\n\\n");
  const label = (field) => field.getAttribute("aria-label") ?? field.labels[0].textContent.trim();
  const chart = (svg) => svg.outerHTML.replaceAll(/hy-clip-\\d+/g, "");
  return {
    cards: all(".hy-machine").map(card),
    sums: all(".hy-sum").map(sum),
    verdict: text(".hy-verdict", root),
    fields: all("input, select").map((field) => [label(field), field.type === "checkbox" ? field.checked : field.value]),
    charts: all("svg.hy-plot").map(chart),
    captions: all(".hy-caption").map((caption) => caption.textContent),
    measured: all(".hy-measured-list tr").map((row) => row.textContent),
    code: text(".hy-code", root),
    problems: all(".hy-field .hy-problem").map((problem) => problem.textContent).filter(Boolean),
    notice: text(".hy-notice", root),
  };
}"""
)


def choose(menu, value: str) -> None:
    """Go to a menu, which then has all that it offers, and choose."""
    menu.focus()
    menu.select_option(value)


class Calculator:
    """The calculator on a page of a browser."""

    def __init__(self, visitor):
        self.visitor, self.page = visitor, visitor.page
        self.root = self.page.locator(".hayasa-calculator")

    def open(self, query: str = ARTICLE):
        """Go to a view; to no query for what a first visitor sees."""
        return self.open_address(self.visitor.address + PAGE + query)

    def open_address(self, address: str):
        self.page.goto(address, wait_until="commit")
        self.page.wait_for_selector("html[data-hayasa-ready]", state="attached")
        # Whoever changes the engine has unfolded these.
        self.page.evaluate("document.querySelector('.hayasa-calculator .hy-more').open = true")
        return self

    def go(self, way: str, query: str) -> None:
        """Go back or forward to a view."""
        self.page.evaluate("way => { history[way](); }", way)
        wait_until(self.page, "query => location.search === query", query, 3000)

    def read(self) -> dict:
        """Return all that the calculator shows, the measurements too."""
        return self.page.evaluate(READ)

    def ask_for_measurements(self) -> None:
        """Have the measurements where the choice has any."""
        self.page.evaluate(f"async () => {{ {SETTLED}{MEASURED} }}")

    @property
    def query(self) -> str:
        return self.page.evaluate(f"async () => {{ {SETTLED} return location.search; }}")

    def field(self, label: str, machine: int | None = None):
        """Return the control with a label, of a machine (from 1) or of the conditions."""
        of = self.root if machine is None else self.machine(machine)
        return of.get_by_label(label, exact=True)

    def machine(self, number: int):
        return self.root.locator(".hy-machine").nth(number - 1)

    def type(self, label: str, text: str, machine: int | None = None) -> None:
        """Type into a field and leave it."""
        field = self.field(label, machine)
        field.fill(text)
        field.blur()

    def choose(self, label: str, value: str, machine: int | None = None) -> None:
        choose(self.field(label, machine), value)

    def press(self, label: str, key: str) -> None:
        self.field(label).press(key)

    def add(self) -> None:
        self.root.get_by_role("button", name="機械を加えて比べる").click()

    def remove(self, number: int) -> None:
        self.root.get_by_role("button", name=f"機械 {number} を外す").click()

    def unfold(self) -> None:
        """Open every part that can be folded."""
        self.page.evaluate("document.querySelectorAll('main details').forEach(part => part.open = true)")


def differences(shown: dict, view: View) -> list[str]:
    """Return where the page and hayasa disagree; the Python that the page shows is run, too."""
    found = [
        f"{name}: ページは {shown[name]}、hayasa は {expected}"
        for name, expected in (("cards", view.cards()), ("verdict", view.verdict()))
        if shown[name] != expected
    ]
    sums = "\n".join(view.sums()).splitlines()
    found += different_lines("計算の道筋", "\n".join(shown["sums"]).splitlines(), sums)
    # Where hayasa says that something is impossible, the program says so too, and stops.
    if len(view.sums()) == len(view.machines):
        found += different_lines("Pythonのコード", run(shown["code"]).splitlines(), sums)
    return found


def different_lines(name: str, shown: list[str], expected: list[str]) -> list[str]:
    """Return the first line that differs."""
    for place, (line, wanted) in enumerate(zip_longest(shown, expected), start=1):
        if line != wanted:
            return [f"{name}の{place}行: ページは {line!r}、hayasa は {wanted!r}"]
    return []


def changes(before: dict, after: dict) -> list[str]:
    """Return what differs between two readings of the page; a field may write the same number otherwise."""
    before, after = (
        reading | {"fields": [(name, amount(text)) for name, text in reading["fields"]]} for reading in (before, after)
    )
    return [f"{name}: {before[name]} → {after[name]}" for name in before if before[name] != after[name]]


def amount(text: str | bool) -> str | bool | float:
    """Read 1.5B, 15億 and 1,500,000,000 as the same number; leave what is none."""
    if isinstance(text, bool):
        return text
    plain = unicodedata.normalize("NFKC", text).replace(",", "")
    for suffix, factor in (("億", 1e8), ("B", 1e9), ("", 1.0)):
        with contextlib.suppress(ValueError):
            return float(plain.removesuffix(suffix)) * (factor if plain.endswith(suffix) else 1)
    return text


def run(program: str) -> str:
    """Return what a Python program prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(program, "calculator", "exec"), {})
    return printed.getvalue()
