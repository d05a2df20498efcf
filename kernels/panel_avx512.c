/* SPDX-License-Identifier: MIT
 *
 * The way from accumulators to codes in 512-bit vectors: four pixels of 16 channels at a time, what belongs to the
 * channels loaded once for all pixels of a tile. The same numbers as panel_avx2.c. Layers of few channels spend half of
 * their time here, so instructions count: about 9 of them a pixel where one or two a cycle run.
 */
#include "kernels/intrin.h"
#include "kernels/panel.h"

/* What the pixels of a tile share. */
struct lanes {
    __m512i even_m, odd_m, even_b, odd_b, res_m, shift;
    __m128i left;
    __mmask16 channels;
};

/* The upper dwords of 64-bit lanes, moved to the lower ones. */
#define UPPER(x) _mm512_shuffle_epi32(x, (_MM_PERM_ENUM)0xf5)

/* 16 channels of a pixel before the clamp. residual: 16 codes, or NULL. */
static inline __attribute__((always_inline)) __m512i requant16(const struct lanes *l, const int32_t *acc,
                                                               const uint8_t *residual, bool left, bool full)
{
    __m512i x = _mm512_load_si512(acc);
    __m512i even = _mm512_mul_epi32(x, l->even_m), odd = _mm512_mul_epi32(UPPER(x), l->odd_m);
    if (residual) {
        __m512i r = _mm512_cvtepu8_epi32(full ? _mm_loadu_si128((const __m128i *)residual)
                                              : _mm_maskz_loadu_epi8(l->channels, residual));
        even = _mm512_add_epi64(even, _mm512_mul_epi32(r, l->res_m));
        odd = _mm512_add_epi64(odd, _mm512_mul_epi32(UPPER(r), l->res_m));
    }
    if (left) {
        even = _mm512_sll_epi64(even, l->left);
        odd = _mm512_sll_epi64(odd, l->left);
    }
    even = _mm512_add_epi64(even, l->even_b);
    odd = _mm512_add_epi64(odd, l->odd_b);
    /* the upper halves, shifted by the rest: the 64-bit shift, since its result fits 32 bits or saturates below */
    return _mm512_srav_epi32(_mm512_mask_shuffle_epi32(odd, 0x5555, even, (_MM_PERM_ENUM)0xf5), l->shift);
}

/* Whole panels pass by the mask: a masked store takes longer. */
static inline __attribute__((always_inline)) void store_codes(uint8_t *out, __m128i codes, __mmask16 channels,
                                                              bool full)
{
    if (full)
        _mm_storeu_si128((__m128i *)out, codes);
    else
        _mm_mask_storeu_epi8(out, channels, codes);
}

static inline __attribute__((always_inline)) void store_pixels(const struct conv_call *call,
                                                               const struct requant_lanes *r, const int32_t *acc, int m,
                                                               size_t at, size_t cout, int channels, bool has_residual,
                                                               bool left, bool full)
{
    const struct requant *rq = call->rq;
    const __m512i lo = _mm512_set1_epi8((char)rq->lo), hi = _mm512_set1_epi8((char)rq->hi);
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i even_m = _mm512_load_si512(r->m);
    const struct lanes l = {even_m,
                            _mm512_srli_epi64(even_m, 32),
                            _mm512_load_si512(r->even),
                            _mm512_load_si512(r->odd),
                            _mm512_set1_epi64(rq->res_m),
                            _mm512_set1_epi32(rq->shift - 32),
                            _mm_cvtsi32_si128(rq->left),
                            (__mmask16)((1u << channels) - 1)};
    for (int i = 0; i < m; i += 4, acc += 4 * PANEL, at += 4 * cout) {
        int n = m - i; /* where fewer than four are left, the last goes through again */
        size_t p1 = n > 1, p2 = n > 2 ? 2 : p1, p3 = n > 3 ? 3 : p2;
        const uint8_t *res = has_residual ? call->residual + at : NULL;
        __m512i x0 = requant16(&l, acc, res, left, full);
        __m512i x1 = requant16(&l, acc + PANEL * p1, has_residual ? res + cout * p1 : NULL, left, full);
        __m512i x2 = requant16(&l, acc + PANEL * p2, has_residual ? res + cout * p2 : NULL, left, full);
        __m512i x3 = requant16(&l, acc + PANEL * p3, has_residual ? res + cout * p3 : NULL, left, full);
        /* saturation to 16, then to 8 bits gives the clamp to 0..255 */
        __m512i y = _mm512_packus_epi16(_mm512_packs_epi32(x0, x1), _mm512_packs_epi32(x2, x3));
        y = _mm512_min_epu8(_mm512_max_epu8(_mm512_permutexvar_epi32(order, y), lo), hi);
        uint8_t *out = call->out_u8 + at;
        if (full && cout == PANEL && n > 3) {
            _mm512_storeu_si512(out, y);
            continue;
        }
        store_codes(out + cout * p3, _mm512_extracti32x4_epi32(y, 3), l.channels, full);
        store_codes(out + cout * p2, _mm512_extracti32x4_epi32(y, 2), l.channels, full);
        store_codes(out + cout * p1, _mm512_extracti32x4_epi32(y, 1), l.channels, full);
        store_codes(out, _mm512_castsi512_si128(y), l.channels, full);
    }
}

void panel_store_avx512(const struct conv_call *call, const struct requant_lanes *r, const int32_t *acc, int m,
                        size_t at, size_t cout, int n)
{
    bool residual = call->residual != NULL, left = call->rq->left > 0;
    if (n < PANEL)
        store_pixels(call, r, acc, m, at, cout, n, residual, left, false);
    else if (residual && left)
        store_pixels(call, r, acc, m, at, cout, PANEL, true, true, true);
    else if (residual)
        store_pixels(call, r, acc, m, at, cout, PANEL, true, false, true);
    else if (left)
        store_pixels(call, r, acc, m, at, cout, PANEL, false, true, true);
    else
        store_pixels(call, r, acc, m, at, cout, PANEL, false, false, true);
}
