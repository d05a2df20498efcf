/* SPDX-License-Identifier: MIT */
#include "cli/metrics.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ui/format.h"

enum metric { METRIC_ACCURACY, METRIC_LATENCY, METRIC_SIZE, METRIC_ENERGY, METRIC_BOPS, METRIC_COUNT };

static const struct column metric_columns[] = {
    {"metric", "", COLUMN_TEXT},
    {"measured_text", "measured", COLUMN_TEXT, READER_HUMAN, .hide = true},
    {"estimate_text", "estimate", COLUMN_TEXT, READER_HUMAN},
    {"fp32_text", "vs fp32", COLUMN_TEXT, READER_HUMAN, .hide = true},
    {"limit_text", "limit", COLUMN_TEXT, READER_HUMAN, .hide = true},
    {"verdict_text", "verdict", COLUMN_TEXT, READER_HUMAN, .hide = true},
    {"unit", NULL, COLUMN_TEXT, READER_MACHINE},
    {"estimate", NULL, COLUMN_NUMBER, READER_MACHINE},
    {"estimate_error", NULL, COLUMN_NUMBER, READER_MACHINE},
    {"measured", NULL, COLUMN_NUMBER, READER_MACHINE},
    {"measured_error", NULL, COLUMN_NUMBER, READER_MACHINE},
    {"fp32", NULL, COLUMN_NUMBER, READER_MACHINE},
    {"limit", NULL, COLUMN_NUMBER, READER_MACHINE},
    {"verdict", NULL, COLUMN_TEXT, READER_MACHINE},
};

/* One row in one unit. */
struct line {
    const char *name, *unit; /* unit of machine forms */
    struct meter meter;
    double measured, measured_error; /* NAN: not */
};

double metrics_accuracy_error(int right, int n)
{
    if (n <= 0)
        return NAN;
    double z = 1.959964, p = (double)right / n, z2 = z * z / n;
    return 100 * z / (1 + z2) * sqrt(p * (1 - p) / n + z2 / (4.0 * n));
}

/* The rows; latency in nanoseconds here. */
static void collect(const struct estimate *est, const struct run_result *run, struct line lines[METRIC_COUNT])
{
    bool seen = run && run->images > 0, timed = run && run->latency_runs > 0;
    lines[METRIC_ACCURACY] = (struct line){"accuracy", "percent", est->accuracy, seen ? run->accuracy : NAN,
                                           seen ? metrics_accuracy_error(run->right, run->images) : NAN};
    lines[METRIC_LATENCY] = (struct line){"latency", "us", est->latency, timed ? run->latency_ns : NAN, NAN};
    lines[METRIC_SIZE] = (struct line){"size", "bytes", est->size, run && run->n_layers ? (double)run->bytes : NAN,
                                       run && run->n_layers ? 0 : NAN};
    lines[METRIC_ENERGY] = (struct line){"energy", "uJ", est->energy, NAN, NAN};
    lines[METRIC_BOPS] =
        (struct line){"BOPs", "operations", {est->bops, 0, est->fp32_bops, NAN, VERDICT_NONE}, NAN, NAN};
    if (seen && isfinite(run->fp32_accuracy))
        lines[METRIC_ACCURACY].meter.fp32 = run->fp32_accuracy;
    if (timed && isfinite(run->fp32_latency_ns)) /* of the same run: the table may be of another spell */
        lines[METRIC_LATENCY].meter.fp32 = run->fp32_latency_ns;
}

/* How people read a value of this metric; all values of a line share it. */
static struct scale scale_of(enum metric m, double v)
{
    if (m == METRIC_LATENCY)
        return format_time_scale(v);
    if (m == METRIC_SIZE)
        return format_size_scale(v);
    if (m == METRIC_ENERGY)
        return format_energy_scale(v);
    return m == METRIC_BOPS ? (struct scale){"M", 1e6, 1} : (struct scale){"%", 1, 2};
}

static void put_value(char *out, size_t size, const struct scale *s, double v, double error)
{
    char number[24], half[24];
    if (isnan(v)) {
        snprintf(out, size, "%s", G_DOT);
        return;
    }
    format_number(number, v / s->divisor, s->decimals);
    if (error > 0)
        snprintf(out, size, "%s %s " G_PLUS_MINUS "%s", number, s->unit,
                 format_number(half, error / s->divisor, s->decimals));
    else
        snprintf(out, size, "%s %s", number, s->unit);
}

/* "-2.71 pp", "2.94x less". */
static void put_change(char *out, size_t size, enum metric m, double v, double fp32)
{
    char number[24];
    if (isnan(v) || isnan(fp32) || (m != METRIC_ACCURACY && (v <= 0 || fp32 <= 0)))
        snprintf(out, size, "%s", G_DOT);
    else if (m == METRIC_ACCURACY)
        snprintf(out, size, "%s pp", format_signed(number, v - fp32, 2));
    else if (fp32 >= v)
        snprintf(out, size, "%s %s", format_times(number, fp32 / v), m == METRIC_LATENCY ? "faster" : "less");
    else
        snprintf(out, size, "%s %s", format_times(number, v / fp32), m == METRIC_LATENCY ? "slower" : "more");
}

/* A measurement is judged as it is, an estimate with its interval. */
static enum verdict judge(enum metric m, const struct line *l)
{
    if (isnan(l->meter.limit) || isnan(l->measured))
        return l->meter.verdict;
    bool met = m == METRIC_ACCURACY ? l->measured >= l->meter.limit : l->measured <= l->meter.limit;
    return met ? VERDICT_OK : VERDICT_OVER;
}

static void add_human(struct table *t, enum metric m, const struct line *l)
{
    char s[96];
    bool measured = !isnan(l->measured);
    double v = measured ? l->measured : l->meter.value;
    struct scale scale = scale_of(m, v);
    put_value(s, sizeof s, &scale, l->measured, l->measured_error);
    table_add_text(t, measured ? s : NULL);
    put_value(s, sizeof s, &scale, l->meter.value, l->meter.error);
    table_add_text(t, s);
    put_change(s, sizeof s, m, v, l->meter.fp32);
    table_add_text(t, s);
    if (isnan(l->meter.limit)) {
        table_add_text(t, NULL);
        table_add_text(t, NULL);
        return;
    }
    char number[24];
    table_add_format(t, "%s %s %s", m == METRIC_ACCURACY ? G_AT_LEAST : G_AT_MOST,
                     format_number(number, l->meter.limit / scale.divisor, scale.decimals), scale.unit);
    enum verdict verdict = judge(m, l);
    snprintf(s, sizeof s, "%s%s", verdict_sign(verdict), verdict_word(verdict));
    if (verdict == VERDICT_OVER)
        snprintf(s + strlen(s), sizeof s - strlen(s), " by %s %s",
                 format_number(number, fabs(v - l->meter.limit) / scale.divisor, scale.decimals),
                 m == METRIC_ACCURACY ? "pp" : scale.unit);
    table_add_text(t, s);
}

static void add_machine(struct table *t, enum metric m, const struct line *l)
{
    static const char *const words[] = {[VERDICT_NONE] = NULL,
                                        [VERDICT_UNKNOWN] = "unknown",
                                        [VERDICT_OK] = "ok",
                                        [VERDICT_NEAR] = "near",
                                        [VERDICT_OVER] = "over"};
    double unit = m == METRIC_LATENCY ? 1e-3 : 1;
    table_add_text(t, l->unit);
    table_add_number(t, l->meter.value * unit);
    table_add_number(t, l->meter.error * unit);
    table_add_number(t, l->measured * unit);
    table_add_number(t, l->measured_error * unit);
    table_add_number(t, l->meter.fp32 * unit);
    table_add_number(t, l->meter.limit * unit);
    table_add_text(t, words[judge(m, l)]);
}

struct table *metrics_table(const struct estimate *est, const struct run_result *run)
{
    struct line lines[METRIC_COUNT];
    collect(est, run, lines);
    struct table *t = table_new("metrics", metric_columns, sizeof metric_columns / sizeof *metric_columns);
    for (int m = 0; m < METRIC_COUNT; m++) {
        table_add_text(t, lines[m].name);
        add_human(t, (enum metric)m, &lines[m]);
        add_machine(t, (enum metric)m, &lines[m]);
    }
    return t;
}

int metrics_missed(const struct estimate *est, const struct run_result *run, const struct budgets *b, struct text *out)
{
    struct line lines[METRIC_COUNT];
    collect(est, run, lines);
    const bool asked[METRIC_COUNT] = {
        [METRIC_ACCURACY] = !isnan(b->accuracy_drop) || !isnan(b->accuracy_min),
        [METRIC_LATENCY] = b->latency_ns > 0,
        [METRIC_SIZE] = b->bytes > 0,
    };
    int n = 0;
    for (int m = 0; m < METRIC_COUNT; m++) {
        const struct line *l = &lines[m];
        double v = isnan(l->measured) ? l->meter.value : l->measured;
        if (!asked[m])
            continue;
        bool known = !isnan(v) && !isnan(l->meter.limit);
        if (known && (m == METRIC_ACCURACY ? v >= l->meter.limit : v <= l->meter.limit))
            continue;
        text_printf(out, "%s%s%s", n++ ? ", " : "", l->name, known ? "" : " (not known)");
    }
    return n;
}

/* --- layers ------------------------------------------------------------------------------------------------------- */

struct table *metrics_new_layers(const struct column *more, int n_more)
{
    enum { OWN = 5 + CHOICE_COUNT + 1, MOST = 32 };
    struct column columns[MOST] = {{"index", "#", COLUMN_NUMBER},
                                   {"name", NULL, COLUMN_TEXT},
                                   {"op", NULL, COLUMN_TEXT},
                                   {"w_bits", "W", COLUMN_NUMBER},
                                   {"a_bits", "A", COLUMN_NUMBER}};
    assert(OWN + n_more <= MOST);
    for (int c = 0; c < CHOICE_COUNT; c++) /* the scheme is the last to go where there is no room, after the lock */
        columns[5 + c] = (struct column){precision_choices[c].key, NULL, COLUMN_TEXT, .drop = c ? 3 + c : 2};
    columns[OWN - 1] = (struct column){"locked", NULL, COLUMN_BOOL, .drop = 3};
    memcpy(columns + OWN, more, (size_t)n_more * sizeof *more);
    return table_new("layers", columns, OWN + n_more);
}

void metrics_add_precision(struct table *out, const struct graph *g, const struct profile *p, int layer)
{
    const struct precision *x = &p->layers[layer].precision;
    table_add_number(out, layer);
    table_add_text(out, p->layers[layer].name);
    table_add_text(out, g->layers[layer].kind);
    table_add_number(out, x->w_bits ? x->w_bits : 32);
    table_add_number(out, x->a_bits ? x->a_bits : 32);
    for (int c = 0; c < CHOICE_COUNT; c++)
        table_add_text(out,
                       c == CHOICE_SCHEME && !x->w_bits ? "float" : precision_choices[c].name(precision_get(x, c)));
    table_add_bool(out, p->layers[layer].lock);
}

static const struct column layer_columns[] = {
    {"drop_pp", "drop pp", COLUMN_NUMBER, .decimals = 2},
    {"loss_nats", NULL, COLUMN_NUMBER, READER_MACHINE},
    {"sqnr_db", "SQNR dB", COLUMN_NUMBER, .decimals = 1},
    {"latency_us", G_MICRO "s", COLUMN_NUMBER, .decimals = 1},
    {"latency_share", "time %", COLUMN_NUMBER, .decimals = 1, .scale = 100, .drop = 6},
    {"bytes", "KiB", COLUMN_NUMBER, .decimals = 1, .scale = 1.0 / 1024},
    {"size_share", "size %", COLUMN_NUMBER, .decimals = 1, .scale = 100, .drop = 7},
    {"kernel", NULL, COLUMN_TEXT, .hide = true, .drop = 8},
    {"measured", NULL, COLUMN_BOOL, READER_MACHINE},
    {"emulated", NULL, COLUMN_BOOL, READER_MACHINE},
    {"note", NULL, COLUMN_TEXT, .hide = true},
};

struct table *metrics_layers(const struct graph *g, const struct tables *t, const struct profile *p)
{
    struct table *out = metrics_new_layers(layer_columns, sizeof layer_columns / sizeof *layer_columns);
    for (int i = 0; i < p->n_layers; i++) {
        struct layer_estimate l;
        estimate_layer(t, p, i, &l);
        metrics_add_precision(out, g, p, i);
        table_add_number(out, l.drop);
        table_add_number(out, l.loss);
        table_add_number(out, isinf(l.sqnr) ? NAN : l.sqnr);
        table_add_number(out, l.latency_ns * 1e-3);
        table_add_number(out, l.latency_share);
        table_add_number(out, (double)l.bytes);
        table_add_number(out, l.size_share);
        table_add_text(out, l.kernel);
        table_add_bool(out, l.measured);
        table_add_bool(out, l.emulated);
        char slower[48];
        table_add_text(out, l.slower > 0 ? estimate_slower_text(l.slower, slower) : NULL);
    }
    return out;
}

static const struct column run_columns[] = {
    {"index", "#", COLUMN_NUMBER},
    {"name", NULL, COLUMN_TEXT},
    {"requested", NULL, COLUMN_TEXT},
    {"applied", NULL, COLUMN_TEXT},
    {"kernel", NULL, COLUMN_TEXT},
    {"estimate_us", "est " G_MICRO "s", COLUMN_NUMBER, .decimals = 1},
    {"measured_us", "meas " G_MICRO "s", COLUMN_NUMBER, .decimals = 1},
    {"error_percent", "error %", COLUMN_NUMBER, .decimals = 1},
    {"bytes", "KiB", COLUMN_NUMBER, .decimals = 1, .scale = 1.0 / 1024, .drop = 1},
    {"note", NULL, COLUMN_TEXT, .hide = true},
};

struct table *metrics_run_layers(const struct graph *g, const struct tables *t, const struct profile *p,
                                 const struct run_result *run)
{
    struct table *out = table_new("layers", run_columns, sizeof run_columns / sizeof *run_columns);
    for (int i = 0; i < run->n_layers; i++) {
        const struct run_layer *l = &run->layers[i];
        char requested[16], applied[16];
        struct layer_estimate est;
        estimate_layer(t, p, i, &est);
        bool timed = l->latency_ns > 0;
        table_add_number(out, i);
        table_add_text(out, g->layers[i].name);
        table_add_text(out, precision_text(&l->requested, requested));
        table_add_text(out, precision_text(&l->applied, applied));
        table_add_text(out, l->kernel);
        table_add_number(out, est.latency_ns * 1e-3);
        table_add_number(out, timed ? l->latency_ns * 1e-3 : NAN);
        table_add_number(out, timed ? 100 * (l->latency_ns - est.latency_ns) / est.latency_ns : NAN);
        table_add_number(out, (double)l->bytes);
        char slower[48];
        estimate_slower_text(est.slower, slower);
        table_add_text(out, l->note[0] ? l->note : slower[0] ? slower : NULL);
    }
    return out;
}

static const struct column kernel_columns[] = {
    {"index", "#", COLUMN_NUMBER},
    {"name", NULL, COLUMN_TEXT},
    {"kernel", NULL, COLUMN_TEXT},
    {"cycles", NULL, COLUMN_NUMBER, .group = true},
    {"times_fastest", "x fastest", COLUMN_NUMBER, .decimals = 2},
    {"runs", NULL, COLUMN_BOOL},
};

static void add_contender(struct table *out, const struct graph *g, int layer, const char *kernel, double cycles,
                          double fastest, bool runs)
{
    table_add_number(out, layer);
    table_add_text(out, g->layers[layer].name);
    table_add_text(out, kernel);
    table_add_number(out, rint(cycles));
    table_add_number(out, cycles / fastest);
    table_add_bool(out, runs);
}

struct table *metrics_run_kernels(const struct graph *g, const struct run_result *run)
{
    struct table *out = table_new("kernels", kernel_columns, sizeof kernel_columns / sizeof *kernel_columns);
    for (int i = 0; i < run->n_layers; i++) {
        const struct run_layer *l = &run->layers[i];
        for (int k = 0; k < l->n_contest; k++)
            add_contender(out, g, i, l->contest[k].kernel->name, l->contest[k].cycles, l->contest[0].cycles,
                          !strcmp(l->contest[k].kernel->name, l->kernel));
        if (!l->n_contest) /* there is no other, or the order of the list decides */
            add_contender(out, g, i, l->kernel, NAN, NAN, true);
    }
    return out;
}

static const struct column step_columns[] = {
    {"index", "#", COLUMN_NUMBER},
    {"name", NULL, COLUMN_TEXT},
    {"layer", NULL, COLUMN_TEXT},
    {"kernel", NULL, COLUMN_TEXT},
    {"measured_us", "meas " G_MICRO "s", COLUMN_NUMBER, .decimals = 2},
};

struct table *metrics_run_steps(const struct graph *g, const struct run_result *run)
{
    struct table *out = table_new("steps", step_columns, sizeof step_columns / sizeof *step_columns);
    for (int i = 0; i < run->n_steps; i++) {
        const struct run_step *s = &run->steps[i];
        table_add_number(out, i);
        table_add_text(out, s->name);
        table_add_text(out, s->layer >= 0 ? g->layers[s->layer].name : NULL);
        table_add_text(out, s->kernel);
        table_add_number(out, s->latency_ns * 1e-3);
    }
    return out;
}

void metrics_put_latency(struct report *r, const struct tables *t, bool always)
{
    const struct latency_report *x = &t->cost.report;
    char text[256];
    cJSON *json = cJSON_AddObjectToObject(r->json, "latency_table");
    cJSON_AddBoolToObject(json, "known", t->cost.known && x->pairs);
    cJSON_AddItemToObject(json, "note", *t->cost.note ? cJSON_CreateString(t->cost.note) : cJSON_CreateNull());
    if (*t->cost.note)
        text_printf(&r->foot, "%s\n", t->cost.note);
    if (!t->cost.known || !x->pairs)
        return;
    cJSON_AddStringToObject(json, "text", latency_report_text(x, text));
    const struct {
        const char *key;
        double value;
    } numbers[] = {{"seconds", x->seconds},
                   {"plans", x->plans},
                   {"pairs", x->pairs},
                   {"passes", x->passes},
                   {"runs", x->runs},
                   {"disturbed_runs", x->disturbed},
                   {"counted_runs", x->counted},
                   {"repeated_turns", x->repeated},
                   {"unsteady_turns", x->unsteady},
                   {"clock_low_ghz", x->clock_low_ghz},
                   {"clock_high_ghz", x->clock_high_ghz}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        cJSON_AddNumberToObject(json, numbers[i].key, numbers[i].value);
    report_number(json, "core", x->core < 0 ? NAN : x->core);
    if (always || x->counted)
        text_printf(&r->foot, "latency table: %s\n", latency_report_text(x, text));
}

void metrics_put_notes(const struct graph *g, const struct run_result *run, struct text *out)
{
    for (int i = 0; i < run->n_layers; i++) {
        const struct run_layer *l = &run->layers[i];
        char requested[16], applied[16];
        if (precision_equal(&l->requested, &l->applied) && !l->note[0])
            continue;
        text_printf(out, "%s: %s was asked for, %s ran%s%s\n", g->layers[i].name,
                    precision_text(&l->requested, requested), precision_text(&l->applied, applied),
                    l->note[0] ? ": " : "", l->note);
    }
}
