/* SPDX-License-Identifier: MIT
 *
 * From an ONNX file to a graph: the face of everything in model/ that imports.
 */
#ifndef BITFADER_MODEL_GRAPH_LOAD_H
#define BITFADER_MODEL_GRAPH_LOAD_H

#include "model/graph.h"

/* What the caller knows better than the file. */
struct graph_input {
    const char *name;
    struct shape shape;  /* n < 0: as the file says */
    struct array value;  /* fixed: it is a constant from here on. DTYPE_NONE: not */
    const char *numbers; /* the same as text, of whatever type the input has: "16000", "1,2,3". NULL: not */
};
struct graph_options {
    bool keep_batch; /* a batch dimension that the file fixes stays; otherwise it is taken as 1 */
    const struct graph_input *inputs;
    int n_inputs;
    const char *folder; /* where external data may be; graph_load_with takes the model's own */
};

/* Reads, checks, folds and fuses. NULL with one line in e on anything that is not a usable model: the message names the
 * file and the node. The caller frees. */
struct graph *graph_load(const char *file, struct err *e);
struct graph *graph_load_with(const char *file, const struct graph_options *o, struct err *e);
/* The same from memory; file is the name for messages. Used by tests and fuzzing. */
struct graph *graph_parse(const char *file, const void *bytes, size_t n, struct err *e);
/* Both with options (NULL: none). *wants, where not NULL: when a shape depends on the value of a graph input, that
 * input's index in the file, else -1. */
struct graph *graph_parse_with(const char *file, const void *bytes, size_t n, const struct graph_options *o, int *wants,
                               struct err *e);

#endif
