# cython: cdivision=True
"""Dropout: the float32 case of the twin in reference/dropout.py."""
cimport numpy as cnp
from libc.stdint cimport int64_t

from tinytensor.kernels cimport _core
from tinytensor.kernels.abi cimport tt_dropout_args, tt_kernels
from tinytensor.kernels.arrays cimport contiguous, data_f32, is_f32
from tinytensor.kernels.tuning cimport PICKED_ELEMENTS, ceil_div

from tinytensor.kernels import reference

__all__ = ["dropout"]

cnp.import_array()


cdef struct DropoutWork:
    const tt_kernels *table
    tt_dropout_args args


cdef void run_dropout(void *context, int64_t piece) noexcept nogil:
    cdef DropoutWork *work = <DropoutWork *> context
    cdef tt_dropout_args args = work.args
    args.first = piece * PICKED_ELEMENTS
    args.n = min(args.n - args.first, <int64_t> PICKED_ELEMENTS)
    args.x += args.first
    args.out += args.first
    work.table.dropout_f32(&args)


def dropout(x, p, key):
    cdef DropoutWork work
    if not is_f32(x) or not 0 <= p < 1 or round(p * 2**32) >= 2**32:
        return reference.dropout(x, p, key)
    x = contiguous(x)
    out = _core.empty_f32(cnp.PyArray_NDIM(x), cnp.PyArray_DIMS(x))
    work.table = _core.table
    work.args.x = data_f32(x)
    work.args.out = data_f32(out)
    work.args.n = cnp.PyArray_SIZE(x)
    work.args.stream = _core.is_streamed(work.args.n)
    work.args.key = key
    work.args.threshold = round(p * 2**32)
    work.args.scale = 1 / (1 - p)
    with nogil:
        _core.parallel_for(ceil_div(work.args.n, PICKED_ELEMENTS), run_dropout, &work)
    return out
