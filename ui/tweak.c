/* SPDX-License-Identifier: MIT */
#include "ui/tweak.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const struct {
    int granularity, range;
} cycle[] = {{GRANULARITY_CHANNEL, RANGE_MSE},       {GRANULARITY_CHANNEL, RANGE_PERCENTILE},
             {GRANULARITY_CHANNEL, RANGE_MINMAX},    {GRANULARITY_TENSOR, RANGE_MSE},
             {GRANULARITY_TENSOR, RANGE_PERCENTILE}, {GRANULARITY_TENSOR, RANGE_MINMAX}};
enum { CYCLE = sizeof cycle / sizeof *cycle };

/* "w4", "a32", "w+1" from *s on, which is left behind it. */
static int parse_side(const char **s, bool *has, int *bits, int *step)
{
    char sign = (*s)[1];
    int skip = sign == '+' || sign == '-', n = 0, value = 0;
    for (const char *c = *s + 1 + skip; *c >= '0' && *c <= '9' && n < 3; c++, n++)
        value = value * 10 + (*c - '0');
    if (!n || (value > BITS_MAX && (value != 32 || skip)))
        return -1;
    if (skip) {
        *step = sign == '+' ? value : -value;
    } else {
        *has = true;
        *bits = value == 32 ? BITS_FLOAT : value;
    }
    *s += 1 + skip + n;
    return 0;
}

static int parse_word(struct tweak *s, const char *word, struct err *e)
{
    int found;
    if (!strcmp(word, "fp32")) {
        s->has_w = s->has_a = true;
        s->w = s->a = BITS_FLOAT;
    } else if (!strcmp(word, "lock") || !strcmp(word, "unlock")) {
        s->has_lock = true;
        s->lock = word[0] == 'l';
    } else if ((found = granularity_find(word)) >= 0) {
        s->has_granularity = true;
        s->granularity = found;
    } else if ((found = range_find(word)) >= 0) {
        s->has_range = true;
        s->range = found;
    } else {
        const char *c = word;
        while (*c == 'w' || *c == 'a')
            if (*c == 'w' ? parse_side(&c, &s->has_w, &s->w, &s->step_w) : parse_side(&c, &s->has_a, &s->a, &s->step_a))
                break;
        if (*c || c == word)
            return err_set(e, "\"%s\": say w4, a8, w4a8, w-1, fp32, tensor, channel, mse, percentile, minmax, lock",
                           word);
    }
    return 0;
}

int tweak_parse(struct tweak *s, const char *text, struct err *e)
{
    *s = (struct tweak){0};
    if (!*text)
        return err_set(e, "a setting is missing: w4, a8, w4a8, fp32, tensor, channel, lock");
    while (*text) {
        char word[32];
        size_t n = strcspn(text, ",");
        if (n >= sizeof word)
            return err_set(e, "\"%.20s...\" is no setting", text);
        memcpy(word, text, n);
        word[n] = '\0';
        text += n + (text[n] == ',');
        if (parse_word(s, word, e))
            return -1;
    }
    return 0;
}

/* fp32 stands above 8: one bit less than fp32 is 8, one more stays fp32; one more than 8 stays 8, since fp32 is never
 * meant by a step. */
static int step_bits(int bits, int step)
{
    if (bits == BITS_FLOAT)
        return step < 0 ? BITS_MAX : BITS_FLOAT;
    bits += step;
    return bits < 1 ? 1 : bits > BITS_MAX ? BITS_MAX : bits;
}

void tweak_apply(const struct tweak *s, struct precision *p)
{
    if (s->has_w || s->step_w)
        precision_set_w(p, s->has_w ? s->w : step_bits(p->w_bits, s->step_w));
    if (s->has_a || s->step_a)
        precision_set_a(p, s->has_a ? s->a : step_bits(p->a_bits, s->step_a));
    if (s->cycle) {
        int at = 0;
        while (at < CYCLE && (cycle[at].granularity != p->granularity || cycle[at].range != p->range))
            at++;
        assert(at < CYCLE);
        at = ((at + s->cycle) % CYCLE + CYCLE) % CYCLE;
        p->granularity = (uint8_t)cycle[at].granularity;
        p->range = (uint8_t)cycle[at].range;
    }
    if (s->has_granularity)
        p->granularity = (uint8_t)s->granularity;
    if (s->has_range)
        p->range = (uint8_t)s->range;
}

char *tweak_text(const struct tweak *s, char out[64])
{
    char w[8] = "", a[8] = "";
    if (s->has_w)
        snprintf(w, sizeof w, "W%d", s->w ? s->w : 32);
    if (s->has_a)
        snprintf(a, sizeof a, "A%d", s->a ? s->a : 32);
    const char *step = "";
    if (s->step_w || s->step_a)
        step = s->step_w && s->step_a ? s->step_w > 0 ? "W and A one bit more" : "W and A one bit less"
               : s->step_w            ? s->step_w > 0 ? "W one bit more" : "W one bit less"
               : s->step_a > 0        ? "A one bit more"
                                      : "A one bit less";
    const char *lock = s->has_lock ? s->lock ? "lock" : "unlock" : "";
    const char *words[] = {w,
                           a,
                           step,
                           s->cycle ? "next scheme" : "",
                           lock,
                           s->has_granularity ? granularity_name(s->granularity) : "",
                           s->has_range ? range_name(s->range) : ""};
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < sizeof words / sizeof *words && n < 64; i++)
        if (*words[i])
            n += (size_t)snprintf(out + n, 64 - n, "%s%s", n ? " " : "", words[i]);
    return out;
}

char *tweak_scheme_text(const struct precision *p, bool range, char out[16])
{
    static const char *const schemes[SCHEME_COUNT] = {[SCHEME_UNIFORM] = "uni", [SCHEME_BINARY] = "bin"};
    static const char *const granularities[GRANULARITY_COUNT] = {
        [GRANULARITY_TENSOR] = "t", [GRANULARITY_CHANNEL] = "ch"};
    static const char *const ranges[RANGE_COUNT] = {
        [RANGE_MINMAX] = "max", [RANGE_PERCENTILE] = "pct", [RANGE_MSE] = "mse"};
    if (p->w_bits == BITS_FLOAT)
        snprintf(out, 16, "fp32");
    else
        snprintf(out, 16, range ? "%s/%-2s %s" : "%s/%s", schemes[p->scheme], granularities[p->granularity],
                 ranges[p->range]);
    return out;
}

const char *tweak_bits_text(int bits)
{
    static const char *const texts[BITS_MAX + 1] = {"fp", "1", "2", "3", "4", "5", "6", "7", "8"};
    assert(bits >= 0 && bits <= BITS_MAX);
    return texts[bits];
}
