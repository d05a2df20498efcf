/* SPDX-License-Identifier: MIT
 *
 * A Loop as its turns, one after the other.
 */
#include <limits.h>

#include "model/control_scope.h"

enum { TURNS_MAX = 1000 };

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
    if (t < 0 || control_define(b, s, scope, l->body->inputs[k].name))
        return -1;
    build_name_tensor(b, control_resolve(scope, l->body->inputs[k].name), t);
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
    if (control_add_nodes(b, s, l->body, scope, arena_printf(&b->arena, "%s.%d/", s->name, l->turn)))
        return -1;
    int condition = control_output(b, s, l->body, scope, 0);
    if (condition < 0 || control_known(b, s, condition, DTYPE_BOOL, "whether it goes on", &l->go_on))
        return -1;
    for (int k = 0; k < l->n_carried; k++)
        if ((l->carried[k] = control_output(b, s, l->body, scope, 1 + k)) < 0)
            return -1;
    for (int k = 0; k < l->n_scans; k++)
        if ((l->scans[k][l->turn] = control_output(b, s, l->body, scope, 1 + l->n_carried + k)) < 0)
            return -1;
    return 0;
}

static int run_turns(struct build *b, const struct source *s, struct loop *l, bool counted, int64_t turns)
{
    for (; l->go_on && (!counted || l->turn < turns); l->turn++) {
        if (l->turn == TURNS_MAX)
            return build_fail(b, s, "it runs more than %d times", TURNS_MAX);
        struct scope scope;
        control_enter(b, &scope, true);
        int rc = run_turn(b, s, l, &scope);
        control_leave(b, &scope);
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
    control_enter(b, &scope, false);
    int rc =
        control_add_initializers(b, s, l->body, &scope) || run_turns(b, s, l, counted, turns) || finish_loop(b, s, l);
    control_leave(b, &scope);
    return rc ? -1 : 0;
}

int control_import_loop(struct build *b, struct source *s)
{
    int64_t turns = 0;
    struct loop l = {.go_on = 1};
    if (import_operands(b, s, 0, INT_MAX, INT_MAX))
        return -1;
    if (s->n_in < 2)
        return build_fail(b, s, "%d inputs, a Loop has at least 2", s->n_in);
    if ((s->in[0] >= 0 && control_known(b, s, s->in[0], DTYPE_I64, "how often it runs", &turns)) ||
        (s->in[1] >= 0 && control_known(b, s, s->in[1], DTYPE_BOOL, "whether it runs", &l.go_on)))
        return -1;
    l.n_carried = s->n_in - 2;
    l.body = control_open(b, s, "body");
    return l.body ? unroll(b, s, &l, s->in[0] >= 0, turns) : -1;
}
