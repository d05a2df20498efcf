/* SPDX-License-Identifier: MIT
 *
 * What every format checks of a part: its range, its labels, and that it shares no sample with the other one.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/dataset_private.h"

int dataset_range(struct loader *l, struct part *p, const char *of, int64_t total, int64_t bytes)
{
    p->total = total;
    if (p->first >= total)
        return yaml_error(l->doc, p->node, l->e, "%s starts at image %" PRId64 ", but %s has %" PRId64, p->what,
                          p->first, of, total);
    if (p->count < 0)
        p->count = total - p->first;
    if (p->count > total - p->first)
        return yaml_error(l->doc, p->node, l->e, "%s ends at image %" PRId64 ", but %s has %" PRId64, p->what,
                          p->first + p->count - 1, of, total);
    if (bytes > 0 && p->count > DATASET_PART_BYTES_MAX / bytes)
        return yaml_error(l->doc, p->node, l->e, "%s is larger than 4 GiB; take fewer images with count", p->what);
    return 0;
}

int dataset_sides(struct loader *l, const char *path, int64_t h, int64_t w, int64_t c)
{
    struct dataset *d = l->d;
    bool known = d->h;
    if (known && (h != d->h || w != d->w || c != d->c))
        return err_set(l->e, "%s: images are %" PRId64 "x%" PRId64 "x%" PRId64 ", those of calibrate are %dx%dx%d",
                       path, h, w, c, d->h, d->w, d->c);
    d->h = (int)h;
    d->w = (int)w;
    d->c = (int)c;
    return known ? 0 : dataset_normalisation(l);
}

int dataset_labels(struct loader *l, const struct part *p, const char *path, const void *labels,
                   int64_t (*label)(const void *labels, int64_t i), struct dataset_part *out)
{
    const struct dataset *d = l->d;
    if (!d->n_classes)
        return yaml_error(l->doc, l->doc->root, l->e, "classes is missing: a list of names, or their number");
    int32_t *taken = arena_new(&l->d->arena, (size_t)p->count, sizeof *taken);
    for (int64_t i = 0; i < p->count; i++) {
        int64_t v = label(labels, i);
        if (v < 0 || v >= d->n_classes)
            return err_set(l->e, "%s: image %" PRId64 " has label %" PRId64 ", but %s has %d classes", path,
                           p->first + i, v, l->doc->file, d->n_classes);
        taken[i] = (int32_t)v + d->class_offset;
    }
    out->labels = taken;
    return 0;
}

/* --- no sample in both parts -------------------------------------------------------------------------------------- */

int dataset_origin(struct loader *l, struct part *p, const char *path, const char *array, int64_t first, int64_t count)
{
    struct stat st;
    if (stat(path, &st))
        return err_set(l->e, "%s: cannot be read", path);
    if ((p->n_origins & (p->n_origins - 1)) == 0) { /* full at every power of two */
        struct origin *more = arena_new(&l->d->arena, (size_t)(2 * p->n_origins + 1), sizeof *more);
        if (p->n_origins)
            memcpy(more, p->origins, (size_t)p->n_origins * sizeof *more);
        p->origins = more;
    }
    p->origins[p->n_origins++] = (struct origin){st.st_dev, st.st_ino, array, first, count, p->index};
    return 0;
}

static int compare_origins(const void *a, const void *b)
{
    const struct origin *x = a, *y = b;
    if (x->device != y->device)
        return x->device < y->device ? -1 : 1;
    if (x->inode != y->inode)
        return x->inode < y->inode ? -1 : 1;
    int order = strcmp(x->array, y->array);
    if (order)
        return order;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return x->part - y->part;
}

static bool origins_meet(const struct origin *a, const struct origin *b)
{
    return a->part != b->part && a->device == b->device && a->inode == b->inode && !strcmp(a->array, b->array) &&
           a->first < b->first + b->count && b->first < a->first + a->count;
}

int dataset_check_disjoint(struct loader *l, const struct part *a, const struct part *b)
{
    int n = a->n_origins + b->n_origins;
    bool shared = false;
    struct origin *all = mem_new((size_t)n + 1, sizeof *all);
    memcpy(all, a->origins, (size_t)a->n_origins * sizeof *all);
    memcpy(all + a->n_origins, b->origins, (size_t)b->n_origins * sizeof *all);
    qsort(all, (size_t)n, sizeof *all, compare_origins);
    for (int i = 1; i < n; i++)
        shared |= origins_meet(&all[i - 1], &all[i]);
    mem_free(all);
    if (!shared)
        return 0;
    return yaml_error(l->doc, b->images ? b->images : b->node, l->e,
                      "calibrate and evaluate share images of %s; give both a first and a count that do not meet",
                      b->images ? b->images->text : "a file");
}
