/* SPDX-License-Identifier: MIT
 *
 * The packed weights of the C kernels: a header and a stream of codes, the lowest bit first. Private to kernels/.
 */
#ifndef BITFADER_KERNELS_STREAM_H
#define BITFADER_KERNELS_STREAM_H

#include "kernels/kernels.h"

struct stream {
    int32_t bits;
    int8_t levels[256];
    uint8_t bytes[];
};

static inline size_t stream_count(const struct conv_geom *g)
{
    return (size_t)g->cout * (size_t)(g->kh * g->kw * (g->cin / g->groups));
}

static inline size_t stream_size(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    (void)a_bits;
    return sizeof(struct stream) + (stream_count(g) * (size_t)w->bits + 7) / 8;
}

static inline void stream_pack(const struct conv_geom *g, int a_bits, const struct conv_weights *w, void *packed)
{
    struct stream *s = packed;
    size_t size = stream_size(g, a_bits, w);
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)packed)[i] = 0;
    s->bits = w->bits;
    for (int c = 0; c < 1 << w->bits; c++)
        s->levels[c] = w->levels[c];
    for (size_t i = 0; i < stream_count(g); i++)
        for (int b = 0; b < w->bits; b++) {
            size_t at = i * (size_t)w->bits + (size_t)b;
            s->bytes[at / 8] = (uint8_t)(s->bytes[at / 8] | ((w->codes[i] >> b & 1) << at % 8));
        }
}

/* Nothing needs preparing. */
static inline size_t stream_prepared_size(const struct conv_geom *g)
{
    (void)g;
    return 0;
}

static inline void stream_prepare(const struct conv_geom *g, const struct requant *rq, void *prepared)
{
    (void)g, (void)rq, (void)prepared;
}

/* The integer that weight i stands for. */
static inline int8_t stream_level(const struct stream *s, size_t i)
{
    int code = 0;
    for (int b = 0; b < s->bits; b++) {
        size_t at = i * (size_t)s->bits + (size_t)b;
        code |= (s->bytes[at / 8] >> at % 8 & 1) << b;
    }
    return s->levels[code];
}

#endif
