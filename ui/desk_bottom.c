/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ui/desk_draw.h"
#include "ui/desk_edit.h"
#include "ui/format.h"

char *desk_job_text(const struct desk *d, char out[128])
{
    const struct desk_job *j = &d->job;
    out[0] = '\0';
    if (!j->kind)
        return out;
    size_t n = (size_t)snprintf(out, 128, "%s " G_RUNS " %s", j->kind->name, j->stopping ? "stopping" : j->what);
    if (j->total > 0)
        n += (size_t)snprintf(out + n, 128 - n, " %lld/%lld", (long long)j->done, (long long)j->total);
    if (j->eta_s >= 0 && !j->stopping)
        snprintf(out + n, 128 - n, "  eta %d:%02d", j->eta_s / 60, j->eta_s % 60);
    return out;
}

/* The price of another precision for one layer: the whole estimate again, O(layers). Layers that read the same tensor
 * follow, as they would in an edit. */
static void price(const struct desk *d, int layer, const struct precision *to, char out[96])
{
    size_t n = (size_t)d->model->n;
    struct profile p = desk_effective(d);
    struct estimate after;
    p.layers = mem_new(n + 1, sizeof *p.layers);
    memcpy(p.layers, d->effective, n * sizeof *p.layers);
    const struct desk_layer *l = d->model->layers;
    for (int j = 0; j < d->model->n; j++)
        if (j != layer && l[layer].group >= 0 && l[j].group == l[layer].group &&
            p.layers[j].precision.a_bits != BITS_FLOAT)
            precision_set_a(&p.layers[j].precision, to->a_bits);
    p.layers[layer].precision = *to;
    estimate_profile(d->tables, &p, NULL, &after);
    desk_price(&d->est, &after, "", " ", out);
    mem_free(p.layers);
}

static void draw_what_if(struct grid *g, const struct layout *l, const struct desk *d)
{
    int layer = desk_layer(d), y = l->what_if.y;
    if (!l->what_if.h || layer < 0)
        return;
    char name[128], text[160], cost[96];
    int x = grid_printf(g, 1, y, g->w - 1, ROLE_TEXT, "%s what if: ",
                        format_name(name, sizeof name, d->model->layers[layer].name, g->w >= 100 ? 24 : 14));
    if (d->marks[layer].muted || (d->solo >= 0 && d->solo != layer)) {
        grid_put(g, x, y, g->w - x, ROLE_DIM, "it is silent now (fp32): nothing to price");
        return;
    }
    const struct precision p = d->effective[layer].precision;
    struct precision other[3] = {p, p, p};
    bool there[3] = {p.w_bits != 1, p.w_bits != BITS_FLOAT, true};
    precision_set_w(&other[0], p.w_bits == BITS_FLOAT ? BITS_MAX : p.w_bits > 1 ? p.w_bits - 1 : 1);
    precision_set_w(&other[1], p.w_bits == BITS_MAX ? BITS_FLOAT : p.w_bits ? p.w_bits + 1 : BITS_FLOAT);
    precision_set_a(&other[2], p.a_bits == 8 ? 4 : 8);
    bool first = true;
    for (int i = 0; i < 3; i++) {
        if (!there[i])
            continue;
        price(d, layer, &other[i], cost);
        int bits = i == 2 ? other[i].a_bits : other[i].w_bits;
        snprintf(text, sizeof text, "%s%c%d %s",
                 first         ? " "
                 : g->w >= 100 ? "  " G_BAR "  "
                               : " " G_BAR " ",
                 i == 2 ? 'A' : 'W', bits ? bits : 32,
                 *cost                ? cost
                 : isnan(d->est.drop) ? G_DOT
                                      : "no change");
        if (x + format_cells(text) > g->w)
            break;
        x = grid_put(g, x, y, g->w - x, ROLE_TEXT, text);
        first = false;
    }
}

static void draw_prompt(struct grid *g, int y, const struct desk *d)
{
    const struct desk_prompt *p = &d->prompt;
    int note = format_cells(p->note), x;
    char before[sizeof p->text];
    snprintf(before, sizeof before, "%.*s", p->at, p->text);
    int at = format_cells(before), room = g->w - 4, skip = at > room ? at - room : 0;
    const char *text = p->text;
    for (int i = 0; i < skip; i++) {
        uint32_t code;
        text += format_next(text, &code);
    }
    grid_printf(g, 1, y, 1, ROLE_TEXT, "%c", p->sign);
    x = grid_put(g, 2, y, g->w - 2, ROLE_TEXT, text);
    if (x + 3 + note < g->w)
        grid_put(g, g->w - note - 1, y, note, p->wrong ? ROLE_OVER : ROLE_DIM, p->note);
    else if (x + 12 < g->w)
        grid_put(g, x + 3, y, g->w - x - 3, p->wrong ? ROLE_OVER : ROLE_DIM, p->note);
    g->cursor_x = 2 + at - skip;
    g->cursor_y = y;
    g->cursor_shown = true;
}

static void draw_quit(struct grid *g, int y, const struct desk *d)
{
    char what[128];
    int x = 1, edits = history_distance(&d->history, d->saved);
    if (desk_unsaved(d))
        snprintf(what, sizeof what, edits > 0 ? "%d unsaved edit%s" : "unsaved edits", edits, edits == 1 ? "" : "s");
    else
        snprintf(what, sizeof what, "%s runs", d->job.kind && d->job.kind->quit ? d->job.kind->quit : "a job");
    x = grid_printf(g, x, y, g->w - x, ROLE_NEAR, g->w >= 60 ? "quit: %s." : "%s:", what);
    grid_printf(g, x, y, g->w - x, ROLE_TEXT,
                desk_unsaved(d)
                    ? g->w >= 60 ? "   s save and quit   d discard edits   Esc stay" : " s save d discard Esc"
                : g->w >= 60 ? "   d stop it and quit   Esc stay"
                             : " d quit  Esc stay");
}

static void draw_message(struct grid *g, const struct layout *l, const struct desk *d)
{
    int y = l->message.y, x = 1;
    char job[128] = "";
    if (!l->job.h)
        desk_job_text(d, job);
    if (d->mode == MODE_PROMPT) {
        draw_prompt(g, y, d);
    } else if (d->mode == MODE_QUIT) {
        draw_quit(g, y, d);
    } else {
        if (d->pending[0])
            x = grid_printf(g, x, y, g->w - x, ROLE_NEAR, "%s-  ", d->pending);
        if (*job && (l->pane.h == 0 || !d->job.kind->background)) {
            x = grid_put(g, x, y, g->w - x, ROLE_TEXT, job);
            if (d->message[0])
                x = grid_put(g, x, y, g->w - x, ROLE_DIM, " " G_BAR " ");
        }
        grid_put(g, x, y, g->w - x, d->message_role, d->message);
    }
}

void desk_draw_bottom(struct grid *g, const struct layout *l, const struct desk *d)
{
    char job[128];
    if (l->rule.h)
        grid_row(g, 0, l->rule.y, g->w, ROLE_DIM, GLYPH_RULE);
    draw_what_if(g, l, d);
    if (l->job.h && d->job.kind && !d->job.kind->background)
        grid_printf(g, 1, l->job.y, g->w - 1, ROLE_TEXT, "%s   (X stops, and keeps what it has)",
                    desk_job_text(d, job));
    draw_message(g, l, d);
    desk_draw_hints(g, l, d);
}
