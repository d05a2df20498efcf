/* SPDX-License-Identifier: MIT
 *
 * Convolution by product tables (product_tables.h) with 64 pixels in lanes: activations are indices, the weights of a
 * channel select tables. 128 pixels by 4 channels, or 64 where only one vector of pixels is left. For layers with fewer
 * channels than a vector has bytes.
 *
 * Planes. The index of step i of a run, for all pixels of a row of the image and all such rows, is a plane [rows][ow];
 * a kernel row is a plane's offset where the stride allows it, else it has planes of its own.
 */
#include "kernels/product_tables.h"
#include "kernels/rows.h"
#include "kernels/unroll.h"
#include "kernels/x86/intrin.h"
#include "kernels/x86/product_sums_avx512vbmi.h"

#include <string.h>

enum { GROUP = 16 }; /* planes made at once; channels of a panel */

static const struct tables_row pixels_row = {.pixels = true, .lanes = PANEL};

static bool can(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    /* lanes without a pixel, and few channels to share the planes, cost what tables gain */
    int pixels = g->oh * g->ow, blocks = (pixels + TABLES_LANES - 1) / TABLES_LANES;
    return tables_can(&pixels_row, g, a_bits, w) && 8 * pixels >= 5 * TABLES_LANES * blocks && g->cout >= 4;
}

TABLES_FUNCTIONS(pixels_row)

/* --- bytes turned
 * -----------------------------------------------------------------------------------------------------
 */

/* Sixteen vectors of four 16-byte rows to their transpose: lane l of vector i holds bytes (i, j), afterwards lane l of
 * vector j does. Four rounds, each interleaving the first half of the vectors with the second. */
INLINE void transpose(__m512i x[GROUP])
{
    __m512i y[GROUP];
    UNROLL for (int round = 0; round < 4; round++)
    {
        UNROLL for (int i = 0; i < GROUP / 2; i++)
        {
            y[2 * i] = _mm512_unpacklo_epi8(x[i], x[i + GROUP / 2]);
            y[2 * i + 1] = _mm512_unpackhi_epi8(x[i], x[i + GROUP / 2]);
        }
        UNROLL for (int i = 0; i < GROUP; i++) x[i] = y[i];
    }
}

/* Where the 16 bytes of pixel i are among sixteen such vectors. */
INLINE size_t turned(size_t i)
{
    return i % GROUP * TABLES_LANES + i / GROUP * 16;
}

/* --- planes ---------------------------------------------------------------------------------------------------------
 */

/* Sixteen steps of 64 pixels: those of one pixel are `step` bytes apart. */
INLINE void plane_block(const uint8_t *image, const int32_t *at, int pixel, int step, __m512i from, uint8_t *out,
                        size_t plane)
{
    __m512i x[GROUP];
    UNROLL for (int i = 0; i < GROUP; i++)
    {
        __m512i y = _mm512_setzero_si512();
        UNROLL for (int lane = 0; lane < 4; lane++)
        {
            const uint8_t *in = image + at[lane * 16 + i] * pixel;
            const __mmask16 to = (__mmask16)(15 << (4 * lane));
            if (step == 1) {
                y = _mm512_mask_broadcast_i32x4(y, to, _mm_loadu_si128((const __m128i *)in));
                continue;
            }
            __m512i z = _mm512_loadu_si512(in);
            if (GROUP * step > 64)
                z = _mm512_permutex2var_epi8(z, from, _mm512_loadu_si512(in + 64));
            else
                z = _mm512_permutexvar_epi8(from, z);
            y = _mm512_mask_mov_epi32(y, to, z);
        }
        x[i] = y;
    }
    transpose(x);
    UNROLL for (int i = 0; i < GROUP; i++) _mm512_store_si512(out + (size_t)i * plane, x[i]);
}

INLINE void set_planes(const struct tables_plan *p, const uint8_t *image, const int32_t *pixels, int count, int step,
                       uint8_t *planes, size_t plane)
{
    uint8_t every[TABLES_LANES];
    for (int i = 0; i < TABLES_LANES; i++)
        every[i] = (uint8_t)(i % GROUP * step);
    __m512i from = _mm512_loadu_si512(every);
    for (int i = 0; i < count; i += TABLES_LANES)
        for (int s = 0; s < p->run_steps; s += GROUP)
            plane_block(image + s * step, pixels + i, p->pixel, step, from, planes + (size_t)s * plane + i, plane);
}

static const int32_t *places(const struct tables_plan *p)
{
    return (const int32_t *)((const char *)p + p->places_at);
}

static void make_planes(const struct tables_plan *p, const struct conv_geom *g, const struct conv_call *call)
{
    uint8_t *scratch = call->scratch, *planes = scratch + p->planes_at;
    int count = p->plane_rows * g->ow, columns = p->runs / g->kh;
    for (int set = 0; set < p->plane_sets; set++) {
        int tap = set / columns * g->dilation_h * p->iw + set % columns * g->dilation_w;
        const uint8_t *image = scratch + p->image_at + tap * p->pixel;
        if (p->step == 1)
            set_planes(p, image, places(p), count, 1, planes, p->plane_bytes);
        else if (p->step == 3)
            set_planes(p, image, places(p), count, 3, planes, p->plane_bytes);
        else if (p->step == 4)
            set_planes(p, image, places(p), count, 4, planes, p->plane_bytes);
        else
            set_planes(p, image, places(p), count, 6, planes, p->plane_bytes);
        planes += p->plane_bytes * (size_t)((p->run_steps + GROUP - 1) / GROUP * GROUP);
    }
}

/* Of a kernel that is one tap, the planes of one tile: nv vectors side by side for each step. */
static void make_tile_planes(const struct tables_plan *p, const struct conv_geom *g, const struct conv_call *call,
                             int first, int nv)
{
    uint8_t *scratch = call->scratch, *image = scratch + p->image_at;
    int left = g->oh * g->ow - first, n = left < nv * TABLES_LANES ? left : nv * TABLES_LANES;
    if (tables_pixels_follow(p, g)) {
        tables_make_pixels(p, call->in + (size_t)first * (size_t)g->cin, n, image);
        image -= first * p->pixel;
    }
    set_planes(p, image, places(p) + first, n, 1, scratch + p->planes_at, (size_t)(p->vectors * TABLES_LANES));
}

/* --- outputs --------------------------------------------------------------------------------------------------------
 */

/* One call in progress. */
struct pass {
    const struct tables_plan *p;
    const struct conv_geom *g;
    const struct conv_call *call;
    const struct requant_lanes *requant; /* NULL if not used */
    const struct tables_fix *fix;
    bool by_threshold;
};

/* Whether all residuals have thresholds. */
static bool residuals_small(const struct conv_geom *g, const struct conv_call *call)
{
    const uint8_t *r = call->residual;
    size_t n = (size_t)g->oh * (size_t)g->ow * (size_t)g->cout, i = 0;
    if (!r)
        return true;
    __m512i all = _mm512_setzero_si512();
    for (; i + 64 <= n; i += 64)
        all = _mm512_or_si512(all, _mm512_loadu_si512(r + i));
    int rest = 0;
    for (; i < n; i++)
        rest |= r[i];
    all = _mm512_and_si512(all, _mm512_set1_epi8((char)~(TABLES_RESIDUALS - 1)));
    return _mm512_test_epi32_mask(all, all) == 0 && rest < TABLES_RESIDUALS;
}

/* A channel's constant in all 16-bit lanes. */
INLINE __m512i twice(const uint32_t *x)
{
    return _mm512_set1_epi32((int)*x);
}

/* Codes of 32 pixels of channel c of 64, in 16-bit lanes. */
INLINE __m512i codes32(__m512i sums, const struct tables_fix *f, int c)
{
    __m512i code = twice(f->base_twice + c), step = twice(f->step_twice + c);
    code = _mm512_mask_add_epi16(code, _mm512_cmpge_epu16_mask(sums, twice(f->at_twice[0] + c)), code, step);
    code = _mm512_mask_add_epi16(code, _mm512_cmpge_epu16_mask(sums, twice(f->at_twice[1] + c)), code, step);
    return _mm512_mask_add_epi16(code, _mm512_cmpge_epu16_mask(sums, twice(f->at_twice[2] + c)), code, step);
}

/* The same beside residuals, one in each 16-bit lane: they choose among a channel's four thresholds. */
INLINE __m512i codes32_residual(__m512i sums, __m512i residual, const struct tables_fix *f, int c)
{
    __m512i code = twice(f->base_twice + c), step = twice(f->step_twice + c);
    UNROLL for (int i = 0; i < TABLES_CODES; i++)
    {
        __m512i at = _mm512_set1_epi64((long long)f->by_residual[i][c]);
        at = _mm512_permutexvar_epi16(residual, at);
        code = _mm512_mask_add_epi16(code, _mm512_cmpge_epu16_mask(sums, at), code, step);
    }
    return code;
}

/* The residuals of 64 pixels of a panel, a channel to a vector. */
static void load_residuals(const struct pass *s, int first, int panel, __m512i *x)
{
    const struct conv_geom *g = s->g;
    int pixels = g->oh * g->ow - first, n = g->cout - panel * PANEL < PANEL ? g->cout - panel * PANEL : PANEL;
    const uint8_t *in = s->call->residual + (size_t)first * (size_t)g->cout + (size_t)(panel * PANEL);
    uint8_t rows[GROUP * TABLES_LANES] __attribute__((aligned(64)));
    if (n < PANEL || pixels < TABLES_LANES)
        memset(rows, 0, sizeof rows);
    for (int i = 0; i < TABLES_LANES && i < pixels; i++, in += g->cout)
        if (n == PANEL)
            _mm_store_si128((__m128i *)(rows + turned((size_t)i)), _mm_loadu_si128((const __m128i *)in));
        else
            memcpy(rows + turned((size_t)i), in, (size_t)n);
    UNROLL for (int i = 0; i < GROUP; i++) x[i] = _mm512_load_si512(rows + i * TABLES_LANES);
    transpose(x);
}

/* Codes of 64 pixels of a panel from sums[16][64] to the output; x: sixteen vectors, one a channel. */
static void store_codes(const struct pass *s, __m512i *x, int first, int panel)
{
    const struct conv_geom *g = s->g;
    int pixels = g->oh * g->ow - first, n = g->cout - panel * PANEL;
    uint8_t *out = s->call->out_u8 + (size_t)first * (size_t)g->cout + (size_t)(panel * PANEL);
    uint8_t codes[GROUP * TABLES_LANES] __attribute__((aligned(64)));
    transpose(x);
    UNROLL for (int i = 0; i < GROUP; i++) _mm512_store_si512(codes + i * TABLES_LANES, x[i]);
    for (int i = 0; i < TABLES_LANES && i < pixels; i++, out += g->cout)
        if (n >= PANEL)
            _mm_storeu_si128((__m128i *)out, _mm_load_si128((__m128i *)(codes + turned((size_t)i))));
        else
            memcpy(out, codes + turned((size_t)i), (size_t)n);
}

static void store_by_threshold(const struct pass *s, const uint16_t *sums, int first, int panel)
{
    __m512i x[GROUP];
    const struct tables_fix *f = s->fix + panel / 4;
    if (s->call->residual)
        load_residuals(s, first, panel, x);
    for (int c = 0; c < PANEL; c++, sums += TABLES_LANES) {
        __m512i even = tables_even(sums), odd = tables_odd(sums);
        int channel = panel % 4 * PANEL + c;
        if (s->call->residual) {
            even = codes32_residual(even, _mm512_and_si512(x[c], _mm512_set1_epi16(255)), f, channel);
            odd = codes32_residual(odd, _mm512_srli_epi16(x[c], 8), f, channel);
        } else {
            even = codes32(even, f, channel);
            odd = codes32(odd, f, channel);
        }
        x[c] = _mm512_or_si512(even, _mm512_slli_epi16(odd, 8));
    }
    store_codes(s, x, first, panel);
}

/* Adds the sums of 64 pixels to acc[64][16]; from zero less the biases if they are the first. Their bytes are turned as
 * codes are, low ones and high ones. */
static void widen(const struct pass *s, const uint16_t *sums, int panel, bool start, int32_t *acc)
{
    uint8_t low[GROUP * TABLES_LANES] __attribute__((aligned(64))),
        high[GROUP * TABLES_LANES] __attribute__((aligned(64)));
    __m512i x[GROUP], bytes = _mm512_set1_epi16(255);
    for (int c = 0; c < PANEL; c++) {
        __m512i even = tables_even(sums + c * TABLES_LANES), odd = tables_odd(sums + c * TABLES_LANES);
        x[c] = _mm512_or_si512(_mm512_and_si512(even, bytes), _mm512_slli_epi16(odd, 8));
        _mm512_store_si512(high + c * TABLES_LANES,
                           _mm512_or_si512(_mm512_srli_epi16(even, 8), _mm512_andnot_si512(bytes, odd)));
    }
    transpose(x);
    for (int i = 0; i < GROUP; i++)
        _mm512_store_si512(low + i * TABLES_LANES, x[i]);
    for (int i = 0; i < GROUP; i++)
        x[i] = _mm512_load_si512(high + i * TABLES_LANES);
    transpose(x);
    for (int i = 0; i < GROUP; i++)
        _mm512_store_si512(high + i * TABLES_LANES, x[i]);
    __m512i bias = _mm512_loadu_si512(s->fix[panel / 4].bias + panel % 4 * PANEL);
    for (int i = 0; i < TABLES_LANES; i++, acc += PANEL) {
        __m512i a = _mm512_cvtepu8_epi32(_mm_load_si128((__m128i *)(low + turned((size_t)i))));
        __m512i b = _mm512_cvtepu8_epi32(_mm_load_si128((__m128i *)(high + turned((size_t)i))));
        a = _mm512_or_si512(a, _mm512_slli_epi32(b, 8));
        _mm512_store_si512(acc, start ? _mm512_sub_epi32(a, bias) : _mm512_add_epi32(a, _mm512_load_si512(acc)));
    }
}

/* Eight pixels of 16 channels, two pixels apart: channel c's sums are at sums + 64 c. */
INLINE void turn_sums(const uint16_t *sums, __m512i out[8])
{
    __m512i x[4], y[4], zero = _mm512_setzero_si512();
    UNROLL for (int i = 0; i < 4; i++) /* channels i, i + 4, i + 8, i + 12 */
    {
        const uint16_t *at = sums + i * TABLES_LANES;
        x[i] = _mm512_castsi128_si512(_mm_load_si128((const __m128i *)at));
        UNROLL for (int lane = 1; lane < 4; lane++) x[i] = _mm512_mask_broadcast_i32x4(
            x[i], (__mmask16)(15 << (4 * lane)), _mm_load_si128((const __m128i *)(at + lane * 4 * TABLES_LANES)));
    }
    UNROLL for (int i = 0; i < 2; i++)
    {
        __m512i a = i ? _mm512_unpackhi_epi16(x[0], x[1]) : _mm512_unpacklo_epi16(x[0], x[1]);
        __m512i b = i ? _mm512_unpackhi_epi16(x[2], x[3]) : _mm512_unpacklo_epi16(x[2], x[3]);
        y[2 * i] = _mm512_unpacklo_epi32(a, b);
        y[2 * i + 1] = _mm512_unpackhi_epi32(a, b);
    }
    UNROLL for (int i = 0; i < 4; i++)
    {
        out[2 * i] = _mm512_unpacklo_epi16(y[i], zero);
        out[2 * i + 1] = _mm512_unpackhi_epi16(y[i], zero);
    }
}

/* Eight pixels of a panel to out, every second one: `pixels` of them, n channels. */
INLINE void store_eight(const uint16_t *sums, __m512i bias, int factor, int pixels, int n, int32_t *out, size_t cout)
{
    __m512i x[8];
    turn_sums(sums, x);
    UNROLL for (int i = 0; i < 8; i++)
    {
        __m512i y = _mm512_sub_epi32(x[i], bias);
        if (factor != 1)
            y = _mm512_mullo_epi32(y, _mm512_set1_epi32(factor));
        if (n == PANEL && i < pixels)
            _mm512_storeu_si512(out + 2 * (size_t)i * cout, y);
        else if (i < pixels)
            _mm512_mask_storeu_epi8(out + 2 * (size_t)i * cout, ((__mmask64)1 << 4 * n) - 1, y);
    }
}

/* 64 pixels of a panel as they are. Changes sums. */
static void store_sums(const struct pass *s, uint16_t *sums, int first, int panel)
{
    const int cout = s->g->cout, left = s->g->oh * s->g->ow - first, co = panel * PANEL;
    const int n = cout - co < PANEL ? cout - co : PANEL;
    const int factor = ((const struct tables_header *)s->call->packed)->factor;
    const __m512i bias = _mm512_loadu_si512(s->fix[panel / 4].bias + panel % 4 * PANEL);
    for (int c = 0; c < PANEL; c++)
        _mm512_store_si512(sums + c * TABLES_LANES, tables_even(sums + c * TABLES_LANES));
    for (int pixel = 0; pixel < TABLES_LANES && pixel < left; pixel += pixel % 2 ? 15 : 1) { /* 0, 1, 16, 17, .. */
        const uint16_t *from = sums + pixel % 2 * 32 + pixel / 16 * 8;
        int32_t *out = s->call->out_s32 + (size_t)(first + pixel) * (size_t)cout + (size_t)co;
        if (left >= TABLES_LANES && n == PANEL && factor == 1)
            store_eight(from, bias, 1, 8, PANEL, out, (size_t)cout);
        else
            store_eight(from, bias, factor, (left - pixel + 1) / 2, n, out, (size_t)cout);
    }
}

/* 64 pixels of a panel from acc[64][16]. */
static void store_acc(const struct pass *s, int32_t *acc, int first, int panel)
{
    int factor = ((const struct tables_header *)s->call->packed)->factor, co = panel * PANEL;
    int left = s->g->oh * s->g->ow - first, m = left < TABLES_LANES ? left : TABLES_LANES;
    int n = s->g->cout - co < PANEL ? s->g->cout - co : PANEL;
    for (int i = 0; i < m && factor != 1; i++)
        _mm512_store_si512(acc + PANEL * i,
                           _mm512_mullo_epi32(_mm512_load_si512(acc + PANEL * i), _mm512_set1_epi32(factor)));
    panel_store(PANEL_STORE_AVX512, s->call, s->requant ? s->requant + panel : NULL, acc, m,
                (size_t)first * (size_t)s->g->cout + (size_t)co, (size_t)s->g->cout, co, n);
}

/* --- loops ----------------------------------------------------------------------------------------------------------
 */

/* Sums of a panel's channels, eight at a time, for nv vectors of pixels: sums[nv][16][64]. */
static void tile_panel(const struct tables_tile *t, int channels, int nv, uint16_t *sums)
{
    struct tables_tile part = *t;
    for (int c = 0; c < channels; c += TABLES_SELECT) {
        int m = channels - c < TABLES_SELECT ? channels - c : TABLES_SELECT;
        part.select[0] = t->select[0] + c;
        part.bias = t->bias + c;
        part.sums = sums + c * TABLES_LANES;
        part.sums_next = PANEL * TABLES_LANES;
        tables_tile_pixels(m, nv, &part);
    }
}

/* nv vectors of pixels from `first` on, of one panel. */
static void panel_pixels(const struct pass *s, const struct tables_tile *t, int first, int nv, int panel)
{
    uint16_t sums[TABLES_VECTORS][PANEL * TABLES_LANES] __attribute__((aligned(64)));
    int32_t acc[TABLES_VECTORS][PANEL * TABLES_LANES] __attribute__((aligned(64)));
    int n = s->g->cout - panel * PANEL < PANEL ? s->g->cout - panel * PANEL : PANEL;
    bool as_they_are = s->call->out_s32 && tables_era(t->segments, t->count) == t->count;
    struct tables_tile part = *t;
    if (n < PANEL)
        memset(sums, 0, sizeof sums);
    for (int done = 0; done < t->count; done += part.count, part.segments += part.count) {
        part.count = tables_era(part.segments, t->count - done);
        tile_panel(&part, n, nv, sums[0]);
        for (int v = 0; v < nv && !s->by_threshold && !as_they_are; v++)
            widen(s, sums[v], panel, done == 0, acc[v]);
    }
    for (int v = 0; v < nv; v++)
        if (s->by_threshold)
            store_by_threshold(s, sums[v], first + v * TABLES_LANES, panel);
        else if (as_they_are)
            store_sums(s, sums[v], first + v * TABLES_LANES, panel);
        else
            store_acc(s, acc[v], first + v * TABLES_LANES, panel);
}

static void run(const struct conv_geom *g, int a_bits, const struct conv_call *call)
{
    (void)a_bits;
    const struct tables_plan *p = call->prepared;
    const struct tables_header *head = call->packed;
    const char *prepared = call->prepared;
    struct pass pass = {.p = p, .g = g, .call = call, .fix = (const struct tables_fix *)(prepared + p->fix_at)};
    if (call->out_u8 && requant_in_lanes(call->rq))
        pass.requant = (const struct requant_lanes *)(prepared + p->requant_at);
    pass.by_threshold =
        tables_by_threshold(call) && p->steps <= head->window * TABLES_WINDOWS && residuals_small(g, call);
    const bool tile_planes = tables_tile_planes(p);
    if (!tile_planes || !tables_pixels_follow(p, g))
        tables_make_image(p, g, call);
    if (!tile_planes)
        make_planes(p, g, call);
    uint8_t *scratch = call->scratch, *cells = scratch + p->cells_at;
    const size_t bytes = (size_t)p->chunks * TABLES_LANES;
    const int begin = call->channels[0] / PANEL, end = tables_end(p, call);
    for (int i = begin; i < end; i++)
        tables_unpack(p, call->packed, i, cells + (size_t)i * bytes, TABLES_LANES);

    struct tables_tile t = {.wide = p->wide,
                            .tables = (const uint8_t *)prepared + p->tables_at,
                            .segments = tables_segments(p),
                            .count = p->segments,
                            .index_next = TABLES_LANES,
                            .index_step = tables_plane_step(p),
                            .select_step = PANEL};
    for (int first = 0, nv; first < g->oh * g->ow; first += nv * TABLES_LANES) {
        nv = tables_vectors(p, (g->oh * g->ow - first + TABLES_LANES - 1) / TABLES_LANES);
        t.index = scratch + p->planes_at + (tile_planes ? 0 : first);
        if (tile_planes)
            make_tile_planes(p, g, call, first, nv);
        for (int i = begin; i < end; i++) {
            t.select[0] = cells + (size_t)i * bytes;
            t.bias = tables_bias(call->packed) + i * PANEL;
            panel_pixels(&pass, &t, first, nv, i);
        }
    }
}

const struct conv_kernel conv_pixels_avx512 = {
    .name = "conv_pixels_avx512",
    .family = FAMILY_TABLES,
    .isa = ISA_AVX512VBMI,
    .w_bits = {1, 2},
    .a_bits = {1, 2},
    .schemes = "byte sums",
    .tile = "128x4",
    .can = can,
    .packed_size = packed_size,
    .pack = pack,
    .prepared_size = prepared_size,
    .prepare = prepare,
    .scratch_size = scratch_size,
    .run = run,
    .channel_unit = PANEL,
};
