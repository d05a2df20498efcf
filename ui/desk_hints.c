/* SPDX-License-Identifier: MIT
 *
 * The key bar: hints of the actions that are for this screen.
 */
#include <string.h>

#include "ui/actions.h"
#include "ui/desk_draw.h"

enum { HINTS = 64 };

/* By place, from the left. */
static int collect(const struct desk *d, struct hint out[HINTS])
{
    int n = 0;
    const struct action *a;
    for (int i = 0; (a = action_at(i)); i++)
        for (int k = 0; k < ACTION_HINTS && a->hints[k].word && n < HINTS && action_is_here(a, d); k++) {
            int at = n++;
            for (; at > 0 && out[at - 1].place > a->hints[k].place; at--)
                out[at] = out[at - 1];
            out[at] = a->hints[k];
            if (!out[at].keys)
                out[at].keys = a->keys[0];
        }
    return n;
}

static int hint_cells(const struct hint *h, bool words)
{
    return 1 + (int)strlen(h->keys) + (words ? 1 + (int)strlen(h->word) : 0);
}

void desk_draw_hints(struct grid *g, const struct layout *l, const struct desk *d)
{
    struct hint hints[HINTS];
    bool words = g->w >= 60;
    int n = collect(d, hints), x = 0, y = l->keys.y, rank = 99, need;
    do {
        need = 1;
        rank--;
        for (int i = 0; i < n; i++)
            need += hints[i].rank <= rank ? hint_cells(&hints[i], words) : 0;
    } while (need > g->w && rank > 0);
    grid_blank(g, 0, y, g->w, ROLE_BAR);
    for (int i = 0; i < n; i++) {
        if (hints[i].rank > rank)
            continue;
        x = grid_put(g, x + 1, y, g->w - x - 1, ROLE_BAR_KEY, hints[i].keys);
        if (words)
            x = grid_printf(g, x, y, g->w - x, ROLE_BAR, " %s", hints[i].word);
    }
}
