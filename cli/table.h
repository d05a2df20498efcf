/* SPDX-License-Identifier: MIT
 *
 * A table of results, filled row by row and written in four forms: aligned for people, tab-separated, CSV (RFC 4180)
 * and JSON. Machine forms have every value in full, the unit in the column's key, and keep unknown values empty (null);
 * people get rounded
 * numbers and a dot.
 *
 * Not here: where it is written to (report.h).
 */
#ifndef BITFADER_CLI_TABLE_H
#define BITFADER_CLI_TABLE_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/text.h"
#include "ui/glyphs.h"

enum column_kind { COLUMN_TEXT, COLUMN_NUMBER, COLUMN_BOOL };
enum column_reader { READER_ALL, READER_HUMAN, READER_MACHINE };

struct column {
    const char *key;  /* snake_case, with its unit: "latency_us" */
    const char *head; /* for people; NULL: the key */
    enum column_kind kind;
    enum column_reader reader;
    int decimals; /* for people */
    double scale; /* people see value * scale; 0 is 1 */
    bool group;   /* thousands are set apart: 272,474 */
    bool hide;    /* people do not see it while nothing in it is known */
    bool list;    /* a text of items with tabs between them: an array in JSON, commas elsewhere */
    int drop;     /* where a terminal is too narrow the highest goes first; 0 stays */
};

struct table; /* opaque: rows */

/* The texts of columns outlive the table. */
struct table *table_new(const char *name, const struct column *columns, int n_columns);
void table_free(struct table *t);
const char *table_name(const struct table *t);

/* The next cell of the current row; a row ends by itself when it is full. NULL text is none, NAN is unknown. */
void table_add_text(struct table *t, const char *s);
void table_add_number(struct table *t, double v);
void table_add_bool(struct table *t, bool v);
__attribute__((format(printf, 2, 3))) void table_add_format(struct table *t, const char *format, ...);

/* Sorts by "key", "head", either with ":desc"; unknown values last; stable. -1 and the names when there is none such.
 */
int table_sort(struct table *t, const char *by, struct err *e);
/* Keeps the first n rows; returns how many went. */
int table_limit(struct table *t, int n);

/* For people, at most width cells where columns may drop (0: no limit). */
void table_put_human(const struct table *t, enum glyph_level level, int width, struct text *out);
void table_put_plain(const struct table *t, struct text *out);
void table_put_csv(const struct table *t, struct text *out);
cJSON *table_json(const struct table *t); /* an array of objects; the caller owns it */

/* Text mapped to what the level can show, control characters included; appended. */
void table_put_mapped(struct text *out, enum glyph_level level, const char *s);

#endif
