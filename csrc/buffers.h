/* A cache of aligned buffers: memory that was given back is taken again without a page fault. */
#ifndef TT_BUFFERS_H
#define TT_BUFFERS_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t in_use;  /* bytes that are taken, as they were asked for */
    uint64_t peak;    /* the most that in_use has been */
    uint64_t held;    /* bytes of all buffers, whole: those taken and those that wait */
    uint64_t cached;  /* bytes of the buffers that wait to be taken */
    uint64_t limit;   /* that cached is kept to */
    uint64_t hits;    /* takes that the cache served */
    uint64_t misses;  /* takes that the system served */
} tt_memory_stats;

/* A buffer of at least `bytes`, 64-byte aligned, its contents not set; NULL if there is none.
 * *capacity is what must be handed back with it. Any thread may call, without the GIL. */
void *tt_memory_take(size_t bytes, size_t *capacity);
void tt_memory_give(void *buffer, size_t bytes, size_t capacity);

/* Give the system cached buffers back, those given longest ago first, until `bytes` remain. */
void tt_memory_trim(size_t bytes);

/* Forget what has been in use: the peak is of what comes, and the cache shrinks to fit it. */
void tt_memory_reset_peak(void);

/* Keep the cache to `bytes`. */
void tt_memory_set_limit(size_t bytes);

tt_memory_stats tt_memory_get_stats(void);

#endif
