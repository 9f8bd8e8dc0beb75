"""T5: Raffel et al., "Exploring the limits of transfer learning", 2020.

T5 1.0 has an MLP with ReLU and a tied head, 1.1 a gated one with GELU and a head of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from ... import nn, ops
from ...tensors.tensor import Tensor
from ..attending import Attending, activation, check_tokens, key_mask
from ..checkpoints import Checkpoint
from ..settings import Settings
from .conditional import Cache, Conditional, Encoded, Mask, Memory, Sublayers, held, through
from .relative import RelativeBias


@dataclass
class T5Config(Settings):
    """Sizes, by the names of ``config.json``. The defaults are those of T5 small.

    ``feed_forward_proj`` is the activation's name, with "gated-" before it for a gated MLP.
    ``scale_decoder_outputs`` None: features are scaled by 1/√d_model if the head is tied.
    """

    vocab_size: int = 32128
    d_model: int = 512
    d_kv: int = 64
    d_ff: int = 2048
    num_layers: int = 6
    num_decoder_layers: int | None = None
    num_heads: int = 8
    relative_attention_num_buckets: int = 32
    relative_attention_max_distance: int = 128
    dropout_rate: float = 0.1
    layer_norm_epsilon: float = 1e-6
    initializer_factor: float = 1.0
    feed_forward_proj: str = "relu"
    tie_word_embeddings: bool = True
    scale_decoder_outputs: bool | None = None
    decoder_start_token_id: int | None = None
    pad_token_id: int | None = 0
    eos_token_id: int | None = 1

    model_type: ClassVar[str] = "t5"
    without_effect = frozenset(("dense_act_fn", "is_gated_act", "n_positions", "output_past"))

    def __post_init__(self) -> None:
        if self.num_decoder_layers is None:
            self.num_decoder_layers = self.num_layers
        if self.num_layers < 1 or self.num_decoder_layers < 1:
            raise ValueError("T5Config: num_layers and num_decoder_layers must be 1 or more")
        if self.scale_decoder_outputs is None:
            self.scale_decoder_outputs = self.tie_word_embeddings
        if self.decoder_start_token_id is None:
            self.decoder_start_token_id = self.pad_token_id or 0


class T5MLP(nn.Module):
    """W_o f(W_i x), or gated W_o (f(W_0 x) ⊙ W_1 x). (B, T, C) → (B, T, C)."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        kind, _, name = config.feed_forward_proj.rpartition("-")
        self.inner = ("wi_0", "wi_1") if kind == "gated" else ("wi",)
        for inner in self.inner:
            setattr(self, inner, nn.Linear(config.d_model, config.d_ff, bias=False))
        self.wo = nn.Linear(config.d_ff, config.d_model, bias=False)
        self.dropout = nn.Dropout(config.dropout_rate)
        self.activation = activation("T5", "gelu_new" if (kind and name == "gelu") else name)

    def forward(self, x: Tensor) -> Tensor:
        first, *gated = (getattr(self, name)(x) for name in self.inner)
        y = self.activation(first)
        return self.wo(self.dropout(y * gated[0] if gated else y))


class T5Block(Sublayers):
    """A layer."""

    def __init__(self, config: T5Config, decoder: bool) -> None:
        super().__init__()
        c, eps = config.d_model, config.layer_norm_epsilon
        names = ("SelfAttention", "EncDecAttention")[: 1 + decoder]
        how: Any = (config.num_heads, "qkvo", (False,) * 4, config.d_kv, config.dropout_rate, 1.0)
        layers: list[dict[str, nn.Module]] = [{name: Attending("T5", c, *how)} for name in names]
        layers.append({"DenseReluDense": T5MLP(config)})
        layers = [{**layer, "layer_norm": nn.RMSNorm(c, eps=eps)} for layer in layers]
        self.layer: Any = nn.ModuleList([nn.ModuleDict(layer) for layer in layers])
        self.dropout = nn.Dropout(config.dropout_rate)

    @property
    def itself(self) -> Any:
        return self.layer[0]["layer_norm"], self.layer[0]["SelfAttention"]

    @property
    def memory(self) -> Any:
        cross = len(self.layer) > 2
        return (self.layer[1]["layer_norm"], self.layer[1]["EncDecAttention"]) if cross else None

    def feed_forward(self, x: Tensor) -> Tensor:
        return self.layer[-1]["DenseReluDense"](self.layer[-1]["layer_norm"](x))


class T5Stack(nn.Module):
    """Embedded tokens (B, T, C) → features (B, T, C): the encoder or the decoder."""

    def __init__(self, config: T5Config, decoder: bool) -> None:
        super().__init__()
        count = config.num_decoder_layers if decoder else config.num_layers
        self.decoder = decoder
        blocks: Any = [T5Block(config, decoder) for _ in range(count or 0)]
        count, most = config.relative_attention_num_buckets, config.relative_attention_max_distance
        bias = RelativeBias(count, config.num_heads, most, both=not decoder)
        blocks[0].itself[1].relative_attention_bias = bias
        self.block: Any = nn.ModuleList(blocks)
        self.final_layer_norm = nn.RMSNorm(config.d_model, eps=config.layer_norm_epsilon)
        self.dropout = nn.Dropout(config.dropout_rate)

    def forward(self, x: Tensor, memory: Memory | None, mask: Mask, cache: Cache = None) -> Tensor:
        bias = self.block[0].itself[1].relative_attention_bias  # for all layers
        bias = bias(x.shape[1], held(cache))
        if mask is not None and not self.decoder:
            bias = ops.where(mask, bias, -math.inf)
        x = through(self.block, self.dropout(x), bias, self.decoder, memory, mask, cache)
        return self.dropout(self.final_layer_norm(x))


class T5(Conditional):
    """Tokens (B, S) and the decoder's (B, T) → logits (B, T, vocab_size) of each next token.

    >>> import tinytensor as tt
    >>> model = T5(T5Config(40, d_model=12, d_kv=4, d_ff=20, num_layers=1, num_heads=2))
    >>> tokens = tt.tensor([[5, 6, 7, 1]])
    >>> model(tokens, tt.tensor([[0, 8]])).shape, len(model.generate(tokens, 3))
    ((1, 2, 40), 1)
    """

    model_types = ("t5",)
    architectures = ("T5ForConditionalGeneration", "T5Model")
    configuration = T5Config
    surplus = (r"(en|de)coder\.embed_tokens\.weight", r".*\.EncDecAttention\.relative_.*\.weight")

    def __init__(self, config: T5Config | None = None) -> None:
        super().__init__()
        self.config = config = config or T5Config()
        self.shared = nn.Embedding(config.vocab_size, config.d_model)
        self.encoder, self.decoder = T5Stack(config, False), T5Stack(config, True)
        self.lm_head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        if config.tie_word_embeddings:
            self.lm_head.weight = self.shared.weight
        d, factor = config.d_model, config.initializer_factor
        inner, ff = config.num_heads * config.d_kv, config.d_ff
        fans = {"q": d * config.d_kv, "o": inner, "wo": ff, "shared": 1, "lm_head": 1}
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                fan = fans.get(name.split(".")[-2], d)
                nn.init.normal_(parameter, std=factor * fan**-0.5)

    def encode(self, source: Tensor, lengths: Any = None, mask: Any = None) -> Encoded:
        check_tokens("T5", "tokens", source)
        keys = key_mask("T5", source.shape, mask, lengths)
        return self.encoder(self.shared(source), None, keys), keys

    def decoder_layers(self) -> Iterable[Sublayers]:
        return self.decoder.block

    def decode(
        self, tokens: Tensor, memory: Memory, mask: Mask = None, cache: Cache = None
    ) -> Tensor:
        return self.decoder(self.shared(tokens), memory, mask, cache)

    def head(self, features: Tensor) -> Tensor:
        if self.config.scale_decoder_outputs:
            features = features * self.config.d_model**-0.5
        return self.lm_head(features)

    def forward(
        self, tokens: Tensor, decoder_tokens: Tensor, lengths: Any = None, mask: Any = None
    ) -> Tensor:
        """Of the source's tokens ``lengths`` (B,) count, or those where ``mask`` is not 0."""
        return self._written(self.encode(tokens, lengths, mask), decoder_tokens)

    @classmethod
    def _of_checkpoint(cls, checkpoint: Checkpoint, dtype: Any) -> Self:
        """Whether the head is tied is seen in the tensors: files that say so may have both."""
        settings, tensors = dict(checkpoint.settings), checkpoint.tensors
        settings.setdefault("scale_decoder_outputs", settings.get("tie_word_embeddings", True))
        head, table = (tensors.get(name) for name in ("lm_head.weight", "shared.weight"))
        tied = head is None or (table is not None and np.array_equal(head.data, table.data))
        settings["tie_word_embeddings"] = tied
        return super()._of_checkpoint(replace(checkpoint, settings=settings), dtype)
