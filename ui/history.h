/* SPDX-License-Identifier: MIT
 *
 * Undo and redo. A record holds what one action changed: precisions and locks of layers, and budgets, before and after.
 * Every state of the profile has a revision number that comes back with undo, so that "saved" and "measured" can be
 * told from it.
 */
#ifndef BITFADER_UI_HISTORY_H
#define BITFADER_UI_HISTORY_H

#include "profiles/profile.h"

struct change {
    int layer;
    struct precision before, after;
    bool lock_before, lock_after;
};

struct record {
    uint64_t revision; /* of the state after it; the state before the first record has 0 */
    struct change *changes;
    int n;
    struct budgets budgets_before, budgets_after;
    char text[128];
};

struct history {
    struct record *records;
    int n, at; /* records; those below at are done, the others can be redone */
    uint64_t last;
};

void history_done(struct history *h);

/* Compares the profile with what it was (layers [n] and budgets before the edit) and keeps the difference. False when
 * nothing changed. */
bool history_commit(struct history *h, const struct profile *p, const struct profile_layer *layers,
                    const struct budgets *budgets, const char *text);

/* The record that was undone or redone, or NULL when there is none. */
const struct record *history_undo(struct history *h, struct profile *p);
const struct record *history_redo(struct history *h, struct profile *p);

uint64_t history_revision(const struct history *h);
/* Edits between now and that revision, in either direction; -1 when that state is out of reach. */
int history_distance(const struct history *h, uint64_t revision);

#endif
