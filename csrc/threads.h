/* The thread pool: cut work into pieces by its size, and run them on the caller and its helpers. */
#ifndef TT_THREADS_H
#define TT_THREADS_H

#include <stdint.h>

/* run(context, piece) for each piece in [0, pieces), in no particular order, and return when all
 * are done. The caller works too. A call from inside a piece runs in its own thread. */
void tt_parallel_for(int64_t pieces, void (*run)(void *context, int64_t piece), void *context);

/* The same for steps that follow each other: run(context, step, piece) for all pieces of a step
 * once all those of the step before are done. Threads meet between the steps without the system's
 * help, and as far as it goes a piece stays with the thread that ran it in the step before, whose
 * caches hold its data. */
void tt_parallel_steps(int64_t steps, int64_t pieces,
                       void (*run)(void *context, int64_t step, int64_t piece), void *context);

/* How many threads work on one call, the caller among them (at least 1). */
void tt_set_num_threads(int n);
int tt_get_num_threads(void);

#endif
