"""The derivatives at hard points are those of docs/hard_points.md, ours and PyTorch's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinytensor as tt

from ..table import Case, Row, hard_points
from ..table.calls import arguments, arrays, call, differentiable, each_case, op_of, replaced
from ..table.hard_points import ERROR, SAME, SECTIONS, Point

pytestmark = pytest.mark.no_c

PAGE = Path(__file__).resolve().parents[2] / "docs" / "hard_points.md"
POINTS = [
    pytest.param(point, id=f"{title}-{i}")
    for title, points in SECTIONS.items()
    for i, point in enumerate(points)
]


def assert_values(found: Any, expected: Any, point: Point) -> None:
    for g, value in zip(found, expected, strict=True):
        np.testing.assert_allclose(g, value, rtol=1e-7, atol=1e-12, err_msg=f"{point.name}")


def gradients(point: Point) -> list[np.ndarray]:
    """Ours, as the table wants them."""
    args = [tt.Tensor(np.asarray(a, float), requires_grad=True) for a in point.args]
    total = tt.sum(point.call(tt, *args))
    for _ in range(point.order - 1):
        total = tt.sum(tt.grad(total, args[0], create_graph=True)[0])
    return [g.numpy() for g in tt.grad(total, args)]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # divisions by 0 are what they are about
@pytest.mark.parametrize("point", POINTS)
def test_our_gradients(point: Point) -> None:
    if point.ours == ERROR:
        with pytest.raises(tt.LinAlgError):
            gradients(point)
    else:
        assert_values(gradients(point), point.ours, point)


@pytest.mark.filterwarnings("ignore:.*degrees of freedom")
@pytest.mark.parametrize(
    "point",
    [p for p in POINTS if p.values[0].torch == SAME or isinstance(p.values[0].torch, tuple)],
)
def test_gradients_of_pytorch(point: Point, torch: Any) -> None:
    expected = point.ours if point.torch == SAME else point.torch
    args = [torch.tensor(np.asarray(a, float), requires_grad=True) for a in point.args]
    call = point.call if point.torch_call is None else lambda m, *a: point.torch_call(m, *a)
    total = call(torch, *args).sum()
    for _ in range(point.order - 1):
        total = torch.autograd.grad(total, args[0], create_graph=True)[0].sum()
    found = [None] * len(args)
    if total.requires_grad:  # otherwise it has found that the derivative is 0
        found = torch.autograd.grad(total, args, allow_unused=True)
    zeros = [torch.zeros_like(x) for x in args]
    pairs = zip(found, zeros, strict=True)
    assert_values([(z if g is None else g + 0).numpy() for g, z in pairs], expected, point)


# --- Every op of the table, at numbers among which are zeros and ties ------------------------

FEW = np.array([0.0, 0.0, 0.0, 1.0, 1.0, 2.0, -1.0])
OTHERWISE: dict[
    str, tuple[tuple[int, ...], str]
] = {  # for which orders, and why: most are rows of the page
    "kthvalue": ((1,), "PyTorch promises no order of equals"),
    "cdist": ((1,), "equals share, as those of maximum"),
    "cov": ((1, 2), "weights are not negative"),
    "topk": ((1,), "PyTorch promises no order of equals"),
    **dict.fromkeys(
        ("index_reduce", "scatter", "scatter_reduce"),
        ((1,), "shares of amax and amin are of two at a time"),
    ),
    **dict.fromkeys(
        ("celu", "elu", "selu"), ((2,), "the second derivative at 0 is of the other side")
    ),
    "prelu": ((2,), "at 0 the derivatives are of the left side; PyTorch's second ones of neither"),
    "kl_div": ((2,), "of a negative target ours is NaN, as its logarithm"),
    "gaussian_nll_loss": ((1, 2), "variances alone, which are not negative"),
    "poisson_nll_loss": ((1, 2), "means alone, which are not negative"),
    "binary_cross_entropy": ((1, 2), "probabilities alone"),
    **dict.fromkeys(
        (
            "log",
            "log2",
            "log10",
            "log_backward",
            "atanh",
            "entr",
            "fmod",
            "remainder",
            "xlog1py",
            "xlogy",
        ),
        ((1, 2), "outside of the domain ours is NaN"),
    ),
    **dict.fromkeys(
        ("digamma", "lgamma", "mvlgamma", "polygamma"),
        ((1, 2), "at a pole ours is infinite, PyTorch's some 1e32"),
    ),
    **dict.fromkeys(("fmax", "fmin"), ((1,), "equals share, as those of maximum and minimum")),
    "float_power": ((2,), "as pow"),
    "heaviside": ((1,), "PyTorch has no derivative of it"),
    "polar": ((1, 2), "PyTorch takes no radius below 0"),
    "logit": ((2,), "at 0 and 1 ours is infinite"),
    "pow": ((2,), "of a negative base aᵇ log a is NaN, and so are its derivatives"),
}
# Of matrices that are not singular or have no equal eigenvalues, and of shares up to 1.
OF_OTHER_NUMBERS = {
    "cholesky", "cholesky_ex", "cholesky_inverse", "cholesky_solve", "eigvals", "eigvalsh", "imag",
    "inv", "inv_ex", "istft", "logdet", "lstsq", "lu", "lu_factor", "lu_factor_ex", "lu_solve",
    "matrix_power", "nanquantile", "pinv", "qr", "quantile", "slogdet", "solve", "solve_triangular",
}  # fmt: skip


def each_case_of_few() -> list[Any]:
    rows = each_case(only=lambda row: row.differentiable and row.torch is not None)
    return [p for p in rows if p.values[0].op not in OF_OTHER_NUMBERS]


def derivatives(m: Any, outputs: Any, inputs: list[Any], order: int) -> list[np.ndarray]:
    """Of the sum of the outputs, and then of the gradients, each with weights of its own."""
    grad: Any = tt.grad if m is tt else m.autograd.grad
    rng = np.random.default_rng(0)
    terms = outputs if isinstance(outputs, tuple | list) else [outputs]
    for _ in range(order):
        total = None
        for t in terms:
            weights = m.asarray(rng.uniform(0.5, 1.5, tuple(t.shape)))
            if t.requires_grad:
                real = m.real(t) if t.dtype in (m.complex64, m.complex128) else t
                term = (real * weights).sum()
                total = term if total is None else total + term
        if total is None or not total.requires_grad:
            return [np.zeros(tuple(x.shape)) for x in inputs]
        found = grad(total, inputs, create_graph=True, allow_unused=True)
        terms = [0 * x if g is None else g for g, x in zip(found, inputs, strict=True)]
    return [np.asarray((g.detach() + 0).numpy()) for g in terms]


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore:Using padding='same'")
@pytest.mark.parametrize(("row", "case"), each_case_of_few())
@pytest.mark.parametrize("order", [1, 2])
def test_zeros_and_ties_like_pytorch(order: int, row: Row, case: Case, torch: Any) -> None:
    """The same as PyTorch's wherever that is finite."""
    op, keys, rng = op_of(row), differentiable(op_of(row), case), np.random.default_rng(1)
    if order in OTHERWISE.get(row.op, ((),))[0]:
        return
    at = {key: rng.choice(FEW, arguments(case)[key].shape) for key in keys}
    ours = [tt.Tensor(x, requires_grad=True) for x in at.values()]
    found = derivatives(tt, call(op, case, dict(zip(keys, ours, strict=True))), ours, order)
    theirs = [torch.tensor(x, requires_grad=True) for x in at.values()]
    given = {key: torch.from_numpy(np.array(a)) for key, a in arrays(case).items()}
    made = replaced(case, {**given, **dict(zip(keys, theirs, strict=True))})
    try:
        expected = derivatives(torch, row.torch(torch, *made.args, **made.kwargs), theirs, order)
    except RuntimeError:
        if order == 1:
            raise
        return  # it has no second derivative of some of its functions
    for g, e in zip(found, expected, strict=True):
        finite = np.isfinite(e)
        np.testing.assert_allclose(g[finite], e[finite], rtol=1e-7, atol=1e-9)


def test_the_page_shows_the_table() -> None:
    """``python -m tests.table.hard_points`` prints the tables anew."""
    page = PAGE.read_text().splitlines()
    for title in SECTIONS:
        start = page.index(f"## {title}")
        table = [line for line in page[start:] if line.startswith("|")]
        expected = hard_points.lines(title)
        assert table[: len(expected)] == expected
