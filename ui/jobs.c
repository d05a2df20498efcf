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
    const struct job_kind *kind; /* NULL: none */
    void *data;
};

struct jobs {
    struct session *session;
    int fd;
    struct job *job;
    struct work now, next, past; /* past: its result is being looked at */
    struct work owed;            /* a background job that gave way */
    bool gives_way;              /* what runs now is to become that */
    atomic_int stop;
    atomic_bool finished; /* set before the last wake: job_done() becomes true only after it, when nobody looks */
    /* Written by the job while it runs, read after it is done. */
    int returned;
    struct err err;
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
    if (w->kind)
        w->kind->free(w->data);
    *w = (struct work){NULL, NULL};
}

/* Moves it. */
static struct work work_from(struct work *w)
{
    struct work moved = *w;
    *w = (struct work){NULL, NULL};
    return moved;
}

void jobs_free(struct jobs *j)
{
    if (!j)
        return;
    atomic_store(&j->stop, 1);
    job_join(j->job);
    work_done(&j->now);
    work_done(&j->next);
    work_done(&j->past);
    work_done(&j->owed);
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
    j->returned = j->now.kind->run(j->session, j->now.data, &p, &j->err);
    atomic_store(&j->finished, true);
    wake(j);
}

static void start(struct jobs *j, struct work w)
{
    j->now = w;
    j->returned = 0;
    j->err.text[0] = '\0';
    atomic_store(&j->stop, 0);
    atomic_store(&j->finished, false);
    lock_enter(j->lock);
    j->status = (struct desk_job){.kind = w.kind, .eta_s = -1};
    j->phase_start = clock_ns();
    lock_leave(j->lock);
    j->job = job_start(job_body, j);
}

bool jobs_start(struct jobs *j, const struct job_kind *kind, void *work)
{
    struct work w = {kind, work};
    if (!j->job) {
        start(j, w);
        return true;
    }
    if (!j->now.kind->background || kind->background || j->next.kind) {
        work_done(&w);
        return false;
    }
    j->next = w;
    j->gives_way = true;
    atomic_store(&j->stop, 1);
    return true;
}

void jobs_stop(struct jobs *j)
{
    work_done(&j->next);
    work_done(&j->owed);
    j->gives_way = false;
    atomic_store(&j->stop, 1);
    lock_enter(j->lock);
    j->status.stopping = true;
    lock_leave(j->lock);
}

/* What ran is done: tells so, and starts what waits, else what was interrupted. */
static void change_over(struct jobs *j, struct jobs_news *out)
{
    job_join(j->job);
    j->job = NULL;
    work_done(&j->past);
    *out = (struct jobs_news){.finished = j->now.kind, .work = j->now.data, .status = j->returned, .err = j->err};
    *(j->gives_way ? &j->owed : &j->past) = work_from(&j->now);
    j->gives_way = false;
    lock_enter(j->lock);
    j->status = (struct desk_job){.eta_s = -1};
    lock_leave(j->lock);
    if (j->next.kind)
        start(j, work_from(&j->next));
    else if (j->owed.kind)
        start(j, work_from(&j->owed));
}

void jobs_poll(struct jobs *j, struct jobs_news *out)
{
    uint64_t count;
    ssize_t n = read(j->fd, &count, sizeof count);
    (void)n;
    *out = (struct jobs_news){.finished = NULL};
    if (j->job && atomic_load(&j->finished))
        change_over(j, out);
    lock_enter(j->lock);
    out->job = j->status;
    lock_leave(j->lock);
    /* A job that waits is what the user wants to see. */
    if (j->next.kind) {
        out->job = (struct desk_job){.kind = j->next.kind, .eta_s = -1};
        snprintf(out->job.what, sizeof out->job.what, "waits for the %s to pause", j->now.kind->name);
    }
}
