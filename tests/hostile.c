/* SPDX-License-Identifier: MIT */
#include "tests/hostile.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "tests/onnx_make.h"

/* Bytes that are written from the back, so that a length is known when its turn comes. */
struct back {
    uint8_t *data;
    size_t cap, at;
};

static struct back back_new(size_t cap)
{
    return (struct back){mem_new(cap, 1), cap, cap};
}

static void put(struct back *b, const void *bytes, size_t n)
{
    assert(b->at >= n);
    b->at -= n;
    memcpy(b->data + b->at, bytes, n);
}

static void put_varint(struct back *b, uint64_t v)
{
    uint8_t bytes[10];
    size_t n = 0;
    for (; v > 127; v >>= 7)
        bytes[n++] = (uint8_t)(v | 128);
    bytes[n++] = (uint8_t)v;
    put(b, bytes, n);
}

/* What was written since `from` is field `number`. */
static void put_field(struct back *b, unsigned number, size_t from)
{
    put_varint(b, from - b->at);
    put_varint(b, number << 3 | 2);
}

static void put_string(struct back *b, unsigned number, const char *s)
{
    size_t from = b->at;
    put(b, s, strlen(s));
    put_field(b, number, from);
}

static void put_number(struct back *b, unsigned number, uint64_t v)
{
    put_varint(b, v);
    put_varint(b, number << 3);
}

static uint8_t *back_take(struct back *b, size_t *n)
{
    *n = b->cap - b->at;
    memmove(b->data, b->data + b->at, *n);
    return b->data;
}

/* The model's other fields before a graph that was written since `from`. */
static void put_model(struct back *b, size_t from)
{
    put_field(b, 7, from);
    from = b->at;
    put_number(b, 2, 13);
    put_field(b, 8, from);
}

/* Input x of one element in so many dimensions, and output y of some. */
static void put_io(struct back *b, int rank)
{
    for (int out = 0; out < 2; out++) {
        size_t from = b->at;
        for (int i = 0; !out && i < rank; i++) {
            size_t dimension = b->at;
            put_number(b, 1, 1);
            put_field(b, 1, dimension);
        }
        if (!out)
            put_field(b, 2, from); /* the shape */
        put_number(b, 1, 1);
        put_field(b, 1, from); /* the tensor type */
        put_field(b, 2, from);
        put_string(b, 1, out ? "y" : "x");
        put_field(b, out ? 12 : 11, from);
    }
}

static uint8_t *packed(const char *text, size_t *n)
{
    struct arena a = {0};
    unsigned char *bytes = onnx_make_bytes(onnx_make_model(text, &a), &a, n);
    uint8_t *out = memcpy(mem_new(*n + 1, 1), bytes, *n);
    arena_done(&a);
    return out;
}

/* If in If in If, as deep as that; the condition is a constant or an input. */
static uint8_t *nest(int depth, int known, size_t *n)
{
    struct back b = back_new((size_t)depth * 128 + 4096);
    size_t whole = b.at;
    put_string(&b, 4, "Neg");
    put_string(&b, 2, "y");
    put_string(&b, 1, "x");
    put_field(&b, 1, whole);
    for (int i = 0; i < depth; i++) {
        size_t value = b.at;
        put_string(&b, 1, "y");
        put_field(&b, 12, value);
        put_field(&b, 6, whole); /* the sub-graph of an attribute of a node */
        put_string(&b, 1, "then_branch");
        put_number(&b, 20, 5);
        put_field(&b, 5, whole);
        put_string(&b, 4, "If");
        put_string(&b, 2, "y");
        put_string(&b, 1, known ? "c" : "x");
        put_field(&b, 1, whole);
        size_t c = b.at;
        put_string(&b, 8, "c");
        put_number(&b, 5, 1);
        put_number(&b, 2, 9);
        put_field(&b, 5, c);
    }
    put_io(&b, 1);
    put_model(&b, whole);
    return back_take(&b, n);
}

static uint8_t *nested(size_t *n)
{
    return nest(10000, 1, n);
}

static uint8_t *nested_unknown(size_t *n)
{
    return nest(10000, 0, n);
}

static uint8_t *nested_a_little(size_t *n)
{
    return nest(30, 1, n);
}

/* One node with a million inputs. */
static uint8_t *wide(const char *op, size_t *n)
{
    enum { INPUTS = 1000000 };
    struct back b = back_new(INPUTS * 3 + 4096);
    size_t whole = b.at;
    if (!strcmp(op, "Concat")) {
        put_number(&b, 3, 0);
        put_string(&b, 1, "axis");
        put_number(&b, 20, 2);
        put_field(&b, 5, whole);
    }
    put_string(&b, 4, op);
    put_string(&b, 2, "y");
    for (int i = 0; i < INPUTS; i++)
        put_string(&b, 1, "x");
    put_field(&b, 1, whole);
    put_io(&b, 1);

    put_model(&b, whole);
    return back_take(&b, n);
}

static uint8_t *wide_relu(size_t *n)
{
    return wide("Relu", n);
}

static uint8_t *wide_concat(size_t *n)
{
    return wide("Concat", n);
}

/* Nodes one after the other. */
static uint8_t *chain(size_t *n)
{
    enum { NODES = 100000 };
    struct back b = back_new(NODES * 48 + 4096);
    size_t whole = b.at;
    char name[16];
    for (int i = NODES; i-- > 0;) {
        size_t node = b.at;
        put_string(&b, 4, "LeakyRelu");
        snprintf(name, sizeof name, "t%d", i + 1);
        put_string(&b, 2, i + 1 == NODES ? "y" : name);
        snprintf(name, sizeof name, "t%d", i);
        put_string(&b, 1, i ? name : "x");
        put_field(&b, 1, node);
    }
    put_io(&b, 1);
    put_model(&b, whole);
    return back_take(&b, n);
}

/* Layers one after the other that all have one name. */
static uint8_t *namesakes(size_t *n)
{
    enum { NODES = 20000 };
    struct back b = back_new(NODES * 64 + 4096);
    size_t whole = b.at, w;
    char name[16];
    for (int i = NODES; i-- > 0;) {
        size_t node = b.at;
        put_string(&b, 4, "MatMul");
        put_string(&b, 3, "layer");
        snprintf(name, sizeof name, "t%d", i + 1);
        put_string(&b, 2, i + 1 == NODES ? "y" : name);
        put_string(&b, 1, "w");
        snprintf(name, sizeof name, "t%d", i);
        put_string(&b, 1, i ? name : "x");
        put_field(&b, 1, node);
    }
    w = b.at;
    put_string(&b, 9, "\x01\x01\x01\x01");
    put_string(&b, 8, "w");
    put_number(&b, 2, 1);
    put_number(&b, 1, 1);
    put_number(&b, 1, 1);
    put_field(&b, 5, w);
    put_io(&b, 2);
    put_model(&b, whole);
    return back_take(&b, n);
}

/* A tensor whose data says that it is as long as that, in a file that ends there. */
static uint8_t *claim(unsigned number, uint64_t length, size_t *n)
{
    struct back b = back_new(256);
    put_varint(&b, length);
    put_varint(&b, number << 3 | 2);
    put_varint(&b, length + 20); /* so that the lengths around it lie as well */
    put_varint(&b, 5 << 3 | 2);
    put_varint(&b, length + 40);
    put_varint(&b, 7 << 3 | 2);
    return back_take(&b, n);
}

static uint8_t *claim_raw(size_t *n)
{
    return claim(9, 2000000000, n);
}

static uint8_t *claim_floats(size_t *n)
{
    return claim(4, (uint64_t)1 << 62, n);
}

static uint8_t *claim_name(size_t *n)
{
    return claim(8, UINT64_MAX - 100, n);
}

static uint8_t *bytes_of(const char *bytes, size_t size, size_t *n)
{
    *n = size;
    return memcpy(mem_new(size, 1), bytes, size);
}

static uint8_t *group(size_t *n)
{
    return bytes_of("\x3a\x04\x0b\x0b\x0c\x0c", 6, n); /* a graph that is groups in groups */
}

static uint8_t *field_zero(size_t *n)
{
    return bytes_of("\x02\x00", 2, n);
}

static uint8_t *long_varint(size_t *n)
{
    return bytes_of("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12, n);
}

static uint8_t *graph_is_a_number(size_t *n)
{
    return bytes_of("\x38\x01", 2, n);
}

/* One graph in two fields: protobuf says that they are one. */
static uint8_t *two_graphs(size_t *n)
{
    struct back b = back_new(1024);
    size_t whole = b.at;
    put_string(&b, 4, "Neg");
    put_string(&b, 2, "y");
    put_string(&b, 1, "x");
    put_field(&b, 1, whole);
    put_field(&b, 7, whole);
    whole = b.at;
    put_io(&b, 1);
    put_model(&b, whole);
    return back_take(&b, n);
}

static uint8_t *two_tensors(size_t *n)
{
    struct back b = back_new(1024);
    size_t whole = b.at;
    for (int i = 0; i < 2; i++) {
        size_t t = b.at;
        put_number(&b, 2, 1);
        put_number(&b, 1, 0);
        put_field(&b, 5, t);
    }
    put_field(&b, 5, whole);
    put_string(&b, 3, "node");
    put_field(&b, 1, whole);
    put_model(&b, whole);
    return back_take(&b, n);
}

/* --- work without end --------------------------------------------------------------------------------------------- */

/* A line of text for each i. */
static uint8_t *repeated(const char *head, const char *line, int times, const char *tail, size_t *n)
{
    struct arena a = {0};
    size_t cap = strlen(head) + strlen(tail) + (size_t)times * (strlen(line) + 32) + 1;
    char *text = arena_new(&a, cap, 1), *at = text + sprintf(text, "%s", head);
    for (int i = 0; i < times; i++) /* the format has the number at most three times */
        at += snprintf(at, cap - (size_t)(at - text), line, i, i, i + 1);
    strcpy(at, tail);
    uint8_t *out = packed(text, n);
    arena_done(&a);
    return out;
}

/* Constants of 256 MB each, a thousand times their file. */
static uint8_t *expands(size_t *n)
{
    return repeated("in x 1\nints d 2 = 8192,8192\nconst t0 1\n", "Expand(t0,d)->u%d\nReduceMax(u%d)->t%d keepdims=0\n",
                    25, "Add(x,t25)->y\nout y", n);
}

static uint8_t *expands_kept(size_t *n)
{
    return repeated("in x 1\nints d 2 = 8192,8192\nconst k 1\n", "Expand(k,d)->u%d\nReduceMax(u%d)->t%d keepdims=0\n",
                    20, "Sum(x,u0,u1,u2,u3,u4,u5,u6,u7,u8,u9,u10,u11,u12,u13,u14,u15,u16,u17,u18,u19)->y\nout y", n);
}

static uint8_t *tiles(size_t *n)
{
    return packed("in x 1\nints d 1 = 64\nconst t0 4096\n"
                  "Tile(t0,d)->a\nTile(a,d)->b\nTile(b,d)->c\nReduceMax(c)->m keepdims=0\nAdd(x,m)->y\nout y",
                  n);
}

static uint8_t *products(size_t *n)
{
    return repeated("in x 1\nints d 2 = 4096,4096\nconst k 1\nExpand(k,d)->t0\n", "MatMul(t%d,t%d)->t%d\n", 50,
                    "ReduceMax(t50)->m keepdims=0\nAdd(x,m)->y\nout y", n);
}

static uint8_t *turns(size_t *n)
{
    return packed("in x 1,2\nints m 1 = 1000000000000\ngraph B\nin i:7\nin c\nin a\nNeg(a)->b\nout c\nout b\nend\n"
                  "Loop(m,,x)->y name='loop' body={B}\nout y",
                  n);
}

static uint8_t *turns_in_turns(size_t *n)
{
    return packed("in x 1,2\nints m 1 = 900\ngraph J\nin i:7\nin c\nin a\nNeg(a)->b\nout c\nout b\nend\n"
                  "graph B\nin i:7\nin c\nin a\nLoop(m,,a)->b body={J}\nout c\nout b\nend\n"
                  "Loop(m,,x)->y name='loop' body={B}\nout y",
                  n);
}

/* --- words -------------------------------------------------------------------------------------------------------- */

static uint8_t *odd_name(size_t *n)
{
    return packed("in x 1,2\nRelu(x,x)->y name='a\x1b[31m\xc3\xa4\x7f'\nout y", n);
}

static uint8_t *odd_word(size_t *n)
{
    return packed("in x 1,1,4,4\nconst w 1,1,2,2\nConv(x,w)->y auto_pad='\x1b[31m\xc3\xa4\r'\nout y", n);
}

static uint8_t *far_dimension(size_t *n)
{
    return packed("in x 1,1000000000000\nRelu(x)->y\nout y", n);
}

static uint8_t *negative_dimension(size_t *n)
{
    return packed("in x 1,-4\nRelu(x)->y\nout y", n);
}

static uint8_t *negative_value(size_t *n)
{
    return packed("in x 1,4\nints s 2 = 4,-7\nExpand(x,s)->y\nout y", n);
}

static uint8_t *far_value(size_t *n)
{
    return packed("in x 1,4\nints s 2 = 1000000000000,4\nExpand(x,s)->y\nout y", n);
}

static uint8_t *far_range(size_t *n)
{
    return packed("in x 1\nints a scalar = 0\nints b scalar = 1000000000000\nints c scalar = "
                  "1\nRange(a,b,c)->r\nCast(r)->f to=1\n"
                  "Add(x,f)->y\nout y",
                  n);
}

/* --- what contradicts itself -------------------------------------------------------------------------------------- */

static uint8_t *cycle(size_t *n)
{
    return packed("in x 1,3\nAdd(x,c)->a name='first'\nRelu(a)->b\nNeg(b)->c\nout c", n);
}

static uint8_t *missing_input(size_t *n)
{
    return packed("in x 1,3\nAdd(x,z)->y name='node'\nout y", n);
}

static uint8_t *duplicate_output(size_t *n)
{
    return packed("in x 1,3\nRelu(x)->y\nNeg(x)->y\nout y", n);
}

static uint8_t *duplicate_initializer(size_t *n)
{
    return packed("in x 1,3\nconst k 1\nints k 1 = 1\nAdd(x,k)->y\nout y", n);
}

static uint8_t *wrong_type(size_t *n)
{
    return packed("in x 1,3\nints k 3 = 1,2,3\nMul(x,k)->y name='node'\nout y", n);
}

static uint8_t *wrong_attribute(size_t *n)
{
    return packed("in x 1,3,4\nFlatten(x)->y axis='two' name='node'\nout y", n);
}

/* A batch of 4 is taken as 1 also in the shapes of Reshape: there is none here. */
static uint8_t *reshape_to_nothing(size_t *n)
{
    return packed("in x 4,3\nReshape(x,)->y name='node'\nout y", n);
}

static uint8_t *short_data(size_t *n)
{
    struct arena a = {0};
    Onnx__ModelProto *m = onnx_make_model("in x 1,3\nconst w 3,3\nMatMul(x,w)->y\nout y", &a);
    m->graph->initializer[0]->n_float_data--;
    unsigned char *bytes = onnx_make_bytes(m, &a, n);
    uint8_t *out = memcpy(mem_new(*n + 1, 1), bytes, *n);
    arena_done(&a);
    return out;
}

const struct hostile_case hostile_cases[] = {
    {"10,000 sub-graphs in each other", nested, "sub-graphs deeper than 32"},
    {"10,000 of which none is known", nested_unknown, "not a single bool"},
    {"30 sub-graphs in each other", nested_a_little, NULL},
    {"a million inputs too many", wide_relu, "1000000 inputs"},
    {"a million inputs", wide_concat, NULL},
    {"a Reshape that does not say to what", reshape_to_nothing, "\"node\""},
    {"100,000 nodes", chain, NULL},
    {"20,000 layers of one name", namesakes, NULL},
    {"raw data of 2 GB in a few bytes", claim_raw, "cut short"},
    {"floats of 4 EiB", claim_floats, "cut short"},
    {"a name of 16 EiB", claim_name, "cut short"},
    {"groups", group, "not an ONNX file"},
    {"field 0", field_zero, "not an ONNX file"},
    {"a number of 11 bytes", long_varint, "not an ONNX file"},
    {"a graph that is a number", graph_is_a_number, "not an ONNX file"},
    {"a graph in two parts", two_graphs, NULL},
    {"two tensors in one attribute", two_tensors, "node \"node\": an attribute holds two tensors"},
    {"constants of 6 GB", expands, NULL},
    {"constants of 5 GB at once", expands_kept, NULL},
    {"4 GB of Tile of Tile of Tile", tiles, NULL},
    {"50 products of 69 billion steps", products, NULL},
    {"a Loop of 10^12 turns", turns, "node \"loop\": it runs more than 1000 times"},
    {"a Loop in a Loop", turns_in_turns, "more than 100000 nodes"},
    {"a name that drives terminals", odd_name, "node \"a?[31m???\": 2 inputs"},
    {"a word that drives terminals", odd_word, "?[31m???"},
    {"10^12 elements", far_dimension, "dimension 1 is 1000000000000"},
    {"less than none", negative_dimension, "dimension 1 is -4"},
    {"a shape of less than none", negative_value, "does not broadcast"},
    {"a shape of 10^12", far_value, "1000000000000"},
    {"a cycle", cycle, "it is part of a cycle through \"a\""},
    {"an input that nobody makes", missing_input, "node \"node\": its input \"z\" is not defined anywhere"},
    {"two makers", duplicate_output, "tensor \"y\" is defined twice"},
    {"two initializers", duplicate_initializer, "tensor \"k\" is defined twice"},
    {"types that do not fit", wrong_type, "node \"node\": "},
    {"an attribute of another type", wrong_attribute, "node \"node\": attribute axis has the wrong type"},
    {"eight numbers for nine", short_data, "tensor \"w\": its data has 8 values, its shape asks for 9"},
    {"10^12 numbers in a row", far_range, "a range from 0 to 1e+12"},
};
const int hostile_cases_count = sizeof hostile_cases / sizeof *hostile_cases;
