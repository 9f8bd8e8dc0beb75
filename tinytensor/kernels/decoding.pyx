# cython: cdivision=True
"""One token through all layers of a decoder: the twin of reference/decoding.py."""
cimport numpy as cnp
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from tinytensor.kernels cimport _core
from tinytensor.kernels.abi cimport (
    TT_CACHED_DEPTH, TT_DECODE_GELU, TT_DECODE_GELU_TANH, TT_DECODE_HEAD, TT_DECODE_RELU,
    TT_DECODE_RUN, TT_DECODE_SILU, TT_DECODE_STEPS, tt_decode_args, tt_decode_layer,
    tt_kernels, tt_packed_args,
)
from tinytensor.kernels.arrays cimport data_f32, is_plain_f32
from tinytensor.kernels.packed cimport set_matrix
from tinytensor.kernels.scratch cimport allocate
from tinytensor.kernels.tuning cimport ceil_div, round_up

import numpy as np

from tinytensor.kernels import _core as core

__all__ = ["DecoderSteps"]

cnp.import_array()

cdef enum:
    PIECES_OF_THREAD = 4  # of a step: whoever is done early helps
    MOST_THREADS = 32

MAPS = {
    "silu": TT_DECODE_SILU, "gelu": TT_DECODE_GELU, "gelu_tanh": TT_DECODE_GELU_TANH,
    "relu": TT_DECODE_RELU,
}


cdef struct Work:
    const tt_kernels *table
    tt_decode_args args
    tt_decode_layer *layers
    int64_t layer_count
    float *scratch
    int64_t scratch_size


cdef void run(void *context, int64_t step, int64_t piece) noexcept nogil:
    cdef Work *work = <Work *> context
    cdef tt_decode_args args = work.args
    cdef int64_t layer = step // TT_DECODE_STEPS
    args.layer = work.layers + layer
    args.step = <int> (step - layer * TT_DECODE_STEPS)
    if layer == work.layer_count:
        args.layer, args.step = NULL, TT_DECODE_HEAD
    args.piece = piece
    args.scratch = work.scratch + piece * work.scratch_size
    work.table.decode_f32(&args)


# A product of `rows` outputs of `columns` inputs, as the kernel reads it.
cdef tt_packed_args matrix_of(
    object product, int64_t rows, int64_t columns, list kept
) except *:
    cdef tt_packed_args m
    if product.columns != columns or not set_matrix(
        &m, product.kind, product.data, product.columns, product.scales
    ) or m.last != rows:
        raise ValueError(
            f"DecoderSteps: a {product.kind} matrix ({len(product.data)}, {product.columns}) where"
            f" ({rows}, {columns}) is needed, C-contiguous"
        )
    kept += (product.data, product.scales)
    m.bias = vector_of(product.bias, rows, "a bias", kept)
    return m


# A vector of n floats, or none.
cdef const float *vector_of(object x, int64_t n, str what, list kept) except? NULL:
    if x is None:
        return NULL
    if not is_plain_f32(x) or x.shape != (n,):
        raise ValueError(f"DecoderSteps: {what} must be float32 ({n},) and contiguous")
    kept.append(x)
    return data_f32(x)


cdef class DecoderSteps:
    cdef Work work
    cdef list kept  # what the work's pointers lead to
    cdef int64_t position
    cdef bint busy

    def __cinit__(self):
        self.work.layers = NULL

    def __dealloc__(self):
        free(self.work.layers)

    def __init__(self, list layers not None, last_norm, head, sizes):
        cdef tt_decode_args *args = &self.work.args
        cdef tt_decode_layer *layer
        cdef int64_t width = len(last_norm[0]), heads, i, largest
        cdef list kept = []
        if self.work.layers != NULL or not layers:
            raise ValueError("DecoderSteps: needs layers, once")
        self.kept = kept
        args.width = width
        args.heads, args.shared_heads, args.depth = sizes.heads, sizes.shared_heads, sizes.depth
        args.eps, args.centred, args.map = sizes.eps, sizes.centred, MAPS[sizes.activation]
        args.scale, args.softcap = sizes.scale, sizes.softcap or 0
        self.set_rotary(sizes)
        args.inner = len(layers[0].up.data)
        if (
            min(args.heads, args.shared_heads, args.depth, args.inner) < 1
            or args.heads % args.shared_heads or args.depth > TT_CACHED_DEPTH
            or 2 * args.rotary.pairs > args.depth
        ):
            raise ValueError(f"DecoderSteps: these sizes do not fit together: {sizes}")
        self.work.layer_count = len(layers)
        self.work.layers = <tt_decode_layer *> calloc(len(layers), sizeof(tt_decode_layer))
        if self.work.layers == NULL:
            raise MemoryError
        heads = args.heads * args.depth
        for i in range(len(layers)):
            layer, parts = &self.work.layers[i], layers[i]
            norms = (*parts.attention_norm, *parts.mlp_norm)
            layer.attention_norm = vector_of(norms[0], width, "a norm", kept)
            layer.attention_norm_bias = vector_of(norms[1], width, "a norm", kept)
            layer.mlp_norm = vector_of(norms[2], width, "a norm", kept)
            layer.mlp_norm_bias = vector_of(norms[3], width, "a norm", kept)
            layer.q = matrix_of(parts.q, heads, width, kept)
            layer.k = matrix_of(parts.k, args.shared_heads * args.depth, width, kept)
            layer.v = matrix_of(parts.v, args.shared_heads * args.depth, width, kept)
            layer.o = matrix_of(parts.o, width, heads, kept)
            if parts.gate is not None:
                layer.gate = matrix_of(parts.gate, args.inner, width, kept)
            layer.up = matrix_of(parts.up, args.inner, width, kept)
            layer.down = matrix_of(parts.down, width, args.inner, kept)
            layer.window = parts.window or 0
        args.last_norm = vector_of(last_norm[0], width, "a norm", kept)
        args.last_norm_bias = vector_of(last_norm[1], width, "a norm", kept)
        args.head = matrix_of(head, len(head.data), width, kept)
        args.x = allocate(round_up(width, 16), kept)
        args.q = allocate(heads, kept)
        args.k = allocate(args.shared_heads * args.depth, kept)
        args.v = allocate(args.shared_heads * args.depth, kept)
        args.hidden = allocate(args.inner, kept)
        args.sums = allocate(max(width, args.inner), kept)
        # A piece holds the normed x, all heads' attention, or one query.
        self.work.scratch_size = round_up(max(width, heads), 16)
        self.work.scratch = allocate(
            self.work.scratch_size * PIECES_OF_THREAD * MOST_THREADS, kept
        )

    cdef int set_rotary(self, sizes) except -1:
        cdef tt_decode_args *args = &self.work.args
        frequencies = sizes.frequencies
        if frequencies is None:
            return 0
        args.rotary.pairs = len(frequencies)
        args.rotary.frequencies = vector_of(
            frequencies, args.rotary.pairs, "frequencies", self.kept
        )
        args.rotary.positions = &self.position
        args.rotary.steps = 1
        args.rotary.depth = args.rotary.x_head = args.rotary.out_head = args.depth
        args.rotary.scale = args.rotary.sine_scale = sizes.rotary_scale
        args.rotary.interleaved = sizes.interleaved
        return 0

    def __call__(self, x, list keys not None, list values not None, int64_t row, int64_t place,
                 int64_t position):
        cdef Work *work = &self.work
        cdef tt_decode_args *args = &work.args
        cdef tt_decode_layer *layer
        cdef list call = []
        cdef int64_t i, threads
        cdef cnp.npy_intp size = args.head.last
        cdef const float *given = vector_of(x, args.width, "x", call)
        if self.busy:
            raise RuntimeError("DecoderSteps: one thread at a time")
        if given == NULL or not len(keys) == len(values) == work.layer_count:
            raise ValueError(
                f"DecoderSteps: needs x, and keys and values of {work.layer_count} layers"
            )
        for i in range(work.layer_count):
            layer = &work.layers[i]
            layer.keys = row_of_cache(keys[i], row, place, args)
            layer.values = row_of_cache(values[i], row, place, args)
            layer.keys_head = keys[i].shape[2] * args.depth
            layer.values_head = values[i].shape[2] * args.depth
        args.place, self.position = place, position
        args.partial = allocate(
            args.heads * ceil_div(place + 1, TT_DECODE_RUN) * (args.depth + 2), call
        )
        logits = _core.empty_f32(1, &size)
        args.logits = data_f32(logits)
        memcpy(args.x, given, args.width * sizeof(float))
        work.table = _core.table
        threads = min(<int> core.get_num_threads(), <int> MOST_THREADS)
        args.pieces = 1 if threads == 1 else threads * PIECES_OF_THREAD
        self.busy = True
        with nogil:
            _core.parallel_steps(
                work.layer_count * TT_DECODE_STEPS + 1, args.pieces, run, work
            )
        self.busy = False
        return logits


# The keys or values of one row of the batch.
cdef float *row_of_cache(object x, int64_t row, int64_t place, tt_decode_args *args) except NULL:
    if not (
        is_plain_f32(x) and x.ndim == 4 and x.flags.writeable
        and x.shape[1] == args.shared_heads and x.shape[3] == args.depth
        and 0 <= row < x.shape[0] and 0 <= place < x.shape[2]
    ):
        raise ValueError(
            f"DecoderSteps: keys and values must be float32 (batch, {args.shared_heads}, capacity,"
            f" {args.depth}) with room for row {row}, place {place}"
        )
    return data_f32(x) + row * cnp.PyArray_DIM(x, 1) * cnp.PyArray_DIM(x, 2) * args.depth
