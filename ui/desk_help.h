/* SPDX-License-Identifier: MIT
 *
 * The help: the action table as a list that narrows as one types. "@w" finds by key. Enter runs the selected action.
 */
#ifndef BITFADER_UI_DESK_HELP_H
#define BITFADER_UI_DESK_HELP_H

#include "ui/desk_state.h"

void help_key(struct desk *d, const char *key);

#endif
