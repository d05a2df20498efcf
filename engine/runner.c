/* SPDX-License-Identifier: MIT */
#include "engine/runner.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/team.h"
#include "engine/compile.h"
#include "engine/split.h"

enum { ALIGN = 64 };

struct runner {
    const struct plan *plan;
    struct run_state state;
    struct run_wrong wrong;
    struct team *team; /* NULL: one thread */
    struct split *split;
    struct run_state *parts; /* [threads], each with scratch of its own */
};

struct runner *runner_new(const struct plan *p)
{
    struct runner *x = mem_new(1, sizeof *x);
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

struct runner *runner_new_team(const struct plan *p, int threads)
{
    struct runner *x = runner_new(p);
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

void runner_free(struct runner *x)
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
static void copy_inputs(struct runner *x, const void *const *in)
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

static void copy_output(struct runner *x, int value, void *out)
{
    memcpy(out, value_at(&x->state, value), bytes_of(&x->plan->values[value]));
}

static void run_part(void *ctx, int phase, int part)
{
    const struct runner *x = ctx;
    const struct split *split = x->split;
    for (int i = split->phases[phase]; i < split->phases[phase + 1]; i++)
        if (part < split->steps[i].n) {
            const struct step *s = &split->steps[i].parts[part];
            step_run(s, &x->parts[part]);
        }
}

static void run_steps(struct runner *x)
{
    const struct plan *p = x->plan;
    if (x->team) {
        team_run(x->team, x->split->n_phases, run_part, x);
        return;
    }
    for (int i = 0; i < p->n_steps; i++)
        step_run(&p->steps[i], &x->state);
}

static void run_steps_timed(struct runner *x, int64_t *step_ns)
{
    const struct plan *p = x->plan;
    int64_t before = clock_ns();
    for (int i = 0; i < p->n_steps; i++) {
        step_run(&p->steps[i], &x->state);
        int64_t now = clock_ns();
        step_ns[i] = now - before;
        before = now;
    }
}

void runner_run_arrays(struct runner *x, const void *const *in, void *const *out)
{
    copy_inputs(x, in);
    run_steps(x);
    for (int i = 0; i < x->plan->graph->n_outputs; i++)
        if (out[i])
            copy_output(x, x->plan->outputs[i], out[i]);
}

void runner_run_timed(struct runner *x, const void *const *in, int64_t *step_ns)
{
    copy_inputs(x, in);
    if (step_ns)
        run_steps_timed(x, step_ns);
    else
        run_steps(x);
}

int runner_check(const struct runner *x, struct err *e)
{
    if (!x->wrong.what)
        return 0;
    return err_set(e, "%s: node \"%s\": %s", x->plan->graph->file, x->wrong.node, x->wrong.what);
}

void runner_run(struct runner *x, const float *input, float *output, int64_t *step_ns)
{
    const void *in[] = {input};
    assert(x->plan->graph->n_inputs == 1);
    runner_run_timed(x, in, step_ns);
    copy_output(x, x->plan->output_value, output);
}

void runner_run_observed(struct runner *x, const void *const *in,
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
            step_run(s, &x->state);
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

void **runner_inputs_new(const struct graph *g)
{
    return arrays_new(g, g->inputs, g->n_inputs);
}

void **runner_outputs_new(const struct graph *g)
{
    return arrays_new(g, g->outputs, g->n_outputs);
}

void runner_arrays_free(void **arrays)
{
    for (int i = 0; arrays && arrays[i]; i++)
        mem_free(arrays[i]);
    mem_free(arrays);
}

int runner_read_tensor(const struct runner *x, int tensor, float *out)
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
