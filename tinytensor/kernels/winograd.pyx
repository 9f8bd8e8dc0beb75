# cython: cdivision=True
"""3 × 3 convolution of stride 1 by Winograd's minimal filtering (csrc/kernels/winograd.h).

    output     A piece takes some tiles through all three steps in scratch memory that fits a
               second-level cache: transform, 36 products by the transformed weights, transform.
    gradient   of x: the output's, of g and the reversed weights
               of the weight: some tiles of x and g are transformed, and their 36 products added
               to the sums; at the end the sums are transformed
"""
from libc.stdint cimport int64_t
from libc.string cimport memset

from tinytensor.kernels cimport _core
from tinytensor.kernels.gemm cimport cut_rows, depth_of_blocks, tt_gemm_block_args
from tinytensor.kernels.scratch cimport (
    Scratch,
    allocate,
    give_back,
    make_scratch,
    memory_of,
    take_slot,
)

from tinytensor.kernels import _core as core

cdef extern from "tinytensor.h" nogil:
    int64_t TT_WINOGRAD_TILES
    ctypedef struct tt_winograd_args:
        float *planes
        float *transformed
        const float *bias
        int64_t channels, height, width
        int64_t row, column
        int64_t tiles
        int64_t point_step, tile_step
    ctypedef struct tt_winograd_taps_args:
        float *taps
        float *transformed
        int64_t filters, depth
        int64_t filter_step, depth_step, point_step, row_step
        int reversed
    ctypedef struct tt_kernels:
        int vector_bytes
        int gemm_rows
        void (*gemm_block_f32)(const tt_gemm_block_args *) noexcept nogil
        void (*winograd_image_f32)(const tt_winograd_args *) noexcept nogil
        void (*winograd_gradient_f32)(const tt_winograd_args *) noexcept nogil
        void (*winograd_output_f32)(const tt_winograd_args *) noexcept nogil
        void (*winograd_taps_f32)(const tt_winograd_taps_args *) noexcept nogil
        void (*winograd_grad_taps_f32)(const tt_winograd_taps_args *) noexcept nogil

cdef enum:
    POINTS = 36
    SCRATCH = 1 << 17  # floats: half of a second-level cache
    TRANSFORMED = 1 << 21  # floats of transformed tiles from which a gradient is summed
    CHANNELS_OF_PIECE = 64


cdef inline int64_t ceil_div(int64_t n, int64_t by) noexcept nogil:
    return (n + by - 1) // by


cdef inline int64_t row_of(int64_t channels, int64_t lanes) noexcept nogil:
    """Floats of a tile's row of channels: whole vectors, and an odd number of them, so that rows
    do not meet in the same sets of a cache."""
    return (ceil_div(channels, lanes) | 1) * lanes


cdef bint winograd_pays(const Planes *s) noexcept nogil:
    # Multiply-adds by 36 points of a tile against 9 taps of a pixel. To transform the weights costs
    # as much as some 32 tiles, and to transform a channel of a tile as much as some 16 filters.
    cdef int64_t tiles = s.images * ceil_div(s.out_height, 4) * ceil_div(s.out_width, 4)
    cdef int64_t pixels = s.images * s.out_height * s.out_width
    cdef int64_t products = POINTS * s.channels * s.filters
    if min(s.channels, s.filters) < 12:
        return False
    return (
        (tiles + 32) * products + tiles * POINTS * 16 * (s.channels + s.filters)
        < 9 * pixels * s.channels * s.filters
    )


# --- Tiles -----------------------------------------------------------------------------------


# The output of each image is cut into rows of tiles, and those into segments.
cdef struct Tiles:
    int64_t rows, columns  # of an image, in tiles
    int64_t segments  # of a row
    int64_t segment  # tiles of a segment; the last of a row may have fewer
    int64_t all_segments


cdef Tiles cut_tiles(const Planes *s) noexcept nogil:
    cdef Tiles t
    t.rows, t.columns = ceil_div(s.out_height, 4), ceil_div(s.out_width, 4)
    t.segment = ceil_div(t.columns, ceil_div(t.columns, TT_WINOGRAD_TILES))
    t.segments = ceil_div(t.columns, t.segment)
    t.all_segments = s.images * t.rows * t.segments
    return t


cdef inline int64_t tiles_before(const Tiles *t, int64_t segment) noexcept nogil:
    return segment // t.segments * t.columns + segment % t.segments * t.segment


cdef inline int64_t place_segment(
    const Tiles *t, int64_t segment, tt_winograd_args *args
) noexcept nogil:
    """Where a segment begins in the output, and how many tiles it has; its image is returned."""
    args.row = segment // t.segments % t.rows * 4
    args.column = segment % t.segments * t.segment * 4
    args.tiles = min(t.segment, t.columns - segment % t.segments * t.segment)
    return segment // t.segments // t.rows


cdef void image_tiles(
    const tt_kernels *table, const Planes *s, const Tiles *t, int64_t segment, const float *x,
    tt_winograd_args *args,
) noexcept nogil:
    cdef int64_t image = place_segment(t, segment, args)
    args.row -= s.top
    args.column -= s.left
    args.channels, args.height, args.width = s.channels, s.height, s.width
    args.planes = <float *> x + image * s.channels * s.height * s.width
    table.winograd_image_f32(args)


# --- Output ----------------------------------------------------------------------------------


cdef struct Forward:
    const tt_kernels *table
    Planes shape
    Tiles tiles
    const float *x
    const float *weight
    const float *bias
    float *out
    int64_t filter_step, channel_step
    bint reversed
    float *taps  # transformed: for each point a matrix (channels × filters), packed
    int64_t lanes, filters  # filters filled up to whole vectors
    int64_t block_depth, blocks
    int64_t image_row, out_row
    int64_t piece_segments, panel, most_tiles
    Scratch scratch


cdef void transform_taps(void *context, int64_t piece) noexcept nogil:
    """One vector of filters, one block of the channels, into the panels of gemm_block's B."""
    cdef const Forward *s = <const Forward *> context
    cdef tt_winograd_taps_args args
    cdef int64_t filter_ = piece // s.blocks * s.lanes
    cdef int64_t channel = piece % s.blocks * s.block_depth
    cdef int64_t first = filter_ // (2 * s.lanes) * 2 * s.lanes  # filter of the panel
    args.filters = min(s.lanes, s.shape.filters - filter_)
    args.depth = min(s.block_depth, s.shape.channels - channel)
    args.filter_step, args.depth_step, args.reversed = s.filter_step, s.channel_step, s.reversed
    args.taps = <float *> s.weight + filter_ * s.filter_step + channel * s.channel_step
    args.point_step = s.shape.channels * s.filters
    args.row_step = min(2 * s.lanes, s.filters - first)
    args.transformed = s.taps + channel * s.filters + first * args.depth + filter_ - first
    s.table.winograd_taps_f32(&args)


cdef void run_forward(void *context, int64_t piece) noexcept nogil:
    cdef Forward *s = <Forward *> context
    cdef int64_t begin = piece * s.piece_segments
    cdef int64_t end = min(begin + s.piece_segments, s.tiles.all_segments)
    cdef int64_t before = tiles_before(&s.tiles, begin)
    cdef int64_t segment, image, point, block, channel
    cdef tt_winograd_args args
    cdef tt_gemm_block_args product
    cdef int slot = take_slot(&s.scratch)
    cdef float *images = memory_of(&s.scratch, slot)
    cdef float *outputs = images + POINTS * s.most_tiles * s.image_row

    args.tile_step, args.point_step = s.image_row, s.most_tiles * s.image_row
    for segment in range(begin, end):
        args.transformed = images + (tiles_before(&s.tiles, segment) - before) * s.image_row
        image_tiles(s.table, &s.shape, &s.tiles, segment, s.x, &args)

    memset(&product, 0, sizeof(product))
    product.rows, product.columns = tiles_before(&s.tiles, end) - before, s.filters
    product.a_row, product.a_depth = s.image_row, 1
    product.c_row = s.out_row
    product.panel, product.b_packed = s.panel, True
    for point in range(POINTS):
        product.c = outputs + point * s.most_tiles * s.out_row
        for block in range(s.blocks):
            channel = block * s.block_depth
            product.depth = min(s.block_depth, s.shape.channels - channel)
            product.a = images + point * args.point_step + channel
            product.b = s.taps + (point * s.shape.channels + channel) * s.filters
            product.accumulate = channel > 0
            s.table.gemm_block_f32(&product)

    args.tile_step, args.point_step = s.out_row, s.most_tiles * s.out_row
    args.channels, args.height, args.width = s.shape.filters, s.shape.out_height, s.shape.out_width
    args.bias = s.bias
    for segment in range(begin, end):
        image = place_segment(&s.tiles, segment, &args)
        args.transformed = outputs + (tiles_before(&s.tiles, segment) - before) * s.out_row
        args.planes = s.out + image * args.channels * args.height * args.width
        s.table.winograd_output_f32(&args)
    give_back(&s.scratch, slot)


cdef int winograd(
    const Planes *shape, const float *x, const float *weight, int64_t filter_step,
    int64_t channel_step, bint reversed, const float *bias, float *out,
) except -1:
    cdef Forward s
    cdef int64_t tiles, pieces, unused
    keep = []
    s.table = <const tt_kernels *> _core.table
    s.shape, s.tiles = shape[0], cut_tiles(shape)
    s.x, s.weight, s.bias, s.out = x, weight, bias, out
    s.filter_step, s.channel_step, s.reversed = filter_step, channel_step, reversed
    s.lanes = s.table.vector_bytes // 4
    s.filters = ceil_div(shape.filters, s.lanes) * s.lanes
    s.block_depth = depth_of_blocks(shape.channels)
    s.blocks = ceil_div(shape.channels, s.block_depth)
    s.image_row, s.out_row = row_of(shape.channels, s.lanes), row_of(shape.filters, s.lanes)

    # As many tiles as the scratch memory holds, but enough of them to use a point's weights well;
    # and an even number of pieces, as most often there are few.
    tiles = max(2 * s.table.gemm_rows, SCRATCH // (POINTS * (s.image_row + s.out_row)))
    pieces = ceil_div(s.tiles.all_segments, max(1, tiles // s.tiles.segment))
    pieces = ceil_div(pieces, 2) * 2
    s.piece_segments = ceil_div(s.tiles.all_segments, pieces)
    pieces = ceil_div(s.tiles.all_segments, s.piece_segments)
    s.most_tiles = s.piece_segments * s.tiles.segment | 1
    cut_rows(s.piece_segments * s.tiles.segment, s.table.gemm_rows, &s.panel, &unused)

    s.taps = allocate(POINTS * shape.channels * s.filters, keep)
    make_scratch(
        &s.scratch, POINTS * s.most_tiles * (s.image_row + s.out_row), pieces,
        core.get_num_threads(), keep,
    )
    with nogil:
        _core.parallel_for(s.filters // s.lanes * s.blocks, transform_taps, &s)
        _core.parallel_for(pieces, run_forward, &s)
    return 0


# --- Gradient of the weight ------------------------------------------------------------------


# The tiles of some segments at a time; of each point, images (tiles × channels) and gradients
# (tiles × filters) are multiplied to sums (channels × filters).
cdef struct Weights:
    const tt_kernels *table
    Planes shape
    Tiles tiles
    const float *x
    const float *g
    float *out
    float *images
    float *gradients
    float *sums
    int64_t lanes, filters
    int64_t image_row, gradient_row, image_point, gradient_point
    int64_t begin, end  # segments
    int64_t channel_pieces


cdef void transform_segment(void *context, int64_t piece) noexcept nogil:
    cdef const Weights *s = <const Weights *> context
    cdef int64_t segment = s.begin + piece, image
    cdef int64_t tile = tiles_before(&s.tiles, segment) - tiles_before(&s.tiles, s.begin)
    cdef tt_winograd_args args
    args.transformed = s.images + tile * s.image_row
    args.tile_step, args.point_step = s.image_row, s.image_point
    image_tiles(s.table, &s.shape, &s.tiles, segment, s.x, &args)

    image = place_segment(&s.tiles, segment, &args)
    args.channels, args.height, args.width = s.shape.filters, s.shape.out_height, s.shape.out_width
    args.planes = <float *> s.g + image * args.channels * args.height * args.width
    args.transformed = s.gradients + tile * s.gradient_row
    args.tile_step, args.point_step = s.gradient_row, s.gradient_point
    s.table.winograd_gradient_f32(&args)


cdef void add_products(void *context, int64_t piece) noexcept nogil:
    """The products of one point, for a range of channels."""
    cdef const Weights *s = <const Weights *> context
    cdef int64_t point = piece // s.channel_pieces
    cdef int64_t channel = piece % s.channel_pieces * CHANNELS_OF_PIECE
    cdef int64_t tiles = tiles_before(&s.tiles, s.end) - tiles_before(&s.tiles, s.begin)
    cdef int64_t depth = depth_of_blocks(tiles), block, tile, unused
    cdef tt_gemm_block_args args
    memset(&args, 0, sizeof(args))
    args.rows = min(CHANNELS_OF_PIECE, s.shape.channels - channel)
    args.columns = s.filters
    args.a_row, args.a_depth = 1, s.image_row
    args.b_depth, args.b_column = s.gradient_row, 1
    args.c = s.sums + (point * s.shape.channels + channel) * s.filters
    args.c_row = s.filters
    cut_rows(args.rows, s.table.gemm_rows, &args.panel, &unused)
    for block in range(ceil_div(tiles, depth)):
        tile = block * depth
        args.depth = min(depth, tiles - tile)
        args.a = s.images + point * s.image_point + tile * s.image_row + channel
        args.b = s.gradients + point * s.gradient_point + tile * s.gradient_row
        args.accumulate = s.begin > 0 or tile > 0
        s.table.gemm_block_f32(&args)


cdef void transform_sums(void *context, int64_t piece) noexcept nogil:
    """Taps of one vector of filters, for a range of channels."""
    cdef const Weights *s = <const Weights *> context
    cdef int64_t filter_ = piece // s.channel_pieces * s.lanes
    cdef int64_t channel = piece % s.channel_pieces * CHANNELS_OF_PIECE
    cdef tt_winograd_taps_args args
    args.filters = min(s.lanes, s.shape.filters - filter_)
    args.depth = min(CHANNELS_OF_PIECE, s.shape.channels - channel)
    args.filter_step, args.depth_step = 9 * s.shape.channels, 9
    args.taps = s.out + filter_ * args.filter_step + channel * 9
    args.transformed = s.sums + channel * s.filters + filter_
    args.point_step, args.row_step = s.shape.channels * s.filters, s.filters
    s.table.winograd_grad_taps_f32(&args)


cdef int winograd_grad_w(
    const Planes *shape, const float *x, const float *g, float *out
) except -1:
    cdef Weights s
    cdef int64_t step, tiles
    keep = []
    s.table = <const tt_kernels *> _core.table
    s.shape, s.tiles = shape[0], cut_tiles(shape)
    s.x, s.g, s.out = x, g, out
    s.lanes = s.table.vector_bytes // 4
    s.filters = ceil_div(shape.filters, s.lanes) * s.lanes
    s.image_row, s.gradient_row = row_of(shape.channels, s.lanes), row_of(shape.filters, s.lanes)
    s.channel_pieces = ceil_div(shape.channels, CHANNELS_OF_PIECE)

    tiles = max(64, TRANSFORMED // (POINTS * (s.image_row + s.gradient_row)))
    step = max(1, tiles // s.tiles.segment)
    step = ceil_div(s.tiles.all_segments, ceil_div(s.tiles.all_segments, step))
    tiles = step * s.tiles.segment | 1
    s.image_point, s.gradient_point = tiles * s.image_row, tiles * s.gradient_row
    s.images = allocate(POINTS * s.image_point, keep)
    s.gradients = allocate(POINTS * s.gradient_point, keep)
    s.sums = allocate(POINTS * shape.channels * s.filters, keep)
    with nogil:
        s.begin = 0
        while s.begin < s.tiles.all_segments:
            s.end = min(s.begin + step, s.tiles.all_segments)
            _core.parallel_for(s.end - s.begin, transform_segment, &s)
            _core.parallel_for(POINTS * s.channel_pieces, add_products, &s)
            s.begin = s.end
        _core.parallel_for(s.filters // s.lanes * s.channel_pieces, transform_sums, &s)
    return 0
