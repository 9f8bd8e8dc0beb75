/* AVX-512 (F, BW, DQ, VL): 64-byte vectors. Compiled with flags that setup.py gives it alone. */
#define TT_ISA avx512
#define TT_VECTOR_BYTES 64
#include "../kernels/table.h"
