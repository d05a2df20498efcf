/* SPDX-License-Identifier: MIT
 *
 * How much may be computed at import: a few bytes of a file can ask for hours and terabytes.
 */
#ifndef BITFADER_MODEL_FOLD_H
#define BITFADER_MODEL_FOLD_H

#include "model/build.h"

/* Whether the call may be run at import, counted as run when it may. What may not be is called at run time. */
bool fold_allowed(struct build *b, const struct op_call *c);

#endif
