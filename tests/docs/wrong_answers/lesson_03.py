"""Wrong answers to lesson 3's exercises, each with words of the message that is meant for it."""

import numpy as np


def from_the_left(g, shape):
    extra = g.ndim - len(shape)
    g = g.sum(tuple(range(len(shape), len(shape) + extra)))
    return g.sum(tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)


def without_keeping(g, shape):
    g = g.sum(tuple(range(g.ndim - len(shape))))
    return g.sum(tuple(i for i, n in enumerate(shape) if n == 1 and g.shape[i] != 1))


def of_row(x):
    return x.sum(axis=1, keepdims=True)


def distances(g, x, y):
    return 2 * g[:, :, None] * (x[:, None] - y[None])


WRONG = [
    ("bias_gradient", lambda g: [sum(row) for row in g], "added up the rows"),
    ("bias_gradient", lambda g: np.mean(g, 0).tolist(), "means"),
    ("scale_gradients", lambda g, x, s: (g, of_row(g * x)), "is g itself"),
    ("scale_gradients", lambda g, x, s: (g * s, g * x), "Add them up"),
    ("scale_gradients", lambda g, x, s: (g * s, (g * x).sum(1)), "has lost an axis"),
    ("scale_gradients", lambda g, x, s: (g * s, of_row(g)), "comes with its x"),
    ("fitted", without_keeping, "keepdims=True"),
    ("fitted", from_the_left, "axes in front"),
    ("share_gradient", lambda g, x: g / of_row(x), "held constant"),
    ("share_gradient", lambda g, x: g / of_row(x) - g * x / of_row(x) ** 2, "Add up along the row"),
    (
        "distance_gradients",
        lambda g, x, y: (distances(g, x, y).sum(1), distances(g, x, y).sum(0)),
        "The sign by y",
    ),
]
