# Convolution of few channels or to few filters, without patches: what conv.pyx asks for.
from libc.stdint cimport int64_t

from tinytensor.kernels.conv cimport Geometry

# Is it faster than a product with the matrix of patches?
cdef bint direct_pays(const Geometry *s) noexcept nogil

# The output; weight is (groups, filters, taps), bias may be NULL.
cdef int direct(
    const Geometry *s, const float *x, const float *weight, const float *bias, float *out
) except -1

# The gradient of x for any stride, of few filters, from g of the output's shape.
cdef bint direct_grad_x_pays(const Geometry *s) noexcept nogil
cdef int direct_grad_x(
    const Geometry *s, const float *g, const float *weight, float *out
) except -1

# The same for 3×3 taps at stride 2, of one channel and filter. The weight must be finite: taps are
# multiplied by the zeros around g too.
cdef bint direct_gather_pays(const Geometry *s) noexcept nogil
cdef int direct_gather(
    const Geometry *s, const float *g, const float *weight, float *out
) except -1

# The gradient of the weight (groups, filters, taps), from x and g, of the output's shape.
cdef bint direct_grad_w_pays(const Geometry *s) noexcept nogil
cdef int direct_grad_w(
    const Geometry *s, const float *x, const float *g, float *out
) except -1
