/* SPDX-License-Identifier: MIT */
#include "ui/theme.h"

#include <assert.h>

struct row {
    struct look dark, light, eight, mono;
};

enum { NONE = -1, RED = 1, YELLOW = 3, MAGENTA = 5, CYAN = 6 };

/* Colours were chosen by distance under three simulated colour-vision deficiencies; plain blue and red against green
 * are avoided. */
static const struct row rows[ROLE_COUNT] = {
    [ROLE_TEXT] = {{NONE, 0}, {NONE, 0}, {NONE, 0}, {NONE, 0}},
    [ROLE_DIM] = {{245, 0}, {242, 0}, {NONE, 0}, {NONE, LOOK_DIM}},
    [ROLE_BAR] = {{NONE, LOOK_REVERSE}, {NONE, LOOK_REVERSE}, {NONE, LOOK_REVERSE}, {NONE, LOOK_REVERSE}},
    [ROLE_BAR_KEY] = {{NONE, LOOK_REVERSE | LOOK_BOLD},
                      {NONE, LOOK_REVERSE | LOOK_BOLD},
                      {NONE, LOOK_REVERSE | LOOK_BOLD},
                      {NONE, LOOK_BOLD}},
    [ROLE_MARKED] = {{183, LOOK_BOLD}, {90, LOOK_BOLD}, {MAGENTA, LOOK_BOLD}, {NONE, LOOK_BOLD}},
    [ROLE_FLAG] = {{245, 0}, {242, 0}, {NONE, 0}, {NONE, LOOK_DIM}},
    [ROLE_OK] = {{75, 0}, {26, 0}, {CYAN, 0}, {NONE, 0}},
    [ROLE_NEAR] = {{220, 0}, {94, 0}, {YELLOW, LOOK_BOLD}, {NONE, LOOK_UNDERLINE}},
    [ROLE_OVER] = {{167, LOOK_BOLD},
                   {125, LOOK_BOLD},
                   {RED, LOOK_REVERSE | LOOK_BOLD},
                   {NONE, LOOK_REVERSE | LOOK_BOLD}},
    [ROLE_W] = {{75, 0}, {25, 0}, {CYAN, 0}, {NONE, 0}},
    [ROLE_A] = {{215, 0}, {130, 0}, {YELLOW, 0}, {NONE, 0}},
    [ROLE_HEAT_1] = {{96, 0}, {69, 0}, {NONE, 0}, {NONE, 0}},
    [ROLE_HEAT_2] = {{69, 0}, {96, 0}, {CYAN, 0}, {NONE, 0}},
    [ROLE_HEAT_3] = {{145, 0}, {26, 0}, {YELLOW, 0}, {NONE, LOOK_UNDERLINE}},
    [ROLE_HEAT_4] = {{220, 0}, {88, 0}, {YELLOW, LOOK_BOLD}, {NONE, LOOK_BOLD}},
    [ROLE_HEAT_5] = {{229, 0}, {54, 0}, {RED, LOOK_REVERSE}, {NONE, LOOK_REVERSE | LOOK_BOLD}},
    [ROLE_MEASURED] = {{215, 0}, {130, 0}, {YELLOW, 0}, {NONE, LOOK_UNDERLINE}},
    [ROLE_LIMIT] = {{167, 0}, {125, 0}, {RED, 0}, {NONE, LOOK_DIM}},
    [ROLE_GUESSED] = {{245, LOOK_DIM}, {242, LOOK_DIM}, {NONE, 0}, {NONE, LOOK_DIM}},
};

struct look theme_look(int colours, int light, enum role r)
{
    assert(r < ROLE_COUNT);
    const struct row *row = &rows[r];
    return colours >= 256 ? light ? row->light : row->dark : colours >= 8 ? row->eight : row->mono;
}
