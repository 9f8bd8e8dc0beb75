"""The C side's door: instruction sets, the thread pool, memory for outputs.

The only extension that links csrc/; the other kernel modules reach it through _core.pxd.
"""
cimport cython
cimport numpy as cnp
from cpython.object cimport PyTypeObject
from cpython.ref cimport Py_INCREF

from tinytensor.kernels.abi cimport tt_find_isa, tt_isa_at, tt_kernels

import numpy as np

cnp.import_array()

cdef extern from "threads.h" nogil:
    void tt_parallel_for(
        int64_t pieces, void (*run)(void *context, int64_t piece) noexcept nogil, void *context
    ) noexcept
    void tt_parallel_steps(
        int64_t steps, int64_t pieces,
        void (*run)(void *context, int64_t step, int64_t piece) noexcept nogil, void *context
    ) noexcept
    void tt_set_num_threads(int n)
    int tt_get_num_threads()

cdef extern from "buffers.h" nogil:
    ctypedef struct tt_memory_stats:
        unsigned long long in_use, peak, held, cached, limit, hits, misses
    void *tt_memory_take(size_t bytes, size_t *capacity)
    void tt_memory_give(void *buffer, size_t bytes, size_t capacity)
    void tt_memory_trim(size_t bytes)
    void tt_memory_reset_peak()
    void tt_memory_set_limit(size_t bytes)
    tt_memory_stats tt_memory_get_stats()

cdef extern from "numpy/arrayobject.h":
    object PyArray_NewFromDescr(
        PyTypeObject *subtype, cnp.dtype descr, int nd, const cnp.npy_intp *dims,
        const cnp.npy_intp *strides, void *data, int flags, void *obj
    )

cdef extern from *:
    """
    #define TT_STRINGIFY_(x) #x
    #define TT_STRINGIFY(x) TT_STRINGIFY_(x)
    #if defined(__clang__)
    #define TT_COMPILER "clang " __clang_version__
    #elif defined(__GNUC__)
    #define TT_COMPILER "gcc " __VERSION__
    #else
    #define TT_COMPILER "unknown"
    #endif
    """
    const char *TT_COMPILER

compiler = TT_COMPILER.decode()


# --- Instruction sets ------------------------------------------------------------------------


def available_isas() -> tuple[str, ...]:
    """The instruction sets that this machine can run, from the plainest to the best."""
    names = []
    cdef int i = 0
    cdef const tt_kernels *found = tt_isa_at(0)
    while found != NULL:
        names.append(found.isa.decode())
        i += 1
        found = tt_isa_at(i)
    return tuple(names)


def use_isa(name: str | None = None) -> None:
    """Switch all kernels to an instruction set; the best one if ``name`` is None. No other thread
    may be in a kernel meanwhile."""
    global table
    names = available_isas()
    wanted = names[-1] if name is None else name
    cdef const tt_kernels *found = tt_find_isa(wanted.encode())
    if found == NULL:
        raise RuntimeError(
            f"instruction set {wanted!r} is not available: this machine has {', '.join(names)}"
        )
    table = found


def isa() -> str:
    """The instruction set in use."""
    return table.isa.decode()


# --- Caches ----------------------------------------------------------------------------------


def use_caches(first: int, second: int, last: int) -> None:
    """Cut work for a core with caches of so many bytes: no bit of a result depends on them."""
    if not 0 < first <= second <= last:
        raise ValueError(
            f"use_caches: sizes must be positive and grow, got {first}, {second}, {last}"
        )
    caches.first, caches.second, caches.last = first, second, last
    stream_outputs_from(last // 8 * 3)


def get_caches() -> tuple[int, int, int]:
    """The sizes that work is cut for."""
    return caches.first, caches.second, caches.last


# --- Threads ---------------------------------------------------------------------------------


cdef void parallel_for(
    int64_t pieces, void (*run)(void *context, int64_t piece) noexcept nogil, void *context
) noexcept nogil:
    tt_parallel_for(pieces, run, context)


cdef void parallel_steps(
    int64_t steps, int64_t pieces,
    void (*run)(void *context, int64_t step, int64_t piece) noexcept nogil, void *context
) noexcept nogil:
    tt_parallel_steps(steps, pieces, run, context)


def set_num_threads(n: int) -> None:
    """Let at most ``n`` threads work on one kernel, the calling one among them."""
    if n < 1:
        raise ValueError(f"set_num_threads: needs at least 1, got {n}")
    tt_set_num_threads(min(n, 2**16))
    choose_streamed()


def get_num_threads() -> int:
    """How many threads may work on one kernel."""
    return tt_get_num_threads()


# --- Memory for outputs ----------------------------------------------------------------------


# Below CACHED_FROM bytes NumPy's own allocator is quicker than the cache.
cdef enum:
    CACHED_FROM = 1 << 15


@cython.final
@cython.freelist(64)
@cython.no_gc
cdef class Buffer:
    """The owner of a buffer of the cache: the base of the array that lies in it."""

    cdef void *data
    cdef size_t bytes, capacity

    def __dealloc__(self):
        if self.data != NULL:
            tt_memory_give(self.data, self.bytes, self.capacity)


cdef cnp.ndarray cached_array(int ndim, const cnp.npy_intp *shape, cnp.dtype dtype, size_t bytes):
    cdef Buffer owner = Buffer.__new__(Buffer)
    owner.bytes = bytes
    owner.data = tt_memory_take(bytes, &owner.capacity)
    if owner.data == NULL:
        raise MemoryError(f"no memory for an array of {bytes} bytes")
    out = array_at(owner.data, ndim, shape, dtype)
    cnp.set_array_base(out, owner)
    return out


cdef inline cnp.ndarray array_at(
    void *data, int ndim, const cnp.npy_intp *shape, cnp.dtype dtype
):
    """An array that lies at ``data``, or if that is NULL in memory of NumPy."""
    Py_INCREF(dtype)  # the new array takes a reference over
    return PyArray_NewFromDescr(
        <PyTypeObject *> cnp.ndarray, dtype, ndim, shape, NULL, data,
        0 if data == NULL else cnp.NPY_ARRAY_CARRAY, NULL
    )


cdef inline cnp.ndarray new_array(
    int ndim, const cnp.npy_intp *shape, cnp.dtype dtype, size_t itemsize
):
    cdef size_t bytes = itemsize
    cdef int i
    for i in range(ndim):
        bytes *= <size_t> shape[i]
    if bytes < CACHED_FROM:
        return array_at(NULL, ndim, shape, dtype)
    return cached_array(ndim, shape, dtype, bytes)


cdef cnp.dtype float32 = np.dtype(np.float32)


cdef cnp.ndarray empty_f32(int ndim, const cnp.npy_intp *shape):
    return new_array(ndim, shape, float32, sizeof(float))


cdef cnp.ndarray empty_of(int ndim, const cnp.npy_intp *shape, cnp.dtype dtype):
    return new_array(ndim, shape, dtype, dtype.itemsize)


cpdef cnp.ndarray empty(object shape, object dtype=np.float32):
    """A new C-contiguous array of ``shape``, its elements not set."""
    cdef cnp.npy_intp sizes[64]
    cdef cnp.dtype kind = dtype if isinstance(dtype, np.dtype) else np.dtype(dtype)
    cdef Py_ssize_t ndim = len(shape) if isinstance(shape, tuple) else -1
    cdef size_t bytes = kind.itemsize
    cdef int i
    if ndim < 0 or ndim > 32 or kind.hasobject:
        return np.empty(shape, kind)
    for i in range(ndim):
        sizes[i] = shape[i]
        if sizes[i] < 0 or (sizes[i] > 0 and bytes > (<size_t> 1 << 62) // <size_t> sizes[i]):
            return np.empty(shape, kind)  # which says what is wrong
        bytes *= <size_t> sizes[i]
    return empty_of(<int> ndim, sizes, kind)


def stream_outputs_from(bytes: int) -> None:
    """Store float32 outputs of so many bytes or more past the caches: see is_streamed."""
    global streamed_by_one
    streamed_by_one = bytes // sizeof(float)
    choose_streamed()


cdef int64_t streamed_by_one


cdef void choose_streamed() noexcept:
    global streamed_from
    streamed_from = streamed_by_one if tt_get_num_threads() == 1 else streamed_by_one // 3 * 4


def memory_stats() -> dict[str, int]:
    """See tinytensor.memory."""
    return tt_memory_get_stats()


def memory_trim(bytes: int) -> None:
    """See tinytensor.memory."""
    tt_memory_trim(bytes)


def memory_reset_peak() -> None:
    """See tinytensor.memory."""
    tt_memory_reset_peak()


def memory_set_limit(bytes: int) -> None:
    """See tinytensor.memory."""
    tt_memory_set_limit(bytes)


use_isa()
use_caches(32 << 10, 1 << 20, 16 << 20)
