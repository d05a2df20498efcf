/* SPDX-License-Identifier: MIT */
#include "search/tables.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* Energy of one operation, 45 nm, 0.9 V: Horowitz, "Computing's energy problem", ISSCC 2014. A byte of weights is read
 * from a 32 KiB SRAM (20 pJ for 8). */
static const struct energy_model horowitz = {
    .fp32_mac = 3.7 + 0.9, .int8_mul = 0.2, .int32_add = 0.1, .weight_byte = 20.0 / 8};

static struct cost_table cost_unknown(int n_layers)
{
    struct cost_table c = {.target = "host",
                           .fp32_latency_ns = NAN,
                           .other_ns = NAN,
                           .other_fp32_ns = NAN,
                           .error_rel = 0.1,
                           .energy = horowitz};
    c.layers = mem_new((size_t)n_layers + 1, sizeof *c.layers);
    for (int l = 0; l < n_layers; l++)
        for (int w = 0; w < WIDTHS; w++)
            for (int a = 0; a < WIDTHS; a++)
                c.layers[l].latency_ns[w][a] = c.layers[l].spread_ns[w][a] = NAN;
    return c;
}

struct tables *tables_new(int n_layers)
{
    struct tables *t = mem_new(1, sizeof *t);
    t->n_layers = n_layers;
    t->layers = mem_new((size_t)n_layers + 1, sizeof *t->layers);
    for (int l = 0; l < n_layers; l++) {
        struct layer_table *x = &t->layers[l];
        for (int b = 0; b < WIDTHS; b++) {
            x->loss_w[b] = x->loss_a[b] = b ? NAN : 0;
            for (int g = 0; g < GRANULARITY_COUNT; g++)
                x->sqnr[g][b] = b ? NAN : INFINITY;
        }
    }
    /* The prior: what small convolutional classifiers lose, within a factor of two or so. */
    t->fit = (struct loss_fit){.scale = 25, .power = 1, .ceiling = 90, .error_rel = 1, .error_abs = 0.3, .points = 0};
    t->base_loss = NAN;
    t->fp32_accuracy = NAN;
    t->cost = cost_unknown(n_layers);
    return t;
}

void tables_assign(struct tables *to, const struct tables *from)
{
    struct layer_table *layers = to->layers;
    struct layer_cost *costs = to->cost.layers;
    *to = *from;
    to->layers = memcpy(layers, from->layers, (size_t)from->n_layers * sizeof *layers);
    to->cost.layers = memcpy(costs, from->cost.layers, (size_t)from->n_layers * sizeof *costs);
}

struct tables *tables_copy(const struct tables *t)
{
    struct tables *c = tables_new(t->n_layers);
    tables_assign(c, t);
    return c;
}

void tables_free(struct tables *t)
{
    if (!t)
        return;
    mem_free(t->cost.layers);
    mem_free(t->layers);
    mem_free(t);
}

char *latency_report_text(const struct latency_report *r, char out[256])
{
    char core[32] = "not kept on one core";
    if (r->core >= 0)
        snprintf(core, sizeof core, "on core %d", r->core);
    int n = snprintf(out, 256, "%d plans for %d pairs of widths in %.1f s %s, %d passes; ", r->plans, r->pairs,
                     r->seconds, core, r->passes);
    if (r->disturbed || r->repeated)
        n += snprintf(out + n, 256 - (size_t)n,
                      "busy core: %d runs were disturbed and %d turns done again, which left %.0f %% of ", r->disturbed,
                      r->repeated, r->runs ? 100.0 * r->counted / r->runs : 0);
    else
        n += snprintf(out + n, 256 - (size_t)n, "nothing disturbed ");
    n += snprintf(out + n, 256 - (size_t)n, "%s; ", r->disturbed || r->repeated ? "what counts" : "it");
    if (r->clock_high_ghz > 1.03 * r->clock_low_ghz)
        snprintf(out + n, 256 - (size_t)n, "the clock changed between %.2f and %.2f GHz", r->clock_low_ghz,
                 r->clock_high_ghz);
    else
        snprintf(out + n, 256 - (size_t)n, "the clock stayed at %.2f GHz", r->clock_high_ghz);
    return out;
}
