# What is convolved: the shapes and steps that the methods of convolution share.
from libc.stdint cimport int64_t

cdef extern from "tinytensor.h" nogil:
    ctypedef struct tt_conv_args:
        float *image
        float *patches
        int64_t patch_row
        int64_t tap, taps, pixel, pixels
        int64_t height, width
        int64_t out_width
        int64_t kernel_y, kernel_x
        int64_t stride_y, stride_x
        int64_t dilation_y, dilation_x
        int64_t top, left


# ``items`` are the groups of the images: images × groups.
cdef struct Geometry:
    int64_t images, groups, items
    int64_t channels, filters  # of a group
    int64_t taps, pixels  # sizes of the matrix of patches
    int64_t image_size  # of a group: channels × height × width
    bint pointwise  # the matrix of patches is the image itself
    tt_conv_args conv
