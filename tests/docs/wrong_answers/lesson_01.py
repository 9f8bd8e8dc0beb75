"""Wrong answers to lesson 1's exercises, each with words of the message that is meant for it."""

import math

from tinytensor.scalar import Value


def central(f, x, h):
    return (f(x + h) - f(x - h)) / (2 * h)


def twice_backward(f, *numbers):
    values = [Value(number) for number in numbers]
    out = f(*values)
    out.backward(retain_graph=True)
    out.backward()
    return out.data, [value.grad.data for value in values]


def as_values(f, *numbers):
    values = [Value(number) for number in numbers]
    out = f(*values)
    out.backward()
    return out.data, [value.grad for value in values]


def softplus(rule):
    from tinytensor.engine import op

    @op
    def softplus(x):
        return max(x, 0.0) + math.log1p(math.exp(-abs(x)))

    return softplus.grad(x=rule) if rule else softplus


WRONG = [
    ("central_difference", lambda f, x, h: (f(x + h) - f(x - h)) / 2 * h, "then multiplies by h"),
    ("best_step", lambda f, x, slope: 5, "is the exponent"),
    ("slopes_by_hand", lambda a, b, c: (b, a, 1.0), "square is missing"),
    ("slopes_by_hand", lambda a, b, c: (2 * (a * b + c),) * 3, "still to be multiplied"),
    ("slopes_by_hand", lambda a, b, c: (10 * a, 10 * b, 10.0), "exchanged"),
    ("slopes_by_hand", lambda a, b, c: (10 * b, 10 * a, 10.0), "a number written"),
    ("central_difference", lambda f, x, h: (f(x + h) - f(x)) / h, "one-sided"),
    ("central_difference", lambda f, x, h: 2 * central(f, x, h), "2·h apart"),
    ("best_step", lambda f, x, slope: 1e-15, "rounding"),
    ("value_and_slopes", twice_backward, "ran twice"),
    ("value_and_slopes", as_values, "grad.data"),
    ("softplus", softplus(None), "no rule"),
    ("softplus", softplus(lambda g, x: x.sigmoid()), "forgets g"),
    ("softplus", softplus(lambda g, x: g * (1 / (1 + math.exp(-x)))), "leaves the graph"),
]
