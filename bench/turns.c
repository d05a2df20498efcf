/* SPDX-License-Identifier: MIT */
#include "bench/turns.h"

#include <math.h>
#include <sched.h>
#include <time.h>

enum { BATCH_NS = 20000, LEAST = 2 };

int64_t turns_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void take_turn(struct turn *t, int64_t budget_ns)
{
    t->run(t->state);
    int64_t begin = turns_clock();
    t->run(t->state);
    int64_t once = turns_clock() - begin, end = begin + budget_ns;
    t->ns = fmin(t->ns, (double)once);
    int batch = once < BATCH_NS ? (int)(BATCH_NS / (once + 1)) + 1 : 1;
    for (int i = 1; i < LEAST || turns_clock() < end; i++) {
        begin = turns_clock();
        for (int b = 0; b < batch; b++)
            t->run(t->state);
        t->ns = fmin(t->ns, (double)(turns_clock() - begin) / batch);
    }
}

void turns_take(struct turn *t, int n, int rounds, int64_t budget_ns)
{
    for (int i = 0; i < n; i++)
        t[i].ns = INFINITY;
    for (int r = 0; r < rounds; r++)
        for (int i = 0; i < n; i++)
            if (t[i].state)
                take_turn(&t[i], budget_ns);
}

int turns_pin(void)
{
    cpu_set_t set;
    int cpu = sched_getcpu();
    if (cpu < 0)
        return -1;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    return sched_setaffinity(0, sizeof set, &set) ? -1 : cpu;
}
