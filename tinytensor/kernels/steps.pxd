# Sequences of steps: what recurrent.pyx fills in, and the call that takes all steps.
cimport numpy as cnp
from libc.stdint cimport int64_t

from tinytensor.kernels.abi cimport tt_kernels, tt_step_args

cdef enum:
    COLUMNS_OF_STRIP = 256  # of a right factor of the gradients, packed at once


# x is (rows, I), states and cotangents (rows, H), the steps below each other, or (B, H). Of step t
# are the rows from offsets[t] to offsets[t + 1], no more than of the step before.
cdef struct Sequence:
    const tt_kernels *table
    void (*kernel)(const tt_step_args *) noexcept nogil
    tt_step_args args  # of the first step in time's order
    const float *weight
    const float *input_weight  # if the steps take the input's product with them
    float *packed
    float *operands
    const int64_t *offsets
    int64_t *places  # of each step's rows in a block of the operands
    int64_t steps, gates, groups, group_units
    int64_t input_groups  # of a backward pass that makes the cotangents of x
    int64_t piece_groups, row_pieces, pieces, input_pieces
    int64_t steps_done, steps_now  # before now, and in the run of steps that are taken now
    int64_t rows_at_once  # of such a run at least; 0: all
    bint reverse, backward


# The gradients of the weights of an LSTM, made while the cotangents of its gates are at hand.
cdef struct Gradients:
    const Sequence *s
    const float *x
    const float *h
    const float *h0
    float *before  # the rows of h, and of h0, before those of a run, if the steps differ in size
    float *dw_ih
    float *dw_hh
    float *db
    float *packed  # the right factor
    # One of the products: rows [row, row + depth) of the operands, by `columns` of longer rows.
    const float *factor
    float *dw
    int64_t row, depth, columns, row_length, block_depth
    int64_t piece_sums, piece_columns, column_pieces
    bint accumulate, adds_bias


# A sequence without its arrays, cut into pieces.
cdef void start(
    Sequence *s, cnp.ndarray offsets, int64_t batch, int64_t hidden, int gates, bint reverse,
    bint backward,
) noexcept

# The most rows of a run of steps, which is where the gradients of weights are added up.
cdef int64_t rows_of_run(const Sequence *s) noexcept nogil

# Whether the steps differ in the number of their rows.
cdef bint is_ragged(const Sequence *s) noexcept nogil

# Pack the weights, and take all steps; backward also goes on to the first state.
cdef int run_sequence(Sequence *s, cnp.ndarray w_hh, Gradients *gradients=*) except -1
