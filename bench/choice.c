/* SPDX-License-Identifier: MIT */
#include "bench/choice.h"

#include <stdbool.h>
#include <string.h>

#include "bench/layer.h"
#include "bench/turns.h"

enum { ROUNDS = 8, SEEN_MAX = 256 };
static const int64_t budget_ns = 500 * 1000;

static struct conv_geom node_geom(const struct graph *g, const struct node *n)
{
    const int64_t *in = g->tensors[n->in[0]].shape.d, *out = g->tensors[n->out[0]].shape.d;
    const struct window *w = &n->window;
    return (struct conv_geom){.cin = (int)in[1],
                              .h = (int)in[2],
                              .w = (int)in[3],
                              .cout = (int)out[1],
                              .kh = w->kh,
                              .kw = w->kw,
                              .stride_h = w->stride_h,
                              .stride_w = w->stride_w,
                              .pad_top = w->pad_top,
                              .pad_left = w->pad_left,
                              .dilation_h = w->dilation_h,
                              .dilation_w = w->dilation_w,
                              .groups = n->groups,
                              .oh = (int)out[2],
                              .ow = (int)out[3]};
}

static const struct conv_kernel *find_kernel(const char *name)
{
    for (int i = 0; i < conv_kernel_count; i++)
        if (!strcmp(conv_kernels[i]->name, name))
            return conv_kernels[i];
    return NULL;
}

/* The plan's kernel against the fastest, by turns where they are not the same. */
static int compare(const struct layer_spec *s, const struct conv_kernel *kernel, struct choice *c, struct err *e)
{
    struct layer_spec same = *s;
    struct bench_layer fastest = {0}, ours = {0};
    same.kernel = kernel;
    int status = layer_init(&fastest, s, e);
    c->ns = c->fastest_ns = 1;
    if (!status && fastest.kernel != kernel && !(status = layer_init(&ours, &same, e))) {
        struct turn t[] = {{.run = layer_run, .state = &ours}, {.run = layer_run, .state = &fastest}};
        turns_take(t, 2, ROUNDS, budget_ns);
        c->ns = t[0].ns;
        c->fastest_ns = t[1].ns;
    }
    c->kernel = kernel->name;
    c->fastest = status ? NULL : fastest.kernel->name;
    layer_done(&ours);
    layer_done(&fastest);
    return status;
}

int choice_worst(const struct plan *p, struct choice *worst, struct err *e)
{
    const struct graph *g = plan_graph(p);
    struct layer_spec seen[SEEN_MAX];
    int n_seen = 0;
    *worst = (struct choice){.ns = 1, .fastest_ns = 1};
    for (int i = 0; i < g->n_layers && n_seen < SEEN_MAX; i++) {
        const struct plan_layer *l = &plan_layers(p)[i];
        const struct node *n = &g->nodes[g->layers[i].node];
        const struct conv_kernel *k = find_kernel(l->kernel);
        if (n->op != OP_CONV || !k)
            continue;
        struct layer_spec *s = &seen[n_seen];
        memset(s, 0, sizeof *s);
        s->g = node_geom(g, n);
        s->w_bits = l->applied.w_bits;
        s->a_bits = l->applied.a_bits;
        s->levels = l->applied.w_bits == 1 ? LEVELS_BINARY : LEVELS_UNIFORM;
        bool before = false;
        for (int j = 0; j < n_seen; j++)
            before = before || !memcmp(&seen[j], s, sizeof *s);
        if (before)
            continue;
        n_seen++;
        struct choice c = {.layer = g->layers[i].name};
        if (compare(s, k, &c, e))
            return -1;
        if (!worst->layer || c.fastest_ns / c.ns < worst->fastest_ns / worst->ns)
            *worst = c;
    }
    return 0;
}
