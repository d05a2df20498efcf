/* SPDX-License-Identifier: MIT */
#include "quant/scheme.h"

#include <assert.h>

#include "quant/scheme_rows.h"

const struct scheme_row *const scheme_table[SCHEME_COUNT] = {
    [SCHEME_UNIFORM] = &scheme_uniform,
    [SCHEME_BINARY] = &scheme_binary,
};

const char *scheme_name(int scheme)
{
    assert(scheme >= 0 && scheme < SCHEME_COUNT);
    return scheme_table[scheme]->name;
}

const char *scheme_brief(int scheme)
{
    assert(scheme >= 0 && scheme < SCHEME_COUNT);
    return scheme_table[scheme]->brief;
}

bool scheme_has(int scheme, int bits)
{
    return bits >= scheme_table[scheme]->min_bits && bits <= scheme_table[scheme]->max_bits;
}

int scheme_of_width(int bits)
{
    int scheme = 0;
    while (scheme + 1 < SCHEME_COUNT && !scheme_has(scheme, bits))
        scheme++;
    return scheme;
}
