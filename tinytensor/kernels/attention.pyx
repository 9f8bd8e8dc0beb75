# cython: cdivision=True
"""Attention: the float32 cases of the twins in reference/attention.py.

Attention over a cache is cut into heads of its keys, and where these are few into runs of keys.
Forward is cut into runs of queries of a head. Backward is cut into heads of the keys, and where
these are few also into runs of keys, each with its own part of dq, which are then summed.
"""
cimport numpy as cnp
from libc.stdint cimport int64_t, uint8_t, uint32_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.math cimport exp, rint
from libc.string cimport memset

from tinytensor.kernels cimport _core
from tinytensor.kernels.abi cimport (
    TT_ATTENTION_FAR, TT_ATTENTION_KEYS, TT_CACHED_DEPTH, tt_attention_args,
    tt_attention_backward_args, tt_attention_backward_scratch, tt_attention_depth,
    tt_attention_queries, tt_attention_scratch, tt_cached_attention_args, tt_kernels,
)
from tinytensor.kernels.arrays cimport is_f32
from tinytensor.kernels.tuning cimport ceil_div

import numpy as np

from tinytensor.kernels import reference
from tinytensor.kernels.reference.attention import Look, check_cached_attention

__all__ = ["attention", "attention_backward", "cached_attention"]

cnp.import_array()

cdef enum:
    QUERIES_OF_PIECE = 128
    BLOCKS_OF_PIECE = 4  # blocks of keys that make a piece of backward worth its part of dq
    ENOUGH_PIECES = 16
    LARGEST_PARTS = 1 << 22  # floats of all parts of dbias, unless it is larger itself
    LARGEST_DEPTH = 512
    CACHED_KEYS = 512  # keys of a cache that make a piece
    FEW_QUERIES = 8  # for which a cache is streamed


# An array (batch, heads, rows, depth) of floats; steps in elements, depth adjacent.
cdef struct Heads:
    float *data
    int64_t batch, head, row


cdef struct Work:
    const tt_kernels *table
    tt_attention_args args
    Heads q, k, v, out, g, dq, dk, dv
    int64_t mask_batch, mask_head, bias_batch, bias_head
    const int64_t *lengths  # of the keys, (batch, shared heads); NULL: all
    const int64_t *offsets  # of the first queries, (batch,); NULL: 0
    int64_t heads, shared_heads
    int64_t pieces_of_head
    int64_t keys_of_piece
    int64_t dq_part  # floats in one part of dq
    float *dq_parts
    int64_t batches
    int64_t parts
    # Backward: `units` of heads of keys whose part of dbias nobody else adds to, unit_step apart;
    # in each `shares` that do add to the same, share_step apart, in `chunks`, of which each has its
    # own part of dbias.
    int64_t units, unit_step, shares, share_step, chunks
    int64_t dbias_batch, dbias_head, dbias_row, dbias_step
    int64_t dbias_part, dbias_of_parts  # floats of a part; are there some for parts of keys too?
    float *dbias
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


# A mask or bias spread over all heads and pairs.
cdef object spread(object x, cnp.ndarray q, cnp.ndarray k):
    return np.broadcast_to(
        x if x.flags.aligned else x.copy(), (<object> q).shape[:3] + ((<object> k).shape[2],)
    )


# Numbers of rows or heads, of a dtype, in C order and aligned.
cdef object readable_as(object dtype, object x, tuple shape):
    return np.require(np.broadcast_to(x, shape), dtype, ("C", "A"))


# What the kernels read besides; the caller keeps it alive.
cdef object set_others(
    Work *work, cnp.ndarray q, cnp.ndarray k, object mask, object bias, object look,
):
    cdef int64_t far = TT_ATTENTION_FAR
    work.args.mask, work.args.bias, work.args.slope = NULL, NULL, NULL
    work.lengths, work.offsets = NULL, NULL
    work.mask_batch = work.mask_head = work.args.mask_row = work.args.mask_step = 0
    work.bias_batch = work.bias_head = work.args.bias_row = work.args.bias_step = 0
    if mask is not None:
        mask = spread(mask, q, k)
        work.args.mask = <const uint8_t *> cnp.PyArray_DATA(mask)
        work.mask_batch, work.mask_head, work.args.mask_row, work.args.mask_step = mask.strides
    if bias is not None:
        bias = spread(np.asarray(bias, np.float32), q, k)
        work.args.bias = <const float *> cnp.PyArray_DATA(bias)
        work.bias_batch, work.bias_head, work.args.bias_row, work.args.bias_step = (
            stride // 4 for stride in bias.strides
        )
    lengths, slopes, offsets = look.lengths, look.slopes, None
    if lengths is not None:
        lengths = readable_as(np.int64, lengths, (<object> k).shape[:2])
        work.lengths = <const int64_t *> cnp.PyArray_DATA(lengths)
    if slopes is not None:
        slopes = readable_as(np.float32, slopes, (<object> q).shape[:2])
        work.args.slope = <const float *> cnp.PyArray_DATA(slopes)
    if np.any(look.offset):
        offsets = readable_as(np.int64, look.offset, (<object> q).shape[:1])
        work.offsets = <const int64_t *> cnp.PyArray_DATA(offsets)
    work.args.left = far if look.left is None else min(<int64_t> look.left, far)
    work.args.right = far if look.right is None else min(<int64_t> look.right, far)
    work.args.scale, work.args.softcap = look.scale, look.softcap or 0
    work.args.dropout_scale = work.args.dropout_threshold = work.args.dropout_key = 0
    if look.dropout_key is not None:
        work.args.dropout_key = look.dropout_key
        work.args.dropout_threshold = <uint32_t> rint(look.dropout_p * 2.0**32)
        work.args.dropout_scale = 1 / (1 - <double> look.dropout_p)
    return mask, bias, lengths, slopes, offsets


cdef void set_sizes(Work *work, cnp.ndarray q, cnp.ndarray k, cnp.ndarray v) noexcept:
    work.table = _core.table
    work.q, work.k, work.v = heads_of(q), heads_of(k), heads_of(v)
    work.args.q_row, work.args.k_row, work.args.v_row = work.q.row, work.k.row, work.v.row
    work.batches = cnp.PyArray_DIM(q, 0)
    work.heads = cnp.PyArray_DIM(q, 1)
    work.shared_heads = cnp.PyArray_DIM(k, 1)
    work.args.queries = cnp.PyArray_DIM(q, 2)
    work.args.keys = cnp.PyArray_DIM(k, 2)
    work.args.depth = cnp.PyArray_DIM(q, 3)
    work.args.word_row = work.args.keys
    work.out_of_memory = 0


# The keys of a head of them, and the place of query 0 among these.
cdef void set_places(
    tt_attention_args *args, const Work *work, int64_t batch, int64_t shared
) noexcept nogil:
    args.first_query = work.offsets[batch] if work.offsets != NULL else 0
    if work.lengths != NULL:
        args.keys = max(0, min(args.keys, work.lengths[batch * work.shared_heads + shared]))


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
    args.first_word = (head * args.queries + first) * args.keys
    if args.slope != NULL:
        args.slope += head
    head -= batch * work.heads
    shared = head // (work.heads // work.shared_heads)
    set_places(&args, work, batch, shared)
    args.first_query += first
    args.queries = min(args.queries - first, <int64_t> QUERIES_OF_PIECE)
    args.q = at(&work.q, batch, head, first)
    args.k = at(&work.k, batch, shared, 0)
    args.v = at(&work.v, batch, shared, 0)
    args.out = at(&work.out, batch, head, first)
    if args.mask != NULL:
        args.mask += batch * work.mask_batch + head * work.mask_head + first * args.mask_row
    if args.bias != NULL:
        args.bias += batch * work.bias_batch + head * work.bias_head + first * args.bias_row
    args.scratch = scratch_memory(tt_attention_scratch(args.queries, args.depth), &block)
    if block == NULL:
        work.out_of_memory = 1
        return
    work.table.attention_f32(&args)
    free(block)


def attention(q, k, v, mask, bias, look):
    cdef Work work
    if not covered(q, k, v, look.dropout_p):
        return reference.attention(q, k, v, mask, bias, look)
    q, k, v = readable(q), readable(k), readable(v)
    set_sizes(&work, q, k, v)
    held = set_others(&work, q, k, mask, bias, look)
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
    cdef int64_t part = piece % work.parts, index = piece // work.parts
    cdef int64_t chunk = index % work.chunks, unit = index // work.chunks
    cdef int64_t share = chunk * work.shares // work.chunks
    cdef int64_t last = (chunk + 1) * work.shares // work.chunks
    cdef int64_t group = work.heads // work.shared_heads
    cdef float *scratch
    cdef float *dbias = work.dbias
    cdef void *block
    if dbias != NULL:
        dbias += (chunk + part * work.chunks * work.dbias_of_parts) * work.dbias_part
    scratch = scratch_memory(
        tt_attention_backward_scratch(group, work.args.queries, work.args.depth), &block
    )
    if block == NULL:
        work.out_of_memory = 1
        return
    while share < last:
        backward_of_head(
            work, unit * work.unit_step + share * work.share_step, part, dbias, scratch
        )
        share += 1
    free(block)


# Of one head of the keys.
cdef void backward_of_head(
    Work *work, int64_t index, int64_t part, float *dbias, float *scratch
) noexcept nogil:
    cdef tt_attention_backward_args args
    cdef int64_t batch = index // work.shared_heads, shared = index % work.shared_heads
    cdef int64_t group = work.heads // work.shared_heads, head = shared * group
    cdef int64_t dq_head = (
        tt_attention_queries(work.args.queries) * tt_attention_depth(work.args.depth)
    )
    args.forward = work.args
    args.forward.scratch = scratch
    args.forward.q = at(&work.q, batch, head, 0)
    args.forward.k = at(&work.k, batch, shared, 0)
    args.forward.v = at(&work.v, batch, shared, 0)
    args.forward.top += (batch * work.heads + head) * work.args.queries
    args.forward.sum += (batch * work.heads + head) * work.args.queries
    args.forward.first_word = (
        (batch * work.heads + head) * work.args.queries * work.args.keys
    )
    set_places(&args.forward, work, batch, shared)
    if args.forward.slope != NULL:
        args.forward.slope += batch * work.heads + head
    if args.forward.mask != NULL:
        args.forward.mask += batch * work.mask_batch + head * work.mask_head
    if args.forward.bias != NULL:
        args.forward.bias += batch * work.bias_batch + head * work.bias_head
    args.out = at(&work.out, batch, head, 0)
    args.g = at(&work.g, batch, head, 0)
    args.dk = at(&work.dk, batch, shared, 0)
    args.dv = at(&work.dv, batch, shared, 0)
    args.dq = work.dq_parts + part * work.dq_part + (batch * work.heads + head) * dq_head
    args.dbias = dbias
    if dbias != NULL:
        args.dbias += batch * work.dbias_batch + head * work.dbias_head
    args.dbias_head, args.dbias_row = work.dbias_head, work.dbias_row
    args.dbias_step = work.dbias_step
    args.heads = group
    args.first_key = part * work.keys_of_piece
    args.last_key = min(args.first_key + work.keys_of_piece, work.args.keys)
    args.q_head, args.out_head, args.g_head = work.q.head, work.out.head, work.g.head
    args.mask_head, args.bias_head = work.mask_head, work.bias_head
    args.out_row, args.g_row = work.out.row, work.g.row
    args.dk_row, args.dv_row = work.dk.row, work.dv.row
    memset(args.dq, 0, group * dq_head * sizeof(float))
    work.table.attention_backward_f32(&args)


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


# How heads of keys are cut among those that add to the same elements of dbias; these are the
# parts of it, in one array, and `shape` is that of dbias.
cdef object set_dbias(Work *work, tuple shape):
    cdef int64_t heads = work.batches * work.shared_heads, size = 1
    by_batch = shape[0] == 1 and work.batches > 1
    by_head = shape[1] == 1 and work.heads > 1
    work.units, work.unit_step, work.shares, work.share_step = heads, 1, 1, 0
    if by_batch and by_head:
        work.units, work.shares, work.share_step = 1, heads, 1
    elif by_batch:
        work.units, work.shares = work.shared_heads, work.batches
        work.share_step = work.shared_heads
    elif by_head:
        work.units, work.unit_step = work.batches, work.shared_heads
        work.shares, work.share_step = work.shared_heads, 1
    for n in shape:
        size *= n
    work.chunks = max(1, min(work.shares, ceil_div(ENOUGH_PIECES, work.units)))
    work.chunks = max(1, min(work.chunks, LARGEST_PARTS // max(1, size)))
    strides = []
    step = 1
    for n in shape[::-1]:
        strides.insert(0, step if n > 1 else 0)
        step *= n
    work.dbias_batch, work.dbias_head, work.dbias_row, work.dbias_step = strides
    work.dbias_part = size
    set_parts(work, work.units * work.chunks)
    work.dbias_of_parts = work.dbias_step == 0  # the rest is of one key, so of one part
    parts = np.zeros(
        (work.chunks * (work.parts if work.dbias_of_parts else 1),) + shape, np.float32
    )
    work.dbias = <float *> cnp.PyArray_DATA(parts)
    return parts


# Into how many parts the keys are cut for so many pieces.
cdef void set_parts(Work *work, int64_t pieces) noexcept:
    cdef int64_t blocks = ceil_div(work.args.keys, TT_ATTENTION_KEYS)
    work.parts = max(
        1, min(ceil_div(ENOUGH_PIECES, pieces), blocks // <int64_t> BLOCKS_OF_PIECE)
    )
    work.keys_of_piece = ceil_div(blocks, work.parts) * TT_ATTENTION_KEYS
    work.parts = ceil_div(work.args.keys, work.keys_of_piece)


def attention_backward(g, q, k, v, mask, bias, out, lse, look, bias_shape=None):
    cdef Work work
    if not (
        covered(q, k, v, look.dropout_p) and is_f32(g) and is_f32(out) and is_f32(lse)
        and cnp.PyArray_SAMESHAPE(g, q) and cnp.PyArray_SAMESHAPE(out, q)
        and cnp.PyArray_ISCARRAY_RO(lse) and lse.shape == (2,) + q.shape[:3]
    ):
        return reference.attention_backward(
            g, q, k, v, mask, bias, out, lse, look, bias_shape
        )
    g, q, k, v, out = readable(g), readable(q), readable(k), readable(v), readable(out)
    set_sizes(&work, q, k, v)
    held = set_others(&work, q, k, mask, bias, look)
    dq, dk, dv = new_like(q), new_like(k), new_like(v)
    work.g, work.out = heads_of(g), heads_of(out)
    work.dq, work.dk, work.dv = heads_of(dq), heads_of(dk), heads_of(dv)
    set_sums(&work, lse)

    work.units, work.unit_step = work.batches * work.shared_heads, 1
    work.shares, work.share_step, work.chunks = 1, 0, 1
    work.dbias, dbias = NULL, None
    if bias_shape is None:
        set_parts(&work, work.units)
    else:
        dbias = set_dbias(&work, bias_shape)
    work.dq_part = (
        work.batches * work.heads
        * tt_attention_queries(work.args.queries) * tt_attention_depth(work.args.depth)
    )
    dq_parts = _core.empty((work.parts, work.dq_part))
    work.dq_parts = <float *> cnp.PyArray_DATA(dq_parts)
    with nogil:
        _core.parallel_for(work.units * work.chunks * work.parts, run_backward, &work)
        if not work.out_of_memory:
            _core.parallel_for(work.batches * work.heads, run_sum, &work)
    if work.out_of_memory:
        raise MemoryError
    if dbias is not None:
        dbias = dbias[0] if len(dbias) == 1 else dbias.sum(axis=0)
    return dq, dk, dv, dbias


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
    check_cached_attention(q, keys, starts, bias)
    b, h, t, d = q.shape
    last = starts.max() + t
    if t > FEW_QUERIES:
        left = window - 1 if window else None
        look = Look(scale, left, 0, starts, softcap or 0, (starts + t)[:, None])
        if bias is not None and bias.ndim:
            bias = bias[..., :last]
        return attention(q, keys[:, :, :last], values[:, :, :last], None, bias, look)[0]
    q, keys, values = readable(q), readable(keys), readable(values)
    starts = readable_as(np.int64, starts, (<object> starts).shape)
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
