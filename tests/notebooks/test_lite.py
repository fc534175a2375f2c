"""`make lite`: what Python in the browser finds on the site, what comes from elsewhere, and what is refused, with the way out."""

import json
import re
import tomllib
import zipfile
from pathlib import Path

import pytest
from books import CONFIG, code_cell, make_book, notebook, text_cell

from tools import lite, pins, readers


def wheel(folder: Path, name: str, version: str, *needs: str, modules=()) -> Path:
    stem = f"{name.replace('-', '_')}-{version}"
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as files:
        lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {need}" for need in needs)]
        files.writestr(f"{stem}.dist-info/METADATA", "\n".join(lines) + "\n\nText.\n")
        for module in modules:
            files.writestr(module, "")
    return path


@pytest.fixture
def listed(tmp_path, monkeypatch):
    """Pyodide's own list: a package that is compiled, and one that is not."""
    packages = {
        "numpy": {"name": "numpy", "version": "2.0", "file_name": "numpy.whl", "imports": ["numpy"], "depends": []},
        "pure": {"name": "pure", "version": "1.0", "file_name": "pure.whl", "imports": ["pure"], "depends": ["numpy"]},
    }
    told = {"info": {"python": "3.14.2"}, "packages": packages}
    monkeypatch.setattr(lite, "PYODIDE", tmp_path)
    (tmp_path / "pyodide-lock.json").write_text(json.dumps(told), encoding="utf-8")
    return told


def test_a_wheel_of_the_site_takes_the_place_of_a_published_one(listed, tmp_path):
    mine = wheel(tmp_path, "pure", "1.0", "more-than-pyodide-says")
    made = lite.lock_with(listed, [mine], "https://example.org/v1/")["packages"]
    assert made["numpy"]["file_name"] == "https://example.org/v1/numpy.whl"
    assert made["pure"]["file_name"] == mine.name and made["pure"]["depends"] == ["numpy"]
    assert listed["packages"]["pure"]["file_name"] == "pure.whl"


def test_what_pyodide_does_not_know_is_read_from_the_wheel(listed, tmp_path):
    needs = (
        "NumPy>=1",
        "pexpect; sys_platform != 'emscripten'",
        "rich; extra == 'pretty'",
        "old; python_version < '3.14'",
    )
    new = wheel(tmp_path, "new-one", "2.1", *needs, modules=("new_one/__init__.py", "single.py", "new_one-2.1.data/x"))
    made = lite.lock_with(listed, [new], "")["packages"]["new-one"]
    assert (made["version"], made["depends"], made["imports"]) == ("2.1", ["numpy"], ["new_one", "single"])
    assert [need.name for need in lite.requirements(new, "pretty")] == ["NumPy", "rich"]


def test_a_pin_that_is_not_pyodide_s_is_named(listed, tmp_path):
    with pytest.raises(lite.LiteError, match=r"pure は 1\.1 ですが、Pyodide は 1\.0"):
        lite.lock_with(listed, [wheel(tmp_path, "pure", "1.1")], "")


def test_what_a_package_needs_and_nobody_has_is_named(listed, tmp_path):
    made = lite.lock_with(listed, [wheel(tmp_path, "new", "1", "gone")], "")
    with pytest.raises(
        lite.LiteError, match=r"new に要る gone が、Pyodide にも requirements-pyodide\.txt にもありません"
    ):
        lite.require_all(made["packages"])


def test_a_wheel_for_others_has_the_same_bytes_each_time(tmp_path):
    paths = [
        lite.write_empty_wheel(tmp_path / name, lite.FIGURES, "1.0")
        for name in ("a", "b")
        if not (tmp_path / name).mkdir()
    ]
    assert paths[0].read_bytes() == paths[1].read_bytes() and paths[0].name == "hayasa_figures-1.0-py3-none-any.whl"


def test_what_hayasa_itself_imports_is_known():
    assert {"hayasa.book.figures", "hayasa.book.tables"} <= set(lite.modules_that_need_more())
    assert "hayasa.book.notebooks" not in lite.modules_that_need_more()


def test_what_the_book_shares_with_the_browser_has_one_version(root):
    """What Pyodide does not have is no older and no newer than in the book; the rest `lite.lock_with` compares."""
    group = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]["pyodide"]
    free = {name for name in group if "==" not in name}
    pin = re.compile(r"^([\w.-]+)==([\w.]+)", re.MULTILINE)
    here, there = (
        dict(pin.findall((root / name).read_text(encoding="utf-8"))) for name in ("requirements.txt", lite.PINS)
    )
    assert free and {name: there[name] for name in free} == {name: here[name] for name in free}
    assert lite.PINS in pins.ELSEWHERE


@pytest.fixture
def small(tmp_path):
    return make_book(
        tmp_path, **{"a.ipynb": notebook(text_cell("# 題 {#sec-a}\n[こちら](#sec-a)"), code_cell("import numpy"))}
    )


@pytest.mark.parametrize("site", ["", "https://example.org/hayasa/"])
def test_the_browser_s_notebooks_fetch_nothing_themselves(small, site):
    config = CONFIG.replace("  title:", f"  site-url: {site}\n  title:") if site else CONFIG
    (small / "_quarto.yml").write_text(config, encoding="utf-8")
    made = readers.browser_notebooks(small)
    assert made.keys() == {"a.ipynb", "students/a.ipynb"}
    for text in made.values():
        title, setup, *_ = json.loads(text)["cells"]
        assert f"]({site or readers.BOOK_HOST}a.html#sec-a)" in "".join(title["source"])
        assert "prepare_browser()" in "".join(setup["source"]) and "pip" not in text
        assert json.loads(text)["metadata"]["kernelspec"]["name"] == "python"


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda patch: patch.setattr(lite, "find_spec", lambda name: None), r"requirements-lite\.txt"),
        (lambda patch: patch.setattr(lite.shutil, "which", lambda name: None), r"npm が見つかりません"),
    ],
)
def test_what_is_missing_is_named_and_the_old_site_stays(broken, said, tmp_path, monkeypatch, capsys):
    old = tmp_path / lite.FOLDER / "index.html"
    old.parent.mkdir(parents=True)
    old.write_text("old", encoding="utf-8")
    monkeypatch.setattr(lite, "ROOT", tmp_path)
    monkeypatch.setattr(lite, "PYODIDE", tmp_path)
    monkeypatch.setattr(lite, "KERNEL", "json")
    broken(monkeypatch)
    assert lite.main() == 1
    assert re.search(said, capsys.readouterr().err)
    assert old.read_text(encoding="utf-8") == "old"


def test_a_page_that_jupyterlite_writes_otherwise_is_noticed(tmp_path):
    page = tmp_path / "index.html"
    page.write_text("<head></head>", encoding="utf-8")
    with pytest.raises(lite.LiteError, match="今の版に合わせてください"):
        lite.add_to_head(page)
