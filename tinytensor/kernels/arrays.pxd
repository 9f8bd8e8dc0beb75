# What the kernel modules ask of their arguments.
cimport numpy as cnp
from libc.stdint cimport int64_t

from tinytensor.kernels cimport copies


# Can the kernels take it, after a copy where they cannot read it: a native float32 ndarray?
cdef inline bint is_f32(object x) noexcept:
    return (
        cnp.PyArray_CheckExact(x)
        and cnp.PyArray_TYPE(x) == cnp.NPY_FLOAT32
        and cnp.PyArray_ISNOTSWAPPED(x)
    )


# The same for an argument that may be left out.
cdef inline bint is_f32_or_none(object x) noexcept:
    return x is None or is_f32(x)


# Can the kernels read it where it lies, by its strides: such an array, aligned?
cdef inline bint is_readable_f32(object x) noexcept:
    return (
        cnp.PyArray_CheckExact(x)
        and cnp.PyArray_TYPE(x) == cnp.NPY_FLOAT32
        and cnp.PyArray_ISBEHAVED_RO(x)
    )


# Can they read it element after element: such an array, in C order?
cdef inline bint is_plain_f32(object x) noexcept:
    return is_readable_f32(x) and cnp.PyArray_IS_C_CONTIGUOUS(x)


# The array itself if it is C-contiguous and aligned, otherwise such a copy.
cdef inline cnp.ndarray contiguous(object x):
    return x if cnp.PyArray_ISCARRAY_RO(x) else copies.copy(x)


# The data of an array of floats; NULL for None.
cdef inline float *data_f32(object x) noexcept:
    return NULL if x is None else <float *> cnp.PyArray_DATA(x)


# Where byte or float i of x is; NULL where x is NULL.
cdef inline char *byte_at(const void *x, int64_t i) noexcept nogil:
    return <char *> x + i if x != NULL else NULL


cdef inline float *float_at(const float *x, int64_t i) noexcept nogil:
    return <float *> x + i if x != NULL else NULL


# The halves of an array (2, …): the largest x, and the sum of exp(x - largest).
cdef inline void set_sums(float **top, float **sum, cnp.ndarray lse) noexcept:
    top[0] = data_f32(lse)
    sum[0] = top[0] + cnp.PyArray_SIZE(lse) // 2
