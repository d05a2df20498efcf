/* SPDX-License-Identifier: MIT */
#include "model/graph.h"

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
