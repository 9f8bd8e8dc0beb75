"""Whether you have lesson 1. Read the messages; the tests themselves give answers away."""

import math

import pytest

import tinytensor as tt
from tinytensor.scalar import Value

approx = pytest.approx


def test_slopes_by_hand(lesson):
    got = lesson.slopes_by_hand(3.0, 2.0, -1.0)
    assert got is not None, "slopes_by_hand returned None: does it end in a return?"
    assert len(got) == 3, f"Three slopes are asked for, by a, by b and by c; there are {len(got)}."
    assert got != approx((2.0, 3.0, 1.0)), (
        "(b, a, 1) are the slopes of s = a·b + c. The square is missing: f changes by 2·s times"
        " what s changes by."
    )
    assert got != approx((10.0, 10.0, 10.0)), (
        "2·s is the slope by s. What s owes to each input is still to be multiplied with it."
    )
    assert got != approx((30.0, 20.0, 10.0)), (
        "The slopes by a and by b are exchanged. If a grows by 1, a·b grows by b."
    )
    assert got == approx((20.0, 30.0, 10.0)), (
        f"At (3, 2, -1): s = 5, so df/ds = 10, and the slopes are 10·b, 10·a and 10·1. You"
        f" returned {tuple(got)}."
    )
    assert lesson.slopes_by_hand(0.0, 5.0, 2.0) == approx((20.0, 0.0, 4.0)), (
        "Right at (3, 2, -1), but not at (0, 5, 2): there it is (20, 0, 4). Is a number written"
        " where a letter should be?"
    )


def test_central_difference(lesson):
    def cube(x):
        return x**3

    got = lesson.central_difference(cube, 2.0, 0.1)
    assert got != approx((2.1**3 - 2.0**3) / 0.1), (
        "This is the one-sided difference, (f(x + h) - f(x)) / h. Go to both sides: its error falls"
        " with h², not with h."
    )
    assert got != approx(2 * 12.01), (
        "Twice the slope: the two points are 2·h apart, and you divided by h."
    )
    assert got != approx(-12.01), "The sign is turned: it is f(x + h) minus f(x - h)."
    assert got != approx(2.1**3 - 1.9**3 / 0.2), (
        "Only the second term was divided. The whole rise is: (f(x + h) - f(x - h)) / (2 * h)."
    )
    assert got != approx(12.01 * 0.1**2), (
        "`/ 2 * h` divides by 2 and then multiplies by h. The run of the chord is 2·h: / (2 * h)."
    )
    assert got == approx(12.01), (
        f"For x³ at 2 with h = 0.1: (2.1³ - 1.9³) / 0.2 = 12.01. You returned {got}."
    )


SLOPE = 1 - math.tanh(0.5) ** 2
ERRORS = [
    abs((math.tanh(0.5 + h) - math.tanh(0.5 - h)) / (2 * h) - SLOPE)
    for h in (10.0**-k for k in range(1, 16))
]


def test_best_step(lesson):
    got = lesson.best_step(math.tanh, 0.5, SLOPE)
    assert not isinstance(got, int), f"{got} is the exponent. Return h itself, 10.0**-{got}."
    assert got not in ERRORS, f"{got} is the least *error*. Return the h that has it."
    assert got != approx(1e-15), (
        "The smallest h is not the best. f(x + h) and f(x - h) agree in all but their last digits"
        " there, and what is left of their difference is rounding. (If you did take the least"
        " error: is its abs() missing?)"
    )
    assert got != approx(1e-1), "The largest h has the largest error: is it max in place of min?"
    assert 1e-7 < got < 1e-3, (
        f"Between 10⁻³ and 10⁻⁷ lies the best h for tanh at 0.5, where the bend of the curve"
        f" and the rounding of floats cost about the same. You returned {got}."
    )


def test_value_and_slopes(lesson):
    calls = []

    def f(a, b):
        calls.append((a, b))
        return a * b + a.exp()

    value, slopes = lesson.value_and_slopes(f, 0.5, -3.0)
    assert len(calls) == 1, (
        f"f ran {len(calls)} times. That is how finite differences do it; backward() needs one run"
        " for all inputs."
    )
    assert not isinstance(value, Value), (
        "The value is still a Value. Its float is .data, and float(value) gives it, too."
    )
    assert value == approx(-1.5 + math.exp(0.5)), f"f(0.5, -3) is a·b + eᵃ = 0.149, not {value}."
    assert len(slopes) == 2, f"Two numbers went in, so two slopes come out, not {len(slopes)}."
    assert not any(isinstance(slope, Value) for slope in slopes), (
        "The slopes are Values. A grad is a Value so that it can be differentiated again; here"
        " its float is asked for, grad.data."
    )
    assert slopes != approx([2 * (-3 + math.exp(0.5)), 1.0]), (
        "Twice the slope: backward() ran twice, and adds to grad what it finds."
    )
    assert slopes == approx([-3 + math.exp(0.5), 0.5]), (
        f"By a it is b + eᵃ = -1.351, by b it is a = 0.5. You returned {slopes}."
    )
    _, slopes = lesson.value_and_slopes(lambda a, b: a * 2.0, 1.0, 1.0)
    assert slopes == [2.0, 0.0], (
        "What f does not depend on has the slope 0. No cotangent arrives there, so its grad is"
        " None: return 0.0 for it."
    )


def test_softplus(lesson):
    softplus = lesson.softplus
    assert softplus(Value(0.0)).data == approx(math.log(2)), "softplus(0) is log 2 = 0.693."
    try:
        large = softplus(Value(1000.0)).data
    except OverflowError:
        raise AssertionError(
            "e¹⁰⁰⁰ is more than a float holds. Take the larger of x and 0 out of the logarithm:"
            " log(1 + eˣ) = max(x, 0) + log(1 + e^(-|x|))."
        ) from None
    assert large == 1000.0, f"softplus(1000) is 1000, to the last digit of a float, not {large}."
    x = Value(0.3)
    out = softplus(x)
    assert out.requires_grad, (
        "The value is right, but the op has no rule, and an op without rules returns constants:"
        " softplus.grad(x=lambda g, x: …)."
    )
    try:
        (slope,) = tt.grad(3 * out, x, create_graph=True)
    except ZeroDivisionError:
        raise AssertionError("The rule divides by 0 at x = 0.3.") from None
    right = 1 / (1 + math.exp(-0.3))
    assert slope.data != approx(right), (
        "The rule forgets g. Softplus stands in the middle of a computation (here 3·softplus(x)),"
        " and g says how much the end changes per change of softplus: multiply by it."
    )
    assert slope.data == approx(3 * right), (
        f"The slope of 3·softplus at 0.3 is 3 / (1 + e^-0.3) = {3 * right:.4f}; your rule gives"
        f" {slope.data:.4f}."
    )
    (second,) = tt.grad(slope, x)
    assert second.data != 0.0, (
        "The first derivative is right, but the second is 0. The rule leaves the graph, by"
        " math.exp(x) perhaps, which makes a plain float of a Value. Write the rule in ops:"
        " x.exp(), x.sigmoid(), + - * /."
    )
    assert second.data == approx(3 * right * (1 - right)), (
        f"The second derivative at 0.3 is 3·σ·(1 - σ) = {3 * right * (1 - right):.4f}; yours is"
        f" {second.data:.4f}."
    )
