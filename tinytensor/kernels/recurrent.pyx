# cython: cdivision=True
"""Recurrent layers: the float32 cases of the twins in reference/recurrent.py.

x is (T, B, I), or packed (rows, I) with the ``sizes`` of its steps. A sequence is one product for
the inputs of all steps, or steps that take the input's product with them (steps.pyx). Backward
makes the cotangents of the gates' sums. The gradients of weights and inputs are products of these:
ops make them, or, of an LSTM, lstm_grads while the cotangents are at hand.
"""
cimport numpy as cnp
from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

from tinytensor.kernels cimport _core
from tinytensor.kernels.arrays cimport contiguous, data_f32, is_f32
from tinytensor.kernels.steps cimport (
    COLUMNS_OF_STRIP, Gradients, Sequence, is_ragged, rows_of_run, run_sequence, start,
)
from tinytensor.kernels.tuning cimport HALF_OF_CACHE, ceil_div

import numpy as np

from tinytensor.kernels import reference
from tinytensor.kernels.gemm import linear, matmul

__all__ = [
    "gru",
    "gru_backward",
    "lstm",
    "lstm_backward",
    "lstm_grads",
    "rnn",
    "rnn_backward",
]

cnp.import_array()

cdef enum:
    FUSED_FROM = 16  # rows of a step from which the steps take the input's product with them


# --- Arguments -------------------------------------------------------------------------------


cdef object new_like(cnp.ndarray x):
    return _core.empty_f32(cnp.PyArray_NDIM(x), cnp.PyArray_DIMS(x))


cdef bint is_shape(object x, int64_t a, int64_t b) noexcept:
    """A float32 array of this shape? -1 stands for an axis that it lacks."""
    cdef int ndim = 2 if b >= 0 else 1
    return (
        is_f32(x) and cnp.PyArray_NDIM(x) == ndim and cnp.PyArray_DIM(x, 0) == a
        and (ndim < 2 or cnp.PyArray_DIM(x, 1) == b)
    )


cdef inline bint is_shape_or_none(object x, int64_t a, int64_t b) noexcept:
    return x is None or is_shape(x, a, b)


cdef bint is_beside(object x, cnp.ndarray other, int64_t n) noexcept:
    """A float32 array with the axes of ``other``, but n along the last?"""
    cdef int axis, last = cnp.PyArray_NDIM(other) - 1
    if not is_f32(x) or cnp.PyArray_NDIM(x) != last + 1 or cnp.PyArray_DIM(x, last) != n:
        return False
    for axis in range(last):
        if cnp.PyArray_DIM(x, axis) != cnp.PyArray_DIM(other, axis):
            return False
    return True


cdef bint is_layer(object w_ih, object w_hh, object b_ih, object b_hh, int64_t inputs, int gates) \
        noexcept:
    """Weights that fit the inputs and each other, none of them empty?"""
    cdef int64_t hidden
    if not (is_f32(w_hh) and cnp.PyArray_NDIM(w_hh) == 2 and cnp.PyArray_SIZE(w_hh)):
        return False
    hidden = cnp.PyArray_DIM(w_hh, 1)
    return (
        cnp.PyArray_DIM(w_hh, 0) == gates * hidden and is_shape(w_ih, gates * hidden, inputs)
        and is_shape_or_none(b_ih, gates * hidden, -1)
        and is_shape_or_none(b_hh, gates * hidden, -1)
    )


cdef object offsets_of(object x, object sizes):
    """Where the rows of each step of x begin, and those of the last one end; None where x is empty,
    not of float32, or not of such sizes."""
    cdef cnp.npy_intp steps, length
    cdef int64_t t, size, before, rows
    cdef int64_t *at
    cdef const int64_t *given = NULL
    if not (
        is_f32(x) and cnp.PyArray_NDIM(x) == (3 if sizes is None else 2) and cnp.PyArray_SIZE(x)
    ):
        return None
    if sizes is None:
        steps, before = cnp.PyArray_DIM(x, 0), cnp.PyArray_DIM(x, 1)
    else:
        sizes = np.ascontiguousarray(sizes[: np.count_nonzero(sizes)], np.int64)
        steps, given = len(sizes), <const int64_t *> cnp.PyArray_DATA(sizes)
        before = given[0] if steps else 0
    rows = cnp.PyArray_DIM(x, 0) if sizes is not None else steps * before
    length = steps + 1
    offsets = cnp.PyArray_EMPTY(1, &length, cnp.NPY_INT64, 0)
    at = <int64_t *> cnp.PyArray_DATA(offsets)
    at[0] = 0
    for t in range(steps):
        size = before if given == NULL else given[t]
        if size < 1 or size > before or size > rows - at[t]:
            return None
        before, at[t + 1] = size, at[t] + size
    return offsets if at[steps] == rows else None


cdef inline int64_t last_axis(cnp.ndarray x) noexcept:
    return cnp.PyArray_DIM(x, cnp.PyArray_NDIM(x) - 1)


# How many sequences x has: as the states do, or as the first step.
cdef inline int64_t sequences_of(cnp.ndarray offsets, object state) noexcept:
    cdef int64_t most = (<const int64_t *> cnp.PyArray_DATA(offsets))[1]
    if state is not None and is_f32(state) and cnp.PyArray_NDIM(state):
        return max(most, cnp.PyArray_DIM(state, 0))
    return most


# Contiguous; zeros if both are None.
cdef object sum_of(object a, object b, int64_t size):
    if a is None and b is None:
        return np.zeros(size, np.float32)
    return contiguous(b if a is None else a if b is None else a + b)


# Whether steps have enough rows for what they would read of the input's weights each time.
cdef inline bint is_fused(const Sequence *s) noexcept:
    return s.offsets[s.steps] >= FUSED_FROM * s.steps


# How the input comes into the sums of the steps. For a small batch: as a product of its own, of all
# steps at once, which is returned. Otherwise by the steps, and None is returned: they read its
# weights each time, but for enough rows, and the sums never leave the cache. The caller keeps the
# arrays alive.
cdef object take_input(Sequence *s, cnp.ndarray x, cnp.ndarray w_ih, cnp.ndarray bias):
    if not is_fused(s):
        sums = linear(x, w_ih, bias)
        s.args.forward.input = data_f32(sums)
        s.args.forward.input_row = s.gates * s.args.hidden
        return sums
    s.args.product.x, s.args.product.inputs = data_f32(x), last_axis(x)
    s.input_weight, s.args.forward.input = data_f32(w_ih), data_f32(bias)
    return None


cdef object states_of(cnp.ndarray x, int64_t hidden):
    cdef cnp.npy_intp shape[3]
    cdef int axis, last = cnp.PyArray_NDIM(x) - 1
    for axis in range(last):
        shape[axis] = cnp.PyArray_DIM(x, axis)
    shape[last] = hidden
    return _core.empty_f32(last + 1, shape)


# Contiguous; None stays None.
cdef object dense(object x):
    return None if x is None else contiguous(x)


cdef object last_of(const Sequence *s, cnp.ndarray states, object first):
    """The state of each sequence at its end: ``first``, or zeros, of one without a step."""
    cdef int64_t n = s.args.hidden, t, row, size, ended
    cdef cnp.npy_intp shape[2]
    cdef cnp.ndarray last
    shape[0], shape[1] = s.args.batch, n
    last = _core.empty_f32(2, shape)
    row = s.offsets[1]
    if row < s.args.batch:
        last[row:] = 0 if first is None else first[row:]
    for t in range(1 if s.reverse else s.steps):
        size = s.offsets[t + 1] - s.offsets[t]
        ended = 0 if s.reverse or t + 1 == s.steps else s.offsets[t + 2] - s.offsets[t + 1]
        memcpy(
            data_f32(last) + ended * n, data_f32(states) + (s.offsets[t] + ended) * n,
            (size - ended) * n * sizeof(float),
        )
    return last


# --- Layers ----------------------------------------------------------------------------------


def lstm(x, h0, c0, w_ih, w_hh, b_ih, b_hh, reverse, sizes=None):
    cdef Sequence s
    cdef int64_t batch, n
    offsets = offsets_of(x, sizes)
    if offsets is None or not is_layer(w_ih, w_hh, b_ih, b_hh, last_axis(x), 4):
        return reference.lstm(x, h0, c0, w_ih, w_hh, b_ih, b_hh, reverse, sizes)
    batch, n = sequences_of(offsets, h0), last_axis(w_hh)
    if not (is_shape_or_none(h0, batch, n) and is_shape_or_none(c0, batch, n)):
        return reference.lstm(x, h0, c0, w_ih, w_hh, b_ih, b_hh, reverse, sizes)
    x, h0, c0, w_ih, w_hh = dense(x), dense(h0), dense(c0), dense(w_ih), dense(w_hh)
    bias = sum_of(b_ih, b_hh, 4 * n)
    hs, cs = states_of(x, n), states_of(x, n)
    start(&s, offsets, batch, n, 4, reverse, False)
    gates = take_input(&s, x, w_ih, bias)
    if gates is None:
        gates = states_of(x, 4 * n)
    s.kernel = s.table.lstm_step_f32
    s.args.h_start, s.args.c_start = data_f32(h0), data_f32(c0)
    s.args.gates, s.args.h, s.args.c = data_f32(gates), data_f32(hs), data_f32(cs)
    run_sequence(&s, w_hh)
    return hs, last_of(&s, hs, h0), last_of(&s, cs, c0), cs, gates


def lstm_backward(g, gh, gc, c0, w_hh, cs, gates, reverse, sizes=None):
    cdef Sequence s
    cdef int64_t batch, n
    offsets = offsets_of(cs, sizes)
    if offsets is not None:
        batch, n = sequences_of(offsets, gh), last_axis(cs)
    if offsets is None or not (
        is_beside(g, cs, n) and is_beside(gates, cs, 4 * n)
        and is_shape(gh, batch, n) and is_shape(gc, batch, n)
        and is_shape_or_none(c0, batch, n) and is_shape(w_hh, 4 * n, n)
    ):
        return reference.lstm_backward(g, gh, gc, c0, w_hh, cs, gates, reverse, sizes)
    g, gh, c0, w_hh = dense(g), dense(gh), dense(c0), dense(w_hh)
    cs, gates = dense(cs), dense(gates)
    dgates, dh0, dc0 = states_of(cs, 4 * n), gh.copy(), gc.copy()
    start(&s, offsets, batch, n, 4, reverse, True)
    s.kernel = s.table.lstm_step_backward_f32
    s.args.backward.g, s.args.backward.g_last = data_f32(g), data_f32(gh)
    s.args.c_start = data_f32(c0)
    s.args.c, s.args.gates, s.args.backward.dgates = data_f32(cs), data_f32(gates), data_f32(dgates)
    s.args.backward.carry, s.args.backward.dh0 = data_f32(dc0), data_f32(dh0)
    run_sequence(&s, w_hh)
    return dgates, dh0, dc0


def lstm_grads(g, gh, gc, x, h0, c0, w_ih, w_hh, hs, cs, gates, reverse, of_x, sizes=None):
    cdef Sequence s
    cdef Gradients p
    cdef int64_t batch, n, rows
    cdef cnp.npy_intp size
    offsets = offsets_of(cs, sizes)
    if offsets is not None:
        batch, n = sequences_of(offsets, gh), last_axis(cs)
    if offsets is None or not (
        cnp.PyArray_NDIM(x) == cnp.PyArray_NDIM(cs) and is_beside(x, cs, last_axis(x))
        and last_axis(x) and is_layer(w_ih, w_hh, None, None, last_axis(x), 4)
        and is_beside(g, cs, n) and is_beside(gates, cs, 4 * n) and is_beside(hs, cs, n)
        and is_shape(gh, batch, n) and is_shape(gc, batch, n)
        and is_shape_or_none(h0, batch, n) and is_shape_or_none(c0, batch, n)
        and last_axis(w_hh) == n
    ):
        return reference.lstm_grads(
            g, gh, gc, x, h0, c0, w_ih, w_hh, hs, cs, gates, reverse, of_x, sizes
        )
    g, gh, x, h0, c0, w_ih, w_hh = (
        dense(g), dense(gh), dense(x), dense(h0), dense(c0), dense(w_ih), dense(w_hh)
    )
    hs, cs, gates = dense(hs), dense(cs), dense(gates)
    dh0, dc0, dx = gh.copy(), gc.copy(), None
    dw_ih, dw_hh, db = new_like(w_ih), new_like(w_hh), np.empty(4 * n, np.float32)
    start(&s, offsets, batch, n, 4, reverse, True)
    s.kernel = s.table.lstm_step_backward_f32
    s.args.backward.g, s.args.backward.g_last = data_f32(g), data_f32(gh)
    s.args.c_start = data_f32(c0)
    s.args.c, s.args.gates = data_f32(cs), data_f32(gates)
    s.args.backward.carry, s.args.backward.dh0 = data_f32(dc0), data_f32(dh0)
    s.args.product.inputs = last_axis(x)
    dgates = None
    if of_x and not is_fused(&s):  # then dx is a product of its own
        dgates = states_of(x, 4 * n)
        s.args.backward.dgates = data_f32(dgates)
    elif of_x:
        dx = new_like(x)
        s.args.backward.dx, s.input_weight = data_f32(dx), data_f32(w_ih)
        s.input_groups = ceil_div(s.args.product.inputs, s.group_units)

    rows = HALF_OF_CACHE // (4 * n)
    # Of fewer rows at a time, adding to the gradients would cost more than it saves.
    if rows >= n + s.args.product.inputs:
        s.rows_at_once = rows // batch * batch if not is_ragged(&s) else rows
        s.rows_at_once = max(s.rows_at_once, 2 * batch)
    memset(&p, 0, sizeof(Gradients))
    p.s = &s
    p.x, p.h, p.h0 = data_f32(x), data_f32(hs), data_f32(h0)
    p.dw_ih, p.dw_hh, p.db = data_f32(dw_ih), data_f32(dw_hh), data_f32(db)
    rows = rows_of_run(&s)
    size = rows * min(COLUMNS_OF_STRIP, (max(n, s.args.product.inputs) + 15) & ~15)
    packed = _core.empty_f32(1, &size)
    p.packed = data_f32(packed)
    states = None
    if is_ragged(&s):
        size = rows * n
        states = _core.empty_f32(1, &size)
        p.before = data_f32(states)
    run_sequence(&s, w_hh, &p)
    if dgates is not None:
        dx = matmul(dgates, w_ih)
    return dh0, dc0, dw_ih, dw_hh, db, dx


def gru(x, h0, w_ih, w_hh, b_ih, b_hh, reverse, sizes=None):
    cdef Sequence s
    cdef int64_t batch, n
    offsets = offsets_of(x, sizes)
    if offsets is None or not is_layer(w_ih, w_hh, b_ih, b_hh, last_axis(x), 3):
        return reference.gru(x, h0, w_ih, w_hh, b_ih, b_hh, reverse, sizes)
    batch, n = sequences_of(offsets, h0), last_axis(w_hh)
    if not is_shape_or_none(h0, batch, n):
        return reference.gru(x, h0, w_ih, w_hh, b_ih, b_hh, reverse, sizes)
    h0, w_hh, inner_bias = dense(h0), dense(w_hh), None
    if b_hh is not None:  # its part for r and z is just added to the sums; that for n is inside
        inner_bias = b_hh[2 * n :].copy()
        b_hh = b_hh.copy()
        b_hh[2 * n :] = 0
    gates = linear(x, w_ih, sum_of(b_ih, b_hh, 3 * n))
    hs, inner = states_of(x, n), states_of(x, n)
    start(&s, offsets, batch, n, 3, reverse, False)
    s.kernel = s.table.gru_step_f32
    s.args.h_start = data_f32(h0)
    s.args.gates, s.args.inner, s.args.h = data_f32(gates), data_f32(inner), data_f32(hs)
    s.args.forward.inner_bias = data_f32(inner_bias)
    run_sequence(&s, w_hh)
    return hs, last_of(&s, hs, h0), gates, inner


def gru_backward(g, gh, h0, w_hh, hs, gates, inner, reverse, sizes=None):
    cdef Sequence s
    cdef int64_t batch, n
    offsets = offsets_of(hs, sizes)
    if offsets is not None:
        batch, n = sequences_of(offsets, gh), last_axis(hs)
    if offsets is None or not (
        is_beside(g, hs, n) and is_beside(gates, hs, 3 * n) and is_beside(inner, hs, n)
        and is_shape(gh, batch, n) and is_shape_or_none(h0, batch, n)
        and is_shape(w_hh, 3 * n, n)
    ):
        return reference.gru_backward(g, gh, h0, w_hh, hs, gates, inner, reverse, sizes)
    g, h0, w_hh = dense(g), dense(h0), dense(w_hh)
    hs, gates, inner = dense(hs), dense(gates), dense(inner)
    dgates, dinner, dh0 = states_of(hs, 3 * n), states_of(hs, n), gh.copy()
    start(&s, offsets, batch, n, 3, reverse, True)
    s.kernel = s.table.gru_step_backward_f32
    s.args.backward.g, s.args.h_start, s.args.h = data_f32(g), data_f32(h0), data_f32(hs)
    s.args.gates, s.args.inner = data_f32(gates), data_f32(inner)
    s.args.backward.dgates, s.args.backward.dinner = data_f32(dgates), data_f32(dinner)
    s.args.backward.carry = s.args.backward.dh0 = data_f32(dh0)
    s.args.backward.adds_carry = True
    run_sequence(&s, w_hh)
    return dgates, dinner, dh0


def rnn(x, h0, w_ih, w_hh, b_ih, b_hh, relu, reverse, sizes=None):
    cdef Sequence s
    cdef int64_t batch, n
    offsets = offsets_of(x, sizes)
    if offsets is None or not is_layer(w_ih, w_hh, b_ih, b_hh, last_axis(x), 1):
        return reference.rnn(x, h0, w_ih, w_hh, b_ih, b_hh, relu, reverse, sizes)
    batch, n = sequences_of(offsets, h0), last_axis(w_hh)
    if not is_shape_or_none(h0, batch, n):
        return reference.rnn(x, h0, w_ih, w_hh, b_ih, b_hh, relu, reverse, sizes)
    x, h0, w_ih, w_hh = dense(x), dense(h0), dense(w_ih), dense(w_hh)
    bias = sum_of(b_ih, b_hh, n)
    start(&s, offsets, batch, n, 1, reverse, False)
    hs = take_input(&s, x, w_ih, bias)
    if hs is None:
        hs = states_of(x, n)
    s.kernel = s.table.rnn_step_f32
    s.args.h_start = data_f32(h0)
    s.args.h, s.args.relu = data_f32(hs), relu
    run_sequence(&s, w_hh)
    return hs, last_of(&s, hs, h0)


def rnn_backward(g, gh, w_hh, hs, relu, reverse, sizes=None):
    cdef Sequence s
    cdef int64_t batch, n
    offsets = offsets_of(hs, sizes)
    if offsets is not None:
        batch, n = sequences_of(offsets, gh), last_axis(hs)
    if offsets is None or not (
        is_beside(g, hs, n) and is_shape(gh, batch, n) and is_shape(w_hh, n, n)
    ):
        return reference.rnn_backward(g, gh, w_hh, hs, relu, reverse, sizes)
    g, gh, w_hh, hs = dense(g), dense(gh), dense(w_hh), dense(hs)
    dsums, dh0 = new_like(hs), gh.copy()
    start(&s, offsets, batch, n, 1, reverse, True)
    s.kernel = s.table.rnn_step_backward_f32
    s.args.backward.g, s.args.backward.g_last, s.args.h = data_f32(g), data_f32(gh), data_f32(hs)
    s.args.backward.dgates, s.args.backward.dh0, s.args.relu = data_f32(dsums), data_f32(dh0), relu
    run_sequence(&s, w_hh)
    return dsums, dh0
