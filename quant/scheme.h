/* SPDX-License-Identifier: MIT
 *
 * Schemes: how a weight becomes a small integer code. A row a scheme, each in a file of its own (scheme_NAME.c); names,
 * widths and help everywhere follow from the rows.
 */
#ifndef BITFADER_QUANT_SCHEME_H
#define BITFADER_QUANT_SCHEME_H

#include <stdbool.h>

struct quant_weights; /* quant/weights.h */

/* The order of scheme_table. */
enum scheme { SCHEME_UNIFORM, SCHEME_BINARY, SCHEME_COUNT };

struct scheme_row {
    const char *name;
    const char *brief; /* three letters */
    const char *help;
    int min_bits, max_bits; /* of the codes */
    /* Chooses levels, scales and codes for w [cout][k]; q has its sizes, bits and memory. granularity, range: enums of
     * quant/precision.h and quant/range.h. */
    void (*fit)(const float *w, int granularity, int range, struct quant_weights *q);
};
extern const struct scheme_row *const scheme_table[SCHEME_COUNT];

const char *scheme_name(int scheme);
const char *scheme_brief(int scheme);
/* Whether the scheme has codes of that width. */
bool scheme_has(int scheme, int bits);
/* The first that has codes of that width (1..8). */
int scheme_of_width(int bits);

#endif
