"""Tensors among ndarrays: operators, ufuncs, functions of NumPy, shared memory, other libraries."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest

import tinytensor as tt

A = np.arange(6.0).reshape(2, 3) + 1


def leaf() -> tt.Tensor:
    return tt.tensor(A, requires_grad=True)


# --- Operators -------------------------------------------------------------------------------

OPERATORS = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul"]
OPERATORS += ["eq", "ne", "lt", "le", "gt", "ge"]


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_with_ndarrays_give_tensors(name: str) -> None:
    f = getattr(operator, name)
    other = A.T.copy() if name == "matmul" else A[:1] + 1
    for found, wanted in ((f(leaf(), other), f(A, other)), (f(other, leaf()), f(other, A))):
        assert isinstance(found, tt.Tensor)
        np.testing.assert_array_equal(found.numpy(), wanted)
        assert found.requires_grad == (found.dtype == tt.float64)


def test_gradients_flow_through_mixed_operators() -> None:
    x = leaf()
    y = A * x + np.exp(x) - x / A + np.float64(2) * x
    y.sum().backward()
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), A + np.exp(A) - 1 / A + 2)


def test_an_ndarray_in_place_stays_an_ndarray() -> None:
    a = A.copy()
    same = a
    a += tt.asarray(A)
    assert a is same
    np.testing.assert_array_equal(a, 2 * A)
    with pytest.raises(tt.GraphError, match=r"np\.add"):
        a += leaf()
    np.testing.assert_array_equal(a, 2 * A)


# --- Ufuncs ----------------------------------------------------------------------------------


UFUNCS = ["exp", "log", "sqrt", "sin", "tanh", "absolute", "negative", "square", "floor", "arctan"]


def test_ufuncs_are_ops() -> None:
    for name in [
        "exp",
        "log",
        "sqrt",
        "sin",
        "tanh",
        "absolute",
        "negative",
        "square",
        "sign",
        "floor",
        "isnan",
        "arctan",
    ]:
        found = getattr(np, name)(leaf())
        assert isinstance(found, tt.Tensor)
        np.testing.assert_array_equal(found.numpy(), getattr(np, name)(A))
    x = leaf()
    np.maximum(np.power(x, 2), 5.0).sum().backward()
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.numpy(), np.where(A**2 > 5, 2 * A, 0))


def test_ufuncs_that_are_not_ours() -> None:
    """Of constants they give tensors; where a gradient would be lost, an error."""
    x = tt.asarray(A)
    for call in (
        lambda x: np.spacing(x),
        lambda x: np.cbrt(x),
        lambda x: np.add.reduce(x, axis=0),
        lambda x: np.multiply.accumulate(x),
        lambda x: np.subtract.outer(x, x),
        lambda x: np.add(x, 1, where=np.asarray(x) > -1),
        lambda x: np.add(x, 1, dtype=np.float32),
    ):
        found = call(x)
        assert isinstance(found, tt.Tensor)
        np.testing.assert_array_equal(found.numpy(), call(A))
        with pytest.raises(tt.GraphError, match=r"np\.\w+.*: has no gradient"):
            call(leaf())
        with tt.no_grad():
            call(leaf())
    quotient, rest = np.divmod(x, 4)
    assert quotient.tolist() == (A // 4).tolist()
    assert rest.tolist() == (A % 4).tolist()
    with pytest.raises(TypeError, match=r"np\.add: out= cannot be a tensor"):
        np.add(x, 1, out=x)
    into = np.empty((2, 3))
    assert np.add(x, 1, out=into) is into
    np.testing.assert_array_equal(into, A + 1)


# --- Functions -------------------------------------------------------------------------------

FUNCTIONS: list[Any] = [
    lambda x: np.sum(x),
    lambda x: np.sum(x, 0),
    lambda x: np.mean(x, axis=1, keepdims=True),
    lambda x: np.max(x, axis=0),
    lambda x: np.prod(x, axis=-1),
    lambda x: np.concatenate([x, A], axis=1),
    lambda x: np.stack([x, A]),
    lambda x: np.where(A > 2, x, 0.0),
    lambda x: np.reshape(x, (3, 2)),
    lambda x: np.transpose(x),
    lambda x: np.swapaxes(x, 0, 1),
    lambda x: np.moveaxis(x, 0, 1),
    lambda x: np.expand_dims(x, 0),
    lambda x: np.squeeze(x[:1], axis=0),
    lambda x: np.clip(x, 1.5, 4.5),
    lambda x: np.einsum("ij,kj->ik", x, A),
    lambda x: np.tensordot(x, A, axes=2),
    lambda x: np.outer(x[0], x[1]),
    lambda x: np.kron(x, A),
    lambda x: np.tile(x, (2, 1)),
    lambda x: np.repeat(x, 2, axis=0),
    lambda x: np.flip(x, 0),
    lambda x: np.roll(x, 1, axis=1),
    lambda x: np.take(x, [0, 2], axis=1),
    lambda x: np.tril(x),
    lambda x: np.pad(x, 1),
    lambda x: np.broadcast_to(x, (2, 2, 3)),
]


@pytest.mark.parametrize("call", FUNCTIONS)
def test_functions_that_are_ours(call: Any) -> None:
    x = leaf()
    found = call(x)
    assert isinstance(found, tt.Tensor)
    np.testing.assert_allclose(found.numpy(), call(A))
    found.sum().backward()
    assert x.grad is not None
    slopes = [
        (call(A + 1e-6 * step).sum() - call(A - 1e-6 * step).sum()) / 2e-6
        for step in np.eye(6).reshape(6, 2, 3)
    ]
    np.testing.assert_allclose(x.grad.numpy().ravel(), slopes, rtol=1e-6, atol=1e-6)


def test_functions_that_are_not_ours() -> None:
    """They take a tensor as the array that it holds."""
    x = tt.asarray(A)
    for call in (
        lambda x: np.median(x, axis=0),
        lambda x: np.percentile(x, 30),
        lambda x: np.histogram(x, bins=3)[0],
        lambda x: np.linalg.matrix_rank(x),
        lambda x: np.sum(x, 0, np.float32),
        lambda x: np.sum(x, where=np.asarray(x) > 2),
        lambda x: np.sum(x, initial=1.0),
        lambda x: np.append(x, x),
        lambda x: np.where(x > 2),
    ):
        found = call(x)
        assert not isinstance(found, tt.Tensor)
        np.testing.assert_array_equal(found, call(A))
    with pytest.raises(tt.GraphError, match=r"np\.sum: with these arguments it has no gradient"):
        np.sum(leaf(), initial=1.0)
    assert np.shape(leaf()) == (2, 3)
    assert np.ndim(leaf()) == 2
    assert np.size(leaf()) == 6


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.split(x, [1], 1)[1],
        lambda x: np.unstack(x, axis=1)[2] if hasattr(np, "unstack") else x[:, 2],
        np.sort,
        lambda x: np.sort(x, 0),
        np.cumsum,
        lambda x: np.cumsum(x, 1),
        lambda x: np.cumprod(x, axis=0),
        np.diff,
        np.std,
        lambda x: np.var(x, axis=1, keepdims=True),
        np.ravel,
        np.copy,
        np.flipud,
        np.fliplr,
        lambda x: np.hstack([x, x]),
        lambda x: np.hstack([x[0], x[1]]),
        lambda x: np.vstack((x, x[0])),
        lambda x: np.column_stack([x, x]),
        lambda x: np.dstack((x, x)),
        np.rot90,
        np.diag,
        np.diagflat,
        np.atleast_3d,
        lambda x: np.vsplit(x, 2)[1],
        lambda x: np.dot(x, np.asarray([1.0, 2.0, 3.0])),
        lambda x: np.inner(x, np.ones((4, 3))),
        lambda x: np.amax(x, 0),
        lambda x: np.linalg.det(x[:, :2]),
        lambda x: np.linalg.svd(x)[1],
        lambda x: np.linalg.norm(x),
        lambda x: np.linalg.norm(x, 1, 0, keepdims=True),
        lambda x: np.linalg.cond(x),
        lambda x: np.linalg.lstsq(x, np.ones(2), 1e-9)[0],
        lambda x: np.linalg.multi_dot([x, np.ones((3, 2)), x]),
        lambda x: np.linalg.pinv(x @ x.T, 1e-9, True),
        lambda x: np.real(np.fft.ifft(np.fft.fft(x))),
    ],
)
def test_more_functions_that_are_ours_too(call: Any) -> None:
    x = leaf()
    found = call(x)
    assert isinstance(found, tt.Tensor)
    assert found.requires_grad
    np.testing.assert_allclose(found.detach().numpy(), call(A), atol=1e-12)


@pytest.mark.parametrize(
    "call",
    [
        np.median,
        lambda x: np.percentile(x, 50),
        lambda x: np.array_split(x, 2),
        lambda x: np.linalg.svd(x, compute_uv=False),
        lambda x: np.sort(x, 0, "stable"),
        lambda x: np.trace(x),
        lambda x: np.append(x, x),
        lambda x: np.concatenate([x, x], dtype=np.float32),
        lambda x: np.linspace(x[0], x[1], 3),
        lambda x: np.histogram(x),
        lambda x: np.round(x, 2),
    ],
)
def test_no_function_drops_a_graph_without_a_word(call: Any) -> None:
    with pytest.raises(tt.GraphError, match=r"^np\.(linalg\.svd|\w+): .*x\.detach\(\)"):
        call(leaf())
    with tt.no_grad():
        call(leaf())
    call(leaf().detach())


@pytest.mark.parametrize(
    "write",
    [
        lambda x: np.copyto(x, 1.0),
        lambda x: np.copyto(np.zeros((2, 3)), x),
        lambda x: np.fill_diagonal(x, 0.0),
        lambda x: np.put(x, [0], 9.0),
        lambda x: np.putmask(x, A > 2, 9.0),
        lambda x: np.place(x, A > 2, [9.0]),
        lambda x: np.put_along_axis(x, np.zeros((2, 1), int), 9.0, 1),
        lambda x: np.nan_to_num(x, copy=False, nan=1.0),
        lambda x: np.median(x, overwrite_input=True),
        lambda x: np.nanmedian(x, 0, overwrite_input=True),
        lambda x: np.percentile(x, 50, overwrite_input=True),
        lambda x: np.median(np.ones((2, 2, 3)), 0, out=x),
        lambda x: np.choose(np.zeros((2, 3), int), [np.ones((2, 3))] * 2, out=x),
    ],
)
def test_functions_that_write_leave_graphs_alone(write: Any) -> None:
    for x in (leaf(), leaf() * 1):
        with pytest.raises(tt.GraphError, match=r"^np\.\w+: writes where no graph sees it"):
            write(x)
        np.testing.assert_array_equal(x.detach().numpy(), A)
    w, constant = tt.tensor(A, requires_grad=True), tt.tensor(A)
    y = (w * constant).sum()
    write(constant)
    if constant.tolist() != A.tolist():  # then the gradient knows
        with pytest.raises(tt.GraphError, match=r"changed in place by np\.\w+ after the call"):
            y.backward()


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.sum(np.ones((2, 2, 3)), 0, out=x),
        lambda x: np.cumsum(np.ones((2, 3)), 1, out=x),
        lambda x: np.clip(np.ones((2, 3)), 2, 3, out=x),
        lambda x: np.concatenate([np.ones((2, 3))], out=x),
        lambda x: np.add(1.0, 2.0, out=x),
        lambda x: np.add.at(x, 0, 1.0),
        lambda x: np.random.default_rng(0).permuted(x, out=x),
        lambda x: np.random.default_rng(0).standard_normal(out=x),
        lambda x: np.nditer(x, op_flags=["readwrite"]),
        lambda x: np.lib.stride_tricks.as_strided(x, (3,), (8,)).fill(0),
        lambda x: np.asarray(x).sort(),
        lambda x: np.asarray(x).__setitem__(0, 0.0),
        lambda x: np.ravel(np.asarray(x)).__iadd__(1),
    ],
)
def test_no_other_call_writes_into_a_graph(call: Any) -> None:
    for x in (leaf(), leaf() * 1):
        with pytest.raises((tt.GraphError, TypeError, ValueError)):
            call(x)
        np.testing.assert_array_equal(x.detach().numpy(), A)


def test_ways_to_write() -> None:
    x = leaf()
    for array in (x.numpy(), x.data, np.asarray(x.detach())):
        array[0] += 1
    with tt.no_grad():
        np.asarray(x)[0] += 1
    assert x.tolist() == [*(A[:1] + 4).tolist(), *A[1:].tolist()]


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.diff([x[0], x[1]], axis=0),
        lambda x: np.fft.fft([x[0], x[1]]),
        lambda x: np.array([x[0], x[1]]),
        lambda x: np.c_[x[0], x[1]],
        lambda x: np.median([x[0], x[1]]),
        lambda x: np.vectorize(lambda value: value * 2)(x),
    ],
)
def test_lists_of_tensors_are_arrays(call: Any) -> None:
    """NumPy asks tensors in lists for their arrays, as np.asarray does, and for nothing else."""
    found = call(leaf())
    assert isinstance(found, np.ndarray | np.generic)
    np.testing.assert_array_equal(found, call(A))


def test_results_that_have_no_gradient_are_given() -> None:
    x = leaf()
    assert np.argsort(x).tolist() == np.argsort(A).tolist()
    assert np.isclose(x, A).all()
    assert not np.iscomplexobj(x)
    assert np.zeros_like(x).tolist() == np.zeros((2, 3)).tolist()


def test_numpys_assertions_take_tensors() -> None:
    x = leaf()
    np.testing.assert_array_equal(x, A)
    np.testing.assert_allclose(x, tt.asarray(A), rtol=1e-12)
    np.testing.assert_almost_equal(x, A)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(x, A + 1e-3)
    assert np.allclose(x, A)
    assert np.array_equal(x, A)


# --- Arrays of tensors -----------------------------------------------------------------------


def test_as_an_ndarray() -> None:
    x = leaf()
    assert np.shares_memory(np.asarray(x), x.data)
    assert not np.shares_memory(np.array(x), x.data)
    assert not np.shares_memory(np.asarray(x, copy=True), x.data)
    assert np.shares_memory(np.asarray(x, copy=False), x.data)
    assert np.asarray(x, dtype=np.float32).dtype == np.float32
    with pytest.raises(ValueError, match="copy"):
        np.asarray(x, dtype=np.float32, copy=False)
    assert np.array([tt.asarray(1.0), tt.asarray(2.0)]).tolist() == [1, 2]
    assert np.arange(5)[tt.asarray([1, 3])].tolist() == [1, 3]
    assert list(range(10))[tt.asarray(2) : tt.asarray(4)] == [2, 3]


# --- DLPack ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype", ["bool", "int8", "uint16", "int64", "float16", "float32", "complex64"]
)
def test_dlpack_with_pytorch_both_ways(dtype: str, torch: Any) -> None:
    if dtype == "uint16":
        pytest.importorskip("torch", minversion="2.3")
    x = tt.asarray(np.arange(6).reshape(2, 3).astype(dtype))
    theirs = torch.from_dlpack(x)
    back = tt.from_dlpack(theirs)
    assert theirs.shape == x.shape == back.shape
    assert back.dtype == x.dtype
    assert back.rounded == (dtype == "float16")
    assert np.shares_memory(back.numpy(), x.numpy())
    x[0, 1] = 0
    assert theirs[0, 1].item() == 0
    assert back[0, 1].item() == 0
    part = tt.from_dlpack(theirs[:, ::2])
    assert np.shares_memory(part.numpy(), x.numpy())
    assert not np.shares_memory(tt.from_dlpack(theirs, copy=True).numpy(), x.numpy())
    scalar = tt.from_dlpack(torch.ones(()))
    assert scalar.shape == ()


def test_dlpack_refuses_what_it_cannot_share(torch: Any) -> None:
    with pytest.raises(tt.GraphError, match=r"hand out t\.detach\(\)"):
        torch.from_dlpack(leaf())
    with pytest.raises(BufferError):
        tt.from_dlpack(torch.ones(2, requires_grad=True))
    with pytest.raises(AttributeError):
        tt.from_dlpack([1.0])
    locked = A.copy()
    locked.flags.writeable = False
    shared = tt.from_dlpack(locked)
    assert np.shares_memory(shared.numpy(), locked)
    with pytest.raises(ValueError, match="read-only"):
        shared += 1
    assert not np.from_dlpack(shared).flags.writeable
    with pytest.raises(BufferError, match="readonly"):
        shared.__dlpack__()  # of DLPack's old form, which cannot say so
    with pytest.raises(ValueError, match="only 'cpu'"):
        tt.from_dlpack(A, device="cuda")


# --- As a value of Python --------------------------------------------------------------------


def test_formats() -> None:
    loss = tt.tensor(1.23456, requires_grad=True) * 1
    assert f"{loss:.3f}" == "1.235"
    assert f"{tt.asarray([7]):>4d}" == "   7"
    assert f"{loss}" == repr(loss) == "tensor(1.23456, op=multiply)"
    with pytest.raises(TypeError, match=r"format: '\.3f' formats one number; the tensor is \(2,\)"):
        f"{tt.ones(2):.3f}"


def test_truth_and_membership() -> None:
    x = tt.asarray([1.0, 2.0])
    assert 2.0 in x
    assert 3.0 not in x
    with pytest.raises(ValueError, match="ambiguous"):
        bool(x)
    with pytest.raises(ValueError, match="ambiguous"):
        0 < x < 3  # noqa: B015
    assert 0 < tt.asarray(1.0) < 3
    assert {x: 1}[x] == 1  # by identity
    assert len({x, tt.asarray([1.0, 2.0])}) == 2
    assert [i for i, t in enumerate([x, x * 1]) if t is x] == [0]
    assert next(reversed(x)).item() == 2
    first, second = x
    assert (first.item(), second.item()) == (1, 2)
    for f in (len, iter, list):
        with pytest.raises(TypeError, match="0 dimensions"):
            f(tt.asarray(1.0))


@pytest.mark.parametrize(
    "call",
    [
        lambda m, x: m.nansum(x, 0),
        lambda m, x: m.nanmean(x, axis=1, keepdims=True),
        lambda m, x: m.quantile(x, 0.3, 1),
        lambda m, x: m.nanquantile(x, [0.3, 0.6], axis=0),
        lambda m, x: m.trapezoid(x, None, 0.5, 0),
        lambda m, x: m.sinc(x),
        lambda m, x: m.i0(x),
        lambda m, x: m.angle(x),
    ],
)
def test_statistics_and_special_functions_of_numpy_are_ours(call: Any) -> None:
    x = leaf()
    found = call(np, x)
    assert isinstance(found, tt.Tensor)
    assert found.requires_grad
    np.testing.assert_allclose(found.detach().numpy(), call(np, A), rtol=1e-12, atol=1e-15)
    assert np.allclose(x, A + 1e-9) is True
    assert np.isclose(x, A).all()
