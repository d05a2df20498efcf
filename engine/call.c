/* SPDX-License-Identifier: MIT
 *
 * Nodes that the engine has no kernel of its own for run as ops/ defines them, on row-major arrays of any type.
 */
#include <string.h>

#include "engine/compile.h"

static size_t arrays_bytes(const struct op_call *c)
{
    return align64((size_t)(c->n_in + c->n_out) * sizeof(struct array));
}

struct op_call call_begin(const struct step *s, const struct run_state *r, void **rest)
{
    const struct call_plan *p = s->call;
    struct op_call c = p->call;
    struct array *in = r->scratch, *out = in + c.n_in;
    for (int k = 0; k < c.n_in; k++) {
        in[k] = c.in[k];
        if (p->in[k] >= 0)
            in[k].data = value_at(r, p->in[k]);
    }
    for (int k = 0; k < c.n_out; k++) {
        out[k] = c.out[k];
        out[k].data = value_at(r, p->out[k]);
    }
    c.in = in;
    c.out = out;
    c.work = (char *)r->scratch + arrays_bytes(&c);
    *rest = (char *)c.work + align64(c.work_bytes);
    return c;
}

void call_end(const struct step *s, const struct run_state *r, const char *wrong)
{
    if (wrong && !r->wrong->what)
        *r->wrong = (struct run_wrong){s->name, wrong};
}

void step_call(const struct step *s, const struct run_state *r)
{
    void *rest;
    struct op_call c = call_begin(s, r, &rest);
    call_end(s, r, c.row->run(&c));
}

size_t call_scratch(const struct call_plan *p)
{
    return arrays_bytes(&p->call) + align64(p->call.work_bytes);
}

/* Order does not matter to an operator that works element by element on equal shapes: then 4-D tensors stay as they are
 * stored. Constants are row-major, so only numbers are fine. */
static bool any_order(const struct compiler *c, const struct node *n)
{
    const struct shape *to = &c->g->tensors[n->out[0]].shape;
    if (!(n->row->flags & OP_ELEMENTWISE) || !compile_is_permuted(to))
        return false;
    for (int k = 0; k < n->n_in; k++) {
        const struct tensor *t = n->in[k] < 0 ? NULL : &c->g->tensors[n->in[k]];
        if (!t || shape_count(&t->shape) == 1)
            continue;
        if (t->data || t->type != DTYPE_F32 || !shape_equal(&t->shape, to))
            return false;
    }
    for (int k = 0; k < n->n_out; k++)
        if (c->g->tensors[n->out[k]].type != DTYPE_F32)
            return false;
    return true;
}

int compile_call_input(const struct compiler *c, const struct node *n)
{
    const struct tensor *tensors = c->g->tensors;
    int input = -1;
    if (!(n->row->flags & OP_GENTLE) || tensors[n->out[0]].type != DTYPE_F32)
        return -1;
    for (int k = 0; k < n->n_in; k++) {
        const struct tensor *t = n->in[k] < 0 ? NULL : &tensors[n->in[k]];
        if (!t || (t->data && shape_count(&t->shape) == 1))
            continue;
        if (t->data || input >= 0 || !shape_equal(&t->shape, &tensors[n->out[0]].shape))
            return -1;
        input = k;
    }
    return input;
}

static int make_call(struct compiler *c, const struct node *n, struct call_plan *p, struct err *e)
{
    struct arena *a = &c->plan->arena;
    struct array *in = arena_new(a, (size_t)n->n_in + 1, sizeof *in),
                 *out = arena_new(a, (size_t)n->n_out + 1, sizeof *out);
    for (int k = 0; k < n->n_in; k++)
        if (n->in[k] >= 0) {
            const struct tensor *t = &c->g->tensors[n->in[k]];
            in[k] = (struct array){t->type, t->shape, (void *)t->data};
        }
    p->call = (struct op_call){.row = n->row,
                               .attr = n->attr,
                               .n_attr = n->n_attr,
                               .opset = n->opset,
                               .n_in = n->n_in,
                               .n_out = n->n_out,
                               .in = in,
                               .out = out};
    struct err why = {""};
    if (n->row->infer(&p->call, &why)) /* import asked the same; this sets shapes and the size of the work memory */
        return err_set(e, "%s: node \"%s\": %s", c->g->file, n->name, why.text);
    return 0;
}

int compile_call_values(struct compiler *c, const struct node *n, int input, int count, const float *x, float *y,
                        struct err *e)
{
    struct call_plan p;
    if (make_call(c, n, &p, e))
        return -1;
    struct array *in = (struct array *)p.call.in, *out = p.call.out;
    in[input] = (struct array){DTYPE_F32, {1, {count}}, (void *)x};
    out[0] = (struct array){DTYPE_F32, {1, {count}}, y};
    p.call.work = mem_new(p.call.work_bytes + 1, 1);
    const char *wrong = n->row->run(&p.call);
    mem_free(p.call.work);
    return wrong ? err_set(e, "%s: node \"%s\": %s", c->g->file, n->name, wrong) : 0;
}

int emit_call(struct compiler *c, const struct node *n, struct err *e)
{
    return emit_call_with(c, n, NULL, e) ? 0 : -1;
}

struct step *emit_call_with(struct compiler *c, const struct node *n, const int *given, struct err *e)
{
    struct arena *a = &c->plan->arena;
    struct call_plan *p = arena_new(a, 1, sizeof *p);
    bool stored = any_order(c, n);
    if (make_call(c, n, p, e))
        return NULL;
    p->in = arena_new(a, (size_t)n->n_in + 1, sizeof *p->in);
    p->out = arena_new(a, (size_t)n->n_out + 1, sizeof *p->out);
    for (int k = 0; k < n->n_in; k++) {
        p->in[k] = given ? given[k] : -1;
        if (n->in[k] < 0 || p->in[k] >= 0 || n->row->flags & OP_OF_SHAPES)
            continue;
        p->in[k] = stored && compile_is_permuted(&c->g->tensors[n->in[k]].shape) ? compile_float(c, n->in[k], e)
                                                                                 : compile_row(c, n->in[k], e);
        if (p->in[k] < 0)
            return NULL;
    }
    for (int k = 0; k < n->n_out; k++) {
        int v = p->out[k] = compile_value(c, n->out[k], false, NULL);
        struct forms *f = &c->forms[n->out[k]];
        c->plan->values[v].row = !stored;
        *(stored ? &f->as_float : &f->as_row) = v;
        f->float_made = true;
    }
    struct step *s = compile_step(c, n->name, n->row->name, -1, -1, p->out[0]);
    s->call = p;
    s->kind = STEP_CALL;
    for (int k = 0; k < n->n_in; k++)
        compile_touch(c, p->in[k]);
    for (int k = 0; k < n->n_out; k++)
        compile_touch(c, p->out[k]);
    compile_scratch(c, call_scratch(p));
    return s;
}

int call_outputs(const struct step *s, const int **values)
{
    const struct call_plan *p = s->call;
    *values = p ? p->out : &s->out;
    return p ? p->call.n_out : 1;
}
