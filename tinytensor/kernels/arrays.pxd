# What the kernel modules ask of their arguments, and how they cut rows into pieces.
cimport numpy as cnp
from libc.stdint cimport int64_t

from tinytensor.kernels cimport copies


# Can the kernels take it, after a copy if it is not contiguous: a native float32 ndarray?
cdef inline bint is_f32(object x) noexcept:
    return (
        cnp.PyArray_CheckExact(x)
        and cnp.PyArray_TYPE(x) == cnp.NPY_FLOAT32
        and cnp.PyArray_ISNOTSWAPPED(x)
    )


# The same for an argument that may be left out.
cdef inline bint is_f32_or_none(object x) noexcept:
    return x is None or is_f32(x)


# The array itself if it is C-contiguous and aligned, else such a copy.
cdef inline cnp.ndarray contiguous(object x):
    return x if cnp.PyArray_ISCARRAY_RO(x) else copies.copy(x)


# The data of an array of floats; NULL for None.
cdef inline float *data_f32(object x) noexcept:
    return NULL if x is None else <float *> cnp.PyArray_DATA(x)


# How many of the rows, of n elements each, make a piece of about `work` elements.
cdef inline int64_t rows_of_piece(int64_t n, int64_t work) noexcept nogil:
    return 1 if n >= work else work // (n if n else 1)


cdef inline int64_t ceil_div(int64_t n, int64_t by) noexcept nogil:
    return (n + by - 1) // by
