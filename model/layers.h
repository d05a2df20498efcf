/* SPDX-License-Identifier: MIT
 *
 * The layers of a finished graph: names, kinds, sizes, and which of them read the same tensor.
 */
#ifndef BITFADER_MODEL_LAYERS_H
#define BITFADER_MODEL_LAYERS_H

#include <stdbool.h>

#include "model/graph.h"

/* Fills g->layers and what depends on them. -1 with a message when counts leave the range of 64 bits. */
int layers_find(struct graph *g, struct err *e);

/* Whether nodes of this kind take a precision; row is that of a call. */
bool layers_are_made_of(enum op op, const struct op_row *row);

#endif
