/* SPDX-License-Identifier: MIT
 *
 * The layers of a graph as the desk shows them.
 */
#ifndef BITFADER_UI_DESK_MODEL_H
#define BITFADER_UI_DESK_MODEL_H

#include "model/graph.h"
#include "ui/desk_state.h"

/* Borrows names from the graph. Release with desk_model_free. */
struct desk_model *desk_model_new(const struct graph *g);
void desk_model_free(struct desk_model *m);

#endif
