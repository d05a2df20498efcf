/* SPDX-License-Identifier: MIT */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *e, const char *format, ...)
{
    if (!e)
        return -1;
    va_list ap;
    va_start(ap, format);
    vsnprintf(e->text, sizeof e->text, format, ap);
    va_end(ap);
    return -1;
}

int err_wrap(struct err *e, const char *format, ...)
{
    if (!e)
        return -1;
    char prefix[sizeof e->text], whole[2 * sizeof e->text + 2];
    va_list ap;
    va_start(ap, format);
    vsnprintf(prefix, sizeof prefix, format, ap);
    va_end(ap);
    snprintf(whole, sizeof whole, "%s: %s", prefix, e->text);
    whole[sizeof e->text - 1] = '\0';
    memcpy(e->text, whole, sizeof e->text);
    return -1;
}
