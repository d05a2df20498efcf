/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "cli/commands.h"
#include "cli/desk.h"
#include "cli/work.h"

static int shoot(struct work *w)
{
    const struct options *o = w->options;
    struct ui_options ui = o->ui;
    ui.glyphs = report_glyphs(o);
    char *text = ui_shot(w->session, w->profile, desk_path(w->profile, w->profile_name), o->width, o->height, &ui);
    int status = report_put(o->output, text, strlen(text));
    mem_free(text);
    return status;
}

static int start(const struct options *o)
{
    return work_do(o, o->arguments.items[1], WORK_PROFILE, ANALYZE_STATIC, shoot);
}

const struct command command_shot = {
    .name = "shot",
    .arguments = "MODEL",
    .help = "print the desk as text",
    .about = "Without a terminal, at any size, with what the cache knows; nothing slow is started.\n",
    .min_arguments = 1,
    .max_arguments = 1,
    .takes = TAKES_SESSION | TAKES_PROFILE | TAKES_PICTURE,
    .run = start,
};
