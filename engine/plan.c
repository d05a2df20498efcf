/* SPDX-License-Identifier: MIT */
#include "engine/plan.h"

#include <string.h>

#include "base/hash.h"
#include "engine/kernel_times.h"
#include "engine/step.h"

void plan_free(struct plan *p)
{
    if (!p)
        return;
    arena_done(&p->arena);
    mem_free(p->steps);
    mem_free(p->values);
    mem_free(p);
}

static int value_root(const struct plan *p, int v)
{
    while (p->values[v].alias >= 0)
        v = p->values[v].alias;
    return v;
}

/* The lowest place where a value fits beside those that live at the same time and were placed before it. */
static size_t lowest_place(const struct plan *p, int v)
{
    const struct value *x = &p->values[v];
    size_t at = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 0; i < v; i++) {
            const struct value *y = &p->values[i];
            if (y->alias >= 0 || y->constant || y->last < x->first || y->first > x->last)
                continue;
            if (at < y->offset + value_bytes(y) && y->offset < at + value_bytes(x)) {
                at = y->offset + value_bytes(y);
                moved = true;
            }
        }
    }
    return at;
}

void plan_place(struct plan *p)
{
    for (int i = 0; i < p->n_values; i++) { /* who shares memory lives as long as the last of them */
        struct value *v = &p->values[i], *root = &p->values[value_root(p, i)];
        root->last = v->last > root->last ? v->last : root->last;
    }
    for (int i = 0; i < p->graph->n_inputs; i++)
        p->values[p->inputs[i]].first = 0;
    for (int i = 0; i < p->graph->n_outputs; i++)
        p->values[value_root(p, p->outputs[i])].last = p->n_steps;
    for (int i = 0; p->keep_all && i < p->n_values; i++) {
        p->values[i].first = 0;
        p->values[i].last = p->n_steps;
    }
    p->arena_bytes = 0;
    for (int i = 0; i < p->n_values; i++) {
        struct value *v = &p->values[i];
        if (v->constant)
            continue;
        int root = value_root(p, i);
        v->offset = root == i ? lowest_place(p, i) : p->values[root].offset;
        if (v->offset + value_bytes(v) > p->arena_bytes)
            p->arena_bytes = v->offset + value_bytes(v);
    }
}

/* Whether quantization alone reads an input: it takes arrays at any address. */
static bool is_only_quantized(const struct plan *p, int v)
{
    for (int i = 0; i < p->n_values; i++)
        if (p->values[i].alias == v)
            return false;
    for (int i = 0; i < p->n_steps && i <= p->values[v].last; i++) {
        const struct step *s = &p->steps[i];
        bool reads = s->in[0] == v || s->in[1] == v || s->call || s->product || s->recurrent;
        if (reads && s->kind != STEP_QUANTIZE)
            return false;
    }
    return true;
}

void plan_share_inputs(struct plan *p)
{
    for (int i = 0; i < p->graph->n_inputs; i++)
        if (is_only_quantized(p, p->inputs[i]))
            p->values[p->inputs[i]].input = i + 1;
}

void plan_keep_all(struct plan *p)
{
    p->keep_all = true;
    plan_place(p);
}

const struct plan_layer *plan_layers(const struct plan *p)
{
    return p->layers;
}

static uint64_t add_conv(const struct conv_ready *c, uint64_t h)
{
    const int32_t bits[2] = {c->w_bits, c->kernel->a_effect == A_EFFECT_TIME ? c->a_bits : 0};
    h = hash_u64(&c->geom, sizeof c->geom, h);
    if (c->kernel->a_effect == A_EFFECT_PACKED)
        h = hash_u64(c->packed, c->packed_size, h);
    return hash_u64(bits, sizeof bits, h);
}

uint64_t plan_layer_key(const struct plan *p, int layer)
{
    uint64_t h = 0;
    for (int i = 0; i < p->n_steps; i++) {
        const struct step *s = &p->steps[i];
        if (s->layer != layer)
            continue;
        const bool form[2] = {s->in[1] >= 0, p->values[s->out].codes};
        h = hash_u64(s->kernel, strlen(s->kernel), h);
        h = hash_u64(form, sizeof form, h);
        if (s->conv.kernel) {
            h = add_conv(&s->conv, h);
        } else if (s->product || s->recurrent) { /* what widths do there is their own business */
            const struct precision *q = &p->layers[layer].applied;
            const uint8_t bits[2] = {q->w_bits, q->a_bits};
            h = hash_u64(bits, sizeof bits, h);
        }
    }
    return h;
}

int plan_layer_contest(const struct plan *p, int layer, const struct kernel_times *t, struct contender *out)
{
    for (int i = 0; i < p->n_steps; i++) {
        const struct conv_ready *c = &p->steps[i].conv;
        if (p->steps[i].layer == layer && c->kernel)
            return kernel_times_contest(t, &c->geom, c->a_bits, &c->weights, out);
    }
    return 0;
}

int64_t plan_bytes(const struct plan *p)
{
    int64_t sum = 0;
    for (int l = 0; l < p->graph->n_layers; l++)
        sum += p->layers[l].bytes;
    return sum;
}

size_t plan_arena_bytes(const struct plan *p)
{
    return p->arena_bytes;
}

int plan_step_count(const struct plan *p)
{
    return p->n_steps;
}

struct plan_step_info plan_step(const struct plan *p, int step)
{
    const struct step *s = &p->steps[step];
    return (struct plan_step_info){s->name, s->kernel, s->layer};
}

int64_t plan_input_count(const struct plan *p)
{
    return p->values[p->input_value].count;
}

int64_t plan_output_count(const struct plan *p)
{
    return p->values[p->output_value].count;
}

const struct graph *plan_graph(const struct plan *p)
{
    return p->graph;
}
