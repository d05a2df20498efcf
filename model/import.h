/* SPDX-License-Identifier: MIT
 *
 * From the plain ONNX model to a built graph. Private to model/.
 */
#ifndef BITFADER_MODEL_IMPORT_H
#define BITFADER_MODEL_IMPORT_H

#include "model/build.h"

/* Everything, from b->model to what build_finish copies. */
int import_model(struct build *b);
/* The model's input whose value would decide a shape, when that was what failed; -1. */
int import_wanted(const struct build *b);

/* import_inputs.c */
int import_initializers(struct build *b);
int import_inputs(struct build *b);
/* One initializer as a constant of that name; again: its data is copied, because more will come of it. */
int import_initializer(struct build *b, struct onnx_tensor *t, const char *name, bool again);

/* import_sort.c: order[i] is the node that comes at place i, file order where that is good. -1 with a message on
 * cycles, on names that nobody makes and those that two make. */
int import_sort(struct build *b, const struct onnx_node *nodes, int n, int *order);

/* Nodes in any order, which see what is bound. declared: indices of b->model's values, then outputs, by name. */
int import_nodes(struct build *b, const struct onnx_node *nodes, int n, const struct names *declared);
/* A node that no file has, of ONNX's own operators as they are in that opset. in: n->n_in tensors. */
int import_made(struct build *b, const struct onnx_node *n, const int *in, int opset);
/* Reads s->node's inputs into s->in, [max(n_in, min_in)]. -1 when one of the first min_in is missing, there are too
 * many, or no output has a name. */
int import_operands(struct build *b, struct source *s, int min_in, int max_in, int max_out);

/* "OPTYPE_INDEX" for nodes without a name. */
const char *import_node_name(struct build *b, const struct onnx_node *n, int i);
/* "FILE: tensor "NAME" WHAT"; returns -1. */
int import_fail_tensor(struct build *b, const char *name, const char *what);

#endif
