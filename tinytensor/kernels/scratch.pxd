# Scratch memory for the pieces of one call: a stretch for each thread that may be working on it.
cimport numpy as cnp
from libc.stdint cimport int64_t
from libc.string cimport memset

from tinytensor.kernels cimport _core

cdef extern from *:
    """
    static inline int tt_try_take(int *flag)
    {
        return __atomic_exchange_n(flag, 1, __ATOMIC_ACQUIRE) == 0;
    }
    static inline void tt_give_back(int *flag) { __atomic_store_n(flag, 0, __ATOMIC_RELEASE); }
    """
    bint tt_try_take(int *flag) nogil
    void tt_give_back(int *flag) nogil

cdef enum:
    MOST_SLOTS = 256


cdef struct Scratch:
    float *memory
    int64_t size
    int slots
    int taken[MOST_SLOTS]


cdef inline float *allocate(cnp.npy_intp n, list keep):
    """Memory for n floats, for as long as ``keep`` lives."""
    cdef cnp.ndarray memory = _core.empty_f32(1, &n)
    keep.append(memory)
    return <float *> cnp.PyArray_DATA(memory)


cdef inline void make_scratch(
    Scratch *scratch, int64_t size, int64_t pieces, int threads, list keep
):
    memset(scratch, 0, sizeof(Scratch))
    scratch.size = (size + 15) & ~15
    scratch.slots = min(threads, MOST_SLOTS, max(pieces, 1))
    scratch.memory = allocate(scratch.size * scratch.slots, keep)


cdef inline int take_slot(Scratch *scratch) noexcept nogil:
    """A slot of one's own; there are as many as threads, so the wait is short if there is one."""
    cdef int slot = 0
    while not tt_try_take(&scratch.taken[slot]):
        slot = (slot + 1) % scratch.slots
    return slot


cdef inline float *memory_of(const Scratch *scratch, int slot) noexcept nogil:
    return scratch.memory + slot * scratch.size


cdef inline void give_back(Scratch *scratch, int slot) noexcept nogil:
    tt_give_back(&scratch.taken[slot])
