"""HTML and CSS by the book: the Nu checker on every page."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.browser.conftest import missing
from tests.checks import site as site_checks
from tests.checks.report import expect_none

pytestmark = pytest.mark.browser

CHECKER = Path(__file__).parent / "node_modules" / "vnu-jar" / "build" / "dist" / "vnu.jar"


def check(paths) -> list[str]:
    """Return the errors the checker finds in HTML files."""
    if shutil.which("java") is None:
        missing("HTML の検査に使う Java が見つかりません")
    if not CHECKER.is_file():
        missing("HTML の検査に使う vnu-jar がありません。npm ci --prefix tests/browser で入ります")
    command = ["java", "-Xss16m", "-jar", str(CHECKER), "--format", "json", "--exit-zero-always", "--errors-only"]
    result = subprocess.run([*command, *map(str, paths)], capture_output=True, text=True, encoding="utf-8")
    messages = json.loads(result.stderr)["messages"]
    return [
        f"{os.path.basename(message.get('url', '?'))}:{message.get('lastLine', '?')}: {message['message']}"
        f" … {' '.join(message.get('extract', '').split())[:120]}"
        for message in messages
    ]


def test_every_page_is_valid(site):
    expect_none(check([page.path for page in site_checks.pages(site)]))


def test_an_invalid_page_is_noticed(tmp_path):
    page = tmp_path / "broken.html"
    page.write_text('<!doctype html><html lang="ja"><title>題</title><p><div id="a" id="a"></p>', encoding="utf-8")
    assert check([page]) != []
