/* SPDX-License-Identifier: MIT */
#define _XOPEN_SOURCE_EXTENDED 1
#include "ui/tty.h"

#include <curses.h>
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

#include "base/mem.h"
#include "ui/format.h"

struct tty {
    SCREEN *screen;
    int w, h;
    bool all; /* paint everything */
    struct cell *shown;
    int shown_w, shown_h;
    chtype attributes[ROLE_COUNT];
    short pairs[ROLE_COUNT];
};

/* What handlers need. Set before they are installed. */
static struct {
    int pipe[2];
    struct termios before;
    bool active;
    char reset[256];
    size_t reset_n;
} emergency = {.pipe = {-1, -1}};

static const int loop_signals[] = {SIGTERM, SIGHUP, SIGINT, SIGTSTP, SIGWINCH};
static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

static void on_signal(int n)
{
    int saved = errno;
    unsigned char byte = (unsigned char)n;
    ssize_t written = write(emergency.pipe[1], &byte, 1); /* a full pipe has news enough */
    (void)written;
    errno = saved;
}

static void restore(void)
{
    if (!emergency.active)
        return;
    emergency.active = false;
    ssize_t written = write(STDOUT_FILENO, emergency.reset, emergency.reset_n);
    (void)written;
    tcsetattr(STDIN_FILENO, TCSANOW, &emergency.before);
}

/* SA_RESETHAND has put the default back: raised again, the signal ends the program and stays its cause. */
static void on_crash(int n)
{
    restore();
    raise(n);
}

static void catch (int n, void (*handler)(int), int flags)
{
    struct sigaction a = {.sa_flags = flags};
    a.sa_handler = handler;
    sigemptyset(&a.sa_mask);
    sigaction(n, &a, NULL);
}

static void put_capability(const char *name)
{
    const char *s = tigetstr(name);
    if (!s || s == (const char *)-1)
        return;
    for (; *s && emergency.reset_n < sizeof emergency.reset; s++) {
        if (s[0] == '$' && s[1] == '<') { /* padding: terminals of today need none */
            s = strchr(s, '>');
            if (!s)
                return;
            continue;
        }
        emergency.reset[emergency.reset_n++] = *s;
    }
}

static int prepare_emergency(struct err *e)
{
    emergency.reset_n = 0;
    put_capability("sgr0");
    put_capability("cnorm");
    put_capability("rmkx");
    put_capability("rmcup");
    if (emergency.pipe[0] < 0 && pipe2(emergency.pipe, O_NONBLOCK | O_CLOEXEC))
        return err_set(e, "no pipe for signals");
    if (tcgetattr(STDIN_FILENO, &emergency.before))
        return err_set(e, "standard input is no terminal");
    return 0;
}

static int find_terminal(const char **name, char note[128], struct err *e)
{
    int status;
    const char *term = getenv("TERM");
    note[0] = '\0';
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return err_set(e, "the desk needs a terminal; without one use \"bitfader estimate\" or \"bitfader shot\"");
    if (!term || !*term || !strcmp(term, "dumb"))
        return err_set(e,
                       "TERM is %s: the desk needs a terminal that can place its cursor; \"bitfader shot\" needs none",
                       term && *term ? term : "not set");
    *name = term;
    if (setupterm(term, STDOUT_FILENO, &status) != OK) {
        *name = "xterm-256color";
        if (setupterm(*name, STDOUT_FILENO, &status) != OK)
            return err_set(e, "TERM %.40s is not known here, and xterm-256color neither", term);
        snprintf(note, 128, "TERM %.40s is not known here: drawing for xterm-256color", term);
    }
    if (!tigetstr("cup") || tigetstr("cup") == (char *)-1)
        return err_set(e, "TERM %.40s cannot place its cursor; \"bitfader shot\" needs no terminal", *name);
    return 0;
}

enum glyph_level tty_glyph_level(void)
{
    const char *codeset = nl_langinfo(CODESET), *term = getenv("TERM");
    if (strcasecmp(codeset, "UTF-8") && strcasecmp(codeset, "utf8"))
        return GLYPHS_ASCII;
    return term && !strcmp(term, "linux") ? GLYPHS_BLOCKS : GLYPHS_BRAILLE;
}

static int colours_of(enum colour_mode mode)
{
    const char *no = getenv("NO_COLOR");
    if (mode == COLOUR_NEVER || (mode == COLOUR_AUTO && no && *no) || !has_colors())
        return 0;
    start_color(); /* COLORS is 0 before */
    use_default_colors();
    int most = mode == COLOUR_8 ? 8 : 256;
    return COLORS >= 256 && most >= 256 ? 256 : COLORS >= 8 ? 8 : 0;
}

static void make_attributes(struct tty *t, enum colour_mode mode, bool light)
{
    int colours = colours_of(mode);
    for (int r = 0; r < ROLE_COUNT; r++) {
        struct look l = theme_look(colours, light, (enum role)r);
        if (colours && l.colour >= 0) {
            t->pairs[r] = (short)(r + 1);
            init_pair(t->pairs[r], l.colour, -1);
        }
        t->attributes[r] = (l.mark & LOOK_BOLD ? A_BOLD : 0) | (l.mark & LOOK_UNDERLINE ? A_UNDERLINE : 0) |
                           (l.mark & LOOK_REVERSE ? A_REVERSE : 0) | (l.mark & LOOK_DIM ? A_DIM : 0);
    }
}

/* terminfo knows one form of each; terminals and scripts send both. */
static void define_keys(void)
{
    static const struct {
        char last;
        int code;
    } keys[] = {{'A', KEY_UP},  {'B', KEY_DOWN}, {'C', KEY_RIGHT}, {'D', KEY_LEFT}, {'H', KEY_HOME},
                {'F', KEY_END}, {'P', KEY_F(1)}, {'Q', KEY_F(2)},  {'R', KEY_F(3)}, {'S', KEY_F(4)}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char bracket[] = {'\033', '[', keys[i].last, '\0'}, o[] = {'\033', 'O', keys[i].last, '\0'};
        define_key(bracket, keys[i].code);
        define_key(o, keys[i].code);
    }
}

/* Ctrl-S and Ctrl-C are keys here. Ctrl-Z stays with the terminal driver. */
static void set_modes(void)
{
    struct termios now;
    cbreak();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    set_escdelay(25);
    tcgetattr(STDIN_FILENO, &now);
    now.c_iflag &= ~(tcflag_t)(IXON | IXOFF);
    now.c_cc[VINTR] = now.c_cc[VQUIT] = _POSIX_VDISABLE;
    now.c_cc[VLNEXT] = now.c_cc[VDISCARD] = _POSIX_VDISABLE;
    tcsetattr(STDIN_FILENO, TCSANOW, &now);
    def_prog_mode();
}

static void read_size(struct tty *t)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_row || !size.ws_col)
        return; /* not known: as it was */
    t->w = size.ws_col;
    t->h = size.ws_row;
    resizeterm(t->h, t->w);
}

struct tty *tty_open(enum colour_mode colour, bool light, char note[128], struct err *e)
{
    const char *name = NULL;
    if (find_terminal(&name, note, e) || prepare_emergency(e))
        return NULL;
    del_curterm(cur_term); /* find_terminal's; the screen has one of its own */
    SCREEN *screen = newterm(name, stdout, stdin);
    if (!screen) {
        err_set(e, "TERM %.40s cannot be used", name);
        return NULL;
    }
    struct tty *t = mem_new(1, sizeof *t);
    t->screen = screen;
    set_term(screen);
    emergency.active = true;
    mem_on_exhausted(restore);
    set_modes();
    define_keys();
    make_attributes(t, colour, light);
    for (size_t i = 0; i < sizeof loop_signals / sizeof *loop_signals; i++)
        catch (loop_signals[i], on_signal, 0);
    for (size_t i = 0; i < sizeof crash_signals / sizeof *crash_signals; i++)
        catch (crash_signals[i], on_crash, (int)(SA_RESETHAND | SA_NODEFER));
    t->w = COLS;
    t->h = LINES;
    read_size(t);
    t->all = true;
    return t;
}

void tty_close(struct tty *t)
{
    if (!t)
        return;
    endwin();
    tcsetattr(STDIN_FILENO, TCSANOW, &emergency.before);
    emergency.active = false;
    mem_on_exhausted(NULL);
    for (size_t i = 0; i < sizeof loop_signals / sizeof *loop_signals; i++)
        catch (loop_signals[i], SIG_DFL, 0);
    for (size_t i = 0; i < sizeof crash_signals / sizeof *crash_signals; i++)
        catch (crash_signals[i], SIG_DFL, 0);
    delscreen(t->screen);
    mem_free(t->shown);
    mem_free(t);
}

void tty_size(const struct tty *t, int *w, int *h)
{
    *w = t->w;
    *h = t->h;
}

void tty_redraw(struct tty *t)
{
    t->all = true;
}

static void put_cell(const struct tty *t, int x, int y, const struct cell *c)
{
    cchar_t out;
    wchar_t text[2] = {(wchar_t)c->ch, L'\0'};
    attr_t a = t->attributes[c->role];
    if (c->mark & LOOK_REVERSE)
        a ^= A_REVERSE; /* what is reversed in a reversed row stands out by being plain */
    if (c->mark & LOOK_BOLD)
        a |= A_BOLD;
    if (c->mark & LOOK_UNDERLINE)
        a |= A_UNDERLINE;
    setcchar(&out, text, a, t->pairs[c->role], NULL);
    mvadd_wch(y, x, &out);
}

void tty_present(struct tty *t, const struct grid *g)
{
    size_t cells = (size_t)g->w * (size_t)g->h;
    if (t->all || g->w != t->shown_w || g->h != t->shown_h) {
        mem_free(t->shown);
        t->shown = mem_new(cells + 1, sizeof *t->shown);
        t->shown_w = g->w;
        t->shown_h = g->h;
        clear();
        clearok(curscr, t->all);
        t->all = false;
    }
    for (int y = 0; y < g->h; y++)
        for (int x = 0; x < g->w; x++) {
            struct cell *old = &t->shown[y * g->w + x];
            const struct cell *c = &g->cells[y * g->w + x];
            if (old->ch != c->ch || old->role != c->role || old->mark != c->mark)
                put_cell(t, x, y, c);
            *old = *c;
        }
    curs_set(g->cursor_shown ? 1 : 0);
    move(g->cursor_y, g->cursor_x);
    refresh();
}

void tty_suspend(struct tty *t)
{
    def_prog_mode();
    endwin();
    tcsetattr(STDIN_FILENO, TCSANOW, &emergency.before);
    catch (SIGTSTP, SIG_DFL, 0);
    raise(SIGTSTP); /* here the program rests until SIGCONT */
    catch (SIGTSTP, on_signal, 0);
    reset_prog_mode();
    read_size(t);
    t->all = true;
}

/* What the handlers have written: the last of the ending signals wins. */
static int drain_signals(struct tty *t, int *sig)
{
    unsigned char bytes[64];
    int events = 0;
    ssize_t n;
    while ((n = read(emergency.pipe[0], bytes, sizeof bytes)) > 0)
        for (ssize_t i = 0; i < n; i++) {
            if (bytes[i] == SIGWINCH) {
                events |= TTY_RESIZED;
            } else if (bytes[i] == SIGTSTP) {
                events |= TTY_STOP;
            } else {
                events |= TTY_SIGNAL;
                *sig = bytes[i];
            }
        }
    if (events & TTY_RESIZED)
        read_size(t);
    return events;
}

int tty_wait(struct tty *t, int fd, int *sig)
{
    struct pollfd p[] = {{STDIN_FILENO, POLLIN, 0}, {emergency.pipe[0], POLLIN, 0}, {fd, POLLIN, 0}};
    while (poll(p, 3, -1) < 0)
        if (errno != EINTR) /* a signal of ours has written to the pipe: the next poll sees it */
            return TTY_GONE;
    int events = p[1].revents & POLLIN ? drain_signals(t, sig) : 0;
    if (p[2].revents & POLLIN)
        events |= TTY_NEWS;
    if (p[0].revents & (POLLHUP | POLLERR | POLLNVAL))
        events |= TTY_GONE;
    else if (p[0].revents & POLLIN)
        events |= TTY_KEYS;
    return events;
}

/* False: it has no meaning here, or is a size that is known already. */
static bool special_name(wint_t code, char out[8])
{
    static const struct {
        wint_t code;
        const char *name;
    } keys[] = {{KEY_UP, "Up"},          {KEY_DOWN, "Down"}, {KEY_LEFT, "Left"},  {KEY_RIGHT, "Right"},
                {KEY_HOME, "Home"},      {KEY_END, "End"},   {KEY_PPAGE, "PgUp"}, {KEY_NPAGE, "PgDn"},
                {KEY_BACKSPACE, "Bksp"}, {KEY_DC, "Del"},    {KEY_ENTER, "Enter"}};
    if (code >= KEY_F(1) && code <= KEY_F(12)) {
        snprintf(out, 8, "F%u", (unsigned)(code - KEY_F0));
        return true;
    }
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (keys[i].code == code) {
            snprintf(out, 8, "%s", keys[i].name);
            return true;
        }
    return false;
}

bool tty_key(struct tty *t, char out[8])
{
    (void)t;
    for (;;) {
        wint_t c;
        int kind = get_wch(&c);
        if (kind == ERR)
            return false;
        if (kind == KEY_CODE_YES) {
            if (special_name(c, out))
                return true;
            continue;
        }
        const char *name = c == '\r' || c == '\n' ? "Enter"
                           : c == '\t'            ? "Tab"
                           : c == ' '             ? "Space"
                           : c == 27              ? "Esc"
                           : c == 127 || c == 8   ? "Bksp"
                                                  : NULL;
        if (name)
            snprintf(out, 8, "%s", name);
        else if (c < 32)
            snprintf(out, 8, "^%c", (int)c + '@');
        else
            format_utf8((uint32_t)c, out);
        return true;
    }
}
