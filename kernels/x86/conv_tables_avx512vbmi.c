/* SPDX-License-Identifier: MIT
 *
 * Convolution by product tables (product_tables.h) with 64 channels in lanes: weights are indices, the activations of a
 * pixel select tables. 4 pixels by 128 channels, or by 64 where only one panel is left.
 */
#include "kernels/product_tables.h"
#include "kernels/rows.h"
#include "kernels/unroll.h"
#include "kernels/x86/intrin.h"
#include "kernels/x86/product_sums_avx512vbmi.h"

#include <string.h>

static const struct tables_row channels_row = {.pixels = false, .lanes = TABLES_LANES};

static bool can(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    /* lanes without a channel, and few pixels to share an unpacked panel, cost what tables gain */
    int panels = (g->cout + TABLES_LANES - 1) / TABLES_LANES;
    return tables_can(&channels_row, g, a_bits, w) && 8 * g->cout >= 5 * TABLES_LANES * panels && g->oh * g->ow >= 4;
}

TABLES_FUNCTIONS(channels_row)

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

/* Codes of 32 channels in 16-bit lanes. */
INLINE __m512i codes32(__m512i sums, const struct tables_fix *f, int half)
{
    __m512i code = _mm512_load_si512(f->base + half), step = _mm512_load_si512(f->step + half);
    code = _mm512_mask_add_epi16(code, _mm512_cmpge_epu16_mask(sums, _mm512_load_si512(f->at[0] + half)), code, step);
    code = _mm512_mask_add_epi16(code, _mm512_cmpge_epu16_mask(sums, _mm512_load_si512(f->at[1] + half)), code, step);
    return _mm512_mask_add_epi16(code, _mm512_cmpge_epu16_mask(sums, _mm512_load_si512(f->at[2] + half)), code, step);
}

/* m pixels of a panel: the codes of both halves side by side, then in order. */
static void store_by_threshold(const struct pass *s, const uint16_t *sums, int m, size_t at, int panel)
{
    const struct tables_fix *f = s->fix + panel;
    int n = s->g->cout - panel * TABLES_LANES;
    __mmask64 mask = n >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << n) - 1;
    __m512i from = _mm512_loadu_si512(s->p->order);
    uint8_t *out = s->call->out_u8 + at * (size_t)s->g->cout + (size_t)(panel * TABLES_LANES);
    for (int i = 0; i < m; i++, sums += TABLES_LANES, out += s->g->cout) {
        __m512i low = codes32(tables_even(sums), f, 0);
        __m512i high = codes32(tables_odd(sums), f, 32);
        __m512i codes = _mm512_or_si512(low, _mm512_slli_epi16(high, 8));
        _mm512_mask_storeu_epi8(out, mask, _mm512_permutexvar_epi8(from, codes));
    }
}

/* m pixels of a panel as they are. */
static void store_sums(const struct pass *s, const uint16_t *sums, int m, size_t at, int panel)
{
    const int32_t *bias = s->fix[panel].bias;
    const int cout = s->g->cout, n = cout - panel * TABLES_LANES;
    const __m512i factor = _mm512_set1_epi32(((const struct tables_header *)s->call->packed)->factor);
    int32_t part[TABLES_LANES], *out = s->call->out_s32 + at * (size_t)cout + (size_t)(panel * TABLES_LANES);
    for (int i = 0; i < m; i++, sums += TABLES_LANES, out += cout) {
        __m512i even = tables_even(sums), odd = tables_odd(sums);
        int32_t *to = n < TABLES_LANES ? part : out;
        __m512i x[4] = {_mm512_cvtepu16_epi32(_mm512_castsi512_si256(even)),
                        _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(even, 1)),
                        _mm512_cvtepu16_epi32(_mm512_castsi512_si256(odd)),
                        _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(odd, 1))};
        UNROLL for (int q = 0; q < 4; q++)
        {
            x[q] = _mm512_sub_epi32(x[q], _mm512_load_si512(bias + q * PANEL));
            _mm512_storeu_si512(to + q * PANEL, _mm512_mullo_epi32(x[q], factor));
        }
        if (n < TABLES_LANES)
            memcpy(out, part, (size_t)n * sizeof *out);
    }
}

/* Adds 16 sums to acc; from zero less the biases if they are the first. */
INLINE void widen16(__m256i sums, const int32_t *bias, bool first, int32_t *acc)
{
    __m512i from = first ? _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_load_si512(bias)) : _mm512_load_si512(acc);
    _mm512_store_si512(acc, _mm512_add_epi32(_mm512_cvtepu16_epi32(sums), from));
}

/* Adds the sums of m pixels to acc[4][m][16]. */
static void widen(const struct tables_fix *f, const uint16_t *sums, int m, bool first, int32_t *acc)
{
    for (int i = 0; i < m; i++, sums += TABLES_LANES, acc += PANEL) {
        __m512i even = tables_even(sums), odd = tables_odd(sums);
        widen16(_mm512_castsi512_si256(even), f->bias, first, acc);
        widen16(_mm512_extracti64x4_epi64(even, 1), f->bias + PANEL, first, acc + m * PANEL);
        widen16(_mm512_castsi512_si256(odd), f->bias + 2 * PANEL, first, acc + 2 * m * PANEL);
        widen16(_mm512_extracti64x4_epi64(odd, 1), f->bias + 3 * PANEL, first, acc + 3 * m * PANEL);
    }
}

/* m pixels of a panel from acc[4][m][16]. */
static void store_acc(const struct pass *s, int32_t *acc, int m, size_t at, int panel)
{
    int factor = ((const struct tables_header *)s->call->packed)->factor, cout = s->g->cout;
    for (int i = 0; i < 4 * m && factor != 1; i++)
        _mm512_store_si512(acc + PANEL * i,
                           _mm512_mullo_epi32(_mm512_load_si512(acc + PANEL * i), _mm512_set1_epi32(factor)));
    for (int q = 0; q < 4; q++) {
        int co = panel * TABLES_LANES + q * PANEL, n = cout - co < PANEL ? cout - co : PANEL;
        if (n > 0)
            panel_store(PANEL_STORE_AVX512, s->call, s->requant ? s->requant + co / PANEL : NULL, acc + q * m * PANEL,
                        m, at * (size_t)cout + (size_t)co, (size_t)cout, co, n);
    }
}

/* --- loops ----------------------------------------------------------------------------------------------------------
 */

/* m pixels from `at` on, of nv panels from `panel` on. */
static void tile_pixels(const struct pass *s, const struct tables_tile *t, int m, size_t at, int panel, int nv)
{
    int32_t acc[TABLES_VECTORS][TABLES_SELECT * TABLES_LANES] __attribute__((aligned(64)));
    bool sums = s->call->out_s32 && tables_era(t->segments, t->count) == t->count;
    struct tables_tile part = *t;
    part.sums_next = (size_t)m * TABLES_LANES;
    for (int done = 0; done < t->count; done += part.count, part.segments += part.count) {
        part.count = tables_era(part.segments, t->count - done);
        tables_tile_channels(m, nv, &part);
        for (int v = 0; v < nv && !s->by_threshold && !sums; v++)
            widen(s->fix + panel + v, t->sums + v * m * TABLES_LANES, m, done == 0, acc[v]);
    }
    for (int v = 0; v < nv; v++)
        if (sums)
            store_sums(s, t->sums + v * m * TABLES_LANES, m, at, panel + v);
        else if (s->by_threshold)
            store_by_threshold(s, t->sums + v * m * TABLES_LANES, m, at, panel + v);
        else
            store_acc(s, acc[v], m, at, panel + v);
}

/* All pixels of nv panels from `panel` on. */
static void panel_pixels(const struct pass *s, struct tables_tile *t, int panel, int nv)
{
    int total = s->g->oh * s->g->ow, tiles = (total + TABLES_SELECT - 1) / TABLES_SELECT;
    const int32_t *places = (const int32_t *)((const char *)s->p + s->p->places_at);
    const uint8_t *image = (const uint8_t *)s->call->scratch + s->p->image_at;
    for (int i = 0, at = 0; i < tiles; i++) {
        int m = total / tiles + (i < total % tiles); /* tiles of even size */
        for (int k = 0; k < m; k++)
            t->select[k] = image + places[at + k] * s->p->pixel;
        tile_pixels(s, t, m, (size_t)at, panel, nv);
        at += m;
    }
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
    pass.by_threshold = tables_by_threshold(call) && !call->residual && p->steps <= head->window * TABLES_WINDOWS;
    tables_make_image(p, g, call);

    uint16_t sums[TABLES_VECTORS * TABLES_SELECT * TABLES_LANES] __attribute__((aligned(64)));
    uint8_t *cells = (uint8_t *)call->scratch + p->cells_at;
    const size_t cells_step = (size_t)(p->vectors * TABLES_LANES); /* side by side, which is one stream to read */
    struct tables_tile t = {.wide = p->wide,
                            .tables = (const uint8_t *)prepared + p->tables_at,
                            .segments = tables_segments(p),
                            .count = p->segments,
                            .index = cells,
                            .index_next = TABLES_LANES,
                            .index_step = cells_step,
                            .select_step = p->step,
                            .sums = sums};
    const int end = tables_end(p, call);
    for (int i = call->channels[0] / TABLES_LANES, nv; i < end; i += nv) {
        nv = tables_vectors(p, end - i);
        for (int v = 0; v < nv; v++)
            tables_unpack(p, call->packed, i + v, cells + v * TABLES_LANES, cells_step);
        t.bias = tables_bias(call->packed) + i * TABLES_LANES;
        panel_pixels(&pass, &t, i, nv);
    }
}

const struct conv_kernel conv_tables_avx512 = {
    .name = "conv_tables_avx512",
    .family = FAMILY_TABLES,
    .isa = ISA_AVX512VBMI,
    .w_bits = {1, 2},
    .a_bits = {1, 2},
    .schemes = "byte sums",
    .tile = "4x128",
    .can = can,
    .packed_size = packed_size,
    .pack = pack,
    .prepared_size = prepared_size,
    .prepare = prepare,
    .scratch_size = scratch_size,
    .run = run,
    .channel_unit = TABLES_LANES,
};
