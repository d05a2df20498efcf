/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "kernels/kernels.h"
#include "tests/check_ui_fixture.h"
#include "ui/actions.h"
#include "ui/desk_draw.h"
#include "ui/desk_results.h"
#include "ui/format.h"

Suite *check_ui_desk_suite(void);

/* Keys by name with blanks between: "w 4 Space :". */
static void press(struct desk *d, const char *keys)
{
    char key[16];
    for (int n = 0; sscanf(keys, " %15s%n", key, &n) == 1; keys += n)
        desk_key(d, key);
}

static void type(struct desk *d, const char *text)
{
    char key[2] = "";
    for (; *text; text++) {
        key[0] = *text;
        desk_key(d, *text == ' ' ? "Space" : key);
    }
    desk_key(d, "Enter");
}

static char *screen(const struct desk *d, int w, int h, enum glyph_level level)
{
    struct grid *g = desk_draw(d, w, h, level);
    char *text = grid_text(g);
    grid_free(g);
    return text;
}

static const struct precision *at(const struct desk *d, int layer)
{
    return &d->profile->layers[layer].precision;
}

/* The first row that differs: a whole screen is too long for a message of Check. */
static void check_same(const char *what, const char *expected, const char *text)
{
    for (int row = 0; *expected || *text; row++) {
        int n = (int)strcspn(expected, "\n"), m = (int)strcspn(text, "\n");
        ck_assert_msg(n == m && !strncmp(expected, text, (size_t)n), "%s: row %d is\n%.*s\nand not\n%.*s", what, row, m,
                      text, n, expected);
        expected += n + (expected[n] == '\n');
        text += m + (text[m] == '\n');
    }
}

/* Compared with tests/golden/NAME.txt; with BITFADER_GOLDENS set, written there. */
static void check_golden(const char *name, const char *text)
{
    char path[128];
    struct err e = {""};
    snprintf(path, sizeof path, "tests/golden/%s.txt", name);
    if (getenv("BITFADER_GOLDENS"))
        ck_assert_msg(!file_write(path, text, strlen(text), false, &e), "%s", e.text);
    size_t n;
    char *golden = file_read(path, 1 << 20, &n, &e);
    ck_assert_msg(golden, "%s", e.text);
    check_same(path, golden, text);
    mem_free(golden);
}

/* A desk in the middle of work: edits, marks, a lock, a mute, budgets, a run behind it, a search under way. */
static struct desk *busy_desk(void)
{
    struct desk *d = fixture_desk(22);
    d->measured =
        (struct desk_measured){.known = true, .accuracy = 92.1, .agreement = NAN, .latency_ns = 498e3, .images = 10000};
    press(d, ":");
    type(d, "budget size=240KiB acc-drop=0.5pp lat=510us");
    press(d, "L j w 4 j j a 6 j Space j Space w 5 Esc j j m k k Space");
    d->job = (struct desk_job){.kind = &job_search, .what = "verify", .done = 3, .total = 8, .eta_s = 70};
    return d;
}

static const struct {
    const char *name;
    int w, h;
    enum glyph_level level;
} golden_sizes[] = {{"desk_120x36", 120, 36, GLYPHS_BRAILLE},
                    {"desk_80x24", 80, 24, GLYPHS_BRAILLE},
                    {"desk_80x24_ascii", 80, 24, GLYPHS_ASCII},
                    {"desk_40x12", 40, 12, GLYPHS_BRAILLE},
                    {"desk_24x6", 24, 6, GLYPHS_BRAILLE}};

START_TEST(goldens)
{
    struct desk *d = busy_desk();
    desk_resize(d, golden_sizes[_i].w, golden_sizes[_i].h);
    char *text = screen(d, golden_sizes[_i].w, golden_sizes[_i].h, golden_sizes[_i].level);
    check_golden(golden_sizes[_i].name, text);
    mem_free(text);
    fixture_free(d);
}
END_TEST

START_TEST(golden_help)
{
    struct desk *d = fixture_desk(22);
    desk_resize(d, 120, 36);
    press(d, "?");
    char *text = screen(d, 120, 36, GLYPHS_BRAILLE);
    check_golden("help_120x36", text);
    mem_free(text);
    fixture_free(d);
}
END_TEST

/* Before anything is known there is not one number on the meters: dots. */
START_TEST(golden_unknown)
{
    struct desk *d = fixture_desk(22);
    desk_set_tables(d, fixture_unknown(22));
    d->job = (struct desk_job){.kind = &job_analyze, .what = "sensitivity", .done = 0, .total = 22, .eta_s = -1};
    desk_resize(d, 120, 36);
    char *text = screen(d, 120, 36, GLYPHS_BRAILLE);
    check_golden("unknown_120x36", text);
    mem_free(text);
    fixture_free(d);
}
END_TEST

/* Every size draws, on every screen in every mode; at the ASCII level nothing but ASCII comes out; no row is longer
 * than the screen. */
START_TEST(every_size_draws)
{
    static const char *const modes[] = {"Esc", "?", ":", "/", "q"};
    struct desk *d = busy_desk();
    enum { MODES = sizeof modes / sizeof *modes };
    for (int m = 0; screens[m / MODES]; m++) {
        desk_show(d, screens[m / MODES]);
        press(d, modes[m % MODES]);
        for (int w = 1; w <= 205; w += w < 45 ? 1 : 7)
            for (int h = 1; h <= 50; h += h < 18 ? 1 : 6) {
                desk_resize(d, w, h);
                struct grid *g = desk_draw(d, w, h, GLYPHS_ASCII);
                for (int i = 0; i < w * h; i++)
                    ck_assert_msg(g->cells[i].ch >= 0x20 && g->cells[i].ch <= 0x7e, "U+%04X at %dx%d", g->cells[i].ch,
                                  w, h);
                ck_assert(g->cursor_x >= 0 && g->cursor_x < w && g->cursor_y >= 0 && g->cursor_y < h);
                grid_free(g);
            }
        press(d, "Esc");
    }
    fixture_free(d);
}
END_TEST

START_TEST(glyphs_at_every_level)
{
    for (int g = 0; g < GLYPH_COUNT; g++) {
        ck_assert_uint_ne(glyph_code(GLYPHS_BRAILLE, (enum glyph)g), 0);
        ck_assert_uint_ne(glyph_code(GLYPHS_BLOCKS, (enum glyph)g), 0);
        uint32_t ascii = glyph_code(GLYPHS_ASCII, (enum glyph)g);
        ck_assert_msg(ascii > 0x20 && ascii < 0x7f, "glyph %d", g);
        ck_assert_uint_ne(glyph_map(GLYPHS_ASCII, glyph_code(GLYPHS_BRAILLE, (enum glyph)g)), '?');
    }
    ck_assert_uint_eq(glyph_map(GLYPHS_ASCII, 0x4e2d), '?');
    ck_assert_uint_eq(glyph_map(GLYPHS_BRAILLE, 0x1b), '?');
}
END_TEST

/* K1 */
START_TEST(digit_sets_bits)
{
    struct desk *d = fixture_desk(22);
    double size = d->est.size.value;
    int64_t wide = d->tables->layers[14].bytes[GRANULARITY_CHANNEL][8];
    int64_t narrow = d->tables->layers[14].bytes[GRANULARITY_CHANNEL][4];
    press(d, ":");
    type(d, "14");
    press(d, "w 4");
    ck_assert_int_eq(at(d, 14)->w_bits, 4);
    ck_assert_int_eq(at(d, 14)->a_bits, 8);
    ck_assert_double_eq_tol(size - d->est.size.value, (double)(wide - narrow), 0.5);
    ck_assert_ptr_nonnull(strstr(d->message, "layer3.0.conv1 W8" G_TO "W4"));
    ck_assert(desk_unsaved(d));
    press(d, "l 3");
    ck_assert_int_eq(at(d, 14)->a_bits, 3);
    press(d, "b 1");
    ck_assert(at(d, 14)->w_bits == 1 && at(d, 14)->a_bits == 1 && at(d, 14)->scheme == SCHEME_BINARY);
    press(d, "l 0");
    ck_assert(at(d, 14)->w_bits == 0 && at(d, 14)->a_bits == 0);
    fixture_free(d);
}
END_TEST

/* K2: one record for all marked rows. */
START_TEST(marked_rows_are_one_edit)
{
    struct desk *d = fixture_desk(22);
    press(d, "Space Space Space 6");
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(at(d, i)->w_bits, i < 3 ? 6 : 8);
    ck_assert_int_eq(d->history.n, 1);
    press(d, "u");
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(at(d, i)->w_bits, 8);
    ck_assert(!desk_unsaved(d));
    press(d, "^R");
    ck_assert_int_eq(at(d, 2)->w_bits, 6);
    press(d, "*");
    ck_assert_int_eq(desk_marked(d, NULL), 19);
    press(d, "Esc");
    ck_assert_int_eq(desk_marked(d, NULL), 0);
    fixture_free(d);
}
END_TEST

/* K3: what a filter hides is not edited. */
START_TEST(hidden_marks_are_kept)
{
    struct desk *d = fixture_desk(22);
    press(d, "j Space Space Space Space Space Space /");
    type(d, "conv1");
    press(d, "4");
    for (int i = 1; i <= 6; i++)
        ck_assert_int_eq(at(d, i)->w_bits, i % 2 ? 4 : 8);
    ck_assert_ptr_nonnull(strstr(d->message, "3 marked layers; 3 hidden kept"));
    fixture_free(d);
}
END_TEST

/* K4 */
START_TEST(steps_clamp)
{
    struct desk *d = fixture_desk(22);
    press(d, "+");
    ck_assert_int_eq(at(d, 0)->w_bits, 8);
    ck_assert_ptr_nonnull(strstr(d->message, "8 bits is the most"));
    press(d, "1 -");
    ck_assert_int_eq(at(d, 0)->w_bits, 1);
    ck_assert_ptr_nonnull(strstr(d->message, "1 bit is the least"));
    press(d, "+");
    ck_assert(at(d, 0)->w_bits == 2 && at(d, 0)->scheme == SCHEME_UNIFORM);
    press(d, "0 -");
    ck_assert_int_eq(at(d, 0)->w_bits, 8);
    fixture_free(d);
}
END_TEST

START_TEST(schemes_cycle)
{
    struct desk *d = fixture_desk(22);
    int seen[GRANULARITY_COUNT][RANGE_COUNT] = {{0}};
    for (int i = 0; i < GRANULARITY_COUNT * RANGE_COUNT; i++) {
        seen[at(d, 0)->granularity][at(d, 0)->range]++;
        press(d, "]");
    }
    for (int g = 0; g < GRANULARITY_COUNT; g++)
        for (int r = 0; r < RANGE_COUNT; r++)
            ck_assert_int_eq(seen[g][r], 1);
    struct precision first = *at(d, 0);
    press(d, "] [");
    ck_assert(precision_equal(&first, at(d, 0)));
    fixture_free(d);
}
END_TEST

/* K5: meters follow mute and solo, the profile does not. */
START_TEST(mute_and_solo)
{
    struct desk *d = fixture_desk(22);
    double drop = d->est.drop;
    char *before = profile_text(d->profile);
    press(d, "m");
    ck_assert_double_lt(d->est.drop, drop);
    press(d, "j s");
    struct profile p = desk_effective(d);
    for (int i = 0; i < 22; i++)
        ck_assert_int_eq(p.layers[i].precision.w_bits, i == 1 ? 8 : 0);
    char *text = screen(d, 80, 24, GLYPHS_BRAILLE), *after = profile_text(d->profile);
    ck_assert_ptr_nonnull(strstr(text, "[mute][solo layer1.0.conv1]"));
    ck_assert_str_eq(before, after);
    ck_assert(!desk_unsaved(d));
    press(d, "s k m");
    ck_assert_double_eq(d->est.drop, drop);
    mem_free(text);
    mem_free(before);
    mem_free(after);
    fixture_free(d);
}
END_TEST

/* Layers 7 and 9 read the same tensor. */
START_TEST(groups_agree)
{
    struct desk *d = fixture_desk(22);
    press(d, ":");
    type(d, "goto layer2.0.conv1");
    press(d, "a 6");
    ck_assert_int_eq(at(d, 7)->a_bits, 6);
    ck_assert_int_eq(at(d, 9)->a_bits, 6);
    ck_assert_ptr_nonnull(strstr(d->message, "A6 also on layer2.0.shortcut: it reads the same tensor"));
    ck_assert_int_eq(d->history.n, 1);
    /* Both as targets of one step: one step, not two. */
    press(d, ":");
    type(d, "set a-1 where layer2.0 op:conv");
    press(d, ":");
    type(d, "set a-1 where layer2.0");
    ck_assert_int_eq(at(d, 7)->a_bits, 4);
    ck_assert_int_eq(at(d, 9)->a_bits, 4);
    press(d, "u u u");
    ck_assert(at(d, 7)->a_bits == 8 && at(d, 9)->a_bits == 8);
    /* A locked member holds the others. */
    press(d, "j j L k k a 5");
    ck_assert_int_eq(at(d, 7)->a_bits, 8);
    ck_assert_ptr_nonnull(strstr(d->message, "layer2.0.shortcut reads the same tensor and is locked"));
    fixture_free(d);
}
END_TEST

START_TEST(locks_refuse)
{
    struct desk *d = fixture_desk(22);
    press(d, "L 4");
    ck_assert_int_eq(at(d, 0)->w_bits, 8);
    ck_assert_ptr_nonnull(strstr(d->message, "conv1 is locked"));
    press(d, "Space Space 4");
    ck_assert(at(d, 0)->w_bits == 8 && at(d, 1)->w_bits == 4);
    ck_assert_ptr_nonnull(strstr(d->message, "1 locked kept"));
    press(d, "u u");
    ck_assert(!d->profile->layers[0].lock);
    fixture_free(d);
}
END_TEST

static char *state_of(const struct desk *d)
{
    char *layers = mem_new((size_t)d->model->n * 6 + 4 * sizeof(double), 1), *c = layers;
    for (int i = 0; i < d->model->n; i++) {
        const struct precision *p = at(d, i);
        *c++ = (char)p->w_bits, *c++ = (char)p->a_bits, *c++ = (char)p->scheme;
        *c++ = (char)p->granularity, *c++ = (char)p->range, *c++ = (char)d->profile->layers[i].lock;
    }
    double budgets[] = {(double)d->profile->budgets.bytes, d->profile->budgets.latency_ns,
                        isnan(d->profile->budgets.accuracy_drop) ? -1 : d->profile->budgets.accuracy_drop,
                        isnan(d->profile->budgets.accuracy_min) ? -1 : d->profile->budgets.accuracy_min};
    memcpy(c, budgets, sizeof budgets);
    return layers;
}

/* Any edits, then as many undos: the first state bit for bit; as many redos: the last. */
START_TEST(undo_returns)
{
    static const char *const keys[] = {"1", "2", "3",   "4",   "8",   "0", "+",     "-",     "]",   "[",  "L",
                                       "j", "k", "w 3", "a",   "b 5", "m", "Space", "Space", "s",   "G",  "a 4",
                                       "h", "l", "^D",  "g g", "*",   "u", "^R",    "o",     "Esc", "a 7"};
    struct desk *d = fixture_desk(22);
    struct rng r;
    rng_init(&r, (uint64_t)_i + 1);
    size_t n = 22 * 6 + 4 * sizeof(double);
    char *first = state_of(d);
    for (int i = 0; i < 300; i++) {
        if (rng_below(&r, 20) == 0) {
            char line[64];
            snprintf(line, sizeof line, "budget size=%dKiB", 50 + (int)rng_below(&r, 200));
            press(d, "Esc Esc :");
            type(d, line);
        } else {
            press(d, keys[rng_below(&r, sizeof keys / sizeof *keys)]);
        }
    }
    char *last = state_of(d);
    int undone = 0, redone = 0;
    while (d->history.at < d->history.n)
        desk_key(d, "^R");
    mem_free(last);
    last = state_of(d);
    press(d, "Esc");
    for (; d->history.at > 0; undone++)
        desk_key(d, "u");
    ck_assert_int_gt(undone, 10);
    char *back = state_of(d);
    ck_assert(!memcmp(first, back, n));
    ck_assert(!desk_unsaved(d));
    for (; redone < undone; redone++)
        desk_key(d, "^R");
    char *again = state_of(d);
    ck_assert(!memcmp(last, again, n));
    mem_free(first);
    mem_free(last);
    mem_free(back);
    mem_free(again);
    fixture_free(d);
}
END_TEST

START_TEST(filters)
{
    static const struct {
        const char *expression;
        int rows; /* -1: an error */
    } cases[] = {{"", 22},
                 {"conv1", 10},
                 {"layer2", 7},
                 {"stem/relu", 1}, /* the name of a fused node */
                 {"!Relu_output", 21},
                 {"op:dw", 0},
                 {"op:pw", 2},
                 {"op:conv", 19},
                 {"w<4", 1},
                 {"w<=8", 21},
                 {"w>8", 1},
                 {"a=8", 22},
                 {"w=fp32", 1},
                 {"!conv", 1},
                 {"marked", 2},
                 {"!marked", 20},
                 {"locked", 1},
                 {"layer3 op:pw", 1},
                 {"layer3 and op:pw", 1},
                 {"size%>10", 5},
                 {"sens>1", 1},
                 {"params>30k", 5},
                 {"#<3", 3},
                 {"w<", -1},
                 {"x<3", -1},
                 {"w~3", 0},
                 {"op:", -1},
                 {"!", -1},
                 {"sqnr>40 w=8", 20},
                 {"w!=8", 2},
                 {"muted", 0}};
    struct desk *d = fixture_desk(22);
    press(d, "w 2 j j j L j w 0 g g Space Space");
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err e = {""};
        int before = d->n_order, result = desk_set_filter(d, cases[i].expression, &e);
        ck_assert_msg(result == (cases[i].rows < 0 ? -1 : 0), "\"%s\": %s", cases[i].expression, e.text);
        ck_assert_msg(d->n_order == (cases[i].rows < 0 ? before : cases[i].rows), "\"%s\" shows %d",
                      cases[i].expression, d->n_order);
        if (cases[i].rows < 0)
            ck_assert(*e.text);
    }
    fixture_free(d);
}
END_TEST

/* The parser meets any bytes: it answers, and never reads beyond them (sanitizers watch). */
START_TEST(filters_of_noise)
{
    static const char letters[] = "wa<>=!:# op:dw marked sens 0123.kM%\xc3\xa9";
    struct rng r;
    rng_init(&r, 7);
    for (int i = 0; i < 20000; i++) {
        char text[40];
        unsigned n = rng_below(&r, sizeof text - 1);
        for (unsigned k = 0; k < n; k++)
            text[k] = letters[rng_below(&r, sizeof letters - 1)];
        text[n] = '\0';
        struct err e = {""};
        struct filter *f = filter_parse(text, &e);
        ck_assert(f || *e.text);
        filter_free(f);
    }
}
END_TEST

START_TEST(unknown_is_neither_above_nor_below)
{
    struct filter_row row = {.name = "x", .kind = "Conv"};
    row.value[FILTER_SENS] = NAN;
    const char *const expressions[] = {"sens>0", "sens<1", "!sens>0", "sens!=3"};
    for (int i = 0; i < 4; i++) {
        struct filter *f = filter_parse(expressions[i], NULL);
        ck_assert(!filter_match(f, &row));
        filter_free(f);
    }
}
END_TEST

START_TEST(filter_prompt)
{
    struct desk *d = fixture_desk(22);
    press(d, "G / f");
    ck_assert_int_eq(d->n_order, 1); /* at once, before Enter */
    press(d, "c Enter");
    ck_assert_int_eq(desk_layer(d), 21);
    press(d, "/ ^U w < Enter");
    ck_assert_int_eq(d->mode, MODE_PROMPT); /* wrong: stays to be put right */
    ck_assert(d->prompt.wrong);
    press(d, "Esc");
    ck_assert_str_eq(d->filter_text, "fc");
    ck_assert_int_eq(d->n_order, 1);
    press(d, "Esc");
    ck_assert_int_eq(d->n_order, 22);
    ck_assert_int_eq(desk_layer(d), 21); /* the cursor stays on its layer */
    fixture_free(d);
}
END_TEST

/* On each screen no two actions on one key and no key that hides a longer sequence. */
static void check_keys(const struct action *p, const struct action *q)
{
    for (int a = 0; a < ACTION_KEYS && p->keys[a]; a++)
        for (int b = 0; b < ACTION_KEYS && q->keys[b]; b++) {
            if ((p == q && a == b) || !(p->on & q->on))
                continue;
            const char *x = p->keys[a], *y = q->keys[b];
            ck_assert_msg(strcmp(x, y), "%s and %s share %s", p->name, q->name, x);
            bool hidden = !strncmp(x, y, strlen(x)) && y[strlen(x)] == ' ';
            ck_assert_msg(!hidden, "%s hides %s", x, y);
        }
}

/* Nor two hints on one place of the key bar. */
static void check_hints(const struct action *p, const struct action *q)
{
    for (int a = 0; a < ACTION_HINTS && p->hints[a].word; a++) {
        ck_assert_msg(p->hints[a].keys || p->keys[0], "%s hints at no key", p->name);
        for (int b = 0; b < ACTION_HINTS && q->hints[b].word; b++)
            ck_assert_msg((p == q && a == b) || !(p->on & q->on) || p->hints[a].place != q->hints[b].place,
                          "%s and %s share a place", p->name, q->name);
    }
}

/* Names are unique, every action can be reached, and is for a screen that there is. */
START_TEST(action_table_is_sound)
{
    const struct action *p, *q;
    unsigned all = 0;
    for (int i = 0; screens[i]; i++) {
        ck_assert(screens[i]->bit && !(screens[i]->bit & all) && screens[i]->layout && screens[i]->draw);
        ck_assert_ptr_eq(screen_find(screens[i]->name), screens[i]);
        all |= screens[i]->bit;
    }
    for (int i = 0; (p = action_at(i)); i++) {
        ck_assert_ptr_eq(action_find(p->name), p);
        ck_assert(*p->help && strlen(p->help) <= 26 && *p->section);
        ck_assert_msg(p->on & all, "%s is for no screen", p->name);
        for (int k = 0; k < ACTION_KEYS && p->keys[k]; k++)
            if (p->keys[k][0] == ':' && p->keys[k][1])
                ck_assert_msg(action_find(p->keys[k] + 1) == p, "%s is another action's", p->keys[k]);
        for (int j = 0; (q = action_at(j)); j++) {
            check_keys(p, q);
            check_hints(p, q);
        }
    }
}
END_TEST

/* K6: by key, by command and from the help: the same desk. */
START_TEST(three_ways_are_one)
{
    const struct action *a = action_at(_i);
    if (!a->keys[0] || !(a->on & ON_DESK) || !strcmp(a->name, "help") || !strcmp(a->name, "command") ||
        !strcmp(a->name, "goto"))
        return;
    char line[64], *shot[3];
    enum desk_request requests[3];
    const struct job_kind *jobs[3];
    bool digit = strchr(a->keys[0], '#');
    for (int way = 0; way < 3; way++) {
        struct desk *d = fixture_desk(22);
        desk_resize(d, 120, 36);
        press(d, "j j w 5 a 6 u Space j");
        if (way == 0) {
            char keys[16];
            snprintf(keys, sizeof keys, "%s", a->keys[0]);
            for (char *c = keys; *c; c++)
                *c = *c == '#' ? '4' : *c;
            press(d, keys);
        } else if (way == 1) {
            snprintf(line, sizeof line, digit ? "%s 4" : "%s", a->name);
            press(d, ":");
            type(d, line);
        } else {
            press(d, "?");
            for (int i = 0; i < _i; i++)
                if (action_at(i)->on & ON_DESK)
                    press(d, "Down");
            press(d, digit ? "Enter 4" : "Enter");
            if (!strcmp(a->name, "budget")) /* the help has typed the command; the key opens the same line */
                ck_assert_int_eq(d->mode, MODE_PROMPT);
        }
        if (way == 1 && a->args && !digit && d->mode == MODE_PROMPT)
            ck_assert_int_eq(d->prompt.n > 0 || d->prompt.sign == '/', 1);
        d->pending[0] = '\0';
        shot[way] = screen(d, 120, 36, GLYPHS_BRAILLE);
        requests[way] = d->request;
        jobs[way] = d->asked.kind;
        ck_assert_msg(requests[way] == requests[0] && jobs[way] == jobs[0], ":%s asks for something else", a->name);
        fixture_free(d);
    }
    check_same(a->name, shot[0], shot[1]);
    check_same(a->name, shot[0], shot[2]);
    for (int way = 0; way < 3; way++)
        mem_free(shot[way]);
}
END_TEST

START_TEST(commands_answer)
{
    static const struct {
        const char *line, *message;
    } cases[] = {{"serach", "did you mean :search?"},
                 {"undo 3", ":undo takes nothing after it"},
                 {"set w9", "set: \"w9\""},
                 {"set w4 where x<3", "set: \"x<3\""},
                 {"budget size=3", "budget: "},
                 {"goto 99", "no layer \"99\""},
                 {"sort foo", "sort: by"},
                 {"99", "no layer \"99\""},
                 {"bits 9", "bits are 1 to 8"},
                 {"take", "nothing to take"}};
    struct desk *d = fixture_desk(22);
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        press(d, ":");
        type(d, cases[i].line);
        ck_assert_msg(strstr(d->message, cases[i].message), ":%s says \"%s\"", cases[i].line, d->message);
    }
    press(d, "Q");
    ck_assert_ptr_nonnull(strstr(d->message, "Q does nothing here"));
    fixture_free(d);
}
END_TEST

START_TEST(set_where)
{
    struct desk *d = fixture_desk(22);
    press(d, ": s e t Space w 4 Space w h e r e Space o p : p w");
    ck_assert_ptr_nonnull(strstr(d->prompt.note, "would change 2 layers"));
    ck_assert_int_eq(at(d, 9)->w_bits, 8);
    press(d, "Enter");
    for (int i = 0; i < 22; i++)
        ck_assert_int_eq(at(d, i)->w_bits, i == 9 || i == 16 ? 4 : 8);
    ck_assert_int_eq(d->history.n, 1);
    press(d, ":");
    type(d, "set w3a5,tensor,minmax,lock where layer1.2");
    ck_assert(at(d, 5)->w_bits == 3 && at(d, 6)->a_bits == 5 && at(d, 6)->granularity == GRANULARITY_TENSOR);
    ck_assert(at(d, 5)->range == RANGE_MINMAX && d->profile->layers[5].lock);
    fixture_free(d);
}
END_TEST

START_TEST(quitting)
{
    struct desk *d = fixture_desk(22);
    press(d, "q");
    ck_assert_int_eq(d->request, REQUEST_QUIT);
    d->request = REQUEST_NONE;
    press(d, "4 q");
    ck_assert(d->mode == MODE_QUIT && d->request == REQUEST_NONE);
    press(d, "Esc");
    ck_assert(d->mode == MODE_SCREEN && d->request == REQUEST_NONE);
    press(d, "q s");
    ck_assert_int_eq(d->request, REQUEST_SAVE_QUIT);
    ck_assert_str_eq(d->target, "balanced.yaml");
    d->request = REQUEST_NONE;
    press(d, "q d");
    ck_assert_int_eq(d->request, REQUEST_QUIT);
    d->request = REQUEST_NONE;
    press(d, "u q"); /* nothing unsaved any more */
    ck_assert_int_eq(d->request, REQUEST_QUIT);
    d->request = REQUEST_NONE;
    d->job.kind = &job_search;
    press(d, "q");
    ck_assert_int_eq(d->mode, MODE_QUIT);
    fixture_free(d);
}
END_TEST

/* A search that ends after an edit is offered, not put over it; one that ends before is one undoable record. */
START_TEST(search_results)
{
    struct desk *d = fixture_desk(22);
    struct search_result r = {.profile = profile_copy(d->profile), .feasible = true};
    for (int i = 1; i < 9; i++)
        precision_set_w(&r.profile->layers[i].precision, 4);
    struct search_result late = {.profile = profile_copy(r.profile), .feasible = true};
    r.profile->search = mem_strdup("exact");
    r.profile->seed = 7;
    desk_take_search(d, &r, history_revision(&d->history));
    ck_assert_int_eq(at(d, 3)->w_bits, 4);
    ck_assert_int_eq(d->history.n, 1);
    desk_stamp(d);
    ck_assert_str_eq(d->profile->search, "exact");
    ck_assert_uint_eq(d->profile->seed, 7);
    press(d, "u");
    ck_assert_int_eq(at(d, 3)->w_bits, 8);
    desk_stamp(d);
    ck_assert_ptr_null(d->profile->search);
    uint64_t revision = history_revision(&d->history);
    press(d, "5");
    desk_take_search(d, &late, revision);
    ck_assert(at(d, 0)->w_bits == 5 && at(d, 3)->w_bits == 8);
    press(d, ":");
    type(d, "take");
    ck_assert(at(d, 0)->w_bits == 8 && at(d, 3)->w_bits == 4);
    fixture_free(d);
}
END_TEST

/* A measurement goes into the file only as long as it is of what is saved. */
START_TEST(measurements_are_stamped)
{
    struct desk *d = fixture_desk(22);
    struct run_result r = {.accuracy = 91.5, .fp32_accuracy = 92.4, .agreement = NAN, .images = 500, .latency_ns = 5e5};
    desk_take_run(d, &r, history_revision(&d->history), "");
    desk_stamp(d);
    ck_assert(d->profile->measurement.known);
    ck_assert_double_eq_tol(d->profile->measurement.accuracy, 91.5, 1e-9);
    ck_assert_ptr_nonnull(strstr(d->message, "91.50 % of 500 images (est 92."));
    press(d, "4");
    desk_stamp(d);
    ck_assert(!d->profile->measurement.known);
    press(d, "m"); /* what was heard with a mute is not what the file says */
    desk_take_run(d, &r, history_revision(&d->history), "[mute]");
    ck_assert_ptr_nonnull(strstr(d->message, "[mute]"));
    desk_stamp(d);
    ck_assert(!d->profile->measurement.known);
    fixture_free(d);
}
END_TEST

START_TEST(names_are_cut_where_it_hurts_least)
{
    static const struct {
        const char *name;
        int width;
        const char *cut;
    } cases[] = {{"fc", 2, "fc"},
                 {"layer2.0.conv1", 14, "layer2.0.conv1"},
                 {"layer2.0.shortcut", 15, "layer2.0.short" G_CUT},
                 {"layer2.0.conv1", 12, "la" G_CUT "2.0.conv1"},
                 {"12345678901234567890", 9, "1234" G_CUT "7890"}};
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[64];
        ck_assert_str_eq(format_name(out, sizeof out, cases[i].name, cases[i].width), cases[i].cut);
    }
    for (int w = 1; w < 30; w++) {
        char out[128];
        ck_assert_int_le(format_cells(format_name(out, sizeof out, "features.18.conv\xc3\xa9.depthwise.x", w)), w);
    }
}
END_TEST

START_TEST(numbers)
{
    char out[24];
    ck_assert_str_eq(format_signed(out, -0.204, 2), G_MINUS "0.20");
    ck_assert_str_eq(format_signed(out, 0.09, 2), "+0.09");
    ck_assert_str_eq(format_signed(out, -0.001, 2), "0.00");
    ck_assert_str_eq(format_signed(out, NAN, 2), G_DOT);
    ck_assert_str_eq(format_error(out, 0.55, 2), ".55");
    ck_assert_str_eq(format_error(out, 12.3, 2), "12");
    ck_assert_str_eq(format_times(out, 6.97), "6.97x");
    ck_assert_str_eq(format_time_scale(812e3).unit, G_MICRO "s");
    ck_assert_str_eq(format_time_scale(3.2e6).unit, "ms");
}
END_TEST

/* A screen of the test's own. */
static struct layout other_layout(int w, int h, int number_width)
{
    struct layout l = layout_desk(w, h, number_width);
    l.body.h += l.what_if.y - l.body.y - l.body.h + l.what_if.h;
    l.rule.h = l.what_if.h = 0;
    return l;
}

static void other_draw(struct grid *g, const struct layout *l, const struct desk *d)
{
    grid_printf(g, 0, l->body.y, g->w, ROLE_TEXT, "another screen of %d layers", d->model->n);
    g->cursor_y = l->body.y;
}

static bool other_key(struct desk *d, const char *key)
{
    if (strcmp(key, "4"))
        return false;
    desk_say(d, ROLE_TEXT, "four");
    return true;
}

static const struct screen other = {"other", "of the test", 1u << 30, other_layout, other_draw, other_key};

static bool shows(const struct desk *d, const char *what)
{
    char *text = screen(d, 80, 24, GLYPHS_ASCII);
    bool there = strstr(text, what);
    mem_free(text);
    return there;
}

/* What lies over a screen goes away and leaves it; Esc leads back; the desk's keys, commands, hints and help are the
 * desk's. */
START_TEST(screens_are_rows)
{
    static const char *const over[] = {"? Esc",           "? q",  ": Esc", ": Enter", ": u n d o Enter",
                                       "? u n d o Enter", "q Esc"};
    struct desk *d = fixture_desk(22);
    press(d, "5");
    int rows = d->rows;
    desk_show(d, &other);
    ck_assert_int_gt(d->rows, rows);
    for (unsigned i = 0; i < sizeof over / sizeof *over; i++) {
        press(d, over[i]);
        ck_assert_msg(d->screen == &other && d->mode == MODE_SCREEN, "after %s", over[i]);
        ck_assert(shows(d, "another screen of 22 layers") && !shows(d, "what if"));
        press(d, "^R");
    }
    ck_assert(shows(d, "q quit") && !shows(d, "1-8 bits"));
    press(d, "4");
    ck_assert_str_eq(d->message, "four");
    press(d, "3");
    ck_assert_ptr_nonnull(strstr(d->message, "3 does nothing here"));
    press(d, ":");
    type(d, "bits 3");
    ck_assert_str_eq(d->message, ":bits is not for this screen; :view desk has it");
    press(d, ": b i Tab");
    ck_assert_str_eq(d->prompt.text, "bi");
    press(d, "Esc ? b i t s");
    ck_assert(shows(d, " 0 of "));
    press(d, "Esc Esc");
    ck_assert(d->screen == screens[0] && d->rows == rows);
    ck_assert(at(d, 0)->w_bits == 5 && shows(d, "1-8 bits"));
    fixture_free(d);
}
END_TEST

START_TEST(views_have_names)
{
    struct desk *d = fixture_desk(22);
    press(d, ": v i Tab d Tab");
    ck_assert_str_eq(d->prompt.text, "view desk");
    ck_assert_str_eq(d->prompt.note, screens[0]->help);
    desk_show(d, &other);
    press(d, "Enter");
    ck_assert(d->screen == screens[0] && d->mode == MODE_SCREEN && !*d->message);
    press(d, ":");
    type(d, "view sideways");
    ck_assert_ptr_nonnull(strstr(d->message, "no screen \"sideways\""));
    press(d, ":");
    type(d, "view");
    for (int i = 0; screens[i]; i++)
        ck_assert_ptr_nonnull(strstr(d->prompt.note, screens[i]->name));
    fixture_free(d);
}
END_TEST

/* Large networks draw and edit: four digits, all rows marked at once. */
START_TEST(a_thousand_layers)
{
    struct desk *d = fixture_desk(1000);
    desk_resize(d, 120, 36);
    press(d, "G 4 * a 5 o o");
    ck_assert_int_eq(d->n_order, 1000);
    char *text = screen(d, 120, 36, GLYPHS_BRAILLE);
    ck_assert_ptr_nonnull(strstr(text, "Layers 1000"));
    mem_free(text);
    fixture_free(d);
}
END_TEST

/* The kernel of the setting as it is, its family where there is room, a mark where eight bits would be faster. */
START_TEST(kernels_have_a_column)
{
    struct desk *d = fixture_desk(4);
    struct tables *t = tables_copy(d->tables);
    t->cost.layers[0].kernel[8][8] = "conv_madd16_avx2";
    t->cost.layers[0].kernel[2][8] = conv_kernels[0]->name;
    t->cost.layers[0].latency_ns[2][8] = 2 * t->cost.layers[0].latency_ns[8][8];
    desk_set_tables(d, t);
    char *text = screen(d, 140, 24, GLYPHS_ASCII);
    ck_assert_msg(strstr(text, " kernel") && strstr(text, "conv_madd16_avx2") && !strstr(text, "decode"), "%s", text);
    mem_free(text);
    press(d, "w 2");
    text = screen(d, 140, 24, GLYPHS_ASCII);
    ck_assert_msg(strstr(text, " !conv_c") && !strstr(text, "conv_madd16_avx2"), "%s", text);
    mem_free(text);
    text = screen(d, 160, 24, GLYPHS_ASCII);
    ck_assert_msg(strstr(text, " !conv_c reference"), "%s", text);
    mem_free(text);
    text = screen(d, 120, 24, GLYPHS_ASCII);
    ck_assert(!strstr(text, "conv_c"));
    mem_free(text);
    fixture_free(d);
}
END_TEST

Suite *check_ui_desk_suite(void)
{
    Suite *s = suite_create("ui_desk");
    TCase *t = tcase_create("desk");
    int n = 0;
    while (action_at(n))
        n++;
    setlocale(LC_CTYPE, "C.UTF-8");
    tcase_add_loop_test(t, goldens, 0, sizeof golden_sizes / sizeof *golden_sizes);
    tcase_add_test(t, golden_help);
    tcase_add_test(t, golden_unknown);
    tcase_add_test(t, every_size_draws);
    tcase_add_test(t, glyphs_at_every_level);
    tcase_add_test(t, digit_sets_bits);
    tcase_add_test(t, marked_rows_are_one_edit);
    tcase_add_test(t, hidden_marks_are_kept);
    tcase_add_test(t, steps_clamp);
    tcase_add_test(t, schemes_cycle);
    tcase_add_test(t, mute_and_solo);
    tcase_add_test(t, groups_agree);
    tcase_add_test(t, locks_refuse);
    tcase_add_loop_test(t, undo_returns, 0, 20);
    tcase_add_test(t, filters);
    tcase_add_test(t, filters_of_noise);
    tcase_add_test(t, unknown_is_neither_above_nor_below);
    tcase_add_test(t, filter_prompt);
    tcase_add_test(t, action_table_is_sound);
    tcase_add_loop_test(t, three_ways_are_one, 0, n);
    tcase_add_test(t, commands_answer);
    tcase_add_test(t, screens_are_rows);
    tcase_add_test(t, views_have_names);
    tcase_add_test(t, set_where);
    tcase_add_test(t, quitting);
    tcase_add_test(t, search_results);
    tcase_add_test(t, measurements_are_stamped);
    tcase_add_test(t, names_are_cut_where_it_hurts_least);
    tcase_add_test(t, kernels_have_a_column);
    tcase_add_test(t, numbers);
    tcase_add_test(t, a_thousand_layers);
    tcase_set_timeout(t, 60);
    suite_add_tcase(s, t);
    return s;
}
