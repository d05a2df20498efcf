/* SPDX-License-Identifier: MIT
 *
 * The product of two matrices of codes with vpdpbusd: four products a column in a step. 8 rows by 16 columns.
 */
#include <string.h>

#include "kernels/rows.h"
#include "kernels/x86/intrin.h"
#include "kernels/x86/matmul_avx2.h"

enum { ROWS = 8, UNIT = 4, STEP_BYTES = MATMUL_PANEL * UNIT, HEAD_BYTES = MATMUL_PANEL * 4 };

/* Packed: for each panel the corrections of its columns, then its steps: [16] times four values of b - 128. */
static size_t panel_size(const struct matmul_shape *s)
{
    return HEAD_BYTES + (size_t)matmul_steps(s, UNIT) * STEP_BYTES;
}

static size_t packed_size(const struct matmul_shape *s)
{
    return (size_t)matmul_panels(s) * panel_size(s);
}

/* 16 values of row p from column j on; 128 where there is none. */
static inline __m128i load_row(const struct matmul_shape *s, const uint8_t *b, int p, int j)
{
    uint8_t part[MATMUL_PANEL];
    const uint8_t *from = part;
    if (p < s->k && s->n - j >= MATMUL_PANEL) {
        from = b + (size_t)p * (size_t)s->n + (size_t)j;
    } else {
        memset(part, 128, sizeof part);
        if (p < s->k)
            memcpy(part, b + (size_t)p * (size_t)s->n + (size_t)j, (size_t)(s->n - j));
    }
    return _mm_loadu_si128((const __m128i *)from);
}

/* Four rows to four values of each of 16 columns. */
static inline void pack_step(const struct matmul_shape *s, const uint8_t *b, int p, int j, char *out)
{
    __m128i r0 = load_row(s, b, p, j), r1 = load_row(s, b, p + 1, j), r2 = load_row(s, b, p + 2, j),
            r3 = load_row(s, b, p + 3, j), sign = _mm_set1_epi8((char)128);
    __m128i low = _mm_unpacklo_epi8(r0, r1), high = _mm_unpackhi_epi8(r0, r1);
    __m128i low2 = _mm_unpacklo_epi8(r2, r3), high2 = _mm_unpackhi_epi8(r2, r3);
    __m128i *to = (__m128i *)out;
    _mm_store_si128(to, _mm_xor_si128(_mm_unpacklo_epi16(low, low2), sign));
    _mm_store_si128(to + 1, _mm_xor_si128(_mm_unpackhi_epi16(low, low2), sign));
    _mm_store_si128(to + 2, _mm_xor_si128(_mm_unpacklo_epi16(high, high2), sign));
    _mm_store_si128(to + 3, _mm_xor_si128(_mm_unpackhi_epi16(high, high2), sign));
}

static void pack(const struct matmul_shape *s, const uint8_t *b, void *packed)
{
    char *out = packed;
    for (int j = 0; j < s->n; j += MATMUL_PANEL) {
        int32_t *head = (int32_t *)out;
        __m512i sum = _mm512_setzero_si512(), ones = _mm512_set1_epi32(0x01010101);
        out += HEAD_BYTES;
        for (int p = 0; p < s->k; p += UNIT, out += STEP_BYTES) {
            pack_step(s, b, p, j, out);
            sum = _mm512_dpbusd_epi32(sum, ones, _mm512_load_si512(out));
        }
        _mm512_store_si512(head, sum);
        for (int i = 0; i < MATMUL_PANEL; i++)
            head[i] = matmul_column(s, head[i]);
    }
}

/* Rows of the left matrix, k rounded up with zeros. */
static size_t row_length(const struct matmul_shape *s)
{
    return (size_t)(s->k + 63) / 64 * 64;
}

static size_t scratch_size(const struct matmul_shape *s)
{
    return ROWS * row_length(s);
}

/* m rows to where they may be read past their ends; sums[] of each row times the row factor. */
static void copy_rows(const struct matmul_shape *s, const uint8_t *a, int m, uint8_t *out, int32_t sums[ROWS])
{
    size_t length = row_length(s), k = (size_t)s->k;
    for (int i = 0; i < m; i++, out += length) {
        uint32_t sum = 0;
        memcpy(out, a + (size_t)i * k, k);
        memset(out + k, 0, length - k);
        for (size_t p = 0; p < k; p++)
            sum += out[p];
        sums[i] = (int32_t)(sum * matmul_row_factor(s));
    }
}

/* The accumulators of row i, named: gcc spills arrays of them. */
#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)

#define START(i)                                                \
    const uint8_t *p##i = a + (size_t)(i < m ? i : 0) * length; \
    __m512i acc##i = _mm512_setzero_si512();
#define STEP(i) \
    if (i < m)  \
        acc##i = _mm512_dpbusd_epi32(acc##i, _mm512_set1_epi32(load4(p##i + at)), w);
#define STORE(i) \
    if (i < m)   \
        _mm512_store_si512(acc + MATMUL_PANEL * i, acc##i);

static inline __attribute__((always_inline)) void tile(int m, int k, const uint8_t *a, size_t length, const char *b,
                                                       int32_t *acc)
{
    EACH_ROW(START)
    for (int at = 0; at < k; at += UNIT, b += STEP_BYTES) {
        __m512i w = _mm512_load_si512(b);
        EACH_ROW(STEP)
    }
    EACH_ROW(STORE)
}

/* One row alone (a vector times a matrix) or eight; what is between is filled up with what eight rows read anyway. */
static void run(const struct matmul_shape *s, const struct matmul_call *call)
{
    int32_t acc[ROWS * MATMUL_PANEL] __attribute__((aligned(64))), sums[ROWS];
    for (int i = 0; i < call->rows; i += ROWS) {
        int m = call->rows - i < ROWS ? call->rows - i : ROWS;
        const char *b = call->packed;
        copy_rows(s, call->a + (size_t)i * (size_t)s->k, m, call->scratch, sums);
        for (int j = 0; j < s->n; j += MATMUL_PANEL, b += panel_size(s)) {
            if (m == 1)
                tile(1, s->k, call->scratch, row_length(s), b + HEAD_BYTES, acc);
            else if (m <= 4)
                tile(4, s->k, call->scratch, row_length(s), b + HEAD_BYTES, acc);
            else
                tile(ROWS, s->k, call->scratch, row_length(s), b + HEAD_BYTES, acc);
            matmul_finish_avx2(s, call, i, j, m, (const int32_t *)b, sums, acc);
        }
    }
}

const struct matmul_kernel matmul_avx512 = {"matmul_vnni_avx512", ISA_AVX512VNNI, packed_size, pack, scratch_size, run};
