/* SPDX-License-Identifier: MIT */
#include "ui/arguments.h"

#include <stdio.h>
#include <string.h>

int arguments_set(const char *arg, struct setting *s, struct filter **f, struct err *e)
{
    char text[256];
    snprintf(text, sizeof text, "%s", arg);
    char *where = strstr(text, " where ");
    *f = NULL;
    if (where)
        *where = '\0';
    size_t n = strlen(text);
    while (n && text[n - 1] == ' ')
        text[--n] = '\0';
    if (setting_parse(s, text, e))
        return -1;
    if (where && !(*f = filter_parse(where + 7, e)))
        return -1;
    return 0;
}

int arguments_budgets(const char *arg, struct budgets *b, struct err *e)
{
    while (*arg) {
        char word[64];
        size_t n = strcspn(arg, " ");
        if (n >= sizeof word)
            return err_set(e, "\"%.20s...\" is no budget", arg);
        memcpy(word, arg, n);
        word[n] = '\0';
        arg += n;
        arg += strspn(arg, " ");
        if (!strcmp(word, "none"))
            *b = budgets_none();
        else if (n && budgets_parse(b, word, e))
            return -1;
    }
    return 0;
}
