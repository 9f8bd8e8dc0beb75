"""BERT: Devlin et al. 2019. The parameters' names are those of Hugging Face's files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ... import nn
from ...tensors.tensor import Tensor
from ..attending import Attending, Headed, Pooler, activation, check_tokens, key_mask
from ..settings import Settings


@dataclass
class BERTConfig(Settings):
    """Sizes, by the names of ``config.json``. The defaults are those of BERT base, uncased."""

    vocab_size: int = 30522
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    pad_token_id: int | None = 0
    num_labels: int = 2
    pooling: bool = True
    tie_word_embeddings: bool = True

    model_type: ClassVar[str] = "bert"
    fixed: ClassVar[dict[str, Any]] = {"position_embedding_type": "absolute", "is_decoder": False}


class BERTEmbeddings(nn.Module):
    """norm(token + position + token type): tokens (B, T) → (B, T, C)."""

    def __init__(self, config: BERTConfig) -> None:
        super().__init__()
        c = config.hidden_size
        self.word_embeddings = nn.Embedding(config.vocab_size, c, config.pad_token_id)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, c)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, c)
        self.LayerNorm = nn.LayerNorm(c, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, tokens: Tensor, token_types: Tensor | None = None) -> Tensor:
        positions = Tensor(np.arange(tokens.shape[1]))
        if token_types is None:
            token_types = Tensor(np.zeros(tokens.shape[1], np.int64))
        x = self.word_embeddings(tokens) + self.token_type_embeddings(token_types)
        return self.dropout(self.LayerNorm(x + self.position_embeddings(positions)))


class Added(nn.Module):
    """norm(x + W y + b): what ends each half of a layer."""

    def __init__(self, config: BERTConfig, inputs: int) -> None:
        super().__init__()
        self.dense = nn.Linear(inputs, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, y: Tensor, x: Tensor) -> Tensor:
        return self.LayerNorm(x + self.dropout(self.dense(y)))


class BERTLayer(nn.Module):
    """norm(x + attention(x)), then norm(x + mlp(x)). (B, T, C) → (B, T, C)."""

    def __init__(self, config: BERTConfig) -> None:
        super().__init__()
        c, inner = config.hidden_size, config.intermediate_size
        names, dropout = ("query", "key", "value"), config.attention_probs_dropout_prob
        attention = Attending("BERT", c, config.num_attention_heads, names, dropout=dropout)
        self.attention: Any = nn.ModuleDict({"self": attention, "output": Added(config, c)})
        self.intermediate: Any = nn.ModuleDict({"dense": nn.Linear(c, inner)})
        self.output = Added(config, inner)
        self.activation = activation("BERT", config.hidden_act)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = self.attention["output"](self.attention["self"](x, mask), x)
        return self.output(self.activation(self.intermediate["dense"](x)), x)


class BERTModel(nn.Module):
    """Tokens (B, T) → features (B, T, C): embeddings and the layers."""

    def __init__(self, config: BERTConfig) -> None:
        super().__init__()
        self.embeddings = BERTEmbeddings(config)
        layers = nn.ModuleList([BERTLayer(config) for _ in range(config.num_hidden_layers)])
        self.encoder: Any = nn.ModuleDict({"layer": layers})
        self.pooler = Pooler(config.hidden_size) if config.pooling else None
        self.positions = config.max_position_embeddings

    def forward(
        self, tokens: Tensor, token_types: Tensor | None = None, mask: Any = None,
        lengths: Any = None,
    ) -> Tensor:  # fmt: skip
        check_tokens("BERT", "tokens", tokens, self.positions)
        keys = key_mask("BERT", tokens.shape, mask, lengths)
        x = self.embeddings(tokens, token_types)
        for layer in self.encoder["layer"]:
            x = layer(x, keys)
        return x


class BERT(Headed):
    """Tokens (B, T) → the last hidden states (B, T, hidden_size).

    Of each row the first of ``lengths`` (B,) tokens count, or those where ``mask`` (B, T) is not 0;
    ``token_types`` (B, T) tell the first sentence (0) from the second. ``model.bert.pooler`` makes
    one vector a row of the hidden states, by the first token; it is None if ``pooling`` is not set.

    >>> import tinytensor as tt
    >>> config = BERTConfig(40, hidden_size=12, num_hidden_layers=1, num_attention_heads=3,
    ...                     intermediate_size=20)
    >>> model = BERT(config)
    >>> hidden = model(tt.tensor([[2, 5, 3], [2, 3, 0]]), lengths=[3, 2])
    >>> hidden.shape, model.bert.pooler(hidden).shape
    ((2, 3, 12), (2, 12))
    """

    model_types: ClassVar[tuple[str, ...]] = ("bert",)
    architectures: ClassVar[tuple[str, ...]] = ("BertModel",)
    configuration = BERTConfig
    prefix = "bert."
    surplus: ClassVar[tuple[str, ...]] = (
        r"cls\..*",
        r"classifier\..*",
    )  # heads of pre-training and others

    def __init__(self, config: BERTConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or BERTConfig()
        self.bert = BERTModel(config)
        self._add_head(config)
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                nn.init.normal_(parameter, std=config.initializer_range)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def _add_head(self, config: BERTConfig) -> None:
        pass

    def forward(
        self, tokens: Tensor, token_types: Tensor | None = None, mask: Any = None,
        lengths: Any = None,
    ) -> Tensor:  # fmt: skip
        return self.bert(tokens, token_types, mask, lengths)


class BERTForMaskedLM(BERT):
    """Tokens (B, T) → logits (B, T, vocab_size) of what each is, for those that were masked. The
    arguments are those of :class:`BERT`."""

    architectures = ("BertForMaskedLM",)
    surplus = (r"cls\.seq_relationship\..*", r"cls\.predictions\.decoder\.bias")
    cls: Any

    def _add_head(self, config: BERTConfig) -> None:
        c = config.hidden_size
        norm = nn.LayerNorm(c, eps=config.layer_norm_eps)
        decoder = nn.Linear(c, config.vocab_size)
        if config.tie_word_embeddings:
            decoder.weight = self.bert.embeddings.word_embeddings.weight
        transform = nn.ModuleDict({"dense": nn.Linear(c, c), "LayerNorm": norm})
        head: Any = nn.ModuleDict({"transform": transform, "decoder": decoder})
        head.bias = decoder.bias  # the name that files have
        self.cls = nn.ModuleDict({"predictions": head})
        self.activation = activation("BERT", config.hidden_act)

    def forward(self, tokens: Tensor, *args: Any, **how: Any) -> Tensor:
        head = self.cls["predictions"]
        y = self.activation(head["transform"]["dense"](self.bert(tokens, *args, **how)))
        return head["decoder"](head["transform"]["LayerNorm"](y))


class BERTForSequenceClassification(BERT):
    """Tokens (B, T) → logits (B, num_labels) of each row, by its pooled features. The arguments are
    those of :class:`BERT`."""

    architectures = ("BertForSequenceClassification",)
    surplus = ()

    def _add_head(self, config: BERTConfig) -> None:
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)

    def forward(self, tokens: Tensor, *args: Any, **how: Any) -> Tensor:
        pooled: Any = self.bert.pooler
        return self.classifier(self.dropout(pooled(self.bert(tokens, *args, **how))))
