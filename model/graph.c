/* SPDX-License-Identifier: MIT */
#include "model/graph.h"

#include <string.h>

#include "base/file.h"

static const size_t FILE_LIMIT = (size_t)1 << 31; /* what protobuf can hold */

struct graph *graph_load(const char *file, struct err *e)
{
    return graph_load_with(file, NULL, e);
}

struct graph *graph_load_with(const char *file, const struct graph_options *o, struct err *e)
{
    size_t n;
    void *bytes = file_read(file, FILE_LIMIT, &n, e);
    if (!bytes)
        return NULL;
    struct graph_options own = o ? *o : (struct graph_options){.keep_batch = false};
    const char *slash = strrchr(file, '/');
    char *folder = slash ? mem_printf("%.*s", (int)(slash - file) + 1, file) : mem_strdup(".");
    own.folder = strcmp(file, FILE_STDIN) ? folder : NULL;
    struct graph *g = graph_parse_with(file_name(file), bytes, n, &own, NULL, e);
    mem_free(folder);
    mem_free(bytes);
    return g;
}

void graph_free(struct graph *g)
{
    if (!g)
        return;
    arena_done(&g->arena);
    mem_free(g);
}
