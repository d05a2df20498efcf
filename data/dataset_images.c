/* SPDX-License-Identifier: MIT
 *
 * Folders of pictures: one sub-folder a class, PNG and JPEG files in it; or files alone, without labels. Every picture
 * is decoded, resized and cropped when the dataset is loaded.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/parallel.h"
#include "data/dataset_private.h"
#include "data/image.h"

enum { FILE_BYTES_MAX = 256 << 20 };

/* --- what becomes of a picture ------------------------------------------------------------------------------------ */

struct geometry {
    int channels;
    int shorter;            /* resize: the shorter side; 0: not so */
    int resize_h, resize_w; /* resize: both sides; 0: not so */
    int crop_h, crop_w;     /* 0: none */
};

/* "N" into *one when that is not NULL (else both sides), "[h, w]" into the sides. Nothing when there is no such key. */
static int read_size(struct loader *l, const char *key, int *one, int *h, int *w)
{
    const struct yaml_node *n = yaml_get(l->doc->root, key);
    int64_t side[2];
    if (!n)
        return 0;
    if (n->kind == YAML_SCALAR) {
        if (yaml_int(l->doc, n, 1, DATASET_SIDE_MAX, &side[0], l->e))
            return -1;
        *(one ? one : h) = (int)side[0];
        *(one ? one : w) = (int)side[0];
        return 0;
    }
    if (n->kind != YAML_SEQUENCE || n->n != 2)
        return yaml_error(l->doc, n, l->e, "%s must be a number or [height, width]", key);
    if (yaml_int(l->doc, n->first, 1, DATASET_SIDE_MAX, &side[0], l->e) ||
        yaml_int(l->doc, n->first->next, 1, DATASET_SIDE_MAX, &side[1], l->e))
        return -1;
    *h = (int)side[0];
    *w = (int)side[1];
    return 0;
}

static int read_geometry(struct loader *l, struct geometry *g)
{
    const struct yaml_node *n = yaml_get(l->doc->root, "channels");
    int64_t channels = 3;
    *g = (struct geometry){0};
    if (n && yaml_int(l->doc, n, 1, 3, &channels, l->e))
        return -1;
    if (channels == 2)
        return yaml_error(l->doc, n, l->e, "channels must be 1 or 3, not 2");
    g->channels = (int)channels;
    return read_size(l, "resize", &g->shorter, &g->resize_h, &g->resize_w) ||
                   read_size(l, "crop", NULL, &g->crop_h, &g->crop_w)
               ? -1
               : 0;
}

/* As torchvision's Resize: the longer side in proportion, rounded down. */
static int resize(const char *path, const struct geometry *g, struct image *m, struct err *e)
{
    int64_t h = g->resize_h, w = g->resize_w;
    if (g->shorter) {
        h = m->w <= m->h ? (int64_t)g->shorter * m->h / m->w : g->shorter;
        w = m->w <= m->h ? g->shorter : (int64_t)g->shorter * m->w / m->h;
    }
    if (!h || (h == m->h && w == m->w))
        return 0;
    if (h * w > IMAGE_PIXELS_MAX || m->h * w > IMAGE_PIXELS_MAX)
        return err_set(e, "%s: %dx%d pixels are too long and narrow to resize", path, m->h, m->w);
    struct image to;
    image_resize(m, (int)h, (int)w, &to);
    image_done(m);
    *m = to;
    return 0;
}

/* As torchvision's CenterCrop: halves are rounded to even. */
static int crop(const char *path, const struct geometry *g, struct image *m, struct err *e)
{
    if (!g->crop_h)
        return 0;
    if (g->crop_h > m->h || g->crop_w > m->w)
        return err_set(e, "%s: is %dx%d pixels, too small for crop [%d, %d]; resize first", path, m->h, m->w, g->crop_h,
                       g->crop_w);
    struct image to = {g->crop_h, g->crop_w, m->c, mem_new((size_t)g->crop_h * (size_t)g->crop_w, (size_t)m->c)};
    image_crop(m, (int)lrint((m->h - to.h) / 2.0), (int)lrint((m->w - to.w) / 2.0), to.h, to.w, to.data);
    image_done(m);
    *m = to;
    return 0;
}

static int read_picture(const char *path, const struct geometry *g, struct image *m, struct err *e)
{
    size_t n;
    *m = (struct image){0};
    void *bytes = file_read(path, FILE_BYTES_MAX, &n, e);
    int rc = bytes ? image_decode(path, bytes, n, g->channels, m, e) : -1;
    mem_free(bytes);
    if (!rc)
        rc = resize(path, g, m, e) || crop(path, g, m, e) ? -1 : 0;
    if (!rc && (m->h > DATASET_SIDE_MAX || m->w > DATASET_SIDE_MAX))
        rc = err_set(e, "%s: is %dx%d pixels; give resize or crop", path, m->h, m->w);
    if (rc)
        image_done(m);
    return rc;
}

/* --- what is in a folder ------------------------------------------------------------------------------------------ */

struct names { /* sorted, of an arena */
    const char **items;
    int n, cap;
};

static void add_name(struct arena *a, struct names *x, const char *name)
{
    if (x->n == x->cap) {
        int cap = x->cap ? 2 * x->cap : 16;
        const char **more = arena_new(a, (size_t)cap, sizeof *more);
        if (x->n)
            memcpy(more, x->items, (size_t)x->n * sizeof *more);
        x->items = more;
        x->cap = cap;
    }
    x->items[x->n++] = arena_strdup(a, name);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_picture(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && (!strcasecmp(dot, ".png") || !strcasecmp(dot, ".jpg") || !strcasecmp(dot, ".jpeg"));
}

/* Pictures (and sub-folders, where asked for) of a folder; what begins with a dot and all other files are left. */
static int list_folder(struct loader *l, const char *path, struct names *files, struct names *folders)
{
    DIR *dir = opendir(path);
    if (!dir)
        return err_set(l->e, "%s: cannot be read: %s", path, strerror(errno));
    int rc = 0;
    for (struct dirent *entry; !rc && (entry = readdir(dir));) {
        struct stat st;
        bool there = !fstatat(dirfd(dir), entry->d_name, &st, 0), picture = is_picture(entry->d_name);
        if (entry->d_name[0] == '.' || (!there && !picture))
            continue;
        if (!there)
            rc = err_set(l->e, "%s/%s: cannot be read: %s", path, entry->d_name, strerror(errno));
        else if (picture && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
            rc = err_set(l->e, "%s/%s: cannot be read: not a regular file", path, entry->d_name);
        else if (S_ISDIR(st.st_mode) && folders)
            add_name(&l->d->arena, folders, entry->d_name);
        else if (S_ISREG(st.st_mode) && picture)
            add_name(&l->d->arena, files, entry->d_name);
    }
    closedir(dir);
    if (files->n)
        qsort(files->items, (size_t)files->n, sizeof *files->items, compare_names);
    if (folders && folders->n)
        qsort(folders->items, (size_t)folders->n, sizeof *folders->items, compare_names);
    return rc;
}

struct picture {
    const char *path;
    int label; /* -1: none */
};

struct pictures { /* of mem_new */
    struct picture *items;
    int64_t n;
};

/* Sub-folders are classes: those of the description, else those of the part that is read first. */
static int settle_classes(struct loader *l, const struct part *p, const char *path, const struct names *folders,
                          int *labels)
{
    struct dataset *d = l->d;
    if (!d->class_names) {
        if (folders->n > DATASET_CLASSES_MAX || (d->n_classes && d->n_classes != folders->n))
            return yaml_error(l->doc, p->images, l->e, "%s has %d class folders, not %d", path, folders->n,
                              d->n_classes ? d->n_classes : DATASET_CLASSES_MAX);
        d->class_names = folders->items;
        d->n_classes = folders->n;
    }
    for (int i = 0; i < folders->n; i++) {
        labels[i] = -1;
        for (int k = 0; k < d->n_classes && labels[i] < 0; k++)
            labels[i] = strcmp(d->class_names[k], folders->items[i]) ? -1 : k;
        if (labels[i] < 0)
            return yaml_error(l->doc, p->images, l->e, "%s/%s is none of the %d classes", path, folders->items[i],
                              d->n_classes);
    }
    return 0;
}

/* The first of every class, then the second of every class, ...: each range of them is a fair mixture. */
static void interleave(struct arena *a, const char *path, const struct names *folders, const struct names *files,
                       const int *labels, struct pictures *out)
{
    out->n = 0;
    for (int i = 0; i < folders->n; i++)
        out->n += files[i].n;
    out->items = mem_new((size_t)out->n + 1, sizeof *out->items);
    int64_t at = 0;
    for (int round = 0; at < out->n; round++)
        for (int i = 0; i < folders->n; i++)
            if (round < files[i].n)
                out->items[at++] = (struct picture){
                    arena_printf(a, "%s/%s/%s", path, folders->items[i], files[i].items[round]), labels[i]};
}

static int list_classes(struct loader *l, const struct part *p, const char *path, const struct names *folders,
                        struct pictures *out)
{
    struct arena *a = &l->d->arena;
    struct names *files = arena_new(a, (size_t)folders->n, sizeof *files);
    int *labels = arena_new(a, (size_t)folders->n, sizeof *labels);
    if (settle_classes(l, p, path, folders, labels))
        return -1;
    for (int i = 0; i < folders->n; i++) {
        const char *folder = arena_printf(a, "%s/%s", path, folders->items[i]);
        if (list_folder(l, folder, &files[i], NULL))
            return -1;
        if (!files[i].n)
            return err_set(l->e, "%s: has no PNG or JPEG files", folder);
    }
    interleave(a, path, folders, files, labels, out);
    return 0;
}

static int list_pictures(struct loader *l, const struct part *p, const char *path, struct pictures *out)
{
    struct names files = {0}, folders = {0};
    if (list_folder(l, path, &files, &folders))
        return -1;
    if (files.n && folders.n)
        return err_set(l->e, "%s: has pictures beside class folders (%s, %s)", path, files.items[0], folders.items[0]);
    if (folders.n)
        return list_classes(l, p, path, &folders, out);
    if (!files.n)
        return err_set(l->e, "%s: has no class folders and no PNG or JPEG files", path);
    out->n = files.n;
    out->items = mem_new((size_t)files.n, sizeof *out->items);
    for (int i = 0; i < files.n; i++)
        out->items[i] = (struct picture){arena_printf(&l->d->arena, "%s/%s", path, files.items[i]), -1};
    return 0;
}

/* --- loading ------------------------------------------------------------------------------------------------------ */

struct reading { /* all pictures of a part, in parallel */
    const struct dataset *d;
    const struct geometry *geometry;
    const struct picture *items;
    uint8_t *out;
    atomic_int bad; /* the first picture that could not be read; those after it need not be */
    struct lock *lock;
    struct err err;
};

static int read_into(const struct reading *r, int i, struct err *e)
{
    const struct dataset *d = r->d;
    struct image m;
    if (read_picture(r->items[i].path, r->geometry, &m, e))
        return -1;
    size_t bytes = (size_t)d->h * (size_t)d->w * (size_t)d->c;
    int rc = m.h == d->h && m.w == d->w
                 ? 0
                 : err_set(e, "%s: is %dx%d pixels, those before it are %dx%d; give resize and crop", r->items[i].path,
                           m.h, m.w, d->h, d->w);
    if (!rc)
        memcpy(r->out + (size_t)i * bytes, m.data, bytes);
    image_done(&m);
    return rc;
}

static void read_one(void *ctx, int i, int thread)
{
    struct reading *r = ctx;
    struct err e;
    (void)thread;
    if (i > atomic_load(&r->bad) || !read_into(r, i, &e))
        return;
    lock_enter(r->lock);
    if (i < atomic_load(&r->bad)) {
        atomic_store(&r->bad, i);
        r->err = e;
    }
    lock_leave(r->lock);
}

static int64_t picture_label(const void *labels, int64_t i)
{
    return ((const struct picture *)labels)[i].label;
}

static int read_all(struct loader *l, struct part *p, const struct geometry *g, const struct pictures *all,
                    struct dataset_part *out)
{
    struct dataset *d = l->d;
    size_t bytes = (size_t)d->h * (size_t)d->w * (size_t)d->c;
    struct reading r = {.d = d, .geometry = g, .items = all->items + p->first, .lock = lock_new()};
    r.out = arena_new(&d->arena, (size_t)p->count, bytes);
    atomic_init(&r.bad, (int)p->count);
    parallel_for((int)p->count, read_one, &r);
    lock_free(r.lock);
    if (atomic_load(&r.bad) < p->count)
        return err_set(l->e, "%s", r.err.text);
    for (int64_t i = 0; i < p->count; i++)
        if (dataset_origin(l, p, r.items[i].path, "", 0, 1))
            return -1;
    out->pixels = r.out;
    out->n = (int)p->count;
    return r.items[0].label < 0 ? 0 : dataset_labels(l, p, p->images->text, r.items, picture_label, out);
}

static int load(struct loader *l, struct part *p, struct dataset_part *out)
{
    struct geometry g;
    struct pictures all = {0};
    struct image first = {0};
    int rc = -1;
    if (!p->images)
        return yaml_error(l->doc, p->node, l->e, "%s needs images: FOLDER", p->what);
    const char *name = yaml_text(l->doc, p->images, l->e), *path = name ? dataset_locate(l, p->images, name) : NULL;
    if (!path || read_geometry(l, &g) || list_pictures(l, p, path, &all) ||
        dataset_range(l, p, path, all.n, g.channels) ||
        read_picture(all.items[p->first].path, &g, &first, l->e)) /* its sides are those of all */
        goto out;
    if (!dataset_sides(l, all.items[p->first].path, first.h, first.w, first.c) &&
        !dataset_range(l, p, path, all.n, (int64_t)first.h * first.w * first.c))
        rc = read_all(l, p, &g, &all, out);
out:
    image_done(&first);
    mem_free(all.items);
    return rc;
}

static const char *const keys[] = {"resize", "crop", "channels", NULL}, *const part_keys[] = {"images", NULL};
const struct dataset_format dataset_images = {.name = "images",
                                              .part_form = "{images: FOLDER}",
                                              .keys = keys,
                                              .part_keys = part_keys,
                                              .normalised = true,
                                              .load = load};
