/* The cache of buffers. Sizes are rounded up to a class, four classes to a power of two.
 *
 * A cached buffer's first bytes hold its links: in the list of its class, from which the one given
 * last (and so the warmest) is taken, and in the list of all, whose oldest go when the cache is
 * over its limit. */
#include "buffers.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

enum {
    ALIGNMENT = 64,
    SMALLEST = 1 << 12,
    HUGE_PAGE = 1 << 21,
    CLASSES = 4 * 64,
};

typedef struct cached {
    struct cached *warmer, *colder; /* in its class */
    struct cached *newer, *older;   /* among all */
    size_t capacity;
} cached;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all that follows */
static cached *warmest[CLASSES], *coldest[CLASSES];
static cached *newest, *oldest;
static tt_memory_stats stats;

/* The class of a size, and the size that all buffers of the class have. */
static int class_of(size_t bytes, size_t *capacity)
{
    if (bytes < SMALLEST) bytes = SMALLEST;
    int power = 63 - __builtin_clzll((unsigned long long)bytes - 1); /* 2^power < bytes */
    size_t quarter = (size_t)1 << (power - 2);
    size_t steps = (bytes - ((size_t)1 << power) + quarter - 1) / quarter; /* 1 … 4 */
    *capacity = ((size_t)1 << power) + steps * quarter;
    return 4 * power + (int)steps - 1;
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

/* With the lock held: free the oldest until at most `bytes` are cached. */
static void shrink_to(size_t bytes)
{
    while (oldest && stats.cached > bytes) {
        size_t capacity;
        cached *b = oldest;
        link_out(b, class_of(b->capacity, &capacity));
        free(b);
    }
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

static void *from_the_system(size_t capacity)
{
    void *buffer;
    size_t alignment = capacity >= 2 * HUGE_PAGE ? HUGE_PAGE : ALIGNMENT;
    if (posix_memalign(&buffer, alignment, capacity)) return NULL;
#if defined(MADV_HUGEPAGE)
    if (alignment == HUGE_PAGE) madvise(buffer, capacity, MADV_HUGEPAGE); /* advice, no more */
#endif
    return buffer;
}

void *tt_memory_take(size_t bytes, size_t *capacity)
{
    if (bytes > SIZE_MAX / 4) return NULL;
    int class = class_of(bytes, capacity);
    enter();
    cached *b = warmest[class];
    if (b) {
        link_out(b, class);
        stats.hits++;
    } else {
        stats.misses++;
    }
    pthread_mutex_unlock(&lock);

    void *buffer = b ? (void *)b : from_the_system(*capacity);
    if (!buffer) { /* perhaps the system has what the cache holds */
        tt_memory_trim(0);
        buffer = from_the_system(*capacity);
    }
    if (buffer) {
        enter();
        stats.in_use += *capacity;
        if (stats.in_use > stats.peak) stats.peak = stats.in_use;
        pthread_mutex_unlock(&lock);
    }
    return buffer;
}

void tt_memory_give(void *buffer, size_t capacity)
{
    size_t same;
    cached *b = buffer;
    enter();
    stats.in_use -= capacity;
    if (capacity > stats.limit) {
        pthread_mutex_unlock(&lock);
        free(buffer);
        return;
    }
    b->capacity = capacity;
    link_in(b, class_of(capacity, &same));
    shrink_to(stats.limit);
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
    shrink_to(bytes);
    pthread_mutex_unlock(&lock);
}

tt_memory_stats tt_memory_get_stats(void)
{
    enter();
    tt_memory_stats now = stats;
    pthread_mutex_unlock(&lock);
    return now;
}
