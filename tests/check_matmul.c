/* SPDX-License-Identifier: MIT
 *
 * Every row of matmul_kernels[] (and the AVX-512 row compiled to portable code) against sums in 64 bits: all widths,
 * random shapes, extreme values, every output. Buffers end where an unreadable page begins.
 */
#include <check.h>
#include <string.h>

#include "base/rng.h"
#include "kernels/kernels.h"
#include "tests/guard.h"

Suite *check_matmul_suite(void);

#if defined(__x86_64__)
extern const struct matmul_kernel matmul_avx512_simde;
#endif

enum { ROUNDS = 400 };

static const struct matmul_kernel *runnable(int i)
{
#if defined(__x86_64__)
    if (isa_supported(ISA_AVX2) && i-- == 0)
        return &matmul_avx512_simde;
#endif
    for (int k = 0; k < matmul_kernel_count; k++)
        if (isa_supported(matmul_kernels[k]->isa) && i-- == 0)
            return matmul_kernels[k];
    return NULL;
}

static int between(struct rng *r, int lo, int hi)
{
    return lo + (int)rng_below(r, (uint32_t)(hi - lo + 1));
}

static uint8_t *random_codes(struct rng *r, size_t n, int bits)
{
    uint8_t *p = guard_new(n);
    int kind = between(r, 0, 4), top = (1 << bits) - 1;
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(kind == 0 ? top : kind == 1 ? 0 : (int)rng_below(r, (uint32_t)top + 1));
    return p;
}

/* A zero point of a side: any code, or half a code where there are two. */
static void random_side(struct rng *r, int bits, int *mul, int *zero)
{
    bool sign = bits == 1 && between(r, 0, 1);
    *mul = sign ? 2 : 1;
    *zero = sign ? 1 : between(r, 0, (1 << bits) - 1);
}

static int64_t expected(const struct matmul_shape *s, const uint8_t *a, const uint8_t *b, int i, int j)
{
    int64_t sum = 0;
    for (int p = 0; p < s->k; p++)
        sum += (int64_t)(a[i * s->k + p] * s->a_mul - s->a_zero) * (b[p * s->n + j] * s->b_mul - s->b_zero);
    return sum;
}

static void check_outputs(const struct matmul_kernel *k, const struct matmul_shape *s, struct matmul_call call,
                          const uint8_t *b, struct rng *r)
{
    size_t count = (size_t)call.rows * (size_t)s->n;
    int32_t m = between(r, 1, 1 << 30), *out32 = guard_new(count * sizeof *out32);
    int64_t offset = (int64_t)rng_below(r, 1u << 30) << 10;
    int shift = between(r, 20, 50);
    struct requant rq = {.m = &m, .b = &offset, .shift = shift, .left = shift > 32 ? between(r, 0, 8) : 0};
    rq.lo = between(r, 0, 100);
    rq.hi = between(r, rq.lo, 255);
    uint8_t *out8 = guard_new(count);
    float *outf = guard_new(count * sizeof *outf);
    struct matmul_call c = call;
    c.out_s32 = out32;
    k->run(s, &c);
    c = call;
    c.out_u8 = out8;
    c.rq = &rq;
    k->run(s, &c);
    c = call;
    c.out_f32 = outf;
    c.scale = 0.37f;
    k->run(s, &c);
    for (size_t i = 0; i < count; i++) {
        int64_t sum = expected(s, call.a, b, (int)(i / (size_t)s->n), (int)(i % (size_t)s->n));
        __int128 x = ((__int128)sum * m * (1 << rq.left) + offset);
        int64_t code = (int64_t)(x >> rq.shift);
        code = code < rq.lo ? rq.lo : code > rq.hi ? rq.hi : code;
        ck_assert_msg(out32[i] == sum, "%s %dx%dx%d: element %zu is %d, not %lld", k->name, call.rows, s->n, s->k, i,
                      out32[i], (long long)sum);
        ck_assert_msg(out8[i] == code, "%s %dx%dx%d: code %zu is %d, not %lld", k->name, call.rows, s->n, s->k, i,
                      out8[i], (long long)code);
        ck_assert(outf[i] == (float)sum * 0.37f);
    }
    ck_assert(guard_intact(out32) && guard_intact(out8) && guard_intact(outf));
    guard_free(out32);
    guard_free(out8);
    guard_free(outf);
}

static void check_one(const struct matmul_kernel *k, struct rng *r)
{
    int a_bits = between(r, 1, 8), b_bits = between(r, 1, 8);
    struct matmul_shape s = {.n = between(r, 1, 70),
                             .k = between(r, 1, 4) == 1 ? between(r, 1, 300) : between(r, 1, 40)};
    random_side(r, a_bits, &s.a_mul, &s.a_zero);
    random_side(r, b_bits, &s.b_mul, &s.b_zero);
    struct matmul_call call = {.rows = between(r, 1, 19)};
    uint8_t *a = random_codes(r, (size_t)call.rows * (size_t)s.k, a_bits);
    uint8_t *b = random_codes(r, (size_t)s.k * (size_t)s.n, b_bits);
    void *packed = guard_new_aligned(k->packed_size(&s)), *scratch = guard_new_aligned(k->scratch_size(&s) + 1);
    guard_protect(a);
    k->pack(&s, b, packed);
    ck_assert(guard_intact(packed));
    guard_protect(packed);
    call.a = a;
    call.packed = packed;
    call.scratch = scratch;
    check_outputs(k, &s, call, b, r);
    ck_assert(guard_intact(scratch));
    guard_free(a);
    guard_free(b);
    guard_free(packed);
    guard_free(scratch);
}

START_TEST(every_row_is_exact)
{
    for (int i = 0; runnable(i); i++) {
        struct rng r;
        rng_init(&r, 7);
        for (int round = 0; round < ROUNDS; round++)
            check_one(runnable(i), &r);
    }
}
END_TEST

START_TEST(the_best_row_is_enabled)
{
    ck_assert(isa_enabled(matmul_kernel_best()->isa));
}
END_TEST

Suite *check_matmul_suite(void)
{
    Suite *s = suite_create("matmul");
    TCase *c = tcase_create("matmul");
    tcase_set_timeout(c, 120);
    tcase_add_test(c, every_row_is_exact);
    tcase_add_test(c, the_best_row_is_enabled);
    suite_add_tcase(s, c);
    return s;
}
