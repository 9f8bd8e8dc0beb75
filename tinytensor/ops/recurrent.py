"""Recurrent layers over whole sequences."""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np

from .. import kernels
from ..engine.operation import MANY
from ..errors import ShapeError
from ..kernels.reference.promotion import promoting
from . import reduction
from .activation import relu
from .annotations import ArrayLike, Nonlinearity, Tensor
from .arithmetic import square
from .batching import folded, lanes_of, named, rank, unfolded, with_lanes
from .cells import gru_cell, gru_cell_cotangents, lstm_cell, lstm_cell_cotangents
from .checks import floating, parameter
from .declared import op
from .elementary import tanh
from .indexing import take
from .logic import where
from .matmul import as_rows, linear, matmul, transposed
from .packing import (
    Packing,
    batch_sizes_of,
    lengths_of,
    packed_rows,
    packing,
    padded_rows,
    sorted_states,
    unsorted_states,
)
from .shape import concat, moveaxis, reshape, split, stack, unstack

__all__ = [
    "gru",
    "lstm",
    "lstm_projected",
    "rnn",
]


# The kernels' backwards end at the cotangents of the gates' sums. The gradients of input, weights
# and biases are products of these and sums over them, for all steps at once. Where an LSTM needs
# those of both weights, one kernel makes all.
#
# Sequences of several lengths are packed, so that a kernel is given no padding, and its gradients
# are products over real steps alone: what padding holds, NaN too, has no part in anything. Of x
# (T, B, …) and its like the kernels and the backward ops take then rows (Σ lengths, …), beside the
# ``sizes`` of the steps.
#
# The formulas take the backward of a cell as a formula, too: as an op, each step's would look
# through the graph of all steps.


class _Call(NamedTuple):
    """What a layer's kernel is given, and how its sequences are packed, if they are."""

    arguments: tuple[Any, ...]
    packing: Packing | None
    shape: tuple[int, int]  # steps and sequences of x

    def results(self, sequence: Any, *states: Any) -> tuple[Any, ...]:
        """The states of all steps and the last ones, laid out as x and the first states were."""
        found = self.packing
        if found is None or found.rows is None:
            return sequence, *states
        padded = padded_rows.forward(sequence, found.rows, self.shape)
        return padded, *(state[found.back] for state in states)


def _checked(
    name: str,
    gates: int,
    x: Any,
    states: dict[str, Any],
    weights: Any,
    biases: Any,
    flags: tuple[bool, ...],
    lengths: Any,
    batch_sizes: Any,
) -> _Call:
    """The call of a sequence's kernel: arrays of shapes that fit each other, and flags."""
    x, w_ih, w_hh = (
        floating(name, what, array)
        for what, array in (("x", x), ("w_ih", weights[0]), ("w_hh", weights[1]))
    )
    found: Packing | None = None
    if batch_sizes is not None:
        if lengths is not None or x.ndim != 2:
            raise ShapeError(
                f"{name}: with batch_sizes, and no lengths, x must be packed (rows, size), but is"
                f" {x.shape}"
            )
        found = Packing(batch_sizes_of(name, batch_sizes, len(x)))
        steps, batch = len(found.sizes), int(found.sizes.max(initial=0))
    elif x.ndim != 3 or not len(x):
        raise ShapeError(f"{name}: x must be (steps, batch, size), with a step, but is {x.shape}")
    else:
        steps, batch = x.shape[:2]
        if lengths is not None:
            found = packing(lengths_of(name, lengths, steps, batch))
    projected = [floating(name, "w_hr", w) for w in weights[2:]]
    out = w_hh.shape[-1] if w_hh.ndim else 0
    hidden = projected[0].shape[-1] if projected and projected[0].ndim else out
    if w_hh.shape != (gates * hidden, out) or w_ih.shape != (gates * hidden, x.shape[-1]):
        of = f"{gates} · hidden" if gates > 1 else "hidden"
        raise ShapeError(
            f"{name}: for x {x.shape} w_ih must be ({of}, {x.shape[-1]}) and w_hh ({of},"
            f" {'projected' if projected else 'hidden'}), but they are {w_ih.shape} and"
            f" {w_hh.shape}"
        )
    for w_hr in projected:
        parameter(name, "w_hr", w_hr, (out, hidden))
    size = {"h0": out, "c0": hidden}
    starts = [parameter(name, what, s, (batch, size[what])) for what, s in states.items()]
    biases = (
        parameter(name, what, bias, (gates * hidden,))
        for what, bias in zip(("b_ih", "b_hh"), biases, strict=True)
    )
    if found is not None and found.rows is not None:
        x = packed_rows.forward(x, found.rows)
        starts = [s if s is None else s[found.order] for s in starts]
        if batch > found.sizes.max(initial=0):  # some have no step, and keep their states
            starts = [
                np.zeros((batch, n), x.dtype) if s is None else s
                for s, n in zip(starts, size.values(), strict=False)
            ]
    arguments = (x, *starts, w_ih, w_hh, *projected, *biases, *flags, _sizes(found))
    return _Call(arguments, found, (steps, batch))


def _packed(arrays, found):
    """Arrays (T, B, …) as their backward ops take them."""
    if found is None or found.rows is None:
        return arrays
    return tuple(packed_rows(x, found.rows) for x in arrays)


def _sizes(found):
    return None if found is None else found.sizes


def _input_grad(dsums, w_ih, found, shape):
    """The cotangent of x; of padding it is 0."""
    return _padded(matmul(dsums, w_ih), found, shape)


def _padded(dx, found, shape):
    return dx if found is None or found.rows is None else padded_rows(dx, found.rows, shape[:2])


def _weight_grad(dsums, x):
    """Of a weight whose products with all steps of x are part of the sums."""
    return matmul(transposed(as_rows(dsums)), as_rows(x))


def _recurrent_grad(dsums, hs, h0, reverse, sizes):
    """The same where x is the state before each step."""
    if sizes is not None:
        at = kernels.rows_before(sizes, reverse)
        if h0 is None:
            going_on = np.flatnonzero(at < len(hs))
            return _weight_grad(take(dsums, going_on, 0), take(hs, at[going_on], 0))
        return _weight_grad(dsums, take(concat([hs, h0]), at, 0))
    dw = _weight_grad(*((dsums[:-1], hs[1:]) if reverse else (dsums[1:], hs[:-1])))
    return dw if h0 is None else dw + matmul(transposed(dsums[-1 if reverse else 0]), h0)


def _bias_grad(dsums):
    return reduction.sum(as_rows(dsums), 0)


def _input_sums(x, w_ih, sizes, *biases):
    """The input's part of the sums of each step."""
    bias = None
    for b in biases:
        bias = b if bias is None else bias if b is None else bias + b
    return _unrolled(linear(x, w_ih, bias), sizes)


def _unrolled(x, sizes):
    """The steps of x, packed or not."""
    if sizes is None:
        return unstack(x)
    return split(x, np.cumsum(sizes)[:-1].tolist()) if len(sizes) else ()


def _rolled(steps, like, sizes):
    """Steps, in time's order, laid out as they were in an array ``like`` that."""
    if sizes is None:
        return stack(steps)
    return concat(steps) if steps else like


def _in_order(steps, reverse):
    return steps[::-1] if reverse else steps


def _onto(state, new):
    """The state with the first rows replaced: those of the sequences that have this step."""
    return new if len(new) == len(state) else concat([new, state[len(new) :]])


def _zeros(state, like):
    """A state, zeros as of ``like`` if it is None."""
    return np.zeros(like.shape, like.dtype) if state is None else state


@op(outputs=3, residuals=("cs", "gates", "packing"))
def lstm(
    x: ArrayLike,
    h0: ArrayLike,
    c0: ArrayLike,
    w_ih: ArrayLike,
    w_hh: ArrayLike,
    b_ih: ArrayLike | None = None,
    b_hh: ArrayLike | None = None,
    reverse: bool = False,
    lengths: ArrayLike | None = None,
    batch_sizes: ArrayLike | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """A layer of :func:`lstm_cell` over a sequence: the states of all steps, and the last h and c.

    x (T, B, I) from h0 and c0 (B, H), or zeros for None, by w_ih (4 H, I), w_hh (4 H, H) and the
    biases (4 H,) gives h (T, B, H), h and c. The sums of the gates are W_ih x + b_ih + W_hh h +
    b_hh. With ``reverse`` the last step is taken first.

    ``lengths`` (B,), integers from 0 to T in any order, end the sequences: behind its own end h is
    0, the last states are those at each sequence's own end (the first ones of a length of 0), and
    ``reverse`` starts there. Padding costs nothing, and what it holds, NaN too, touches neither
    outputs nor gradients; the gradient of x is 0 there. Or x is packed (Σ batch_sizes, I), as in a
    PackedSequence: ``batch_sizes`` (T,) says how many of the B sequences, the first ones, have a
    step t; then h is packed too.

    >>> import tinytensor as tt
    >>> hs, h, c = tt.lstm(tt.ones((5, 2, 3)), None, None, tt.ones((16, 3)), tt.ones((16, 4)))
    >>> hs.shape, h.shape, c.shape
    ((5, 2, 4), (2, 4), (2, 4))
    """
    states, weights, biases = {"h0": h0, "c0": c0}, (w_ih, w_hh), (b_ih, b_hh)
    flags = (bool(reverse),)
    call = _checked("lstm", 4, x, states, weights, biases, flags, lengths, batch_sizes)
    hs, h, c, cs, gates = kernels.lstm(*call.arguments)
    return *call.results(hs, h, c), cs, gates, call.packing


@op(outputs=3)
def lstm_backward(g, gh, gc, x, h0, c0, w_ih, w_hh, b_ih, b_hh, cs, gates, reverse, sizes):
    """The cotangents of the sums of the gates (T, B, 4 H), of h0 and of c0."""
    return kernels.lstm_backward(g, gh, gc, c0, w_hh, cs, gates, bool(reverse), sizes)


def _lstm_backward(g, gh, gc, x, h0, c0, w_ih, w_hh, b_ih, b_hh, cs, gates, reverse, sizes):
    h, c, steps = _zeros(h0, gh), _zeros(c0, gc), []
    sums_of_x = _input_sums(x, w_ih, sizes, b_ih, b_hh)
    for sums in _in_order(sums_of_x, reverse):
        n = len(sums)
        sums = sums + linear(h[:n], w_hh)
        steps.append((sums, c[:n]))
        h, c = map(_onto, (h, c), lstm_cell(*steps[-1]))
    dsums, dh, dc = [], gh, gc
    for (sums, c), g_step in zip(
        steps[::-1], _in_order(_unrolled(g, sizes), not reverse), strict=True
    ):
        n = len(sums)
        d, dc_step = lstm_cell_cotangents(dh[:n] + g_step, dc[:n], sums, c)
        dh, dc = _onto(dh, matmul(d, w_hh)), _onto(dc, dc_step)
        dsums.append(d)
    return _rolled(_in_order(dsums, not reverse), gates, sizes), dh, dc


@op(outputs=MANY)
def lstm_grads(g, gh, gc, x, h0, c0, w_ih, w_hh, b_ih, b_hh, hs, cs, gates, reverse, of_x, sizes):
    """All cotangents of :func:`lstm`: of h0, c0, w_ih, w_hh, a bias, and, if ``of_x``, of x."""
    got = kernels.lstm_grads(
        g, gh, gc, x, h0, c0, w_ih, w_hh, hs, cs, gates, bool(reverse), of_x, sizes
    )
    return got if of_x else got[:-1]


def _lstm_grads(g, gh, gc, x, h0, c0, w_ih, w_hh, b_ih, b_hh, hs, cs, gates, reverse, of_x, sizes):
    args = g, gh, gc, x, h0, c0, w_ih, w_hh, b_ih, b_hh
    dsums, dh0, dc0 = lstm_backward(*args, cs, gates, reverse, sizes)
    dw_ih, dw_hh = _weight_grad(dsums, x), _recurrent_grad(dsums, hs, h0, reverse, sizes)
    got = dh0, dc0, dw_ih, dw_hh, _bias_grad(dsums)
    return (*got, matmul(dsums, w_ih)) if of_x else got


def _lstm_grad(g, x, h0, c0, w_ih, w_hh, b_ih, b_hh, cs, gates, packing, reverse, out, needs):
    shape, sizes = x.shape, _sizes(packing)
    gs, x, hs = _packed((g[0], x, out[0]), packing)
    gh, gc, h0, c0 = sorted_states((*g[1:], h0, c0), packing)
    args = gs, gh, gc, x, h0, c0, w_ih, w_hh, b_ih, b_hh
    if needs[3] and needs[4]:
        dh0, dc0, dw_ih, dw_hh, dboth, *dxs = lstm_grads(
            *args, hs, cs, gates, reverse, needs[0], sizes
        )
        dx = _padded(dxs[0], packing, shape) if dxs else None
        return dx, *unsorted_states((dh0, dc0), packing), dw_ih, dw_hh, dboth, dboth
    dsums, dh0, dc0 = lstm_backward(*args, cs, gates, reverse, sizes)
    db = _bias_grad(dsums) if needs[5] or needs[6] else None
    return (
        _input_grad(dsums, w_ih, packing, shape) if needs[0] else None,
        *unsorted_states((dh0, dc0), packing),
        _weight_grad(dsums, x) if needs[3] else None,
        _recurrent_grad(dsums, hs, h0, reverse, sizes) if needs[4] else None,
        db,
        db,
    )


lstm_backward.defined_by(_lstm_backward)
lstm_grads.defined_by(_lstm_grads)
lstm.grad_all(("x", "h0", "c0", "w_ih", "w_hh", "b_ih", "b_hh"), _lstm_grad)


# An LSTM whose state is projected: step by step, of the kernels of a cell and of products.


@op(outputs=3, residuals=("cs", "sums", "packing"))
@promoting(but=("lengths", "batch_sizes"))
def lstm_projected(
    x: ArrayLike,
    h0: ArrayLike,
    c0: ArrayLike,
    w_ih: ArrayLike,
    w_hh: ArrayLike,
    w_hr: ArrayLike,
    b_ih: ArrayLike | None = None,
    b_hh: ArrayLike | None = None,
    reverse: bool = False,
    lengths: ArrayLike | None = None,
    batch_sizes: ArrayLike | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """:func:`lstm` whose outputs, and states h, are w_hr (P, H) times what its cells give.

    h0 is (B, P), c0 (B, H), w_ih (4 H, I), w_hh (4 H, P); h (T, B, P), the last h and c come of it.
    (Sak, Senior and Beaufays 2014.)

    >>> import tinytensor as tt
    >>> weights = tt.ones((16, 3)), tt.ones((16, 2)), tt.ones((2, 4))
    >>> hs, h, c = tt.lstm_projected(tt.ones((5, 2, 3)), None, None, *weights)
    >>> hs.shape, h.shape, c.shape
    ((5, 2, 2), (2, 2), (2, 4))
    """
    states, weights, biases = {"h0": h0, "c0": c0}, (w_ih, w_hh, w_hr), (b_ih, b_hh)
    name, flags = "lstm_projected", (bool(reverse),)
    call = _checked(name, 4, x, states, weights, biases, flags, lengths, batch_sizes)
    x, h0, c0, w_ih, w_hh, w_hr, b_ih, b_hh, reverse, sizes = call.arguments
    bias = b_ih if b_hh is None else b_hh if b_ih is None else b_ih + b_hh
    sums = kernels.linear(x, w_ih, bias)
    others = [a for a in (h0, c0, w_hh, w_hr) if a is not None]
    sums = sums.astype(np.result_type(sums, *others), copy=False)
    shape, rows = sums.shape, sums.reshape(prod(sums.shape[:-1]), len(w_hh))
    batch = call.shape[1]
    h, c = (
        np.zeros((batch, n), sums.dtype) if state is None else state.astype(sums.dtype)
        for state, n in ((h0, len(w_hr)), (c0, w_hr.shape[1]))
    )
    hs, cs = (np.empty((len(rows), state.shape[1]), sums.dtype) for state in (h, c))
    for now, _ in kernels.taken_steps(x, sizes, reverse):
        n = now.stop - now.start
        rows[now] += kernels.linear(h[:n], w_hh)
        inner, c[:n] = kernels.lstm_cell(rows[now], c[:n])
        h[:n] = kernels.linear(inner, w_hr)
        hs[now], cs[now] = h[:n], c[:n]
    hs, cs = (a.reshape(*shape[:-1], a.shape[1]) for a in (hs, cs))
    return *call.results(hs, h, c), cs, sums, call.packing


@op(outputs=4)
@promoting(but=("sizes",))
def lstm_projected_backward(
    g, gh, gc, x, h0, c0, w_ih, w_hh, w_hr, b_ih, b_hh, cs, sums, reverse, sizes
):
    """The cotangents of the sums of the gates, of h0 and c0, and of w_hr."""
    flat = [a.reshape(prod(a.shape[:-1]), a.shape[-1]) for a in (g, cs, sums)]
    (g, states, rows), dsums = flat, np.empty_like(sums)
    dflat, dh, dc, dhs = dsums.reshape(rows.shape), gh.copy(), gc.copy(), np.empty_like(flat[0])
    start = np.zeros(gc.shape, cs.dtype) if c0 is None else c0
    per_step = np.full(len(x), x.shape[1]) if sizes is None else sizes
    before = np.concatenate([states, start])[kernels.rows_before(per_step, reverse)]
    for now, _ in reversed(kernels.taken_steps(x, sizes, reverse)):
        n = now.stop - now.start
        dhs[now] = dh[:n] + g[now]
        d, dc[:n] = kernels.lstm_cell_backward(
            kernels.matmul(dhs[now], w_hr), dc[:n], rows[now], before[now]
        )
        dflat[now], dh[:n] = d, kernels.matmul(d, w_hh)
    inner, _ = kernels.lstm_cell(rows, before)
    return dsums, dh, dc, kernels.matmul(dhs.T, inner)


def _lstm_projected_backward(
    g, gh, gc, x, h0, c0, w_ih, w_hh, w_hr, b_ih, b_hh, cs, sums, reverse, sizes
):
    h, c, steps, inner = _zeros(h0, gh), _zeros(c0, gc), [], []
    for sums_of_x in _in_order(_input_sums(x, w_ih, sizes, b_ih, b_hh), reverse):
        n = len(sums_of_x)
        steps.append((sums_of_x + linear(h[:n], w_hh), c[:n]))
        one, c_step = lstm_cell(*steps[-1])
        inner.append(one)
        h, c = _onto(h, linear(one, w_hr)), _onto(c, c_step)
    dsums, dhs, dh, dc = [], [], gh, gc
    for step, g_step in zip(steps[::-1], _in_order(_unrolled(g, sizes), not reverse), strict=True):
        n = len(g_step)
        dhs.append(dh[:n] + g_step)
        d, dc_step = lstm_cell_cotangents(matmul(dhs[-1], w_hr), dc[:n], *step)
        dh, dc = _onto(dh, matmul(d, w_hh)), _onto(dc, dc_step)
        dsums.append(d)
    found = [concat(a) if a else like for a, like in ((dhs[::-1], g), (inner, cs))]
    dw_hr = _weight_grad(*(as_rows(a) for a in found))
    return _rolled(_in_order(dsums, not reverse), sums, sizes), dh, dc, dw_hr


def _lstm_projected_grad(
    g, x, h0, c0, w_ih, w_hh, w_hr, b_ih, b_hh, cs, sums, packing, reverse, out, needs
):
    shape, sizes = x.shape, _sizes(packing)
    gs, x, hs = _packed((g[0], x, out[0]), packing)
    gh, gc, h0, c0 = sorted_states((*g[1:], h0, c0), packing)
    dsums, dh0, dc0, dw_hr = lstm_projected_backward(
        gs, gh, gc, x, h0, c0, w_ih, w_hh, w_hr, b_ih, b_hh, cs, sums, reverse, sizes
    )
    db = _bias_grad(dsums) if needs[6] or needs[7] else None
    return (
        _input_grad(dsums, w_ih, packing, shape) if needs[0] else None,
        *unsorted_states((dh0, dc0), packing),
        _weight_grad(dsums, x) if needs[3] else None,
        _recurrent_grad(dsums, hs, h0, reverse, sizes) if needs[4] else None,
        dw_hr,
        db,
        db,
    )


lstm_projected_backward.defined_by(_lstm_projected_backward)
lstm_projected.grad_all(
    ("x", "h0", "c0", "w_ih", "w_hh", "w_hr", "b_ih", "b_hh"), _lstm_projected_grad
)


@op(outputs=2, residuals=("gates", "inner", "packing"))
def gru(
    x: ArrayLike,
    h0: ArrayLike,
    w_ih: ArrayLike,
    w_hh: ArrayLike,
    b_ih: ArrayLike | None = None,
    b_hh: ArrayLike | None = None,
    reverse: bool = False,
    lengths: ArrayLike | None = None,
    batch_sizes: ArrayLike | None = None,
) -> tuple[Tensor, Tensor]:
    """A layer of :func:`gru_cell` over a sequence: the states of all steps, and the last one.

    x (T, B, I) from h0 (B, H), or zeros for None, by w_ih (3 H, I), w_hh (3 H, H) and the biases
    (3 H,) gives h (T, B, H) and h. The sums of the gates are W_ih x + b_ih, of the input, and
    W_hh h + b_hh, of the state. With ``reverse`` the last step is taken first. ``lengths`` (B,) end
    the sequences, or ``batch_sizes`` (T,) say how x is packed, as in :func:`lstm`.

    >>> import tinytensor as tt
    >>> hs, h = tt.gru(tt.ones((5, 2, 3)), None, tt.ones((12, 3)), tt.ones((12, 4)))
    >>> hs.shape, h.shape
    ((5, 2, 4), (2, 4))
    """
    weights, biases = (w_ih, w_hh), (b_ih, b_hh)
    flags = (bool(reverse),)
    call = _checked("gru", 3, x, {"h0": h0}, weights, biases, flags, lengths, batch_sizes)
    hs, h, gates, inner = kernels.gru(*call.arguments)
    return *call.results(hs, h), gates, inner, call.packing


@op(outputs=3)
def gru_backward(g, gh, x, h0, w_ih, w_hh, b_ih, b_hh, hs, gates, inner, reverse, sizes):
    """The cotangents of the input's sums r, z, n (T, B, 3 H), of the state's for n, and of h0."""
    return kernels.gru_backward(g, gh, h0, w_hh, hs, gates, inner, bool(reverse), sizes)


def _gru_backward(g, gh, x, h0, w_ih, w_hh, b_ih, b_hh, hs, gates, inner, reverse, sizes):
    h, steps = _zeros(h0, gh), []
    for x_sums in _in_order(_input_sums(x, w_ih, sizes, b_ih), reverse):
        now = h[: len(x_sums)]
        steps.append((x_sums, linear(now, w_hh, b_hh), now))
        h = _onto(h, gru_cell(*steps[-1]))
    dsums, dinner, dh = [], [], gh
    for step, g_step in zip(steps[::-1], _in_order(_unrolled(g, sizes), not reverse), strict=True):
        dx, d, around = gru_cell_cotangents(dh[: len(g_step)] + g_step, *step)
        dh = _onto(dh, around + matmul(d, w_hh))
        dsums.append(dx)
        dinner.append(split(d, 3, -1)[2])
    made = (dsums, gates), (dinner, inner)
    return *(_rolled(_in_order(d, not reverse), like, sizes) for d, like in made), dh


def _gru_grad(g, x, h0, w_ih, w_hh, b_ih, b_hh, gates, inner, packing, reverse, out, needs):
    shape, sizes = x.shape, _sizes(packing)
    gs, x, hs = _packed((g[0], x, out[0]), packing)
    gh, h0 = sorted_states((g[1], h0), packing)
    dsums, dinner, dh0 = gru_backward(
        gs, gh, x, h0, w_ih, w_hh, b_ih, b_hh, hs, gates, inner, reverse, sizes
    )
    dw_hh: Any = None
    db_ih: Any = None
    db_hh: Any = None
    size = 2 * dinner.shape[-1]
    if needs[3]:
        parts = (_recurrent_grad(d, hs, h0, reverse, sizes) for d in (dsums[..., :size], dinner))
        dw_hh = concat([*parts])
    if needs[4] or needs[5]:
        db_ih = _bias_grad(dsums)
    if needs[5]:
        db_hh = concat([db_ih[:size], _bias_grad(dinner)])
    return (
        _input_grad(dsums, w_ih, packing, shape) if needs[0] else None,
        *unsorted_states((dh0,), packing),
        _weight_grad(dsums, x) if needs[2] else None,
        dw_hh,
        db_ih,
        db_hh,
    )


gru_backward.defined_by(_gru_backward)
gru.grad_all(("x", "h0", "w_ih", "w_hh", "b_ih", "b_hh"), _gru_grad)

NONLINEARITIES = {"tanh": tanh, "relu": relu}


@op(outputs=2, residuals=("packing",))
def rnn(
    x: ArrayLike,
    h0: ArrayLike,
    w_ih: ArrayLike,
    w_hh: ArrayLike,
    b_ih: ArrayLike | None = None,
    b_hh: ArrayLike | None = None,
    nonlinearity: Nonlinearity = "tanh",
    reverse: bool = False,
    lengths: ArrayLike | None = None,
    batch_sizes: ArrayLike | None = None,
) -> tuple[Tensor, Tensor]:
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh) over a sequence, or relu for tanh.

    x (T, B, I) from h0 (B, H), or zeros for None, by w_ih (H, I), w_hh (H, H) and the biases (H,)
    gives h (T, B, H) of all steps, and the last one. With ``reverse`` the last step is taken first.
    ``lengths`` (B,) end the sequences, or ``batch_sizes`` (T,) say how x is packed, as in
    :func:`lstm`. (Elman 1990.)

    >>> import tinytensor as tt
    >>> hs, h = tt.rnn(tt.ones((5, 2, 3)), None, tt.ones((4, 3)), tt.ones((4, 4)))
    >>> hs.shape, h.shape
    ((5, 2, 4), (2, 4))
    """
    if nonlinearity not in NONLINEARITIES:
        raise ValueError(f"rnn: nonlinearity is 'tanh' or 'relu', not {nonlinearity!r}")
    weights, biases = (w_ih, w_hh), (b_ih, b_hh)
    flags = (nonlinearity == "relu", bool(reverse))
    call = _checked("rnn", 1, x, {"h0": h0}, weights, biases, flags, lengths, batch_sizes)
    return *call.results(*kernels.rnn(*call.arguments)), call.packing


@op(outputs=2)
def rnn_backward(g, gh, w_hh, hs, nonlinearity, reverse, sizes):
    """The cotangents of the sums (T, B, H) and of h0."""
    return kernels.rnn_backward(g, gh, w_hh, hs, nonlinearity == "relu", bool(reverse), sizes)


def _rnn_backward(g, gh, w_hh, hs, nonlinearity, reverse, sizes):
    dsums, dh = [], gh
    for h, g_step in zip(
        *(_in_order(_unrolled(x, sizes), not reverse) for x in (hs, g)), strict=True
    ):
        d = dh[: len(g_step)] + g_step
        dsums.append(where(h > 0, d, 0.0) if nonlinearity == "relu" else d * (1 - square(h)))
        dh = _onto(dh, matmul(dsums[-1], w_hh))
    return _rolled(_in_order(dsums, not reverse), hs, sizes), dh


def _rnn_grad(g, x, h0, w_ih, w_hh, nonlinearity, packing, reverse, out, needs):
    shape, sizes = x.shape, _sizes(packing)
    gs, x, hs = _packed((g[0], x, out[0]), packing)
    gh, h0 = sorted_states((g[1], h0), packing)
    dsums, dh0 = rnn_backward(gs, gh, w_hh, hs, nonlinearity, reverse, sizes)
    db = _bias_grad(dsums) if needs[4] or needs[5] else None
    return (
        _input_grad(dsums, w_ih, packing, shape) if needs[0] else None,
        *unsorted_states((dh0,), packing),
        _weight_grad(dsums, x) if needs[2] else None,
        _recurrent_grad(dsums, hs, h0, reverse, sizes) if needs[3] else None,
        db,
        db,
    )


rnn_backward.defined_by(_rnn_backward)
rnn.grad_all(("x", "h0", "w_ih", "w_hh", "b_ih", "b_hh"), _rnn_grad)


# --- Lanes of a vmap: shared weights fold lanes into sequences ---------------------------------


def _sequence_lanes(op, args, mapped, static):
    """Of the layers and their backward ops: arrays of 3 axes are (T, B, …), those of 2 (B, …), and
    lengths (B,). Of packed ones all have 2 axes, and lie in each step as the sequences do."""
    lanes, folds, given = lanes_of(args, mapped), [], named(op, args)
    sizes = given.get("sizes", given.get("batch_sizes"))
    axes_of = dict.fromkeys(given, (2, 3) if sizes is None else (2,)) | {"lengths": (1,)}
    for (name, x), has_lanes in zip(given.items(), mapped, strict=True):
        weight, ndim = name[:2] in ("w_", "b_"), rank(x, has_lanes)
        if has_lanes and (weight or ndim not in axes_of[name]):
            return NotImplemented
        if weight or ndim not in axes_of[name]:
            folds.append(x if x is not sizes or x is None else np.asarray(x) * lanes)
            continue
        x = with_lanes(x, has_lanes, lanes)
        if ndim == 3 or sizes is not None:
            x = moveaxis(x, 0, 1)
        x = reshape(x, (x.shape[0], lanes * x.shape[2], x.shape[3])) if ndim == 3 else folded(x)
        folds.append(x)
    return tuple(_of_sequences(x, lanes, sizes is not None) for x in op(*folds))


def _of_sequences(x, lanes, packed):
    if packed:
        return moveaxis(reshape(x, (len(x) // max(lanes, 1), lanes, x.shape[1])), 1, 0)
    if x.ndim == 2:
        return unfolded(x, lanes)
    return moveaxis(reshape(x, (x.shape[0], lanes, x.shape[1] // max(lanes, 1), x.shape[2])), 1, 0)


for _op in (lstm, lstm_projected, gru, rnn, lstm_backward, gru_backward, rnn_backward):
    _op.batched(_sequence_lanes)
