/* SPDX-License-Identifier: MIT */
#include "model/graph_load.h"

#include <string.h>

#include "base/file.h"
#include "model/import.h"
#include "model/layers.h"

/* What onnx_read gave (or not: rc) as a graph. */
static struct graph *finish(struct build *b, int rc, int *wants)
{
    struct graph *g = NULL;
    if (!rc && !import_model(b)) {
        g = build_finish(b);
        if (layers_find(g, b->e)) {
            graph_free(g);
            g = NULL;
        }
    }
    if (wants)
        *wants = import_wanted(b);
    build_done(b);
    return g;
}

struct graph *graph_load(const char *file, struct err *e)
{
    return graph_load_with(file, NULL, e);
}

struct graph *graph_load_with(const char *file, const struct graph_options *o, struct err *e)
{
    struct err unused;
    const char *slash = strrchr(file, '/');
    char *folder = slash ? mem_printf("%.*s", (int)(slash - file) + 1, file) : mem_strdup(".");
    struct build b = {.file = file_name(file), .e = e ? e : &unused, .options = o, .wants = -1};
    int rc = onnx_read_file(&b.model, file, strcmp(file, FILE_STDIN) ? folder : NULL, b.e);
    struct graph *g = finish(&b, rc, NULL);
    mem_free(folder);
    return g;
}

struct graph *graph_parse_with(const char *file, const void *bytes, size_t n, const struct graph_options *o, int *wants,
                               struct err *e)
{
    struct err unused;
    struct build b = {.file = file, .e = e ? e : &unused, .options = o, .wants = -1};
    int rc = onnx_read(&b.model, file, o ? o->folder : NULL, bytes, n, b.e);
    return finish(&b, rc, wants);
}

struct graph *graph_parse(const char *file, const void *bytes, size_t n, struct err *e)
{
    return graph_parse_with(file, bytes, n, NULL, NULL, e);
}
