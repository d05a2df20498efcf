/* SPDX-License-Identifier: MIT
 *
 * Every row of float_conv_kernels[] (and the AVX-512 rows compiled to portable code) against a convolution written out
 * here in double. Sums may come in any order: a result may be off by a millionth of the sum of its terms' magnitudes.
 * Every buffer ends where an unreadable page begins.
 */
#include <check.h>
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "kernels/float_conv.h"
#include "tests/guard.h"

Suite *check_float_conv_suite(void);

#if defined(__x86_64__)
extern const struct float_conv_kernel conv_f32_avx512_simde, dwconv_f32_avx512_simde;
#endif

enum { ROUNDS = 400, KINDS = 5 };

/* The i-th kernel this machine can run, NULL after the last. */
static const struct float_conv_kernel *runnable(int i)
{
#if defined(__x86_64__)
    static const struct float_conv_kernel *const portable[] = {&conv_f32_avx512_simde, &dwconv_f32_avx512_simde};
    for (int k = 0; k < 2 && isa_supported(ISA_AVX2); k++)
        if (i-- == 0)
            return portable[k];
#endif
    for (int k = 0; k < float_conv_kernel_count; k++)
        if (isa_supported(float_conv_kernels[k]->isa) && i-- == 0)
            return float_conv_kernels[k];
    return NULL;
}

static int between(struct rng *r, int lo, int hi)
{
    return lo + (int)rng_below(r, (uint32_t)(hi - lo + 1));
}

static float *random_floats(struct rng *r, size_t n)
{
    float *p = guard_new(n * sizeof *p);
    for (size_t i = 0; i < n; i++)
        p[i] = (float)(rng_unit(r) * 4 - 2);
    return p;
}

/* Windows, pads and strides of any kind: also some that reach past the image on every side. */
static void random_window(struct rng *r, struct conv_geom *g, int size)
{
    g->h = between(r, 1, size);
    g->w = between(r, 1, size);
    g->kh = between(r, 1, 5);
    g->kw = between(r, 0, 1) ? 3 : between(r, 1, 5);
    g->stride_h = between(r, 1, 3);
    g->stride_w = between(r, 0, 1) ? 1 : between(r, 1, 3);
    g->dilation_h = between(r, 1, 10) > 8 ? 2 : 1;
    g->dilation_w = between(r, 1, 10) > 8 ? 2 : 1;
    g->pad_top = between(r, 0, 2);
    g->pad_left = between(r, 0, 2);
    int y = g->h + g->pad_top + between(r, 0, 2) - (g->kh - 1) * g->dilation_h - 1;
    int x = g->w + g->pad_left + between(r, 0, 2) - (g->kw - 1) * g->dilation_w - 1;
    g->oh = y < 0 ? 1 : y / g->stride_h + 1;
    g->ow = x < 0 ? 1 : x / g->stride_w + 1;
}

static struct conv_geom random_geom(struct rng *r, int kind)
{
    static const int channels[] = {1, 3, 7, 8, 9, 16, 17, 31, 32, 40, 64, 70};
    struct conv_geom g = {1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1};
    g.cin = channels[between(r, 0, 11)];
    g.cout = kind == 0 ? between(r, 1, 140) : channels[between(r, 0, 11)];
    if (kind < 4)
        random_window(r, &g, kind == 3 ? 40 : 14);
    if (kind == 1) { /* groups */
        g.groups = between(r, 2, 4);
        g.cin *= g.groups;
        g.cout *= g.groups;
    }
    if (kind == 2 || kind == 3) { /* depthwise */
        g.groups = g.cin = g.cin == 1 ? 2 : g.cin;
        g.cout = g.cin * (between(r, 0, 5) ? 1 : 2);
    }
    if (kind == 4) { /* products: 1x1 on every pixel */
        g.h = g.oh = between(r, 1, 3) > 1 ? 1 : between(r, 1, 15);
        g.w = g.ow = between(r, 0, 2) ? between(r, 1, 40) : 1;
        g.cin *= between(r, 1, 3);
    }
    return g;
}

struct trial {
    struct conv_geom g;
    float *in, *weights, *bias, *add;
    float lo, hi;
};

/* Sum of channel o at pixel i, and of the magnitudes of its terms. */
static double expected(const struct trial *t, int i, int o, double *magnitude)
{
    const struct conv_geom *g = &t->g;
    int cg = g->cin / g->groups, from = o / (g->cout / g->groups) * cg;
    const float *w = t->weights + (size_t)o * (size_t)(g->kh * g->kw * cg);
    double sum = t->bias ? t->bias[o] : 0;
    *magnitude = 4;
    for (int tap = 0; tap < g->kh * g->kw; tap++) {
        int y = i / g->ow * g->stride_h + tap / g->kw * g->dilation_h - g->pad_top;
        int x = i % g->ow * g->stride_w + tap % g->kw * g->dilation_w - g->pad_left;
        for (int c = 0; c < cg && y >= 0 && y < g->h && x >= 0 && x < g->w; c++) {
            double term = (double)t->in[(y * g->w + x) * g->cin + from + c] * w[tap * cg + c];
            sum += term;
            *magnitude += fabs(term);
        }
    }
    if (t->add)
        sum += t->add[i * g->cout + o];
    return fmin(t->hi, fmax(t->lo, sum));
}

static void try_kernel(const struct float_conv_kernel *k, const struct trial *t)
{
    const struct conv_geom *g = &t->g;
    size_t n_out = (size_t)(g->oh * g->ow * g->cout);
    void *packed = guard_new_aligned(k->packed_size(g)), *scratch = guard_new_aligned(k->scratch_size(g));
    float *out = guard_new(n_out * sizeof *out);
    k->pack(g, t->weights, t->bias, packed);
    guard_protect(packed);
    struct float_conv_call call = {t->in, packed, scratch, t->add, t->lo, t->hi, out};
    k->run(g, &call);
    for (size_t i = 0; i < n_out; i++) {
        double magnitude, want = expected(t, (int)i / g->cout, (int)i % g->cout, &magnitude);
        ck_assert_msg(fabs(out[i] - want) <= 1e-6 * magnitude, "%s: %g, not %g, at %zu of %dx%dx%d k%dx%d g%d", k->name,
                      out[i], want, i, g->oh, g->ow, g->cout, g->kh, g->kw, g->groups);
    }
    int unit = k->channel_unit && g->groups == 1 ? k->channel_unit(g) : g->cout;
    if (unit < g->cout) { /* the same bits, channels in two calls */
        float *parts = guard_new(n_out * sizeof *parts);
        call.out = parts;
        call.channels[1] = (g->cout - 1) / unit * unit;
        k->run(g, &call);
        call.channels[0] = call.channels[1];
        call.channels[1] = g->cout;
        k->run(g, &call);
        ck_assert_msg(!memcmp(parts, out, n_out * sizeof *out), "%s differs with channels in two parts", k->name);
        ck_assert(guard_intact(parts));
        guard_free(parts);
    }
    ck_assert(guard_intact(out) && guard_intact(packed) && guard_intact(scratch));
    guard_free(out);
    guard_free(packed);
    guard_free(scratch);
}

START_TEST(test_shapes)
{
    struct rng r;
    rng_init(&r, 300 + (uint64_t)_i);
    for (int round = 0; round < ROUNDS / KINDS; round++) {
        struct trial t = {.g = random_geom(&r, _i), .lo = -INFINITY, .hi = INFINITY};
        const struct conv_geom *g = &t.g;
        t.in = random_floats(&r, (size_t)(g->h * g->w * g->cin));
        t.weights = random_floats(&r, (size_t)(g->cout * g->kh * g->kw * (g->cin / g->groups)));
        t.bias = between(&r, 0, 4) ? random_floats(&r, (size_t)g->cout) : NULL;
        t.add = between(&r, 0, 1) ? random_floats(&r, (size_t)(g->oh * g->ow * g->cout)) : NULL;
        if (between(&r, 0, 1)) {
            t.lo = -1.5f;
            t.hi = 2.5f;
        }
        const struct float_conv_kernel *k;
        for (int i = 0; (k = runnable(i)); i++)
            if (k->can(g))
                try_kernel(k, &t);
        float *all[] = {t.in, t.weights, t.bias, t.add};
        for (size_t i = 0; i < sizeof all / sizeof *all; i++)
            if (all[i])
                guard_free(all[i]);
    }
}
END_TEST

/* What is not a number stays so, as in the definition: a clamp hides no NaN. */
START_TEST(test_nan)
{
    struct conv_geom g = {1, 1, 40, 33, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 40},
                     d = {20, 1, 9, 20, 1, 3, 1, 1, 0, 1, 1, 1, 20, 1, 9};
    for (int kind = 0; kind < 2; kind++) {
        const struct conv_geom *s = kind ? &d : &g;
        float in[200], weights[60], out[40 * 33];
        for (int i = 0; i < 200; i++)
            in[i] = NAN;
        for (int i = 0; i < 60; i++)
            weights[i] = 1;
        const struct float_conv_kernel *k;
        for (int i = 0; (k = runnable(i)); i++) {
            if (!k->can(s))
                continue;
            void *packed = guard_new_aligned(k->packed_size(s)), *scratch = guard_new_aligned(k->scratch_size(s));
            k->pack(s, weights, NULL, packed);
            k->run(s, &(struct float_conv_call){in, packed, scratch, NULL, 0, 6, out});
            for (int p = 0; p < s->ow * s->cout; p++)
                ck_assert_msg(isnan(out[p]), "%s", k->name);
            guard_free(packed);
            guard_free(scratch);
        }
    }
}
END_TEST

START_TEST(test_find)
{
    struct conv_geom conv = {16, 8, 8, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 8, 8}, depthwise = conv;
    depthwise.groups = 16;
    for (int i = 0; i < ISA_COUNT; i++) {
        if (!isa_supported((enum isa)i))
            continue;
        ck_assert_int_eq(isa_select(isa_name((enum isa)i), NULL), 0);
        /* the best set that is allowed and has rows */
        enum isa best = ISA_C;
        for (int k = 0; k < float_conv_kernel_count; k++)
            if (isa_enabled(float_conv_kernels[k]->isa) && float_conv_kernels[k]->isa > best)
                best = float_conv_kernels[k]->isa;
        ck_assert_int_eq(float_conv_find(&conv)->isa, best);
        ck_assert_int_eq(float_conv_find(&depthwise)->isa, best);
        ck_assert_int_eq(!strncmp(float_conv_find(&depthwise)->name, "dw", 2), best != ISA_C);
    }
    ck_assert_int_eq(isa_select("auto", NULL), 0);
}
END_TEST

Suite *check_float_conv_suite(void)
{
    Suite *s = suite_create("float_conv");
    TCase *c = tcase_create("kernels");
    tcase_set_timeout(c, 120);
    tcase_add_loop_test(c, test_shapes, 0, KINDS);
    tcase_add_test(c, test_nan);
    tcase_add_test(c, test_find);
    suite_add_tcase(s, c);
    return s;
}
