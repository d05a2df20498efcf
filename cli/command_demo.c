/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "cli/commands.h"
#include "cli/desk.h"
#include "cli/metrics.h"
#include "cli/paths.h"
#include "cli/work.h"
#include "ui/format.h"

/* One line of the one table: a profile, what was expected of it and what came. */
struct entry {
    const char *name;
    struct estimate est;
    struct run_result run;
};

enum { ENTRIES = 4 };

struct demo {
    struct work work;
    struct entry entries[ENTRIES];
    int n;
    struct search_result found;
    char *output;
};

static const struct column columns[] = {
    {"profile", NULL, COLUMN_TEXT},
    {"accuracy_estimate_percent", NULL, COLUMN_NUMBER, READER_MACHINE},
    {"accuracy_estimate_error_pp", NULL, COLUMN_NUMBER, READER_MACHINE},
    {"accuracy_text", "accuracy: estimate", COLUMN_TEXT, READER_HUMAN},
    {"accuracy_percent", "measured %", COLUMN_NUMBER, .decimals = 2},
    {"latency_estimate_us", "latency: estimate " G_MICRO "s", COLUMN_NUMBER},
    {"latency_us", "measured " G_MICRO "s", COLUMN_NUMBER},
    {"bytes", "KiB", COLUMN_NUMBER, .decimals = 1, .scale = 1.0 / 1024},
    {"times_smaller", "smaller", COLUMN_NUMBER, .decimals = 2},
    {"times_faster", "faster", COLUMN_NUMBER, .decimals = 2},
};

/* Profile at one precision for all; the caller frees. */
static struct profile *uniform(const struct work *w, int bits)
{
    struct precision p = precision_default();
    precision_set_w(&p, bits);
    precision_set_a(&p, bits);
    return profile_new(w->model, &p);
}

/* Estimates, then runs. Returns an exit status. */
static int run_entry(struct demo *d, const char *name, const struct profile *p)
{
    struct work *w = &d->work;
    struct entry *entry = &d->entries[d->n++];
    struct err e;
    struct tables *t = session_tables(w->session);
    entry->name = name;
    estimate_profile(t, p, NULL, &entry->est);
    tables_free(t);
    work_begin(w);
    int failed = session_run(w->session, p, &w->options->run, &w->progress.progress, &entry->run, &e);
    if (!failed)
        session_learn(w->session, p, &entry->run);
    work_end(w);
    return failed < 0 ? report_fail(EXIT_FAILED, &e) : EXIT_DONE;
}

/* The baselines; each is estimated before it or any later one is measured. */
static int run_baselines(struct demo *d)
{
    static const struct {
        const char *name;
        int bits;
    } rows[] = {{"fp32", BITS_FLOAT}, {"w8a8", 8}, {"w4a4", 4}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct profile *p = uniform(&d->work, rows[i].bits);
        int status = run_entry(d, rows[i].name, p);
        profile_free(p);
        if (status || d->work.signal)
            return status;
    }
    return EXIT_DONE;
}

/* Under the budgets of the command line, else half of what w8a8 takes. */
static int search(struct demo *d)
{
    struct work *w = &d->work;
    struct search_options so = w->options->search;
    struct err e;
    struct profile *start = uniform(w, 8);
    if (!budgets_any(&so.budgets))
        so.budgets.bytes = d->entries[1].run.bytes / 2;
    start->budgets = so.budgets;
    work_begin(w);
    int failed = session_search(w->session, start, &so, &w->progress.progress, &d->found, &e);
    work_end(w);
    profile_free(start);
    if (failed < 0)
        return report_fail(EXIT_FAILED, &e);
    if (!d->found.profile && !w->signal) {
        err_set(&e, "no profile meets every budget: %s", d->found.why);
        return report_fail(EXIT_BUDGET, &e);
    }
    return EXIT_DONE;
}

/* The search has run what it found: its estimate from before that run, and the run. */
static int take_found(struct demo *d)
{
    if (!d->found.verified)
        return run_entry(d, "found", d->found.profile);
    d->entries[d->n++] = (struct entry){"found", d->found.estimate, d->found.run};
    d->found.run = (struct run_result){0};
    return EXIT_DONE;
}

static int save(struct demo *d)
{
    struct err e;
    if (profile_save(d->found.profile, d->output, &e))
        return report_fail(EXIT_FAILED, &e);
    report_note(d->work.options, "wrote %s", d->output);
    return EXIT_DONE;
}

/* Everything up to the table. A signal ends it early, with what there is. */
static int work_through(struct demo *d)
{
    struct work *w = &d->work;
    int status = work_analyze(w, ANALYZE_ALL);
    if (!status && !w->signal)
        status = run_baselines(d);
    if (!status && !w->signal)
        status = search(d);
    if (!status && d->found.profile)
        status = save(d);
    if (!status && !w->signal && d->found.profile)
        status = take_found(d);
    return status;
}

static void add_row(struct table *t, const struct entry *x, const struct entry *fp32)
{
    char value[24], error[24];
    bool timed = x->run.latency_runs > 0;
    const struct meter *a = &x->est.accuracy;
    table_add_text(t, x->name);
    table_add_number(t, a->value);
    table_add_number(t, a->error);
    if (a->error > 0)
        table_add_format(t, "%s " G_PLUS_MINUS "%s %%", format_number(value, a->value, 2),
                         format_number(error, a->error, 2));
    else
        table_add_format(t, "%s %%", format_number(value, a->value, 2));
    table_add_number(t, x->run.images ? x->run.accuracy : NAN);
    table_add_number(t, x->est.latency.value * 1e-3);
    table_add_number(t, timed ? x->run.latency_ns * 1e-3 : NAN);
    table_add_number(t, (double)x->run.bytes);
    table_add_number(t, x->run.bytes > 0 ? (double)fp32->run.bytes / (double)x->run.bytes : NAN);
    table_add_number(t, timed ? fp32->run.latency_ns / x->run.latency_ns : NAN);
}

static int print(struct demo *d, double seconds)
{
    struct work *w = &d->work;
    struct options screen = *w->options;
    screen.output = NULL; /* that is the profile's */
    struct report r;
    work_report(w, "demo", &r);
    report_number(r.json, "elapsed_s", seconds);
    cJSON_AddBoolToObject(r.json, "feasible", d->found.feasible);
    struct table *t = table_new("profiles", columns, sizeof columns / sizeof *columns);
    for (int i = 0; i < d->n; i++)
        add_row(t, &d->entries[i], &d->entries[0]);
    report_add(&r, t, 0);
    if (d->n == ENTRIES)
        metrics_put_notes(session_graph(w->session), &d->entries[ENTRIES - 1].run, &r.foot);
    if (d->found.profile && !d->found.feasible)
        text_printf(&r.foot, "not every budget is met: %s\n", d->found.why);
    text_printf(&r.foot, "%d layers, %d images, %.1f seconds in all\n", w->model->n_layers,
                d->n ? d->entries[0].run.images : 0, seconds);
    int status = report_write(&r, &screen);
    report_done(&r);
    return status;
}

static void demo_done(struct demo *d)
{
    for (int i = 0; i < d->n; i++)
        run_result_done(&d->entries[i].run);
    search_result_done(&d->found);
    mem_free(d->output);
    work_done(&d->work);
}

/* The desk on what was found, where there is somebody to look at it. */
static int open_desk(struct demo *d)
{
    struct err e;
    int status = EXIT_DONE;
    struct ui_options ui = d->work.options->ui;
    if (ui_open(d->work.session, profile_copy(d->found.profile), d->output, &ui, &status, &e))
        return report_fail(status, &e);
    return status;
}

static int start(const struct options *o)
{
    int64_t started = clock_ns();
    struct demo d = {.n = 0};
    int status = report_check_output(o, o->output);
    if (status)
        return status;
    char *stem = paths_stem(file_name(o->arguments.items[1]));
    d.output = o->output ? mem_strdup(o->output) : mem_printf("%s-found.yaml", stem);
    mem_free(stem);
    status = work_open(&d.work, o, o->arguments.items[1], true);
    if (!status)
        status = work_through(&d);
    if (!status && d.n)
        status = print(&d, (double)(clock_ns() - started) * 1e-9);
    if (!status)
        status = work_status(&d.work);
    if (!status && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && o->form == FORM_HUMAN)
        status = open_desk(&d);
    demo_done(&d);
    return status;
}

const struct command command_demo = {
    .name = "demo",
    .arguments = "MODEL -d DATASET",
    .help = "analyze, search, run, and compare estimates with measurements",
    .about = "Searches under half the size of w8a8 unless --budget says otherwise, saves what it finds to -o "
             "(MODEL-found.yaml),\n"
             "and opens the desk on it when there is a terminal.\n",
    .min_arguments = 1,
    .max_arguments = 1,
    .takes = TAKES_SESSION | TAKES_SEARCH | TAKES_TABLES | TAKES_SCREEN,
    .run = start,
};
