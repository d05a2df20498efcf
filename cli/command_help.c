/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/command.h"
#include "cli/nearest.h"
#include "cli/operators.h"
#include "cli/report.h"

static const struct {
    const char *name, *help, *text;
} topics[] = {
    {"exit-codes", "what exit statuses mean",
     "0    done\n"
     "1    failed while running: input and output, a kernel\n"
     "2    wrong usage: an option or an argument, no terminal for the desk\n"
     "3    the model cannot be used\n"
     "4    a profile, a dataset or an expression is not valid, or belongs to another model\n"
     "5    a budget is not met: search, and estimate and run with --check\n"
     "141  the reader of a pipe has left\n"
     "128+n  stopped by signal n (130: Ctrl-C); what was found so far is printed and saved\n"},
    {"budgets", "how limits are written",
     "--budget size=120KiB    at most; B, kB, KiB, MB, MiB\n"
     "--budget lat=3.4ms      at most, one image on one thread; us, ms, s\n"
     "--budget acc-drop=0.5pp at most this far below fp32, in percentage points\n"
     "--budget acc=91.5       at least, percent\n"
     "The unit must be there. A budget on the line goes before the same one in the profile.\n"},
    {"expressions", "how --set and --lock name layers",
     "EXPR:SETTING, where EXPR is\n"
     "  a pattern on names   layer3.*   (* and ?)\n"
     "  an operator          op=DWConv\n"
     "  every layer          *\n"
     "and SETTING is w4a8, w4, a8, fp32 or lock, and may go on with ,uniform ,binary ,tensor ,channel ,minmax\n"
     ",percentile ,mse. Later settings win. An expression that matches no layer is an error.\n"},
    {"estimates", "what estimates are made of",
     "Accuracy: each layer's loss at its widths (KL divergence on calibration images), summed, and converted to "
     "points\n"
     "by a fit to measured profiles. The +- is the half width of a 90 % interval of estimate minus measurement.\n"
     "Latency: each layer timed on this machine, summed. Size and BOPs are exact. Energy is modelled.\n"},
};
enum { TOPICS = sizeof topics / sizeof *topics };

static int put(struct text *t)
{
    int status = report_put(NULL, t->s, t->n);
    text_done(t);
    return status;
}

int help_put_short(void)
{
    fputs("bitfader: a mixing desk for the precision of neural networks\n"
          "\n"
          "  bitfader MODEL.onnx                   open the desk\n"
          "  bitfader COMMAND [OPTIONS] MODEL      inspect, analyze, estimate, search, run, profile, shot, doctor\n"
          "\n"
          "  bitfader estimate zoo/resnet20.onnx -p w4a4 -d fashion-mnist\n"
          "  bitfader search zoo/resnet20.onnx -d fashion-mnist --budget size=120KiB -o found.yaml\n"
          "\n"
          "'bitfader help' lists the commands, 'bitfader help COMMAND' the options of one.\n",
          stderr);
    return EXIT_USAGE;
}

int help_put_overview(void)
{
    struct text t = {0};
    text_put(
        &t, "Usage: bitfader COMMAND [OPTIONS] [ARGUMENTS]\n"
            "       bitfader MODEL               the same as 'bitfader open MODEL'\n\n"
            "A mixing desk for the precision of neural networks: every layer of an ONNX model gets its own weight and\n"
            "activation bits, with estimates at once and measurements on real low-bit kernels.\n\nCommands:\n");
    for (int i = 0; i < command_count; i++) {
        const struct command *c = &command_table[i];
        text_printf(&t, "  %-10s %s%s%s%s\n", c->name, c->help, c->alias ? " (or '" : "", c->alias ? c->alias : "",
                    c->alias ? "')" : "");
    }
    text_put(&t, "\nTopics:\n");
    for (int i = 0; i < TOPICS; i++)
        text_printf(&t, "  %-12s %s\n", topics[i].name, topics[i].help);
    text_printf(&t, "  %-12s %s\n", "operators", "what of ONNX can be imported");
    text_put(&t,
             "\n'bitfader help COMMAND' (or 'bitfader COMMAND --help') has the options; --version prints the version.\n"
             "Options may stand anywhere; '--' ends them. '-' as a file is standard input or output.\n");
    return put(&t);
}

int help_put_command(const struct command *c)
{
    struct text t = {0};
    text_printf(&t, "Usage: bitfader %s%s%s [OPTIONS]\n\n%s: %s\n", c->name, *c->arguments ? " " : "", c->arguments,
                c->name, c->help);
    if (c->about)
        text_printf(&t, "\n%s", c->about);
    text_put(&t, "\nOptions:\n");
    for (int i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *o = &option_table[i];
        if (!(c->options & OPTION_BIT(i)))
            continue;
        char name[64];
        snprintf(name, sizeof name, "%s%s%s", o->name, o->argument ? " " : "", o->argument ? o->argument : "");
        if (o->letter)
            text_printf(&t, "  -%c, --%-19s %s\n", o->letter, name, o->help);
        else
            text_printf(&t, "      --%-19s %s\n", name, o->help);
    }
    return put(&t);
}

int command_help(const struct options *o)
{
    if (o->arguments.n < 2)
        return help_put_overview();
    const char *name = o->arguments.items[1];
    const struct command *c = command_find(name);
    if (c)
        return help_put_command(c);
    if (!strcmp(name, "operators"))
        return operators_put();
    for (int i = 0; i < TOPICS; i++)
        if (!strcmp(topics[i].name, name))
            return report_put(NULL, topics[i].text, strlen(topics[i].text));
    enum { COMMANDS_MAX = 32 };
    const char *names[COMMANDS_MAX + TOPICS + 1];
    int n = 0;
    names[n++] = "operators";
    for (int i = 0; i < command_count && i < COMMANDS_MAX; i++)
        names[n++] = command_table[i].name;
    for (int i = 0; i < TOPICS; i++)
        names[n++] = topics[i].name;
    const char *near = nearest_name(name, names, n);
    if (near)
        return report_usage("no help on '%s'. Did you mean '%s'?", name, near);
    return report_usage("no help on '%s'; 'bitfader help' lists commands and topics", name);
}
