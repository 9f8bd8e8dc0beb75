# cython: cdivision=True
"""Recurrent layers: the float32 cases of the twins in reference/recurrent.py.

A sequence is one product for the inputs of all steps, or steps that take the input's product with
them (steps.pyx). Backward makes the cotangents of the gates' sums. The gradients of weights and
inputs are products of these: ops make them, or, of an LSTM, lstm_grads while the cotangents are at
hand.
"""
cimport numpy as cnp
from libc.stdint cimport int64_t
from libc.string cimport memset

from tinytensor.kernels cimport _core
from tinytensor.kernels.arrays cimport contiguous, data_f32, is_f32
from tinytensor.kernels.steps cimport COLUMNS_OF_STRIP, Gradients, Sequence, run_sequence, start
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
    FUSED_FROM = 16  # rows of a batch from which the steps take the input's product with them


# --- Arguments -------------------------------------------------------------------------------


cdef object new_like(cnp.ndarray x):
    return _core.empty_f32(cnp.PyArray_NDIM(x), cnp.PyArray_DIMS(x))


cdef bint is_shape(object x, int64_t a, int64_t b, int64_t c) noexcept:
    """A float32 array of this shape? -1 stands for an axis that it lacks."""
    cdef int ndim = 3 if c >= 0 else 2 if b >= 0 else 1
    return (
        is_f32(x) and cnp.PyArray_NDIM(x) == ndim and cnp.PyArray_DIM(x, 0) == a
        and (ndim < 2 or cnp.PyArray_DIM(x, 1) == b) and (ndim < 3 or cnp.PyArray_DIM(x, 2) == c)
    )


cdef inline bint is_shape_or_none(object x, int64_t a, int64_t b) noexcept:
    return x is None or is_shape(x, a, b, -1)


cdef bint is_layer(
    object x, object w_ih, object w_hh, object b_ih, object b_hh, int gates
) noexcept:
    """An input and weights that fit each other, none of them empty?"""
    cdef int64_t hidden
    if not (is_f32(x) and is_f32(w_hh) and cnp.PyArray_NDIM(x) == 3 and cnp.PyArray_SIZE(x)):
        return False
    if cnp.PyArray_NDIM(w_hh) != 2 or not cnp.PyArray_SIZE(w_hh):
        return False
    hidden = cnp.PyArray_DIM(w_hh, 1)
    return (
        cnp.PyArray_DIM(w_hh, 0) == gates * hidden
        and is_shape(w_ih, gates * hidden, cnp.PyArray_DIM(x, 2), -1)
        and is_shape_or_none(b_ih, gates * hidden, -1)
        and is_shape_or_none(b_hh, gates * hidden, -1)
    )


# Contiguous; zeros if both are None.
cdef object sum_of(object a, object b, int64_t size):
    if a is None and b is None:
        return np.zeros(size, np.float32)
    return contiguous(b if a is None else a if b is None else a + b)


# How the input comes into the sums of the steps. For a small batch: as a product of its own, of all
# steps at once, which is returned. Otherwise by the steps, and None is returned: they read its
# weights each time, but for enough rows, and the sums never leave the cache. The caller keeps the
# arrays alive.
cdef object take_input(Sequence *s, cnp.ndarray x, cnp.ndarray w_ih, cnp.ndarray bias):
    if s.args.batch < FUSED_FROM:
        sums = linear(x, w_ih, bias)
        s.args.forward.input = data_f32(sums)
        s.args.forward.input_row = s.gates * s.args.hidden
        return sums
    s.args.product.x, s.args.product.inputs = data_f32(x), cnp.PyArray_DIM(x, 2)
    s.input_weight, s.args.forward.input = data_f32(w_ih), data_f32(bias)
    return None


cdef object states_of(cnp.ndarray x, int64_t hidden):
    cdef cnp.npy_intp shape[3]
    shape[0], shape[1], shape[2] = cnp.PyArray_DIM(x, 0), cnp.PyArray_DIM(x, 1), hidden
    return _core.empty_f32(3, shape)


# Contiguous; None stays None.
cdef object dense(object x):
    return None if x is None else contiguous(x)


# The sizes of a sequence of states, of float32 and not empty; otherwise False.
cdef bint take_sizes(object states, int64_t *steps, int64_t *batch, int64_t *n) noexcept:
    if not (is_f32(states) and cnp.PyArray_NDIM(states) == 3 and cnp.PyArray_SIZE(states)):
        return False
    steps[0] = cnp.PyArray_DIM(states, 0)
    batch[0] = cnp.PyArray_DIM(states, 1)
    n[0] = cnp.PyArray_DIM(states, 2)
    return True


# --- Layers ----------------------------------------------------------------------------------


def lstm(x, h0, c0, w_ih, w_hh, b_ih, b_hh, reverse, sizes=None):
    cdef Sequence s
    cdef int64_t steps, batch, n
    if sizes is not None or not is_layer(x, w_ih, w_hh, b_ih, b_hh, 4):
        return reference.lstm(x, h0, c0, w_ih, w_hh, b_ih, b_hh, reverse, sizes)
    steps, batch, n = cnp.PyArray_DIM(x, 0), cnp.PyArray_DIM(x, 1), cnp.PyArray_DIM(w_hh, 1)
    if not (is_shape_or_none(h0, batch, n) and is_shape_or_none(c0, batch, n)):
        return reference.lstm(x, h0, c0, w_ih, w_hh, b_ih, b_hh, reverse, sizes)
    x, h0, c0, w_ih, w_hh = dense(x), dense(h0), dense(c0), dense(w_ih), dense(w_hh)
    bias = sum_of(b_ih, b_hh, 4 * n)
    hs, cs = states_of(x, n), states_of(x, n)
    start(&s, steps, batch, n, 4, reverse, False)
    gates = take_input(&s, x, w_ih, bias)
    if gates is None:
        gates = states_of(x, 4 * n)
    s.kernel = s.table.lstm_step_f32
    s.args.h_before = s.args.product.operand = data_f32(h0)
    s.args.c_before, s.args.gates = data_f32(c0), data_f32(gates)
    s.args.h, s.args.c = data_f32(hs), data_f32(cs)
    run_sequence(&s, w_hh)
    last = 0 if reverse else steps - 1
    return hs, hs[last].copy(), cs[last].copy(), cs, gates


def lstm_backward(g, gh, gc, c0, w_hh, cs, gates, reverse, sizes=None):
    cdef Sequence s
    cdef int64_t steps, batch, n
    if sizes is not None or not (
        take_sizes(cs, &steps, &batch, &n) and is_shape(g, steps, batch, n)
        and is_shape(gh, batch, n, -1) and is_shape(gc, batch, n, -1)
        and is_shape_or_none(c0, batch, n) and is_shape(w_hh, 4 * n, n, -1)
        and is_shape(gates, steps, batch, 4 * n)
    ):
        return reference.lstm_backward(g, gh, gc, c0, w_hh, cs, gates, reverse, sizes)
    g, gh, c0, w_hh = dense(g), dense(gh), dense(c0), dense(w_hh)
    cs, gates = dense(cs), dense(gates)
    dgates, dh0, dc0 = states_of(cs, 4 * n), new_like(gh), gc.copy()
    start(&s, steps, batch, n, 4, reverse, True)
    s.kernel = s.table.lstm_step_backward_f32
    s.args.backward.g, s.args.backward.g_last = data_f32(g), data_f32(gh)
    s.args.c_before = data_f32(c0)
    s.args.c, s.args.gates, s.args.backward.dgates = data_f32(cs), data_f32(gates), data_f32(dgates)
    s.args.backward.carry, s.args.backward.dh0 = data_f32(dc0), data_f32(dh0)
    run_sequence(&s, w_hh)
    return dgates, dh0, dc0


def lstm_grads(g, gh, gc, x, h0, c0, w_ih, w_hh, hs, cs, gates, reverse, of_x, sizes=None):
    cdef Sequence s
    cdef Gradients p
    cdef int64_t steps, batch, n, rows
    cdef cnp.npy_intp size
    if sizes is not None or not (
        is_layer(x, w_ih, w_hh, None, None, 4)
        and take_sizes(cs, &steps, &batch, &n) and is_shape(g, steps, batch, n)
        and cnp.PyArray_DIM(x, 0) == steps and cnp.PyArray_DIM(x, 1) == batch
        and is_shape(gh, batch, n, -1) and is_shape(gc, batch, n, -1)
        and is_shape_or_none(h0, batch, n) and is_shape_or_none(c0, batch, n)
        and is_shape(w_hh, 4 * n, n, -1) and is_shape(hs, steps, batch, n)
        and is_shape(gates, steps, batch, 4 * n)
    ):
        return reference.lstm_grads(
            g, gh, gc, x, h0, c0, w_ih, w_hh, hs, cs, gates, reverse, of_x, sizes
        )
    g, gh, x, h0, c0, w_ih, w_hh = (
        dense(g), dense(gh), dense(x), dense(h0), dense(c0), dense(w_ih), dense(w_hh)
    )
    hs, cs, gates = dense(hs), dense(cs), dense(gates)
    dh0, dc0, dx = new_like(gh), gc.copy(), None
    dw_ih, dw_hh, db = new_like(w_ih), new_like(w_hh), np.empty(4 * n, np.float32)
    start(&s, steps, batch, n, 4, reverse, True)
    s.kernel = s.table.lstm_step_backward_f32
    s.args.backward.g, s.args.backward.g_last = data_f32(g), data_f32(gh)
    s.args.c_before = data_f32(c0)
    s.args.c, s.args.gates = data_f32(cs), data_f32(gates)
    s.args.backward.carry, s.args.backward.dh0 = data_f32(dc0), data_f32(dh0)
    s.args.product.inputs = cnp.PyArray_DIM(x, 2)
    dgates = None
    if of_x and batch < FUSED_FROM:  # then dx is a product of its own
        dgates = states_of(x, 4 * n)
        s.args.backward.dgates = data_f32(dgates)
    elif of_x:
        dx = new_like(x)
        s.args.backward.dx, s.input_weight = data_f32(dx), data_f32(w_ih)
        s.input_groups = ceil_div(s.args.product.inputs, s.group_units)

    rows = HALF_OF_CACHE // (4 * n)
    # Of fewer rows at a time, adding to the gradients would cost more than it saves.
    if rows >= n + s.args.product.inputs:
        s.steps_now = max(2, rows // batch)
    s.slots = min(s.steps_now, steps)
    memset(&p, 0, sizeof(Gradients))
    p.s = &s
    p.x, p.h, p.h0 = data_f32(x), data_f32(hs), data_f32(h0)
    p.dw_ih, p.dw_hh, p.db = data_f32(dw_ih), data_f32(dw_hh), data_f32(db)
    size = min(COLUMNS_OF_STRIP, (max(n, s.args.product.inputs) + 15) & ~15)
    size *= s.slots * batch
    packed = _core.empty_f32(1, &size)
    p.packed = data_f32(packed)
    run_sequence(&s, w_hh, &p)
    if dgates is not None:
        dx = matmul(dgates, w_ih)
    return dh0, dc0, dw_ih, dw_hh, db, dx


def gru(x, h0, w_ih, w_hh, b_ih, b_hh, reverse, sizes=None):
    cdef Sequence s
    cdef int64_t steps, batch, n
    if sizes is not None or not is_layer(x, w_ih, w_hh, b_ih, b_hh, 3):
        return reference.gru(x, h0, w_ih, w_hh, b_ih, b_hh, reverse, sizes)
    steps, batch, n = cnp.PyArray_DIM(x, 0), cnp.PyArray_DIM(x, 1), cnp.PyArray_DIM(w_hh, 1)
    if not is_shape_or_none(h0, batch, n):
        return reference.gru(x, h0, w_ih, w_hh, b_ih, b_hh, reverse, sizes)
    h0, w_hh, inner_bias = dense(h0), dense(w_hh), None
    if b_hh is not None:  # its part for r and z is just added to the sums; that for n is inside
        inner_bias = b_hh[2 * n :].copy()
        b_hh = b_hh.copy()
        b_hh[2 * n :] = 0
    gates = linear(x, w_ih, sum_of(b_ih, b_hh, 3 * n))
    hs, inner = states_of(x, n), states_of(x, n)
    start(&s, steps, batch, n, 3, reverse, False)
    s.kernel = s.table.gru_step_f32
    s.args.h_before = s.args.product.operand = data_f32(h0)
    s.args.gates, s.args.inner, s.args.h = data_f32(gates), data_f32(inner), data_f32(hs)
    s.args.forward.inner_bias = data_f32(inner_bias)
    run_sequence(&s, w_hh)
    return hs, hs[0 if reverse else steps - 1].copy(), gates, inner


def gru_backward(g, gh, h0, w_hh, hs, gates, inner, reverse, sizes=None):
    cdef Sequence s
    cdef int64_t steps, batch, n
    if sizes is not None or not (
        take_sizes(hs, &steps, &batch, &n) and is_shape(g, steps, batch, n)
        and is_shape(gh, batch, n, -1) and is_shape_or_none(h0, batch, n)
        and is_shape(w_hh, 3 * n, n, -1) and is_shape(gates, steps, batch, 3 * n)
        and is_shape(inner, steps, batch, n)
    ):
        return reference.gru_backward(g, gh, h0, w_hh, hs, gates, inner, reverse, sizes)
    g, h0, w_hh = dense(g), dense(h0), dense(w_hh)
    hs, gates, inner = dense(hs), dense(gates), dense(inner)
    dgates, dinner, dh0 = states_of(hs, 3 * n), states_of(hs, n), gh.copy()
    start(&s, steps, batch, n, 3, reverse, True)
    s.kernel = s.table.gru_step_backward_f32
    s.args.backward.g, s.args.h_before, s.args.h = data_f32(g), data_f32(h0), data_f32(hs)
    s.args.gates, s.args.inner = data_f32(gates), data_f32(inner)
    s.args.backward.dgates, s.args.backward.dinner = data_f32(dgates), data_f32(dinner)
    s.args.backward.carry = s.args.backward.dh0 = data_f32(dh0)
    s.args.backward.adds_carry = True
    run_sequence(&s, w_hh)
    return dgates, dinner, dh0


def rnn(x, h0, w_ih, w_hh, b_ih, b_hh, relu, reverse, sizes=None):
    cdef Sequence s
    cdef int64_t steps, batch, n
    if sizes is not None or not is_layer(x, w_ih, w_hh, b_ih, b_hh, 1):
        return reference.rnn(x, h0, w_ih, w_hh, b_ih, b_hh, relu, reverse, sizes)
    steps, batch, n = cnp.PyArray_DIM(x, 0), cnp.PyArray_DIM(x, 1), cnp.PyArray_DIM(w_hh, 1)
    if not is_shape_or_none(h0, batch, n):
        return reference.rnn(x, h0, w_ih, w_hh, b_ih, b_hh, relu, reverse, sizes)
    x, h0, w_ih, w_hh = dense(x), dense(h0), dense(w_ih), dense(w_hh)
    bias = sum_of(b_ih, b_hh, n)
    start(&s, steps, batch, n, 1, reverse, False)
    hs = take_input(&s, x, w_ih, bias)
    if hs is None:
        hs = states_of(x, n)
    s.kernel = s.table.rnn_step_f32
    s.args.h_before = s.args.product.operand = data_f32(h0)
    s.args.h, s.args.relu = data_f32(hs), relu
    run_sequence(&s, w_hh)
    return hs, hs[0 if reverse else steps - 1].copy()


def rnn_backward(g, gh, w_hh, hs, relu, reverse, sizes=None):
    cdef Sequence s
    cdef int64_t steps, batch, n
    if sizes is not None or not (
        take_sizes(hs, &steps, &batch, &n) and is_shape(g, steps, batch, n)
        and is_shape(gh, batch, n, -1) and is_shape(w_hh, n, n, -1)
    ):
        return reference.rnn_backward(g, gh, w_hh, hs, relu, reverse, sizes)
    g, gh, w_hh, hs = dense(g), dense(gh), dense(w_hh), dense(hs)
    dsums, dh0 = new_like(hs), new_like(gh)
    start(&s, steps, batch, n, 1, reverse, True)
    s.kernel = s.table.rnn_step_backward_f32
    s.args.backward.g, s.args.backward.g_last, s.args.h = data_f32(g), data_f32(gh), data_f32(hs)
    s.args.backward.dgates, s.args.backward.dh0, s.args.relu = data_f32(dsums), data_f32(dh0), relu
    run_sequence(&s, w_hh)
    return dsums, dh0
