/* SPDX-License-Identifier: MIT
 *
 * Where everything stands on the desk: a pure function of the size and of how wide a row number is. Columns leave in a
 * fixed order as the width shrinks, lines as the height does; below 40x10 there is one polite screen.
 *
 * Invariants: rectangles lie inside the screen and do not overlap; an absent part has h == 0; the table keeps at least
 * three rows.
 */
#ifndef BITFADER_UI_LAYOUT_H
#define BITFADER_UI_LAYOUT_H

#include <stdbool.h>

enum { LAYOUT_MIN_WIDTH = 40, LAYOUT_MIN_HEIGHT = 10, LAYOUT_FAMILY_WIDTH = 29 };

struct rect {
    int x, y, w, h;
};

enum column {
    COLUMN_GUTTER,
    COLUMN_NUMBER,
    COLUMN_NAME,
    COLUMN_KIND,
    COLUMN_SHAPE,
    COLUMN_PARAMS,
    COLUMN_MACS,
    COLUMN_W,
    COLUMN_A,
    COLUMN_SCHEME,
    COLUMN_FADER, /* both in one, from 60 columns on when the next two are absent */
    COLUMN_W_FADER,
    COLUMN_A_FADER,
    COLUMN_STRIP,
    COLUMN_DROP,
    COLUMN_SQNR,
    COLUMN_LATENCY,
    COLUMN_SIZE,
    COLUMN_KERNEL, /* with its family where it has LAYOUT_FAMILY_WIDTH */
    COLUMN_SCROLL,
    COLUMN_COUNT
};

struct span {
    int x, w; /* w == 0: absent */
};

enum meter_style {
    METERS_ONE_LINE, /* A 84.7%+ L 3.21ms= S 118K! */
    METERS_TWO_LINES,
    METERS_FOUR_LINES /* with gauges */
};

struct layout {
    bool too_small;
    enum meter_style meter_style;
    struct rect title, meters, origin, pane, heads, body, rule, what_if, job, message, keys;
    struct span columns[COLUMN_COUNT]; /* of heads and body */
};

/* number_width: digits of the largest row number. */
struct layout layout_desk(int w, int h, int number_width);

#endif
