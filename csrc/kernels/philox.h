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

/* Philox4x32-10 (Salmon et al. 2011): the 4 words of each of TT_COUNTERS counters, in order.
 * The upper halves of lanes hold remains, which the products do not see. */
TT_INLINE void tt_philox(uint32_t *words, uint64_t counter, uint64_t key)
{
    tt_u64 lanes = {0};
    for (int i = 0; i < TT_COUNTERS; i++) lanes[i] = counter + (uint64_t)i;
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
    tt_u64 first = (c0 & 0xffffffffu) | (c1 << 32), second = (c2 & 0xffffffffu) | (c3 << 32);
    for (int i = 0; i < TT_COUNTERS; i++) {
        words[4 * i] = (uint32_t)first[i];
        words[4 * i + 1] = (uint32_t)(first[i] >> 32);
        words[4 * i + 2] = (uint32_t)second[i];
        words[4 * i + 3] = (uint32_t)(second[i] >> 32);
    }
}

/* What dropout multiplies n <= MOST elements by, the first of them number `first` of its array:
 * scale where the element's word is at least the threshold, else 0. */
#define TT_DROPOUT_MOST 64
TT_INLINE void tt_dropout_factors(
    float *out, int64_t n, uint64_t first, uint64_t key, uint32_t threshold, float scale)
{
    uint32_t words[TT_DROPOUT_MOST + 8 * TT_COUNTERS];
    const int64_t skip = (int64_t)(first % 4);
    for (int64_t w = 0; w < skip + n; w += 4 * TT_COUNTERS)
        tt_philox(words + w, (first + (uint64_t)w) / 4, key);
    for (int64_t i = 0; i < n; i++) out[i] = words[skip + i] >= threshold ? scale : 0;
}

#endif
