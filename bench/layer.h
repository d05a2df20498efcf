/* SPDX-License-Identifier: MIT
 *
 * One convolution of ours, with random weights and codes, on the fastest kernel of the table that can: each that can is
 * checked on some outputs against a plain sum and then timed.
 */
#ifndef BITFADER_BENCH_LAYER_H
#define BITFADER_BENCH_LAYER_H

#include "base/err.h"
#include "kernels/kernels.h"

/* What the codes of weights stand for. */
enum levels { LEVELS_UNIFORM, LEVELS_POWERS, LEVELS_CODEBOOK, LEVELS_TERNARY, LEVELS_BINARY };
const char *levels_name(enum levels l);

struct layer_spec {
    struct conv_geom g;
    int w_bits, a_bits;
    enum levels levels;
    int a_codes;                      /* activations below this; 0: all that a_bits gives */
    const struct conv_kernel *kernel; /* this one and no other; NULL: the fastest */
    bool sums;                        /* 32-bit sums out, else codes of a_bits */
};

struct bench_layer {
    struct layer_spec spec;
    const struct conv_kernel *kernel;
    uint8_t *in, *codes; /* activations [h][w][cin]; weights [cout][kh][kw][cin/groups] */
    int8_t *weights;     /* what the codes stand for */
    void *out;           /* uint8_t or int32_t [oh][ow][cout] */
    double scale;        /* out = clamp(rint(sum * scale)) */
    void *packed, *prepared, *scratch;
    struct requant rq;
    int8_t level[256];
};

/* -1 and a message when a kernel's output is wrong. */
int layer_init(struct bench_layer *l, const struct layer_spec *s, struct err *e);
/* The kernels that can compute it, the reference ones only where there are no others. How many. */
enum { LAYER_KERNELS_MAX = 32 };
int layer_find_kernels(const struct bench_layer *l, const struct conv_kernel *found[LAYER_KERNELS_MAX]);
void layer_run(void *layer);
void layer_done(struct bench_layer *l);

/* Compares another program's output of the same layer: sums must be equal, codes may be off by one, as other programs
 * scale in floating point. -1 and a message. */
int layer_compare(const struct bench_layer *l, const void *out, int top, const char *who, struct err *e);

size_t layer_weights_size(const struct bench_layer *l); /* packed, in bytes */
double layer_operations(const struct conv_geom *g);     /* a multiplication and an addition count as two */

/* Sizes of a layer with square kernel and padding for the same size (divided by the stride). */
struct conv_geom layer_geom(int cin, int size, int cout, int kernel, int stride, int groups);

#endif
