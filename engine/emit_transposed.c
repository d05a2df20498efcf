/* SPDX-License-Identifier: MIT
 *
 * Transposed convolutions, as ordinary ones. With strides s, outputs whose position (counted with the padding) has the
 * same remainder by s see the same taps, at neighbouring inputs: each such phase is a convolution of stride 1 with a
 * part of the taps, in reverse order, and its result goes to every s-th output (the sub-pixel view of Shi et al. 2016,
 * arXiv 1609.07009). No multiplication with a zero, and every convolution kernel at every width serves.
 */
#include <string.h>

#include "base/num.h"
#include "engine/compile.h"
#include "engine/weight_cache.h"
#include "quant/weights.h"

/* One axis of one phase. Output first + s * j reads tap taps[i] (-1: a zero) of the input at j - pad + i * dilation. */
struct phase {
    int first, count; /* outputs */
    int taps[64], n;
    int pad, dilation;
};
enum { PHASE_TAPS = sizeof((struct phase *)0)->taps / sizeof(int), PHASES_MOST = 1024 };

/* False when there are more taps than a phase has room for. A tap k reaches input (y + pad - k * dilation) / stride. */
static bool find_phase(int remainder, int kernel, int stride, int dilation, int pad, int out, struct phase *p)
{
    int last = 0, step = dilation / gcd_int(dilation, stride), n = 0;
    for (int k = 0; k < kernel; k++)
        if (k * dilation % stride == remainder) {
            last = (k * dilation - remainder) / stride;
            n++;
        }
    p->first = (remainder - pad % stride + stride) % stride;
    p->count = p->first < out ? (out - p->first + stride - 1) / stride : 0;
    int from = (p->first + pad - remainder) / stride; /* input of the tap with no offset, for the first output */
    p->dilation = step;
    p->pad = last - from;
    int zeros = n ? 0 : 1; /* so that there is a tap, and none begins inside of the image */
    while (p->pad < 0) {
        p->pad += step;
        zeros++;
    }
    p->n = zeros + n;
    if (p->n > PHASE_TAPS)
        return false;
    for (int i = 0; i < zeros; i++)
        p->taps[i] = -1;
    for (int k = 0, i = p->n; k < kernel; k++)
        if (k * dilation % stride == remainder)
            p->taps[--i] = k;
    return true;
}

struct transposed {
    struct compiler *c;
    const struct node *n;
    int layer, in, out;
    struct phase *rows, *columns; /* [stride_h], [stride_w] */
    const struct quant_weights *codes;
    const float *floats; /* [cout][kh][kw][cin/g], where there are no codes */
    int *parts;          /* values of the phases, -1 where one has no output */
};

/* A zero tap needs a code that stands for 0: two levels become the same integers of a 2-bit code. */
static void widen_binary(struct quant_weights *q)
{
    for (size_t i = 0; i < (size_t)q->cout * (size_t)q->k; i++)
        q->codes[i] = (uint8_t)(q->levels[q->codes[i]] + 2);
    for (int i = 0; i < 4; i++)
        q->levels[i] = (int8_t)(i - 2);
    q->bits = 2;
}

static int zero_code(const struct quant_weights *q)
{
    for (int i = 0; i < 1 << q->bits; i++)
        if (q->levels[i] == 0)
            return i;
    return 0;
}

/* Elements of `size` bytes of a phase's taps, [cout][rows][columns][cin/g]; where a tap is none, `zero`. */
static void pick_taps(const struct transposed *t, const struct phase *y, const struct phase *x, size_t cin,
                      const char *from, size_t size, const void *zero, char *to)
{
    const struct window *w = &t->n->window;
    size_t cout = (size_t)t->c->g->layers[t->layer].cout;
    for (size_t o = 0; o < cout; o++)
        for (int i = 0; i < y->n; i++)
            for (int j = 0; j < x->n; j++, to += cin * size) {
                size_t tap = (o * (size_t)w->kh + (size_t)y->taps[i]) * (size_t)w->kw + (size_t)x->taps[j];
                if (y->taps[i] >= 0 && x->taps[j] >= 0)
                    memcpy(to, from + tap * cin * size, cin * size);
                else
                    for (size_t k = 0; k < cin; k++)
                        memcpy(to + k * size, zero, size);
            }
}

static void emit_phase(const struct transposed *t, const struct phase *y, const struct phase *x, int to)
{
    struct compiler *c = t->c;
    struct conv_job job = {.name = t->n->name,
                           .layer = t->layer,
                           .bias = layer_bias(c, t->n),
                           .lo = t->n->act_lo,
                           .hi = t->n->act_hi,
                           .in = t->in,
                           .residual = -1,
                           .out = to};
    struct conv_geom *g = &job.geom;
    *g = compile_geom(c, t->n);
    g->kh = y->n;
    g->kw = x->n;
    g->stride_h = g->stride_w = 1;
    g->pad_top = y->pad;
    g->pad_left = x->pad;
    g->dilation_h = y->dilation;
    g->dilation_w = x->dilation;
    g->oh = y->count;
    g->ow = x->count;
    size_t cin = (size_t)(g->cin / g->groups), k = (size_t)(g->kh * g->kw) * cin, n = (size_t)g->cout * k;
    const char **kernel = &c->plan->layers[t->layer].kernel;
    if (!t->codes) {
        float *w = mem_new(n, sizeof *w);
        const float zero = 0;
        pick_taps(t, y, x, cin, (const char *)t->floats, sizeof *w, &zero, (char *)w);
        *kernel = emit_conv_float(c, &job, w);
        mem_free(w);
        return;
    }
    struct quant_weights part = *t->codes;
    part.k = (int)k;
    part.codes = mem_new(n, 1);
    uint8_t zero = (uint8_t)zero_code(&part);
    pick_taps(t, y, x, cin, (const char *)t->codes->codes, 1, &zero, (char *)part.codes);
    job.weights = &part;
    *kernel = emit_conv_codes(c, &job);
    mem_free(part.codes);
}

/* The phase's outputs to where they belong. */
static void emit_spread(const struct transposed *t, const struct phase *y, const struct phase *x, int from)
{
    const struct shape *to = &t->c->g->tensors[t->n->out[0]].shape;
    int64_t cout = to->d[1], row = to->d[3] * cout;
    struct step *s = compile_step(t->c, t->n->name, "copy", from, -1, t->out);
    s->layer = t->layer;
    s->kind = t->c->plan->values[t->out].codes ? STEP_COPY_U8 : STEP_COPY_F32;
    s->copy = (struct copy_dims){.n = 3,
                                 .d = {y->count, x->count, cout},
                                 .ss = {x->count * cout, cout, 1},
                                 .ds = {t->n->window.stride_h * row, t->n->window.stride_w * cout, 1},
                                 .dst_at = y->first * row + x->first * cout};
}

/* First all phases, then all copies: the output is whole when its last step has run. */
static void emit_phases(struct transposed *t)
{
    int sh = t->n->window.stride_h, sw = t->n->window.stride_w;
    const struct value out = t->c->plan->values[t->out];
    if (sh == 1 && sw == 1) {
        emit_phase(t, &t->rows[0], &t->columns[0], t->out);
        return;
    }
    for (int i = 0; i < sh * sw; i++) {
        const struct phase *y = &t->rows[i / sw], *x = &t->columns[i % sw];
        t->parts[i] = -1;
        if (!y->count || !x->count)
            continue;
        int v = t->parts[i] = compile_value(t->c, out.tensor, out.codes, &out.q);
        t->c->plan->values[v].count = (int64_t)y->count * x->count * t->c->g->layers[t->layer].cout;
        t->c->plan->values[v].part = true;
        emit_phase(t, y, x, v);
    }
    for (int i = 0; i < sh * sw; i++)
        if (t->parts[i] >= 0)
            emit_spread(t, &t->rows[i / sw], &t->columns[i % sw], t->parts[i]);
}

static int find_phases(struct transposed *t, struct arena *scratch, struct err *e)
{
    const struct window *w = &t->n->window;
    const struct shape *to = &t->c->g->tensors[t->n->out[0]].shape;
    bool fits = (int64_t)w->stride_h * w->stride_w <= PHASES_MOST;
    t->rows = arena_new(scratch, fits ? (size_t)w->stride_h : 1, sizeof *t->rows);
    t->columns = arena_new(scratch, fits ? (size_t)w->stride_w : 1, sizeof *t->columns);
    t->parts = arena_new(scratch, fits ? (size_t)w->stride_h * (size_t)w->stride_w : 1, sizeof *t->parts);
    for (int r = 0; fits && r < w->stride_h; r++)
        fits = find_phase(r, w->kh, w->stride_h, w->dilation_h, w->pad_top, (int)to->d[2], &t->rows[r]);
    for (int r = 0; fits && r < w->stride_w; r++)
        fits = find_phase(r, w->kw, w->stride_w, w->dilation_w, w->pad_left, (int)to->d[3], &t->columns[r]);
    return fits ? 0
                : err_set(e,
                          "%s: node \"%s\": a transposed convolution with strides %dx%d and a %dx%d window is not "
                          "supported",
                          t->c->g->file, t->n->name, w->stride_h, w->stride_w, w->kh, w->kw);
}

int emit_transposed(struct compiler *c, int node, struct err *e)
{
    struct transposed t = {.c = c, .n = &c->g->nodes[node], .layer = c->layer_of[node]};
    const struct precision p = c->plan->layers[t.layer].applied;
    bool integer = c->on_codes[node];
    struct arena scratch = {0};
    struct quant_weights wide = {0};
    float *floats = NULL;
    int rc = -1, tensor = t.n->out[0], bits = integer ? forms_stored_bits(&c->forms[tensor]) : 0;
    struct act_quant q = {0};
    if (find_phases(&t, &scratch, e) || (bits && compile_quantizer(c, tensor, bits, &q, e)))
        goto out;
    t.in = integer ? compile_codes(c, t.n->in[0], p.a_bits, e) : emit_rounded(c, t.n->in[0], p.a_bits, t.n->name, e);
    if (t.in < 0)
        goto out;
    if (integer) {
        wide = *weight_cache_get(c->cache, c->g, t.layer, 0, &p);
        size_t n = (size_t)wide.cout * (size_t)wide.k;
        wide.codes = memcpy(arena_new(&scratch, n, 1), wide.codes, n);
        if (wide.bits == 1)
            widen_binary(&wide);
        t.codes = &wide;
    } else {
        t.floats = floats = emit_float_weights(c, t.layer, 0);
    }
    t.out = compile_value(c, tensor, bits != 0, &q);
    emit_phases(&t);
    if (bits)
        c->forms[tensor].as_codes[bits] = t.out;
    else
        c->forms[tensor].as_float = t.out;
    c->forms[tensor].float_made = !bits;
    rc = 0;
out:
    mem_free(floats);
    arena_done(&scratch);
    return rc;
}
