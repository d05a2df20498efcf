/* SPDX-License-Identifier: MIT */
#include "base/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <xxhash.h>

void hash_fingerprint(const void *data, size_t n, char out[40])
{
    XXH128_hash_t h = XXH3_128bits(data, n);
    snprintf(out, 40, "xxh3-%016" PRIx64 "%016" PRIx64, (uint64_t)h.high64, (uint64_t)h.low64);
}

uint64_t hash_u64(const void *data, size_t n, uint64_t seed)
{
    return XXH3_64bits_withSeed(data, n, seed);
}
