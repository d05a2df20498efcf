/* SPDX-License-Identifier: MIT */
#include "ui/glyphs.h"

#include <assert.h>
#include <string.h>
#include <wchar.h>

struct row {
    uint32_t full, blocks;
    char ascii;
};

/* Rows with the same character stand in the order in which text means them: glyph_map takes the first. */
static const struct row rows[GLYPH_COUNT] = {
    [GLYPH_FADER_FULL] = {0x2588, 0x2588, '#'},   [GLYPH_FADER_EMPTY] = {0x00b7, 0x00b7, '.'},
    [GLYPH_FADER_UPPER] = {0x2580, 0x2580, '"'},  [GLYPH_FADER_LOWER] = {0x2584, 0x2584, '_'},
    [GLYPH_STEP_1] = {0x2581, ' ', '1'},          [GLYPH_STEP_2] = {0x2582, ' ', '2'},
    [GLYPH_STEP_3] = {0x2583, 0x2584, '3'},       [GLYPH_STEP_4] = {0x2584, 0x2584, '4'},
    [GLYPH_STEP_5] = {0x2585, 0x2584, '5'},       [GLYPH_STEP_6] = {0x2586, 0x2588, '6'},
    [GLYPH_STEP_7] = {0x2587, 0x2588, '7'},       [GLYPH_STEP_8] = {0x2588, 0x2588, '8'},
    [GLYPH_SHADE] = {0x2592, 0x2592, '='},        [GLYPH_GAUGE_LEFT] = {0x2595, 0x2502, '['},
    [GLYPH_GAUGE_RIGHT] = {0x258f, 0x2502, ']'},  [GLYPH_LIMIT] = {0x2502, 0x2502, '|'},
    [GLYPH_RULE] = {0x2500, 0x2500, '-'},         [GLYPH_BAR] = {0x2502, 0x2502, '|'},
    [GLYPH_CORNER_TL] = {0x250c, 0x250c, '+'},    [GLYPH_CORNER_TR] = {0x2510, 0x2510, '+'},
    [GLYPH_CORNER_BL] = {0x2514, 0x2514, '+'},    [GLYPH_CORNER_BR] = {0x2518, 0x2518, '+'},
    [GLYPH_SORT_UP] = {0x25b2, 0x25b2, '^'},      [GLYPH_SORT_DOWN] = {0x25bc, 0x25bc, 'v'},
    [GLYPH_SCROLL_THUMB] = {0x2588, 0x2588, '#'}, [GLYPH_SCROLL_TRACK] = {0x2591, 0x2591, ':'},
    [GLYPH_UNKNOWN] = {0x00b7, 0x00b7, '.'},      [GLYPH_MINUS] = {0x2212, '-', '-'},
    [GLYPH_PLUS_MINUS] = {0x00b1, 0x00b1, '~'},   [GLYPH_AT_LEAST] = {0x2265, 0x2265, '>'},
    [GLYPH_AT_MOST] = {0x2264, 0x2264, '<'},      [GLYPH_DELTA] = {0x0394, 'd', 'd'},
    [GLYPH_TO] = {0x2192, 0x2192, '>'},           [GLYPH_CUT] = {0x2026, '~', '~'},
    [GLYPH_MICRO] = {0x00b5, 0x00b5, 'u'},        [GLYPH_ABOUT] = {0x2248, 0x2248, '~'},
    [GLYPH_RUNS] = {0x25b6, 0x25ba, '>'},         [GLYPH_UP] = {0x2191, 0x2191, '^'},
    [GLYPH_DOWN] = {0x2193, 0x2193, 'v'},
};

static uint32_t pick(enum glyph_level level, const struct row *r)
{
    return level == GLYPHS_ASCII ? (uint32_t)r->ascii : level == GLYPHS_BLOCKS ? r->blocks : r->full;
}

uint32_t glyph_code(enum glyph_level level, enum glyph g)
{
    assert(level != GLYPHS_AUTO && g < GLYPH_COUNT);
    return pick(level, &rows[g]);
}

uint32_t glyph_map(enum glyph_level level, uint32_t code)
{
    if (code >= 0x20 && code < 0x7f)
        return code;
    for (int i = 0; i < GLYPH_COUNT; i++)
        if (rows[i].full == code)
            return pick(level, &rows[i]);
    /* A name from a model file: only what surely takes one cell. */
    if (level == GLYPHS_ASCII || code < 0xa0 || code > 0xffff || wcwidth((wchar_t)code) != 1)
        return '?';
    return code;
}
