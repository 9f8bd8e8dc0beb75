"""Losses as modules. ``reduction`` is "mean", "sum", or "none" for a loss for each element."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar

import numpy as np

from ..errors import ShapeError
from ..ops.checks import number, whole
from ..ops.spelling import reduction_of
from ..tensors.tensor import Tensor
from . import functional as F
from .distance import PairwiseDistance
from .functional import Reduction
from .module import Module

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CTCLoss",
    "CosineEmbeddingLoss",
    "CrossEntropyLoss",
    "GaussianNLLLoss",
    "HingeEmbeddingLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "MSELoss",
    "MarginRankingLoss",
    "MultiLabelMarginLoss",
    "MultiLabelSoftMarginLoss",
    "MultiMarginLoss",
    "NLLLoss",
    "PoissonNLLLoss",
    "SmoothL1Loss",
    "SoftMarginLoss",
    "TripletMarginLoss",
    "TripletMarginWithDistanceLoss",
]


def _or_older_names(init: Callable[..., None]) -> Callable[..., None]:
    """``init`` that takes ``size_average`` and ``reduce`` too, which ``reduction`` replaced."""

    @wraps(init)
    def make(
        self: _Loss,
        *args: Any,
        size_average: bool | None = None,
        reduce: bool | None = None,
        **more: Any,
    ) -> None:
        if size_average is not None or reduce is not None:
            more["reduction"] = reduction_of(type(self).__name__, size_average, reduce)
        init(self, *args, **more)

    return make


class _Loss(Module):
    """``_function(*inputs, *settings)``: a class names the function, and the attributes that are
    its settings."""

    _function: ClassVar[Callable[..., Any]]
    _settings: ClassVar[tuple[str, ...]] = ("reduction",)
    _reductions: ClassVar[tuple[str, ...]] = ("none", "mean", "sum")

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" in vars(cls):
            cls.__init__ = _or_older_names(cls.__init__)  # type: ignore[method-assign]

    def __init__(self, reduction: Reduction = "mean", **settings: float) -> None:
        super().__init__()
        if reduction not in self._reductions:
            *first, last = map(repr, self._reductions)
            raise ValueError(
                f"{type(self).__name__}: reduction is {', '.join(first)} or {last}, not"
                f" {reduction!r}"
            )
        self.reduction = reduction
        for name, value in settings.items():
            number(type(self).__name__, name, value)
            setattr(self, name, value)

    def _of(self, *inputs: Any) -> Tensor:
        return self._function(*inputs, *[getattr(self, name) for name in self._settings])


class _OfTarget(_Loss):
    """A loss of one input."""

    def __init__(self, reduction: Reduction = "mean") -> None:
        super().__init__(reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return self._of(input, target)


class _Weighted(_Loss):
    """A loss of one input with fixed weights: a buffer, saved with the module."""

    weight: Tensor | None
    _settings: ClassVar[tuple[str, ...]] = ("weight", "reduction")

    def __init__(
        self, weight: Tensor | None = None, reduction: Reduction = "mean", **settings: float
    ) -> None:
        super().__init__(reduction, **settings)
        self.register_buffer("weight", weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return self._of(input, target)


# --- Classes ---------------------------------------------------------------------------------


class CrossEntropyLoss(_Weighted):
    """``-log softmax(input)[target]`` of logits (N, C, …) or (C,).

    The target holds class indices (N, …), of which ``ignore_index`` counts nothing, or
    probabilities of the shape of input. ``weight`` (C,) weighs the classes, and the mean;
    ``label_smoothing`` is the share of the target that goes to all classes alike. ``z_loss`` z adds
    z (log Z)², Z = Σ exp(input), to each loss. (PaLM: Chowdhery et al. 2022, section 5.)

    >>> import tinytensor as tt
    >>> tt.nn.CrossEntropyLoss()(tt.zeros((2, 4)), tt.tensor([0, 3]))
    tensor(1.3862944)
    """

    _function = staticmethod(F.cross_entropy)
    _settings = ("weight", "ignore_index", "reduction", "label_smoothing", "z_loss")

    def __init__(
        self,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
        label_smoothing: float = 0.0,
        z_loss: float = 0.0,
    ) -> None:
        super().__init__(weight, reduction)
        self.ignore_index = ignore_index
        number("CrossEntropyLoss", "label_smoothing", label_smoothing, 0, 1)
        self.label_smoothing = label_smoothing
        self.z_loss = number("CrossEntropyLoss", "z_loss", z_loss, 0)


class NLLLoss(_Weighted):
    """``-weight[target] * input[target]`` of log-probabilities (N, C, …) and classes (N, …)."""

    _function = staticmethod(F.nll_loss)
    _settings = ("weight", "ignore_index", "reduction")

    def __init__(
        self,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(weight, reduction)
        self.ignore_index = ignore_index


class BCELoss(_Weighted):
    """``-weight (y log p + (1 - y) log(1 - p))`` of probabilities p and targets y in [0, 1]."""

    _function = staticmethod(F.binary_cross_entropy)


class BCEWithLogitsLoss(_Weighted):
    """``-weight (pos_weight y log p + (1 - y) log(1 - p))`` with p = sigmoid(input), stably."""

    pos_weight: Tensor | None
    _function = staticmethod(F.binary_cross_entropy_with_logits)
    _settings = ("weight", "reduction", "pos_weight")

    def __init__(
        self,
        weight: Tensor | None = None,
        reduction: Reduction = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:
        super().__init__(weight, reduction)
        if pos_weight is not None and not bool((np.asarray(pos_weight) >= 0).all()):
            raise ValueError("BCEWithLogitsLoss: below a pos_weight of 0 the loss has no bound")
        self.register_buffer("pos_weight", pos_weight)


class MultiMarginLoss(_Weighted):
    """``max(0, margin - input[target] + input[c])ᵖ`` over the other classes c, the mean over all.

    ``input`` is (N, C) or (C,), ``target`` holds classes (N,); a loss counts the ``weight`` (C,) of
    its class. (Crammer and Singer 2001.)
    """

    p: int
    margin: float
    _function = staticmethod(F.multi_margin_loss)
    _settings = ("p", "margin", "weight", "reduction")

    def __init__(
        self,
        p: int = 1,
        margin: float = 1.0,
        weight: Tensor | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(weight, reduction, p=p, margin=margin)
        if p not in (1, 2):
            raise ValueError(f"MultiMarginLoss: p must be 1 or 2, not {p!r}")
        if weight is not None and weight.ndim != 1:
            raise ShapeError(f"MultiMarginLoss: weight must be (C,), but is {weight.shape}")


class MultiLabelMarginLoss(_OfTarget):
    """``max(0, 1 - input[t] + input[c])`` over the targets t and the classes c that are none, the
    sum over C. ``target`` (N, C) or (C,) holds classes, as many as there are before a -1."""

    _function = staticmethod(F.multilabel_margin_loss)


class MultiLabelSoftMarginLoss(_Weighted):
    """``-(y log σ(x) + (1 - y) log σ(-x))``, the mean over the classes (…, C), each ``weight``
    times."""

    _function = staticmethod(F.multilabel_soft_margin_loss)


# --- Sequences -------------------------------------------------------------------------------


class CTCLoss(_Loss):
    """The negative log-likelihood of a sequence of labels, over all that it may be aligned with.

    ``log_probs`` (T, N, C) or (T, C) are log-probabilities, ``targets`` (N, S), or one after the
    other (ΣS,), and the lengths of both are (N,). Between labels, and before and behind them, any
    number of ``blank`` may stand, and each may be repeated. "mean" divides each loss by its
    target's length first. ``zero_infinity`` lets targets too long for their input count 0. (Graves
    et al. 2006.)

    >>> import tinytensor as tt
    >>> x = tt.log_softmax(tt.zeros((2, 1, 3)), -1)
    >>> loss = tt.nn.CTCLoss()(x, tt.tensor([[1]]), tt.tensor([2]), tt.tensor([1]))
    >>> round(loss.item(), 4)  # 11, 1-, -1: three of nine
    1.0986
    """

    zero_infinity: bool
    _function = staticmethod(F.ctc_loss)
    _settings = ("blank", "reduction", "zero_infinity")

    def __init__(
        self, blank: int = 0, reduction: Reduction = "mean", zero_infinity: bool = False
    ) -> None:
        super().__init__(reduction)
        whole("CTCLoss", 0, blank=blank)
        self.blank = blank
        self.zero_infinity = zero_infinity

    def forward(
        self, log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any
    ) -> Tensor:
        return self._of(log_probs, targets, input_lengths, target_lengths)


# --- Differences -----------------------------------------------------------------------------


class MSELoss(_OfTarget):
    """``(input - target)²``."""

    _function = staticmethod(F.mse_loss)


class L1Loss(_OfTarget):
    """``|input - target|``."""

    _function = staticmethod(F.l1_loss)


class SmoothL1Loss(_Loss):
    """``d² / (2 beta)`` where d = |input - target| < beta, elsewhere ``d - beta / 2``."""

    _function = staticmethod(F.smooth_l1_loss)
    _settings = ("reduction", "beta")

    def __init__(self, reduction: Reduction = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        number("SmoothL1Loss", "beta", beta, 0)
        self.beta = beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return self._of(input, target)


class HuberLoss(_Loss):
    """``d² / 2`` where d = |input - target| < delta, elsewhere ``delta (d - delta / 2)``. (Huber
    1964.)"""

    delta: float
    _function = staticmethod(F.huber_loss)
    _settings = ("reduction", "delta")

    def __init__(self, reduction: Reduction = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction, delta=delta)
        if not delta > 0:
            raise ValueError(f"HuberLoss: delta must be positive, not {delta}")

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return self._of(input, target)


# --- Likelihoods -----------------------------------------------------------------------------


class KLDivLoss(_Loss):
    """``target (log target - input)``, of the logarithm ``input``; with ``log_target`` the target
    is a logarithm too. ``reduction`` "batchmean" divides the sum by N, as the divergence is
    defined. (Kullback and Leibler 1951.)"""

    log_target: bool
    _function = staticmethod(F.kl_div)
    _settings = ("reduction", "log_target")
    _reductions = ("none", "mean", "sum", "batchmean")

    def __init__(self, reduction: Any = "mean", log_target: bool = False) -> None:
        super().__init__(reduction)
        self.log_target = log_target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return self._of(input, target)


class PoissonNLLLoss(_Loss):
    """``exp(input) - target * input`` of counts, the input being the logarithm of their mean; the
    mean itself without ``log_input``: ``input - target log(input + eps)``. ``full`` adds Stirling's
    approximation of log target!."""

    eps: float
    _function = staticmethod(F.poisson_nll_loss)
    _settings = ("log_input", "full", "eps", "reduction")

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        eps: float = 1e-8,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(reduction, eps=eps)
        self.log_input = log_input
        self.full = full

    def forward(self, log_input: Tensor, target: Tensor) -> Tensor:
        return self._of(log_input, target)


class GaussianNLLLoss(_Loss):
    """``(log var + (input - target)² / var) / 2`` of a mean and a variance, of at least ``eps``;
    ``full`` adds ``log(2π) / 2``. (Nix and Weigend 1994.)"""

    eps: float
    _function = staticmethod(F.gaussian_nll_loss)
    _settings = ("full", "eps", "reduction")

    def __init__(
        self, *, full: bool = False, eps: float = 1e-6, reduction: Reduction = "mean"
    ) -> None:
        super().__init__(reduction, eps=eps)
        self.full = full

    def forward(self, input: Tensor, target: Tensor, var: Tensor | float) -> Tensor:
        return self._of(input, target, var)


# --- Margins: targets are 1 and -1 -----------------------------------------------------------


class SoftMarginLoss(_OfTarget):
    """``log(1 + exp(-target * input))`` of targets 1 and -1."""

    _function = staticmethod(F.soft_margin_loss)


class HingeEmbeddingLoss(_Loss):
    """The distance ``input`` where target is 1, ``max(0, margin - input)`` where it is -1.
    (Hadsell, Chopra and LeCun 2006.)"""

    margin: float
    _function = staticmethod(F.hinge_embedding_loss)
    _settings = ("margin", "reduction")

    def __init__(self, margin: float = 1.0, reduction: Reduction = "mean") -> None:
        super().__init__(reduction, margin=margin)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return self._of(input, target)


class _OfPair(_Loss):
    """A loss with a margin of two inputs, which target 1 or -1 is about."""

    margin: float
    _settings = ("margin", "reduction")

    def __init__(self, margin: float = 0.0, reduction: Reduction = "mean") -> None:
        super().__init__(reduction, margin=margin)

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return self._of(input1, input2, target)


class MarginRankingLoss(_OfPair):
    """``max(0, margin - target (input1 - input2))``: 1 ranks the first higher, -1 the second."""

    _function = staticmethod(F.margin_ranking_loss)


class CosineEmbeddingLoss(_OfPair):
    """``1 - cos(input1, input2)`` where target is 1, ``max(0, cos - margin)`` where it is -1, of
    vectors (N, D) or (D,)."""

    _function = staticmethod(F.cosine_embedding_loss)


# --- Triplets --------------------------------------------------------------------------------


class _OfTriplet(_Loss):
    margin: float
    swap: bool

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        return self._of(anchor, positive, negative)


class TripletMarginLoss(_OfTriplet):
    """``max(0, margin + d(anchor, positive) - d(anchor, negative))``, d the p-norm of the
    difference; with ``swap``, d(positive, negative) where that is less. (Balntas et al. 2016.)"""

    p: float
    eps: float
    _function = staticmethod(F.triplet_margin_loss)
    _settings = ("margin", "p", "eps", "swap", "reduction")

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(reduction, margin=margin, p=p, eps=eps)
        if not margin > 0:
            raise ValueError(f"TripletMarginLoss: margin must be positive, not {margin}")
        self.swap = swap


class TripletMarginWithDistanceLoss(_OfTriplet):
    """:class:`TripletMarginLoss` of any ``distance_function``, by default the Euclidean."""

    def __init__(
        self,
        *,
        distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(reduction, margin=margin)
        if not margin > 0:
            raise ValueError(
                f"TripletMarginWithDistanceLoss: margin must be positive, not {margin}"
            )
        self.distance_function = distance_function or PairwiseDistance()
        self.swap = swap

    def _of(self, *triplet: Any) -> Tensor:
        return F.triplet_margin_with_distance_loss(
            *triplet,
            distance_function=self.distance_function,
            margin=self.margin,
            swap=self.swap,
            reduction=self.reduction,
        )
