"""Recurrent cells: one step of one layer."""

import numpy as np

from .checks import of_real_numbers
from .maps import sigmoid

__all__ = ["gru_cell", "gru_cell_backward", "lstm_cell", "lstm_cell_backward"]


@of_real_numbers
def lstm_cell(gates, c):
    """The next h and c from the four gates' sums (batch, 4 * hidden), in the order i, f, g, o."""
    i, f, g, o = np.split(gates, 4, axis=-1)
    c_next = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c_next), c_next


def lstm_cell_backward(gh, gc, gates, c):
    """The cotangents of gates and c, from those of h and of the next c."""
    i, f, g, o = np.split(gates, 4, axis=-1)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    t = np.tanh(f * c + i * g)
    dc = gc + gh * o * (1 - t * t)
    dgates = (
        dc * g * i * (1 - i),
        dc * c * f * (1 - f),
        dc * i * (1 - g * g),
        gh * t * o * (1 - o),
    )
    return np.concatenate(dgates, axis=-1), dc * f


@of_real_numbers
def gru_cell(x_gates, h_gates, h):
    """The next h from the sums of input and of state (batch, 3 * hidden each), order r, z, n."""
    (xr, xz, xn), (hr, hz, hn) = np.split(x_gates, 3, axis=-1), np.split(h_gates, 3, axis=-1)
    z = sigmoid(xz + hz)
    n = np.tanh(xn + sigmoid(xr + hr) * hn)
    return n + z * (h - n)


def gru_cell_backward(g, x_gates, h_gates, h):
    """The cotangents of x_gates, h_gates and h."""
    (xr, xz, xn), (hr, hz, hn) = np.split(x_gates, 3, axis=-1), np.split(h_gates, 3, axis=-1)
    r, z = sigmoid(xr + hr), sigmoid(xz + hz)
    n = np.tanh(xn + r * hn)
    dn = g * (1 - z) * (1 - n * n)
    dr, dz = dn * hn * r * (1 - r), g * (h - n) * z * (1 - z)
    return np.concatenate([dr, dz, dn], axis=-1), np.concatenate([dr, dz, dn * r], axis=-1), g * z
