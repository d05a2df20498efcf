/* SPDX-License-Identifier: MIT */
#include "bench/layer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "bench/turns.h"

enum { SAMPLES = 200, SHIFT = 36, TRIAL_ROUNDS = 5, HOPELESS = 3 };
static const int64_t trial_ns = 500 * 1000;

const char *levels_name(enum levels l)
{
    static const char *const names[] = {"uniform", "powers", "codebook", "ternary", "binary"};
    return names[l];
}

static size_t row_size(const struct conv_geom *g)
{
    return (size_t)(g->kh * g->kw) * (size_t)(g->cin / g->groups);
}

static size_t output_count(const struct conv_geom *g)
{
    return (size_t)g->oh * (size_t)g->ow * (size_t)g->cout;
}

double layer_operations(const struct conv_geom *g)
{
    return 2.0 * (double)output_count(g) * (double)row_size(g);
}

struct conv_geom layer_geom(int cin, int size, int cout, int kernel, int stride, int groups)
{
    int out = (size + stride - 1) / stride;
    return (struct conv_geom){.cin = cin,
                              .h = size,
                              .w = size,
                              .cout = cout,
                              .kh = kernel,
                              .kw = kernel,
                              .stride_h = stride,
                              .stride_w = stride,
                              .pad_top = kernel / 2,
                              .pad_left = kernel / 2,
                              .dilation_h = 1,
                              .dilation_w = 1,
                              .groups = groups,
                              .oh = out,
                              .ow = out};
}

/* How many codes weights use. */
static int make_levels(const struct layer_spec *s, struct rng *r, int8_t level[256])
{
    int n = 1 << s->w_bits;
    for (int c = 0; c < n; c++) {
        int i = c - n / 2;
        level[c] = (int8_t)(i < -127 ? -127 : i);
        if (s->levels == LEVELS_BINARY)
            level[c] = (int8_t)(2 * c - 1);
        else if (s->levels == LEVELS_TERNARY)
            level[c] = (int8_t)(c < 3 ? c - 1 : 0);
        else if (s->levels == LEVELS_POWERS) /* .. -4 -2 -1 0 1 2 4 .., the lowest code as the one above it */
            level[c] = (int8_t)(i == 0 ? 0 : i < 0 ? -(1 << (i == -n / 2 ? -i - 2 : -i - 1)) : 1 << (i - 1));
        else if (s->levels == LEVELS_CODEBOOK)
            level[c] = (int8_t)((2 * c + 1 - n) * 120 / n + (int)rng_below(r, (uint32_t)(100 / n)));
    }
    return s->levels == LEVELS_TERNARY ? 3 : n;
}

static void make_values(struct bench_layer *l)
{
    const struct layer_spec *s = &l->spec;
    struct rng r;
    rng_init(&r, 1);
    int n = make_levels(s, &r, l->level), lowest = s->w_bits == 8; /* code 0 of 8 bits is not used */
    size_t n_in = (size_t)s->g.h * (size_t)s->g.w * (size_t)s->g.cin, n_w = (size_t)s->g.cout * row_size(&s->g);
    uint32_t a_codes = s->a_codes ? (uint32_t)s->a_codes : 1u << s->a_bits;
    l->in = mem_new(n_in, 1);
    l->codes = mem_new(n_w, 1);
    l->weights = mem_new(n_w, 1);
    for (size_t i = 0; i < n_in; i++)
        l->in[i] = (uint8_t)rng_below(&r, a_codes);
    for (size_t i = 0; i < n_w; i++) {
        l->codes[i] = (uint8_t)(lowest + (int)rng_below(&r, (uint32_t)(n - lowest)));
        l->weights[i] = l->level[l->codes[i]];
    }
}

static int32_t plain_sum(const struct bench_layer *l, size_t at)
{
    const struct conv_geom *g = &l->spec.g;
    int cg = g->cin / g->groups, co = (int)(at % (size_t)g->cout), pixel = (int)(at / (size_t)g->cout);
    int y0 = pixel / g->ow * g->stride_h - g->pad_top, x0 = pixel % g->ow * g->stride_w - g->pad_left;
    int first = co / (g->cout / g->groups) * cg;
    const int8_t *w = l->weights + (size_t)co * row_size(g);
    int32_t sum = 0;
    for (int ky = 0; ky < g->kh; ky++)
        for (int kx = 0; kx < g->kw; kx++, w += cg) {
            int y = y0 + ky * g->dilation_h, x = x0 + kx * g->dilation_w;
            if (y < 0 || y >= g->h || x < 0 || x >= g->w)
                continue; /* padding is code 0 */
            const uint8_t *a = l->in + ((size_t)y * (size_t)g->w + (size_t)x) * (size_t)g->cin + first;
            for (int c = 0; c < cg; c++)
                sum += a[c] * w[c];
        }
    return sum;
}

/* The i-th output to be compared: the corners of the output among them. */
static size_t sample_at(const struct bench_layer *l, int i)
{
    size_t n = output_count(&l->spec.g);
    return i == SAMPLES - 1 ? n - 1 : n * (size_t)i / SAMPLES + (i ? (size_t)i * 7919 % (n / SAMPLES + 1) : 0);
}

static int top_code(const struct bench_layer *l)
{
    return (1 << l->spec.a_bits) - 1;
}

/* A scale that spreads the sums over the codes. */
static void make_requant(struct bench_layer *l)
{
    const struct conv_geom *g = &l->spec.g;
    int64_t most = 1;
    for (int i = 0; i < SAMPLES; i++) {
        int64_t sum = plain_sum(l, sample_at(l, i));
        most = llabs(sum) > most ? llabs(sum) : most;
    }
    int32_t *m = mem_new((size_t)g->cout, sizeof *m);
    int64_t *b = mem_new((size_t)g->cout, sizeof *b);
    int32_t multiplier = requant_multiplier(ldexp(top_code(l), SHIFT) / (double)most);
    for (int c = 0; c < g->cout; c++) {
        m[c] = multiplier;
        b[c] = INT64_C(1) << (SHIFT - 1);
    }
    l->scale = ldexp(multiplier, -SHIFT);
    l->rq = (struct requant){.m = m, .b = b, .shift = SHIFT, .hi = top_code(l)};
}

/* A kernel with what it prepared for the layer. */
struct layer_kernel {
    const struct bench_layer *layer;
    const struct conv_kernel *kernel;
    void *packed, *prepared, *scratch;
};

static void run_kernel(void *kernel)
{
    const struct layer_kernel *k = kernel;
    const struct bench_layer *l = k->layer;
    struct conv_call call = {.in = l->in, .packed = k->packed, .prepared = k->prepared, .scratch = k->scratch};
    if (l->spec.sums) {
        call.out_s32 = l->out;
    } else {
        call.out_u8 = l->out;
        call.rq = &l->rq;
    }
    k->kernel->run(&l->spec.g, l->spec.a_bits, &call);
}

void layer_run(void *layer)
{
    const struct bench_layer *l = layer;
    struct layer_kernel k = {l, l->kernel, l->packed, l->prepared, l->scratch};
    run_kernel(&k);
}

static int check(const struct bench_layer *l, const char *kernel, struct err *e)
{
    for (int i = 0; i < SAMPLES; i++) {
        size_t at = sample_at(l, i);
        int64_t want = plain_sum(l, at), got;
        if (l->spec.sums) {
            got = ((const int32_t *)l->out)[at];
        } else {
            want = (want * l->rq.m[0] + l->rq.b[0]) >> SHIFT;
            want = want < 0 ? 0 : want > l->rq.hi ? l->rq.hi : want;
            got = ((const uint8_t *)l->out)[at];
        }
        if (got != want)
            return err_set(e, "%s w%da%d: output %zu is %lld and should be %lld", kernel, l->spec.w_bits,
                           l->spec.a_bits, at, (long long)got, (long long)want);
    }
    return 0;
}

int layer_compare(const struct bench_layer *l, const void *out, int top, const char *who, struct err *e)
{
    const int off = l->spec.sums ? 0 : 1;
    for (size_t i = 0; i < output_count(&l->spec.g); i++) {
        int64_t ours = l->spec.sums ? ((const int32_t *)l->out)[i] : ((const uint8_t *)l->out)[i];
        int64_t theirs = l->spec.sums ? ((const int32_t *)out)[i] : ((const uint8_t *)out)[i];
        ours = !l->spec.sums && ours > top ? top : ours;
        if (llabs(ours - theirs) > off)
            return err_set(e, "output %zu is %lld here and %lld in %s", i, (long long)ours, (long long)theirs, who);
    }
    return 0;
}

static struct conv_weights layer_conv_weights(const struct bench_layer *l)
{
    return (struct conv_weights){l->codes, l->spec.w_bits, l->level};
}

size_t layer_weights_size(const struct bench_layer *l)
{
    const struct conv_weights w = layer_conv_weights(l);
    return l->kernel->packed_size(&l->spec.g, l->spec.a_bits, &w);
}

static void kernel_init(struct layer_kernel *k, const struct bench_layer *l, const struct conv_kernel *kernel)
{
    const struct conv_geom *g = &l->spec.g;
    const struct conv_weights w = layer_conv_weights(l);
    *k = (struct layer_kernel){l, kernel};
    k->packed = mem_new(kernel->packed_size(g, l->spec.a_bits, &w) + 1, 1);
    k->prepared = mem_new(kernel->prepared_size(g, l->spec.a_bits, &w) + 1, 1);
    k->scratch = mem_new(kernel->scratch_size(g, l->spec.a_bits, &w) + 1, 1);
    kernel->pack(g, l->spec.a_bits, &w, k->packed);
    kernel->prepare(g, l->spec.a_bits, k->packed, l->spec.sums ? NULL : &l->rq, k->prepared);
}

static void kernel_done(struct layer_kernel *k)
{
    mem_free(k->packed);
    mem_free(k->prepared);
    mem_free(k->scratch);
}

int layer_find_kernels(const struct bench_layer *l, const struct conv_kernel *found[LAYER_KERNELS_MAX])
{
    const struct conv_weights w = layer_conv_weights(l);
    int n = 0;
    if ((found[0] = l->spec.kernel))
        return 1;
    for (int i = 0; i < conv_kernel_count && n < LAYER_KERNELS_MAX; i++) {
        const struct conv_kernel *k = conv_kernels[i];
        if (k->family != FAMILY_REFERENCE && isa_enabled(k->isa) && k->can(&l->spec.g, l->spec.a_bits, &w))
            found[n++] = k;
    }
    if (n == 0)
        found[n++] = conv_kernel_find(&l->spec.g, l->spec.a_bits, &w);
    return n;
}

int layer_init(struct bench_layer *l, const struct layer_spec *s, struct err *e)
{
    const struct conv_kernel *found[LAYER_KERNELS_MAX];
    struct layer_kernel kernels[LAYER_KERNELS_MAX];
    struct turn turns[LAYER_KERNELS_MAX] = {{0}};
    *l = (struct bench_layer){.spec = *s};
    make_values(l);
    make_requant(l);
    l->out = mem_new(output_count(&s->g), s->sums ? sizeof(int32_t) : 1);
    int n = layer_find_kernels(l, found), best = 0, status = 0;
    for (int i = 0; i < n; i++) {
        kernel_init(&kernels[i], l, found[i]);
        turns[i] = (struct turn){.run = run_kernel, .state = &kernels[i]};
        turns_take(&turns[i], 1, 1, 0);
        status = status || check(l, found[i]->name, e);
        best = turns[i].ns < turns[best].ns ? i : best;
    }
    for (int i = 0; i < n; i++)
        if (turns[i].ns > HOPELESS * turns[best].ns)
            turns[i].state = NULL;
    if (n > 1 && !status)
        turns_take(turns, n, TRIAL_ROUNDS, trial_ns);
    for (int i = 1; i < n; i++)
        best = turns[i].ns < turns[best].ns ? i : best;
    for (int i = 0; i < n; i++)
        if (i != best)
            kernel_done(&kernels[i]);
    l->kernel = found[best];
    l->packed = kernels[best].packed;
    l->prepared = kernels[best].prepared;
    l->scratch = kernels[best].scratch;
    layer_run(l);
    return status ? -1 : check(l, l->kernel->name, e);
}

void layer_done(struct bench_layer *l)
{
    void *all[] = {l->in,
                   l->codes,
                   l->weights,
                   l->out,
                   l->packed,
                   l->prepared,
                   l->scratch,
                   (void *)(uintptr_t)l->rq.m,
                   (void *)(uintptr_t)l->rq.b};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        mem_free(all[i]);
    *l = (struct bench_layer){0};
}
