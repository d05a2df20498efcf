/* SPDX-License-Identifier: MIT
 *
 * A sub-graph is read when it is needed and not before, so that nothing nests but the sub-graphs that are taken. Its
 * names become names of the graph: those that are taken already get another one, and outer names are seen through
 * the scopes around.
 */
#include "model/control.h"

#include <limits.h>
#include <string.h>

enum { DEPTH_MAX = 32, TURNS_MAX = 1000, NODES_MAX = 100000 };
static const size_t BYTES_MAX = (size_t)256 << 20; /* of sub-graphs read */

/* A sub-graph's own names and what they are called in the graph. */
struct scope {
    struct scope *up;
    struct names index;
    const char **to;
    int n, cap, depth;
    bool repeats;
};

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

static const char *resolve(const struct scope *s, const char *name)
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

/* A name of the sub-graph as it is, or the first of name.1, name.2, ... that the graph does not have. */
static int define(struct build *b, const struct source *s, struct scope *scope, const char *name)
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

static void scope_begin(struct build *b, struct scope *scope, bool repeats)
{
    *scope = (struct scope){.up = b->scope, .depth = b->scope ? b->scope->depth + 1 : 1};
    scope->repeats = repeats || control_repeats(b);
    b->scope = scope;
}

static void scope_end(struct build *b, struct scope *scope)
{
    b->scope = scope->up;
    names_done(&scope->index);
    mem_free(scope->to);
}

/* --- sub-graphs --------------------------------------------------------------------------------------------------- */

static struct onnx_model *open_subgraph(struct build *b, const struct source *s, const char *attr)
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

/* The initializers, under names of the scope. */
static int add_initializers(struct build *b, const struct source *s, struct onnx_model *m, struct scope *scope)
{
    for (int i = 0; i < m->n_initializers; i++) {
        struct onnx_tensor *t = &m->initializers[i];
        if (define(b, s, scope, t->name) ||
            import_initializer(b, t, resolve(scope, t->name), scope->up && scope->up->repeats))
            return -1;
    }
    return 0;
}

static const char **rename_list(struct build *b, const struct scope *scope, const char *const *from, int n)
{
    const char **to = arena_new(&b->arena, (size_t)n + 1, sizeof *to);
    for (int k = 0; k < n; k++)
        to[k] = *from[k] ? resolve(scope, from[k]) : "";
    return to;
}

/* The nodes, whose outputs get names of the scope, as nodes of the graph. prefix: of their own names, "" or "loop.3/".
 */
static int add_nodes(struct build *b, const struct source *s, const struct onnx_model *m, struct scope *scope,
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
                define(b, s, scope, m->nodes[i].out[k])) /* two makers of one name: import_sort tells */
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

/* What the sub-graph calls its output k; -1 with a message. */
static int output_of(struct build *b, const struct source *s, const struct onnx_model *m, const struct scope *scope,
                     int k)
{
    int t = names_get(&b->bound, resolve(scope, m->outputs[k].name));
    if (t < 0)
        build_fail(b, s, "its sub-graph's output \"%s\" is not defined anywhere",
                   onnx_name_show(&b->arena, m->outputs[k].name));
    return t;
}

/* A scalar that is known at import; else the message says what could be given. */
static int known_scalar(struct build *b, const struct source *s, int t, enum dtype type, const char *what, int64_t *out)
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
    if (add_initializers(b, s, m, scope) || define_outputs(b, s, m, scope) || add_nodes(b, s, m, scope, ""))
        return -1;
    for (int k = 0; k < s->node->n_out; k++) {
        int t = output_of(b, s, m, scope, k);
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
        known_scalar(b, s, s->in[0], DTYPE_BOOL, "which branch it takes", &condition))
        return -1;
    struct onnx_model *m = open_subgraph(b, s, condition ? "then_branch" : "else_branch");
    if (!m)
        return -1;
    struct scope scope;
    scope_begin(b, &scope, false);
    int rc = take_branch(b, s, m, &scope);
    scope_end(b, &scope);
    return rc;
}

/* --- Loop --------------------------------------------------------------------------------------------------------- */

struct loop {
    struct onnx_model *body;
    int n_carried, n_scans, turn;
    int first;    /* the first tensor that its turns make */
    int *carried; /* tensors, [n_carried] */
    int **scans;  /* [n_scans][TURNS_MAX] */
    int64_t go_on;
};

static int scalar(struct build *b, const struct source *s, const char *suffix, enum dtype type, int64_t value)
{
    struct shape one = {0};
    void *data;
    int t = build_constant(b, s, build_name(b, s, suffix), type, &one, &data);
    if (t >= 0 && type == DTYPE_BOOL)
        *(uint8_t *)data = value != 0;
    else if (t >= 0)
        *(int64_t *)data = value;
    return t;
}

/* The body's input k is tensor t in this turn. */
static int feed(struct build *b, const struct source *s, struct scope *scope, const struct loop *l, int k, int t)
{
    if (t < 0 || define(b, s, scope, l->body->inputs[k].name))
        return -1;
    build_name_tensor(b, resolve(scope, l->body->inputs[k].name), t);
    return 0;
}

static int run_turn(struct build *b, const struct source *s, struct loop *l, struct scope *scope)
{
    if (feed(b, s, scope, l, 0, scalar(b, s, "turn", DTYPE_I64, l->turn)) ||
        feed(b, s, scope, l, 1, scalar(b, s, "condition", DTYPE_BOOL, 1)))
        return -1;
    for (int k = 0; k < l->n_carried; k++)
        if (feed(b, s, scope, l, 2 + k, l->carried[k]))
            return -1;
    if (add_nodes(b, s, l->body, scope, arena_printf(&b->arena, "%s.%d/", s->name, l->turn)))
        return -1;
    int condition = output_of(b, s, l->body, scope, 0);
    if (condition < 0 || known_scalar(b, s, condition, DTYPE_BOOL, "whether it goes on", &l->go_on))
        return -1;
    for (int k = 0; k < l->n_carried; k++)
        if ((l->carried[k] = output_of(b, s, l->body, scope, 1 + k)) < 0)
            return -1;
    for (int k = 0; k < l->n_scans; k++)
        if ((l->scans[k][l->turn] = output_of(b, s, l->body, scope, 1 + l->n_carried + k)) < 0)
            return -1;
    return 0;
}

static int run_turns(struct build *b, const struct source *s, struct loop *l, bool counted, int64_t turns)
{
    for (; l->go_on && (!counted || l->turn < turns); l->turn++) {
        if (l->turn == TURNS_MAX)
            return build_fail(b, s, "it runs more than %d times", TURNS_MAX);
        struct scope scope;
        scope_begin(b, &scope, true);
        int rc = run_turn(b, s, l, &scope);
        scope_end(b, &scope);
        if (rc)
            return -1;
    }
    return 0;
}

/* No turn at all: as many elements as the body says that there would be in one, none times. */
static int empty_scan(struct build *b, const struct source *s, const struct onnx_value *v, const char *name)
{
    struct shape shape = {v->rank + 1, {0}};
    void *data;
    if (v->rank < 0 || v->rank >= SHAPE_MAX || onnx_dtype(v->type) == DTYPE_NONE)
        return build_fail(b, s, "it runs not once, and its body does not say what \"%s\" would be",
                          onnx_name_show(&b->arena, v->name));
    for (int i = 0; i < v->rank; i++)
        shape.d[i + 1] = v->d[i] < 0 ? 0 : v->d[i];
    return build_constant(b, s, name, onnx_dtype(v->type), &shape, &data);
}

/* The value of each turn as one more row of output k of the node. */
static int join_scan(struct build *b, const struct source *s, struct loop *l, int k)
{
    const char *name = s->node->out[l->n_carried + k], **rows = arena_new(&b->arena, (size_t)l->turn + 1, sizeof *rows);
    int *parts = arena_new(&b->arena, (size_t)l->turn + 1, sizeof *parts);
    struct shape one = {1, {1}};
    void *zero;
    if (!l->turn) {
        int t = empty_scan(b, s, &l->body->outputs[1 + l->n_carried + k], name);
        if (t >= 0)
            build_bind(b, s, l->n_carried + k, t);
        return t < 0 ? -1 : 0;
    }
    int axes = build_constant(b, s, build_name(b, s, "axes"), DTYPE_I64, &one, &zero);
    for (int i = 0; axes >= 0 && i < l->turn; i++) {
        const char *in[] = {"row", "axes"};
        rows[i] = arena_printf(&b->arena, "%s.%d.%s", s->name, i, name);
        const struct onnx_node row = {rows[i], "Unsqueeze", "", 2, 1, 0, in, &rows[i], NULL, NULL};
        if (import_made(b, &row, (int[]){l->scans[k][i], axes}, 13))
            return -1;
        parts[i] = names_get(&b->bound, rows[i]);
    }
    struct attr *axis = arena_new(&b->arena, 1, sizeof *axis);
    *axis = (struct attr){.name = "axis", .type = ATTR_INT};
    const struct onnx_node join = {s->name, "Concat", "", l->turn, 1, 1, rows, &s->node->out[l->n_carried + k],
                                   axis,    NULL};
    return axes < 0 ? -1 : import_made(b, &join, parts, 13);
}

/* Tensor t, made in a turn, is output k of the node: it gets that name, where it has not got another output's. */
static void give_output(struct build *b, const struct source *s, const struct loop *l, bool *named, int k, int t)
{
    build_bind(b, s, k, t);
    if (t < l->first || !*s->node->out[k] || named[t - l->first])
        return;
    b->tensors[t].name = s->node->out[k];
    named[t - l->first] = true;
}

static int finish_loop(struct build *b, const struct source *s, struct loop *l)
{
    bool *named = arena_new(&b->arena, (size_t)(b->n_tensors - l->first) + 1, sizeof *named);
    for (int k = 0; k < l->n_carried && k < s->node->n_out; k++)
        give_output(b, s, l, named, k, l->carried[k]);
    for (int k = 0; k < l->n_scans; k++)
        if (*s->node->out[l->n_carried + k] && join_scan(b, s, l, k))
            return -1;
    return 0;
}

static int unroll(struct build *b, const struct source *s, struct loop *l, bool counted, int64_t turns)
{
    const struct onnx_model *m = l->body;
    if (m->n_inputs != 2 + l->n_carried || m->n_outputs < 1 + l->n_carried || s->node->n_out > m->n_outputs - 1)
        return build_fail(b, s, "%d inputs and %d outputs do not fit its body's %d and %d", s->n_in, s->node->n_out,
                          m->n_inputs, m->n_outputs);
    l->n_scans = s->node->n_out - l->n_carried > 0 ? s->node->n_out - l->n_carried : 0;
    l->carried = arena_new(&b->arena, (size_t)l->n_carried + 1, sizeof *l->carried);
    l->scans = arena_new(&b->arena, (size_t)l->n_scans + 1, sizeof *l->scans);
    for (int k = 0; k < l->n_scans; k++)
        l->scans[k] = arena_new(&b->arena, TURNS_MAX, sizeof **l->scans);
    for (int k = 0; k < l->n_carried; k++)
        if ((l->carried[k] = s->in[2 + k]) < 0)
            return build_fail(b, s, "input %d is missing", 2 + k);
    l->first = b->n_tensors;
    struct scope scope; /* what every turn sees */
    scope_begin(b, &scope, false);
    int rc = add_initializers(b, s, l->body, &scope) || run_turns(b, s, l, counted, turns) || finish_loop(b, s, l);
    scope_end(b, &scope);
    return rc ? -1 : 0;
}

static int import_loop(struct build *b, struct source *s)
{
    int64_t turns = 0;
    struct loop l = {.go_on = 1};
    if (import_operands(b, s, 0, INT_MAX, INT_MAX))
        return -1;
    if (s->n_in < 2)
        return build_fail(b, s, "%d inputs, a Loop has at least 2", s->n_in);
    if ((s->in[0] >= 0 && known_scalar(b, s, s->in[0], DTYPE_I64, "how often it runs", &turns)) ||
        (s->in[1] >= 0 && known_scalar(b, s, s->in[1], DTYPE_BOOL, "whether it runs", &l.go_on)))
        return -1;
    l.n_carried = s->n_in - 2;
    l.body = open_subgraph(b, s, "body");
    return l.body ? unroll(b, s, &l, s->in[0] >= 0, turns) : -1;
}

int control_import(struct build *b, struct source *s)
{
    return strcmp(s->node->op_type, "If") ? import_loop(b, s) : import_if(b, s);
}
