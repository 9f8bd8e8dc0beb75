"""Wrong answers to lesson 5's exercises, each with words of the message that is meant for it."""

import numpy as np

import tinytensor as tt
from tinytensor.engine import op

RIGHT = {"add": "nothing", "multiply": "other", "exp": "output", "sin": "input", "log": "input"}
RIGHT |= {"sqrt": "output", "tanh": "output", "matmul": "other", "sum": "nothing"}


def silu(rule):
    @op
    def silu(x):
        return x / (1 + np.exp(-x))

    return silu.grad(x=rule) if rule else silu


def slope(x, sigma):
    return sigma * (1 + x * (1 - sigma))


def by_input_and_output(g, x, out):
    return g * slope(x, tt.sigmoid(x)) + 0 * out


def by_numpy(g, x):
    array = np.asarray(x.detach())
    return g * slope(array, 1 / (1 + np.exp(-array)))


def each_alone(chain, x, weights, most):
    for weight in weights:
        x = tt.func.checkpoint(chain, x, [weight])
    return x


def from_the_start(chain, x, weights, most):
    for i in (0, 8):
        out = tt.func.checkpoint(chain, x, weights[i : i + 8])
    return out


def by_ones(f):
    @op
    def again(x):
        with tt.no_grad():
            return np.asarray(f(tt.asarray(x)))

    return again.grad(x=lambda g, x: g * tt.func.grad(lambda x: f(x).sum())(x))


WRONG = [
    ("needs", lambda: RIGHT | {"sqrt": "input"}, "√x is the output"),
    ("needs", lambda: RIGHT | {"sin": "output"}, "the sign is lost"),
    ("needs", lambda: {"add": "nothing"}, "No answer yet"),
    ("bytes_saved", lambda batch, widths: 8 * batch * sum(widths), "4 bytes, not 8"),
    ("bytes_saved", lambda batch, widths: 4 * batch * sum(widths[:-1]), "last tanh"),
    ("bytes_saved", lambda batch, widths: 4 * batch * (2 * sum(widths) - 5), "twice"),
    ("lean_silu", silu(None), "no rule yet"),
    ("lean_silu", silu(lambda g, x: slope(x, tt.sigmoid(x))), "forgets g"),
    ("lean_silu", silu(by_input_and_output), "each name is memory"),
    ("lean_silu", silu(by_numpy), "has left the graph"),
    ("in_parts", lambda chain, x, weights, most: chain(x, weights), "none was forgotten"),
    ("in_parts", each_alone, "will do, and make the fewest"),
    ("in_parts", from_the_start, "the one before it"),
    ("forgetful", lambda f: f, "may be kept"),
    ("forgetful", by_ones, "each output has one input"),
]
