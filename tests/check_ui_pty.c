/* SPDX-License-Identifier: MIT
 *
 * The real program in a real pseudo-terminal. Needs $BITFADER_BIN and a model; says so and passes when they are
 * missing.
 */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "tests/process.h"
#include "tests/pty_harness.h"

Suite *check_ui_pty_suite(void);

static char *absolute(const char *path)
{
    char *full = realpath(path, NULL);
    ck_assert_msg(full, "no %s", path);
    char *copy = mem_strdup(full);
    free(full);
    return copy;
}

/* Opens the desk and waits for its first frame. Released with the pty. */
static struct pty *open_desk(const struct room *room, int rows, int cols, const char *term, const char *environment)
{
    char *bin = absolute(getenv("BITFADER_BIN")), *model = absolute(room->model);
    const char *const argv[] = {bin, "open", model, NULL};
    struct pty *p = pty_start(&(struct pty_options){rows, cols, term, room->dir, environment}, argv);
    mem_free(bin);
    mem_free(model);
    return p;
}

/* Ends the analysis that starts by itself: from here on the program is idle only after what the test sends. */
static void settle(struct pty *p)
{
    pty_wait_text(p, "Layers ");
    for (int i = 0; i < 2000; i++) {
        pty_keys(p, "X");
        if (pty_shows(p, "nothing is running"))
            return;
        pty_rest(p, 10);
    }
    ck_abort_msg("the analysis does not stop");
}

/* Does the output select any colour? Looks into every "ESC [ ... m". */
static bool uses_colour(const char *raw)
{
    for (const char *c = raw; (c = strstr(c, "\033["));) {
        c += 2;
        const char *end = c + strspn(c, "0123456789;");
        if (*end != 'm')
            continue;
        while (c < end) {
            int n = atoi(c);
            if ((n >= 30 && n <= 38) || (n >= 40 && n <= 48) || n >= 90)
                return true;
            c += strspn(c, "0123456789");
            c += *c == ';';
        }
    }
    return false;
}

static void check_restored(const struct pty_end *e)
{
    ck_assert(e->same_termios);
    ck_assert(!e->alternate);
    ck_assert(e->cursor_shown);
}

static int row_of_cursor(struct pty *p)
{
    int row, col;
    pty_cursor(p, &row, &col);
    return row;
}

START_TEST(starts_answers_quits)
{
    struct room room;
    if (room_open(&room))
        return;
    struct pty *p = open_desk(&room, 24, 80, "xterm-256color", NULL);
    pty_wait_text(p, " bitfader ");
    settle(p);
    ck_assert(pty_alternate(p));
    int row = row_of_cursor(p);
    ck_assert(pty_reversed(p, row, 10));
    pty_keys(p, "j");
    ck_assert_int_eq(row_of_cursor(p), row + 1); /* the terminal's cursor follows the selection */
    ck_assert(pty_reversed(p, row + 1, 10) && !pty_reversed(p, row, 10));
    pty_keys(p, "\033[A");
    ck_assert_int_eq(row_of_cursor(p), row);
    pty_keys(p, "\033OB");
    ck_assert_int_eq(row_of_cursor(p), row + 1);
    pty_keys(p, "\033[15~\033[24~"); /* F5, F12: special keys have names, with a meaning or without */
    ck_assert(pty_shows(p, "F12 does nothing here"));
    pty_keys(p, "?");
    ck_assert(pty_shows(p, "type to filter"));
    pty_keys(p, "undo");
    ck_assert(pty_shows(p, "type to filter: undo"));
    pty_keys(p, "\033");
    pty_wait_text(p, "Layers ");
    pty_keys(p, "w4");
    pty_wait_text(p, "u undoes");
    pty_keys(p, "u");
    pty_keys(p, "\x03"); /* Ctrl-C is a key here, and answers */
    ck_assert(pty_shows(p, "q quits"));
    pty_send(p, "q");
    struct pty_end e = pty_finish(p);
    ck_assert_int_eq(e.status, 0);
    check_restored(&e);
    room_close(&room);
}
END_TEST

/* One layer alone is quantized, and that one is fp32: so the run needs no images. The profile itself would. */
START_TEST(runs_what_sounds)
{
    struct room room;
    if (room_open(&room))
        return;
    struct pty *p = open_desk(&room, 24, 80, "xterm-256color", NULL);
    settle(p);
    pty_keys(p, "r");
    pty_wait_text(p, "calibration images");
    pty_keys(p, "b0sr");
    pty_wait_text(p, "measured [solo");
    pty_keys(p, "suu");
    pty_send(p, "q");
    struct pty_end e = pty_finish(p);
    ck_assert_int_eq(e.status, 0);
    check_restored(&e);
    room_close(&room);
}
END_TEST

START_TEST(asks_and_saves)
{
    struct room room;
    if (room_open(&room))
        return;
    struct pty *p = open_desk(&room, 24, 80, "xterm-256color", NULL);
    settle(p);
    pty_keys(p, "a4");
    pty_keys(p, "q");
    pty_wait_text(p, "unsaved edit");
    pty_keys(p, "\033");
    pty_keys(p, ":w kept.yaml\r");
    pty_wait_text(p, "saved kept.yaml");
    pty_keys(p, "\x13"); /* Ctrl-S, which would freeze a terminal with flow control */
    pty_wait_text(p, "saved kept.yaml");
    pty_send(p, "q");
    struct pty_end e = pty_finish(p);
    ck_assert_int_eq(e.status, 0);
    check_restored(&e);
    char path[128];
    snprintf(path, sizeof path, "%s/kept.yaml", room.dir);
    ck_assert(file_exists(path));
    room_close(&room);
}
END_TEST

/* The first row that differs: a whole screen is too long for a message of Check. */
static void check_same(const char *expected, const char *text)
{
    for (int row = 0; *expected || *text; row++) {
        int n = (int)strcspn(expected, "\n"), m = (int)strcspn(text, "\n");
        ck_assert_msg(n == m && !strncmp(expected, text, (size_t)n), "row %d is\n%.*s\nand not\n%.*s", row, m, text, n,
                      expected);
        expected += n + (expected[n] == '\n');
        text += m + (text[m] == '\n');
    }
}

/* R1, R3, R4: small and back gives the same screen; a size that is not known changes nothing. */
START_TEST(resizes)
{
    struct room room;
    if (room_open(&room))
        return;
    struct pty *p = open_desk(&room, 24, 80, "xterm-256color", NULL);
    settle(p);
    pty_keys(p, "jjj");
    char *before = pty_screen(p);
    pty_resize(p, 6, 24);
    pty_wait_text(p, "24x6 is too small");
    pty_keys(p, "4"); /* nothing is edited that cannot be seen */
    pty_resize(p, 36, 120);
    pty_wait_text(p, "ACCURACY");
    pty_resize(p, 24, 80);
    char *after = pty_screen(p);
    check_same(before, after);
    mem_free(before);
    mem_free(after);
    static const struct {
        int rows, cols;
    } sizes[] = {{1, 1}, {10, 40}, {9, 39}, {80, 200}, {3, 10}, {24, 80}};
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
        pty_resize(p, sizes[i].rows, sizes[i].cols);
    pty_wait_text(p, "Layers ");
    pty_send(p, "q");
    struct pty_end e = pty_finish(p);
    ck_assert_int_eq(e.status, 0);
    check_restored(&e);
    room_close(&room);
}
END_TEST

START_TEST(quits_when_too_small)
{
    struct room room;
    if (room_open(&room))
        return;
    struct pty *p = open_desk(&room, 6, 24, "xterm-256color", NULL);
    pty_wait_text(p, "24x6 is too small");
    pty_send(p, "q");
    struct pty_end e = pty_finish(p);
    ck_assert_int_eq(e.status, 0);
    check_restored(&e);
    room_close(&room);
}
END_TEST

/* G1, G3: TERM, HUP and INT end through the loop; a crash keeps the signal as its cause; both leave a clean terminal.
 */
static const int endings[] = {SIGTERM, SIGHUP, SIGINT, SIGSEGV, SIGABRT};

START_TEST(signals_restore)
{
    struct room room;
    if (room_open(&room))
        return;
    struct pty *p = open_desk(&room, 24, 80, "xterm-256color", NULL);
    pty_wait_text(p, "Layers ");
    pty_keys(p, "4");
    pty_signal(p, endings[_i]);
    struct pty_end e = pty_finish(p);
    ck_assert_int_eq(e.status, 128 + endings[_i]);
    check_restored(&e);
    room_close(&room);
}
END_TEST

START_TEST(refuses_terminals_without_cursor)
{
    struct room room;
    if (room_open(&room))
        return;
    struct pty *p = open_desk(&room, 24, 80, _i ? NULL : "dumb", NULL);
    pty_wait_text(p, "TERM is ");
    ck_assert_ptr_null(strchr(pty_raw(p), '\033'));
    struct pty_end e = pty_finish(p);
    ck_assert_int_eq(e.status, 2);
    check_restored(&e);
    room_close(&room);
}
END_TEST

START_TEST(unknown_terminal_falls_back)
{
    struct room room;
    if (room_open(&room))
        return;
    struct pty *p = open_desk(&room, 24, 80, "no-such-term", NULL);
    pty_wait_text(p, "no-such-term is not known here");
    pty_send(p, "q");
    ck_assert_int_eq(pty_finish(p).status, 0);
    room_close(&room);
}
END_TEST

/* N1 */
START_TEST(refuses_a_pipe)
{
    struct room room;
    if (room_open(&room))
        return;
    struct process p = process_run(&room, &(struct process_options){.file_limit = 0}, "open $M");
    ck_assert_int_eq(p.status, 2);
    ck_assert_uint_eq(p.out_n, 0);
    ck_assert_ptr_null(memchr(p.err, '\033', p.err_n));
    process_done(&p);
    room_close(&room);
}
END_TEST

/* T2, T4: ASCII when the locale is C; no colour under NO_COLOR, unless it is empty. */
START_TEST(environment_is_heeded)
{
    struct room room;
    if (room_open(&room))
        return;
    struct pty *p = open_desk(&room, 36, 120, "xterm-256color", "LC_ALL=C");
    pty_wait_text(p, "Layers ");
    char *screen = pty_screen(p);
    for (const char *c = screen; *c; c++)
        ck_assert_msg(*c == '\n' || (*c >= 0x20 && *c <= 0x7e), "byte %02x", (unsigned char)*c);
    mem_free(screen);
    pty_send(p, "q");
    ck_assert_int_eq(pty_finish(p).status, 0);
    p = open_desk(&room, 36, 120, "xterm-256color", "NO_COLOR=");
    pty_wait_text(p, "Layers ");
    ck_assert(uses_colour(pty_raw(p)));
    pty_signal(p, SIGTERM);
    ck_assert_int_eq(pty_finish(p).status, 128 + SIGTERM);
    p = open_desk(&room, 36, 120, "xterm-256color", "NO_COLOR=1");
    pty_wait_text(p, "Layers ");
    pty_keys(p, "jjw4");
    ck_assert(!uses_colour(pty_raw(p)));
    pty_signal(p, SIGTERM);
    ck_assert_int_eq(pty_finish(p).status, 128 + SIGTERM);
    room_close(&room);
}
END_TEST

/* K9: a flood of keys ends on the right row, in few frames. */
START_TEST(flood_of_keys)
{
    struct room room;
    if (room_open(&room))
        return;
    struct pty *p = open_desk(&room, 24, 80, "xterm-256color", NULL);
    settle(p);
    size_t before = pty_bytes(p);
    char keys[2001];
    memset(keys, 'j', sizeof keys - 1);
    keys[sizeof keys - 1] = '\0';
    pty_keys(p, keys);
    pty_keys(p, "gg");
    int top = row_of_cursor(p);
    pty_keys(p, "G");
    ck_assert_int_gt(row_of_cursor(p), top);
    ck_assert_uint_lt(pty_bytes(p) - before, 200000);
    pty_send(p, "q");
    ck_assert_int_eq(pty_finish(p).status, 0);
    room_close(&room);
}
END_TEST

Suite *check_ui_pty_suite(void)
{
    Suite *s = suite_create("ui_pty");
    TCase *t = tcase_create("pty");
    tcase_add_test(t, starts_answers_quits);
    tcase_add_test(t, runs_what_sounds);
    tcase_add_test(t, asks_and_saves);
    tcase_add_test(t, resizes);
    tcase_add_test(t, quits_when_too_small);
    tcase_add_loop_test(t, signals_restore, 0, sizeof endings / sizeof *endings);
    tcase_add_loop_test(t, refuses_terminals_without_cursor, 0, 2);
    tcase_add_test(t, unknown_terminal_falls_back);
    tcase_add_test(t, refuses_a_pipe);
    tcase_add_test(t, environment_is_heeded);
    tcase_add_test(t, flood_of_keys);
    tcase_set_timeout(t, 120);
    suite_add_tcase(s, t);
    return s;
}
