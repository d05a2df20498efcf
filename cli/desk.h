/* SPDX-License-Identifier: MIT
 *
 * The way from the command line to the desk.
 */
#ifndef BITFADER_CLI_DESK_H
#define BITFADER_CLI_DESK_H

#include "profiles/profile.h"

/* The file that the desk saves to: the name that a profile was loaded by, NULL when that is no file. */
const char *desk_path(const struct profile *p, const char *name);

#endif
