# 3 × 3 convolution of stride 1 by Winograd's minimal filtering: what conv.pyx asks for.
from libc.stdint cimport int64_t

# Shapes of the convolution of x (images, channels, height, width) to an output (images, filters,
# out_height, out_width), with `top` and `left` rows and columns of padding, which may be negative.
cdef struct Planes:
    int64_t images, channels, filters
    int64_t height, width
    int64_t out_height, out_width
    int64_t top, left

# Is it faster than a product with the matrix of patches?
cdef bint winograd_pays(const Planes *s) noexcept nogil

# The images of x, as runs, of which it would not be exact: where pixels are not finite, or some
# output sees only ones much smaller than others of its tile. All, if the weights are not finite.
cdef list odd_images(const Planes *s, const float *x, const float *weight)

# The output. Tap t of filter k and channel c is at weight[k * filter_step + c * channel_step + t],
# or 8 - t if `reversed`. bias may be NULL.
cdef int winograd(
    const Planes *s, const float *x, const float *weight, int64_t filter_step,
    int64_t channel_step, bint reversed, const float *bias, float *out,
) except -1

# The gradient of the weight (filters, channels, 3, 3), from x and g, of the output's shape.
cdef int winograd_grad_w(const Planes *s, const float *x, const float *g, float *out) except -1
