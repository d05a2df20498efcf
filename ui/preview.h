/* SPDX-License-Identifier: MIT
 *
 * What a command would do, said in the prompt's note while it is typed. One function an action that has more to say
 * than its help.
 */
#ifndef BITFADER_UI_PREVIEW_H
#define BITFADER_UI_PREVIEW_H

#include "ui/desk_state.h"

void preview_set(struct desk *d, const char *arg);
void preview_budget(struct desk *d, const char *arg);
void preview_save(struct desk *d, const char *arg);
void preview_view(struct desk *d, const char *arg);

#endif
