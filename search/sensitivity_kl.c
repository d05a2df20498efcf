/* SPDX-License-Identifier: MIT
 *
 * Sensitivity by the KL divergence of the output (ZeroQ, Cai et al. 2020, arXiv 2001.00281): every layer at w8a8, one
 * layer's weights or input at another width, on real integer runs at 5, 4, 3, 2 and 1 bits; 6 and 7 follow from 5. Of
 * an output of one value an image the power of its error stands in. Layers that read the same tensor share their
 * activation width, and so its loss.
 */
#include <math.h>

#include "base/mem.h"
#include "search/sensitivity.h"

struct probe {
    const struct sensitivity_input *in;
    const struct graph *g;
    int classes;
    float *outputs;
    struct precision *precisions;
};

/* Loss of the present precisions; NAN with a message on failure. */
static double probe_loss(struct probe *x, struct err *e)
{
    struct plan *plan = plan_compile(x->g, x->precisions, x->in->calibration, x->in->cache, e);
    if (!plan)
        return NAN;
    int done = evaluate_outputs(plan, x->in->images, x->in->n, x->outputs, NULL, e);
    plan_free(plan);
    if (done < 0)
        return NAN;
    double loss = x->classes > 1 ? evaluate_kl(x->in->fp32_scores, x->outputs, x->in->n, x->classes)
                                 : evaluate_error_power(x->in->fp32_scores, x->outputs, x->in->n);
    if (isnan(loss))
        err_set(e, "%s: its scores are not finite: sensitivity cannot be measured", x->g->file);
    return loss;
}

/* More bits never hurt: noise that says otherwise is levelled, from the many bits down. */
static void make_monotone(double loss[WIDTHS])
{
    for (int b = BITS_MAX - 1; b >= 1; b--)
        loss[b] = fmax(loss[b], loss[b + 1]);
}

static const int probed_widths[] = {5, 4, 3, 2, 1};
enum { N_PROBED = sizeof probed_widths / sizeof probed_widths[0] };

/* Losses of one layer's weights (or, for its group, of the tensor it reads) at all widths, above that of w8a8. */
static int probe_side(struct probe *x, int layer, bool weights, double base, double own[WIDTHS],
                      const struct progress *p, struct err *e)
{
    int group = x->g->layers[layer].group;
    own[BITS_MAX] = 0;
    for (int i = 0; i < N_PROBED; i++) {
        int b = probed_widths[i];
        if (progress_stopped(p))
            return 1;
        for (int l = 0; l < x->g->n_layers; l++) {
            x->precisions[l] = precision_default();
            if (weights && l == layer)
                precision_set_w(&x->precisions[l], b);
            if (!weights && x->g->layers[l].group == group)
                precision_set_a(&x->precisions[l], b);
        }
        double loss = probe_loss(x, e);
        if (isnan(loss))
            return -1;
        own[b] = fmax(0, loss - base);
    }
    own[6] = own[5] / 4; /* uniform noise power falls fourfold a bit, and is hardly to be measured there */
    own[7] = own[6] / 4;
    make_monotone(own);
    return 0;
}

static int group_size(const struct graph *g, int group)
{
    int n = 0;
    for (int l = 0; l < g->n_layers; l++)
        n += g->layers[l].group == group;
    return n;
}

static int probe_layer(struct probe *x, struct tables *t, int layer, const struct progress *p, struct err *e)
{
    const struct graph *g = x->g;
    double own_w[WIDTHS] = {0}, own_a[WIDTHS] = {0}, share = t->base_loss / (2.0 * g->n_layers);
    int rc = probe_side(x, layer, true, t->base_loss, own_w, p, e);
    if (rc)
        return rc;
    int first = layer, members = group_size(g, g->layers[layer].group);
    for (int l = layer - 1; l >= 0; l--)
        if (g->layers[l].group == g->layers[layer].group)
            first = l;
    if (first == layer && (rc = probe_side(x, layer, false, t->base_loss, own_a, p, e)))
        return rc;
    struct layer_table *table = &t->layers[layer];
    for (int b = 1; b <= BITS_MAX; b++) {
        table->loss_w[b] = share + own_w[b];
        table->loss_a[b] = first == layer ? share + own_a[b] / members : t->layers[first].loss_a[b];
    }
    table->measured = true;
    return 0;
}

static int fill(const struct sensitivity_input *in, struct tables *t, const struct publish *publish,
                const struct progress *p, struct err *e)
{
    const struct graph *g = in->graph;
    int64_t classes = shape_count(&g->tensors[g->outputs[graph_scores(g)]].shape);
    struct probe x = {.in = in, .g = g, .classes = (int)classes};
    x.outputs = mem_new((size_t)in->n * (size_t)classes, sizeof *x.outputs);
    x.precisions = mem_new((size_t)g->n_layers + 1, sizeof *x.precisions);
    for (int l = 0; l < g->n_layers; l++)
        x.precisions[l] = precision_default();
    int rc = 0;
    t->base_loss = probe_loss(&x, e);
    if (isnan(t->base_loss))
        rc = -1;
    for (int l = 0; l < g->n_layers && rc == 0; l++) {
        if (t->layers[l].measured)
            continue;
        if (progress_step(p, "sensitivity", l, g->n_layers))
            rc = 1;
        else
            rc = probe_layer(&x, t, l, p, e);
        if (rc == 0) {
            t->layers_measured++;
            t->calibration_images = in->n;
            publish->changed(publish->ctx);
        }
    }
    mem_free(x.outputs);
    mem_free(x.precisions);
    return rc;
}

const struct sensitivity_method sensitivity_kl = {
    .name = "kl",
    .unit = "nats",
    .help = "KL divergence of the output from fp32's, on real integer runs",
    .fill = fill,
};
