/* SPDX-License-Identifier: MIT */
#include "cli/commands.h"
#include "cli/metrics.h"
#include "cli/work.h"

static int print(const struct work *w, const struct tables *t, const struct estimate *est)
{
    struct report r;
    work_report(w, "estimate", &r);
    report_number(r.json, "loss_nats", est->loss);
    report_number(r.json, "accuracy_drop_pp", est->drop);
    cJSON_AddBoolToObject(r.json, "all_measured", est->all_measured);
    cJSON_AddNumberToObject(r.json, "emulated_layers", est->emulated);
    report_add(&r, metrics_table(est, NULL), 0);
    report_add(&r, metrics_layers(session_graph(w->session), t, w->profile), REPORT_QUIET | REPORT_LIST);
    if (!est->all_measured)
        text_printf(&r.foot, "accuracy is a guess from the weights: %s\n",
                    session_dataset(w->session) ? "not every layer is measured yet" : "-d DATASET measures it");
    if (est->emulated)
        text_printf(&r.foot, "%d layer%s with one side in fp32: time and energy are those of fp32\n", est->emulated,
                    est->emulated == 1 ? "" : "s");
    metrics_put_latency(&r, t, false);
    int status = report_write(&r, w->options);
    report_done(&r);
    return status;
}

static int price(struct work *w)
{
    struct tables *t = session_tables(w->session);
    struct estimate est;
    estimate_profile(t, w->profile, NULL, &est);
    int status = print(w, t, &est);
    if (!status)
        status = work_status(w);
    if (!status)
        status = work_check_budgets(w, &est, NULL);
    tables_free(t);
    return status;
}

static int start(const struct options *o)
{
    return work_do(o, o->arguments.items[1], WORK_PROFILE, ANALYZE_ALL, price);
}

const struct command command_estimate = {
    .name = "estimate",
    .arguments = "MODEL -p PROFILE",
    .help = "price a profile without running it",
    .about = "Tables: metrics, layers. The +- is the half width of a 90 % interval; size and BOPs are exact.\n",
    .min_arguments = 1,
    .max_arguments = 1,
    .takes = TAKES_SESSION | TAKES_PROFILE | TAKES_CHECK | TAKES_TABLES,
    .run = start,
};
