/* SPDX-License-Identifier: MIT */
#include "tests/conv_trial.h"

#include <check.h>
#include <string.h>

#include "tests/guard.h"

#if defined(__x86_64__)
extern const struct conv_kernel conv_carries_avx512_simde, conv_planes4_avx512_simde, conv_planes_avx512_simde,
    conv_stream_avx512_simde, conv_tables_avx512_simde, conv_pixels_avx512_simde, conv_trits_avx512_simde,
    conv_vnni_avx512_simde, conv_wino_avx512_simde, dwconv_3x3_avx512_simde, dwconv_avx512_simde,
    dwconv_rows_avx512_simde;
#endif

/* --- rows -----------------------------------------------------------------------------------------------------------
 */

const struct conv_kernel *trial_kernel(int i)
{
#if defined(__x86_64__)
    static const struct conv_kernel *const portable[] = {
        &conv_carries_avx512_simde, &conv_planes4_avx512_simde, &conv_planes_avx512_simde, &conv_stream_avx512_simde,
        &conv_tables_avx512_simde,  &conv_pixels_avx512_simde,  &conv_trits_avx512_simde,  &conv_vnni_avx512_simde,
        &conv_wino_avx512_simde,    &dwconv_3x3_avx512_simde,   &dwconv_avx512_simde,      &dwconv_rows_avx512_simde};
    for (size_t k = 0; k < sizeof portable / sizeof *portable && isa_supported(ISA_AVX2); k++)
        if (!isa_supported(portable[k]->isa) && i-- == 0) /* they take their time */
            return portable[k];
#endif
    for (int k = 0; k < conv_kernel_count; k++)
        if (isa_supported(conv_kernels[k]->isa) && i-- == 0)
            return conv_kernels[k];
    return NULL;
}

/* --- cases ----------------------------------------------------------------------------------------------------------
 */

int trial_between(struct rng *r, int lo, int hi)
{
    return lo + (int)rng_below(r, (uint32_t)(hi - lo + 1));
}

bool trial_chance(struct rng *r, int percent)
{
    return trial_between(r, 1, 100) <= percent;
}

int trial_out_size(struct rng *r, int in, int pad, int k, int stride, int dilation)
{
    int pad_end = trial_between(r, 0, 2);
    int n = (in + pad + pad_end - (k - 1) * dilation - 1) / stride + 1;
    return n < 1 ? 1 : n;
}

static void random_geom(struct rng *r, struct conv_geom *g)
{
    static const int channels[] = {1, 2, 3, 4, 5, 8, 12, 16, 17, 24, 32, 33, 48, 64, 128};
    int kind = trial_between(r, 0, 9);
    g->cin = channels[trial_between(r, 0, 14)];
    g->cout = channels[trial_between(r, 0, 14)];
    g->groups = 1;
    if (kind <= 2) { /* depthwise */
        g->groups = g->cin;
        g->cout = g->cin * (kind == 2 ? 2 : 1);
    } else if (kind == 3) {
        g->groups = trial_between(r, 2, 4);
        g->cin = g->groups * trial_between(r, 1, 9);
        g->cout = g->groups * trial_between(r, 1, 20);
    }
    bool one = kind == 4 || kind == 5;
    g->cin *= one && trial_chance(r, 20) ? 4 : 1;
    g->kh = one ? 1 : trial_between(r, 1, 4);
    g->kw = one ? 1 : trial_between(r, 1, 4);
    g->h = trial_between(r, 1, 9);
    g->w = trial_between(r, 1, 9);
    g->stride_h = trial_chance(r, 60) ? 1 : trial_between(r, 1, 3);
    g->stride_w = trial_chance(r, 60) ? 1 : trial_between(r, 1, 3);
    g->dilation_h = trial_chance(r, 80) ? 1 : trial_between(r, 1, 3);
    g->dilation_w = trial_chance(r, 80) ? 1 : trial_between(r, 1, 3);
    g->pad_top = one && trial_chance(r, 80) ? 0 : trial_between(r, 0, 2);
    g->pad_left = one && trial_chance(r, 80) ? 0 : trial_between(r, 0, 2);
    g->oh = trial_out_size(r, g->h, g->pad_top, g->kh, g->stride_h, g->dilation_h);
    g->ow = trial_out_size(r, g->w, g->pad_left, g->kw, g->stride_w, g->dilation_w);
}

/* Levels as the schemes make them, or any at all. */
static void random_levels(struct rng *r, int bits, int8_t levels[256])
{
    int n = 1 << bits, kind = trial_between(r, 0, 5), base = trial_between(r, -60, 60), step = trial_between(r, -4, 4);
    for (int c = 0; c < n; c++) {
        if (bits > 4 || kind == 0)
            levels[c] = (int8_t)(c - n / 2 < -127 ? -127 : c - n / 2);
        else if (kind == 1)
            levels[c] = (int8_t)trial_between(r, -127, 127);
        else if (kind == 2)
            levels[c] = c % 2 ? 127 : -127;
        else if (kind == 3)
            levels[c] = (int8_t)(base + step * c);
        else if (kind == 4) /* ternary: at most three of them, in any order */
            levels[c] = (int8_t)(step * ((c + base) % 3));
        else
            levels[c] = (int8_t)(2 * c - n + 1);
    }
}

void trial_codes(struct rng *r, int top, int first, size_t n, uint8_t *out)
{
    int kind = trial_between(r, 0, 5);
    for (size_t i = 0; i < n; i++) {
        bool random = kind >= 3 || (kind == 2 && trial_chance(r, 20));
        out[i] = (uint8_t)(random ? trial_between(r, first, top) : kind == 0 ? first : top);
    }
}

static void any_requant(struct rng *r, struct trial *t)
{
    t->rq.shift = trial_chance(r, 70) ? trial_between(r, 32, 45) : trial_between(r, 1, 61);
    t->rq.lo = trial_chance(r, 50) ? 0 : trial_between(r, 0, 200);
    t->rq.hi = trial_chance(r, 50) ? 255 : trial_between(r, t->rq.lo, 255);
    t->rq.res_m = (int64_t)(rng_next(r) % (UINT64_C(1) << 32)) - INT32_MAX;
    for (int c = 0; c < t->g.cout; c++) {
        /* mostly such that codes come out in the middle, sometimes anything */
        t->m[c] = (int32_t)(rng_next(r) >> trial_between(r, 33, 62)) * (trial_chance(r, 10) ? -1 : 1);
        t->b[c] = (int64_t)(rng_next(r) >> trial_between(r, 3, 30)) - (INT64_C(1) << 40);
    }
    t->rq.left =
        trial_chance(r, 60) ? 0 : trial_between(r, 1, 20); /* multipliers shrink, so that sums stay below 2^62 */
    t->rq.res_m /= INT64_C(1) << t->rq.left;
    for (int c = 0; c < t->g.cout; c++)
        t->m[c] /= 1 << t->rq.left;
}

/* As plans make them: numbers that floats hold, codes spread over the sums of some range. */
static void float_requant(struct rng *r, struct trial *t)
{
    double range = ldexp(1, trial_between(r, 3, 22)), res = trial_chance(r, 30) ? 0 : 2 * rng_unit(r);
    int shift = res != 0 ? trial_between(r, 32, 34) : trial_between(r, 33, 45);
    int left = res != 0 ? shift - 29 : trial_chance(r, 70) ? 0 : trial_between(r, 1, 8);
    t->rq.shift = shift;
    t->rq.left = left;
    t->rq.hi = (1 << trial_between(r, 1, 8)) - 1;
    t->rq.lo = trial_chance(r, 70) ? 0 : trial_between(r, 0, t->rq.hi);
    int64_t unit = INT64_C(1) << (shift - 14); /* the residual's, of sums that have 24 bits mostly */
    t->rq.res_m = (int64_t)ldexp(res, 14) * (unit >> left);
    for (int c = 0; c < t->g.cout; c++) {
        double scale = t->rq.hi / range * (0.5 + rng_unit(r)) * (trial_chance(r, 10) ? -1 : 1);
        t->m[c] = trial_chance(r, 2) ? 0 : requant_multiplier(fmax(ldexp(scale, shift - left), INT32_MIN + 128));
        t->b[c] = requant_offset(ldexp(0.5 + t->rq.hi * (rng_unit(r) - 0.3), shift));
        t->b[c] = res != 0 || trial_chance(r, 20) ? t->b[c] / unit * unit : t->b[c];
    }
}

size_t trial_outputs(const struct conv_geom *g)
{
    return (size_t)g->oh * (size_t)g->ow * (size_t)g->cout;
}

/* Of the first n values of an output channel's weights. */
static int64_t expected_acc(const struct trial *t, int oy, int ox, int co, int n)
{
    const struct conv_geom *g = &t->g;
    int cg = g->cin / g->groups, first = co / (g->cout / g->groups) * cg;
    const uint8_t *codes = t->codes + (size_t)co * (size_t)(g->kh * g->kw * cg);
    int64_t acc = 0;
    for (int ky = 0; ky < g->kh; ky++)
        for (int kx = 0; kx < g->kw; kx++)
            for (int c = 0; c < cg && n > 0; c++, n--) {
                int y = oy * g->stride_h + ky * g->dilation_h - g->pad_top;
                int x = ox * g->stride_w + kx * g->dilation_w - g->pad_left;
                int q = t->pad_code;
                if (y >= 0 && y < g->h && x >= 0 && x < g->w)
                    q = t->in[(y * g->w + x) * g->cin + first + c];
                acc += q * t->levels[*codes++];
            }
    return acc;
}

/* Block by block: each is what the sum up to its end has above the sum up to its beginning. */
static float expected_sum(struct trial *t, int oy, int ox, int co)
{
    const struct conv_geom *g = &t->g;
    int k = g->kh * g->kw * (g->cin / g->groups), blocks = (k + t->w.block - 1) / t->w.block, before = 0;
    volatile float x = 0;
    for (int b = 1; b <= blocks; b++) {
        int upto = (int)expected_acc(t, oy, ox, co, b * t->w.block < k ? b * t->w.block : k);
        volatile float product = (float)(upto - before) * t->block_scales[co * blocks + b - 1];
        x = x + product;
        before = upto;
    }
    return x + t->bias[co];
}

void trial_expect(struct trial *t)
{
    const struct conv_geom *g = &t->g;
    size_t i = 0;
    for (int oy = 0; oy < g->oh; oy++)
        for (int ox = 0; ox < g->ow; ox++)
            for (int co = 0; co < g->cout; co++, i++) {
                t->acc[i] = expected_acc(t, oy, ox, co, 1 << 30);
                if (t->w.block)
                    t->sums[i] = expected_sum(t, oy, ox, co);
            }
}

void trial_init(struct trial *t, struct rng *r, int w_bits, int a_bits, const struct conv_geom *g)
{
    memset(t, 0, sizeof *t);
    if (g)
        t->g = *g;
    else
        random_geom(r, &t->g);
    t->a_bits = a_bits;
    t->output = (enum output)trial_between(r, 0, OUTPUTS - 1);
    if (!g && a_bits > 1 && trial_chance(r, 40))
        t->g.a_top = trial_between(r, 1, (1 << a_bits) - 1);
    const int a_top = t->g.a_top ? t->g.a_top : (1 << a_bits) - 1;
    t->pad_code = trial_between(r, 0, a_top);
    random_levels(r, w_bits, t->levels);
    g = &t->g;
    size_t n_in = (size_t)g->h * (size_t)g->w * (size_t)g->cin, n_out = trial_outputs(g), cout = (size_t)g->cout;
    size_t n_w = cout * (size_t)(g->kh * g->kw * (g->cin / g->groups));
    t->in = guard_new(n_in);
    t->codes = guard_new(n_w);
    t->residual = guard_new(n_out);
    t->m = guard_new(cout * sizeof *t->m);
    t->b = guard_new(cout * sizeof *t->b);
    t->scale = guard_new(cout * sizeof *t->scale);
    t->bias = guard_new(cout * sizeof *t->bias);
    t->acc = guard_new(n_out * sizeof *t->acc);
    trial_codes(r, a_top, 0, n_in, t->in);
    trial_codes(r, (1 << w_bits) - 1, w_bits == 8, n_w, t->codes);
    trial_codes(r, 255, 0, n_out, t->residual);
    (trial_chance(r, 50) ? float_requant : any_requant)(r, t);
    for (size_t c = 0; c < cout; c++) {
        t->scale[c] = (float)(rng_unit(r) - 0.5);
        t->bias[c] = (float)(rng_unit(r) - 0.5) * 100;
    }
    t->w = (struct conv_weights){.codes = t->codes, .bits = w_bits, .levels = t->levels};
    t->rq.m = t->m;
    t->rq.b = t->b;
    trial_expect(t);
}

void trial_blocks(struct trial *t, struct rng *r, int block)
{
    const struct conv_geom *g = &t->g;
    size_t k = (size_t)(g->kh * g->kw * (g->cin / g->groups));
    size_t n = (size_t)g->cout * ((k + (size_t)block - 1) / (size_t)block);
    t->output = OUT_F32;
    t->w.block = block;
    t->w.block_scales = t->block_scales = guard_new(n * sizeof(float));
    t->sums = guard_new(trial_outputs(g) * sizeof(float));
    for (size_t i = 0; i < n; i++)
        t->block_scales[i] = (float)(rng_unit(r) - 0.5);
    trial_expect(t);
}

void trial_done(struct trial *t)
{
    void *all[] = {t->in, t->codes, t->residual, t->m, t->b, t->scale, t->bias, t->acc};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        guard_free(all[i]);
    if (t->w.block) {
        guard_free(t->block_scales);
        guard_free(t->sums);
    }
}

/* --- comparison -----------------------------------------------------------------------------------------------------
 */

static uint8_t expected_code(const struct trial *t, size_t i)
{
    size_t c = i % (size_t)t->g.cout;
    int64_t x = t->acc[i] * t->m[c];
    if (t->output == OUT_U8_RESIDUAL)
        x += t->residual[i] * t->rq.res_m;
    for (int k = 0; k < t->rq.left; k++)
        x *= 2;
    x += t->b[c];
    /* floor division, written out */
    int64_t unit = INT64_C(1) << t->rq.shift, q = x / unit - (x % unit < 0);
    return (uint8_t)(q < t->rq.lo ? t->rq.lo : q > t->rq.hi ? t->rq.hi : q);
}

static bool output_right(const struct trial *t, const void *out, size_t i)
{
    size_t c = i % (size_t)t->g.cout;
    if (t->output == OUT_S32)
        return ((const int32_t *)out)[i] == t->acc[i];
    if (t->w.block)
        return ((const float *)out)[i] == t->sums[i];
    if (t->output == OUT_F32) {
        volatile float product = (float)t->acc[i] * t->scale[c];
        volatile float sum = product + t->bias[c];
        return ((const float *)out)[i] == sum;
    }
    return ((const uint8_t *)out)[i] == expected_code(t, i);
}

/* The same outputs, the later channels by a call of their own, which leaves the others as they are. */
static void check_channels(const struct trial *t, const struct conv_kernel *k, struct conv_call call, const void *whole,
                           size_t unit)
{
    const struct conv_geom *g = &t->g;
    if (!k->channel_unit || g->groups > 1 || g->cout <= k->channel_unit)
        return;
    size_t n = trial_outputs(g), cout = (size_t)g->cout;
    int units = (g->cout + k->channel_unit - 1) / k->channel_unit;
    char *out = guard_new(n * unit);
    memset(out, 0x5A, n * unit);
    call.out_s32 = call.out_s32 ? (int32_t *)out : NULL;
    call.out_f32 = call.out_f32 ? (float *)out : NULL;
    call.out_u8 = call.out_u8 ? (uint8_t *)out : NULL;
    call.channels[0] = units / 2 * k->channel_unit;
    call.channels[1] = g->cout;
    k->run(g, t->a_bits, &call);
    for (size_t i = 0; i < n * unit; i++)
        if ((int)(i / unit % cout) < call.channels[0])
            ck_assert_msg(out[i] == 0x5A, "%s writes a channel below %d of %d", k->name, call.channels[0], g->cout);
    call.channels[1] = call.channels[0];
    call.channels[0] = 0;
    k->run(g, t->a_bits, &call);
    ck_assert_msg(!memcmp(out, whole, n * unit), "%s differs with channels in two parts at %d of %d", k->name,
                  call.channels[1], g->cout);
    ck_assert(guard_intact(out));
    guard_free(out);
}

static void trial_run(const struct trial *t, const struct conv_kernel *k)
{
    const struct conv_geom *g = &t->g;
    size_t n = trial_outputs(g), unit = t->output == OUT_S32 ? 4 : t->output == OUT_F32 ? 4 : 1;
    void *packed = guard_new_aligned(k->packed_size(g, t->a_bits, &t->w));
    void *prepared = guard_new_aligned(k->prepared_size(g, t->a_bits, &t->w));
    void *scratch = guard_new_aligned(k->scratch_size(g, t->a_bits, &t->w));
    void *out = guard_new(n * unit);
    k->pack(g, t->a_bits, &t->w, packed);
    k->prepare(g, t->a_bits, packed, t->output <= OUT_U8_RESIDUAL ? &t->rq : NULL, prepared);
    guard_protect(packed);
    guard_protect(prepared);
    struct conv_call call = {
        .in = t->in, .packed = packed, .prepared = prepared, .scratch = scratch, .pad_code = (uint8_t)t->pad_code};
    if (t->output == OUT_S32) {
        call.out_s32 = out;
    } else if (t->output == OUT_F32) {
        call.out_f32 = out;
        call.scale = t->w.block ? NULL : t->scale;
        call.bias = t->bias;
    } else {
        call.out_u8 = out;
        call.rq = &t->rq;
        call.residual = t->output == OUT_U8_RESIDUAL ? t->residual : NULL;
    }
    k->run(g, t->a_bits, &call);
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(output_right(t, out, i),
                      "%s a%d w%d output %d at %zu of %zu: cin %d %dx%d cout %d k %dx%d stride %d,%d pad %d,%d "
                      "dilation %d,%d groups %d out %dx%d",
                      k->name, t->a_bits, t->w.bits, (int)t->output, i, n, g->cin, g->h, g->w, g->cout, g->kh, g->kw,
                      g->stride_h, g->stride_w, g->pad_top, g->pad_left, g->dilation_h, g->dilation_w, g->groups, g->oh,
                      g->ow);
    check_channels(t, k, call, out, unit);
    ck_assert_msg(guard_intact(out) && guard_intact(scratch) && guard_intact(packed) && guard_intact(prepared),
                  "%s wrote before a buffer", k->name);
    guard_free(packed);
    guard_free(prepared);
    guard_free(scratch);
    guard_free(out);
}

void trial_run_all(const struct trial *t)
{
    for (int i = 0; trial_kernel(i); i++)
        if (conv_kernel_can(trial_kernel(i), &t->g, t->a_bits, &t->w)) {
            const struct conv_kernel *k = trial_kernel(i);
            ck_assert_msg(t->w.bits >= k->w_bits[0] && t->w.bits <= k->w_bits[1] && t->a_bits >= k->a_bits[0] &&
                              t->a_bits <= k->a_bits[1],
                          "%s can more than its row says", k->name);
            trial_run(t, k);
        }
}

void trial_all(struct rng *r, int w_bits, int a_bits, const struct conv_geom *g)
{
    struct trial t;
    trial_init(&t, r, w_bits, a_bits, g);
    trial_run_all(&t);
    trial_done(&t);
}
