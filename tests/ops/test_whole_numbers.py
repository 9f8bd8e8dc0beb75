"""Ops of bools and integers: what has an answer gives it, whatever the width of the dtype."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.nn import functional as F

WHOLE = ["bool", "int8", "uint8", "int16", "int64", "uint64"]


def sample(dtype: str) -> np.ndarray:
    """Numbers whose squares, and some of whose sums, are beyond the narrow dtypes."""
    numbers = [[0, 1, 1], [1, 0, 1]] if dtype == "bool" else [[100, 3, 0], [1, 90, 120]]
    return np.array(numbers, dtype)


# Functions of floats: of integers they are what they are of the same floats.
OF_FLOATS: dict[str, Any] = {
    "sigmoid": tt.sigmoid,
    "silu": F.silu,
    "reciprocal": tt.reciprocal,
    "sqrt": tt.sqrt,
    "tanh": tt.tanh,
    "softplus": F.softplus,
    "gelu": F.gelu,
    "elu": F.elu,
    "leaky_relu": F.leaky_relu,
    "mean": tt.mean,
    "var": tt.var,
    "std": lambda x: tt.std(x, axis=1),
    "divide": lambda x: x / (x + 1),
    "norm": tt.linalg.vector_norm,
    "norm 3": lambda x: tt.linalg.vector_norm(x, axis=0, ord=3),
    "norm -2": lambda x: tt.linalg.vector_norm(x + 1, ord=-2),
    "frobenius": tt.linalg.matrix_norm,
    "hypot": lambda x: tt.hypot(x, x),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # 1 / 0
@pytest.mark.parametrize("dtype", WHOLE)
@pytest.mark.parametrize("name", OF_FLOATS)
def test_functions_of_floats(name: str, dtype: str) -> None:
    x = sample(dtype)
    if name == "norm -2" and dtype in ("int8", "uint8"):
        x = x // 2
    found = OF_FLOATS[name](tt.tensor(x))
    expected = OF_FLOATS[name](tt.tensor(x.astype(np.float64))).numpy()
    assert found.dtype.kind == "f"
    coarse = found.dtype == np.float16
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-2 if coarse else 1e-6)


# Functions that have an answer among the integers: NumPy's.
ALIKE: dict[str, Any] = {
    "sum": lambda m, x: m.sum(x, axis=1),
    "prod": lambda m, x: m.prod(x, axis=0),
    "max": lambda m, x: m.max(x, axis=1),
    "min": lambda m, x: m.min(x),
    "argmax": lambda m, x: m.argmax(x, axis=1),
    "cumsum": lambda m, x: m.cumsum(x, axis=1),
    "cumprod": lambda m, x: m.cumprod(x[:, 1:], axis=1),
    "clip": lambda m, x: m.clip(x, 1, 90),
    "sort": lambda m, x: m.sort(x, axis=1),
    "argsort": lambda m, x: m.argsort(x, axis=1, stable=True),
    "abs": lambda m, x: m.abs(x),
    "floor": lambda m, x: m.floor(x),
    "ceil": lambda m, x: m.ceil(x),
    # NumPy's round makes float16 of bools; ours leaves them, as floor and ceil of both do.
    "round": lambda m, x: np.asarray(x) if x.dtype == bool and m is np else m.round(x),
    "trunc": lambda m, x: m.trunc(x),
    "matmul": lambda m, x: m.matmul(x, x.T),
    "einsum": lambda m, x: m.einsum("ij,ij->i", x, x),
    "tensordot": lambda m, x: m.tensordot(x, x, 2),
    "vecdot": lambda m, x: m.vecdot(x, x),
    "where": lambda m, x: m.where(x > 0, x, x),
    "maximum": lambda m, x: m.maximum(x, x[::-1]),
    "diff": lambda m, x: m.diff(x),
    "diff twice": lambda m, x: m.diff(x, n=2, axis=1),
    "repeat": lambda m, x: m.repeat(x, 2),
    "any": lambda m, x: m.any(x, axis=1),
}


@pytest.mark.parametrize("dtype", WHOLE)
@pytest.mark.parametrize("name", ALIKE)
def test_like_numpy(name: str, dtype: str) -> None:
    x = sample(dtype)
    try:
        expected = np.asarray(ALIKE[name](np, x))
    except TypeError:
        with pytest.raises(tt.DtypeError):
            ALIKE[name](tt, tt.tensor(x))
        return
    found = ALIKE[name](tt, tt.tensor(x))
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found.numpy(), expected)


@pytest.mark.parametrize("dtype", WHOLE)
def test_answers_of_our_own(dtype: str) -> None:
    x = tt.tensor(sample(dtype))
    assert tt.sign(x).dtype == x.dtype
    assert tt.sign(x).tolist() == (sample(dtype) != 0).tolist()
    assert F.relu(x).tolist() == x.tolist()
    pooled = F.max_pool2d(tt.reshape(x, (1, 1, 2, 3)), (2, 1), padding=(1, 0))
    assert pooled.dtype == x.dtype
    assert pooled.tolist() == [[[x[0].tolist(), x[1].tolist()]]]
    assert F.interpolate(x[None], scale_factor=2).dtype == x.dtype
    assert tt.pad(x, 1).dtype == x.dtype
    assert tt.linalg.vector_norm(x, ord=0).item() == np.count_nonzero(sample(dtype))


def test_a_count_is_not_cut_to_the_dtype() -> None:
    for dtype in ("bool", "int8", "uint8"):
        assert tt.linalg.vector_norm(tt.ones(300, dtype=dtype), ord=0).item() == 300


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int64", "uint64"])
def test_one_hot_of_any_integers(dtype: str) -> None:
    assert F.one_hot(tt.tensor(np.array([2, 0], dtype))).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert F.one_hot(tt.tensor(np.zeros(0, dtype)), 3).shape == (0, 3)


@pytest.mark.parametrize("value", [0.5, 300, -1, float("nan")])
def test_padding_that_does_not_fit(value: float) -> None:
    with pytest.raises(tt.DtypeError, match=r"pad: .* does not fit into uint8"):
        tt.pad(tt.ones((2, 2), dtype=tt.uint8), 1, constant_values=value)
    assert tt.pad(tt.ones(1, dtype=tt.uint8), 1, constant_values=7.0).tolist() == [7, 1, 7]
