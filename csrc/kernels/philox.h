/* Random words from a counter: any part of a key's stream, on any thread, and again in backward. */
#ifndef TT_PHILOX_H
#define TT_PHILOX_H

#include "../simd.h"

typedef uint64_t tt_u64 __attribute__((vector_size(TT_VECTOR_BYTES)));
enum { TT_COUNTERS = VL / 2 }; /* counters in a vector: one to a 64-bit lane */

/* The 64-bit product of the low halves of the lanes. */
TT_INLINE tt_u64 tt_mul_low(tt_u64 a, uint32_t b)
{
    tt_u64 factor = (tt_u64){0} + (uint64_t)b;
#if TT_VECTOR_BYTES == 64 && defined(__AVX512F__)
    return (tt_u64)_mm512_mul_epu32((__m512i)a, (__m512i)factor);
#elif TT_VECTOR_BYTES == 32 && defined(__AVX2__)
    return (tt_u64)_mm256_mul_epu32((__m256i)a, (__m256i)factor);
#elif defined(__SSE2__)
    return (tt_u64)_mm_mul_epu32((__m128i)a, (__m128i)factor);
#else
    return (a & 0xffffffffu) * factor;
#endif
}

/* a0 b0 a1 b1 … of the first halves of two vectors, and of the second halves. */
#if TT_VECTOR_BYTES == 64
#define TT_INTERLEAVE_LOW(a, b) TT_SHUFFLE_64(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define TT_INTERLEAVE_HIGH(a, b) TT_SHUFFLE_64(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define TT_LANES (tt_u64){0, 1, 2, 3, 4, 5, 6, 7}
#elif TT_VECTOR_BYTES == 32
#define TT_INTERLEAVE_LOW(a, b) TT_SHUFFLE_64(a, b, 0, 4, 1, 5)
#define TT_INTERLEAVE_HIGH(a, b) TT_SHUFFLE_64(a, b, 2, 6, 3, 7)
#define TT_LANES (tt_u64){0, 1, 2, 3}
#else
#define TT_INTERLEAVE_LOW(a, b) TT_SHUFFLE_64(a, b, 0, 2)
#define TT_INTERLEAVE_HIGH(a, b) TT_SHUFFLE_64(a, b, 1, 3)
#define TT_LANES (tt_u64){0, 1}
#endif
#if defined(__clang__) || __GNUC__ >= 12
#define TT_SHUFFLE_64(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define TT_SHUFFLE_64(a, b, ...) __builtin_shuffle(a, b, (tt_u64){__VA_ARGS__})
#endif

/* Philox4x32-10 (Salmon et al. 2011): the 4 words of each of TT_COUNTERS counters, in order: VL
 * words in `low`, and as many in `high`.
 * The upper halves of lanes hold remains, which the products do not see. */
TT_INLINE void tt_philox(vu *low, vu *high, uint64_t counter, uint64_t key)
{
    const tt_u64 lanes = TT_LANES + counter;
    tt_u64 c0 = lanes, c1 = lanes >> 32, c2 = {0}, c3 = {0};
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        tt_u64 a = tt_mul_low(c0, 0xD2511F53u), b = tt_mul_low(c2, 0xCD9E8D57u);
        c0 = (b >> 32) ^ c1 ^ (uint64_t)k0;
        c1 = b;
        c2 = (a >> 32) ^ c3 ^ (uint64_t)k1;
        c3 = a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    /* Lane i of `first` has words 0 and 1 of counter i, lane i of `second` its words 2 and 3. */
    tt_u64 first = (c0 & 0xffffffffu) | (c1 << 32), second = (c2 & 0xffffffffu) | (c3 << 32);
    *low = (vu)TT_INTERLEAVE_LOW(first, second);
    *high = (vu)TT_INTERLEAVE_HIGH(first, second);
}

/* What dropout multiplies n <= MOST elements by, the first of them number `first` of its array:
 * scale where the element's word is at least the threshold, otherwise 0. */
#define TT_DROPOUT_MOST 64
TT_INLINE void tt_dropout_factors(
    float *out, int64_t n, uint64_t first, uint64_t key, uint32_t threshold, float scale)
{
    uint32_t words[TT_DROPOUT_MOST + 8 * TT_COUNTERS];
    const int64_t skip = (int64_t)(first % 4);
    for (int64_t w = 0; w < skip + n; w += 4 * TT_COUNTERS) {
        vu low, high;
        tt_philox(&low, &high, (first + (uint64_t)w) / 4, key);
        memcpy(words + w, &low, sizeof low);
        memcpy(words + w + VL, &high, sizeof high);
    }
    for (int64_t i = 0; i < n; i++) out[i] = words[skip + i] >= threshold ? scale : 0;
}

#endif
