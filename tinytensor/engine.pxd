# The C types of engine.py, for the build that compiles it.

cdef class Version:
    cdef public long long count
    cdef public object changed_by

cdef class Variable:
    cdef public object value, grad
    cdef public Node node
    cdef public Version version
    cdef public list hooks
    cdef public bint tracked, fresh
    cdef object __weakref__

cdef class Node:
    cdef public object op, plan, spec
    cdef public tuple parents
    cdef public list hooks, saved, guards
    cdef public long long depth, index
    cpdef attach(self, list outputs)
    cpdef list restore(self)
    cpdef pull(self, g, useful)

cdef class BackwardPass:
    cdef public bint create_graph
    cdef public dict pending
    cdef public set owned, wanted, useful
    cdef public list heap
    cpdef deliver(self, target, Variable cotangent)
    cpdef deliver_output(self, Node output, Variable cotangent)
    cpdef dict run(self, bint retain_graph)

cpdef Variable wrap(family, value)
cpdef edge(Variable variable)
cpdef owned(Variable gradient)
