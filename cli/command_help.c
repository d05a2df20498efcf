/* SPDX-License-Identifier: MIT */
#include "cli/help.h"

static int start(const struct options *o)
{
    return o->arguments.n < 2 ? help_put_overview() : help_put_named(o->arguments.items[1]);
}

const struct command command_help = {
    .name = "help",
    .arguments = "[COMMAND|TOPIC]",
    .help = "this text, or that of a command or topic",
    .min_arguments = 0,
    .max_arguments = 1,
    .run = start,
};
