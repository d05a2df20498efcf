/* SPDX-License-Identifier: MIT
 *
 * IDX files (LeCun, Cortes and Burges, "The MNIST database", 1998): bytes, plain or gzip.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"
#include "data/dataset_private.h"

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
    static const int64_t most[] = {DATASET_SAMPLES_MAX, DATASET_SIDE_MAX, DATASET_SIDE_MAX, DATASET_CHANNELS};
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
    struct stat st;
    int fd = file_open_regular(path, &st, e);
    if (fd < 0)
        return -1;
    f->z = gzdopen(fd, "rb");
    if (!f->z) {
        close(fd);
        return err_set(e, "%s: cannot be read: no memory", path);
    }
    gzbuffer(f->z, 256 * 1024);
    if (idx_read_header(f, min_dims, max_dims, e) || idx_check_length(f, st.st_size, e)) {
        idx_close(f);
        return -1;
    }
    return 0;
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

static int64_t byte_label(const void *labels, int64_t i)
{
    return ((const uint8_t *)labels)[i];
}

static int load_labels(struct loader *l, const struct part *p, const char *path, const char *images,
                       struct dataset_part *out)
{
    struct idx f;
    if (idx_open(&f, path, 1, 1, l->e))
        return -1;
    int rc = -1;
    if (f.d[0] != p->total) {
        err_set(l->e, "%s: has %" PRId64 " labels for the %" PRId64 " images of %s", path, f.d[0], p->total, images);
        goto out;
    }
    const uint8_t *labels = idx_read(&f, p->first, p->count, &l->d->arena, l->e);
    rc = labels ? dataset_labels(l, p, path, labels, byte_label, out) : -1;
out:
    idx_close(&f);
    return rc;
}

static int load(struct loader *l, struct part *p, struct dataset_part *out)
{
    const struct yaml_node *labels = yaml_get(p->node, "labels");
    if (!p->images)
        return yaml_error(l->doc, p->node, l->e, "%s needs images: FILE", p->what);
    const char *image_name = yaml_text(l->doc, p->images, l->e), *label_name = NULL, *label_path = NULL;
    if (!image_name || (labels && !(label_name = yaml_text(l->doc, labels, l->e))))
        return -1;
    const char *path = dataset_locate(l, p->images, image_name);
    if (!path || (labels && !(label_path = dataset_locate(l, labels, label_name))))
        return -1;
    struct idx f;
    if (idx_open(&f, path, 3, 4, l->e))
        return -1;
    int rc = -1;
    if (dataset_sides(l, path, f.d[1], f.d[2], f.n_dims == 4 ? f.d[3] : 1) ||
        dataset_range(l, p, path, f.d[0], f.item) || dataset_origin(l, p, path, "", p->first, p->count))
        goto out;
    out->pixels = idx_read(&f, p->first, p->count, &l->d->arena, l->e);
    if (!out->pixels || (label_path && load_labels(l, p, label_path, path, out)))
        goto out;
    out->n = (int)p->count;
    rc = 0;
out:
    idx_close(&f);
    return rc;
}

static const char *const keys[] = {NULL}, *const part_keys[] = {"images", "labels", NULL};
const struct dataset_format dataset_idx = {.name = "idx",
                                           .part_form = "{images: FILE, labels: FILE}",
                                           .keys = keys,
                                           .part_keys = part_keys,
                                           .normalised = true,
                                           .load = load};
