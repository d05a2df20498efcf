/* SPDX-License-Identifier: MIT */
#include "model/graph.h"

#include <limits.h>
#include <string.h>

#include "base/text.h"

void graph_free(struct graph *g)
{
    if (!g)
        return;
    for (int i = 0; i < g->n_blocks; i++)
        mem_free(g->blocks[i]);
    arena_done(&g->arena);
    mem_free(g);
}

int graph_scores(const struct graph *g)
{
    for (int i = 0; i < g->n_outputs; i++)
        if (g->tensors[g->outputs[i]].type == DTYPE_F32)
            return i;
    return -1;
}

int graph_layer_find(const struct graph *g, const char *name)
{
    int found = LAYER_NONE;
    for (int i = 0; i < g->n_layers; i++)
        if (strcmp(g->layers[i].name, name) == 0)
            return i;
    for (int i = 0; i < g->n_layers; i++)
        for (const char *const *a = g->layers[i].aliases; *a; a++)
            if (strcmp(*a, name) == 0)
                found = found == LAYER_NONE ? i : LAYER_AMBIGUOUS;
    return found;
}

const char *graph_layer_nearest(const struct graph *g, const char *name)
{
    const char *best = NULL;
    int least = INT_MAX, shortest;
    for (int i = 0; i < g->n_layers; i++) {
        int d = text_distance(g->layers[i].name, name);
        if (d < least) {
            least = d;
            best = g->layers[i].name;
        }
    }
    shortest = least / 2; /* far: twice as many letters off */
    for (int i = 0; i < g->n_layers; i++)
        for (const char *const *a = g->layers[i].aliases; *a; a++) {
            int d = text_distance(*a, name);
            if (d < shortest) {
                shortest = d;
                best = *a;
            }
        }
    return best;
}
