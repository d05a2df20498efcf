/* SPDX-License-Identifier: MIT */
#include "model/onnx.h"

#include <limits.h>
#include <string.h>

#include "base/hash.h"
#include "model/onnx.pb-c.h"
#include "model/onnx_read.h"

enum { NAME_SHOWN = 120, SMALL = 512, SMALL_BLOCK = 64 * 1024, ITEMS_MAX = 1 << 22 };

/* Field numbers that protobuf-c unpacks; the others are tensors and messages, which are walked, or nobody's. */
static const uint64_t MODEL_FIELDS = 1 << 1 | 1 << 2 | 1 << 8, NODE_FIELDS = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 7,
                      ATTR_FIELDS = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 20;

struct reader {
    struct onnx_model *m;
    struct wire *w;
    struct err *e;
    int n_items; /* nodes, attributes, tensors, declarations */
    int cap_nodes, cap_initializers, cap_inputs, cap_outputs, cap_values, cap_tensors;
};

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

/* --- memory ------------------------------------------------------------------------------------------------------- */

/* A model has a hundred thousand small strings: they do not get a cache line each. */
static void *allocate(void *model, size_t n)
{
    struct onnx_model *m = model;
    n = (n + 15) / 16 * 16;
    if (n > SMALL)
        return arena_new(&m->arena, n, 1);
    if (m->small_left < n) {
        m->small = arena_new(&m->arena, SMALL_BLOCK, 1);
        m->small_left = SMALL_BLOCK;
    }
    void *p = m->small;
    m->small += n;
    m->small_left -= n;
    return p;
}

static void release(void *model, void *p)
{
    (void)model;
    (void)p;
}

ProtobufCAllocator onnx_allocator(struct onnx_model *m)
{
    return (ProtobufCAllocator){allocate, release, m};
}

/* Room for one more at the end of a list, which is cleared. */
static void *grow(void *list, int *n, int *cap, size_t size)
{
    char **items = list;
    if (*n == *cap) {
        int more = *cap ? 2 * *cap : 64;
        *items = mem_resize(*items, (size_t)*cap, (size_t)more, size);
        *cap = more;
    }
    return *items + (size_t)(*n)++ * size;
}

/* Each takes a few bytes of file and some hundred of memory. */
static int count_item(struct reader *r)
{
    return ++r->n_items > ITEMS_MAX ? err_set(r->e, "more than %d nodes, attributes and tensors", ITEMS_MAX) : 0;
}

/* Out of a message, unless all is over anyway. */
static void leave(struct wire *w, int64_t outer, int failed)
{
    if (!failed)
        wire_leave(w, outer);
}

void onnx_keep(struct wire *w, const struct wire_field *f, uint64_t numbers, struct wire_bytes *rest)
{
    if (f->number < 64 && numbers >> f->number & 1)
        wire_copy(w, f, rest);
    else
        wire_skip(w, f);
}

/* --- nodes -------------------------------------------------------------------------------------------------------- */

static const char *take_string(struct onnx_model *m, const ProtobufCBinaryData *b)
{
    char *s = allocate(m, b->len + 1);
    if (b->len)
        memcpy(s, b->data, b->len);
    return s;
}

/* has_tensor: it has one, of whatever type. */
static void take_attr(struct onnx_model *m, const Onnx__AttributeProto *p, bool has_tensor, struct attr *a)
{
    *a = (struct attr){.name = p->name, .type = p->type, .i = p->i, .f = p->f, .s = take_string(m, &p->s)};
    /* Files of before IR 2 do not say which it is. */
    if (!a->type)
        a->type = p->n_ints      ? ATTR_INTS
                  : p->n_floats  ? ATTR_FLOATS
                  : p->n_strings ? ATTR_STRINGS
                  : has_tensor   ? ATTR_TENSOR
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
        struct onnx_subgraph *g = allocate(m, sizeof *g);
        *g = (struct onnx_subgraph){p->g.data, p->g.len};
        a->graph = g;
        m->has_subgraphs = true;
    }
}

/* The AttributeProto that w has entered. *tensor: the one in it, or NULL. */
static int read_attr(struct reader *r, struct attr *a, struct onnx_tensor **tensor)
{
    ProtobufCAllocator allocator = onnx_allocator(r->m);
    struct wire_bytes rest = {0};
    struct wire_field f;
    int rc = 0;
    *tensor = NULL;
    while (!rc && wire_next(r->w, &f)) {
        if (f.number != 5) {
            onnx_keep(r->w, &f, ATTR_FIELDS, &rest);
            continue;
        }
        rc = *tensor ? err_set(r->e, "an attribute holds two tensors") : 0; /* protobuf would merge them */
        struct onnx_tensor **slot =
            grow(&r->m->tensors, &r->m->n_tensors, &r->cap_tensors, sizeof(struct onnx_tensor *));
        *slot = *tensor = allocate(r->m, sizeof **tensor);
        int64_t outer = wire_enter(r->w, &f);
        rc = rc ? rc : onnx_tensor_read(r->m, r->w, *tensor, false, r->e);
        leave(r->w, outer, rc);
    }
    Onnx__AttributeProto *p = rc || r->w->failed ? NULL : onnx__attribute_proto__unpack(&allocator, rest.n, rest.data);
    if (p)
        take_attr(r->m, p, *tensor, a);
    else if (!rc)
        rc = wire_fail(r->w);
    if (p && a->type == ATTR_TENSOR && *tensor)
        a->t = (*tensor)->value;
    wire_bytes_done(&rest);
    return rc;
}

static void name_node(struct onnx_model *m, const struct wire_bytes *rest, struct err *e)
{
    ProtobufCAllocator allocator = onnx_allocator(m);
    const Onnx__NodeProto *p = onnx__node_proto__unpack(&allocator, rest->n, rest->data);
    err_wrap(e, "node \"%s\"", p ? onnx_name_show(&m->arena, p->name) : "");
}

/* The NodeProto that w has entered. */
static int read_node(struct reader *r, struct onnx_node *n)
{
    struct onnx_model *m = r->m;
    ProtobufCAllocator allocator = onnx_allocator(m);
    struct wire_bytes rest = {0};
    struct attr *attr = NULL;
    struct onnx_tensor *tensor = NULL;
    struct wire_field f;
    int rc = 0, cap = 0, n_tensors = 0;
    *n = (struct onnx_node){.name = "", .op_type = "", .domain = ""};
    while (!rc && wire_next(r->w, &f)) {
        if (f.number != 5) {
            onnx_keep(r->w, &f, NODE_FIELDS, &rest);
            continue;
        }
        int64_t outer = wire_enter(r->w, &f);
        rc = count_item(r) || read_attr(r, grow(&attr, &n->n_attr, &cap, sizeof *attr), &tensor) ? -1 : 0;
        leave(r->w, outer, rc);
        n_tensors += tensor != NULL;
        n->tensor = n_tensors == 1 ? tensor ? tensor : n->tensor : NULL;
    }
    Onnx__NodeProto *p = rc || r->w->failed ? NULL : onnx__node_proto__unpack(&allocator, rest.n, rest.data);
    if (p) {
        n->name = p->name;
        n->op_type = p->op_type;
        n->domain = p->domain;
        n->n_in = (int)p->n_input;
        n->n_out = (int)p->n_output;
        n->in = (const char *const *)p->input;
        n->out = (const char *const *)p->output;
        struct attr *own = allocate(m, (size_t)n->n_attr * sizeof *attr + 1);
        if (n->n_attr)
            memcpy(own, attr, (size_t)n->n_attr * sizeof *attr);
        n->attr = own;
    } else if (rc && !r->w->failed) {
        name_node(m, &rest, r->e);
    } else {
        rc = wire_fail(r->w);
    }
    mem_free(attr);
    wire_bytes_done(&rest);
    return rc;
}

/* --- declarations ------------------------------------------------------------------------------------------------- */

static int take_value(struct onnx_model *m, const Onnx__ValueInfoProto *p, struct onnx_value *v, struct err *e)
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

static int read_value(struct reader *r, const struct wire_field *f, struct onnx_value *v)
{
    ProtobufCAllocator allocator = onnx_allocator(r->m);
    struct wire_bytes bytes = {0};
    *v = (struct onnx_value){.name = "", .rank = -1};
    if (f->type != WIRE_LENGTH)
        return wire_fail(r->w);
    wire_append(r->w, f, &bytes);
    Onnx__ValueInfoProto *p = r->w->failed ? NULL : onnx__value_info_proto__unpack(&allocator, bytes.n, bytes.data);
    wire_bytes_done(&bytes);
    return p ? take_value(r->m, p, v, r->e) : wire_fail(r->w);
}

/* --- graph and model ---------------------------------------------------------------------------------------------- */

/* The GraphProto that w has entered. What a file says in two parts is one graph, as protobuf merges them. */
static int read_graph(struct reader *r)
{
    struct onnx_model *m = r->m;
    struct wire_field f;
    int rc = 0;
    while (!rc && wire_next(r->w, &f)) {
        bool node = f.number == 1, tensor = f.number == 5;
        int64_t outer = node || tensor ? wire_enter(r->w, &f) : 0;
        if (count_item(r))
            rc = -1;
        else if (node)
            rc = read_node(r, grow(&m->nodes, &m->n_nodes, &r->cap_nodes, sizeof *m->nodes));
        else if (tensor)
            rc = onnx_tensor_read(
                m, r->w, grow(&m->initializers, &m->n_initializers, &r->cap_initializers, sizeof *m->initializers),
                true, r->e);
        else if (f.number == 11)
            rc = read_value(r, &f, grow(&m->inputs, &m->n_inputs, &r->cap_inputs, sizeof *m->inputs));
        else if (f.number == 12)
            rc = read_value(r, &f, grow(&m->outputs, &m->n_outputs, &r->cap_outputs, sizeof *m->outputs));
        else if (f.number == 13)
            rc = read_value(r, &f, grow(&m->values, &m->n_values, &r->cap_values, sizeof *m->values));
        else if (f.number == 15)
            rc = err_set(r->e, "sparse initializers are not supported");
        else
            wire_skip(r->w, &f);
        if (node || tensor)
            leave(r->w, outer, rc);
    }
    return rc || r->w->failed ? -1 : 0;
}

static int take_model(struct onnx_model *m, const struct wire_bytes *rest, struct wire *w)
{
    ProtobufCAllocator allocator = onnx_allocator(m);
    Onnx__ModelProto *p = onnx__model_proto__unpack(&allocator, rest->n, rest->data);
    if (!p)
        return wire_fail(w);
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
    return 0;
}

/* The file that w has opened, which is closed at the end. */
static int read_model(struct onnx_model *m, struct wire *w, struct err *e)
{
    struct reader r = {.m = m, .w = w, .e = e};
    struct wire_bytes rest = {0};
    struct wire_field f;
    int rc = 0;
    while (!rc && wire_next(w, &f)) {
        if (f.number != 7) {
            onnx_keep(w, &f, MODEL_FIELDS, &rest);
            continue;
        }
        int64_t outer = wire_enter(w, &f);
        rc = read_graph(&r);
        leave(w, outer, rc);
    }
    if (!rc && !w->failed)
        rc = take_model(m, &rest, w);
    wire_bytes_done(&rest);
    if (!rc && !w->failed && !m->n_nodes)
        rc = err_set(e, "not an ONNX model: it holds no graph");
    if (rc && !w->failed)
        err_wrap(e, "%s", w->name);
    w->failed |= rc != 0;
    return wire_close(w, m->fingerprint);
}

int onnx_read_file(struct onnx_model *m, const char *path, const char *folder, struct err *e)
{
    struct wire w;
    *m = (struct onnx_model){.folder = folder, .producer = ""};
    return wire_open_file(&w, path, e) ? -1 : read_model(m, &w, e);
}

int onnx_read(struct onnx_model *m, const char *file, const char *folder, const void *bytes, size_t n, struct err *e)
{
    struct wire w;
    *m = (struct onnx_model){.folder = folder, .producer = ""};
    wire_open_bytes(&w, file, bytes, n, e);
    if (read_model(m, &w, e))
        return -1;
    hash_fingerprint(bytes, n, m->fingerprint);
    return 0;
}

int onnx_read_subgraph(struct onnx_model *m, const char *file, const char *folder, const struct onnx_subgraph *g,
                       struct err *e)
{
    struct wire w;
    *m = (struct onnx_model){.folder = folder, .producer = ""};
    wire_open_bytes(&w, file, g->bytes, g->n, e);
    struct reader r = {.m = m, .w = &w, .e = e};
    if (read_graph(&r) && !w.failed)
        return err_wrap(e, "%s", file);
    return wire_close(&w, NULL);
}

void onnx_done(struct onnx_model *m)
{
    for (int i = 0; i < m->n_initializers; i++)
        mem_free(m->initializers[i].value.data);
    for (int i = 0; i < m->n_tensors; i++)
        mem_free(m->tensors[i]->value.data);
    mem_free(m->nodes);
    mem_free(m->initializers);
    mem_free(m->inputs);
    mem_free(m->outputs);
    mem_free(m->values);
    mem_free(m->tensors);
    arena_done(&m->arena);
    *m = (struct onnx_model){0};
}

int onnx_read_tensor(struct onnx_model *m, const void *bytes, size_t n, struct array *out, const char **name,
                     struct err *e)
{
    struct wire w;
    *m = (struct onnx_model){.producer = ""};
    wire_open_bytes(&w, "tensor", bytes, n, e);
    struct reader r = {.m = m};
    struct onnx_tensor *t = grow(&m->initializers, &m->n_initializers, &r.cap_initializers, sizeof *t);
    if (onnx_tensor_read(m, &w, t, true, e))
        return -1;
    *name = t->name;
    *out = t->value;
    return wire_close(&w, NULL);
}
