/* SPDX-License-Identifier: MIT
 *
 * Both libraries leave by longjmp when a file is bad: everything that must be released hangs on a struct whose address
 * is taken before, and no local changes after setjmp.
 */
#include <stdio.h>

#include <jerror.h>
#include <jpeglib.h>
#include <png.h>
#include <setjmp.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "data/image.h"

enum { SIDE_MAX = 65500, JPEG_SCANS_MAX = 100, PNG_CHUNKS_MAX = 1000, PNG_CHUNK_BYTES_MAX = 8 << 20 };

static int check_size(const char *name, int64_t w, int64_t h, struct err *e)
{
    if (w >= 1 && h >= 1 && w <= SIDE_MAX && h <= SIDE_MAX && w * h <= IMAGE_PIXELS_MAX)
        return 0;
    return err_set(e, "%s: is %lldx%lld pixels, at most %d in all are read", name, (long long)w, (long long)h,
                   IMAGE_PIXELS_MAX);
}

/* --- PNG ---------------------------------------------------------------------------------------------------------- */

struct png_work {
    png_structp png;
    png_infop info;
    const char *name;
    const uint8_t *bytes;
    size_t n, at;
    png_bytep *rows;
    struct image image;
    struct err *e;
};

static void png_failed(png_structp png, png_const_charp why)
{
    struct png_work *w = png_get_error_ptr(png);
    err_set(w->e, "%s: not a good PNG: %s", w->name, why);
    png_longjmp(png, 1);
}

static void png_warned(png_structp png, png_const_charp why)
{
    (void)png;
    (void)why;
}

static void png_take(png_structp png, png_bytep out, size_t n)
{
    struct png_work *w = png_get_io_ptr(png);
    if (n > w->n - w->at)
        png_error(png, "ends too early (truncated file)");
    memcpy(out, w->bytes + w->at, n);
    w->at += n;
}

/* Whatever it is to 8 bits of grey or colours, without alpha. */
static void png_transform(struct png_work *w, int channels)
{
    png_byte colors = png_get_color_type(w->png, w->info);
    png_set_scale_16(w->png);
    if (colors == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(w->png);
    if (colors == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(w->png, w->info) < 8)
        png_set_expand_gray_1_2_4_to_8(w->png);
    png_set_strip_alpha(w->png);
    if (channels == 3 && !(colors & PNG_COLOR_MASK_COLOR))
        png_set_gray_to_rgb(w->png);
    png_set_interlace_handling(w->png);
    png_read_update_info(w->png, w->info);
}

static int png_decode(struct png_work *w, int channels)
{
    w->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, w, png_failed, png_warned);
    w->info = w->png ? png_create_info_struct(w->png) : NULL;
    if (!w->info)
        return err_set(w->e, "%s: libpng does not start", w->name);
    if (setjmp(png_jmpbuf(w->png)))
        return -1;
    png_set_user_limits(w->png, SIDE_MAX, SIDE_MAX);
    png_set_chunk_cache_max(w->png, PNG_CHUNKS_MAX);
    png_set_chunk_malloc_max(w->png, PNG_CHUNK_BYTES_MAX);
    png_set_read_fn(w->png, w, png_take);
    png_read_info(w->png, w->info);
    if (check_size(w->name, png_get_image_width(w->png, w->info), png_get_image_height(w->png, w->info), w->e))
        return -1;
    png_transform(w, channels);
    w->image.w = (int)png_get_image_width(w->png, w->info);
    w->image.h = (int)png_get_image_height(w->png, w->info);
    w->image.c = png_get_channels(w->png, w->info);
    size_t row = (size_t)w->image.w * (size_t)w->image.c;
    if ((w->image.c != 1 && w->image.c != 3) || png_get_rowbytes(w->png, w->info) != row)
        return err_set(w->e, "%s: pixels of this kind cannot be read", w->name);
    w->image.data = mem_new((size_t)w->image.h, row);
    w->rows = mem_new((size_t)w->image.h, sizeof *w->rows);
    for (int i = 0; i < w->image.h; i++)
        w->rows[i] = w->image.data + (size_t)i * row;
    png_read_image(w->png, w->rows);
    png_read_end(w->png, NULL);
    return 0;
}

/* --- JPEG --------------------------------------------------------------------------------------------------------- */

struct jpeg_work {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf back;
    const char *name;
    struct image image;
    struct err *e;
};

static void jpeg_failed(j_common_ptr jpeg)
{
    struct jpeg_work *w = jpeg->client_data;
    char why[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, why);
    err_set(w->e, "%s: not a good JPEG: %s", w->name, why);
    longjmp(w->back, 1);
}

/* The library fills what is missing with grey and only warns. */
static void jpeg_said(j_common_ptr jpeg, int level)
{
    int code = jpeg->err->msg_code;
    if (level < 0 && (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER || code == JWRN_HUFF_BAD_CODE))
        jpeg_failed(jpeg);
}

/* A progressive file may have any number of scans over the whole picture, each a few bytes long. */
static void jpeg_progressed(j_common_ptr jpeg)
{
    struct jpeg_work *w = jpeg->client_data;
    if (w->jpeg.input_scan_number <= JPEG_SCANS_MAX)
        return;
    err_set(w->e, "%s: not a good JPEG: more than %d scans", w->name, JPEG_SCANS_MAX);
    longjmp(w->back, 1);
}

static int jpeg_decode(struct jpeg_work *w, const void *bytes, size_t n, int channels)
{
    struct jpeg_decompress_struct *j = &w->jpeg;
    j->err = jpeg_std_error(&w->errors);
    w->errors.error_exit = jpeg_failed;
    w->errors.emit_message = jpeg_said;
    w->progress.progress_monitor = jpeg_progressed;
    j->client_data = w;
    if (setjmp(w->back))
        return -1;
    jpeg_create_decompress(j);
    j->progress = &w->progress;
    jpeg_mem_src(j, bytes, n);
    jpeg_read_header(j, TRUE);
    if (check_size(w->name, j->image_width, j->image_height, w->e))
        return -1;
    if (j->jpeg_color_space == JCS_CMYK || j->jpeg_color_space == JCS_YCCK)
        return err_set(w->e, "%s: is a JPEG in CMYK; save it in RGB", w->name);
    bool grey = j->jpeg_color_space == JCS_GRAYSCALE;
    j->out_color_space = grey && channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_start_decompress(j);
    w->image = (struct image){(int)j->output_height, (int)j->output_width, j->output_components, NULL};
    size_t row = (size_t)w->image.w * (size_t)w->image.c;
    w->image.data = mem_new((size_t)w->image.h, row);
    while (j->output_scanline < j->output_height) {
        JSAMPROW at = w->image.data + (size_t)j->output_scanline * row;
        jpeg_read_scanlines(j, &at, 1);
    }
    jpeg_finish_decompress(j);
    return 0;
}

/* --- both --------------------------------------------------------------------------------------------------------- */

static int decode_png(const char *name, const void *bytes, size_t n, int channels, struct image *out, struct err *e)
{
    struct png_work *w = mem_new(1, sizeof *w);
    *w = (struct png_work){.name = name, .bytes = bytes, .n = n, .e = e};
    int rc = png_decode(w, channels);
    png_destroy_read_struct(&w->png, &w->info, NULL);
    mem_free(w->rows);
    if (rc)
        image_done(&w->image);
    *out = w->image;
    mem_free(w);
    return rc;
}

static int decode_jpeg(const char *name, const void *bytes, size_t n, int channels, struct image *out, struct err *e)
{
    struct jpeg_work *w = mem_new(1, sizeof *w);
    w->name = name;
    w->e = e;
    int rc = jpeg_decode(w, bytes, n, channels);
    jpeg_destroy_decompress(&w->jpeg);
    if (rc)
        image_done(&w->image);
    *out = w->image;
    mem_free(w);
    return rc;
}

static void turn_grey(struct image *m)
{
    size_t n = (size_t)m->h * (size_t)m->w;
    uint8_t *grey = mem_new(n, 1);
    for (size_t i = 0; i < n; i++) {
        const uint8_t *p = m->data + 3 * i;
        grey[i] = (uint8_t)((p[0] * 19595u + p[1] * 38470u + p[2] * 7471u + 0x8000) >> 16);
    }
    mem_free(m->data);
    m->data = grey;
    m->c = 1;
}

int image_decode(const char *name, const void *bytes, size_t n, int channels, struct image *out, struct err *e)
{
    int rc;
    *out = (struct image){0};
    if (n > 8 && !memcmp(bytes, "\x89PNG\r\n\x1a\n", 8))
        rc = decode_png(name, bytes, n, channels, out, e);
    else if (n > 3 && !memcmp(bytes, "\xff\xd8\xff", 3))
        rc = decode_jpeg(name, bytes, n, channels, out, e);
    else
        rc = err_set(e, "%s: neither PNG nor JPEG", name);
    if (!rc && channels == 1 && out->c == 3)
        turn_grey(out);
    return rc;
}
