"""What decoders' settings, tensors and rows are called in GGUF files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ... import nn

DIVISORS = "rope_freqs.weight"  # of the frequencies of rotary positions

# Of each model: names of settings, of modules, and of modules in layer i; theirs → ours.
GPT_SETTINGS = {
    "vocab_size": "vocab_size",
    "context_length": "n_positions",
    "embedding_length": "n_embd",
    "feed_forward_length": "n_inner",
    "block_count": "n_layer",
    "attention.head_count": "n_head",
    "attention.layer_norm_epsilon": "layer_norm_epsilon",
    "tie_word_embeddings": "tie_word_embeddings",
}
GPT_MODULES = {
    "token_embd": "transformer.wte",
    "position_embd": "transformer.wpe",
    "output_norm": "transformer.ln_f",
    "output": "lm_head",
    "blk.{}.attn_norm": "transformer.h.{}.ln_1",
    "blk.{}.attn_qkv": "transformer.h.{}.attn.c_attn",
    "blk.{}.attn_output": "transformer.h.{}.attn.c_proj",
    "blk.{}.ffn_norm": "transformer.h.{}.ln_2",
    "blk.{}.ffn_up": "transformer.h.{}.mlp.c_fc",
    "blk.{}.ffn_down": "transformer.h.{}.mlp.c_proj",
}
LLAMA_SETTINGS = {
    "vocab_size": "vocab_size",
    "context_length": "max_position_embeddings",
    "embedding_length": "hidden_size",
    "feed_forward_length": "intermediate_size",
    "block_count": "num_hidden_layers",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "attention.key_length": "head_dim",
    "attention.layer_norm_rms_epsilon": "rms_norm_eps",
    "rope.freq_base": "rope_theta",
    "tie_word_embeddings": "tie_word_embeddings",
}
LLAMA_MODULES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
    "blk.{}.attn_norm": "model.layers.{}.input_layernorm",
    "blk.{}.attn_q": "model.layers.{}.self_attn.q_proj",
    "blk.{}.attn_k": "model.layers.{}.self_attn.k_proj",
    "blk.{}.attn_v": "model.layers.{}.self_attn.v_proj",
    "blk.{}.attn_output": "model.layers.{}.self_attn.o_proj",
    "blk.{}.ffn_norm": "model.layers.{}.post_attention_layernorm",
    "blk.{}.ffn_gate": "model.layers.{}.mlp.gate_proj",
    "blk.{}.ffn_up": "model.layers.{}.mlp.up_proj",
    "blk.{}.ffn_down": "model.layers.{}.mlp.down_proj",
}


def settings_by(names: Mapping[str, str], metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What config.json would say of the settings that the metadata has."""
    return {ours: metadata[theirs] for theirs, ours in names.items() if theirs in metadata}


def llama_settings(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Those of Llama. Raises ValueError for sizes and ways of scaling that it has not."""
    settings = settings_by(LLAMA_SETTINGS, metadata)
    size = settings.get("head_dim")
    if size is None:
        size = settings["hidden_size"] // settings["num_attention_heads"]
    for name in ("attention.value_length", "rope.dimension_count"):
        if metadata.get(name, size) != size:
            raise ValueError(f"{name} is {metadata[name]}, but its heads have {size} channels")
    kind = metadata.get("rope.scaling.type", "none")
    if kind != "none":
        settings["rope_scaling"] = {"rope_type": kind, "factor": metadata["rope.scaling.factor"]}
        known = metadata.get("rope.scaling.original_context_length")
        if known is not None:
            settings["rope_scaling"]["original_max_position_embeddings"] = known
    if DIVISORS in metadata:
        settings["rope_scaling"] = _scaling_by(
            metadata[DIVISORS], settings.get("rope_theta", 10000.0), size
        )
    return settings


def _scaling_by(divisors: np.ndarray, base: float, size: int) -> dict[str, Any]:
    """The scaling of Llama 3.1 and later, of which a GGUF file has no more than what it divides the
    frequencies by. Raises ValueError for other divisors."""
    scaling = {
        "rope_type": "llama3", "factor": float(np.max(divisors, initial=1.0)),
        "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192,
    }  # fmt: skip
    plain, scaled = (nn.RotaryEmbedding(size, base, how).frequencies for how in (None, scaling))
    if divisors.shape != plain.shape or not np.allclose(plain / divisors, scaled, rtol=1e-5):
        raise ValueError(f"{DIVISORS} {divisors.shape} is not the scaling of Llama 3.1")
    return scaling


def tensors_by(modules: Mapping[str, str], layers: int) -> dict[str, str]:
    """Names of tensors, theirs → ours."""
    return {
        f"{theirs.format(i)}.{kind}": f"{ours.format(i)}.{kind}"
        for theirs, ours in modules.items()
        for i in range(layers if "{}" in theirs else 1)
        for kind in ("weight", "bias")
    }


def alternating(heads: int, size: int) -> np.ndarray:
    """For each row of queries or keys, the row in a file in which rows of the halves of a head,
    which rotary positions pair, alternate. Here the halves stand one behind the other."""
    return np.arange(heads * size).reshape(heads, size // 2, 2).swapaxes(1, 2).reshape(-1)
