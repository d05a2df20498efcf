/* SPDX-License-Identifier: MIT */
#include "cli/nearest.h"

#include <string.h>

#include "base/text.h"

const char *nearest_name(const char *given, const char *const *names, int n)
{
    const char *best = NULL, *longer = NULL;
    int best_distance = 0, n_longer = 0;
    size_t length = strlen(given);
    if (!length || length > 64)
        return NULL;
    for (int i = 0; i < n; i++) {
        if (!names[i])
            continue;
        if (!strncmp(names[i], given, length)) {
            longer = names[i];
            n_longer++;
        }
        int distance = text_distance(given, names[i]), limit = (int)(strlen(names[i]) + 2) / 3;
        limit = limit < 2 ? 2 : limit; /* two letters swapped are two edits */
        if (distance <= limit && distance < (int)length && (!best || distance < best_distance)) {
            best = names[i];
            best_distance = distance;
        }
    }
    return n_longer == 1 ? longer : best;
}
