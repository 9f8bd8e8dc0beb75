"""Values and gradients of every op with a PyTorch counterpart, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinytensor as tt

from ..table import Case, Row
from ..table.calls import (
    arguments,
    arrays,
    call,
    cotangents_for,
    differentiable,
    each_case,
    evaluate,
    op_of,
    replaced,
)

torch = pytest.importorskip("torch")

TOLERANCE = 1e-9  # of the largest value


def torch_result(row: Row, case: Case) -> tuple[list[Any], dict[Any, Any]]:
    """Outputs and gradients of the same call in PyTorch. Its arrays arrive there as tensors."""
    op = op_of(row)
    keys = differentiable(op, case)
    given = {key: torch.from_numpy(np.array(a)) for key, a in arrays(case).items()}
    for key in keys:
        given[key].requires_grad_()
    made = replaced(case, given)
    outputs = row.torch(torch, *made.args, **made.kwargs)
    outputs = tuple(outputs) if isinstance(outputs, tuple | list) else (outputs,)
    tracked = [o for o in outputs if o.requires_grad]
    gradients = {}
    if tracked:
        inputs = {k: tt.Tensor(arguments(case)[k], requires_grad=True) for k in keys}
        cotangents = [
            torch.from_numpy(np.array(c.data)) for c in cotangents_for(call(op, case, inputs))
        ]
        found = torch.autograd.grad(
            tracked, [given[k] for k in keys], cotangents, allow_unused=True
        )
        gradients = {
            k: np.zeros(given[k].shape) if g is None else g.resolve_conj().resolve_neg().numpy()
            for k, g in zip(keys, found, strict=True)
        }
    return [o.detach().resolve_conj().resolve_neg().numpy() for o in outputs], gradients


def assert_equal(got: np.ndarray, expected: np.ndarray, what: str) -> None:
    assert got.shape == expected.shape, f"{what}: {got.shape}, PyTorch {expected.shape}"
    assert got.dtype.kind == expected.dtype.kind, f"{what}: {got.dtype}, PyTorch {expected.dtype}"
    if got.dtype.kind in "bi":
        np.testing.assert_array_equal(got, expected, what)
        return
    finite = np.isfinite(expected)
    scale = np.abs(expected[finite]).max(initial=1e-30)
    np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE * scale, err_msg=what)


# Whose derivatives PyTorch multiplies by a factor (1/6, 1/alpha) that it keeps as float32.
FACTORS_OF_FLOAT32 = ("celu", "hardsigmoid")


@pytest.mark.parametrize(("row", "case"), each_case(only=lambda row: row.torch is not None))
def test_like_pytorch(row: Row, case: Case) -> None:
    ours = evaluate(op_of(row), case)
    outputs, gradients = torch_result(row, case)
    assert len(ours.outputs) == len(outputs)
    for got, expected in zip(ours.outputs, outputs, strict=True):
        assert_equal(got, expected, row.op)
    for key, expected in gradients.items():
        got = ours.gradients.get(key, np.zeros(expected.shape))
        if row.op in FACTORS_OF_FLOAT32:
            np.testing.assert_allclose(got, expected, rtol=1e-7)
            continue
        assert_equal(got, expected, f"{row.op}, gradient of argument {key!r}")
