/* SPDX-License-Identifier: MIT
 *
 * What comes back from the background onto the desk, and what goes from the desk into the saved profile.
 */
#ifndef BITFADER_UI_DESK_RESULTS_H
#define BITFADER_UI_DESK_RESULTS_H

#include "search/session.h"
#include "ui/desk_state.h"

/* A run of the profile as it was at that revision. */
void desk_take_run(struct desk *d, const struct run_result *r, uint64_t revision);
/* A search that started from that revision: taken at once when nothing was edited meanwhile, else offered. Takes
 * r->profile over and leaves NULL there. */
void desk_take_search(struct desk *d, struct search_result *r, uint64_t revision);

/* Writes estimate, measurement and method into the profile, each only where it belongs to the profile as it stands. */
void desk_stamp(struct desk *d);

#endif
