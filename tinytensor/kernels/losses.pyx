# cython: cdivision=True
"""Losses: the float32 cases of the twins in reference/losses.py.

Of losses element by element these are an input and a target of one shape, and in backward a
cotangent that is one number; of cross-entropy, contiguous rows and classes that are in range.
"""
cimport numpy as cnp
from libc.stdint cimport int64_t
from libc.string cimport memset

from tinytensor.kernels cimport _core
from tinytensor.kernels.abi cimport tt_binary_args, tt_cross_entropy_args, tt_kernels
from tinytensor.kernels.arrays cimport (
    contiguous, data_f32, is_f32, is_f32_or_none, is_plain_f32, set_sums,
)
from tinytensor.kernels.tuning cimport PIECE, ROWS_OF_ELEMENTS, ceil_div, rows_of_piece

import numpy as np

from tinytensor.kernels import reference

__all__ = [
    "cross_entropy",
    "cross_entropy_backward",
    "loss",
    "loss_backward",
    "nll_loss_backward",
]

cnp.import_array()

# --- Element by element ----------------------------------------------------------------------

ctypedef void (*kernel)(const tt_binary_args *) noexcept nogil

# What is computed of a loss.
cdef enum:
    EACH
    SUM
    BACKWARD


cdef kernel find(str kind, int what):
    cdef const tt_kernels *t = _core.table
    cdef kernel[3] found
    if kind == "mse":
        found = [t.mse_loss_f32, t.mse_loss_sum_f32, t.mse_loss_backward_f32]
    elif kind == "l1":
        found = [t.l1_loss_f32, t.l1_loss_sum_f32, t.l1_loss_backward_f32]
    elif kind == "smooth_l1":
        found = [t.smooth_l1_loss_f32, t.smooth_l1_loss_sum_f32, t.smooth_l1_loss_backward_f32]
    elif kind == "huber":
        found = [t.huber_loss_f32, t.huber_loss_sum_f32, t.huber_loss_backward_f32]
    else:
        found = [t.logistic_loss_f32, t.logistic_loss_sum_f32, t.logistic_loss_backward_f32]
    return found[what]


cdef struct Work:
    kernel run
    tt_binary_args args
    bint sums  # out has one element for each piece


cdef void run_piece(void *context, int64_t piece) noexcept nogil:
    cdef Work *work = <Work *> context
    cdef tt_binary_args args = work.args
    args.a += piece * PIECE
    args.b += piece * PIECE
    args.out += piece if work.sums else piece * PIECE
    args.cols = min(<int64_t> PIECE, args.cols - piece * PIECE)
    work.run(&args)


# Run over x and y into a new array; for a sum, into one of the sums of the pieces.
cdef cnp.ndarray run(kernel function, bint sums, object x, object y, float p, float q):
    cdef Work work
    cdef cnp.ndarray out
    cdef cnp.npy_intp pieces = ceil_div(cnp.PyArray_SIZE(x), PIECE)
    x, y = contiguous(x), contiguous(y)
    if sums:
        out = _core.empty_f32(1, &pieces)
    else:
        out = _core.empty_f32(cnp.PyArray_NDIM(x), cnp.PyArray_DIMS(x))
    work.run = function
    work.sums = sums
    work.args.a = data_f32(x)
    work.args.b = data_f32(y)
    work.args.out = data_f32(out)
    work.args.rows = 1
    work.args.cols = cnp.PyArray_SIZE(x)
    work.args.a_row = work.args.b_row = 0
    work.args.a_col = work.args.b_col = 1
    work.args.p = p
    work.args.q = q
    work.args.stream = not sums and _core.is_streamed(work.args.cols)
    with nogil:
        _core.parallel_for(pieces, run_piece, &work)
    return out


cdef bint covers(object x, object y) noexcept:
    return is_f32(x) and is_f32(y) and cnp.PyArray_SAMESHAPE(x, y) and cnp.PyArray_SIZE(x) > 0


def loss(kind, x, y, parameter, reduction):
    if not covers(x, y):
        return reference.loss(kind, x, y, parameter, reduction)
    if reduction == "none":
        return run(find(kind, EACH), False, x, y, parameter, 0)
    total = run(find(kind, SUM), True, x, y, parameter, 0).sum(dtype=np.float64)
    return np.array(total / x.size if reduction == "mean" else total, np.float32)


def loss_backward(g, kind, x, y, parameter, reduction):
    cdef float factor
    if not (covers(x, y) and is_f32(g) and cnp.PyArray_NDIM(g) == 0):
        return reference.loss_backward(g, kind, x, y, parameter, reduction)
    factor = g / np.float32(x.size) if reduction == "mean" else g
    return run(find(kind, BACKWARD), False, x, y, parameter, factor)


def nll_loss_backward(g, target, shape, weight, ignore_index, divisor):
    cdef int64_t r, y, rows, classes
    cdef float *dx
    cdef const int64_t *targets
    if not (
        is_f32(g) and cnp.PyArray_NDIM(g) == 0 and weight is None and len(shape) == 2
        and cnp.PyArray_CheckExact(target) and cnp.PyArray_TYPE(target) == cnp.NPY_INT64
        and cnp.PyArray_ISCARRAY_RO(target) and cnp.PyArray_SIZE(target) == shape[0]
    ):
        return reference.nll_loss_backward(g, target, shape, weight, ignore_index, divisor)
    out = _core.empty(shape)
    rows, classes = shape
    dx = data_f32(out)
    targets = <const int64_t *> cnp.PyArray_DATA(target)
    cdef int64_t ignored = ignore_index
    cdef float value = -g / np.float32(divisor)
    with nogil:
        memset(dx, 0, rows * classes * sizeof(float))
        for r in range(rows):
            y = targets[r]
            if y != ignored and 0 <= y < classes:
                dx[r * classes + y] = value
    return out


# --- Cross-entropy ---------------------------------------------------------------------------

ctypedef void (*cross_entropy_kernel)(const tt_cross_entropy_args *) noexcept nogil


cdef struct CrossEntropyWork:
    cross_entropy_kernel kernel
    tt_cross_entropy_args args
    int64_t rows_of_piece


cdef void run_cross_entropy(void *context, int64_t piece) noexcept nogil:
    cdef CrossEntropyWork *work = <CrossEntropyWork *> context
    cdef tt_cross_entropy_args args = work.args
    cdef int64_t first = piece * work.rows_of_piece
    args.rows = min(work.rows_of_piece, args.rows - first)
    args.x += first * args.classes
    args.target += first
    args.top += first
    args.sum += first
    if args.losses != NULL:
        args.losses += first
    else:
        args.dx += first * args.classes
        args.g += first * args.g_step
    work.kernel(&args)


# Fill in what forward and backward share. False: not a case of the kernels. The kernels trust the
# targets, so they are looked at here.
cdef bint prepare(
    CrossEntropyWork *work, object x, object target, object weight, object ignore_index,
    double label_smoothing,
):
    cdef int64_t r, y
    if not (
        is_f32(x) and cnp.PyArray_NDIM(x) == 2 and cnp.PyArray_ISCARRAY_RO(x)
        and cnp.PyArray_CheckExact(target) and cnp.PyArray_TYPE(target) == cnp.NPY_INT64
        and cnp.PyArray_ISCARRAY_RO(target) and cnp.PyArray_NDIM(target) == 1
        and cnp.PyArray_DIM(target, 0) == cnp.PyArray_DIM(x, 0) and is_f32_or_none(weight)
    ):
        return False
    work.args.classes = cnp.PyArray_DIM(x, 1)
    if weight is not None and not (
        cnp.PyArray_ISCARRAY_RO(weight) and cnp.PyArray_SIZE(weight) == work.args.classes
    ):
        return False
    work.args.x = data_f32(x)
    work.args.weight = data_f32(weight)
    work.args.target = <const int64_t *> cnp.PyArray_DATA(target)
    work.args.rows = cnp.PyArray_DIM(x, 0)
    work.args.ignore_index = ignore_index
    work.args.smoothing = label_smoothing
    work.args.losses = work.args.dx = NULL
    for r in range(work.args.rows):
        y = work.args.target[r]
        if (y < 0 or y >= work.args.classes) and y != work.args.ignore_index:
            return False
    work.rows_of_piece = rows_of_piece(work.args.classes, ROWS_OF_ELEMENTS)
    return True


def cross_entropy(x, target, weight, ignore_index, label_smoothing, reduction):
    cdef CrossEntropyWork work
    cdef double loss = 0, divisor = 1
    cdef int64_t r
    cdef cnp.npy_intp rows
    if not prepare(&work, x, target, weight, ignore_index, label_smoothing):
        return reference.cross_entropy(
            x, target, weight, ignore_index, label_smoothing, reduction
        )
    rows = work.args.rows
    losses, lse = _core.empty_f32(1, &rows), _core.empty((2, rows))
    work.kernel = _core.table.cross_entropy_f32
    work.args.losses = data_f32(losses)
    set_sums(&work.args.top, &work.args.sum, lse)
    with nogil:
        _core.parallel_for(ceil_div(rows, work.rows_of_piece), run_cross_entropy, &work)
    if reduction == "none":
        return losses, lse, 1.0
    for r in range(rows):
        loss += work.args.losses[r]
    if reduction == "mean":
        divisor = 0
        for r in range(rows):
            if work.args.target[r] != work.args.ignore_index:
                divisor += 1 if weight is None else work.args.weight[work.args.target[r]]
    return np.array(loss / divisor, np.float32), lse, divisor


def cross_entropy_backward(
    g, x, lse, target, weight, ignore_index, label_smoothing, divisor, out=None
):
    cdef CrossEntropyWork work
    g = np.asarray(g)
    if not (
        prepare(&work, x, target, weight, ignore_index, label_smoothing)
        and is_f32(g) and is_f32(lse) and cnp.PyArray_ISCARRAY_RO(lse)
        and cnp.PyArray_SIZE(lse) == 2 * work.args.rows
        and (cnp.PyArray_NDIM(g) == 0 or cnp.PyArray_SIZE(g) == work.args.rows)
    ):
        return reference.cross_entropy_backward(
            g, x, lse, target, weight, ignore_index, label_smoothing, divisor, out
        )
    g = contiguous(g)
    dx = out
    if not (is_plain_f32(out) and cnp.PyArray_SAMESHAPE(out, x)):
        dx = _core.empty_f32(2, cnp.PyArray_DIMS(x))
    work.kernel = _core.table.cross_entropy_backward_f32
    work.args.g = data_f32(g)
    work.args.g_step = 1 if cnp.PyArray_NDIM(g) else 0
    set_sums(&work.args.top, &work.args.sum, lse)
    work.args.dx = data_f32(dx)
    work.args.scale = <float> (1.0 / <double> divisor)
    with nogil:
        _core.parallel_for(ceil_div(work.args.rows, work.rows_of_piece), run_cross_entropy, &work)
    if out is not None and dx is not out:
        out[...] = dx
        return out
    return dx
