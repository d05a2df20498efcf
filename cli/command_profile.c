/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "cli/commands.h"
#include "cli/metrics.h"
#include "cli/work.h"

static const struct column columns[] = {{"executed", "ran on", COLUMN_TEXT, .hide = true}};

static int show(struct work *w)
{
    const struct profile *p = w->profile;
    struct report r;
    work_report(w, "profile", &r);
    struct table *t = metrics_new_layers(columns, sizeof columns / sizeof *columns);
    for (int i = 0; i < p->n_layers; i++) {
        metrics_add_precision(t, session_graph(w->session), p, i);
        table_add_text(t, p->executed ? p->executed[i] : NULL);
    }
    report_add(&r, t, REPORT_LIST);
    int status = report_write(&r, w->options);
    report_done(&r);
    return status;
}

static const struct column check_columns[] = {
    {"profile", NULL, COLUMN_TEXT}, {"fits", NULL, COLUMN_BOOL}, {"layers", NULL, COLUMN_NUMBER}};

/* work_profile has found everything that can be wrong. */
static int check(struct work *w)
{
    struct report r;
    if (w->options->quiet && w->options->form == FORM_HUMAN)
        return EXIT_DONE;
    work_report(w, "profile-check", &r);
    text_printf(&r.head, "%s: fits %s, %d layers\n", w->profile_name, w->model->file, w->profile->n_layers);
    struct table *t = table_new("check", check_columns, sizeof check_columns / sizeof *check_columns);
    table_add_text(t, w->profile_name);
    table_add_bool(t, true);
    table_add_number(t, w->profile->n_layers);
    report_add(&r, t, REPORT_QUIET);
    int status = report_write(&r, w->options);
    report_done(&r);
    return status;
}

static int set(struct work *w)
{
    const struct options *o = w->options;
    const char *path = o->output ? o->output : o->profile;
    struct err e;
    if (o->sets.n) { /* they spoke of what is no longer there */
        w->profile->estimate.known = false;
        w->profile->measurement.known = false;
    }
    if (!path)
        return report_usage("profile set: where to? -o FILE, or -p FILE to change that one");
    if (!strcmp(path, "-")) {
        char *text = profile_text(w->profile);
        int status = report_put(NULL, text, strlen(text));
        mem_free(text);
        return status;
    }
    if (!o->output && !w->profile->source)
        return report_usage("profile set: '%s' is built in; -o FILE says where to save", path);
    if (profile_save(w->profile, path, &e))
        return report_fail(EXIT_FAILED, &e);
    report_note(o, "wrote %s", path);
    return EXIT_DONE;
}

static const struct {
    const char *name;
    int (*run)(struct work *w);
} verbs[] = {{"check", check}, {"show", show}, {"set", set}};

static int start(const struct options *o)
{
    int (*run)(struct work * w) = NULL;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (!strcmp(verbs[i].name, o->arguments.items[1]))
            run = verbs[i].run;
    if (!run)
        return report_usage("profile: '%s' is none of check, show, set", o->arguments.items[1]);
    struct options without_data = *o; /* profiles need no images: $BITFADER_DATA is not opened */
    without_data.session.dataset = NULL;
    return work_do(&without_data, o->arguments.items[2], WORK_PROFILE, 0, run);
}

const struct command command_profile = {
    .name = "profile",
    .arguments = "check|show|set MODEL -p PROFILE",
    .help = "check, show or change a profile",
    .about = "check  says whether the file is a profile of this model\n"
             "show   prints every layer's precision\n"
             "set    applies --set and --lock, and saves to -o, else over the file, which is kept as .bak\n",
    .min_arguments = 2,
    .max_arguments = 2,
    .takes = TAKES_INPUTS | TAKES_PROFILE | TAKES_TABLES,
    .run = start,
};
