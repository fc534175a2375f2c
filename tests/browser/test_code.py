"""The JavaScript is written as Biome writes it, and has none of the faults that it knows."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.browser.conftest import missing

pytestmark = pytest.mark.browser

HERE = Path(__file__).parent


def check(directory: Path) -> subprocess.CompletedProcess:
    """Ask for all that `npm run check --prefix tests/browser` asks for, in a folder with a `biome.json`."""
    node, biome = shutil.which("node"), HERE / "node_modules" / "@biomejs" / "biome" / "bin" / "biome"
    if node is None or not biome.is_file():
        missing("Biome が入っていません。npm ci --prefix tests/browser で入ります")
    command = [node, str(biome), "check", "--error-on-warnings", "--colors=off"]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, encoding="utf-8")


def test_biome_finds_nothing(root):
    done = check(root)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("export const one = 1 ;\n", "format"),
        ("export const one = two;\n", "noUndeclaredVariables"),
        ("let one = 1;\nexport const two = one;\n", "useConst"),
        ("export function one() {\n" + "  one();\n" * 80 + "}\n", "noExcessiveLinesPerFunction"),
    ],
    ids=["format", "undeclared", "let", "long"],
)
def test_a_careless_module_is_noticed(root, tmp_path, text, rule):
    (tmp_path / "web").mkdir()
    shutil.copy(root / "biome.json", tmp_path)
    (tmp_path / "web" / "careless.mjs").write_text(text, encoding="utf-8")
    done = check(tmp_path)
    assert done.returncode == 1
    assert rule in done.stdout + done.stderr
