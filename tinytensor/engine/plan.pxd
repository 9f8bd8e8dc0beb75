# The C types of plan.py, for the build that compiles it.

cdef class Plan:
    cdef public tuple names, needs, positions
    cdef public list inputs, picks, rules
    cdef public Py_ssize_t out_at
    cdef public object spec_of
