/* SPDX-License-Identifier: MIT */
#include "base/host.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

void host_processor(char *out, size_t size)
{
    char line[256];
    FILE *f = fopen("/proc/cpuinfo", "r");
    *out = '\0';
    while (f && fgets(line, sizeof line, f)) {
        char *colon = strchr(line, ':');
        if ((strncmp(line, "model name", 10) && strncmp(line, "CPU part", 8)) || !colon)
            continue;
        colon[strcspn(colon, "\n")] = '\0';
        snprintf(out, size, "%s", colon + 1 + (colon[1] == ' '));
        break;
    }
    if (f)
        fclose(f);
}

void host_caches(int64_t bytes[3])
{
    static const int names[3] = {_SC_LEVEL1_DCACHE_SIZE, _SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE};
    for (int i = 0; i < 3; i++) {
        long n = sysconf(names[i]);
        bytes[i] = n > 0 ? n : 0;
    }
}
