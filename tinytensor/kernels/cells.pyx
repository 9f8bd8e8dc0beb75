# cython: cdivision=True
"""Recurrent cells: the float32 cases of the twins in reference/cells.py."""
cimport numpy as cnp
from libc.stdint cimport int64_t

from tinytensor.kernels cimport _core
from tinytensor.kernels.abi cimport tt_gru_cell_args, tt_lstm_cell_args
from tinytensor.kernels.arrays cimport contiguous, data_f32, is_f32
from tinytensor.kernels.tuning cimport STATE_ELEMENTS, ceil_div, rows_of_piece

from tinytensor.kernels import reference

__all__ = ["gru_cell", "gru_cell_backward", "lstm_cell", "lstm_cell_backward"]

cnp.import_array()


# An array (..., gates * hidden) beside a state (..., hidden)?
cdef bint is_beside(object x, object state, int gates) noexcept:
    cdef int axis, last = cnp.PyArray_NDIM(state) - 1
    if not is_f32(x) or cnp.PyArray_NDIM(x) != last + 1:
        return False
    for axis in range(last):
        if cnp.PyArray_DIM(x, axis) != cnp.PyArray_DIM(state, axis):
            return False
    return cnp.PyArray_DIM(x, last) == gates * cnp.PyArray_DIM(state, last)


cdef bint is_state(object x) noexcept:
    return is_f32(x) and cnp.PyArray_NDIM(x) and cnp.PyArray_SIZE(x)


cdef object new_like(cnp.ndarray x):
    return _core.empty_f32(cnp.PyArray_NDIM(x), cnp.PyArray_DIMS(x))


# --- LSTM ------------------------------------------------------------------------------------


cdef struct LstmWork:
    void (*kernel)(const tt_lstm_cell_args *) noexcept nogil
    tt_lstm_cell_args args
    int64_t rows_of_piece


cdef void run_lstm(void *context, int64_t piece) noexcept nogil:
    cdef LstmWork *work = <LstmWork *> context
    cdef tt_lstm_cell_args args = work.args
    cdef int64_t first = piece * work.rows_of_piece, at = first * args.hidden
    args.rows = min(work.rows_of_piece, args.rows - first)
    args.gates += 4 * at
    args.c += at
    if args.gh == NULL:
        args.h_next += at
        args.c_next += at
    else:
        args.gh += at
        args.gc += at
        args.dgates += 4 * at
        args.dc += at
    work.kernel(&args)


cdef void start_lstm(LstmWork *work, cnp.ndarray gates, cnp.ndarray c):
    work.args.gates = data_f32(gates)
    work.args.c = data_f32(c)
    work.args.hidden = cnp.PyArray_DIM(c, cnp.PyArray_NDIM(c) - 1)
    work.args.rows = cnp.PyArray_SIZE(c) // work.args.hidden
    work.rows_of_piece = rows_of_piece(work.args.hidden, STATE_ELEMENTS)
    with nogil:
        _core.parallel_for(ceil_div(work.args.rows, work.rows_of_piece), run_lstm, work)


def lstm_cell(gates, c):
    cdef LstmWork work
    if not (is_state(c) and is_beside(gates, c, 4)):
        return reference.lstm_cell(gates, c)
    gates, c = contiguous(gates), contiguous(c)
    h_next, c_next = new_like(c), new_like(c)
    work.kernel = _core.table.lstm_cell_f32
    work.args.gh = NULL
    work.args.h_next = data_f32(h_next)
    work.args.c_next = data_f32(c_next)
    start_lstm(&work, gates, c)
    return h_next, c_next


def lstm_cell_backward(gh, gc, gates, c):
    cdef LstmWork work
    if not (
        is_state(c) and is_beside(gates, c, 4) and is_beside(gh, c, 1) and is_beside(gc, c, 1)
    ):
        return reference.lstm_cell_backward(gh, gc, gates, c)
    gh, gc, gates, c = contiguous(gh), contiguous(gc), contiguous(gates), contiguous(c)
    dgates, dc = new_like(gates), new_like(c)
    work.kernel = _core.table.lstm_cell_backward_f32
    work.args.gh = data_f32(gh)
    work.args.gc = data_f32(gc)
    work.args.dgates = data_f32(dgates)
    work.args.dc = data_f32(dc)
    start_lstm(&work, gates, c)
    return dgates, dc


# --- GRU -------------------------------------------------------------------------------------


cdef struct GruWork:
    void (*kernel)(const tt_gru_cell_args *) noexcept nogil
    tt_gru_cell_args args
    int64_t rows_of_piece


cdef void run_gru(void *context, int64_t piece) noexcept nogil:
    cdef GruWork *work = <GruWork *> context
    cdef tt_gru_cell_args args = work.args
    cdef int64_t first = piece * work.rows_of_piece, at = first * args.hidden
    args.rows = min(work.rows_of_piece, args.rows - first)
    args.x_gates += 3 * at
    args.h_gates += 3 * at
    args.h += at
    if args.g == NULL:
        args.h_next += at
    else:
        args.g += at
        args.dx_gates += 3 * at
        args.dh_gates += 3 * at
        args.dh += at
    work.kernel(&args)


cdef void start_gru(GruWork *work, cnp.ndarray x_gates, cnp.ndarray h_gates, cnp.ndarray h):
    work.args.x_gates = data_f32(x_gates)
    work.args.h_gates = data_f32(h_gates)
    work.args.h = data_f32(h)
    work.args.hidden = cnp.PyArray_DIM(h, cnp.PyArray_NDIM(h) - 1)
    work.args.rows = cnp.PyArray_SIZE(h) // work.args.hidden
    work.rows_of_piece = rows_of_piece(work.args.hidden, STATE_ELEMENTS)
    with nogil:
        _core.parallel_for(ceil_div(work.args.rows, work.rows_of_piece), run_gru, work)


def gru_cell(x_gates, h_gates, h):
    cdef GruWork work
    if not (is_state(h) and is_beside(x_gates, h, 3) and is_beside(h_gates, h, 3)):
        return reference.gru_cell(x_gates, h_gates, h)
    x_gates, h_gates, h = contiguous(x_gates), contiguous(h_gates), contiguous(h)
    h_next = new_like(h)
    work.kernel = _core.table.gru_cell_f32
    work.args.g = NULL
    work.args.h_next = data_f32(h_next)
    start_gru(&work, x_gates, h_gates, h)
    return h_next


def gru_cell_backward(g, x_gates, h_gates, h):
    cdef GruWork work
    if not (
        is_state(h) and is_beside(x_gates, h, 3) and is_beside(h_gates, h, 3)
        and is_beside(g, h, 1)
    ):
        return reference.gru_cell_backward(g, x_gates, h_gates, h)
    g, x_gates, h_gates, h = (
        contiguous(g), contiguous(x_gates), contiguous(h_gates), contiguous(h)
    )
    dx_gates, dh_gates, dh = new_like(x_gates), new_like(h_gates), new_like(h)
    work.kernel = _core.table.gru_cell_backward_f32
    work.args.g = data_f32(g)
    work.args.dx_gates = data_f32(dx_gates)
    work.args.dh_gates = data_f32(dh_gates)
    work.args.dh = data_f32(dh)
    start_gru(&work, x_gates, h_gates, h)
    return dx_gates, dh_gates, dh
