/* SPDX-License-Identifier: MIT
 *
 * Private to search/: the slow work that fills tables. Each function fills its part of `t` under no lock: the session
 * publishes copies.
 */
#ifndef BITFADER_SEARCH_ANALYZE_H
#define BITFADER_SEARCH_ANALYZE_H

#include "base/progress.h"
#include "engine/evaluate.h"
#include "search/tables.h"

/* Called after each piece of work, so that a listener sees the table fill. */
struct publish {
    void (*changed)(void *ctx);
    void *ctx;
};

/* Bytes, MACs and weight SQNR, and a data-free guess of the losses from them. 1 stopped. */
int analyze_static(const struct graph *g, struct tables *t, const struct progress *p);

/* Latency of every layer at every pair of widths, from plans of this model that ran with all layers at that pair, or at
 * one that gives the layer the same work: the median of its time inside of a running network, with the caches as they
 * are there, its spread and its kernel; and t->latency, how it went. 1 stopped, -1 failed. */
int analyze_cost(const struct graph *g, const struct calibration *c, struct weight_cache *cache, const void *const *in,
                 struct tables *t, const struct progress *p, struct err *e);

/* A measured profile: what the tables said, and what came out. */
struct fit_point {
    double loss;  /* predicted sum */
    double drop;  /* measured, percentage points */
    int images;   /* that it was measured on */
    int held_out; /* 1: evaluation images, 0: calibration images */
};

/* Fits the loss-to-accuracy map to measured profiles (prior where there are fewer than three). ceiling: the drop to
 * guessing, points. */
struct loss_fit analyze_fit(const struct fit_point *points, int n, double ceiling);

#endif
