/* SPDX-License-Identifier: MIT
 *
 * An ONNX file in plain structs: what the reader gave, with the parts checked that can be checked one by one. It knows
 * nothing of operators. This is the only face of the protobuf code.
 *
 * The file is read from front to back and never held as a whole: each tensor is in memory once, in its own block, which
 * onnx_tensor_take hands over.
 *
 * Invariants: ranks are at most SHAPE_MAX; no string is NULL; everything lives until onnx_done.
 */
#ifndef BITFADER_MODEL_ONNX_H
#define BITFADER_MODEL_ONNX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "ops/op.h"

struct onnx_tensor {
    const char *name;
    int onnx_type; /* TensorProto.DataType */
    struct array
        value; /* data is a block of mem_new_unset, NULL when it was taken; DTYPE_NONE: not of a type we read */
};

struct onnx_node {
    const char *name, *op_type, *domain;
    int n_in, n_out, n_attr;
    const char *const *in, *const *out; /* "" is an optional one that is left out */
    const struct attr *attr;
    struct onnx_tensor *tensor; /* the only attribute that is a tensor, or NULL */
};

/* A sub-graph, as the file has it: onnx_read_subgraph makes a model of it. */
struct onnx_subgraph {
    const uint8_t *bytes;
    size_t n;
};

/* A declared tensor: type 0 and rank -1 where the file does not say; -1 for a dimension that is a symbol or unknown. */
struct onnx_value {
    const char *name;
    int type, rank;
    int64_t d[SHAPE_MAX];
};

struct onnx_opset {
    const char *domain; /* "" is ONNX's own */
    int64_t version;
};

struct onnx_model {
    struct arena arena;
    int64_t ir_version, opset; /* opset of the default domain, 0 when the file names none */
    struct onnx_opset *opsets; /* of all domains */
    int n_opsets;
    const char *producer;
    char fingerprint[40]; /* of a file's bytes */
    struct onnx_node *nodes;
    struct onnx_tensor *initializers;
    struct onnx_value *inputs, *outputs, *values;
    int n_nodes, n_initializers, n_inputs, n_outputs, n_values;
    bool has_subgraphs;   /* some node has one */
    int64_t tensor_bytes; /* of initializers and attributes */
    const char *folder;
    struct onnx_tensor **tensors; /* of attributes */
    int n_tensors;
    char *small; /* where small strings and structs go */
    size_t small_left;
};

/* Reads and checks. folder: where data files may be, which must outlive m; NULL: nowhere. 0, or -1 with a message that
 * names the file; either way onnx_done releases what is there. */
int onnx_read_file(struct onnx_model *m, const char *path, const char *folder, struct err *e);
int onnx_read(struct onnx_model *m, const char *file, const char *folder, const void *bytes, size_t n, struct err *e);
/* The graph alone; bytes need not stay. */
int onnx_read_subgraph(struct onnx_model *m, const char *file, const char *folder, const struct onnx_subgraph *g,
                       struct err *e);
void onnx_done(struct onnx_model *m);

/* The type that a tensor is read as: its own, float for the half types; DTYPE_NONE for what is not read (strings,
 * complex). */
enum dtype onnx_dtype(int onnx_type);
/* The data is the caller's from here on, to be released with mem_free. */
struct array onnx_tensor_take(struct onnx_tensor *t);
/* A TensorProto by itself, as test data comes; released with onnx_done. */
int onnx_read_tensor(struct onnx_model *m, const void *bytes, size_t n, struct array *out, const char **name,
                     struct err *e);

/* name fit to be shown: printable ASCII without quotes, shortened when very long. Lives in the arena. */
const char *onnx_name_show(struct arena *a, const char *name);

#endif
