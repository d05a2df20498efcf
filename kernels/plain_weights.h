/* SPDX-License-Identifier: MIT
 *
 * The packed weights of the C kernels: a header, the scales of blocks if there are any, and a stream of codes, the
 * lowest bit first. Private to kernels/.
 */
#ifndef BITFADER_KERNELS_PLAIN_WEIGHTS_H
#define BITFADER_KERNELS_PLAIN_WEIGHTS_H

#include <string.h>

#include "kernels/kernels.h"

struct plain_weights {
    int32_t bits;
    int32_t block, blocks; /* values that share a scale (0: no such scales), blocks of an output channel */
    int32_t codes_at;      /* bytes */
    int8_t levels[256];
    uint8_t bytes[]; /* scales [cout][blocks], codes */
};

static inline size_t plain_count(const struct conv_geom *g)
{
    return (size_t)g->cout * (size_t)(g->kh * g->kw * (g->cin / g->groups));
}

/* Blocks of an output channel, 0 without block scales. */
static inline int plain_blocks(const struct conv_geom *g, const struct conv_weights *w)
{
    int k = g->kh * g->kw * (g->cin / g->groups);
    return w->block ? (k + w->block - 1) / w->block : 0;
}

static inline size_t plain_size(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    (void)a_bits;
    size_t scales = (size_t)g->cout * (size_t)plain_blocks(g, w) * sizeof(float);
    return sizeof(struct plain_weights) + scales + (plain_count(g) * (size_t)w->bits + 7) / 8;
}

static inline void plain_pack(const struct conv_geom *g, int a_bits, const struct conv_weights *w, void *packed)
{
    struct plain_weights *s = packed;
    size_t size = plain_size(g, a_bits, w);
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)packed)[i] = 0;
    s->bits = w->bits;
    s->block = w->block;
    s->blocks = plain_blocks(g, w);
    s->codes_at = g->cout * s->blocks * (int32_t)sizeof(float);
    if (w->block)
        memcpy(s->bytes, w->block_scales, (size_t)s->codes_at);
    uint8_t *codes = s->bytes + s->codes_at;
    for (int c = 0; c < 1 << w->bits; c++)
        s->levels[c] = w->levels[c];
    for (size_t i = 0; i < plain_count(g); i++)
        for (int b = 0; b < w->bits; b++) {
            size_t at = i * (size_t)w->bits + (size_t)b;
            codes[at / 8] = (uint8_t)(codes[at / 8] | ((w->codes[i] >> b & 1) << at % 8));
        }
}

/* Nothing needs preparing. */
static inline size_t plain_prepared_size(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    (void)g, (void)a_bits, (void)w;
    return 0;
}

static inline void plain_prepare(const struct conv_geom *g, int a_bits, const void *packed, const struct requant *rq,
                                 void *prepared)
{
    (void)g, (void)a_bits, (void)packed, (void)rq, (void)prepared;
}

/* The integer that weight i stands for. */
static inline int8_t plain_level(const struct plain_weights *s, size_t i)
{
    const uint8_t *codes = s->bytes + s->codes_at;
    int code = 0;
    for (int b = 0; b < s->bits; b++) {
        size_t at = i * (size_t)s->bits + (size_t)b;
        code |= (codes[at / 8] >> at % 8 & 1) << b;
    }
    return s->levels[code];
}

#endif
