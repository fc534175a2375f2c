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

from hayasa.catalog.objects import get_device, get_model
from hayasa.errors import UnknownNameError

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
        "speed_causes",
        "memory_reserves",
        "engine_memory",
        "processors",
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
    processor = row["family"].startswith("cpu")
    any_memory = processor or row["unified_memory"] == "1"
    yield from bounded(row, "memory_bandwidth_bytes_per_s", 5e9, 2e13, required=True)
    yield from bounded(row, "memory_bytes", 2**30, 2**41, required=not any_memory)
    yield from bounded(row, "released", 2005, 2030, required=True)
    # Accelerators that are no GPUs have no published peak without their matrix units.
    gpu = not row["family"].startswith(("google", "aws", "habana"))
    yield from bounded(row, "peak_fp32_flop_per_s", 1e11, 2e14, required=bool(row["peak_source"]) and gpu)
    for column in (*DENSE_PEAKS, FP16_ACCUMULATE):
        yield from bounded(row, column, 1e12, 2e16, required=False)
    for column in ("gpu_cores", "sm_count"):
        yield from bounded(row, column, 2 if processor else 4, 512, required=False)
    yield from bounded(row, "gpu_clock_hz", 5e8, 6e9 if processor else 4e9, required=False)
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
MIXERS = set("AWawIRQZLKMC-")
MLPS = set("D2EB-")
# Columns that a letter of the pattern needs.
NEEDED = {
    "sliding_window": set("WwQZ"),
    "index_heads": set("IQ"),
    "index_head_dim": set("IQ"),
    "index_top_k": set("IRQ"),
    "state_heads": set("LKM"),
    "state_head_dim": set("LKM"),
    "state_groups": set("LKM"),
    "state_dim": set("LKM"),
    "conv_kernel": set("LKMC"),
}
MOE = ["moe_intermediate_size", "experts", "experts_per_token"]


def whole(row: Row, column: str) -> int:
    return int(row[column] or 0)


def layer_letters(row: Row) -> list[tuple[str, str]]:
    """What mixes tokens and what follows, layer by layer."""
    layers, windowed = whole(row, "layers"), whole(row, "sliding_window_layers")
    dense = whole(row, "dense_layers") if row["experts"] else layers
    mixers = row["mixer_pattern"] or "W" * windowed + "A" * (layers - windowed)
    mlps = row["mlp_pattern"] or "D" * dense + "E" * (layers - dense)
    return [(mixers[i % len(mixers)], mlps[i % len(mlps)]) for i in range(layers)]


def attention_widths(row: Row, mixer: str) -> tuple[int, int, int, int]:
    """Widths of all queries, keys and values of a layer, and its number of heads."""
    heads, kv_heads, key = (whole(row, c) for c in ("attention_heads", "kv_heads", "head_dim"))
    if mixer in "Ww":
        heads = whole(row, "window_attention_heads") or heads
        kv_heads = whole(row, "window_kv_heads") or kv_heads
        key = whole(row, "window_head_dim") or key
    value = whole(row, "v_head_dim") or key
    return heads * key, kv_heads * key, kv_heads * value, heads


def mixer_matrices(row: Row, mixer: str) -> Iterator[tuple[str, int, int]]:
    """Role, rows x copies and width (input features) of the matrices that mix tokens."""
    hidden, rank = whole(row, "hidden_size"), whole(row, "q_lora_rank")
    inner, keys = (
        whole(row, "state_heads") * whole(row, "state_head_dim"),
        whole(row, "state_groups") * whole(row, "state_dim"),
    )
    heads, head_dim = whole(row, "attention_heads"), whole(row, "head_dim")
    if mixer == "-":
        return
    if mixer == "C":
        yield "shortconv_in_proj", 3 * hidden, hidden
        yield "shortconv_out_proj", hidden, hidden
    elif mixer == "M":
        yield "ssm_in", 2 * inner + 2 * keys + whole(row, "state_heads"), hidden
        yield "ssm_out", hidden, inner
    elif mixer in "LK":
        yield "attn_qkv", inner + 2 * keys, hidden
        yield "ssm_beta", whole(row, "state_heads"), hidden
        yield "ssm_out", hidden, inner
        if mixer == "L":
            yield "attn_gate", inner, hidden
            yield "ssm_alpha", whole(row, "state_heads"), hidden
        else:
            for name in ("ssm_f", "ssm_g"):
                yield f"{name}_a", whole(row, "state_head_dim"), hidden
                yield f"{name}_b", inner, whole(row, "state_head_dim")
    elif row["attention_kind"] == "mla":
        cache_rank = whole(row, "kv_lora_rank")
        rope, value = whole(row, "qk_rope_head_dim"), whole(row, "v_head_dim")
        nope = whole(row, "qk_nope_head_dim")
        if rank:
            yield "attn_q_a", rank, hidden
        yield ("attn_q_b" if rank else "attn_q"), heads * (nope + rope), rank or hidden
        yield "attn_kv_a", cache_rank + rope, hidden
        yield "attn_k_b", heads * cache_rank, nope
        yield "attn_v_b", heads * value, cache_rank
        yield "attn_output", hidden, heads * value
    elif row["attention_kind"] == "shared":
        groups = whole(row, "o_groups")
        yield "attn_q_a", rank, hidden
        yield "attn_q_b", heads * head_dim, rank
        yield "attn_kv", head_dim, hidden
        yield "attn_output_a", groups * whole(row, "o_lora_rank"), heads * head_dim // groups
        yield "attn_output_b", hidden, groups * whole(row, "o_lora_rank")
        if mixer in "QZ":
            yield "attn_compressor", {"Q": 4, "Z": 2}[mixer] * head_dim, hidden
    else:
        query, key, value, heads = attention_widths(row, mixer)
        own = mixer not in "aw"
        value_matrix = value * (own and not (mixer == "A" and row["keys_are_values"] == "1"))
        if whole(row, "fused_projections"):
            yield "attn_qkv", query + key + value, hidden
        else:
            yield "attn_q", query + heads * whole(row, "attention_gate_dim"), hidden
            if own:
                yield "attn_k", key, hidden
            if value_matrix:
                yield "attn_v", value, hidden
        yield "attn_output", hidden, heads * (whole(row, "v_head_dim") or query // heads)
    if mixer in "IQ":
        width = whole(row, "index_head_dim")
        yield "indexer_q_b", whole(row, "index_heads") * width, rank or hidden
        if row["attention_kind"] in {"mla", "shared"}:
            yield "indexer_proj", whole(row, "index_heads"), hidden
        if mixer == "Q":
            yield "attn_compressor", 4 * width, hidden
        else:
            yield "indexer_k", width, hidden


def mixer_vectors(row: Row, mixer: str) -> int:
    """Weights that mix tokens and are no matrices: norms, biases, sinks, convolutions."""
    inner, keys = (
        whole(row, "state_heads") * whole(row, "state_head_dim"),
        whole(row, "state_groups") * whole(row, "state_dim"),
    )
    heads, kernel = whole(row, "state_heads"), whole(row, "conv_kernel")
    if mixer == "-":
        return 0
    if mixer == "C":
        return kernel * whole(row, "hidden_size")
    if mixer == "M":
        return (kernel + 1) * (inner + 2 * keys) + 3 * heads + inner
    if mixer == "L":
        return kernel * (inner + 2 * keys) + 2 * heads + whole(row, "state_head_dim")
    if mixer == "K":
        return kernel * (inner + 2 * keys) + heads + inner + whole(row, "state_head_dim")
    index = whole(row, "index_head_dim")
    if row["attention_kind"] == "mla":
        return whole(row, "q_lora_rank") + whole(row, "kv_lora_rank") + 2 * index * (mixer == "I")
    query, key, value, heads = attention_widths(row, mixer)
    sinks = whole(row, "attention_sinks") * heads
    if row["attention_kind"] == "shared":
        head_dim = whole(row, "head_dim")
        compressor = {"Q": (4 * 2 + 1) * (head_dim + index), "Z": (128 + 1) * head_dim}
        return whole(row, "q_lora_rank") + head_dim + sinks + compressor.get(mixer, 0)
    own = mixer not in "aw"
    return (
        whole(row, "qkv_bias") * (query + key + value)
        + whole(row, "o_bias") * whole(row, "hidden_size")
        + whole(row, "qk_norm") * (1 + own) * (query // heads)
        + whole(row, "qk_norm_over_heads") * (query + key)
        + sinks
        + 2 * index * (mixer == "I")
    )


def mlp_matrices(row: Row, mlp: str) -> Iterator[tuple[str, int, int]]:
    """Role, rows x copies and width of the matrices of a feed-forward part."""
    hidden, experts = whole(row, "hidden_size"), whole(row, "experts")
    latent = whole(row, "moe_latent_size")
    kinds = []
    if mlp in "D2B":
        kinds.append(("", 1, whole(row, "intermediate_size") * (2 if mlp == "2" else 1), hidden))
    if mlp in "EB":
        yield "router", experts + whole(row, "shared_expert_gate"), hidden
        kinds.append(("_exps", experts, whole(row, "moe_intermediate_size"), latent or hidden))
        kinds.append(("_shexp", 1, whole(row, "shared_expert_intermediate_size"), hidden))
        if latent:
            yield "ffn_latent_down", latent, hidden
            yield "ffn_latent_up", hidden, latent
    for suffix, copies, width, outside in kinds:
        if width and (row["mlp_kind"] in {"gelu2", "relu2"} or whole(row, "fused_projections")):
            inner = 1 if row["mlp_kind"] in {"gelu2", "relu2"} else 2
            yield f"ffn_up{suffix}", copies * inner * width, outside
        elif width:
            yield f"ffn_gate{suffix}", copies * width, outside
            yield f"ffn_up{suffix}", copies * width, outside
        if width:
            yield f"ffn_down{suffix}", copies * outside, width


def mlp_vectors(row: Row, mlp: str) -> tuple[int, int]:
    """Biases of a feed-forward part, apart from those of its experts; and those."""
    if mlp not in "EB" or not row["experts"]:
        return 0, 0
    width = whole(row, "moe_intermediate_size")
    expert = whole(row, "expert_bias") * (2 * width + whole(row, "hidden_size"))
    return whole(row, "router_bias") * whole(row, "experts"), whole(row, "experts") * expert


def parameters(row: Row) -> tuple[int, int]:
    """All parameters of the text model, and those one token passes through."""
    layers, hidden, vocab = (whole(row, c) for c in ("layers", "hidden_size", "vocab_size"))
    looked_up = whole(row, "per_layer_embedding_size")
    table = vocab * layers * looked_up
    fixed = vocab * hidden * (1 if whole(row, "tied_embeddings") else 2) + hidden + whole(row, "further_parameters")
    fixed += looked_up * (layers * hidden + 1 + 2 * layers * hidden)
    routed = 0
    for mixer, mlp in layer_letters(row):
        vectors, expert_vectors = mlp_vectors(row, mlp)
        fixed += whole(row, "norms_per_layer") * hidden + mixer_vectors(row, mixer) + vectors
        fixed += sum(rows * width for _, rows, width in mixer_matrices(row, mixer))
        routed += expert_vectors
        for role, rows, width in mlp_matrices(row, mlp):
            if role.endswith("_exps"):
                routed += rows * width
            else:
                fixed += rows * width
    used = routed * whole(row, "experts_per_token") // whole(row, "experts") if routed else 0
    return fixed + table + routed, fixed + used


def model_problems(row: Row) -> Iterator[str]:
    """Complain about a model whose columns do not add up to what was published."""
    dense = not row["experts"] or row["dense_layers"] != "0" or set(row["mlp_pattern"]) & set("D2B")
    unused = set() if dense else {"intermediate_size"}
    problems = [p for c in INTEGERS for p in bounded(row, c, 1, 1e13, required=c not in unused)]
    problems += [p for c in FLAGS for p in bounded(row, c, 0, 1, required=True)]
    if row["experts"]:
        problems += [p for c in MOE for p in bounded(row, c, 1, 1e6, required=True)]
        columns = ("published_active_parameters", "shared_experts", "dense_layers")
        problems += [p for c in columns[1:] for p in bounded(row, c, 0, 1e3, required=True)]
        problems += bounded(row, columns[0], 1e8, 1e12, required=False)
    if not row["published_source"].startswith("https://"):
        problems.append("published_source: no address")
    for column, known in (("mixer_pattern", MIXERS), ("mlp_pattern", MLPS)):
        if not set(row[column]) <= known or len(row[column]) > whole(row, "layers"):
            problems.append(f"{column}: {row[column]!r}")
    if row["mixer_pattern"] and row["sliding_window_layers"]:
        problems.append("mixer_pattern: says by itself which layers have a window")
    if problems:
        yield from problems
        return
    for column, letters in NEEDED.items():
        found = any(mixer in letters for mixer, _ in layer_letters(row))
        if found != bool(row[column]):
            yield f"{column}: {row[column]!r} does not go with the layers"
    if any(whole(row, c) != float(row[c] or 0) for c in INTEGERS):
        yield "integers: a count is not whole"
    heads, kv_heads = whole(row, "attention_heads"), whole(row, "kv_heads")
    kind = "mha" if heads == kv_heads else "mqa" if kv_heads == 1 else "gqa"
    if row["attention_kind"] not in {kind, "mla", "shared"} or heads % kv_heads:
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


PACKINGS = set("gguf mlx awq gptq autoround fp8 int8 nvfp4 mxfp4 bitsandbytes torchao hqq exl2 exl3".split())


def weight_format_problems(row: Row) -> Iterator[str]:
    """Complain about a format whose bits do not follow from its layout."""
    yield from bounded(row, "bits_per_weight", 1, 32, required=True)
    if row["kind"] not in {"plain", "file", "group"}:
        yield f"kind: {row['kind']!r}"
    if not re.fullmatch(r"exact|measured|(published|computed):[a-z0-9.-]+", row["bits_per_weight_basis"]):
        yield f"bits_per_weight_basis: {row['bits_per_weight_basis']!r}"
    basis = row["bits_per_weight_basis"].partition(":")[2]
    if basis and basis not in MODELS:
        yield f"bits_per_weight_basis: unknown model {basis!r}"
    for column in ("embedding_format", "output_format"):
        if row[column] and row[column] not in WEIGHT_FORMATS:
            yield f"{column}: unknown format {row[column]!r}"
    if not set(row["compute_format"].split("|")) <= {"f32", "f16", "bf16", "fp8", "int8", "int4", "fp4"}:
        yield f"compute_format: {row['compute_format']!r}"
    if not set(filter(None, row["packing"].split("|"))) <= PACKINGS:
        yield f"packing: {row['packing']!r}"
    if row["elsewhere"] and row["elsewhere"] not in WEIGHT_FORMATS:
        yield f"elsewhere: unknown format {row['elsewhere']!r}"
    yield from bounded(row, "spread", 0, 0.5, required=False)
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
    hidden, vocab, layers = (whole(model, c) for c in ("hidden_size", "vocab_size", "layers"))
    looked_up = whole(model, "per_layer_embedding_size")
    yield "token_embd", -1, vocab, hidden
    if not whole(model, "tied_embeddings"):
        yield "output", -1, vocab, hidden
    if looked_up:
        yield "per_layer_token_embd", -1, vocab, layers * looked_up
        yield "per_layer_model_proj", -1, layers * looked_up, hidden
    for i, (mixer, mlp) in enumerate(layer_letters(model)):
        for role, rows, width in (*mixer_matrices(model, mixer), *mlp_matrices(model, mlp)):
            yield role, i, rows, width
        if looked_up:
            yield "inp_gate", i, looked_up, hidden
            yield "proj", i, hidden, looked_up


def block_of(weight_format: str, model: Row, role: str, layer: int, width: int) -> Row:
    """The block type that the rules give to one matrix."""
    if role in {"router", "conv"}:
        return BLOCKS["f32"]
    if role == "per_layer_model_proj":
        return BLOCKS["bf16"]
    names = [role, re.sub("_(exps|shexp)$|^per_layer_", "", role), "default"]
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
    """Bytes of all tensors; what is no matrix stays in 32 bits, what no column describes in 16."""
    matrix_weights, total = whole(model, "further_parameters"), 2.0 * whole(model, "further_parameters")
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


def speed_cause_problems(row: Row) -> Iterator[str]:
    """Complain about a cause of a strange speed that cannot be weighed or told."""
    if row["verdict"] not in {"slow", "impossible"}:
        yield f"verdict: {row['verdict']!r}"
    if not set(row["of"].split("|")) <= {"decode", "prompt", "both"}:
        yield f"of: {row['of']!r}"
    for column in ("name", "how_to_see", "what_to_do"):
        if not row[column]:
            yield f"{column}: empty but required"
    yield from bounded(row, "low_ratio", 0.001, 100, required=row["rule"] == "ratio")
    yield from bounded(row, "high_ratio", float(row["low_ratio"] or 0.001), 1000, required=row["rule"] == "ratio")
    yield from bounded(row, "evidence", 1, 100, required=True)


def reserve_problems(row: Row) -> Iterator[str]:
    """Complain about what a system is said to keep."""
    for column in ("kept_least_bytes", "kept_most_bytes"):
        yield from bounded(row, column, 1e8, 2e10, required=False)
    for column in ("kept_least_share", "kept_most_share"):
        yield from bounded(row, column, 0.01, 0.5, required=False)
    for unit in ("bytes", "share"):
        least, most = (float(row[f"kept_{end}_{unit}"] or 0) for end in ("least", "most"))
        if least > most:
            yield f"kept_least_{unit} {least} is more than kept_most_{unit} {most}"
    if not row["kept_most_bytes"] and not row["kept_most_share"]:
        yield "nothing is kept"
    if not row["remedy"].endswith("。"):
        yield "remedy is no sentence"


def engine_memory_problems(row: Row) -> Iterator[str]:
    """Complain about what an engine is said to need."""
    yield from bounded(row, "fixed_bytes", 1e8, 5e9, required=not row["micro_batch"])
    yield from bounded(row, "share_least", 0.8, 1, required=True)
    yield from bounded(row, "share_most", float(row["share_least"] or 0), 1, required=True)


def processor_problems(row: Row) -> Iterator[str]:
    """Complain about a processor that is none of its device's, or whose cores cannot be right."""
    device = next((device for device in TABLES["devices"] if device["id"] == row["device"]), None)
    if device is None or row["name"] not in device["aliases"].split("|"):
        yield f"name: {row['name']!r} is no name of {row['device']!r}"
    if not re.fullmatch("cpu-[a-z0-9-]+", row["family"]):
        yield f"family: {row['family']!r}"
    yield from bounded(row, "cores", 1, 256, required=True)
    yield from bounded(row, "clock_hz", 1e9, 6.5e9, required=True)


CHECKS: dict[str, Callable[[Row], Iterator[str]]] = {
    "devices": device_problems,
    "models": model_problems,
    "weight_formats": weight_format_problems,
    "gguf_blocks": block_problems,
    "gguf_mixes": mix_problems,
    "gguf_file_sizes": file_size_problems,
    "speed_causes": speed_cause_problems,
    "memory_reserves": reserve_problems,
    "engine_memory": engine_memory_problems,
    "processors": processor_problems,
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
    for column, get in (("device", get_device), ("model", get_model)):
        try:
            get(row[column])
        except UnknownNameError:
            yield f"{column}: {row[column]!r} is in no table"


MEASUREMENTS = sorted((DATA / "measurements").glob("*.csv"))


@pytest.mark.parametrize("path", MEASUREMENTS, ids=lambda path: path.stem)
def test_measurements_speak_of_known_devices_and_models(path: Path) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        rows = {(row["device"], row["model"]): row for row in csv.DictReader(file)}
    assert not [problem for row in rows.values() for problem in reference_problems(row)]


# -------------------------------------------- each checker is seen to complain

BROKEN = [
    ("processors", "source", ""),
    ("processors", "name", "5950"),
    ("processors", "family", "zen3"),
    ("processors", "cores", ""),
    ("processors", "clock_hz", "4.9"),
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
    ("weight_formats", "packing", "zip"),
    ("weight_formats", "elsewhere", "f15"),
    ("weight_formats", "spread", "0.9"),
    ("gguf_blocks", "block_bytes", "145"),
    ("gguf_blocks", "fallback_block", "q9"),
    ("gguf_mixes", "block", "q9"),
    ("gguf_mixes", "when", "sometimes"),
    ("gguf_mixes", "layers", "most"),
    ("gguf_mixes", "tensor_role", "nose"),
    ("gguf_mixes", "weight_format", "q9_9"),
    ("gguf_file_sizes", "bits_per_weight", "4.8"),
    ("gguf_file_sizes", "source", ""),
    ("speed_causes", "verdict", "odd"),
    ("speed_causes", "of", "image"),
    ("speed_causes", "how_to_see", ""),
    ("speed_causes", "evidence", ""),
    ("speed_causes", "low_ratio", "-1"),
    ("speed_causes", "source", "somebody said so"),
]
SOUND = {
    "processors": "5950X",
    "devices": "a100-80gb-pcie",
    "models": "llama-3.1-8b",
    "weight_formats": "mlx-q4",
    "gguf_blocks": "q4_k",
    "speed_causes": "old-build",
}


def sound_row(table: str) -> Row:
    rows = TABLES[table]
    if table in SOUND:
        return next(row for row in rows if row.get("id", row.get("name")) == SOUND[table])
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


def test_a_system_that_keeps_more_at_least_than_at_most_is_noticed() -> None:
    row = next(row for row in TABLES["memory_reserves"] if row["id"] == "card")
    assert not list(reserve_problems(row))
    assert list(reserve_problems(row | {"kept_least_bytes": "3000000000"}))
    assert list(reserve_problems(row | {"kept_least_bytes": "", "kept_most_bytes": ""}))
    assert list(reserve_problems(row | {"remedy": ""}))


def test_an_engine_that_needs_nothing_is_noticed() -> None:
    row = next(row for row in TABLES["engine_memory"] if row["id"] == "vllm")
    assert not list(engine_memory_problems(row))
    assert list(engine_memory_problems(row | {"fixed_bytes": ""}))
    assert list(engine_memory_problems(row | {"share_most": "0.5"}))
