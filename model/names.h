/* SPDX-License-Identifier: MIT
 *
 * A table from names to numbers: open addressing, grows by itself. It keeps the pointers, not copies: names outlive it.
 */
#ifndef BITFADER_MODEL_NAMES_H
#define BITFADER_MODEL_NAMES_H

struct names { /* zero-initialise */
    struct names_slot *slots;
    int n, cap;
};

/* Enters name with a value >= 0. Returns the value that was there already (nothing changes), or -1 when it was new. */
int names_put(struct names *t, const char *name, int value);
/* The value, or -1. */
int names_get(const struct names *t, const char *name);
void names_set(struct names *t, const char *name, int value); /* enters or overwrites */
void names_done(struct names *t);

#endif
