/* SPDX-License-Identifier: MIT */
#include "ui/desk_edit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ui/format.h"
#include "ui/glyphs.h"

struct targets {
    int *layers, n;
    int hidden; /* marked, but not shown: kept as they are */
    bool marks;
};

/* What an edit met with. Layers are indices, -1 when there was none. */
struct outcome {
    int changed, locked, shared;
    int one_locked;         /* a locked target */
    int one_refused;        /* a target whose group holds a locked layer ... */
    int one_holder;         /* ... this one */
    int one_shared;         /* a layer that changed because it reads the same tensor */
    int one_wrong;          /* a target whose width has not the scheme that was asked for ... */
    struct precision wrong; /* ... as it would be */
};

static struct targets marked_or_cursor(const struct desk *d)
{
    struct targets t = {.layers = mem_new((size_t)d->n_order + 1, sizeof *t.layers)};
    if (desk_marked(d, &t.hidden)) {
        t.marks = true;
        for (int i = 0; i < d->n_order; i++)
            if (d->marks[d->order[i]].marked)
                t.layers[t.n++] = d->order[i];
    } else if (desk_layer(d) >= 0) {
        t.layers[t.n++] = desk_layer(d);
    }
    return t;
}

static struct targets matching(const struct desk *d, const struct filter *f)
{
    struct targets t = {.layers = mem_new((size_t)d->model->n + 1, sizeof *t.layers)};
    for (int i = 0; i < d->model->n; i++) {
        struct filter_row row;
        desk_filter_row(d, i, f, &row);
        if (filter_match(f, &row))
            t.layers[t.n++] = i;
    }
    return t;
}

static bool same_group(const struct desk *d, int i, int j)
{
    return i != j && d->model->layers[i].group >= 0 && d->model->layers[i].group == d->model->layers[j].group;
}

/* The locked layer that keeps layer i from taking these activation bits, or -1. */
static int group_holder(const struct desk *d, const struct profile_layer *before, int i, int a_bits)
{
    for (int j = 0; j < d->model->n; j++)
        if (same_group(d, i, j) && before[j].lock && before[j].precision.a_bits != a_bits)
            return j;
    return -1;
}

/* Every target starts from what it was before the whole edit: two targets of a group must not step twice. */
static void apply(struct desk *d, const struct setting *s, const struct targets *t, const struct profile_layer *before,
                  struct outcome *o)
{
    *o = (struct outcome){.one_locked = -1, .one_refused = -1, .one_holder = -1, .one_shared = -1, .one_wrong = -1};
    struct profile_layer *layers = d->profile->layers;
    for (int k = 0; k < t->n; k++) {
        int i = t->layers[k];
        if (before[i].lock && s->lock == SETTING_UNSAID) {
            o->locked++;
            o->one_locked = i;
            continue;
        }
        struct precision p = before[i].precision;
        if (setting_apply(s, &p)) {
            o->one_wrong = i;
            o->wrong = p;
            continue;
        }
        bool activation = p.a_bits != before[i].precision.a_bits;
        int holder = activation ? group_holder(d, before, i, p.a_bits) : -1;
        if (holder >= 0) {
            o->one_refused = i;
            o->one_holder = holder;
            continue;
        }
        layers[i].precision = p;
        if (s->lock != SETTING_UNSAID)
            layers[i].lock = s->lock;
        for (int j = 0; activation && j < d->model->n; j++)
            if (same_group(d, i, j))
                precision_set_a(&layers[j].precision, p.a_bits);
    }
    for (int i = 0, k = 0; i < d->model->n; i++) {
        bool target = false;
        for (k = 0; k < t->n && !target; k++)
            target = t->layers[k] == i;
        bool changed = layers[i].lock != before[i].lock || !precision_equal(&layers[i].precision, &before[i].precision);
        o->changed += changed && target;
        if (changed && !target) {
            o->shared++;
            o->one_shared = i;
        }
    }
}

static void put_part(char out[96], const char *between, const char *number, const char *space, const char *unit)
{
    size_t n = strlen(out);
    if (strpbrk(number, "123456789")) /* what stays the same is not worth a word */
        snprintf(out + n, 96 - n, "%s%s%s%s", n ? between : "", number, space, unit);
}

char *desk_price(const struct estimate *from, const struct estimate *to, const char *space, const char *between,
                 char out[96])
{
    char number[24];
    double drop = from->drop - to->drop, bytes = to->size.value - from->size.value;
    double ns = to->latency.value - from->latency.value;
    struct scale time = format_time_scale(from->latency.value), size = format_size_scale(from->size.value);
    out[0] = '\0';
    put_part(out, between, format_signed(number, drop, 2), space, "pp");
    put_part(out, between, format_signed(number, bytes / size.divisor, 1), space, size.unit);
    put_part(out, between, format_signed(number, ns / time.divisor, time.decimals ? time.decimals + 1 : 1), space,
             time.unit);
    return out;
}

/* Why nothing changed, in the order of what the user can do about it. */
static void say_unchanged(struct desk *d, const struct setting *s, const struct targets *t, const struct outcome *o)
{
    const struct desk_layer *l = d->model->layers;
    char why[96];
    if (!t->n && t->hidden)
        desk_say(d, ROLE_NEAR, "all %d marked layers are hidden by the filter; Esc drops it", t->hidden);
    else if (!t->n)
        desk_say(d, ROLE_NEAR, "no layer matches; Esc drops the filter");
    else if (o->one_refused >= 0)
        desk_say(d, ROLE_NEAR, "%s keeps A%s: %s reads the same tensor and is locked (L unlocks)",
                 l[o->one_refused].name, format_bits(d->profile->layers[o->one_refused].precision.a_bits),
                 l[o->one_holder].name);
    else if (o->one_wrong >= 0)
        desk_say(d, ROLE_NEAR, "%s: %s", l[o->one_wrong].name, setting_contradiction(&o->wrong, why));
    else if (o->locked)
        desk_say(d, ROLE_NEAR, o->locked == 1 ? "%s is locked; L unlocks it" : "%s and others are locked; L unlocks",
                 l[o->one_locked].name);
    else if (s->step_w > 0 || s->step_a > 0)
        desk_say(d, ROLE_NEAR, "8 bits is the most; 0 sets fp32");
    else if (s->step_w < 0 || s->step_a < 0)
        desk_say(d, ROLE_NEAR, "1 bit is the least");
    else
        desk_say(d, ROLE_TEXT, t->n == 1 ? "%s has that already" : "%s and the others have that already",
                 l[t->layers[0]].name);
}

/* "conv1 W8>W4" for one layer, "W4 on 3 marked layers" for more. */
static void describe(const struct desk *d, const struct setting *s, const struct targets *t,
                     const struct profile_layer *before, char out[128])
{
    char text[64], was[16], is[16];
    if (t->n != 1) {
        snprintf(out, 128, "%s on %d %slayers", setting_text(s, text), t->n, t->marks ? "marked " : "");
        return;
    }
    int i = t->layers[0];
    const struct precision *p = &before[i].precision, *q = &d->profile->layers[i].precision;
    const char *name = d->model->layers[i].name;
    if (before[i].lock != d->profile->layers[i].lock)
        snprintf(out, 128, "%.60s %s", name, d->profile->layers[i].lock ? "locked" : "unlocked");
    else if (p->w_bits != q->w_bits && p->a_bits == q->a_bits)
        snprintf(out, 128, "%.60s W%d" G_TO "W%d", name, p->w_bits ? p->w_bits : 32, q->w_bits ? q->w_bits : 32);
    else if (p->a_bits != q->a_bits && p->w_bits == q->w_bits)
        snprintf(out, 128, "%.60s A%d" G_TO "A%d", name, p->a_bits ? p->a_bits : 32, q->a_bits ? q->a_bits : 32);
    else if (p->w_bits != q->w_bits)
        snprintf(out, 128, "%.60s %s" G_TO "%s", name, precision_text(p, was), precision_text(q, is));
    else
        snprintf(out, 128, "%.60s %s" G_TO "%s", name, format_choices(p, true, was), format_choices(q, true, is));
}

static void say_changed(struct desk *d, const struct setting *s, const struct targets *t, const struct outcome *o,
                        const char *what, const struct estimate *from)
{
    char price[96], notes[160] = "", number[24];
    size_t n = 0;
    if (o->shared) {
        const struct desk_layer *l = &d->model->layers[o->one_shared];
        int a = d->profile->layers[o->one_shared].precision.a_bits;
        snprintf(number, sizeof number, "A%d", a ? a : 32);
        n += (size_t)snprintf(notes, sizeof notes,
                              o->shared == 1 ? "; %s also on %.50s: it reads the same tensor"
                                             : "; %s also on %.50s and others: they read the same tensor",
                              number, l->name);
    }
    if (o->locked && n < sizeof notes)
        n += (size_t)snprintf(notes + n, sizeof notes - n, "; %d locked kept", o->locked);
    if (o->one_refused >= 0 && n < sizeof notes)
        n += (size_t)snprintf(notes + n, sizeof notes - n, "; %.30s kept: its tensor is locked",
                              d->model->layers[o->one_refused].name);
    if (t->hidden && n < sizeof notes)
        n += (size_t)snprintf(notes + n, sizeof notes - n, "; %d hidden kept", t->hidden);
    if (s->lock != SETTING_UNSAID) {
        desk_say(d, ROLE_TEXT, "%s%s.   u undoes", what, notes);
        return;
    }
    desk_price(from, &d->est, " ", ", ", price);
    desk_say(d, ROLE_TEXT, "%s%s%s%s.   u undoes", what, notes, *price ? ": est " : "", price);
}

static void edit(struct desk *d, const struct setting *s, struct targets t)
{
    struct estimate from = d->est;
    struct budgets budgets = d->profile->budgets;
    struct profile_layer *before = mem_new((size_t)d->model->n + 1, sizeof *before);
    memcpy(before, d->profile->layers, (size_t)d->model->n * sizeof *before);
    struct outcome o;
    char what[128];
    apply(d, s, &t, before, &o);
    describe(d, s, &t, before, what);
    if (history_commit(&d->history, d->profile, before, &budgets, what)) {
        desk_refresh(d);
        say_changed(d, s, &t, &o, what, &from);
    } else {
        say_unchanged(d, s, &t, &o);
    }
    mem_free(before);
    mem_free(t.layers);
}

void desk_edit(struct desk *d, const struct setting *s)
{
    edit(d, s, marked_or_cursor(d));
}

void desk_edit_where(struct desk *d, const struct setting *s, const struct filter *f)
{
    edit(d, s, matching(d, f));
}

int desk_edit_preview(struct desk *d, const struct setting *s, const struct filter *f, struct estimate *after)
{
    size_t n = (size_t)d->model->n;
    struct targets t = matching(d, f);
    struct profile_layer *before = mem_new(n + 1, sizeof *before);
    memcpy(before, d->profile->layers, n * sizeof *before);
    struct outcome o;
    apply(d, s, &t, before, &o);
    desk_refresh(d);
    *after = d->est;
    memcpy(d->profile->layers, before, n * sizeof *before);
    desk_refresh(d);
    mem_free(before);
    mem_free(t.layers);
    return o.changed + o.shared;
}

/* All of them get the same: locked, unless all are locked already. */
void desk_toggle_lock(struct desk *d)
{
    struct targets t = marked_or_cursor(d);
    bool all = true;
    for (int i = 0; i < t.n; i++)
        all = all && d->profile->layers[t.layers[i]].lock;
    struct setting s = setting_none();
    s.lock = !all;
    edit(d, &s, t);
}

void desk_toggle_mute(struct desk *d)
{
    struct targets t = marked_or_cursor(d);
    struct estimate from = d->est;
    bool all = true;
    for (int i = 0; i < t.n; i++)
        all = all && d->marks[t.layers[i]].muted;
    for (int i = 0; i < t.n; i++)
        d->marks[t.layers[i]].muted = !all;
    desk_refresh(d);
    char price[96];
    desk_price(&from, &d->est, " ", ", ", price);
    if (t.n == 1)
        desk_say(d, ROLE_TEXT, "%s %s: est %s", d->model->layers[t.layers[0]].name,
                 all ? "sounds again" : "muted (fp32 for now)", price);
    else if (t.n)
        desk_say(d, ROLE_TEXT, "%d layers %s: est %s", t.n, all ? "sound again" : "muted (fp32 for now)", price);
    mem_free(t.layers);
}

void desk_toggle_solo(struct desk *d)
{
    int i = desk_layer(d);
    if (i < 0)
        return;
    d->solo = d->solo == i ? -1 : i;
    desk_refresh(d);
    if (d->solo < 0)
        desk_say(d, ROLE_TEXT, "solo ended: all layers sound");
    else
        desk_say(d, ROLE_TEXT, "solo: %s alone is quantized, all else fp32 for now; s ends it",
                 d->model->layers[i].name);
}

void desk_set_budgets(struct desk *d, const struct budgets *b, const char *text)
{
    struct budgets before = d->profile->budgets;
    d->profile->budgets = *b;
    if (!history_commit(&d->history, d->profile, d->profile->layers, &before, text)) {
        desk_say(d, ROLE_TEXT, "that is the budget already");
        return;
    }
    desk_refresh(d);
    desk_say(d, ROLE_TEXT, "%s.   u undoes", text);
}

void desk_take(struct desk *d, const struct profile *p, const char *text)
{
    struct estimate from = d->est;
    size_t n = (size_t)d->model->n;
    struct profile_layer *before = mem_new(n + 1, sizeof *before);
    memcpy(before, d->profile->layers, n * sizeof *before);
    for (size_t i = 0; i < n; i++)
        d->profile->layers[i].precision = p->layers[i].precision;
    bool changed = history_commit(&d->history, d->profile, before, &d->profile->budgets, text);
    mem_free(before);
    desk_refresh(d);
    char price[96];
    desk_price(&from, &d->est, " ", ", ", price);
    if (changed)
        desk_say(d, ROLE_TEXT, "%s: est %s.   u undoes", text, price);
    else
        desk_say(d, ROLE_TEXT, "%s: it is what stands on the desk", text);
}

void desk_undo(struct desk *d)
{
    const struct record *r = history_undo(&d->history, d->profile);
    if (!r) {
        desk_say(d, ROLE_NEAR, "nothing to undo");
        return;
    }
    desk_refresh(d);
    desk_say(d, ROLE_TEXT, "undone: %s   (%d left, ^R redoes)", r->text, d->history.at);
}

void desk_redo(struct desk *d)
{
    const struct record *r = history_redo(&d->history, d->profile);
    if (!r) {
        desk_say(d, ROLE_NEAR, "nothing to redo");
        return;
    }
    desk_refresh(d);
    desk_say(d, ROLE_TEXT, "redone: %s", r->text);
}
