/* SPDX-License-Identifier: MIT
 *
 * Convolution by bit planes: what AND or XOR and population counts share with neither image nor weights larger than
 * they are. Private to kernels/.
 *
 * Sums. With activations q = sum of 2^i q_i and weight codes sum of 2^j w_j, two ways to a sum of products whose
 * levels are l0 + step * code:
 *     XOR  l0 + step * code = h * sum of 2^j (2 w_j - 1), such as -1 and +1, or -3, -1, 1, 3. Each product of planes is
 *          then |w_j| - |q_i ^ w_j|, of which the first is a constant of the channel.
 *     AND  step * sum of 2^j |q_i & w_j|; and l0 * sum of q besides, unless some level is 0: then the bits that its
 *          code has set are stored inverted and their planes count as negative, so that l0 becomes 0.
 * So only levels that are neither symmetric nor have a 0 need the sum of a pixel's activations.
 *
 * Image. Made in scratch in each call, with the padding around it: planes one after another, a pixel of a plane the
 * bits of its channels, each group's from a new byte on, filled with 0. Where neighbouring pixels lie side by side in
 * the taps too, a row of the kernel is one run of bits.
 *
 * Steps. The runs in words of 32 bits: first the words that are whole in all runs, then the last ones, which are not;
 * there the image's bits belong to other pixels, and a mask takes them off (XOR; AND has zeros in the weights). A word
 * of a channel fills a lane: 16 channels, a panel, are a vector of 512 bits, and sums come out as panel_store takes
 * them.
 *
 * Weights. [panel][plane][step][16] words.
 *
 * Carries. Of one plane by one plane in the XOR form, a pair of words and the parity of those before are three bits of
 * the same weight in each place: a full adder makes them one bit carried, of twice the weight, and the parity. That is
 * the parity of the image's words and of the weights', so both are made once instead of in each product: the second
 * word of each pair is replaced by the parity of all words up to it, in the weights those of the channel, in the image
 * those since its beginning. Twice the bits carried and those of the last parity are the sum of all products and of
 * the parity in front of the first.
 */
#ifndef BITFADER_KERNELS_PLANES_H
#define BITFADER_KERNELS_PLANES_H

#include "kernels/panel.h"

enum {
    PLANES_MAX_BITS = 4,
    PLANES_MAX_TILE = 16,
    PLANES_MAX_GROUP = 2,
    PLANES_MAX_STEPS_UP = 3,
    PLANES_SLACK = 64,
    PLANES_LEAD = 64
};

/* Of a pair of words with carries, the parity. */
#define PLANES_PARITY UINT64_C(0xffffffff00000000)

struct planes_plan {
    int halves;                     /* 2: the nibbles of a plane's bytes are planes of their own */
    int cg, og;                     /* channels of a group in and out */
    int groups, panels;             /* groups, panels in a group */
    int cell, pixel;                /* bytes of a group's channels, of a pixel, in a plane */
    int run, runs;                  /* bytes of a run, runs */
    int steps, whole;               /* words of a channel, and how many come before those that need a mask */
    uint32_t mask;                  /* of the bits that count in a last word */
    bool rows;                      /* a run is a row of the kernel; else a tap */
    bool flat;                      /* the bits of a row of the image follow each other as its codes do */
    int ih, iw;                     /* image in pixels */
    int step_y, step_x;             /* source pixels to one of the image */
    int stride_y, stride_x;         /* image pixels to an output pixel */
    size_t plane;                   /* bytes of a plane, with PLANES_SLACK behind it */
    size_t pixels_at, steps_at;     /* prepared: int32_t byte offsets of output pixels and of steps */
    size_t requant_at, steps_up_at; /* prepared: of every panel, struct requant_lanes and struct planes_steps */
    size_t prepared_bytes;
};

/* First bytes of the packed weights; int32_t start[16] of every panel and the panels follow. */
struct planes_header {
    int32_t bits;
    int32_t exclusive; /* XOR, else AND */
    int32_t negative;  /* bit j: plane j counts as negative */
    int32_t mul, base; /* sum of products = start + mul * count + base * sum of activations */
    uint8_t fill[44];
};

/* The way from sums to codes where there are few: how many of these steps up a sum reaches. */
struct planes_steps {
    int32_t flip[PANEL];                       /* 0, or -1 where codes fall with the sum: x ^ flip rises */
    int32_t above[PLANES_MAX_STEPS_UP][PANEL]; /* a step up where x ^ flip is more than this */
};

/* What a micro-kernel works on: m pixels times nv panels of 16 channels. */
struct planes_tile {
    const uint8_t *image;
    size_t plane;                /* bytes between planes */
    const int32_t *pixels;       /* [m] */
    const int32_t *offsets;      /* [steps] */
    int steps, whole, runs, run; /* run: words of one, if they are whole */
    uint32_t mask;
    int a_bits, w_bits;
    const struct planes_header *head;
    const uint32_t *weights; /* [nv][w_bits][steps][16] */
    const int32_t *start;    /* [nv][16] */
    const int32_t *sums;     /* [m] sums of activations, or NULL where base is 0 */
    int nv;
    int32_t *acc; /* [nv][m][16], overwritten, with these distances: */
    size_t panel_step, pixel_step;
    const struct planes_steps *steps_up; /* [nv], or NULL; if not, acc may be left and codes are made: */
    int steps_count, lo;                 /* lo .. lo + steps_count */
    uint8_t *codes;                      /* [m][code_step], `channels` of each */
    size_t code_step;
    int channels;
};

struct planes_kernel {
    int group;                    /* largest nv */
    int pixels[PLANES_MAX_GROUP]; /* largest m for each nv; m * nv <= PLANES_MAX_TILE */
    int halves;
    bool carries;          /* cells are of whole pairs of words then, groups one */
    panel_codes_fn *store; /* for panel_store */
    /* n codes to bits of a_bits (times halves) planes; may write up to 8 bytes from where the last byte is. With
     * carries, a multiple of 64 codes behind others. */
    void (*bits)(const uint8_t *codes, int n, int a_bits, uint8_t *out, size_t plane);
    void (*tile)(int m, const struct planes_tile *t);
};

void planes_plan_init(struct planes_plan *p, const struct planes_kernel *k, const struct conv_geom *g);

/* Whether levels are l0 + step * code. */
bool planes_affine(const struct conv_weights *w);
/* Whether the words of a channel, times `cost` for each product of planes, are fewer than its steps of four values. */
bool planes_pay(const struct conv_geom *g, int planes, double cost);

/* The bodies of a row's functions. */
size_t planes_packed_size(const struct planes_kernel *k, const struct conv_geom *g, const struct conv_weights *w);
void planes_pack(const struct planes_kernel *k, const struct conv_geom *g, int a_bits, const struct conv_weights *w,
                 void *packed);
size_t planes_prepared_size(const struct planes_kernel *k, const struct conv_geom *g);
void planes_prepare(const struct planes_kernel *k, const struct conv_geom *g, const struct requant *rq, void *prepared);
size_t planes_scratch_size(const struct planes_kernel *k, const struct conv_geom *g, int a_bits);

/* Rows' functions about everything but `can`, for a struct planes_kernel of their file: PREFIX_pack and so on. */
#define PLANES_FUNCTIONS(prefix, kernel)                                                                              \
    static size_t prefix##_packed_size(const struct conv_geom *g, int a_bits, const struct conv_weights *w)           \
    {                                                                                                                 \
        (void)a_bits;                                                                                                 \
        return planes_packed_size(&(kernel), g, w);                                                                   \
    }                                                                                                                 \
    static void prefix##_pack(const struct conv_geom *g, int a_bits, const struct conv_weights *w, void *packed)      \
    {                                                                                                                 \
        planes_pack(&(kernel), g, a_bits, w, packed);                                                                 \
    }                                                                                                                 \
    static size_t prefix##_prepared_size(const struct conv_geom *g, int a_bits, const struct conv_weights *w)         \
    {                                                                                                                 \
        (void)a_bits, (void)w;                                                                                        \
        return planes_prepared_size(&(kernel), g);                                                                    \
    }                                                                                                                 \
    static void prefix##_prepare(const struct conv_geom *g, int a_bits, const void *packed, const struct requant *rq, \
                                 void *prepared)                                                                      \
    {                                                                                                                 \
        (void)a_bits, (void)packed;                                                                                   \
        planes_prepare(&(kernel), g, rq, prepared);                                                                   \
    }                                                                                                                 \
    static size_t prefix##_scratch_size(const struct conv_geom *g, int a_bits, const struct conv_weights *w)          \
    {                                                                                                                 \
        (void)w;                                                                                                      \
        return planes_scratch_size(&(kernel), g, a_bits);                                                             \
    }                                                                                                                 \
    static void prefix##_run(const struct conv_geom *g, int a_bits, const struct conv_call *call)                     \
    {                                                                                                                 \
        planes_run_avx2(&(kernel), g, a_bits, call);                                                                  \
    }

#if defined(__x86_64__)
/* Needs AVX2. */
void planes_run_avx2(const struct planes_kernel *k, const struct conv_geom *g, int a_bits,
                     const struct conv_call *call);
#endif

#endif
