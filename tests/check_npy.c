/* SPDX-License-Identifier: MIT
 *
 * NPY and NPZ files as datasets: images in either order, numbers of every type, labels, one array an input; and files
 * whose headers lie.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zip.h>
#include <zlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "data/dataset.h"
#include "tests/scratch.h"

Suite *check_npy_suite(void);

static const char *path_of(const char *name)
{
    static char path[160];
    snprintf(path, sizeof path, "%s/%s", scratch_dir, name);
    return path;
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static void put_npy(struct text *t, int version, const char *header, const void *data, size_t n)
{
    size_t length = strlen(header);
    text_put_n(t, "\x93NUMPY", 6);
    text_put_n(t, (char[]){(char)version, 0, (char)length, (char)(length >> 8), 0, 0}, version == 1 ? 4 : 6);
    text_put(t, header);
    text_put_n(t, data, n);
}

static void write_npy(const char *name, const char *descr, const char *shape, const void *data, size_t n)
{
    struct text t = {0};
    char *header = mem_printf("{'descr': '%s', 'fortran_order': False, 'shape': %s, }   \n", descr, shape);
    put_npy(&t, 1, header, data, n);
    ck_assert_int_eq(file_write(path_of(name), t.s, t.n, false, NULL), 0);
    mem_free(header);
    text_done(&t);
}

/* Members "x.npy" and "y.npy" with the bytes of two files. */
static void write_npz(const char *name, const char *x, const char *y, int method)
{
    int code;
    zip_t *z = zip_open(path_of(name), ZIP_CREATE | ZIP_TRUNCATE, &code);
    ck_assert_ptr_nonnull(z);
    const char *files[] = {x, y}, *members[] = {"x.npy", "y.npy"};
    void *bytes[2] = {NULL};
    for (int i = 0; i < 2 && files[i]; i++) {
        size_t n;
        bytes[i] = file_read(path_of(files[i]), 1 << 20, &n, NULL);
        zip_int64_t k = zip_file_add(z, members[i], zip_source_buffer(z, bytes[i], n, 0), 0);
        ck_assert(k >= 0 && !zip_set_file_compression(z, (zip_uint64_t)k, method, 0));
    }
    ck_assert_int_eq(zip_close(z), 0);
    mem_free(bytes[0]);
    mem_free(bytes[1]);
}

static uint8_t bytes_of[240];
static float floats_of[240];
static int64_t labels_of[10];

static void write_files(void)
{
    for (int k = 0; k < 240; k++) {
        bytes_of[k] = (uint8_t)(k * 37 % 251);
        floats_of[k] = (float)k / 7 - 10;
    }
    for (int k = 0; k < 10; k++)
        labels_of[k] = k % 3;
    write_npy("hwc.npy", "|u1", "(10, 2, 4, 3)", bytes_of, 240);
    write_npy("chw.npy", "|u1", "(10, 3, 2, 4)", bytes_of, 240);
    write_npy("hwc2.npy", "|u1", "(10, 2, 4, 3)", bytes_of, 240);
    float odd[240];
    double wide[240];
    memcpy(odd, floats_of, sizeof odd);
    for (int k = 0; k < 240; k++)
        wide[k] = k;
    odd[3 * 24 + 5] = -INFINITY;
    write_npy("inf.npy", "<f4", "(10, 3, 2, 4)", odd, 960);
    odd[7 * 24 + 23] = NAN;
    write_npy("nan.npy", "<f4", "(10, 3, 2, 4)", odd, 960);
    wide[24] = NAN;
    write_npy("wide.npy", "<f8", "(10, 3, 2, 4)", wide, 1920);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(mkfifo(path_of(i ? "pipe.npz" : "pipe.npy"), 0600), 0);
    write_npy("f.npy", "<f4", "(10, 3, 2, 4)", floats_of, 960);
    write_npy("f2.npy", "<f4", "(10, 3, 2, 4)", floats_of, 960);
    write_npy("row.npy", "<f4", "(10, 24)", floats_of, 960);
    write_npy("deep.npy", "<f4", "(2, 5, 4, 6)", floats_of, 960);
    write_npy("big.npy", "<f4", "(2, 6, 4, 5)", floats_of, 960);
    write_npy("l.npy", "<i8", "(10,)", labels_of, 80);
    write_npy("l5.npy", "<i8", "(5,)", labels_of, 40);
    write_npz("a.npz", "hwc.npy", "l.npy", ZIP_CM_DEFLATE);
    write_npz("b.npz", "hwc2.npy", "l.npy", ZIP_CM_STORE);
    write_npz("one.npz", "hwc2.npy", NULL, ZIP_CM_DEFLATE);
}

#define TOP "schema: bitfader/dataset/1\nname: tiny\nformat: npy\n"

static struct dataset *load(const char *text, struct err *e)
{
    char *all = mem_printf(TOP "%s", text);
    ck_assert_int_eq(file_write(path_of("d.yaml"), all, strlen(all), false, e), 0);
    mem_free(all);
    return dataset_load(path_of("d.yaml"), NULL, e);
}

static struct dataset *load_good(const char *text)
{
    struct err e = {""};
    struct dataset *d = load(text, &e);
    ck_assert_msg(d != NULL, "%s: %s", text, e.text);
    return d;
}

/* A graph with nothing but inputs (and, where there is one, an output). */
static struct graph graph_of(struct tensor *t, int n, int *indices)
{
    for (int i = 0; i < n; i++)
        indices[i] = i;
    return (struct graph){.file = "m.onnx", .tensors = t, .n_tensors = n, .inputs = indices, .n_inputs = n};
}

/* --- images ------------------------------------------------------------------------------------------------------- */

/* The value at channel c, row y, column x of image i. */
static double value_of(const char *stored, int i, int c, int y, int x)
{
    return strcmp(stored, "nhwc") ? ((i * 3 + c) * 2 + y) * 4 + x : ((i * 2 + y) * 4 + x) * 3 + c;
}

START_TEST(both_orders_into_both_orders)
{
    write_files();
    for (int file = 0; file < 2; file++)
        for (int model = 0; model < 2; model++) {
            struct dataset *d = load_good(file ? "mean: [0, 1, 2]\nstd: [1, 2, 4]\nscale: 0.5\nstored: nchw\n"
                                                 "calibrate: {images: chw.npy, count: 4}\n"
                                                 "evaluate: {images: chw.npy, first: 4}\n"
                                               : "mean: [0, 1, 2]\nstd: [1, 2, 4]\nscale: 0.5\nstored: nhwc\n"
                                                 "calibrate: {images: hwc.npy, count: 4}\n"
                                                 "evaluate: {images: hwc.npy, first: 4}\n");
            ck_assert(d->h == 2 && d->w == 4 && d->c == 3 && d->evaluate.n == 6 && !d->evaluate.labels);
            struct tensor t = {.name = "x", .type = DTYPE_F32, .shape = {4, {1, 3, 2, 4}}};
            if (model)
                t.shape = (struct shape){4, {1, 2, 4, 3}};
            int index[1];
            struct graph g = graph_of(&t, 1, index);
            struct err e = {""};
            ck_assert_msg(dataset_bind(d, &g, &e) == 0, "%s", e.text);
            float out[24];
            void *in[] = {out};
            dataset_sample(d, &d->evaluate, 2, in);
            for (int c = 0; c < 3; c++)
                for (int y = 0; y < 2; y++)
                    for (int x = 0; x < 4; x++) {
                        int at = (int)value_of(file ? "nchw" : "nhwc", 6, c, y, x);
                        double want = (bytes_of[at] * 0.5 - c) / (1 << c);
                        ck_assert(fabs(out[model ? (y * 4 + x) * 3 + c : (c * 2 + y) * 4 + x] - want) < 1e-4);
                    }
            dataset_free(d);
        }
}
END_TEST

/* Floats come out as they went in, unless mean and std say otherwise. */
START_TEST(numbers_as_they_are)
{
    static const char *const files[] = {"f.npy", "row.npy", "deep.npy"};
    static const struct shape shapes[] = {{4, {1, 3, 2, 4}}, {3, {1, 4, 6}}, {4, {1, 5, 4, 6}}};
    write_files();
    for (int i = 0; i < 3; i++) {
        char *text =
            mem_printf("calibrate: {images: %s, count: 1}\nevaluate: {images: %s, first: 1}\n", files[i], files[i]);
        struct dataset *d = load_good(text);
        struct tensor t = {.name = "x", .type = DTYPE_F32, .shape = shapes[i]};
        struct err e = {""};
        struct graph g = graph_of(&t, 1, (int[1]){0});
        ck_assert_msg(dataset_bind(d, &g, &e) == 0, "%s", e.text);
        float out[120];
        void *in[] = {out};
        dataset_sample(d, &d->evaluate, 0, in);
        int64_t n = shape_count(&t.shape);
        ck_assert(!memcmp(out, floats_of + n, (size_t)n * sizeof *out));
        t.shape.d[1] += 1;
        ck_assert_int_eq(dataset_bind(d, &g, &e), -1);
        ck_assert_ptr_nonnull(strstr(e.text, "m.onnx: input x is [1]["));
        dataset_free(d);
        mem_free(text);
    }
}
END_TEST

START_TEST(every_type_is_read)
{
    static const int16_t shorts[] = {-3, 4, 500, -600};
    static const double doubles[] = {-3, 4, 500, -600};
    static const int64_t longs[] = {-3, 4, 500, -600};
    static const uint16_t unsigneds[] = {3, 4, 500, 600};
    const struct {
        const char *descr;
        const void *data;
        size_t size;
        double sign;
    } rows[] = {{"<i2", shorts, 2, -1}, {"<f8", doubles, 8, -1}, {"<i8", longs, 8, -1}, {"<u2", unsigneds, 2, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        write_npy("t.npy", rows[i].descr, "(2, 2)", rows[i].data, 4 * rows[i].size);
        struct dataset *d = load_good("calibrate: {images: t.npy, count: 1}\nevaluate: {images: t.npy, first: 1}\n");
        ck_assert(d->calibrate.values[0] == 3 * rows[i].sign && d->calibrate.values[1] == 4);
        ck_assert(d->evaluate.values[0] == 500 && d->evaluate.values[1] == 600 * rows[i].sign);
        dataset_free(d);
    }
}
END_TEST

START_TEST(archives_gzip_and_versions)
{
    write_files();
    struct dataset *d = load_good("classes: 3\nclass_offset: 1\n"
                                  "calibrate: {images: 'a.npz:x', labels: 'a.npz:y', first: 2, count: 3}\n"
                                  "evaluate: {images: 'b.npz:x', labels: 'b.npz:y', first: 4}\n");
    ck_assert(d->calibrate.n == 3 && d->evaluate.n == 6);
    ck_assert(!memcmp(d->calibrate.pixels, bytes_of + 48, 72) && !memcmp(d->evaluate.pixels, bytes_of + 96, 144));
    ck_assert(d->calibrate.labels[0] == 3 && d->calibrate.labels[1] == 1 && d->evaluate.labels[5] == 1);
    dataset_free(d);
    size_t n;
    char *plain = file_read(path_of("hwc.npy"), 1 << 20, &n, NULL);
    gzFile z = gzopen(path_of("z.npy.gz"), "wb");
    ck_assert_int_eq(gzwrite(z, plain, (unsigned)n), (int)n);
    gzclose(z);
    mem_free(plain);
    struct text t = {0};
    put_npy(&t, 3, "{'shape': (10, 2, 4, 3), 'fortran_order': False, 'descr': \"|u1\"}\n", bytes_of, 240);
    ck_assert_int_eq(file_write(path_of("v3.npy"), t.s, t.n, false, NULL), 0);
    text_done(&t);
    d = load_good("calibrate: {images: z.npy.gz, first: 1}\nevaluate: {images: v3.npy}\n");
    ck_assert(d->calibrate.n == 9 && !memcmp(d->calibrate.pixels, bytes_of + 24, 216));
    ck_assert(!memcmp(d->evaluate.pixels, bytes_of, 240));
    dataset_free(d);
    d = load_good("calibrate: {images: one.npz}\nevaluate: {images: hwc.npy}\n");
    ck_assert(!memcmp(d->calibrate.pixels, bytes_of, 240));
    dataset_free(d);
}
END_TEST

/* --- inputs ------------------------------------------------------------------------------------------------------- */

/* What lies outside of the range that is taken is not looked at; masks of infinities are fed as they are. */
START_TEST(infinities)
{
    struct err e = {""};
    write_files();
    struct dataset *d = load("calibrate: {images: nan.npy, count: 3}\nevaluate: {images: nan.npy, first: 8}\n", &e);
    ck_assert_msg(d != NULL, "%s", e.text);
    dataset_free(d);
    d = load("calibrate: {inputs: {x: inf.npy}}\nevaluate: {inputs: {x: f.npy}}\n", &e);
    ck_assert_msg(d != NULL, "%s", e.text);
    ck_assert(((const float *)d->calibrate.inputs[0].data)[3 * 24 + 5] == -INFINITY);
    dataset_free(d);
}
END_TEST

START_TEST(inputs_by_name)
{
    static const uint8_t mask[] = {0, 1, 2, 0, 0, 1, 1, 1};
    write_files();
    write_npy("ids.npy", "<i8", "(2, 4)", labels_of, 64);
    write_npy("mask.npy", "|b1", "(2, 4)", mask, 8);
    write_npy("state.npy", "<f8", "(2, 2, 1)", (const double[]){1, 2, 3, 4}, 32);
    write_npy("two.npy", "<i8", "(1, 4)", labels_of + 1, 32);
    write_npy("m2.npy", "|b1", "(1, 4)", mask, 4);
    write_npy("s2.npy", "<f8", "(1, 2, 1)", (const double[]){5, 6}, 16);
    struct dataset *d = load_good("calibrate: {inputs: {ids: ids.npy, mask: mask.npy, state: state.npy}}\n"
                                  "evaluate: {inputs: {ids: two.npy, mask: m2.npy, state: s2.npy}}\n");
    struct tensor t[] = {{.name = "state", .type = DTYPE_F32, .shape = {2, {1, 2}}},
                         {.name = "ids", .type = DTYPE_I64, .shape = {2, {1, 4}}},
                         {.name = "mask", .type = DTYPE_BOOL, .shape = {4, {1, 1, 1, 4}}},
                         {.name = "rest", .type = DTYPE_F32, .shape = {1, {1}}}};
    int index[4];
    struct graph g = graph_of(t, 4, index);
    g.n_inputs = 3;
    struct err e = {""};
    ck_assert_msg(dataset_bind(d, &g, &e) == 0, "%s", e.text);
    float state[2];
    int64_t ids[4];
    uint8_t bools[4];
    void *in[] = {state, ids, bools};
    dataset_sample(d, &d->calibrate, 1, in);
    ck_assert(state[0] == 3 && state[1] == 4);
    ck_assert(!memcmp(ids, labels_of + 4, sizeof ids));
    dataset_sample(d, &d->calibrate, 0, in);
    ck_assert(bools[0] == 0 && bools[1] == 1 && bools[2] == 1); /* any other byte is true, and 1 */
    dataset_sample(d, &d->evaluate, 0, in);
    ck_assert(state[1] == 6 && ids[0] == 1);
    ck_assert_uint_ne(dataset_hash(d, &d->calibrate, 2, 0), dataset_hash(d, &d->calibrate, 1, 0));
    g.n_inputs = 4;
    ck_assert_int_eq(dataset_bind(d, &g, &e), -1);
    ck_assert_ptr_nonnull(strstr(e.text, "input rest has no file in inputs of dataset tiny"));
    g.n_inputs = 2;
    ck_assert_int_eq(dataset_bind(d, &g, &e), -1);
    ck_assert_ptr_nonnull(strstr(e.text, "has no input mask"));
    t[1].type = DTYPE_I32;
    ck_assert_int_eq(dataset_bind(d, &g, &e), -1);
    ck_assert_ptr_nonnull(strstr(e.text, "input ids is int32; its samples in dataset tiny are int64"));
    dataset_free(d);
}
END_TEST

/* --- bad files ---------------------------------------------------------------------------------------------------- */

static const struct {
    const char *text, *says;
} bad[] = {
    {"calibrate: {}\nevaluate: {images: f.npy}\n", "calibrate needs images: FILE, or inputs: {NAME: FILE, ...}"},
    {"calibrate: {images: f.npy}\nevaluate: {images: f.npy, first: 9}\n", "calibrate and evaluate share images"},
    {"calibrate: {images: 'a.npz:x'}\nevaluate: {images: './a.npz:x'}\n", "calibrate and evaluate share images"},
    {"calibrate: {inputs: {x: f.npy}}\nevaluate: {inputs: {x: f.npy}}\n", "calibrate and evaluate share images"},
    {"calibrate: {images: f.npy}\nevaluate: {images: hwc.npy}\n", "is bytes, but the images of calib|axes"},
    {"calibrate: {images: chw.npy}\nevaluate: {images: hwc.npy}\n", "axes in another order than the images of calibra"},
    {"calibrate: {images: deep.npy}\nevaluate: {images: big.npy}\n", "axes in another order than the images of calibr"},
    {"calibrate: {images: hwc.npy, labels: l.npy}\nevaluate: {images: f.npy}\n", "classes is missing"},
    {"classes: 2\ncalibrate: {images: hwc.npy, labels: l.npy}\nevaluate: {images: f.npy}\n",
     "image 2 has label 2, but"},
    {"classes: 3\ncalibrate: {images: hwc.npy, labels: l5.npy}\nevaluate: {images: f.npy}\n",
     "has 5 labels for the 10"},
    {"classes: 3\ncalibrate: {images: hwc.npy, labels: row.npy}\nevaluate: {images: f.npy}\n",
     "labels must be one int"},
    {"calibrate: {images: a.npz}\nevaluate: {images: f.npy}\n", "a.npz: has several arrays, say which: "},
    {"calibrate: {images: 'a.npz:z'}\nevaluate: {images: f.npy}\n", "a.npz: has no array z, only x, y"},
    {"stored: nchw\ncalibrate: {images: deep.npy}\nevaluate: {images: f.npy}\n", "stored: nchw would be 5 channels"},
    {"stored: hw\ncalibrate: {images: f.npy}\nevaluate: {images: f2.npy}\n", "stored must be nchw or nhwc, not hw"},
    {"mean: 1\ncalibrate: {inputs: {x: f.npy}}\nevaluate: {inputs: {x: f2.npy}}\n",
     "mean is for images; inputs are fed"},
    {"calibrate: {inputs: {x: f.npy}}\nevaluate: {images: f2.npy}\n", "must both have images, or both inputs"},
    {"calibrate: {inputs: {x: f.npy}}\nevaluate: {inputs: {y: f2.npy}}\n", "inputs must be those of calibrate"},
    {"calibrate: {inputs: {x: f.npy, y: deep.npy}}\nevaluate: {images: f2.npy}\n",
     "has 2 samples, the inputs before it"},
    {"calibrate: {images: pipe.npy}\nevaluate: {images: f.npy}\n", "/pipe.npy: cannot be read: not a regular file"},
    {"calibrate: {inputs: {x: 'pipe.npz:x'}}\nevaluate: {inputs: {x: f.npy}}\n",
     "/pipe.npz: cannot be read: not a regular file"},
    {"calibrate: {images: inf.npy}\nevaluate: {images: f.npy}\n", "/inf.npy: sample 3 has a value that is inf"},
    {"calibrate: {images: nan.npy, first: 4}\nevaluate: {images: f.npy}\n",
     "/nan.npy: sample 7 has a value that is nan"},
    {"calibrate: {images: f.npy}\nevaluate: {images: wide.npy}\n", "/wide.npy: sample 1 has a value that is nan"},
    {"calibrate: {inputs: {x: nan.npy}}\nevaluate: {inputs: {x: f.npy}}\n",
     "/nan.npy: sample 7 has a value that is nan"},
    {"calibrate: {inputs: {x: wide.npy}}\nevaluate: {inputs: {x: f.npy}}\n",
     "/wide.npy: sample 1 has a value that is nan"},
    {"calibrate: {images: d.yaml}\nevaluate: {images: f.npy}\n", "d.yaml: not an NPY file"},
};

START_TEST(bad_descriptions)
{
    struct err e = {""};
    write_files();
    ck_assert_ptr_null(load(bad[_i].text, &e));
    const char * or = strchr(bad[_i].says, '|');
    ck_assert_msg((strstr(e.text, or ? or +1 : bad[_i].says)) && !strchr(e.text, '\n'), "%s: %s", bad[_i].text, e.text);
}
END_TEST

static const struct {
    const char *descr, *shape, *says;
} lies[] = {
    {"<f4", "(3, 2)", "is "},
    {"<f4", "(2,)", "is "},
    {"<f4", "(1000000000000, 4)", "bytes long, its header says"},
    {"<f4", "(1000000000000, 1000000000000)", "is too large"},
    {"<f4", "(99999999999999999999,)", "its shape is not 1 to 8 dimensions of 1 or more"},
    {"<f4", "(4, 0)", "its shape is not 1 to 8 dimensions of 1 or more"},
    {"<f4", "(-1, 4)", "its shape is not 1 to 8 dimensions of 1 or more"},
    {"<f4", "(1, 1, 1, 1, 1, 1, 1, 1, 4)", "its shape is not 1 to 8 dimensions of 1 or more"},
    {"<f4", "()", "is a single number"},
    {"<f4", "4", "its header has no shape"},
    {"<f4", "(4 4)", "its shape cannot be read"},
    {"<f4", "(4,), 'shape': (4,)", "a key shape that is not known or there twice"},
    {"<f4", "(4,), 'more': 1", "a key more that is not known"},
    {">f4", "(4,)", "is big-endian ('>f4')"},
    {"<f2", "(4,)", "elements are '<f2'"},
    {"|O", "(4,)", "elements are '|O'"},
};

START_TEST(lying_headers)
{
    struct err e = {""};
    write_files();
    write_npy("lie.npy", lies[_i].descr, lies[_i].shape, floats_of, 16);
    write_npz("lie.npz", "lie.npy", NULL, ZIP_CM_DEFLATE);
    for (int i = 0; i < 2; i++) {
        ck_assert_ptr_null(load(i ? "calibrate: {images: lie.npz}\nevaluate: {images: f.npy}\n"
                                  : "calibrate: {images: lie.npy}\nevaluate: {images: f.npy}\n",
                                &e));
        ck_assert_msg(strstr(e.text, "lie.np") && strstr(e.text, lies[_i].says) && !strchr(e.text, '\n'), "%s", e.text);
    }
}
END_TEST

static void refuse(const char *file, const char *says)
{
    struct err e = {""};
    char *text = mem_printf("calibrate: {images: %s}\nevaluate: {images: f2.npy}\n", file);
    ck_assert_ptr_null(load(text, &e));
    ck_assert_msg(strstr(e.text, file) && strstr(e.text, says) && !strchr(e.text, '\n'), "%s: %s", file, e.text);
    mem_free(text);
}

START_TEST(other_headers)
{
    static const struct {
        int version;
        const char *header, *says;
    } rows[] = {
        {1, "{'descr': '<f4', 'fortran_order': True, 'shape': (4,), }", "is in Fortran order"},
        {1, "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (4,), }", "elements are records"},
        {1, "{'descr': '<f4', 'shape': (4,), }", "lacks descr, fortran_order or shape"},
        {1, "[]", "its header cannot be read"},
        {1, "{'descr': '<f4", "elements are records"},
        {4, "{}", "NPY version 4 is not known"},
        {1, "", "its header cannot be read"},
    };
    write_files();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct text t = {0};
        put_npy(&t, rows[i].version, rows[i].header, floats_of, 16);
        ck_assert_int_eq(file_write(path_of("h.npy"), t.s, t.n, false, NULL), 0);
        text_done(&t);
        const char * or = strchr(rows[i].says, '|');
        refuse("h.npy", or ? or +1 : rows[i].says);
    }
}
END_TEST

/* Every length but the whole, of a plain file, a gzip file and an archive. */
START_TEST(truncated)
{
    static const char *const files[] = {"hwc.npy", "z.gz", "one.npz"};
    write_files();
    size_t n;
    char *plain = file_read(path_of("hwc.npy"), 1 << 20, &n, NULL);
    gzFile z = gzopen(path_of("z.gz"), "wb");
    ck_assert_int_eq(gzwrite(z, plain, (unsigned)n), (int)n);
    gzclose(z);
    mem_free(plain);
    for (int i = 0; i < 3; i++) {
        char bytes[1024];
        FILE *f = fopen(path_of(files[i]), "rb");
        size_t size = fread(bytes, 1, sizeof bytes, f);
        fclose(f);
        for (size_t lost = 1; lost < size; lost += 5) {
            ck_assert_int_eq(file_write(path_of(files[i]), bytes, size - lost, false, NULL), 0);
            refuse(files[i], "");
        }
    }
}
END_TEST

/* A small compressed file whose header promises gigabytes: refused before they are allocated. */
START_TEST(bombs)
{
    write_files();
    struct text t = {0};
    put_npy(&t, 1, "{'descr': '|u1', 'fortran_order': False, 'shape': (1000, 1000, 1000), }", bytes_of, 240);
    gzFile z = gzopen(path_of("bomb.gz"), "wb");
    ck_assert_int_eq(gzwrite(z, t.s, (unsigned)t.n), (int)t.n);
    gzclose(z);
    ck_assert_int_eq(file_write(path_of("bomb.npy"), t.s, t.n, false, NULL), 0);
    text_done(&t);
    write_npz("bomb.npz", "bomb.npy", NULL, ZIP_CM_DEFLATE);
    refuse("bomb.gz", "bytes in the file cannot be the 1000000081 that its header says");
    refuse("bomb.npz", "bytes long, its header says 1000000081");
    /* The archive's own directory lies the same way. */
    char bytes[2048];
    FILE *f = fopen(path_of("bomb.npz"), "rb");
    size_t size = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    uint32_t promised = 1000000081;
    for (size_t i = 0; i + 46 < size; i++)
        if (!memcmp(bytes + i, "PK\1\2", 4))
            memcpy(bytes + i + 24, &promised, 4);
    ck_assert_int_eq(file_write(path_of("bomb.npz"), bytes, size, false, NULL), 0);
    refuse("bomb.npz", "bomb.npz");
}
END_TEST

Suite *check_npy_suite(void)
{
    Suite *s = suite_create("npy");
    TCase *t = tcase_create("npy");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, scratch_make, scratch_drop);
    tcase_add_test(t, both_orders_into_both_orders);
    tcase_add_test(t, numbers_as_they_are);
    tcase_add_test(t, every_type_is_read);
    tcase_add_test(t, archives_gzip_and_versions);
    tcase_add_test(t, infinities);
    tcase_add_test(t, inputs_by_name);
    tcase_add_loop_test(t, bad_descriptions, 0, sizeof bad / sizeof *bad);
    tcase_add_loop_test(t, lying_headers, 0, sizeof lies / sizeof *lies);
    tcase_add_test(t, other_headers);
    tcase_add_test(t, truncated);
    tcase_add_test(t, bombs);
    suite_add_tcase(s, t);
    return s;
}
