/* SPDX-License-Identifier: MIT
 *
 * Edits of the profile on the desk. Each acts on the marked rows that are visible, else on the row under the cursor;
 * leaves one record in the history, or none when nothing changed; and says on the message line what it did and what it
 * costs. Locked layers are left alone, and layers that read the same tensor keep the same activation bits.
 */
#ifndef BITFADER_UI_DESK_EDIT_H
#define BITFADER_UI_DESK_EDIT_H

#include "profiles/setting.h"
#include "ui/desk_state.h"

void desk_edit(struct desk *d, const struct setting *s);
/* On the rows that match f, marked or not, hidden or not. */
void desk_edit_where(struct desk *d, const struct setting *s, const struct filter *f);
/* What desk_edit_where would do, without doing it: the number of layers that would change, and the estimate after. */
int desk_edit_preview(struct desk *d, const struct setting *s, const struct filter *f, struct estimate *after);

void desk_toggle_lock(struct desk *d);
void desk_toggle_mute(struct desk *d);
void desk_toggle_solo(struct desk *d);
void desk_set_budgets(struct desk *d, const struct budgets *b, const char *text);
/* All precisions of another profile of the same model, as one record. Locks and budgets stay. */
void desk_take(struct desk *d, const struct profile *p, const char *text);

void desk_undo(struct desk *d);
void desk_redo(struct desk *d);

/* "-0.22 pp, -2.0 KiB, -11 us" from one estimate to another, without what is unknown or unchanged; between stands
 * between the parts. */
char *desk_price(const struct estimate *from, const struct estimate *to, const char *space, const char *between,
                 char out[96]);

#endif
