# The C types of operation.py, for the build that compiles it.

cimport cython

from tinytensor.engine.core cimport (
    Node, Variable, Version, edge, new_node, refresh, version_of, wrap
)
from tinytensor.engine.plan cimport Plan

cdef extern from *:
    """
    typedef _Atomic int tt_atomic_int;
    """
    ctypedef int atomic_int "tt_atomic_int"

cdef atomic_int observed  # read in every thread while another one counts
cdef int OUT, NEEDS, SHAPE
cdef tuple UNRECORDED

@cython.final  # otherwise each call of a method looks whether a subclass has another one
cdef class Op:
    cdef dict __dict__
    cdef public object forward
    cdef public type family
    cdef public Py_ssize_t outputs, arity, dtype_at
    cdef public int view
    cdef public bint variadic, may_copy
    cdef public long long operands
    cdef public tuple residuals, tail
    cdef public list names, static, known
    cdef public dict rules, plans, defaults, synonyms
    cdef public object joint
    @cython.locals(
        needing=cython.longlong, bit=cython.longlong, variable=Variable, highest=Variable,
        level=cython.int, missing=cython.Py_ssize_t, narrow=bint, plain=bint,
        foreign=bint, listed=bint,
    )
    cpdef call(self, tuple args, dict kwargs)
    @cython.locals(bound=dict, names=list)
    cpdef tuple bind(self, tuple args, dict kwargs)
    @cython.locals(variable=Variable)
    cpdef wrap_all(self, tuple args, static, long long needing, got, bint narrow)
    @cython.locals(source=Variable)
    cpdef share(self, tuple args, static, Variable view, Py_ssize_t place, bint constant)
    @cython.locals(plan=Plan, parents=list, variable=Variable, node=Node)
    cpdef Node record(self, tuple args, static, long long needing, residuals, out)
    @cython.locals(
        plan=Plan, saved=list, guards=list, variable=Variable, slot=cython.Py_ssize_t,
        position=cython.Py_ssize_t, first_static=cython.Py_ssize_t,
        first_residual=cython.Py_ssize_t, first_note=cython.Py_ssize_t,
    )
    cpdef save(self, Node node, tuple args, static, residuals, out)

cdef raw(argument)
@cython.locals(version=Version)
cdef tuple guard(Variable variable, str name)
@cython.locals(other=Variable)
cpdef Variable stand_in(Variable variable, type family)
@cython.locals(variable=Variable)
cpdef would_record(arguments)
cpdef count_observers(int more)
cpdef Plan plan_of(op, inputs)
