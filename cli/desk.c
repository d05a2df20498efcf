/* SPDX-License-Identifier: MIT */
#include "cli/desk.h"

#include <string.h>

/* A word of --color as ui/ numbers it; options_parse has refused all others. */
static enum colour_mode colour(const char *word)
{
    static const struct {
        const char *word;
        enum colour_mode mode;
    } rows[] = {{"never", COLOUR_NEVER}, {"8", COLOUR_8}, {"256", COLOUR_256}, {"always", COLOUR_ALWAYS}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strcmp(rows[i].word, word))
            return rows[i].mode;
    return COLOUR_AUTO;
}

struct ui_options desk_options(const struct options *o)
{
    struct ui_options ui = ui_defaults();
    ui.glyphs = (enum glyph_level)glyph_level_find(o->glyphs);
    ui.colour = colour(o->color);
    if (options_has(o, OPTION_LIGHT))
        ui.light = true;
    return ui;
}

const char *desk_path(const struct profile *p, const char *name)
{
    return p->source && strcmp(name, "-") ? name : NULL;
}
