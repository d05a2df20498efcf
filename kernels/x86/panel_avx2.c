/* SPDX-License-Identifier: MIT
 *
 * What AVX2 does around the micro-kernels: the widening of an image, the unpacking of a panel and the way from
 * accumulators to outputs.
 */
#include "kernels/panel.h"
#include "kernels/scalar.h"
#include "kernels/x86/intrin.h"

#include <string.h>

/* --- image ----------------------------------------------------------------------------------------------------------
 */

/* n codes to 16 bits. */
void panel_widen_avx2(uint8_t *out, const uint8_t *in, int n)
{
    int i = 0;
    for (; i + 16 <= n; i += 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(in + i));
        _mm256_storeu_si256((__m256i *)(out + 2 * i), _mm256_cvtepu8_epi16(x));
    }
    for (; i < n; i++) {
        out[2 * i] = in[i];
        out[2 * i + 1] = 0;
    }
}

/* --- weights --------------------------------------------------------------------------------------------------------
 */

/* 32 neighbouring codes of a chunk: the j-th of eight vectors. */
static inline __attribute__((always_inline)) __m256i chunk_codes(const __m256i *in, int bits, int j)
{
    __m256i v = _mm256_setzero_si256();
    if (bits & 4) {
        __m256i x = _mm256_load_si256(in + j / 2);
        v = _mm256_and_si256(_mm256_srli_epi16(x, j % 2 * 4), _mm256_set1_epi8(15));
        in += 4;
    }
    if (bits & 2) {
        int low = bits & 4;
        __m256i x = _mm256_load_si256(in + j / 4);
        x = _mm256_and_si256(_mm256_srli_epi16(x, j % 4 * 2), _mm256_set1_epi8(3));
        v = _mm256_or_si256(v, _mm256_slli_epi16(x, low));
        in += 2;
    }
    if (bits & 1) {
        int low = bits & 6;
        __m256i x = _mm256_load_si256(in);
        x = _mm256_and_si256(_mm256_srli_epi16(x, j), _mm256_set1_epi8(1));
        v = _mm256_or_si256(v, _mm256_slli_epi16(x, low));
    }
    return v;
}

/* Codes to integers: through the table of levels, or less the bias. */
static inline __attribute__((always_inline)) __m256i chunk_levels(const __m256i *in, int bits, int j, __m256i key)
{
    __m256i v = chunk_codes(in, bits, j);
    return bits <= 4 ? _mm256_shuffle_epi8(key, v) : _mm256_sub_epi8(v, key);
}

static inline __attribute__((always_inline)) void unpack(const uint8_t *in, int chunks, int bits, __m256i key,
                                                         int8_t *out)
{
    for (int c = 0; c < chunks; c++, in += 32 * bits, out += CHUNK) {
        const __m256i *x = (const __m256i *)in;
        __m256i *y = (__m256i *)out;
        _mm256_store_si256(y + 0, chunk_levels(x, bits, 0, key));
        _mm256_store_si256(y + 1, chunk_levels(x, bits, 1, key));
        _mm256_store_si256(y + 2, chunk_levels(x, bits, 2, key));
        _mm256_store_si256(y + 3, chunk_levels(x, bits, 3, key));
        _mm256_store_si256(y + 4, chunk_levels(x, bits, 4, key));
        _mm256_store_si256(y + 5, chunk_levels(x, bits, 5, key));
        _mm256_store_si256(y + 6, chunk_levels(x, bits, 6, key));
        _mm256_store_si256(y + 7, chunk_levels(x, bits, 7, key));
    }
}

#define UNPACK_BITS(bits) unpack(in, chunks, bits, key, out)

/* A panel as integers; 8-bit panels need no work. */
static const int8_t *panel_unpack(const struct panel_header *head, const uint8_t *in, int chunks, int8_t *out)
{
    __m256i key = head->bits <= 4 ? _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)head->levels))
                                  : _mm256_set1_epi8((char)(1 << (head->bits - 1)));
    PANEL_UNPACK(head, in, UNPACK_BITS)
    return out;
}

/* --- outputs --------------------------------------------------------------------------------------------------------
 */

/* Eight channels before the clamp, as 32-bit integers. residual: eight codes, or NULL. */
static inline __attribute__((always_inline)) __m256i requant8(const struct requant *rq, const struct requant_lanes *r,
                                                              int half, const int32_t *acc, const uint8_t *residual)
{
    __m256i x = _mm256_load_si256((const __m256i *)(acc + 8 * half));
    __m256i m = _mm256_load_si256((const __m256i *)(r->m + 8 * half));
    __m256i even = _mm256_mul_epi32(x, m);
    __m256i odd = _mm256_mul_epi32(_mm256_srli_epi64(x, 32), _mm256_srli_epi64(m, 32));
    if (residual) {
        __m256i res = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(residual + 8 * half)));
        __m256i rm = _mm256_set1_epi64x(rq->res_m);
        even = _mm256_add_epi64(even, _mm256_mul_epi32(res, rm));
        odd = _mm256_add_epi64(odd, _mm256_mul_epi32(_mm256_srli_epi64(res, 32), rm));
    }
    __m128i left = _mm_cvtsi32_si128(rq->left);
    even = _mm256_add_epi64(_mm256_sll_epi64(even, left), _mm256_load_si256((const __m256i *)(r->even + 4 * half)));
    odd = _mm256_add_epi64(_mm256_sll_epi64(odd, left), _mm256_load_si256((const __m256i *)(r->odd + 4 * half)));
    __m256i upper = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
    return _mm256_sra_epi32(upper, _mm_cvtsi32_si128(rq->shift - 32));
}

/* Two pixels of 16 channels to codes: saturation to 16, then to 8 bits gives the clamp to 0..255. */
static inline __attribute__((always_inline)) __m256i requant_two(const struct requant *rq,
                                                                 const struct requant_lanes *r, const int32_t *acc,
                                                                 const int32_t *acc2, const uint8_t *residual,
                                                                 const uint8_t *residual2)
{
    __m256i x = _mm256_packs_epi32(requant8(rq, r, 0, acc, residual), requant8(rq, r, 1, acc, residual));
    __m256i y = _mm256_packs_epi32(requant8(rq, r, 0, acc2, residual2), requant8(rq, r, 1, acc2, residual2));
    x = _mm256_packus_epi16(x, y);
    x = _mm256_permutevar8x32_epi32(x, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    x = _mm256_max_epu8(x, _mm256_set1_epi8((char)rq->lo));
    return _mm256_min_epu8(x, _mm256_set1_epi8((char)rq->hi));
}

/* m pixels of a full panel, two at once. */
static inline __attribute__((always_inline)) void store_u8(const struct conv_call *call, const struct requant_lanes *r,
                                                           const int32_t *acc, int m, size_t at, size_t cout,
                                                           bool has_residual)
{
    for (int i = 0; i < m; i += 2, acc += 2 * PANEL, at += 2 * cout) {
        size_t next = i + 1 < m ? cout : 0; /* the last of an odd number goes through twice */
        const uint8_t *residual = has_residual ? call->residual + at : NULL;
        __m256i x =
            requant_two(call->rq, r, acc, next ? acc + PANEL : acc, residual, has_residual ? residual + next : NULL);
        _mm_storeu_si128((__m128i *)(call->out_u8 + at), _mm256_castsi256_si128(x));
        if (next)
            _mm_storeu_si128((__m128i *)(call->out_u8 + at + next), _mm256_extracti128_si256(x, 1));
    }
}

/* One pixel of n < 16 channels. */
static void store_u8_part(const struct conv_call *call, const struct requant_lanes *r, const int32_t *acc, size_t at,
                          int n)
{
    uint8_t codes[PANEL] = {0};
    if (call->residual)
        memcpy(codes, call->residual + at, (size_t)n);
    const uint8_t *residual = call->residual ? codes : NULL;
    __m256i x = residual ? requant_two(call->rq, r, acc, acc, residual, residual)
                         : requant_two(call->rq, r, acc, acc, NULL, NULL);
    _mm_storeu_si128((__m128i *)codes, _mm256_castsi256_si128(x));
    memcpy(call->out_u8 + at, codes, (size_t)n);
}

static void store_f32(const struct conv_call *call, int co, const int32_t *acc, size_t at)
{
    for (int i = 0; i < PANEL; i += 8) {
        __m256 x = _mm256_cvtepi32_ps(_mm256_load_si256((const __m256i *)(acc + i)));
        x = _mm256_mul_ps(x, _mm256_loadu_ps(call->scale + co + i));
        _mm256_storeu_ps(call->out_f32 + at + i, _mm256_add_ps(x, _mm256_loadu_ps(call->bias + co + i)));
    }
}

void panel_store(panel_codes_fn *codes, const struct conv_call *call, const struct requant_lanes *r, const int32_t *acc,
                 int m, size_t at, size_t cout, int co, int n)
{
    if (r && codes) {
        codes(call, r, acc, m, at, cout, n);
        return;
    }
    if (r && n == PANEL) {
        if (call->residual)
            store_u8(call, r, acc, m, at, cout, true);
        else
            store_u8(call, r, acc, m, at, cout, false);
        return;
    }
    for (int i = 0; i < m; i++, acc += PANEL, at += cout) {
        if (r)
            store_u8_part(call, r, acc, at, n);
        else if (call->out_s32 && n == PANEL)
            memcpy(call->out_s32 + at, acc, PANEL * sizeof *acc);
        else if (call->out_s32)
            memcpy(call->out_s32 + at, acc, (size_t)n * sizeof *acc);
        else if (call->out_f32 && n == PANEL)
            store_f32(call, co, acc, at);
        else
            for (int c = 0; c < n; c++)
                conv_store(call, at + (size_t)c, co + c, acc[c]);
    }
}

static void store_panels(const struct conv_call *call, const struct panel_out *out, int nv, const int32_t *acc, int m,
                         size_t at, size_t cout)
{
    for (int v = 0; v < nv; v++, out++, acc += m * PANEL)
        panel_store(NULL, call, out->requant, acc, m, at * cout + (size_t)out->co, cout, out->co, out->n);
}

static const struct panel_simd avx2 = {.widen = panel_widen_avx2, .unpack = panel_unpack, .store = store_panels};

void panel_run_avx2(const struct panel_kernel *k, const struct conv_geom *g, const struct conv_call *call)
{
    panel_run(&avx2, k, g, call);
}
