/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "cli/command.h"
#include "cli/desk.h"
#include "cli/work.h"

static int shoot(struct work *w)
{
    const struct options *o = w->options;
    struct ui_options ui = desk_options(o);
    ui.glyphs = report_glyphs(o);
    char *text = ui_shot(w->session, w->profile, desk_path(w->profile, w->profile_name), o->width, o->height, &ui);
    int status = report_put(o->output, text, strlen(text));
    mem_free(text);
    return status;
}

int command_shot(const struct options *o)
{
    return work_do(o, o->arguments.items[1], WORK_PROFILE, ANALYZE_STATIC, shoot);
}
