/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "data/image.h"

enum { FRACTION_BITS = 32 - 8 - 2 }; /* of weights: a pixel times the sum of weights fits into 32 bits */

/* Weights of every output pixel along one axis. */
struct taps {
    int n;            /* weights a pixel at most */
    int *first, *len; /* [out] input pixels */
    int32_t *weight;  /* [out][n] */
};

static struct taps taps_new(int in, int out)
{
    double scale = (double)in / out, support = fmax(scale, 1);
    struct taps t = {.n = 2 * (int)ceil(support) + 1};
    t.first = mem_new((size_t)out, sizeof *t.first);
    t.len = mem_new((size_t)out, sizeof *t.len);
    t.weight = mem_new((size_t)out * (size_t)t.n, sizeof *t.weight);
    double *w = mem_new((size_t)t.n, sizeof *w);
    for (int i = 0; i < out; i++) {
        double center = (i + 0.5) * scale, sum = 0;
        int first = (int)(center - support + 0.5), last = (int)(center + support + 0.5);
        first = first < 0 ? 0 : first;
        last = last > in ? in : last;
        t.first[i] = first;
        t.len[i] = last - first;
        for (int k = 0; k < t.len[i]; k++) {
            double x = fabs((k + first - center + 0.5) * (1.0 / support));
            w[k] = x < 1 ? 1 - x : 0;
            sum += w[k];
        }
        for (int k = 0; k < t.len[i]; k++)
            t.weight[(size_t)i * (size_t)t.n + (size_t)k] = (int32_t)(0.5 + w[k] / sum * (1 << FRACTION_BITS));
    }
    mem_free(w);
    return t;
}

static void taps_free(struct taps *t)
{
    mem_free(t->first);
    mem_free(t->len);
    mem_free(t->weight);
}

static uint8_t round_pixel(int32_t sum)
{
    sum >>= FRACTION_BITS;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

/* One axis of in[outer][n_in][inner] to out[outer][n_out][inner]. */
static void resize_axis(const uint8_t *in, size_t outer, int n_in, size_t inner, int n_out, uint8_t *out)
{
    struct taps t = taps_new(n_in, n_out);
    for (size_t o = 0; o < outer; o++)
        for (int i = 0; i < n_out; i++) {
            const int32_t *w = t.weight + (size_t)i * (size_t)t.n;
            const uint8_t *from = in + (o * (size_t)n_in + (size_t)t.first[i]) * inner;
            uint8_t *to = out + (o * (size_t)n_out + (size_t)i) * inner;
            for (size_t c = 0; c < inner; c++) {
                int32_t sum = 1 << (FRACTION_BITS - 1);
                for (int k = 0; k < t.len[i]; k++)
                    sum += from[(size_t)k * inner + c] * w[k];
                to[c] = round_pixel(sum);
            }
        }
    taps_free(&t);
}

void image_resize(const struct image *in, int h, int w, struct image *out)
{
    size_t c = (size_t)in->c, rows = (size_t)in->h;
    *out = (struct image){h, w, in->c, mem_new((size_t)h * (size_t)w, c)};
    const uint8_t *from = in->data;
    uint8_t *wide = NULL;
    if (w != in->w) {
        wide = mem_new(rows * (size_t)w, c);
        resize_axis(in->data, rows, in->w, c, w, wide);
        from = wide;
    }
    if (h != in->h)
        resize_axis(from, 1, in->h, (size_t)w * c, h, out->data);
    else
        memcpy(out->data, from, rows * (size_t)w * c);
    mem_free(wide);
}

void image_crop(const struct image *in, int y, int x, int h, int w, uint8_t *out)
{
    size_t row = (size_t)w * (size_t)in->c;
    for (int i = 0; i < h; i++)
        memcpy(out + (size_t)i * row, in->data + ((size_t)(y + i) * (size_t)in->w + (size_t)x) * (size_t)in->c, row);
}

void image_done(struct image *m)
{
    mem_free(m->data);
    *m = (struct image){0};
}
