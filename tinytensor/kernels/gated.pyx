# cython: cdivision=True
"""Gated activations: the float32 cases of the twins in reference/gated.py."""
cimport numpy as cnp
from libc.stdint cimport int64_t

from tinytensor.kernels cimport _core
from tinytensor.kernels.abi cimport tt_gated_args, tt_kernels
from tinytensor.kernels.arrays cimport contiguous, data_f32, is_readable_f32
from tinytensor.kernels.mapping cimport binary, binary_kernel
from tinytensor.kernels.tuning cimport PIECE, ceil_div, rows_of_piece

from tinytensor.kernels import reference

__all__ = ["gated", "gated_backward"]

cnp.import_array()

ctypedef void (*gated_kernel)(const tt_gated_args *) noexcept nogil

cdef tuple NAMES = ("silu", "gelu", "gelu_tanh", "relu", "sigmoid")


cdef struct GatedWork:
    gated_kernel kernel
    tt_gated_args args
    int64_t rows_of_piece


cdef void run_gated(void *context, int64_t piece) noexcept nogil:
    cdef GatedWork *work = <GatedWork *> context
    cdef tt_gated_args args = work.args
    cdef int64_t first = piece * work.rows_of_piece
    args.rows = min(work.rows_of_piece, args.rows - first)
    args.gate += first * args.gate_row
    args.up += first * args.up_row
    args.g += first * args.g_row
    args.dgate += first * args.cols
    args.dup += first * args.cols
    work.kernel(&args)


def gated(gate, up, activation):
    cdef const tt_kernels *table = _core.table
    cdef binary_kernel *kernels = [
        table.gated_silu_f32, table.gated_gelu_f32, table.gated_gelu_tanh_f32,
        table.gated_relu_f32, table.gated_sigmoid_f32,
    ]
    out = binary(kernels[<int> NAMES.index(activation)], gate, up, 0, 0)
    return reference.gated(gate, up, activation) if out is None else out


# Rows that are as far apart all along the axes before the last, or a copy.
cdef object as_rows(object x, int64_t *row):
    cdef int axis, ndim = cnp.PyArray_NDIM(x)
    row[0] = cnp.PyArray_DIM(x, ndim - 1)
    if ndim > 1 and cnp.PyArray_STRIDE(x, ndim - 1) == 4 and cnp.PyArray_STRIDE(x, ndim - 2) > 0:
        row[0] = cnp.PyArray_STRIDE(x, ndim - 2) // 4
        for axis in range(ndim - 2):
            if (
                cnp.PyArray_STRIDE(x, axis)
                != cnp.PyArray_STRIDE(x, axis + 1) * cnp.PyArray_DIM(x, axis + 1)
            ):
                row[0] = cnp.PyArray_DIM(x, ndim - 1)
                return contiguous(x)
        return x
    return contiguous(x)


def gated_backward(g, gate, up, activation):
    cdef const tt_kernels *table = _core.table
    cdef GatedWork work
    cdef gated_kernel *kernels = [
        table.gated_silu_backward_f32, table.gated_gelu_backward_f32,
        table.gated_gelu_tanh_backward_f32, table.gated_relu_backward_f32,
        table.gated_sigmoid_backward_f32,
    ]
    if not (
        is_readable_f32(g) and is_readable_f32(gate) and is_readable_f32(up)
        and cnp.PyArray_SAMESHAPE(g, gate) and cnp.PyArray_SAMESHAPE(g, up)
        and cnp.PyArray_NDIM(g) and cnp.PyArray_SIZE(g)
    ):
        return reference.gated_backward(g, gate, up, activation)
    work.kernel = kernels[<int> NAMES.index(activation)]
    g = as_rows(g, &work.args.g_row)
    gate = as_rows(gate, &work.args.gate_row)
    up = as_rows(up, &work.args.up_row)
    dgate = _core.empty_f32(cnp.PyArray_NDIM(g), cnp.PyArray_DIMS(g))
    dup = _core.empty_f32(cnp.PyArray_NDIM(g), cnp.PyArray_DIMS(g))
    work.args.g, work.args.gate, work.args.up = data_f32(g), data_f32(gate), data_f32(up)
    work.args.dgate, work.args.dup = data_f32(dgate), data_f32(dup)
    work.args.cols = cnp.PyArray_DIM(g, cnp.PyArray_NDIM(g) - 1)
    work.args.rows = cnp.PyArray_SIZE(g) // work.args.cols
    work.rows_of_piece = rows_of_piece(work.args.cols, PIECE)
    with nogil:
        _core.parallel_for(ceil_div(work.args.rows, work.rows_of_piece), run_gated, &work)
    return dgate, dup
