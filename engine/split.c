/* SPDX-License-Identifier: MIT */
#include "engine/split.h"

#include <string.h>

#include "base/num.h"

/* What other work weighs beside a multiply-add of codes: an output of a layer beyond its products, a multiply-add in
 * float, and an element or a tap of what is no layer. */
enum { WORK_OUTPUT = 64, WORK_FLOAT = 4, WORK_ELEMENT = 32, WORK_COPY = 16, WORK_TAP = 8, WORK_SOFTMAX = 256 };

/* Elements that a stretch is a multiple of: whole cache lines, and whole vectors as in the step that is split. */
enum { STRETCH = 64 };

struct splitter {
    const struct plan *plan;
    int threads;
    int64_t part_work;
    const size_t *places;
    struct arena *arena;
    size_t scratch;
};

/* How many parts this much work, which can be cut into so many units, is worth. */
static int parts_for(const struct splitter *x, int64_t work, int64_t units)
{
    return (int)max_i64(1, min_i64(x->threads, min_i64(units, work / x->part_work)));
}

/* Where part i of n begins: the first ones are the larger. */
static int64_t begin_of(int64_t units, int i, int n)
{
    return (units * i + n - 1) / n;
}

/* --- bands of a window
 * ------------------------------------------------------------------------------------------------
 */

struct axis { /* of a convolution or a pool */
    int size, out, stride, pad;
    int reach; /* from the first tap to the last */
};

struct band {
    struct axis axis;
    int from, first; /* positions of the whole before the input, before the output */
};

/* At most n bands of whole `align`s of outputs. None begins behind the image's end: it would have no input. */
static int cut_axis(const struct axis *a, int n, int align, struct band *bands)
{
    int inside = (int)min_i64(a->out, (a->size - 1 + a->pad) / a->stride + 1), units = (inside + align - 1) / align;
    n = n < units ? n : units;
    for (int i = 0; i < n; i++) {
        int first = (int)begin_of(units, i, n) * align, end = (int)begin_of(units, i + 1, n) * align;
        end = i + 1 < n ? end : a->out;
        int top = first * a->stride - a->pad, from = top > 0 ? top : 0;
        int last = (end - 1) * a->stride - a->pad + a->reach; /* input of the last tap */
        bands[i] = (struct band){.axis = *a, .from = from, .first = first};
        bands[i].axis.size = (int)max_i64(1, min_i64(a->size, last + 1) - from);
        bands[i].axis.out = end - first;
        bands[i].axis.pad = from - top;
    }
    return n;
}

/* A window's geometry as it can be cut: where every pixel is a product of its own, pixels are one row. */
static struct conv_geom cuttable(const struct conv_geom *g)
{
    struct conv_geom c = *g;
    bool pixels = g->groups == 1 && g->kh == 1 && g->kw == 1 && g->stride_h == 1 && g->stride_w == 1 &&
                  g->pad_top == 0 && g->pad_left == 0 && g->oh == g->h && g->ow == g->w;
    if (pixels) {
        c.w = c.ow = g->w * g->h;
        c.h = c.oh = 1;
    }
    return c;
}

/* Cuts along rows, or along the only row there is; parts get geometries in `geoms` and their ranges. */
static int cut_window(const struct splitter *x, const struct conv_geom *whole, int n, int align,
                      struct conv_geom *geoms, struct step *parts)
{
    struct conv_geom g = cuttable(whole);
    bool across = g.h == 1 && g.oh == 1;
    struct axis rows = {g.h, g.oh, g.stride_h, g.pad_top, (g.kh - 1) * g.dilation_h};
    struct axis columns = {g.w, g.ow, g.stride_w, g.pad_left, (g.kw - 1) * g.dilation_w};
    int64_t in = (int64_t)g.cin * (across ? 1 : g.w), out = (int64_t)g.cout * (across ? 1 : g.ow);
    struct band *bands = arena_new(x->arena, (size_t)n, sizeof *bands);
    n = cut_axis(across ? &columns : &rows, n, across ? 1 : align, bands);
    for (int i = 0; i < n; i++) {
        const struct axis *a = &bands[i].axis;
        geoms[i] = g;
        *(across ? &geoms[i].w : &geoms[i].h) = a->size;
        *(across ? &geoms[i].ow : &geoms[i].oh) = a->out;
        *(across ? &geoms[i].pad_left : &geoms[i].pad_top) = a->pad;
        parts[i].share = (struct share){
            .in = {bands[i].from * in, bands[i].first * out}, .out = bands[i].first * out, .count = a->out * out};
    }
    return n;
}

/* Output channels from..to-1 of all pixels. */
static int cut_channels(const struct conv_geom *g, int n, int unit, struct step *parts)
{
    int units = (g->cout + unit - 1) / unit;
    n = n < units ? n : units;
    for (int i = 0; i < n; i++) {
        int end = (int)begin_of(units, i + 1, n) * unit;
        parts[i].share.channels[0] = (int)begin_of(units, i, n) * unit;
        parts[i].share.channels[1] = end < g->cout ? end : g->cout;
    }
    return n;
}

/* Channels that a part is made of multiples of, for outputs of `size` bytes: the kernel's unit (0: it computes all),
 * and whole cache lines of each pixel, since threads that write to the same line wait for each other. 0: no such parts.
 */
static int channels_at_once(const struct conv_geom *g, int unit, size_t size)
{
    int line = 64 / (int)size;
    if (unit == 0 || g->groups > 1 || (g->cout % line != 0 && g->oh * g->ow > 1))
        return 0;
    return (unit + line - 1) / line * line;
}

static int64_t layer_work(const struct conv_geom *g, int product)
{
    int64_t products = (int64_t)g->kh * g->kw * (g->cin / g->groups);
    return (products * product + WORK_OUTPUT) * g->oh * g->ow * g->cout;
}

/* Whether channels make cheaper parts than rows. Parts by rows are as uneven as the number of rows, and each reads all
 * weights, from its own second level cache at best; parts by channels read an image that other processors have made,
 * and leave one that other processors read. */
static bool channels_are_better(const struct conv_geom *g, int n, int unit, int64_t work, int64_t size)
{
    enum { WORK_NEAR = 4, WORK_REMOTE = 32 }; /* a byte from the second level cache, from another processor's */
    if (unit == 0 || n < 2)
        return false;
    struct conv_geom c = cuttable(g);
    int64_t rows = c.h == 1 && c.oh == 1 ? c.ow : c.oh, units = (g->cout + unit - 1) / unit;
    double share_rows = (double)((rows + n - 1) / n) / (double)rows;
    double share_channels = (double)min_i64((units + n - 1) / n * unit, g->cout) / (double)g->cout;
    double weights = (double)(size * g->cout * g->cin * g->kh * g->kw);
    double image = (double)(size * ((int64_t)g->h * g->w * g->cin + (int64_t)g->oh * g->ow * g->cout));
    return share_channels * (double)work + image * WORK_REMOTE * (n - 1) / n <
           share_rows * (double)work + weights * WORK_NEAR * (1 - share_channels);
}

/* --- kinds of steps -------------------------------------------------------------------------------------------------
 */

int split_conv_u8(struct splitter *x, const struct step *s, struct step *parts)
{
    const struct conv_ready *c = &s->conv;
    const struct conv_kernel *k = c->kernel;
    struct conv_geom *geoms = arena_new(x->arena, (size_t)x->threads, sizeof *geoms);
    int align = k->family == FAMILY_WINOGRAD ? 2 : 1, n = parts_for(x, layer_work(&c->geom, 1), INT32_MAX);
    int unit = channels_at_once(&c->geom, k->channel_unit, x->plan->values[s->out].size);
    if (channels_are_better(&c->geom, n, unit, layer_work(&c->geom, 1), 1))
        return cut_channels(&c->geom, n, unit, parts);
    for (bool refused = true; refused && n > 1; n -= refused) {
        n = cut_window(x, &c->geom, n, align, geoms, parts);
        refused = false;
        for (int i = 0; i < n; i++)
            refused |= !conv_kernel_can(k, &geoms[i], c->a_bits, &c->weights);
    }
    for (int i = 0; n > 1 && i < n; i++) {
        void *prepared = arena_new(x->arena, k->prepared_size(&geoms[i], c->a_bits, &c->weights), 1);
        const struct requant *rq = x->plan->values[s->out].codes ? &s->rq : NULL;
        k->prepare(&geoms[i], c->a_bits, c->packed, rq, prepared);
        parts[i].conv.geom = geoms[i];
        parts[i].conv.prepared = prepared;
        parts[i].conv.scratch = k->scratch_size(&geoms[i], c->a_bits, &c->weights);
        x->scratch = parts[i].conv.scratch > x->scratch ? parts[i].conv.scratch : x->scratch;
    }
    return n;
}

int split_conv_f32(struct splitter *x, const struct step *s, struct step *parts)
{
    const struct float_conv_kernel *k = s->float_conv;
    struct conv_geom *geoms = arena_new(x->arena, (size_t)x->threads, sizeof *geoms);
    int n = parts_for(x, layer_work(&s->geom, WORK_FLOAT), INT32_MAX);
    int unit = channels_at_once(&s->geom, k->channel_unit ? k->channel_unit(&s->geom) : 0, sizeof(float));
    if (channels_are_better(&s->geom, n, unit, layer_work(&s->geom, WORK_FLOAT), sizeof(float)))
        return cut_channels(&s->geom, n, unit, parts);
    n = cut_window(x, &s->geom, n, 1, geoms, parts);
    for (int i = 0; i < n; i++) {
        if (!k->can(&geoms[i]))
            return 1;
        size_t scratch = k->scratch_size(&geoms[i]);
        parts[i].geom = geoms[i];
        x->scratch = scratch > x->scratch ? scratch : x->scratch;
    }
    return n;
}

int split_pool(struct splitter *x, const struct step *s, struct step *parts)
{
    const struct conv_geom *g = &s->geom;
    struct conv_geom *geoms = arena_new(x->arena, (size_t)x->threads, sizeof *geoms);
    int64_t taps = (int64_t)g->oh * g->ow * g->cout * g->kh * g->kw;
    int n = cut_window(x, g, parts_for(x, WORK_TAP * taps, INT32_MAX), 1, geoms, parts);
    for (int i = 0; i < n; i++) {
        parts[i].geom = geoms[i];
        if (s->kind == STEP_AVGPOOL_F32) /* a scale for each pixel */
            parts[i].scale = s->scale + parts[i].share.out / g->cout;
    }
    return n;
}

int split_product(struct splitter *x, const struct step *s, struct step *parts)
{
    return product_split(x->arena, s, x->threads, x->part_work, parts);
}

/* Stretches of `units` times `size` elements, the same of all inputs. */
static int cut_elements(const struct splitter *x, int64_t work, int64_t units, int64_t size, struct step *parts)
{
    int n = parts_for(x, work, units);
    for (int i = 0; i < n; i++) {
        int64_t first = begin_of(units, i, n) * size, end = begin_of(units, i + 1, n) * size;
        parts[i].share = (struct share){.in = {first, first}, .out = first, .count = end - first};
    }
    return n;
}

int split_elements(struct splitter *x, const struct step *s, struct step *parts)
{
    int64_t count = x->plan->values[s->out].count;
    int n = cut_elements(x, WORK_ELEMENT * count, (count + STRETCH - 1) / STRETCH, STRETCH, parts);
    parts[n - 1].share.count = count - parts[n - 1].share.out;
    return n;
}

/* Pixels of `inner` channels. */
int split_affine(struct splitter *x, const struct step *s, struct step *parts)
{
    int64_t count = x->plan->values[s->out].count;
    return s->stride == 1 ? cut_elements(x, WORK_ELEMENT * count, count / s->inner, s->inner, parts) : 1;
}

int split_softmax(struct splitter *x, const struct step *s, struct step *parts)
{
    int64_t row = s->inner * s->stride;
    int n = cut_elements(x, WORK_SOFTMAX * s->outer * row, s->outer, row, parts);
    for (int i = 0; i < n; i++)
        parts[i].outer = parts[i].share.count / row;
    return n;
}

/* Along the outermost dimension. */
int split_binary(struct splitter *x, const struct step *s, struct step *parts)
{
    const struct broadcast *b = &s->cast;
    int64_t count = x->plan->values[s->out].count, size = count / b->d[0];
    int n = cut_elements(x, WORK_ELEMENT * count, b->d[0], size, parts);
    for (int i = 0; i < n; i++) {
        struct share *r = &parts[i].share;
        parts[i].cast.d[0] = r->count / size;
        r->in[0] = r->out / size * b->a[0];
        r->in[1] = r->out / size * b->b[0];
    }
    return n;
}

/* Along the longest dimension. One that fills its output before stays whole. */
int split_copy(struct splitter *x, const struct step *s, struct step *parts)
{
    const struct copy_dims *c = &s->copy;
    int64_t count = 1;
    int k = 0;
    for (int i = 0; i < c->n; i++) {
        count *= c->d[i];
        k = c->d[i] > c->d[k] ? i : k;
    }
    enum { TOGETHER = 16 }; /* what transposing kernels take at once */
    int64_t units = (c->d[k] + TOGETHER - 1) / TOGETHER;
    int n = s->fill >= 0 ? 1 : parts_for(x, WORK_COPY * count, units);
    for (int i = 0; i < n; i++) {
        int64_t first = begin_of(units, i, n) * TOGETHER, end = begin_of(units, i + 1, n) * TOGETHER;
        parts[i].copy.d[k] = min_i64(end, c->d[k]) - first;
        parts[i].copy.src_at += first * c->ss[k];
        parts[i].copy.dst_at += first * c->ds[k];
    }
    return n;
}

/* Copies the parts to where they stay. */
static struct split_step keep_parts(struct splitter *x, const struct step *parts, int n)
{
    struct step *own = arena_new(x->arena, (size_t)n, sizeof *own);
    return (struct split_step){n, memcpy(own, parts, (size_t)n * sizeof *own)};
}

static struct split_step split_step(struct splitter *x, const struct step *s)
{
    struct step *parts = mem_new((size_t)x->threads, sizeof *parts);
    struct split_step whole = {1, s};
    for (int i = 0; i < x->threads; i++)
        parts[i] = *s;
    int n = x->threads > 1 && step_rows[s->kind].split ? step_rows[s->kind].split(x, s, parts) : 1;
    if (n > 1)
        whole = keep_parts(x, parts, n);
    mem_free(parts);
    return whole;
}

static bool overlap(const struct splitter *x, int v, int w)
{
    if (v < 0 || w < 0)
        return false;
    const struct value *a = &x->plan->values[v], *b = &x->plan->values[w];
    size_t at = x->places ? x->places[v] : a->offset, other = x->places ? x->places[w] : b->offset;
    return !a->constant && !b->constant && at < other + value_bytes(b) && other < at + value_bytes(a);
}

/* Memory for each value alone, where all together stay in a second level cache. */
static void spread_values(struct splitter *x, struct split *s)
{
    enum { SPREAD_BYTES = 1 << 20 };
    const struct plan *p = x->plan;
    size_t *places = arena_new(x->arena, (size_t)p->n_values + 1, sizeof *places), end = 0;
    s->arena_bytes = p->arena_bytes;
    for (int i = 0; i < p->n_values; i++) {
        const struct value *v = &p->values[i];
        if (v->constant)
            continue;
        places[i] = v->alias >= 0 ? places[v->alias] : end;
        size_t after = places[i] + value_bytes(v);
        end = after > end ? after : end;
        if (end > SPREAD_BYTES)
            return;
    }
    s->arena_bytes = end;
    s->places = x->places = places;
}

/* Whether step i, element by element, can follow the parts of the steps from `first` on without waiting: it takes the
 * stretches that they have made, and writes where none of them still reads or writes. */
static bool can_follow(const struct splitter *x, const struct split *s, int first, int i)
{
    const struct step *step = &x->plan->steps[i], *before = s->steps[i - 1].parts;
    const struct value *values = x->plan->values;
    if (step_rows[step->kind].split != split_elements || s->steps[i - 1].n < 2 || before->share.count == 0 ||
        values[before->out].count != values[step->out].count)
        return false;
    if (step_rows[x->plan->steps[i - 1].kind].split != split_elements && first != i - 1)
        return false;
    for (int k = first; k < i; k++) {
        const struct step *other = &x->plan->steps[k];
        if (overlap(x, step->out, other->in[0]) || overlap(x, step->out, other->in[1]) ||
            overlap(x, step->out, other->out))
            return false;
    }
    return true;
}

static struct split_step follow(struct splitter *x, const struct step *s, const struct split_step *before)
{
    struct step *parts = mem_new((size_t)before->n, sizeof *parts);
    for (int i = 0; i < before->n; i++) {
        const struct share *r = &before->parts[i].share;
        parts[i] = *s;
        parts[i].share = (struct share){.in = {r->out, r->out}, .out = r->out, .count = r->count};
    }
    struct split_step out = keep_parts(x, parts, before->n);
    mem_free(parts);
    return out;
}

struct split *split_new(const struct plan *p, int threads, int64_t part_work)
{
    struct split *s = mem_new(1, sizeof *s);
    struct splitter x = {
        .plan = p, .threads = threads, .part_work = part_work, .arena = &s->arena, .scratch = p->scratch_bytes};
    s->threads = threads;
    s->steps = arena_new(&s->arena, (size_t)p->n_steps + 1, sizeof *s->steps);
    s->phases = arena_new(&s->arena, (size_t)p->n_steps + 1, sizeof *s->phases);
    spread_values(&x, s);
    for (int i = 0; i < p->n_steps; i++) {
        if (i > 0 && can_follow(&x, s, s->phases[s->n_phases - 1], i)) {
            s->steps[i] = follow(&x, &p->steps[i], &s->steps[i - 1]);
            continue;
        }
        s->steps[i] = split_step(&x, &p->steps[i]);
        if (i == 0 || s->steps[i].n > 1 || s->steps[i - 1].n > 1)
            s->phases[s->n_phases++] = i;
    }
    s->phases[s->n_phases] = p->n_steps;
    s->scratch_bytes = x.scratch;
    return s;
}

void split_free(struct split *s)
{
    if (!s)
        return;
    arena_done(&s->arena);
    mem_free(s);
}
