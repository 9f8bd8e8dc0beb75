# cython: cdivision=True
"""Recurrent layers: the float32 cases of the twins in reference/recurrent.py.

A sequence is one product for the inputs of all steps, or steps that take the input's product with
them; the steps are cut into pieces over the units and the rows of the batch (recurrent.h). Backward
makes the cotangents of the gates' sums. The gradients of weights and inputs are products of these:
ops make them, or, of an LSTM, lstm_grads while the cotangents are at hand.
"""
cimport numpy as cnp
from libc.stdint cimport int64_t
from libc.string cimport memset

from tinytensor.kernels cimport _core
from tinytensor.kernels.abi cimport (
    TT_GEMM_DEPTH, TT_STEP_DEPTH, TT_STEP_ROW, TT_STEP_ROWS, tt_gemm_block_args,
    tt_gemm_pack_args, tt_gru_cell_args, tt_kernels, tt_lstm_cell_args, tt_step_args,
    tt_step_bias_args, tt_step_operand_size, tt_step_pack_args,
)
from tinytensor.kernels.arrays cimport ceil_div, contiguous, data_f32, is_f32, rows_of_piece

import numpy as np

from tinytensor.kernels import reference
from tinytensor.kernels.gemm import linear, matmul

__all__ = [
    "gru",
    "gru_backward",
    "gru_cell",
    "gru_cell_backward",
    "lstm",
    "lstm_backward",
    "lstm_cell",
    "lstm_cell_backward",
    "lstm_grads",
    "rnn",
    "rnn_backward",
]

cnp.import_array()

cdef enum:
    WORK_OF_PIECE = 1 << 13  # elements of the state, each with some 60 operations
    FUSED_FROM = 16  # rows of a batch
    OPERANDS_IN_CACHE = 1 << 17  # elements: half of a second-level cache
    ROWS_OF_GRADIENT = 256  # and columns of a piece, which stays in the cache as it is added to
    COLUMNS_OF_GRADIENT = 128
    COLUMNS_OF_STRIP = 256  # of a right factor, packed at once
    WORK_OF_GRADIENT = 1 << 20  # multiply-adds; about 20 µs
    WORK_OF_STEP = 1 << 18  # multiply-adds in a piece of a step; about 5 µs


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
    work.rows_of_piece = rows_of_piece(work.args.hidden, WORK_OF_PIECE)
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
    work.rows_of_piece = rows_of_piece(work.args.hidden, WORK_OF_PIECE)
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


# --- Sequences -------------------------------------------------------------------------------
# x is (T, B, I), states and cotangents (T, B, H) or, of one step, (B, H).


cdef struct Sequence:
    const tt_kernels *table
    void (*kernel)(const tt_step_args *) noexcept nogil
    tt_step_args args  # of the first step in time's order
    const float *weight
    const float *input_weight  # if the steps take the input's product with them
    float *packed
    float *operands
    int64_t kept  # operands, which the steps read and write in turns
    int64_t steps, gates, groups, group_units
    int64_t input_groups  # of a backward pass that makes the cotangents of x
    int64_t piece_groups, piece_rows, row_pieces, pieces, input_pieces
    int64_t first, some  # steps that are taken now
    bint reverse, backward


cdef void cut(Sequence *s, int64_t steps, int64_t batch, int64_t hidden, int gates) noexcept:
    """How steps are cut into pieces: by their size."""
    cdef int64_t blocks = ceil_div(batch, TT_STEP_ROWS)
    s.table = _core.table
    s.steps, s.gates, s.args.batch, s.args.hidden = steps, gates, batch, hidden
    s.group_units = 2 * (s.table.vector_bytes // 4)
    s.groups = ceil_div(hidden, s.group_units)
    s.piece_rows = ceil_div(batch, blocks)
    s.row_pieces = ceil_div(batch, s.piece_rows)
    s.piece_groups = ceil_div(
        WORK_OF_STEP, max(1, s.piece_rows * gates * hidden * s.group_units)
    )
    s.pieces = ceil_div(s.groups, s.piece_groups) * s.row_pieces
    s.some = steps + s.backward
    s.kept = 2


cdef void pack_groups(void *context, int64_t piece) noexcept nogil:
    cdef const Sequence *s = <const Sequence *> context
    cdef tt_step_pack_args args
    args.weight, args.input_weight, args.out = s.weight, s.input_weight, s.packed
    args.gates, args.hidden, args.inputs = s.gates, s.args.hidden, s.args.inputs
    args.backward = s.backward
    args.first = piece * s.piece_groups
    args.groups = min(s.piece_groups, s.groups + s.input_groups - args.first)
    s.table.step_pack_f32(&args)


cdef inline float *moved(const float *x, int64_t by) noexcept nogil:
    return <float *> x + by if x != NULL else NULL


# Whether the indices of the steps go down.
cdef inline bint is_downward(const Sequence *s) noexcept nogil:
    return s.reverse != s.backward


# The operand that a step leaves, in the order of the steps' indices. That of the step before is
# where a step `kept` - 1 later would leave its own.
cdef inline float *operand_of(const Sequence *s, int64_t step) noexcept nogil:
    cdef int64_t place = step % s.kept
    if is_downward(s):
        place = s.kept - 1 - place
    return s.operands + place * s.args.batch * TT_STEP_ROW


cdef void run_step(void *context, int64_t step, int64_t piece) noexcept nogil:
    """A piece of a step; behind the last step of backward, of the first state's cotangent."""
    cdef const Sequence *s = <const Sequence *> context
    cdef tt_step_args args = s.args
    cdef int64_t state = args.batch * args.hidden
    cdef int64_t t, before, after, group
    # The pieces of inputs lie evenly among those of units, so that every thread has of both.
    cdef int64_t inputs_before = piece * s.input_pieces // (s.pieces + s.input_pieces)
    cdef int64_t inputs_to_here = (piece + 1) * s.input_pieces // (s.pieces + s.input_pieces)
    cdef bint of_inputs = inputs_to_here > inputs_before
    piece = inputs_before if of_inputs else piece - inputs_before
    step += s.first
    t = s.steps - 1 - step if is_downward(s) else step
    before = t + 1 if s.reverse else t - 1
    after = 2 * t - before
    args.row = piece % s.row_pieces * s.piece_rows
    args.rows = min(s.piece_rows, args.batch - args.row)
    if step > 0 or args.operand != NULL:
        args.operand = operand_of(s, step + s.kept - 1)
    args.next = operand_of(s, step)
    group = piece // s.row_pieces * s.piece_groups
    if of_inputs:  # their cotangents, of the step before this one
        args.unit = group * s.group_units
        args.units = min(s.piece_groups, s.input_groups - group) * s.group_units
        args.dx = moved(args.dx, after * args.batch * args.inputs)
        if step > 0:
            s.table.step_inputs_backward_f32(&args)
        return
    args.unit = group * s.group_units
    args.units = min(s.piece_groups, s.groups - group) * s.group_units
    if step == s.steps:
        s.table.step_state_backward_f32(&args)
        return
    if 0 <= before < s.steps:
        args.h_before = moved(args.h, before * state)
        args.c_before = moved(args.c, before * state)
    args.x = moved(args.x, after * args.batch * args.inputs) if 0 <= after < s.steps else NULL
    if step > 0:
        args.g_last = NULL
    if args.input_row:
        args.input = moved(args.input, t * s.gates * state)
    args.h = moved(args.h, t * state)
    args.c = moved(args.c, t * state)
    args.gates = moved(args.gates, t * s.gates * state)
    args.inner = moved(args.inner, t * state)
    args.g = moved(args.g, t * state)
    args.dgates = moved(args.dgates, t * s.gates * state)
    args.dinner = moved(args.dinner, t * state)
    s.kernel(&args)


# The least index of the steps that are taken now.
cdef inline int64_t lowest(const Sequence *s) noexcept nogil:
    return max(0, s.steps - s.first - s.some) if is_downward(s) else s.first


# How many steps they are: behind the last of a backward pass, `some` counts one more.
cdef inline int64_t taken(const Sequence *s) noexcept nogil:
    return min(s.some, s.steps - s.first)


# --- Gradients of weights --------------------------------------------------------------------
# The operands of backward's steps, the cotangents of the gates' sums, are the left factor of the
# products that are the gradients. If those of some steps fit a cache, the products are taken for
# these at a time, and added up; else, as each time would read and write all gradients, for all
# steps at once.


cdef struct Gradients:
    const Sequence *s
    const float *x
    const float *h
    const float *h0
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


cdef void pack_factor(void *context, int64_t piece) noexcept nogil:
    cdef const Gradients *p = <const Gradients *> context
    cdef const tt_kernels *table = _core.table
    cdef tt_gemm_pack_args args
    cdef int64_t k = piece * p.block_depth
    args.width, args.depth = p.columns, min(p.block_depth, p.depth - k)
    args.width_step, args.depth_step = 1, p.row_length
    args.panel = p.s.group_units
    args.x = p.factor + k * p.row_length
    args.out = p.packed + k * filled_up(p)
    table.gemm_pack_b_f32(&args)


# Elements of a gate in an operand: in whole vectors.
cdef inline int64_t padded(const Sequence *s, int64_t n) noexcept nogil:
    cdef int64_t lanes = s.group_units // 2
    return ceil_div(n, lanes) * lanes


cdef inline int64_t filled_up(const Gradients *p) noexcept nogil:
    """Columns of the packed factor."""
    cdef int64_t lanes = p.s.group_units // 2
    return ceil_div(p.columns, lanes) * lanes


cdef void add_products(void *context, int64_t piece) noexcept nogil:
    cdef const Gradients *p = <const Gradients *> context
    cdef const Sequence *s = p.s
    cdef const tt_kernels *table = _core.table
    cdef tt_gemm_block_args args
    cdef tt_step_bias_args bias
    cdef int64_t n = s.args.hidden, of_gate = padded(s, n)
    cdef int64_t column = piece % p.column_pieces * p.piece_columns
    cdef int64_t sum = piece // p.column_pieces * p.piece_sums
    cdef int64_t end = min(sum + p.piece_sums, s.gates * of_gate)
    cdef int64_t gate, unit, rows, block, k
    cdef const float *left
    memset(&args, 0, sizeof(args))
    args.columns = min(p.piece_columns, p.columns - column)
    args.a_row, args.a_depth = 1, TT_STEP_ROW
    args.b_packed, args.c_row = True, p.row_length
    while sum < end:
        gate, unit = sum // of_gate, sum % of_gate
        # As many as are of one gate, and of one block of the operands.
        rows = min(end - sum, min(n - unit, TT_STEP_DEPTH - sum % TT_STEP_DEPTH))
        args.rows = rows
        args.panel = ceil_div(rows, ceil_div(rows, table.gemm_rows))
        args.c = p.dw + (gate * n + unit) * p.row_length + column
        for block in range(ceil_div(p.depth, p.block_depth)):
            k = block * p.block_depth
            args.depth = min(p.block_depth, p.depth - k)
            left = s.operands + sum % TT_STEP_DEPTH + TT_STEP_ROW * (
                sum // TT_STEP_DEPTH * s.args.operand_rows + p.row + k
            )
            args.a = left
            args.b = p.packed + k * filled_up(p) + column * args.depth
            args.accumulate = p.accumulate or k > 0
            table.gemm_block_f32(&args)
            if p.adds_bias and column == 0:
                bias.operand, bias.sums = left, p.db + gate * n + unit
                bias.rows, bias.depth, bias.accumulate = rows, args.depth, args.accumulate
                s.table.step_bias_f32(&bias)
        sum += rows
        if unit + rows == n:
            sum += of_gate - n


cdef void multiply(
    Gradients *p, const float *factor, int64_t row_length, float *dw, int64_t row, int64_t depth,
    bint accumulate,
) noexcept nogil:
    """In strips of columns, whose packed factor the memory can hold."""
    cdef int64_t sums = p.s.gates * padded(p.s, p.s.args.hidden), column = 0
    p.row_length, p.row, p.depth, p.accumulate = row_length, row, depth, accumulate
    p.block_depth = ceil_div(depth, ceil_div(depth, TT_GEMM_DEPTH))
    while column < row_length:
        p.factor, p.dw = factor + column, dw + column
        p.columns = min(COLUMNS_OF_STRIP, row_length - column)
        p.piece_columns = min(p.columns, COLUMNS_OF_GRADIENT)
        p.column_pieces = ceil_div(p.columns, p.piece_columns)
        p.piece_sums = min(
            ROWS_OF_GRADIENT,
            TT_STEP_DEPTH * ceil_div(
                WORK_OF_GRADIENT, max(1, TT_STEP_DEPTH * p.piece_columns * depth)
            ),
        )
        _core.parallel_for(ceil_div(depth, p.block_depth), pack_factor, p)
        _core.parallel_for(
            ceil_div(sums, p.piece_sums) * p.column_pieces, add_products, p
        )
        p.adds_bias = False
        column += COLUMNS_OF_STRIP


cdef void add_gradients(Gradients *p) noexcept nogil:
    """From the steps that were taken now."""
    cdef const Sequence *s = p.s
    cdef int64_t batch = s.args.batch, n = s.args.hidden
    cdef int64_t begin = lowest(s), end = begin + taken(s)
    cdef int64_t before = begin + 1 if s.reverse else begin - 1  # of the first; h0 may be there
    cdef int64_t skip = before < 0
    cdef int64_t steps = end - begin - skip - (before + end - begin > s.steps)
    cdef bint more = s.first > 0
    cdef int64_t row = (s.kept - (end - begin)) * batch if is_downward(s) else 0
    p.adds_bias = True
    multiply(
        p, p.x + begin * batch * s.args.inputs, s.args.inputs, p.dw_ih, row,
        (end - begin) * batch, more,
    )
    if steps:
        multiply(
            p, p.h + (before + skip) * batch * n, n, p.dw_hh, row + skip * batch, steps * batch,
            more,
        )
    elif not more:
        memset(p.dw_hh, 0, s.gates * n * n * sizeof(float))
    if steps < end - begin and p.h0 != NULL:
        multiply(
            p, p.h0, n, p.dw_hh, row + (0 if skip else (end - 1 - begin) * batch), batch, True
        )


cdef int run_sequence(Sequence *s, cnp.ndarray w_hh, Gradients *gradients=NULL) except -1:
    """Pack the weights, and take all steps; backward also goes on to the first state."""
    cdef int64_t inputs = 0 if s.backward else s.args.inputs  # in the depth of a step's product
    cdef cnp.npy_intp depth = s.gates * (((s.args.hidden + 15) & ~15) + ((inputs + 15) & ~15))
    cdef cnp.npy_intp packed = (s.groups + s.input_groups) * s.group_units * depth
    cdef cnp.npy_intp operands
    cdef tt_step_args first
    s.args.operand_rows = s.kept * s.args.batch
    operands = tt_step_operand_size(
        s.args.operand_rows, s.gates if s.backward else 1, s.args.hidden, inputs
    )
    cdef cnp.ndarray of_weights = _core.empty_f32(1, &packed)
    cdef cnp.ndarray of_operands = _core.empty_f32(1, &operands)
    s.input_pieces = ceil_div(s.input_groups, s.piece_groups) * s.row_pieces
    s.weight = data_f32(w_hh)
    s.packed, s.operands = data_f32(of_weights), data_f32(of_operands)
    s.args.weights = s.packed
    if inputs:
        s.args.operand = s.operands
    first = s.args
    first.next, first.rows = operand_of(s, s.kept - 1), first.batch
    if s.reverse:
        first.x = moved(first.x, (s.steps - 1) * first.batch * first.inputs)
    with nogil:
        _core.parallel_for(
            ceil_div(s.groups + s.input_groups, s.piece_groups), pack_groups, s
        )
        if s.args.operand != NULL:
            s.table.step_operand_f32(&first)
        while s.first < s.steps:
            # The first state's cotangent is behind the last step.
            if s.first + s.some >= s.steps:
                s.some = s.steps + s.backward - s.first
            _core.parallel_steps(s.some, s.pieces + s.input_pieces, run_step, s)
            if gradients != NULL:
                add_gradients(gradients)
            s.first += s.some
    return 0


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


# How the input comes into the sums of the steps: for a small batch as a product of its own, all
# steps at once, which is returned. Else, and then None is, by the steps, which read its weights
# each time, but for enough rows; the sums never leave the cache. The caller keeps the arrays alive.
cdef object take_input(Sequence *s, cnp.ndarray x, cnp.ndarray w_ih, cnp.ndarray bias):
    if s.args.batch < FUSED_FROM:
        sums = linear(x, w_ih, bias)
        s.args.input, s.args.input_row = data_f32(sums), s.gates * s.args.hidden
        return sums
    s.args.x, s.args.inputs = data_f32(x), cnp.PyArray_DIM(x, 2)
    s.input_weight, s.args.input = data_f32(w_ih), data_f32(bias)
    return None


cdef object states_of(cnp.ndarray x, int64_t hidden):
    cdef cnp.npy_intp shape[3]
    shape[0], shape[1], shape[2] = cnp.PyArray_DIM(x, 0), cnp.PyArray_DIM(x, 1), hidden
    return _core.empty_f32(3, shape)


# Contiguous; None stays None.
cdef object dense(object x):
    return None if x is None else contiguous(x)


# The sizes of a sequence of states, of float32 and not empty; else False.
cdef bint take_sizes(object states, int64_t *steps, int64_t *batch, int64_t *n) noexcept:
    if not (is_f32(states) and cnp.PyArray_NDIM(states) == 3 and cnp.PyArray_SIZE(states)):
        return False
    steps[0] = cnp.PyArray_DIM(states, 0)
    batch[0] = cnp.PyArray_DIM(states, 1)
    n[0] = cnp.PyArray_DIM(states, 2)
    return True


cdef void start(
    Sequence *s, int64_t steps, int64_t batch, int64_t n, int gates, bint reverse, bint backward
) noexcept:
    memset(s, 0, sizeof(Sequence))
    s.reverse, s.backward = reverse, backward
    s.args.gate_count = gates
    cut(s, steps, batch, n, gates)


def lstm(x, h0, c0, w_ih, w_hh, b_ih, b_hh, reverse):
    cdef Sequence s
    cdef int64_t steps, batch, n
    if not is_layer(x, w_ih, w_hh, b_ih, b_hh, 4):
        return reference.lstm(x, h0, c0, w_ih, w_hh, b_ih, b_hh, reverse)
    steps, batch, n = cnp.PyArray_DIM(x, 0), cnp.PyArray_DIM(x, 1), cnp.PyArray_DIM(w_hh, 1)
    if not (is_shape_or_none(h0, batch, n) and is_shape_or_none(c0, batch, n)):
        return reference.lstm(x, h0, c0, w_ih, w_hh, b_ih, b_hh, reverse)
    x, h0, c0, w_ih, w_hh = dense(x), dense(h0), dense(c0), dense(w_ih), dense(w_hh)
    bias = sum_of(b_ih, b_hh, 4 * n)
    hs, cs = states_of(x, n), states_of(x, n)
    start(&s, steps, batch, n, 4, reverse, False)
    gates = take_input(&s, x, w_ih, bias)
    if gates is None:
        gates = states_of(x, 4 * n)
    s.kernel = s.table.lstm_step_f32
    s.args.h_before = s.args.operand = data_f32(h0)
    s.args.c_before, s.args.gates = data_f32(c0), data_f32(gates)
    s.args.h, s.args.c = data_f32(hs), data_f32(cs)
    run_sequence(&s, w_hh)
    last = 0 if reverse else steps - 1
    return hs, hs[last].copy(), cs[last].copy(), cs, gates


def lstm_backward(g, gh, gc, c0, w_hh, cs, gates, reverse):
    cdef Sequence s
    cdef int64_t steps, batch, n
    if not (
        take_sizes(cs, &steps, &batch, &n) and is_shape(g, steps, batch, n)
        and is_shape(gh, batch, n, -1) and is_shape(gc, batch, n, -1)
        and is_shape_or_none(c0, batch, n) and is_shape(w_hh, 4 * n, n, -1)
        and is_shape(gates, steps, batch, 4 * n)
    ):
        return reference.lstm_backward(g, gh, gc, c0, w_hh, cs, gates, reverse)
    g, gh, c0, w_hh = dense(g), dense(gh), dense(c0), dense(w_hh)
    cs, gates = dense(cs), dense(gates)
    dgates, dh0, dc0 = states_of(cs, 4 * n), new_like(gh), gc.copy()
    start(&s, steps, batch, n, 4, reverse, True)
    s.kernel = s.table.lstm_step_backward_f32
    s.args.g, s.args.g_last, s.args.c_before = data_f32(g), data_f32(gh), data_f32(c0)
    s.args.c, s.args.gates, s.args.dgates = data_f32(cs), data_f32(gates), data_f32(dgates)
    s.args.carry, s.args.dh0 = data_f32(dc0), data_f32(dh0)
    run_sequence(&s, w_hh)
    return dgates, dh0, dc0


def lstm_grads(g, gh, gc, x, h0, c0, w_ih, w_hh, hs, cs, gates, reverse, of_x):
    cdef Sequence s
    cdef Gradients p
    cdef int64_t steps, batch, n, rows
    cdef cnp.npy_intp size
    if not (
        is_layer(x, w_ih, w_hh, None, None, 4)
        and take_sizes(cs, &steps, &batch, &n) and is_shape(g, steps, batch, n)
        and cnp.PyArray_DIM(x, 0) == steps and cnp.PyArray_DIM(x, 1) == batch
        and is_shape(gh, batch, n, -1) and is_shape(gc, batch, n, -1)
        and is_shape_or_none(h0, batch, n) and is_shape_or_none(c0, batch, n)
        and is_shape(w_hh, 4 * n, n, -1) and is_shape(hs, steps, batch, n)
        and is_shape(gates, steps, batch, 4 * n)
    ):
        return reference.lstm_grads(
            g, gh, gc, x, h0, c0, w_ih, w_hh, hs, cs, gates, reverse, of_x
        )
    g, gh, x, h0, c0, w_ih, w_hh = (
        dense(g), dense(gh), dense(x), dense(h0), dense(c0), dense(w_ih), dense(w_hh)
    )
    hs, cs, gates = dense(hs), dense(cs), dense(gates)
    dh0, dc0, dx = new_like(gh), gc.copy(), None
    dw_ih, dw_hh, db = new_like(w_ih), new_like(w_hh), np.empty(4 * n, np.float32)
    start(&s, steps, batch, n, 4, reverse, True)
    s.kernel = s.table.lstm_step_backward_f32
    s.args.g, s.args.g_last, s.args.c_before = data_f32(g), data_f32(gh), data_f32(c0)
    s.args.c, s.args.gates = data_f32(cs), data_f32(gates)
    s.args.carry, s.args.dh0 = data_f32(dc0), data_f32(dh0)
    s.args.inputs = cnp.PyArray_DIM(x, 2)
    dgates = None
    if of_x and batch < FUSED_FROM:  # then dx is a product of its own
        dgates = states_of(x, 4 * n)
        s.args.dgates = data_f32(dgates)
    elif of_x:
        dx = new_like(x)
        s.args.dx, s.input_weight = data_f32(dx), data_f32(w_ih)
        s.input_groups = ceil_div(s.args.inputs, s.group_units)

    rows = OPERANDS_IN_CACHE // (4 * n)
    if rows >= n + s.args.inputs:  # else adding to the gradients would cost more than it saves
        s.some = max(2, rows // batch)
    s.kept = min(s.some, steps)
    memset(&p, 0, sizeof(Gradients))
    p.s = &s
    p.x, p.h, p.h0 = data_f32(x), data_f32(hs), data_f32(h0)
    p.dw_ih, p.dw_hh, p.db = data_f32(dw_ih), data_f32(dw_hh), data_f32(db)
    size = min(COLUMNS_OF_STRIP, (max(n, s.args.inputs) + 15) & ~15)
    size *= s.kept * batch
    packed = _core.empty_f32(1, &size)
    p.packed = data_f32(packed)
    run_sequence(&s, w_hh, &p)
    if dgates is not None:
        dx = matmul(dgates, w_ih)
    return dh0, dc0, dw_ih, dw_hh, db, dx


def gru(x, h0, w_ih, w_hh, b_ih, b_hh, reverse):
    cdef Sequence s
    cdef int64_t steps, batch, n
    if not is_layer(x, w_ih, w_hh, b_ih, b_hh, 3):
        return reference.gru(x, h0, w_ih, w_hh, b_ih, b_hh, reverse)
    steps, batch, n = cnp.PyArray_DIM(x, 0), cnp.PyArray_DIM(x, 1), cnp.PyArray_DIM(w_hh, 1)
    if not is_shape_or_none(h0, batch, n):
        return reference.gru(x, h0, w_ih, w_hh, b_ih, b_hh, reverse)
    h0, w_hh, inner_bias = dense(h0), dense(w_hh), None
    if b_hh is not None:  # its part for r and z is just added to the sums; that for n is inside
        inner_bias = b_hh[2 * n :].copy()
        b_hh = b_hh.copy()
        b_hh[2 * n :] = 0
    gates = linear(x, w_ih, sum_of(b_ih, b_hh, 3 * n))
    hs, inner = states_of(x, n), states_of(x, n)
    start(&s, steps, batch, n, 3, reverse, False)
    s.kernel = s.table.gru_step_f32
    s.args.h_before = s.args.operand = data_f32(h0)
    s.args.gates, s.args.inner, s.args.h = data_f32(gates), data_f32(inner), data_f32(hs)
    s.args.inner_bias = data_f32(inner_bias)
    run_sequence(&s, w_hh)
    return hs, hs[0 if reverse else steps - 1].copy(), gates, inner


def gru_backward(g, gh, h0, w_hh, hs, gates, inner, reverse):
    cdef Sequence s
    cdef int64_t steps, batch, n
    if not (
        take_sizes(hs, &steps, &batch, &n) and is_shape(g, steps, batch, n)
        and is_shape(gh, batch, n, -1) and is_shape_or_none(h0, batch, n)
        and is_shape(w_hh, 3 * n, n, -1) and is_shape(gates, steps, batch, 3 * n)
        and is_shape(inner, steps, batch, n)
    ):
        return reference.gru_backward(g, gh, h0, w_hh, hs, gates, inner, reverse)
    g, h0, w_hh = dense(g), dense(h0), dense(w_hh)
    hs, gates, inner = dense(hs), dense(gates), dense(inner)
    dgates, dinner, dh0 = states_of(hs, 3 * n), states_of(hs, n), gh.copy()
    start(&s, steps, batch, n, 3, reverse, True)
    s.kernel = s.table.gru_step_backward_f32
    s.args.g, s.args.h_before, s.args.h = data_f32(g), data_f32(h0), data_f32(hs)
    s.args.gates, s.args.inner = data_f32(gates), data_f32(inner)
    s.args.dgates, s.args.dinner = data_f32(dgates), data_f32(dinner)
    s.args.carry = s.args.dh0 = data_f32(dh0)
    s.args.adds_carry = True
    run_sequence(&s, w_hh)
    return dgates, dinner, dh0


def rnn(x, h0, w_ih, w_hh, b_ih, b_hh, relu, reverse):
    cdef Sequence s
    cdef int64_t steps, batch, n
    if not is_layer(x, w_ih, w_hh, b_ih, b_hh, 1):
        return reference.rnn(x, h0, w_ih, w_hh, b_ih, b_hh, relu, reverse)
    steps, batch, n = cnp.PyArray_DIM(x, 0), cnp.PyArray_DIM(x, 1), cnp.PyArray_DIM(w_hh, 1)
    if not is_shape_or_none(h0, batch, n):
        return reference.rnn(x, h0, w_ih, w_hh, b_ih, b_hh, relu, reverse)
    x, h0, w_ih, w_hh = dense(x), dense(h0), dense(w_ih), dense(w_hh)
    bias = sum_of(b_ih, b_hh, n)
    start(&s, steps, batch, n, 1, reverse, False)
    hs = take_input(&s, x, w_ih, bias)
    if hs is None:
        hs = states_of(x, n)
    s.kernel = s.table.rnn_step_f32
    s.args.h_before = s.args.operand = data_f32(h0)
    s.args.h, s.args.relu = data_f32(hs), relu
    run_sequence(&s, w_hh)
    return hs, hs[0 if reverse else steps - 1].copy()


def rnn_backward(g, gh, w_hh, hs, relu, reverse):
    cdef Sequence s
    cdef int64_t steps, batch, n
    if not (
        take_sizes(hs, &steps, &batch, &n) and is_shape(g, steps, batch, n)
        and is_shape(gh, batch, n, -1) and is_shape(w_hh, n, n, -1)
    ):
        return reference.rnn_backward(g, gh, w_hh, hs, relu, reverse)
    g, gh, w_hh, hs = dense(g), dense(gh), dense(w_hh), dense(hs)
    dsums, dh0 = new_like(hs), new_like(gh)
    start(&s, steps, batch, n, 1, reverse, True)
    s.kernel = s.table.rnn_step_backward_f32
    s.args.g, s.args.g_last, s.args.h = data_f32(g), data_f32(gh), data_f32(hs)
    s.args.dgates, s.args.dh0, s.args.relu = data_f32(dsums), data_f32(dh0), relu
    run_sequence(&s, w_hh)
    return dsums, dh0
