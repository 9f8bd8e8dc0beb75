# cython: cdivision=True
"""Connectionist temporal classification: the float32 cases of the twins in reference/ctc.py."""
cimport numpy as cnp
from libc.stdint cimport int64_t

from tinytensor.kernels cimport _core
from tinytensor.kernels.abi cimport TT_CTC_ROWS, tt_ctc_args, tt_ctc_row_size, tt_kernels
from tinytensor.kernels.arrays cimport contiguous, data_f32, is_f32
from tinytensor.kernels.tuning cimport STATE_ELEMENTS, ceil_div, rows_of_piece

import numpy as np

from tinytensor.kernels import reference
from tinytensor.kernels.reference.ctc import extended_labels

__all__ = ["ctc_loss", "ctc_loss_backward"]

cnp.import_array()


cdef struct CtcWork:
    const tt_kernels *table
    void (*kernel)(const tt_ctc_args *) noexcept nogil
    tt_ctc_args args  # of the first sample
    const int64_t *input_lengths
    const int64_t *target_lengths
    const float *g  # NULL forward
    int64_t samples, samples_of_piece


cdef void run_samples(void *context, int64_t piece) noexcept nogil:
    cdef CtcWork *work = <CtcWork *> context
    cdef tt_ctc_args args
    cdef int64_t first = piece * work.samples_of_piece, n
    for n in range(first, min(first + work.samples_of_piece, work.samples)):
        args = work.args
        args.log_probs += n * args.classes
        args.labels += n * args.alpha_row
        args.alpha += n * args.all_steps * args.alpha_row
        args.shifts += n * args.all_steps
        args.scratch += piece * TT_CTC_ROWS * tt_ctc_row_size(args.alpha_row)
        args.steps = work.input_lengths[n]
        args.length = 2 * work.target_lengths[n] + 1
        if work.g == NULL:
            args.loss += n
        else:
            args.dx += n * args.classes
            args.g = work.g[n]
        work.kernel(&args)


cdef bint is_row_of_i64(object x, int64_t n) noexcept:
    return (
        cnp.PyArray_CheckExact(x) and cnp.PyArray_TYPE(x) == cnp.NPY_INT64
        and cnp.PyArray_ISCARRAY_RO(x) and cnp.PyArray_NDIM(x) == 1 and cnp.PyArray_SIZE(x) == n
    )


# Whether all numbers are at least 0 and at most `most`: the kernels trust them.
cdef bint are_within(const int64_t *x, int64_t n, int64_t most) noexcept:
    cdef int64_t i
    for i in range(n):
        if x[i] < 0 or x[i] > most:
            return False
    return True


# Set what both passes read, of contiguous arrays: False if it is not what the kernels take.
cdef bint prepare(
    CtcWork *work, object log_probs, object states, object input_lengths, object target_lengths
) noexcept:
    cdef int64_t n = cnp.PyArray_DIM(log_probs, 1)
    if not (
        is_row_of_i64(input_lengths, n) and is_row_of_i64(target_lengths, n)
        and cnp.PyArray_DIM(states, 0) == n
    ):
        return False
    work.table = _core.table
    work.args.log_probs = data_f32(log_probs)
    work.args.labels = <const int64_t *> cnp.PyArray_DATA(states)
    work.args.all_steps = cnp.PyArray_DIM(log_probs, 0)
    work.args.classes = cnp.PyArray_DIM(log_probs, 2)
    work.args.row = n * work.args.classes
    work.args.alpha_row = cnp.PyArray_DIM(states, 1)
    work.input_lengths = <const int64_t *> cnp.PyArray_DATA(input_lengths)
    work.target_lengths = <const int64_t *> cnp.PyArray_DATA(target_lengths)
    work.g = NULL
    work.samples = n
    work.samples_of_piece = rows_of_piece(
        work.args.all_steps * work.args.alpha_row, STATE_ELEMENTS
    )
    return (
        are_within(work.input_lengths, n, work.args.all_steps)
        and are_within(work.target_lengths, n, (work.args.alpha_row - 1) // 2)
        and are_within(work.args.labels, n * work.args.alpha_row, work.args.classes - 1)
    )


cdef void run(CtcWork *work):
    cdef int64_t pieces = ceil_div(work.samples, work.samples_of_piece)
    scratch = _core.empty((pieces, TT_CTC_ROWS, tt_ctc_row_size(work.args.alpha_row)))
    work.args.scratch = data_f32(scratch)
    with nogil:
        _core.parallel_for(pieces, run_samples, work)


cdef bint are_taken(object log_probs, object labels) noexcept:
    return (
        is_f32(log_probs) and cnp.PyArray_NDIM(log_probs) == 3
        and cnp.PyArray_CheckExact(labels) and cnp.PyArray_NDIM(labels) == 2
    )


def ctc_loss(log_probs, labels, input_lengths, target_lengths, blank):
    cdef CtcWork work
    if are_taken(log_probs, labels):
        log_probs = contiguous(log_probs)
        states, _, _ = extended_labels(labels, target_lengths, blank)
        if prepare(&work, log_probs, states, input_lengths, target_lengths):
            losses = _core.empty((work.samples,))
            alpha = _core.empty((work.samples, work.args.all_steps, work.args.alpha_row))
            shifts = np.empty((work.samples, work.args.all_steps))
            work.args.loss = data_f32(losses)
            work.args.alpha = data_f32(alpha)
            work.args.shifts = <double *> cnp.PyArray_DATA(shifts)
            work.kernel = work.table.ctc_loss_f32
            run(&work)
            return losses, alpha, shifts
    return reference.ctc_loss(log_probs, labels, input_lengths, target_lengths, blank)


def ctc_loss_backward(
    g, log_probs, labels, input_lengths, target_lengths, blank, alpha, shifts
):
    cdef CtcWork work
    if (
        are_taken(log_probs, labels) and is_f32(g) and is_f32(alpha)
        and cnp.PyArray_ISCARRAY_RO(alpha) and cnp.PyArray_NDIM(alpha) == 3
        and cnp.PyArray_CheckExact(shifts) and cnp.PyArray_TYPE(shifts) == cnp.NPY_FLOAT64
        and cnp.PyArray_ISCARRAY_RO(shifts)
    ):
        g, log_probs = contiguous(g), contiguous(log_probs)
        states, _, _ = extended_labels(labels, target_lengths, blank)
        if (
            prepare(&work, log_probs, states, input_lengths, target_lengths)
            and cnp.PyArray_SIZE(g) == work.samples
            and alpha.shape == (work.samples, work.args.all_steps, work.args.alpha_row)
            and shifts.shape == (work.samples, work.args.all_steps)
        ):
            dx = _core.empty(log_probs.shape)
            work.args.alpha = data_f32(alpha)
            work.args.shifts = <double *> cnp.PyArray_DATA(shifts)
            work.args.dx = data_f32(dx)
            work.g = data_f32(g)
            work.kernel = work.table.ctc_loss_backward_f32
            run(&work)
            return dx
    return reference.ctc_loss_backward(
        g, log_probs, labels, input_lengths, target_lengths, blank, alpha, shifts
    )
