# cython: cdivision=True
"""Pooling: the float32 cases of the twins in reference/pooling.py."""
cimport numpy as cnp
from libc.stdint cimport int64_t
from libc.string cimport memset

from tinytensor.kernels cimport _core
from tinytensor.kernels.abi cimport tt_planes_args, tt_pool_args
from tinytensor.kernels.arrays cimport data_f32, is_readable_f32
from tinytensor.kernels.tuning cimport ROWS_OF_ELEMENTS, ceil_div

from functools import lru_cache

import numpy as np

from tinytensor.kernels import reference
from tinytensor.kernels.reference import windows as twins

__all__ = [
    "adaptive_avg_pool2d",
    "adaptive_avg_pool2d_grad",
    "avg_pool2d",
    "avg_pool2d_grad",
    "max_pool2d",
    "scatter_planes",
]

cnp.import_array()


# --- Windows ---------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def max_windows(size, kernel, stride, padding, dilation, ceil_mode):
    """Along one axis: the first tap of each window that lies inside, and the end; None if a
    window has no such tap."""
    n = twins.pool_size(size, kernel, stride, padding, dilation, ceil_mode)
    begin = np.arange(n, dtype=np.int64) * stride - padding
    end = np.minimum(begin + dilation * (kernel - 1) + 1, size)
    begin += np.maximum(-(begin // dilation), 0) * dilation
    return (begin, end) if n > 0 and (begin < end).all() else None


@lru_cache(maxsize=1024)
def avg_windows(size, kernel, stride, padding, ceil_mode, count_include_pad, divisor):
    """Rows and columns of the windows of avg_pool2d, (begin, end) of each, and their weights."""
    geometry = (kernel, stride, padding, ceil_mode)
    axes = zip(size, kernel, stride, padding)
    rows, columns = [as_int64(twins.avg_windows(*axis, ceil_mode)[:2]) for axis in axes]
    weights = twins.avg_weights(size, *geometry, count_include_pad, divisor)
    return rows, columns, weights.astype(np.float32)


@lru_cache(maxsize=1024)
def adaptive_windows(size, out):
    """The same of adaptive_avg_pool2d."""
    if 0 in size or 0 in out:
        return NOWHERE, NOWHERE, None
    rows, columns = [as_int64(twins.adaptive_windows(*axis)) for axis in zip(size, out)]
    weights = 1 / np.outer(rows[1] - rows[0], columns[1] - columns[0])
    return rows, columns, weights.astype(np.float32)


NOWHERE = (np.zeros(0, np.int64), np.zeros(0, np.int64))


cdef tuple as_int64(tuple bounds):
    return tuple([np.ascontiguousarray(b, dtype=np.int64) for b in bounds])


# --- Calls -----------------------------------------------------------------------------------


cdef struct Pooling:
    void (*kernel)(const tt_pool_args *) noexcept nogil
    tt_pool_args args
    int64_t in_plane, out_plane  # elements of a plane of args.x, of args.out
    int64_t piece_planes


cdef void run_planes(void *context, int64_t piece) noexcept nogil:
    cdef const Pooling *s = <const Pooling *> context
    cdef tt_pool_args args = s.args
    cdef int64_t first = piece * s.piece_planes
    args.planes = min(s.piece_planes, args.planes - first)
    args.x += first * s.in_plane
    args.out += first * s.out_plane
    if args.indices != NULL:
        args.indices += first * s.out_plane
    s.kernel(&args)


cdef void run(Pooling *s, int64_t work_of_plane):
    """Over all planes, several to a piece."""
    s.piece_planes = max(1, ROWS_OF_ELEMENTS // max(work_of_plane, 1))
    with nogil:
        _core.parallel_for(ceil_div(s.args.planes, s.piece_planes), run_planes, s)


cdef int64_t leading(object shape):
    """How many planes an array of ``shape`` has."""
    cdef int64_t n = 1
    for size in shape[:-2]:
        n *= size
    return n


cdef void set_bounds(tt_pool_args *args, tuple ys, tuple xs):
    args.top, args.bottom = int64s(ys[0]), int64s(ys[1])
    args.left, args.right = int64s(xs[0]), int64s(xs[1])


cdef int64_t *int64s(cnp.ndarray x):
    return <int64_t *> cnp.PyArray_DATA(x)


def max_pool2d(x, kernel, stride, padding, dilation, ceil_mode):
    if not is_readable_f32(x) or x.ndim < 2:
        return reference.max_pool2d(x, kernel, stride, padding, dilation, ceil_mode)
    cdef Pooling s
    cdef cnp.ndarray xs, out, indices
    height, width = x.shape[-2:]
    rows = max_windows(height, kernel[0], stride[0], padding[0], dilation[0], ceil_mode)
    columns = max_windows(width, kernel[1], stride[1], padding[1], dilation[1], ceil_mode)
    if rows is None or columns is None:
        return reference.max_pool2d(x, kernel, stride, padding, dilation, ceil_mode)
    xs = np.ascontiguousarray(x)
    shape = (*x.shape[:-2], len(rows[0]), len(columns[0]))
    out, indices = _core.empty(shape, np.float32), _core.empty(shape, np.int64)
    memset(&s, 0, sizeof(Pooling))
    s.kernel = _core.table.max_pool_f32
    s.args.x, s.args.out, s.args.indices = data_f32(xs), data_f32(out), int64s(indices)
    s.args.planes, s.args.height, s.args.width = leading(x.shape), height, width
    s.args.out_height, s.args.out_width = shape[-2:]
    set_bounds(&s.args, rows, columns)
    s.args.step_y, s.args.step_x = dilation
    s.args.stride_x, s.args.span_x = stride[1], dilation[1] * (kernel[1] - 1) + 1
    s.in_plane, s.out_plane = height * width, s.args.out_height * s.args.out_width
    run(&s, s.in_plane + s.out_plane * kernel[0] * kernel[1])
    return out, indices


cdef object average(
    cnp.ndarray x, tuple rows, tuple columns, cnp.ndarray weights, int64_t stride, int64_t span
):
    """The weighted sums of the windows of x; stride and span of whole windows along a row."""
    cdef Pooling s
    cdef cnp.ndarray xs = np.ascontiguousarray(x), out
    height, width = (<object> x).shape[-2:]
    shape = (*(<object> x).shape[:-2], len(rows[0]), len(columns[0]))
    out = _core.empty(shape, np.float32)
    memset(&s, 0, sizeof(Pooling))
    s.kernel = _core.table.avg_pool_f32
    s.args.x, s.args.out, s.args.weights = data_f32(xs), data_f32(out), data_f32(weights)
    s.args.planes, s.args.height, s.args.width = leading(shape), height, width
    s.args.out_height, s.args.out_width = shape[-2:]
    set_bounds(&s.args, rows, columns)
    s.args.stride_x, s.args.span_x = stride, span
    s.in_plane, s.out_plane = height * width, s.args.out_height * s.args.out_width
    run(&s, s.in_plane + s.out_plane)
    return out


cdef object average_grad(
    cnp.ndarray g, size, tuple rows, tuple columns, cnp.ndarray weights
):
    """The gradient of ``average`` in its x, whose planes have ``size``."""
    cdef Pooling s
    cdef cnp.ndarray gs = np.ascontiguousarray(g), out
    out = _core.empty((*(<object> g).shape[:-2], *size), np.float32)
    memset(cnp.PyArray_DATA(out), 0, cnp.PyArray_NBYTES(out))
    memset(&s, 0, sizeof(Pooling))
    s.kernel = _core.table.avg_pool_grad_f32
    s.args.x, s.args.out, s.args.weights = data_f32(gs), data_f32(out), data_f32(weights)
    s.args.planes = leading((<object> g).shape)
    s.args.height, s.args.width = size
    s.args.out_height, s.args.out_width = (<object> g).shape[-2:]
    set_bounds(&s.args, rows, columns)
    s.out_plane, s.in_plane = s.args.height * s.args.width, s.args.out_height * s.args.out_width
    run(&s, s.in_plane + s.out_plane)
    return out


cdef bint holds_windows(x, tuple rows, tuple columns):
    return is_readable_f32(x) and x.ndim >= 2 and len(rows[0]) > 0 and len(columns[0]) > 0


def avg_pool2d(x, kernel, stride, padding, ceil_mode, count_include_pad, divisor):
    geometry = (kernel, stride, padding, ceil_mode, count_include_pad, divisor)
    rows, columns, weights = avg_windows(x.shape[-2:], *geometry)
    if not holds_windows(x, rows, columns):
        return reference.avg_pool2d(x, *geometry)
    return average(x, rows, columns, weights, stride[1], kernel[1])


def avg_pool2d_grad(g, size, kernel, stride, padding, ceil_mode, count_include_pad, divisor):
    geometry = (kernel, stride, padding, ceil_mode, count_include_pad, divisor)
    rows, columns, weights = avg_windows(size, *geometry)
    if not holds_windows(g, rows, columns) or g.shape[-2:] != weights.shape:
        return reference.avg_pool2d_grad(g, size, *geometry)
    return average_grad(g, size, rows, columns, weights)


def adaptive_avg_pool2d(x, size):
    rows, columns, weights = adaptive_windows(x.shape[-2:], size)
    if not holds_windows(x, rows, columns):
        return reference.adaptive_avg_pool2d(x, size)
    return average(x, rows, columns, weights, 0, 0)


def adaptive_avg_pool2d_grad(g, size):
    rows, columns, weights = adaptive_windows(size, g.shape[-2:])
    if not holds_windows(g, rows, columns):
        return reference.adaptive_avg_pool2d_grad(g, size)
    return average_grad(g, size, rows, columns, weights)


# --- Picked elements -------------------------------------------------------------------------


cdef struct Scattering:
    void (*kernel)(const tt_planes_args *) noexcept nogil
    tt_planes_args args
    int64_t piece_planes


cdef void run_scatter(void *context, int64_t piece) noexcept nogil:
    cdef const Scattering *s = <const Scattering *> context
    cdef tt_planes_args args = s.args
    cdef int64_t first = piece * s.piece_planes
    args.planes = min(s.piece_planes, args.planes - first)
    args.x += first * args.picks
    args.indices += first * args.picks
    args.out += first * args.size
    memset(args.out, 0, args.planes * args.size * sizeof(float))
    s.kernel(&args)


def scatter_planes(g, indices, size):
    if not (
        is_readable_f32(g) and g.ndim >= 2
        and indices.dtype == np.int64 and indices.shape == g.shape
    ):
        return reference.scatter_planes(g, indices, size)
    cdef Scattering s
    cdef cnp.ndarray gs = np.ascontiguousarray(g), at = np.require(indices, None, "CA"), out
    out = _core.empty((*g.shape[:-2], *size), np.float32)
    s.kernel = _core.table.scatter_planes_f32
    s.args.x, s.args.indices, s.args.out = data_f32(gs), int64s(at), data_f32(out)
    s.args.planes, s.args.picks = leading(g.shape), g.shape[-2] * g.shape[-1]
    s.args.size = size[0] * size[1]
    s.piece_planes = max(1, ROWS_OF_ELEMENTS // max(s.args.picks + s.args.size, 1))
    with nogil:
        _core.parallel_for(
            ceil_div(s.args.planes, s.piece_planes), run_scatter, &s
        )
    return out
