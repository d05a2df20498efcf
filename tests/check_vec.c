/* SPDX-License-Identifier: MIT
 *
 * Every entry of every row of vec_kernel_tables[] against arithmetic written out here, integers and quantization bit
 * for bit. Every buffer ends where an unreadable page begins.
 */
#include <check.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "kernels/kernels.h"
#include "tests/guard.h"

Suite *check_vec_suite(void);

enum { ROUNDS = 150 };

static int between(struct rng *r, int lo, int hi)
{
    return lo + (int)rng_below(r, (uint32_t)(hi - lo + 1));
}

static int clamp(int64_t x, int lo, int hi)
{
    return (int)(x < lo ? lo : x > hi ? hi : x);
}

/* Division by 1 << shift to minus infinity. */
static int64_t floor_shift(int64_t x, int shift)
{
    int64_t unit = INT64_C(1) << shift;
    return x / unit - (x % unit < 0);
}

static uint8_t *random_bytes(struct rng *r, size_t n)
{
    uint8_t *p = guard_new(n);
    int kind = between(r, 0, 3);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(kind == 0 ? 255 : kind == 1 ? 0 : rng_below(r, 256));
    return p;
}

static float *random_floats(struct rng *r, size_t n)
{
    float *p = guard_new(n * sizeof *p);
    for (size_t i = 0; i < n; i++)
        p[i] = (float)(rng_unit(r) * 4 - 2);
    return p;
}

static void random_geom(struct rng *r, struct conv_geom *g)
{
    static const int channels[] = {1, 3, 4, 8, 9, 16, 31, 32, 40, 64, 150};
    memset(g, 0, sizeof *g);
    g->cin = g->cout = g->groups = channels[between(r, 0, 10)];
    g->h = between(r, 1, 12);
    g->w = between(r, 1, 12);
    g->kh = between(r, 1, 5);
    g->kw = between(r, 1, 5);
    g->stride_h = between(r, 1, 3);
    g->stride_w = between(r, 1, 3);
    g->dilation_h = between(r, 1, 10) > 8 ? 2 : 1;
    g->dilation_w = between(r, 1, 10) > 8 ? 2 : 1;
    if (between(r, 0, 3) == 0) { /* what networks begin with */
        g->kh = g->kw = 3;
        g->stride_h = g->stride_w = 2;
        g->dilation_h = g->dilation_w = 1;
    }
    g->pad_top = between(r, 0, 2);
    g->pad_left = between(r, 0, 2);
    int y = g->h + g->pad_top + between(r, 0, 2) - (g->kh - 1) * g->dilation_h - 1;
    int x = g->w + g->pad_left + between(r, 0, 2) - (g->kw - 1) * g->dilation_w - 1;
    g->oh = y < 0 ? 1 : y / g->stride_h + 1;
    g->ow = x < 0 ? 1 : x / g->stride_w + 1;
}

static size_t in_size(const struct conv_geom *g)
{
    return (size_t)(g->h * g->w * g->cin);
}

static size_t out_size(const struct conv_geom *g)
{
    return (size_t)(g->oh * g->ow * g->cout);
}

/* Index of channel 0 of the input pixel under a tap, -1 outside of the image. */
static int tap_at(const struct conv_geom *g, int oy, int ox, int ky, int kx)
{
    int y = oy * g->stride_h + ky * g->dilation_h - g->pad_top;
    int x = ox * g->stride_w + kx * g->dilation_w - g->pad_left;
    return y < 0 || y >= g->h || x < 0 || x >= g->w ? -1 : (y * g->w + x) * g->cin;
}

/* --- elementwise ----------------------------------------------------------------------------------------------------
 */

static void try_add(const struct vec_kernels *v, struct rng *r)
{
    size_t n = rng_below(r, 200);
    uint8_t *a = random_bytes(r, n), *b = random_bytes(r, n), *out = guard_new(n);
    int top = between(r, 0, 1) ? 1 << 21 : 1 << 12;
    int32_t ma = between(r, -top, top), mb = between(r, 0, 3) ? between(r, -top, top) : top;
    int32_t c = between(r, 0, 1 << 30) * (between(r, 0, 1) ? 1 : -1);
    int shift = between(r, 1, 30), lo = between(r, 0, 255), hi = between(r, lo, 255);
    v->add_u8(n, a, b, ma, mb, c, shift, lo, hi, out);
    for (size_t i = 0; i < n; i++)
        ck_assert_int_eq(out[i], clamp(floor_shift((int64_t)a[i] * ma + (int64_t)b[i] * mb + c, shift), lo, hi));
    ck_assert(guard_intact(out));
    guard_free(a);
    guard_free(b);
    guard_free(out);
}

static void try_lut(const struct vec_kernels *v, struct rng *r)
{
    size_t n = rng_below(r, between(r, 0, 1) ? 400 : 3000);
    int alike = between(r, 0, 1) ? 0 : between(r, 10, 100); /* so many entries in turn, or about */
    uint8_t *table = guard_new(256), *in = guard_new(n), *out = guard_new(n);
    for (int i = 0; i < 256; i++)
        table[i] = i && between(r, 0, alike) ? table[i - 1] : (uint8_t)rng_below(r, 256);
    for (size_t i = 0; i < n; i++)
        in[i] = (uint8_t)(i < 256 ? i : rng_below(r, 256));
    v->lut_u8(n, in, table, out);
    for (size_t i = 0; i < n; i++)
        ck_assert_int_eq(out[i], table[in[i]]);
    ck_assert(guard_intact(out));
    guard_free(table);
    guard_free(in);
    guard_free(out);
}

static void try_quantize(const struct vec_kernels *v, struct rng *r)
{
    static const float special[] = {NAN,  -NAN, INFINITY, -INFINITY, 0.0f,   -0.0f,  FLT_MAX, -FLT_MAX, FLT_MIN,
                                    0.5f, 1.5f, 2.5f,     -0.5f,     254.5f, 255.5f, 3e9f,    -3e9f};
    size_t n = rng_below(r, 200), count = sizeof special / sizeof *special;
    float *x = guard_new(n * sizeof *x), inv = between(r, 0, 1) ? 1.0f : (float)rng_unit(r) * 20;
    uint8_t *out = guard_new(n);
    float zero = (float)between(r, 0, 255);
    int lo = between(r, 0, 100), hi = between(r, lo, 255);
    for (size_t i = 0; i < n; i++)
        x[i] = between(r, 0, 2) ? (float)(rng_unit(r) * 100 - 50) : special[rng_below(r, (uint32_t)count)];
    v->quantize_f32(n, x, inv, zero, lo, hi, out);
    for (size_t i = 0; i < n; i++) {
        volatile float product = x[i] * inv;
        volatile float sum = product + zero;
        double y = rint((double)sum);
        ck_assert_int_eq(out[i], isnan(y) ? lo : y < lo ? lo : y > hi ? hi : (int)y);
    }
    ck_assert(guard_intact(out));
    guard_free(x);
    guard_free(out);
}

static void try_dequantize(const struct vec_kernels *v, struct rng *r)
{
    size_t n = rng_below(r, 80);
    uint8_t *in = random_bytes(r, n);
    float *out = guard_new(n * sizeof *out), scale = (float)rng_unit(r), zero = (float)between(r, 0, 255);
    v->dequantize_u8(n, in, scale, zero, out);
    for (size_t i = 0; i < n; i++) {
        volatile float difference = (float)in[i] - zero;
        volatile float product = difference * scale;
        ck_assert(out[i] == product);
    }
    ck_assert(guard_intact(out));
    guard_free(in);
    guard_free(out);
}

/* --- pooling --------------------------------------------------------------------------------------------------------
 */

/* Largest, sum and count of what is under the window. */
static void pool(const struct conv_geom *g, const uint8_t *in, size_t i, int *top, int64_t *sum, int *k)
{
    int c = (int)i % g->cout, pixel = (int)i / g->cout;
    *top = *k = 0;
    *sum = 0;
    for (int ky = 0; ky < g->kh; ky++)
        for (int kx = 0; kx < g->kw; kx++) {
            int at = tap_at(g, pixel / g->ow, pixel % g->ow, ky, kx);
            if (at < 0)
                continue;
            *top = in[at + c] > *top ? in[at + c] : *top;
            *sum += in[at + c];
            ++*k;
        }
}

static void try_pools(const struct vec_kernels *v, struct rng *r)
{
    struct conv_geom g;
    random_geom(r, &g);
    int taps = g.kh * g.kw, shift = between(r, 1, 40), lo = between(r, 0, 255), hi = between(r, lo, 255);
    uint8_t *in = random_bytes(r, in_size(&g)), *most = guard_new(out_size(&g)), *mean = guard_new(out_size(&g));
    int32_t *m = guard_new((size_t)(taps + 1) * sizeof *m);
    int64_t *b = guard_new((size_t)(taps + 1) * sizeof *b);
    for (int i = 0; i <= taps; i++) {
        m[i] = (int32_t)(rng_next(r) >> between(r, 33, 60));
        b[i] = (int64_t)(rng_next(r) >> 20) - (INT64_C(1) << 42);
    }
    v->maxpool_u8(&g, in, most);
    v->avgpool_u8(&g, in, m, b, shift, lo, hi, mean);
    for (size_t i = 0; i < out_size(&g); i++) {
        int top, k;
        int64_t sum;
        pool(&g, in, i, &top, &sum, &k);
        ck_assert_int_eq(most[i], top);
        ck_assert_int_eq(mean[i], clamp(floor_shift(sum * m[k] + b[k], shift), lo, hi));
    }
    ck_assert(guard_intact(most) && guard_intact(mean));
    void *all[] = {in, most, mean, m, b};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        guard_free(all[i]);
}

/* --- float ----------------------------------------------------------------------------------------------------------
 */

static void try_im2col(const struct vec_kernels *v, struct rng *r)
{
    struct conv_geom g;
    random_geom(r, &g);
    g.groups = g.cin % 4 == 0 && between(r, 0, 1) ? 4 : 1;
    int cg = g.cin / g.groups, group = between(r, 0, g.groups - 1), pixels = g.oh * g.ow;
    int first = between(r, 0, pixels - 1), count = between(r, 0, pixels - first);
    size_t row = (size_t)(g.kh * g.kw * cg);
    float *in = random_floats(r, in_size(&g)), *rows = guard_new((size_t)count * row * sizeof *rows);
    v->im2col_f32(&g, group, first, count, in, rows);
    for (size_t i = 0; i < (size_t)count * row; i++) {
        int pixel = first + (int)(i / row), tap = (int)(i % row) / cg, c = (int)(i % row) % cg;
        int at = tap_at(&g, pixel / g.ow, pixel % g.ow, tap / g.kw, tap % g.kw);
        ck_assert(rows[i] == (at < 0 ? 0 : in[at + group * cg + c]));
    }
    ck_assert(guard_intact(rows));
    guard_free(in);
    guard_free(rows);
}

static void try_sums(const struct vec_kernels *v, struct rng *r)
{
    size_t pixels = (size_t)between(r, 1, 9), channels = (size_t)between(r, 1, 40), n = pixels * channels;
    float *a = random_floats(r, n), *b = random_floats(r, n), *bias = random_floats(r, channels);
    float *out = guard_new(n * sizeof *out), *x = guard_new(n * sizeof *x);
    memcpy(x, a, n * sizeof *x);
    float lo = between(r, 0, 1) ? -INFINITY : -0.5f, hi = between(r, 0, 1) ? INFINITY : 0.75f;
    v->add_f32(n, a, b, lo, hi, out);
    v->bias_clamp_f32(pixels, channels, bias, lo, hi, x);
    for (size_t i = 0; i < n; i++) {
        ck_assert(out[i] == fminf(hi, fmaxf(lo, a[i] + b[i])));
        ck_assert(x[i] == fminf(hi, fmaxf(lo, a[i] + bias[i % channels])));
    }
    ck_assert(guard_intact(out) && guard_intact(x));
    void *all[] = {a, b, bias, out, x};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        guard_free(all[i]);
}

/* Within a few units in the last place of what double gives, extremes included. */
static void try_unary(const struct vec_kernels *v, struct rng *r)
{
    static const float special[] = {NAN,   INFINITY, -INFINITY, 0.0f,  -0.0f, 88.7f,
                                    89.0f, -87.3f,   -104.0f,   1e30f, -1e30f};
    size_t n = rng_below(r, 60), count = sizeof special / sizeof *special;
    float *x = guard_new(n * sizeof *x), *out = guard_new(n * sizeof *out), alpha = (float)rng_unit(r);
    for (size_t i = 0; i < n; i++)
        x[i] = between(r, 0, 3) ? (float)(rng_unit(r) * 40 - 20) : special[rng_below(r, (uint32_t)count)];
    for (enum float_unary f = FLOAT_CLAMP; f <= FLOAT_EXP; f++) {
        v->unary_f32(f, n, x, alpha, -3, 6, out);
        for (size_t i = 0; i < n; i++) {
            double d = x[i], gate = fmin(1, fmax(0, d / 6 + 0.5));
            double want = f == FLOAT_LEAKY        ? (d < 0 ? (double)alpha * d : d)
                          : f == FLOAT_SIGMOID    ? 1 / (1 + exp(-d))
                          : f == FLOAT_HARD_SWISH ? d * gate
                          : f == FLOAT_EXP        ? exp(d)
                                                  : fmin(6, fmax(-3, d));
            if (isnan(d) || isnan(want))
                ck_assert(isnan(out[i]));
            else if (fabs(want) > FLT_MAX)
                ck_assert(isinf(out[i]) && (out[i] > 0) == (want > 0));
            else
                ck_assert_msg(fabs(out[i] - want) <= 5e-7 * fabs(f == FLOAT_HARD_SWISH ? d : want) + 1.2e-38,
                              "%s %d: f(%g) = %g, not %g", v->name, f, d, out[i], want);
        }
    }
    ck_assert(guard_intact(out));
    guard_free(x);
    guard_free(out);
}

static void try_products(const struct vec_kernels *v, struct rng *r)
{
    size_t pixels = (size_t)between(r, 1, 20), channels = (size_t)between(r, 0, 2) ? (size_t)between(r, 1, 40) : 1;
    size_t n = pixels * channels;
    float *a = random_floats(r, n), *b = random_floats(r, n), *scale = random_floats(r, channels),
          *shift = random_floats(r, channels), *out = guard_new(n * sizeof *out), *x = guard_new(n * sizeof *x);
    float lo = between(r, 0, 1) ? -INFINITY : -0.5f, hi = between(r, 0, 1) ? INFINITY : 0.75f;
    v->mul_f32(n, a, b, lo, hi, out);
    v->affine_f32(pixels, channels, a, scale, shift, lo, hi, x);
    for (size_t i = 0; i < n; i++) {
        volatile float product = a[i] * scale[i % channels];
        ck_assert(out[i] == fminf(hi, fmaxf(lo, a[i] * b[i])));
        ck_assert(x[i] == fminf(hi, fmaxf(lo, product + shift[i % channels])));
    }
    ck_assert(guard_intact(out) && guard_intact(x));
    void *all[] = {a, b, scale, shift, out, x};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        guard_free(all[i]);
}

static void try_float_pools(const struct vec_kernels *v, struct rng *r)
{
    struct conv_geom g;
    random_geom(r, &g);
    float *in = random_floats(r, in_size(&g)), *scale = random_floats(r, (size_t)(g.oh * g.ow));
    float *most = guard_new(out_size(&g) * sizeof *most), *mean = guard_new(out_size(&g) * sizeof *mean);
    v->maxpool_f32(&g, in, most);
    v->avgpool_f32(&g, in, scale, mean);
    for (size_t i = 0; i < out_size(&g); i++) {
        int c = (int)i % g.cin, pixel = (int)i / g.cin;
        double top = -INFINITY, sum = 0;
        for (int tap = 0; tap < g.kh * g.kw; tap++) {
            int at = tap_at(&g, pixel / g.ow, pixel % g.ow, tap / g.kw, tap % g.kw);
            top = at < 0 ? top : fmax(top, in[at + c]);
            sum += at < 0 ? 0 : in[at + c];
        }
        ck_assert(most[i] == (float)top);
        ck_assert_double_eq_tol(mean[i], sum * scale[pixel], 1e-4);
    }
    ck_assert(guard_intact(most) && guard_intact(mean));
    void *all[] = {in, scale, most, mean};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        guard_free(all[i]);
}

static void try_transpose(const struct vec_kernels *v, struct rng *r)
{
    size_t rows = (size_t)between(r, 1, 40), columns = (size_t)between(r, 1, 80);
    size_t in_step = columns + (size_t)between(r, 0, 3), out_step = rows + (size_t)between(r, 0, 2);
    size_t n_in = (rows - 1) * in_step + columns, n_out = (columns - 1) * out_step + rows;
    float *in = random_floats(r, n_in), *out = guard_new(n_out * sizeof *out);
    for (size_t i = 0; i < n_out; i++)
        out[i] = 7;
    v->transpose_f32(rows, columns, in, in_step, out, out_step);
    for (size_t i = 0; i < n_out; i++) {
        size_t row = i % out_step, column = i / out_step;
        ck_assert(out[i] == (row < rows ? in[row * in_step + column] : 7));
    }
    ck_assert(guard_intact(out));
    guard_free(in);
    guard_free(out);
}

static void try_transpose_codes(const struct vec_kernels *v, struct rng *r)
{
    size_t rows = (size_t)between(r, 1, 6), columns = (size_t)between(r, 1, 90);
    size_t in_step = columns + (size_t)between(r, 0, 3), out_step = rows + (size_t)(between(r, 0, 2) / 2);
    size_t n_in = (rows - 1) * in_step + columns, n_out = (columns - 1) * out_step + rows;
    uint8_t *in = guard_new(n_in), *out = guard_new(n_out);
    for (size_t i = 0; i < n_in; i++)
        in[i] = (uint8_t)between(r, 0, 255);
    memset(out, 7, n_out);
    v->transpose_u8(rows, columns, in, in_step, out, out_step);
    for (size_t i = 0; i < n_out; i++) {
        size_t row = i % out_step, column = i / out_step;
        ck_assert(out[i] == (row < rows ? in[row * in_step + column] : 7));
    }
    ck_assert(guard_intact(out));
    guard_free(in);
    guard_free(out);
}

/* --- tests ----------------------------------------------------------------------------------------------------------
 */

static void (*const trials[])(const struct vec_kernels *v, struct rng *r) = {
    try_add,  try_lut,   try_quantize, try_dequantize,  try_pools,     try_im2col,
    try_sums, try_unary, try_products, try_float_pools, try_transpose, try_transpose_codes,
};
enum { TRIALS = sizeof trials / sizeof *trials };

START_TEST(test_entry)
{
    for (int t = 0; t < vec_kernel_table_count; t++) {
        struct rng r;
        rng_init(&r, 5000 + (uint64_t)_i);
        if (!isa_supported(vec_kernel_tables[t]->isa))
            continue;
        for (int i = 0; i < ROUNDS; i++)
            trials[_i](vec_kernel_tables[t], &r);
    }
}
END_TEST

Suite *check_vec_suite(void)
{
    Suite *s = suite_create("vec");
    TCase *c = tcase_create("entries");
    tcase_set_timeout(c, 60);
    tcase_add_loop_test(c, test_entry, 0, TRIALS);
    suite_add_tcase(s, c);
    return s;
}
