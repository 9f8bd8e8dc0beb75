# Arrays as the kernels want them: what other kernel modules take from copies.pyx.
cimport numpy as cnp
from libc.stdint cimport int64_t

cdef enum:
    MOST_AXES = 64

# The shape of an array with as few axes as it can be written in, and the steps in elements.
cdef struct Layout:
    int ndim
    int64_t shape[MOST_AXES]
    int64_t step[MOST_AXES]

# Fill in the layout of a float32 array that is not empty. False if a stride is no whole step.
cdef bint lay_out(cnp.ndarray x, Layout *layout) noexcept

# A new copy of x in C order.
cpdef cnp.ndarray copy(x)

# x itself if it is C-contiguous and aligned, otherwise such a copy.
cpdef cnp.ndarray contiguous(x)
