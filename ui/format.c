/* SPDX-License-Identifier: MIT */
#include "ui/format.h"

#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ui/glyphs.h"

int format_next(const char *s, uint32_t *code)
{
    const unsigned char *u = (const unsigned char *)s;
    int n = u[0] < 0x80 ? 1 : u[0] >= 0xc2 && u[0] < 0xe0 ? 2 : u[0] >= 0xe0 && u[0] < 0xf0 ? 3 : u[0] < 0xf5 ? 4 : 0;
    if (n == 1) {
        *code = u[0];
        return 1;
    }
    uint32_t c = n == 2 ? u[0] & 0x1f : n == 3 ? u[0] & 0x0f : u[0] & 0x07;
    if (u[0] < 0xc2)
        n = 0;
    for (int i = 1; i < n; i++) {
        if ((u[i] & 0xc0) != 0x80) {
            n = 0;
            break;
        }
        c = c << 6 | (u[i] & 0x3f);
    }
    *code = n ? c : 0xfffd;
    return n ? n : 1;
}

void format_utf8(uint32_t c, char out[5])
{
    int n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (int i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(n == 1 ? c : lead[n] | c);
    out[n] = '\0';
}

int format_cells(const char *s)
{
    int n = 0;
    uint32_t code;
    for (; *s; n++)
        s += format_next(s, &code);
    return n;
}

static int three_digits(double v)
{
    double a = fabs(v);
    return a < 9.995 ? 2 : a < 99.95 ? 1 : 0;
}

struct scale format_time_scale(double ns)
{
    if (!isfinite(ns))
        return (struct scale){"ms", 1e6, 2};
    if (ns < 999.5e3)
        return (struct scale){G_MICRO "s", 1e3, three_digits(ns / 1e3)};
    if (ns < 9999.5e6)
        return (struct scale){"ms", 1e6, three_digits(ns / 1e6)};
    return (struct scale){"s", 1e9, three_digits(ns / 1e9)};
}

struct scale format_size_scale(double bytes)
{
    if (isfinite(bytes) && bytes >= 9999.5 * 1024)
        return (struct scale){"MiB", 1024 * 1024, 1};
    return (struct scale){"KiB", 1024, 1};
}

struct scale format_energy_scale(double microjoules)
{
    if (isfinite(microjoules) && microjoules >= 9999.5)
        return (struct scale){"mJ", 1e3, three_digits(microjoules / 1e3)};
    return (struct scale){G_MICRO "J", 1, isfinite(microjoules) ? three_digits(microjoules) : 2};
}

char *format_number(char out[24], double v, int decimals)
{
    if (!isfinite(v))
        snprintf(out, 24, "%s", isnan(v) ? G_DOT : "inf");
    else
        snprintf(out, 24, "%.*f", decimals, fabs(v) < 1e12 ? v : 1e12);
    return out;
}

char *format_signed(char out[24], double v, int decimals)
{
    char digits[24];
    format_number(digits, fabs(v), decimals);
    const char *sign = isnan(v) || !strpbrk(digits, "123456789i") ? "" : v < 0 ? G_MINUS : "+";
    snprintf(out, 24, "%s%.15s", sign, digits);
    return out;
}

char *format_error(char out[24], double v, int decimals)
{
    format_number(out, v, v >= 9.95 ? 0 : v >= 0.995 ? 1 : decimals);
    if (out[0] == '0' && out[1] == '.')
        memmove(out, out + 1, strlen(out));
    return out;
}

char *format_times(char out[24], double v)
{
    if (!isfinite(v))
        snprintf(out, 24, "%s", G_DOT);
    else
        snprintf(out, 24, "%.*fx", three_digits(v), fabs(v) < 1e6 ? v : 1e6);
    return out;
}

/* Cut in the middle, where nothing better helps: both ends matter. */
static char *cut_middle(char *out, size_t size, const char *s, int cells, int width)
{
    int head = (width - 1) / 2, tail = width - 1 - head;
    size_t n = 0;
    out[0] = '\0';
    for (int i = 0; *s && i < cells; i++) {
        uint32_t code;
        int bytes = format_next(s, &code);
        bool keep = cells <= width || i < head || i >= cells - tail;
        const char *piece = keep ? s : i == head && width > 0 ? G_CUT : "";
        size_t length = keep ? (size_t)bytes : strlen(piece);
        if (n + length + 1 > size)
            break;
        memcpy(out + n, piece, length);
        n += length;
        s += bytes;
    }
    out[n] = '\0';
    return out;
}

enum { RUNS = 16 };

/* Runs of letters lose their ends, the longest first, so that "layer2.0.shortcut" stays apart from "layer3.0.shortcut"
 * ("la..2.0.sh.."): in names of layers it is the numbers that tell them apart. */
char *format_name(char *out, size_t size, const char *s, int width)
{
    struct {
        int at, n, keep;
    } runs[RUNS];
    int cells = format_cells(s), total = cells, n_runs = 0;
    for (int i = 0; s[i] && n_runs < RUNS; i++) {
        bool letter = isalpha((unsigned char)s[i]);
        if (letter && (i == 0 || !isalpha((unsigned char)s[i - 1]))) {
            runs[n_runs].at = i;
            runs[n_runs++].n = 0;
        }
        if (letter && n_runs)
            runs[n_runs - 1].keep = ++runs[n_runs - 1].n;
    }
    while (total > width) {
        int longest = -1, best = 0;
        for (int r = 0; r < n_runs; r++) {
            bool whole = runs[r].keep == runs[r].n;
            int rank = whole ? runs[r].n > 2 ? runs[r].n : 0 : runs[r].keep > 2 ? 1000 : runs[r].keep > 1 ? 1 : 0;
            if (rank > best) { /* one that is cut already gives more before the next one is cut */
                best = rank;
                longest = r;
            }
        }
        if (longest < 0)
            return cut_middle(out, size, s, cells, width);
        total -= 1; /* the first cut takes two letters and leaves a sign */
        runs[longest].keep -= runs[longest].keep == runs[longest].n ? 2 : 1;
    }
    size_t n = 0;
    out[0] = '\0';
    for (int i = 0, r = 0; s[i] && n + 4 < size; i++) {
        if (r < n_runs && i == runs[r].at + runs[r].keep && runs[r].keep < runs[r].n) {
            memcpy(out + n, G_CUT, strlen(G_CUT));
            n += strlen(G_CUT);
            i = runs[r].at + runs[r].n - 1;
            r++;
            continue;
        }
        if (r < n_runs && i >= runs[r].at + runs[r].n)
            r++;
        out[n++] = s[i];
    }
    out[n] = '\0';
    return out;
}

static const char *brief(const struct precision *p, int choice)
{
    return precision_choices[choice].brief(precision_get(p, choice));
}

char *format_choices(const struct precision *p, bool range, char out[16])
{
    if (p->w_bits == BITS_FLOAT)
        snprintf(out, 16, "fp32");
    else
        snprintf(out, 16, range ? "%s/%-2s %s" : "%s/%s", brief(p, CHOICE_SCHEME), brief(p, CHOICE_GRANULARITY),
                 brief(p, CHOICE_RANGE));
    return out;
}

const char *format_bits(int bits)
{
    static const char *const texts[BITS_MAX + 1] = {"fp", "1", "2", "3", "4", "5", "6", "7", "8"};
    assert(bits >= 0 && bits <= BITS_MAX);
    return texts[bits];
}
