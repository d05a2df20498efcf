/* SPDX-License-Identifier: MIT
 *
 * The convolution by product tables with pixels in lanes compiled to portable code; what it shares with the other is in
 * simde_conv_tables.c.
 */
#if defined(__x86_64__)
#define BITFADER_SIMDE
#define conv_pixels_avx512   conv_pixels_avx512_simde
#define tables_tile_channels tables_tile_channels_simde
#define tables_tile_pixels   tables_tile_pixels_simde
#define tables_make_image    tables_make_image_simde
#define tables_make_pixels   tables_make_pixels_simde
#define tables_unpack        tables_unpack_simde
#include "kernels/x86/conv_pixels_avx512vbmi.c"
#endif
