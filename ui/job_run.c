/* SPDX-License-Identifier: MIT
 *
 * A run: the profile as it sounds, mute and solo included, measured on real kernels.
 */
#include <stdio.h>

#include "base/mem.h"
#include "ui/desk_results.h"
#include "ui/job_kind.h"

struct work {
    struct profile *profile; /* owned */
    uint64_t revision;
    char listening[96];
    struct run_result result;
};

static int run(struct session *s, void *work, const struct progress *p, struct err *e)
{
    struct work *w = work;
    struct run_options o = run_defaults();
    int rc = session_run(s, w->profile, &o, p, &w->result, e);
    if (!rc)
        session_learn(s, w->profile, &w->result);
    return rc;
}

static bool take(struct desk *d, void *work, int status)
{
    struct work *w = work;
    if (status < 0 || (status > 0 && !w->result.images))
        return false;
    desk_take_run(d, &w->result, w->revision, w->listening);
    return true;
}

static void free_work(void *work)
{
    struct work *w = work;
    profile_free(w->profile);
    run_result_done(&w->result);
    mem_free(w);
}

const struct job_kind job_run = {"run", "a job", false, run, take, free_work};

void job_run_ask(struct desk *d)
{
    struct work *w = mem_new(1, sizeof *w);
    w->profile = profile_copy(d->profile);
    w->revision = history_revision(&d->history);
    for (int i = 0; i < w->profile->n_layers; i++) /* what the meters show is what runs */
        w->profile->layers[i].precision = d->effective[i].precision;
    desk_listening(d, w->listening);
    desk_say(d, ROLE_TEXT, "running%s%s on real kernels; you can go on editing", *w->listening ? " " : "",
             w->listening);
    desk_ask_job(d, &job_run, w);
}
