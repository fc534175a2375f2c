"""`make book`: which engine, what a warning means, and what happens to the last good site."""

import os
import stat

import pytest

from tools import book


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A book with a site already built, and no Quarto anywhere."""
    root = tmp_path / "book"
    (root / "_book").mkdir(parents=True)
    (root / "_book" / "index.html").write_text("old", encoding="utf-8")
    (root / "_quarto.yml").write_text("project: {type: book}\n", encoding="utf-8")
    tools = tmp_path / "bin"
    tools.mkdir()
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setattr(book.sys, "executable", str(tmp_path / "python"))
    monkeypatch.delenv("ENGINE", raising=False)
    return root


def install_quarto(project, script, version="99.9.9"):
    path = project.parent / "bin" / "quarto"
    ask = f'if [ "$1" = --version ]; then echo {version}; exit; fi'
    path.write_text(f"#!/bin/sh\n{ask}\n{script}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def site(project):
    return (project / "_book" / "index.html").read_text(encoding="utf-8")


RENDER = "mkdir -p _book && echo new > _book/index.html"


def test_quarto_is_taken_if_it_is_there(project, capsys):
    assert book.choose_engine({}) == "press"
    install_quarto(project, RENDER)
    assert book.choose_engine({}) == "quarto"
    assert book.choose_engine({"ENGINE": "press"}) == "press"
    assert book.main(project) == 0
    output = capsys.readouterr().out
    assert "エンジン: quarto" in output and "_book/index.html" in output and "秒" in output
    assert site(project) == "new\n"


@pytest.mark.parametrize(
    ("version", "remark"),
    [
        ("$(exit 1)", "Quarto として動かない"),
        ("Quarto, a text formatter of another kind", "Quarto として動かない"),
        ("99.9.9; exit 1", "Quarto として動かない"),
        ("1.3.450", "1.3.450 で、この本を確かめた 1.10 より古い"),
    ],
)
def test_a_quarto_that_does_not_suit_is_named_and_not_used(project, capsys, version, remark):
    install_quarto(project, RENDER, version)
    assert book.choose_engine({}) == "press"
    said = capsys.readouterr().out
    assert remark in said and str(project.parent / "bin" / "quarto") in said
    assert book.choose_engine({"ENGINE": "press"}) == "press" and not capsys.readouterr().out


def test_the_quarto_that_is_asked_for_may_be_old(project):
    install_quarto(project, RENDER, "1.3.450")
    assert book.choose_engine({"ENGINE": "quarto"}) == "quarto"


def test_the_quarto_that_is_asked_for_must_work(project, monkeypatch):
    install_quarto(project, RENDER, "$(exit 1)")
    monkeypatch.setattr(book.venv, "pip", lambda arguments: None)
    with pytest.raises(book.BookFailedError, match="動く quarto"):
        book.choose_engine({"ENGINE": "quarto"})


def test_the_quarto_of_the_project_comes_before_that_of_the_machine(project):
    install_quarto(project, RENDER)
    beside = project.parent / "quarto"
    beside.write_text("#!/bin/sh\necho 99.9.9\n", encoding="utf-8")
    beside.chmod(0o755)
    assert book.find_quarto() == str(beside)


def test_quarto_that_is_asked_for_is_installed(project, monkeypatch):
    monkeypatch.setenv("ENGINE", "quarto")
    asked = []

    def pip(arguments):
        asked.append(arguments)
        install_quarto(project, RENDER)

    monkeypatch.setattr(book.venv, "pip", pip)
    assert book.main(project) == book.main(project) == 0
    assert asked == [["--no-deps", "--require-hashes", "-r", "requirements-quarto.txt"]]


def test_an_engine_that_cannot_be_had_is_refused(project, monkeypatch, capsys):
    def pip(arguments):
        raise book.venv.SetupError("error: subprocess-exited-with-error")

    monkeypatch.setattr(book.venv, "pip", pip)
    monkeypatch.setenv("ENGINE", "quarto")
    assert book.main(project) == 1
    message = capsys.readouterr().err
    assert message.count("エラー") == 1 and "https://quarto.org" in message and "subprocess" not in message
    monkeypatch.setenv("ENGINE", "latex")
    assert book.main(project) == 1
    assert "quarto、press" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        (f"{RENDER}; echo 'WARN: Unable to resolve crossref @fig-x' >&2", "Unable to resolve crossref @fig-x"),
        (f"{RENDER}; echo '[WARNING] Citeproc: citation nobody not found'", "nobody not found"),
        (f"{RENDER}; printf '\\033[33mWARN: colour\\033[39m\\n'", "colour"),
        (f"{RENDER}; exit 3", "終了コード 3"),
        ("true", "index.html がありません"),
    ],
)
def test_what_goes_wrong_in_quarto_fails_and_leaves_the_old_site(project, capsys, script, complaint):
    install_quarto(project, script)
    assert book.main(project) == 1
    assert complaint in capsys.readouterr().err
    assert site(project) == "old"
    assert [path.name for path in project.iterdir() if "_book" in path.name] == ["_book"]


def test_quarto_sees_the_sources_and_no_old_site(project):
    install_quarto(project, f"test -f _quarto.yml && test ! -e _book && {RENDER}")
    assert book.main(project) == 0


def test_quarto_sees_what_only_beside_the_book_is_not_worth_copying(project):
    for folder in ("build", "notebooks/lite/build"):
        (project / folder).mkdir(parents=True)
    install_quarto(project, f"test -d notebooks/lite/build && test ! -e build && {RENDER}")
    assert book.main(project) == 0


def test_quarto_runs_the_scripts_of_the_book_with_this_python(project, tmp_path):
    for folder in ("tools", "src", "data", "web"):
        (project / folder).mkdir()
        (project / folder / "file").touch()
    copied = "test -f tools/file && test -f src/file && test -f data/file && test -f web/file"
    install_quarto(project, f'test "$QUARTO_PYTHON" = {tmp_path / "python"} && {copied} && {RENDER}')
    assert book.main(project) == 0
