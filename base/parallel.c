/* SPDX-License-Identifier: MIT */
#include "base/parallel.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/thread.h"

enum { THREADS_MAX = 256 };

/* The one piece of state: what --threads asked for. */
static atomic_int threads_wanted;

/* Set while this thread runs a body: a parallel_for from inside it is serial, under the thread number of the outer. */
static _Thread_local bool inside;
static _Thread_local int inside_thread;

struct loop {
    int n;
    void (*body)(void *ctx, int i, int thread);
    void *ctx;
    atomic_int next;
};

struct worker {
    pthread_t id;
    struct loop *loop;
    int thread;
};

static int processors(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set))
        return 1;
    int n = CPU_COUNT(&set);
    return n < 1 ? 1 : n > THREADS_MAX ? THREADS_MAX : n;
}

int parallel_threads(void)
{
    int n = atomic_load(&threads_wanted);
    return n > 0 ? n : processors();
}

void parallel_set_threads(int n)
{
    atomic_store(&threads_wanted, n < 0 ? 0 : n > THREADS_MAX ? THREADS_MAX : n);
}

int thread_start(pthread_t *id, void *(*run)(void *), void *arg)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int failed = pthread_create(id, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return failed;
}

static void work(struct loop *l, int thread)
{
    inside = true;
    inside_thread = thread;
    for (;;) {
        int i = atomic_fetch_add(&l->next, 1);
        if (i >= l->n)
            break;
        l->body(l->ctx, i, thread);
    }
    inside = false;
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    work(w->loop, w->thread);
    return NULL;
}

void parallel_for(int n, void (*body)(void *ctx, int i, int thread), void *ctx)
{
    if (inside) {
        for (int i = 0; i < n; i++)
            body(ctx, i, inside_thread);
        return;
    }
    int threads = parallel_threads();
    if (threads > n)
        threads = n;
    struct loop l = {.n = n, .body = body, .ctx = ctx};
    struct worker workers[THREADS_MAX];
    int started = 0;
    /* A thread that cannot be started is not needed: the others take its pieces. */
    for (int t = 1; t < threads; t++, started++) {
        workers[started] = (struct worker){.loop = &l, .thread = t};
        if (thread_start(&workers[started].id, worker_main, &workers[started]))
            break;
    }
    work(&l, 0);
    for (int t = 0; t < started; t++)
        pthread_join(workers[t].id, NULL);
}

struct job {
    pthread_t id;
    bool started;
    atomic_bool done;
    void (*run)(void *ctx);
    void *ctx;
};

static void *job_main(void *arg)
{
    struct job *j = arg;
    j->run(j->ctx);
    atomic_store(&j->done, true);
    return NULL;
}

struct job *job_start(void (*run)(void *ctx), void *ctx)
{
    struct job *j = mem_new(1, sizeof *j);
    j->run = run;
    j->ctx = ctx;
    j->started = !thread_start(&j->id, job_main, j);
    /* No thread to be had (a process limit): the work is done here and now, later than wished but the same. */
    if (!j->started)
        job_main(j);
    return j;
}

bool job_done(const struct job *j)
{
    return atomic_load(&j->done);
}

void job_join(struct job *j)
{
    if (!j)
        return;
    if (j->started)
        pthread_join(j->id, NULL);
    mem_free(j);
}

struct lock {
    pthread_mutex_t mutex;
};

struct lock *lock_new(void)
{
    struct lock *l = mem_new(1, sizeof *l);
    pthread_mutex_init(&l->mutex, NULL);
    return l;
}

void lock_free(struct lock *l)
{
    if (!l)
        return;
    pthread_mutex_destroy(&l->mutex);
    mem_free(l);
}

void lock_enter(struct lock *l)
{
    pthread_mutex_lock(&l->mutex);
}

void lock_leave(struct lock *l)
{
    pthread_mutex_unlock(&l->mutex);
}
