/* SPDX-License-Identifier: MIT */
#include "base/watch.h"

#include <sched.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/mem.h"

struct watch {
    cpu_set_t before;
    int core;
    long switches; /* at watch_start */
    int64_t busy, wall;
};

struct watch *watch_begin(void)
{
    struct watch *w = mem_new(1, sizeof *w);
    cpu_set_t one;
    w->core = sched_getcpu();
    if (w->core < 0 || w->core >= CPU_SETSIZE || sched_getaffinity(0, sizeof w->before, &w->before)) {
        w->core = -1;
        return w;
    }
    CPU_ZERO(&one);
    CPU_SET((size_t)w->core, &one);
    if (sched_setaffinity(0, sizeof one, &one))
        w->core = -1;
    return w;
}

void watch_end(struct watch *w)
{
    if (w && w->core >= 0)
        sched_setaffinity(0, sizeof w->before, &w->before);
    mem_free(w);
}

int watch_core(const struct watch *w)
{
    return w->core;
}

static long forced_switches(void)
{
    struct rusage u;
    return getrusage(RUSAGE_THREAD, &u) ? 0 : u.ru_nivcsw;
}

void watch_start(struct watch *w)
{
    w->switches = forced_switches();
    w->busy = clock_thread_ns();
    w->wall = clock_ns();
}

int64_t watch_stop(struct watch *w, bool *disturbed)
{
    enum { SLACK_NS = 3000 }; /* a timer interrupt */
    int64_t wall = clock_ns() - w->wall, busy = clock_thread_ns() - w->busy;
    *disturbed = forced_switches() != w->switches || wall - busy > SLACK_NS + wall / 50;
    return wall;
}

double watch_cycle_ns(void)
{
    enum { TRIES = 3, LINKS = 4000 /* of 4 additions */ };
    int64_t best = INT64_MAX;
    for (int i = 0; i < TRIES; i++) {
        int64_t begin = clock_ns();
        uint64_t x = 1;
        for (int k = 0; k < LINKS; k++) {
            /* Each barrier makes the sum known, so that the next addition cannot be joined with it. */
            x += (uint64_t)begin;
            __asm__ volatile("" : "+r"(x));
            x += (uint64_t)begin;
            __asm__ volatile("" : "+r"(x));
            x += (uint64_t)begin;
            __asm__ volatile("" : "+r"(x));
            x += (uint64_t)begin;
            __asm__ volatile("" : "+r"(x));
        }
        int64_t ns = clock_ns() - begin;
        best = ns < best ? ns : best;
    }
    return (double)best / (4 * LINKS);
}
