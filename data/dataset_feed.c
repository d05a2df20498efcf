/* SPDX-License-Identifier: MIT
 *
 * Samples into the inputs of a model: which layout fits, which input is which, and the normalisation of images.
 */
#include <inttypes.h>
#include <string.h>

#include "base/hash.h"
#include "base/text.h"
#include "data/dataset.h"

/* Dimensions of 1 hold no elements apart: shapes that are equal without them have the same row-major order. */
static struct shape squeezed(const struct shape *s)
{
    struct shape out = {0};
    for (int i = 0; i < s->n; i++)
        if (s->d[i] != 1)
            out.d[out.n++] = s->d[i];
    return out;
}

static bool same_order(const struct shape *a, const struct shape *b)
{
    struct shape x = squeezed(a), y = squeezed(b);
    return shape_equal(&x, &y);
}

/* "[1][3][32][32]" */
static void put_shape(struct text *t, const struct shape *s)
{
    for (int i = 0; i < s->n; i++)
        text_printf(t, "[%" PRId64 "]", s->d[i]);
    text_put(t, s->n ? "" : "a scalar");
}

static int misfit(const struct dataset *d, const struct graph *g, const struct tensor *t, const struct shape *has,
                  struct err *e)
{
    struct text a = {0}, b = {0};
    put_shape(&a, &t->shape);
    put_shape(&b, has);
    err_set(e, "%s: input %s is %s; samples of dataset %s are %s", g->file, t->name, a.s, d->name, b.s);
    text_done(&a);
    text_done(&b);
    return -1;
}

/* --- images ------------------------------------------------------------------------------------------------------- */

/* An array of unknown order goes into an input of the same shape, or one of as many elements in one dimension. */
static int bind_array(struct dataset *d, const struct graph *g, const struct tensor *t, struct err *e)
{
    struct shape flat = {1, {shape_count(&d->stored)}};
    d->layout = LAYOUT_NCHW;
    if (same_order(&t->shape, &d->stored) || same_order(&t->shape, &flat) ||
        (squeezed(&d->stored).n < 2 && shape_count(&t->shape) == flat.d[0]))
        return 0;
    return misfit(d, g, t, &d->stored, e);
}

static int bind_image(struct dataset *d, const struct graph *g, struct err *e)
{
    const struct tensor *t = &g->tensors[g->inputs[0]];
    if (g->n_inputs != 1)
        return err_set(e, "%s: has %d inputs; dataset %s gives one image; format npy has inputs: {NAME: FILE, ...}",
                       g->file, g->n_inputs, d->name);
    if (t->type != DTYPE_F32)
        return err_set(e, "%s: input %s is %s; dataset %s gives float images; format npy has inputs: {%s: FILE}",
                       g->file, t->name, dtype_name(t->type), d->name, t->name);
    if (d->stored.n)
        return bind_array(d, g, t, e);
    struct shape nchw = {4, {1, d->c, d->h, d->w}}, nhwc = {4, {1, d->h, d->w, d->c}}, flat = {1, {d->c * d->h * d->w}};
    bool first = same_order(&t->shape, &nchw), last = same_order(&t->shape, &nhwc), any = same_order(&t->shape, &flat);
    if (d->layout == LAYOUT_NHWC ? last || any : d->layout == LAYOUT_NCHW ? first || any : false)
        return 0;
    if (d->layout != LAYOUT_AUTO || (!first && !last && !any))
        return misfit(d, g, t, d->layout == LAYOUT_NHWC ? &nhwc : &nchw, e);
    if (first && last && !same_order(&nchw, &nhwc))
        return err_set(e, "%s: input %s may be channel first or last; say layout: nchw or nhwc in dataset %s", g->file,
                       t->name, d->name);
    d->layout = last && !first ? LAYOUT_NHWC : LAYOUT_NCHW;
    return 0;
}

/* (value * scale - mean) / std, both sides times unit = 1 / scale: with std 1/255, raw bytes come out as exactly
 * 0..255. */
void dataset_image(const struct dataset *d, const struct dataset_part *p, int i, float *out)
{
    size_t area = (size_t)d->h * (size_t)d->w, channels = (size_t)d->c, at = (size_t)i * area * channels;
    const uint8_t *bytes = p->pixels ? p->pixels + at : NULL;
    const float *values = p->values ? p->values + at : NULL;
    bool last = d->layout == LAYOUT_NHWC;
    for (size_t c = 0; c < channels; c++) { /* of the model */
        float mean = d->unit * d->mean[c], std = d->unit * d->std[c];
        size_t from = d->bgr ? channels - 1 - c : c, step = d->channels_first ? 1 : channels,
               to_step = last ? channels : 1;
        size_t begin = d->channels_first ? from * area : from;
        float *to = out + (last ? c : c * area);
        for (size_t k = 0; k < area; k++) {
            float v = bytes ? (float)bytes[begin + k * step] : values[begin + k * step];
            to[k * to_step] = (v - mean) / std;
        }
    }
}

/* --- inputs by name ----------------------------------------------------------------------------------------------- */

static int bind_input(const struct dataset *d, const struct graph *g, const struct tensor *t,
                      const struct dataset_part *p, int *index, struct err *e)
{
    int k = 0;
    while (k < p->n_inputs && strcmp(p->inputs[k].name, t->name))
        k++;
    if (k == p->n_inputs)
        return err_set(e, "%s: input %s has no file in inputs of dataset %s", g->file, t->name, d->name);
    const struct dataset_input *in = &p->inputs[k];
    struct shape flat = {1, {shape_count(&in->shape)}};
    if (in->type != t->type)
        return err_set(e, "%s: input %s is %s; its samples in dataset %s are %s", g->file, t->name, dtype_name(t->type),
                       d->name, dtype_name(in->type));
    if (!same_order(&t->shape, &in->shape) && !same_order(&t->shape, &flat))
        return misfit(d, g, t, &in->shape, e);
    *index = k;
    return 0;
}

/* Both parts have the same inputs in the same order: the loader saw to it. */
static int bind_inputs(struct dataset *d, const struct graph *g, struct err *e)
{
    const struct dataset_part *p = &d->calibrate;
    d->feeds = arena_new(&d->arena, (size_t)g->n_inputs + 1, sizeof *d->feeds);
    for (int i = 0; i < g->n_inputs; i++)
        if (bind_input(d, g, &g->tensors[g->inputs[i]], p, &d->feeds[i], e))
            return -1;
    for (int k = 0; k < p->n_inputs; k++) {
        bool wanted = false;
        for (int i = 0; i < g->n_inputs; i++)
            wanted |= d->feeds[i] == k;
        if (!wanted)
            return err_set(e, "%s: has no input %s, which dataset %s has samples for", g->file, p->inputs[k].name,
                           d->name);
    }
    return 0;
}

/* --- both --------------------------------------------------------------------------------------------------------- */

static int check_labels(const struct dataset *d, const struct graph *g, struct err *e)
{
    if (!d->calibrate.labels && !d->evaluate.labels)
        return 0;
    int k = graph_scores(g);
    if (k < 0)
        return err_set(e, "%s: has no float output whose values could be scores of the labels of dataset %s", g->file,
                       d->name);
    const struct tensor *t = &g->tensors[g->outputs[k]];
    if (shape_count(&t->shape) >= (int64_t)d->n_classes + d->class_offset)
        return 0;
    return err_set(e,
                   "%s: output %s has %" PRId64
                   " values, dataset %s has labels of %d classes (class_offset %d); without "
                   "labels: it can be compared with fp32",
                   g->file, t->name, shape_count(&t->shape), d->name, d->n_classes, d->class_offset);
}

int dataset_bind(struct dataset *d, const struct graph *g, struct err *e)
{
    if (d->calibrate.inputs ? bind_inputs(d, g, e) : bind_image(d, g, e))
        return -1;
    return check_labels(d, g, e);
}

static size_t input_bytes(const struct dataset_input *in)
{
    return (size_t)shape_count(&in->shape) * dtype_size(in->type);
}

void dataset_sample(const struct dataset *d, const struct dataset_part *p, int i, void *const *in)
{
    if (!d->feeds) {
        dataset_image(d, p, i, in[0]);
        return;
    }
    for (int k = 0; k < p->n_inputs; k++) {
        const struct dataset_input *from = &p->inputs[d->feeds[k]];
        memcpy(in[k], (const char *)from->data + (size_t)i * input_bytes(from), input_bytes(from));
    }
}

uint64_t dataset_hash(const struct dataset *d, const struct dataset_part *p, int n, uint64_t seed)
{
    size_t images = (size_t)(n < p->n ? n : p->n), image = (size_t)d->h * (size_t)d->w * (size_t)d->c;
    const int order[] = {d->channels_first, d->layout, d->bgr};
    uint64_t h = seed;
    if (p->pixels)
        h = hash_u64(p->pixels, image * images, h);
    if (p->values)
        h = hash_u64(p->values, image * images * sizeof *p->values, h);
    for (int k = 0; k < p->n_inputs; k++) {
        h = hash_u64(p->inputs[k].name, strlen(p->inputs[k].name), h);
        h = hash_u64(p->inputs[k].data, input_bytes(&p->inputs[k]) * images, h);
    }
    h = hash_u64(d->mean, sizeof d->mean, h);
    h = hash_u64(d->std, sizeof d->std, h);
    h = hash_u64(&d->unit, sizeof d->unit, h);
    h = hash_u64(order, sizeof order, h);
    return p->labels ? hash_u64(p->labels, images * sizeof *p->labels, h) : h;
}
