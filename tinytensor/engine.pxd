# The C types of engine.py, for the build that compiles it.

cimport cython

cdef bint starts_empty

cdef class Version:
    cdef public long long count, rebased
    cdef public object changed_by, instead

cdef class Variable:
    cdef public object value, grad
    cdef public Node node
    cdef public Version version
    cdef public list hooks
    cdef public tuple origin
    cdef public bint tracked, fresh
    cdef public long long seen
    cdef public int level
    cdef object __weakref__

cdef class Node:
    cdef public object op, plan, spec, where, recompute
    cdef public tuple parents
    cdef public list hooks, saved, guards
    cdef public long long depth
    cdef public Py_ssize_t index
    cdef object __weakref__
    @cython.locals(output=Variable, i=cython.Py_ssize_t)
    cpdef attach(self, outputs)
    @cython.locals(version=Version)
    cpdef list restore(self)
    @cython.locals(restored=list, slot=cython.Py_ssize_t)
    cpdef pull(self, g, useful)

cdef class BackwardPass:
    cdef public bint by_ops
    cdef public object family, spec_of, has_spec
    cdef public long long pushed
    cdef public dict pending
    cdef public tuple observers
    cdef public set owned, wanted, useful
    cdef public list heap
    @cython.locals(node=Node, variable=Variable)
    cpdef deliver(self, target, Variable cotangent)
    cpdef push(self, Node node)
    cpdef deliver_output(self, Node output, Variable cotangent)
    @cython.locals(node=Node, variable=Variable)
    cpdef dict run(self, bint retain_graph)

@cython.locals(version=Version)
cpdef Version version_of(Variable variable)
@cython.locals(variable=Variable)
cpdef Variable wrap(type family, value)
cpdef edge(Variable variable)
cpdef refresh(Variable variable)
cpdef owned(Variable gradient, given=*)
@cython.locals(node=Node, node_parent=Node, depth=cython.longlong)
cpdef Node new_node(op, plan, tuple parents, spec, Py_ssize_t index)
