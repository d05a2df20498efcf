/* SPDX-License-Identifier: MIT
 *
 * One image on several threads: parts of steps against whole steps, bit for bit, at every width and instruction set; in
 * every order that threads could take them; and whole networks on teams of any size.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/rng.h"
#include "engine/evaluate.h"
#include "engine/runner.h"
#include "engine/split.h"
#include "model/graph_load.h"
#include "tests/import_cases.h"
#include "tests/onnx_make.h"

Suite *check_split_suite(void);

static void random_input(void *ctx, int i, void *const *in)
{
    const struct graph *g = ctx;
    struct rng r;
    rng_init(&r, (uint64_t)i + 5);
    for (int k = 0; k < g->n_inputs; k++) {
        const struct tensor *t = &g->tensors[g->inputs[k]];
        for (int64_t j = 0; t->type == DTYPE_F32 && j < shape_count(&t->shape); j++)
            ((float *)in[k])[j] = (float)(2 * rng_unit(&r) - 0.9);
    }
}

static struct calibration *calibrate(struct graph *g)
{
    struct err e = {{0}};
    struct image_source src = {random_input, g, 4};
    struct calibration *c = evaluate_calibrate(g, &src, 4, NULL, &e);
    ck_assert_msg(c, "%s", e.text);
    return c;
}

static struct plan *compile(const struct graph *g, int w, int a, const struct calibration *c)
{
    struct err e = {{0}};
    struct plan *p = plan_compile_uniform(g, w, a, c, NULL, &e);
    ck_assert_msg(p, "%s", e.text);
    return p;
}

/* --- parts against whole steps ---------------------------------------------------------------------------------------
 */

/* Memory to run a plan's steps by hand; the arena holds noise, the same for the same size. */
struct hand {
    struct run_state state;
    struct run_wrong wrong;
};

static struct hand *hand_new(const struct plan *p, const struct split *s, void **in)
{
    struct hand *h = mem_new(1, sizeof *h);
    size_t bytes = s ? s->arena_bytes : p->arena_bytes, scratch = s ? s->scratch_bytes : p->scratch_bytes;
    char *arena = mem_new(bytes + 64, 1);
    struct rng r;
    rng_init(&r, 77);
    for (size_t i = 0; i < bytes; i++)
        arena[i] = (char)rng_below(&r, 256);
    h->state = (struct run_state){
        .plan = p, .arena = arena, .scratch = mem_new(scratch + 64, 1), .vec = vec_kernels_best(), .wrong = &h->wrong};
    h->state.places = s ? s->places : NULL;
    for (int i = 0; i < p->graph->n_inputs; i++) {
        const struct value *v = &p->values[p->inputs[i]];
        memcpy(value_at(&h->state, p->inputs[i]), in[i], (size_t)v->count * v->size);
    }
    return h;
}

static void hand_free(struct hand *h)
{
    mem_free(h->state.arena);
    mem_free(h->state.scratch);
    mem_free(h);
}

/* Every step whole on one side and in parts, last part first, on the other. Nothing shares memory, so that a part that
 * writes too little or too much shows. Returns the number of steps that were split. */
static int compare_parts(const char *what, const struct plan *p, int threads, int64_t work, void **in)
{
    struct split *s = split_new(p, threads, work);
    struct hand *a = hand_new(p, s, in), *b = hand_new(p, s, in);
    int split = 0;
    for (int i = 0; i < p->n_steps; i++) {
        const struct step *step = &p->steps[i];
        ck_assert(s->steps[i].n >= 1 && s->steps[i].n <= threads);
        split += s->steps[i].n > 1;
        step_run(step, &a->state);
        for (int k = s->steps[i].n - 1; k >= 0; k--)
            step_run(&s->steps[i].parts[k], &b->state);
        ck_assert_msg(!memcmp(a->state.arena, b->state.arena, s->arena_bytes),
                      "%s, %d threads: step %d, \"%s\" (%s), %d parts", what, threads, i, step->name, step->kernel,
                      s->steps[i].n);
    }
    hand_free(a);
    hand_free(b);
    split_free(s);
    return split;
}

/* Phases with the parts in an order that no thread keeps to: of each phase all steps of one part before any of the
 * next. Memory is shared as the plan has it. */
static void compare_orders(const char *what, const struct plan *p, int threads, int64_t work, void **in)
{
    struct split *s = split_new(p, threads, work);
    for (int order = 0; order < 2; order++) {
        struct hand *a = hand_new(p, NULL, in), *b = hand_new(p, s, in);
        for (int i = 0; i < p->n_steps; i++)
            step_run(&p->steps[i], &a->state);
        for (int f = 0; f < s->n_phases; f++)
            for (int k = 0; k < threads; k++)
                for (int i = s->phases[f], part = order ? k : threads - 1 - k; i < s->phases[f + 1]; i++)
                    if (part < s->steps[i].n)
                        step_run(&s->steps[i].parts[part], &b->state);
        for (int i = 0; i < p->graph->n_outputs; i++) {
            const struct value *v = &p->values[p->outputs[i]];
            ck_assert_msg(!memcmp(value_at(&a->state, p->outputs[i]), value_at(&b->state, p->outputs[i]),
                                  (size_t)v->count * v->size),
                          "%s, %d threads: output %d differs", what, threads, i);
        }
        hand_free(a);
        hand_free(b);
    }
    split_free(s);
}

static const int sizes[] = {1, 2, 3, 5, 16};
enum { N_SIZES = sizeof sizes / sizeof *sizes };

/* Returns the most steps that were split. */
static int compare_plan(const char *what, struct plan *p, int64_t work)
{
    void **in = runner_inputs_new(p->graph);
    int most = 0;
    random_input((void *)p->graph, 0, in);
    for (int i = 0; i < N_SIZES; i++)
        compare_orders(what, p, sizes[i], work, in);
    plan_keep_all(p);
    for (int i = 0; i < N_SIZES; i++) {
        int split = compare_parts(what, p, sizes[i], work, in);
        most = split > most ? split : most;
        ck_assert(sizes[i] > 1 || split == 0);
    }
    runner_arrays_free(in);
    return most;
}

/* --- small graphs
 * -----------------------------------------------------------------------------------------------------
 */

static const struct {
    const char *text;
    int split; /* steps that are split at w8a8, at least */
} graphs[] = {
    {"in x 1,5,13,11\nconst w 7,5,3,3\nconst b 7\nConv(x,w,b)->y pads=[1,1,1,1]\nout y\n", 3},
    {"in x 1,4,9,6\nconst w 33,4,3,3\nconst b 33\nConv(x,w,b)->y pads=[2,1,0,1] strides=[2,1]\nout y\n", 2},
    {"in x 1,16,15,9\nconst w 16,16,3,3\nconst b 16\nConv(x,w,b)->y pads=[3,3,3,3] dilations=[3,2]\nout y\n", 2},
    /* bands that lie in the padding, above and below */
    {"in x 1,4,3,5\nconst w 18,4,3,3\nconst b 18\nConv(x,w,b)->y pads=[7,2,9,0]\nout y\n", 2},
    {"in x 1,4,2,2\nconst w 18,4,2,2\nconst b 18\nConv(x,w,b)->y pads=[5,5,5,5] strides=[3,4]\nout y\n", 2},
    {"in x 1,20,7,7\nconst w 40,20,1,1\nconst b 40\nConv(x,w,b)->y\nout y\n", 2},
    {"in x 1,20,7,9\nconst w 40,20,1,1\nconst b 40\nConv(x,w,b)->y strides=[2,2]\nout y\n", 2},
    {"in x 1,8,3,3\nconst w 130,8,3,3\nconst b 130\nConv(x,w,b)->y pads=[1,1,1,1]\nout y\n", 2},
    {"in x 1,16,1,1\nconst w 97,16,3,3\nconst b 97\nConv(x,w,b)->c pads=[1,1,1,1]\nRelu(c)->y\nout y\n", 1},
    {"in x 1,6,37\nconst w 9,6,4\nconst b 9\nConv(x,w,b)->y pads=[2,1]\nout y\n", 2},
    {"in x 1,6,37,1\nconst w 9,6,3,1\nconst b 9\nConv(x,w,b)->y pads=[1,0,1,0] strides=[2,1]\nout y\n", 2},
    {"in x 1,18,9,7\nconst w 18,1,3,3\nconst b 18\nConv(x,w,b)->y pads=[1,1,1,1] group=18\nout y\n", 2},
    {"in x 1,18,9,7\nconst w 36,1,3,3\nconst b 36\nConv(x,w,b)->y pads=[1,1,2,1] strides=[2,2] group=18\nout y\n", 2},
    {"in x 1,12,9,7\nconst w 20,3,3,3\nconst b 20\nConv(x,w,b)->y pads=[1,1,1,1] group=4\nout y\n", 2},
    {"in x 1,6,7,5\nconst w 6,8,3,3\nconst b 8\nConvTranspose(x,w,b)->y strides=[2,2] pads=[1,1,1,1]\nout y\n", 2},
    {"in x 1,70\nconst w 300,70\nconst b 300\nGemm(x,w,b)->h transB=1\nRelu(h)->r\nconst v 10,300\nGemm(r,v)->y "
     "transB=1\nout y\n",
     1},
    {"in x 1,9,16\nconst w 16,24\nconst v 24,8\nMatMul(x,w)->t\nRelu(t)->r\nMatMul(r,v)->y\nout y\n", 2},
    /* additions, requantized copies, pools, and what reads them */
    {"in x 1,16,10,10\nconst w 16,16,3,3\nconst v 16,16,3,3\nconst u 5,16\nConv(x,w,)->a pads=[1,1,1,1]\n"
     "Relu(a)->b\nConv(b,v,)->c pads=[1,1,1,1]\nAdd(c,b)->d\nRelu(d)->e\nConv(e,w,)->f pads=[1,1,1,1]\nAdd(f,e)->g\n"
     "MaxPool(g)->h kernel_shape=[3,3] strides=[2,2] pads=[1,1,1,1]\n"
     "AveragePool(h)->i kernel_shape=[2,2] pads=[1,1,0,0]\nGlobalAveragePool(i)->j\nFlatten(j)->k axis=1\n"
     "Gemm(k,u)->y transB=1\nout y\n",
     6},
    {"in x 1,8,9,10\nconst w 8,8,3,3\nConv(x,w,)->a pads=[1,1,1,1]\nSigmoid(a)->b\nMul(a,b)->c\nConcat(c,a)->d axis=1\n"
     "Transpose(d)->e perm=[0,1,3,2]\nLeakyRelu(e)->f alpha=0.1\nSoftmax(f)->g axis=1\nout g\n",
     4},
    {"in x 1,3,10,8\nTranspose(x)->t perm=[0,1,3,2]\nMatMul(x,t)->s\nSoftmax(s)->p axis=3\nMatMul(p,x)->y\nout y\n", 3},
    {"in x 1,1,17,8\nTranspose(x)->t perm=[0,1,3,2]\nMatMul(x,t)->y\nout y\n", 1},
    {"in x 1,6,5,7\nconst s 6\nconst b 6\nconst m 6\nconst v 6 = 1,2,1,2,1,2\nconst k 1,6,1,1\n"
     "BatchNormalization(x,s,b,m,v)->a\nRelu(a)->c\nMul(c,k)->d\nAdd(d,x)->y\nout y\n",
     1},
};
enum { N_GRAPHS = sizeof graphs / sizeof *graphs };

static const int widths[][2] = {{0, 0}, {8, 8}, {4, 8}, {4, 4}, {3, 3}, {2, 2}, {1, 1}, {2, 8}, {8, 0}, {5, 7}};
enum { N_WIDTHS = sizeof widths / sizeof *widths };

START_TEST(test_small_graphs)
{
    struct err e = {{0}};
    struct graph *g = onnx_make_graph(graphs[_i].text);
    struct calibration *c = calibrate(g);
    for (int isa = ISA_C; isa < ISA_COUNT; isa++) {
        if (!isa_supported((enum isa)isa))
            continue;
        ck_assert(!isa_select(isa_name((enum isa)isa), &e));
        for (int k = 0; k < N_WIDTHS; k++) {
            struct plan *p = compile(g, widths[k][0], widths[k][1], c);
            char *what = mem_printf("graph %d, w%da%d, %s", _i, widths[k][0], widths[k][1], isa_name((enum isa)isa));
            int split = compare_plan(what, p, 1);
            if (widths[k][0] == 8 && widths[k][1] == 8)
                ck_assert_msg(split >= graphs[_i].split, "%s: %d steps are split", what, split);
            mem_free(what);
            plan_free(p);
        }
    }
    ck_assert(!isa_select("auto", &e));
    calibration_free(c);
    graph_free(g);
}
END_TEST

START_TEST(test_operators)
{
    struct graph *g = onnx_make_graph(import_cases[_i].model);
    if (g->tensors[g->outputs[0]].producer >= 0) {
        struct plan *p = compile(g, 0, 0, NULL);
        compare_plan(import_cases[_i].model, p, 1);
        plan_free(p);
    }
    graph_free(g);
}
END_TEST

/* --- networks
 * ---------------------------------------------------------------------------------------------------------
 */

static const char *const networks[] = {"zoo/resnet20_fmnist.onnx", "zoo/mobilenet_fmnist.onnx"};
enum { N_NETWORKS = sizeof networks / sizeof *networks, IMAGES = 3 };

static struct graph *load(const char *file)
{
    struct err e = {{0}};
    if (!file_exists(file)) {
        printf("skipped: %s is not there\n", file);
        return NULL;
    }
    struct graph *g = graph_load(file, &e);
    ck_assert_msg(g, "%s", e.text);
    return g;
}

START_TEST(test_networks_in_parts)
{
    struct graph *g = load(networks[_i]);
    if (!g)
        return;
    struct calibration *c = calibrate(g);
    for (int k = 0; k < N_WIDTHS; k++) {
        struct plan *p = compile(g, widths[k][0], widths[k][1], c);
        ck_assert_int_gt(compare_plan(networks[_i], p, SPLIT_WORK), 8);
        plan_free(p);
    }
    calibration_free(c);
    graph_free(g);
}
END_TEST

/* All outputs of a few images on a team. */
static void compare_team(const struct plan *p, int threads)
{
    const struct graph *g = plan_graph(p);
    struct runner *one = runner_new(p), *team = runner_new_team(p, threads);
    void **in = runner_inputs_new(g), **want = runner_outputs_new(g), **got = runner_outputs_new(g);
    for (int i = 0; i < 4 * IMAGES; i++) {
        random_input((void *)g, i % IMAGES, in);
        runner_run_arrays(one, (const void *const *)in, want);
        runner_run_arrays(team, (const void *const *)in, got);
        for (int k = 0; k < g->n_outputs; k++) {
            const struct tensor *t = &g->tensors[g->outputs[k]];
            ck_assert(!memcmp(want[k], got[k], (size_t)shape_count(&t->shape) * dtype_size(t->type)));
        }
    }
    runner_arrays_free(in);
    runner_arrays_free(want);
    runner_arrays_free(got);
    runner_free(one);
    runner_free(team);
}

START_TEST(test_networks_on_teams)
{
    struct graph *g = load(networks[_i]);
    if (!g)
        return;
    struct calibration *c = calibrate(g);
    for (int k = 0; k < N_WIDTHS; k++) {
        struct plan *p = compile(g, widths[k][0], widths[k][1], c);
        for (int i = 0; i < N_SIZES; i++)
            compare_team(p, sizes[i]);
        plan_free(p);
    }
    calibration_free(c);
    graph_free(g);
}
END_TEST

/* Values too large for memory of their own each: steps follow others only where none of them still reads. */
START_TEST(test_large_values)
{
    struct graph *g = onnx_make_graph(
        "in x 1,8,150,150\nconst w 8,8,3,3\nconst v 8,8,3,3\nConv(x,w,)->a pads=[1,1,1,1]\nRelu(a)->b\n"
        "Conv(b,v,)->c pads=[1,1,1,1]\nAdd(c,b)->d\nRelu(d)->e\nConv(e,w,)->f pads=[1,1,1,1]\nSigmoid(f)->g\n"
        "LeakyRelu(g)->h alpha=0.5\nAdd(h,e)->i\nGlobalAveragePool(i)->y\nout y\n");
    struct calibration *c = calibrate(g);
    for (int k = 0; k < 4; k++) {
        struct plan *p = compile(g, widths[k][0], widths[k][1], c);
        struct split *s = split_new(p, 2, SPLIT_WORK);
        ck_assert_ptr_null(s->places);
        split_free(s);
        ck_assert_int_gt(compare_plan("large values", p, SPLIT_WORK), 3);
        plan_free(p);
    }
    calibration_free(c);
    graph_free(g);
}
END_TEST

/* Layers that are not worth it stay whole, and whole ones share a phase. */
START_TEST(test_small_stays_whole)
{
    struct graph *g = onnx_make_graph("in x 1,8\nconst w 8,8\nGemm(x,w)->a\nRelu(a)->b\nGemm(b,w)->y\nout y\n");
    struct calibration *c = calibrate(g);
    struct plan *p = compile(g, 8, 8, c);
    struct split *s = split_new(p, 4, SPLIT_WORK);
    ck_assert_int_eq(s->n_phases, 1);
    for (int i = 0; i < p->n_steps; i++)
        ck_assert(s->steps[i].n == 1 && s->steps[i].parts == &p->steps[i]);
    split_free(s);
    plan_free(p);
    calibration_free(c);
    graph_free(g);
}
END_TEST

Suite *check_split_suite(void)
{
    Suite *s = suite_create("split");
    TCase *t = tcase_create("parts");
    tcase_set_timeout(t, 240);
    tcase_add_loop_test(t, test_small_graphs, 0, N_GRAPHS);
    tcase_add_loop_test(t, test_operators, 0, import_cases_count);
    tcase_add_loop_test(t, test_networks_in_parts, 0, N_NETWORKS);
    tcase_add_loop_test(t, test_networks_on_teams, 0, N_NETWORKS);
    tcase_add_test(t, test_large_values);
    tcase_add_test(t, test_small_stays_whole);
    suite_add_tcase(s, t);
    return s;
}
