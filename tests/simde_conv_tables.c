/* SPDX-License-Identifier: MIT
 *
 * The convolutions by product tables compiled to portable code, so that check_kernels runs their logic on any x86-64.
 */
#if defined(__x86_64__)
#define BITFADER_SIMDE
#define conv_tables_avx512   conv_tables_avx512_simde
#define tables_tile_channels tables_tile_channels_simde
#define tables_tile_pixels   tables_tile_pixels_simde
#define tables_make_image    tables_make_image_simde
#define tables_make_pixels   tables_make_pixels_simde
#define tables_unpack        tables_unpack_simde
#include "kernels/x86/conv_tables_avx512vbmi.c"
#include "kernels/x86/product_tables_avx512vbmi.c"
#endif
