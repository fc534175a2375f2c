"""`tools.notebooks`: execution, the normal form, and a check that complains."""

import json

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools import notebooks


def write(path, *cells, metadata=None):
    notebook = new_notebook(cells=list(cells), metadata=metadata or {})
    path.write_text(nbformat.writes(notebook), encoding="utf-8")
    return path


def executed(source, *outputs, count=1, **metadata):
    return new_code_cell(source, outputs=list(outputs), execution_count=count, metadata=metadata)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A small chapter that went through `make notebooks`."""
    path = tmp_path_factory.mktemp("chapter") / "01-small.ipynb"
    write(
        path,
        new_markdown_cell("# 題 {#sec-small}\n"),
        new_code_cell("x = 2 * 3\nprint(x)"),
        new_markdown_cell("## 節 {#sec-next}"),
        new_code_cell("#| label: tbl-x\nfrom IPython.display import Markdown\nMarkdown('| a |\\n|--:|\\n| 6 |')"),
        new_code_cell("1 / 0", metadata={"tags": ["raises-exception"], "collapsed": True}),
        metadata={
            "kernelspec": {"name": "elsewhere", "display_name": "x"},
            "language_info": {"name": "python", "version": "3.11.1"},
        },
    )
    assert notebooks.main(["execute", str(path)]) == 0
    return path


def test_executing_gives_the_normal_form(stored):
    notebook = nbformat.read(stored, as_version=4)
    assert notebooks.check(stored) == []
    assert [cell.id for cell in notebook.cells] == ["sec-small", "small-1", "sec-next", "tbl-x", "next-1"]
    assert [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"] == [1, 2, 3]
    assert notebook.metadata == {"kernelspec": notebooks.KERNELSPEC, "language_info": {"name": "python"}}
    assert notebook.cells[1].outputs[0].text == "6\n"
    assert notebook.cells[4].metadata == {"tags": ["raises-exception"]}
    text = stored.read_text(encoding="utf-8")
    assert text.endswith("}\n") and "題" in text and "timing" not in text


def test_executing_again_changes_no_byte_and_does_not_touch_the_file(stored):
    before = stored.read_bytes(), stored.stat().st_mtime_ns
    assert notebooks.main(["execute", str(stored)]) == 0
    assert (stored.read_bytes(), stored.stat().st_mtime_ns) == before


def test_ids_do_not_depend_on_the_ids_before(stored):
    notebook = nbformat.read(stored, as_version=4)
    before = notebooks.slugs(notebook)
    for cell in notebook.cells:
        cell.id = "random"
    assert notebooks.slugs(notebook) == before


def test_repeated_labels_still_give_unique_ids():
    cells = [new_markdown_cell("# 題 {#sec-a}"), *[new_code_cell("#| label: fig-a") for _ in range(3)]]
    slugs = notebooks.slugs(new_notebook(cells=cells))
    assert len(set(slugs)) == 4


def test_a_cell_that_raises_stops_with_file_cell_and_traceback(tmp_path, capsys):
    path = write(tmp_path / "bad.ipynb", new_markdown_cell("# 題"), new_code_cell("a = 1"), new_code_cell("a / 0"))
    before = path.read_bytes()
    assert notebooks.main(["execute", str(path)]) == 1
    message = capsys.readouterr().err
    assert "bad.ipynb" in message and "セル 3" in message and "ZeroDivisionError" in message
    assert path.read_bytes() == before


def test_a_kernel_that_dies_is_reported(tmp_path, capsys):
    path = write(tmp_path / "dies.ipynb", new_code_cell("import os\nos._exit(1)"))
    assert notebooks.main(["execute", str(path)]) == 1
    assert "カーネル" in capsys.readouterr().err


def test_standard_error_is_reported(tmp_path, capsys):
    path = write(tmp_path / "warns.ipynb", new_code_cell("import sys\nprint('ああ', file=sys.stderr)"))
    assert notebooks.main(["execute", str(path)]) == 1
    assert "標準エラー出力" in capsys.readouterr().err


def test_the_kernel_starts_in_the_directory_of_the_chapter(tmp_path):
    (tmp_path / "here.txt").write_text("ここ", encoding="utf-8")
    path = write(tmp_path / "cwd.ipynb", new_code_cell("print(open('here.txt', encoding='utf-8').read())"))
    notebook, problems = notebooks.execute(path)
    assert (notebook.cells[0].outputs[0].text, problems) == ("ここ\n", [])


def test_what_cannot_be_read_is_reported(tmp_path, capsys):
    broken = tmp_path / "broken.ipynb"
    broken.write_text("{", encoding="utf-8")
    assert notebooks.main(["execute", str(broken)]) == 1
    assert notebooks.main(["check", str(broken)]) == 1
    assert notebooks.main(["check", str(tmp_path / "missing.ipynb")]) == 1
    message = capsys.readouterr().err
    assert message.count("broken.ipynb") == 2 and "missing.ipynb: ファイルがありません" in message


PNG = new_output("display_data", {"image/png": "iVBOR", "text/plain": "<Figure>"})
HTML = new_output("execute_result", {"text/html": "<table></table>", "text/plain": "x"}, execution_count=1)
ERROR = new_output("error", ename="ValueError", evalue="だめ", traceback=["ValueError: だめ"])


@pytest.mark.parametrize(
    ("cell", "complaint"),
    [
        (new_code_cell("1"), "実行されていません"),
        (executed("1", count=7), "実行番号が 7"),
        (executed("1", new_output("stream", name="stderr", text="warning")), "標準エラー出力"),
        (executed("1", new_output("stream", name="stdout", text="/home/" + "taro/book")), "この計算機のパス"),
        (executed("1", new_output("stream", name="stdout", text="<f at 0x7f00aa00bb00>")), "メモリ番地"),
        (executed("1", PNG), "image/png"),
        (executed("1", HTML), "text/html"),
        (executed("1", ERROR), "例外が保存されています"),
        (executed("1", tags=["raises-exception"]), "例外が起きていません"),
        (executed("1", tags=["nbval-skip"]), "タグ nbval-skip"),
        (executed("1  # a\n# NBVAL_IGNORE_OUTPUT"), "NBVAL_IGNORE_OUTPUT"),
        (executed("#| eval: false\nx"), "eval: false"),
        (executed("\n".join(f"x{i} = {i}" for i in range(16))), "16 行"),
        (executed("#| label: fig-a"), "空です"),
        (executed("1", execution={"iopub.execute_input": "2026-01-01"}), "metadata"),
        (executed("1", collapsed=False), "metadata"),
    ],
)
def test_check_complains(stored, tmp_path, cell, complaint):
    notebook = nbformat.read(stored, as_version=4)
    notebook.cells = [notebook.cells[0], cell]
    cell.id = "small-1"
    path = tmp_path / "changed.ipynb"
    path.write_text(notebooks.to_text(notebook), encoding="utf-8")
    problems = notebooks.check(path)
    assert any(complaint in problem for problem in problems), problems
    assert all("changed.ipynb" in problem for problem in problems)


def edited(stored, path, edit):
    content = json.loads(stored.read_text(encoding="utf-8"))
    edit(content)
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return notebooks.check(path)


def test_check_complains_of_the_form_of_the_file(stored, tmp_path):
    path = tmp_path / "changed.ipynb"
    assert edited(stored, path, lambda content: None) == []
    assert "widgets" in edited(stored, path, lambda content: content["metadata"].update(widgets={}))[0]
    assert "id は sec-small" in edited(stored, path, lambda content: content["cells"][0].update(id="a1b2"))[0]
    path.write_text(json.dumps(json.loads(stored.read_text(encoding="utf-8"))), encoding="utf-8")
    assert "JSON の書き方" in notebooks.check(path)[0]


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.ipynb"
    path.write_text("old", encoding="utf-8")
    monkeypatch.setattr(notebooks.Path, "replace", lambda self, target: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        notebooks.write_if_changed(path, "new")
    assert path.read_text(encoding="utf-8") == "old" and list(tmp_path.iterdir()) == [path]


def test_a_code_cell_without_a_label_is_no_cross_reference():
    """Quarto makes the id an anchor: `exr-x-2` would come out as exercise 1.2."""
    for path in notebooks.chapter_paths():
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code" and f"label: {cell.id}" not in cell.source:
                assert not cell.id.startswith(("sec-", "exr-", "fig-", "tbl-", "eq-", "thm-", "sol-", "lst-"))
