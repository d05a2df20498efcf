/* SPDX-License-Identifier: MIT
 *
 * Sessions on the bundled models: analysis, runs and searches, on a few images so that it is soon
 * done. Skipped, with a line that says so, where a model or the dataset is missing.
 */
#include <check.h>

#include "base/file.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "search/formulate.h"
#include "tests/session_room.h"

Suite *check_session_suite(void);

enum { IMAGES = 200 };

static void assert_same_losses(const struct tables *a, const struct tables *b)
{
    ck_assert_int_eq(a->n_layers, b->n_layers);
    ck_assert_int_eq(a->layers_measured, b->layers_measured);
    ck_assert(a->base_loss == b->base_loss);
    for (int l = 0; l < a->n_layers; l++) {
        ck_assert_int_eq(a->layers[l].measured, b->layers[l].measured);
        ck_assert_mem_eq(a->layers[l].loss_w, b->layers[l].loss_w, sizeof a->layers[l].loss_w);
        ck_assert_mem_eq(a->layers[l].loss_a, b->layers[l].loss_a, sizeof a->layers[l].loss_a);
    }
}

/* --- analysis ----------------------------------------------------------------------------------------------------- */

START_TEST(analysis_is_complete_and_cached)
{
    struct session *s = session_room_analyzed(session_models[_i]);
    if (!s)
        return;
    struct tables *t = session_tables(s), *again;
    ck_assert_int_eq(t->layers_measured, t->n_layers);
    ck_assert(t->cost.known && t->cost.fp32_latency_ns > 0 && t->cost.other_ns > 0 && t->cost.other_fp32_ns > 0);
    ck_assert(t->fp32_accuracy > 85 && t->fp32_accuracy < 99);
    ck_assert(t->fit.points > 0 && t->fit.scale > 0 && t->fit.error_abs > 0);
    const struct graph *g = session_graph(s);
    const struct latency_report *r = &t->cost.report;
    ck_assert(r->pairs == BITS_MAX * BITS_MAX + 1 && r->plans >= BITS_MAX + 1 && r->plans <= r->pairs);
    ck_assert(r->passes >= 1 && r->runs >= 3 * r->plans && r->counted <= r->runs && r->seconds > 0);
    ck_assert(r->clock_low_ghz > 0 && r->clock_low_ghz <= r->clock_high_ghz && r->clock_high_ghz < 20);
    ck_assert_str_eq(t->cost.note, "");
    int wrong = 0;
    for (int l = 0; l < t->n_layers; l++) {
        const struct layer_table *x = &t->layers[l];
        const struct layer_cost *cost = &t->cost.layers[l];
        ck_assert(x->measured && x->macs == (double)g->layers[l].macs);
        for (int b = 1; b < BITS_MAX; b++) { /* more bits: less loss, less noise, more bytes */
            wrong +=
                !(x->loss_w[b] >= x->loss_w[b + 1]) || !(x->loss_a[b] >= x->loss_a[b + 1]) || !(x->loss_w[b + 1] >= 0);
            for (int c = 0; c < GRANULARITY_COUNT; c++)
                wrong += !(x->sqnr[c][b] < x->sqnr[c][b + 1]) || !(x->bytes[c][b] < x->bytes[c][b + 1]);
            wrong += !(x->sqnr[GRANULARITY_CHANNEL][b] >= x->sqnr[GRANULARITY_TENSOR][b] - 0.01);
        }
        for (int w = 1; w <= BITS_MAX; w++)
            for (int a = 1; a <= BITS_MAX; a++)
                wrong += !(cost->latency_ns[w][a] > 0) || !(cost->spread_ns[w][a] >= 0) || !cost->kernel[w][a];
        ck_assert(cost->latency_ns[0][0] > 0 && x->bytes[0][8] < x->bytes[0][0] && isinf(x->sqnr[0][0]));
    }
    ck_assert_int_eq(wrong, 0);
    session_free(s);
    s = session_room_analyzed(session_models[_i]); /* the same from the cache, to the last bit */
    again = session_tables(s);
    assert_same_losses(t, again);
    for (int l = 0; l < t->n_layers; l++) {
        ck_assert_mem_eq(t->cost.layers[l].latency_ns, again->cost.layers[l].latency_ns,
                         sizeof t->cost.layers[l].latency_ns);
        ck_assert_mem_eq(t->cost.layers[l].spread_ns, again->cost.layers[l].spread_ns,
                         sizeof t->cost.layers[l].spread_ns);
        ck_assert_mem_eq(t->cost.layers[l].kernel, again->cost.layers[l].kernel, sizeof t->cost.layers[l].kernel);
        ck_assert_mem_eq(t->layers[l].sqnr, again->layers[l].sqnr, sizeof t->layers[l].sqnr);
        ck_assert_mem_eq(t->layers[l].bytes, again->layers[l].bytes, sizeof t->layers[l].bytes);
    }
    ck_assert(t->fp32_accuracy == again->fp32_accuracy && t->cost.other_ns == again->cost.other_ns);
    ck_assert(t->fit.scale == again->fit.scale && t->fit.power == again->fit.power &&
              t->fit.points == again->fit.points);
    tables_free(again);
    tables_free(t);
    session_free(s);
}
END_TEST

/* Asks to stop at a report: the n-th of that name. */
struct stopper {
    const char *what;
    int64_t at;
    atomic_int stop;
};

static void stop_there(void *ctx, const char *what, int64_t done, int64_t total)
{
    struct stopper *s = ctx;
    (void)total;
    if (!strcmp(what, s->what) && done >= s->at)
        atomic_store(&s->stop, 1);
}

START_TEST(stopped_analysis_goes_on)
{
    struct session *whole = session_room_model(session_models[0], 8, false);
    if (!whole)
        return;
    struct err e = {""};
    unsigned parts = ANALYZE_STATIC | ANALYZE_LOSS, before = session_tables_version(whole);
    ck_assert_msg(session_analyze(whole, parts, NULL, &e) == 0, "%s", e.text);
    ck_assert_uint_gt(session_tables_version(whole), before);
    struct tables *expected = session_tables(whole), *t;
    session_free(whole);
    struct stopper stopper = {.what = "sensitivity", .at = 3};
    struct progress p = {stop_there, &stopper, &stopper.stop};
    struct session *s = session_room_model(session_models[0], 8, true);
    ck_assert_int_eq(session_analyze(s, parts, &p, &e), 1);
    t = session_tables(s);
    ck_assert_int_eq(t->layers_measured, 3); /* what was found is there, the rest is guessed */
    for (int l = 0; l < t->n_layers; l++)
        ck_assert(t->layers[l].measured == (l < 3) && t->layers[l].loss_w[4] >= 0);
    tables_free(t);
    session_free(s);
    s = session_room_model(session_models[0], 8, true); /* and in the cache */
    t = session_tables(s);
    ck_assert_int_eq(t->layers_measured, 3);
    tables_free(t);
    stopper = (struct stopper){.what = "fit", .at = 2}; /* further on, stopped again */
    ck_assert_int_eq(session_analyze(s, parts, &p, &e), 1);
    ck_assert_int_eq(session_analyze(s, parts, NULL, &e), 0);
    t = session_tables(s);
    assert_same_losses(t, expected);
    ck_assert(t->fit.scale == expected->fit.scale && t->fit.power == expected->fit.power);
    tables_free(t);
    tables_free(expected);
    session_free(s);
}
END_TEST

START_TEST(what_cannot_be_opened)
{
    struct session_options o = session_defaults();
    struct err e = {""};
    int status = 0;
    ck_assert_ptr_null(session_open("zoo/none.onnx", &o, &status, &e));
    ck_assert_int_eq(status, 3);
    ck_assert(strstr(e.text, "zoo/none.onnx") != NULL);
    if (!file_exists(session_models[0]))
        return;
    o.dataset = "nowhere/none.yaml";
    ck_assert_ptr_null(session_open(session_models[0], &o, &status, &e));
    ck_assert_int_eq(status, 4);
    o.dataset = NULL; /* no dataset: bytes and noise are known all the same, and a search says what it lacks */
    o.cache = false;
    struct session *s = session_open(session_models[0], &o, &status, &e);
    ck_assert_msg(s != NULL, "%s", e.text);
    ck_assert_int_eq(session_analyze(s, ANALYZE_ALL, NULL, &e), 0);
    struct tables *t = session_tables(s);
    ck_assert(t->layers[0].bytes[0][4] > 0 && t->layers[0].sqnr[0][4] > 0 && !t->cost.known && !t->layers_measured);
    tables_free(t);
    struct profile *p = session_room_profile(s, "w8a8");
    struct run_options run = run_defaults();
    struct run_result r;
    ck_assert_int_eq(session_run(s, p, &run, NULL, &r, &e), -1);
    run_result_done(&r);
    struct search_options how = search_defaults();
    struct search_result found;
    ck_assert_int_eq(session_search(s, p, &how, NULL, &found, &e), -1);
    search_result_done(&found);
    profile_free(p);
    session_free(s);
}
END_TEST

/* --- runs --------------------------------------------------------------------------------------------------------- */

static struct run_result run_named(struct session *s, const char *name, bool latency)
{
    struct profile *p = session_room_profile(s, name);
    struct run_options o = run_defaults();
    struct run_result r;
    struct err e = {""};
    o.images = IMAGES;
    o.latency = latency;
    ck_assert_msg(session_run(s, p, &o, NULL, &r, &e) == 0, "%s: %s", name, e.text);
    profile_free(p);
    return r;
}

static struct run_result run_on_threads(struct session *s, const char *name, int threads)
{
    struct profile *p = session_room_profile(s, name);
    struct run_options o = run_defaults();
    struct run_result r;
    struct err e = {""};
    o.accuracy = false;
    o.team = true;
    parallel_set_threads(threads);
    ck_assert_msg(session_run(s, p, &o, NULL, &r, &e) == 0, "%s: %s", name, e.text);
    parallel_set_threads(0);
    profile_free(p);
    return r;
}

START_TEST(runs_of_plain_profiles)
{
    struct session *s = session_room_analyzed(session_models[_i]);
    if (!s)
        return;
    struct run_result fp32 = run_named(s, "fp32", true), w8a8 = run_named(s, "w8a8", true);
    ck_assert_int_eq(fp32.images, IMAGES);
    ck_assert_int_eq(fp32.right, (int)lround(fp32.accuracy * IMAGES / 100));
    ck_assert(fp32.accuracy > 88 && fp32.accuracy < 98 && fp32.accuracy == fp32.fp32_accuracy && !fp32.partial);
    ck_assert_double_eq(fp32.agreement, 100);
    ck_assert(w8a8.agreement >= 97 && w8a8.agreement <= 100 && fabs(w8a8.accuracy - fp32.accuracy) <= 2);
    ck_assert(w8a8.fp32_accuracy == fp32.accuracy);
    ck_assert(w8a8.latency_ns > 0 && w8a8.latency_p95_ns >= w8a8.latency_ns && w8a8.latency_runs >= 30);
    ck_assert(w8a8.team_threads == 0 && isnan(w8a8.team_latency_ns)); /* not asked for */
    struct run_result team = run_on_threads(s, "w8a8", 3);
    ck_assert(team.team_threads == 3 && team.team_latency_ns > 0 && isfinite(team.team_latency_ns));
    run_result_done(&team);
    team = run_on_threads(s, "w8a8", 1);
    ck_assert(team.team_threads == 0 && isnan(team.team_latency_ns) && team.latency_ns > 0);
    run_result_done(&team);
    int64_t bytes = 0;
    double ns = w8a8.other_ns;
    for (int l = 0; l < w8a8.n_layers; l++) {
        const struct run_layer *x = &w8a8.layers[l];
        ck_assert(precision_equal(&x->requested, &x->applied) && !x->note[0] && x->kernel[0]);
        bytes += x->bytes;
        ns += x->latency_ns;
    }
    ck_assert_int_eq(w8a8.bytes, bytes);
    double steps = 0;
    for (int i = 0; i < w8a8.n_steps; i++) {
        ck_assert(w8a8.steps[i].name[0] && w8a8.steps[i].kernel[0] && w8a8.steps[i].layer < w8a8.n_layers);
        steps += w8a8.steps[i].latency_ns;
    }
    ck_assert(w8a8.n_steps >= w8a8.n_layers);
    ck_assert_double_eq_tol(steps, ns, 1e-6 * ns); /* nothing ran that is not told */
    for (int l = 0; l < w8a8.n_layers; l++) {
        const struct run_layer *x = &w8a8.layers[l];
        ck_assert(x->n_contest < 2 || !strcmp(x->contest[0].kernel->name, x->kernel)); /* the fastest runs */
    }
    ck_assert(ns > 0.3 * w8a8.latency_ns && ns < 3 * w8a8.latency_ns); /* the layers make up the whole */
    struct profile *p = session_room_profile(s, "w8a8");
    struct tables *t = session_tables(s);
    struct estimate e;
    estimate_profile(t, p, NULL, &e);
    ck_assert_int_eq((int64_t)e.size.value, w8a8.bytes); /* the estimate of the size is exact */
    tables_free(t);
    profile_free(p);
    run_result_done(&fp32);
    run_result_done(&w8a8);
    session_free(s);
}
END_TEST

START_TEST(what_does_not_run_as_asked_is_told)
{
    struct session *s = session_room_model(session_models[0], 8, false);
    if (!s)
        return;
    struct profile *p = session_room_profile(s, "w8a8");
    precision_set_w(&p->layers[1].precision, 4);
    precision_set_a(&p->layers[1].precision, 0);
    struct run_options o = run_defaults();
    struct run_result r;
    struct err e = {""};
    o.images = 20;
    o.latency = false;
    ck_assert_msg(session_run(s, p, &o, NULL, &r, &e) == 0, "%s", e.text);
    ck_assert(r.layers[1].note[0] && !r.layers[0].note[0] && isnan(r.latency_ns));
    ck_assert_msg(strstr(r.layers[1].note, "emulated") != NULL, "%s", r.layers[1].note);
    run_result_done(&r);
    o.strict = true;
    ck_assert_int_eq(session_run(s, p, &o, NULL, &r, &e), -1);
    ck_assert_msg(strstr(e.text, p->layers[1].name) && strstr(e.text, "w4a32"), "%s", e.text);
    run_result_done(&r);
    profile_free(p);
    session_free(s);
}
END_TEST

START_TEST(results_do_not_depend_on_the_machine)
{
    static const char *const profiles[] = {"w8a8", "w4a4", "w2a8", "w3a2", "w1a1"};
    static const struct {
        const char *isa;
        int threads;
    } ways[] = {{"auto", 1}, {"auto", 2}, {"c", 2}};
    enum { N = sizeof profiles / sizeof *profiles, WAYS = sizeof ways / sizeof *ways };
    int right[WAYS][N];
    double agreement[WAYS][N];
    for (int w = 0; w < WAYS; w++) {
        ck_assert_int_eq(isa_select(ways[w].isa, NULL), 0);
        parallel_set_threads(ways[w].threads);
        struct session *s = session_room_model(session_models[0], 16, false);
        if (!s)
            return;
        for (int i = 0; i < N; i++) {
            struct run_result r = run_named(s, profiles[i], false);
            right[w][i] = r.right;
            agreement[w][i] = r.agreement;
            ck_assert_msg(right[w][i] == right[0][i] && agreement[w][i] == agreement[0][i],
                          "%s on %s, %d threads: %d and not %d", profiles[i], ways[w].isa, ways[w].threads, right[w][i],
                          right[0][i]);
            run_result_done(&r);
        }
        session_free(s);
    }
}
END_TEST

/* --- searches ----------------------------------------------------------------------------------------------------- */

/* What a solver adds up is what meters show, of every cost. */
START_TEST(solvers_count_as_meters_do)
{
    struct session *s = session_room_analyzed(session_models[_i]);
    if (!s)
        return;
    struct tables *t = session_tables(s);
    struct profile *start = session_room_profile(s, "w8a8");
    struct formulation f = formulate(session_graph(s), t, start);
    int *pick = mem_new((size_t)f.n_units, sizeof *pick);
    struct rng r;
    rng_init(&r, 11);
    for (int round = 0; round < 20; round++) {
        double sum[COST_COUNT] = {0};
        for (int u = 0; u < f.n_units; u++) {
            pick[u] = (int)rng_below(&r, (uint32_t)f.units[u].n);
            for (int c = 0; c < COST_COUNT; c++)
                sum[c] += f.units[u].cost[pick[u]][c];
        }
        struct profile *p = formulation_profile(&f, start, pick);
        struct estimate e;
        estimate_profile(t, p, NULL, &e);
        ck_assert_double_eq_tol(sum[COST_LOSS], e.loss, 1e-9 * e.loss);
        ck_assert_double_eq_tol(sum[COST_BYTES], e.size.value, 0.5);
        ck_assert_double_eq_tol(sum[COST_LATENCY] + t->cost.other_ns, e.latency.value, 1e-6 * e.latency.value);
        ck_assert_double_eq_tol(sum[COST_ENERGY], e.energy.value, 1e-9 * e.energy.value);
        profile_free(p);
    }
    mem_free(pick);
    formulation_done(&f);
    profile_free(start);
    tables_free(t);
    session_free(s);
}
END_TEST

START_TEST(search_under_a_size)
{
    struct session *s = session_room_analyzed(session_models[_i]);
    if (!s)
        return;
    struct profile *start = session_room_profile(s, "w8a8");
    precision_set_w(&start->layers[0].precision, 6);
    start->layers[0].lock = true;
    struct tables *t = session_tables(s);
    struct estimate eight;
    estimate_profile(t, start, NULL, &eight);
    tables_free(t);
    struct search_options o = search_defaults();
    o.images = IMAGES;
    o.budgets.bytes = (int64_t)(eight.size.value / 2) + 1;
    struct search_result r;
    struct err e = {""};
    ck_assert_msg(session_search(s, start, &o, NULL, &r, &e) == 0, "%s", e.text);
    ck_assert_msg(r.feasible && r.profile, "%s", r.why);
    ck_assert(r.verified && !r.why[0] && r.rounds == 1 && r.run.images == IMAGES);
    ck_assert(r.run.bytes <= o.budgets.bytes && r.run.bytes > o.budgets.bytes * 95 / 100);
    ck_assert_int_eq((int64_t)r.estimate.size.value, r.run.bytes);
    ck_assert_int_eq(r.estimate.size.verdict, VERDICT_OK);
    ck_assert(precision_equal(&r.profile->layers[0].precision, &start->layers[0].precision) &&
              r.profile->layers[0].lock);
    ck_assert_msg(profile_check_groups(r.profile, session_model(s), &e) == 0, "%s", e.text);
    ck_assert(r.profile->measurement.known && r.profile->estimate.known && r.profile->budgets.bytes == o.budgets.bytes);
    ck_assert_str_eq(r.profile->search, r.proven ? "exact" : "beam");
    ck_assert_str_eq(r.profile->sensitivity, "kl");
    for (int l = 0; l < r.profile->n_layers; l++)
        ck_assert(precision_valid(&r.profile->layers[l].precision) && r.profile->executed[l][0]);
    struct profile *four = session_room_profile(s, "w4a8"); /* better than the same width everywhere */
    struct estimate even;
    t = session_tables(s);
    estimate_profile(t, four, NULL, &even);
    ck_assert(even.size.value > (double)o.budgets.bytes || r.estimate.loss <= even.loss);
    tables_free(t);
    profile_free(four);
    search_result_done(&r);
    o.budgets.bytes = 1024; /* not to be met, and it says what would be */
    ck_assert_int_eq(session_search(s, start, &o, NULL, &r, &e), 0);
    ck_assert(!r.feasible && !r.profile);
    ck_assert_msg(strstr(r.why, "size") && strstr(r.why, "1 layer"), "%s", r.why);
    search_result_done(&r);
    profile_free(start);
    session_free(s);
}
END_TEST

START_TEST(search_for_the_smallest)
{
    struct session *s = session_room_analyzed(session_models[0]);
    if (!s)
        return;
    struct profile *start = session_room_profile(s, "w8a8");
    struct search_options o = search_defaults();
    struct search_result r;
    struct err e = {""};
    o.images = IMAGES;
    o.budgets.accuracy_drop = 2;
    ck_assert_msg(session_search(s, start, &o, NULL, &r, &e) == 0, "%s", e.text);
    ck_assert_msg(r.feasible && r.verified && r.profile, "%s", r.why);
    ck_assert(!isnan(r.run.fp32_accuracy)); /* it was really compared, though fp32's accuracy came from the cache */
    ck_assert(r.run.fp32_accuracy - r.run.accuracy <= 2 + 1e-9);
    struct run_result eight = run_named(s, "w8a8", false);
    ck_assert(r.run.bytes < eight.bytes);
    run_result_done(&eight);
    search_result_done(&r);
    o.verify = false; /* by the tables alone */
    ck_assert_msg(session_search(s, start, &o, NULL, &r, &e) == 0, "%s", e.text);
    ck_assert(r.feasible && !r.verified && r.estimate.drop <= 2 + 1e-6);
    search_result_done(&r);
    o.budgets.latency_ns = 1; /* together with one that cannot be */
    ck_assert_int_eq(session_search(s, start, &o, NULL, &r, &e), 0);
    ck_assert_msg(!r.feasible && !r.profile && strstr(r.why, "latency"), "%s", r.why);
    search_result_done(&r);
    profile_free(start);
    session_free(s);
}
END_TEST

/* Asks to stop at the first report that follows the search's own: while its profile runs. */
static void stop_while_it_runs(void *ctx, const char *what, int64_t done, int64_t total)
{
    struct stopper *s = ctx;
    (void)done;
    (void)total;
    if (!strcmp(what, "search"))
        s->at = 1;
    else if (s->at)
        atomic_store(&s->stop, 1);
}

START_TEST(stopped_search_keeps_what_it_has)
{
    struct session *s = session_room_analyzed(session_models[0]);
    if (!s)
        return;
    struct profile *start = session_room_profile(s, "w8a8");
    struct search_options o = search_defaults();
    struct search_result r;
    struct err e = {""};
    struct stopper stopper = {.what = "search"};
    struct progress p = {stop_while_it_runs, &stopper, &stopper.stop};
    o.images = IMAGES;
    o.budgets.bytes = 60000;
    ck_assert_int_eq(session_search(s, start, &o, &p, &r, &e), 1);
    ck_assert(r.profile && !r.verified && !r.profile->measurement.known);
    ck_assert(r.estimate.size.value <= 60000);
    search_result_done(&r);
    stopper = (struct stopper){.what = "search"}; /* before anything was found */
    p.report = stop_there;
    ck_assert_int_eq(session_search(s, start, &o, &p, &r, &e), 1);
    ck_assert(!r.profile && !r.feasible);
    search_result_done(&r);
    profile_free(start);
    session_free(s);
}
END_TEST

Suite *check_session_suite(void)
{
    Suite *s = suite_create("session");
    TCase *t = tcase_create("session");
    tcase_set_timeout(t, 300);
    tcase_add_unchecked_fixture(t, session_room_open, session_room_close);
    tcase_add_test(t, what_cannot_be_opened);
    tcase_add_loop_test(t, analysis_is_complete_and_cached, 0, 2);
    tcase_add_test(t, stopped_analysis_goes_on);
    tcase_add_loop_test(t, runs_of_plain_profiles, 0, 2);
    tcase_add_test(t, what_does_not_run_as_asked_is_told);
    tcase_add_test(t, results_do_not_depend_on_the_machine);
    tcase_add_loop_test(t, solvers_count_as_meters_do, 0, 2);
    tcase_add_loop_test(t, search_under_a_size, 0, 2);
    tcase_add_test(t, search_for_the_smallest);
    tcase_add_test(t, stopped_search_keeps_what_it_has);
    suite_add_tcase(s, t);
    return s;
}
