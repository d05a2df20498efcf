/* SPDX-License-Identifier: MIT
 *
 * Pad in all its modes. Negative pads cut.
 */
#include <string.h>

#include "ops/op.h"

static const char *const modes[] = {"constant", "reflect", "edge", "wrap"};
enum mode { MODE_CONSTANT, MODE_REFLECT, MODE_EDGE, MODE_WRAP, MODE_COUNT };

static enum mode read_mode(const struct op_call *c)
{
    const char *name = op_attr_string(c, "mode", "constant");
    int i = 0;
    while (i < MODE_COUNT && strcmp(name, modes[i]))
        i++;
    return (enum mode)i;
}

/* What stands before each axis, and the shape with all pads. 0, -1, OP_WANTS_VALUE. */
static int read_pads(struct op_call *c, int64_t *begin, struct shape *to, struct err *e)
{
    int64_t pads[2 * SHAPE_MAX], axes[SHAPE_MAX];
    int n, n_axes, axis, rc;
    *to = c->in[0].shape;
    memset(begin, 0, SHAPE_MAX * sizeof *begin);
    if ((rc = op_int_list(c, op_attr(c, "paddings", ATTR_INTS) ? "paddings" : "pads", 1, 2 * SHAPE_MAX, pads, &n, e)) ||
        (rc = op_int_list(c, "axes", 3, SHAPE_MAX, axes, &n_axes, e)))
        return rc;
    if (n != 2 * (n_axes < 0 ? to->n : n_axes))
        return err_set(e, "%d pads for %d dimensions", n, n_axes < 0 ? to->n : n_axes);
    for (int i = 0; i < n / 2; i++) {
        if (op_axis(n_axes < 0 ? i : axes[i], to->n, &axis, e))
            return -1;
        int64_t lo = pads[i], hi = pads[n / 2 + i], d = to->d[axis];
        if (lo < -d || hi < -d - lo || lo > ARRAY_MAX || hi > ARRAY_MAX)
            return err_set(e, "pads of %lld and %lld at a dimension of %lld", (long long)lo, (long long)hi,
                           (long long)d);
        if (read_mode(c) == MODE_REFLECT && (lo >= d || hi >= d) && (lo > 0 || hi > 0))
            return err_set(e, "it reflects more than there is");
        if (read_mode(c) != MODE_CONSTANT && !d)
            return err_set(e, "it repeats an empty dimension");
        begin[axis] = lo;
        to->d[axis] = d + lo + hi;
    }
    return 0;
}

static int infer_Pad(struct op_call *c, struct err *e)
{
    int64_t begin[SHAPE_MAX];
    struct shape to;
    if (read_mode(c) == MODE_COUNT)
        return err_set(e, "its mode is not supported");
    if (op_has(c, 2) && (op_check_same(c, 0, 2, e) || shape_count(&c->in[2].shape) != 1))
        return err_set(e, "its value does not fit");
    int rc = read_pads(c, begin, &to, e);
    return rc ? rc : op_output(c, 0, c->in[0].type, &to, e);
}

/* Where position i of an axis comes from; -1: from nowhere, the constant. */
static int64_t source_of(enum mode mode, int64_t i, int64_t d)
{
    if (i >= 0 && i < d)
        return i;
    switch (mode) {
    case MODE_EDGE:
        return i < 0 ? 0 : d - 1;
    case MODE_REFLECT:
        return i < 0 ? -i : 2 * (d - 1) - i;
    case MODE_WRAP:
        return ((i % d) + d) % d;
    default:
        return -1;
    }
}

static const char *run_Pad(const struct op_call *c)
{
    const struct shape *s = &c->in[0].shape, *out = &c->out[0].shape;
    int64_t begin[SHAPE_MAX], stride[SHAPE_MAX], at[SHAPE_MAX] = {0}, n = shape_count(out);
    struct shape to;
    struct op_call copy = *c;
    struct err unused;
    enum mode mode = read_mode(c);
    if (read_pads(&copy, begin, &to, &unused) || !shape_equal(&to, out))
        return "its pads are not those that it was planned with";
    shape_strides(s, stride);
    float old = op_attr_float(c, "value", 0);
    int last = s->n - 1;
    ARRAY_SIZES(c->in[0].type, {
        const T *from = c->in[0].data;
        T *z = c->out[0].data, fill = 0;
        if (op_has(c, 2))
            fill = *(const T *)c->in[2].data;
        else if (c->in[0].type == DTYPE_F32)
            memcpy(&fill, &old, sizeof old < sizeof fill ? sizeof old : sizeof fill);
        for (int64_t done = 0; done < n;) {
            int64_t row = 0;
            for (int i = 0; i < last && row >= 0; i++) {
                int64_t k = source_of(mode, at[i] - begin[i], s->d[i]);
                row = k < 0 ? -1 : row + k * stride[i];
            }
            int64_t length = last < 0 ? 1 : out->d[last];
            for (int64_t j = 0; j < length; j++) {
                int64_t k = last < 0 ? 0 : row < 0 ? -1 : source_of(mode, j - begin[last], s->d[last]);
                z[done + j] = k < 0 ? fill : from[row + k];
            }
            done += length;
            for (int i = last - 1; i >= 0 && ++at[i] == out->d[i]; i--)
                at[i] = 0;
        }
    })
    return NULL;
}

const struct op_row ops_pad[] = {{"Pad", "", 1, 4, 1, 0, infer_Pad, run_Pad}, {.name = NULL}};
