/* SPDX-License-Identifier: MIT
 *
 * The quantization that a model brings along (struct lattice, model/graph.h) in the terms of this folder: scales and
 * codes that are the file's own, not fitted. Exact: the values that come out are those that went in.
 */
#ifndef BITFADER_QUANT_OWN_H
#define BITFADER_QUANT_OWN_H

#include "model/graph.h"
#include "quant/range.h"
#include "quant/weights.h"

/* The quantizer whose codes are the lattice's levels. False when they are more than the width has. A binary tensor at
 * two bits and more is -scale, 0, +scale: then 0.0 has a code, for padding. */
bool own_act_quant(const struct lattice *lattice, int bits, struct act_quant *q);

/* Weights [cout][k] on a lattice (axis 0) at p. NULL when it does not fit p's width and granularity. */
struct quant_weights *own_weights(const struct lattice *lattice, const float *w, int cout, int k,
                                  const struct precision *p);

/* A layer's own precision; fp32 where it has none. */
struct precision own_precision(const struct layer *l);

#endif
