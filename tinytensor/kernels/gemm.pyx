# cython: cdivision=True
"""Matrix products: the float32 and float64 cases of the twins in reference/gemm.py.

A product is cut into blocks of the depth, and into pieces over the rows and the columns; both by
size, never by the number of threads. Large operands are packed first, in strips, each read once;
smaller ones are read where they lie, B's rows by the first tile, which packs them. A few rows times
a transposed matrix, as in a layer, are turned: then it is read by its rows, and not transposed.
"""
cimport numpy as cnp
from libc.stdint cimport int64_t
from libc.stdlib cimport llabs
from libc.string cimport memset

from tinytensor.kernels cimport _core
from tinytensor.kernels.abi cimport (
    TT_GEMM_DEPTH, TT_GEMV_STRETCH, TT_IDENTITY, TT_RELU, tt_gemm_block_args,
    tt_gemm_finish_args, tt_gemm_pack_args, tt_gemv_args, tt_kernels,
)
from tinytensor.kernels.arrays cimport byte_at, is_readable_f32
from tinytensor.kernels.copies cimport MOST_AXES
from tinytensor.kernels.scratch cimport allocate
from tinytensor.kernels.tuning cimport PRODUCTS, ceil_div, half_of_second, round_up

import numpy as np

from tinytensor.kernels import reference

__all__ = ["add_matmul", "linear", "matmul"]

cnp.import_array()

ACTIVATIONS = {None: TT_IDENTITY, "relu": TT_RELU}

cdef enum:
    COLUMNS_OF_PIECE = 256  # of which a block of B is half a megabyte
    LARGE_CACHE = 1 << 21  # bytes of a second cache that holds two such blocks of B beside the rest
    LEAST_PANELS = 4  # of rows of a piece
    ELEMENTS_OF_PIECE = 1 << 16  # of C, at most, which stay near while the blocks go by
    PIECES = 16  # or more, if they need not be narrow for it: they are shared out among threads
    FEW_VECTORS = 8  # rows that are multiplied by B one after another, as vectors
    FEW_ROWS = 64  # of a product with B^T that is turned
    WORK_WITH_GIL = 1 << 14  # less than that is done before another thread could be woken
    WORK_AT_ONCE = 1 << 16  # less than that needs no plan
    DEPTH_OF_STRIP = 1536  # three blocks: a strip has thousands of rows, and few operands need two
    COLUMNS_IN_PLACE = 1536  # of a product whose A is read where it lies, however large
    SPAN_IN_PLACE = 128 * 4096  # bytes from a block's first row to its last, of columns of A
    ROW_PIECES_IN_PLACE = 4  # which read rows of B where they lie, each for itself


# --- How a product is cut --------------------------------------------------------------------


cdef struct Plan:
    product p
    int64_t size  # of an element
    void (*packs_a)(const tt_gemm_pack_args *) noexcept nogil
    void (*packs_b)(const tt_gemm_pack_args *) noexcept nogil
    void (*multiplies)(const tt_gemm_block_args *) noexcept nogil
    int64_t panel, panel_of_b
    int64_t block_depth
    int64_t piece_rows, piece_columns, piece_batches
    bint pack_a, pack_b


# One strip of a product: what the pieces of one parallel_for share.
cdef struct Strip:
    const Plan *plan
    int64_t batch, batches
    int64_t row, rows
    int64_t column, columns
    int64_t k, depth
    char *packed_a
    char *packed_b
    int64_t row_pieces, column_pieces
    int64_t packs_of_a  # pieces of packing, the first of them as they take the longest, of A


cdef inline int64_t columns_of_piece() noexcept nogil:
    return COLUMNS_OF_PIECE * (2 if _core.caches.second >= LARGE_CACHE else 1)


# Rows, in whole panels, whose block of A fills half of the second cache at most, a block's depth
# being TT_GEMM_DEPTH floats.
cdef inline int64_t rows_of_block(int64_t tallest) noexcept nogil:
    cdef int64_t rows = min(
        half_of_second() // TT_GEMM_DEPTH, ELEMENTS_OF_PIECE // columns_of_piece()
    )
    return max(LEAST_PANELS, ceil_div(rows, tallest)) * tallest


cdef void cut_rows(int64_t rows, int64_t tallest, int64_t *panel, int64_t *piece) noexcept nogil:
    cdef int64_t pieces = ceil_div(rows, rows_of_block(tallest))
    cdef int64_t in_piece = ceil_div(rows, pieces)
    cdef int64_t panels = ceil_div(in_piece, tallest)
    panel[0] = ceil_div(in_piece, panels)
    piece[0] = panel[0] * panels


cdef int64_t depth_of_blocks(int64_t depth) noexcept nogil:
    cdef int64_t blocks = ceil_div(depth, TT_GEMM_DEPTH)
    return (ceil_div(depth, blocks) + 7) & ~7


cdef Plan make_plan(const product *p) noexcept nogil:
    cdef const tt_kernels *table = _core.table
    cdef Plan plan
    cdef int64_t columns, pieces, row_pieces
    cdef bint large
    plan.p = p[0]
    if p.of_doubles:
        plan.size = sizeof(double)
        plan.packs_a, plan.packs_b = table.gemm_pack_a_f64, table.gemm_pack_b_f64
        plan.multiplies = table.gemm_block_f64
        plan.block_depth = depth_of_blocks(2 * p.depth) // 2  # as many bytes as of floats
    else:
        plan.size = sizeof(float)
        plan.packs_a, plan.packs_b = table.gemm_pack_a_f32, table.gemm_pack_b_f32
        plan.multiplies = table.gemm_block_f32
        plan.block_depth = depth_of_blocks(p.depth)
    plan.panel_of_b = 2 * (table.vector_bytes // plan.size)
    cut_rows(p.rows, table.gemm_rows, &plan.panel, &plan.piece_rows)

    row_pieces = ceil_div(p.rows, plan.piece_rows)
    columns = max(
        2 * plan.panel_of_b,
        min(columns_of_piece(), p.columns * row_pieces // PIECES),
        PRODUCTS // max(1, min(p.rows, plan.piece_rows) * p.depth),
    )
    pieces = ceil_div(p.columns, columns)
    if pieces > 1 and pieces * row_pieces % 2:
        pieces += 1  # an odd number of pieces keeps one of two threads waiting
    plan.piece_columns = (
        ceil_div(ceil_div(p.columns, pieces), plan.panel_of_b) * plan.panel_of_b
    )
    plan.piece_batches = max(1, PRODUCTS // max(1, p.rows * p.depth * p.columns))

    # Of rows of B the first tile of a piece makes a copy for the others, in passing; for many
    # pieces one copy for all is better. Columns of B must be transposed, which is done once.
    large = p.columns * p.depth * plan.size > _core.caches.second // 8
    if p.b_column == 1:
        plan.pack_b = large and row_pieces > ROW_PIECES_IN_PLACE
    else:
        plan.pack_b = row_pieces > 1 or large and p.rows > 2 * table.gemm_rows
    plan.pack_a = packs_a(p, &plan)
    return plan


cdef bint packs_a(const product *p, const Plan *plan) noexcept nogil:
    """Is A so large that no cache holds it well where it lies, and a copy of it little beside the
    product? Of rows that are adjacent, a tile reads a few of each column: as many pages as the
    block is deep, where a processor's first table has 64 to 96. Of packed batches one is multiplied
    after the other, which does not pay for small ones.
    """
    if p.columns <= 4 * plan.panel_of_b:
        return False
    if p.a_row == 1:
        if p.batches > 1 and p.rows * p.depth * p.columns < 8 * PRODUCTS:
            return False
        return min(plan.block_depth, p.depth) * llabs(p.a_depth) * plan.size > SPAN_IN_PLACE
    if p.rows * p.depth * plan.size <= _core.caches.second:
        return False
    return p.columns > COLUMNS_IN_PLACE or p.a_depth != 1


cdef inline int64_t offset(const int64_t *offsets, int64_t i) noexcept nogil:
    return offsets[i] if offsets != NULL else 0


# --- Pieces ----------------------------------------------------------------------------------


cdef inline const void *element_of_a(
    const Strip *s, int64_t batch, int64_t i, int64_t k
) noexcept nogil:
    """Of row i and depth k of a strip."""
    cdef const product *p = &s.plan.p
    cdef int64_t at = (s.row + i) * p.a_row + (s.k + k) * p.a_depth
    return byte_at(p.a, (offset(p.a_offsets, batch) + at) * s.plan.size)


cdef inline const void *element_of_b(
    const Strip *s, int64_t batch, int64_t k, int64_t j
) noexcept nogil:
    cdef const product *p = &s.plan.p
    cdef int64_t at = (s.column + j) * p.b_column + (s.k + k) * p.b_depth
    return byte_at(p.b, (offset(p.b_offsets, batch) + at) * s.plan.size)


cdef void run_piece(void *context, int64_t piece) noexcept nogil:
    cdef const Strip *s = <const Strip *> context
    cdef const Plan *plan = s.plan
    cdef const product *p = &plan.p
    cdef tt_gemm_block_args args
    cdef int64_t first, batch, block, i, j, k, at
    cdef int64_t pieces = s.row_pieces * s.column_pieces
    first = s.batch + piece // pieces * plan.piece_batches
    piece %= pieces
    # The larger operand is gone through once; the smaller one is more likely to stay in a cache.
    if s.rows < s.columns:
        i = piece % s.row_pieces * plan.piece_rows
        j = piece // s.row_pieces * plan.piece_columns
    else:
        i = piece // s.column_pieces * plan.piece_rows
        j = piece % s.column_pieces * plan.piece_columns

    args.rows = min(plan.piece_rows, s.rows - i)
    args.columns = min(plan.piece_columns, s.columns - j)
    args.a_row, args.a_depth = p.a_row, p.a_depth
    args.b_depth, args.b_column = p.b_depth, p.b_column
    args.c_row = p.c_row
    args.panel = plan.panel
    args.a_packed, args.b_packed = plan.pack_a, plan.pack_b
    args.c_by_columns = p.c_by_columns
    args.activation = p.activation
    args.row_bias = byte_at(p.row_bias, (s.row + i) * plan.size)
    args.column_bias = byte_at(p.column_bias, (s.column + j) * plan.size)
    for batch in range(first, min(first + plan.piece_batches, s.batch + s.batches)):
        at = batch * p.c_batch
        if p.c_by_columns:
            at += s.row + i + (s.column + j) * p.c_row
        else:
            at += (s.row + i) * p.c_row + s.column + j
        args.c = byte_at(p.c, at * plan.size)
        for block in range(ceil_div(s.depth, plan.block_depth)):
            k = block * plan.block_depth
            args.depth = min(plan.block_depth, s.depth - k)
            if plan.pack_a:
                args.a = byte_at(s.packed_a, (k * s.rows + i * args.depth) * plan.size)
            else:
                args.a = element_of_a(s, batch, i, k)
            if plan.pack_b:
                at = k * packed_columns(plan, s.columns) + j * args.depth
                args.b = byte_at(s.packed_b, at * plan.size)
            else:
                args.b = element_of_b(s, batch, k, j)
            args.accumulate = p.accumulate or s.k + k > 0
            args.finish = s.k + k + args.depth == p.depth and (
                p.activation != TT_IDENTITY or p.row_bias != NULL or p.column_bias != NULL
            )
            plan.multiplies(&args)


cdef inline int64_t packed_columns(const Plan *plan, int64_t columns) noexcept nogil:
    """Columns of a packed strip of B: the last panel is filled up to whole vectors."""
    return round_up(columns, plan.panel_of_b // 2)


cdef void pack_piece_of_a(const Strip *s, int64_t piece) noexcept nogil:
    cdef const Plan *plan = s.plan
    cdef const product *p = &plan.p
    cdef tt_gemm_pack_args args
    cdef int64_t i = piece % s.row_pieces * plan.piece_rows
    cdef int64_t k = piece // s.row_pieces * plan.block_depth
    args.width = min(plan.piece_rows, s.rows - i)
    args.depth = min(plan.block_depth, s.depth - k)
    args.width_step, args.depth_step = p.a_row, p.a_depth
    args.panel = plan.panel
    args.x = element_of_a(s, s.batch, i, k)
    args.out = byte_at(s.packed_a, (k * s.rows + i * args.depth) * plan.size)
    plan.packs_a(&args)


cdef void pack_piece_of_b(const Strip *s, int64_t piece) noexcept nogil:
    cdef const Plan *plan = s.plan
    cdef const product *p = &plan.p
    cdef tt_gemm_pack_args args
    cdef int64_t j = piece % s.column_pieces * plan.piece_columns
    cdef int64_t k = piece // s.column_pieces * plan.block_depth
    args.width = min(plan.piece_columns, s.columns - j)
    args.depth = min(plan.block_depth, s.depth - k)
    args.width_step, args.depth_step = p.b_column, p.b_depth
    args.panel = plan.panel_of_b
    args.x = element_of_b(s, s.batch, k, j)
    cdef int64_t at = k * packed_columns(plan, s.columns) + j * args.depth
    args.out = byte_at(s.packed_b, at * plan.size)
    plan.packs_b(&args)


cdef void pack_piece(void *context, int64_t piece) noexcept nogil:
    cdef const Strip *s = <const Strip *> context
    if piece < s.packs_of_a:
        pack_piece_of_a(s, piece)
    else:
        pack_piece_of_b(s, piece - s.packs_of_a)


# --- Whole products --------------------------------------------------------------------------


cdef void run_in_place(const Plan *plan) noexcept nogil:
    """Without packing: all batches are one strip."""
    cdef const product *p = &plan.p
    cdef Strip s
    memset(&s, 0, sizeof(Strip))
    s.plan = plan
    s.batches, s.rows, s.columns, s.depth = p.batches, p.rows, p.columns, p.depth
    s.row_pieces = ceil_div(p.rows, plan.piece_rows)
    s.column_pieces = ceil_div(p.columns, plan.piece_columns)
    _core.parallel_for(
        ceil_div(p.batches, plan.piece_batches) * s.row_pieces * s.column_pieces, run_piece, &s
    )


cdef int64_t strip_width(int64_t width, int64_t depth, int64_t piece, int64_t size) noexcept nogil:
    """How much of a width fits a strip of packed memory, half of the last cache; whole pieces."""
    cdef int64_t pieces = _core.caches.last // 2 // (piece * depth * size)
    return min(ceil_div(width, piece), max(1, pieces)) * piece


cdef void run_packed(
    const Plan *plan, char *packed_a, char *packed_b, int64_t rows, int64_t columns
) noexcept nogil:
    """In strips of ``rows`` and ``columns``, whose packed operands the buffers can hold."""
    cdef const product *p = &plan.p
    cdef Strip s
    cdef int64_t depth = depth_of_strip(plan), blocks, packs
    cdef bint new_a, new_b
    s.plan = plan
    s.packed_a, s.packed_b = packed_a, packed_b
    s.batch, s.batches = 0, 1
    while s.batch < p.batches:
        s.k = 0
        while s.k < p.depth:
            s.depth = min(depth, p.depth - s.k)
            blocks = ceil_div(s.depth, plan.block_depth)
            s.column = 0
            while s.column < p.columns:
                s.columns = min(columns, p.columns - s.column)
                s.column_pieces = ceil_div(s.columns, plan.piece_columns)
                s.row = 0
                while s.row < p.rows:
                    s.rows = min(rows, p.rows - s.row)
                    s.row_pieces = ceil_div(s.rows, plan.piece_rows)
                    # B's strip serves all rows, and A's all columns if it is the whole of A.
                    new_b = plan.pack_b and s.row == 0
                    new_a = plan.pack_a and (s.column == 0 or rows < p.rows)
                    s.packs_of_a = s.row_pieces * blocks if new_a else 0
                    packs = s.packs_of_a + (s.column_pieces * blocks if new_b else 0)
                    _core.parallel_for(packs, pack_piece, &s)
                    _core.parallel_for(s.row_pieces * s.column_pieces, run_piece, &s)
                    s.row += rows
                s.column += columns
            s.k += depth
        s.batch += 1


cdef int64_t depth_of_strip(const Plan *plan) noexcept nogil:
    return DEPTH_OF_STRIP // plan.block_depth * plan.block_depth


# The same product as C^T = B^T A^T.
cdef product turned(const product *p) noexcept nogil:
    cdef product q = p[0]
    q.rows, q.columns = p.columns, p.rows
    q.a, q.a_row, q.a_depth, q.a_offsets = p.b, p.b_column, p.b_depth, p.b_offsets
    q.b, q.b_column, q.b_depth, q.b_offsets = p.a, p.a_row, p.a_depth, p.a_offsets
    q.row_bias, q.column_bias = p.column_bias, p.row_bias
    q.c_by_columns = not p.c_by_columns
    return q


cdef void multiply_at_once(const product *p) noexcept nogil:
    """As one block, of a product so small that a plan would take as long."""
    cdef const tt_kernels *table = _core.table
    cdef tt_gemm_block_args args
    cdef int64_t piece
    args.rows, args.columns, args.depth = p.rows, p.columns, p.depth
    args.a, args.a_row, args.a_depth = p.a, p.a_row, p.a_depth
    args.b, args.b_depth, args.b_column = p.b, p.b_depth, p.b_column
    args.c, args.c_row, args.c_by_columns = p.c, p.c_row, p.c_by_columns
    args.a_packed, args.b_packed, args.accumulate = False, False, p.accumulate
    args.row_bias, args.column_bias, args.activation = p.row_bias, p.column_bias, p.activation
    args.finish = p.activation != TT_IDENTITY or p.row_bias != NULL or p.column_bias != NULL
    cut_rows(p.rows, table.gemm_rows, &args.panel, &piece)
    if p.of_doubles:
        table.gemm_block_f64(&args)
    else:
        table.gemm_block_f32(&args)


cdef int multiply(const product *p) except -1:
    if p.batches == 0 or p.rows == 0 or p.columns == 0:
        return 0
    if p.depth == 0:
        return finish_nothing(p)
    cdef Plan plan
    cdef product q
    # B^T, as a layer has it: its columns need no transposing if they are the rows of the product.
    if p.b_depth == 1 and p.b_column != 1 and p.rows <= FEW_ROWS and p.columns > p.rows:
        q = turned(p)
        p = &q
    if p.batches == 1 and p.rows * p.columns * p.depth < WORK_AT_ONCE:
        if p.depth <= TT_GEMM_DEPTH and p.a_offsets == NULL and p.b_offsets == NULL:
            multiply_at_once(p)
            return 0
    plan = make_plan(p)
    if not plan.pack_a and not plan.pack_b:
        if p.batches * p.rows * p.columns * p.depth < WORK_WITH_GIL:
            run_in_place(&plan)
        else:
            with nogil:
                run_in_place(&plan)
        return 0

    cdef int64_t depth = min(p.depth, depth_of_strip(&plan))
    cdef int64_t rows = p.rows, columns = p.columns
    cdef char *packed_a = NULL
    cdef char *packed_b = NULL
    keep = []
    plan.piece_batches = 1
    if plan.pack_a:
        rows = strip_width(p.rows, depth, plan.piece_rows, plan.size)
        packed_a = <char *> allocate(rows * depth * plan.size // 4, keep)
    if plan.pack_b:
        columns = strip_width(p.columns, depth, plan.piece_columns, plan.size)
        packed_b = <char *> allocate(columns * depth * plan.size // 4, keep)
    with nogil:
        run_packed(&plan, packed_a, packed_b, rows, columns)
    return 0


cdef inline void finish(const product *p, const tt_gemm_finish_args *args) noexcept nogil:
    if p.of_doubles:
        _core.table.gemm_finish_f64(args)
    else:
        _core.table.gemm_finish_f32(args)


cdef int finish_nothing(const product *p) except -1:
    """A sum of no products: zeros, and what comes after."""
    cdef tt_gemm_finish_args args
    cdef int64_t batch, row, size = sizeof(double) if p.of_doubles else sizeof(float)
    args.rows, args.columns, args.c_row = p.rows, p.columns, p.c_row
    args.activation, args.row_bias, args.column_bias = p.activation, p.row_bias, p.column_bias
    for batch in range(p.batches):
        args.c = byte_at(p.c, batch * p.c_batch * size)
        if not p.accumulate:
            for row in range(p.rows):
                memset(byte_at(args.c, row * p.c_row * size), 0, p.columns * size)
        finish(p, &args)
    return 0


# --- Weights of filters ----------------------------------------------------------------------


cdef struct Filters:
    const tt_kernels *table
    tt_gemm_pack_args args  # of all of the depth of the first group
    int64_t block_depth, blocks


cdef void pack_block(void *context, int64_t piece) noexcept nogil:
    cdef const Filters *s = <const Filters *> context
    cdef tt_gemm_pack_args args = s.args
    cdef int64_t k = piece % s.blocks * s.block_depth
    cdef int64_t matrix = piece // s.blocks * args.width * args.depth
    args.x = byte_at(args.x, (matrix + k) * sizeof(float))
    args.out = byte_at(args.out, (matrix + k * args.width) * sizeof(float))
    args.depth = min(s.block_depth, args.depth - k)
    s.table.gemm_pack_a_f32(&args)


cdef void pack_filters(
    const float *weight, float *out, int64_t groups, int64_t filters, int64_t taps, int64_t panel
) noexcept nogil:
    cdef Filters s
    s.table = _core.table
    s.args.x, s.args.out, s.args.panel = weight, out, panel
    s.args.width, s.args.depth = filters, taps
    s.args.width_step, s.args.depth_step = taps, 1
    s.block_depth = depth_of_blocks(taps)
    s.blocks = ceil_div(taps, s.block_depth)
    _core.parallel_for(groups * s.blocks, pack_block, &s)


# --- A matrix and a few vectors --------------------------------------------------------------


cdef struct RowsOfVector:
    void (*kernel)(const tt_gemv_args *) noexcept nogil
    tt_gemv_args args
    int64_t piece_rows, size


cdef void run_rows(void *context, int64_t piece) noexcept nogil:
    cdef const RowsOfVector *s = <const RowsOfVector *> context
    cdef tt_gemv_args args = s.args
    cdef int64_t row = piece * s.piece_rows
    args.a = byte_at(args.a, row * args.a_row * s.size)
    args.y = byte_at(args.y, row * s.size)
    args.rows = min(s.piece_rows, args.rows - row)
    s.kernel(&args)


cdef bint multiply_vectors(const product *p) noexcept nogil:
    """One column or a few rows, of elements adjacent as gemv needs them; otherwise False."""
    cdef RowsOfVector s
    cdef const tt_kernels *table = _core.table
    cdef tt_gemm_finish_args last
    if p.batches != 1 or p.rows == 0 or p.columns == 0 or p.depth == 0 or p.accumulate:
        return False
    s.args.vectors, s.args.x_vector, s.args.y_vector = 1, 0, 0
    if p.columns == 1 and p.c_row == 1 and (p.b_depth == 1 or p.depth == 1):
        s.args.a, s.args.a_row, s.args.a_depth = p.a, p.a_row, p.a_depth
        s.args.x, s.args.rows = p.b, p.rows
    elif p.a_depth == 1 or p.depth == 1:
        s.args.a, s.args.a_row, s.args.a_depth = p.b, p.b_column, p.b_depth
        s.args.x, s.args.rows = p.a, p.columns
        s.args.vectors, s.args.x_vector, s.args.y_vector = p.rows, p.a_row, p.c_row
    else:
        return False
    if s.args.a_depth != 1 and (s.args.a_row != 1 or s.args.vectors > 1):
        return False
    s.kernel = table.gemv_f64 if p.of_doubles else table.gemv_f32
    s.size = sizeof(double) if p.of_doubles else sizeof(float)
    s.args.y, s.args.depth = p.c, p.depth
    if s.args.a_depth == 1:
        s.piece_rows = max(64, (PRODUCTS // 8) // (p.depth * s.args.vectors))
    else:  # long stretches of the rows of B, which come from memory; an even number of them
        s.piece_rows = max(1024, ceil_div(p.columns, 2 * ceil_div(p.columns, 2 * TT_GEMV_STRETCH)))
    s.piece_rows = (s.piece_rows + 63) & ~<int64_t> 63
    _core.parallel_for(ceil_div(s.args.rows, s.piece_rows), run_rows, &s)
    if p.activation != TT_IDENTITY or p.row_bias != NULL or p.column_bias != NULL:
        last.c, last.rows, last.columns, last.c_row = p.c, p.rows, p.columns, p.c_row
        last.activation = p.activation
        last.row_bias, last.column_bias = p.row_bias, p.column_bias
        finish(p, &last)
    return True


# --- Arrays ----------------------------------------------------------------------------------


# Can the kernels multiply them: arrays of one such type?
cdef bint are_factors(object x, object y):
    return (
        cnp.PyArray_CheckExact(x) and cnp.PyArray_CheckExact(y)
        and cnp.PyArray_TYPE(x) in (cnp.NPY_FLOAT32, cnp.NPY_FLOAT64)
        and cnp.PyArray_TYPE(x) == cnp.PyArray_TYPE(y)
        and cnp.PyArray_ISBEHAVED_RO(x) and cnp.PyArray_ISBEHAVED_RO(y)
    )


cdef inline int64_t step(cnp.ndarray x, int axis):
    """Elements from one index of the axis to the next."""
    return cnp.PyArray_STRIDE(x, axis) // <int64_t> cnp.PyArray_ITEMSIZE(x)


cdef bint rows_fold(cnp.ndarray x, int64_t *row):
    """Do all axes but the last lie as one axis of rows? Its step is put into ``row``.

    The stride of an axis of size 1 means nothing, and can be anything.
    """
    cdef int axis
    cdef bint inner = True
    cdef cnp.npy_intp expected = 0
    row[0] = 0
    for axis in range(cnp.PyArray_NDIM(x) - 2, -1, -1):
        if cnp.PyArray_DIM(x, axis) != 1:
            if inner:
                row[0] = step(x, axis)
            elif cnp.PyArray_STRIDE(x, axis) != expected:
                return False
            expected = cnp.PyArray_STRIDE(x, axis) * cnp.PyArray_DIM(x, axis)
            inner = False
    return True


# The batch of a product: the leading axes of a and b, broadcast; steps in elements, 0 if repeated.
cdef struct Batch:
    int ndim
    int64_t size
    cnp.npy_intp shape[MOST_AXES]
    int64_t a_step[MOST_AXES]
    int64_t b_step[MOST_AXES]


cdef bint broadcast_batch(Batch *batch, cnp.ndarray a, cnp.ndarray b):
    """Fill in ``batch``; False where the leading axes do not broadcast."""
    cdef int na = cnp.PyArray_NDIM(a) - 2, nb = cnp.PyArray_NDIM(b) - 2, axis, ia, ib
    cdef cnp.npy_intp size_a, size_b
    batch.ndim, batch.size = max(na, nb), 1
    for axis in range(batch.ndim):
        ia, ib = axis - (batch.ndim - na), axis - (batch.ndim - nb)
        size_a = cnp.PyArray_DIM(a, ia) if ia >= 0 else 1
        size_b = cnp.PyArray_DIM(b, ib) if ib >= 0 else 1
        if size_a != size_b and size_a != 1 and size_b != 1:
            return False
        batch.shape[axis] = size_b if size_a == 1 else size_a
        batch.a_step[axis] = step(a, ia) if size_a > 1 else 0
        batch.b_step[axis] = step(b, ib) if size_b > 1 else 0
        batch.size *= batch.shape[axis]
    return True


cdef cnp.ndarray offsets_of(const Batch *batch, const int64_t *steps):
    """Where each matrix of the batch begins, in elements."""
    cdef cnp.npy_intp n = batch.size
    cdef cnp.ndarray offsets = cnp.PyArray_EMPTY(1, &n, cnp.NPY_INT64, 0)
    cdef int64_t *at = <int64_t *> cnp.PyArray_DATA(offsets)
    cdef int64_t begin = 0, i
    cdef int64_t index[MOST_AXES]
    cdef int axis
    memset(index, 0, sizeof(index))
    for i in range(n):
        at[i] = begin
        for axis in range(batch.ndim - 1, -1, -1):  # count up, the last axis fastest
            index[axis] += 1
            begin += steps[axis]
            if index[axis] < batch.shape[axis]:
                break
            begin -= steps[axis] * index[axis]
            index[axis] = 0
    return offsets


cdef void matrix_a(product *p, cnp.ndarray a):
    cdef int n = cnp.PyArray_NDIM(a)
    p.a, p.a_row, p.a_depth = cnp.PyArray_DATA(a), step(a, n - 2), step(a, n - 1)


cdef void matrix_b(product *p, cnp.ndarray b):
    cdef int n = cnp.PyArray_NDIM(b)
    p.b, p.b_depth, p.b_column = cnp.PyArray_DATA(b), step(b, n - 2), step(b, n - 1)


def matmul(a, b):
    if not are_factors(a, b):
        return reference.matmul(a, b)
    cdef cnp.ndarray x = a, y = b, out
    cdef int a_ndim = cnp.PyArray_NDIM(x), b_ndim = cnp.PyArray_NDIM(y)
    cdef product p
    if a_ndim == 0 or b_ndim == 0:
        return reference.matmul(a, b)
    if a_ndim == 1:
        x = x[None, :]
    if b_ndim == 1:
        y = y[:, None]
    cdef int nx = cnp.PyArray_NDIM(x), ny = cnp.PyArray_NDIM(y)
    memset(&p, 0, sizeof(product))
    p.of_doubles = cnp.PyArray_TYPE(x) == cnp.NPY_FLOAT64
    p.rows, p.columns = cnp.PyArray_DIM(x, nx - 2), cnp.PyArray_DIM(y, ny - 1)
    p.depth = cnp.PyArray_DIM(x, nx - 1)
    if cnp.PyArray_DIM(y, ny - 2) != p.depth:
        return reference.matmul(a, b)
    matrix_a(&p, x)
    matrix_b(&p, y)
    p.batches = 1
    p.c_row = p.columns

    cdef cnp.npy_intp shape[2]
    cdef int64_t row
    cdef Batch batch
    cdef cnp.ndarray a_offsets, b_offsets
    if nx == 2 and ny == 2:
        shape[0], shape[1] = p.rows, p.columns
        out = new_product(&p, 2, shape)
    elif ny == 2 and rows_fold(x, &row):
        p.a_row = row
        p.rows = cnp.PyArray_SIZE(x) // p.depth if p.depth else out_size(x)
        out = _core.empty((<object> x).shape[:-1] + (p.columns,), x.dtype)
    else:
        if not broadcast_batch(&batch, x, y):
            return reference.matmul(a, b)
        batch.shape[batch.ndim], batch.shape[batch.ndim + 1] = p.rows, p.columns
        out = new_product(&p, batch.ndim + 2, batch.shape)
        a_offsets, b_offsets = offsets_of(&batch, batch.a_step), offsets_of(&batch, batch.b_step)
        p.a_offsets = <const int64_t *> cnp.PyArray_DATA(a_offsets)
        p.b_offsets = <const int64_t *> cnp.PyArray_DATA(b_offsets)
        p.batches, p.c_batch = batch.size, p.rows * p.columns
    p.c = cnp.PyArray_DATA(out)
    run(&p)
    if a_ndim == 1:
        return out[..., 0, 0] if b_ndim == 1 else out[..., 0, :]
    return out[..., 0] if b_ndim == 1 else out


def add_matmul(total, a, b):
    if not (
        are_factors(a, b) and are_factors(total, a) and cnp.PyArray_ISCARRAY(total)
        and cnp.PyArray_NDIM(total) == 2 and cnp.PyArray_NDIM(a) == 2 and cnp.PyArray_NDIM(b) == 2
        and cnp.PyArray_DIM(total, 0) == cnp.PyArray_DIM(a, 0)
        and cnp.PyArray_DIM(total, 1) == cnp.PyArray_DIM(b, 1)
        and cnp.PyArray_DIM(a, 1) == cnp.PyArray_DIM(b, 0)
    ):
        return reference.add_matmul(total, a, b)
    cdef product p
    memset(&p, 0, sizeof(product))
    p.of_doubles = cnp.PyArray_TYPE(total) == cnp.NPY_FLOAT64
    p.rows, p.columns = cnp.PyArray_DIM(total, 0), cnp.PyArray_DIM(total, 1)
    p.depth, p.batches = cnp.PyArray_DIM(a, 1), 1
    matrix_a(&p, a)
    matrix_b(&p, b)
    p.c, p.c_row, p.accumulate = cnp.PyArray_DATA(total), p.columns, True
    multiply(&p)
    return total


cdef cnp.ndarray new_product(const product *p, int ndim, cnp.npy_intp *shape):
    if p.of_doubles:
        return _core.empty(tuple([shape[i] for i in range(ndim)]), np.float64)
    return _core.empty_f32(ndim, shape)


cdef int64_t out_size(cnp.ndarray x):
    """The product of all sizes but the last."""
    cdef int64_t size = 1
    cdef int axis
    for axis in range(cnp.PyArray_NDIM(x) - 1):
        size *= cnp.PyArray_DIM(x, axis)
    return size


cdef int run(const product *p) except -1:
    cdef bint done
    if p.rows <= FEW_VECTORS or p.columns == 1:
        if p.batches * p.rows * p.columns * p.depth < WORK_WITH_GIL:
            done = multiply_vectors(p)
        else:
            with nogil:
                done = multiply_vectors(p)
        if done:
            return 0
    return multiply(p)


def linear(x, weight, bias=None, activation=None):
    if not (
        are_factors(x, weight) and (bias is None or are_factors(x, bias))
        and activation in ACTIVATIONS
        and cnp.PyArray_NDIM(x) >= 1 and cnp.PyArray_NDIM(weight) == 2
    ):
        return reference.linear(x, weight, bias, activation)
    cdef cnp.ndarray xs = x, w = weight, out, b
    cdef int n = cnp.PyArray_NDIM(xs)
    cdef product p
    memset(&p, 0, sizeof(product))
    p.of_doubles = cnp.PyArray_TYPE(xs) == cnp.NPY_FLOAT64
    p.depth, p.columns = cnp.PyArray_DIM(w, 1), cnp.PyArray_DIM(w, 0)
    if cnp.PyArray_DIM(xs, n - 1) != p.depth or (
        bias is not None and (
            cnp.PyArray_NDIM(bias) != 1 or cnp.PyArray_DIM(bias, 0) != p.columns
        )
    ):
        return reference.linear(x, weight, bias, activation)
    if not rows_fold(xs, &p.a_row):
        xs = np.ascontiguousarray(xs)
        rows_fold(xs, &p.a_row)
    out = _core.empty((<object> xs).shape[:-1] + (p.columns,), xs.dtype)
    p.batches, p.rows = 1, out_size(xs)
    p.a = cnp.PyArray_DATA(xs)
    p.a_depth = step(xs, n - 1)
    p.b, p.b_depth, p.b_column = cnp.PyArray_DATA(w), step(w, 1), step(w, 0)
    p.c, p.c_row = cnp.PyArray_DATA(out), p.columns
    p.activation = ACTIVATIONS[activation]
    if bias is not None:
        b = bias if cnp.PyArray_ISCARRAY_RO(bias) else np.ascontiguousarray(bias)
        p.column_bias = cnp.PyArray_DATA(b)
    run(&p)
    return out
