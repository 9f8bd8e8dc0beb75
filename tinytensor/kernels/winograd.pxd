# 3 × 3 convolution of stride 1 by Winograd's minimal filtering: what conv.pyx asks for.
from libc.stdint cimport int64_t

# Shapes of the convolution of x (images, channels, depth, height, width) to an output (images,
# filters, out_depth, out_height, out_width), with `top` and `left` rows and columns of padding:
# 0, 1 or 2 on each side, so that no output sees padding alone. Of planes there may be any padding.
cdef struct Planes:
    int64_t images, channels, filters
    int64_t depth, height, width
    int64_t out_depth, out_height, out_width
    int64_t front, top, left
    int64_t kernel_z, stride_z, dilation_z  # the planes of x that a plane of the output sees

# Is it faster than a product with the matrix of patches?
cdef bint winograd_pays(const Planes *s) noexcept nogil

# The output. Tap t of filter k, channel c and plane q is at weight[k * filter_step +
# c * channel_step + q * plane_step + t], or 8 - t if `reversed`. bias may be NULL. The images of
# which it is not exact are returned, as runs: where something is not finite or too large, or some
# output sees only what is small beside the largest of its tile, or of its filter's weights.
cdef list winograd(
    const Planes *s, const float *x, const float *weight, int64_t filter_step,
    int64_t channel_step, int64_t plane_step, bint reversed, const float *bias, float *out,
)

# The gradient of the weight (filters, channels, kernel_z, 3, 3), from x and g, of the output's
# shape. False if it is not exact, and has not been made.
cdef bint winograd_grad_w(const Planes *s, const float *x, const float *g, float *out) except -1
