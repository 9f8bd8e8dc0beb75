# Made from the signatures in the sources by `python -m tools.stubs`: edit those.

from typing import Any, overload

import numpy as np
import numpy.typing as npt

from tinytensor.tensors.made import ArrayLike
from tinytensor.tensors.tensor import Dtype, Shape, Tensor

__all__ = [
    "arange",
    "as_tensor",
    "asarray",
    "empty",
    "empty_like",
    "eye",
    "from_dlpack",
    "from_numpy",
    "full",
    "full_like",
    "is_tensor",
    "linspace",
    "ones",
    "ones_like",
    "rand",
    "randint",
    "randn",
    "randperm",
    "tensor",
    "zeros",
    "zeros_like",
]

def arange(
    start: float,
    stop: float | None = None,
    step: float = 1,
    dtype: Dtype = None,
    *,
    device: str | None = None,
    requires_grad: bool = False,
    end: float | None = None,
) -> Tensor: ...
def as_tensor(
    obj: npt.ArrayLike, dtype: Dtype = None, device: str | None = None, copy: bool | None = None
) -> Tensor: ...
def asarray(
    obj: npt.ArrayLike, dtype: Dtype = None, device: str | None = None, copy: bool | None = None
) -> Tensor: ...
@overload
def empty(
    shape: int | Shape,
    *more: Any,
    dtype: Dtype = None,
    requires_grad: bool = False,
    device: str | None = None,
) -> Tensor: ...
@overload
def empty(
    *,
    size: int | Shape,
    dtype: Dtype = None,
    requires_grad: bool = False,
    device: str | None = None,
) -> Tensor: ...
def empty_like(
    x: ArrayLike, dtype: Dtype = None, requires_grad: bool = False, *, device: str | None = None
) -> Tensor: ...
def eye(
    n_rows: int,
    n_cols: int | None = None,
    k: int = 0,
    dtype: Dtype = None,
    *,
    device: str | None = None,
    requires_grad: bool = False,
    diagonal: int = 0,
    offset: int = 0,
) -> Tensor: ...
def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Tensor: ...
def from_numpy(array: np.ndarray) -> Tensor: ...
@overload
def full(
    shape: int | Shape,
    fill_value: ArrayLike,
    dtype: Dtype = None,
    requires_grad: bool = False,
    *,
    device: str | None = None,
) -> Tensor: ...
@overload
def full(
    *,
    size: int | Shape,
    fill_value: ArrayLike,
    dtype: Dtype = None,
    requires_grad: bool = False,
    device: str | None = None,
) -> Tensor: ...
def full_like(
    x: ArrayLike,
    fill_value: ArrayLike,
    dtype: Dtype = None,
    requires_grad: bool = False,
    *,
    device: str | None = None,
) -> Tensor: ...
def is_tensor(obj: Any) -> bool: ...
@overload
def linspace(
    start: complex,
    stop: complex,
    num: int,
    dtype: Dtype = None,
    endpoint: bool = True,
    *,
    device: str | None = None,
    requires_grad: bool = False,
) -> Tensor: ...
@overload
def linspace(
    start: complex,
    *,
    end: complex,
    steps: int,
    dtype: Dtype = None,
    endpoint: bool = True,
    device: str | None = None,
    requires_grad: bool = False,
) -> Tensor: ...
@overload
def linspace(
    start: complex,
    stop: complex,
    *,
    steps: int,
    dtype: Dtype = None,
    endpoint: bool = True,
    device: str | None = None,
    requires_grad: bool = False,
) -> Tensor: ...
@overload
def ones(
    shape: int | Shape,
    *more: Any,
    dtype: Dtype = None,
    requires_grad: bool = False,
    device: str | None = None,
) -> Tensor: ...
@overload
def ones(
    *,
    size: int | Shape,
    dtype: Dtype = None,
    requires_grad: bool = False,
    device: str | None = None,
) -> Tensor: ...
def ones_like(
    x: ArrayLike, dtype: Dtype = None, requires_grad: bool = False, *, device: str | None = None
) -> Tensor: ...
def rand(
    *shape: int | Shape,
    size: int | Shape = (),
    dtype: Dtype = None,
    requires_grad: bool = False,
    generator: np.random.Generator | None = None,
    device: str | None = None,
) -> Tensor: ...
def randint(
    low: int,
    high: int | Shape | None = None,
    shape: int | Shape | None = None,
    dtype: Dtype = ...,
    generator: np.random.Generator | None = None,
    *,
    device: str | None = None,
    size: int | Shape | None = None,
) -> Tensor: ...
def randn(
    *shape: int | Shape,
    size: int | Shape = (),
    dtype: Dtype = None,
    requires_grad: bool = False,
    generator: np.random.Generator | None = None,
    device: str | None = None,
) -> Tensor: ...
def randperm(
    n: int, generator: np.random.Generator | None = None, *, device: str | None = None
) -> Tensor: ...
def tensor(
    data: npt.ArrayLike,
    dtype: Dtype = None,
    requires_grad: bool = False,
    *,
    device: str | None = None,
) -> Tensor: ...
@overload
def zeros(
    shape: int | Shape,
    *more: Any,
    dtype: Dtype = None,
    requires_grad: bool = False,
    device: str | None = None,
) -> Tensor: ...
@overload
def zeros(
    *,
    size: int | Shape,
    dtype: Dtype = None,
    requires_grad: bool = False,
    device: str | None = None,
) -> Tensor: ...
def zeros_like(
    x: ArrayLike, dtype: Dtype = None, requires_grad: bool = False, *, device: str | None = None
) -> Tensor: ...
