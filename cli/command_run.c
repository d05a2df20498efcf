/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "cli/commands.h"
#include "cli/metrics.h"
#include "cli/work.h"
#include "ui/format.h"

static double percent(int n, int of)
{
    return of ? 100.0 * n / of : NAN;
}

/* What is known of the evaluation images: accuracy where they have labels, agreement with fp32 in any case. */
static void put_images(struct report *r, const struct run_result *run)
{
    char a[24], b[24];
    if (!run->images)
        return;
    if (isnan(run->accuracy))
        text_printf(&r->head, "images    %d without labels", run->images);
    else
        text_printf(&r->head, "accuracy  %d of %d images right, " G_PLUS_MINUS "%s pp (95 %%)", run->right, run->images,
                    format_number(a, metrics_accuracy_error(run->right, run->images), 2));
    if (!isnan(run->agreement) && run->comparison.n_outputs == 1) /* of several outputs, few are scores */
        text_printf(&r->head, "; top-1 as fp32 on %s %%", format_number(b, run->agreement, 2));
    text_put(&r->head, "\n");
}

/* Scores beside accuracy; null where there are no labels, or no five classes. */
static void add_scores(cJSON *json, const struct run_result *run)
{
    const struct comparison *c = &run->comparison;
    bool labelled = c->labelled && c->images, five = labelled && c->classes >= 5;
    report_number(json, "top5_percent", five ? percent(c->plan.right5, c->images) : NAN);
    report_number(json, "fp32_top5_percent", five ? percent(c->fp32.right5, c->images) : NAN);
    report_number(json, "cross_entropy_nats", labelled ? c->plan.cross_entropy : NAN);
    report_number(json, "fp32_cross_entropy_nats", labelled ? c->fp32.cross_entropy : NAN);
}

/* Latency of one image on one thread, which estimates are held against, and on all threads together. */
static void put_latency(struct report *r, const struct run_result *run)
{
    char a[24], b[24], c[24];
    struct scale s = format_time_scale(run->latency_ns);
    if (!run->latency_runs)
        return;
    text_printf(&r->head, "latency   best median of 15 in a row, of %d runs, one image on one thread; p95 %s %s\n",
                run->latency_runs, format_number(a, run->latency_p95_ns / s.divisor, s.decimals), s.unit);
    if (run->team_threads)
        text_printf(
            &r->head, "          one image on %d threads together %s %s, one thread %s %s: %.2f times as fast\n",
            run->team_threads, format_number(b, run->team_latency_ns / s.divisor, s.decimals), s.unit,
            format_number(c, run->latency_ns / s.divisor, s.decimals), s.unit, run->latency_ns / run->team_latency_ns);
}

/* Some lines before the tables, and the same as JSON. */
static void put_summary(struct report *r, const struct run_result *run, const struct estimate *est)
{
    cJSON *json = cJSON_AddObjectToObject(r->json, "measurement");
    report_number(json, "accuracy_percent", run->accuracy);
    report_number(json, "accuracy_error_95_pp", metrics_accuracy_error(run->right, run->images));
    report_number(json, "fp32_accuracy_percent", run->fp32_accuracy);
    report_number(json, "agreement_percent", run->agreement);
    add_scores(json, run);
    cJSON_AddNumberToObject(json, "images", run->images);
    cJSON_AddNumberToObject(json, "right", run->right);
    report_number(json, "latency_us", run->latency_ns * 1e-3);
    report_number(json, "latency_p95_us", run->latency_p95_ns * 1e-3);
    cJSON_AddNumberToObject(json, "latency_runs", run->latency_runs);
    report_number(json, "latency_threads", run->team_threads ? run->team_threads : NAN);
    report_number(json, "latency_on_threads_us", run->team_latency_ns * 1e-3);
    report_number(json, "other_us", run->latency_runs ? run->other_ns * 1e-3 : NAN);
    report_number(json, "bytes", run->n_layers ? (double)run->bytes : NAN);
    cJSON_AddBoolToObject(json, "partial", run->partial);
    put_images(r, run);
    put_latency(r, run);
    if (run->partial)
        text_put(&r->head, run->images ? "stopped before all images were seen\n" : "stopped before it ran\n");
    if (!est->all_measured)
        text_put(&r->foot, "the estimated accuracy is a guess from the weights: 'bitfader analyze' measures it\n");
}

static int print(const struct work *w, const struct tables *t, const struct estimate *est, const struct run_result *run)
{
    const struct graph *g = session_graph(w->session);
    struct report r;
    work_report(w, "run", &r);
    put_summary(&r, run, est);
    text_put(&r.head, "\n");
    report_add(&r, metrics_table(est, run), 0);
    const struct comparison *c = &run->comparison;
    report_add(&r, metrics_scores(c), c->images && c->labelled ? 0 : REPORT_QUIET);
    report_add(&r, metrics_outputs(g, c, &r.foot), c->images ? 0 : REPORT_QUIET);
    report_add(&r, run->n_layers ? metrics_run_layers(g, t, w->profile, run) : metrics_layers(g, t, w->profile),
               REPORT_LIST);
    report_add(&r, metrics_run_kernels(g, run), REPORT_QUIET | REPORT_LIST);
    report_add(&r, metrics_run_steps(g, run), REPORT_QUIET | REPORT_LIST);
    metrics_put_notes(g, run, &r.foot);
    metrics_put_latency(&r, t, false);
    int status = report_write(&r, w->options);
    report_done(&r);
    return status;
}

/* The estimate is taken before the run, since the measurement corrects the estimator. */
static int estimate_and_run(struct work *w)
{
    struct run_options ro = w->options->run;
    struct run_result run = run_result_none();
    struct estimate est;
    struct err e;
    struct tables *t = session_tables(w->session);
    int failed = 0;
    estimate_profile(t, w->profile, NULL, &est);
    ro.compare = true;
    ro.team = true;
    if (!w->signal) {
        work_begin(w);
        failed = session_run(w->session, w->profile, &ro, &w->progress.progress, &run, &e);
        if (!failed)
            session_learn(w->session, w->profile, &run);
        work_end(w);
    }
    int status = failed < 0 ? report_fail(EXIT_FAILED, &e) : print(w, t, &est, &run);
    if (!status)
        status = work_status(w);
    if (!status)
        status = work_check_budgets(w, &est, &run);
    run_result_done(&run);
    tables_free(t);
    return status;
}

/* Sensitivity is taken as the cache has it: a run does not wait for what it does not need. */
static int start(const struct options *o)
{
    return work_do(o, o->arguments.items[1], WORK_DATA | WORK_PROFILE, ANALYZE_STATIC | ANALYZE_COST | ANALYZE_FP32,
                   estimate_and_run);
}

const struct command command_run = {
    .name = "run",
    .alias = "eval",
    .arguments = "MODEL -p PROFILE -d DATASET",
    .help = "execute a profile: measured accuracy and latency, per layer",
    .about = "The fp32 network runs beside it on the same images: scores where there are labels, and how far each "
             "output is.\n"
             "Tables: metrics, scores, outputs, layers, kernels, steps.\n",
    .min_arguments = 1,
    .max_arguments = 1,
    .takes = TAKES_SESSION | TAKES_PROFILE | TAKES_RUN | TAKES_CHECK | TAKES_TABLES,
    .run = start,
};
