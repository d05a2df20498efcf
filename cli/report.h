/* SPDX-License-Identifier: MIT
 *
 * What a subcommand has to say, built once and written in the form that was asked for: tables, lines before and after
 * them for people, members beside them for JSON. Also the messages on standard error.
 *
 * JSON: one object {"schema": "bitfader/NAME/1", ..., TABLE: [...]}, snake_case, units in names, null for unknown.
 * No member has the name of another, or of a table.
 * CSV and plain: one table, the first unless --table names another.
 */
#ifndef BITFADER_CLI_REPORT_H
#define BITFADER_CLI_REPORT_H

#include <cjson/cJSON.h>

#include "base/err.h"
#include "cli/options.h"
#include "cli/table.h"

enum exit_status {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_MODEL = 3,
    EXIT_FILE = 4,
    EXIT_BUDGET = 5,
    EXIT_SIGNAL = 128 /* and the signal's number */
};

enum { REPORT_TABLES = 6 };

enum report_flag {
    REPORT_QUIET = 1, /* people see the table only when --table names it */
    REPORT_LIST = 2   /* --limit cuts it */
};

struct report {
    cJSON *json;            /* members stand in the order they are added in; tables follow */
    struct text head, foot; /* for people, UTF-8 */
    struct table *tables[REPORT_TABLES];
    unsigned flags[REPORT_TABLES];
    int n_tables;
};

/* name: "inspect". file and fingerprint of the model, or NULL. */
void report_init(struct report *r, const char *name, const char *file, const char *fingerprint);
void report_done(struct report *r);

/* Takes the table over. */
void report_add(struct report *r, struct table *t, unsigned flags);

/* A number as a JSON member, null when it is not finite. */
void report_number(cJSON *object, const char *key, double v);

/* Applies --sort to every table that knows the column, --limit to every list, and writes to -o or standard output.
 * Returns an exit status: 0, 1 when it could not be written, 2 when --table or --sort name nothing. */
int report_write(struct report *r, const struct options *o);

/* Bytes to standard output, or to path, whole or not at all. Returns an exit status. */
int report_put(const char *path, const char *s, size_t n);

/* Fails with status 2 when path exists and -f was not given: before slow work, not after it. NULL and "-" are fine. */
int report_check_output(const struct options *o, const char *path);

/* "bitfader: ..." and one end of line on standard error. The note is silent under -q. report_fail returns status. */
int report_fail(int status, const struct err *e);
int report_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
void report_note(const struct options *o, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What this locale and --glyphs allow: GLYPHS_ASCII or a richer level, never auto. */
enum glyph_level report_glyphs(const struct options *o);

#endif
