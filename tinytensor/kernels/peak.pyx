# cython: cdivision=True
"""The machine's limits, measured on our own thread pool: what the benchmarks hold kernels against.

Nothing of tinytensor computes with these, so they have no twins.
"""
cimport numpy as cnp
from libc.stdint cimport int64_t

from tinytensor.kernels cimport _core
from tinytensor.kernels.abi cimport TT_PEAK_CHAINS, tt_fma_peak_args, tt_stream_args

from time import perf_counter

import numpy as np

__all__ = ["fma_rate", "read_rate", "triad_rate"]

cnp.import_array()

cdef enum:
    PIECES = 64
    ROUNDS = 1 << 13  # of multiply-adds in a piece: a run is over in a millisecond
    CACHE_LINE = 16  # floats; each piece has a line of its own to write its sum to


cdef void run_fma(void *context, int64_t piece) noexcept nogil:
    cdef tt_fma_peak_args args
    # x -> 0.5 x + 1 stays near 2: no piece ever meets a denormal or an infinity.
    args.a, args.b, args.rounds = 0.5, 1, ROUNDS
    args.out = <float *> context + piece * CACHE_LINE
    _core.table.fma_peak_f32(&args)


cdef struct Stream:
    void (*kernel)(const tt_stream_args *) noexcept nogil
    tt_stream_args args
    float *sums


cdef void run_stream(void *context, int64_t piece) noexcept nogil:
    cdef Stream *stream = <Stream *> context
    cdef tt_stream_args args = stream.args
    cdef int64_t first = piece * stream.args.n // PIECES
    args.n = (piece + 1) * stream.args.n // PIECES - first
    args.x += first
    if stream.sums != NULL:
        args.out = stream.sums + piece * CACHE_LINE
    else:
        args.y += first
        args.out += first
    stream.kernel(&args)


def fma_rate() -> float:
    """Floating-point operations a second, of one run on the threads in use."""
    cdef cnp.ndarray sums = np.empty((PIECES, CACHE_LINE), np.float32)
    cdef void *context = cnp.PyArray_DATA(sums)
    start = perf_counter()
    with nogil:
        _core.parallel_for(PIECES, run_fma, context)
    seconds = perf_counter() - start
    lanes = _core.table.vector_bytes // 4
    return 2.0 * lanes * TT_PEAK_CHAINS * ROUNDS * PIECES / seconds


def read_rate(cnp.ndarray x not None) -> float:
    """Bytes a second, of one reading of the contiguous float32 array ``x``."""
    cdef cnp.ndarray sums = np.empty((PIECES, CACHE_LINE), np.float32)
    cdef Stream stream
    check(x)
    stream.kernel = _core.table.stream_read_f32
    stream.args.x = <const float *> cnp.PyArray_DATA(x)
    stream.args.n = cnp.PyArray_SIZE(x)
    stream.sums = <float *> cnp.PyArray_DATA(sums)
    return cnp.PyArray_NBYTES(x) / run(&stream)


def triad_rate(cnp.ndarray x not None, cnp.ndarray y not None, cnp.ndarray out not None) -> float:
    """Bytes a second, read and written, of one ``out = x + 3 y`` of contiguous float32 arrays."""
    cdef Stream stream
    for array in (x, y, out):
        check(array)
    if not out.flags.writeable:
        raise ValueError("triad_rate: out is read-only")
    if not x.size == y.size == out.size:
        raise ValueError(f"triad_rate: sizes differ: {x.size}, {y.size} and {out.size}")
    stream.kernel = _core.table.stream_triad_f32
    stream.args.x = <const float *> cnp.PyArray_DATA(x)
    stream.args.y = <const float *> cnp.PyArray_DATA(y)
    stream.args.out = <float *> cnp.PyArray_DATA(out)
    stream.args.n = cnp.PyArray_SIZE(x)
    stream.args.scale = 3
    stream.sums = NULL
    return 3 * cnp.PyArray_NBYTES(x) / run(&stream)


cdef double run(Stream *stream):
    start = perf_counter()
    with nogil:
        _core.parallel_for(PIECES, run_stream, stream)
    return perf_counter() - start


def check(cnp.ndarray x) -> None:
    if x.dtype != np.float32 or not x.flags.c_contiguous or not x.size:
        raise ValueError(f"needs a contiguous float32 array of some size, got {x.size} {x.dtype}")
