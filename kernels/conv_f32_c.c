/* SPDX-License-Identifier: MIT
 *
 * Convolution in float, depthwise included: the definition.
 */
#include <string.h>

#include "kernels/float_rows.h"

static size_t taps_of(const struct conv_geom *g)
{
    return (size_t)g->kh * (size_t)g->kw * (size_t)(g->cin / g->groups);
}

static bool can(const struct conv_geom *g)
{
    (void)g;
    return true;
}

/* [cout] biases, then the weights as they come. */
static size_t packed_size(const struct conv_geom *g)
{
    return (size_t)g->cout * (taps_of(g) + 1) * sizeof(float);
}

static void pack(const struct conv_geom *g, const float *weights, const float *bias, void *packed)
{
    float *to = packed;
    for (int o = 0; o < g->cout; o++)
        to[o] = bias ? bias[o] : 0;
    memcpy(to + g->cout, weights, (size_t)g->cout * taps_of(g) * sizeof *to);
}

static size_t scratch_size(const struct conv_geom *g)
{
    (void)g;
    return 0;
}

/* The sum of output channel o at one pixel. */
static float sum_taps(const struct conv_geom *g, const float *in, const float *w, int oy, int ox, int o)
{
    int cg = g->cin / g->groups, from = o / (g->cout / g->groups) * cg;
    float sum = 0;
    for (int ky = 0; ky < g->kh; ky++)
        for (int kx = 0; kx < g->kw; kx++, w += cg) {
            int y = oy * g->stride_h - g->pad_top + ky * g->dilation_h;
            int x = ox * g->stride_w - g->pad_left + kx * g->dilation_w;
            if (y < 0 || y >= g->h || x < 0 || x >= g->w)
                continue;
            const float *p = in + ((size_t)y * (size_t)g->w + (size_t)x) * (size_t)g->cin + from;
            for (int c = 0; c < cg; c++)
                sum += p[c] * w[c];
        }
    return sum;
}

static void run(const struct conv_geom *g, const struct float_conv_call *call)
{
    const float *bias = call->packed, *weights = bias + g->cout, *add = call->add;
    float *out = call->out;
    for (int i = 0; i < g->oh * g->ow; i++)
        for (int o = 0; o < g->cout; o++) {
            float sum = sum_taps(g, call->in, weights + (size_t)o * taps_of(g), i / g->ow, i % g->ow, o) + bias[o];
            if (add)
                sum += *add++;
            *out++ = sum < call->lo ? call->lo : sum > call->hi ? call->hi : sum;
        }
}

const struct float_conv_kernel conv_f32_c = {
    "conv_f32_c", ISA_C, can, packed_size, pack, scratch_size, run,
};
