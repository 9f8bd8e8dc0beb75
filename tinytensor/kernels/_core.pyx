"""The C side's door: instruction sets, the thread pool, memory for outputs.

The only extension that links csrc/; the other kernel modules reach it through _core.pxd.
"""
cimport numpy as cnp

import numpy as np

cnp.import_array()

cdef extern from "tinytensor.h" nogil:
    ctypedef struct tt_kernels:
        const char *isa
    const tt_kernels *tt_find_isa(const char *name)
    const tt_kernels *tt_isa_at(int i)

cdef extern from "pool.h" nogil:
    void tt_parallel_for(
        int64_t pieces, void (*run)(void *context, int64_t piece) noexcept nogil, void *context
    ) noexcept
    void tt_set_num_threads(int n)
    int tt_get_num_threads()

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
    """Switch all kernels to an instruction set; the best one if ``name`` is None."""
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
    return (<const tt_kernels *> table).isa.decode()


# --- Threads ---------------------------------------------------------------------------------


cdef void parallel_for(
    int64_t pieces, void (*run)(void *context, int64_t piece) noexcept nogil, void *context
) noexcept nogil:
    tt_parallel_for(pieces, run, context)


def set_num_threads(n: int) -> None:
    """Let at most ``n`` threads work on one kernel, the calling one among them."""
    if n < 1:
        raise ValueError(f"set_num_threads: needs at least 1, got {n}")
    tt_set_num_threads(min(n, 2**16))


def get_num_threads() -> int:
    """How many threads may work on one kernel."""
    return tt_get_num_threads()


# --- Memory for outputs ----------------------------------------------------------------------


cdef cnp.ndarray empty_f32(int ndim, const cnp.npy_intp *shape):
    return cnp.PyArray_EMPTY(ndim, <cnp.npy_intp *> shape, cnp.NPY_FLOAT32, 0)


cpdef cnp.ndarray empty(object shape, object dtype=np.float32):
    """A new C-contiguous array of ``shape``, its elements not set."""
    return np.empty(shape, dtype)


use_isa()
