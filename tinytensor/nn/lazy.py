"""Layers that take the number of their inputs from the first one that they are given.

All by one mechanism: a lazy layer is its layer, made for 0 inputs, with parameters that have no
shape yet. At the first call, or when a ``state_dict`` with arrays is loaded, a layer of the size
found is made by the same arguments. Its arrays become those of the parameters, in place, and the
lazy layer becomes an ordinary one.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from .. import random
from ..dtypes import is_floating
from ..errors import ShapeError
from ..ops.windows import layout
from ..tensors.tensor import Tensor
from .conv import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from .linear import Linear
from .module import Module
from .norm import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
)
from .parameter import Parameter, UninitializedBuffer, UninitializedParameter

__all__ = [
    "LazyBatchNorm1d",
    "LazyBatchNorm2d",
    "LazyBatchNorm3d",
    "LazyConv1d",
    "LazyConv2d",
    "LazyConv3d",
    "LazyConvTranspose1d",
    "LazyConvTranspose2d",
    "LazyConvTranspose3d",
    "LazyInstanceNorm1d",
    "LazyInstanceNorm2d",
    "LazyInstanceNorm3d",
    "LazyLinear",
]

UNINITIALIZED = (UninitializedParameter, UninitializedBuffer)


class _Lazy(Module):
    """The class after this one among the bases is ``eager``, the layer that it becomes."""

    eager: ClassVar[Any]
    size: ClassVar[str]  # the argument that is not given, the first one
    _given: tuple[tuple[Any, ...], dict[str, Any]]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.eager = next(base for base in cls.__mro__ if not issubclass(base, _Lazy))
        if cls.eager is Module:  # a base of several
            return
        of_eager = inspect.signature(cls.eager)
        cls.size, *others = of_eager.parameters
        if cls.__init__ is _Lazy.__init__:
            rest = [of_eager.parameters[name] for name in others]
            cls.__signature__ = of_eager.replace(parameters=rest)  # type: ignore[attr-defined]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.eager.__init__(self, 0, *args, **kwargs)
        self._given = args, kwargs
        for name, value in list(vars(self).items()):
            if isinstance(value, Parameter):
                setattr(self, name, UninitializedParameter(value.requires_grad, dtype=value.dtype))
            elif name in self._buffers and value is not None and is_floating(value.dtype):
                setattr(self, name, UninitializedBuffer(dtype=value.dtype))

    def has_uninitialized_params(self) -> bool:
        """Whether parameters or buffers of this layer have no shape yet."""
        return any(isinstance(value, UNINITIALIZED) for value in vars(self).values())

    def reset_parameters(self) -> None:
        """Nothing, as long as there is nothing to draw."""
        if getattr(self, self.size):
            super().reset_parameters()  # type: ignore[misc]

    def forward(self, input: Tensor, *args: Any, **kwargs: Any) -> Any:
        self.initialize_parameters(input)
        return self.forward(input, *args, **kwargs)  # of the layer that this is now

    def initialize_parameters(self, input: Tensor) -> None:
        """Become a layer for inputs like this one."""
        self._become(self._made(self._size_of(input)))

    def _made(self, size: int) -> Module:
        args, kwargs = self._given
        own = next((v.dtype for v in vars(self).values() if isinstance(v, UNINITIALIZED)), None)
        return self.eager(size, *args, **kwargs, **({} if own is None else {"dtype": own}))

    def _become(self, made: Module) -> None:
        for name, value in vars(self).items():
            if isinstance(value, UNINITIALIZED):
                value.data = getattr(made, name).value
        setattr(self, self.size, getattr(made, self.size))
        del self._given
        self.__class__ = self.eager

    def _expected(self, path: str, state: Mapping[str, Any]) -> Module | None:
        if not self.has_uninitialized_params():
            return None
        prefix = f"{path}." if path else ""
        for name, value in vars(self).items():
            given = state.get(prefix + name)
            if isinstance(value, UNINITIALIZED) and not isinstance(given, UNINITIALIZED):
                size = None if given is None else self._size_by(name, np.shape(given))
                if size is not None:
                    before = random.get_rng_state()  # what is drawn here is overwritten
                    try:
                        return self._made(size)
                    finally:
                        random.set_rng_state(before)
        return None

    # What differs by family: which axis of the input, and of which array, has the size.

    def _size_of(self, input: Tensor) -> int:
        raise NotImplementedError

    def _size_by(self, name: str, shape: tuple[int, ...]) -> int | None:
        raise NotImplementedError


class _LazyLinear(_Lazy):
    def _size_of(self, input: Tensor) -> int:
        if not input.ndim:
            raise ShapeError(f"{type(self).__name__}: input has no axes")
        return input.shape[-1]

    def _size_by(self, name: str, shape: tuple[int, ...]) -> int | None:
        return shape[1] if name == "weight" and len(shape) == 2 else None


class _LazyChannels(_Lazy):
    """Of (N, C, …) or (C, …)."""

    axes: int

    def _size_of(self, input: Tensor) -> int:
        if input.ndim - self.axes not in (1, 2):
            raise ShapeError(
                f"{type(self).__name__}: input must be {layout(self.axes)}, is {input.shape}"
            )
        return input.shape[-self.axes - 1]


class _LazyConv(_LazyChannels):
    groups: int

    def _size_by(self, name: str, shape: tuple[int, ...]) -> int | None:
        fits = name == "weight" and len(shape) == self.axes + 2
        return shape[1] * self.groups if fits else None


class _LazyConvTranspose(_LazyChannels):
    def _size_by(self, name: str, shape: tuple[int, ...]) -> int | None:
        return shape[0] if name == "weight" and len(shape) == self.axes + 2 else None


class _LazyInstanceNorm(_LazyChannels):
    """With other defaults than an instance norm that is given its size, as in PyTorch."""

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(eps, momentum, affine, track_running_stats, bias=bias)

    def _size_by(self, name: str, shape: tuple[int, ...]) -> int | None:
        return shape[0] if len(shape) == 1 else None


class _LazyBatchNorm(_Lazy):
    ranks: Any

    def _size_of(self, input: Tensor) -> int:
        if input.ndim not in self.ranks:
            ranks = " or ".join(map(str, self.ranks))
            raise ShapeError(f"{type(self).__name__}: needs {ranks} axes: input is {input.shape}")
        return input.shape[1]

    def _size_by(self, name: str, shape: tuple[int, ...]) -> int | None:
        return shape[0] if len(shape) == 1 else None


class LazyLinear(_LazyLinear, Linear):
    """A :class:`Linear` whose ``in_features`` is the last size of the first input.

    Until then its weight and bias are :class:`UninitializedParameter`; afterwards it is a Linear.

    >>> import tinytensor as tt
    >>> model = tt.nn.Sequential(tt.nn.Flatten(), tt.nn.LazyLinear(10))
    >>> model[1]
    LazyLinear(in_features=0, out_features=10, bias=True)
    >>> model(tt.zeros(2, 3, 4)).shape, model[1]
    ((2, 10), Linear(in_features=12, out_features=10, bias=True))
    """


class LazyConv1d(_LazyConv, Conv1d):
    """A :class:`Conv1d` whose ``in_channels`` are those of the first input; see
    :class:`LazyLinear`."""


class LazyConv2d(_LazyConv, Conv2d):
    """A :class:`Conv2d` whose ``in_channels`` are those of the first input; see
    :class:`LazyLinear`."""


class LazyConv3d(_LazyConv, Conv3d):
    """A :class:`Conv3d` whose ``in_channels`` are those of the first input; see
    :class:`LazyLinear`."""


class LazyConvTranspose1d(_LazyConvTranspose, ConvTranspose1d):
    """A :class:`ConvTranspose1d` whose ``in_channels`` are those of the first input; see
    :class:`LazyLinear`."""


class LazyConvTranspose2d(_LazyConvTranspose, ConvTranspose2d):
    """A :class:`ConvTranspose2d` whose ``in_channels`` are those of the first input; see
    :class:`LazyLinear`."""


class LazyConvTranspose3d(_LazyConvTranspose, ConvTranspose3d):
    """A :class:`ConvTranspose3d` whose ``in_channels`` are those of the first input; see
    :class:`LazyLinear`."""


class LazyBatchNorm1d(_LazyBatchNorm, BatchNorm1d):
    """A :class:`BatchNorm1d` whose ``num_features`` are those of the first input; see
    :class:`LazyLinear`."""


class LazyBatchNorm2d(_LazyBatchNorm, BatchNorm2d):
    """A :class:`BatchNorm2d` whose ``num_features`` are those of the first input; see
    :class:`LazyLinear`."""


class LazyBatchNorm3d(_LazyBatchNorm, BatchNorm3d):
    """A :class:`BatchNorm3d` whose ``num_features`` are those of the first input; see
    :class:`LazyLinear`."""


class LazyInstanceNorm1d(_LazyInstanceNorm, InstanceNorm1d):
    """A :class:`InstanceNorm1d` whose ``num_features`` are those of the first input; see
    :class:`LazyLinear`. It is affine and remembers statistics unless told otherwise."""


class LazyInstanceNorm2d(_LazyInstanceNorm, InstanceNorm2d):
    """A :class:`InstanceNorm2d` whose ``num_features`` are those of the first input; see
    :class:`LazyLinear`. It is affine and remembers statistics unless told otherwise."""


class LazyInstanceNorm3d(_LazyInstanceNorm, InstanceNorm3d):
    """A :class:`InstanceNorm3d` whose ``num_features`` are those of the first input; see
    :class:`LazyLinear`. It is affine and remembers statistics unless told otherwise."""
