/* SPDX-License-Identifier: MIT
 *
 * Rewrites of the built graph that keep what it computes: padding and per-channel lines go into convolutions and fully
 * connected layers, clamps into the node before them. Not here: what is constant (folded while importing) and what
 * leads nowhere (left out by build_finish).
 */
#ifndef BITFADER_MODEL_PASSES_H
#define BITFADER_MODEL_PASSES_H

#include "model/build.h"

/* All of them. -1 with a message when the constants grow beyond their limit. */
int passes_run(struct build *b);

/* passes_layout.c: pairs of Transposes cancel, Reshapes merge, and both sink below what does not care. */
int passes_layout(struct build *b);

/* passes_lines.c: n is a line per channel (batch-norm, a constant factor or addend). It goes into the layer before it;
 * or, with the line before it, into one. uses: as build_count_uses says. */
int passes_fold_line(struct build *b, const int *uses, struct node *n);
/* A line before layer n goes into its weights. */
int passes_fold_input_line(struct build *b, const int *uses, struct node *n);

/* The node that makes input k of n, when n is the only one that reads it; NULL otherwise. */
struct node *passes_sole_producer(struct build *b, const int *uses, const struct node *n, int k);
/* first takes over the output of last, which is removed. */
void passes_absorb(struct build *b, struct node *first, struct node *last);
bool passes_is_clamped(const struct node *n);
bool passes_is_convolution(const struct node *n); /* or a transposed one */

#endif
