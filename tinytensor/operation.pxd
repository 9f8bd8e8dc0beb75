# The C types of operation.py, for the build that compiles it.

from tinytensor.engine cimport Node, Variable, edge, wrap

cdef class Plan:
    cdef public tuple names, needs, positions
    cdef public list picks, rules
    cdef public Py_ssize_t out_at

cdef class Op:
    cdef dict __dict__
    cdef public object forward, family
    cdef public Py_ssize_t outputs, arity
    cdef public bint view, variadic, plain
    cdef public tuple residuals
    cdef public list names, static
    cdef public dict rules, plans, defaults
    cdef public object joint
    cpdef record(self, args, static, list inputs, got, list out)
    cpdef save(self, Node node, args, static, residuals, list out)
