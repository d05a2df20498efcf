/* SPDX-License-Identifier: MIT
 *
 * Reading: one model from memory, from a file, from a gzip file and from standard input is one graph; lists in all
 * their spellings; what opening takes of memory.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/rng.h"
#include "base/text.h"
#include "model/graph_load.h"
#include "model/wire.h"
#include "tests/onnx_make.h"
#include "tests/process.h"

Suite *check_wire_suite(void);

static void write_gz(const char *path, const void *bytes, size_t n)
{
    gzFile z = gzopen(path, "wb");
    ck_assert_ptr_nonnull(z);
    ck_assert_int_eq(gzwrite(z, bytes, (unsigned)n), (int)n);
    ck_assert_int_eq(gzclose(z), Z_OK);
}

static void check_same(const struct graph *a, const struct graph *b)
{
    ck_assert_str_eq(a->fingerprint, b->fingerprint);
    ck_assert_int_eq(a->n_nodes, b->n_nodes);
    ck_assert_int_eq(a->n_tensors, b->n_tensors);
    for (int i = 0; i < a->n_tensors; i++) {
        const struct tensor *x = &a->tensors[i], *y = &b->tensors[i];
        ck_assert_str_eq(x->name, y->name);
        ck_assert(x->type == y->type && shape_equal(&x->shape, &y->shape) && !x->data == !y->data);
        ck_assert(!x->data || !memcmp(x->data, y->data, (size_t)shape_count(&x->shape) * dtype_size(x->type)));
    }
}

/* Tensors and names of sizes that come to lie anywhere on the reader's buffer. */
START_TEST(every_source)
{
    struct room r;
    if (room_open(&r))
        return;
    char *plain = mem_printf("%s/m.onnx", r.dir), *zipped = mem_printf("%s/m.onnx.gz", r.dir);
    struct rng rng;
    rng_init(&rng, 1);
    for (int round = 0; round < 30; round++) {
        struct arena a = {0};
        struct err e = {""};
        int wide = 1 + (int)rng_below(&rng, round % 2 ? 100 : 300), pad = (int)rng_below(&rng, 70000);
        char *text = arena_printf(&a, "in x 1,%d\nconst w %d,%d\nMatMul(x,w)->y\nconst b %d\nAdd(y,b)->z\nout z", wide,
                                  wide, wide, wide);
        Onnx__ModelProto *m = onnx_make_model(text, &a);
        char *long_name = arena_new(&a, (size_t)pad + 1, 1);
        memset(long_name, 'n', (size_t)pad);
        m->graph->node[1]->name = long_name;
        size_t n, n_out;
        unsigned char *bytes = onnx_make_bytes(m, &a, &n);
        room_write(&r, "m.onnx", bytes, n);
        write_gz(zipped, bytes, n);
        struct graph *memory = graph_parse("m", bytes, n, &e), *file = graph_load(plain, &e),
                     *gz = graph_load(zipped, &e);
        ck_assert_msg(memory && file && gz, "%s", e.text);
        char want[40];
        hash_fingerprint(bytes, n, want);
        ck_assert_str_eq(file->fingerprint, want);
        check_same(memory, file);
        check_same(memory, gz);
        graph_free(memory);
        graph_free(file);
        graph_free(gz);
        if (round < 2) {
            const char *const from[] = {plain, zipped};
            struct process p = process_run(&r, &(struct process_options){.in_path = from[round]}, "inspect --json -");
            ck_assert_msg(p.status == 0 && strstr(p.out, want), "%s", p.err);
            process_done(&p);
            char *whole = file_read(zipped, 1 << 24, &n_out, &e);
            ck_assert(whole && n_out == n && !memcmp(whole, bytes, n));
            mem_free(whole);
        }
        arena_done(&a);
    }
    mem_free(plain);
    mem_free(zipped);
    room_close(&r);
}
END_TEST

/* A gzip file that stops anywhere is refused. */
START_TEST(cut_gzip)
{
    struct room r;
    struct err e;
    size_t n;
    if (room_open(&r))
        return;
    struct arena a = {0};
    unsigned char *bytes = onnx_make_bytes(onnx_make_model("in x 1,9\nconst w 9,9\nMatMul(x,w)->y\nout y", &a), &a, &n);
    char *zipped = mem_printf("%s/m.gz", r.dir), *cut = mem_printf("%s/cut.gz", r.dir);
    write_gz(zipped, bytes, n);
    FILE *f = fopen(zipped, "rb");
    ck_assert_ptr_nonnull(f);
    unsigned char *whole = arena_new(&a, n + 100, 1);
    size_t size = fread(whole, 1, n + 100, f);
    fclose(f);
    for (size_t k = 3; k < size; k += 5) {
        room_write(&r, "cut.gz", whole, k);
        ck_assert_msg(!graph_load(cut, &e), "%zu of %zu bytes", k, size);
        ck_assert(strstr(e.text, "cut.gz: ") && !strchr(e.text, '\n'));
    }
    mem_free(zipped);
    mem_free(cut);
    arena_done(&a);
    room_close(&r);
}
END_TEST

/* Lists packed, one by one, and both; a list that ends in the middle of a number is refused. */
START_TEST(spellings)
{
    static const struct {
        const char *bytes; /* of the tensor behind its dims, in hex */
        bool good;
    } rows[] = {
        {"1001"
         "2208"
         "0000803f"
         "00000040"
         "4201"
         "6b",
         true}, /* type float, packed */
        {"1001"
         "25"
         "0000803f"
         "25"
         "00000040"
         "4201"
         "6b",
         true}, /* one by one */
        {"1001"
         "2204"
         "0000803f"
         "25"
         "00000040"
         "4201"
         "6b",
         true}, /* both */
        {"4201"
         "6b"
         "4a08"
         "0000803f"
         "00000040"
         "1001",
         true}, /* raw, in another order */
        {"1001"
         "4a02"
         "0000"
         "4a08"
         "0000803f"
         "00000040"
         "4201"
         "6b",
         true}, /* the last one counts */
        {"1007"
         "3a02"
         "01"
         "02"
         "4201"
         "6b",
         false}, /* int64: not what Add takes */
        {"1001"
         "2207"
         "0000803f"
         "000000"
         "4201"
         "6b",
         false}, /* three quarters of a number */
        {"1001"
         "2208"
         "0000803f"
         "00000040"
         "2000"
         "4201"
         "6b",
         false}, /* a float that is a varint */
        {"1001"
         "4801"
         "4201"
         "6b",
         false}, /* raw bytes that are a varint */
        {"1006"
         "2a02"
         "0180"
         "4201"
         "6b",
         false}, /* a varint without its end */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a = {0};
        struct err e = {""};
        size_t n;
        uint8_t tensor[64] = {0x08, 0x02}, model[512];
        int size = 2;
        for (const char *s = rows[i].bytes; *s; s += 2) {
            unsigned v;
            ck_assert_int_eq(sscanf(s, "%2x", &v), 1);
            tensor[size++] = (uint8_t)v;
        }
        unsigned char *rest = onnx_make_bytes(onnx_make_model("in x 1,2\nAdd(x,k)->y\nout y", &a), &a, &n);
        memcpy(model, rest, n); /* and one more initializer, in a graph that is merged */
        model[n++] = 0x3a;
        model[n++] = (uint8_t)(size + 2);
        model[n++] = 0x2a;
        model[n++] = (uint8_t)size;
        memcpy(model + n, tensor, (size_t)size);
        n += (size_t)size;
        struct graph *g = graph_parse("test.onnx", model, n, &e);
        ck_assert_msg(!g == !rows[i].good, "%zu: %s", i, e.text);
        for (int t = 0; g && t < g->n_tensors; t++) {
            const float *k = g->tensors[t].data;
            ck_assert(!k || (k[0] == 1 && k[1] == 2));
        }
        graph_free(g);
        arena_done(&a);
    }
}
END_TEST

/* --- memory ------------------------------------------------------------------------------------------------------- */

static void write_big(const struct room *r, const char *text, bool raw, size_t *size)
{
    struct arena a = {0};
    Onnx__ModelProto *m = onnx_make_model(text, &a);
    for (size_t i = 0; raw && i < m->graph->n_initializer; i++) {
        Onnx__TensorProto *t = m->graph->initializer[i];
        t->raw_data = (ProtobufCBinaryData){t->n_float_data * sizeof(float), (uint8_t *)t->float_data};
        t->n_float_data = 0;
    }
    unsigned char *bytes = onnx_make_bytes(m, &a, size);
    room_write(r, "big.onnx", bytes, *size);
    arena_done(&a);
}

/* Under a sanitizer memory says nothing. */
#ifdef __has_feature
#define SANITIZED __has_feature(address_sanitizer)
#elif defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* At most 1.5 times what the file takes, wherever the weights are and whatever becomes of them. */
START_TEST(memory_of_opening)
{
    static const char *const heads[] = {
        "in x 1,3072\nconst w 3072,3072\nMatMul(x,w)->y\nout y",
        "in x 1,3072\nconst w 3072,3072\nGemm(x,w)->y alpha=0.5\nout y",
        "in x 1,3072\nconst k 3072,3072\nConstant()->w value=k\nMatMul(x,w)->y\nout y",
        "in x 1,512,4,4\nconst w 512,512,6,6\nConv(x,w)->a pads=[3,3,3,3]\nconst k 512,1,1\nMul(a,k)->y\nout y",
    };
    struct room r;
    if (room_open(&r))
        return;
    struct process p = process_run(&r, NULL, "inspect $M");
    long base = p.peak_kib;
    process_done(&p);
    struct text many = {0};
    text_put(&many, "in x0 1,512\n");
    for (int i = 0; i < 40; i++) /* with a Transpose that is folded in every other */
        text_printf(&many,
                    i % 2 ? "const w%d 512,512\nTranspose(w%d)->v%d\nMatMul(x%d,v%d)->x%d\n"
                          : "const v%d 512,512\nRelu(x%d)->r%d\nMatMul(r%d,v%d)->x%d\n",
                    i, i, i, i, i, i + 1);
    text_put(&many, "out x40");
    for (int i = 0; i < 10; i++) {
        size_t size;
        write_big(&r, i / 2 < 4 ? heads[i / 2] : many.s, i % 2, &size);
        p = process_run(&r, NULL, "inspect $D/big.onnx");
        ck_assert_msg(p.status == 0, "%s", p.err);
        long used = p.peak_kib - base, allowed = (long)(size / 1024 * 3 / 2);
        process_done(&p);
        ck_assert_msg(SANITIZED || used <= allowed, "model %d of %zu KiB takes %ld KiB", i, size / 1024, used);
    }
    text_done(&many);
    room_close(&r);
}
END_TEST

Suite *check_wire_suite(void)
{
    Suite *s = suite_create("wire");
    TCase *t = tcase_create("wire");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, every_source);
    tcase_add_test(t, cut_gzip);
    tcase_add_test(t, spellings);
    tcase_add_test(t, memory_of_opening);
    suite_add_tcase(s, t);
    return s;
}
