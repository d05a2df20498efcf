/* SPDX-License-Identifier: MIT
 *
 * NumPy's arrays as datasets: images of bytes or numbers, with labels; or one array for each input of a model.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "data/dataset_private.h"
#include "data/npy.h"

enum { INPUTS_MAX = 64, INPUT_ELEMENTS_MAX = 1 << 28 };

/* The array that node n names, opened, its place in *path and *array; NULL with a message. */
static struct npy *open_array(struct loader *l, const struct yaml_node *n, const char **path, const char **array)
{
    const char *spec = yaml_text(l->doc, n, l->e);
    if (!spec)
        return NULL;
    size_t length = npy_split(spec, array);
    *path = dataset_locate(l, n, arena_printf(&l->d->arena, "%.*s", (int)length, spec));
    return *path ? npy_open(*path, *array, l->e) : NULL;
}

/* --- images ------------------------------------------------------------------------------------------------------- */

/* Whether channels are first: what `stored` says, else what only one end of the shape can be. -1: cannot be told. */
static int find_order(const struct loader *l, const struct shape *s, int *first)
{
    const struct yaml_node *n = yaml_get(l->doc->root, "stored");
    bool front = s->d[1] <= DATASET_CHANNELS, back = s->d[3] <= DATASET_CHANNELS;
    *first = front != back ? front : -1;
    if (!n)
        return 0;
    const char *word = yaml_text(l->doc, n, l->e);
    if (!word)
        return -1;
    if (strcmp(word, "nchw") && strcmp(word, "nhwc"))
        return yaml_error(l->doc, n, l->e, "stored must be nchw or nhwc, not %s", word);
    *first = !strcmp(word, "nchw");
    if (*first ? !front : !back)
        return yaml_error(l->doc, n, l->e, "stored: %s would be %" PRId64 " channels; images have 1 to %d", word,
                          s->d[*first ? 1 : 3], DATASET_CHANNELS);
    return 0;
}

/* The sides of images, from the shape of the whole array. */
static int set_sides(struct loader *l, const struct part *p, const struct npy *f)
{
    const struct shape *s = npy_shape(f);
    struct dataset *d = l->d;
    struct shape stored = {0};
    int first = -1, rc;
    if (npy_item(f) > (int64_t)DATASET_SIDE_MAX * DATASET_SIDE_MAX * DATASET_CHANNELS)
        return err_set(l->e, "%s: samples of %" PRId64 " elements are too large", npy_name(f), npy_item(f));
    if (s->n == 4 && find_order(l, s, &first))
        return -1;
    if (s->n == 4 && first >= 0) {
        rc = first ? dataset_sides(l, npy_name(f), s->d[2], s->d[3], s->d[1])
                   : dataset_sides(l, npy_name(f), s->d[1], s->d[2], s->d[3]);
    } else if (s->n == 3) {
        rc = dataset_sides(l, npy_name(f), s->d[1], s->d[2], 1);
    } else {
        rc = dataset_sides(l, npy_name(f), 1, npy_item(f), 1);
        stored.n = s->n > 1 ? s->n - 1 : 1; /* one number a sample is one dimension, too */
        stored.d[0] = 1;
        memcpy(stored.d, s->d + 1, (size_t)(s->n - 1) * sizeof *s->d);
    }
    if (!rc && p->index && ((first == 1) != d->channels_first || !shape_equal(&stored, &d->stored)))
        return err_set(l->e, "%s: has its axes in another order than the images of calibrate", npy_name(f));
    d->channels_first = first == 1;
    d->stored = stored;
    return rc;
}

/* The next items as floats. */
static int read_floats(struct npy *f, int64_t count, float *out, struct err *e)
{
    int64_t item = npy_item(f);
    if (npy_type(f) == DTYPE_F32)
        return npy_read(f, count, out, e);
    struct array a = {npy_type(f), {1, {item}}, mem_new((size_t)item, dtype_size(npy_type(f)))};
    int rc = 0;
    for (int64_t i = 0; i < count && !rc; i++) {
        rc = npy_read(f, 1, a.data, e);
        float *to = out + i * item;
        ARRAY_NUMBERS(a.type, for (int64_t k = 0; k < item; k++) to[k] = ((uint8_t *)a.data)[k] != 0,
                      for (int64_t k = 0; k < item; k++) to[k] = (float)((const T *)a.data)[k]);
    }
    mem_free(a.data);
    return rc;
}

/* Ranges and losses of what is not a number mean nothing. Infinities pass where arrays are fed as they are (masks). */
static int check_floats(const struct npy *f, const struct part *p, const float *x, bool infinities, struct err *e)
{
    int64_t item = npy_item(f);
    for (int64_t i = 0; i < p->count * item; i++)
        if (isnan(x[i]) || (isinf(x[i]) && !infinities))
            return err_set(e, "%s: sample %" PRId64 " has a value that is %s", npy_name(f), p->first + i / item,
                           isnan(x[i]) ? "nan" : "inf");
    return 0;
}

static int64_t whole_label(const void *labels, int64_t i)
{
    return array_int(labels, i);
}

static int load_labels(struct loader *l, const struct part *p, const struct yaml_node *n, const char *images,
                       struct dataset_part *out)
{
    const char *path, *array;
    struct npy *f = open_array(l, n, &path, &array);
    struct array a = {0};
    int rc = -1;
    if (!f)
        return -1;
    if (!dtype_is_integer(npy_type(f)) || npy_item(f) != 1)
        err_set(l->e, "%s: labels must be one integer a sample, not %" PRId64 " of type %s", npy_name(f), npy_item(f),
                dtype_name(npy_type(f)));
    else if (npy_shape(f)->d[0] != p->total)
        err_set(l->e, "%s: has %" PRId64 " labels for the %" PRId64 " images of %s", npy_name(f), npy_shape(f)->d[0],
                p->total, images);
    else
        rc = 0;
    if (!rc) {
        a = (struct array){npy_type(f), {1, {p->count}}, mem_new((size_t)p->count, dtype_size(npy_type(f)))};
        rc = npy_skip(f, p->first, l->e) || npy_read(f, p->count, a.data, l->e) || npy_finish(f, l->e) ||
                     dataset_labels(l, p, npy_name(f), &a, whole_label, out)
                 ? -1
                 : 0;
    }
    mem_free(a.data);
    npy_close(f);
    return rc;
}

static int load_images(struct loader *l, struct part *p, struct dataset_part *out)
{
    const struct yaml_node *labels = yaml_get(p->node, "labels");
    const char *path, *array;
    struct npy *f = open_array(l, p->images, &path, &array);
    int rc = -1;
    if (!f)
        return -1;
    bool bytes = npy_type(f) == DTYPE_U8;
    void *data = NULL;
    if (set_sides(l, p, f) || dataset_range(l, p, npy_name(f), npy_shape(f)->d[0], npy_item(f) * (bytes ? 1 : 4)) ||
        dataset_origin(l, p, path, array ? array : "", p->first, p->count) || npy_skip(f, p->first, l->e))
        goto out;
    data = arena_new(&l->d->arena, (size_t)(p->count * npy_item(f)), bytes ? 1 : sizeof(float));
    if ((bytes ? npy_read(f, p->count, data, l->e) : read_floats(f, p->count, data, l->e)) || npy_finish(f, l->e) ||
        (!bytes && check_floats(f, p, data, false, l->e)))
        goto out;
    if (p->index && bytes != (l->d->calibrate.pixels != NULL)) {
        err_set(l->e, "%s: is %s, but the images of calibrate are %s", npy_name(f), bytes ? "bytes" : "numbers",
                bytes ? "numbers" : "bytes");
        goto out;
    }
    *(bytes ? (const void **)&out->pixels : (const void **)&out->values) = data;
    out->n = (int)p->count;
    rc = labels ? load_labels(l, p, labels, npy_name(f), out) : 0;
out:
    npy_close(f);
    return rc;
}

/* --- one array for each input ------------------------------------------------------------------------------------- */

static int load_input(struct loader *l, struct part *p, const struct yaml_node *n, struct dataset_input *in)
{
    const char *path, *array;
    struct npy *f = open_array(l, n, &path, &array);
    int rc = -1;
    if (!f)
        return -1;
    const struct shape *s = npy_shape(f);
    bool wide = npy_type(f) == DTYPE_F64; /* NumPy's own floats: models have those of 4 bytes */
    in->name = arena_strdup(&l->d->arena, n->key);
    in->type = wide ? DTYPE_F32 : npy_type(f);
    in->shape = (struct shape){.n = s->n - 1};
    memcpy(in->shape.d, s->d + 1, (size_t)in->shape.n * sizeof *s->d);
    if (p->total && p->total != s->d[0]) {
        err_set(l->e, "%s: has %" PRId64 " samples, the inputs before it %" PRId64, npy_name(f), s->d[0], p->total);
        goto out;
    }
    if (npy_item(f) > INPUT_ELEMENTS_MAX) {
        err_set(l->e, "%s: samples of %" PRId64 " elements are too large", npy_name(f), npy_item(f));
        goto out;
    }
    if (dataset_range(l, p, npy_name(f), s->d[0], npy_item(f) * (int64_t)dtype_size(in->type)) ||
        dataset_origin(l, p, path, array ? array : "", p->first, p->count) || npy_skip(f, p->first, l->e))
        goto out;
    void *data = arena_new(&l->d->arena, (size_t)(p->count * npy_item(f)), dtype_size(in->type));
    in->data = data;
    rc = (wide ? read_floats(f, p->count, data, l->e) : npy_read(f, p->count, data, l->e)) || npy_finish(f, l->e) ||
                 (in->type == DTYPE_F32 && check_floats(f, p, data, true, l->e))
             ? -1
             : 0;
    for (int64_t i = 0; !rc && in->type == DTYPE_BOOL && i < p->count * npy_item(f); i++)
        ((uint8_t *)data)[i] = ((uint8_t *)data)[i] != 0;
out:
    npy_close(f);
    return rc;
}

/* The evaluate part's inputs must be those of calibrate. */
static int check_same_inputs(struct loader *l, const struct part *p, const struct dataset_part *out)
{
    const struct dataset_part *first = &l->d->calibrate;
    bool same = first->n_inputs == out->n_inputs;
    for (int k = 0; same && k < out->n_inputs; k++)
        same = !strcmp(first->inputs[k].name, out->inputs[k].name) && first->inputs[k].type == out->inputs[k].type &&
               shape_equal(&first->inputs[k].shape, &out->inputs[k].shape);
    return same ? 0
                : yaml_error(l->doc, p->node, l->e, "inputs must be those of calibrate, in that order, type and shape");
}

static int load_inputs(struct loader *l, struct part *p, const struct yaml_node *inputs, struct dataset_part *out)
{
    const struct yaml_node *labels = yaml_get(p->node, "labels");
    if (yaml_check_mapping(l->doc, inputs, "inputs", NULL, l->e))
        return -1;
    if (p->images || inputs->n < 1 || inputs->n > INPUTS_MAX)
        return yaml_error(l->doc, inputs, l->e, "%s needs images: FILE, or inputs: of 1 to %d names, not both", p->what,
                          INPUTS_MAX);
    out->inputs = arena_new(&l->d->arena, (size_t)inputs->n, sizeof *out->inputs);
    for (const struct yaml_node *c = inputs->first; c; c = c->next)
        if (load_input(l, p, c, &out->inputs[out->n_inputs++]))
            return -1;
    out->n = (int)p->count;
    if (p->index && check_same_inputs(l, p, out))
        return -1;
    return labels ? load_labels(l, p, labels, "inputs", out) : 0;
}

static int load(struct loader *l, struct part *p, struct dataset_part *out)
{
    const struct yaml_node *inputs = yaml_get(p->node, "inputs");
    bool first = p->index && l->d->calibrate.inputs;
    if (!inputs && !p->images)
        return yaml_error(l->doc, p->node, l->e, "%s needs images: FILE, or inputs: {NAME: FILE, ...}", p->what);
    if (p->index && first != (inputs != NULL))
        return yaml_error(l->doc, p->node, l->e, "calibrate and evaluate must both have images, or both inputs");
    return inputs ? load_inputs(l, p, inputs, out) : load_images(l, p, out);
}

static const char *const keys[] = {"stored", NULL}, *const part_keys[] = {"images", "labels", "inputs", NULL};
const struct dataset_format dataset_npy = {
    .name = "npy", .part_form = "{images: FILE}", .keys = keys, .part_keys = part_keys, .load = load};
