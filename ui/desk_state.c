/* SPDX-License-Identifier: MIT */
#include "ui/desk_state.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ui/format.h"

struct desk *desk_new(const struct desk_model *m, struct profile *p, const char *path, struct tables *t)
{
    assert(p->n_layers == m->n && t->n_layers == m->n);
    struct desk *d = mem_new(1, sizeof *d);
    d->model = m;
    d->profile = p;
    d->path = path ? mem_strdup(path) : NULL;
    d->tables = t;
    d->marks = mem_new((size_t)m->n + 1, sizeof *d->marks);
    d->order = mem_new((size_t)m->n + 1, sizeof *d->order);
    d->effective = mem_new((size_t)m->n + 1, sizeof *d->effective);
    d->search = search_defaults();
    d->solo = -1;
    d->screen = screens[0];
    d->measured = (struct desk_measured){.accuracy = NAN, .agreement = NAN};
    if (p->measurement.known) {
        d->measured.known = d->measured.loaded = true;
        d->measured.accuracy = p->measurement.accuracy;
        d->measured.latency_ns = p->measurement.latency_us * 1e3;
        d->measured.bytes = p->measurement.bytes;
        d->measured.images = p->measurement.images;
    }
    d->method = p->search ? mem_strdup(p->search) : NULL;
    d->sensitivity = p->sensitivity ? mem_strdup(p->sensitivity) : NULL;
    d->seed = p->seed;
    desk_refresh(d);
    desk_sort_rows(d);
    desk_resize(d, 80, 24);
    return d;
}

static void drop_asked(struct desk *d)
{
    if (d->asked.kind)
        d->asked.kind->free(d->asked.work);
    d->asked = (struct desk_asked){NULL, NULL};
}

void desk_free(struct desk *d)
{
    if (!d)
        return;
    drop_asked(d);
    profile_free(d->profile);
    profile_free(d->offer);
    tables_free(d->tables);
    filter_free(d->filter);
    history_done(&d->history);
    mem_free(d->path);
    mem_free(d->suggested);
    mem_free(d->target);
    mem_free(d->marks);
    mem_free(d->order);
    mem_free(d->effective);
    mem_free(d->method);
    mem_free(d->sensitivity);
    mem_free(d->measured.kernels);
    mem_free(d);
}

struct profile desk_effective(const struct desk *d)
{
    struct profile p = *d->profile;
    p.layers = d->effective;
    return p;
}

void desk_refresh(struct desk *d)
{
    for (int i = 0; i < d->model->n; i++) {
        d->effective[i] = d->profile->layers[i];
        if (d->marks[i].muted || (d->solo >= 0 && d->solo != i)) {
            precision_set_w(&d->effective[i].precision, BITS_FLOAT);
            precision_set_a(&d->effective[i].precision, BITS_FLOAT);
        }
    }
    struct profile p = desk_effective(d);
    estimate_profile(d->tables, &p, NULL, &d->est);
}

void desk_listening(const struct desk *d, char out[96])
{
    int muted = 0;
    for (int i = 0; i < d->model->n; i++)
        muted += d->marks[i].muted;
    char solo[48] = "", name[40];
    if (d->solo >= 0)
        snprintf(solo, sizeof solo, "[solo %.30s]", format_name(name, sizeof name, d->model->layers[d->solo].name, 16));
    if (muted == 1)
        snprintf(out, 96, "[mute]%s", solo);
    else if (muted)
        snprintf(out, 96, "[mute %d]%s", muted, solo);
    else
        snprintf(out, 96, "%s", solo);
}

void desk_set_tables(struct desk *d, struct tables *t)
{
    assert(t->n_layers == d->model->n);
    tables_free(d->tables);
    d->tables = t;
    desk_refresh(d);
}

static void keep_in_sight(struct desk *d)
{
    int rows = d->rows > 0 ? d->rows : 1;
    if (d->cursor < d->top)
        d->top = d->cursor;
    if (d->cursor >= d->top + rows)
        d->top = d->cursor - rows + 1;
    if (d->top > d->n_order - rows)
        d->top = d->n_order - rows;
    if (d->top < 0)
        d->top = 0;
}

struct layout desk_layout(const struct desk *d, int w, int h)
{
    int digits = 1;
    for (int n = d->model->n; n > 9; n /= 10)
        digits++;
    return d->screen->layout(w, h, digits);
}

void desk_resize(struct desk *d, int w, int h)
{
    d->width = w;
    d->height = h;
    struct layout l = desk_layout(d, w, h);
    if (!l.too_small)
        d->rows = l.body.h;
    keep_in_sight(d);
}

void desk_show(struct desk *d, const struct screen *s)
{
    d->screen = s;
    desk_resize(d, d->width, d->height);
}

void desk_open_prompt(struct desk *d, char sign, const char *text)
{
    struct desk_prompt *p = &d->prompt;
    *p = (struct desk_prompt){.sign = sign};
    p->n = p->at = snprintf(p->text, sizeof p->text, "%.250s", text);
    snprintf(p->before, sizeof p->before, "%s", d->filter_text);
    d->mode = MODE_PROMPT;
    d->message[0] = '\0';
}

void desk_prompt_wrong(struct desk *d, const struct err *e)
{
    snprintf(d->prompt.note, sizeof d->prompt.note, "%.150s", e->text);
    d->prompt.wrong = true;
}

int desk_layer(const struct desk *d)
{
    return d->n_order ? d->order[d->cursor] : -1;
}

void desk_move(struct desk *d, int to)
{
    d->cursor = to >= d->n_order ? d->n_order - 1 : to;
    if (d->cursor < 0)
        d->cursor = 0;
    keep_in_sight(d);
}

struct keyed {
    double key;
    const char *name;
    int layer;
};

static int compare_keyed(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    if (x->key < y->key || x->key > y->key)
        return x->key < y->key ? -1 : 1;
    int names = strcmp(x->name, y->name);
    return names ? names : x->layer - y->layer;
}

/* Smaller stands higher. The unknown comes last. */
static double sort_key(const struct desk *d, int i)
{
    const struct precision *p = &d->profile->layers[i].precision;
    const struct layer_table *l = &d->tables->layers[i];
    double v = i;
    switch (d->sort) {
    case SORT_DROP:
        v = -estimate_loss(l, p);
        break;
    case SORT_LATENCY:
        v = -estimate_latency_ns(&d->tables->cost.layers[i], p);
        break;
    case SORT_SIZE:
        v = -(double)estimate_bytes(l, p);
        break;
    case SORT_W:
        v = p->w_bits ? p->w_bits : 32;
        break;
    case SORT_A:
        v = p->a_bits ? p->a_bits : 32;
        break;
    case SORT_NAME:
        v = 0;
        break;
    case SORT_NUMBER:
    case SORT_COUNT:
        break;
    }
    return isnan(v) ? INFINITY : v;
}

const char *desk_sort_name(enum desk_sort s)
{
    static const char *const names[SORT_COUNT] = {"#", "harm", "latency", "size", "W", "A", "name"};
    return names[s];
}

void desk_filter_row(const struct desk *d, int i, const struct filter *f, struct filter_row *out)
{
    const struct desk_layer *l = &d->model->layers[i];
    const struct profile_layer *p = &d->profile->layers[i];
    *out = (struct filter_row){
        .name = l->name, .kind = l->kind, .aliases = l->aliases, .marked = d->marks[i].marked, .locked = p->lock};
    out->muted = d->marks[i].muted;
    int w = p->precision.w_bits;
    double *v = out->value;
    v[FILTER_NUMBER] = i;
    v[FILTER_W] = w ? w : 32;
    v[FILTER_A] = p->precision.a_bits ? p->precision.a_bits : 32;
    v[FILTER_PARAMS] = (double)l->params;
    v[FILTER_MACS] = (double)l->macs;
    v[FILTER_SENS] = w ? estimate_solo_drop(d->tables, i, w) : 0;
    if (!filter_needs(f, FILTER_DROP) && !filter_needs(f, FILTER_SQNR) && !filter_needs(f, FILTER_LATENCY) &&
        !filter_needs(f, FILTER_SIZE))
        return;
    struct layer_estimate e;
    estimate_layer(d->tables, d->profile, i, &e);
    v[FILTER_DROP] = e.drop;
    v[FILTER_SQNR] = e.sqnr;
    v[FILTER_LATENCY] = e.latency_share * 100;
    v[FILTER_SIZE] = e.size_share * 100;
}

void desk_sort_rows(struct desk *d)
{
    int layer = desk_layer(d), n = 0;
    struct keyed *keys = mem_new((size_t)d->model->n + 1, sizeof *keys);
    for (int i = 0; i < d->model->n; i++) {
        struct filter_row row;
        desk_filter_row(d, i, d->filter, &row);
        if (filter_match(d->filter, &row))
            keys[n++] = (struct keyed){sort_key(d, i), d->sort == SORT_NAME ? row.name : "", i};
    }
    qsort(keys, (size_t)n, sizeof *keys, compare_keyed);
    d->n_order = n;
    int cursor = d->cursor;
    for (int i = 0; i < n; i++) {
        d->order[i] = keys[d->reverse ? n - 1 - i : i].layer;
        if (d->order[i] == layer)
            cursor = i;
    }
    mem_free(keys);
    desk_move(d, cursor);
}

int desk_marked(const struct desk *d, int *hidden)
{
    int all = 0, seen = 0;
    for (int i = 0; i < d->model->n; i++)
        all += d->marks[i].marked;
    for (int i = 0; i < d->n_order; i++)
        seen += d->marks[d->order[i]].marked;
    if (hidden)
        *hidden = all - seen;
    return all;
}

int desk_set_filter(struct desk *d, const char *expression, struct err *e)
{
    const char *first = expression + strspn(expression, " ");
    struct filter *f = *first ? filter_parse(first, e) : NULL;
    if (*first && !f)
        return -1;
    filter_free(d->filter);
    d->filter = f;
    if (first != d->filter_text)
        snprintf(d->filter_text, sizeof d->filter_text, "%s", first);
    desk_sort_rows(d);
    return 0;
}

void desk_ask_job(struct desk *d, const struct job_kind *kind, void *work)
{
    drop_asked(d);
    d->asked = (struct desk_asked){kind, work};
    d->request = REQUEST_JOB;
}

bool desk_unsaved(const struct desk *d)
{
    return history_revision(&d->history) != d->saved;
}

void desk_saved(struct desk *d)
{
    mem_free(d->path);
    d->path = d->target;
    d->target = NULL;
    d->saved = history_revision(&d->history);
}

void desk_say(struct desk *d, enum role role, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(d->message, sizeof d->message, format, ap);
    va_end(ap);
    d->message_role = role;
}
