/* SPDX-License-Identifier: MIT
 *
 * LSTM, GRU and RNN as layers. The products with the input run for all steps at once, as a 1x1 convolution over steps;
 * those with the state step by step, on codes whose range is that of the layer's output. Gates are float, as in ops/.
 * With one side quantized the same products run in float on rounded values.
 */
#include <math.h>
#include <string.h>

#include "engine/compile.h"
#include "engine/weight_cache.h"
#include "ops/recurrent.h"
#include "quant/weights.h"

enum { INPUT_X, INPUT_W, INPUT_R, INPUT_B };

struct state_product { /* rows first..first+n-1 of R */
    int64_t first, n;
    struct conv_ready conv;
    const float *scale, *shift;
};

struct recurrent_plan {
    int64_t rows, hidden, directions; /* gates * hidden of one direction */
    int products;                     /* for each direction: 1, or 2 where a part of the rows takes another state */
    struct state_product *state;      /* [directions][products] */
    bool integer;
    struct act_quant q; /* of the state; bits 0: not rounded */
    int from_input;     /* value [steps * batch][directions * rows]: the input's products with their bias */
    const float *w;     /* float: R [directions][rows][hidden], its bias [directions][2][rows] or NULL */
    const float *bias;
};

struct running {
    const struct recurrent_plan *p;
    const struct run_state *r;
    const float *z;
    uint8_t *codes;
    float *rounded;
    void *scratch;
};

static void take_input(void *ctx, int64_t d, int64_t x, float *z)
{
    const struct running *a = ctx;
    memcpy(z, a->z + (x * a->p->directions + d) * a->p->rows, (size_t)a->p->rows * sizeof *z);
}

static void state_codes(void *ctx, int64_t d, const float *h, int64_t first, int64_t n, float *z)
{
    const struct running *a = ctx;
    const struct act_quant *q = &a->p->q;
    const struct state_product *s = a->p->state + d * a->p->products + (first > 0);
    (void)n;
    a->r->vec->quantize_f32((size_t)a->p->hidden, h, 1 / q->scale, q->zero, 0, act_quant_top(q), a->codes);
    struct conv_call call = {.in = a->codes,
                             .packed = s->conv.packed,
                             .prepared = s->conv.prepared,
                             .scratch = a->scratch,
                             .out_f32 = z,
                             .scale = s->scale,
                             .bias = s->shift};
    s->conv.kernel->run(&s->conv.geom, q->bits, &call);
}

static void state_float(void *ctx, int64_t d, const float *h, int64_t first, int64_t n, float *z)
{
    const struct running *a = ctx;
    const struct recurrent_plan *p = a->p;
    if (p->q.bits) {
        a->r->vec->quantize_f32((size_t)p->hidden, h, 1 / p->q.scale, p->q.zero, 0, act_quant_top(&p->q), a->codes);
        a->r->vec->dequantize_u8((size_t)p->hidden, a->codes, p->q.scale, p->q.zero, a->rounded);
        h = a->rounded;
    }
    const float *bias = p->bias ? p->bias + (2 * d + 1) * p->rows + first : NULL;
    recurrent_affine(p->w + (d * p->rows + first) * p->hidden, h, bias, n, p->hidden, z);
}

void step_recurrent(const struct step *s, const struct run_state *r)
{
    const struct recurrent_plan *p = s->recurrent;
    void *rest;
    struct op_call c = call_begin(s, r, &rest);
    struct running a = {.p = p, .r = r, .z = value_at(r, p->from_input), .codes = rest};
    a.rounded = (float *)((char *)rest + align64((size_t)p->hidden));
    a.scratch = (char *)a.rounded + align64((size_t)p->hidden * sizeof(float));
    const struct recurrent_products products = {&a, take_input, p->integer ? state_codes : state_float};
    call_end(s, r, recurrent_run(&c, &products));
}

/* A copy of the rows first..first+n-1 of quantized weights; codes are shared. */
static struct quant_weights rows_of(const struct quant_weights *w, int64_t first, int64_t n)
{
    struct quant_weights part = *w;
    part.cout = (int)n;
    part.codes += first * w->k;
    part.scale += first;
    return part;
}

/* Whether the candidate's rows take another state than the gates': a GRU that resets before the product. */
static bool resets_before(const struct node *n)
{
    bool linear = false;
    for (int i = 0; i < n->n_attr; i++)
        linear |= !strcmp(n->attr[i].name, "linear_before_reset") && n->attr[i].type == ATTR_INT && n->attr[i].i;
    return !strcmp(n->row->name, "GRU") && !linear;
}

static size_t pack_state(struct compiler *c, const struct node *n, int layer, struct recurrent_plan *p)
{
    const struct precision *pr = &c->plan->layers[layer].applied;
    const struct quant_weights *w = weight_cache_get(c->cache, c->g, layer, 1, pr);
    size_t scratch = 0;
    p->products = resets_before(n) ? 2 : 1;
    p->state = arena_new(&c->plan->arena, (size_t)(p->directions * p->products), sizeof *p->state);
    for (int64_t i = 0; i < p->directions * p->products; i++) {
        struct state_product *s = &p->state[i];
        int64_t d = i / p->products, gates = p->products == 2 ? 2 * p->hidden : p->rows;
        s->first = i % p->products ? gates : 0;
        s->n = i % p->products ? p->rows - gates : gates;
        struct conv_geom g = compile_rows(1, p->hidden, s->n);
        struct quant_weights part = rows_of(w, d * p->rows + s->first, s->n);
        const float *bias = p->bias ? p->bias + (2 * d + 1) * p->rows + s->first : NULL;
        ready_conv(c, &g, p->q.bits, &part, NULL, &s->conv);
        make_dequant(c, &part, bias, &p->q, &s->scale, &s->shift);
        scratch = s->conv.scratch > scratch ? s->conv.scratch : scratch;
    }
    return scratch;
}

/* The products with the input, for all steps and directions at once. */
static int emit_input(struct compiler *c, const struct node *n, int layer, struct recurrent_plan *p, struct err *e)
{
    const struct shape *x = &c->g->tensors[n->in[INPUT_X]].shape;
    const struct precision *pr = &c->plan->layers[layer].applied;
    int64_t pixels = x->d[0] * x->d[1];
    struct conv_job job = {.name = n->name,
                           .layer = layer,
                           .geom = compile_rows(pixels, x->d[2], p->directions * p->rows),
                           .lo = -INFINITY,
                           .hi = INFINITY,
                           .residual = -1};
    float *bias = arena_new(&c->plan->arena, (size_t)(p->directions * p->rows), sizeof *bias);
    for (int64_t d = 0; p->bias && d < p->directions; d++)
        memcpy(bias + d * p->rows, p->bias + 2 * d * p->rows, (size_t)p->rows * sizeof *bias);
    job.bias = bias;
    job.in = p->integer ? compile_codes(c, n->in[INPUT_X], pr->a_bits, e)
                        : emit_rounded(c, n->in[INPUT_X], pr->a_bits, n->name, e);
    if (job.in < 0)
        return -1;
    p->from_input = job.out = compile_value(c, n->in[INPUT_X], false, NULL);
    c->plan->values[job.out].count = pixels * p->directions * p->rows;
    c->plan->values[job.out].part = true;
    const char **kernel = &c->plan->layers[layer].kernel;
    if (p->integer) {
        job.weights = weight_cache_get(c->cache, c->g, layer, 0, pr);
        *kernel = emit_conv_codes(c, &job);
    } else {
        float *w = emit_float_weights(c, layer, 0);
        *kernel = emit_conv_float(c, &job, w);
        mem_free(w);
    }
    return 0;
}

static int emit_quantized(struct compiler *c, int node, struct err *e)
{
    const struct node *n = &c->g->nodes[node];
    int layer = c->layer_of[node];
    const struct precision pr = c->plan->layers[layer].applied;
    const struct shape *r = &c->g->tensors[n->in[INPUT_R]].shape;
    struct recurrent_plan *p = arena_new(&c->plan->arena, 1, sizeof *p);
    *p = (struct recurrent_plan){.rows = r->d[1],
                                 .hidden = r->d[2],
                                 .directions = r->d[0],
                                 .integer = c->on_codes[node],
                                 .bias = n->n_in > INPUT_B && n->in[INPUT_B] >= 0 ? c->g->tensors[n->in[INPUT_B]].data
                                                                                  : NULL};
    if (pr.a_bits && compile_quantizer(c, n->out[0], pr.a_bits, &p->q, e))
        return -1;
    if (emit_input(c, n, layer, p, e))
        return -1;
    size_t scratch = 0;
    if (p->integer) {
        scratch = pack_state(c, n, layer, p);
    } else {
        size_t count = (size_t)(p->directions * p->rows * p->hidden);
        float *w = emit_float_weights(c, layer, 1);
        p->w = memcpy(arena_new(&c->plan->arena, count, sizeof *w), w, count * sizeof *w);
        mem_free(w);
    }
    int given[8] = {p->from_input, -1, -1, -1, -1, -1, -1, -1}; /* read, though not as the operator's input */
    struct step *s = emit_call_with(c, n, given, e);
    if (!s)
        return -1;
    s->kind = STEP_RECURRENT;
    s->recurrent = p;
    s->layer = layer;
    s->kernel = c->plan->layers[layer].kernel;
    compile_scratch(c, call_scratch(s->call) + align64((size_t)p->hidden) + align64((size_t)p->hidden * sizeof(float)) +
                           scratch);
    return 0;
}

int emit_recurrent(struct compiler *c, int node, struct err *e)
{
    int layer = c->layer_of[node];
    struct plan_layer *pl = &c->plan->layers[layer];
    if (pl->applied.w_bits || pl->applied.a_bits)
        return emit_quantized(c, node, e);
    struct step *s = emit_call_with(c, &c->g->nodes[node], NULL, e);
    if (!s)
        return -1;
    s->layer = layer;
    s->kernel = pl->kernel = "sgemv_openblas";
    return 0;
}
