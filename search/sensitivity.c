/* SPDX-License-Identifier: MIT
 *
 * Sensitivity, one layer at a time, and what the weights alone say about it.
 */
#include <math.h>
#include <string.h>

#include "quant/layer_weights.h"
#include "search/analyze.h"
#include "search/estimate.h"

/* A data-free guess: output noise is about the sum of the layers' relative noise powers. */
static double guess_loss(double sqnr_db, int n_layers)
{
    return 0.5 * pow(10, -sqnr_db / 10) / sqrt(n_layers);
}

/* Signal to noise of a layer's weights at every width. Large layers are judged by some of their channels, evenly
 * spread: the search for the best clip reads every weight hundreds of times. */
static void layer_sqnr(const struct graph *g, int layer, struct layer_table *x)
{
    enum { WEIGHTS_MOST = 1 << 16, CHANNELS_LEAST = 8 };
    for (int gran = 0; gran < GRANULARITY_COUNT; gran++)
        for (int b = 1; b <= BITS_MAX; b++) {
            struct precision p = precision_default();
            precision_set_w(&p, b);
            p.granularity = (uint8_t)gran;
            /* of two activations, an even spread's */
            x->sqnr[gran][b] = g->layers[layer].n_weights
                                   ? layer_weights_sqnr(g, layer, &p, WEIGHTS_MOST, CHANNELS_LEAST)
                                   : 6.02 * b - 4;
        }
}

int analyze_static(const struct graph *g, struct tables *t, const struct progress *p)
{
    for (int l = 0; l < g->n_layers; l++) {
        const struct layer *layer = &g->layers[l];
        struct layer_table *x = &t->layers[l];
        if (progress_step(p, "weights", l, g->n_layers))
            return 1;
        x->macs = (double)layer->macs;
        x->weights = (double)(layer->params - layer->n_bias);
        for (int gran = 0; gran < GRANULARITY_COUNT; gran++)
            for (int b = 0; b <= BITS_MAX; b++)
                x->bytes[gran][b] = layer_bytes(g, l, b, gran);
        layer_sqnr(g, l, x);
        for (int b = 1; b <= BITS_MAX && !x->measured; b++) {
            x->loss_w[b] = guess_loss(x->sqnr[GRANULARITY_CHANNEL][b], g->n_layers);
            bool own = layer->own.a_bits && b >= layer->own.a_bits; /* nothing is lost */
            x->loss_a[b] = own ? 0 : guess_loss(6.02 * b - 4, g->n_layers);
        }
    }
    return 0;
}

struct probe {
    const struct graph *g;
    const struct calibration *c;
    struct weight_cache *cache;
    const struct image_source *src;
    int n, classes;
    const float *reference;
    float *outputs;
    struct precision *precisions;
};

/* Loss of the present precisions; NAN with a message on failure. */
static double probe_loss(struct probe *x, struct err *e)
{
    struct plan *plan = plan_compile(x->g, x->precisions, x->c, x->cache, e);
    if (!plan)
        return NAN;
    int done = evaluate_outputs(plan, x->src, x->n, x->outputs, NULL, e);
    plan_free(plan);
    if (done < 0)
        return NAN;
    double loss = x->classes > 1 ? evaluate_kl(x->reference, x->outputs, x->n, x->classes)
                                 : evaluate_error_power(x->reference, x->outputs, x->n);
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

int analyze_loss(const struct graph *g, const struct calibration *c, struct weight_cache *cache,
                 const struct image_source *src, int n, const float *fp32_outputs, struct tables *t,
                 const struct publish *publish, const struct progress *p, struct err *e)
{
    int64_t classes = shape_count(&g->tensors[g->outputs[graph_scores(g)]].shape);
    struct probe x = {
        .g = g, .c = c, .cache = cache, .src = src, .n = n, .classes = (int)classes, .reference = fp32_outputs};
    x.outputs = mem_new((size_t)n * (size_t)classes, sizeof *x.outputs);
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
            t->calibration_images = n;
            publish->changed(publish->ctx);
        }
    }
    mem_free(x.outputs);
    mem_free(x.precisions);
    return rc;
}

/* Sum over points of weighted squared misses of a fit. */
static double fit_error(const struct loss_fit *f, const struct fit_point *points, const double *weights, int n)
{
    double error = 0;
    for (int i = 0; i < n; i++) {
        double miss = loss_fit_drop(f, points[i].loss) - points[i].drop;
        error += weights[i] * miss * miss;
    }
    return error;
}

/* The weighted quantile of values. Sorts both arrays by value. */
static double weighted_quantile(double (*x)[2], int n, double q)
{
    double total = 0, seen = 0;
    for (int i = 1; i < n; i++)
        for (int k = i; k > 0 && x[k][0] < x[k - 1][0]; k--)
            for (int c = 0; c < 2; c++) {
                double swap = x[k][c];
                x[k][c] = x[k - 1][c];
                x[k - 1][c] = swap;
            }
    for (int i = 0; i < n; i++)
        total += x[i][1];
    for (int i = 0; i < n; i++)
        if ((seen += x[i][1]) >= q * total)
            return x[i][0];
    return 0;
}

/* The error bar: 9 of 10 misses of the profiles at hand were smaller, relative for large drops, absolute for small
 * ones; a quantile, so that one outlier does not swamp it. Calibration images were trained on, so a fit to them alone
 * is trusted less. */
static void fit_error_bar(struct loss_fit *f, const struct fit_point *points, int n)
{
    double(*large)[2] = mem_new((size_t)n, sizeof *large), (*small)[2] = mem_new((size_t)n, sizeof *small);
    int held_out = 0, n_large = 0, n_small = 0;
    for (int i = 0; i < n; i++) {
        double predicted = loss_fit_drop(f, points[i].loss), miss = fabs(predicted - points[i].drop);
        double w = points[i].held_out ? 4 : 1;
        held_out += points[i].held_out;
        if (predicted > 1) {
            large[n_large][0] = miss / predicted;
            large[n_large++][1] = w;
        } else {
            small[n_small][0] = miss;
            small[n_small++][1] = w;
        }
    }
    f->error_rel = (held_out >= 3 ? 0 : 0.25) + (n_large > 0 ? weighted_quantile(large, n_large, 0.9) : 0.5);
    f->error_abs = fmax(0.1, n_small > 0 ? weighted_quantile(small, n_small, 0.9) : 0.2);
    mem_free(large);
    mem_free(small);
}

/* Weighted least squares over a grid of powers and scales. Each point weighs by its own uncertainty (a tenth of a
 * point, a fifth of the drop, and what counting on so many images leaves), and held-out images count fourfold. */
struct loss_fit analyze_fit(const struct fit_point *points, int n, double ceiling)
{
    struct loss_fit best = {.scale = 25, .power = 1, .ceiling = ceiling, .error_rel = 1, .error_abs = 0.3};
    if (n < 3)
        return best;
    double *weights = mem_new((size_t)n, sizeof *weights), least = INFINITY;
    for (int i = 0; i < n; i++) {
        double sigma = 0.1 + 0.2 * fmax(0, points[i].drop) + 3 / sqrt((double)points[i].images);
        weights[i] = (points[i].held_out ? 4 : 1) / (sigma * sigma);
    }
    for (double power = 0.4; power < 1.601; power += 0.02)
        for (double scale = 0.5; scale < 400; scale *= 1.02) {
            struct loss_fit f = {.scale = scale, .power = power, .ceiling = ceiling};
            double error = fit_error(&f, points, weights, n);
            if (error < least) {
                least = error;
                best.scale = scale;
                best.power = power;
            }
        }
    mem_free(weights);
    fit_error_bar(&best, points, n);
    best.points = n;
    return best;
}
