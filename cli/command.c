/* SPDX-License-Identifier: MIT */
#include "cli/command.h"

#include <stdio.h>
#include <string.h>

#include "cli/nearest.h"
#include "cli/report.h"

/* Options by what they are about. */
#define BITS_ALWAYS (OPTION_BIT(OPTION_HELP) | OPTION_BIT(OPTION_QUIET))
#define BITS_TABLE                                                                                               \
    (OPTION_BIT(OPTION_JSON) | OPTION_BIT(OPTION_CSV) | OPTION_BIT(OPTION_PLAIN) | OPTION_BIT(OPTION_TABLE) |    \
     OPTION_BIT(OPTION_SORT) | OPTION_BIT(OPTION_LIMIT) | OPTION_BIT(OPTION_OUTPUT) | OPTION_BIT(OPTION_FORCE) | \
     OPTION_BIT(OPTION_GLYPHS))
#define BITS_PROFILE \
    (OPTION_BIT(OPTION_PROFILE) | OPTION_BIT(OPTION_SET) | OPTION_BIT(OPTION_LOCK) | OPTION_BIT(OPTION_REBIND))
#define BITS_BUDGET (OPTION_BIT(OPTION_BUDGET))
#define BITS_INPUTS (OPTION_BIT(OPTION_SHAPE) | OPTION_BIT(OPTION_VALUE))
#define BITS_SESSION                                                                                                 \
    (OPTION_BIT(OPTION_DATA) | OPTION_BIT(OPTION_CALIB_N) | OPTION_BIT(OPTION_TARGET) | OPTION_BIT(OPTION_THREADS) | \
     BITS_INPUTS | OPTION_BIT(OPTION_SEED) | OPTION_BIT(OPTION_ISA) | OPTION_BIT(OPTION_NO_CACHE) |                  \
     OPTION_BIT(OPTION_PROGRESS))
#define BITS_SCREEN (OPTION_BIT(OPTION_COLOR) | OPTION_BIT(OPTION_GLYPHS) | OPTION_BIT(OPTION_LIGHT))

const struct command command_table[] = {
    {"open", NULL, "MODEL", "the desk: every layer's precision on one screen",
     "Needs a terminal. 'bitfader MODEL' is short for it where MODEL has a '/' or ends in .onnx.\n", 1, 1,
     BITS_ALWAYS | BITS_SESSION | BITS_PROFILE | BITS_BUDGET | BITS_SCREEN, command_open},
    {"inspect", NULL, "MODEL", "layers, shapes, parameters, MACs: what can be quantized", NULL, 1, 1,
     BITS_ALWAYS | BITS_TABLE | BITS_INPUTS, command_inspect},
    {"analyze", "sensitivity", "MODEL -d DATASET", "how much each layer hurts at each width",
     "One layer at a time at each width, the others at w8a8: the KL divergence of the network's output on calibration\n"
     "images, converted to accuracy points. Machine forms also have the divergence itself, in nats. Tables: layers,\n"
     "latency (each layer's kernel, median time and spread at each pair of widths on this machine).\n",
     1, 1, BITS_ALWAYS | BITS_SESSION | BITS_TABLE, command_analyze},
    {"estimate", NULL, "MODEL -p PROFILE", "price a profile without running it",
     "Tables: metrics, layers. The +- is the half width of a 90 % interval; size and BOPs are exact.\n", 1, 1,
     BITS_ALWAYS | BITS_SESSION | BITS_TABLE | BITS_PROFILE | BITS_BUDGET | OPTION_BIT(OPTION_CHECK), command_estimate},
    {"search", NULL, "MODEL -d DATASET --budget K=V", "find the best profile under budgets",
     "Exact for the tables; then what was found is run, and the search goes on when the measurement misses an "
     "accuracy\n"
     "budget. -p gives a start: its locks, granularity and range methods. -o saves the profile ('-': standard "
     "output).\n"
     "Tables: metrics, layers.\n",
     1, 1,
     BITS_ALWAYS | BITS_SESSION | BITS_TABLE | BITS_PROFILE | BITS_BUDGET | OPTION_BIT(OPTION_MINIMIZE) |
         OPTION_BIT(OPTION_NO_VERIFY) | OPTION_BIT(OPTION_IMAGES),
     command_search},
    {"run", "eval", "MODEL -p PROFILE -d DATASET", "execute a profile: measured accuracy and latency, per layer",
     "The fp32 network runs beside it on the same images: scores where there are labels, and how far each output is.\n"
     "Tables: metrics, scores, outputs, layers.\n",
     1, 1,
     BITS_ALWAYS | BITS_SESSION | BITS_TABLE | BITS_PROFILE | BITS_BUDGET | OPTION_BIT(OPTION_CHECK) |
         OPTION_BIT(OPTION_STRICT) | OPTION_BIT(OPTION_IMAGES),
     command_run},
    {"profile", NULL, "check|show|set MODEL -p PROFILE", "check, show or change a profile",
     "check  says whether the file is a profile of this model\n"
     "show   prints every layer's precision\n"
     "set    applies --set and --lock, and saves to -o, else over the file, which is kept as .bak\n",
     2, 2, BITS_ALWAYS | BITS_TABLE | BITS_PROFILE | BITS_BUDGET | BITS_INPUTS, command_profile},
    {"shot", NULL, "MODEL", "print the desk as text",
     "Without a terminal, at any size, with what the cache knows; nothing slow is started.\n", 1, 1,
     BITS_ALWAYS | BITS_SESSION | BITS_PROFILE | BITS_BUDGET | OPTION_BIT(OPTION_GLYPHS) | OPTION_BIT(OPTION_SIZE) |
         OPTION_BIT(OPTION_OUTPUT) | OPTION_BIT(OPTION_FORCE),
     command_shot},
    {"demo", NULL, "MODEL -d DATASET", "analyze, search, run, and compare estimates with measurements",
     "Searches under half the size of w8a8 unless --budget says otherwise, saves what it finds to -o "
     "(MODEL-found.yaml),\n"
     "and opens the desk on it when there is a terminal.\n",
     1, 1, BITS_ALWAYS | BITS_SESSION | BITS_TABLE | BITS_BUDGET | BITS_SCREEN | OPTION_BIT(OPTION_IMAGES),
     command_demo},
    {"doctor", NULL, "", "processor, kernels, terminal, paths, datasets", "Tables: checks, kernels.\n", 0, 0,
     BITS_ALWAYS | BITS_TABLE | OPTION_BIT(OPTION_ISA) | OPTION_BIT(OPTION_THREADS), command_doctor},
    {"help", NULL, "[COMMAND|TOPIC]", "this text, or that of a command or topic", NULL, 0, 1, BITS_ALWAYS,
     command_help},
};
const int command_count = sizeof command_table / sizeof *command_table;

const struct command *command_find(const char *name)
{
    for (int i = 0; i < command_count; i++)
        if (!strcmp(command_table[i].name, name) || (command_table[i].alias && !strcmp(command_table[i].alias, name)))
            return &command_table[i];
    return NULL;
}

/* Only such an argument may stand without a command, so that a later command never changes what an old line means. */
static bool is_model(const char *s)
{
    size_t n = strlen(s);
    return strchr(s, '/') || (n > 5 && !strcmp(s + n - 5, ".onnx"));
}

static int unknown_command(const char *name)
{
    enum { NAMES = 2 * sizeof command_table / sizeof *command_table };
    const char *names[NAMES];
    for (int i = 0; i < command_count; i++) {
        names[2 * i] = command_table[i].name;
        names[2 * i + 1] = command_table[i].alias;
    }
    const char *near = nearest_name(name, names, NAMES);
    if (near)
        return report_usage("unknown command '%s'. Did you mean '%s'?", name, near);
    return report_usage("unknown command '%s'; 'bitfader help' lists them", name);
}

/* Options that the command does not take, and the number of its arguments. */
static int check_usage(const struct command *c, const struct options *o)
{
    for (int i = 0; i < OPTION_COUNT; i++)
        if (options_has(o, (enum option_id)i) && !(c->options & OPTION_BIT(i)))
            return report_usage("%s takes no option '--%s'; see 'bitfader help %s'", c->name, option_table[i].name,
                                c->name);
    int n = o->arguments.n - 1;
    if (n < c->min_arguments)
        return report_usage("usage: bitfader %s %s", c->name, c->arguments);
    if (n > c->max_arguments)
        return report_usage("%s: one argument too many: '%s'; usage: bitfader %s %s", c->name,
                            o->arguments.items[c->max_arguments + 1], c->name, c->arguments);
    return EXIT_DONE;
}

static int dispatch(struct options *o)
{
    if (options_has(o, OPTION_VERSION))
        return report_put(NULL, "bitfader " BITFADER_VERSION "\n", strlen("bitfader " BITFADER_VERSION "\n"));
    if (!o->arguments.n) {
        if (options_has(o, OPTION_HELP))
            return help_put_overview();
        if (o->given)
            return report_usage("no command; 'bitfader help' lists them");
        return help_put_short();
    }
    const struct command *c = command_find(o->arguments.items[0]);
    if (!c && is_model(o->arguments.items[0])) { /* "bitfader MODEL" is "bitfader open MODEL" */
        options_prepend(o, "open");
        c = command_find("open");
    }
    if (!c)
        return unknown_command(o->arguments.items[0]);
    if (options_has(o, OPTION_HELP))
        return help_put_command(c);
    int status = check_usage(c, o);
    return status ? status : c->run(o);
}

int command_main(int argc, char *const *argv)
{
    struct options o;
    struct err e;
    int status = options_parse(&o, argc, argv, &e) ? report_fail(EXIT_USAGE, &e) : dispatch(&o);
    options_done(&o);
    return status;
}
