/* SPDX-License-Identifier: MIT
 *
 * Lattices of a model that is quantized already: found where import folds DequantizeLinear, Quant and BipolarQuant,
 * kept through what only moves or scales a constant, spread over the graph behind rounding nodes, and at the end read
 * as the precision that each layer has of its own. Constants keep their float values; a lattice says which integers
 * they are.
 *
 * A lattice that the values turn out not to lie on is dropped: having none is always right.
 */
#ifndef BITFADER_MODEL_LATTICE_H
#define BITFADER_MODEL_LATTICE_H

#include "model/build.h"

/* A lattice of one scale for what a rounding node makes. */
const struct lattice *lattice_new(struct arena *a, float scale, int lo, int hi, bool binary);
bool lattice_equal(const struct lattice *a, const struct lattice *b);
const struct lattice *lattice_copy(struct arena *a, const struct lattice *lattice); /* NULL stays NULL */

/* Constant t lies on a lattice of these scales, if it does. */
void lattice_put(struct build *b, int t, int bits, bool binary, const float *scale, int n_scales, int axis);
/* After folding: output t of the call has the lattice that the operator gives. */
void lattice_fold(struct build *b, const struct source *s, const struct op_call *c, int t);
/* Constant `to` is constant `from` in another shape. */
void lattice_keep(struct build *b, int from, int to);
/* With its axes in another order (axis k of `to` is perm[k] of `from`) and times a factor. */
void lattice_move(struct build *b, int from, int to, const int *perm, float factor);
/* With channel c (axis 0) times factor[c * step]. */
void lattice_scale(struct build *b, int from, int to, const float *factor, int step);

/* On the finished graph: which results lie on lattices, and layer.own. */
void lattice_find_own(struct graph *g);

#endif
