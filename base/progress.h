/* SPDX-License-Identifier: MIT
 *
 * What slow work tells its caller, and how it is asked to stop. NULL is a valid progress: nobody listens.
 */
#ifndef BITFADER_BASE_PROGRESS_H
#define BITFADER_BASE_PROGRESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct progress {
    void (*report)(void *ctx, const char *what, int64_t done,
                   int64_t total); /* may be NULL; any thread, one at a time */
    void *ctx;
    atomic_int *stop; /* may be NULL; non-zero asks the work to end soon and keep what it has */
};

/* Reports, and says whether to stop. */
static inline bool progress_step(const struct progress *p, const char *what, int64_t done, int64_t total)
{
    if (!p)
        return false;
    if (p->report)
        p->report(p->ctx, what, done, total);
    return p->stop && atomic_load(p->stop);
}

static inline bool progress_stopped(const struct progress *p)
{
    return p && p->stop && atomic_load(p->stop);
}

#endif
