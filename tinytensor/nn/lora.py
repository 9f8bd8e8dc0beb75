"""LoRA: frozen layers, and beside each the product of two small matrices that learns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ..engine.grad_mode import no_grad
from ..ops.checks import number, whole
from ..tensors.tensor import Tensor
from . import functional as F
from . import init
from .conv import Conv1d, Conv2d, Conv3d
from .embedding import Embedding
from .linear import Linear
from .module import Module
from .packed import PackedEmbedding
from .parameter import Parameter

__all__ = ["LoRA", "apply_lora", "load_lora_state_dict", "lora_state_dict", "merge_lora"]

PREFIX = "base_model.model."  # of the names in the files of peft


class LoRA(Module):
    """``base(x) + alpha / rank · B A dropout(x)``: the layer ``base`` is frozen, and A (rank, in)
    and B (out, rank) learn.

    ``base`` is a Linear, a convolution, an Embedding, or any layer with ``in_features`` and
    ``out_features``, such as one of packed weights, as an Embedding may be too. A starts as the
    weight of a Linear, B as 0, so that at first nothing changes; of an Embedding it is A that is 0,
    and B is normal. Of a convolution A is one like it with ``rank`` outputs, which sees all inputs,
    and B one of kernels of size 1, in its groups, which must divide the rank. With
    ``rank_stabilized`` the factor is alpha / √rank. ``alpha`` is the rank if it is None. (Hu et al.
    2021; Kalajdzievski 2023.)

    >>> import tinytensor as tt
    >>> layer = tt.nn.LoRA(tt.nn.Linear(16, 32), rank=4)
    >>> layer(tt.zeros((2, 16))).shape, sum(p.size for p in layer.parameters() if p.requires_grad)
    ((2, 32), 192)
    """

    def __init__(
        self,
        base: Module,
        rank: int = 8,
        alpha: float | None = None,
        dropout: float = 0.0,
        rank_stabilized: bool = False,
    ) -> None:
        super().__init__()
        whole("LoRA", 1, rank=rank)
        self.dropout = number("LoRA", "dropout", dropout, 0, 1)
        self.rank = rank
        self.alpha = float(rank) if alpha is None else number("LoRA", "alpha", alpha)
        self.scaling = self.alpha / (rank**0.5 if rank_stabilized else rank)
        self.merged = False
        self.base_layer = base.requires_grad_(False)
        self.of_table = isinstance(base, Embedding | PackedEmbedding)
        if isinstance(base, Embedding) and base.max_norm is not None:
            raise ValueError("LoRA: an Embedding with max_norm changes its table")
        if isinstance(base, Embedding | PackedEmbedding):
            self.lora_embedding_A = Parameter(init.empty(rank, base.num_embeddings))
            self.lora_embedding_B = Parameter(init.empty(base.embedding_dim, rank))
        elif isinstance(base, Conv1d | Conv2d | Conv3d):
            if rank % base.groups:
                raise ValueError(f"LoRA: groups {base.groups} must divide the rank {rank}")
            kind: Any = next(one for one in (Conv1d, Conv2d, Conv3d) if isinstance(base, one))
            how = base.kernel_size, base.stride, base.padding, base.dilation, 1, False
            self.lora_A = kind(base.in_channels, rank, *how, base.padding_mode)
            self.lora_B = kind(rank, base.out_channels, 1, groups=base.groups, bias=False)
        elif hasattr(base, "in_features") and hasattr(base, "out_features"):
            self.lora_A = Linear(base.in_features, rank, bias=False)
            self.lora_B = Linear(rank, base.out_features, bias=False)
        else:
            raise TypeError(f"LoRA: there is none for {type(base).__name__}")
        weight = getattr(base, "weight", None)
        if isinstance(weight, Parameter):
            for one in self._factors():
                one.value = one.value.astype(weight.dtype)
        self.reset_parameters()

    def _factors(self) -> tuple[Parameter, Parameter]:
        if self.of_table:
            return self.lora_embedding_A, self.lora_embedding_B
        return self.lora_A.weight, self.lora_B.weight

    def reset_parameters(self) -> None:
        """Draw A anew (of an Embedding, B), and make the other 0."""
        a, b = self._factors()
        if self.of_table:
            init.zeros_(a)
            init.normal_(b)
        else:
            init.fan_in_uniform_(a, None)
            init.zeros_(b)

    def forward(self, x: Tensor) -> Tensor:
        out = self.base_layer(x)
        if self.merged:
            return out
        if self.of_table:
            a, b = self._factors()
            padding = getattr(self.base_layer, "padding_idx", None)
            by_frequency = getattr(self.base_layer, "scale_grad_by_freq", False)
            low = F.embedding(x, a.mT, padding, scale_grad_by_freq=by_frequency)
            return out + F.linear(low, b) * self.scaling
        low = self.lora_A(F.dropout(x, self.dropout, self.training))
        return out + self.lora_B(low) * self.scaling

    def delta(self) -> np.ndarray:
        """What the weight of ``base`` would have to grow by. Raises TypeError for a convolution in
        groups: A sees all inputs, and its weight does not."""
        self._check_groups()
        a, b = (one.value for one in self._factors())
        scaling = a.dtype.type(self.scaling)
        if self.of_table:
            return (a.T @ b.T) * scaling
        product = b.reshape(len(b), -1) @ a.reshape(len(a), -1)
        return product.reshape(len(b), *a.shape[1:]) * scaling

    def _check_groups(self) -> None:
        if getattr(self.base_layer, "groups", 1) > 1:
            raise TypeError("LoRA: the product cannot be added to a weight in groups")

    def weight_to_merge(self) -> Parameter:
        """The weight that ``merge`` adds to. Raises TypeError if there is none."""
        weight = getattr(self.base_layer, "weight", None)
        if not isinstance(weight, Parameter):
            raise TypeError(f"LoRA: {type(self.base_layer).__name__} has no weight to be added to")
        self._check_groups()
        return weight

    def merge(self) -> LoRA:
        """Add the product to the weight of ``base``, whose speed the layer then has."""
        return self._merged(True)

    def unmerge(self) -> LoRA:
        """Take it away again, to the last rounding."""
        return self._merged(False)

    def _merged(self, wanted: bool) -> LoRA:
        weight = self.weight_to_merge()
        if wanted != self.merged:
            with no_grad():
                weight.copy_(weight + self.delta() * (1 if wanted else -1))
            self.merged = wanted
        return self

    def extra_repr(self) -> str:
        return f"rank={self.rank}, alpha={self.alpha}, dropout={self.dropout}"


def apply_lora(
    model: Module,
    names: Iterable[str] | Callable[[str, Module], bool],
    rank: int = 8,
    alpha: float | None = None,
    dropout: float = 0.0,
    rank_stabilized: bool = False,
) -> list[str]:
    """Put a :class:`LoRA` in the place of each layer of a model whose name ends with one of
    ``names`` (or for which ``names(name, layer)`` holds), and freeze all else. Returns their names.

    >>> import tinytensor as tt
    >>> model = tt.nn.Sequential(tt.nn.Linear(4, 4), tt.nn.ReLU(), tt.nn.Linear(4, 2))
    >>> tt.nn.apply_lora(model, ["2"], rank=2)
    ['2']
    >>> sorted(tt.nn.lora_state_dict(model))
    ['base_model.model.2.lora_A.weight', 'base_model.model.2.lora_B.weight']
    """
    wanted: Callable[[str, Module], bool]
    if callable(names):
        wanted = names
    else:
        ends = [names] if isinstance(names, str) else [*names]

        def wanted(name: str, module: Module) -> bool:
            return any(name == end or name.endswith(f".{end}") for end in ends)

    found = {name: one for name, one in model.named_modules() if name and wanted(name, one)}
    if not found:
        raise ValueError(f"apply_lora: no layer of {type(model).__name__} is named so: {names!r}")
    layers = {name: LoRA(one, rank, alpha, dropout, rank_stabilized) for name, one in found.items()}
    model.requires_grad_(False)
    for name, layer in layers.items():
        model.set_submodule(name, layer)
    return [*layers]


def _layers(model: Module) -> dict[str, LoRA]:
    return {name: one for name, one in model.named_modules() if isinstance(one, LoRA)}


def merge_lora(model: Module) -> None:
    """Add the products to the weights, and put the plain layers back in their places; none of them
    if one has no weight that can be added to."""
    layers = _layers(model)
    for layer in layers.values():
        layer.weight_to_merge()
    for name, layer in layers.items():
        layer.merge()
        model.set_submodule(name, layer.base_layer)


def lora_state_dict(model: Module) -> dict[str, Tensor]:
    """The matrices of the :class:`LoRA` layers alone, under the names that peft's files have."""
    found = {}
    for path, layer in _layers(model).items():
        for name, parameter in layer.named_parameters():
            if not name.startswith("base_layer."):
                found[f"{PREFIX}{path}.{name}"] = parameter.detach()
    return found


def load_lora_state_dict(model: Module, state: Mapping[str, Any]) -> None:
    """Overwrite the matrices with those of ``state``, as :func:`lora_state_dict` gives them: all,
    or none if names or shapes differ."""
    own = lora_state_dict(model)
    if own.keys() != state.keys():
        names = ", ".join(sorted(own.keys() ^ state.keys())[:4])
        raise KeyError(f"load_lora_state_dict: the names differ: {names}")
    arrays = {name: np.asarray(value) for name, value in state.items()}
    for name, array in arrays.items():
        if array.shape != own[name].shape:
            raise ValueError(
                f"load_lora_state_dict: {name} is {array.shape}, and {own[name].shape} is wanted"
            )
    with no_grad():
        for name, array in arrays.items():
            own[name].copy_(Tensor(array))
