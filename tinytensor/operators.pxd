# The C types of operators.py, for the build that compiles it.

from tinytensor.engine cimport Variable
from tinytensor.operation cimport Op

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
cdef Op multiply
cdef Op negative
cdef Op not_equal
cdef Op permute_dims
cdef Op pow
cdef Op remainder
cdef Op reshape_op
cdef Op subtract

cpdef tuple as_shape(tuple sizes)

cdef class Operators(Variable):
    pass
