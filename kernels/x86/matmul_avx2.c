/* SPDX-License-Identifier: MIT
 *
 * The product of two matrices of codes in 16-bit operands, two products to a 32-bit lane: exact at every width. 4 rows
 * by 16 columns.
 */
#include <string.h>

#include "kernels/rows.h"
#include "kernels/x86/intrin.h"
#include "kernels/x86/matmul_avx2.h"

enum { ROWS = 4, UNIT = 2 };

/* Packed: for each panel the corrections of its columns, then its steps: [16] pairs of b - 128 as 16 bits. */
enum { STEP_BYTES = MATMUL_PANEL * UNIT * 2, HEAD_BYTES = MATMUL_PANEL * 4 };

static size_t panel_size(const struct matmul_shape *s)
{
    return HEAD_BYTES + (size_t)matmul_steps(s, UNIT) * STEP_BYTES;
}

static size_t packed_size(const struct matmul_shape *s)
{
    return (size_t)matmul_panels(s) * panel_size(s);
}

/* 16 values of row p from column j on, less 128; 0 where there is none. */
static inline __m256i load_row(const struct matmul_shape *s, const uint8_t *b, int p, int j)
{
    if (p >= s->k)
        return _mm256_setzero_si256();
    const uint8_t *from = b + (size_t)p * (size_t)s->n + (size_t)j;
    uint8_t part[MATMUL_PANEL];
    if (s->n - j < MATMUL_PANEL) {
        memset(part, 128, sizeof part);
        memcpy(part, from, (size_t)(s->n - j));
        from = part;
    }
    __m256i x = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)from));
    return _mm256_sub_epi16(x, _mm256_set1_epi16(128));
}

static void pack(const struct matmul_shape *s, const uint8_t *b, void *packed)
{
    char *out = packed;
    for (int j = 0; j < s->n; j += MATMUL_PANEL) {
        int32_t *head = (int32_t *)out;
        __m256i sum0 = _mm256_setzero_si256(), sum1 = sum0, one = _mm256_set1_epi16(1);
        out += HEAD_BYTES;
        for (int p = 0; p < s->k; p += UNIT, out += STEP_BYTES) {
            __m256i even = load_row(s, b, p, j), odd = load_row(s, b, p + 1, j);
            __m256i low = _mm256_unpacklo_epi16(even, odd), high = _mm256_unpackhi_epi16(even, odd);
            __m256i x = _mm256_permute2x128_si256(low, high, 0x20), y = _mm256_permute2x128_si256(low, high, 0x31);
            _mm256_store_si256((__m256i *)out, x);
            _mm256_store_si256((__m256i *)out + 1, y);
            sum0 = _mm256_add_epi32(sum0, _mm256_madd_epi16(x, one));
            sum1 = _mm256_add_epi32(sum1, _mm256_madd_epi16(y, one));
        }
        _mm256_store_si256((__m256i *)head, sum0);
        _mm256_store_si256((__m256i *)head + 1, sum1);
        for (int i = 0; i < MATMUL_PANEL; i++)
            head[i] = matmul_column(s, head[i]);
    }
}

/* Rows of the left matrix as 16 bits, k rounded up. */
static size_t row_length(const struct matmul_shape *s)
{
    return (size_t)(s->k + 15) / 16 * 16;
}

static size_t scratch_size(const struct matmul_shape *s)
{
    return ROWS * row_length(s) * sizeof(int16_t);
}

/* m rows of codes to 16 bits; sums[] of each row times the row factor. */
static void widen_rows(const struct matmul_shape *s, const uint8_t *a, int m, int16_t *out, int32_t sums[ROWS])
{
    size_t length = row_length(s);
    for (int i = 0; i < m; i++, out += length) {
        const uint8_t *row = a + (size_t)i * (size_t)s->k;
        uint32_t sum = 0;
        size_t p = 0, k = (size_t)s->k;
        for (; p + 16 <= k; p += 16)
            _mm256_store_si256((__m256i *)(out + p), _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(row + p))));
        for (; p < length; p++)
            out[p] = p < k ? row[p] : 0;
        for (p = 0; p < k; p++)
            sum += row[p];
        sums[i] = (int32_t)(sum * matmul_row_factor(s));
    }
}

static inline int32_t load_pair(const int16_t *p)
{
    int32_t x;
    memcpy(&x, p, sizeof x);
    return x;
}

/* The accumulators of row i, named: gcc spills arrays of them. */
#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3)

#define START(i)                                                \
    const int16_t *p##i = a + (size_t)(i < m ? i : 0) * length; \
    __m256i l##i = _mm256_setzero_si256(), h##i = l##i;
#define STEP(i)                                                          \
    if (i < m) {                                                         \
        __m256i pair = _mm256_set1_epi32(load_pair(p##i + UNIT * step)); \
        l##i = _mm256_add_epi32(l##i, _mm256_madd_epi16(pair, x));       \
        h##i = _mm256_add_epi32(h##i, _mm256_madd_epi16(pair, y));       \
    }
#define STORE(i)                                                           \
    if (i < m) {                                                           \
        _mm256_store_si256((__m256i *)(acc + MATMUL_PANEL * i), l##i);     \
        _mm256_store_si256((__m256i *)(acc + MATMUL_PANEL * i + 8), h##i); \
    }

/* acc[m][16] of one panel */
static inline __attribute__((always_inline)) void tile(int m, int steps, const int16_t *a, size_t length, const char *b,
                                                       int32_t *acc)
{
    EACH_ROW(START)
    for (int step = 0; step < steps; step++, b += STEP_BYTES) {
        __m256i x = _mm256_load_si256((const __m256i *)b), y = _mm256_load_si256((const __m256i *)b + 1);
        EACH_ROW(STEP)
    }
    EACH_ROW(STORE)
}

static void tile_rows(int m, int steps, const int16_t *a, size_t length, const char *b, int32_t *acc)
{
    switch (m) {
    case 1:
        tile(1, steps, a, length, b, acc);
        break;
    case 2:
        tile(2, steps, a, length, b, acc);
        break;
    case 3:
        tile(3, steps, a, length, b, acc);
        break;
    default:
        tile(ROWS, steps, a, length, b, acc);
    }
}

static void run(const struct matmul_shape *s, const struct matmul_call *call)
{
    int32_t acc[ROWS * MATMUL_PANEL] __attribute__((aligned(64))), sums[ROWS];
    int steps = matmul_steps(s, UNIT);
    for (int i = 0; i < call->rows; i += ROWS) {
        int m = call->rows - i < ROWS ? call->rows - i : ROWS;
        const char *b = call->packed;
        widen_rows(s, call->a + (size_t)i * (size_t)s->k, m, call->scratch, sums);
        for (int j = 0; j < s->n; j += MATMUL_PANEL, b += panel_size(s)) {
            tile_rows(m, steps, call->scratch, row_length(s), b + HEAD_BYTES, acc);
            matmul_finish_avx2(s, call, i, j, m, (const int32_t *)b, sums, acc);
        }
    }
}

const struct matmul_kernel matmul_avx2 = {"matmul_madd16_avx2", ISA_AVX2, packed_size, pack, scratch_size, run};

/* --- outputs, also of the AVX-512 variant ----------------------------------------------------------------------------
 */

/* Eight sums to eight codes before the clamp, as in panel_avx2.c: shifts of 32 and more are the upper half's. */
static inline __m256i requant8(__m256i x, const struct requant *rq)
{
    __m256i m = _mm256_set1_epi32(rq->m[0]), b = _mm256_set1_epi64x(rq->b[0]);
    __m128i left = _mm_cvtsi32_si128(rq->left);
    __m256i even = _mm256_add_epi64(_mm256_sll_epi64(_mm256_mul_epi32(x, m), left), b);
    __m256i odd = _mm256_add_epi64(_mm256_sll_epi64(_mm256_mul_epi32(_mm256_srli_epi64(x, 32), m), left), b);
    __m256i upper = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
    return _mm256_sra_epi32(upper, _mm_cvtsi32_si128(rq->shift - 32));
}

static inline void store_codes(const struct requant *rq, __m256i low, __m256i high, uint8_t *out)
{
    __m256i x = _mm256_packs_epi32(requant8(low, rq), requant8(high, rq));
    x = _mm256_permute4x64_epi64(_mm256_packus_epi16(x, x), 0x08);
    x = _mm256_shuffle_epi32(x, 0xd8); /* 0-3, 8-11, 4-7, 12-15: in order */
    __m128i codes = _mm_max_epu8(_mm256_castsi256_si128(x), _mm_set1_epi8((char)rq->lo));
    _mm_storeu_si128((__m128i *)out, _mm_min_epu8(codes, _mm_set1_epi8((char)rq->hi)));
}

void matmul_finish_avx2(const struct matmul_shape *s, const struct matmul_call *call, int row, int column, int m,
                        const int32_t *columns, const int32_t *sums, const int32_t *acc)
{
    __m256i factor = _mm256_set1_epi32((int32_t)matmul_product_factor(s));
    __m256i c0 = _mm256_load_si256((const __m256i *)columns), c1 = _mm256_load_si256((const __m256i *)columns + 1);
    bool whole = s->n - column >= MATMUL_PANEL;
    int n = whole ? MATMUL_PANEL : s->n - column;
    for (int i = 0; i < m; i++) {
        size_t at = (size_t)(row + i) * (size_t)s->n + (size_t)column;
        __m256i low = _mm256_load_si256((const __m256i *)(acc + MATMUL_PANEL * i)), sum = _mm256_set1_epi32(sums[i]);
        __m256i high = _mm256_load_si256((const __m256i *)(acc + MATMUL_PANEL * i + 8));
        low = _mm256_add_epi32(_mm256_mullo_epi32(low, factor), _mm256_add_epi32(c0, sum));
        high = _mm256_add_epi32(_mm256_mullo_epi32(high, factor), _mm256_add_epi32(c1, sum));
        if (whole && call->out_u8 && call->rq->shift >= 32) {
            store_codes(call->rq, low, high, call->out_u8 + at);
        } else if (whole && call->out_f32) {
            __m256 scale = _mm256_set1_ps(call->scale);
            _mm256_storeu_ps(call->out_f32 + at, _mm256_mul_ps(_mm256_cvtepi32_ps(low), scale));
            _mm256_storeu_ps(call->out_f32 + at + 8, _mm256_mul_ps(_mm256_cvtepi32_ps(high), scale));
        } else {
            int32_t part[MATMUL_PANEL] __attribute__((aligned(32)));
            _mm256_store_si256((__m256i *)part, low);
            _mm256_store_si256((__m256i *)part + 1, high);
            for (int j = 0; j < n; j++)
                matmul_store(call, at + (size_t)j, part[j]);
        }
    }
}
