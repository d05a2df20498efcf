/* SPDX-License-Identifier: MIT */
#include "ui/layout.h"

struct column_rule {
    int gap, width;
    int from, until; /* screen widths at which it is there; until 0: no end */
};

/* In screen order. The name takes what is left. */
static const struct column_rule rules[COLUMN_COUNT] = {
    [COLUMN_GUTTER] = {0, 3, 0, 0},    [COLUMN_NUMBER] = {0, 2, 0, 0},   [COLUMN_NAME] = {1, 0, 0, 0},
    [COLUMN_KIND] = {1, 6, 64, 0},     [COLUMN_SHAPE] = {1, 11, 120, 0}, [COLUMN_PARAMS] = {1, 5, 100, 0},
    [COLUMN_MACS] = {1, 5, 100, 0},    [COLUMN_W] = {1, 2, 0, 0},        [COLUMN_A] = {1, 2, 0, 0},
    [COLUMN_SCHEME] = {1, 6, 60, 0},   [COLUMN_FADER] = {1, 8, 0, 120},  [COLUMN_W_FADER] = {1, 8, 120, 0},
    [COLUMN_A_FADER] = {1, 8, 120, 0}, [COLUMN_STRIP] = {1, 7, 60, 0},   [COLUMN_DROP] = {1, 5, 0, 0},
    [COLUMN_SQNR] = {1, 4, 80, 0},     [COLUMN_LATENCY] = {1, 4, 80, 0}, [COLUMN_SIZE] = {1, 5, 80, 0},
    [COLUMN_KERNEL] = {1, 19, 136, 0}, [COLUMN_SCROLL] = {0, 1, 60, 0},
};

enum { NAME_WIDTH_MAX = 40, FADER_WIDTH_MAX = 32, WIDE = 120 };

static void lay_columns(struct layout *l, int w, int number_width)
{
    int used = 0;
    for (int c = 0; c < COLUMN_COUNT; c++) {
        const struct column_rule *r = &rules[c];
        bool there = w >= r->from && (!r->until || w < r->until);
        l->columns[c].w = there ? r->width : 0;
    }
    if (number_width > l->columns[COLUMN_NUMBER].w)
        l->columns[COLUMN_NUMBER].w = number_width;
    if (w >= 100) { /* room for the range method beside scheme and granularity, and air before the numbers */
        l->columns[COLUMN_SCHEME].w = 10;
        l->columns[COLUMN_NUMBER].w++;
        l->columns[COLUMN_LATENCY].w = 5;
    }
    if (w >= 160)
        l->columns[COLUMN_KERNEL].w = LAYOUT_FAMILY_WIDTH;
    for (int c = 0; c < COLUMN_COUNT; c++)
        if (l->columns[c].w || c == COLUMN_NAME)
            used += rules[c].gap + l->columns[c].w;
    int left = w - used;
    /* The name grows first, then both faders, a cell for each bit at a time; what is left then stays empty. */
    while (w >= WIDE && left >= NAME_WIDTH_MAX + 16 && l->columns[COLUMN_W_FADER].w < FADER_WIDTH_MAX) {
        l->columns[COLUMN_W_FADER].w += 8;
        l->columns[COLUMN_A_FADER].w += 8;
        left -= 16;
    }
    l->columns[COLUMN_NAME].w = left > NAME_WIDTH_MAX ? NAME_WIDTH_MAX : left;
    int x = 0;
    for (int c = 0; c < COLUMN_COUNT; c++) {
        if (!l->columns[c].w)
            continue;
        x += rules[c].gap;
        l->columns[c].x = x;
        x += l->columns[c].w;
    }
    if (l->columns[COLUMN_SCROLL].w)
        l->columns[COLUMN_SCROLL].x = w - 1;
}

struct layout layout_desk(int w, int h, int number_width)
{
    struct layout l = {0};
    if (w < LAYOUT_MIN_WIDTH || h < LAYOUT_MIN_HEIGHT) {
        l.too_small = true;
        return l;
    }
    l.meter_style = w >= 100 && h >= 28 ? METERS_FOUR_LINES : w >= 60 && h >= 16 ? METERS_TWO_LINES : METERS_ONE_LINE;
    static const int meter_lines[] = {1, 2, 4};
    bool roomy = w >= 100 && h >= 32;
    struct part {
        struct rect *rect;
        int lines;
    };
    const struct part above[] = {
        {&l.title, 1}, {&l.meters, meter_lines[l.meter_style]}, {&l.origin, roomy}, {&l.pane, h >= 14}, {&l.heads, 1}};
    const struct part below[] = {
        {&l.rule, roomy}, {&l.what_if, h >= 24}, {&l.job, roomy}, {&l.message, 1}, {&l.keys, 1}};
    int y = 0, end = h;
    for (unsigned i = 0; i < sizeof above / sizeof *above; i++) {
        *above[i].rect = (struct rect){0, y, w, above[i].lines};
        y += above[i].lines;
    }
    for (unsigned i = sizeof below / sizeof *below; i-- > 0;) {
        end -= below[i].lines;
        *below[i].rect = (struct rect){0, end, w, below[i].lines};
    }
    l.body = (struct rect){0, y, w, end - y};
    lay_columns(&l, w, number_width);
    return l;
}
