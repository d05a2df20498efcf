/* SPDX-License-Identifier: MIT
 *
 * Options of the command line: one table for parsing, checking and help, where an option is one row. Names match
 * exactly, never by abbreviation. Options may stand anywhere; "--" ends them; "--name value" and "--name=value" are the
 * same.
 *
 * Not here: which groups of options a command takes (command.h).
 */
#ifndef BITFADER_CLI_OPTIONS_H
#define BITFADER_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"
#include "model/graph_load.h"
#include "search/session.h"
#include "ui/ui.h"

enum form { FORM_HUMAN, FORM_PLAIN, FORM_CSV, FORM_JSON };
enum progress_mode { PROGRESS_AUTO, PROGRESS_BAR, PROGRESS_LINES, PROGRESS_NONE };

struct strings {
    const char **items;
    int n;
};

/* What was asked for, over the defaults of whoever takes it. Strings point into argv or the environment. */
struct options {
    uint64_t given;                 /* rows of option_table that were on the command line, by index */
    struct session_options session; /* all but config_path */
    struct search_options search;
    struct run_options run; /* images as in search */
    struct ui_options ui;   /* search as above */
    const char *profile;
    struct strings sets, locks;
    bool rebind, check, force, quiet, help, version;
    struct graph_input *inputs; /* [session.graph.n_inputs] what --shape and --value say; names are its own memory */
    const char *target, *output, *table, *sort;
    enum form form;
    int limit; /* rows; 0: all */
    int width, height;
    int threads; /* 0: all processors */
    int isa;     /* a word of option_isa */
    enum progress_mode progress;
    struct strings arguments; /* what is not an option, the command's name included */
};

/* Groups of options. An option's row names those that it is in, a command's row those that it takes. */
enum takes {
    TAKES_ALWAYS = 1 << 0,  /* every command does */
    TAKES_PROFILE = 1 << 1, /* the profile and its budgets */
    TAKES_INPUTS = 1 << 2,  /* the model's */
    TAKES_MACHINE = 1 << 3, /* what runs on it */
    TAKES_SESSION = 1 << 4, /* also inputs and machine */
    TAKES_SEARCH = 1 << 5,  /* also budgets */
    TAKES_RUN = 1 << 6,
    TAKES_CHECK = 1 << 7,
    TAKES_TABLES = 1 << 8, /* a report, and where it goes */
    TAKES_PICTURE = 1 << 9,
    TAKES_SCREEN = 1 << 10
};

enum option_kind {                /* what it is in struct options; and which other members of the row count */
                   OPTION_FLAG,   /* bool, true from here on */
                   OPTION_OFF,    /* bool, false from here on */
                   OPTION_ONE_OF, /* an enum, `least` from here on; not with another option on the same enum */
                   OPTION_NUMBER, /* int from `least` to `most` */
                   OPTION_SEED,   /* uint64_t */
                   OPTION_TEXT,   /* const char * */
                   OPTION_LIST,   /* struct strings, one more of them */
                   OPTION_WORD,   /* an enum or int: the i of words(i), `least` to `most`; NULL is no word */
                   OPTION_OWN     /* whatever `take` makes of it */
};

struct option_row {
    const char *name;     /* without the dashes */
    char letter;          /* 0: none */
    const char *argument; /* as help shows it; NULL: a switch */
    const char *help;     /* "%s" stands for its words, or its number when it is not given */
    unsigned takes;       /* enum takes */
    enum option_kind kind;
    size_t offset; /* in struct options */
    int least, most;
    const char *(*words)(int i);
    int (*take)(struct options *o, const char *value, struct err *e); /* own; else a check that goes before. Or NULL */
    const char *variable; /* of the environment, which stands in for the option. NULL: none */
};
enum { OPTIONS_MAX = 64 }; /* bits of `given` */
extern const struct option_row option_table[];
extern const int option_count;

/* Instruction sets by name, those of other architectures NULL, and "auto": what isa_select takes. */
const char *option_isa(int i);

/* Reads argv[1..argc-1] over the defaults and the variables of the environment. -1 with one line on what is not an
 * option or not a value. Release with options_done in either case. */
int options_parse(struct options *o, int argc, char *const *argv, struct err *e);
void options_done(struct options *o);

/* Applies --isa and --threads to the program. */
int options_apply(const struct options *o, struct err *e);

/* Puts an argument before the others. */
void options_prepend(struct options *o, const char *argument);

/* The option's line of help. */
void options_put_help(struct text *out, const struct option_row *row);

#endif
