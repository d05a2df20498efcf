/* SPDX-License-Identifier: MIT */
#include "ops/strided.h"

#include <string.h>

struct walk { /* axes of length 1 dropped, axes that lie in one line joined */
    int n;
    int64_t d[SHAPE_MAX], from[SHAPE_MAX], to[SHAPE_MAX];
};

static struct walk simplify(const struct shape *s, const int64_t *from, const int64_t *to)
{
    struct walk w = {0};
    for (int i = 0; i < s->n; i++) {
        int k = w.n - 1;
        if (s->d[i] == 1)
            continue;
        if (k >= 0 && w.from[k] == from[i] * s->d[i] && w.to[k] == to[i] * s->d[i]) {
            w.d[k] *= s->d[i];
            w.from[k] = from[i];
            w.to[k] = to[i];
            continue;
        }
        w.d[w.n] = s->d[i];
        w.from[w.n] = from[i];
        w.to[w.n++] = to[i];
    }
    return w;
}

#define ROW(type)                   \
    for (int64_t i = 0; i < n; i++) \
    *(type *)(void *)(to + i * to_step) = *(const type *)(const void *)(from + i * from_step)

/* n elements, steps in bytes. */
static void copy_row(int64_t n, size_t size, const char *from, int64_t from_step, char *to, int64_t to_step)
{
    if (from_step == (int64_t)size && to_step == (int64_t)size)
        memcpy(to, from, (size_t)n * size);
    else if (size == 4)
        ROW(uint32_t);
    else if (size == 1)
        ROW(uint8_t);
    else if (size == 8)
        ROW(uint64_t);
    else
        ROW(uint16_t);
}

void strided_copy(const struct shape *shape, size_t size, const void *from, const int64_t *from_step, void *to,
                  const int64_t *to_step)
{
    const struct walk w = simplify(shape, from_step, to_step);
    int64_t rows = 1, at[SHAPE_MAX] = {0}, bytes = (int64_t)size;
    const char *p = from;
    char *q = to;
    if (!shape_count(shape))
        return;
    if (!w.n) {
        memcpy(to, from, size);
        return;
    }
    int last = w.n - 1;
    for (int k = 0; k < last; k++)
        rows *= w.d[k];
    for (int64_t r = 0; r < rows; r++) {
        copy_row(w.d[last], size, p, w.from[last] * bytes, q, w.to[last] * bytes);
        for (int k = last - 1; k >= 0; k--) {
            p += w.from[k] * bytes;
            q += w.to[k] * bytes;
            if (++at[k] < w.d[k])
                break;
            p -= w.from[k] * w.d[k] * bytes;
            q -= w.to[k] * w.d[k] * bytes;
            at[k] = 0;
        }
    }
}
