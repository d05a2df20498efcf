/* SPDX-License-Identifier: MIT */
#include "quant/precision.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const char *const scheme_names[SCHEME_COUNT] = {[SCHEME_UNIFORM] = "uniform", [SCHEME_BINARY] = "binary"};
static const char *const granularity_names[GRANULARITY_COUNT] = {
    [GRANULARITY_TENSOR] = "tensor", [GRANULARITY_CHANNEL] = "channel"};
static const char *const range_names[RANGE_COUNT] = {
    [RANGE_MINMAX] = "minmax", [RANGE_PERCENTILE] = "percentile", [RANGE_MSE] = "mse"};

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
        p->scheme = bits == 1 ? SCHEME_BINARY : SCHEME_UNIFORM;
}

void precision_set_a(struct precision *p, int bits)
{
    assert(bits >= BITS_FLOAT && bits <= BITS_MAX);
    p->a_bits = (uint8_t)bits;
}

bool precision_same_weights(const struct precision *a, const struct precision *b)
{
    return a->w_bits == b->w_bits && a->scheme == b->scheme && a->granularity == b->granularity && a->range == b->range;
}

bool precision_equal(const struct precision *a, const struct precision *b)
{
    return a->a_bits == b->a_bits && precision_same_weights(a, b);
}

bool precision_valid(const struct precision *p)
{
    return p->w_bits <= BITS_MAX && p->a_bits <= BITS_MAX && p->granularity < GRANULARITY_COUNT &&
           p->range < RANGE_COUNT && p->scheme == (p->w_bits == 1 ? SCHEME_BINARY : SCHEME_UNIFORM);
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

static int find(const char *const *names, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(names[i], name))
            return i;
    return -1;
}

const char *scheme_name(int scheme)
{
    assert(scheme >= 0 && scheme < SCHEME_COUNT);
    return scheme_names[scheme];
}

const char *granularity_name(int granularity)
{
    assert(granularity >= 0 && granularity < GRANULARITY_COUNT);
    return granularity_names[granularity];
}

const char *range_name(int range)
{
    assert(range >= 0 && range < RANGE_COUNT);
    return range_names[range];
}

int scheme_find(const char *name)
{
    return find(scheme_names, SCHEME_COUNT, name);
}

int granularity_find(const char *name)
{
    return find(granularity_names, GRANULARITY_COUNT, name);
}

int range_find(const char *name)
{
    return find(range_names, RANGE_COUNT, name);
}
