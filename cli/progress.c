/* SPDX-License-Identifier: MIT */
#include "cli/progress.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/report.h"
#include "ui/format.h"

/* A handler has no argument of its own: the stop flag, the signal that set it, and what the terminal needs first. */
static atomic_int stop_flag, stop_signal, bar_stands;

static const int stop_signals[] = {SIGINT, SIGTERM, SIGHUP};
enum { STOP_SIGNALS = sizeof stop_signals / sizeof *stop_signals };

/* Only what may be called in a handler. */
static void say(const char *s)
{
    ssize_t written = write(STDERR_FILENO, s, strlen(s));
    (void)written; /* nobody is left to be told */
}

static void on_stop(int n)
{
    if (atomic_load(&bar_stands))
        say("\r\033[K");
    if (atomic_exchange(&stop_flag, 1))
        _exit(EXIT_SIGNAL + n);
    atomic_store(&stop_signal, n);
    say(n == SIGINT ? "bitfader: stopping; Ctrl-C again stops now\n"
                    : "bitfader: stopping; a second signal stops now\n");
}

static void set_handlers(bool ours)
{
    for (int i = 0; i < STOP_SIGNALS; i++) {
        struct sigaction old, new = {.sa_handler = ours ? on_stop : SIG_DFL};
        /* Ignored from outside (nohup, a background job) stays ignored. */
        if (!sigaction(stop_signals[i], NULL, &old) && old.sa_handler == SIG_IGN)
            continue;
        new.sa_flags = SA_RESTART;
        sigemptyset(&new.sa_mask);
        sigaction(stop_signals[i], &new, NULL);
    }
}

static enum progress_mode resolve(const struct options *o)
{
    const char *term = getenv("TERM");
    bool dumb = !term || !*term || !strcmp(term, "dumb");
    if (o->quiet)
        return PROGRESS_NONE;
    if (o->progress != PROGRESS_AUTO)
        return o->progress;
    if (!isatty(STDERR_FILENO))
        return PROGRESS_NONE;
    return dumb ? PROGRESS_LINES : PROGRESS_BAR;
}

/* "0:31" */
static void put_clock(char out[16], double seconds)
{
    int s = seconds < 359999 ? (int)(seconds + 0.5) : 359999;
    if (s < 3600)
        snprintf(out, 16, "%d:%02d", s / 60, s % 60);
    else
        snprintf(out, 16, "%d:%02d:%02d", s / 3600, s / 60 % 60, s % 60);
}

/* "[####....]" in what the terminal shows. */
static void put_cells(struct text *out, enum glyph_level level, int64_t done, int64_t total)
{
    enum { CELLS = 24 };
    int full = total > 0 ? (int)(done * CELLS / total) : 0;
    for (int i = -1; i <= CELLS; i++) {
        enum glyph g = i < 0        ? GLYPH_GAUGE_LEFT
                       : i >= CELLS ? GLYPH_GAUGE_RIGHT
                       : i < full   ? GLYPH_FADER_FULL
                                    : GLYPH_FADER_EMPTY;
        char utf8[5];
        format_utf8(glyph_code(level, g), utf8);
        text_put(out, utf8);
    }
}

static void draw_bar(struct cli_progress *p, const char *what, int64_t done, int64_t total)
{
    struct winsize size;
    int width = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) || size.ws_col < 1 ? 80 : size.ws_col;
    char gone[16], left[16], name[256];
    double seconds = (double)(clock_ns() - p->started) * 1e-9;
    struct text line = {0};
    put_cells(&line, p->level, done, total);
    put_clock(gone, seconds);
    text_printf(&line, " %" PRId64 "/%" PRId64 " %3.0f %%  %s gone", done, total,
                total > 0 ? 100.0 * (double)done / (double)total : 0, gone);
    if (done > 0 && total > done && seconds > 1) {
        put_clock(left, seconds / (double)done * (double)(total - done));
        text_printf(&line, "  %s to go", left);
    }
    int room = width - 3 - format_cells(line.s);
    if (room > 0) { /* else the line would wrap, and wiping it would leave pieces */
        text_put(&line, "  ");
        table_put_mapped(&line, p->level, format_name(name, sizeof name, what, room));
    }
    if (room >= -2)
        fprintf(stderr, "\r%s\033[K", line.s);
    else
        fprintf(stderr, "\r%.0f %%\033[K", total > 0 ? 100.0 * (double)done / (double)total : 0);
    fflush(stderr);
    text_done(&line);
    p->visible = true;
    atomic_store(&bar_stands, 1);
}

static void report_bar(void *ctx, const char *what, int64_t done, int64_t total)
{
    struct cli_progress *p = ctx;
    int64_t now = clock_ns();
    if (p->total != total) { /* another piece of work: its own clock */
        p->total = total;
        p->started = now;
        p->drawn = 0;
    }
    if ((now - p->drawn < 100000000 && done < total) || atomic_load(&stop_flag))
        return;
    p->drawn = now;
    draw_bar(p, what, done, total);
}

/* A line for each tenth of a piece of work. */
static void report_lines(void *ctx, const char *what, int64_t done, int64_t total)
{
    struct cli_progress *p = ctx;
    int percent = total > 0 ? (int)(done * 100 / total) : 0;
    if (p->total == total && percent >= p->percent && percent < p->percent + 10)
        return;
    p->total = total;
    p->percent = percent - percent % 10;
    fprintf(stderr, "bitfader: %s %" PRId64 "/%" PRId64 " (%d %%)\n", what, done, total, percent);
}

void cli_progress_begin(struct cli_progress *p, const struct options *o)
{
    *p = (struct cli_progress){.level = report_glyphs(o), .mode = resolve(o), .started = clock_ns(), .total = -1};
    p->progress.ctx = p;
    p->progress.stop = &stop_flag;
    if (p->mode == PROGRESS_BAR)
        p->progress.report = report_bar;
    else if (p->mode == PROGRESS_LINES)
        p->progress.report = report_lines;
    set_handlers(true);
}

int cli_progress_end(struct cli_progress *p)
{
    set_handlers(false);
    if (p->visible && !atomic_load(&stop_flag))
        fputs("\r\033[K", stderr);
    p->visible = false;
    atomic_store(&bar_stands, 0);
    return atomic_load(&stop_signal);
}
