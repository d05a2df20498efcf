/* SPDX-License-Identifier: MIT
 *
 * A graph under construction: growing lists of tensors and nodes that lower*.c appends to in topological order, that
 * passes*.c rewrites, and that build_finish copies into a struct graph. Private to model/.
 *
 * Invariants: tensor names are bound once; constants and shapes are checked when they are made, so that nobody
 * multiplies an unchecked size. Pointers to nodes and tensors hold until the next one is made.
 */
#ifndef BITFADER_MODEL_BUILD_H
#define BITFADER_MODEL_BUILD_H

#include <stdbool.h>

#include "model/graph.h"
#include "model/names.h"
#include "model/onnx.h"

/* What the import knows of a tensor beside what the graph will say. */
struct hold {
    int block;     /* where its data is, an index of build.blocks; -1: it has none */
    int readers;   /* nodes of the file that are not imported yet and outputs of the model that read it */
    int users;     /* operands of built nodes that are it */
    bool released; /* nobody can read it any more: its data is gone */
};

/* A block of data that one or more constants share. */
struct block {
    void *data;
    int64_t bytes;
    int holders;
};
struct twin;

struct build {
    struct arena arena; /* names and shapes of the import; the graph gets copies */
    const char *file;
    struct err *e;
    struct onnx_model model;
    struct tensor *tensors;
    struct node *nodes; /* op is OP_COUNT: removed by a pass */
    struct hold *holds; /* [n_tensors] */
    struct block *blocks;
    int n_tensors, cap_tensors, n_nodes, cap_nodes, n_blocks, cap_blocks;
    struct names bound;   /* tensor names of the file that have a tensor by now */
    struct names readers; /* how often each name is read by nodes of the file and outputs of the model */
    int64_t const_bytes;  /* of all blocks */
    int64_t file_bytes;   /* of the tensors that the file holds */
    double fold_work;     /* done by now, see fold.h */
    struct scope *scope;  /* control.c: the sub-graph that is imported, NULL outside */
    struct control *control;
    struct twin *twins; /* codes that are read as floats too: lower_quantized.c */
    int n_twins, cap_twins;
    int64_t batch; /* a fixed batch dimension of the file that was taken as 1, else 1 */
    int *inputs, n_inputs;
    int *outputs, n_outputs;
    bool failed;                         /* an attribute could not be read: e is set */
    const struct graph_options *options; /* model/graph_load.h */
    int wants; /* the tensor whose value would decide a shape, when that was what failed; -1 */
};

/* An ONNX node on its way in; node is NULL for an initializer or a graph input. */
struct source {
    const struct onnx_node *node;
    const char *name; /* never empty */
    const int *in;    /* tensor indices, -1 for those left out */
    int n_in;
    const struct op_call *call; /* with what its row in ops/ inferred; NULL before that */
};

/* "FILE: node "NAME": message", or "tensor" where the source has no node. Returns -1. */
int build_fail(struct build *b, const struct source *s, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Attributes. A wrong type sets b->failed and gives the default, so that callers read on. */
const struct attr *build_attr(struct build *b, const struct source *s, const char *name, int type);
int64_t build_attr_int(struct build *b, const struct source *s, const char *name, int64_t otherwise);
float build_attr_float(struct build *b, const struct source *s, const char *name, float otherwise);
const char *build_attr_string(struct build *b, const struct source *s, const char *name, const char *otherwise);

/* Input i, or -1 when the node leaves it out. */
int build_in(const struct source *s, int i);
/* The data of a constant float tensor, or NULL. Index -1 is fine. */
const float *build_floats(const struct build *b, int tensor);
/* A list of whole numbers that is an attribute in older opsets and a constant input in newer ones (input -1: never).
 * At most max. Sets *n to their number, -1 when the node has neither. */
int build_int_list(struct build *b, const struct source *s, const char *attr, int input, int max, int64_t *out, int *n);
/* axis counted from the end when negative, in 0..rank-1 or -1 with a message. */
int build_axis(struct build *b, const struct source *s, int64_t axis, int rank, int *out);

/* -1 with a message when a shape's element count is out of range. */
int build_check_count(struct build *b, const struct source *s, const char *name, const struct shape *shape);
/* A tensor with no data. The shape is copied. -1 with a message when its element count is out of range. */
int build_tensor(struct build *b, const struct source *s, const char *name, enum dtype type, const struct shape *shape);
/* Constants are in blocks, which go when nobody can read them any more, or to the graph. */
/* A constant, zeroed; *data is where its elements go. */
int build_constant(struct build *b, const struct source *s, const char *name, enum dtype type,
                   const struct shape *shape, void **data);
/* A constant of that value: build_array copies it, build_take takes the data over, which is of mem_new. */
int build_array(struct build *b, const struct source *s, const char *name, const struct array *value);
int build_take(struct build *b, const struct source *s, const char *name, const struct array *value);
/* Constant x in another shape. */
int build_alias(struct build *b, const struct source *s, const char *name, int x, const struct shape *shape);
/* Operand k of a node as a constant that may be changed, shape included, through *data: the operand itself where nobody
 * else reads it, else a copy that takes its place. */
int build_writable(struct build *b, const struct source *s, struct node *n, int k, void **data);
/* Tensor t takes the place of operand k, which is freed where nobody else reads it. */
void build_replace(struct build *b, struct node *n, int k, int t);
/* Counts users anew after nodes were removed, and frees the constants that have none. */
void build_recount(struct build *b);
/* A node of the file has read tensor t and its own nodes are built: a constant that nobody needs any more is freed. */
void build_release(struct build *b, int t);
/* Back to where there were that many of each. */
void build_rollback(struct build *b, int n_nodes, int n_tensors);
/* The file's name is this tensor from here on. */
void build_name_tensor(struct build *b, const char *name, int tensor);
/* An OP_CALL with a tensor for each output of the call, bound to the ONNX node's names. */
int build_call(struct build *b, const struct source *s, const struct op_call *c);
/* The name for a helper tensor or node beside this one: "NAME.suffix". */
const char *build_name(struct build *b, const struct source *s, const char *suffix);

/* Appends an engine node. With suffix NULL its output is output 0 of the ONNX node and is bound to that name; else it
 * is a step on the way with a made-up name. Refuses integer tensors, empty ones, and nodes of constants only. Sets *out
 * to the output tensor. The new node is b->nodes[b->n_nodes - 1]. */
int build_node(struct build *b, const struct source *s, enum op op, int n_in, const int *in, const struct shape *shape,
               const char *suffix, int *out);
/* Output k of the ONNX node is this tensor. */
void build_bind(struct build *b, const struct source *s, int k, int tensor);
/* Output 0 is tensor x in another shape: the same constant, the same tensor, or an OP_RESHAPE. */
int build_reshape(struct build *b, const struct source *s, int x, const struct shape *shape);
/* The same behind a node that is the ONNX node already: one of its helpers. */
int build_reshape_back(struct build *b, const struct source *s, int x, const struct shape *shape);
/* The same as a step on the way: *out is x in that shape. */
int build_reshape_step(struct build *b, const struct source *s, int x, const struct shape *shape, const char *suffix,
                       int *out);

/* Appends a node that is complete; its outputs get it as producer. */
struct node *build_append(struct build *b, const struct node *n);

/* What becomes of names. The node `gone` went into another one: its name and those that it carries do too. */
void build_fuse_names(struct build *b, struct node *into, const struct node *gone);
/* Names of nodes that vanished on the way to a tensor, the last one first. Each goes to one node. */
struct passed_name {
    const char *name;
    struct passed_name *next;
    bool taken; /* and all after it too */
};
void build_pass_names(struct build *b, struct node *into, struct passed_name *passed);

/* Removes nodes that lead to no output. */
void build_drop_dead(struct build *b);

/* "1x3x32x32", "scalar". */
const char *shape_show(struct arena *a, const struct shape *s);

/* Which nodes read a tensor: counts, graph outputs included. The caller frees. */
int *build_count_uses(const struct build *b);

/* Copies what is alive into a new graph: nodes that lead to an output, and their tensors. */
struct graph *build_finish(struct build *b);
void build_done(struct build *b);

#endif
