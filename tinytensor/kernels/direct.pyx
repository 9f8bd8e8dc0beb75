# cython: cdivision=True
"""Direct convolution (csrc/kernels/direct.h), for few channels or few filters to a group.

    output     a piece copies the rows that it reads into a band in scratch memory, and computes
               rows of outputs from there
    gradient   of x: for stride 1 the output's, of g and the reversed weights; otherwise a piece
               adds the products of an image up in a band
               of the weight: a piece adds up a slice of the images, in vectors, which are summed
               at the end
"""
cimport numpy as cnp
from libc.stdint cimport INT64_MAX, int64_t
from libc.string cimport memset

from tinytensor.kernels cimport _core
from tinytensor.kernels.abi cimport (
    tt_band_args, tt_conv_args, tt_direct_args, tt_direct_back_args, tt_direct_gather_args,
    tt_direct_grad_args, tt_direct_sums_args, tt_kernels,
)
from tinytensor.kernels.conv cimport Geometry
from tinytensor.kernels.gemm cimport cut_rows, depth_of_blocks, pack_filters
from tinytensor.kernels.scratch cimport (
    Scratch,
    allocate,
    give_back,
    make_scratch,
    memory_of,
    take_slot,
)
from tinytensor.kernels.tuning cimport (
    DIRECT_PRODUCTS, QUARTER_OF_CACHE, ceil_div, half_of_second,
)

import numpy as np

from tinytensor.kernels import _core as core

cnp.import_array()

cdef enum:
    SUMS = 1 << 18  # floats of a slice's sums
    LONG_ROW = 256  # outputs of a part of a lone row


cdef inline int64_t lanes_of_core() noexcept nogil:
    return _core.table.vector_bytes // 4


# --- Bands -----------------------------------------------------------------------------------


# How images are cut into bands, each for `rows` rows of the output, or for `columns` of a lone row.
cdef struct Bands:
    int64_t rows, columns, of_row, of_plane, of_image
    int64_t image_rows  # rows of the image in a band
    int64_t pitch, size
    int64_t row_step  # from one output's row to the next
    const int64_t *offsets  # of the taps


cdef int64_t rows_of_image(const Geometry *s, int64_t rows) noexcept nogil:
    return (rows - 1) * s.conv.stride_y + (s.conv.kernel_y - 1) * s.conv.dilation_y + 1


cdef inline int64_t whole_vectors(int64_t n) noexcept nogil:
    return ceil_div(n, lanes_of_core()) * lanes_of_core()


cdef int64_t pitch_of(const Geometry *s, int64_t columns) noexcept nogil:
    return whole_vectors(
        columns + (s.conv.kernel_x - 1) * s.conv.dilation_x // s.conv.stride_x
    )


cdef int stride_3x3(const Geometry *s) noexcept nogil:
    """The stride, where there are kernels for it alone: 3×3 taps of a channel for one filter."""
    cdef const tt_conv_args *conv = &s.conv
    if (
        s.taps == 9 and s.filters == 1 and conv.kernel_y == 3 and conv.kernel_x == 3
        and conv.dilation_y == 1 and conv.dilation_x == 1
        and conv.stride_y == conv.stride_x and conv.stride_x <= 2
    ):
        return conv.stride_x
    return 0


cdef int64_t row_of_band(const Geometry *s, int64_t columns) noexcept nogil:
    return s.channels * s.conv.kernel_z * s.conv.stride_x * pitch_of(s, columns)


cdef int64_t columns_of_band(const Geometry *s) noexcept nogil:
    """All of a row, but of a lone one that does not fit the memory of a band."""
    cdef int64_t width = s.conv.out_width
    if (
        s.conv.out_height > 1
        or rows_of_image(s, 1) * row_of_band(s, width) <= QUARTER_OF_CACHE
    ):
        return width
    return min(width, whole_vectors(ceil_div(width, ceil_div(width, LONG_ROW))))


cdef int64_t rows_of_band(
    const Geometry *s, int64_t memory, int64_t products
) noexcept nogil:
    """As many rows as fit the memory of a band and are so much work; an even number."""
    cdef int64_t height = s.conv.out_height, columns = columns_of_band(s), most, rows
    cdef int64_t work = s.filters * s.taps * columns  # of a row
    if height == 1:
        return 1
    most = memory // row_of_band(s, columns)
    most = (most - rows_of_image(s, 1)) // s.conv.stride_y + 1
    rows = max(2, min(most, products // work))
    return ceil_div(ceil_div(height, ceil_div(height, rows)), 2) * 2


cdef void cut_bands(const Geometry *s, int64_t rows, int64_t columns, Bands *b) noexcept nogil:
    b.rows, b.columns = rows, columns
    b.of_row = ceil_div(s.conv.out_width, columns)
    b.of_plane = ceil_div(s.conv.out_height, rows) * b.of_row
    b.of_image = s.out_depth * b.of_plane
    b.image_rows = rows_of_image(s, b.rows)
    b.pitch = pitch_of(s, columns)
    b.row_step = s.conv.stride_y * s.conv.stride_x * b.pitch
    b.size = b.image_rows * row_of_band(s, columns) + 2 * lanes_of_core()


cdef cnp.ndarray offsets_of(const Geometry *s, Bands *b):
    """The offsets of the taps; the array that holds them."""
    cdef cnp.ndarray array = np.empty(s.taps, np.int64)
    cdef int64_t *offsets = <int64_t *> cnp.PyArray_DATA(array)
    cdef int64_t c, r, column, k = 0, x
    for c in range(s.channels * s.conv.kernel_z):
        for r in range(s.conv.kernel_y):
            for column in range(s.conv.kernel_x):
                x = column * s.conv.dilation_x
                offsets[k] = b.pitch * (
                    (c * b.image_rows + r * s.conv.dilation_y) * s.conv.stride_x
                    + x % s.conv.stride_x
                ) + x // s.conv.stride_x
                k += 1
    b.offsets = offsets
    return array


cdef tt_band_args band_args(
    const Geometry *s, const Bands *b, const float *x, int64_t item, int64_t z, int64_t first,
    int64_t column, float *band,
) noexcept nogil:
    """The band of the output's rows and columns from `first` and `column` on, of its plane z."""
    cdef tt_band_args args
    args.image, args.band = <float *> x + item * s.image_size, band
    args.channels, args.depth = s.channels, s.conv.depth
    args.height, args.width = s.conv.height, s.conv.width
    args.plane, args.planes = z * s.conv.stride_z - s.conv.front, s.conv.kernel_z
    args.plane_step = s.conv.dilation_z
    args.row, args.rows = first * s.conv.stride_y - s.conv.top, b.image_rows
    args.left = s.conv.left - column * s.conv.stride_x
    args.stride_x, args.pitch = s.conv.stride_x, b.pitch
    return args


cdef struct Place:
    int64_t pixel, rows, columns


cdef Place fill_band(
    const tt_kernels *table, const Geometry *s, const Bands *b, const float *x, int64_t item,
    int64_t band, float *memory,
) noexcept nogil:
    """Copy a band of an item; which part of the output it is for."""
    cdef int64_t z = band // b.of_plane, first = band % b.of_plane // b.of_row * b.rows
    cdef int64_t column = band % b.of_row * b.columns
    cdef tt_band_args args = band_args(s, b, x, item, z, first, column, memory)
    cdef Place place
    table.direct_band_f32(&args)
    place.pixel = (z * s.conv.out_height + first) * s.conv.out_width + column
    place.columns = min(b.columns, s.conv.out_width - column)
    place.rows = min(b.rows, s.conv.out_height - first)
    return place


# --- Output ----------------------------------------------------------------------------------


cdef bint fits(const Geometry *s) noexcept nogil:
    """Do rows fill vectors well, and do some of them fit a band?"""
    cdef int64_t lanes = lanes_of_core(), width = columns_of_band(s)
    cdef int64_t rows = 1 if s.conv.out_height == 1 else 2
    cdef int64_t vectors = ceil_div(width, lanes)
    return (
        (5 * width >= 3 * vectors * lanes or stride_3x3(s)) and s.conv.stride_x <= 8
        and rows_of_image(s, rows) <= QUARTER_OF_CACHE // row_of_band(s, width)
    )


cdef bint direct_pays(const Geometry *s) noexcept nogil:
    # To write a patch costs about as much as its products with some 16 filters. Of many filters a
    # direct tile, partly outside a short row, loses more, unless taps are many.
    return (s.filters <= 64 or s.filters <= 128 and s.channels >= 32 and s.area > 1) and fits(s)


cdef struct Forward:
    const tt_kernels *table
    Geometry shape
    Bands bands
    const float *x
    const float *weight
    const float *bias
    float *out
    float *packed_weight
    int64_t panel, block_depth, blocks
    int64_t pieces, piece_bands
    Scratch scratch


cdef void run_forward(void *context, int64_t piece) noexcept nogil:
    cdef Forward *s = <Forward *> context
    cdef const Geometry *shape = &s.shape
    cdef int64_t begin = piece * s.piece_bands
    cdef int64_t end = min(begin + s.piece_bands, shape.items * s.bands.of_image)
    cdef int64_t item, group, band, block, k
    cdef Place place
    cdef tt_direct_args args
    cdef int slot = take_slot(&s.scratch)
    cdef float *memory = memory_of(&s.scratch, slot)
    args.band, args.filters, args.panel = memory, shape.filters, s.panel
    args.stride_3x3 = stride_3x3(shape)
    args.row_step, args.out_plane = s.bands.row_step, shape.pixels
    for band in range(begin, end):
        item = band // s.bands.of_image
        group = item % shape.groups
        place = fill_band(
            s.table, shape, &s.bands, s.x, item, band % s.bands.of_image, memory
        )
        args.rows, args.width = place.rows, place.columns
        args.out = s.out + item * shape.filters * shape.pixels + place.pixel
        for block in range(s.blocks):
            k = block * s.block_depth
            args.taps = min(s.block_depth, shape.taps - k)
            args.offsets = s.bands.offsets + k
            args.weight = s.packed_weight + (group * shape.taps + k) * shape.filters
            args.accumulate = block > 0
            args.bias = NULL
            if block == 0 and s.bias != NULL:
                args.bias = s.bias + group * shape.filters
            s.table.direct_f32(&args)
    give_back(&s.scratch, slot)


cdef int direct(
    const Geometry *shape, const float *x, const float *weight, const float *bias, float *out
) except -1:
    cdef Forward s
    cdef int64_t bands, work, unused
    keep = []
    s.table = _core.table
    s.shape = shape[0]
    s.x, s.weight, s.bias, s.out = x, weight, bias, out
    cut_bands(
        shape, rows_of_band(shape, half_of_second() // 2, DIRECT_PRODUCTS), columns_of_band(shape),
        &s.bands,
    )
    keep.append(offsets_of(shape, &s.bands))
    cut_rows(shape.filters, s.table.gemm_rows, &s.panel, &unused)
    s.block_depth = depth_of_blocks(shape.taps)
    s.blocks = ceil_div(shape.taps, s.block_depth)
    bands = shape.items * s.bands.of_image
    work = s.bands.rows * s.bands.columns * shape.filters * shape.taps
    s.piece_bands = max(1, DIRECT_PRODUCTS // work)
    s.pieces = ceil_div(bands, s.piece_bands)
    s.packed_weight = allocate(shape.groups * shape.filters * shape.taps, keep)
    make_scratch(&s.scratch, s.bands.size, s.pieces, core.get_num_threads(), keep)
    with nogil:
        pack_filters(
            s.weight, s.packed_weight, shape.groups, shape.filters, shape.taps, s.panel
        )
        _core.parallel_for(s.pieces, run_forward, &s)
    return 0


# --- Gradient of x ---------------------------------------------------------------------------


cdef bint direct_grad_x_pays(const Geometry *s) noexcept nogil:
    # The band, of a whole image, is read and written for each tap: few filters are worth it.
    return (
        s.flat and s.filters <= 2 and fits(s)
        and rows_of_image(s, s.conv.out_height)
        <= QUARTER_OF_CACHE // row_of_band(s, s.conv.out_width)
    )


cdef struct Backward:
    const tt_kernels *table
    Geometry shape
    Bands bands
    const float *g
    const float *weight
    float *out
    int64_t piece_items
    Scratch scratch


cdef void run_backward(void *context, int64_t piece) noexcept nogil:
    cdef Backward *s = <Backward *> context
    cdef const Geometry *shape = &s.shape
    cdef int64_t first = piece * s.piece_items, item
    cdef tt_direct_back_args args
    cdef tt_band_args band
    cdef int slot = take_slot(&s.scratch)
    args.band, args.offsets = memory_of(&s.scratch, slot), s.bands.offsets
    args.taps, args.filters = shape.taps, shape.filters
    args.rows, args.width = s.bands.rows, shape.conv.out_width
    args.row_step, args.g_plane = s.bands.row_step, shape.pixels
    for item in range(first, min(first + s.piece_items, shape.items)):
        args.g = s.g + item * shape.filters * shape.pixels
        args.weight = s.weight + item % shape.groups * shape.filters * shape.taps
        memset(args.band, 0, s.bands.size * sizeof(float))
        s.table.direct_back_f32(&args)
        band = band_args(shape, &s.bands, s.out, item, 0, 0, 0, args.band)
        memset(band.image, 0, shape.image_size * sizeof(float))  # what no tap reads
        s.table.direct_unband_f32(&band)
    give_back(&s.scratch, slot)


cdef int direct_grad_x(
    const Geometry *shape, const float *g, const float *weight, float *out
) except -1:
    cdef Backward s
    cdef int64_t pieces
    keep = []
    s.table = _core.table
    s.shape = shape[0]
    s.g, s.weight, s.out = g, weight, out
    cut_bands(shape, shape.conv.out_height, shape.conv.out_width, &s.bands)
    keep.append(offsets_of(shape, &s.bands))
    s.piece_items = max(1, DIRECT_PRODUCTS // (shape.pixels * shape.filters * shape.taps))
    pieces = ceil_div(shape.items, s.piece_items)
    make_scratch(&s.scratch, s.bands.size, pieces, core.get_num_threads(), keep)
    with nogil:
        _core.parallel_for(pieces, run_backward, &s)
    return 0


# The same for 3×3 taps at stride 2, of one channel and filter: pixels gather what reached outputs.


cdef void band_to_gather(const Geometry *s, Bands *b) noexcept nogil:
    """The band of g: a row and a column of zeros before it, and as many behind as are read."""
    b.pitch = whole_vectors((s.conv.left + s.conv.width + 1) // 2 + 1)
    b.image_rows = (s.conv.top + s.conv.height + 1) // 2 + 1
    b.size = b.image_rows * b.pitch + 2 * lanes_of_core()


cdef bint direct_gather_pays(const Geometry *s) noexcept nogil:
    cdef Bands bands
    band_to_gather(s, &bands)
    return s.flat and stride_3x3(s) == 2 and bands.size <= QUARTER_OF_CACHE


cdef void run_gather(void *context, int64_t piece) noexcept nogil:
    cdef Backward *s = <Backward *> context
    cdef const Geometry *shape = &s.shape
    cdef int64_t first = piece * s.piece_items, item
    cdef tt_direct_gather_args args
    cdef tt_band_args band
    cdef int slot = take_slot(&s.scratch)
    args.height, args.width = shape.conv.height, shape.conv.width
    args.top, args.left, args.pitch = shape.conv.top, shape.conv.left, s.bands.pitch
    band.channels = band.depth = band.planes = band.plane_step = 1
    band.plane, band.height, band.width = 0, shape.conv.out_height, shape.conv.out_width
    band.row, band.rows = -1, s.bands.image_rows
    band.left, band.stride_x, band.pitch = 1, 1, s.bands.pitch
    band.band = memory_of(&s.scratch, slot)
    args.band = band.band
    for item in range(first, min(first + s.piece_items, shape.items)):
        band.image = <float *> s.g + item * shape.pixels
        s.table.direct_band_f32(&band)
        args.image = s.out + item * shape.image_size
        args.weight = s.weight + item % shape.groups * shape.taps
        s.table.direct_gather_f32(&args)
    give_back(&s.scratch, slot)


cdef int direct_gather(
    const Geometry *shape, const float *g, const float *weight, float *out
) except -1:
    cdef Backward s
    cdef int64_t pieces
    keep = []
    s.table = _core.table
    s.shape = shape[0]
    s.g, s.weight, s.out = g, weight, out
    band_to_gather(shape, &s.bands)
    s.piece_items = max(1, DIRECT_PRODUCTS // (shape.pixels * shape.taps))
    pieces = ceil_div(shape.items, s.piece_items)
    make_scratch(&s.scratch, s.bands.size, pieces, core.get_num_threads(), keep)
    with nogil:
        _core.parallel_for(pieces, run_gather, &s)
    return 0


# --- Gradient of the weight ------------------------------------------------------------------


cdef bint direct_grad_w_pays(const Geometry *s) noexcept nogil:
    # The sums of a tile are read and written once for a band: it should have vectors enough, which
    # a part of a row has not.
    cdef int64_t vectors = ceil_div(s.conv.out_width, lanes_of_core()) * s.conv.out_height
    return (
        direct_pays(s) and not s.pointwise and columns_of_band(s) == s.conv.out_width
        and (s.filters == 1 or vectors >= 32)
        and s.filters * s.taps * lanes_of_core() <= SUMS
    )


cdef struct Weights:
    const tt_kernels *table
    Geometry shape
    Bands bands
    const float *x
    const float *g
    float *out
    float *sums  # slices × groups × filters × taps × a vector
    int64_t slices, slice_images, slice_step
    int64_t group_step  # filters × taps
    Scratch scratch


cdef void run_weights(void *context, int64_t piece) noexcept nogil:
    cdef Weights *s = <Weights *> context
    cdef const Geometry *shape = &s.shape
    cdef int64_t group = piece % shape.groups, slice_ = piece // shape.groups
    cdef int64_t first = slice_ * s.slice_images, image, item, band
    cdef int64_t lanes = s.table.vector_bytes // 4
    cdef Place place
    cdef tt_direct_grad_args args
    cdef int slot = take_slot(&s.scratch)
    cdef float *memory = memory_of(&s.scratch, slot)
    args.band, args.offsets, args.taps = memory, s.bands.offsets, shape.taps
    args.filters = shape.filters
    args.row_step, args.g_plane = s.bands.row_step, shape.pixels
    args.stride_3x3 = stride_3x3(shape)
    args.sums = s.sums + slice_ * s.slice_step + group * s.group_step * lanes
    memset(args.sums, 0, s.group_step * lanes * sizeof(float))
    for image in range(first, min(first + s.slice_images, shape.images)):
        item = image * shape.groups + group
        for band in range(s.bands.of_image):
            place = fill_band(s.table, shape, &s.bands, s.x, item, band, memory)
            args.rows, args.width = place.rows, place.columns
            args.g = s.g + item * shape.filters * shape.pixels + place.pixel
            s.table.direct_grad_f32(&args)
    give_back(&s.scratch, slot)


cdef void run_sums(void *context, int64_t group) noexcept nogil:
    cdef const Weights *s = <const Weights *> context
    cdef tt_direct_sums_args args
    args.n, args.slices, args.slice_step = s.group_step, s.slices, s.slice_step
    args.sums = s.sums + group * s.group_step * (s.table.vector_bytes // 4)
    args.out = s.out + group * s.group_step
    s.table.direct_sums_f32(&args)


cdef int direct_grad_w(
    const Geometry *shape, const float *x, const float *g, float *out
) except -1:
    cdef Weights s
    cdef int64_t work
    keep = []
    s.table = _core.table
    s.shape = shape[0]
    s.x, s.g, s.out = x, g, out
    # Sums are read and written once for a band: it is as large as can be.
    cut_bands(
        shape, rows_of_band(shape, QUARTER_OF_CACHE, INT64_MAX), columns_of_band(shape), &s.bands,
    )
    keep.append(offsets_of(shape, &s.bands))
    s.group_step = shape.filters * shape.taps
    # Some 16 pieces in all, each of them worth waking a thread.
    work = shape.images * shape.pixels * s.group_step
    s.slices = min(shape.images, ceil_div(16, shape.groups), max(1, work // DIRECT_PRODUCTS))
    s.slice_images = ceil_div(shape.images, s.slices)
    s.slices = ceil_div(shape.images, s.slice_images)
    s.slice_step = shape.groups * s.group_step * (s.table.vector_bytes // 4)
    s.sums = allocate(s.slices * s.slice_step, keep)
    make_scratch(
        &s.scratch, s.bands.size, s.slices * shape.groups, core.get_num_threads(), keep
    )
    with nogil:
        _core.parallel_for(s.slices * shape.groups, run_weights, &s)
        _core.parallel_for(shape.groups, run_sums, &s)
    return 0
