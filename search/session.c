/* SPDX-License-Identifier: MIT */
#include "search/sensitivity.h"
#include "search/session_private.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "engine/weight_cache.h"
#include "quant/own.h"
#include "search/fingerprint.h"

struct session_options session_defaults(void)
{
    return (struct session_options){.calibration_images = 512, .cache = true, .sensitivity = SENSITIVITY_KL, .seed = 1};
}

static void get_calibrate(void *ctx, int i, void *const *in)
{
    const struct session *s = ctx;
    dataset_sample(s->dataset, &s->dataset->calibrate, i, in);
}

static void get_evaluate(void *ctx, int i, void *const *in)
{
    const struct session *s = ctx;
    dataset_sample(s->dataset, &s->dataset->evaluate, i, in);
}

struct image_source session_calibrate_source(struct session *s)
{
    return (struct image_source){get_calibrate, s, s->dataset->calibrate.n};
}

struct image_source session_evaluate_source(struct session *s)
{
    return (struct image_source){get_evaluate, s, s->dataset->evaluate.n};
}

int session_classes(const struct session *s)
{
    int k = graph_scores(s->graph);
    return k < 0 ? 0 : (int)shape_count(&s->graph->tensors[s->graph->outputs[k]].shape);
}

void session_refit(const struct session *s, struct tables *t)
{
    double classes = session_classes(s);
    double fp32 = isnan(t->fp32_accuracy) ? 95 : t->fp32_accuracy;
    t->fit = analyze_fit(s->points, s->n_points, fmax(1, fp32 - 100 / fmax(classes, 1)));
}

/* The file is not all that the graph depends on. 0 where it is. */
static uint64_t inputs_hash(const struct graph_options *o)
{
    uint64_t h = 0;
    for (int i = 0; i < o->n_inputs; i++) {
        const struct graph_input *in = &o->inputs[i];
        h = hash_u64(in->name, strlen(in->name) + 1, h);
        h = hash_u64(in->shape.d, (size_t)(in->shape.n > 0 ? in->shape.n : 0) * sizeof *in->shape.d, h);
        h = in->numbers ? hash_u64(in->numbers, strlen(in->numbers), h) : h;
    }
    return h;
}

static void load_cached(struct session *s)
{
    uint64_t inputs = inputs_hash(&s->options.graph);
    const char *method = sensitivity_table[s->options.sensitivity]->name;
    s->loss_key = (struct cache_key){"loss", s->graph->fingerprint, 0};
    s->cost_key =
        (struct cache_key){"cost", s->graph->fingerprint, hash_u64(s->host, strlen(s->host), inputs), s->host};
    s->points_key = (struct cache_key){"points", s->graph->fingerprint, 0};
    if (s->dataset) {
        s->loss_key.settings = dataset_hash(s->dataset, &s->dataset->calibrate, s->calibration_images,
                                            hash_u64(method, strlen(method), inputs));
        s->points_key.settings =
            dataset_hash(s->dataset, &s->dataset->evaluate, s->dataset->evaluate.n, s->loss_key.settings);
    }
    if (!s->options.cache)
        return;
    cache_load_cost(&s->cost_key, s->tables, s->times);
    s->times_kept = kernel_times_count(s->times);
    if (s->dataset) {
        cache_load_loss(&s->loss_key, s->tables);
        s->n_points = cache_load_points(&s->points_key, &s->tables->fp32_accuracy, s->points, MAX_POINTS);
        if (s->n_points)
            session_refit(s, s->tables);
    }
}

static void name_layers(struct session *s)
{
    const struct graph *g = s->graph;
    const char **names = mem_new((size_t)g->n_layers + 1, sizeof *names);
    const char **kinds = mem_new((size_t)g->n_layers + 1, sizeof *kinds);
    int *groups = mem_new((size_t)g->n_layers + 1, sizeof *groups);
    const char *const **aliases = mem_new((size_t)g->n_layers + 1, sizeof *aliases);
    for (int l = 0; l < g->n_layers; l++) {
        names[l] = g->layers[l].name;
        kinds[l] = g->layers[l].kind;
        groups[l] = g->layers[l].group;
        aliases[l] = g->layers[l].aliases;
    }
    struct precision *own = g->quantized ? mem_new((size_t)g->n_layers, sizeof *own) : NULL;
    for (int l = 0; own && l < g->n_layers; l++)
        own[l] = own_precision(&g->layers[l]);
    s->model = (struct profile_model){g->file, g->fingerprint, g->n_layers, names, kinds, groups, aliases, own};
}

struct session *session_open(const char *model, const struct session_options *o, int *status, struct err *e)
{
    struct session *s = mem_new(1, sizeof *s);
    s->options = *o;
    s->lock = lock_new();
    *status = 3;
    s->graph = graph_load_with(model, &o->graph, e);
    if (!s->graph)
        goto fail;
    if (s->graph->n_layers == 0) {
        err_set(e, "%s: no Conv, Gemm or MatMul with constant weights: nothing to quantize", model);
        goto fail;
    }
    if (s->graph->n_inputs == 0) {
        err_set(e, "%s: the model has no inputs: nothing can be fed", model);
        goto fail;
    }
    name_layers(s);
    s->tables = tables_new(s->graph->n_layers);
    s->cache = weight_cache_new();
    s->times = kernel_times_new();
    s->host = fingerprint_new();
    weight_cache_use_times(s->cache, s->times);
    *status = 4;
    if (o->dataset) {
        s->dataset = dataset_load(o->dataset, o->config_path, e);
        if (!s->dataset || dataset_bind(s->dataset, s->graph, e))
            goto fail;
        int most = s->dataset->calibrate.n;
        s->calibration_images = o->calibration_images < most ? o->calibration_images : most;
        if (s->calibration_images < 1) {
            err_set(e, "dataset %s: no calibration images", s->dataset->name);
            goto fail;
        }
    }
    s->tables->unlabelled = s->dataset && !s->dataset->evaluate.labels && !s->dataset->calibrate.labels;
    load_cached(s);
    s->version = 1;
    *status = 0;
    return s;
fail:
    session_free(s);
    return NULL;
}

void session_free(struct session *s)
{
    if (!s)
        return;
    if (s->tables && s->tables->cost.known && kernel_times_count(s->times) > s->times_kept)
        session_save_cost(s, s->tables);
    tables_free(s->tables);
    weight_cache_free(s->cache);
    kernel_times_free(s->times);
    mem_free(s->host);
    calibration_free(s->calibration);
    dataset_free(s->dataset);
    mem_free((void *)s->model.names);
    mem_free((void *)s->model.kinds);
    mem_free((void *)s->model.groups);
    mem_free((void *)s->model.aliases);
    mem_free((void *)s->model.own);
    mem_free(s->fp32_best);
    mem_free(s->fp32_calibrate);
    graph_free(s->graph);
    lock_free(s->lock);
    mem_free(s);
}

const struct graph *session_graph(const struct session *s)
{
    return s->graph;
}

const struct dataset *session_dataset(const struct session *s)
{
    return s->dataset;
}

const struct profile_model *session_model(const struct session *s)
{
    return &s->model;
}

struct tables *session_tables(struct session *s)
{
    lock_enter(s->lock);
    struct tables *t = tables_copy(s->tables);
    lock_leave(s->lock);
    return t;
}

unsigned session_tables_version(const struct session *s)
{
    return atomic_load(&((struct session *)s)->version);
}

void session_publish(struct session *s, const struct tables *t)
{
    lock_enter(s->lock);
    tables_assign(s->tables, t);
    lock_leave(s->lock);
    atomic_fetch_add(&s->version, 1);
}

int session_need_calibration(struct session *s, const struct progress *p, struct err *e)
{
    if (s->calibration)
        return 0;
    if (!s->dataset)
        return err_set(e, "quantized activations need calibration images: name a dataset with -d");
    struct image_source src = session_calibrate_source(s);
    s->calibration = evaluate_calibrate(s->graph, &src, s->calibration_images, p, e);
    if (!s->calibration)
        return progress_stopped(p) ? 1 : -1;
    return 0;
}

double session_accuracy(const int32_t *best, const int32_t *labels, int n, int *right)
{
    *right = 0;
    for (int i = 0; i < n; i++)
        *right += best[i] == labels[i];
    return n ? 100.0 * *right / n : NAN;
}

int session_need_fp32(struct session *s, int images, const struct progress *p, struct err *e)
{
    if (!s->dataset || s->fp32_images >= images)
        return 0;
    struct plan *plan = plan_compile_uniform(s->graph, 0, 0, s->calibration, s->cache, e);
    if (!plan)
        return -1;
    struct image_source src = session_evaluate_source(s);
    mem_free(s->fp32_best);
    s->fp32_best = mem_new((size_t)images, sizeof *s->fp32_best);
    s->fp32_images = 0;
    int done = evaluate_top1(plan, &src, images, s->fp32_best, p, e);
    plan_free(plan);
    if (done < 0)
        return -1;
    if (done < images)
        return 1;
    s->fp32_images = images;
    return 0;
}

/* Notes the first failure to keep something. */
static void note_unkept(struct session *s, const char *why)
{
    lock_enter(s->lock);
    if (!*s->unkept.text)
        err_set(&s->unkept, "%s", why);
    lock_leave(s->lock);
}

bool session_unkept(struct session *s, struct err *e)
{
    lock_enter(s->lock);
    *e = s->unkept;
    lock_leave(s->lock);
    return *e->text;
}

void session_save_cost(struct session *s, const struct tables *t)
{
    if (!s->options.cache || t->cost.partial)
        return;
    struct err e;
    if (cache_save_cost(&s->cost_key, t, s->times, &e))
        note_unkept(s, e.text);
    s->times_kept = kernel_times_count(s->times);
}

void session_save_points(struct session *s)
{
    struct err e;
    if (s->options.cache && s->dataset &&
        cache_save_points(&s->points_key, s->tables->fp32_accuracy, s->points, s->n_points, &e))
        note_unkept(s, e.text);
}

void session_save_loss(struct session *s, const struct tables *t)
{
    struct err e;
    if (s->options.cache && t->layers_measured && cache_save_loss(&s->loss_key, t, &e))
        note_unkept(s, e.text);
}

void session_add_point(struct session *s, double loss, double drop, int images, int held_out)
{
    if (!(loss > 0) || isnan(drop))
        return;
    for (int i = 0; i < s->n_points; i++)
        if (s->points[i].loss == loss && s->points[i].drop == drop && s->points[i].images == images)
            return; /* the same profile, run again */
    if (s->n_points == MAX_POINTS)
        memmove(s->points, s->points + 1, (MAX_POINTS - 1) * sizeof *s->points);
    s->n_points = s->n_points < MAX_POINTS ? s->n_points + 1 : MAX_POINTS;
    s->points[s->n_points - 1] = (struct fit_point){loss, drop, images, held_out};
    struct tables *t = session_tables(s);
    session_refit(s, t);
    session_publish(s, t);
    tables_free(t);
    session_save_points(s);
}
