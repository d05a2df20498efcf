/* SPDX-License-Identifier: MIT */
#include "profiles/profile.h"

#include <assert.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "profiles/profile_parts.h"
#include "profiles/setting.h"

struct budgets budgets_none(void)
{
    return (struct budgets){.accuracy_drop = NAN, .accuracy_min = NAN};
}

bool budgets_any(const struct budgets *b)
{
    return b->bytes > 0 || b->latency_ns > 0 || !isnan(b->accuracy_drop) || !isnan(b->accuracy_min);
}

static char *strdup_or_null(const char *s)
{
    return s ? mem_strdup(s) : NULL;
}

/* A list that ends with NULL and its texts, in one piece of memory. */
static const char *const *copy_list(const char *const *list)
{
    size_t n = 0, bytes = 0;
    for (; list && list[n]; n++)
        bytes += strlen(list[n]) + 1;
    const char **out = mem_new(1, (n + 1) * sizeof *out + bytes);
    char *to = (char *)(out + n + 1);
    for (size_t i = 0; i < n; i++) {
        out[i] = to;
        to = stpcpy(to, list[i]) + 1;
    }
    return out;
}

struct profile *profile_new(const struct profile_model *m, const struct precision *p)
{
    struct profile_record *r = mem_new(1, sizeof *r);
    struct profile *q = &r->p;
    q->n_layers = m->n_layers;
    q->layers = mem_new((size_t)m->n_layers, sizeof *q->layers);
    r->kinds = mem_new((size_t)m->n_layers, sizeof *r->kinds);
    r->names = mem_new((size_t)m->n_layers, sizeof *r->names);
    r->aliases = mem_new((size_t)m->n_layers, sizeof *r->aliases);
    for (int i = 0; i < m->n_layers; i++) {
        q->layers[i] = (struct profile_layer){.name = mem_strdup(m->names[i]), .precision = *p};
        r->names[i] = q->layers[i].name;
        r->kinds[i] = m->kinds ? strdup_or_null(m->kinds[i]) : NULL;
        r->aliases[i] = copy_list(m->aliases ? m->aliases[i] : NULL);
    }
    q->model_file = strdup_or_null(m->file);
    snprintf(q->model_fingerprint, sizeof q->model_fingerprint, "%s", m->fingerprint ? m->fingerprint : "");
    q->target = mem_strdup("host");
    q->budgets = budgets_none();
    q->defaults = *p;
    struct profile_result unknown = {.accuracy = NAN, .accuracy_error = NAN, .fp32_accuracy = NAN, .latency_us = NAN};
    q->estimate = q->measurement = unknown;
    return q;
}

struct profile *profile_copy(const struct profile *p)
{
    const struct profile_model m = profile_own_model(p);
    struct profile *q = profile_new(&m, &p->defaults);
    for (int i = 0; i < p->n_layers; i++) {
        q->layers[i].precision = p->layers[i].precision;
        q->layers[i].lock = p->layers[i].lock;
    }
    mem_free(q->target);
    q->target = strdup_or_null(p->target);
    q->budgets = p->budgets;
    q->search = strdup_or_null(p->search);
    q->sensitivity = strdup_or_null(p->sensitivity);
    q->seed = p->seed;
    q->estimate = p->estimate;
    q->measurement = p->measurement;
    if (p->executed) {
        q->executed = mem_new((size_t)p->n_layers, sizeof *q->executed);
        for (int i = 0; i < p->n_layers; i++)
            q->executed[i] = strdup_or_null(p->executed[i]);
    }
    q->source = strdup_or_null(p->source);
    return q;
}

void profile_free(struct profile *p)
{
    if (!p)
        return;
    struct profile_record *r = (struct profile_record *)p;
    for (int i = 0; i < p->n_layers; i++) {
        mem_free((char *)p->layers[i].name);
        mem_free(r->kinds[i]);
        mem_free((void *)r->aliases[i]);
        if (p->executed)
            mem_free(p->executed[i]);
    }
    mem_free(p->executed);
    mem_free(p->layers);
    mem_free(r->kinds);
    mem_free(r->names);
    mem_free(r->aliases);
    mem_free(p->model_file);
    mem_free(p->target);
    mem_free(p->search);
    mem_free(p->sensitivity);
    mem_free(p->source);
    mem_free(r);
}

/* --- comparing ---------------------------------------------------------------------------------------------------- */

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

/* Bytes of the sections' text: "unknown" has more than one form in memory, and only one there. */
static bool same_sections(const struct profile *a, const struct profile *b)
{
    struct arena arena = {0};
    struct section x[SECTION_COUNT], y[SECTION_COUNT];
    profile_sections(a, &arena, x);
    profile_sections(b, &arena, y);
    bool same = true;
    for (int s = 0; s < SECTION_COUNT; s++) {
        for (int i = 0; i < x[s].n; i++)
            same = same && same_text(x[s].fields[i].text, y[s].fields[i].text);
        for (int i = 0; i < x[s].n_executed; i++)
            same = same && same_text(x[s].executed[i].text, y[s].executed[i].text);
    }
    arena_done(&arena);
    return same;
}

bool profile_equal(const struct profile *a, const struct profile *b)
{
    if (a->n_layers != b->n_layers || !precision_equal(&a->defaults, &b->defaults) ||
        !same_text(a->target ? a->target : "host", b->target ? b->target : "host") || !same_sections(a, b))
        return false;
    for (int i = 0; i < a->n_layers; i++) {
        const struct profile_layer *x = &a->layers[i], *y = &b->layers[i];
        if (strcmp(x->name, y->name) || !precision_equal(&x->precision, &y->precision) || x->lock != y->lock)
            return false;
    }
    return true;
}

/* --- edits -------------------------------------------------------------------------------------------------------- */

struct profile_model profile_own_model(const struct profile *p)
{
    const struct profile_record *r = (const struct profile_record *)p;
    return (struct profile_model){.file = p->model_file,
                                  .fingerprint = *p->model_fingerprint ? p->model_fingerprint : NULL,
                                  .n_layers = p->n_layers,
                                  .names = (const char *const *)r->names,
                                  .kinds = (const char *const *)r->kinds,
                                  .aliases = (const char *const *const *)r->aliases};
}

int profile_set(struct profile *p, const struct profile_model *m, const char *expression, struct err *e)
{
    const char *colon = strrchr(expression, ':');
    if (!colon || colon == expression || !colon[1])
        return err_set(e, "%s: write EXPR:SETTING, such as \"layer3.*:w4a8\" or \"op=DWConv:w8\"", expression);
    struct setting s;
    if (setting_parse(&s, colon + 1, e))
        return err_wrap(e, "%s", expression);
    char *match = mem_printf("%.*s", (int)(colon - expression), expression);
    const struct layer_pattern pattern = layer_pattern(m, match);
    struct profile_layer *after = mem_new((size_t)p->n_layers, sizeof *after);
    int matched = 0, changed = 0;
    for (int i = 0; i < p->n_layers; i++) {
        after[i] = p->layers[i];
        if (!layer_matches(&pattern, m, i))
            continue;
        matched++;
        if (setting_apply_layer(&s, &after[i])) {
            char why[96];
            changed = err_set(e, "%s: layer %s: %s", expression, p->layers[i].name,
                              setting_contradiction(&after[i].precision, why));
            goto out;
        }
        changed += !precision_equal(&after[i].precision, &p->layers[i].precision) || after[i].lock != p->layers[i].lock;
    }
    if (!matched) {
        struct arena a = {0};
        changed = err_set(e, "%s", layer_no_match(m, match, &a));
        arena_done(&a);
        goto out;
    }
    memcpy(p->layers, after, (size_t)p->n_layers * sizeof *after);
out:
    mem_free(after);
    mem_free(match);
    return changed;
}

int profile_check_groups(const struct profile *p, const struct profile_model *m, struct err *e)
{
    if (!m->groups)
        return 0;
    for (int i = 0; i < p->n_layers; i++)
        for (int j = 0; j < i; j++)
            if (m->groups[i] == m->groups[j] && p->layers[i].precision.a_bits != p->layers[j].precision.a_bits)
                return err_set(e, "layers %s and %s read the same tensor, so both need the same activation bits",
                               p->layers[j].name, p->layers[i].name);
    return 0;
}

/* --- budgets ------------------------------------------------------------------------------------------------------ */

/* A decimal number and exactly this unit; -1 when it is not that. */
static double parse_number(const char *s, const char *unit)
{
    size_t n = strspn(s, "0123456789.");
    if (!n || n > 30 || strcmp(s + n, unit))
        return -1;
    char *end;
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    double v = strtod_l(s, &end, c);
    freelocale(c);
    return end == s + n ? v : -1;
}

int budgets_parse(struct budgets *b, const char *text, struct err *e)
{
    const char *value = strchr(text, '=');
    size_t n = value ? (size_t)(value - text) : 0;
    const char *words[] = {"size", "lat", "acc-drop", "acc"};
    int which = 0;
    while (which < 4 && (strlen(words[which]) != n || strncmp(words[which], text, n)))
        which++;
    if (which == 4)
        return err_set(e, "budget %s: write size=120KiB, lat=3.4ms, acc-drop=0.5pp or acc=91.5", text);
    value++;
    if (which == 0) {
        int64_t bytes = text_parse_bytes(value);
        if (bytes <= 0)
            return err_set(e, "budget %s: a size with its unit is needed; write size=120KiB or size=120kB", text);
        b->bytes = bytes;
    } else if (which == 1) {
        double ns = text_parse_ns(value);
        if (!(ns > 0))
            return err_set(e, "budget %s: a duration with its unit is needed; write lat=3.4ms or lat=812us", text);
        b->latency_ns = ns;
    } else if (which == 2) {
        double v = parse_number(value, "pp");
        if (!(v >= 0 && v <= 100))
            return err_set(e, "budget %s: percentage points 0..100 are needed; write acc-drop=0.5pp", text);
        b->accuracy_drop = v;
    } else {
        double v = parse_number(value, strchr(value, '%') ? "%" : "");
        if (!(v >= 0 && v <= 100))
            return err_set(e, "budget %s: a percentage 0..100 is needed; write acc=91.5", text);
        b->accuracy_min = v;
    }
    return 0;
}
