# cython: cdivision=True
"""Packed matrices: the float32 cases of the twins in reference/packed.py.

Few vectors are multiplied by rows that become floats in registers or in a first-level cache. For
many, strips of rows are unpacked into scratch memory that a second-level or third-level cache
holds, and are then an operand of an ordinary product.
"""
cimport numpy as cnp
from libc.stdint cimport int64_t
from libc.string cimport memset

from tinytensor.kernels cimport _core
from tinytensor.kernels.abi cimport tt_kernels, tt_packed_args
from tinytensor.kernels.arrays cimport contiguous, data_f32, is_f32, is_f32_or_none
from tinytensor.kernels.gemm cimport multiply, product
from tinytensor.kernels.scratch cimport allocate
from tinytensor.kernels.tuning cimport PIECE, ceil_div, round_up

import numpy as np

from tinytensor.kernels import reference

__all__ = ["packed_linear", "packed_linear_backward", "packed_unpack"]

cnp.import_array()

NUMBERS = {kind: i for i, kind in enumerate(reference.PACKED_KINDS)}

cdef enum:
    FEW = 16  # vectors for which the rows are unpacked a few at a time
    PRODUCTS_OF_PIECE = 1 << 17
    STRIP = 1 << 20  # floats of a strip: enough columns for the product's own pieces
    ROWS_AT_ONCE = 64  # a strip is of as many rows, or a multiple


cdef struct Work:
    void (*kernel)(const tt_packed_args *) noexcept nogil
    tt_packed_args args
    int64_t piece_rows
    const int64_t *indices


cdef void run_rows(void *context, int64_t piece) noexcept nogil:
    cdef const Work *work = <const Work *> context
    cdef tt_packed_args args = work.args
    args.first += piece * work.piece_rows
    args.last = min(args.first + work.piece_rows, args.last)
    work.kernel(&args)


cdef void run_unpack(void *context, int64_t piece) noexcept nogil:
    cdef const Work *work = <const Work *> context
    cdef tt_packed_args args = work.args
    cdef int64_t first = piece * work.piece_rows, i
    cdef int64_t last = min(first + work.piece_rows, args.last - args.first)
    args.out += first * args.out_row
    if work.indices == NULL:
        args.last = args.first + last
        args.first += first
        work.kernel(&args)
        return
    for i in range(first, last):
        args.first = work.indices[i]
        args.last = args.first + 1
        work.kernel(&args)
        args.out += args.out_row


cdef bint set_matrix(
    tt_packed_args *args, object kind, object data, object columns, object scales
) except -1:
    memset(args, 0, sizeof(tt_packed_args))
    number = NUMBERS.get(kind)
    if number is None or not (
        cnp.PyArray_CheckExact(data) and cnp.PyArray_TYPE(data) == cnp.NPY_UINT8
        and cnp.PyArray_NDIM(data) == 2 and cnp.PyArray_ISCARRAY_RO(data)
    ):
        return False
    width, size = reference.PACKED_KINDS[kind]
    args.kind, args.columns = number, columns
    args.row_bytes, args.last = cnp.PyArray_DIM(data, 1), cnp.PyArray_DIM(data, 0)
    if columns % width or args.row_bytes != columns // width * size:
        return False
    args.blocks = cnp.PyArray_DATA(data)
    if kind == "int8":
        if not (
            is_f32(scales) and cnp.PyArray_ISCARRAY_RO(scales)
            and cnp.PyArray_NDIM(scales) == 1 and cnp.PyArray_DIM(scales, 0) == args.last
        ):
            return False
        args.scales = data_f32(scales)
    return True


cdef void unpack(const tt_packed_args *args, const int64_t *indices) noexcept nogil:
    """Rows [first, last), or those at the indices [first, last), into ``out``."""
    cdef Work work
    work.kernel = _core.table.packed_unpack_f32
    work.args, work.indices = args[0], indices
    work.piece_rows = max(1, PIECE // max(1, args.columns))
    _core.parallel_for(ceil_div(args.last - args.first, work.piece_rows), run_unpack, &work)


def packed_unpack(kind, data, columns, scales=None, indices=None):
    cdef tt_packed_args args
    cdef const int64_t *rows = NULL
    cdef int64_t i, size
    if not set_matrix(&args, kind, data, columns, scales):
        return reference.packed_unpack(kind, data, columns, scales, indices)
    shape = (args.last,)
    if indices is not None:
        if not (
            cnp.PyArray_CheckExact(indices) and cnp.PyArray_TYPE(indices) == cnp.NPY_INT64
            and cnp.PyArray_ISCARRAY_RO(indices)
        ):
            return reference.packed_unpack(kind, data, columns, scales, indices)
        rows = <const int64_t *> cnp.PyArray_DATA(indices)
        size = cnp.PyArray_SIZE(indices)
        for i in range(size):
            if rows[i] < 0 or rows[i] >= args.last:
                return reference.packed_unpack(kind, data, columns, scales, indices)
        args.last = size
        shape = (<object> indices).shape
    out = _core.empty((*shape, columns))
    args.out, args.out_row = data_f32(out), args.columns
    with nogil:
        unpack(&args, rows)
    return out


cdef int64_t strip_rows(const tt_packed_args *args) noexcept nogil:
    """Rows of a strip; all strips have about as many."""
    cdef int64_t rows = args.last
    cdef int64_t strips = ceil_div(rows, max(ROWS_AT_ONCE, STRIP // max(1, args.columns)))
    return round_up(ceil_div(rows, max(1, strips)), ROWS_AT_ONCE)


def packed_linear(x, kind, data, columns, scales=None, bias=None):
    cdef Work work
    cdef product p
    cdef tt_packed_args *args = &work.args
    cdef int64_t vectors, rows, strip
    if not (
        set_matrix(args, kind, data, columns, scales) and is_f32(x) and is_f32_or_none(bias)
        and cnp.PyArray_NDIM(x) >= 1
        and cnp.PyArray_DIM(x, cnp.PyArray_NDIM(x) - 1) == args.columns
        and (bias is None or (<object> bias).shape == (args.last,))
    ):
        return reference.packed_linear(x, kind, data, columns, scales, bias)
    x = contiguous(x)
    bias = None if bias is None else contiguous(bias)
    shape = (<object> x).shape[:-1]
    rows = args.last
    out = _core.empty((*shape, rows))
    if cnp.PyArray_SIZE(out) == 0:
        return out
    vectors = cnp.PyArray_SIZE(out) // rows
    args.x, args.bias, args.out = data_f32(x), data_f32(bias), data_f32(out)
    if vectors <= FEW or not args.columns:
        args.vectors, args.x_row, args.out_row = vectors, args.columns, rows
        work.kernel = _core.table.packed_rows_f32
        work.piece_rows = round_up(
            max(1, PRODUCTS_OF_PIECE // (max(1, args.columns) * vectors)), 8
        )
        with nogil:
            _core.parallel_for(ceil_div(rows, work.piece_rows), run_rows, &work)
        return out
    memset(&p, 0, sizeof(product))
    p.batches, p.rows, p.depth = 1, vectors, args.columns
    p.a, p.a_row, p.a_depth = args.x, args.columns, 1
    p.b_depth, p.b_column, p.c_row = 1, args.columns, rows
    keep = []
    strip = strip_rows(args)
    args.out, args.out_row = allocate(strip * args.columns, keep), args.columns
    p.b = args.out
    while args.first < rows:
        args.last = min(args.first + strip, rows)
        with nogil:
            unpack(args, NULL)
        p.columns = args.last - args.first
        p.c = data_f32(out) + args.first
        p.column_bias = NULL if bias is None else data_f32(bias) + args.first
        multiply(&p)
        args.first = args.last
    return out


def packed_linear_backward(g, kind, data, columns, scales=None):
    cdef tt_packed_args args
    cdef product p
    cdef int64_t rows, strip
    if not (
        set_matrix(&args, kind, data, columns, scales) and is_f32(g) and cnp.PyArray_NDIM(g) >= 1
        and cnp.PyArray_DIM(g, cnp.PyArray_NDIM(g) - 1) == args.last
        and args.last and args.columns
    ):
        return reference.packed_linear_backward(g, kind, data, columns, scales)
    g = contiguous(g)
    rows = args.last
    out = _core.empty((*(<object> g).shape[:-1], columns))
    memset(&p, 0, sizeof(product))
    p.batches, p.rows, p.columns = 1, cnp.PyArray_SIZE(g) // rows, args.columns
    p.a_row, p.a_depth = rows, 1
    p.b_depth, p.b_column = args.columns, 1
    p.c, p.c_row = data_f32(out), args.columns
    keep = []
    strip = strip_rows(&args)
    args.out, args.out_row = allocate(strip * args.columns, keep), args.columns
    p.b = args.out
    while args.first < rows:
        args.last = min(args.first + strip, rows)
        with nogil:
            unpack(&args, NULL)
        p.depth = args.last - args.first
        p.a = data_f32(g) + args.first
        p.accumulate = args.first > 0
        multiply(&p)
        args.first = args.last
    return out
