/* SPDX-License-Identifier: MIT
 *
 * Rewrites of the built graph that keep what it computes: padding and per-channel lines go into convolutions and fully
 * connected layers, clamps into the node before them. Not here: what is constant (folded while importing) and what
 * leads nowhere (left out by build_finish).
 */
#ifndef BITFADER_MODEL_PASSES_H
#define BITFADER_MODEL_PASSES_H

#include "model/build.h"

int passes_run(struct build *b); /* -1 with a message when the constants grow beyond their limit */

#endif
