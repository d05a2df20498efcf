/* SPDX-License-Identifier: MIT
 *
 * Threads. Parallel loops over coarse pieces of work, and background jobs. Nothing else in Bitfader starts a thread.
 * Plain pthreads and not OpenMP, so that ThreadSanitizer sees everything.
 */
#ifndef BITFADER_BASE_PARALLEL_H
#define BITFADER_BASE_PARALLEL_H

#include <stdbool.h>

/* Threads that parallel_for uses: --threads, else the processors this process may run on. At least 1. */
int parallel_threads(void);
void parallel_set_threads(int n); /* 0: all processors */

/* Calls body(ctx, i, thread) for i in 0..n-1, thread in 0..parallel_threads()-1, each i once, in any order. Returns
 * when all are done. Calls with the same thread number never overlap. */
void parallel_for(int n, void (*body)(void *ctx, int i, int thread), void *ctx);

/* A job in the background. run(ctx) is called in a new thread; job_done() says whether it has returned. */
struct job;
struct job *job_start(void (*run)(void *ctx), void *ctx);
bool job_done(const struct job *j);
void job_join(struct job *j); /* waits, and frees; NULL is fine */

/* A plain mutex, for snapshots that a job publishes. */
struct lock;
struct lock *lock_new(void);
void lock_free(struct lock *l);
void lock_enter(struct lock *l);
void lock_leave(struct lock *l);

#endif
