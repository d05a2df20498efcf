/* SPDX-License-Identifier: MIT
 *
 * What comes back from the background onto the desk, and what goes from the desk into the saved profile.
 */
#ifndef BITFADER_UI_DESK_RESULTS_H
#define BITFADER_UI_DESK_RESULTS_H

#include "search/session.h"
#include "ui/desk_state.h"

/* A run of the profile as it was at that revision, with mute and solo as desk_listening said when it began. */
void desk_take_run(struct desk *d, const struct run_result *r, uint64_t revision, const char *listening);
/* A search that started from that revision: taken at once when nothing was edited meanwhile, else offered. Takes
 * r->profile over and leaves NULL there. */
void desk_take_search(struct desk *d, struct search_result *r, uint64_t revision);

/* A profile that a search found: onto the desk, with what found it. Undo brings back what was there. */
void desk_take_found(struct desk *d, const struct profile *p, const char *message);

/* Writes estimate, measurement and method into the profile, each only where it belongs to the profile as it stands. */
void desk_stamp(struct desk *d);

#endif
