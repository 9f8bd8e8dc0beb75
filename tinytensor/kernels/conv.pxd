# What is convolved: the shapes and steps that the methods of convolution share.
from libc.stdint cimport int64_t

from tinytensor.kernels.abi cimport tt_conv_args


# ``items`` are the groups of the images: images × groups.
cdef struct Geometry:
    int64_t images, groups, items
    int64_t channels, filters  # of a group
    int64_t area, out_depth  # area: of a kernel
    int64_t taps, pixels  # sizes of the matrix of patches
    int64_t image_size  # of a group: channels × depth × height × width
    int axes  # 1, 2 or 3
    int64_t out_axes[3]  # sizes of the output, 1 in front of its axes
    bint flat  # of one plane
    bint pointwise  # the matrix of patches is the image itself
    tt_conv_args conv
