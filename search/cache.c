/* SPDX-License-Identifier: MIT */
#include "search/cache_private.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"

const char cache_end[] = "end\n";

enum { FORMAT = 2, COST_FORMAT = 3 };

static int format_of(const struct cache_key *k)
{
    return strcmp(k->kind, "cost") ? FORMAT : COST_FORMAT;
}

static char *cache_path(const struct cache_key *k)
{
    char *dir = file_cache_dir();
    if (!dir)
        return NULL;
    char *path = mem_printf("%s/%s-%s-%016llx.txt", dir, k->fingerprint, k->kind, (unsigned long long)k->settings);
    mem_free(dir);
    return path;
}

const char *cache_load_text(const struct cache_key *k, char **whole)
{
    char *path = cache_path(k), header[64];
    size_t size;
    *whole = path && file_exists(path) ? file_read(path, CACHE_FILE_LIMIT, &size, NULL) : NULL;
    mem_free(path);
    int n = snprintf(header, sizeof header, "bitfader %s %d\n", k->kind, format_of(k));
    size_t length = *whole ? strlen(*whole) : 0;
    if (length < (size_t)n + 4 || strncmp(*whole, header, (size_t)n) || strcmp(*whole + length - 4, cache_end))
        return NULL;
    return *whole + n;
}

int cache_save_text(const struct cache_key *k, struct text *body, struct err *e)
{
    char *path = cache_path(k);
    struct text t = {0};
    text_printf(&t, "bitfader %s %d\n", k->kind, format_of(k));
    text_put_n(&t, body->s ? body->s : "", body->n);
    text_put(&t, cache_end);
    int status = path ? file_write(path, t.s, t.n, false, e)
                      : err_set(e, "no cache folder can be written: $XDG_CACHE_HOME or $HOME must name one");
    text_done(&t);
    mem_free(path);
    text_done(body);
    return status;
}

void cache_adopt(struct tables *t, struct tables *read, bool whole)
{
    if (whole)
        tables_assign(t, read);
    tables_free(read);
}

const char *cache_next_line(const char *s)
{
    const char *end = strchr(s, '\n');
    return end ? end + 1 : NULL;
}

int cache_save_loss(const struct cache_key *k, const struct tables *t, struct err *e)
{
    struct text body = {0};
    text_printf(&body, "base %a images %d layers %d\n", t->base_loss, t->calibration_images, t->n_layers);
    for (int l = 0; l < t->n_layers; l++)
        for (int b = 1; b < WIDTHS && t->layers[l].measured; b++)
            text_printf(&body, "%d %d %a %a\n", l, b, t->layers[l].loss_w[b], t->layers[l].loss_a[b]);
    return cache_save_text(k, &body, e);
}

void cache_load_loss(const struct cache_key *k, struct tables *t)
{
    char *whole;
    const char *s = cache_load_text(k, &whole);
    int images = 0, layers = 0, l, b;
    double base, w, a;
    if (s && sscanf(s, "base %la images %d layers %d", &base, &images, &layers) == 3 && layers == t->n_layers) {
        struct tables *read = tables_copy(t);
        int rows = 0;
        read->base_loss = base;
        read->calibration_images = images;
        read->layers_measured = 0;
        /* A measured layer has a row for each width, in order. */
        for (s = cache_next_line(s); s && sscanf(s, "%d %d %la %la", &l, &b, &w, &a) == 4;
             s = cache_next_line(s), rows++) {
            if (l < 0 || l >= t->n_layers || b != rows % BITS_MAX + 1 || !(w >= 0) || !(a >= 0))
                break;
            read->layers[l].loss_w[b] = w;
            read->layers[l].loss_a[b] = a;
            read->layers_measured += !read->layers[l].measured;
            read->layers[l].measured = true;
        }
        cache_adopt(t, read, s && !strcmp(s, cache_end) && rows == BITS_MAX * read->layers_measured);
    }
    mem_free(whole);
}

int cache_save_points(const struct cache_key *k, double fp32_accuracy, const struct fit_point *points, int n,
                      struct err *e)
{
    struct text body = {0};
    text_printf(&body, "fp32 %a\n", fp32_accuracy);
    for (int i = 0; i < n; i++)
        text_printf(&body, "%a %a %d %d\n", points[i].loss, points[i].drop, points[i].images, points[i].held_out);
    return cache_save_text(k, &body, e);
}

int cache_load_points(const struct cache_key *k, double *fp32_accuracy, struct fit_point *points, int cap)
{
    char *whole;
    const char *s = cache_load_text(k, &whole);
    int n = 0;
    double fp32;
    if (s && sscanf(s, "fp32 %la", &fp32) == 1) {
        for (s = cache_next_line(s); s && n < cap; s = cache_next_line(s)) {
            struct fit_point *p = &points[n];
            if (sscanf(s, "%la %la %d %d", &p->loss, &p->drop, &p->images, &p->held_out) != 4 || p->images <= 0)
                break;
            n++;
        }
        if (s && (n == cap || !strcmp(s, cache_end)))
            *fp32_accuracy = fp32;
        else
            n = 0;
    }
    mem_free(whole);
    return n;
}
