/* SPDX-License-Identifier: MIT
 *
 * Filter expressions: words that a row must all satisfy. "conv" (in the name or kind), "op:dw", "w<4", "a=8",
 * "sens>0.2", "size%>5", "marked", "locked", "muted", and "!" before any of them. The same language selects rows for
 * ":set SETTING where EXPR", where "and" may stand between the words.
 */
#ifndef BITFADER_UI_FILTER_H
#define BITFADER_UI_FILTER_H

#include <stdbool.h>

#include "base/err.h"

enum filter_field { /* what is compared with a number */
                    FILTER_NUMBER,
                    FILTER_W, /* bits, 32 for fp32 */
                    FILTER_A,
                    FILTER_SENS,    /* accuracy lost when this layer alone has its weight bits, points */
                    FILTER_DROP,    /* its share of the estimated drop, points */
                    FILTER_SQNR,    /* dB */
                    FILTER_LATENCY, /* percent of the whole */
                    FILTER_SIZE,    /* percent of the whole */
                    FILTER_PARAMS,
                    FILTER_MACS,
                    FILTER_FIELD_COUNT
};

/* What a row is, as far as filters see it. NAN where unknown: no comparison holds then. */
struct filter_row {
    const char *name, *kind;
    const char *const *aliases; /* other names, NULL after the last; NULL: none */
    bool marked, locked, muted;
    double value[FILTER_FIELD_COUNT];
};

struct filter;

/* Parses; NULL and a message with the word that is wrong. An empty expression matches every row. */
struct filter *filter_parse(const char *expression, struct err *e);
void filter_free(struct filter *f);
bool filter_match(const struct filter *f, const struct filter_row *row); /* NULL matches every row */
/* True when the expression compares this field, which may be costly to know. */
bool filter_needs(const struct filter *f, enum filter_field field);

#endif
