# The C types of core.py, for the build that compiles it.

cimport cython

from tinytensor.engine.plan cimport Plan

cdef bint starts_empty

cdef class Version:
    cdef public long long count, recorded
    cdef public object changed_by, instead

cdef class Variable:
    cdef public object value, grad
    cdef public Node node
    cdef public Version version
    cdef public list hooks
    cdef public tuple view_of
    cdef public bint tracked, unshared, rounded
    cdef public long long as_of
    cdef public int level
    cdef object __weakref__
    @cython.locals(version=Version)
    cpdef changed(self, by, instead=*)

cdef class Node:
    cdef public object op, spec, where, recompute
    cdef public Plan plan
    cdef public tuple parents
    cdef public list hooks, saved, guards
    cdef public long long depth
    cdef public Py_ssize_t index
    cdef object __weakref__
    @cython.locals(output=Variable, i=cython.Py_ssize_t)
    cpdef attach(self, outputs)
    @cython.locals(version=Version)
    cpdef list restore(self)
    @cython.locals(
        plan=Plan, restored=list, slot=cython.Py_ssize_t, places=tuple, cotangents=list
    )
    cpdef list pull(self, g, useful)

cdef class BackwardPass:
    cdef public bint by_ops
    cdef public object family, has_spec, spec_of, wanted
    cdef public long long pushed
    cdef public dict pending
    cdef public tuple observers
    cdef public set owned, useful
    cdef public list heap
    @cython.locals(node=Node, variable=Variable, total=Variable)
    cpdef deliver(self, target, Variable cotangent)
    cpdef deliver_output(self, Node output, Variable cotangent)
    @cython.locals(node=Node, leaf=Variable, pulled=list, i=cython.Py_ssize_t)
    cpdef dict run(self, bint retain_graph)

@cython.locals(version=Version)
cpdef Version version_of(Variable variable)
@cython.locals(variable=Variable)
cpdef Variable wrap(type family, value)
cpdef edge(Variable variable)
cpdef refresh(Variable variable)
@cython.locals(total=Variable)
cpdef add_to_grad(Variable variable, Variable gradient, bint recorded)
cpdef add_into(Variable total, Variable other)
cpdef owned(Variable gradient, given=*)
@cython.locals(work=BackwardPass, output=Variable, i=cython.Py_ssize_t)
cpdef dict backpropagate(tuple outputs, tuple cotangents, wanted, retain_graph, create_graph)
@cython.locals(node=Node, node_parent=Node)
cpdef Node new_node(op, plan, tuple parents, spec, Py_ssize_t index)
