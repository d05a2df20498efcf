/* SPDX-License-Identifier: MIT */
#include "cli/table.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/mem.h"
#include "ui/format.h"

struct value {
    const char *text; /* NULL: unknown */
    double number;    /* also 0 and 1 of a truth value */
};

struct table {
    const char *name;
    const struct column *columns;
    int n_columns, n_rows, n_values, cap_values;
    struct value *values; /* [n_rows][n_columns], and the row that is being filled */
    struct arena arena;
};

struct table *table_new(const char *name, const struct column *columns, int n_columns)
{
    struct table *t = mem_new(1, sizeof *t);
    t->name = name;
    struct column *own = arena_new(&t->arena, (size_t)n_columns, sizeof *own);
    memcpy(own, columns, (size_t)n_columns * sizeof *own);
    t->columns = own;
    t->n_columns = n_columns;
    return t;
}

void table_free(struct table *t)
{
    if (!t)
        return;
    mem_free(t->values);
    arena_done(&t->arena);
    mem_free(t);
}

const char *table_name(const struct table *t)
{
    return t->name;
}

/* --- filling ------------------------------------------------------------------------------------------------------ */

static struct value *add(struct table *t, enum column_kind kind)
{
    int column = t->n_values % t->n_columns;
    assert(t->columns[column].kind == kind);
    (void)kind;
    if (t->n_values == t->cap_values) {
        int cap = t->cap_values ? 2 * t->cap_values : 16 * t->n_columns;
        t->values = mem_resize(t->values, (size_t)t->n_values, (size_t)cap, sizeof *t->values);
        t->cap_values = cap;
    }
    struct value *v = &t->values[t->n_values++];
    t->n_rows = t->n_values / t->n_columns;
    return v;
}

void table_add_text(struct table *t, const char *s)
{
    add(t, COLUMN_TEXT)->text = s ? arena_strdup(&t->arena, s) : NULL;
}

void table_add_number(struct table *t, double v)
{
    add(t, COLUMN_NUMBER)->number = v;
}

void table_add_bool(struct table *t, bool v)
{
    add(t, COLUMN_BOOL)->number = v;
}

void table_add_format(struct table *t, const char *format, ...)
{
    char s[256];
    va_list ap;
    va_start(ap, format);
    vsnprintf(s, sizeof s, format, ap);
    va_end(ap);
    table_add_text(t, s);
}

/* --- order -------------------------------------------------------------------------------------------------------- */

struct order { /* what qsort_r carries: the column, and a direction */
    const struct column *column;
    int index, sign, n_columns;
};

static bool is_unknown(const struct column *c, const struct value *v)
{
    return c->kind == COLUMN_TEXT ? !v->text : isnan(v->number);
}

/* Rows are arrays of values whose last, extra value holds the old position, which keeps the sort stable. */
static int compare_rows(const void *a, const void *b, void *ctx)
{
    const struct order *o = ctx;
    const struct value *x = a, *y = b;
    const struct value *p = &x[o->index], *q = &y[o->index];
    bool no_p = is_unknown(o->column, p), no_q = is_unknown(o->column, q);
    int r = 0;
    if (no_p || no_q)
        r = no_p - no_q;
    else if (o->column->kind == COLUMN_TEXT)
        r = o->sign * strcmp(p->text, q->text);
    else
        r = o->sign * ((p->number > q->number) - (p->number < q->number));
    return r ? r : x[o->n_columns].number < y[o->n_columns].number ? -1 : 1;
}

static int find_column(const struct table *t, const char *name, size_t n, struct err *e)
{
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < t->n_columns; i++) {
            const char *s = pass ? t->columns[i].head : t->columns[i].key;
            if (s && strlen(s) == n && !strncasecmp(s, name, n))
                return i;
        }
    }
    struct text all = {0};
    for (int i = 0; i < t->n_columns; i++)
        text_printf(&all, "%s%s", i ? ", " : "", t->columns[i].key);
    err_set(e, "table %s has no column '%.*s'; it has %s", t->name, (int)n, name, all.s);
    text_done(&all);
    return -1;
}

int table_sort(struct table *t, const char *by, struct err *e)
{
    size_t n = strcspn(by, ":");
    bool descending = !strcmp(by + n, ":desc");
    if (by[n] && !descending && strcmp(by + n, ":asc"))
        return err_set(e, "'%s': after the column stands :asc or :desc", by);
    int column = find_column(t, by, n, e);
    if (column < 0)
        return -1;
    size_t wide = (size_t)t->n_columns + 1, row_size = wide * sizeof(struct value);
    struct value *rows = mem_new((size_t)t->n_rows + 1, row_size);
    for (int r = 0; r < t->n_rows; r++) {
        memcpy(rows + (size_t)r * wide, t->values + r * t->n_columns, row_size - sizeof(struct value));
        rows[(size_t)r * wide + wide - 1].number = r;
    }
    struct order order = {&t->columns[column], column, descending ? -1 : 1, t->n_columns};
    qsort_r(rows, (size_t)t->n_rows, row_size, compare_rows, &order);
    for (int r = 0; r < t->n_rows; r++)
        memcpy(t->values + r * t->n_columns, rows + (size_t)r * wide, row_size - sizeof(struct value));
    mem_free(rows);
    return 0;
}

int table_limit(struct table *t, int n)
{
    int gone = t->n_rows > n ? t->n_rows - n : 0;
    t->n_rows -= gone;
    t->n_values = t->n_rows * t->n_columns;
    return gone;
}

/* --- for people --------------------------------------------------------------------------------------------------- */

void table_put_mapped(struct text *out, enum glyph_level level, const char *s)
{
    while (*s) {
        uint32_t code;
        char utf8[5];
        s += format_next(s, &code);
        format_utf8(glyph_map(level, code), utf8);
        text_put(out, utf8);
    }
}

/* 272474 as "272,474". */
static void put_grouped(struct text *out, double v)
{
    char digits[32];
    snprintf(digits, sizeof digits, "%.0f", v);
    size_t n = strlen(digits);
    for (size_t i = 0; i < n; i++) {
        text_put_n(out, &digits[i], 1);
        if ((n - 1 - i) % 3 == 0 && i + 1 < n && digits[i] != '-')
            text_put(out, ",");
    }
}

/* The cell as people read it, in what the level can show. */
static void put_human_value(struct text *out, enum glyph_level level, const struct column *c, const struct value *v)
{
    double scale = c->scale != 0 ? c->scale : 1;
    if (c->kind == COLUMN_TEXT) {
        table_put_mapped(out, level, v->text ? v->text : "");
    } else if (is_unknown(c, v)) {
        table_put_mapped(out, level, G_DOT);
    } else if (c->kind == COLUMN_BOOL) {
        text_put(out, v->number != 0 ? "yes" : "no");
    } else if (c->group) {
        put_grouped(out, v->number * scale);
    } else {
        char number[24];
        format_number(number, v->number * scale, c->decimals);
        table_put_mapped(out, level, *number == '-' ? G_MINUS : "");
        table_put_mapped(out, level, number + (*number == '-'));
    }
}

/* Whether people see the column at all. */
static bool is_seen(const struct table *t, int column)
{
    const struct column *c = &t->columns[column];
    if (c->reader == READER_MACHINE || !c->hide)
        return c->reader != READER_MACHINE;
    for (int r = 0; r < t->n_rows; r++)
        if (!is_unknown(c, &t->values[r * t->n_columns + column]))
            return true;
    return false;
}

/* Widths of the columns, 0 for those that people do not see or that had to go. */
static void measure_columns(const struct table *t, enum glyph_level level, int width, int *widths)
{
    struct text cell = {0};
    for (int i = 0; i < t->n_columns; i++) {
        const struct column *c = &t->columns[i];
        bool seen = is_seen(t, i);
        widths[i] = 0;
        if (!seen)
            continue;
        widths[i] = format_cells(c->head ? c->head : c->key);
        for (int r = 0; r < t->n_rows; r++) {
            cell.n = 0;
            text_put(&cell, "");
            put_human_value(&cell, level, c, &t->values[r * t->n_columns + i]);
            if (format_cells(cell.s) > widths[i])
                widths[i] = format_cells(cell.s);
        }
        if (!widths[i])
            widths[i] = 1; /* a column without a head and without text still is one */
    }
    text_done(&cell);
    for (;;) {
        int total = -2, worst = -1;
        for (int i = 0; i < t->n_columns; i++) {
            total += widths[i] ? widths[i] + 2 : 0;
            if (widths[i] && t->columns[i].drop && (worst < 0 || t->columns[i].drop > t->columns[worst].drop))
                worst = i;
        }
        if (!width || total <= width || worst < 0)
            return;
        widths[worst] = 0;
    }
}

static void put_blanks(struct text *out, int n)
{
    for (; n > 0; n--)
        text_put(out, " ");
}

/* One aligned cell; first says that no column stands before it. Blanks at the end of a line are taken away later. */
static void put_aligned(struct text *out, const struct column *c, int width, bool first, const char *s)
{
    int pad = width - format_cells(s);
    put_blanks(out, (first ? 0 : 2) + (c->kind == COLUMN_NUMBER ? pad : 0));
    text_put(out, s);
    put_blanks(out, c->kind == COLUMN_NUMBER ? 0 : pad);
}

static void end_line(struct text *out)
{
    while (out->n && out->s[out->n - 1] == ' ')
        out->s[--out->n] = '\0';
    text_put(out, "\n");
}

void table_put_human(const struct table *t, enum glyph_level level, int width, struct text *out)
{
    int *widths = mem_new((size_t)t->n_columns, sizeof *widths);
    measure_columns(t, level, width, widths);
    struct text cell = {0};
    for (int r = -2; r < t->n_rows; r++) { /* -2: the heads, -1: a rule under them */
        bool first = true;
        for (int i = 0; i < t->n_columns; i++) {
            const struct column *c = &t->columns[i];
            if (!widths[i])
                continue;
            cell.n = 0;
            text_put(&cell, "");
            if (r == -2)
                table_put_mapped(&cell, level, c->head ? c->head : c->key);
            for (int k = 0; r == -1 && k < widths[i]; k++)
                table_put_mapped(&cell, level, G_RULE);
            if (r >= 0)
                put_human_value(&cell, level, c, &t->values[r * t->n_columns + i]);
            put_aligned(out, c, widths[i], first, cell.s);
            first = false;
        }
        end_line(out);
    }
    text_done(&cell);
    mem_free(widths);
}

/* --- for programs ------------------------------------------------------------------------------------------------- */

/* The shortest decimal that reads back as v. */
static void put_number(struct text *out, double v)
{
    char s[32];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(s, sizeof s, "%.*g", digits, v);
        if (strtod(s, NULL) == v)
            break;
    }
    text_put(out, s);
}

static void put_machine_value(struct text *out, const struct column *c, const struct value *v)
{
    if (is_unknown(c, v) || (c->kind == COLUMN_NUMBER && isinf(v->number)))
        return;
    if (c->list)
        for (const char *s = v->text; *s; s++)
            text_put(out, *s == '\t' ? ", " : (char[]){*s, '\0'});
    else if (c->kind == COLUMN_TEXT)
        text_put(out, v->text);
    else if (c->kind == COLUMN_BOOL)
        text_put(out, v->number != 0 ? "true" : "false");
    else
        put_number(out, v->number);
}

/* Tabs and ends of lines inside of a text would be read as ours. */
static void put_plain_field(struct text *out, const char *s)
{
    for (; *s; s++) {
        char c = (unsigned char)*s < ' ' || *s == 127 ? ' ' : *s;
        text_put_n(out, &c, 1);
    }
}

static void put_csv_field(struct text *out, const char *s)
{
    if (!strpbrk(s, ",\"\r\n")) {
        text_put(out, s);
        return;
    }
    text_put(out, "\"");
    for (; *s; s++)
        text_put(out, *s == '"' ? "\"\"" : (char[]){*s, '\0'});
    text_put(out, "\"");
}

static void put_separated(const struct table *t, struct text *out, const char *separator, const char *end,
                          void (*put)(struct text *, const char *))
{
    struct text cell = {0};
    for (int r = -1; r < t->n_rows; r++) { /* -1: the keys */
        bool first = true;
        for (int i = 0; i < t->n_columns; i++) {
            if (t->columns[i].reader == READER_HUMAN)
                continue;
            cell.n = 0;
            text_put(&cell, r < 0 ? t->columns[i].key : "");
            if (r >= 0)
                put_machine_value(&cell, &t->columns[i], &t->values[r * t->n_columns + i]);
            text_put(out, first ? "" : separator);
            put(out, cell.s);
            first = false;
        }
        text_put(out, end);
    }
    text_done(&cell);
}

void table_put_plain(const struct table *t, struct text *out)
{
    put_separated(t, out, "\t", "\n", put_plain_field);
}

void table_put_csv(const struct table *t, struct text *out)
{
    put_separated(t, out, ",", "\r\n", put_csv_field);
}

static cJSON *list_json(const char *items)
{
    cJSON *list = cJSON_CreateArray();
    while (*items) {
        char *item = mem_printf("%.*s", (int)strcspn(items, "\t"), items);
        cJSON_AddItemToArray(list, cJSON_CreateString(item));
        items += strlen(item);
        items += *items == '\t';
        mem_free(item);
    }
    return list;
}

cJSON *table_json(const struct table *t)
{
    cJSON *rows = cJSON_CreateArray();
    for (int r = 0; r < t->n_rows; r++) {
        cJSON *row = cJSON_CreateObject();
        for (int i = 0; i < t->n_columns; i++) {
            const struct column *c = &t->columns[i];
            const struct value *v = &t->values[r * t->n_columns + i];
            if (c->reader == READER_HUMAN)
                continue;
            if (is_unknown(c, v) || (c->kind == COLUMN_NUMBER && isinf(v->number)))
                cJSON_AddNullToObject(row, c->key);
            else if (c->list)
                cJSON_AddItemToObject(row, c->key, list_json(v->text));
            else if (c->kind == COLUMN_TEXT)
                cJSON_AddStringToObject(row, c->key, v->text);
            else if (c->kind == COLUMN_BOOL)
                cJSON_AddBoolToObject(row, c->key, v->number != 0);
            else
                cJSON_AddNumberToObject(row, c->key, v->number);
        }
        cJSON_AddItemToArray(rows, row);
    }
    return rows;
}
