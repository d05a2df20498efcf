/* SPDX-License-Identifier: MIT */
#include "ops/window.h"

#include <string.h>

/* Attribute `name` with one value a spatial dimension, each from lo to SIDE_MAX, `otherwise` where it is not there. */
static int window_list(const struct op_call *c, const char *name, int n, int64_t lo, int64_t otherwise, int64_t *out,
                       struct err *e)
{
    const struct attr *a = op_attr(c, name, ATTR_INTS);
    if (a && (int)a->n != n)
        return err_set(e, "%s has %zu values, not %d", name, a->n, n);
    for (int i = 0; i < n; i++) {
        out[i] = a ? a->ints[i] : otherwise;
        if (out[i] < lo || out[i] > SIDE_MAX)
            return err_set(e, "%s holds %lld", name, (long long)out[i]);
    }
    return 0;
}

static int resolve_axis(struct op_window *w, int i, const char *auto_pad, bool ceil_mode, struct err *e)
{
    int64_t extent = (w->kernel[i] - 1) * w->dilation[i] + 1, in = w->in[i], stride = w->stride[i];
    if (!strcmp(auto_pad, "VALID")) {
        w->begin[i] = w->end[i] = 0;
    } else if (!strncmp(auto_pad, "SAME_", 5)) {
        int64_t need = ((in + stride - 1) / stride - 1) * stride + extent - in;
        need = need > 0 ? need : 0;
        w->begin[i] = strcmp(auto_pad, "SAME_LOWER") ? need / 2 : need - need / 2;
        w->end[i] = need - w->begin[i];
    }
    int64_t room = in + w->begin[i] + w->end[i] - extent;
    if (room < 0)
        return err_set(e, "a window of %lld does not fit into %lld", (long long)extent,
                       (long long)(in + w->begin[i] + w->end[i]));
    w->out[i] = room / stride + 1;
    if (ceil_mode && room % stride && w->out[i] * stride < in + w->begin[i])
        w->out[i]++;
    return 0;
}

int op_window_read(const struct op_call *c, const int64_t *kernel, struct op_window *w, struct err *e)
{
    static const char *const known[] = {"NOTSET", "", "VALID", "SAME_UPPER", "SAME_LOWER"};
    const char *auto_pad = op_attr_string(c, "auto_pad", "NOTSET");
    const struct attr *pads = op_attr(c, "pads", ATTR_INTS);
    bool mode = false, given = op_attr(c, "kernel_shape", ATTR_INTS);
    *w = (struct op_window){.n = c->in[0].shape.n - 2, .area_in = 1, .area_out = 1, .taps = 1};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        mode |= !strcmp(auto_pad, known[i]);
    if (!mode)
        return err_set(e, "auto_pad %.20s is not supported", auto_pad);
    if (w->n < 1 || w->n > SPATIAL_MAX)
        return err_set(e, "%d spatial dimensions are not supported", w->n);
    if (!kernel && !given)
        return err_set(e, "kernel_shape is missing");
    if (window_list(c, "kernel_shape", w->n, 1, 1, w->kernel, e) ||
        window_list(c, "strides", w->n, 1, 1, w->stride, e) || window_list(c, "dilations", w->n, 1, 1, w->dilation, e))
        return -1;
    if (pads && (int)pads->n != 2 * w->n)
        return err_set(e, "pads has %zu values, not %d", pads->n, 2 * w->n);
    for (int i = 0; i < w->n; i++) {
        w->in[i] = c->in[0].shape.d[2 + i];
        w->begin[i] = pads ? pads->ints[i] : 0;
        w->end[i] = pads ? pads->ints[w->n + i] : 0;
        if (w->begin[i] < 0 || w->end[i] < 0 || w->begin[i] > SIDE_MAX || w->end[i] > SIDE_MAX)
            return err_set(e, "pads of %lld and %lld", (long long)w->begin[i], (long long)w->end[i]);
        if (kernel && given && w->kernel[i] != kernel[i])
            return err_set(e, "kernel_shape differs from the shape of the weights");
        w->kernel[i] = kernel ? kernel[i] : w->kernel[i];
        if (w->kernel[i] < 1 || w->kernel[i] > SIDE_MAX || w->kernel[i] * w->dilation[i] > (int64_t)1 << 40)
            return err_set(e, "a kernel of %lld", (long long)w->kernel[i]);
        if (resolve_axis(w, i, auto_pad, op_attr_int(c, "ceil_mode", 0), e))
            return -1;
        if (__builtin_mul_overflow(w->taps, w->kernel[i], &w->taps) || w->taps > ARRAY_MAX ||
            __builtin_mul_overflow(w->area_out, w->out[i], &w->area_out) || w->area_out > ARRAY_MAX)
            return err_set(e, "its window is too large");
        w->area_in *= w->in[i];
    }
    return 0;
}

/* One side: padding at the beginning and the size of the output. */
static int transposed_side(struct op_window *w, int i, int64_t extra, const struct attr *pads, const struct attr *shape,
                           const char *auto_pad, struct err *e)
{
    if (w->kernel[i] < 1 || w->kernel[i] > SIDE_MAX || w->out[i] < 1 || w->out[i] > SIDE_MAX)
        return err_set(e, "a kernel of %lld over %lld", (long long)w->kernel[i], (long long)w->out[i]);
    int64_t full = w->stride[i] * (w->out[i] - 1) + extra + (w->kernel[i] - 1) * w->dilation[i] + 1;
    int64_t total = shape ? full - shape->ints[i] : pads ? pads->ints[i] + pads->ints[w->n + i] : 0;
    bool same = !strncmp(auto_pad, "SAME_", 5);
    if (same && !shape)
        total = full - w->out[i] * w->stride[i];
    total = total < 0 && (shape || same) ? 0 : total;
    w->begin[i] = shape || same ? (strcmp(auto_pad, "SAME_UPPER") ? total - total / 2 : total / 2)
                  : pads        ? pads->ints[i]
                                : 0;
    if (shape && !same)
        w->begin[i] = total / 2;
    w->in[i] = shape ? shape->ints[i] : full - total;
    if (w->in[i] < 1 || w->begin[i] < 0 || w->in[i] > ARRAY_MAX)
        return err_set(e, "an output of %lld", (long long)w->in[i]);
    return 0;
}

int op_window_transposed(const struct op_call *c, struct op_window *w, struct err *e)
{
    const struct shape *x = &c->in[0].shape, *k = &c->in[1].shape;
    const struct attr *pads = op_attr(c, "pads", ATTR_INTS), *shape = op_attr(c, "output_shape", ATTR_INTS);
    const char *auto_pad = op_attr_string(c, "auto_pad", "NOTSET");
    int64_t extra[SPATIAL_MAX];
    *w = (struct op_window){.n = x->n - 2, .area_in = 1, .area_out = 1, .taps = 1};
    if (w->n < 1 || w->n > SPATIAL_MAX)
        return err_set(e, "%d dimensions are not supported", x->n);
    if ((pads && (int)pads->n != 2 * w->n) || (shape && (int)shape->n != w->n))
        return err_set(e, "pads or output_shape do not fit %d dimensions", w->n);
    if (window_list(c, "strides", w->n, 1, 1, w->stride, e) ||
        window_list(c, "dilations", w->n, 1, 1, w->dilation, e) ||
        window_list(c, "output_padding", w->n, 0, 0, extra, e))
        return -1;
    for (int i = 0; i < w->n; i++) {
        w->kernel[i] = k->d[2 + i];
        w->out[i] = x->d[2 + i];
        if (transposed_side(w, i, extra[i], pads, shape, auto_pad, e))
            return -1;
        w->taps *= w->kernel[i];
        if (w->taps > ARRAY_MAX || __builtin_mul_overflow(w->area_in, w->in[i], &w->area_in) ||
            w->area_in > ARRAY_MAX || __builtin_mul_overflow(w->area_out, w->out[i], &w->area_out))
            return err_set(e, "its window is too large");
    }
    return 0;
}

bool op_window_next(const struct op_window *w, const int64_t *limit, int64_t *at)
{
    for (int i = w->n - 1; i >= 0; i--) {
        if (++at[i] < limit[i])
            return true;
        at[i] = 0;
    }
    return false;
}
