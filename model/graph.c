/* SPDX-License-Identifier: MIT */
#include "model/graph.h"

#include "base/file.h"

static const size_t FILE_LIMIT = (size_t)1 << 31; /* what protobuf can hold */

struct graph *graph_load(const char *file, struct err *e)
{
    size_t n;
    void *bytes = file_read(file, FILE_LIMIT, &n, e);
    if (!bytes)
        return NULL;
    struct graph *g = graph_parse(file_name(file), bytes, n, e);
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
