"""Reductions: the float32 cases of the twins in reference/reduction.py.

The reduced axes are taken in groups of neighbours, the last group first; each group is one axis of
(outer, n, inner). Long axes are cut into chunks by their length alone, the partial results reduced
in order: the same bits for any number of threads.
"""
cimport numpy as cnp
from cpython.object cimport PyTypeObject
from cpython.ref cimport Py_INCREF
from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc
from libc.math cimport INFINITY, fabsf, sqrtf
from libc.stdint cimport int64_t

from tinytensor.kernels cimport _core, copies
from tinytensor.kernels.abi cimport tt_arg_args, tt_cumsum_args, tt_reduce_args
from tinytensor.kernels.copies cimport MOST_AXES
from tinytensor.kernels.tuning cimport PIECE, SMALL, ceil_div

import numpy as np

from tinytensor.kernels import reference

__all__ = [
    "amax",
    "amin",
    "argmax",
    "argmin",
    "cumsum",
    "expand",
    "in_range",
    "mean",
    "prod",
    "reduce_sum",
    "std",
    "var",
]

cnp.import_array()

cdef extern from "numpy/arrayobject.h":
    object PyArray_NewFromDescr(
        PyTypeObject *subtype, cnp.dtype descr, int nd, const cnp.npy_intp *dims,
        const cnp.npy_intp *strides, void *data, int flags, void *obj
    )


ctypedef void (*reduce_kernel)(const tt_reduce_args *) noexcept nogil
ctypedef void (*arg_kernel)(const tt_arg_args *) noexcept nogil

# Below it squares may have lost digits: the smallest normal number over the spacing at 1.
cdef float LEAST_SQUARES = 2.0**-103

cdef enum:
    CHUNKS = 64       # pieces of one long axis, at most: their results are reduced again
    STRIP = 2048      # columns of a piece where the inner axes are longer


# --- One axis of (outer, n, inner) -----------------------------------------------------------


# What a call is cut into: pieces of whole outer indices, of strips of columns, or of chunks of n.
cdef struct reduce_job:
    reduce_kernel kernel
    tt_reduce_args args     # of the whole
    int64_t outers_a_piece
    int64_t strips, strip
    int64_t chunks, chunk
    float *partial          # (outer, chunks, inner), where there are chunks


cdef void outer_piece(void *context, int64_t piece) noexcept nogil:
    cdef reduce_job *job = <reduce_job *> context
    cdef tt_reduce_args args = job.args
    cdef int64_t first = piece * job.outers_a_piece
    args.x += first * args.x_outer
    args.out += first * args.out_outer
    if args.shift:
        args.shift += first * args.out_outer
    args.outer = min(job.outers_a_piece, args.outer - first)
    job.kernel(&args)


cdef void strip_piece(void *context, int64_t piece) noexcept nogil:
    cdef reduce_job *job = <reduce_job *> context
    cdef tt_reduce_args args = job.args
    cdef int64_t outer = piece // job.strips
    cdef int64_t column = piece % job.strips * job.strip
    args.outer = 1
    args.x += outer * args.x_outer + column
    args.out += outer * args.out_outer + column
    if args.shift:
        args.shift += outer * args.out_outer + column
    args.cols = min(job.strip, args.cols - column)
    job.kernel(&args)


cdef void chunk_piece(void *context, int64_t piece) noexcept nogil:
    cdef reduce_job *job = <reduce_job *> context
    cdef tt_reduce_args args = job.args
    cdef int64_t outer = piece // job.chunks
    cdef int64_t first = piece % job.chunks * job.chunk
    args.outer = 1
    args.x += outer * args.x_outer + first * args.stride
    args.out = job.partial + piece * args.cols
    if args.shift:
        args.shift += outer * args.out_outer
    args.n = min(job.chunk, args.n - first)
    job.kernel(&args)


cdef int reduce_axis(
    reduce_kernel kernel, reduce_kernel combine, const float *x, const float *shift, float *out,
    int64_t outer, int64_t n, int64_t inner
) noexcept nogil:
    """Reduce the middle axis of x into out (outer, inner). -1: no memory."""
    cdef reduce_job job
    cdef int failed
    job.kernel = kernel
    job.args.x = x
    job.args.shift = shift
    job.args.out = out
    job.args.outer = outer
    job.args.n = n
    job.args.cols = inner
    job.args.x_outer = n * inner
    job.args.stride = inner
    job.args.out_outer = inner
    if n * inner <= 2 * PIECE:
        job.outers_a_piece = max(<int64_t> 1, PIECE // max(<int64_t> 1, n * inner))
        _core.parallel_for(
            ceil_div(outer, job.outers_a_piece), outer_piece, &job
        )
        return 0
    if inner > STRIP:
        job.strip = STRIP
        job.strips = ceil_div(inner, STRIP)
        _core.parallel_for(outer * job.strips, strip_piece, &job)
        return 0
    job.chunk = max(<int64_t> PIECE, n * inner // CHUNKS) // inner
    job.chunks = ceil_div(n, job.chunk)
    job.partial = <float *> PyMem_RawMalloc(outer * job.chunks * inner * sizeof(float))
    if job.partial == NULL:
        return -1
    _core.parallel_for(outer * job.chunks, chunk_piece, &job)
    failed = reduce_axis(combine, combine, job.partial, NULL, out, outer, job.chunks, inner)
    PyMem_RawFree(job.partial)
    return failed


# --- Any axes --------------------------------------------------------------------------------


cdef int mark_axes(object axis, int ndim, bint *reduced) except -1:
    """Set reduced[i] for the axes to reduce. 1: a bad axis, which the twin will name."""
    cdef int i
    cdef Py_ssize_t one
    for i in range(ndim):
        reduced[i] = axis is None
    if axis is None:
        return 0
    for item in axis if isinstance(axis, tuple) else (axis,):
        if not isinstance(item, int):
            return 1
        one = item
        if one < 0:
            one += ndim
        if one < 0 or one >= ndim or reduced[one]:
            return 1
        reduced[one] = True
    return 0


cdef cnp.ndarray reduce_axes(
    reduce_kernel kernel, reduce_kernel combine, cnp.ndarray x, cnp.ndarray shift, bint *reduced,
    bint keepdims
):
    """Reduce the marked axes of a contiguous x. ``shift`` has its shape, but size 1 along these
    axes, and then they must be one group of neighbours."""
    cdef int ndim = cnp.PyArray_NDIM(x)
    cdef cnp.npy_intp shape[MOST_AXES]
    cdef cnp.npy_intp kept[MOST_AXES]   # the shape without the marked axes
    cdef int first, axis = ndim - 1, lowest = ndim, n_kept = 0
    cdef int64_t outer, n, inner
    cdef int i, failed
    cdef const float *data
    cdef const float *shift_data = NULL
    cdef float *out_data
    if shift is not None:
        shift_data = <const float *> cnp.PyArray_DATA(shift)
    for i in range(ndim):
        shape[i] = cnp.PyArray_DIM(x, i)
        if reduced[i]:
            lowest = min(lowest, i)
        else:
            kept[n_kept] = shape[i]
            n_kept += 1
    while axis >= 0:
        if not reduced[axis]:
            axis -= 1
            continue
        first = axis
        while first > 0 and reduced[first - 1]:
            first -= 1
        outer = n = inner = 1
        for i in range(ndim):
            if i < first:
                outer *= shape[i]
            elif i <= axis:
                n *= shape[i]
                shape[i] = 1
            else:
                inner *= shape[i]
        if keepdims or first > lowest:
            out = _core.empty_f32(ndim, shape)
        else:
            out = _core.empty_f32(n_kept, kept)
        data = <const float *> cnp.PyArray_DATA(x)
        out_data = <float *> cnp.PyArray_DATA(out)
        if outer * n * inner <= SMALL:
            failed = reduce_axis(kernel, combine, data, shift_data, out_data, outer, n, inner)
        else:
            with nogil:
                failed = reduce_axis(kernel, combine, data, shift_data, out_data, outer, n, inner)
        if failed:
            raise MemoryError()
        x = out
        kernel = combine
        axis = first - 1
    return x


cdef cnp.ndarray covered(object x):
    """x as a contiguous float32 array; None if it is no float32 array with elements."""
    if (
        not cnp.PyArray_CheckExact(x)
        or cnp.PyArray_TYPE(x) != cnp.NPY_FLOAT32
        or not cnp.PyArray_ISNOTSWAPPED(x)
        or cnp.PyArray_SIZE(x) == 0
    ):
        return None
    return copies.contiguous(x)


cdef cnp.ndarray simple(reduce_kernel kernel, object x, object axis, object keepdims, bint mean):
    """A reduction without shift, the sum divided by its count if ``mean``; None: not covered."""
    cdef bint reduced[MOST_AXES]
    cdef cnp.ndarray array = covered(x)
    cdef cnp.ndarray out
    cdef float *data
    cdef int64_t i, count
    cdef bint finite = True
    if array is None or type(keepdims) is not bool:
        return None
    if mark_axes(axis, cnp.PyArray_NDIM(array), reduced):
        return None
    out = reduce_axes(kernel, kernel, array, None, reduced, keepdims)
    if out is array:  # no axis to reduce
        return None
    if mean:
        count = cnp.PyArray_SIZE(array) // cnp.PyArray_SIZE(out)
        data = <float *> cnp.PyArray_DATA(out)
        for i in range(cnp.PyArray_SIZE(out)):
            data[i] /= count
            finite &= fabsf(data[i]) < INFINITY
        if not finite:
            np.copyto(out, reference.mean(x, axis, keepdims), where=~np.isfinite(out))
    return out


def reduce_sum(x, axis=None, keepdims=False, dtype=None):
    if dtype is not None:
        x = np.asarray(x).astype(dtype, copy=False)
    out = simple(_core.table.sum_f32, x, axis, keepdims, False)
    return reference.reduce_sum(x, axis, keepdims, dtype) if out is None else out


def mean(x, axis=None, keepdims=False):
    out = simple(_core.table.sum_f32, x, axis, keepdims, True)
    return reference.mean(x, axis, keepdims) if out is None else out


def prod(x, axis=None, keepdims=False):
    out = simple(_core.table.prod_f32, x, axis, keepdims, False)
    return reference.prod(x, axis, keepdims) if out is None else out


def amax(x, axis=None, keepdims=False):
    out = simple(_core.table.max_f32, x, axis, keepdims, False)
    return reference.amax(x, axis, keepdims) if out is None else out


def amin(x, axis=None, keepdims=False):
    out = simple(_core.table.min_f32, x, axis, keepdims, False)
    return reference.amin(x, axis, keepdims) if out is None else out


def in_range(squares):
    cdef const float *data
    cdef int64_t i
    if not (
        cnp.PyArray_CheckExact(squares) and cnp.PyArray_TYPE(squares) == cnp.NPY_FLOAT32
        and cnp.PyArray_ISCARRAY_RO(squares)
    ):
        return reference.in_range(squares)
    data = <const float *> cnp.PyArray_DATA(squares)
    for i in range(cnp.PyArray_SIZE(squares)):
        if not (data[i] > LEAST_SQUARES and data[i] < INFINITY):
            return False
    return True


# Of lines whose squares left the range, the variances or their roots once more, by the twin.
cdef int spread_again(
    cnp.ndarray x, cnp.ndarray out, const bint *reduced, object correction, bint root
) except -1:
    cdef int i = cnp.PyArray_NDIM(x) - 1
    cdef int64_t inner = 1
    while not reduced[i]:
        inner *= cnp.PyArray_DIM(x, i)
        i -= 1
    lines = np.reshape(x, (-1, cnp.PyArray_SIZE(x) // cnp.PyArray_SIZE(out), inner))
    found = np.reshape(out, (-1, inner))
    bad = ~((found > (sqrtf(LEAST_SQUARES) if root else LEAST_SQUARES)) & (found < INFINITY))
    twin = reference.std if root else reference.var
    found[bad] = twin(lines.transpose(0, 2, 1)[bad], 1, correction)
    return 0


cdef cnp.ndarray spread(object x, object axis, object correction, object keepdims, bint root):
    """The variance, or its root; None: not covered. The reduced axes must be neighbours."""
    cdef bint reduced[MOST_AXES]
    cdef cnp.ndarray array = covered(x)
    cdef cnp.ndarray center, out
    cdef float *data
    cdef int64_t i, count
    cdef int groups = 0
    cdef bint bad = False
    cdef double over
    if type(correction) not in (float, int) or type(keepdims) is not bool:
        return None
    if array is None or mark_axes(axis, cnp.PyArray_NDIM(array), reduced):
        return None
    for i in range(cnp.PyArray_NDIM(array)):
        groups += reduced[i] and not (i > 0 and reduced[i - 1])
    if groups != 1:
        return None
    center = reduce_axes(_core.table.sum_f32, _core.table.sum_f32, array, None, reduced, True)
    count = cnp.PyArray_SIZE(array) // cnp.PyArray_SIZE(center)
    over = count - <double> correction
    if over <= 0:
        return None
    data = <float *> cnp.PyArray_DATA(center)
    for i in range(cnp.PyArray_SIZE(center)):
        data[i] /= count
    out = reduce_axes(
        _core.table.squared_deviations_f32, _core.table.sum_f32, array, center, reduced, keepdims
    )
    data = <float *> cnp.PyArray_DATA(out)
    for i in range(cnp.PyArray_SIZE(out)):
        data[i] = <float> (data[i] / over)
        bad |= not (data[i] > LEAST_SQUARES and data[i] < INFINITY)
        if root:
            data[i] = sqrtf(data[i])
    if bad:
        spread_again(array, out, reduced, correction, root)
    return out


def var(x, axis=None, correction=0.0, keepdims=False):
    out = spread(x, axis, correction, keepdims, False)
    return reference.var(x, axis, correction, keepdims) if out is None else out


def std(x, axis=None, correction=0.0, keepdims=False):
    out = spread(x, axis, correction, keepdims, True)
    return reference.std(x, axis, correction, keepdims) if out is None else out


# --- Where the extremes are ------------------------------------------------------------------


# Pieces of whole outer indices, of strips of columns, or of chunks of n, as above. The places found
# in chunks are compared afterwards, in order.
cdef struct ArgWork:
    arg_kernel kernel
    tt_arg_args args
    int64_t outers_of_piece
    int64_t strips, strip
    int64_t chunks, chunk


cdef void run_arg(void *context, int64_t piece) noexcept nogil:
    cdef ArgWork *work = <ArgWork *> context
    cdef tt_arg_args args = work.args
    cdef int64_t column = piece % work.strips * work.strip
    cdef int64_t chunk = piece // work.strips % work.chunks
    cdef int64_t outer = piece // (work.strips * work.chunks) * work.outers_of_piece
    args.x += outer * args.x_outer + chunk * work.chunk * args.stride + column
    args.out += outer * args.out_outer + chunk * args.cols + column
    args.outer = min(work.outers_of_piece, args.outer - outer)
    args.n = min(work.chunk, args.n - chunk * work.chunk)
    args.cols = min(work.strip, args.cols - column)
    work.kernel(&args)


# The first of the extremes of the chunks, for each outer index and column.
cdef void join_chunks(ArgWork *work, bint largest, int64_t *out) noexcept nogil:
    cdef int64_t o, c, k, place, found
    cdef const float *x
    cdef const int64_t *places
    cdef float best, value
    for o in range(work.args.outer):
        for c in range(work.args.cols):
            x = work.args.x + o * work.args.x_outer + c
            places = work.args.out + o * work.args.out_outer + c
            found = places[0]
            best = x[found * work.args.stride]
            for k in range(1, work.chunks):
                place = k * work.chunk + places[k * work.args.cols]
                value = x[place * work.args.stride]
                if best == best and not (value <= best if largest else value >= best):
                    best, found = value, place
            out[o * work.args.cols + c] = found


cdef object place_of_extreme(
    arg_kernel kernel, bint largest, object x, object axis, object keepdims
):
    cdef ArgWork work
    cdef bint reduced[MOST_AXES]
    cdef cnp.ndarray array = covered(x)
    cdef int64_t pieces
    cdef int i, ndim
    if array is None or type(keepdims) is not bool or isinstance(axis, tuple):
        return None
    ndim = cnp.PyArray_NDIM(array)
    if ndim == 0 or mark_axes(axis, ndim, reduced):
        return None
    work.kernel = kernel
    work.args.outer = work.args.n = work.args.cols = 1
    shape, sizes = [], (<object> array).shape
    for i in range(ndim):
        if reduced[i]:
            work.args.n *= sizes[i]
        elif i < axis % ndim:
            work.args.outer *= sizes[i]
        else:
            work.args.cols *= sizes[i]
        if keepdims or not reduced[i]:
            shape.append(1 if reduced[i] else sizes[i])
    if work.args.n >= 1 << 31:
        return None
    work.args.x = <const float *> cnp.PyArray_DATA(array)
    work.args.x_outer = work.args.n * work.args.cols
    work.args.stride = work.args.cols
    work.strip = min(work.args.cols, <int64_t> STRIP)
    work.strips = ceil_div(work.args.cols, work.strip)
    work.chunk = work.args.n
    if work.args.n * work.strip > 16 * PIECE:
        work.chunk = 8 * PIECE // work.strip
    work.chunks = ceil_div(work.args.n, work.chunk)
    work.outers_of_piece = 1
    if work.chunks == 1 and work.strips == 1:
        work.outers_of_piece = max(<int64_t> 1, PIECE // work.args.x_outer)
    work.args.out_outer = work.chunks * work.args.cols
    out = np.empty(shape, np.int64)
    places = out if work.chunks == 1 else np.empty(work.args.outer * work.args.out_outer, np.int64)
    work.args.out = <int64_t *> cnp.PyArray_DATA(places)
    pieces = ceil_div(work.args.outer, work.outers_of_piece)
    pieces *= work.strips * work.chunks
    with nogil:
        _core.parallel_for(pieces, run_arg, &work)
    if work.chunks > 1:
        join_chunks(&work, largest, <int64_t *> cnp.PyArray_DATA(out))
    return out


def argmax(x, axis=None, keepdims=False):
    out = place_of_extreme(_core.table.argmax_f32, True, x, axis, keepdims)
    return reference.argmax(x, axis, keepdims) if out is None else out


def argmin(x, axis=None, keepdims=False):
    out = place_of_extreme(_core.table.argmin_f32, False, x, axis, keepdims)
    return reference.argmin(x, axis, keepdims) if out is None else out


# --- Running sums ----------------------------------------------------------------------------


cdef enum:
    RUNNING_STRIP = 256  # columns of a piece
    RUNNING_ROWS = 16    # as many as the widest vectors take at a time


# Pieces of rows, or (where other axes are behind) of one outer index and a strip of columns.
cdef struct CumsumWork:
    void (*kernel)(const tt_cumsum_args *) noexcept nogil
    tt_cumsum_args args
    int64_t rows_of_piece
    int64_t strips


cdef void run_cumsum(void *context, int64_t piece) noexcept nogil:
    cdef CumsumWork *work = <CumsumWork *> context
    cdef tt_cumsum_args args = work.args
    cdef int64_t column = piece % work.strips * RUNNING_STRIP
    cdef int64_t first = piece // work.strips * work.rows_of_piece
    cdef int64_t start = first * args.n * args.stride + column
    args.x += start
    args.out += start
    args.outer = min(work.rows_of_piece, args.outer - first)
    args.cols = min(<int64_t> RUNNING_STRIP, args.cols - column)
    work.kernel(&args)


def cumsum(x, axis, reverse=False):
    cdef CumsumWork work
    cdef bint reduced[MOST_AXES]
    cdef cnp.ndarray array = covered(x)
    cdef int64_t pieces
    cdef int i, ndim
    if (
        array is None or type(axis) is not int or type(reverse) is not bool
        or mark_axes(axis, cnp.PyArray_NDIM(array), reduced)
    ):
        return reference.cumsum(x, axis, reverse)
    ndim = cnp.PyArray_NDIM(array)
    work.args.outer = work.args.stride = 1
    for i in range(ndim):
        if reduced[i]:
            work.args.n = cnp.PyArray_DIM(array, i)
        elif i < axis % ndim:
            work.args.outer *= cnp.PyArray_DIM(array, i)
        else:
            work.args.stride *= cnp.PyArray_DIM(array, i)
    out = _core.empty_f32(ndim, cnp.PyArray_DIMS(array))
    work.kernel = _core.table.cumsum_f32
    work.args.x = <const float *> cnp.PyArray_DATA(array)
    work.args.out = <float *> cnp.PyArray_DATA(out)
    work.args.cols = work.args.stride
    work.args.reverse = reverse
    work.rows_of_piece = 1
    if work.args.stride == 1:
        work.rows_of_piece = max(<int64_t> 1, PIECE // work.args.n // RUNNING_ROWS) * RUNNING_ROWS
    work.strips = ceil_div(work.args.stride, RUNNING_STRIP)
    pieces = ceil_div(work.args.outer, work.rows_of_piece) * work.strips
    with nogil:
        _core.parallel_for(pieces, run_cumsum, &work)
    return out


# --- The transpose of a sum ------------------------------------------------------------------


def expand(g, shape, axis=None, keepdims=False):
    cdef bint reduced[MOST_AXES]
    cdef cnp.npy_intp dims[MOST_AXES]
    cdef cnp.npy_intp strides[MOST_AXES]
    cdef cnp.npy_intp wanted
    cdef int ndim = len(shape) if isinstance(shape, tuple) else MOST_AXES + 1, i, k = 0
    cdef cnp.ndarray base
    cdef cnp.dtype descr
    if not cnp.PyArray_CheckExact(g) or ndim > MOST_AXES or mark_axes(axis, ndim, reduced):
        return reference.expand(g, shape, axis, keepdims)
    base = g
    for i in range(ndim):
        dims[i] = shape[i]
        strides[i] = 0
        if reduced[i] and not keepdims:
            continue
        wanted = 1 if reduced[i] else dims[i]
        if k >= cnp.PyArray_NDIM(base) or cnp.PyArray_DIM(base, k) != wanted:
            return reference.expand(g, shape, axis, keepdims)
        if not reduced[i]:
            strides[i] = cnp.PyArray_STRIDE(base, k)
        k += 1
    if k != cnp.PyArray_NDIM(base):
        return reference.expand(g, shape, axis, keepdims)
    descr = base.dtype
    Py_INCREF(descr)  # the new array takes a reference over
    view = PyArray_NewFromDescr(
        <PyTypeObject *> cnp.ndarray, descr, ndim, dims, strides, cnp.PyArray_DATA(base), 0, NULL
    )
    cnp.set_array_base(view, base)
    return view
