/* SPDX-License-Identifier: MIT
 *
 * oneDNN through its C API of version 2 (Debian 12): convolutions of u8 codes with s8 weights, which it may lay out as
 * it likes. A 1x1 convolution is a matrix product, for which it has three primitives: the fastest on the shape is kept.
 */
#include <dnnl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "bench/peer.h"
#include "bench/turns.h"

void omp_set_num_threads(int); /* of the library's OpenMP runtime; clang has no <omp.h> of its own */

enum { TRIAL_ROUNDS = 5 };
static const int64_t trial_ns = 500 * 1000;

struct onednn {
    dnnl_primitive_t primitive;
    dnnl_memory_t src, weights, dst;
    void *packed, *out;
    char detail[64];
};

/* What a primitive is made from. */
struct request {
    const struct peer_layer *l;
    dnnl_primitive_attr_t attr;
    dnnl_memory_desc_t src, plain, any, dst; /* any: the weights in a layout of oneDNN's choice */
    dnnl_memory_desc_t bias;                 /* none */
};

static dnnl_engine_t engine;
static dnnl_stream_t stream;

static bool ready(struct err *e)
{
    if (!engine) {
        omp_set_num_threads(1);
        if (peer_restricted())
            dnnl_set_max_cpu_isa(dnnl_cpu_isa_avx512_core_vnni);
        if (dnnl_engine_create(&engine, dnnl_cpu, 0) || dnnl_stream_create(&stream, engine, dnnl_stream_default_flags))
            return err_set(e, "oneDNN: no engine"), false;
    }
    return true;
}

static void describe(dnnl_memory_desc_t *d, int n, const dnnl_dims_t dims, dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    dnnl_memory_desc_init_by_tag(d, n, dims, type, tag);
}

static dnnl_status_t describe_convolution(struct request *r, dnnl_primitive_desc_t *out)
{
    const struct conv_geom *g = r->l->g;
    const dnnl_dims_t src = {1, g->cin, g->h, g->w}, dst = {1, g->cout, g->oh, g->ow};
    const dnnl_dims_t plain = {g->cout, g->cin, g->kh, g->kw};
    const dnnl_dims_t grouped = {g->groups, g->cout / g->groups, g->cin / g->groups, g->kh, g->kw};
    const bool one = g->groups == 1;
    dnnl_data_type_t type = r->l->scale > 0 ? dnnl_u8 : dnnl_s32;
    describe(&r->src, 4, src, dnnl_u8, dnnl_nhwc);
    describe(&r->dst, 4, dst, type, dnnl_nhwc);
    describe(&r->plain, one ? 4 : 5, one ? plain : grouped, dnnl_s8, one ? dnnl_ohwi : dnnl_gohwi);
    describe(&r->any, one ? 4 : 5, one ? plain : grouped, dnnl_s8, dnnl_format_tag_any);
    const dnnl_dims_t strides = {g->stride_h, g->stride_w}, left = {g->pad_top, g->pad_left};
    const dnnl_dims_t dilation = {g->dilation_h - 1, g->dilation_w - 1};
    const dnnl_dims_t right = {
        (g->oh - 1) * g->stride_h + (g->kh - 1) * g->dilation_h + 1 - g->h - g->pad_top,
        (g->ow - 1) * g->stride_w + (g->kw - 1) * g->dilation_w + 1 - g->w - g->pad_left,
    };
    dnnl_convolution_desc_t d;
    dnnl_status_t s =
        dnnl_dilated_convolution_forward_desc_init(&d, dnnl_forward_inference, dnnl_convolution_direct, &r->src,
                                                   &r->any, &r->bias, &r->dst, strides, dilation, left, right);
    return s ? s : dnnl_primitive_desc_create(out, &d, r->attr, engine, NULL);
}

/* The same as a matrix product: [pixels][cin] by [cin][cout]. */
static void describe_product(struct request *r, bool transposed)
{
    const struct conv_geom *g = r->l->g;
    const dnnl_dims_t src = {g->oh * g->ow, g->cin}, dst = {g->oh * g->ow, g->cout};
    const dnnl_dims_t weights = {g->cin, g->cout}, of_outputs = {g->cout, g->cin};
    describe(&r->src, 2, src, dnnl_u8, dnnl_ab);
    describe(&r->dst, 2, dst, r->l->scale > 0 ? dnnl_u8 : dnnl_s32, dnnl_ab);
    describe(&r->plain, 2, transposed ? of_outputs : weights, dnnl_s8, transposed ? dnnl_ab : dnnl_ba);
    describe(&r->any, 2, transposed ? of_outputs : weights, dnnl_s8, dnnl_format_tag_any);
}

static dnnl_status_t describe_inner_product(struct request *r, dnnl_primitive_desc_t *out)
{
    dnnl_inner_product_desc_t d;
    describe_product(r, true);
    dnnl_status_t s =
        dnnl_inner_product_forward_desc_init(&d, dnnl_forward_inference, &r->src, &r->any, &r->bias, &r->dst);
    return s ? s : dnnl_primitive_desc_create(out, &d, r->attr, engine, NULL);
}

static dnnl_status_t describe_matmul(struct request *r, dnnl_primitive_desc_t *out)
{
    dnnl_matmul_desc_t d;
    describe_product(r, false);
    dnnl_status_t s = dnnl_matmul_desc_init(&d, &r->src, &r->any, &r->bias, &r->dst);
    return s ? s : dnnl_primitive_desc_create(out, &d, r->attr, engine, NULL);
}

static void close_state(void *state)
{
    struct onednn *o = state;
    if (!o)
        return;
    dnnl_primitive_destroy(o->primitive);
    dnnl_memory_destroy(o->src);
    dnnl_memory_destroy(o->weights);
    dnnl_memory_destroy(o->dst);
    mem_free(o->packed);
    mem_free(o->out);
    mem_free(o);
}

static void run(void *state)
{
    const struct onednn *o = state;
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, o->src}, {DNNL_ARG_WEIGHTS, o->weights}, {DNNL_ARG_DST, o->dst}};
    dnnl_primitive_execute(o->primitive, stream, 3, args);
    dnnl_stream_wait(stream);
}

static dnnl_status_t pack_weights(struct onednn *o, const struct request *r, const dnnl_memory_desc_t *to)
{
    dnnl_memory_t plain = NULL;
    dnnl_primitive_desc_t d = NULL;
    dnnl_primitive_t reorder = NULL;
    o->packed = mem_new(dnnl_memory_desc_get_size(to), 1);
    dnnl_status_t s = dnnl_memory_create(&plain, &r->plain, engine, (void *)(uintptr_t)r->l->weights);
    s = s ? s : dnnl_memory_create(&o->weights, to, engine, o->packed);
    s = s ? s : dnnl_reorder_primitive_desc_create(&d, &r->plain, engine, to, engine, NULL);
    s = s ? s : dnnl_primitive_create(&reorder, d);
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, plain}, {DNNL_ARG_TO, o->weights}};
    s = s ? s : dnnl_primitive_execute(reorder, stream, 2, args);
    dnnl_stream_wait(stream);
    dnnl_primitive_destroy(reorder);
    dnnl_primitive_desc_destroy(d);
    dnnl_memory_destroy(plain);
    return s;
}

typedef dnnl_status_t describe_fn(struct request *, dnnl_primitive_desc_t *);

static struct onednn *open_one(const struct peer_layer *l, const char *name, describe_fn *describe_it)
{
    struct request r = {.l = l};
    dnnl_primitive_desc_t d = NULL;
    const char *implementation = "";
    struct onednn *o = mem_new(1, sizeof *o);
    dnnl_primitive_attr_create(&r.attr);
    if (l->scale > 0)
        dnnl_primitive_attr_set_output_scales(r.attr, 1, 0, &l->scale);
    dnnl_status_t s = describe_it(&r, &d);
    if (!s) {
        dnnl_primitive_desc_query(d, dnnl_query_impl_info_str, 0, &implementation);
        snprintf(o->detail, sizeof o->detail, "%s %s", name, implementation);
        s = pack_weights(o, &r, dnnl_primitive_desc_query_md(d, dnnl_query_weights_md, 0));
    }
    o->out = mem_new(dnnl_memory_desc_get_size(&r.dst), 1);
    s = s ? s : dnnl_memory_create(&o->src, &r.src, engine, (void *)(uintptr_t)l->in);
    s = s ? s : dnnl_memory_create(&o->dst, &r.dst, engine, o->out);
    s = s ? s : dnnl_primitive_create(&o->primitive, d);
    dnnl_primitive_desc_destroy(d);
    dnnl_primitive_attr_destroy(r.attr);
    if (!s)
        return o;
    close_state(o);
    return NULL;
}

static void *open_layer(const struct peer_layer *l, struct err *e)
{
    static const struct {
        const char *name;
        describe_fn *describe;
    } ways[] = {{"conv", describe_convolution}, {"inner", describe_inner_product}, {"matmul", describe_matmul}};
    const struct conv_geom *g = l->g;
    bool product = g->kh * g->kw == 1 && g->groups == 1 && g->oh * g->ow == g->h * g->w;
    struct turn turns[sizeof ways / sizeof *ways] = {{0}};
    int n = product ? sizeof ways / sizeof *ways : 1, best = -1;
    if (!ready(e))
        return NULL;
    for (int i = 0; i < n; i++)
        turns[i] = (struct turn){.run = run, .state = open_one(l, ways[i].name, ways[i].describe)};
    if (n > 1)
        turns_take(turns, n, TRIAL_ROUNDS, trial_ns);
    for (int i = 0; i < n; i++)
        if (turns[i].state && (best < 0 || turns[i].ns < turns[best].ns))
            best = i;
    for (int i = 0; i < n; i++)
        if (i != best)
            close_state(turns[i].state);
    if (best >= 0)
        return turns[best].state;
    err_set(e, "oneDNN refused the layer");
    return NULL;
}

static const void *output(const void *state)
{
    return ((const struct onednn *)state)->out;
}

static const char *detail(const void *state)
{
    return ((const struct onednn *)state)->detail;
}

const struct peer onednn_peer = {
    .name = "oneDNN",
    .package = "libdnnl-dev",
    .has_sums = true,
    .top = 255,
    .open = open_layer,
    .run = run,
    .output = output,
    .detail = detail,
    .close = close_state,
};
