/* SPDX-License-Identifier: MIT
 *
 * XNNPACK as Debian 12 has it (of February 2022): signed 8-bit convolutions with a weight scale for each channel,
 * requantized. It has no operator below 8 bits yet, and its 8-bit kernels of then do without VNNI.
 */
#include <string.h>
#include <xnnpack.h>

#include "base/mem.h"
#include "bench/peer.h"

struct xnnpack {
    xnn_operator_t op;
    float *scales;
    int8_t *in, *out; /* with the bytes that it may read past the end */
};

static void close_state(void *state)
{
    struct xnnpack *x = state;
    if (!x)
        return;
    xnn_delete_operator(x->op);
    mem_free(x->scales);
    mem_free(x->in);
    mem_free(x->out);
    mem_free(x);
}

static void *open_layer(const struct peer_layer *l, struct err *e)
{
    const struct conv_geom *g = l->g;
    size_t n_in = (size_t)g->h * (size_t)g->w * (size_t)g->cin, n_out = (size_t)g->oh * (size_t)g->ow * (size_t)g->cout;
    if (l->scale <= 0 || xnn_initialize(NULL) != xnn_status_success)
        return err_set(e, "XNNPACK: not on this processor, or not without requantization"), NULL;
    struct xnnpack *x = mem_new(1, sizeof *x);
    x->scales = mem_new((size_t)g->cout, sizeof *x->scales);
    for (int c = 0; c < g->cout; c++)
        x->scales[c] = l->scale;
    x->in = mem_new(n_in + XNN_EXTRA_BYTES, 1);
    x->out = mem_new(n_out + XNN_EXTRA_BYTES, 1);
    memcpy(x->in, l->in, n_in);
    int bottom = (g->oh - 1) * g->stride_h + (g->kh - 1) * g->dilation_h + 1 - g->h - g->pad_top;
    int right = (g->ow - 1) * g->stride_w + (g->kw - 1) * g->dilation_w + 1 - g->w - g->pad_left;
    enum xnn_status s = xnn_create_convolution2d_nhwc_qc8(
        (uint32_t)g->pad_top, (uint32_t)right, (uint32_t)bottom, (uint32_t)g->pad_left, (uint32_t)g->kh,
        (uint32_t)g->kw, (uint32_t)g->stride_h, (uint32_t)g->stride_w, (uint32_t)g->dilation_h, (uint32_t)g->dilation_w,
        (uint32_t)g->groups, (size_t)(g->cin / g->groups), (size_t)(g->cout / g->groups), (size_t)g->cin,
        (size_t)g->cout, 0, 1, x->scales, l->weights, NULL, 0, 1, 0, 127, 0, &x->op);
    if (s == xnn_status_success)
        s = xnn_setup_convolution2d_nhwc_qc8(x->op, 1, (size_t)g->h, (size_t)g->w, x->in, x->out, NULL);
    if (s == xnn_status_success)
        return x;
    err_set(e, "XNNPACK refused the layer (%d)", (int)s);
    close_state(x);
    return NULL;
}

static void run(void *state)
{
    xnn_run_operator(((struct xnnpack *)state)->op, NULL);
}

static const void *output(const void *state)
{
    return ((const struct xnnpack *)state)->out;
}

static const char *detail(const void *state)
{
    (void)state;
    return "qc8 2022";
}

const struct peer xnnpack_peer = {
    .name = "XNNPACK",
    .package = "libxnnpack-dev",
    .has_sums = false,
    .top = 127,
    .open = open_layer,
    .run = run,
    .output = output,
    .detail = detail,
    .close = close_state,
};
