/* SPDX-License-Identifier: MIT
 *
 * A terminal for tests: a pseudo-terminal with libvterm as the eyes. Runs a program in it, sends keys, reads the
 * screen. Waits for the program's own "nothing left to do" byte ($BITFADER_TEST_SYNC), never for time; every wait has a
 * limit, after which the test fails and the screen is printed.
 */
#ifndef BITFADER_TESTS_PTY_HARNESS_H
#define BITFADER_TESTS_PTY_HARNESS_H

#include <stdbool.h>
#include <stddef.h>

struct pty;

struct pty_options {
    int rows, cols;
    const char *term;        /* NULL: TERM is not set */
    const char *directory;   /* where it runs, and what HOME and XDG_* point into */
    const char *environment; /* one more "NAME=value", or NULL */
};

struct pty *pty_start(const struct pty_options *o, const char *const argv[]);
void pty_keys(struct pty *p, const char *bytes); /* sends, and waits until it has been dealt with */
void pty_send(struct pty *p, const char *bytes); /* only sends */
void pty_wait_idle(struct pty *p);               /* one more byte than so far */
void pty_wait_text(struct pty *p, const char *text);
void pty_rest(struct pty *p, int ms); /* reads what comes within that time: for loops that ask again */
void pty_resize(struct pty *p, int rows, int cols);
void pty_signal(struct pty *p, int sig);

/* The screen as text, rows without blanks at their ends. The caller frees with mem_free. */
char *pty_screen(struct pty *p);
bool pty_shows(struct pty *p, const char *text);
bool pty_alternate(const struct pty *p); /* the alternate screen is on */
void pty_cursor(struct pty *p, int *row, int *col);
bool pty_reversed(struct pty *p, int row, int col);
size_t pty_bytes(const struct pty *p);    /* written so far */
const char *pty_raw(const struct pty *p); /* and what they were; for searching */

struct pty_end {
    int status;        /* exit status, 128 + n for signal n */
    bool same_termios; /* as it was before */
    bool alternate, cursor_shown;
};
/* Waits for the end and frees. */
struct pty_end pty_finish(struct pty *p);

#endif
