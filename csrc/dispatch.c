/* Which instruction sets this machine can run: CPUID, and XGETBV for what the system saves. */
#include "tinytensor.h"

#include <stddef.h>
#include <string.h>

extern const tt_kernels tt_kernels_baseline;

static int always(void) { return 1; }

#if defined(__x86_64__)
#include <cpuid.h>

extern const tt_kernels tt_kernels_avx2, tt_kernels_avx512;

enum {
    LEAF1_FMA = 1 << 12,
    LEAF1_OSXSAVE = 1 << 27,
    LEAF1_F16C = 1 << 29,
    LEAF7_BMI2 = 1 << 8,
    LEAF7_AVX2 = 1 << 5,
    LEAF7_AVX512F = 1 << 16,
    LEAF7_AVX512DQ = 1 << 17,
    LEAF7_AVX512BW = 1 << 30,
    XCR0_YMM = 0x6,  /* xmm and ymm registers are saved at a task switch */
    XCR0_ZMM = 0xe6, /* and so are the masks and zmm */
};
#define LEAF7_AVX512VL (1u << 31)

/* Does CPUID leaf 7 have all of `features`, FMA and F16C beside them, and does the system save
 * `state`? */
static int has(unsigned features, unsigned state)
{
    unsigned a, b, c, d, xcr0, high;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
    if (~c & (LEAF1_OSXSAVE | LEAF1_FMA | LEAF1_F16C)) return 0;
    __asm__("xgetbv" : "=a"(xcr0), "=d"(high) : "c"(0));
    if ((xcr0 & state) != state) return 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & features) == features;
}

static int has_avx2(void) { return has(LEAF7_AVX2 | LEAF7_BMI2, XCR0_YMM); }

static int has_avx512(void)
{
    unsigned features = LEAF7_AVX512F | LEAF7_AVX512DQ | LEAF7_AVX512BW | LEAF7_AVX512VL;
    return has_avx2() && has(features, XCR0_ZMM);
}
#elif defined(__aarch64__)
extern const tt_kernels tt_kernels_neon;
#endif

/* From the plainest to the best. */
static const struct {
    const tt_kernels *table;
    int (*runs_here)(void);
} isas[] = {
    {&tt_kernels_baseline, always},
#if defined(__x86_64__)
    {&tt_kernels_avx2, has_avx2},
    {&tt_kernels_avx512, has_avx512},
#elif defined(__aarch64__)
    {&tt_kernels_neon, always},
#endif
};

const tt_kernels *tt_isa_at(int i)
{
    for (size_t k = 0; k < sizeof isas / sizeof *isas; k++)
        if (isas[k].runs_here() && i-- == 0) return isas[k].table;
    return NULL;
}

const tt_kernels *tt_find_isa(const char *name)
{
    const tt_kernels *table = NULL;
    for (int i = 0; (table = tt_isa_at(i)) != NULL; i++)
        if (strcmp(table->isa, name) == 0) return table;
    return NULL;
}
