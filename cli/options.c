/* SPDX-License-Identifier: MIT */
#include "cli/options.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "cli/nearest.h"
#include "kernels/isa.h"
#include "model/graph_load.h"

static void strings_add(struct strings *l, const char *s)
{
    l->items = mem_resize(l->items, (size_t)l->n, (size_t)l->n + 1, sizeof *l->items);
    l->items[l->n++] = s;
}

/* A whole decimal number from lo to hi. */
static int parse_int(const char *s, long lo, long hi, int *out, struct err *e)
{
    char *end;
    errno = 0;
    long v = strtol(s, &end, 10);
    if (end == s || *end || errno || v < lo || v > hi)
        return err_set(e, "'%s' is not a whole number from %ld to %ld", s, lo, hi);
    *out = (int)v;
    return 0;
}

/* Index of s in names, or -1 with a message that lists them. */
static int parse_word(const char *s, const char *const *names, struct err *e)
{
    struct text all = {0};
    for (int i = 0; names[i]; i++) {
        if (!strcmp(s, names[i])) {
            text_done(&all);
            return i;
        }
        text_printf(&all, "%s%s", i ? ", " : "", names[i]);
    }
    err_set(e, "'%s' is none of %s", s, all.s);
    text_done(&all);
    return -1;
}

static int take_profile(struct options *o, const char *v, struct err *e)
{
    (void)e;
    o->profile = v;
    return 0;
}

static int take_set(struct options *o, const char *v, struct err *e)
{
    if (!strchr(v, ':'))
        return err_set(e, "'%s' has no ':'; write EXPR:SETTING, as in 'layer3.*:w4a8' or 'op=DWConv:w8'", v);
    strings_add(&o->sets, v);
    return 0;
}

static int take_lock(struct options *o, const char *v, struct err *e)
{
    (void)e;
    strings_add(&o->locks, v);
    return 0;
}

/* What was said of that model input so far; n characters of name. */
static struct graph_input *input_of(struct options *o, const char *name, size_t n)
{
    for (int i = 0; i < o->n_inputs; i++)
        if (strlen(o->inputs[i].name) == n && !strncmp(o->inputs[i].name, name, n))
            return &o->inputs[i];
    o->inputs = mem_resize(o->inputs, (size_t)o->n_inputs, (size_t)o->n_inputs + 1, sizeof *o->inputs);
    struct graph_input *in = &o->inputs[o->n_inputs++];
    *in = (struct graph_input){.name = mem_printf("%.*s", (int)n, name), .shape = {.n = -1}};
    return in;
}

/* NAME:1x3x224x224 */
static int take_shape(struct options *o, const char *v, struct err *e)
{
    const char *colon = strrchr(v, ':'), *s = colon ? colon + 1 : v;
    struct shape shape = {0};
    bool good = colon && colon > v && *s;
    while (good && *s) {
        char *end;
        errno = 0;
        long long d = strtoll(s, &end, 10);
        good = end != s && !errno && d > 0 && d <= ARRAY_MAX && shape.n < SHAPE_MAX &&
               (*end == 'x' ? end[1] != '\0' : !*end);
        if (good)
            shape.d[shape.n++] = d;
        s = *end ? end + 1 : end;
    }
    if (!good)
        return err_set(e, "'%s' is not INPUT:SHAPE, as in input:1x3x224x224", v);
    struct graph_input *in = input_of(o, v, (size_t)(colon - v));
    if (in->shape.n >= 0)
        return err_set(e, "'%s': there is another shape of this input", v);
    in->shape = shape;
    return 0;
}

/* NAME=16000 or NAME=1,0.5,2; the input's type decides what is a number. */
static int take_value(struct options *o, const char *v, struct err *e)
{
    const char *equals = strrchr(v, '=');
    if (!equals || equals == v || !equals[1])
        return err_set(e, "'%s' is not INPUT=NUMBER[,NUMBER...], as in sr=16000", v);
    struct graph_input *in = input_of(o, v, (size_t)(equals - v));
    if (in->numbers)
        return err_set(e, "'%s': there is another value of this input", v);
    in->numbers = equals + 1;
    return 0;
}

static int take_data(struct options *o, const char *v, struct err *e)
{
    (void)e;
    o->data = v;
    return 0;
}

static int take_calib_n(struct options *o, const char *v, struct err *e)
{
    return parse_int(v, 1, 1000000, &o->calibration_images, e);
}

static int take_images(struct options *o, const char *v, struct err *e)
{
    return parse_int(v, 1, INT_MAX, &o->images, e);
}

static int take_budget(struct options *o, const char *v, struct err *e)
{
    static const char prefix[] = "budget ";
    struct err inner;
    struct budgets *b = &o->budgets, one = budgets_none();
    if (!budgets_parse(&one, v, &inner)) {
        if ((one.bytes > 0 && b->bytes > 0) || (one.latency_ns > 0 && b->latency_ns > 0) ||
            (!isnan(one.accuracy_drop) && !isnan(b->accuracy_drop)) ||
            (!isnan(one.accuracy_min) && !isnan(b->accuracy_min)))
            return err_set(e, "'%s': there is another limit of this kind", v);
        return budgets_parse(b, v, e);
    }
    /* The message is about to begin with the option's name. */
    bool repeats = !strncmp(inner.text, prefix, strlen(prefix));
    return err_set(e, "%s", inner.text + (repeats ? strlen(prefix) : 0));
}

static int take_minimize(struct options *o, const char *v, struct err *e)
{
    int found = objective_find(v);
    if (found < 0)
        return err_set(e, "'%s' is none of loss, size, latency, energy", v);
    o->minimize = (enum objective)found;
    return 0;
}

static int take_target(struct options *o, const char *v, struct err *e)
{
    if (strcmp(v, "host"))
        return err_set(e, "target '%s' is not known; 'host', this machine measured, is the only one", v);
    o->target = v;
    return 0;
}

static int take_output(struct options *o, const char *v, struct err *e)
{
    (void)e;
    o->output = v;
    return 0;
}

static int take_form(struct options *o, enum form form, struct err *e)
{
    if (o->form != FORM_HUMAN && o->form != form)
        return err_set(e, "one of --json, --csv and --plain at a time");
    o->form = form;
    return 0;
}

static int take_json(struct options *o, const char *v, struct err *e)
{
    (void)v;
    return take_form(o, FORM_JSON, e);
}

static int take_csv(struct options *o, const char *v, struct err *e)
{
    (void)v;
    return take_form(o, FORM_CSV, e);
}

static int take_plain(struct options *o, const char *v, struct err *e)
{
    (void)v;
    return take_form(o, FORM_PLAIN, e);
}

static int take_table(struct options *o, const char *v, struct err *e)
{
    (void)e;
    o->table = v;
    return 0;
}

static int take_sort(struct options *o, const char *v, struct err *e)
{
    (void)e;
    o->sort = v;
    return 0;
}

static int take_limit(struct options *o, const char *v, struct err *e)
{
    return parse_int(v, 0, INT_MAX, &o->limit, e);
}

static int take_size(struct options *o, const char *v, struct err *e)
{
    char *end;
    long w = strtol(v, &end, 10), h = 0;
    if (end != v && *end == 'x') {
        const char *second = end + 1;
        h = strtol(second, &end, 10);
        if (end != second && !*end && w >= 1 && w <= 1000 && h >= 1 && h <= 1000) {
            o->width = (int)w;
            o->height = (int)h;
            return 0;
        }
    }
    return err_set(e, "'%s' is not COLUMNSxROWS, as in 120x36, from 1x1 to 1000x1000", v);
}

static int take_threads(struct options *o, const char *v, struct err *e)
{
    return parse_int(v, 1, 1024, &o->threads, e);
}

static int take_seed(struct options *o, const char *v, struct err *e)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(v, &end, 10);
    if (*v < '0' || *v > '9' || *end || errno)
        return err_set(e, "'%s' is not a whole number of at most 64 bits", v);
    o->seed = n;
    return 0;
}

static int take_isa(struct options *o, const char *v, struct err *e)
{
    (void)e; /* isa_select knows the names, and what this processor has */
    o->isa = v;
    return 0;
}

static int take_progress(struct options *o, const char *v, struct err *e)
{
    static const char *const names[] = {"auto", "bar", "lines", "none", NULL};
    int i = parse_word(v, names, e);
    if (i < 0)
        return -1;
    o->progress = (enum progress_mode)i;
    return 0;
}

static int take_color(struct options *o, const char *v, struct err *e)
{
    static const char *const names[] = {"auto", "never", "8", "256", "always", NULL};
    o->color = v;
    return parse_word(v, names, e) < 0 ? -1 : 0;
}

static int take_glyphs(struct options *o, const char *v, struct err *e)
{
    static const char *const names[] = {"auto", "braille", "blocks", "ascii", NULL};
    o->glyphs = v;
    return parse_word(v, names, e) < 0 ? -1 : 0;
}

const struct option_row option_table[OPTION_COUNT] = {
    [OPTION_PROFILE] = {"profile", 'p', "FILE", "precision profile: a YAML file, '-', or w8a8, w4a4, fp32, own, ...",
                        take_profile},
    [OPTION_SET] = {"set", 0, "EXPR:SETTING", "override after the profile, repeatable: 'layer3.*:w4a8', 'op=DWConv:w8'",
                    take_set},
    [OPTION_LOCK] = {"lock", 0, "PATTERN", "layers that the search leaves alone, repeatable", take_lock},
    [OPTION_REBIND] = {"rebind", 0, NULL, "accept a profile of another model; layers match by name", NULL},
    [OPTION_DATA] = {"data", 'd', "DATASET", "dataset: a name or a YAML description (else $BITFADER_DATA)", take_data},
    [OPTION_CALIB_N] = {"calib-n", 0, "N", "calibration images, 512 unless given", take_calib_n},
    [OPTION_IMAGES] = {"images", 0, "N", "evaluate on the first N images, all unless given", take_images},
    [OPTION_BUDGET] = {"budget", 0, "K=V", "limit, repeatable: size=120KiB, lat=3.4ms, acc-drop=0.5pp, acc=91.5",
                       take_budget},
    [OPTION_MINIMIZE] = {"minimize", 0, "WHAT", "loss, size, latency or energy", take_minimize},
    [OPTION_NO_VERIFY] = {"no-verify", 0, NULL, "believe the estimates, do not run what was found", NULL},
    [OPTION_CHECK] = {"check", 0, NULL, "exit with status 5 when a budget is not met", NULL},
    [OPTION_STRICT] = {"strict", 0, NULL, "fail when a layer cannot run as the profile asks", NULL},
    [OPTION_TARGET] = {"target", 't', "NAME", "hardware that costs are for: host", take_target},
    [OPTION_SHAPE] = {"shape", 0, "INPUT:DIMS", "dimensions that the file leaves open, repeatable: input:1x3x224x224",
                      take_shape},
    [OPTION_VALUE] = {"value", 0, "INPUT=N[,N...]", "an input that always has this value, repeatable: sr=16000",
                      take_value},
    [OPTION_OUTPUT] = {"output", 'o', "FILE", "write the result there, whole or not at all", take_output},
    [OPTION_FORCE] = {"force", 'f', NULL, "replace an existing output file", NULL},
    [OPTION_JSON] = {"json", 0, NULL, "print one JSON object", take_json},
    [OPTION_CSV] = {"csv", 0, NULL, "print a table as CSV", take_csv},
    [OPTION_PLAIN] = {"plain", 0, NULL, "print a table with tabs, without decoration", take_plain},
    [OPTION_TABLE] = {"table", 0, "NAME", "which table, where there are several", take_table},
    [OPTION_SORT] = {"sort", 's', "COL[:desc]", "order of the rows", take_sort},
    [OPTION_LIMIT] = {"limit", 'n', "N", "print the first N rows; 0 is all", take_limit},
    [OPTION_SIZE] = {"size", 0, "COLSxROWS", "size of the picture, 120x36 unless given", take_size},
    [OPTION_THREADS] = {"threads", 'j', "N", "threads, all processors unless given (or $BITFADER_THREADS)",
                        take_threads},
    [OPTION_SEED] = {"seed", 0, "N", "of everything random, 1 unless given", take_seed},
    [OPTION_ISA] = {"isa", 0, "NAME", "fastest instruction set that may be used: " ISA_NAMES, take_isa},
    [OPTION_NO_CACHE] = {"no-cache", 0, NULL, "neither read nor write the cache of tables", NULL},
    [OPTION_PROGRESS] = {"progress", 0, "HOW", "auto, bar, lines or none, on standard error", take_progress},
    [OPTION_QUIET] = {"quiet", 'q', NULL, "no progress and no notes", NULL},
    [OPTION_COLOR] = {"color", 0, "WHEN", "auto, never, 8, 256 or always (or $BITFADER_COLOR)", take_color},
    [OPTION_GLYPHS] = {"glyphs", 0, "LEVEL", "auto, braille, blocks or ascii (or $BITFADER_GLYPHS)", take_glyphs},
    [OPTION_LIGHT] = {"light", 0, NULL, "colours for a light background", NULL},
    [OPTION_HELP] = {"help", 'h', NULL, "print this text", NULL},
    [OPTION_VERSION] = {"version", 0, NULL, "print the version", NULL},
};

/* Row whose name is the first n characters of s, all of them. */
static int find_long(const char *s, size_t n)
{
    for (int i = 0; i < OPTION_COUNT; i++)
        if (strlen(option_table[i].name) == n && !strncmp(option_table[i].name, s, n))
            return i;
    return -1;
}

static int find_letter(char c)
{
    for (int i = 0; i < OPTION_COUNT; i++)
        if (option_table[i].letter && option_table[i].letter == c)
            return i;
    return -1;
}

static int unknown(const char *s, size_t n, struct err *e)
{
    const char *names[OPTION_COUNT];
    for (int i = 0; i < OPTION_COUNT; i++)
        names[i] = option_table[i].name;
    char *given = mem_printf("%.*s", (int)n, s);
    const char *near = nearest_name(given, names, OPTION_COUNT);
    if (near)
        err_set(e, "unknown option '--%s'. Did you mean '--%s'?", given, near);
    else
        err_set(e, "unknown option '--%s'; see 'bitfader help'", given);
    mem_free(given);
    return -1;
}

static int take(struct options *o, int id, const char *value, struct err *e)
{
    const struct option_row *row = &option_table[id];
    if (row->take && row->take(o, value, e))
        return row->argument ? err_wrap(e, "--%s", row->name) : -1;
    o->given |= OPTION_BIT(id);
    return 0;
}

static int needs_value(int id, struct err *e)
{
    return err_set(e, "option '--%s' needs a value: --%s %s", option_table[id].name, option_table[id].name,
                   option_table[id].argument);
}

/* argv[*i] is "--name", "--name=value"; a value may be the next argument. */
static int parse_long(struct options *o, int argc, char *const *argv, int *i, struct err *e)
{
    const char *s = argv[*i] + 2;
    size_t n = strcspn(s, "=");
    int id = find_long(s, n);
    if (id < 0)
        return unknown(s, n, e);
    if (!option_table[id].argument)
        return s[n] ? err_set(e, "option '--%s' takes no value", option_table[id].name) : take(o, id, NULL, e);
    if (s[n])
        return take(o, id, s + n + 1, e);
    if (*i + 1 >= argc)
        return needs_value(id, e);
    return take(o, id, argv[++*i], e);
}

/* argv[*i] is "-q", "-qf", "-pFILE" or "-p" before its value. */
static int parse_short(struct options *o, int argc, char *const *argv, int *i, struct err *e)
{
    for (const char *s = argv[*i] + 1; *s; s++) {
        int id = find_letter(*s);
        if (id < 0)
            return err_set(e, "unknown option '-%c'; see 'bitfader help'", *s >= ' ' && *s < 127 ? *s : '?');
        if (!option_table[id].argument) {
            if (take(o, id, NULL, e))
                return -1;
            continue;
        }
        if (s[1])
            return take(o, id, s + 1, e);
        if (*i + 1 >= argc)
            return needs_value(id, e);
        return take(o, id, argv[++*i], e);
    }
    return 0;
}

/* Variables stand in for options that were not given. */
static int take_environment(struct options *o, struct err *e)
{
    static const struct {
        const char *variable;
        enum option_id id;
    } rows[] = {{"BITFADER_DATA", OPTION_DATA},
                {"BITFADER_THREADS", OPTION_THREADS},
                {"BITFADER_COLOR", OPTION_COLOR},
                {"BITFADER_GLYPHS", OPTION_GLYPHS}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *value = getenv(rows[i].variable);
        if (!value || !*value)
            continue;
        if (option_table[rows[i].id].take(o, value, e))
            return err_wrap(e, "$%s", rows[i].variable);
    }
    return 0;
}

int options_parse(struct options *o, int argc, char *const *argv, struct err *e)
{
    *o = (struct options){.budgets = budgets_none(),
                          .minimize = OBJECTIVE_AUTO,
                          .target = "host",
                          .color = "auto",
                          .glyphs = "auto",
                          .width = 120,
                          .height = 36,
                          .seed = 1};
    if (take_environment(o, e))
        return -1;
    bool ended = false;
    for (int i = 1; i < argc; i++) {
        const char *s = argv[i];
        int failed = 0;
        if (ended || s[0] != '-' || !s[1])
            strings_add(&o->arguments, s);
        else if (!strcmp(s, "--"))
            ended = true;
        else
            failed = s[1] == '-' ? parse_long(o, argc, argv, &i, e) : parse_short(o, argc, argv, &i, e);
        if (failed)
            return -1;
    }
    return 0;
}

void options_prepend(struct options *o, const char *argument)
{
    strings_add(&o->arguments, NULL);
    memmove(o->arguments.items + 1, o->arguments.items, (size_t)(o->arguments.n - 1) * sizeof *o->arguments.items);
    o->arguments.items[0] = argument;
}

void options_done(struct options *o)
{
    for (int i = 0; i < o->n_inputs; i++)
        mem_free((char *)o->inputs[i].name);
    mem_free(o->inputs);
    mem_free(o->sets.items);
    mem_free(o->locks.items);
    mem_free(o->arguments.items);
    *o = (struct options){0};
}
