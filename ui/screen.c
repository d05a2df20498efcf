/* SPDX-License-Identifier: MIT */
#include "ui/screen.h"

#include <string.h>

const struct screen *const screens[] = {&screen_desk, NULL};

const struct screen *screen_find(const char *name)
{
    int i = 0;
    while (screens[i] && strcmp(screens[i]->name, name))
        i++;
    return screens[i];
}
