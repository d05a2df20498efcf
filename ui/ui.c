/* SPDX-License-Identifier: MIT */
#include "ui/ui.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "ui/actions.h"
#include "ui/desk_draw.h"
#include "ui/desk_model.h"
#include "ui/desk_results.h"
#include "ui/jobs.h"
#include "ui/tty.h"

struct ui {
    struct session *session;
    struct desk *desk;
    struct jobs *jobs;
    struct tty *tty;
    enum glyph_level level;
    unsigned tables_version;
    int sync_fd; /* a byte for tests each time there is nothing left to do; -1: none */
    int frames;
    struct search_options search;
    char run_listening[96]; /* desk_listening as it was when the last run began */
    bool done;
    int status;
};

struct ui_options ui_defaults(void)
{
    struct ui_options o = {.glyphs = GLYPHS_AUTO, .colour = COLOUR_AUTO, .search = search_defaults(), .analyze = true};
    /* "15;0": foreground; background. 7 and the bright ones but 8 are light. */
    const char *fgbg = getenv("COLORFGBG"), *last = fgbg ? strrchr(fgbg, ';') : NULL;
    int background = last ? atoi(last + 1) : 0;
    o.light = background == 7 || background > 8;
    return o;
}

static struct desk *make_desk(struct session *s, const struct desk_model *m, struct profile *p, const char *path)
{
    struct desk *d = desk_new(m, p, path, session_tables(s));
    const char *slash = strrchr(m->file, '/'), *base = slash ? slash + 1 : m->file, *dot = strrchr(base, '.');
    d->suggested = mem_printf("%.*s.yaml", (int)(dot && dot > base ? dot - base : (long)strlen(base)), base);
    return d;
}

char *ui_shot(struct session *s, const struct profile *p, const char *profile_path, int width, int height,
              const struct ui_options *o)
{
    struct desk_model *m = desk_model_new(session_graph(s));
    struct desk *d = make_desk(s, m, profile_copy(p), profile_path);
    desk_resize(d, width, height);
    struct grid *g = desk_draw(d, width, height, o->glyphs == GLYPHS_AUTO ? GLYPHS_BRAILLE : o->glyphs);
    char *text = grid_text(g);
    grid_free(g);
    desk_free(d);
    desk_model_free(m);
    return text;
}

static void draw(struct ui *u)
{
    int w, h;
    tty_size(u->tty, &w, &h);
    if (w != u->desk->width || h != u->desk->height)
        desk_resize(u->desk, w, h);
    struct grid *g = desk_draw(u->desk, w, h, u->level);
    tty_present(u->tty, g);
    grid_free(g);
    u->frames++;
}

static void read_tables(struct ui *u)
{
    unsigned version = session_tables_version(u->session);
    if (version == u->tables_version)
        return;
    u->tables_version = version;
    desk_set_tables(u->desk, session_tables(u->session));
}

static void take_news(struct ui *u)
{
    static const char *const names[] = {"", "analysis", "run", "search"};
    struct jobs_news news;
    jobs_poll(u->jobs, &news);
    read_tables(u);
    u->desk->job = news.job;
    if (news.finished != JOB_NONE && news.result < 0)
        desk_say(u->desk, ROLE_OVER, "%s: %.200s", names[news.finished], news.err.text);
    else if (news.finished == JOB_RUN && (news.result == 0 || news.run.images > 0))
        desk_take_run(u->desk, &news.run, news.revision, u->run_listening);
    else if (news.finished == JOB_SEARCH && (news.result == 0 || news.search.profile))
        desk_take_search(u->desk, &news.search, news.revision);
    else if (news.finished != JOB_NONE && news.result == 1 && news.job.kind == JOB_NONE)
        desk_say(u->desk, ROLE_TEXT, "%s stopped; what it found is kept", names[news.finished]);
    struct err unkept;
    if (news.finished == JOB_ANALYZE && session_unkept(u->session, &unkept))
        desk_say(u->desk, ROLE_NEAR, "not kept for next time: %.200s", unkept.text);
    if (news.finished == JOB_RUN)
        run_result_done(&news.run);
    if (news.finished == JOB_SEARCH)
        search_result_done(&news.search);
}

static bool save(struct ui *u)
{
    struct desk *d = u->desk;
    struct err e;
    desk_stamp(d);
    if (profile_save(d->profile, d->target, &e)) {
        desk_say(d, ROLE_OVER, "not saved: %.200s", e.text);
        return false;
    }
    desk_saved(d);
    desk_say(d, ROLE_TEXT, "saved %.200s", d->path);
    return true;
}

static void start_job(struct ui *u, enum desk_request request)
{
    struct desk *d = u->desk;
    uint64_t revision = history_revision(&d->history);
    struct search_options o = u->search;
    o.budgets = d->profile->budgets;
    char listening[96];
    desk_listening(d, listening);
    struct profile *sounding = profile_copy(d->profile); /* what the meters show is what runs */
    for (int i = 0; i < sounding->n_layers; i++)
        sounding->layers[i].precision = d->effective[i].precision;
    bool started = request == REQUEST_RUN      ? jobs_run(u->jobs, sounding, revision)
                   : request == REQUEST_SEARCH ? jobs_search(u->jobs, d->profile, &o, revision)
                                               : jobs_analyze(u->jobs);
    profile_free(sounding);
    if (!started)
        desk_say(d, ROLE_NEAR, "one thing at a time: X stops what runs");
    else if (request == REQUEST_RUN) {
        memcpy(u->run_listening, listening, sizeof u->run_listening);
        desk_say(d, ROLE_TEXT, "running%s%s on real kernels; you can go on editing", *listening ? " " : "", listening);
    } else if (request == REQUEST_SEARCH) {
        desk_say(d, ROLE_TEXT, "searching under the budgets%s; you can go on editing",
                 *listening ? " (mute and solo do not count)" : "");
    }
}

static void fulfil(struct ui *u)
{
    enum desk_request request = u->desk->request;
    u->desk->request = REQUEST_NONE;
    switch (request) {
    case REQUEST_NONE:
        return;
    case REQUEST_RUN:
    case REQUEST_SEARCH:
    case REQUEST_ANALYZE:
        start_job(u, request);
        take_news(u);
        break;
    case REQUEST_STOP:
        jobs_stop(u->jobs);
        take_news(u);
        break;
    case REQUEST_SAVE:
        save(u);
        break;
    case REQUEST_SAVE_QUIT:
        u->done = save(u);
        break;
    case REQUEST_QUIT:
        u->done = true;
        break;
    case REQUEST_REDRAW:
        tty_redraw(u->tty);
        break;
    case REQUEST_SUSPEND:
        tty_suspend(u->tty);
        break;
    }
}

/* Where nothing of the desk can be seen, keys must not change it. */
static bool key_counts(const struct desk *d, const char *key)
{
    return !layout_desk(d->width, d->height, 1).too_small || d->mode == MODE_QUIT || !strcmp(key, "q") ||
           !strcmp(key, "^L") || !strcmp(key, "X");
}

static void take_keys(struct ui *u)
{
    char key[8];
    while (!u->done && tty_key(u->tty, key))
        if (key_counts(u->desk, key)) {
            desk_key(u->desk, key);
            fulfil(u);
        }
}

static void sleep_until_something(struct ui *u)
{
    int signal_number = 0;
    if (u->sync_fd >= 0 && write(u->sync_fd, ".", 1) < 0)
        u->sync_fd = -1;
    int events = tty_wait(u->tty, jobs_fd(u->jobs), &signal_number);
    if (events & TTY_SIGNAL) {
        u->done = true;
        u->status = 128 + signal_number;
    } else if (events & TTY_GONE) {
        u->done = true;
        u->status = 128 + SIGHUP;
    }
    if (events & TTY_STOP)
        tty_suspend(u->tty);
    if (events & TTY_NEWS)
        take_news(u);
    if (events & TTY_KEYS && !u->done)
        take_keys(u);
}

static void loop(struct ui *u, const struct ui_options *o)
{
    draw(u);
    if (o->analyze && jobs_analyze(u->jobs))
        take_news(u);
    while (!u->done && (!o->frames || u->frames < o->frames)) {
        take_keys(u); /* what was typed before the first frame */
        if (u->done)
            break;
        draw(u);
        sleep_until_something(u);
    }
}

int ui_open(struct session *s, struct profile *p, const char *profile_path, const struct ui_options *o, int *status,
            struct err *e)
{
    char note[128];
    const char *sync = getenv("BITFADER_TEST_SYNC");
    struct ui u = {.session = s, .search = o->search, .sync_fd = sync && *sync ? atoi(sync) : -1};
    int result = -1;
    struct desk_model *m = desk_model_new(session_graph(s));
    setlocale(LC_CTYPE, "");
    u.tables_version = session_tables_version(s);
    u.desk = make_desk(s, m, p, profile_path);
    u.level = o->glyphs == GLYPHS_AUTO ? tty_glyph_level() : o->glyphs;
    *status = 2;
    u.jobs = jobs_new(s, e);
    if (!u.jobs)
        goto out;
    u.tty = tty_open(o->colour, o->light, note, e);
    if (!u.tty)
        goto out;
    if (!session_dataset(s))
        desk_say(u.desk, ROLE_NEAR, "no dataset: accuracy is a rough guess from the weights; open with -d NAME");
    if (*note)
        desk_say(u.desk, ROLE_NEAR, "%s", note);
    loop(&u, o);
    result = 0;
    *status = u.status;
out:
    tty_close(u.tty); /* first: a job that is slow to stop must not hold the terminal */
    jobs_free(u.jobs);
    desk_free(u.desk);
    desk_model_free(m);
    return result;
}
