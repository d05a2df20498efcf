/* SPDX-License-Identifier: MIT */
#include "ui/actions.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "ui/arguments.h"
#include "ui/desk_edit.h"
#include "ui/desk_results.h"
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

static void run(struct desk *d, const char *arg)
{
    (void)arg;
    job_run_ask(d);
}

static void analyze(struct desk *d, const char *arg)
{
    (void)arg;
    job_analyze_ask(d);
}

static void stop(struct desk *d, const char *arg)
{
    (void)arg;
    if (!d->job.kind)
        desk_say(d, ROLE_TEXT, "nothing is running");
    else
        d->request = REQUEST_STOP;
}

static void budget(struct desk *d, const char *arg)
{
    struct budgets b = d->profile->budgets;
    struct err e;
    char text[128];
    if (!*arg) {
        desk_open_prompt(d, ':', "budget ");
        return;
    }
    if (arguments_budgets(arg, &b, &e)) {
        desk_say(d, ROLE_OVER, "budget: %s", e.text);
        return;
    }
    snprintf(text, sizeof text, "budget %.80s", arg);
    desk_set_budgets(d, &b, text);
}

static void search(struct desk *d, const char *arg)
{
    (void)arg;
    if (budgets_any(&d->profile->budgets)) {
        job_search_ask(d);
        return;
    }
    desk_open_prompt(d, ':', "budget ");
    snprintf(d->prompt.note, sizeof d->prompt.note, "a search needs a budget first: size=120KiB  acc-drop=0.5pp");
}

static void take(struct desk *d, const char *arg)
{
    (void)arg;
    if (!d->offer) {
        desk_say(d, ROLE_NEAR, "there is nothing to take: S searches");
        return;
    }
    desk_take_found(d, d->offer, "search result taken");
    profile_free(d->offer);
    d->offer = NULL;
}

/* Where to: what was named, else where it came from, else a question. */
static void save_to(struct desk *d, const char *arg, const char *command, enum desk_request request)
{
    char line[256];
    if (!*arg && !d->path) {
        snprintf(line, sizeof line, "%s %.200s", command, d->suggested ? d->suggested : "");
        desk_open_prompt(d, ':', line);
        return;
    }
    mem_free(d->target);
    d->target = mem_strdup(*arg ? arg : d->path);
    d->request = request;
}

static void save(struct desk *d, const char *arg)
{
    if (*arg && file_exists(arg) && (!d->path || strcmp(arg, d->path))) {
        desk_say(d, ROLE_OVER, "%.120s is there already; :w! %.60s replaces it and keeps it as .bak", arg, arg);
        return;
    }
    save_to(d, arg, "w", REQUEST_SAVE);
}

static void save_over(struct desk *d, const char *arg)
{
    save_to(d, arg, "w!", REQUEST_SAVE);
}

static void save_quit(struct desk *d, const char *arg)
{
    save_to(d, arg, "wq", REQUEST_SAVE_QUIT);
}

static void quit(struct desk *d, const char *arg)
{
    (void)arg;
    if (desk_unsaved(d) || (d->job.kind && d->job.kind->quit))
        d->mode = MODE_QUIT;
    else
        d->request = REQUEST_QUIT;
}

static void quit_now(struct desk *d, const char *arg)
{
    (void)arg;
    d->request = REQUEST_QUIT;
}

static void command(struct desk *d, const char *arg)
{
    (void)arg;
    desk_open_prompt(d, ':', "");
}

static void help(struct desk *d, const char *arg)
{
    d->help = (struct desk_help){0};
    snprintf(d->help.text, sizeof d->help.text, "%.60s", arg);
    d->mode = MODE_HELP;
}

static void redraw(struct desk *d, const char *arg)
{
    (void)arg;
    desk_sort_rows(d);
    d->request = REQUEST_REDRAW;
}

static void suspend(struct desk *d, const char *arg)
{
    (void)arg;
    d->request = REQUEST_SUSPEND;
}

/* One thing at a time, the innermost first. */
static void back(struct desk *d, const char *arg)
{
    (void)arg;
    int marked = desk_marked(d, NULL);
    if (d->filter) {
        desk_set_filter(d, "", NULL);
        desk_say(d, ROLE_TEXT, "filter dropped");
    } else if (marked) {
        for (int i = 0; i < d->model->n; i++)
            d->marks[i].marked = false;
        desk_say(d, ROLE_TEXT, "%d mark%s cleared", marked, marked == 1 ? "" : "s");
    }
}

static void cancel(struct desk *d, const char *arg)
{
    (void)arg;
    desk_say(d, ROLE_TEXT, d->job.kind ? "q quits, X stops what runs" : "q quits");
}

static const struct action table[] = {
    {"down", {"j", "Down"}, "MOVE", NULL, "next layer", down, false},
    {"up", {"k", "Up"}, "MOVE", NULL, "previous layer", up, false},
    {"top", {"g g", "Home"}, "MOVE", NULL, "first layer", top, false},
    {"bottom", {"G", "End"}, "MOVE", NULL, "last layer", bottom, false},
    {"half-down", {"^D"}, "MOVE", NULL, "half a page down", half_down, false},
    {"half-up", {"^U"}, "MOVE", NULL, "half a page up", half_up, false},
    {"page-down", {"PgDn", "^F"}, "MOVE", NULL, "a page down", page_down, false},
    {"page-up", {"PgUp", "^B"}, "MOVE", NULL, "a page up", page_up, false},
    {"side-left", {"h", "Left"}, "MOVE", NULL, "digits set W, A, both", side_left, false},
    {"side-right", {"l", "Right"}, "MOVE", NULL, "digits set A, then both", side_right, false},
    {"goto", {NULL}, "MOVE", "N", "layer by number or name", go_to, false},
    {"bits", {"#"}, "SET", "N", "bits; 0 is fp32", bits, true},
    {"set-w", {"w #"}, "SET", "N", "bits of the weights", bits_w, true},
    {"set-a", {"a #"}, "SET", "N", "bits of the activations", bits_a, true},
    {"set-both", {"b #"}, "SET", "N", "bits of both", bits_both, true},
    {"more", {"+", "="}, "SET", NULL, "one bit more", more, true},
    {"less", {"-"}, "SET", NULL, "one bit less", less, true},
    {"scheme-next", {"]"}, "SET", NULL, "next scheme, range", scheme_next, true},
    {"scheme-previous", {"["}, "SET", NULL, "previous scheme, range", scheme_previous, true},
    {"set", {NULL}, "SET", "SETTING [where EXPR]", "set w4 where op:pw", set, true, preview_set},
    {"undo", {"u"}, "SET", NULL, "undo", undo, false},
    {"redo", {"^R"}, "SET", NULL, "redo", redo, false},
    {"mute", {"m"}, "LISTEN", NULL, "run it in fp32 for now", mute, false},
    {"solo", {"s"}, "LISTEN", NULL, "quantize only this one", solo, false},
    {"lock", {"L"}, "LISTEN", NULL, "lock: no edit, no search", lock, true},
    {"mark", {"Space"}, "MARK, FIND", NULL, "mark and go down", mark, false},
    {"mark-invert", {"*"}, "MARK, FIND", NULL, "invert the marks", mark_invert, false},
    {"back", {"Esc"}, "MARK, FIND", NULL, "drop filter, then marks", back, false},
    {"filter", {"/"}, "MARK, FIND", "[EXPR]", "rows: conv op:dw w<4", filter, false},
    {"sort", {"o"}, "MARK, FIND", "[COLUMN]", "sort by the next column", sort, false},
    {"sort-reverse", {"O"}, "MARK, FIND", NULL, "turn the order round", sort_reverse, false},
    {"budget", {"B"}, "WORK", "size=120KiB", "limits; acc-drop=0.5pp", budget, true, preview_budget},
    {"search", {"S"}, "WORK", NULL, "find a profile for them", search, true},
    {"take", {NULL}, "WORK", NULL, "take what a search found", take, true},
    {"run", {"r"}, "WORK", NULL, "measure on real kernels", run, false},
    {"analyze", {"R"}, "WORK", NULL, "measure what is unknown", analyze, false},
    {"stop", {"X"}, "WORK", NULL, "stop, keep the results", stop, false},
    {"save", {"^S", ":w"}, "FILES", "[FILE]", "save the profile", save, false, preview_save},
    {"save-over", {"Z W", ":w!"}, "FILES", "[FILE]", "save over another file", save_over, false},
    {"save-quit", {"Z Z", ":wq", ":x"}, "FILES", "[FILE]", "save and quit", save_quit, false},
    {"quit", {"q", ":q"}, "FILES", NULL, "quit, asks to save", quit, false},
    {"quit!", {"Z Q", ":q!"}, "FILES", NULL, "quit without saving", quit_now, false},
    {"command", {":"}, "PROGRAM", NULL, "command line (Tab)", command, false},
    {"help", {"?", "F1"}, "PROGRAM", "[WORD]", "this list", help, false},
    {"redraw", {"^L"}, "PROGRAM", NULL, "redraw, sort again", redraw, false},
    {"suspend", {"^Z"}, "PROGRAM", NULL, "suspend; fg comes back", suspend, false},
    {"cancel", {"^C"}, "PROGRAM", NULL, "cancel what is typed", cancel, false},
};
enum { N = sizeof table / sizeof *table };

const struct action *action_table(int *n)
{
    *n = N;
    return table;
}

const struct action *action_find(const char *name)
{
    for (int i = 0; i < N; i++) {
        if (!strcmp(table[i].name, name))
            return &table[i];
        for (int k = 0; k < ACTION_KEYS && table[i].keys[k]; k++)
            if (table[i].keys[k][0] == ':' && table[i].keys[k][1] && !strcmp(table[i].keys[k] + 1, name))
                return &table[i];
    }
    return NULL;
}

const char *action_nearest(const char *name)
{
    int best = INT_MAX;
    const char *nearest = table[0].name;
    for (int i = 0; i < N; i++) {
        int distance = text_distance(name, table[i].name);
        if (distance < best) {
            best = distance;
            nearest = table[i].name;
        }
    }
    return nearest;
}
