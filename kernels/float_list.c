/* SPDX-License-Identifier: MIT
 *
 * The table of convolutions in float. A name is conv or dwconv (depthwise), f32, and the instruction set.
 */
#include "kernels/float_rows.h"

const struct float_conv_kernel *const float_conv_kernels[] = {
    &conv_f32_c,
#if defined(__x86_64__)
    &conv_f32_fma, &dwconv_f32_fma, &conv_f32_avx512, &dwconv_f32_avx512,
#elif defined(__aarch64__)
    &conv_f32_neon,
    &dwconv_f32_neon,
#endif
};
const int float_conv_kernel_count = sizeof float_conv_kernels / sizeof *float_conv_kernels;

const struct float_conv_kernel *float_conv_find(const struct conv_geom *g)
{
    const struct float_conv_kernel *best = float_conv_kernels[0];
    for (int i = 1; i < float_conv_kernel_count; i++)
        if (isa_enabled(float_conv_kernels[i]->isa) && float_conv_kernels[i]->can(g))
            best = float_conv_kernels[i];
    return best;
}

struct conv_geom float_conv_lying(const struct conv_geom *g)
{
    struct conv_geom l = *g;
    if (g->w > 1 || g->kw > 1 || g->ow > 1 || g->pad_left > 0)
        return l;
    l.h = l.kh = l.oh = l.stride_h = l.dilation_h = 1;
    l.pad_top = 0;
    l.w = g->h;
    l.kw = g->kh;
    l.ow = g->oh;
    l.stride_w = g->stride_h;
    l.dilation_w = g->dilation_h;
    l.pad_left = g->pad_top;
    return l;
}
