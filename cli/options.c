/* SPDX-License-Identifier: MIT */
#include "cli/options.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/parallel.h"
#include "cli/nearest.h"
#include "kernels/isa.h"

static struct options defaults(void)
{
    return (struct options){.session = session_defaults(),
                            .search = search_defaults(),
                            .run = run_defaults(),
                            .ui = ui_defaults(),
                            .target = "host",
                            .isa = ISA_COUNT,
                            .width = 120,
                            .height = 36};
}

static void strings_add(struct strings *l, const char *s)
{
    l->items = mem_resize(l->items, (size_t)l->n, (size_t)l->n + 1, sizeof *l->items);
    l->items[l->n++] = s;
}

/* "a, b, c", with another word before the last than a comma. */
static void put_list(struct text *out, const char *const *names, int n, const char *last)
{
    for (int i = 0; i < n; i++)
        text_printf(out, "%s%s", !i ? "" : i < n - 1 ? ", " : last, names[i]);
}

/* --- values, by kind ---------------------------------------------------------------------------------------------- */

enum { WORDS_MAX = 64 };

/* The words of a row into names. Returns their number. */
static int list_words(const struct option_row *row, const char *names[WORDS_MAX])
{
    int n = 0;
    for (int i = row->least; i <= row->most; i++)
        if (row->words(i) && n < WORDS_MAX)
            names[n++] = row->words(i);
    return n;
}

static int take_word(const struct option_row *row, const char *v, int *out, struct err *e)
{
    for (int i = row->least; i <= row->most; i++)
        if (row->words(i) && !strcmp(row->words(i), v)) {
            *out = i;
            return 0;
        }
    const char *names[WORDS_MAX];
    struct text all = {0};
    put_list(&all, names, list_words(row, names), ", ");
    err_set(e, "'%s' is none of %s", v, all.s);
    text_done(&all);
    return -1;
}

/* A whole decimal number. */
static int take_number(const struct option_row *row, const char *v, int *out, struct err *e)
{
    char *end;
    errno = 0;
    long n = strtol(v, &end, 10);
    if (end == v || *end || errno || n < row->least || n > row->most)
        return err_set(e, "'%s' is not a whole number from %d to %d", v, row->least, row->most);
    *out = (int)n;
    return 0;
}

static int take_seed(const char *v, uint64_t *out, struct err *e)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(v, &end, 10);
    if (*v < '0' || *v > '9' || *end || errno)
        return err_set(e, "'%s' is not a whole number of at most 64 bits", v);
    *out = n;
    return 0;
}

/* 0 is that none of them was there. */
static int take_one_of(const struct option_row *row, int *out, struct err *e)
{
    if (!*out || *out == row->least) {
        *out = row->least;
        return 0;
    }
    char *names[OPTIONS_MAX];
    struct text all = {0};
    int n = 0;
    for (int i = 0; i < option_count; i++)
        if (option_table[i].kind == OPTION_ONE_OF && option_table[i].offset == row->offset)
            names[n++] = mem_printf("--%s", option_table[i].name);
    text_put(&all, "one of ");
    put_list(&all, (const char *const *)names, n, " and ");
    text_put(&all, " at a time");
    err_set(e, "%s", all.s);
    text_done(&all);
    while (n)
        mem_free(names[--n]);
    return -1;
}

static int take_value(struct options *o, const struct option_row *row, const char *v, struct err *e)
{
    void *at = (char *)o + row->offset;
    if (row->take && row->take(o, v, e))
        return -1;
    switch (row->kind) {
    case OPTION_FLAG:
    case OPTION_OFF:
        *(bool *)at = row->kind == OPTION_FLAG;
        break;
    case OPTION_ONE_OF:
        return take_one_of(row, at, e);
    case OPTION_NUMBER:
        return take_number(row, v, at, e);
    case OPTION_SEED:
        return take_seed(v, at, e);
    case OPTION_TEXT:
        *(const char **)at = v;
        break;
    case OPTION_LIST:
        strings_add(at, v);
        break;
    case OPTION_WORD:
        return take_word(row, v, at, e);
    case OPTION_OWN:
        break;
    }
    return 0;
}

static int take(struct options *o, const struct option_row *row, const char *value, struct err *e)
{
    if (take_value(o, row, value, e))
        return row->argument ? err_wrap(e, "--%s", row->name) : -1;
    o->given |= UINT64_C(1) << (row - option_table);
    return 0;
}

/* --- help --------------------------------------------------------------------------------------------------------- */

/* What "%s" stands for. */
static void put_choice(struct text *out, const struct option_row *row)
{
    const struct options o = defaults();
    const void *at = (const char *)&o + row->offset;
    const char *names[WORDS_MAX];
    if (row->kind == OPTION_WORD)
        put_list(out, names, list_words(row, names), " or ");
    else if (row->kind == OPTION_NUMBER)
        text_printf(out, "%d", *(const int *)at);
    else if (row->kind == OPTION_SEED)
        text_printf(out, "%" PRIu64, *(const uint64_t *)at);
    else
        assert(!"an option without words or a number");
}

void options_put_help(struct text *out, const struct option_row *row)
{
    char *name = mem_printf("%s%s%s", row->name, row->argument ? " " : "", row->argument ? row->argument : "");
    const char *choice = strstr(row->help, "%s");
    if (row->letter)
        text_printf(out, "  -%c, --%-19s ", row->letter, name);
    else
        text_printf(out, "      --%-19s ", name);
    text_put_n(out, row->help, choice ? (size_t)(choice - row->help) : strlen(row->help));
    if (choice) {
        put_choice(out, row);
        text_put(out, choice + 2);
    }
    if (row->variable)
        text_printf(out, " (or $%s)", row->variable);
    text_put(out, "\n");
    mem_free(name);
}

/* --- the line ----------------------------------------------------------------------------------------------------- */

/* The row whose name is the first n characters of s, all of them; NULL. */
static const struct option_row *find_long(const char *s, size_t n)
{
    for (int i = 0; i < option_count; i++)
        if (strlen(option_table[i].name) == n && !strncmp(option_table[i].name, s, n))
            return &option_table[i];
    return NULL;
}

static const struct option_row *find_letter(char c)
{
    for (int i = 0; i < option_count; i++)
        if (option_table[i].letter && option_table[i].letter == c)
            return &option_table[i];
    return NULL;
}

static int unknown(const char *s, size_t n, struct err *e)
{
    const char *names[OPTIONS_MAX];
    for (int i = 0; i < option_count; i++)
        names[i] = option_table[i].name;
    char *given = mem_printf("%.*s", (int)n, s);
    const char *near = nearest_name(given, names, option_count);
    if (near)
        err_set(e, "unknown option '--%s'. Did you mean '--%s'?", given, near);
    else
        err_set(e, "unknown option '--%s'; see 'bitfader help'", given);
    mem_free(given);
    return -1;
}

static int needs_value(const struct option_row *row, struct err *e)
{
    return err_set(e, "option '--%s' needs a value: --%s %s", row->name, row->name, row->argument);
}

/* argv[*i] is "--name", "--name=value"; a value may be the next argument. */
static int parse_long(struct options *o, int argc, char *const *argv, int *i, struct err *e)
{
    const char *s = argv[*i] + 2;
    size_t n = strcspn(s, "=");
    const struct option_row *row = find_long(s, n);
    if (!row)
        return unknown(s, n, e);
    if (!row->argument)
        return s[n] ? err_set(e, "option '--%s' takes no value", row->name) : take(o, row, NULL, e);
    if (s[n])
        return take(o, row, s + n + 1, e);
    if (*i + 1 >= argc)
        return needs_value(row, e);
    return take(o, row, argv[++*i], e);
}

/* argv[*i] is "-q", "-qf", "-pFILE" or "-p" before its value. */
static int parse_short(struct options *o, int argc, char *const *argv, int *i, struct err *e)
{
    for (const char *s = argv[*i] + 1; *s; s++) {
        const struct option_row *row = find_letter(*s);
        if (!row)
            return err_set(e, "unknown option '-%c'; see 'bitfader help'", *s >= ' ' && *s < 127 ? *s : '?');
        if (!row->argument) {
            if (take(o, row, NULL, e))
                return -1;
            continue;
        }
        if (s[1])
            return take(o, row, s + 1, e);
        if (*i + 1 >= argc)
            return needs_value(row, e);
        return take(o, row, argv[++*i], e);
    }
    return 0;
}

/* Variables stand in for options that were not given. */
static int take_environment(struct options *o, struct err *e)
{
    for (int i = 0; i < option_count; i++) {
        const struct option_row *row = &option_table[i];
        const char *value = row->variable ? getenv(row->variable) : NULL;
        if (value && *value && take_value(o, row, value, e))
            return err_wrap(e, "$%s", row->variable);
    }
    return 0;
}

int options_parse(struct options *o, int argc, char *const *argv, struct err *e)
{
    *o = defaults();
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
    o->run.images = o->search.images;
    o->ui.search = o->search;
    return 0;
}

int options_apply(const struct options *o, struct err *e)
{
    if (isa_select(option_isa(o->isa), e))
        return err_wrap(e, "--isa");
    if (o->threads)
        parallel_set_threads(o->threads);
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
    for (int i = 0; i < o->session.graph.n_inputs; i++)
        mem_free((char *)o->inputs[i].name);
    mem_free(o->inputs);
    mem_free(o->sets.items);
    mem_free(o->locks.items);
    mem_free(o->arguments.items);
    *o = (struct options){0};
}
