"""Whether you have lesson 10. Read the messages; the tests themselves give answers away."""

import math

import numpy as np
import pytest

import tinytensor as tt

approx = pytest.approx


def test_product_of_slopes(lesson):
    got = lesson.product_of_slopes(0.9, 0.0, 100)
    assert got != approx(1.0), "With the state at 0 every slope is w, not 1: is w in the product?"
    assert got == approx(0.9**100), f"At h0 = 0 all factors are w: 0.9¹⁰⁰ = 2.66e-5, not {got}."
    got, h1, h2 = lesson.product_of_slopes(2.0, 0.5, 2), math.tanh(1.0), math.tanh(2 * math.tanh(1))
    assert got != approx(4 * (1 - 0.25) * (1 - h1 * h1)), (
        "The slopes stand at the old states. tanh(z) has the slope 1 − tanh²(z), and tanh(z) is the"
        " new state."
    )
    right = 4 * (1 - h1 * h1) * (1 - h2 * h2)
    assert got == approx(right), f"w = 2, h0 = 0.5, two steps: {right:.4f}, not {got}."


def test_horizon(lesson):
    for radius in (1.0, 1.2):
        try:
            got = lesson.horizon(radius, 0.1)
        except (ZeroDivisionError, ValueError):
            got = None
        assert got == math.inf, (
            f"With a radius of {radius} nothing ever falls below 0.1: math.inf, not {got}."
        )
    assert lesson.horizon(0.5, 0.25) != 2, (
        "0.5² is 0.25, and that is not below 0.25: the next one, 3, is the first that is."
    )
    for radius, rest, right in [(0.5, 0.25, 3), (0.9, 0.01, 44), (0.577, 1e-45, 189)]:
        got = lesson.horizon(radius, rest)
        assert got != approx(math.log(rest) / math.log(radius)), (
            "A number of steps is whole: the logarithms' quotient lies between two of them."
        )
        assert got == right, f"The first k with {radius}ᵏ < {rest} is {right}, not {got}."


def test_clipped(lesson):
    given = [np.array([3.0, 0.0]), np.array([[0.0], [4.0]]), np.array(12.0)]  # together 13
    kept = [g.copy() for g in given]
    found = lesson.clipped(given, 1.3)
    assert all(np.array_equal(g, k) for g, k in zip(given, kept, strict=True)), (
        "The arrays that were given have changed. Return new ones: g * factor, not g *= factor."
    )
    assert [np.shape(g) for g in found] == [(2,), (2, 1), ()], "Each keeps its shape."
    assert not np.allclose(found[0], [1.3, 0]), (
        "Each gradient was clipped by itself, or each number. That turns the direction of the"
        " step. There is one norm, of all together, 13 here."
    )
    assert np.allclose(found[0], [0.3, 0]), (
        f"The norm of all is 13, so the factor is 0.1; (3, 0) becomes (0.3, 0), not {found[0]}."
    )
    assert np.allclose(found[2], 1.2), f"12 becomes 1.2, not {found[2]}."
    short = lesson.clipped(given, 26.0)
    assert not np.allclose(short[2], 24.0), (
        "They were made longer. What is short enough stays: the factor is never above 1."
    )
    assert np.allclose(short[2], 12.0), "What is short enough stays as it is."
    zeros = lesson.clipped([np.zeros(2)], 1.0)
    assert np.array_equal(zeros[0], [0, 0]), "Zeros gave NaN: 0 · (1 / 0). Divide by no 0."


def test_scale_for(lesson):
    for name, act, right in [
        ("the identity", lambda z: z * 1, 1.0),
        ("tanh", tt.tanh, 1.4673),
        ("a ReLU", tt.relu, 2**0.5),
        ("a sigmoid", tt.sigmoid, 4.7190),
    ]:
        got = lesson.scale_for(act)
        assert got != approx(right**2, rel=0.02) or right == 1, (
            f"For {name} you give {got:.3f}: this is s². A root is missing."
        )
        assert got != approx(1 / right, rel=0.02) or right == 1, (
            f"For {name} you give {got:.3f}: upside down. Where slopes are small, weights are"
            " large."
        )
        assert got == approx(right, rel=0.02), (
            f"For {name} s is {right:.3f}, not {got:.3f}. It is the mean of the squares of act'"
            " that counts; the square of the mean is another number."
        )


def test_deep(lesson):
    rng = np.random.default_rng(0)
    weights = [tt.tensor(rng.normal(size=(32, 32)) / 32**0.5) for _ in range(100)]
    x = tt.tensor(rng.normal(size=(8, 32)), requires_grad=True)
    out = lesson.deep(x, weights)
    g = rng.normal(size=(8, 32))
    (gradient,) = tt.grad((out * tt.tensor(g)).sum(), x)
    size = float(np.std(out.numpy()))
    flow = float(np.linalg.norm(gradient.numpy()) / np.linalg.norm(g))
    assert flow > 0.3, (
        f"Of the gradient {flow:.0%} arrives at x. Is there a way from h to the next h on which"
        " nothing is multiplied?"
    )
    assert size < 3, (
        f"After 100 layers the values have a size of {size:.1f}. The way is open, but each layer"
        " adds to it: the variances of 100 terms add up. Divide the terms."
    )
    assert flow < 3, f"The gradient grows by {flow:.1f} on its way: the terms are still large."
    one = lesson.deep(x, weights[:1])
    assert np.allclose(one, x.numpy() + np.tanh(x.numpy() @ weights[0].numpy())), (
        "One layer is x + tanh(x @ w): a factor for L layers that keeps the sum is 1 for L = 1."
    )
    apart = float(np.linalg.norm(out.numpy() - x.numpy()) / np.linalg.norm(x.numpy()))
    assert apart > 0.3, (
        f"100 layers change x by {apart:.0%} only: the terms are divided by too much. Independent"
        " terms add up like √L, not like L."
    )
