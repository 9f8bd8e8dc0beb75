/* Element-wise maps of one and of two operands, and their fused backwards. */
#include "../simd_math.h"

/* One row: column steps are constants where this is inlined, so each case is its own loop. */
#define TT_BINARY_LOOP(EXPRESSION, A_COL, B_COL)                                               \
    do {                                                                                       \
        const vf a1 = vf_set1(*pa), b1 = vf_set1(*pb);                                         \
        int64_t c = 0;                                                                         \
        for (; c + VL <= s->cols; c += VL) {                                                   \
            vf a = (A_COL) ? vf_load(pa + c) : a1, b = (B_COL) ? vf_load(pb + c) : b1;         \
            vf_store(po + c, (EXPRESSION));                                                    \
        }                                                                                      \
        int64_t rest = s->cols - c;                                                            \
        if (rest) {                                                                            \
            vf a = (A_COL) ? vf_load_n(pa + c, rest) : a1;                                     \
            vf b = (B_COL) ? vf_load_n(pb + c, rest) : b1;                                     \
            vf_store_n(po + c, (EXPRESSION), rest);                                            \
        }                                                                                      \
    } while (0)

/* Define a kernel of two operands by its expression in the vectors a and b. */
#define TT_BINARY(NAME, EXPRESSION)                                                            \
    static void tt_##NAME##_f32(const tt_binary_args *s)                                       \
    {                                                                                          \
        if (s->cols == 0) return;                                                              \
        for (int64_t r = 0; r < s->rows; r++) {                                                \
            const float *pa = s->a + r * s->a_row, *pb = s->b + r * s->b_row;                  \
            float *po = s->out + r * s->cols;                                                  \
            if (s->a_col && s->b_col)                                                          \
                TT_BINARY_LOOP(EXPRESSION, 1, 1);                                              \
            else if (s->a_col)                                                                 \
                TT_BINARY_LOOP(EXPRESSION, 1, 0);                                              \
            else                                                                               \
                TT_BINARY_LOOP(EXPRESSION, 0, s->b_col);                                       \
        }                                                                                      \
    }

TT_BINARY(add, a + b)
