/* SPDX-License-Identifier: MIT
 *
 * Help: texts made from the tables of commands, options and whatever else they name.
 */
#ifndef BITFADER_CLI_HELP_H
#define BITFADER_CLI_HELP_H

#include "cli/commands.h"

/* All return an exit status. The short one answers an empty command line: standard error, status 2. */
int help_put_short(void);
int help_put_overview(void);
int help_put_command(const struct command *c);
/* Of a command or a topic. */
int help_put_named(const char *name);

#endif
