/* SPDX-License-Identifier: MIT */
#include "ui/filter.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"

enum term_kind { TERM_TEXT, TERM_OP, TERM_COMPARE, TERM_MARKED, TERM_LOCKED, TERM_MUTED };
enum compare { LESS, LESS_EQUAL, EQUAL, NOT_EQUAL, MORE_EQUAL, MORE };

struct term {
    enum term_kind kind;
    bool not ;
    char text[64];
    enum filter_field field;
    enum compare compare;
    double value;
};

struct filter {
    struct term *terms;
    int n;
};

static const struct {
    const char *name;
    enum filter_field field;
} fields[] = {{"#", FILTER_NUMBER},    {"w", FILTER_W},        {"a", FILTER_A},       {"sens", FILTER_SENS},
              {"drop", FILTER_DROP},   {"acc", FILTER_DROP},   {"sqnr", FILTER_SQNR}, {"lat%", FILTER_LATENCY},
              {"lat", FILTER_LATENCY}, {"size%", FILTER_SIZE}, {"size", FILTER_SIZE}, {"params", FILTER_PARAMS},
              {"macs", FILTER_MACS}};

/* The longer sign first: "<=" before "<". */
static const struct {
    const char *sign;
    enum compare compare;
} compares[] = {{"<=", LESS_EQUAL}, {">=", MORE_EQUAL}, {"!=", NOT_EQUAL}, {"<", LESS}, {">", MORE}, {"=", EQUAL}};

/* A decimal number with an optional k or M, by hand: strtod listens to the locale and takes too much. */
static int parse_value(const char *s, double *v)
{
    if (!strcmp(s, "fp") || !strcmp(s, "fp32"))
        return *v = 32, 0;
    bool digits = false;
    double scale = 0;
    for (*v = 0; isdigit((unsigned char)*s) || (*s == '.' && scale == 0); s++) {
        if (*s == '.') {
            scale = 1;
            continue;
        }
        digits = true;
        *v = *v * 10 + (*s - '0');
        scale *= 10;
    }
    if (scale > 0)
        *v /= scale;
    if (*s == 'k')
        *v *= 1e3, s++;
    else if (*s == 'M')
        *v *= 1e6, s++;
    return digits && !*s ? 0 : -1;
}

/* 1 when the word is a comparison, 0 when it is not one, -1 when it is a wrong one. */
static int parse_compare(struct term *t, const char *word, struct err *e)
{
    size_t name = strcspn(word, "<>=!");
    if (!word[name])
        return 0;
    const char *rest = word + name;
    size_t c = 0, n_compares = sizeof compares / sizeof *compares;
    while (c < n_compares && strncmp(rest, compares[c].sign, strlen(compares[c].sign)))
        c++;
    if (c == n_compares)
        return err_set(e, "\"%s\": compare with < <= = != >= >", word);
    t->kind = TERM_COMPARE;
    t->compare = compares[c].compare;
    size_t f = 0, n_fields = sizeof fields / sizeof *fields;
    while (f < n_fields && (strlen(fields[f].name) != name || strncmp(word, fields[f].name, name)))
        f++;
    if (f == n_fields)
        return err_set(e, "\"%s\": compare w a sens drop sqnr lat%% size%% params macs #", word);
    t->field = fields[f].field;
    if (parse_value(rest + strlen(compares[c].sign), &t->value))
        return err_set(e, "\"%s\": a number is missing after %s", word, compares[c].sign);
    return 1;
}

static int parse_word(struct term *t, const char *word, struct err *e)
{
    *t = (struct term){0};
    if (*word == '!') {
        t->not = true;
        word++;
    }
    if (!*word)
        return err_set(e, "\"!\" needs a word after it");
    if (!strcmp(word, "marked") || !strcmp(word, "locked") || !strcmp(word, "muted")) {
        t->kind = word[0] == 'l' ? TERM_LOCKED : word[1] == 'a' ? TERM_MARKED : TERM_MUTED;
        return 0;
    }
    bool op = !strncmp(word, "op:", 3) || !strncmp(word, "op=", 3);
    if (op) {
        t->kind = TERM_OP;
        word += 3;
        if (!*word)
            return err_set(e, "\"op:\" needs a kind: conv, dw, pw, gemm");
    } else {
        int compare = parse_compare(t, word, e);
        if (compare)
            return compare < 0 ? -1 : 0;
    }
    if (strlen(word) >= sizeof t->text)
        return err_set(e, "\"%.20s...\" is too long", word);
    memcpy(t->text, word, strlen(word) + 1);
    return 0;
}

struct filter *filter_parse(const char *expression, struct err *e)
{
    struct filter *f = mem_new(1, sizeof *f);
    for (const char *s = expression; *s;) {
        size_t n = strcspn(s, " ");
        char word[128];
        if (n >= sizeof word) {
            err_set(e, "\"%.20s...\" is too long", s);
            filter_free(f);
            return NULL;
        }
        memcpy(word, s, n);
        word[n] = '\0';
        s += n;
        s += strspn(s, " ");
        if (!n || !strcmp(word, "and"))
            continue;
        f->terms = mem_resize(f->terms, (size_t)f->n, (size_t)f->n + 1, sizeof *f->terms);
        if (parse_word(&f->terms[f->n], word, e)) {
            filter_free(f);
            return NULL;
        }
        f->n++;
    }
    return f;
}

void filter_free(struct filter *f)
{
    if (!f)
        return;
    mem_free(f->terms);
    mem_free(f);
}

static bool holds(enum compare c, double a, double b)
{
    switch (c) {
    case LESS:
        return a < b;
    case LESS_EQUAL:
        return a <= b;
    case EQUAL:
        return fabs(a - b) < 1e-9;
    case NOT_EQUAL:
        return fabs(a - b) >= 1e-9;
    case MORE_EQUAL:
        return a >= b;
    case MORE:
        return a > b;
    }
    return false;
}

/* "dw" is short for DWConv, "pw" for PWConv: the start of the kind. "conv" alone is not a start of these. */
static bool kind_matches(const char *kind, const char *text)
{
    return !strncasecmp(kind, text, strlen(text));
}

static bool any_name_has(const struct filter_row *row, const char *text)
{
    bool has = strcasestr(row->name, text);
    for (const char *const *a = row->aliases; a && *a && !has; a++)
        has = strcasestr(*a, text);
    return has;
}

static bool term_matches(const struct term *t, const struct filter_row *row)
{
    switch (t->kind) {
    case TERM_TEXT:
        return any_name_has(row, t->text) || strcasestr(row->kind, t->text);
    case TERM_OP:
        return kind_matches(row->kind, t->text);
    case TERM_COMPARE:
        return holds(t->compare, row->value[t->field], t->value);
    case TERM_MARKED:
        return row->marked;
    case TERM_LOCKED:
        return row->locked;
    case TERM_MUTED:
        return row->muted;
    }
    return false;
}

bool filter_match(const struct filter *f, const struct filter_row *row)
{
    for (int i = 0; f && i < f->n; i++) {
        const struct term *t = &f->terms[i];
        /* What is not known is neither above nor below: "!sens>1" does not claim it. */
        if (t->kind == TERM_COMPARE && isnan(row->value[t->field]))
            return false;
        if (term_matches(t, row) == t->not )
            return false;
    }
    return true;
}

bool filter_needs(const struct filter *f, enum filter_field field)
{
    for (int i = 0; f && i < f->n; i++)
        if (f->terms[i].kind == TERM_COMPARE && f->terms[i].field == field)
            return true;
    return false;
}
