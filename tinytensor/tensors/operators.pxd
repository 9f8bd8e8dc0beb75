# The C types of operators.py, for the build that compiles it.

from tinytensor.engine.core cimport Variable
from tinytensor.engine.operation cimport Op

# Cython puts __add__ and its like into the class as methods too, in place of the wrappers that
# Python makes of the slots. But only for a wrapper does a subclass inherit the slot itself; for a
# method it looks the name up at each x + y. Without this flag the wrappers stay.
cdef extern from *:
    """
    #undef METH_COEXIST
    #define METH_COEXIST 0
    """

cdef Op abs
cdef Op add
cdef Op basic_index
cdef Op bitwise_and
cdef Op bitwise_invert
cdef Op bitwise_left_shift
cdef Op bitwise_or
cdef Op bitwise_right_shift
cdef Op bitwise_xor
cdef Op divide
cdef Op equal
cdef Op floor_divide
cdef Op greater
cdef Op greater_equal
cdef Op less
cdef Op less_equal
cdef Op matmul
cdef Op matrix_transpose
cdef Op mean_op
cdef Op multiply
cdef Op negative
cdef Op not_equal
cdef Op permute_dims
cdef Op pow
cdef Op remainder
cdef Op reshape_op
cdef Op subtract
cdef Op sum_op

cpdef tuple as_shape(tuple sizes)

cdef bint compiled

cdef class Gradient:
    pass

cpdef grad_of(Variable variable)
cpdef set_grad(Variable variable, gradient)

cdef class Operators(Variable):
    pass
