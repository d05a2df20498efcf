/* SPDX-License-Identifier: MIT
 *
 * Matrix times vector: weights come from memory once, as they are packed, and go through a mask (or a table of levels)
 * into vpdpbusd, 64 channels at a time. See gemv.h for how they lie.
 *
 * A field that is masked where it lies is its code times a power of two (and less a bias, in the field with the top
 * bit). Each of the eight accumulators sees one field only, so one shift at the end makes up for it.
 */
#include "kernels/gemv.h"
#include "kernels/panel.h"
#include "kernels/rows.h"
#include "kernels/x86/intrin.h"

#include <string.h>

/* How far in front of what is read software prefetches reach. Weights of 4 bits and less leave the processor's own
 * prefetchers the time to do it all, and getting in their way costs a quarter of the bandwidth. Only where the scales
 * of blocks interrupt the stream they want help. */
enum { BYTES_AHEAD = 2560, CODES_AHEAD = 4608 };

/* --- dot products ---------------------------------------------------------------------------------------------------
 */

static inline __m512i load(const uint8_t *w, int i)
{
    return _mm512_load_si512(w + 64 * i);
}

/* The lines of a step. Not a function: gcc takes one that only prefetches for one without effect. */
#define FETCH(lines)                         \
    for (int i = 0; ahead && i < lines; i++) \
        _mm_prefetch((const char *)w + ahead + 64 * i, _MM_HINT_T0);

/* The accumulators of the 8 vectors of a step. Named, because gcc spills arrays of them. */
#define EACH(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)

#define CLEAR(j)    __m512i a##j = _mm512_setzero_si512();
#define DOT(j, v)   a##j = _mm512_dpbusd_epi32(a##j, _mm512_set1_epi32(load4(act + 4 * ((j) / width))), v)
#define BYTES(b)    _mm512_set1_epi8((char)(b))
#define FIELD(x, m) _mm512_and_si512(x, BYTES(m))
#define DOWN(x, s)  _mm512_srli_epi16(x, s)

/* Fields where they lie. With 64 channels the fields of a byte meet the same activations, so the last need not be
 * masked: it is what the whole byte has above the others. */
static inline __attribute__((always_inline)) void plane8(const uint8_t *w, const uint8_t *act, int width, int steps,
                                                         __m512i *sum)
{
    EACH(CLEAR)
    for (; steps > 0; steps--, w += 512, act += 32 / width) {
#define STEP(j)                                                        \
    _mm_prefetch((const char *)w + BYTES_AHEAD + 64 * j, _MM_HINT_T1); \
    DOT(j, load(w, j));
        EACH(STEP)
#undef STEP
    }
#define STORE(j) sum[j] = a##j;
    EACH(STORE)
}

static inline __attribute__((always_inline)) void plane4(const uint8_t *w, const uint8_t *act, int width, int steps,
                                                         size_t ahead, __m512i *sum)
{
    EACH(CLEAR)
    for (; steps > 0; steps--, w += 256, act += 32 / width) {
        FETCH(4)
#define PAIR(i, lo, hi)                           \
    {                                             \
        __m512i x = load(w, i);                   \
        DOT(lo, FIELD(x, 0x0F));                  \
        DOT(hi, width == 4 ? x : FIELD(x, 0xF0)); \
    }
        PAIR(0, 0, 1) PAIR(1, 2, 3) PAIR(2, 4, 5) PAIR(3, 6, 7)
#undef PAIR
    }
#define FINISH(lo, hi) \
    sum[lo] = a##lo;   \
    sum[hi] = _mm512_srai_epi32(width == 4 ? _mm512_sub_epi32(a##hi, a##lo) : a##hi, 4);
    FINISH(0, 1) FINISH(2, 3) FINISH(4, 5) FINISH(6, 7)
#undef FINISH
}

static inline __attribute__((always_inline)) void plane2(const uint8_t *w, const uint8_t *act, int width, int steps,
                                                         size_t ahead, __m512i *sum)
{
    EACH(CLEAR)
    for (; steps > 0; steps--, w += 128, act += 32 / width) {
        FETCH(2)
#define FOUR(i, p, q, r, s)                      \
    {                                            \
        __m512i x = load(w, i);                  \
        DOT(p, FIELD(x, 0x03));                  \
        DOT(q, FIELD(x, 0x0C));                  \
        DOT(r, FIELD(x, 0x30));                  \
        DOT(s, width == 4 ? x : FIELD(x, 0xC0)); \
    }
        FOUR(0, 0, 1, 2, 3) FOUR(1, 4, 5, 6, 7)
#undef FOUR
    }
#define FINISH(p, q, r, s)                                                                   \
    if (width == 4)                                                                          \
        a##s = _mm512_sub_epi32(_mm512_sub_epi32(a##s, a##p), _mm512_add_epi32(a##q, a##r)); \
    sum[p] = a##p, sum[q] = _mm512_srai_epi32(a##q, 2);                                      \
    sum[r] = _mm512_srai_epi32(a##r, 4), sum[s] = _mm512_srai_epi32(a##s, 6);
    FINISH(0, 1, 2, 3) FINISH(4, 5, 6, 7)
#undef FINISH
}

static inline __attribute__((always_inline)) void plane1(const uint8_t *w, const uint8_t *act, int width, int steps,
                                                         size_t ahead, __m512i *sum)
{
    EACH(CLEAR)
    for (; steps > 0; steps--, w += 64, act += 32 / width) {
        FETCH(1)
        __m512i x = load(w, 0);
#define STEP(j) DOT(j, FIELD(x, 1 << j));
        EACH(STEP)
#undef STEP
    }
#define FINISH(j) sum[j] = _mm512_srai_epi32(a##j, j);
    EACH(FINISH)
#undef FINISH
}

static inline __attribute__((always_inline)) void plane3(const uint8_t *w, const uint8_t *act, int width, int steps,
                                                         size_t ahead, __m512i *sum)
{
    EACH(CLEAR)
    __m512i top6 = _mm512_setzero_si512(), top7 = top6;
    for (; steps > 0; steps--, w += 192, act += 32 / width) {
        FETCH(3)
        __m512i a = load(w, 0), b = load(w, 1), c = load(w, 2);
        DOT(0, FIELD(a, 0x07));
        DOT(1, FIELD(a, 0x38));
        DOT(2, FIELD(b, 0x07));
        DOT(3, FIELD(b, 0x38));
        DOT(4, FIELD(c, 0x07));
        DOT(5, FIELD(c, 0x38));
        DOT(6, FIELD(a, 0xC0));
        DOT(7, FIELD(b, 0xC0));
        top6 = _mm512_dpbusd_epi32(top6, _mm512_set1_epi32(load4(act + 4 * (6 / width))), FIELD(c, 0x40));
        top7 = _mm512_dpbusd_epi32(top7, _mm512_set1_epi32(load4(act + 4 * (7 / width))), FIELD(c, 0x80));
    }
    sum[0] = a0, sum[1] = _mm512_srai_epi32(a1, 3);
    sum[2] = a2, sum[3] = _mm512_srai_epi32(a3, 3);
    sum[4] = a4, sum[5] = _mm512_srai_epi32(a5, 3);
    sum[6] = _mm512_add_epi32(_mm512_srai_epi32(a6, 6), _mm512_srai_epi32(top6, 4));
    sum[7] = _mm512_add_epi32(_mm512_srai_epi32(a7, 6), _mm512_srai_epi32(top7, 5));
}

#define LEVEL(t, x) _mm512_shuffle_epi8(t, FIELD(x, (1 << bits) - 1))
#define LEVELS4(i, lo, hi)               \
    {                                    \
        __m512i x = load(w, i);          \
        DOT(lo, LEVEL(table, x));        \
        DOT(hi, LEVEL(top, DOWN(x, 4))); \
    }
#define LEVELS2(i, p, q, r, s)            \
    {                                     \
        __m512i x = load(w, i);           \
        DOT(p, LEVEL(table, x));          \
        DOT(q, LEVEL(table, DOWN(x, 2))); \
        DOT(r, LEVEL(table, DOWN(x, 4))); \
        DOT(s, LEVEL(top, DOWN(x, 6)));   \
    }

/* Codes of 2, 3 and 4 bits to the levels of a table; `top` is the table for fields with the inverted bit. */
static inline __attribute__((always_inline)) void plane_levels(int bits, const uint8_t *w, const uint8_t *act,
                                                               int width, int steps, size_t ahead,
                                                               const struct gemv_header *head, __m512i *sum)
{
    EACH(CLEAR)
    __m512i table = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)head->levels));
    __m512i place = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
    __m512i top = _mm512_shuffle_epi8(table, _mm512_xor_si512(place, BYTES(1 << (bits - 1))));
    __m512i top6 = _mm512_shuffle_epi8(table, _mm512_xor_si512(place, BYTES(2)));
    __m512i top7 = _mm512_shuffle_epi8(table, _mm512_xor_si512(place, BYTES(6)));
    for (; steps > 0; steps--, w += 64 * bits, act += 32 / width) {
        FETCH(bits)
        if (bits == 3) {
            __m512i a = load(w, 0), b = load(w, 1), c = load(w, 2);
            DOT(0, LEVEL(table, a));
            DOT(1, LEVEL(table, DOWN(a, 3)));
            DOT(2, LEVEL(table, b));
            DOT(3, LEVEL(table, DOWN(b, 3)));
            DOT(4, LEVEL(table, c));
            DOT(5, LEVEL(table, DOWN(c, 3)));
            __m512i x = _mm512_or_si512(FIELD(DOWN(a, 6), 3), FIELD(DOWN(c, 4), 4));
            __m512i y = _mm512_or_si512(FIELD(DOWN(b, 6), 3), FIELD(DOWN(c, 5), 4));
            DOT(6, _mm512_shuffle_epi8(top6, x));
            DOT(7, _mm512_shuffle_epi8(top7, y));
        } else if (bits == 4) {
            LEVELS4(0, 0, 1)
            LEVELS4(1, 2, 3)
            LEVELS4(2, 4, 5)
            LEVELS4(3, 6, 7)
        } else {
            LEVELS2(0, 0, 1, 2, 3)
            LEVELS2(1, 4, 5, 6, 7)
        }
    }
    EACH(STORE)
}

/* One plane, its eight sums added up to one for each 16 channels. */
static inline __attribute__((always_inline)) void plane(const struct gemv_header *head, int bits, int low, int width,
                                                        int steps, const uint8_t *w, const uint8_t *act, int32_t *out)
{
    __m512i s[8];
    size_t ahead = head->block ? CODES_AHEAD : 0;
    if (bits == 8)
        plane8(w, act, width, steps, s);
    else if (head->table && bits >= 2)
        plane_levels(bits, w, act, width, steps, ahead, head, s);
    else if (bits == 4)
        plane4(w, act, width, steps, ahead, s);
    else if (bits == 3)
        plane3(w, act, width, steps, ahead, s);
    else if (bits == 2)
        plane2(w, act, width, steps, ahead, s);
    else
        plane1(w, act, width, steps, ahead, s);
    for (int i = 0; i < width; i++) {
        __m512i x = s[i];
        for (int j = i + width; j < 8; j += width)
            x = _mm512_add_epi32(x, s[j]);
        x = _mm512_sll_epi32(x, _mm_cvtsi32_si128(low));
        if (low > 0)
            x = _mm512_add_epi32(x, _mm512_load_si512(out + GEMV_LANES * i));
        _mm512_store_si512(out + GEMV_LANES * i, x);
    }
}

static inline __attribute__((always_inline)) void plane_bits(const struct gemv_header *head, int bits, int low,
                                                             int width, int steps, const uint8_t *w, const uint8_t *act,
                                                             int32_t *out)
{
    switch (bits) {
    case 1:
        plane(head, 1, low, width, steps, w, act, out);
        break;
    case 2:
        plane(head, 2, low, width, steps, w, act, out);
        break;
    case 3:
        plane(head, 3, low, width, steps, w, act, out);
        break;
    case 4:
        plane(head, 4, low, width, steps, w, act, out);
        break;
    default:
        plane(head, 8, low, width, steps, w, act, out);
    }
}

static void dot(const struct gemv_header *head, int width, int steps, const uint8_t *w, const uint8_t *act,
                int32_t *sum)
{
    for (int i = 0, low = 0; i < 2; i++) {
        int bits = gemv_plane(head->bits, i);
        if (bits == 0)
            break;
        if (width == 4)
            plane_bits(head, bits, low, 4, steps, w, act, sum);
        else if (width == 2)
            plane_bits(head, bits, low, 2, steps, w, act, sum);
        else
            plane_bits(head, bits, low, 1, steps, w, act, sum);
        w += (size_t)(64 * bits) * (size_t)steps;
        low += bits;
    }
}

/* --- loops ----------------------------------------------------------------------------------------------------------
 */

/* One call in progress. */
struct pass {
    const struct gemv_plan *p;
    const struct gemv_header *head;
    const struct conv_call *call;
    gemv_dot *dot;
};

/* What a block's activations add to its sums, whatever the weights: the bias of fields (see gemv_bias) and the level of
 * code 0. widths: those in use, a bit for each kind. */
static void block_sums(const struct gemv_header *head, const uint8_t *act, size_t n, int widths, struct gemv_sums *out)
{
    __m256i x = _mm256_setzero_si256();
    for (size_t i = 0; i < n; i += 32)
        x = _mm256_dpbusd_epi32(x, _mm256_load_si256((const __m256i *)(act + i)), _mm256_set1_epi8(1));
    int32_t q[8]; /* by the place of four values among 32 */
    _mm256_storeu_si256((__m256i *)q, x);
    int all = q[0] + q[1] + q[2] + q[3] + q[4] + q[5] + q[6] + q[7];
    int low = gemv_plane(head->bits, 0), high = gemv_plane(head->bits, 1);
    bool biased = head->bits < 8 && !head->trits && !head->table;
    for (int kind = 0, width = 4; kind < 3; kind++, width /= 2) {
        if (!(widths >> kind & 1))
            continue;
        int32_t *add = out->add[kind];
        add[0] = add[1] = add[2] = add[3] = head->first * all;
        for (int j = 0; j < 8 && biased; j++) {
            int bias = gemv_bias(low, j) + gemv_bias(high, j) * (1 << low), sum = 0;
            for (int i = j / width; i < 8 && bias; i += 8 / width)
                sum += q[i];
            add[j % width] += head->step * bias * sum;
        }
    }
}

/* The activations of each block by themselves, zeros behind them. */
static void act_prepare(const struct pass *s)
{
    const struct gemv_plan *p = s->p;
    uint8_t *act = s->call->scratch;
    struct gemv_sums *sums = (struct gemv_sums *)(act + p->sums_at);
    int widths = 0;
    for (int co = 0, width; co < p->cout; co += width * GEMV_LANES) {
        width = gemv_width(p->cout - co);
        widths |= 1 << gemv_kind(width);
    }
    for (int i = 0; i < p->pixels; i++)
        for (int b = 0; b < p->blocks; b++) {
            uint8_t *to = act + (size_t)i * p->pixel_stride + (size_t)b * p->block_stride;
            size_t n = (size_t)gemv_block_values(p, b);
            memcpy(to, s->call->in + (size_t)i * (size_t)p->k + (size_t)b * (size_t)p->block, n);
            memset(to + n, 0, p->block_stride - n);
            block_sums(s->head, to, p->block_stride, widths, sums++);
        }
}

/* Sums of code * activation to sums of level * activation. */
static inline void finish(const struct pass *s, int width, const int32_t *add, int32_t *acc)
{
    for (int i = 0; i < width; i++, acc += GEMV_LANES) {
        __m512i x = _mm512_mullo_epi32(_mm512_load_si512(acc), _mm512_set1_epi32(s->head->step));
        _mm512_store_si512(acc, _mm512_add_epi32(x, _mm512_set1_epi32(add[i])));
    }
}

static void store(const struct pass *s, int pixel, int co, int width, const int32_t *acc)
{
    bool lanes = s->call->out_u8 && requant_in_lanes(s->call->rq);
    const struct requant_lanes *r = s->call->prepared;
    int cout = s->p->cout;
    for (int i = 0; i < width && co < cout; i++, co += PANEL)
        panel_store(PANEL_STORE_AVX512, s->call, lanes ? r + co / PANEL : NULL, acc + PANEL * i, 1,
                    (size_t)pixel * (size_t)cout + (size_t)co, (size_t)cout, co, cout - co < PANEL ? cout - co : PANEL);
}

/* Blocks with scales, of one panel and pixel. */
static const uint8_t *panel_blocks(const struct pass *s, int pixel, int co, int width, const uint8_t *w)
{
    const struct gemv_plan *p = s->p;
    const uint8_t *act = (const uint8_t *)s->call->scratch + (size_t)pixel * p->pixel_stride;
    const struct gemv_sums *sums = (const struct gemv_sums *)((const uint8_t *)s->call->scratch + p->sums_at);
    int32_t acc[GEMV_PANEL] __attribute__((aligned(64)));
    float out[GEMV_PANEL] __attribute__((aligned(64))) = {0};
    for (int b = 0; b < p->blocks; b++, act += p->block_stride) {
        const float *scale = (const float *)w;
        int steps = gemv_steps(p, width, gemv_block_values(p, b));
        w += 64 * width;
        s->dot(s->head, width, steps, w, act, acc);
        finish(s, width, sums[pixel * p->blocks + b].add[gemv_kind(width)], acc);
        for (int i = 0; i < width * GEMV_LANES; i += GEMV_LANES) {
            __m512 x = _mm512_cvtepi32_ps(_mm512_load_si512(acc + i));
            x = _mm512_mul_ps(x, _mm512_load_ps(scale + i));
            _mm512_store_ps(out + i, _mm512_add_ps(_mm512_load_ps(out + i), x));
        }
        w += (size_t)steps * p->step_bytes;
    }
    for (int i = 0; i < width * GEMV_LANES && co + i < p->cout; i++)
        s->call->out_f32[(size_t)pixel * (size_t)p->cout + (size_t)(co + i)] = out[i] + s->call->bias[co + i];
    return w;
}

static const uint8_t *panel_whole(const struct pass *s, int pixel, int co, int width, const uint8_t *w)
{
    const struct gemv_plan *p = s->p;
    const uint8_t *act = (const uint8_t *)s->call->scratch + (size_t)pixel * p->pixel_stride;
    const struct gemv_sums *sums = (const struct gemv_sums *)((const uint8_t *)s->call->scratch + p->sums_at);
    int32_t acc[GEMV_PANEL] __attribute__((aligned(64)));
    int steps = gemv_steps(p, width, p->k);
    s->dot(s->head, width, steps, w, act, acc);
    finish(s, width, sums[pixel].add[gemv_kind(width)], acc);
    store(s, pixel, co, width, acc);
    return w + (size_t)steps * p->step_bytes;
}

void gemv_run_avx512(const struct conv_geom *g, const struct conv_call *call, gemv_dot *use)
{
    const struct gemv_header *head = call->packed;
    struct gemv_plan p;
    gemv_plan_init(&p, g, head->block, head->bits, head->trits);
    struct pass s = {&p, head, call, use};
    act_prepare(&s);
    int end = call->channels[1] ? call->channels[1] : p.cout;
    const uint8_t *w =
        (const uint8_t *)(head + 1) + gemv_panel_bytes(&p, 4, head->block) * (size_t)(call->channels[0] / GEMV_PANEL);
    const uint8_t *next = w;
    for (int co = call->channels[0], width; co < end; co += width * GEMV_LANES, w = next) {
        width = gemv_width(p.cout - co);
        for (int i = 0; i < p.pixels; i++)
            next = head->block ? panel_blocks(&s, i, co, width, w) : panel_whole(&s, i, co, width, w);
    }
}

/* --- row ------------------------------------------------------------------------------------------------------------
 */

static bool can(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    (void)a_bits, (void)w;
    return gemv_shape(g);
}

static size_t packed_size(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    (void)a_bits;
    return gemv_packed_size(g, w, false);
}

static void pack(const struct conv_geom *g, int a_bits, const struct conv_weights *w, void *packed)
{
    (void)a_bits;
    gemv_pack(g, w, false, packed);
}

static size_t scratch_size(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    (void)a_bits;
    return gemv_scratch_size(g, w, false);
}

static void run(const struct conv_geom *g, int a_bits, const struct conv_call *call)
{
    (void)a_bits;
    gemv_run_avx512(g, call, dot);
}

const struct conv_kernel conv_stream_avx512 = {
    .name = "conv_stream_avx512",
    .family = FAMILY_STREAM,
    .isa = ISA_AVX512VNNI,
    .w_bits = {1, 8},
    .a_bits = {1, 8},
    .schemes = "any",
    .tile = "1x64",
    .a_effect = A_EFFECT_NONE,
    .channel_unit = GEMV_PANEL,
    .block_scales = true,
    .can = can,
    .packed_size = packed_size,
    .pack = pack,
    .prepared_size = gemv_prepared_size,
    .prepare = gemv_prepare,
    .scratch_size = scratch_size,
    .run = run,
};
