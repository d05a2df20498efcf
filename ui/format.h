/* SPDX-License-Identifier: MIT
 *
 * Numbers and names as the screen writes them: fixed decimals so that digits align, a true minus, a dot for what is not
 * known, names cut in the middle. UTF-8; a cell for each code point.
 */
#ifndef BITFADER_UI_FORMAT_H
#define BITFADER_UI_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quant/precision.h"

/* The next code point of s and the number of its bytes; a byte that is not UTF-8 gives U+FFFD and 1. */
int format_next(const char *s, uint32_t *code);
void format_utf8(uint32_t code, char out[5]);
int format_cells(const char *s);

struct scale { /* what a column or a line of numbers is written in */
    const char *unit;
    double divisor;
    int decimals;
};
/* us, ms or s with three digits for a value of this many nanoseconds; NAN gives ms. */
struct scale format_time_scale(double ns);
/* KiB, or MiB from 10,000 KiB on. */
struct scale format_size_scale(double bytes);
struct scale format_energy_scale(double microjoules);

/* "84.71"; a dot when v is NAN. All return out. */
char *format_number(char out[24], double v, int decimals);
/* "+0.09" or a true minus; what rounds to zero has no sign; a dot when v is NAN. */
char *format_signed(char out[24], double v, int decimals);
/* ".55", "1.2", "12": an error in at most three cells. */
char *format_error(char out[24], double v, int decimals);
/* "2.94x", "12.0x", "120x": how many times. */
char *format_times(char out[24], double v);
/* s in at most width cells: a longer one loses ends of its words first, then its middle. */
char *format_name(char *out, size_t size, const char *s, int width);

/* "uni/ch", "bin/t", and with the range method "uni/ch mse"; "fp32" where weights are not quantized. Returns out. */
char *format_choices(const struct precision *p, bool range, char out[16]);
/* "8", "fp": bits in two cells. */
const char *format_bits(int bits);

#endif
