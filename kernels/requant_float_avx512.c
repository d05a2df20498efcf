/* SPDX-License-Identifier: MIT */
#include "kernels/requant_float_avx512.h"

#include <math.h>

#include "kernels/scalar.h"

enum { EXACT = 1 << 24, SHIFT_MAX = 53, CODES = 256 };

/* Sums at which codes change, 16 at a time, and what float makes of them. */
static bool all_at_least(const struct requant_floats *f, int lane, const int32_t *sums, const int32_t *codes, int n,
                         bool at_least)
{
    __m512 high = _mm512_set1_ps(f->high[lane]), low = _mm512_set1_ps(f->low[lane]);
    __m512 add = _mm512_set1_ps(f->add[lane]);
    __m512i start = _mm512_set1_epi32(f->start[lane]);
    for (int i = 0; i < n; i += 16) {
        __m512i got = requant_float16(_mm512_add_epi32(_mm512_loadu_si512(sums + i), start), high, low, add);
        __mmask16 lanes = (__mmask16)(n - i < 16 ? (1 << (n - i)) - 1 : 0xFFFF);
        __mmask16 less = _mm512_mask_cmplt_epi32_mask(lanes, got, _mm512_loadu_si512(codes + i));
        if (less != (at_least ? 0 : lanes))
            return false;
    }
    return true;
}

static int64_t divide_up(int64_t a, int64_t b)
{
    return a / b + (a % b > 0);
}

/* m: the multiplier, with its shift to the left. */
static bool steps_agree(const struct requant_floats *f, int lane, const struct requant *rq, int64_t m, int64_t b,
                        int32_t most)
{
    int32_t sums[2][CODES], codes[2][CODES];
    int n[2] = {0, 0}, sign = m < 0 ? -1 : 1;
    for (int k = rq->lo + 1; k <= rq->hi; k++) {
        /* the first sum with at least this code, in the direction that codes grow */
        int64_t first = divide_up(k * (INT64_C(1) << rq->shift) - b, sign * m);
        if (first <= most) {
            sums[0][n[0]] = sign * (int32_t)(first < -most ? -most : first);
            codes[0][n[0]++] = k;
        }
        if (first > -most) {
            sums[1][n[1]] = sign * (int32_t)(first > most ? most : first - 1);
            codes[1][n[1]++] = k;
        }
    }
    return all_at_least(f, lane, sums[0], codes[0], n[0], true) &&
           all_at_least(f, lane, sums[1], codes[1], n[1], false);
}

static void set(struct requant_floats *f, int lane, int64_t start, double high, double low, double add)
{
    f->start[lane] = (int32_t)start;
    f->high[lane] = (float)high;
    f->low[lane] = (float)low;
    f->add[lane] = (float)add;
}

bool requant_floats_init(struct requant_floats *f, int lane, const struct requant *rq, int c, int32_t most)
{
    int64_t m = rq->m[c] * (INT64_C(1) << rq->left), b = rq->b[c];
    if (m == 0) {
        set(f, lane, 0, 0, 0, (double)clamp_i64(b >> rq->shift, rq->lo, rq->hi));
        return true;
    }
    double high = ldexp((double)m, -rq->shift), all = ldexp((double)b, -rq->shift);
    set(f, lane, 0, 0, 0, 0);
    if (rq->shift > SHIFT_MAX || fabs(high) > 32 || fabs(high) < 1e-30 || fabs(all) > 1 << 30)
        return false;
    int64_t start = b / m;
    if (start >= most - EXACT && start <= EXACT - most) {
        /* The inner sum is less than two steps, and rounded by a small part of one: both terms' sum is monotonous. */
        set(f, lane, start, high, high - (double)(float)high, ldexp((double)(b - start * m), -rq->shift));
        if (steps_agree(f, lane, rq, m, b, most))
            return true;
    }
    /* A channel whose sums hardly move the code: its offset as it is. */
    set(f, lane, 0, high, 0, all);
    return steps_agree(f, lane, rq, m, b, most);
}
