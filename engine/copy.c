/* SPDX-License-Identifier: MIT
 *
 * Strided copies: permutations between the two orders of a tensor, Transpose, Slice, Pad, Concat.
 */
#include <string.h>

#include "engine/compile.h"

static void swap_dims(struct copy_dims *c, int a, int b)
{
    int64_t d = c->d[a], ss = c->ss[a], ds = c->ds[a];
    c->d[a] = c->d[b];
    c->ss[a] = c->ss[b];
    c->ds[a] = c->ds[b];
    c->d[b] = d;
    c->ss[b] = ss;
    c->ds[b] = ds;
}

/* Moves dimension k to the end; the others keep their order. */
static void move_last(struct copy_dims *c, int k)
{
    for (; k + 1 < c->n; k++)
        swap_dims(c, k, k + 1);
}

static int find_unit(const int64_t *strides, const int64_t *d, int n)
{
    for (int k = n - 1; k >= 0; k--)
        if (strides[k] == 1 && d[k] > 1)
            return k;
    return -1;
}

void copy_flatten(struct copy_dims *c)
{
    int n = 0;
    for (int k = 0; k < c->n; k++) { /* dimensions of one element go, neighbours that are one stretch become one */
        bool joins = n > 0 && c->ss[n - 1] == c->ss[k] * c->d[k] && c->ds[n - 1] == c->ds[k] * c->d[k];
        if (c->d[k] == 1)
            continue;
        c->d[n - joins] = joins ? c->d[n - 1] * c->d[k] : c->d[k];
        c->ss[n - joins] = c->ss[k];
        c->ds[n - joins] = c->ds[k];
        n += !joins;
    }
    for (; n < 2; n++) { /* two at least: rows of elements */
        c->d[n] = 1;
        c->ss[n] = c->ds[n] = 0;
        if (n > 0)
            swap_dims(c, 0, 1);
    }
    c->n = n;
    int from = find_unit(c->ss, c->d, n), to = find_unit(c->ds, c->d, n);
    if (from >= 0 && from == to) {
        move_last(c, from);
    } else if (from >= 0 && to >= 0 && c->ds[from] >= c->d[to]) {
        move_last(c, to);
        move_last(c, from < to ? from : from - 1);
        c->transposes = true;
    }
}

/* n >= 16 bytes. A row of an image's channels is short: calling memcpy for it takes longer than the copying. */
static inline void copy_row(char *dst, const char *src, size_t n)
{
    if (n > 64) {
        memcpy(dst, src, n);
        return;
    }
    for (size_t i = 0; i + 16 <= n; i += 16)
        memcpy(dst + i, src + i, 16);
    memcpy(dst + n - 16, src + n - 16, 16);
}

/* rows x columns elements, the last two dimensions. */
#define COPY_PLANE(type)                                                                         \
    static void plane_##type(const struct copy_dims *c, const void *from, void *to)              \
    {                                                                                            \
        int last = c->n - 1;                                                                     \
        int64_t rows = c->d[last - 1], columns = c->d[last], ss = c->ss[last], ds = c->ds[last]; \
        for (int64_t i = 0; i < rows; i++) {                                                     \
            const type *src = (const type *)from + i * c->ss[last - 1];                          \
            type *dst = (type *)to + i * c->ds[last - 1];                                        \
            if (ss == 1 && ds == 1 && columns >= 16)                                             \
                copy_row((char *)dst, (const char *)src, (size_t)columns * sizeof *dst);         \
            else                                                                                 \
                for (int64_t j = 0; j < columns; j++)                                            \
                    dst[j * ds] = src[j * ss];                                                   \
        }                                                                                        \
    }
COPY_PLANE(uint8_t)
COPY_PLANE(float)

static void run_copy(const struct step *s, const struct run_state *r, size_t size)
{
    const struct copy_dims *c = &s->copy;
    const char *src = (const char *)step_in(s, r, 0) + (size_t)c->src_at * size;
    char *dst = (char *)step_out(s, r) + (size_t)c->dst_at * size;
    int64_t at[SHAPE_MAX] = {0}, unit = (int64_t)size;
    int last = c->n - 1;
    for (int k = last; k >= 0;) {
        if (c->transposes && size == 1)
            r->vec->transpose_u8((size_t)c->d[last - 1], (size_t)c->d[last], (const uint8_t *)src,
                                 (size_t)c->ss[last - 1], (uint8_t *)dst, (size_t)c->ds[last]);
        else if (size == 1)
            plane_uint8_t(c, src, dst);
        else if (c->transposes)
            r->vec->transpose_f32((size_t)c->d[last - 1], (size_t)c->d[last], (const float *)src,
                                  (size_t)c->ss[last - 1], (float *)dst, (size_t)c->ds[last]);
        else
            plane_float(c, src, dst);
        for (k = last - 2; k >= 0; k--) { /* to the next plane */
            src += c->ss[k] * unit;
            dst += c->ds[k] * unit;
            if (++at[k] < c->d[k])
                break;
            src -= c->ss[k] * c->d[k] * unit;
            dst -= c->ds[k] * c->d[k] * unit;
            at[k] = 0;
        }
    }
}

void step_copy_u8(const struct step *s, const struct run_state *r)
{
    if (s->fill >= 0)
        memset(step_out(s, r), s->fill, step_count(s, r));
    run_copy(s, r, 1);
}

void step_copy_f32(const struct step *s, const struct run_state *r)
{
    if (s->fill >= 0) {
        float *out = step_out(s, r);
        for (size_t i = 0; i < step_count(s, r); i++)
            out[i] = s->alpha;
    }
    run_copy(s, r, sizeof(float));
}
