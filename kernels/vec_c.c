/* SPDX-License-Identifier: MIT
 *
 * Elementwise, pooling and float kernels: the definitions.
 */
#include <math.h>
#include <string.h>

#include "kernels/rows.h"
#include "kernels/scalar.h"
#include "kernels/vec_c.h"

static void add_u8(size_t n, const uint8_t *a, const uint8_t *b, int32_t ma, int32_t mb, int32_t c, int shift, int lo,
                   int hi, uint8_t *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)clamp_i64((a[i] * ma + b[i] * mb + c) >> shift, lo, hi);
}

static void lut_u8(size_t n, const uint8_t *in, const uint8_t table[256], uint8_t *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = table[in[i]];
}

/* The input pixel under a tap, NULL outside of the image. */
static const uint8_t *tap_u8(const struct conv_geom *g, const uint8_t *in, int oy, int ox, int tap)
{
    int y = oy * g->stride_h - g->pad_top + tap / g->kw * g->dilation_h;
    int x = ox * g->stride_w - g->pad_left + tap % g->kw * g->dilation_w;
    if (y < 0 || y >= g->h || x < 0 || x >= g->w)
        return NULL;
    return in + ((size_t)y * (size_t)g->w + (size_t)x) * (size_t)g->cin;
}

static void maxpool_u8(const struct conv_geom *g, const uint8_t *in, uint8_t *out)
{
    for (int oy = 0; oy < g->oh; oy++)
        for (int ox = 0; ox < g->ow; ox++, out += g->cin) {
            memset(out, 0, (size_t)g->cin);
            for (int tap = 0; tap < g->kh * g->kw; tap++) {
                const uint8_t *x = tap_u8(g, in, oy, ox, tap);
                for (int c = 0; x && c < g->cin; c++)
                    out[c] = x[c] > out[c] ? x[c] : out[c];
            }
        }
}

static void avgpool_u8(const struct conv_geom *g, const uint8_t *in, const int32_t *m, const int64_t *b, int shift,
                       int lo, int hi, uint8_t *out)
{
    for (int oy = 0; oy < g->oh; oy++)
        for (int ox = 0; ox < g->ow; ox++)
            for (int c = 0; c < g->cin; c++) {
                int64_t sum = 0;
                int k = 0;
                for (int tap = 0; tap < g->kh * g->kw; tap++) {
                    const uint8_t *x = tap_u8(g, in, oy, ox, tap);
                    sum += x ? x[c] : 0;
                    k += x != NULL;
                }
                *out++ = (uint8_t)clamp_i64((sum * m[k] + b[k]) >> shift, lo, hi);
            }
}

static void quantize_f32(size_t n, const float *x, float inv, float zero, int lo, int hi, uint8_t *out)
{
    for (size_t i = 0; i < n; i++) {
        float y = rintf(x[i] * inv + zero);
        out[i] = (uint8_t)(!(y >= (float)lo) ? lo : y > (float)hi ? hi : (int)y);
    }
}

static void dequantize_u8(size_t n, const uint8_t *in, float scale, float zero, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = ((float)in[i] - zero) * scale;
}

/* The float at channel 0 of the pixel under a tap, NULL outside of the image. */
static const float *tap_f32(const struct conv_geom *g, const float *in, int oy, int ox, int ky, int kx)
{
    int y = oy * g->stride_h - g->pad_top + ky * g->dilation_h;
    int x = ox * g->stride_w - g->pad_left + kx * g->dilation_w;
    if (y < 0 || y >= g->h || x < 0 || x >= g->w)
        return NULL;
    return in + ((size_t)y * (size_t)g->w + (size_t)x) * (size_t)g->cin;
}

void im2col_f32_c(const struct conv_geom *g, int group, int first, int count, const float *in, float *rows)
{
    int cg = g->cin / g->groups;
    for (int i = first; i < first + count; i++)
        for (int ky = 0; ky < g->kh; ky++)
            for (int kx = 0; kx < g->kw; kx++, rows += cg) {
                const float *x = tap_f32(g, in, i / g->ow, i % g->ow, ky, kx);
                if (x)
                    memcpy(rows, x + group * cg, (size_t)cg * sizeof *rows);
                else
                    memset(rows, 0, (size_t)cg * sizeof *rows);
            }
}

static void bias_clamp_f32(size_t pixels, size_t channels, const float *bias, float lo, float hi, float *x)
{
    for (size_t i = 0; i < pixels; i++)
        for (size_t c = 0; c < channels; c++, x++) {
            float v = *x + bias[c];
            *x = v < lo ? lo : v > hi ? hi : v;
        }
}

static void add_f32(size_t n, const float *a, const float *b, float lo, float hi, float *out)
{
    for (size_t i = 0; i < n; i++) {
        float v = a[i] + b[i];
        out[i] = v < lo ? lo : v > hi ? hi : v;
    }
}

static void mul_f32(size_t n, const float *a, const float *b, float lo, float hi, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = clamp_f32(a[i] * b[i], lo, hi);
}

static void affine_f32(size_t pixels, size_t channels, const float *x, const float *scale, const float *shift, float lo,
                       float hi, float *out)
{
    for (size_t i = 0; i < pixels; i++)
        for (size_t c = 0; c < channels; c++)
            *out++ = clamp_f32(*x++ * scale[c] + shift[c], lo, hi);
}

void unary_f32_c(enum float_unary f, size_t n, const float *x, float alpha, float lo, float hi, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = unary_one_f32(f, x[i], alpha, lo, hi);
}

void maxpool_f32_c(const struct conv_geom *g, const float *in, float *out)
{
    for (int i = 0; i < g->oh * g->ow; i++, out += g->cin)
        for (int c = 0; c < g->cin; c++) {
            out[c] = -INFINITY;
            for (int tap = 0; tap < g->kh * g->kw; tap++) {
                const float *x = tap_f32(g, in, i / g->ow, i % g->ow, tap / g->kw, tap % g->kw);
                out[c] = x && x[c] > out[c] ? x[c] : out[c];
            }
        }
}

void avgpool_f32_c(const struct conv_geom *g, const float *in, const float *scale, float *out)
{
    for (int i = 0; i < g->oh * g->ow; i++)
        for (int c = 0; c < g->cin; c++) {
            float sum = 0;
            for (int tap = 0; tap < g->kh * g->kw; tap++) {
                const float *x = tap_f32(g, in, i / g->ow, i % g->ow, tap / g->kw, tap % g->kw);
                sum += x ? x[c] : 0;
            }
            *out++ = sum * scale[i];
        }
}

void transpose_f32_c(size_t rows, size_t columns, const float *in, size_t in_step, float *out, size_t out_step)
{
    for (size_t j = 0; j < columns; j++)
        for (size_t i = 0; i < rows; i++)
            out[j * out_step + i] = in[i * in_step + j];
}

void transpose_u8_c(size_t rows, size_t columns, const uint8_t *in, size_t in_step, uint8_t *out, size_t out_step)
{
    for (size_t j = 0; j < columns; j++)
        for (size_t i = 0; i < rows; i++)
            out[j * out_step + i] = in[i * in_step + j];
}

const struct vec_kernels vec_c = {
    "c",          ISA_C,         add_u8,        lut_u8,         maxpool_u8,      avgpool_u8,
    quantize_f32, dequantize_u8, im2col_f32_c,  bias_clamp_f32, add_f32,         mul_f32,
    affine_f32,   unary_f32_c,   maxpool_f32_c, avgpool_f32_c,  transpose_f32_c, transpose_u8_c,
};
