/* SPDX-License-Identifier: MIT
 *
 * The desk as a grid of cells: a pure function of the state and the size. The parts are apart so that each stays short;
 * every one of them draws into its rectangle of the layout and into nothing else. What stands in the middle is the
 * screen's (ui/screen.h).
 */
#ifndef BITFADER_UI_DESK_DRAW_H
#define BITFADER_UI_DESK_DRAW_H

#include "ui/desk_state.h"
#include "ui/grid.h"
#include "ui/layout.h"

/* The whole screen. The caller frees with grid_free. */
struct grid *desk_draw(const struct desk *d, int w, int h, enum glyph_level level);

void desk_draw_meters(struct grid *g, const struct layout *l, const struct desk *d);
void desk_draw_origin(struct grid *g, const struct layout *l, const struct desk *d); /* where the estimate is from */
void desk_draw_bottom(struct grid *g, const struct layout *l, const struct desk *d); /* what-if, job, message, keys */
void desk_draw_hints(struct grid *g, const struct layout *l, const struct desk *d);  /* the key bar */
void desk_draw_help(struct grid *g, const struct desk *d);                           /* over everything but the title */

/* "search > solving 14/40  eta 2:10", or "" when nothing runs. */
char *desk_job_text(const struct desk *d, char out[128]);

#endif
