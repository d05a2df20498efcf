/* SPDX-License-Identifier: MIT */
#include "bench/turns.h"
#include "base/clock.h"

#include <math.h>
#include <sched.h>

enum { BATCH_NS = 20000, LEAST = 2 };

static void take_turn(struct turn *t, int64_t budget_ns)
{
    t->run(t->state);
    int64_t begin = clock_thread_ns();
    t->run(t->state);
    int64_t once = clock_thread_ns() - begin, end = begin + budget_ns;
    t->ns = fmin(t->ns, (double)once);
    int batch = once < BATCH_NS ? (int)(BATCH_NS / (once + 1)) + 1 : 1;
    for (int i = 1; i < LEAST || clock_thread_ns() < end; i++) {
        begin = clock_thread_ns();
        for (int b = 0; b < batch; b++)
            t->run(t->state);
        t->ns = fmin(t->ns, (double)(clock_thread_ns() - begin) / batch);
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
