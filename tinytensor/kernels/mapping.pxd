# How maps run: what maps.pyx asks for. Each call returns None if the kernel does not cover it.
from tinytensor.kernels.abi cimport tt_binary_args, tt_compare_args, tt_unary_args

ctypedef void (*unary_kernel)(const tt_unary_args *) noexcept nogil
ctypedef void (*binary_kernel)(const tt_binary_args *) noexcept nogil
ctypedef void (*compare_kernel)(const tt_compare_args *) noexcept nogil

# The kernel over x.
cdef object unary(unary_kernel kernel, object x, float p, float q)

# The kernel over a and b broadcast, each an array or a number.
cdef object binary(binary_kernel kernel, object a, object b, float p, float q)

# The kernel over two arrays of one shape, into the first. False if it does not cover them.
cdef bint binary_into(binary_kernel kernel, object total, object x)

# The comparison of an array in C order with another of its shape, or with a number.
cdef object compare(compare_kernel kernel, object a, object b)

# a where the condition holds, b elsewhere; both of its shape, or numbers.
cdef object choose(object condition, object a, object b)
