/* SPDX-License-Identifier: MIT
 *
 * Operators that move a window over height and width. One spatial dimension is run as two with a height of 1.
 */
#include <string.h>

#include "model/lattice.h"
#include "model/lower.h"
#include "ops/window.h"

enum { SIDE_LIMIT = 1 << 20 }; /* kernel, stride, dilation, padding: keeps every product far inside 64 bits */

struct side { /* one spatial axis */
    int64_t in, kernel, stride, dilation, begin, end, out;
};

static int64_t extent(const struct side *a)
{
    return (a->kernel - 1) * a->dilation + 1;
}

/* Attribute with one value per spatial axis, into the given field of both sides; rank 1 fills the second. */
static int read_sides(struct build *b, const struct source *s, const char *attr, int rank, int64_t *h, int64_t *w)
{
    int64_t v[2] = {1, 1};
    int n;
    if (build_int_list(b, s, attr, -1, 2, v, &n))
        return -1;
    if (n >= 0 && n != rank)
        return build_fail(b, s, "%s has %d values for %d spatial dimensions", attr, n, rank);
    for (int i = 0; i < n; i++)
        if (v[i] < 1 || v[i] > SIDE_LIMIT)
            return build_fail(b, s, "%s holds %lld", attr, (long long)v[i]);
    *h = rank == 2 ? v[0] : 1;
    *w = rank == 2 ? v[1] : v[0];
    return 0;
}

static int read_pads(struct build *b, const struct source *s, int rank, struct side side[2])
{
    int64_t v[4] = {0};
    int n;
    if (build_int_list(b, s, "pads", -1, 4, v, &n))
        return -1;
    if (n >= 0 && n != 2 * rank)
        return build_fail(b, s, "pads has %d values for %d spatial dimensions", n, rank);
    for (int i = 0; i < n; i++)
        if (v[i] < 0 || v[i] > SIDE_LIMIT)
            return build_fail(b, s, "pads holds %lld", (long long)v[i]);
    for (int i = 0; i < rank; i++) {
        side[2 - rank + i].begin = v[i];
        side[2 - rank + i].end = v[rank + i];
    }
    return 0;
}

/* Output size and final padding of one side. Rounding up adds padding at the end, as far as a window that begins inside
 * the input needs it. */
static int resolve_side(struct build *b, const struct source *s, struct side *a, const char *auto_pad, bool ceil_mode)
{
    if (strcmp(auto_pad, "VALID") == 0) {
        a->begin = a->end = 0;
    } else if (strncmp(auto_pad, "SAME_", 5) == 0) {
        int64_t need = ((a->in + a->stride - 1) / a->stride - 1) * a->stride + extent(a) - a->in;
        need = need > 0 ? need : 0;
        a->begin = strcmp(auto_pad, "SAME_LOWER") == 0 ? need - need / 2 : need / 2;
        a->end = need - a->begin;
    }
    int64_t room = a->in + a->begin + a->end - extent(a);
    if (room < 0)
        return build_fail(b, s, "a window of %lld does not fit into %lld", (long long)extent(a),
                          (long long)(a->in + a->begin + a->end));
    a->out = room / a->stride + 1;
    if (ceil_mode && room % a->stride && a->out * a->stride < a->in + a->begin) {
        a->end += a->stride - room % a->stride;
        a->out++;
    }
    return 0;
}

/* kernel is the weights' kernel height and width, or NULL when kernel_shape must say. in: height and width. */
static int read_window(struct build *b, const struct source *s, int rank, const int64_t in[2], const int64_t *kernel,
                       struct window *w, int64_t out[2])
{
    struct side side[2] = {{.in = in[0]}, {.in = in[1]}};
    const char *auto_pad = build_attr_string(b, s, "auto_pad", "NOTSET");
    int64_t ceil_mode = build_attr_int(b, s, "ceil_mode", 0);
    static const char *const modes[] = {"NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"};
    bool known = false;
    for (int i = 0; i < 4; i++)
        known |= strcmp(auto_pad, modes[i]) == 0;
    if (!known)
        return build_fail(b, s, "auto_pad %s is not supported", onnx_name_show(&b->arena, auto_pad));
    bool given = build_attr(b, s, "kernel_shape", ATTR_INTS);
    if (!kernel && !given)
        return build_fail(b, s, "kernel_shape is missing");
    if (read_sides(b, s, "kernel_shape", rank, &side[0].kernel, &side[1].kernel) ||
        read_sides(b, s, "strides", rank, &side[0].stride, &side[1].stride) ||
        read_sides(b, s, "dilations", rank, &side[0].dilation, &side[1].dilation) || read_pads(b, s, rank, side))
        return -1;
    for (int i = 0; i < 2; i++) {
        if (kernel && given && side[i].kernel != kernel[i])
            return build_fail(b, s, "kernel_shape differs from the shape of the weights");
        side[i].kernel = kernel ? kernel[i] : side[i].kernel;
        if (resolve_side(b, s, &side[i], auto_pad, ceil_mode))
            return -1;
        out[i] = side[i].out;
    }
    *w = (struct window){(int)side[0].kernel,
                         (int)side[1].kernel,
                         (int)side[0].stride,
                         (int)side[1].stride,
                         (int)side[0].dilation,
                         (int)side[1].dilation,
                         (int)side[0].begin,
                         (int)side[1].begin,
                         (int)side[0].end,
                         (int)side[1].end,
                         0};
    return 0;
}

/* x as [1][c][h][w]: *x itself, or a step with h = 1. *rank is the number of spatial dimensions. */
static int lift_input(struct build *b, const struct source *s, int *x, int *rank)
{
    struct shape sh = b->tensors[*x].shape;
    if (sh.n != 3 && sh.n != 4)
        return build_fail(b, s, "operator %s on shape %s is not supported, only 1x(channels)x(height)x(width)",
                          s->node->op_type, shape_show(&b->arena, &sh));
    if (sh.d[0] != 1)
        return build_fail(b, s, "a batch of %lld is not supported here", (long long)sh.d[0]);
    *rank = sh.n - 2;
    if (sh.n == 4)
        return 0;
    struct shape wide = {4, {1, sh.d[1], 1, sh.d[2]}};
    return build_reshape_step(b, s, *x, &wide, "2d", x);
}

/* Appends the windowed node, and takes the height of 1 away again where there was none. */
static int add_window_node(struct build *b, const struct source *s, enum op op, int n_in, const int *in, int rank,
                           const struct shape *out, const struct window *w, int groups)
{
    int y;
    if (build_node(b, s, op, n_in, in, out, rank == 1 ? "window" : NULL, &y))
        return -1;
    struct node *n = &b->nodes[b->n_nodes - 1];
    n->name = s->name;
    n->helper = false;
    n->window = *w;
    n->groups = groups;
    struct shape flat = {3, {1, out->d[1], out->d[3]}};
    return rank == 1 ? build_reshape_back(b, s, y, &flat) : 0;
}

int lower_conv(struct build *b, const struct source *s)
{
    int in[3] = {s->in[0], s->in[1], build_in(s, 2)}, rank;
    struct shape ws = b->tensors[in[1]].shape;
    int64_t groups = build_attr_int(b, s, "group", 1), hw[2];
    struct window w;
    if (lift_input(b, s, &in[0], &rank))
        return -1;
    struct shape xs = b->tensors[in[0]].shape;
    if (!build_floats(b, in[1]) || (in[2] >= 0 && !build_floats(b, in[2])))
        return build_fail(b, s, "weights and bias must be constants");
    if (ws.n != rank + 2 || shape_count(&ws) == 0)
        return build_fail(b, s, "weights of shape %s do not fit an input of shape %s", shape_show(&b->arena, &ws),
                          shape_show(&b->arena, &b->tensors[s->in[0]].shape));
    if (rank == 1) {
        ws = (struct shape){4, {ws.d[0], ws.d[1], 1, ws.d[2]}};
        if (build_reshape_step(b, s, in[1], &ws, "weights", &in[1]))
            return -1;
    }
    if (groups < 1 || xs.d[1] % groups || ws.d[0] % groups || xs.d[1] / groups != ws.d[1])
        return build_fail(b, s, "weights of shape %s and group %lld do not fit %lld input channels",
                          shape_show(&b->arena, &ws), (long long)groups, (long long)xs.d[1]);
    if (ws.d[2] > SIDE_LIMIT || ws.d[3] > SIDE_LIMIT)
        return build_fail(b, s, "weights of shape %s are not supported", shape_show(&b->arena, &ws));
    if (in[2] >= 0 && (b->tensors[in[2]].shape.n != 1 || b->tensors[in[2]].shape.d[0] != ws.d[0]))
        return build_fail(b, s, "a bias of shape %s does not fit %lld output channels",
                          shape_show(&b->arena, &b->tensors[in[2]].shape), (long long)ws.d[0]);
    if (read_window(b, s, rank, &xs.d[2], &ws.d[2], &w, hw))
        return -1;
    struct shape out = {4, {1, ws.d[0], hw[0], hw[1]}};
    return add_window_node(b, s, OP_CONV, 3, in, rank, &out, &w, (int)groups);
}

/* Weights [cin][cout/groups][h][w] of a transposed convolution as [cout][cin/groups][h][w], a new constant. */
static int exchange_channels(struct build *b, const struct source *s, int w, int64_t groups, int *out)
{
    struct shape ws = b->tensors[w].shape;
    int64_t cin = ws.d[0] / groups, cout = ws.d[1], taps = ws.d[2] * ws.d[3];
    struct shape to = {4, {cout * groups, cin, ws.d[2], ws.d[3]}};
    const float *from = build_floats(b, w);
    void *data;
    *out = build_constant(b, s, b->tensors[w].name, DTYPE_F32, &to, &data);
    for (int64_t o = 0; *out >= 0 && o < cout * groups; o++)
        for (int64_t i = 0; i < cin; i++)
            memcpy((float *)data + (o * cin + i) * taps, from + ((o / cout * cin + i) * cout + o % cout) * taps,
                   (size_t)taps * sizeof *from);
    static const int exchanged[] = {1, 0, 2, 3};
    if (*out >= 0 && groups == 1)
        lattice_move(b, w, *out, exchanged, 1);
    return *out < 0 ? -1 : 0;
}

int lower_conv_transpose(struct build *b, const struct source *s)
{
    int in[3] = {s->in[0], s->in[1], build_in(s, 2)}, rank;
    struct shape ws = b->tensors[in[1]].shape, out = s->call->out[0].shape;
    int64_t groups = build_attr_int(b, s, "group", 1);
    struct op_window v;
    if (lift_input(b, s, &in[0], &rank) || op_window_transposed(s->call, &v, b->e))
        return -1;
    if (!build_floats(b, in[1]) || shape_count(&ws) == 0 || (in[2] >= 0 && !build_floats(b, in[2])))
        return build_fail(b, s, "weights and bias must be constants");
    int side[2][4] = {{1, 1, 1, 0}, {1, 1, 1, 0}}; /* kernel, stride, dilation, padding of height and width */
    for (int i = 0; i < rank; i++) {
        int64_t of[4] = {v.kernel[i], v.stride[i], v.dilation[i], v.begin[i]};
        for (int k = 0; k < 4; k++) {
            if (of[k] > SIDE_LIMIT)
                return build_fail(b, s, "a window of %lld is not supported", (long long)of[k]);
            side[2 - rank + i][k] = (int)of[k];
        }
    }
    if (rank == 1) {
        ws = (struct shape){4, {ws.d[0], ws.d[1], 1, ws.d[2]}};
        out = (struct shape){4, {1, out.d[1], 1, out.d[2]}};
        if (build_reshape_step(b, s, in[1], &ws, "weights", &in[1]))
            return -1;
    }
    struct window w = {.kh = side[0][0],
                       .kw = side[1][0],
                       .stride_h = side[0][1],
                       .stride_w = side[1][1],
                       .dilation_h = side[0][2],
                       .dilation_w = side[1][2],
                       .pad_top = side[0][3],
                       .pad_left = side[1][3]};
    if (exchange_channels(b, s, in[1], groups, &in[1]))
        return -1;
    return add_window_node(b, s, OP_CONV_TRANSPOSE, 3, in, rank, &out, &w, (int)groups);
}

static int import_pool(struct build *b, const struct source *s, enum op op)
{
    int x = s->in[0], rank;
    int64_t hw[2];
    struct window w;
    if (lift_input(b, s, &x, &rank))
        return -1;
    struct shape xs = b->tensors[x].shape;
    if (read_window(b, s, rank, &xs.d[2], NULL, &w, hw))
        return -1;
    int eh = (w.kh - 1) * w.dilation_h + 1, ew = (w.kw - 1) * w.dilation_w + 1;
    if (w.pad_top >= eh || w.pad_bottom >= eh || w.pad_left >= ew || w.pad_right >= ew)
        return build_fail(b, s, "padding as large as the window is not supported");
    if (op == OP_AVERAGE_POOL) {
        if (w.dilation_h != 1 || w.dilation_w != 1)
            return build_fail(b, s, "dilations are not supported in AveragePool");
        w.count_include_pad = build_attr_int(b, s, "count_include_pad", 0) != 0;
        if (w.count_include_pad && build_attr_int(b, s, "ceil_mode", 0))
            return build_fail(b, s, "ceil_mode together with count_include_pad is not supported");
    }
    struct shape out = {4, {1, xs.d[1], hw[0], hw[1]}};
    if (w.kh * w.kw == 1 && shape_equal(&xs, &out)) /* no padding: it is less than the window */
        return build_reshape(b, s, s->in[0], &b->tensors[s->in[0]].shape);
    return add_window_node(b, s, op, 1, &x, rank, &out, &w, 1);
}

int lower_max_pool(struct build *b, const struct source *s)
{
    return import_pool(b, s, OP_MAX_POOL);
}

int lower_average_pool(struct build *b, const struct source *s)
{
    return import_pool(b, s, OP_AVERAGE_POOL);
}

int lower_global_average_pool(struct build *b, const struct source *s)
{
    int x = s->in[0], rank;
    if (lift_input(b, s, &x, &rank))
        return -1;
    struct window none = {0};
    struct shape out = {4, {1, b->tensors[x].shape.d[1], 1, 1}};
    return add_window_node(b, s, OP_GLOBAL_AVERAGE_POOL, 1, &x, rank, &out, &none, 1);
}

int lower_global_max_pool(struct build *b, const struct source *s)
{
    int x = s->in[0], rank;
    if (lift_input(b, s, &x, &rank))
        return -1;
    struct shape xs = b->tensors[x].shape, out = {4, {1, xs.d[1], 1, 1}};
    if (xs.d[2] > SIDE_LIMIT || xs.d[3] > SIDE_LIMIT)
        return build_fail(b, s, "an image of shape %s is not supported", shape_show(&b->arena, &xs));
    struct window all = {(int)xs.d[2], (int)xs.d[3], 1, 1, 1, 1, 0, 0, 0, 0, 0};
    return add_window_node(b, s, OP_MAX_POOL, 1, &x, rank, &out, &all, 1);
}

/* x [1][h][w][c] as [1][c][h][w]: passes_layout.c finds the Transpose that came before. */
static int channels_first(struct build *b, const struct source *s, int *x)
{
    struct shape xs = b->tensors[*x].shape, to = {xs.n, {xs.d[0], xs.d[xs.n - 1]}};
    for (int i = 2; i < xs.n; i++)
        to.d[i] = xs.d[i - 1];
    if (build_node(b, s, OP_TRANSPOSE, 1, x, &to, "channels_first", x))
        return -1;
    int *perm = b->nodes[b->n_nodes - 1].perm;
    perm[0] = 0;
    perm[1] = xs.n - 1;
    for (int i = 2; i < xs.n; i++)
        perm[i] = i - 1;
    return 0;
}

/* The mean over all spatial dimensions, which is what networks use it for; in NHWC models these are 1 and 2. */
int lower_reduce_mean(struct build *b, const struct source *s)
{
    int64_t axes[SHAPE_MAX];
    int n, x = s->in[0], rank, y;
    const struct shape xs = b->tensors[x].shape;
    if (build_int_list(b, s, "axes", 1, SHAPE_MAX, axes, &n))
        return -1;
    unsigned seen = 0;
    for (int i = 0; i < n; i++) {
        int axis;
        if (build_axis(b, s, axes[i], xs.n, &axis))
            return -1;
        seen |= 1u << axis;
    }
    bool last = seen == (xs.n == 4 ? 0x6u : 0x2u);
    if (xs.n < 3 || xs.n > 4 || xs.d[0] != 1 || (!last && seen != (xs.n == 4 ? 0xcu : 0x4u)))
        return build_fail(b, s, "ReduceMean is only supported over height and width");
    if ((last && channels_first(b, s, &x)) || lift_input(b, s, &x, &rank))
        return -1;
    int64_t c = last ? xs.d[xs.n - 1] : xs.d[1];
    struct shape pooled = {4, {1, c, 1, 1}}, to = {2, {1, c}};
    if (build_attr_int(b, s, "keepdims", 1)) {
        to = (struct shape){xs.n, {1, 1, 1, 1}};
        to.d[last ? xs.n - 1 : 1] = c;
    }
    if (shape_equal(&pooled, &to))
        return build_node(b, s, OP_GLOBAL_AVERAGE_POOL, 1, &x, &pooled, NULL, NULL);
    if (build_node(b, s, OP_GLOBAL_AVERAGE_POOL, 1, &x, &pooled, "mean", &y))
        return -1;
    return build_reshape(b, s, y, &to);
}
