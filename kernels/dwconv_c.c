/* SPDX-License-Identifier: MIT
 *
 * Depthwise convolution at any widths: every input channel gives cout / cin output channels of its own.
 */
#include "kernels/plain_weights.h"
#include "kernels/rows.h"
#include "kernels/scalar.h"

static bool dwconv_c_can(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    (void)a_bits, (void)w;
    return g->groups == g->cin;
}

static size_t dwconv_c_scratch_size(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    (void)a_bits, (void)w;
    return (size_t)(g->kh * g->kw);
}

static int32_t dwconv_c_pixel(const struct conv_geom *g, const struct conv_call *call, const int8_t *levels, int ci,
                              int oy, int ox)
{
    int32_t acc = 0;
    for (int ky = 0; ky < g->kh; ky++)
        for (int kx = 0; kx < g->kw; kx++) {
            int y = oy * g->stride_h - g->pad_top + ky * g->dilation_h;
            int x = ox * g->stride_w - g->pad_left + kx * g->dilation_w;
            bool inside = y >= 0 && y < g->h && x >= 0 && x < g->w;
            size_t at = ((size_t)y * (size_t)g->w + (size_t)x) * (size_t)g->cin + (size_t)ci;
            acc += (inside ? call->in[at] : call->pad_code) * levels[ky * g->kw + kx];
        }
    return acc;
}

static void dwconv_c_run(const struct conv_geom *g, int a_bits, const struct conv_call *call)
{
    (void)a_bits;
    int8_t *levels = call->scratch;
    int taps = g->kh * g->kw;
    for (int co = 0; co < g->cout; co++) {
        for (int i = 0; i < taps; i++)
            levels[i] = plain_level(call->packed, (size_t)co * (size_t)taps + (size_t)i);
        for (int oy = 0; oy < g->oh; oy++)
            for (int ox = 0; ox < g->ow; ox++) {
                int32_t acc = dwconv_c_pixel(g, call, levels, co / (g->cout / g->cin), oy, ox);
                conv_store(call, ((size_t)oy * (size_t)g->ow + (size_t)ox) * (size_t)g->cout + (size_t)co, co, acc);
            }
    }
}

const struct conv_kernel dwconv_c = {
    .name = "dwconv_c",
    .family = FAMILY_REFERENCE,
    .isa = ISA_C,
    .w_bits = {1, 8},
    .a_bits = {1, 8},
    .schemes = "any",
    .tile = "1x1",
    .a_effect = A_EFFECT_NONE,
    .can = dwconv_c_can,
    .packed_size = plain_size,
    .pack = plain_pack,
    .prepared_size = plain_prepared_size,
    .prepare = plain_prepare,
    .scratch_size = dwconv_c_scratch_size,
    .run = dwconv_c_run,
};
