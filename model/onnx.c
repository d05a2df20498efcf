/* SPDX-License-Identifier: MIT */
#include "model/onnx.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

enum { ONNX_FLOAT16 = 10, ONNX_BFLOAT16 = 16 };

static bool is_half(int onnx_type)
{
    return onnx_type == ONNX_FLOAT16 || onnx_type == ONNX_BFLOAT16;
}

enum dtype onnx_dtype(int onnx_type)
{
    return is_half(onnx_type) ? DTYPE_F32 : dtype_of_onnx(onnx_type);
}

/* A whole number in decimal; -1 when it is none. */
static int64_t parse_offset(const char *s)
{
    char *end;
    errno = 0;
    long long v = strtoll(s, &end, 10);
    return *s >= '0' && *s <= '9' && !*end && !errno ? v : -1;
}

/* Only in the model's own folder, wherever links lead. The caller frees. NULL with a message. */
static char *external_path(const char *folder, const char *location, struct err *e)
{
    char *path = mem_printf("%s/%s", folder, location), *real = realpath(path, NULL);
    int error = errno;
    char *root = realpath(folder, NULL);
    size_t n = root ? strlen(root) : 0;
    bool inside = real && root && !strncmp(real, root, n) && (real[n] == '/' || (n == 1 && *root == '/'));
    if (!real || !root)
        err_set(e, "its data file %.200s cannot be read: %s", location, strerror(error));
    else if (!inside)
        err_set(e, "its data file %.200s is outside of the model's folder", location);
    char *out = inside ? mem_strdup(real) : NULL;
    free(real);
    free(root);
    mem_free(path);
    return out;
}

/* raw: `length` bytes from `offset` of the file. */
static int read_slice(struct onnx_model *m, const char *path, int64_t offset, int64_t length, struct onnx_tensor *t,
                      struct err *e)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        int error = fd < 0 ? errno : EINVAL;
        if (fd >= 0)
            close(fd);
        return err_set(e, "its data file cannot be read: %s", strerror(error));
    }
    int rc = 0;
    if (offset > st.st_size || length > st.st_size - offset) {
        rc = err_set(e, "its data ends at byte %lld of a file of %lld", (long long)(offset + length),
                     (long long)st.st_size);
    } else {
        char *to = arena_new(&m->arena, (size_t)length + 1, 1);
        for (int64_t done = 0; done < length && !rc;) {
            ssize_t n = pread(fd, to + done, (size_t)(length - done), offset + done);
            if (n > 0)
                done += n;
            else if (n == 0 || errno != EINTR)
                rc = err_set(e, "its data file cannot be read: %s", n ? strerror(errno) : "it became shorter");
        }
        t->raw = (uint8_t *)to;
        t->raw_n = (size_t)length;
    }
    close(fd);
    return rc;
}

static int read_external(struct onnx_model *m, const Onnx__TensorProto *p, struct onnx_tensor *t, struct err *e)
{
    const char *location = NULL;
    int64_t offset = 0, length = -1;
    for (size_t i = 0; i < p->n_external_data; i++) {
        const char *key = p->external_data[i]->key, *value = p->external_data[i]->value;
        if (!strcmp(key, "location"))
            location = value;
        else if (!strcmp(key, "offset"))
            offset = parse_offset(value);
        else if (!strcmp(key, "length"))
            length = parse_offset(value);
    }
    size_t size = onnx_dtype(t->onnx_type) == DTYPE_NONE ? 0
                  : is_half(t->onnx_type)                ? 2
                                                         : dtype_size(onnx_dtype(t->onnx_type));
    int64_t needed = dtype_is_nibble(onnx_dtype(t->onnx_type)) ? (shape_count(&t->shape) + 1) / 2
                                                               : shape_count(&t->shape) * (int64_t)size;
    if (!m->folder)
        return err_set(e, "its data is in another file, which is only read beside a model that is a file");
    if (!location || !*location || *location == '/' || offset < 0)
        return err_set(e, "it does not say where its data is");
    if (length >= 0 && length != needed)
        return err_set(e, "its data has %lld bytes, its shape asks for %lld", (long long)length, (long long)needed);
    char *path = external_path(m->folder, location, e);
    int rc = path ? read_slice(m, path, offset, needed, t, e) : -1;
    mem_free(path);
    return rc;
}

static int take_tensor(struct onnx_model *m, const Onnx__TensorProto *p, struct onnx_tensor *t, struct err *e)
{
    const char *shown = onnx_name_show(&m->arena, p->name);
    int64_t count = 1;
    *t = (struct onnx_tensor){.name = p->name, .onnx_type = p->data_type, .proto = p};
    if (p->n_dims > SHAPE_MAX)
        return err_set(e, "tensor \"%s\": %zu dimensions, at most %d are supported", shown, p->n_dims, SHAPE_MAX);
    for (size_t i = 0; i < p->n_dims; i++) {
        if (p->dims[i] < 0 || p->dims[i] > INT_MAX)
            return err_set(e, "tensor \"%s\": dimension %zu is %lld", shown, i, (long long)p->dims[i]);
        if (__builtin_mul_overflow(count, p->dims[i], &count) || count > ARRAY_MAX)
            return err_set(e, "tensor \"%s\" is too large", shown);
        t->shape.d[t->shape.n++] = p->dims[i];
    }
    t->raw = p->raw_data.data;
    t->raw_n = p->raw_data.len;
    if (p->data_location == 0 && !p->n_external_data)
        return 0;
    return read_external(m, p, t, e) ? err_wrap(e, "tensor \"%s\"", shown) : 0;
}

static const char *take_string(struct onnx_model *m, const ProtobufCBinaryData *b)
{
    char *s = arena_new(&m->arena, b->len + 1, 1);
    if (b->len)
        memcpy(s, b->data, b->len);
    return s;
}

static int read_attr(struct onnx_model *m, const Onnx__AttributeProto *p, struct attr *a, struct err *e)
{
    *a = (struct attr){.name = p->name, .type = p->type, .i = p->i, .f = p->f, .s = take_string(m, &p->s)};
    /* Files of before IR 2 do not say which it is. */
    if (!a->type)
        a->type = p->n_ints      ? ATTR_INTS
                  : p->n_floats  ? ATTR_FLOATS
                  : p->n_strings ? ATTR_STRINGS
                  : p->t         ? ATTR_TENSOR
                  : p->s.len     ? ATTR_STRING
                  : p->f != 0    ? ATTR_FLOAT
                                 : ATTR_INT;
    if (a->type == ATTR_INTS) {
        a->n = p->n_ints;
        a->ints = p->ints;
    } else if (a->type == ATTR_FLOATS) {
        a->n = p->n_floats;
        a->floats = p->floats;
    } else if (a->type == ATTR_STRINGS) {
        a->n = p->n_strings;
        const char **all = arena_new(&m->arena, a->n + 1, sizeof *all);
        for (size_t i = 0; i < a->n; i++)
            all[i] = take_string(m, &p->strings[i]);
        a->strings = all;
    } else if (a->type == ATTR_GRAPH) {
        a->graph = &p->g;
    } else if (a->type == ATTR_TENSOR && p->t) {
        struct onnx_tensor t;
        if (take_tensor(m, p->t, &t, e))
            return -1;
        if (onnx_dtype(t.onnx_type) != DTYPE_NONE) /* else whoever asks for it finds nothing */
            return onnx_tensor_read(&t, &m->arena, &a->t, e);
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
    struct attr *attr = arena_new(&m->arena, p->n_attribute, sizeof *attr);
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
        if (take_tensor(m, g->initializer[i], &m->initializers[i], e))
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

int onnx_read(struct onnx_model *m, const char *file, const char *folder, const void *bytes, size_t n, struct err *e)
{
    *m = (struct onnx_model){.folder = folder};
    if (n > INT_MAX)
        return err_set(e, "%s: larger than 2 GiB", file);
    Onnx__ModelProto *p = onnx__model_proto__unpack(NULL, n, bytes);
    if (!p)
        return err_set(e, "%s: not an ONNX file, or cut short", file);
    m->proto = p;
    m->ir_version = p->ir_version;
    m->producer = p->producer_name;
    m->opsets = arena_new(&m->arena, p->n_opset_import + 1, sizeof *m->opsets);
    for (size_t i = 0; i < p->n_opset_import; i++) {
        const char *domain = p->opset_import[i]->domain;
        domain = strcmp(domain, "ai.onnx") ? domain : "";
        m->opsets[m->n_opsets++] = (struct onnx_opset){domain, p->opset_import[i]->version};
        if (!*domain)
            m->opset = p->opset_import[i]->version;
    }
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
    if (m->tensor)
        onnx__tensor_proto__free_unpacked(m->tensor, NULL);
    arena_done(&m->arena);
    *m = (struct onnx_model){0};
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

/* Little-endian bytes to the memory of a number, whatever this machine is. */
static void load(const uint8_t *p, size_t size, void *out)
{
    uint64_t v = 0;
    for (size_t i = size; i-- > 0;)
        v = v << 8 | p[i];
    uint8_t b = (uint8_t)v;
    uint16_t h = (uint16_t)v;
    uint32_t w = (uint32_t)v;
    memcpy(out, size == 1 ? (void *)&b : size == 2 ? (void *)&h : size == 4 ? (void *)&w : (void *)&v, size);
}

static float widen(int onnx_type, uint16_t half)
{
    if (onnx_type == ONNX_FLOAT16)
        return half_to_float(half);
    uint32_t bits = (uint32_t)half << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* How many values the list has that the specification gives the type to, when raw_data is empty. */
static size_t typed_count(const Onnx__TensorProto *p, int type)
{
    switch (dtype_of_onnx(type)) {
    case DTYPE_F32:
        return p->n_float_data;
    case DTYPE_F64:
        return p->n_double_data;
    case DTYPE_I64:
        return p->n_int64_data;
    case DTYPE_U32:
    case DTYPE_U64:
        return p->n_uint64_data;
    default:
        return p->n_int32_data;
    }
}

static void typed_value(const Onnx__TensorProto *p, int type, int64_t i, enum dtype to, void *out)
{
    switch (dtype_of_onnx(type)) {
    case DTYPE_F32:
        *(float *)out = p->float_data[i];
        break;
    case DTYPE_F64:
        *(double *)out = p->double_data[i];
        break;
    case DTYPE_I64:
        *(int64_t *)out = p->int64_data[i];
        break;
    case DTYPE_U32:
        *(uint32_t *)out = (uint32_t)p->uint64_data[i];
        break;
    case DTYPE_U64:
        *(uint64_t *)out = p->uint64_data[i];
        break;
    case DTYPE_NONE:
        *(float *)out = widen(type, (uint16_t)p->int32_data[i]);
        break;
    default: /* narrow integers and bool */
        if (dtype_size(to) == 1)
            *(uint8_t *)out = (uint8_t)p->int32_data[i];
        else if (dtype_size(to) == 2)
            *(uint16_t *)out = (uint16_t)p->int32_data[i];
        else
            *(int32_t *)out = p->int32_data[i];
    }
}

/* The bytes are numbers of this machine as they are: ONNX's are little-endian. */
static bool is_native(const uint8_t *p, size_t size)
{
    static const union {
        uint16_t word;
        uint8_t first;
    } probe = {1};
    return probe.first == 1 && (uintptr_t)p % size == 0;
}

/* Two 4-bit values a byte, the first in its lower half. */
static int read_nibbles(const struct onnx_tensor *t, struct arena *a, struct array *out, struct err *e)
{
    const Onnx__TensorProto *p = t->proto;
    int64_t count = shape_count(&out->shape);
    size_t packed = ((size_t)count + 1) / 2, have = t->raw_n ? t->raw_n : p->n_int32_data;
    if (have != packed)
        return err_set(e, "its data has %zu bytes, its shape asks for %zu", have, packed);
    uint8_t *to = out->data = arena_new(a, (size_t)count + 1, 1);
    for (int64_t i = 0; i < count; i++) {
        uint8_t pair = t->raw_n ? t->raw[i / 2] : (uint8_t)p->int32_data[i / 2];
        to[i] = i % 2 ? pair >> 4 : pair & 15;
        if (out->type == DTYPE_I4 && to[i] > 7)
            to[i] |= 0xf0;
    }
    return 0;
}

int onnx_tensor_read(const struct onnx_tensor *t, struct arena *a, struct array *out, struct err *e)
{
    const Onnx__TensorProto *p = t->proto;
    enum dtype type = onnx_dtype(t->onnx_type);
    int64_t count = shape_count(&t->shape);
    if (type == DTYPE_NONE)
        return err_set(e, "its data type %d is not supported", t->onnx_type);
    *out = (struct array){.type = type, .shape = t->shape};
    if (dtype_is_nibble(type))
        return read_nibbles(t, a, out, e);
    bool halves = is_half(t->onnx_type), raw = t->raw_n > 0;
    size_t size = dtype_size(type), stored = halves ? 2 : size;
    if (raw && t->raw_n != (size_t)count * stored)
        return err_set(e, "its data has %zu bytes, its shape asks for %zu", t->raw_n, (size_t)count * stored);
    if (!raw && typed_count(p, t->onnx_type) != (size_t)count)
        return err_set(e, "its data has %zu values, its shape asks for %lld", typed_count(p, t->onnx_type),
                       (long long)count);
    if (raw && is_native(t->raw, size) && !halves && type != DTYPE_BOOL) { /* large weights are not copied here */
        out->data = (void *)t->raw;
        return 0;
    }
    out->data = arena_new(a, (size_t)count + 1, size);
    for (int64_t i = 0; i < count; i++) {
        char *to = (char *)out->data + (size_t)i * size;
        uint16_t half;
        if (!raw) {
            typed_value(p, t->onnx_type, i, type, to);
        } else if (halves) {
            load(t->raw + (size_t)i * 2, 2, &half);
            *(float *)(void *)to = widen(t->onnx_type, half);
        } else {
            load(t->raw + (size_t)i * size, size, to);
        }
        if (type == DTYPE_BOOL)
            *to = *to != 0;
    }
    return 0;
}

int onnx_read_tensor(struct onnx_model *m, const void *bytes, size_t n, struct array *out, const char **name,
                     struct err *e)
{
    *m = (struct onnx_model){0};
    Onnx__TensorProto *p = onnx__tensor_proto__unpack(NULL, n, bytes);
    if (!p)
        return err_set(e, "not a tensor, or cut short");
    m->tensor = p;
    struct onnx_tensor t;
    if (take_tensor(m, p, &t, e))
        return -1;
    *name = t.name;
    return onnx_tensor_read(&t, &m->arena, out, e);
}
