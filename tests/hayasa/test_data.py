"""The tables in ``data/``: sources, units, names, and sums that must come out.

Nothing here imports ``hayasa``: parameter counts and file sizes are computed by
reference functions of this module, so that a formula of the package and a slip
in a table cannot hide each other.  Every checker is shown to complain about a
row that was broken on purpose.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[2] / "data"

Row = dict[str, str]


def read(name: str) -> list[Row]:
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


TABLES = {
    name: read(name)
    for name in (
        "devices",
        "models",
        "weight_formats",
        "gguf_blocks",
        "gguf_mixes",
        "gguf_file_sizes",
    )
}
NAMED_TABLES = ("devices", "models", "weight_formats", "gguf_blocks")
MODELS = {row["id"]: row for row in TABLES["models"]}
WEIGHT_FORMATS = {row["id"]: row for row in TABLES["weight_formats"]}
BLOCKS = {row["id"]: row for row in TABLES["gguf_blocks"]}


# ---------------------------------------------------------------- every table


def row_problems(row: Row) -> Iterator[str]:
    """Complain about a row of any table that does not say where it is from."""
    if None in row or None in row.values():
        yield "columns: the row has more or fewer cells than the header"
        return
    if not re.match(r"https?://\S+|JEDEC ", row["source"]):
        yield f"source: {row['source']!r} is no address"
    if row["source_kind"] not in {"primary", "secondary"}:
        yield f"source_kind: {row['source_kind']!r}"
    try:
        retrieved = date.fromisoformat(row["retrieved"])
    except ValueError:
        yield f"retrieved: {row['retrieved']!r} is no ISO date"
    else:
        if not date(2025, 1, 1) <= retrieved <= date(2100, 1, 1):
            yield f"retrieved: {retrieved} is out of range"
    for column in row:
        if row[column] != row[column].strip():
            yield f"{column}: blanks around {row[column]!r}"


def bounded(row: Row, column: str, low: float, high: float, *, required: bool) -> Iterator[str]:
    """Complain about a cell that is no number between two bounds."""
    text = row[column]
    if not text:
        if required:
            yield f"{column}: empty but required"
        return
    try:
        value = float(text)
    except ValueError:
        yield f"{column}: {text!r} is no number"
        return
    if not low <= value <= high:
        yield f"{column}: {value:g} is outside {low:g} to {high:g}"


def name_key(name: str) -> str:
    return re.sub(r"[^a-z0-9.+]", "", name.lower())


def name_problems(rows: Iterable[Row]) -> Iterator[str]:
    """Complain about an id that occurs twice and a spelling that two rows claim."""
    ids: set[str] = set()
    owner: dict[str, str] = {}
    for row in rows:
        if row["id"] in ids:
            yield f"id: {row['id']!r} occurs twice"
        ids.add(row["id"])
        if not re.fullmatch(r"[a-z0-9]+([._-][a-z0-9]+)*", row["id"]):
            yield f"id: {row['id']!r} is not lower-case kebab"
        aliases = row.get("aliases", "")
        spellings = [row["id"], row.get("name", ""), *(aliases.split("|") if aliases else [])]
        # A name that begins with "?" is said to be another row's too.
        for spelling in (name for name in spellings if name and not name.startswith("?")):
            if owner.setdefault(name_key(spelling), row["id"]) != row["id"]:
                yield f"aliases: {spelling!r} names {owner[name_key(spelling)]} and {row['id']}"


# -------------------------------------------------------------------- devices

DENSE_PEAKS = [
    f"peak_{name}_dense_{unit}"
    for name, unit in (
        ("fp16", "flop_per_s"),
        ("bf16", "flop_per_s"),
        ("fp8", "flop_per_s"),
        ("int8", "op_per_s"),
        ("int4", "op_per_s"),
        ("fp4", "flop_per_s"),
    )
]
FP16_ACCUMULATE = "peak_fp16_accumulate_fp16_dense_flop_per_s"


def device_problems(row: Row) -> Iterator[str]:
    """Complain about a device whose figures cannot be right."""
    # Of a CPU, and of a chip that shares its memory, nobody knows how much is built in.
    any_memory = row["family"] == "cpu" or row["unified_memory"] == "1"
    yield from bounded(row, "memory_bandwidth_bytes_per_s", 5e9, 2e13, required=True)
    yield from bounded(row, "memory_bytes", 2**30, 2**41, required=not any_memory)
    yield from bounded(row, "released", 2005, 2030, required=True)
    # Accelerators that are no GPUs have no published peak without their matrix units.
    gpu = not row["family"].startswith(("google", "aws", "habana"))
    yield from bounded(row, "peak_fp32_flop_per_s", 1e11, 2e14, required=bool(row["peak_source"]) and gpu)
    for column in (*DENSE_PEAKS, FP16_ACCUMULATE):
        yield from bounded(row, column, 1e12, 2e16, required=False)
    for column in ("gpu_cores", "sm_count"):
        yield from bounded(row, column, 4, 512, required=False)
    yield from bounded(row, "gpu_clock_hz", 5e8, 4e9, required=False)
    yield from bounded(row, "link_bandwidth_bytes_per_s", 1e9, 2e12, required=False)
    yield from bounded(row, "neural_engine_op_per_s", 1e12, 1e14, required=False)
    for dense in DENSE_PEAKS:
        sparse = dense.replace("_dense_", "_sparse_")
        if row[dense] and row[sparse]:
            ratio = float(row[sparse]) / float(row[dense])
            if abs(ratio - 2) > 0.01:
                yield f"{sparse}: {ratio:.3f} times the dense peak, not 2"
    if not row["peak_source"] and any(
        row[column] for column in row if column.endswith("op_per_s") and "peak" in column
    ):
        yield "peak_source: a peak without a source"
    if row[DENSE_PEAKS[0]] and row[FP16_ACCUMULATE]:
        slower = float(row[FP16_ACCUMULATE]) < float(row[DENSE_PEAKS[0]])
        if slower:
            yield f"{FP16_ACCUMULATE}: below the peak with fp32 accumulation"
    if row["memory_options_gb"] and row["memory_bytes"]:
        largest = max(float(size) for size in row["memory_options_gb"].split("|"))
        if largest * 2**30 != float(row["memory_bytes"]):
            yield "memory_bytes: not the largest of memory_options_gb"
    for name in filter(None, row["estimated"].split("|")):
        if name not in row or not (row[name] or (name == "gpu_cores" and row["sm_count"])):
            yield f"estimated: {name!r} is no column with a value"
    if row["family"].startswith(("nvidia", "amd", "apple", "intel")):
        if not (row["gpu_cores"] or row["sm_count"]) or not row["gpu_clock_hz"]:
            yield "gpu_cores: a GPU without cores or clock"
        if not (row[DENSE_PEAKS[0]] or row[DENSE_PEAKS[1]]):
            yield f"{DENSE_PEAKS[0]}: a GPU without a peak"
    if row["memory_channels"]:
        channels = int(row["memory_channels"])
        transfers = float(row["memory_bandwidth_bytes_per_s"]) / 8 / channels / 1e6
        if not 1000 <= transfers <= 10000 or abs(transfers - round(transfers)) > 0.01:
            yield f"memory_channels: {channels} would be {transfers:.2f} MT/s each"
    if row["vendor"] == "Apple" and not row["id"].endswith(f"-{row['gpu_cores']}c"):
        yield f"gpu_cores: {row['gpu_cores']!r} does not fit the id"


# --------------------------------------------------------------------- models

INTEGERS = [
    "layers",
    "hidden_size",
    "attention_heads",
    "kv_heads",
    "head_dim",
    "intermediate_size",
    "vocab_size",
    "context_length_max",
    "published_parameters",
]
FLAGS = [
    "tied_embeddings",
    "qkv_bias",
    "o_bias",
    "mlp_bias",
    "router_bias",
    "expert_bias",
    "attention_sinks",
    "qk_norm",
    "fused_projections",
]
MOE = ["moe_intermediate_size", "experts", "experts_per_token"]


def whole(row: Row, column: str) -> int:
    return int(row[column] or 0)


def attention_parameters(row: Row) -> int:
    """Weights of one layer's attention: projections, biases, norms, sinks."""
    hidden, heads = whole(row, "hidden_size"), whole(row, "attention_heads")
    if row["attention_kind"] == "mla":
        query_rank, cache_rank = whole(row, "q_lora_rank"), whole(row, "kv_lora_rank")
        nope, rope = whole(row, "qk_nope_head_dim"), whole(row, "qk_rope_head_dim")
        value = whole(row, "v_head_dim")
        query = heads * (nope + rope)
        query_weights = hidden * query_rank + query_rank + query_rank * query
        return (
            (query_weights if query_rank else hidden * query)
            + hidden * (cache_rank + rope)
            + cache_rank
            + cache_rank * heads * (nope + value)
            + heads * value * hidden
        )
    head_dim = whole(row, "head_dim")
    query_width, cache_width = heads * head_dim, whole(row, "kv_heads") * head_dim
    return (
        hidden * (query_width + 2 * cache_width)
        + query_width * hidden
        + whole(row, "qkv_bias") * (query_width + 2 * cache_width)
        + whole(row, "o_bias") * hidden
        + whole(row, "qk_norm") * 2 * head_dim
        + whole(row, "attention_sinks") * heads
    )


def parameters(row: Row) -> tuple[int, int]:
    """All parameters of the text model, and those one token passes through."""
    layers, hidden, vocab = (whole(row, c) for c in ("layers", "hidden_size", "vocab_size"))
    experts = whole(row, "experts")
    dense_layers = whole(row, "dense_layers") if experts else layers
    matrices = 3 if row["mlp_kind"] in {"swiglu", "geglu"} else 2

    def mlp(width: int) -> int:
        return matrices * hidden * width

    common = (
        layers * (attention_parameters(row) + whole(row, "norms_per_layer") * hidden)
        + dense_layers * mlp(whole(row, "intermediate_size"))
        + vocab * hidden * (1 if whole(row, "tied_embeddings") else 2)
        + hidden
    )
    width = whole(row, "moe_intermediate_size")
    biases = (matrices - 1) * width + hidden
    expert = mlp(width) + whole(row, "expert_bias") * biases
    router = experts * (hidden + whole(row, "router_bias"))
    shared = mlp(whole(row, "shared_expert_intermediate_size")) + router
    moe_layers = layers - dense_layers
    return (
        common + moe_layers * (experts * expert + shared),
        common + moe_layers * (whole(row, "experts_per_token") * expert + shared),
    )


def model_problems(row: Row) -> Iterator[str]:
    """Complain about a model whose columns do not add up to what was published."""
    problems = [p for c in INTEGERS for p in bounded(row, c, 1, 1e13, required=True)]
    problems += [p for c in FLAGS for p in bounded(row, c, 0, 1, required=True)]
    if row["experts"]:
        problems += [p for c in MOE for p in bounded(row, c, 1, 1e6, required=True)]
        columns = ("published_active_parameters", "shared_experts", "dense_layers")
        problems += [p for c in columns[1:] for p in bounded(row, c, 0, 1e3, required=True)]
        problems += bounded(row, columns[0], 1e8, 1e12, required=False)
    if not row["published_source"].startswith("https://"):
        problems.append("published_source: no address")
    if bool(row["sliding_window"]) != bool(row["sliding_window_layers"]):
        problems.append("sliding_window: window and number of layers go together")
    if problems:
        yield from problems
        return
    if any(whole(row, c) != float(row[c]) for c in INTEGERS):
        yield "integers: a count is not whole"
    heads, kv_heads = whole(row, "attention_heads"), whole(row, "kv_heads")
    kind = "mha" if heads == kv_heads else "mqa" if kv_heads == 1 else "gqa"
    if row["attention_kind"] not in {kind, "mla"} or heads % kv_heads:
        yield f"attention_kind: {row['attention_kind']} with {heads} heads over {kv_heads}"
    parts = whole(row, "qk_nope_head_dim") + whole(row, "qk_rope_head_dim")
    if row["attention_kind"] == "mla" and whole(row, "head_dim") != parts:
        yield "head_dim: not the sum of its parts"
    if whole(row, "sliding_window_layers") > whole(row, "layers"):
        yield "sliding_window_layers: more than there are layers"
    if not row["experts"] and (whole(row, "expert_bias") or whole(row, "router_bias")):
        yield "experts: biases of experts that are not there"
    if whole(row, "experts_per_token") > whole(row, "experts"):
        yield "experts_per_token: more than there are experts"
    total, active = parameters(row)
    published = whole(row, "published_parameters")
    counted = "safetensors" in row["published_source"]  # every element, not a rounded figure
    elements = total + whole(row, "other_parameters") + whole(row, "saved_buffer_elements")
    if abs(elements - published) > (0 if counted else 0.001 * published):
        yield f"published_parameters: computed {total:,}, published {published:,}"
    if row["published_active_parameters"]:
        if not whole(row, "active_includes_input_embedding"):
            active -= whole(row, "vocab_size") * whole(row, "hidden_size")
        error = active / whole(row, "published_active_parameters") - 1
        if abs(error) > 0.025:
            yield f"published_active_parameters: computed {active:,}"


# ------------------------------------------------------------- weight formats


def weight_format_problems(row: Row) -> Iterator[str]:
    """Complain about a format whose bits do not follow from its layout."""
    yield from bounded(row, "bits_per_weight", 1, 32, required=True)
    if row["kind"] not in {"plain", "file", "group"}:
        yield f"kind: {row['kind']!r}"
    if not re.fullmatch(r"exact|(published|computed):[a-z0-9.-]+", row["bits_per_weight_basis"]):
        yield f"bits_per_weight_basis: {row['bits_per_weight_basis']!r}"
    basis = row["bits_per_weight_basis"].partition(":")[2]
    if basis and basis not in MODELS:
        yield f"bits_per_weight_basis: unknown model {basis!r}"
    for column in ("embedding_format", "output_format"):
        if row[column] and row[column] not in WEIGHT_FORMATS:
            yield f"{column}: unknown format {row[column]!r}"
    if not set(row["compute_format"].split("|")) <= {"f32", "f16", "bf16", "fp8", "int8", "int4"}:
        yield f"compute_format: {row['compute_format']!r}"
    if row["kind"] == "group" and row["group_size"]:
        overhead = whole(row, "scale_bits") + whole(row, "zero_point_bits")
        bits = whole(row, "weight_bits") + overhead / whole(row, "group_size")
        if float(row["bits_per_weight"]) != bits:
            yield f"bits_per_weight: the layout gives {bits}"


def block_problems(row: Row) -> Iterator[str]:
    bits = 8 * whole(row, "block_bytes") / whole(row, "block_weights")
    if float(row["bits_per_weight"]) != bits:
        yield f"bits_per_weight: the block gives {bits}"
    if row["fallback_block"] and row["fallback_block"] not in BLOCKS:
        yield f"fallback_block: unknown block {row['fallback_block']!r}"


ROLES = [
    "default",
    "token_embd",
    "output",
    "attn_q",
    "attn_k",
    "attn_v",
    "attn_qkv",
    "attn_output",
    "ffn_gate",
    "ffn_up",
    "ffn_down",
    "ffn_gate_exps",
    "ffn_up_exps",
    "ffn_down_exps",
    "router",
]


def use_more_bits(layer: int, layers: int) -> bool:
    eighth = layers // 8
    return layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2


LAYERS: dict[str, Callable[[int, int], bool]] = {
    "all": lambda i, n: True,
    "more_bits": use_more_bits,
    "first_eighth": lambda i, n: i < n // 8,
    "first_sixteenth": lambda i, n: i < n // 16,
    "first_2": lambda i, n: i < 2,
    "first_4": lambda i, n: i < 4,
    "middle_three_quarters": lambda i, n: n // 8 <= i < 7 * n // 8,
}
WHEN: dict[str, Callable[[Row], bool]] = {
    "always": lambda m: True,
    "tied": lambda m: whole(m, "tied_embeddings") == 1,
    "experts_eq_8": lambda m: whole(m, "experts") == 8,
    "experts_ge_4": lambda m: whole(m, "experts") >= 4,
    "gqa_ge_4": lambda m: whole(m, "attention_heads") // whole(m, "kv_heads") >= 4,
    "llama_70b": lambda m: (
        whole(m, "layers") == 80
        and m["gguf_architecture"] in {"llama", "qwen2"}
        and whole(m, "kv_heads") < whole(m, "attention_heads")
    ),
}


def mix_problems(row: Row) -> Iterator[str]:
    """Complain about a rule in words that the rule does not know."""
    if row["weight_format"] not in WEIGHT_FORMATS:
        yield f"weight_format: unknown format {row['weight_format']!r}"
    if row["block"] not in BLOCKS:
        yield f"block: unknown block {row['block']!r}"
    if row["tensor_role"] not in ROLES:
        yield f"tensor_role: {row['tensor_role']!r}"
    if row["when"] not in WHEN:
        yield f"when: {row['when']!r}"
    if row["layers"] not in LAYERS:
        yield f"layers: {row['layers']!r}"


# ---------------------------------------------------- the size of a GGUF file


def matrices(model: Row) -> Iterator[tuple[str, int, int, int]]:
    """Role, layer, rows x copies and width (input features) of every matrix."""
    hidden, heads, head_dim = (whole(model, c) for c in ("hidden_size", "attention_heads", "head_dim"))
    cache_width = whole(model, "kv_heads") * head_dim
    experts = whole(model, "experts")
    dense_layers = whole(model, "dense_layers") if experts else whole(model, "layers")
    yield "token_embd", -1, whole(model, "vocab_size"), hidden
    if not whole(model, "tied_embeddings"):
        yield "output", -1, whole(model, "vocab_size"), hidden
    for i in range(whole(model, "layers")):
        if model["attention_kind"] == "mla":
            rank, cache_rank = whole(model, "q_lora_rank"), whole(model, "kv_lora_rank")
            rope, value = whole(model, "qk_rope_head_dim"), whole(model, "v_head_dim")
            if rank:
                yield "attn_q_a", i, rank, hidden
            yield ("attn_q_b" if rank else "attn_q"), i, heads * head_dim, rank or hidden
            yield "attn_kv_a", i, cache_rank + rope, hidden
            yield "attn_k_b", i, heads * cache_rank, head_dim - rope
            yield "attn_v_b", i, heads * value, cache_rank
            yield "attn_output", i, hidden, heads * value
        else:
            if whole(model, "fused_projections"):
                yield "attn_qkv", i, heads * head_dim + 2 * cache_width, hidden
            else:
                yield "attn_q", i, heads * head_dim, hidden
                yield "attn_k", i, cache_width, hidden
                yield "attn_v", i, cache_width, hidden
            yield "attn_output", i, hidden, heads * head_dim
        kinds = [("", 1, whole(model, "intermediate_size"))]
        if i >= dense_layers:
            yield "router", i, experts, hidden
            kinds = [("_exps", experts, whole(model, "moe_intermediate_size"))]
            kinds += [("_shexp", 1, whole(model, "shared_expert_intermediate_size"))]
        for suffix, copies, width in kinds:
            if whole(model, "fused_projections"):
                yield f"ffn_up{suffix}", i, copies * 2 * width, hidden
            elif width:
                yield f"ffn_gate{suffix}", i, copies * width, hidden
                yield f"ffn_up{suffix}", i, copies * width, hidden
            if width:
                yield f"ffn_down{suffix}", i, copies * hidden, width


def block_of(weight_format: str, model: Row, role: str, layer: int, width: int) -> Row:
    """The block type that the rules give to one matrix."""
    if role == "router":
        return BLOCKS["f32"]
    names = [role, re.sub("_(exps|shexp)$", "", role), "default"]
    rules = [r for r in TABLES["gguf_mixes"] if r["weight_format"] == weight_format]
    for name in names:
        for rule in rules:
            if (
                rule["tensor_role"] == name
                and WHEN[rule["when"]](model)
                and LAYERS[rule["layers"]](layer, whole(model, "layers"))
            ):
                block = BLOCKS[rule["block"]]
                while width % whole(block, "block_weights"):
                    block = BLOCKS[block["fallback_block"]]
                return block
    raise AssertionError(f"{weight_format} has no rule for {role}")


def file_bytes(weight_format: str, model: Row) -> float:
    """Bytes of all tensors; what is no matrix stays in 32 bits."""
    matrix_weights, total = 0, 0.0
    for role, layer, rows, width in matrices(model):
        matrix_weights += rows * width
        block = block_of(weight_format, model, role, layer, width)
        total += rows * width * float(block["bits_per_weight"]) / 8
    return total + 4 * (parameters(model)[0] - matrix_weights)


def file_size_problems(row: Row) -> Iterator[str]:
    """Complain about a published file size that the rules miss by over 0.5 %."""
    model = MODELS[row["model"]]
    computed = file_bytes(row["weight_format"], model)
    if row["size_gib"]:
        published = float(row["size_gib"]) * 2**30
    else:
        published = float(row["bits_per_weight"]) * parameters(model)[0] / 8
    if abs(computed / published - 1) > 0.005:
        yield f"{row['model']} {row['weight_format']}: {computed / published:.4f} of the published"


CHECKS: dict[str, Callable[[Row], Iterator[str]]] = {
    "devices": device_problems,
    "models": model_problems,
    "weight_formats": weight_format_problems,
    "gguf_blocks": block_problems,
    "gguf_mixes": mix_problems,
    "gguf_file_sizes": file_size_problems,
}


# ---------------------------------------------------------------------- tests


@pytest.mark.parametrize("table", TABLES)
def test_every_row_is_sound(table: str) -> None:
    assert TABLES[table], f"{table}.csv is empty"
    problems = [
        f"{row.get('id') or number}: {problem}"
        for number, row in enumerate(TABLES[table], start=2)
        for check in (row_problems, CHECKS[table])
        for problem in check(row)
    ]
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("table", NAMED_TABLES)
def test_names_are_unique(table: str) -> None:
    assert not list(name_problems(TABLES[table]))


def test_rules_of_a_format_start_with_its_default() -> None:
    first: dict[str, str] = {}
    for row in TABLES["gguf_mixes"]:
        first.setdefault(row["weight_format"], row["tensor_role"])
    assert set(first.values()) == {"default"}
    files = {id_ for id_, row in WEIGHT_FORMATS.items() if row["kind"] == "file"}
    assert files <= set(first)


# Published by the makers or counted in their published weights; see the sources in models.csv.
EXACT = {
    "llama-3.1-8b": 8_030_261_248,
    "llama-3.1-405b": 405_853_388_800,
    "qwen2.5-7b": 7_615_616_512,
    "qwen3-30b-a3b": 30_532_122_624,
    "mixtral-8x7b": 46_702_792_704,
    "gpt-oss-20b": 20_914_757_184,
    "gpt-oss-120b": 116_829_156_672,
    "phi-4": 14_659_507_200,
    "smollm2-135m": 134_515_008,
}


@pytest.mark.parametrize(("model", "count"), EXACT.items())
def test_parameters_come_out_exactly(model: str, count: int) -> None:
    assert parameters(MODELS[model])[0] == count


def test_deepseek_v3_has_671_billion_and_37_active() -> None:
    total, active = parameters(MODELS["deepseek-v3"])
    assert total == pytest.approx(671.0e9, rel=1e-4)
    embedding = whole(MODELS["deepseek-v3"], "vocab_size") * 7168
    assert active - embedding == pytest.approx(36.6e9, rel=2e-3)
    assert active == pytest.approx(37.55e9, rel=2e-3)


# Ids that the book and its readers rely on.
REQUIRED = {
    "devices": """a40 l40s a100-40gb-pcie a100-40gb-sxm a100-80gb-pcie a100-80gb-sxm
        h100-80gb-pcie h100-80gb-sxm h200-141gb-sxm b200-180gb-sxm l4 rtx-3070 rtx-3080
        rtx-3080-ti rtx-3090 rtx-4070-ti rtx-4080 rtx-4090 rtx-5070-ti rtx-5080 rtx-5090
        rtx-a6000 rtx-4000-ada rtx-5000-ada rtx-6000-ada rtx-pro-6000-blackwell
        apple-m4-10c apple-m1-max-32c apple-m2-ultra-76c apple-m3-ultra-80c dgx-spark
        ryzen-ai-max-395 mi300x rx-7900-xt rx-7900-xtx raspberry-pi-5
        jetson-agx-orin-64gb ddr4-3200-dual ddr5-5600-dual""",
    "models": """llama-2-7b llama-2-13b llama-2-70b llama-3-8b llama-3.1-8b llama-3-70b
        qwen2.5-7b qwen3-4b qwen3-30b-a3b gemma-3-4b gpt-oss-20b deepseek-v3""",
    "weight_formats": """f32 f16 bf16 fp8 int8 int4 q8_0 q4_k_m q4_0 mxfp4 mlx-q8 mlx-q4
        gptq-int4-g128 awq-int4-g128""",
}


@pytest.mark.parametrize("table", REQUIRED)
def test_the_rows_everyone_relies_on_are_there(table: str) -> None:
    assert set(REQUIRED[table].split()) <= {row["id"] for row in TABLES[table]}


def test_figures_of_the_article() -> None:
    devices = {row["id"]: row for row in TABLES["devices"]}
    a100, m4 = devices["a100-80gb-pcie"], devices["apple-m4-10c"]
    assert float(a100["memory_bandwidth_bytes_per_s"]) == 1935e9
    assert float(a100["peak_int4_dense_op_per_s"]) == 1248e12
    assert float(m4["memory_bandwidth_bytes_per_s"]) == 120e9
    assert float(m4["neural_engine_op_per_s"]) == 38e12


MENDED = [
    ("rtx-4060-ti", "link_bandwidth_bytes_per_s", 16e9),
    ("rtx-4060", "link_bandwidth_bytes_per_s", 16e9),
    ("rtx-5060-ti", "link_bandwidth_bytes_per_s", 32e9),
    ("v100-16gb-sxm", "memory_bandwidth_bytes_per_s", 897e9),
    ("v100-16gb-sxm", "gpu_clock_hz", 1530e6),
    ("v100-16gb-sxm", "released", 2017),
    ("apple-m4-10c", "peak_fp32_flop_per_s", 4.04e12),
    ("apple-m6-12c", "memory_bandwidth_bytes_per_s", 170e9),
    ("apple-m6-16gb-12c", "memory_bandwidth_bytes_per_s", 153e9),
    ("jetson-agx-orin-64gb", "peak_int8_dense_op_per_s", 85.2e12),
    ("jetson-orin-nx-16gb", "peak_int8_dense_op_per_s", 30.08e12),
    ("jetson-agx-thor", "peak_fp32_flop_per_s", 8.06e12),
    ("b200-180gb-sxm", "sm_count", 148),
    ("h20-96gb", "sm_count", 78),
    ("rx-7800-xt", "gpu_cores", 60),
    ("rx-6800-xt", "gpu_cores", 72),
    ("rx-6900-xt", "gpu_cores", 80),
    ("mi100", "gpu_cores", 120),
    ("mi50-16gb", "gpu_cores", 60),
]


@pytest.mark.parametrize(("id_", "column", "right"), MENDED)
def test_what_once_was_wrong_is_right(id_: str, column: str, right: float) -> None:
    row = next(row for row in TABLES["devices"] if row["id"] == id_)
    assert float(row[column]) == pytest.approx(right, rel=1e-3)


def test_clocks_of_apple_come_from_one_kind_of_source() -> None:
    """It is what macOS itself reports, and by it only the M3 is slower than the one before, by 1 %."""
    cores: dict[str, set[float]] = {}
    for row in TABLES["devices"]:
        if row["family"].startswith("apple-m"):
            speed = float(row["peak_fp32_flop_per_s"]) / int(row["gpu_cores"])
            assert speed == pytest.approx(256 * float(row["gpu_clock_hz"]), rel=1e-3)
            cores.setdefault(row["family"], set()).add(speed)
    slowest = [min(cores[f"apple-m{generation}"]) for generation in (1, 2, 4, 5)]
    assert slowest == sorted(slowest)


def test_the_memory_of_the_ultra_and_the_m6() -> None:
    options = {row["id"]: row["memory_options_gb"] for row in TABLES["devices"]}
    assert options["apple-m5-ultra-80c"] == "256|512" and options["apple-m5-ultra-64c"] == "96"
    assert options["apple-m6-12c"] == "24|32" and options["apple-m6-16gb-12c"] == "16"


def reference_problems(row: Row) -> Iterator[str]:
    """Complain about a measurement of a device or model that no table knows."""
    for column, table in (("device", "devices"), ("model", "models")):
        spellings = {
            name_key(name)
            for known in TABLES[table]
            for name in (known["id"], known["name"], *known["aliases"].split("|"))
        }
        if name_key(row[column]) not in spellings:
            yield f"{column}: {row[column]!r} is in no table"


MEASUREMENTS = sorted((DATA / "measurements").glob("*.csv"))


@pytest.mark.parametrize("path", MEASUREMENTS, ids=lambda path: path.stem)
def test_measurements_speak_of_known_devices_and_models(path: Path) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        rows = {(row["device"], row["model"]): row for row in csv.DictReader(file)}
    assert not [problem for row in rows.values() for problem in reference_problems(row)]


# -------------------------------------------- each checker is seen to complain

BROKEN = [
    ("devices", "source", ""),
    ("devices", "source", "somewhere"),
    ("devices", "source_kind", "rumour"),
    ("devices", "retrieved", ""),
    ("devices", "retrieved", "22.11.2026"),
    ("devices", "note", "blank at the end "),
    ("devices", "memory_bandwidth_bytes_per_s", ""),
    ("devices", "memory_bandwidth_bytes_per_s", "1935"),
    ("devices", "memory_bandwidth_bytes_per_s", "fast"),
    ("devices", "memory_bytes", "80"),
    ("devices", "peak_fp32_flop_per_s", ""),
    ("devices", "peak_fp16_dense_flop_per_s", "312"),
    ("devices", "peak_fp16_dense_flop_per_s", "624000000000000"),
    ("devices", "peak_int4_sparse_op_per_s", "1248000000000000"),
    ("devices", "peak_source", ""),
    ("devices", "released", "1905"),
    ("devices", "sm_count", ""),
    ("devices", "gpu_clock_hz", ""),
    ("devices", "estimated", "gpu_speed"),
    ("devices", "estimated", "peak_fp4_dense_flop_per_s"),
    ("devices", "memory_channels", "7"),
    ("models", "source", ""),
    ("models", "published_source", "the card"),
    ("models", "layers", ""),
    ("models", "layers", "33"),
    ("models", "hidden_size", "4100"),
    ("models", "kv_heads", "7"),
    ("models", "attention_kind", "mha"),
    ("models", "tied_embeddings", "1"),
    ("models", "tied_embeddings", ""),
    ("models", "sliding_window", "4096"),
    ("models", "published_parameters", "8000000000000"),
    ("weight_formats", "source", ""),
    ("weight_formats", "bits_per_weight", "0.5"),
    ("weight_formats", "bits_per_weight", "4.6"),
    ("weight_formats", "group_size", "128"),
    ("weight_formats", "kind", "magic"),
    ("weight_formats", "embedding_format", "f15"),
    ("weight_formats", "compute_format", "f13"),
    ("weight_formats", "bits_per_weight_basis", "guess"),
    ("gguf_blocks", "block_bytes", "145"),
    ("gguf_blocks", "fallback_block", "q9"),
    ("gguf_mixes", "block", "q9"),
    ("gguf_mixes", "when", "sometimes"),
    ("gguf_mixes", "layers", "most"),
    ("gguf_mixes", "tensor_role", "nose"),
    ("gguf_mixes", "weight_format", "q9_9"),
    ("gguf_file_sizes", "bits_per_weight", "4.8"),
    ("gguf_file_sizes", "source", ""),
]
SOUND = {
    "devices": "a100-80gb-pcie",
    "models": "llama-3.1-8b",
    "weight_formats": "mlx-q4",
    "gguf_blocks": "q4_k",
}


def sound_row(table: str) -> Row:
    rows = TABLES[table]
    if table in SOUND:
        return next(row for row in rows if row["id"] == SOUND[table])
    return next(row for row in rows if row["weight_format"] == "q4_k_m")


@pytest.mark.parametrize(("table", "column", "value"), BROKEN)
def test_a_broken_cell_is_noticed(table: str, column: str, value: str) -> None:
    row = sound_row(table)
    assert row[column] != value
    broken = row | {column: value}
    assert [p for check in (row_problems, CHECKS[table]) for p in check(broken)]


def test_a_row_with_a_missing_cell_is_noticed() -> None:
    row: dict = dict(sound_row("devices"))
    row["note"] = None  # what csv.DictReader makes of a short row
    assert list(row_problems(row))


def test_a_name_used_twice_is_noticed() -> None:
    row = sound_row("devices")
    assert list(name_problems([row, row]))
    assert list(name_problems([row, row | {"id": "other", "name": "Other"}]))
    assert list(name_problems([row | {"id": "Not Kebab"}]))
    assert not list(name_problems([row]))


def test_a_mixture_of_experts_that_lost_experts_is_noticed() -> None:
    row = MODELS["qwen3-30b-a3b"]
    assert not list(model_problems(row))
    assert list(model_problems(row | {"experts": "120"}))
    assert list(model_problems(row | {"experts_per_token": "4"}))
    assert list(model_problems(row | {"experts_per_token": ""}))
    assert list(model_problems(row | {"dense_layers": ""}))


def test_a_wrong_latent_attention_is_noticed() -> None:
    row = MODELS["deepseek-v3"]
    assert list(model_problems(row | {"kv_lora_rank": "1024"}))
    assert list(model_problems(row | {"qk_rope_head_dim": "32"}))


def test_a_measurement_of_an_unknown_device_is_noticed() -> None:
    known = {"device": "RTX 4090", "model": "meta-llama/Llama-3.1-8B"}
    assert not list(reference_problems(known))
    assert list(reference_problems(known | {"device": "rtx-9999"}))
    assert list(reference_problems(known | {"model": "llama-9-9b"}))


def test_a_device_with_two_capacities_is_noticed() -> None:
    row = next(row for row in TABLES["devices"] if row["id"] == "apple-m4-pro-20c")
    assert not list(device_problems(row))
    assert list(device_problems(row | {"memory_options_gb": "24|48"}))
    assert list(device_problems(row | {"gpu_cores": "16"}))
