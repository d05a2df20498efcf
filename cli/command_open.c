/* SPDX-License-Identifier: MIT */
#include <unistd.h>

#include "cli/command.h"
#include "cli/desk.h"
#include "cli/work.h"

int command_open(const struct options *o)
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
        struct ui_options ui = desk_options(o);
        const char *path = desk_path(w.profile, w.profile_name);
        struct profile *p = w.profile;
        w.profile = NULL; /* the desk's from here on */
        if (ui_open(w.session, p, path, &ui, &status, &e))
            status = report_fail(status, &e);
    }
    work_done(&w);
    return status;
}
