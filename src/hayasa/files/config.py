"""A published ``config.json``: the shape of a model that no table lists.

Keys are those of Hugging Face's transformers.  What a config leaves to the code of
its family (whether queries are normalized, how many matrices an MLP has …) is taken
from a listed model of that family; of a family that is not listed it is said that a
plain Llama was assumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from ..catalog.objects import is_weight_format
from ..errors import InvalidValueError, require_integer, shown
from ..model.shape import Model
from .kin import COMPRESSED, MOST_LAYERS, kin_among, mixers_of_kin, shared_kv, with_traits

T = TypeVar("T")

KIN: dict[str, tuple[str, ...]] = {
    "llama": ("llama-3.1-8b",),
    "llama4": ("llama-4-scout",),
    "llama4_text": ("llama-4-scout",),
    "mistral": ("mistral-small-24b",),
    "ministral": ("mistral-small-24b",),
    "ministral3": ("devstral-small-2-24b",),
    "mistral3": ("devstral-small-2-24b",),
    "mistral4": ("mistral-small-4-119b",),
    "mixtral": ("mixtral-8x7b",),
    "qwen2": ("qwen2.5-7b",),
    "qwen3": ("qwen3-8b",),
    "qwen3_moe": ("qwen3-30b-a3b",),
    "qwen3_next": ("qwen3-next-80b-a3b",),
    "qwen3_5": ("qwen3.5-27b",),
    "qwen3_5_text": ("qwen3.5-27b",),
    "qwen3_5_moe": ("qwen3.5-35b-a3b",),
    "qwen3_5_moe_text": ("qwen3.5-35b-a3b",),
    "qwen3_vl": ("qwen3-vl-8b",),
    "qwen3_vl_text": ("qwen3-vl-8b",),
    "qwen3_vl_moe": ("qwen3-vl-30b-a3b",),
    "qwen3_vl_moe_text": ("qwen3-vl-30b-a3b",),
    "gemma": ("gemma-7b",),
    "gemma2": ("gemma-2-9b",),
    "gemma3": ("gemma-3-27b",),
    "gemma3_text": ("gemma-3-27b",),
    "gemma3n": ("gemma-3n-e4b",),
    "gemma3n_text": ("gemma-3n-e4b",),
    "gemma4": ("gemma-4-31b", "gemma-4-26b-a4b", "gemma-4-e4b"),
    "gemma4_text": ("gemma-4-31b", "gemma-4-26b-a4b", "gemma-4-e4b"),
    "phi3": ("phi-4",),
    "gpt_oss": ("gpt-oss-20b",),
    "deepseek_v2": ("deepseek-v2-lite",),
    "deepseek_v3": ("deepseek-v3",),
    "deepseek_v32": ("deepseek-v3.2",),
    "deepseek_v4": ("deepseek-v4-flash",),
    "kimi_k2": ("kimi-k2",),
    "kimi_linear": ("kimi-linear-48b-a3b",),
    "glm4": ("glm-4-9b-0414",),
    "glm4_moe": ("glm-4.5-air",),
    "glm4_moe_lite": ("glm-4.7-flash",),
    "glm_moe_dsa": ("glm-5",),
    "smollm3": ("smollm3-3b",),
    "granite": ("granite-3.1-8b",),
    "granitemoe": ("granite-3.1-1b-a400m",),
    "granitemoehybrid": ("granite-4.0-h-micro", "granite-4.0-h-tiny"),
    "nemotron_h": ("nemotron-nano-9b-v2", "nemotron-3-nano-30b-a3b"),
    "lfm2": ("lfm2-1.2b",),
    "lfm2_moe": ("lfm2-8b-a1b",),
    "minimax_m2": ("minimax-m2",),
    "exaone": ("exaone-3.5-7.8b",),
    "exaone4": ("exaone-4.0-32b",),
    "exaone_moe": ("k-exaone-236b-a23b",),
    "olmo2": ("olmo-2-7b",),
    "olmo3": ("olmo-3-7b",),
    "cohere": ("aya-expanse-8b",),
    "cohere2": ("command-r7b",),
    "internlm2": ("internlm2.5-20b",),
    "internlm3": ("internlm3-8b",),
    "arcee": ("afm-4.5b",),
    "apertus": ("apertus-8b",),
    "ernie4_5": ("ernie-4.5-0.3b",),
    "ernie4_5_moe": ("ernie-4.5-21b-a3b",),
    "hunyuan_v1_dense": ("hunyuan-7b",),
    "hunyuan_v1_moe": ("hunyuan-a13b",),
    "seed_oss": ("seed-oss-36b",),
    "mimo": ("mimo-7b",),
    "mimo_v2_flash": ("mimo-v2-flash",),
    "bailing_moe_v2": ("ling-mini-2.0",),
    "step3p5": ("step-3.5-flash",),
    "afmoe": ("trinity-mini",),
    "minicpm": ("minicpm4-8b",),
    "solar_open": ("solar-open-100b",),
}
"""Listed models of each family, by ``model_type``: the first that has experts, or has none, as the config does."""

KEYS: dict[str, tuple[str, ...]] = {
    "layers": ("num_hidden_layers", "n_layer", "n_layers", "num_layers"),
    "hidden_size": ("hidden_size", "n_embd", "d_model"),
    "attention_heads": ("num_attention_heads", "n_head", "num_heads"),
    "kv_heads": ("num_key_value_heads", "num_attention_groups"),
    "head_dim": ("head_dim",),
    "intermediate_size": ("intermediate_size_mlp", "block_ff_dim", "intermediate_size"),
    "vocab_size": ("vocab_size",),
    "moe_intermediate_size": ("moe_intermediate_size", "expert_ffn_hidden_size"),
    "experts": ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"),
    "experts_per_token": (
        "num_experts_per_tok",
        "num_experts_per_token",
        "top_k_experts",
        "moe_topk",
        "moe_top_k",
        "moe_k",
    ),
    "shared_experts": ("n_shared_experts", "num_shared_experts", "num_shared_expert", "moe_num_shared_experts"),
    "shared_expert_intermediate_size": (
        "shared_expert_intermediate_size",
        "moe_shared_expert_intermediate_size",
        "shared_intermediate_size",
        "share_expert_dim",
    ),
    "dense_layers": ("first_k_dense_replace", "num_dense_layers", "moe_layer_start_index"),
    "q_lora_rank": ("q_lora_rank",),
    "kv_lora_rank": ("kv_lora_rank",),
    "qk_nope_head_dim": ("qk_nope_head_dim",),
    "qk_rope_head_dim": ("qk_rope_head_dim",),
    "v_head_dim": ("v_head_dim",),
    "o_lora_rank": ("o_lora_rank",),
    "o_groups": ("o_groups",),
    "sliding_window": ("sliding_window", "sliding_window_size", "attention_chunk_size"),
    "window_attention_heads": ("swa_num_attention_heads",),
    "window_kv_heads": ("swa_num_key_value_heads",),
    "window_head_dim": ("swa_head_dim",),
    "index_heads": ("index_n_heads",),
    "index_head_dim": ("index_head_dim",),
    "index_top_k": ("index_topk",),
    "state_heads": ("linear_num_value_heads", "mamba_num_heads", "mamba_n_heads"),
    "state_head_dim": ("linear_value_head_dim", "mamba_head_dim", "mamba_d_head"),
    "state_groups": ("linear_num_key_heads", "n_groups", "mamba_n_groups"),
    "state_dim": ("linear_key_head_dim", "ssm_state_size", "mamba_d_state"),
    "conv_kernel": ("linear_conv_kernel_dim", "conv_kernel", "mamba_d_conv", "conv_L_cache"),
    "moe_latent_size": ("moe_latent_size",),
    "per_layer_embedding_size": ("hidden_size_per_layer_input",),
    "mtp_layers": ("num_nextn_predict_layers", "mtp_num_hidden_layers"),
    "context_length_max": ("max_position_embeddings",),
}
"""The keys that say a field of `Model`; the first that is there counts."""

LINEAR_KEYS = (
    ("state_heads", "num_heads"),
    ("state_groups", "num_heads"),
    ("state_head_dim", "head_dim"),
    ("state_dim", "head_dim"),
    ("conv_kernel", "short_conv_kernel_size"),
)
"""Fields of layers with a state, and where ``linear_attn_config`` says them."""


LAYER_TYPES: dict[str, str] = {
    "full_attention": "A",
    "attention": "A",
    "sliding_attention": "W",
    "chunked_attention": "W",
    "linear_attention": "L",
    "mamba": "M",
    "conv": "C",
}
"""The letter of `MIXERS` for each entry of ``layer_types``."""

BLOCKS: dict[str, tuple[str, str]] = {"M": ("M", "-"), "*": ("A", "-"), "E": ("-", "E"), "-": ("-", "D")}
"""Mixer and feed-forward part of each letter of NVIDIA's ``hybrid_override_pattern``."""


def model_from_config(config: Mapping[str, Any], name: str = "config.json") -> Model:
    """Return the model that a published configuration describes.

    Parameters
    ----------
    config : mapping
        What ``config.json`` holds; of a model that also sees, the part of the text.
    name : str
        What to call the model.

    Returns
    -------
    Model
        Its shape, and the format that it is published in.  The notes say what
        was assumed.

    Raises
    ------
    InvalidValueError
        If a size is missing or impossible.

    Examples
    --------
    >>> tiny = {"model_type": "llama", "num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 2,
    ...         "intermediate_size": 128, "vocab_size": 100}
    >>> model_from_config(tiny).head_dim
    32
    """
    families = [str(config.get("model_type"))]
    for part in ("text_config", "language_config", "llm_config"):
        text = config.get(part)
        if isinstance(text, dict):
            families = [str(text.get("model_type")), *families]
            # What both say holds for the text as its own part says it.
            config = {**config, **text}
    fields = _sizes(config)
    if not fields.get("layers"):
        raise InvalidValueError("モデルの config.json ではありません（num_hidden_layers が書かれていません）。")
    require_integer("num_hidden_layers", fields["layers"], 1, MOST_LAYERS)
    family = next((one for one in families if one in KIN), "")
    kin = kin_among(KIN.get(family, ()), fields)
    fields |= _flags(config, kin)
    fields |= _experts(config, fields, kin)
    fields |= _layers(config, fields, kin)
    notes = []
    if kin is None:
        notes.append(f"model_type {shown(families[-1])} は登録がないため、Llama と同じ作りとみなしました。")
    usual = _usual_format(config, bool(fields.get("experts")))
    if usual and not is_weight_format(usual):
        notes.append(f"量子化の形式 {shown(usual)} は登録がないため、形式は別に指定してください。")
        usual = ""
    return replace(with_traits(kin, {**fields, "id": name, "name": name}), notes=tuple(notes), usual_format=usual)


def _whole(value: object) -> int | None:
    """Return a whole number; of a list, such as one per layer, the first; None if it is none."""
    if isinstance(value, list) and value:
        value = value[0]
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _known(key: str, entries: list[Any], meanings: Mapping[str, T]) -> list[T]:
    """Return what each entry of a list means."""
    unknown = [one for one in entries if str(one) not in meanings]
    if unknown:
        raise InvalidValueError(
            f"{key} の {shown(unknown[0])} は登録がありません（登録のあるもの: {'、'.join(meanings)}）。"
        )
    return [meanings[str(one)] for one in entries]


def _sizes(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that are a number in the config."""
    fields: dict[str, Any] = {}
    for field, keys in KEYS.items():
        number = next((one for one in (_whole(config.get(key)) for key in keys) if one is not None), None)
        if number is not None:
            fields[field] = number
    linear = config.get("linear_attn_config")
    if isinstance(linear, dict):
        for field, key in LINEAR_KEYS:
            number = _whole(linear.get(key))
            if number is not None:
                fields[field] = number
    wide, wide_heads = _whole(config.get("global_head_dim")), _whole(config.get("num_global_key_value_heads"))
    if wide:  # layers that see everything have heads of their own
        fields |= {"window_head_dim": fields.get("head_dim", 0), "head_dim": wide}
        fields["window_kv_heads"] = fields.get("kv_heads", 0)
        fields["kv_heads"] = wide_heads or fields.get("kv_heads", 0)
    if config.get("block_auto_adjust_ff_dim") and fields.get("intermediate_size"):
        width = 2 * fields["intermediate_size"] // 3
        factor, multiple = config.get("block_ffn_dim_multiplier"), _whole(config.get("block_multiple_of")) or 1
        width = int(width * factor) if isinstance(factor, (int, float)) else width
        fields["intermediate_size"] = -(-width // multiple) * multiple
    return fields


def _flags(config: Mapping[str, Any], kin: Model | None) -> dict[str, Any]:
    """Return the fields that are yes or no in the config."""
    fields: dict[str, Any] = {}
    tied = config.get("tie_word_embeddings")
    if isinstance(tied, bool):
        fields["tied_embeddings"] = tied
    biases = [config[key] for key in ("attention_bias", "qkv_bias", "add_qkv_bias", "use_qkv_bias") if key in config]
    if biases:
        fields["qkv_bias"] = bool(biases[0])
        # Families whose projections have biases differ in whether the output's has one.
        of_output = kin.o_bias if kin is not None and kin.qkv_bias else "attention_bias" in config
        fields["o_bias"] = fields["qkv_bias"] and of_output
    if "attention_out_bias" in config:
        fields["o_bias"] = bool(config["attention_out_bias"])
    if "mlp_bias" in config:
        fields["mlp_bias"] = bool(config["mlp_bias"])
    if kin is not None and kin.gguf_architecture == "glm4moe":
        fields["qk_norm"] = bool(config.get("use_qk_norm"))
    if "attention_k_eq_v" in config:
        fields["keys_are_values"] = bool(config["attention_k_eq_v"])
    if kin is None and config.get("hidden_act") == "relu2":
        fields["mlp_kind"] = "relu2"
    return fields


def _experts(config: Mapping[str, Any], sizes: Mapping[str, Any], kin: Model | None) -> dict[str, Any]:
    """Return the fields of a mixture of experts, or those that say that it is none."""
    shared = sizes.get("shared_expert_intermediate_size", 0)
    if not sizes.get("experts"):
        # Where experts are left out, what all tokens share is the whole feed-forward part.
        none = dict.fromkeys(("experts_per_token", "moe_intermediate_size", "shared_expert_intermediate_size"), 0)
        fields: dict[str, Any] = {"experts": 0, "shared_experts": 0, "dense_layers": 0, **none}
        return {**fields, "intermediate_size": shared} if shared else fields
    fields = {}
    if not sizes.get("moe_intermediate_size"):
        fields["moe_intermediate_size"] = _whole(config.get("intermediate_size")) or 0
    if "shared_experts" not in sizes:
        fields["shared_experts"] = kin.shared_experts if kin is not None else min(1, shared)
    fields["dense_layers"] = min(sizes.get("dense_layers", 0), sizes["layers"])
    return fields


def _layers(config: Mapping[str, Any], sizes: Mapping[str, Any], kin: Model | None) -> dict[str, Any]:
    """Return what each layer is made of."""
    layers = sizes["layers"]
    blocks = config.get("hybrid_override_pattern")
    if isinstance(blocks, str) and blocks:
        made = _known("hybrid_override_pattern", list(blocks), BLOCKS)
        return {"mixer_pattern": "".join(one for one, _ in made), "mlp_pattern": "".join(one for _, one in made)}
    mixers = _mixers(config, sizes, kin)
    if sizes.get("index_heads"):
        mixers = mixers.replace("A", "I")
    sharing = _whole(config.get("num_kv_shared_layers")) or 0
    fields: dict[str, Any] = {"mixer_pattern": shared_kv(mixers, layers, sharing)}
    if "W" not in mixers and "Q" not in mixers:
        fields["sliding_window"] = 0
    if sharing and config.get("use_double_wide_mlp"):
        fields["mlp_pattern"] = "D" * (layers - sharing) + "2" * sharing
    elif sizes.get("experts"):
        fields["mlp_pattern"] = _mlps(config, layers, kin)
    return fields


def _mixers(config: Mapping[str, Any], sizes: Mapping[str, Any], kin: Model | None) -> str:
    """Return the pattern of mixers."""
    layers = sizes["layers"]
    linear = "K" if kin is not None and "K" in kin.mixer_pattern else "L"
    types = config.get("layer_types") or config.get("layers_block_type")
    if isinstance(types, list) and types:
        return "".join(_known("layer_types", types[:layers], LAYER_TYPES)).replace("L", linear)
    ratios = config.get("compress_ratios")
    if isinstance(ratios, list) and ratios:
        return "".join(
            _known("compress_ratios", ratios[:layers], {str(ratio): one for ratio, one in COMPRESSED.items()})
        )
    full = config.get("full_attn_idxs")
    if isinstance(full, list) and full:
        return "".join("A" if layer in full else "C" for layer in range(layers))
    kimi = config.get("linear_attn_config")
    if isinstance(kimi, dict) and isinstance(kimi.get("kda_layers"), list):
        return "".join("K" if layer + 1 in kimi["kda_layers"] else "A" for layer in range(layers))
    windowed = config.get("hybrid_layer_pattern")
    if isinstance(windowed, list) and windowed:
        return "".join("W" if one else "A" for one in windowed[:layers])
    interval = _whole(config.get("full_attention_interval"))
    if interval:
        return linear * (interval - 1) + "A"
    window, longest = sizes.get("sliding_window", 0), sizes.get("context_length_max", 0)
    whole = not window or config.get("use_sliding_window") is False or 0 < longest <= window
    pattern = _whole(config.get("sliding_window_pattern"))
    if pattern and not whole:
        return "W" * (pattern - 1) + "A"
    of_kin = mixers_of_kin(kin, layers)
    if whole and "W" in of_kin:
        of_kin = ""
    return of_kin or ("A" if whole else "W")


def _mlps(config: Mapping[str, Any], layers: int, kin: Model | None) -> str:
    """Return the pattern of feed-forward parts of a model with experts; empty where `dense_layers` says it."""
    types, frequencies = config.get("mlp_layer_types"), config.get("moe_layer_freq")
    if isinstance(types, list) and types:
        return "".join("D" if one == "dense" else "E" for one in types[:layers])
    if isinstance(frequencies, list) and frequencies:
        return "".join("E" if one else "D" for one in frequencies[:layers])
    dense = config.get("mlp_only_layers")
    if isinstance(dense, list) and dense:
        return "".join("D" if layer in dense else "E" for layer in range(layers))
    step = _whole(config.get("interleave_moe_layer_step")) or _whole(config.get("decoder_sparse_step")) or 1
    if step > 1:
        return "D" * (step - 1) + "E"
    return kin.mlp_pattern if kin is not None and len(kin.mlp_pattern) == 1 else ""


def _usual_format(config: Mapping[str, Any], has_experts: bool) -> str:
    """Return the id of the format that a config says; empty if it is 16 bits."""
    mlx = config.get("quantization")
    if isinstance(mlx, dict):
        mode, bits, group = mlx.get("mode", "affine"), mlx.get("bits"), mlx.get("group_size", 64)
        if mode != "affine":
            return f"mlx-{mode}"
        return f"mlx-q{bits}" if group == 64 else f"mlx-q{bits}-g{group}"
    how = config.get("quantization_config")
    if not isinstance(how, dict):
        return ""
    method, bits, group = str(how.get("quant_method", "")), how.get("bits"), how.get("group_size")
    if method == "mxfp4":
        return "mxfp4"
    if method == "fp8":
        return "fp8-block" if how.get("weight_block_size") else "fp8-channel"
    if method in ("gptq", "awq"):
        return f"{method}-int{bits}-g{group}"
    if method in ("auto-round", "autoround"):
        return f"autoround-int{bits}-g{group}"
    if method == "bitsandbytes":
        return "bnb-nf4" if how.get("load_in_4bit") else "bnb-int8"
    if method in ("exl2", "exl3"):
        return f"{method}-{_with_fraction(bits)}bpw" if isinstance(bits, (int, float)) else method
    if method == "modelopt":
        return {"NVFP4": "nvfp4", "FP8": "fp8-channel"}.get(str(how.get("quant_algo")), method)
    if method == "compressed-tensors":
        return _compressed_tensors(how, has_experts)
    return method


def _with_fraction(number: float) -> str:
    """Write a number with a point: 4.0, 2.25."""
    text = f"{number:g}"
    return text if "." in text else f"{text}.0"


def _compressed_tensors(how: Mapping[str, Any], has_experts: bool) -> str:
    """Return the id of the format of the first group of weights, as vLLM's compressor writes it."""
    groups = how.get("config_groups")
    group = next((one for one in groups.values()), None) if isinstance(groups, dict) else None
    weights = group.get("weights") if isinstance(group, dict) else None
    if not isinstance(weights, dict):
        return "compressed-tensors"
    kind, bits, size = weights.get("type"), weights.get("num_bits"), weights.get("group_size")
    if (kind, bits) == ("float", 4):
        return "nvfp4"
    if (kind, bits) == ("float", 8):
        return "fp8-block" if weights.get("block_structure") else "fp8-channel"
    if (kind, bits) == ("int", 8):
        return "int8-w8a8"
    if has_experts and any("attn" in str(one) for one in how.get("ignore") or ()):
        return "int4-experts"
    return f"gptq-int{bits}-g{size}"
