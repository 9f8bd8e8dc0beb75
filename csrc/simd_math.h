/* exp, log, tanh, erf … on vectors, written once for every width. */
#ifndef TT_SIMD_MATH_H
#define TT_SIMD_MATH_H

#include "simd.h"

#endif
