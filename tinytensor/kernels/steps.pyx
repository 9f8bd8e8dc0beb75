# cython: cdivision=True
"""Sequences of steps of recurrent layers: how they are cut, and the gradients of the weights.

A step takes the product with the packed weights, and makes gates and state of the sums while they
are in the cache (csrc/kernels/recurrent/step.h draws who reads and writes what). It is cut into
pieces over the units and the rows of the batch.
"""
cimport numpy as cnp
from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

from tinytensor.kernels cimport _core
from tinytensor.kernels.abi cimport (
    TT_GEMM_DEPTH, TT_STEP_DEPTH, TT_STEP_ROW, TT_STEP_ROWS, tt_gemm_block_args, tt_gemm_pack_args,
    tt_kernels, tt_step_args, tt_step_bias_args, tt_step_operand_size, tt_step_pack_args,
)
from tinytensor.kernels.arrays cimport data_f32, float_at
from tinytensor.kernels.tuning cimport PRODUCTS, STEP_PRODUCTS, ceil_div, round_up

cnp.import_array()

cdef enum:
    ROWS_OF_GRADIENT = 256  # and columns of a piece, which stays in the cache as it is added to
    COLUMNS_OF_GRADIENT = 128


# --- Cutting and packing ---------------------------------------------------------------------


cdef void cut(Sequence *s, int64_t batch, int64_t hidden, int gates) noexcept:
    """How steps are cut into pieces: by their size."""
    cdef int64_t blocks = ceil_div(batch, TT_STEP_ROWS)
    cdef int64_t rows = ceil_div(s.offsets[s.steps], s.steps * blocks)  # of a piece, on average
    s.table = _core.table
    s.gates, s.args.batch, s.args.hidden = gates, batch, hidden
    s.group_units = 2 * (s.table.vector_bytes // 4)
    s.groups = ceil_div(hidden, s.group_units)
    s.row_pieces = blocks
    # Fewer than 8 rows take about as long: the weights come no faster.
    s.piece_groups = ceil_div(STEP_PRODUCTS, max(1, max(rows, 8) * gates * hidden * s.group_units))
    s.pieces = ceil_div(s.groups, s.piece_groups) * s.row_pieces


cdef void pack_groups(void *context, int64_t piece) noexcept nogil:
    cdef const Sequence *s = <const Sequence *> context
    cdef tt_step_pack_args args
    args.weight, args.input_weight, args.out = s.weight, s.input_weight, s.packed
    args.gates, args.hidden, args.inputs = s.gates, s.args.hidden, s.args.product.inputs
    args.backward = s.backward
    args.first = piece * s.piece_groups
    args.groups = min(s.piece_groups, s.groups + s.input_groups - args.first)
    s.table.step_pack_f32(&args)


cdef void start(
    Sequence *s, cnp.ndarray offsets, int64_t batch, int64_t hidden, int gates, bint reverse,
    bint backward,
) noexcept:
    memset(s, 0, sizeof(Sequence))
    s.reverse, s.backward = reverse, backward
    s.offsets = <const int64_t *> cnp.PyArray_DATA(offsets)
    s.steps = cnp.PyArray_DIM(offsets, 0) - 1
    s.args.gate_count = gates
    cut(s, batch, hidden, gates)


# --- Steps -----------------------------------------------------------------------------------


# Whether the indices of the steps go down.
cdef inline bint is_downward(const Sequence *s) noexcept nogil:
    return s.reverse != s.backward


cdef bint is_ragged(const Sequence *s) noexcept nogil:
    return s.offsets[s.steps] != s.steps * s.args.batch


# The index of the step that is taken as the n-th.
cdef inline int64_t index_of(const Sequence *s, int64_t n) noexcept nogil:
    return s.steps - 1 - n if is_downward(s) else n


# The rows of a step; 0 where there is none.
cdef inline int64_t rows_of(const Sequence *s, int64_t t) noexcept nogil:
    return s.offsets[t + 1] - s.offsets[t] if 0 <= t < s.steps else 0


# How many steps follow each other until the gradients are added up. The last of them leaves its
# operand to the first of the next run: with the rows of two steps between, none is overwritten.
cdef int64_t steps_of_run(const Sequence *s, int64_t done) noexcept nogil:
    cdef int64_t n = done, rows = 0, enough = max(s.rows_at_once, 2 * s.args.batch)
    if not s.rows_at_once:
        return s.steps - done
    while n < s.steps and rows < enough:
        rows += rows_of(s, index_of(s, n))
        n += 1
    return n - done


cdef int64_t rows_of_run(const Sequence *s) noexcept nogil:
    cdef int64_t rows = s.offsets[s.steps]
    if not s.rows_at_once:
        return rows
    # Steps of the same size may be one too many for what is asked, others by nearly a batch.
    return min(rows, max(s.rows_at_once, 2 * s.args.batch) + s.args.batch - 1)


cdef void find_places(Sequence *s, bint of_runs) noexcept nogil:
    """Of all steps: those of a run side by side, or in two slots, in turns."""
    cdef int64_t n, done = 0, first, last, t
    if not of_runs:
        for n in range(s.steps):
            s.places[index_of(s, n)] = (n & 1) * s.args.batch
        return
    while done < s.steps:
        n = steps_of_run(s, done)
        first, last = index_of(s, done), index_of(s, done + n - 1)
        for t in range(min(first, last), max(first, last) + 1):
            s.places[t] = s.offsets[t]
            if is_downward(s):  # ends where the operands end
                s.places[t] += s.args.product.operand_rows - s.offsets[first + 1]
            else:
                s.places[t] -= s.offsets[first]
        done += n


cdef inline float *operand_of(const Sequence *s, int64_t t) noexcept nogil:
    return s.operands + s.places[t] * TT_STEP_ROW


cdef void run_step(void *context, int64_t step, int64_t piece) noexcept nogil:
    """A piece of a step. Backward it also makes the cotangents of the first states of sequences
    that began with the step before this one, as all have behind the last step."""
    cdef const Sequence *s = <const Sequence *> context
    cdef tt_step_args args = s.args
    cdef int64_t hidden = args.hidden
    # The pieces of inputs lie evenly among those of units, so that every thread has of both.
    cdef int64_t inputs_before = piece * s.input_pieces // (s.pieces + s.input_pieces)
    cdef int64_t inputs_to_here = (piece + 1) * s.input_pieces // (s.pieces + s.input_pieces)
    cdef bint of_inputs = inputs_to_here > inputs_before
    cdef int64_t t, taken_before, before, after, rows, all_rows, height, end, group, now
    piece = inputs_before if of_inputs else piece - inputs_before
    step += s.steps_done
    t = index_of(s, step)
    taken_before, after = index_of(s, step - 1), index_of(s, step + 1)
    before = after if s.backward else taken_before  # in the order of the states
    rows = rows_of(s, t)
    args.product.rows = rows_of(s, taken_before)  # who has an operand
    all_rows = rows
    if of_inputs:
        all_rows = args.product.rows
    elif s.backward:
        all_rows = max(rows, args.product.rows)
    if all_rows == 0:
        return
    height = ceil_div(all_rows, ceil_div(all_rows, TT_STEP_ROWS))
    args.first_row = piece % s.row_pieces * height
    end = min(args.first_row + height, all_rows)
    if args.first_row >= end:
        return
    args.rows = end - args.first_row
    group = piece // s.row_pieces * s.piece_groups
    args.first_unit = group * s.group_units
    if step > 0:
        args.product.operand = operand_of(s, taken_before)
    if of_inputs:  # their cotangents, of the step before this one
        args.units = min(s.piece_groups, s.input_groups - group) * s.group_units
        args.backward.dx = float_at(
            args.backward.dx, s.offsets[taken_before] * args.product.inputs
        )
        s.table.step_inputs_backward_f32(&args)
        return
    args.units = min(s.piece_groups, s.groups - group) * s.group_units
    if rows < end:  # of these the sequence began with the step before
        now = args.first_row
        args.first_row = max(now, rows)
        args.rows = end - args.first_row
        s.table.step_state_backward_f32(&args)
        args.first_row, args.rows = now, rows - now
        if args.rows <= 0:
            return
    args.known = min(rows, rows_of(s, before))
    if args.known:
        args.h_before = float_at(args.h, s.offsets[before] * hidden)
        args.c_before = float_at(args.c, s.offsets[before] * hidden)
    if not s.backward:
        if args.h_start != NULL or args.product.inputs:
            args.product.rows = rows
        if args.product.x != NULL:
            now = rows_of(s, after)
            args.product.x_first = args.first_row
            # The last rows of a step write those of sequences that begin with the next.
            args.product.x_rows = (now if end == rows else min(end, now)) - args.first_row
            if now:
                args.product.x = float_at(
                    args.product.x, s.offsets[after] * args.product.inputs
                )
    args.product.next = operand_of(s, t)
    now = s.offsets[t] * hidden
    if args.forward.input_row:
        args.forward.input = float_at(args.forward.input, s.gates * now)
    args.h = float_at(args.h, now)
    args.c = float_at(args.c, now)
    args.gates = float_at(args.gates, s.gates * now)
    args.inner = float_at(args.inner, now)
    args.backward.g = float_at(args.backward.g, now)
    args.backward.dgates = float_at(args.backward.dgates, s.gates * now)
    args.backward.dinner = float_at(args.backward.dinner, now)
    s.kernel(&args)


# --- Gradients of weights --------------------------------------------------------------------
# The operands of backward's steps, the cotangents of the gates' sums, are the left factor of the
# products that are the gradients. If those of some steps fit a cache, the products are taken for
# these at a time, and added up; otherwise, as each time would read and write all gradients, for all
# steps at once.


cdef void pack_factor(void *context, int64_t piece) noexcept nogil:
    cdef const Gradients *p = <const Gradients *> context
    cdef const tt_kernels *table = _core.table
    cdef tt_gemm_pack_args args
    cdef int64_t k = piece * p.block_depth
    args.width, args.depth = p.columns, min(p.block_depth, p.depth - k)
    args.width_step, args.depth_step = 1, p.row_length
    args.panel = p.s.group_units
    args.x = p.factor + k * p.row_length
    args.out = p.packed + k * packed_columns(p)
    table.gemm_pack_b_f32(&args)


# Elements of a gate in an operand: in whole vectors.
cdef inline int64_t gate_elements(const Sequence *s) noexcept nogil:
    return round_up(s.args.hidden, s.group_units // 2)


cdef inline int64_t packed_columns(const Gradients *p) noexcept nogil:
    """Columns of the packed factor."""
    return round_up(p.columns, p.s.group_units // 2)


cdef void add_products(void *context, int64_t piece) noexcept nogil:
    cdef const Gradients *p = <const Gradients *> context
    cdef const Sequence *s = p.s
    cdef const tt_kernels *table = _core.table
    cdef tt_gemm_block_args args
    cdef tt_step_bias_args bias
    cdef int64_t n = s.args.hidden, of_gate = gate_elements(s)
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
                sum // TT_STEP_DEPTH * s.args.product.operand_rows + p.row + k
            )
            args.a = left
            args.b = p.packed + k * packed_columns(p) + column * args.depth
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
    cdef int64_t sums = p.s.gates * gate_elements(p.s), column = 0
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
                PRODUCTS, max(1, TT_STEP_DEPTH * p.piece_columns * depth)
            ),
        )
        _core.parallel_for(ceil_div(depth, p.block_depth), pack_factor, p)
        _core.parallel_for(
            ceil_div(sums, p.piece_sums) * p.column_pieces, add_products, p
        )
        p.adds_bias = False
        column += COLUMNS_OF_STRIP


cdef void take_states_before(const Gradients *p, int64_t begin, int64_t end) noexcept nogil:
    """Those of the rows of steps [begin, end): of the step before, or where sequences begin."""
    cdef const Sequence *s = p.s
    cdef int64_t n = s.args.hidden, t, before, rows, known
    cdef float *to = p.before
    for t in range(begin, end):
        before = t + 1 if s.reverse else t - 1
        rows = rows_of(s, t)
        known = min(rows, rows_of(s, before))
        if known:
            memcpy(to, p.h + s.offsets[before] * n, known * n * sizeof(float))
        to += known * n
        if rows > known and p.h0 != NULL:
            memcpy(to, p.h0 + known * n, (rows - known) * n * sizeof(float))
        else:
            memset(to, 0, (rows - known) * n * sizeof(float))
        to += (rows - known) * n


cdef void add_gradients(Gradients *p) noexcept nogil:
    """From the steps that were taken now."""
    cdef const Sequence *s = p.s
    cdef int64_t n = s.args.hidden, inputs = s.args.product.inputs
    cdef int64_t taken = min(s.steps_now, s.steps - s.steps_done)  # not the first state's
    cdef int64_t one = index_of(s, s.steps_done), other = index_of(s, s.steps_done + taken - 1)
    cdef int64_t begin = min(one, other), end = max(one, other) + 1
    cdef int64_t first = s.offsets[begin], row = s.places[begin]
    cdef int64_t depth = s.offsets[end] - first, batch = s.args.batch
    cdef int64_t start = batch if (end == s.steps if s.reverse else begin == 0) else 0
    cdef bint more = s.steps_done > 0
    p.adds_bias = True
    multiply(p, p.x + first * inputs, inputs, p.dw_ih, row, depth, more)
    if p.before != NULL:
        take_states_before(p, begin, end)
        multiply(p, p.before, n, p.dw_hh, row, depth, more)
        return
    # The states before these rows lie side by side, but those of the first step, `start` rows.
    if depth > start:
        multiply(
            p, p.h + (first + (batch if s.reverse else start - batch)) * n, n, p.dw_hh,
            row + (0 if s.reverse else start), depth - start, more,
        )
    elif not more:
        memset(p.dw_hh, 0, s.gates * n * n * sizeof(float))
    if start and p.h0 != NULL:
        multiply(
            p, p.h0, n, p.dw_hh, row + (depth - start if s.reverse else 0), start, True
        )


# --- All steps -------------------------------------------------------------------------------


cdef int run_sequence(Sequence *s, cnp.ndarray w_hh, Gradients *gradients=NULL) except -1:
    """Pack the weights, and take all steps; backward also goes on to the first states."""
    # How many columns of inputs are in the depth of a step's product.
    cdef int64_t inputs = 0 if s.backward else s.args.product.inputs
    cdef cnp.npy_intp depth = s.gates * (((s.args.hidden + 15) & ~15) + ((inputs + 15) & ~15))
    cdef cnp.npy_intp packed = (s.groups + s.input_groups) * s.group_units * depth
    cdef cnp.npy_intp operands, steps = s.steps
    cdef tt_step_args first
    s.args.product.operand_rows = 2 * s.args.batch if gradients == NULL else rows_of_run(s)
    operands = tt_step_operand_size(
        s.args.product.operand_rows, s.gates if s.backward else 1, s.args.hidden, inputs
    )
    cdef cnp.ndarray of_weights = _core.empty_f32(1, &packed)
    cdef cnp.ndarray of_operands = _core.empty_f32(1, &operands)
    cdef cnp.ndarray places = cnp.PyArray_EMPTY(1, &steps, cnp.NPY_INT64, 0)
    s.input_pieces = ceil_div(s.input_groups, s.piece_groups) * s.row_pieces
    s.weight, s.places = data_f32(w_hh), <int64_t *> cnp.PyArray_DATA(places)
    s.packed, s.operands = data_f32(of_weights), data_f32(of_operands)
    s.args.product.weights = s.packed
    with nogil:
        find_places(s, gradients != NULL)
        _core.parallel_for(
            ceil_div(s.groups + s.input_groups, s.piece_groups), pack_groups, s
        )
        if not s.backward and (s.args.h_start != NULL or inputs):
            # The first step reads the second slot; both, sequences that begin later.
            first = s.args
            first.product.next = s.operands + first.batch * TT_STEP_ROW
            first.product.x_rows = rows_of(s, index_of(s, 0))
            first.product.x = float_at(first.product.x, s.offsets[index_of(s, 0)] * inputs)
            s.args.product.operand = first.product.next
            s.table.step_operand_f32(&first)
            if s.reverse and is_ragged(s):
                first.product.next, first.product.x = s.operands, NULL
                s.table.step_operand_f32(&first)
        while s.steps_done < s.steps:
            s.steps_now = steps_of_run(s, s.steps_done)
            # The first states' cotangents are behind the last step.
            if s.backward and s.steps_done + s.steps_now == s.steps:
                s.steps_now += 1
            _core.parallel_steps(s.steps_now, s.pieces + s.input_pieces, run_step, s)
            if gradients != NULL:
                add_gradients(gradients)
            s.steps_done += s.steps_now
    return 0
