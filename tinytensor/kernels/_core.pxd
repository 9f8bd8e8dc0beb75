# What _core offers to the other kernel modules: the table of kernels, the threads, output memory.
cimport numpy as cnp
from libc.stdint cimport int64_t

from tinytensor.kernels.abi cimport tt_kernels


# The table of the instruction set in use: _core.table.add_f32(&args).
cdef const tt_kernels *table

# Bytes of the caches of data: a core's share of the first and of the second, and of the last what
# counts. How work is cut by them, tuning.pxd tells.
cdef struct Caches:
    int64_t first, second, last

cdef Caches caches

# Run run(context, piece) for each piece, the caller working too; needs no GIL.
cdef void parallel_for(
    int64_t pieces, void (*run)(void *context, int64_t piece) noexcept nogil, void *context
) noexcept nogil

# Run run(context, step, piece) for each step, a piece once all of the step before are done.
cdef void parallel_steps(
    int64_t steps, int64_t pieces,
    void (*run)(void *context, int64_t step, int64_t piece) noexcept nogil, void *context
) noexcept nogil

# A new C-contiguous array, its elements not set. No shape check: the caller's is sane.
cdef cnp.ndarray empty_f32(int ndim, const cnp.npy_intp *shape)
cdef cnp.ndarray empty_of(int ndim, const cnp.npy_intp *shape, cnp.dtype dtype)

# A new C-contiguous array, its elements not set.
cpdef cnp.ndarray empty(object shape, object dtype=*)

# Is an output of so many floats so large that it does not stay in the caches until it is read: with
# an input of its size more than three quarters of the last? Then a kernel stores it past them,
# which saves reading the memory first: a third of an addition's traffic. Several threads wait less
# for such reads than one does: with them it is a third more.
cdef extern from *:
    """
    #include <stdint.h>
    typedef _Atomic int64_t tt_atomic_int64;
    """
    ctypedef int64_t atomic_int64 "tt_atomic_int64"

cdef atomic_int64 streamed_from  # set_num_threads changes it while other threads' kernels read it
cdef inline bint is_streamed(int64_t size) noexcept nogil:
    return size >= streamed_from
