/* SPDX-License-Identifier: MIT
 *
 * Fingerprints: XXH3, 128 bits (Collet's xxHash library), as text.
 */
#ifndef BITFADER_BASE_HASH_H
#define BITFADER_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* "xxh3-" and 32 hex digits. */
void hash_fingerprint(const void *data, size_t n, char out[40]);

/* The same of bytes that come in pieces. hash_stream_end writes it (out may be NULL) and frees; NULL is fine. */
struct hash_stream *hash_stream_new(void);
void hash_stream_add(struct hash_stream *h, const void *data, size_t n);
void hash_stream_end(struct hash_stream *h, char out[40]);

/* 64-bit hash for cache keys, chained through seed. */
uint64_t hash_u64(const void *data, size_t n, uint64_t seed);

#endif
