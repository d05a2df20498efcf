/* SPDX-License-Identifier: MIT */
#include "ui/desk_model.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"

/* Of the weights: "64x32x3x3", "10x64". */
static void weight_shape_text(const struct graph *g, const struct layer *l, char *out, size_t size)
{
    const struct node *node = &g->nodes[l->node];
    size_t n = 0;
    out[0] = '\0';
    if (node->n_in < 2 || node->in[1] < 0)
        return;
    const struct shape *s = &g->tensors[node->in[1]].shape;
    for (int i = 0; i < s->n && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%" PRId64, i ? "x" : "", s->d[i]);
}

struct desk_model *desk_model_new(const struct graph *g)
{
    struct desk_model *m = mem_new(1, sizeof *m);
    m->file = g->file;
    m->n = g->n_layers;
    m->params = g->params;
    m->macs = g->macs;
    m->layers = mem_new((size_t)m->n + 1, sizeof *m->layers);
    for (int i = 0; i < m->n; i++) {
        const struct layer *l = &g->layers[i];
        m->layers[i] = (struct desk_layer){.name = l->name,
                                           .kind = l->kind,
                                           .aliases = l->aliases,
                                           .params = l->params,
                                           .macs = l->macs,
                                           .group = l->group};
        weight_shape_text(g, l, m->layers[i].shape, sizeof m->layers[i].shape);
    }
    return m;
}

void desk_model_free(struct desk_model *m)
{
    if (!m)
        return;
    mem_free(m->layers);
    mem_free(m);
}
