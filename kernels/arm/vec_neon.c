/* SPDX-License-Identifier: MIT
 *
 * Elementwise and pooling kernels on codes and the simplest ones on floats, 16 elements at a time; what is left at the
 * end of a row goes to the C function or the same arithmetic in scalar code.
 */
#include <arm_neon.h>
#include <string.h>

#include "kernels/pool_window.h"
#include "kernels/rows.h"
#include "kernels/scalar.h"
#include "kernels/vec_c.h"

/* 16 codes as 32-bit integers. */
static inline int32x4x4_t widen16(const uint8_t *p)
{
    uint8x16_t x = vld1q_u8(p);
    uint16x8_t l = vmovl_u8(vget_low_u8(x)), h = vmovl_high_u8(x);
    return (int32x4x4_t){{vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(l))), vreinterpretq_s32_u32(vmovl_high_u16(l)),
                          vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(h))), vreinterpretq_s32_u32(vmovl_high_u16(h))}};
}

/* 16 integers to codes; saturation first to 16, then to 8 bits makes the clamp to 0..255. */
static inline uint8x16_t codes16(int32x4x4_t x, int lo, int hi)
{
    int16x8_t l = vqmovn_high_s32(vqmovn_s32(x.val[0]), x.val[1]);
    int16x8_t h = vqmovn_high_s32(vqmovn_s32(x.val[2]), x.val[3]);
    uint8x16_t v = vqmovun_high_s16(vqmovun_s16(l), h);
    return vminq_u8(vmaxq_u8(v, vdupq_n_u8((uint8_t)lo)), vdupq_n_u8((uint8_t)hi));
}

/* --- elementwise ----------------------------------------------------------------------------------------------------
 */

static void add_u8(size_t n, const uint8_t *a, const uint8_t *b, int32_t ma, int32_t mb, int32_t c, int shift, int lo,
                   int hi, uint8_t *out)
{
    int32x4_t vc = vdupq_n_s32(c), vs = vdupq_n_s32(-shift);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        int32x4x4_t x = widen16(a + i), y = widen16(b + i);
        for (int k = 0; k < 4; k++)
            x.val[k] = vshlq_s32(vmlaq_n_s32(vmlaq_n_s32(vc, x.val[k], ma), y.val[k], mb), vs);
        vst1q_u8(out + i, codes16(x, lo, hi));
    }
    vec_c.add_u8(n - i, a + i, b + i, ma, mb, c, shift, lo, hi, out + i);
}

static inline uint8x16x4_t table64(const uint8_t *table)
{
    return (uint8x16x4_t){{vld1q_u8(table), vld1q_u8(table + 16), vld1q_u8(table + 32), vld1q_u8(table + 48)}};
}

/* Indices outside of a quarter's 64 entries leave what another quarter gave. */
static void lut_u8(size_t n, const uint8_t *in, const uint8_t table[256], uint8_t *out)
{
    uint8x16x4_t t0 = table64(table), t1 = table64(table + 64), t2 = table64(table + 128), t3 = table64(table + 192);
    uint8x16_t quarter = vdupq_n_u8(64);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        uint8x16_t x = vld1q_u8(in + i), y = vqtbl4q_u8(t0, x);
        x = vsubq_u8(x, quarter);
        y = vqtbx4q_u8(y, t1, x);
        x = vsubq_u8(x, quarter);
        y = vqtbx4q_u8(y, t2, x);
        x = vsubq_u8(x, quarter);
        vst1q_u8(out + i, vqtbx4q_u8(y, t3, x));
    }
    vec_c.lut_u8(n - i, in + i, table, out + i);
}

/* --- pooling --------------------------------------------------------------------------------------------------------
 */

static void max_pixel(const struct window *w, int cin, uint8_t *out)
{
    int c = 0;
    for (; c + 16 <= cin; c += 16) {
        uint8x16_t m = vdupq_n_u8(0);
        for (int i = 0; i < w->rows; i++)
            for (int j = 0; j < w->columns; j++)
                m = vmaxq_u8(m, vld1q_u8(w->first + (size_t)i * w->row + (size_t)j * w->column + c));
        vst1q_u8(out + c, m);
    }
    for (; c < cin; c++) {
        uint8_t m = 0;
        for (int i = 0; i < w->rows; i++)
            for (int j = 0; j < w->columns; j++) {
                uint8_t x = w->first[(size_t)i * w->row + (size_t)j * w->column + (size_t)c];
                m = x > m ? x : m;
            }
        out[c] = m;
    }
}

static void maxpool_u8(const struct conv_geom *g, const uint8_t *in, uint8_t *out)
{
    for (int oy = 0; oy < g->oh; oy++)
        for (int ox = 0; ox < g->ow; ox++, out += g->cin) {
            struct window w = window_at(g, in, oy, ox);
            max_pixel(&w, g->cin, out);
        }
}

/* Sums of n <= 8 channels from c on. */
static void sum_channels(const struct window *w, int c, int n, int32_t sums[8])
{
    uint32x4_t l = vdupq_n_u32(0), h = l;
    memset(sums, 0, 8 * sizeof *sums);
    for (int i = 0; i < w->rows; i++)
        for (int j = 0; j < w->columns; j++) {
            const uint8_t *p = w->first + (size_t)i * w->row + (size_t)j * w->column + c;
            if (n == 8) {
                uint16x8_t x = vmovl_u8(vld1_u8(p));
                l = vaddw_u16(l, vget_low_u16(x));
                h = vaddw_high_u16(h, x);
            } else {
                for (int k = 0; k < n; k++)
                    sums[k] += p[k];
            }
        }
    if (n == 8) {
        vst1q_s32(sums, vreinterpretq_s32_u32(l));
        vst1q_s32(sums + 4, vreinterpretq_s32_u32(h));
    }
}

static void avgpool_u8(const struct conv_geom *g, const uint8_t *in, const int32_t *m, const int64_t *b, int shift,
                       int lo, int hi, uint8_t *out)
{
    for (int oy = 0; oy < g->oh; oy++)
        for (int ox = 0; ox < g->ow; ox++) {
            struct window w = window_at(g, in, oy, ox);
            int taps = w.rows * w.columns;
            for (int c = 0; c < g->cin; c += 8) {
                int32_t sums[8];
                int n = g->cin - c < 8 ? g->cin - c : 8;
                sum_channels(&w, c, n, sums);
                for (int i = 0; i < n; i++)
                    *out++ = (uint8_t)clamp_i64((sums[i] * (int64_t)m[taps] + b[taps]) >> shift, lo, hi);
            }
        }
}

/* --- between codes and floats ---------------------------------------------------------------------------------------
 */

/* Rounds ties to even; the maximum of a number and NaN is the number, so NaN becomes lo. */
static inline int32x4_t quantize4(const float *x, float32x4_t inv, float32x4_t zero, float32x4_t lo, float32x4_t hi)
{
    float32x4_t y = vrndiq_f32(vaddq_f32(vmulq_f32(vld1q_f32(x), inv), zero));
    return vcvtq_s32_f32(vminq_f32(vmaxnmq_f32(y, lo), hi));
}

static void quantize_f32(size_t n, const float *x, float inv, float zero, int lo, int hi, uint8_t *out)
{
    float32x4_t vi = vdupq_n_f32(inv), vz = vdupq_n_f32(zero), vl = vdupq_n_f32((float)lo), vh = vdupq_n_f32((float)hi);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        int32x4x4_t y;
        for (int k = 0; k < 4; k++)
            y.val[k] = quantize4(x + i + 4 * k, vi, vz, vl, vh);
        vst1q_u8(out + i, codes16(y, lo, hi));
    }
    vec_c.quantize_f32(n - i, x + i, inv, zero, lo, hi, out + i);
}

static void dequantize_u8(size_t n, const uint8_t *in, float scale, float zero, float *out)
{
    float32x4_t vs = vdupq_n_f32(scale), vz = vdupq_n_f32(zero);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        int32x4x4_t x = widen16(in + i);
        for (int k = 0; k < 4; k++)
            vst1q_f32(out + i + 4 * k, vmulq_f32(vsubq_f32(vcvtq_f32_s32(x.val[k]), vz), vs));
    }
    vec_c.dequantize_u8(n - i, in + i, scale, zero, out + i);
}

/* --- float ----------------------------------------------------------------------------------------------------------
 */

static inline float32x4_t clamp4(float32x4_t x, float lo, float hi)
{
    return vminq_f32(vmaxq_f32(x, vdupq_n_f32(lo)), vdupq_n_f32(hi));
}

static void bias_clamp_f32(size_t pixels, size_t channels, const float *bias, float lo, float hi, float *x)
{
    for (size_t i = 0; i < pixels; i++, x += channels) {
        size_t c = 0;
        for (; c + 4 <= channels; c += 4)
            vst1q_f32(x + c, clamp4(vaddq_f32(vld1q_f32(x + c), vld1q_f32(bias + c)), lo, hi));
        for (; c < channels; c++)
            x[c] = clamp_f32(x[c] + bias[c], lo, hi);
    }
}

static void add_f32(size_t n, const float *a, const float *b, float lo, float hi, float *out)
{
    size_t i = 0;
    for (; i + 4 <= n; i += 4)
        vst1q_f32(out + i, clamp4(vaddq_f32(vld1q_f32(a + i), vld1q_f32(b + i)), lo, hi));
    vec_c.add_f32(n - i, a + i, b + i, lo, hi, out + i);
}

static void mul_f32(size_t n, const float *a, const float *b, float lo, float hi, float *out)
{
    size_t i = 0;
    for (; i + 4 <= n; i += 4)
        vst1q_f32(out + i, clamp4(vmulq_f32(vld1q_f32(a + i), vld1q_f32(b + i)), lo, hi));
    vec_c.mul_f32(n - i, a + i, b + i, lo, hi, out + i);
}

static void affine_f32(size_t pixels, size_t channels, const float *x, const float *scale, const float *shift, float lo,
                       float hi, float *out)
{
    for (size_t i = 0; i < pixels; i++, x += channels, out += channels) {
        size_t c = 0;
        for (; c + 4 <= channels; c += 4) {
            float32x4_t y = vmulq_f32(vld1q_f32(x + c), vld1q_f32(scale + c));
            vst1q_f32(out + c, clamp4(vaddq_f32(y, vld1q_f32(shift + c)), lo, hi));
        }
        for (; c < channels; c++)
            out[c] = clamp_f32(x[c] * scale[c] + shift[c], lo, hi);
    }
}

const struct vec_kernels vec_neon = {
    "neon",       ISA_NEON,      add_u8,        lut_u8,         maxpool_u8,      avgpool_u8,
    quantize_f32, dequantize_u8, im2col_f32_c,  bias_clamp_f32, add_f32,         mul_f32,
    affine_f32,   unary_f32_c,   maxpool_f32_c, avgpool_f32_c,  transpose_f32_c, transpose_u8_c,
};
