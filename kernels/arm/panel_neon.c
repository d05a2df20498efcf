/* SPDX-License-Identifier: MIT
 *
 * What NEON does around the micro-kernels: the unpacking of a panel and the way from accumulators to outputs.
 */
#include "kernels/arm/panel_neon.h"

#include <arm_neon.h>
#include <string.h>

#include "kernels/scalar.h"

/* --- weights --------------------------------------------------------------------------------------------------------
 */

/* Fields of `width` bits, the i-th of each byte, shifted to bit `low`. */
static inline __attribute__((always_inline)) uint8x16_t fields(const uint8_t *in, int width, int i, int low)
{
    uint8x16_t x = vshlq_u8(vld1q_u8(in), vdupq_n_s8((int8_t)(-i * width)));
    return vshlq_u8(vandq_u8(x, vdupq_n_u8((uint8_t)((1 << width) - 1))), vdupq_n_s8((int8_t)low));
}

/* 16 neighbouring codes of a chunk: the j-th of sixteen vectors. */
static inline __attribute__((always_inline)) uint8x16_t chunk_codes(const uint8_t *in, int bits, int j)
{
    uint8x16_t v = vdupq_n_u8(0);
    int group = j / 2, half = j % 2 * 16; /* a byte's fields are 32 codes apart */
    if (bits & 4) {
        v = fields(in + group / 2 * 32 + half, 4, group % 2, 0);
        in += 128;
    }
    if (bits & 2) {
        v = vorrq_u8(v, fields(in + group / 4 * 32 + half, 2, group % 4, bits & 4));
        in += 64;
    }
    if (bits & 1)
        v = vorrq_u8(v, fields(in + half, 1, group, bits & 6));
    return v;
}

/* Codes to integers: through the table of levels, or less the bias. */
static inline __attribute__((always_inline)) void unpack(const struct panel_header *head, const uint8_t *in, int chunks,
                                                         int bits, int8_t *out)
{
    int8x16_t levels = vld1q_s8(head->levels), bias = vdupq_n_s8((int8_t)(1 << (bits - 1)));
    for (int c = 0; c < chunks; c++, in += 32 * bits)
        for (int j = 0; j < CHUNK / 16; j++, out += 16) {
            uint8x16_t v = chunk_codes(in, bits, j);
            vst1q_s8(out, bits <= 4 ? vqtbl1q_s8(levels, v) : vsubq_s8(vreinterpretq_s8_u8(v), bias));
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

/* Four channels, every second one, before the clamp: sums beyond 32 bits saturate. */
static inline int32x4_t requant4(const struct requant *rq, int32x4_t acc, int32x4_t m, const int64_t *b,
                                 int32x4_t residual)
{
    int32x2_t res_m = vdup_n_s32((int32_t)rq->res_m);
    int64x2_t left = vdupq_n_s64(rq->left), right = vdupq_n_s64(-rq->shift);
    int64x2_t x = vmull_s32(vget_low_s32(acc), vget_low_s32(m)), y = vmull_high_s32(acc, m);
    x = vmlal_s32(x, vget_low_s32(residual), res_m);
    y = vmlal_s32(y, vget_high_s32(residual), res_m);
    x = vshlq_s64(vaddq_s64(vshlq_s64(x, left), vld1q_s64(b)), right);
    y = vshlq_s64(vaddq_s64(vshlq_s64(y, left), vld1q_s64(b + 2)), right);
    return vqmovn_high_s64(vqmovn_s64(x), y);
}

/* Eight channels, from first on. residual: their codes, zeros if there is none. */
static inline int16x8_t requant8(const struct requant *rq, const struct requant_lanes *r, int first, const int32_t *acc,
                                 uint8x8_t residual)
{
    int32x4x2_t x = vld2q_s32(acc + first), m = vld2q_s32(r->m + first);
    int16x8_t wide = vreinterpretq_s16_u16(vmovl_u8(residual));
    int32x4_t l = vmovl_s16(vget_low_s16(wide)), h = vmovl_high_s16(wide);
    int32x4_t even = requant4(rq, x.val[0], m.val[0], r->even + first / 2, vuzp1q_s32(l, h));
    int32x4_t odd = requant4(rq, x.val[1], m.val[1], r->odd + first / 2, vuzp2q_s32(l, h));
    return vqmovn_high_s32(vqmovn_s32(vzip1q_s32(even, odd)), vzip2q_s32(even, odd));
}

/* One pixel of 16 channels to codes: saturation to 16, then to 8 bits gives the clamp to 0..255. */
static inline uint8x16_t requant16(const struct requant *rq, const struct requant_lanes *r, const int32_t *acc,
                                   uint8x16_t residual)
{
    int16x8_t l = requant8(rq, r, 0, acc, vget_low_u8(residual));
    int16x8_t h = requant8(rq, r, 8, acc, vget_high_u8(residual));
    uint8x16_t x = vqmovun_high_s16(vqmovun_s16(l), h);
    return vminq_u8(vmaxq_u8(x, vdupq_n_u8((uint8_t)rq->lo)), vdupq_n_u8((uint8_t)rq->hi));
}

/* One pixel of n < 16 channels. */
static void store_u8_part(const struct conv_call *call, const struct requant_lanes *r, const int32_t *acc, size_t at,
                          int n)
{
    uint8_t codes[PANEL] = {0};
    if (call->residual)
        memcpy(codes, call->residual + at, (size_t)n);
    vst1q_u8(codes, requant16(call->rq, r, acc, vld1q_u8(codes)));
    memcpy(call->out_u8 + at, codes, (size_t)n);
}

static void store_f32(const struct conv_call *call, int co, const int32_t *acc, size_t at)
{
    for (int i = 0; i < PANEL; i += 4) {
        float32x4_t x = vmulq_f32(vcvtq_f32_s32(vld1q_s32(acc + i)), vld1q_f32(call->scale + co + i));
        vst1q_f32(call->out_f32 + at + i, vaddq_f32(x, vld1q_f32(call->bias + co + i)));
    }
}

/* m pixels of one panel; `at` is the first one's element. */
static void store_panel(const struct conv_call *call, const struct requant_lanes *r, const int32_t *acc, int m,
                        size_t at, size_t cout, int co, int n)
{
    for (int i = 0; i < m; i++, acc += PANEL, at += cout) {
        if (r && n == PANEL) {
            uint8x16_t residual = call->residual ? vld1q_u8(call->residual + at) : vdupq_n_u8(0);
            vst1q_u8(call->out_u8 + at, requant16(call->rq, r, acc, residual));
        } else if (r) {
            store_u8_part(call, r, acc, at, n);
        } else if (call->out_s32) {
            memcpy(call->out_s32 + at, acc, (size_t)n * sizeof *acc);
        } else if (call->out_f32 && n == PANEL) {
            store_f32(call, co, acc, at);
        } else {
            for (int c = 0; c < n; c++)
                conv_store(call, at + (size_t)c, co + c, acc[c]);
        }
    }
}

static void store_panels(const struct conv_call *call, const struct panel_out *out, int nv, const int32_t *acc, int m,
                         size_t at, size_t cout)
{
    for (int v = 0; v < nv; v++, out++, acc += m * PANEL)
        store_panel(call, out->requant, acc, m, at * cout + (size_t)out->co, cout, out->co, out->n);
}

static const struct panel_simd neon = {.unpack = panel_unpack, .store = store_panels};

void panel_run_neon(const struct panel_kernel *k, const struct conv_geom *g, const struct conv_call *call)
{
    panel_run(&neon, k, g, call);
}
