/* The thread pool. A call is a job on the caller's stack, in a list that workers look through.
 *
 * Each thread has a share of the job's pieces that lie side by side, and one after another goes
 * through memory as the processor expects it; call after call the caller's is the first share, so
 * that a core's own cache may hold what the call before left. A thread whose share is claimed helps
 * with those of others. A worker claims its first piece under the lock, so when the caller has
 * closed the job (taken it off the list) only workers that hold a piece can be inside it: a worker
 * that the system has not woken is not waited for. Workers spin briefly, then sleep; so does a
 * caller who waits for the last pieces. */
#include "threads.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

enum {
    MAX_THREADS = 256,
    SPIN_NS = 50 * 1000,
    STACK_BYTES = 4 << 20,
    MAX_SEATS = 32, /* of threads with a share of their own */
    CACHE_LINE = 64,
};

/* What is claimed of a share, on a line of its own. */
typedef struct {
    _Atomic int64_t claimed;
    char rest_of_line[CACHE_LINE - sizeof(int64_t)];
} seat;

typedef struct job {
    void (*run)(void *context, int64_t piece);
    void *context;
    int64_t pieces, shares;
    _Atomic int inside;     /* workers that hold or look for a piece of this job */
    int cpu;                /* the caller's, when it opened the job; -1: not known */
    int seats;              /* how many more workers may join; guarded by the lock */
    struct job *following;  /* in the list of open jobs; guarded by the lock */
    seat seat[MAX_SEATS];   /* `shares` of them */
} job;

/* Where a thread looks for pieces: its own share, then those of others. */
typedef struct {
    job *job;
    int64_t own, helped;
} place;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work_came = PTHREAD_COND_INITIALIZER;
static pthread_cond_t job_left = PTHREAD_COND_INITIALIZER;
static job *open_jobs;             /* guarded by the lock */
static int workers;                /* started; guarded by the lock */
static int sleepers;               /* workers asleep on work_came; guarded by the lock */
static _Atomic unsigned submitted; /* counts jobs; written under the lock, watched by spinners */
static _Atomic int waiting;        /* callers asleep on job_left */
static _Atomic int threads = 1;
static _Thread_local int inside_piece;

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Linux looks for an idle CPU for a thread that wakes, but not where all were busy a moment ago.
 * A worker and its caller then share one until the balancer notices, many jobs later. */
#if defined(__linux__)
static int current_cpu(void) { return sched_getcpu(); }

/* Run on another CPU than this, if there is one that this thread may use. */
static void leave_cpu(int cpu)
{
    cpu_set_t allowed, others;
    if (cpu >= CPU_SETSIZE || sched_getaffinity(0, sizeof allowed, &allowed)) return;
    others = allowed;
    CPU_CLR(cpu, &others);
    if (CPU_COUNT(&others) == 0 || sched_setaffinity(0, sizeof others, &others)) return;
    sched_setaffinity(0, sizeof allowed, &allowed);
}
#else
static int current_cpu(void) { return -1; }
static void leave_cpu(int cpu) { (void)cpu; }
#endif

/* Spin while `condition` holds, for at most SPIN_NS. */
#define SPIN_WHILE(condition)                                        \
    for (int64_t end = now_ns() + SPIN_NS; (condition) && now_ns() < end;) \
        for (int i = 0; i < 64 && (condition); i++) relax()

/* A piece that nobody has claimed; -1 if there is none. */
static int64_t claim(place *p)
{
    job *j = p->job;
    for (; p->helped < j->shares; p->helped++) {
        const int64_t whose = (p->own + p->helped) % j->shares;
        const int64_t first = j->pieces * whose / j->shares;
        const int64_t end = j->pieces * (whose + 1) / j->shares;
        const int64_t piece = first + atomic_fetch_add(&j->seat[whose].claimed, 1);
        if (piece < end) return piece;
    }
    return -1;
}

static void run_pieces(place *p, int64_t piece)
{
    inside_piece = 1;
    for (; piece >= 0; piece = claim(p)) p->job->run(p->job->context, piece);
    inside_piece = 0;
}

/* Take a piece of some open job, with the lock held; -1 if there is none to take. */
static int64_t join_a_job(place *p)
{
    for (job *j = open_jobs; j; j = j->following) {
        if (j->seats == 0) continue;
        *p = (place){.job = j, .own = j->seats % j->shares};
        const int64_t piece = claim(p);
        if (piece < 0) continue;
        j->seats--;
        atomic_fetch_add(&j->inside, 1);
        return piece;
    }
    return -1;
}

/* The job may be gone as soon as `inside` is decremented: it is not touched after that. */
static void leave(job *j)
{
    if (atomic_fetch_sub(&j->inside, 1) == 1 && atomic_load(&waiting)) {
        pthread_mutex_lock(&lock);
        pthread_cond_broadcast(&job_left);
        pthread_mutex_unlock(&lock);
    }
}

static void *worker(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&lock);
    for (;;) {
        unsigned seen = atomic_load(&submitted);
        place p;
        int64_t piece = join_a_job(&p);
        pthread_mutex_unlock(&lock);
        if (piece >= 0) {
            if (p.job->cpu >= 0 && p.job->cpu == current_cpu()) leave_cpu(p.job->cpu);
            run_pieces(&p, piece);
            leave(p.job);
            pthread_mutex_lock(&lock);
            continue;
        }
        SPIN_WHILE(atomic_load(&submitted) == seen);
        pthread_mutex_lock(&lock);
        sleepers++;
        while (atomic_load(&submitted) == seen) pthread_cond_wait(&work_came, &lock);
        sleepers--;
    }
    return NULL;
}

/* Start workers up to `wanted`, with the lock held. Where the system refuses, fewer will do. */
static void start_workers(int wanted)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    if (workers >= wanted || pthread_attr_init(&attributes)) return;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    sigfillset(&all); /* signals are for the threads of Python */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    while (workers < wanted && pthread_create(&thread, &attributes, worker, NULL) == 0) workers++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
}

static void open_job(job *j)
{
    pthread_mutex_lock(&lock);
    start_workers(j->seats);
    j->following = open_jobs;
    open_jobs = j;
    atomic_fetch_add(&submitted, 1);
    int to_wake = sleepers < j->seats ? sleepers : j->seats;
    pthread_mutex_unlock(&lock);
    while (to_wake-- > 0) pthread_cond_signal(&work_came);
}

static void close_job(job *j)
{
    pthread_mutex_lock(&lock);
    job **link = &open_jobs;
    while (*link != j) link = &(*link)->following;
    *link = j->following;
    pthread_mutex_unlock(&lock);

    SPIN_WHILE(atomic_load(&j->inside) > 0);
    if (atomic_load(&j->inside) == 0) return;
    atomic_fetch_add(&waiting, 1);
    pthread_mutex_lock(&lock);
    while (atomic_load(&j->inside) > 0) pthread_cond_wait(&job_left, &lock);
    pthread_mutex_unlock(&lock);
    atomic_fetch_sub(&waiting, 1);
}

void tt_parallel_for(int64_t pieces, void (*run)(void *context, int64_t piece), void *context)
{
    int helpers = atomic_load(&threads) - 1;
    if (helpers > pieces - 1) helpers = (int)(pieces - 1);
    if (helpers <= 0 || inside_piece) {
        for (int64_t piece = 0; piece < pieces; piece++) run(context, piece);
        return;
    }
    job j; /* not all of its seats */
    j.run = run, j.context = context, j.pieces = pieces, j.cpu = current_cpu();
    j.shares = helpers < MAX_SEATS ? helpers + 1 : MAX_SEATS;
    j.seats = helpers;
    atomic_init(&j.inside, 0);
    for (int64_t i = 0; i < j.shares; i++) atomic_init(&j.seat[i].claimed, 0);
    place p = {.job = &j};
    open_job(&j);
    run_pieces(&p, claim(&p));
    close_job(&j);
}

/* --- Steps ----------------------------------------------------------------------------------
 *
 * The threads that come are the pieces of one job. Each has a seat, with a share of every step's
 * pieces, and helps the others when its own are claimed; a seat whose thread never comes, or comes
 * late, is so served by the others. Only a claimed piece is waited for, as in any job.
 *
 * Every other step goes through its shares backwards. Steps that read the same memory, such as the
 * weights of a recurrent layer, so begin with what the last step has left in the thread's caches;
 * always forwards, memory that is larger than the cache would have pushed just that out. */

typedef struct {
    void (*run)(void *context, int64_t step, int64_t piece);
    void *context;
    int64_t steps, pieces, seats;
    seat seat[MAX_SEATS]; /* claimed pieces are counted over all steps */
    _Atomic int64_t done; /* pieces, counted over all steps */
} sequence;

static int64_t to_and_fro(int64_t step, int64_t n, int64_t share)
{
    return step % 2 ? share - 1 - n : n;
}

static void work_on_steps(void *context, int64_t own)
{
    sequence *s = context;
    for (int64_t step = atomic_load(&s->done) / s->pieces; step < s->steps; step++) {
        const int64_t before = step * s->pieces;
        SPIN_WHILE(atomic_load(&s->done) < before);
        while (atomic_load(&s->done) < before) sched_yield();
        for (int64_t i = 0; i < s->seats; i++) {
            const int64_t whose = (own + i) % s->seats;
            const int64_t first = s->pieces * whose / s->seats;
            const int64_t share = s->pieces * (whose + 1) / s->seats - first;
            _Atomic int64_t *claimed = &s->seat[whose].claimed;
            int64_t n = atomic_load(claimed);
            while (n < (step + 1) * share) {
                if (!atomic_compare_exchange_weak(claimed, &n, n + 1)) continue;
                s->run(s->context, step, first + to_and_fro(step, n - step * share, share));
                atomic_fetch_add(&s->done, 1);
                n = atomic_load(claimed);
            }
        }
    }
}

void tt_parallel_steps(int64_t steps, int64_t pieces,
                       void (*run)(void *context, int64_t step, int64_t piece), void *context)
{
    int64_t seats = atomic_load(&threads);
    if (seats > pieces) seats = pieces;
    if (seats > MAX_SEATS) seats = MAX_SEATS;
    if (seats <= 1 || inside_piece) {
        for (int64_t step = 0; step < steps; step++)
            for (int64_t n = 0; n < pieces; n++) run(context, step, to_and_fro(step, n, pieces));
        return;
    }
    sequence s = {.run = run, .context = context, .steps = steps, .pieces = pieces, .seats = seats};
    tt_parallel_for(seats, work_on_steps, &s);
}

/* Only the thread that forked lives in the child: the pool starts there anew. */
static void before_fork(void) { pthread_mutex_lock(&lock); }
static void after_fork_in_parent(void) { pthread_mutex_unlock(&lock); }
static void after_fork_in_child(void)
{
    pthread_mutex_init(&lock, NULL);
    pthread_cond_init(&work_came, NULL);
    pthread_cond_init(&job_left, NULL);
    open_jobs = NULL;
    workers = sleepers = 0;
    atomic_store(&waiting, 0);
}

static void watch_forks(void)
{
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

void tt_set_num_threads(int n)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    atomic_store(&threads, n < 1 ? 1 : n > MAX_THREADS ? MAX_THREADS : n);
}

int tt_get_num_threads(void) { return atomic_load(&threads); }
