/* SPDX-License-Identifier: MIT
 *
 * An ONNX file in plain structs: what the protobuf reader gave, with the parts checked that can be checked one by one.
 * It knows nothing of operators. This is the only face of the protobuf code.
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
#include "model/graph.h"

enum { /* TensorProto.DataType */
       ONNX_FLOAT = 1,
       ONNX_UINT8,
       ONNX_INT8,
       ONNX_UINT16,
       ONNX_INT16,
       ONNX_INT32,
       ONNX_INT64,
       ONNX_STRING,
       ONNX_BOOL,
       ONNX_FLOAT16,
       ONNX_DOUBLE,
       ONNX_UINT32,
       ONNX_UINT64
};

enum attr_type { ATTR_FLOAT = 1, ATTR_INT, ATTR_STRING, ATTR_TENSOR, ATTR_GRAPH, ATTR_FLOATS, ATTR_INTS };

struct onnx_tensor {
    const char *name;
    int type;
    struct shape shape; /* dimensions >= 0; the count is below 2^31 */
    int64_t count;
    const void *proto; /* where onnx_tensor_decode finds the data */
};

struct onnx_attr {
    const char *name;
    int type; /* enum attr_type, or another number that we do not read */
    int64_t i;
    float f;
    const char *s;
    size_t n; /* of ints or floats */
    const int64_t *ints;
    const float *floats;
    const struct onnx_tensor *t; /* NULL when there is none */
};

struct onnx_node {
    const char *name, *op_type, *domain;
    int n_in, n_out, n_attr;
    const char *const *in, *const *out; /* "" is an optional one that is left out */
    const struct onnx_attr *attr;
};

/* A declared tensor: type 0 and rank -1 where the file does not say; -1 for a dimension that is a symbol or unknown. */
struct onnx_value {
    const char *name;
    int type, rank;
    int64_t d[SHAPE_MAX];
};

struct onnx_model {
    struct arena arena;
    int64_t ir_version, opset; /* opset of the default domain, 0 when the file names none */
    const char *producer;
    struct onnx_node *nodes;
    struct onnx_tensor *initializers;
    struct onnx_value *inputs, *outputs, *values;
    int n_nodes, n_initializers, n_inputs, n_outputs, n_values;
    void *proto;
};

/* Unpacks and checks. 0, or -1 with a message that names the file; either way onnx_done releases what is there. */
int onnx_read(struct onnx_model *m, const char *file, const void *bytes, size_t n, struct err *e);
void onnx_done(struct onnx_model *m);

/* DTYPE_F32 for the float types, DTYPE_I64 for integers and bool; -1 for types that are not read (strings, complex). */
int onnx_type_class(int onnx_type);
/* Converts the data into out: count floats or int64s, as onnx_type_class says. -1 when its length does not match. */
int onnx_tensor_decode(const struct onnx_tensor *t, void *out, struct err *e);

/* name fit to be shown: printable ASCII without quotes, shortened when very long. Lives in the arena. */
const char *onnx_name_show(struct arena *a, const char *name);

#endif
