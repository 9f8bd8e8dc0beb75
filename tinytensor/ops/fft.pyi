# Made from the signatures in the sources by `python -m tools.stubs`: edit those.

from tinytensor.ops.annotations import Norm, Sizes
from tinytensor.tensors.made import ArrayLike
from tinytensor.tensors.tensor import Tensor

__all__ = [
    "fft",
    "fft2",
    "fftn",
    "fftshift",
    "hfft",
    "hfft2",
    "hfftn",
    "ifft",
    "ifft2",
    "ifftn",
    "ifftshift",
    "ihfft",
    "ihfft2",
    "ihfftn",
    "irfft",
    "irfft2",
    "irfftn",
    "rfft",
    "rfft2",
    "rfftn",
]

def fft(
    x: ArrayLike, n: int | None = None, axis: int = -1, norm: Norm = "backward", *, dim: int = -1
) -> Tensor: ...
def fft2(
    x: ArrayLike,
    s: Sizes | None = None,
    axes: Sizes | None = (-2, -1),
    norm: Norm = "backward",
    *,
    dim: Sizes | None = (-2, -1),
) -> Tensor: ...
def fftn(
    x: ArrayLike,
    s: Sizes | None = None,
    axes: Sizes | None = None,
    norm: Norm = "backward",
    *,
    dim: Sizes | None = None,
) -> Tensor: ...
def fftshift(x: ArrayLike, axes: Sizes | None = None, *, dim: Sizes | None = None) -> Tensor: ...
def hfft(
    x: ArrayLike, n: int | None = None, axis: int = -1, norm: Norm = "backward", *, dim: int = -1
) -> Tensor: ...
def hfft2(
    x: ArrayLike,
    s: Sizes | None = None,
    axes: Sizes | None = (-2, -1),
    norm: Norm = "backward",
    *,
    dim: Sizes | None = (-2, -1),
) -> Tensor: ...
def hfftn(
    x: ArrayLike,
    s: Sizes | None = None,
    axes: Sizes | None = None,
    norm: Norm = "backward",
    *,
    dim: Sizes | None = None,
) -> Tensor: ...
def ifft(
    x: ArrayLike, n: int | None = None, axis: int = -1, norm: Norm = "backward", *, dim: int = -1
) -> Tensor: ...
def ifft2(
    x: ArrayLike,
    s: Sizes | None = None,
    axes: Sizes | None = (-2, -1),
    norm: Norm = "backward",
    *,
    dim: Sizes | None = (-2, -1),
) -> Tensor: ...
def ifftn(
    x: ArrayLike,
    s: Sizes | None = None,
    axes: Sizes | None = None,
    norm: Norm = "backward",
    *,
    dim: Sizes | None = None,
) -> Tensor: ...
def ifftshift(x: ArrayLike, axes: Sizes | None = None, *, dim: Sizes | None = None) -> Tensor: ...
def ihfft(
    x: ArrayLike, n: int | None = None, axis: int = -1, norm: Norm = "backward", *, dim: int = -1
) -> Tensor: ...
def ihfft2(
    x: ArrayLike,
    s: Sizes | None = None,
    axes: Sizes | None = (-2, -1),
    norm: Norm = "backward",
    *,
    dim: Sizes | None = (-2, -1),
) -> Tensor: ...
def ihfftn(
    x: ArrayLike,
    s: Sizes | None = None,
    axes: Sizes | None = None,
    norm: Norm = "backward",
    *,
    dim: Sizes | None = None,
) -> Tensor: ...
def irfft(
    x: ArrayLike, n: int | None = None, axis: int = -1, norm: Norm = "backward", *, dim: int = -1
) -> Tensor: ...
def irfft2(
    x: ArrayLike,
    s: Sizes | None = None,
    axes: Sizes | None = (-2, -1),
    norm: Norm = "backward",
    *,
    dim: Sizes | None = (-2, -1),
) -> Tensor: ...
def irfftn(
    x: ArrayLike,
    s: Sizes | None = None,
    axes: Sizes | None = None,
    norm: Norm = "backward",
    *,
    dim: Sizes | None = None,
) -> Tensor: ...
def rfft(
    x: ArrayLike, n: int | None = None, axis: int = -1, norm: Norm = "backward", *, dim: int = -1
) -> Tensor: ...
def rfft2(
    x: ArrayLike,
    s: Sizes | None = None,
    axes: Sizes | None = (-2, -1),
    norm: Norm = "backward",
    *,
    dim: Sizes | None = (-2, -1),
) -> Tensor: ...
def rfftn(
    x: ArrayLike,
    s: Sizes | None = None,
    axes: Sizes | None = None,
    norm: Norm = "backward",
    *,
    dim: Sizes | None = None,
) -> Tensor: ...
