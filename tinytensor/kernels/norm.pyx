# cython: cdivision=True
"""Layer, RMS, group and batch norm: the float32 cases of the twins in reference/norm.py."""
cimport numpy as cnp
from libc.stdint cimport int64_t
from libc.string cimport memset

from tinytensor.kernels cimport _core
from tinytensor.kernels.abi cimport tt_batch_norm_args, tt_group_norm_args, tt_layer_norm_args
from tinytensor.kernels.arrays cimport contiguous, data_f32, is_f32, is_f32_or_none
from tinytensor.kernels.tuning cimport ROWS_OF_ELEMENTS, ceil_div, rows_of_piece

import numpy as np

from tinytensor.kernels import reference
from tinytensor.kernels.reference.norm import update_running_stats

__all__ = [
    "batch_norm",
    "batch_norm_backward",
    "group_norm",
    "group_norm_backward",
    "layer_norm",
    "layer_norm_backward",
    "rms_norm",
    "rms_norm_backward",
]

cnp.import_array()

cdef float LEAST_RSTD = 2.0**-100

cdef enum:
    MOST_PARTS = 64  # sums over rows are made in at most so many parts


# --- Layer norm and RMS norm -----------------------------------------------------------------


cdef struct NormWork:
    void (*kernel)(const tt_layer_norm_args *) noexcept nogil
    tt_layer_norm_args args
    int64_t rows_of_piece
    float *parts  # of backward: for each piece, its sums for dweight and, behind them, for dbias
    int64_t part


cdef void run_norm(void *context, int64_t piece) noexcept nogil:
    cdef NormWork *work = <NormWork *> context
    cdef tt_layer_norm_args args = work.args
    cdef int64_t first = piece * work.rows_of_piece
    args.rows = min(work.rows_of_piece, args.rows - first)
    args.x += first * args.n
    args.out += first * args.n
    args.rstd += first
    if args.mean != NULL:
        args.mean += first
    if args.g != NULL:
        args.g += first * args.n
        args.dweight = work.parts + piece * work.part
        args.dbias = args.dweight + args.n
        memset(args.dweight, 0, work.part * sizeof(float))
    work.kernel(&args)


# Set the rows, their length and the weight. False: not a case of the kernels.
cdef bint rows_of(NormWork *work, object x, object weight, int ndim) noexcept:
    cdef int i
    if not (is_f32(x) and cnp.PyArray_SIZE(x)):
        return False
    work.args.n = 1
    for i in range(cnp.PyArray_NDIM(x) - ndim, cnp.PyArray_NDIM(x)):
        work.args.n *= cnp.PyArray_DIM(x, i)
    work.args.rows = cnp.PyArray_SIZE(x) // work.args.n
    work.rows_of_piece = rows_of_piece(work.args.n, ROWS_OF_ELEMENTS)
    work.args.stream = _core.is_streamed(cnp.PyArray_SIZE(x))
    work.args.weight = data_f32(weight)
    work.args.bias = work.args.g = NULL
    work.args.mean = NULL
    return fits(weight, work.args.n)


cdef bint fits(object weight, int64_t n) noexcept:
    return weight is None or (
        is_f32(weight) and cnp.PyArray_ISCARRAY_RO(weight) and cnp.PyArray_SIZE(weight) == n
    )


# Whether differences from means are in range too, as they are where no deviation, 1 / rstd, is near
# the largest float.
cdef bint near_means(object rstd) noexcept:
    cdef const float *data = data_f32(rstd)
    cdef bint near = True
    cdef int64_t i
    for i in range(cnp.PyArray_SIZE(rstd)):
        near &= data[i] >= LEAST_RSTD
    return near


# The shape of what is one number for each row of x, kept as axes of size 1.
cdef tuple shape_of_rows(object x, int ndim):
    shape = x.shape
    return shape[: len(shape) - ndim] + (1,) * ndim


cdef object forward(NormWork *work, object x):
    x = contiguous(x)
    out = _core.empty_f32(cnp.PyArray_NDIM(x), cnp.PyArray_DIMS(x))
    work.args.x = data_f32(x)
    work.args.out = data_f32(out)
    with nogil:
        _core.parallel_for(ceil_div(work.args.rows, work.rows_of_piece), run_norm, work)
    return out


# dx, and the sums over rows of `sums` arrays of n: dweight, and dbias after it.
cdef tuple backward(NormWork *work, object x, object g, int sums, int ndim):
    cdef int64_t pieces, piece, c
    cdef float *total
    cdef const float *part
    x, g = contiguous(x), contiguous(g)
    work.part = sums * work.args.n
    work.rows_of_piece = max(work.rows_of_piece, ceil_div(work.args.rows, MOST_PARTS))
    pieces = ceil_div(work.args.rows, work.rows_of_piece)
    parts = _core.empty((pieces, sums, work.args.n))
    work.parts = total = data_f32(parts)
    work.args.g = data_f32(g)
    work.args.x = data_f32(x)
    dx = _core.empty_f32(cnp.PyArray_NDIM(x), cnp.PyArray_DIMS(x))
    work.args.out = data_f32(dx)
    with nogil:
        _core.parallel_for(pieces, run_norm, work)
        for piece in range(1, pieces):
            part = total + piece * work.part
            for c in range(work.part):
                total[c] += part[c]
    shape = (<object> x).shape
    shape = shape[len(shape) - ndim :]
    return dx, *[parts[0, i].copy().reshape(shape) for i in range(sums)]


def layer_norm(x, weight, bias, eps, ndim):
    cdef NormWork work
    if not (rows_of(&work, x, weight, ndim) and fits(bias, work.args.n)):
        return reference.layer_norm(x, weight, bias, eps, ndim)
    shape = shape_of_rows(x, ndim)
    mean, rstd = _core.empty(shape), _core.empty(shape)
    work.kernel = _core.table.layer_norm_f32
    work.args.bias = data_f32(bias)
    work.args.mean = data_f32(mean)
    work.args.rstd = data_f32(rstd)
    work.args.eps = eps
    return forward(&work, x), mean, rstd


def layer_norm_backward(g, x, weight, mean, rstd, ndim):
    cdef NormWork work
    if not (
        rows_of(&work, x, weight, ndim) and is_f32(g) and cnp.PyArray_SAMESHAPE(g, x)
        and mean is not None and fits(mean, work.args.rows)
        and rstd is not None and fits(rstd, work.args.rows) and near_means(rstd)
    ):
        return reference.layer_norm_backward(g, x, weight, mean, rstd, ndim)
    work.kernel = _core.table.layer_norm_backward_f32
    work.args.mean = data_f32(mean)
    work.args.rstd = data_f32(rstd)
    return backward(&work, x, g, 2, ndim)


def rms_norm(x, weight, eps, ndim):
    cdef NormWork work
    if not rows_of(&work, x, weight, ndim):
        return reference.rms_norm(x, weight, eps, ndim)
    rstd = _core.empty(shape_of_rows(x, ndim))
    work.kernel = _core.table.rms_norm_f32
    work.args.rstd = data_f32(rstd)
    work.args.eps = eps
    return forward(&work, x), rstd


def rms_norm_backward(g, x, weight, rstd, ndim):
    cdef NormWork work
    if not (
        rows_of(&work, x, weight, ndim) and is_f32(g) and cnp.PyArray_SAMESHAPE(g, x)
        and rstd is not None and fits(rstd, work.args.rows)
    ):
        return reference.rms_norm_backward(g, x, weight, rstd, ndim)
    work.kernel = _core.table.rms_norm_backward_f32
    work.args.rstd = data_f32(rstd)
    return backward(&work, x, g, 1, ndim)


# --- Group norm ------------------------------------------------------------------------------


cdef struct GroupNormWork:
    void (*kernel)(const tt_group_norm_args *) noexcept nogil
    tt_group_norm_args args
    int64_t rows_of_piece


cdef void run_group_norm(void *context, int64_t piece) noexcept nogil:
    cdef GroupNormWork *work = <GroupNormWork *> context
    cdef tt_group_norm_args args = work.args
    cdef int64_t first = piece * work.rows_of_piece, n = args.channels * args.space
    args.first = first
    args.rows = min(work.rows_of_piece, args.rows - first)
    args.x += first * n
    args.out += first * n
    args.mean += first
    args.rstd += first
    if args.g != NULL:
        args.g += first * n
        args.dweight += first * args.channels
        args.dbias += first * args.channels
    work.kernel(&args)


# Set the rows and the weight. False: not a case of the kernels.
cdef bint groups_of(GroupNormWork *work, object x, object weight, int64_t groups) except -1:
    cdef int64_t images, channels
    if not (is_f32(x) and cnp.PyArray_NDIM(x) >= 2 and cnp.PyArray_SIZE(x) and groups > 0):
        return False
    images, channels = cnp.PyArray_DIM(x, 0), cnp.PyArray_DIM(x, 1)
    if channels % groups:
        return False
    memset(&work.args, 0, sizeof(tt_group_norm_args))
    work.args.rows, work.args.groups = images * groups, groups
    work.args.channels = channels // groups
    work.args.space = cnp.PyArray_SIZE(x) // images // channels
    work.rows_of_piece = rows_of_piece(work.args.channels * work.args.space, ROWS_OF_ELEMENTS)
    work.args.stream = _core.is_streamed(cnp.PyArray_SIZE(x))
    work.args.weight = data_f32(weight)
    return fits(weight, channels)


def group_norm(x, groups, weight, bias, eps):
    cdef GroupNormWork work
    if not (groups_of(&work, x, weight, groups) and fits(bias, groups * work.args.channels)):
        return reference.group_norm(x, groups, weight, bias, eps)
    x = contiguous(x)
    out = _core.empty_f32(cnp.PyArray_NDIM(x), cnp.PyArray_DIMS(x))
    mean, rstd = _core.empty((len(x), groups)), _core.empty((len(x), groups))
    work.kernel = _core.table.group_norm_f32
    work.args.x, work.args.bias, work.args.out = data_f32(x), data_f32(bias), data_f32(out)
    work.args.mean, work.args.rstd, work.args.eps = data_f32(mean), data_f32(rstd), eps
    with nogil:
        _core.parallel_for(
            ceil_div(work.args.rows, work.rows_of_piece), run_group_norm, &work
        )
    return out, mean, rstd


cdef bint all_finite(const float *x, int64_t n) noexcept nogil:
    cdef int64_t i
    cdef bint finite = True
    for i in range(n):
        finite &= x[i] - x[i] == 0
    return finite


# Of a channel g is summed before it is multiplied by the weight, which must be finite: inf times
# numbers of both signs adds up to NaN.
def group_norm_backward(g, x, weight, mean, rstd, groups):
    cdef GroupNormWork work
    if not (
        groups_of(&work, x, weight, groups) and is_f32(g) and cnp.PyArray_SAMESHAPE(g, x)
        and (weight is None or all_finite(work.args.weight, cnp.PyArray_SIZE(weight)))
        and mean is not None and fits(mean, work.args.rows)
        and rstd is not None and fits(rstd, work.args.rows) and near_means(rstd)
    ):
        return reference.group_norm_backward(g, x, weight, mean, rstd, groups)
    x, g = contiguous(x), contiguous(g)
    dx = _core.empty_f32(cnp.PyArray_NDIM(x), cnp.PyArray_DIMS(x))
    parts = _core.empty((2, len(x), groups * work.args.channels))
    work.kernel = _core.table.group_norm_backward_f32
    work.args.x, work.args.g, work.args.out = data_f32(x), data_f32(g), data_f32(dx)
    work.args.mean, work.args.rstd = data_f32(mean), data_f32(rstd)
    work.args.dweight = data_f32(parts)
    work.args.dbias = work.args.dweight + work.args.rows * work.args.channels
    with nogil:
        _core.parallel_for(
            ceil_div(work.args.rows, work.rows_of_piece), run_group_norm, &work
        )
    return dx, *np.add.reduce(parts, axis=1)


# --- Batch norm ------------------------------------------------------------------------------


cdef struct BatchNormWork:
    void (*kernel)(const tt_batch_norm_args *) noexcept nogil
    tt_batch_norm_args args
    int64_t channels_of_piece


cdef void run_batch_norm(void *context, int64_t piece) noexcept nogil:
    cdef BatchNormWork *work = <BatchNormWork *> context
    cdef tt_batch_norm_args args = work.args
    args.first = piece * work.channels_of_piece
    args.last = min(args.first + work.channels_of_piece, args.channels)
    work.kernel(&args)


cdef void shape_of(BatchNormWork *work, cnp.ndarray x):
    cdef int64_t values
    work.args.batch = cnp.PyArray_DIM(x, 0)
    work.args.channels = cnp.PyArray_DIM(x, 1)
    values = cnp.PyArray_SIZE(x) // work.args.channels
    work.args.space = values // work.args.batch
    work.channels_of_piece = rows_of_piece(values, ROWS_OF_ELEMENTS)
    if work.args.space == 1:  # channels are the lanes of vectors: cut between whole ones
        work.channels_of_piece = ceil_div(work.channels_of_piece, 16) * 16


cdef void run(BatchNormWork *work):
    cdef int64_t pieces = ceil_div(work.args.channels, work.channels_of_piece)
    with nogil:
        _core.parallel_for(pieces, run_batch_norm, work)


def batch_norm(x, running_mean, running_var, weight, bias, training, momentum, eps):
    cdef BatchNormWork work
    cdef cnp.npy_intp channels
    if not (
        is_f32(x) and cnp.PyArray_NDIM(x) >= 2 and cnp.PyArray_SIZE(x)
        and is_f32_or_none(weight) and is_f32_or_none(bias)
        and is_f32_or_none(running_mean) and is_f32_or_none(running_var)
    ):
        return reference.batch_norm(
            x, running_mean, running_var, weight, bias, training, momentum, eps
        )
    channels = cnp.PyArray_DIM(x, 1)
    if not (
        fits(weight, channels) and fits(bias, channels)
        and fits(running_mean, channels) and fits(running_var, channels)
    ):
        return reference.batch_norm(
            x, running_mean, running_var, weight, bias, training, momentum, eps
        )
    x = contiguous(x)
    shape_of(&work, x)
    out = _core.empty_f32(cnp.PyArray_NDIM(x), cnp.PyArray_DIMS(x))
    rstd = _core.empty_f32(1, &channels)
    # The statistics used are always arrays of this call: backward must not see later updates.
    mean = _core.empty_f32(1, &channels) if training else running_mean.copy()
    var = _core.empty_f32(1, &channels) if training else running_var
    work.kernel = _core.table.batch_norm_f32
    work.args.x = data_f32(x)
    work.args.weight = data_f32(weight)
    work.args.bias = data_f32(bias)
    work.args.out = data_f32(out)
    work.args.mean = data_f32(mean)
    work.args.var = data_f32(var)
    work.args.rstd = data_f32(rstd)
    work.args.eps = eps
    work.args.training = training
    run(&work)
    if training:
        update_running_stats(
            running_mean, running_var, mean, var, cnp.PyArray_SIZE(x) // channels, momentum
        )
    return out, mean, rstd


def batch_norm_backward(g, x, weight, mean, rstd, training):
    cdef BatchNormWork work
    cdef cnp.npy_intp channels
    if not (
        is_f32(g) and is_f32(x) and cnp.PyArray_NDIM(x) >= 2 and cnp.PyArray_SIZE(x)
        and cnp.PyArray_SAMESHAPE(g, x)
        and is_f32_or_none(weight) and is_f32(mean) and is_f32(rstd)
    ):
        return reference.batch_norm_backward(g, x, weight, mean, rstd, training)
    channels = cnp.PyArray_DIM(x, 1)
    if not (
        fits(weight, channels) and fits(mean, channels) and fits(rstd, channels)
        and near_means(rstd)
    ):
        return reference.batch_norm_backward(g, x, weight, mean, rstd, training)
    x, g = contiguous(x), contiguous(g)
    shape_of(&work, x)
    dx = _core.empty_f32(cnp.PyArray_NDIM(x), cnp.PyArray_DIMS(x))
    dweight, dbias = _core.empty_f32(1, &channels), _core.empty_f32(1, &channels)
    work.kernel = _core.table.batch_norm_backward_f32
    work.args.x = data_f32(x)
    work.args.weight = data_f32(weight)
    work.args.g = data_f32(g)
    work.args.out = data_f32(dx)
    work.args.mean = data_f32(mean)
    work.args.rstd = data_f32(rstd)
    work.args.dweight = data_f32(dweight)
    work.args.dbias = data_f32(dbias)
    work.args.training = training
    run(&work)
    return dx, dweight, dbias
