/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "kernels/kernels.h"
#include "profiles/setting.h"
#include "ui/desk_draw.h"
#include "ui/format.h"

enum { STRIP_FROM = 2, STRIP_CELLS = 7 }; /* weights at 2 to 8 bits */

/* ── Layers 28 · 3 marked · 2 locked ──── sort # ▲ ──── filter: none ── */
static void draw_pane(struct grid *g, const struct layout *l, const struct desk *d)
{
    if (!l->pane.h)
        return;
    int y = l->pane.y, w = l->pane.w, locked = 0, marked = desk_marked(d, NULL);
    for (int i = 0; i < d->model->n; i++)
        locked += d->profile->layers[i].lock;
    grid_row(g, 0, y, w, ROLE_DIM, GLYPH_RULE);
    char left[160], job[128], right[80];
    size_t n = (size_t)snprintf(left, sizeof left, " Layers %d", d->model->n);
    if (d->n_order < d->model->n)
        n += (size_t)snprintf(left + n, sizeof left - n, " (%d shown)", d->n_order);
    if (marked)
        n += (size_t)snprintf(left + n, sizeof left - n, " " G_DOT " %d marked", marked);
    if (locked)
        n += (size_t)snprintf(left + n, sizeof left - n, " " G_DOT " %d locked", locked);
    if (d->job.kind && d->job.kind->background)
        n += (size_t)snprintf(left + n, sizeof left - n, " " G_DOT " %s", desk_job_text(d, job));
    snprintf(left + n, sizeof left - n, " ");
    int x = grid_put(g, 2, y, w - 2, ROLE_TEXT, left);
    if (d->filter)
        snprintf(right, sizeof right, " filter: %.40s ", d->filter_text);
    else
        snprintf(right, sizeof right, " filter: none ");
    int end = w - 2 - format_cells(right);
    if (end > x) {
        grid_put(g, end, y, w - end, d->filter ? ROLE_NEAR : ROLE_DIM, right);
        snprintf(right, sizeof right, " sort %s   ", desk_sort_name(d->sort));
        int at = (w - format_cells(right)) / 2;
        if (at <= x)
            at = (x + end - format_cells(right)) / 2;
        if (at > x && at + format_cells(right) < end) {
            int arrow = grid_put(g, at, y, w, ROLE_DIM, right);
            grid_glyph(g, arrow - 2, y, ROLE_DIM, d->reverse ? GLYPH_SORT_DOWN : GLYPH_SORT_UP);
        }
    }
}

static void head(struct grid *g, const struct layout *l, enum column c, bool right, const char *text)
{
    const struct span *s = &l->columns[c];
    if (!s->w)
        return;
    if (right)
        grid_put_right(g, s->x, l->heads.y, s->w, ROLE_DIM, text);
    else
        grid_put(g, s->x, l->heads.y, s->w, ROLE_DIM, text);
}

static void draw_heads(struct grid *g, const struct layout *l, const struct desk *d)
{
    head(g, l, COLUMN_NUMBER, true, "#");
    head(g, l, COLUMN_NAME, false, "name");
    head(g, l, COLUMN_KIND, false, "op");
    head(g, l, COLUMN_SHAPE, true, "shape");
    head(g, l, COLUMN_PARAMS, true, "param");
    head(g, l, COLUMN_MACS, true, "MACs");
    head(g, l, COLUMN_W, true, "W");
    head(g, l, COLUMN_A, true, "A");
    head(g, l, COLUMN_SCHEME, false, "scheme");
    head(g, l, COLUMN_FADER, false, "W" G_UPPER " A" G_LOWER);
    head(g, l, COLUMN_W_FADER, false, "W fader");
    head(g, l, COLUMN_A_FADER, false, "A fader");
    head(g, l, COLUMN_STRIP, false, "sens2-8");
    head(g, l, COLUMN_DROP, true, G_DELTA "acc");
    head(g, l, COLUMN_SQNR, true, "SQNR");
    head(g, l, COLUMN_LATENCY, true, "lat%");
    head(g, l, COLUMN_SIZE, true, "size%");
    head(g, l, COLUMN_KERNEL, false, "kernel");
    /* What a digit sets is the head that stands out. */
    for (int c = COLUMN_W; c <= COLUMN_A; c++)
        if (d->side == SIDE_BOTH || (d->side == SIDE_W) == (c == COLUMN_W))
            grid_mark(g, l->columns[c].x, l->heads.y, l->columns[c].w, LOOK_BOLD | LOOK_REVERSE);
}

static void draw_float(struct grid *g, int x, int y, int w)
{
    grid_row(g, x, y, w, ROLE_DIM, GLYPH_RULE);
    if (w >= 6)
        grid_put(g, x + (w - 4) / 2, y, 4, ROLE_DIM, "fp32");
}

/* Bits as cells: a fader of 16 cells shows two a bit. fp32 is no height: it says so. */
static void draw_fader(struct grid *g, const struct span *s, int y, int bits, enum role role)
{
    if (!s->w)
        return;
    if (bits == BITS_FLOAT) {
        draw_float(g, s->x, y, s->w);
        return;
    }
    for (int i = 0; i < s->w; i++) {
        bool on = i < bits * s->w / BITS_MAX;
        grid_glyph(g, s->x + i, y, on ? role : ROLE_DIM, on ? GLYPH_FADER_FULL : GLYPH_FADER_EMPTY);
    }
}

static void draw_merged_fader(struct grid *g, const struct span *s, int y, const struct precision *p)
{
    if (!s->w)
        return;
    if (p->w_bits == BITS_FLOAT && p->a_bits == BITS_FLOAT) {
        draw_float(g, s->x, y, s->w);
        return;
    }
    int w = p->w_bits ? p->w_bits : BITS_MAX, a = p->a_bits ? p->a_bits : BITS_MAX;
    for (int i = 0; i < s->w; i++) {
        if (i < w && i < a)
            grid_glyph(g, s->x + i, y, ROLE_TEXT, GLYPH_FADER_FULL);
        else if (i < w)
            grid_glyph(g, s->x + i, y, ROLE_W, GLYPH_FADER_UPPER);
        else if (i < a)
            grid_glyph(g, s->x + i, y, ROLE_A, GLYPH_FADER_LOWER);
        else
            grid_glyph(g, s->x + i, y, ROLE_DIM, GLYPH_FADER_EMPTY);
    }
}

/* 0..7 for losses of 0.01 to 10 points, on a log scale. */
static int strip_step(double drop)
{
    if (!(drop > 0.01))
        return 0;
    double place = (log10(drop) + 2) / 3 * 8;
    return place >= 7 ? 7 : (int)place;
}

static void draw_strip(struct grid *g, const struct span *s, int y, const struct desk *d, int layer)
{
    const struct precision *p = &d->profile->layers[layer].precision;
    for (int i = 0; s->w && i < STRIP_CELLS; i++) {
        double drop = estimate_solo_drop(d->tables, layer, STRIP_FROM + i);
        int step = isnan(drop) ? 0 : strip_step(drop);
        if (isnan(drop))
            grid_glyph(g, s->x + i, y, ROLE_DIM, GLYPH_UNKNOWN);
        else
            grid_glyph(g, s->x + i, y,
                       d->tables->layers[layer].measured ? (enum role)(ROLE_HEAT_1 + step * 5 / 8) : ROLE_GUESSED,
                       (enum glyph)(GLYPH_STEP_1 + step));
        if (p->w_bits == STRIP_FROM + i)
            grid_mark(g, s->x + i, y, 1, LOOK_BOLD | LOOK_UNDERLINE);
    }
}

static void put_number(struct grid *g, const struct span *s, int y, enum role role, const char *text)
{
    if (s->w)
        grid_put_right(g, s->x, y, s->w, text[0] == G_DOT[0] && text[1] == G_DOT[1] && !text[2] ? ROLE_DIM : role,
                       text);
}

static enum role share_role(double share)
{
    return share >= 0.2 ? ROLE_HEAT_5 : share >= 0.1 ? ROLE_HEAT_4 : share >= 0.05 ? ROLE_HEAT_3 : ROLE_TEXT;
}

static const char *family_of(const char *kernel)
{
    for (int i = 0; i < conv_kernel_count; i++)
        if (!strcmp(conv_kernels[i]->name, kernel))
            return kernel_family_name(conv_kernels[i]->family);
    return "";
}

/* What runs it, as the latency table was measured; with a mark where eight bits would be faster. */
static void draw_kernel(struct grid *g, const struct span *s, int y, const struct layer_estimate *e)
{
    if (!s->w)
        return;
    if (!e->kernel) {
        grid_put(g, s->x, y, s->w, ROLE_DIM, G_DOT);
        return;
    }
    bool slow = e->slower > 0;
    grid_printf(g, s->x, y, s->w, slow ? ROLE_NEAR : ROLE_DIM, "%s%s %s", slow ? "!" : "", e->kernel,
                s->w >= LAYOUT_FAMILY_WIDTH ? family_of(e->kernel) : "");
}

/* Harm, noise, and shares: what the estimate says of this layer at its present setting. */
static void draw_numbers(struct grid *g, const struct layout *l, int y, const struct desk *d, int layer)
{
    struct layer_estimate e;
    char text[24], signed_text[32];
    estimate_layer(d->tables, d->profile, layer, &e);
    const struct span *c = l->columns;
    format_signed(text, -e.drop, e.drop < 9.995 ? 2 : 1);
    bool guessed = !e.measured && !isnan(e.drop) && e.drop > 0;
    if (guessed) { /* a guess has one digit less, and its sign says so */
        format_signed(text, -e.drop, e.drop < 9.95 ? 1 : 0);
        snprintf(signed_text, sizeof signed_text, G_ABOUT "%s", text);
    }
    put_number(g, &c[COLUMN_DROP], y,
               guessed         ? ROLE_GUESSED
               : e.drop >= 0.3 ? ROLE_HEAT_4
                               : ROLE_TEXT,
               guessed ? signed_text : text);
    if (isinf(e.sqnr)) /* of codes: the file's own weights are on them */
        put_number(g, &c[COLUMN_SQNR], y, ROLE_DIM, d->profile->layers[layer].precision.w_bits ? "inf" : "fp");
    else
        put_number(g, &c[COLUMN_SQNR], y, ROLE_TEXT, format_number(text, e.sqnr, 1));
    put_number(g, &c[COLUMN_LATENCY], y, share_role(e.latency_share),
               format_number(text, e.latency_share * 100, e.latency_share >= 0.9995 ? 0 : 1));
    put_number(g, &c[COLUMN_SIZE], y, share_role(e.size_share),
               format_number(text, e.bytes > 0 ? e.size_share * 100 : NAN, 1));
    draw_kernel(g, &c[COLUMN_KERNEL], y, &e);
}

/* The gutter: cursor, mark, and one flag, the most surprising first. */
static void draw_gutter(struct grid *g, int y, const struct desk *d, int layer, bool cursor)
{
    const struct profile_layer *p = &d->profile->layers[layer];
    const struct desk_mark *m = &d->marks[layer];
    grid_put(g, 0, y, 1, ROLE_TEXT, cursor ? ">" : " ");
    grid_put(g, 1, y, 1, ROLE_MARKED, m->marked ? "*" : " ");
    bool one_float = (p->precision.w_bits == BITS_FLOAT) != (p->precision.a_bits == BITS_FLOAT);
    const char *flag = d->solo == layer ? "s" : m->muted ? "m" : one_float ? "!" : p->lock ? "L" : " ";
    grid_put(g, 2, y, 1, one_float ? ROLE_NEAR : ROLE_FLAG, flag);
}

static void draw_row(struct grid *g, const struct layout *l, int y, const struct desk *d, int layer, bool cursor)
{
    const struct span *c = l->columns;
    const struct desk_layer *m = &d->model->layers[layer];
    const struct precision *p = &d->profile->layers[layer].precision;
    bool silent = d->marks[layer].muted || (d->solo >= 0 && d->solo != layer);
    enum role role = silent ? ROLE_FLAG : d->marks[layer].marked ? ROLE_MARKED : ROLE_TEXT;
    char text[128], count[32];
    draw_gutter(g, y, d, layer, cursor);
    snprintf(text, sizeof text, "%d", layer);
    grid_put_right(g, c[COLUMN_NUMBER].x, y, c[COLUMN_NUMBER].w, ROLE_DIM, text);
    grid_put(g, c[COLUMN_NAME].x, y, c[COLUMN_NAME].w, role, format_name(text, sizeof text, m->name, c[COLUMN_NAME].w));
    grid_put(g, c[COLUMN_KIND].x, y, c[COLUMN_KIND].w, ROLE_TEXT, m->kind);
    grid_put_right(g, c[COLUMN_SHAPE].x, y, c[COLUMN_SHAPE].w, ROLE_DIM, m->shape);
    grid_put_right(g, c[COLUMN_PARAMS].x, y, c[COLUMN_PARAMS].w, ROLE_DIM, text_count(m->params, count));
    grid_put_right(g, c[COLUMN_MACS].x, y, c[COLUMN_MACS].w, ROLE_DIM, text_count(m->macs, count));
    grid_put_right(g, c[COLUMN_W].x, y, c[COLUMN_W].w, silent ? ROLE_FLAG : ROLE_W, format_bits(p->w_bits));
    grid_put_right(g, c[COLUMN_A].x, y, c[COLUMN_A].w, silent ? ROLE_FLAG : ROLE_A, format_bits(p->a_bits));
    grid_put(g, c[COLUMN_SCHEME].x, y, c[COLUMN_SCHEME].w, ROLE_DIM,
             format_choices(p, c[COLUMN_SCHEME].w >= 10, count));
    draw_merged_fader(g, &c[COLUMN_FADER], y, p);
    draw_fader(g, &c[COLUMN_W_FADER], y, p->w_bits, silent ? ROLE_FLAG : ROLE_W);
    draw_fader(g, &c[COLUMN_A_FADER], y, p->a_bits, silent ? ROLE_FLAG : ROLE_A);
    draw_strip(g, &c[COLUMN_STRIP], y, d, layer);
    draw_numbers(g, l, y, d, layer);
    if (cursor) {
        int end = c[COLUMN_SCROLL].w ? c[COLUMN_SCROLL].x : g->w;
        grid_mark(g, 0, y, end, LOOK_REVERSE);
        g->cursor_x = 0;
        g->cursor_y = y;
    }
}

static void draw_scroll_bar(struct grid *g, const struct layout *l, const struct desk *d)
{
    const struct span *s = &l->columns[COLUMN_SCROLL];
    int h = l->body.h;
    if (!s->w || d->n_order <= h)
        return;
    int size = h * h / d->n_order;
    if (size < 1)
        size = 1;
    int start = d->top * (h - size) / (d->n_order - h);
    for (int i = 0; i < h; i++)
        grid_glyph(g, s->x, l->body.y + i, ROLE_DIM,
                   i >= start && i < start + size ? GLYPH_SCROLL_THUMB : GLYPH_SCROLL_TRACK);
}

static void draw(struct grid *g, const struct layout *l, const struct desk *d)
{
    draw_pane(g, l, d);
    draw_heads(g, l, d);
    for (int i = 0; i < l->body.h && d->top + i < d->n_order; i++)
        draw_row(g, l, l->body.y + i, d, d->order[d->top + i], d->top + i == d->cursor);
    if (!d->n_order)
        grid_printf(g, 2, l->body.y + 1, g->w - 2, ROLE_NEAR, "no layer matches %.60s; Esc drops the filter",
                    d->filter_text);
    draw_scroll_bar(g, l, d);
}

const struct screen screen_desk = {"desk", "every layer's precision, and what it costs", ON_DESK, layout_desk, draw,
                                   NULL};
