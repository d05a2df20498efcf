/* SPDX-License-Identifier: MIT */
#include "model/dataset.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"
#include "base/text.h"
#include "base/yaml_doc.h"

enum { SIDE_MAX = 4096, IMAGES_MAX = 100 * 1000 * 1000, CHANNELS_MAX = 4, CLASSES_MAX = 256 };
static const int64_t part_bytes_max = (int64_t)4 << 30;

/* --- IDX files ---------------------------------------------------------------------------------------------------- */

struct idx { /* an open file of bytes, after its header */
    const char *path;
    gzFile z;
    int n_dims;
    int64_t d[4]; /* d[0] items ... */
    int64_t item; /* ... of so many bytes */
};

static int idx_fail(const struct idx *f, struct err *e)
{
    int code;
    const char *why = gzerror(f->z, &code);
    if (code == Z_OK || code == Z_BUF_ERROR)
        return err_set(e, "%s: ends too early (truncated file)", f->path);
    return err_set(e, "%s: cannot be read: %s", f->path, code == Z_ERRNO ? strerror(errno) : why);
}

static void idx_close(struct idx *f)
{
    if (f->z)
        gzclose(f->z);
    f->z = NULL;
}

static int idx_read_header(struct idx *f, int min_dims, int max_dims, struct err *e)
{
    unsigned char head[4], word[4];
    if (gzread(f->z, head, 4) != 4)
        return idx_fail(f, e);
    if (head[0] || head[1] || head[2] != 8)
        return err_set(e, "%s: not an IDX file of bytes (starts with %02x %02x %02x, not 00 00 08)", f->path, head[0],
                       head[1], head[2]);
    f->n_dims = head[3];
    if (f->n_dims < min_dims || f->n_dims > max_dims)
        return err_set(e, "%s: has %d dimensions, not %d%s", f->path, f->n_dims, min_dims,
                       max_dims > min_dims ? " (images, height, width) or 4 (and channels)" : " (one label an image)");
    static const int64_t most[] = {IMAGES_MAX, SIDE_MAX, SIDE_MAX, CHANNELS_MAX};
    f->item = 1;
    for (int i = 0; i < f->n_dims; i++) {
        if (gzread(f->z, word, 4) != 4)
            return idx_fail(f, e);
        f->d[i] = (int64_t)word[0] << 24 | word[1] << 16 | word[2] << 8 | word[3];
        if (f->d[i] < 1 || f->d[i] > most[i])
            return err_set(e, "%s: dimension %d is %" PRId64 ", must be 1..%" PRId64, f->path, i, f->d[i], most[i]);
        f->item *= i ? f->d[i] : 1;
    }
    return 0;
}

/* A plain file tells its length at once; of a gzip file only the part that is read is checked. */
static int idx_check_length(const struct idx *f, int64_t file_bytes, struct err *e)
{
    int64_t wanted = 4 + 4 * f->n_dims + f->d[0] * f->item;
    if (!gzdirect(f->z) || file_bytes == wanted)
        return 0;
    return err_set(e, "%s: is %" PRId64 " bytes long, its header says %" PRId64, f->path, file_bytes, wanted);
}

static int idx_open(struct idx *f, const char *path, int min_dims, int max_dims, struct err *e)
{
    *f = (struct idx){.path = path};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st)) {
        err_set(e, "%s: cannot be read: %s", path, strerror(errno));
        goto fail;
    }
    if (!S_ISREG(st.st_mode)) {
        err_set(e, "%s: cannot be read: not a file", path);
        goto fail;
    }
    f->z = gzdopen(fd, "rb");
    if (!f->z) {
        err_set(e, "%s: cannot be read: no memory", path);
        goto fail;
    }
    gzbuffer(f->z, 256 * 1024);
    if (idx_read_header(f, min_dims, max_dims, e) || idx_check_length(f, st.st_size, e)) {
        idx_close(f);
        return -1;
    }
    return 0;
fail:
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Items first..first+count-1. What comes before them is skipped, what comes after is not even decompressed. */
static uint8_t *idx_read(struct idx *f, int64_t first, int64_t count, struct arena *a, struct err *e)
{
    int64_t left = count * f->item;
    uint8_t *data = arena_new(a, (size_t)left, 1), *at = data;
    if (first && gzseek(f->z, first * f->item, SEEK_CUR) < 0) {
        idx_fail(f, e);
        return NULL;
    }
    while (left) {
        int got = gzread(f->z, at, left > (1 << 30) ? 1u << 30 : (unsigned)left);
        if (got <= 0) {
            idx_fail(f, e);
            return NULL;
        }
        at += got;
        left -= got;
    }
    char more;
    int code = Z_OK, tail = first + count == f->d[0] ? gzread(f->z, &more, 1) : 0; /* also checks gzip's checksum */
    if (tail == 0)
        gzerror(f->z, &code);
    if (tail < 0 || code == Z_BUF_ERROR)
        idx_fail(f, e);
    else if (tail > 0)
        err_set(e, "%s: is longer than its header says (%" PRId64 " items of %" PRId64 " bytes)", f->path, f->d[0],
                f->item);
    return tail || code == Z_BUF_ERROR ? NULL : data;
}

/* --- the description ---------------------------------------------------------------------------------------------- */

struct loader {
    struct dataset *d;
    const struct yaml_doc *doc;
    const char *folder; /* of the description, with its slash, or "" */
    const char **roots; /* directories to look in */
    int n_roots;
    const char *hint;
    struct err *e;
};

struct part { /* one of the two, as described */
    const char *what;
    const struct yaml_node *node, *images_node, *labels_node;
    const char *images, *labels; /* paths; labels may be NULL */
    int64_t first, count, total; /* count -1: to the end */
};

/* ${NAME} replaced; NULL when a variable is not set (the place is then not looked at), or when "${" has no "}". */
static const char *expand(struct loader *l, const char *s)
{
    struct text t = {0};
    const char *result = NULL;
    for (;;) {
        const char *open = strstr(s, "${"), *close = open ? strchr(open, '}') : NULL;
        if (!open) {
            text_put(&t, s);
            result = arena_strdup(&l->d->arena, t.s);
            break;
        }
        if (!close)
            break;
        text_put_n(&t, s, (size_t)(open - s));
        char *name = mem_printf("%.*s", (int)(close - open - 2), open + 2);
        const char *value = getenv(name);
        mem_free(name);
        if (!value || !*value)
            break;
        text_put(&t, value);
        s = close + 1;
    }
    text_done(&t);
    return result;
}

static int add_root(struct loader *l, const struct yaml_node *n)
{
    const char *s = yaml_text(l->doc, n, l->e);
    if (!s)
        return -1;
    const char *dir = expand(l, s);
    if (dir)
        l->roots[l->n_roots++] = dir[0] == '/' ? dir : arena_printf(&l->d->arena, "%s%s", l->folder, dir);
    return 0;
}

static int load_roots(struct loader *l, const struct yaml_node *n)
{
    l->roots = arena_new(&l->d->arena, n && n->n ? (size_t)n->n : 1, sizeof *l->roots);
    if (!n) {
        l->roots[l->n_roots++] = *l->folder ? l->folder : ".";
        return 0;
    }
    if (n->kind == YAML_SCALAR)
        return add_root(l, n);
    if (yaml_check_sequence(l->doc, n, "root", l->e))
        return -1;
    for (const struct yaml_node *c = n->first; c; c = c->next)
        if (add_root(l, c))
            return -1;
    return 0;
}

static const char *locate(struct loader *l, const struct yaml_node *n)
{
    const char *name = yaml_text(l->doc, n, l->e);
    if (!name)
        return NULL;
    struct text places = {0};
    for (int i = 0; i < (name[0] == '/' ? 1 : l->n_roots); i++) {
        const char *path = name[0] == '/' ? name : arena_printf(&l->d->arena, "%s/%s", l->roots[i], name);
        if (file_exists(path)) {
            text_done(&places);
            return path;
        }
        if (name[0] != '/')
            text_printf(&places, "%s%s", i ? ", " : " in ", l->roots[i]);
    }
    yaml_error(l->doc, n, l->e, "there is no %s%s%s%s", name, places.s ? places.s : "", l->hint ? "; " : "",
               l->hint ? l->hint : "");
    text_done(&places);
    return NULL;
}

static int describe_part(struct loader *l, const struct yaml_node *root, const char *what, struct part *p)
{
    static const char *const keys[] = {"images", "labels", "first", "count", NULL};
    *p = (struct part){.what = what, .node = yaml_get(root, what), .count = -1};
    if (!p->node)
        return yaml_error(l->doc, root, l->e, "%s: {images: FILE, labels: FILE} is missing", what);
    if (yaml_check_mapping(l->doc, p->node, what, keys, l->e))
        return -1;
    p->images_node = yaml_get(p->node, "images");
    p->labels_node = yaml_get(p->node, "labels");
    const struct yaml_node *first = yaml_get(p->node, "first"), *count = yaml_get(p->node, "count");
    if (!p->images_node)
        return yaml_error(l->doc, p->node, l->e, "%s needs images: FILE", what);
    if (first && yaml_int(l->doc, first, 0, IMAGES_MAX, &p->first, l->e))
        return -1;
    if (count && yaml_int(l->doc, count, 1, IMAGES_MAX, &p->count, l->e))
        return -1;
    p->images = locate(l, p->images_node);
    if (!p->images)
        return -1;
    p->labels = p->labels_node ? locate(l, p->labels_node) : NULL;
    return p->labels_node && !p->labels ? -1 : 0;
}

/* Fixes the range of the part, now that the number of images is known. */
static int resolve_range(struct loader *l, struct part *p, int64_t total)
{
    p->total = total;
    if (p->first >= total)
        return yaml_error(l->doc, p->node, l->e, "%s starts at image %" PRId64 ", but %s has %" PRId64, p->what,
                          p->first, p->images, total);
    if (p->count < 0)
        p->count = total - p->first;
    if (p->count > total - p->first)
        return yaml_error(l->doc, p->node, l->e, "%s ends at image %" PRId64 ", but %s has %" PRId64, p->what,
                          p->first + p->count - 1, p->images, total);
    return 0;
}

static int load_labels(struct loader *l, const struct part *p, struct dataset_part *out)
{
    struct idx f;
    if (idx_open(&f, p->labels, 1, 1, l->e))
        return -1;
    int rc = -1;
    if (f.d[0] != p->total) {
        err_set(l->e, "%s: has %" PRId64 " labels for the %" PRId64 " images of %s", p->labels, f.d[0], p->total,
                p->images);
        goto out;
    }
    const uint8_t *labels = idx_read(&f, p->first, p->count, &l->d->arena, l->e);
    if (!labels)
        goto out;
    for (int64_t i = 0; i < p->count; i++) {
        if (labels[i] >= l->d->n_classes) {
            err_set(l->e, "%s: image %" PRId64 " has label %d, but %s has %d classes", p->labels, p->first + i,
                    labels[i], l->doc->file, l->d->n_classes);
            goto out;
        }
    }
    out->labels = labels;
    rc = 0;
out:
    idx_close(&f);
    return rc;
}

static int load_part(struct loader *l, struct part *p, struct dataset_part *out)
{
    struct dataset *d = l->d;
    struct idx f;
    if (idx_open(&f, p->images, 3, 4, l->e))
        return -1;
    int rc = -1;
    int c = f.n_dims == 4 ? (int)f.d[3] : 1;
    if (d->h && (f.d[1] != d->h || f.d[2] != d->w || c != d->c)) {
        err_set(l->e, "%s: images are %" PRId64 "x%" PRId64 "x%d, those of calibrate are %dx%dx%d", p->images, f.d[1],
                f.d[2], c, d->h, d->w, d->c);
        goto out;
    }
    d->h = (int)f.d[1];
    d->w = (int)f.d[2];
    d->c = c;
    if (resolve_range(l, p, f.d[0]))
        goto out;
    if (p->count * f.item > part_bytes_max) {
        yaml_error(l->doc, p->node, l->e, "%s is larger than 4 GiB; take fewer images with count", p->what);
        goto out;
    }
    out->pixels = idx_read(&f, p->first, p->count, &d->arena, l->e);
    if (!out->pixels || (p->labels && load_labels(l, p, out)))
        goto out;
    out->n = (int)p->count;
    rc = 0;
out:
    idx_close(&f);
    return rc;
}

/* No image may calibrate and be counted: one file can serve both only in ranges that do not meet. */
static int check_disjoint(struct loader *l, const struct part *a, const struct part *b)
{
    struct stat x, y;
    if (stat(a->images, &x) || stat(b->images, &y) || x.st_dev != y.st_dev || x.st_ino != y.st_ino)
        return 0;
    if (a->first + a->count <= b->first || b->first + b->count <= a->first)
        return 0;
    return yaml_error(l->doc, b->images_node, l->e,
                      "calibrate and evaluate share images of %s; give both a first and a count that do not meet",
                      b->images_node->text);
}

static int load_numbers(struct loader *l, const struct yaml_node *root, const char *key, double lo, float out[4])
{
    const struct yaml_node *n = yaml_get(root, key);
    if (!n)
        return yaml_error(l->doc, root, l->e, "%s is missing: a list with one number a channel", key);
    if (n->kind != YAML_SEQUENCE || n->n != l->d->c)
        return yaml_error(l->doc, n, l->e, "%s must be a list of %d (one number a channel)", key, l->d->c);
    int i = 0;
    for (const struct yaml_node *c = n->first; c; c = c->next) {
        double v;
        if (yaml_double(l->doc, c, lo, 1e6, &v, l->e))
            return -1;
        out[i++] = (float)v;
    }
    return 0;
}

static int load_classes(struct loader *l, const struct yaml_node *root)
{
    const struct yaml_node *n = yaml_get(root, "classes");
    if (!n)
        return yaml_error(l->doc, root, l->e, "classes is missing: a list of names, or their number");
    if (n->kind == YAML_SCALAR) {
        int64_t count;
        if (yaml_int(l->doc, n, 1, CLASSES_MAX, &count, l->e))
            return -1;
        l->d->n_classes = (int)count;
        return 0;
    }
    if (yaml_check_sequence(l->doc, n, "classes", l->e))
        return -1;
    if (n->n < 1 || n->n > CLASSES_MAX)
        return yaml_error(l->doc, n, l->e, "classes must be 1..%d names, not %d", CLASSES_MAX, n->n);
    l->d->class_names = arena_new(&l->d->arena, (size_t)n->n, sizeof *l->d->class_names);
    for (const struct yaml_node *c = n->first; c; c = c->next) {
        const char *name = yaml_text(l->doc, c, l->e);
        if (!name)
            return -1;
        l->d->class_names[l->d->n_classes++] = arena_strdup(&l->d->arena, name);
    }
    return 0;
}

/* The text of a key that must be there; when must_be is set, exactly that. */
static const char *required(struct loader *l, const struct yaml_node *root, const char *key, const char *must_be)
{
    const struct yaml_node *n = yaml_get(root, key);
    if (!n) {
        yaml_error(l->doc, root, l->e, "%s%s%s is missing", key, must_be ? ": " : "", must_be ? must_be : "");
        return NULL;
    }
    const char *s = yaml_text(l->doc, n, l->e);
    if (s && must_be && strcmp(s, must_be)) {
        yaml_error(l->doc, n, l->e, "%s must be %s, not %s", key, must_be, s);
        return NULL;
    }
    return s;
}

static int load_all(struct loader *l)
{
    static const char *const keys[] = {"schema", "name", "format", "mean",      "std",      "classes",
                                       "hint",   "root", "notes",  "calibrate", "evaluate", NULL};
    const struct yaml_node *root = l->doc->root, *hint;
    struct part calibrate, evaluate;
    if (yaml_check_mapping(l->doc, root, "a dataset", keys, l->e) ||
        !required(l, root, "schema", "bitfader/dataset/1") || !required(l, root, "format", "idx"))
        return -1;
    const char *name = required(l, root, "name", NULL);
    if (!name)
        return -1;
    l->d->name = arena_strdup(&l->d->arena, name);
    hint = yaml_get(root, "hint");
    if (hint && !(l->hint = yaml_text(l->doc, hint, l->e)))
        return -1;
    if (load_classes(l, root) || load_roots(l, yaml_get(root, "root")) ||
        describe_part(l, root, "calibrate", &calibrate) || describe_part(l, root, "evaluate", &evaluate) ||
        load_part(l, &calibrate, &l->d->calibrate) || load_part(l, &evaluate, &l->d->evaluate))
        return -1;
    if (check_disjoint(l, &calibrate, &evaluate))
        return -1;
    return load_numbers(l, root, "mean", -1e6, l->d->mean) || load_numbers(l, root, "std", 1e-6, l->d->std) ? -1 : 0;
}

static struct dataset *load_file(const char *path, struct err *e)
{
    size_t size;
    struct dataset *d = NULL;
    struct yaml_doc *doc = NULL;
    char *text = file_read(path, 1 << 20, &size, e), *folder = NULL;
    if (!text)
        return NULL;
    if (strlen(text) != size)
        err_set(e, "%s: not a YAML text (zero byte)", path);
    else
        doc = yaml_doc_parse(path, text, e);
    if (doc) {
        const char *slash = strrchr(path, '/');
        folder = mem_printf("%.*s", slash ? (int)(slash - path) + 1 : 0, path);
        d = mem_new(1, sizeof *d);
        struct loader l = {.d = d, .doc = doc, .folder = folder, .e = e};
        if (load_all(&l)) {
            dataset_free(d);
            d = NULL;
        }
    }
    mem_free(folder);
    yaml_doc_free(doc);
    mem_free(text);
    return d;
}

struct dataset *dataset_load(const char *spec, const char *config_path, struct err *e)
{
    size_t n = strlen(spec);
    if (strchr(spec, '/') || (n > 5 && !strcmp(spec + n - 5, ".yaml")) || (n > 4 && !strcmp(spec + n - 4, ".yml")))
        return load_file(spec, e);
    for (const char *at = config_path; at && *at;) {
        size_t length = strcspn(at, ":");
        char *path = mem_printf("%.*s/configs/datasets/%s.yaml", (int)length, at, spec);
        bool found = length && file_exists(path);
        struct dataset *d = found ? load_file(path, e) : NULL;
        mem_free(path);
        if (found)
            return d;
        at += length + (at[length] == ':');
    }
    err_set(e, "dataset %s: there is no configs/datasets/%s.yaml in %s; a path of a YAML file works too", spec, spec,
            config_path && *config_path ? config_path : "(no directories)");
    return NULL;
}

void dataset_free(struct dataset *d)
{
    if (!d)
        return;
    arena_done(&d->arena);
    mem_free(d);
}

/* --- use ---------------------------------------------------------------------------------------------------------- */

static bool shape_is(const struct shape *s, int n, const int64_t *d)
{
    return s->n == n && !memcmp(s->d, d, (size_t)n * sizeof *d);
}

int dataset_check(const struct dataset *d, const struct graph *g, struct err *e)
{
    if (g->n_inputs != 1)
        return err_set(e, "%s: has %d inputs; dataset %s gives one image", g->file, g->n_inputs, d->name);
    const struct tensor *t = &g->tensors[g->inputs[0]];
    const struct shape *s = &t->shape;
    if (t->type != DTYPE_F32)
        return err_set(e, "%s: input %s is not float; dataset %s gives float images", g->file, t->name, d->name);
    bool nchw = shape_is(s, 4, (const int64_t[]){1, d->c, d->h, d->w});
    bool nhwc = shape_is(s, 4, (const int64_t[]){1, d->h, d->w, d->c});
    bool flat = shape_is(s, 2, (const int64_t[]){1, (int64_t)d->c * d->h * d->w});
    if (nchw || flat || (nhwc && d->c == 1))
        return 0;
    if (nhwc)
        return err_set(e, "%s: input %s is [1][height][width][channel]; images of %s are fed channel first", g->file,
                       t->name, d->name);
    struct text shape = {0};
    for (int i = 0; i < s->n; i++)
        text_printf(&shape, "[%" PRId64 "]", s->d[i]);
    err_set(e, "%s: input %s is %s; images of dataset %s are [1][%d][%d][%d]", g->file, t->name,
            shape.s ? shape.s : "a scalar", d->name, d->c, d->h, d->w);
    text_done(&shape);
    return -1;
}

void dataset_image(const struct dataset *d, const struct dataset_part *p, int i, float *out)
{
    int area = d->h * d->w;
    const uint8_t *image = p->pixels + (size_t)i * (size_t)area * (size_t)d->c; /* [h * w][c] */
    /* (byte / 255 - mean) / std, scaled by 255 first: with std 1/255, raw bytes come out as exactly 0..255. */
    for (int c = 0; c < d->c; c++) {
        float mean = 255.0f * d->mean[c], std = 255.0f * d->std[c];
        float *plane = out + (size_t)c * (size_t)area;
        for (int k = 0; k < area; k++)
            plane[k] = ((float)image[k * d->c + c] - mean) / std;
    }
}
