/* SPDX-License-Identifier: MIT
 *
 * From what was built to the graph: what is alive, copied; the constants handed over.
 */
#include <string.h>

#include "model/control.h"
#include "model/lattice.h"

/* Backwards from the outputs: nodes that nobody needs are removed. Returns which tensors are needed. */
static bool *mark_needed(struct build *b)
{
    bool *needed = mem_new((size_t)b->n_tensors, sizeof *needed);
    for (int i = 0; i < b->n_outputs; i++)
        needed[b->outputs[i]] = true;
    for (int i = 0; i < b->n_inputs; i++)
        needed[b->inputs[i]] = true;
    for (int i = b->n_nodes - 1; i >= 0; i--) {
        struct node *n = &b->nodes[i];
        bool any = false;
        for (int k = 0; k < n->n_out; k++)
            any |= needed[n->out[k]];
        if (!any)
            n->op = OP_COUNT;
        for (int k = 0; n->op != OP_COUNT && k < n->n_out; k++)
            needed[n->out[k]] = true;
        for (int k = 0; n->op != OP_COUNT && k < n->n_in; k++)
            if (n->in[k] >= 0)
                needed[n->in[k]] = true;
    }
    return needed;
}

void build_drop_dead(struct build *b)
{
    mem_free(mark_needed(b));
}

static const void *copy_bytes(struct arena *a, const void *from, size_t n)
{
    void *to = arena_new(a, n + 1, 1);
    return n ? memcpy(to, from, n) : to;
}

/* The data is the graph's from here on. */
static void give_block(struct build *b, struct graph *g, int block)
{
    struct block *k = &b->blocks[block];
    if (!k->holders) /* given already */
        return;
    g->blocks[g->n_blocks++] = k->data;
    *k = (struct block){0};
}

/* Copies the needed tensors; map is their new index. */
static void finish_tensors(struct build *b, struct graph *g, const bool *needed, int *map)
{
    g->tensors = arena_new(&g->arena, (size_t)b->n_tensors, sizeof *g->tensors);
    g->blocks = arena_new(&g->arena, (size_t)b->n_blocks, sizeof *g->blocks);
    for (int i = 0; i < b->n_tensors; i++) {
        map[i] = -1;
        if (!needed[i])
            continue;
        struct tensor *t = &g->tensors[g->n_tensors];
        *t = b->tensors[i];
        t->name = arena_strdup(&g->arena, t->name);
        t->producer = -1;
        if (t->data)
            give_block(b, g, b->holds[i].block);
        t->lattice = lattice_copy(&g->arena, t->lattice);
        map[i] = g->n_tensors++;
    }
}

/* The file is gone when the graph runs. Sub-graphs are not copied: nothing that runs has any. */
static const struct attr *copy_attrs(struct arena *a, const struct attr *from, int n)
{
    struct attr *out = arena_new(a, (size_t)n + 1, sizeof *out);
    for (int i = 0; i < n; i++) {
        struct attr *x = &out[i];
        *x = from[i];
        x->name = arena_strdup(a, x->name);
        x->s = x->s ? arena_strdup(a, x->s) : NULL;
        x->graph = NULL;
        if (x->type == ATTR_INTS)
            x->ints = copy_bytes(a, x->ints, x->n * sizeof *x->ints);
        if (x->type == ATTR_FLOATS)
            x->floats = copy_bytes(a, x->floats, x->n * sizeof *x->floats);
        const char **strings = arena_new(a, x->type == ATTR_STRINGS ? x->n + 1 : 1, sizeof *strings);
        for (size_t k = 0; x->type == ATTR_STRINGS && k < x->n; k++)
            strings[k] = arena_strdup(a, x->strings[k]);
        x->strings = strings;
        if (array_there(&x->t))
            x->t.data = (void *)copy_bytes(a, x->t.data, array_bytes(&x->t));
    }
    return out;
}

/* The list is built from its end. */
static const struct node_name *copy_names(struct arena *a, const struct node_name *from)
{
    struct node_name *out = NULL;
    for (; from; from = from->next) {
        struct node_name *f = arena_new(a, 1, sizeof *f);
        *f = (struct node_name){arena_strdup(a, from->name), out};
        out = f;
    }
    return out;
}

static void finish_nodes(struct build *b, struct graph *g, const int *map)
{
    g->nodes = arena_new(&g->arena, (size_t)b->n_nodes, sizeof *g->nodes);
    for (int i = 0; i < b->n_nodes; i++) {
        if (b->nodes[i].op == OP_COUNT)
            continue;
        struct node *n = &g->nodes[g->n_nodes];
        *n = b->nodes[i];
        n->name = arena_strdup(&g->arena, n->name);
        n->op_type = arena_strdup(&g->arena, n->op_type);
        n->act_name = n->act_name ? arena_strdup(&g->arena, n->act_name) : NULL;
        n->fused = copy_names(&g->arena, n->fused);
        n->in = arena_new(&g->arena, (size_t)n->n_in + (size_t)n->n_out, sizeof *n->in);
        n->out = n->in + n->n_in;
        for (int k = 0; k < n->n_in; k++)
            n->in[k] = b->nodes[i].in[k] < 0 ? -1 : map[b->nodes[i].in[k]];
        for (int k = 0; k < n->n_out; k++) {
            n->out[k] = map[b->nodes[i].out[k]];
            g->tensors[n->out[k]].producer = g->n_nodes;
        }
        n->attr = copy_attrs(&g->arena, n->attr, n->n_attr);
        g->n_nodes++;
    }
}

static int *finish_list(struct graph *g, const int *list, int n, const int *map)
{
    int *out = arena_new(&g->arena, (size_t)n, sizeof *out);
    for (int i = 0; i < n; i++)
        out[i] = map[list[i]];
    return out;
}

/* Inputs that something reads. A graph of constants keeps what the file says. */
static void finish_inputs(struct build *b, struct graph *g, const int *map)
{
    int *uses = build_count_uses(b), n_read = 0;
    for (int i = 0; i < b->n_inputs; i++)
        n_read += uses[b->inputs[i]] > 0;
    g->inputs = finish_list(g, b->inputs, b->n_inputs, map);
    g->unread = arena_new(&g->arena, (size_t)b->n_inputs + 1, sizeof *g->unread);
    for (int i = 0; i < b->n_inputs; i++)
        if (n_read && !uses[b->inputs[i]])
            g->unread[g->n_unread++] = g->tensors[g->inputs[i]].name;
        else
            g->inputs[g->n_inputs++] = g->inputs[i];
    mem_free(uses);
}

struct graph *build_finish(struct build *b)
{
    struct graph *g = mem_new(1, sizeof *g);
    bool *needed = mark_needed(b);
    int *map = mem_new((size_t)b->n_tensors, sizeof *map);
    finish_tensors(b, g, needed, map);
    finish_nodes(b, g, map);
    finish_inputs(b, g, map);
    g->n_outputs = b->n_outputs;
    g->outputs = finish_list(g, b->outputs, b->n_outputs, map);
    g->file = arena_strdup(&g->arena, b->file);
    memcpy(g->fingerprint, b->model.fingerprint, sizeof g->fingerprint);
    g->producer = arena_strdup(&g->arena, b->model.producer);
    g->opset = b->model.opset;
    g->ir_version = b->model.ir_version;
    g->n_file_nodes = b->model.n_nodes;
    mem_free(map);
    mem_free(needed);
    return g;
}

void build_done(struct build *b)
{
    for (int i = 0; i < b->n_blocks; i++)
        mem_free(b->blocks[i].data);
    names_done(&b->bound);
    names_done(&b->readers);
    mem_free(b->blocks);
    mem_free(b->holds);
    mem_free(b->tensors);
    mem_free(b->nodes);
    mem_free(b->twins);
    arena_done(&b->arena);
    control_done(b);
    onnx_done(&b->model);
}
