/* SPDX-License-Identifier: MIT
 *
 * Layers that are not one convolution or product with constant weights: transposed convolutions, products of two
 * activations, recurrent layers. In fp32 against ops/; on codes, at every width, against ops/ on the values that the
 * codes stand for.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "engine/evaluate.h"
#include "engine/runner.h"
#include "ops/recurrent.h"
#include "quant/layer_weights.h"
#include "quant/range.h"
#include "quant/weights.h"
#include "tests/onnx_make.h"

Suite *check_layers_suite(void);

/* --- models and runs ------------------------------------------------------------------------------------------------
 */

static int64_t count_of(const struct graph *g, int tensor)
{
    return shape_count(&g->tensors[tensor].shape);
}

static void make_input(void *ctx, int i, float *out)
{
    const struct graph *g = ctx;
    struct rng r;
    rng_init(&r, (uint64_t)i + 5);
    for (int64_t k = 0; k < count_of(g, g->inputs[0]); k++)
        out[k] = (float)(2.2 * rng_unit(&r) - 1);
}

static void get_input(void *ctx, int i, void *const *in)
{
    make_input(ctx, i, in[0]);
}

static struct calibration *calibrate(struct graph *g)
{
    struct err e = {{0}};
    struct image_source src = {get_input, g, 4};
    struct calibration *c = evaluate_calibrate(g, &src, 4, NULL, &e);
    ck_assert_msg(c, "%s", e.text);
    return c;
}

/* Output 0 for input 1; what ran in layer 0 goes to *layer. The caller frees. */
static float *run_at(struct graph *g, int w, int a, const struct calibration *c, struct plan_layer *layer)
{
    struct err e = {{0}};
    struct plan *plan = plan_compile_uniform(g, w, a, c, NULL, &e);
    ck_assert_msg(plan, "%s", e.text);
    struct runner *x = runner_new(plan);
    float *in = mem_new((size_t)plan_input_count(plan), sizeof *in),
          *out = mem_new((size_t)plan_output_count(plan), sizeof *out);
    make_input(g, 1, in);
    runner_run(x, in, out, NULL);
    ck_assert_int_eq(runner_check(x, &e), 0);
    if (layer)
        *layer = plan_layers(plan)[0];
    mem_free(in);
    runner_free(x);
    plan_free(plan);
    return out;
}

/* x rounded to the codes of a tensor at a width; bits 0: not. */
static void round_values(const struct calibration *c, int tensor, int bits, float *x, int64_t n)
{
    if (!bits)
        return;
    struct act_quant q = range_act_quant(c->tensors[tensor], bits, RANGE_MSE);
    for (int64_t i = 0; i < n; i++) {
        float code = rintf(x[i] * (1 / q.scale) + q.zero), top = (float)((1 << bits) - 1);
        x[i] = (fminf(fmaxf(code, 0), top) - q.zero) * q.scale;
    }
}

/* The weights of a layer's part at a width, [cout][k]; bits 0: as they are. */
static float *round_weights(const float *w, int cout, int k, int bits)
{
    float *out = mem_new((size_t)cout * (size_t)k, sizeof *out);
    memcpy(out, w, (size_t)cout * (size_t)k * sizeof *w);
    if (bits) {
        struct precision p = precision_default();
        precision_set_w(&p, bits);
        struct quant_weights *q = weights_quantize(w, cout, k, &p);
        weights_dequantize(q, out);
        weights_free(q);
    }
    return out;
}

static void assert_close(const float *got, const float *want, int64_t n, double tolerance, const char *what, int w,
                         int a)
{
    double peak = 1e-3;
    for (int64_t i = 0; i < n; i++)
        peak = fmax(peak, fabs((double)want[i]));
    for (int64_t i = 0; i < n; i++)
        ck_assert_msg(fabs((double)got[i] - (double)want[i]) <= tolerance * peak, "%s w%da%d: value %lld is %g, not %g",
                      what, w, a, (long long)i, (double)got[i], (double)want[i]);
}

static const int widths[][2] = {{0, 0}, {8, 8}, {4, 8}, {5, 3}, {2, 2}, {1, 4}, {3, 1}, {1, 1}, {4, 0}, {0, 4}};
enum { N_WIDTHS = sizeof widths / sizeof *widths };

static void check_note(const struct plan_layer *l, int w, int a)
{
    bool emulated = (w == 0) != (a == 0);
    ck_assert_msg(emulated == (strstr(l->note, "emulated") != NULL), "w%da%d: \"%s\"", w, a, l->note);
    ck_assert_int_eq(l->applied.w_bits, w);
    ck_assert_int_eq(l->applied.a_bits, a);
    ck_assert_msg(w && a ? strstr(l->kernel, "conv_") || strstr(l->kernel, "matmul_") : !strstr(l->kernel, "matmul_"),
                  "w%da%d ran as %s", w, a, l->kernel);
}

/* --- transposed convolution ------------------------------------------------------------------------------------------
 */

/* x [cin][h][w], weights [cout][cin/g][kh][kw], from the inputs' side in double precision. */
static void transposed_reference(const struct graph *g, const float *x, const float *weights, const float *bias,
                                 float *y)
{
    const struct node *n = &g->nodes[g->layers[0].node];
    const struct shape *xs = &g->tensors[n->in[0]].shape, *ys = &g->tensors[n->out[0]].shape;
    const struct window *p = &n->window;
    int64_t per_in = xs->d[1] / n->groups, per_out = ys->d[1] / n->groups, taps = p->kh * p->kw,
            area = ys->d[2] * ys->d[3];
    double *sum = mem_new((size_t)shape_count(ys), sizeof *sum);
    for (int64_t i = 0; i < shape_count(xs); i++)
        for (int64_t o = 0; o < per_out; o++)
            for (int64_t t = 0; t < taps; t++) {
                int64_t ci = i / (xs->d[2] * xs->d[3]), co = ci / per_in * per_out + o;
                int64_t h = i / xs->d[3] % xs->d[2] * p->stride_h - p->pad_top + t / p->kw * p->dilation_h;
                int64_t w = i % xs->d[3] * p->stride_w - p->pad_left + t % p->kw * p->dilation_w;
                if (h >= 0 && w >= 0 && h < ys->d[2] && w < ys->d[3])
                    sum[co * area + h * ys->d[3] + w] +=
                        (double)x[i] * (double)weights[(co * taps + t) * per_in + ci % per_in];
            }
    for (int64_t i = 0; i < shape_count(ys); i++)
        y[i] = (float)(sum[i] + (bias ? (double)bias[i / area] : 0));
    mem_free(sum);
}

/* The layer's weights in the order of kernels: [cout][kh][kw][cin/g]. */
static float *kernel_order(const struct graph *g)
{
    const struct tensor *t = &g->tensors[g->nodes[g->layers[0].node].in[1]];
    int64_t cin = t->shape.d[1], taps = t->shape.d[2] * t->shape.d[3];
    float *out = mem_new((size_t)shape_count(&t->shape), sizeof *out);
    for (int64_t o = 0; o < t->shape.d[0]; o++)
        for (int64_t c = 0; c < cin; c++)
            for (int64_t k = 0; k < taps; k++)
                out[(o * taps + k) * cin + c] = ((const float *)t->data)[(o * cin + c) * taps + k];
    return out;
}

static void check_transposed(const char *text)
{
    struct graph *g = onnx_make_graph(text);
    ck_assert_int_eq(g->n_layers, 1);
    ck_assert_str_eq(g->layers[0].kind, "TConv");
    const struct node *n = &g->nodes[g->layers[0].node];
    int64_t n_in = count_of(g, n->in[0]), n_out = count_of(g, n->out[0]);
    struct calibration *c = calibrate(g);
    float *x = mem_new((size_t)n_in, sizeof *x), *want = mem_new((size_t)n_out, sizeof *want), *w = kernel_order(g);
    const float *bias = n->in[2] >= 0 ? g->tensors[n->in[2]].data : NULL;
    for (int i = 0; i < N_WIDTHS; i++) {
        struct plan_layer layer;
        float *got = run_at(g, widths[i][0], widths[i][1], c, &layer);
        float *rounded = round_weights(w, g->layers[0].cout, g->layers[0].k, widths[i][0]);
        make_input(g, 1, x);
        round_values(c, n->in[0], widths[i][1], x, n_in);
        transposed_reference(g, x, rounded, bias, want);
        /* At one activation bit padding is +alpha, which a transposed convolution does not read. */
        if (widths[i][1] != 1)
            assert_close(got, want, n_out, 2e-5, text, widths[i][0], widths[i][1]);
        check_note(&layer, widths[i][0], widths[i][1]);
        mem_free(rounded);
        mem_free(got);
    }
    mem_free(w);
    mem_free(want);
    mem_free(x);
    calibration_free(c);
    graph_free(g);
}

START_TEST(test_transposed)
{
    struct rng r;
    rng_init(&r, (uint64_t)_i);
    int groups = rng_below(&r, 3) == 0 ? 2 : 1, cin = groups * (1 + (int)rng_below(&r, 9)),
        cout = 1 + (int)rng_below(&r, 18), kh = 1 + (int)rng_below(&r, 5), kw = 1 + (int)rng_below(&r, 5);
    int sh = 1 + (int)rng_below(&r, 3), sw = 1 + (int)rng_below(&r, 3), dh = 1 + (int)rng_below(&r, 2),
        dw = 1 + (int)rng_below(&r, 2), h = 1 + (int)rng_below(&r, 6), w = 2 + (int)rng_below(&r, 6);
    int top = (int)rng_below(&r, (uint32_t)kh), left = (int)rng_below(&r, (uint32_t)kw);
    if ((h - 1) * sh + (kh - 1) * dh + 1 <= 2 * top)
        top = 0;
    if ((w - 1) * sw + (kw - 1) * dw + 1 <= 2 * left)
        left = 0;
    char *text = mem_printf("in x 1,%d,%d,%d\nconst w %d,%d,%d,%d\nconst b %d\nConvTranspose(x,w,%s)->y group=%d "
                            "strides=[%d,%d] dilations=[%d,%d] pads=[%d,%d,%d,%d] output_padding=[%d,%d]\nout y\n",
                            cin, h, w, cin, cout, kh, kw, cout * groups, _i % 2 ? "b" : "", groups, sh, sw, dh, dw, top,
                            left, top, left, sh > 1 ? (int)rng_below(&r, 2) : 0, sw > 1 ? (int)rng_below(&r, 2) : 0);
    check_transposed(text);
    mem_free(text);
}
END_TEST

START_TEST(test_transposed_one_dimension)
{
    struct graph *g =
        onnx_make_graph("in x 1,3,7\nconst w 3,4,4\nConvTranspose(x,w)->y strides=[2] pads=[1,1]\nout y\n");
    ck_assert_int_eq(g->n_layers, 1);
    ck_assert_int_eq(g->tensors[g->outputs[0]].shape.d[2], 14);
    struct calibration *c = calibrate(g);
    float *fp = run_at(g, 0, 0, c, NULL), *w8a8 = run_at(g, 8, 8, c, NULL);
    assert_close(w8a8, fp, count_of(g, g->outputs[0]), 0.03, "1-D", 8, 8);
    mem_free(fp);
    mem_free(w8a8);
    calibration_free(c);
    graph_free(g);
}
END_TEST

/* On codes in the middle of a network, batch-norm and Relu in it. */
START_TEST(test_transposed_between)
{
    struct graph *g =
        onnx_make_graph("in x 1,3,6,6\nconst v 8,3,3,3\nconst w 8,5,4,4\nconst u 2,5,3,3\n"
                        "const s 5 = 1,2,0.5,1,1\nconst t 5\nconst m 5\nconst q 5 = 1,1,2,1,0.5\n"
                        "Conv(x,v)->a pads=[1,1,1,1]\nRelu(a)->b\n"
                        "ConvTranspose(b,w)->c strides=[2,2] pads=[1,1,1,1]\n"
                        "BatchNormalization(c,s,t,m,q)->d\nRelu(d)->e\nConv(e,u)->y pads=[1,1,1,1]\nout y\n");
    ck_assert_int_eq(g->n_layers, 3);
    ck_assert_int_eq(g->n_nodes, 3);
    ck_assert_int_eq((int)g->layers[1].macs, 36 * 8 * 5 * 16);
    struct calibration *c = calibrate(g);
    float *fp = run_at(g, 0, 0, c, NULL), *w8a8 = run_at(g, 8, 8, c, NULL);
    assert_close(w8a8, fp, count_of(g, g->outputs[0]), 0.04, "between", 8, 8);
    mem_free(fp);
    mem_free(w8a8);
    calibration_free(c);
    graph_free(g);
}
END_TEST

/* --- products of two activations -------------------------------------------------------------------------------------
 */

static const char *const product_models[] = {
    "in x 1,6,6\nconst p 1,6,6\nconst q 1,6,6\nMul(x,p)->a\nMul(x,q)->t\nMatMul(a,t)->y\nout y\n",
    "in x 1,3,7,7\nconst p 3,7,7\nconst q 3,7,7\nMul(x,p)->a\nMul(x,q)->t\nMatMul(a,t)->y\nout y\n",
    /* the right side is one matrix for all */
    "in x 1,4,5,5\nconst p 4,5,5\nMul(x,p)->a\nReduceMax(x)->t axes=[1] keepdims=1\nMatMul(a,t)->y\nout y\n",
    "in x 1,9,4\nconst p 1,9,4\nints s 3 = 1,4,9\nMul(x,p)->a\nReshape(x,s)->t\nMatMul(a,t)->y\nout y\n",
};
enum { N_PRODUCTS = sizeof product_models / sizeof *product_models };

/* The operands that fp32 has: outputs of the same model cut there. */
static float *operand(const char *model, const char *name, const struct graph *g, int tensor)
{
    const char *cut = strstr(model, "out y");
    char *text = mem_printf("%.*sout %s\n", (int)(cut - model), model, name);
    struct graph *part = onnx_make_graph(text);
    float *out = run_at(part, 0, 0, NULL, NULL);
    ck_assert_int_eq(count_of(part, part->outputs[0]), count_of(g, tensor));
    graph_free(part);
    mem_free(text);
    return out;
}

START_TEST(test_matmul)
{
    const char *text = product_models[_i];
    struct graph *g = onnx_make_graph(text);
    ck_assert_int_eq(g->n_layers, 1);
    ck_assert_str_eq(g->layers[0].kind, "MatMul");
    ck_assert_int_eq(g->layers[0].params, 0);
    const struct node *n = &g->nodes[g->layers[0].node];
    struct calibration *c = calibrate(g);
    for (int i = 0; i < N_WIDTHS; i++) {
        struct plan_layer layer;
        float *got = run_at(g, widths[i][0], widths[i][1], c, &layer);
        float *a = operand(text, "a", g, n->in[0]), *b = operand(text, "t", g, n->in[1]);
        round_values(c, n->in[0], widths[i][1], a, count_of(g, n->in[0]));
        round_values(c, n->in[1], widths[i][0], b, count_of(g, n->in[1]));
        int64_t n_out = count_of(g, n->out[0]);
        float *want = mem_new((size_t)n_out, sizeof *want);
        struct array in[2] = {{DTYPE_F32, g->tensors[n->in[0]].shape, a}, {DTYPE_F32, g->tensors[n->in[1]].shape, b}};
        struct array out = {DTYPE_F32, g->tensors[n->out[0]].shape, want};
        struct op_call call = {.row = op_find("", "MatMul"), .opset = 13, .n_in = 2, .n_out = 1, .in = in, .out = &out};
        ck_assert_ptr_null(call.row->run(&call));
        assert_close(got, want, n_out, 1e-4, text, widths[i][0], widths[i][1]);
        check_note(&layer, widths[i][0], widths[i][1]);
        ck_assert_int_eq(layer.bytes, 0);
        mem_free(want);
        mem_free(a);
        mem_free(b);
        mem_free(got);
    }
    calibration_free(c);
    graph_free(g);
}
END_TEST

/* Attention between two linear layers, as exporters write it: at w8a8 near fp32, the product of values on codes. */
START_TEST(test_attention)
{
    struct graph *g = onnx_make_graph(
        "in x 1,9,16\nconst wq 16,16\nconst wk 16,16\nconst wv 16,16\nconst wo 16,16\nconst scale 1 = 0.5\n"
        "ints s 4 = 0,9,4,4\nints f 3 = 0,9,16\n"
        "MatMul(x,wq)->q0\nReshape(q0,s)->q1\nTranspose(q1)->q perm=[0,2,1,3]\n"
        "MatMul(x,wk)->k0\nReshape(k0,s)->k1\nTranspose(k1)->k perm=[0,2,3,1]\n"
        "MatMul(x,wv)->v0\nReshape(v0,s)->v1\nTranspose(v1)->v perm=[0,2,1,3]\n"
        "MatMul(q,k)->a0\nMul(a0,scale)->a1\nSoftmax(a1)->a axis=3\nMatMul(a,v)->o0\n"
        "Transpose(o0)->o1 perm=[0,2,1,3]\nReshape(o1,f)->o\nMatMul(o,wo)->y\nout y\n");
    ck_assert_int_eq(g->n_layers, 6);
    struct calibration *c = calibrate(g);
    float *fp = run_at(g, 0, 0, c, NULL), *w8a8 = run_at(g, 8, 8, c, NULL);
    assert_close(w8a8, fp, count_of(g, g->outputs[0]), 0.06, "attention", 8, 8);
    mem_free(fp);
    mem_free(w8a8);
    calibration_free(c);
    graph_free(g);
}
END_TEST

/* A product with constant weights over four dimensions is a layer of rows. */
START_TEST(test_rows_of_four_dimensions)
{
    struct graph *g = onnx_make_graph("in x 1,3,4,8\nconst w 8,5\nMatMul(x,w)->y\nout y\n");
    ck_assert_int_eq(g->n_layers, 1);
    ck_assert_str_eq(g->layers[0].kind, "Gemm");
    struct calibration *c = calibrate(g);
    float *fp = run_at(g, 0, 0, c, NULL), *w8a8 = run_at(g, 8, 8, c, NULL), *x = mem_new(96, sizeof *x);
    make_input(g, 1, x);
    for (int r = 0; r < 12; r++)
        for (int o = 0; o < 5; o++) {
            double sum = 0;
            for (int k = 0; k < 8; k++)
                sum += (double)(x[r * 8 + k] * onnx_make_value(k * 5 + o));
            ck_assert(fabs(sum - (double)fp[r * 5 + o]) < 1e-4);
        }
    assert_close(w8a8, fp, 60, 0.03, "rows", 8, 8);
    mem_free(x);
    mem_free(fp);
    mem_free(w8a8);
    calibration_free(c);
    graph_free(g);
}
END_TEST

/* --- recurrent layers ------------------------------------------------------------------------------------------------
 */

static const char *const recurrent[] = {
    "in x 5,1,6\nconst w 1,28,6\nconst r 1,28,7\nconst b 1,56\nLSTM(x,w,r,b)->y,h,c hidden_size=7\nout y\n",
    "in x 5,1,6\nconst w 2,28,6\nconst r 2,28,7\nLSTM(x,w,r)->y hidden_size=7 direction='bidirectional'\nout y\n",
    "in x 5,1,6\nconst w 1,21,6\nconst r 1,21,7\nconst b 1,42\nGRU(x,w,r,b)->y hidden_size=7\nout y\n",
    "in x 5,1,6\nconst w 1,21,6\nconst r 1,21,7\nconst b 1,42\nGRU(x,w,r,b)->y hidden_size=7 "
    "linear_before_reset=1\nout y\n",
    "in x 5,1,6\nconst w 1,7,6\nconst r 1,7,7\nconst b 1,14\nRNN(x,w,r,b)->y hidden_size=7 direction='reverse'\nout "
    "y\n",
    "in x 4,1,5\nconst w 1,28,5\nconst r 1,28,7\nconst b 1,56\nconst s 1,1,7\nLSTM(x,w,r,b,,s,s)->y hidden_size=7\nout "
    "y\n",
};
enum { N_RECURRENT = sizeof recurrent / sizeof *recurrent };

/* Products in float on rounded values. */
struct rounded {
    const float *x, *w, *r, *b;
    int64_t input, hidden, rows;
    const struct calibration *c;
    int tensor, bits; /* whose codes the state has */
};

static void rounded_input(void *ctx, int64_t d, int64_t x, float *z)
{
    const struct rounded *p = ctx;
    recurrent_affine(p->w + d * p->rows * p->input, p->x + x * p->input, p->b ? p->b + 2 * d * p->rows : NULL, p->rows,
                     p->input, z);
}

static void rounded_state(void *ctx, int64_t d, const float *h, int64_t first, int64_t n, float *z)
{
    const struct rounded *p = ctx;
    float state[16];
    memcpy(state, h, (size_t)p->hidden * sizeof *h);
    round_values(p->c, p->tensor, p->bits, state, p->hidden);
    recurrent_affine(p->r + (d * p->rows + first) * p->hidden, state,
                     p->b ? p->b + (2 * d + 1) * p->rows + first : NULL, n, p->hidden, z);
}

static void recurrent_reference(const struct graph *g, const struct calibration *c, int w_bits, int a_bits, float *y)
{
    const struct node *n = &g->nodes[g->layers[0].node];
    struct arena arena = {0};
    struct array in[8] = {{0}}, out[3];
    struct err e;
    for (int k = 0; k < n->n_in; k++)
        if (n->in[k] >= 0)
            in[k] = (struct array){DTYPE_F32, g->tensors[n->in[k]].shape, (void *)g->tensors[n->in[k]].data};
    struct op_call call = {.row = n->row,
                           .attr = n->attr,
                           .n_attr = n->n_attr,
                           .opset = 13,
                           .n_in = n->n_in,
                           .n_out = n->n_out,
                           .in = in,
                           .out = out};
    ck_assert_int_eq(n->row->infer(&call, &e), 0);
    call.work = arena_new(&arena, call.work_bytes + 1, 1);
    for (int k = 0; k < n->n_out; k++)
        out[k].data = k ? arena_new(&arena, array_bytes(&out[k]), 1) : y;
    float *x = arena_new(&arena, (size_t)count_of(g, n->in[0]), sizeof *x);
    make_input((void *)g, 1, x);
    round_values(c, n->in[0], a_bits, x, count_of(g, n->in[0]));
    int cout = g->layers[0].cout;
    float *w = round_weights(in[1].data, cout, (int)in[1].shape.d[2], w_bits),
          *r = round_weights(in[2].data, cout, (int)in[2].shape.d[2], w_bits);
    struct rounded p = {x,
                        w,
                        r,
                        n->n_in > 3 && n->in[3] >= 0 ? in[3].data : NULL,
                        in[1].shape.d[2],
                        in[2].shape.d[2],
                        in[1].shape.d[1],
                        c,
                        n->out[0],
                        a_bits};
    const struct recurrent_products products = {&p, rounded_input, rounded_state};
    ck_assert_ptr_null(recurrent_run(&call, &products));
    mem_free(w);
    mem_free(r);
    arena_done(&arena);
}

START_TEST(test_recurrent)
{
    const char *text = recurrent[_i];
    struct graph *g = onnx_make_graph(text);
    ck_assert_int_eq(g->n_layers, 1);
    const struct layer *l = &g->layers[0];
    ck_assert_int_eq(l->n_weights, 2);
    ck_assert_int_eq(l->macs, g->tensors[g->inputs[0]].shape.d[0] * l->cout * l->k);
    struct calibration *c = calibrate(g);
    int64_t n = count_of(g, g->outputs[0]);
    float *want = mem_new((size_t)n, sizeof *want);
    for (int i = 0; i < N_WIDTHS; i++) {
        struct plan_layer layer;
        float *got = run_at(g, widths[i][0], widths[i][1], c, &layer);
        recurrent_reference(g, c, widths[i][0], widths[i][1], want);
        assert_close(got, want, n, 1e-4, text, widths[i][0], widths[i][1]);
        check_note(&layer, widths[i][0], widths[i][1]);
        mem_free(got);
    }
    ck_assert_int_eq(layer_bytes(g, 0, 8, GRANULARITY_CHANNEL), l->cout * l->k + 4 * (2 * l->cout + l->n_bias));
    mem_free(want);
    calibration_free(c);
    graph_free(g);
}
END_TEST

Suite *check_layers_suite(void)
{
    Suite *s = suite_create("layers");
    TCase *t = tcase_create("layers");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, test_transposed, 0, 60);
    tcase_add_test(t, test_transposed_one_dimension);
    tcase_add_test(t, test_transposed_between);
    tcase_add_loop_test(t, test_matmul, 0, N_PRODUCTS);
    tcase_add_test(t, test_attention);
    tcase_add_test(t, test_rows_of_four_dimensions);
    tcase_add_loop_test(t, test_recurrent, 0, N_RECURRENT);
    suite_add_tcase(s, t);
    return s;
}
