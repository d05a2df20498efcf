/* SPDX-License-Identifier: MIT
 *
 * Private to search/: plans timed by turns on one core, and watched. A run that something else disturbed is done again,
 * and so is a plan's turn in which the clock or the machine's pace changed, as long as the time for it lasts; what had
 * to be counted nevertheless is counted in the report.
 */
#ifndef BITFADER_SEARCH_TIMING_H
#define BITFADER_SEARCH_TIMING_H

#include "base/progress.h"
#include "engine/plan.h"
#include "search/tables.h"

struct timing_sample; /* private */

/* A plan to time, and what came out: nanoseconds of each layer of one image, then of all that is no layer, then of the
 * whole. Zero-initialise but for the plan; release with timing_done. */
struct timed_plan {
    const struct plan *plan;
    double *median, *spread; /* [n_layers + 2]; spread is the median absolute deviation of single runs */
    struct timing_sample *samples;
    int n, cap;
};

/* Times all of them in passes until there are `passes`, or `seconds` are over (one pass is made in any case). The first
 * sets the pace: it is timed between all others and tells how fast the machine is just then. Fills r but for what is
 * said of other plans. 1 stopped: then what the passes that ended gave, none if there was none (r->passes). */
int timing_run(struct timed_plan *plans, int n, const void *const *in, double seconds, int passes,
               const struct progress *p, struct latency_report *r);
void timing_done(struct timed_plan *plan);

#endif
