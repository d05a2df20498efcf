/* SPDX-License-Identifier: MIT
 *
 * A tweak: what an edit does to a layer's precision, whatever that was. Made by keys, or from text as ":set" takes it:
 * "w4", "a8", "w4a8", "fp32", "w+1", "tensor", "channel", "minmax", "percentile", "mse", "lock", "unlock", several with
 * commas between.
 */
#ifndef BITFADER_UI_TWEAK_H
#define BITFADER_UI_TWEAK_H

#include <stdbool.h>

#include "base/err.h"
#include "quant/precision.h"

struct tweak {
    bool has_w, has_a, has_granularity, has_range, has_lock;
    int w, a; /* bits, 0 for fp32 */
    int granularity, range;
    int step_w, step_a; /* bits more or fewer; fp32 stands above 8 */
    int cycle;          /* places forward in the list of granularities and range methods */
    bool lock;
};

int tweak_parse(struct tweak *s, const char *text, struct err *e);
void tweak_apply(const struct tweak *s, struct precision *p);
/* "W4", "W4 A8", "one bit less", "tensor". Returns out. */
char *tweak_text(const struct tweak *s, char out[64]);

/* "uni/ch", "bin/t", and with the range method "uni/ch mse"; "fp32" where weights are not quantized. Returns out. */
char *tweak_scheme_text(const struct precision *p, bool range, char out[16]);
/* "8", "fp": bits in two cells. */
const char *tweak_bits_text(int bits);

#endif
