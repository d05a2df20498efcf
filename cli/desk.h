/* SPDX-License-Identifier: MIT
 *
 * The way from the command line to the screen: what --color, --glyphs and the like mean to ui/.
 */
#ifndef BITFADER_CLI_DESK_H
#define BITFADER_CLI_DESK_H

#include "cli/options.h"
#include "ui/ui.h"

struct ui_options desk_options(const struct options *o);

/* The file that the desk saves to: the name that a profile was loaded by, NULL when that is no file. */
const char *desk_path(const struct profile *p, const char *name);

#endif
