/* SPDX-License-Identifier: MIT */
#include "profiles/setting.h"

#include <stdio.h>
#include <string.h>

#include "base/num.h"

struct setting setting_none(void)
{
    struct setting s = {.w = SETTING_UNSAID, .a = SETTING_UNSAID, .lock = SETTING_UNSAID};
    for (int i = 0; i < CHOICE_COUNT; i++)
        s.choice[i] = SETTING_UNSAID;
    return s;
}

/* --- text ----------------------------------------------------------------------------------------------------------
 */

/* The digits behind "w" or "a", perhaps with a sign: then bits more or fewer. What comes after them, or NULL. */
static const char *parse_side(const char *s, int *bits, int *step)
{
    bool relative = *s == '+' || *s == '-';
    int sign = *s == '-' ? -1 : 1, value = 0, n = 0;
    for (s += relative; *s >= '0' && *s <= '9' && n < 3; s++, n++)
        value = value * 10 + (*s - '0');
    if (n == 0 || (value == 0 && !relative) || (value > BITS_MAX && (value != 32 || relative)))
        return NULL;
    if (relative)
        *step = sign * value;
    else
        *bits = value == 32 ? BITS_FLOAT : value;
    return s;
}

/* "w4a8", "a32", "w-1". */
static bool parse_bits(const char *word, struct setting *s)
{
    struct setting t = *s;
    const char *c = word;
    while (c && (*c == 'w' || *c == 'a'))
        c = *c == 'w' ? parse_side(c + 1, &t.w, &t.step_w) : parse_side(c + 1, &t.a, &t.step_a);
    if (!c || *c || c == word)
        return false;
    *s = t;
    return true;
}

static bool parse_choice(const char *word, struct setting *s)
{
    for (int i = 0, value; i < CHOICE_COUNT; i++)
        if ((value = precision_find(i, word)) >= 0) {
            s->choice[i] = value;
            return true;
        }
    return false;
}

static bool parse_word(const char *word, struct setting *s)
{
    if (!strcmp(word, "fp32"))
        s->w = s->a = BITS_FLOAT;
    else if (!strcmp(word, "lock") || !strcmp(word, "unlock"))
        s->lock = *word == 'l';
    else
        return parse_choice(word, s) || parse_bits(word, s);
    return true;
}

/* "uniform or binary, tensor or channel, minmax or percentile or mse" */
static const char *choices_text(char out[256])
{
    size_t n = 0;
    out[0] = '\0';
    for (int i = 0; i < CHOICE_COUNT; i++)
        for (int k = 0; k < precision_choices[i].count && n < 256; k++)
            n += (size_t)snprintf(out + n, 256 - n, "%s%s", k ? " or " : i ? ", " : "", precision_choices[i].name(k));
    return out;
}

int setting_parse(struct setting *s, const char *text, struct err *e)
{
    char word[32], choices[256];
    *s = setting_none();
    if (!*text)
        return err_set(e, "a setting is missing: w4a8, w4, a8, w-1, fp32, lock or unlock, %s", choices_text(choices));
    while (*text) {
        size_t n = strcspn(text, ",");
        snprintf(word, sizeof word, "%.*s", (int)n, text);
        if (n >= sizeof word || !parse_word(word, s))
            return err_set(e,
                           "\"%.*s\" is no setting; say w4a8, w4, a8, w-1, fp32, lock or unlock, %s, with commas "
                           "between",
                           (int)n, text, choices_text(choices));
        text += n;
        if (*text == ',' && !*++text)
            return err_set(e, "nothing after the last comma");
    }
    return 0;
}

static size_t put_word(char out[64], size_t n, const char *word)
{
    return *word && n < 64 ? n + (size_t)snprintf(out + n, 64 - n, "%s%s", n ? " " : "", word) : n;
}

char *setting_text(const struct setting *s, char out[64])
{
    char w[16] = "", a[16] = "";
    if (s->w >= 0)
        snprintf(w, sizeof w, "W%d", s->w ? s->w : 32);
    if (s->a >= 0)
        snprintf(a, sizeof a, "A%d", s->a ? s->a : 32);
    int by = s->step_w ? s->step_w : s->step_a;
    out[0] = '\0';
    size_t n = put_word(out, put_word(out, 0, w), a);
    if (by)
        n = put_word(out, n, s->step_w && s->step_a ? "W and A" : s->step_w ? "W" : "A");
    n = put_word(out, n, by > 0 ? "one bit more" : by < 0 ? "one bit less" : "");
    n = put_word(out, n, s->cycle ? "next scheme" : "");
    n = put_word(out, n, s->lock == SETTING_UNSAID ? "" : s->lock ? "lock" : "unlock");
    for (int i = 0; i < CHOICE_COUNT; i++)
        if (s->choice[i] != SETTING_UNSAID)
            n = put_word(out, n, precision_choices[i].name(s->choice[i]));
    return out;
}

/* --- what it does --------------------------------------------------------------------------------------------------
 */

/* fp32 stands above 8: one bit less than fp32 is 8, one more stays fp32; one more than 8 stays 8, since fp32 is never
 * meant by a step. */
static int step_bits(int bits, int step)
{
    if (bits == BITS_FLOAT)
        return step < 0 ? BITS_MAX : BITS_FLOAT;
    return clamp_int(bits + step, 1, BITS_MAX);
}

/* The next combination of choices, the last one turning fastest, that goes with the width. */
static void next_choices(struct precision *p, int by)
{
    do {
        for (int i = CHOICE_COUNT - 1; i >= 0; i--) {
            int count = precision_choices[i].count, value = precision_get(p, i) + by;
            precision_put(p, i, (value + count) % count);
            if (value >= 0 && value < count)
                break;
        }
    } while (!precision_valid(p));
}

int setting_apply(const struct setting *s, struct precision *p)
{
    if (s->w >= 0 || s->step_w)
        precision_set_w(p, s->w >= 0 ? s->w : step_bits(p->w_bits, s->step_w));
    if (s->a >= 0 || s->step_a)
        precision_set_a(p, s->a >= 0 ? s->a : step_bits(p->a_bits, s->step_a));
    for (int i = 0; i < s->cycle || i < -s->cycle; i++)
        next_choices(p, s->cycle > 0 ? 1 : -1);
    for (int i = 0; i < CHOICE_COUNT; i++)
        if (s->choice[i] != SETTING_UNSAID)
            precision_put(p, i, s->choice[i]);
    return precision_valid(p) ? 0 : -1;
}

int setting_apply_layer(const struct setting *s, struct profile_layer *l)
{
    if (s->lock != SETTING_UNSAID)
        l->lock = s->lock;
    return setting_apply(s, &l->precision);
}

char *setting_contradiction(const struct precision *p, char out[96])
{
    const struct scheme_row *row = scheme_table[p->scheme];
    if (p->w_bits == BITS_FLOAT)
        snprintf(out, 96, "fp32 weights cannot be %s", row->name);
    else if (row->min_bits == row->max_bits)
        snprintf(out, 96, "%d-bit weights cannot be %s (that has %d bit%s)", p->w_bits, row->name, row->min_bits,
                 row->min_bits == 1 ? "" : "s");
    else
        snprintf(out, 96, "%d-bit weights cannot be %s (that has %d to %d bits)", p->w_bits, row->name, row->min_bits,
                 row->max_bits);
    return out;
}
