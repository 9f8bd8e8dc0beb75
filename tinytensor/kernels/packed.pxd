# What other kernels need of packed matrices.
from tinytensor.kernels.abi cimport tt_packed_args


# Can the kernels read the matrix? Shapes are checked, as the kernels trust them.
cdef bint set_matrix(
    tt_packed_args *args, object kind, object data, object columns, object scales
) except -1
