/* SPDX-License-Identifier: MIT */
#include "tests/pty_harness.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <vterm.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

enum { PATIENCE_MS = 20000, SYNC_FD = 9 };

struct pty {
    int master, slave, sync; /* the slave stays open, so that its modes can be read after the end */
    pid_t child;
    struct termios before;
    VTerm *vt;
    VTermScreen *screen;
    int rows, cols;
    bool alternate, cursor_shown;
    int idle; /* bytes of the sync descriptor so far */
    struct text raw;
};

static int on_property(VTermProp prop, VTermValue *value, void *user)
{
    struct pty *p = user;
    if (prop == VTERM_PROP_ALTSCREEN)
        p->alternate = value->boolean;
    if (prop == VTERM_PROP_CURSORVISIBLE)
        p->cursor_shown = value->boolean;
    return 1;
}

static void set_variables(const struct pty_options *o)
{
    char number[8];
    snprintf(number, sizeof number, "%d", SYNC_FD);
    setenv("BITFADER_TEST_SYNC", number, 1);
    setenv("HOME", o->directory, 1);
    setenv("XDG_CACHE_HOME", o->directory, 1);
    setenv("XDG_STATE_HOME", o->directory, 1);
    setenv("XDG_CONFIG_HOME", o->directory, 1);
    setenv("LC_ALL", "C.UTF-8", 1);
    unsetenv("NO_COLOR");
    unsetenv("COLORFGBG");
    if (o->term)
        setenv("TERM", o->term, 1);
    else
        unsetenv("TERM");
    if (o->environment)
        putenv(mem_strdup(o->environment));
}

static void run_child(struct pty *p, const struct pty_options *o, const char *const argv[], int sync)
{
    setsid();
    ioctl(p->slave, TIOCSCTTY, 0);
    for (int fd = 0; fd < 3; fd++)
        dup2(p->slave, fd);
    dup2(sync, SYNC_FD);
    for (int fd = 3; fd < 64; fd++)
        if (fd != SYNC_FD)
            close(fd);
    set_variables(o);
    if (!chdir(o->directory))
        execv(argv[0], (char *const *)(const void *)argv);
    _exit(127);
}

struct pty *pty_start(const struct pty_options *o, const char *const argv[])
{
    static const VTermScreenCallbacks callbacks = {.settermprop = on_property};
    struct pty *p = mem_new(1, sizeof *p);
    struct winsize size = {.ws_row = (unsigned short)o->rows, .ws_col = (unsigned short)o->cols};
    int sync[2];
    ck_assert(!openpty(&p->master, &p->slave, NULL, NULL, &size) && !pipe2(sync, O_NONBLOCK));
    tcgetattr(p->slave, &p->before);
    p->rows = o->rows;
    p->cols = o->cols;
    p->cursor_shown = true;
    p->vt = vterm_new(o->rows, o->cols);
    vterm_set_utf8(p->vt, 1);
    p->screen = vterm_obtain_screen(p->vt);
    vterm_screen_enable_altscreen(p->screen, 1);
    vterm_screen_set_callbacks(p->screen, &callbacks, p);
    vterm_screen_reset(p->screen, 1);
    p->child = fork();
    ck_assert_int_ge(p->child, 0);
    if (!p->child)
        run_child(p, o, argv, sync[1]);
    close(sync[1]);
    p->sync = sync[0];
    fcntl(p->master, F_SETFL, O_NONBLOCK);
    return p;
}

static void read_output(struct pty *p)
{
    char bytes[4096];
    ssize_t n;
    while ((n = read(p->master, bytes, sizeof bytes)) > 0) {
        vterm_input_write(p->vt, bytes, (size_t)n);
        text_put_n(&p->raw, bytes, (size_t)n);
    }
}

/* Reads what there is, sleeping at most until something comes. False when the program has closed its end of sync. */
static bool pump(struct pty *p, int ms)
{
    struct pollfd fds[] = {{p->master, POLLIN, 0}, {p->sync, POLLIN, 0}};
    poll(fds, 2, ms);
    char bytes[64];
    ssize_t n = read(p->sync, bytes, sizeof bytes);
    if (n > 0)
        p->idle += (int)n;
    read_output(p); /* after sync: what was written before the idle byte has been read now */
    return n != 0;
}

static void fail_with_screen(struct pty *p, const char *what)
{
    char *text = pty_screen(p);
    kill(p->child, SIGKILL);
    ck_abort_msg("%s; the screen is\n%s", what, text);
}

static bool idle_past(struct pty *p, int count)
{
    int64_t end = clock_ns() + (int64_t)PATIENCE_MS * 1000000;
    while (p->idle <= count && clock_ns() < end)
        if (!pump(p, 100))
            return true; /* it has ended: nothing more will come */
    return p->idle > count;
}

void pty_wait_idle(struct pty *p)
{
    if (!idle_past(p, p->idle))
        fail_with_screen(p, "never idle");
}

void pty_send(struct pty *p, const char *bytes)
{
    ck_assert_int_eq(write(p->master, bytes, strlen(bytes)), (ssize_t)strlen(bytes));
}

void pty_keys(struct pty *p, const char *bytes)
{
    pump(p, 0);
    int before = p->idle;
    pty_send(p, bytes);
    if (!idle_past(p, before))
        fail_with_screen(p, "never idle after keys");
}

void pty_wait_text(struct pty *p, const char *text)
{
    int64_t end = clock_ns() + (int64_t)PATIENCE_MS * 1000000;
    while (!pty_shows(p, text)) {
        if (!pump(p, 100) || clock_ns() > end) {
            char what[160];
            if (pty_shows(p, text))
                return;
            snprintf(what, sizeof what, "never showed \"%.100s\"", text);
            fail_with_screen(p, what);
        }
    }
}

void pty_rest(struct pty *p, int ms)
{
    int64_t end = clock_ns() + (int64_t)ms * 1000000;
    while (clock_ns() < end && pump(p, ms))
        ;
}

void pty_resize(struct pty *p, int rows, int cols)
{
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols};
    pump(p, 0);
    int before = p->idle;
    vterm_set_size(p->vt, rows, cols);
    p->rows = rows;
    p->cols = cols;
    ioctl(p->master, TIOCSWINSZ, &size);
    if (!idle_past(p, before))
        fail_with_screen(p, "never idle after a resize");
}

void pty_signal(struct pty *p, int sig)
{
    kill(p->child, sig);
}

char *pty_screen(struct pty *p)
{
    struct text t = {0};
    for (int y = 0; y < p->rows; y++) {
        size_t end = t.n;
        for (int x = 0; x < p->cols; x++) {
            VTermScreenCell cell;
            vterm_screen_get_cell(p->screen, (VTermPos){y, x}, &cell);
            uint32_t c = cell.chars[0];
            char utf8[5] = {0};
            if (c < 0x80)
                utf8[0] = c ? (char)c : ' ';
            else if (c < 0x800)
                utf8[0] = (char)(0xc0 | c >> 6), utf8[1] = (char)(0x80 | (c & 0x3f));
            else
                utf8[0] = (char)(0xe0 | c >> 12), utf8[1] = (char)(0x80 | (c >> 6 & 0x3f)),
                utf8[2] = (char)(0x80 | (c & 0x3f));
            text_put(&t, utf8);
            if (utf8[0] != ' ')
                end = t.n;
        }
        t.n = end;
        text_put(&t, "\n");
    }
    return t.s;
}

bool pty_shows(struct pty *p, const char *text)
{
    char *screen = pty_screen(p);
    bool found = strstr(screen, text);
    mem_free(screen);
    return found;
}

bool pty_alternate(const struct pty *p)
{
    return p->alternate;
}

void pty_cursor(struct pty *p, int *row, int *col)
{
    VTermPos pos;
    vterm_state_get_cursorpos(vterm_obtain_state(p->vt), &pos);
    *row = pos.row;
    *col = pos.col;
}

bool pty_reversed(struct pty *p, int row, int col)
{
    VTermScreenCell cell;
    vterm_screen_get_cell(p->screen, (VTermPos){row, col}, &cell);
    return cell.attrs.reverse;
}

size_t pty_bytes(const struct pty *p)
{
    return p->raw.n;
}

const char *pty_raw(const struct pty *p)
{
    return p->raw.s ? p->raw.s : "";
}

static bool same_modes(const struct termios *a, const struct termios *b)
{
    return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag && a->c_cflag == b->c_cflag &&
           a->c_lflag == b->c_lflag && !memcmp(a->c_cc, b->c_cc, sizeof a->c_cc);
}

struct pty_end pty_finish(struct pty *p)
{
    int64_t end = clock_ns() + (int64_t)PATIENCE_MS * 1000000;
    int status = 0;
    while (waitpid(p->child, &status, WNOHANG) == 0) {
        if (clock_ns() > end)
            fail_with_screen(p, "never ended");
        pump(p, 20);
    }
    read_output(p);
    struct termios after;
    tcgetattr(p->slave, &after);
    struct pty_end e = {.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status),
                        .same_termios = same_modes(&p->before, &after),
                        .alternate = p->alternate,
                        .cursor_shown = p->cursor_shown};
    close(p->master);
    close(p->slave);
    close(p->sync);
    vterm_free(p->vt);
    text_done(&p->raw);
    mem_free(p);
    return e;
}
