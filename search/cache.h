/* SPDX-License-Identifier: MIT
 *
 * Private to search/: tables on disk, under $XDG_CACHE_HOME/bitfader. Three files a model: what depends on the
 * calibration images (sensitivity), on this host (latency), and on the evaluation images (fp32 accuracy, measured
 * points). A file is text, whole or absent; one that does not read back cleanly is ignored and made again.
 */
#ifndef BITFADER_SEARCH_CACHE_H
#define BITFADER_SEARCH_CACHE_H

#include <stdint.h>

#include "base/err.h"
#include "engine/kernel_times.h"
#include "search/analyze.h"

struct cache_key {
    const char *kind;        /* "loss", "cost", "points" */
    const char *fingerprint; /* of the model */
    uint64_t settings;       /* hash of everything else that the content depends on */
    const char *host;        /* of "cost": the line of search/fingerprint.h */
};

/* Each loads its part of t (and leaves it alone when there is nothing usable), or saves it. Saving fails where the
 * file cannot be written. */
void cache_load_loss(const struct cache_key *k, struct tables *t);
int cache_save_loss(const struct cache_key *k, const struct tables *t, struct err *e);
/* The latency table, and the times that kernels were chosen by (added to `times`). Where there is none that was made
 * under k->host, but one of another processor or of other kernels, t->cost.note says so. */
void cache_load_cost(const struct cache_key *k, struct tables *t, struct kernel_times *times);
int cache_save_cost(const struct cache_key *k, const struct tables *t, const struct kernel_times *times, struct err *e);
/* fp32 accuracy (NAN unknown) and points; returns the number of points read, at most cap. */
int cache_load_points(const struct cache_key *k, double *fp32_accuracy, struct fit_point *points, int cap);
int cache_save_points(const struct cache_key *k, double fp32_accuracy, const struct fit_point *points, int n,
                      struct err *e);

#endif
