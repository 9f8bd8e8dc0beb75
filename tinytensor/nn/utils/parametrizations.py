"""Weights of a given norm: orthogonal ones, and those that weight or spectral norm scale."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ... import linalg, ops, random
from ...dtypes import finfo, is_complex
from ...engine.grad_mode import no_grad
from ...errors import AxisError, ShapeError
from ...ops.checks import number, whole
from ...tensors.tensor import Tensor
from ..conv import _ConvTranspose
from ..init import overwrite
from ..module import Module
from .parametrize import register_parametrization

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]


def weight_of(owner: str, module: Module, name: str) -> Tensor:
    """A tensor of a module by its name."""
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"{owner}: {type(module).__name__} has no parameter or buffer {name!r}")
    return weight


# --- Weight norm -----------------------------------------------------------------------------


def norm_except(v: Tensor, dim: int) -> Tensor:
    """The 2-norm along all axes but one, which stay; of all if ``dim`` is -1."""
    if dim == -1:
        return linalg.vector_norm(v)
    if not 0 <= dim < v.ndim:
        raise AxisError(f"weight_norm: there is no axis {dim} of a tensor of {v.shape}")
    axes = tuple(axis for axis in range(v.ndim) if axis != dim)
    return linalg.vector_norm(v, axis=axes, keepdims=True) if axes else abs(v)


class _WeightNorm(Module):
    """``g * v / ‖v‖``, from the length g and the direction v."""

    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return weight_v * (weight_g / norm_except(weight_v, self.dim))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return norm_except(weight, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Learn length and direction of a weight apart: ``w = g * v / ‖v‖``, the norm along all axes
    but ``dim``, or of all if that is None. g is "original0", v "original1"; a state of the older
    :func:`tinytensor.nn.utils.weight_norm` is understood. (Salimans and Kingma 2016.)

    >>> import tinytensor as tt
    >>> layer = tt.nn.utils.parametrizations.weight_norm(tt.nn.Linear(2, 3))
    >>> [(key, value.shape) for key, value in layer.state_dict().items() if "weight" in key]
    [('parametrizations.weight.original0', (3, 1)), ('parametrizations.weight.original1', (3, 2))]
    """
    weight_of("weight_norm", module, name)
    register_parametrization(module, name, _WeightNorm(dim), unsafe=True)
    module.register_load_state_dict_pre_hook(_OlderNames(name))
    return module


class _OlderNames:
    """A hook that understands the state of the older weight norm."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, module: Module, state: dict[str, Any], prefix: str, *more: Any) -> None:
        old = prefix + self.name
        if {f"{old}_g", f"{old}_v"} <= state.keys():
            new = f"{prefix}parametrizations.{self.name}.original"
            state[f"{new}0"], state[f"{new}1"] = state.pop(f"{old}_g"), state.pop(f"{old}_v")


# --- Spectral norm ---------------------------------------------------------------------------


def as_matrix(weight: Tensor, dim: int) -> Tensor:
    """A weight with the axis ``dim`` as rows, and all others as one."""
    return ops.moveaxis(weight, dim, 0).reshape(weight.shape[dim], -1)


def unit(x: np.ndarray, eps: float) -> np.ndarray:
    """A vector of the length 1."""
    return x / max(float(np.linalg.norm(x)), eps)


def axis_of_outputs(module: Module, dim: int | None) -> int:
    """``dim``, or the axis of a layer's weight that counts its outputs."""
    return int(isinstance(module, _ConvTranspose)) if dim is None else dim


def drawn_unit(weight: Tensor, size: int, eps: float) -> Tensor:
    """A random direction."""
    draws = random.resolve(None).standard_normal(size)
    return Tensor(unit(draws, eps).astype(weight.dtype))


class _SpectralNorm(Module):
    """A weight over its largest singular value, by power iteration."""

    _u: Tensor
    _v: Tensor

    def __init__(
        self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12
    ) -> None:
        super().__init__()
        whole("spectral_norm", 1, n_power_iterations=n_power_iterations)
        number("spectral_norm", "eps", eps, 0)
        if not -weight.ndim <= dim < weight.ndim:
            raise AxisError(f"spectral_norm: there is no axis {dim} of a weight {weight.shape}")
        self.dim, self.eps = dim % weight.ndim, eps
        self.n_power_iterations = n_power_iterations
        if weight.ndim > 1:
            matrix = as_matrix(weight.detach(), self.dim)
            self.register_buffer("_u", drawn_unit(weight, matrix.shape[0], eps))
            self.register_buffer("_v", drawn_unit(weight, matrix.shape[1], eps))
            self._iterate(matrix, 15)

    def _iterate(self, matrix: Tensor, times: int) -> None:
        m, u, v = matrix.value, self._u.value, self._v.value
        for _ in range(times):
            u = unit(m @ v, self.eps)
            v = unit(m.T.conj() @ u, self.eps)
        overwrite(self._u, u, "spectral_norm")
        overwrite(self._v, v, "spectral_norm")

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:
            return weight / ops.maximum(linalg.vector_norm(weight), self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            self._iterate(matrix.detach(), self.n_power_iterations)
        u, v = Tensor(self._u.value.copy()), Tensor(self._v.value.copy())
        return weight / linalg.vecdot(u, matrix @ v)

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """Divide a weight by its largest singular value, that of the matrix with the axis ``dim`` as
    rows (by default the outputs'): estimated by power iteration, once in each use in training.
    The vectors are the buffers "_u" and "_v". (Miyato et al. 2018.)

    >>> import tinytensor as tt
    >>> layer = tt.nn.utils.parametrizations.spectral_norm(tt.nn.Linear(4, 3))
    >>> for _ in range(50):
    ...     weight = layer.weight
    >>> round(tt.linalg.svdvals(weight)[0].item(), 3)
    1.0
    """
    weight = weight_of("spectral_norm", module, name)
    axis = axis_of_outputs(module, dim)
    norm = _SpectralNorm(weight, n_power_iterations, axis, eps)
    return register_parametrization(module, name, norm)


# --- Orthogonal ------------------------------------------------------------------------------

Map = Literal["matrix_exp", "cayley", "householder"]


class _Orthogonal(Module):
    """A matrix with orthonormal columns, or rows, from any matrix.

    Of the larger side n and the smaller k: a skew matrix A from the lower triangle becomes exp(A)
    or its Cayley transform, or the columns below the diagonal are Householder vectors.
    """

    base: Tensor | None

    def __init__(self, weight: Tensor, by: Map, use_trivialization: bool = True) -> None:
        super().__init__()
        self.shape, self.by = weight.shape, by
        self.trivialized = use_trivialization
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, x: Tensor) -> Tensor:
        transposed = x.shape[-2] < x.shape[-1]
        x = x.mT if transposed else x
        n, k = x.shape[-2:]
        if self.by == "householder":
            a = ops.tril(x, -1)
            tau = 2.0 / (1.0 + (a * a).sum(axis=-2))
            signs = np.trunc(np.diagonal(x.value, axis1=-2, axis2=-1))[..., None, :]
            q = linalg.householder_product(a, tau) * Tensor(signs.astype(x.dtype))
        else:
            x = ops.tril(x)
            if n != k:
                zeros = Tensor(np.zeros((*x.shape[:-1], n - k), x.dtype))
                x = ops.concat([x, zeros], -1)
            a = x - (ops.conj(x.mT) if is_complex(x.dtype) else x.mT)
            if self.by == "matrix_exp":
                q = linalg.matrix_exp(a)
            else:
                identity = Tensor(np.eye(n, dtype=x.dtype))
                q = linalg.solve(identity - 0.5 * a, identity + 0.5 * a)
            q = q[..., :k]
        if self.trivialized and self.base is not None:
            q = self.base @ q
        return q.mT if transposed else q

    def right_inverse(self, q: Tensor) -> Tensor:
        if q.shape != self.shape:
            raise ShapeError(f"orthogonal: the weight is {self.shape}, what is assigned {q.shape}")
        if not self.trivialized and self.by != "householder":
            raise NotImplementedError(
                f"orthogonal: {self.by} without use_trivialization cannot be assigned"
            )
        array = np.asarray(q.value)
        transposed = array.shape[-2] < array.shape[-1]
        array = np.swapaxes(array, -2, -1) if transposed else array
        n, k = array.shape[-2:]
        if not self.trivialized:
            found, tau = (np.array(part.value) for part in linalg.geqrf(Tensor(array)))
            diagonal = np.einsum("...ii->...i", found[..., :k, :])
            diagonal[...] = np.sign(diagonal)
            diagonal[tau == 0] *= -1
            return Tensor(np.swapaxes(found, -2, -1) if transposed else found)
        if n != k:
            more = random.resolve(None).standard_normal((*array.shape[:-1], n - k))
            array = np.concatenate([array, more.astype(array.dtype)], -1)
        if n != k or not _is_orthogonal(array):
            array = _made_orthogonal(array)
        self.base = Tensor(np.array(array))
        begin = np.zeros(self.shape, array.dtype)
        np.einsum("...ii->...i", begin[..., : min(n, k), : min(n, k)])[...] = -1
        return Tensor(begin)


def _is_orthogonal(q: np.ndarray) -> bool:
    eps = 10 * q.shape[-2] * finfo(q.dtype).eps
    product = np.swapaxes(q, -2, -1).conj() @ q
    return np.allclose(product, np.eye(q.shape[-1]), atol=eps)


def _made_orthogonal(a: np.ndarray) -> np.ndarray:
    """Q of a = Q R, where the diagonal of R is positive."""
    q, r = np.linalg.qr(a)
    diagonal = np.diagonal(r, axis1=-2, axis2=-1)[..., None, :]
    return q * np.where(diagonal == 0, 1, diagonal / np.where(diagonal == 0, 1, abs(diagonal)))


def orthogonal(
    module: Module,
    name: str = "weight",
    orthogonal_map: Map | None = None,
    *,
    use_trivialization: bool = True,
) -> Module:
    """Keep a matrix, or each of a batch, orthogonal: its columns, or rows if there are fewer, are
    orthonormal, whatever is learned.

    ``orthogonal_map``: "matrix_exp" of a skew matrix, "cayley", or "householder", a product of
    reflections; by default the first for square and complex matrices, the last for others. With
    ``use_trivialization`` the map begins at the weight, which can be assigned (Casado 2019);
    without it, Householder's alone can.

    >>> import tinytensor as tt
    >>> layer = tt.nn.utils.parametrizations.orthogonal(tt.nn.Linear(5, 3))
    >>> w = layer.weight
    >>> bool((abs(w @ w.mT - tt.eye(3)) < 1e-5).all())
    True
    """
    weight = weight_of("orthogonal", module, name)
    if weight.ndim < 2:
        raise ShapeError(f"orthogonal: the tensor is {weight.shape}, not a matrix or several")
    if orthogonal_map is None:
        square = weight.shape[-2] == weight.shape[-1] or is_complex(weight.dtype)
        orthogonal_map = "matrix_exp" if square else "householder"
    if orthogonal_map not in ("matrix_exp", "cayley", "householder"):
        raise ValueError(
            f"orthogonal: orthogonal_map is {orthogonal_map!r}, not 'matrix_exp', 'cayley' or"
            " 'householder'"
        )
    if is_complex(weight.dtype) and orthogonal_map == "householder":
        raise ValueError("orthogonal: the map 'householder' takes no complex matrices")
    with no_grad():
        made = _Orthogonal(weight, orthogonal_map, use_trivialization)
    return register_parametrization(module, name, made, unsafe=True)
