/* SPDX-License-Identifier: MIT */
#include "ui/actions.h"

#include <limits.h>
#include <string.h>

#include "base/text.h"

/* In the order of the help. */
static const struct action_list *const lists[] = {&actions_layers, &actions_program};

const struct action *action_at(int i)
{
    for (unsigned k = 0; k < sizeof lists / sizeof *lists; k++) {
        if (i < lists[k]->n)
            return &lists[k]->rows[i];
        i -= lists[k]->n;
    }
    return NULL;
}

bool action_is_here(const struct action *a, const struct desk *d)
{
    return a->on & d->screen->bit;
}

const struct action *action_find(const char *name)
{
    const struct action *a;
    for (int i = 0; (a = action_at(i)); i++) {
        if (!strcmp(a->name, name))
            return a;
        for (int k = 0; k < ACTION_KEYS && a->keys[k]; k++)
            if (a->keys[k][0] == ':' && a->keys[k][1] && !strcmp(a->keys[k] + 1, name))
                return a;
    }
    return NULL;
}

const char *action_nearest(const char *name)
{
    int best = INT_MAX;
    const struct action *a;
    const char *nearest = "";
    for (int i = 0; (a = action_at(i)); i++) {
        int distance = text_distance(name, a->name);
        if (distance < best) {
            best = distance;
            nearest = a->name;
        }
    }
    return nearest;
}
