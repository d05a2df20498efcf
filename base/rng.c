/* SPDX-License-Identifier: MIT */
#include "base/rng.h"

#include <assert.h>

static uint64_t rotl(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

/* splitmix64 (Steele, Lea and Flood 2014) spreads the seed, as the authors of xoshiro ask for: never all zeros. */
void rng_init(struct rng *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        uint64_t z = seed += 0x9e3779b97f4a7c15u;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        r->s[i] = z ^ (z >> 31);
    }
}

uint64_t rng_next(struct rng *r)
{
    uint64_t *s = r->s;
    uint64_t result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

/* Without bias: multiply and reject (Lemire 2019, arXiv 1805.10941). */
uint32_t rng_below(struct rng *r, uint32_t n)
{
    assert(n > 0);
    uint32_t floor = -n % n;
    for (;;) {
        uint64_t m = (rng_next(r) >> 32) * n;
        if ((uint32_t)m >= floor)
            return (uint32_t)(m >> 32);
    }
}

double rng_unit(struct rng *r)
{
    return (double)(rng_next(r) >> 11) * 0x1p-53;
}
