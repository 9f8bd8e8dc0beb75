# Made from the signatures in the sources by `python -m tools.stubs`: edit those.

from collections.abc import Sequence

from tinytensor.ops.annotations import Norm
from tinytensor.tensors.made import ArrayLike
from tinytensor.tensors.tensor import Tensor

def fft(
    x: ArrayLike, n: int | None = None, axis: int = -1, norm: Norm = "backward", *, dim: int = -1
) -> Tensor: ...
def fftn(
    x: ArrayLike,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: Norm = "backward",
    *,
    dim: Sequence[int] | None = None,
) -> Tensor: ...
def fftshift(
    x: ArrayLike, axes: int | Sequence[int] | None = None, *, dim: int | Sequence[int] | None = None
) -> Tensor: ...
def hfft(
    x: ArrayLike, n: int | None = None, axis: int = -1, norm: Norm = "backward", *, dim: int = -1
) -> Tensor: ...
def ifft(
    x: ArrayLike, n: int | None = None, axis: int = -1, norm: Norm = "backward", *, dim: int = -1
) -> Tensor: ...
def ifftn(
    x: ArrayLike,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: Norm = "backward",
    *,
    dim: Sequence[int] | None = None,
) -> Tensor: ...
def ifftshift(
    x: ArrayLike, axes: int | Sequence[int] | None = None, *, dim: int | Sequence[int] | None = None
) -> Tensor: ...
def ihfft(
    x: ArrayLike, n: int | None = None, axis: int = -1, norm: Norm = "backward", *, dim: int = -1
) -> Tensor: ...
def irfft(
    x: ArrayLike, n: int | None = None, axis: int = -1, norm: Norm = "backward", *, dim: int = -1
) -> Tensor: ...
def irfftn(
    x: ArrayLike,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: Norm = "backward",
    *,
    dim: Sequence[int] | None = None,
) -> Tensor: ...
def rfft(
    x: ArrayLike, n: int | None = None, axis: int = -1, norm: Norm = "backward", *, dim: int = -1
) -> Tensor: ...
def rfftn(
    x: ArrayLike,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: Norm = "backward",
    *,
    dim: Sequence[int] | None = None,
) -> Tensor: ...
