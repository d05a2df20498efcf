/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ui/desk_draw.h"
#include "ui/format.h"

/* One meter with everything that its row says, written in one scale so that the numbers of a row compare. */
struct row {
    const char *name, *short_name, *letter;
    const struct meter *m;
    struct scale scale;
    bool higher_is_better;
    char value[24], error[24], change[40], limit[40], fp32[24];
};

static enum role verdict_role(enum verdict v)
{
    switch (v) {
    case VERDICT_OK:
        return ROLE_OK;
    case VERDICT_NEAR:
        return ROLE_NEAR;
    case VERDICT_OVER:
        return ROLE_OVER;
    case VERDICT_NONE:
    case VERDICT_UNKNOWN:
        break;
    }
    return ROLE_DIM;
}

static struct row make_row(const char *name, const char *short_name, const char *letter, const struct meter *m,
                           struct scale s, bool higher)
{
    struct row r = {.name = name, .short_name = short_name, .letter = letter, .m = m, .scale = s};
    r.higher_is_better = higher;
    format_number(r.value, m->value / s.divisor, s.decimals);
    format_number(r.fp32, m->fp32 / s.divisor, s.decimals);
    if (isnan(m->error) || isnan(m->value))
        r.error[0] = '\0';
    else
        format_error(r.error, m->error / s.divisor, s.decimals < 2 ? s.decimals : 2);
    if (!isnan(m->limit))
        format_number(r.limit, m->limit / s.divisor, s.decimals);
    return r;
}

static double known(double a, double b)
{
    return isnan(a) ? b : a;
}

/* "2.94x faster", or "1.20x slower" where it is worse. */
static void put_times(struct row *r, const char *better, const char *worse)
{
    double times = r->m->fp32 / r->m->value;
    char number[24];
    if (!isfinite(times) || times <= 0)
        snprintf(r->change, sizeof r->change, "%s", G_DOT);
    else if (times >= 0.995)
        snprintf(r->change, sizeof r->change, "%s %s", format_times(number, times), better);
    else
        snprintf(r->change, sizeof r->change, "%s %s", format_times(number, 1 / times), worse);
}

/* Before the weights have been looked at there are no bytes: unknown, not zero. */
static struct meter or_unknown(const struct meter *m, bool is_known)
{
    struct meter out = *m;
    if (!is_known)
        out.value = out.fp32 = NAN;
    return out;
}

/* The rows point into e. */
static void make_rows(struct estimate *e, struct row rows[4])
{
    char number[24];
    e->energy = or_unknown(&e->energy, e->size.fp32 > 0);
    e->size = or_unknown(&e->size, e->size.fp32 > 0);
    rows[0] = make_row("ACCURACY", "ACC", "A", &e->accuracy, (struct scale){"%", 1, 2}, true);
    rows[1] =
        make_row("LATENCY", "LAT", "L", &e->latency, format_time_scale(known(e->latency.value, e->latency.fp32)), 0);
    rows[2] = make_row("SIZE", "SIZE", "S", &e->size, format_size_scale(known(e->size.value, e->size.fp32)), 0);
    rows[3] = make_row("ENERGY", "E", "E", &e->energy, format_energy_scale(known(e->energy.value, e->energy.fp32)), 0);
    snprintf(rows[0].change, sizeof rows[0].change, "%s%s pp", isnan(e->drop) || e->all_measured ? "" : G_ABOUT,
             format_signed(number, -e->drop, 2));
    put_times(&rows[1], "faster", "slower");
    put_times(&rows[2], "smaller", "larger");
    put_times(&rows[3], "less", "more");
}

/* From 0 to 1 along the gauge. Accuracy grows toward fp32 and shows the last points below it; the others grow toward
 * bad, and leave room behind the limit. */
static double gauge_place(const struct row *r, double v)
{
    const struct meter *m = r->m;
    double error = isnan(m->error) ? 0 : m->error;
    if (r->higher_is_better) {
        double span = fmax(5, 1.3 * (m->fp32 - m->value + error));
        if (!isnan(m->limit))
            span = fmax(span, 1.3 * (m->fp32 - m->limit));
        return 1 - (m->fp32 - v) / span;
    }
    double top = isnan(m->limit) ? m->fp32 : 1.25 * fmax(m->limit, m->value + error);
    return v / top;
}

static int gauge_cell(const struct row *r, double v, int width)
{
    double place = gauge_place(r, v);
    if (!isfinite(place))
        return -1;
    int cell = (int)lround(fmin(fmax(place, 0), 1) * width);
    return cell;
}

static void draw_gauge(struct grid *g, int x, int y, int w, const struct row *r)
{
    const struct meter *m = r->m;
    double error = isnan(m->error) ? 0 : m->error;
    int inner = w - 2;
    int low = gauge_cell(r, m->value - error, inner), high = gauge_cell(r, m->value + error, inner);
    grid_glyph(g, x, y, ROLE_DIM, GLYPH_GAUGE_LEFT);
    grid_glyph(g, x + w - 1, y, ROLE_DIM, GLYPH_GAUGE_RIGHT);
    enum role role = m->verdict == VERDICT_NONE ? ROLE_TEXT : verdict_role(m->verdict);
    for (int i = 0; i < inner; i++) {
        if (i < low)
            grid_glyph(g, x + 1 + i, y, role, GLYPH_FADER_FULL);
        else if (i < high)
            grid_glyph(g, x + 1 + i, y, role, GLYPH_SHADE);
        else
            grid_glyph(g, x + 1 + i, y, ROLE_DIM, GLYPH_UNKNOWN);
    }
    int limit = isnan(m->limit) ? -1 : gauge_cell(r, m->limit, inner);
    if (limit >= 0)
        grid_glyph(g, x + 1 + (limit < inner ? limit : inner - 1), y, ROLE_LIMIT, GLYPH_LIMIT);
}

static void draw_error(struct grid *g, int x, int y, const struct row *r, bool size)
{
    const struct meter *m = r->m;
    if (size && !isnan(m->value))
        grid_put(g, x, y, 9, ROLE_DIM, "exact");
    else if (r->error[0])
        grid_printf(g, x, y, 9, ROLE_TEXT, G_PLUS_MINUS "%s%s", m->error / r->scale.divisor < 0.995 ? "0" : "",
                    r->error);
}

/* ACCURACY   84.71 %  ±0.55     −2.71 pp       floor ≥ 83.00  +ok    fp32 87.42   [gauge] */
static void draw_four_lines(struct grid *g, const struct layout *l, const struct desk *d, struct row rows[4])
{
    char number[24];
    for (int i = 0; i < 4; i++) {
        struct row *r = &rows[i];
        int y = l->meters.y + i;
        grid_put(g, 1, y, 8, ROLE_TEXT, r->name);
        grid_mark(g, 1, y, 8, LOOK_BOLD);
        grid_put_right(g, 9, y, 8, isnan(r->m->value) ? ROLE_DIM : ROLE_TEXT, r->value);
        grid_put(g, 18, y, 3, ROLE_TEXT, r->scale.unit);
        if (i == 3 && !isnan(r->m->value))
            grid_put(g, 22, y, 9, ROLE_DIM, "modelled");
        else
            draw_error(g, 22, y, r, i == 2);
        grid_put(g, 32, y, 14, ROLE_TEXT, r->change);
        if (i == 3) {
            format_number(number, d->est.bops > 0 ? d->est.bops / 1e6 : NAN, d->est.bops < 1e7 ? 1 : 0);
            grid_printf(g, 47, y, 20, ROLE_DIM, "BOPs %s M", number);
        } else if (!isnan(r->m->limit)) {
            grid_printf(g, 47, y, 8, ROLE_TEXT, "%s", i ? "limit " G_AT_MOST : "floor " G_AT_LEAST);
            grid_put_right(g, 54, y, 7, ROLE_TEXT, r->limit);
            grid_printf(g, 63, y, 6, verdict_role(r->m->verdict), "%s%s", verdict_sign(r->m->verdict),
                        verdict_word(r->m->verdict));
        } else {
            grid_put(g, 47, y, 20, ROLE_DIM, "no limit");
        }
        grid_put(g, 70, y, 4, ROLE_DIM, "fp32");
        grid_put_right(g, 74, y, 7, ROLE_DIM, r->fp32);
        int x = 83, w = g->w - x - 1;
        draw_gauge(g, x, y, w > 60 ? 60 : w, r);
    }
}

/* Puts the text when all of it fits before the end, and says where the next one goes. */
static int put_whole(struct grid *g, int x, int y, int end, enum role role, const char *text)
{
    int n = format_cells(text);
    return x + n > end ? x : grid_put(g, x, y, n, role, text);
}

/* ACC 84.71% ±.55 +ok ≥83.0 and −2.71 pp  fp32 87.42 below it, three beside each other. */
static void draw_two_lines(struct grid *g, const struct layout *l, struct row rows[4])
{
    int w = l->meters.w, y = l->meters.y;
    for (int i = 0; i < 3; i++) {
        struct row *r = &rows[i];
        char text[80];
        int start = w * i / 3, end = w * (i + 1) / 3 - (i < 2), x = start + 1;
        if (i < 2) {
            grid_glyph(g, end, y, ROLE_DIM, GLYPH_BAR);
            grid_glyph(g, end, y + 1, ROLE_DIM, GLYPH_BAR);
        }
        x = put_whole(g, x, y, end, ROLE_TEXT, r->short_name);
        snprintf(text, sizeof text, " %s%s", r->value, r->scale.unit);
        x = put_whole(g, x, y, end, ROLE_TEXT, text);
        if (r->error[0] && i < 2) {
            snprintf(text, sizeof text, " " G_PLUS_MINUS "%s", r->error);
            x = put_whole(g, x, y, end, ROLE_TEXT, text);
        }
        snprintf(text, sizeof text, " %s%s", verdict_sign(r->m->verdict), verdict_word(r->m->verdict));
        if (r->m->verdict != VERDICT_NONE)
            x = put_whole(g, x, y, end, verdict_role(r->m->verdict), text);
        int before = x;
        snprintf(text, sizeof text, " %s%s", i ? G_AT_MOST : G_AT_LEAST, r->limit);
        if (!isnan(r->m->limit))
            x = put_whole(g, x, y, end, ROLE_TEXT, text);
        bool below = x == before && !isnan(r->m->limit); /* no room: then in place of fp32, which one knows by heart */
        x = put_whole(g, start + 3, y + 1, end, ROLE_TEXT, r->change);
        if (!below)
            snprintf(text, sizeof text, " fp32 %s", r->fp32);
        put_whole(g, x, y + 1, end, below ? ROLE_TEXT : ROLE_DIM, text);
    }
}

/* A 84.71%+ L 3.21ms= S 118.2KiB! */
static void draw_one_line(struct grid *g, const struct layout *l, struct row rows[4])
{
    int x = l->meters.x;
    for (int i = 0; i < 3; i++) {
        struct row *r = &rows[i];
        x = grid_printf(g, x, l->meters.y, g->w - x, ROLE_TEXT, "%s%s %s%s", i ? " " : "", r->letter, r->value,
                        r->scale.unit);
        x = grid_put(g, x, l->meters.y, 1, verdict_role(r->m->verdict), verdict_sign(r->m->verdict));
    }
}

void desk_draw_meters(struct grid *g, const struct layout *l, const struct desk *d)
{
    struct row rows[4];
    struct estimate e = d->est;
    make_rows(&e, rows);
    if (l->meter_style == METERS_FOUR_LINES)
        draw_four_lines(g, l, d, rows);
    else if (l->meter_style == METERS_TWO_LINES)
        draw_two_lines(g, l, rows);
    else
        draw_one_line(g, l, rows);
}

/* est from 22/22 measured sensitivities · host table ±9 % · measured 3 edits ago: 93.1 %  0.41 ms */
void desk_draw_origin(struct grid *g, const struct layout *l, const struct desk *d)
{
    if (!l->origin.h)
        return;
    const struct tables *t = d->tables;
    int y = l->origin.y, x = 1, w = g->w;
    x = grid_printf(g, x, y, w - x, ROLE_DIM, "est from %d/%d measured sensitivities", t->layers_measured, t->n_layers);
    if (t->cost.known)
        x = grid_printf(g, x, y, w - x, ROLE_DIM, " " G_DOT " host table " G_PLUS_MINUS "%.0f %%",
                        t->cost.error_rel * 100);
    else
        x = grid_printf(g, x, y, w - x, ROLE_DIM, " " G_DOT " no host table yet%s",
                        *t->cost.note ? " (the kept one is not of this host)" : "");
    if (t->cost.known && t->cost.report.counted)
        x = grid_put(g, x, y, w - x, ROLE_NEAR, " of a busy core");
    const struct desk_measured *m = &d->measured;
    if (!m->known) {
        grid_put(g, x, y, w - x, ROLE_DIM, " " G_DOT " not measured yet: r runs it");
        return;
    }
    int edits = history_distance(&d->history, m->revision);
    x = grid_put(g, x, y, w - x, ROLE_DIM, " " G_DOT " ");
    if (edits == 0)
        x = grid_put(g, x, y, w - x, ROLE_MEASURED, "measured as it stands");
    else if (edits > 0)
        x = grid_printf(g, x, y, w - x, ROLE_MEASURED, "measured %d edit%s ago", edits, edits == 1 ? "" : "s");
    else
        x = grid_put(g, x, y, w - x, ROLE_MEASURED, "measured earlier");
    x = grid_printf(g, x, y, w - x, ROLE_MEASURED, "%s%s: ", *m->listening ? " " : "", m->listening);
    char number[24];
    if (!isnan(m->accuracy))
        x = grid_printf(g, x, y, w - x, ROLE_MEASURED, "%s %%  ", format_number(number, m->accuracy, 2));
    else if (!isnan(m->agreement))
        x = grid_printf(g, x, y, w - x, ROLE_MEASURED, "agrees with fp32 on %s %%  ",
                        format_number(number, m->agreement, 1));
    if (m->latency_ns > 0) {
        struct scale s = format_time_scale(m->latency_ns);
        x = grid_printf(g, x, y, w - x, ROLE_MEASURED, "%s %s",
                        format_number(number, m->latency_ns / s.divisor, s.decimals), s.unit);
    }
    if (m->partial)
        grid_printf(g, x, y, w - x, ROLE_MEASURED, " (%d images)", m->images);
}
