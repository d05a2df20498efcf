/* SPDX-License-Identifier: MIT */
#include "cli/commands.h"

#include <string.h>

#define ADDRESS(row) &row,
const struct command *const commands_table[] = {COMMAND_LIST(ADDRESS)};
const int commands_count = sizeof commands_table / sizeof *commands_table;

const struct command *commands_find(const char *name)
{
    for (int i = 0; i < commands_count; i++) {
        const struct command *c = commands_table[i];
        if (!strcmp(c->name, name) || (c->alias && !strcmp(c->alias, name)))
            return c;
    }
    return NULL;
}

bool commands_take(const struct command *c, const struct option_row *row)
{
    return row->takes & (c->takes | TAKES_ALWAYS);
}
