/* SPDX-License-Identifier: MIT
 *
 * Requantization in single precision that is equal to the 64-bit integers which define it, by three facts: a fused
 * multiplication and addition of floats rounds the exact sum once; rounded down, it stays on its side of every integer,
 * as these are floats themselves; so its floor is that of the exact sum, which is what shifting the integers gives.
 * What it takes is that multiplier and offset are floats (24 bits and an exponent: requant_multiplier and
 * requant_offset see to that) and that accumulators beyond 2^24, which are not, have codes at the ends anyway.
 */
#include "kernels/requant_lanes.h"

#include <math.h>
#include <string.h>

enum { EXACT_FLOAT = 1 << 24 };

static bool is_float(int64_t x)
{
    return fabs((double)x) < 0x1p62 && (int64_t)(float)x == x;
}

/* The largest magnitude of an accumulator. */
static double most_of(const struct conv_geom *g)
{
    return 255.0 * 128 * g->kh * g->kw * (g->cin / g->groups);
}

/* Of channel c: scale and bias as floats are the integers, the conversion back to int32_t is defined, and accumulators
 * that no float holds end at lo or hi. */
static bool floats_hold(const struct requant *rq, int c, float scale, float bias, double most)
{
    double reach = fabs(scale) * EXACT_FLOAT, ends = fabs(bias) + rq->hi + 1;
    return is_float(rq->m[c]) && is_float(rq->b[c]) && fabs(scale) * most + ends < 0x1p31 &&
           (most <= EXACT_FLOAT || scale == 0 || reach > 2 * ends);
}

/* Whether bias + code * res_m is a float for every code: an integer of 24 bits in units of their last common bit. */
static bool residual_holds(const struct requant *rq, int c)
{
    int64_t res = rq->res_m * (INT64_C(1) << rq->left), b = rq->b[c], bits = res | b;
    int64_t unit = bits & -bits, most = 255 * (res < 0 ? -res : res) + (b < 0 ? -b : b);
    return bits == 0 || most / unit <= EXACT_FLOAT;
}

void requant_lanes_clear(struct requant_lanes *r, const struct requant *rq)
{
    memset(r, 0, sizeof *r);
    r->floats = r->residual_floats = 1;
    r->res_scale = (float)ldexp((double)rq->res_m, rq->left - rq->shift);
}

void requant_lanes_set(struct requant_lanes *r, int lane, const struct conv_geom *g, const struct requant *rq, int c)
{
    r->m[lane] = rq->m[c];
    *(lane % 2 ? &r->odd[lane / 2] : &r->even[lane / 2]) = rq->b[c];
    r->scale[lane] = (float)ldexp(rq->m[c], rq->left - rq->shift);
    r->bias[lane] = (float)ldexp((double)rq->b[c], -rq->shift);
    r->floats = r->floats && floats_hold(rq, c, r->scale[lane], r->bias[lane], most_of(g));
    r->residual_floats = r->residual_floats && r->floats && residual_holds(rq, c);
}

void requant_lanes_init(struct requant_lanes *r, const struct conv_geom *g, const struct requant *rq, int co, int n)
{
    requant_lanes_clear(r, rq);
    for (int i = 0; i < n; i++)
        requant_lanes_set(r, i, g, rq, co + i);
}
