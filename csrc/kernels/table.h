/* All families of kernels, and the table of them for the instruction set TT_ISA.
 *
 * Included once from each isa/<name>.c. Everything in here is static: a function that the linker
 * could merge with its twin of another instruction set would crash older machines. */
#include "../tinytensor.h"

#include "maps.h"
#include "reduction.h"
#include "copies.h"
#include "gemm.h"
#include "conv.h"
#include "direct.h"
#include "winograd.h"
#include "pooling.h"
#include "softmax.h"
#include "losses.h"
#include "ctc.h"
#include "norm.h"
#include "attention.h"
#include "cached_attention.h"
#include "embedding.h"
#include "dropout.h"
#include "rotary.h"
#include "gated.h"
#include "packed.h"
#include "recurrent.h"
#include "optim.h"
#include "decoding.h"
#include "peak.h"

#define TT_PASTE(a, b) a##b
#define TT_TABLE_OF(isa) TT_PASTE(tt_kernels_, isa)
#define TT_QUOTE(x) #x
#define TT_NAME_OF(isa) TT_QUOTE(isa)
#define TT_ENTRY(kernel, args) .kernel = tt_##kernel,

const tt_kernels TT_TABLE_OF(TT_ISA) = {
    .isa = TT_NAME_OF(TT_ISA),
    .vector_bytes = TT_VECTOR_BYTES,
    .gemm_rows = TT_GEMM_ROWS,
    TT_KERNELS(TT_ENTRY)
};
