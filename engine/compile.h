/* SPDX-License-Identifier: MIT
 *
 * Private to engine/: the state of a compilation, and what its parts (settle.c: which form each tensor takes;
 * compile.c: conversions between forms; emit_*.c: steps of layers and of everything else) ask of each other.
 */
#ifndef BITFADER_ENGINE_COMPILE_H
#define BITFADER_ENGINE_COMPILE_H

#include "engine/step.h"
#include "engine/weight_cache.h"
#include "quant/layer_weights.h"

enum { WANT_FLOAT = 1 }; /* bits 1..8 of the mask: wanted as codes of that width */

struct forms {       /* of one graph tensor */
    unsigned want;   /* mask */
    int range;       /* range method of the layer that reads it */
    int consumers;   /* nodes that read it; a graph output counts as one more */
    int only_reader; /* the node, when consumers == 1 */
    int as_float;    /* value or -1 */
    int as_row;      /* row-major value of any type, or -1; only where as_float has another order or there is none */
    int snapped;     /* the tensor that its only reader rounds it to, so that it can be stored as that; or -1 */
    bool float_made; /* as_float was computed as float, not converted from codes */
    int as_codes[BITS_MAX + 1];
};

struct compiler {
    struct plan *plan;
    const struct graph *g;
    const struct precision *precisions;
    const struct calibration *cal;
    struct weight_cache *cache;
    struct forms *forms; /* [n_tensors] */
    bool *on_codes;      /* [n_nodes] runs on codes */
    bool *done;          /* [n_nodes] emitted together with an earlier node */
    int *layer_of;       /* [n_nodes] or -1 */
};

/* Bits that a tensor is stored in, or 0 when it is stored as float. */
int forms_stored_bits(const struct forms *f);

/* A new value of tensor t. The quantizer is for codes. */
int compile_value(struct compiler *c, int tensor, bool codes, const struct act_quant *q);
/* A new step that reads in0, in1 (values, -1 absent) and writes out. Valid until the next one is added. */
struct step *compile_step(struct compiler *c, const char *name, const char *kernel, int in0, int in1, int out);

/* Values of a tensor in a form, converting where it does not exist yet. -1 and a message when calibration lacks it. */
int compile_float(struct compiler *c, int tensor, struct err *e);
/* Row-major, of the tensor's own type. */
int compile_row(struct compiler *c, int tensor, struct err *e);
/* Storage order differs from row-major. */
bool compile_is_permuted(const struct shape *s);
/* A permuting step between the two orders: to row-major or from it. Returns the new value. */
int compile_permute(struct compiler *c, int v, const struct shape *s, bool to_row);
/* The value is used by the last step. */
void compile_touch(struct compiler *c, int v);
int compile_codes(struct compiler *c, int tensor, int bits, struct err *e);
/* The highest-width codes that exist already, or new ones: of the width that its readers agree on, else of 8 bits, so
 * that nothing is rounded twice. */
int compile_any_codes(struct compiler *c, int tensor, struct err *e);

/* The quantizer of a tensor at a width, from its histogram. */
int compile_quantizer(struct compiler *c, int tensor, int bits, struct act_quant *q, struct err *e);

/* Codes v under another quantizer (of the same tensor or another): a lookup table, or v itself where they are equal. */
int compile_requantize(struct compiler *c, int v, int tensor, const struct act_quant *q);

/* Clamp limits as codes. */
void compile_code_limits(const struct act_quant *q, float lo, float hi, int *code_lo, int *code_hi);

/* Strides of a tensor's logical dimensions where its values are stored: [H][W][C] for four dimensions, else row-major.
 */
void compile_strides(const struct shape *s, int64_t strides[SHAPE_MAX]);
void compile_row_major(const struct shape *s, int64_t strides[SHAPE_MAX]);

/* Room for a step's scratch. */
void compile_scratch(struct compiler *c, size_t bytes);
/* Codes of a tensor at a width in row-major order. */
int compile_row_codes(struct compiler *c, int tensor, int bits, struct err *e);

int emit_layer(struct compiler *c, int node, struct err *e);
int emit_transposed(struct compiler *c, int node, struct err *e); /* emit_transposed.c */
int emit_matmul(struct compiler *c, int node, struct err *e);     /* emit_matmul.c */
int emit_recurrent(struct compiler *c, int node, struct err *e);  /* emit_recurrent.c */

/* One convolution of a layer: on codes where `in` is codes, with the output as codes or float, as `out` says. */
struct conv_job {
    const char *name;
    int layer;
    struct conv_geom geom;
    const struct quant_weights *weights; /* of the geometry; on codes only */
    const float *bias;                   /* [cout], or NULL */
    float lo, hi;
    int in, residual, out; /* values; residual -1: none */
    int sum;               /* in float with a residual: the graph tensor without it */
};
/* Appends the step. The name of the kernel. */
const char *emit_conv_codes(struct compiler *c, const struct conv_job *j);
const char *emit_conv_float(struct compiler *c, const struct conv_job *j,
                            const float *w); /* w: [cout][kh][kw][cin/g] */
/* A tensor as float: as it is, or (bits above 0) the values that its codes stand for. */
int emit_rounded(struct compiler *c, int tensor, int bits, const char *name, struct err *e);
/* The float weights of a layer's part, rounded where the layer's weights have bits. The caller frees. */
float *emit_float_weights(struct compiler *c, int layer, int part);

const float *layer_bias(const struct compiler *c, const struct node *n);
/* Packs for the kernel that is fastest on the geometry. rq: NULL if the output is not codes. */
void ready_conv(struct compiler *c, const struct conv_geom *g, int a_bits, const struct quant_weights *w,
                const struct requant *rq, struct conv_ready *out);
/* Float output of an integer layer: acc * scale + shift, [cout] each. */
void make_dequant(struct compiler *c, const struct quant_weights *w, const float *bias, const struct act_quant *in,
                  const float **scales, const float **shifts);
/* The shift that gives the largest of a layer's multipliers 30 bits, and what goes to the left before. */
int requant_shift(double largest, int *left);

int emit_op(struct compiler *c, int node, struct err *e);
int emit_call(struct compiler *c, const struct node *n, struct err *e);
/* call.c: the input whose codes a table turns into the output's, where the operator is such (OP_GENTLE) and all other
 * inputs are numbers; else -1. */
int compile_call_input(const struct compiler *c, const struct node *n);
/* The call's outputs y[n] for the values x[n] of that input. */
int compile_call_values(struct compiler *c, const struct node *n, int input, int count, const float *x, float *y,
                        struct err *e);
/* The same with values for some inputs (-1: as the node has it; NULL: all). The step, or NULL with a message. */
struct step *emit_call_with(struct compiler *c, const struct node *n, const int *given, struct err *e);
/* emit_snap.c: rounding to a lattice, on codes and in float, and codes of a float tensor by such rounding. */
int emit_snap(struct compiler *c, int node, struct err *e);
void emit_snap_codes(struct compiler *c, const char *name, const struct lattice *lattice, int from, int out);

/* The lattice that a tensor is stored on: its own, or that of the tensor it is rounded to. NULL when there is none. */
const struct lattice *compile_lattice(const struct compiler *c, int tensor);

/* settle.c: layers[].applied and .note, forms[].want, on_codes. */
void settle(struct compiler *c);

/* Of a convolution or a pool; a product is that of its rows. */
struct conv_geom compile_geom(const struct compiler *c, const struct node *n);
/* A product [rows][cin] x [cin][cout]: a 1x1 convolution whose pixels are the rows. */
struct conv_geom compile_rows(int64_t rows, int64_t cin, int64_t cout);

#endif
