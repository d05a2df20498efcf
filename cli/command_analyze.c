/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>

#include "cli/commands.h"
#include "cli/metrics.h"
#include "cli/work.h"
#include "ui/format.h"

/* Columns are many and regular, so they are made and not written down. */
enum { FIXED = 3, SIDES = 2, COLUMNS = FIXED + 2 * SIDES * BITS_MAX + 3 };
struct columns {
    struct column items[COLUMNS];
    char keys[COLUMNS][24], heads[COLUMNS][16];
    int n;
};

static void add_column(struct columns *c, struct column column)
{
    c->items[c->n++] = column;
}

/* drop_w8_pp .. drop_a1_pp and loss_w8_nats ..: programs get both, people the points, or the nats where nothing tells
 * what they cost in points. Narrow terminals lose the widths in between first. */
static void add_width(struct columns *c, char side, int bits, bool nats, bool shown)
{
    static const int drops[WIDTHS] = {0, 5, 0, 6, 0, 7, 3, 8, 4};
    char *key = c->keys[c->n], *head = c->heads[c->n];
    snprintf(key, sizeof c->keys[0], nats ? "loss_%c%d_nats" : "drop_%c%d_pp", side, bits);
    snprintf(head, sizeof c->heads[0], "%c%d", side == 'w' ? 'W' : 'A', bits);
    add_column(c, (struct column){key, head, COLUMN_NUMBER, shown ? READER_ALL : READER_MACHINE, nats ? 4 : 2,
                                  .drop = drops[bits]});
}

static void make_columns(struct columns *c, bool points)
{
    add_column(c, (struct column){"index", "#", COLUMN_NUMBER});
    add_column(c, (struct column){"name", NULL, COLUMN_TEXT});
    add_column(c, (struct column){"op", NULL, COLUMN_TEXT, .drop = 2});
    for (int nats = 0; nats < 2; nats++)
        for (const char *side = "wa"; *side; side++)
            for (int bits = BITS_MAX; bits > 0; bits--)
                add_width(c, *side, bits, nats, points != (bool)nats);
    add_column(c, (struct column){"sqnr_w4_db", "SQNR@W4", COLUMN_NUMBER, .decimals = 1, .drop = 1});
    add_column(c, (struct column){"strip", "W8..W1", COLUMN_TEXT, READER_HUMAN});
    add_column(c, (struct column){"measured", NULL, COLUMN_BOOL, READER_MACHINE});
}

static double drop_of(const struct tables *t, int layer, char side, int bits)
{
    if (side == 'w')
        return estimate_solo_drop(t, layer, bits);
    double loss = t->layers[layer].loss_a[bits];
    return isnan(loss) ? NAN : loss_fit_drop(&t->fit, loss);
}

/* Eight heights, logarithmic from a hundredth of a point (or 1e-5 nats) to the worst of the table. */
static void put_strip(const struct tables *t, int layer, bool points, double worst, enum glyph_level level,
                      struct text *out)
{
    const double least = points ? 0.01 : 1e-5;
    for (int bits = BITS_MAX; bits > 0; bits--) {
        double drop = points ? drop_of(t, layer, 'w', bits) : t->layers[layer].loss_w[bits];
        char utf8[5];
        int step = drop > least && worst > least ? (int)(8 * log(drop / least) / log(worst / least)) : 0;
        enum glyph g = isnan(drop) ? GLYPH_UNKNOWN : (enum glyph)(GLYPH_STEP_1 + (step > 7 ? 7 : step));
        format_utf8(glyph_code(level, g), utf8);
        text_put(out, utf8);
    }
}

static struct table *make_table(const struct columns *c, const struct graph *g, const struct tables *t, bool points,
                                enum glyph_level level)
{
    struct table *out = table_new("layers", c->items, c->n);
    double worst = 0;
    for (int i = 0; i < g->n_layers; i++)
        for (int bits = BITS_MAX; bits > 0; bits--)
            worst = fmax(worst, points ? drop_of(t, i, 'w', bits) : t->layers[i].loss_w[bits]); /* passes NAN over */
    for (int i = 0; i < g->n_layers; i++) {
        const struct layer_table *l = &t->layers[i];
        struct text strip = {0};
        table_add_number(out, i);
        table_add_text(out, g->layers[i].name);
        table_add_text(out, g->layers[i].kind);
        for (const char *side = "wa"; *side; side++)
            for (int bits = BITS_MAX; bits > 0; bits--)
                table_add_number(out, drop_of(t, i, *side, bits));
        for (int bits = BITS_MAX; bits > 0; bits--)
            table_add_number(out, l->loss_w[bits]);
        for (int bits = BITS_MAX; bits > 0; bits--)
            table_add_number(out, l->loss_a[bits]);
        table_add_number(out, l->sqnr[GRANULARITY_CHANNEL][4]);
        put_strip(t, i, points, worst, level, &strip);
        table_add_text(out, strip.s);
        table_add_bool(out, l->measured);
        text_done(&strip);
    }
    return out;
}

/* The latency table: a row for each layer and pair of widths, fp32 first. */
static const struct column latency_columns[] = {
    {"index", "#", COLUMN_NUMBER},
    {"name", NULL, COLUMN_TEXT},
    {"w_bits", "W", COLUMN_NUMBER},
    {"a_bits", "A", COLUMN_NUMBER},
    {"kernel", NULL, COLUMN_TEXT},
    {"median_us", "median " G_MICRO "s", COLUMN_NUMBER, .decimals = 2},
    {"spread_us", "spread " G_MICRO "s", COLUMN_NUMBER, .decimals = 2},
    {"note", NULL, COLUMN_TEXT, .hide = true},
};

static void add_latency(struct table *out, const struct graph *g, const struct tables *t, int layer, int w, int a)
{
    struct precision q = precision_default();
    precision_set_w(&q, w);
    precision_set_a(&q, a);
    const struct layer_cost *x = &t->cost.layers[layer];
    char slower[48];
    estimate_slower_text(estimate_slower(x, &q), slower);
    table_add_number(out, layer);
    table_add_text(out, g->layers[layer].name);
    table_add_number(out, w ? w : 32);
    table_add_number(out, a ? a : 32);
    table_add_text(out, x->kernel[w][a]);
    table_add_number(out, x->latency_ns[w][a] * 1e-3);
    table_add_number(out, x->spread_ns[w][a] * 1e-3);
    table_add_text(out, slower[0] ? slower : NULL);
}

static struct table *make_latency(const struct graph *g, const struct tables *t)
{
    struct table *out = table_new("latency", latency_columns, sizeof latency_columns / sizeof *latency_columns);
    for (int l = 0; t->cost.known && l < g->n_layers; l++) {
        add_latency(out, g, t, l, 0, 0);
        for (int w = BITS_MAX; w > 0; w--)
            for (int a = BITS_MAX; a > 0; a--)
                add_latency(out, g, t, l, w, a);
    }
    return out;
}

static bool one_value(const struct graph *g)
{
    return graph_scores(g) >= 0 && shape_count(&g->tensors[g->outputs[graph_scores(g)]].shape) == 1;
}

static int print(const struct work *w, const struct tables *t)
{
    const struct options *o = w->options;
    struct columns c = {.n = 0};
    struct report r;
    bool points = !t->unlabelled;
    make_columns(&c, points);
    work_report(w, "analyze", &r);
    cJSON_AddNumberToObject(r.json, "calibration_images", t->calibration_images);
    cJSON_AddNumberToObject(r.json, "layers_measured", t->layers_measured);
    report_number(r.json, "fp32_accuracy", t->fp32_accuracy);
    text_printf(&r.head, "%s that each layer alone costs; %d of %d layers measured on %d images\n",
                points                                 ? "points of accuracy"
                : one_value(session_graph(w->session)) ? "power of the output's error over its own"
                                                       : "nats of divergence (KL) from fp32's output",
                t->layers_measured, t->n_layers, t->calibration_images);
    struct table *table = make_table(&c, session_graph(w->session), t, points, report_glyphs(o));
    struct err e;
    int status = table_sort(table, points ? "drop_w4_pp:desc" : "loss_w4_nats:desc", &e) ? report_fail(EXIT_FAILED, &e)
                                                                                         : EXIT_DONE;
    report_add(&r, table, REPORT_LIST);
    report_add(&r, make_latency(session_graph(w->session), t), REPORT_QUIET);
    metrics_put_latency(&r, t, true);
    if (!status)
        status = report_write(&r, o);
    report_done(&r);
    return status;
}

static int analyze(struct work *w)
{
    struct tables *t = session_tables(w->session);
    int status = print(w, t);
    tables_free(t);
    return status ? status : work_status(w);
}

static int start(const struct options *o)
{
    return work_do(o, o->arguments.items[1], WORK_DATA, ANALYZE_ALL, analyze);
}

const struct command command_analyze = {
    .name = "analyze",
    .alias = "sensitivity",
    .arguments = "MODEL -d DATASET",
    .help = "how much each layer hurts at each width",
    .about = "One layer at a time at each width, the others at w8a8: the KL divergence of the network's output on "
             "calibration\n"
             "images, converted to accuracy points. Machine forms also have the divergence itself, in nats. Tables: "
             "layers,\n"
             "latency (each layer's kernel, median time and spread at each pair of widths on this machine).\n",
    .min_arguments = 1,
    .max_arguments = 1,
    .takes = TAKES_SESSION | TAKES_TABLES,
    .run = start,
};
