/* SPDX-License-Identifier: MIT
 *
 * The desk, from outside: open it in a terminal, or take its picture as text.
 */
#ifndef BITFADER_UI_UI_H
#define BITFADER_UI_UI_H

#include "profiles/profile.h"
#include "search/session.h"
#include "ui/glyphs.h"
#include "ui/theme.h"

struct ui_options {
    enum glyph_level glyphs; /* GLYPHS_AUTO: by locale and TERM; a picture takes the richest */
    enum colour_mode colour;
    bool light;                   /* colours for a light background; default: by COLORFGBG, else dark */
    struct search_options search; /* how the desk searches; budgets are the profile's */
    bool analyze;                 /* fill the tables in the background; default true */
    int frames;                   /* end after this many; 0: no limit. For tests */
};
struct ui_options ui_defaults(void);

/* Runs until the user quits. Takes the profile over. profile_path NULL: no file yet. Returns 0, and *status is the exit
 * status: 0, or 128 + n after signal n. -1 with a message when there is no usable terminal: *status 2. */
int ui_open(struct session *s, struct profile *p, const char *profile_path, const struct ui_options *o, int *status,
            struct err *e);

/* The text of the desk as it would be drawn at that size. The caller frees with mem_free. */
char *ui_shot(struct session *s, const struct profile *p, const char *profile_path, int width, int height,
              const struct ui_options *o);

#endif
