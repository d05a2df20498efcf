/* SPDX-License-Identifier: MIT */
#include "cli/desk.h"

#include <string.h>

const char *desk_path(const struct profile *p, const char *name)
{
    return p->source && strcmp(name, "-") ? name : NULL;
}
