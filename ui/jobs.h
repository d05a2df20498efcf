/* SPDX-License-Identifier: MIT
 *
 * Slow work beside the desk, one job at a time. What a job does is its kind's (ui/job_kind.h); here is when it runs: a
 * background job stops for any other one (it keeps what it has) and goes on afterwards. Progress is published under a
 * lock; a byte in a descriptor wakes whoever polls.
 */
#ifndef BITFADER_UI_JOBS_H
#define BITFADER_UI_JOBS_H

#include "ui/desk_state.h"
#include "ui/job_kind.h"

struct jobs;

/* NULL when there is no descriptor to be had. */
struct jobs *jobs_new(struct session *s, struct err *e);
/* Stops what runs, waits for it, frees. */
void jobs_free(struct jobs *j);

int jobs_fd(const struct jobs *j); /* readable when there is news */

/* Takes the work over. A background job that runs gives way first. False (and the work is freed) when another job is
 * going on already. */
bool jobs_start(struct jobs *j, const struct job_kind *kind, void *work);
void jobs_stop(struct jobs *j); /* a background job does not go on by itself after that */

struct jobs_news {
    struct desk_job job;             /* as it is now */
    const struct job_kind *finished; /* NULL: nothing new */
    void *work;                      /* of what finished; until the next call of jobs_poll or jobs_stop */
    int status;                      /* as kind->run returned: 0 done, 1 stopped, -1 failed */
    struct err err;
};
/* Drains the descriptor, collects what has finished, starts what waits. */
void jobs_poll(struct jobs *j, struct jobs_news *out);

#endif
