/* SPDX-License-Identifier: MIT
 *
 * The tables of kernels. A convolution's name is <op>_<path>_<isa>:
 *     op    conv     any convolution, groups included
 *           dwconv   depthwise
 *     path  madd16         products of 16-bit operands, two to a 32-bit lane (every width)
 *           madd8          products of 8-bit operands, summed in 16-bit lanes first (widths whose sums fit)
 *           vnni           products of 8-bit operands, four to a 32-bit lane (every width)
 *           wino           F(2x2,3x3) in exact integers (3x3 kernels, weights of up to 4 bits, activations of up to 6)
 *           planes         bits of 32 values in a word, AND or XOR and population counts (one or two products of bits)
 *           planes4        the same for three and four products of bits
 *           carries        the same for one, where full adders count two words at once (long sums)
 *           tables         codes of three weights and of three activations select their sum from a table of 64 bytes;
 *                          channels in the lanes
 *           pixels         the same with pixels in the lanes
 *           rows           depthwise, four image rows interleaved
 *           3x3            the same for 3x3, strides 1 and 2, 16 channels or multiples
 *           stream         matrix times vector, weights read once (every width)
 *           trits          the same, three ternary weights in 5 bits
 *     isa   c, avx2, avx512, neon, neondot; the file's suffix says which extensions of AVX-512 (vnni, vbmi) it takes
 *
 * A path that is missing is the only one of its operator and instruction set. Weights are stored at their width on
 * every path but wino, which stores them transformed (16 bytes for 9 weights), and rows and 3x3 (4 bytes for a column
 * of up to four taps, twice where two output rows share a window). Tables and pixels unpack them to a byte for each
 * three or four in every call.
 */
#include "kernels/rows.h"

const struct conv_kernel *const conv_kernels[] = {
    &conv_c,   /* any convolution */
    &dwconv_c, /* depthwise */
#if defined(__x86_64__)
    &conv_madd16_avx2,    /* any convolution */
    &conv_madd8_avx2,     /* any */
    &conv_wino_avx2,      /* 3x3 */
    &dwconv_avx2,         /* depthwise */
    &conv_planes_avx2,    /* one or two products of bits */
    &conv_planes4_avx512, /* three and four */
    &conv_vnni_avx512,    /* any */
    &conv_wino_avx512,    /* 3x3 */
    &dwconv_avx512,       /* depthwise */
    &dwconv_rows_avx512,  /* depthwise of small kernels */
    &dwconv_3x3_avx512,   /* its commonest shapes */
    &conv_stream_avx512,  /* matrix times vector */
    &conv_trits_avx512,   /* the same, ternary */
    &conv_tables_avx512,  /* 2 bits */
    &conv_pixels_avx512,  /* 2 bits, few channels */
    &conv_planes_avx512,  /* 1 bit */
    &conv_carries_avx512, /* the same by the same, many products */
#elif defined(__aarch64__)
    &conv_neon,    /* any convolution */
    &conv_neondot, /* any */
    &dwconv_neon,  /* depthwise */
#endif
};
const int conv_kernel_count = sizeof conv_kernels / sizeof *conv_kernels;

const char *kernel_family_name(enum kernel_family f)
{
    static const char *const names[FAMILY_COUNT] = {"reference", "decode",    "planes", "tables",
                                                    "winograd",  "depthwise", "stream"};
    return names[f];
}

bool conv_kernel_can(const struct conv_kernel *k, const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    return (w->block == 0 || k->block_scales) && k->can(g, a_bits, w);
}

const struct conv_kernel *conv_kernel_find(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    const struct conv_kernel *best = conv_kernels[0];
    for (int i = 1; i < conv_kernel_count; i++)
        if (isa_enabled(conv_kernels[i]->isa) && conv_kernel_can(conv_kernels[i], g, a_bits, w))
            best = conv_kernels[i];
    return best;
}

const struct matmul_kernel *const matmul_kernels[] = {
    &matmul_c,
#if defined(__x86_64__)
    &matmul_avx2,
    &matmul_avx512,
#elif defined(__aarch64__)
    &matmul_neon,
    &matmul_neondot,
#endif
};
const int matmul_kernel_count = sizeof matmul_kernels / sizeof *matmul_kernels;

const struct matmul_kernel *matmul_kernel_best(void)
{
    const struct matmul_kernel *best = matmul_kernels[0];
    for (int i = 1; i < matmul_kernel_count; i++)
        if (isa_enabled(matmul_kernels[i]->isa))
            best = matmul_kernels[i];
    return best;
}

const struct vec_kernels *const vec_kernel_tables[] = {
    &vec_c,
#if defined(__x86_64__)
    &vec_avx2,
    &vec_avx512,
#elif defined(__aarch64__)
    &vec_neon,
#endif
};
const int vec_kernel_table_count = sizeof vec_kernel_tables / sizeof *vec_kernel_tables;

const struct vec_kernels *vec_kernels_best(void)
{
    const struct vec_kernels *best = vec_kernel_tables[0];
    for (int i = 1; i < vec_kernel_table_count; i++)
        if (isa_enabled(vec_kernel_tables[i]->isa))
            best = vec_kernel_tables[i];
    return best;
}
