# cython: cdivision=True
"""Attention: the float32 cases of the twins in reference/attention.py.

Attention over a cache is cut into heads of its keys, and where these are few into runs of keys.
Forward is cut into runs of queries of a head. Backward is cut into heads of the keys, and where
these are few also into runs of keys, each with its own part of dq, which are then summed.
"""
cimport numpy as cnp
from libc.stdint cimport int64_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.math cimport exp, rint
from libc.string cimport memset

from tinytensor.kernels cimport _core
from tinytensor.kernels.abi cimport (
    TT_ATTENTION_KEYS, TT_CACHED_DEPTH, tt_attention_args, tt_attention_backward_args,
    tt_attention_backward_scratch, tt_attention_depth, tt_attention_queries, tt_attention_scratch,
    tt_cached_attention_args, tt_kernels,
)
from tinytensor.kernels.arrays cimport is_f32
from tinytensor.kernels.tuning cimport ceil_div

import numpy as np

from tinytensor.kernels import reference

__all__ = ["attention", "attention_backward", "cached_attention"]

cnp.import_array()

cdef enum:
    QUERIES_OF_PIECE = 128
    BLOCKS_OF_PIECE = 4  # blocks of keys that make a piece of backward worth its part of dq
    ENOUGH_PIECES = 16
    LARGEST_DEPTH = 512
    CACHED_KEYS = 512  # keys of a cache that make a piece


# An array (batch, heads, rows, depth) of floats; steps in elements, depth adjacent.
cdef struct Heads:
    float *data
    int64_t batch, head, row


cdef struct Work:
    const tt_kernels *table
    tt_attention_args args
    Heads q, k, v, out, g, dq, dk, dv
    const char *mask
    int64_t mask_batch, mask_head  # in bytes
    int64_t heads, shared_heads
    int64_t pieces_of_head
    int64_t keys_of_piece
    int64_t dq_part  # floats in one part of dq
    float *dq_parts
    int64_t batches
    int parts
    int out_of_memory


cdef Heads heads_of(cnp.ndarray x) noexcept:
    cdef Heads h
    cdef const cnp.npy_intp *strides = cnp.PyArray_STRIDES(x)
    h.data = <float *> cnp.PyArray_DATA(x)
    h.batch, h.head, h.row = strides[0] // 4, strides[1] // 4, strides[2] // 4
    return h


cdef inline float *at(const Heads *x, int64_t batch, int64_t head, int64_t row) noexcept nogil:
    return x.data + batch * x.batch + head * x.head + row * x.row


# The array itself if the elements of its rows are adjacent, otherwise a copy.
cdef cnp.ndarray readable(cnp.ndarray x):
    if cnp.PyArray_ISALIGNED(x) and (
        cnp.PyArray_DIM(x, 3) == 1 or cnp.PyArray_STRIDE(x, 3) == 4
    ):
        return x
    return cnp.PyArray_NewCopy(x, cnp.NPY_CORDER)


# A new array of the shape of x, with its heads inside of its rows if x has them so: then a
# transposition of heads back to where they came from costs nothing either.
cdef cnp.ndarray new_like(cnp.ndarray x):
    b, h, t, d = (<object> x).shape
    if cnp.PyArray_STRIDE(x, 1) < cnp.PyArray_STRIDE(x, 2):
        return _core.empty((b, t, h, d)).transpose(0, 2, 1, 3)
    return _core.empty((b, h, t, d))


cdef bint covered(object q, object k, object v, double dropout_p) noexcept:
    if dropout_p and not 0 < rint(dropout_p * 2.0**32) < 2.0**32:
        return False
    if not (
        is_f32(q) and is_f32(k) and is_f32(v) and cnp.PyArray_NDIM(q) == 4
        and cnp.PyArray_NDIM(k) == 4 and cnp.PyArray_SAMESHAPE(k, v)
        and cnp.PyArray_DIM(q, 0) == cnp.PyArray_DIM(k, 0)
        and cnp.PyArray_DIM(q, 3) == cnp.PyArray_DIM(k, 3)
        and cnp.PyArray_SIZE(q) and cnp.PyArray_SIZE(k)
    ):
        return False
    return (
        cnp.PyArray_DIM(q, 1) % cnp.PyArray_DIM(k, 1) == 0
        and cnp.PyArray_DIM(q, 3) <= LARGEST_DEPTH
    )


# The mask as the kernels read it, spread over all heads; the caller keeps it alive.
cdef object set_mask(Work *work, cnp.ndarray q, cnp.ndarray k, object mask):
    work.args.mask = work.mask = NULL
    work.mask_batch = work.mask_head = work.args.mask_row = work.args.mask_step = 0
    work.args.mask_is_bool = 0
    if mask is None:
        return None
    cdef bint is_bool = mask.dtype == np.bool_
    cdef int size = 1 if is_bool else 4
    if not is_bool:
        mask = np.asarray(mask, np.float32)
    if not mask.flags.aligned:
        mask = mask.copy()
    cdef cnp.ndarray spread = np.broadcast_to(mask, (<object> q).shape[:3] + (k.shape[2],))
    cdef const cnp.npy_intp *strides = cnp.PyArray_STRIDES(spread)
    work.mask = <const char *> cnp.PyArray_DATA(spread)
    work.mask_batch, work.mask_head = strides[0], strides[1]
    work.args.mask_row, work.args.mask_step = strides[2] // size, strides[3] // size
    work.args.mask_is_bool = is_bool
    return spread


cdef void set_sizes(
    Work *work, cnp.ndarray q, cnp.ndarray k, cnp.ndarray v, bint is_causal, float scale,
    double dropout_p, object dropout_key,
):
    work.table = _core.table
    work.q, work.k, work.v = heads_of(q), heads_of(k), heads_of(v)
    work.args.q_row, work.args.k_row, work.args.v_row = work.q.row, work.k.row, work.v.row
    work.batches = cnp.PyArray_DIM(q, 0)
    work.heads = cnp.PyArray_DIM(q, 1)
    work.shared_heads = cnp.PyArray_DIM(k, 1)
    work.args.queries = cnp.PyArray_DIM(q, 2)
    work.args.keys = cnp.PyArray_DIM(k, 2)
    work.args.depth = cnp.PyArray_DIM(q, 3)
    work.args.first_query = 0
    work.args.scale = scale
    work.args.is_causal = is_causal
    work.args.dropout_scale = work.args.dropout_threshold = work.args.dropout_key = 0
    if dropout_key is not None:
        work.args.dropout_key = dropout_key
        work.args.dropout_threshold = <uint32_t> rint(dropout_p * 2.0**32)
        work.args.dropout_scale = 1 / (1 - dropout_p)
    work.out_of_memory = 0


# The largest scores of the queries, and the sums of exp(score - largest).
cdef void set_sums(Work *work, cnp.ndarray lse) noexcept:
    work.args.top = <float *> cnp.PyArray_DATA(lse)
    work.args.sum = work.args.top + cnp.PyArray_SIZE(lse) // 2


# Memory of `floats` floats that begins with a cache line; *block is what to free.
cdef float *scratch_memory(int64_t floats, void **block) noexcept nogil:
    block[0] = malloc(floats * sizeof(float) + 64)
    return <float *> ((<uintptr_t> block[0] + 63) & ~<uintptr_t> 63)


# --- Forward ---------------------------------------------------------------------------------


cdef void run_forward(void *context, int64_t piece) noexcept nogil:
    cdef Work *work = <Work *> context
    cdef tt_attention_args args = work.args
    cdef int64_t head = piece // work.pieces_of_head, batch = head // work.heads
    # The last queries first: under a causal mask they have the most to do.
    cdef int64_t run = work.pieces_of_head - 1 - piece % work.pieces_of_head
    cdef int64_t shared, first = run * QUERIES_OF_PIECE
    cdef void *block
    args.top += head * args.queries + first
    args.sum += head * args.queries + first
    args.first_word = head * args.queries * args.keys
    head -= batch * work.heads
    shared = head // (work.heads // work.shared_heads)
    args.queries = min(args.queries - first, <int64_t> QUERIES_OF_PIECE)
    args.first_query = first
    args.q = at(&work.q, batch, head, first)
    args.k = at(&work.k, batch, shared, 0)
    args.v = at(&work.v, batch, shared, 0)
    args.out = at(&work.out, batch, head, first)
    if work.mask != NULL:
        args.mask = (
            work.mask + batch * work.mask_batch + head * work.mask_head
            + first * args.mask_row * (1 if args.mask_is_bool else 4)
        )
    args.scratch = scratch_memory(tt_attention_scratch(args.queries, args.depth), &block)
    if block == NULL:
        work.out_of_memory = 1
        return
    work.table.attention_f32(&args)
    free(block)


def attention(q, k, v, mask, is_causal, scale, dropout_p, dropout_key):
    cdef Work work
    if not covered(q, k, v, dropout_p):
        return reference.attention(q, k, v, mask, is_causal, scale, dropout_p, dropout_key)
    q, k, v = readable(q), readable(k), readable(v)
    set_sizes(&work, q, k, v, is_causal, scale, dropout_p, dropout_key)
    mask = set_mask(&work, q, k, mask)
    out, lse = new_like(q), _core.empty((2,) + (<object> q).shape[:3])
    work.out = heads_of(out)
    work.args.out_row = work.out.row
    set_sums(&work, lse)
    work.pieces_of_head = ceil_div(work.args.queries, QUERIES_OF_PIECE)
    with nogil:
        _core.parallel_for(
            work.batches * work.heads * work.pieces_of_head, run_forward, &work
        )
    if work.out_of_memory:
        raise MemoryError
    return out, lse


# --- Backward --------------------------------------------------------------------------------


cdef void run_backward(void *context, int64_t piece) noexcept nogil:
    cdef Work *work = <Work *> context
    cdef tt_attention_backward_args args
    cdef int64_t part = piece % work.parts, index = piece // work.parts
    cdef int64_t batch = index // work.shared_heads, shared = index % work.shared_heads
    cdef int64_t group = work.heads // work.shared_heads, head = shared * group
    cdef int64_t dq_head = (
        tt_attention_queries(work.args.queries) * tt_attention_depth(work.args.depth)
    )
    cdef void *block
    args.forward = work.args
    args.forward.q = at(&work.q, batch, head, 0)
    args.forward.k = at(&work.k, batch, shared, 0)
    args.forward.v = at(&work.v, batch, shared, 0)
    args.forward.top += (batch * work.heads + head) * work.args.queries
    args.forward.sum += (batch * work.heads + head) * work.args.queries
    args.forward.first_word = (
        (batch * work.heads + head) * work.args.queries * work.args.keys
    )
    if work.mask != NULL:
        args.forward.mask = work.mask + batch * work.mask_batch + head * work.mask_head
    args.out = at(&work.out, batch, head, 0)
    args.g = at(&work.g, batch, head, 0)
    args.dk = at(&work.dk, batch, shared, 0)
    args.dv = at(&work.dv, batch, shared, 0)
    args.dq = work.dq_parts + part * work.dq_part + (batch * work.heads + head) * dq_head
    args.heads = group
    args.first_key = part * work.keys_of_piece
    args.last_key = min(args.first_key + work.keys_of_piece, work.args.keys)
    args.q_head, args.out_head, args.g_head = work.q.head, work.out.head, work.g.head
    args.mask_head = work.mask_head // (1 if work.args.mask_is_bool else 4)
    args.out_row, args.g_row = work.out.row, work.g.row
    args.dk_row, args.dv_row = work.dk.row, work.dv.row
    memset(args.dq, 0, group * dq_head * sizeof(float))
    args.forward.scratch = scratch_memory(
        tt_attention_backward_scratch(group, work.args.queries, work.args.depth), &block
    )
    if block == NULL:
        work.out_of_memory = 1
        return
    work.table.attention_backward_f32(&args)
    free(block)


# One head's dq: the sum of its parts.
cdef void run_sum(void *context, int64_t piece) noexcept nogil:
    cdef Work *work = <Work *> context
    cdef int64_t batch = piece // work.heads, head = piece % work.heads, i, d, part
    cdef int64_t depth = tt_attention_depth(work.args.depth)
    cdef const float *source = (
        work.dq_parts + piece * tt_attention_queries(work.args.queries) * depth
    )
    cdef float *target
    for i in range(work.args.queries):
        target = at(&work.dq, batch, head, i)
        for d in range(work.args.depth):
            target[d] = source[i * depth + d]
        for part in range(1, work.parts):
            for d in range(work.args.depth):
                target[d] += source[part * work.dq_part + i * depth + d]


def attention_backward(g, q, k, v, mask, out, lse, is_causal, scale, dropout_p, dropout_key):
    cdef Work work
    cdef int64_t blocks, pieces
    if not (
        covered(q, k, v, dropout_p) and is_f32(g) and is_f32(out) and is_f32(lse)
        and cnp.PyArray_SAMESHAPE(g, q) and cnp.PyArray_SAMESHAPE(out, q)
        and cnp.PyArray_ISCARRAY_RO(lse) and lse.shape == (2,) + q.shape[:3]
    ):
        return reference.attention_backward(
            g, q, k, v, mask, out, lse, is_causal, scale, dropout_p, dropout_key
        )
    g, q, k, v, out = readable(g), readable(q), readable(k), readable(v), readable(out)
    set_sizes(&work, q, k, v, is_causal, scale, dropout_p, dropout_key)
    mask = set_mask(&work, q, k, mask)
    dq, dk, dv = new_like(q), new_like(k), new_like(v)
    work.g, work.out = heads_of(g), heads_of(out)
    work.dq, work.dk, work.dv = heads_of(dq), heads_of(dk), heads_of(dv)
    set_sums(&work, lse)

    pieces = work.batches * work.shared_heads
    blocks = ceil_div(work.args.keys, TT_ATTENTION_KEYS)
    work.parts = max(
        1, min(ceil_div(ENOUGH_PIECES, pieces), blocks // <int64_t> BLOCKS_OF_PIECE)
    )
    work.keys_of_piece = ceil_div(blocks, work.parts) * TT_ATTENTION_KEYS
    work.parts = ceil_div(work.args.keys, work.keys_of_piece)
    work.dq_part = (
        work.batches * work.heads
        * tt_attention_queries(work.args.queries) * tt_attention_depth(work.args.depth)
    )
    dq_parts = _core.empty((work.parts, work.dq_part))
    work.dq_parts = <float *> cnp.PyArray_DATA(dq_parts)
    with nogil:
        _core.parallel_for(pieces * work.parts, run_backward, &work)
        if not work.out_of_memory:
            _core.parallel_for(work.batches * work.heads, run_sum, &work)
    if work.out_of_memory:
        raise MemoryError
    return dq, dk, dv


# --- Over a cache ----------------------------------------------------------------------------


cdef struct CachedWork:
    const tt_kernels *table
    tt_cached_attention_args args
    Heads q, k, v, out
    const int64_t *starts
    const float *bias
    int64_t bias_batch, bias_head
    int64_t shared_heads, parts
    int64_t part  # floats of an output of one part
    int64_t sums  # sums of one part


cdef void run_cached(void *context, int64_t piece) noexcept nogil:
    cdef CachedWork *work = <CachedWork *> context
    cdef tt_cached_attention_args args = work.args
    cdef int64_t part = piece % work.parts, index = piece // work.parts
    cdef int64_t batch = index // work.shared_heads, shared = index % work.shared_heads
    cdef int64_t head = shared * args.heads
    args.start = work.starts[batch]
    args.q = at(&work.q, batch, head, 0)
    args.k = at(&work.k, batch, shared, 0)
    args.v = at(&work.v, batch, shared, 0)
    args.out = at(&work.out, batch, head, 0)
    if work.bias != NULL:
        args.bias = work.bias + batch * work.bias_batch + head * work.bias_head
    if work.parts > 1:
        args.first_key = part * CACHED_KEYS
        args.last_key = args.first_key + CACHED_KEYS
        args.out += part * work.part
        args.top += part * work.sums + index * args.heads * args.queries
        args.sum += part * work.sums + index * args.heads * args.queries
    work.table.cached_attention_f32(&args)


# The outputs of all parts of the keys, weighed by their sums.
cdef void merge(CachedWork *work, float *target, int64_t rows) noexcept nogil:
    cdef int64_t row, part, d, depth = work.args.depth
    cdef const float *top
    cdef const float *source
    cdef double largest, total, weight
    cdef float share
    for row in range(rows):
        top = work.args.top + row
        largest = total = 0
        for part in range(work.parts):
            if work.args.sum[part * work.sums + row] and (
                not total or top[part * work.sums] > largest
            ):
                largest, total = top[part * work.sums], 1
        total = 0
        for part in range(work.parts):
            weight = work.args.sum[part * work.sums + row]
            if weight:
                total += weight * exp(top[part * work.sums] - largest)
        for d in range(depth):
            target[row * depth + d] = 0
        for part in range(work.parts):
            weight = work.args.sum[part * work.sums + row]
            if not weight:
                continue
            share = weight * exp(top[part * work.sums] - largest) / total
            source = work.out.data + part * work.part + row * depth
            for d in range(depth):
                target[row * depth + d] += share * source[d]


def cached_attention(q, keys, values, starts, scale, window=None, softcap=None, bias=None):
    cdef CachedWork work
    cdef int64_t pieces, last
    if not (
        covered(q, keys, values, 0) and keys.shape[3] <= TT_CACHED_DEPTH
        and starts.dtype == np.int64
    ):
        return reference.cached_attention(q, keys, values, starts, scale, window, softcap, bias)
    reference.check_cached_attention(q, keys, starts, bias)
    b, h, t, d = q.shape
    last = starts.max() + t
    q, keys, values = readable(q), readable(keys), readable(values)
    starts = np.ascontiguousarray(starts)
    work.table = _core.table
    work.q, work.k, work.v = heads_of(q), heads_of(keys), heads_of(values)
    work.starts = <const int64_t *> cnp.PyArray_DATA(starts)
    work.shared_heads = keys.shape[1]
    work.args.heads, work.args.queries, work.args.depth = h // work.shared_heads, t, d
    work.args.window = window or 0
    work.args.first_key, work.args.last_key = 0, last
    work.args.scale, work.args.softcap = scale, softcap or 0
    work.args.q_head, work.args.q_row = work.q.head, work.q.row
    work.args.k_row, work.args.v_row = work.k.row, work.v.row
    work.args.top = work.args.sum = NULL
    work.args.bias = work.bias = NULL
    if bias is not None:
        bias = np.asarray(bias, np.float32)
        bias = bias if bias.flags.aligned else bias.copy()
        size = bias.shape[-1] if bias.ndim and bias.shape[-1] > 1 else last
        bias = np.broadcast_to(bias, (b, h, t, size))
        work.bias = <const float *> cnp.PyArray_DATA(bias)
        work.bias_batch, work.bias_head, work.args.bias_row, work.args.bias_step = (
            stride // 4 for stride in bias.strides
        )
        work.args.bias_head = work.bias_head

    pieces = b * work.shared_heads
    work.parts = ceil_div(last, CACHED_KEYS) if pieces < ENOUGH_PIECES else 1
    if work.parts == 1:
        out = new_like(q)
        work.out = heads_of(out)
        work.args.out_head, work.args.out_row = work.out.head, work.out.row
        with nogil:
            _core.parallel_for(pieces, run_cached, &work)
        return out
    parts, sums = _core.empty((work.parts, b, h, t, d)), _core.empty((2, work.parts, b, h, t))
    work.part, work.sums = b * h * t * d, b * h * t
    work.out = heads_of(parts[0])
    work.args.out_head, work.args.out_row = work.out.head, work.out.row
    work.args.top = <float *> cnp.PyArray_DATA(sums)
    work.args.sum = work.args.top + work.parts * work.sums
    out = _core.empty((b, h, t, d))
    with nogil:
        _core.parallel_for(pieces * work.parts, run_cached, &work)
        merge(&work, <float *> cnp.PyArray_DATA(out), work.sums)
    return out
