/* SPDX-License-Identifier: MIT */
#include "ui/history.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

static void drop_from(struct history *h, int from)
{
    for (int i = from; i < h->n; i++)
        mem_free(h->records[i].changes);
    h->n = from;
}

void history_done(struct history *h)
{
    drop_from(h, 0);
    mem_free(h->records);
    *h = (struct history){0};
}

static bool same_number(double a, double b)
{
    return (isnan(a) && isnan(b)) || !(a < b || a > b || isnan(a) || isnan(b));
}

static bool same_budgets(const struct budgets *a, const struct budgets *b)
{
    return a->bytes == b->bytes && same_number(a->latency_ns, b->latency_ns) &&
           same_number(a->accuracy_drop, b->accuracy_drop) && same_number(a->accuracy_min, b->accuracy_min);
}

static bool layer_differs(const struct profile_layer *a, const struct profile_layer *b)
{
    return a->lock != b->lock || !precision_equal(&a->precision, &b->precision);
}

bool history_commit(struct history *h, const struct profile *p, const struct profile_layer *layers,
                    const struct budgets *budgets, const char *text)
{
    int n = 0;
    for (int i = 0; i < p->n_layers; i++)
        n += layer_differs(&layers[i], &p->layers[i]);
    if (!n && same_budgets(budgets, &p->budgets))
        return false;
    drop_from(h, h->at);
    h->records = mem_resize(h->records, (size_t)h->n, (size_t)h->n + 1, sizeof *h->records);
    struct record *r = &h->records[h->n];
    *r = (struct record){.revision = ++h->last,
                         .changes = mem_new((size_t)n + 1, sizeof *r->changes),
                         .budgets_before = *budgets,
                         .budgets_after = p->budgets};
    for (int i = 0; i < p->n_layers; i++)
        if (layer_differs(&layers[i], &p->layers[i]))
            r->changes[r->n++] =
                (struct change){i, layers[i].precision, p->layers[i].precision, layers[i].lock, p->layers[i].lock};
    snprintf(r->text, sizeof r->text, "%s", text);
    h->at = ++h->n;
    return true;
}

const struct record *history_undo(struct history *h, struct profile *p)
{
    if (!h->at)
        return NULL;
    const struct record *r = &h->records[--h->at];
    for (int i = 0; i < r->n; i++) {
        p->layers[r->changes[i].layer].precision = r->changes[i].before;
        p->layers[r->changes[i].layer].lock = r->changes[i].lock_before;
    }
    p->budgets = r->budgets_before;
    return r;
}

const struct record *history_redo(struct history *h, struct profile *p)
{
    if (h->at == h->n)
        return NULL;
    const struct record *r = &h->records[h->at++];
    for (int i = 0; i < r->n; i++) {
        p->layers[r->changes[i].layer].precision = r->changes[i].after;
        p->layers[r->changes[i].layer].lock = r->changes[i].lock_after;
    }
    p->budgets = r->budgets_after;
    return r;
}

uint64_t history_revision(const struct history *h)
{
    return h->at ? h->records[h->at - 1].revision : 0;
}

int history_distance(const struct history *h, uint64_t revision)
{
    for (int i = 0; i <= h->n; i++)
        if ((i ? h->records[i - 1].revision : 0) == revision)
            return abs(h->at - i);
    return -1;
}
