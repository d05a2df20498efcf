/* SPDX-License-Identifier: MIT
 *
 * Plans: fp32 against the plain evaluator and against what PyTorch and ONNX Runtime computed; quantized layers against
 * the same layer in double precision on the values that the codes stand for; the same bits on every instruction set and
 * number of threads.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "engine/evaluate.h"
#include "engine/runner.h"
#include "engine/step.h"
#include "engine/weight_cache.h"
#include "model/graph_load.h"
#include "ops/op.h"
#include "quant/weights.h"
#include "tests/graph_eval.h"
#include "tests/import_cases.h"
#include "tests/onnx_make.h"

Suite *check_engine_suite(void);

static const char *const zoo[] = {"zoo/resnet20_fmnist.onnx", "zoo/mobilenet_fmnist.onnx"};
enum { N_ZOO = sizeof zoo / sizeof *zoo };

static int64_t count_of(const struct graph *g, int tensor)
{
    return shape_count(&g->tensors[tensor].shape);
}

/* Deterministic images: a sum of waves and some noise, about -1..1, in the shape of the model's input. */
static void make_image(void *ctx, int i, float *out)
{
    const struct graph *g = ctx;
    struct rng r;
    rng_init(&r, (uint64_t)i + 1);
    double f = 0.05 + 0.3 * rng_unit(&r), phase = 6 * rng_unit(&r);
    for (int64_t k = 0; k < count_of(g, g->inputs[0]); k++)
        out[k] = (float)(0.7 * sin(f * (double)k + phase) + 0.6 * (rng_unit(&r) - 0.5));
}

static void get_image(void *ctx, int i, void *const *in)
{
    make_image(ctx, i, in[0]);
}

static struct precision *uniform(const struct graph *g, int w, int a)
{
    struct precision *p = mem_new((size_t)g->n_layers + 1, sizeof *p);
    for (int l = 0; l < g->n_layers; l++) {
        p[l] = precision_default();
        precision_set_w(&p[l], w);
        precision_set_a(&p[l], a);
    }
    return p;
}

static struct calibration *calibrate(struct graph *g)
{
    struct err e = {{0}};
    struct image_source src = {get_image, g, 16};
    struct calibration *c = evaluate_calibrate(g, &src, 16, NULL, &e);
    ck_assert_msg(c, "%s", e.text);
    return c;
}

static struct plan *compile(const struct graph *g, const struct precision *p, const struct calibration *c)
{
    struct err e = {{0}};
    struct plan *plan = plan_compile(g, p, c, NULL, &e);
    ck_assert_msg(plan, "%s", e.text);
    return plan;
}

static float *run_once(const struct plan *plan, const float *input)
{
    struct runner *x = runner_new(plan);
    float *out = mem_new((size_t)plan_output_count(plan), sizeof *out);
    runner_run(x, input, out, NULL);
    runner_free(x);
    return out;
}

static void assert_close(const float *got, const float *want, int64_t n, double tolerance, const char *what)
{
    double peak = 1e-6;
    for (int64_t i = 0; i < n; i++)
        peak = fmax(peak, fabs(want[i]));
    for (int64_t i = 0; i < n; i++)
        ck_assert_msg(fabs((double)got[i] - want[i]) <= tolerance * fmax(1, peak), "%s: value %lld is %g, not %g", what,
                      (long long)i, got[i], want[i]);
}

/* --- fp32 ------------------------------------------------------------------------------------------------------------
 */

START_TEST(test_fp32_operator)
{
    const struct import_case *c = &import_cases[_i];
    struct graph *g = onnx_make_graph(c->model);
    if (g->n_inputs == 1 && g->tensors[g->outputs[0]].producer >= 0) {
        struct precision *p = uniform(g, 0, 0);
        struct plan *plan = compile(g, p, NULL);
        float *in = mem_new((size_t)count_of(g, g->inputs[0]), sizeof *in);
        for (int64_t i = 0; i < count_of(g, g->inputs[0]); i++)
            in[i] = onnx_make_value(i);
        float *out = run_once(plan, in), *want = mem_new((size_t)plan_output_count(plan), sizeof *want);
        const char *s = c->values;
        for (int64_t i = 0; i < plan_output_count(plan); i++) {
            char *end;
            want[i] = strtof(s, &end);
            s = *end == ',' ? end + 1 : end;
        }
        assert_close(out, want, plan_output_count(plan), 1e-5, c->model);
        mem_free(want);
        mem_free(out);
        mem_free(in);
        plan_free(plan);
        mem_free(p);
    }
    graph_free(g);
}
END_TEST

static const char *data_folder(void)
{
    const char *given = getenv("BITFADER_TEST_DATA");
    return given ? given : "../shared/data";
}

/* A float32 .npy file's values; the caller frees whole. */
static const float *load_npy(const char *name, char **whole, int64_t *count)
{
    char *path = mem_printf("%s/refs/%s.npy", data_folder(), name);
    size_t size;
    *whole = file_exists(path) ? file_read(path, 1 << 28, &size, NULL) : NULL;
    mem_free(path);
    if (!*whole)
        return NULL;
    const unsigned char *b = (const unsigned char *)*whole;
    ck_assert(!memcmp(b, "\x93NUMPY\x01", 7) && strstr(*whole + 10, "'<f4'"));
    size_t header = 10 + (size_t)(b[8] | b[9] << 8);
    *count = (int64_t)((size - header) / 4);
    float *copy = mem_new((size_t)*count, sizeof *copy); /* the header leaves no alignment */
    memcpy(copy, *whole + header, (size_t)*count * 4);
    mem_free(*whole);
    *whole = (char *)copy;
    return copy;
}

static const struct {
    const char *model, *reference;
} references[] = {
    {"cifar10/resnet20_convshortcut_cifar10.onnx", "resnet20c"},
    {"cifar10/resnet20_cifar10.onnx", "resnet20a"},
    {"cifar10/resnet20_cifar10_unfused_bn.onnx", "resnet20a_bn"},
    {"mlperf_tiny/ic_resnet8_cifar10.onnx", "ic_resnet8"},
    {"mlperf_tiny/kws_dscnn.onnx", "kws_dscnn"},
    {"mlperf_tiny/vww_mobilenetv1_025_96.onnx", "vww"},
    {"mlperf_tiny/sww_1dconv_from_int8.onnx", "sww"},
    {"mlperf_tiny/ad_toycar_autoencoder.onnx", "ad"},
    {"mnist/cntk_mnist_ort_examples.onnx", "cntk_mnist"},
    {"finn_tfc/tfc_1w1a_std.onnx", "tfc_1w1a"},
    {"finn_tfc/tfc_1w2a_std.onnx", "tfc_1w2a"},
    {"finn_tfc/tfc_2w2a_std.onnx", "tfc_2w2a"},
    {"finn_tfc/TFC_1W1A.onnx", "tfc_1w1a"},
    {"finn_tfc/TFC_1W2A.onnx", "tfc_1w2a"},
    {"finn_tfc/TFC_2W2A.onnx", "tfc_2w2a"},
    {"other/version-RFB-320.onnx", "rfb320"},
    {"other/yunet_n_320_320.onnx", "yunet_n"},
};
enum { N_REFERENCES = sizeof references / sizeof *references };

/* Output k as ONNX Runtime gave it; the only one has no number. */
static const float *load_output(const char *reference, int k, int n, char **whole, int64_t *count)
{
    char *name = n > 1 ? mem_printf("%s.out.%d", reference, k) : mem_printf("%s.out", reference);
    const float *values = load_npy(name, whole, count);
    mem_free(name);
    return values;
}

static void compare_outputs(const struct graph *g, const char *path, const char *reference, const float *in,
                            int64_t n_in)
{
    struct precision *p = uniform(g, 0, 0);
    struct plan *plan = compile(g, p, NULL);
    struct runner *x = runner_new(plan);
    int64_t images = n_in / plan_input_count(plan), n_want[32];
    char *whole[32];
    const float *want[32];
    void *out[32];
    ck_assert_int_le(g->n_outputs, 32);
    for (int k = 0; k < g->n_outputs; k++) {
        want[k] = load_output(reference, k, g->n_outputs, &whole[k], &n_want[k]);
        ck_assert_ptr_nonnull(want[k]);
        out[k] = mem_new((size_t)shape_count(&g->tensors[g->outputs[k]].shape) + 1, sizeof(float));
    }
    for (int64_t i = 0; i < images; i++) {
        const void *input[] = {in + i * plan_input_count(plan)};
        runner_run_arrays(x, input, out);
        for (int k = 0; k < g->n_outputs; k++) {
            int64_t each = shape_count(&g->tensors[g->outputs[k]].shape);
            ck_assert_int_eq(n_want[k], each * images);
            assert_close(out[k], want[k] + i * each, each, 1e-4, path);
        }
    }
    for (int k = 0; k < g->n_outputs; k++) {
        mem_free(whole[k]);
        mem_free(out[k]);
    }
    runner_free(x);
    plan_free(plan);
    mem_free(p);
}

START_TEST(test_fp32_onnxruntime)
{
    char *path = mem_printf("%s/%s", data_folder(), references[_i].model);
    char *in_name = mem_printf("%s.in", references[_i].reference), *whole = NULL;
    int64_t n_in;
    const float *in = load_npy(in_name, &whole, &n_in);
    if (in && file_exists(path)) {
        struct err e = {{0}};
        struct graph *g = graph_load(path, &e);
        ck_assert_msg(g, "%s", e.text);
        compare_outputs(g, path, references[_i].reference, in, n_in);
        graph_free(g);
    } else {
        printf("skipped: %s is not there\n", path);
    }
    mem_free(whole);
    mem_free(in_name);
    mem_free(path);
}
END_TEST

/* --- layers on codes
 * --------------------------------------------------------------------------------------------------- */

static double real_of(const struct value *v, const uint8_t *codes, int64_t i)
{
    return ((double)codes[i] - v->q.zero) * v->q.scale;
}

/* The layer's weights as the codes stand for them, [cout][kh][kw][cin/groups]. */
static float *rounded_weights(const struct graph *g, const struct plan_layer *pl, int layer)
{
    const struct layer *l = &g->layers[layer];
    struct weight_cache *cache = weight_cache_new();
    float *w = mem_new((size_t)l->cout * (size_t)l->k, sizeof *w);
    weights_dequantize(weight_cache_get(cache, g, layer, 0, &pl->applied), w);
    weight_cache_free(cache);
    return w;
}

/* One output of a layer in double precision from the values that its input codes stand for. */
static double reference_output(const struct step *s, const struct graph *g, const float *w, const struct value *in,
                               const uint8_t *codes, int y, int x, int o)
{
    const struct conv_geom *c = &s->conv.geom;
    const struct node *n = &g->nodes[g->layers[s->layer].node];
    int per = c->cin / c->groups, group = o / (c->cout / c->groups);
    double pad = (s->pad_code - in->q.zero) * in->q.scale, sum = 0;
    for (int i = 0; i < per; i++)
        for (int ky = 0; ky < c->kh; ky++)
            for (int kx = 0; kx < c->kw; kx++) {
                int row = y * c->stride_h - c->pad_top + ky * c->dilation_h;
                int col = x * c->stride_w - c->pad_left + kx * c->dilation_w;
                bool inside = row >= 0 && row < c->h && col >= 0 && col < c->w;
                double v = inside ? real_of(in, codes, ((int64_t)row * c->w + col) * c->cin + group * per + i) : pad;
                sum += v * w[(((int64_t)o * c->kh + ky) * c->kw + kx) * per + i];
            }
    return sum + (n->in[2] >= 0 ? ((const float *)g->tensors[n->in[2]].data)[o] : 0);
}

static void check_step(const struct plan *plan, const struct run_state *r, const struct step *s, bool whole)
{
    const struct graph *g = plan->graph;
    const struct value *in = &plan->values[s->in[0]], *out = &plan->values[s->out];
    const struct value *res = s->in[1] >= 0 ? &plan->values[s->in[1]] : NULL;
    const struct conv_geom *c = &s->conv.geom;
    float *w = rounded_weights(g, &plan->layers[s->layer], s->layer);
    int stride = whole ? 1 : 5;
    for (int p = 0; p < c->oh * c->ow; p += stride)
        for (int o = 0; o < c->cout; o++) {
            int64_t at = (int64_t)p * c->cout + o;
            double real = reference_output(s, g, w, in, value_at(r, s->in[0]), p / c->ow, p % c->ow, o);
            if (res)
                real += real_of(res, value_at(r, s->in[1]), at);
            real = fmin(fmax(real, s->lo), s->hi);
            if (!out->codes) {
                double got = ((const float *)value_at(r, s->out))[at];
                ck_assert_msg(fabs(got - real) <= 1e-4 * fmax(1, fabs(real)), "%s: %g, not %g", s->name, got, real);
                continue;
            }
            double code = real / out->q.scale + out->q.zero, top = (1 << out->q.bits) - 1;
            code = fmin(fmax(code, 0), top);
            int got = ((const uint8_t *)value_at(r, s->out))[at];
            /* a residual's multiplier may be rounded as emit_layer.c says */
            ck_assert_msg(fabs(got - code) <= 0.5 + (res ? 1.0 / 128 : 1e-3),
                          "%s (%s): code %d, not %.4f (pixel %d, channel %d)", s->name, s->kernel, got, code, p, o);
        }
    mem_free(w);
}

static void check_plan(struct graph *g, const struct precision *p, const struct calibration *c, bool whole)
{
    struct plan *plan = compile(g, p, c);
    plan_keep_all(plan);
    struct runner *x = runner_new(plan);
    float *in = mem_new((size_t)plan_input_count(plan), sizeof *in),
          *out = mem_new((size_t)plan_output_count(plan), sizeof *out);
    make_image(g, 3, in);
    struct run_state r = {.plan = plan, .vec = vec_kernels_best()};
    r.arena = mem_new(plan->arena_bytes + 64, 1);
    r.scratch = mem_new(plan->scratch_bytes + 64, 1);
    memcpy(value_at(&r, plan->input_value), in, (size_t)plan_input_count(plan) * sizeof *in);
    int checked = 0;
    for (int i = 0; i < plan->n_steps; i++) {
        step_run(&plan->steps[i], &r);
        if (plan->steps[i].kind == STEP_CONV_U8) {
            check_step(plan, &r, &plan->steps[i], whole);
            checked++;
        }
    }
    int integer = 0;
    for (int l = 0; l < g->n_layers; l++)
        integer += precision_is_integer(&plan->layers[l].applied);
    ck_assert_int_eq(checked, integer);
    mem_free(r.arena);
    mem_free(r.scratch);
    runner_free(x);
    mem_free(in);
    mem_free(out);
    plan_free(plan);
}

static struct graph *zoo_graph(int i)
{
    struct err e = {{0}};
    if (!file_exists(zoo[i])) {
        printf("skipped: %s is not there\n", zoo[i]);
        return NULL;
    }
    struct graph *g = graph_load(zoo[i], &e);
    ck_assert_msg(g, "%s", e.text);
    return g;
}

START_TEST(test_layers_exact)
{
    static const int widths[][2] = {{8, 8}, {4, 8}, {8, 3}, {5, 6}, {2, 2}, {1, 1}, {7, 5}, {3, 1}};
    struct graph *g = zoo_graph(_i);
    if (!g)
        return;
    struct calibration *c = calibrate(g);
    for (size_t k = 0; k < sizeof widths / sizeof *widths; k++) {
        struct precision *p = uniform(g, widths[k][0], widths[k][1]);
        check_plan(g, p, c, false);
        mem_free(p);
    }
    calibration_free(c);
    graph_free(g);
}
END_TEST

/* A profile with everything mixed: widths, granularities, range methods, layers in fp32, one side only. */
static struct precision *mixed(const struct graph *g, uint64_t seed)
{
    struct precision *p = uniform(g, 8, 8);
    struct rng r;
    rng_init(&r, seed);
    for (int l = 0; l < g->n_layers; l++) {
        precision_set_w(&p[l], (int)rng_below(&r, 9));
        precision_set_a(&p[l], (int)rng_below(&r, 9));
        p[l].granularity = (uint8_t)rng_below(&r, GRANULARITY_COUNT);
        p[l].range = (uint8_t)rng_below(&r, RANGE_COUNT);
    }
    return p;
}

START_TEST(test_mixed_profiles)
{
    struct graph *g = zoo_graph(_i % N_ZOO);
    if (!g)
        return;
    struct calibration *c = calibrate(g);
    struct precision *p = mixed(g, (uint64_t)_i + 10);
    check_plan(g, p, c, false);
    mem_free(p);
    calibration_free(c);
    graph_free(g);
}
END_TEST

/* Small graphs around every operator that works on codes; at 8 bits the output must be near fp32's. */
static const struct {
    const char *body;
    int opset; /* 0: 13 */
} code_graphs[] = {
    {"Relu(c)->d"},
    {"Clip(c)->d min=-1.0 max=2.0", .opset = 7},
    {"LeakyRelu(c)->d alpha=0.25"},
    {"Sigmoid(c)->d"},
    {"HardSwish(c)->d", .opset = 14},
    {"MaxPool(c)->d kernel_shape=[2,2] strides=[2,2]"},
    {"MaxPool(c)->d kernel_shape=[3,3] pads=[1,1,1,1]"},
    {"AveragePool(c)->d kernel_shape=[3,3] pads=[1,1,1,1]"},
    {"AveragePool(c)->d kernel_shape=[3,3] pads=[1,1,1,1] count_include_pad=1"},
    {"AveragePool(c)->d kernel_shape=[2,2] strides=[2,2] count_include_pad=1"},
    {"GlobalAveragePool(c)->d"},
    {"Transpose(c)->d perm=[0,1,3,2]"},
    {"Concat(c,x)->d axis=1"},
    {"Concat(c,c)->d axis=2"},
    {"Add(c,x)->d"},
    {"Add(c,c)->e\nRelu(e)->d"},
    {"Mul(c,x)->d"},
    {"Pad(c)->d pads=[0,0,1,2,0,0,0,1]", .opset = 7},
    {"Slice(c,s0,s1,s2,s3)->d"},
    {"Softmax(c)->d axis=1"},
};
enum { N_CODE_GRAPHS = sizeof code_graphs / sizeof *code_graphs };

/* A tensor of image i, row-major; NULL when it is part of a step. */
static float *find_tensor(struct plan *plan, struct graph *g, int tensor, int i)
{
    plan_keep_all(plan);
    struct runner *x = runner_new(plan);
    float *in = mem_new((size_t)count_of(g, g->inputs[0]), sizeof *in);
    float *out = mem_new((size_t)count_of(g, tensor) + (size_t)plan_output_count(plan), sizeof *out);
    make_image(g, i, in);
    runner_run(x, in, out, NULL);
    bool found = !runner_read_tensor(x, tensor, out);
    runner_free(x);
    mem_free(in);
    if (!found)
        mem_free(out);
    return found ? out : NULL;
}

static float *read_tensor(struct plan *plan, struct graph *g, int tensor, int i)
{
    float *out = find_tensor(plan, g, tensor, i);
    ck_assert_ptr_nonnull(out);
    return out;
}

/* A product over several rows is a 1x1 convolution over as many pixels: on codes it stays close to fp32, and it is a
 * layer. */
START_TEST(test_products_over_rows)
{
    struct graph *g = onnx_make_graph(
        "in x 1,9,16\nconst w 16,24\nconst b 24\nconst v 24,8\nMatMul(x,w)->t\nAdd(t,b)->s\nRelu(s)->r\n"
        "MatMul(r,v)->y\nout y");
    ck_assert_int_eq(g->n_layers, 2);
    ck_assert_int_eq(g->layers[0].macs, 9 * 16 * 24);
    struct calibration *c = calibrate(g);
    struct precision *fp = uniform(g, 0, 0), *w8a8 = uniform(g, 8, 8);
    struct plan *a = compile(g, fp, NULL), *b = compile(g, w8a8, c);
    float *in = mem_new((size_t)count_of(g, g->inputs[0]), sizeof *in);
    make_image(g, 0, in);
    float *want = run_once(a, in), *got = run_once(b, in);
    ck_assert_ptr_nonnull(strstr(plan_layers(b)[0].kernel, "conv_"));
    assert_close(got, want, count_of(g, g->outputs[0]), 0.03, "w8a8 over rows");
    mem_free(in);
    mem_free(want);
    mem_free(got);
    mem_free(fp);
    mem_free(w8a8);
    plan_free(a);
    plan_free(b);
    calibration_free(c);
    graph_free(g);
}
END_TEST

/* body: nodes from c, a convolution's output, to d, which another layer reads. Ends in the plan at 8 bits. */
static void check_on_codes(int opset, const char *body)
{
    char *text = mem_printf("opset %d\nin x 1,4,6,8\nconst w 4,4,3,3\nconst b 4\nconst slope 1 = 0.25\n"
                            "ints s0 2 = 1,0\nints s1 2 = 5,8\nints s2 2 = 2,3\nints s3 2 = 1,2\n"
                            "Conv(x,w,b)->c pads=[1,1,1,1]\n%s\nFlatten(d)->f axis=1\nout f\n",
                            opset, body);
    struct graph *g = onnx_make_graph(text);
    int64_t k = count_of(g, g->outputs[0]);
    graph_free(g);
    char *tail = strstr(text, "out f");
    char *longer =
        mem_printf("%.*sconst v 5,%lld\nGemm(f,v)->y transB=1\nout y\n", (int)(tail - text), text, (long long)k);
    g = onnx_make_graph(longer);
    struct calibration *c = calibrate(g);
    struct precision *fp = uniform(g, 0, 0), *w8a8 = uniform(g, 8, 8);
    struct plan *a = compile(g, fp, NULL), *b = compile(g, w8a8, c);
    int gemm_input = g->nodes[g->layers[g->n_layers - 1].node].in[0];
    for (int i = 0; i < 4; i++) {
        int conv_output = g->nodes[g->layers[0].node].out[0];
        float *x = read_tensor(a, g, gemm_input, i), *y = read_tensor(b, g, gemm_input, i);
        float *before = find_tensor(a, g, conv_output, i);
        double peak = 0, worst = 0;
        for (int64_t j = 0; before && j < count_of(g, conv_output); j++)
            peak = fmax(peak, fabs(before[j]));
        mem_free(before);
        for (int64_t j = 0; j < k; j++) {
            peak = fmax(peak, fabs(x[j]));
            worst = fmax(worst, fabs((double)x[j] - y[j]));
        }
        /* A few steps of 1/255 of the range: of the image, the weights, the convolution's output, whose errors pass
         * through the operator, and the operator's own. */
        ck_assert_msg(worst <= 0.03 * peak, "%s: off by %g of %g", body, worst, peak);
        mem_free(x);
        mem_free(y);
    }
    check_plan(g, w8a8, c, true);
    struct precision *low = uniform(g, 4, 3);
    check_plan(g, low, c, true);
    mem_free(low);
    plan_free(a);
    plan_free(b);
    mem_free(fp);
    mem_free(w8a8);
    calibration_free(c);
    graph_free(g);
    mem_free(longer);
    mem_free(text);
}

START_TEST(test_operators_on_codes)
{
    check_on_codes(code_graphs[_i].opset ? code_graphs[_i].opset : 13, code_graphs[_i].body);
}
END_TEST

/* Every operator that says it is gentle, whatever there will be. */
START_TEST(test_gentle_operators_on_codes)
{
    const struct op_row *row;
    int tried = 0;
    for (int i = 0; (row = op_row(i)); i++) {
        if (!(row->flags & OP_GENTLE))
            continue;
        char *body = mem_printf("%s(c%s)->d", row->name, row->min_in > 1 ? ",slope" : "");
        check_on_codes(20, body);
        mem_free(body);
        tried++;
    }
    ck_assert_int_ge(tried, 16);
}
END_TEST

/* Between two layers on codes no step is in float. */
START_TEST(test_gentle_operators_stay_on_codes)
{
    struct graph *g = onnx_make_graph("opset 20\nin x 1,4,6,8\nconst w 4,4,3,3\nconst v 4,4,1,1\nConv(x,w)->c\n"
                                      "Tanh(c)->d\nElu(d)->e\nConv(e,v)->f\nLog(f)->h\nConv(h,v)->y\nout y");
    struct calibration *c = calibrate(g);
    struct precision *p = uniform(g, 8, 8);
    struct plan *plan = compile(g, p, c);
    int tables = 0, calls = 0;
    for (int i = 0; i < plan_step_count(plan); i++) {
        tables += !strcmp(plan_step(plan, i).kernel, "lut_u8");
        calls += !strcmp(plan_step(plan, i).kernel, "Log"); /* steep: codes would be too coarse */
        ck_assert_str_ne(plan_step(plan, i).kernel, "Tanh");
    }
    ck_assert_int_eq(tables, 2);
    ck_assert_int_eq(calls, 1);
    plan_free(plan);
    mem_free(p);
    calibration_free(c);
    graph_free(g);
}
END_TEST

/* --- the same everywhere
 * ------------------------------------------------------------------------------------------------ */

static float *outputs_of(struct graph *g, const struct precision *p, const struct calibration *c, int threads,
                         const char *isa)
{
    struct err e = {{0}};
    ck_assert_msg(!isa_select(isa, &e), "%s", e.text);
    parallel_set_threads(threads);
    struct plan *plan = compile(g, p, c);
    struct image_source src = {get_image, g, 8};
    float *out = mem_new(8 * (size_t)plan_output_count(plan), sizeof *out);
    ck_assert_int_eq(evaluate_outputs(plan, &src, 8, out, NULL, NULL), 8);
    plan_free(plan);
    parallel_set_threads(0);
    ck_assert(!isa_select("auto", &e));
    return out;
}

START_TEST(test_same_bits_everywhere)
{
    static const int widths[][2] = {{8, 8}, {4, 4}, {2, 3}, {1, 1}, {6, 8}};
    struct graph *g = zoo_graph(_i);
    if (!g)
        return;
    struct calibration *c = calibrate(g);
    for (size_t k = 0; k < sizeof widths / sizeof *widths; k++) {
        struct precision *p = uniform(g, widths[k][0], widths[k][1]);
        float *first = outputs_of(g, p, c, 1, "c");
        for (int isa = ISA_C; isa < ISA_COUNT; isa++) {
            if (!isa_supported((enum isa)isa))
                continue;
            float *other = outputs_of(g, p, c, 2, isa_name((enum isa)isa));
            ck_assert_msg(!memcmp(first, other, 8 * 10 * sizeof *first), "w%da%d differs on %s", widths[k][0],
                          widths[k][1], isa_name((enum isa)isa));
            mem_free(other);
        }
        mem_free(first);
        mem_free(p);
    }
    calibration_free(c);
    graph_free(g);
}
END_TEST

START_TEST(test_zoo_logits)
{
    struct graph *g = zoo_graph(_i);
    if (!g)
        return;
    /* The exporter kept PyTorch's own logits of the first 8 test images beside the model. */
    char *path = mem_printf("%.*s.logits.txt", (int)(strlen(zoo[_i]) - 5), zoo[_i]);
    size_t size, n;
    char *text = file_read(path, 1 << 20, &size, NULL);
    char *images = file_read("/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz", 1 << 26, &n, NULL);
    mem_free(path);
    if (!text || !images) {
        printf("skipped: %s's logits or Fashion-MNIST are not there\n", zoo[_i]);
    } else {
        struct precision *p = uniform(g, 0, 0);
        struct plan *plan = compile(g, p, NULL);
        const char *s = strchr(text, '\n') + 1;
        for (int i = 0; i < 8; i++) {
            float in[784], want[10];
            for (int k = 0; k < 784; k++)
                in[k] = (((unsigned char)images[16 + i * 784 + k]) / 255.0f - 0.2860f) / 0.3530f;
            for (int k = 0; k < 10; k++) {
                char *end;
                want[k] = strtof(s, &end);
                s = end;
            }
            float *out = run_once(plan, in);
            for (int k = 0; k < 10; k++)
                ck_assert_msg(fabsf(out[k] - want[k]) <= 1e-3f, "%s: image %d class %d: %g, not %g", zoo[_i], i, k,
                              out[k], want[k]);
            mem_free(out);
        }
        plan_free(plan);
        mem_free(p);
    }
    mem_free(text);
    mem_free(images);
    graph_free(g);
}
END_TEST

START_TEST(test_needs_calibration)
{
    struct graph *g = onnx_make_graph("in x 1,3\nconst w 2,3\nGemm(x,w)->y transB=1\nout y");
    struct precision *p = uniform(g, 8, 8);
    struct err e = {{0}};
    ck_assert(!plan_compile(g, p, NULL, NULL, &e));
    ck_assert_msg(strstr(e.text, "calibration"), "%s", e.text);
    mem_free(p);
    p = uniform(g, 4, 0);
    struct plan *plan = plan_compile(g, p, NULL, NULL, &e);
    ck_assert_msg(plan, "%s", e.text);
    ck_assert_str_eq(plan_layers(plan)[0].note, "emulated: fp32 arithmetic");
    plan_free(plan);
    mem_free(p);
    graph_free(g);
}
END_TEST

START_TEST(test_memory_is_shared)
{
    struct graph *g = zoo_graph(_i);
    if (!g)
        return;
    struct calibration *c = calibrate(g);
    struct precision *p = uniform(g, 8, 8);
    struct plan *plan = compile(g, p, c);
    size_t tight = plan_arena_bytes(plan);
    plan_keep_all(plan);
    ck_assert_uint_lt(2 * tight, plan_arena_bytes(plan));
    plan_free(plan);
    mem_free(p);
    calibration_free(c);
    graph_free(g);
}
END_TEST

struct sight { /* what runner_run_observed shows */
    const struct graph *g;
    float **tensors; /* [n_tensors] */
};

static void see_tensor(void *ctx, int tensor, const float *values, size_t n)
{
    struct sight *s = ctx;
    ck_assert_ptr_null(s->tensors[tensor]);
    s->tensors[tensor] = mem_new(n, sizeof *values);
    memcpy(s->tensors[tensor], values, n * sizeof *values);
}

/* Additions run where the layer before them stores its sums; calibration still sees every tensor, and the sums are
 * those of an addition by itself. */
START_TEST(test_sums_are_seen)
{
    struct graph *g = zoo_graph(0);
    if (!g)
        return;
    struct precision *p = uniform(g, 0, 0);
    struct plan *plan = compile(g, p, NULL);
    ck_assert_int_lt(plan_step_count(plan), g->n_nodes);
    float *input = mem_new((size_t)plan_input_count(plan), sizeof *input);
    make_image(g, 0, input);
    float *out = run_once(plan, input);
    struct sight s = {g, mem_new((size_t)g->n_tensors, sizeof *s.tensors)};
    struct runner *x = runner_new(plan);
    runner_run_observed(x, (const void *const[]){input}, see_tensor, &s);
    assert_close(s.tensors[g->outputs[0]], out, plan_output_count(plan), 1e-5, "output");
    int sums = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        const struct node *n = &g->nodes[i];
        const float *y = s.tensors[n->out[0]];
        if (n->op == OP_RESHAPE)
            continue;
        ck_assert_msg(y, "%s is not seen", g->tensors[n->out[0]].name);
        for (int64_t k = 0; n->op == OP_ADD && k < shape_count(&g->tensors[n->out[0]].shape); k++) {
            float sum = s.tensors[n->in[0]][k] + s.tensors[n->in[1]][k];
            ck_assert(y[k] == fminf(n->act_hi, fmaxf(n->act_lo, sum)));
        }
        sums += n->op == OP_ADD;
    }
    ck_assert_int_gt(sums, 0);
    for (int i = 0; i < g->n_tensors; i++)
        mem_free(s.tensors[i]);
    mem_free(s.tensors);
    runner_free(x);
    mem_free(out);
    mem_free(input);
    plan_free(plan);
    mem_free(p);
    graph_free(g);
}
END_TEST

Suite *check_engine_suite(void)
{
    Suite *s = suite_create("engine");
    TCase *t = tcase_create("plans");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, test_fp32_operator, 0, import_cases_count);
    tcase_add_loop_test(t, test_fp32_onnxruntime, 0, N_REFERENCES);
    tcase_add_loop_test(t, test_zoo_logits, 0, N_ZOO);
    tcase_add_loop_test(t, test_layers_exact, 0, N_ZOO);
    tcase_add_loop_test(t, test_mixed_profiles, 0, 6);
    tcase_add_test(t, test_products_over_rows);
    tcase_add_loop_test(t, test_operators_on_codes, 0, N_CODE_GRAPHS);
    tcase_add_test(t, test_gentle_operators_on_codes);
    tcase_add_test(t, test_gentle_operators_stay_on_codes);
    tcase_add_loop_test(t, test_same_bits_everywhere, 0, N_ZOO);
    tcase_add_loop_test(t, test_memory_is_shared, 0, N_ZOO);
    tcase_add_test(t, test_needs_calibration);
    tcase_add_test(t, test_sums_are_seen);
    suite_add_tcase(s, t);
    return s;
}
