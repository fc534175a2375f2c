"""A model's own file: chosen or dropped, read in the page, answered as by hayasa, and carried by the address."""

import json

import numpy as np
import pytest

import hayasa
from hayasa.units import significant
from tests.browser.calculator import Calculator, run
from tests.browser.test_pages import violations
from tests.checks.report import expect_none
from tests.hayasa.test_files import CONFIGS, FILES, write_gguf

pytestmark = pytest.mark.browser

VIEW = "?model=llama-3.1-8b&weights=q4_k_m&engine=llama.cpp&batch=1&context=2048&machine=rtx-4090"
LOOKS = [{}, {"color_scheme": "dark", "viewport": {"width": 390, "height": 844}}]
FIELD = "手元のモデルのファイル（GGUF か config.json）"
DROP = """async ([name, bytes]) => {
  const data = new DataTransfer();
  data.items.add(new File([Uint8Array.from(bytes)], name));
  const place = document.querySelector(".hy-file");
  for (const type of ["dragover", "drop"]) {
    place.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
  }
}"""


@pytest.fixture
def calculator(visitor):
    yield Calculator(visitor)
    expect_none(visitor.problems)


def gguf_file(folder, name="小さい; 100%.gguf", words=300_000):
    """Write a small model whose vocabulary is larger than what is read at once."""
    keys, tensors, _ = FILES["qwen3moe"]
    path = folder / name
    write_gguf(path, "qwen3moe", {"general.file_type": 15, "tokenizer.ggml.tokens": ["言葉"] * words, **keys}, tensors)
    return path


def number(calculator) -> str:
    return calculator.root.locator(".hy-number").text_content()


def expected(path, machine="rtx-4090", **asked) -> hayasa.Estimate:
    model, weights = hayasa.read_model(path)
    return hayasa.estimate(
        model, machine, **{"weights": weights, "engine": "llama.cpp", "context_length": 2048, **asked}
    )


@pytest.mark.parametrize("visitor", LOOKS, ids=["light", "dark and narrow"], indirect=True)
def test_a_chosen_file_is_answered_as_by_hayasa_and_carried_by_the_address(calculator, axe, tmp_path):
    calculator.open(VIEW)
    path = gguf_file(tmp_path)
    assert path.stat().st_size > 4 * 2**20
    calculator.root.get_by_label(FIELD).set_input_files(path)
    calculator.root.locator("option:checked", has_text="ファイルのまま").wait_for(state="attached")
    result = expected(path)
    assert number(calculator) == significant(result.decode_tokens_per_s)
    assert calculator.field("モデル").locator("option:checked").text_content() == path.name
    # The reader stands where the model is named.
    assert calculator.page.evaluate("document.activeElement.labels[0].textContent") == "モデル"
    calculator.choose("重みの形式", "q8_0")
    assert number(calculator) == significant(expected(path, weights="q8_0").decode_tokens_per_s)
    calculator.choose("重みの形式", "file")
    query = calculator.query
    assert "&weights=file&" in query
    assert violations(calculator.page, axe, "'.hayasa-calculator'") == []
    assert calculator.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # The program reads the file again, from where it lies.
    calculator.root.locator("[data-part=python]").evaluate("room => { room.open = true; }")
    code = calculator.root.locator(".hy-code").text_content()
    assert run(code.replace(path.name, str(path))).splitlines() == hayasa.explain(result).splitlines()
    # Another model has no format of that file; back brings it again, and so does a new tab.
    calculator.choose("モデル", "qwen3-8b")
    assert "&weights=q4_k_m&" in calculator.query
    calculator.go("back", query)
    assert number(calculator) == significant(result.decode_tokens_per_s)
    calculator.open(query).root.locator(".hy-number").wait_for()
    assert number(calculator) == significant(result.decode_tokens_per_s)
    assert calculator.field("モデル").locator("option:checked").text_content() == path.name


def test_a_config_is_dropped(calculator, tmp_path):
    calculator.open(VIEW)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(CONFIGS["gemma-4-31b"]), encoding="utf-8")
    calculator.page.evaluate(DROP, [path.name, list(path.read_bytes())])
    calculator.root.locator("option:checked", has_text="config.json").wait_for(state="attached")
    assert number(calculator) == significant(expected(path, weights="q4_k_m").decode_tokens_per_s)
    assert "&weights=q4_k_m&" in calculator.query


def test_what_is_no_model_is_refused_in_the_words_of_python(calculator, tmp_path):
    calculator.open(VIEW)
    before = number(calculator)
    whole = gguf_file(tmp_path, words=10).read_bytes()
    files = {
        "cut.gguf": whole[:600],
        "new.gguf": b"GGUF\x09" + whole[5:],
        "big-00002-of-00003.gguf": whole,
        "empty.json": b"",
        "notes.json": b"[1, 2]",
        "package.json": b'{"name": "x"}',
        "picture.png": bytes(np.arange(256, dtype=np.uint8)),
    }
    for name, content in files.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(hayasa.HayasaError) as error:
            hayasa.read_model(path)
        said = str(error.value).replace(f"{tmp_path}/", "")
        calculator.root.get_by_label(FIELD).set_input_files(path)
        calculator.root.locator(".hy-file .hy-problem", has_text=said).wait_for()
    assert number(calculator) == before and calculator.query == VIEW


def test_all_parts_of_a_split_file_are_chosen_together(calculator, tmp_path):
    calculator.open(VIEW)
    keys, tensors, _ = FILES["llama"]
    paths = [tmp_path / f"big-{place:05}-of-00002.gguf" for place in (1, 2)]
    for place, path in enumerate(paths):
        write_gguf(path, "llama", keys, dict(list(tensors.items())[place::2]))
    calculator.root.get_by_label(FIELD).set_input_files(paths[::-1])
    calculator.root.locator("option:checked", has_text="big.gguf").wait_for(state="attached")
    assert number(calculator) == significant(expected(paths[0]).decode_tokens_per_s)


def test_an_address_that_stands_for_no_model_says_so(calculator):
    calculator.open("?model=file:name=x;layers=2&weights=file&machine=rtx-4090")
    problem = calculator.root.locator(".hy-output .hy-problem")
    problem.wait_for()
    assert problem.text_content()
