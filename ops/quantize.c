/* SPDX-License-Identifier: MIT
 *
 * Integers with scales: ONNX's quantization, and QONNX's Quant and BipolarQuant (github.com/fastmachinelearning/qonnx).
 */
#include <math.h>
#include <string.h>

#include "ops/op.h"

struct scales {         /* how scale and zero point lie on an array */
    int64_t n, inner;   /* outer x n x inner, one for each of n */
    int64_t block, row; /* blocked: one for each `block` places of the axis, of which a row of blocks has `row` */
};

static int read_blocks(const struct shape *x, const struct shape *k, int axis, int64_t block, struct scales *s,
                       struct err *e)
{
    bool fits = block > 0 && k->n == x->n;
    for (int i = 0; fits && i < x->n; i++)
        fits = k->d[i] == (i == axis ? (x->d[i] + block - 1) / block : x->d[i]);
    if (!fits)
        return err_set(e, "the scales do not fit blocks of %lld", (long long)block);
    s->block = block;
    s->row = k->d[axis];
    return 0;
}

/* One number, one for each place of the axis, or one for each block of places along it. */
static int read_scales(const struct op_call *c, struct scales *s, struct err *e)
{
    const struct shape *x = &c->in[0].shape, *k = &c->in[1].shape;
    int64_t block = op_attr_int(c, "block_size", 0);
    int axis;
    *s = (struct scales){1, 1, 0, 0};
    if (op_has(c, 2) && shape_count(&c->in[2].shape) != shape_count(k))
        return err_set(e, "scale and zero point differ in shape");
    if (shape_count(k) == 1 && !block)
        return 0;
    if (op_axis(op_attr_int(c, "axis", 1), x->n, &axis, e))
        return -1;
    s->n = x->d[axis];
    for (int i = axis + 1; i < x->n; i++)
        s->inner *= x->d[i];
    if (block)
        return read_blocks(x, k, axis, block, s, e);
    return k->n != 1 || k->d[0] != x->d[axis] ? err_set(e, "the scales do not fit the axis") : 0;
}

/* Which scale element i has. */
static int64_t scale_of(const struct scales *s, int64_t i)
{
    int64_t at = i / s->inner % s->n;
    return s->block ? (i / s->inner / s->n * s->row + at / s->block) * s->inner + i % s->inner : at;
}

static int infer_QuantizeLinear(struct op_call *c, struct err *e)
{
    struct scales s;
    enum dtype to = op_has(c, 2) ? c->in[2].type : DTYPE_U8;
    int64_t named = op_attr_int(c, "output_dtype", 0);
    if (named && !op_has(c, 2))
        to = dtype_of_onnx((int)named);
    if (to != DTYPE_U8 && to != DTYPE_I8 && to != DTYPE_U16 && to != DTYPE_I16 && !dtype_is_nibble(to))
        return err_set(e, "codes of this type are not supported");
    if (op_check_float(c, 1, e) || read_scales(c, &s, e))
        return -1;
    return op_output(c, 0, to, &c->in[0].shape, e);
}

static void code_limits(enum dtype t, double *lo, double *hi)
{
    int bits = dtype_is_nibble(t) ? 4 : 8 * (int)dtype_size(t);
    bool is_signed = t == DTYPE_I8 || t == DTYPE_I16 || t == DTYPE_I32 || t == DTYPE_I4;
    *lo = is_signed ? -ldexp(1, bits - 1) : 0;
    *hi = ldexp(1, is_signed ? bits - 1 : bits) - 1;
}

static const char *run_QuantizeLinear(const struct op_call *c)
{
    struct scales s;
    struct err unused;
    double lo, hi;
    if (read_scales(c, &s, &unused))
        return "its scales do not fit";
    code_limits(c->out[0].type, &lo, &hi);
    ARRAY_INTEGERS(
        c->out[0].type, return "not a whole number", for (int64_t i = 0, n = shape_count(&c->in[0].shape); i < n; i++) {
            int64_t k = scale_of(&s, i);
            double zero = op_has(c, 2) ? array_double(&c->in[2], k) : 0;
            /* In float, as the runtimes divide, so that ties are the same. */
            float q = rintf((float)array_double(&c->in[0], i) / (float)array_double(&c->in[1], k));
            double v = (double)q + zero;
            ((T *)c->out[0].data)[i] = (T)(isnan(v) ? 0 : fmin(fmax(v, lo), hi));
        })
    return NULL;
}

static int infer_DequantizeLinear(struct op_call *c, struct err *e)
{
    struct scales s;
    if (!dtype_is_integer(c->in[0].type) || op_check_same(c, 0, 2, e))
        return err_set(e, "its codes are no whole numbers, or not those of the zero point");
    if (op_check_type(c, 1, DTYPE_F32, e) || read_scales(c, &s, e))
        return -1;
    return op_output(c, 0, DTYPE_F32, &c->in[0].shape, e);
}

static const char *run_DequantizeLinear(const struct op_call *c)
{
    struct scales s;
    struct err unused;
    if (read_scales(c, &s, &unused))
        return "its scales do not fit";
    for (int64_t i = 0, n = shape_count(&c->in[0].shape); i < n; i++) {
        int64_t k = scale_of(&s, i);
        double zero = op_has(c, 2) ? array_double(&c->in[2], k) : 0;
        ((float *)c->out[0].data)[i] = (float)((array_double(&c->in[0], i) - zero) * array_double(&c->in[1], k));
    }
    return NULL;
}

static int infer_DynamicQuantizeLinear(struct op_call *c, struct err *e)
{
    struct shape scalar = {0};
    if (op_check_type(c, 0, DTYPE_F32, e) || op_output(c, 1, DTYPE_F32, &scalar, e) ||
        op_output(c, 2, DTYPE_U8, &scalar, e))
        return -1;
    if (c->n_out < 3)
        return err_set(e, "it has three outputs");
    return op_output(c, 0, DTYPE_U8, &c->in[0].shape, e);
}

/* 8 bits over the range of what comes, which holds 0. */
static const char *run_DynamicQuantizeLinear(const struct op_call *c)
{
    const float *x = c->in[0].data;
    int64_t n = shape_count(&c->in[0].shape);
    float lo = 0, hi = 0;
    for (int64_t i = 0; i < n; i++) {
        lo = fminf(lo, x[i]);
        hi = fmaxf(hi, x[i]);
    }
    float scale = (hi - lo) / 255, zero = scale > 0 ? rintf(fminf(fmaxf(-lo / scale, 0), 255)) : 0;
    for (int64_t i = 0; i < n; i++)
        ((uint8_t *)c->out[0].data)[i] = (uint8_t)(scale > 0 ? fminf(fmaxf(rintf(x[i] / scale) + zero, 0), 255) : 0);
    *(float *)c->out[1].data = scale;
    *(uint8_t *)c->out[2].data = (uint8_t)zero;
    return NULL;
}

/* --- QONNX
 * ------------------------------------------------------------------------------------------------------------ */

/* Scale, zero point and width are arrays that broadcast to x; widths and zero points are single numbers in practice. */
static int infer_Quant(struct op_call *c, struct err *e)
{
    struct shape to;
    const char *mode = op_attr_string(c, "rounding_mode", "ROUND");
    if (strcmp(mode, "ROUND") && strcmp(mode, "FLOOR") && strcmp(mode, "CEIL") && strcmp(mode, "ROUND_TO_ZERO"))
        return err_set(e, "rounding mode %.20s is not supported", mode);
    for (int k = 0; k < 4; k++)
        if (op_check_type(c, k, DTYPE_F32, e))
            return -1;
    if (shape_count(&c->in[3].shape) != 1)
        return err_set(e, "several widths are not supported");
    for (int k = 1; k < 3; k++)
        if (shape_broadcast(&c->in[0].shape, &c->in[k].shape, &to) || !shape_equal(&to, &c->in[0].shape))
            return err_set(e, "input %d does not broadcast to x", k);
    return op_infer_same(c, e);
}

static double round_as(const char *mode, double v)
{
    return !strcmp(mode, "FLOOR")           ? floor(v)
           : !strcmp(mode, "CEIL")          ? ceil(v)
           : !strcmp(mode, "ROUND_TO_ZERO") ? trunc(v)
                                            : rint(v);
}

static const char *run_Quant(const struct op_call *c)
{
    const float *x = c->in[0].data, *scale = c->in[1].data, *zero = c->in[2].data;
    float *y = c->out[0].data;
    double bits = *(const float *)c->in[3].data;
    bool is_signed = op_attr_int(c, "signed", 1), narrow = op_attr_int(c, "narrow", 0);
    const char *mode = op_attr_string(c, "rounding_mode", "ROUND");
    if (!(bits >= 1 && bits <= 32))
        return "its width is not 1 to 32 bits";
    double hi = is_signed ? exp2(bits - 1) - 1 : exp2(bits) - 1 - narrow, lo = is_signed ? -exp2(bits - 1) + narrow : 0;
    struct op_walk w;
    op_walk_begin(&w, &c->in[0].shape, &c->in[1].shape, &c->in[2].shape);
    for (int64_t row = 0; row < w.rows; row++, op_walk_next(&w))
        for (int64_t i = 0; i < w.inner; i++) {
            double s = (double)scale[w.offset_a + i * w.step_a], z = (double)zero[w.offset_b + i * w.step_b];
            double q = fmin(fmax(round_as(mode, (double)*x++ / s + z), lo), hi);
            *y++ = (float)((q - z) * s);
        }
    return NULL;
}

static int infer_BipolarQuant(struct op_call *c, struct err *e)
{
    struct shape to;
    if (op_check_type(c, 0, DTYPE_F32, e) || op_check_type(c, 1, DTYPE_F32, e))
        return -1;
    if (shape_broadcast(&c->in[0].shape, &c->in[1].shape, &to) || !shape_equal(&to, &c->in[0].shape))
        return err_set(e, "the scale does not broadcast to x");
    return op_infer_same(c, e);
}

static const char *run_BipolarQuant(const struct op_call *c)
{
    const float *x = c->in[0].data, *scale = c->in[1].data;
    float *y = c->out[0].data;
    struct op_walk w;
    op_walk_begin(&w, &c->in[0].shape, &c->in[1].shape, &c->in[1].shape);
    for (int64_t row = 0; row < w.rows; row++, op_walk_next(&w))
        for (int64_t i = 0; i < w.inner; i++, x++)
            *y++ = *x >= 0 ? scale[w.offset_a + i * w.step_a] : -scale[w.offset_a + i * w.step_a];
    return NULL;
}

#define QONNX(domain)                                                            \
    {"Quant", domain, 4, 4, 1, 0, infer_Quant, run_Quant},                       \
    {                                                                            \
        "BipolarQuant", domain, 2, 2, 1, 0, infer_BipolarQuant, run_BipolarQuant \
    }

const struct op_row ops_quantize[] = {
    {"QuantizeLinear", "", 2, 3, 1, 0, infer_QuantizeLinear, run_QuantizeLinear},
    {"DequantizeLinear", "", 2, 3, 1, 0, infer_DequantizeLinear, run_DequantizeLinear},
    {"DynamicQuantizeLinear", "", 1, 1, 3, 0, infer_DynamicQuantizeLinear, run_DynamicQuantizeLinear},
    QONNX("onnx.brevitas"),
    QONNX("qonnx.custom_op.general"),
    QONNX("finn.custom_op.general"),
    {.name = NULL},
};
