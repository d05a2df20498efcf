/* SPDX-License-Identifier: MIT
 *
 * Every character outside ASCII that the screen uses, at three levels: everything, the line-drawing and block
 * characters that a Linux console font has, and plain ASCII. Text is written with the G_ strings below, at the richest
 * level; the grid maps it down. Where one character has two meanings (a full block is a fader or the eighth step) the
 * drawing names the glyph instead.
 */
#ifndef BITFADER_UI_GLYPHS_H
#define BITFADER_UI_GLYPHS_H

#include <stdint.h>

enum glyph_level { GLYPHS_AUTO, GLYPHS_BRAILLE, GLYPHS_BLOCKS, GLYPHS_ASCII };

#define G_MINUS      "\u2212"
#define G_PLUS_MINUS "\u00b1"
#define G_AT_LEAST   "\u2265"
#define G_AT_MOST    "\u2264"
#define G_DELTA      "\u0394"
#define G_DOT        "\u00b7"
#define G_TO         "\u2192"
#define G_CUT        "\u2026"
#define G_MICRO      "\u00b5"
#define G_ABOUT      "\u2248"
#define G_RULE       "\u2500"
#define G_BAR        "\u2502"
#define G_RUNS       "\u25b6"
#define G_UP         "\u2191"
#define G_DOWN       "\u2193"
#define G_UPPER      "\u2580"
#define G_LOWER      "\u2584"

enum glyph {
    GLYPH_FADER_FULL,
    GLYPH_FADER_EMPTY,
    GLYPH_FADER_UPPER, /* weights only */
    GLYPH_FADER_LOWER, /* activations only */
    GLYPH_STEP_1,      /* eight heights, 1 the lowest */
    GLYPH_STEP_2,
    GLYPH_STEP_3,
    GLYPH_STEP_4,
    GLYPH_STEP_5,
    GLYPH_STEP_6,
    GLYPH_STEP_7,
    GLYPH_STEP_8,
    GLYPH_SHADE,
    GLYPH_GAUGE_LEFT,
    GLYPH_GAUGE_RIGHT,
    GLYPH_LIMIT,
    GLYPH_RULE,
    GLYPH_BAR,
    GLYPH_CORNER_TL,
    GLYPH_CORNER_TR,
    GLYPH_CORNER_BL,
    GLYPH_CORNER_BR,
    GLYPH_SORT_UP,
    GLYPH_SORT_DOWN,
    GLYPH_SCROLL_THUMB,
    GLYPH_SCROLL_TRACK,
    GLYPH_UNKNOWN,
    GLYPH_MINUS,
    GLYPH_PLUS_MINUS,
    GLYPH_AT_LEAST,
    GLYPH_AT_MOST,
    GLYPH_DELTA,
    GLYPH_TO,
    GLYPH_CUT,
    GLYPH_MICRO,
    GLYPH_ABOUT,
    GLYPH_RUNS,
    GLYPH_UP,
    GLYPH_DOWN,
    GLYPH_COUNT
};

/* The code point of a glyph at a level (not GLYPHS_AUTO). */
uint32_t glyph_code(enum glyph_level level, enum glyph g);

/* A code point of any text as the level can show it: itself, its stand-in, or '?' for what takes no single cell. */
uint32_t glyph_map(enum glyph_level level, uint32_t code);

#endif
