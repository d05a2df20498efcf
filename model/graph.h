/* SPDX-License-Identifier: MIT
 *
 * The graph: an ONNX model after import. Nodes stand in topological order, every tensor has a shape, what could be
 * computed at import time is a constant, batch-norm is folded and clamps are fused. Shapes are those of one image
 * (batch dimension 1). Everything lives until graph_free.
 *
 * Invariants: node inputs and outputs are indices of tensors; -1 is an absent optional input. A tensor has data, or a
 * producer, or is a graph input. Constants are row-major.
 */
#ifndef BITFADER_MODEL_GRAPH_H
#define BITFADER_MODEL_GRAPH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "ops/op.h"

/* Values that are whole multiples of a scale: scale * level with lo <= level <= hi. Binary: -scale and +scale alone.
 * Never changed once made. */
struct lattice {
    int bits; /* as the file has them, 1..8; 1 is binary */
    bool binary;
    int lo, hi;         /* of a constant: the levels that occur */
    int axis, n_scales; /* 1: one for the whole tensor; else one for each place of the axis */
    const float *scale; /* [n_scales], >= 0 */
};

struct tensor {
    const char *name; /* as in the file */
    enum dtype type;
    struct shape shape;
    const void *data;              /* constant, or NULL */
    const struct lattice *lattice; /* that every value lies on, as far as import knows; else NULL */
    int producer;                  /* node index, or -1 */
};

/* Operators as the engine sees them; model/lower.c makes them of ONNX's. */
enum op {
    OP_CONV = 1, /* in: x, w [cout][cin/groups][kh][kw], bias or -1; out clamped to act_lo..act_hi */
    OP_GEMM,     /* in: x [..][rows][k] of 2 or 3 dimensions, w [n][k] constant (transposed and alpha-scaled at import),
                    bias [n] or -1; also MatMul with a constant */
    OP_CONV_TRANSPOSE, /* in: x, w [cout][cin/groups][kh][kw] (exchanged at import), bias or -1. Output (y, x) gets tap
                          (i, j) of the input at (y + pad_top - i * dilation) / stride where that is whole */
    OP_MATMUL,         /* in: a [..][m][k], b [..][k][n], neither constant; leading dimensions broadcast */
    OP_ADD,            /* broadcasting; clamped to act_lo..act_hi */
    OP_MUL,            /* broadcasting */
    OP_BATCHNORM,  /* in: x, scale, shift (constants per channel: y = x * scale + shift): only where it cannot be folded
                    */
    OP_CLIP,       /* act_lo..act_hi: Relu, Clip; only where it cannot be fused */
    OP_LEAKY_RELU, /* alpha */
    OP_SIGMOID,
    OP_HARD_SWISH,
    OP_SOFTMAX, /* axis */
    OP_MAX_POOL,
    OP_AVERAGE_POOL,
    OP_GLOBAL_AVERAGE_POOL,
    OP_RESHAPE,   /* Flatten, Reshape, Squeeze, Unsqueeze: same elements in row-major (NCHW) order, new shape */
    OP_TRANSPOSE, /* perm */
    OP_CONCAT,    /* axis */
    OP_PAD,       /* constant mode: pads_begin, pads_end, value */
    OP_SLICE,     /* begin, step, per axis; the output shape says how many */
    OP_SNAP,      /* to the nearest point of the output's lattice (one scale): clamp(rint(x / scale), lo, hi) * scale;
                     binary:      x >= 0 ? scale : -scale */
    OP_CALL,      /* everything else, as ops/ defines it: row, attr, opset; inputs and outputs row-major, of any type */
    OP_COUNT
};

struct window { /* convolution and pooling, two dimensions */
    int kh, kw, stride_h, stride_w, dilation_h, dilation_w;
    int pad_top, pad_left, pad_bottom, pad_right; /* resolved: auto_pad and ceil_mode are gone */
    int count_include_pad;
};

struct node_name {
    const char *name;
    const struct node_name *next;
};

struct node {
    const char *name;    /* the ONNX node's name; nodes without one are named OPTYPE_INDEX */
    const char *op_type; /* the ONNX operator it came from, "Conv" */
    enum op op;
    int n_in, n_out;
    int *in, *out;
    struct window window;
    int groups;
    float act_lo, act_hi;          /* clamp of the output, -INFINITY..INFINITY when none */
    const char *act_name;          /* name of the node that was fused as clamp, or NULL */
    const struct node_name *fused; /* ONNX nodes that went into this one, in the order of the file */
    bool helper;                   /* one of several that an ONNX node became: the name is made up */
    float alpha;
    int axis; /* normalised to 0..rank-1 */
    int perm[SHAPE_MAX];
    int64_t begin[SHAPE_MAX], step[SHAPE_MAX]; /* Slice */
    int64_t pads_begin[SHAPE_MAX], pads_end[SHAPE_MAX];
    float value;              /* Pad */
    const struct op_row *row; /* OP_CALL: what it means */
    const struct attr *attr;
    int n_attr, opset;
};

/* A layer: a node that takes a precision. */
struct layer {
    int node;
    const char *name; /* short and unique: "layer1.0.conv1"; the ONNX name is nodes[node].name */
    /* Its other names, NULL after the last: the ONNX name where it differs, those of nodes that were fused into it, the
     * tensor that it makes. Others may have the same. */
    const char *const *aliases;
    const char *kind; /* "Conv", "DWConv" (groups == cin), "PWConv" (1x1), "TConv" (transposed), "Gemm", "MatMul" (of
                         two activations), "LSTM", "GRU", "RNN" */
    int64_t params;   /* weights and biases */
    int64_t macs;     /* multiply-accumulates for one image */
    int cout, k;      /* output channels; weights per output channel, of all matrices; MatMul: n and k */
    int n_weights;    /* weight matrices: 0 for a product of two activations (its second input takes the bits of
                         weights), 2 for recurrent layers (input and state), else 1. They are inputs 1.. of the node */
    int n_bias;       /* values of the bias, 0 where there is none */
    int group;        /* layers that read the same tensor have the same group and agree on activation bits */
    struct {          /* the narrowest widths that hold what the file's own quantization allows; 0: float */
        int w_bits, a_bits;
        bool per_channel;
    } own;
};

struct graph {
    struct arena arena;
    void **blocks; /* data of constants, beside the arena */
    int n_blocks;
    const char *file;     /* as given */
    char fingerprint[40]; /* "xxh3-" + 32 hex digits of the file's bytes */
    int64_t opset, ir_version;
    const char *producer; /* producer_name of the file, may be "" */
    struct tensor *tensors;
    int n_tensors;
    struct node *nodes;
    int n_nodes;
    int *inputs, n_inputs; /* tensors that must be fed */
    const char **unread;   /* [n_unread] inputs of the file that nothing reads: nobody has to feed them */
    int n_unread;
    int *outputs, n_outputs;
    struct layer *layers;
    int n_layers;
    int n_groups;
    int64_t params, macs; /* of all layers */
    bool quantized;       /* some layer has a width of its own */
    int n_file_nodes;     /* nodes in the file, before folding and fusion */
};

void graph_free(struct graph *g);

/* Index in outputs of the first float output: its values are read as scores. -1 when there is none. */
int graph_scores(const struct graph *g);

/* Whether weights of these levels are codes of a width that kernels have: symmetric integers, at 1 bit binary. */
bool lattice_fits(const struct lattice *lattice, int bits);

#endif
