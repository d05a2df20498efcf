/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <assert.h>
#include <ctype.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static void reserve(struct text *t, size_t more)
{
    if (t->cap - t->n > more)
        return;
    size_t cap = t->cap ? t->cap : 128;
    while (cap - t->n <= more)
        cap *= 2;
    t->s = mem_resize(t->s, t->n, cap, 1);
    t->cap = cap;
}

void text_put_n(struct text *t, const char *s, size_t n)
{
    reserve(t, n);
    memcpy(t->s + t->n, s, n);
    t->n += n;
    t->s[t->n] = '\0';
}

void text_put(struct text *t, const char *s)
{
    text_put_n(t, s, strlen(s));
}

void text_printf(struct text *t, const char *format, ...)
{
    va_list ap, again;
    va_start(ap, format);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (n >= 0) {
        reserve(t, (size_t)n);
        vsnprintf(t->s + t->n, (size_t)n + 1, format, ap);
        t->n += (size_t)n;
    }
    va_end(ap);
}

void text_done(struct text *t)
{
    mem_free(t->s);
    *t = (struct text){0};
}

/* On a mismatch, goes back to the last star and lets it take one character more: no recursion, at most n * m steps. */
bool text_match(const char *pattern, const char *s)
{
    const char *star = NULL, *resume = NULL;
    while (*s) {
        if (*pattern == '*') {
            star = pattern++;
            resume = s;
        } else if (*pattern == '?' || *pattern == *s) {
            pattern++;
            s++;
        } else if (star) {
            pattern = star + 1;
            s = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

int text_distance(const char *a, const char *b)
{
    size_t m = strlen(b);
    int *row = mem_new(m + 1, sizeof *row); /* distances from a[0..i) to b[0..j) */
    for (size_t j = 0; j <= m; j++)
        row[j] = (int)j;
    for (size_t i = 0; a[i]; i++) {
        int diagonal = row[0];
        row[0] = (int)i + 1;
        for (size_t j = 1; j <= m; j++) {
            int best = diagonal + (a[i] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    int d = row[m];
    mem_free(row);
    return d;
}

char *text_bytes(int64_t bytes, char out[32])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double v = (double)bytes;
    int u = 0;
    /* 1023.95 would be printed as 1024.0: it belongs to the next unit. */
    for (; fabs(v) >= (u ? 1023.95 : 1024) && u < 6; u++)
        v /= 1024;
    snprintf(out, 32, u ? "%.1f %s" : "%.0f %s", v, units[u]);
    return out;
}

/* Three significant digits, for values below 1000. */
static void put_three(char *out, size_t size, double v, const char *suffix)
{
    double size_of = fabs(v);
    int decimals = size_of < 9.995 ? 2 : size_of < 99.95 ? 1 : 0;
    snprintf(out, size, "%.*f%s", decimals, v, suffix);
}

char *text_count(int64_t n, char out[32])
{
    static const char *const suffixes[] = {"", "k", "M", "G", "T", "P", "E"};
    double v = (double)n;
    int u = 0;
    for (; fabs(v) >= (u ? 999.5 : 1000) && u < 6; u++)
        v /= 1000;
    if (u)
        put_three(out, 32, v, suffixes[u]);
    else
        snprintf(out, 32, "%d", (int)n);
    return out;
}

char *text_time(double ns, char out[32])
{
    static const char *const units[] = {" us", " ms", " s"};
    double v = ns / 1e3;
    int u = 0;
    for (; fabs(v) >= 999.5 && u < 2; u++)
        v /= 1e3;
    put_three(out, 32, v, units[u]);
    return out;
}

struct unit {
    const char *name;
    double factor;
};

/* A plain decimal number (no sign, no hex, no "inf", no exponent) and one of the units. -1 when it is not that. */
static double parse_unit(const char *s, const struct unit *units)
{
    size_t digits = strspn(s, "0123456789.");
    const char *dot = memchr(s, '.', digits);
    if (!isdigit((unsigned char)s[0]) || digits > 30 || (dot && memchr(dot + 1, '.', digits - (size_t)(dot + 1 - s))))
        return -1;
    const char *unit = s + digits;
    while (*unit == ' ')
        unit++;
    while (units->name && strcmp(unit, units->name))
        units++;
    if (!units->name)
        return -1;
    char number[32] = "";
    memcpy(number, s, digits);
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0); /* a point is a point, whatever the user's language */
    double v = strtod_l(number, NULL, c);
    freelocale(c);
    return v * units->factor;
}

int64_t text_parse_bytes(const char *s)
{
    static const struct unit units[] = {{"B", 1},        {"kB", 1e3},     {"MB", 1e6},     {"GB", 1e9},
                                        {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30}, {NULL, 0}};
    double v = parse_unit(s, units);
    return v < 0 || v >= 0x1p62 ? -1 : llround(v);
}

double text_parse_ns(const char *s)
{
    static const struct unit units[] = {{"ns", 1},   {"us", 1e3}, {"\xc2\xb5s", 1e3}, {"\xce\xbcs", 1e3},
                                        {"ms", 1e6}, {"s", 1e9},  {NULL, 0}};
    return parse_unit(s, units);
}
