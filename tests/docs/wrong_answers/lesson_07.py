"""Wrong answers to lesson 7's exercises, each with words of the message that is meant for it."""

import math

import numpy as np

import tinytensor as tt


def transposed(x, y):
    return np.array([[y, math.cos(x), 0], [x, 0, 2 * y]])


def columns(f, x):
    out, pullback = tt.func.vjp(f, x)
    rows = [pullback(tt.tensor(v))[0].numpy() for v in np.eye(len(out))]
    return np.stack(rows, axis=1)


def by_ones(f, x):
    out, pullback = tt.func.vjp(f, x)
    return pullback(tt.ones_like(out))[0].numpy()


def many_calls(f, x):
    m = len(f(x))
    return np.stack([tt.func.vjp(f, x)[1](tt.tensor(v))[0].numpy() for v in np.eye(m)])


def nudged(f, x, t):
    h = 1e-6
    return (f(x + h * t) - f(x)) / h


def pulled(f, x, t):
    return tt.func.vjp(f, x)[1](t)[0]


def not_recorded(f, x, t):
    x = x.detach().requires_grad_()
    (slope,) = tt.grad(f(x), x)
    return tt.grad(slope, x, t)[0]


def by_the_wrong_variable(f, x, t):
    x = x.detach().requires_grad_()
    out = f(x)
    (p,) = tt.grad(out, x, tt.zeros_like(out.detach()), create_graph=True)
    return p


def diagonal(f, x, t):
    return tt.tensor(np.diag(tt.func.hessian(f)(x).numpy())) * t


def by_length(f, x, steps, rng):
    t = tt.tensor(rng.normal(size=x.shape))
    for _ in range(steps):
        t = t / (t**2).sum().sqrt()
        t = tt.func.hvp(f, (x,), (t,))
    return float((t**2).sum().sqrt())


WRONG = [
    ("jacobian_by_hand", transposed, "This is the transpose"),
    ("jacobian_by_rows", columns, "This is the transpose"),
    ("jacobian_by_rows", by_ones, "the sum of all rows"),
    ("jacobian_by_rows", many_calls, "f need not"),
    ("forward", pulled, "This is Jᵀt"),
    ("forward", nudged, "some digits only"),
    ("forward", by_the_wrong_variable, "p = Jᵀ0 itself"),
    ("hessian_times", not_recorded, "create_graph=True"),
    ("hessian_times", lambda f, x, t: tt.func.grad(f)(x) * t, "*changes* along t"),
    ("hessian_times", diagonal, "diagonal"),
    ("sharpest", by_length, "never negative"),
]
