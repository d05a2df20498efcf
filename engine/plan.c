/* SPDX-License-Identifier: MIT */
#include "engine/plan.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/team.h"
#include "engine/compile.h"
#include "engine/split.h"

enum { ALIGN = 64 };

struct plan_context {
    const struct plan *plan;
    struct run_state state;
    struct run_wrong wrong;
    struct team *team; /* NULL: one thread */
    struct split *split;
    struct run_state *parts; /* [threads], each with scratch of its own */
};

void calibration_free(struct calibration *c)
{
    if (!c)
        return;
    for (int i = 0; i < c->n_tensors; i++)
        mem_free(c->tensors[i]);
    mem_free(c->tensors);
    mem_free(c);
}

void plan_free(struct plan *p)
{
    if (!p)
        return;
    arena_done(&p->arena);
    mem_free(p->steps);
    mem_free(p->values);
    mem_free(p);
}

static int value_root(const struct plan *p, int v)
{
    while (p->values[v].alias >= 0)
        v = p->values[v].alias;
    return v;
}

/* The lowest place where a value fits beside those that live at the same time and were placed before it. */
static size_t lowest_place(const struct plan *p, int v)
{
    const struct value *x = &p->values[v];
    size_t at = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 0; i < v; i++) {
            const struct value *y = &p->values[i];
            if (y->alias >= 0 || y->constant || y->last < x->first || y->first > x->last)
                continue;
            if (at < y->offset + value_bytes(y) && y->offset < at + value_bytes(x)) {
                at = y->offset + value_bytes(y);
                moved = true;
            }
        }
    }
    return at;
}

void plan_place(struct plan *p)
{
    for (int i = 0; i < p->n_values; i++) { /* who shares memory lives as long as the last of them */
        struct value *v = &p->values[i], *root = &p->values[value_root(p, i)];
        root->last = v->last > root->last ? v->last : root->last;
    }
    for (int i = 0; i < p->graph->n_inputs; i++)
        p->values[p->inputs[i]].first = 0;
    for (int i = 0; i < p->graph->n_outputs; i++)
        p->values[value_root(p, p->outputs[i])].last = p->n_steps;
    for (int i = 0; p->keep_all && i < p->n_values; i++) {
        p->values[i].first = 0;
        p->values[i].last = p->n_steps;
    }
    p->arena_bytes = 0;
    for (int i = 0; i < p->n_values; i++) {
        struct value *v = &p->values[i];
        if (v->constant)
            continue;
        int root = value_root(p, i);
        v->offset = root == i ? lowest_place(p, i) : p->values[root].offset;
        if (v->offset + value_bytes(v) > p->arena_bytes)
            p->arena_bytes = v->offset + value_bytes(v);
    }
}

/* Whether quantization alone reads an input: it takes arrays at any address. */
static bool is_only_quantized(const struct plan *p, int v)
{
    for (int i = 0; i < p->n_values; i++)
        if (p->values[i].alias == v)
            return false;
    for (int i = 0; i < p->n_steps && i <= p->values[v].last; i++) {
        const struct step *s = &p->steps[i];
        bool reads = s->in[0] == v || s->in[1] == v || s->call || s->product || s->recurrent;
        if (reads && s->run != step_quantize)
            return false;
    }
    return true;
}

void plan_settle_inputs(struct plan *p)
{
    for (int i = 0; i < p->graph->n_inputs; i++)
        if (is_only_quantized(p, p->inputs[i]))
            p->values[p->inputs[i]].input = i + 1;
}

void plan_keep_all(struct plan *p)
{
    p->keep_all = true;
    plan_place(p);
}

const struct plan_layer *plan_layers(const struct plan *p)
{
    return p->layers;
}

static uint64_t add_conv(const struct conv_ready *c, uint64_t h)
{
    const int32_t bits[2] = {c->w_bits, c->kernel->a_effect == A_EFFECT_TIME ? c->a_bits : 0};
    h = hash_u64(&c->geom, sizeof c->geom, h);
    if (c->kernel->a_effect == A_EFFECT_PACKED)
        h = hash_u64(c->packed, c->packed_size, h);
    return hash_u64(bits, sizeof bits, h);
}

uint64_t plan_layer_key(const struct plan *p, int layer)
{
    uint64_t h = 0;
    for (int i = 0; i < p->n_steps; i++) {
        const struct step *s = &p->steps[i];
        if (s->layer != layer)
            continue;
        const bool form[2] = {s->in[1] >= 0, p->values[s->out].codes};
        h = hash_u64(s->kernel, strlen(s->kernel), h);
        h = hash_u64(form, sizeof form, h);
        if (s->conv.kernel) {
            h = add_conv(&s->conv, h);
        } else if (s->product || s->recurrent) { /* what widths do there is their own business */
            const struct precision *q = &p->layers[layer].applied;
            const uint8_t bits[2] = {q->w_bits, q->a_bits};
            h = hash_u64(bits, sizeof bits, h);
        }
    }
    return h;
}

int64_t plan_bytes(const struct plan *p)
{
    int64_t sum = 0;
    for (int l = 0; l < p->graph->n_layers; l++)
        sum += p->layers[l].bytes;
    return sum;
}

size_t plan_arena_bytes(const struct plan *p)
{
    return p->arena_bytes;
}

int plan_step_count(const struct plan *p)
{
    return p->n_steps;
}

struct plan_step_info plan_step(const struct plan *p, int step)
{
    const struct step *s = &p->steps[step];
    return (struct plan_step_info){s->name, s->kernel, s->layer};
}

int64_t plan_input_count(const struct plan *p)
{
    return p->values[p->input_value].count;
}

int64_t plan_output_count(const struct plan *p)
{
    return p->values[p->output_value].count;
}

const struct graph *plan_graph(const struct plan *p)
{
    return p->graph;
}

struct plan_context *plan_context_new(const struct plan *p)
{
    struct plan_context *x = mem_new(1, sizeof *x);
    x->plan = p;
    x->state = (struct run_state){
        .plan = p,
        .arena = mem_new(p->arena_bytes + ALIGN, 1),
        .scratch = mem_new(p->scratch_bytes + ALIGN, 1),
        .vec = vec_kernels_best(),
        .wrong = &x->wrong,
    };
    return x;
}

struct plan_context *plan_context_new_team(const struct plan *p, int threads)
{
    struct plan_context *x = plan_context_new(p);
    if (threads < 2)
        return x;
    x->team = team_new(threads);
    x->split = split_new(p, threads, SPLIT_WORK);
    mem_free(x->state.arena);
    x->state.arena = mem_new(x->split->arena_bytes + ALIGN, 1);
    x->state.places = x->split->places;
    x->parts = mem_new((size_t)threads, sizeof *x->parts);
    for (int i = 0; i < threads; i++) {
        x->parts[i] = x->state;
        x->parts[i].scratch = mem_new_unset(x->split->scratch_bytes + ALIGN, 1);
    }
    return x;
}

void plan_context_free(struct plan_context *x)
{
    if (!x)
        return;
    for (int i = 0; x->team && i < team_threads(x->team); i++)
        mem_free(x->parts[i].scratch);
    mem_free(x->parts);
    team_free(x->team);
    split_free(x->split);
    mem_free(x->state.arena);
    mem_free(x->state.scratch);
    mem_free(x);
}

static size_t bytes_of(const struct value *v)
{
    return (size_t)v->count * v->size;
}

/* Inputs that a run does not read where they are, for which they have to be there until it ends. */
static void copy_inputs(struct plan_context *x, const void *const *in)
{
    const struct plan *p = x->plan;
    x->state.in = p->keep_all ? NULL : in;
    for (int i = 0; x->team && i < team_threads(x->team); i++)
        x->parts[i].in = x->state.in;
    for (int i = 0; i < p->graph->n_inputs; i++) {
        void *to = value_at(&x->state, p->inputs[i]);
        if (to != in[i])
            memcpy(to, in[i], bytes_of(&p->values[p->inputs[i]]));
    }
}

static void copy_output(struct plan_context *x, int value, void *out)
{
    memcpy(out, value_at(&x->state, value), bytes_of(&x->plan->values[value]));
}

static void run_part(void *ctx, int phase, int part)
{
    const struct plan_context *x = ctx;
    const struct split *split = x->split;
    for (int i = split->phases[phase]; i < split->phases[phase + 1]; i++)
        if (part < split->steps[i].n) {
            const struct step *s = &split->steps[i].parts[part];
            s->run(s, &x->parts[part]);
        }
}

static void run_steps(struct plan_context *x)
{
    const struct plan *p = x->plan;
    if (x->team) {
        team_run(x->team, x->split->n_phases, run_part, x);
        return;
    }
    for (int i = 0; i < p->n_steps; i++)
        p->steps[i].run(&p->steps[i], &x->state);
}

static void run_steps_timed(struct plan_context *x, int64_t *step_ns)
{
    const struct plan *p = x->plan;
    int64_t before = clock_ns();
    for (int i = 0; i < p->n_steps; i++) {
        p->steps[i].run(&p->steps[i], &x->state);
        int64_t now = clock_ns();
        step_ns[i] = now - before;
        before = now;
    }
}

void plan_run_arrays(struct plan_context *x, const void *const *in, void *const *out)
{
    copy_inputs(x, in);
    run_steps(x);
    for (int i = 0; i < x->plan->graph->n_outputs; i++)
        if (out[i])
            copy_output(x, x->plan->outputs[i], out[i]);
}

void plan_run_timed(struct plan_context *x, const void *const *in, int64_t *step_ns)
{
    copy_inputs(x, in);
    if (step_ns)
        run_steps_timed(x, step_ns);
    else
        run_steps(x);
}

int plan_check(const struct plan_context *x, struct err *e)
{
    if (!x->wrong.what)
        return 0;
    return err_set(e, "%s: node \"%s\": %s", x->plan->graph->file, x->wrong.node, x->wrong.what);
}

void plan_run(struct plan_context *x, const float *input, float *output, int64_t *step_ns)
{
    const void *in[] = {input};
    assert(x->plan->graph->n_inputs == 1);
    plan_run_timed(x, in, step_ns);
    copy_output(x, x->plan->output_value, output);
}

void plan_run_observed(struct plan_context *x, const void *const *in,
                       void (*see)(void *ctx, int tensor, const float *values, size_t n), void *ctx)
{
    const struct plan *p = x->plan;
    copy_inputs(x, in);
    for (int i = 0; i < p->graph->n_inputs; i++)
        if (p->graph->tensors[p->graph->inputs[i]].type == DTYPE_F32)
            see(ctx, p->graph->inputs[i], in[i], (size_t)p->values[p->inputs[i]].count);
    for (int i = 0; i < p->n_steps; i++) {
        const struct step *s = &p->steps[i];
        if (s->sum >= 0) {
            step_layer_alone(s, &x->state);
            see(ctx, s->sum, value_at(&x->state, s->out), (size_t)p->values[s->out].count);
            step_layer_add(s, &x->state);
        } else {
            s->run(s, &x->state);
        }
        const int *made;
        int n = call_outputs(s, &made);
        if (s->in[0] >= 0 && p->values[s->in[0]].tensor == p->values[s->out].tensor && !p->values[s->in[0]].codes)
            continue;                                                         /* the same values in another order */
        bool complete = i + 1 == p->n_steps || p->steps[i + 1].out != s->out; /* a concatenation has a step an input */
        for (int k = 0; k < n && complete; k++) {
            const struct value *v = &p->values[made[k]];
            if (!v->codes && p->graph->tensors[v->tensor].type == DTYPE_F32)
                see(ctx, v->tensor, value_at(&x->state, made[k]), (size_t)v->count);
        }
    }
}

static void **arrays_new(const struct graph *g, const int *tensors, int n)
{
    void **arrays = mem_new((size_t)n + 1, sizeof *arrays); /* NULL after the last */
    for (int i = 0; i < n; i++) {
        const struct tensor *t = &g->tensors[tensors[i]];
        arrays[i] = mem_new((size_t)shape_count(&t->shape) + 1, dtype_size(t->type));
    }
    return arrays;
}

void **plan_inputs_new(const struct graph *g)
{
    return arrays_new(g, g->inputs, g->n_inputs);
}

void **plan_outputs_new(const struct graph *g)
{
    return arrays_new(g, g->outputs, g->n_outputs);
}

void plan_arrays_free(void **arrays)
{
    for (int i = 0; arrays && arrays[i]; i++)
        mem_free(arrays[i]);
    mem_free(arrays);
}

int plan_read_tensor(const struct plan_context *x, int tensor, float *out)
{
    const struct plan *p = x->plan;
    assert(p->keep_all);
    int found = -1;
    for (int i = 0; i < p->n_values; i++)
        if (p->values[i].tensor == tensor && !p->values[i].part && (found < 0 || !p->values[i].codes))
            found = i;
    if (found < 0)
        return -1;
    const struct shape *s = &p->graph->tensors[tensor].shape;
    const struct value *v = &p->values[found];
    int64_t from[SHAPE_MAX] = {0}, at[SHAPE_MAX] = {0}, index = 0;
    compile_strides(s, from);
    if (v->row)
        compile_row_major(s, from);
    for (int64_t i = 0; i < v->count; i++) {
        const uint8_t *codes = value_at(&x->state, found);
        const float *floats = value_at(&x->state, found);
        out[i] = v->codes ? ((float)codes[index] - v->q.zero) * v->q.scale : floats[index];
        for (int k = s->n - 1; k >= 0; k--) {
            index += from[k];
            if (++at[k] < s->d[k])
                break;
            index -= from[k] * s->d[k];
            at[k] = 0;
        }
    }
    return 0;
}
