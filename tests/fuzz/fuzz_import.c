/* SPDX-License-Identifier: MIT
 *
 * libFuzzer on what people hand us first: an ONNX file. Imported, planned and run once in fp32 (and on its own codes
 * where it is quantized already), where that is small enough to be done a thousand times a second. `make fuzz` starts
 * from ONNX's own cases.
 */
#include <stdint.h>

#include "engine/plan.h"
#include "engine/runner.h"
#include "model/graph_load.h"
#include "quant/own.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { SMALL = 1 << 16 }; /* elements of any tensor */

static int is_small(const struct graph *g)
{
    for (int i = 0; i < g->n_tensors; i++)
        if (shape_count(&g->tensors[i].shape) > SMALL)
            return 0;
    return 1;
}

static void run(const struct graph *g, const struct plan *plan)
{
    struct runner *x = runner_new(plan);
    const void **in = mem_new((size_t)g->n_inputs + 1, sizeof *in);
    void **out = mem_new((size_t)g->n_outputs + 1, sizeof *out);
    struct arena a = {0};
    for (int i = 0; i < g->n_inputs; i++)
        in[i] = arena_new(&a, (size_t)shape_count(&g->tensors[g->inputs[i]].shape) + 1, 8);
    for (int i = 0; i < g->n_outputs; i++)
        out[i] = arena_new(&a, (size_t)shape_count(&g->tensors[g->outputs[i]].shape) + 1, 8);
    runner_run_arrays(x, in, out);
    arena_done(&a);
    mem_free(in);
    mem_free(out);
    runner_free(x);
}

/* A model that is quantized already, on its own codes; what would need calibration is refused. */
static void run_own(const struct graph *g)
{
    struct precision *own = mem_new((size_t)g->n_layers + 1, sizeof *own);
    struct err e;
    for (int l = 0; l < g->n_layers; l++)
        own[l] = own_precision(&g->layers[l]);
    struct plan *plan = plan_compile(g, own, NULL, NULL, &e);
    if (plan && plan_arena_bytes(plan) < (size_t)SMALL * 64)
        run(g, plan);
    plan_free(plan);
    mem_free(own);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct err e;
    struct graph *g = graph_parse("fuzz.onnx", bytes, n, &e);
    struct plan *plan = g && is_small(g) ? plan_compile_uniform(g, 0, 0, NULL, NULL, &e) : NULL;
    if (plan && plan_arena_bytes(plan) < (size_t)SMALL * 64)
        run(g, plan);
    plan_free(plan);
    if (g && g->quantized && is_small(g))
        run_own(g);
    graph_free(g);
    return 0;
}
