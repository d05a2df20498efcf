/* SPDX-License-Identifier: MIT
 *
 * Constants of a graph under construction. Weights are most of a model, so that they are in memory once: who changes
 * one that nobody else reads does it in place, and what nobody can read any more is freed at once.
 */
#include <string.h>

#include "model/lattice.h"

static const int64_t CONST_LIMIT = (int64_t)1 << 31; /* bytes of all constants */

/* Tensor t holds data from here on, which may be another's too. */
static void hold_block(struct build *b, int t, int block)
{
    b->holds[t].block = block;
    b->blocks[block].holders++;
    b->tensors[t].data = b->blocks[block].data;
}

static int fail_size(struct build *b, const struct source *s)
{
    return build_fail(b, s, "its constants bring the model over 2 GiB");
}

/* A new block for tensor t. */
static void add_block(struct build *b, int t, void *data, int64_t bytes)
{
    if (b->n_blocks == b->cap_blocks) {
        int cap = b->cap_blocks ? 2 * b->cap_blocks : 256;
        b->blocks = mem_resize(b->blocks, (size_t)b->cap_blocks, (size_t)cap, sizeof *b->blocks);
        b->cap_blocks = cap;
    }
    b->blocks[b->n_blocks] = (struct block){.data = data, .bytes = bytes};
    b->const_bytes += bytes;
    hold_block(b, t, b->n_blocks++);
}

int build_constant(struct build *b, const struct source *s, const char *name, enum dtype type,
                   const struct shape *shape, void **data)
{
    if (build_check_count(b, s, name, shape))
        return -1;
    int64_t count = shape_count(shape), size = (int64_t)dtype_size(type);
    if (b->const_bytes + count * size > CONST_LIMIT)
        return fail_size(b, s);
    int t = build_tensor(b, s, name, type, shape);
    *data = mem_new((size_t)count, (size_t)size);
    add_block(b, t, *data, count * size);
    return t;
}

int build_take(struct build *b, const struct source *s, const char *name, const struct array *value)
{
    int64_t bytes = (int64_t)array_bytes(value);
    int t =
        b->const_bytes + bytes > CONST_LIMIT ? fail_size(b, s) : build_tensor(b, s, name, value->type, &value->shape);
    if (t < 0)
        mem_free(value->data);
    else
        add_block(b, t, value->data, bytes);
    return t;
}

int build_array(struct build *b, const struct source *s, const char *name, const struct array *value)
{
    void *data;
    int t = build_constant(b, s, name, value->type, &value->shape, &data);
    if (t >= 0 && array_bytes(value))
        memcpy(data, value->data, array_bytes(value));
    return t;
}

int build_alias(struct build *b, const struct source *s, const char *name, int x, const struct shape *shape)
{
    int t = build_tensor(b, s, name, b->tensors[x].type, shape);
    if (t >= 0)
        hold_block(b, t, b->holds[x].block);
    return t;
}

/* Tensor t holds nothing from here on; the last holder frees the block. */
static void drop_data(struct build *b, int t)
{
    struct block *k = b->holds[t].block < 0 ? NULL : &b->blocks[b->holds[t].block];
    b->holds[t].released = true;
    b->holds[t].block = -1;
    b->tensors[t].data = NULL;
    if (!k || --k->holders)
        return;
    mem_free(k->data);
    b->const_bytes -= k->bytes;
    *k = (struct block){0};
}

void build_release(struct build *b, int t)
{
    const struct hold *h = &b->holds[t];
    if (b->tensors[t].data && !h->readers && !h->users)
        drop_data(b, t);
}

void build_rollback(struct build *b, int n_nodes, int n_tensors)
{
    for (int i = n_nodes; i < b->n_nodes; i++)
        for (int k = 0; k < b->nodes[i].n_in; k++)
            if (b->nodes[i].in[k] >= 0)
                b->holds[b->nodes[i].in[k]].users--;
    for (int t = n_tensors; t < b->n_tensors; t++)
        if (b->tensors[t].data)
            drop_data(b, t);
    b->n_nodes = n_nodes;
    b->n_tensors = n_tensors;
}

void build_replace(struct build *b, struct node *n, int k, int t)
{
    int old = n->in[k];
    n->in[k] = t;
    b->holds[t].users++;
    if (old < 0)
        return;
    b->holds[old].users--;
    build_release(b, old);
}

void build_recount(struct build *b)
{
    for (int t = 0; t < b->n_tensors; t++)
        b->holds[t].users = 0;
    for (int i = 0; i < b->n_nodes; i++)
        for (int k = 0; b->nodes[i].op != OP_COUNT && k < b->nodes[i].n_in; k++)
            if (b->nodes[i].in[k] >= 0)
                b->holds[b->nodes[i].in[k]].users++;
    for (int t = 0; t < b->n_tensors; t++)
        build_release(b, t);
}

int build_writable(struct build *b, const struct source *s, struct node *n, int k, void **data)
{
    int t = n->in[k];
    struct hold *h = &b->holds[t];
    if (!h->readers && h->users == 1 && b->blocks[h->block].holders == 1) {
        *data = b->blocks[h->block].data;
        return t;
    }
    struct array value = {b->tensors[t].type, b->tensors[t].shape, (void *)b->tensors[t].data};
    int copy = build_array(b, s, b->tensors[t].name, &value);
    if (copy < 0)
        return -1;
    b->tensors[copy].lattice = b->tensors[t].lattice;
    build_replace(b, n, k, copy);
    *data = b->blocks[b->holds[copy].block].data;
    return copy;
}

void build_name_tensor(struct build *b, const char *name, int tensor)
{
    int readers = names_get(&b->readers, name);
    /* Which of the outer names sub-graphs read is not known before they are: all are kept. */
    b->holds[tensor].readers += (readers > 0 ? readers : 0) + (b->model.has_subgraphs ? 1 : 0);
    names_set(&b->bound, name, tensor);
}
