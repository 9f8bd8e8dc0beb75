"""Maps of draws, one to one and element by element, and the distributions that they make.

If y = f(x), the density of y is that of x over |f′(x)|.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ops
from ..ops.annotations import ArrayLike
from ..tensors.tensor import Shape, Tensor
from . import constraints
from .distribution import Distribution, Generator, tensors


class Transform:
    """A map y = f(x) that has an inverse. A subclass gives ``forward``, ``inverse`` and
    ``log_abs_det_jacobian``, log |f′(x)|, and says what x and y are."""

    domain: constraints.Constraint = constraints.real
    codomain: constraints.Constraint = constraints.real
    sign: Any = 1  # of f′: whether f rises or falls

    def forward(self, x: Tensor) -> Tensor:
        """y = f(x)."""
        raise NotImplementedError(f"{type(self).__name__}: has no forward")

    def inverse(self, y: Tensor) -> Tensor:
        """The x of y = f(x)."""
        raise NotImplementedError(f"{type(self).__name__}: has no inverse")

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """log |f′(x)|, where y = f(x)."""
        raise NotImplementedError(f"{type(self).__name__}: has no log_abs_det_jacobian")

    def forward_shape(self, shape: Shape) -> Shape:
        """The shape of f(x) for x of ``shape``."""
        return shape

    @property
    def inv(self) -> Transform:
        """The inverse map."""
        return _Inverse(self)

    def __call__(self, x: Tensor) -> Tensor:
        return self.forward(x)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class _Inverse(Transform):
    def __init__(self, of: Transform) -> None:
        self.of, self.domain, self.codomain, self.sign = of, of.codomain, of.domain, of.sign

    def forward(self, x: Tensor) -> Tensor:
        return self.of.inverse(x)

    def inverse(self, y: Tensor) -> Tensor:
        return self.of.forward(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return -self.of.log_abs_det_jacobian(y, x)

    def forward_shape(self, shape: Shape) -> Shape:
        return self.of.forward_shape(shape)

    @property
    def inv(self) -> Transform:
        return self.of

    def __repr__(self) -> str:
        return f"{self.of!r}.inv"


class ExpTransform(Transform):
    """y = eˣ."""

    codomain = constraints.positive

    def forward(self, x: Tensor) -> Tensor:
        return ops.exp(x)

    def inverse(self, y: Tensor) -> Tensor:
        return ops.log(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return x


class SigmoidTransform(Transform):
    """y = 1 / (1 + e⁻ˣ)."""

    codomain = constraints.unit_interval

    def forward(self, x: Tensor) -> Tensor:
        return ops.sigmoid(x)

    def inverse(self, y: Tensor) -> Tensor:
        return ops.log(y) - ops.log1p(-y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return -ops.logaddexp(x, 0.0) - ops.logaddexp(-x, 0.0)


class TanhTransform(Transform):
    """y = tanh x, as policies squash what they draw. Near ±1 the inverse loses digits: there a
    density is better asked of x."""

    codomain = constraints.interval(-1.0, 1.0)

    def forward(self, x: Tensor) -> Tensor:
        return ops.tanh(x)

    def inverse(self, y: Tensor) -> Tensor:
        return ops.atanh(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return 2 * (math.log(2) - x - ops.logaddexp(-2 * x, 0.0))


class AffineTransform(Transform):
    """y = loc + scale x; ``loc`` and ``scale``, which is not 0, broadcast beside x."""

    loc: Tensor
    scale: Tensor

    def __init__(self, loc: ArrayLike, scale: ArrayLike) -> None:
        vars(self).update(tensors("AffineTransform", loc=loc, scale=scale))

    @property
    def sign(self) -> Tensor:
        return ops.sign(self.scale)

    def forward(self, x: Tensor) -> Tensor:
        return self.loc + self.scale * x

    def inverse(self, y: Tensor) -> Tensor:
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return ops.broadcast_to(ops.log(ops.abs(self.scale)), y.shape)

    def forward_shape(self, shape: Shape) -> Shape:
        return np.broadcast_shapes(shape, tuple(self.loc.shape), tuple(self.scale.shape))

    def __repr__(self) -> str:
        return f"AffineTransform(loc: {tuple(self.loc.shape)}, scale: {tuple(self.scale.shape)})"


class TransformedDistribution(Distribution):
    """The distribution of what ``transforms``, one after the other, make of the draws of ``base``.

    >>> import tinytensor as tt
    >>> D = tt.distributions
    >>> squashed = D.TransformedDistribution(D.Normal(tt.zeros(2), 1.0), [D.TanhTransform()])
    >>> squashed.log_prob(0.0)
    tensor([-0.9189385, -0.9189385])
    """

    base_dist: Distribution

    def __init__(
        self,
        base_distribution: Distribution,
        transforms: Transform | Sequence[Transform],
        validate_args: bool | None = None,
    ) -> None:
        self.transforms = [transforms] if isinstance(transforms, Transform) else list(transforms)
        for one in self.transforms:
            if not isinstance(one, Transform):
                raise TypeError(f"TransformedDistribution: {one!r} is no Transform")
        event = base_distribution.event_shape
        shape = (*base_distribution.batch_shape, *event)
        for one in self.transforms:
            shape = one.forward_shape(shape)
        batch = shape[: len(shape) - len(event)]
        if shape[len(batch) :] != event:
            raise ValueError(f"TransformedDistribution: events {event} cannot become {shape}")
        if batch != base_distribution.batch_shape:
            base_distribution = base_distribution.expand(batch)
        self.base_dist = base_distribution
        super().__init__(batch, event, validate_args)

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        return self.base_dist.has_rsample

    @property
    def support(self) -> constraints.Constraint:
        if not self.transforms:
            return self.base_dist.support
        last = self.transforms[-1]
        if isinstance(last, AffineTransform):  # anything, as far as that is known
            return constraints.independent(constraints.real, len(self._event_shape))
        return constraints.independent(last.codomain, len(self._event_shape))

    @property
    def _dtype(self) -> np.dtype:
        return self.base_dist._dtype

    def _parameters(self) -> dict[str, Tensor]:
        return self.base_dist._parameters()

    def expand(self, batch_shape: Any) -> TransformedDistribution:
        base = self.base_dist.expand(tuple(batch_shape))
        return type(self)(base, self.transforms, self._validate_args)

    def _through(self, x: Tensor) -> Tensor:
        for one in self.transforms:
            x = one(x)
        return x

    def sample(self, sample_shape: Any = (), *, generator: Generator = None) -> Tensor:
        return self._through(self.base_dist.sample(sample_shape, generator=generator)).detach()

    def rsample(self, sample_shape: Any = (), *, generator: Generator = None) -> Tensor:
        return self._through(self.base_dist.rsample(sample_shape, generator=generator))

    def log_prob(self, value: ArrayLike) -> Tensor:
        y: Any = self._value(value)
        axes: tuple[int, ...] = tuple(range(-len(self._event_shape), 0))
        total: Any = 0.0
        for one in reversed(self.transforms):
            x = one.inverse(y)
            slope = one.log_abs_det_jacobian(x, y)
            total = total - (ops.sum(slope, axes) if axes else slope)
            y = x
        return self.base_dist.log_prob(y) + total

    def _rising(self, chance: Tensor) -> Tensor:
        """The probability of the other side, where the maps together fall."""
        sign: Any = 1
        for one in self.transforms:
            sign = sign * one.sign
        return chance if isinstance(sign, int) and sign == 1 else sign * (chance - 0.5) + 0.5

    def cdf(self, value: ArrayLike) -> Tensor:
        y: Any = self._value(value)
        for one in reversed(self.transforms):
            y = one.inverse(y)
        return self._rising(self.base_dist.cdf(y))

    def icdf(self, value: ArrayLike) -> Tensor:
        return self._through(self.base_dist.icdf(self._rising(self._chance(value))))

    def __repr__(self) -> str:
        return f"TransformedDistribution({self.base_dist!r}, {self.transforms})"
