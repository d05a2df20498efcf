/* SPDX-License-Identifier: MIT
 *
 * Convolution by bit planes with vpopcntd: 16 channels of 32 products of bits in three instructions. 8 pixels by 32
 * channels, or by 16 where only one panel is left.
 *
 * By carries. One bit by one bit, pairs of words go through full adders, and only what is carried is counted, once a
 * pair (planes.h): five instructions of it instead of six. 6 pixels by 32 channels, or 12 by 16.
 */
#include "kernels/planes.h"
#include "kernels/rows.h"
#include "kernels/x86/intrin.h"

#include <string.h>

/* --- image ----------------------------------------------------------------------------------------------------------
 */

static inline __attribute__((always_inline)) void put_bits(__m512i x, int a_bits, uint8_t *out, size_t plane)
{
    for (int k = 0; k < a_bits; k++) {
        uint64_t m = _mm512_test_epi8_mask(x, _mm512_set1_epi8((char)(1 << k)));
        memcpy(out + (size_t)k * plane, &m, sizeof m);
    }
}

static inline __attribute__((always_inline)) void put_all(const uint8_t *codes, int n, int a_bits, uint8_t *out,
                                                          size_t plane)
{
    for (; n >= 64; n -= 64, codes += 64, out += 8)
        put_bits(_mm512_loadu_si512(codes), a_bits, out, plane);
    if (n > 0)
        put_bits(_mm512_maskz_loadu_epi8((UINT64_C(1) << n) - 1, codes), a_bits, out, plane);
}

static void bits(const uint8_t *codes, int n, int a_bits, uint8_t *out, size_t plane)
{
    if (a_bits == 1)
        put_all(codes, n, 1, out, plane);
    else if (a_bits == 2)
        put_all(codes, n, 2, out, plane);
    else
        put_all(codes, n, a_bits, out, plane);
}

/* The first word of each pair as it is, and the parity of all words of the image up to the pair's end. The two words'
 * parity is made of their codes: scalars of whole masks take longer. */
static void carry_bits(const uint8_t *codes, int n, int a_bits, uint8_t *out, size_t plane)
{
    (void)a_bits, (void)plane;
    uint32_t parity = (uint32_t)load4(out - 4);
    for (; n > 0; n -= 64, codes += 64, out += 8) {
        __m512i x = _mm512_loadu_si512(codes);
        uint32_t first = (uint32_t)_mm512_test_epi8_mask(x, _mm512_set1_epi8(1));
        __m256i both = _mm256_loadu_si256((const __m256i *)(codes + 32));
        both = _mm256_xor_si256(_mm512_castsi512_si256(x), both);
        parity ^= (uint32_t)_mm256_movemask_epi8(_mm256_slli_epi16(both, 7));
        memcpy(out, &first, sizeof first);
        memcpy(out + 4, &parity, sizeof parity);
    }
}

/* --- tile -----------------------------------------------------------------------------------------------------------
 */

/* (a ^ b) & c in one instruction, which gcc does not find by itself; SIMDe's would take the compiler long. */
#ifdef BITFADER_SIMDE
#define XOR_AND(a, b, c) _mm512_and_si512(_mm512_xor_si512(a, b), c)
#else
#define XOR_AND(a, b, c) _mm512_ternarylogic_epi32(a, b, c, 0x28)
#endif

/* A full adder of the parity of all words before and a pair of products, of which it takes the first and, with `v`, the
 * parity after both: image has the words for w and v. What is carried is the first product where the parity stays the
 * same, so that both products are, else the parity before. */
static inline __attribute__((always_inline)) void add_pair(__m512i *count, __m512i *parity, const uint8_t *image,
                                                           ptrdiff_t at, __m512i w, __m512i v)
{
#ifdef BITFADER_SIMDE
    __m512i x = _mm512_xor_si512(_mm512_set1_epi32(load4(image + at)), w);
    __m512i after = _mm512_xor_si512(_mm512_set1_epi32(load4(image + at + 4)), v);
    __m512i changes = _mm512_xor_si512(*parity, after);
    x = _mm512_or_si512(_mm512_and_si512(changes, *parity), _mm512_andnot_si512(changes, x));
    *count = _mm512_add_epi32(*count, _mm512_popcnt_epi32(x));
    *parity = after;
#else
    /* left to itself, gcc spills the parities */
    __m512i x, after;
    __asm__ volatile("vpxord (%[image],%[at])%{1to16%}, %[w], %[x]\n\t"
                     "vpxord 4(%[image],%[at])%{1to16%}, %[v], %[after]\n\t"
                     "vpternlogd $0xd4, %[after], %[parity], %[x]\n\t"
                     "vmovdqa64 %[after], %[parity]\n\t"
                     "vpopcntd %[x], %[x]\n\t"
                     "vpaddd %[x], %[count], %[count]"
                     : [count] "+v"(*count), [parity] "+v"(*parity), [x] "=&v"(x), [after] "=&v"(after)
                     : [image] "r"(image), [at] "r"(at), [w] "v"(w), [v] "v"(v)
                     : "memory");
#endif
}

/* A half adder. */
static inline __attribute__((always_inline)) void add_word(__m512i *count, __m512i *parity, __m512i x)
{
    ADD_IN_PLACE_512(*count, _mm512_popcnt_epi32(_mm512_and_si512(*parity, x)));
    *parity = _mm512_xor_si512(*parity, x);
}

/* others: bits counted that were no products */
static inline __attribute__((always_inline)) __m512i carry_end(__m512i count, __m512i parity, __m512i others)
{
    count = _mm512_add_epi32(count, count);
    return _mm512_add_epi32(count, _mm512_sub_epi32(_mm512_popcnt_epi32(parity), others));
}

/* Of the parity of a pixel's image where its first run starts, and of what it differs by between runs. */
static inline __attribute__((always_inline)) int parity_bits(const uint8_t *image, const struct planes_tile *t)
{
    int bits = __builtin_popcount((unsigned)load4(image + t->offsets[0] - 4));
    for (int r = 1; r < t->runs; r++) {
        int end = load4(image + t->offsets[r * t->run - 1]);
        bits += __builtin_popcount((unsigned)(load4(image + t->offsets[r * t->run] - 4) ^ end));
    }
    return bits;
}

/* What is done for each pixel of a tile; nv > 1 is a second panel, for the first 8 pixels. */
#define PIXELS(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13) DO(14) DO(15)
#define PIXEL(i, low, high) \
    if (i < m) {            \
        low;                \
        if (nv > 1)         \
            high;           \
    }

/* The accumulators of pixel i: one vector of 16 channels for each panel. Named, because gcc spills arrays of them. */
#define START(i)                                               \
    const uint8_t *p##i = t->image + t->pixels[i < m ? i : 0]; \
    __m512i l##i = _mm512_setzero_si512(), h##i = l##i;
#define COUNT(i, f0, f1)                                     \
    if (i < m) {                                             \
        __m512i q = _mm512_set1_epi32(load4(p##i + at));     \
        ADD_IN_PLACE_512(l##i, _mm512_popcnt_epi32(f0));     \
        if (nv > 1)                                          \
            ADD_IN_PLACE_512(h##i, _mm512_popcnt_epi32(f1)); \
    }
#define AND(i)      COUNT(i, _mm512_and_si512(q, w0), _mm512_and_si512(q, w1))
#define XOR(i)      COUNT(i, _mm512_xor_si512(q, w0), _mm512_xor_si512(q, w1))
#define XOR_LAST(i) COUNT(i, XOR_AND(q, w0, mask), XOR_AND(q, w1, mask))
#define DOUBLE(i)   PIXEL(i, l##i = _mm512_add_epi32(l##i, l##i), h##i = _mm512_add_epi32(h##i, h##i))
#define NEGATE(i)   PIXEL(i, l##i = _mm512_sub_epi32(zero, l##i), h##i = _mm512_sub_epi32(zero, h##i))
#define SUBTRACT(i) PIXEL(i, l##i = _mm512_sub_epi32(s0, l##i), h##i = _mm512_sub_epi32(s1, h##i))
#define MULTIPLY(i)                                                      \
    PIXEL(i, l##i = _mm512_add_epi32(s0, _mm512_mullo_epi32(l##i, mul)), \
          h##i = _mm512_add_epi32(s1, _mm512_mullo_epi32(h##i, mul)))
#define ADD_SUM(i)                                                                         \
    if (i < m) {                                                                           \
        __m512i base = _mm512_set1_epi32(t->head->base * t->sums[i]);                      \
        PIXEL(i, l##i = _mm512_add_epi32(base, l##i), h##i = _mm512_add_epi32(base, h##i)) \
    }
#define STORE(i)                             \
    if (i < m) {                             \
        _mm512_storeu_si512(low, l##i);      \
        low += t->pixel_step;                \
        if (nv > 1) {                        \
            _mm512_storeu_si512(high, h##i); \
            high += t->pixel_step;           \
        }                                    \
    }

/* To codes: of one step up, or of up to three. */
#define CODE(x, f, above, y) _mm_mask_add_epi8(y, _mm512_cmpgt_epi32_mask(_mm512_xor_si512(x, f), above), y, one)
#define STORE_BIT(i)                                                            \
    if (i < m) {                                                                \
        _mm_mask_storeu_epi8(codes, some0, CODE(l##i, f0, a0, lo));             \
        if (nv > 1)                                                             \
            _mm_mask_storeu_epi8(codes + PANEL, some1, CODE(h##i, f1, a1, lo)); \
        codes += t->code_step;                                                  \
    }
#define STORE_CODE(i)                                                               \
    if (i < m) {                                                                    \
        __m128i y = CODE(l##i, f0, c0, CODE(l##i, f0, b0, CODE(l##i, f0, a0, lo))); \
        _mm_mask_storeu_epi8(codes, some0, y);                                      \
        if (nv > 1) {                                                               \
            y = CODE(h##i, f1, c1, CODE(h##i, f1, b1, CODE(h##i, f1, a1, lo)));     \
            _mm_mask_storeu_epi8(codes + PANEL, some1, y);                          \
        }                                                                           \
        codes += t->code_step;                                                      \
    }

/* By carries: c is the parity of the words so far, of each channel of pixel i. */
#define CARRY_START(i) __m512i cl##i = _mm512_setzero_si512(), ch##i = cl##i;
#define CARRY_FIRST(i) PIXEL(i, cl##i = _mm512_set1_epi32(load4(p##i + at - 4)), ch##i = cl##i)
#define CARRY_PAIR(i)  PIXEL(i, add_pair(&l##i, &cl##i, p##i, at, w0, v0), add_pair(&h##i, &ch##i, p##i, at, w1, v1))
/* On to the next run: from the parity of the image at the end of this one to that where it starts. */
#define CARRY_ON(i)                                                                   \
    if (i < m) {                                                                      \
        __m512i q = _mm512_set1_epi32(load4(p##i + at - 4) ^ load4(p##i + next - 4)); \
        PIXEL(i, add_word(&l##i, &cl##i, q), add_word(&h##i, &ch##i, q))              \
    }
/* Twice what was carried, and the last parity, less the bits that were no products. */
#define CARRY_END(i)                                                                 \
    if (i < m) {                                                                     \
        __m512i q = _mm512_set1_epi32(parity_bits(p##i, t));                         \
        PIXEL(i, l##i = carry_end(l##i, cl##i, q), h##i = carry_end(h##i, ch##i, q)) \
    }

/* Adds the counts of steps up to `end`. */
#define STEPS(DO, end)                                                                       \
    for (const int32_t *stop = t->offsets + (end); o < stop; o++, w += PANEL) {              \
        __m512i w0 = _mm512_load_si512(w), w1 = nv > 1 ? _mm512_load_si512(w + stride) : w0; \
        ptrdiff_t at = *o + shift;                                                           \
        PIXELS(DO)                                                                           \
    }

/* Counts of all products in l and h: by carries, in pairs of words, */
#define COUNT_CARRIES                                                                            \
    PIXELS(CARRY_START)                                                                          \
    const uint32_t *w = t->weights;                                                              \
    ptrdiff_t at = t->offsets[0];                                                                \
    PIXELS(CARRY_FIRST)                                                                          \
    for (int r = 0; r < t->runs; r++) {                                                          \
        for (ptrdiff_t stop = at + 4 * (ptrdiff_t)t->run; at != stop; at += 8, w += 2 * PANEL) { \
            __m512i w0 = _mm512_load_si512(w), v0 = _mm512_load_si512(w + PANEL);                \
            __m512i w1 = nv > 1 ? _mm512_load_si512(w + stride) : w0;                            \
            __m512i v1 = nv > 1 ? _mm512_load_si512(w + stride + PANEL) : v0;                    \
            PIXELS(CARRY_PAIR)                                                                   \
        }                                                                                        \
        if (r + 1 < t->runs) {                                                                   \
            ptrdiff_t next = t->offsets[(r + 1) * t->run];                                       \
            PIXELS(CARRY_ON)                                                                     \
            at = next;                                                                           \
        }                                                                                        \
    }                                                                                            \
    PIXELS(CARRY_END)

static inline __attribute__((always_inline)) void tile(int m, int nv, bool carries, const struct planes_tile *t)
{
    size_t stride = (size_t)(t->w_bits * t->steps * PANEL);
    __m512i mask = _mm512_set1_epi32((int)t->mask), zero = _mm512_setzero_si512();
    PIXELS(START)
    if (carries) {
        COUNT_CARRIES
    }
    /* Products of planes from the most to the least significant: Horner's scheme. */
    for (int power = t->a_bits + t->w_bits - 2; !carries && power >= 0; power--) {
        for (int j = power < t->w_bits ? power : t->w_bits - 1; j >= 0 && power - j < t->a_bits; j--) {
            const uint32_t *w = t->weights + (size_t)(j * t->steps * PANEL);
            const int32_t *o = t->offsets;
            ptrdiff_t shift = (ptrdiff_t)(power - j) * (ptrdiff_t)t->plane;
            bool negative = t->head->negative >> j & 1;
            if (negative) {
                PIXELS(NEGATE)
            }
            if (t->head->exclusive) {
                STEPS(XOR, t->whole)
                STEPS(XOR_LAST, t->steps)
            } else {
                STEPS(AND, t->steps)
            }
            if (negative) {
                PIXELS(NEGATE)
            }
        }
        if (power > 0) {
            PIXELS(DOUBLE)
        }
    }
    __m512i s0 = _mm512_load_si512(t->start), s1 = nv > 1 ? _mm512_load_si512(t->start + PANEL) : s0;
    if (t->head->mul == -1) {
        PIXELS(SUBTRACT)
    } else {
        __m512i mul = _mm512_set1_epi32(t->head->mul);
        PIXELS(MULTIPLY)
    }
    if (t->sums) {
        PIXELS(ADD_SUM)
    }
    if (!t->steps_up) {
        int32_t *low = t->acc, *high = t->acc + t->panel_step;
        PIXELS(STORE)
        return;
    }
    const struct planes_steps *u0 = t->steps_up, *u1 = nv > 1 ? u0 + 1 : u0;
    __m512i f0 = _mm512_load_si512(u0->flip), f1 = _mm512_load_si512(u1->flip);
    __m512i a0 = _mm512_load_si512(u0->above[0]), a1 = _mm512_load_si512(u1->above[0]);
    __m128i one = _mm_set1_epi8(1), lo = _mm_set1_epi8((char)t->lo);
    int n0 = t->channels < PANEL ? t->channels : PANEL, n1 = t->channels - n0;
    __mmask16 some0 = (__mmask16)((1u << n0) - 1), some1 = (__mmask16)((1u << n1) - 1);
    uint8_t *codes = t->codes;
    if (t->steps_count <= 1) {
        PIXELS(STORE_BIT)
    } else {
        __m512i b0 = _mm512_load_si512(u0->above[1]), b1 = _mm512_load_si512(u1->above[1]);
        __m512i c0 = _mm512_load_si512(u0->above[2]), c1 = _mm512_load_si512(u1->above[2]);
        PIXELS(STORE_CODE)
    }
}

/* Largest tiles of one panel and of two. */
#ifdef BITFADER_SIMDE
enum { MOST_1 = 2, MOST_2 = 1, CARRY_MOST_1 = 2, CARRY_MOST_2 = 1 }; /* all sizes take the compiler minutes */
#else
enum { MOST_1 = 16, MOST_2 = 8, CARRY_MOST_1 = 12, CARRY_MOST_2 = 6 };
#endif

#define CASE(i)                      \
    case i:                          \
        if (i <= most)               \
            tile(i, nv, carries, t); \
        break;

static inline __attribute__((always_inline)) void tile_nv(int m, int nv, int most, bool carries,
                                                          const struct planes_tile *t)
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
        CASE(9)
        CASE(10)
        CASE(11)
        CASE(12)
        CASE(13)
        CASE(14)
        CASE(15)
        CASE(16)
    }
}

static void tile_m(int m, const struct planes_tile *t)
{
    if (t->nv > 1)
        tile_nv(m, 2, MOST_2, false, t);
    else
        tile_nv(m, 1, MOST_1, false, t);
}

static void carry_tile_m(int m, const struct planes_tile *t)
{
    if (t->nv > 1)
        tile_nv(m, 2, CARRY_MOST_2, true, t);
    else
        tile_nv(m, 1, CARRY_MOST_1, true, t);
}

/* --- row ------------------------------------------------------------------------------------------------------------
 */

static const struct planes_kernel kernel = {
    .pixels = {MOST_1, MOST_2}, .group = 2, .halves = 1, .store = PANEL_STORE_AVX512, .bits = bits, .tile = tile_m};
static const struct planes_kernel carry_kernel = {.pixels = {CARRY_MOST_1, CARRY_MOST_2},
                                                  .group = 2,
                                                  .halves = 1,
                                                  .carries = true,
                                                  .store = PANEL_STORE_AVX512,
                                                  .bits = carry_bits,
                                                  .tile = carry_tile_m};

/* A word takes 1.5 cycles for each product of planes; a step of four values in vpdpbusd takes one on processors with
 * one such unit of 512 bits, half of one on those with two. So up to two products always pay where K is large enough,
 * three and four only on the former. */
static bool can_few(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    return a_bits * w->bits <= 2 && planes_affine(w) && planes_pay(g, a_bits * w->bits, 1.5);
}

static bool can_more(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    int planes = a_bits * w->bits;
    return planes >= 3 && planes <= 4 && planes_affine(w) && planes_pay(g, planes, 1.5);
}

/* A pair takes 2.5 cycles, and as much as two more go into the end of each product, nearly as much into that of a run:
 * both have to be long for it. */
static bool can_carry(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    return a_bits == 1 && w->bits == 1 && w->levels[0] == -w->levels[1] && g->groups == 1 && g->dilation_w == 1 &&
           g->cin % 64 == 0 && g->kw * g->cin >= (g->kh == 1 ? 512 : 384);
}

PLANES_FUNCTIONS(plain, kernel)
PLANES_FUNCTIONS(carry, carry_kernel)

const struct conv_kernel conv_planes_avx512 = {
    .name = "conv_planes_avx512",
    .family = FAMILY_PLANES,
    .isa = ISA_AVX512VBMI,
    .w_bits = {1, 2},
    .a_bits = {1, 2},
    .schemes = "even steps",
    .tile = "8x32",
    .can = can_few,
    .packed_size = plain_packed_size,
    .pack = plain_pack,
    .prepared_size = plain_prepared_size,
    .prepare = plain_prepare,
    .scratch_size = plain_scratch_size,
    .run = plain_run,
    .channel_unit = 2 * PANEL,
};

const struct conv_kernel conv_planes4_avx512 = {
    .name = "conv_planes4_avx512",
    .family = FAMILY_PLANES,
    .isa = ISA_AVX512VBMI,
    .w_bits = {1, 4},
    .a_bits = {1, 4},
    .schemes = "even steps",
    .tile = "8x32",
    .can = can_more,
    .packed_size = plain_packed_size,
    .pack = plain_pack,
    .prepared_size = plain_prepared_size,
    .prepare = plain_prepare,
    .scratch_size = plain_scratch_size,
    .run = plain_run,
    .channel_unit = 2 * PANEL,
};

const struct conv_kernel conv_carries_avx512 = {
    .name = "conv_carries_avx512",
    .family = FAMILY_PLANES,
    .isa = ISA_AVX512VBMI,
    .w_bits = {1, 1},
    .a_bits = {1, 1},
    .schemes = "symmetric",
    .tile = "6x32",
    .can = can_carry,
    .packed_size = carry_packed_size,
    .pack = carry_pack,
    .prepared_size = carry_prepared_size,
    .prepare = carry_prepare,
    .scratch_size = carry_scratch_size,
    .run = carry_run,
    .channel_unit = 2 * PANEL,
};
