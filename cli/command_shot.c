/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "cli/command.h"
#include "cli/desk.h"
#include "cli/work.h"

int command_shot(const struct options *o)
{
    struct work w = {0};
    int status = report_check_output(o, o->output);
    if (status)
        return status;
    status = work_open(&w, o, o->arguments.items[1], false);
    if (!status)
        status = work_profile(&w);
    if (!status)
        status = work_analyze(&w, ANALYZE_STATIC);
    if (!status) {
        struct ui_options ui = desk_options(o);
        ui.glyphs = report_glyphs(o);
        const char *path = desk_path(w.profile, w.profile_name);
        char *text = ui_shot(w.session, w.profile, path, o->width, o->height, &ui);
        status = report_put(o->output, text, strlen(text));
        mem_free(text);
    }
    work_done(&w);
    return status;
}
