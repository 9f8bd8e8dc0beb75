"""The shape and dtype of an array, taken and compared without a detour through Python.

The engine asks for them at every node: for small tensors that is a tenth of a backward pass.
"""
cimport cython
cimport numpy as cnp
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM

import numpy as np

from . import reference

cnp.import_array()

__all__ = ["has_spec", "one", "shares", "spec"]

cdef object one_f32 = reference.one(np.zeros((), np.float32))


cdef object dtype_of(cnp.ndarray array):
    return <object> <PyObject *> cnp.PyArray_DESCR(array)


cdef bint has_shape(cnp.ndarray array, tuple shape) except -1:
    cdef int i
    if len(shape) != array.ndim:
        return False
    for i in range(array.ndim):
        if array.shape[i] != <Py_ssize_t> shape[i]:
            return False
    return True


# What spec made last: often the next array is like the one before. The lock is for threads that no
# GIL holds back; elsewhere it is nothing.
cdef tuple latest = ((), one_f32.dtype)
cdef object lock = one_f32


def spec(x):
    """See :func:`tinytensor.kernels.reference.spec`."""
    global latest
    if not cnp.PyArray_Check(x):
        return reference.spec(x)
    cdef cnp.ndarray array = <cnp.ndarray> x
    cdef tuple made
    with cython.critical_section(lock):
        made = latest
    if dtype_of(array) is made[1] and has_shape(array, <tuple> made[0]):
        return made
    if cnp.PyArray_ITEMSIZE(array) == 2:  # maybe 16-bit floats
        return reference.spec(x)
    cdef tuple shape = PyTuple_New(array.ndim)
    cdef object size
    cdef int i
    for i in range(array.ndim):
        size = array.shape[i]
        Py_INCREF(size)  # PyTuple_SET_ITEM takes a reference
        PyTuple_SET_ITEM(shape, i, size)
    made = shape, dtype_of(array)
    with cython.critical_section(lock):
        latest = made
    return made


def has_spec(x, tuple wanted):
    """See :func:`tinytensor.kernels.reference.has_spec`."""
    if not cnp.PyArray_Check(x):
        return reference.has_spec(x, wanted)
    cdef cnp.ndarray array = <cnp.ndarray> x
    if not has_shape(array, <tuple?> wanted[0]):
        return False
    return dtype_of(array) is wanted[1] or dtype_of(array) == wanted[1]


def one(x):
    """See :func:`tinytensor.kernels.reference.one`."""
    if (
        cnp.PyArray_CheckExact(x) and cnp.PyArray_NDIM(x) == 0
        and cnp.PyArray_TYPE(x) == cnp.NPY_FLOAT32 and cnp.PyArray_ISNOTSWAPPED(x)
    ):
        return one_f32
    return reference.one(x)


def shares(x, source):
    """See :func:`tinytensor.kernels.reference.shares`."""
    if not cnp.PyArray_Check(x) or not cnp.PyArray_Check(source):
        return reference.shares(x, source)
    cdef PyObject *base = <PyObject *> cnp.PyArray_BASE(<cnp.ndarray> x)
    if x is source or (base != NULL and base == <PyObject *> source):
        return True
    if base != NULL and base == <PyObject *> cnp.PyArray_BASE(<cnp.ndarray> source):
        return True
    return base != NULL and reference.shares(x, source)
