/* SPDX-License-Identifier: MIT
 *
 * Kinds of slow work beside the desk. One row a kind, in its own file ui/job_NAME.c, with the function that asks for
 * such a job: it makes the work from the desk as it stands, and what runs ui/jobs.h. Nobody else tells kinds apart.
 */
#ifndef BITFADER_UI_JOB_KIND_H
#define BITFADER_UI_JOB_KIND_H

#include "base/err.h"
#include "base/progress.h"

struct desk;
struct session;

/* A work is what a job is given and what it finds, in one block that the kind's asking function allocates. */
struct job_kind {
    const char *name; /* "search": on the job's line and in messages */
    const char *quit; /* "a search": what the question before quitting says is running; NULL: quitting does not ask */
    bool background; /* gives way to any other job and goes on after it; told in the pane's title, not on the job's line
                      */
    /* In the job's thread: as the session's functions, 0 done, 1 stopped, -1 failed. Called again on the same work when
     * a background job goes on. */
    int (*run)(struct session *s, void *work, const struct progress *p, struct err *e);
    /* Back at the desk, however it ended. False: there is nothing to show; a stop or a failure is then told for it. */
    bool (*take)(struct desk *d, void *work, int status);
    void (*free)(void *work);
};

extern const struct job_kind job_analyze, job_run, job_search;

/* Each leaves the job as a request on the desk, and says what begins. */
void job_analyze_ask(struct desk *d);
void job_run_ask(struct desk *d);
void job_search_ask(struct desk *d);

#endif
