/* SPDX-License-Identifier: MIT
 *
 * The options, a row each. Before them what a row may need: names of words, and parsers of what is more than a number,
 * a text or a word.
 */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/options.h"
#include "kernels/isa.h"

/* --- words -------------------------------------------------------------------------------------------------------- */

const char *option_isa(int i)
{
    return i == ISA_COUNT ? "auto" : isa_name((enum isa)i);
}

static const char *progress_word(int i)
{
    static const char *const names[] = {
        [PROGRESS_AUTO] = "auto", [PROGRESS_BAR] = "bar", [PROGRESS_LINES] = "lines", [PROGRESS_NONE] = "none"};
    return names[i];
}

static const char *color_word(int i)
{
    static const char *const names[] = {[COLOUR_AUTO] = "auto",
                                        [COLOUR_NEVER] = "never",
                                        [COLOUR_8] = "8",
                                        [COLOUR_256] = "256",
                                        [COLOUR_ALWAYS] = "always"};
    return names[i];
}

static const char *glyphs_word(int i)
{
    static const char *const names[] = {
        [GLYPHS_AUTO] = "auto", [GLYPHS_BRAILLE] = "braille", [GLYPHS_BLOCKS] = "blocks", [GLYPHS_ASCII] = "ascii"};
    return names[i];
}

/* --- parsers ------------------------------------------------------------------------------------------------------ */

static int check_set(struct options *o, const char *v, struct err *e)
{
    (void)o;
    return strchr(v, ':')
               ? 0
               : err_set(e, "'%s' has no ':'; write EXPR:SETTING, as in 'layer3.*:w4a8' or 'op=DWConv:w8'", v);
}

static int take_target(struct options *o, const char *v, struct err *e)
{
    if (strcmp(v, "host"))
        return err_set(e, "target '%s' is not known; 'host', this machine measured, is the only one", v);
    o->target = v;
    return 0;
}

/* What was said of that model input so far; n characters of name. */
static struct graph_input *input_of(struct options *o, const char *name, size_t n)
{
    struct graph_options *g = &o->session.graph;
    for (int i = 0; i < g->n_inputs; i++)
        if (strlen(o->inputs[i].name) == n && !strncmp(o->inputs[i].name, name, n))
            return &o->inputs[i];
    o->inputs = mem_resize(o->inputs, (size_t)g->n_inputs, (size_t)g->n_inputs + 1, sizeof *o->inputs);
    g->inputs = o->inputs;
    struct graph_input *in = &o->inputs[g->n_inputs++];
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

static int take_budget(struct options *o, const char *v, struct err *e)
{
    static const char prefix[] = "budget ";
    struct err inner;
    struct budgets *b = &o->search.budgets, one = budgets_none();
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

/* --- rows --------------------------------------------------------------------------------------------------------- */

/* Where a member is, held to its type. */
#define MEMBER(m)   (((struct options *)0)->m)
#define AT(type, m) (offsetof(struct options, m) + _Generic(MEMBER(m), type : 0))
#define AT_ENUM(m)  (offsetof(struct options, m) + 0 * sizeof(char[sizeof MEMBER(m) == sizeof(int) ? 1 : -1]))

#define FLAG(m)                     OPTION_FLAG, AT(bool, m)
#define OFF(m)                      OPTION_OFF, AT(bool, m)
#define ONE_OF(m, value)            OPTION_ONE_OF, AT_ENUM(m), value
#define NUMBER(m, least, most)      OPTION_NUMBER, AT(int, m), least, most
#define SEED(m)                     OPTION_SEED, AT(uint64_t, m)
#define TEXT(m)                     OPTION_TEXT, AT(const char *, m)
#define LIST(m)                     OPTION_LIST, AT(struct strings, m)
#define WORD(m, words, first, last) OPTION_WORD, AT_ENUM(m), first, last, words
#define OWN(take)                   OPTION_OWN, 0, 0, 0, NULL, take

const struct option_row option_table[] = {
    {"profile", 'p', "FILE", "precision profile: a YAML file, '-', or w8a8, w4a4, fp32, own, ...", TAKES_PROFILE,
     TEXT(profile)},
    {"set", 0, "EXPR:SETTING", "override after the profile, repeatable: 'layer3.*:w4a8', 'op=DWConv:w8'", TAKES_PROFILE,
     LIST(sets), .take = check_set},
    {"lock", 0, "PATTERN", "layers that the search leaves alone, repeatable", TAKES_PROFILE, LIST(locks)},
    {"rebind", 0, NULL, "accept a profile of another model; layers match by name", TAKES_PROFILE, FLAG(rebind)},
    {"data", 'd', "DATASET", "dataset: a name or a YAML description", TAKES_SESSION, TEXT(session.dataset),
     .variable = "BITFADER_DATA"},
    {"calib-n", 0, "N", "calibration images, %s unless given", TAKES_SESSION,
     NUMBER(session.calibration_images, 1, 1000000)},
    {"images", 0, "N", "evaluate on the first N images, all unless given", TAKES_SEARCH | TAKES_RUN,
     NUMBER(search.images, 1, INT_MAX)},
    {"budget", 0, "K=V", "limit, repeatable: size=120KiB, lat=3.4ms, acc-drop=0.5pp, acc=91.5",
     TAKES_PROFILE | TAKES_SEARCH, OWN(take_budget)},
    {"minimize", 0, "WHAT", "%s", TAKES_SEARCH,
     WORD(search.minimize, objective_name, OBJECTIVE_LOSS, OBJECTIVE_ENERGY)},
    {"no-verify", 0, NULL, "believe the estimates, do not run what was found", TAKES_SEARCH, OFF(search.verify)},
    {"check", 0, NULL, "exit with status 5 when a budget is not met", TAKES_CHECK, FLAG(check)},
    {"strict", 0, NULL, "fail when a layer cannot run as the profile asks", TAKES_RUN, FLAG(run.strict)},
    {"target", 't', "NAME", "hardware that costs are for: host", TAKES_SESSION, OWN(take_target)},
    {"shape", 0, "INPUT:DIMS", "dimensions that the file leaves open, repeatable: input:1x3x224x224",
     TAKES_INPUTS | TAKES_SESSION, OWN(take_shape)},
    {"value", 0, "INPUT=N[,N...]", "an input that always has this value, repeatable: sr=16000",
     TAKES_INPUTS | TAKES_SESSION, OWN(take_value)},
    {"output", 'o', "FILE", "write the result there, whole or not at all", TAKES_TABLES | TAKES_PICTURE, TEXT(output)},
    {"force", 'f', NULL, "replace an existing output file", TAKES_TABLES | TAKES_PICTURE, FLAG(force)},
    {"json", 0, NULL, "print one JSON object", TAKES_TABLES, ONE_OF(form, FORM_JSON)},
    {"csv", 0, NULL, "print a table as CSV", TAKES_TABLES, ONE_OF(form, FORM_CSV)},
    {"plain", 0, NULL, "print a table with tabs, without decoration", TAKES_TABLES, ONE_OF(form, FORM_PLAIN)},
    {"table", 0, "NAME", "which table, where there are several", TAKES_TABLES, TEXT(table)},
    {"sort", 's', "COL[:desc]", "order of the rows", TAKES_TABLES, TEXT(sort)},
    {"limit", 'n', "N", "print the first N rows; 0 is all", TAKES_TABLES, NUMBER(limit, 0, INT_MAX)},
    {"size", 0, "COLSxROWS", "size of the picture, 120x36 unless given", TAKES_PICTURE, OWN(take_size)},
    {"threads", 'j', "N", "threads, all processors unless given", TAKES_MACHINE | TAKES_SESSION,
     NUMBER(threads, 1, 1024), .variable = "BITFADER_THREADS"},
    {"seed", 0, "N", "of everything random, %s unless given", TAKES_SESSION, SEED(session.seed)},
    {"isa", 0, "NAME", "fastest instruction set that may be used: %s", TAKES_MACHINE | TAKES_SESSION,
     WORD(isa, option_isa, ISA_C, ISA_COUNT)},
    {"no-cache", 0, NULL, "neither read nor write the cache of tables", TAKES_SESSION, OFF(session.cache)},
    {"progress", 0, "HOW", "%s, on standard error", TAKES_SESSION,
     WORD(progress, progress_word, PROGRESS_AUTO, PROGRESS_NONE)},
    {"quiet", 'q', NULL, "no progress and no notes", TAKES_ALWAYS, FLAG(quiet)},
    {"color", 0, "WHEN", "%s", TAKES_SCREEN, WORD(ui.colour, color_word, COLOUR_AUTO, COLOUR_ALWAYS),
     .variable = "BITFADER_COLOR"},
    {"glyphs", 0, "LEVEL", "%s", TAKES_TABLES | TAKES_PICTURE | TAKES_SCREEN,
     WORD(ui.glyphs, glyphs_word, GLYPHS_AUTO, GLYPHS_ASCII), .variable = "BITFADER_GLYPHS"},
    {"light", 0, NULL, "colours for a light background", TAKES_SCREEN, FLAG(ui.light)},
    {"help", 'h', NULL, "print this text", TAKES_ALWAYS, FLAG(help)},
    {"version", 0, NULL, "print the version", 0, FLAG(version)},
};
const int option_count = sizeof option_table / sizeof *option_table;
_Static_assert(sizeof option_table / sizeof *option_table <= OPTIONS_MAX, "an option needs a bit of `given`");
