/* SPDX-License-Identifier: MIT
 *
 * What AVX-512 does around the micro-kernels: the unpacking of a panel and the way from accumulators to codes in
 * 512-bit vectors: four pixels of 16 channels, or one of 64, at a time, what belongs to the channels loaded once for
 * all pixels of a tile. The same numbers as panel_avx2.c. Layers of few channels spend half of their time here, so
 * instructions count: about 9 of them for 16 outputs where one or two a cycle run.
 */
#include "kernels/panel.h"
#include "kernels/unroll.h"
#include "kernels/x86/intrin.h"
#include "kernels/x86/requant_avx512.h"

/* --- weights --------------------------------------------------------------------------------------------------------
 */

/* 32 bytes twice, rotated such that the i-th field of `width` bits comes to bit `low` of each byte, and in the upper 32
 * bytes the field after it. */
INLINE __m512i fields(const uint8_t *in, int width, int i, int low)
{
    __m512i x = _mm512_broadcast_i64x4(_mm256_load_si256((const __m256i *)in));
    int near = i * width - low, far = near + width;
    return _mm512_rorv_epi64(x, _mm512_setr_epi64(near, near, near, near, far, far, far, far));
}

/* 64 neighbouring codes of a chunk: the j-th of four vectors. */
INLINE __m512i chunk_codes(const uint8_t *in, int bits, int j)
{
    __m512i v = _mm512_setzero_si512();
    if (bits & 4) {
        v = _mm512_and_si512(fields(in + 32 * j, 4, 0, 0), _mm512_set1_epi8(15));
        in += 128;
    }
    if (bits & 2) {
        int low = bits & 4;
        __m512i x = fields(in + j / 2 * 32, 2, j % 2 * 2, low), mask = _mm512_set1_epi8((char)(3 << low));
        v = _mm512_ternarylogic_epi64(v, x, mask, 0xf8); /* v | x & mask */
        in += 64;
    }
    if (bits & 1) {
        int low = bits & 6;
        __m512i x = fields(in, 1, 2 * j, low), mask = _mm512_set1_epi8((char)(1 << low));
        v = _mm512_ternarylogic_epi64(v, x, mask, 0xf8);
    }
    return v;
}

INLINE void unpack(const struct panel_header *head, const uint8_t *in, int chunks, int bits, int8_t *out)
{
    __m512i levels = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)head->levels));
    __m512i bias = _mm512_set1_epi8((char)(1 << (bits - 1)));
    for (int c = 0; c < chunks; c++, in += 32 * bits, out += CHUNK) {
        UNROLL
        for (int j = 0; j < CHUNK / 64; j++) {
            __m512i v = chunk_codes(in, bits, j);
            _mm512_store_si512(out + 64 * j, bits <= 4 ? _mm512_shuffle_epi8(levels, v) : _mm512_sub_epi8(v, bias));
        }
    }
}

#define UNPACK_BITS(bits) unpack(head, in, chunks, bits, out)

static const int8_t *panel_unpack(const struct panel_header *head, const uint8_t *in, int chunks, int8_t *out)
{
    PANEL_UNPACK(head, in, UNPACK_BITS)
    return out;
}

/* --- outputs --------------------------------------------------------------------------------------------------------
 */

INLINE __m128i residual16(const uint8_t *codes, __mmask16 channels, bool full)
{
    return full ? _mm_loadu_si128((const __m128i *)codes) : _mm_maskz_loadu_epi8(channels, codes);
}

/* Whole panels pass by the mask: a masked store takes longer. */
INLINE void store_codes(uint8_t *out, __m128i codes, __mmask16 channels, bool full)
{
    if (full)
        _mm_storeu_si128((__m128i *)out, codes);
    else
        _mm_mask_storeu_epi8(out, channels, codes);
}

/* m pixels of 16 channels or less, four at a time; `at` is the first one's element. */
INLINE void store_pixels(const struct conv_call *call, const struct requant_lanes *r, const int32_t *acc, int m,
                         size_t at, size_t cout, int n, bool full, enum requant_way way)
{
    const bool residual = way >= WAY_RESIDUAL_FLOATS;
    const struct requant_common c = requant_common(call->rq);
    const struct requant_panel p = requant_panel(r);
    const __mmask16 channels = (__mmask16)((1u << n) - 1);
    const __m128i none = _mm_setzero_si128();
    for (int i = 0; i < m; i += 4, acc += 4 * PANEL, at += 4 * cout) {
        int rest = m - i; /* where fewer than four are left, the last goes through again */
        size_t p1 = rest > 1, p2 = rest > 2 ? 2 : p1, p3 = rest > 3 ? 3 : p2;
        const uint8_t *res = residual ? call->residual + at : NULL;
        __m128i r0 = residual ? residual16(res, channels, full) : none;
        __m128i r1 = residual ? residual16(res + cout * p1, channels, full) : none;
        __m128i r2 = residual ? residual16(res + cout * p2, channels, full) : none;
        __m128i r3 = residual ? residual16(res + cout * p3, channels, full) : none;
        __m512i y = requant_codes(&c, requant16(&c, &p, _mm512_load_si512(acc), r0, way),
                                  requant16(&c, &p, _mm512_load_si512(acc + PANEL * p1), r1, way),
                                  requant16(&c, &p, _mm512_load_si512(acc + PANEL * p2), r2, way),
                                  requant16(&c, &p, _mm512_load_si512(acc + PANEL * p3), r3, way));
        uint8_t *out = call->out_u8 + at;
        if (full && cout == PANEL && rest > 3) {
            _mm512_storeu_si512(out, y);
            continue;
        }
        store_codes(out + cout * p3, _mm512_extracti32x4_epi32(y, 3), channels, full);
        store_codes(out + cout * p2, _mm512_extracti32x4_epi32(y, 2), channels, full);
        store_codes(out + cout * p1, _mm512_extracti32x4_epi32(y, 1), channels, full);
        store_codes(out, _mm512_castsi512_si128(y), channels, full);
    }
}

void panel_store_avx512(const struct conv_call *call, const struct requant_lanes *r, const int32_t *acc, int m,
                        size_t at, size_t cout, int n)
{
    enum requant_way way = requant_way(call->rq, call->residual, r, 1);
    if (n < PANEL)
        REQUANT_BY_WAY(way, store_pixels, call, r, acc, m, at, cout, n, false)
    else
        REQUANT_BY_WAY(way, store_pixels, call, r, acc, m, at, cout, PANEL, true)
}

/* m pixels of four full panels, all 64 channels of one at a time. */
INLINE void store_four(const struct conv_call *call, const struct requant_lanes *r, const int32_t *acc, int m,
                       size_t at, size_t cout, enum requant_way way)
{
    const struct requant_common c = requant_common(call->rq);
    const struct requant_panel p0 = requant_panel(r), p1 = requant_panel(r + 1), p2 = requant_panel(r + 2),
                               p3 = requant_panel(r + 3);
    const size_t next = (size_t)m * PANEL;
    for (int i = 0; i < m; i++, acc += PANEL, at += cout) {
        __m512i codes = way >= WAY_RESIDUAL_FLOATS ? _mm512_loadu_si512(call->residual + at) : _mm512_setzero_si512();
        __m512i x0 = requant16(&c, &p0, _mm512_load_si512(acc), _mm512_castsi512_si128(codes), way);
        __m512i x1 = requant16(&c, &p1, _mm512_load_si512(acc + next), _mm512_extracti32x4_epi32(codes, 1), way);
        __m512i x2 = requant16(&c, &p2, _mm512_load_si512(acc + 2 * next), _mm512_extracti32x4_epi32(codes, 2), way);
        __m512i x3 = requant16(&c, &p3, _mm512_load_si512(acc + 3 * next), _mm512_extracti32x4_epi32(codes, 3), way);
        _mm512_storeu_si512(call->out_u8 + at, requant_codes(&c, x0, x1, x2, x3));
    }
}

/* m pixels of two full panels, two pixels at a time. */
INLINE void store_two(const struct conv_call *call, const struct requant_lanes *r, const int32_t *acc, int m, size_t at,
                      size_t cout, enum requant_way way)
{
    const struct requant_common c = requant_common(call->rq);
    const struct requant_panel p0 = requant_panel(r), p1 = requant_panel(r + 1);
    const size_t next = (size_t)m * PANEL;
    for (int i = 0; i < m; i += 2, acc += 2 * PANEL, at += 2 * cout) {
        size_t second = i + 1 < m; /* the last of an odd number goes through twice */
        __m256i near = _mm256_setzero_si256(), far = near;
        if (way >= WAY_RESIDUAL_FLOATS) {
            near = _mm256_loadu_si256((const __m256i *)(call->residual + at));
            far = _mm256_loadu_si256((const __m256i *)(call->residual + at + cout * second));
        }
        const int32_t *b = acc + PANEL * second;
        __m512i x0 = requant16(&c, &p0, _mm512_load_si512(acc), _mm256_castsi256_si128(near), way);
        __m512i x1 = requant16(&c, &p1, _mm512_load_si512(acc + next), _mm256_extracti128_si256(near, 1), way);
        __m512i x2 = requant16(&c, &p0, _mm512_load_si512(b), _mm256_castsi256_si128(far), way);
        __m512i x3 = requant16(&c, &p1, _mm512_load_si512(b + next), _mm256_extracti128_si256(far, 1), way);
        __m512i y = requant_codes(&c, x0, x1, x2, x3);
        uint8_t *out = call->out_u8 + at;
        _mm256_storeu_si256((__m256i *)(out + cout * second), _mm512_extracti64x4_epi64(y, 1));
        _mm256_storeu_si256((__m256i *)out, _mm512_castsi512_si256(y));
    }
}

/* m pixels of nv full panels as they are. */
static void store_sums(const struct conv_call *call, int nv, const int32_t *acc, int m, size_t at, size_t cout)
{
    for (int v = 0; v < nv; v++) {
        int32_t *out = call->out_s32 + at + v * PANEL;
        for (int i = 0; i < m; i++, acc += PANEL, out += cout)
            _mm512_storeu_si512(out, _mm512_load_si512(acc));
    }
}

static void store_panels(const struct conv_call *call, const struct panel_out *out, int nv, const int32_t *acc, int m,
                         size_t at, size_t cout)
{
    const struct requant_lanes *r = out->requant;
    size_t first = at * cout + (size_t)out->co;
    bool full = out[nv - 1].n == PANEL;
    int done = 0;
    if (full && call->out_s32) {
        store_sums(call, nv, acc, m, first, cout);
        return;
    }
    if (full && nv == 4 && r) {
        REQUANT_BY_WAY(requant_way(call->rq, call->residual, r, 4), store_four, call, r, acc, m, first, cout)
        return;
    }
    if (r && nv > 1 && out[1].n == PANEL) {
        REQUANT_BY_WAY(requant_way(call->rq, call->residual, r, 2), store_two, call, r, acc, m, first, cout)
        done = 2;
    }
    for (out += done, acc += done * m * PANEL; done < nv; done++, out++, acc += m * PANEL)
        panel_store(panel_store_avx512, call, out->requant, acc, m, at * cout + (size_t)out->co, cout, out->co, out->n);
}

static const struct panel_simd avx512 = {.widen = panel_widen_avx2, .unpack = panel_unpack, .store = store_panels};

void panel_run_avx512(const struct panel_kernel *k, const struct conv_geom *g, const struct conv_call *call)
{
    panel_run(&avx512, k, g, call);
}
