/* SPDX-License-Identifier: MIT
 *
 * Everything that is not a layer: on codes where settle.c decided so, in float otherwise.
 */
#include <math.h>
#include <string.h>

#include "engine/compile.h"

static void made_codes(struct compiler *c, int tensor, int bits, int value)
{
    c->forms[tensor].as_codes[bits] = value;
}

static void made_float(struct compiler *c, int tensor, int value)
{
    c->forms[tensor].as_float = value;
    c->forms[tensor].float_made = true;
}

/* The quantizer that a node's output is stored with: its own, or, where its readers disagree or a float is wanted too,
 * 8 bits. */
static int output_quantizer(struct compiler *c, int tensor, struct act_quant *q, struct err *e)
{
    int bits = forms_stored_bits(&c->forms[tensor]);
    return compile_quantizer(c, tensor, bits ? bits : BITS_MAX, q, e);
}

static int emit_add_codes(struct compiler *c, const struct node *n, struct err *e)
{
    struct act_quant q;
    int a = compile_any_codes(c, n->in[0], e), b = a < 0 ? -1 : compile_any_codes(c, n->in[1], e);
    if (b < 0 || output_quantizer(c, n->out[0], &q, e))
        return -1;
    int out = compile_value(c, n->out[0], true, &q);
    struct step *s = compile_step(c, n->name, "add_u8", a, b, out);
    const struct act_quant qa = c->plan->values[a].q, qb = c->plan->values[b].q;
    double ra = (double)qa.scale / q.scale, rb = (double)qb.scale / q.scale;
    double offset = q.zero - ra * qa.zero - rb * qb.zero;
    int shift = 21 - (int)ceil(log2(fmax(ra, rb)));
    while (shift > 1 && fabs(offset) * ldexp(1, shift) > ldexp(1, 29))
        shift--;
    shift = shift < 1 ? 1 : shift > 30 ? 30 : shift;
    s->shift = shift;
    s->ma = (int32_t)rint(ra * ldexp(1, shift));
    s->mb = (int32_t)rint(rb * ldexp(1, shift));
    s->mc = (int32_t)fmin(fmax(rint(offset * ldexp(1, shift)), -ldexp(1, 29)), ldexp(1, 29)) + (1 << (shift - 1));
    compile_code_limits(&q, n->act_lo, n->act_hi, &s->qlo, &s->qhi);
    s->kind = STEP_ADD_U8;
    made_codes(c, n->out[0], q.bits, out);
    return 0;
}

/* What a unary node makes of the values x. */
static int unary_values(struct compiler *c, const struct node *n, int input, int count, const float *x, float *y,
                        struct err *e)
{
    if (n->op == OP_CALL)
        return compile_call_values(c, n, input, count, x, y, e);
    for (int i = 0; i < count; i++)
        y[i] = unary_value(n->op, x[i], n->alpha, n->act_lo, n->act_hi);
    return 0;
}

static int emit_unary_codes(struct compiler *c, const struct node *n, struct err *e)
{
    enum { CODES = 256 };
    struct act_quant q;
    float x[CODES], y[CODES];
    int input = n->op == OP_CALL ? compile_call_input(c, n) : 0, in = compile_any_codes(c, n->in[input], e);
    if (in < 0 || output_quantizer(c, n->out[0], &q, e))
        return -1;
    int out = compile_value(c, n->out[0], true, &q);
    struct step *s = compile_step(c, n->name, "lut_u8", in, -1, out);
    const struct act_quant from = c->plan->values[in].q;
    for (int i = 0; i < CODES; i++)
        x[i] = ((float)i - from.zero) * from.scale;
    if (unary_values(c, n, input, CODES, x, y, e))
        return -1;
    uint8_t *table = arena_new(&c->plan->arena, CODES, 1);
    int top = act_quant_top(&q);
    for (int i = 0; i < CODES; i++)
        table[i] = (uint8_t)fmin(fmax(rint((double)y[i] / q.scale + q.zero), 0), top);
    s->table = table;
    s->kind = STEP_LUT_U8;
    made_codes(c, n->out[0], q.bits, out);
    return 0;
}

static int emit_average_codes(struct compiler *c, const struct node *n, struct err *e)
{
    struct act_quant q;
    int in = compile_any_codes(c, n->in[0], e);
    if (in < 0 || output_quantizer(c, n->out[0], &q, e))
        return -1;
    int out = compile_value(c, n->out[0], true, &q);
    struct step *s = compile_step(c, n->name, "avgpool_u8", in, -1, out);
    const struct act_quant from = c->plan->values[in].q;
    s->geom = compile_geom(c, n);
    int taps = s->geom.kh * s->geom.kw;
    int32_t *m = arena_new(&c->plan->arena, (size_t)taps + 1, sizeof *m);
    int64_t *b = arena_new(&c->plan->arena, (size_t)taps + 1, sizeof *b);
    double ratio = (double)from.scale / q.scale;
    s->shift = 30 - (int)fmax(0, ceil(log2(ratio)));
    double unit = ldexp(1, s->shift);
    for (int k = 0; k <= taps; k++) {
        m[k] = k ? (int32_t)fmin(rint(ratio / k * unit), 2147483647.0) : 0;
        b[k] = (int64_t)rint(((k ? -ratio * from.zero : 0) + q.zero) * unit) + (int64_t)(unit / 2);
    }
    s->pool_m = m;
    s->pool_b = b;
    compile_code_limits(&q, n->act_lo, n->act_hi, &s->qlo, &s->qhi);
    s->kind = STEP_AVGPOOL_U8;
    made_codes(c, n->out[0], q.bits, out);
    return 0;
}

static int emit_maxpool(struct compiler *c, const struct node *n, bool codes, struct err *e)
{
    int in = codes ? compile_any_codes(c, n->in[0], e) : compile_float(c, n->in[0], e);
    if (in < 0)
        return -1;
    const struct act_quant q = c->plan->values[in].q;
    int out = compile_value(c, n->out[0], codes, &q);
    struct step *s = compile_step(c, n->name, codes ? "maxpool_u8" : "maxpool_f32", in, -1, out);
    s->geom = compile_geom(c, n);
    s->kind = codes ? STEP_MAXPOOL_U8 : STEP_MAXPOOL_F32;
    if (codes)
        made_codes(c, n->out[0], q.bits, out);
    else
        made_float(c, n->out[0], out);
    return 0;
}

/* The same memory under another shape; row: which is then row-major. */
static int alias_value(struct compiler *c, int v, int tensor, bool row)
{
    const struct act_quant q = c->plan->values[v].q;
    int out = compile_value(c, tensor, c->plan->values[v].codes, &q);
    struct value *x = &c->plan->values[out];
    x->alias = v;
    x->row = row;
    x->first = x->last = c->plan->n_steps > 0 ? c->plan->n_steps - 1 : 0;
    return out;
}

static int emit_reshape(struct compiler *c, const struct node *n, bool codes, struct err *e)
{
    const struct shape *from = &c->g->tensors[n->in[0]].shape, *to = &c->g->tensors[n->out[0]].shape;
    int in = codes ? compile_any_codes(c, n->in[0], e) : compile_row(c, n->in[0], e);
    if (in < 0)
        return -1;
    if (codes && compile_is_permuted(from))
        in = compile_permute(c, in, from, true);
    int out = alias_value(c, in, n->out[0], true);
    if (!codes) {
        c->forms[n->out[0]].as_row = out;
        c->forms[n->out[0]].float_made = true;
        return 0;
    }
    if (compile_is_permuted(to))
        out = compile_permute(c, out, to, false);
    made_codes(c, n->out[0], c->plan->values[out].q.bits, out);
    return 0;
}

/* Whether the order of one side of a transpose is the order of the other: then nothing has to move. */
static bool is_same_memory(const struct compiler *c, const struct node *n, bool row_in, bool row_out)
{
    const struct shape *from = &c->g->tensors[n->in[0]].shape, *to = &c->g->tensors[n->out[0]].shape;
    int64_t src[SHAPE_MAX] = {0}, dst[SHAPE_MAX] = {0};
    (row_in ? compile_row_major : compile_strides)(from, src);
    (row_out ? compile_row_major : compile_strides)(to, dst);
    for (int i = 0; i < to->n; i++)
        if (to->d[i] > 1 && dst[i] != src[n->perm[i]])
            return false;
    return true;
}

/* A row-major [h][w][c] is what [c][h][w] is stored as, and the other way around: images of NHWC models come in, and
 * results leave, without a copy. Returns 1 when that is so here, 0 when it is not. */
static int emit_free_transpose(struct compiler *c, const struct node *n, bool codes, struct err *e)
{
    struct forms *in = &c->forms[n->in[0]], *out = &c->forms[n->out[0]];
    bool enters = in->as_row >= 0 && is_same_memory(c, n, true, false);
    if (codes) {
        struct act_quant q;
        for (int b = 1; b <= BITS_MAX; b++)
            enters &= in->as_codes[b] < 0;
        if (!enters)
            return 0;
        if (compile_quantizer(c, n->in[0], BITS_MAX, &q, e))
            return -1;
        int v = compile_value(c, n->out[0], true, &q);
        compile_step(c, c->g->tensors[n->in[0]].name, "quantize_u8", in->as_row, -1, v)->kind = STEP_QUANTIZE;
        made_codes(c, n->out[0], q.bits, v);
        return 1;
    }
    if (enters)
        out->as_float = alias_value(c, in->as_row, n->out[0], false);
    else if (in->as_float >= 0 && is_same_memory(c, n, false, true))
        out->as_row = alias_value(c, in->as_float, n->out[0], true);
    else
        return 0;
    out->float_made = true;
    return 1;
}

/* Transpose, Slice, Pad: one strided copy. */
static int emit_copy(struct compiler *c, const struct node *n, bool codes, struct err *e)
{
    const struct shape *from = &c->g->tensors[n->in[0]].shape, *to = &c->g->tensors[n->out[0]].shape;
    int in = codes ? compile_any_codes(c, n->in[0], e) : compile_float(c, n->in[0], e);
    if (in < 0)
        return -1;
    const struct act_quant q = c->plan->values[in].q;
    int out = compile_value(c, n->out[0], codes, &q);
    struct step *s = compile_step(c, n->name, "copy", in, -1, out);
    s->kind = codes ? STEP_COPY_U8 : STEP_COPY_F32;
    int64_t src[SHAPE_MAX], dst[SHAPE_MAX];
    compile_strides(from, src);
    compile_strides(to, dst);
    struct copy_dims *k = &s->copy;
    k->n = from->n;
    for (int i = 0; i < from->n; i++) {
        k->d[i] = n->op == OP_PAD ? from->d[i] : to->d[i];
        k->ds[i] = dst[i];
        k->ss[i] = n->op == OP_TRANSPOSE ? src[n->perm[i]] : n->op == OP_SLICE ? src[i] * n->step[i] : src[i];
        if (n->op == OP_SLICE)
            k->src_at += src[i] * n->begin[i];
        if (n->op == OP_PAD)
            k->dst_at += dst[i] * n->pads_begin[i];
    }
    if (n->op == OP_PAD) {
        s->fill = codes ? range_pad_code(&q) : 1;
        s->alpha = n->value;
        for (int i = 0; i < from->n; i++)
            if (n->pads_begin[i] < 0 || n->pads_end[i] < 0)
                return err_set(e, "%s: node \"%s\": Pad with negative pads is not supported", c->g->file, n->name);
    }
    if (k->n == 0) {
        k->n = 1;
        k->d[0] = k->ss[0] = k->ds[0] = 1;
    }
    if (codes)
        made_codes(c, n->out[0], q.bits, out);
    else
        made_float(c, n->out[0], out);
    return 0;
}

static int emit_concat(struct compiler *c, const struct node *n, bool codes, struct err *e)
{
    struct act_quant q = {0};
    if (codes && output_quantizer(c, n->out[0], &q, e))
        return -1;
    const struct shape *to = &c->g->tensors[n->out[0]].shape;
    int out = compile_value(c, n->out[0], codes, &q);
    int64_t at = 0, dst[SHAPE_MAX];
    compile_strides(to, dst);
    for (int i = 0; i < n->n_in; i++) {
        const struct shape *from = &c->g->tensors[n->in[i]].shape;
        int in = codes ? compile_any_codes(c, n->in[i], e) : compile_float(c, n->in[i], e);
        if (in < 0)
            return -1;
        if (codes)
            in = compile_requantize(c, in, n->in[i], &q);
        struct step *s = compile_step(c, n->name, "copy", in, -1, out);
        s->kind = codes ? STEP_COPY_U8 : STEP_COPY_F32;
        s->copy.n = from->n;
        memcpy(s->copy.d, from->d, sizeof s->copy.d);
        (c->plan->values[in].constant ? compile_row_major : compile_strides)(from, s->copy.ss);
        memcpy(s->copy.ds, dst, sizeof dst);
        s->copy.dst_at = at * dst[n->axis];
        at += from->d[n->axis];
    }
    if (codes)
        made_codes(c, n->out[0], q.bits, out);
    else
        made_float(c, n->out[0], out);
    return 0;
}

/* Strides of an operand for every dimension of the output, 0 where it is broadcast. */
static void broadcast_strides(const struct compiler *c, int tensor, int value, const struct shape *to, int64_t *out)
{
    const struct shape *s = &c->g->tensors[tensor].shape;
    int64_t own[SHAPE_MAX] = {0};
    (c->plan->values[value].constant ? compile_row_major : compile_strides)(s, own);
    for (int i = 0; i < to->n; i++) {
        int k = i - (to->n - s->n);
        out[i] = k < 0 || s->d[k] == 1 ? 0 : own[k];
    }
}

/* One dimension at least, and none that could be one with its neighbour. */
static void flatten_broadcast(struct broadcast *b)
{
    int n = 0;
    for (int k = 0; k < b->n; k++) {
        bool joins = n > 0 && b->a[n - 1] == b->a[k] * b->d[k] && b->b[n - 1] == b->b[k] * b->d[k];
        if (b->d[k] == 1)
            continue;
        b->d[n - joins] = joins ? b->d[n - 1] * b->d[k] : b->d[k];
        b->a[n - joins] = b->a[k];
        b->b[n - joins] = b->b[k];
        n += !joins;
    }
    if (n == 0) {
        b->d[0] = 1;
        b->a[0] = b->b[0] = 0;
        n = 1;
    }
    b->n = n;
}

static int emit_binary(struct compiler *c, const struct node *n, struct err *e)
{
    int a = compile_float(c, n->in[0], e), b = a < 0 ? -1 : compile_float(c, n->in[1], e);
    if (b < 0)
        return -1;
    int out = compile_value(c, n->out[0], false, NULL);
    struct step *s = compile_step(c, n->name, n->op == OP_ADD ? "add_f32" : "mul_f32", a, b, out);
    const struct shape *to = &c->g->tensors[n->out[0]].shape;
    int64_t sa[SHAPE_MAX], sb[SHAPE_MAX];
    broadcast_strides(c, n->in[0], a, to, sa);
    broadcast_strides(c, n->in[1], b, to, sb);
    static const int nhwc[4] = {0, 2, 3, 1}; /* outputs are written in storage order */
    s->cast.n = to->n;
    for (int i = 0; i < to->n; i++) {
        int k = to->n == 4 ? nhwc[i] : i;
        s->cast.d[i] = to->d[k];
        s->cast.a[i] = sa[k];
        s->cast.b[i] = sb[k];
    }
    s->op = n->op;
    s->lo = n->act_lo;
    s->hi = n->act_hi;
    bool same = n->op == OP_ADD && !memcmp(sa, sb, (size_t)to->n * sizeof *sa);
    for (int i = 0; i < to->n; i++)
        same &= to->d[i] == 1 || sa[i] != 0;
    flatten_broadcast(&s->cast);
    s->kind = same ? STEP_ADD_F32 : STEP_BINARY_F32;
    made_float(c, n->out[0], out);
    return 0;
}

static int emit_average_float(struct compiler *c, const struct node *n, struct step *s)
{
    struct conv_geom *g = &s->geom;
    *g = compile_geom(c, n);
    const struct window *w = &n->window;
    bool padded = n->op == OP_AVERAGE_POOL && w->count_include_pad;
    float *scale = arena_new(&c->plan->arena, (size_t)g->oh * (size_t)g->ow, sizeof *scale);
    int lo_h = padded ? -w->pad_top : 0, hi_h = g->h + (padded ? w->pad_bottom : 0);
    int lo_w = padded ? -w->pad_left : 0, hi_w = g->w + (padded ? w->pad_right : 0);
    for (int y = 0; y < g->oh; y++)
        for (int x = 0; x < g->ow; x++) {
            int taps = 0;
            for (int i = 0; i < g->kh; i++)
                for (int j = 0; j < g->kw; j++) {
                    int row = y * g->stride_h - g->pad_top + i * g->dilation_h;
                    int col = x * g->stride_w - g->pad_left + j * g->dilation_w;
                    taps += row >= lo_h && row < hi_h && col >= lo_w && col < hi_w;
                }
            scale[y * g->ow + x] = taps ? 1 / (float)taps : 0;
        }
    s->scale = scale;
    s->kind = STEP_AVGPOOL_F32;
    s->kernel = "avgpool_f32";
    return 0;
}

static int emit_softmax(const struct shape *shape, const struct node *n, struct step *s)
{
    int64_t strides[SHAPE_MAX];
    compile_strides(shape, strides);
    s->inner = shape->d[n->axis];
    s->stride = strides[n->axis];
    s->outer = shape_count(shape) / (s->inner * s->stride);
    s->kind = STEP_SOFTMAX_F32;
    s->kernel = "softmax_f32";
    return 0;
}

static int emit_affine(struct compiler *c, const struct node *n, struct step *s, struct err *e)
{
    const struct shape *shape = &c->g->tensors[n->out[0]].shape;
    const struct tensor *scale = &c->g->tensors[n->in[1]], *shift = &c->g->tensors[n->in[2]];
    if (!scale->data || !shift->data)
        return err_set(e, "%s: node \"%s\": batch-norm parameters must be constant", c->g->file, n->name);
    int64_t strides[SHAPE_MAX];
    compile_strides(shape, strides);
    s->scale = scale->data;
    s->bias = shift->data;
    s->inner = shape->n > 1 ? shape->d[1] : shape->d[0];
    s->stride = shape->n > 1 ? strides[1] : 1;
    s->kind = STEP_AFFINE_F32;
    s->kernel = "affine_f32";
    return 0;
}

static int emit_float(struct compiler *c, const struct node *n, struct err *e)
{
    int in = compile_float(c, n->in[0], e);
    if (in < 0)
        return -1;
    int out = compile_value(c, n->out[0], false, NULL), failed = 0;
    struct step *s = compile_step(c, n->name, "unary_f32", in, -1, out);
    s->op = n->op;
    s->alpha = n->alpha;
    s->lo = n->act_lo;
    s->hi = n->act_hi;
    switch (n->op) {
    case OP_BATCHNORM:
        failed = emit_affine(c, n, s, e);
        break;
    case OP_AVERAGE_POOL:
    case OP_GLOBAL_AVERAGE_POOL:
        failed = emit_average_float(c, n, s);
        break;
    case OP_SOFTMAX:
        failed = emit_softmax(&c->g->tensors[n->in[0]].shape, n, s);
        break;
    case OP_CLIP:
    case OP_LEAKY_RELU:
    case OP_SIGMOID:
    case OP_HARD_SWISH:
        s->kind = STEP_UNARY_F32;
        break;
    default:
        return err_set(e, "%s: node \"%s\": operator %s cannot be run", c->g->file, n->name, n->op_type);
    }
    made_float(c, n->out[0], out);
    return failed;
}

int emit_op(struct compiler *c, int node, struct err *e)
{
    const struct node *n = &c->g->nodes[node];
    bool codes = c->on_codes[node];
    switch (n->op) {
    case OP_CALL:
        return codes ? emit_unary_codes(c, n, e) : emit_call(c, n, e);
    case OP_SNAP:
        return emit_snap(c, node, e);
    case OP_ADD:
        return codes ? emit_add_codes(c, n, e) : emit_binary(c, n, e);
    case OP_MUL:
        return emit_binary(c, n, e);
    case OP_MAX_POOL:
        return emit_maxpool(c, n, codes, e);
    case OP_RESHAPE:
        return emit_reshape(c, n, codes, e);
    case OP_TRANSPOSE: {
        int is_free = emit_free_transpose(c, n, codes, e);
        return is_free < 0 ? -1 : is_free ? 0 : emit_copy(c, n, codes, e);
    }
    case OP_SLICE:
    case OP_PAD:
        return emit_copy(c, n, codes, e);
    case OP_CONCAT:
        return emit_concat(c, n, codes, e);
    case OP_AVERAGE_POOL:
    case OP_GLOBAL_AVERAGE_POOL:
        return codes ? emit_average_codes(c, n, e) : emit_float(c, n, e);
    case OP_CLIP:
    case OP_LEAKY_RELU:
    case OP_SIGMOID:
    case OP_HARD_SWISH:
        return codes ? emit_unary_codes(c, n, e) : emit_float(c, n, e);
    default:
        return emit_float(c, n, e);
    }
}
