/* SPDX-License-Identifier: MIT
 *
 * Product tables: what the two rows of FAMILY_TABLES share. Private to kernels/.
 *
 * A step is `unit` values of a run. The codes of a step's weights make one byte, those of its activations
 * another; one of the two is an index of at most 6 bits into a table of 64 sums of products, the other selects the
 * table, of at most 256. Indices lie 64 to a vector, so that one byte permute and one addition make 64 * unit products.
 * Which is which is the row's: channels in lanes (indices are weights) or pixels in lanes (indices are activations).
 *
 * Sums. Tables hold signed bytes. A byte lane starts at a bias of its channel and takes `window` steps; with the
 * weights at hand it stays within 0..255 whatever the activations are, which is what chooses window and bias. Then it
 * is added to a 16-bit lane, and 16-bit lanes hold TABLES_WINDOWS windows before they are added to 32 bits.
 *
 * Wide tables. Where weights have at most three levels and activations at most three codes, four digits of base 3 are
 * an index of 7 bits into a table of 128 sums, and four others select one of 81 such tables.
 *
 * Levels are divided by what all of them share, so that -127, 0, 127 is -1, 0, 1. Where one step of all activations at
 * the top could still leave a byte (codebooks with large levels), the rows refuse: two tables for two bytes would need
 * two permutes, which is no faster than an int8 dot product.
 *
 * Image. One byte for each value of the padded image: the codes of this value and of the unit - 1 next to it. So a step
 * may start at any value, and runs need not be multiples of units: the last step of a run uses tables that leave out
 * the values past its end. Where a run is one pixel, the image is compact: one byte for each step. Step i of n has
 * values i, i + n, i + 2n, .., which vectors combine as they are loaded, and 0 for those past the end, which adds
 * nothing whatever the weight.
 *
 * Packed weights: struct tables_header, a bias for each channel, then panels of cells [steps][lanes], each cell the
 * codes of a step in w_bits * unit bits. A call unpacks them to a byte each in its scratch.
 *
 * Prepared: struct tables_plan, and what it has the places of: tables, steps and constants of channels.
 */
#ifndef BITFADER_KERNELS_PRODUCT_TABLES_H
#define BITFADER_KERNELS_PRODUCT_TABLES_H

#include "kernels/kernels.h"
#include "kernels/panel.h"

enum {
    TABLES_LANES = 64,    /* entries of a table, and bytes of a vector */
    TABLES_WINDOWS = 256, /* * 255 < 65535, which stands for a threshold that no sum reaches */
    TABLES_VECTORS = 4,   /* most index vectors of a tile: 4 with wide tables, else 2 */
    TABLES_SELECT = 4,    /* selectors of a tile */
    TABLES_RESIDUALS = 4, /* and residuals of at most 2 bits */
    TABLES_CODES = 3      /* thresholds: outputs of at most 2 bits */
};

struct tables_row {
    bool pixels; /* lanes are pixels */
    int lanes;   /* channels of a panel */
};

struct tables_plan {
    bool pixels; /* of the row */
    int lanes;
    bool wide;                       /* tables of 128 entries */
    int unit, w_bits, a_bits, a_top; /* a_top: the largest code of an activation */
    int index_radix, select_radix;   /* of digits, `unit` of which make an index or select a table */
    int cell_bits;                   /* of a step's weights */
    int tables;                      /* how many there are of them */
    int vectors;                     /* most index vectors of a tile */
    size_t table;                    /* bytes of a table */
    int run, runs, run_steps;        /* values of a run, runs, steps of a run */
    int steps;
    int panels, chunks;     /* panels; 64 cells each of a panel */
    int ih, iw;             /* padded image in pixels */
    int pixel, step;        /* its bytes from one pixel, from one step of a run to the next */
    int step_y, step_x;     /* source pixels to a pixel of it */
    int stride_y, stride_x; /* its pixels to an output pixel */
    int plane_sets;         /* pixels in lanes: one for all runs if rows are shared, else one a run */
    int plane_rows;
    size_t plane_bytes;
    /* scratch */
    size_t image_at, row_at, cells_at, planes_at;
    size_t scratch_bytes;
    /* Prepared: int32_t place in the image, in pixels, of every pixel of a plane, of which output pixels are the first,
     * and then the last one's again up to a multiple of 64; the tables, those of runs' last steps behind the others;
     * struct tables_segment, tables_fix of every 64 channels, requant_lanes of every 16. */
    size_t places_at, tables_at, segments_at, fix_at, requant_at;
    size_t prepared_bytes;
    int segments;                 /* set by tables_prepare(), as what follows: */
    uint8_t gather[TABLES_LANES]; /* to unpack eight cells each: their bytes, */
    uint8_t shifts[TABLES_LANES]; /* and where in these a cell starts */
    uint8_t order[TABLES_LANES];  /* lanes of a panel's channels */
};

struct tables_header {
    int32_t bits;            /* of the weights */
    int32_t window, windows; /* steps of a window; windows of all steps */
    int32_t factor;          /* what levels were divided by */
    int32_t wide;
    int8_t levels[4]; /* of digits, divided */
    uint8_t fill[40];
};

/* Steps at even distances within a window and a run. */
struct tables_segment {
    int32_t tables;    /* bytes from the first table: a run's last step may have its own */
    int32_t index;     /* bytes from the tile's index vectors */
    int32_t select;    /* bytes from each selector's start */
    int32_t steps;     /* at least 1 */
    bool starts, ends; /* a window */
};

/* Constants of 64 channels. Thresholds are the smallest sums, as lanes hold them, that give lo + 1, lo + 2, lo + 3 or,
 * where m < 0, no longer give hi, hi - 1, hi - 2. */
struct tables_fix {
    uint16_t at[TABLES_CODES][TABLES_LANES];
    uint16_t base[TABLES_LANES], step[TABLES_LANES]; /* lo and 1, or hi and -1 */
    /* The same in both halves of 32 bits: to be broadcast as such, which loads do by themselves. */
    uint32_t at_twice[TABLES_CODES][TABLES_LANES];
    uint32_t base_twice[TABLES_LANES], step_twice[TABLES_LANES];
    uint64_t by_residual[TABLES_CODES][TABLES_LANES]; /* `at` of each code of a residual, 16 bits each */
    int32_t bias[TABLES_LANES];                       /* of all windows */
};
enum { TABLES_NEVER = 1 << 30 };

bool tables_can(const struct tables_row *row, const struct conv_geom *g, int a_bits, const struct conv_weights *w);
/* wide: as tables_wide() or the header says. */
void tables_plan_init(struct tables_plan *p, const struct tables_row *row, const struct conv_geom *g, int w_bits,
                      int a_bits, bool wide);
bool tables_wide(const struct conv_geom *g, int a_bits, const struct conv_weights *w);
size_t tables_packed_size(const struct tables_plan *p);
void tables_pack(const struct tables_plan *p, const struct conv_geom *g, const struct conv_weights *w, void *packed);
void tables_prepare(const struct tables_row *row, const struct conv_geom *g, int a_bits, const void *packed,
                    const struct requant *rq, void *prepared);
/* A row's functions about everything but `can` and `run`, for a struct tables_row of its file. */
#define TABLES_FUNCTIONS(row)                                                                                \
    static size_t packed_size(const struct conv_geom *g, int a_bits, const struct conv_weights *w)           \
    {                                                                                                        \
        struct tables_plan p;                                                                                \
        tables_plan_init(&p, &(row), g, w->bits, a_bits, tables_wide(g, a_bits, w));                         \
        return tables_packed_size(&p);                                                                       \
    }                                                                                                        \
    static void pack(const struct conv_geom *g, int a_bits, const struct conv_weights *w, void *packed)      \
    {                                                                                                        \
        struct tables_plan p;                                                                                \
        tables_plan_init(&p, &(row), g, w->bits, a_bits, tables_wide(g, a_bits, w));                         \
        tables_pack(&p, g, w, packed);                                                                       \
    }                                                                                                        \
    static size_t prepared_size(const struct conv_geom *g, int a_bits, const struct conv_weights *w)         \
    {                                                                                                        \
        struct tables_plan p;                                                                                \
        tables_plan_init(&p, &(row), g, w->bits, a_bits, tables_wide(g, a_bits, w));                         \
        return p.prepared_bytes;                                                                             \
    }                                                                                                        \
    static void prepare(const struct conv_geom *g, int a_bits, const void *packed, const struct requant *rq, \
                        void *prepared)                                                                      \
    {                                                                                                        \
        tables_prepare(&(row), g, a_bits, packed, rq, prepared);                                             \
    }                                                                                                        \
    static size_t scratch_size(const struct conv_geom *g, int a_bits, const struct conv_weights *w)          \
    {                                                                                                        \
        struct tables_plan p;                                                                                \
        tables_plan_init(&p, &(row), g, w->bits, a_bits, tables_wide(g, a_bits, w));                         \
        return p.scratch_bytes;                                                                              \
    }

/* The lane of a panel's channel. */
int tables_lane(const struct tables_plan *p, int channel);

/* How many of n segments fill 16-bit sums. */
int tables_era(const struct tables_segment *segments, int n);

/* Index vectors of the next tile where so many are left: one, two or four. */
static inline int tables_vectors(const struct tables_plan *p, int left)
{
    return left >= p->vectors ? p->vectors : left < 2 ? 1 : 2;
}

/* Where a call's panels end. */
static inline int tables_end(const struct tables_plan *p, const struct conv_call *call)
{
    return call->channels[1] ? (call->channels[1] + p->lanes - 1) / p->lanes : p->panels;
}

/* Whether the image has only the bytes that steps start at. */
static inline bool tables_compact(const struct tables_plan *p)
{
    return p->step == 1;
}

/* Pixels in lanes: whether planes are made for one tile after the other, since each is of use to that one alone. */
static inline bool tables_tile_planes(const struct tables_plan *p)
{
    return tables_compact(p) && p->runs == 1;
}

/* Pixels in lanes: bytes from a step's plane to the next one's. */
static inline size_t tables_plane_step(const struct tables_plan *p)
{
    return tables_tile_planes(p) ? (size_t)(p->vectors * TABLES_LANES) : p->plane_bytes;
}

/* Whether the image's pixels are those of the input, in its order. */
static inline bool tables_pixels_follow(const struct tables_plan *p, const struct conv_geom *g)
{
    return g->pad_top == 0 && g->pad_left == 0 && p->step_x == 1 && p->step_y == 1 && p->iw == g->w && p->ih <= g->h;
}

/* Whether runs end with steps of fewer values that have their own tables. */
static inline bool tables_last_differs(const struct tables_plan *p)
{
    return !tables_compact(p) && p->run % p->unit != 0;
}

/* Whether thresholds can stand for the requantization, if residuals are within TABLES_RESIDUALS. */
static inline bool tables_by_threshold(const struct conv_call *call)
{
    return call->out_u8 && call->rq->hi - call->rq->lo <= TABLES_CODES;
}

static inline const struct tables_segment *tables_segments(const struct tables_plan *p)
{
    return (const struct tables_segment *)((const char *)p + p->segments_at);
}

static inline const uint8_t *tables_bias(const void *packed)
{
    return (const uint8_t *)packed + sizeof(struct tables_header);
}

#if defined(__x86_64__)
/* What a micro-kernel works on: nv index vectors times m selectors. */
struct tables_tile {
    bool wide;
    const uint8_t *tables;
    const struct tables_segment *segments;
    int count; /* of them */
    const uint8_t *index;
    size_t index_next, index_step; /* from one index vector to the next, from one step to the next */
    int select_step;
    const uint8_t *select[TABLES_SELECT];
    const uint8_t *bias; /* lanes are channels: a vector for each index vector; pixels: a byte for each selector */
    uint16_t *sums;      /* [nv][m][64], as tables_even() and tables_odd() read them; 64-byte aligned, overwritten */
    size_t sums_next;    /* elements from one index vector's to the next one's */
};

void tables_tile_channels(int m, int nv, const struct tables_tile *t);
void tables_tile_pixels(int m, int nv, const struct tables_tile *t);
/* Parts of scratch, made anew in each call. */
void tables_make_image(const struct tables_plan *p, const struct conv_geom *g, const struct conv_call *call);
/* n pixels of a compact image from their codes [n][cin]. */
void tables_make_pixels(const struct tables_plan *p, const uint8_t *codes, int n, uint8_t *image);
/* A panel's cells, `step` bytes from one vector of them to the next. */
void tables_unpack(const struct tables_plan *p, const void *packed, int panel, uint8_t *cells, size_t step);
#endif

#endif
