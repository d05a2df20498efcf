/* SPDX-License-Identifier: MIT
 *
 * Precision: what one layer's weights and input activation are stored and computed in. Plain data.
 */
#ifndef BITFADER_QUANT_PRECISION_H
#define BITFADER_QUANT_PRECISION_H

#include <stdbool.h>
#include <stdint.h>

enum { BITS_FLOAT = 0, BITS_MAX = 8 }; /* bits 1..8; 0 leaves the tensor in fp32 */

enum granularity { GRANULARITY_TENSOR, GRANULARITY_CHANNEL, GRANULARITY_COUNT };

/* Rows of scheme_table (quant/scheme.h) and range_table (quant/range.h), in this order. */
enum scheme { SCHEME_UNIFORM, SCHEME_BINARY, SCHEME_COUNT };
enum range_method { RANGE_MINMAX, RANGE_PERCENTILE, RANGE_MSE, RANGE_COUNT };

struct precision {
    uint8_t w_bits;      /* 0 (fp32), 1..8; 1 bit is binary: -scale, +scale */
    uint8_t a_bits;      /* of the layer's input; 0 (fp32), 1..8 */
    uint8_t scheme;      /* enum scheme: of the weights. Binary exists at 1 bit only, uniform from 2 bits */
    uint8_t granularity; /* enum granularity: what shares a weight scale */
    uint8_t range;       /* enum range_method: for weights and activations */
};

/* w8a8, uniform, per channel, MSE ranges. */
struct precision precision_default(void);

/* w and a bits into p, with the scheme that the width needs (1 bit: binary, else uniform unless it fits already). */
void precision_set_w(struct precision *p, int bits);
void precision_set_a(struct precision *p, int bits);

bool precision_equal(const struct precision *a, const struct precision *b);
/* Whether weights are quantized alike. */
bool precision_same_weights(const struct precision *a, const struct precision *b);
/* True when scheme and bits go together. */
bool precision_valid(const struct precision *p);
/* True when the layer runs on integer kernels: both sides quantized. */
bool precision_is_integer(const struct precision *p);

/* "w4a8", "fp32" (both float), "w4a32". Returns out. */
char *precision_text(const struct precision *p, char out[16]);

/* Names used in files, tables and on screen: "uniform"; "channel"; "mse". -1 when the name is unknown. */
const char *scheme_name(int scheme);
const char *granularity_name(int granularity);
const char *range_name(int range);
int scheme_find(const char *name);
int granularity_find(const char *name);
int range_find(const char *name);

#endif
