/* SPDX-License-Identifier: MIT
 *
 * What the Winograd convolutions share: F(2x2,3x3) (Lavin and Gray 2015, arXiv:1509.09308) in exact integers. Private
 * to kernels/.
 *
 * A tile is 2x2 outputs; it reads 4x4 pixels. Both are transformed to 16 positions, (i, j) at index 4 * i + j, and what
 * was a convolution is a matrix product at each position: 16 multiplications for 4 outputs, where taps need 36.
 *     V = B' d B          rows of B': (1 0 -1 0) (0 1 1 0) (0 -1 1 0) (0 1 0 -1)
 *     U = (2G) w (2G)'    rows of 2G: (2 0 0) (1 1 1) (1 -1 1) (0 0 2)
 *     4 * out = A' (sum over channels of U * V) A      rows of A': (1 1 1 0) (0 1 -1 -1)
 * Codes of up to 6 bits give V a width of at most 4 * 63, which an offset (none at position (1,1), where all terms are
 * added, twice the largest code elsewhere) brings into 0..255. Weights whose U stays within 8 signed bits are those of
 * up to 4 bits with levels of at most 14 in magnitude. What the offset adds to outputs is known from the weights and
 * taken off at the start of the sums at positions 0, 3, 12 and 15, of which each belongs to one output of the four.
 *
 * Memory. Packed weights are U: 16 bytes for the 9 weights between two channels, 3.6 times what 4-bit codes take (7.1
 * times 2-bit codes). U is not made from codes in each call: for small pictures that takes longer than it saves.
 *
 * Work is cut into blocks of tiles, such that V and the sums of 32 output channels stay in the cache near the core. In
 * a picture of odd size the last tiles have one row or column of outputs; positions that only the other one needs are
 * left out: i == 3 in the last row, j == 3 in the last column.
 */
#ifndef BITFADER_KERNELS_WINO_H
#define BITFADER_KERNELS_WINO_H

#include <string.h>

#include "kernels/panel.h"

enum {
    WINO_POSITIONS = 16,
    WINO_MAX_GROUP = 2, /* panels whose sums are made together */
    WINO_MAX_TILES = 96 /* of a block */
};

struct wino_plan {
    int pixel;               /* bytes of a pixel in V: cin rounded up to 16, 32 or whole vectors */
    int steps, panels;       /* four input channels a step, at least 4; 16 output channels a panel */
    int tiles_y, tiles_x;    /* of the picture */
    int blocks_y, blocks_x;  /* the picture in blocks */
    int block_y, block_x;    /* tiles of the largest block */
    size_t row_bytes;        /* of one row of pixels that a block reads */
    size_t v_step, y_step;   /* from a position to the next: bytes of V, sums */
    size_t rows_at, rest_at; /* scratch: 4 rows after the vertical transform, pixels of the padding */
    size_t expand_at;        /* scratch: 4 rows with pixels as wide as V's */
    size_t v_at, y_at;       /* scratch: V and sums, [16][tile][..] */
    size_t scratch_bytes;
};

/* A block: tiles from (y, x) on, ny rows of nx. Positions of i == 3 have ny3 rows only, those of j == 3 rows of nx3. */
struct wino_block {
    int y, x, ny, nx, ny3, nx3;
};

/* First bytes of the packed weights. For each group of panels follow starts [4][panels][16] of the sums at positions 0,
 * 3, 12, 15, and U [16][steps][panels][16][4]. */
struct wino_header {
    int32_t window; /* how many steps 16-bit lanes hold without overflow, a lane adding two products of each */
    uint8_t fill[60];
};

/* One call in progress. */
struct wino_pass {
    const struct wino_plan *p;
    const struct conv_geom *g;
    const struct conv_call *call;
    const struct requant_lanes *requant; /* NULL if not used */
    uint8_t *scratch;
    int top;    /* largest code */
    int window; /* of the packed weights */
};

/* struct wino_kernel's down, for a file that does `width` (64 at most) bytes at a time with `piece`. */
static inline __attribute__((always_inline)) void
wino_down(const uint8_t *const rows[4], size_t n, uint8_t *out, size_t step, size_t width,
          void (*piece)(const uint8_t *r0, const uint8_t *r1, const uint8_t *r2, const uint8_t *r3, uint8_t *out,
                        size_t step))
{
    if (n >= width) {
        size_t i = 0, last = n - width;
        for (; i + width <= n; i += width)
            piece(rows[0] + i, rows[1] + i, rows[2] + i, rows[3] + i, out + i, step);
        if (i < n) /* the last vector, some of it again */
            piece(rows[0] + last, rows[1] + last, rows[2] + last, rows[3] + last, out + last, step);
        return;
    }
    uint8_t in[4][64] = {{0}}, x[4][64];
    for (int i = 0; i < 4; i++)
        memcpy(in[i], rows[i], n);
    piece(in[0], in[1], in[2], in[3], x[0], 64);
    for (int i = 0; i < 4; i++)
        memcpy(out + (size_t)i * step, x[i], n);
}

/* What differs between instruction sets. */
struct wino_kernel {
    int group;    /* panels whose sums are made together */
    bool windows; /* whether sums are made in 16-bit lanes first */
    /* The vertical transform of n bytes of four rows, to four rows that are `step` bytes apart. */
    void (*down)(const uint8_t *const rows[4], size_t n, uint8_t *out, size_t step);
    /* The horizontal transform of row y of a block's tiles, from there to V. */
    void (*across)(const struct wino_pass *s, const struct wino_block *b, int y);
    /* The 16 products of a block with nv panels, whose packed weights are here. */
    void (*products)(const struct wino_pass *s, const struct wino_block *b, const char *packed, int nv);
    /* Their sums to outputs. */
    void (*outputs)(const struct wino_pass *s, const struct wino_block *b, int panel, int nv);
};

/* Whether the sums are exact in V of 8 and U of 8 bits: 3x3, one step, one group, and levels and codes that fit. */
bool wino_can(const struct wino_kernel *k, const struct conv_geom *g, int a_bits, const struct conv_weights *w);

/* The bodies of a row's other functions. */
size_t wino_packed_size(const struct wino_kernel *k, const struct conv_geom *g);
void wino_pack(const struct wino_kernel *k, const struct conv_geom *g, int a_bits, const struct conv_weights *w,
               void *packed);
size_t wino_prepared_size(const struct conv_geom *g, int a_bits,
                          const struct conv_weights *w); /* struct requant_lanes of every panel */
void wino_prepare(const struct conv_geom *g, int a_bits, const void *packed, const struct requant *rq, void *prepared);
size_t wino_scratch_size(const struct wino_kernel *k, const struct conv_geom *g);
void wino_run(const struct wino_kernel *k, const struct conv_geom *g, int a_bits, const struct conv_call *call);

/* A row's functions, for a struct wino_kernel of its file. */
#define WINO_FUNCTIONS(kernel)                                                                          \
    static bool can(const struct conv_geom *g, int a_bits, const struct conv_weights *w)                \
    {                                                                                                   \
        return wino_can(&(kernel), g, a_bits, w);                                                       \
    }                                                                                                   \
    static size_t packed_size(const struct conv_geom *g, int a_bits, const struct conv_weights *w)      \
    {                                                                                                   \
        (void)a_bits, (void)w;                                                                          \
        return wino_packed_size(&(kernel), g);                                                          \
    }                                                                                                   \
    static void pack(const struct conv_geom *g, int a_bits, const struct conv_weights *w, void *packed) \
    {                                                                                                   \
        wino_pack(&(kernel), g, a_bits, w, packed);                                                     \
    }                                                                                                   \
    static size_t scratch_size(const struct conv_geom *g, int a_bits, const struct conv_weights *w)     \
    {                                                                                                   \
        (void)a_bits, (void)w;                                                                          \
        return wino_scratch_size(&(kernel), g);                                                         \
    }                                                                                                   \
    static void run(const struct conv_geom *g, int a_bits, const struct conv_call *call)                \
    {                                                                                                   \
        wino_run(&(kernel), g, a_bits, call);                                                           \
    }

#endif
