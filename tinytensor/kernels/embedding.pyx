# cython: cdivision=True
"""Embedding: the float32 cases of the twins in reference/embedding.py."""
cimport numpy as cnp
from libc.stdint cimport int64_t
from libc.string cimport memset

from tinytensor.kernels cimport _core
from tinytensor.kernels.abi cimport tt_embedding_args, tt_kernels
from tinytensor.kernels.arrays cimport contiguous, data_f32, is_f32
from tinytensor.kernels.tuning cimport PICKED_ELEMENTS, ceil_div, rows_of_piece

from tinytensor.kernels import reference

__all__ = ["embedding", "embedding_backward"]

cnp.import_array()

cdef enum:
    MOST_PIECES = 32  # of backward, each of which reads all indices


cdef struct EmbeddingWork:
    const tt_kernels *table
    tt_embedding_args args
    int64_t rows_of_piece


cdef void run_gather(void *context, int64_t piece) noexcept nogil:
    cdef EmbeddingWork *work = <EmbeddingWork *> context
    cdef tt_embedding_args args = work.args
    cdef int64_t first = piece * work.rows_of_piece
    args.rows = min(work.rows_of_piece, args.rows - first)
    args.indices += first
    args.out += first * args.n
    work.table.embedding_f32(&args)


# A piece owns a run of the table's rows: it clears them, and adds what is meant for them.
cdef void run_scatter(void *context, int64_t piece) noexcept nogil:
    cdef EmbeddingWork *work = <EmbeddingWork *> context
    cdef tt_embedding_args args = work.args
    args.first = piece * work.rows_of_piece
    args.last = min(args.first + work.rows_of_piece, args.last)
    memset(args.out + args.first * args.n, 0, (args.last - args.first) * args.n * sizeof(float))
    work.table.embedding_backward_f32(&args)


# Set the indices, as the kernels trust them: False if one is out of range, or they are not int64.
cdef bint set_indices(EmbeddingWork *work, object indices, int64_t rows) noexcept:
    cdef int64_t i
    if not (
        cnp.PyArray_CheckExact(indices) and cnp.PyArray_TYPE(indices) == cnp.NPY_INT64
        and cnp.PyArray_ISCARRAY_RO(indices)
    ):
        return False
    work.table = _core.table
    work.args.indices = <const int64_t *> cnp.PyArray_DATA(indices)
    work.args.rows = cnp.PyArray_SIZE(indices)
    for i in range(work.args.rows):
        if work.args.indices[i] < 0 or work.args.indices[i] >= rows:
            return False
    return True


def embedding(indices, weight):
    cdef EmbeddingWork work
    if not (
        is_f32(weight) and cnp.PyArray_NDIM(weight) == 2
        and set_indices(&work, indices, cnp.PyArray_DIM(weight, 0))
    ):
        return reference.embedding(indices, weight)
    weight = contiguous(weight)
    work.args.n = cnp.PyArray_DIM(weight, 1)
    out = _core.empty((<object> indices).shape + (work.args.n,))
    work.args.weight = data_f32(weight)
    work.args.out = data_f32(out)
    work.rows_of_piece = rows_of_piece(work.args.n, PICKED_ELEMENTS)
    with nogil:
        _core.parallel_for(ceil_div(work.args.rows, work.rows_of_piece), run_gather, &work)
    return out


def embedding_backward(g, indices, rows, padding_idx):
    cdef EmbeddingWork work
    cdef int64_t most_pieces
    if not (
        is_f32(g) and set_indices(&work, indices, rows)
        and cnp.PyArray_NDIM(g) == cnp.PyArray_NDIM(indices) + 1
        and (<object> g).shape[:-1] == (<object> indices).shape
    ):
        return reference.embedding_backward(g, indices, rows, padding_idx)
    g = contiguous(g)
    work.args.n = cnp.PyArray_DIM(g, cnp.PyArray_NDIM(g) - 1)
    work.args.last = rows
    out = _core.empty((rows, work.args.n))
    work.args.g = data_f32(g)
    work.args.out = data_f32(out)
    # To read an index costs about as much as to add some elements.
    most_pieces = min(<int64_t> MOST_PIECES, max(<int64_t> 1, work.args.n // 8))
    work.rows_of_piece = max(
        rows_of_piece(work.args.n, PICKED_ELEMENTS), ceil_div(work.args.last, most_pieces)
    )
    with nogil:
        _core.parallel_for(ceil_div(work.args.last, work.rows_of_piece), run_scatter, &work)
    if padding_idx is not None:
        out[padding_idx] = 0
    return out
