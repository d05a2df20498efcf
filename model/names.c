/* SPDX-License-Identifier: MIT */
#include "model/names.h"

#include <stdint.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

struct names_slot {
    const char *name; /* NULL: free */
    int value;
};

static struct names_slot *slot_of(const struct names *t, const char *name)
{
    uint64_t at = hash_u64(name, strlen(name), 0);
    for (;; at++) {
        struct names_slot *s = &t->slots[at & (uint64_t)(t->cap - 1)];
        if (!s->name || strcmp(s->name, name) == 0)
            return s;
    }
}

static void grow(struct names *t)
{
    struct names bigger = {.cap = t->cap ? t->cap * 2 : 64};
    bigger.slots = mem_new((size_t)bigger.cap, sizeof *bigger.slots);
    for (int i = 0; i < t->cap; i++)
        if (t->slots[i].name)
            *slot_of(&bigger, t->slots[i].name) = t->slots[i];
    bigger.n = t->n;
    mem_free(t->slots);
    *t = bigger;
}

void names_set(struct names *t, const char *name, int value)
{
    if (t->n * 2 >= t->cap)
        grow(t);
    struct names_slot *s = slot_of(t, name);
    if (!s->name)
        t->n++;
    s->name = name;
    s->value = value;
}

int names_put(struct names *t, const char *name, int value)
{
    int old = names_get(t, name);
    if (old < 0)
        names_set(t, name, value);
    return old;
}

int names_get(const struct names *t, const char *name)
{
    if (!t->cap)
        return -1;
    const struct names_slot *s = slot_of(t, name);
    return s->name ? s->value : -1;
}

void names_done(struct names *t)
{
    mem_free(t->slots);
    *t = (struct names){0};
}
