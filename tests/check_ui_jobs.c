/* SPDX-License-Identifier: MIT
 *
 * When jobs run, with kinds of the test's own: what they do is no matter here.
 */
#include <check.h>
#include <poll.h>
#include <sched.h>
#include <string.h>

#include "base/mem.h"
#include "ui/jobs.h"

Suite *check_ui_jobs_suite(void);

struct work {
    int runs, *freed;
    bool endless; /* until it is stopped */
};

static int run(struct session *s, void *work, const struct progress *p, struct err *e)
{
    struct work *w = work;
    (void)s;
    w->runs++;
    while (w->endless && !progress_step(p, "turns", w->runs, 0))
        sched_yield();
    return w->endless ? 1 : err_set(e, "it failed");
}

static void free_work(void *work)
{
    struct work *w = work;
    ++*w->freed;
    mem_free(w);
}

static const struct job_kind background = {"humming", NULL, true, run, NULL, free_work},
                             foreground = {"digging", "a dig", false, run, NULL, free_work};

static struct work *work(bool endless, int *freed)
{
    struct work *w = mem_new(1, sizeof *w);
    *w = (struct work){.freed = freed, .endless = endless};
    return w;
}

static void wait_for_end(struct jobs *j, struct jobs_news *news)
{
    struct pollfd p = {jobs_fd(j), POLLIN, 0};
    do {
        ck_assert_msg(poll(&p, 1, 20000) == 1, "no news");
        jobs_poll(j, news);
    } while (!news->finished);
}

static struct jobs *open_jobs(void)
{
    struct err e;
    struct jobs *j = jobs_new(NULL, &e);
    ck_assert_ptr_nonnull(j);
    return j;
}

/* The background job stops for another, and goes on afterwards with the work it had. */
START_TEST(background_gives_way)
{
    int freed = 0;
    struct jobs *j = open_jobs();
    struct jobs_news news;
    struct work *hum = work(true, &freed);
    ck_assert(jobs_start(j, &background, hum));
    ck_assert(!jobs_start(j, &background, work(true, &freed)));
    ck_assert(jobs_start(j, &foreground, work(false, &freed)));
    ck_assert(!jobs_start(j, &foreground, work(false, &freed)));
    ck_assert_int_eq(freed, 2); /* those that were refused */
    wait_for_end(j, &news);
    ck_assert(news.finished == &background && news.work == hum && news.status == 1 && hum->runs == 1);
    ck_assert_ptr_eq(news.job.kind, &foreground);
    wait_for_end(j, &news);
    ck_assert(news.finished == &foreground && news.status == -1 && !strcmp(news.err.text, "it failed"));
    ck_assert_ptr_eq(news.job.kind, &background);
    jobs_stop(j);
    wait_for_end(j, &news);
    ck_assert(news.finished == &background && news.work == hum && hum->runs == 2);
    ck_assert_ptr_null(news.job.kind);
    jobs_free(j);
    ck_assert_int_eq(freed, 4);
}
END_TEST

/* A stop drops what waits, and nothing goes on by itself. */
START_TEST(stop_is_stop)
{
    int freed = 0;
    struct jobs *j = open_jobs();
    struct jobs_news news;
    ck_assert(jobs_start(j, &background, work(true, &freed)));
    ck_assert(jobs_start(j, &foreground, work(false, &freed)));
    jobs_stop(j);
    wait_for_end(j, &news);
    ck_assert(news.finished == &background && !news.job.kind);
    ck_assert(jobs_start(j, &foreground, work(true, &freed)));
    ck_assert(!jobs_start(j, &background, work(true, &freed)));
    jobs_poll(j, &news);
    ck_assert(!news.finished && news.job.kind == &foreground && !news.job.stopping);
    jobs_free(j); /* with one that runs */
    ck_assert_int_eq(freed, 4);
}
END_TEST

Suite *check_ui_jobs_suite(void)
{
    Suite *s = suite_create("ui_jobs");
    TCase *t = tcase_create("jobs");
    tcase_add_test(t, background_gives_way);
    tcase_add_test(t, stop_is_stop);
    tcase_set_timeout(t, 60);
    suite_add_tcase(s, t);
    return s;
}
