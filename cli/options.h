/* SPDX-License-Identifier: MIT
 *
 * Options of the command line: one table for parsing, checking and help. Names match exactly, never by abbreviation.
 * Options may stand anywhere; "--" ends them; "--name value" and "--name=value" are the same.
 *
 * Not here: which command takes which options (command.h).
 */
#ifndef BITFADER_CLI_OPTIONS_H
#define BITFADER_CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/graph_load.h"
#include "profiles/profile.h"
#include "search/session.h"

enum option_id { /* rows of option_table, in this order */
                 OPTION_PROFILE,
                 OPTION_SET,
                 OPTION_LOCK,
                 OPTION_REBIND,
                 OPTION_DATA,
                 OPTION_CALIB_N,
                 OPTION_IMAGES,
                 OPTION_BUDGET,
                 OPTION_MINIMIZE,
                 OPTION_NO_VERIFY,
                 OPTION_CHECK,
                 OPTION_STRICT,
                 OPTION_TARGET,
                 OPTION_SHAPE,
                 OPTION_VALUE,
                 OPTION_OUTPUT,
                 OPTION_FORCE,
                 OPTION_JSON,
                 OPTION_CSV,
                 OPTION_PLAIN,
                 OPTION_TABLE,
                 OPTION_SORT,
                 OPTION_LIMIT,
                 OPTION_SIZE,
                 OPTION_THREADS,
                 OPTION_SEED,
                 OPTION_ISA,
                 OPTION_NO_CACHE,
                 OPTION_PROGRESS,
                 OPTION_QUIET,
                 OPTION_COLOR,
                 OPTION_GLYPHS,
                 OPTION_LIGHT,
                 OPTION_HELP,
                 OPTION_VERSION,
                 OPTION_COUNT
};
#define OPTION_BIT(id) (UINT64_C(1) << (id))

enum form { FORM_HUMAN, FORM_PLAIN, FORM_CSV, FORM_JSON };
enum progress_mode { PROGRESS_AUTO, PROGRESS_BAR, PROGRESS_LINES, PROGRESS_NONE };

struct strings {
    const char **items;
    int n;
};

struct options {    /* strings point into argv or the environment */
    uint64_t given; /* OPTION_BITs that were on the command line */
    const char *profile;
    struct strings sets, locks;
    struct graph_input *inputs; /* what --shape and --value say of them; names are its own memory */
    int n_inputs;
    const char *data;
    int calibration_images; /* 0: the default */
    int images;             /* 0: all */
    struct budgets budgets;
    enum objective minimize;
    const char *target, *output, *table, *sort, *isa, *color, *glyphs;
    enum form form;
    int limit; /* rows; 0: all */
    int width, height;
    int threads; /* 0: all processors */
    uint64_t seed;
    enum progress_mode progress;
    struct strings arguments; /* what is not an option, the command's name included */
};

struct option_row {
    const char *name;     /* without the dashes */
    char letter;          /* 0: none */
    const char *argument; /* as help shows it; NULL: a switch */
    const char *help;
    int (*take)(struct options *o, const char *value, struct err *e); /* NULL: the bit in `given` says it all */
};
extern const struct option_row option_table[OPTION_COUNT];

/* Reads argv[1..argc-1] over the defaults and the BITFADER_* variables. -1 with one line on what is not an option or
 * not a value. Release with options_done in either case. */
int options_parse(struct options *o, int argc, char *const *argv, struct err *e);
void options_done(struct options *o);

/* Puts an argument before the others. */
void options_prepend(struct options *o, const char *argument);

static inline bool options_has(const struct options *o, enum option_id id)
{
    return o->given & OPTION_BIT(id);
}

#endif
