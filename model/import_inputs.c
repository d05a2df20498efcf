/* SPDX-License-Identifier: MIT
 *
 * What is there before the first node: initializers, and inputs with what the caller says of them.
 */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "model/graph_load.h"
#include "model/import.h"

int import_initializer(struct build *b, struct onnx_tensor *t, const char *name, bool again)
{
    const struct source s = {.name = name};
    const struct shape *shape = &t->value.shape;
    if (names_get(&b->bound, name) >= 0)
        return import_fail_tensor(b, name, "is defined twice");
    if (t->value.type == DTYPE_F32 && shape_count(shape) == 0 && shape->n > 1)
        return import_fail_tensor(b, name, "has a dimension of 0");
    struct array value = again ? t->value : onnx_tensor_take(t);
    int c = again ? build_array(b, &s, name, &value) : build_take(b, &s, name, &value);
    if (c >= 0)
        build_name_tensor(b, name, c);
    return c < 0 ? -1 : 0;
}

int import_initializers(struct build *b)
{
    for (int i = 0; i < b->model.n_initializers; i++)
        if (import_initializer(b, &b->model.initializers[i], b->model.initializers[i].name, false))
            return -1;
    return 0;
}

/* Inputs that must be fed: those without an initializer (which files before IR 4 list too). */
static bool is_fed(const struct build *b, const struct onnx_value *v)
{
    int t = names_get(&b->bound, v->name);
    return t < 0 || !b->tensors[t].data;
}

/* A batch that is baked into every input is taken as 1; inputs that differ keep what they say. */
static int64_t find_batch(const struct build *b)
{
    int64_t batch = 0;
    for (int i = 0; i < b->model.n_inputs; i++) {
        const struct onnx_value *v = &b->model.inputs[i];
        if (!is_fed(b, v))
            continue;
        int64_t d = v->rank >= 2 && v->d[0] > 0 ? v->d[0] : 1;
        if (batch && d != batch)
            return 1;
        batch = d;
    }
    return batch ? batch : 1;
}

static const struct graph_input *find_given(const struct build *b, const char *name)
{
    for (int i = 0; b->options && i < b->options->n_inputs; i++)
        if (!strcmp(b->options->inputs[i].name, name))
            return &b->options->inputs[i];
    return NULL;
}

/* As the file has it: "2x?x128". */
static const char *show_declared(struct build *b, const struct onnx_value *v)
{
    struct shape said = {.n = v->rank};
    memcpy(said.d, v->d, sizeof said.d);
    return shape_show(&b->arena, &said);
}

static bool is_open(const struct build *b, const struct onnx_value *v)
{
    const struct graph_input *given = find_given(b, v->name);
    bool open = false;
    for (int i = 1; i < v->rank; i++)
        open |= v->d[i] < 0;
    return open && is_fed(b, v) && !(given && (given->shape.n >= 0 || given->numbers || array_there(&given->value)));
}

/* All open inputs at once, with what to type: "--shape state:2xNx128", where a number must stand for N. */
static int fail_open(struct build *b, const struct onnx_value *first)
{
    struct text said = {0}, shapes = {0};
    for (int k = 0; k < b->model.n_inputs; k++) {
        const struct onnx_value *v = &b->model.inputs[k];
        if (v != first && !is_open(b, v))
            continue;
        const char *name = onnx_name_show(&b->arena, v->name);
        text_printf(&said, "%sinput \"%s\" is %s", said.n ? ", " : "", name, show_declared(b, v));
        text_printf(&shapes, " --shape %s:", name);
        for (int i = 0; i < v->rank; i++)
            if (v->d[i] < 0 && i)
                text_printf(&shapes, "xN");
            else
                text_printf(&shapes, "%s%lld", i ? "x" : "", v->d[i] < 0 ? 1LL : (long long)v->d[i]);
    }
    err_set(b->e, "%s: %s:%s gives what is open", b->file, said.s, shapes.s);
    text_done(&said);
    text_done(&shapes);
    return -1;
}

static int check_fits(struct build *b, const struct onnx_value *v, const struct shape *given)
{
    const struct source s = {.name = v->name};
    bool fits = v->rank < 0 || v->rank == given->n;
    for (int i = 0; fits && i < v->rank; i++)
        fits = v->d[i] == -1 || i == 0 || v->d[i] == given->d[i];
    return fits ? 0
                : build_fail(b, &s, "shape %s does not fit the file's %s", shape_show(&b->arena, given),
                             show_declared(b, v));
}

/* The shape that the caller gave, else the file's, with 1 for a batch that is not a number. */
static int input_shape(struct build *b, const struct onnx_value *v, const struct graph_input *given, struct shape *out)
{
    if (given && given->shape.n >= 0) {
        *out = given->shape;
        return check_fits(b, v, out);
    }
    if (v->rank < 0)
        return import_fail_tensor(b, v->name, "is an input without a shape; --shape gives one");
    *out = (struct shape){.n = v->rank};
    for (int i = 0; i < v->rank; i++) {
        out->d[i] = i == 0 && (v->d[0] == -1 || (b->batch > 1 && v->d[0] == b->batch)) ? 1 : v->d[i];
        if (out->d[i] < 0)
            return fail_open(b, v);
    }
    return 0;
}

/* One number of the text as an element; false when it is none of that type. */
static bool parse_number(const char *s, size_t n, enum dtype type, void *out)
{
    char text[64], *end = text;
    if (!n || n >= sizeof text || isspace((unsigned char)*s))
        return false;
    memcpy(text, s, n);
    text[n] = '\0';
    errno = 0;
    if (dtype_is_float(type)) {
        double v = strtod(text, &end);
        if (type == DTYPE_F64)
            *(double *)out = v;
        else
            *(float *)out = (float)v;
        return !*end && !errno && (type == DTYPE_F64 || !isfinite(v) || isfinite((float)v));
    }
    bool wide = type == DTYPE_U64 && *text != '-';
    uint64_t v = wide ? strtoull(text, &end, 10) : (uint64_t)strtoll(text, &end, 10);
    size_t size = dtype_size(type);
    uint8_t b = (uint8_t)v;
    uint16_t h = (uint16_t)v;
    uint32_t w = (uint32_t)v;
    memcpy(out, size == 1 ? (void *)&b : size == 2 ? (void *)&h : size == 4 ? (void *)&w : (void *)&v, size);
    struct array one = {type, {0}, out};
    return !*end && !errno && (wide || array_int(&one, 0) == (int64_t)v) && !(type == DTYPE_U64 && *text == '-') &&
           !(type == DTYPE_BOOL && v > 1);
}

/* "1,2,3": one number for every element, or one for all. */
static int parse_value(struct build *b, const struct onnx_value *v, const struct graph_input *given, enum dtype type)
{
    const struct source s = {.name = v->name};
    struct shape shape = {1, {1}};
    void *data;
    for (const char *c = given->numbers; *c; c++)
        shape.d[0] += *c == ',';
    int64_t n = shape.d[0];
    bool any_length = v->rank == 1 && v->d[0] == -1 && given->shape.n < 0;
    if (!any_length && input_shape(b, v, given, &shape))
        return -1;
    int64_t count = build_check_count(b, &s, v->name, &shape) ? -1 : shape_count(&shape);
    if (count >= 0 && n != 1 && n != count)
        return build_fail(b, &s, "--value has %lld numbers, its shape %s asks for %lld", (long long)n,
                          shape_show(&b->arena, &shape), (long long)count);
    int t = count < 0 ? -1 : build_constant(b, &s, v->name, type, &shape, &data);
    const char *at = given->numbers;
    for (int64_t i = 0; t >= 0 && i < count; i++) {
        size_t length = strcspn(at, ",");
        if (!parse_number(at, length, type, (char *)data + (size_t)i * dtype_size(type)))
            return build_fail(b, &s, "--value: '%.*s' is not of its type %s", (int)(length < 60 ? length : 60),
                              onnx_name_show(&b->arena, at), dtype_name(type));
        at += n == 1 ? 0 : length + 1;
    }
    return t;
}

/* The constant that the caller gives for an input, or -1. */
static int fix_input(struct build *b, const struct onnx_value *v, const struct graph_input *given, enum dtype type)
{
    const struct source s = {.name = v->name};
    if (given->numbers)
        return parse_value(b, v, given, type);
    if (given->value.type != type)
        return build_fail(b, &s, "its value is given as %s, its type is %s", dtype_name(given->value.type),
                          dtype_name(type));
    return check_fits(b, v, &given->value.shape) ? -1 : build_array(b, &s, v->name, &given->value);
}

static int import_input(struct build *b, const struct onnx_value *v)
{
    const struct source s = {.name = v->name};
    const struct graph_input *given = find_given(b, v->name);
    enum dtype type = onnx_dtype(v->type);
    struct shape shape;
    if (type == DTYPE_NONE)
        return build_fail(b, &s, "an input of data type %d is not supported", v->type);
    if (names_get(&b->bound, v->name) >= 0)
        return import_fail_tensor(b, v->name, "is defined twice");
    bool fixed = given && (array_there(&given->value) || given->numbers);
    if (!fixed && input_shape(b, v, given, &shape))
        return -1;
    int t = fixed ? fix_input(b, v, given, type) : build_tensor(b, &s, v->name, type, &shape);
    if (t < 0)
        return -1;
    build_name_tensor(b, v->name, t);
    if (!fixed)
        b->inputs[b->n_inputs++] = t;
    return 0;
}

/* A name that is no input of the model is a mistake of the caller. */
static int check_given(struct build *b)
{
    for (int i = 0; b->options && i < b->options->n_inputs; i++) {
        bool there = false;
        for (int k = 0; k < b->model.n_inputs; k++)
            there |= !strcmp(b->model.inputs[k].name, b->options->inputs[i].name);
        if (!there)
            return err_set(b->e, "%s: the model has no input \"%s\"", b->file,
                           onnx_name_show(&b->arena, b->options->inputs[i].name));
    }
    return 0;
}

int import_inputs(struct build *b)
{
    if (check_given(b))
        return -1;
    b->batch = b->options && b->options->keep_batch ? 1 : find_batch(b);
    b->inputs = arena_new(&b->arena, (size_t)b->model.n_inputs, sizeof *b->inputs);
    for (int i = 0; i < b->model.n_inputs; i++)
        if (is_fed(b, &b->model.inputs[i]) && import_input(b, &b->model.inputs[i]))
            return -1;
    return 0;
}
