/* SPDX-License-Identifier: MIT
 *
 * A seeded generator (xoshiro256**, Blackman and Vigna 2018, arXiv 1805.01407), passed to whoever needs randomness.
 */
#ifndef BITFADER_BASE_RNG_H
#define BITFADER_BASE_RNG_H

#include <stdint.h>

struct rng {
    uint64_t s[4];
};

void rng_init(struct rng *r, uint64_t seed);
uint64_t rng_next(struct rng *r);
uint32_t rng_below(struct rng *r, uint32_t n); /* 0..n-1, n > 0 */
double rng_unit(struct rng *r);                /* [0, 1) */

#endif
