/* SPDX-License-Identifier: MIT
 *
 * The cell grid: what the screen shows, before any terminal. A cell is a code point of width one, a role and marks.
 * Drawing outside of the grid is clipped, so that callers need no arithmetic for odd sizes.
 */
#ifndef BITFADER_UI_GRID_H
#define BITFADER_UI_GRID_H

#include <stdbool.h>
#include <stdint.h>

#include "ui/glyphs.h"
#include "ui/theme.h"

struct cell {
    uint32_t ch;
    uint8_t role; /* enum role */
    uint8_t mark; /* LOOK_, added to the role's */
};

struct grid {
    int w, h;
    struct cell *cells; /* [h][w] */
    enum glyph_level level;
    int cursor_x, cursor_y; /* where the terminal's cursor rests: the selected row, or the text that is being typed */
    bool cursor_shown;
};

struct grid *grid_new(int w, int h, enum glyph_level level); /* all blanks */
void grid_free(struct grid *g);

/* Text (UTF-8) in at most width cells. Returns the column after the last one written. */
int grid_put(struct grid *g, int x, int y, int width, enum role role, const char *text);
/* The same, ending at the right end of the field. */
void grid_put_right(struct grid *g, int x, int y, int width, enum role role, const char *text);
int grid_printf(struct grid *g, int x, int y, int width, enum role role, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

void grid_glyph(struct grid *g, int x, int y, enum role role, enum glyph glyph);
void grid_row(struct grid *g, int x, int y, int width, enum role role, enum glyph glyph); /* the glyph repeated */
void grid_blank(struct grid *g, int x, int y, int width, enum role role);
void grid_mark(struct grid *g, int x, int y, int width, unsigned mark);

/* The text, a line for each row without blanks at its end. The caller frees with mem_free. */
char *grid_text(const struct grid *g);

#endif
