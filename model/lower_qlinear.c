/* SPDX-License-Identifier: MIT
 *
 * QLinearConv and QLinearMatMul with constant weights: a layer on the floats that the codes stand for, between
 * DequantizeLinear and QuantizeLinear as the operators are defined. Two of them one after the other meet in a rounding
 * node (lower_quantized.c). On integer kernels the layer has the operator's own codes again.
 */
#include <string.h>

#include "model/lattice.h"
#include "model/lower.h"

/* A call of an operator of ONNX's own with one output. `node` has the output's name; with n_out 0 it is not bound. */
static int add_call(struct build *b, const struct onnx_node *node, const char *name, const int *in, int n_in,
                    enum dtype type, const struct shape *shape)
{
    struct op_call *c = arena_new(&b->arena, 1, sizeof *c);
    struct array *out = arena_new(&b->arena, 1, sizeof *out);
    *out = (struct array){type, *shape, NULL};
    *c = (struct op_call){
        .row = op_find("", node->op_type), .opset = (int)b->model.opset, .n_in = n_in, .n_out = 1, .out = out};
    const struct source s = {.node = node, .name = name, .in = in, .n_in = n_in};
    return build_call(b, &s, c);
}

/* Input x (codes, scale, zero point are inputs 0 to 2) in float. */
static int read_input(struct build *b, const struct source *s)
{
    int x = lower_codes(b, s, s->in[0], s->in[1], s->in[2]);
    if (x >= 0)
        return x;
    const char *const out[] = {build_name(b, s, "input")};
    const struct onnx_node node = {.op_type = "DequantizeLinear", .domain = "", .out = out};
    struct shape shape = b->tensors[s->in[0]].shape;
    if (shape_count(&b->tensors[s->in[1]].shape) != 1 ||
        add_call(b, &node, build_name(b, s, "dequantize"), s->in, 3, DTYPE_F32, &shape))
        return -1;
    return b->n_tensors - 1;
}

static const struct array *constant(const struct build *b, int t, struct array *a)
{
    *a = (struct array){t < 0 ? DTYPE_NONE : b->tensors[t].type, t < 0 ? (struct shape){0} : b->tensors[t].shape,
                        t < 0 ? NULL : (void *)b->tensors[t].data};
    return a->data ? a : NULL;
}

static double value(const struct array *a, int64_t i)
{
    return array_double(a, shape_count(&a->shape) == 1 ? 0 : i);
}

/* Weights (codes, scale, zero point are inputs 3 to 5) in float, their output channels along an axis. */
static int read_weights(struct build *b, const struct source *s, int axis)
{
    struct array w, k, z;
    void *data;
    if (!constant(b, s->in[3], &w) || !constant(b, s->in[4], &k) || !constant(b, s->in[5], &z) || w.shape.n < 2)
        return -1;
    int64_t n = w.shape.d[axis], inner = 1, scales = shape_count(&k.shape);
    if ((scales != 1 && scales != n) || k.type != DTYPE_F32)
        return -1;
    for (int i = axis + 1; i < w.shape.n; i++)
        inner *= w.shape.d[i];
    int out = build_constant(b, s, b->tensors[s->in[3]].name, DTYPE_F32, &w.shape, &data);
    for (int64_t i = 0; out >= 0 && i < shape_count(&w.shape); i++)
        ((float *)data)[i] = (float)((array_double(&w, i) - value(&z, i / inner % n)) * value(&k, i / inner % n));
    if (out >= 0)
        lattice_put(b, out, 8, false, k.data, (int)scales, axis);
    return out;
}

/* The bias is in steps of x_scale * w_scale. -2: there is none. */
static int read_bias(struct build *b, const struct source *s)
{
    struct array c, x, k;
    void *data;
    if (build_in(s, 8) < 0)
        return -2;
    if (!constant(b, s->in[8], &c) || !constant(b, s->in[1], &x) || !constant(b, s->in[4], &k))
        return -1;
    int out = build_constant(b, s, b->tensors[s->in[8]].name, DTYPE_F32, &c.shape, &data);
    for (int64_t i = 0; out >= 0 && i < shape_count(&c.shape); i++)
        ((float *)data)[i] = (float)(array_double(&c, i) * value(&x, 0) * value(&k, i));
    return out;
}

static int lower_qlinear(struct build *b, const struct source *s, int axis,
                         int (*lower)(struct build *b, const struct source *s))
{
    if (b->tensors[s->in[6]].type != DTYPE_F32)
        return -1;
    int bias = read_bias(b, s), in[3] = {read_input(b, s), read_weights(b, s, axis), bias};
    if (in[0] < 0 || in[1] < 0 || bias == -1)
        return -1;
    const char *const out[] = {build_name(b, s, "float")};
    struct onnx_node node = *s->node;
    node.out = out;
    node.n_out = 0; /* bound to no name of the file */
    const struct source layer = {.node = &node, .name = s->name, .in = in, .n_in = bias < 0 ? 2 : 3};
    if (lower(b, &layer))
        return -1;
    int y[3] = {b->nodes[b->n_nodes - 1].out[0], s->in[6], s->in[7]};
    const struct onnx_node quantize = {
        .op_type = "QuantizeLinear", .domain = "", .out = s->node->out, .n_out = s->node->n_out};
    struct shape shape = b->tensors[y[0]].shape;
    return add_call(b, &quantize, build_name(b, s, "quantize"), y, 3, b->tensors[s->in[7]].type, &shape);
}

int lower_qlinear_conv(struct build *b, const struct source *s)
{
    return lower_qlinear(b, s, 0, lower_conv);
}

int lower_qlinear_matmul(struct build *b, const struct source *s)
{
    return lower_qlinear(b, s, b->tensors[s->in[3]].shape.n - 1, lower_matmul);
}
