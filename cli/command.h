/* SPDX-License-Identifier: MIT
 *
 * The subcommands: one table that drives dispatch, option checks, help and "did you mean".
 */
#ifndef BITFADER_CLI_COMMAND_H
#define BITFADER_CLI_COMMAND_H

#include "base/version.h"
#include "cli/options.h"

struct command {
    const char *name;
    const char *alias;                   /* or NULL */
    const char *arguments;               /* as the usage line shows them: "MODEL" */
    const char *help;                    /* one line */
    const char *about;                   /* more lines for its own help, or NULL */
    int min_arguments, max_arguments;    /* after the command's name */
    uint64_t options;                    /* OPTION_BITs that it takes */
    int (*run)(const struct options *o); /* returns an exit status, messages printed; arguments[0] is the command */
};
extern const struct command command_table[];
extern const int command_count;

/* By name or alias; NULL. */
const struct command *command_find(const char *name);

/* The whole command line: parse, find, check, run. Returns an exit status. */
int command_main(int argc, char *const *argv);

/* One function for each row, in command_NAME.c. */
int command_open(const struct options *o);
int command_inspect(const struct options *o);
int command_analyze(const struct options *o);
int command_estimate(const struct options *o);
int command_search(const struct options *o);
int command_run(const struct options *o);
int command_profile(const struct options *o);
int command_shot(const struct options *o);
int command_demo(const struct options *o);
int command_doctor(const struct options *o);
int command_help(const struct options *o);

/* Help texts; an exit status. The short one answers an empty command line: standard error, status 2. */
int help_put_short(void);
int help_put_overview(void);
int help_put_command(const struct command *c);

#endif
