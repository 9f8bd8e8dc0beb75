"""Recurrent layers.

A layer runs over x (T, B, I), in time's order or against it, in one direction. Biases may be None,
and so may the states before the first step, which then have no part in it. With ``sizes`` x is
packed (Σ sizes, I): the rows of step t, sizes[t] of them, belong to the first sequences, which grow
no longer. Sequences without a step keep their states.
"""

from itertools import pairwise

import numpy as np

from .gemm import linear
from .maps import sigmoid
from .promotion import promoting

__all__ = [
    "gru",
    "gru_backward",
    "lstm",
    "lstm_backward",
    "lstm_grads",
    "rnn",
    "rnn_backward",
    "rows_before",
    "taken_steps",
]


def step_offsets(x, sizes):
    """Where the rows of each step begin in x, packed or (T, B, …), and where the last ones end."""
    if sizes is None:
        return np.arange(len(x) + 1) * x.shape[1]
    return np.concatenate([[0], np.cumsum(sizes)])


def _rows(x, sizes):
    """x with its steps below each other."""
    return x if sizes is not None else x.reshape(x.shape[0] * x.shape[1], *x.shape[2:])


def _like(x, rows, sizes):
    """Rows, as x is laid out."""
    return rows if sizes is not None else rows.reshape(*x.shape[:2], *rows.shape[1:])


def taken_steps(x, sizes, reverse):
    """For each step, as they are taken, its rows, and those of the same sequences in the step
    before it: fewer rows if some begin here."""
    offsets = step_offsets(x, sizes).tolist()
    spans = [slice(*span) for span in pairwise(offsets)]
    steps, before = [], slice(0, 0)
    for now in reversed(spans) if reverse else spans:
        known = min(now.stop - now.start, before.stop - before.start)
        steps.append((now, slice(before.start, before.start + known)))
        before = now
    return steps


def _input_gates(x, weight, biases, others):
    """The input's part of the sums of the gates, for all steps, in a new array."""
    dtype = np.result_type(x, weight, *(a for a in (*biases, *others) if a is not None))
    gates = linear(x, weight).astype(dtype)
    for bias in biases:
        if bias is not None:
            gates += bias
    return gates


def _start(state, x, sizes, hidden, dtype):
    """The states (B, H) from which sequences begin, in a new array."""
    if state is not None:
        return state.astype(dtype)
    return np.zeros((x.shape[1] if sizes is None else max([*sizes, 0]), hidden), dtype)


def _count(rows):
    return rows.stop - rows.start


def _state_sums(h, h0, w_hh, now, before):
    """The state's part of a step's sums: nothing for sequences that begin here, from None."""
    sums = np.zeros((_count(now), len(w_hh)), h.dtype)
    some = _count(before if h0 is None else now)
    sums[:some] = h[:some] @ w_hh.T
    return sums


def rows_before(sizes, reverse):
    """Of each packed row that of the step before it, in the order in which steps are taken. Where
    its sequence begins it is one of further rows behind them, a row for each sequence."""
    sizes = np.asarray(sizes, np.int64)
    rows = np.arange(sizes.sum())
    beside = np.append(sizes, 0)[1:] if reverse else np.insert(sizes, 0, 0)[:-1]
    sequence = rows - np.repeat(np.cumsum(sizes) - sizes, sizes)
    before = rows + np.repeat(sizes, sizes) if reverse else rows - np.repeat(beside, sizes)
    return np.where(sequence < np.repeat(beside, sizes), before, len(rows) + sequence)


def _states_before(states, start, sizes, reverse):
    """Of each row of states that of the step before it, or where it begins: 0 from None."""
    rows = _rows(states, sizes)
    at = rows_before(np.diff(step_offsets(states, sizes)), reverse)
    if start is None:
        start = np.zeros((at.max(initial=0) + 1, rows.shape[1]), rows.dtype)
    return np.concatenate([rows, start])[at]


@promoting(but=("sizes",))
def lstm(x, h0, c0, w_ih, w_hh, b_ih, b_hh, reverse, sizes=None):
    """The states h (T, B, H), the last h and c, all c, and the gates i, f, g, o (T, B, 4 H)."""
    gates = _rows(_input_gates(x, w_ih, (b_ih, b_hh), (h0, c0, w_hh)), sizes)
    hs, cs = (np.empty((len(gates), w_hh.shape[1]), gates.dtype) for _ in range(2))
    h, c = (_start(state, x, sizes, w_hh.shape[1], gates.dtype) for state in (h0, c0))
    for now, before in taken_steps(x, sizes, reverse):
        n = _count(now)
        sums = gates[now] + _state_sums(h, h0, w_hh, now, before)
        i, f, g, o = np.split(sums, 4, axis=-1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        some = _count(before) if c0 is None else n
        kept = f[:some] * c[:some]
        c[:n] = i * g
        c[:some] += kept
        h[:n] = o * np.tanh(c[:n])
        hs[now], cs[now], gates[now] = h[:n], c[:n], np.concatenate([i, f, g, o], axis=-1)
    return _like(x, hs, sizes), h, c, _like(x, cs, sizes), _like(x, gates, sizes)


@promoting(but=("sizes",))
def lstm_backward(g, gh, gc, c0, w_hh, cs, gates, reverse, sizes=None):
    """The cotangents of the sums of the gates, of h0 and of c0, from those of hs and the last."""
    steps, before = taken_steps(cs, sizes, reverse), _states_before(cs, c0, sizes, reverse)
    gates, g, all_c = _rows(gates, sizes), _rows(g, sizes), _rows(cs, sizes)
    dgates, dh, dc = np.empty_like(gates), gh.astype(gates.dtype), gc.astype(gates.dtype)
    for now, _ in reversed(steps):
        some = slice(0, _count(now))
        i, f, n, o = np.split(gates[now], 4, axis=-1)
        d, tanh_c = dh[some] + g[now], np.tanh(all_c[now])
        dc[some] += d * o * (1 - tanh_c * tanh_c)
        dgates[now] = np.concatenate(
            [
                dc[some] * n * i * (1 - i),
                dc[some] * before[now] * f * (1 - f),
                dc[some] * i * (1 - n * n),
                d * tanh_c * o * (1 - o),
            ],
            axis=-1,
        )
        dh[some], dc[some] = dgates[now] @ w_hh, dc[some] * f
    return _like(cs, dgates, sizes), dh, dc


@promoting(but=("sizes",))
def lstm_grads(g, gh, gc, x, h0, c0, w_ih, w_hh, hs, cs, gates, reverse, of_x, sizes=None):
    """The cotangents of h0, c0, w_ih, w_hh and the bias, and of x if it is asked for, or None."""
    dgates, dh0, dc0 = lstm_backward(g, gh, gc, c0, w_hh, cs, gates, reverse, sizes)
    rows = _rows(dgates, sizes)
    dw_ih = rows.T @ _rows(x, sizes)
    before = _states_before(hs, h0, sizes, reverse)
    if h0 is None and sizes is None:  # the first step has no part in it
        going_on = rows_before(np.diff(step_offsets(hs, sizes)), reverse) < len(rows)
        dw_hh = rows[going_on].T @ before[going_on]
    else:
        dw_hh = rows.T @ before
    return dh0, dc0, dw_ih, dw_hh, rows.sum(0), dgates @ w_ih if of_x else None


@promoting(but=("sizes",))
def gru(x, h0, w_ih, w_hh, b_ih, b_hh, reverse, sizes=None):
    """The states h (T, B, H), the last one, the gates r, z, n, and n's part from the state."""
    gates = _rows(_input_gates(x, w_ih, (b_ih,), (h0, w_hh, b_hh)), sizes)
    hs, inner = (np.empty((len(gates), w_hh.shape[1]), gates.dtype) for _ in range(2))
    h = _start(h0, x, sizes, w_hh.shape[1], gates.dtype)
    for now, before in taken_steps(x, sizes, reverse):
        some = slice(0, _count(now))
        sums = _state_sums(h, h0, w_hh, now, before)
        if b_hh is not None:
            sums = sums + b_hh
        (xr, xz, xn), (hr, hz, hn) = np.split(gates[now], 3, -1), np.split(sums, 3, -1)
        r, z = sigmoid(xr + hr), sigmoid(xz + hz)
        n = np.tanh(xn + r * hn)
        h[some] = n + z * (h[some] - n)
        hs[now], gates[now], inner[now] = h[some], np.concatenate([r, z, n], axis=-1), hn
    return _like(x, hs, sizes), h, _like(x, gates, sizes), _like(x, inner, sizes)


@promoting(but=("sizes",))
def gru_backward(g, gh, h0, w_hh, hs, gates, inner, reverse, sizes=None):
    """The cotangents of the input's sums (r, z, n), of n's part from the state, and of h0."""
    steps, before = taken_steps(hs, sizes, reverse), _states_before(hs, h0, sizes, reverse)
    gates, g, inner = _rows(gates, sizes), _rows(g, sizes), _rows(inner, sizes)
    dgates, dinner, dh = np.empty_like(gates), np.empty_like(inner), gh.astype(gates.dtype)
    for now, _ in reversed(steps):
        some = slice(0, _count(now))
        r, z, n = np.split(gates[now], 3, axis=-1)
        d = dh[some] + g[now]
        dn = d * (1 - z) * (1 - n * n)
        dr, dz = dn * inner[now] * r * (1 - r), d * (before[now] - n) * z * (1 - z)
        dgates[now], dinner[now] = np.concatenate([dr, dz, dn], axis=-1), dn * r
        dh[some] = d * z + np.concatenate([dr, dz, dinner[now]], axis=-1) @ w_hh
    return _like(hs, dgates, sizes), _like(hs, dinner, sizes), dh


@promoting(but=("sizes",))
def rnn(x, h0, w_ih, w_hh, b_ih, b_hh, relu, reverse, sizes=None):
    """The states h (T, B, H), and the last one."""
    hs = _rows(_input_gates(x, w_ih, (b_ih, b_hh), (h0, w_hh)), sizes)
    h = _start(h0, x, sizes, w_hh.shape[1], hs.dtype)
    for now, before in taken_steps(x, sizes, reverse):
        sums = hs[now] + _state_sums(h, h0, w_hh, now, before)
        hs[now] = h[: len(sums)] = np.maximum(sums, 0) if relu else np.tanh(sums)
    return _like(x, hs, sizes), h


@promoting(but=("sizes",))
def rnn_backward(g, gh, w_hh, hs, relu, reverse, sizes=None):
    """The cotangents of the sums and of h0."""
    steps, all_h, g = taken_steps(hs, sizes, reverse), _rows(hs, sizes), _rows(g, sizes)
    dsums, dh = np.empty_like(all_h), gh.astype(hs.dtype)
    for now, _ in reversed(steps):
        h, some = all_h[now], slice(0, _count(now))
        d = dh[some] + g[now]
        dsums[now] = np.where(h > 0, d, 0) if relu else d * (1 - h * h)
        dh[some] = dsums[now] @ w_hh
    return _like(hs, dsums, sizes), dh
