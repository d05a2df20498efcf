/* SPDX-License-Identifier: MIT
 *
 * The product of two matrices of codes: the definition of every other one.
 */
#include <string.h>

#include "kernels/matmul.h"
#include "kernels/rows.h"

static size_t packed_size(const struct matmul_shape *s)
{
    return (size_t)s->k * (size_t)s->n;
}

static void pack(const struct matmul_shape *s, const uint8_t *b, void *packed)
{
    memcpy(packed, b, packed_size(s));
}

static size_t scratch_size(const struct matmul_shape *s)
{
    (void)s;
    return 0;
}

static void run(const struct matmul_shape *s, const struct matmul_call *call)
{
    const uint8_t *b = call->packed;
    for (int i = 0; i < call->rows; i++)
        for (int j = 0; j < s->n; j++) {
            int32_t acc = 0;
            for (int p = 0; p < s->k; p++)
                acc += (call->a[(size_t)i * (size_t)s->k + (size_t)p] * s->a_mul - s->a_zero) *
                       (b[(size_t)p * (size_t)s->n + (size_t)j] * s->b_mul - s->b_zero);
            matmul_store(call, (size_t)i * (size_t)s->n + (size_t)j, acc);
        }
}

const struct matmul_kernel matmul_c = {"matmul_c", ISA_C, packed_size, pack, scratch_size, run};
