"""The calculator in a real browser: whatever a reader changes, the page says what hayasa says."""

from copy import deepcopy

import pytest

import hayasa
from hayasa.datasets import device_rows, parse_number
from hayasa.units import GIB
from tests.browser.calculator import Calculator, Machine, View, differences
from tests.checks.report import expect_none

pytestmark = pytest.mark.browser


def article() -> View:
    """Return the article's comparison, its Mac mini counted with the Neural Engine."""
    row = device_rows()["apple-m4-10c"]
    mini = {
        "name": "Mac mini M4",
        "family": "apple",
        "memory_bandwidth_bytes_per_s": hayasa.get_device("apple-m4-10c").memory_bandwidth_bytes_per_s,
        "memory_capacity_bytes": min(map(int, row["memory_options_gb"].split("|"))) * GIB,
        "peak_int4_dense_op_per_s": parse_number(row, "neural_engine_op_per_s", "devices.csv"),
    }
    machines = [Machine("a100-80gb-pcie"), Machine(mini)]
    return View({"stated_parameters": 7e9}, weights="int4", engine="ideal", machines=machines)


@pytest.fixture
def calculator(visitor):
    """Return the calculator; whatever goes wrong on its page fails the test."""
    yield Calculator(visitor)
    expect_none(visitor.problems)


# ---------------------------------------------------------------- what the page says


def test_the_opening_view_is_the_comparison_of_the_article(calculator):
    shown = calculator.open().read()
    expect_none(differences(shown, article()))
    limits = [result.batch_size / seconds for result in article().results() for seconds in (result.memory_latency_s, result.compute_latency_s)]
    assert [f"{limit:,.1f}" for limit in limits] == ["552.9", "89,142.9", "34.3", "2,714.3"]
    for card, memory, compute in zip(shown["cards"], limits[::2], limits[1::2], strict=True):
        assert card["facts"]["メモリの限界"] == f"{memory:,.1f} トークン/秒"
        assert card["facts"]["計算の限界"] == f"{compute:,.1f} トークン/秒"


# A step: what it is called, what the reader does, and what that makes of the view.


def set_to(**values):
    """Return a change of the conditions."""

    def change(view):
        for name, value in values.items():
            setattr(view, name, value)

    return change


def set_machine(number, **values):
    """Return a change of a machine, from 1."""

    def change(view):
        for name, value in values.items():
            setattr(view.machines[number - 1], name, value)

    return change


def set_number(number, **values):
    """Return a change of a device of one's own."""
    return lambda view: view.machines[number - 1].device.update(values)


def set_size(**values):
    """Return a change of a model of one's own."""
    return lambda view: view.model.update(values)


def unfold(calculator):
    calculator.root.locator(".hy-more summary").click()


CONDITIONS = [
    ("モデル", lambda c: c.choose("モデル", "llama-3.1-8b"), set_to(model="llama-3.1-8b")),
    ("重み", lambda c: c.choose("重みの形式", "q4_k_m"), set_to(weights="q4_k_m")),
    ("エンジン", lambda c: c.choose("エンジン", "llama.cpp"), set_to(engine="llama.cpp")),
    ("バッチ", lambda c: c.type("バッチサイズ", "6"), set_to(batch_size=6)),
    ("バッチのつまみ", lambda c: c.press("バッチサイズ（スライダー）", "ArrowRight"), set_to(batch_size=16)),
    ("文脈", lambda c: c.type("文脈の長さ", "4,096"), set_to(context_length=4096)),
    ("文脈のつまみ", lambda c: c.press("文脈の長さ（スライダー）", "ArrowRight"), set_to(context_length=8192)),
    ("プロンプト", lambda c: (unfold(c), c.type("プロンプトの長さ", "１２３")), set_to(prompt_length=123)),
    ("KVキャッシュ", lambda c: c.choose("KVキャッシュの形式", "q8_0"), set_to(kv_cache="q8_0")),
    ("台数", lambda c: c.type("台数", "2", 1), set_machine(1, devices=2)),
    ("分け方", lambda c: c.choose("複数台での分け方", "tensor"), set_to(split="tensor")),
    ("機種", lambda c: c.choose("機種", "apple-m2-8c", 1), set_machine(1, device="apple-m2-8c")),
    ("メモリ", lambda c: c.choose("メモリ", str(8 * GIB), 1), set_machine(1, memory_gb=8)),
    ("バッチを戻す", lambda c: c.press("バッチサイズ（スライダー）", "Home"), set_to(batch_size=1)),
    ("プロンプトを消す", lambda c: c.type("プロンプトの長さ", ""), set_to(prompt_length=None)),
    ("MLX", lambda c: c.choose("エンジン", "mlx"), set_to(engine="mlx")),
    ("MoE", lambda c: c.choose("モデル", "deepseek-v3"), set_to(model="deepseek-v3")),
    ("vLLM", lambda c: c.choose("エンジン", "vllm"), set_to(engine="vllm")),
]

OWN_MACHINE = [
    ("名前", lambda c: c.type("名前", "机の上の & 'Mac'; <b>*2</b>", 2), set_number(2, name="机の上の & 'Mac'; <b>*2</b>")),
    ("帯域幅", lambda c: c.type("メモリ帯域幅（GB/s）", "273", 2), set_number(2, memory_bandwidth_bytes_per_s=273e9)),
    ("int4", lambda c: c.type("int4の演算（TOPS）", "68.7", 2), set_number(2, peak_int4_dense_op_per_s=68.7e12)),
    ("エンジン", lambda c: c.choose("エンジン", "llama.cpp"), set_to(engine="llama.cpp")),
    ("種類", lambda c: c.choose("種類", "nvidia", 2), set_number(2, family="nvidia")),
    ("重み", lambda c: c.choose("重みの形式", "int8"), set_to(weights="int8")),
    ("int8", lambda c: c.type("int8の演算（TOPS）", "34.1", 2), set_number(2, peak_int8_dense_op_per_s=34.1e12)),
    ("重み16", lambda c: c.choose("重みの形式", "f16"), set_to(weights="f16")),
    ("fp16", lambda c: c.type("fp16の演算（TFLOPS）", "17.1", 2), set_number(2, peak_fp16_dense_flop_per_s=17.1e12)),
    ("メモリ", lambda c: c.type("メモリ（GB）", "8", 2), set_number(2, memory_capacity_bytes=8 * GIB)),
    ("メモリなし", lambda c: c.type("メモリ（GB）", "", 2), set_number(2, memory_capacity_bytes=0)),
    ("台数", lambda c: c.type("台数", "4", 2), set_machine(2, devices=4)),
    ("名前なし", lambda c: c.type("名前", "", 2), set_number(2, name="")),
]

OWN_SHAPE = dict.fromkeys(
    ("layers", "hidden_size", "attention_heads", "kv_heads", "head_dim", "intermediate_size", "vocab_size")
)


def example_shape(view):
    view.model = {name: getattr(hayasa.get_model("llama-3.1-8b"), name) for name in OWN_SHAPE}


def check_shape(calculator):
    calculator.root.get_by_role("checkbox").click()


OWN_MODEL = [
    ("パラメータ数", lambda c: c.type("パラメータ数", "130億"), set_size(stated_parameters=130e8)),
    ("Bで書く", lambda c: c.type("パラメータ数", "1.5B"), set_size(stated_parameters=1.5e9)),
    ("文脈", lambda c: c.type("文脈の長さ", "3000"), set_to(context_length=3000)),  # needs a shape: an error in every card
    ("形", check_shape, example_shape),
    ("層", lambda c: c.type("層の数", "40"), set_size(layers=40)),
    ("隠れ次元", lambda c: c.type("隠れ次元", "5120"), set_size(hidden_size=5120)),
    ("ヘッド", lambda c: c.type("ヘッド数", "40"), set_size(attention_heads=40)),
    ("KVヘッド", lambda c: c.type("KVヘッド数", "10"), set_size(kv_heads=10)),
    ("次元", lambda c: c.type("ヘッドの次元", "64"), set_size(head_dim=64)),
    ("FFN", lambda c: c.type("FFNの幅", "13824"), set_size(intermediate_size=13824)),
    ("語彙", lambda c: c.type("語彙の数", "32000"), set_size(vocab_size=32000)),
    ("表のモデル", lambda c: c.choose("モデル", "llama-2-7b"), set_to(model="llama-2-7b")),
    ("自分のモデル", lambda c: (c.type("文脈の長さ", "0"), c.choose("モデル", "own")), set_to(context_length=0, model={"stated_parameters": 7e9})),
]


def add(view):
    view.machines.append(deepcopy(view.machines[-1]))


MACHINES = [
    ("加える", lambda c: c.add(), add),
    ("三つめを変える", lambda c: c.type("メモリ帯域幅（GB/s）", "546", 3), set_number(3, memory_bandwidth_bytes_per_s=546e9)),
    ("もう一つ加える", lambda c: c.add(), add),
    ("表の機種", lambda c: c.choose("機種", "rtx-4090", 4), set_machine(4, device="rtx-4090")),
    ("二つめを外す", lambda c: c.remove(2), lambda view: view.machines.pop(1)),
    ("また加える", lambda c: c.add(), add),
    ("その機種", lambda c: c.choose("機種", "apple-m4-max-40c", 4), set_machine(4, device="apple-m4-max-40c")),
    ("そのメモリ", lambda c: c.choose("メモリ", str(64 * GIB), 4), set_machine(4, memory_gb=64)),
    ("自分の機械", lambda c: c.choose("機種", "own", 1), set_machine(1, device={
        "family": "apple",
        "memory_bandwidth_bytes_per_s": hayasa.get_device("apple-m4-10c").memory_bandwidth_bytes_per_s,
        "memory_capacity_bytes": hayasa.get_device("apple-m4-10c").memory_capacity_bytes,
    })),
    ("一つめを外す", lambda c: c.remove(1), lambda view: view.machines.pop(0)),
    ("さらに外す", lambda c: c.remove(1), lambda view: view.machines.pop(0)),
    ("一つだけ残す", lambda c: c.remove(1), lambda view: view.machines.pop(0)),
]

walks = pytest.mark.parametrize(
    "steps", [CONDITIONS, OWN_MACHINE, OWN_MODEL, MACHINES], ids=["条件", "自分の機械", "自分のモデル", "機械の数"]
)


@walks
def test_every_change_shows_what_hayasa_says(calculator, steps):
    view, before, found = article(), calculator.open().read(), []
    for name, do, change in steps:
        do(calculator)
        change(view)
        shown = calculator.read()
        found += [f"{name}: {difference}" for difference in differences(shown, view)]
        if (shown["cards"], shown["code"]) == (before["cards"], before["code"]):
            found.append(f"{name}: 何も変わりませんでした")
        before = shown
    expect_none(found)
