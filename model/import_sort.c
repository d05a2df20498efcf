/* SPDX-License-Identifier: MIT
 *
 * Nodes in topological order, without recursion: a file may hold a chain of any length.
 */
#include "model/import.h"

/* Which node makes which tensor. Two makers of one name, or one that an input or initializer has, are an error. */
static int find_producers(struct build *b, const struct onnx_node *nodes, int n_nodes, struct names *producers)
{
    for (int i = 0; i < n_nodes; i++) {
        const struct onnx_node *n = &nodes[i];
        for (int k = 0; k < n->n_out; k++)
            if (*n->out[k] && (names_get(&b->bound, n->out[k]) >= 0 || names_put(producers, n->out[k], i) >= 0))
                return import_fail_tensor(b, n->out[k], "is defined twice");
    }
    return 0;
}

enum mark { NEW, OPEN, DONE };

/* Depth first, with a stack of its own: file order stays where it is a topological order already. */
struct sorter {
    struct build *b;
    const struct onnx_node *nodes;
    struct names producers;
    char *mark;
    int *stack, *at; /* at: which input of each node is next */
    int *order, n_order;
};

static int fail_input(struct sorter *s, int i, const char *before, const char *input, const char *after)
{
    const struct source at = {.node = &s->nodes[i], .name = import_node_name(s->b, &s->nodes[i], i)};
    return build_fail(s->b, &at, "%s \"%s\"%s", before, onnx_name_show(&s->b->arena, input), after);
}

static int visit_node(struct sorter *s, int root)
{
    int depth = 0;
    s->stack[depth++] = root;
    s->mark[root] = OPEN;
    while (depth) {
        int i = s->stack[depth - 1];
        const struct onnx_node *n = &s->nodes[i];
        if (s->at[i] == n->n_in) {
            s->mark[i] = DONE;
            s->order[s->n_order++] = i;
            depth--;
            continue;
        }
        const char *in = n->in[s->at[i]++];
        if (!*in || names_get(&s->b->bound, in) >= 0)
            continue;
        int from = names_get(&s->producers, in);
        if (from < 0)
            return fail_input(s, i, "its input", in, " is not defined anywhere");
        if (s->mark[from] == OPEN)
            return fail_input(s, i, "it is part of a cycle through", in, "");
        if (s->mark[from] == NEW) {
            s->mark[from] = OPEN;
            s->stack[depth++] = from;
        }
    }
    return 0;
}

int import_sort(struct build *b, const struct onnx_node *nodes, int n_nodes, int *order)
{
    size_t n = (size_t)n_nodes;
    struct sorter s = {.b = b, .nodes = nodes, .order = order};
    s.mark = mem_new(n, 1);
    s.stack = mem_new(n, sizeof *s.stack);
    s.at = mem_new(n, sizeof *s.at);
    int rc = find_producers(b, nodes, n_nodes, &s.producers);
    for (int i = 0; !rc && i < n_nodes; i++)
        if (s.mark[i] == NEW)
            rc = visit_node(&s, i);
    mem_free(s.at);
    mem_free(s.stack);
    mem_free(s.mark);
    names_done(&s.producers);
    return rc;
}
