/* SPDX-License-Identifier: MIT
 *
 * What commands take after their names.
 */
#ifndef BITFADER_UI_ARGUMENTS_H
#define BITFADER_UI_ARGUMENTS_H

#include "profiles/setting.h"
#include "ui/filter.h"

/* "w4 where op:pw w>4" taken apart and parsed: the setting, and the filter (NULL without "where"). */
int arguments_set(const char *arg, struct setting *s, struct filter **f, struct err *e);
/* "size=120KiB acc-drop=0.5pp" over what is there; "none" clears all. */
int arguments_budgets(const char *arg, struct budgets *b, struct err *e);

#endif
