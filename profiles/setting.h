/* SPDX-License-Identifier: MIT
 *
 * A setting: what an edit says of a layer, whatever that was before. From text, as --set and ":set" take it, from a
 * profile's YAML, or from keys.
 */
#ifndef BITFADER_PROFILES_SETTING_H
#define BITFADER_PROFILES_SETTING_H

#include "base/err.h"
#include "profiles/profile.h"
#include "quant/precision.h"

enum { SETTING_UNSAID = -1 };
struct setting {
    int w, a;                 /* bits, 0 for fp32, or unsaid */
    int choice[CHOICE_COUNT]; /* values of precision_choices, or unsaid */
    int lock;                 /* 1, 0 or unsaid */
    int step_w, step_a;       /* bits more or fewer; fp32 stands above 8 */
    int cycle;                /* places forward in the list of all choices that go with the width */
};
struct setting setting_none(void);

/* "w4a8", "w4", "a32", "fp32", "w-1", names of choices ("tensor", "mse"), "lock", "unlock", with commas between. The
 * message says what there is. */
int setting_parse(struct setting *s, const char *text, struct err *e);
/* What is said into a precision. -1 when a scheme was asked for that has not the width; p then has both all the same.
 */
int setting_apply(const struct setting *s, struct precision *p);
/* The same and the lock. */
int setting_apply_layer(const struct setting *s, struct profile_layer *l);
/* Why setting_apply failed: "4-bit weights cannot be binary (that has 1 bit)". Returns out. */
char *setting_contradiction(const struct precision *p, char out[96]);
/* "W4", "W4 A8", "one bit less", "tensor". Returns out. */
char *setting_text(const struct setting *s, char out[64]);

#endif
