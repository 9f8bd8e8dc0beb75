"""Mixture of experts: each token goes to few of many MLPs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from .. import ops
from ..ops.checks import number, whole
from ..tensors.tensor import Tensor
from .containers import ModuleList
from .gated import GatedMLP
from .linear import Linear
from .module import Module

__all__ = ["MixtureOfExperts"]


class MixtureOfExperts(Module):
    """Σ p_e(x) expert_e(x) over the ``top_k`` experts that a token's ``router`` gives most to: (…,
    dim) to the same.

    p = softmax(router(x)); with ``normalize`` the chosen ones are divided by their sum (Mixtral).
    An expert computes its own tokens alone. They are :class:`GatedMLP` (dim, hidden, activation),
    or what ``expert()`` makes: any modules (n, dim) → (n, dim).

    With ``capacity_factor`` c an expert takes at most ⌈c · top_k · tokens / experts⌉ tokens, first
    choices before second ones and earlier tokens before later ones; what is beyond adds nothing.

    A pass leaves two losses, to be added to that of a model with small factors: ``balance_loss`` =
    experts · Σ_e f_e p̄_e, f_e the share of choices that fell on e and p̄_e its mean probability, 1
    where all experts are chosen alike; and ``z_loss``, the mean of logsumexp(router(x))². ``load``
    has the choices of each expert, and ``dropped`` how many found no place. (Shazeer et al. 2017;
    Lepikhin et al. 2021; Fedus, Zoph and Shazeer 2022; Zoph et al. 2022.)

    >>> import tinytensor as tt
    >>> layer = tt.nn.MixtureOfExperts(8, 16, experts=4)
    >>> layer(tt.zeros((2, 5, 8))).shape, int(layer.load.sum())
    ((2, 5, 8), 20)
    """

    balance_loss: Tensor | None
    z_loss: Tensor | None
    load: np.ndarray
    dropped: int

    def __init__(
        self,
        dim: int,
        hidden: int,
        experts: int = 8,
        top_k: int = 2,
        activation: str = "silu",
        normalize: bool = True,
        capacity_factor: float | None = None,
        expert: Callable[[], Module] | None = None,
    ) -> None:
        super().__init__()
        whole("MixtureOfExperts", 1, dim=dim, hidden=hidden, experts=experts, top_k=top_k)
        if top_k > experts:
            raise ValueError(f"MixtureOfExperts: top_k {top_k} of {experts} experts")
        if capacity_factor is not None:
            number("MixtureOfExperts", "capacity_factor", capacity_factor, 0)
        self.dim, self.top_k, self.normalize = dim, top_k, normalize
        self.capacity_factor = capacity_factor
        self.router = Linear(dim, experts, bias=False)
        make = expert or (lambda: GatedMLP(dim, hidden, activation))
        self.experts = ModuleList([make() for _ in range(experts)])
        self.balance_loss = self.z_loss = None
        self.load, self.dropped = np.zeros(experts, np.int64), 0

    def forward(self, x: Tensor) -> Tensor:
        rows = ops.reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))
        tokens, experts = len(rows), len(self.experts)
        scores = self.router(rows)
        shares = ops.softmax(scores, -1)
        order = np.argsort(-shares.detach().numpy(), axis=-1, kind="stable")
        chosen = order[:, : self.top_k]  # (tokens, top_k), the most likely first
        self.load = np.bincount(chosen.reshape(-1), minlength=experts)
        given = self.load / max(chosen.size, 1)
        self.balance_loss = experts * (ops.mean(shares, 0) * given.astype(shares.dtype)).sum()
        self.z_loss = ops.mean(ops.square(ops.logsumexp(scores, -1)))
        weights = ops.take_along_axis(shares, chosen, -1)
        if self.normalize:
            weights = weights / ops.sum(weights, -1, keepdims=True)
        self.dropped = 0
        parts, owners = [], []
        for expert, places in zip(self.experts, self._places(chosen), strict=True):
            if len(places):
                token, choice = places % tokens, places // tokens
                parts.append(expert(rows[token]) * weights[token, choice][:, None])
                owners.append(token)
        out = Tensor(np.zeros(rows.shape, rows.dtype))
        if parts:
            out = ops.index_add(out, 0, np.concatenate(owners), ops.concat(parts))
        return ops.reshape(out, x.shape)

    def _places(self, chosen: np.ndarray) -> Sequence[np.ndarray]:
        """Of each expert, the numbers choice · tokens + token that it computes."""
        flat = chosen.T.reshape(-1)
        order = np.argsort(flat, kind="stable")
        places = np.split(order, np.cumsum(self.load)[:-1])
        if self.capacity_factor is None:
            return places
        most = math.ceil(self.capacity_factor * flat.size / len(self.experts))
        self.dropped = int(np.maximum(self.load - most, 0).sum())
        return [one[:most] for one in places]

    def extra_repr(self) -> str:
        text = f"{self.dim}, experts={len(self.experts)}, top_k={self.top_k}"
        text += ", normalize=False" * (not self.normalize)
        factor = self.capacity_factor
        return text if factor is None else f"{text}, capacity_factor={factor}"
