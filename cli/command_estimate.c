/* SPDX-License-Identifier: MIT */
#include "cli/command.h"
#include "cli/metrics.h"
#include "cli/work.h"

/* --check: one line and status 5 when a budget is missed. */
static int check(const struct work *w, const struct estimate *est)
{
    struct text missed = {0};
    struct err e;
    int status = EXIT_DONE;
    if (options_has(w->options, OPTION_CHECK) && metrics_missed(est, NULL, &w->profile->budgets, &missed)) {
        err_set(&e, "%s: budget not met: %s", w->profile_name, missed.s);
        status = report_fail(EXIT_BUDGET, &e);
    }
    text_done(&missed);
    return status;
}

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
    int status = report_write(&r, w->options);
    report_done(&r);
    return status;
}

int command_estimate(const struct options *o)
{
    struct work w = {0};
    int status = report_check_output(o, o->output);
    if (status)
        return status;
    status = work_open(&w, o, o->arguments.items[1], false);
    if (!status)
        status = work_profile(&w);
    if (!status)
        status = work_analyze(&w, ANALYZE_ALL);
    if (!status) {
        struct tables *t = session_tables(w.session);
        struct estimate est;
        estimate_profile(t, w.profile, NULL, &est);
        status = print(&w, t, &est);
        if (!status)
            status = work_status(&w);
        if (!status)
            status = check(&w, &est);
        tables_free(t);
    }
    work_done(&w);
    return status;
}
