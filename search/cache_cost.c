/* SPDX-License-Identifier: MIT
 *
 * The latency table on disk. Its rows come first, then the times of kernels, then how it was measured and on what.
 */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "kernels/float_conv.h"
#include "kernels/kernels.h"
#include "search/cache_private.h"
#include "search/fingerprint.h"

static const char host_tag[] = "host ";

int cache_save_cost(const struct cache_key *k, const struct tables *t, const struct kernel_times *times, struct err *e)
{
    struct text body = {0};
    const struct latency_report *r = &t->cost.report;
    text_printf(&body, "fp32 %a other %a %a layers %d\n", t->cost.fp32_latency_ns, t->cost.other_ns,
                t->cost.other_fp32_ns, t->n_layers);
    for (int l = 0; l < t->n_layers; l++)
        for (int w = 0; w < WIDTHS; w++)
            for (int a = 0; a < WIDTHS; a++)
                if (!isnan(t->cost.layers[l].latency_ns[w][a])) {
                    const struct layer_cost *x = &t->cost.layers[l];
                    text_printf(&body, "%d %d %d %a %a %s\n", l, w, a, x->latency_ns[w][a], x->spread_ns[w][a],
                                x->kernel[w][a] ? x->kernel[w][a] : "-");
                }
    kernel_times_write(times, &body);
    text_printf(&body, "timed %a clock %a %a plans %d %d passes %d %d core %d disturbed %d %d %d %d\n", r->seconds,
                r->clock_low_ghz, r->clock_high_ghz, r->plans, r->pairs, r->passes, r->runs, r->core, r->disturbed,
                r->counted, r->repeated, r->unsteady);
    text_printf(&body, "%s%s\n", host_tag, k->host);
    return cache_save_text(k, &body, e);
}

/* A name that lives as long as the program, or NULL. */
static const char *kernel_name(const char *name)
{
    static const char *const others[] = {"sgemm_openblas", "sgemv_openblas"};
    for (int i = 0; i < conv_kernel_count; i++)
        if (!strcmp(name, conv_kernels[i]->name))
            return conv_kernels[i]->name;
    for (int i = 0; i < float_conv_kernel_count; i++)
        if (!strcmp(name, float_conv_kernels[i]->name))
            return float_conv_kernels[i]->name;
    for (int i = 0; i < matmul_kernel_count; i++)
        if (!strcmp(name, matmul_kernels[i]->name))
            return matmul_kernels[i]->name;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (!strcmp(name, others[i]))
            return others[i];
    return NULL;
}

/* The rows of layers. Moves *s behind them; false where there are not all of them. */
static bool read_rows(const char **s, struct tables *read)
{
    int rows = 0, l, w, a;
    double ns, spread;
    char name[64];
    for (; *s && sscanf(*s, "%d %d %d %la %la %63s", &l, &w, &a, &ns, &spread, name) == 6; rows++) {
        if (l < 0 || l >= read->n_layers || w < 0 || w >= WIDTHS || a < 0 || a >= WIDTHS || !(ns >= 0) ||
            !(spread >= 0))
            return false;
        read->cost.layers[l].latency_ns[w][a] = ns;
        read->cost.layers[l].spread_ns[w][a] = spread;
        read->cost.layers[l].kernel[w][a] = kernel_name(name);
        *s = cache_next_line(*s);
    }
    return *s && rows == read->n_layers * (BITS_MAX * BITS_MAX + 1);
}

static bool read_report(const char **s, struct latency_report *r)
{
    int n = sscanf(*s, "timed %la clock %la %la plans %d %d passes %d %d core %d disturbed %d %d %d %d", &r->seconds,
                   &r->clock_low_ghz, &r->clock_high_ghz, &r->plans, &r->pairs, &r->passes, &r->runs, &r->core,
                   &r->disturbed, &r->counted, &r->repeated, &r->unsteady);
    *s = cache_next_line(*s);
    return n == 12 && *s;
}

/* Whether a line says that the file was made on this host; what differs otherwise, into note. */
static bool same_host(const char *line, const char *host, char note[160])
{
    size_t tag = sizeof host_tag - 1, n = strcspn(line, "\n");
    if (strncmp(line, host_tag, tag))
        return false;
    if (n - tag == strlen(host) && !memcmp(line + tag, host, n - tag))
        return true;
    char *why = fingerprint_difference(host, line + tag);
    if (why)
        snprintf(note, 160, "the latency table that was kept is of %s: not used", why);
    mem_free(why);
    return false;
}

/* Another file of this model, made elsewhere, is why there may seem to be none. */
static void look_elsewhere(const struct cache_key *k, char note[160])
{
    char *dir = file_cache_dir(), *start = mem_printf("%s-%s-", k->fingerprint, k->kind);
    DIR *d = dir ? opendir(dir) : NULL;
    for (struct dirent *x; d && !*note && (x = readdir(d));) {
        size_t size;
        if (strncmp(x->d_name, start, strlen(start)))
            continue;
        char *path = mem_printf("%s/%s", dir, x->d_name);
        char *whole = file_exists(path) ? file_read(path, CACHE_FILE_LIMIT, &size, NULL) : NULL;
        const char *line = whole ? strstr(whole, "\nhost ") : NULL;
        if (line)
            same_host(line + 1, k->host, note);
        mem_free(whole);
        mem_free(path);
    }
    if (d)
        closedir(d);
    mem_free(start);
    mem_free(dir);
}

void cache_load_cost(const struct cache_key *k, struct tables *t, struct kernel_times *times)
{
    char *whole;
    const char *s = cache_load_text(k, &whole);
    struct tables *read = tables_copy(t);
    struct kernel_times *fresh = kernel_times_new();
    int layers = 0;
    bool ok = s && sscanf(s, "fp32 %la other %la %la layers %d", &read->cost.fp32_latency_ns, &read->cost.other_ns,
                          &read->cost.other_fp32_ns, &layers) == 4;
    s = ok ? cache_next_line(s) : NULL;
    ok = s && layers == t->n_layers && read_rows(&s, read);
    const char *kernels = s;
    ok = ok && !kernel_times_read(fresh, &s) && read_report(&s, &read->cost.report) &&
         same_host(s, k->host, t->cost.note) && !strcmp(cache_next_line(s), cache_end);
    read->cost.known = true;
    if (ok)
        kernel_times_read(times, &kernels);
    cache_adopt(t, read, ok);
    kernel_times_free(fresh);
    mem_free(whole);
    if (!ok && !*t->cost.note)
        look_elsewhere(k, t->cost.note);
}
