/* SPDX-License-Identifier: MIT */
#include "cli/dispatch.h"

#include <string.h>

#include "base/mem.h"
#include "base/version.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/nearest.h"
#include "cli/report.h"

/* Only such an argument may stand without a command, so that a later command never changes what an old line means. */
static bool is_model(const char *s)
{
    size_t n = strlen(s);
    return strchr(s, '/') || (n > 5 && !strcmp(s + n - 5, ".onnx"));
}

static int unknown_command(const char *name)
{
    const char **names = mem_new(2 * (size_t)commands_count, sizeof *names);
    for (int i = 0; i < commands_count; i++) {
        names[2 * i] = commands_table[i]->name;
        names[2 * i + 1] = commands_table[i]->alias;
    }
    const char *near = nearest_name(name, names, 2 * commands_count);
    mem_free(names);
    if (near)
        return report_usage("unknown command '%s'. Did you mean '%s'?", name, near);
    return report_usage("unknown command '%s'; 'bitfader help' lists them", name);
}

/* Options that the command does not take, and the number of its arguments. */
static int check_usage(const struct command *c, const struct options *o)
{
    for (int i = 0; i < option_count; i++)
        if (o->given >> i & 1 && !commands_take(c, &option_table[i]))
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
    if (o->version)
        return report_put(NULL, "bitfader " BITFADER_VERSION "\n", strlen("bitfader " BITFADER_VERSION "\n"));
    if (!o->arguments.n) {
        if (o->help)
            return help_put_overview();
        if (o->given)
            return report_usage("no command; 'bitfader help' lists them");
        return help_put_short();
    }
    const struct command *c = commands_find(o->arguments.items[0]);
    if (!c && is_model(o->arguments.items[0])) { /* "bitfader MODEL" is "bitfader open MODEL" */
        options_prepend(o, "open");
        c = commands_find("open");
    }
    if (!c)
        return unknown_command(o->arguments.items[0]);
    if (o->help)
        return help_put_command(c);
    int status = check_usage(c, o);
    return status ? status : c->run(o);
}

int dispatch_main(int argc, char *const *argv)
{
    struct options o;
    struct err e;
    int status = options_parse(&o, argc, argv, &e) ? report_fail(EXIT_USAGE, &e) : dispatch(&o);
    options_done(&o);
    return status;
}
