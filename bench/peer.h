/* SPDX-License-Identifier: MIT
 *
 * Other programs' convolutions of 8-bit codes, to measure ours against. Each is a file of its own that is built only
 * where its library is installed. Nothing here is compared by name: a row of the table names what it ran against.
 */
#ifndef BITFADER_BENCH_PEER_H
#define BITFADER_BENCH_PEER_H

#include "base/err.h"
#include "kernels/kernels.h"

/* A layer with constant weights, as the peers take it. Zero points are 0. */
struct peer_layer {
    const struct conv_geom *g;
    const uint8_t *in;     /* [h][w][cin] codes, at most 127 where the peer's are signed */
    const int8_t *weights; /* [cout][kh][kw][cin/groups] */
    float scale;           /* out = clamp(rint(acc * scale), 0, 255 or 127); 0: the sums themselves */
};

struct peer {
    const char *name;    /* "oneDNN" */
    const char *package; /* of Debian, where it comes from */
    bool has_sums;       /* whether it gives 32-bit sums */
    int top;             /* largest code in and out: 255, or 127 where codes are signed */
    /* A prepared layer; NULL and a message when the peer has no such operator. The layer's arrays must outlive it. */
    void *(*open)(const struct peer_layer *l, struct err *e);
    void (*run)(void *state);
    const void *(*output)(const void *state); /* int32_t or uint8_t [oh][ow][cout] */
    const char *(*detail)(const void *state); /* what ran, as the peer calls it */
    void (*close)(void *state);
};

/* NULL where the library was not there when this was built. */
const struct peer *peer_onednn(void);
const struct peer *peer_xnnpack(void);

/* Called first, before any peer: the peers are held to the instructions that the numbers are for, AVX-512 with
 * VNNI. On processors with AMX they would use that. False: they run as they like. */
void peer_restrict(bool vnni_only);
bool peer_restricted(void);
/* Whether this process may use AMX, asked of the kernel without requesting it. */
bool peer_amx_allowed(void);

#endif
