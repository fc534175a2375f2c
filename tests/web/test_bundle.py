"""The bundle says what the modules say, refuses what it cannot join, and is always the same."""

import ast
import gzip
import json
import os
import shutil
import subprocess
import sys
from itertools import islice

import pytest
from py_mini_racer import MiniRacer

from hayasa.catalog.objects import device_rows
from tests.checks.report import expect_none
from tests.web import questions
from tests.web.javascript import one_after_another, page_script, same
from tools.page import script, serving
from tools.page.bundle import BundleError, bundle, bundles, quoted
from tools.page.live import LIVE
from tools.page.tables import calculator_data, compact_json, measurement_data

MAIN = 'import { f } from "./a.mjs";\nexport { f };\n'


def folder_with(tmp_path, **modules):
    for name, text in modules.items():
        (tmp_path / f"{name}.mjs").write_text(text, encoding="utf-8")
    return tmp_path


def run(script, expression):
    context = MiniRacer()
    context.eval(script)
    return json.loads(context.eval(f"JSON.stringify({expression})"))


# ---- joining


def test_modules_stand_one_after_another(tmp_path):
    folder = folder_with(
        tmp_path,
        main='import { twice, Box } from "./a.mjs";\nimport { one } from "./b.mjs";\n'
        "const hidden = 3;\nexport const three = twice(one) + hidden - 2;\nexport { twice, Box };\n",
        a='import {\n  one,\n} from "./b.mjs";\nexport function twice(x) { return one * 2 * x; }\n'
        "export class Box { constructor(hidden) { this.hidden = hidden; } get() { return this.hidden; } }\n",
        b="export const one = 1;\n",
    )
    script = bundle(folder, {})
    assert script.count("const one") == 1 and "import" not in script and "export" not in script
    assert run(script, "[hayasa.three, hayasa.twice(4), new hayasa.Box(5).get(), Object.keys(hayasa).sort()]") == [
        3,
        8,
        5,
        ["Box", "three", "twice"],
    ]
    # Nothing else is left behind.
    assert set(run(script, "Object.keys(globalThis)")) == {
        "hayasa",
        *json.loads(MiniRacer().eval("JSON.stringify(Object.keys(globalThis))")),
    }


@pytest.mark.parametrize(
    "line", ["const one = 2;", "export class one {}", "let one;", "function* one() {}", "async function one() {}"]
)
def test_a_name_of_two_modules_is_refused_by_line(tmp_path, line):
    folder = folder_with(
        tmp_path, main=f'import {{ two }} from "./b.mjs";\n{line}\n', b="const one = 1;\nexport const two = one;\n"
    )
    with pytest.raises(BundleError, match=r"web/main\.mjs:2: one という名前は b\.mjs にもあります"):
        bundle(folder, {})


def test_data_come_through_whatever_they_hold(tmp_path):
    data = {
        "text": "it's </script> <!-- \\ \" \n \u2028\u2029 表 \U0001f600",
        "numbers": [1.5e300, 5e-324, 0.1, 1935e9],
        "none": None,
    }
    folder = folder_with(tmp_path, main='import { data } from "./data.mjs";\nexport { data };\n')
    made = {"data.mjs": f"export const data = JSON.parse({quoted(compact_json(data))});\n"}
    script = bundle(folder, made)
    assert run(script, "hayasa.data") == data
    assert "</script" not in script and "<!--" not in script
    assert not set("\u2028\u2029") & set(script)


# ---- further scripts

PARTS = {
    "main": 'import { one } from "./one.mjs";\nexport const parts = {};\nexport const first = one;\n',
    "one": "export const one = 1;\n",
    "box": "let boxes = 0;\nexport function box() { boxes += 1; return boxes; }\n",
    "a": 'import { box } from "./box.mjs";\nimport { one } from "./one.mjs";\nimport { own } from "./own.mjs";\n'
    "export const fromA = () => [own, one, box()];\n",
    "own": "export const own = 'own';\n",
    "b": 'import { box } from "./box.mjs";\nimport { deep } from "./deep.mjs";\nexport const fromB = () => [deep, box()];\n',
    "c": 'import { deep } from "./deep.mjs";\nexport const fromC = deep;\n',
    "d": 'import { deep } from "./deep.mjs";\nexport const fromD = () => deep;\n',
    "deep": "export const deep = 'deep';\n",
}
BESIDE = {"a": "", "b": "", "c": "b", "d": "b"}


def test_what_comes_later_stands_in_scripts_of_its_own(tmp_path):
    main, a, b, c, _ = scripts = bundles(folder_with(tmp_path, **PARTS), {}, BESIDE)
    # Each module stands once: where all stand that need it.
    for declared, home in (("one =", main), ("boxes =", main), ("own =", a), ("deep =", b)):
        assert [declared in one for one in scripts].count(True) == 1 and declared in home
    context = MiniRacer()
    for one in (main, b, a, c):
        context.eval(one)
    asked = (
        "[hayasa.first, hayasa.parts.a.fromA(), hayasa.parts.b.fromB(), hayasa.parts.c.fromC, hayasa.parts.d ?? null]"
    )
    assert json.loads(context.eval(f"JSON.stringify({asked})")) == [1, ["own", 1, 1], ["deep", 2], "deep", None]


def test_a_script_of_another_edition_does_nothing(tmp_path):
    main, *_ = bundles(folder_with(tmp_path, **PARTS), {}, BESIDE)
    _, a, b, *_ = bundles(folder_with(tmp_path, **PARTS | {"one": "export const one = 2;\n"}), {}, BESIDE)
    context = MiniRacer()
    for one in (main, a, b):
        context.eval(one)
    assert json.loads(context.eval("JSON.stringify([hayasa.first, Object.keys(hayasa.parts)])")) == [1, []]


# ---- what is refused, with file and line


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('import * as a from "./a.mjs";', "import は"),
        ('import a from "./a.mjs";', "import は"),
        ('import "./a.mjs";', "import は"),
        ('import { f as g } from "./a.mjs";', "import は"),
        ('import { f } from "a.mjs";', "import は"),
        ('import { f } from "./a.mjs"', "import は"),
        ('  import { f } from "./a.mjs";', "import は"),
        ('const g = await import("./a.mjs");', "import(…)"),
        ("const g = import.meta.url;", "import(…)"),
        ("export default 1;", "export は"),
        ("export let g = 1;", "export は"),
        ("export { f as g };", "export は"),
        ('export * from "./a.mjs";', "export は"),
        ('export { f } from "./a.mjs";', "export は"),
        ("export const { g } = f;", "export は"),
        ("const { g } = f;", "一つずつ"),
        ("let g, h;", "一つずつ"),
        ("var g = 1;", "一つずつ"),
        ("const g = 1; export { g };", "行の初め"),
        ("const g = '</script>';", "</script"),
        ('import { nothing } from "./a.mjs";', "a.mjs は nothing を export していません"),
        ('import { f } from "./missing.mjs";', "web/missing.mjs がありません"),
        ('import { f } from "./main.mjs";', "互いに import しています"),
        ("export const f = 1;\nexport { f };", "二度 export しています"),
    ],
)
def test_what_cannot_be_joined_is_refused_by_line(line, reason, tmp_path):
    folder = folder_with(tmp_path, main=f"// first\n\n{line}\n", a="export const f = 1;\n")
    with pytest.raises(BundleError) as error:
        bundle(folder, {})
    assert reason in str(error.value)
    number = 4 if "二度" in reason else 3
    assert str(error.value).startswith(f"web/main.mjs:{number}: ")


def test_modules_that_need_each_other_are_refused(tmp_path):
    a = 'import { g } from "./b.mjs";\nexport const f = g;\n'
    b = '\nimport { f } from "./a.mjs";\nexport const g = f;\n'
    with pytest.raises(BundleError, match=r"web/b\.mjs:2: a\.mjs との間で"):
        bundle(folder_with(tmp_path, main=MAIN, a=a, b=b), {})


def test_without_an_entry_there_is_no_bundle(tmp_path):
    with pytest.raises(BundleError, match=r"web/main\.mjs がありません"):
        bundle(tmp_path, {})


# ---- the real one


def plain_scripts(root):
    return bundles(root / "web", script.page_modules(root), script.BESIDE)


@pytest.fixture(scope="module")
def built(root):
    return page_script(root)


def test_shortening_changes_no_answer(built, root):
    """Where the minifier is missing, readers get the modules as they are."""
    program, *further = plain_scripts(root)
    plain = one_after_another(script.tables_script(), program, *further)
    if built == plain:
        pytest.skip("tdewolff-minify が入っていません（Linux のほかでは入れません）")
    assert len(script.page_scripts(root, root)["hayasa.js"]) < 0.8 * len(program)
    choices = json.dumps(
        [vector["choice"] for vector in islice(questions.vectors(), 0, 600, 20) if "expected" in vector]
    )
    asked = f"{choices}.map((choice) => hayasa.parts.sums.explanation(hayasa.estimate(choice)))"
    assert run(built, asked) == run(plain, asked)


def test_the_bundle_runs_without_a_page(built, root):
    compared = run(
        built,
        "(() => { const { tables } = hayasa; const { machines, ...state } = tables.presets.article;"
        " return machines.map(({ device }) => hayasa.estimate({ ...state, device }))"
        ".map((result) => [Math.floor(result.decode_tokens_per_s), Math.floor(1 / result.compute_latency_s)]); })()",
    )
    # The article's numbers: what the page opens with.
    assert compared == [[552, 89142], [34, 2714]]


def test_the_bundle_says_what_python_says(built):
    """The other tests ask the modules through an entry of their own; this is the one that readers get."""
    asked = [vector for vector in islice(questions.vectors(), 0, 600, 3) if "expected" in vector]
    choices = json.dumps([vector["choice"] for vector in asked])
    answers = run(
        built,
        f"{choices}.map((choice) => hayasa.estimate(choice))"
        ".map((result) => [hayasa.parts.sums.explanation(result).map((part) => ({ ...part })), result.prefill_tokens_per_s])",
    )
    assert len(answers) > 100
    for vector, (explanation, prefill_tokens_per_s) in zip(asked, answers, strict=True):
        assert explanation == vector["expected"]["explanation"]
        exact = "prefill_tokens_per_s" not in vector["inexact"]
        assert same(vector["expected"]["prefill_tokens_per_s"], prefill_tokens_per_s, exact=exact)


def test_the_same_sources_give_the_same_bytes(built, root):
    code = "import sys; from tests.web.javascript import page_script; sys.stdout.write(page_script())"
    for seed in ("1", "2"):
        again = subprocess.run(
            [sys.executable, "-c", code],
            cwd=root,
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            check=True,
        )
        assert again.stdout.decode() == built


def test_tables_are_a_script_that_runs_before_the_page_s(built):
    assert run(script.tables_script(), "hayasaTables") == json.loads(compact_json(calculator_data()))
    assert sorted(run(built, "[...hayasa.tables.devices.keys()]")) == sorted(device_rows())


def test_measurements_are_a_script_of_their_own(root):
    main, *_ = scripts = script.page_scripts(root, root).values()
    source = measurement_data()["text"]["source"].partition("~")[0]
    assert [source in one for one in scripts].count(True) == 1 and source not in main


def test_no_machine_and_no_page_end_stands_in_the_bundle(built, root):
    assert "</script" not in built and str(root) not in built
    assert {character for character in built if not character.isprintable()} <= {"\n", "\t"}


# ---- the command


@pytest.fixture
def book(tmp_path, root):
    """A copy of what the command needs."""
    for name in ("web", "src", "data", "tools"):
        shutil.copytree(root / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "hayasa*.js"))
    chapter = serving.NOTEBOOK.relative_to(root)
    (tmp_path / chapter).parent.mkdir()
    shutil.copy(root / chapter, tmp_path / chapter)
    return tmp_path


def command(book, *arguments, cwd):
    # Isolated: no site-packages and no variables, as Quarto may run it with any Python.
    script = [sys.executable, "-I", "-S", "-B", str(book / "tools" / "web.py"), *arguments]
    return subprocess.run(script, cwd=cwd, capture_output=True, text=True, encoding="utf-8")


def test_the_command_needs_nothing_but_python(book, root, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    done = command(book, cwd=elsewhere)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    made = {path.name: path.read_text(encoding="utf-8") for path in (book / "web").glob("hayasa*.js")}
    assert made == {
        "hayasa-tables.js": script.tables_script(),
        **{f"hayasa-{name}.js": script.plain_script(root, name) for name in script.ALONE},
        **script.live_scripts(root),
        # No minifier is at hand there.
        **dict(zip(script.script_names(), plain_scripts(root), strict=True)),
    }
    assert list(elsewhere.iterdir()) == []


def test_an_unchanged_bundle_is_left_alone(book):
    command(book, cwd=book)
    bundle = book / "web" / "hayasa.js"
    os.utime(bundle, (1, 1))
    files = sorted(path.name for path in bundle.parent.iterdir())
    assert command(book, "--root", ".", cwd=book).returncode == 0
    assert bundle.stat().st_mtime == 1
    assert sorted(path.name for path in bundle.parent.iterdir()) == files
    units = book / "src" / "hayasa" / "units.py"
    units.write_text(units.read_text(encoding="utf-8").replace(' GiB"', ' GIB"'), encoding="utf-8")
    assert command(book, cwd=book).returncode == 0
    assert bundle.stat().st_mtime > 1 and "GIB" in bundle.read_text(encoding="utf-8")


def test_a_bundle_that_fails_leaves_the_old_one_and_says_where(book):
    command(book, cwd=book)
    bundle = book / "web" / "hayasa.js"
    before = bundle.read_bytes()
    (book / "web" / "main.mjs").write_text("export default 1;\n", encoding="utf-8")
    done = command(book, cwd=book)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("エラー: web/main.mjs:1: export は") and done.stderr.count("\n") == 1
    assert bundle.read_bytes() == before


def test_an_old_python_is_told_so(root):
    text = (root / "tools" / "web.py").read_text(encoding="utf-8")
    ast.parse(text, feature_version=(3, 6))  # it can be read at all
    head = text[: text.index("import argparse")]
    code = f"import sys\nsys.version_info = (3, 8, 1)\n{head}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 1
    assert done.stderr == "エラー: tools/web.py には Python 3.11 以降が必要です（使われた Python: 3.8）。\n"


def test_sizes(root, built, record_property):
    sizes = {
        **script.page_scripts(root, root),
        "hayasa-tables.js": script.tables_script(),
        **script.scripts_alone(root),
        "hayasa.css": (root / "web" / "hayasa.css").read_text(encoding="utf-8"),
    }
    compressed = {name: len(gzip.compress(text.encode(), 9)) for name, text in sizes.items()}
    listed = "、".join(f"{name} {size:,} バイト" for name, size in compressed.items())
    record_property("note", f"速度計算機（gzip）: {listed}")
    # What the calculator's first answer needs; hayasa-below.js comes when it is painted.
    assert compressed["hayasa.js"] + compressed["hayasa-calculator.js"] <= 40_000
    assert compressed["hayasa-tables.js"] <= 30_000
    assert compressed["hayasa-race.js"] <= 4_000
    assert compressed["hayasa-measure.js"] <= 22_000 and compressed["hayasa-thread.js"] <= 5_000
    assert compressed["hayasa-chapter.js"] <= 3_000
    # A page has the first, and the figures that it shows; what was measured comes with the roofline, what the scheduler
    # did with the queue.
    assert compressed["hayasa-live.js"] <= 5_500
    expect_none(
        f"hayasa-{kind}.js: {compressed[f'hayasa-{kind}.js']:,} バイト"
        for kind in LIVE
        if compressed[f"hayasa-{kind}.js"]
        > {"climb": 7_000, "queue": 9_000, "rounds": 5_500, "split": 5_500, "walk": 3_500}.get(kind, 3_000)
    )
    assert not LIVE.keys() & script.LATER.keys()
