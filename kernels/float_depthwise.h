/* SPDX-License-Identifier: MIT
 *
 * The shape of the SIMD depthwise convolutions in float: rows of output pixels, each a block of channels at a time, in
 * tiles of pixels. Where at most one tap of the first and of the last pixel of a row leaves the image, tiles leave
 * those out; else the pixels at the sides are tiles of their own, with the taps that are inside. Wide images are cut
 * into strips whose rows stay in the first level cache until the last kernel row has passed. Private to kernels/.
 *
 * Packed: bias [channels], then weights [kh][kw][channels], the channels rounded up to whole vectors.
 */
#ifndef BITFADER_KERNELS_FLOAT_DEPTHWISE_H
#define BITFADER_KERNELS_FLOAT_DEPTHWISE_H

#include "kernels/float_conv.h"

struct depthwise_tile {
    const float *in;         /* first tap of the first pixel */
    ptrdiff_t step;          /* floats from pixel to pixel */
    ptrdiff_t across, down;  /* from tap to tap, from one row of taps to the next */
    int kw, kh;              /* taps that are inside of the image */
    bool slide;              /* kw is 3 and across == step */
    bool left, right;        /* the first pixel's first tap, the last one's last tap are outside of the image */
    const float *weights;    /* of the first of these taps */
    ptrdiff_t tap, tap_row;  /* floats from tap to tap, from row to row */
    const float *bias, *add; /* add: NULL, or like out */
    float lo, hi;
    float *out;
    ptrdiff_t out_step;
    int channels; /* 1..lanes */
};

struct depthwise_kernel {
    int lanes, pixels; /* pixels: largest m */
    void (*tile)(int m, const struct depthwise_tile *t);
};

/* The bodies of a row's functions. */
bool depthwise_can(const struct conv_geom *g);
size_t depthwise_packed_size(const struct depthwise_kernel *k, const struct conv_geom *g);
void depthwise_pack(const struct depthwise_kernel *k, const struct conv_geom *g, const float *weights,
                    const float *bias, void *packed);
size_t depthwise_scratch_size(const struct conv_geom *g);
void depthwise_run(const struct depthwise_kernel *k, const struct conv_geom *g, const struct float_conv_call *call);

/* What follows from a kernel's `tile(m, slide, whole, t)`, which is inlined, with tiles of up to 8 pixels, its LANES
 * and PIXELS: the functions of its row. */
#define DEPTHWISE_TILE(m, slide, whole) \
    case m:                             \
        tile(m, slide, whole, t);       \
        break;
#define DEPTHWISE_TILES(slide, whole) \
    DEPTHWISE_TILE(1, slide, whole)   \
    DEPTHWISE_TILE(2, slide, whole)   \
    DEPTHWISE_TILE(3, slide, whole)   \
    DEPTHWISE_TILE(4, slide, whole)   \
    DEPTHWISE_TILE(5, slide, whole)   \
    DEPTHWISE_TILE(6, slide, whole)   \
    DEPTHWISE_TILE(7, slide, whole)   \
    DEPTHWISE_TILE(8, slide, whole)
#define DEPTHWISE_FUNCTIONS                                                                            \
    static void tile_slide(int m, const struct depthwise_tile *t)                                      \
    {                                                                                                  \
        switch (m) {                                                                                   \
            DEPTHWISE_TILES(true, true)                                                                \
        }                                                                                              \
    }                                                                                                  \
    static void tile_step(int m, const struct depthwise_tile *t)                                       \
    {                                                                                                  \
        switch (m) {                                                                                   \
            DEPTHWISE_TILES(false, true)                                                               \
        }                                                                                              \
    }                                                                                                  \
    static void tile_part(int m, const struct depthwise_tile *t)                                       \
    {                                                                                                  \
        switch (m) {                                                                                   \
            DEPTHWISE_TILES(false, false)                                                              \
        }                                                                                              \
    }                                                                                                  \
    static void tile_m(int m, const struct depthwise_tile *t)                                          \
    {                                                                                                  \
        (t->channels < LANES ? tile_part : t->slide ? tile_slide : tile_step)(m, t);                   \
    }                                                                                                  \
    static const struct depthwise_kernel kernel = {LANES, PIXELS, tile_m};                             \
    static size_t packed_size(const struct conv_geom *g)                                               \
    {                                                                                                  \
        return depthwise_packed_size(&kernel, g);                                                      \
    }                                                                                                  \
    static void pack(const struct conv_geom *g, const float *weights, const float *bias, void *packed) \
    {                                                                                                  \
        depthwise_pack(&kernel, g, weights, bias, packed);                                             \
    }                                                                                                  \
    static void run(const struct conv_geom *g, const struct float_conv_call *call)                     \
    {                                                                                                  \
        depthwise_run(&kernel, g, call);                                                               \
    }

#endif
