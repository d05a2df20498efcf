/* SPDX-License-Identifier: MIT
 *
 * Private to engine/: the steps of a plan. Compilation (compile.c, emit_*.c) writes them, execution (runner.c,
 * steps_*.c) runs them. A step is data; its kind's row (step_kinds.c) is
 * what runs it.
 */
#ifndef BITFADER_ENGINE_STEP_H
#define BITFADER_ENGINE_STEP_H

#include <stdbool.h>

#include "base/num.h"
#include "engine/plan.h"
#include "kernels/float_conv.h"
#include "kernels/kernels.h"
#include "quant/range.h"

/* A value: one form of a graph tensor in memory. 4-D tensors are stored [H][W][C] (one image), others row-major. */
struct value {
    int tensor;  /* of the graph */
    bool codes;  /* uint8_t codes under q, or elements of the tensor's type */
    bool row;    /* row-major although it has 4 dimensions */
    size_t size; /* bytes of an element */
    struct act_quant q;
    int64_t count;
    bool part;       /* a piece of the tensor, or another's of its shape: only the node's own steps read it */
    int alias;       /* value whose memory this one shares, or -1 */
    int first, last; /* steps that write it first and read it last */
    size_t offset;   /* in the arena */
    int input;       /* 1 + which of the graph's inputs, if a run may read it where the caller has it; or 0 */
    bool constant;   /* data holds it, nothing computes it */
    const void *data;
};

/* Bytes that a value takes in the arena. */
static inline size_t value_bytes(const struct value *v)
{
    return ((size_t)v->count * v->size + 63) / 64 * 64;
}

struct copy_dims { /* strided copy: dst[sum i*ds] = src[sum i*ss] */
    int n;
    int64_t d[SHAPE_MAX], ss[SHAPE_MAX], ds[SHAPE_MAX];
    int64_t src_at, dst_at; /* first elements */
    bool transposes;        /* the last two dimensions are the one that dst and the one that src is contiguous along */
};

struct broadcast { /* elementwise of two inputs under broadcasting, in physical order of the output */
    int n;
    int64_t d[SHAPE_MAX], a[SHAPE_MAX], b[SHAPE_MAX];
};

/* An integer convolution, ready to run. */
struct conv_ready {
    struct conv_geom geom;
    int a_bits, w_bits;
    const struct conv_kernel *kernel;
    struct conv_weights weights; /* codes: NULL */
    const void *packed, *prepared;
    size_t packed_size;
    size_t scratch; /* bytes that the kernel wants */
};

/* The part of a step that one thread runs: elements before those that it reads and writes, and how many it writes; or
 * channels of a convolution, first and end. All 0: the whole step. */
struct share {
    int64_t in[2], out, count;
    int channels[2];
};

struct run_wrong { /* the first operator that refused its values */
    const char *node, *what;
};

struct run_state {
    const struct plan *plan;
    char *arena;
    const size_t *places;  /* [n_values] where they are in the arena; NULL: at their offsets */
    const void *const *in; /* the caller's inputs; NULL: all were copied to the arena */
    void *scratch;
    const struct vec_kernels *vec;
    struct run_wrong *wrong;
};

/* Rows of step_rows (step_kinds.c). */
enum step_kind {
    STEP_NONE, /* not set */
    STEP_CONV_U8,
    STEP_CONV_F32,
    STEP_SGEMM_F32,
    STEP_QUANTIZE,
    STEP_DEQUANTIZE,
    STEP_LUT_U8,
    STEP_ADD_U8,
    STEP_MAXPOOL_U8,
    STEP_AVGPOOL_U8,
    STEP_COPY_U8,
    STEP_COPY_F32,
    STEP_ADD_F32,
    STEP_BINARY_F32,
    STEP_UNARY_F32,
    STEP_AFFINE_F32,
    STEP_MAXPOOL_F32,
    STEP_AVGPOOL_F32,
    STEP_SOFTMAX_F32,
    STEP_MATMUL_CODES,
    STEP_MATMUL_FLOAT,
    STEP_SNAP_F32,
    STEP_SNAP_U8,
    STEP_SIGN_F32,
    STEP_SIGN_U8,
    STEP_RECURRENT,
    STEP_CALL,
    STEP_KINDS
};

struct step {
    const char *name;
    const char *kernel;
    int layer; /* or -1 */
    int in[2]; /* values, -1 when absent */
    int out;
    enum step_kind kind;
    struct share share;

    struct conv_ready conv;
    struct conv_geom geom; /* of pooling and float layers */
    const void *packed;    /* of float layers */
    struct requant rq;
    int pad_code;
    const float *scale, *bias; /* [cout]: float output of an integer layer; bias of a float layer */
    const struct float_conv_kernel *float_conv;
    const float *weights; /* float layers by OpenBLAS: [group][k][cout/groups] */
    int sum;              /* float layer that adds in[1]: the graph tensor that it would be without, or -1 */
    float lo, hi;         /* float clamp */
    const uint8_t *table; /* 256 entries */
    int32_t ma, mb, mc;   /* add_u8 */
    int shift, qlo, qhi;
    const int32_t *pool_m;
    const int64_t *pool_b;
    float alpha;
    enum op op;
    int fill; /* copy into a larger tensor: fill the output with this first (code, or float value in alpha); -1: no */
    struct copy_dims copy;
    struct broadcast cast;
    const struct call_plan *call;
    const struct product_plan *product;     /* private to emit_matmul.c */
    const struct recurrent_plan *recurrent; /* private to emit_recurrent.c */
    int64_t outer, inner;                   /* softmax: rows, and elements of each; affine: channels */
    int64_t stride;                         /* from one of them to the next */
};

struct plan {
    const struct graph *graph;
    struct arena arena; /* everything below but steps and values */
    struct step *steps;
    int n_steps, cap_steps;
    struct value *values;
    int n_values, cap_values;
    struct plan_layer *layers;
    size_t arena_bytes, scratch_bytes;
    int input_value, output_value; /* the first input; the scores */
    int *inputs, *outputs;         /* values, row-major, in the graph's order */
    bool keep_all;
};

static inline void *value_at(const struct run_state *r, int v)
{
    const struct value *x = &r->plan->values[v];
    if (x->input && r->in)
        return (void *)r->in[x->input - 1];
    return x->constant ? (void *)x->data : r->arena + (r->places ? r->places[v] : x->offset);
}

/* What a step reads and writes: where its share begins, and how many elements it writes. */
static inline void *step_in(const struct step *s, const struct run_state *r, int k)
{
    return (char *)value_at(r, s->in[k]) + (size_t)s->share.in[k] * r->plan->values[s->in[k]].size;
}

static inline void *step_out(const struct step *s, const struct run_state *r)
{
    return (char *)value_at(r, s->out) + (size_t)s->share.out * r->plan->values[s->out].size;
}

static inline size_t step_count(const struct step *s, const struct run_state *r)
{
    return (size_t)(s->share.count ? s->share.count : r->plan->values[s->out].count);
}

struct splitter;
struct step_row {
    const char *name;
    void (*run)(const struct step *s, const struct run_state *r);
    /* Into parts (split.h); NULL: it stays whole. */
    int (*split)(struct splitter *x, const struct step *s, struct step *parts);
};
extern const struct step_row step_rows[STEP_KINDS];

static inline void step_run(const struct step *s, const struct run_state *r)
{
    step_rows[s->kind].run(s, r);
}

/* Execution, one function a kind of step. */
void step_conv_u8(const struct step *s, const struct run_state *r);
void step_conv_f32(const struct step *s, const struct run_state *r);  /* s->float_conv */
void step_sgemm_f32(const struct step *s, const struct run_state *r); /* OpenBLAS */
size_t step_sgemm_scratch(const struct conv_geom *g);                 /* bytes */
/* A float layer with s->sum in two parts, for who wants to see that tensor: the layer alone into the output's memory,
 * and what is added to it. */
void step_layer_alone(const struct step *s, const struct run_state *r);
void step_layer_add(const struct step *s, const struct run_state *r);
void step_quantize(const struct step *s, const struct run_state *r);
void step_dequantize(const struct step *s, const struct run_state *r);
void step_lut_u8(const struct step *s, const struct run_state *r);
void step_add_u8(const struct step *s, const struct run_state *r);
void step_maxpool_u8(const struct step *s, const struct run_state *r);
void step_avgpool_u8(const struct step *s, const struct run_state *r);
void step_copy_u8(const struct step *s, const struct run_state *r);
void step_copy_f32(const struct step *s, const struct run_state *r);
void step_add_f32(const struct step *s, const struct run_state *r); /* same shapes */
void step_binary_f32(const struct step *s, const struct run_state *r);
void step_unary_f32(const struct step *s, const struct run_state *r);
void step_affine_f32(const struct step *s, const struct run_state *r);
void step_maxpool_f32(const struct step *s, const struct run_state *r);
void step_avgpool_f32(const struct step *s, const struct run_state *r);
void step_softmax_f32(const struct step *s, const struct run_state *r);
void step_matmul_codes(const struct step *s, const struct run_state *r); /* s->product */
void step_matmul_float(const struct step *s, const struct run_state *r);
/* To a lattice of scale `alpha` and levels lo..hi; the codes are levels - lo. Binary: `qhi` is the code of +scale. */
void step_snap_f32(const struct step *s, const struct run_state *r);
void step_snap_u8(const struct step *s, const struct run_state *r);
void step_sign_f32(const struct step *s, const struct run_state *r);
void step_sign_u8(const struct step *s, const struct run_state *r);
void step_recurrent(const struct step *s, const struct run_state *r); /* s->recurrent */
void step_call(const struct step *s, const struct run_state *r);      /* s->call */

/* What a step that calls an operator of ops/ needs, made once: arrays without data, and the values that the data is in.
 */
struct call_plan {
    struct op_call call;
    int *in, *out; /* values, -1 where there is none */
};
size_t call_scratch(const struct call_plan *p);
/* The call with its data and work memory; *rest is the scratch behind them. call_end notes what run said. */
struct op_call call_begin(const struct step *s, const struct run_state *r, void **rest);
void call_end(const struct step *s, const struct run_state *r, const char *wrong);

/* The same copy with as few dimensions as there can be (2 at least) and the contiguous ones last. At the end of
 * compilation. */
void copy_flatten(struct copy_dims *c);

/* A product of two activations in up to n parts, each of at least so many multiply-adds; returns how many. What they
 * need is in the arena. */
int product_split(struct arena *a, const struct step *s, int n, int64_t work, struct step *parts);

/* The values that a step writes. */
int call_outputs(const struct step *s, const int **values);

/* Gives every value its place in the arena; called at the end of compilation and by plan_keep_all. */
void plan_place(struct plan *p);

/* Finds the inputs that need no copy. At the end of compilation. */
void plan_share_inputs(struct plan *p);

/* A unary operator's value at x: also what lookup tables on codes are made from. */
float unary_value(enum op op, float x, float alpha, float lo, float hi);

#endif
