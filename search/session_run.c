/* SPDX-License-Identifier: MIT
 *
 * Running a profile for real: accuracy on all cores, latency of one image on one thread and on all of them, and what
 * ran in each layer.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "engine/runner.h"
#include "search/session_private.h"

enum { RUNS_LEAST = 30, RUNS_MOST = 400, POINT_IMAGES = 500 }; /* a drop on fewer images is mostly chance */
static const double LATENCY_SECONDS = 0.25;

struct run_options run_defaults(void)
{
    return (struct run_options){.accuracy = true, .latency = true};
}

struct run_result run_result_none(void)
{
    return (struct run_result){.accuracy = NAN,
                               .fp32_accuracy = NAN,
                               .agreement = NAN,
                               .latency_ns = NAN,
                               .latency_p95_ns = NAN,
                               .team_latency_ns = NAN,
                               .fp32_latency_ns = NAN,
                               .partial = true};
}

static void steps_free(struct run_result *r)
{
    for (int i = 0; i < r->n_steps; i++)
        mem_free(r->steps[i].name);
    mem_free(r->steps);
    r->steps = NULL;
    r->n_steps = 0;
}

void run_result_done(struct run_result *r)
{
    for (int l = 0; l < r->n_layers; l++)
        mem_free(r->layers[l].contest);
    mem_free(r->layers);
    steps_free(r);
    comparison_done(&r->comparison);
    *r = (struct run_result){0};
}

static bool profile_needs_calibration(const struct profile *p)
{
    for (int l = 0; l < p->n_layers; l++)
        if (p->layers[l].precision.a_bits)
            return true;
    return false;
}

/* An image to time with: the first one there is, else noise (latency does not depend on it). */
static void **timing_input(struct session *s)
{
    const struct graph *g = s->graph;
    void **in = runner_inputs_new(g); /* zeros: any integer input takes them */
    if (s->dataset) {
        dataset_sample(s->dataset, &s->dataset->calibrate, 0, in);
        return in;
    }
    struct rng r;
    rng_init(&r, s->options.seed);
    for (int k = 0; k < g->n_inputs; k++) {
        const struct tensor *t = &g->tensors[g->inputs[k]];
        for (int64_t i = 0; t->type == DTYPE_F32 && i < shape_count(&t->shape); i++)
            ((float *)in[k])[i] = (float)(2 * rng_unit(&r) - 1);
    }
    return in;
}

/* Machines have slow spells of seconds: the better median of two times counts, one before the images are evaluated and
 * one after, as the latency table counts the better of two passes. */
static void measure_latency(struct session *s, const struct plan *plan, struct run_result *r)
{
    void **in = timing_input(s);
    const void *const *input = (const void *const *)in;
    int steps = plan_step_count(plan);
    double *ns = mem_new((size_t)steps + 1, sizeof *ns);
    struct latency first = evaluate_latency(plan, input, 5, NULL);
    double fit = LATENCY_SECONDS * 1e9 / (first.median_ns + 1);
    int runs = fit < RUNS_LEAST ? RUNS_LEAST : fit > RUNS_MOST ? RUNS_MOST : (int)fit;
    struct latency whole = evaluate_latency(plan, input, runs, NULL);
    evaluate_latency(plan, input, runs / 2, ns);
    r->latency_runs += runs;
    if (isnan(r->latency_ns) || whole.median_ns < r->latency_ns) {
        r->latency_ns = whole.median_ns;
        r->latency_p95_ns = whole.p95_ns;
        r->other_ns = 0;
        for (int l = 0; l < r->n_layers; l++)
            r->layers[l].latency_ns = 0;
        steps_free(r);
        r->steps = mem_new((size_t)steps + 1, sizeof *r->steps);
        r->n_steps = steps;
        for (int i = 0; i < steps; i++) {
            const struct plan_step_info x = plan_step(plan, i);
            r->steps[i] = (struct run_step){mem_strdup(x.name), x.kernel, x.layer, ns[i]};
            *(x.layer >= 0 ? &r->layers[x.layer].latency_ns : &r->other_ns) += ns[i];
        }
    }
    mem_free(ns);
    runner_arrays_free(in);
}

/* On all threads together, as many runs as fit into the time that one thread got. */
static void measure_team(struct session *s, const struct plan *plan, struct run_result *r)
{
    int threads = parallel_threads();
    if (threads < 2)
        return;
    void **in = timing_input(s);
    double fit = LATENCY_SECONDS * 1e9 / (r->latency_ns + 1);
    int runs = fit < RUNS_LEAST ? RUNS_LEAST : fit > RUNS_MOST ? RUNS_MOST : (int)fit;
    double ns = evaluate_team_latency(plan, threads, (const void *const *)in, runs).median_ns;
    r->team_latency_ns = fmin(r->team_latency_ns, ns);
    r->team_threads = threads;
    runner_arrays_free(in);
}

/* fp32's latency in the same spell of the machine. */
static int measure_fp32(struct session *s, struct run_result *r, struct err *e)
{
    struct plan *fp32 = plan_compile_uniform(s->graph, 0, 0, s->calibration, s->cache, e);
    if (!fp32)
        return -1;
    void **in = timing_input(s);
    r->fp32_latency_ns =
        fmin(r->fp32_latency_ns, evaluate_latency(fp32, (const void *const *)in, RUNS_LEAST, NULL).median_ns);
    runner_arrays_free(in);
    plan_free(fp32);
    return 0;
}

static int measure_times(struct session *s, const struct plan *plan, const struct run_options *o, struct run_result *r,
                         struct err *e)
{
    measure_latency(s, plan, r);
    if (o->team)
        measure_team(s, plan, r);
    return o->compare ? measure_fp32(s, r, e) : 0;
}

static int measure_accuracy(struct session *s, const struct plan *plan, int images, const struct progress *pr,
                            struct run_result *r, struct err *e)
{
    const struct dataset_part *part = &s->dataset->evaluate;
    int agree = 0, right;
    struct image_source src = session_evaluate_source(s);
    int32_t *best = mem_new((size_t)images, sizeof *best);
    int done = evaluate_top1(plan, &src, images, best, pr, e);
    if (done < 0) {
        mem_free(best);
        return -1;
    }
    r->images = done;
    r->partial = done < images;
    if (part->labels)
        r->accuracy = session_accuracy(best, part->labels, done, &r->right);
    if (s->fp32_images >= done && done > 0) {
        for (int i = 0; i < done; i++)
            agree += best[i] == s->fp32_best[i];
        if (part->labels || s->graph->n_outputs == 1) /* of several outputs, few are scores */
            r->agreement = 100.0 * agree / done;
        if (part->labels)
            r->fp32_accuracy = session_accuracy(s->fp32_best, part->labels, done, &right);
    } else if (done == part->n) {
        r->fp32_accuracy = s->tables->fp32_accuracy;
    }
    mem_free(best);
    return r->partial;
}

/* The same numbers and more, from both plans side by side: no output is kept. */
static int measure_comparison(struct session *s, const struct plan *plan, int images, const struct progress *pr,
                              struct run_result *r, struct err *e)
{
    struct plan *fp32 = plan_compile_uniform(s->graph, 0, 0, s->calibration, s->cache, e);
    if (!fp32)
        return -1;
    struct image_source src = session_evaluate_source(s);
    struct comparison *c = &r->comparison;
    int rc = evaluate_compare(plan, fp32, &src, s->dataset->evaluate.labels, images, pr, c, e);
    plan_free(fp32);
    if (rc < 0)
        return -1;
    r->images = c->images;
    r->partial = rc > 0;
    if (!c->images || !c->classes)
        return rc;
    r->agreement = 100.0 * c->agree / c->images;
    if (c->labelled) {
        r->right = c->plan.right;
        r->accuracy = 100.0 * c->plan.right / c->images;
        r->fp32_accuracy = 100.0 * c->fp32.right / c->images;
    }
    return rc;
}

static int measure_images(struct session *s, const struct plan *plan, const struct run_options *o,
                          const struct progress *pr, struct run_result *r, struct err *e)
{
    int all = s->dataset->evaluate.n, images = o->images > 0 && o->images < all ? o->images : all;
    if (o->compare)
        return measure_comparison(s, plan, images, pr, r, e);
    if (!session_classes(s))
        return 0;
    /* A part of the images is compared with fp32 on the same part; for all of them the tables may know it. */
    int rc = images < all || isnan(s->tables->fp32_accuracy) ? session_need_fp32(s, images, pr, e) : 0;
    r->partial = rc > 0;
    return rc ? rc : measure_accuracy(s, plan, images, pr, r, e);
}

/* The measured point joins those that the estimator is fitted to, and an fp32 run tells the fp32 accuracy. */
void session_learn(struct session *s, const struct profile *p, const struct run_result *r)
{
    if (r->partial || isnan(r->accuracy) || r->images < POINT_IMAGES)
        return;
    struct tables *t = session_tables(s);
    double loss = 0;
    bool fp32 = true, measured = true;
    for (int l = 0; l < p->n_layers; l++) {
        const struct precision *q = &p->layers[l].precision;
        fp32 &= !q->w_bits && !q->a_bits;
        measured &= t->layers[l].measured;
        loss += estimate_loss(&t->layers[l], q);
    }
    if (fp32 && r->images == s->dataset->evaluate.n && isnan(t->fp32_accuracy)) {
        t->fp32_accuracy = r->accuracy;
        session_publish(s, t);
        session_save_points(s);
    }
    if (!fp32 && measured && !isnan(r->fp32_accuracy))
        session_add_point(s, loss, r->fp32_accuracy - r->accuracy, r->images, 1);
    tables_free(t);
}

static int check_strict(const struct run_result *r, const struct profile *p, struct err *e)
{
    char want[16];
    for (int l = 0; l < r->n_layers; l++)
        if (r->layers[l].note[0])
            return err_set(e, "layer \"%s\" cannot run as %s: %s (without --strict it runs so)", p->layers[l].name,
                           precision_text(&r->layers[l].requested, want), r->layers[l].note);
    return 0;
}

int session_run(struct session *s, const struct profile *p, const struct run_options *o, const struct progress *pr,
                struct run_result *r, struct err *e)
{
    *r = run_result_none();
    if (profile_needs_calibration(p)) {
        int rc = session_need_calibration(s, pr, e);
        if (rc)
            return rc;
    }
    struct precision *all = mem_new((size_t)p->n_layers + 1, sizeof *all);
    for (int l = 0; l < p->n_layers; l++)
        all[l] = p->layers[l].precision;
    struct plan *plan = plan_compile(s->graph, all, s->calibration, s->cache, e);
    mem_free(all);
    if (!plan)
        return -1;
    r->n_layers = p->n_layers;
    r->partial = false;
    r->layers = mem_new((size_t)p->n_layers + 1, sizeof *r->layers);
    r->bytes = plan_bytes(plan);
    for (int l = 0; l < p->n_layers; l++) {
        const struct plan_layer *x = &plan_layers(plan)[l];
        r->layers[l] = (struct run_layer){
            .requested = x->requested, .applied = x->applied, .kernel = x->kernel, .bytes = x->bytes};
        memcpy(r->layers[l].note, x->note, sizeof x->note);
        r->layers[l].contest = mem_new((size_t)conv_kernel_count, sizeof *r->layers[l].contest);
        r->layers[l].n_contest = plan_layer_contest(plan, l, s->times, r->layers[l].contest);
    }
    int rc = o->strict ? check_strict(r, p, e) : 0;
    if (!rc && o->latency)
        rc = measure_times(s, plan, o, r, e);
    if (!rc && o->accuracy && s->dataset) {
        rc = measure_images(s, plan, o, pr, r, e);
        if (!rc && o->latency)
            rc = measure_times(s, plan, o, r, e);
    }
    plan_free(plan);
    return rc;
}
