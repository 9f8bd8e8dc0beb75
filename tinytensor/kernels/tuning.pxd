# How work is cut: the arithmetic, and the sizes that several kernels share with their reasons.
#
# Time. A call is cut into pieces by its size alone, never by the number of threads: so the order of
# sums, and with it each bit of a result, is the same on any number. A piece is to take some 10 to
# 20 µs: long against what it costs to claim it, and short enough that threads finish together. How
# many elements that is depends on what is done with each:
#
#     elements read and written once, from memory (maps, copies, losses)       1 << 15
#     elements of rows, with an exp or two sums (softmax, norm, pooling)        1 << 15
#     elements of rows that are picked by indices (embedding, dropout)          1 << 16
#     elements of parameters, with gradient and states (optim): 5 to 10 µs      1 << 14
#     elements of a state, with some 60 operations each (recurrent cells)       1 << 13
#     multiply-adds of a product that streams packed operands                   1 << 20
#     multiply-adds of direct convolution, which also fills its band            1 << 19
#     multiply-adds of a step of a sequence: 5 µs, as the threads stay awake    1 << 18
#
# A call of less than SMALL elements is done before another thread could be woken. It keeps the GIL,
# since to release it and to take it again costs more than others gain.
#
# Memory. What a piece reads more than once must stay in its core's second-level cache: half of it
# is for the scratch memory of a piece, as the operands that pass by need the other half. The
# machine's caches (_core.caches) say how large that is wherever the order of sums does not depend
# on it: rows, columns and strips of a product, pixels and tiles of a convolution's output. Where it
# does, in sums over images and steps, a cache of 1 MiB is assumed, so that all machines give the
# same bits; half of that costs 0 to 2 %, on a cache that holds either (docs/decisions/caches.md).
cimport cython
from libc.stdint cimport int64_t

from tinytensor.kernels cimport _core


cdef enum:
    SMALL = 1 << 12

    PIECE = 1 << 15
    ROWS_OF_ELEMENTS = 1 << 15
    PICKED_ELEMENTS = 1 << 16
    PARAMETER_ELEMENTS = 1 << 14
    STATE_ELEMENTS = 1 << 13
    PRODUCTS = 1 << 20
    DIRECT_PRODUCTS = 1 << 19
    STEP_PRODUCTS = 1 << 18

    HALF_OF_CACHE = 1 << 17  # floats, where sums depend on it
    QUARTER_OF_CACHE = 1 << 16


# Floats that fill half of the second cache.
cdef inline int64_t half_of_second() noexcept nogil:
    return _core.caches.second // 8


# How many of the rows, of n elements each, make a piece of about `work` elements.
@cython.cdivision(True)
cdef inline int64_t rows_of_piece(int64_t n, int64_t work) noexcept nogil:
    return 1 if n >= work else work // (n if n else 1)


@cython.cdivision(True)
cdef inline int64_t ceil_div(int64_t n, int64_t by) noexcept nogil:
    return (n + by - 1) // by


# n, or the next multiple of `to`.
cdef inline int64_t round_up(int64_t n, int64_t to) noexcept nogil:
    return ceil_div(n, to) * to
