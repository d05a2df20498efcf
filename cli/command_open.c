/* SPDX-License-Identifier: MIT */
#include <unistd.h>

#include "cli/commands.h"
#include "cli/desk.h"
#include "cli/work.h"

static int start(const struct options *o)
{
    struct work w = {0};
    struct err e;
    const char *model = o->arguments.items[1];
    if (!isatty(STDOUT_FILENO))
        return report_usage("open needs a terminal, but standard output is none. Try: bitfader shot --size 120x36 %s",
                            model);
    int status = work_open(&w, o, model, false);
    if (!status)
        status = work_profile(&w);
    if (!status) {
        const char *path = desk_path(w.profile, w.profile_name);
        struct profile *p = w.profile;
        w.profile = NULL; /* the desk's from here on */
        if (ui_open(w.session, p, path, &o->ui, &status, &e))
            status = report_fail(status, &e);
    }
    work_done(&w);
    return status;
}

const struct command command_open = {
    .name = "open",
    .arguments = "MODEL",
    .help = "the desk: every layer's precision on one screen",
    .about = "Needs a terminal. 'bitfader MODEL' is short for it where MODEL has a '/' or ends in .onnx.\n",
    .min_arguments = 1,
    .max_arguments = 1,
    .takes = TAKES_SESSION | TAKES_PROFILE | TAKES_SEARCH | TAKES_SCREEN,
    .run = start,
};
