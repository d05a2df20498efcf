/* SPDX-License-Identifier: MIT
 *
 * A sub-graph is read when it is needed and not before, so that nothing nests but the sub-graphs that are taken. Its
 * names become names of the graph: those that are taken already get another one, and outer names are seen through
 * the scopes around.
 */
#include "model/control_scope.h"

#include <limits.h>
#include <string.h>

enum { DEPTH_MAX = 32, NODES_MAX = 100000 };
static const size_t BYTES_MAX = (size_t)256 << 20; /* of sub-graphs read */

struct control {
    struct names taken;      /* names of the graph */
    struct onnx_model **all; /* sub-graphs read */
    int n, cap;
    size_t bytes;
    int nodes;
};

bool control_is(const struct onnx_node *n)
{
    return (!*n->domain || !strcmp(n->domain, "ai.onnx")) && (!strcmp(n->op_type, "If") || !strcmp(n->op_type, "Loop"));
}

bool control_repeats(const struct build *b)
{
    return b->scope && b->scope->repeats;
}

void control_done(struct build *b)
{
    struct control *c = b->control;
    if (!c)
        return;
    for (int i = 0; i < c->n; i++) {
        onnx_done(c->all[i]);
        mem_free(c->all[i]);
    }
    mem_free(c->all);
    names_done(&c->taken);
    mem_free(c);
    b->control = NULL;
}

/* Made at the first sub-graph, with every name that the file's own graph has. */
static struct control *control_of(struct build *b)
{
    if (b->control)
        return b->control;
    struct control *c = b->control = mem_new(1, sizeof *c);
    const struct onnx_model *m = &b->model;
    for (int i = 0; i < m->n_inputs; i++)
        names_set(&c->taken, m->inputs[i].name, 0);
    for (int i = 0; i < m->n_initializers; i++)
        names_set(&c->taken, m->initializers[i].name, 0);
    for (int i = 0; i < m->n_nodes; i++)
        for (int k = 0; k < m->nodes[i].n_out; k++)
            names_set(&c->taken, m->nodes[i].out[k], 0);
    return c;
}

/* --- scopes ------------------------------------------------------------------------------------------------------- */

const char *control_resolve(const struct scope *s, const char *name)
{
    for (; s; s = s->up) {
        int i = names_get(&s->index, name);
        if (i >= 0)
            return s->to[i];
    }
    return name;
}

static int define_as(struct build *b, const struct source *s, struct scope *scope, const char *name, const char *to)
{
    if (names_put(&scope->index, name, scope->n) >= 0)
        return build_fail(b, s, "\"%s\" is defined twice in its sub-graph", onnx_name_show(&b->arena, name));
    if (scope->n == scope->cap) {
        int cap = scope->cap ? 2 * scope->cap : 64;
        scope->to = mem_resize(scope->to, (size_t)scope->cap, (size_t)cap, sizeof *scope->to);
        scope->cap = cap;
    }
    scope->to[scope->n++] = to;
    return 0;
}

int control_define(struct build *b, const struct source *s, struct scope *scope, const char *name)
{
    struct names *taken = &b->control->taken;
    const char *to = name;
    int tries = names_get(taken, name);
    for (int i = tries; i >= 0 && names_get(taken, to) >= 0; i++) {
        to = arena_printf(&b->arena, "%s.%d", name, i + 1);
        names_set(taken, name, i + 1); /* where the next one begins */
    }
    names_set(taken, to, 0);
    return define_as(b, s, scope, name, to);
}

void control_enter(struct build *b, struct scope *scope, bool repeats)
{
    *scope = (struct scope){.up = b->scope, .depth = b->scope ? b->scope->depth + 1 : 1};
    scope->repeats = repeats || control_repeats(b);
    b->scope = scope;
}

void control_leave(struct build *b, struct scope *scope)
{
    b->scope = scope->up;
    names_done(&scope->index);
    mem_free(scope->to);
}

/* --- sub-graphs --------------------------------------------------------------------------------------------------- */

struct onnx_model *control_open(struct build *b, const struct source *s, const char *attr)
{
    struct control *c = control_of(b);
    const struct attr *a = build_attr(b, s, attr, ATTR_GRAPH);
    if (!a) {
        if (!b->failed)
            build_fail(b, s, "attribute %s is missing", attr);
        return NULL;
    }
    const struct onnx_subgraph *g = a->graph;
    c->bytes += g->n;
    if (b->scope && b->scope->depth >= DEPTH_MAX) {
        build_fail(b, s, "sub-graphs deeper than %d are not supported", DEPTH_MAX);
        return NULL;
    }
    if (c->bytes > BYTES_MAX) {
        build_fail(b, s, "its sub-graphs are too large together");
        return NULL;
    }
    if (c->n == c->cap) {
        int cap = c->cap ? 2 * c->cap : 16;
        c->all = mem_resize(c->all, (size_t)c->cap, (size_t)cap, sizeof *c->all);
        c->cap = cap;
    }
    struct onnx_model *m = c->all[c->n++] = mem_new(1, sizeof *m);
    if (onnx_read_subgraph(m, b->file, b->model.folder, g, b->e))
        return NULL;
    b->file_bytes += control_repeats(b) ? 0 : m->tensor_bytes;
    return m;
}

int control_add_initializers(struct build *b, const struct source *s, struct onnx_model *m, struct scope *scope)
{
    for (int i = 0; i < m->n_initializers; i++) {
        struct onnx_tensor *t = &m->initializers[i];
        if (control_define(b, s, scope, t->name) ||
            import_initializer(b, t, control_resolve(scope, t->name), scope->up && scope->up->repeats))
            return -1;
    }
    return 0;
}

static const char **rename_list(struct build *b, const struct scope *scope, const char *const *from, int n)
{
    const char **to = arena_new(&b->arena, (size_t)n + 1, sizeof *to);
    for (int k = 0; k < n; k++)
        to[k] = *from[k] ? control_resolve(scope, from[k]) : "";
    return to;
}

int control_add_nodes(struct build *b, const struct source *s, const struct onnx_model *m, struct scope *scope,
                      const char *prefix)
{
    static const struct names none = {0};
    struct onnx_node *nodes = arena_new(&b->arena, (size_t)m->n_nodes + 1, sizeof *nodes);
    b->control->nodes += m->n_nodes + 1;
    if (b->control->nodes > NODES_MAX)
        return build_fail(b, s, "its sub-graphs come to more than %d nodes", NODES_MAX);
    for (int i = 0; i < m->n_nodes; i++)
        for (int k = 0; k < m->nodes[i].n_out; k++)
            if (*m->nodes[i].out[k] && names_get(&scope->index, m->nodes[i].out[k]) < 0 &&
                control_define(b, s, scope, m->nodes[i].out[k])) /* two makers of one name: import_sort tells */
                return -1;
    for (int i = 0; i < m->n_nodes; i++) {
        struct onnx_node *n = &nodes[i];
        *n = m->nodes[i];
        n->in = rename_list(b, scope, n->in, n->n_in);
        n->out = rename_list(b, scope, n->out, n->n_out);
        n->name = *n->name ? arena_printf(&b->arena, "%s%s", prefix, n->name)
                           : arena_printf(&b->arena, "%s%s%s_%d", *prefix ? prefix : s->name, *prefix ? "" : "/",
                                          n->op_type, i);
    }
    return import_nodes(b, nodes, m->n_nodes, &none);
}

int control_output(struct build *b, const struct source *s, const struct onnx_model *m, const struct scope *scope,
                   int k)
{
    int t = names_get(&b->bound, control_resolve(scope, m->outputs[k].name));
    if (t < 0)
        build_fail(b, s, "its sub-graph's output \"%s\" is not defined anywhere",
                   onnx_name_show(&b->arena, m->outputs[k].name));
    return t;
}

int control_known(struct build *b, const struct source *s, int t, enum dtype type, const char *what, int64_t *out)
{
    const struct tensor *x = &b->tensors[t];
    if (shape_count(&x->shape) != 1 || x->type != type)
        return build_fail(b, s, "%s is not a single %s", what, dtype_name(type));
    if (!x->data) {
        b->wants = t;
        return build_fail(b, s, "%s depends on the values of \"%s\", which are not known before it runs", what,
                          onnx_name_show(&b->arena, x->name));
    }
    struct array value = {x->type, x->shape, (void *)x->data};
    *out = array_int(&value, 0);
    return 0;
}

/* --- If ----------------------------------------------------------------------------------------------------------- */

/* Outputs that nodes of the branch make are called what the If's are from the start. */
static int define_outputs(struct build *b, const struct source *s, const struct onnx_model *m, struct scope *scope)
{
    struct names made = {0};
    int rc = 0;
    for (int i = 0; i < m->n_nodes; i++)
        for (int k = 0; k < m->nodes[i].n_out; k++)
            names_set(&made, m->nodes[i].out[k], i);
    for (int k = 0; k < s->node->n_out && !rc; k++) {
        const char *name = m->outputs[k].name;
        if (*s->node->out[k] && names_get(&made, name) >= 0 && names_get(&scope->index, name) < 0)
            rc = define_as(b, s, scope, name, s->node->out[k]);
    }
    names_done(&made);
    return rc;
}

static int take_branch(struct build *b, const struct source *s, struct onnx_model *m, struct scope *scope)
{
    if (m->n_outputs != s->node->n_out)
        return build_fail(b, s, "%d outputs, the branch that is taken has %d", s->node->n_out, m->n_outputs);
    if (control_add_initializers(b, s, m, scope) || define_outputs(b, s, m, scope) ||
        control_add_nodes(b, s, m, scope, ""))
        return -1;
    for (int k = 0; k < s->node->n_out; k++) {
        int t = control_output(b, s, m, scope, k);
        if (t < 0)
            return -1;
        if (*s->node->out[k] && names_get(&b->bound, s->node->out[k]) != t)
            build_bind(b, s, k, t);
    }
    return 0;
}

static int import_if(struct build *b, struct source *s)
{
    int64_t condition;
    if (import_operands(b, s, 1, 1, INT_MAX) ||
        control_known(b, s, s->in[0], DTYPE_BOOL, "which branch it takes", &condition))
        return -1;
    struct onnx_model *m = control_open(b, s, condition ? "then_branch" : "else_branch");
    if (!m)
        return -1;
    struct scope scope;
    control_enter(b, &scope, false);
    int rc = take_branch(b, s, m, &scope);
    control_leave(b, &scope);
    return rc;
}

int control_import(struct build *b, struct source *s)
{
    return strcmp(s->node->op_type, "If") ? control_import_loop(b, s) : import_if(b, s);
}
