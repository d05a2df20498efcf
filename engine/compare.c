/* SPDX-License-Identifier: MIT */
#include "engine/compare.h"

#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "engine/runner.h"

static const double PROBABILITY_LEAST = 1e-12;

/* What one image adds to an output's error. */
struct output_part {
    double cosine, signal, noise, kl, max_error;
    int64_t rows, not_finite;
    bool any, vectors; /* some value is compared; several are: cosine is known */
};

struct image_part {
    int best, best_fp32;
    bool right5, right5_fp32;
    double cross_entropy, cross_entropy_fp32;
    struct output_part *outputs; /* [n_outputs] */
};

struct output_form {
    const struct tensor *tensor;
    int64_t n, row; /* values; in a row */
    bool probabilities;
};

struct side { /* one of the two plans in a worker */
    struct runner *runner;
    void **out;
    double *values; /* one output */
};

struct worker {
    void **in;
    struct side plan, fp32;
    double *p, *q; /* a row's logarithms of probabilities */
};

struct comparer {
    const struct graph *g;
    const struct image_source *src;
    const int32_t *labels;
    struct output_form *forms; /* [n_outputs] */
    int scores;                /* index of the output, or -1 */
    int64_t largest;           /* values of the largest output */
    struct worker *workers;
    int n_workers, first;
    struct image_part *block; /* [images of a block] */
};

/* --- one output of one image -------------------------------------------------------------------------------------- */

static int64_t row_length(const struct shape *s)
{
    for (int i = s->n - 1; i >= 0; i--)
        if (s->d[i] > 1)
            return s->d[i];
    return 1;
}

/* Whether a Softmax over the last dimension longer than 1 makes the tensor. */
static bool is_softmax(const struct graph *g, int tensor)
{
    int64_t row = row_length(&g->tensors[tensor].shape);
    for (int t = tensor; g->tensors[t].producer >= 0;) {
        const struct node *n = &g->nodes[g->tensors[t].producer];
        const struct shape *s = &g->tensors[t].shape;
        if (row_length(s) != row || row < 2)
            return false;
        if (n->op == OP_SOFTMAX) {
            int64_t after = 1;
            for (int i = n->axis + 1; i < s->n; i++)
                after *= s->d[i];
            return s->d[n->axis] == row && after == 1;
        }
        if (n->op != OP_RESHAPE)
            return false;
        t = n->in[0];
    }
    return false;
}

static void to_doubles(enum dtype type, const void *data, int64_t n, double *out)
{
    ARRAY_NUMBERS(type, for (int64_t i = 0; i < n; i++) out[i] = ((const uint8_t *)data)[i],
                  for (int64_t i = 0; i < n; i++) out[i] = (double)((const T *)data)[i]);
}

/* Logarithms of the probabilities of a row; false when it has values that are not finite. */
static bool log_probabilities(const double *x, int64_t n, bool probabilities, double *out)
{
    double peak = x[0], sum = 0;
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(x[i]))
            return false;
        peak = fmax(peak, x[i]);
    }
    for (int64_t i = 0; i < n && !probabilities; i++)
        sum += exp(x[i] - peak);
    double log_sum = log(sum);
    for (int64_t i = 0; i < n; i++)
        out[i] = probabilities ? log(fmax(x[i], PROBABILITY_LEAST)) : x[i] - peak - log_sum;
    return true;
}

static void compare_rows(struct worker *w, const struct output_form *f, struct output_part *part)
{
    if (f->row < 2 || !dtype_is_float(f->tensor->type))
        return;
    for (int64_t at = 0; at < f->n; at += f->row) {
        if (!log_probabilities(w->fp32.values + at, f->row, f->probabilities, w->p) ||
            !log_probabilities(w->plan.values + at, f->row, f->probabilities, w->q))
            continue;
        for (int64_t i = 0; i < f->row; i++)
            part->kl += exp(w->p[i]) * (w->p[i] - w->q[i]);
        part->rows++;
    }
}

static void compare_output(struct worker *w, const struct output_form *f, struct output_part *part)
{
    const double *a = w->fp32.values, *b = w->plan.values;
    double dot = 0, aa = 0, bb = 0;
    int64_t seen = 0;
    *part = (struct output_part){0};
    for (int64_t i = 0; i < f->n; i++) {
        if (!isfinite(a[i]) || !isfinite(b[i])) {
            part->not_finite += !(a[i] == b[i] || (isnan(a[i]) && isnan(b[i])));
            continue;
        }
        double error = a[i] - b[i];
        dot += a[i] * b[i];
        aa += a[i] * a[i];
        bb += b[i] * b[i];
        part->noise += error * error;
        part->max_error = fmax(part->max_error, fabs(error));
        seen++;
    }
    part->signal = aa;
    part->any = seen > 0;
    part->vectors = seen > 1; /* of one number it would only be the sign */
    part->cosine = aa > 0 && bb > 0 ? dot / (sqrt(aa) * sqrt(bb)) : aa == bb;
    compare_rows(w, f, part);
}

/* --- scores of one image ------------------------------------------------------------------------------------------ */

static bool among_five(const double *x, int64_t n, int64_t label)
{
    int64_t before = 0;
    if (isnan(x[label]))
        return false;
    for (int64_t i = 0; i < n; i++)
        before += x[i] > x[label] || (x[i] == x[label] && i < label);
    return before < 5;
}

static void score_side(struct worker *w, const struct comparer *c, const struct side *s, int label, int *best,
                       bool *right5, double *cross_entropy)
{
    const struct output_form *f = &c->forms[c->scores];
    bool probabilities = f->probabilities && f->row == f->n;
    *best = evaluate_argmax(s->out[c->scores], (int)f->n);
    if (label < 0)
        return;
    *right5 = among_five(s->values, f->n, label);
    *cross_entropy = log_probabilities(s->values, f->n, probabilities, w->p) ? -w->p[label] : NAN;
}

static void compare_image(void *ctx, int i, int thread)
{
    struct comparer *c = ctx;
    struct worker *w = &c->workers[thread];
    struct image_part *part = &c->block[i];
    int label = c->labels ? c->labels[c->first + i] : -1;
    c->src->get(c->src->ctx, c->first + i, w->in);
    runner_run_arrays(w->plan.runner, (const void *const *)w->in, w->plan.out);
    runner_run_arrays(w->fp32.runner, (const void *const *)w->in, w->fp32.out);
    for (int k = 0; k < c->g->n_outputs; k++) {
        const struct output_form *f = &c->forms[k];
        to_doubles(f->tensor->type, w->plan.out[k], f->n, w->plan.values);
        to_doubles(f->tensor->type, w->fp32.out[k], f->n, w->fp32.values);
        compare_output(w, f, &part->outputs[k]);
        if (k != c->scores)
            continue;
        score_side(w, c, &w->plan, label, &part->best, &part->right5, &part->cross_entropy);
        score_side(w, c, &w->fp32, label, &part->best_fp32, &part->right5_fp32, &part->cross_entropy_fp32);
    }
}

/* --- all images --------------------------------------------------------------------------------------------------- */

static struct side side_new(const struct plan *plan, const struct comparer *c)
{
    return (struct side){runner_new(plan), runner_outputs_new(c->g), mem_new((size_t)c->largest + 1, sizeof(double))};
}

static void side_done(struct side *s)
{
    runner_free(s->runner);
    runner_arrays_free(s->out);
    mem_free(s->values);
}

static void comparer_init(struct comparer *c, const struct plan *plan, const struct plan *fp32, int block)
{
    const struct graph *g = c->g;
    c->forms = mem_new((size_t)g->n_outputs + 1, sizeof *c->forms);
    for (int k = 0; k < g->n_outputs; k++) {
        const struct tensor *t = &g->tensors[g->outputs[k]];
        c->forms[k] =
            (struct output_form){t, shape_count(&t->shape), row_length(&t->shape), is_softmax(g, g->outputs[k])};
        c->largest = c->forms[k].n > c->largest ? c->forms[k].n : c->largest;
    }
    c->workers = mem_new((size_t)c->n_workers, sizeof *c->workers);
    for (int i = 0; i < c->n_workers; i++)
        c->workers[i] = (struct worker){.in = runner_inputs_new(g),
                                        .plan = side_new(plan, c),
                                        .fp32 = side_new(fp32, c),
                                        .p = mem_new((size_t)c->largest + 1, sizeof(double)),
                                        .q = mem_new((size_t)c->largest + 1, sizeof(double))};
    c->block = mem_new((size_t)block, sizeof *c->block);
    for (int i = 0; i < block; i++)
        c->block[i].outputs = mem_new((size_t)g->n_outputs + 1, sizeof *c->block[i].outputs);
}

static void comparer_done(struct comparer *c, int block)
{
    for (int i = 0; i < c->n_workers; i++) {
        runner_arrays_free(c->workers[i].in);
        side_done(&c->workers[i].plan);
        side_done(&c->workers[i].fp32);
        mem_free(c->workers[i].p);
        mem_free(c->workers[i].q);
    }
    for (int i = 0; i < block; i++)
        mem_free(c->block[i].outputs);
    mem_free(c->block);
    mem_free(c->workers);
    mem_free(c->forms);
}

/* Adds one image; sums stand where means will be. */
static void add_image(const struct comparer *c, const struct image_part *part, struct output_part *sums, int *vectors,
                      struct comparison *out)
{
    int label = c->labels ? c->labels[out->images] : -1;
    out->images++;
    out->agree += part->best == part->best_fp32;
    for (int k = 0; k < out->n_outputs; k++) {
        const struct output_part *x = &part->outputs[k];
        sums[k].cosine += x->vectors ? x->cosine : 0;
        sums[k].signal += x->signal;
        sums[k].noise += x->noise;
        sums[k].kl += x->kl;
        sums[k].rows += x->rows;
        sums[k].not_finite += x->not_finite;
        sums[k].max_error = fmax(sums[k].max_error, x->max_error);
        sums[k].any |= x->any;
        vectors[k] += x->vectors;
    }
    if (label < 0)
        return;
    out->plan.right += part->best == label;
    out->fp32.right += part->best_fp32 == label;
    out->plan.right5 += part->right5;
    out->fp32.right5 += part->right5_fp32;
    out->plan.cross_entropy += part->cross_entropy;
    out->fp32.cross_entropy += part->cross_entropy_fp32;
}

static double sqnr(double signal, double noise)
{
    if (noise == 0)
        return INFINITY;
    return signal > 0 ? 10 * log10(signal / noise) : NAN;
}

static void finish_scores(struct comparison *out, const struct output_part *sums, const int *vectors)
{
    for (int k = 0; k < out->n_outputs; k++) {
        const struct output_part *x = &sums[k];
        out->outputs[k] = (struct output_error){.cosine = vectors[k] ? x->cosine / vectors[k] : NAN,
                                                .sqnr_db = x->any ? sqnr(x->signal, x->noise) : NAN,
                                                .kl = x->rows ? fmax(0, x->kl / (double)x->rows)
                                                              : NAN, /* sums of rounded terms may fall under 0 */
                                                .max_error = x->any ? x->max_error : NAN,
                                                .not_finite = x->not_finite};
    }
    bool scored = out->labelled && out->images > 0;
    out->plan.cross_entropy = scored ? out->plan.cross_entropy / out->images : NAN;
    out->fp32.cross_entropy = scored ? out->fp32.cross_entropy / out->images : NAN;
}

int evaluate_compare(const struct plan *plan, const struct plan *fp32, const struct image_source *src,
                     const int32_t *labels, int n, const struct progress *p, struct comparison *out, struct err *e)
{
    enum { BLOCK = 64 };
    const struct graph *g = plan_graph(plan);
    struct comparer c = {
        .g = g, .src = src, .labels = labels, .scores = graph_scores(g), .n_workers = parallel_threads()};
    int block = BLOCK * c.n_workers, rc = 0;
    *out = (struct comparison){.labelled = labels != NULL, .n_outputs = g->n_outputs};
    out->outputs = mem_new((size_t)g->n_outputs + 1, sizeof *out->outputs);
    struct output_part *sums = mem_new((size_t)g->n_outputs + 1, sizeof *sums);
    int *vectors = mem_new((size_t)g->n_outputs + 1, sizeof *vectors);
    comparer_init(&c, plan, fp32, block);
    out->classes = c.scores < 0 ? 0 : (int)c.forms[c.scores].n;
    for (c.first = 0; c.first < n && !rc; c.first += block) {
        int count = n - c.first < block ? n - c.first : block;
        if (progress_step(p, "images", c.first, n)) {
            rc = 1;
            break;
        }
        parallel_for(count, compare_image, &c);
        for (int i = 0; i < count; i++)
            add_image(&c, &c.block[i], sums, vectors, out);
    }
    for (int i = 0; i < c.n_workers && rc >= 0; i++)
        if (runner_check(c.workers[i].plan.runner, e) || runner_check(c.workers[i].fp32.runner, e))
            rc = -1;
    finish_scores(out, sums, vectors);
    comparer_done(&c, block);
    mem_free(sums);
    mem_free(vectors);
    return rc;
}

void comparison_done(struct comparison *c)
{
    mem_free(c->outputs);
    c->outputs = NULL;
}
