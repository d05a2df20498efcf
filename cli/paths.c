/* SPDX-License-Identifier: MIT */
#include "cli/paths.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

/* The folder above the one that holds the running program, into out; -1 when /proc cannot tell. */
static int find_prefix(char out[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);
    if (n <= 0)
        return -1;
    out[n] = '\0';
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(out, '/');
        if (!slash)
            return -1;
        *slash = '\0';
    }
    return 0;
}

char *paths_config(void)
{
    const char *given = getenv("BITFADER_CONFIG_PATH");
    char prefix[PATH_MAX];
    if (given && *given)
        return mem_strdup(given);
    if (find_prefix(prefix))
        return mem_strdup(".");
    return mem_printf("%s:%s/share/bitfader:.", prefix, prefix);
}

char *paths_stem(const char *file)
{
    const char *slash = strrchr(file, '/'), *base = slash ? slash + 1 : file;
    size_t n = strlen(base);
    return mem_printf("%.*s", (int)(n > 5 && !strcmp(base + n - 5, ".onnx") ? n - 5 : n), base);
}
