/* SPDX-License-Identifier: MIT */
#include "ui/desk_help.h"

#include <stdio.h>
#include <string.h>

#include "ui/actions.h"
#include "ui/desk_draw.h"
#include "ui/format.h"

enum { ENTRY_WIDTH = 37, KEY_WIDTH = 10, ENTRIES = 128 };

/* "w #" is shown as "w 0-8", keys with two blanks between them; an action without keys by its command. */
static void keys_text(const struct action *a, char out[64])
{
    size_t n = 0;
    out[0] = '\0';
    for (int k = 0; k < ACTION_KEYS && a->keys[k] && n < 60; k++) {
        const char *key = a->keys[k];
        const char *digit = strchr(key, '#');
        const char *shown = !strcmp(key, "Down") ? G_DOWN : !strcmp(key, "Up") ? G_UP : key;
        if (digit)
            n += (size_t)snprintf(out + n, 64 - n, "%s%.*s0-8", n ? " " : "", (int)(digit - key), key);
        else if (strlen(key) == 3 && key[1] == ' ')
            n += (size_t)snprintf(out + n, 64 - n, "%s%c%c", n ? " " : "", key[0], key[2]);
        else
            n += (size_t)snprintf(out + n, 64 - n, "%s%s", n ? " " : "", shown);
    }
    if (!n)
        snprintf(out, 64, ":%s", a->name);
}

static bool shown(const struct action *a, const char *filter)
{
    char keys[64];
    keys_text(a, keys);
    if (filter[0] == '@') {
        for (int k = 0; k < ACTION_KEYS && a->keys[k]; k++)
            if (!strncmp(a->keys[k], filter + 1, strlen(filter + 1)))
                return true;
        return false;
    }
    return strcasestr(a->name, filter) || strcasestr(a->help, filter) || strcasestr(a->section, filter);
}

/* Those of this screen that the filter leaves. Returns how many; total: without the filter. */
static int list(const struct desk *d, const struct action *out[ENTRIES], int *total)
{
    int found = 0;
    const struct action *a;
    *total = 0;
    for (int i = 0; (a = action_at(i)); i++) {
        if (!action_is_here(a, d))
            continue;
        ++*total;
        if (found < ENTRIES && shown(a, d->help.text))
            out[found++] = a;
    }
    return found;
}

/* Lines of a column of entries, section heads among them: how the list flows. */
struct flow {
    int columns, lines;
};

static struct flow flow_of(int w, int h)
{
    struct flow f = {.columns = (w - 3) / ENTRY_WIDTH, .lines = h - 6};
    if (f.columns < 1)
        f.columns = 1;
    if (f.lines < 1)
        f.lines = 1;
    return f;
}

static void draw_entry(struct grid *g, int x, int y, int w, const struct action *a, bool selected)
{
    char keys[64];
    keys_text(a, keys);
    grid_put(g, x, y, 1, ROLE_TEXT, selected ? ">" : " ");
    grid_put(g, x + 1, y, KEY_WIDTH, ROLE_W, keys);
    grid_put(g, x + 1 + KEY_WIDTH + 1, y, w - KEY_WIDTH - 2, ROLE_TEXT, a->help);
    if (selected) {
        grid_mark(g, x, y, w, LOOK_REVERSE);
        g->cursor_x = x;
        g->cursor_y = y;
    }
}

static void draw_box(struct grid *g, int y, int h)
{
    int w = g->w;
    grid_row(g, 0, y, w, ROLE_DIM, GLYPH_RULE);
    grid_row(g, 0, y + h - 1, w, ROLE_DIM, GLYPH_RULE);
    for (int i = y; i < y + h; i++) {
        grid_glyph(g, 0, i, ROLE_DIM, i == y ? GLYPH_CORNER_TL : i == y + h - 1 ? GLYPH_CORNER_BL : GLYPH_BAR);
        grid_glyph(g, w - 1, i, ROLE_DIM, i == y ? GLYPH_CORNER_TR : i == y + h - 1 ? GLYPH_CORNER_BR : GLYPH_BAR);
    }
}

void desk_draw_help(struct grid *g, const struct desk *d)
{
    const struct action *actions[ENTRIES];
    int total, n = list(d, actions, &total), y = 1, h = g->h - 1;
    struct flow f = flow_of(g->w, h);
    draw_box(g, y, h);
    int width = (g->w - 3) / f.columns, line = 0, pages = 1, last = 0, first_page = 0;
    int place[ENTRIES]; /* line of each entry, counted through columns and pages */
    bool head[ENTRIES];
    for (int i = 0; i < n; i++) {
        bool new_section = i == 0 || strcmp(actions[i]->section, actions[i - 1]->section) != 0;
        int at = line % f.lines;
        /* A blank line before a section, none at the top of a column; no head alone at the bottom of one. */
        if (new_section && at && at + 3 > f.lines)
            line += f.lines - at;
        else if (new_section && at)
            line++;
        head[i] = new_section && f.lines > 3;
        line += head[i];
        place[i] = line++;
        last = place[i];
        if (i == d->help.selected)
            first_page = place[i] / (f.lines * f.columns);
    }
    pages = last / (f.lines * f.columns) + 1;
    int x = grid_put(g, 1, y, g->w - 2, ROLE_DIM, G_RULE " help " G_RULE " ");
    if (pages > 1)
        x = grid_printf(g, x, y, g->w - x - 1, ROLE_DIM, "page %d of %d " G_RULE " ", first_page + 1, pages);
    x = grid_printf(g, x, y, g->w - x - 1, ROLE_TEXT, "type to filter: %s", d->help.text);
    grid_put(g, x, y, 2, ROLE_TEXT, "_ ");
    for (int i = 0; i < n; i++) {
        int column = place[i] / f.lines - first_page * f.columns;
        if (column < 0 || column >= f.columns)
            continue;
        int cx = 2 + column * width, cy = y + 1 + place[i] % f.lines;
        if (head[i])
            grid_put(g, cx + 1, cy - 1, width - 2, ROLE_DIM, actions[i]->section);
        draw_entry(g, cx, cy, width - 1, actions[i], i == d->help.selected);
    }
    grid_printf(g, 2, g->h - 4, g->w - 4, ROLE_DIM, "%d of %d actions.  @w finds by key.", n, total);
    grid_put(g, 2, g->h - 3, g->w - 4, ROLE_DIM,
             g->w >= 80 ? "Gutter: > cursor, * marked, L locked, m muted, s solo, ! one side fp32"
                        : "> cursor * mark L m s lock mute solo");
    grid_put(g, 2, g->h - 2, g->w - 4, ROLE_TEXT, "Enter runs it   " G_UP G_DOWN " select   Esc closes");
}

static void run_selected(struct desk *d, const struct action *a)
{
    d->mode = MODE_SCREEN;
    if (a->keys[0] && strchr(a->keys[0], '#')) {
        if (a->keys[0][1])
            snprintf(d->pending, sizeof d->pending, "%c", a->keys[0][0]);
        desk_say(d, ROLE_TEXT, "now a digit, 0 to 8");
    } else if (a->args && a->args[0] != '[') {
        char line[80];
        snprintf(line, sizeof line, "%s ", a->name);
        desk_key(d, ":");
        for (const char *c = line; *c; c++)
            desk_key(d, *c == ' ' ? "Space" : (char[]){*c, '\0'});
    } else {
        a->run(d, "");
    }
}

void help_key(struct desk *d, const char *key)
{
    const struct action *actions[ENTRIES];
    struct desk_help *h = &d->help;
    int total, n = list(d, actions, &total);
    size_t length = strlen(h->text);
    struct flow f = flow_of(d->width, d->height - 1);
    int page = f.lines * f.columns > 4 ? f.lines * f.columns - 4 : 1;
    if (!strcmp(key, "Esc") || !strcmp(key, "^C") || (!length && (!strcmp(key, "q") || !strcmp(key, "?"))))
        d->mode = MODE_SCREEN;
    else if (!strcmp(key, "Enter") && h->selected < n)
        run_selected(d, actions[h->selected]);
    else if (!strcmp(key, "Down") || !strcmp(key, "Tab"))
        h->selected++;
    else if (!strcmp(key, "Up"))
        h->selected--;
    else if (!strcmp(key, "Right"))
        h->selected += f.lines - 2;
    else if (!strcmp(key, "Left"))
        h->selected -= f.lines - 2;
    else if (!strcmp(key, "PgDn"))
        h->selected += page;
    else if (!strcmp(key, "PgUp"))
        h->selected -= page;
    else if (!strcmp(key, "Bksp") && length)
        h->text[length - 1] = '\0';
    else if ((format_cells(key) == 1 || !strcmp(key, "Space")) && length + 1 < sizeof h->text && (key[0] & 0x80) == 0)
        snprintf(h->text + length, sizeof h->text - length, "%c", key[1] ? ' ' : key[0]);
    n = list(d, actions, &total);
    if (h->selected >= n)
        h->selected = n - 1;
    if (h->selected < 0)
        h->selected = 0;
}
