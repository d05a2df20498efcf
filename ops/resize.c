/* SPDX-License-Identifier: MIT
 *
 * Resize and Upsample: nearest, linear and cubic (Keys 1981) over any number of axes, one axis after the other. With
 * antialias the filters grow as the image shrinks.
 */
#include <math.h>
#include <string.h>

#include "ops/op.h"

enum mode { NEAREST, LINEAR, CUBIC, MODES };
enum place { HALF_PIXEL, PYTORCH_HALF_PIXEL, ASYMMETRIC, ALIGN_CORNERS, TF_CROP, HALF_PIXEL_SYMMETRIC, PLACES };
enum nearest { ROUND_PREFER_FLOOR, ROUND_PREFER_CEIL, FLOOR, CEIL, NEARESTS };
enum aspect { STRETCH, NOT_LARGER, NOT_SMALLER, ASPECTS };

static const char *const mode_names[] = {"nearest", "linear", "cubic"};
static const char *const place_names[] = {"half_pixel",    "pytorch_half_pixel", "asymmetric",
                                          "align_corners", "tf_crop_and_resize", "half_pixel_symmetric"};
static const char *const nearest_names[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
static const char *const aspect_names[] = {"stretch", "not_larger", "not_smaller"};

struct resize {
    enum mode mode;
    enum place place;
    enum nearest nearest;
    enum aspect aspect;
    double scale[SHAPE_MAX], from[SHAPE_MAX], to[SHAPE_MAX]; /* and the region of tf_crop_and_resize, as fractions */
    double cubic, outside;
    bool exclude, antialias;
    struct shape shape;
};

static int find_name(const char *const *names, int n, const char *name)
{
    int i = 0;
    while (i < n && strcmp(names[i], name))
        i++;
    return i;
}

/* Where scales, sizes and roi stand: Upsample 9 and Resize 10 have scales second. */
struct places {
    int roi, scales, sizes;
};

static struct places find_inputs(const struct op_call *c)
{
    bool upsample = !strcmp(c->row->name, "Upsample");
    if (upsample || c->opset < 11)
        return (struct places){-1, 1, -1};
    return (struct places){1, 2, 3};
}

static bool given(const struct op_call *c, int k)
{
    return k >= 0 && op_has(c, k) && shape_count(&c->in[k].shape) > 0;
}

static int read_modes(const struct op_call *c, struct resize *r, struct err *e)
{
    bool old = c->opset < 11 || !strcmp(c->row->name, "Upsample");
    const char *mode = op_attr_string(c, "mode", "nearest");
    r->mode = (enum mode)find_name(mode_names, MODES, !strcmp(mode, "bilinear") ? "linear" : mode);
    r->place = (enum place)find_name(
        place_names, PLACES, op_attr_string(c, "coordinate_transformation_mode", old ? "asymmetric" : "half_pixel"));
    r->nearest = (enum nearest)find_name(nearest_names, NEARESTS,
                                         op_attr_string(c, "nearest_mode", old ? "floor" : "round_prefer_floor"));
    r->cubic = op_attr_float(c, "cubic_coeff_a", -0.75f);
    r->outside = op_attr_float(c, "extrapolation_value", 0);
    r->exclude = op_attr_int(c, "exclude_outside", 0);
    r->antialias = op_attr_int(c, "antialias", 0) && r->mode != NEAREST;
    r->aspect = (enum aspect)find_name(aspect_names, ASPECTS, op_attr_string(c, "keep_aspect_ratio_policy", "stretch"));
    if (r->mode == MODES || r->place == PLACES || r->nearest == NEARESTS || r->aspect == ASPECTS)
        return err_set(e, "its mode is not supported");
    return 0;
}

/* Numbers of an input, one an axis, into `out` of those axes. */
static int read_numbers(struct op_call *c, int k, const int *axes, int n, double *out, struct err *e)
{
    if (shape_count(&c->in[k].shape) != n || c->in[k].type == DTYPE_BOOL)
        return err_set(e, "input %d has %lld values for %d axes", k, (long long)shape_count(&c->in[k].shape), n);
    if (!op_value(c, k))
        return OP_WANTS_VALUE;
    for (int i = 0; i < n; i++)
        out[axes[i]] = array_double(&c->in[k], i);
    return 0;
}

/* One scale for all axes that are resized: the smallest or largest of what the sizes ask for. */
static void keep_aspect(struct resize *r, const struct shape *s, const int *axes, int n, double *sizes)
{
    double scale = r->aspect == NOT_LARGER ? INFINITY : 0;
    for (int i = 0; i < n; i++)
        scale = r->aspect == NOT_LARGER ? fmin(scale, r->scale[axes[i]]) : fmax(scale, r->scale[axes[i]]);
    for (int i = 0; i < n; i++) {
        r->scale[axes[i]] = scale;
        sizes[axes[i]] = floor(scale * (double)s->d[axes[i]] + 0.5);
    }
}

static int read_resize(struct op_call *c, struct resize *r, struct err *e)
{
    const struct shape *s = &c->in[0].shape;
    const struct attr *list = op_attr(c, "axes", ATTR_INTS), *old = op_attr(c, "scales", ATTR_FLOATS);
    struct places p = find_inputs(c);
    int axes[SHAPE_MAX], n = list ? (int)list->n : s->n, rc = 0;
    double sizes[SHAPE_MAX];
    *r = (struct resize){.shape = *s};
    if (read_modes(c, r, e))
        return -1;
    if (n < 0 || n > s->n)
        return err_set(e, "%d axes", n);
    for (int i = 0; i < s->n; i++) {
        r->scale[i] = r->to[i] = 1;
        sizes[i] = (double)s->d[i];
    }
    for (int i = 0; i < n; i++)
        if (op_axis(list ? list->ints[i] : i, s->n, &axes[i], e))
            return -1;
    if (given(c, p.sizes)) {
        rc = read_numbers(c, p.sizes, axes, n, sizes, e);
        for (int i = 0; !rc && i < n; i++)
            r->scale[axes[i]] = s->d[axes[i]] ? sizes[axes[i]] / (double)s->d[axes[i]] : 1;
        if (!rc && r->aspect != STRETCH)
            keep_aspect(r, s, axes, n, sizes);
    } else if (given(c, p.scales)) {
        rc = read_numbers(c, p.scales, axes, n, r->scale, e);
    } else if (old && (int)old->n == n) {
        for (int i = 0; i < n; i++)
            r->scale[axes[i]] = (double)old->floats[i];
    } else {
        return err_set(e, "it says neither scales nor sizes");
    }
    if (rc)
        return rc;
    if (r->place == TF_CROP) {
        double both[2 * SHAPE_MAX];
        int all[2 * SHAPE_MAX];
        for (int i = 0; i < 2 * n; i++)
            all[i] = i;
        if (!given(c, p.roi))
            return err_set(e, "it does not say which region");
        if ((rc = read_numbers(c, p.roi, all, 2 * n, both, e)))
            return rc;
        for (int i = 0; i < n; i++) {
            r->from[axes[i]] = both[i];
            r->to[axes[i]] = both[n + i];
        }
    }
    for (int i = 0; i < s->n; i++) {
        double d = given(c, p.sizes)     ? sizes[i]
                   : r->place == TF_CROP ? floor((double)s->d[i] * (r->to[i] - r->from[i]) * r->scale[i])
                                         : floor((double)s->d[i] * r->scale[i]);
        if (!(r->scale[i] > 0) || !(d >= 0 && d <= ARRAY_MAX))
            return err_set(e, "axis %d would have %g elements", i, d);
        r->shape.d[i] = (int64_t)d;
    }
    return 0;
}

static size_t copy_bytes(double elements)
{
    return ((size_t)elements * sizeof(float) + 7) / 8 * 8;
}

/* Positions that make one of an antialiased axis: the filter's width over the scale, on both sides. */
static int64_t filter_half(const struct resize *r, int axis)
{
    return (int64_t)ceil((r->mode == LINEAR ? 1 : 2) / fmin(r->scale[axis], 1));
}

/* Work memory: float copies of the array before and after each axis, then the weights of an antialiasing filter. */
static int infer_resize(struct op_call *c, struct err *e)
{
    struct resize r;
    int rc = op_check_number(c, 0, e) ? -1 : read_resize(c, &r, e);
    if (rc)
        return rc;
    double most = 1;
    for (int i = 0; i < r.shape.n; i++)
        most *= (double)(r.shape.d[i] > c->in[0].shape.d[i] ? r.shape.d[i] : c->in[0].shape.d[i]);
    if (most > ARRAY_MAX)
        return err_set(e, "its output is too large");
    int64_t taps = 0;
    for (int i = 0; r.antialias && i < r.shape.n; i++) {
        if (r.scale[i] * ARRAY_MAX < 4)
            return err_set(e, "a scale of %g", r.scale[i]);
        taps = 2 * filter_half(&r, i) > taps ? 2 * filter_half(&r, i) : taps;
    }
    c->work_bytes = 2 * copy_bytes(most) + (size_t)taps * sizeof(double);
    return op_output(c, 0, c->in[0].type, &r.shape, e);
}

/* Position in the input of position i of the output. */
static double source_of(const struct resize *r, int axis, int64_t i, int64_t in, int64_t out)
{
    double x = (double)i, scale = r->scale[axis], n = (double)in, m = (double)out;
    switch (r->place) {
    case ASYMMETRIC:
        return x / scale;
    case ALIGN_CORNERS:
        return out > 1 ? x * (n - 1) / (n * scale - 1) : 0; /* of the size before it was cut to a whole number */
    case PYTORCH_HALF_PIXEL:
        return out > 1 ? (x + 0.5) / scale - 0.5 : 0;
    case TF_CROP:
        return out > 1 ? r->from[axis] * (n - 1) + x * (r->to[axis] - r->from[axis]) * (n - 1) / (m - 1)
                       : 0.5 * (r->from[axis] + r->to[axis]) * (n - 1);
    case HALF_PIXEL_SYMMETRIC:
        return n / 2 * (1 - m / (n * scale)) + (x + 0.5) / scale - 0.5;
    default:
        return (x + 0.5) / scale - 0.5;
    }
}

static double filter_value(const struct resize *r, double x)
{
    double a = r->cubic;
    x = fabs(x);
    if (r->mode == LINEAR)
        return fmax(1 - x, 0);
    return x <= 1 ? ((a + 2) * x - (a + 3)) * x * x + 1 : x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

struct taps { /* what one position is made of */
    int n;
    int64_t at[4];
    double weight[4];
};

static int64_t clamp(int64_t v, int64_t n)
{
    return v < 0 ? 0 : v >= n ? n - 1 : v;
}

static int64_t nearest_of(enum nearest mode, double x)
{
    switch (mode) {
    case FLOOR:
        return (int64_t)floor(x);
    case CEIL:
        return (int64_t)ceil(x);
    case ROUND_PREFER_CEIL:
        return (int64_t)floor(x + 0.5);
    default:
        return (int64_t)ceil(x - 0.5);
    }
}

static struct taps find_taps(const struct resize *r, double x, int64_t n)
{
    struct taps t = {.n = 1, .weight = {1}};
    if (r->mode == NEAREST) {
        t.at[0] = clamp(nearest_of(r->nearest, x), n);
        return t;
    }
    double base = floor(x), f = x - base, a = r->cubic, sum = 0;
    t.n = r->mode == LINEAR ? 2 : 4;
    double linear[2] = {1 - f, f};
    double cubic[4] = {((a * (f + 1) - 5 * a) * (f + 1) + 8 * a) * (f + 1) - 4 * a, ((a + 2) * f - (a + 3)) * f * f + 1,
                       ((a + 2) * (1 - f) - (a + 3)) * (1 - f) * (1 - f) + 1,
                       ((a * (2 - f) - 5 * a) * (2 - f) + 8 * a) * (2 - f) - 4 * a};
    for (int k = 0; k < t.n; k++) {
        int64_t at = (int64_t)base + k - (r->mode == CUBIC);
        bool outside = at < 0 || at >= n;
        t.at[k] = clamp(at, n);
        t.weight[k] = r->mode == LINEAR ? linear[k] : outside && r->exclude ? 0 : cubic[k];
        sum += t.weight[k];
    }
    for (int k = 0; r->exclude && k < t.n; k++)
        t.weight[k] /= sum;
    return t;
}

/* What position i of the output is made of; n 0: of nothing, a position outside of the region. */
static struct taps taps_of(const struct resize *r, int axis, int64_t i, int64_t in, int64_t out)
{
    double x = source_of(r, axis, i, in, out);
    if (r->place == TF_CROP && (x < 0 || x > (double)(in - 1)))
        return (struct taps){.n = 0};
    return find_taps(r, x, in);
}

static void resize_row(const struct resize *r, const struct taps *t, const float *row, int64_t inner, float *y)
{
    if (t->n == 1) {
        for (int64_t k = 0; k < inner; k++)
            y[k] = row[t->at[0] * inner + k];
        return;
    }
    for (int64_t k = 0; k < inner; k++) {
        double sum = t->n ? 0 : r->outside;
        for (int j = 0; j < t->n; j++)
            sum += t->weight[j] * (double)row[t->at[j] * inner + k];
        y[k] = (float)sum;
    }
}

/* from [outer][in][inner] to [outer][out][inner], some positions of the axis at a time. */
static void resize_axis(const struct resize *r, int axis, const float *from, int64_t outer, int64_t in, int64_t out,
                        int64_t inner, float *to)
{
    enum { BLOCK = 64 };
    struct taps taps[BLOCK];
    for (int64_t first = 0; first < out; first += BLOCK) {
        int64_t n = out - first < BLOCK ? out - first : BLOCK;
        for (int64_t i = 0; i < n; i++)
            taps[i] = taps_of(r, axis, first + i, in, out);
        for (int64_t o = 0; o < outer; o++)
            for (int64_t i = 0; i < n; i++)
                resize_row(r, &taps[i], from + o * in * inner, inner, to + (o * out + first + i) * inner);
    }
}

/* The same where the axis shrinks and every position is a mean over all that it stands for. */
static void shrink_axis(const struct resize *r, int axis, const float *from, int64_t outer, int64_t in, int64_t out,
                        int64_t inner, float *to, double *weights)
{
    int64_t half = filter_half(r, axis), n = 2 * half;
    for (int64_t i = 0; i < out; i++) {
        double x = source_of(r, axis, i, in, out), sum = 0;
        bool outside = r->place == TF_CROP && (x < 0 || x > (double)(in - 1));
        int64_t first = (int64_t)floor(x) - half + 1;
        for (int64_t j = 0; j < n; j++) {
            bool gone = r->exclude && (first + j < 0 || first + j >= in);
            weights[j] = gone ? 0 : filter_value(r, ((double)(first + j) - x) * r->scale[axis]);
            sum += weights[j];
        }
        for (int64_t o = 0; o < outer; o++)
            for (int64_t k = 0; k < inner; k++) {
                double y = 0;
                for (int64_t j = 0; j < n; j++)
                    y += weights[j] * (double)from[(o * in + clamp(first + j, in)) * inner + k];
                to[(o * out + i) * inner + k] = (float)(outside ? r->outside : y / sum);
            }
    }
}

static const char *run_resize(const struct op_call *c)
{
    struct resize r;
    struct op_call copy = *c;
    struct err unused;
    if (read_resize(&copy, &r, &unused) || !shape_equal(&r.shape, &c->out[0].shape))
        return "its sizes are not those that it was planned with";
    struct shape now = c->in[0].shape;
    int64_t n = shape_count(&now), total = shape_count(&c->out[0].shape);
    double most = 1;
    for (int i = 0; i < now.n; i++)
        most *= (double)(r.shape.d[i] > now.d[i] ? r.shape.d[i] : now.d[i]);
    float *from = c->work, *to = (float *)(void *)((char *)c->work + copy_bytes(most));
    double *weights = (double *)(void *)((char *)c->work + 2 * copy_bytes(most));
    if (!n || !total)
        return n == total ? NULL : "it enlarges nothing";
    if (c->in[0].type == DTYPE_F32)
        memcpy(from, c->in[0].data, (size_t)n * sizeof *from);
    for (int64_t i = 0; c->in[0].type != DTYPE_F32 && i < n; i++)
        from[i] = (float)array_double(&c->in[0], i);
    for (int axis = now.n - 1; axis >= 0; axis--) {
        int64_t outer = 1, inner = 1;
        if (now.d[axis] == r.shape.d[axis] && r.scale[axis] == 1 && r.place != TF_CROP)
            continue;
        for (int i = 0; i < now.n; i++)
            *(i < axis ? &outer : &inner) *= i == axis ? 1 : now.d[i];
        if (r.antialias && r.scale[axis] < 1)
            shrink_axis(&r, axis, from, outer, now.d[axis], r.shape.d[axis], inner, to, weights);
        else
            resize_axis(&r, axis, from, outer, now.d[axis], r.shape.d[axis], inner, to);
        now.d[axis] = r.shape.d[axis];
        float *swap = from;
        from = to;
        to = swap;
    }
    if (c->out[0].type == DTYPE_F32) {
        memcpy(c->out[0].data, from, (size_t)total * sizeof *from);
        return NULL;
    }
    ARRAY_NUMBERS(c->out[0].type, return "not a number", {
        for (int64_t i = 0; i < total; i++)
            ((T *)c->out[0].data)[i] = ARRAY_OF_DOUBLE(T, from[i]);
    })
    return NULL;
}

const struct op_row ops_resize[] = {
    {"Resize", "", 1, 4, 1, 0, infer_resize, run_resize},
    {"Upsample", "", 1, 2, 1, 0, infer_resize, run_resize},
    {.name = NULL},
};
