/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "base/rng.h"
#include "engine/runner.h"
#include "search/sensitivity.h"
#include "search/session_private.h"

enum { FIT_PROFILES = 16, FIT_IMAGES = 1024, SCORES_MAX = 1 << 26 /* floats kept at once */ };

struct listener {
    struct session *s;
    struct tables *t;
};

static void publish_tables(void *ctx)
{
    struct listener *l = ctx;
    session_publish(l->s, l->t);
}

static int need_calibrate_outputs(struct session *s, int n, const struct progress *p, struct err *e)
{
    if (s->fp32_calibrate)
        return 0;
    struct plan *plan = plan_compile_uniform(s->graph, 0, 0, s->calibration, s->cache, e);
    if (!plan)
        return -1;
    struct image_source src = session_calibrate_source(s);
    float *out = mem_new((size_t)plan_output_count(plan) * (size_t)n, sizeof *out);
    int done = evaluate_outputs(plan, &src, n, out, p, e);
    plan_free(plan);
    if (done < n) {
        mem_free(out);
        return done < 0 ? -1 : 1;
    }
    s->fp32_calibrate = out;
    return 0;
}

/* At most n images, so many that their scores can be kept: outputs of detectors and segmentation are large. */
static int kept_images(const struct session *s, int n)
{
    int most = SCORES_MAX / session_classes(s);
    return n <= most ? n : most < 1 ? 1 : most;
}

static int loss_images(const struct session *s)
{
    return kept_images(s, s->calibration_images);
}

/* 0 without labels to fit to. */
static int fit_images(const struct session *s)
{
    int n = s->dataset->calibrate.labels ? s->dataset->calibrate.n : 0;
    return kept_images(s, n < FIT_IMAGES ? n : FIT_IMAGES);
}

/* A profile like those that a search would find: each layer takes the widths that are best for a price of bits, and
 * some noise so that profiles differ. */
static void random_profile(const struct tables *t, const struct graph *g, struct rng *r, double price,
                           struct precision *out)
{
    for (int l = 0; l < g->n_layers; l++) {
        int best_w = BITS_MAX, best_a = BITS_MAX;
        double least_w = INFINITY, least_a = INFINITY;
        for (int b = g->quantized ? 1 : 2; b <= BITS_MAX; b++) { /* a network of one or two bits loses nothing at 2 */
            double w = t->layers[l].loss_w[b] * (0.3 + 1.4 * rng_unit(r)) + price * b;
            double a = t->layers[l].loss_a[b] * (0.3 + 1.4 * rng_unit(r)) + price * b;
            best_w = w < least_w ? b : best_w;
            least_w = fmin(w, least_w);
            best_a = a < least_a ? b : best_a;
            least_a = fmin(a, least_a);
        }
        out[l] = precision_default();
        precision_set_w(&out[l], best_w);
        precision_set_a(&out[l], best_a);
        for (int k = 0; k < l; k++)
            if (g->layers[k].group == g->layers[l].group)
                out[l].a_bits = out[k].a_bits;
    }
}

/* The price at which a profile is as small as it can be. The losses of a model that is quantized already are all or
 * nothing: there the dearest layer says it. */
static double highest_price(const struct tables *t, const struct graph *g)
{
    double price = 0.03;
    for (int l = 0; g->quantized && l < g->n_layers; l++)
        price = fmax(price, fmax(t->layers[l].loss_w[1], t->layers[l].loss_a[1]));
    return price;
}

/* The first points of the loss-to-accuracy map: mixed profiles, really run on calibration images. */
static int fit_first_points(struct session *s, struct tables *t, const struct progress *p, struct err *e)
{
    const int32_t *labels = s->dataset->calibrate.labels;
    if (!labels || s->n_points > 0)
        return 0;
    int n = fit_images(s), classes = session_classes(s), right, rc = 0;
    struct image_source src = session_calibrate_source(s);
    struct precision *mix = mem_new((size_t)s->graph->n_layers + 1, sizeof *mix);
    int32_t *best = mem_new((size_t)n, sizeof *best);
    for (int i = 0; i < n; i++)
        best[i] = evaluate_argmax(s->fp32_calibrate + (int64_t)i * classes, classes);
    double fp32 = session_accuracy(best, labels, n, &right);
    struct rng r;
    rng_init(&r, s->options.seed);
    for (int i = 0; i < FIT_PROFILES && rc == 0; i++) {
        if (progress_step(p, "fit", i, FIT_PROFILES)) {
            rc = 1;
            break;
        }
        random_profile(t, s->graph, &r, 2e-5 * pow(highest_price(t, s->graph) / 2e-5, (double)i / (FIT_PROFILES - 1)),
                       mix);
        struct plan *plan = plan_compile(s->graph, mix, s->calibration, s->cache, e);
        if (!plan) {
            rc = -1;
            break;
        }
        int done = evaluate_top1(plan, &src, n, best, NULL, e);
        plan_free(plan);
        if (done < 0) {
            rc = -1;
            break;
        }
        double loss = 0;
        for (int l = 0; l < s->graph->n_layers; l++)
            loss += estimate_loss(&t->layers[l], &mix[l]);
        s->points[s->n_points++] = (struct fit_point){loss, fp32 - session_accuracy(best, labels, n, &right), n, 0};
    }
    if (rc)
        s->n_points = 0;
    else
        session_refit(s, t);
    mem_free(mix);
    mem_free(best);
    return rc;
}

static int analyze_all_loss(struct session *s, struct tables *t, const struct progress *p, struct err *e)
{
    if (t->layers_measured == t->n_layers && s->n_points > 0)
        return 0;
    if (!session_classes(s))
        return err_set(e, "%s: has no float output: sensitivity cannot be measured", s->graph->file);
    int rc = session_need_calibration(s, p, e), fit = fit_images(s), loss = loss_images(s);
    if (!rc)
        rc = need_calibrate_outputs(s, fit > loss ? fit : loss, p, e);
    if (rc)
        return rc;
    struct listener listener = {s, t};
    struct publish publish = {publish_tables, &listener};
    struct image_source src = session_calibrate_source(s);
    if (t->layers_measured < t->n_layers) {
        const struct sensitivity_input in = {.graph = s->graph,
                                             .calibration = s->calibration,
                                             .cache = s->cache,
                                             .images = &src,
                                             .n = loss,
                                             .fp32_scores = s->fp32_calibrate};
        rc = sensitivity_table[s->options.sensitivity]->fill(&in, t, &publish, p, e);
        session_save_loss(s, t);
    }
    if (!rc)
        rc = fit_first_points(s, t, p, e);
    if (!rc)
        session_save_points(s);
    return rc;
}

static int analyze_all_cost(struct session *s, struct tables *t, const struct progress *p, struct err *e)
{
    if (t->cost.known && !t->cost.partial)
        return 0;
    int rc = session_need_calibration(s, p, e);
    if (rc)
        return rc;
    void **in = runner_inputs_new(s->graph);
    dataset_sample(s->dataset, &s->dataset->calibrate, 0, in);
    rc = analyze_cost(s->graph, s->calibration, s->cache, (const void *const *)in, t, p, e);
    runner_arrays_free(in);
    if (!rc)
        session_save_cost(s, t);
    return rc;
}

static int analyze_fp32(struct session *s, struct tables *t, const struct progress *p, struct err *e)
{
    const struct dataset_part *part = &s->dataset->evaluate;
    if (!isnan(t->fp32_accuracy) || !part->labels)
        return 0;
    int rc = session_need_fp32(s, part->n, p, e), right;
    if (rc)
        return rc;
    t->fp32_accuracy = session_accuracy(s->fp32_best, part->labels, part->n, &right);
    session_publish(s, t);
    session_save_points(s);
    return 0;
}

int session_analyze(struct session *s, unsigned parts, const struct progress *p, struct err *e)
{
    struct tables *t = session_tables(s);
    int rc = 0;
    if ((parts & ANALYZE_STATIC) && isnan(t->layers[0].sqnr[0][BITS_MAX])) {
        rc = analyze_static(s->graph, t, p);
        session_publish(s, t);
    }
    if (!rc && (parts & ANALYZE_COST) && s->dataset) {
        rc = analyze_all_cost(s, t, p, e);
        session_publish(s, t);
    }
    if (!rc && (parts & ANALYZE_FP32) && s->dataset)
        rc = analyze_fp32(s, t, p, e);
    if (!rc && (parts & ANALYZE_LOSS) && s->dataset) {
        rc = analyze_all_loss(s, t, p, e);
        session_publish(s, t);
    }
    tables_free(t);
    return rc;
}
