"""Recurrent layers over whole sequences, and the pointwise part of their cells, for one step."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import kernels
from ..engine.operation import MANY
from ..errors import ShapeError
from . import reduction
from .activation import relu
from .annotations import ArrayLike, Nonlinearity, Tensor
from .arithmetic import square
from .batching import folded, lanes_of, named, over_leading_axes, rank, unfolded, with_lanes
from .checks import floating, parameter
from .declared import op
from .elementary import sigmoid, tanh
from .logic import where
from .matmul import as_rows, linear, matmul, transposed
from .shape import concat, moveaxis, reshape, split, stack, unstack

__all__ = [
    "gru",
    "gru_cell",
    "lstm",
    "lstm_cell",
    "rnn",
]


def _gates(name, what, x, gates, state, h):
    """``x`` as an array (…, gates · hidden), beside the state h (…, hidden)."""
    x = floating(name, what, x)
    if not h.ndim or x.shape != (*h.shape[:-1], gates * h.shape[-1]):
        raise ShapeError(
            f"{name}: {what} must be (…, {gates} · hidden) and {state} (…, hidden), but they are"
            f" {x.shape} and {h.shape}"
        )
    return x


# --- LSTM ------------------------------------------------------------------------------------


@op(outputs=2)
def lstm_cell(gates: ArrayLike, c: ArrayLike) -> tuple[Tensor, Tensor]:
    """The next h and c of an LSTM from c (…, H) and the sums of its gates (…, 4 H).

    The gates i, f, g, o lie in this order, as in PyTorch: c' = σ(f) c + σ(i) tanh(g) and
    h' = σ(o) tanh(c'). (Hochreiter and Schmidhuber 1997; Gers et al. 2000.)

    >>> import tinytensor as tt
    >>> h, c = tt.lstm_cell(tt.zeros((1, 4)), tt.tensor([[2.0]]))
    >>> c
    tensor([[1.]])
    """
    c = floating("lstm_cell", "c", c)
    return kernels.lstm_cell(_gates("lstm_cell", "gates", gates, 4, "c", c), c)


@op(outputs=2)
def lstm_cell_backward(gh, gc, gates, c):
    """The cotangents of gates and c, from those of h' and c'."""
    return kernels.lstm_cell_backward(gh, gc, gates, c)


def _lstm_cell_backward(gh, gc, gates, c):
    i, f, g, o = split(gates, 4, -1)
    i, f, g, o = sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)
    t = tanh(f * c + i * g)
    dc = gc + gh * o * (1 - square(t))
    di, df = dc * g * i * (1 - i), dc * c * f * (1 - f)
    dg, do = dc * i * (1 - square(g)), gh * t * o * (1 - o)
    return concat([di, df, dg, do], axis=-1), dc * f


lstm_cell_backward.defined_by(_lstm_cell_backward)
lstm_cell.grad_all(("gates", "c"), lambda g, gates, c: lstm_cell_backward(g[0], g[1], gates, c))


# --- GRU -------------------------------------------------------------------------------------


@op
def gru_cell(x_gates: ArrayLike, h_gates: ArrayLike, h: ArrayLike) -> Tensor:
    """The next h of a GRU from h (…, H) and the sums of its gates (…, 3 H), of input and of state.

    The gates r, z, n lie in this order, as in PyTorch: n = tanh(xₙ + σ(xᵣ + hᵣ) hₙ) and
    h' = n + σ(x_z + h_z) (h − n). (Cho et al. 2014.)

    >>> import tinytensor as tt
    >>> tt.gru_cell(tt.zeros((1, 3)), tt.zeros((1, 3)), tt.tensor([[2.0]]))
    tensor([[1.]])
    """
    h = floating("gru_cell", "h", h)
    return kernels.gru_cell(
        _gates("gru_cell", "x_gates", x_gates, 3, "h", h),
        _gates("gru_cell", "h_gates", h_gates, 3, "h", h),
        h,
    )


@op(outputs=3)
def gru_cell_backward(g, x_gates, h_gates, h):
    """The cotangents of x_gates, h_gates and h."""
    return kernels.gru_cell_backward(g, x_gates, h_gates, h)


def _gru_cell_backward(g, x_gates, h_gates, h):
    (xr, xz, xn), (hr, hz, hn) = split(x_gates, 3, -1), split(h_gates, 3, -1)
    r, z = sigmoid(xr + hr), sigmoid(xz + hz)
    n = tanh(xn + r * hn)
    dn = g * (1 - z) * (1 - square(n))
    dr, dz = dn * hn * r * (1 - r), g * (h - n) * z * (1 - z)
    return concat([dr, dz, dn], axis=-1), concat([dr, dz, dn * r], axis=-1), g * z


gru_cell_backward.defined_by(_gru_cell_backward)
gru_cell.grad_all(
    ("x_gates", "h_gates", "h"),
    lambda g, x_gates, h_gates, h: gru_cell_backward(g, x_gates, h_gates, h),
)


# --- Sequences -------------------------------------------------------------------------------
# The kernels' backwards end at the cotangents of the gates' sums. The gradients of input, weights
# and biases are products of these and sums over them, for all steps at once. Where an LSTM needs
# those of both weights, one kernel makes all.


def _checked(
    name: str, gates: int, x: Any, states: dict[str, Any], weights: Any, biases: Any, *flags: bool
) -> Any:
    """The arguments of a sequence's kernel: arrays of shapes that fit each other, and flags."""
    x, w_ih, w_hh = (
        floating(name, what, array)
        for what, array in (("x", x), ("w_ih", weights[0]), ("w_hh", weights[1]))
    )
    if x.ndim != 3 or not len(x):
        raise ShapeError(f"{name}: x must be (steps, batch, size), with a step, but is {x.shape}")
    hidden = w_hh.shape[-1] if w_hh.ndim else 0
    if w_hh.shape != (gates * hidden, hidden) or w_ih.shape != (gates * hidden, x.shape[-1]):
        of = f"{gates} · hidden" if gates > 1 else "hidden"
        raise ShapeError(
            f"{name}: for x {x.shape} w_ih must be ({of}, {x.shape[-1]}) and w_hh ({of}, hidden),"
            f" but they are {w_ih.shape} and {w_hh.shape}"
        )
    starts = (parameter(name, what, state, (x.shape[1], hidden)) for what, state in states.items())
    biases = (
        parameter(name, what, bias, (gates * hidden,))
        for what, bias in zip(("b_ih", "b_hh"), biases, strict=True)
    )
    return x, *starts, w_ih, w_hh, *biases, *flags


def _weight_grad(dsums, x):
    """Of a weight whose products with all steps of x are part of the sums."""
    return matmul(transposed(as_rows(dsums)), as_rows(x))


def _recurrent_grad(dsums, hs, h0, reverse):
    """The same where x is the state before each step."""
    dw = _weight_grad(*((dsums[:-1], hs[1:]) if reverse else (dsums[1:], hs[:-1])))
    return dw if h0 is None else dw + matmul(transposed(dsums[-1 if reverse else 0]), h0)


def _bias_grad(dsums):
    return reduction.sum(as_rows(dsums), 0)


def _input_sums(x, w_ih, *biases):
    """The input's part of the sums of each step."""
    bias = None
    for b in biases:
        bias = b if bias is None else bias if b is None else bias + b
    return unstack(linear(x, w_ih, bias))


def _in_order(steps, reverse):
    return steps[::-1] if reverse else steps


def _zeros(state, x, w_hh):
    """A state, zeros if it is None."""
    return np.zeros((x.shape[1], w_hh.shape[-1]), x.dtype) if state is None else state


@op(outputs=3, residuals=("cs", "gates"))
def lstm(
    x: ArrayLike,
    h0: ArrayLike,
    c0: ArrayLike,
    w_ih: ArrayLike,
    w_hh: ArrayLike,
    b_ih: ArrayLike | None = None,
    b_hh: ArrayLike | None = None,
    reverse: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """A layer of :func:`lstm_cell` over a sequence: the states of all steps, and the last h and c.

    x (T, B, I) from h0 and c0 (B, H), or zeros for None, by w_ih (4 H, I), w_hh (4 H, H) and the
    biases (4 H,) gives h (T, B, H), h and c. The sums of the gates are W_ih x + b_ih + W_hh h +
    b_hh. With ``reverse`` the last step is taken first.

    >>> import tinytensor as tt
    >>> hs, h, c = tt.lstm(tt.ones((5, 2, 3)), None, None, tt.ones((16, 3)), tt.ones((16, 4)))
    >>> hs.shape, h.shape, c.shape
    ((5, 2, 4), (2, 4), (2, 4))
    """
    states = {"h0": h0, "c0": c0}
    return kernels.lstm(*_checked("lstm", 4, x, states, (w_ih, w_hh), (b_ih, b_hh), bool(reverse)))


@op(outputs=3)
def lstm_backward(g, gh, gc, x, h0, c0, w_ih, w_hh, b_ih, b_hh, cs, gates, reverse):
    """The cotangents of the sums of the gates (T, B, 4 H), of h0 and of c0."""
    return kernels.lstm_backward(g, gh, gc, c0, w_hh, cs, gates, bool(reverse))


def _lstm_backward(g, gh, gc, x, h0, c0, w_ih, w_hh, b_ih, b_hh, cs, gates, reverse):
    h, c, steps = _zeros(h0, x, w_hh), _zeros(c0, x, w_hh), []
    for sums in _in_order(_input_sums(x, w_ih, b_ih, b_hh), reverse):
        sums = sums + linear(h, w_hh)
        steps.append((sums, c))
        h, c = lstm_cell(sums, c)
    dsums, dh, dc = [], gh, gc
    for (sums, c), g_step in zip(steps[::-1], _in_order(unstack(g), not reverse), strict=True):
        d, dc = lstm_cell_backward(dh + g_step, dc, sums, c)
        dh = matmul(d, w_hh)
        dsums.append(d)
    return stack(_in_order(dsums, not reverse)), dh, dc


@op(outputs=MANY)
def lstm_grads(g, gh, gc, x, h0, c0, w_ih, w_hh, b_ih, b_hh, hs, cs, gates, reverse, of_x):
    """All cotangents of :func:`lstm`: of h0, c0, w_ih, w_hh, a bias, and, if ``of_x``, of x."""
    got = kernels.lstm_grads(g, gh, gc, x, h0, c0, w_ih, w_hh, hs, cs, gates, bool(reverse), of_x)
    return got if of_x else got[:-1]


def _lstm_grads(g, gh, gc, x, h0, c0, w_ih, w_hh, b_ih, b_hh, hs, cs, gates, reverse, of_x):
    args = g, gh, gc, x, h0, c0, w_ih, w_hh, b_ih, b_hh
    dsums, dh0, dc0 = lstm_backward(*args, cs, gates, reverse)
    dw_ih, dw_hh = _weight_grad(dsums, x), _recurrent_grad(dsums, hs, h0, reverse)
    got = dh0, dc0, dw_ih, dw_hh, _bias_grad(dsums)
    return (*got, matmul(dsums, w_ih)) if of_x else got


def _lstm_grad(g, x, h0, c0, w_ih, w_hh, b_ih, b_hh, cs, gates, reverse, out, needs):
    gs, gh, gc = g
    args = gs, gh, gc, x, h0, c0, w_ih, w_hh, b_ih, b_hh
    if needs[3] and needs[4]:
        dh0, dc0, dw_ih, dw_hh, dboth, *dx = lstm_grads(*args, out[0], cs, gates, reverse, needs[0])
        return (dx[0] if dx else None), dh0, dc0, dw_ih, dw_hh, dboth, dboth
    dsums, dh0, dc0 = lstm_backward(*args, cs, gates, reverse)
    db = _bias_grad(dsums) if needs[5] or needs[6] else None
    return (
        matmul(dsums, w_ih) if needs[0] else None,
        dh0,
        dc0,
        _weight_grad(dsums, x) if needs[3] else None,
        _recurrent_grad(dsums, out[0], h0, reverse) if needs[4] else None,
        db,
        db,
    )


lstm_backward.defined_by(_lstm_backward)
lstm_grads.defined_by(_lstm_grads)
lstm.grad_all(("x", "h0", "c0", "w_ih", "w_hh", "b_ih", "b_hh"), _lstm_grad)


@op(outputs=2, residuals=("gates", "inner"))
def gru(
    x: ArrayLike,
    h0: ArrayLike,
    w_ih: ArrayLike,
    w_hh: ArrayLike,
    b_ih: ArrayLike | None = None,
    b_hh: ArrayLike | None = None,
    reverse: bool = False,
) -> tuple[Tensor, Tensor]:
    """A layer of :func:`gru_cell` over a sequence: the states of all steps, and the last one.

    x (T, B, I) from h0 (B, H), or zeros for None, by w_ih (3 H, I), w_hh (3 H, H) and the biases
    (3 H,) gives h (T, B, H) and h. The sums of the gates are W_ih x + b_ih, of the input, and
    W_hh h + b_hh, of the state. With ``reverse`` the last step is taken first.

    >>> import tinytensor as tt
    >>> hs, h = tt.gru(tt.ones((5, 2, 3)), None, tt.ones((12, 3)), tt.ones((12, 4)))
    >>> hs.shape, h.shape
    ((5, 2, 4), (2, 4))
    """
    weights, biases = (w_ih, w_hh), (b_ih, b_hh)
    return kernels.gru(*_checked("gru", 3, x, {"h0": h0}, weights, biases, bool(reverse)))


@op(outputs=3)
def gru_backward(g, gh, x, h0, w_ih, w_hh, b_ih, b_hh, hs, gates, inner, reverse):
    """The cotangents of the input's sums r, z, n (T, B, 3 H), of the state's for n, and of h0."""
    return kernels.gru_backward(g, gh, h0, w_hh, hs, gates, inner, bool(reverse))


def _gru_backward(g, gh, x, h0, w_ih, w_hh, b_ih, b_hh, hs, gates, inner, reverse):
    h, steps = _zeros(h0, x, w_hh), []
    for x_sums in _in_order(_input_sums(x, w_ih, b_ih), reverse):
        h_sums = linear(h, w_hh, b_hh)
        steps.append((x_sums, h_sums, h))
        h = gru_cell(x_sums, h_sums, h)
    dsums, dinner, dh = [], [], gh
    for step, g_step in zip(steps[::-1], _in_order(unstack(g), not reverse), strict=True):
        dx, d, around = gru_cell_backward(dh + g_step, *step)
        dh = around + matmul(d, w_hh)
        dsums.append(dx)
        dinner.append(split(d, 3, -1)[2])
    return *(stack(_in_order(d, not reverse)) for d in (dsums, dinner)), dh


def _gru_grad(g, x, h0, w_ih, w_hh, b_ih, b_hh, gates, inner, reverse, out, needs):
    gs, gh = g
    dsums, dinner, dh0 = gru_backward(
        gs, gh, x, h0, w_ih, w_hh, b_ih, b_hh, out[0], gates, inner, reverse
    )
    dw_hh: Any = None
    db_ih: Any = None
    db_hh: Any = None
    size = 2 * dinner.shape[-1]
    if needs[3]:
        parts = (_recurrent_grad(d, out[0], h0, reverse) for d in (dsums[..., :size], dinner))
        dw_hh = concat([*parts])
    if needs[4] or needs[5]:
        db_ih = _bias_grad(dsums)
    if needs[5]:
        db_hh = concat([db_ih[:size], _bias_grad(dinner)])
    return (
        matmul(dsums, w_ih) if needs[0] else None,
        dh0,
        _weight_grad(dsums, x) if needs[2] else None,
        dw_hh,
        db_ih,
        db_hh,
    )


gru_backward.defined_by(_gru_backward)
gru.grad_all(("x", "h0", "w_ih", "w_hh", "b_ih", "b_hh"), _gru_grad)

NONLINEARITIES = {"tanh": tanh, "relu": relu}


@op(outputs=2)
def rnn(
    x: ArrayLike,
    h0: ArrayLike,
    w_ih: ArrayLike,
    w_hh: ArrayLike,
    b_ih: ArrayLike | None = None,
    b_hh: ArrayLike | None = None,
    nonlinearity: Nonlinearity = "tanh",
    reverse: bool = False,
) -> tuple[Tensor, Tensor]:
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh) over a sequence, or relu for tanh.

    x (T, B, I) from h0 (B, H), or zeros for None, by w_ih (H, I), w_hh (H, H) and the biases (H,)
    gives h (T, B, H) of all steps, and the last one. With ``reverse`` the last step is taken first.
    (Elman 1990.)

    >>> import tinytensor as tt
    >>> hs, h = tt.rnn(tt.ones((5, 2, 3)), None, tt.ones((4, 3)), tt.ones((4, 4)))
    >>> hs.shape, h.shape
    ((5, 2, 4), (2, 4))
    """
    if nonlinearity not in NONLINEARITIES:
        raise ValueError(f"rnn: nonlinearity is 'tanh' or 'relu', not {nonlinearity!r}")
    weights, biases = (w_ih, w_hh), (b_ih, b_hh)
    flags = (nonlinearity == "relu", bool(reverse))
    return kernels.rnn(*_checked("rnn", 1, x, {"h0": h0}, weights, biases, *flags))


@op(outputs=2)
def rnn_backward(g, gh, w_hh, hs, nonlinearity, reverse):
    """The cotangents of the sums (T, B, H) and of h0."""
    return kernels.rnn_backward(g, gh, w_hh, hs, nonlinearity == "relu", bool(reverse))


def _rnn_backward(g, gh, w_hh, hs, nonlinearity, reverse):
    dsums, dh = [], gh
    for h, g_step in zip(*(_in_order(unstack(x), not reverse) for x in (hs, g)), strict=True):
        dh = dh + g_step
        dsums.append(where(h > 0, dh, 0.0) if nonlinearity == "relu" else dh * (1 - square(h)))
        dh = matmul(dsums[-1], w_hh)
    return stack(_in_order(dsums, not reverse)), dh


def _rnn_grad(g, x, h0, w_ih, w_hh, nonlinearity, reverse, out, needs):
    gs, gh = g
    dsums, dh0 = rnn_backward(gs, gh, w_hh, out[0], nonlinearity, reverse)
    db = _bias_grad(dsums) if needs[4] or needs[5] else None
    return (
        matmul(dsums, w_ih) if needs[0] else None,
        dh0,
        _weight_grad(dsums, x) if needs[2] else None,
        _recurrent_grad(dsums, out[0], h0, reverse) if needs[3] else None,
        db,
        db,
    )


rnn_backward.defined_by(_rnn_backward)
rnn.grad_all(("x", "h0", "w_ih", "w_hh", "b_ih", "b_hh"), _rnn_grad)


# --- Lanes of a vmap: shared weights fold lanes into sequences ---------------------------------

lstm_cell.batched(over_leading_axes(2))
lstm_cell_backward.batched(over_leading_axes(4))
gru_cell.batched(over_leading_axes(3))
gru_cell_backward.batched(over_leading_axes(4))


def _sequence_lanes(op, args, mapped, static):
    """Of the layers and their backward ops: arrays of 3 axes are (T, B, …), those of 2 (B, …)."""
    lanes, folds = lanes_of(args, mapped), []
    for (name, x), has_lanes in zip(named(op, args).items(), mapped, strict=True):
        weight, ndim = name[:2] in ("w_", "b_"), rank(x, has_lanes)
        if has_lanes and (weight or ndim not in (2, 3)):
            return NotImplemented
        if weight or ndim < 2:
            folds.append(x)
            continue
        x = with_lanes(x, has_lanes, lanes)
        if ndim == 3:
            x = moveaxis(x, 0, 1)
            x = reshape(x, (x.shape[0], lanes * x.shape[2], x.shape[3]))
        else:
            x = folded(x)
        folds.append(x)
    return tuple(_of_sequences(x, lanes) for x in op(*folds))


def _of_sequences(x, lanes):
    if x.ndim == 2:
        return unfolded(x, lanes)
    return moveaxis(reshape(x, (x.shape[0], lanes, x.shape[1] // max(lanes, 1), x.shape[2])), 1, 0)


for _op in (lstm, gru, rnn, lstm_backward, gru_backward, rnn_backward):
    _op.batched(_sequence_lanes)
