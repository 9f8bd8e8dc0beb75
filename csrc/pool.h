/* The thread pool: cut work into pieces by its size, and run them on the caller and its helpers. */
#ifndef TT_POOL_H
#define TT_POOL_H

#include <stdint.h>

/* run(context, piece) for each piece in [0, pieces), in no particular order, and return when all
 * are done. The caller works too. A call from inside a piece runs in its own thread. */
void tt_parallel_for(int64_t pieces, void (*run)(void *context, int64_t piece), void *context);

/* How many threads work on one call, the caller among them (at least 1). */
void tt_set_num_threads(int n);
int tt_get_num_threads(void);

#endif
