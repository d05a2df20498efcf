/* SPDX-License-Identifier: MIT */
#include "ui/jobs.h"

#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/parallel.h"

enum { NEWS_NS = 100000000 }; /* progress wakes the screen ten times a second at most */

struct work {
    enum desk_job_kind kind; /* JOB_NONE: none */
    struct profile *profile;
    struct search_options search;
    uint64_t revision;
};

struct jobs {
    struct session *session;
    int fd;
    struct job *job;
    struct work now, next;
    bool analysis_owed; /* to go on with when nothing else runs */
    atomic_int stop;
    atomic_bool finished; /* set before the last wake: job_done() becomes true only after it, when nobody looks */
    /* Written by the job while it runs, read after it is done. */
    int result;
    struct err err;
    struct run_result run;
    struct search_result found;
    /* Under the lock. */
    struct lock *lock;
    struct desk_job status;
    int64_t phase_start, last_news;
};

struct jobs *jobs_new(struct session *s, struct err *e)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0) {
        err_set(e, "no event descriptor for background jobs");
        return NULL;
    }
    struct jobs *j = mem_new(1, sizeof *j);
    j->session = s;
    j->fd = fd;
    j->lock = lock_new();
    return j;
}

static void work_done(struct work *w)
{
    profile_free(w->profile);
    *w = (struct work){.kind = JOB_NONE};
}

void jobs_free(struct jobs *j)
{
    if (!j)
        return;
    atomic_store(&j->stop, 1);
    job_join(j->job);
    if (j->now.kind == JOB_RUN)
        run_result_done(&j->run);
    if (j->now.kind == JOB_SEARCH)
        search_result_done(&j->found);
    work_done(&j->now);
    work_done(&j->next);
    lock_free(j->lock);
    close(j->fd);
    mem_free(j);
}

int jobs_fd(const struct jobs *j)
{
    return j->fd;
}

static void wake(struct jobs *j)
{
    uint64_t one = 1;
    ssize_t n = write(j->fd, &one, sizeof one); /* it fails only when the counter is full: then it is readable anyway */
    (void)n;
}

static void report(void *ctx, const char *what, int64_t done, int64_t total)
{
    struct jobs *j = ctx;
    int64_t now = clock_ns();
    lock_enter(j->lock);
    struct desk_job *s = &j->status;
    if (strncmp(s->what, what, sizeof s->what - 1)) {
        snprintf(s->what, sizeof s->what, "%s", what);
        j->phase_start = now;
    }
    s->done = done;
    s->total = total;
    double passed = (double)(now - j->phase_start) * 1e-9;
    s->eta_s =
        done > 0 && total >= done && passed > 2 ? (int)(passed * (double)(total - done) / (double)done + 0.5) : -1;
    bool tell = now - j->last_news >= NEWS_NS;
    if (tell)
        j->last_news = now;
    lock_leave(j->lock);
    if (tell)
        wake(j);
}

static void job_body(void *ctx)
{
    struct jobs *j = ctx;
    struct progress p = {.report = report, .ctx = j, .stop = &j->stop};
    struct run_options run = run_defaults();
    switch (j->now.kind) {
    case JOB_ANALYZE:
        j->result = session_analyze(j->session, ANALYZE_ALL, &p, &j->err);
        break;
    case JOB_RUN:
        j->result = session_run(j->session, j->now.profile, &run, &p, &j->run, &j->err);
        if (j->result == 0)
            session_learn(j->session, j->now.profile, &j->run);
        break;
    case JOB_SEARCH:
        j->result = session_search(j->session, j->now.profile, &j->now.search, &p, &j->found, &j->err);
        break;
    case JOB_NONE:
        break;
    }
    atomic_store(&j->finished, true);
    wake(j);
}

static void start(struct jobs *j, struct work w)
{
    j->now = w;
    j->result = 0;
    j->err.text[0] = '\0';
    j->run = (struct run_result){0};
    j->found = (struct search_result){0};
    atomic_store(&j->stop, 0);
    atomic_store(&j->finished, false);
    lock_enter(j->lock);
    j->status = (struct desk_job){.kind = w.kind, .eta_s = -1};
    j->phase_start = clock_ns();
    lock_leave(j->lock);
    j->job = job_start(job_body, j);
}

/* Starts it now, or as soon as the analysis has let go. */
static bool start_or_wait(struct jobs *j, struct work w)
{
    if (!j->job) {
        start(j, w);
        return true;
    }
    if (j->now.kind != JOB_ANALYZE || w.kind == JOB_ANALYZE || j->next.kind != JOB_NONE) {
        work_done(&w);
        return false;
    }
    j->next = w;
    j->analysis_owed = true;
    atomic_store(&j->stop, 1);
    return true;
}

bool jobs_analyze(struct jobs *j)
{
    return start_or_wait(j, (struct work){.kind = JOB_ANALYZE});
}

bool jobs_run(struct jobs *j, const struct profile *p, uint64_t revision)
{
    return start_or_wait(j, (struct work){.kind = JOB_RUN, .profile = profile_copy(p), .revision = revision});
}

bool jobs_search(struct jobs *j, const struct profile *p, const struct search_options *o, uint64_t revision)
{
    return start_or_wait(
        j, (struct work){.kind = JOB_SEARCH, .profile = profile_copy(p), .search = *o, .revision = revision});
}

void jobs_stop(struct jobs *j)
{
    work_done(&j->next);
    j->analysis_owed = false;
    atomic_store(&j->stop, 1);
    lock_enter(j->lock);
    j->status.stopping = true;
    lock_leave(j->lock);
}

void jobs_poll(struct jobs *j, struct jobs_news *out)
{
    uint64_t count;
    ssize_t n = read(j->fd, &count, sizeof count);
    (void)n;
    *out = (struct jobs_news){.finished = JOB_NONE};
    if (j->job && atomic_load(&j->finished)) {
        job_join(j->job);
        j->job = NULL;
        out->finished = j->now.kind;
        out->result = j->result;
        out->err = j->err;
        out->revision = j->now.revision;
        out->run = j->run;
        out->search = j->found;
        work_done(&j->now);
        struct work next = j->next;
        j->next = (struct work){.kind = JOB_NONE};
        lock_enter(j->lock);
        j->status = (struct desk_job){.kind = JOB_NONE, .eta_s = -1};
        lock_leave(j->lock);
        if (next.kind != JOB_NONE) {
            start(j, next);
        } else if (j->analysis_owed) {
            j->analysis_owed = false;
            start(j, (struct work){.kind = JOB_ANALYZE});
        }
    }
    lock_enter(j->lock);
    out->job = j->status;
    lock_leave(j->lock);
    /* A job that waits is what the user wants to see. */
    if (j->next.kind != JOB_NONE)
        out->job = (struct desk_job){.kind = j->next.kind, .what = "waits for the analysis to pause", .eta_s = -1};
}
