"""The house itself: pins, licences, the commands the README names, and no trace of a machine."""

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.checks.report import expect_none

PIN = re.compile(r"^[A-Za-z0-9._-]+==[\w.+!-]+( ; .+)?$")
# Written in pieces, so that this file does not find itself.
MACHINE = re.compile("|".join(["/" + "work/", "/" + "root/", "/" + "tmp/[a-z]", "/" + r"home/\w+/", "/" + "Users/[A-Za-z]"]))
REGISTRY = re.compile("|".join([r"files\.python" + "hosted", r"py" + r"pi\.org/simple", r"registry\.npm" + "js"]))
TEXT_SUFFIXES = {".bib", ".cff", ".css", ".csl", ".csv", ".html", ".ipynb", ".js", ".json", ".lua", ".md", ".mjs", ".py", ".qmd", ".scss", ".sh", ".svg", ".toml", ".txt", ".yml"}


@pytest.fixture(scope="session")
def tracked(root) -> list[Path]:
    """Every file that belongs to the project."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached"], cwd=root, capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("git の管理下にないので、管理されているファイルの検査を飛ばしました")
    return [root / name for name in listed.stdout.split("\0") if name and (root / name).is_file()]


def traces(name: str, text: str) -> list[str]:
    """Return what in a file points at a machine or a package registry."""
    return [
        f"{name}:{number}: {found.group()}"
        for number, line in enumerate(text.splitlines(), start=1)
        for pattern in (MACHINE, REGISTRY)
        if (found := pattern.search(line))
    ]


def test_no_file_points_at_a_machine(tracked, root):
    expect_none(
        trace
        for path in tracked
        if (path.suffix in TEXT_SUFFIXES or not path.suffix) and path.parent.name != "house"
        for trace in traces(str(path.relative_to(root)), path.read_text(encoding="utf-8", errors="replace"))
    )


@pytest.mark.parametrize("text", ["see /" + "root/x", "https://registry.npm" + "js.org/a", "/" + "tmp/scratch"])
def test_a_trace_of_a_machine_is_found(text):
    assert traces("a.md", f"一行目\n{text}\n") == [f"a.md:2: {re.search(MACHINE.pattern + '|' + REGISTRY.pattern, text).group()}"]


def test_nothing_built_is_tracked(tracked, root):
    built = {"_book", ".venv", ".press", "node_modules", "__pycache__", "dist"}
    assert [path for path in tracked if built & set(path.relative_to(root).parts)] == []


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-ci.txt", "requirements-quarto.txt"])
def test_every_requirement_is_pinned(root, name):
    lines = (root / name).read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    assert pins and [line for line in pins if not PIN.match(line)] == []


def pins(root, *names):
    lines = [line for name in names for line in (root / name).read_text(encoding="utf-8").splitlines()]
    return {re.sub(r"[-_.]+", "-", line.partition("==")[0]).lower() for line in lines if PIN.match(line)}


def test_the_pins_cover_what_pyproject_asks_for(root):
    groups = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    asked = {re.split(r"[=<>~! ;]", item)[0].lower() for items in groups.values() for item in items}
    assert asked <= pins(root, "requirements.txt", "requirements-ci.txt")


def test_the_build_backend_is_the_pinned_one(root):
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["build-system"]["requires"] == project["dependency-groups"]["build"]
    assert project["build-system"]["requires"][0] in (root / "requirements.txt").read_text(encoding="utf-8").splitlines()


def test_the_node_packages_are_pinned_and_locked(root):
    package = json.loads((root / "tests/browser/package.json").read_text(encoding="utf-8"))
    lock = json.loads((root / "tests/browser/package-lock.json").read_text(encoding="utf-8"))
    for name, version in package["devDependencies"].items():
        entry = lock["packages"][f"node_modules/{name}"]
        assert (entry["version"], "integrity" in entry) == (version, True)


def targets(root) -> set[str]:
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))


def test_make_alone_lists_every_command(root):
    shown = subprocess.run(["make"], cwd=root, capture_output=True, text=True, encoding="utf-8", check=True).stdout
    listed = set(re.findall(r"^  make ([a-z-]+)", shown, re.MULTILINE))
    assert listed == targets(root) - {"help", "ready"}


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "index.qmd"])
def test_every_command_in_the_text_exists(root, name):
    named = set(re.findall(r"\bmake ([a-z]+)", (root / name).read_text(encoding="utf-8")))
    assert named and named <= targets(root) | {"if"}


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "STYLE.md", "CHANGELOG.md"])
def test_links_between_the_documents_lead_somewhere(root, name):
    links = re.findall(r"\]\(([^)#:]+)\)", (root / name).read_text(encoding="utf-8"))
    assert [link for link in links if not (root / link).exists()] == []


def test_the_licences_are_whole(root):
    code = (root / "LICENSE-CODE").read_text(encoding="utf-8")
    text = (root / "LICENSE-TEXT").read_text(encoding="utf-8")
    assert "MIT License" in code and "hayasa contributors" in code and "<" not in code
    assert text.startswith("Creative Commons Attribution 4.0 International")
    assert all(f"Section {number}" in text for number in range(1, 9))
    assert text.rstrip().endswith("Creative Commons may be contacted at creativecommons.org.")


def test_the_citation_agrees_with_the_package(root):
    citation = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    book = yaml.safe_load((root / "_quarto.yml").read_text(encoding="utf-8"))["book"]
    assert citation["version"] == project["version"]
    assert citation["title"] == book["title"]
    assert citation["authors"] == project["authors"]


@pytest.mark.parametrize("path", [".github/workflows/test.yml", ".github/workflows/publish.yml"])
def test_workflows_run_the_two_commands_with_pinned_actions(root, path):
    workflow = yaml.safe_load((root / path).read_text(encoding="utf-8"))
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert any(step.get("run", "").startswith("make book") for step in steps)
    assert [step["uses"] for step in steps if "uses" in step and not re.search(r"@(v\d+|[0-9a-f]{40})$", step["uses"])] == []
