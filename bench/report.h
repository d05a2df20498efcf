/* SPDX-License-Identifier: MIT
 *
 * The table that `make bench` prints: the lines of the "Numbers", with a row for each shape and width. A row
 * has ours, the peer, the ratio of their speeds, the target and a word; rows without a target inform.
 */
#ifndef BITFADER_BENCH_REPORT_H
#define BITFADER_BENCH_REPORT_H

#include <stdbool.h>

/* A new line of the issue, whose rows follow. */
void report_line(const char *title);

struct report_row {
    const char *work;
    char ours[64], peer[96]; /* speed and what ran */
    double ratio, target;    /* NAN: the peer is absent; target 0: for information */
    bool short_of;           /* another condition of the row does not hold: it is short whatever the ratio */
};
void report_print(const struct report_row *r);
/* Something went wrong with a row, which then counts as short. Stays with the table: what is wrong must be seen. */
void report_error(const char *work, const char *message);
/* How many rows and lines are met. */
void report_summary(void);
/* Whether report_error was called. */
bool report_failed(void);

#endif
