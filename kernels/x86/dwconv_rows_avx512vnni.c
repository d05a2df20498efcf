/* SPDX-License-Identifier: MIT
 *
 * Depthwise convolution with vpdpbusd over four image rows at a time.
 *
 * A window is four rows (kh and what two output rows need, more windows for more) with their values interleaved: a
 * 32-bit lane holds one column and channel of all four. A column of taps is then one instruction for 16 channels, and
 * the same window serves two output rows, with weights that are moved by a byte. Rows outside of the image are a row of
 * the pad code; columns outside are put into the window: the image is not copied. A window covers a strip of columns
 * that stays in the first cache.
 *
 * Sliced: 64 channels at a time where they divide the channels. Flat: else all channels, rows taken as
 * [column][channel] in blocks of 64 elements. What 16 of them need (weights, requantization) repeats with the channels;
 * a pattern is a place of a block in that repetition. All blocks of one pattern in a strip are computed together, their
 * weights in registers.
 *
 * Packed weights are 4 bytes for each window, output row and column of taps, whatever their width: 12 or 24 bytes where
 * a 3x3 filter has 9 weights.
 */
#include "base/num.h"
#include "kernels/panel.h"
#include "kernels/rows.h"
#include "kernels/scalar.h"
#include "kernels/unroll.h"
#include "kernels/x86/dwconv_avx512.h"
#include "kernels/x86/intrin.h"
#include "kernels/x86/requant_avx512.h"

#include <string.h>

enum {
    LANES = 16,
    BLOCK = 64,
    FEW = 8,        /* blocks computed together */
    FLAT_MAX = 256, /* channels */
    STRIP_BYTES = 16384
};

struct rows_plan {
    int c; /* channels */
    bool flat;
    int width, slices; /* channels computed together, and how often: 64, or all once if flat */
    int rows;          /* output rows of a window: 2 or 1 */
    int windows, taps; /* windows, columns of taps in all of them */
    int vectors;       /* different groups of 16 elements in all slices */
    int patterns;      /* different blocks in a slice */
    int strip;         /* output columns of a strip */
    int blocks;        /* of a strip */
    size_t window_bytes;
    /* prepared: struct requant_lanes of every vector, offsets of groups of 16, of taps, and an int32_t: 1 if all lanes
     * have floats */
    size_t offsets_at, taps_at, floats_at, prepared_bytes;
    size_t pad_at, scratch_bytes;
};

/* Columns under n output columns. */
static int columns_under(const struct conv_geom *g, int n)
{
    return (n - 1) * g->stride_w + (g->kw - 1) * g->dilation_w + 1;
}

/* Whole blocks of output, in as much of the cache as a strip may have. */
static int strip_columns(const struct rows_plan *p, const struct conv_geom *g)
{
    int unit = BLOCK / gcd_int(p->width, BLOCK),
        n = STRIP_BYTES / (4 * p->width * g->stride_w * p->windows) / unit * unit;
    n = n < unit ? unit : n;
    return n < g->ow ? n : g->ow;
}

static bool is_flat(const struct conv_geom *g)
{
    /* Groups of 16 elements must not cross columns that a stride takes apart. */
    if (g->cin > FLAT_MAX || (g->stride_w > 1 && g->cin % LANES != 0))
        return false;
    int lanes = (g->cin + BLOCK - 1) / BLOCK * BLOCK;
    return 8 * g->cin < 7 * lanes;
}

static void plan_init(struct rows_plan *p, const struct conv_geom *g)
{
    p->c = g->cin;
    p->flat = is_flat(g);
    p->width = p->flat ? p->c : BLOCK;
    p->slices = (p->c + p->width - 1) / p->width;
    p->rows = g->stride_h == 1 && g->dilation_h == 1 ? 2 : 1;
    p->windows = (g->kh + p->rows - 1 + 3) / 4;
    p->taps = p->windows * g->kw;
    p->vectors = p->flat ? p->c / gcd_int(p->c, LANES) : 4 * p->slices;
    p->patterns = p->width / gcd_int(p->width, BLOCK);
    p->strip = strip_columns(p, g);
    p->blocks = (p->strip * p->width + BLOCK - 1) / BLOCK;
    /* Vector stores and loads reach a block past the end. */
    p->window_bytes = align64(4 * ((size_t)columns_under(g, p->strip) * (size_t)p->width + BLOCK));
    p->offsets_at = (size_t)p->vectors * sizeof(struct requant_lanes);
    p->taps_at = p->offsets_at + (size_t)(4 * p->blocks) * sizeof(int32_t);
    p->floats_at = p->taps_at + (size_t)p->taps * sizeof(int32_t);
    p->prepared_bytes = p->floats_at + sizeof(int32_t);
    p->pad_at = (size_t)p->windows * p->window_bytes;
    p->scratch_bytes = p->pad_at + (size_t)g->w * (size_t)p->c;
}

/* The channel of a vector's lane, past the last in lanes without one. Slices are not in order: unpacking works within
 * 128 bits, and packing undoes it. */
static int channel_of(const struct rows_plan *p, int vector, int lane)
{
    if (!p->flat)
        return vector / 4 * BLOCK + lane / 4 * 16 + vector % 4 * 4 + lane % 4;
    return (vector * LANES + lane) % p->c;
}

/* --- windows --------------------------------------------------------------------------------------------------------
 */

/* To lanes in order: what comes into the same 128 bits is brought together first. */
static inline void interleave64_in_order(__m512i a, __m512i b, __m512i c, __m512i d, uint8_t *out)
{
    const __m512i spread = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    interleave64(_mm512_permutexvar_epi32(spread, a), _mm512_permutexvar_epi32(spread, b),
                 _mm512_permutexvar_epi32(spread, c), _mm512_permutexvar_epi32(spread, d), out);
}

/* The first n elements of 64 bits. */
static inline __mmask64 first_of(size_t n)
{
    return n < BLOCK ? ((__mmask64)1 << n) - 1 : ~(__mmask64)0;
}

static void interleave_flat(const uint8_t *const r[4], size_t n, uint8_t *out)
{
    size_t i = 0;
    for (; i + BLOCK <= n; i += BLOCK, out += 4 * BLOCK)
        interleave64_in_order(_mm512_loadu_si512(r[0] + i), _mm512_loadu_si512(r[1] + i), _mm512_loadu_si512(r[2] + i),
                              _mm512_loadu_si512(r[3] + i), out);
    if (i < n) {
        __mmask64 m = first_of(n - i);
        interleave64_in_order(_mm512_maskz_loadu_epi8(m, r[0] + i), _mm512_maskz_loadu_epi8(m, r[1] + i),
                              _mm512_maskz_loadu_epi8(m, r[2] + i), _mm512_maskz_loadu_epi8(m, r[3] + i), out);
    }
}

/* Columns of n <= 64 channels. */
static void interleave_slice(const uint8_t *const r[4], size_t columns, size_t step, size_t n, uint8_t *out)
{
    const uint8_t *a = r[0], *b = r[1], *c = r[2], *d = r[3];
    __mmask64 m = first_of(n);
    for (size_t at = 0; columns > 0 && n < BLOCK; columns--, at += step, out += 4 * BLOCK)
        interleave64(_mm512_maskz_loadu_epi8(m, a + at), _mm512_maskz_loadu_epi8(m, b + at),
                     _mm512_maskz_loadu_epi8(m, c + at), _mm512_maskz_loadu_epi8(m, d + at), out);
    for (size_t at = 0; columns > 0; columns--, at += step, out += 4 * BLOCK)
        interleave64(_mm512_loadu_si512(a + at), _mm512_loadu_si512(b + at), _mm512_loadu_si512(c + at),
                     _mm512_loadu_si512(d + at), out);
}

/* What is computed at once. */
struct strip {
    int oy, rows; /* output rows */
    int ox, n;    /* output columns */
    int slice;
};

static size_t slice_channels(const struct rows_plan *p, int slice)
{
    int left = p->c - slice * p->width;
    return (size_t)(left < p->width ? left : p->width);
}

/* All windows of a strip. */
static void fill_windows(const struct rows_plan *p, const struct conv_geom *g, const struct conv_call *call,
                         const struct strip *s)
{
    uint8_t *out = call->scratch;
    const uint8_t *pad = out + p->pad_at;
    int columns = columns_under(g, s->n), first = s->ox * g->stride_w - g->pad_left;
    int from = clamp_int(first, 0, g->w), to = clamp_int(first + columns, from, g->w);
    int left = clamp_int(-first, 0, columns);
    size_t element = 4 * (size_t)p->width, lead = (size_t)left * element, body = (size_t)(to - from) * element;
    size_t rest = (size_t)columns * element - lead - body;
    for (int i = 0; i < p->windows; i++, out += p->window_bytes) {
        const uint8_t *r[4];
        for (int k = 0; k < 4; k++) {
            int ky = 4 * i + k, y = s->oy * g->stride_h - g->pad_top + ky * g->dilation_h;
            bool use = ky < g->kh + s->rows - 1 && y >= 0 && y < g->h;
            const uint8_t *row = use ? call->in + (size_t)y * (size_t)g->w * (size_t)p->c : pad;
            r[k] = row + (size_t)from * (size_t)p->c + (size_t)(s->slice * p->width);
        }
        memset(out, call->pad_code, lead);
        if (p->flat)
            interleave_flat(r, body / 4, out + lead);
        else
            interleave_slice(r, (size_t)(to - from), (size_t)p->c, slice_channels(p, s->slice), out + lead);
        memset(out + lead + body, call->pad_code, rest);
    }
}

/* --- sums -----------------------------------------------------------------------------------------------------------
 */

/* Some blocks of one pattern. */
struct few {
    const struct rows_plan *p;
    const uint8_t *image;   /* windows */
    const int32_t *offsets; /* of the first block's groups of 16; the next block's are 4 * patterns on */
    const int32_t *taps;
    int count;    /* of blocks */
    int32_t *acc; /* [count][rows][64] */
};

/* Three columns of taps in one window. w: [3][rows of the plan][64]. */
static inline __attribute__((always_inline)) void sums_3(const struct few *f, int k, const uint8_t *w, int plan_rows,
                                                         int rows)
{
    __m512i w0 = _mm512_load_si512(w), w1 = _mm512_load_si512(w + 64 * plan_rows),
            w2 = _mm512_load_si512(w + 128 * plan_rows), v0 = w0, v1 = w1, v2 = w2;
    if (rows == 2) {
        v0 = _mm512_load_si512(w + 64);
        v1 = _mm512_load_si512(w + 64 + 64 * plan_rows);
        v2 = _mm512_load_si512(w + 64 + 128 * plan_rows);
    }
    const uint8_t *image0 = f->image + f->taps[0], *image1 = f->image + f->taps[1], *image2 = f->image + f->taps[2];
    const int32_t *offset = f->offsets + k;
    int32_t *acc = f->acc + LANES * k;
    for (int i = 0; i < f->count; i++, offset += 4 * f->p->patterns, acc += rows * BLOCK) {
        ptrdiff_t at = *offset;
        __m512i a = _mm512_loadu_si512(image0 + at), b = _mm512_loadu_si512(image1 + at),
                c = _mm512_loadu_si512(image2 + at), zero = _mm512_setzero_si512();
        __m512i x = _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(_mm512_dpbusd_epi32(zero, a, w0), b, w1), c, w2);
        _mm512_store_si512(acc, x);
        if (rows == 2) {
            x = _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(_mm512_dpbusd_epi32(zero, a, v0), b, v1), c, v2);
            _mm512_store_si512(acc + BLOCK, x);
        }
    }
}

/* Any taps, four blocks at once. */
#define BLOCKS(DO) DO(0) DO(1) DO(2) DO(3)
#define START(j)                                                                                          \
    const uint8_t *p##j = f->image + f->offsets[4 * f->p->patterns * (i + j < f->count ? i + j : i) + k]; \
    __m512i c##j = _mm512_setzero_si512(), d##j = c##j;
#define TAP(j)                                      \
    {                                               \
        __m512i a = _mm512_loadu_si512(p##j + at);  \
        c##j = _mm512_dpbusd_epi32(c##j, a, x);     \
        if (rows == 2)                              \
            d##j = _mm512_dpbusd_epi32(d##j, a, y); \
    }
#define STORE(j)                                                    \
    if (i + j < f->count) {                                         \
        int32_t *acc = f->acc + (i + j) * rows * BLOCK + LANES * k; \
        _mm512_store_si512(acc, c##j);                              \
        if (rows == 2)                                              \
            _mm512_store_si512(acc + BLOCK, d##j);                  \
    }

static inline __attribute__((always_inline)) void sums_n(const struct few *f, int k, const uint8_t *w, int plan_rows,
                                                         int rows)
{
    for (int i = 0; i < f->count; i += 4) {
        BLOCKS(START)
        const uint8_t *from = w;
        for (int t = 0; t < f->p->taps; t++, from += 64 * plan_rows) {
            __m512i x = _mm512_load_si512(from), y = rows == 2 ? _mm512_load_si512(from + 64) : x;
            ptrdiff_t at = f->taps[t];
            BLOCKS(TAP)
        }
        BLOCKS(STORE)
    }
}

/* All sums of these blocks, for one output row or two. first: the number of their first vector. */
static void sums(const struct few *f, const uint8_t *packed, int first, int rows)
{
    const struct rows_plan *p = f->p;
    for (int k = 0; k < 4; k++) {
        const uint8_t *w = packed + (size_t)((first + k) % p->vectors) * (size_t)(64 * p->taps * p->rows);
        if (p->taps == 3 && rows == 2)
            sums_3(f, k, w, 2, 2);
        else if (p->taps == 3)
            sums_3(f, k, w, p->rows, 1);
        else if (rows == 2)
            sums_n(f, k, w, 2, 2);
        else
            sums_n(f, k, w, p->rows, 1);
    }
}

/* --- outputs --------------------------------------------------------------------------------------------------------
 */

/* Requantizes blocks to codes, a block's distance apart. in_order: `room` elements of the strip from the first block
 * on, else of each block. */
INLINE void codes(const struct few *f, const struct requant_lanes *lanes, int first, const struct requant *rq, int rows,
                  bool in_order, uint8_t *out, size_t row, size_t distance, size_t room, enum requant_way way)
{
    const struct requant_common common = requant_common(rq);
    struct requant_panel panels[4];
    for (int k = 0; k < 4; k++)
        panels[k] = requant_panel(lanes + (first + k) % f->p->vectors);
    const int32_t *acc = f->acc;
    for (int i = 0; i < f->count; i++, out += distance, room -= in_order ? distance : 0)
        for (int r = 0; r < rows; r++, acc += BLOCK) {
            __m512i x[4];
            UNROLL for (int k = 0; k < 4; k++) x[k] =
                requant16(&common, &panels[k], _mm512_load_si512(acc + LANES * k), _mm_setzero_si128(), way);
            __m512i y = in_order ? saturate_codes(x[0], x[1], x[2], x[3])
                                 : _mm512_packus_epi16(_mm512_packs_epi32(x[0], x[1]), _mm512_packs_epi32(x[2], x[3]));
            y = _mm512_min_epu8(_mm512_max_epu8(y, common.lo), common.hi);
            _mm512_mask_storeu_epi8(out + (size_t)r * row, first_of(room), y);
        }
}

/* Any other output, of n elements from the output's element `to` on. */
static void store(const struct rows_plan *p, const struct conv_call *call, size_t to, const int32_t *acc, size_t n)
{
    int32_t ordered[BLOCK] __attribute__((aligned(64)));
    for (int i = 0; i < BLOCK; i++)
        ordered[p->flat ? i : i / 4 % 4 * 16 + i / 16 * 4 + i % 4] = acc[i];
    acc = ordered;
    size_t c = (size_t)p->c;
    for (size_t i = 0; i < n; i += LANES) {
        if (c % LANES == 0)
            panel_store(NULL, call, NULL, acc + i, 1, to + i, c, (int)((to + i) % c), LANES);
        else
            for (size_t j = i; j < n && j < i + LANES; j++)
                conv_store(call, to + j, (int)((to + j) % c), acc[j]);
    }
}

/* --- sums to codes in registers -------------------------------------------------------------------------------------
 */

#if !defined(BITFADER_SIMDE)
/* Two blocks of one pattern, three columns of taps, `rows` output rows, requantized in float: from the windows to codes
 * with nothing in between. The names end in the block and the output row. */
struct pair {
    const struct few *f;
    const uint8_t *packed;
    const struct requant_lanes *lanes;
    int first, plan_rows;
    const uint8_t *image[3];
};

#define OUTPUTS(DO) DO(0, 0) DO(0, 1) DO(1, 0) DO(1, 1)

/* Sums of group k. The second output row's weights are w3, w4, w5. */
#define WINDOW(j)                                                                                               \
    {                                                                                                           \
        ptrdiff_t at = offset[j][k];                                                                            \
        __m512i a = _mm512_loadu_si512(p->image[0] + at), b = _mm512_loadu_si512(p->image[1] + at),             \
                c = _mm512_loadu_si512(p->image[2] + at);                                                       \
        x##j##0 = _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(_mm512_dpbusd_epi32(zero, a, w0), b, w1), c, w2);     \
        if (rows == 2)                                                                                          \
            x##j##1 = _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(_mm512_dpbusd_epi32(zero, a, w3), b, w4), c, w5); \
    }
#define REQUANT(j, r) \
    if ((r) < rows)   \
        x##j##r = requant16_floats(x##j##r, panel.scale, panel.bias);

/* Codes of group k of both blocks and all rows, before the clamp, to x00 .. x11. */
#define GROUP(k_, keep)                                                                                          \
    {                                                                                                            \
        const int k = k_;                                                                                        \
        int v = (p->first + k) % p->f->p->vectors;                                                               \
        const uint8_t *w = p->packed + (size_t)v * (size_t)(192 * p->plan_rows);                                 \
        const struct requant_panel panel = requant_panel(p->lanes + v);                                          \
        ptrdiff_t tap = 64 * p->plan_rows;                                                                       \
        __m512i w0 = _mm512_load_si512(w), w1 = _mm512_load_si512(w + tap), w2 = _mm512_load_si512(w + 2 * tap); \
        __m512i w3 = w0, w4 = w1, w5 = w2, zero = _mm512_setzero_si512();                                        \
        if (rows == 2) {                                                                                         \
            w3 = _mm512_load_si512(w + 64);                                                                      \
            w4 = _mm512_load_si512(w + 64 + tap);                                                                \
            w5 = _mm512_load_si512(w + 64 + 2 * tap);                                                            \
        }                                                                                                        \
        WINDOW(0)                                                                                                \
        WINDOW(1)                                                                                                \
        OUTPUTS(REQUANT)                                                                                         \
        OUTPUTS(keep)                                                                                            \
    }
#define KEEP_EVEN(j, r)    y##j##r = x##j##r;
#define PACK_LOW(j, r)     lo##j##r = _mm512_packs_epi32(y##j##r, x##j##r);
#define PACK_HIGH(j, r)    lo##j##r = _mm512_packus_epi16(lo##j##r, _mm512_packs_epi32(y##j##r, x##j##r));
#define CLEAR_OUTPUT(j, r) __m512i x##j##r = _mm512_setzero_si512(), y##j##r = x##j##r, lo##j##r = x##j##r;

static inline __attribute__((always_inline)) void pair_codes(const struct pair *p, const int32_t *const offset[2],
                                                             int rows, __m512i out[2][2])
{
    OUTPUTS(CLEAR_OUTPUT)
    GROUP(0, KEEP_EVEN)
    GROUP(1, PACK_LOW)
    GROUP(2, KEEP_EVEN)
    GROUP(3, PACK_HIGH)
    out[0][0] = lo00;
    out[0][1] = lo01;
    out[1][0] = lo10;
    out[1][1] = lo11;
}

/* As sums() and codes(). */
static inline __attribute__((always_inline)) void fused(const struct pair *p, const struct requant *rq, int rows,
                                                        bool in_order, uint8_t *out, size_t row, size_t distance,
                                                        size_t room)
{
    const struct few *f = p->f;
    const __m512i gather = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m512i lo = _mm512_set1_epi8((char)rq->lo), hi = _mm512_set1_epi8((char)rq->hi);
    ptrdiff_t step = 4 * f->p->patterns;
    for (int i = 0; i < f->count; i += 2) {
        const int32_t *offset[2] = {f->offsets + i * step, f->offsets + (i + 1 < f->count ? i + 1 : i) * step};
        __m512i x[2][2];
        pair_codes(p, offset, rows, x);
        UNROLL
        for (int j = 0; j < 2; j++, out += distance, room -= in_order ? distance : 0) {
            if (i + j == f->count)
                break;
            UNROLL
            for (int r = 0; r < rows; r++) {
                __m512i y = in_order ? _mm512_permutexvar_epi32(gather, x[j][r]) : x[j][r];
                y = _mm512_min_epu8(_mm512_max_epu8(y, lo), hi);
                if (room >= BLOCK)
                    _mm512_storeu_si512(out + (size_t)r * row, y);
                else
                    _mm512_mask_storeu_epi8(out + (size_t)r * row, first_of(room), y);
            }
        }
    }
}

static void fused_outputs(const struct few *f, const struct conv_call *call, int first, int rows, uint8_t *out,
                          size_t row, size_t distance, size_t room)
{
    const struct rows_plan *p = f->p;
    const struct pair pair = {.f = f,
                              .packed = call->packed,
                              .lanes = call->prepared,
                              .first = first,
                              .plan_rows = p->rows,
                              .image = {f->image + f->taps[0], f->image + f->taps[1], f->image + f->taps[2]}};
    if (p->flat && rows == 2)
        fused(&pair, call->rq, 2, true, out, row, distance, room);
    else if (p->flat)
        fused(&pair, call->rq, 1, true, out, row, distance, room);
    else if (rows == 2)
        fused(&pair, call->rq, 2, false, out, row, distance, room);
    else
        fused(&pair, call->rq, 1, false, out, row, distance, room);
}
#endif

/* Whether floats requantize all lanes. */
static bool all_floats(const struct rows_plan *p, const struct conv_call *call)
{
#if defined(BITFADER_SIMDE)
    (void)p, (void)call;
    return false; /* no rounding in a certain direction there */
#else
    int32_t floats;
    memcpy(&floats, (const char *)call->prepared + p->floats_at, sizeof floats);
    return floats;
#endif
}

/* Whether sums need not leave the registers. */
static bool is_fused(const struct rows_plan *p, const struct conv_call *call)
{
    return call->out_u8 && !call->residual && p->taps == 3 && all_floats(p, call);
}

/* Blocks from the b-th of a strip on, their first vector's number `first`. */
static void outputs(const struct few *f, const struct conv_geom *g, const struct conv_call *call, const struct strip *s,
                    int b, int first)
{
    const struct rows_plan *p = f->p;
    bool in_order = p->flat;
    size_t c = (size_t)p->c, row = (size_t)g->ow * c;
    size_t distance = in_order ? (size_t)p->patterns * BLOCK : c;
    size_t room = in_order ? (size_t)s->n * c - (size_t)b * BLOCK : slice_channels(p, s->slice);
    size_t at = (size_t)s->oy * row + (size_t)s->ox * c;
    at += in_order ? (size_t)b * BLOCK : (size_t)b * c + (size_t)s->slice * BLOCK;
#if !defined(BITFADER_SIMDE)
    if (is_fused(p, call)) {
        fused_outputs(f, call, first, s->rows, call->out_u8 + at, row, distance, room);
        return;
    }
#endif
    sums(f, call->packed, first, s->rows);
    if (call->out_u8 && !call->residual && requant_in_lanes(call->rq)) {
        const struct requant_lanes *lanes = call->prepared;
        uint8_t *out = call->out_u8 + at;
        if (all_floats(p, call))
            codes(f, lanes, first, call->rq, s->rows, in_order, out, row, distance, room, WAY_FLOATS);
        else if (call->rq->left)
            codes(f, lanes, first, call->rq, s->rows, in_order, out, row, distance, room, WAY_LEFT);
        else
            codes(f, lanes, first, call->rq, s->rows, in_order, out, row, distance, room, WAY_INTEGERS);
        return;
    }
    const int32_t *acc = f->acc;
    for (int i = 0; i < f->count; i++, at += distance, room -= in_order ? distance : 0)
        for (int r = 0; r < s->rows; r++, acc += BLOCK)
            store(p, call, at + (size_t)r * row, acc, room > BLOCK ? BLOCK : room);
}

/* --- row ------------------------------------------------------------------------------------------------------------
 */

static bool can(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    (void)a_bits, (void)w;
    return g->groups == g->cin && g->cout == g->cin;
}

static size_t packed_size(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    (void)a_bits, (void)w;
    struct rows_plan p;
    plan_init(&p, g);
    return (size_t)(p.vectors * p.taps * p.rows) * 64;
}

/* [vector][window][column of taps][output row][lane][row of the window] */
static void pack(const struct conv_geom *g, int a_bits, const struct conv_weights *w, void *packed)
{
    (void)a_bits;
    struct rows_plan p;
    plan_init(&p, g);
    int8_t *out = packed;
    for (int v = 0; v < p.vectors; v++)
        for (int t = 0; t < p.taps; t++)
            for (int r = 0; r < p.rows; r++)
                for (int i = 0; i < 64; i++) {
                    int c = channel_of(&p, v, i / 4), ky = t / g->kw * 4 + i % 4 - r, kx = t % g->kw;
                    bool inside = c < p.c && ky >= 0 && ky < g->kh;
                    *out++ = inside ? w->levels[w->codes[(c * g->kh + ky) * g->kw + kx]] : 0;
                }
}

static size_t prepared_size(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    (void)a_bits, (void)w;
    struct rows_plan p;
    plan_init(&p, g);
    return p.prepared_bytes;
}

static void prepare(const struct conv_geom *g, int a_bits, const void *packed, const struct requant *rq, void *prepared)
{
    (void)a_bits, (void)packed;
    struct rows_plan p;
    plan_init(&p, g);
    struct requant_lanes *lanes = prepared;
    int32_t floats = requant_in_lanes(rq);
    for (int v = 0; requant_in_lanes(rq) && v < p.vectors; v++) {
        requant_lanes_clear(&lanes[v], rq);
        for (int i = 0; i < LANES; i++)
            if (channel_of(&p, v, i) < p.c)
                requant_lanes_set(&lanes[v], i, g, rq, channel_of(&p, v, i));
        floats = floats && lanes[v].floats;
    }
    memcpy((char *)prepared + p.floats_at, &floats, sizeof floats);
    int32_t *offsets = (int32_t *)((char *)prepared + p.offsets_at);
    for (int i = 0; i < 4 * p.blocks; i++) {
        /* what is past the end of a strip is computed, not stored */
        int at = i * LANES < p.strip * p.width ? i * LANES : 0;
        offsets[i] = 4 * (g->stride_w == 1 ? at : at / p.width * g->stride_w * p.width + at % p.width);
    }
    int32_t *taps = (int32_t *)((char *)prepared + p.taps_at);
    for (int t = 0; t < p.taps; t++)
        taps[t] = (int32_t)p.window_bytes * (t / g->kw) + 4 * p.width * g->dilation_w * (t % g->kw);
}

static size_t scratch_size(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    (void)a_bits, (void)w;
    struct rows_plan p;
    plan_init(&p, g);
    return p.scratch_bytes;
}

static void run_strip(const struct rows_plan *p, const struct conv_geom *g, const struct conv_call *call,
                      const struct strip *s)
{
    const char *prepared = call->prepared;
    int32_t acc[FEW * 2 * BLOCK] __attribute__((aligned(64)));
    struct few f = {.p = p, .image = call->scratch, .taps = (const int32_t *)(prepared + p->taps_at), .acc = acc};
    int blocks = (s->n * p->width + BLOCK - 1) / BLOCK;
    fill_windows(p, g, call, s);
    for (int pattern = 0; pattern < p->patterns && pattern < blocks; pattern++)
        for (int b = pattern; b < blocks; b += f.count * p->patterns) {
            int left = (blocks - b + p->patterns - 1) / p->patterns, first = 4 * (s->slice + pattern);
            f.count = left < FEW || is_fused(p, call) ? left : FEW;
            f.offsets = (const int32_t *)(prepared + p->offsets_at) + 4 * b;
            outputs(&f, g, call, s, b, first);
        }
}

static void run(const struct conv_geom *g, int a_bits, const struct conv_call *call)
{
    (void)a_bits;
    struct rows_plan p;
    plan_init(&p, g);
    memset((uint8_t *)call->scratch + p.pad_at, call->pad_code, (size_t)g->w * (size_t)p.c);
    struct strip s;
    for (s.slice = 0; s.slice < p.slices; s.slice++)
        for (s.ox = 0; s.ox < g->ow; s.ox += p.strip)
            for (s.oy = 0; s.oy < g->oh; s.oy += p.rows) {
                s.n = g->ow - s.ox < p.strip ? g->ow - s.ox : p.strip;
                s.rows = g->oh - s.oy < p.rows ? 1 : p.rows;
                run_strip(&p, g, call, &s);
            }
}

const struct conv_kernel dwconv_rows_avx512 = {
    .name = "dwconv_rows_avx512",
    .family = FAMILY_DEPTHWISE,
    .isa = ISA_AVX512VNNI,
    .w_bits = {1, 8},
    .a_bits = {1, 8},
    .schemes = "any",
    .tile = "2x64",
    .a_effect = A_EFFECT_NONE,
    .can = can,
    .packed_size = packed_size,
    .pack = pack,
    .prepared_size = prepared_size,
    .prepare = prepare,
    .scratch_size = scratch_size,
    .run = run,
};
