/* SPDX-License-Identifier: MIT */
#include "bench/report.h"

#include <math.h>
#include <stdio.h>

static struct {
    int rows, met, absent, errors; /* with a target */
    int lines, lines_met, lines_absent;
    int line_rows, line_met, line_absent; /* of the line that is being printed */
} table;

static void close_line(void)
{
    if (table.line_rows) {
        table.lines++;
        table.lines_met += table.line_met == table.line_rows;
        table.lines_absent += table.line_met < table.line_rows && table.line_met + table.line_absent == table.line_rows;
        printf("  %d of %d met\n", table.line_met, table.line_rows);
    }
    table.line_rows = table.line_met = table.line_absent = 0;
}

void report_line(const char *title)
{
    close_line();
    printf("\n%s\n", title);
    fflush(stdout);
}

static void count(bool met, bool absent)
{
    table.rows++;
    table.met += met;
    table.absent += absent;
    table.line_rows++;
    table.line_met += met;
    table.line_absent += absent;
}

void report_print(const struct report_row *r)
{
    bool absent = isnan(r->ratio), met = !absent && r->ratio >= r->target && !r->short_of;
    printf("  %-30s %-36s %-56s", r->work, r->ours, r->peer);
    if (absent)
        printf("%8s", "-");
    else
        printf("%7.2fx", r->ratio);
    if (r->target > 0) {
        printf("%7.2fx  %s", r->target, absent ? "absent" : met ? "met" : "short");
        count(met, absent);
    }
    printf("\n");
    fflush(stdout);
}

void report_error(const char *work, const char *message)
{
    printf("  %-30s error: %s\n", work, message);
    table.errors++;
    count(false, false);
}

bool report_failed(void)
{
    return table.errors > 0;
}

void report_summary(void)
{
    close_line();
    printf("\n%d of %d rows are met", table.met, table.rows);
    if (table.absent)
        printf(", %d lack their peer", table.absent);
    if (table.errors)
        printf(", %d are errors", table.errors);
    printf("; %d of %d lines are met in all their rows", table.lines_met, table.lines);
    if (table.lines_absent)
        printf(", %d lack their peer in some", table.lines_absent);
    printf("\n");
}
