/* SPDX-License-Identifier: MIT */
#include "search/cache.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"

enum { FORMAT = 2, FILE_LIMIT = 64 << 20 };
static const char end_line[] = "end\n";

static char *cache_path(const struct cache_key *k)
{
    char *dir = file_cache_dir();
    if (!dir)
        return NULL;
    char *path = mem_printf("%s/%s-%s-%016llx.txt", dir, k->fingerprint, k->kind, (unsigned long long)k->settings);
    mem_free(dir);
    return path;
}

/* The file's text after its first line, which must be the header; the caller frees *whole. */
static const char *load_text(const struct cache_key *k, char **whole)
{
    char *path = cache_path(k), header[64];
    size_t size;
    *whole = path && file_exists(path) ? file_read(path, FILE_LIMIT, &size, NULL) : NULL;
    mem_free(path);
    int n = snprintf(header, sizeof header, "bitfader %s %d\n", k->kind, FORMAT);
    size_t length = *whole ? strlen(*whole) : 0;
    if (length < (size_t)n + 4 || strncmp(*whole, header, (size_t)n) || strcmp(*whole + length - 4, end_line))
        return NULL;
    return *whole + n;
}

static void save_text(const struct cache_key *k, struct text *body)
{
    char *path = cache_path(k);
    if (path) {
        struct text t = {0};
        text_printf(&t, "bitfader %s %d\n", k->kind, FORMAT);
        text_put_n(&t, body->s ? body->s : "", body->n);
        text_put(&t, end_line);
        file_write(path, t.s, t.n, false, NULL);
        text_done(&t);
    }
    mem_free(path);
    text_done(body);
}

/* Takes over what was read when nothing is left but the last line: a file with any bad row is no cache. */
static void adopt(struct tables *t, struct tables *read, bool whole)
{
    if (whole) {
        memcpy(t->layers, read->layers, (size_t)t->n_layers * sizeof *t->layers);
        struct layer_table *layers = t->layers;
        *t = *read;
        t->layers = layers;
    }
    tables_free(read);
}

static const char *next_line(const char *s)
{
    const char *end = strchr(s, '\n');
    return end ? end + 1 : NULL;
}

void cache_save_loss(const struct cache_key *k, const struct tables *t)
{
    struct text body = {0};
    text_printf(&body, "base %a images %d layers %d\n", t->base_loss, t->calibration_images, t->n_layers);
    for (int l = 0; l < t->n_layers; l++)
        for (int b = 1; b < WIDTHS && t->layers[l].measured; b++)
            text_printf(&body, "%d %d %a %a\n", l, b, t->layers[l].loss_w[b], t->layers[l].loss_a[b]);
    save_text(k, &body);
}

void cache_load_loss(const struct cache_key *k, struct tables *t)
{
    char *whole;
    const char *s = load_text(k, &whole);
    int images = 0, layers = 0, l, b;
    double base, w, a;
    if (s && sscanf(s, "base %la images %d layers %d", &base, &images, &layers) == 3 && layers == t->n_layers) {
        struct tables *read = tables_copy(t);
        int rows = 0;
        read->base_loss = base;
        read->calibration_images = images;
        read->layers_measured = 0;
        /* A measured layer has a row for each width, in order. */
        for (s = next_line(s); s && sscanf(s, "%d %d %la %la", &l, &b, &w, &a) == 4; s = next_line(s), rows++) {
            if (l < 0 || l >= t->n_layers || b != rows % BITS_MAX + 1 || !(w >= 0) || !(a >= 0))
                break;
            read->layers[l].loss_w[b] = w;
            read->layers[l].loss_a[b] = a;
            read->layers_measured += !read->layers[l].measured;
            read->layers[l].measured = true;
        }
        adopt(t, read, s && !strcmp(s, end_line) && rows == BITS_MAX * read->layers_measured);
    }
    mem_free(whole);
}

void cache_save_cost(const struct cache_key *k, const struct tables *t)
{
    struct text body = {0};
    text_printf(&body, "fp32 %a other %a %a layers %d\n", t->fp32_latency_ns, t->other_ns, t->other_fp32_ns,
                t->n_layers);
    for (int l = 0; l < t->n_layers; l++)
        for (int w = 0; w < WIDTHS; w++)
            for (int a = 0; a < WIDTHS; a++)
                if (!isnan(t->layers[l].latency_ns[w][a]))
                    text_printf(&body, "%d %d %d %a\n", l, w, a, t->layers[l].latency_ns[w][a]);
    save_text(k, &body);
}

void cache_load_cost(const struct cache_key *k, struct tables *t)
{
    char *whole;
    const char *s = load_text(k, &whole);
    int layers = 0, l, w, a;
    double fp32, other, other_fp32, ns;
    if (s && sscanf(s, "fp32 %la other %la %la layers %d", &fp32, &other, &other_fp32, &layers) == 4 &&
        layers == t->n_layers) {
        struct tables *read = tables_copy(t);
        int rows = 0;
        for (s = next_line(s); s && sscanf(s, "%d %d %d %la", &l, &w, &a, &ns) == 4; s = next_line(s), rows++) {
            if (l < 0 || l >= t->n_layers || w < 0 || w >= WIDTHS || a < 0 || a >= WIDTHS || !(ns >= 0))
                break;
            read->layers[l].latency_ns[w][a] = ns;
        }
        read->fp32_latency_ns = fp32;
        read->other_ns = other;
        read->other_fp32_ns = other_fp32;
        read->latency_known = true;
        adopt(t, read, s && !strcmp(s, end_line) && rows == layers * (BITS_MAX * BITS_MAX + 1));
    }
    mem_free(whole);
}

void cache_save_points(const struct cache_key *k, double fp32_accuracy, const struct fit_point *points, int n)
{
    struct text body = {0};
    text_printf(&body, "fp32 %a\n", fp32_accuracy);
    for (int i = 0; i < n; i++)
        text_printf(&body, "%a %a %d %d\n", points[i].loss, points[i].drop, points[i].images, points[i].held_out);
    save_text(k, &body);
}

int cache_load_points(const struct cache_key *k, double *fp32_accuracy, struct fit_point *points, int cap)
{
    char *whole;
    const char *s = load_text(k, &whole);
    int n = 0;
    double fp32;
    if (s && sscanf(s, "fp32 %la", &fp32) == 1) {
        for (s = next_line(s); s && n < cap; s = next_line(s)) {
            struct fit_point *p = &points[n];
            if (sscanf(s, "%la %la %d %d", &p->loss, &p->drop, &p->images, &p->held_out) != 4 || p->images <= 0)
                break;
            n++;
        }
        if (s && (n == cap || !strcmp(s, end_line)))
            *fp32_accuracy = fp32;
        else
            n = 0;
    }
    mem_free(whole);
    return n;
}
