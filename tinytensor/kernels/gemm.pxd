# Matrix products for the kernel modules: what to multiply (product), and the call that does it.
cimport numpy as cnp
from libc.stdint cimport int64_t


# C = activation(A B + biases), or C += A B, for each matrix of a batch. Steps are in elements and
# may be anything; element (i, j) of C is at i * c_row + j, or by columns at i + j * c_row. Offsets
# of the batch are NULL for one matrix. Of floats, or of doubles.
ctypedef struct product:
    bint of_doubles
    int64_t batches, rows, columns, depth
    const void *a
    int64_t a_row, a_depth
    const int64_t *a_offsets
    const void *b
    int64_t b_depth, b_column
    const int64_t *b_offsets
    void *c
    int64_t c_row, c_batch
    bint c_by_columns
    int accumulate
    int activation
    const void *row_bias
    const void *column_bias


# Weights (groups, filters, taps), packed as A: of each group one block of the depth after another.
cdef void pack_filters(
    const float *weight, float *out, int64_t groups, int64_t filters, int64_t taps, int64_t panel
) noexcept nogil

# Height of the panels, and rows of the pieces, that `rows` rows are best cut into.
cdef void cut_rows(int64_t rows, int64_t tallest, int64_t *panel, int64_t *piece) noexcept nogil

# Depth of the blocks that `depth` is cut into, at most TT_GEMM_DEPTH: a function of it alone, as
# the order of the sums is.
cdef int64_t depth_of_blocks(int64_t depth) noexcept nogil

# Takes the GIL's holder; releases the GIL where the work is worth it.
cdef int multiply(const product *p) except -1
