/* The cache of buffers. Sizes are rounded up to a class, eight classes to a power of two; a request
 * is served from its own class or from the nearest of the next eight, so by at most twice its size.
 *
 * What is held, taken or waiting, is kept to 5/4 of the most that was lately in use: a program that
 * repeats its steps finds in the cache what it needs, and one that has changed its sizes does not
 * keep the buffers of the old ones.
 *
 * A cached buffer's first bytes hold its links: in the list of its class, from which the one given
 * last (and so the warmest) is taken, and in the list of all, whose oldest go when too much is
 * held. */
#include "buffers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    ALIGNMENT = 64,
    SMALLEST = 1 << 12,
    HUGE_PAGE = 1 << 21,
    LARGE = 2 * HUGE_PAGE, /* a buffer that begins in a huge page, */
    COLORS = 4,            /* this many times ALIGNMENT from its start, or less */
    STEPS = 8, /* classes to a power of two */
    CLASSES = STEPS * 64,
    WINDOW = 10000,         /* takes, to say what "lately" is: this window and the one before */
    SPARED = 8 * (1 << 20), /* so little may always be held: not worth a page fault */
};

typedef struct cached {
    struct cached *warmer, *colder; /* in its class */
    struct cached *newer, *older;   /* among all */
    size_t capacity;
} cached;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all that follows */
static cached *warmest[CLASSES + STEPS], *coldest[CLASSES + STEPS];
static cached *newest, *oldest;
static tt_memory_stats stats;
static uint64_t peak_before, peak_lately; /* of in_use, in the last window and in this one */
static unsigned takes;                    /* in this window */

/* The class of a size, and the size that all buffers of the class have. */
static int class_of(size_t bytes, size_t *capacity)
{
    if (bytes < SMALLEST) bytes = SMALLEST;
    int power = 63 - __builtin_clzll((unsigned long long)bytes - 1); /* 2^power < bytes */
    size_t step = (size_t)1 << power >> 3;
    size_t steps = (bytes - ((size_t)1 << power) + step - 1) / step; /* 1 … 8 */
    *capacity = ((size_t)1 << power) + steps * step;
    return STEPS * power + (int)steps - 1;
}

static void link_in(cached *b, int class)
{
    *b = (cached){.colder = warmest[class], .older = newest, .capacity = b->capacity};
    *(b->colder ? &b->colder->warmer : &coldest[class]) = b;
    *(b->older ? &b->older->newer : &oldest) = b;
    warmest[class] = newest = b;
    stats.cached += b->capacity;
}

static void link_out(cached *b, int class)
{
    *(b->warmer ? &b->warmer->colder : &warmest[class]) = b->colder;
    *(b->colder ? &b->colder->warmer : &coldest[class]) = b->warmer;
    *(b->newer ? &b->newer->older : &newest) = b->older;
    *(b->older ? &b->older->newer : &oldest) = b->newer;
    stats.cached -= b->capacity;
}

/* The pages go back to the system at once, even where free() would keep them. */
static void release(void *buffer, size_t capacity)
{
#if defined(__linux__)
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), mask = page - 1;
    uintptr_t from = ((uintptr_t)buffer + mask) & ~mask;
    uintptr_t to = ((uintptr_t)buffer + capacity) & ~mask;
    if (from < to) madvise((void *)from, to - from, MADV_DONTNEED);
#endif
    free(capacity >= LARGE ? (void *)((uintptr_t)buffer & ~(uintptr_t)(HUGE_PAGE - 1)) : buffer);
}

/* With the lock held: free the oldest until at most `bytes` are cached. */
static void shrink_to(uint64_t bytes)
{
    while (oldest && stats.cached > bytes) {
        size_t capacity;
        cached *b = oldest;
        link_out(b, class_of(b->capacity, &capacity));
        stats.held -= capacity;
        release(b, capacity);
    }
}

/* With the lock held: free the oldest until the cache is within its limit, and what is held, with
 * `more` to come, within 5/4 of what was lately in use. */
static void shrink(uint64_t more)
{
    uint64_t peak = peak_lately > peak_before ? peak_lately : peak_before;
    uint64_t most = peak + peak / 4, taken = stats.held - stats.cached + more;
    if (most < SPARED) most = SPARED;
    uint64_t rest = most > taken ? most - taken : 0;
    shrink_to(rest < stats.limit ? rest : stats.limit);
}

static void before_fork(void) { pthread_mutex_lock(&lock); }
static void after_fork(void) { pthread_mutex_unlock(&lock); }
static void after_fork_in_child(void) { pthread_mutex_init(&lock, NULL); }

static void set_up(void)
{
    pthread_atfork(before_fork, after_fork, after_fork_in_child);
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    stats.limit = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page / 4 : (uint64_t)1 << 30;
}

static void enter(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, set_up);
    pthread_mutex_lock(&lock);
}

/* Large buffers begin at one cache line after another: two that are read together, a multiple of
 * 256 bytes apart, would get in each other's way in the first cache. */
static void *from_the_system(size_t capacity)
{
    static atomic_uint color;
    void *buffer;
    if (capacity < LARGE) return posix_memalign(&buffer, ALIGNMENT, capacity) ? NULL : buffer;
    if (posix_memalign(&buffer, HUGE_PAGE, capacity + COLORS * ALIGNMENT)) return NULL;
#if defined(MADV_HUGEPAGE)
    madvise(buffer, capacity, MADV_HUGEPAGE); /* advice, no more */
#endif
    return (char *)buffer + atomic_fetch_add(&color, 1) % COLORS * ALIGNMENT;
}

/* With the lock held. */
static void note_take(size_t bytes)
{
    stats.in_use += bytes;
    if (stats.in_use > stats.peak) stats.peak = stats.in_use;
    if (++takes == WINDOW) {
        takes = 0;
        peak_before = peak_lately;
        peak_lately = 0;
    }
    if (stats.in_use > peak_lately) peak_lately = stats.in_use;
}

void *tt_memory_take(size_t bytes, size_t *capacity)
{
    if (bytes > SIZE_MAX / 4) return NULL;
    int class = class_of(bytes, capacity), nearest = class;
    enter();
    note_take(bytes);
    while (!warmest[nearest] && nearest < class + STEPS) nearest++;
    cached *b = warmest[nearest];
    if (b) {
        *capacity = b->capacity;
        link_out(b, nearest);
        stats.hits++;
    } else {
        shrink(*capacity);
        stats.held += *capacity;
        stats.misses++;
    }
    pthread_mutex_unlock(&lock);
    if (b) return b;

    void *buffer = from_the_system(*capacity);
    if (!buffer) { /* perhaps the system has what the cache holds */
        tt_memory_trim(0);
        buffer = from_the_system(*capacity);
    }
    if (!buffer) {
        enter();
        stats.in_use -= bytes;
        stats.held -= *capacity;
        pthread_mutex_unlock(&lock);
    }
    return buffer;
}

void tt_memory_give(void *buffer, size_t bytes, size_t capacity)
{
    size_t same;
    cached *b = buffer;
    enter();
    stats.in_use -= bytes;
    b->capacity = capacity;
    link_in(b, class_of(capacity, &same));
    shrink(0);
    pthread_mutex_unlock(&lock);
}

void tt_memory_trim(size_t bytes)
{
    enter();
    shrink_to(bytes);
    pthread_mutex_unlock(&lock);
}

void tt_memory_set_limit(size_t bytes)
{
    enter();
    stats.limit = bytes;
    shrink(0);
    pthread_mutex_unlock(&lock);
}

void tt_memory_reset_peak(void)
{
    enter();
    stats.peak = peak_lately = peak_before = stats.in_use;
    takes = 0;
    shrink(0);
    pthread_mutex_unlock(&lock);
}

tt_memory_stats tt_memory_get_stats(void)
{
    enter();
    tt_memory_stats now = stats;
    pthread_mutex_unlock(&lock);
    return now;
}
