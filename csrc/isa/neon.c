/* NEON of 64-bit ARM: 16-byte vectors. */
#define TT_ISA neon
#define TT_VECTOR_BYTES 16
#include "../kernels/table.h"
