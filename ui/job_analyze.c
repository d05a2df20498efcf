/* SPDX-License-Identifier: MIT
 *
 * The analysis that starts when a model is opened: it fills the tables, which the desk reads as they grow.
 */
#include "base/mem.h"
#include "search/session.h"
#include "ui/desk_state.h"
#include "ui/job_kind.h"

struct work {
    bool unkept;
    struct err why;
};

static int run(struct session *s, void *work, const struct progress *p, struct err *e)
{
    struct work *w = work;
    int status = session_analyze(s, ANALYZE_ALL, p, e);
    w->unkept = session_unkept(s, &w->why);
    return status;
}

static bool take(struct desk *d, void *work, int status)
{
    const struct work *w = work;
    if (status < 0 || !w->unkept) /* why it failed says more */
        return false;
    desk_say(d, ROLE_NEAR, "not kept for next time: %.200s", w->why.text);
    return true;
}

/* Quitting does not ask: what it has is kept, and the next start goes on from there. */
const struct job_kind job_analyze = {"analysis", NULL, true, run, take, mem_free};

void job_analyze_ask(struct desk *d)
{
    desk_ask_job(d, &job_analyze, mem_new(1, sizeof(struct work)));
}
