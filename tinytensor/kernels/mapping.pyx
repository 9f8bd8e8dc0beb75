"""How element-wise maps run: the layout of operands, what broadcasts, and pieces of work.

Covered are operands of float32 whose layout is that of rows with a step of 0 or 1 inside them:
contiguous arrays, slices, scalars, and what broadcasts among them. Arrays in Fortran's order are
gone through in that order; of other operands a copy is made first. A map that does not cover its
operands returns None. maps.pyx has the names.
"""
cimport numpy as cnp
from libc.stdint cimport int64_t, uint8_t

from tinytensor.kernels cimport _core, copies
from tinytensor.kernels.abi cimport (
    tt_binary_args, tt_compare_args, tt_unary_args, tt_where_args,
)
from tinytensor.kernels.arrays cimport is_plain_f32, is_readable_f32
from tinytensor.kernels.tuning cimport PIECE, SMALL, ceil_div

import numpy as np

cnp.import_array()

cdef cnp.dtype bool_dtype = np.dtype(bool)

cdef enum:
    MOST_AXES = 16  # of a call of two operands


# --- One operand -----------------------------------------------------------------------------


cdef struct unary_job:
    unary_kernel kernel
    tt_unary_args args
    int64_t rows_of_piece
    copies.Layout layout   # of x, if it has more than one axis


cdef void unary_piece(void *context, int64_t piece) noexcept nogil:
    cdef unary_job *job = <unary_job *> context
    cdef tt_unary_args args = job.args
    args.x += piece * PIECE
    args.out += piece * PIECE
    args.n = min(<int64_t> PIECE, args.n - piece * PIECE)
    job.kernel(&args)


# Rows of n elements, counted by the layout's axes but the last.
cdef void unary_piece_of_rows(void *context, int64_t piece) noexcept nogil:
    cdef unary_job *job = <unary_job *> context
    cdef tt_unary_args args = job.args
    cdef int last = job.layout.ndim - 1, axis
    cdef int64_t rows = 1, row, rest
    for axis in range(last):
        rows *= job.layout.shape[axis]
    for row in range(piece * job.rows_of_piece, min(rows, (piece + 1) * job.rows_of_piece)):
        args.x = job.args.x
        args.out = job.args.out + row * args.n
        rest = row
        for axis in range(last - 1, -1, -1):
            args.x += rest % job.layout.shape[axis] * job.layout.step[axis]
            rest = rest // job.layout.shape[axis]
        job.kernel(&args)


cdef object unary(unary_kernel kernel, object x, float p, float q):
    """The kernel over x; None if it does not cover x."""
    cdef unary_job job
    if not is_readable_f32(x):
        return None
    if not cnp.PyArray_IS_C_CONTIGUOUS(x):
        return unary_strided(kernel, x, p, q)
    out = _core.empty_f32(cnp.PyArray_NDIM(x), cnp.PyArray_DIMS(x))
    job.kernel = kernel
    job.args.x = <const float *> cnp.PyArray_DATA(x)
    job.args.out = <float *> cnp.PyArray_DATA(out)
    job.args.n = cnp.PyArray_SIZE(x)
    job.args.p = p
    job.args.q = q
    job.args.stream = _core.is_streamed(job.args.n)
    if job.args.n <= SMALL:
        kernel(&job.args)
    else:
        with nogil:
            _core.parallel_for(ceil_div(job.args.n, PIECE), unary_piece, &job)
    return out


cdef object unary_strided(unary_kernel kernel, cnp.ndarray x, float p, float q):
    cdef unary_job job
    cdef int64_t pieces, size = cnp.PyArray_SIZE(x)
    if cnp.PyArray_IS_F_CONTIGUOUS(x):
        return unary(kernel, x.T, p, q).T
    if (
        size == 0 or not copies.lay_out(x, &job.layout)
        or job.layout.step[job.layout.ndim - 1] != 1
    ):
        return unary(kernel, copies.copy(x), p, q)
    out = _core.empty_f32(cnp.PyArray_NDIM(x), cnp.PyArray_DIMS(x))
    job.kernel = kernel
    job.args.x = <const float *> cnp.PyArray_DATA(x)
    job.args.out = <float *> cnp.PyArray_DATA(out)
    job.args.n = job.layout.shape[job.layout.ndim - 1]
    job.args.p = p
    job.args.q = q
    job.args.stream = 0
    job.rows_of_piece = max(<int64_t> 1, PIECE // job.args.n)
    pieces = ceil_div(size // job.args.n, job.rows_of_piece)
    with nogil:
        _core.parallel_for(pieces, unary_piece_of_rows, &job)
    return out


# --- Two operands ----------------------------------------------------------------------------


# One broadcast call: the shape with as few axes as it can be written in, and each operand's steps.
cdef struct binary_job:
    binary_kernel kernel
    tt_binary_args args
    int ndim
    int64_t shape[MOST_AXES]
    int64_t a_step[MOST_AXES]
    int64_t b_step[MOST_AXES]
    int64_t rows            # of all axes but the last
    int64_t rows_of_piece


# A piece of a call with one axis: PIECE elements.
cdef void binary_piece(void *context, int64_t piece) noexcept nogil:
    cdef binary_job *job = <binary_job *> context
    cdef tt_binary_args args = job.args
    args.a += piece * PIECE * args.a_col
    args.b += piece * PIECE * args.b_col
    args.out += piece * PIECE
    args.cols = min(<int64_t> PIECE, args.cols - piece * PIECE)
    job.kernel(&args)


# A piece of a call with more axes: rows_of_piece rows, in runs along the last axis but one.
cdef void binary_piece_of_rows(void *context, int64_t piece) noexcept nogil:
    cdef binary_job *job = <binary_job *> context
    cdef tt_binary_args args = job.args
    cdef int last = job.ndim - 2
    cdef int64_t row = piece * job.rows_of_piece
    cdef int64_t end = min(job.rows, row + job.rows_of_piece)
    cdef int64_t rest, index
    cdef int axis
    while row < end:
        args.a = job.args.a
        args.b = job.args.b
        args.out = job.args.out + row * args.cols
        args.rows = min(end - row, job.shape[last] - row % job.shape[last])
        rest = row
        for axis in range(last, -1, -1):
            index = rest % job.shape[axis]
            rest = rest // job.shape[axis]
            args.a += index * job.a_step[axis]
            args.b += index * job.b_step[axis]
        job.kernel(&args)
        row += args.rows


cdef inline float as_float(object number) except? -1:
    return <float> <double> number


cdef int64_t size_of(cnp.ndarray x, int axis_from_the_end) noexcept:
    """The size of an axis, 1 where x has fewer axes."""
    cdef int axis = cnp.PyArray_NDIM(x) - axis_from_the_end
    return 1 if axis < 0 else cnp.PyArray_DIM(x, axis)


cdef int64_t step_of(cnp.ndarray x, int axis_from_the_end) noexcept:
    """The step of an axis in elements, 0 where x is broadcast."""
    if size_of(x, axis_from_the_end) == 1:
        return 0
    return cnp.PyArray_STRIDE(x, cnp.PyArray_NDIM(x) - axis_from_the_end) // 4


cdef int broadcast(binary_job *job, cnp.ndarray a, cnp.ndarray b, cnp.npy_intp *shape) noexcept:
    """Fill in the job's axes and ``shape``, the result's. -1: not covered, or an error."""
    cdef int ndim = max(cnp.PyArray_NDIM(a), cnp.PyArray_NDIM(b))
    cdef int from_end, axis, k = 0
    cdef int64_t na, nb, size, sa, sb
    if ndim > MOST_AXES:
        return -1
    # From the first axis to the last; an axis that continues the one before is merged into it.
    for axis in range(ndim):
        from_end = ndim - axis
        na = size_of(a, from_end)
        nb = size_of(b, from_end)
        if na != nb and na != 1 and nb != 1:
            return -1
        size = nb if na == 1 else na
        shape[axis] = size
        if size == 1:
            continue
        sa = step_of(a, from_end)
        sb = step_of(b, from_end)
        if k > 0 and job.a_step[k - 1] == sa * size and job.b_step[k - 1] == sb * size:
            job.shape[k - 1] *= size
            job.a_step[k - 1] = sa
            job.b_step[k - 1] = sb
        else:
            job.shape[k] = size
            job.a_step[k] = sa
            job.b_step[k] = sb
            k += 1
    if k == 0:
        job.shape[0] = 1
        job.a_step[0] = job.b_step[0] = 0
        k = 1
    job.ndim = k
    sa = job.a_step[k - 1]
    sb = job.b_step[k - 1]
    if (sa != 0 and sa != 1) or (sb != 0 and sb != 1):
        return -1
    return ndim


cdef inline int64_t elements(const binary_job *job) noexcept:
    cdef int64_t product = job.shape[0]
    cdef int axis
    for axis in range(1, job.ndim):
        product *= job.shape[axis]
    return product


cdef object run_binary(binary_job *job, int ndim, cnp.npy_intp *shape):
    """Run a job whose axes and operands are filled in; returns a new array."""
    out = _core.empty_f32(ndim, shape)
    job.args.stream = _core.is_streamed(elements(job))
    run_binary_into(job, out)
    return out


cdef void run_binary_into(binary_job *job, cnp.ndarray out) noexcept:
    """Run a job whose axes and operands are filled in; ``out`` is contiguous."""
    cdef int64_t size = elements(job), pieces
    cdef int last = job.ndim - 1
    job.args.out = <float *> cnp.PyArray_DATA(out)
    job.args.cols = job.shape[last]
    job.args.a_col = job.a_step[last]
    job.args.b_col = job.b_step[last]
    job.args.rows = 1
    job.args.a_row = job.args.b_row = 0
    if size == 0:
        return
    if last == 0:
        if size <= SMALL:
            job.kernel(&job.args)
        else:
            with nogil:
                _core.parallel_for(ceil_div(size, PIECE), binary_piece, job)
        return
    job.rows = size // job.args.cols
    job.args.a_row = job.a_step[last - 1]
    job.args.b_row = job.b_step[last - 1]
    job.rows_of_piece = max(<int64_t> 1, PIECE // job.args.cols)
    pieces = ceil_div(job.rows, job.rows_of_piece)
    if size <= SMALL:  # one piece
        binary_piece_of_rows(job, 0)
        return
    with nogil:
        _core.parallel_for(pieces, binary_piece_of_rows, job)


cdef bint needs_copy(cnp.ndarray x) noexcept:
    """Whether the elements along the last axis longer than 1 are neither adjacent nor the same."""
    cdef int axis = cnp.PyArray_NDIM(x) - 1
    while axis >= 0 and cnp.PyArray_DIM(x, axis) == 1:
        axis -= 1
    return axis >= 0 and cnp.PyArray_STRIDE(x, axis) != 0 and cnp.PyArray_STRIDE(x, axis) != 4


cdef object binary(binary_kernel kernel, object a, object b, float p, float q):
    """The kernel over a and b broadcast, each an array or a number; None if it does not cover."""
    cdef binary_job job
    cdef cnp.npy_intp shape[MOST_AXES]
    cdef float number
    cdef int ndim
    job.kernel = kernel
    job.args.p = p
    job.args.q = q
    job.ndim = 1
    if is_readable_f32(a):
        job.args.a = <const float *> cnp.PyArray_DATA(a)
        if is_readable_f32(b):
            job.args.b = <const float *> cnp.PyArray_DATA(b)
            if (
                cnp.PyArray_SAMESHAPE(a, b)
                and cnp.PyArray_IS_C_CONTIGUOUS(a) and cnp.PyArray_IS_C_CONTIGUOUS(b)
            ):
                job.shape[0] = cnp.PyArray_SIZE(a)
                job.a_step[0] = job.b_step[0] = 1
                return run_binary(&job, cnp.PyArray_NDIM(a), cnp.PyArray_DIMS(a))
            if (
                cnp.PyArray_SAMESHAPE(a, b)
                and cnp.PyArray_IS_F_CONTIGUOUS(a) and cnp.PyArray_IS_F_CONTIGUOUS(b)
            ):
                return binary(kernel, a.T, b.T, p, q).T
            ndim = broadcast(&job, a, b, shape)
            if ndim >= 0:
                return run_binary(&job, ndim, shape)
            if needs_copy(a) or needs_copy(b):
                return binary(
                    kernel, copies.copy(a) if needs_copy(a) else a,
                    copies.copy(b) if needs_copy(b) else b, p, q,
                )
            return None
        if type(b) is float or type(b) is int:
            if not cnp.PyArray_IS_C_CONTIGUOUS(a):
                if cnp.PyArray_IS_F_CONTIGUOUS(a):
                    return binary(kernel, a.T, b, p, q).T
                return binary(kernel, copies.copy(a), b, p, q)
            number = as_float(b)
            job.args.b = &number
            job.shape[0] = cnp.PyArray_SIZE(a)
            job.a_step[0] = 1
            job.b_step[0] = 0
            return run_binary(&job, cnp.PyArray_NDIM(a), cnp.PyArray_DIMS(a))
    elif (type(a) is float or type(a) is int) and is_readable_f32(b):
        if not cnp.PyArray_IS_C_CONTIGUOUS(b):
            if cnp.PyArray_IS_F_CONTIGUOUS(b):
                return binary(kernel, a, b.T, p, q).T
            return binary(kernel, a, copies.copy(b), p, q)
        number = as_float(a)
        job.args.a = &number
        job.args.b = <const float *> cnp.PyArray_DATA(b)
        job.shape[0] = cnp.PyArray_SIZE(b)
        job.a_step[0] = 0
        job.b_step[0] = 1
        return run_binary(&job, cnp.PyArray_NDIM(b), cnp.PyArray_DIMS(b))
    return None


cdef bint binary_into(binary_kernel kernel, object total, object x):
    """The kernel over ``total`` and x, of one shape, into ``total``; False if it does not cover."""
    cdef binary_job job
    if not (
        is_plain_f32(total) and is_plain_f32(x) and cnp.PyArray_SAMESHAPE(total, x)
        and cnp.PyArray_ISWRITEABLE(total)
    ):
        return False
    job.kernel = kernel
    job.args.a = <const float *> cnp.PyArray_DATA(total)
    job.args.b = <const float *> cnp.PyArray_DATA(x)
    job.ndim = 1
    job.shape[0] = cnp.PyArray_SIZE(total)
    job.a_step[0] = job.b_step[0] = 1
    job.args.stream = 0
    run_binary_into(&job, total)
    return True


# --- Comparison and choice -------------------------------------------------------------------


cdef int64_t fit(object x, object like, float *number, const float **data) except -2:
    """The step of x as an operand of the shape of ``like``, its data filled in; -1: not covered."""
    if type(x) is float or type(x) is int:
        number[0] = as_float(x)
        data[0] = number
        return 0
    if is_plain_f32(x):
        if cnp.PyArray_SAMESHAPE(x, like):
            data[0] = <const float *> cnp.PyArray_DATA(x)
            return 1
        if cnp.PyArray_SIZE(x) == 1 and cnp.PyArray_NDIM(x) <= cnp.PyArray_NDIM(like):
            data[0] = <const float *> cnp.PyArray_DATA(x)
            return 0
    return -1


cdef struct compare_job:
    compare_kernel kernel
    tt_compare_args args


cdef void compare_piece(void *context, int64_t piece) noexcept nogil:
    cdef compare_job *job = <compare_job *> context
    cdef tt_compare_args args = job.args
    args.a += piece * PIECE * args.a_step
    args.b += piece * PIECE * args.b_step
    args.out += piece * PIECE
    args.n = min(<int64_t> PIECE, args.n - piece * PIECE)
    job.kernel(&args)


cdef object compare(compare_kernel kernel, object a, object b):
    """The comparison of a plain array with another of its shape or a number; None: not covered."""
    cdef compare_job job
    cdef float a_number, b_number
    like = a if cnp.PyArray_CheckExact(a) else b
    if cnp.PyArray_CheckExact(b) and cnp.PyArray_SIZE(b) > cnp.PyArray_SIZE(like):
        like = b
    if not is_plain_f32(like):
        return None
    job.args.a_step = fit(a, like, &a_number, &job.args.a)
    job.args.b_step = fit(b, like, &b_number, &job.args.b)
    if job.args.a_step < 0 or job.args.b_step < 0:
        return None
    out = _core.empty_of(cnp.PyArray_NDIM(like), cnp.PyArray_DIMS(like), bool_dtype)
    job.kernel = kernel
    job.args.out = <uint8_t *> cnp.PyArray_DATA(out)
    job.args.n = cnp.PyArray_SIZE(out)
    if job.args.n <= SMALL:
        if job.args.n:
            kernel(&job.args)
    else:
        with nogil:
            _core.parallel_for(ceil_div(job.args.n, PIECE), compare_piece, &job)
    return out


cdef void where_piece(void *context, int64_t piece) noexcept nogil:
    cdef tt_where_args args = (<tt_where_args *> context)[0]
    args.condition += piece * PIECE
    args.a += piece * PIECE * args.a_step
    args.b += piece * PIECE * args.b_step
    args.out += piece * PIECE
    args.n = min(<int64_t> PIECE, args.n - piece * PIECE)
    _core.table.where_f32(&args)


cdef object choose(object condition, object a, object b):
    """a where the condition holds, b elsewhere, as compare takes them; None: not covered."""
    cdef tt_where_args args
    cdef float a_number, b_number
    if (
        cnp.PyArray_CheckExact(condition)
        and cnp.PyArray_TYPE(condition) == cnp.NPY_BOOL
        and cnp.PyArray_IS_C_CONTIGUOUS(condition)
        and (cnp.PyArray_CheckExact(a) or cnp.PyArray_CheckExact(b))
    ):
        args.a_step = fit(a, condition, &a_number, &args.a)
        args.b_step = fit(b, condition, &b_number, &args.b)
        args.n = cnp.PyArray_SIZE(condition)
        if args.a_step >= 0 and args.b_step >= 0 and args.n:
            out = _core.empty_f32(cnp.PyArray_NDIM(condition), cnp.PyArray_DIMS(condition))
            args.condition = <const uint8_t *> cnp.PyArray_DATA(condition)
            args.out = <float *> cnp.PyArray_DATA(out)
            args.stream = _core.is_streamed(args.n)
            with nogil:
                _core.parallel_for(ceil_div(args.n, PIECE), where_piece, &args)
            return out
    return None
