/* SPDX-License-Identifier: MIT
 *
 * The way from accumulators to codes in 512-bit vectors: one pixel of 16 channels at a time, what belongs to the
 * channels loaded once for all pixels of a tile. The same numbers as panel_avx2.c.
 */
#include "kernels/intrin.h"
#include "kernels/panel.h"

void panel_store_avx512(const struct conv_call *call, const struct requant_lanes *r, const int32_t *acc, int m,
                        size_t at, size_t cout)
{
    const struct requant *rq = call->rq;
    __m512i even_m = _mm512_load_si512(r->m), odd_m = _mm512_srli_epi64(even_m, 32);
    __m512i even_b = _mm512_load_si512(r->even), odd_b = _mm512_load_si512(r->odd);
    __m512i rm = _mm512_set1_epi64(rq->res_m), lo = _mm512_set1_epi32(rq->lo), hi = _mm512_set1_epi32(rq->hi);
    __m128i left = _mm_cvtsi32_si128(rq->left), shift = _mm_cvtsi32_si128(rq->shift - 32);
    for (int i = 0; i < m; i++, acc += PANEL, at += cout) {
        __m512i x = _mm512_load_si512(acc);
        __m512i even = _mm512_mul_epi32(x, even_m), odd = _mm512_mul_epi32(_mm512_srli_epi64(x, 32), odd_m);
        if (call->residual) {
            __m512i res = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(call->residual + at)));
            even = _mm512_add_epi64(even, _mm512_mul_epi32(res, rm));
            odd = _mm512_add_epi64(odd, _mm512_mul_epi32(_mm512_srli_epi64(res, 32), rm));
        }
        even = _mm512_add_epi64(_mm512_sll_epi64(even, left), even_b);
        odd = _mm512_add_epi64(_mm512_sll_epi64(odd, left), odd_b);
        /* the upper halves, shifted by the rest: the 64-bit shift, since its result fits 32 bits or saturates below */
        __m512i y = _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 32), odd);
        y = _mm512_min_epi32(_mm512_max_epi32(_mm512_sra_epi32(y, shift), lo), hi);
        _mm_storeu_si128((__m128i *)(call->out_u8 + at), _mm512_cvtepi32_epi8(y));
    }
}
