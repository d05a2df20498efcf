/* SPDX-License-Identifier: MIT
 *
 * Rounding to a lattice. On codes there is often nothing to do: what makes the tensor has requantized straight to the
 * lattice (settle.c).
 */
#include "engine/compile.h"

static struct step *add_step(struct compiler *c, const char *name, const char *kernel, const struct lattice *lattice,
                             int from, int out)
{
    struct step *s = compile_step(c, name, kernel, from, -1, out);
    s->alpha = lattice->scale[0];
    s->lo = (float)lattice->lo;
    s->hi = (float)lattice->hi;
    return s;
}

void emit_snap_codes(struct compiler *c, const char *name, const struct lattice *lattice, int from, int out)
{
    int bits = c->plan->values[out].q.bits;
    struct step *s = add_step(c, name, "quantize_u8", lattice, from, out);
    s->kind = lattice->binary ? STEP_SIGN_U8 : STEP_SNAP_U8;
    s->qhi = bits == 1 ? 1 : 2; /* binary at two bits and more: -scale, 0, +scale */
}

/* The same codes under the name of the rounded tensor. */
static int same_codes(struct compiler *c, int v, int tensor)
{
    const struct act_quant q = c->plan->values[v].q;
    bool row = c->plan->values[v].row;
    int out = compile_value(c, tensor, true, &q);
    struct value *x = &c->plan->values[out];
    x->alias = v;
    x->row = row;
    x->first = x->last = c->plan->n_steps > 0 ? c->plan->n_steps - 1 : 0;
    return out;
}

int emit_snap(struct compiler *c, int node, struct err *e)
{
    const struct node *n = &c->g->nodes[node];
    const struct lattice *lattice = c->g->tensors[n->out[0]].lattice;
    struct forms *out = &c->forms[n->out[0]];
    int bits = forms_stored_bits(out);
    if (c->on_codes[node] && c->forms[n->in[0]].snapped == n->out[0]) {
        int made = lattice->binary ? 1 : bits, v = compile_codes(c, n->in[0], made, e);
        struct act_quant q;
        if (v < 0 || compile_quantizer(c, n->out[0], bits, &q, e))
            return -1;
        out->as_codes[bits] = made == bits ? same_codes(c, v, n->out[0]) : compile_requantize(c, v, n->out[0], &q);
        return 0;
    }
    int from = compile_float(c, n->in[0], e);
    if (from < 0)
        return -1;
    int v = compile_value(c, n->out[0], false, NULL);
    add_step(c, n->name, "snap_f32", lattice, from, v)->kind = lattice->binary ? STEP_SIGN_F32 : STEP_SNAP_F32;
    out->as_float = v;
    out->float_made = true;
    return 0;
}
