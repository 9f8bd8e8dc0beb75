"""PyTorch's names of arguments: understood where the meaning is the same, otherwise refused."""

from __future__ import annotations

import inspect
import itertools

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.engine.operation import Op
from tinytensor.nn import functional as F
from tinytensor.ops.spelling import REFUSED

X = tt.tensor([[1.0, 5.0, 2.0], [4.0, 3.0, 6.0]])


@pytest.mark.parametrize(
    ("pytorchs", "ours"),
    [
        (lambda: tt.sum(X, dim=1, keepdim=True), lambda: tt.sum(X, axis=1, keepdims=True)),
        (lambda: tt.sum(input=X), lambda: tt.sum(X)),
        (lambda: tt.max(X, keepdim=True), lambda: tt.max(X, keepdims=True)),
        (lambda: tt.argmax(X, dim=0), lambda: tt.argmax(X, 0)),
        (lambda: tt.argsort(X, dim=0), lambda: tt.argsort(X, 0)),
        (lambda: tt.sort(input=X, axis=0), lambda: tt.sort(X, 0)),
        (lambda: tt.topk(X, 1, dim=0).values, lambda: tt.topk(X, 1, 0).values),
        (lambda: tt.logsumexp(X, dim=(0, 1)), lambda: tt.logsumexp(X, (0, 1))),
        (lambda: tt.concat(tensors=[X, X], dim=1), lambda: tt.concat([X, X], 1)),
        (lambda: tt.stack([X, X], dim=-1), lambda: tt.stack([X, X], -1)),
        (lambda: tt.flip(X, dims=(0,)), lambda: tt.flip(X, 0)),
        (lambda: tt.roll(X, shifts=1, dims=1), lambda: tt.roll(X, 1, 1)),
        (lambda: tt.permute_dims(X, dims=(1, 0)), lambda: tt.permute_dims(X, (1, 0))),
        (lambda: tt.tensordot(X, X, dims=([1], [1])), lambda: tt.tensordot(X, X, ([1], [1]))),
        (lambda: tt.tril(X, diagonal=-1), lambda: tt.tril(X, -1)),
        (lambda: tt.flatten(X, start_dim=0, end_dim=1), lambda: tt.flatten(X)),
        (lambda: tt.broadcast_to(X, size=(2, 2, 3)), lambda: tt.broadcast_to(X, (2, 2, 3))),
        (lambda: tt.swapaxes(X, axis0=0, axis1=1), lambda: X.T),
        (lambda: tt.swapaxes(X, axis1=0, axis2=1), lambda: X.T),
        (lambda: tt.swapaxes(X, dim0=0, dim1=1), lambda: X.T),
        (lambda: tt.diagonal(X, dim1=0, dim2=1), lambda: tt.diagonal(X)),
        (lambda: tt.add(input=X, other=1), lambda: X + 1),
        (lambda: tt.pow(X, exponent=2), lambda: X**2),
        (lambda: tt.where(X > 2, input=X, other=-X), lambda: tt.where(X > 2, X, -X)),
        (lambda: tt.linalg.vector_norm(X, dim=1), lambda: tt.linalg.vector_norm(X, axis=1)),
        (lambda: tt.std(X, dim=1, unbiased=False), lambda: tt.std(X, 1)),
        (lambda: tt.var(X, dim=1, correction=1), lambda: tt.var(X, 1, 1)),
        (lambda: tt.var(X, unbiased=True), lambda: tt.var(X, correction=1)),
        (lambda: tt.nonzero(X, as_tuple=True)[0], lambda: tt.nonzero(X)[0]),
        (lambda: F.softmax(input=X, dim=0), lambda: tt.softmax(X, 0)),
    ],
)
def test_what_means_the_same_is_understood(pytorchs, ours):
    np.testing.assert_array_equal(pytorchs().numpy(), ours().numpy())
    np.testing.assert_array_equal(pytorchs().numpy(), ours().numpy())  # once it is noted


@pytest.mark.parametrize(
    ("call", "way"),
    [
        (
            lambda: tt.max(X, dim=1),
            r"max\(dim=\) gives values and indices in PyTorch; here they are max\(axis=\) and"
            r" argmax\(axis=\)",
        ),
        (lambda: tt.min(X, dim=1), r"argmin\(axis=\)"),
        (lambda: tt.sort(X, dim=1), r"argsort\(axis=\)"),
        (lambda: tt.split(X, 1, dim=0), "cuts into pieces of that size in PyTorch"),
        (lambda: tt.squeeze(X, dim=0), r"squeeze\(axis=\) raises"),
        (lambda: tt.std(X, dim=0), r"divides by n - 1 in PyTorch, by n here"),
        (lambda: tt.equal(input=X, other=X), r"bool\(\(x == y\).all\(\)\)"),
        (lambda: tt.nonzero(X, as_tuple=False), "argwhere"),
        (lambda: tt.sum(X, out=X), r"there is no out= here; write y\[...\] = sum\(x\)"),
    ],
)
def test_what_means_something_else_is_refused_with_the_way(call, way):
    for _ in range(2):
        with pytest.raises(TypeError, match=way):
            call()


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: tt.sum(X, 1, dim=1), "sum: argument 'axis' is unknown or given twice"),
        (lambda: tt.sum(X, axis=1, dim=1), "sum: argument 'axis' is"),
        (lambda: tt.sort(X, 1, keepdim=True), "sort: argument 'keepdim' is unknown"),
        (lambda: tt.sort(axis=1), "sort: argument 'x' is missing"),
        (lambda: tt.sum(dim=1), "sum: argument 'x' is missing"),
        (lambda: tt.exp(X, dim=1), "exp: argument 'dim' is unknown"),
        (lambda: tt.diff(X, dims=1, axis=1), "diff: argument 'axis' is given twice"),
    ],
)
def test_what_is_unknown_stays_an_error(call, match):
    with pytest.raises(TypeError, match=match):
        call()


def functions_with_an_axis():
    for place in (tt, tt.linalg, tt.fft):
        for name in dir(place):
            function = getattr(place, name)
            if isinstance(function, Op) or hasattr(function, "__wrapped__"):
                parameters = inspect.signature(function).parameters
                if "axis" in parameters and "dim" not in parameters:
                    yield name, function


@pytest.mark.parametrize(("name", "function"), [*functions_with_an_axis()])
def test_every_function_with_an_axis_knows_dim(name, function):
    """Or refuses it with the way: an axis that no array has is the error, not the name."""
    needed = [
        parameter
        for parameter in inspect.signature(function).parameters.values()
        if parameter.default is parameter.empty and parameter.name != "axis"
    ]
    refused = name in REFUSED or name in ("std", "var")
    with pytest.raises(Exception, match=r"dim=" if refused else None) as error:
        function(*[X] * len(needed), dim=99)
    assert "unknown" not in str(error.value)


# --- Settings of a variant of an op -----------------------------------------------------------


def test_settings_by_name() -> None:
    x = tt.tensor([1.5, -2.5, 7.0], requires_grad=True)
    assert tt.add(x, 1.0, alpha=2).tolist() == [3.5, -0.5, 9]
    assert tt.subtract(a=x, b=x, alpha=0.5).tolist() == [0.75, -1.25, 3.5]
    assert x.add(other=x, alpha=2).tolist() == [4.5, -7.5, 21]
    assert tt.div(x, 2, rounding_mode="floor").tolist() == [0, -2, 3]
    assert tt.div(x, 2, rounding_mode="trunc").tolist() == [0, -1, 3]
    assert tt.div(x, 2, rounding_mode=None).tolist() == [0.75, -1.25, 3.5]
    assert x.round(decimals=-1).tolist() == [0, 0, 10]
    assert tt.grad(tt.add(2.0, x, alpha=3).sum(), x)[0].tolist() == [3, 3, 3]
    assert "alpha" in inspect.signature(tt.add).parameters


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint8"])
def test_quotients_of_integers_are_rounded_to_integers(dtype: str) -> None:
    a = np.array([7, 6, 0, 100], dtype)
    b = np.array([2, 3, 5, 9], dtype)
    signs = (1, -1) if dtype[0] == "i" else (1,)
    for s, t in itertools.product(signs, signs):
        for mode, exact in (("floor", np.floor), ("trunc", np.trunc)):
            found = tt.divide(tt.tensor(a * s), tt.tensor(b * t), rounding_mode=mode)
            assert found.dtype == dtype
            assert found.tolist() == exact((a * s) / (b * t).astype(float)).tolist()


def test_settings_in_place() -> None:
    x = tt.tensor([1.26, 9.5])
    assert x.round_(decimals=1) is x
    assert x.div_(2, rounding_mode="floor").tolist() == [0, 4]
    assert x.add_(1, alpha=3).tolist() == [3, 7]


def test_settings_that_are_none() -> None:
    x = tt.ones(2)
    with pytest.raises(ValueError, match="divide: rounding_mode is 'floor', 'trunc' or None, not"):
        tt.divide(x, x, rounding_mode="up")
    with pytest.raises(TypeError, match=r"round: decimals must be an integer, not 0\.5"):
        tt.round(x, decimals=0.5)
    with pytest.raises(TypeError, match="add: argument 'beta' is unknown"):
        tt.add(x, x, beta=1)
    with pytest.raises(TypeError, match="multiply: argument 'alpha' is unknown"):
        tt.multiply(x, x, alpha=1)
    with pytest.raises(TypeError, match="add: "):
        tt.add(x, x, x, alpha=1)


def test_means_with_their_spreads_are_pytorchs() -> None:
    """Whose corrections are 1 unless something is said."""
    for function, spread in ((tt.var_mean, tt.var), (tt.std_mean, tt.std)):
        for keywords, correction in (
            ({}, 1),
            ({"unbiased": False}, 0),
            ({"unbiased": True}, 1),
            ({"correction": 2}, 2),
        ):
            found, mean = function(X, dim=1, **keywords)
            assert found.tolist() == spread(X, 1, correction).tolist()
            assert mean.tolist() == X.mean(1).tolist()
