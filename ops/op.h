/* SPDX-License-Identifier: MIT
 *
 * What ONNX operators mean (github.com/onnx/onnx, docs/Operators.md): one row and two functions each. `infer` tells the
 * types and shapes of the outputs, `run` computes them. Import folds constants with them, the engine runs with them
 * whatever it has no kernel of its own for, and tests hold the engine's kernels against them.
 *
 * The functions know nothing of graphs and files, keep no state, and may run in several threads at once, each with a
 * call of its own.
 */
#ifndef BITFADER_OPS_OP_H
#define BITFADER_OPS_OP_H

#include "ops/array.h"

enum attr_type { ATTR_FLOAT = 1, ATTR_INT, ATTR_STRING, ATTR_TENSOR, ATTR_GRAPH, ATTR_FLOATS, ATTR_INTS, ATTR_STRINGS };

struct attr {
    const char *name;
    int type; /* enum attr_type, or another number that nobody reads */
    int64_t i;
    float f;
    const char *s;
    size_t n; /* of ints, floats or strings */
    const int64_t *ints;
    const float *floats;
    const char *const *strings;
    struct array t;    /* of ATTR_TENSOR, with its data */
    const void *graph; /* of ATTR_GRAPH: the importer's */
};

struct op_row;

struct op_call {
    const struct op_row *row;
    const struct attr *attr;
    int n_attr;
    int opset; /* of the operator's domain */
    int n_in, n_out;
    const struct array *in; /* [n_in]; DTYPE_NONE where left out. infer: data where the value is known */
    struct array *out; /* [n_out]; infer sets type and shape, run fills data. DTYPE_NONE before infer: nobody reads it,
                          but infer sets it all the same */
    size_t work_bytes; /* infer: memory that run needs, 0 unless set */
    void *work;        /* run: that memory, 64-byte aligned, contents undefined */
    int wants;         /* set with OP_WANTS_VALUE */
    const char **mistyped; /* where not NULL: set to an attribute that was asked for and has another type */
};

/* infer's result when the shape depends on the value of an input that is not known: its index is in call->wants. */
enum { OP_WANTS_VALUE = 1 };

struct op_row {
    const char *name;
    const char *domain; /* "" is ONNX's own */
    int min_in, max_in; /* inputs 0..min_in-1 must be there */
    int max_out;
    unsigned flags;
    /* 0, OP_WANTS_VALUE, or -1 with a message that says what is wrong (without file and node: the caller knows). The
     * number of inputs is within the row's limits. Checks everything that run relies on but values that come later. */
    int (*infer)(struct op_call *c, struct err *e);
    /* All data is there, out's too. NULL, or what is wrong with the values ("index out of range"). Memory safe whatever
     * the values. */
    const char *(*run)(const struct op_call *c);
};

enum op_flag {
    OP_ELEMENTWISE = 1, /* output element i depends on element i of equally shaped inputs, and on scalars */
    OP_RESHAPES = 2,    /* output 0 has input 0's elements in their order: no work but a copy */
    OP_RANDOM = 4,      /* never folded */
    OP_OF_SHAPES = 8,   /* run looks at the shapes of inputs alone */
    OP_KEEPS = 16,      /* when output 0 has input 0's type and shape, it has its elements too */
    OP_GENTLE = 32      /* beside OP_ELEMENTWISE, of one output: no steeper than a small factor, so that codes of 8 bits
                           give good codes of 8 bits. Activations are; Log and Reciprocal are not. The engine then runs
                           it on codes, by a table. */
};

/* NULL when there is none. domain "" and "ai.onnx" are the same. */
const struct op_row *op_find(const char *domain, const char *name);
/* Row i of all, in no order that means anything; NULL after the last. */
const struct op_row *op_row(int i);

/* Rows stand with their functions, family by family; each list ends with a row without a name. A new family is one line
 * here and one in op.c. */
extern const struct op_row ops_unary[], ops_binary[], ops_logic[], ops_cast[];                /* element by element */
extern const struct op_row ops_reduce[], ops_search[], ops_normalize[], ops_loss[];           /* along axes */
extern const struct op_row ops_reshape[], ops_move[], ops_pad[], ops_gather[], ops_scatter[]; /* elements moved */
extern const struct op_row ops_make[], ops_resize[];                                          /* new elements */
extern const struct op_row ops_quantize[], ops_integer[], ops_einsum[];                       /* integers with scales */
extern const struct op_row ops_conv[], ops_pool[], ops_matmul[], ops_recurrent[];             /* windows and products */

/* --- for the functions of rows -------------------------------------------------------------------------------------
 */

/* Input i is there. */
bool op_has(const struct op_call *c, int i);
/* Input i's value is known; else sets call->wants. For infer: if (!op_value(c, 1)) return OP_WANTS_VALUE; */
bool op_value(struct op_call *c, int i);

/* Attribute of this name and type; NULL when there is none, or it has another type. */
const struct attr *op_attr(const struct op_call *c, const char *name, int type);
int64_t op_attr_int(const struct op_call *c, const char *name, int64_t otherwise);
float op_attr_float(const struct op_call *c, const char *name, float otherwise);
const char *op_attr_string(const struct op_call *c, const char *name, const char *otherwise);

/* A list of integers that is an attribute in older opsets and an input in newer ones (input -1: never). At most max. *n
 * is -1 when the node has neither. 0, -1, or OP_WANTS_VALUE. */
int op_int_list(struct op_call *c, const char *attr, int input, int max, int64_t *out, int *n, struct err *e);

/* axis counted from the end when negative, to 0..rank-1; -1 with a message. */
int op_axis(int64_t axis, int rank, int *out, struct err *e);

/* The i-th of an array of INT64 or INT32 indices into a dimension of length d, negative ones from its end; -1 when it
 * is outside. */
int64_t op_index(const struct array *indices, int64_t i, int64_t d);

/* Sets output k. -1 with a message when a dimension is negative or the number of elements is above ARRAY_MAX. */
int op_output(struct op_call *c, int k, enum dtype type, const struct shape *shape, struct err *e);
enum { ARRAY_MAX = 1 << 30 }; /* elements of one array */

/* -1 with a message that names the operator, the input and what it may be, when input k is there and has another type.
 */
int op_check_float(const struct op_call *c, int k, struct err *e);  /* F32 or F64 */
int op_check_number(const struct op_call *c, int k, struct err *e); /* floats and integers */
int op_check_type(const struct op_call *c, int k, enum dtype type, struct err *e);
int op_check_same(const struct op_call *c, int a, int b, struct err *e); /* inputs a and b have one type */

/* Walks the elements of `to` (row-major) with offsets into two arrays that broadcast to it: at each call the next pair.
 * Rows of `inner` elements have constant steps, so that callers loop over them without it. */
struct op_walk {
    int n;
    int64_t d[SHAPE_MAX], a[SHAPE_MAX], b[SHAPE_MAX], at[SHAPE_MAX];
    int64_t rows, inner, step_a, step_b; /* elements in a row and their steps in a and b */
    int64_t offset_a, offset_b;          /* of the current row */
};
void op_walk_begin(struct op_walk *w, const struct shape *to, const struct shape *a, const struct shape *b);
void op_walk_next(struct op_walk *w); /* to the next row */

/* infer of operators on two arrays: the output has that type and the shape that both broadcast to. The second one's
 * shape as it lies on the first: before opset 7 by broadcast and axis, since then as it is. */
int op_infer_pair(struct op_call *c, enum dtype type, struct err *e);
struct shape op_old_broadcast(const struct op_call *c);

/* infer of operators with one input and an output like it. */
int op_infer_same(struct op_call *c, struct err *e);        /* any type */
int op_infer_same_float(struct op_call *c, struct err *e);  /* floats only */
int op_infer_same_number(struct op_call *c, struct err *e); /* floats and integers */
/* run of operators that only reshape. */
const char *op_run_copy(const struct op_call *c);

#endif
