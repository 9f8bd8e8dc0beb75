"""Distances, covariances and added products: what the table of ops does not ask."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.ops import pairs

X = np.random.default_rng(0).normal(size=(3, 7))


@pytest.mark.parametrize("p", [0, 0.5, 1, 2, 3, math.inf])
def test_distances_in_pieces(p: float, monkeypatch: pytest.MonkeyPatch) -> None:
    x1, x2 = X.reshape(7, 3), X.T[None, :5]
    whole = tt.cdist(x1, x2, p)
    monkeypatch.setattr(pairs, "PIECE", 10)
    np.testing.assert_array_equal(tt.cdist(x1, x2, p).numpy(), whole.numpy())
    by_hand = [[np.linalg.norm(a - b, p) for b in x2[0]] for a in x1]
    np.testing.assert_allclose(whole.numpy(), [by_hand], rtol=1e-14)


def test_distances_keep_their_digits_and_range() -> None:
    far = np.array([[1e8 + 1.0, 1e8], [1e8, 1e8]])
    assert tt.cdist(far, far).tolist() == [[0, 1], [1, 0]]
    huge = np.array([[3e200, 4e200]])
    np.testing.assert_allclose(tt.cdist(huge, 0 * huge).numpy(), 5e200, rtol=1e-14)


@pytest.mark.parametrize(("rows", "others", "width"), [(0, 3, 2), (3, 0, 2), (2, 3, 0)])
def test_no_rows_and_no_columns(rows: int, others: int, width: int, torch: Any) -> None:
    x1, x2 = (tt.ones(n, width, requires_grad=True) for n in (rows, others))
    found = tt.cdist(x1, x2)
    assert (
        found.tolist() == torch.cdist(torch.ones(rows, width), torch.ones(others, width)).tolist()
    )
    found.sum().backward()
    assert x1.grad is not None
    assert x1.grad.tolist() == np.zeros((rows, width)).tolist()


def test_equal_rows_have_a_gradient_of_zeros() -> None:
    x = tt.tensor([[1.0, 2.0]], requires_grad=True)
    tt.cdist(x, [[1.0, 2.0]]).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[0, 0]]


@pytest.mark.parametrize("correction", [0, 1, 2, 6.5])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128", "int32"])
def test_covariances_are_numpys(dtype: str, correction: float) -> None:
    x = (10 * X).astype(dtype) * (1 + 1j if dtype[0] == "c" else 1)
    often, much = np.array([1, 2, 0, 3, 1, 1, 1]), np.arange(1.0, 8.0)
    tolerance = 1e-5 if dtype in ("float32", "int32") else 1e-12
    for ours, theirs in (
        (tt.cov(x, correction), np.cov(x, ddof=int(correction))),
        (tt.cov(x, 1, often), np.cov(x, ddof=1, fweights=often)),
        (tt.cov(x, 1, often, much), np.cov(x, ddof=1, fweights=often, aweights=much)),
        (tt.corrcoef(x), np.corrcoef(x)),
        (tt.cov(x[0]), np.cov(x[0])),
    ):
        if ours is not None and correction == int(correction):
            np.testing.assert_allclose(ours.numpy(), theirs, rtol=tolerance, atol=tolerance)
    assert tt.corrcoef(X[0]).item() == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tt.cov(X[None]), "cov: x has variables and observations"),
        (lambda: tt.cov(X, fweights=np.ones(7)), "cov: fweights must be integers"),
        (lambda: tt.cov(X, fweights=[1, 2]), r"cov: fweights must be .* 7 observations"),
        (lambda: tt.cov(X, aweights=-np.ones(7)), "cov: aweights must not be negative"),
        (lambda: tt.cdist(X, X.T), r"cdist: x1 is \(…, P, M\)"),
        (lambda: tt.cdist(X, X, -1), "cdist: p must be at least 0"),
        (lambda: tt.cdist(X.astype(int), X), "cdist: x1 must be floating point"),
        (lambda: tt.cdist(X, X, 2, "fast"), "cdist: compute_mode is one of"),
        (lambda: tt.addmm(X, X, X), "addmm: matmul: |addmm: inner sizes differ"),
        (
            lambda: tt.addmm(np.ones((2, 1, 1)), X, X.T),
            r"addmm: input is \(2, 1, 1\), but the product",
        ),
        (lambda: tt.addmm(X[0, 0], X[0], X), r"addmm: mat1 must be a matrix, but is \(7,\)"),
        (lambda: tt.addmv(X[0], X, X), "addmv: vec must be a vector"),
        (lambda: tt.baddbmm(X, X, X), "baddbmm: batch1 must be a stack of matrices"),
    ],
)
def test_what_is_refused(call: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=f"^({message})"):
        call()


def test_a_beta_of_zero_stops_nan() -> None:
    nan = tt.tensor([[math.nan]])
    assert tt.addmm(nan, [[2.0]], [[3.0]], beta=0).tolist() == [[6]]
    assert tt.addmm(tt.tensor([[1]]), tt.tensor([[2]]), tt.tensor([[3]]), alpha=2).tolist() == [
        [13]
    ]
