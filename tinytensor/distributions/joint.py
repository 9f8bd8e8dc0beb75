"""Distributions of vectors and of several numbers as one event: MultivariateNormal, Independent."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import ops
from ..errors import ShapeError
from ..ops import linalg
from ..ops.annotations import ArrayLike
from ..tensors.tensor import Tensor
from . import constraints
from .distribution import Distribution, Generator, lazy, tensors


def substituted(lower: Tensor, x: Tensor) -> Tensor:
    """L⁻¹ x for vectors x (…, k); the vectors are columns of one system where there is one L."""
    if lower.ndim == 2:
        columns = x.reshape((-1, x.shape[-1])).mT
        return linalg.solve_triangular(lower, columns, upper=False).mT.reshape(x.shape)
    return linalg.solve_triangular(lower, ops.expand_dims(x, -1), upper=False)[..., 0]


class MultivariateNormal(Distribution):
    """Normal vectors of mean ``loc`` (…, k), by one of three matrices (…, k, k): the covariance,
    its inverse, or its Cholesky factor, ``scale_tril``, which the others become.

    Density: exp(−|L⁻¹ (x − loc)|² / 2) / ((2π)^(k/2) det L).
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    support = constraints.real_vector
    has_rsample = True
    loc: Tensor

    def __init__(
        self,
        loc: ArrayLike,
        covariance_matrix: ArrayLike | None = None,
        precision_matrix: ArrayLike | None = None,
        scale_tril: ArrayLike | None = None,
        validate_args: bool | None = None,
    ) -> None:
        made = tensors(
            "MultivariateNormal",
            loc=loc,
            covariance_matrix=covariance_matrix,
            precision_matrix=precision_matrix,
            scale_tril=scale_tril,
        )
        if len(made) != 2:
            raise ValueError(
                "MultivariateNormal: takes one of covariance_matrix, precision_matrix, scale_tril"
            )
        (_, loc), (name, matrix) = made.items()
        size = matrix.shape[-1] if matrix.ndim > 1 else -1
        if matrix.ndim < 2 or matrix.shape[-2] != size or loc.ndim < 1 or loc.shape[-1] != size:
            raise ShapeError(
                f"MultivariateNormal: {name} {tuple(matrix.shape)} does not fit loc"
                f" {tuple(loc.shape)}"
            )
        batch = np.broadcast_shapes(tuple(matrix.shape[:-2]), tuple(loc.shape[:-1]))
        self.loc = ops.broadcast_to(loc, (*batch, size))
        self._factor = matrix  # as it was given: one for all, it is factorised once
        vars(self)[name] = ops.broadcast_to(matrix, (*batch, size, size))
        super().__init__(batch, (size,), validate_args)
        if name == "covariance_matrix":
            self._factor = linalg.cholesky(matrix)
        elif name == "precision_matrix":
            # P = U Uᴴ with U upper triangular is Cholesky's from the other corner; L is U⁻ᴴ.
            flipped = linalg.cholesky(ops.flip(matrix, (-2, -1)))
            upper = ops.flip(flipped, (-2, -1))
            unit = np.eye(size, dtype=matrix.dtype)
            self._factor = linalg.solve_triangular(upper.mT, unit, upper=False)

    @lazy
    def scale_tril(self) -> Tensor:
        return ops.broadcast_to(self._factor, (*self._batch_shape, *self._factor.shape[-2:]))

    @lazy
    def covariance_matrix(self) -> Tensor:
        return ops.matmul(self.scale_tril, self.scale_tril.mT)

    @lazy
    def precision_matrix(self) -> Tensor:
        return linalg.cholesky_inverse(self.scale_tril)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return ops.broadcast_to(ops.sum(ops.square(self._factor), -1), self.loc.shape)

    def rsample(self, sample_shape: Any = (), *, generator: Generator = None) -> Tensor:
        noise = self._normal(self._extended_shape(sample_shape), generator)
        if self._factor.ndim == 2:
            return self.loc + ops.matmul(noise, self._factor.mT)
        return self.loc + ops.matmul(self._factor, ops.expand_dims(noise, -1))[..., 0]

    def _half_log_det(self) -> Tensor:
        return ops.sum(ops.log(ops.diagonal(self._factor)), -1)

    def log_prob(self, value: ArrayLike) -> Tensor:
        distance = ops.sum(ops.square(substituted(self._factor, self._value(value) - self.loc)), -1)
        norm = 0.5 * self._event_shape[0] * math.log(2 * math.pi)
        return -0.5 * distance - norm - self._half_log_det()

    def entropy(self) -> Tensor:
        size = self._event_shape[0]
        found = 0.5 * size * (1 + math.log(2 * math.pi)) + self._half_log_det()
        return ops.broadcast_to(found, self._batch_shape)


class Independent(Distribution):
    """``base`` with the last ``reinterpreted_batch_ndims`` axes of its batch as one event, of which
    ``log_prob`` is the sum.

    >>> import tinytensor as tt
    >>> image = tt.distributions.Independent(tt.distributions.Normal(tt.zeros((5, 8, 8)), 1.0), 2)
    >>> image.batch_shape, image.event_shape
    ((5,), (8, 8))
    """

    base_dist: Distribution

    def __init__(
        self,
        base_distribution: Distribution,
        reinterpreted_batch_ndims: int,
        validate_args: bool | None = None,
    ) -> None:
        batch, axes = base_distribution.batch_shape, reinterpreted_batch_ndims
        if not isinstance(axes, int) or not 0 <= axes <= len(batch):
            raise ValueError(
                f"Independent: reinterpreted_batch_ndims must be from 0 to {len(batch)}, the axes"
                f" of batch_shape {batch}, not {axes!r}"
            )
        self.base_dist, self.reinterpreted_batch_ndims = base_distribution, axes
        kept = len(batch) - axes
        event = (*batch[kept:], *base_distribution.event_shape)
        super().__init__(batch[:kept], event, validate_args)

    def expand(self, batch_shape: Any) -> Independent:
        axes = self._event_shape[: self.reinterpreted_batch_ndims]
        base = self.base_dist.expand((*batch_shape, *axes))
        return type(self)(base, self.reinterpreted_batch_ndims, self._validate_args)

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        return self.base_dist.has_rsample

    @property
    def has_enumerate_support(self) -> bool:  # type: ignore[override]
        return self.base_dist.has_enumerate_support and not self.reinterpreted_batch_ndims

    @property
    def support(self) -> constraints.Constraint:
        return constraints.independent(self.base_dist.support, self.reinterpreted_batch_ndims)

    @property
    def mean(self) -> Tensor:
        return self.base_dist.mean

    @property
    def mode(self) -> Tensor:
        return self.base_dist.mode

    @property
    def variance(self) -> Tensor:
        return self.base_dist.variance

    def sample(self, sample_shape: Any = (), *, generator: Generator = None) -> Tensor:
        return self.base_dist.sample(sample_shape, generator=generator)

    def rsample(self, sample_shape: Any = (), *, generator: Generator = None) -> Tensor:
        return self.base_dist.rsample(sample_shape, generator=generator)

    def _summed(self, x: Tensor) -> Tensor:
        axes = tuple(range(-self.reinterpreted_batch_ndims, 0))
        return ops.sum(x, axes) if axes else x

    def log_prob(self, value: ArrayLike) -> Tensor:
        return self._summed(self.base_dist.log_prob(value))

    def entropy(self) -> Tensor:
        return self._summed(self.base_dist.entropy())

    def enumerate_support(self, expand: bool = True) -> Tensor:
        if self.reinterpreted_batch_ndims:
            raise NotImplementedError("Independent: the values of several draws are not listed")
        return self.base_dist.enumerate_support(expand)

    def __repr__(self) -> str:
        return f"Independent({self.base_dist!r}, {self.reinterpreted_batch_ndims})"
