/* SPDX-License-Identifier: MIT */
#include "ui/grid.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/text.h"
#include "ui/format.h"

struct grid *grid_new(int w, int h, enum glyph_level level)
{
    struct grid *g = mem_new(1, sizeof *g);
    g->w = w < 0 ? 0 : w;
    g->h = h < 0 ? 0 : h;
    g->level = level;
    g->cells = mem_new((size_t)g->w * (size_t)g->h + 1, sizeof *g->cells);
    for (int i = 0; i < g->w * g->h; i++)
        g->cells[i].ch = ' ';
    return g;
}

void grid_free(struct grid *g)
{
    if (!g)
        return;
    mem_free(g->cells);
    mem_free(g);
}

static void put_cell(struct grid *g, int x, int y, enum role role, uint32_t ch)
{
    if (x >= 0 && x < g->w && y >= 0 && y < g->h)
        g->cells[y * g->w + x] = (struct cell){.ch = ch, .role = (uint8_t)role};
}

int grid_put(struct grid *g, int x, int y, int width, enum role role, const char *text)
{
    int end = x + width;
    while (*text && x < end) {
        uint32_t code;
        text += format_next(text, &code);
        put_cell(g, x++, y, role, glyph_map(g->level, code));
    }
    return x;
}

void grid_put_right(struct grid *g, int x, int y, int width, enum role role, const char *text)
{
    int n = format_cells(text);
    if (n > width)
        n = width;
    grid_put(g, x + width - n, y, n, role, text);
}

int grid_printf(struct grid *g, int x, int y, int width, enum role role, const char *format, ...)
{
    char line[1024];
    va_list ap;
    va_start(ap, format);
    vsnprintf(line, sizeof line, format, ap);
    va_end(ap);
    return grid_put(g, x, y, width, role, line);
}

void grid_glyph(struct grid *g, int x, int y, enum role role, enum glyph glyph)
{
    put_cell(g, x, y, role, glyph_code(g->level, glyph));
}

void grid_row(struct grid *g, int x, int y, int width, enum role role, enum glyph glyph)
{
    for (int i = 0; i < width; i++)
        grid_glyph(g, x + i, y, role, glyph);
}

void grid_blank(struct grid *g, int x, int y, int width, enum role role)
{
    for (int i = 0; i < width; i++)
        put_cell(g, x + i, y, role, ' ');
}

void grid_mark(struct grid *g, int x, int y, int width, unsigned mark)
{
    for (int i = x; i < x + width; i++)
        if (i >= 0 && i < g->w && y >= 0 && y < g->h)
            g->cells[y * g->w + i].mark |= (uint8_t)mark;
}

char *grid_text(const struct grid *g)
{
    struct text t = {0};
    text_put(&t, "");
    for (int y = 0; y < g->h; y++) {
        int last = g->w;
        while (last > 0 && g->cells[y * g->w + last - 1].ch == ' ')
            last--;
        for (int x = 0; x < last; x++) {
            char utf8[5];
            format_utf8(g->cells[y * g->w + x].ch, utf8);
            text_put(&t, utf8);
        }
        text_put(&t, "\n");
    }
    return t.s;
}
