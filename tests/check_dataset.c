/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "data/dataset.h"
#include "tests/scratch.h"

Suite *check_dataset_suite(void);

static uint8_t pixel(int64_t k)
{
    return (uint8_t)(k * 37 % 251);
}

/* An IDX file whose k-th byte is pixel(k) (images) or k % 3 (labels); cut or grown by `extra` bytes. */
static void write_idx(const char *name, int n_dims, const int *d, int extra)
{
    char path[160];
    struct err e;
    int64_t n = 1;
    struct text t = {0};
    text_put_n(&t, (char[]){0, 0, 8, (char)n_dims}, 4);
    for (int i = 0; i < n_dims; i++) {
        text_put_n(&t, (char[]){(char)(d[i] >> 24), (char)(d[i] >> 16), (char)(d[i] >> 8), (char)d[i]}, 4);
        n *= d[i];
    }
    for (int64_t k = 0; k < n + (extra > 0 ? extra : 0); k++)
        text_put_n(&t, (char[]){(char)(n_dims == 1 ? k % 3 : pixel(k))}, 1);
    size_t size = t.n - (size_t)(extra < 0 ? -extra : 0);
    snprintf(path, sizeof path, "%s/%s", scratch_dir, name);
    if (strstr(name, ".gz")) {
        gzFile z = gzopen(path, "wb");
        ck_assert_int_eq(gzwrite(z, t.s, (unsigned)size), (int)size);
        gzclose(z);
    } else {
        ck_assert_int_eq(file_write(path, t.s, size, false, &e), 0);
    }
    text_done(&t);
}

static void write_files(void)
{
    write_idx("a", 3, (int[]){10, 4, 5}, 0);
    write_idx("al", 1, (int[]){10}, 0);
    write_idx("b.gz", 3, (int[]){6, 4, 5}, 0);
    write_idx("bl.gz", 1, (int[]){6}, 0);
    write_idx("rgb", 4, (int[]){3, 2, 4, 3}, 0);
    write_idx("rgb2", 4, (int[]){2, 2, 4, 3}, 0);
    write_idx("other", 3, (int[]){6, 5, 4}, 0);
    write_idx("short", 3, (int[]){6, 4, 5}, -1);
    write_idx("short.gz", 3, (int[]){6, 4, 5}, -1);
    write_idx("long", 3, (int[]){6, 4, 5}, 1);
    write_idx("long.gz", 3, (int[]){6, 4, 5}, 1);
    write_idx("huge", 3, (int[]){6, 5000, 5}, 0);
    write_idx("zero", 3, (int[]){0, 4, 5}, 0);
    write_idx("five", 1, (int[]){5}, 0);
    char path[160];
    snprintf(path, sizeof path, "%s/pipe", scratch_dir);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    write_idx("head", 3, (int[]){6, 4, 5}, -124);
}

#define TOP   "schema: bitfader/dataset/1\nname: tiny\nformat: idx\n"
#define NORM  "mean: [0.5]\nstd: [0.25]\nclasses: [x, y, z]\n"
#define PARTS "calibrate: {images: a, labels: al}\nevaluate: {images: b.gz, labels: bl.gz}\n"

static struct dataset *load(const char *text, struct err *e)
{
    char path[160];
    snprintf(path, sizeof path, "%s/d.yaml", scratch_dir);
    ck_assert_int_eq(file_write(path, text, strlen(text), false, e), 0);
    return dataset_load(path, NULL, e);
}

START_TEST(loads_and_normalises)
{
    struct err e = {""};
    write_files();
    struct dataset *d = load(TOP NORM PARTS, &e);
    ck_assert_msg(d != NULL, "%s", e.text);
    ck_assert_str_eq(d->name, "tiny");
    ck_assert(d->h == 4 && d->w == 5 && d->c == 1 && d->n_classes == 3);
    ck_assert_str_eq(d->class_names[2], "z");
    ck_assert(d->calibrate.n == 10 && d->evaluate.n == 6);
    ck_assert(d->evaluate.labels[4] == 1);
    float out[20];
    dataset_image(d, &d->evaluate, 3, out);
    for (int k = 0; k < 20; k++)
        ck_assert(fabs(out[k] - (pixel(60 + k) / 255.0 - 0.5) / 0.25) < 1e-6);
    dataset_free(d);
    dataset_free(NULL);
}
END_TEST

START_TEST(channels_come_first)
{
    struct err e = {""};
    write_files();
    struct dataset *d = load(TOP "mean: [0, 0.1, 0.2]\nstd: [1, 0.5, 0.00392156862745098]\nclasses: 7\n"
                                 "calibrate: {images: rgb}\nevaluate: {images: rgb2}\n",
                             &e);
    ck_assert_msg(d != NULL, "%s", e.text);
    ck_assert(d->c == 3 && d->n_classes == 7 && !d->class_names && !d->calibrate.labels);
    float out[24];
    dataset_image(d, &d->calibrate, 2, out);
    static const double mean[] = {0, 0.1, 0.2}, std[] = {1, 0.5, 1 / 255.0};
    for (int c = 0; c < 3; c++)
        for (int k = 0; k < 8; k++)
            ck_assert(fabs(out[c * 8 + k] - (pixel(48 + k * 3 + c) / 255.0 - mean[c]) / std[c]) < 1e-4);
    dataset_free(d);
}
END_TEST

/* A list of one number is that number for all channels, as the number alone. */
START_TEST(one_number_for_all)
{
    static const char *const forms[] = {"mean: 0.1\nstd: 0.5\n", "mean: [0.1]\nstd: [0.5]\n"};
    struct err e = {""};
    float out[24];
    write_files();
    for (int i = 0; i < 2; i++) {
        char *text = mem_printf(TOP "%scalibrate: {images: rgb}\nevaluate: {images: rgb2}\n", forms[i]);
        struct dataset *d = load(text, &e);
        ck_assert_msg(d != NULL, "%s", e.text);
        dataset_image(d, &d->calibrate, 0, out);
        for (int c = 0; c < 3; c++)
            for (int k = 0; k < 8; k++)
                ck_assert(fabs(out[c * 8 + k] - (pixel(k * 3 + c) / 255.0 - 0.1) / 0.5) < 1e-5);
        dataset_free(d);
        mem_free(text);
    }
}
END_TEST

START_TEST(raw_bytes_are_exact)
{
    struct err e = {""};
    write_files();
    struct dataset *d = load(TOP "mean: [0]\nstd: [0.00392156862745098]\nclasses: 3\n" PARTS, &e);
    ck_assert_msg(d != NULL, "%s", e.text);
    uint8_t bytes[20];
    float out[20];
    for (int first = 0; first <= 255; first++) {
        for (int k = 0; k < 20; k++)
            bytes[k] = (uint8_t)(first + k);
        struct dataset_part p = {.n = 1, .pixels = bytes};
        dataset_image(d, &p, 0, out);
        for (int k = 0; k < 20; k++)
            ck_assert(out[k] == bytes[k]);
    }
    dataset_free(d);
}
END_TEST

START_TEST(ranges)
{
    struct err e = {""};
    static const char *const file[] = {"a", "a.gz"};
    write_files();
    write_idx("a.gz", 3, (int[]){10, 4, 5}, 0);
    for (int i = 0; i < 2; i++) {
        char *text = mem_printf(TOP NORM "calibrate: {images: %s, labels: al, first: 1, count: 3}\n"
                                         "evaluate: {images: %s, labels: al, first: 4}\n",
                                file[i], file[i]);
        struct dataset *d = load(text, &e);
        ck_assert_msg(d != NULL, "%s", e.text);
        ck_assert(d->calibrate.n == 3 && d->evaluate.n == 6);
        for (int k = 0; k < 60; k++)
            ck_assert_int_eq(d->calibrate.pixels[k], pixel(20 + k));
        for (int k = 0; k < 120; k++)
            ck_assert_int_eq(d->evaluate.pixels[k], pixel(80 + k));
        ck_assert(d->calibrate.labels[0] == 1 && d->evaluate.labels[5] == 0);
        dataset_free(d);
        mem_free(text);
    }
}
END_TEST

static const struct {
    const char *text, *says; /* says: part of the message */
} bad[] = {
    {"name: x\n", "d.yaml:1:1: schema: bitfader/dataset/1 is missing"},
    {"schema: bitfader/profile/1\n", "d.yaml:1:9: schema must be bitfader/dataset/1, not bitfader/profile/1"},
    {"schema: bitfader/dataset/1\nname: x\nformat: tar\n", "d.yaml:3:9: format must be idx, npy or images, not tar"},
    {TOP NORM PARTS "rot: x\n", "d.yaml:9:1: unknown key rot in a dataset; did you mean root?"},
    {TOP "mean: [0]\nstd: [1]\n" PARTS, "classes is missing"},
    {TOP "mean: [0]\nstd: [1]\nclasses: []\n" PARTS, "d.yaml:6:10: classes must be 1..50000 names, not 0"},
    {TOP "mean: [0]\nstd: [1]\nclasses: 0\n" PARTS, "d.yaml:6:10: classes must be 1..50000, not 0"},
    {TOP "mean: [0, 0]\nstd: [1]\nclasses: 3\n" PARTS, "d.yaml:4:7: mean must be one number, for images of 1 channel"},
    {TOP "mean: [0, 0]\nstd: [1]\nclasses: 3\ncalibrate: {images: rgb}\nevaluate: {images: rgb2}\n",
     "d.yaml:4:7: mean must be one number, or a list with one a channel, for images of 3 channels"},
    {TOP "mean: []\nstd: [1]\nclasses: 3\n" PARTS, "d.yaml:4:7: mean must be one number"},
    {TOP "mean: [0]\nstd: [0]\nclasses: 3\n" PARTS, "d.yaml:5:7: "},
    {TOP "std: [1]\nclasses: 3\n" PARTS, "mean is missing"},
    {TOP "mean: [0]\nstd: [1]\nclasses: 2\n" PARTS, "al: image 2 has label 2, but "},
    {TOP NORM "evaluate: {images: a}\n", "calibrate: {images: FILE, labels: FILE} is missing"},
    {TOP NORM "calibrate: {labels: al}\nevaluate: {images: a}\n", "d.yaml:7:12: calibrate needs images: FILE"},
    {TOP NORM "calibrate: {image: a}\n", "d.yaml:7:13: unknown key image in calibrate; did you mean images?"},
    {TOP NORM "calibrate: {images: a, first: -1}\n", "d.yaml:7:31: first must be 0..100000000, not -1"},
    {TOP NORM "calibrate: {images: a, count: 0}\n", "d.yaml:7:31: count must be 1..100000000, not 0"},
    {TOP NORM "calibrate: {images: a, first: 10}\nevaluate: {images: b.gz}\n",
     "d.yaml:7:12: calibrate starts at image 10, but "},
    {TOP NORM "calibrate: {images: a, first: 5, count: 6}\nevaluate: {images: b.gz}\n",
     "d.yaml:7:12: calibrate ends at image 10, but "},
    {TOP NORM "calibrate: {images: a}\nevaluate: {images: a}\n",
     "d.yaml:8:20: calibrate and evaluate share images of a"},
    {TOP NORM "calibrate: {images: a, count: 5}\nevaluate: {images: ./a, first: 4}\n", "share images of ./a"},
    {TOP NORM "calibrate: {images: a}\nevaluate: {images: other}\n",
     "other: images are 5x4x1, those of calibrate are 4x5x1"},
    {TOP NORM "calibrate: {images: al}\nevaluate: {images: a}\n",
     "al: has 1 dimensions, not 3 (images, height, width) or 4"},
    {TOP NORM "calibrate: {images: a, labels: a}\nevaluate: {images: a}\n", "a: has 3 dimensions, not 1"},
    {TOP NORM "calibrate: {images: a, labels: five}\nevaluate: {images: a}\n",
     "five: has 5 labels for the 10 images of"},
    {TOP NORM "calibrate: {images: d.yaml}\nevaluate: {images: a}\n",
     "d.yaml: not an IDX file of bytes (starts with 73 63 68"},
    {TOP NORM "calibrate: {images: short}\nevaluate: {images: a}\n", "short: is 135 bytes long, its header says 136"},
    {TOP NORM "calibrate: {images: short, count: 1}\nevaluate: {images: a}\n", "short: is 135 bytes long"},
    {TOP NORM "calibrate: {images: long}\nevaluate: {images: a}\n", "long: is 137 bytes long, its header says 136"},
    {TOP NORM "calibrate: {images: short.gz}\nevaluate: {images: a}\n", "short.gz: ends too early"},
    {TOP NORM "calibrate: {images: long.gz}\nevaluate: {images: a}\n", "long.gz: is longer than its header says"},
    {TOP NORM "calibrate: {images: pipe}\nevaluate: {images: a}\n", "/pipe: cannot be read: not a regular file"},
    {TOP NORM "calibrate: {images: a, labels: pipe}\nevaluate: {images: a}\n",
     "/pipe: cannot be read: not a regular file"},
    {TOP NORM "calibrate: {images: head}\nevaluate: {images: a}\n", "head: ends too early (truncated file)"},
    {TOP NORM "calibrate: {images: huge}\nevaluate: {images: a}\n", "huge: dimension 1 is 5000, must be 1..4096"},
    {TOP NORM "calibrate: {images: zero}\nevaluate: {images: a}\n", "zero: dimension 0 is 0, must be 1.."},
    {TOP NORM "root: [none, \"${BITFADER_NO_SUCH}/x\"]\nhint: fetch it\n" PARTS, "there is no a in "},
    {TOP NORM "hint: \"fetch it\"\ncalibrate: {images: none}\nevaluate: {images: a}\n", "; fetch it"},
    {TOP NORM "root: {a: b}\n" PARTS, "d.yaml:7:7: root must be a list"},
};

/* A slash at the end of a root or of its description's folder is not doubled in messages. */
START_TEST(slashes)
{
    struct err e = {""};
    char want[160];
    write_files();
    snprintf(want, sizeof want, "%s/long: is 137", scratch_dir);
    static const char *const roots[] = {"", "root: ./\n", "root: .//\n"};
    for (int i = 0; i < 3; i++) {
        char *text = mem_printf(TOP NORM "%scalibrate: {images: long}\nevaluate: {images: a}\n", roots[i]);
        ck_assert_ptr_null(load(text, &e));
        ck_assert_msg(i ? !strstr(e.text, "//") : strstr(e.text, want) == e.text, "%s", e.text);
        mem_free(text);
    }
}
END_TEST

START_TEST(bad_descriptions_say_where)
{
    struct err e = {""};
    write_files();
    ck_assert_ptr_null(load(bad[_i].text, &e));
    ck_assert_msg(strstr(e.text, bad[_i].says) && !strchr(e.text, '\n'), "%s: %s", bad[_i].text, e.text);
}
END_TEST

START_TEST(truncated_gzip)
{
    struct err e = {""};
    char path[160];
    size_t size;
    write_files();
    snprintf(path, sizeof path, "%s/b.gz", scratch_dir);
    FILE *f = fopen(path, "rb");
    char bytes[4096];
    size = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    for (size_t lost = 1; lost < size; lost += 7) {
        ck_assert_int_eq(file_write(path, bytes, size - lost, false, &e), 0);
        ck_assert_ptr_null(load(TOP NORM PARTS, &e));
        ck_assert_ptr_nonnull(strstr(e.text, "b.gz: "));
    }
}
END_TEST

START_TEST(places)
{
    struct err e = {""};
    char path[200];
    write_files();
    setenv("CHECK_DATASET_ROOT", scratch_dir, 1);
    /* A description elsewhere, found by its bare name; its root comes from the environment. */
    snprintf(path, sizeof path, "mkdir -p %s/x/configs/datasets", scratch_dir);
    ck_assert_int_eq(system(path), 0);
    snprintf(path, sizeof path, "%s/x/configs/datasets/tiny.yaml", scratch_dir);
    static const char text[] = TOP NORM "root: [\"${NOT_SET_AT_ALL}\", \"${CHECK_DATASET_ROOT}/x/..\"]\n" PARTS;
    ck_assert_int_eq(file_write(path, text, sizeof text - 1, false, &e), 0);
    char *dirs = mem_printf("/none::%s/x:/nowhere", scratch_dir);
    struct dataset *d = dataset_load("tiny", dirs, &e);
    ck_assert_msg(d != NULL, "%s", e.text);
    dataset_free(d);
    ck_assert_ptr_null(dataset_load("tinny", dirs, &e));
    ck_assert_ptr_nonnull(strstr(e.text, "there is no configs/datasets/tinny.yaml in /none:"));
    ck_assert_ptr_null(dataset_load("tiny", NULL, &e));
    mem_free(dirs);
}
END_TEST

START_TEST(model_inputs)
{
    static const struct {
        int c, n;
        int64_t d[4];
        bool fits;
    } rows[] = {
        {1, 4, {1, 1, 4, 5}, true},  {1, 4, {1, 4, 5, 1}, true},  {1, 2, {1, 20}, true},
        {3, 4, {1, 3, 4, 5}, true},  {3, 4, {1, 4, 5, 3}, true},  {3, 2, {1, 60}, true},
        {1, 4, {1, 1, 5, 4}, false}, {1, 3, {1, 4, 5}, true},     {1, 4, {2, 1, 4, 5}, false},
        {3, 3, {1, 1, 60}, true},    {3, 3, {1, 20, 3}, false},   {3, 4, {1, 4, 3, 5}, false},
        {1, 2, {1, 21}, false},      {3, 4, {1, 1, 4, 5}, false}, {1, 0, {0}, false},
    };
    struct err e;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct dataset d = {.name = "tiny", .h = 4, .w = 5, .c = rows[i].c};
        struct tensor t = {.name = "in", .type = DTYPE_F32, .shape.n = rows[i].n};
        memcpy(t.shape.d, rows[i].d, sizeof rows[i].d);
        struct graph g = {.file = "m.onnx", .tensors = &t, .n_tensors = 1, .inputs = (int[]){0, 0}, .n_inputs = 1};
        ck_assert_int_eq(dataset_bind(&d, &g, &e), rows[i].fits ? 0 : -1);
        t.type = DTYPE_I64;
        ck_assert_int_eq(dataset_bind(&d, &g, &e), -1);
        t.type = DTYPE_F32;
        g.n_inputs = 2;
        ck_assert_int_eq(dataset_bind(&d, &g, &e), -1);
        ck_assert_ptr_nonnull(strstr(e.text, "m.onnx: has 2 inputs"));
    }
}
END_TEST

/* The descriptions that come with Bitfader, where their files are at hand. */
START_TEST(bundled_descriptions)
{
    static const struct {
        const char *name;
        int c, side, calibrate, evaluate;
    } rows[] = {{"fashion-mnist", 1, 28, 4096, 10000},
                {"cifar10", 3, 32, 4000, 1000},
                {"cifar10-imagenet-norm", 3, 32, 4000, 1000},
                {"cifar10-raw", 3, 32, 4000, 1000},
                {"mnist", 1, 28, 2000, 8000},
                {"mnist-raw", 1, 28, 2000, 8000}};
    struct err e = {""};
    struct dataset *d = dataset_load(rows[_i].name, ".", &e);
    if (!d) { /* anything but absent files is a fault of the description */
        ck_assert_msg(strstr(e.text, "there is no ") && strstr(e.text, "; "), "%s", e.text);
        fprintf(stderr, "check_dataset: skipped: %s\n", e.text);
        return;
    }
    ck_assert_str_eq(d->name, rows[_i].name);
    ck_assert(d->c == rows[_i].c && d->h == rows[_i].side && d->w == rows[_i].side && d->n_classes == 10);
    ck_assert(d->calibrate.n == rows[_i].calibrate && d->evaluate.n == rows[_i].evaluate);
    int counts[10] = {0};
    for (int i = 0; i < d->evaluate.n; i++)
        counts[d->evaluate.labels[i]]++;
    for (int i = 0; i < 10; i++)
        ck_assert_int_gt(counts[i], d->evaluate.n / 15);
    dataset_free(d);
}
END_TEST

Suite *check_dataset_suite(void)
{
    Suite *s = suite_create("dataset");
    TCase *t = tcase_create("dataset");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, scratch_make, scratch_drop);
    tcase_add_test(t, loads_and_normalises);
    tcase_add_test(t, channels_come_first);
    tcase_add_test(t, one_number_for_all);
    tcase_add_test(t, raw_bytes_are_exact);
    tcase_add_test(t, ranges);
    tcase_add_loop_test(t, bad_descriptions_say_where, 0, sizeof bad / sizeof *bad);
    tcase_add_test(t, slashes);
    tcase_add_test(t, truncated_gzip);
    tcase_add_test(t, places);
    tcase_add_test(t, model_inputs);
    tcase_add_loop_test(t, bundled_descriptions, 0, 6);
    suite_add_tcase(s, t);
    return s;
}
