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
#include "ui/job_kind.h"
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
    struct jobs_news news;
    struct desk *d = u->desk;
    jobs_poll(u->jobs, &news);
    read_tables(u);
    d->job = news.job;
    if (!news.finished || news.finished->take(d, news.work, news.status))
        return;
    if (news.status < 0)
        desk_say(d, ROLE_OVER, "%s: %.200s", news.finished->name, news.err.text);
    else if (news.status == 1 && !news.job.kind)
        desk_say(d, ROLE_TEXT, "%s stopped; what it found is kept", news.finished->name);
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

static void start_job(struct ui *u)
{
    struct desk_asked asked = u->desk->asked;
    u->desk->asked = (struct desk_asked){NULL, NULL};
    if (!jobs_start(u->jobs, asked.kind, asked.work))
        desk_say(u->desk, ROLE_NEAR, "one thing at a time: X stops what runs");
    take_news(u);
}

static void fulfil(struct ui *u)
{
    enum desk_request request = u->desk->request;
    u->desk->request = REQUEST_NONE;
    switch (request) {
    case REQUEST_NONE:
        return;
    case REQUEST_JOB:
        start_job(u);
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
    return !desk_layout(d, d->width, d->height).too_small || d->mode == MODE_QUIT || !strcmp(key, "q") ||
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
    if (o->analyze) {
        job_analyze_ask(u->desk);
        fulfil(u);
    }
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
    struct ui u = {.session = s, .sync_fd = sync && *sync ? atoi(sync) : -1};
    int result = -1;
    struct desk_model *m = desk_model_new(session_graph(s));
    setlocale(LC_CTYPE, "");
    u.tables_version = session_tables_version(s);
    u.desk = make_desk(s, m, p, profile_path);
    u.desk->search = o->search;
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
