/* SPDX-License-Identifier: MIT
 *
 * Pictures and folders of them: what is decoded against what was written, resizing against a slow reference in doubles,
 * and files that are broken.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jpeglib.h>
#include <png.h>
#include <zlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "data/dataset.h"
#include "data/image.h"
#include "tests/scratch.h"

Suite *check_images_suite(void);

static uint8_t pixel(int64_t k)
{
    return (uint8_t)(k * 37 % 251);
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static void write_file(const char *name, const void *bytes, size_t n)
{
    char path[200];
    struct err e = {""};
    snprintf(path, sizeof path, "%s/%s", scratch_dir, name);
    for (char *at = path + strlen(scratch_dir) + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        mkdir(path, 0755);
        *at = '/';
    }
    ck_assert_msg(file_write(path, bytes, n, false, &e) == 0, "%s", e.text);
}

/* The bytes of a PNG; the caller frees. */
static uint8_t *png_bytes(int w, int h, unsigned format, const void *pixels, const void *colors, size_t *n)
{
    png_image image = {.version = PNG_IMAGE_VERSION, .width = (unsigned)w, .height = (unsigned)h, .format = format};
    image.colormap_entries = colors ? 4 : 0;
    png_alloc_size_t size = 0;
    ck_assert(png_image_write_to_memory(&image, NULL, &size, 0, pixels, 0, colors));
    uint8_t *out = mem_new(size, 1);
    ck_assert(png_image_write_to_memory(&image, out, &size, 0, pixels, 0, colors));
    *n = size;
    return out;
}

static uint8_t *jpeg_bytes(int w, int h, int c, J_COLOR_SPACE space, const uint8_t *pixels, size_t *n)
{
    struct jpeg_compress_struct j;
    struct jpeg_error_mgr errors;
    unsigned char *made = NULL;
    unsigned long size = 0;
    j.err = jpeg_std_error(&errors);
    jpeg_create_compress(&j);
    jpeg_mem_dest(&j, &made, &size);
    j.image_width = (unsigned)w;
    j.image_height = (unsigned)h;
    j.input_components = c;
    j.in_color_space = space;
    jpeg_set_defaults(&j);
    jpeg_set_quality(&j, 100, TRUE);
    jpeg_start_compress(&j, TRUE);
    while (j.next_scanline < j.image_height) {
        JSAMPROW row = (uint8_t *)pixels + (size_t)j.next_scanline * (size_t)w * (size_t)c;
        jpeg_write_scanlines(&j, &row, 1);
    }
    jpeg_finish_compress(&j);
    jpeg_destroy_compress(&j);
    uint8_t *out = mem_new(size, 1);
    memcpy(out, made, size);
    free(made);
    *n = size;
    return out;
}

/* A picture of 4 rows of 5, whose bytes are pixel(seed + k). */
static void write_picture(const char *name, int seed, int w, int h)
{
    uint8_t rgb[4096];
    size_t n;
    for (int k = 0; k < w * h * 3; k++)
        rgb[k] = pixel(seed + k);
    uint8_t *bytes =
        strstr(name, ".jp") ? jpeg_bytes(w, h, 3, JCS_RGB, rgb, &n) : png_bytes(w, h, PNG_FORMAT_RGB, rgb, NULL, &n);
    write_file(name, bytes, n);
    mem_free(bytes);
}

static void write_folders(void)
{
    static const char *const names[] = {"cal/b/2.png", "cal/b/1.png", "cal/a/z.PNG", "cal/a/y.png", "cal/a/x.png",
                                        "ev/a/1.png",  "ev/b/1.png",  "ev/b/2.png",  "flat/1.png",  "flat/2.png"};
    for (int i = 0; i < 10; i++)
        write_picture(names[i], 100 * i, 5, 4);
    write_file("cal/a/notes.txt", "not a picture", 13);
    write_file("cal/.hidden/1.png", "neither", 7);
    write_file("none/readme", "x", 1);
    write_file("empty/a/readme", "x", 1);
    write_file("both/1.png", "x", 1);
    write_file("both/a/1.png", "x", 1);
    write_file("bad/a/1.png", "this is text", 12);
    write_picture("other/c/1.png", 5, 5, 4);
    write_picture("mixed/a/1.png", 5, 5, 4);
    write_picture("mixed/b/1.png", 5, 6, 4);
    write_picture("mixed/b/2.png", 5, 7, 4);
    char path[160];
    write_file("odd/readme", "x", 1);
    write_file("gone/readme", "x", 1);
    snprintf(path, sizeof path, "%s/odd/1.png", scratch_dir);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    snprintf(path, sizeof path, "%s/gone/1.png", scratch_dir);
    ck_assert_int_eq(symlink("nowhere", path), 0);
}

#define TOP "schema: bitfader/dataset/1\nname: tiny\nformat: images\nmean: 0\nstd: 0.00392156862745098\n"

static struct dataset *load(const char *text, struct err *e)
{
    char path[160];
    write_file("d.yaml", text, strlen(text));
    snprintf(path, sizeof path, "%s/d.yaml", scratch_dir);
    return dataset_load(path, NULL, e);
}

/* --- decoding ----------------------------------------------------------------------------------------------------- */

START_TEST(png_kinds)
{
    static const uint8_t rgba[] = {10, 20, 30, 255, 200, 100, 50, 255}, grey[] = {7, 250}, index[] = {3, 1};
    static const uint8_t colors[] = {0, 0, 0, 1, 2, 3, 9, 9, 9, 250, 240, 230};
    static const uint8_t as_rgb[] = {10, 20, 30, 200, 100, 50}, looked_up[] = {250, 240, 230, 1, 2, 3};
    static const uint8_t grey3[] = {7, 7, 7, 250, 250, 250};
    static const uint16_t deep[] = {0, 0, 0, 65535, 65535, 65535};
    static const uint8_t from_deep[] = {0, 0, 0, 255, 255, 255};
    const struct {
        unsigned format;
        const void *pixels, *colors;
        const uint8_t *want;
    } rows[] = {{PNG_FORMAT_RGBA, rgba, NULL, as_rgb},
                {PNG_FORMAT_GRAY, grey, NULL, grey3},
                {PNG_FORMAT_RGB_COLORMAP, index, colors, looked_up},
                {PNG_FORMAT_LINEAR_RGB, deep, NULL, from_deep}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err e = {""};
        struct image m;
        size_t n;
        uint8_t *bytes = png_bytes(2, 1, rows[i].format, rows[i].pixels, rows[i].colors, &n);
        ck_assert_msg(image_decode("x.png", bytes, n, 3, &m, &e) == 0, "%zu: %s", i, e.text);
        ck_assert(m.h == 1 && m.w == 2 && m.c == 3);
        ck_assert_msg(!memcmp(m.data, rows[i].want, 6), "kind %zu", i);
        image_done(&m);
        ck_assert_msg(image_decode("x.png", bytes, n, 1, &m, &e) == 0, "%zu: %s", i, e.text);
        for (int k = 0; k < 2; k++) {
            const uint8_t *p = rows[i].want + 3 * k;
            ck_assert(fabs(m.data[k] - (0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2])) <= 0.501);
        }
        image_done(&m);
        mem_free(bytes);
    }
}
END_TEST

START_TEST(jpeg_kinds)
{
    uint8_t rgb[16 * 16 * 4];
    struct err e = {""};
    struct image m;
    size_t n;
    for (int k = 0; k < 16 * 16; k++) {
        rgb[3 * k] = (uint8_t)(40 + 10 * (k % 16));
        rgb[3 * k + 1] = 90;
        rgb[3 * k + 2] = (uint8_t)(20 + 8 * (k / 16));
    }
    uint8_t *bytes = jpeg_bytes(16, 16, 3, JCS_RGB, rgb, &n);
    ck_assert_msg(image_decode("x.jpg", bytes, n, 3, &m, &e) == 0, "%s", e.text);
    for (int k = 0; k < 16 * 16 * 3; k++)
        ck_assert_int_le(abs(m.data[k] - rgb[k]), 12);
    image_done(&m);
    mem_free(bytes);
    bytes = jpeg_bytes(16, 16, 1, JCS_GRAYSCALE, rgb, &n);
    for (int channels = 1; channels <= 3; channels += 2) {
        ck_assert_msg(image_decode("x.jpg", bytes, n, channels, &m, &e) == 0, "%s", e.text);
        for (int k = 0; k < 16 * 16 * channels; k++)
            ck_assert_int_le(abs(m.data[k] - rgb[k / channels]), 8);
        image_done(&m);
    }
    mem_free(bytes);
    bytes = jpeg_bytes(16, 16, 4, JCS_CMYK, rgb, &n);
    ck_assert_int_eq(image_decode("x.jpg", bytes, n, 3, &m, &e), -1);
    ck_assert_str_eq(e.text, "x.jpg: is a JPEG in CMYK; save it in RGB");
    mem_free(bytes);
}
END_TEST

/* Every length but the whole is refused, and no damaged byte does worse than that. */
START_TEST(broken_pictures)
{
    uint8_t rgb[12 * 9 * 3];
    struct rng r;
    rng_init(&r, 7);
    for (size_t k = 0; k < sizeof rgb; k++)
        rgb[k] = (uint8_t)rng_below(&r, 256);
    for (int jpeg = 0; jpeg < 2; jpeg++) {
        size_t n;
        struct err e = {""};
        struct image m;
        uint8_t *bytes =
            jpeg ? jpeg_bytes(12, 9, 3, JCS_RGB, rgb, &n) : png_bytes(12, 9, PNG_FORMAT_RGB, rgb, NULL, &n);
        for (size_t cut = 0; cut + 2 < n; cut++) {
            uint8_t *part = malloc(cut ? cut : 1); /* exactly so long: sanitizers see what is read after it */
            memcpy(part, bytes, cut);
            ck_assert_msg(image_decode("x", part, cut, 3, &m, &e) == -1, "%zu of %zu bytes", cut, n);
            ck_assert(!strncmp(e.text, "x: ", 3) && !strchr(e.text, '\n') && !m.data);
            free(part);
        }
        for (size_t i = 0; i < n; i++) {
            uint8_t was = bytes[i];
            bytes[i] = (uint8_t)(was ^ (1 << rng_below(&r, 8)));
            if (image_decode("x", bytes, n, 3, &m, &e) == 0)
                image_done(&m);
            bytes[i] = was;
        }
        mem_free(bytes);
    }
}
END_TEST

/* A header that promises more pixels than are read is refused by the header. */
START_TEST(bombs)
{
    uint8_t pixels[64] = {0};
    struct err e = {""};
    struct image m;
    size_t n;
    uint8_t *bytes = png_bytes(8, 8, PNG_FORMAT_GRAY, pixels, NULL, &n);
    memcpy(bytes + 16, (const uint8_t[]){0, 0, 0xff, 0, 0, 0, 0xff, 0}, 8);
    for (int i = 0; i < 4; i++)
        bytes[29 + i] = (uint8_t)(crc32(0, bytes + 12, 17) >> (24 - 8 * i));
    ck_assert_int_eq(image_decode("bomb.png", bytes, n, 3, &m, &e), -1);
    ck_assert_str_eq(e.text, "bomb.png: is 65280x65280 pixels, at most 67108864 in all are read");
    mem_free(bytes);
    bytes = jpeg_bytes(8, 8, 1, JCS_GRAYSCALE, pixels, &n);
    size_t at = 2;
    while (bytes[at + 1] != 0xc0)
        at += 2 + ((size_t)bytes[at + 2] << 8 | bytes[at + 3]);
    memcpy(bytes + at + 5, (const uint8_t[]){0xff, 0, 0xff, 0}, 4);
    ck_assert_int_eq(image_decode("bomb.jpg", bytes, n, 3, &m, &e), -1);
    ck_assert_str_eq(e.text, "bomb.jpg: is 65280x65280 pixels, at most 67108864 in all are read");
    mem_free(bytes);
}
END_TEST

/* --- resizing ----------------------------------------------------------------------------------------------------- */

/* The triangle filter as its definition says, one pixel at a time, rounded after each axis. */
static double triangle_row(const double *in, int n_in, int step, int n_out, int at)
{
    double scale = (double)n_in / n_out, reach = scale > 1 ? scale : 1, center = (at + 0.5) * scale, sum = 0,
           weights = 0;
    for (int k = 0; k < n_in; k++) {
        double w = 1 - fabs(k + 0.5 - center) / reach;
        if (w > 0) {
            sum += w * in[k * step];
            weights += w;
        }
    }
    return floor(sum / weights + 0.5);
}

START_TEST(resize_is_the_triangle_filter)
{
    static const int sides[][4] = {{4, 6, 2, 3},  {5, 7, 3, 2},   {3, 3, 8, 5},  {1, 9, 1, 4},
                                   {16, 1, 5, 1}, {40, 30, 7, 9}, {6, 6, 6, 13}, {11, 5, 11, 5}};
    struct rng r;
    rng_init(&r, 3);
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        const int h = sides[i][0], w = sides[i][1], to_h = sides[i][2], to_w = sides[i][3];
        struct image in = {h, w, 3, mem_new((size_t)(h * w), 3)}, out;
        double *a = mem_new((size_t)(h * w), sizeof *a), *b = mem_new((size_t)(h * to_w), sizeof *b);
        for (int k = 0; k < h * w * 3; k++)
            in.data[k] = (uint8_t)rng_below(&r, 256);
        image_resize(&in, to_h, to_w, &out);
        ck_assert(out.h == to_h && out.w == to_w && out.c == 3);
        for (int c = 0; c < 3; c++) {
            for (int k = 0; k < h * w; k++)
                a[k] = in.data[3 * k + c];
            for (int y = 0; y < h; y++)
                for (int x = 0; x < to_w; x++)
                    b[y * to_w + x] = w == to_w ? a[y * w + x] : triangle_row(a + y * w, w, 1, to_w, x);
            for (int y = 0; y < to_h; y++)
                for (int x = 0; x < to_w; x++) {
                    double want = h == to_h ? b[y * to_w + x] : triangle_row(b + x, h, to_w, to_h, y);
                    ck_assert(fabs(out.data[(y * to_w + x) * 3 + c] - want) <= 1);
                }
        }
        image_done(&in);
        image_done(&out);
        mem_free(a);
        mem_free(b);
    }
}
END_TEST

/* By hand: halving 0 100 200 40 weighs 1/8 3/8 3/8 1/8, cut off at the ends; doubling 0 100 gives quarters. */
START_TEST(resize_by_hand)
{
    uint8_t four[] = {0, 100, 200, 40}, two[] = {0, 100};
    struct image in = {1, 4, 1, four}, out;
    image_resize(&in, 1, 2, &out);
    ck_assert_int_eq(out.data[0], 71);  /* (3 * 0 + 3 * 100 + 200) / 7 = 71.4 */
    ck_assert_int_eq(out.data[1], 117); /* (100 + 3 * 200 + 3 * 40) / 7 = 117.1 */
    image_done(&out);
    in = (struct image){2, 1, 1, two};
    image_resize(&in, 4, 1, &out);
    ck_assert(out.data[0] == 0 && out.data[1] == 25 && out.data[2] == 75 && out.data[3] == 100);
    image_done(&out);
}
END_TEST

/* --- folders ------------------------------------------------------------------------------------------------------ */

START_TEST(folders_are_classes)
{
    struct err e = {""};
    write_folders();
    struct dataset *d = load(TOP "calibrate: {images: cal}\nevaluate: {images: ev}\n", &e);
    ck_assert_msg(d != NULL, "%s", e.text);
    ck_assert(d->h == 4 && d->w == 5 && d->c == 3 && d->n_classes == 2 && d->calibrate.n == 5 && d->evaluate.n == 3);
    ck_assert_str_eq(d->class_names[1], "b");
    static const int seeds[] = {400, 100, 300, 0, 200}, labels[] = {0, 1, 0, 1, 0}; /* x 1 y 2 z */
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(d->calibrate.labels[i], labels[i]);
        for (int k = 0; k < 60; k++)
            ck_assert_int_eq(d->calibrate.pixels[60 * i + k], pixel(seeds[i] + k));
    }
    float out[60];
    d->bgr = true;
    dataset_image(d, &d->calibrate, 1, out);
    for (int c = 0; c < 3; c++)
        for (int k = 0; k < 20; k++)
            ck_assert(out[20 * c + k] == pixel(100 + 3 * k + 2 - c));
    dataset_free(d);
    d = load(TOP "classes: [zebra, b, a]\nclass_offset: 1\nchannels: 1\nresize: [4, 10]\ncrop: [2, 3]\n"
                 "calibrate: {images: cal, count: 2}\nevaluate: {images: cal, first: 2}\n",
             &e);
    ck_assert_msg(d != NULL, "%s", e.text);
    ck_assert(d->h == 2 && d->w == 3 && d->c == 1 && d->calibrate.n == 2 && d->evaluate.n == 3);
    ck_assert(d->calibrate.labels[0] == 3 && d->calibrate.labels[1] == 2);
    dataset_free(d);
    d = load(TOP "calibrate: {images: flat, count: 1}\nevaluate: {images: flat, first: 1}\n", &e);
    ck_assert_msg(d != NULL, "%s", e.text);
    ck_assert(!d->calibrate.labels && d->n_classes == 0 && d->evaluate.pixels[0] == pixel(900));
    dataset_free(d);
}
END_TEST

/* Shorter side 8 of 5 x 4 makes 10 x 8; its middle starts at row 2 and column 2: (8 - 4) / 2, and (10 - 5) / 2 to even.
 */
START_TEST(shorter_side_and_middle)
{
    struct err e = {""};
    write_folders();
    struct dataset *d = load(TOP "resize: 8\ncrop: [4, 5]\ncalibrate: {images: cal}\nevaluate: {images: ev}\n", &e);
    ck_assert_msg(d != NULL, "%s", e.text);
    ck_assert(d->h == 4 && d->w == 5);
    struct image in = {4, 5, 3, mem_new(60, 1)}, out;
    for (int k = 0; k < 60; k++)
        in.data[k] = pixel(400 + k);
    image_resize(&in, 8, 10, &out);
    for (int y = 0; y < 4; y++)
        ck_assert(!memcmp(d->calibrate.pixels + 15 * y, out.data + 3 * (10 * (y + 2) + 2), 15));
    image_done(&in);
    image_done(&out);
    dataset_free(d);
}
END_TEST

static const struct {
    const char *text, *says;
} bad[] = {
    {"calibrate: {images: none}\nevaluate: {images: ev}\n", "none: has no class folders and no PNG or JPEG files"},
    {"calibrate: {images: nowhere}\nevaluate: {images: ev}\n", "d.yaml:6:21: there is no nowhere in "},
    {"calibrate: {images: empty}\nevaluate: {images: ev}\n", "empty/a: has no PNG or JPEG files"},
    {"calibrate: {images: both}\nevaluate: {images: ev}\n", "both: has pictures beside class folders (1.png, a)"},
    {"calibrate: {images: bad}\nevaluate: {images: ev}\n", "bad/a/1.png: neither PNG nor JPEG"},
    {"calibrate: {images: cal}\nevaluate: {images: other}\n", "other/c is none of the 2 classes"},
    {"classes: [a, c]\ncalibrate: {images: cal}\nevaluate: {images: ev}\n", "cal/b is none of the 2 classes"},
    {"classes: 3\ncalibrate: {images: cal}\nevaluate: {images: ev}\n", "has 2 class folders, not 3"},
    {"calibrate: {images: cal}\nevaluate: {images: cal}\n", "calibrate and evaluate share images of cal"},
    {"calibrate: {images: cal, count: 3}\nevaluate: {images: cal/../cal, first: 2}\n", "share images of cal/../cal"},
    {"calibrate: {images: mixed}\nevaluate: {images: ev}\n",
     "mixed/b/1.png: is 4x6 pixels, those before it are 4x5; give resize and crop"},
    {"crop: 5\ncalibrate: {images: cal}\nevaluate: {images: ev}\n", "is 4x5 pixels, too small for crop [5, 5]"},
    {"resize: [4]\ncalibrate: {images: cal}\nevaluate: {images: ev}\n", "d.yaml:6:9: resize must be a number or ["},
    {"resize: 0\ncalibrate: {images: cal}\nevaluate: {images: ev}\n", "d.yaml:6:9: resize must be 1..4096, not 0"},
    {"channels: 2\ncalibrate: {images: cal}\nevaluate: {images: ev}\n", "channels must be 1 or 3, not 2"},
    {"stored: nchw\ncalibrate: {images: cal}\nevaluate: {images: ev}\n", "unknown key stored"},
    {"calibrate: {images: cal, labels: x}\nevaluate: {images: ev}\n", "unknown key labels in calibrate"},
    {"layout: hwc\ncalibrate: {images: cal}\nevaluate: {images: ev}\n", "layout must be nchw or nhwc, not hwc"},
    {"channels: 1\nchannel_order: bgr\ncalibrate: {images: cal}\nevaluate: {images: ev}\n",
     "bgr needs images of 3 chan"},
    {"calibrate: {images: odd}\nevaluate: {images: ev}\n", "odd/1.png: cannot be read: not a regular file"},
    {"calibrate: {images: gone/}\nevaluate: {images: ev}\n", "gone/1.png: cannot be read: No such file"},
    {"calibrate: {images: d.yaml}\nevaluate: {images: ev}\n", "d.yaml: cannot be read: "},
};

START_TEST(bad_folders)
{
    struct err e = {""};
    write_folders();
    char *text = mem_printf(TOP "%s", bad[_i].text);
    ck_assert_ptr_null(load(text, &e));
    ck_assert_msg(strstr(e.text, bad[_i].says) && !strchr(e.text, '\n'), "%s: %s", bad[_i].text, e.text);
    mem_free(text);
}
END_TEST

Suite *check_images_suite(void)
{
    Suite *s = suite_create("images");
    TCase *t = tcase_create("images");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, scratch_make, scratch_drop);
    tcase_add_test(t, png_kinds);
    tcase_add_test(t, jpeg_kinds);
    tcase_add_test(t, broken_pictures);
    tcase_add_test(t, bombs);
    tcase_add_test(t, resize_is_the_triangle_filter);
    tcase_add_test(t, resize_by_hand);
    tcase_add_test(t, folders_are_classes);
    tcase_add_test(t, shorter_side_and_middle);
    tcase_add_loop_test(t, bad_folders, 0, sizeof bad / sizeof *bad);
    suite_add_tcase(s, t);
    return s;
}
