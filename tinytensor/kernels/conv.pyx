# cython: cdivision=True
"""Convolution: the float32 cases of the twins in reference/conv.py.

Lines, images and volumes are one case: lines are images of one row, images volumes of one plane.
Where they pay, Winograd's method (winograd.pyx) or direct convolution (direct.pyx) is taken, and a
1×1 convolution is a plain product. Otherwise all three are products with the matrix of patches
(csrc/kernels/conv.h), which is never whole: a piece of the work makes the part that it needs in
scratch memory that fits a second-level cache.

    output     weight (filters × taps) · patches (taps × pixels), patches written as packed panels
    gradient   of x: weightᵀ · g gives patches, which are added to the image
               of the weight: patches · gᵀ, summed over pixels and images
"""
cimport numpy as cnp
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memset

from tinytensor.kernels cimport _core
from tinytensor.kernels.abi cimport (
    TT_GEMM_DEPTH, TT_IDENTITY, tt_conv_args, tt_gemm_block_args, tt_gemm_pack_args, tt_kernels,
)
from tinytensor.kernels.arrays cimport contiguous, is_readable_f32
from tinytensor.kernels.direct cimport (
    direct,
    direct_gather,
    direct_gather_pays,
    direct_grad_w,
    direct_grad_w_pays,
    direct_grad_x,
    direct_grad_x_pays,
    direct_pays,
)
from tinytensor.kernels.gemm cimport (
    cut_rows,
    depth_of_blocks,
    multiply,
    pack_filters,
    product,
)
from tinytensor.kernels.scratch cimport (
    Scratch,
    allocate,
    give_back,
    make_scratch,
    memory_of,
    take_slot,
)
from tinytensor.kernels.tuning cimport HALF_OF_CACHE, PRODUCTS, ceil_div, half_of_second
from tinytensor.kernels.winograd cimport (
    Planes, winograd, winograd_grad_w, winograd_pays,
)

import numpy as np

from tinytensor.kernels import _core as core
from tinytensor.kernels import reference

__all__ = ["convolve", "convolve_grad_w", "convolve_grad_x"]

cnp.import_array()

cdef enum:
    MOST_PIXELS = 256  # of a piece: more than that gain nothing
    # Of an image, and floats of a weight that the first cache does not keep: a product by so few
    # pixels would read such a weight too often.
    FEW_PIXELS = 128
    LARGE_WEIGHT = 1 << 13
    FEW_PIECES = 4
    FILTERS_OF_PIECE = 256  # fewer are not worth making their patches once more
    ROWS_OF_PIECE = 256


# --- What is convolved -----------------------------------------------------------------------


cdef bint read_geometry(
    Geometry *s, object x, object weight, object stride, object padding, object dilation,
    int64_t groups,
) except -1:
    """Fill in ``s`` from shapes, of lines, images or volumes; False where the shapes are not ours
    (or there is no work)."""
    cdef tt_conv_args *conv = &s.conv
    cdef int64_t size[3]
    cdef int64_t kernel[3]
    cdef int64_t step[3]
    cdef int64_t gap[3]
    cdef int64_t before[3]
    cdef int64_t in_channels, out_channels, after, room
    cdef int axis, i
    memset(s, 0, sizeof(Geometry))
    s.axes = len(x) - 2
    if not 1 <= s.axes <= 3 or len(weight) != len(x) or groups < 1:
        return False
    s.images, in_channels = x[0], x[1]
    out_channels, s.channels = weight[0], weight[1]
    if s.images < 1 or in_channels < 1 or out_channels < 1 or s.channels < 1:
        return False
    if s.channels * groups != in_channels or out_channels % groups:
        return False
    s.groups, s.items, s.filters = groups, s.images * groups, out_channels // groups
    for axis in range(3):
        i = axis - 3 + s.axes
        # A line is a volume of one row, an image one of one plane.
        size[axis] = kernel[axis] = step[axis] = gap[axis] = 1
        before[axis] = after = 0
        if i >= 0:
            size[axis], kernel[axis] = x[2 + i], weight[2 + i]
            step[axis], gap[axis] = stride[i], dilation[i]
            before[axis], after = padding[i]
        if min(size[axis], kernel[axis], step[axis], gap[axis]) < 1 or min(before[axis], after) < 0:
            return False
        room = size[axis] + before[axis] + after - gap[axis] * (kernel[axis] - 1) - 1
        if room < 0:
            return False
        s.out_axes[axis] = room // step[axis] + 1
    conv.depth, conv.height, conv.width = size[0], size[1], size[2]
    conv.kernel_z, conv.kernel_y, conv.kernel_x = kernel[0], kernel[1], kernel[2]
    conv.stride_z, conv.stride_y, conv.stride_x = step[0], step[1], step[2]
    conv.dilation_z, conv.dilation_y, conv.dilation_x = gap[0], gap[1], gap[2]
    conv.front, conv.top, conv.left = before[0], before[1], before[2]
    s.out_depth, conv.out_height, conv.out_width = s.out_axes[0], s.out_axes[1], s.out_axes[2]
    if s.axes == 3:
        merge_axes(s)
    s.area = conv.kernel_z * conv.kernel_y * conv.kernel_x
    s.pixels, s.taps = s.out_depth * conv.out_height * conv.out_width, s.channels * s.area
    s.image_size = s.channels * conv.depth * conv.height * conv.width
    s.flat = conv.depth == 1 and conv.kernel_z == 1 and s.out_depth == 1
    s.pointwise = (
        s.area == 1 and s.pixels * s.channels == s.image_size
        and conv.stride_z == 1 and conv.stride_y == 1 and conv.stride_x == 1
        and conv.front == 0 and conv.top == 0 and conv.left == 0
    )
    return True


cdef void merge_axes(Geometry *s) noexcept nogil:
    """Axes side by side that the kernel does not look along are one, whose rows are longer: of
    3×1×1 the volumes become images of one plane, with rows of height · width."""
    cdef tt_conv_args *conv = &s.conv
    cdef bint z = conv.kernel_z == 1 and s.out_depth == conv.depth and not conv.front
    cdef bint y = conv.kernel_y == 1 and conv.out_height == conv.height and not conv.top
    cdef bint x = conv.kernel_x == 1 and conv.out_width == conv.width and not conv.left
    if not y or not (z or x):
        return
    if x:
        conv.width = conv.out_width = conv.height * conv.width
        conv.height, conv.out_height = conv.depth, s.out_depth
        conv.kernel_y, conv.stride_y = conv.kernel_z, conv.stride_z
        conv.dilation_y, conv.top = conv.dilation_z, conv.front
    else:
        conv.height = conv.out_height = conv.depth * conv.height
    conv.depth = s.out_depth = conv.kernel_z = conv.stride_z = conv.dilation_z = 1
    conv.front = 0


cdef tuple out_shape(const Geometry *s):
    cdef int64_t filters = s.groups * s.filters
    if s.axes == 1:
        return s.images, filters, s.out_axes[2]
    if s.axes == 2:
        return s.images, filters, s.out_axes[1], s.out_axes[2]
    return s.images, filters, s.out_axes[0], s.out_axes[1], s.out_axes[2]


cdef bint planes_of(const Geometry *s, Planes *planes) noexcept nogil:
    """Can Winograd's method take it, and does it pay? Its shapes are put into ``planes``."""
    cdef const tt_conv_args *conv = &s.conv
    planes.images, planes.channels, planes.filters = s.images, s.channels, s.filters
    planes.depth, planes.height, planes.width = conv.depth, conv.height, conv.width
    planes.out_depth = s.out_depth
    planes.out_height, planes.out_width = conv.out_height, conv.out_width
    planes.front, planes.top, planes.left = conv.front, conv.top, conv.left
    planes.kernel_z, planes.stride_z = conv.kernel_z, conv.stride_z
    planes.dilation_z = conv.dilation_z
    return (
        s.groups == 1 and conv.kernel_y == 3 and conv.kernel_x == 3
        and conv.stride_y == 1 and conv.stride_x == 1
        and conv.dilation_y == 1 and conv.dilation_x == 1
        and conv.top <= 2 and planes.out_height <= conv.height + conv.top
        and conv.left <= 2 and planes.out_width <= conv.width + conv.left
        and winograd_pays(planes)
    )


cdef bint reverse(const Geometry *s, Geometry *reversed) noexcept nogil:
    """The gradient of x as a convolution of g by the reversed weight; is it one, of stride 1?"""
    cdef const tt_conv_args *conv = &s.conv
    cdef tt_conv_args *back = &reversed.conv
    reversed[0] = s[0]
    reversed.channels, reversed.filters = s.filters, s.channels
    reversed.taps, reversed.out_depth = s.filters * s.area, conv.depth
    reversed.pixels = conv.depth * conv.height * conv.width
    reversed.image_size = s.filters * s.pixels
    back.depth, back.height, back.width = s.out_depth, conv.out_height, conv.out_width
    back.out_height, back.out_width = conv.height, conv.width
    back.front = (conv.kernel_z - 1) * conv.dilation_z - conv.front
    back.top = (conv.kernel_y - 1) * conv.dilation_y - conv.top
    back.left = (conv.kernel_x - 1) * conv.dilation_x - conv.left
    return conv.stride_z == 1 and conv.stride_y == 1 and conv.stride_x == 1


cdef cnp.ndarray reversed_weight(cnp.ndarray weight, int64_t groups):
    """Filters and channels of each group change places, and the last tap comes first."""
    filters, channels, *kernel = weight.shape[0] // groups, weight.shape[1], *np.shape(weight)[2:]
    parts = np.reshape(weight, (groups, filters, channels, *kernel))
    return contiguous(np.flip(parts.swapaxes(1, 2), [*range(3, parts.ndim)]))


cdef bint is_finite(cnp.ndarray x):
    """Are all of its elements? Around an image are zeros, and inf times these would be NaN."""
    cdef const uint32_t *bits = <const uint32_t *> cnp.PyArray_DATA(x)
    cdef uint32_t largest = 0
    cdef int64_t i
    for i in range(cnp.PyArray_SIZE(x)):
        largest = max(largest, bits[i] & 0x7FFFFFFF)
    return largest < 0x7F800000


cdef inline int64_t panel_of_b(const tt_kernels *table) noexcept nogil:
    return 2 * (table.vector_bytes // 4)


cdef inline float *data(cnp.ndarray x):
    return <float *> cnp.PyArray_DATA(x)


# --- Output ----------------------------------------------------------------------------------


cdef struct Forward:
    const tt_kernels *table
    Geometry shape
    const float *x
    const float *weight
    const float *bias
    float *out
    float *packed_weight
    int64_t panel, block_depth, blocks
    int64_t piece_pixels, pixel_pieces, piece_items
    int64_t piece_filters, filter_pieces
    Scratch scratch


cdef void run_forward(void *context, int64_t piece) noexcept nogil:
    cdef Forward *s = <Forward *> context
    cdef const Geometry *shape = &s.shape
    cdef tt_conv_args conv = shape.conv
    cdef tt_gemm_block_args args
    cdef int64_t item, group, block
    cdef int64_t filter_ = piece % s.filter_pieces * s.piece_filters
    cdef int64_t filters = min(s.piece_filters, shape.filters - filter_), first
    cdef int slot = take_slot(&s.scratch)
    piece = piece // s.filter_pieces
    first = piece // s.pixel_pieces * s.piece_items
    conv.patches = memory_of(&s.scratch, slot)
    conv.pixel = piece % s.pixel_pieces * s.piece_pixels
    conv.pixels = min(s.piece_pixels, shape.pixels - conv.pixel)

    memset(&args, 0, sizeof(args))
    args.rows, args.columns, args.c_row = filters, conv.pixels, shape.pixels
    args.a_packed, args.panel = True, s.panel
    args.b, args.b_packed = conv.patches, True
    args.activation = TT_IDENTITY
    for item in range(first, min(first + s.piece_items, shape.items)):
        group = item % shape.groups
        conv.image = <float *> s.x + item * shape.image_size
        args.c = s.out + (item * shape.filters + filter_) * shape.pixels + conv.pixel
        args.row_bias = s.bias + group * shape.filters + filter_ if s.bias != NULL else NULL
        for block in range(s.blocks):
            conv.tap = block * s.block_depth
            conv.taps = min(s.block_depth, shape.taps - conv.tap)
            s.table.conv_panels_f32(&conv)
            args.depth = conv.taps
            args.a = (
                s.packed_weight + group * shape.filters * shape.taps
                + conv.tap * shape.filters + filter_ * conv.taps
            )
            args.accumulate = block > 0
            args.finish = s.bias != NULL and block == s.blocks - 1
            s.table.gemm_block_f32(&args)
    give_back(&s.scratch, slot)


cdef void forward_pieces(Forward *s) noexcept nogil:
    """Cut the pixels of an image, or put several items into a piece; where pieces are few, also
    cut the filters."""
    cdef int64_t unit = panel_of_b(s.table), rows, pixels
    cdef int64_t work = s.shape.filters * s.shape.taps  # of a pixel
    cut_rows(s.shape.filters, s.table.gemm_rows, &s.panel, &rows)
    # Patches of a block of the depth fill half of the second cache.
    pixels = half_of_second() // min(s.shape.taps, TT_GEMM_DEPTH)
    pixels = min(max(unit, min(pixels, MOST_PIXELS)), max(unit, PRODUCTS // work))
    pixels = ceil_div(s.shape.pixels, ceil_div(s.shape.pixels, pixels))
    s.piece_pixels = ceil_div(pixels, unit) * unit
    s.pixel_pieces = ceil_div(s.shape.pixels, s.piece_pixels)
    s.piece_items = max(1, PRODUCTS // (work * s.shape.pixels))
    pixels = s.pixel_pieces * ceil_div(s.shape.items, s.piece_items)  # pieces of all filters
    s.filter_pieces = max(1, min(
        FEW_PIECES // pixels, s.shape.filters // FILTERS_OF_PIECE,
        work * s.piece_pixels // PRODUCTS,
    ))
    s.piece_filters = ceil_div(ceil_div(s.shape.filters, s.filter_pieces), s.panel) * s.panel
    s.filter_pieces = ceil_div(s.shape.filters, s.piece_filters)
    s.block_depth = depth_of_blocks(s.shape.taps)
    s.blocks = ceil_div(s.shape.taps, s.block_depth)


def convolve(x, weight, bias, stride, padding, dilation, groups):
    if x.ndim == weight.ndim - 1:
        return convolve(x[np.newaxis], weight, bias, stride, padding, dilation, groups)[0]
    return output(x, weight, bias, stride, padding, dilation, groups, True)


# Small images are convolved as the planes of one volume, whose products are large enough.


cdef bint are_small(const Geometry *s) noexcept nogil:
    return (
        s.groups == 1 and s.images > 1 and s.axes < 3
        and s.pixels < FEW_PIXELS and s.filters * s.taps > LARGE_WEIGHT
    )


cdef cnp.ndarray as_one(cnp.ndarray x):
    """(N, C, H, W) as (1, C, N, H, W), and (N, C, L) as (1, C, N, 1, L)."""
    x = contiguous(x.swapaxes(0, 1))[np.newaxis]
    return x if x.ndim == 5 else x[:, :, :, np.newaxis]


cdef cnp.ndarray as_images(cnp.ndarray x, int axes):
    x = x[0].swapaxes(0, 1)
    return contiguous(x if axes == 2 else x[:, :, 0])


cdef cnp.ndarray planes_of_weight(cnp.ndarray weight):
    return weight.reshape(*np.shape(weight)[:2], *(1,) * (5 - weight.ndim), *np.shape(weight)[2:])


cdef tuple planes_too(stride, padding, dilation):
    ones = (1,) * (3 - len(stride))
    return (*ones, *stride), (*[(0, 0)] * len(ones), *padding), (*ones, *dilation)


cdef bint most(list runs, int64_t images):
    return 2 * sum([run.stop - run.start for run in runs]) > images


cdef cnp.ndarray output(x, weight, bias, stride, padding, dilation, groups, bint by_tiles):
    cdef Forward s
    cdef Planes planes
    cdef cnp.ndarray xs, ws, bs, out
    cdef int64_t pieces
    if not (
        is_readable_f32(x) and is_readable_f32(weight) and (bias is None or is_readable_f32(bias))
        and read_geometry(&s.shape, x.shape, weight.shape, stride, padding, dilation, groups)
        and (bias is None or bias.shape == (weight.shape[0],))
    ):
        return reference.convolve(x, weight, bias, stride, padding, dilation, groups)
    xs, ws = contiguous(x), contiguous(weight)
    out = _core.empty(out_shape(&s.shape), np.float32)
    s.x, s.weight, s.out = data(xs), data(ws), data(out)
    s.bias = NULL
    if bias is not None:
        bs = contiguous(bias)
        s.bias = data(bs)
    if s.shape.pointwise and groups == 1 and not are_small(&s.shape):
        pointwise(&s.shape, s.weight, s.shape.taps, 1, s.x, s.out, False, s.bias)
        return out
    if by_tiles and planes_of(&s.shape, &planes):
        odd = winograd(
            &planes, s.x, s.weight, s.shape.taps, s.shape.area, 9, False, s.bias, s.out
        )
        if most(odd, s.shape.images):
            return output(xs, ws, bias, stride, padding, dilation, groups, False)
        for run in odd:
            out[run] = output(xs[run], ws, bias, stride, padding, dilation, groups, False)
        return out
    if not (s.shape.pointwise and groups == 1) and direct_pays(&s.shape):
        direct(&s.shape, s.x, s.weight, s.bias, s.out)
        return out
    if are_small(&s.shape):
        stride, padding, dilation = planes_too(stride, padding, dilation)
        out = output(as_one(xs), planes_of_weight(ws), bias, stride, padding, dilation, 1, False)
        return as_images(out, s.shape.axes)

    keep = []
    s.table = _core.table
    forward_pieces(&s)
    pieces = s.filter_pieces * s.pixel_pieces * ceil_div(s.shape.items, s.piece_items)
    s.packed_weight = allocate(ws.size, keep)
    make_scratch(&s.scratch, s.block_depth * s.piece_pixels, pieces, core.get_num_threads(), keep)
    with nogil:
        pack_filters(
            s.weight, s.packed_weight, s.shape.groups, s.shape.filters, s.shape.taps, s.panel
        )
        _core.parallel_for(pieces, run_forward, &s)
    return out


cdef int pointwise(
    const Geometry *shape, const float *weight, int64_t row_step, int64_t depth_step,
    const float *x, float *out, bint transposed, const float *bias,
) except -1:
    """One matrix of weights times each image: 1×1 convolution, and its gradient in x."""
    cdef product p
    cdef int64_t depth = shape.filters if transposed else shape.channels
    memset(&p, 0, sizeof(product))
    cdef cnp.ndarray a_offsets = np.zeros(shape.images, np.int64)
    cdef cnp.ndarray b_offsets = np.arange(shape.images, dtype=np.int64) * (depth * shape.pixels)
    p.batches, p.depth, p.columns = shape.images, depth, shape.pixels
    p.rows = shape.channels if transposed else shape.filters
    p.a, p.a_row, p.a_depth = weight, row_step, depth_step
    p.b, p.b_depth, p.b_column = x, shape.pixels, 1
    p.a_offsets = <const int64_t *> cnp.PyArray_DATA(a_offsets)
    p.b_offsets = <const int64_t *> cnp.PyArray_DATA(b_offsets)
    p.c, p.c_row, p.c_batch = out, shape.pixels, p.rows * shape.pixels
    p.row_bias = bias
    return multiply(&p)


# --- Gradient of x ---------------------------------------------------------------------------


cdef struct Backward:
    const tt_kernels *table
    Geometry shape
    const float *g
    const float *weight
    float *out
    float *packed_weight
    int64_t panel, block_depth, blocks
    int64_t piece_channels, channel_pieces
    int64_t piece_pixels
    Scratch scratch


cdef void pack_weight_by_taps(void *context, int64_t piece) noexcept nogil:
    """The transposed weights of one group, a range of channels, one block of the filters."""
    cdef const Backward *s = <const Backward *> context
    cdef tt_gemm_pack_args args
    cdef int64_t k = piece % s.blocks * s.block_depth
    cdef int64_t range_ = piece // s.blocks % s.channel_pieces
    cdef int64_t matrix = piece // s.blocks // s.channel_pieces * s.shape.filters * s.shape.taps
    cdef int64_t area = s.shape.area
    cdef int64_t tap = range_ * s.piece_channels * area
    args.width = min(s.piece_channels * area, s.shape.taps - tap)
    args.depth = min(s.block_depth, s.shape.filters - k)
    args.width_step, args.depth_step = 1, s.shape.taps
    args.panel = s.panel
    args.x = s.weight + matrix + k * s.shape.taps + tap
    args.out = s.packed_weight + matrix + tap * s.shape.filters + k * args.width
    s.table.gemm_pack_a_f32(&args)


cdef void run_backward(void *context, int64_t piece) noexcept nogil:
    cdef Backward *s = <Backward *> context
    cdef const Geometry *shape = &s.shape
    cdef tt_conv_args conv = shape.conv
    cdef tt_gemm_block_args args
    cdef int64_t item = piece // s.channel_pieces
    cdef int64_t channel = piece % s.channel_pieces * s.piece_channels
    cdef int64_t channels = min(s.piece_channels, shape.channels - channel)
    cdef int64_t area = shape.area, size = conv.depth * conv.height * conv.width  # of a channel
    cdef const float *weight = s.packed_weight + (
        (item % shape.groups * shape.taps + channel * area) * shape.filters
    )
    cdef const float *g = s.g + item * shape.filters * shape.pixels
    cdef int64_t block, k
    cdef int slot = take_slot(&s.scratch)
    conv.image = s.out + item * shape.image_size + channel * size
    conv.patches = memory_of(&s.scratch, slot)
    conv.patch_row = s.piece_pixels
    conv.tap, conv.taps = 0, channels * area
    memset(conv.image, 0, channels * size * sizeof(float))

    memset(&args, 0, sizeof(args))
    args.rows, args.c, args.c_row = conv.taps, conv.patches, conv.patch_row
    args.a_packed, args.panel = True, s.panel
    args.b_depth, args.b_column = shape.pixels, 1
    conv.pixel = 0
    while conv.pixel < shape.pixels:
        conv.pixels = min(s.piece_pixels, shape.pixels - conv.pixel)
        args.columns = conv.pixels
        for block in range(s.blocks):
            k = block * s.block_depth
            args.depth = min(s.block_depth, shape.filters - k)
            args.a = weight + k * conv.taps
            args.b = g + k * shape.pixels + conv.pixel
            args.accumulate = block > 0
            s.table.gemm_block_f32(&args)
        s.table.conv_add_patches_f32(&conv)
        conv.pixel += s.piece_pixels
    give_back(&s.scratch, slot)


cdef void backward_pieces(Backward *s) noexcept nogil:
    """Cut an image by its channels, so that a piece's patches fit the scratch memory."""
    cdef int64_t area = s.shape.area, pixels = s.shape.pixels, width = s.shape.conv.out_width
    cdef int64_t channels, most, unit, unused
    # At least some channels, so that a block has rows enough; then as many pixels as fit, in whole
    # rows where rows are not too long.
    channels = min(s.shape.channels, max(1, ceil_div(128, area)))
    most = max(64, HALF_OF_CACHE // (channels * area))
    unit = width if width <= most else 1
    s.piece_pixels = ceil_div(ceil_div(pixels, ceil_div(pixels, most)), unit) * unit
    most = max(channels, min(
        HALF_OF_CACHE // (area * s.piece_pixels),
        PRODUCTS // (area * s.shape.pixels * s.shape.filters),
    ))
    s.channel_pieces = ceil_div(s.shape.channels, most)
    s.piece_channels = ceil_div(s.shape.channels, s.channel_pieces)
    s.channel_pieces = ceil_div(s.shape.channels, s.piece_channels)
    s.block_depth = depth_of_blocks(s.shape.filters)
    s.blocks = ceil_div(s.shape.filters, s.block_depth)
    cut_rows(s.piece_channels * area, s.table.gemm_rows, &s.panel, &unused)


def convolve_grad_x(g, weight, size, stride, padding, dilation, groups):
    if g.ndim == weight.ndim - 1:
        return convolve_grad_x(g[np.newaxis], weight, size, stride, padding, dilation, groups)[0]
    return grad_x(g, weight, size, stride, padding, dilation, groups, True)


cdef void turn(Planes *planes) noexcept nogil:
    """To x's gradient as an output: of g, by the reversed taps, channels and filters exchanged."""
    planes.channels, planes.filters = planes.filters, planes.channels
    planes.depth, planes.out_depth = planes.out_depth, planes.depth
    planes.height, planes.out_height = planes.out_height, planes.height
    planes.width, planes.out_width = planes.out_width, planes.width
    planes.front = (planes.kernel_z - 1) * planes.dilation_z - planes.front
    planes.top, planes.left = 2 - planes.top, 2 - planes.left


cdef cnp.ndarray grad_x(g, weight, size, stride, padding, dilation, groups, bint by_tiles):
    cdef Backward s
    cdef Planes planes
    cdef Geometry reversed
    cdef cnp.ndarray gs, ws, out
    cdef int64_t pieces, area
    if not (is_readable_f32(g) and is_readable_f32(weight) and weight.ndim in (3, 4, 5)):
        return reference.convolve_grad_x(g, weight, size, stride, padding, dilation, groups)
    shape = (len(g), weight.shape[1] * groups, *size)
    if not (
        read_geometry(&s.shape, shape, weight.shape, stride, padding, dilation, groups)
        and out_shape(&s.shape) == g.shape
    ):
        return reference.convolve_grad_x(g, weight, size, stride, padding, dilation, groups)
    gs, ws = contiguous(g), contiguous(weight)
    out = _core.empty(shape, np.float32)
    s.g, s.weight, s.out = data(gs), data(ws), data(out)
    if s.shape.pointwise and groups == 1 and not are_small(&s.shape):
        pointwise(&s.shape, s.weight, 1, s.shape.taps, s.g, s.out, True, NULL)
        return out
    area = s.shape.area
    if by_tiles and s.shape.conv.stride_z == 1 and planes_of(&s.shape, &planes):
        turn(&planes)
        odd = winograd(
            &planes, s.g, s.weight + area - 9, area, s.shape.taps, -9, True, NULL, s.out
        )
        if most(odd, s.shape.images):
            return grad_x(gs, ws, size, stride, padding, dilation, groups, False)
        for run in odd:
            out[run] = grad_x(gs[run], ws, size, stride, padding, dilation, groups, False)
        return out
    if (
        not (s.shape.pointwise and groups == 1)
        and reverse(&s.shape, &reversed) and direct_pays(&reversed) and is_finite(ws)
    ):
        ws = reversed_weight(ws, groups)
        direct(&reversed, s.g, data(ws), NULL, s.out)
        return out
    if direct_gather_pays(&s.shape) and is_finite(ws):
        direct_gather(&s.shape, s.g, s.weight, s.out)
        return out
    if direct_grad_x_pays(&s.shape):
        direct_grad_x(&s.shape, s.g, s.weight, s.out)
        return out
    if are_small(&s.shape):
        stride, padding, dilation = planes_too(stride, padding, dilation)
        size = (len(g), *(1,) * (2 - len(size)), *size)
        out = grad_x(
            as_one(gs), planes_of_weight(ws), size, stride, padding, dilation, 1, False
        )
        return as_images(out, s.shape.axes)

    keep = []
    s.table = _core.table
    backward_pieces(&s)
    pieces = s.shape.items * s.channel_pieces
    s.packed_weight = allocate(ws.size, keep)
    make_scratch(
        &s.scratch, s.piece_channels * area * s.piece_pixels, pieces, core.get_num_threads(), keep
    )
    with nogil:
        _core.parallel_for(s.shape.groups * s.channel_pieces * s.blocks, pack_weight_by_taps, &s)
        _core.parallel_for(pieces, run_backward, &s)
    return out


# --- Gradient of the weight ------------------------------------------------------------------


# A piece sums over a slice of the images, for one group and a range of rows, into a matrix of its
# slice (taps × filters); the slices are added up at the end, in their order. Of a 1×1 convolution
# both operands lie ready, and the smaller is the one that is packed: where that is the image, the
# matrix is the other way round (filters × taps).
cdef struct Weights:
    const tt_kernels *table
    Geometry shape
    const float *g
    const float *x
    float *sums
    int64_t rows, columns  # of a group's matrix
    bint by_filters  # rows are filters
    int64_t panel
    int64_t slices, slice_images
    int64_t piece_rows, row_pieces
    int64_t block_pixels
    int64_t patch_row
    Scratch scratch


cdef void run_weights(void *context, int64_t piece) noexcept nogil:
    cdef Weights *s = <Weights *> context
    cdef const Geometry *shape = &s.shape
    cdef tt_conv_args conv = shape.conv
    cdef tt_gemm_pack_args pack
    cdef tt_gemm_block_args args
    cdef int64_t slice_ = piece % s.slices
    cdef int64_t group = piece // s.slices % shape.groups
    cdef int64_t row = piece // s.slices // shape.groups * s.piece_rows
    cdef int64_t first = slice_ * s.slice_images, image, item
    cdef int slot = take_slot(&s.scratch)
    cdef float *packed = memory_of(&s.scratch, slot)
    cdef const float *g
    cdef const float *x
    conv.patches = packed + s.block_pixels * ceil_div(s.columns, 16) * 16
    conv.patch_row = s.patch_row

    memset(&args, 0, sizeof(args))
    args.rows, args.columns, args.c_row = min(s.piece_rows, s.rows - row), s.columns, s.columns
    args.c = s.sums + ((slice_ * shape.groups + group) * s.rows + row) * s.columns
    args.panel = s.panel
    args.a_row, args.a_depth = shape.pixels if shape.pointwise else conv.patch_row, 1
    args.b, args.b_packed = packed, True
    pack.out, pack.width = packed, s.columns
    pack.width_step, pack.depth_step = shape.pixels, 1
    pack.panel = panel_of_b(s.table)
    conv.tap, conv.taps = row, args.rows
    for image in range(first, min(first + s.slice_images, shape.images)):
        item = image * shape.groups + group
        x, g = s.x + item * shape.image_size, s.g + item * shape.filters * shape.pixels
        conv.image = <float *> x
        conv.pixel = 0
        while conv.pixel < shape.pixels:
            conv.pixels = min(s.block_pixels, shape.pixels - conv.pixel)
            pack.depth = args.depth = conv.pixels
            pack.x = (x if s.by_filters else g) + conv.pixel
            s.table.gemm_pack_b_f32(&pack)
            if shape.pointwise:
                args.a = (g if s.by_filters else x) + row * shape.pixels + conv.pixel
            else:
                s.table.conv_patches_f32(&conv)
                args.a = conv.patches
            args.accumulate = image > first or conv.pixel > 0
            s.table.gemm_block_f32(&args)
            conv.pixel += s.block_pixels
    give_back(&s.scratch, slot)


cdef void weights_pieces(Weights *s) noexcept nogil:
    cdef int64_t pieces, most, unused, work
    s.by_filters = s.shape.pointwise and s.shape.filters > s.shape.taps
    s.rows = s.shape.filters if s.by_filters else s.shape.taps
    s.columns = s.shape.taps if s.by_filters else s.shape.filters
    s.block_pixels = depth_of_blocks(s.shape.pixels)
    s.patch_row = s.block_pixels + 16  # not a power of two: rows would meet in one set of a cache
    s.row_pieces = ceil_div(s.rows, ROWS_OF_PIECE)
    s.piece_rows = ceil_div(s.rows, s.row_pieces)
    s.row_pieces = ceil_div(s.rows, s.piece_rows)
    cut_rows(s.piece_rows, s.table.gemm_rows, &s.panel, &unused)
    # Some 16 pieces in all, each of them worth waking a thread.
    pieces = s.row_pieces * s.shape.groups
    work = s.shape.images * s.shape.pixels * s.piece_rows * s.columns
    most = min(s.shape.images, ceil_div(16, pieces), max(1, work // PRODUCTS))
    s.slice_images = ceil_div(s.shape.images, most)
    s.slices = ceil_div(s.shape.images, s.slice_images)


def convolve_grad_w(g, x, kernel, stride, padding, dilation, groups):
    if g.ndim == len(kernel) + 1:
        g, x = g[np.newaxis], x[np.newaxis]
    cdef Weights s
    cdef Planes planes
    cdef cnp.ndarray gs, xs, sums, out
    cdef int64_t pieces, size
    if not (
        is_readable_f32(g) and is_readable_f32(x) and g.ndim == x.ndim in (3, 4, 5) and groups > 0
    ):
        return reference.convolve_grad_w(g, x, kernel, stride, padding, dilation, groups)
    shape = (g.shape[1], x.shape[1] // groups, *kernel)
    if not (
        read_geometry(&s.shape, x.shape, shape, stride, padding, dilation, groups)
        and out_shape(&s.shape) == g.shape
    ):
        return reference.convolve_grad_w(g, x, kernel, stride, padding, dilation, groups)
    gs, xs = contiguous(g), contiguous(x)
    s.g, s.x = data(gs), data(xs)
    if planes_of(&s.shape, &planes):
        out = _core.empty(shape, np.float32)
        if winograd_grad_w(&planes, s.x, s.g, data(out)):
            return out
    if direct_grad_w_pays(&s.shape):
        out = _core.empty(shape, np.float32)
        direct_grad_w(&s.shape, s.x, s.g, data(out))
        return out
    if are_small(&s.shape):
        how = planes_too(stride, padding, dilation)
        kernel = (*(1,) * (3 - len(kernel)), *kernel)
        return convolve_grad_w(as_one(gs), as_one(xs), kernel, *how, 1).reshape(shape)

    keep = []
    s.table = _core.table
    weights_pieces(&s)
    sums = _core.empty((s.slices, groups, s.rows, s.columns), np.float32)
    s.sums = data(sums)
    pieces = s.slices * s.row_pieces * groups
    size = s.block_pixels * ceil_div(s.columns, 16) * 16
    if not s.shape.pointwise:
        size += s.piece_rows * s.patch_row
    make_scratch(&s.scratch, size, pieces, core.get_num_threads(), keep)
    with nogil:
        _core.parallel_for(pieces, run_weights, &s)
    total = sums[0]
    if s.slices > 1:
        total = _core.empty((groups, s.rows, s.columns), np.float32)
        np.add.reduce(sums, axis=0, out=total)
    if not s.by_filters:
        total = contiguous(total.transpose(0, 2, 1))
    return total.reshape(shape)
