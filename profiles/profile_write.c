/* SPDX-License-Identifier: MIT
 *
 * From a profile to YAML text: what every section says, the canonical text, saving.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "profiles/profile_parts.h"

/* --- what the sections say ---------------------------------------------------------------------------------------- */

/* Moves a text into the arena. */
static const char *keep(struct arena *a, struct text *t)
{
    const char *s = arena_strdup(a, t->s);
    text_done(t);
    return s;
}

static const char *quoted(struct arena *a, const char *s)
{
    struct text t = {0};
    if (!s)
        return NULL;
    yaml_put_scalar(&t, s);
    return keep(a, &t);
}

static const char *number(struct arena *a, double v)
{
    struct text t = {0};
    if (!isfinite(v) || v < 0)
        return NULL;
    yaml_put_double(&t, v);
    return keep(a, &t);
}

static const char *positive(struct arena *a, double v)
{
    return v > 0 ? number(a, v) : NULL;
}

static const char *count(struct arena *a, int64_t n)
{
    return n > 0 ? arena_printf(a, "%" PRId64, n) : NULL;
}

static const char *bits(struct arena *a, int n)
{
    return n ? arena_printf(a, "%d", n) : "fp32";
}

/* The largest unit that says it exactly. */
static const char *size_text(struct arena *a, int64_t bytes)
{
    if (bytes <= 0)
        return NULL;
    if (bytes % (1 << 20) == 0)
        return arena_printf(a, "%" PRId64 "MiB", bytes >> 20);
    if (bytes % (1 << 10) == 0)
        return arena_printf(a, "%" PRId64 "KiB", bytes >> 10);
    return arena_printf(a, "%" PRId64 "B", bytes);
}

/* The unit that reads well, if the text is read back as the same value; nanoseconds otherwise. */
static const char *latency_text(struct arena *a, double ns)
{
    if (!(ns > 0) || !isfinite(ns))
        return NULL;
    struct text t = {0};
    bool ms = ns >= 1e6;
    yaml_put_double(&t, ns / (ms ? 1e6 : 1e3));
    text_put(&t, ms ? "ms" : "us");
    if (text_parse_ns(t.s) != ns) {
        text_done(&t);
        yaml_put_double(&t, ns);
        text_put(&t, "ns");
    }
    return keep(a, &t);
}

static void add(struct section *s, const char *key, const char *text)
{
    s->fields[s->n++] = (struct field){key, text};
}

static void add_precision(struct section *s, const struct precision *p, struct arena *a)
{
    add(s, "w", bits(a, p->w_bits));
    add(s, "a", bits(a, p->a_bits));
    for (int i = 0; i < CHOICE_COUNT; i++)
        add(s, precision_choices[i].key, precision_choices[i].name(precision_get(p, i)));
}

static void add_results(struct section *s, const struct profile_result *r, bool measured, struct arena *a)
{
    struct profile_result none = {.accuracy = NAN, .accuracy_error = NAN, .fp32_accuracy = NAN, .latency_us = NAN};
    if (!r->known)
        r = &none;
    add(s, "accuracy", number(a, r->accuracy));
    if (!measured)
        add(s, "accuracy_error", number(a, r->accuracy_error));
    add(s, "fp32_accuracy", number(a, r->fp32_accuracy));
    if (measured)
        add(s, "images", count(a, r->images));
    add(s, "latency_us", positive(a, r->latency_us));
    add(s, "bytes", count(a, r->bytes));
}

void profile_sections(const struct profile *p, struct arena *a, struct section out[SECTION_COUNT])
{
    static const char *const keys[SECTION_COUNT] = {
        [SECTION_MODEL] = "model",   [SECTION_BUDGETS] = "budgets",   [SECTION_DEFAULTS] = "defaults",
        [SECTION_METHOD] = "method", [SECTION_ESTIMATE] = "estimate", [SECTION_MEASUREMENT] = "measurement"};
    for (int i = 0; i < SECTION_COUNT; i++)
        out[i] = (struct section){.key = keys[i]};
    struct section *s = &out[SECTION_MODEL];
    add(s, "file", quoted(a, p->model_file));
    add(s, "fingerprint", *p->model_fingerprint ? quoted(a, p->model_fingerprint) : NULL);

    s = &out[SECTION_BUDGETS];
    add(s, "size", size_text(a, p->budgets.bytes));
    add(s, "latency", latency_text(a, p->budgets.latency_ns));
    add(s, "accuracy_drop", number(a, p->budgets.accuracy_drop));
    add(s, "accuracy_min", number(a, p->budgets.accuracy_min));

    add_precision(&out[SECTION_DEFAULTS], &p->defaults, a);

    s = &out[SECTION_METHOD];
    bool found = p->search || p->sensitivity || p->seed;
    add(s, "search", quoted(a, p->search));
    add(s, "sensitivity", quoted(a, p->sensitivity));
    add(s, "seed", found ? arena_printf(a, "%" PRIu64, p->seed) : NULL);

    add_results(&out[SECTION_ESTIMATE], &p->estimate, false, a);
    s = &out[SECTION_MEASUREMENT];
    add_results(s, &p->measurement, true, a);
    s->n_executed = p->n_layers;
    s->executed = arena_new(a, (size_t)p->n_layers, sizeof *s->executed);
    for (int i = 0; i < p->n_layers; i++) {
        bool known = p->measurement.known && p->executed;
        s->executed[i] = (struct field){p->layers[i].name, known ? quoted(a, p->executed[i]) : NULL};
    }
}

static bool any_field(const struct field *f, int n)
{
    for (int i = 0; i < n; i++)
        if (f[i].text)
            return true;
    return false;
}

bool section_is_empty(const struct section *s)
{
    return !any_field(s->fields, s->n) && !any_field(s->executed, s->n_executed);
}

int layer_fields(const struct profile_layer *base, const struct profile_layer *l, struct arena *a,
                 struct field out[FIELDS_MAX])
{
    const struct precision *p = &l->precision, *b = &base->precision;
    struct precision follows = *b; /* the scheme that the bits alone bring */
    precision_set_w(&follows, p->w_bits);
    int n = 0;
    out[n++] = (struct field){"w", p->w_bits != b->w_bits ? bits(a, p->w_bits) : NULL};
    out[n++] = (struct field){"a", p->a_bits != b->a_bits ? bits(a, p->a_bits) : NULL};
    for (int i = 0; i < CHOICE_COUNT; i++) {
        const struct precision_choice *choice = &precision_choices[i];
        bool differs = precision_get(p, i) != precision_get(&follows, i);
        out[n++] = (struct field){choice->key, differs ? choice->name(precision_get(p, i)) : NULL};
    }
    out[n++] = (struct field){"lock", l->lock != base->lock ? (l->lock ? "true" : "false") : NULL};
    return n;
}

/* --- the canonical text ------------------------------------------------------------------------------------------- */

void put_fields(struct text *t, const struct field *f, int n)
{
    const char *separator = "";
    text_put(t, "{");
    for (int i = 0; i < n; i++) {
        if (!f[i].text)
            continue;
        text_put(t, separator);
        yaml_put_scalar(t, f[i].key);
        text_printf(t, ": %s", f[i].text);
        separator = ", ";
    }
    text_put(t, "}");
}

/* Results with kernels are long: one line each. */
void put_section(struct text *t, const struct section *s)
{
    if (section_is_empty(s))
        return;
    if (!any_field(s->executed, s->n_executed)) {
        text_printf(t, "%s: ", s->key);
        put_fields(t, s->fields, s->n);
        text_put(t, "\n");
        return;
    }
    text_printf(t, "%s:\n", s->key);
    for (int i = 0; i < s->n; i++)
        if (s->fields[i].text)
            text_printf(t, "  %s: %s\n", s->fields[i].key, s->fields[i].text);
    text_put(t, "  executed:\n");
    for (int i = 0; i < s->n_executed; i++) {
        if (!s->executed[i].text)
            continue;
        text_put(t, "    ");
        yaml_put_scalar(t, s->executed[i].key);
        text_printf(t, ": %s\n", s->executed[i].text);
    }
}

/* Settings stand in one column, unless a name is very long. */
static void put_layers(struct text *t, const struct profile *p, struct arena *a)
{
    enum { COLUMN_MAX = 40 };
    struct profile_layer base = {.precision = p->defaults};
    size_t column = 0;
    bool first = true;
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < p->n_layers; i++) {
            struct field f[FIELDS_MAX];
            int n = layer_fields(&base, &p->layers[i], a, f);
            if (!any_field(f, n))
                continue;
            struct text name = {0};
            yaml_put_scalar(&name, p->layers[i].name);
            if (pass == 0 && name.n > column && name.n <= COLUMN_MAX)
                column = name.n;
            if (pass == 1) {
                text_printf(t, "%s  %s: %*s", first ? "layers:\n" : "", name.s,
                            (int)(name.n < column ? column - name.n : 0), "");
                put_fields(t, f, n);
                text_put(t, "\n");
                first = false;
            }
            text_done(&name);
        }
    }
}

static void put_canonical(struct text *t, const struct profile *p)
{
    struct arena a = {0};
    struct section s[SECTION_COUNT];
    profile_sections(p, &a, s);
    text_put(t, "schema: bitfader/profile/1\n");
    put_section(t, &s[SECTION_MODEL]);
    text_put(t, "target: ");
    yaml_put_scalar(t, p->target ? p->target : "host");
    text_put(t, "\n");
    put_section(t, &s[SECTION_BUDGETS]);
    put_section(t, &s[SECTION_DEFAULTS]);
    put_layers(t, p, &a);
    put_section(t, &s[SECTION_METHOD]);
    put_section(t, &s[SECTION_ESTIMATE]);
    put_section(t, &s[SECTION_MEASUREMENT]);
    arena_done(&a);
}

/* --- whole texts -------------------------------------------------------------------------------------------------- */

/* True when the text is read back as this profile. */
static bool round_trips(const struct profile *p, const char *text, struct err *e)
{
    struct profile_model m = profile_own_model(p);
    struct profile *back = profile_parse("the new text", text, &m, false, e);
    bool same = back && profile_equal(p, back);
    if (back && !same)
        err_set(e, "the text would not be read back as this profile");
    profile_free(back);
    return same;
}

/* Bytes of what YAML takes for a line end though nobody else does (U+0085, U+2028, U+2029); 0 for all else. */
static size_t line_end_of_yaml(const char *s)
{
    if (!strncmp(s, "\xc2\x85", 2))
        return 2;
    return !strncmp(s, "\xe2\x80\xa8", 3) || !strncmp(s, "\xe2\x80\xa9", 3) ? 3 : 0;
}

/* The old text as comments: what could not be edited in place is at least not lost. */
static void put_as_comment(struct text *t, const char *source)
{
    text_put(t, "# This text could not be edited in place and was written anew. It was:\n");
    while (*source) {
        size_t n = strcspn(source, "\n");
        text_put(t, "# ");
        for (size_t i = 0; i < n;) {
            size_t other = line_end_of_yaml(source + i);
            text_put_n(t, other ? " " : source + i, 1);
            i += other ? other : 1;
        }
        text_put(t, "\n");
        source += n + (source[n] == '\n');
    }
}

char *profile_text(const struct profile *p)
{
    struct text t = {0};
    if (p->source) {
        char *edited = profile_edit_source(p);
        if (edited && round_trips(p, edited, NULL))
            return edited;
        mem_free(edited);
    }
    put_canonical(&t, p);
    if (p->source)
        put_as_comment(&t, p->source);
    return t.s;
}

int profile_save(struct profile *p, const char *path, struct err *e)
{
    char *text = profile_text(p);
    struct err why;
    int rc;
    if (!round_trips(p, text, &why))
        rc = err_set(e, "%s: not written: %s", path, why.text);
    else
        rc = file_write(path, text, strlen(text), true, e);
    if (rc) {
        mem_free(text);
        return -1;
    }
    mem_free(p->source);
    p->source = text;
    return 0;
}
