/* SPDX-License-Identifier: MIT
 *
 * Matrix times vector for ternary weights at 5/3 bits: a code of 5 bits selects a byte that holds three weights as
 * fields of 2 bits, by vpermb, and from there it goes as in conv_stream_avx512vnni.c. Five trits in a byte would be 1.6
 * bits, and would take a table of 256, four times this size, to save 4 % of the memory.
 */
#include "kernels/gemv.h"
#include "kernels/rows.h"
#include "kernels/x86/intrin.h"

#include <string.h>

enum { AHEAD = 8192 }; /* bytes from what is read to what is prefetched */

/* Sums of fields 0, 1 and 2; those of codes 0..3 and of codes 4..7 add up to different channels if there are 64. */
#define SUMS(DO) DO(0) DO(1) DO(2) DO(3)

#define CLEAR(i) __m512i a##i = _mm512_setzero_si512(), b##i = a##i, c##i = a##i;

/* Codes `i` of a step: low bits from a nibble, the top bit moved to bit 4. vpermb ignores bits 6 and 7, and the table
 * is there twice for bit 5. */
#define CODES(i, acc, nibble, top)                                                                        \
    {                                                                                                     \
        __m512i code = _mm512_ternarylogic_epi32(nibble, top, low, 0xE4 /* bit of low ? nibble : top */); \
        __m512i trits = _mm512_permutexvar_epi8(code, table);                                             \
        const uint8_t *q = act + 12 * ((i) / width);                                                      \
        a##acc = _mm512_dpbusd_epi32(a##acc, _mm512_set1_epi32(load4(q + 0)),                             \
                                     _mm512_and_si512(trits, _mm512_set1_epi8(0x03)));                    \
        b##acc = _mm512_dpbusd_epi32(b##acc, _mm512_set1_epi32(load4(q + 4)),                             \
                                     _mm512_and_si512(trits, _mm512_set1_epi8(0x0C)));                    \
        c##acc = _mm512_dpbusd_epi32(c##acc, _mm512_set1_epi32(load4(q + 8)),                             \
                                     _mm512_and_si512(trits, _mm512_set1_epi8(0x30)));                    \
    }

static inline __attribute__((always_inline)) void dot_width(const struct gemv_header *head, int width, int steps,
                                                            const uint8_t *w, const uint8_t *act, int32_t *sum)
{
    __m512i table = _mm512_loadu_si512(head->trits_of), low = _mm512_set1_epi8(15);
    SUMS(CLEAR)
    for (; steps > 0; steps--, w += 320, act += 96 / width) {
        for (int i = 0; i < 5; i++)
            _mm_prefetch((const char *)w + AHEAD + 64 * i, _MM_HINT_T1);
        __m512i top = _mm512_load_si512(w + 256), x = _mm512_load_si512(w);
        CODES(0, 0, x, _mm512_slli_epi16(top, 4))
        CODES(1, 1, _mm512_srli_epi16(x, 4), _mm512_slli_epi16(top, 3))
        x = _mm512_load_si512(w + 64);
        CODES(2, 2, x, _mm512_slli_epi16(top, 2))
        CODES(3, 3, _mm512_srli_epi16(x, 4), _mm512_slli_epi16(top, 1))
        x = _mm512_load_si512(w + 128);
        CODES(4, 0, x, top)
        CODES(5, 1, _mm512_srli_epi16(x, 4), _mm512_srli_epi16(top, 1))
        x = _mm512_load_si512(w + 192);
        CODES(6, 2, x, _mm512_srli_epi16(top, 2))
        CODES(7, 3, _mm512_srli_epi16(x, 4), _mm512_srli_epi16(top, 3))
    }
    __m512i s[4];
#define FINISH(i) \
    s[i] = _mm512_add_epi32(_mm512_add_epi32(a##i, _mm512_srai_epi32(b##i, 2)), _mm512_srai_epi32(c##i, 4));
    SUMS(FINISH)
    for (int i = 0; i < width; i++) {
        __m512i x = s[i];
        for (int j = i + width; j < 4; j += width)
            x = _mm512_add_epi32(x, s[j]);
        _mm512_store_si512(sum + GEMV_LANES * i, x);
    }
}

static void dot(const struct gemv_header *head, int width, int steps, const uint8_t *w, const uint8_t *act,
                int32_t *sum)
{
    if (width == 4)
        dot_width(head, 4, steps, w, act, sum);
    else if (width == 2)
        dot_width(head, 2, steps, w, act, sum);
    else
        dot_width(head, 1, steps, w, act, sum);
}

/* --- row ------------------------------------------------------------------------------------------------------------
 */

static bool can(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    (void)a_bits;
    return gemv_shape(g) && gemv_is_ternary(w);
}

static size_t packed_size(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    (void)a_bits;
    return gemv_packed_size(g, w, true);
}

static void pack(const struct conv_geom *g, int a_bits, const struct conv_weights *w, void *packed)
{
    (void)a_bits;
    gemv_pack(g, w, true, packed);
}

static size_t scratch_size(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    (void)a_bits;
    return gemv_scratch_size(g, w, true);
}

static void run(const struct conv_geom *g, int a_bits, const struct conv_call *call)
{
    (void)a_bits;
    gemv_run_avx512(g, call, dot);
}

const struct conv_kernel conv_trits_avx512 = {
    .name = "conv_trits_avx512",
    .family = FAMILY_STREAM,
    .isa = ISA_AVX512VBMI,
    .w_bits = {2, 2},
    .a_bits = {1, 8},
    .schemes = "ternary",
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
