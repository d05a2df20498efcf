/* SPDX-License-Identifier: MIT
 *
 * What a comparison with fp32 on the same images says: scores where there are labels, and each output's distance.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "cli/metrics.h"
#include "ui/format.h"

static const struct column score_columns[] = {
    {"metric", "score", COLUMN_TEXT},
    {"measured_text", "measured", COLUMN_TEXT, READER_HUMAN},
    {"fp32_text", "fp32", COLUMN_TEXT, READER_HUMAN},
    {"change_text", "vs fp32", COLUMN_TEXT, READER_HUMAN},
    {"unit", NULL, COLUMN_TEXT, READER_MACHINE},
    {"measured", NULL, COLUMN_NUMBER, READER_MACHINE},
    {"fp32", NULL, COLUMN_NUMBER, READER_MACHINE},
};

static void add_score(struct table *t, const char *name, const char *unit, const char *change_unit, int decimals,
                      double measured, double fp32)
{
    char number[24];
    const char *short_unit = change_unit[0] == 'p' ? "%" : unit;
    table_add_text(t, name);
    if (isfinite(measured) && isfinite(fp32)) {
        table_add_format(t, "%s %s", format_number(number, measured, decimals), short_unit);
        table_add_format(t, "%s %s", format_number(number, fp32, decimals), short_unit);
        table_add_format(t, "%s %s", format_signed(number, measured - fp32, decimals), change_unit);
    } else {
        table_add_text(t, "n/a");
        table_add_text(t, "n/a");
        table_add_text(t, NULL);
    }
    table_add_text(t, unit);
    table_add_number(t, measured);
    table_add_number(t, fp32);
}

struct table *metrics_scores(const struct comparison *c)
{
    struct table *t = table_new("scores", score_columns, sizeof score_columns / sizeof *score_columns);
    bool known = c->labelled && c->images, five = known && c->classes >= 5;
    double each = known ? 100.0 / c->images : NAN;
    add_score(t, "top-1", "percent", "pp", 2, each * c->plan.right, each * c->fp32.right);
    add_score(t, "top-5", "percent", "pp", 2, five ? each * c->plan.right5 : NAN, five ? each * c->fp32.right5 : NAN);
    add_score(t, "cross-entropy", "nats", "nats", 4, known ? c->plan.cross_entropy : NAN,
              known ? c->fp32.cross_entropy : NAN);
    return t;
}

static const struct column output_columns[] = {
    {"index", "#", COLUMN_NUMBER, .drop = 2},
    {"output", NULL, COLUMN_TEXT},
    {"type", NULL, COLUMN_TEXT, .drop = 3},
    {"shape", NULL, COLUMN_TEXT, .drop = 1},
    {"cosine", NULL, COLUMN_NUMBER, .decimals = 6},
    {"sqnr_db", "SQNR dB", COLUMN_NUMBER, .decimals = 1},
    {"kl_nats", "KL nats", COLUMN_NUMBER, .decimals = 6},
    {"max_error_text", "max error", COLUMN_TEXT, READER_HUMAN},
    {"max_error", NULL, COLUMN_NUMBER, READER_MACHINE},
    {"equal", NULL, COLUMN_BOOL, READER_MACHINE},
    {"not_finite", NULL, COLUMN_NUMBER, READER_MACHINE},
};

struct table *metrics_outputs(const struct graph *g, const struct comparison *c, struct text *notes)
{
    struct table *t = table_new("outputs", output_columns, sizeof output_columns / sizeof *output_columns);
    for (int k = 0; c->images && k < c->n_outputs; k++) {
        const struct output_error *x = &c->outputs[k];
        const struct tensor *output = &g->tensors[g->outputs[k]];
        char shape[SHAPE_TEXT];
        bool equal = x->max_error == 0 && !x->not_finite;
        table_add_number(t, k);
        table_add_text(t, output->name);
        table_add_text(t, dtype_name(output->type));
        shape[0] = '\0';
        table_add_text(t, shape_text(&output->shape, shape, sizeof shape));
        table_add_number(t, x->cosine);
        table_add_number(t, x->sqnr_db);
        table_add_number(t, x->kl);
        if (isnan(x->max_error))
            table_add_text(t, NULL);
        else
            table_add_format(t, "%.3g", x->max_error);
        table_add_number(t, x->max_error);
        table_add_bool(t, equal);
        table_add_number(t, (double)x->not_finite);
        if (x->not_finite)
            text_printf(notes, "output %s: %" PRId64 " values that are not finite are left out\n", output->name,
                        x->not_finite);
    }
    return t;
}
