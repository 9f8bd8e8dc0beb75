# cython: cdivision=True
"""Softmax and logsumexp: the float32 cases of the twins in reference/softmax.py."""
cimport numpy as cnp
from libc.stdint cimport int64_t

from tinytensor.kernels cimport _core
from tinytensor.kernels.abi cimport tt_kernels, tt_softmax_args
from tinytensor.kernels.arrays cimport contiguous, data_f32, is_f32, set_sums
from tinytensor.kernels.tuning cimport ROWS_OF_ELEMENTS, ceil_div, rows_of_piece

import numpy as np

from tinytensor.kernels import reference

__all__ = [
    "log_softmax",
    "log_softmax_backward",
    "logsumexp",
    "logsumexp_backward",
    "softmax",
    "softmax_backward",
]

cnp.import_array()

cdef enum:
    COLUMNS = 64  # pieces of columns are cut between runs of so many


# --- Softmax ---------------------------------------------------------------------------------

ctypedef void (*softmax_kernel)(const tt_softmax_args *) noexcept nogil


cdef struct SoftmaxWork:
    softmax_kernel kernel
    tt_softmax_args args
    int64_t in_piece  # rows, or columns
    int64_t pieces_of_block  # of columns: a block is n runs of `step`
    int64_t out_n, g_n  # elements of a row in out, and in g (and the log-sum-exp): n or 1


# To the row or column `first` of block number `block`; of rows, all are one block.
cdef inline void shift(
    const SoftmaxWork *work, tt_softmax_args *args, int64_t block, int64_t first
) noexcept nogil:
    cdef bint by_rows = args.step == 1
    cdef int64_t blocks = block * args.step
    args.x += blocks * args.n + (first * args.n if by_rows else first)
    args.out += blocks * work.out_n + (first * work.out_n if by_rows else first)
    if args.g != NULL:
        args.g += blocks * work.g_n + (first * work.g_n if by_rows else first)
    if args.top != NULL:
        args.top += blocks + first
        args.sum += blocks + first


cdef void run_rows(void *context, int64_t piece) noexcept nogil:
    cdef SoftmaxWork *work = <SoftmaxWork *> context
    cdef tt_softmax_args args = work.args
    args.rows = min(work.in_piece, args.rows - piece * work.in_piece)
    shift(work, &args, 0, piece * work.in_piece)
    work.kernel(&args)


cdef void run_columns(void *context, int64_t piece) noexcept nogil:
    cdef SoftmaxWork *work = <SoftmaxWork *> context
    cdef tt_softmax_args args = work.args
    cdef int64_t block = piece // work.pieces_of_block
    cdef int64_t first = piece % work.pieces_of_block * work.in_piece
    args.columns = min(work.in_piece, args.step - first)
    shift(work, &args, block, first)
    work.kernel(&args)


cdef int place_of(object x, int axis) except -1:
    if not -cnp.PyArray_NDIM(x) <= axis < cnp.PyArray_NDIM(x):
        raise ValueError(f"there is no axis {axis} in {x.shape}")
    return axis if axis >= 0 else axis + cnp.PyArray_NDIM(x)


cdef object along(softmax_kernel by_rows, softmax_kernel by_columns, object x, object g, int axis):
    cdef SoftmaxWork work
    if cnp.PyArray_NDIM(x) == 0:
        g = None if g is None else g.reshape(1)
        return along(by_rows, by_columns, x.reshape(1), g, axis).reshape(())
    axis = place_of(x, axis)
    x = contiguous(x)
    g = None if g is None else contiguous(g)
    out = _core.empty_f32(cnp.PyArray_NDIM(x), cnp.PyArray_DIMS(x))
    work.args.g, work.args.top = data_f32(g), NULL
    work.out_n = work.g_n = cnp.PyArray_DIM(x, axis)
    run(&work, by_rows, by_columns, x, out, axis)
    return out


# Run it for a contiguous x; g, top, sum and the sizes of rows are filled in.
cdef void run(
    SoftmaxWork *work, softmax_kernel by_rows, softmax_kernel by_columns, cnp.ndarray x,
    cnp.ndarray out, int axis,
):
    cdef int64_t n = cnp.PyArray_DIM(x, axis), size = cnp.PyArray_SIZE(x), pieces
    cdef int i
    if size == 0:
        return
    work.args.x = data_f32(x)
    work.args.out = data_f32(out)
    work.args.n = n
    work.args.stream = _core.is_streamed(size)
    work.args.step = 1
    for i in range(axis + 1, cnp.PyArray_NDIM(x)):
        work.args.step *= cnp.PyArray_DIM(x, i)
    work.in_piece = rows_of_piece(n, ROWS_OF_ELEMENTS)
    work.args.rows = size // n
    if work.args.step == 1:
        work.kernel = by_rows
        pieces = ceil_div(work.args.rows, work.in_piece)
        with nogil:
            _core.parallel_for(pieces, run_rows, work)
    else:
        work.kernel = by_columns
        work.in_piece = ceil_div(work.in_piece, COLUMNS) * COLUMNS
        work.pieces_of_block = ceil_div(work.args.step, work.in_piece)
        pieces = size // (n * work.args.step) * work.pieces_of_block
        with nogil:
            _core.parallel_for(pieces, run_columns, work)


def softmax(x, axis):
    cdef const tt_kernels *table = _core.table
    if not is_f32(x):
        return reference.softmax(x, axis)
    return along(table.softmax_f32, table.softmax_columns_f32, x, None, axis)


def log_softmax(x, axis):
    cdef const tt_kernels *table = _core.table
    if not is_f32(x):
        return reference.log_softmax(x, axis)
    return along(table.log_softmax_f32, table.log_softmax_columns_f32, x, None, axis)


def softmax_backward(g, out, axis):
    cdef const tt_kernels *table = _core.table
    if not (is_f32(g) and is_f32(out) and cnp.PyArray_SAMESHAPE(g, out)):
        return reference.softmax_backward(g, out, axis)
    return along(table.softmax_backward_f32, table.softmax_backward_columns_f32, out, g, axis)


def log_softmax_backward(g, out, axis):
    cdef const tt_kernels *table = _core.table
    if not (is_f32(g) and is_f32(out) and cnp.PyArray_SAMESHAPE(g, out)):
        return reference.log_softmax_backward(g, out, axis)
    return along(
        table.log_softmax_backward_f32, table.log_softmax_backward_columns_f32, out, g, axis
    )


# Is it a case of the kernels below? They take one axis, along which x has elements.
cdef bint is_row_reduced(object x, object axis, object keepdims):
    return (
        is_f32(x) and type(axis) is int and type(keepdims) is bool and cnp.PyArray_SIZE(x) > 0
        and -cnp.PyArray_NDIM(x) <= axis < cnp.PyArray_NDIM(x)
    )


def logsumexp(x, axis=None, keepdims=False):
    cdef const tt_kernels *table = _core.table
    cdef SoftmaxWork work
    if not is_row_reduced(x, axis, keepdims):
        return reference.logsumexp(x, axis, keepdims)
    x, axis = contiguous(x), place_of(x, axis)
    shape = list(x.shape)
    shape[axis:axis + 1] = [1] if keepdims else []
    out = _core.empty(tuple(shape))
    lse = _core.empty((2,) + (<object> out).shape)
    set_sums(&work.args.top, &work.args.sum, lse)
    work.args.g = NULL
    work.out_n = work.g_n = 1
    run(&work, table.logsumexp_f32, table.logsumexp_columns_f32, x, out, axis)
    return out, lse


def logsumexp_backward(g, x, lse, axis=None, keepdims=False):
    cdef const tt_kernels *table = _core.table
    cdef SoftmaxWork work
    if not (
        is_row_reduced(x, axis, keepdims) and is_f32(g) and is_f32(lse)
        and lse.shape == (2,) + g.shape
        and cnp.PyArray_SIZE(g) * <int64_t> x.shape[axis] == cnp.PyArray_SIZE(x)
    ):
        return reference.logsumexp_backward(g, x, lse, axis, keepdims)
    x, axis, g, lse = contiguous(x), place_of(x, axis), contiguous(g), contiguous(lse)
    dx = _core.empty_f32(cnp.PyArray_NDIM(x), cnp.PyArray_DIMS(x))
    work.args.g = data_f32(g)
    set_sums(&work.args.top, &work.args.sum, lse)
    work.out_n, work.g_n = cnp.PyArray_DIM(x, axis), 1
    run(&work, table.logsumexp_backward_f32, table.logsumexp_backward_columns_f32, x, dx, axis)
    return dx
