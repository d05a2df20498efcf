/* SPDX-License-Identifier: MIT
 *
 * A reference for tests: what a graph means, in the plainest loops. It is the definition of model/graph.h's operators
 * written down once more, without any of the engine's code. Double accumulators.
 */
#ifndef BITFADER_TESTS_GRAPH_EVAL_H
#define BITFADER_TESTS_GRAPH_EVAL_H

#include "model/graph.h"

/* Values of every tensor, [n_tensors], in one arena; inputs[i] holds the i-th graph input. */
float **graph_eval(const struct graph *g, const float *const *inputs, struct arena *a);

#endif
