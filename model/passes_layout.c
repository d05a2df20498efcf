/* SPDX-License-Identifier: MIT
 *
 * Transposes and Reshapes sink: they are kept as views (model/views.h) and are made only where a node needs the tensor
 * as the file has it. A node that works in any order of axes (activations, sums, concatenation) runs in the order of
 * its inputs, and its output is a view; so the two Transposes that exporters of NHWC models put around every
 * convolution meet and vanish. One walk backwards for what readers want, one forwards: linear in the number of nodes.
 *
 * An order of axes that a node may run in instead of its own is called a frame.
 */
#include <limits.h>
#include <string.h>

#include "model/lattice.h"
#include "model/passes.h"
#include "model/views.h"

struct frame {
    int rank;
    int map[SHAPE_MAX]; /* axis of the node's output: which axis of the frame, -1 for an axis of 1 */
    int lead;           /* the input that it comes from */
};

struct want { /* the order that a reader wants a tensor's axes in */
    bool set;
    int perm[SHAPE_MAX];
};

struct layout {
    struct build *b;
    struct views v;
    struct want *wants; /* of the tensors that the file has */
    int *uses;
    int n_tensors; /* of wants and uses */
};

static const struct shape *shape_of(const struct layout *l, int tensor)
{
    return &l->b->tensors[tensor].shape;
}

static bool is_number(const struct layout *l, int tensor)
{
    return tensor < 0 || (l->b->tensors[tensor].data && shape_count(shape_of(l, tensor)) == 1);
}

/* One input k that the output's elements follow one by one, and numbers beside it: any order and shape will do. */
static bool is_unary(const struct layout *l, const struct node *n, int *k)
{
    bool any = n->op == OP_CLIP || n->op == OP_LEAKY_RELU || n->op == OP_SIGMOID || n->op == OP_HARD_SWISH ||
               n->op == OP_SNAP || n->op == OP_ADD || n->op == OP_MUL ||
               (n->op == OP_CALL && n->row->flags & OP_ELEMENTWISE && n->n_out == 1 && n->opset >= 7);
    *k = -1;
    for (int i = 0; any && i < n->n_in; i++) {
        if (is_number(l, n->in[i]))
            continue;
        any = *k < 0;
        *k = i;
    }
    return any && *k >= 0 && l->b->tensors[n->in[*k]].type == DTYPE_F32 && l->b->tensors[n->out[0]].type == DTYPE_F32 &&
           shape_equal(shape_of(l, n->in[*k]), shape_of(l, n->out[0]));
}

/* A call of an operator that works element by element on inputs that broadcast. */
static bool is_broadcasting_call(const struct layout *l, const struct node *n)
{
    if (!(n->row->flags & OP_ELEMENTWISE) || n->opset < 7 || n->n_out != 1 ||
        l->b->tensors[n->out[0]].type != DTYPE_F32 || (n->row->min_in < 2 && n->row->max_in < 4))
        return false;
    for (int k = 0; k < n->n_in; k++)
        if (n->in[k] < 0 || l->b->tensors[n->in[k]].type != DTYPE_F32)
            return false;
    return true;
}

/* Operators that run in another frame when what they say about axes is said about the frame's. */
static bool has_frames(const struct layout *l, const struct node *n)
{
    switch (n->op) {
    case OP_CALL:
        return is_broadcasting_call(l, n);
    case OP_ADD:
    case OP_MUL:
    case OP_BATCHNORM:
    case OP_SOFTMAX:
    case OP_CONCAT:
    case OP_PAD:
    case OP_SLICE:
        return true;
    default:
        return false;
    }
}

static void merge_want(struct want *w, const struct want *more, int rank)
{
    bool moves = false;
    for (int i = 0; more->set && i < rank; i++)
        moves |= more->perm[i] != i;
    if (moves && !w->set)
        *w = *more;
}

static void collect_wants(struct layout *l)
{
    for (int i = l->b->n_nodes - 1; i >= 0; i--) {
        const struct node *n = &l->b->nodes[i];
        if (n->op == OP_COUNT)
            continue;
        const struct want *out = &l->wants[n->out[0]];
        int rank = shape_of(l, n->out[0])->n, k;
        struct want w = *out;
        if (n->op == OP_TRANSPOSE) {
            w.set = true;
            for (int a = 0; a < rank; a++)
                w.perm[a] = n->perm[out->set ? out->perm[a] : a];
        } else if (!has_frames(l, n) && !is_unary(l, n, &k)) {
            continue;
        }
        for (k = 0; k < n->n_in; k++)
            if (n->in[k] >= 0 && shape_of(l, n->in[k])->n == rank)
                merge_want(&l->wants[n->in[k]], &w, rank);
    }
}

/* 1 when a reader of the node's output has to move elements if the node runs in this frame (NULL: its own). */
static int cost_after(const struct layout *l, int out, const struct frame *f)
{
    const struct want *w = &l->wants[out];
    const struct shape *s = shape_of(l, out);
    int last = -1;
    for (int i = 0; i < s->n; i++) {
        int axis = w->set ? w->perm[i] : i;
        if (s->d[axis] == 1)
            continue;
        int at = f ? f->map[axis] : axis;
        if (at < last)
            return 1;
        last = at;
    }
    return 0;
}

/* Input `tensor` of a node with output rank `rank` as the frame has it: which axes of which base. */
static struct view operand_view(const struct layout *l, int tensor, int rank, const struct frame *f)
{
    struct view x = view_of(&l->v, tensor), y;
    const struct shape *own = shape_of(l, tensor);
    if (view_is_flat(&x, own))
        x = view_of_itself(&l->v, tensor);
    y = x;
    y.mid.n = f->rank;
    for (int i = 0; i < f->rank; i++) {
        y.mid.d[i] = 1;
        y.map[i] = -1;
    }
    for (int i = rank - own->n; i < rank; i++)
        if (f->map[i] >= 0) {
            y.mid.d[f->map[i]] = x.mid.d[i - rank + own->n];
            y.map[f->map[i]] = x.map[i - rank + own->n];
        }
    return y;
}

static int cost_of_frame(const struct layout *l, const struct node *n, const struct frame *f)
{
    int rank = shape_of(l, n->out[0])->n, cost = cost_after(l, n->out[0], f);
    int n_in = n->op == OP_BATCHNORM ? 1 : n->n_in;
    for (int k = 0; k < n_in; k++) {
        if (!shape_of(l, n->in[k])->n) /* fits every frame */
            continue;
        struct view x = f ? operand_view(l, n->in[k], rank, f) : view_of(&l->v, n->in[k]);
        cost += views_costs(&l->v, &x, f ? &x.mid : shape_of(l, n->in[k]));
    }
    return cost;
}

/* Whether axis i of the node has a meaning, so that the frame must have it. */
static bool axis_matters(const struct node *n, const struct shape *s, int i)
{
    switch (n->op) {
    case OP_SOFTMAX:
    case OP_CONCAT:
        return s->d[i] != 1 || i == n->axis;
    case OP_PAD:
        return s->d[i] != 1 || n->pads_begin[i] || n->pads_end[i];
    case OP_SLICE:
        return s->d[i] != 1 || n->begin[i] || n->step[i] != 1;
    default:
        return s->d[i] != 1;
    }
}

/* The frame of input k: the order of its base. */
static bool frame_of_input(const struct layout *l, const struct node *n, int k, struct frame *f)
{
    const struct shape *out = shape_of(l, n->out[0]), *own = shape_of(l, n->in[k]);
    const struct view x = view_of(&l->v, n->in[k]);
    bool follows =
        n->op == OP_CONCAT || n->op == OP_PAD || n->op == OP_SLICE ? own->n == out->n : shape_equal(own, out);
    if (x.base == n->in[k] || l->b->tensors[x.base].data || !follows || view_is_flat(&x, own))
        return false;
    *f = (struct frame){.rank = shape_of(l, x.base)->n, .lead = k};
    memcpy(f->map, x.map, sizeof f->map);
    for (int i = 0; i < out->n; i++)
        if (axis_matters(n, out, i) && f->map[i] < 0)
            return false;
    return n->op != OP_BATCHNORM || (out->n >= 2 && f->map[1] == 1);
}

/* Nearer to the node that makes the base, n can be folded into it; else it is better where it was: nearer to the next.
 */
static bool can_join(const struct layout *l, const struct node *n, int base)
{
    int p = l->b->tensors[base].producer;
    if (p < 0 || (n->op != OP_CLIP && n->op != OP_ADD && n->op != OP_MUL && n->op != OP_BATCHNORM))
        return false;
    enum op op = l->b->nodes[p].op;
    return passes_is_convolution(&l->b->nodes[p]) || op == OP_GEMM || op == OP_ADD || op == OP_CLIP || op == OP_MUL ||
           op == OP_BATCHNORM;
}

/* The frame with the fewest moved elements; the node's own is what others must beat, or equal where that helps. */
static bool choose_frame(const struct layout *l, const struct node *n, struct frame *best)
{
    int least = cost_of_frame(l, n, NULL);
    bool found = false;
    for (int k = 0; k < (n->op == OP_BATCHNORM ? 1 : n->n_in); k++) {
        struct frame f;
        if (n->in[k] < 0 || !frame_of_input(l, n, k, &f))
            continue;
        int cost = cost_of_frame(l, n, &f);
        bool joins = l->uses[n->in[k]] == 1 && can_join(l, n, view_of(&l->v, n->in[k]).base);
        if (cost < least || (!found && joins && cost == least)) {
            *best = f;
            found = true;
            least = cost;
        }
    }
    return found;
}

/* Parameters per axis, in the frame's order. */
static void turn_params(struct node *n, const struct frame *f, int rank)
{
    struct node was = *n;
    if (n->op == OP_SOFTMAX || n->op == OP_CONCAT)
        n->axis = f->map[n->axis];
    for (int i = 0; i < f->rank; i++) {
        n->pads_begin[i] = n->pads_end[i] = n->begin[i] = 0;
        n->step[i] = 1;
    }
    for (int i = 0; i < rank; i++) {
        if (f->map[i] < 0)
            continue;
        n->pads_begin[f->map[i]] = was.pads_begin[i];
        n->pads_end[f->map[i]] = was.pads_end[i];
        n->begin[f->map[i]] = was.begin[i];
        n->step[f->map[i]] = was.step[i];
    }
}

/* Output 0 of n becomes a view x of a new tensor of that shape, which n makes instead. */
static int divert_output(struct layout *l, struct node *n, struct view *x, const struct shape *shape)
{
    struct build *b = l->b;
    struct tensor t = b->tensors[n->out[0]];
    const struct source s = {.name = n->name};
    int made = build_tensor(b, &s, arena_printf(&b->arena, "%s.moved", t.name), t.type, shape);
    if (made < 0)
        return -1;
    t.name = b->tensors[made].name;
    t.shape = *shape;
    b->tensors[made] = t;
    x->base = made;
    view_set(&l->v, n->out[0], x);
    n->out[0] = made;
    build_append(b, n);
    return 0;
}

static int run_in_frame(struct layout *l, struct node *n, const struct frame *f)
{
    const struct shape out = *shape_of(l, n->out[0]);
    struct view x = view_of(&l->v, n->in[f->lead]);
    int n_in = n->op == OP_BATCHNORM ? 1 : n->n_in;
    for (int k = 0; k < n_in; k++) {
        if (!shape_of(l, n->in[k])->n)
            continue;
        struct view y = operand_view(l, n->in[k], out.n, f);
        if (view_of(&l->v, y.base).base != y.base) /* a flat view: first as the file has it */
            y.base = views_make_tensor(&l->v, y.base);
        n->in[k] = y.base < 0 ? -1 : views_make(&l->v, &y, &y.mid, -1);
        if (n->in[k] < 0)
            return -1;
    }
    struct shape turned = {.n = f->rank};
    for (int i = 0; i < f->rank; i++)
        turned.d[i] = 1;
    for (int i = 0; i < out.n; i++)
        if (f->map[i] >= 0)
            turned.d[f->map[i]] = out.d[i];
    turn_params(n, f, out.n);
    x.mid = out;
    return divert_output(l, n, &x, &turned);
}

/* The input's base instead of the input: the output is then what the input was. */
static int run_on_base(struct layout *l, struct node *n, int k)
{
    struct build *b = l->b;
    struct view x = view_of(&l->v, n->in[k]);
    const struct shape shape = *shape_of(l, x.base), scalar = {0};
    for (int i = 0; i < n->n_in; i++)
        if (i != k && n->in[i] >= 0 && shape_of(l, n->in[i])->n > shape.n) { /* would add dimensions */
            const struct view number = {.base = n->in[i]};
            n->in[i] = views_make(&l->v, &number, &scalar, -1);
            if (n->in[i] < 0)
                return -1;
        }
    n->in[k] = x.base;
    if (b->tensors[x.base].type != DTYPE_F32)
        return build_fail(b, &(const struct source){.name = n->name}, "its input is not float");
    return divert_output(l, n, &x, &shape);
}

/* A view that only reshapes costs nothing later; one that moves elements is best left to readers that undo it. */
static bool sinks_below(const struct layout *l, const struct node *n, int k)
{
    int t = n->in[k];
    const struct view x = view_of(&l->v, t);
    const struct shape *s = shape_of(l, t);
    if (x.base == t || l->b->tensors[x.base].data)
        return false;
    struct frame f = {.rank = x.mid.n};
    memcpy(f.map, x.map, sizeof f.map);
    int own = views_costs(&l->v, &x, s) + cost_after(l, n->out[0], NULL);
    int sunk = view_is_flat(&x, s) ? !view_in_order(&x) : cost_after(l, n->out[0], &f);
    return sunk < own || (sunk == own && l->uses[t] == 1 && (!own || can_join(l, n, x.base)));
}

/* A product over one row does not care for the order of that row: its columns are moved here and now. */
static int turn_columns(struct layout *l, struct node *n)
{
    struct build *b = l->b;
    struct view x = view_of(&l->v, n->in[0]);
    const struct shape row = *shape_of(l, n->in[0]), ws = *shape_of(l, n->in[1]);
    if (view_in_order(&x) || shape_count(&row) != ws.d[1] || b->tensors[x.base].data)
        return 0;
    const struct source s = {.name = n->name};
    const struct shape base = *shape_of(l, x.base);
    const float *from = build_floats(b, n->in[1]);
    void *to;
    int w = build_constant(b, &s, b->tensors[n->in[1]].name, DTYPE_F32, &ws, &to);
    if (w < 0)
        return -1;
    int64_t stride[SHAPE_MAX];
    shape_strides(&base, stride);
    for (int64_t j = 0; j < ws.d[1]; j++) {
        int64_t at = 0, rest = j;
        for (int i = x.mid.n - 1; i >= 0; rest /= x.mid.d[i--])
            at += x.map[i] < 0 ? 0 : rest % x.mid.d[i] * stride[x.map[i]];
        for (int64_t o = 0; o < ws.d[0]; o++)
            ((float *)to)[o * ws.d[1] + at] = from[o * ws.d[1] + j];
    }
    static const int as_is[] = {0, 1};
    lattice_move(b, n->in[1], w, as_is, 1);
    build_replace(b, n, 1, w);
    build_pass_names(b, n, x.passed);
    x = view_of(&l->v, x.base);
    n->in[0] = views_make(&l->v, &x, &row, -1);
    return n->in[0] < 0 ? -1 : 0;
}

static int run_as_is(struct layout *l, struct node *n)
{
    for (int k = 0; k < n->n_in; k++) {
        if (n->in[k] < 0)
            continue;
        const struct view x = view_of(&l->v, n->in[k]);
        int t = views_make_tensor(&l->v, n->in[k]);
        if (t < 0)
            return -1;
        if (t == x.base) /* all that was on the way is gone */
            build_pass_names(l->b, n, x.passed);
        n->in[k] = t;
    }
    build_append(l->b, n);
    return 0;
}

/* A mover of the file: its output is a view from here on. */
static int defer(struct layout *l, const struct node *n)
{
    struct build *b = l->b;
    int t = n->in[0];
    struct view x = view_of(&l->v, t);
    if (n->op == OP_TRANSPOSE && view_is_flat(&x, shape_of(l, t))) {
        t = views_make_tensor(&l->v, t);
        if (t < 0)
            return -1;
        x = view_of_itself(&l->v, t);
    }
    x = n->op == OP_TRANSPOSE ? view_transposed(&x, shape_of(l, t)->n, n->perm)
                              : view_reshaped(&l->v, &x, shape_of(l, n->out[0]));
    if (!x.name || !n->helper) {
        x.name = n->name;
        x.type = n->op == OP_RESHAPE && strcmp(n->op_type, "Transpose") ? n->op_type : NULL;
        x.helper = n->helper;
    }
    if (!n->helper) {
        struct passed_name *passed = arena_new(&b->arena, 1, sizeof *passed);
        *passed = (struct passed_name){n->name, x.passed, false};
        x.passed = passed;
    }
    view_set(&l->v, n->out[0], &x);
    return 0;
}

static int walk_node(struct layout *l, struct node *n)
{
    struct frame f;
    int k;
    if ((n->op == OP_RESHAPE || n->op == OP_TRANSPOSE) && !l->b->tensors[n->in[0]].data)
        return defer(l, n);
    if (is_unary(l, n, &k)) {
        if (sinks_below(l, n, k))
            return run_on_base(l, n, k);
    } else if (has_frames(l, n) && choose_frame(l, n, &f)) {
        return run_in_frame(l, n, &f);
    }
    if (n->op == OP_GEMM && turn_columns(l, n))
        return -1;
    return run_as_is(l, n);
}

/* A graph output that is a view is made; when nothing is left to do, its base takes the name where it is free to. */
static int finish_outputs(struct layout *l)
{
    struct build *b = l->b;
    for (int i = 0; i < b->n_outputs; i++) {
        int t = b->outputs[i];
        const struct view x = view_of(&l->v, t);
        int made = views_make_tensor(&l->v, t);
        if (made < 0)
            return -1;
        if (made == t)
            continue;
        int producer = b->tensors[made].producer;
        bool taken = false;
        for (int k = 0; k < b->n_outputs; k++)
            taken |= b->outputs[k] == made;
        if (producer >= 0 && !taken) {
            b->tensors[made].name = b->tensors[t].name;
            b->outputs[i] = made;
            build_pass_names(b, &b->nodes[producer], x.passed);
        } else if (views_copy(&l->v, &x, made, t) < 0) {
            return -1;
        }
    }
    return 0;
}

int passes_layout(struct build *b)
{
    struct layout l = {.b = b, .n_tensors = b->n_tensors, .uses = build_count_uses(b)};
    struct node *nodes = b->nodes;
    int n = b->n_nodes, rc = 0;
    l.wants = mem_new((size_t)b->n_tensors, sizeof *l.wants);
    views_init(&l.v, b);
    collect_wants(&l);
    b->nodes = NULL;
    b->n_nodes = b->cap_nodes = 0;
    for (int i = 0; i < n && !rc; i++)
        if (nodes[i].op != OP_COUNT)
            rc = walk_node(&l, &nodes[i]);
    rc = rc ? rc : finish_outputs(&l);
    views_done(&l.v);
    mem_free(nodes);
    mem_free(l.wants);
    mem_free(l.uses);
    return rc;
}
