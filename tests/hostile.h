/* SPDX-License-Identifier: MIT
 *
 * Models that ask for more than a reader should give: time, memory, stack. Each is a few bytes or a few megabytes.
 */
#ifndef BITFADER_TESTS_HOSTILE_H
#define BITFADER_TESTS_HOSTILE_H

#include <stddef.h>
#include <stdint.h>

struct hostile_case {
    const char *name;
    uint8_t *(*make)(size_t *n); /* of mem_new */
    const char *said;            /* what the message must hold; NULL: it opens */
};

extern const struct hostile_case hostile_cases[];
extern const int hostile_cases_count;

#endif
