"""A model's own file is read on the page as Python reads it, and comes back from an address."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from gguf import GGMLQuantizationType as Type
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

import hayasa
from hayasa.errors import HayasaError
from hayasa.files.config import KIN
from tests.hayasa.test_files import (
    ATTENTION,
    CONFIG_KEYS,
    CONFIGS,
    DENSE,
    EMBEDDING,
    FILES,
    JSON,
    KEYS,
    OUTPUT,
    layer,
    write_gguf,
)
from tests.web.javascript import Estimator, same
from tests.web.states import machine, state

KEY = iter(range(10**9))


@pytest.fixture(scope="module")
def estimator() -> Estimator:
    return Estimator()


def on_the_page(estimator: Estimator, *paths: Path) -> dict[str, Any]:
    """Return what the page reads in files."""
    key = next(KEY)
    given = json.dumps([[path.name, path.read_bytes().hex()] for path in paths])
    estimator.context.call("hayasa.readFile", key, given)
    read = json.loads(estimator.context.call("hayasa.fileRead", key))
    assert isinstance(read, dict)
    return read


def in_python(path: Path) -> dict[str, Any]:
    """Return the same by Python, as JSON would have it."""
    try:
        model, weights = hayasa.read_model(path)
    except HayasaError as error:
        # The page has the name of a file only.
        return {"error": {"type": type(error).__name__, "message": str(error).replace(f"{path.parent}/", "")}}
    fields = asdict(model)
    del fields["family"]  # which the page's tables do without
    stored = (
        None if weights is None else [weights.id, weights.name, weights.bits_per_weight, list(weights.stored or ())]
    )
    return json.loads(json.dumps({"model": fields, "weights": stored, "compute": weights and weights.compute_format}))


def differences(path: Path, read: dict[str, Any]) -> list[str]:
    """Name what the page reads otherwise than Python."""
    expected = in_python(path)
    if "error" in read or "error" in expected:
        return [] if read == expected else [f"{expected} {read}"]
    weights = read["weights"]
    stored = weights and [weights["id"], weights["name"], weights["bits_per_weight"], list(weights["stored"].values())]
    given = {"model": read["model"], "weights": stored, "compute": weights and weights["compute_format"]}
    del given["model"]["family"]
    return [
        f"{name}: Python {value!r}, page {given[part].get(name)!r}"
        for part in ("model",)
        for name, value in expected[part].items()
        if not alike(value, given[part].get(name))
    ] + [
        f"{part}: Python {expected[part]!r}, page {given[part]!r}"
        for part in ("weights", "compute")
        if not alike(expected[part], given[part])
    ]


def alike(one: object, other: object) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, bool) and not isinstance(other, bool):
        return one == other  # the tables of the page have 0 and 1
    return same(one, other)


@pytest.mark.parametrize("architecture", FILES)
def test_the_page_reads_a_gguf_file_as_python_does(estimator, tmp_path, architecture):
    keys, tensors, _ = FILES[architecture]
    path = tmp_path / "small;=%| 表.gguf"
    words = {"tokenizer.ggml.tokens": ["語"] * 5000, "general.name": "小さい"}
    write_gguf(path, architecture, {"general.file_type": 15, **words, **keys}, tensors)
    read = on_the_page(estimator, path)
    assert differences(path, read) == []
    # And answers with it as Python does, from what an address holds.
    model, weights = hayasa.read_model(path)
    chosen = state(model=read["text"], weights="file", context_length=1000, machines=[machine("rtx-4090")])
    (explained,) = json.loads(estimator.context.call("hayasa.explained", chosen))
    result = hayasa.estimate(model, "rtx-4090", weights=weights, engine="llama.cpp", context_length=1000)
    assert explained == [part._asdict() for part in hayasa.answer.explain.explanation(result)]


@pytest.mark.parametrize(
    ("file_type", "kind"), [(15, Type.Q4_K), (1, Type.MXFP4), (999, Type.Q4_0), (None, Type.TQ1_0)]
)
def test_the_format_is_the_same(estimator, tmp_path, file_type, kind):
    keys = KEYS if file_type is None else KEYS | {"general.file_type": file_type}
    tensors = {**EMBEDDING, **layer(0, ATTENTION, DENSE), **layer(1, ATTENTION, DENSE), **OUTPUT}
    bulk = {name: (shape, kind if len(shape) > 1 else one) for name, (shape, one) in tensors.items()}
    write_gguf(tmp_path / "one.gguf", "llama", keys, bulk)
    assert differences(tmp_path / "one.gguf", on_the_page(estimator, tmp_path / "one.gguf")) == []


def test_all_parts_of_a_split_file_are_chosen_together(estimator, tmp_path):
    keys, tensors, _ = FILES["qwen3moe"]
    paths = [tmp_path / f"big-{number:05}-of-00003.gguf" for number in (1, 2, 3)]
    for number, path in enumerate(paths):
        write_gguf(path, "qwen3moe", keys, dict(list(tensors.items())[number::3]))
    assert differences(paths[1], on_the_page(estimator, paths[1], paths[0], paths[2])) == []
    # Python looks for them itself.
    alone = on_the_page(estimator, paths[1])["error"]["message"]
    for path in (paths[0], paths[2]):
        path.unlink()
    assert in_python(paths[1])["error"]["message"] == alone
    assert "3 個に分かれたファイルのうち、big-00001-of-00003.gguf が見つかりません（ほかに 1 個）" in alone


@pytest.mark.parametrize("id_", CONFIGS)
def test_the_page_reads_a_config_as_python_does(estimator, tmp_path, id_):
    path = tmp_path / "config.json"
    path.write_text("\ufeff" + json.dumps(CONFIGS[id_] | {"limit": [0.0, float("inf")]}), encoding="utf-8")
    assert differences(path, on_the_page(estimator, path)) == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.dictionaries(CONFIG_KEYS, JSON, max_size=4), model_type=st.sampled_from([*KIN, "new"]))
@example(changes={"linear_attn_config": {}}, model_type="llama")
def test_a_damaged_config_is_the_same_to_both(estimator, tmp_path, changes, model_type):
    assume(not re.search(r"\d\.0\b|\de\+?\d", json.dumps(changes)))  # a whole number is an int there
    path = tmp_path / "config.json"
    path.write_text(json.dumps(CONFIGS["phi-4"] | {"model_type": model_type} | changes), encoding="utf-8")
    assert differences(path, on_the_page(estimator, path)) == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_header_is_the_same_to_both(estimator, tmp_path, data):
    path = tmp_path / "whole.gguf"
    if not path.exists():
        keys, tensors, _ = FILES["llama"]
        write_gguf(path, "llama", keys, tensors)
    whole = path.read_bytes()[:3000]
    place = data.draw(st.integers(4, len(whole) - 1))
    damaged = tmp_path / "damaged.gguf"
    cut = data.draw(st.booleans())
    # Bytes above 127 would be text that is none, which this browser's decoder refuses.
    byte = bytes([data.draw(st.integers(0, 127))])
    damaged.write_bytes(whole[:place] if cut else whole[:place] + byte + whole[place + 1 :])
    # A name of another length may hold such bytes, too.
    assume("\ufffd" not in str(in_python(damaged)))
    assert differences(damaged, on_the_page(estimator, damaged)) == []


@pytest.mark.parametrize(
    "content",
    [b"", b"GGUF", b"  \n", b"null", b"[1]", b"{}", b"\xff\xfe", b"{" * 9, b"GGUF" + b"\x09" * 60],
    ids=repr,
)
def test_what_is_no_model_is_refused_alike(estimator, tmp_path, content):
    path = tmp_path / "file.json"
    path.write_bytes(content)
    assert "error" in in_python(path) and differences(path, on_the_page(estimator, path)) == []


@pytest.mark.parametrize(
    "text",
    [
        "file:",
        "file:name=a",
        "file:layers=2",
        "file:id=x;stated_parameters=1",
        "file:toString=1;stated_parameters=1",
        "file:name=a;stated_parameters=NaN",
        "file:name=a;stated_parameters=1e9;stored=1,2",
        "file:name=a;stated_parameters=1e9;stored=1,2,3,4,5,-6",
        "file:name=a;stated_parameters=1e9;format=x;stored=1,2,3,4,5,6",
    ],
)
def test_an_address_that_stands_for_no_model_is_refused(estimator, text):
    (problem,) = json.loads(estimator.context.call("hayasa.explained", state(model=text, weights="file")))
    assert isinstance(problem, str) and problem


@pytest.mark.parametrize(
    "changed",
    [
        ("architectures.mjs", "a.place - b.place", "b.place - a.place"),
        ("files.mjs", 'value === "1"', 'value === "2"'),
        ("files.mjs", "fileData.bulk[block]", "fileData.bulk.nothing"),
    ],
)
def test_another_reading_is_noticed(tmp_path, changed):
    estimator = Estimator(*changed)
    found: list[str] = []
    for architecture in ("qwen3moe", "llama", "gemma3", "deepseek2", "glm4moe", "gemma4"):
        keys, tensors, _ = FILES[architecture]
        path = tmp_path / f"{architecture}.gguf"
        write_gguf(path, architecture, keys, tensors)
        found += differences(path, on_the_page(estimator, path))
    assert found
