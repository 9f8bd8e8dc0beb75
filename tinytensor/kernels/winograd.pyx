# cython: cdivision=True
"""3 × 3 convolution of stride 1 by Winograd's minimal filtering (csrc/kernels/winograd.h).

    output     A piece takes some tiles through all three steps in scratch memory that fits a
               second-level cache: transform, 36 products by the transformed weights, transform.
    gradient   of x: the output's, of g and the reversed weights
               of the weight: a piece transforms tiles of x and g and adds up their 36 products;
               at the end the sums are transformed

It spreads what is not finite over a whole tile, and the rounding error of a large pixel too. So it
takes images alone in which each output sees a pixel (the largest of its channels) of at least
1 / REACH of the largest in its tile.
"""
from libc.math cimport NAN
from libc.stdint cimport int64_t
from libc.string cimport memset

from tinytensor.kernels cimport _core
from tinytensor.kernels.abi cimport (
    TT_WINOGRAD_TILES, tt_binary_args, tt_gemm_block_args, tt_kernels, tt_winograd_args,
    tt_winograd_range_args, tt_winograd_taps_args,
)
from tinytensor.kernels.gemm cimport cut_rows, depth_of_blocks
from tinytensor.kernels.scratch cimport (
    Scratch,
    allocate,
    give_back,
    make_scratch,
    memory_of,
    take_slot,
)
from tinytensor.kernels.tuning cimport HALF_OF_CACHE, ceil_div

from tinytensor.kernels import _core as core


cdef enum:
    POINTS = 36
    SUMS = 1 << 21  # floats of all sums of a gradient
    CHANNELS_OF_PIECE = 64
    PIXELS_OF_PIECE = 4096
    MOST_RANGES = 64  # that need no memory of their own
    REACH = 16


# The transforms multiply by less than 2^12, of which this leaves room.
cdef float LARGEST = 2.0**112


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


# --- Images that it is not exact for ---------------------------------------------------------


cdef struct Range:
    const tt_kernels *table
    Planes shape
    const float *x
    float limit  # of what is transformed, so that nothing overflows
    float *largest  # of each piece of an image, then of the image
    float *smallest
    int64_t pieces  # of an image
    Scratch scratch


cdef void run_range(void *context, int64_t piece) noexcept nogil:
    cdef Range *s = <Range *> context
    cdef tt_winograd_range_args args
    cdef int64_t image = piece // s.pieces, pixel = piece % s.pieces * PIXELS_OF_PIECE
    args.step = s.shape.height * s.shape.width
    args.channels, args.size = s.shape.channels, min(<int64_t> PIXELS_OF_PIECE, args.step - pixel)
    args.planes = s.x + image * args.channels * args.step + pixel
    args.map, args.largest, args.smallest = NULL, s.largest + piece, s.smallest + piece
    s.table.winograd_range_f32(&args)


cdef inline float largest_in(
    const Planes *s, const float *map, int64_t top, int64_t left, int64_t size
) noexcept nogil:
    """The largest pixel of a square that may reach over the image's edges."""
    cdef float found = 0
    cdef int64_t y, x
    for y in range(max(<int64_t> 0, top), min(top + size, s.height)):
        for x in range(max(<int64_t> 0, left), min(left + size, s.width)):
            found = max(found, map[y * s.width + x])
    return found


cdef bint all_see(const Planes *s, const float *map) noexcept nogil:
    """Does each output see a pixel of the size of the largest in its tile?"""
    cdef int64_t row, column, y, x
    cdef float largest
    for row in range(0, s.out_height, 4):
        for column in range(0, s.out_width, 4):
            largest = largest_in(s, map, row - s.top, column - s.left, 6)
            for y in range(row, min(row + 4, s.out_height)):
                for x in range(column, min(column + 4, s.out_width)):
                    if REACH * largest_in(s, map, y - s.top, x - s.left, 3) < largest:
                        return False
    return True


cdef bint is_plain(Range *s, int64_t image) noexcept nogil:
    """Does a look at the image's largest and smallest pixel do? They come together in its first
    piece; the largest is NaN if it is too large."""
    cdef const Planes *shape = &s.shape
    cdef float *largest = s.largest + image * s.pieces
    cdef float *smallest = s.smallest + image * s.pieces
    cdef int64_t piece
    for piece in range(1, s.pieces):
        if not largest[piece] <= largest[0]:  # max() may leave a NaN out
            largest[0] = largest[piece]
        smallest[0] = min(smallest[0], smallest[piece])
    if not largest[0] <= s.limit:
        largest[0] = NAN
        return True
    # Each output must see a pixel of the image, and not zeros around it alone.
    return (
        largest[0] <= REACH * smallest[0]
        and shape.top <= 2 and shape.out_height <= shape.height + shape.top
        and shape.left <= 2 and shape.out_width <= shape.width + shape.left
    )


cdef void run_image(void *context, int64_t image) noexcept nogil:
    """Go through the tiles of an image that may be odd: if it is, its `largest` becomes NaN."""
    cdef Range *s = <Range *> context
    cdef tt_winograd_range_args args
    cdef int slot
    cdef float *largest = s.largest + image * s.pieces
    if largest[0] != largest[0] or s.smallest[image * s.pieces] < 0:
        return
    slot = take_slot(&s.scratch)
    args.channels, args.size = s.shape.channels, s.shape.height * s.shape.width
    args.step, args.planes = args.size, s.x + image * args.channels * args.size
    args.map = memory_of(&s.scratch, slot)
    args.largest, args.smallest = largest, s.smallest + image * s.pieces
    s.table.winograd_range_f32(&args)
    if not all_see(&s.shape, args.map):
        largest[0] = NAN
    give_back(&s.scratch, slot)


cdef list odd_images(const Planes *shape, const float *x, const float *weight):
    cdef Range s
    cdef tt_winograd_range_args args
    cdef float[2 * MOST_RANGES] few
    cdef float size = 0, unused
    cdef int64_t image, ranges, first = -1
    cdef bint plain = True, finite = True
    keep, runs = [], []
    s.table, s.shape, s.x = _core.table, shape[0], x
    if weight == NULL:  # one of two factors, which are summed over the pixels
        s.limit = 2.0**50
    else:  # as 9 planes, whatever they are of
        args.planes, args.channels = weight, 9
        args.size = args.step = shape.channels * shape.filters
        args.map, args.largest, args.smallest = NULL, &size, &unused
        with nogil:
            s.table.winograd_range_f32(&args)
        if not size <= LARGEST:
            return [slice(0, shape.images)]
        s.limit = LARGEST / max(1, size * shape.channels)
    s.pieces = ceil_div(shape.height * shape.width, PIXELS_OF_PIECE)
    ranges = shape.images * s.pieces
    s.largest = &few[0]
    if ranges > MOST_RANGES:
        s.largest = allocate(2 * ranges, keep)
    s.smallest = s.largest + ranges
    with nogil:
        _core.parallel_for(ranges, run_range, &s)
        for image in range(shape.images):
            if is_plain(&s, image):
                s.smallest[image * s.pieces] = -1  # nothing more to look at
            else:
                plain = False
            finite = finite and s.largest[image * s.pieces] == s.largest[image * s.pieces]
    if plain and finite:
        return runs
    if not plain:
        make_scratch(
            &s.scratch, shape.height * shape.width, shape.images, core.get_num_threads(), keep
        )
        with nogil:
            _core.parallel_for(shape.images, run_image, &s)
    for image in range(shape.images):
        if s.largest[image * s.pieces] != s.largest[image * s.pieces]:
            if first < 0:
                first = image
        elif first >= 0:
            runs.append(slice(first, image))
            first = -1
    if first >= 0:
        runs.append(slice(first, shape.images))
    return runs


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
    args.channels, args.height, args.width = s.shape.channels, s.shape.height, s.shape.width
    for segment in range(begin, end):
        image = place_segment(&s.tiles, segment, &args)
        args.row -= s.shape.top
        args.column -= s.shape.left
        args.transformed = images + (tiles_before(&s.tiles, segment) - before) * s.image_row
        args.planes = <float *> s.x + image * args.channels * args.height * args.width
        s.table.winograd_image_f32(&args)

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
    s.table = _core.table
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
    tiles = max(2 * s.table.gemm_rows, HALF_OF_CACHE // (POINTS * (s.image_row + s.out_row)))
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


# A piece takes a slice of the tiles and a range of the channels: it transforms some tiles at a time
# in scratch memory, and adds their products, for each point a matrix (channels × filters), to the
# sums of its slice. The slices are added up at the end, in their order.
cdef struct Weights:
    const tt_kernels *table
    Planes shape
    Tiles tiles
    const float *x
    const float *g
    float *out
    float *sums  # slices × points × channels × filters
    int64_t lanes, filters  # filters filled up to whole vectors
    int64_t slices, slice_segments, slice_step
    int64_t range_channels, ranges
    int64_t image_row, gradient_row
    int64_t chunk_segments, most_tiles
    Scratch scratch


cdef int64_t transform_chunk(
    const Weights *s, int64_t begin, int64_t end, int64_t channel, int64_t channels, float *images,
    float *gradients,
) noexcept nogil:
    """The segments [begin, end) of a range of channels, and of g; how many tiles they are."""
    cdef int64_t before = tiles_before(&s.tiles, begin), segment, tile, image
    cdef int64_t height = s.shape.out_height, width = s.shape.out_width
    cdef tt_winograd_args args
    for segment in range(begin, end):
        tile = tiles_before(&s.tiles, segment) - before
        image = place_segment(&s.tiles, segment, &args)
        args.channels, args.height, args.width = s.shape.filters, height, width
        args.planes = <float *> s.g + image * s.shape.filters * height * width
        args.transformed = gradients + tile * s.gradient_row
        args.tile_step, args.point_step = s.gradient_row, s.most_tiles * s.gradient_row
        s.table.winograd_gradient_f32(&args)

        args.row -= s.shape.top
        args.column -= s.shape.left
        args.channels, args.height, args.width = channels, s.shape.height, s.shape.width
        args.planes = <float *> s.x + (
            (image * s.shape.channels + channel) * s.shape.height * s.shape.width
        )
        args.transformed = images + tile * s.image_row
        args.tile_step, args.point_step = s.image_row, s.most_tiles * s.image_row
        s.table.winograd_image_f32(&args)
    return tiles_before(&s.tiles, end) - before


cdef void run_weights(void *context, int64_t piece) noexcept nogil:
    cdef Weights *s = <Weights *> context
    cdef int64_t slice_ = piece // s.ranges, channel = piece % s.ranges * s.range_channels
    cdef int64_t channels = min(s.range_channels, s.shape.channels - channel)
    cdef int64_t first = slice_ * s.slice_segments, begin = first
    cdef int64_t last = min(first + s.slice_segments, s.tiles.all_segments)
    cdef int64_t end, tiles, depth, block, tile, point, unused
    cdef tt_gemm_block_args args
    cdef int slot = take_slot(&s.scratch)
    cdef float *images = memory_of(&s.scratch, slot)
    cdef float *gradients = images + POINTS * s.most_tiles * s.image_row
    cdef float *sums = s.sums + slice_ * s.slice_step + channel * s.filters
    memset(&args, 0, sizeof(args))
    args.rows, args.columns = channels, s.filters
    args.a_row, args.a_depth = 1, s.image_row
    args.b_depth, args.b_column = s.gradient_row, 1
    args.c_row = s.filters
    cut_rows(args.rows, s.table.gemm_rows, &args.panel, &unused)
    while begin < last:
        end = min(begin + s.chunk_segments, last)
        tiles = transform_chunk(s, begin, end, channel, channels, images, gradients)
        depth = depth_of_blocks(tiles)
        for point in range(POINTS):
            args.c = sums + point * s.shape.channels * s.filters
            for block in range(ceil_div(tiles, depth)):
                tile = block * depth
                args.depth = min(depth, tiles - tile)
                args.a = images + (point * s.most_tiles + tile) * s.image_row
                args.b = gradients + (point * s.most_tiles + tile) * s.gradient_row
                args.accumulate = begin > first or tile > 0
                s.table.gemm_block_f32(&args)
        begin = end
    give_back(&s.scratch, slot)


cdef void add_slices(void *context, int64_t point) noexcept nogil:
    cdef const Weights *s = <const Weights *> context
    cdef int64_t n = s.shape.channels * s.filters, slice_
    cdef tt_binary_args args
    memset(&args, 0, sizeof(args))
    args.rows, args.cols, args.a_col, args.b_col = 1, n, 1, 1
    args.a = args.out = s.sums + point * n
    for slice_ in range(1, s.slices):
        args.b = args.a + slice_ * s.slice_step
        s.table.add_f32(&args)


cdef void transform_sums(void *context, int64_t piece) noexcept nogil:
    """Taps of one vector of filters, for a range of channels."""
    cdef const Weights *s = <const Weights *> context
    cdef int64_t filter_ = piece // s.ranges * s.lanes
    cdef int64_t channel = piece % s.ranges * s.range_channels
    cdef tt_winograd_taps_args args
    args.filters = min(s.lanes, s.shape.filters - filter_)
    args.depth = min(s.range_channels, s.shape.channels - channel)
    args.filter_step, args.depth_step = 9 * s.shape.channels, 9
    args.taps = s.out + filter_ * args.filter_step + channel * 9
    args.transformed = s.sums + channel * s.filters + filter_
    args.point_step, args.row_step = s.shape.channels * s.filters, s.filters
    s.table.winograd_grad_taps_f32(&args)


cdef void weights_pieces(Weights *s) noexcept nogil:
    cdef int64_t tiles = s.tiles.all_segments * s.tiles.segment
    s.ranges = ceil_div(s.shape.channels, CHANNELS_OF_PIECE)
    s.range_channels = ceil_div(s.shape.channels, s.ranges)
    s.image_row = row_of(s.range_channels, s.lanes)
    s.gradient_row = row_of(s.shape.filters, s.lanes)

    # Some 8 pieces in all, whose slices have tiles enough for their sums, and sums that fit.
    s.slice_step = POINTS * s.shape.channels * s.filters
    s.slices = min(ceil_div(8, s.ranges), tiles // 32, SUMS // s.slice_step)
    s.slice_segments = ceil_div(s.tiles.all_segments, max(1, s.slices))
    s.slices = ceil_div(s.tiles.all_segments, s.slice_segments)

    tiles = max(48, 2 * HALF_OF_CACHE // (POINTS * (s.image_row + s.gradient_row)))
    s.chunk_segments = max(1, tiles // s.tiles.segment)
    s.chunk_segments = ceil_div(s.slice_segments, ceil_div(s.slice_segments, s.chunk_segments))
    s.most_tiles = s.chunk_segments * s.tiles.segment | 1


cdef int winograd_grad_w(
    const Planes *shape, const float *x, const float *g, float *out
) except -1:
    cdef Weights s
    keep = []
    s.table = _core.table
    s.shape, s.tiles = shape[0], cut_tiles(shape)
    s.x, s.g, s.out = x, g, out
    s.lanes = s.table.vector_bytes // 4
    s.filters = ceil_div(shape.filters, s.lanes) * s.lanes
    weights_pieces(&s)
    s.sums = allocate(s.slices * s.slice_step, keep)
    make_scratch(
        &s.scratch, POINTS * s.most_tiles * (s.image_row + s.gradient_row), s.slices * s.ranges,
        core.get_num_threads(), keep,
    )
    with nogil:
        _core.parallel_for(s.slices * s.ranges, run_weights, &s)
        if s.slices > 1:
            _core.parallel_for(POINTS, add_slices, &s)
        _core.parallel_for(s.filters // s.lanes * s.ranges, transform_sums, &s)
    return 0
