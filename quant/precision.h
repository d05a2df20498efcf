/* SPDX-License-Identifier: MIT
 *
 * Precision: what one layer's weights and input activation are stored and computed in. Plain data.
 */
#ifndef BITFADER_QUANT_PRECISION_H
#define BITFADER_QUANT_PRECISION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quant/range.h"
#include "quant/scheme.h"

enum { BITS_FLOAT = 0, BITS_MAX = 8 }; /* bits 1..8; 0 leaves the tensor in fp32 */

enum granularity { GRANULARITY_TENSOR, GRANULARITY_CHANNEL, GRANULARITY_COUNT };

struct precision {
    uint8_t w_bits;      /* 0 (fp32), 1..8; 1 bit is binary: -scale, +scale */
    uint8_t a_bits;      /* of the layer's input; 0 (fp32), 1..8 */
    uint8_t scheme;      /* enum scheme: of the weights; one that has their width */
    uint8_t granularity; /* enum granularity: what shares a weight scale */
    uint8_t range;       /* enum range_method: for weights and activations */
};

/* w8a8, uniform, per channel, MSE ranges. */
struct precision precision_default(void);

/* w and a bits into p; the scheme stays where it has that width, else it is the first that has. */
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

/* What a precision chooses by name, beside its bits. Whatever reads, writes, edits, lists or compares precisions goes
 * over these rows. */
enum { CHOICE_SCHEME, CHOICE_GRANULARITY, CHOICE_RANGE, CHOICE_COUNT };
struct precision_choice {
    const char *key; /* in profiles: "scheme" */
    int count;
    const char *(*name)(int value);  /* in files, tables and on screen: "uniform"; no two choices share a name */
    const char *(*brief)(int value); /* where room is scarce: "uni" */
    size_t offset;                   /* of its uint8_t */
};
extern const struct precision_choice precision_choices[CHOICE_COUNT];

int precision_get(const struct precision *p, int choice);
void precision_put(struct precision *p, int choice, int value);
/* The value of that name; -1 when there is none. */
int precision_find(int choice, const char *name);
const char *granularity_name(int granularity);

#endif
