/* SPDX-License-Identifier: MIT
 *
 * Rounding to a lattice: the quantizers of a model that is quantized already, as the file defines them (division, ties
 * to even). Plain loops that vectorise with any instruction set.
 */
#include "base/num.h"
#include "engine/step.h"

/* Limits are levels, so that clamping before rounding is the same as after; NAN gives lo. */
static inline float level_at(float x, float scale, float lo, float hi)
{
    float t = x / scale;
    t = t > lo ? t : lo;
    t = t < hi ? t : hi;
    return round_even(t);
}

void step_snap_f32(const struct step *s, const struct run_state *r)
{
    const float *in = step_in(s, r, 0);
    float *out = step_out(s, r), scale = s->alpha, lo = s->lo, hi = s->hi;
    size_t n = step_count(s, r);
    for (size_t i = 0; i < n; i++)
        out[i] = level_at(in[i], scale, lo, hi) * scale;
}

void step_snap_u8(const struct step *s, const struct run_state *r)
{
    const float *in = step_in(s, r, 0);
    uint8_t *out = step_out(s, r);
    float scale = s->alpha, lo = s->lo, hi = s->hi;
    size_t n = step_count(s, r);
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(int)(level_at(in[i], scale, lo, hi) - lo);
}

void step_sign_f32(const struct step *s, const struct run_state *r)
{
    const float *in = step_in(s, r, 0);
    float *out = step_out(s, r), scale = s->alpha;
    size_t n = step_count(s, r);
    for (size_t i = 0; i < n; i++)
        out[i] = in[i] >= 0 ? scale : -scale;
}

void step_sign_u8(const struct step *s, const struct run_state *r)
{
    const float *in = step_in(s, r, 0);
    uint8_t *out = step_out(s, r), plus = (uint8_t)s->qhi;
    size_t n = step_count(s, r);
    for (size_t i = 0; i < n; i++)
        out[i] = in[i] >= 0 ? plus : 0;
}
