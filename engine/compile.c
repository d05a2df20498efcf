/* SPDX-License-Identifier: MIT */
#include "engine/compile.h"
#include "quant/own.h"

#include <assert.h>
#include <cblas.h>
#include <math.h>
#include <string.h>

int forms_stored_bits(const struct forms *f)
{
    unsigned codes = f->want & ~(unsigned)WANT_FLOAT;
    if (!codes || (f->want & WANT_FLOAT))
        return 0;
    for (int b = 1; b <= BITS_MAX; b++)
        if (codes == 1u << b)
            return b;
    return BITS_MAX; /* readers disagree: keep 8 bits, and requantize for each */
}

int compile_value(struct compiler *c, int tensor, bool codes, const struct act_quant *q)
{
    struct plan *p = c->plan;
    if (p->n_values == p->cap_values) {
        int cap = p->cap_values ? 2 * p->cap_values : 64;
        struct value *more = mem_resize(p->values, (size_t)p->n_values, (size_t)cap, sizeof *more);
        p->values = more;
        p->cap_values = cap;
    }
    struct value *v = &p->values[p->n_values];
    *v = (struct value){.tensor = tensor, .codes = codes, .alias = -1, .first = -1, .last = -1};
    v->count = shape_count(&c->g->tensors[tensor].shape);
    v->size = codes ? 1 : dtype_size(c->g->tensors[tensor].type);
    if (q)
        v->q = *q;
    return p->n_values++;
}

struct step *compile_step(struct compiler *c, const char *name, const char *kernel, int in0, int in1, int out)
{
    struct plan *p = c->plan;
    if (p->n_steps == p->cap_steps) {
        int cap = p->cap_steps ? 2 * p->cap_steps : 64;
        struct step *more = mem_resize(p->steps, (size_t)p->n_steps, (size_t)cap, sizeof *more);
        p->steps = more;
        p->cap_steps = cap;
    }
    struct step *s = &p->steps[p->n_steps];
    *s = (struct step){.name = name,
                       .kernel = kernel,
                       .layer = -1,
                       .in = {in0, in1},
                       .out = out,
                       .lo = -INFINITY,
                       .hi = INFINITY,
                       .fill = -1,
                       .sum = -1};
    p->n_steps++;
    compile_touch(c, in0);
    compile_touch(c, in1);
    compile_touch(c, out);
    return s;
}

void compile_scratch(struct compiler *c, size_t bytes)
{
    if (bytes > c->plan->scratch_bytes)
        c->plan->scratch_bytes = bytes;
}

void compile_touch(struct compiler *c, int v)
{
    if (v < 0)
        return;
    struct value *x = &c->plan->values[v];
    if (x->first < 0)
        x->first = c->plan->n_steps - 1;
    x->last = c->plan->n_steps - 1;
}

void compile_row_major(const struct shape *s, int64_t strides[SHAPE_MAX])
{
    int64_t stride = 1;
    for (int k = s->n - 1; k >= 0; k--) {
        strides[k] = stride;
        stride *= s->d[k];
    }
}

void compile_strides(const struct shape *s, int64_t strides[SHAPE_MAX])
{
    compile_row_major(s, strides);
    if (s->n != 4)
        return;
    int64_t ch = s->d[1], w = s->d[3];
    strides[1] = 1;
    strides[2] = w * ch;
    strides[3] = ch;
}

bool compile_is_permuted(const struct shape *s)
{
    return s->n == 4 && s->d[1] > 1 && s->d[2] * s->d[3] > 1;
}

int compile_permute(struct compiler *c, int v, const struct shape *s, bool to_row)
{
    const struct value from = c->plan->values[v];
    int out = compile_value(c, from.tensor, from.codes, &from.q);
    struct step *st = compile_step(c, c->g->tensors[from.tensor].name, "permute", v, -1, out);
    st->kind = from.codes ? STEP_COPY_U8 : STEP_COPY_F32;
    st->copy.n = 4;
    memcpy(st->copy.d, s->d, sizeof st->copy.d);
    (to_row ? compile_strides : compile_row_major)(s, st->copy.ss);
    (to_row ? compile_row_major : compile_strides)(s, st->copy.ds);
    c->plan->values[out].row = to_row;
    return out;
}

const struct lattice *compile_lattice(const struct compiler *c, int tensor)
{
    int to = c->forms[tensor].snapped;
    return c->g->tensors[to >= 0 ? to : tensor].lattice;
}

int compile_quantizer(struct compiler *c, int tensor, int bits, struct act_quant *q, struct err *e)
{
    if (own_act_quant(compile_lattice(c, tensor), bits, q))
        return 0;
    if (c->forms[tensor].snapped >= 0)
        tensor = c->forms[tensor].snapped;
    const struct histogram *h = c->cal && tensor < c->cal->n_tensors ? c->cal->tensors[tensor] : NULL;
    if (!h)
        return err_set(e,
                       "%s: tensor \"%s\" has no calibrated range: quantized activations need calibration images (-d)",
                       c->g->file, c->g->tensors[tensor].name);
    int range = c->forms[tensor].range;
    const struct act_quant *known = weight_cache_find_act(c->cache, tensor, bits, range);
    *q = known ? *known : range_act_quant(h, bits, range);
    if (!known)
        weight_cache_keep_act(c->cache, tensor, bits, range, q);
    return 0;
}

void compile_code_limits(const struct act_quant *q, float lo, float hi, int *code_lo, int *code_hi)
{
    double top = act_quant_top(q);
    double a = lo == -INFINITY ? 0 : rint((double)lo / q->scale + q->zero);
    double b = hi == INFINITY ? top : rint((double)hi / q->scale + q->zero);
    *code_lo = (int)fmin(fmax(a, 0), top);
    *code_hi = (int)fmin(fmax(b, *code_lo), top);
}

int compile_requantize(struct compiler *c, int v, int tensor, const struct act_quant *q)
{
    const struct act_quant from = c->plan->values[v].q;
    if (from.scale == q->scale && from.zero == q->zero && act_quant_top(&from) <= act_quant_top(q))
        return v;
    int out = compile_value(c, tensor, true, q);
    c->plan->values[out].count = c->plan->values[v].count;
    struct step *s = compile_step(c, c->g->tensors[tensor].name, "requantize_u8", v, -1, out);
    uint8_t *table = arena_new(&c->plan->arena, 256, 1);
    int top = act_quant_top(q);
    for (int i = 0; i < 256; i++) {
        double x = ((double)i - from.zero) * from.scale, code = rint(x / q->scale + q->zero);
        table[i] = (uint8_t)fmin(fmax(code, 0), top);
    }
    s->table = table;
    s->kind = STEP_LUT_U8;
    return out;
}

/* The widest codes of a tensor that exist, or -1. */
static int widest_codes(const struct forms *f)
{
    for (int b = BITS_MAX; b >= 1; b--)
        if (f->as_codes[b] >= 0)
            return f->as_codes[b];
    return -1;
}

/* From float to codes. A row-major input is quantized as it is and then permuted, a quarter of the bytes. */
static int quantize_codes(struct compiler *c, int tensor, const struct act_quant *q, struct err *e)
{
    struct forms *f = &c->forms[tensor];
    const struct tensor *t = &c->g->tensors[tensor];
    bool row = f->as_float < 0 && f->as_row >= 0 && !t->data && t->type == DTYPE_F32 && compile_is_permuted(&t->shape);
    int from = row ? f->as_row : compile_float(c, tensor, e);
    if (from < 0)
        return -1;
    const struct lattice *lattice = compile_lattice(c, tensor);
    int out = compile_value(c, tensor, true, q);
    c->plan->values[out].row = row;
    if (lattice && lattice->bits <= q->bits)
        emit_snap_codes(c, t->name, lattice, from, out);
    else
        compile_step(c, t->name, "quantize_u8", from, -1, out)->kind = STEP_QUANTIZE;
    return row ? compile_permute(c, out, &t->shape, false) : out;
}

int compile_codes(struct compiler *c, int tensor, int bits, struct err *e)
{
    struct forms *f = &c->forms[tensor];
    if (f->as_codes[bits] >= 0)
        return f->as_codes[bits];
    struct act_quant q;
    if (compile_quantizer(c, tensor, bits, &q, e))
        return -1;
    int wide = widest_codes(f), out;
    if (wide >= 0 && !f->float_made) {
        assert(c->plan->values[wide].q.bits >= bits);
        out = compile_requantize(c, wide, tensor, &q);
    } else {
        out = quantize_codes(c, tensor, &q, e);
        if (out < 0)
            return -1;
    }
    f->as_codes[bits] = out;
    return out;
}

int compile_any_codes(struct compiler *c, int tensor, struct err *e)
{
    int wide = widest_codes(&c->forms[tensor]), bits = forms_stored_bits(&c->forms[tensor]);
    return wide >= 0 ? wide : compile_codes(c, tensor, bits ? bits : BITS_MAX, e);
}

/* Constants are used in their row-major order by the broadcasting steps only; others get them in storage order. */
static int constant_value(struct compiler *c, int tensor)
{
    const struct tensor *t = &c->g->tensors[tensor];
    int v = compile_value(c, tensor, false, NULL);
    c->plan->values[v].constant = true;
    c->plan->values[v].data = t->data;
    return v;
}

int compile_float(struct compiler *c, int tensor, struct err *e)
{
    struct forms *f = &c->forms[tensor];
    const struct tensor *t = &c->g->tensors[tensor];
    if (f->as_float >= 0)
        return f->as_float;
    if (t->type != DTYPE_F32)
        return err_set(e, "%s: tensor \"%s\" is %s, not float", c->g->file, t->name, dtype_name(t->type));
    if (t->data)
        return f->as_float = constant_value(c, tensor);
    if (f->as_row >= 0)
        return f->as_float =
                   compile_is_permuted(&t->shape) ? compile_permute(c, f->as_row, &t->shape, false) : f->as_row;
    int wide = widest_codes(f);
    if (wide < 0)
        return err_set(e, "%s: tensor \"%s\" is read before it is computed", c->g->file, t->name);
    int out = compile_value(c, tensor, false, NULL);
    compile_step(c, t->name, "dequantize", wide, -1, out)->kind = STEP_DEQUANTIZE;
    return f->as_float = out;
}

int compile_row(struct compiler *c, int tensor, struct err *e)
{
    struct forms *f = &c->forms[tensor];
    const struct tensor *t = &c->g->tensors[tensor];
    if (f->as_row >= 0)
        return f->as_row;
    if (t->data)
        return f->as_row = constant_value(c, tensor);
    int v = compile_float(c, tensor, e);
    if (v < 0)
        return -1;
    return f->as_row = compile_is_permuted(&t->shape) ? compile_permute(c, v, &t->shape, true) : v;
}

int compile_row_codes(struct compiler *c, int tensor, int bits, struct err *e)
{
    const struct shape *s = &c->g->tensors[tensor].shape;
    int v = compile_codes(c, tensor, bits, e);
    return v < 0 || !compile_is_permuted(s) ? v : compile_permute(c, v, s, true);
}

bool plan_op_has_codes(enum op op)
{
    switch (op) {
    case OP_CONV:
    case OP_CONV_TRANSPOSE:
    case OP_GEMM:
    case OP_MATMUL:
    case OP_ADD:
    case OP_AVERAGE_POOL:
    case OP_PAD:
    case OP_CLIP:
    case OP_LEAKY_RELU:
    case OP_SIGMOID:
    case OP_HARD_SWISH:
    case OP_MAX_POOL:
    case OP_GLOBAL_AVERAGE_POOL:
    case OP_RESHAPE:
    case OP_TRANSPOSE:
    case OP_CONCAT:
    case OP_SLICE:
    case OP_SNAP:
        return true;
    default:
        return false;
    }
}

/* Inputs arrive row-major; whoever wants them otherwise permutes. */
static void emit_inputs(struct compiler *c)
{
    const struct graph *g = c->g;
    c->plan->inputs = arena_new(&c->plan->arena, (size_t)g->n_inputs + 1, sizeof *c->plan->inputs);
    for (int i = 0; i < g->n_inputs; i++) {
        int v = c->plan->inputs[i] = compile_value(c, g->inputs[i], false, NULL);
        struct forms *f = &c->forms[g->inputs[i]];
        c->plan->values[v].row = true;
        c->plan->values[v].first = c->plan->values[v].last = 0;
        f->as_row = v;
        f->float_made = true;
    }
    c->plan->input_value = c->plan->inputs[0];
}

static int emit_outputs(struct compiler *c, struct err *e)
{
    const struct graph *g = c->g;
    c->plan->outputs = arena_new(&c->plan->arena, (size_t)g->n_outputs + 1, sizeof *c->plan->outputs);
    for (int i = 0; i < g->n_outputs; i++) {
        int v = c->plan->outputs[i] = compile_row(c, g->outputs[i], e);
        if (v < 0)
            return -1;
    }
    int scores = graph_scores(g);
    c->plan->output_value = c->plan->outputs[scores < 0 ? 0 : scores];
    return 0;
}

static int emit_all(struct compiler *c, struct err *e)
{
    emit_inputs(c);
    for (int i = 0; i < c->g->n_nodes; i++) {
        if (c->done[i])
            continue;
        if ((c->layer_of[i] >= 0 ? emit_layer : emit_op)(c, i, e))
            return -1;
    }
    return emit_outputs(c, e);
}

struct plan *plan_compile(const struct graph *g, const struct precision *precisions, const struct calibration *cal,
                          struct weight_cache *cache, struct err *e)
{
    openblas_set_num_threads(1); /* images run in parallel, not the products inside of one */
    struct plan *p = mem_new(1, sizeof *p);
    p->graph = g;
    p->layers = arena_new(&p->arena, (size_t)g->n_layers + 1, sizeof *p->layers);
    struct weight_cache *own = cache ? NULL : weight_cache_new();
    struct arena scratch = {0};
    struct compiler c = {
        .plan = p,
        .g = g,
        .precisions = precisions,
        .cal = cal,
        .cache = cache ? cache : own,
        .forms = arena_new(&scratch, (size_t)g->n_tensors + 1, sizeof *c.forms),
        .on_codes = arena_new(&scratch, (size_t)g->n_nodes + 1, sizeof *c.on_codes),
        .done = arena_new(&scratch, (size_t)g->n_nodes + 1, sizeof *c.done),
        .layer_of = arena_new(&scratch, (size_t)g->n_nodes + 1, sizeof *c.layer_of),
    };
    for (int i = 0; i < g->n_nodes; i++)
        c.layer_of[i] = -1;
    for (int l = 0; l < g->n_layers; l++)
        c.layer_of[g->layers[l].node] = l;
    settle(&c);
    int failed = emit_all(&c, e);
    arena_done(&scratch);
    weight_cache_free(own);
    if (failed) {
        plan_free(p);
        return NULL;
    }
    for (int i = 0; i < p->n_steps; i++) {
        assert(p->steps[i].kind != STEP_NONE);
        if (p->steps[i].copy.n > 0)
            copy_flatten(&p->steps[i].copy);
    }
    plan_place(p);
    plan_share_inputs(p);
    return p;
}

struct plan *plan_compile_uniform(const struct graph *g, int w, int a, const struct calibration *c,
                                  struct weight_cache *cache, struct err *e)
{
    struct precision *all = mem_new((size_t)g->n_layers + 1, sizeof *all);
    for (int l = 0; l < g->n_layers; l++) {
        all[l] = precision_default();
        precision_set_w(&all[l], w);
        precision_set_a(&all[l], a);
    }
    struct plan *plan = plan_compile(g, all, c, cache, e);
    mem_free(all);
    return plan;
}
