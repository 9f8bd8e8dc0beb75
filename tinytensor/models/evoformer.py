"""The Evoformer of AlphaFold 2: aligned sequences and pairs of residues, which inform each other.

Jumper et al. 2021, "Highly accurate protein structure prediction with AlphaFold"; algorithms are
numbered as in its supplement. m (…, S, N, c_m) is what is known of each of N residues in S aligned
sequences, z (…, N, N, c_z) of each pair of residues. Masks are True where there is something.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from .. import nn, ops
from ..nn import functional as F
from ..tensors.creation import ones
from ..tensors.tensor import Tensor

__all__ = ["Evoformer", "EvoformerBlock", "EvoformerConfig"]


@dataclass
class EvoformerConfig:
    """Sizes of an Evoformer. The defaults are those of the paper."""

    msa_channels: int = 256  # c_m
    pair_channels: int = 128  # c_z
    single_channels: int = 384  # c_s
    blocks: int = 48
    msa_heads: int = 8
    pair_heads: int = 4
    head_channels: int = 32  # c of attention
    outer_channels: int = 32  # c of the outer product
    triangle_channels: int = 128  # c of the multiplications
    transition: int = 4  # n: how many times as wide transitions are inside
    msa_dropout: float = 0.15
    pair_dropout: float = 0.25


def _begun(inputs: int, outputs: int, bias: float) -> nn.Linear:
    """A linear layer that begins as a constant: 1 before a gate's sigmoid, 0 before a sum."""
    layer = nn.Linear(inputs, outputs)
    layer.weight.data[...] = 0.0
    cast(Tensor, layer.bias).data[...] = bias
    return layer


class GatedAttention(nn.Module):
    """Attention with a gate along the rows of x (…, R, L, C), or its ``columns``: Algorithms 7, 8,
    13, 14. A linear map of ``pairs`` is added to the scores: of the normed (…, L, L, pairs) that a
    call is given, or of x where it is ``own``. ``mask`` (…, R, L) hides what is False."""

    def __init__(
        self, channels: int, heads: int, width: int, pairs: int = 0, *,
        own: bool = False, columns: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.heads, self.width, self.columns = heads, width, columns
        self.norm = nn.LayerNorm(channels)
        self.pair_norm = nn.LayerNorm(pairs) if pairs and not own else None
        self.pair = nn.Linear(pairs, heads, bias=False) if pairs else None
        sizes = channels, heads * width
        self.query, self.key, self.value = (nn.Linear(*sizes, bias=False) for _ in range(3))
        self.gate, self.out = _begun(*sizes, 1.0), _begun(*sizes[::-1], 0.0)

    def forward(self, x: Tensor, pairs: Tensor | None = None, mask: Any = None) -> Tensor:
        if self.columns:
            x, mask = x.swapaxes(-2, -3), None if mask is None else mask.mT
        x = self.norm(x)
        q, k, v = (
            project(x).reshape(*x.shape[:-1], self.heads, self.width).swapaxes(-2, -3)
            for project in (self.query, self.key, self.value)
        )  # (…, R, heads, L, width)
        bias, mask = None, None if mask is None else mask[..., None, None, :]
        if self.pair is not None:
            pairs = x if self.pair_norm is None else self.pair_norm(cast(Tensor, pairs))
            bias = ops.expand_dims(ops.moveaxis(self.pair(pairs), -1, -3), -4)
        y = F.scaled_dot_product_attention(q, k, v, mask, bias=bias).swapaxes(-2, -3)
        y = self.out(ops.sigmoid(self.gate(x)) * y.reshape(*x.shape[:-1], -1))
        return y.swapaxes(-2, -3) if self.columns else y


class Transition(nn.Module):
    """Two layers at each place, ``times`` as wide inside (Algorithms 9 and 15)."""

    def __init__(self, channels: int, times: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.inner = nn.Linear(channels, times * channels)
        self.out = _begun(times * channels, channels, 0.0)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(ops.relu(self.inner(self.norm(x))))


class OuterProductMean(nn.Module):
    """The mean over sequences of what residue i has, times what residue j has: Algorithm 10.
    m (…, S, N, c_m) → (…, N, N, c_z). The mean is over the sequences that ``mask`` (…, S, N) has at
    i and j, and 0 where there is none."""

    def __init__(self, msa_channels: int, pair_channels: int, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(msa_channels)
        self.left, self.right = (nn.Linear(msa_channels, width) for _ in range(2))
        self.out = _begun(width * width, pair_channels, 0.0)

    def forward(self, m: Tensor, mask: Any = None) -> Tensor:
        m = self.norm(m)
        here = ones(m.shape[:-1], dtype=m.dtype) if mask is None else mask.astype(m.dtype)
        a, b = (project(m) * here[..., None] for project in (self.left, self.right))
        outer = ops.einsum("...sic,...sjd->...ijcd", a, b).flatten(-2)
        return self.out(outer / ops.maximum(here.mT @ here, 1)[..., None])


class TriangleMultiplication(nn.Module):
    """Edge ij by the products of the edges of i and j to or from each third residue, z (…, N, N,
    c_z): Σ_k a_ik b_jk if ``outgoing``, Algorithm 11, otherwise Σ_k a_ki b_kj, Algorithm 12."""

    def __init__(self, channels: int, width: int, outgoing: bool) -> None:
        super().__init__()
        self.outgoing = outgoing
        self.norm, self.inner_norm = nn.LayerNorm(channels), nn.LayerNorm(width)
        self.left, self.right = (nn.Linear(channels, width) for _ in range(2))
        self.left_gate, self.right_gate = (_begun(channels, width, 1.0) for _ in range(2))
        self.gate, self.out = _begun(channels, channels, 1.0), _begun(width, channels, 0.0)

    def forward(self, z: Tensor, mask: Any = None) -> Tensor:
        z = self.norm(z)
        a = ops.sigmoid(self.left_gate(z)) * self.left(z)
        b = ops.sigmoid(self.right_gate(z)) * self.right(z)
        if mask is not None:
            a, b = a * mask[..., None], b * mask[..., None]
        a, b = ops.moveaxis(a, -1, -3), ops.moveaxis(b, -1, -3)  # (…, width, N, N)
        product = a @ b.mT if self.outgoing else a.mT @ b
        return ops.sigmoid(self.gate(z)) * self.out(self.inner_norm(ops.moveaxis(product, -3, -1)))


class EvoformerBlock(nn.Module):
    """m (…, S, N, c_m), z (…, N, N, c_z) → both anew: a line of Algorithm 6 each."""

    def __init__(self, config: EvoformerConfig | None = None) -> None:
        super().__init__()
        c = config or EvoformerConfig()
        msa, pair, width = c.msa_channels, c.pair_channels, c.head_channels
        self.msa_dropout, self.pair_dropout = c.msa_dropout, c.pair_dropout
        self.row_attention = GatedAttention(msa, c.msa_heads, width, pair)
        self.column_attention = GatedAttention(msa, c.msa_heads, width, columns=True)
        self.msa_transition = Transition(msa, c.transition)
        self.outer_product_mean = OuterProductMean(msa, pair, c.outer_channels)
        self.outgoing = TriangleMultiplication(pair, c.triangle_channels, outgoing=True)
        self.incoming = TriangleMultiplication(pair, c.triangle_channels, outgoing=False)
        self.starting_node = GatedAttention(pair, c.pair_heads, width, pair, own=True)
        self.ending_node = GatedAttention(pair, c.pair_heads, width, pair, own=True, columns=True)
        self.pair_transition = Transition(pair, c.transition)

    def forward(
        self, m: Tensor, z: Tensor, msa_mask: Any = None, pair_mask: Any = None
    ) -> tuple[Tensor, Tensor]:
        m = m + self._dropped(self.row_attention(m, z, msa_mask), self.msa_dropout, -3)
        m = m + self.column_attention(m, None, msa_mask)
        m = m + self.msa_transition(m)
        z = z + self.outer_product_mean(m, msa_mask)
        z = z + self._dropped(self.outgoing(z, pair_mask), self.pair_dropout, -3)
        z = z + self._dropped(self.incoming(z, pair_mask), self.pair_dropout, -3)
        z = z + self._dropped(self.starting_node(z, None, pair_mask), self.pair_dropout, -3)
        z = z + self._dropped(self.ending_node(z, None, pair_mask), self.pair_dropout, -2)
        return m, z + self.pair_transition(z)

    def _dropped(self, x: Tensor, p: float, axis: int) -> Tensor:
        """Dropout whose mask is the same along an axis: -3 row by row, -2 column by column."""
        if not self.training or not p:
            return x
        shape = tuple(1 if i == x.ndim + axis else size for i, size in enumerate(x.shape))
        return x * F.dropout(ones(shape, dtype=x.dtype), p, training=True)


class Evoformer(nn.Module):
    """The blocks, m (…, S, N, c_m), z (…, N, N, c_z) → m, z, s: what the first sequence knows of
    each residue is s (…, N, c_s) (Algorithm 6).

    >>> import tinytensor as tt
    >>> model = Evoformer(EvoformerConfig(8, 6, 5, blocks=2, msa_heads=2, pair_heads=2))
    >>> [x.shape for x in model(tt.zeros((3, 4, 8)), tt.zeros((4, 4, 6)))]
    [(3, 4, 8), (4, 4, 6), (4, 5)]
    """

    def __init__(self, config: EvoformerConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or EvoformerConfig()
        self.blocks = nn.ModuleList([EvoformerBlock(config) for _ in range(config.blocks)])
        self.single = nn.Linear(config.msa_channels, config.single_channels)

    def forward(
        self, m: Tensor, z: Tensor, msa_mask: Any = None, pair_mask: Any = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        for block in self.blocks:
            m, z = block(m, z, msa_mask, pair_mask)
        return m, z, self.single(m[..., 0, :, :])
