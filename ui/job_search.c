/* SPDX-License-Identifier: MIT
 *
 * A search: the best profile under the budgets, from the one on the desk. Mute and solo do not count.
 */
#include "base/mem.h"
#include "ui/desk_results.h"
#include "ui/job_kind.h"

struct work {
    struct profile *start; /* owned */
    struct search_options options;
    uint64_t revision;
    struct search_result result;
};

static int run(struct session *s, void *work, const struct progress *p, struct err *e)
{
    struct work *w = work;
    return session_search(s, w->start, &w->options, p, &w->result, e);
}

static bool take(struct desk *d, void *work, int status)
{
    struct work *w = work;
    if (status < 0 || (status > 0 && !w->result.profile))
        return false;
    desk_take_search(d, &w->result, w->revision);
    return true;
}

static void free_work(void *work)
{
    struct work *w = work;
    profile_free(w->start);
    search_result_done(&w->result);
    mem_free(w);
}

const struct job_kind job_search = {"search", "a search", false, run, take, free_work};

void job_search_ask(struct desk *d)
{
    char listening[96];
    struct work *w = mem_new(1, sizeof *w);
    w->start = profile_copy(d->profile);
    w->options = d->search;
    w->options.budgets = d->profile->budgets;
    w->revision = history_revision(&d->history);
    desk_listening(d, listening);
    desk_say(d, ROLE_TEXT, "searching under the budgets%s; you can go on editing",
             *listening ? " (mute and solo do not count)" : "");
    desk_ask_job(d, &job_search, w);
}
