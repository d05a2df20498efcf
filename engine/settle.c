/* SPDX-License-Identifier: MIT
 *
 * What is decided before a step is made: what each layer's precision becomes, which form each tensor takes (float, or
 * codes of the widths that its readers ask for), and which nodes run on codes.
 */
#include <math.h>
#include <string.h>

#include "engine/compile.h"

/* Operators that run on codes, where the node is a case for it; those whose codes pass through unchanged keep their
 * input's quantizer. */
static bool op_on_codes(const struct compiler *c, const struct node *n)
{
    switch (n->op) {
    case OP_ADD: {
        const struct tensor *a = &c->g->tensors[n->in[0]], *b = &c->g->tensors[n->in[1]];
        return !a->data && !b->data && a->shape.n == b->shape.n &&
               !memcmp(a->shape.d, b->shape.d, sizeof *a->shape.d * (size_t)a->shape.n);
    }
    case OP_AVERAGE_POOL: /* a divisor for each number of taps exists unless padding counts and is cut off */
        return !n->window.count_include_pad ||
               (n->window.pad_top | n->window.pad_left | n->window.pad_bottom | n->window.pad_right) == 0;
    case OP_PAD:
        return n->value == 0;
    case OP_CALL:
        return compile_call_input(c, n) >= 0;
    default:
        return plan_op_has_codes(n->op);
    }
}

static bool passes_codes_through(enum op op)
{
    return op == OP_MAX_POOL || op == OP_RESHAPE || op == OP_TRANSPOSE || op == OP_PAD || op == OP_SLICE;
}

static void count_readers(struct compiler *c)
{
    const struct graph *g = c->g;
    for (int i = 0; i < g->n_tensors; i++) {
        struct forms *f = &c->forms[i];
        f->only_reader = f->as_float = f->as_row = f->snapped = -1;
        f->range = RANGE_MSE;
        for (int b = 0; b <= BITS_MAX; b++)
            f->as_codes[b] = -1;
    }
    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i].n_in; k++)
            if (g->nodes[i].in[k] >= 0) {
                struct forms *f = &c->forms[g->nodes[i].in[k]];
                f->only_reader = ++f->consumers == 1 ? i : -1;
            }
    for (int i = 0; i < g->n_outputs; i++) {
        struct forms *f = &c->forms[g->outputs[i]];
        f->want |= WANT_FLOAT;
        f->only_reader = -1;
        f->consumers++;
    }
}

/* A layer wants its input as codes, and a product of two activations both; what else it reads (the states of a
 * recurrent layer) is float. */
static void settle_layer(struct compiler *c, int node)
{
    const struct node *n = &c->g->nodes[node];
    const struct precision *p = &c->plan->layers[c->layer_of[node]].applied;
    c->on_codes[node] = precision_is_integer(p);
    for (int k = 0; k < n->n_in; k++) {
        int bits = k == 0 ? p->a_bits : k == 1 && n->op == OP_MATMUL ? p->w_bits : 0;
        if (n->in[k] < 0)
            continue;
        struct forms *in = &c->forms[n->in[k]];
        in->want |= bits ? 1u << bits : (unsigned)WANT_FLOAT;
        if (bits)
            in->range = p->range;
    }
}

/* The rounding of a tensor that nothing else reads, and whose result is wanted as codes alone, is part of whatever
 * makes the tensor: a requantization straight to the lattice. Otherwise it works on float. */
static void settle_snap(struct compiler *c, int node)
{
    const struct node *n = &c->g->nodes[node];
    const struct forms *out = &c->forms[n->out[0]];
    struct forms *in = &c->forms[n->in[0]];
    c->on_codes[node] = out->want && !(out->want & WANT_FLOAT);
    if (!c->on_codes[node] || in->consumers != 1) {
        in->want |= WANT_FLOAT;
        return;
    }
    /* Binary is a sign: a requantization to more bits would leave a middle. */
    in->want |= c->g->tensors[n->out[0]].lattice->binary ? 1u << 1 : out->want;
    in->range = out->range;
    in->snapped = n->out[0];
}

/* The layer before an Add of a lattice's tensor: the Add will run in its requantization, so it needs no lattice. */
static bool is_fused_operand(const struct compiler *c, int add, int tensor, int other)
{
    int made = c->g->tensors[tensor].producer, there = c->g->tensors[other].producer;
    if (made < 0 || c->layer_of[made] < 0 || c->forms[tensor].consumers != 1 || tensor == other)
        return false;
    const struct node *layer = &c->g->nodes[made];
    return precision_is_integer(&c->plan->layers[c->layer_of[made]].applied) && there < made && add > made &&
           layer->act_lo == -INFINITY && layer->act_hi == INFINITY && c->g->tensors[other].lattice;
}

/* A node whose result is rounded to a lattice must not round before: operands that have no lattice of their own stay
 * float. */
static bool keeps_lattices(const struct compiler *c, int node)
{
    const struct node *n = &c->g->nodes[node];
    const struct lattice *to = compile_lattice(c, n->out[0]);
    if (n->op == OP_PAD && to && to->binary) /* 0 becomes +scale */
        return false;
    if (passes_codes_through(n->op) && c->forms[n->in[0]].consumers == 1)
        return true;
    for (int k = 0; k < n->n_in; k++) {
        bool fused = n->op == OP_ADD && is_fused_operand(c, node, n->in[k], n->in[1 - k]);
        if (!fused && !c->g->tensors[n->in[k]].lattice)
            return false;
    }
    return true;
}

/* From the outputs back: which node runs on codes, and which widths each tensor is wanted in. */
static void settle_forms(struct compiler *c)
{
    const struct graph *g = c->g;
    count_readers(c);
    for (int i = g->n_nodes - 1; i >= 0; i--) {
        const struct node *n = &g->nodes[i];
        const struct forms *out = &c->forms[n->out[0]];
        if (c->layer_of[i] >= 0) {
            settle_layer(c, i);
            continue;
        }
        if (n->op == OP_SNAP) {
            settle_snap(c, i);
            continue;
        }
        unsigned codes = out->want & ~(unsigned)WANT_FLOAT;
        c->on_codes[i] = codes && op_on_codes(c, n) && (out->snapped < 0 || keeps_lattices(c, i));
        for (int k = 0; k < n->n_in; k++) {
            if (n->in[k] < 0)
                continue;
            struct forms *in = &c->forms[n->in[k]];
            bool through = c->on_codes[i] && passes_codes_through(n->op);
            in->want |= !c->on_codes[i] ? (unsigned)WANT_FLOAT : through ? codes : 1u << BITS_MAX;
            if (through) {
                in->range = out->range;
                in->snapped = in->consumers == 1 ? out->snapped : -1;
            }
        }
    }
}

/* Accumulators are 32 bits: a layer with so many taps that they could overflow stays in fp32. */
static void settle_applied(struct compiler *c)
{
    const struct graph *g = c->g;
    for (int l = 0; l < g->n_layers; l++) {
        struct plan_layer *pl = &c->plan->layers[l];
        pl->requested = pl->applied = c->precisions[l];
        if (!pl->requested.w_bits && !pl->requested.a_bits)
            continue;
        const struct tensor *in = &g->tensors[g->nodes[g->layers[l].node].in[0]];
        const struct tensor *w = &g->tensors[g->nodes[g->layers[l].node].in[1]];
        if (g->layers[l].n_weights && (!w->data || in->data)) {
            pl->applied.w_bits = pl->applied.a_bits = BITS_FLOAT;
            strcpy(pl->note, "weights are not constant: fp32");
            continue;
        }
        int w_bits = pl->requested.w_bits; /* the levels of weights are signed, activations are not */
        double w_peak = !w_bits ? 1 : g->layers[l].n_weights ? 1 << (w_bits - 1) : (1 << w_bits) - 1;
        double peak = ((1 << pl->requested.a_bits) - 1) * w_peak;
        if (precision_is_integer(&pl->requested) && peak * g->layers[l].k >= 2147483648.0) {
            pl->applied.w_bits = pl->applied.a_bits = BITS_FLOAT;
            strcpy(pl->note, "32-bit sums could overflow: fp32");
        } else if (!precision_is_integer(&pl->requested)) {
            strcpy(pl->note, "emulated: fp32 arithmetic");
        }
    }
}

void settle(struct compiler *c)
{
    settle_applied(c);
    settle_forms(c);
}
