"""Random programs of views, changes in place and ops: no wrong gradient, in none of them.

They run with PyTorch too: all values and gradients must be equal. Where an op had saved a value
that was then changed, backward must raise in both. PyTorch's gradients come from a run in which
every saved value is copied, so they are right also where its plain run would raise.

``TINYTENSOR_PROGRAMS=20000`` runs that many, from a random seed.
"""

from __future__ import annotations

import os
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

import tinytensor as tt

from ..table.programs import Drawing, Library, Torch, loss_of, run

pytestmark = pytest.mark.no_c

MORE = int(os.environ.get("TINYTENSOR_PROGRAMS", "0"))
PARTS = 4
FIRST = random.SystemRandom().randrange(2**40) if MORE else 0  # the seed of the first program
TOLERANCE = 1e-9


def programs(examples: int) -> Any:
    """Run a test on that many programs: it gets the seed and the number of steps."""
    examples = MORE // PARTS or examples

    def decorate(test: Any) -> Any:
        test = given(seed=st.integers(0, 2**40), length=st.integers(3, 18))(test)
        return settings(
            max_examples=examples,
            derandomize=not MORE,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )(test)

    return decorate


def gradients(leaves: list[Any]) -> list[np.ndarray]:
    return [np.zeros(x.shape) if x.grad is None else np.asarray(x.grad) for x in leaves]


def backward(loss: Any, leaves: list[Any], errors: Any) -> Any:
    """The gradients, or the error if an op misses a value that it had saved."""
    try:
        loss.backward()
    except errors as error:
        if "in place" not in str(error) and "inplace" not in str(error):
            raise
        return str(error)
    return gradients(leaves)


def assert_same(got: Any, expected: Any) -> None:
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.shape == expected.shape
    scale = max(1.0, np.abs(expected).max(initial=0))
    np.testing.assert_allclose(got, expected, rtol=TOLERANCE, atol=TOLERANCE * scale)


@pytest.mark.parametrize("part", range(PARTS))
def test_programs_equal_pytorch(part: int, torch: Any) -> None:
    outcomes = dict.fromkeys(("equal", "both raise", "only tinytensor works"), 0)

    @programs(500)
    def check(seed: int, length: int) -> None:
        drawing = Drawing(FIRST + seed * PARTS + part, length, smooth=False)
        program, live = drawing.program, drawing.live
        note("\n".join(map(str, program.steps)))
        there = Torch(torch)
        with torch.autograd.graph.saved_tensors_hooks(lambda t: t.detach().clone(), lambda t: t):
            others = run(there, program)
            if program.weights:
                loss_of(there, program, others).backward()
        assert len(live) == len(others)
        for value, other in zip(live, others, strict=True):
            assert value.requires_grad == other.requires_grad
            assert_same(value.value, other.detach())
        if not program.weights:
            return
        leaves = live[: len(program.leaves)]
        got = backward(loss_of(Library(tt), program, live), leaves, tt.GraphError)
        expected = gradients(others[: len(leaves)])
        plain = run(there, program)
        plainly = backward(loss_of(there, program, plain), plain[: len(leaves)], RuntimeError)
        if isinstance(got, str):
            assert isinstance(plainly, str), f"only tinytensor raises: {got}"
            outcomes["both raise"] += 1
            return
        outcomes["only tinytensor works" if isinstance(plainly, str) else "equal"] += 1
        for gradient, other in zip(got, expected, strict=True):
            assert_same(gradient, other)

    check()
    print(outcomes)
    assert outcomes["equal"] > sum(outcomes.values()) / 2


def test_programs_equal_finite_differences() -> None:
    """For each leaf and a random direction, the slope of the loss when the program is run again."""
    differentiated = 0

    @programs(200)
    def check(seed: int, length: int) -> None:
        nonlocal differentiated
        drawing = Drawing(FIRST + seed * PARTS, length, smooth=True)
        program, library = drawing.program, Library(tt)
        note("\n".join(map(str, program.steps)))
        leaves = drawing.live[: len(program.leaves)]
        got = backward(loss_of(library, program, drawing.live), leaves, tt.GraphError)
        if isinstance(got, str):
            return
        differentiated += 1
        step, rng = 1e-6, np.random.default_rng(seed)
        for i, gradient in enumerate(got):
            direction = rng.uniform(0.5, 1.5, gradient.shape)
            sides = []
            for h in (step, -step):
                moved = list(program.leaves)
                moved[i] = np.asarray(moved[i] + h * direction)  # a NumPy scalar would be weak
                loss = loss_of(library, program, run(library, program, moved))
                sides.append(loss.item())
            slope = (sides[0] - sides[1]) / (2 * step)
            size = max(1.0, *map(abs, sides), float(np.abs(gradient * direction).sum()))
            assert abs((gradient * direction).sum() - slope) <= 1e-6 * size

    check()
    assert differentiated > 100
