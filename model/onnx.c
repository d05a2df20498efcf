/* SPDX-License-Identifier: MIT */
#include "model/onnx.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "model/onnx.pb-c.h"

enum { NAME_SHOWN = 120 };

const char *onnx_name_show(struct arena *a, const char *name)
{
    size_t n = strlen(name);
    char *s = arena_new(a, (n < NAME_SHOWN ? n : NAME_SHOWN) + 4, 1);
    for (size_t i = 0; i < n && i < NAME_SHOWN; i++)
        s[i] = name[i] < 0x20 || name[i] > 0x7e || name[i] == '"' ? '?' : name[i];
    if (n > NAME_SHOWN)
        strcat(s, "...");
    return s;
}

static int read_tensor(struct onnx_model *m, const Onnx__TensorProto *p, struct onnx_tensor *t, struct err *e)
{
    const char *shown = onnx_name_show(&m->arena, p->name);
    *t = (struct onnx_tensor){.name = p->name, .type = p->data_type, .count = 1, .proto = p};
    if (p->data_location != 0 || p->n_external_data)
        return err_set(
            e, "tensor \"%s\": its data is in another file, which is not supported; save the model as one file", shown);
    if (p->n_dims > SHAPE_MAX)
        return err_set(e, "tensor \"%s\": %zu dimensions, at most %d are supported", shown, p->n_dims, SHAPE_MAX);
    for (size_t i = 0; i < p->n_dims; i++) {
        if (p->dims[i] < 0 || p->dims[i] > INT_MAX)
            return err_set(e, "tensor \"%s\": dimension %zu is %lld", shown, i, (long long)p->dims[i]);
        if (__builtin_mul_overflow(t->count, p->dims[i], &t->count) || t->count > INT_MAX)
            return err_set(e, "tensor \"%s\" is too large", shown);
        t->shape.d[t->shape.n++] = p->dims[i];
    }
    return 0;
}

static int read_attr(struct onnx_model *m, const Onnx__AttributeProto *p, struct onnx_attr *a, struct err *e)
{
    *a = (struct onnx_attr){.name = p->name, .type = p->type, .i = p->i, .f = p->f};
    char *s = arena_new(&m->arena, p->s.len + 1, 1);
    if (p->s.len)
        memcpy(s, p->s.data, p->s.len);
    a->s = s;
    if (p->type == ATTR_INTS) {
        a->n = p->n_ints;
        a->ints = p->ints;
    } else if (p->type == ATTR_FLOATS) {
        a->n = p->n_floats;
        a->floats = p->floats;
    } else if (p->type == ATTR_TENSOR && p->t) {
        struct onnx_tensor *t = arena_new(&m->arena, 1, sizeof *t);
        a->t = t;
        return read_tensor(m, p->t, t, e);
    }
    return 0;
}

static int read_node(struct onnx_model *m, const Onnx__NodeProto *p, struct onnx_node *n, struct err *e)
{
    *n = (struct onnx_node){.name = p->name, .op_type = p->op_type, .domain = p->domain};
    n->n_in = (int)p->n_input;
    n->n_out = (int)p->n_output;
    n->n_attr = (int)p->n_attribute;
    n->in = (const char *const *)p->input;
    n->out = (const char *const *)p->output;
    struct onnx_attr *attr = arena_new(&m->arena, p->n_attribute, sizeof *attr);
    n->attr = attr;
    for (int i = 0; i < n->n_attr; i++)
        if (read_attr(m, p->attribute[i], &attr[i], e))
            return err_wrap(e, "node \"%s\"", onnx_name_show(&m->arena, p->name));
    return 0;
}

static int read_value(struct onnx_model *m, const Onnx__ValueInfoProto *p, struct onnx_value *v, struct err *e)
{
    *v = (struct onnx_value){.name = p->name, .rank = -1};
    if (!p->type || !p->type->tensor_type)
        return 0;
    v->type = p->type->tensor_type->elem_type;
    const Onnx__TensorShapeProto *s = p->type->tensor_type->shape;
    if (!s)
        return 0;
    const char *shown = onnx_name_show(&m->arena, p->name);
    if (s->n_dim > SHAPE_MAX)
        return err_set(e, "tensor \"%s\": %zu dimensions, at most %d are supported", shown, s->n_dim, SHAPE_MAX);
    v->rank = (int)s->n_dim;
    for (int i = 0; i < v->rank; i++) {
        const Onnx__TensorShapeProto__Dimension *d = s->dim[i];
        bool known = d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE && d->dim_value != -1;
        v->d[i] = known ? d->dim_value : -1;
        if (known && (d->dim_value < 0 || d->dim_value > INT_MAX))
            return err_set(e, "tensor \"%s\": dimension %d is %lld", shown, i, (long long)d->dim_value);
    }
    return 0;
}

static int read_values(struct onnx_model *m, Onnx__ValueInfoProto **p, size_t n, struct onnx_value **out, int *n_out,
                       struct err *e)
{
    *out = arena_new(&m->arena, n, sizeof **out);
    *n_out = (int)n;
    for (size_t i = 0; i < n; i++)
        if (read_value(m, p[i], &(*out)[i], e))
            return -1;
    return 0;
}

static int read_graph(struct onnx_model *m, const Onnx__GraphProto *g, struct err *e)
{
    if (g->n_sparse_initializer)
        return err_set(e, "sparse initializers are not supported");
    m->initializers = arena_new(&m->arena, g->n_initializer, sizeof *m->initializers);
    m->n_initializers = (int)g->n_initializer;
    for (size_t i = 0; i < g->n_initializer; i++)
        if (read_tensor(m, g->initializer[i], &m->initializers[i], e))
            return -1;
    m->nodes = arena_new(&m->arena, g->n_node, sizeof *m->nodes);
    m->n_nodes = (int)g->n_node;
    for (size_t i = 0; i < g->n_node; i++)
        if (read_node(m, g->node[i], &m->nodes[i], e))
            return -1;
    if (read_values(m, g->input, g->n_input, &m->inputs, &m->n_inputs, e) ||
        read_values(m, g->output, g->n_output, &m->outputs, &m->n_outputs, e))
        return -1;
    return read_values(m, g->value_info, g->n_value_info, &m->values, &m->n_values, e);
}

int onnx_read(struct onnx_model *m, const char *file, const void *bytes, size_t n, struct err *e)
{
    *m = (struct onnx_model){0};
    if (n > INT_MAX)
        return err_set(e, "%s: larger than 2 GiB", file);
    Onnx__ModelProto *p = onnx__model_proto__unpack(NULL, n, bytes);
    if (!p)
        return err_set(e, "%s: not an ONNX file, or cut short", file);
    m->proto = p;
    m->ir_version = p->ir_version;
    m->producer = p->producer_name;
    for (size_t i = 0; i < p->n_opset_import; i++)
        if (!*p->opset_import[i]->domain || strcmp(p->opset_import[i]->domain, "ai.onnx") == 0)
            m->opset = p->opset_import[i]->version;
    if (!p->graph || !p->graph->n_node)
        return err_set(e, "%s: not an ONNX model: it holds no graph", file);
    if (read_graph(m, p->graph, e))
        return err_wrap(e, "%s", file);
    return 0;
}

void onnx_done(struct onnx_model *m)
{
    if (m->proto)
        onnx__model_proto__free_unpacked(m->proto, NULL);
    arena_done(&m->arena);
    *m = (struct onnx_model){0};
}

int onnx_type_class(int onnx_type)
{
    switch (onnx_type) {
    case ONNX_FLOAT:
    case ONNX_FLOAT16:
    case ONNX_DOUBLE:
        return DTYPE_F32;
    case ONNX_UINT8:
    case ONNX_INT8:
    case ONNX_UINT16:
    case ONNX_INT16:
    case ONNX_INT32:
    case ONNX_INT64:
    case ONNX_BOOL:
    case ONNX_UINT32:
    case ONNX_UINT64:
        return DTYPE_I64;
    }
    return -1;
}

/* IEEE half precision, any value including subnormals. */
static float half_to_float(uint16_t h)
{
    int exponent = (h >> 10) & 31, fraction = h & 1023;
    float v;
    if (exponent == 31)
        v = fraction ? NAN : INFINITY;
    else if (exponent == 0)
        v = ldexpf((float)fraction, -24);
    else
        v = ldexpf((float)(fraction + 1024), exponent - 25);
    return h & 0x8000 ? -v : v;
}

/* Little-endian bytes to a number, whatever this machine is. */
static uint64_t load(const uint8_t *p, int size)
{
    uint64_t v = 0;
    for (int i = size - 1; i >= 0; i--)
        v = v << 8 | p[i];
    return v;
}

static float float_of_bits(int type, uint64_t bits)
{
    uint32_t word = (uint32_t)bits;
    float f;
    double d;
    if (type == ONNX_FLOAT16)
        return half_to_float((uint16_t)bits);
    if (type == ONNX_DOUBLE) {
        memcpy(&d, &bits, sizeof d);
        return (float)d;
    }
    memcpy(&f, &word, sizeof f);
    return f;
}

static int64_t int_of_bits(int type, uint64_t bits)
{
    switch (type) {
    case ONNX_INT8:
        return (int8_t)bits;
    case ONNX_INT16:
        return (int16_t)bits;
    case ONNX_INT32:
        return (int32_t)bits;
    case ONNX_BOOL:
        return bits != 0;
    }
    return (int64_t)bits;
}

static int size_of_type(int type)
{
    switch (type) {
    case ONNX_UINT8:
    case ONNX_INT8:
    case ONNX_BOOL:
        return 1;
    case ONNX_UINT16:
    case ONNX_INT16:
    case ONNX_FLOAT16:
        return 2;
    case ONNX_INT64:
    case ONNX_UINT64:
    case ONNX_DOUBLE:
        return 8;
    }
    return 4;
}

/* Which of the typed lists the specification gives a type to, when raw_data is empty. */
static size_t typed_count(const Onnx__TensorProto *p, int type)
{
    switch (type) {
    case ONNX_FLOAT:
        return p->n_float_data;
    case ONNX_DOUBLE:
        return p->n_double_data;
    case ONNX_INT64:
        return p->n_int64_data;
    case ONNX_UINT32:
    case ONNX_UINT64:
        return p->n_uint64_data;
    }
    return p->n_int32_data;
}

static float typed_float(const Onnx__TensorProto *p, int type, int64_t i)
{
    if (type == ONNX_FLOAT)
        return p->float_data[i];
    return type == ONNX_DOUBLE ? (float)p->double_data[i] : half_to_float((uint16_t)p->int32_data[i]);
}

static int64_t typed_int(const Onnx__TensorProto *p, int type, int64_t i)
{
    if (type == ONNX_INT64)
        return p->int64_data[i];
    return type == ONNX_UINT32 || type == ONNX_UINT64 ? (int64_t)p->uint64_data[i] : p->int32_data[i];
}

int onnx_tensor_decode(const struct onnx_tensor *t, void *out, struct err *e)
{
    const Onnx__TensorProto *p = t->proto;
    int size = size_of_type(t->type);
    bool raw = p->raw_data.len > 0, floats = onnx_type_class(t->type) == DTYPE_F32;
    float *f = out;
    int64_t *k = out;
    if (raw && p->raw_data.len != (size_t)t->count * (size_t)size)
        return err_set(e, "its data has %zu bytes, its shape asks for %lld", p->raw_data.len,
                       (long long)t->count * size);
    if (!raw && typed_count(p, t->type) != (size_t)t->count)
        return err_set(e, "its data has %zu values, its shape asks for %lld", typed_count(p, t->type),
                       (long long)t->count);
    for (int64_t i = 0; i < t->count; i++) {
        uint64_t bits = raw ? load(p->raw_data.data + i * size, size) : 0;
        if (floats)
            f[i] = raw ? float_of_bits(t->type, bits) : typed_float(p, t->type, i);
        else
            k[i] = raw ? int_of_bits(t->type, bits) : typed_int(p, t->type, i);
    }
    return 0;
}
