/* SPDX-License-Identifier: MIT
 *
 * The face of kernels/: arithmetic on small integer codes. Every function here is pure: no allocation, no error, no
 * thread, no global. The C variant of each kernel is its definition; every other variant gives the same bits.
 *
 * Layout: activations are [height][width][channels] (NHWC, one image), one code of 1..8 bits in a byte. Weights are
 * packed at their width by the kernel's own pack function.
 *
 * Quantities: an activation code q stands for the real value s * (q - z). A weight code c stands for the integer
 * levels[c], times a real scale for each output channel. A convolution accumulates sum(q * levels[c]) in 32 bits over
 * all taps; a tap outside of the image contributes pad_code * levels[c]. Zero points, biases and scales are all folded
 * into the requantization by the caller.
 */
#ifndef BITFADER_KERNELS_KERNELS_H
#define BITFADER_KERNELS_KERNELS_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/isa.h"

/* Sizes of a 2-D convolution of one image; a fully connected layer is 1x1 on a 1x1 image. cin and cout count all
 * groups. A depthwise convolution has groups == cin and cout a multiple of cin. */
struct conv_geom {
    int cin, h, w;
    int cout, kh, kw;
    int stride_h, stride_w;
    int pad_top, pad_left; /* bottom and right follow from oh and ow */
    int dilation_h, dilation_w;
    int groups;
    int oh, ow;
    int a_top; /* no activation's code is above this, nor is padding; 0: 2^a_bits - 1. Not a size, but it goes along
                  with them: ternary activations are 2 bits of which kernels may make use that they end at 2 */
};

/* Weights as quant/ made them, before packing. */
struct conv_weights {
    const uint8_t *codes; /* [cout][kh][kw][cin/groups], each below 1 << bits */
    int bits;             /* 1..8 */
    const int8_t *levels; /* [1 << bits] the integer that each code stands for, -127..127. With more than 4 bits
                             levels[c] == c - (1 << (bits - 1)) and code 0 (-128 at 8 bits) is not used. */
    int block; /* 0 (so far always, in plans), or: so many consecutive values of an output channel (the last may be
                  less) share a scale; a multiple of 32. Only rows with block_scales, only to out_f32. */
    const float *block_scales; /* [cout][blocks of a channel] */
};

/* Fixed-point requantization of a 32-bit accumulator to a code:
 *     out = clamp((((acc * m[c] + r * res_m) << left) + b[c]) >> shift, lo, hi)
 * in 64-bit arithmetic, >> rounding to minus infinity (b holds the half for rounding to nearest), r the code of the
 * residual input if there is one. That no sum reaches 2^62 in magnitude is the caller's duty. 1 <= shift <= 61; SIMD
 * kernels are fast from 32 on, and `left` (0..31) is there to get there when multipliers are large. */
struct requant {
    const int32_t *m; /* [cout] */
    const int64_t *b; /* [cout] */
    int64_t res_m;    /* |res_m| < 2^31 */
    int shift;
    int lo, hi; /* 0 <= lo <= hi <= 255; a fused ReLU or Clip is in here */
    int left;
};

/* The multiplier or offset nearest to x that a float holds exactly (24 bits and an exponent; x of less than 2^31, or
 * 2^62, in magnitude). No nearer one changes what networks compute, and AVX-512 kernels then need half of the
 * instructions; with a residual if every sum of offset and code * multiplier has 24 bits too. */
static inline int32_t requant_multiplier(double x)
{
    return x >= 0x1p31 - 128 ? INT32_MAX - 127 : (int32_t)(float)rint(x);
}

static inline int64_t requant_offset(double x)
{
    return (int64_t)(float)rint(x);
}

/* One call of a convolution. Exactly one of out_u8, out_s32, out_f32 is set. */
struct conv_call {
    const uint8_t *in;    /* [h][w][cin] */
    const void *packed;   /* by pack(), 64-byte aligned */
    const void *prepared; /* by prepare(), 64-byte aligned */
    void *scratch;        /* scratch_size() bytes, 64-byte aligned; contents need not survive between calls */
    uint8_t pad_code;
    uint8_t *out_u8; /* [oh][ow][cout], requantized with rq */
    const struct requant *rq;
    const uint8_t *residual;   /* NULL, or [oh][ow][cout] codes that rq->res_m multiplies (out_u8 only) */
    int32_t *out_s32;          /* [oh][ow][cout] raw accumulators */
    float *out_f32;            /* [oh][ow][cout] (float)acc * scale[c] + bias[c], two roundings, no FMA */
    const float *scale, *bias; /* scale: unused if the weights have block scales: 0 + (float)acc * block_scales[c][b]
                                  for block after block, then + bias[c], every product and every sum rounded */
    int channels[2]; /* the output channels to compute, first and end: multiples of the kernel's channel_unit, or cout.
                        0, 0: all. The others' outputs stay as they are. */
};

/* How a kernel computes: which shapes and widths it is made for. */
enum kernel_family {
    FAMILY_REFERENCE, /* one product at a time */
    FAMILY_DECODE,    /* packed weights decoded to integers, then dot products */
    FAMILY_PLANES,    /* bits of many values in a word: XNOR or AND, and population counts */
    FAMILY_TABLES,    /* codes of several products select their sum from a table */
    FAMILY_WINOGRAD,  /* F(2x2,3x3) in exact integers */
    FAMILY_DEPTHWISE, /* one input channel for each output channel */
    FAMILY_STREAM,    /* matrix times vector, weights read once */
    FAMILY_COUNT
};
const char *kernel_family_name(enum kernel_family f); /* "reference", "decode", "planes", ... */

/* What another width of activations (still one that the row can) changes in what a kernel does. */
enum a_effect {
    A_EFFECT_TIME,   /* run() goes another way */
    A_EFFECT_PACKED, /* only the packed weights, or not even those: from equal ones run() does the same */
    A_EFFECT_NONE    /* nothing */
};

/* A convolution kernel: one row of the table. */
struct conv_kernel {
    const char *name; /* "conv_vnni_avx512", shown to users as what ran */
    enum kernel_family family;
    enum isa isa;
    int w_bits[2], a_bits[2]; /* can() holds for no width outside of these, ends included */
    const char *schemes;      /* of the weights: "any", or what their levels must be like */
    const char *tile;         /* "8x32": outputs that stay in registers, pixels by channels */
    bool block_scales;        /* whether weights may have them: ask conv_kernel_can, which knows */
    enum a_effect a_effect;   /* what is alike need not be timed twice */
    /* Whether this kernel computes this shape at these widths, and is made for such: rows that could, but whose lanes
     * would stay empty or whose preparation would outweigh the work, say no, so that measuring stays short. a_bits
     * 1..8, weights as given (bits and levels; codes may be NULL, for scratch_size too). */
    bool (*can)(const struct conv_geom *g, int a_bits, const struct conv_weights *w);
    size_t (*packed_size)(const struct conv_geom *g, int a_bits, const struct conv_weights *w); /* bytes */
    void (*pack)(const struct conv_geom *g, int a_bits, const struct conv_weights *w, void *packed);
    /* What follows from the shape, the packed weights and the requantization (NULL if the output is not codes) and need
     * not be found anew in each call. Packed weights depend on neither the image's size nor its padding: shapes that
     * differ in those share them. */
    size_t (*prepared_size)(const struct conv_geom *g, int a_bits, const struct conv_weights *w); /* bytes */
    void (*prepare)(const struct conv_geom *g, int a_bits, const void *packed, const struct requant *rq,
                    void *prepared);
    size_t (*scratch_size)(const struct conv_geom *g, int a_bits, const struct conv_weights *w); /* bytes */
    void (*run)(const struct conv_geom *g, int a_bits, const struct conv_call *call);
    int channel_unit; /* a call may be for some channels of a convolution without groups; 0: it may not */
};

/* All convolution kernels, slow to fast: the last enabled one that can is what conv_kernel_find returns, which measures
 * nothing (engine/kernel_times.h does). The table is what tests and benchmarks loop over. The first two rows (general
 * and depthwise C) can do everything. */
extern const struct conv_kernel *const conv_kernels[];
extern const int conv_kernel_count;
/* can(), for weights with block scales too. */
bool conv_kernel_can(const struct conv_kernel *k, const struct conv_geom *g, int a_bits, const struct conv_weights *w);
const struct conv_kernel *conv_kernel_find(const struct conv_geom *g, int a_bits, const struct conv_weights *w);

/* A product of two matrices of codes, [rows][k] x [k][n], as between two activations. A code q of the left stands for
 * the integer q * a_mul - a_zero (times a real scale), one of the right for q * b_mul - b_zero: 1 and an integer zero
 * point, or 2 and 1 for -1, +1. */
struct matmul_shape {
    int n, k;
    int a_mul, a_zero, b_mul, b_zero;
};

/* One call. Exactly one of out_s32, out_u8, out_f32 is set. */
struct matmul_call {
    const uint8_t *a; /* [rows][k] */
    int rows;
    const void *packed; /* by pack(), 64-byte aligned */
    void *scratch;      /* scratch_size() bytes, 64-byte aligned */
    int32_t *out_s32; /* [rows][n] sums of products of those integers: that none leaves 32 bits is the caller's duty */
    uint8_t *out_u8;  /* [rows][n], requantized: m[0] and b[0] of rq for all, no residual */
    const struct requant *rq;
    float *out_f32; /* [rows][n] (float)acc * scale */
    float scale;
};

struct matmul_kernel {
    const char *name;
    enum isa isa;
    size_t (*packed_size)(const struct matmul_shape *s); /* bytes */
    /* b: [k][n] codes. Fast: it runs with every product. */
    void (*pack)(const struct matmul_shape *s, const uint8_t *b, void *packed);
    size_t (*scratch_size)(const struct matmul_shape *s); /* bytes, whatever the number of rows */
    void (*run)(const struct matmul_shape *s, const struct matmul_call *call);
};

/* Slow to fast, C first: the last enabled one is what matmul_kernel_best returns. */
extern const struct matmul_kernel *const matmul_kernels[];
extern const int matmul_kernel_count;
const struct matmul_kernel *matmul_kernel_best(void);

enum float_unary {
    FLOAT_CLAMP,      /* to lo..hi */
    FLOAT_LEAKY,      /* alpha * x below 0 */
    FLOAT_SIGMOID,    /* 1 / (1 + exp(-x)) */
    FLOAT_HARD_SWISH, /* x * clamp(x / 6 + 0.5, 0, 1) */
    FLOAT_EXP
};

/* Elementwise and pooling kernels on codes, and the float kernels around them. One table an instruction set; entries
 * that a set does not improve point to the C function. vec_kernels_best() follows the ISA mask. */
struct vec_kernels {
    const char *name; /* "c", "avx2" */
    enum isa isa;

    /* out = clamp((a * ma + b * mb + c) >> shift, lo, hi) in 32 bits; |ma|, |mb| <= 2^21, |c| <= 2^30, 1 <= shift
     * <= 30. */
    void (*add_u8)(size_t n, const uint8_t *a, const uint8_t *b, int32_t ma, int32_t mb, int32_t c, int shift, int lo,
                   int hi, uint8_t *out);

    /* out[i] = table[in[i]]: every unary operation on codes. */
    void (*lut_u8)(size_t n, const uint8_t *in, const uint8_t table[256], uint8_t *out);

    /* Maximum over a window, taps outside of the image ignored. Geometry as for a depthwise convolution, weights
     * unused. */
    void (*maxpool_u8)(const struct conv_geom *g, const uint8_t *in, uint8_t *out);

    /* Sum over the taps inside of the image, then out = clamp((sum * m[k] + b[k]) >> shift, lo, hi) in 64 bits, where
     * k is the number of those taps (tables of kh*kw + 1 entries): the caller decides what padding counts. */
    void (*avgpool_u8)(const struct conv_geom *g, const uint8_t *in, const int32_t *m, const int64_t *b, int shift,
                       int lo, int hi, uint8_t *out);

    /* code = clamp(rint(x * inv + zero), lo, hi), ties to even, two roundings, NaN gives lo. */
    void (*quantize_f32)(size_t n, const float *x, float inv, float zero, int lo, int hi, uint8_t *out);

    /* x = (code - zero) * scale */
    void (*dequantize_u8)(size_t n, const uint8_t *in, float scale, float zero, float *out);

    /* Rows of a convolution's input matrix: for output pixels first..first+count-1 of group `group`, each row holds
     * [kh][kw][cin/groups] values, zero outside of the image. */
    void (*im2col_f32)(const struct conv_geom *g, int group, int first, int count, const float *in, float *rows);

    /* x[pixels][channels] = clamp(x + bias[channel], lo, hi): what follows a matrix product. */
    void (*bias_clamp_f32)(size_t pixels, size_t channels, const float *bias, float lo, float hi, float *x);

    /* out = clamp(a + b, lo, hi), clamp(a * b, lo, hi) */
    void (*add_f32)(size_t n, const float *a, const float *b, float lo, float hi, float *out);
    void (*mul_f32)(size_t n, const float *a, const float *b, float lo, float hi, float *out);

    /* out[pixels][channels] = clamp(x * scale[channel] + shift[channel], lo, hi), two roundings */
    void (*affine_f32)(size_t pixels, size_t channels, const float *x, const float *scale, const float *shift, float lo,
                       float hi, float *out);

    /* out = f(x) element by element, in place too. Exponentials may differ in the last bits between instruction sets;
     * other functions are the same. */
    void (*unary_f32)(enum float_unary f, size_t n, const float *x, float alpha, float lo, float hi, float *out);

    /* As on codes, over the taps inside of the image: their maximum (-infinity where there are none), and their sum
     * times scale[oh * ow]. */
    void (*maxpool_f32)(const struct conv_geom *g, const float *in, float *out);
    void (*avgpool_f32)(const struct conv_geom *g, const float *in, const float *scale, float *out);

    /* out[j * out_step + i] = in[i * in_step + j] for i < rows, j < columns; out_step >= rows. Elements of out between
     * its rows stay as they are. */
    void (*transpose_f32)(size_t rows, size_t columns, const float *in, size_t in_step, float *out, size_t out_step);
    void (*transpose_u8)(size_t rows, size_t columns, const uint8_t *in, size_t in_step, uint8_t *out, size_t out_step);
};

extern const struct vec_kernels *const vec_kernel_tables[]; /* slow to fast, C first */
extern const int vec_kernel_table_count;
const struct vec_kernels *vec_kernels_best(void);

#endif
