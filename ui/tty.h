/* SPDX-License-Identifier: MIT
 *
 * The terminal, and the only file that knows curses. Puts a grid on the screen (what changed of it), gives keys by
 * name, and leaves the terminal as it found it however the program ends: return, signal or crash.
 *
 * There is one terminal and signal handlers have no argument: this is the one module of ui/ with static state.
 */
#ifndef BITFADER_UI_TTY_H
#define BITFADER_UI_TTY_H

#include <stdbool.h>

#include "base/err.h"
#include "ui/grid.h"
#include "ui/theme.h"

struct tty;

/* Refuses, with a sentence, when standard input or output is no terminal, or TERM cannot place the cursor. A TERM that
 * is not known becomes xterm-256color, and note says so (else it is ""). */
struct tty *tty_open(enum colour_mode colour, bool light, char note[128], struct err *e);
void tty_close(struct tty *t);

/* The richest glyphs that locale and terminal can show. Before or after tty_open. */
enum glyph_level tty_glyph_level(void);

void tty_size(const struct tty *t, int *w, int *h);
void tty_present(struct tty *t, const struct grid *g);
void tty_redraw(struct tty *t);  /* the next present paints everything anew */
void tty_suspend(struct tty *t); /* returns when the program has been continued */

enum {
    TTY_KEYS = 1, /* tty_key has something */
    TTY_NEWS = 2, /* fd is readable */
    TTY_RESIZED = 4,
    TTY_STOP = 8,    /* the user or the shell asked to suspend */
    TTY_SIGNAL = 16, /* TERM, HUP or INT: *signal says which */
    TTY_GONE = 32    /* the terminal has been closed */
};
/* Sleeps until one of these. */
int tty_wait(struct tty *t, int fd, int *signal);

/* "j", "é", "Space", "Enter", "Esc", "Tab", "Bksp", "Del", "Up", "Down", "Left", "Right", "Home", "End", "PgUp",
 * "PgDn", "F1" to "F12", "^S". False when there is none. */
bool tty_key(struct tty *t, char out[8]);

#endif
