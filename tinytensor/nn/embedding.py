"""Embedding and EmbeddingBag: tables of vectors."""

from __future__ import annotations

from typing import Any, Self

from ..errors import ShapeError
from ..ops.checks import number, whole
from ..tensors.tensor import Tensor
from . import functional as F
from . import init
from .embedding_bags import check_mode
from .module import Module
from .parameter import Parameter

__all__ = ["Embedding", "EmbeddingBag"]


class _Table(Module):
    """A table of vectors, ``weight`` (num_embeddings, embedding_dim)."""

    # Of older pickles, which do not say:
    max_norm: float | None = None
    norm_type: float = 2.0
    scale_grad_by_freq: bool = False
    sparse: bool = False

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None,
        max_norm: float | None,
        norm_type: float,
        scale_grad_by_freq: bool,
        sparse: bool,
        weight: Tensor | None,
        freeze: bool = False,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        whole(name, 0, num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise ValueError(f"{name}: padding_idx {padding_idx} of {num_embeddings} rows")
            padding_idx %= num_embeddings
        if max_norm is not None:
            number(name, "max_norm", max_norm, 0)
        number(name, "norm_type", norm_type, 0)
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = padding_idx
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.sparse = sparse
        if weight is None:
            weight = Parameter(init.empty(num_embeddings, embedding_dim), not freeze)
            self.weight = weight
            self.reset_parameters()
        elif weight.shape != (num_embeddings, embedding_dim):
            raise ShapeError(
                f"{name}: the weight must be {(num_embeddings, embedding_dim)}, but is"
                f" {weight.shape}"
            )
        else:
            self.weight = Parameter(weight.detach(), not freeze)

    def reset_parameters(self) -> None:
        """Draw the table anew."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight.value[self.padding_idx] = 0

    @classmethod
    def _of(cls, embeddings: Tensor, freeze: bool, **settings: Any) -> Self:
        if embeddings.ndim != 2:
            raise ShapeError(f"from_pretrained: the table has 2 axes, not {embeddings.shape}")
        make: Any = cls
        layer: Self = make(*embeddings.shape, _weight=embeddings, **settings)
        layer.weight.requires_grad = not freeze
        return layer

    def _shown(self, *names: str) -> str:
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        for name in names:
            value = getattr(self, name)
            if value is not None and value is not False and (name, value) != ("norm_type", 2.0):
                text += f", {name}={value!r}"
        return text


class Embedding(_Table):
    """A table of vectors, looked up by integers: (…) becomes (…, embedding_dim).

    ``weight`` (num_embeddings, embedding_dim) starts normal. The row ``padding_idx`` starts as 0
    and gets no gradient. Before a look-up the rows in it whose ``norm_type``-norm is above
    ``max_norm`` are scaled down to it, in the table. ``scale_grad_by_freq`` divides the gradient of
    a row by how often it was looked up. ``sparse`` is taken as PyTorch's, and does nothing.

    >>> import tinytensor as tt
    >>> tt.nn.Embedding(10, 3)(tt.tensor([[1, 2], [4, 5]])).shape
    (2, 2, 3)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        _freeze: bool = False,
    ) -> None:
        super().__init__(
            num_embeddings,
            embedding_dim,
            padding_idx,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            sparse,
            _weight,
            _freeze,
        )

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Self:
        """An embedding with the table ``embeddings``, whose memory it shares."""
        return cls._of(
            embeddings,
            freeze,
            padding_idx=padding_idx,
            max_norm=max_norm,
            norm_type=norm_type,
            scale_grad_by_freq=scale_grad_by_freq,
            sparse=sparse,
        )

    def forward(self, input: Tensor) -> Tensor:
        return F.embedding(
            input,
            self.weight,
            self.padding_idx,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
        )

    def extra_repr(self) -> str:
        text = self._shown("padding_idx", "max_norm", "norm_type", "scale_grad_by_freq")
        return text + ", sparse=True" * bool(self.sparse)


class EmbeddingBag(_Table):
    """The "sum", "mean" or "max" of the rows of each bag of integers, without a tensor of them all.

    ``input`` is (B, n), a bag a row, or has one axis, with ``offsets`` (B,) where bags begin, and
    the end of the last with ``include_last_offset``. "sum" can weigh each row by
    ``per_sample_weights`` of the shape of input. Rows ``padding_idx`` do not count. A bag of none
    is 0. The other arguments are those of :class:`Embedding`.

    >>> import tinytensor as tt
    >>> bags = tt.nn.EmbeddingBag(10, 3, mode="sum")
    >>> bags(tt.tensor([1, 2, 4, 5, 4]), tt.tensor([0, 3])).shape
    (2, 3)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Tensor | None = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> None:
        check_mode("EmbeddingBag", mode, scale_grad_by_freq)
        super().__init__(
            num_embeddings,
            embedding_dim,
            padding_idx,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            sparse,
            _weight,
        )
        self.mode = mode
        self.include_last_offset = include_last_offset

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> Self:
        """Bags of the table ``embeddings``, whose memory they share."""
        return cls._of(
            embeddings,
            freeze,
            max_norm=max_norm,
            norm_type=norm_type,
            scale_grad_by_freq=scale_grad_by_freq,
            mode=mode,
            sparse=sparse,
            include_last_offset=include_last_offset,
            padding_idx=padding_idx,
        )

    def forward(
        self,
        input: Tensor,
        offsets: Tensor | None = None,
        per_sample_weights: Tensor | None = None,
    ) -> Tensor:
        return F.embedding_bag(
            input,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            self.sparse,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )

    def extra_repr(self) -> str:
        return self._shown("max_norm", "norm_type", "scale_grad_by_freq", "mode", "padding_idx")
