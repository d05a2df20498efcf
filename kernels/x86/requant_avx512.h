/* SPDX-License-Identifier: MIT
 *
 * The way from accumulators to codes in 512-bit vectors, 64 at a time. Private to the files with AVX-512.
 */
#ifndef BITFADER_KERNELS_X86_REQUANT_AVX512_H
#define BITFADER_KERNELS_X86_REQUANT_AVX512_H

#include "kernels/requant_lanes.h"
#include "kernels/unroll.h"
#include "kernels/x86/intrin.h"

/* How, known where functions are inlined. */
enum requant_way { WAY_FLOATS, WAY_INTEGERS, WAY_LEFT, WAY_RESIDUAL_FLOATS, WAY_RESIDUAL, WAY_RESIDUAL_LEFT };

/* The least that does it for n panels. */
static inline enum requant_way requant_way(const struct requant *rq, bool residual, const struct requant_lanes *r,
                                           int n)
{
    bool floats = true;
#ifdef BITFADER_SIMDE
    floats = false; /* no rounding in a certain direction there */
#endif
    for (int i = 0; i < n; i++)
        floats = floats && (residual ? r[i].residual_floats : r[i].floats);
    if (residual)
        return floats ? WAY_RESIDUAL_FLOATS : rq->left ? WAY_RESIDUAL_LEFT : WAY_RESIDUAL;
    return floats ? WAY_FLOATS : rq->left ? WAY_LEFT : WAY_INTEGERS;
}

/* Calls function(..., way) with the way as a constant. */
#define REQUANT_BY_WAY(way, function, ...)          \
    switch (way) {                                  \
    case WAY_FLOATS:                                \
        function(__VA_ARGS__, WAY_FLOATS);          \
        break;                                      \
    case WAY_INTEGERS:                              \
        function(__VA_ARGS__, WAY_INTEGERS);        \
        break;                                      \
    case WAY_LEFT:                                  \
        function(__VA_ARGS__, WAY_LEFT);            \
        break;                                      \
    case WAY_RESIDUAL_FLOATS:                       \
        function(__VA_ARGS__, WAY_RESIDUAL_FLOATS); \
        break;                                      \
    case WAY_RESIDUAL:                              \
        function(__VA_ARGS__, WAY_RESIDUAL);        \
        break;                                      \
    case WAY_RESIDUAL_LEFT:                         \
        function(__VA_ARGS__, WAY_RESIDUAL_LEFT);   \
        break;                                      \
    }

/* What all channels share, and what belongs to the 16 of a panel. */
struct requant_common {
    __m512i res_m, shift, lo, hi;
    __m128i left;
};

struct requant_panel {
    __m512i even_m, odd_m, even_b, odd_b;
    __m512 scale, bias, res_scale;
};

INLINE struct requant_common requant_common(const struct requant *rq)
{
    return (struct requant_common){_mm512_set1_epi64(rq->res_m), _mm512_set1_epi32(rq->shift - 32),
                                   _mm512_set1_epi8((char)rq->lo), _mm512_set1_epi8((char)rq->hi),
                                   _mm_cvtsi32_si128(rq->left)};
}

INLINE struct requant_panel requant_panel(const struct requant_lanes *r)
{
    __m512i m = _mm512_load_si512(r->m);
    return (struct requant_panel){m,
                                  _mm512_srli_epi64(m, 32),
                                  _mm512_load_si512(r->even),
                                  _mm512_load_si512(r->odd),
                                  _mm512_loadu_ps(r->scale),
                                  _mm512_loadu_ps(r->bias),
                                  _mm512_set1_ps(r->res_scale)};
}

#ifndef BITFADER_SIMDE
#define REQUANT_DOWN (_MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)
/* requant_lanes.c says why this is exact. */
INLINE __m512i requant16_floats(__m512i x, __m512 scale, __m512 bias)
{
    __m512 y = _mm512_fmadd_round_ps(_mm512_cvt_roundepi32_ps(x, REQUANT_DOWN), scale, bias, REQUANT_DOWN);
    return _mm512_cvt_roundps_epi32(y, REQUANT_DOWN);
}
#endif

/* 16 channels of a pixel before the clamp. codes: the residual's, if there is one. */
INLINE __m512i requant16(const struct requant_common *c, const struct requant_panel *p, __m512i x, __m128i codes,
                         enum requant_way way)
{
#ifndef BITFADER_SIMDE
    if (way == WAY_FLOATS)
        return requant16_floats(x, p->scale, p->bias);
    if (way == WAY_RESIDUAL_FLOATS) {
        __m512 r = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(codes));
        return requant16_floats(x, p->scale, _mm512_fmadd_ps(r, p->res_scale, p->bias));
    }
#endif
    __m512i even = _mm512_mul_epi32(x, p->even_m), odd = _mm512_mul_epi32(_mm512_srli_epi64(x, 32), p->odd_m);
    if (way >= WAY_RESIDUAL) {
        __m512i r = _mm512_cvtepu8_epi32(codes);
        even = _mm512_add_epi64(even, _mm512_mul_epi32(r, c->res_m));
        odd = _mm512_add_epi64(odd, _mm512_mul_epi32(_mm512_srli_epi64(r, 32), c->res_m));
    }
    if (way == WAY_LEFT || way == WAY_RESIDUAL_LEFT) {
        even = _mm512_sll_epi64(even, c->left);
        odd = _mm512_sll_epi64(odd, c->left);
    }
    even = _mm512_add_epi64(even, p->even_b);
    odd = _mm512_add_epi64(odd, p->odd_b);
    /* the upper halves, shifted by the rest: the 64-bit shift, since its result fits 32 bits or saturates below */
    return _mm512_srav_epi32(_mm512_mask_shuffle_epi32(odd, 0x5555, even, 0xf5), c->shift);
}

/* Four times 16 to 0..255, in order: saturation to 16, then to 8 bits. */
INLINE __m512i saturate_codes(__m512i x0, __m512i x1, __m512i x2, __m512i x3)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m512i y = _mm512_packus_epi16(_mm512_packs_epi32(x0, x1), _mm512_packs_epi32(x2, x3));
    return _mm512_permutexvar_epi32(order, y);
}

/* The same to codes. */
INLINE __m512i requant_codes(const struct requant_common *c, __m512i x0, __m512i x1, __m512i x2, __m512i x3)
{
    return _mm512_min_epu8(_mm512_max_epu8(saturate_codes(x0, x1, x2, x3), c->lo), c->hi);
}

#endif
