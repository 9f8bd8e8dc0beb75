"""Distribution, the base of all: parameters, shapes, checks, and what follows from formulas.

Shapes are PyTorch's. ``event_shape`` is that of one draw, ``batch_shape`` that of the parameters
beside each other: a sample has the shape sample_shape + batch_shape + event_shape, and ``log_prob``
of it sample_shape + batch_shape.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np

from .. import ops, random
from ..dtypes import FLOAT, is_floating, promoted
from ..engine.grad_mode import enable_grad, no_grad
from ..errors import DtypeError, ShapeError
from ..ops.annotations import ArrayLike
from ..ops.operands import operand
from ..tensors.batched import drawn
from ..tensors.creation import asarray
from ..tensors.tensor import Shape, Tensor
from . import constraints
from .constraints import Constraint

Generator = np.random.Generator | None


class Distribution:
    """The base of distributions. A subclass names its parameters and what each may be in
    ``arg_constraints``, and gives formulas: ``log_prob``, and ``rsample`` or ``sample``, and what
    else it can. What it cannot is a NotImplementedError.

    With ``validate_args`` (True unless :meth:`set_default_validate_args` says otherwise) parameters
    and values out of bounds are a ValueError, which names them; elements of one lane of a vmap are
    unknown, and not asked.
    """

    arg_constraints: ClassVar[dict[str, Constraint]] = {}
    support: Any = constraints.real  # a Constraint, or a property that makes one
    has_rsample: ClassVar[bool] = False
    has_enumerate_support: ClassVar[bool] = False
    _validate_args: bool = True

    # --- Parameters ----------------------------------------------------------------------------

    def __init__(
        self, batch_shape: Shape = (), event_shape: Shape = (), validate_args: bool | None = None
    ) -> None:
        self._batch_shape, self._event_shape = tuple(batch_shape), tuple(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            for name, constraint in self.arg_constraints.items():
                if name in vars(self):
                    self._check(name, constraint, vars(self)[name])

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Whether distributions that do not say ``validate_args`` check what they are given."""
        if value not in (True, False):
            raise ValueError(f"set_default_validate_args: needs True or False, not {value!r}")
        Distribution._validate_args = value

    def _check(self, what: str, constraint: Constraint, x: Any) -> None:
        if getattr(x, "level", 0):  # of one lane of a vmap
            return
        array = x.detach().numpy() if isinstance(x, Tensor) else np.asarray(x)
        good = np.asarray(constraint.check(array))
        if not good.all():
            place = tuple(map(int, np.argwhere(~good)[0]))
            bad = array[place[-array.ndim + constraint.event_dim :]] if array.ndim else array
            if array.shape[: array.ndim - constraint.event_dim] == good.shape:
                bad = array[place]
            raise ValueError(
                f"{type(self).__name__}: {what} must be {constraint}, but is {bad} at {place}"
            )

    def _parameters(self) -> dict[str, Tensor]:
        return {name: vars(self)[name] for name in self.arg_constraints if name in vars(self)}

    @property
    def _dtype(self) -> np.dtype:
        """That of the parameters, and of draws."""
        return next(iter(self._parameters().values())).dtype

    @property
    def batch_shape(self) -> Shape:
        """The shape of the parameters beside each other."""
        return self._batch_shape

    @property
    def event_shape(self) -> Shape:
        """The shape of one draw, of parameters of a single distribution."""
        return self._event_shape

    def expand(self, batch_shape: Any) -> Self:
        """The distribution with its parameters stretched to ``batch_shape``, without a copy."""
        shape = tuple(batch_shape)
        new = copy.copy(self)
        for name, x in self._parameters().items():
            tail = x.ndim - self.arg_constraints[name].event_dim
            vars(new)[name] = ops.broadcast_to(x, (*shape, *x.shape[tail:]))
        for name in lazy_of(type(self)) - self.arg_constraints.keys():
            vars(new).pop(name, None)
        new._batch_shape = shape
        return new

    def __repr__(self) -> str:
        given = self._parameters()
        shown = ", ".join(
            f"{name}: {x.item() if not x.level and x.size == 1 else tuple(x.shape)}"
            for name, x in given.items()
        )
        return f"{type(self).__name__}({shown})"

    # --- Draws ---------------------------------------------------------------------------------

    def _extended_shape(self, sample_shape: Any = ()) -> Shape:
        sizes = (sample_shape,) if isinstance(sample_shape, int | np.integer) else sample_shape
        return (*map(int, sizes), *self._batch_shape, *self._event_shape)

    def sample(self, sample_shape: Any = (), *, generator: Generator = None) -> Tensor:
        """Draws of ``sample_shape`` (sizes, or one) for each distribution. They have no gradient.

        ``generator`` is a numpy.random.Generator; without one, draws follow ``tt.manual_seed``.
        """
        with no_grad():
            return self.rsample(sample_shape, generator=generator)

    def rsample(self, sample_shape: Any = (), *, generator: Generator = None) -> Tensor:
        """Draws as a function of the parameters, through which gradients go."""
        raise self._lacks("rsample")

    def _uniform(self, shape: Shape, generator: Generator) -> Tensor:
        dtype = self._dtype
        return drawn(lambda sizes: random.rand(sizes, dtype, generator), shape)

    def _normal(self, shape: Shape, generator: Generator) -> Tensor:
        dtype = self._dtype
        return drawn(lambda sizes: random.randn(sizes, dtype, generator), shape)

    # --- Formulas ------------------------------------------------------------------------------

    def log_prob(self, value: ArrayLike) -> Tensor:
        """The logarithm of the density, or of the probability, at ``value``."""
        raise self._lacks("log_prob")

    def cdf(self, value: ArrayLike) -> Tensor:
        """The probability of draws up to ``value``."""
        raise self._lacks("cdf")

    def icdf(self, value: ArrayLike) -> Tensor:
        """The number up to which draws have the probability ``value``."""
        raise self._lacks("icdf")

    def entropy(self) -> Tensor:
        """The mean of −log_prob, for each distribution."""
        raise self._lacks("entropy")

    def perplexity(self) -> Tensor:
        """e to the :meth:`entropy`."""
        return ops.exp(self.entropy())

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values, along a new first axis; stretched to the batch with ``expand``."""
        raise self._lacks("enumerate_support")

    @property
    def mean(self) -> Tensor:
        raise self._lacks("mean")

    @property
    def mode(self) -> Tensor:
        raise self._lacks("mode")

    @property
    def variance(self) -> Tensor:
        raise self._lacks("variance")

    @property
    def stddev(self) -> Tensor:
        """The root of the variance."""
        return ops.sqrt(self.variance)

    def _lacks(self, what: str) -> NotImplementedError:
        return NotImplementedError(f"{type(self).__name__}: has no {what}")

    # --- What they are given -------------------------------------------------------------------

    def _value(self, value: Any, constraint: Constraint | None = None) -> Tensor:
        """``value`` as a tensor of the parameters' kind, if it may be asked of."""
        name = type(self).__name__
        parameters = self._parameters().values()
        x: Any = asarray(operand(name, value, *parameters))
        wanted, tail = self._event_shape, len(self._event_shape)
        batch = x.shape[: x.ndim - tail] if tail else x.shape
        try:
            if x.ndim < tail or (tail and tuple(x.shape[x.ndim - tail :]) != wanted):
                raise ValueError
            np.broadcast_shapes(batch, self._batch_shape)
        except ValueError:
            raise ShapeError(
                f"{name}: value {tuple(x.shape)} does not fit batch_shape {self._batch_shape} and"
                f" event_shape {wanted}"
            ) from None
        if self._validate_args:
            self._check("value", self.support if constraint is None else constraint, x)
        return x if is_floating(x) else ops.astype(x, self._dtype)

    def _chance(self, value: Any) -> Tensor:
        """What :meth:`icdf` is given."""
        return self._value(value, constraints.unit_interval)


class lazy:
    """A property that is computed once, in the graph, and kept where it is asked for."""

    def __init__(self, compute: Callable[[Any], Any]) -> None:
        self.compute, self.__doc__ = compute, compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        with enable_grad():
            found = self.compute(instance)
        vars(instance)[self.name] = found
        return found


def lazy_of(kind: type) -> set[str]:
    return {name for base in kind.__mro__ for name, x in vars(base).items() if isinstance(x, lazy)}


def tensors(name: str, **parameters: Any) -> dict[str, Tensor]:
    """Parameters as tensors of one floating dtype; numbers are as weak as beside an op."""
    given = {key: x for key, x in parameters.items() if x is not None}
    for key, x in given.items():
        try:
            given[key] = x if isinstance(x, int | float) else asarray(operand(name, x))
        except (ValueError, TypeError) as error:
            raise DtypeError(f"{name}: {key} is no array of numbers: {error}") from None
    kinds = [x.dtype for x in given.values() if isinstance(x, Tensor)]
    dtype = promoted(kinds, FLOAT, True)
    if dtype.kind == "c":
        raise DtypeError(f"{name}: parameters are real numbers, not {dtype}")
    return {
        key: asarray(x, dtype) if not isinstance(x, Tensor) else ops.astype(x, dtype, copy=False)
        for key, x in given.items()
    }


def together(name: str, **parameters: Any) -> dict[str, Tensor]:
    """:func:`tensors`, stretched to the shape that they have together."""
    made = tensors(name, **parameters)
    shapes = {key: tuple(x.shape) for key, x in made.items()}
    try:
        shape = np.broadcast_shapes(*shapes.values())
    except ValueError:
        raise ShapeError(f"{name}: parameters do not broadcast: {shapes}") from None
    return {
        key: x if tuple(x.shape) == shape else ops.broadcast_to(x, shape) for key, x in made.items()
    }
