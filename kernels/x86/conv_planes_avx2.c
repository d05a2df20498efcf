/* SPDX-License-Identifier: MIT
 *
 * Convolution by bit planes with AVX2, which lacks population counts: bits are counted by looking up nibbles (Mula,
 * Kurz and Lemire 2018, arXiv 1611.07612). The image holds nibbles apart and the weights are taken apart once for all
 * pixels, so that a lookup needs neither shift nor mask. 8 pixels by 8 channels, a panel in two halves.
 */
#include "kernels/planes.h"
#include "kernels/rows.h"
#include "kernels/x86/intrin.h"

#include <string.h>

/* --- image ----------------------------------------------------------------------------------------------------------
 */

/* 32 codes to the bits of all planes. */
static inline __attribute__((always_inline)) void put_bits(__m256i x, int a_bits, uint8_t *out, size_t plane)
{
    for (int k = 0; k < a_bits; k++, out += 2 * plane) {
        __m256i top = _mm256_sll_epi16(x, _mm_cvtsi32_si128(7 - k));
        uint32_t m = (uint32_t)_mm256_movemask_epi8(top), low = m & 0x0f0f0f0f, high = m >> 4 & 0x0f0f0f0f;
        memcpy(out, &low, sizeof low);
        memcpy(out + plane, &high, sizeof high);
    }
}

static void bits(const uint8_t *codes, int n, int a_bits, uint8_t *out, size_t plane)
{
    for (; n >= 32; n -= 32, codes += 32, out += 4)
        put_bits(_mm256_loadu_si256((const __m256i *)codes), a_bits, out, plane);
    if (n > 0) {
        uint8_t rest[32] = {0};
        memcpy(rest, codes, (size_t)n);
        put_bits(_mm256_loadu_si256((const __m256i *)rest), a_bits, out, plane);
    }
}

/* --- tile -----------------------------------------------------------------------------------------------------------
 */

/* A byte counts up to 8 bits in a step. */
enum { WINDOW = 255 / 8 };

#define PIXELS(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)
#define PLACE(i)   const uint8_t *p##i = image + pixels[i < m ? i : 0];
#define START(i)   __m256i c##i = _mm256_setzero_si256();
/* The second load stands behind the first sum, or else gcc takes it through an integer register. */
#define COUNT(i, f0, f1)                                             \
    if (i < m) {                                                     \
        __m256i q = _mm256_set1_epi32(load4(p##i + at));             \
        ADD_IN_PLACE("vpaddb", c##i, _mm256_shuffle_epi8(ones, f0)); \
        q = _mm256_set1_epi32(load4(p##i + at + plane));             \
        ADD_IN_PLACE("vpaddb", c##i, _mm256_shuffle_epi8(ones, f1)); \
    }
#define AND(i) COUNT(i, _mm256_and_si256(q, w0), _mm256_and_si256(q, w1))
#define XOR(i) COUNT(i, _mm256_xor_si256(q, w0), _mm256_xor_si256(q, w1))
#define XOR_LAST(i) \
    COUNT(i, _mm256_xor_si256(_mm256_and_si256(q, mask), w0), _mm256_xor_si256(_mm256_and_si256(q, mask), w1))
#define WIDEN(i)                                                                                  \
    if (i < m) {                                                                                  \
        __m256i *total = (__m256i *)(acc + pixel_step * i);                                       \
        __m256i sum = _mm256_madd_epi16(_mm256_maddubs_epi16(c##i, _mm256_set1_epi8(1)), factor); \
        _mm256_storeu_si256(total, _mm256_add_epi32(_mm256_loadu_si256(total), sum));             \
    }

/* What a call of count() works on: a panel's half and one product of planes. */
struct half {
    const uint8_t *image;
    const int32_t *pixels;
    const uint32_t *weights; /* [steps][16], 8 of each used */
    int factor;              /* what a bit counts */
    int32_t *acc;            /* 8 of each pixel */
};

/* Adds what steps from `from` to `end` count. */
#define STEPS(DO)                                                          \
    for (; o < stop; o++, w += PANEL) {                                    \
        __m256i both = _mm256_load_si256((const __m256i *)w);              \
        __m256i w0 = _mm256_and_si256(both, nibble);                       \
        __m256i w1 = _mm256_and_si256(_mm256_srli_epi16(both, 4), nibble); \
        ptrdiff_t at = *o;                                                 \
        PIXELS(DO)                                                         \
    }

enum form { FORM_AND, FORM_XOR, FORM_XOR_LAST };

static inline __attribute__((always_inline)) void count(int m, enum form form, const struct planes_tile *t,
                                                        const struct half *h, int from, int end)
{
    const uint8_t *image = h->image;
    const int32_t *pixels = h->pixels;
    int32_t *acc = h->acc;
    size_t pixel_step = t->pixel_step;
    ptrdiff_t plane = (ptrdiff_t)t->plane;
    const __m256i ones = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2,
                                          2, 3, 2, 3, 3, 4);
    const __m256i nibble = _mm256_set1_epi8(15), mask = _mm256_set1_epi32((int)t->mask);
    const __m256i factor = _mm256_set1_epi16((short)h->factor);
    PIXELS(PLACE)
    for (int first = from; first < end; first += WINDOW) {
        const int32_t *o = t->offsets + first, *stop = t->offsets + (end - first < WINDOW ? end : first + WINDOW);
        const uint32_t *w = h->weights + first * PANEL;
        PIXELS(START)
        if (form == FORM_AND) {
            STEPS(AND)
        } else if (form == FORM_XOR) {
            STEPS(XOR)
        } else {
            STEPS(XOR_LAST)
        }
        PIXELS(WIDEN)
    }
}

#define CASE(i)                          \
    case i:                              \
        count(i, form, t, h, from, end); \
        break;

static inline __attribute__((always_inline)) void count_m(int m, enum form form, const struct planes_tile *t,
                                                          const struct half *h, int from, int end)
{
    switch (m) {
        CASE(1)
        CASE(2)
        CASE(3)
        CASE(4)
        CASE(5)
        CASE(6)
        CASE(7)
        CASE(8)
    }
}

static void count_and(int m, const struct planes_tile *t, const struct half *h)
{
    count_m(m, FORM_AND, t, h, 0, t->steps);
}

static void count_xor(int m, const struct planes_tile *t, const struct half *h)
{
    count_m(m, FORM_XOR, t, h, 0, t->whole);
    count_m(m, FORM_XOR_LAST, t, h, t->whole, t->steps);
}

/* --- codes of few steps ---------------------------------------------------------------------------------------------
 */

/* Eight channels: how many steps they climb, negative. */
static inline __m256i climb8(const struct planes_steps *s, int count, int half, const int32_t *acc)
{
    __m256i x = _mm256_load_si256((const __m256i *)(acc + half));
    x = _mm256_xor_si256(x, _mm256_load_si256((const __m256i *)(s->flip + half)));
    __m256i y = _mm256_setzero_si256();
    for (int k = 0; k < count; k++)
        y = _mm256_add_epi32(y, _mm256_cmpgt_epi32(x, _mm256_load_si256((const __m256i *)(s->above[k] + half))));
    return y;
}

static void climb(int m, const struct planes_tile *t)
{
    const int32_t *acc = t->acc;
    uint8_t *out = t->codes;
    __m128i low = _mm_set1_epi8((char)t->lo);
    for (int i = 0; i < m; i++, acc += t->pixel_step, out += t->code_step) {
        __m256i y = _mm256_packs_epi32(climb8(t->steps_up, t->steps_count, 0, acc),
                                       climb8(t->steps_up, t->steps_count, 8, acc));
        y = _mm256_permute4x64_epi64(y, 0xd8);
        __m128i z = _mm_packs_epi16(_mm256_castsi256_si128(y), _mm256_extracti128_si256(y, 1));
        z = _mm_sub_epi8(low, z);
        if (t->channels == PANEL) {
            _mm_storeu_si128((__m128i *)out, z);
        } else {
            uint8_t codes[PANEL];
            _mm_storeu_si128((__m128i *)codes, z);
            memcpy(out, codes, (size_t)t->channels);
        }
    }
}

/* --- all together ---------------------------------------------------------------------------------------------------
 */

static void start(int m, const struct planes_tile *t)
{
    for (int half = 0; half < PANEL; half += 8) {
        __m256i s = _mm256_load_si256((const __m256i *)(t->start + half));
        for (int i = 0; i < m; i++) {
            __m256i base = _mm256_set1_epi32(t->sums ? t->head->base * t->sums[i] : 0);
            _mm256_storeu_si256((__m256i *)(t->acc + (size_t)i * t->pixel_step + half), _mm256_add_epi32(s, base));
        }
    }
}

static void tile(int m, const struct planes_tile *t)
{
    start(m, t);
    for (int j = 0; j < t->w_bits; j++)
        for (int i = 0; i < t->a_bits; i++)
            for (int half = 0; half < PANEL; half += 8) {
                struct half h = {t->image + (size_t)(2 * i) * t->plane, t->pixels,
                                 t->weights + (size_t)(j * t->steps * PANEL) + half,
                                 t->head->mul * (1 << (i + j)) * (t->head->negative >> j & 1 ? -1 : 1), t->acc + half};
                if (t->head->exclusive)
                    count_xor(m, t, &h);
                else
                    count_and(m, t, &h);
            }
    if (t->steps_up)
        climb(m, t);
}

/* --- row ------------------------------------------------------------------------------------------------------------
 */

static const struct planes_kernel kernel = {.group = 1, .pixels = {8}, .halves = 2, .bits = bits, .tile = tile};

/* A word takes some 6.4 instructions for each product of planes, a step of four values 2. */
static bool can(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    return a_bits * w->bits <= 2 && planes_affine(w) && planes_pay(g, a_bits * w->bits, 3.2);
}

PLANES_FUNCTIONS(plain, kernel)

const struct conv_kernel conv_planes_avx2 = {
    .name = "conv_planes_avx2",
    .family = FAMILY_PLANES,
    .isa = ISA_AVX2,
    .w_bits = {1, 2},
    .a_bits = {1, 2},
    .schemes = "even steps",
    .tile = "8x8",
    .can = can,
    .packed_size = plain_packed_size,
    .pack = plain_pack,
    .prepared_size = plain_prepared_size,
    .prepare = plain_prepare,
    .scratch_size = plain_scratch_size,
    .run = plain_run,
    .channel_unit = PANEL,
};
