/* SPDX-License-Identifier: MIT */
#include "tests/onnx_make.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 128 };

struct block { /* a sub-graph by name */
    const char *name;
    Onnx__GraphProto *graph;
};

struct maker {
    struct arena *a;
    Onnx__ModelProto *model;
    Onnx__GraphProto *graph;   /* where lines go */
    struct block blocks[MOST]; /* those that are open come last */
    int n_blocks;
    Onnx__GraphProto *outer[MOST];
    int depth;
    size_t lines; /* at least as many as nodes */
};

float onnx_make_value(int64_t i)
{
    return (float)(i * 7 % 11 - 5) * 0.25f;
}

static char *copy_n(struct arena *a, const char *s, size_t n)
{
    char *out = arena_new(a, n + 1, 1);
    return memcpy(out, s, n);
}

/* Cuts *s at the next separator and moves past it; what was cut off, in the arena. */
static char *cut(struct arena *a, const char **s, const char *separators)
{
    size_t n = strcspn(*s, separators);
    char *out = copy_n(a, *s, n);
    *s += n + ((*s)[n] != '\0');
    return out;
}

static int64_t *parse_ints(struct arena *a, const char *s, size_t *n)
{
    int64_t *out = arena_new(a, MOST, sizeof *out);
    *n = 0;
    while (*s) {
        assert(*n < MOST);
        out[(*n)++] = strtoll(cut(a, &s, ","), NULL, 10);
    }
    return out;
}

static Onnx__TypeProto *make_type(struct arena *a, const char *dims)
{
    Onnx__TypeProto *type = arena_new(a, 1, sizeof *type);
    Onnx__TypeProto__Tensor *t = arena_new(a, 1, sizeof *t);
    onnx__type_proto__init(type);
    onnx__type_proto__tensor__init(t);
    type->tensor_type = t;
    t->elem_type = 1;
    if (*dims == ':')
        t->elem_type = (int)strtol(cut(a, &dims, " ") + 1, NULL, 10);
    if (!*dims)
        return type;
    t->shape = arena_new(a, 1, sizeof *t->shape);
    onnx__tensor_shape_proto__init(t->shape);
    if (strcmp(dims, "scalar") == 0)
        return type;
    t->shape->dim = arena_new(a, MOST, sizeof *t->shape->dim);
    while (*dims) {
        Onnx__TensorShapeProto__Dimension *d = arena_new(a, 1, sizeof *d);
        char *s = cut(a, &dims, ",");
        onnx__tensor_shape_proto__dimension__init(d);
        d->value_case = isalpha((unsigned char)*s) ? ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM
                                                   : ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        if (isalpha((unsigned char)*s))
            d->dim_param = s;
        else
            d->dim_value = strtoll(s, NULL, 10);
        t->shape->dim[t->shape->n_dim++] = d;
    }
    return type;
}

static void add_value(struct maker *m, Onnx__ValueInfoProto **list, size_t *n, const char *line)
{
    Onnx__ValueInfoProto *v = arena_new(m->a, 1, sizeof *v);
    onnx__value_info_proto__init(v);
    size_t length = strcspn(line, ": ");
    v->name = copy_n(m->a, line, length);
    line += length + (line[length] == ' ');
    v->type = make_type(m->a, line);
    assert(*n < MOST);
    list[(*n)++] = v;
}

enum { FLOATS = 1, U8 = 2, I8 = 3, I32 = 6, I64 = 7, BOOL = 9 }; /* TensorProto.DataType */

static int64_t whole_value(int type, int64_t i)
{
    return type == U8 ? i * 37 % 256 : type == I8 ? i * 37 % 255 - 127 : i * 37 % 2001 - 1000;
}

static void add_tensor(struct maker *m, const char *line, int type)
{
    Onnx__TensorProto *t = arena_new(m->a, 1, sizeof *t);
    onnx__tensor_proto__init(t);
    t->name = cut(m->a, &line, " ");
    char *dims = cut(m->a, &line, " ");
    if (strcmp(dims, "scalar") != 0)
        t->dims = parse_ints(m->a, dims, &t->n_dims);
    t->data_type = type;
    size_t count = 1;
    for (size_t i = 0; i < t->n_dims; i++)
        count *= (size_t)t->dims[i];
    if (*line == '=')
        line += 1 + strspn(line + 1, " ");
    t->float_data = type == FLOATS ? arena_new(m->a, count, sizeof(float)) : NULL;
    t->int64_data = type == I64 ? arena_new(m->a, count, sizeof(int64_t)) : NULL;
    t->int32_data = type != I64 && type != FLOATS ? arena_new(m->a, count, sizeof(int32_t)) : NULL;
    int pattern = !*line;
    for (size_t i = 0; i < count; i++) {
        const char *value = pattern ? "" : cut(m->a, &line, ",");
        if (type == FLOATS)
            t->float_data[i] = pattern ? onnx_make_value((int64_t)i) : strtof(value, NULL);
        else if (type == I64)
            t->int64_data[i] = strtoll(value, NULL, 10);
        else
            t->int32_data[i] = (int32_t)(pattern ? whole_value(type, (int64_t)i) : strtol(value, NULL, 10));
    }
    *(type == FLOATS ? &t->n_float_data : type == I64 ? &t->n_int64_data : &t->n_int32_data) = count;
    assert(m->graph->n_initializer < MOST);
    m->graph->initializer[m->graph->n_initializer++] = t;
}

/* Takes an initializer out of the graph to be the value of an attribute. */
static Onnx__TensorProto *take_tensor(struct maker *m, const char *name)
{
    Onnx__GraphProto *g = m->graph;
    for (size_t i = 0; i < g->n_initializer; i++)
        if (strcmp(g->initializer[i]->name, name) == 0) {
            Onnx__TensorProto *t = g->initializer[i];
            g->initializer[i] = g->initializer[--g->n_initializer];
            return t;
        }
    assert(!"a tensor attribute must name a const or ints line above it");
    return NULL;
}

/* The bytes of the sub-graph of that name. */
static ProtobufCBinaryData take_block(struct maker *m, const char *name)
{
    for (int i = 0; i < m->n_blocks; i++)
        if (strcmp(m->blocks[i].name, name) == 0) {
            size_t n = onnx__graph_proto__get_packed_size(m->blocks[i].graph);
            uint8_t *bytes = arena_new(m->a, n + 1, 1);
            onnx__graph_proto__pack(m->blocks[i].graph, bytes);
            return (ProtobufCBinaryData){n, bytes};
        }
    assert(!"a graph attribute must name a graph above it");
    return (ProtobufCBinaryData){0, NULL};
}

static void add_attr(struct maker *m, Onnx__NodeProto *n, const char *text)
{
    Onnx__AttributeProto *a = arena_new(m->a, 1, sizeof *a);
    onnx__attribute_proto__init(a);
    a->name = cut(m->a, &text, "=");
    if (*text == '\'') {
        text++;
        char *s = cut(m->a, &text, "'");
        if (strcmp(a->name, "name") == 0) {
            n->name = s;
            return;
        }
        a->type = 3;
        a->s = (ProtobufCBinaryData){strlen(s), (uint8_t *)s};
    } else if (*text == '[') {
        text++;
        a->type = 7;
        a->ints = parse_ints(m->a, cut(m->a, &text, "]"), &a->n_ints);
    } else if (*text == '{') {
        text++;
        a->type = 5;
        a->g = take_block(m, cut(m->a, &text, "}"));
    } else if (isalpha((unsigned char)*text)) {
        a->type = 4;
        a->t = take_tensor(m, text);
    } else if (strchr(text, '.')) {
        a->type = 1;
        a->f = strtof(text, NULL);
    } else {
        a->type = 2;
        a->i = strtoll(text, NULL, 10);
    }
    assert(n->n_attribute < MOST);
    n->attribute[n->n_attribute++] = a;
}

static char **parse_names(struct arena *a, const char *s, size_t *n)
{
    char **out = arena_new(a, MOST, sizeof *out);
    for (*n = 0; *s;) {
        size_t len = strcspn(s, ",");
        out[(*n)++] = copy_n(a, s, len);
        if (s[len] == ',' && !s[len + 1])
            out[(*n)++] = copy_n(a, "", 0);
        s += len + (s[len] == ',');
    }
    return out;
}

static void add_node(struct maker *m, const char *line)
{
    Onnx__NodeProto *n = arena_new(m->a, 1, sizeof *n);
    onnx__node_proto__init(n);
    n->op_type = cut(m->a, &line, "(");
    char *colon = strchr(n->op_type, ':');
    if (colon) {
        *colon = '\0';
        n->domain = n->op_type;
        n->op_type = colon + 1;
    }
    n->input = parse_names(m->a, cut(m->a, &line, ")"), &n->n_input);
    assert(strncmp(line, "->", 2) == 0);
    line += 2;
    n->output = parse_names(m->a, cut(m->a, &line, " "), &n->n_output);
    n->attribute = arena_new(m->a, MOST, sizeof *n->attribute);
    while (*line)
        add_attr(m, n, cut(m->a, &line, " "));
    m->graph->node[m->graph->n_node++] = n;
}

static Onnx__GraphProto *new_graph(struct arena *a, size_t n_nodes)
{
    Onnx__GraphProto *g = arena_new(a, 1, sizeof *g);
    onnx__graph_proto__init(g);
    g->input = arena_new(a, MOST, sizeof *g->input);
    g->output = arena_new(a, MOST, sizeof *g->output);
    g->value_info = arena_new(a, MOST, sizeof *g->value_info);
    g->initializer = arena_new(a, MOST, sizeof *g->initializer);
    g->node = arena_new(a, n_nodes, sizeof *g->node);
    return g;
}

static void open_graph(struct maker *m, const char *name)
{
    assert(m->n_blocks < MOST && m->depth < MOST);
    m->outer[m->depth++] = m->graph;
    m->graph = new_graph(m->a, m->lines);
    m->blocks[m->n_blocks++] = (struct block){arena_strdup(m->a, name), m->graph};
}

static void add_line(struct maker *m, const char *line)
{
    Onnx__GraphProto *g = m->graph;
    if (strncmp(line, "graph ", 6) == 0)
        open_graph(m, line + 6);
    else if (strcmp(line, "end") == 0)
        m->graph = m->outer[--m->depth];
    else if (strncmp(line, "opset ", 6) == 0)
        m->model->opset_import[0]->version = strtoll(line + 6, NULL, 10);
    else if (strncmp(line, "in ", 3) == 0)
        add_value(m, g->input, &g->n_input, line + 3);
    else if (strncmp(line, "out ", 4) == 0)
        add_value(m, g->output, &g->n_output, line + 4);
    else if (strncmp(line, "value ", 6) == 0)
        add_value(m, g->value_info, &g->n_value_info, line + 6);
    else if (strncmp(line, "const ", 6) == 0)
        add_tensor(m, line + 6, FLOATS);
    else if (strncmp(line, "ints ", 5) == 0)
        add_tensor(m, line + 5, I64);
    else if (strncmp(line, "u8 ", 3) == 0)
        add_tensor(m, line + 3, U8);
    else if (strncmp(line, "i8 ", 3) == 0)
        add_tensor(m, line + 3, I8);
    else if (strncmp(line, "i32 ", 4) == 0)
        add_tensor(m, line + 4, I32);
    else if (strncmp(line, "bools ", 6) == 0)
        add_tensor(m, line + 6, BOOL);
    else if (*line)
        add_node(m, line);
}

Onnx__ModelProto *onnx_make_model(const char *text, struct arena *a)
{
    size_t lines = 1;
    for (const char *c = text; *c; c++)
        lines += *c == '\n';
    struct maker m = {.a = a, .model = arena_new(a, 1, sizeof *m.model), .graph = new_graph(a, lines), .lines = lines};
    onnx__model_proto__init(m.model);
    m.model->graph = m.graph;
    m.model->ir_version = 8;
    m.model->producer_name = arena_strdup(a, "test");
    m.model->n_opset_import = 1;
    m.model->opset_import = arena_new(a, 1, sizeof *m.model->opset_import);
    m.model->opset_import[0] = arena_new(a, 1, sizeof **m.model->opset_import);
    onnx__operator_set_id_proto__init(m.model->opset_import[0]);
    m.model->opset_import[0]->version = 13;
    while (*text)
        add_line(&m, cut(a, &text, "\n"));
    assert(m.depth == 0);
    return m.model;
}

unsigned char *onnx_make_bytes(const Onnx__ModelProto *m, struct arena *a, size_t *n)
{
    *n = onnx__model_proto__get_packed_size(m);
    unsigned char *bytes = arena_new(a, *n, 1);
    onnx__model_proto__pack(m, bytes);
    return bytes;
}
