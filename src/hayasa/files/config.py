"""A published ``config.json``: the shape of a model that no table lists.

Keys are those of Hugging Face's transformers.  What a config leaves to the code of
its family (whether queries are normalized, how many matrices an MLP has …) is taken
from a listed model of that family; of a family that is not listed it is said that a
plain Llama was assumed.
"""

from __future__ import annotations

KIN: dict[str, str] = {
    "llama": "llama-3.1-8b",
    "mistral": "mistral-small-24b",
    "mixtral": "mixtral-8x7b",
    "qwen2": "qwen2.5-7b",
    "qwen3": "qwen3-8b",
    "qwen3_moe": "qwen3-30b-a3b",
    "gemma2": "gemma-2-9b",
    "gemma3": "gemma-3-27b",
    "gemma3_text": "gemma-3-27b",
    "phi3": "phi-4",
    "gpt_oss": "gpt-oss-20b",
    "deepseek_v2": "deepseek-v2-lite",
    "deepseek_v3": "deepseek-v3",
    "kimi_k2": "kimi-k2",
    "glm4_moe": "glm-4.5-air",
    "smollm3": "smollm3-3b",
}
"""A listed model of each family, by ``model_type``."""

KEYS: dict[str, tuple[str, ...]] = {
    "layers": ("num_hidden_layers", "n_layer", "n_layers"),
    "hidden_size": ("hidden_size", "n_embd", "d_model"),
    "attention_heads": ("num_attention_heads", "n_head"),
    "kv_heads": ("num_key_value_heads",),
    "head_dim": ("head_dim",),
    "intermediate_size": ("intermediate_size",),
    "vocab_size": ("vocab_size",),
    "moe_intermediate_size": ("moe_intermediate_size", "expert_ffn_hidden_size"),
    "experts": ("num_experts", "num_local_experts", "n_routed_experts"),
    "experts_per_token": ("num_experts_per_tok", "num_experts_per_token", "top_k_experts", "moe_topk"),
    "shared_experts": ("n_shared_experts", "num_shared_experts"),
    "shared_expert_intermediate_size": (
        "shared_expert_intermediate_size",
        "moe_shared_expert_intermediate_size",
        "shared_intermediate_size",
    ),
    "dense_layers": ("first_k_dense_replace",),
    "q_lora_rank": ("q_lora_rank",),
    "kv_lora_rank": ("kv_lora_rank",),
    "qk_nope_head_dim": ("qk_nope_head_dim",),
    "qk_rope_head_dim": ("qk_rope_head_dim",),
    "v_head_dim": ("v_head_dim",),
    "sliding_window": ("sliding_window", "sliding_window_size", "attention_chunk_size"),
    "index_heads": ("index_n_heads",),
    "index_head_dim": ("index_head_dim",),
    "index_top_k": ("index_topk",),
    "state_heads": ("linear_num_value_heads", "mamba_num_heads", "mamba_n_heads"),
    "state_head_dim": ("linear_value_head_dim", "mamba_head_dim", "mamba_d_head"),
    "state_groups": ("linear_num_key_heads", "n_groups", "mamba_n_groups"),
    "state_dim": ("linear_key_head_dim", "ssm_state_size", "mamba_d_state"),
    "conv_kernel": ("linear_conv_kernel_dim", "conv_kernel", "mamba_d_conv", "conv_L_cache"),
    "moe_latent_size": ("moe_latent_size",),
    "mtp_layers": ("num_nextn_predict_layers", "mtp_num_hidden_layers"),
    "context_length_max": ("max_position_embeddings",),
}
"""The keys that say a field of `Model`; the first that is there counts."""

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

BLOCKS: dict[str, str] = {"M": "M-", "*": "A-", "E": "-E", "-": "-D"}
"""Mixer and feed-forward part of each letter of NVIDIA's ``hybrid_override_pattern``."""
