/* SPDX-License-Identifier: MIT */
#include "model/views.h"

#include <math.h>
#include <string.h>

struct made_view {
    struct view x;
    int tensor, next;
};

void views_init(struct views *v, struct build *b)
{
    *v = (struct views){.b = b};
}

void views_done(struct views *v)
{
    mem_free(v->of);
    mem_free(v->first);
    mem_free(v->made);
}

/* Room for every tensor that is there by now. */
static void grow(struct views *v)
{
    if (v->b->n_tensors <= v->cap)
        return;
    int cap = v->b->cap_tensors;
    v->of = mem_resize(v->of, (size_t)v->cap, (size_t)cap, sizeof *v->of);
    v->first = mem_resize(v->first, (size_t)v->cap, (size_t)cap, sizeof *v->first);
    for (int i = v->cap; i < cap; i++)
        v->of[i].base = v->first[i] = -1;
    v->cap = cap;
}

struct view view_of_itself(const struct views *v, int tensor)
{
    struct view x = {.base = tensor, .mid = v->b->tensors[tensor].shape};
    for (int i = 0; i < x.mid.n; i++)
        x.map[i] = i;
    return x;
}

struct view view_of(const struct views *v, int tensor)
{
    return tensor < v->cap && v->of[tensor].base >= 0 ? v->of[tensor] : view_of_itself(v, tensor);
}

void view_set(struct views *v, int tensor, const struct view *x)
{
    grow(v);
    v->of[tensor] = *x;
}

bool view_in_order(const struct view *x)
{
    int last = -1;
    for (int i = 0; i < x->mid.n; i++) {
        if (x->mid.d[i] == 1)
            continue;
        if (x->map[i] < last)
            return false;
        last = x->map[i];
    }
    return true;
}

bool view_is_flat(const struct view *x, const struct shape *shape)
{
    return !shape_equal(&x->mid, shape);
}

/* The axes longer than 1, in their order: the same for views that show the same but for their shape. */
static bool same_order(const struct view *x, const struct view *y)
{
    int i = 0, k = 0;
    for (;; i++, k++) {
        while (i < x->mid.n && x->mid.d[i] == 1)
            i++;
        while (k < y->mid.n && y->mid.d[k] == 1)
            k++;
        if (i == x->mid.n || k == y->mid.n)
            return i == x->mid.n && k == y->mid.n;
        if (x->map[i] != y->map[k])
            return false;
    }
}

static int find_made(const struct views *v, const struct view *x, const struct shape *shape)
{
    for (int i = x->base < v->cap ? v->first[x->base] : -1; i >= 0; i = v->made[i].next)
        if (shape_equal(&v->b->tensors[v->made[i].tensor].shape, shape) && same_order(&v->made[i].x, x))
            return v->made[i].tensor;
    return -1;
}

static void keep_made(struct views *v, const struct view *x, int tensor)
{
    grow(v);
    if (v->n_made == v->cap_made) {
        int cap = v->cap_made ? 2 * v->cap_made : 64;
        v->made = mem_resize(v->made, (size_t)v->cap_made, (size_t)cap, sizeof *v->made);
        v->cap_made = cap;
    }
    v->made[v->n_made] = (struct made_view){*x, tensor, v->first[x->base]};
    v->first[x->base] = v->n_made++;
}

/* All axes of base in the order of the view: those that it drops stand where it has axes of 1 of its own, or last. */
static void full_perm(const struct view *x, int rank, int *perm)
{
    unsigned seen = 0;
    int n = 0, rest = 0;
    for (int i = 0; i < x->mid.n; i++)
        if (x->map[i] >= 0)
            seen |= 1u << x->map[i];
    for (int i = 0; i < x->mid.n && n < rank; i++) {
        while (rest < rank && seen & 1u << rest)
            rest++;
        if (x->map[i] >= 0)
            perm[n++] = x->map[i];
        else if (rest < rank)
            perm[n++] = rest++;
    }
    for (; n < rank; n++, rest++) {
        while (seen & 1u << rest)
            rest++;
        perm[n] = rest;
    }
}

/* x's constant base with its elements in the order of the view. */
static int make_constant(struct views *v, const struct view *x, const struct shape *shape)
{
    struct build *b = v->b;
    const struct tensor base = b->tensors[x->base];
    const struct source s = {.name = base.name};
    if (view_in_order(x))
        return build_alias(b, &s, base.name, x->base, shape);
    void *to;
    int t = build_constant(b, &s, base.name, base.type, shape, &to);
    if (t < 0)
        return -1;
    int64_t stride[SHAPE_MAX], at[SHAPE_MAX] = {0}, from = 0, n = shape_count(shape);
    for (int i = base.shape.n - 1, step = 1; i >= 0; step *= (int)base.shape.d[i--])
        stride[i] = step;
    size_t size = dtype_size(base.type);
    for (int64_t i = 0; i < n; i++) {
        memcpy((char *)to + (size_t)i * size, (const char *)base.data + (size_t)from * size, size);
        for (int k = x->mid.n - 1; k >= 0; k--) {
            int64_t step = x->map[k] < 0 ? 0 : stride[x->map[k]];
            from += step;
            if (++at[k] < x->mid.d[k])
                break;
            from -= step * at[k];
            at[k] = 0;
        }
    }
    return t;
}

/* Appends a Transpose (perm) or Reshape (NULL) of tensor `in`; its output is `as`, or a new tensor of that shape. */
static int add_mover(struct views *v, const struct view *x, int in, const int *perm, const struct shape *shape, int as)
{
    struct build *b = v->b;
    if (as < 0) {
        struct tensor t = b->tensors[in];
        const struct source s = {.name = t.name};
        as = build_tensor(b, &s, arena_printf(&b->arena, "%s.moved", t.name), t.type, shape);
        if (as < 0)
            return -1;
        t.name = b->tensors[as].name;
        t.shape = *shape;
        b->tensors[as] = t;
    }
    int *operands = arena_new(&b->arena, 2, sizeof *operands);
    operands[0] = in;
    operands[1] = as;
    struct node n = {.name = x->name ? x->name : b->tensors[as].name,
                     .op_type = perm      ? "Transpose"
                                : x->type ? x->type
                                          : "Reshape",
                     .op = perm ? OP_TRANSPOSE : OP_RESHAPE,
                     .helper = !x->name || x->helper,
                     .n_in = 1,
                     .n_out = 1,
                     .in = operands,
                     .out = operands + 1,
                     .groups = 1,
                     .act_lo = -INFINITY,
                     .act_hi = INFINITY};
    if (perm)
        memcpy(n.perm, perm, (size_t)shape->n * sizeof *perm);
    build_pass_names(b, build_append(b, &n), x->passed);
    return as;
}

int views_copy(struct views *v, const struct view *x, int made, int as)
{
    const struct shape shape = v->b->tensors[as].shape;
    return add_mover(v, x, made, NULL, &shape, as);
}

static int make_nodes(struct views *v, const struct view *x, const struct shape *shape, int as)
{
    const struct shape from = v->b->tensors[x->base].shape;
    if (view_in_order(x))
        return add_mover(v, x, x->base, NULL, shape, as);
    int perm[SHAPE_MAX];
    struct shape moved = {.n = from.n};
    full_perm(x, from.n, perm);
    for (int i = 0; i < from.n; i++)
        moved.d[i] = from.d[perm[i]];
    if (shape_equal(&moved, shape))
        return add_mover(v, x, x->base, perm, shape, as);
    int t = find_made(v, x, &moved);
    if (t < 0) {
        t = add_mover(v, x, x->base, perm, &moved, -1);
        if (t < 0)
            return -1;
        keep_made(v, x, t);
    }
    return add_mover(v, x, t, NULL, shape, as);
}

static bool is_base(const struct views *v, const struct view *x, const struct shape *shape)
{
    return view_in_order(x) && shape_equal(&v->b->tensors[x->base].shape, shape);
}

int views_make(struct views *v, const struct view *x, const struct shape *shape, int as)
{
    if (is_base(v, x, shape))
        return x->base;
    int t = find_made(v, x, shape);
    if (t >= 0)
        return t;
    t = v->b->tensors[x->base].data ? make_constant(v, x, shape) : make_nodes(v, x, shape, as);
    if (t >= 0)
        keep_made(v, x, t);
    return t;
}

int views_make_tensor(struct views *v, int tensor)
{
    const struct view x = view_of(v, tensor);
    const struct shape shape = v->b->tensors[tensor].shape;
    return x.base == tensor ? tensor : views_make(v, &x, &shape, tensor);
}

bool views_costs(const struct views *v, const struct view *x, const struct shape *shape)
{
    return !v->b->tensors[x->base].data && !view_in_order(x) && find_made(v, x, shape) < 0;
}

/* Both shapes are the same but for axes of 1: the axes of `to` in terms of x. */
static bool match_axes(const struct view *x, const struct shape *to, int *map)
{
    int k = 0;
    for (int i = 0; i < to->n; i++) {
        map[i] = -1;
        if (to->d[i] == 1) {
            if (k < x->mid.n && x->mid.d[k] == 1)
                map[i] = x->map[k++];
            continue;
        }
        while (k < x->mid.n && x->mid.d[k] == 1)
            k++;
        if (k == x->mid.n || x->mid.d[k] != to->d[i])
            return false;
        map[i] = x->map[k++];
    }
    while (k < x->mid.n && x->mid.d[k] == 1)
        k++;
    return k == x->mid.n;
}

struct view view_reshaped(const struct views *v, const struct view *x, const struct shape *to)
{
    struct view y = *x;
    int map[SHAPE_MAX];
    if (view_in_order(x)) { /* reshaped twice: what was in between does not matter */
        y.mid = v->b->tensors[x->base].shape;
        for (int i = 0; i < y.mid.n; i++)
            y.map[i] = i;
    }
    if (match_axes(&y, to, map)) {
        y.mid = *to;
        memcpy(y.map, map, sizeof map);
    }
    return y;
}

struct view view_transposed(const struct view *x, int rank, const int *perm)
{
    struct view y = *x;
    for (int i = 0; i < rank; i++) {
        y.mid.d[i] = x->mid.d[perm[i]];
        y.map[i] = x->map[perm[i]];
    }
    return y;
}
