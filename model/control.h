/* SPDX-License-Identifier: MIT
 *
 * If and Loop, where what decides is known at import: the nodes of the branch that is taken, or of every turn, take the
 * operator's place. Private to model/.
 */
#ifndef BITFADER_MODEL_CONTROL_H
#define BITFADER_MODEL_CONTROL_H

#include "model/import.h"

/* The node is an If or a Loop. */
bool control_is(const struct onnx_node *n);
/* Imports what it comes to. -1 with a message when that is not known at import, or too much. */
int control_import(struct build *b, struct source *s);
/* What is imported now will be imported again: its data must stay. */
bool control_repeats(const struct build *b);
void control_done(struct build *b);

#endif
