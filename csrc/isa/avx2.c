/* AVX2 and FMA: 32-byte vectors. Compiled with the flags that setup.py gives this file alone. */
#define TT_ISA avx2
#define TT_VECTOR_BYTES 32
#include "../kernels/table.h"
