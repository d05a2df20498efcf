/* SPDX-License-Identifier: MIT
 *
 * Roles and their looks. Drawing names a role, never a colour; a theme is a table. Colour only repeats what a sign, a
 * word or a position says already, so that every level down to no colour at all shows the same.
 */
#ifndef BITFADER_UI_THEME_H
#define BITFADER_UI_THEME_H

enum role {
    ROLE_TEXT,
    ROLE_DIM,     /* rules, heads, unknown values */
    ROLE_BAR,     /* title and key bar */
    ROLE_BAR_KEY, /* name of a key in the key bar */
    ROLE_MARKED,
    ROLE_FLAG, /* locked, muted */
    ROLE_OK,
    ROLE_NEAR,
    ROLE_OVER, /* and errors */
    ROLE_W,
    ROLE_A,
    ROLE_HEAT_1, /* least harm */
    ROLE_HEAT_2,
    ROLE_HEAT_3,
    ROLE_HEAT_4,
    ROLE_HEAT_5,
    ROLE_MEASURED,
    ROLE_LIMIT,
    ROLE_GUESSED,
    ROLE_COUNT
};

enum { LOOK_BOLD = 1, LOOK_UNDERLINE = 2, LOOK_REVERSE = 4, LOOK_DIM = 8 };

struct look {
    short colour;  /* -1: the terminal's own */
    unsigned mark; /* LOOK_ */
};

enum colour_mode { COLOUR_AUTO, COLOUR_NEVER, COLOUR_8, COLOUR_256, COLOUR_ALWAYS };

/* The look of a role with 256 or 8 colours, or with none (colours below 8). */
struct look theme_look(int colours, int light, enum role r);

#endif
