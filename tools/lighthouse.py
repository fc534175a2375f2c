"""Lighthouse's four scores for pages of the built book.

``python -m tools.lighthouse [--runs N] [--before SITE] [PAGE ...]`` serves ``_book`` as a static host would
(``tools.static_server``), lets npm's ``lighthouse`` (pinned in tests/browser) visit each page with
the system's browser as a phone on a slow network, its default, and prints the median of the runs
for performance. The three other categories depend on the page alone.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabulate import tabulate

from tools.browser import ARGUMENTS, find_browser
from tools.static_server import serve

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "_book"
PACKAGE = ROOT / "tests" / "browser" / "node_modules" / "lighthouse"
# One of each kind.
PAGES = (
    "index.html",
    "chapters/03-a100-vs-macmini.html",
    "chapters/05-batch-and-roofline.html",
    "chapters/a-devices.html",
    "calculator.html",
    "measure.html",
    "references.html",
    "api.html",
)
DETERMINISTIC = ("accessibility", "best-practices", "seo")
CATEGORIES = ("performance", *DETERMINISTIC)
METRICS = {
    "first-contentful-paint": "FCP",
    "largest-contentful-paint": "LCP",
    "total-blocking-time": "TBT",
    "cumulative-layout-shift": "CLS",
    "speed-index": "SI",
}
RUNS = 3
TIMEOUT_S = 180

Report = dict[str, Any]


class LighthouseError(Exception):
    """Lighthouse is missing or gave no report; the text says which and what to do."""


@dataclass(frozen=True)
class Verdict:
    """What the runs for one page say together."""

    page: str
    reports: list[Report]

    @property
    def typical(self) -> Report:
        """The run in the middle by performance, so that its figures belong together."""
        by_speed = sorted(self.reports, key=lambda report: score(report, "performance"))
        return by_speed[len(by_speed) // 2]

    def score(self, category: str) -> int:
        """Median of performance; the worst run of what should not differ between runs."""
        scores = [score(report, category) for report in self.reports]
        return round(statistics.median(scores)) if category == "performance" else min(scores)

    def shortcomings(self) -> list[str]:
        """Return every audit below 1 of the categories that do not depend on the machine."""
        found = [
            f"{category}: {audit['id']}: {audit['title']}{details(audit)}"
            for report in self.reports
            for category in DETERMINISTIC
            for audit in below_one(report, category)
        ]
        return list(dict.fromkeys(found))

    def opportunities(self) -> list[str]:
        """Return what Lighthouse would do for speed in the typical run, largest effect first."""
        audits = list(below_one(self.typical, "performance"))
        audits = [audit for audit in audits if audit["id"] not in METRICS]
        audits.sort(key=lambda audit: -max((audit.get("metricSavings") or {}).values(), default=0))
        return [f"{audit['id']}: {audit['title']} {audit.get('displayValue', '')}".rstrip() for audit in audits]

    def metrics(self) -> str:
        """Return the figures of the typical run in one line."""
        audits = self.typical["audits"]
        return "、".join(f"{name} {audits[key].get('displayValue', '?')}" for key, name in METRICS.items())


def score(report: Report, category: str) -> int:
    """Return a score of 0 to 100; a category without one counts as 0."""
    value = report["categories"][category]["score"]
    return 0 if value is None else round(100 * value)


def below_one(report: Report, category: str) -> Iterator[Report]:
    """Audits of a category that are not perfect, and those that broke."""
    for reference in report["categories"][category]["auditRefs"]:
        audit = report["audits"][reference["id"]]
        if audit["scoreDisplayMode"] == "error" or (audit["score"] is not None and audit["score"] < 1):
            yield audit


def details(audit: Report) -> str:
    """Return the first places where an audit failed."""
    items = (audit.get("details") or {}).get("items") or []
    places = [
        str((item.get("node") or {}).get("snippet") or item.get("description") or item.get("url") or "")
        for item in items[:3]
        if isinstance(item, dict)
    ]
    return "".join(f"\n      {' '.join(place.split())[:160]}" for place in places if place)


def missing() -> str | None:
    """Return in one line what a visit lacks here, if anything."""
    if shutil.which("node") is None:
        return "node が見つかりません"
    if not (PACKAGE / "cli" / "index.js").is_file():
        return "lighthouse が入っていません。npm ci --ignore-scripts --prefix tests/browser で入ります"
    if find_browser() is None:
        return "Chromium も Chrome も見つかりません。入れるか、CHROMIUM= で場所を指定してください"
    return None


def visit(url: str, categories: Sequence[str] = CATEGORIES) -> Report:
    """Let Lighthouse visit a page once, in a fresh profile, and return its report on some categories."""
    if lack := missing():
        raise LighthouseError(lack)
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.json"
        flags = ["--headless", f"--user-data-dir={directory}/profile", *ARGUMENTS]
        command = ["node", str(PACKAGE / "cli" / "index.js"), url, "--quiet", "--no-enable-error-reporting"]
        command += ["--output=json", f"--output-path={report}", f"--chrome-flags={' '.join(flags)}"]
        command += [f"--only-categories={','.join(categories)}"]
        environment = os.environ | {"CHROME_PATH": str(find_browser())}
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, encoding="utf-8", timeout=TIMEOUT_S
            )
        except subprocess.TimeoutExpired as error:
            raise LighthouseError(f"Lighthouse が {TIMEOUT_S} 秒たっても終わりません: {url}") from error
        if done.returncode or not report.is_file():
            raise LighthouseError(f"Lighthouse が失敗しました: {url}\n{done.stderr.strip()}")
        result: Report = json.loads(report.read_text(encoding="utf-8"))
    if error := result.get("runtimeError"):
        raise LighthouseError(f"Lighthouse が失敗しました: {url}\n{error['message']}")
    return result


def judge(
    sites: Sequence[Path], pages: Sequence[str], runs: int = RUNS, categories: Sequence[str] = CATEGORIES
) -> Iterator[list[Verdict]]:
    """Visit pages of built sites, each several times, in turn: what else the machine does slows all sites alike."""
    with ExitStack() as stack:
        addresses = [stack.enter_context(serve(site)) for site in sites]
        for page in pages:
            turns = [[visit(address + page, categories) for address in addresses] for _ in range(runs)]
            yield [Verdict(page, list(reports)) for reports in zip(*turns, strict=True)]


def main(arguments: Sequence[str]) -> int:
    """Print scores, and below them what keeps them from 100."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.lighthouse", description="Lighthouse の四つの点数を表示します。"
    )
    parser.add_argument("pages", nargs="*", default=PAGES, metavar="PAGE", help="例: index.html")
    parser.add_argument("--runs", type=int, default=RUNS, help=f"一ページを訪れる回数 (既定は {RUNS})")
    parser.add_argument("--site", type=Path, default=SITE, help="作った本のフォルダー (既定は _book)")
    parser.add_argument("--before", type=Path, help="比べる、前に作った本のフォルダー。代わる代わる訪れる")
    options = parser.parse_args(arguments)
    sites = [options.site] if options.before is None else [options.before, options.site]
    absent = [site / page for site in sites for page in options.pages if not (site / page).is_file()]
    if lack := "、".join(str(page) for page in absent):
        print(f"エラー: {lack} がありません。先に make book を実行してください。", file=sys.stderr)
        return 2
    print(
        f"Lighthouse (携帯電話を模した既定の条件)、{options.runs} 回の中央値。"
        "gzip とキャッシュのヘッダーを付けて手元から配りました (python -m http.server は圧縮しません)。"
    )
    try:
        compared = list(judge(sites, options.pages, options.runs))
    except LighthouseError as error:
        print(f"エラー: {error}", file=sys.stderr)
        return 2
    rows = [
        (verdict.page, *([site.name] * bool(options.before)), *map(verdict.score, CATEGORIES), verdict.metrics())
        for verdicts in compared
        for site, verdict in zip(sites, verdicts, strict=True)
    ]
    print(tabulate(rows, ["ページ", *(["本"] * bool(options.before)), *CATEGORIES, "速さの内訳"], tablefmt="pipe"))
    for *_, verdict in compared:
        print(f"\n{verdict.page}")
        print("  1 に満たない検査:" + ("".join(f"\n    {line}" for line in verdict.shortcomings()) or " なし"))
        print("  速さについての助言:" + ("".join(f"\n    {line}" for line in verdict.opportunities()) or " なし"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
