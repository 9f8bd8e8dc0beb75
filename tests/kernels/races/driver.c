/* The thread pool and the cache of buffers under ThreadSanitizer: several threads that are callers
 * at once, others that change the number of threads and the cache's limits meanwhile, and memory
 * that one thread takes and another gives back. What pieces write is read by whoever comes after
 * them without a lock of its own, so an order that the pool promises and does not keep is a race,
 * and results are compared as well.
 *
 *     gcc -std=c11 -D_GNU_SOURCE -O1 -g -fsanitize=thread -pthread -Icsrc \
 *         tests/kernels/races/driver.c csrc/threads.c csrc/buffers.c -o driver && ./driver 8 200 */
#include "buffers.h"
#include "threads.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CALLERS = 64, MOST_PIECES = 40, MOST_STEPS = 6, SHELF = 16 };

static int rounds = 200;
static atomic_int failures, callers_left;

static uint32_t drawn(uint32_t *state, uint32_t below)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) % below;
}

static void expect(int holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "FAILED: %s\n", what);
    atomic_fetch_add(&failures, 1);
}

/* --- Jobs ------------------------------------------------------------------------------------ */

typedef struct {
    int64_t *out; /* of each piece */
    int64_t pieces, factor;
    int long_ones; /* pieces take so long that other threads come and help */
} products;

static void square(void *context, int64_t piece)
{
    products *p = context;
    for (volatile int i = 0; i < p->long_ones; i++) continue;
    p->out[piece] += p->factor * piece * piece;
}

/* A piece that calls for pieces: they run in its own thread. */
static void squares(void *context, int64_t piece)
{
    products *p = context;
    products inner = {p->out + piece * p->pieces, p->pieces, p->factor + piece, 0};
    tt_parallel_for(inner.pieces, square, &inner);
}

static void check_jobs(uint32_t *state)
{
    int64_t out[MOST_PIECES * MOST_PIECES] = {0};
    products p = {out, 1 + drawn(state, MOST_PIECES), 1 + drawn(state, 100), 0};
    p.long_ones = drawn(state, 4) ? 0 : 5000;
    const int nested = drawn(state, 4) == 0;
    tt_parallel_for(p.pieces, nested ? squares : square, &p);
    for (int64_t i = 0; i < p.pieces; i++)
        for (int64_t k = 0; k < (nested ? p.pieces : 1); k++) {
            const int64_t n = nested ? k : i, factor = nested ? p.factor + i : p.factor;
            expect(out[nested ? i * p.pieces + k : i] == factor * n * n, "a piece of a job");
        }
}

/* --- Steps ----------------------------------------------------------------------------------- */

typedef struct {
    int64_t pieces;
    int64_t sum[MOST_STEPS][MOST_PIECES];
} sums;

/* Each piece of a step reads all of the step before. */
static void add_up(void *context, int64_t step, int64_t piece)
{
    sums *s = context;
    int64_t total = piece;
    for (int64_t i = 0; step > 0 && i < s->pieces; i++) total += s->sum[step - 1][i] % 1000;
    s->sum[step][piece] = total;
}

static void check_steps(uint32_t *state)
{
    sums got, wanted;
    got.pieces = wanted.pieces = 1 + drawn(state, MOST_PIECES);
    const int64_t steps = 1 + drawn(state, MOST_STEPS);
    tt_parallel_steps(steps, got.pieces, add_up, &got);
    for (int64_t step = 0; step < steps; step++)
        for (int64_t piece = 0; piece < got.pieces; piece++) {
            add_up(&wanted, step, piece);
            expect(got.sum[step][piece] == wanted.sum[step][piece], "a piece of a step");
        }
}

/* --- Buffers --------------------------------------------------------------------------------- */

typedef struct {
    unsigned char *data;
    size_t bytes, capacity;
    unsigned char mark;
} buffer;

static pthread_mutex_t shelf_lock = PTHREAD_MUTEX_INITIALIZER;
static buffer shelf[SHELF]; /* where threads leave buffers for each other */

static buffer exchanged(int place, buffer b)
{
    pthread_mutex_lock(&shelf_lock);
    const buffer found = shelf[place];
    shelf[place] = b;
    pthread_mutex_unlock(&shelf_lock);
    return found;
}

static void give(buffer b)
{
    if (!b.data) return;
    expect(b.data[0] == b.mark && b.data[b.bytes - 1] == b.mark, "a buffer is its owner's alone");
    memset(b.data, 0, b.bytes < 256 ? b.bytes : 256);
    tt_memory_give(b.data, b.bytes, b.capacity);
}

static void check_buffers(uint32_t *state)
{
    const size_t bytes = drawn(state, 50) ? 1 + drawn(state, 1 << 16) : (size_t)9 << 20;
    buffer b = {.bytes = bytes, .mark = (unsigned char)(1 + drawn(state, 255))};
    b.data = tt_memory_take(bytes, &b.capacity);
    expect(b.data != NULL && b.capacity >= bytes, "a buffer as large as was asked for");
    if (!b.data) return;
    b.data[0] = b.data[bytes - 1] = b.mark;
    give(exchanged((int)drawn(state, SHELF), b));
}

/* --- Threads --------------------------------------------------------------------------------- */

static void *caller(void *number)
{
    uint32_t state = (uint32_t)(uintptr_t)number;
    for (int i = 0; i < rounds; i++) {
        check_jobs(&state);
        check_steps(&state);
        check_buffers(&state);
    }
    atomic_fetch_sub(&callers_left, 1);
    return NULL;
}

static void *changer(void *unused)
{
    uint32_t state = 1;
    (void)unused;
    while (atomic_load(&callers_left) > 0) {
        tt_set_num_threads(1 + (int)drawn(&state, 6));
        expect(tt_get_num_threads() >= 1, "the number of threads");
        if (drawn(&state, 8) == 0) tt_memory_trim(drawn(&state, 1 << 20));
        if (drawn(&state, 8) == 0) tt_memory_set_limit(drawn(&state, 1 << 24));
        if (drawn(&state, 8) == 0) tt_memory_reset_peak();
        const tt_memory_stats stats = tt_memory_get_stats();
        expect(stats.cached <= stats.held, "what is cached is held");
    }
    return NULL;
}

int main(int count, char **arguments)
{
    int callers = count > 1 ? atoi(arguments[1]) : 8;
    if (count > 2) rounds = atoi(arguments[2]);
    if (callers < 1 || callers > MOST_CALLERS) return 2;
    pthread_t threads[MOST_CALLERS + 1];
    atomic_store(&callers_left, callers);
    for (int i = 0; i <= callers; i++)
        if (pthread_create(&threads[i], NULL, i ? caller : changer, (void *)(uintptr_t)i)) return 2;
    for (int i = 0; i <= callers; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < SHELF; i++) give(exchanged(i, (buffer){0}));
    expect(tt_memory_get_stats().in_use == 0, "all buffers are given back");
    printf("%d callers, %d rounds: %d failures\n", callers, rounds, atomic_load(&failures));
    return atomic_load(&failures) != 0;
}
