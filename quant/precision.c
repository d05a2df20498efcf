/* SPDX-License-Identifier: MIT */
#include "quant/precision.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *brief;
} granularities[GRANULARITY_COUNT] = {
    [GRANULARITY_TENSOR] = {"tensor", "t"}, [GRANULARITY_CHANNEL] = {"channel", "ch"}};

const char *granularity_name(int granularity)
{
    assert(granularity >= 0 && granularity < GRANULARITY_COUNT);
    return granularities[granularity].name;
}

static const char *granularity_brief(int granularity)
{
    assert(granularity >= 0 && granularity < GRANULARITY_COUNT);
    return granularities[granularity].brief;
}

const struct precision_choice precision_choices[CHOICE_COUNT] = {
    [CHOICE_SCHEME] = {"scheme", SCHEME_COUNT, scheme_name, scheme_brief, offsetof(struct precision, scheme)},
    [CHOICE_GRANULARITY] = {"granularity", GRANULARITY_COUNT, granularity_name, granularity_brief,
                            offsetof(struct precision, granularity)},
    [CHOICE_RANGE] = {"range", RANGE_COUNT, range_name, range_brief, offsetof(struct precision, range)},
};

int precision_get(const struct precision *p, int choice)
{
    return ((const uint8_t *)p)[precision_choices[choice].offset];
}

void precision_put(struct precision *p, int choice, int value)
{
    ((uint8_t *)p)[precision_choices[choice].offset] = (uint8_t)value;
}

int precision_find(int choice, const char *name)
{
    for (int i = 0; i < precision_choices[choice].count; i++)
        if (!strcmp(precision_choices[choice].name(i), name))
            return i;
    return -1;
}

struct precision precision_default(void)
{
    return (struct precision){
        .w_bits = 8, .a_bits = 8, .scheme = SCHEME_UNIFORM, .granularity = GRANULARITY_CHANNEL, .range = RANGE_MSE};
}

void precision_set_w(struct precision *p, int bits)
{
    assert(bits >= BITS_FLOAT && bits <= BITS_MAX);
    p->w_bits = (uint8_t)bits;
    if (!precision_valid(p))
        p->scheme = (uint8_t)(bits == BITS_FLOAT ? SCHEME_UNIFORM : scheme_of_width(bits));
}

void precision_set_a(struct precision *p, int bits)
{
    assert(bits >= BITS_FLOAT && bits <= BITS_MAX);
    p->a_bits = (uint8_t)bits;
}

static bool same_choices(const struct precision *a, const struct precision *b)
{
    for (int i = 0; i < CHOICE_COUNT; i++)
        if (precision_get(a, i) != precision_get(b, i))
            return false;
    return true;
}

bool precision_same_weights(const struct precision *a, const struct precision *b)
{
    return a->w_bits == b->w_bits && same_choices(a, b);
}

bool precision_equal(const struct precision *a, const struct precision *b)
{
    return a->a_bits == b->a_bits && precision_same_weights(a, b);
}

bool precision_valid(const struct precision *p)
{
    for (int i = 0; i < CHOICE_COUNT; i++)
        if (precision_get(p, i) >= precision_choices[i].count)
            return false;
    return p->w_bits <= BITS_MAX && p->a_bits <= BITS_MAX &&
           (p->w_bits == BITS_FLOAT ? p->scheme == SCHEME_UNIFORM : scheme_has(p->scheme, p->w_bits));
}

bool precision_is_integer(const struct precision *p)
{
    return p->w_bits != BITS_FLOAT && p->a_bits != BITS_FLOAT;
}

char *precision_text(const struct precision *p, char out[16])
{
    if (p->w_bits == BITS_FLOAT && p->a_bits == BITS_FLOAT)
        snprintf(out, 16, "fp32");
    else
        snprintf(out, 16, "w%da%d", p->w_bits ? p->w_bits : 32, p->a_bits ? p->a_bits : 32);
    return out;
}
