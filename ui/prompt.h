/* SPDX-License-Identifier: MIT
 *
 * The prompt line: ":" commands and "/" filters, edited in place, with what they would do said beside them while they
 * are being typed. Opened by desk_open_prompt (ui/desk_state.h).
 */
#ifndef BITFADER_UI_PROMPT_H
#define BITFADER_UI_PROMPT_H

#include "ui/desk_state.h"

/* Enter ends it and gives the line back in out (":" only, "" otherwise): true. */
bool prompt_key(struct desk *d, const char *key, char out[256]);

/* Says what the line would do: the filter acts at once, a command is priced. A wrong filter leaves the rows as they
 * were. */
void prompt_note(struct desk *d);

#endif
