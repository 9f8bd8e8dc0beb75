"""Errors that say what to do: the kind, and the remedy in the message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import linalg, nn
from tinytensor.errors import AxisError, RangeError
from tinytensor.nn import functional as F
from tinytensor.nn.utils import rnn
from tinytensor.train import fit

pytestmark = pytest.mark.no_c

SINGULAR = np.array([[1.0, 2.0], [2.0, 4.0]])
NAN = np.full((2, 2), np.nan)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.float16])
@pytest.mark.parametrize(
    ("name", "call", "matrix"),
    [
        ("inv", linalg.inv, SINGULAR),
        ("solve", lambda x: linalg.solve(x, tt.ones(2, dtype=x.dtype)), SINGULAR),
        ("matrix_power", lambda x: linalg.matrix_power(x, -2), SINGULAR),
        ("cholesky", linalg.cholesky, -np.eye(2)),
        ("eigvals", linalg.eigvals, NAN),
        ("eig", linalg.eig, NAN),
    ],
)
def test_matrices_that_are_refused(
    name: str, call: Callable[[Any], Any], matrix: np.ndarray, dtype: Any
) -> None:
    x = tt.tensor(matrix.astype(dtype))
    lanes = tt.stack([x, x])
    for run in (lambda: call(x), lambda: tt.func.vmap(call)(lanes)):
        with pytest.raises(np.linalg.LinAlgError, match=rf"^{name}: ") as caught:
            run()
        assert isinstance(caught.value, tt.LinAlgError)
        assert not isinstance(caught.value, tt.ShapeError)


@pytest.mark.parametrize("name", ["svd", "svdvals", "eigh", "eigvalsh", "pinv", "matrix_rank"])
def test_iterations_that_do_not_converge(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether LAPACK gives up on NaN depends on how it was built: so NumPy's error is put there."""

    def gives_up(*args: Any, **kwargs: Any) -> None:
        raise np.linalg.LinAlgError("did not converge")

    monkeypatch.setattr(
        np.linalg, "svd" if name in ("svdvals", "pinv", "matrix_rank") else name, gives_up
    )
    with pytest.raises(tt.LinAlgError, match=rf"^{name}: did not converge \(x is float32 \(2, 2\)"):
        getattr(linalg, name)(tt.ones((2, 2)))


def test_a_backward_pass_that_meets_a_singular_matrix() -> None:
    x = tt.tensor([[1.0, 2.0], [2.0, 4.0]], requires_grad=True)
    value = linalg.slogdet(x).logabsdet
    with pytest.raises(tt.LinAlgError, match=r"^inv: Singular matrix") as caught:
        value.backward()
    assert caught.value.__notes__ == ["(in the backward pass of slogdet)"]
    with pytest.raises(tt.LinAlgError, match=r"^inv: Singular matrix"):
        tt.func.jvp(linalg.slogdet, (x.detach(),), (tt.ones((2, 2)),))


def int8(*values: int) -> tt.Tensor:
    return tt.tensor(list(values) or [1, 2], dtype=np.int8)


@pytest.mark.parametrize(
    ("call", "kind", "match"),
    [
        (
            lambda: tt.full((2,), 300, np.int8),
            RangeError,
            "^full: fill_value 300.*int8, which holds -128 to 127; a wider dtype, or none, takes",
        ),
        (lambda: tt.full((2,), np.int64(300), np.int8), RangeError, "^full: fill_value"),
        (lambda: tt.full((2,), tt.tensor(300), np.int8), RangeError, "^full: fill_value"),
        (lambda: tt.full((2,), 3e2, np.int8), RangeError, "^full: fill_value 300.0"),
        (lambda: tt.full((2,), -1, np.uint64), RangeError, "^full: fill_value -1"),
        (lambda: tt.full((2,), np.nan, np.int64), RangeError, "^full: fill_value nan"),
        (lambda: tt.full((2,), np.inf, np.int64), RangeError, "^full: fill_value inf"),
        (lambda: tt.full((2,), 1j, np.float32), tt.DtypeError, "^full: "),
        (lambda: tt.full((2,), [1, 2, 3]), tt.ShapeError, "^full: "),
        (lambda: tt.full_like(int8(), 300), RangeError, "^full_like: fill_value 300"),
        (lambda: tt.tensor([300], np.int8), RangeError, "^tensor: "),
        (lambda: tt.where(np.array([True, False]), int8(), 300), RangeError, "^where: .*300"),
        (lambda: tt.where(np.array([True, False]), 300, int8()), RangeError, "^where: .*300"),
        (lambda: int8().fill_(300), RangeError, "^fill_: "),
        (lambda: int8().add_(300), RangeError, "^add_: "),
        (lambda: int8().__setitem__(0, 300), RangeError, r"^x\[index\] = value: "),
        (lambda: int8().masked_fill_([True, False], 300), RangeError, "^masked_fill_: "),
        (lambda: int8().__iadd__(1.5), tt.DtypeError, r"^\+=: "),
        (lambda: int8().copy_(tt.ones(3, dtype=np.int8)), tt.ShapeError, "^copy_: "),
        (lambda: tt.arange(0, 5, 0), ValueError, "^arange: step is 0"),
        (lambda: tt.arange(0.0, 5.0, 0.0), ValueError, "^arange: step is 0"),
        (lambda: tt.arange(0, 300, dtype=np.int8), RangeError, "^arange: 128 does not fit"),
        (lambda: tt.arange(-1, 3, dtype=np.uint8), RangeError, "^arange: -1 does not fit"),
        (lambda: tt.arange(float("nan")), ValueError, "^arange: (?!arange)"),
        (lambda: tt.arange(float("inf")), ValueError, "^arange: "),
        (lambda: tt.repeat(tt.arange(3), -1), tt.ShapeError, "^repeat: .* at least 0.*-1"),
        (lambda: tt.repeat(tt.arange(3), 1.5), tt.DtypeError, "^repeat: .*integer.* not 1.5"),
        (lambda: tt.repeat(tt.arange(3), [1, 2]), tt.ShapeError, "^repeat: 2 counts for the 3"),
        (lambda: tt.repeat(tt.arange(3), [1, -1, 2]), tt.ShapeError, "^repeat: .*at least 0"),
        (lambda: tt.repeat(tt.arange(3), [[1, 1, 1]]), tt.ShapeError, "^repeat: "),
        (lambda: tt.repeat(tt.arange(3), None), tt.DtypeError, "^repeat: .*not None"),
        (lambda: tt.repeat(tt.arange(3), 2, 1), AxisError, "^repeat: there is no axis 1"),
        (lambda: tt.repeat(tt.arange(3), np.uint64(2**63)), RangeError, "^repeat: .* int64$"),
        (lambda: tt.repeat(tt.arange(3), 2**70), RangeError, "^repeat: .* int64$"),
        (lambda: tt.randint(0, 300, 2, np.int8), ValueError, r"^randint: .*\[0, 300\) as int8"),
        (lambda: tt.randint(3, 3, 2), ValueError, r"^randint: .*\[3, 3\) as int64"),
        (lambda: tt.tile(tt.arange(3), -1), tt.ShapeError, "^tile: .*at least 0"),
        (lambda: tt.tile(tt.arange(3), 1.5), tt.DtypeError, "^tile: .*integer"),
        (lambda: tt.tile(tt.arange(3), (2, 1.5)), tt.DtypeError, "^tile: .*integer"),
        (
            lambda: F.cross_entropy(tt.zeros((2, 3)), tt.tensor([0.0, 1.0])),
            tt.DtypeError,
            r"^cross_entropy: target of \(2,\) looks like classes, .*float32; astype\(np.int64\)",
        ),
        (
            lambda: F.cross_entropy(tt.zeros((2, 3)), tt.tensor([[0.0], [1.0]])),
            tt.ShapeError,
            "^cross_entropy: probabilities must have the shape",
        ),
        (
            lambda: F.nll_loss(tt.zeros((2, 3)), tt.tensor([0.0, 1.0])),
            tt.DtypeError,
            r"^nll_loss: target must be integers.*astype\(np.int64\)",
        ),
        (
            lambda: F.embedding(tt.tensor([0.0]), tt.zeros((2, 3))),
            tt.DtypeError,
            r"^embedding: indices must be integers.*astype\(np.int64\)",
        ),
        (lambda: F.one_hot(tt.tensor([0.0])), tt.DtypeError, r"^one_hot: .*astype\(np.int64\)"),
        (
            lambda: rnn.pack_padded_sequence(tt.zeros((3, 2, 1)), [3.0, 2.0]),
            tt.DtypeError,
            "^pack_padded_sequence: lengths must be integers",
        ),
    ],
)
def test_what_an_argument_should_be(call: Any, kind: type[Exception], match: str) -> None:
    with pytest.raises(kind, match=match):
        call()


def test_numbers_that_do_fit() -> None:
    assert tt.full((1,), -128, np.int8).tolist() == [-128]
    assert tt.full((1,), 2**64 - 1, np.uint64).tolist() == [2**64 - 1]
    assert tt.full((1,), 2.0, np.int8).tolist() == [2]
    assert tt.full((2,), [1, 2]).tolist() == [1, 2]
    assert tt.arange(-128, 128, dtype=np.int8).tolist() == list(range(-128, 128))
    assert tt.where(np.array([True, False]), int8(), -128).tolist() == [1, -128]
    assert tt.repeat(tt.arange(3), [True, False, True]).tolist() == [0, 2]
    assert tt.tile(tt.arange(2), np.int64(2)).tolist() == [0, 1, 0, 1]
    assert tt.tile(tt.arange(2), tt.tensor([2, 1])).tolist() == [[0, 1], [0, 1]]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64])
def test_unsigned_lengths_counts_and_indices(dtype: Any) -> None:
    """Differences and negatives of unsigned integers wrap around: none may be taken."""
    x = tt.tensor(np.arange(8.0, dtype=np.float32).reshape(4, 2))
    for lengths in (np.array([4, 2], dtype), tt.tensor([4, 2], dtype=dtype), list(dtype([4, 2]))):
        packed = rnn.pack_padded_sequence(x, lengths)
        assert packed.batch_sizes.tolist() == [2, 2, 1, 1]
        assert packed.data.tolist() == [0, 1, 2, 3, 4, 6]
    packed = rnn.pack_padded_sequence(x, np.array([2, 4], dtype), enforce_sorted=False)
    assert rnn.pad_packed_sequence(packed)[1].tolist() == [2, 4]
    assert packed.data.tolist() == [1, 0, 3, 2, 5, 7]

    index = tt.tensor([3, 0, 2], dtype=dtype)
    rows = [[6, 7], [0, 1], [4, 5]]
    assert tt.repeat(tt.arange(3), index).tolist() == [0, 0, 0, 2, 2]
    assert x[index].tolist() == tt.take(x, index, 0).tolist() == F.embedding(index, x).tolist()
    assert x[index].tolist() == rows
    assert x[index[0]].tolist() == rows[0]
    assert [x[int(i)].tolist() for i in index] == rows
    assert x.at[index].set(0.0).tolist() == [[0, 0], [2, 3], [0, 0], [0, 0]]
    assert tt.take_along_axis(x[:, :1], index.reshape(3, 1), 0).tolist() == [[6], [0], [4]]
    assert x.roll(index[0], 0)[0].tolist() == [2, 3]
    assert (
        tt.searchsorted(tt.tensor([3.0, 1, 2, 4]), 2.5, sorter=np.array([1, 2, 0, 3], dtype)) == 2
    )
    x.requires_grad_()
    (gradient,) = tt.grad(tt.take(x, index, 0).sum(), x)
    assert gradient[:, 0].tolist() == [1, 0, 1, 1]
    loss = F.cross_entropy(x[:3], tt.tensor([1, 0, 1], dtype=dtype), reduction="none")
    assert loss.tolist() == F.cross_entropy(x[:3], [1, 0, 1], reduction="none").tolist()


@pytest.mark.parametrize("rate", [1e30, 0.25])
def test_a_loss_that_is_not_finite_tells_rate_step_and_what_finds_it(rate: float) -> None:
    model = nn.Linear(1, 1)
    optimizer = tt.optim.SGD(model.parameters(), lr=rate)
    batches = [(tt.tensor([[value]]), tt.tensor([[0.0]])) for value in (1.0, 1.0, float("inf"))]
    message = rf"step {2 if rate > 1 else 3}, at a learning rate of {rate}.*detect_anomaly"
    with pytest.raises(FloatingPointError, match=message.replace("+", r"\+")):
        fit(model, batches, optimizer, nn.MSELoss(), progress=False)
    assert rate > 1 or np.isfinite(model.weight.item())  # the step that would spoil it is not made
