/* SPDX-License-Identifier: MIT */
#include "cli/work.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "cli/metrics.h"
#include "cli/paths.h"

int work_open(struct work *w, const struct options *o, const char *model, bool need_data)
{
    *w = (struct work){.options = o};
    struct err e;
    if (options_apply(o, &e))
        return report_fail(EXIT_USAGE, &e);
    if (need_data && !o->session.dataset)
        return report_usage("%s: needs images; name a dataset with -d, as in -d fashion-mnist ('bitfader doctor' "
                            "lists them)",
                            o->arguments.items[0]);
    char *config = paths_config();
    struct session_options so = o->session;
    so.config_path = config;
    int status = EXIT_MODEL;
    w->session = session_open(model, &so, &status, &e);
    mem_free(config);
    if (!w->session)
        return report_fail(status, &e);
    w->model = session_model(w->session);
    return EXIT_DONE;
}

/* Budgets of the command line stand before those of the profile, each by itself. */
static void merge_budgets(struct budgets *b, const struct budgets *given)
{
    if (given->bytes > 0)
        b->bytes = given->bytes;
    if (given->latency_ns > 0)
        b->latency_ns = given->latency_ns;
    if (!isnan(given->accuracy_drop))
        b->accuracy_drop = given->accuracy_drop;
    if (!isnan(given->accuracy_min))
        b->accuracy_min = given->accuracy_min;
}

int work_profile(struct work *w)
{
    const struct options *o = w->options;
    struct err e;
    w->profile_name = o->profile ? o->profile : w->model->own ? "own" : "w8a8";
    w->profile = profile_load(w->profile_name, w->model, o->rebind, &e);
    if (!w->profile)
        return report_fail(EXIT_FILE, &e);
    if (w->profile->target && strcmp(w->profile->target, "host")) {
        err_set(&e, "%s: target %s is not known; there is only host", w->profile_name, w->profile->target);
        return report_fail(EXIT_FILE, &e);
    }
    for (int i = 0; i < o->sets.n; i++) {
        if (profile_set(w->profile, w->model, o->sets.items[i], &e) < 0) {
            err_wrap(&e, "--set");
            return report_fail(EXIT_FILE, &e);
        }
    }
    for (int i = 0; i < o->locks.n; i++) {
        char *expression = mem_printf("%s:lock", o->locks.items[i]);
        int changed = profile_set(w->profile, w->model, expression, &e);
        mem_free(expression);
        if (changed < 0) {
            err_wrap(&e, "--lock");
            return report_fail(EXIT_FILE, &e);
        }
    }
    if (profile_check_groups(w->profile, w->model, &e)) {
        err_wrap(&e, "%s", w->profile_name);
        return report_fail(EXIT_FILE, &e);
    }
    merge_budgets(&w->profile->budgets, &o->search.budgets);
    return EXIT_DONE;
}

void work_done(struct work *w)
{
    struct err e;
    if (w->session && session_unkept(w->session, &e))
        report_note(w->options, "measurements are not kept for next time: %s", e.text);
    profile_free(w->profile);
    session_free(w->session);
    *w = (struct work){0};
}

int work_do(const struct options *o, const char *model, unsigned needs, unsigned analyze_parts,
            int (*run)(struct work *w))
{
    struct work w = {0};
    int status = report_check_output(o, o->output);
    if (status)
        return status;
    status = work_open(&w, o, model, needs & WORK_DATA);
    if (!status && needs & WORK_PROFILE)
        status = work_profile(&w);
    if (!status && analyze_parts)
        status = work_analyze(&w, analyze_parts);
    if (!status)
        status = run(&w);
    work_done(&w);
    return status;
}

int work_check_budgets(const struct work *w, const struct estimate *est, const struct run_result *run)
{
    struct text missed = {0};
    struct err e;
    int status = EXIT_DONE;
    if (w->options->check && metrics_missed(est, run, &w->profile->budgets, &missed)) {
        err_set(&e, "%s: budget not met: %s", w->profile_name, missed.s);
        status = report_fail(EXIT_BUDGET, &e);
    }
    text_done(&missed);
    return status;
}

void work_begin(struct work *w)
{
    cli_progress_begin(&w->progress, w->options);
}

void work_end(struct work *w)
{
    int n = cli_progress_end(&w->progress);
    if (n)
        w->signal = n;
}

int work_analyze(struct work *w, unsigned parts)
{
    struct err e;
    work_begin(w);
    int failed = session_analyze(w->session, parts, &w->progress.progress, &e);
    work_end(w);
    return failed < 0 ? report_fail(EXIT_FAILED, &e) : EXIT_DONE;
}

int work_status(const struct work *w)
{
    return w->signal ? EXIT_SIGNAL + w->signal : EXIT_DONE;
}

void work_report(const struct work *w, const char *name, struct report *r)
{
    report_init(r, name, w->model->file, w->model->fingerprint);
    if (w->profile_name)
        cJSON_AddStringToObject(r->json, "profile", w->profile_name);
    cJSON_AddStringToObject(r->json, "target", w->options->target);
    if (w->options->session.dataset)
        cJSON_AddStringToObject(r->json, "dataset", w->options->session.dataset);
    cJSON_AddBoolToObject(r->json, "partial", w->signal != 0);
}
