# cython: cdivision=True
"""Copies in C order: the float32 cases of the twins in reference/copies.py.

Rows whose elements are adjacent are copied as they are. Where another axis than the last is the one
with adjacent elements, the two make matrices that are transposed, all other axes counting them.
"""
cimport numpy as cnp
from libc.stdint cimport int64_t
from libc.string cimport memset

from tinytensor.kernels cimport _core
from tinytensor.kernels.abi cimport tt_copy_args, tt_kernels
from tinytensor.kernels.tuning cimport PIECE, SMALL, ceil_div

import numpy as np

from tinytensor.kernels import reference

__all__ = [
    "basic_index",
    "contiguous",
    "copy",
    "matrix_transpose",
    "permute_dims",
    "place",
    "reshape",
]

cnp.import_array()

cdef enum:
    TALL = 256        # rows of a piece that is transposed: long runs in x, and
    WIDE = 128        # columns: in the result


cdef bint lay_out(cnp.ndarray x, Layout *layout) noexcept:
    cdef int axis, k = 0
    cdef int64_t size, step
    for axis in range(cnp.PyArray_NDIM(x)):
        size = cnp.PyArray_DIM(x, axis)
        if size == 1:
            continue
        if cnp.PyArray_STRIDE(x, axis) % 4:
            return False
        step = cnp.PyArray_STRIDE(x, axis) // 4
        if k > 0 and layout.step[k - 1] == step * size:
            layout.shape[k - 1] *= size
            layout.step[k - 1] = step
        else:
            layout.shape[k] = size
            layout.step[k] = step
            k += 1
    if k == 0:
        layout.shape[0] = layout.step[0] = k = 1
    layout.ndim = k
    return True


# Matrices, counted by the other axes; each is cut into blocks.
cdef struct Work:
    void (*kernel)(const tt_copy_args *) noexcept nogil
    tt_copy_args args
    Layout others
    int64_t out_step[MOST_AXES]  # of the other axes
    int64_t tall, wide
    int64_t down, across  # blocks of a matrix
    bint transposed


cdef void run(void *context, int64_t piece) noexcept nogil:
    cdef Work *work = <Work *> context
    cdef tt_copy_args args = work.args
    cdef int64_t column = piece % work.across * work.wide
    cdef int64_t row = piece // work.across % work.down * work.tall
    cdef int64_t rest = piece // (work.across * work.down), index
    cdef int axis
    for axis in range(work.others.ndim - 1, -1, -1):
        index = rest % work.others.shape[axis]
        rest //= work.others.shape[axis]
        args.x += index * work.others.step[axis]
        args.out += index * work.out_step[axis]
    args.x += row + column * args.x_step if work.transposed else row * args.x_step + column
    args.out += row * args.out_step + column
    args.rows = min(work.tall, args.rows - row)
    args.cols = min(work.wide, args.cols - column)
    work.kernel(&args)


# Plan the copy of x, its layout in `others`, from which the axes of the matrices are taken out.
# False: no axis of x has adjacent elements.
cdef bint plan(Work *work, const tt_kernels *table) noexcept:
    cdef Layout *axes = &work.others
    cdef int last = axes.ndim - 1, rows = last - 1, axis
    cdef int64_t step = 1
    for axis in range(last, -1, -1):
        work.out_step[axis] = step
        step *= axes.shape[axis]
    work.transposed = axes.step[last] != 1
    if work.transposed:
        rows = last - 1
        while rows >= 0 and axes.step[rows] != 1:
            rows -= 1
        if rows < 0:
            return False
    work.args.cols = axes.shape[last]
    work.args.rows = 1 if rows < 0 else axes.shape[rows]
    work.args.out_step = 0 if rows < 0 else work.out_step[rows]
    if work.transposed:
        work.kernel = table.transpose_f32
        work.args.x_step = axes.step[last]
        work.tall, work.wide = TALL, WIDE
    else:
        work.kernel = table.copy_rows_f32
        work.args.x_step = 0 if rows < 0 else axes.step[rows]
        work.wide = PIECE
        work.tall = max(<int64_t> 1, PIECE // work.args.cols)
    work.down = ceil_div(work.args.rows, work.tall)
    work.across = ceil_div(work.args.cols, work.wide)
    axes.ndim = max(last - 1, 0)
    for axis in range(max(rows, 0), axes.ndim):  # the axes behind that of the rows move up
        axes.shape[axis] = axes.shape[axis + 1]
        axes.step[axis] = axes.step[axis + 1]
        work.out_step[axis] = work.out_step[axis + 1]
    return True


cpdef cnp.ndarray copy(x):
    cdef Work work
    cdef cnp.ndarray array, out
    cdef int64_t size, pieces
    if not (
        cnp.PyArray_CheckExact(x) and cnp.PyArray_TYPE(x) == cnp.NPY_FLOAT32
        and cnp.PyArray_ISBEHAVED_RO(x)
    ):
        return np.array(x, order="C")
    array = x
    size = cnp.PyArray_SIZE(array)
    out = _core.empty_f32(cnp.PyArray_NDIM(array), cnp.PyArray_DIMS(array))
    if size == 0:
        return out
    if not (
        lay_out(array, &work.others) and plan(&work, _core.table)
    ):
        cnp.PyArray_CopyInto(out, array)
        return out
    work.args.x = <const float *> cnp.PyArray_DATA(array)
    work.args.out = <float *> cnp.PyArray_DATA(out)
    work.args.stream = _core.is_streamed(size)
    pieces = size // (work.args.rows * work.args.cols) * work.down * work.across
    if size <= SMALL:
        _core.parallel_for(pieces, run, &work)
    else:
        with nogil:
            _core.parallel_for(pieces, run, &work)
    return out


cpdef cnp.ndarray contiguous(x):
    return x if cnp.PyArray_CheckExact(x) and cnp.PyArray_ISCARRAY_RO(x) else copy(x)


def matrix_transpose(x):
    """See :func:`tinytensor.kernels.reference.matrix_transpose`: NumPy's call takes its time."""
    if not cnp.PyArray_Check(x) or cnp.PyArray_NDIM(<cnp.ndarray> x) < 2:
        return reference.matrix_transpose(x)
    cdef int last = cnp.PyArray_NDIM(<cnp.ndarray> x) - 1
    return cnp.PyArray_SwapAxes(<cnp.ndarray> x, last - 1, last)


def basic_index(x, index):
    """See :func:`tinytensor.kernels.reference.basic_index`: the same, compiled."""
    picked = x[index]
    if not cnp.PyArray_Check(picked):
        picked = x[(*index, ...) if isinstance(index, tuple) else (index, ...)]
    return picked


def permute_dims(x, axes=None):
    """See :func:`tinytensor.kernels.reference.permute_dims`: NumPy's call takes its time."""
    if not cnp.PyArray_Check(x):
        return reference.permute_dims(x, axes)
    return cnp.PyArray_Transpose(<cnp.ndarray> x, NULL) if axes is None else x.transpose(axes)


cdef cnp.ndarray copied(x):  # for reshape, whose parameter hides the name
    return copy(x)


def reshape(x, shape, copy=None):
    """See :func:`tinytensor.kernels.reference.reshape`: where it must copy, a kernel does."""
    if not cnp.PyArray_CheckExact(x) or (copy is not None and not copy):
        return reference.reshape(x, shape, copy)
    if copy:
        x = copied(x)
    elif not cnp.PyArray_IS_C_CONTIGUOUS(<cnp.ndarray> x):
        try:
            return np.reshape(x, shape, copy=False)
        except ValueError:
            x = copied(x)
        except TypeError:  # NumPy 2.0 does not know ``copy`` here
            pass
    return cnp.PyArray_Reshape(<cnp.ndarray> x, shape)


# --- A part of an array of zeros -------------------------------------------------------------


# A matrix of which [row, row + part.rows) × [column, column + part.cols) is the part. A piece is
# cleared, and what it has of the part is copied while a cache holds it.
cdef struct Place:
    void (*kernel)(const tt_copy_args *) noexcept nogil
    float *out
    int64_t rows, cols
    tt_copy_args part
    int64_t row, column
    int64_t tall, wide, across


cdef void run_place(void *context, int64_t piece) noexcept nogil:
    cdef const Place *p = <const Place *> context
    cdef tt_copy_args args
    cdef int64_t row = piece // p.across * p.tall, end_row = min(row + p.tall, p.rows)
    cdef int64_t column = piece % p.across * p.wide, end = min(column + p.wide, p.cols)
    cdef int64_t top = max(row, p.row), left = max(column, p.column)
    # Of several rows a piece has all columns.
    memset(p.out + row * p.cols + column, 0, (end_row - row) * (end - column) * sizeof(float))
    args.rows = min(end_row, p.row + p.part.rows) - top
    args.cols = min(end, p.column + p.part.cols) - left
    if args.rows <= 0 or args.cols <= 0:
        return
    args.x_step = p.part.cols if args.rows > 1 else 0
    args.out_step, args.stream = p.cols, False
    args.x = p.part.x + (top - p.row) * p.part.cols + left - p.column
    args.out = p.out + top * p.cols + left
    p.kernel(&args)


# Plan a part of `size` elements in all that begins at `offset` and has this layout; False: it is
# none of a matrix.
cdef bint plan_place(Place *p, Layout *layout, int64_t offset, int64_t size) noexcept:
    if layout.ndim == 1 and layout.step[0] == 1:  # a part of one row
        p.part.rows, p.part.cols, p.cols = 1, layout.shape[0], size
    elif layout.ndim == 1:
        p.part.rows, p.part.cols, p.cols = layout.shape[0], 1, layout.step[0]
    elif layout.ndim == 2 and layout.step[1] == 1:
        p.part.rows, p.part.cols, p.cols = layout.shape[0], layout.shape[1], layout.step[0]
    else:
        return False
    if p.cols <= 0 or size % p.cols:
        return False
    p.rows = size // p.cols
    p.row, p.column = offset // p.cols, offset % p.cols
    return p.column + p.part.cols <= p.cols


def place(g, index, shape):
    cdef Place p
    cdef Layout layout
    cdef cnp.ndarray out, part
    cdef int64_t size, offset
    if not (
        cnp.PyArray_CheckExact(g) and cnp.PyArray_TYPE(g) == cnp.NPY_FLOAT32
        and cnp.PyArray_ISBEHAVED_RO(g) and cnp.PyArray_SIZE(g)
    ):
        return reference.place(g, index, shape)
    out = _core.empty(shape)
    size = cnp.PyArray_SIZE(out)
    picked = basic_index(out, index)
    part = picked
    if picked.shape != g.shape or not lay_out(part, &layout):
        return reference.place(g, index, shape)
    offset = (<float *> cnp.PyArray_DATA(part)) - (<float *> cnp.PyArray_DATA(out))
    if not plan_place(&p, &layout, offset, size):
        return reference.place(g, index, shape)
    g = contiguous(g)
    p.kernel = _core.table.copy_rows_f32
    p.out, p.part.x = <float *> cnp.PyArray_DATA(out), <const float *> cnp.PyArray_DATA(g)
    p.wide, p.tall = min(p.cols, PIECE), max(<int64_t> 1, PIECE // p.cols)
    p.across = ceil_div(p.cols, p.wide)
    cdef int64_t pieces = ceil_div(p.rows, p.tall) * p.across
    if size <= SMALL:
        _core.parallel_for(pieces, run_place, &p)
    else:
        with nogil:
            _core.parallel_for(pieces, run_place, &p)
    return out
