/* Runs calls of the kernels of one instruction set: from stdin a kernel's name, its args and the
 * buffers that they point to; to stdout what is in the buffers afterwards. See test_neon.py. */
#include "tinytensor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const tt_kernels TABLE;

enum { GUARD = 256, BUFFERS = 64, NAME = 64, ARGS = 1024 };

#define RUN(kernel, args) \
    static void run_##kernel(const void *s) { TABLE.kernel((const args *)s); }
TT_KERNELS(RUN)

#define ENTRY(kernel, args) {#kernel, sizeof(args), run_##kernel},
static const struct {
    const char *name;
    size_t size;
    void (*run)(const void *);
} kernels[] = {TT_KERNELS(ENTRY)};

static int take(void *to, size_t bytes) { return fread(to, 1, bytes, stdin) == bytes; }

static void fail(const char *what, const char *name)
{
    fprintf(stderr, "%s: %s\n", name, what);
    exit(1);
}

static void call(const char *name, const void *args, size_t size)
{
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
        if (strcmp(kernels[i].name, name) == 0) {
            if (kernels[i].size != size) fail("args of another size", name);
            kernels[i].run(args);
            return;
        }
    fail("no such kernel", name);
}

int main(void)
{
    static char name[NAME];
    static _Alignas(16) unsigned char args[ARGS];
    uint64_t head[3]; /* bytes of the name and of the args, number of buffers */
    while (take(head, sizeof head)) {
        unsigned char *buffers[BUFFERS];
        uint64_t places[BUFFERS][2]; /* of the pointer in the args, and bytes */
        if (head[0] >= NAME || head[1] > ARGS || head[2] > BUFFERS) fail("too long", "a call");
        memset(name, 0, sizeof name);
        if (!take(name, head[0]) || !take(args, head[1])) fail("cut off", name);
        for (uint64_t i = 0; i < head[2]; i++) {
            if (!take(places[i], sizeof places[i])) fail("cut off", name);
            const size_t bytes = places[i][1];
            buffers[i] = aligned_alloc(64, (bytes + 2 * GUARD + 63) / 64 * 64);
            if (!buffers[i]) fail("no memory", name);
            memset(buffers[i], 0xa5, bytes + 2 * GUARD);
            if (!take(buffers[i] + GUARD, bytes)) fail("cut off", name);
            void *pointer = buffers[i] + GUARD;
            memcpy(args + places[i][0], &pointer, sizeof pointer);
        }
        call(name, args, head[1]);
        for (uint64_t i = 0; i < head[2]; i++) {
            const size_t bytes = places[i][1];
            for (size_t k = 0; k < GUARD; k++)
                if (buffers[i][k] != 0xa5 || buffers[i][GUARD + bytes + k] != 0xa5)
                    fail("writes beside a buffer", name);
            fwrite(buffers[i] + GUARD, 1, bytes, stdout);
            free(buffers[i]);
        }
    }
    return 0;
}
