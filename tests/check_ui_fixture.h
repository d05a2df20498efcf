/* SPDX-License-Identifier: MIT
 *
 * A desk without a session: a network in the shape of ResNet-20 with tables that are made up by formulas, so that what
 * tests expect of the screen can be worked out.
 */
#ifndef BITFADER_TESTS_CHECK_UI_FIXTURE_H
#define BITFADER_TESTS_CHECK_UI_FIXTURE_H

#include "ui/desk_state.h"

/* n layers. 22 gives the network above; more repeats its middle. Two layers of each down-sampling block share a group.
 */
struct desk *fixture_desk(int n);
void fixture_free(struct desk *d);
/* The tables alone, with everything unknown. */
struct tables *fixture_unknown(int n);

#endif
