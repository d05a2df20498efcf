/* SPDX-License-Identifier: MIT */
#include "tests/tally.h"

#include <stdlib.h>
#include <string.h>

static struct tally_row *find_row(struct tally *t, const char *name)
{
    int i = 0;
    while (i < t->n_rows && strcmp(t->rows[i].name, name))
        i++;
    if (i == t->n_rows && t->n_rows < TALLY_ROWS)
        snprintf(t->rows[t->n_rows++].name, sizeof t->rows[0].name, "%s", name);
    return &t->rows[i < TALLY_ROWS ? i : TALLY_ROWS - 1];
}

/* What is said behind the file and the node. */
static const char *short_reason(const char *why)
{
    const char *node = strstr(why, "\": ");
    if (node)
        return node + 3;
    const char *file = *why == '/' ? strstr(why, ": ") : NULL;
    return file ? file + 2 : why;
}

static void add_reason(struct tally_row *row, const char *why)
{
    char text[sizeof row->reasons[0]];
    snprintf(text, sizeof text, "%s", short_reason(why));
    for (int i = 0; i < row->n_reasons; i++)
        if (!strcmp(row->reasons[i], text))
            return;
    if (row->n_reasons < TALLY_REASONS)
        memcpy(row->reasons[row->n_reasons++], text, sizeof text);
}

void tally_add(struct tally *t, const struct onnx_model *m, enum outcome outcome, const char *why)
{
    struct tally_row *row = find_row(t, m->n_nodes == 1 ? m->nodes[0].op_type : m->n_nodes ? "(several)" : "(unread)");
    t->count[outcome]++;
    row->count[outcome]++;
    if (outcome != CASE_PASSED)
        add_reason(row, why);
}

static int compare_rows(const void *a, const void *b)
{
    return strcmp(((const struct tally_row *)a)->name, ((const struct tally_row *)b)->name);
}

void tally_print(const struct tally *t, FILE *to)
{
    struct tally_row *rows = mem_new((size_t)t->n_rows + 1, sizeof *rows);
    memcpy(rows, t->rows, (size_t)t->n_rows * sizeof *rows);
    qsort(rows, (size_t)t->n_rows, sizeof *rows, compare_rows);
    fprintf(to, "%-26s %6s %6s %7s  %s\n", "operator", "passed", "failed", "skipped", "why");
    for (int i = 0; i < t->n_rows; i++) {
        fprintf(to, "%-26s %6d %6d %7d  ", rows[i].name, rows[i].count[CASE_PASSED], rows[i].count[CASE_FAILED],
                rows[i].count[CASE_SKIPPED]);
        for (int k = 0; k < rows[i].n_reasons; k++)
            fprintf(to, "%s%s", k ? "; " : "", rows[i].reasons[k]);
        fputc('\n', to);
    }
    mem_free(rows);
}
