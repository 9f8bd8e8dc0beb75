# cython: cdivision=True
"""Rotary positions: the float32 cases of the twin in reference/rotary.py."""
cimport numpy as cnp
from libc.stdint cimport int64_t

from tinytensor.kernels cimport _core
from tinytensor.kernels.abi cimport tt_kernels, tt_rotary_args
from tinytensor.kernels.arrays cimport contiguous, data_f32, is_plain_f32, is_readable_f32
from tinytensor.kernels.tuning cimport ROWS_OF_ELEMENTS, SMALL, ceil_div, rows_of_piece

from tinytensor.kernels import reference

__all__ = ["rotary"]

cnp.import_array()


cdef struct RotaryWork:
    const tt_kernels *table
    tt_rotary_args args
    int64_t steps, steps_of_piece, pieces_of_batch
    int64_t x_batch, out_batch, position_batch


cdef void run_rotary(void *context, int64_t piece) noexcept nogil:
    cdef RotaryWork *work = <RotaryWork *> context
    cdef tt_rotary_args args = work.args
    cdef int64_t batch = piece // work.pieces_of_batch
    cdef int64_t first = piece % work.pieces_of_batch * work.steps_of_piece
    args.steps = min(work.steps_of_piece, work.steps - first)
    args.positions += batch * work.position_batch + first
    args.x += batch * work.x_batch + first * args.x_step
    args.out += batch * work.out_batch + first * args.depth
    work.table.rotary_f32(&args)


# x as (batch, heads, T, D), of which positions (T,) or (batch, T) are those of all heads.
def rotary(x, positions, frequencies, interleaved, scale, back):
    cdef RotaryWork work
    cdef int64_t batch
    if not (
        is_readable_f32(x) and cnp.PyArray_NDIM(x) >= 2 and cnp.PyArray_SIZE(x)
        and is_plain_f32(frequencies) and cnp.PyArray_SIZE(frequencies)
        and cnp.PyArray_CheckExact(positions) and cnp.PyArray_TYPE(positions) == cnp.NPY_INT64
    ):
        return reference.rotary(x, positions, frequencies, interleaved, scale, back)
    shape, lead = (<object> x).shape, cnp.PyArray_NDIM(positions) - 1
    if cnp.PyArray_STRIDE(x, cnp.PyArray_NDIM(x) - 1) != 4:
        x = contiguous(x)
    rows = x
    if cnp.PyArray_NDIM(x) != 4 or lead > 1:
        lead = max(lead, 1 if len(shape) > 3 else 0)
        batch = 1
        for size in shape[:lead]:
            batch *= size
        rows = contiguous(x).reshape(batch, -1, shape[-2], shape[-1])
    positions = contiguous(positions)
    batch = cnp.PyArray_DIM(rows, 0)
    work.table = _core.table
    work.args.heads = cnp.PyArray_DIM(rows, 1)
    work.steps, work.args.depth = cnp.PyArray_DIM(rows, 2), cnp.PyArray_DIM(rows, 3)
    work.x_batch = cnp.PyArray_STRIDE(rows, 0) // 4
    work.args.x_head = cnp.PyArray_STRIDE(rows, 1) // 4
    work.args.x_step = cnp.PyArray_STRIDE(rows, 2) // 4
    work.args.out_head = work.steps * work.args.depth
    work.out_batch = work.args.heads * work.args.out_head
    work.position_batch = 0 if cnp.PyArray_NDIM(positions) == 1 else work.steps
    work.args.pairs = cnp.PyArray_SIZE(frequencies)
    work.args.frequencies, work.args.x = data_f32(frequencies), data_f32(rows)
    work.args.positions = <const int64_t *> cnp.PyArray_DATA(positions)
    work.args.interleaved = interleaved
    work.args.scale = scale
    work.args.sine_scale = -scale if back else scale
    out = _core.empty(shape)
    work.args.out = data_f32(out)
    work.steps_of_piece = rows_of_piece(work.args.heads * work.args.depth, ROWS_OF_ELEMENTS)
    work.pieces_of_batch = ceil_div(work.steps, work.steps_of_piece)
    if cnp.PyArray_SIZE(x) <= SMALL:
        for batch in range(batch * work.pieces_of_batch):
            run_rotary(&work, batch)
        return out
    with nogil:
        _core.parallel_for(batch * work.pieces_of_batch, run_rotary, &work)
    return out
