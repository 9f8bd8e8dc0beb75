# cython: cdivision=True
"""Sequences of steps of recurrent layers: how they are cut, and the gradients of the weights.

A step takes the product with the packed weights, and makes gates and state of the sums while they
are in the cache (csrc/kernels/recurrent/step.h draws who reads and writes what). It is cut into
pieces over the units and the rows of the batch.
"""
cimport numpy as cnp
from libc.stdint cimport int64_t
from libc.string cimport memset

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
        STEP_PRODUCTS, max(1, s.piece_rows * gates * hidden * s.group_units)
    )
    s.pieces = ceil_div(s.groups, s.piece_groups) * s.row_pieces
    s.steps_now = steps + s.backward
    s.slots = 2


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
    Sequence *s, int64_t steps, int64_t batch, int64_t hidden, int gates, bint reverse,
    bint backward,
) noexcept:
    memset(s, 0, sizeof(Sequence))
    s.reverse, s.backward = reverse, backward
    s.args.gate_count = gates
    cut(s, steps, batch, hidden, gates)


# --- Steps -----------------------------------------------------------------------------------


# Whether the indices of the steps go down.
cdef inline bint is_downward(const Sequence *s) noexcept nogil:
    return s.reverse != s.backward


# The operand that a step leaves, in the order of the steps' indices. That of the step before is
# where a step `slots` - 1 later would leave its own.
cdef inline float *operand_of(const Sequence *s, int64_t step) noexcept nogil:
    cdef int64_t slot = step % s.slots
    if is_downward(s):
        slot = s.slots - 1 - slot
    return s.operands + slot * s.args.batch * TT_STEP_ROW


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
    step += s.steps_done
    t = s.steps - 1 - step if is_downward(s) else step
    before = t + 1 if s.reverse else t - 1
    after = 2 * t - before
    args.first_row = piece % s.row_pieces * s.piece_rows
    args.rows = min(s.piece_rows, args.batch - args.first_row)
    if step > 0 or args.product.operand != NULL:
        args.product.operand = operand_of(s, step + s.slots - 1)
    args.product.next = operand_of(s, step)
    group = piece // s.row_pieces * s.piece_groups
    if of_inputs:  # their cotangents, of the step before this one
        args.first_unit = group * s.group_units
        args.units = min(s.piece_groups, s.input_groups - group) * s.group_units
        args.backward.dx = float_at(args.backward.dx, after * args.batch * args.product.inputs)
        if step > 0:
            s.table.step_inputs_backward_f32(&args)
        return
    args.first_unit = group * s.group_units
    args.units = min(s.piece_groups, s.groups - group) * s.group_units
    if step == s.steps:
        s.table.step_state_backward_f32(&args)
        return
    if 0 <= before < s.steps:
        args.h_before = float_at(args.h, before * state)
        args.c_before = float_at(args.c, before * state)
    if 0 <= after < s.steps:
        args.product.x = float_at(args.product.x, after * args.batch * args.product.inputs)
    else:
        args.product.x = NULL
    if step > 0:
        args.backward.g_last = NULL
    if args.forward.input_row:
        args.forward.input = float_at(args.forward.input, t * s.gates * state)
    args.h = float_at(args.h, t * state)
    args.c = float_at(args.c, t * state)
    args.gates = float_at(args.gates, t * s.gates * state)
    args.inner = float_at(args.inner, t * state)
    args.backward.g = float_at(args.backward.g, t * state)
    args.backward.dgates = float_at(args.backward.dgates, t * s.gates * state)
    args.backward.dinner = float_at(args.backward.dinner, t * state)
    s.kernel(&args)


# The least index of the steps that are taken now.
cdef inline int64_t lowest_index(const Sequence *s) noexcept nogil:
    return max(0, s.steps - s.steps_done - s.steps_now) if is_downward(s) else s.steps_done


# How many steps they are: behind the last of a backward pass, `steps_now` counts one more.
cdef inline int64_t taken_now(const Sequence *s) noexcept nogil:
    return min(s.steps_now, s.steps - s.steps_done)


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


cdef void add_gradients(Gradients *p) noexcept nogil:
    """From the steps that were taken now."""
    cdef const Sequence *s = p.s
    cdef int64_t batch = s.args.batch, n = s.args.hidden
    cdef int64_t begin = lowest_index(s), end = begin + taken_now(s)
    cdef int64_t before = begin + 1 if s.reverse else begin - 1  # of the first; h0 may be there
    cdef int64_t skip = before < 0
    cdef int64_t steps = end - begin - skip - (before + end - begin > s.steps)
    cdef bint more = s.steps_done > 0
    cdef int64_t row = (s.slots - (end - begin)) * batch if is_downward(s) else 0
    p.adds_bias = True
    multiply(
        p, p.x + begin * batch * s.args.product.inputs, s.args.product.inputs, p.dw_ih, row,
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


# --- All steps -------------------------------------------------------------------------------


cdef int run_sequence(Sequence *s, cnp.ndarray w_hh, Gradients *gradients=NULL) except -1:
    """Pack the weights, and take all steps; backward also goes on to the first state."""
    # How many columns of inputs are in the depth of a step's product.
    cdef int64_t inputs = 0 if s.backward else s.args.product.inputs
    cdef cnp.npy_intp depth = s.gates * (((s.args.hidden + 15) & ~15) + ((inputs + 15) & ~15))
    cdef cnp.npy_intp packed = (s.groups + s.input_groups) * s.group_units * depth
    cdef cnp.npy_intp operands
    cdef tt_step_args first
    s.args.product.operand_rows = s.slots * s.args.batch
    operands = tt_step_operand_size(
        s.args.product.operand_rows, s.gates if s.backward else 1, s.args.hidden, inputs
    )
    cdef cnp.ndarray of_weights = _core.empty_f32(1, &packed)
    cdef cnp.ndarray of_operands = _core.empty_f32(1, &operands)
    s.input_pieces = ceil_div(s.input_groups, s.piece_groups) * s.row_pieces
    s.weight = data_f32(w_hh)
    s.packed, s.operands = data_f32(of_weights), data_f32(of_operands)
    s.args.product.weights = s.packed
    if inputs:
        s.args.product.operand = s.operands
    first = s.args
    first.product.next, first.rows = operand_of(s, s.slots - 1), first.batch
    if s.reverse:
        first.product.x = float_at(
            first.product.x, (s.steps - 1) * first.batch * first.product.inputs
        )
    with nogil:
        _core.parallel_for(
            ceil_div(s.groups + s.input_groups, s.piece_groups), pack_groups, s
        )
        if s.args.product.operand != NULL:
            s.table.step_operand_f32(&first)
        while s.steps_done < s.steps:
            # The first state's cotangent is behind the last step.
            if s.steps_done + s.steps_now >= s.steps:
                s.steps_now = s.steps + s.backward - s.steps_done
            _core.parallel_steps(s.steps_now, s.pieces + s.input_pieces, run_step, s)
            if gradients != NULL:
                add_gradients(gradients)
            s.steps_done += s.steps_now
    return 0
