"""Clipping of gradients, by their norm or element by element."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from ...dtypes import get_default_dtype, is_complex, wide
from ...ops.checks import number
from ...tensors.tensor import Tensor


def get_total_norm(
    tensors: Tensor | Iterable[Tensor],
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The p-norm of all elements of all tensors, as if they were one vector; p = inf: the largest.
    It has the dtype of the first; of 16-bit or complex tensors it is float32 or float64.
    ``foreach``, which chooses among PyTorch's implementations, changes nothing here or below.

    >>> import tinytensor as tt
    >>> tt.nn.utils.get_total_norm([tt.tensor([3.0]), tt.tensor([[4.0]])])
    tensor(5.)
    """
    tensors = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    norm = _total(tensors, norm_type)
    if error_if_nonfinite and not math.isfinite(norm):
        raise RuntimeError(f"get_total_norm: the norm of order {norm_type} is {norm}")
    dtype = wide(tensors[0].value).real.dtype if tensors else get_default_dtype()
    return Tensor(np.array(norm, dtype))


def _total(tensors: list[Tensor], p: float) -> float:
    return _combined([_norm(t.value, p) for t in tensors], p)


def _norm(array: np.ndarray, p: float) -> float:
    if array.size == 0:
        return 0.0
    flat = wide(abs(array) if is_complex(array) else array).reshape(-1)
    if p == 2:  # the fast way, unless squares overflow or lose digits
        with np.errstate(over="ignore", under="ignore"):
            squares = float(np.dot(flat, flat))
        if _SAFE < squares < math.inf:
            return math.sqrt(squares)
    flat = abs(flat.astype(np.float64))
    largest = flat.max()
    if not 0 < largest < math.inf or p == 0 or math.isinf(p):
        return float(np.linalg.norm(flat, p))
    return float(np.linalg.norm(flat / largest, p) * largest)


_SAFE = 1e-20  # where squares that add much to a sum in float32 are not denormal


def _combined(norms: list[float], p: float) -> float:
    return _norm(np.array(norms), p)


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale all gradients, in place, such that their total norm is at most ``max_norm``.

    Returns the norm before. (Pascanu, Mikolov and Bengio 2013.)

    >>> import tinytensor as tt
    >>> p = tt.nn.Parameter(tt.tensor([3.0, 4.0]))
    >>> p.grad = tt.tensor([6.0, 8.0])
    >>> tt.nn.utils.clip_grad_norm_([p], 1.0)
    tensor(10.)
    >>> round(tt.nn.utils.get_total_norm(p.grad).item(), 3)
    1.0
    """
    grads = _grads(parameters)
    max_norm = number("clip_grad_norm_", "max_norm", max_norm, 0)
    total = get_total_norm(grads, norm_type, error_if_nonfinite)
    norm = total.item()
    if math.isinf(norm):  # in the dtype of the gradients: in float64 it may have a number
        norm = _total(grads, norm_type)
    _scale("clip_grad_norm_", grads, max_norm, norm)
    return total


def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    total_norm: Tensor | float,
    foreach: bool | None = None,
) -> None:
    """Scale all gradients, in place, by ``max_norm / total_norm`` if that is below 1: the second
    half of :func:`clip_grad_norm_`, after :func:`get_total_norm`."""
    max_norm = number("clip_grads_with_norm_", "max_norm", max_norm, 0)
    _scale("clip_grads_with_norm_", _grads(parameters), max_norm, float(total_norm))


def _scale(by: str, grads: list[Tensor], max_norm: float, norm: float) -> None:
    factor = max_norm / (norm + 1e-6)
    if not factor >= 1:  # NaN scales too, as in PyTorch: bad gradients stay visible
        for grad in grads:
            np.copyto(grad.value, wide(grad.value) * factor, casting="same_kind")
            grad.changed(by)


def clip_grad_value_(
    parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None
) -> None:
    """Bring every element of every gradient, in place, into ±``clip_value``."""
    clip_value = number("clip_grad_value_", "clip_value", clip_value, 0)
    for grad in _grads(parameters):
        clipped = np.clip(wide(grad.value), -clip_value, clip_value)
        np.copyto(grad.value, clipped, casting="same_kind")
        grad.changed("clip_grad_value_")


def _grads(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    return [parameter.grad for parameter in parameters if parameter.grad is not None]
