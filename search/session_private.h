/* SPDX-License-Identifier: MIT
 *
 * Private to search/: what a session holds, shared by its parts (session.c: opening and snapshots; session_analyze.c;
 * session_run.c; session_search.c).
 */
#ifndef BITFADER_SEARCH_SESSION_PRIVATE_H
#define BITFADER_SEARCH_SESSION_PRIVATE_H

#include <stdatomic.h>

#include "base/parallel.h"
#include "engine/evaluate.h"
#include "search/analyze.h"
#include "search/cache.h"
#include "search/session.h"

enum { MAX_POINTS = 256 };

struct session {
    struct session_options options;
    struct graph *graph;
    struct dataset *dataset;
    struct profile_model model;
    int calibration_images;
    struct calibration *calibration; /* made when first needed */
    struct weight_cache *cache;
    struct kernel_times *times; /* that plans choose their kernels by */
    int times_kept;             /* of them, in the cache */
    char *host;                 /* fingerprint */
    int32_t *fp32_best;         /* index of the largest score of the first fp32_images evaluation images */
    int fp32_images;
    float *fp32_calibrate; /* scores of the calibration images used by sensitivity and the fit */
    struct cache_key loss_key, cost_key, points_key;
    struct fit_point points[MAX_POINTS];
    int n_points;

    struct lock *lock; /* guards tables and unkept */
    struct tables *tables;
    struct err unkept; /* why the cache was not written, or "" */
    atomic_uint version;
};

struct image_source session_calibrate_source(struct session *s);
struct image_source session_evaluate_source(struct session *s);

/* Makes tables visible (contents are copied). */
void session_publish(struct session *s, const struct tables *t);

/* Calibration, made if there is none. 0, 1 stopped, -1. */
int session_need_calibration(struct session *s, const struct progress *p, struct err *e);
/* fp32_best of the first `images` evaluation images. 0, 1 stopped, -1. */
int session_need_fp32(struct session *s, int images, const struct progress *p, struct err *e);

/* Elements of the output that is read as scores (graph_scores); 0 when there is none. */
int session_classes(const struct session *s);
/* Percent of images whose best index is their label. */
double session_accuracy(const int32_t *best, const int32_t *labels, int n, int *right);

void session_add_point(struct session *s, double loss, double drop, int images, int held_out);
/* To the cache, if there is one. A failure is noted for session_unkept(). */
void session_save_points(struct session *s);
void session_save_loss(struct session *s, const struct tables *t);
void session_save_cost(struct session *s, const struct tables *t);
/* Fits t->fit to the points. */
void session_refit(const struct session *s, struct tables *t);

#endif
