/* The vector type and its primitive operations, written once for every width.
 *
 * Included only from isa/<name>.c, which sets TT_VECTOR_BYTES to 16, 32 or 64. Arithmetic and
 * comparison are the operators of the compilers' vector extension: `a * b + c`, `a < b` (a vi,
 * -1 where true, 0 where false), `x & mask` on vi. */
#ifndef TT_SIMD_H
#define TT_SIMD_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#define TT_INLINE static inline __attribute__((always_inline))
#define VL (TT_VECTOR_BYTES / 4) /* lanes of a vector */

typedef float vf __attribute__((vector_size(TT_VECTOR_BYTES)));
typedef int32_t vi __attribute__((vector_size(TT_VECTOR_BYTES)));
typedef uint32_t vu __attribute__((vector_size(TT_VECTOR_BYTES)));
/* The same at any address of a float, and allowed to alias. */
typedef float vf_any __attribute__((vector_size(TT_VECTOR_BYTES), aligned(4), may_alias));
typedef int32_t vi_any __attribute__((vector_size(TT_VECTOR_BYTES), aligned(4), may_alias));

TT_INLINE vf vf_load(const float *p) { return *(const vf_any *)p; }
TT_INLINE void vf_store(float *p, vf x) { *(vf_any *)p = x; }

/* Store past the caches, where nothing would find it again before it is pushed out: the memory is
 * then not read first. p is aligned to a vector, and tt_fence comes after the last. */
TT_INLINE void vf_stream(float *p, vf x)
{
#if TT_VECTOR_BYTES == 64 && defined(__AVX512F__)
    _mm512_stream_ps(p, (__m512)x);
#elif TT_VECTOR_BYTES == 32 && defined(__AVX2__)
    _mm256_stream_ps(p, (__m256)x);
#elif defined(__SSE2__)
    _mm_stream_ps(p, (__m128)x);
#else
    vf_store(p, x);
#endif
}
TT_INLINE void tt_fence(void)
{
#if defined(__SSE2__)
    _mm_sfence();
#endif
}

/* May rows of `cols` from p on be streamed? */
TT_INLINE int tt_can_stream(const float *p, int64_t cols)
{
    return (uintptr_t)p % TT_VECTOR_BYTES == 0 && cols % VL == 0;
}

TT_INLINE vi vi_load(const int32_t *p) { return *(const vi_any *)p; }
TT_INLINE void vi_store(int32_t *p, vi x) { *(vi_any *)p = x; }

/* x - 0, not 0 + x: the latter would turn -0 into 0, and be a real addition. */
TT_INLINE vf vf_set1(float x) { return x - (vf){0}; }
TT_INLINE vi vi_set1(int32_t x) { return x - (vi){0}; }
TT_INLINE vf vf_zero(void) { return (vf){0}; }

/* 0, 1, 2, … */
TT_INLINE vi vi_iota(void)
{
#if TT_VECTOR_BYTES == 64
    return (vi){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
#elif TT_VECTOR_BYTES == 32
    return (vi){0, 1, 2, 3, 4, 5, 6, 7};
#else
    return (vi){0, 1, 2, 3};
#endif
}

/* -1 in the first n lanes, 0 in the rest. */
TT_INLINE vi vi_first(int64_t n) { return vi_iota() < vi_set1((int32_t)n); }

/* The first n lanes (0 <= n < VL) from memory, the rest 0; no byte past them is touched. */
TT_INLINE vf vf_load_n(const float *p, int64_t n)
{
#if TT_VECTOR_BYTES == 64 && defined(__AVX512F__)
    return (vf)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
#elif TT_VECTOR_BYTES == 32 && defined(__AVX2__)
    return (vf)_mm256_maskload_ps(p, (__m256i)vi_first(n));
#else
    vf x = vf_zero();
    for (int64_t i = 0; i < n; i++) x[i] = p[i];
    return x;
#endif
}

/* Store the first n lanes (0 <= n < VL). At AVX2 in parts: on processors of AMD a masked store
 * takes some twenty cycles. */
TT_INLINE void vf_store_n(float *p, vf x, int64_t n)
{
#if TT_VECTOR_BYTES == 64 && defined(__AVX512F__)
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)x);
#elif TT_VECTOR_BYTES == 32 && defined(__AVX2__)
    __m128 rest = _mm256_castps256_ps128((__m256)x);
    if (n & 4) {
        _mm_storeu_ps(p, rest);
        p += 4;
        rest = _mm256_extractf128_ps((__m256)x, 1);
    }
    if (n & 2) {
        _mm_storel_pi((__m64 *)p, rest);
        p += 2;
        rest = _mm_movehl_ps(rest, rest);
    }
    if (n & 1) _mm_store_ss(p, rest);
#else
    for (int64_t i = 0; i < n; i++) p[i] = x[i];
#endif
}

/* -1 in the lanes [first, last), which may lie anywhere; 0 in the rest. */
TT_INLINE vi vi_between(int64_t first, int64_t last)
{
    first = first < 0 ? 0 : first < VL ? first : VL;
    return vi_first(last < 0 ? 0 : last < VL ? last : VL) & ~vi_first(first);
}

/* Whether any lane of a mask is -1. */
TT_INLINE int vi_some(vi mask)
{
#if TT_VECTOR_BYTES == 64 && defined(__AVX512F__)
    return _mm512_movepi32_mask((__m512i)mask) != 0;
#elif TT_VECTOR_BYTES == 32 && defined(__AVX2__)
    return _mm256_movemask_ps((__m256)mask) != 0;
#elif defined(__SSE2__)
    return _mm_movemask_ps((__m128)mask) != 0;
#else
    int32_t any = 0;
    for (int i = 0; i < VL; i++) any |= mask[i];
    return any;
#endif
}

/* A bit for each lane of a mask, the lowest for the first. */
TT_INLINE uint32_t vi_bits(vi mask)
{
#if TT_VECTOR_BYTES == 64 && defined(__AVX512F__)
    return _mm512_movepi32_mask((__m512i)mask);
#elif TT_VECTOR_BYTES == 32 && defined(__AVX2__)
    return (uint32_t)_mm256_movemask_ps((__m256)mask);
#elif defined(__SSE2__)
    return (uint32_t)_mm_movemask_ps((__m128)mask);
#else
    uint32_t bits = 0;
    for (int i = 0; i < VL; i++) bits |= (uint32_t)(mask[i] & 1) << i;
    return bits;
#endif
}

/* Holds a vector in a register: otherwise the compiler may read it from memory for each use. */
#if defined(__AVX512F__)
#define TT_KEEP(x) __asm__("" : "+v"(x))
#elif defined(__SSE2__)
#define TT_KEEP(x) __asm__("" : "+x"(x))
#elif defined(__ARM_NEON)
#define TT_KEEP(x) __asm__("" : "+w"(x))
#else
#define TT_KEEP(x) (void)(x)
#endif

/* The lanes of a mask from memory, the rest 0; no other byte is touched. */
TT_INLINE vf vf_load_lanes(const float *p, vi lanes)
{
#if TT_VECTOR_BYTES == 64 && defined(__AVX512F__)
    return (vf)_mm512_maskz_loadu_ps(_mm512_movepi32_mask((__m512i)lanes), p);
#elif TT_VECTOR_BYTES == 32 && defined(__AVX2__)
    return (vf)_mm256_maskload_ps(p, (__m256i)lanes);
#else
    vf x = vf_zero();
    if (!vi_some(~lanes)) return vf_load(p);
    for (int i = 0; i < VL; i++)
        if (lanes[i]) x[i] = p[i];
    return x;
#endif
}

/* Store the lanes of a mask. */
TT_INLINE void vf_store_lanes(float *p, vf x, vi lanes)
{
#if TT_VECTOR_BYTES == 64 && defined(__AVX512F__)
    _mm512_mask_storeu_ps(p, _mm512_movepi32_mask((__m512i)lanes), (__m512)x);
#elif TT_VECTOR_BYTES == 32 && defined(__AVX2__)
    _mm256_maskstore_ps(p, (__m256i)lanes, (__m256)x);
#else
    if (!vi_some(~lanes)) {
        vf_store(p, x);
        return;
    }
    for (int i = 0; i < VL; i++)
        if (lanes[i]) p[i] = x[i];
#endif
}

/* a where the mask is -1, b where it is 0. */
TT_INLINE vf vf_select(vi mask, vf a, vf b)
{
#if TT_VECTOR_BYTES == 32 && defined(__AVX2__)
    return (vf)_mm256_blendv_ps((__m256)b, (__m256)a, (__m256)mask);
#else
    return (vf)(((vi)a & mask) | ((vi)b & ~mask));
#endif
}

/* VL whole numbers of 8 or 16 bits, at any address. Some compilers take a conversion of vectors to
 * wider ones apart, lane by lane, so where there is an instruction it is named. */
typedef int8_t vb __attribute__((vector_size(TT_VECTOR_BYTES / 4)));
typedef uint8_t vub __attribute__((vector_size(TT_VECTOR_BYTES / 4)));
typedef uint16_t vuh __attribute__((vector_size(TT_VECTOR_BYTES / 2)));
TT_INLINE vi vi_from_i8(const void *p)
{
#if TT_VECTOR_BYTES == 64 && defined(__AVX512F__)
    return (vi)_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p));
#elif TT_VECTOR_BYTES == 32 && defined(__AVX2__)
    return (vi)_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p));
#else
    vb bytes;
    memcpy(&bytes, p, sizeof bytes);
    return __builtin_convertvector(bytes, vi);
#endif
}
TT_INLINE vi vi_from_u8(const void *p)
{
#if TT_VECTOR_BYTES == 64 && defined(__AVX512F__)
    return (vi)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p));
#elif TT_VECTOR_BYTES == 32 && defined(__AVX2__)
    return (vi)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));
#else
    vub bytes;
    memcpy(&bytes, p, sizeof bytes);
    return __builtin_convertvector(bytes, vi);
#endif
}
TT_INLINE vi vi_from_u16(const void *p)
{
#if TT_VECTOR_BYTES == 64 && defined(__AVX512F__)
    return (vi)_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));
#elif TT_VECTOR_BYTES == 32 && defined(__AVX2__)
    return (vi)_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
#else
    vuh halves;
    memcpy(&halves, p, sizeof halves);
    return __builtin_convertvector(halves, vi);
#endif
}

/* Stores the lanes as whole numbers of 64 bits. */
TT_INLINE void vi_store_i64(int64_t *p, vi x)
{
#if TT_VECTOR_BYTES == 64 && defined(__AVX512F__)
    const __m256i high = _mm512_extracti64x4_epi64((__m512i)x, 1);
    _mm512_storeu_si512(p, _mm512_cvtepi32_epi64(_mm512_castsi512_si256((__m512i)x)));
    _mm512_storeu_si512(p + 8, _mm512_cvtepi32_epi64(high));
#elif TT_VECTOR_BYTES == 32 && defined(__AVX2__)
    const __m128i high = _mm256_extracti128_si256((__m256i)x, 1);
    _mm256_storeu_si256((__m256i *)p, _mm256_cvtepi32_epi64(_mm256_castsi256_si128((__m256i)x)));
    _mm256_storeu_si256((__m256i *)(p + 4), _mm256_cvtepi32_epi64(high));
#else
    for (int i = 0; i < VL; i++) p[i] = x[i];
#endif
}

/* A byte for each lane: a mask from VL bools, and bools from a mask. */
TT_INLINE vi vi_from_bools(const uint8_t *p) { return vi_from_u8(p) != 0; }
TT_INLINE void vi_to_bools(uint8_t *p, vi mask)
{
#if TT_VECTOR_BYTES == 64 && defined(__AVX512F__)
    const __mmask16 bits = _mm512_movepi32_mask((__m512i)mask);
    _mm_storeu_si128((__m128i *)p, _mm_maskz_set1_epi8(bits, 1));
#elif TT_VECTOR_BYTES == 32 && defined(__AVX2__)
    const __m128i halves = _mm_packs_epi32(_mm256_castsi256_si128((__m256i)mask),
                                           _mm256_extracti128_si256((__m256i)mask, 1));
    const __m128i bytes = _mm_packs_epi16(halves, halves);
    _mm_storel_epi64((__m128i *)p, _mm_and_si128(bytes, _mm_set1_epi8(1)));
#else
    vb bytes = __builtin_convertvector(mask, vb) & 1;
    memcpy(p, &bytes, sizeof bytes);
#endif
}

/* The floats whose first 16 bits the low halves of the lanes are, exactly: IEEE's binary16. 2^112
 * moves the exponent to its place, that of denormals too; infinity and NaN have all its bits. */
TT_INLINE vf vf_of_f16_bits(vi bits)
{
    vi size = (bits & 0x7fff) << 13;
    vi odd = size > vi_set1((0x7c00 << 13) - 1);
    vi finite = (vi)((vf)size * 0x1p112f);
    return (vf)(((size | 0x7f800000) & odd) | (finite & ~odd) | (bits & 0x8000) << 16);
}

/* VL of binary16 at any address, and one of them in all lanes. */
TT_INLINE vf vf_from_f16(const void *p)
{
#if TT_VECTOR_BYTES == 64 && defined(__AVX512F__)
    return (vf)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
#elif TT_VECTOR_BYTES == 32 && defined(__F16C__)
    return (vf)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
#else
    return vf_of_f16_bits(vi_from_u16(p));
#endif
}
TT_INLINE vf vf_set1_f16(const void *p)
{
    int16_t bits;
    memcpy(&bits, p, sizeof bits);
#if TT_VECTOR_BYTES == 64 && defined(__AVX512F__)
    return (vf)_mm512_cvtph_ps(_mm256_set1_epi16(bits));
#elif TT_VECTOR_BYTES == 32 && defined(__F16C__)
    return (vf)_mm256_cvtph_ps(_mm_set1_epi16(bits));
#else
    return vf_of_f16_bits(vi_set1(bits));
#endif
}

/* base plus the whole number in the low 4 bits of each lane. */
TT_INLINE vf vf_from_low_4_bits(vi x, const float base)
{
#if TT_VECTOR_BYTES == 64 && defined(__AVX512F__)
    const vf table = __builtin_convertvector(vi_iota(), vf) + base;
    return (vf)_mm512_permutexvar_ps((__m512i)x, (__m512)table);
#else
    const vf number = __builtin_convertvector(x & 15, vf);
    return base == 0 ? number : number + base;
#endif
}

TT_INLINE vi vi_select(vi mask, vi a, vi b) { return (a & mask) | (b & ~mask); }

/* a * b + c; one rounding where the instruction set has it (-ffp-contract=fast). */
TT_INLINE vf vf_fma(vf a, vf b, vf c) { return a * b + c; }
/* The same, rounded once for certain where there is an instruction for it: a compiler may otherwise
 * take a product that it has, and that is rounded. */
TT_INLINE vf vf_fma_once(vf a, vf b, vf c)
{
#if TT_VECTOR_BYTES == 64 && defined(__AVX512F__)
    return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif TT_VECTOR_BYTES == 32 && defined(__FMA__)
    return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined(__aarch64__)
    return (vf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
    return a * b + c;
#endif
}

TT_INLINE vf vf_abs(vf x) { return (vf)((vi)x & vi_set1(0x7fffffff)); }
TT_INLINE vf vf_neg(vf x) { return (vf)((vi)x ^ vi_set1(INT32_MIN)); }
/* |size| with the sign of `sign`. */
TT_INLINE vf vf_copysign(vf size, vf sign)
{
    vi bit = vi_set1(INT32_MIN);
    return (vf)(((vi)size & ~bit) | ((vi)sign & bit));
}

/* The larger and the smaller by a single instruction; b where either is NaN. */
TT_INLINE vf vf_max_fast(vf a, vf b)
{
#if TT_VECTOR_BYTES == 64 && defined(__AVX512F__)
    return (vf)_mm512_max_ps((__m512)a, (__m512)b);
#elif TT_VECTOR_BYTES == 32 && defined(__AVX2__)
    return (vf)_mm256_max_ps((__m256)a, (__m256)b);
#elif defined(__SSE2__)
    return (vf)_mm_max_ps((__m128)a, (__m128)b);
#else
    return vf_select(a > b, a, b);
#endif
}
TT_INLINE vf vf_min_fast(vf a, vf b)
{
#if TT_VECTOR_BYTES == 64 && defined(__AVX512F__)
    return (vf)_mm512_min_ps((__m512)a, (__m512)b);
#elif TT_VECTOR_BYTES == 32 && defined(__AVX2__)
    return (vf)_mm256_min_ps((__m256)a, (__m256)b);
#elif defined(__SSE2__)
    return (vf)_mm_min_ps((__m128)a, (__m128)b);
#else
    return vf_select(a < b, a, b);
#endif
}

/* The same; NaN if either is NaN, as np.maximum and np.minimum. */
TT_INLINE vf vf_max(vf a, vf b)
{
#if TT_VECTOR_BYTES == 64 && defined(__AVX512F__)
    __m512 x = (__m512)a;
    return (vf)_mm512_mask_max_ps(x, _mm512_cmp_ps_mask(x, x, _CMP_ORD_Q), x, (__m512)b);
#else
    return vf_select(a != a, a, vf_max_fast(a, b));
#endif
}
TT_INLINE vf vf_min(vf a, vf b)
{
#if TT_VECTOR_BYTES == 64 && defined(__AVX512F__)
    __m512 x = (__m512)a;
    return (vf)_mm512_mask_min_ps(x, _mm512_cmp_ps_mask(x, x, _CMP_ORD_Q), x, (__m512)b);
#else
    return vf_select(a != a, a, vf_min_fast(a, b));
#endif
}

TT_INLINE vf vf_sqrt(vf x)
{
#if TT_VECTOR_BYTES == 64 && defined(__AVX512F__)
    return (vf)_mm512_sqrt_ps((__m512)x);
#elif TT_VECTOR_BYTES == 32 && defined(__AVX2__)
    return (vf)_mm256_sqrt_ps((__m256)x);
#elif defined(__SSE2__)
    return (vf)_mm_sqrt_ps((__m128)x);
#elif defined(__ARM_NEON) && defined(__aarch64__)
    return (vf)vsqrtq_f32((float32x4_t)x);
#else
    for (int i = 0; i < VL; i++) x[i] = sqrtf(x[i]);
    return x;
#endif
}

TT_INLINE vi vi_max(vi a, vi b)
{
#if TT_VECTOR_BYTES == 64 && defined(__AVX512F__)
    return (vi)_mm512_max_epi32((__m512i)a, (__m512i)b);
#elif TT_VECTOR_BYTES == 32 && defined(__AVX2__)
    return (vi)_mm256_max_epi32((__m256i)a, (__m256i)b);
#else
    return vi_select(a > b, a, b);
#endif
}

/* float -> int32 toward zero, and back. */
TT_INLINE vi vf_to_vi(vf x) { return __builtin_convertvector(x, vi); }
TT_INLINE vf vi_to_vf(vi x) { return __builtin_convertvector(x, vf); }

/* Lane i is lane i ^ half of x; `half` is a constant power of two. */
TT_INLINE vf vf_swap(vf x, const int half)
{
#if TT_VECTOR_BYTES == 64 && defined(__AVX512F__)
    if (half == 8) return (vf)_mm512_shuffle_f32x4((__m512)x, (__m512)x, 0x4e);
    if (half == 4) return (vf)_mm512_shuffle_f32x4((__m512)x, (__m512)x, 0xb1);
    if (half == 2) return (vf)_mm512_permute_ps((__m512)x, 0x4e);
    return (vf)_mm512_permute_ps((__m512)x, 0xb1);
#elif TT_VECTOR_BYTES == 32 && defined(__AVX2__)
    if (half == 4) return (vf)_mm256_permute2f128_ps((__m256)x, (__m256)x, 1);
    if (half == 2) return (vf)_mm256_permute_ps((__m256)x, 0x4e);
    return (vf)_mm256_permute_ps((__m256)x, 0xb1);
#elif defined(__SSE2__)
    if (half == 2) return (vf)_mm_shuffle_ps((__m128)x, (__m128)x, 0x4e);
    return (vf)_mm_shuffle_ps((__m128)x, (__m128)x, 0xb1);
#else
    vf y = x;
    for (int i = 0; i < VL; i++) y[i] = x[i ^ half];
    return y;
#endif
}

/* COMBINE of all lanes, halves onto halves: a fixed order. */
#define TT_FOLD(x, COMBINE)                                       \
    do {                                                          \
        if (VL >= 16) (x) = COMBINE((x), vf_swap((x), 8));        \
        if (VL >= 8) (x) = COMBINE((x), vf_swap((x), 4));         \
        (x) = COMBINE((x), vf_swap((x), 2));                      \
        (x) = COMBINE((x), vf_swap((x), 1));                      \
    } while (0)

TT_INLINE vf vf_add(vf a, vf b) { return a + b; }

/* The sum of the lanes. */
TT_INLINE float vf_hsum(vf x)
{
    TT_FOLD(x, vf_add);
    return x[0];
}

/* Largest and smallest lane; NaN if any is NaN. */
TT_INLINE float vf_hmax(vf x)
{
    TT_FOLD(x, vf_max);
    return x[0];
}
TT_INLINE float vf_hmin(vf x)
{
    TT_FOLD(x, vf_min);
    return x[0];
}

#endif
