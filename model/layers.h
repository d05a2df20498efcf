/* SPDX-License-Identifier: MIT
 *
 * The layers of a finished graph: names, kinds, sizes, and which of them read the same tensor.
 */
#ifndef BITFADER_MODEL_LAYERS_H
#define BITFADER_MODEL_LAYERS_H

#include "model/graph.h"

/* LSTM, GRU and RNN: layers where their weights are constant. */
bool layers_is_recurrent(const struct op_row *row);

/* Fills g->layers and what depends on them. -1 with a message when counts leave the range of 64 bits. */
int layers_find(struct graph *g, struct err *e);

#endif
