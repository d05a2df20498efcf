/* SPDX-License-Identifier: MIT
 *
 * The prompt line: ":" commands and "/" filters, edited in place, with what they would do said beside them while they
 * are being typed.
 */
#ifndef BITFADER_UI_PROMPT_H
#define BITFADER_UI_PROMPT_H

#include "profiles/setting.h"
#include "ui/desk_state.h"

void prompt_open(struct desk *d, char sign, const char *text);
/* Enter ends it and gives the line back in out (":" only, "" otherwise): true. */
bool prompt_key(struct desk *d, const char *key, char out[256]);

/* "w4 where op:pw w>4" taken apart and parsed: the setting, and the filter (NULL without "where"). */
int prompt_parse_set(const char *arg, struct setting *s, struct filter **f, struct err *e);
/* "SIZE=120KiB acc-drop=0.5pp" over what is there; "none" clears all. */
int prompt_parse_budgets(const char *arg, struct budgets *b, struct err *e);

#endif
