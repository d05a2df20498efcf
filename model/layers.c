/* SPDX-License-Identifier: MIT */
#include "model/layers.h"

#include <string.h>

#include "model/lattice.h"
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
    struct names shorts = {0}, taken = {0}, numbers = {0}; /* numbers: the next one to try for a name */
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
        int next = names_get(&numbers, full);
        for (int k = next > 2 ? next : 2; names_put(&taken, l->name, i) >= 0; k++) {
            l->name = arena_printf(&g->arena, "%s_%d", full, k);
            names_set(&numbers, full, k + 1);
        }
    }
    names_done(&numbers);
    names_done(&taken);
    names_done(&shorts);
}

/* name, unless the layer has it already. */
static void add_alias(const struct layer *l, const char **list, int *n, const char *name)
{
    bool known = !*name || !strcmp(l->name, name);
    for (int i = 0; i < *n; i++)
        known |= !strcmp(list[i], name);
    if (!known)
        list[(*n)++] = name;
}

static void find_aliases(struct graph *g, struct layer *l)
{
    const struct node *n = &g->nodes[l->node];
    int count = 2, k = 0;
    for (const struct node_name *f = n->fused; f; f = f->next)
        count++;
    const char **list = arena_new(&g->arena, (size_t)count + 1, sizeof *list);
    add_alias(l, list, &k, n->name);
    for (const struct node_name *f = n->fused; f; f = f->next)
        add_alias(l, list, &k, f->name);
    add_alias(l, list, &k, g->tensors[n->out[0]].name);
    l->aliases = list;
}

/* For each tensor the one whose values it holds: through what only moves or picks elements. */
static int *find_sources(struct graph *g)
{
    int *source = arena_new(&g->arena, (size_t)g->n_tensors, sizeof *source);
    for (int t = 0; t < g->n_tensors; t++)
        source[t] = t;
    for (int i = 0; i < g->n_nodes; i++) {
        const struct node *n = &g->nodes[i];
        if (n->op == OP_RESHAPE || n->op == OP_TRANSPOSE || n->op == OP_MAX_POOL)
            source[n->out[0]] = source[n->in[0]];
    }
    return source;
}

static void group_layers(struct graph *g)
{
    int *group = arena_new(&g->arena, (size_t)g->n_tensors, sizeof *group); /* 0: none yet, else number + 1 */
    const int *source = find_sources(g);
    for (int i = 0; i < g->n_layers; i++) {
        int t = source[g->nodes[g->layers[i].node].in[0]];
        if (!group[t])
            group[t] = ++g->n_groups;
        g->layers[i].group = group[t] - 1;
    }
}

static const char *kind_of_node(const struct graph *g, const struct node *n)
{
    if (n->op == OP_CALL)
        return n->row->name;
    if (n->op != OP_CONV)
        return n->op == OP_GEMM ? "Gemm" : n->op == OP_MATMUL ? "MatMul" : "TConv";
    if (n->groups > 1 && n->groups == g->tensors[n->in[0]].shape.d[1])
        return "DWConv";
    return n->window.kh == 1 && n->window.kw == 1 && n->groups == 1 ? "PWConv" : "Conv";
}

bool layers_are_made_of(enum op op, const struct op_row *row)
{
    static const char *const recurrent[] = {"LSTM", "GRU", "RNN"};
    for (int i = 0; op == OP_CALL && !*row->domain && i < 3; i++)
        if (!strcmp(row->name, recurrent[i]))
            return true;
    return op == OP_CONV || op == OP_CONV_TRANSPOSE || op == OP_GEMM || op == OP_MATMUL;
}

/* A recurrent operator (x, W, R, B, ...) is a layer where its weights are constant, the others always are. */
static bool is_layer(const struct graph *g, const struct node *n)
{
    bool is = layers_are_made_of(n->op, n->row);
    for (int k = 0; is && n->op == OP_CALL && k < 4 && k < n->n_in; k++)
        is = k == 0 ? !g->tensors[n->in[0]].data : n->in[k] < 0 ? k == 3 : g->tensors[n->in[k]].data != NULL;
    return is;
}

/* Multiply-accumulates are outputs times k, but where an input value is what is spread (transposed convolution) or
 * where every step and direction goes through the weights of all gates. */
static int count_macs(const struct graph *g, const struct node *n, struct layer *l)
{
    const struct shape *x = &g->tensors[n->in[0]].shape, *w = &g->tensors[n->in[1]].shape;
    int64_t times = shape_count(&g->tensors[n->out[0]].shape), each = l->k;
    if (n->op == OP_CONV_TRANSPOSE) {
        times = shape_count(x);
        each = shape_count(w) / x->d[1];
    } else if (n->op == OP_CALL) {
        times = x->d[0] * x->d[1];
        each = (int64_t)l->cout * l->k;
    }
    return __builtin_mul_overflow(times, each, &l->macs) ? -1 : 0;
}

static int size_layer(struct graph *g, int node, struct layer *l)
{
    const struct node *n = &g->nodes[node];
    const struct shape *w = &g->tensors[n->in[1]].shape;
    *l = (struct layer){.node = node, .kind = kind_of_node(g, n)};
    l->n_weights = n->op == OP_MATMUL ? 0 : n->op == OP_CALL ? 2 : 1;
    l->cout = (int)(n->op == OP_MATMUL ? w->d[w->n - 1] : n->op == OP_CALL ? w->d[0] * w->d[1] : w->d[0]);
    l->k = n->op == OP_MATMUL ? (int)w->d[w->n - 2] : 0;
    for (int i = 1; i <= l->n_weights; i++) {
        l->params += shape_count(&g->tensors[n->in[i]].shape);
        l->k += (int)(shape_count(&g->tensors[n->in[i]].shape) / l->cout);
    }
    int bias = l->n_weights + 1; /* input */
    if (l->n_weights && n->n_in > bias && n->in[bias] >= 0)
        l->n_bias = (int)shape_count(&g->tensors[n->in[bias]].shape);
    l->params += l->n_bias;
    g->params += l->params; /* the constants are under 2 GiB */
    return count_macs(g, n, l) || __builtin_add_overflow(g->macs, l->macs, &g->macs);
}

int layers_find(struct graph *g, struct err *e)
{
    g->layers = arena_new(&g->arena, (size_t)g->n_nodes, sizeof *g->layers);
    for (int i = 0; i < g->n_nodes; i++)
        if (is_layer(g, &g->nodes[i]))
            if (size_layer(g, i, &g->layers[g->n_layers++]))
                return err_set(e, "%s: node \"%s\" is too large", g->file, g->nodes[i].name);
    name_layers(g);
    for (int i = 0; i < g->n_layers; i++)
        find_aliases(g, &g->layers[i]);
    group_layers(g);
    lattice_find_own(g);
    return 0;
}
