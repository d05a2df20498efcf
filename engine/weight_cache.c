/* SPDX-License-Identifier: MIT */
#include "engine/weight_cache.h"

#include "base/mem.h"
#include "quant/layer_weights.h"
#include "quant/weights.h"

struct weight_entry {
    struct weight_entry *next;
    int part;
    struct precision p;
    struct quant_weights *q;
};

struct act_entry {
    struct act_entry *next;
    int bits, range;
    struct act_quant q;
};

/* A list for each layer and for each tensor. */
struct weight_cache {
    void **layers, **tensors; /* first struct weight_entry of a layer, struct act_entry of a tensor */
    int n_layers, n_tensors;
    struct kernel_times *times; /* or NULL */
};

/* The i-th list of a table that grows. */
static void **list_at(void ***lists, int *n, int i)
{
    if (i >= *n) {
        int more = i + 64;
        *lists = mem_resize(*lists, (size_t)*n, (size_t)more, sizeof **lists);
        *n = more;
    }
    return &(*lists)[i];
}

struct weight_cache *weight_cache_new(void)
{
    return mem_new(1, sizeof(struct weight_cache));
}

void weight_cache_use_times(struct weight_cache *c, struct kernel_times *t)
{
    c->times = t;
}

struct kernel_times *weight_cache_times(const struct weight_cache *c)
{
    return c->times;
}

void weight_cache_free(struct weight_cache *c)
{
    if (!c)
        return;
    for (int i = 0; i < c->n_layers; i++)
        for (struct weight_entry *x = c->layers[i], *next; x; x = next) {
            next = x->next;
            weights_free(x->q);
            mem_free(x);
        }
    for (int i = 0; i < c->n_tensors; i++)
        for (struct act_entry *x = c->tensors[i], *next; x; x = next) {
            next = x->next;
            mem_free(x);
        }
    mem_free(c->layers);
    mem_free(c->tensors);
    mem_free(c);
}

const struct act_quant *weight_cache_find_act(const struct weight_cache *c, int tensor, int bits, int range)
{
    for (const struct act_entry *x = tensor < c->n_tensors ? c->tensors[tensor] : NULL; x; x = x->next)
        if (x->bits == bits && x->range == range)
            return &x->q;
    return NULL;
}

void weight_cache_keep_act(struct weight_cache *c, int tensor, int bits, int range, const struct act_quant *q)
{
    struct act_entry *x = mem_new(1, sizeof *x);
    void **list = list_at(&c->tensors, &c->n_tensors, tensor);
    *x = (struct act_entry){.next = *list, .bits = bits, .range = range, .q = *q};
    *list = x;
}

const struct quant_weights *weight_cache_get(struct weight_cache *c, const struct graph *g, int layer, int part,
                                             const struct precision *p)
{
    void **list = list_at(&c->layers, &c->n_layers, layer);
    for (struct weight_entry *x = *list; x; x = x->next)
        if (x->part == part && precision_same_weights(&x->p, p))
            return x->q;
    struct weight_entry *x = mem_new(1, sizeof *x);
    *x = (struct weight_entry){.next = *list, .part = part, .p = *p, .q = layer_quantize(g, layer, part, p)};
    *list = x;
    return x->q;
}
