/* SPDX-License-Identifier: MIT
 *
 * Convolution of any shape at any widths: the definition of every other convolution kernel.
 */
#include "kernels/plain_weights.h"
#include "kernels/rows.h"
#include "kernels/scalar.h"

static bool conv_c_can(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    (void)g, (void)a_bits, (void)w;
    return true;
}

/* Room for the integers of one output channel. */
static size_t conv_c_scratch_size(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    (void)a_bits, (void)w;
    return (size_t)(g->kh * g->kw * (g->cin / g->groups));
}

/* The sum over the values of an output channel from `from` to `to`, as they lie in its weights. */
static int32_t conv_c_sum(const struct conv_geom *g, const struct conv_call *call, const int8_t *levels, int first,
                          int oy, int ox, int from, int to)
{
    int cg = g->cin / g->groups;
    int32_t acc = 0;
    for (int i = from; i < to;) {
        int tap = i / cg, ky = tap / g->kw, kx = tap % g->kw;
        int y = oy * g->stride_h - g->pad_top + ky * g->dilation_h;
        int x = ox * g->stride_w - g->pad_left + kx * g->dilation_w;
        bool inside = y >= 0 && y < g->h && x >= 0 && x < g->w;
        const uint8_t *in = inside ? call->in + ((size_t)y * (size_t)g->w + (size_t)x) * (size_t)g->cin : NULL;
        for (; i < to && i / cg == tap; i++)
            acc += (in ? in[first + i % cg] : call->pad_code) * levels[i];
    }
    return acc;
}

/* Output i of channel co where blocks of weights have scales of their own. */
static void conv_c_blocks(const struct conv_geom *g, const struct conv_call *call, const int8_t *levels, int co, int oy,
                          int ox)
{
    const struct plain_weights *s = call->packed;
    int cg = g->cin / g->groups, k = g->kh * g->kw * cg, first = co / (g->cout / g->groups) * cg;
    float x = 0;
    for (int b = 0; b < s->blocks; b++) {
        int from = b * s->block, to = from + s->block < k ? from + s->block : k;
        float scale;
        memcpy(&scale, s->bytes + (size_t)(co * s->blocks + b) * sizeof scale, sizeof scale);
        x += (float)conv_c_sum(g, call, levels, first, oy, ox, from, to) * scale;
    }
    call->out_f32[((size_t)oy * (size_t)g->ow + (size_t)ox) * (size_t)g->cout + (size_t)co] = x + call->bias[co];
}

static void conv_c_run(const struct conv_geom *g, int a_bits, const struct conv_call *call)
{
    (void)a_bits;
    int8_t *levels = call->scratch;
    size_t k = conv_c_scratch_size(g, a_bits, NULL);
    for (int co = call->channels[0]; co < conv_end(g, call); co++) {
        for (size_t i = 0; i < k; i++)
            levels[i] = plain_level(call->packed, (size_t)co * k + i);
        int group = co / (g->cout / g->groups);
        for (int oy = 0; oy < g->oh; oy++)
            for (int ox = 0; ox < g->ow; ox++) {
                if (((const struct plain_weights *)call->packed)->block) {
                    conv_c_blocks(g, call, levels, co, oy, ox);
                    continue;
                }
                int32_t acc = conv_c_sum(g, call, levels, group * (g->cin / g->groups), oy, ox, 0, (int)k);
                conv_store(call, ((size_t)oy * (size_t)g->ow + (size_t)ox) * (size_t)g->cout + (size_t)co, co, acc);
            }
    }
}

const struct conv_kernel conv_c = {
    .name = "conv_c",
    .family = FAMILY_REFERENCE,
    .isa = ISA_C,
    .w_bits = {1, 8},
    .a_bits = {1, 8},
    .schemes = "any",
    .tile = "1x1",
    .block_scales = true,
    .a_effect = A_EFFECT_NONE,
    .can = conv_c_can,
    .packed_size = plain_size,
    .pack = plain_pack,
    .prepared_size = plain_prepared_size,
    .prepare = plain_prepare,
    .scratch_size = conv_c_scratch_size,
    .run = conv_c_run,
    .channel_unit = 1,
};
