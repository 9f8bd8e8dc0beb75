"""Recurrent layers.

A layer runs over x (T, B, I), in time's order or against it, in one direction. Biases may be None,
and so may the states before the first step, which then have no part in it.
"""

import numpy as np

from .gemm import linear
from .maps import sigmoid
from .promotion import promoting

__all__ = ["gru", "gru_backward", "lstm", "lstm_backward", "lstm_grads", "rnn", "rnn_backward"]


def _steps(count, reverse):
    """The index of each step and of the one before it (None for the first), as they are taken."""
    order = [*range(count)][:: -1 if reverse else 1]
    return [*zip(order, [None, *order], strict=False)]


def _input_gates(x, weight, biases, others):
    """The input's part of the sums of the gates, for all steps, in a new array."""
    dtype = np.result_type(x, weight, *(a for a in (*biases, *others) if a is not None))
    gates = linear(x, weight).astype(dtype)
    for bias in biases:
        if bias is not None:
            gates += bias
    return gates


def _before(states, before, start):
    """The states before a step: those of the step ``before`` it, or the first ones."""
    if before is not None:
        return states[before]
    return np.zeros_like(states[0]) if start is None else start


@promoting()
def lstm(x, h0, c0, w_ih, w_hh, b_ih, b_hh, reverse):
    """The states h (T, B, H), the last h and c, all c, and the gates i, f, g, o (T, B, 4 H)."""
    gates = _input_gates(x, w_ih, (b_ih, b_hh), (h0, c0, w_hh))
    hs, cs = (np.empty((*gates.shape[:2], w_hh.shape[1]), gates.dtype) for _ in range(2))
    h, c = h0, c0
    for t, _ in _steps(len(x), reverse):
        i, f, g, o = np.split(gates[t] if h is None else gates[t] + h @ w_hh.T, 4, axis=-1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        c = i * g if c is None else f * c + i * g
        h = o * np.tanh(c)
        hs[t], cs[t], gates[t] = h, c, np.concatenate([i, f, g, o], axis=-1)
    return hs, h.copy(), c.copy(), cs, gates


@promoting()
def lstm_backward(g, gh, gc, c0, w_hh, cs, gates, reverse):
    """The cotangents of the sums of the gates, of h0 and of c0, from those of hs and the last."""
    dgates, dh, dc = np.empty_like(gates), gh, gc
    for t, before in reversed(_steps(len(cs), reverse)):
        i, f, n, o = np.split(gates[t], 4, axis=-1)
        c = _before(cs, before, c0)
        dh, tanh_c = dh + g[t], np.tanh(cs[t])
        dc = dc + dh * o * (1 - tanh_c * tanh_c)
        dgates[t] = np.concatenate(
            [
                dc * n * i * (1 - i),
                dc * c * f * (1 - f),
                dc * i * (1 - n * n),
                dh * tanh_c * o * (1 - o),
            ],
            axis=-1,
        )
        dh, dc = dgates[t] @ w_hh, dc * f
    return dgates, dh.copy(), dc.copy()


def lstm_grads(g, gh, gc, x, h0, c0, w_ih, w_hh, hs, cs, gates, reverse, of_x):
    """The cotangents of h0, c0, w_ih, w_hh and the bias, and of x if it is asked for, or None."""
    dgates, dh0, dc0 = lstm_backward(g, gh, gc, c0, w_hh, cs, gates, reverse)
    dw_ih = np.tensordot(dgates, x, ((0, 1), (0, 1)))
    later, before = (dgates[:-1], hs[1:]) if reverse else (dgates[1:], hs[:-1])
    dw_hh = np.tensordot(later, before, ((0, 1), (0, 1)))
    if h0 is not None:
        dw_hh += dgates[-1 if reverse else 0].T @ h0
    return dh0, dc0, dw_ih, dw_hh, dgates.sum((0, 1)), dgates @ w_ih if of_x else None


@promoting()
def gru(x, h0, w_ih, w_hh, b_ih, b_hh, reverse):
    """The states h (T, B, H), the last one, the gates r, z, n, and n's part from the state."""
    gates = _input_gates(x, w_ih, (b_ih,), (h0, w_hh, b_hh))
    hs, inner = (np.empty((*gates.shape[:2], w_hh.shape[1]), gates.dtype) for _ in range(2))
    h = h0
    for t, _ in _steps(len(x), reverse):
        sums = np.zeros_like(gates[t]) if h is None else h @ w_hh.T
        if b_hh is not None:
            sums = sums + b_hh
        (xr, xz, xn), (hr, hz, hn) = np.split(gates[t], 3, -1), np.split(sums, 3, -1)
        r, z = sigmoid(xr + hr), sigmoid(xz + hz)
        n = np.tanh(xn + r * hn)
        h = n + z * ((0 if h is None else h) - n)
        hs[t], gates[t], inner[t] = h, np.concatenate([r, z, n], axis=-1), hn
    return hs, h.copy(), gates, inner


@promoting()
def gru_backward(g, gh, h0, w_hh, hs, gates, inner, reverse):
    """The cotangents of the input's sums (r, z, n), of n's part from the state, and of h0."""
    dgates, dinner, dh = np.empty_like(gates), np.empty_like(inner), gh
    for t, before in reversed(_steps(len(hs), reverse)):
        r, z, n = np.split(gates[t], 3, axis=-1)
        h = _before(hs, before, h0)
        dh = dh + g[t]
        dn = dh * (1 - z) * (1 - n * n)
        dr, dz = dn * inner[t] * r * (1 - r), dh * (h - n) * z * (1 - z)
        dgates[t], dinner[t] = np.concatenate([dr, dz, dn], axis=-1), dn * r
        dh = dh * z + np.concatenate([dr, dz, dinner[t]], axis=-1) @ w_hh
    return dgates, dinner, dh.copy()


@promoting()
def rnn(x, h0, w_ih, w_hh, b_ih, b_hh, relu, reverse):
    """The states h (T, B, H), and the last one."""
    hs = _input_gates(x, w_ih, (b_ih, b_hh), (h0, w_hh))
    h = h0
    for t, _ in _steps(len(x), reverse):
        h = hs[t] if h is None else hs[t] + h @ w_hh.T
        hs[t] = h = np.maximum(h, 0) if relu else np.tanh(h)
    return hs, h.copy()


@promoting()
def rnn_backward(g, gh, w_hh, hs, relu, reverse):
    """The cotangents of the sums and of h0."""
    dsums, dh = np.empty_like(hs), gh
    for t, _ in reversed(_steps(len(hs), reverse)):
        h, dh = hs[t], dh + g[t]
        dsums[t] = np.where(h > 0, dh, 0) if relu else dh * (1 - h * h)
        dh = dsums[t] @ w_hh
    return dsums, dh.copy()
