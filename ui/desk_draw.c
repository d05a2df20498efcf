/* SPDX-License-Identifier: MIT */
#include "ui/desk_draw.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "ui/format.h"

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void draw_title(struct grid *g, const struct layout *l, const struct desk *d)
{
    char listening[96], right[128], count[32];
    int w = l->title.w;
    grid_blank(g, 0, 0, w, ROLE_BAR);
    const char *profile = d->path ? base_name(d->path) : d->suggested ? d->suggested : "new profile";
    const char *star = desk_unsaved(d) || !d->path ? "*" : "";
    if (w >= 60)
        grid_printf(g, 0, 0, w, ROLE_BAR, " bitfader  %s  %s%s", base_name(d->model->file), profile, star);
    else
        grid_printf(g, 0, 0, w, ROLE_BAR, "bitfader %s%s", profile, star);
    desk_listening(d, listening);
    if (*listening)
        snprintf(right, sizeof right, " %s ", listening);
    else if (w >= 100)
        snprintf(right, sizeof right, "  host %s %s weights ", G_DOT, text_count(d->model->params, count));
    else
        right[0] = '\0';
    int n = format_cells(right);
    grid_put(g, w - n, 0, n, ROLE_BAR, right);
    if (*listening)
        grid_mark(g, w - n, 0, n, LOOK_BOLD);
}

static void draw_too_small(struct grid *g, const struct desk *d)
{
    char job[128];
    int y = g->h > 5 ? 1 : 0;
    grid_printf(g, 0, y++, g->w, ROLE_TEXT, "%dx%d is too small", g->w, g->h);
    if (g->w >= 24) {
        grid_put(g, 0, y++, g->w, ROLE_TEXT, "need 40x10, or 80x24 for");
        grid_put(g, 0, y++, g->w, ROLE_TEXT, "every column");
    } else {
        grid_put(g, 0, y++, g->w, ROLE_TEXT, "need 40x10");
    }
    if (*desk_job_text(d, job))
        grid_put(g, 0, y++, g->w, ROLE_TEXT, job);
    if (d->mode == MODE_QUIT)
        grid_put(g, 0, y++, g->w, ROLE_NEAR, "s save  d discard  Esc");
    else
        grid_put(g, 0, y++, g->w, ROLE_TEXT, "q quit");
}

struct grid *desk_draw(const struct desk *d, int w, int h, enum glyph_level level)
{
    struct grid *g = grid_new(w, h, level);
    struct layout l = desk_layout(d, w, h);
    if (l.too_small) {
        draw_too_small(g, d);
        return g;
    }
    draw_title(g, &l, d);
    if (d->mode == MODE_HELP) {
        desk_draw_help(g, d);
        return g;
    }
    desk_draw_meters(g, &l, d);
    desk_draw_origin(g, &l, d);
    d->screen->draw(g, &l, d);
    desk_draw_bottom(g, &l, d);
    return g;
}
