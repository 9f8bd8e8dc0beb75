"""Directional derivatives of every op in float64, against central finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinytensor as tt

from ..table import Case, Row
from ..table.calls import Key, arguments, call, differentiable, each_case, op_of

pytestmark = pytest.mark.no_c

STEP = 1e-6
# An output that moves by STEP is wrong by about 1e-16 of itself, its slope by 1e-10, and more where
# the op cancels; what is cut off of the series is of the order of STEP².
RELATIVE, ABSOLUTE = 1e-5, 1e-7  # of a slope; absolute: times the largest one

# The phases of a complex matrix's vectors are free: a derivative of them keeps its own choice.
FREE_PHASES = {"eigh", "svd"}


@pytest.mark.parametrize(("row", "case"), each_case(only=lambda row: row.differentiable))
def test_directional_derivatives(row: Row, case: Case) -> None:
    op = op_of(row)
    at = {key: arguments(case)[key] for key in differentiable(op, case)}
    assert_jvp(row.op, op, case, at)


@pytest.mark.parametrize(("row", "case"), each_case(only=lambda row: row.differentiable))
def test_directional_derivatives_of_complex_numbers_or_a_refusal(row: Row, case: Case) -> None:
    op = op_of(row)
    rng = np.random.default_rng(7)
    at = {
        key: np.asarray(array + 0.3j * rng.normal(size=array.shape))
        for key, array in ((key, arguments(case)[key]) for key in differentiable(op, case))
    }
    try:
        call(op, case, {key: tt.Tensor(array) for key, array in at.items()})
    except (TypeError, ValueError):
        return
    kinds = "f" if row.op in FREE_PHASES else "fc"
    assert_jvp(f"{row.op} of complex numbers", op, case, at, kinds)


@pytest.mark.parametrize(("row", "case"), each_case(only=lambda row: row.differentiable))
def test_one_complex_number_among_real_ones_or_a_refusal(row: Row, case: Case) -> None:
    """A complex target beside a real input, say: gradients of both, by a central difference."""
    op = op_of(row)
    real = {key: arguments(case)[key] for key in differentiable(op, case)}
    rng = np.random.default_rng(7)
    for turned in real:
        at = {key: np.asarray(x + 0.3j * rng.normal(size=x.shape)) if key is turned else x
              for key, x in real.items()}  # fmt: skip
        along = {key: _direction(rng, x) for key, x in at.items()}

        def loss(inputs: dict[Key, tt.Tensor]) -> tt.Tensor:
            weights = np.random.default_rng(9)
            kinds = "f" if row.op in FREE_PHASES else "fc"
            outputs = [o for o in call(op, case, inputs) if o.dtype.kind in kinds]
            terms = [tt.real(o * _direction(weights, o.value)).sum() for o in outputs]
            return sum(terms[1:], terms[0])

        def moved(step: float, at: Any = at, along: Any = along, loss: Any = loss) -> float:
            return loss(_shifted(at, step, along)).item()

        try:
            moved(0.0)
        except (TypeError, ValueError):
            continue
        leaves = {key: tt.Tensor(x, requires_grad=True) for key, x in at.items()}
        gradients = tt.grad(loss(leaves), list(leaves.values()), allow_unused=True)
        slope = 0.0
        for (key, x), gradient in zip(at.items(), gradients, strict=True):
            if gradient is not None:
                assert gradient.dtype == x.dtype
                slope += (gradient.numpy().conj() * along[key]).real.sum()
        measured = (moved(STEP) - moved(-STEP)) / (2 * STEP)
        assert abs(slope - measured) <= RELATIVE * abs(measured) + 10 * ABSOLUTE, (turned, slope)


def assert_jvp(
    what: str, op: Any, case: Case, at: dict[Key, np.ndarray], kinds: str = "fc"
) -> None:
    """Hold the derivative along a random direction against a central difference, for the outputs
    of these ``kinds`` of dtypes."""
    rng = np.random.default_rng(3)
    along = {key: _direction(rng, array) for key, array in at.items()}

    def function(inputs: dict[Key, tt.Tensor]) -> list[tt.Tensor]:
        return [o for o in call(op, case, inputs) if o.dtype.kind in kinds]

    def moved(step: float) -> list[np.ndarray]:
        return [output.numpy() for output in function(_shifted(at, step, along))]

    outputs, tangents = tt.func.jvp(function, (at,), (along,))
    for i, (output, tangent, ahead, behind) in enumerate(
        zip(outputs, tangents, moved(STEP), moved(-STEP), strict=True)
    ):
        assert (tangent.shape, tangent.dtype) == (output.shape, output.dtype)
        assert not tangent.requires_grad
        measured = (ahead - behind) / (2 * STEP)
        error = np.abs(tangent.numpy() - measured)
        bound = RELATIVE * np.abs(measured) + ABSOLUTE * np.abs(measured).max(initial=1.0)
        assert (error <= bound).all(), (
            f"{what}, output {i}: jvp {tangent}, finite differences {measured}"
        )


def _shifted(at: Any, step: float, along: Any) -> dict[Key, tt.Tensor]:
    """Tensors at + step · along; of numbers, NumPy's sum is a scalar, whose dtype is weak."""
    return {key: tt.Tensor(np.asarray(x + step * along[key])) for key, x in at.items()}


def _direction(rng: np.random.Generator, array: np.ndarray) -> np.ndarray:
    direction = rng.normal(size=array.shape)
    return direction + 1j * rng.normal(size=array.shape) if array.dtype.kind == "c" else direction


@pytest.mark.parametrize(("row", "case"), each_case(only=lambda row: row.differentiable))
def test_third_derivatives_along_a_line(row: Row, case: Case) -> None:
    """Of φ(s) = ⟨w, f(x + s t)⟩: forward over reverse over reverse, against differences of φ″."""
    op = op_of(row)
    rng = np.random.default_rng(5)
    at = {key: arguments(case)[key] for key in differentiable(op, case)}
    if not at:  # a case of integers alone
        return
    along = {key: _direction(rng, array) for key, array in at.items()}

    def line(s: tt.Tensor) -> tt.Tensor:
        inputs = {key: tt.Tensor(x) + s * tt.Tensor(along[key]) for key, x in at.items()}
        outputs = [o for o in call(op, case, inputs) if o.dtype.kind in "fc"]
        weights = np.random.default_rng(6)
        terms = [tt.real(o * _direction(weights, o.value)).sum() for o in outputs]
        return sum(terms[1:], terms[0])

    second = tt.func.grad(tt.func.grad(line))
    zero, one = np.zeros(()), np.ones(())
    _, third = tt.func.jvp(second, (zero,), (one,))
    step = np.array(1e-5)  # an array: the dtype of a number is weak
    measured = (second(step).item() - second(np.array(-1e-5)).item()) / 2e-5
    scale = abs(second(zero).item())
    assert abs(third.item() - measured) <= 1e-5 * abs(measured) + 1e-7 * max(1.0, scale)
