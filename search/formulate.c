/* SPDX-License-Identifier: MIT */
#include "search/formulate.h"

#include <math.h>
#include <string.h>

#include "search/estimate.h"

/* Cost of giving `layer` the precision q. */
static void layer_cost(const struct tables *t, int layer, const struct precision *q, double cost[COST_COUNT])
{
    const struct layer_table *x = &t->layers[layer];
    cost[COST_LOSS] += estimate_loss(x, q);
    cost[COST_BYTES] += (double)estimate_bytes(x, q);
    cost[COST_LATENCY] += t->cost.known ? estimate_latency_ns(&t->cost.layers[layer], q) : 0;
    cost[COST_ENERGY] += estimate_energy_uj(&t->cost.energy, x, q);
}

/* Options of one unit: every activation width, and for each every combination of the members' weight widths that is not
 * beaten by another one of the same activation width. */
struct option_list {
    int n, cap, members;
    double (*cost)[COST_COUNT];
    struct precision **pick;
};

static void add_option(struct formulation *f, struct option_list *o, const double cost[COST_COUNT],
                       const struct precision *pick)
{
    for (int i = 0; i < o->n; i++) {
        bool beaten = true;
        for (int c = 0; c < COST_COUNT; c++)
            beaten &= o->cost[i][c] <= cost[c];
        if (beaten)
            return;
    }
    if (o->n == o->cap) {
        int cap = o->cap ? 2 * o->cap : 64;
        double(*costs)[COST_COUNT] = arena_new(&f->arena, (size_t)cap, sizeof *costs);
        struct precision **picks = arena_new(&f->arena, (size_t)cap, sizeof *picks);
        if (o->n) {
            memcpy(costs, o->cost, (size_t)o->n * sizeof *costs);
            memcpy(picks, o->pick, (size_t)o->n * sizeof *picks);
        }
        o->cost = costs;
        o->pick = picks;
        o->cap = cap;
    }
    memcpy(o->cost[o->n], cost, sizeof o->cost[0]);
    o->pick[o->n] = arena_new(&f->arena, (size_t)o->members, sizeof **o->pick);
    memcpy(o->pick[o->n], pick, (size_t)o->members * sizeof *pick);
    o->n++;
}

/* Joins the options of members 0..k-1 with those of member k; one member has at most 8 weight widths. */
static void join_member(struct formulation *f, const struct tables *t, const struct profile *start, const int *members,
                        int k, int a, struct option_list *from, struct option_list *to)
{
    const struct profile_layer *layer = &start->layers[members[k]];
    struct precision now[64];
    for (int i = 0; i < from->n; i++)
        for (int w = 1; w <= BITS_MAX; w++) {
            struct precision q = layer->precision;
            double cost[COST_COUNT];
            if (layer->lock && w > 1)
                break;
            if (!layer->lock) {
                precision_set_w(&q, w);
                precision_set_a(&q, a);
            }
            memcpy(cost, from->cost[i], sizeof cost);
            memcpy(now, from->pick[i], (size_t)k * sizeof *now);
            now[k] = q;
            layer_cost(t, members[k], &q, cost);
            if (!isnan(cost[COST_LOSS]))
                add_option(f, to, cost, now);
        }
}

static void make_unit(struct formulation *f, const struct tables *t, const struct profile *start, int unit)
{
    const int *members = f->members[unit];
    int n = 0, locked_a = -1;
    for (; members[n] >= 0; n++)
        if (start->layers[members[n]].lock)
            locked_a = start->layers[members[n]].precision.a_bits;
    struct option_list all = {.members = n};
    for (int a = 1; a <= BITS_MAX; a++) {
        if (locked_a > 0 && a != locked_a)
            continue; /* a locked layer's input keeps its width for all that read it */
        static const double zero[COST_COUNT];
        struct option_list list = {.members = n};
        struct precision none[64] = {{0}};
        add_option(f, &list, zero, none);
        for (int k = 0; k < n; k++) {
            struct option_list next = {.members = n};
            join_member(f, t, start, members, k, a, &list, &next);
            list = next;
        }
        for (int i = 0; i < list.n; i++)
            add_option(f, &all, list.cost[i], list.pick[i]);
        if (locked_a == 0 && n == 1)
            break; /* fp32, locked: the only option */
    }
    f->units[unit] = (struct solve_unit){all.n, (const double(*)[COST_COUNT])all.cost};
    f->pick[unit] = all.pick;
}

struct formulation formulate(const struct graph *g, const struct tables *t, const struct profile *start)
{
    enum { MEMBERS_MOST = 60 };
    struct formulation f = {0};
    f.units = arena_new(&f.arena, (size_t)g->n_layers + 1, sizeof *f.units);
    f.members = arena_new(&f.arena, (size_t)g->n_layers + 1, sizeof *f.members);
    f.pick = arena_new(&f.arena, (size_t)g->n_layers + 1, sizeof *f.pick);
    for (int l = 0; l < g->n_layers; l++) {
        bool first = true;
        for (int k = 0; k < l; k++)
            first &= g->layers[k].group != g->layers[l].group;
        if (!first)
            continue;
        int *members = arena_new(&f.arena, (size_t)g->n_layers + 1, sizeof *members), n = 0;
        for (int k = l; k < g->n_layers && n < MEMBERS_MOST; k++)
            if (g->layers[k].group == g->layers[l].group)
                members[n++] = k;
        members[n] = -1;
        f.members[f.n_units++] = members;
    }
    for (int u = 0; u < f.n_units; u++)
        make_unit(&f, t, start, u);
    return f;
}

struct profile *formulation_profile(const struct formulation *f, const struct profile *start, const int *pick)
{
    struct profile *p = profile_copy(start);
    for (int u = 0; u < f->n_units; u++)
        for (int k = 0; f->members[u][k] >= 0; k++)
            p->layers[f->members[u][k]].precision = f->pick[u][pick[u]][k];
    return p;
}

void formulation_done(struct formulation *f)
{
    arena_done(&f->arena);
}
