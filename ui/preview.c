/* SPDX-License-Identifier: MIT */
#include "ui/preview.h"

#include <stdio.h>

#include "base/file.h"
#include "ui/arguments.h"
#include "ui/desk_edit.h"

void preview_set(struct desk *d, const char *arg)
{
    struct setting s;
    struct filter *f = NULL;
    struct err e;
    struct estimate after;
    char price[96];
    if (!*arg)
        return;
    if (arguments_set(arg, &s, &f, &e)) {
        desk_prompt_wrong(d, &e);
    } else if (f) {
        int n = desk_edit_preview(d, &s, f, &after);
        desk_price(&d->est, &after, " ", ", ", price);
        snprintf(d->prompt.note, sizeof d->prompt.note, "would change %d layer%s%s%s", n, n == 1 ? "" : "s",
                 n && *price ? ": " : "", n ? price : "");
    } else {
        snprintf(d->prompt.note, sizeof d->prompt.note, "on the marked layers, else this one; or: where EXPR");
    }
    filter_free(f);
}

void preview_budget(struct desk *d, const char *arg)
{
    struct budgets b = d->profile->budgets;
    struct err e;
    if (!*arg) {
        snprintf(d->prompt.note, sizeof d->prompt.note, "size=120KiB  lat=3.4ms  acc-drop=0.5pp  acc=91.5  none");
        return;
    }
    if (arguments_budgets(arg, &b, &e)) {
        desk_prompt_wrong(d, &e);
        return;
    }
    struct profile p = desk_effective(d);
    struct estimate after;
    estimate_profile(d->tables, &p, &b, &after);
    const struct {
        const char *name;
        enum verdict verdict;
    } meters[] = {{"acc", after.accuracy.verdict}, {"lat", after.latency.verdict}, {"size", after.size.verdict}};
    size_t n = (size_t)snprintf(d->prompt.note, sizeof d->prompt.note, "this profile:");
    for (int i = 0; i < 3; i++)
        if (meters[i].verdict != VERDICT_NONE)
            n += (size_t)snprintf(d->prompt.note + n, sizeof d->prompt.note - n, "  %s %s%s", meters[i].name,
                                  verdict_sign(meters[i].verdict), verdict_word(meters[i].verdict));
}

void preview_save(struct desk *d, const char *arg)
{
    if (*arg)
        snprintf(d->prompt.note, sizeof d->prompt.note,
                 !file_exists(arg) ? "new file" : "is there already; w! replaces it, keeps .bak");
}

void preview_view(struct desk *d, const char *arg)
{
    const struct screen *s = screen_find(arg);
    size_t n = (size_t)snprintf(d->prompt.note, sizeof d->prompt.note, "%s", s ? s->help : "");
    for (int i = 0; !s && screens[i] && n < sizeof d->prompt.note; i++)
        n += (size_t)snprintf(d->prompt.note + n, sizeof d->prompt.note - n, "%s%s", i ? "  " : "", screens[i]->name);
}
