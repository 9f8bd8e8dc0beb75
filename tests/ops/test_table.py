"""The table of ops is whole: an op without a row, or a row without an op, fails here."""

from __future__ import annotations

import numpy as np
import pytest

from tinytensor import kernels
from tinytensor.engine.operation import zero
from tinytensor.kernels import reference
from tinytensor.kernels.reference import optim

from ..table import ROWS
from ..table.calls import (
    arguments,
    as_float32,
    assert_same,
    call,
    cases_of,
    differentiable,
    evaluate,
    function_of,
    op_of,
    parameter,
    public_ops,
    replaced,
)


def test_every_op_has_a_row() -> None:
    missing = sorted(public_ops().keys() - ROWS.keys())
    assert not missing, f"ops without a row in tests/table: {missing}"


def test_every_row_names_an_op() -> None:
    unknown = sorted(name for name in ROWS if not callable(function_of(name)))
    assert not unknown, f"rows of tests/table that name no op: {unknown}"


@pytest.mark.parametrize("name", sorted(ROWS))
def test_a_row_says_what_is_true(name: str) -> None:
    row, op = ROWS[name], op_of(ROWS[name])
    cases = cases_of(row)
    assert cases, "a row needs a case"
    assert row.torch or row.why_no_torch, "without a PyTorch call the row says why"
    assert row.differentiable == bool(getattr(op, "rules", row.differentiable))
    if row.differentiable:
        assert any(differentiable(op, case) for case in cases), "no case has a float64 array"
    for case in cases:
        assert all(o.dtype != np.dtype(object) for o in call(op, case))


@pytest.mark.no_c
@pytest.mark.parametrize("name", sorted(ROWS.keys() & public_ops().keys()))
def test_every_rule_is_tried(name: str) -> None:
    row, op = ROWS[name], public_ops()[name]
    tried = {parameter(op, key) for case in cases_of(row) for key in differentiable(op, case)}
    has_a_rule = {name for name, rule in op.rules.items() if rule[0] is not zero}
    if op.joint is not None:  # a formula's parameters are all listed, axes and flags too
        has_a_rule &= tried | set(op.names[:1])
    assert has_a_rule <= tried, f"no case differentiates by {sorted(has_a_rule - tried)}"


@pytest.mark.parametrize("name", sorted(ROWS.keys() - {"getitem"}))  # x[[0, 1]] is not x[0, 1]
def test_a_tuple_of_axes_or_sizes_may_be_a_list(name: str) -> None:
    for case in cases_of(ROWS[name]):
        lists = {
            key: list(value)
            for key, value in arguments(case).items()
            if isinstance(value, tuple) and all(isinstance(n, int) for n in value)
        }
        if lists:
            op = op_of(ROWS[name])
            assert_same(evaluate(op, replaced(case, lists)), evaluate(op, case), 0, name)


def test_every_op_has_a_docstring() -> None:
    undocumented = [name for name, op in public_ops().items() if not op.__doc__]
    assert not undocumented, f"ops without a docstring: {undocumented}"


@pytest.mark.skipif(kernels.active != "fast", reason="no fast kernels here")
def test_the_table_reaches_every_fast_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    fast = {
        name
        for name, kernel in vars(kernels).items()
        if callable(getattr(reference, name, None)) and kernel is not getattr(reference, name)
    }
    reached = set()

    def watched(name, kernel):
        def watching(*args, **kwargs):
            reached.add(name)
            return kernel(*args, **kwargs)

        return watching

    for name in fast:
        kernel = getattr(kernels, name)
        monkeypatch.setattr(kernels, name, watched(name, kernel))
        for op in public_ops().values():
            if op.forward is kernel:
                monkeypatch.setattr(op, "forward", watched(name, kernel))
    for row in ROWS.values():
        for case in cases_of(row):
            evaluate(op_of(row), as_float32(case))
    # The updates of optimizers, what the engine asks of arrays, what serves frozen weights, what
    # writes into arrays that others hold.
    not_ops = {*optim.__all__, "spec", "has_spec", "shares", "add_into", "one", "lstm_backward"}
    not_ops |= {"add_matmul", "cached_attention"}
    assert fast - reached <= not_ops, f"no row calls {sorted(fast - reached - not_ops)}"
