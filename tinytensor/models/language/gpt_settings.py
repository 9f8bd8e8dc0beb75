"""The configuration of GPT, as GPT-2's config.json says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from ..settings import Settings

# Hugging Face's names of activations → ours.
ACTIVATIONS: dict[str, Literal["tanh", "none"]] = {
    "gelu_new": "tanh",
    "gelu_pytorch_tanh": "tanh",
    "gelu": "none",
}


# What files of GPT-2 mean where they say nothing.
GPT2 = {
    "vocab_size": 50257, "block_size": 1024, "n_layer": 12, "n_head": 12, "n_embd": 768,
    "dropout": 0.1, "tie_word_embeddings": True,
}  # fmt: skip


@dataclass
class GPTConfig(Settings):
    """Sizes of a GPT. The defaults are nanoGPT's setting for a CPU.

    ``n_inner`` is the width inside an MLP, 4 · n_embd if None. With ``tie_word_embeddings`` the
    embeddings are the weights of the output layer, too, as GPT-2's are.
    """

    model_type: ClassVar[str] = "gpt2"
    renamed: ClassVar[dict[str, str]] = {
        "n_ctx": "block_size", "n_positions": "block_size",
        "embd_pdrop": "dropout", "attn_pdrop": "dropout", "resid_pdrop": "dropout",
    }  # fmt: skip
    fixed: ClassVar[dict[str, Any]] = {
        "scale_attn_weights": True, "scale_attn_by_inverse_layer_idx": False,
        "reorder_and_upcast_attn": False,
    }  # fmt: skip
    without_effect: ClassVar[frozenset[str]] = frozenset(
        f"summary_{name}"
        for name in ("type", "use_proj", "activation", "proj_to_labels", "first_dropout")
    )

    vocab_size: int = 96
    block_size: int = 64
    n_layer: int = 4
    n_head: int = 4
    n_embd: int = 128
    dropout: float = 0.0
    bias: bool = True
    n_inner: int | None = None
    activation_function: str = "gelu_new"
    layer_norm_epsilon: float = 1e-5
    tie_word_embeddings: bool = False

    def __post_init__(self) -> None:
        if self.n_head < 1 or self.n_embd % self.n_head:
            raise ValueError(f"GPTConfig: {self.n_head} heads do not divide {self.n_embd} channels")
        if self.activation_function not in ACTIVATIONS:
            raise ValueError(
                f"GPTConfig: activation_function must be one of {', '.join(ACTIVATIONS)}, not"
                f" {self.activation_function!r}"
            )

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Self:
        """The configuration that a config.json describes. What it does not say is as in GPT-2."""
        given = {cls.renamed.get(name, name) for name in settings}
        left = {name: value for name, value in GPT2.items() if name not in given}
        return super().from_settings({**settings, **left})

    def to_settings(self) -> dict[str, Any]:
        """What a config.json says of this configuration. Raises ValueError without biases, which
        GPT-2 always has."""
        settings = super().to_settings()
        if not settings.pop("bias"):
            raise ValueError("GPTConfig: files of GPT-2 have no name for bias=False")
        return settings | {name: self.dropout for name in self.renamed if name.endswith("_pdrop")}
