/* SPDX-License-Identifier: MIT
 *
 * Elements as they are, in other places: transposed, joined, cut, repeated.
 */
#include <limits.h>
#include <string.h>

#include "base/num.h"
#include "ops/op.h"
#include "ops/strided.h"

static char *bytes_at(const struct array *a, int64_t element)
{
    return (char *)a->data + element * (int64_t)dtype_size(a->type);
}

static int read_perm(const struct op_call *c, int *perm, struct err *e)
{
    const struct attr *a = op_attr(c, "perm", ATTR_INTS);
    int n = c->in[0].shape.n;
    unsigned seen = 0;
    if (a && (int)a->n != n)
        return err_set(e, "perm has %zu values for %d dimensions", a->n, n);
    for (int i = 0; i < n; i++) {
        int64_t axis = a ? a->ints[i] : n - 1 - i;
        if (axis < 0 || axis >= n || seen & 1u << axis)
            return err_set(e, "perm is not an order of %d dimensions", n);
        seen |= 1u << axis;
        perm[i] = (int)axis;
    }
    return 0;
}

static int infer_Transpose(struct op_call *c, struct err *e)
{
    int perm[SHAPE_MAX];
    struct shape to = c->in[0].shape;
    if (read_perm(c, perm, e))
        return -1;
    for (int i = 0; i < to.n; i++)
        to.d[i] = c->in[0].shape.d[perm[i]];
    return op_output(c, 0, c->in[0].type, &to, e);
}

static const char *run_Transpose(const struct op_call *c)
{
    int perm[SHAPE_MAX];
    int64_t own[SHAPE_MAX], from[SHAPE_MAX], to[SHAPE_MAX];
    struct err unused;
    if (read_perm(c, perm, &unused))
        return "perm is not an order";
    shape_strides(&c->in[0].shape, own);
    shape_strides(&c->out[0].shape, to);
    for (int i = 0; i < c->in[0].shape.n; i++)
        from[i] = own[perm[i]];
    strided_copy(&c->out[0].shape, dtype_size(c->in[0].type), c->in[0].data, from, c->out[0].data, to);
    return NULL;
}

static int infer_Concat(struct op_call *c, struct err *e)
{
    struct shape to = c->in[0].shape;
    int axis;
    if (op_axis(op_attr_int(c, "axis", 1), to.n, &axis, e))
        return -1;
    to.d[axis] = 0;
    for (int k = 0; k < c->n_in; k++) {
        if (!op_has(c, k))
            return err_set(e, "input %d is missing", k);
        struct shape rest = c->in[k].shape;
        int64_t d = rest.n == to.n ? rest.d[axis] : 0;
        rest.d[axis] = to.d[axis];
        if (!shape_equal(&rest, &to) || c->in[k].type != c->in[0].type)
            return err_set(e, "input %d does not fit the others", k);
        to.d[axis] += d;
    }
    return op_output(c, 0, c->in[0].type, &to, e);
}

static const char *run_Concat(const struct op_call *c)
{
    int axis;
    int64_t to[SHAPE_MAX], from[SHAPE_MAX], at = 0;
    struct err unused;
    if (op_axis(op_attr_int(c, "axis", 1), c->in[0].shape.n, &axis, &unused))
        return "no such axis";
    shape_strides(&c->out[0].shape, to);
    for (int k = 0; k < c->n_in; k++) {
        shape_strides(&c->in[k].shape, from);
        strided_copy(&c->in[k].shape, dtype_size(c->in[k].type), c->in[k].data, from,
                     bytes_at(&c->out[0], at * to[axis]), to);
        at += c->in[k].shape.d[axis];
    }
    return NULL;
}

/* Parts: by attribute or input, or as equal as they can be. */
static int infer_Split(struct op_call *c, struct err *e)
{
    enum { PARTS = 4096 };
    int64_t parts[PARTS], sum = 0;
    int axis, n, rc;
    if (op_axis(op_attr_int(c, "axis", 0), c->in[0].shape.n, &axis, e))
        return -1;
    if ((rc = op_int_list(c, "split", 1, PARTS, parts, &n, e)))
        return rc;
    int64_t d = c->in[0].shape.d[axis], outs = op_attr_int(c, "num_outputs", c->n_out);
    if (n < 0) {
        if (outs < 1 || outs > PARTS || outs < c->n_out)
            return err_set(e, "%lld parts", (long long)outs);
        int64_t each = (d + outs - 1) / outs;
        n = (int)outs;
        for (int i = 0; i < n; i++) {
            parts[i] = i + 1 < n ? each : d - each * (n - 1);
            if (parts[i] < 0)
                return err_set(e, "%lld does not split into %d parts", (long long)d, n);
        }
    }
    for (int i = 0; i < n; i++)
        sum = parts[i] < 0 || sum > d ? -1 : sum + parts[i];
    if (n < c->n_out || sum != d)
        return err_set(e, "%d parts with %lld in all, of %lld", n, (long long)sum, (long long)d);
    for (int i = 0; i < c->n_out; i++) {
        struct shape to = c->in[0].shape;
        to.d[axis] = parts[i];
        if (op_output(c, i, c->in[0].type, &to, e))
            return -1;
    }
    return 0;
}

static const char *run_Split(const struct op_call *c)
{
    int axis;
    int64_t to[SHAPE_MAX], from[SHAPE_MAX], at = 0;
    struct err unused;
    if (op_axis(op_attr_int(c, "axis", 0), c->in[0].shape.n, &axis, &unused))
        return "no such axis";
    shape_strides(&c->in[0].shape, from);
    for (int k = 0; k < c->n_out; k++) {
        shape_strides(&c->out[k].shape, to);
        strided_copy(&c->out[k].shape, dtype_size(c->in[0].type), bytes_at(&c->in[0], at * from[axis]), from,
                     c->out[k].data, to);
        at += c->out[k].shape.d[axis];
    }
    return NULL;
}

struct slice { /* per axis */
    int64_t begin[SHAPE_MAX], step[SHAPE_MAX];
    struct shape to;
};

static int64_t from_end(int64_t v, int64_t d)
{
    return v < 0 ? (v < -d ? -1 : v + d) : v;
}

/* Negative positions count from the end, then all is clamped. Returns how many elements are taken. */
static int64_t slice_axis(int64_t d, int64_t start, int64_t end, int64_t step, int64_t *begin)
{
    bool down = step < 0;
    int64_t first = from_end(start, d), last = from_end(end, d);
    first = clamp_i64(first, 0, down ? d - 1 : d);
    last = clamp_i64(last, down ? -1 : 0, down ? d - 1 : d);
    *begin = first;
    int64_t way = down ? first - last : last - first, stride = down ? -step : step;
    return d == 0 || way <= 0 ? 0 : (way - 1) / stride + 1;
}

static int read_slice(struct op_call *c, struct slice *s, struct err *e)
{
    int64_t starts[SHAPE_MAX], ends[SHAPE_MAX], axes[SHAPE_MAX], steps[SHAPE_MAX];
    int n, n_ends, n_axes, n_steps, axis, rc;
    if ((rc = op_int_list(c, "starts", 1, SHAPE_MAX, starts, &n, e)) ||
        (rc = op_int_list(c, "ends", 2, SHAPE_MAX, ends, &n_ends, e)) ||
        (rc = op_int_list(c, "axes", 3, SHAPE_MAX, axes, &n_axes, e)) ||
        (rc = op_int_list(c, "steps", 4, SHAPE_MAX, steps, &n_steps, e)))
        return rc;
    s->to = c->in[0].shape;
    if (n < 0 || n_ends != n || (n_axes >= 0 && n_axes != n) || (n_steps >= 0 && n_steps != n) || n > s->to.n)
        return err_set(e, "starts, ends, axes and steps differ in length");
    for (int i = 0; i < SHAPE_MAX; i++) {
        s->begin[i] = 0;
        s->step[i] = 1;
    }
    for (int i = 0; i < n; i++) {
        if (op_axis(n_axes < 0 ? i : axes[i], s->to.n, &axis, e))
            return -1;
        int64_t step = n_steps < 0 ? 1 : steps[i];
        if (step == 0)
            return err_set(e, "a step of 0");
        s->step[axis] = clamp_i64(step, -INT_MAX, INT_MAX); /* longer than any axis all the same */
        s->to.d[axis] = slice_axis(c->in[0].shape.d[axis], starts[i], ends[i], s->step[axis], &s->begin[axis]);
    }
    return 0;
}

static int infer_Slice(struct op_call *c, struct err *e)
{
    struct slice s;
    int rc = read_slice(c, &s, e);
    return rc ? rc : op_output(c, 0, c->in[0].type, &s.to, e);
}

static const char *run_Slice(const struct op_call *c)
{
    struct slice s;
    struct err unused;
    struct op_call copy = *c;
    int64_t own[SHAPE_MAX], from[SHAPE_MAX], to[SHAPE_MAX], at = 0;
    if (read_slice(&copy, &s, &unused) || !shape_equal(&s.to, &c->out[0].shape))
        return "its parameters are not those that it was planned with";
    shape_strides(&c->in[0].shape, own);
    shape_strides(&c->out[0].shape, to);
    for (int i = 0; i < s.to.n; i++) {
        at += s.begin[i] * own[i];
        from[i] = s.step[i] * own[i];
    }
    if (shape_count(&s.to))
        strided_copy(&s.to, dtype_size(c->in[0].type), bytes_at(&c->in[0], at), from, c->out[0].data, to);
    return NULL;
}

static int infer_Expand(struct op_call *c, struct err *e)
{
    struct shape to = {0};
    int rc = op_int_list(c, "shape", 1, SHAPE_MAX, to.d, &to.n, e);
    if (rc)
        return rc;
    if (to.n < 0 || shape_broadcast(&c->in[0].shape, &to, &to))
        return err_set(e, "its input does not broadcast to that shape");
    return op_output(c, 0, c->in[0].type, &to, e);
}

static const char *run_Expand(const struct op_call *c)
{
    const struct shape *s = &c->in[0].shape, *out = &c->out[0].shape;
    int64_t own[SHAPE_MAX], from[SHAPE_MAX], to[SHAPE_MAX];
    shape_strides(s, own);
    shape_strides(out, to);
    for (int i = 0; i < out->n; i++) {
        int k = i - (out->n - s->n);
        from[i] = k < 0 || s->d[k] == 1 ? 0 : own[k];
    }
    strided_copy(out, dtype_size(c->in[0].type), c->in[0].data, from, c->out[0].data, to);
    return NULL;
}

static int infer_Tile(struct op_call *c, struct err *e)
{
    int64_t times[SHAPE_MAX];
    struct shape to = c->in[0].shape;
    int n, rc = op_int_list(c, "repeats", 1, SHAPE_MAX, times, &n, e);
    if (rc)
        return rc;
    if (c->opset < 6 || n != to.n)
        return err_set(e, "%d repeats for %d dimensions", n, to.n);
    for (int i = 0; i < n; i++)
        if (times[i] < 0 || __builtin_mul_overflow(to.d[i], times[i], &to.d[i]))
            return err_set(e, "it repeats %lld times", (long long)times[i]);
    return op_output(c, 0, c->in[0].type, &to, e);
}

/* Each axis of the output is two of the copy: which repeat (step 0 in the input), and where in the input. */
static const char *run_Tile(const struct op_call *c)
{
    const struct shape *s = &c->in[0].shape, *out = &c->out[0].shape;
    int64_t own[SHAPE_MAX], to[SHAPE_MAX];
    shape_strides(s, own);
    shape_strides(out, to);
    int64_t count = shape_count(out), at[SHAPE_MAX] = {0};
    if (!s->n || !count) {
        memcpy(c->out[0].data, c->in[0].data, count ? dtype_size(c->in[0].type) : 0);
        return NULL;
    }
    int last = s->n - 1;
    int64_t row = s->d[last], size = (int64_t)dtype_size(c->in[0].type);
    for (int64_t done = 0; done < count; done += out->d[last]) {
        int64_t from = 0;
        for (int i = 0; i < last; i++)
            from += at[i] % s->d[i] * own[i];
        for (int64_t k = 0; k < out->d[last]; k += row)
            memcpy(bytes_at(&c->out[0], done + k), bytes_at(&c->in[0], from), (size_t)(row * size));
        for (int i = last - 1; i >= 0 && ++at[i] == out->d[i]; i--)
            at[i] = 0;
    }
    return NULL;
}

/* [n][b*b*c][h][w] and [n][c][h*b][w*b]: a transposition of six dimensions. */
static int infer_blocks(struct op_call *c, bool to_depth, struct err *e)
{
    struct shape to = c->in[0].shape;
    int64_t b = op_attr_int(c, "blocksize", 0);
    if (to.n != 4 || b < 1 || b > 1 << 12)
        return err_set(e, "%d dimensions, blocks of %lld", to.n, (long long)b);
    if (to_depth ? to.d[2] % b || to.d[3] % b : to.d[1] % (b * b))
        return err_set(e, "its shape does not divide into blocks of %lld", (long long)b);
    to.d[1] = to_depth ? to.d[1] * b * b : to.d[1] / (b * b);
    to.d[2] = to_depth ? to.d[2] / b : to.d[2] * b;
    to.d[3] = to_depth ? to.d[3] / b : to.d[3] * b;
    return op_output(c, 0, c->in[0].type, &to, e);
}

static int infer_DepthToSpace(struct op_call *c, struct err *e)
{
    const char *mode = op_attr_string(c, "mode", "DCR");
    if (strcmp(mode, "DCR") && strcmp(mode, "CRD"))
        return err_set(e, "mode %.20s", mode);
    return infer_blocks(c, false, e);
}

static int infer_SpaceToDepth(struct op_call *c, struct err *e)
{
    return infer_blocks(c, true, e);
}

/* Index order of the copy: n, block row, block column, channel, h, w. */
static void copy_blocks(const struct op_call *c, bool to_depth, bool channel_first)
{
    int64_t b = op_attr_int(c, "blocksize", 1), deep[6], wide[6];
    const struct shape *d = to_depth ? &c->out[0].shape : &c->in[0].shape; /* the side with many channels */
    int64_t n = d->d[0], ch = d->d[1] / (b * b), h = d->d[2], w = d->d[3];
    struct shape all = {6, {n, b, b, ch, h, w}};
    deep[0] = b * b * ch * h * w;
    deep[1] = channel_first ? b * h * w : b * ch * h * w;
    deep[2] = channel_first ? h * w : ch * h * w;
    deep[3] = channel_first ? b * b * h * w : h * w;
    deep[4] = w;
    deep[5] = 1;
    wide[0] = ch * h * b * w * b;
    wide[1] = w * b;
    wide[2] = 1;
    wide[3] = h * b * w * b;
    wide[4] = b * w * b;
    wide[5] = b;
    strided_copy(&all, dtype_size(c->in[0].type), c->in[0].data, to_depth ? wide : deep, c->out[0].data,
                 to_depth ? deep : wide);
}

static const char *run_DepthToSpace(const struct op_call *c)
{
    copy_blocks(c, false, !strcmp(op_attr_string(c, "mode", "DCR"), "CRD"));
    return NULL;
}

static const char *run_SpaceToDepth(const struct op_call *c)
{
    copy_blocks(c, true, false);
    return NULL;
}

enum { MANY = 1 << 20 };
const struct op_row ops_move[] = {
    {"Transpose", "", 1, 1, 1, 0, infer_Transpose, run_Transpose},
    {"Concat", "", 1, MANY, 1, OP_KEEPS, infer_Concat, run_Concat},
    {"Split", "", 1, 2, MANY, 0, infer_Split, run_Split},
    {"Slice", "", 1, 5, 1, 0, infer_Slice, run_Slice},
    {"Expand", "", 2, 2, 1, OP_KEEPS, infer_Expand, run_Expand},
    {"Tile", "", 2, 2, 1, OP_KEEPS, infer_Tile, run_Tile},
    {"DepthToSpace", "", 1, 1, 1, 0, infer_DepthToSpace, run_DepthToSpace},
    {"SpaceToDepth", "", 1, 1, 1, 0, infer_SpaceToDepth, run_SpaceToDepth},
    {.name = NULL},
};
