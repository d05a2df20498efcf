/* SPDX-License-Identifier: MIT */
#include "base/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <xxhash.h>

#include "base/mem.h"

static void show(XXH128_hash_t h, char out[40])
{
    snprintf(out, 40, "xxh3-%016" PRIx64 "%016" PRIx64, (uint64_t)h.high64, (uint64_t)h.low64);
}

void hash_fingerprint(const void *data, size_t n, char out[40])
{
    show(XXH3_128bits(data, n), out);
}

struct hash_stream {
    XXH3_state_t *state;
};

struct hash_stream *hash_stream_new(void)
{
    struct hash_stream *h = mem_new(1, sizeof *h);
    h->state = XXH3_createState();
    if (!h->state || XXH3_128bits_reset(h->state) != XXH_OK)
        mem_exhausted();
    return h;
}

void hash_stream_add(struct hash_stream *h, const void *data, size_t n)
{
    XXH3_128bits_update(h->state, data, n); /* fails on NULL only */
}

void hash_stream_end(struct hash_stream *h, char out[40])
{
    if (!h)
        return;
    if (out)
        show(XXH3_128bits_digest(h->state), out);
    XXH3_freeState(h->state);
    mem_free(h);
}

uint64_t hash_u64(const void *data, size_t n, uint64_t seed)
{
    return XXH3_64bits_withSeed(data, n, seed);
}
