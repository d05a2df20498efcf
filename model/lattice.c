/* SPDX-License-Identifier: MIT */
#include "model/lattice.h"

#include <math.h>
#include <string.h>

enum { LEVEL_MAX = 255 };

static int bits_of_levels(int lo, int hi)
{
    int bits = 1;
    while (1 << bits < hi - lo + 1)
        bits++;
    return bits;
}

const struct lattice *lattice_new(struct arena *a, float scale, int lo, int hi, bool binary)
{
    struct lattice *g = arena_new(a, 1, sizeof *g);
    float *one = arena_new(a, 1, sizeof *one);
    *one = scale;
    *g = (struct lattice){binary ? 1 : bits_of_levels(lo, hi), binary, lo, hi, 0, 1, one};
    return g;
}

bool lattice_equal(const struct lattice *a, const struct lattice *b)
{
    return a->binary == b->binary && a->lo == b->lo && a->hi == b->hi && a->n_scales == b->n_scales &&
           (a->n_scales == 1 || a->axis == b->axis) &&
           !memcmp(a->scale, b->scale, (size_t)a->n_scales * sizeof *a->scale);
}

const struct lattice *lattice_copy(struct arena *a, const struct lattice *lattice)
{
    if (!lattice)
        return NULL;
    struct lattice *g = arena_new(a, 1, sizeof *g);
    float *scale = arena_new(a, (size_t)lattice->n_scales, sizeof *scale);
    memcpy(scale, lattice->scale, (size_t)lattice->n_scales * sizeof *scale);
    *g = *lattice;
    g->scale = scale;
    return g;
}

/* The level of a value, or false where it is not near one. A scale of 0 has only zeros. */
static bool level_of(float value, float scale, bool binary, int *level)
{
    if (scale == 0) {
        *level = binary ? 1 : 0;
        return value == 0;
    }
    double q = (double)value / scale, near = rint(q);
    if (!(fabs(near) <= LEVEL_MAX) || fabs(q - near) > 1e-3)
        return false;
    *level = (int)near;
    return !binary || *level == 1 || *level == -1;
}

void lattice_put(struct build *b, int t, int bits, bool binary, const float *scale, int n_scales, int axis)
{
    struct tensor *x = &b->tensors[t];
    const float *v = x->data;
    int64_t count = shape_count(&x->shape), inner = 1;
    x->lattice = NULL;
    if (x->type != DTYPE_F32 || !v || !count || bits < 1 || bits > 8)
        return;
    for (int i = axis + 1; n_scales > 1 && i < x->shape.n; i++)
        inner *= x->shape.d[i];
    for (int i = 0; i < n_scales; i++)
        if (!(scale[i] >= 0 && scale[i] < 1e18f))
            return;
    struct lattice g = {bits, binary, LEVEL_MAX, -LEVEL_MAX, axis, n_scales, scale};
    for (int64_t i = 0; i < count; i++) {
        int level;
        if (!level_of(v[i], scale[n_scales > 1 ? i / inner % n_scales : 0], binary, &level))
            return;
        g.lo = level < g.lo ? level : g.lo;
        g.hi = level > g.hi ? level : g.hi;
    }
    x->lattice = lattice_copy(&b->arena, &g);
}

/* The one axis along which a scale that broadcasts to x differs; its length in *n. False when there are two. */
static bool axis_of_scale(const struct shape *x, const struct shape *k, int *axis, int *n)
{
    *axis = 0;
    *n = 1;
    for (int i = 0; i < k->n; i++) {
        if (k->d[i] == 1)
            continue;
        if (*n != 1)
            return false;
        *axis = x->n - k->n + i;
        *n = (int)k->d[i];
    }
    return true;
}

/* QONNX: scale and width are arrays; those of a constant are known, since all was folded. */
static void fold_quant(struct build *b, const struct op_call *c, int t, bool binary)
{
    int axis, n;
    double bits = binary ? 1 : array_double(&c->in[3], 0);
    if (axis_of_scale(&c->in[0].shape, &c->in[1].shape, &axis, &n) && bits == rint(bits) && (binary || bits > 1))
        lattice_put(b, t, bits <= 8 ? (int)bits : 0, binary, c->in[1].data, n, axis);
}

static void fold_dequantize(struct build *b, const struct op_call *c, int t)
{
    int64_t axis = op_attr_int(c, "axis", 1), n = shape_count(&c->in[1].shape);
    if ((c->in[0].type != DTYPE_I8 && c->in[0].type != DTYPE_U8) || n < 1)
        return;
    axis = n == 1 ? 0 : axis < 0 ? axis + c->in[0].shape.n : axis;
    lattice_put(b, t, 8, false, c->in[1].data, (int)n, (int)axis);
}

void lattice_fold(struct build *b, const struct source *s, const struct op_call *c, int t)
{
    const char *name = c->row->name;
    if (!strcmp(name, "DequantizeLinear")) {
        fold_dequantize(b, c, t);
    } else if (!strcmp(name, "Quant") || !strcmp(name, "BipolarQuant")) {
        fold_quant(b, c, t, *name == 'B');
    } else if (c->row->flags & OP_RESHAPES && s->in[0] >= 0) {
        lattice_keep(b, s->in[0], t);
    } else if (!strcmp(name, "Transpose")) {
        const struct attr *a = op_attr(c, "perm", ATTR_INTS);
        int perm[SHAPE_MAX], n = c->in[0].shape.n;
        for (int i = 0; i < n; i++)
            perm[i] = a ? (int)(a->ints[i] < 0 ? a->ints[i] + n : a->ints[i]) : n - 1 - i;
        lattice_move(b, s->in[0], t, perm, 1);
    }
}

void lattice_keep(struct build *b, int from, int to)
{
    const struct lattice *g = b->tensors[from].lattice;
    const struct shape *x = &b->tensors[from].shape, *y = &b->tensors[to].shape;
    int64_t before = 1, there = 1;
    if (!g || from == to)
        return;
    if (g->n_scales == 1) {
        b->tensors[to].lattice = g;
        return;
    }
    for (int i = 0; i < g->axis; i++)
        before *= x->d[i];
    for (int i = 0; i < y->n; there *= y->d[i++])
        if (there == before && y->d[i] == g->n_scales) {
            lattice_put(b, to, g->bits, g->binary, g->scale, g->n_scales, i);
            return;
        }
}

void lattice_move(struct build *b, int from, int to, const int *perm, float factor)
{
    const struct lattice *g = b->tensors[from].lattice;
    int axis = 0;
    if (!g)
        return;
    for (int i = 0; i < b->tensors[to].shape.n; i++)
        if (perm[i] == g->axis)
            axis = i;
    float *scale = arena_new(&b->arena, (size_t)g->n_scales, sizeof *scale);
    for (int i = 0; i < g->n_scales; i++)
        scale[i] = fabsf(g->scale[i] * factor);
    lattice_put(b, to, g->bits, g->binary, scale, g->n_scales, axis);
}

void lattice_scale(struct build *b, int from, int to, const float *factor, int step)
{
    const struct lattice *g = b->tensors[from].lattice;
    if (!g || (g->n_scales > 1 && g->axis != 0))
        return;
    int64_t channels = b->tensors[to].shape.d[0];
    int n = step ? (int)channels : g->n_scales;
    float *scale = arena_new(&b->arena, (size_t)n, sizeof *scale);
    for (int c = 0; c < n; c++)
        scale[c] = fabsf(g->scale[g->n_scales > 1 ? c : 0] * factor[c * step]);
    lattice_put(b, to, g->bits, g->binary, scale, n, 0);
}

/* --- the finished graph ------------------------------------------------------------------------------------------- */

bool lattice_fits(const struct lattice *lattice, int bits)
{
    if (bits == 1)
        return lattice->binary;
    int half = 1 << (bits - 1);
    return lattice->hi < half && lattice->lo >= (bits > 4 ? 1 - half : -half); /* kernels.h: code 0 above 4 bits */
}

/* Limits that are points of the lattice, or outside of it. */
static bool clamps_to_lattice(const struct lattice *g, float act_lo, float act_hi)
{
    double lo = (double)act_lo / g->scale[0], hi = (double)act_hi / g->scale[0];
    bool lo_fits = lo <= g->lo || (!g->binary && lo == rint(lo) && lo <= g->hi);
    bool hi_fits = hi >= g->hi || (!g->binary && hi == rint(hi) && hi >= g->lo);
    return lo_fits && hi_fits;
}

/* The lattice of a node's output, where the node only moves, picks or clamps what lies on one. */
static const struct lattice *lattice_behind(const struct graph *g, const struct node *n)
{
    const struct lattice *in = n->n_in && n->in[0] >= 0 ? g->tensors[n->in[0]].lattice : NULL;
    if (!in || g->tensors[n->in[0]].data)
        return NULL;
    switch (n->op) {
    case OP_RESHAPE:
    case OP_TRANSPOSE:
    case OP_MAX_POOL:
    case OP_SLICE:
        return in;
    case OP_PAD:
        return n->value == 0 && !in->binary ? in : NULL;
    case OP_CLIP:
        return clamps_to_lattice(in, n->act_lo, n->act_hi) ? in : NULL;
    case OP_CONCAT:
        for (int k = 1; k < n->n_in; k++) {
            const struct tensor *t = &g->tensors[n->in[k]];
            if (t->data || !t->lattice || !lattice_equal(t->lattice, in))
                return NULL;
        }
        return in;
    default:
        return NULL;
    }
}

/* Weights that a file holds as plain floats but that are one magnitude a channel, with or without zeros: a binary or
 * ternary network that was exported without its quantizers. Few values prove nothing. */
static const struct lattice *lattice_of_weights(struct graph *g, const struct tensor *w, int64_t channels)
{
    enum { FEWEST = 8 };
    int64_t k = shape_count(&w->shape) / channels;
    const float *v = w->data;
    float *scale = arena_new(&g->arena, (size_t)channels, sizeof *scale), most = 0;
    bool zeros = false;
    if (k < FEWEST)
        return NULL;
    for (int64_t c = 0; c < channels; c++, v += k) {
        bool own_zeros = false;
        for (int64_t i = 0; i < k; i++)
            scale[c] = fmaxf(scale[c], fabsf(v[i]));
        for (int64_t i = 0; i < k; i++) {
            if (v[i] != 0 && fabsf(v[i]) != scale[c])
                return NULL;
            own_zeros |= v[i] == 0;
        }
        zeros |= own_zeros && scale[c] > 0;
        most = fmaxf(most, scale[c]);
    }
    if (!(most > 0 && most < 1e18f))
        return NULL;
    struct lattice *out = arena_new(&g->arena, 1, sizeof *out);
    *out = (struct lattice){zeros ? 2 : 1, !zeros, -1, 1, 0, (int)channels, scale};
    return out;
}

static bool is_padded(const struct node *n)
{
    const struct window *w = &n->window;
    return n->op == OP_CONV && (w->pad_top | w->pad_left | w->pad_bottom | w->pad_right);
}

/* The zeros around a binary image are a third level. */
static int own_a_bits(const struct graph *g, const struct node *n)
{
    const struct lattice *x = g->tensors[n->in[0]].lattice;
    return !x || g->tensors[n->in[0]].data ? 0 : x->binary && is_padded(n) ? 2 : x->bits;
}

static void find_own_of_layer(struct graph *g, struct layer *l)
{
    const struct node *n = &g->nodes[l->node];
    struct tensor *w = &g->tensors[n->in[1]];
    l->own.a_bits = own_a_bits(g, n);
    if (n->op == OP_MATMUL && w->lattice)
        l->own.w_bits = w->lattice->bits;
    if (!w->data || l->n_weights != 1)
        return;
    if (!w->lattice && l->own.a_bits)
        w->lattice = lattice_of_weights(g, w, l->cout);
    if (!w->lattice || (w->lattice->n_scales > 1 && (w->lattice->axis != 0 || w->lattice->n_scales != l->cout)))
        return;
    for (int b = w->lattice->bits; b <= 8 && !l->own.w_bits; b++)
        if (lattice_fits(w->lattice, b))
            l->own.w_bits = b;
    l->own.per_channel = w->lattice->n_scales > 1;
}

void lattice_find_own(struct graph *g)
{
    for (int i = 0; i < g->n_nodes; i++) {
        struct tensor *out = &g->tensors[g->nodes[i].out[0]];
        if (!out->lattice)
            out->lattice = lattice_behind(g, &g->nodes[i]);
    }
    int *a_bits = arena_new(&g->arena, (size_t)g->n_groups + 1, sizeof *a_bits);
    for (int i = 0; i < g->n_layers; i++) {
        struct layer *l = &g->layers[i];
        find_own_of_layer(g, l);
        a_bits[l->group] = l->own.a_bits > a_bits[l->group] ? l->own.a_bits : a_bits[l->group];
        g->quantized |= l->own.a_bits || l->own.w_bits;
    }
    for (int i = 0; i < g->n_layers; i++) /* one width a tensor: a wider one holds the same values */
        g->layers[i].own.a_bits = a_bits[g->layers[i].group];
}
