/* SPDX-License-Identifier: MIT */
#include "cli/help.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "cli/nearest.h"
#include "cli/operators.h"
#include "cli/report.h"
#include "quant/precision.h"

/* Names on a line of their own making: each begins a new one, indented, where it would end beyond the edge. */
static void put_flowing(struct text *out, int *column, int indent, int edge, const char *name)
{
    if (*column > indent && *column + (int)strlen(name) > edge) {
        text_printf(out, "\n%*s", indent, "");
        *column = indent;
        name += *name == ' ';
    }
    text_put(out, name);
    *column += (int)strlen(name);
}

static int put(struct text *t)
{
    int status = report_put(NULL, t->s, t->n);
    text_done(t);
    return status;
}

static int put_expressions(void)
{
    struct text t = {0};
    text_put(&t, "EXPR:SETTING, where EXPR is\n"
                 "  a pattern on names   layer3.*   (* and ?)\n"
                 "  an operator          op=DWConv\n"
                 "  every layer          *\n");
    static const char last[] = "and SETTING is w4a8, w4, a8, fp32 or lock, and may go on with";
    text_put(&t, last);
    int column = (int)strlen(last);
    for (int c = 0; c < CHOICE_COUNT; c++)
        for (int i = 0; i < precision_choices[c].count; i++) {
            bool end = c == CHOICE_COUNT - 1 && i == precision_choices[c].count - 1;
            char *name = mem_printf(" ,%s%s", precision_choices[c].name(i), end ? "." : "");
            put_flowing(&t, &column, 0, 110, name);
            mem_free(name);
        }
    text_put(&t, " Later settings win. An expression that matches no layer is an error.\n");
    return put(&t);
}

static const struct {
    const char *name, *help;
    const char *text;
    int (*put)(void); /* where there is no text; an exit status */
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
    {"expressions", "how --set and --lock name layers", NULL, put_expressions},
    {"estimates", "what estimates are made of",
     "Accuracy: each layer's loss at its widths (KL divergence on calibration images), summed, and converted to "
     "points\n"
     "by a fit to measured profiles. The +- is the half width of a 90 % interval of estimate minus measurement.\n"
     "Latency: each layer timed on this machine, summed. Size and BOPs are exact. Energy is modelled.\n"},
    {"operators", "what of ONNX can be imported", NULL, operators_put},
};
enum { TOPICS = sizeof topics / sizeof *topics };

int help_put_short(void)
{
    static const char usage[] = "  bitfader COMMAND [OPTIONS] MODEL      ";
    struct text t = {0};
    int indent = (int)strlen(usage), column = indent;
    text_put(&t, "bitfader: a mixing desk for the precision of neural networks\n"
                 "\n"
                 "  bitfader MODEL.onnx                   open the desk\n");
    text_put(&t, usage);
    for (int i = 0; i < commands_count; i++) {
        char *name = mem_printf("%s%s%s", i ? " " : "", commands_table[i]->name, i < commands_count - 1 ? "," : "");
        put_flowing(&t, &column, indent, 110, name);
        mem_free(name);
    }
    text_put(&t, "\n\n"
                 "  bitfader estimate zoo/resnet20_fmnist.onnx -p w4a4 -d fashion-mnist\n"
                 "  bitfader search zoo/resnet20_fmnist.onnx -d fashion-mnist --budget size=120KiB -o found.yaml\n"
                 "\n"
                 "'bitfader help' lists the commands, 'bitfader help COMMAND' the options of one.\n");
    fputs(t.s, stderr);
    text_done(&t);
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
    for (int i = 0; i < commands_count; i++) {
        const struct command *c = commands_table[i];
        text_printf(&t, "  %-10s %s%s%s%s\n", c->name, c->help, c->alias ? " (or '" : "", c->alias ? c->alias : "",
                    c->alias ? "')" : "");
    }
    text_put(&t, "\nTopics:\n");
    for (int i = 0; i < TOPICS; i++)
        text_printf(&t, "  %-12s %s\n", topics[i].name, topics[i].help);
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
    for (int i = 0; i < option_count; i++)
        if (commands_take(c, &option_table[i]))
            options_put_help(&t, &option_table[i]);
    return put(&t);
}

int help_put_named(const char *name)
{
    const struct command *c = commands_find(name);
    if (c)
        return help_put_command(c);
    for (int i = 0; i < TOPICS; i++)
        if (!strcmp(topics[i].name, name))
            return topics[i].put ? topics[i].put() : report_put(NULL, topics[i].text, strlen(topics[i].text));
    const char **names = mem_new((size_t)commands_count + TOPICS, sizeof *names);
    int n = 0;
    for (int i = 0; i < commands_count; i++)
        names[n++] = commands_table[i]->name;
    for (int i = 0; i < TOPICS; i++)
        names[n++] = topics[i].name;
    const char *near = nearest_name(name, names, n);
    mem_free(names);
    if (near)
        return report_usage("no help on '%s'. Did you mean '%s'?", name, near);
    return report_usage("no help on '%s'; 'bitfader help' lists commands and topics", name);
}
