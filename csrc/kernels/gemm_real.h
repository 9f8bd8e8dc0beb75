/* Matrix products of one type of numbers, included by gemm.h once for each:
 *
 *     tt_real      the type             TT_OF(name)   a name of its own for a function
 *     tt_vector    a vector of them     TT_V(op)      an operation on vectors
 *     TT_LANES     lanes of a vector    TT_COLUMNS    of a panel of B: two vectors */

/* --- Tiles ---------------------------------------------------------------------------------- */

typedef struct {
    int64_t depth;
    const tt_real *a;
    int64_t a_row, a_depth;
    const tt_real *b;
    int64_t b_depth;
    tt_real *c;
    int64_t c_row;
    int64_t columns; /* of the tile's vectors, the last may be partly outside C */
    int accumulate;
    const tt_real *ahead; /* a line, then `ahead_step` on, is asked for at each step of the depth */
    int64_t ahead_step;
    tt_real *b_copy; /* a packed panel, which a copying tile makes of what it reads of B */
} TT_OF(tt_gemm_tile);

/* Inlined with constant rows and vectors, so that the sums are registers. A tile that copies also
 * asks for the rows of B to come: they are far apart, where the processor's prefetchers do not
 * follow, and may come from memory. */
TT_INLINE void TT_OF(tt_gemm_tile_of)(int rows, int vectors, int64_t a_row, int64_t a_depth,
                                      int copies, const TT_OF(tt_gemm_tile) *t)
{
    tt_vector sum[TT_GEMM_ROWS][2];
    const tt_real *a = t->a, *b = t->b, *ahead = t->ahead;
    const int64_t ahead_step = t->ahead_step;
    tt_real *copy = t->b_copy;
    TT_UNROLL for (int r = 0; r < rows; r++)
        TT_UNROLL for (int v = 0; v < vectors; v++) sum[r][v] = TT_V(zero)();
    for (int64_t k = 0; k < t->depth; k++, a += a_depth, b += t->b_depth) {
        tt_vector row[2];
        __builtin_prefetch(ahead, 0, 2);
        ahead += ahead_step;
        TT_UNROLL for (int v = 0; v < vectors; v++) row[v] = TT_V(load)(b + v * TT_LANES);
        if (copies) {
            __builtin_prefetch(b + TT_GEMM_AHEAD * t->b_depth);
            __builtin_prefetch(b + TT_GEMM_AHEAD * t->b_depth + vectors * TT_LANES - 1);
            TT_UNROLL for (int v = 0; v < vectors; v++, copy += TT_LANES) TT_V(store)(copy, row[v]);
        }
        TT_UNROLL for (int r = 0; r < rows; r++) {
            tt_vector x = TT_V(set1)(a[r * a_row]);
            TT_UNROLL for (int v = 0; v < vectors; v++)
                sum[r][v] = TT_V(fma)(x, row[v], sum[r][v]);
        }
    }
    const int64_t c_row = t->c_row, rest = t->columns - (vectors - 1) * TT_LANES;
    tt_real *c = t->c;
    if (t->accumulate)
        TT_UNROLL for (int r = 0; r < rows; r++)
            TT_UNROLL for (int v = 0; v < vectors; v++) {
                const tt_real *from = c + r * c_row + v * TT_LANES;
                const int whole = v < vectors - 1 || rest == TT_LANES;
                sum[r][v] += whole ? TT_V(load)(from) : TT_V(load_n)(from, rest);
            }
    TT_UNROLL for (int r = 0; r < rows; r++) {
        TT_UNROLL for (int v = 0; v < vectors - 1; v++)
            TT_V(store)(c + r * c_row + v * TT_LANES, sum[r][v]);
        tt_real *last = c + r * c_row + (vectors - 1) * TT_LANES;
        if (rest == TT_LANES)
            TT_V(store)(last, sum[r][vectors - 1]);
        else
            TT_V(store_n)(last, sum[r][vectors - 1], rest);
    }
}

#define TT_TILE(NAME, ROWS, VECTORS, A_ROW, A_DEPTH, COPIES)                                \
    static void TT_OF(tt_tile_##NAME##_##ROWS##x##VECTORS)(const TT_OF(tt_gemm_tile) *t)    \
    {                                                                                       \
        TT_OF(tt_gemm_tile_of)(ROWS, VECTORS, A_ROW, A_DEPTH, COPIES, t);                   \
    }
#define TT_TILES_OF(ROWS, VECTORS)                                                          \
    TT_TILE(strided, ROWS, VECTORS, t->a_row, t->a_depth, 0)                                \
    TT_TILE(strided_copying, ROWS, VECTORS, t->a_row, t->a_depth, 1)                        \
    TT_TILE(adjacent, ROWS, VECTORS, 1, t->a_depth, 0)                                      \
    TT_TILE(adjacent_copying, ROWS, VECTORS, 1, t->a_depth, 1)
#define TT_TILES(ROWS) TT_TILES_OF(ROWS, 1) TT_TILES_OF(ROWS, 2)
#define TT_TILE_NAMES(ROWS, VECTORS)                                                        \
    {{TT_OF(tt_tile_strided_##ROWS##x##VECTORS),                                            \
      TT_OF(tt_tile_strided_copying_##ROWS##x##VECTORS)},                                   \
     {TT_OF(tt_tile_adjacent_##ROWS##x##VECTORS),                                             \
      TT_OF(tt_tile_adjacent_copying_##ROWS##x##VECTORS)}}
#define TT_TILE_ENTRY(ROWS) {TT_TILE_NAMES(ROWS, 1), TT_TILE_NAMES(ROWS, 2)},

TT_TO_ROWS(TT_TILES)

/* [rows - 1][vectors - 1][are the rows of A adjacent][is B copied] */
static void (*const TT_OF(tt_tiles)[TT_GEMM_ROWS][2][2][2])(const TT_OF(tt_gemm_tile) *) = {
    TT_TO_ROWS(TT_TILE_ENTRY)};

/* --- Packing -------------------------------------------------------------------------------- */

/* A panel is out[k][i] = x[i * width_step + k * depth_step] for k < depth, i < width; its rows are
 * `padded` apart, filled up with zeros. A panel of A is not padded.
 *
 * Store `lanes` floats of a row of a panel, of which `rest` floats are behind the row. A whole
 * vector is quicker, and what it spoils of the rows behind is stored after it. */
TT_INLINE void TT_OF(tt_store_in_panel)(tt_real *out, tt_vector x, int64_t lanes, int64_t rest)
{
    if (lanes >= TT_LANES || lanes + rest >= TT_LANES)
        TT_V(store)(out, x);
    else
        TT_V(store_n)(out, x, lanes);
}

/* The width is adjacent in memory: a few rows of all panels, then the next few. So lines of panels
 * are written whole: panels are mostly whole pages long, and the same row of all of them would meet
 * in one set of a cache. The rows of x lie far apart, where the processor's own prefetchers do not
 * follow: those to come are asked for. */
static void TT_OF(tt_pack_adjacent)(const tt_gemm_pack_args *s, int64_t panel, int64_t lanes)
{
    enum { ROWS = 8 };
    for (int64_t k0 = 0; k0 < s->depth; k0 += ROWS) {
        const int64_t end = s->depth - k0 < ROWS ? s->depth : k0 + ROWS;
        for (int64_t i = 0; i < s->width; i += panel) {
            const int64_t width = s->width - i < panel ? s->width - i : panel;
            const int64_t padded = tt_round_up(width, lanes);
            const tt_real *x = (const tt_real *)s->x + i + k0 * s->depth_step;
            tt_real *out = (tt_real *)s->out + i * s->depth + k0 * padded;
            for (int64_t k = k0; k < end; k++, x += s->depth_step, out += padded)
                for (int64_t c = 0; c < width; c += TT_LANES) {
                    const int64_t n = width - c;
                    __builtin_prefetch(x + c + ROWS * s->depth_step);
                    const tt_vector row = n < TT_LANES ? TT_V(load_n)(x + c, n) : TT_V(load)(x + c);
                    TT_OF(tt_store_in_panel)(out + c, row, padded - c, (s->depth - 1 - k) * padded);
                }
        }
    }
}

/* The depth is adjacent in memory: blocks of TT_LANES x TT_LANES, transposed in registers. */
static void TT_OF(tt_pack_transposed)(const tt_real *x, int64_t width_step, int64_t width,
                                      int64_t padded, int64_t depth, tt_real *out)
{
    for (int64_t k = 0; k < depth; k += TT_LANES) {
        const int64_t rows = depth - k < TT_LANES ? depth - k : TT_LANES;
        for (int64_t i = 0; i < width; i += TT_LANES) {
            tt_vector block[TT_LANES];
            for (int64_t c = 0; c < TT_LANES; c++) {
                const tt_real *from = x + (i + c) * width_step + k;
                if (i + c >= width)
                    block[c] = TT_V(zero)();
                else
                    block[c] = rows < TT_LANES ? TT_V(load_n)(from, rows) : TT_V(load)(from);
            }
            TT_V(transpose)(block);
            for (int64_t r = 0; r < rows; r++) {
                /* Where a row has several blocks, those before this one are stored already. */
                const int64_t rest = padded <= TT_LANES ? (depth - 1 - k - r) * padded : 0;
                TT_OF(tt_store_in_panel)(out + (k + r) * padded + i, block[r], padded - i, rest);
            }
        }
    }
}

/* Into panels of `panel`, each padded to a multiple of `lanes`. */
TT_INLINE void TT_OF(tt_pack)(const tt_gemm_pack_args *s, int64_t panel, int64_t lanes)
{
    const tt_real *from = s->x;
    tt_real *to = s->out;
    if (s->width_step == 1 && s->width >= 4) {
        TT_OF(tt_pack_adjacent)(s, panel, lanes);
        return;
    }
    for (int64_t i = 0; i < s->width; i += panel) {
        const int64_t width = s->width - i < panel ? s->width - i : panel;
        const int64_t padded = tt_round_up(width, lanes);
        const tt_real *x = from + i * s->width_step;
        tt_real *out = to + i * s->depth;
        if (s->depth_step == 1 && s->depth >= 4) {
            TT_OF(tt_pack_transposed)(x, s->width_step, width, padded, s->depth, out);
            continue;
        }
        for (int64_t k = 0; k < s->depth; k++)
            for (int64_t c = 0; c < padded; c++)
                out[k * padded + c] = c < width ? x[c * s->width_step + k * s->depth_step] : 0;
    }
}

/* Rows of A into panels of s->panel rows; the last panel has the rows that are left. */
static void TT_OF(tt_gemm_pack_a)(const tt_gemm_pack_args *s) { TT_OF(tt_pack)(s, s->panel, 1); }

/* Columns of B into panels of 2 vectors; the last is filled up with zeros to whole vectors. */
static void TT_OF(tt_gemm_pack_b)(const tt_gemm_pack_args *s)
{
    TT_OF(tt_pack)(s, TT_COLUMNS, TT_LANES);
}

/* --- Blocks --------------------------------------------------------------------------------- */

TT_INLINE tt_vector TT_OF(tt_activate)(int activation, tt_vector x)
{
    return activation == TT_RELU ? TT_V(max)(x, TT_V(zero)()) : x;
}

/* c = activation(c + bias) */
static void TT_OF(tt_gemm_finish)(const tt_gemm_finish_args *s)
{
    const tt_real *of_rows = s->row_bias, *of_columns = s->column_bias;
    for (int64_t r = 0; r < s->rows; r++) {
        tt_real *c = (tt_real *)s->c + r * s->c_row;
        tt_vector row_bias = TT_V(set1)(of_rows ? of_rows[r] : 0);
        for (int64_t j = 0; j < s->columns; j += TT_LANES) {
            int64_t n = s->columns - j;
            tt_vector x = n < TT_LANES ? TT_V(load_n)(c + j, n) : TT_V(load)(c + j);
            if (of_rows) x += row_bias;
            if (of_columns)
                x += n < TT_LANES ? TT_V(load_n)(of_columns + j, n) : TT_V(load)(of_columns + j);
            x = TT_OF(tt_activate)(s->activation, x);
            if (n < TT_LANES)
                TT_V(store_n)(c + j, x, n);
            else
                TT_V(store)(c + j, x);
        }
    }
}

/* A tile, rows x columns, into a C whose columns are adjacent in memory: c[j * c_row + i]. */
static void TT_OF(tt_store_transposed)(const tt_real *tile, int64_t rows, int64_t columns,
                                       tt_real *c, int64_t c_row, int accumulate)
{
    for (int64_t i = 0; i < rows; i += TT_LANES)
        for (int64_t j = 0; j < columns; j += TT_LANES) {
            const int64_t n = rows - i < TT_LANES ? rows - i : TT_LANES;
            tt_vector block[TT_LANES];
            for (int64_t r = 0; r < TT_LANES; r++)
                block[r] = r < n ? TT_V(load)(tile + (i + r) * TT_COLUMNS + j) : TT_V(zero)();
            TT_V(transpose)(block);
            for (int64_t v = 0; v < TT_LANES && j + v < columns; v++) {
                tt_real *to = c + (j + v) * c_row + i;
                if (accumulate) block[v] += n < TT_LANES ? TT_V(load_n)(to, n) : TT_V(load)(to);
                if (n < TT_LANES)
                    TT_V(store_n)(to, block[v], n);
                else
                    TT_V(store)(to, block[v]);
            }
        }
}

/* What is read first by the tiles after (i, j), or by this one, and may come from far: while the
 * block goes through A for the first time the next panel of A, or what comes of an A in place whose
 * rows are adjacent, a line for each step of the depth; then the next panel of B, by halves. */
TT_INLINE void TT_OF(tt_gemm_look_ahead)(TT_OF(tt_gemm_tile) *t, const tt_gemm_block_args *s,
                                         int64_t i, int64_t j)
{
    const int more_of_a = i + s->panel < s->rows, more_of_b = j + TT_COLUMNS < s->columns;
    t->ahead = t->b;
    t->ahead_step = 0;
    if (s->a_packed && j == 0 && more_of_a) {
        t->ahead = t->a + s->panel * s->depth;
        t->ahead_step = TT_LANES;
    } else if (!s->a_packed && s->a_row == 1 && j == 0) {
        t->ahead = t->a + s->panel - 1 + TT_GEMM_AHEAD * s->a_depth;
        t->ahead_step = s->a_depth;
    } else if (s->b_packed && more_of_b && (i < 2 * s->panel || j == 0)) {
        t->ahead = t->b + (TT_COLUMNS + (i == s->panel ? TT_LANES : 0)) * s->depth;
        t->ahead_step = TT_LANES;
    }
}

/* Rows of C far apart, each on a page of its own, are found before the sums are ready. */
TT_INLINE void TT_OF(tt_gemm_find_c)(const tt_real *c, int64_t c_row, int64_t rows, int64_t columns)
{
    for (int64_t r = 0; r < rows; r++) {
        __builtin_prefetch(c + r * c_row, 1);
        __builtin_prefetch(c + r * c_row + columns - 1, 1);
    }
}

/* Of the rows that are left. A tile of few rows has too few sums to keep the arithmetic busy: the
 * last two share theirs, where A does not lie in panels. */
TT_INLINE int64_t TT_OF(tt_gemm_rows_of_tile)(const tt_gemm_block_args *s, int64_t left)
{
    if (left <= s->panel) return left;
    return s->a_packed || left >= 2 * s->panel ? s->panel : (left + 1) / 2;
}

static void TT_OF(tt_gemm_block)(const tt_gemm_block_args *s)
{
    tt_real panel_of_b[TT_GEMM_DEPTH * TT_COLUMNS] __attribute__((aligned(TT_VECTOR_BYTES)));
    tt_real tile[TT_GEMM_ROWS * TT_COLUMNS] __attribute__((aligned(TT_VECTOR_BYTES)));
    const tt_real *all_of_a = s->a, *all_of_b = s->b;
    const tt_real *row_bias = s->row_bias, *column_bias = s->column_bias;
    const int adjacent = s->a_packed || s->a_row == 1;
    /* Memory takes as long as a tile that is 128 deep: of less deep ones a later tile's rows of C
     * are asked for, unless they are whole pages apart, and push out what is in their sets. */
    const int64_t lead = 128 / (s->depth + 1) * s->panel;
    const int finds_c = !s->c_by_columns && s->c_row >= 8 * TT_COLUMNS
                        && (lead == 0 || (s->c_row > 1024 && s->c_row * sizeof(tt_real) % 4096));
    /* The first tile copies a panel of B for the others, unless a cache holds its rows anyway. */
    const int copies_b =
        s->rows > s->panel && s->depth * llabs(s->b_depth) > TT_GEMM_CACHE / (int)sizeof(tt_real);
    TT_OF(tt_gemm_tile) t = {.depth = s->depth, .a_row = s->a_row,
                      .c_row = s->c_row, .accumulate = s->accumulate, .b_copy = panel_of_b};
    if (s->c_by_columns) t.c_row = TT_COLUMNS, t.accumulate = 0;
    for (int64_t j = 0; j < s->columns; j += TT_COLUMNS) {
        t.columns = s->columns - j < TT_COLUMNS ? s->columns - j : TT_COLUMNS;
        const int64_t columns = t.columns, vectors = tt_ceil_div(columns, TT_LANES);
        int copies = 0;
        if (s->b_packed) {
            t.b = all_of_b + j * s->depth;
            t.b_depth = vectors * TT_LANES;
        } else if (s->b_column == 1 && columns % TT_LANES == 0) {
            t.b = all_of_b + j;
            t.b_depth = s->b_depth;
            copies = copies_b;
        } else {
            TT_OF(tt_gemm_pack_b)(&(tt_gemm_pack_args){
                .x = all_of_b + j * s->b_column, .out = panel_of_b, .width = columns,
                .depth = s->depth, .width_step = s->b_column, .depth_step = s->b_depth});
            t.b = panel_of_b;
            t.b_depth = vectors * TT_LANES;
        }
        if (s->c_by_columns) t.columns = vectors * TT_LANES;
        for (int64_t i = 0, rows; i < s->rows; i += rows) {
            rows = TT_OF(tt_gemm_rows_of_tile)(s, s->rows - i);
            tt_real *c = (tt_real *)s->c + (s->c_by_columns ? i + j * s->c_row : i * s->c_row + j);
            t.a = all_of_a + i * (s->a_packed ? s->depth : s->a_row);
            t.a_depth = s->a_packed ? rows : s->a_depth;
            t.c = s->c_by_columns ? tile : c;
            TT_OF(tt_gemm_look_ahead)(&t, s, i, j);
            if (finds_c && i + lead < s->rows) {
                const int64_t left = s->rows - i - lead;
                TT_OF(tt_gemm_find_c)(c + lead * s->c_row, s->c_row,
                                      left < s->panel ? left : s->panel, columns);
            }
            TT_OF(tt_tiles)[rows - 1][vectors - 1][adjacent][copies](&t);
            if (copies) {
                t.b = panel_of_b;
                t.b_depth = vectors * TT_LANES;
                copies = 0;
            }
            if (s->c_by_columns)
                TT_OF(tt_store_transposed)(tile, rows, columns, c, s->c_row, s->accumulate);
            if (s->finish) {
                const tt_real *of_rows = row_bias ? row_bias + i : NULL;
                const tt_real *of_columns = column_bias ? column_bias + j : NULL;
                tt_gemm_finish_args finish = {
                    .c = c, .c_row = s->c_row, .rows = rows, .columns = columns,
                    .row_bias = of_rows, .column_bias = of_columns, .activation = s->activation};
                if (s->c_by_columns) {
                    finish.rows = columns, finish.columns = rows;
                    finish.row_bias = of_columns, finish.column_bias = of_rows;
                }
                TT_OF(tt_gemm_finish)(&finish);
            }
        }
    }
}

/* --- A matrix and a vector ------------------------------------------------------------------ */

/* Rows of adjacent elements: dot products with a vector, four rows at a time. */
TT_INLINE void TT_OF(tt_gemv_dots)(int rows, const tt_gemv_args *s, int64_t row, const tt_real *x,
                            tt_real *y)
{
    const tt_real *a = (const tt_real *)s->a + row * s->a_row;
    tt_real total[4] = {0};
    for (int64_t begin = 0; begin < s->depth; begin += TT_GEMM_DEPTH) {
        int64_t end = s->depth - begin < TT_GEMM_DEPTH ? s->depth : begin + TT_GEMM_DEPTH;
        tt_vector even[4], odd[4];
        TT_UNROLL for (int r = 0; r < rows; r++) even[r] = odd[r] = TT_V(zero)();
        int64_t k = begin;
        for (; k + 2 * TT_LANES <= end; k += 2 * TT_LANES) {
            tt_vector x0 = TT_V(load)(x + k), x1 = TT_V(load)(x + k + TT_LANES);
            TT_UNROLL for (int r = 0; r < rows; r++) {
                __builtin_prefetch(a + r * s->a_row + k + 512);
                __builtin_prefetch(a + r * s->a_row + k + 512 + TT_LANES);
                even[r] = TT_V(fma)(TT_V(load)(a + r * s->a_row + k), x0, even[r]);
                odd[r] = TT_V(fma)(TT_V(load)(a + r * s->a_row + k + TT_LANES), x1, odd[r]);
            }
        }
        for (; k < end; k += TT_LANES) {
            int64_t n = end - k;
            tt_vector x0 = n < TT_LANES ? TT_V(load_n)(x + k, n) : TT_V(load)(x + k);
            TT_UNROLL for (int r = 0; r < rows; r++) {
                const tt_real *p = a + r * s->a_row + k;
                even[r] = TT_V(fma)(n < TT_LANES ? TT_V(load_n)(p, n) : TT_V(load)(p), x0, even[r]);
            }
        }
        TT_UNROLL for (int r = 0; r < rows; r++) total[r] += TT_V(hsum)(even[r] + odd[r]);
    }
    TT_UNROLL for (int r = 0; r < rows; r++) y[row + r] = total[r];
}

/* Columns of adjacent elements: y += x[k] a[:, k], a stretch of y that stays in the cache. */
static void TT_OF(tt_gemv_sums)(const tt_gemv_args *s, const tt_real *x, tt_real *all_of_y)
{
    enum { STRETCH = TT_GEMV_STRETCH };
    tt_real sums[STRETCH];
    for (int64_t i0 = 0; i0 < s->rows; i0 += STRETCH) {
        const int64_t rows = s->rows - i0 < STRETCH ? s->rows - i0 : STRETCH;
        tt_real *y = all_of_y + i0;
        memset(y, 0, sizeof(tt_real) * (size_t)rows);
        for (int64_t begin = 0; begin < s->depth; begin += TT_GEMM_DEPTH) {
            int64_t end = s->depth - begin < TT_GEMM_DEPTH ? s->depth : begin + TT_GEMM_DEPTH;
            memset(sums, 0, sizeof(tt_real) * (size_t)rows);
            for (int64_t k = begin; k < end; k += 4) {
                const tt_real *a = (const tt_real *)s->a + i0 + k * s->a_depth;
                const int64_t step = s->a_depth, columns = end - k < 4 ? end - k : 4;
                int64_t i = 0;
                if (columns == 4) {
                    tt_vector x0 = TT_V(set1)(x[k]), x1 = TT_V(set1)(x[k + 1]);
                    tt_vector x2 = TT_V(set1)(x[k + 2]), x3 = TT_V(set1)(x[k + 3]);
                    for (; i + TT_LANES <= rows; i += TT_LANES) {
                        tt_vector sum = TT_V(fma)(TT_V(load)(a + i), x0, TT_V(load)(sums + i));
                        sum = TT_V(fma)(TT_V(load)(a + step + i), x1, sum);
                        sum = TT_V(fma)(TT_V(load)(a + 2 * step + i), x2, sum);
                        TT_V(store)(sums + i, TT_V(fma)(TT_V(load)(a + 3 * step + i), x3, sum));
                    }
                }
                for (; i < rows; i += TT_LANES) {
                    const int64_t n = rows - i < TT_LANES ? rows - i : TT_LANES;
                    for (int64_t c = 0; c < columns; c++) {
                        const tt_real *p = a + c * step + i;
                        tt_vector column = n < TT_LANES ? TT_V(load_n)(p, n) : TT_V(load)(p);
                        /* sums has room for whole vectors: STRETCH is a multiple of TT_LANES. */
                        TT_V(store)(sums + i,
                                 TT_V(fma)(column, TT_V(set1)(x[k + c]), TT_V(load)(sums + i)));
                    }
                }
            }
            for (int64_t i = 0; i < rows; i++) y[i] += sums[i];
        }
    }
}

/* y = A x for each vector; the rows or the columns of A are adjacent. */
static void TT_OF(tt_gemv)(const tt_gemv_args *s)
{
    const tt_real *all_of_x = s->x;
    tt_real *all_of_y = s->y;
    if (s->a_depth != 1) {
        for (int64_t v = 0; v < s->vectors; v++)
            TT_OF(tt_gemv_sums)(s, all_of_x + v * s->x_vector, all_of_y + v * s->y_vector);
        return;
    }
    for (int64_t row = 0; row < s->rows; row += 4)
        for (int64_t v = 0; v < s->vectors; v++) {
            const tt_real *x = all_of_x + v * s->x_vector;
            tt_real *y = all_of_y + v * s->y_vector;
            if (row + 4 <= s->rows)
                TT_OF(tt_gemv_dots)(4, s, row, x, y);
            else
                for (int64_t r = row; r < s->rows; r++) TT_OF(tt_gemv_dots)(1, s, r, x, y);
        }
}

#undef TT_TILE
#undef TT_TILES
#undef TT_TILE_ENTRY
#undef TT_TILES_OF
#undef TT_TILE_NAMES
#undef tt_real
#undef tt_vector
#undef TT_LANES
#undef TT_OF
#undef TT_V
