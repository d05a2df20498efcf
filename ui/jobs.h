/* SPDX-License-Identifier: MIT
 *
 * Slow work beside the desk: the analysis that starts when a model is opened, runs, searches. One at a time; a run or a
 * search makes the analysis stop (it keeps what it has) and lets it go on afterwards. Results and progress are
 * published under a lock; a byte in a descriptor wakes whoever polls.
 */
#ifndef BITFADER_UI_JOBS_H
#define BITFADER_UI_JOBS_H

#include "search/session.h"
#include "ui/desk_state.h"

struct jobs;

/* NULL when there is no descriptor to be had. */
struct jobs *jobs_new(struct session *s, struct err *e);
/* Stops what runs, waits for it, frees. */
void jobs_free(struct jobs *j);

int jobs_fd(const struct jobs *j); /* readable when there is news */

/* Each takes a copy of the profile. False when a run or a search is going on already. */
bool jobs_analyze(struct jobs *j);
bool jobs_run(struct jobs *j, const struct profile *p, uint64_t revision);
bool jobs_search(struct jobs *j, const struct profile *p, const struct search_options *o, uint64_t revision);
void jobs_stop(struct jobs *j); /* the analysis does not go on by itself after that */

struct jobs_news {
    struct desk_job job;         /* as it is now */
    enum desk_job_kind finished; /* JOB_NONE: nothing new */
    int result;                  /* as the session's function returned: 0 done, 1 stopped, -1 failed */
    struct err err;
    uint64_t revision;           /* that the finished job was given */
    struct run_result run;       /* of a run; the caller's, run_result_done */
    struct search_result search; /* of a search; the caller's, search_result_done */
};
/* Drains the descriptor, collects what has finished, starts what waits. */
void jobs_poll(struct jobs *j, struct jobs_news *out);

#endif
