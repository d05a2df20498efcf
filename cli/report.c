/* SPDX-License-Identifier: MIT */
#include "cli/report.h"

#include <assert.h>
#include <errno.h>
#include <langinfo.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

/* --- messages ----------------------------------------------------------------------------------------------------- */

/* One line whatever the text holds: names come from files. */
static void say(const char *s)
{
    struct text line = {0};
    text_put(&line, "bitfader: ");
    for (; *s; s++) {
        char c = (unsigned char)*s < ' ' || *s == 127 ? ' ' : *s;
        text_put_n(&line, &c, 1);
    }
    text_put(&line, "\n");
    fputs(line.s, stderr);
    text_done(&line);
}

int report_fail(int status, const struct err *e)
{
    say(e->text);
    return status;
}

int report_usage(const char *format, ...)
{
    struct err e;
    va_list ap;
    va_start(ap, format);
    vsnprintf(e.text, sizeof e.text, format, ap);
    va_end(ap);
    return report_fail(EXIT_USAGE, &e);
}

void report_note(const struct options *o, const char *format, ...)
{
    if (o->quiet)
        return;
    char s[768];
    va_list ap;
    va_start(ap, format);
    vsnprintf(s, sizeof s, format, ap);
    va_end(ap);
    say(s);
}

enum glyph_level report_glyphs(const struct options *o)
{
    if (o->ui.glyphs != GLYPHS_AUTO)
        return o->ui.glyphs;
    return strcmp(nl_langinfo(CODESET), "UTF-8") ? GLYPHS_ASCII : GLYPHS_BRAILLE;
}

/* --- output ------------------------------------------------------------------------------------------------------- */

static int cannot_write(const char *what, int error)
{
    struct err e;
    err_set(&e, "cannot write to %s: %s", what, strerror(error));
    return report_fail(EXIT_FAILED, &e);
}

int report_put(const char *path, const char *s, size_t n)
{
    struct err e;
    if (path && strcmp(path, "-"))
        return file_write(path, s, n, false, &e) ? report_fail(EXIT_FAILED, &e) : EXIT_DONE;
    errno = 0;
    if (fwrite(s, 1, n, stdout) != n || fflush(stdout))
        return cannot_write("standard output", errno);
    return EXIT_DONE;
}

int report_check_output(const struct options *o, const char *path)
{
    struct stat st;
    if (!path || !strcmp(path, "-") || o->force || stat(path, &st))
        return EXIT_DONE;
    if (!S_ISREG(st.st_mode)) /* a terminal or a pipe is not lost by writing to it */
        return EXIT_DONE;
    return report_usage("%s: is there already; -f replaces it", path);
}

/* Cells across of the terminal that standard output is; 0 when it is none: then nothing is left out. */
static int output_width(const struct options *o)
{
    const char *columns = getenv("COLUMNS");
    if (o->output || !isatty(STDOUT_FILENO))
        return 0;
    if (columns && atoi(columns) > 0)
        return atoi(columns);
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) ? 0 : size.ws_col;
}

/* --- the report --------------------------------------------------------------------------------------------------- */

void report_init(struct report *r, const char *name, const char *file, const char *fingerprint)
{
    *r = (struct report){.json = cJSON_CreateObject()};
    char schema[64];
    snprintf(schema, sizeof schema, "bitfader/%s/1", name);
    cJSON_AddStringToObject(r->json, "schema", schema);
    if (!file)
        return;
    cJSON *model = cJSON_AddObjectToObject(r->json, "model");
    cJSON_AddStringToObject(model, "file", file);
    cJSON_AddStringToObject(model, "fingerprint", fingerprint);
}

void report_done(struct report *r)
{
    cJSON_Delete(r->json);
    text_done(&r->head);
    text_done(&r->foot);
    for (int i = 0; i < r->n_tables; i++)
        table_free(r->tables[i]);
    *r = (struct report){0};
}

void report_add(struct report *r, struct table *t, unsigned flags)
{
    assert(r->n_tables < REPORT_TABLES);
    r->flags[r->n_tables] = flags;
    r->tables[r->n_tables++] = t;
}

void report_number(cJSON *object, const char *key, double v)
{
    if (isfinite(v))
        cJSON_AddNumberToObject(object, key, v);
    else
        cJSON_AddNullToObject(object, key);
}

/* The table that --table names, the first one otherwise; -1 with a message. */
static int find_table(const struct report *r, const struct options *o, struct err *e)
{
    if (!o->table)
        return 0;
    struct text all = {0};
    for (int i = 0; i < r->n_tables; i++) {
        if (!strcmp(table_name(r->tables[i]), o->table)) {
            text_done(&all);
            return i;
        }
        text_printf(&all, "%s%s", i ? ", " : "", table_name(r->tables[i]));
    }
    err_set(e, "--table: '%s' is none of %s", o->table, all.s);
    text_done(&all);
    return -1;
}

/* --sort orders the tables that have the column; one of them must. */
static int sort_tables(struct report *r, const char *by, struct err *e)
{
    int sorted = 0;
    for (int i = r->n_tables - 1; i >= 0; i--)
        sorted += !table_sort(r->tables[i], by, e);
    return sorted ? 0 : err_wrap(e, "--sort");
}

/* Line by line, since mapping takes control characters away. */
static void put_lines(struct text *out, enum glyph_level level, const char *s)
{
    while (s && *s) {
        size_t n = strcspn(s, "\n");
        char *line = mem_printf("%.*s", (int)n, s);
        table_put_mapped(out, level, line);
        mem_free(line);
        text_put(out, "\n");
        s += n + (s[n] == '\n');
    }
}

static void put_human(const struct report *r, const struct options *o, const int *gone, struct text *out)
{
    enum glyph_level level = report_glyphs(o);
    int width = output_width(o);
    put_lines(out, level, r->head.s);
    bool first = true;
    for (int i = 0; i < r->n_tables; i++) {
        bool named = o->table && !strcmp(o->table, table_name(r->tables[i]));
        if (o->table ? !named : (r->flags[i] & REPORT_QUIET) != 0)
            continue;
        text_put(out, first ? "" : "\n");
        table_put_human(r->tables[i], level, width, out);
        if (gone[i])
            text_printf(out, "%d more row%s; -n 0 prints all\n", gone[i], gone[i] == 1 ? "" : "s");
        first = false;
    }
    put_lines(out, level, r->foot.s);
}

/* Readers of JSON take either of two members of one name. */
static bool names_differ(const cJSON *object)
{
    for (const cJSON *a = object->child; a; a = a->next) {
        for (const cJSON *b = a->next; b && a->string; b = b->next)
            if (!strcmp(a->string, b->string))
                return false;
        if (!names_differ(a))
            return false;
    }
    return true;
}

/* Before rows are added, whose names are columns. */
static bool tables_differ(const struct report *r)
{
    for (int i = 0; i < r->n_tables; i++) {
        if (cJSON_HasObjectItem(r->json, table_name(r->tables[i])))
            return false;
        for (int k = 0; k < i; k++)
            if (!strcmp(table_name(r->tables[i]), table_name(r->tables[k])))
                return false;
    }
    return names_differ(r->json);
}

static void put_json(struct report *r, struct text *out)
{
    for (int i = 0; i < r->n_tables; i++)
        cJSON_AddItemToObject(r->json, table_name(r->tables[i]), table_json(r->tables[i]));
    char *s = cJSON_Print(r->json);
    text_put(out, s);
    text_put(out, "\n");
    cJSON_free(s);
}

int report_write(struct report *r, const struct options *o)
{
    struct err e;
    int gone[REPORT_TABLES] = {0};
    assert(tables_differ(r)); /* in every form: whoever adds a name sees it at once */
    int at = r->n_tables ? find_table(r, o, &e) : 0;
    if (at < 0 || (o->sort && sort_tables(r, o->sort, &e)))
        return report_fail(EXIT_USAGE, &e);
    for (int i = 0; i < r->n_tables && o->limit; i++)
        gone[i] = r->flags[i] & REPORT_LIST ? table_limit(r->tables[i], o->limit) : 0;
    struct text out = {0};
    if (o->form == FORM_JSON)
        put_json(r, &out);
    else if (o->form == FORM_HUMAN)
        put_human(r, o, gone, &out);
    else if (o->form == FORM_CSV)
        table_put_csv(r->tables[at], &out);
    else
        table_put_plain(r->tables[at], &out);
    int status = report_put(o->output, out.s, out.n);
    text_done(&out);
    return status;
}
