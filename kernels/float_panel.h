/* SPDX-License-Identifier: MIT
 *
 * The shape of the SIMD convolutions in float: a matrix product that reads its left side from the image. Private to
 * kernels/.
 *
 * Image. The taps of a pixel are visited in runs of neighbouring values (a kernel row if the channels are contiguous,
 * else one tap). Where taps leave the image, it is first copied into scratch with zeros around it. A 1x1 convolution
 * that visits every pixel takes the image as long rows, whatever its width.
 *
 * Blocks. `nv` vectors of output channels make a block: its bias [nv][lanes], then its weights [taps][nv][lanes].
 * Blocks are as wide as the layer's rows let a tile be, which the packed weights say first; what is left over gets
 * narrower ones.
 *
 * Tiles. m neighbouring pixels of a row times one block: what the registers hold.
 *
 * Order. Blocks are the inner loop over chunks of rows that fit the first level cache with their taps.
 */
#ifndef BITFADER_KERNELS_FLOAT_PANEL_H
#define BITFADER_KERNELS_FLOAT_PANEL_H

#include "kernels/float_conv.h"

struct float_tile {
    const float *in;      /* first tap of the first pixel */
    ptrdiff_t step;       /* floats from pixel to pixel */
    const int32_t *runs;  /* [n_runs] offsets in floats */
    int n_runs, run;      /* values of a run */
    const float *weights; /* of a block, its bias first */
    const float *add;     /* NULL, or like out */
    float lo, hi;
    float *out;
    ptrdiff_t out_step; /* floats from pixel to pixel */
    int channels;       /* of the block that exist: 1..nv*lanes */
};

struct float_panel_kernel {
    int lanes;
    int pixels[5]; /* largest m for blocks of [nv] vectors; 0: there are none */
    void (*tile)(int m, int nv, const struct float_tile *t);
};

/* The bodies of a row's functions. */
size_t float_panel_packed_size(const struct float_panel_kernel *k, const struct conv_geom *g);
void float_panel_pack(const struct float_panel_kernel *k, const struct conv_geom *g, const float *weights,
                      const float *bias, void *packed);
size_t float_panel_scratch_size(const struct float_panel_kernel *k, const struct conv_geom *g);
int float_panel_channel_unit(const struct float_panel_kernel *k, const struct conv_geom *g);
void float_panel_run(const struct float_panel_kernel *k, const struct conv_geom *g, const struct float_conv_call *call);

/* What follows from a kernel's `tile(m, nv, t)`, which is inlined, its LANES and the most pixels that it takes with 1,
 * 2 and 4 vectors, PIXELS_1, PIXELS_2, PIXELS_4 (16 at most): the functions of its row. */
#define FLOAT_TILE(m, nv)     \
    case m:                   \
        if (m <= PIXELS_##nv) \
            tile(m, nv, t);   \
        break;
#define FLOAT_TILES(nv) \
    FLOAT_TILE(1, nv)   \
    FLOAT_TILE(2, nv)   \
    FLOAT_TILE(3, nv)   \
    FLOAT_TILE(4, nv)   \
    FLOAT_TILE(5, nv)   \
    FLOAT_TILE(6, nv)   \
    FLOAT_TILE(7, nv)   \
    FLOAT_TILE(8, nv)   \
    FLOAT_TILE(9, nv)   \
    FLOAT_TILE(10, nv)  \
    FLOAT_TILE(11, nv)  \
    FLOAT_TILE(12, nv)  \
    FLOAT_TILE(13, nv)  \
    FLOAT_TILE(14, nv)  \
    FLOAT_TILE(15, nv)  \
    FLOAT_TILE(16, nv)
#define FLOAT_PANEL_FUNCTIONS                                                                          \
    static void tile_1(int m, const struct float_tile *t)                                              \
    {                                                                                                  \
        switch (m) {                                                                                   \
            FLOAT_TILES(1)                                                                             \
        }                                                                                              \
    }                                                                                                  \
    static void tile_2(int m, const struct float_tile *t)                                              \
    {                                                                                                  \
        switch (m) {                                                                                   \
            FLOAT_TILES(2)                                                                             \
        }                                                                                              \
    }                                                                                                  \
    static void tile_4(int m, const struct float_tile *t)                                              \
    {                                                                                                  \
        switch (m) {                                                                                   \
            FLOAT_TILES(4)                                                                             \
        }                                                                                              \
    }                                                                                                  \
    static void tile_m(int m, int nv, const struct float_tile *t)                                      \
    {                                                                                                  \
        (nv == 1 ? tile_1 : nv == 2 ? tile_2 : tile_4)(m, t);                                          \
    }                                                                                                  \
    static const struct float_panel_kernel kernel = {                                                  \
        .lanes = LANES, .pixels = {0, PIXELS_1, PIXELS_2, 0, PIXELS_4}, .tile = tile_m};               \
    static bool can(const struct conv_geom *g)                                                         \
    {                                                                                                  \
        (void)g;                                                                                       \
        return true;                                                                                   \
    }                                                                                                  \
    static size_t packed_size(const struct conv_geom *g)                                               \
    {                                                                                                  \
        return float_panel_packed_size(&kernel, g);                                                    \
    }                                                                                                  \
    static void pack(const struct conv_geom *g, const float *weights, const float *bias, void *packed) \
    {                                                                                                  \
        float_panel_pack(&kernel, g, weights, bias, packed);                                           \
    }                                                                                                  \
    static size_t scratch_size(const struct conv_geom *g)                                              \
    {                                                                                                  \
        return float_panel_scratch_size(&kernel, g);                                                   \
    }                                                                                                  \
    static int channel_unit(const struct conv_geom *g)                                                 \
    {                                                                                                  \
        return float_panel_channel_unit(&kernel, g);                                                   \
    }                                                                                                  \
    static void run(const struct conv_geom *g, const struct float_conv_call *call)                     \
    {                                                                                                  \
        float_panel_run(&kernel, g, call);                                                             \
    }

#endif
