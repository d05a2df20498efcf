/* SPDX-License-Identifier: MIT
 *
 * A subcommand: a file command_NAME.c, which ends with its row, and the row's name in the list below. Dispatch, option
 * checks, help and "did you mean" follow the list, in its order.
 */
#ifndef BITFADER_CLI_COMMANDS_H
#define BITFADER_CLI_COMMANDS_H

#include "cli/options.h"

struct command {
    const char *name;
    const char *alias;                   /* or NULL */
    const char *arguments;               /* as the usage line shows them: "MODEL" */
    const char *help;                    /* one line */
    const char *about;                   /* more lines for its own help, or NULL */
    int min_arguments, max_arguments;    /* after the command's name */
    unsigned takes;                      /* enum takes, beside TAKES_ALWAYS */
    int (*run)(const struct options *o); /* returns an exit status, messages printed; arguments[0] is the command */
};

#define COMMAND_LIST(X) \
    X(command_open)     \
    X(command_inspect)  \
    X(command_analyze)  \
    X(command_estimate) \
    X(command_search)   \
    X(command_run)      \
    X(command_profile)  \
    X(command_shot)     \
    X(command_demo)     \
    X(command_doctor)   \
    X(command_help)

#define COMMAND_DECLARE(row) extern const struct command row;
COMMAND_LIST(COMMAND_DECLARE)
#undef COMMAND_DECLARE

extern const struct command *const commands_table[];
extern const int commands_count;

/* By name or alias; NULL. */
const struct command *commands_find(const char *name);

/* Whether one of the command's groups has the option. */
bool commands_take(const struct command *c, const struct option_row *row);

#endif
