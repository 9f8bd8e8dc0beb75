"""The words of the ops' signatures, which say what a caller gives and gets.

What an op is called with, and what its forward function is given, are two things: arrays come where
tensors are meant. So both are anything to a checker of these sources. The stubs, which callers see,
hold the two types (``tools/stubs.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy.typing as npt

ArrayLike: TypeAlias = Any  # a tensor, an ndarray, a number, or nested lists of numbers
Tensor: TypeAlias = Any
Axis: TypeAlias = int | tuple[int, ...]
Axes: TypeAlias = int | tuple[int, ...] | None  # None: all
Dtype: TypeAlias = npt.DTypeLike | None
Norm: TypeAlias = Literal["backward", "ortho", "forward"]  # which way a transform is scaled
Interpolation: TypeAlias = Literal["linear", "lower", "higher", "midpoint", "nearest"]
Reduction: TypeAlias = Literal["none", "mean", "sum"]
Nonlinearity: TypeAlias = Literal["tanh", "relu"]
Shape: TypeAlias = int | Sequence[int]
Sizes: TypeAlias = int | Sequence[int]  # one for all axes, or one each
