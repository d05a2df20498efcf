/* SPDX-License-Identifier: MIT */
#include "model/layers.h"

#include <limits.h>
#include <string.h>

#include "base/text.h"
#include "model/names.h"

/* name with everything that is not printable ASCII, and blanks, quotes and backslashes, as '_'. */
static char *clean_name(struct arena *a, const char *name)
{
    char *s = arena_strdup(a, name);
    for (char *c = s; *c; c++)
        if (*c <= 0x20 || *c > 0x7e || strchr("\"'`\\", *c))
            *c = '_';
    return s;
}

/* "Conv" and "Conv_12" for op_type "Conv". */
static bool is_op_name(const char *part, const char *op_type)
{
    size_t n = strlen(op_type);
    if (strncmp(part, op_type, n) != 0)
        return false;
    if (!part[n])
        return true;
    return part[n] == '_' && part[n + 1] && part[n + 1 + strspn(part + n + 1, "0123456789")] == '\0';
}

/* "layer1" before "layer1.0" says nothing new. n: length of the part, next: what follows the slash. */
static bool is_dotted_prefix(const char *part, size_t n, const char *next)
{
    return strncmp(part, next, n) == 0 && next[n] == '.';
}

/* "/layer1/layer1.0/conv1/Conv" is how PyTorch writes layer1.0.conv1. */
static char *shorten_name(struct arena *a, const char *name, const char *op_type)
{
    char *full = clean_name(a, name), *last = strrchr(full, '/');
    if (!last)
        return full;
    if (is_op_name(last + 1, op_type))
        *last = '\0';
    char *out = arena_new(a, strlen(full) + 1, 1), *to = out;
    for (const char *part = full; *part;) {
        size_t n = strcspn(part, "/");
        const char *next = part + n + (part[n] == '/');
        if (n && !is_dotted_prefix(part, n, next)) {
            if (to != out)
                *to++ = '.';
            memcpy(to, part, n);
            to += n;
        }
        part = next;
    }
    return out;
}

/* The first of: short name, full name, full name with a number, that no layer has. */
static void name_layers(struct graph *g)
{
    struct names shorts = {0}, taken = {0};
    for (int i = 0; i < g->n_layers; i++) {
        const struct node *n = &g->nodes[g->layers[i].node];
        g->layers[i].name = shorten_name(&g->arena, n->name, n->op_type);
        int seen = names_get(&shorts, g->layers[i].name);
        names_set(&shorts, g->layers[i].name, seen < 0 ? 1 : seen + 1);
    }
    for (int i = 0; i < g->n_layers; i++)
        if (*g->layers[i].name && names_get(&shorts, g->layers[i].name) == 1)
            names_put(&taken, g->layers[i].name, i);
    for (int i = 0; i < g->n_layers; i++) {
        struct layer *l = &g->layers[i];
        if (names_get(&taken, l->name) == i)
            continue;
        const char *full = clean_name(&g->arena, g->nodes[l->node].name);
        l->name = full;
        for (int k = 2; names_put(&taken, l->name, i) >= 0; k++)
            l->name = arena_printf(&g->arena, "%s_%d", full, k);
    }
    names_done(&taken);
    names_done(&shorts);
}

/* The tensor whose values this one holds: through what only moves or picks elements. */
static int source_tensor(const struct graph *g, int t)
{
    while (g->tensors[t].producer >= 0) {
        const struct node *n = &g->nodes[g->tensors[t].producer];
        if (n->op != OP_RESHAPE && n->op != OP_TRANSPOSE && n->op != OP_MAX_POOL)
            break;
        t = n->in[0];
    }
    return t;
}

static void group_layers(struct graph *g)
{
    int *group = arena_new(&g->arena, (size_t)g->n_tensors, sizeof *group); /* 0: none yet, else number + 1 */
    for (int i = 0; i < g->n_layers; i++) {
        int t = source_tensor(g, g->nodes[g->layers[i].node].in[0]);
        if (!group[t])
            group[t] = ++g->n_groups;
        g->layers[i].group = group[t] - 1;
    }
}

static const char *kind_of_node(const struct graph *g, const struct node *n)
{
    if (n->op == OP_GEMM)
        return "Gemm";
    if (n->groups > 1 && n->groups == g->tensors[n->in[0]].shape.d[1])
        return "DWConv";
    return n->window.kh == 1 && n->window.kw == 1 && n->groups == 1 ? "PWConv" : "Conv";
}

static int size_layer(struct graph *g, int node, struct layer *l)
{
    const struct node *n = &g->nodes[node];
    const struct shape *w = &g->tensors[n->in[1]].shape;
    *l = (struct layer){.node = node, .kind = kind_of_node(g, n)};
    l->cout = (int)w->d[0];
    l->k = (int)(shape_count(w) / w->d[0]);
    l->params = shape_count(w) + (n->in[2] >= 0 ? w->d[0] : 0);
    g->params += l->params; /* the constants are under 2 GiB */
    return __builtin_mul_overflow(shape_count(&g->tensors[n->out[0]].shape), (int64_t)l->k, &l->macs) ||
           __builtin_add_overflow(g->macs, l->macs, &g->macs);
}

int layers_find(struct graph *g, struct err *e)
{
    g->layers = arena_new(&g->arena, (size_t)g->n_nodes, sizeof *g->layers);
    for (int i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op == OP_CONV || g->nodes[i].op == OP_GEMM)
            if (size_layer(g, i, &g->layers[g->n_layers++]))
                return err_set(e, "%s: node \"%s\" is too large", g->file, g->nodes[i].name);
    name_layers(g);
    group_layers(g);
    return 0;
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
    for (int i = 0; i < g->n_layers; i++)
        if (strcmp(g->layers[i].name, name) == 0)
            return i;
    for (int i = 0; i < g->n_layers; i++)
        if (strcmp(g->nodes[g->layers[i].node].name, name) == 0)
            return i;
    return -1;
}

const char *graph_layer_nearest(const struct graph *g, const char *name)
{
    const char *best = NULL;
    int least = INT_MAX;
    for (int i = 0; i < g->n_layers; i++) {
        int d = text_distance(g->layers[i].name, name);
        if (d < least) {
            least = d;
            best = g->layers[i].name;
        }
    }
    return best;
}
