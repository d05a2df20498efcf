/* SPDX-License-Identifier: MIT
 *
 * Arithmetic on plain numbers that C has no word for.
 */
#ifndef BITFADER_BASE_NUM_H
#define BITFADER_BASE_NUM_H

#include <stddef.h>
#include <stdint.h>

static inline int min_int(int a, int b)
{
    return a < b ? a : b;
}

static inline int max_int(int a, int b)
{
    return a > b ? a : b;
}

static inline int clamp_int(int x, int lo, int hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

static inline int64_t min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t max_i64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static inline int64_t clamp_i64(int64_t x, int64_t lo, int64_t hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

/* NAN stays. */
static inline float clamp_f32(float x, float lo, float hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

/* a / b rounded up, of what is not negative. */
static inline int div_up_int(int a, int b)
{
    return (a + b - 1) / b;
}

static inline int gcd_int(int a, int b)
{
    return b ? gcd_int(b, a % b) : a;
}

/* The next multiple of unit; of a cache line, which is also the widest vector. */
static inline size_t round_up(size_t n, size_t unit)
{
    return (n + unit - 1) / unit * unit;
}

static inline size_t align64(size_t n)
{
    return round_up(n, 64);
}

/* Nearest integer, ties to even, for |x| < 2^22; vectorises on any processor, unlike rintf. */
static inline float round_even(float x)
{
    return (x + 12582912.0f) - 12582912.0f;
}

#endif
