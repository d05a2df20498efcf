/* SPDX-License-Identifier: MIT
 *
 * Convolution by bit planes with vpopcntd: 16 channels of 32 products of bits in three instructions. 8 pixels by 32
 * channels, or by 16 where only one panel is left.
 */
#include "kernels/intrin.h"
#include "kernels/planes.h"
#include "kernels/rows.h"

#include <string.h>

/* --- image ----------------------------------------------------------------------------------------------------------
 */

static void bits(const uint8_t *codes, int n, int a_bits, uint8_t *out, size_t plane)
{
    for (int i = 0; i < n; i += 64, out += 8) {
        __mmask64 some = n - i < 64 ? (UINT64_C(1) << (n - i)) - 1 : UINT64_MAX;
        __m512i x = _mm512_maskz_loadu_epi8(some, codes + i);
        for (int k = 0; k < a_bits; k++) {
            uint64_t m = _mm512_test_epi8_mask(x, _mm512_set1_epi8((char)(1 << k)));
            memcpy(out + (size_t)k * plane, &m, sizeof m);
        }
    }
}

/* --- tile -----------------------------------------------------------------------------------------------------------
 */

static inline int load4(const uint8_t *p)
{
    int x;
    memcpy(&x, p, 4);
    return x;
}

/* The accumulators of pixel i: one vector of 16 channels for each panel. Named, because gcc spills arrays of them. */
#define PIXELS(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)

#define START(i)                                               \
    const uint8_t *p##i = t->image + t->pixels[i < m ? i : 0]; \
    __m512i l##i = _mm512_setzero_si512(), h##i = l##i;
#define COUNT(c, x) c = _mm512_add_epi32(c, _mm512_popcnt_epi32(x))
#define STEP_AND(i)                                      \
    if (i < m) {                                         \
        __m512i q = _mm512_set1_epi32(load4(p##i + at)); \
        COUNT(l##i, _mm512_and_si512(q, w0));            \
        if (nv > 1)                                      \
            COUNT(h##i, _mm512_and_si512(q, w1));        \
    }
#define STEP_XOR(i)                                      \
    if (i < m) {                                         \
        __m512i q = _mm512_set1_epi32(load4(p##i + at)); \
        COUNT(l##i, _mm512_xor_si512(q, w0));            \
        if (nv > 1)                                      \
            COUNT(h##i, _mm512_xor_si512(q, w1));        \
    }
#define STEP_XOR_LAST(i)                                                                            \
    if (i < m) {                                                                                    \
        __m512i q = _mm512_set1_epi32(load4(p##i + at) & (int)t->mask);                             \
        COUNT(l##i, _mm512_xor_si512(q, w0));                                                       \
        if (nv > 1)                                                                                 \
            COUNT(h##i, _mm512_xor_si512(q, w1));                                                   \
    }
#define DOUBLE(i)                                \
    if (i < m) {                                 \
        l##i = _mm512_add_epi32(l##i, l##i);     \
        if (nv > 1)                              \
            h##i = _mm512_add_epi32(h##i, h##i); \
    }
#define NEGATE(i)                                                  \
    if (i < m) {                                                   \
        l##i = _mm512_sub_epi32(_mm512_setzero_si512(), l##i);     \
        if (nv > 1)                                                \
            h##i = _mm512_sub_epi32(_mm512_setzero_si512(), h##i); \
    }
#define STORE(i)                                                                                                   \
    if (i < m) {                                                                                                   \
        __m512i base = _mm512_set1_epi32(t->sums ? t->head->base * t->sums[i] : 0);                                \
        l##i = _mm512_add_epi32(_mm512_add_epi32(_mm512_mullo_epi32(l##i, mul), s0), base);                        \
        _mm512_store_si512(t->acc + PANEL * i, l##i);                                                              \
        if (nv > 1) {                                                                                              \
            h##i = _mm512_add_epi32(_mm512_add_epi32(_mm512_mullo_epi32(h##i, mul), s1), base);                    \
            _mm512_store_si512(t->acc + PANEL * (m + i), h##i);                                                    \
        }                                                                                                          \
    }

/* Adds the counts of steps first..end - 1. */
#define STEPS(DO, first, end)                                                                    \
    for (const int32_t *o = t->offsets + (first), *stop = t->offsets + (end); o < stop; o++) {   \
        __m512i w0 = _mm512_load_si512(w), w1 = nv > 1 ? _mm512_load_si512(w + stride) : w0;     \
        ptrdiff_t at = *o + shift;                                                               \
        PIXELS(DO)                                                                               \
        w += PANEL;                                                                              \
    }

static inline __attribute__((always_inline)) void tile(int m, int nv, const struct planes_tile *t)
{
    size_t stride = (size_t)(t->w_bits * t->steps * PANEL);
    PIXELS(START)
    /* Products of planes from the most to the least significant: Horner's scheme. */
    for (int power = t->a_bits + t->w_bits - 2; power >= 0; power--) {
        int j = power < t->w_bits ? power : t->w_bits - 1;
        for (; j >= 0 && power - j < t->a_bits; j--) {
            const uint32_t *w = t->weights + (size_t)(j * t->steps * PANEL);
            ptrdiff_t shift = (ptrdiff_t)(power - j) * (ptrdiff_t)t->plane;
            bool negative = t->head->negative >> j & 1;
            if (negative) {
                PIXELS(NEGATE)
            }
            if (t->head->exclusive) {
                STEPS(STEP_XOR, 0, t->whole)
                STEPS(STEP_XOR_LAST, t->whole, t->steps)
            } else {
                STEPS(STEP_AND, 0, t->steps)
            }
            if (negative) {
                PIXELS(NEGATE)
            }
        }
        if (power > 0) {
            PIXELS(DOUBLE)
        }
    }
    __m512i mul = _mm512_set1_epi32(t->head->mul);
    __m512i s0 = _mm512_load_si512(t->start), s1 = nv > 1 ? _mm512_load_si512(t->start + PANEL) : s0;
    PIXELS(STORE)
}

static inline __attribute__((always_inline)) void tile_nv(int m, int nv, const struct planes_tile *t)
{
    switch (m) {
    case 1:
        tile(1, nv, t);
        break;
    case 2:
        tile(2, nv, t);
        break;
    case 3:
        tile(3, nv, t);
        break;
    case 4:
        tile(4, nv, t);
        break;
    case 5:
        tile(5, nv, t);
        break;
    case 6:
        tile(6, nv, t);
        break;
    case 7:
        tile(7, nv, t);
        break;
    default:
        tile(8, nv, t);
    }
}

static void tile_m(int m, const struct planes_tile *t)
{
    if (t->nv > 1)
        tile_nv(m, 2, t);
    else
        tile_nv(m, 1, t);
}

/* --- codes of few steps ---------------------------------------------------------------------------------------------
 */

static inline __attribute__((always_inline)) void climb_count(const struct planes_steps *s, int count, int lo,
                                                              const int32_t *acc, int m, int n, uint8_t *out,
                                                              size_t cout)
{
    __m512i flip = _mm512_load_si512(s->flip);
    __m512i a0 = _mm512_load_si512(s->above[0]), a1 = _mm512_load_si512(s->above[1]);
    __m512i a2 = _mm512_load_si512(s->above[2]);
    __m128i one = _mm_set1_epi8(1), low = _mm_set1_epi8((char)lo);
    __mmask16 some = (__mmask16)((1u << n) - 1);
    for (int i = 0; i < m; i++, acc += PANEL, out += cout) {
        __m512i x = _mm512_xor_si512(_mm512_load_si512(acc), flip);
        __m128i y = low;
        if (count > 0)
            y = _mm_mask_add_epi8(y, _mm512_cmpgt_epi32_mask(x, a0), y, one);
        if (count > 1)
            y = _mm_mask_add_epi8(y, _mm512_cmpgt_epi32_mask(x, a1), y, one);
        if (count > 2)
            y = _mm_mask_add_epi8(y, _mm512_cmpgt_epi32_mask(x, a2), y, one);
        _mm_mask_storeu_epi8(out, some, y);
    }
}

static void climb(const struct planes_steps *s, int count, int lo, const int32_t *acc, int m, int n, uint8_t *out,
                  size_t cout)
{
    if (count == 1)
        climb_count(s, 1, lo, acc, m, n, out, cout);
    else if (count == 3)
        climb_count(s, 3, lo, acc, m, n, out, cout);
    else
        climb_count(s, count, lo, acc, m, n, out, cout);
}

/* --- row ------------------------------------------------------------------------------------------------------------
 */

static const struct planes_kernel kernel = {.pixels = 8,
                                            .group = 2,
                                            .halves = 1,
                                            .panel = {.store = PANEL_STORE_AVX512},
                                            .bits = bits,
                                            .tile = tile_m,
                                            .climb = climb};

/* A word takes 1.5 cycles for each product of planes, where vpdpbusd needs at least half a cycle for a step. */
static bool can(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    return a_bits * w->bits <= 4 && planes_affine(w) && planes_pay(g, a_bits * w->bits, 1.5);
}

static size_t packed_size(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    (void)a_bits;
    return planes_packed_size(&kernel, g, w);
}

static void pack(const struct conv_geom *g, int a_bits, const struct conv_weights *w, void *packed)
{
    planes_pack(&kernel, g, a_bits, w, packed);
}

static size_t prepared_size(const struct conv_geom *g)
{
    return planes_prepared_size(&kernel, g);
}

static void prepare(const struct conv_geom *g, const struct requant *rq, void *prepared)
{
    planes_prepare(&kernel, g, rq, prepared);
}

static size_t scratch_size(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    (void)w;
    return planes_scratch_size(&kernel, g, a_bits);
}

static void run(const struct conv_geom *g, int a_bits, const struct conv_call *call)
{
    planes_run_avx2(&kernel, g, a_bits, call);
}

const struct conv_kernel conv_planes_avx512 = {
    .name = "conv_planes_avx512",
    .family = FAMILY_PLANES,
    .isa = ISA_AVX512VBMI,
    .w_bits = {1, 4},
    .a_bits = {1, 4},
    .schemes = "evenly spaced",
    .tile = "8x32",
    .can = can,
    .packed_size = packed_size,
    .pack = pack,
    .prepared_size = prepared_size,
    .prepare = prepare,
    .scratch_size = scratch_size,
    .run = run,
};
