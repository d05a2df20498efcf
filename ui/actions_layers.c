/* SPDX-License-Identifier: MIT
 *
 * What one does with the layers of the table: move, set, listen, mark and find.
 */
#include <stdlib.h>
#include <string.h>

#include "ui/actions.h"
#include "ui/arguments.h"
#include "ui/desk_edit.h"
#include "ui/preview.h"

static void down(struct desk *d, const char *arg)
{
    (void)arg;
    desk_move(d, d->cursor + 1);
}

static void up(struct desk *d, const char *arg)
{
    (void)arg;
    desk_move(d, d->cursor - 1);
}

static void top(struct desk *d, const char *arg)
{
    (void)arg;
    desk_move(d, 0);
}

static void bottom(struct desk *d, const char *arg)
{
    (void)arg;
    desk_move(d, d->n_order - 1);
}

static void half_down(struct desk *d, const char *arg)
{
    (void)arg;
    desk_move(d, d->cursor + (d->rows + 1) / 2);
}

static void half_up(struct desk *d, const char *arg)
{
    (void)arg;
    desk_move(d, d->cursor - (d->rows + 1) / 2);
}

static void page_down(struct desk *d, const char *arg)
{
    (void)arg;
    desk_move(d, d->cursor + d->rows);
}

static void page_up(struct desk *d, const char *arg)
{
    (void)arg;
    desk_move(d, d->cursor - d->rows);
}

static void say_side(struct desk *d)
{
    static const char *const texts[] = {"digits set weights (W)", "digits set activations (A)",
                                        "digits set both, W and A"};
    desk_say(d, ROLE_TEXT, "%s", texts[d->side]);
}

static void side_left(struct desk *d, const char *arg)
{
    (void)arg;
    d->side = d->side == SIDE_W ? SIDE_W : (enum desk_side)(d->side - 1);
    say_side(d);
}

static void side_right(struct desk *d, const char *arg)
{
    (void)arg;
    d->side = d->side == SIDE_BOTH ? SIDE_BOTH : (enum desk_side)(d->side + 1);
    say_side(d);
}

/* A layer by number or by name. */
static void go_to(struct desk *d, const char *arg)
{
    char *end;
    long n = strtol(arg, &end, 10);
    int layer = !*arg || *end || n < 0 || n >= d->model->n ? -1 : (int)n;
    for (int i = 0; i < d->model->n && layer < 0; i++)
        if (!strcmp(d->model->layers[i].name, arg))
            layer = i;
    for (int i = 0; i < d->n_order; i++)
        if (d->order[i] == layer) {
            desk_move(d, i);
            return;
        }
    if (layer >= 0)
        desk_say(d, ROLE_NEAR, "layer %d is hidden by the filter; Esc drops it", layer);
    else
        desk_say(d, ROLE_OVER, "no layer \"%.40s\": 0 to %d, or a name", arg, d->model->n - 1);
}

static void set_bits(struct desk *d, enum desk_side side, const char *arg)
{
    struct setting s = setting_none();
    if (arg[0] < '0' || arg[0] > '8' || arg[1]) {
        desk_say(d, ROLE_NEAR, "bits are 1 to 8; 0 is fp32");
        return;
    }
    if (side != SIDE_A)
        s.w = arg[0] - '0';
    if (side != SIDE_W)
        s.a = arg[0] - '0';
    desk_edit(d, &s);
}

static void bits(struct desk *d, const char *arg)
{
    set_bits(d, d->side, arg);
}

static void bits_w(struct desk *d, const char *arg)
{
    set_bits(d, SIDE_W, arg);
}

static void bits_a(struct desk *d, const char *arg)
{
    set_bits(d, SIDE_A, arg);
}

static void bits_both(struct desk *d, const char *arg)
{
    set_bits(d, SIDE_BOTH, arg);
}

static void step(struct desk *d, int by)
{
    struct setting s = setting_none();
    s.step_w = d->side != SIDE_A ? by : 0;
    s.step_a = d->side != SIDE_W ? by : 0;
    desk_edit(d, &s);
}

static void more(struct desk *d, const char *arg)
{
    (void)arg;
    step(d, 1);
}

static void less(struct desk *d, const char *arg)
{
    (void)arg;
    step(d, -1);
}

static void cycle(struct desk *d, int by)
{
    struct setting s = setting_none();
    s.cycle = by;
    desk_edit(d, &s);
}

static void scheme_next(struct desk *d, const char *arg)
{
    (void)arg;
    cycle(d, 1);
}

static void scheme_previous(struct desk *d, const char *arg)
{
    (void)arg;
    cycle(d, -1);
}

static void set(struct desk *d, const char *arg)
{
    struct setting s;
    struct filter *f = NULL;
    struct err e;
    if (arguments_set(arg, &s, &f, &e))
        desk_say(d, ROLE_OVER, "set: %s", e.text);
    else if (f)
        desk_edit_where(d, &s, f);
    else
        desk_edit(d, &s);
    filter_free(f);
}

static void undo(struct desk *d, const char *arg)
{
    (void)arg;
    desk_undo(d);
}

static void redo(struct desk *d, const char *arg)
{
    (void)arg;
    desk_redo(d);
}

static void mute(struct desk *d, const char *arg)
{
    (void)arg;
    desk_toggle_mute(d);
}

static void solo(struct desk *d, const char *arg)
{
    (void)arg;
    desk_toggle_solo(d);
}

static void lock(struct desk *d, const char *arg)
{
    (void)arg;
    desk_toggle_lock(d);
}

static void mark(struct desk *d, const char *arg)
{
    (void)arg;
    int layer = desk_layer(d);
    if (layer < 0)
        return;
    d->marks[layer].marked = !d->marks[layer].marked;
    desk_move(d, d->cursor + 1);
}

static void mark_invert(struct desk *d, const char *arg)
{
    (void)arg;
    for (int i = 0; i < d->n_order; i++)
        d->marks[d->order[i]].marked = !d->marks[d->order[i]].marked;
    desk_say(d, ROLE_TEXT, "%d marked", desk_marked(d, NULL));
}

static void filter(struct desk *d, const char *arg)
{
    struct err e;
    if (!*arg)
        desk_open_prompt(d, '/', d->filter_text);
    else if (desk_set_filter(d, arg, &e))
        desk_say(d, ROLE_OVER, "filter: %s", e.text);
}

static void sort(struct desk *d, const char *arg)
{
    int s = *arg ? -1 : ((int)d->sort + 1) % SORT_COUNT;
    for (int i = 0; i < SORT_COUNT && s < 0; i++)
        if (!strcmp(desk_sort_name((enum desk_sort)i), arg))
            s = i;
    if (s < 0) {
        desk_say(d, ROLE_OVER, "sort: by #, harm, latency, size, W, A or name");
        return;
    }
    d->sort = (enum desk_sort)s;
    desk_sort_rows(d);
    desk_say(d, ROLE_TEXT, "sorted by %s; o takes the next column, O turns it round", desk_sort_name(d->sort));
}

static void sort_reverse(struct desk *d, const char *arg)
{
    (void)arg;
    d->reverse = !d->reverse;
    desk_sort_rows(d);
}

/* One thing at a time, the innermost first. */
static void back(struct desk *d, const char *arg)
{
    (void)arg;
    int marked = desk_marked(d, NULL);
    if (d->screen != screens[0]) {
        desk_show(d, screens[0]);
    } else if (d->filter) {
        desk_set_filter(d, "", NULL);
        desk_say(d, ROLE_TEXT, "filter dropped");
    } else if (marked) {
        for (int i = 0; i < d->model->n; i++)
            d->marks[i].marked = false;
        desk_say(d, ROLE_TEXT, "%d mark%s cleared", marked, marked == 1 ? "" : "s");
    }
}

static const struct action rows[] = {
    {"down", {"j", "Down"}, ON_DESK, "MOVE", NULL, "next layer", down},
    {"up", {"k", "Up"}, ON_DESK, "MOVE", NULL, "previous layer", up},
    {"top", {"g g", "Home"}, ON_DESK, "MOVE", NULL, "first layer", top},
    {"bottom", {"G", "End"}, ON_DESK, "MOVE", NULL, "last layer", bottom},
    {"half-down", {"^D"}, ON_DESK, "MOVE", NULL, "half a page down", half_down},
    {"half-up", {"^U"}, ON_DESK, "MOVE", NULL, "half a page up", half_up},
    {"page-down", {"PgDn", "^F"}, ON_DESK, "MOVE", NULL, "a page down", page_down},
    {"page-up", {"PgUp", "^B"}, ON_DESK, "MOVE", NULL, "a page up", page_up},
    {"side-left", {"h", "Left"}, ON_DESK, "MOVE", NULL, "digits set W, A, both", side_left},
    {"side-right", {"l", "Right"}, ON_DESK, "MOVE", NULL, "digits set A, then both", side_right},
    {"goto", {NULL}, ON_DESK, "MOVE", "N", "layer by number or name", go_to},
    {"bits", {"#"}, ON_DESK, "SET", "N", "bits; 0 is fp32", bits, {{"1-8", "bits", 1, 0}, {"0", "fp32", 2, 9}}},
    {"set-w", {"w #"}, ON_DESK, "SET", "N", "bits of the weights", bits_w, {{"w/a/b", "which", 4, 11}}},
    {"set-a", {"a #"}, ON_DESK, "SET", "N", "bits of the activations", bits_a},
    {"set-both", {"b #"}, ON_DESK, "SET", "N", "bits of both", bits_both},
    {"more", {"+", "="}, ON_DESK, "SET", NULL, "one bit more", more, {{"+/-", "step", 3, 8}}},
    {"less", {"-"}, ON_DESK, "SET", NULL, "one bit less", less},
    {"scheme-next", {"]"}, ON_DESK, "SET", NULL, "next scheme, range", scheme_next, {{"[]", "scheme", 5, 12}}},
    {"scheme-previous", {"["}, ON_DESK, "SET", NULL, "previous scheme, range", scheme_previous},
    {"set", {NULL}, ON_DESK, "SET", "SETTING [where EXPR]", "set w4 where op:pw", set, .preview = preview_set},
    {"undo", {"u"}, ON_ALL, "SET", NULL, "undo", undo, {{NULL, "undo", 10, 1}}},
    {"redo", {"^R"}, ON_ALL, "SET", NULL, "redo", redo, {{NULL, "redo", 11, 14}}},
    {"mute", {"m"}, ON_DESK, "LISTEN", NULL, "run it in fp32 for now", mute, {{NULL, "mute", 7, 4}}},
    {"solo", {"s"}, ON_DESK, "LISTEN", NULL, "quantize only this one", solo, {{NULL, "solo", 8, 5}}},
    {"lock", {"L"}, ON_DESK, "LISTEN", NULL, "lock: no edit, no search", lock},
    {"mark", {"Space"}, ON_DESK, "MARK, FIND", NULL, "mark and go down", mark, {{"Spc", "mark", 6, 6}}},
    {"mark-invert", {"*"}, ON_DESK, "MARK, FIND", NULL, "invert the marks", mark_invert},
    {"back", {"Esc"}, ON_ALL, "MARK, FIND", NULL, "drop filter, then marks", back},
    {"filter", {"/"}, ON_DESK, "MARK, FIND", "[EXPR]", "rows: conv op:dw w<4", filter, {{NULL, "filter", 9, 7}}},
    {"sort", {"o"}, ON_DESK, "MARK, FIND", "[COLUMN]", "sort by the next column", sort},
    {"sort-reverse", {"O"}, ON_DESK, "MARK, FIND", NULL, "turn the order round", sort_reverse},
};
const struct action_list actions_layers = {rows, sizeof rows / sizeof *rows};
