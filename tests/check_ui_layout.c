/* SPDX-License-Identifier: MIT */
#include <check.h>

#include "ui/layout.h"

Suite *check_ui_layout_suite(void);

static int rects_of(const struct layout *l, struct rect out[12])
{
    const struct rect all[] = {l->title, l->meters,  l->origin, l->pane,    l->heads, l->body,
                               l->rule,  l->what_if, l->job,    l->message, l->keys};
    int n = 0;
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].h)
            out[n++] = all[i];
    return n;
}

/* The parts cover every line once, from the top to the bottom. */
static void check_lines(const struct layout *l, int w, int h)
{
    struct rect r[12];
    int n = rects_of(l, r), y = 0;
    for (int i = 0; i < n; i++) {
        ck_assert_msg(r[i].x == 0 && r[i].w == w && r[i].y == y && r[i].h > 0, "part %d at %dx%d", i, w, h);
        y += r[i].h;
    }
    ck_assert_msg(y == h, "lines end at %d at %dx%d", y, w, h);
    ck_assert_msg(l->body.h >= 3, "%d rows at %dx%d", l->body.h, w, h);
    ck_assert(l->title.h == 1 && l->message.h == 1 && l->keys.h == 1 && l->heads.h == 1);
}

static void check_columns(const struct layout *l, int w, int number_width)
{
    int end = 0;
    for (int c = 0; c < COLUMN_COUNT; c++) {
        const struct span *s = &l->columns[c];
        ck_assert_msg(s->w >= 0, "column %d at width %d", c, w);
        if (!s->w)
            continue;
        ck_assert_msg(s->x >= end, "column %d starts at %d before %d at width %d", c, s->x, end, w);
        end = s->x + s->w;
    }
    ck_assert_msg(end <= w, "columns end at %d of %d", end, w);
    ck_assert_int_ge(l->columns[COLUMN_NUMBER].w, number_width);
    ck_assert_msg(l->columns[COLUMN_NAME].w >= 8, "a name of %d cells at width %d", l->columns[COLUMN_NAME].w, w);
    ck_assert(l->columns[COLUMN_W].w && l->columns[COLUMN_A].w && l->columns[COLUMN_DROP].w);
    ck_assert((l->columns[COLUMN_FADER].w != 0) != (l->columns[COLUMN_W_FADER].w != 0));
}

START_TEST(every_size)
{
    for (int w = 1; w <= 250; w++)
        for (int h = 1; h <= 80; h++)
            for (int digits = 1; digits <= 4; digits++) {
                struct layout l = layout_desk(w, h, digits);
                ck_assert_int_eq(l.too_small, w < 40 || h < 10);
                if (l.too_small)
                    continue;
                check_lines(&l, w, h);
                check_columns(&l, w, digits);
            }
}
END_TEST

/* What is there at a size is there at every larger one, but the merged fader, which the two faders replace. */
START_TEST(columns_only_come)
{
    struct layout before = layout_desk(40, 36, 2);
    for (int w = 41; w <= 250; w++) {
        struct layout l = layout_desk(w, 36, 2);
        for (int c = 0; c < COLUMN_COUNT; c++)
            if (c != COLUMN_FADER)
                ck_assert_msg(l.columns[c].w || !before.columns[c].w, "column %d is lost at %d", c, w);
        ck_assert_int_ge(l.meter_style, before.meter_style);
        before = l;
    }
}
END_TEST

START_TEST(named_sizes)
{
    struct layout l = layout_desk(120, 36, 2);
    ck_assert(l.meter_style == METERS_FOUR_LINES && l.origin.h && l.what_if.h && l.job.h && l.rule.h);
    ck_assert_int_eq(l.body.h, 23);
    l = layout_desk(80, 24, 2);
    ck_assert(l.meter_style == METERS_TWO_LINES && l.what_if.h && !l.job.h);
    ck_assert_int_eq(l.body.h, 16);
    ck_assert(l.columns[COLUMN_SQNR].w && l.columns[COLUMN_SIZE].w && !l.columns[COLUMN_SHAPE].w);
    l = layout_desk(40, 12, 2);
    ck_assert(l.meter_style == METERS_ONE_LINE && !l.pane.h && !l.what_if.h);
    ck_assert_int_eq(l.body.h, 7);
}
END_TEST

Suite *check_ui_layout_suite(void)
{
    Suite *s = suite_create("ui_layout");
    TCase *t = tcase_create("layout");
    tcase_add_test(t, every_size);
    tcase_add_test(t, columns_only_come);
    tcase_add_test(t, named_sizes);
    tcase_set_timeout(t, 60);
    suite_add_tcase(s, t);
    return s;
}
