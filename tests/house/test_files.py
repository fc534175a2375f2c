"""The house itself: pins, licences, the commands the README names, and no trace of a machine."""

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.checks.report import expect_none
from tools import pins

PIN = re.compile(r"^([A-Za-z0-9._-]+==[\w.+!-]+)( ; [^\\]+?)?( --hash=sha256:[0-9a-f]{64})+$")
# Written in pieces, so that this file does not find itself.
MACHINE = re.compile(
    "|".join(["/" + "work/", "/" + "root/", "/" + "tmp/[a-z]", "/" + r"home/\w+/", "/" + "Users/[A-Za-z]"])
)
REGISTRY = re.compile("|".join([r"files\.python" + "hosted", r"py" + r"pi\.org/simple", r"registry\.npm" + "js"]))
TEXT_SUFFIXES = {
    ".bib",
    ".cff",
    ".css",
    ".csl",
    ".csv",
    ".html",
    ".ipynb",
    ".js",
    ".json",
    ".lua",
    ".md",
    ".mjs",
    ".py",
    ".qmd",
    ".scss",
    ".sh",
    ".svg",
    ".toml",
    ".txt",
    ".yml",
}


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
    assert traces("a.md", f"一行目\n{text}\n") == [
        f"a.md:2: {re.search(MACHINE.pattern + '|' + REGISTRY.pattern, text).group()}"
    ]


def test_nothing_built_is_tracked(tracked, root):
    built = {"_book", ".venv", ".press", "node_modules", "__pycache__", "dist"}
    assert [path for path in tracked if built & set(path.relative_to(root).parts)] == []


def requirements(text: str) -> list[str]:
    """Return what a requirement file asks for, one with its hashes a line."""
    lines = text.replace(" \\\n    --hash", " --hash").splitlines()
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def test_every_requirement_is_pinned_to_its_hashes(root):
    files = [*sorted(root.glob("requirements*.txt")), root / ".binder" / "requirements.txt"]
    assert {file.relative_to(root).as_posix() for file in files} == set(pins.GROUPS)
    for file in files:
        lines = requirements(file.read_text(encoding="utf-8"))
        assert lines and [line for line in lines if not PIN.match(line)] == []


@pytest.mark.parametrize(
    "line", ["numpy>=2 --hash=sha256:" + "0" * 64, "numpy==2.4.6", "-r other.txt", "numpy==2.4.6 --hash=sha256:0"]
)
def test_a_loose_requirement_is_found(line):
    assert not PIN.match(line)


def pinned(root) -> set[str]:
    lines = [line for name in pins.GROUPS for line in requirements((root / name).read_text(encoding="utf-8"))]
    return {found[1] for line in lines if (found := PIN.match(line))}


def dependency_groups(root) -> dict[str, list[str]]:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]


def test_the_pins_cover_what_pyproject_asks_for(root):
    groups = dependency_groups(root)
    assert {group for names in pins.GROUPS.values() for group in names} == set(groups)
    asked = {re.split(r"[=<>~! ;]", item)[0].lower() for items in groups.values() for item in items}
    assert asked <= {re.sub(r"[-_.]+", "-", pin.partition("==")[0]).lower() for pin in pinned(root)}


def test_a_package_has_the_same_pin_in_every_file(root):
    """What `make lab` adds must leave the book's own versions alone; forks by Python version stand in one file."""
    book = pinned_versions(root, "requirements.txt")
    for name in set(pins.GROUPS) - {"requirements.txt", *pins.ELSEWHERE}:
        added = pinned_versions(root, name)
        assert {
            package: added[package] for package in added.keys() & book.keys() if not added[package] <= book[package]
        } == {}


def pinned_versions(root, name) -> dict[str, set[str]]:
    versions: dict[str, set[str]] = {}
    for line in requirements((root / name).read_text(encoding="utf-8")):
        package, _, version = PIN.match(line)[1].partition("==")
        versions.setdefault(package, set()).add(version)
    return versions


def test_the_build_backend_is_the_pinned_one(root):
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["build-system"]["requires"] == project["dependency-groups"]["build"]
    assert project["build-system"]["requires"][0] in pinned(root)


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
