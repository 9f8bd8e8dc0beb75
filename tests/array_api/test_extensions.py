"""``linalg`` and ``fft`` against array-api-strict: stacks, dtypes, arguments, empty matrices."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import tinytensor as tt

from .oracle import COMPLEX, FLOATS, compare, draw, raw

NUMERIC = ["int8", "int32", "int64", "uint8", "uint64", *FLOATS, *COMPLEX]
STACKS = [(), (2,), (3, 0), (2, 1)]


def matrices(rng: np.random.Generator, dtype: str, *shape: int) -> np.ndarray:
    x: Any = rng.normal(size=shape)
    if dtype.startswith("c"):
        x = x + 1j * rng.normal(size=shape)
    return x.astype(dtype)


def positive(rng: np.random.Generator, dtype: str, *shape: int) -> np.ndarray:
    x = matrices(rng, dtype, *shape)
    return x @ np.conj(np.swapaxes(x, -1, -2)) + np.eye(shape[-1], dtype=dtype)


@pytest.mark.parametrize("dtype", [*FLOATS, *COMPLEX])
@pytest.mark.parametrize("stack", STACKS)
def test_of_square_matrices(dtype: str, stack: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    for n in (1, 3, 0):
        x, p = matrices(rng, dtype, *stack, n, n), positive(rng, dtype, *stack, n, n)
        x = x + 3 * np.eye(n, dtype=dtype)
        compare("linalg.det", x)
        compare("linalg.slogdet", x)
        compare("linalg.inv", x)
        compare("linalg.eigvalsh", p)
        compare("linalg.cholesky", p)
        compare("linalg.cholesky", p, upper=True)
        compare("linalg.solve", x, matrices(rng, dtype, *stack, n, 2))
        compare("linalg.solve", x, matrices(rng, dtype, n))
        for power in (-2, 0, 1, 3):
            compare("linalg.matrix_power", x, power)
        for offset in (0, 1, -2):
            compare("linalg.trace", x, offset=offset)
            compare("linalg.diagonal", x, offset=offset)


@pytest.mark.parametrize("dtype", [*FLOATS, *COMPLEX])
@pytest.mark.parametrize("stack", STACKS)
def test_of_any_matrices(dtype: str, stack: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    for rows, columns in ((3, 3), (4, 2), (2, 4)):
        x = matrices(rng, dtype, *stack, rows, columns)
        compare("linalg.svdvals", x)
        compare("linalg.pinv", x)
        compare("linalg.pinv", x, rtol=0.1)
        compare("linalg.matrix_rank", x)
        compare("linalg.matrix_rank", x, rtol=0.1)
        compare("linalg.matrix_transpose", x)
        for order in ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf):
            compare("linalg.matrix_norm", x, ord=order)
            compare("linalg.matrix_norm", x, ord=order, keepdims=True)
        for order, axis in itertools.product((0, 1, 2, 3.5, -1, np.inf, -np.inf), (None, 0, -1)):
            compare("linalg.vector_norm", x, ord=order, axis=axis)
        compare("linalg.vector_norm", x, axis=(-2, -1), keepdims=True)
        if stack == ():
            tolerance = np.array(0.1, np.float32 if dtype in ("float32", "complex64") else "f8")
            compare("linalg.pinv", x, rtol=tolerance)


@pytest.mark.parametrize("dtype", [*FLOATS, *COMPLEX])
def test_factors_multiply_to_the_matrix(dtype: str) -> None:
    """Factors are unique but for signs, so their product is what is compared."""
    rng = np.random.default_rng(2)
    single = dtype in ("float32", "complex64")
    near: Any = {"rtol": 1e-4, "atol": 1e-4} if single else {"rtol": 1e-10, "atol": 1e-10}
    real = tt.float32 if single else tt.float64
    for stack, (rows, columns) in itertools.product([(), (2,)], [(3, 3), (4, 2), (2, 4)]):
        x = tt.asarray(matrices(rng, dtype, *stack, rows, columns))
        for mode in ("reduced", "complete"):
            q, r = tt.linalg.qr(x, mode=mode)
            assert (q.dtype, r.dtype) == (x.dtype, x.dtype)
            inner = rows if mode == "complete" else min(rows, columns)
            assert (q.shape, r.shape) == ((*stack, rows, inner), (*stack, inner, columns))
            np.testing.assert_allclose((q @ r).numpy(), x.numpy(), **near)
        for full in (True, False):
            factors = tt.linalg.svd(x, full_matrices=full)
            u, s, vh = factors.U, factors.S, factors.Vh
            inner = min(rows, columns)
            assert s.dtype == real
            assert u.shape == (*stack, rows, rows if full else inner)
            assert vh.shape == (*stack, columns if full else inner, columns)
            product = (u[..., :inner] * tt.expand_dims(s, -2)) @ vh[..., :inner, :]
            np.testing.assert_allclose(product.numpy(), x.numpy(), **near)
        if rows == columns:
            values, vectors = tt.linalg.eig(x)
            assert values.dtype == vectors.dtype == tt.result_type(x.dtype, tt.complex64)
            product = vectors * tt.expand_dims(values, -2)
            np.testing.assert_allclose((x @ vectors).numpy(), product.numpy(), **near)
            assert tt.linalg.eigvals(x).shape == (*stack, rows)
            p = tt.asarray(positive(rng, dtype, *stack, rows, rows))
            found = tt.linalg.eigh(p)
            assert found.eigenvalues.dtype == real
            product = found.eigenvectors * tt.expand_dims(found.eigenvalues, -2)
            np.testing.assert_allclose((p @ found.eigenvectors).numpy(), product.numpy(), **near)


@pytest.mark.parametrize(("one", "other"), itertools.product(NUMERIC, NUMERIC))
def test_products(one: str, other: str) -> None:
    rng = np.random.default_rng(3)
    a, b = draw(rng, one, 2, 3, 3), draw(rng, other, 3, 3)
    a, b = (np.where(np.isfinite(x), x, x.dtype.type(2)) for x in (a, b))
    for name in ("matmul", "linalg.matmul", "linalg.cross", "vecdot", "linalg.vecdot"):
        compare(name, a, b)
    compare("linalg.outer", a[0, 0], b[0])
    compare("linalg.cross", a, b, axis=-2)
    compare("linalg.vecdot", a, b, axis=-2)
    compare("matmul", a[0, 0], b)
    compare("matmul", a, b[0])
    for axes in (0, 1, 2, ((1, 2), (1, 0)), ((0,), ()), ((-1,), (-2,))):
        compare("tensordot", a, b, axes=axes)
        compare("linalg.tensordot", a, b, axes=axes)
    compare("linalg.trace", a, dtype=None)
    for name in ("float64", "complex128"):
        if not (one.startswith("c") and name.startswith("f")):
            found = tt.linalg.trace(tt.asarray(a), dtype=getattr(tt, name))
            np.testing.assert_allclose(raw(found), np.trace(a, axis1=-2, axis2=-1), rtol=1e-6)
            assert found.dtype == name


def test_errors_of_matrices() -> None:
    ones = tt.ones((3, 3))
    for f in (tt.linalg.inv, tt.linalg.cholesky):
        with pytest.raises(ValueError, match=f.__name__):
            f(-ones)
    for name in ("det", "inv", "eigh", "cholesky", "slogdet", "eigvals"):
        with pytest.raises(ValueError, match=f"^{name}: needs square matrices"):
            getattr(tt.linalg, name)(tt.ones((2, 3)))
    with pytest.raises(ValueError, match="inner sizes differ"):
        tt.matmul(ones, tt.ones((2, 3)))
    for a, b in ((ones, tt.asarray(1.0)), (tt.asarray(1.0), ones)):
        with pytest.raises((TypeError, ValueError), match="matmul"):
            tt.matmul(a, b)
    with pytest.raises(ValueError, match="cross"):
        tt.linalg.cross(tt.ones(2), tt.ones(2))


# --- Fourier transforms ----------------------------------------------------------------------

NORMS = ("backward", "ortho", "forward")


@pytest.mark.parametrize("dtype", [*FLOATS, *COMPLEX])
@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"])
def test_transforms_of_one_axis(name: str, dtype: str) -> None:
    rng = np.random.default_rng(4)
    if dtype.startswith("c") and name in ("rfft", "ihfft"):
        with pytest.raises(TypeError, match=name):
            getattr(tt.fft, name)(tt.ones(3, dtype=dtype))
        return
    for shape in ((5,), (4, 6), (2, 1, 7)):
        x = matrices(rng, dtype, *shape)
        for n, norm in itertools.product((None, 3, 8), NORMS):
            compare(f"fft.{name}", x, n=n, norm=norm)
            compare(f"fft.{name}", x, n=n, axis=0 if shape[0] > 1 or n else -1, norm=norm)
    assert getattr(tt.fft, name)(tt.ones(4)).dtype in (tt.float32, tt.complex64)


@pytest.mark.parametrize("dtype", [*FLOATS, *COMPLEX])
@pytest.mark.parametrize("name", ["fftn", "ifftn", "rfftn", "irfftn"])
def test_transforms_of_several_axes(name: str, dtype: str) -> None:
    rng = np.random.default_rng(5)
    if dtype.startswith("c") and name == "rfftn":
        return
    x = matrices(rng, dtype, 3, 4, 5)
    for axes, norm in itertools.product((None, (0, 1), (-1, 0), (2,)), NORMS):
        compare(f"fft.{name}", x, axes=axes, norm=norm)
    compare(f"fft.{name}", x, s=(2, 6), axes=(0, 2))
    compare(f"fft.{name}", x, s=(4, 4, 4), axes=(0, 1, 2))


def test_frequencies_and_shifts() -> None:
    rng = np.random.default_rng(6)
    for n, d in itertools.product((1, 4, 5), (1.0, 0.25)):
        for name in ("fftfreq", "rfftfreq"):
            found = getattr(tt.fft, name)(n, d=d, dtype=tt.float64, device="cpu")
            np.testing.assert_array_equal(found.numpy(), getattr(np.fft, name)(n, d))
    for name, axes in itertools.product(("fftshift", "ifftshift"), (None, 0, (0, 1))):
        for dtype in ("float32", "complex128"):
            compare(f"fft.{name}", matrices(rng, dtype, 3, 4), axes=axes)
