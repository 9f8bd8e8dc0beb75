# Made from the signatures in the sources by `python -m tools.stubs`: edit those.

import numpy as np

from tinytensor.tensors.made import ArrayLike
from tinytensor.tensors.tensor import Dtype, Shape, Tensor

__all__ = [
    "bernoulli",
    "multinomial",
    "normal",
    "poisson",
    "rand_like",
    "randint_like",
    "randn_like",
]

def bernoulli(
    x: ArrayLike, p: float | None = None, *, generator: np.random.Generator | None = None
) -> Tensor: ...
def multinomial(
    x: ArrayLike,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: np.random.Generator | None = None,
) -> Tensor: ...
def normal(
    mean: ArrayLike = 0.0,
    std: ArrayLike = 1.0,
    size: int | Shape | None = None,
    *,
    generator: np.random.Generator | None = None,
    dtype: Dtype = None,
) -> Tensor: ...
def poisson(rates: ArrayLike, *, generator: np.random.Generator | None = None) -> Tensor: ...
def rand_like(
    x: Tensor,
    dtype: Dtype = None,
    requires_grad: bool = False,
    *,
    generator: np.random.Generator | None = None,
    device: str | None = None,
) -> Tensor: ...
def randint_like(
    x: Tensor,
    low: int,
    high: int | None = None,
    dtype: Dtype = None,
    *,
    generator: np.random.Generator | None = None,
    device: str | None = None,
) -> Tensor: ...
def randn_like(
    x: Tensor,
    dtype: Dtype = None,
    requires_grad: bool = False,
    *,
    generator: np.random.Generator | None = None,
    device: str | None = None,
) -> Tensor: ...
