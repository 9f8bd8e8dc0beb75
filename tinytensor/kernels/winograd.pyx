# cython: cdivision=True
"""3 × 3 convolution of stride 1 by Winograd's minimal filtering (csrc/kernels/winograd.h).

    output     The planes that a plane of it sees are further channels. A piece takes some tiles
               through all three steps in scratch memory that fits a second-level cache:
               transform, 36 products by the transformed weights, transform.
    gradient   of x: the output's, of g and the reversed weights
               of the weight: a piece transforms tiles of x and g and adds up their 36 products;
               at the end the sums are transformed

It spreads what is not finite over a whole tile, and the rounding error of what is large, too: of a
pixel over outputs that do not see it, of a weight over outputs that multiply it by little. So the
transforms look at what they read. What comes of an odd image or of odd weights is not to be used;
the plain sums give it (conv.pyx).
"""
from libc.math cimport INFINITY
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memset

from tinytensor.kernels cimport _core
from tinytensor.kernels.abi cimport (
    TT_WINOGRAD_TILES, tt_binary_args, tt_gemm_block_args, tt_kernels, tt_winograd_args,
    tt_winograd_taps_args,
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
from tinytensor.kernels.tuning cimport HALF_OF_CACHE, ceil_div, half_of_second, round_up

from tinytensor.kernels import _core as core


cdef enum:
    POINTS = 36
    SUMS = 1 << 21  # floats of all sums of a gradient
    CHANNELS_OF_PIECE = 64
    MOST_SCRATCH = 5 << 15  # floats of a piece's tiles: more tiles would not use weights better
    SPREAD = 64  # of a filter's largest |weight| above their mean: some 6 where they are random


# The transforms multiply by less than 2^12, of which this leaves room; and where sums are of
# products of two things that are transformed, each may be of this size.
cdef float LARGEST = 2.0**112, LARGEST_FACTOR = 2.0**50


cdef inline int64_t row_of(int64_t channels, int64_t lanes) noexcept nogil:
    """Floats of a tile's row of channels: whole vectors, and an odd number of them, so that rows
    do not meet in the same sets of a cache."""
    return (ceil_div(channels, lanes) | 1) * lanes


cdef bint winograd_pays(const Planes *s) noexcept nogil:
    # Multiply-adds by 36 points of a tile against 9 taps of a pixel. To transform the weights costs
    # as much as some 32 tiles, and to transform a channel of a tile as much as some 16 filters.
    cdef int64_t planes = s.images * s.out_depth, channels = s.channels * s.kernel_z
    cdef int64_t tiles = planes * ceil_div(s.out_height, 4) * ceil_div(s.out_width, 4)
    cdef int64_t pixels = planes * s.out_height * s.out_width
    cdef int64_t products = POINTS * channels * s.filters
    if min(s.channels, s.filters) < 12:
        return False
    return (
        (tiles + 32) * products + tiles * POINTS * 16 * (channels + s.filters)
        < 9 * pixels * channels * s.filters
    )


# --- Tiles -----------------------------------------------------------------------------------


# The output of each image, plane by plane, is cut into rows of tiles, and those into segments.
cdef struct Tiles:
    int64_t rows, columns  # of a plane, in tiles
    int64_t of_image  # segments
    int64_t segments  # of a row
    int64_t segment  # tiles of a segment; the last of a row may have fewer
    int64_t all_segments


cdef Tiles cut_tiles(const Planes *s) noexcept nogil:
    cdef Tiles t
    t.rows, t.columns = ceil_div(s.out_height, 4), ceil_div(s.out_width, 4)
    t.segment = ceil_div(t.columns, ceil_div(t.columns, TT_WINOGRAD_TILES))
    t.segments = ceil_div(t.columns, t.segment)
    t.of_image = s.out_depth * t.rows * t.segments
    t.all_segments = s.images * t.of_image
    return t


cdef inline int64_t tiles_before(const Tiles *t, int64_t segment) noexcept nogil:
    return segment // t.segments * t.columns + segment % t.segments * t.segment


cdef inline int64_t place_segment(
    const Tiles *t, int64_t segment, tt_winograd_args *args
) noexcept nogil:
    """Where a segment begins in the output, and how many tiles it has; its plane is returned, of
    all images' planes."""
    args.row = segment // t.segments % t.rows * 4
    args.column = segment % t.segments * t.segment * 4
    args.tiles = min(t.segment, t.columns - segment % t.segments * t.segment)
    return segment // t.segments // t.rows


cdef list odd_images(const Tiles *t, const uint8_t *odd_segments, int64_t images):
    """The runs of images that have an odd segment."""
    cdef int64_t segments = t.of_image, image, segment, first = -1
    cdef bint odd
    runs = []
    for image in range(images):
        odd = False
        for segment in range(image * segments, (image + 1) * segments):
            odd |= odd_segments[segment]
        if odd and first < 0:
            first = image
        elif not odd and first >= 0:
            runs.append(slice(first, image))
            first = -1
    if first >= 0:
        runs.append(slice(first, images))
    return runs


# --- Output ----------------------------------------------------------------------------------


cdef struct Forward:
    const tt_kernels *table
    Planes shape
    Tiles tiles
    const float *x
    const float *weight
    const float *bias
    float *out
    int64_t filter_step, channel_step, plane_step
    bint reversed
    float *taps  # transformed: for each point a matrix (planes × channels × filters), packed
    float *largest  # |weight| of each filter, for each run of the channels
    float *sum  # and the sum of all
    int64_t lanes, filters  # filters filled up to whole vectors
    int64_t depth  # planes × channels
    int64_t run_depth, runs_of_plane, runs  # runs of channels, each of one plane
    int64_t block_runs, blocks  # a product's depth is cut into blocks, of some runs each
    int64_t image_row, out_row
    int64_t piece_segments, panel, most_tiles
    float limit
    uint8_t *odd_segments
    Scratch scratch


cdef inline int64_t channel_of(const Forward *s, int64_t run) noexcept nogil:
    """The first of a run, among those of all planes."""
    if run >= s.runs:
        return s.depth
    return run // s.runs_of_plane * s.shape.channels + run % s.runs_of_plane * s.run_depth


cdef void transform_taps(void *context, int64_t piece) noexcept nogil:
    """One vector of filters, one run of the channels, into the panels of gemm_block's B."""
    cdef const Forward *s = <const Forward *> context
    cdef tt_winograd_taps_args args
    cdef int64_t filter_ = piece // s.runs * s.lanes
    cdef int64_t run = piece % s.runs, first_run = run // s.block_runs * s.block_runs
    cdef int64_t channel = channel_of(s, run), block = channel_of(s, first_run)
    cdef int64_t first = filter_ // (2 * s.lanes) * 2 * s.lanes  # filter of the panel
    args.filters = min(s.lanes, s.shape.filters - filter_)
    args.depth = channel_of(s, run + 1) - channel
    args.filter_step, args.depth_step, args.reversed = s.filter_step, s.channel_step, s.reversed
    args.taps = <float *> s.weight + (
        filter_ * s.filter_step + run // s.runs_of_plane * s.plane_step
        + run % s.runs_of_plane * s.run_depth * s.channel_step
    )
    args.point_step = s.depth * s.filters
    args.row_step = min(2 * s.lanes, s.filters - first)
    args.transformed = s.taps + (
        block * s.filters + first * (channel_of(s, first_run + s.block_runs) - block)
        + (channel - block) * args.row_step + filter_ - first
    )
    args.largest = s.largest + run * s.filters + filter_
    args.sum = s.sum + run * s.filters + filter_
    s.table.winograd_taps_f32(&args)


cdef float largest_weight(const Forward *s) noexcept nogil:
    """Infinity, if some filter's largest weight is far above the mean of its others."""
    cdef int64_t filter_, run, i
    cdef float found = 0, largest, sum_
    for filter_ in range(s.shape.filters):
        largest = sum_ = 0
        for run in range(s.runs):
            i = run * s.filters + filter_
            if not s.largest[i] <= LARGEST:  # or NaN
                return INFINITY
            largest = max(largest, s.largest[i])
            sum_ += s.sum[i]
        if largest * (9 * s.depth) > SPREAD * sum_:
            return INFINITY
        found = max(found, largest)
    return found


cdef uint8_t transform_planes(
    const Forward *s, int64_t place, tt_winograd_args *args
) noexcept nogil:
    """A segment of the planes that one of the output sees, behind each other. Is one odd?"""
    cdef int64_t image = place // s.shape.out_depth, z = place % s.shape.out_depth, q, plane
    cdef int64_t point, tile
    cdef uint8_t any_odd = 0
    for q in range(s.shape.kernel_z):
        plane = z * s.shape.stride_z + q * s.shape.dilation_z - s.shape.front
        if 0 <= plane < s.shape.depth:
            args.planes = <float *> s.x + (
                image * args.channels * args.plane_step + plane * args.height * args.width
            )
            s.table.winograd_image_f32(args)
            any_odd |= args.odd[0]
        else:
            for point in range(POINTS):
                for tile in range(args.tiles):
                    memset(
                        args.transformed + point * args.point_step + tile * args.tile_step, 0,
                        args.channels * sizeof(float),
                    )
        args.transformed += args.channels
    return any_odd


cdef void run_forward(void *context, int64_t piece) noexcept nogil:
    cdef Forward *s = <Forward *> context
    cdef int64_t begin = piece * s.piece_segments
    cdef int64_t end = min(begin + s.piece_segments, s.tiles.all_segments)
    cdef int64_t before = tiles_before(&s.tiles, begin)
    cdef int64_t segment, place, point, block, channel
    cdef uint8_t odd
    cdef tt_winograd_args args
    cdef tt_gemm_block_args product
    cdef int slot = take_slot(&s.scratch)
    cdef float *images = memory_of(&s.scratch, slot)
    cdef float *outputs = images + POINTS * s.most_tiles * s.image_row

    args.tile_step, args.point_step = s.image_row, s.most_tiles * s.image_row
    args.channels, args.height, args.width = s.shape.channels, s.shape.height, s.shape.width
    args.plane_step = s.shape.depth * args.height * args.width
    args.limit, args.odd = s.limit, &odd
    for segment in range(begin, end):
        place = place_segment(&s.tiles, segment, &args)
        args.row -= s.shape.top
        args.column -= s.shape.left
        args.transformed = images + (tiles_before(&s.tiles, segment) - before) * s.image_row
        s.odd_segments[segment] = transform_planes(s, place, &args)

    memset(&product, 0, sizeof(product))
    product.rows, product.columns = tiles_before(&s.tiles, end) - before, s.filters
    product.a_row, product.a_depth = s.image_row, 1
    product.c_row = s.out_row
    product.panel, product.b_packed = s.panel, True
    for point in range(POINTS):
        product.c = outputs + point * s.most_tiles * s.out_row
        for block in range(s.blocks):
            channel = channel_of(s, block * s.block_runs)
            product.depth = channel_of(s, (block + 1) * s.block_runs) - channel
            product.a = images + point * args.point_step + channel
            product.b = s.taps + (point * s.depth + channel) * s.filters
            product.accumulate = channel > 0
            s.table.gemm_block_f32(&product)

    args.tile_step, args.point_step = s.out_row, s.most_tiles * s.out_row
    args.channels, args.height, args.width = s.shape.filters, s.shape.out_height, s.shape.out_width
    args.plane_step = s.shape.out_depth * args.height * args.width
    args.bias = s.bias
    for segment in range(begin, end):
        place = place_segment(&s.tiles, segment, &args)
        args.transformed = outputs + (tiles_before(&s.tiles, segment) - before) * s.out_row
        args.planes = s.out + (
            place // s.shape.out_depth * args.channels * args.plane_step
            + place % s.shape.out_depth * args.height * args.width
        )
        s.table.winograd_output_f32(&args)
    give_back(&s.scratch, slot)


cdef list winograd(
    const Planes *shape, const float *x, const float *weight, int64_t filter_step,
    int64_t channel_step, int64_t plane_step, bint reversed, const float *bias, float *out,
):
    cdef Forward s
    cdef int64_t tiles, pieces, unused
    cdef float largest
    keep = []
    s.table = _core.table
    s.shape, s.tiles = shape[0], cut_tiles(shape)
    s.x, s.weight, s.bias, s.out = x, weight, bias, out
    s.filter_step, s.channel_step, s.plane_step = filter_step, channel_step, plane_step
    s.reversed = reversed
    s.lanes = s.table.vector_bytes // 4
    s.filters = ceil_div(shape.filters, s.lanes) * s.lanes
    s.depth = shape.channels * shape.kernel_z
    s.run_depth = depth_of_blocks(shape.channels)
    s.runs_of_plane = ceil_div(shape.channels, s.run_depth)
    s.runs = shape.kernel_z * s.runs_of_plane
    s.block_runs = 1
    if s.runs_of_plane == 1:
        s.block_runs = max(1, depth_of_blocks(s.depth) // shape.channels)
    s.blocks = ceil_div(s.runs, s.block_runs)
    # The last plane, too, is written in whole vectors.
    s.image_row = row_of(s.depth + round_up(shape.channels, s.lanes) - shape.channels, s.lanes)
    s.out_row = row_of(shape.filters, s.lanes)

    # As many tiles as the scratch memory holds, but enough of them to use a point's weights well;
    # and an even number of pieces, as most often there are few.
    tiles = min(half_of_second(), MOST_SCRATCH) // (POINTS * (s.image_row + s.out_row))
    tiles = max(2 * s.table.gemm_rows, tiles)
    pieces = ceil_div(s.tiles.all_segments, max(1, tiles // s.tiles.segment))
    pieces = ceil_div(pieces, 2) * 2
    s.piece_segments = ceil_div(s.tiles.all_segments, pieces)
    pieces = ceil_div(s.tiles.all_segments, s.piece_segments)
    s.most_tiles = s.piece_segments * s.tiles.segment | 1
    cut_rows(s.piece_segments * s.tiles.segment, s.table.gemm_rows, &s.panel, &unused)

    s.taps = allocate(
        (POINTS * s.depth + 2 * s.runs) * s.filters
        + ceil_div(s.tiles.all_segments, sizeof(float)), keep,
    )
    s.largest = s.taps + POINTS * s.depth * s.filters
    s.sum = s.largest + s.runs * s.filters
    s.odd_segments = <uint8_t *> (s.sum + s.runs * s.filters)
    make_scratch(
        &s.scratch, POINTS * s.most_tiles * (s.image_row + s.out_row), pieces,
        core.get_num_threads(), keep,
    )
    with nogil:
        _core.parallel_for(s.filters // s.lanes * s.runs, transform_taps, &s)
        largest = largest_weight(&s)
        if largest <= LARGEST:
            s.limit = LARGEST / max(<float> 1, largest * s.depth)
            _core.parallel_for(pieces, run_forward, &s)
    if not largest <= LARGEST:
        return [slice(0, shape.images)]
    return odd_images(&s.tiles, s.odd_segments, shape.images)


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
    int64_t plane, plane_of_g  # those of x and g that meet first by the tap of planes in question
    int64_t depth_of_g
    int64_t tap_step  # from channel to channel in out
    int64_t lanes, filters  # filters filled up to whole vectors
    int64_t slices, slice_segments, slice_step
    int64_t range_channels, ranges
    int64_t image_row, gradient_row
    int64_t chunk_segments, most_tiles
    uint8_t *odd  # for each piece
    Scratch scratch


cdef int64_t transform_chunk(
    const Weights *s, int64_t begin, int64_t end, int64_t channel, int64_t channels, float *images,
    float *gradients, uint8_t *odd,
) noexcept nogil:
    """The segments [begin, end) of a range of channels, and of g; how many tiles they are."""
    cdef uint8_t odd_image = 0, odd_gradient = 0
    cdef int64_t before = tiles_before(&s.tiles, begin), segment, tile, image, plane
    cdef int64_t height = s.shape.out_height, width = s.shape.out_width
    cdef tt_winograd_args args
    args.limit = LARGEST_FACTOR
    for segment in range(begin, end):
        tile = tiles_before(&s.tiles, segment) - before
        image = place_segment(&s.tiles, segment, &args)
        image, plane = image // s.shape.out_depth, image % s.shape.out_depth
        args.channels, args.height, args.width = s.shape.filters, height, width
        args.plane_step = s.depth_of_g * height * width
        args.planes = <float *> s.g + (
            image * s.shape.filters * args.plane_step + (s.plane_of_g + plane) * height * width
        )
        args.transformed = gradients + tile * s.gradient_row
        args.tile_step, args.point_step = s.gradient_row, s.most_tiles * s.gradient_row
        args.odd = &odd_gradient
        s.table.winograd_gradient_f32(&args)

        args.row -= s.shape.top
        args.column -= s.shape.left
        args.channels, args.height, args.width = channels, s.shape.height, s.shape.width
        args.plane_step = s.shape.depth * args.height * args.width
        args.planes = <float *> s.x + (
            (image * s.shape.channels + channel) * args.plane_step
            + (s.plane + plane * s.shape.stride_z) * args.height * args.width
        )
        args.transformed = images + tile * s.image_row
        args.tile_step, args.point_step = s.image_row, s.most_tiles * s.image_row
        args.odd = &odd_image
        s.table.winograd_image_f32(&args)
        odd[0] |= odd_image | odd_gradient
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
    s.odd[piece] = 0
    while begin < last and not s.odd[piece]:
        end = min(begin + s.chunk_segments, last)
        tiles = transform_chunk(
            s, begin, end, channel, channels, images, gradients, s.odd + piece
        )
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
    args.filter_step, args.depth_step = s.tap_step * s.shape.channels, s.tap_step
    args.taps = s.out + filter_ * args.filter_step + channel * s.tap_step
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


cdef bint winograd_grad_w(
    const Planes *shape, const float *x, const float *g, float *out
) except -1:
    """By one tap of planes after the other: each is the gradient of flat filters."""
    cdef Weights s
    cdef int64_t q, first, last, channel
    for q in range(shape.kernel_z):
        # Planes [first, last) of the output see one of x by this tap.
        first = ceil_div(max(0, shape.front - q * shape.dilation_z), shape.stride_z)
        last = shape.depth + shape.front - q * shape.dilation_z
        last = min(shape.out_depth, ceil_div(max(0, last), shape.stride_z))
        s.table = _core.table
        s.shape, s.depth_of_g, s.tap_step = shape[0], shape.out_depth, 9 * shape.kernel_z
        s.plane = first * shape.stride_z + q * shape.dilation_z - shape.front
        s.plane_of_g, s.shape.out_depth = first, last - first
        s.x, s.g, s.out = x, g, out + 9 * q
        if first >= last:
            for channel in range(shape.filters * shape.channels):
                memset(s.out + channel * s.tap_step, 0, 9 * sizeof(float))
        elif not grad_w_of_tap(&s):
            return False
    return True


cdef bint grad_w_of_tap(Weights *s) except -1:
    cdef int64_t piece
    keep = []
    s.tiles = cut_tiles(&s.shape)
    s.lanes = s.table.vector_bytes // 4
    s.filters = ceil_div(s.shape.filters, s.lanes) * s.lanes
    weights_pieces(s)
    s.sums = allocate(s.slices * s.slice_step, keep)
    s.odd = <uint8_t *> allocate(ceil_div(s.slices * s.ranges, sizeof(float)), keep)
    make_scratch(
        &s.scratch, POINTS * s.most_tiles * (s.image_row + s.gradient_row), s.slices * s.ranges,
        core.get_num_threads(), keep,
    )
    with nogil:
        _core.parallel_for(s.slices * s.ranges, run_weights, s)
        for piece in range(s.slices * s.ranges):
            if s.odd[piece]:
                return False
        if s.slices > 1:
            _core.parallel_for(POINTS, add_slices, s)
        _core.parallel_for(s.filters // s.lanes * s.ranges, transform_sums, s)
    return True
