/* SPDX-License-Identifier: MIT
 *
 * The shape of the matrix-vector products: one pixel (or a few), weights read once, in the order of memory, decoded in
 * registers. Private to kernels/.
 *
 * Panels. 64 output channels make a panel; the last 48 or less are panels of 32 and 16. A panel holds its blocks (all
 * values of a channel, or those that share a scale) one after the other: the scales of the block, if there are any,
 * then its planes, then the next block.
 *
 * Planes. A step is 8 vectors of 64 weights: vector j holds four neighbouring values of each of 16 channels, those of
 * channels 16 * (j % (width / 16)) on. A plane keeps 1, 2, 3, 4 or 8 bits of each weight, in that many vectors a step:
 *     8 bits      the integers
 *     4, 2, 1     8 / bits weights in a byte, those of consecutive vectors
 *     3           bytes a, b, c: vectors 0..5 are the bits 0..2 and 3..5 of a, b, c; 6 and 7 have their low two bits in
 *                 a and b, their third in bits 6 and 7 of c
 * Wider weights are a plane of 4 bits and one of the rest. The top bit of each byte is inverted: a masked field, taken
 * as a signed byte where it lies, is then (code - bias) << shift, with a bias for the fields that end in that bit.
 *
 * Trits. Three values of the three levels -1, 0, 1 (or others equally apart) make a code of 5 bits; a step is 24
 * vectors of weights, 8 of codes: their low 4 bits as a plane, then their top bits. The code's vector i holds vectors
 * with the same channels, of three consecutive quadruples of values.
 */
#ifndef BITFADER_KERNELS_GEMV_H
#define BITFADER_KERNELS_GEMV_H

#include "kernels/kernels.h"

enum { GEMV_LANES = 16, GEMV_PANEL = 64, GEMV_PIXELS = 4, GEMV_K_MAX = 65536 };

/* First bytes of the packed weights. */
struct gemv_header {
    int32_t bits;        /* 1..8 */
    int32_t trits;       /* 1: the weights are stored as such */
    int32_t block;       /* values that share a scale, 0 if there are no such scales */
    int32_t table;       /* 1: codes go through a table of levels; else level = first + step * code */
    int32_t first;       /* 0 with a table */
    int32_t step;        /* 1 with a table */
    int8_t trits_of[64]; /* the three 2-bit fields of a code of 5 bits, twice */
    int8_t levels[16];   /* with a table: the level of a code, repeated to the end */
    uint8_t fill[24];
};

struct gemv_plan {
    int k, cout, pixels;
    int block, blocks; /* values of a block, blocks of a channel */
    int vectors;       /* of weights in a step: 8 or 24 */
    size_t step_bytes;
    size_t block_stride; /* scratch: bytes from one block's activations to the next's */
    size_t pixel_stride; /* from one pixel's to the next's */
    size_t sums_at;      /* scratch: struct gemv_sums of every pixel's blocks */
    size_t scratch_bytes;
};

/* What has to be added to the sums of a block's panels of 64, 32 and 16 channels, a number for each 16 of them. */
struct gemv_sums {
    int32_t add[3][4];
};

/* Whether the shape is a product of a matrix and a few vectors. */
bool gemv_shape(const struct conv_geom *g);
/* Whether there are no more than three levels, equally apart. */
bool gemv_is_ternary(const struct conv_weights *w);

void gemv_plan_init(struct gemv_plan *p, const struct conv_geom *g, int block, int bits, bool trits);

size_t gemv_packed_size(const struct conv_geom *g, const struct conv_weights *w, bool trits);
void gemv_pack(const struct conv_geom *g, const struct conv_weights *w, bool trits, void *packed);
size_t gemv_prepared_size(const struct conv_geom *g, int a_bits, const struct conv_weights *w);
void gemv_prepare(const struct conv_geom *g, int a_bits, const void *packed, const struct requant *rq, void *prepared);
size_t gemv_scratch_size(const struct conv_geom *g, const struct conv_weights *w, bool trits);

/* 16s of channels in the panel that starts where this many channels are left. */
static inline int gemv_width(int left)
{
    return left > 48 ? 4 : left > 16 ? 2 : 1;
}

/* Its place in struct gemv_sums. */
static inline int gemv_kind(int width)
{
    return width == 4 ? 0 : 2 - width / 2;
}

/* Steps of a panel of this width for n values. */
static inline int gemv_steps(const struct gemv_plan *p, int width, int n)
{
    int unit = 4 * p->vectors / width;
    return (n + unit - 1) / unit;
}

static inline int gemv_block_values(const struct gemv_plan *p, int block)
{
    int left = p->k - block * p->block;
    return left < p->block ? left : p->block;
}

static inline size_t gemv_panel_bytes(const struct gemv_plan *p, int width, int block)
{
    int whole = gemv_steps(p, width, p->block) * (p->blocks - 1);
    size_t steps = (size_t)(whole + gemv_steps(p, width, gemv_block_values(p, p->blocks - 1)));
    return steps * p->step_bytes + (block ? (size_t)(p->blocks * width) * GEMV_LANES * sizeof(float) : 0);
}

/* Bits of the planes of weights of this many bits; the second may be 0. */
static inline int gemv_plane(int bits, int i)
{
    int first = bits == 8 ? 8 : bits > 4 ? 4 : bits;
    return i == 0 ? first : bits - first;
}

/* The bias of a plane's vector j. */
static inline int gemv_bias(int plane, int j)
{
    switch (plane) {
    case 1:
        return j == 7;
    case 2:
        return j % 4 == 3 ? 2 : 0;
    case 3:
        return j == 6 ? 2 : j == 7 ? 6 : 0;
    case 4:
        return j % 2 == 1 ? 8 : 0;
    default:
        return 0;
    }
}

#if defined(__x86_64__)
/* The sums of code * activation of one block of a panel: w points at its planes, width as by gemv_width. */
typedef void gemv_dot(const struct gemv_header *head, int width, int steps, const uint8_t *w, const uint8_t *act,
                      int32_t *sum);
/* A whole call. Needs AVX-512 VNNI. */
void gemv_run_avx512(const struct conv_geom *g, const struct conv_call *call, gemv_dot *dot);
#endif

#endif
