/* SPDX-License-Identifier: MIT
 *
 * A measurement that is watched: the calling thread stays on one core, and each timed piece says whether something else
 * had that core meanwhile. What it cannot see is a neighbour that shares the core's units or its memory.
 */
#ifndef BITFADER_BASE_WATCH_H
#define BITFADER_BASE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct watch; /* of one thread */

/* Keeps the thread on the core it is on. Threads that it starts before watch_end stay there too. */
struct watch *watch_begin(void);
/* The thread may run again where it could before. Frees; NULL is fine. */
void watch_end(struct watch *w);
int watch_core(const struct watch *w); /* -1: the system did not let it be kept */

/* One piece of work lies between the two. watch_stop returns its wall time in nanoseconds; *disturbed says that the
 * thread was put off its core, or that the core's time was not all ours. */
void watch_start(struct watch *w);
int64_t watch_stop(struct watch *w, bool *disturbed);

/* Nanoseconds that an addition takes which waits for the one before it: a cycle, that no cache and no neighbour
 * changes, so that it tells the clock. Takes some 20 microseconds. */
double watch_cycle_ns(void);

#endif
