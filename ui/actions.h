/* SPDX-License-Identifier: MIT
 *
 * The one table of actions. It drives the keys, the ":" commands and the help: what is not in it cannot be done, and
 * what is in it is in the help. A handler changes the desk and nothing else; it never draws.
 */
#ifndef BITFADER_UI_ACTIONS_H
#define BITFADER_UI_ACTIONS_H

#include "ui/desk_state.h"

enum { ACTION_KEYS = 4 };

struct action {
    const char *name; /* the ":" command */
    /* Names of keys as tty.h gives them; a sequence has blanks between ("g g"); "#" is a digit 0 to 8, and the
     * handler's argument; ":w" is a short name of the command. */
    const char *keys[ACTION_KEYS];
    const char *section;
    const char *args; /* of the command: "[FILE]"; NULL: none */
    const char *help;
    void (*run)(struct desk *d, const char *arg); /* arg is "" when there is none */
    bool undoable;
    void (*preview)(struct desk *d, const char *arg); /* what it would do, into the prompt's note; NULL: its help */
};

const struct action *action_table(int *n);
/* By name or short name (without the colon); NULL. */
const struct action *action_find(const char *name);
/* The nearest name, for a message about one that does not exist. */
const char *action_nearest(const char *name);

/* A key at the desk, in a prompt, in the help or at the quit question. */
void desk_key(struct desk *d, const char *key);
/* A command line, as typed after ":". */
void desk_command(struct desk *d, const char *line);

#endif
