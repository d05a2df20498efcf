/* SPDX-License-Identifier: MIT
 *
 * Products of two activations, as in attention: on codes of both, or in float. Matrices are row-major; leading
 * dimensions broadcast.
 */
#include <cblas.h>
#include <math.h>
#include <string.h>

#include "engine/compile.h"

struct product_plan {
    int batch, rows;
    int64_t *a, *b; /* [batch] first elements of the operands */
    struct matmul_shape shape;
    const struct matmul_kernel *kernel; /* on codes */
    struct requant rq;
    int32_t m;
    int64_t offset; /* rq's */
    float scale;    /* of float outputs of sums of codes */
};

/* The right operand is packed once for each run of products with the same one. */
void step_matmul_codes(const struct step *s, const struct run_state *r)
{
    const struct product_plan *p = s->product;
    const struct value *out = &r->plan->values[s->out];
    const uint8_t *a = step_in(s, r, 0), *b = step_in(s, r, 1);
    int64_t size = (int64_t)p->rows * p->shape.n;
    struct matmul_call call = {.rows = p->rows,
                               .packed = r->scratch,
                               .scratch = (char *)r->scratch + align64(p->kernel->packed_size(&p->shape)),
                               .rq = &p->rq,
                               .scale = p->scale};
    for (int i = 0; i < p->batch; i++) {
        if (i == 0 || p->b[i] != p->b[i - 1])
            p->kernel->pack(&p->shape, b + p->b[i], r->scratch);
        call.a = a + p->a[i];
        if (out->codes)
            call.out_u8 = (uint8_t *)step_out(s, r) + i * size;
        else
            call.out_f32 = (float *)step_out(s, r) + i * size;
        p->kernel->run(&p->shape, &call);
    }
}

void step_matmul_float(const struct step *s, const struct run_state *r)
{
    const struct product_plan *p = s->product;
    const float *a = step_in(s, r, 0), *b = step_in(s, r, 1);
    float *y = step_out(s, r);
    int n = p->shape.n, k = p->shape.k;
    for (int i = 0; i < p->batch; i++, y += (int64_t)p->rows * n)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, p->rows, n, k, 1, a + p->a[i], k, b + p->b[i], n, 0, y,
                    n);
}

/* Whole matrices; or rows of the only one, where sums are exact: OpenBLAS may order them otherwise in other sizes. */
int product_split(struct arena *a, const struct step *s, int n, int64_t work, struct step *parts)
{
    const struct product_plan *x = s->product;
    int64_t size = (int64_t)x->rows * x->shape.n, most = size * x->batch * x->shape.k / work;
    bool whole = x->batch > 1;
    int units = whole ? x->batch : s->kind == STEP_MATMUL_CODES ? x->rows : 1;
    n = n < units ? n : units;
    n = n > most ? most < 1 ? 1 : (int)most : n;
    for (int i = 0; i < n; i++) {
        int first = (int)((int64_t)units * i / n), end = (int)((int64_t)units * (i + 1) / n);
        struct product_plan *own = arena_new(a, 1, sizeof *own);
        *own = *x;
        parts[i] = *s;
        parts[i].product = own;
        if (whole) {
            own->batch = end - first;
            own->a += first;
            own->b += first;
            parts[i].share = (struct share){.out = first * size, .count = (end - first) * size};
        } else {
            own->rows = end - first;
            parts[i].share = (struct share){.in = {(int64_t)first * x->shape.k},
                                            .out = (int64_t)first * x->shape.n,
                                            .count = (int64_t)(end - first) * x->shape.n};
        }
    }
    return n;
}

/* First element of the operand's matrix for each matrix of the output. */
static int64_t *offsets(struct arena *arena, const struct shape *to, const struct shape *s, int batch)
{
    int64_t *out = arena_new(arena, (size_t)batch + 1, sizeof *out), strides[SHAPE_MAX];
    shape_strides(s, strides);
    for (int i = 0; i < batch; i++) {
        int64_t rest = i;
        for (int k = to->n - 3; k >= 0; k--) {
            int own = k - (to->n - s->n);
            if (own >= 0 && s->d[own] > 1)
                out[i] += rest % to->d[k] * strides[own];
            rest /= to->d[k];
        }
    }
    return out;
}

static struct product_plan *describe(struct compiler *c, const struct node *n)
{
    struct arena *arena = &c->plan->arena;
    const struct shape *a = &c->g->tensors[n->in[0]].shape, *b = &c->g->tensors[n->in[1]].shape,
                       *to = &c->g->tensors[n->out[0]].shape;
    struct product_plan *p = arena_new(arena, 1, sizeof *p);
    p->rows = (int)a->d[a->n - 2];
    p->shape = (struct matmul_shape){.n = (int)b->d[b->n - 1], .k = (int)a->d[a->n - 1]};
    p->batch = (int)(shape_count(to) / ((int64_t)p->rows * p->shape.n));
    p->a = offsets(arena, to, a, p->batch);
    p->b = offsets(arena, to, b, p->batch);
    return p;
}

/* Codes as whole numbers: (code * mul - zero) * the scale that is returned. */
static double integers_of(const struct act_quant *q, int *mul, int *zero)
{
    bool half = q->zero == 0.5f; /* -1 and +1 */
    *mul = half ? 2 : 1;
    *zero = half ? 1 : (int)q->zero;
    return half ? (double)q->scale / 2 : (double)q->scale;
}

static int emit_codes(struct compiler *c, const struct node *n, int layer, struct err *e)
{
    const struct precision p = c->plan->layers[layer].applied;
    int tensor = n->out[0], bits = forms_stored_bits(&c->forms[tensor]);
    int a = compile_row_codes(c, n->in[0], p.a_bits, e), b = a < 0 ? -1 : compile_row_codes(c, n->in[1], p.w_bits, e);
    struct act_quant q = {0};
    if (b < 0 || (bits && compile_quantizer(c, tensor, bits, &q, e)))
        return -1;
    struct product_plan *x = describe(c, n);
    struct matmul_shape *s = &x->shape;
    double scale = integers_of(&c->plan->values[a].q, &s->a_mul, &s->a_zero) *
                   integers_of(&c->plan->values[b].q, &s->b_mul, &s->b_zero);
    x->kernel = matmul_kernel_best();
    x->scale = (float)scale;
    if (bits) {
        double largest = scale / q.scale;
        x->rq.shift = requant_shift(largest, &x->rq.left);
        x->m = (int32_t)fmin(rint(largest * ldexp(1, x->rq.shift - x->rq.left)), 2147483647.0);
        x->offset = (int64_t)rint(q.zero * ldexp(1, x->rq.shift)) + (INT64_C(1) << (x->rq.shift - 1));
        x->rq.m = &x->m;
        x->rq.b = &x->offset;
        compile_code_limits(&q, -INFINITY, INFINITY, &x->rq.lo, &x->rq.hi);
    }
    int out = compile_value(c, tensor, bits != 0, &q);
    c->plan->values[out].row = true;
    struct step *st = compile_step(c, n->name, x->kernel->name, a, b, out);
    st->layer = layer;
    st->kind = STEP_MATMUL_CODES;
    st->product = x;
    c->plan->layers[layer].kernel = x->kernel->name;
    compile_scratch(c, align64(x->kernel->packed_size(s)) + x->kernel->scratch_size(s));
    const struct shape *to = &c->g->tensors[tensor].shape;
    if (bits)
        c->forms[tensor].as_codes[bits] = compile_is_permuted(to) ? compile_permute(c, out, to, false) : out;
    else
        c->forms[tensor].as_row = out;
    c->forms[tensor].float_made = !bits;
    return 0;
}

/* Row-major float, rounded to codes of `bits` before where that is asked for. */
static int row_float(struct compiler *c, int tensor, int bits, const char *name, struct err *e)
{
    const struct shape *s = &c->g->tensors[tensor].shape;
    if (!bits)
        return compile_row(c, tensor, e);
    int v = emit_rounded(c, tensor, bits, name, e);
    return v < 0 || !compile_is_permuted(s) ? v : compile_permute(c, v, s, true);
}

int emit_matmul(struct compiler *c, int node, struct err *e)
{
    const struct node *n = &c->g->nodes[node];
    int layer = c->layer_of[node];
    const struct precision p = c->plan->layers[layer].applied;
    if (c->on_codes[node])
        return emit_codes(c, n, layer, e);
    int a = row_float(c, n->in[0], p.a_bits, n->name, e), b = a < 0 ? -1 : row_float(c, n->in[1], p.w_bits, n->name, e);
    if (b < 0)
        return -1;
    int out = compile_value(c, n->out[0], false, NULL);
    c->plan->values[out].row = true;
    struct step *s = compile_step(c, n->name, "sgemm_openblas", a, b, out);
    s->layer = layer;
    s->kind = STEP_MATMUL_FLOAT;
    s->product = describe(c, n);
    c->plan->layers[layer].kernel = s->kernel;
    c->forms[n->out[0]].as_row = out;
    c->forms[n->out[0]].float_made = true;
    return 0;
}
