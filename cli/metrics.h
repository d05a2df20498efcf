/* SPDX-License-Identifier: MIT
 *
 * The tables that estimate, search and run share: what a profile gives, beside fp32 and the budgets, and each layer's
 * part of it.
 */
#ifndef BITFADER_CLI_METRICS_H
#define BITFADER_CLI_METRICS_H

#include "base/text.h"
#include "cli/report.h"
#include "cli/table.h"
#include "search/session.h"

/* "metrics": accuracy, latency, size, energy, BOPs. run may be NULL; what it measured is judged in place of the
 * estimate. */
struct table *metrics_table(const struct estimate *est, const struct run_result *run);

/* "layers", to be filled: columns that name a layer and its precision, then more. Each row begins with
 * metrics_add_precision. */
struct table *metrics_new_layers(const struct column *more, int n_more);
void metrics_add_precision(struct table *out, const struct graph *g, const struct profile *p, int layer);

/* "layers": what each has, and its share of the estimate. */
struct table *metrics_layers(const struct graph *g, const struct tables *t, const struct profile *p);
/* "layers": what was asked, what ran, estimate beside measurement. */
struct table *metrics_run_layers(const struct graph *g, const struct tables *t, const struct profile *p,
                                 const struct run_result *run);
/* The kernels that competed for each layer, fastest first. */
struct table *metrics_run_kernels(const struct graph *g, const struct run_result *run);
/* Everything that ran, in its order, layers or not. */
struct table *metrics_run_steps(const struct graph *g, const struct run_result *run);

/* "scores": top-1, top-5 and cross-entropy beside fp32's; unknown without labels. */
struct table *metrics_scores(const struct comparison *c);
/* "outputs": how far each output is from fp32's; no rows when nothing ran. Lines on values left out go to notes. */
struct table *metrics_outputs(const struct graph *g, const struct comparison *c, struct text *notes);

/* Names of the budgets that are not met, or cannot be told, appended with commas. Returns their number. */
int metrics_missed(const struct estimate *est, const struct run_result *run, const struct budgets *b, struct text *out);

/* Half width of the 95 % interval of an accuracy in points (Wilson 1927), right of n images. */
double metrics_accuracy_error(int right, int n);

/* Lines on layers that did not run as requested; "" when all did. Never hidden. */
void metrics_put_notes(const struct graph *g, const struct run_result *run, struct text *out);

/* How the latency table was made, and why a kept one is not used: as JSON, and a line for people where disturbed runs
 * had to count (or always). */
void metrics_put_latency(struct report *r, const struct tables *t, bool always);

#endif
