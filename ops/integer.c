/* SPDX-License-Identifier: MIT
 *
 * Convolutions and products on codes with zero points, in 32-bit sums: ConvInteger, MatMulInteger, and with scales of
 * all three sides QLinearConv and QLinearMatMul.
 */
#include <math.h>
#include <string.h>

#include "ops/window.h"

/* Which inputs hold what. */
struct side {
    int codes, scale, zero; /* -1: none */
};

struct sides {
    struct side x, w, y;
    int bias;
};

static struct sides find_sides(const struct op_call *c)
{
    if (!strncmp(c->row->name, "QLinear", 7))
        return (struct sides){{0, 1, 2}, {3, 4, 5}, {-1, 6, 7}, !strcmp(c->row->name, "QLinearConv") ? 8 : -1};
    return (struct sides){{0, -1, 2}, {1, -1, 3}, {-1, -1, -1}, -1};
}

static bool is_codes(enum dtype t)
{
    return t == DTYPE_U8 || t == DTYPE_I8;
}

/* One number, or one for each of n. */
static bool fits(const struct op_call *c, int k, int64_t n)
{
    int64_t count = k < 0 || !op_has(c, k) ? 1 : shape_count(&c->in[k].shape);
    return count == 1 || count == n;
}

static double value_at(const struct op_call *c, int k, int64_t i, double otherwise)
{
    if (k < 0 || !op_has(c, k))
        return otherwise;
    return array_double(&c->in[k], shape_count(&c->in[k].shape) == 1 ? 0 : i);
}

static int check_sides(const struct op_call *c, const struct sides *s, int64_t outputs, struct err *e)
{
    const struct side both[] = {s->x, s->w};
    for (int i = 0; i < 2; i++) {
        if (!is_codes(c->in[both[i].codes].type))
            return err_set(e, "input %d is %s, not 8-bit codes", both[i].codes, dtype_name(c->in[both[i].codes].type));
        if ((both[i].scale >= 0 && op_check_type(c, both[i].scale, DTYPE_F32, e)) ||
            op_check_same(c, both[i].codes, both[i].zero, e))
            return -1;
    }
    if (!fits(c, s->x.zero, 1) || !fits(c, s->x.scale, 1) || !fits(c, s->w.zero, outputs) ||
        !fits(c, s->w.scale, outputs) || !fits(c, s->y.scale, 1) || !fits(c, s->y.zero, 1))
        return err_set(e, "scales or zero points do not fit");
    if (s->y.zero >= 0 && !is_codes(c->in[s->y.zero].type))
        return err_set(e, "its output is %s, not 8-bit codes", dtype_name(c->in[s->y.zero].type));
    return 0;
}

/* Sum i of output channel o as it leaves: itself, or as a code of the output. */
static void put(const struct op_call *c, const struct sides *s, int64_t at, int64_t o, int32_t sum)
{
    if (s->y.scale < 0) {
        ((int32_t *)c->out[0].data)[at] = sum;
        return;
    }
    double scale = value_at(c, s->x.scale, 0, 1) * value_at(c, s->w.scale, o, 1) / value_at(c, s->y.scale, 0, 1);
    double v = rint(sum * scale) + value_at(c, s->y.zero, 0, 0);
    if (c->out[0].type == DTYPE_I8)
        ((int8_t *)c->out[0].data)[at] = (int8_t)fmin(fmax(v, -128), 127);
    else
        ((uint8_t *)c->out[0].data)[at] = (uint8_t)fmin(fmax(v, 0), 255);
}

static int32_t code_at(const struct array *a, int64_t i)
{
    return a->type == DTYPE_I8 ? ((const int8_t *)a->data)[i] : ((const uint8_t *)a->data)[i];
}

static int read_conv(const struct op_call *c, const struct sides *s, struct op_window *w, int64_t *groups,
                     struct err *e)
{
    const struct shape *x = &c->in[0].shape, *k = &c->in[s->w.codes].shape;
    *groups = op_attr_int(c, "group", 1);
    if (x->n < 3 || k->n != x->n || *groups < 1 || x->d[1] % *groups || k->d[0] % *groups ||
        x->d[1] / *groups != k->d[1] || !k->d[0])
        return err_set(e, "its weights do not fit its input");
    if (check_sides(c, s, k->d[0], e) || op_window_read(c, k->d + 2, w, e))
        return -1;
    if (s->bias >= 0 && op_has(c, s->bias) &&
        (c->in[s->bias].type != DTYPE_I32 || shape_count(&c->in[s->bias].shape) != k->d[0]))
        return err_set(e, "its bias does not fit");
    return w->taps * k->d[1] > 32768 ? err_set(e, "32-bit sums could overflow, which is not supported") : 0;
}

static int infer_conv(struct op_call *c, struct err *e)
{
    struct sides s = find_sides(c);
    struct op_window w;
    int64_t groups;
    if (read_conv(c, &s, &w, &groups, e))
        return -1;
    struct shape to = {c->in[0].shape.n, {c->in[0].shape.d[0], c->in[s.w.codes].shape.d[0]}};
    memcpy(to.d + 2, w.out, (size_t)w.n * sizeof *to.d);
    return op_output(c, 0, s.y.zero < 0 ? DTYPE_I32 : c->in[s.y.zero].type, &to, e);
}

/* One output: the window's codes times the weights of output channel o. */
static int32_t window_sum(const struct op_call *c, const struct sides *s, const struct op_window *w, const int64_t *at,
                          int64_t first_channel, int64_t o, int64_t cin)
{
    const struct array *x = &c->in[0], *k = &c->in[s->w.codes];
    int32_t zx = (int32_t)value_at(c, s->x.zero, 0, 0), zw = (int32_t)value_at(c, s->w.zero, o, 0), sum = 0;
    int64_t tap[SPATIAL_MAX] = {0}, t = 0;
    do {
        int64_t from = 0;
        bool inside = true;
        for (int i = 0; i < w->n; i++) {
            int64_t p = at[i] * w->stride[i] - w->begin[i] + tap[i] * w->dilation[i];
            inside &= p >= 0 && p < w->in[i];
            from = from * w->in[i] + p;
        }
        for (int64_t ch = 0; inside && ch < cin; ch++)
            sum += (code_at(x, (first_channel + ch) * w->area_in + from) - zx) *
                   (code_at(k, (o * cin + ch) * w->taps + t) - zw);
        t++;
    } while (op_window_next(w, w->kernel, tap));
    return sum;
}

static const char *run_conv(const struct op_call *c)
{
    struct sides s = find_sides(c);
    struct op_window w;
    struct err unused;
    int64_t groups, to = 0;
    if (read_conv(c, &s, &w, &groups, &unused))
        return "its parameters do not fit";
    int64_t cin = c->in[s.w.codes].shape.d[1], cout = c->in[s.w.codes].shape.d[0];
    for (int64_t image = 0; image < c->in[0].shape.d[0]; image++)
        for (int64_t o = 0; o < cout; o++) {
            int64_t at[SPATIAL_MAX] = {0}, first = image * c->in[0].shape.d[1] + o / (cout / groups) * cin;
            int32_t bias = (int32_t)value_at(c, s.bias, o, 0);
            do
                put(c, &s, to++, o, (int32_t)((uint32_t)window_sum(c, &s, &w, at, first, o, cin) + (uint32_t)bias));
            while (op_window_next(&w, w.out, at));
        }
    return NULL;
}

/* --- products
 * ---------------------------------------------------------------------------------------------------------- */

struct product {
    struct shape a, b, batch; /* batch dimensions */
    int64_t m, k, n;
};

static int read_product(const struct op_call *c, const struct sides *s, struct product *p, struct err *e)
{
    struct shape a = c->in[0].shape, b = c->in[s->w.codes].shape;
    if (a.n < 2 || b.n < 2)
        return err_set(e, "operands of fewer than two dimensions are not supported");
    *p = (struct product){a, b, {0}, a.d[a.n - 2], a.d[a.n - 1], b.d[b.n - 1]};
    p->a.n -= 2;
    p->b.n -= 2;
    if (b.d[b.n - 2] != p->k || shape_broadcast(&p->a, &p->b, &p->batch) || p->k > 32768)
        return err_set(e, "its operands do not fit");
    return check_sides(c, s, p->n, e);
}

static int infer_product(struct op_call *c, struct err *e)
{
    struct sides s = find_sides(c);
    struct product p;
    if (read_product(c, &s, &p, e))
        return -1;
    struct shape to = p.batch;
    if (to.n + 2 > SHAPE_MAX)
        return err_set(e, "too many dimensions");
    to.d[to.n++] = p.m;
    to.d[to.n++] = p.n;
    return op_output(c, 0, s.y.zero < 0 ? DTYPE_I32 : c->in[s.y.zero].type, &to, e);
}

static const char *run_product(const struct op_call *c)
{
    struct sides s = find_sides(c);
    struct product p;
    struct err unused;
    struct op_walk w;
    int64_t to = 0;
    if (read_product(c, &s, &p, &unused))
        return "its operands do not fit";
    int32_t zx = (int32_t)value_at(c, s.x.zero, 0, 0);
    op_walk_begin(&w, &p.batch, &p.a, &p.b);
    for (int64_t row = 0; row < w.rows; row++, op_walk_next(&w))
        for (int64_t q = 0; q < w.inner; q++) {
            int64_t a = (w.offset_a + q * w.step_a) * p.m * p.k, b = (w.offset_b + q * w.step_b) * p.k * p.n;
            for (int64_t i = 0; i < p.m; i++)
                for (int64_t j = 0; j < p.n; j++) {
                    int32_t zw = (int32_t)value_at(c, s.w.zero, j, 0), sum = 0;
                    for (int64_t k = 0; k < p.k; k++)
                        sum += (code_at(&c->in[0], a + i * p.k + k) - zx) *
                               (code_at(&c->in[s.w.codes], b + k * p.n + j) - zw);
                    put(c, &s, to++, j, sum);
                }
        }
    return NULL;
}

const struct op_row ops_integer[] = {
    {"ConvInteger", "", 2, 4, 1, 0, infer_conv, run_conv},
    {"QLinearConv", "", 8, 9, 1, 0, infer_conv, run_conv},
    {"MatMulInteger", "", 2, 4, 1, 0, infer_product, run_product},
    {"QLinearMatMul", "", 8, 8, 1, 0, infer_product, run_product},
    {.name = NULL},
};
