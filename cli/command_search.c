/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "cli/commands.h"
#include "cli/metrics.h"
#include "cli/work.h"

/* Every layer's widths in a few lines: "conv1 w8a8  layer1.0.conv1 w4a4 ...". */
static void put_widths(struct text *out, const struct profile *p)
{
    int column = 0;
    for (int i = 0; i < p->n_layers; i++) {
        char widths[16];
        const char *text = precision_text(&p->layers[i].precision, widths);
        int n = (int)(strlen(p->layers[i].name) + strlen(text)) + 1;
        if (column && column + n > 100) {
            text_put(out, "\n");
            column = 0;
        }
        text_printf(out, "%s%s %s", column ? "   " : "", p->layers[i].name, text);
        column += n + 3;
    }
    text_put(out, "\n");
}

static void put_result(struct report *r, const struct search_result *found)
{
    char time[32];
    cJSON *json = cJSON_AddObjectToObject(r->json, "search");
    cJSON_AddBoolToObject(json, "feasible", found->feasible);
    cJSON_AddBoolToObject(json, "verified", found->verified);
    cJSON_AddNumberToObject(json, "rounds", found->rounds);
    report_number(json, "solve_us", found->solve_ns * 1e-3);
    cJSON_AddBoolToObject(json, "proven", found->proven);
    if (found->why[0])
        cJSON_AddStringToObject(json, "why", found->why);
    if (!found->profile)
        return;
    text_printf(&r->head, "%s, %s, after %d round%s; the last solve took %s%s\n",
                found->feasible ? "every budget is met" : "not every budget is met",
                found->verified ? "as measured" : "as estimated", found->rounds, found->rounds == 1 ? "" : "s",
                text_time(found->solve_ns, time),
                found->proven ? ", proven optimal for the tables" : ", not proven optimal");
    put_widths(&r->head, found->profile);
    text_put(&r->head, "\n");
}

/* The report, on standard output. With -o the profile goes there, and with "-o -" standard output is the profile alone.
 */
static int print(const struct work *w, const struct search_result *found)
{
    struct options screen = *w->options;
    const struct graph *g = session_graph(w->session);
    screen.output = NULL;
    struct report r;
    work_report(w, "search", &r);
    put_result(&r, found);
    if (found->profile) {
        struct tables *t = session_tables(w->session);
        const struct run_result *run = found->verified ? &found->run : NULL;
        report_add(&r, metrics_table(&found->estimate, run), 0);
        report_add(&r, run ? metrics_run_layers(g, t, found->profile, run) : metrics_layers(g, t, found->profile),
                   REPORT_QUIET | REPORT_LIST);
        if (run)
            metrics_put_notes(g, run, &r.foot);
        metrics_put_latency(&r, t, false);
        tables_free(t);
    }
    int status = found->profile || screen.form == FORM_JSON ? report_write(&r, &screen) : EXIT_DONE;
    report_done(&r);
    return status;
}

/* What met the budgets, or what there was when it was stopped. */
static int save(const struct work *w, const struct search_result *found)
{
    const struct options *o = w->options;
    struct err e;
    if (!found->profile || !(found->feasible || w->signal))
        return EXIT_DONE;
    if (!o->output) {
        report_note(o, "the profile is not saved; -o FILE saves it");
        return EXIT_DONE;
    }
    if (!strcmp(o->output, "-")) {
        char *text = profile_text(found->profile);
        int status = report_put(NULL, text, strlen(text));
        mem_free(text);
        return status;
    }
    if (profile_save(found->profile, o->output, &e))
        return report_fail(EXIT_FAILED, &e);
    report_note(o, "wrote %s%s", o->output, w->signal ? " (partial: the best so far)" : "");
    return EXIT_DONE;
}

static int search(struct work *w)
{
    const struct options *o = w->options;
    struct search_options so = o->search;
    struct search_result found = {0};
    struct err e;
    so.budgets = w->profile->budgets;
    int failed = 0;
    if (!w->signal) {
        work_begin(w);
        failed = session_search(w->session, w->profile, &so, &w->progress.progress, &found, &e);
        work_end(w);
    }
    int status = failed < 0 ? report_fail(EXIT_FAILED, &e) : EXIT_DONE;
    bool alone = o->output && !strcmp(o->output, "-");
    if (!status) {
        status = save(w, &found);
        int printed = alone ? EXIT_DONE : print(w, &found); /* what was found is not lost with the file */
        status = status ? status : printed;
    }
    if (!status)
        status = work_status(w);
    if (!status && !found.feasible) {
        err_set(&e, "no profile meets every budget: %s", found.why);
        status = report_fail(EXIT_BUDGET, &e);
    }
    search_result_done(&found);
    return status;
}

/* Budgets are looked at before anything slow. */
static int analyze_and_search(struct work *w)
{
    if (!budgets_any(&w->profile->budgets))
        return report_usage("search: needs a budget, as in --budget size=120KiB, lat=3.4ms, acc-drop=0.5pp or "
                            "acc=91.5");
    int status = work_analyze(w, ANALYZE_ALL);
    return status ? status : search(w);
}

static int start(const struct options *o)
{
    if (o->output && !strcmp(o->output, "-") && o->form != FORM_HUMAN)
        return report_usage("search: -o - prints the profile, --json and the like print a report: one of them");
    return work_do(o, o->arguments.items[1], WORK_DATA | WORK_PROFILE, 0, analyze_and_search);
}

const struct command command_search = {
    .name = "search",
    .arguments = "MODEL -d DATASET --budget K=V",
    .help = "find the best profile under budgets",
    .about = "Exact for the tables; then what was found is run, and the search goes on when the measurement misses an "
             "accuracy\n"
             "budget. -p gives a start: its locks, granularity and range methods. -o saves the profile ('-': standard "
             "output).\n"
             "Tables: metrics, layers.\n",
    .min_arguments = 1,
    .max_arguments = 1,
    .takes = TAKES_SESSION | TAKES_PROFILE | TAKES_SEARCH | TAKES_TABLES,
    .run = start,
};
