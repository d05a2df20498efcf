/* SPDX-License-Identifier: MIT
 *
 * The table of actions. It drives the keys, the ":" commands, the help and the key bar: what is not in it cannot be
 * done, and what is in it is in the help. Its rows stand with their handlers in ui/actions_*.c. A handler changes the
 * desk and nothing else; it never draws.
 */
#ifndef BITFADER_UI_ACTIONS_H
#define BITFADER_UI_ACTIONS_H

#include "ui/desk_state.h"

enum { ACTION_KEYS = 4, ACTION_HINTS = 2 };

/* In the key bar. */
struct hint {
    const char *keys; /* as shown; NULL: the action's first key */
    const char *word; /* NULL: no hint */
    int place;        /* from the left: the smallest stands first */
    int rank;         /* the highest leaves first when the screen is narrow; 0 stays */
};

struct action {
    const char *name; /* the ":" command */
    /* Names of keys as tty.h gives them; a sequence has blanks between ("g g"); "#" is a digit 0 to 8, and the
     * handler's argument; ":w" is a short name of the command. */
    const char *keys[ACTION_KEYS];
    unsigned on; /* the screens it is for, ON_ of ui/screen.h: elsewhere its keys are free */
    const char *section;
    const char *args; /* of the command: "[FILE]"; NULL: none */
    const char *help;
    void (*run)(struct desk *d, const char *arg); /* arg is "" when there is none */
    struct hint hints[ACTION_HINTS];
    void (*preview)(struct desk *d, const char *arg); /* what it would do, into the prompt's note; NULL: its help */
    const char *(*word)(int i); /* what Tab completes its argument to: the i-th, NULL after the last. NULL: nothing */
};

struct action_list {
    const struct action *rows;
    int n;
};
extern const struct action_list actions_layers, actions_program;

/* The i-th of all lists; NULL after the last. */
const struct action *action_at(int i);
/* Is it for the screen that is shown? */
bool action_is_here(const struct action *a, const struct desk *d);
/* By name or short name (without the colon); NULL. */
const struct action *action_find(const char *name);
/* The nearest name, for a message about one that does not exist. */
const char *action_nearest(const char *name);

/* A key on a screen, in a prompt, in the help or at the quit question. */
void desk_key(struct desk *d, const char *key);
/* A command line, as typed after ":". */
void desk_command(struct desk *d, const char *line);

#endif
