/* What every machine of the architecture has (on x86-64, SSE2): 16-byte vectors. */
#define TT_ISA baseline
#define TT_VECTOR_BYTES 16
#include "../kernels/table.h"
