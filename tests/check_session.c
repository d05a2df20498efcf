/* SPDX-License-Identifier: MIT
 *
 * Sessions on the bundled models: analysis, its cache, runs and searches, on a few images so that it is soon done.
 * Skipped, with a line that says so, where a model or the dataset is missing.
 */
#include <check.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "kernels/isa.h"
#include "search/cache.h"
#include "search/fingerprint.h"
#include "search/formulate.h"
#include "search/session.h"

Suite *check_session_suite(void);

enum { CALIBRATE = 64, EVALUATE = 400, IMAGES = 200 };

static const char *const models[] = {"zoo/mobilenet_fmnist.onnx", "zoo/resnet20_fmnist.onnx"};
static char room[64], dataset[96];

/* --- a place to work ---------------------------------------------------------------------------------------------- */

static void write_text(const char *path, const char *text)
{
    ck_assert_int_eq(file_write(path, text, strlen(text), false, NULL), 0);
}

/* The bundled description, with less images; a cache of our own. */
static void open_room(void)
{
    strcpy(room, "/tmp/bitfader-session-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(room));
    setenv("XDG_CACHE_HOME", room, 1);
    snprintf(dataset, sizeof dataset, "%s/few.yaml", room);
    size_t n;
    char *whole = file_read("configs/datasets/fashion-mnist.yaml", 1 << 16, &n, NULL);
    const char *count = whole ? strstr(whole, "count: 4096") : NULL;
    ck_assert_msg(count, "configs/datasets/fashion-mnist.yaml has no \"count: 4096\" (run from the top folder)");
    char *few = mem_printf("%.*scount: %d%s  count: %d\n", (int)(count - whole), whole, CALIBRATE,
                           count + strlen("count: 4096"), EVALUATE);
    write_text(dataset, few);
    mem_free(few);
    mem_free(whole);
}

static char *cache_dir(void)
{
    char *dir = file_cache_dir();
    ck_assert_ptr_nonnull(dir);
    return dir;
}

/* Calls see with the path of each cache file; returns how many there are. */
static int each_cache_file(void (*see)(const char *path))
{
    char *dir = cache_dir();
    DIR *d = opendir(dir);
    int n = 0;
    for (struct dirent *f; d && (f = readdir(d));) {
        if (f->d_name[0] == '.')
            continue;
        char *path = mem_printf("%s/%s", dir, f->d_name);
        see(path);
        mem_free(path);
        n++;
    }
    closedir(d);
    mem_free(dir);
    return n;
}

static void remove_file(const char *path)
{
    unlink(path);
}

static void close_room(void)
{
    setenv("XDG_CACHE_HOME", room, 1);
    each_cache_file(remove_file);
    char *dir = cache_dir();
    rmdir(dir);
    mem_free(dir);
    unlink(dataset);
    rmdir(room);
}

/* NULL, after saying why, when there is nothing to work with. */
static struct session *open_model(const char *model, int images, bool cache)
{
    struct session_options o = session_defaults();
    struct err e = {""};
    int status;
    if (!file_exists(model)) {
        fprintf(stderr, "check_session: skipped, %s is not there\n", model);
        return NULL;
    }
    o.dataset = dataset;
    o.calibration_images = images;
    o.cache = cache;
    struct session *s = session_open(model, &o, &status, &e);
    if (!s && status == 4 && strstr(e.text, "t10k-images")) {
        fprintf(stderr, "check_session: skipped, %s\n", e.text);
        return NULL;
    }
    ck_assert_msg(s != NULL, "%s: %s", model, e.text);
    ck_assert_int_eq(status, 0);
    return s;
}

/* With every table; what an earlier test found comes from the cache. */
static struct session *open_analyzed(const char *model)
{
    struct session *s = open_model(model, 32, true);
    struct err e = {""};
    if (s)
        ck_assert_msg(session_analyze(s, ANALYZE_ALL, NULL, &e) == 0, "%s", e.text);
    return s;
}

static struct profile *profile_named(struct session *s, const char *name)
{
    struct err e = {""};
    struct profile *p = profile_load(name, session_model(s), false, &e);
    ck_assert_msg(p != NULL, "%s: %s", name, e.text);
    return p;
}

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

/* --- the cache alone ---------------------------------------------------------------------------------------------- */

enum { LAYERS = 3 };

static struct tables *hand_tables(void)
{
    struct tables *t = tables_new(LAYERS);
    t->base_loss = 0.1;
    t->cost.fp32_latency_ns = 1234.5;
    t->cost.other_ns = 1.0 / 3;
    t->cost.other_fp32_ns = 2.0 / 3;
    t->cost.known = true;
    t->cost.report.seconds = 3.25;
    t->cost.report.plans = 12;
    t->cost.report.pairs = 65;
    t->cost.report.core = -1;
    t->cost.report.clock_high_ghz = 1.0 / 3;
    t->layers_measured = LAYERS;
    t->calibration_images = 32;
    for (int l = 0; l < LAYERS; l++) {
        t->layers[l].measured = true;
        for (int w = 0; w < WIDTHS; w++) {
            t->layers[l].loss_w[w] = w ? 1.0 / (3 * w + l) : 0;
            t->layers[l].loss_a[w] = w ? 1.0 / (7 * w + l) : 0;
            for (int a = w ? 1 : 0; a <= (w ? BITS_MAX : 0); a++) {
                t->cost.layers[l].latency_ns[w][a] = 1e4 / (w + a + l + 1);
                t->cost.layers[l].spread_ns[w][a] = 1e2 / (w + a + l + 1);
                t->cost.layers[l].kernel[w][a] = conv_kernels[(l + w) % conv_kernel_count]->name;
            }
        }
    }
    return t;
}

static const char hand_host[] = "Hand Made 1; has c; uses c; caches 1K 2K 3K; kernels 12ab; bitfader 0";
static const struct cache_key loss_key = {"loss", "xxh3-hand", 1}, cost_key = {"cost", "xxh3-hand", 2, hand_host},
                              points_key = {"points", "xxh3-hand", 3};
static const struct fit_point hand_points[2] = {{0.1, 0.3, 200, 1}, {1.0 / 3, 2, 64, 0}};

static const struct conv_geom hand_geom = {.cin = 1, .cout = 2, .groups = 1};
static const int8_t hand_levels[2] = {-1, 1};
static const struct conv_weights hand_weights = {.bits = 1, .levels = hand_levels};

static struct kernel_times *hand_times(void)
{
    struct kernel_times *times = kernel_times_new();
    kernel_times_set(times, &hand_geom, 8, &hand_weights, conv_kernels[0], 77);
    return times;
}

static void save_all(void)
{
    struct tables *t = hand_tables();
    struct kernel_times *times = hand_times();
    struct err e;
    ck_assert(!cache_save_loss(&loss_key, t, &e) && !cache_save_cost(&cost_key, t, times, &e) &&
              !cache_save_points(&points_key, 93.25, hand_points, 2, &e));
    kernel_times_free(times);
    tables_free(t);
}

/* What comes back: 0 nothing at all, 1 everything as it was. Anything between is a mistake. */
static int load_all(void)
{
    struct tables *t = tables_new(LAYERS), *none = tables_new(LAYERS), *all = hand_tables();
    struct fit_point points[4];
    double fp32 = NAN;
    struct kernel_times *times = kernel_times_new();
    cache_load_loss(&loss_key, t);
    cache_load_cost(&cost_key, t, times);
    int n = cache_load_points(&points_key, &fp32, points, 4), got = 0;
    const struct tables *same = t->layers_measured ? all : none;
    for (int l = 0; l < LAYERS; l++) {
        ck_assert_mem_eq(t->layers[l].loss_w, same->layers[l].loss_w, sizeof t->layers[l].loss_w);
        ck_assert_mem_eq(t->layers[l].loss_a, same->layers[l].loss_a, sizeof t->layers[l].loss_a);
        ck_assert_int_eq(t->layers[l].measured, same->layers[l].measured);
    }
    ck_assert_int_eq(t->layers_measured, same->layers_measured);
    ck_assert_int_eq(t->calibration_images, same->calibration_images);
    got += t->layers_measured == LAYERS;
    same = t->cost.known ? all : none;
    for (int l = 0; l < LAYERS; l++) {
        ck_assert_mem_eq(t->cost.layers[l].latency_ns, same->cost.layers[l].latency_ns,
                         sizeof t->cost.layers[l].latency_ns);
        ck_assert_mem_eq(t->cost.layers[l].spread_ns, same->cost.layers[l].spread_ns,
                         sizeof t->cost.layers[l].spread_ns);
        ck_assert_mem_eq(t->cost.layers[l].kernel, same->cost.layers[l].kernel, sizeof t->cost.layers[l].kernel);
    }
    ck_assert_mem_eq(&t->cost.report, &same->cost.report, sizeof t->cost.report);
    ck_assert_int_eq(kernel_times_count(times), t->cost.known);
    ck_assert(!t->cost.known || kernel_times_cycles(times, &hand_geom, 8, &hand_weights, conv_kernels[0]) == 77);
    kernel_times_free(times);
    ck_assert(t->cost.known
                  ? t->cost.other_ns == all->cost.other_ns && t->cost.fp32_latency_ns == all->cost.fp32_latency_ns
                  : isnan(t->cost.other_ns) && isnan(t->cost.fp32_latency_ns));
    got += t->cost.known;
    ck_assert(n ? n == 2 && fp32 == 93.25 && points[1].loss == 1.0 / 3 && points[1].images == 64 && !points[1].held_out
                : isnan(fp32));
    got += n == 2;
    ck_assert(got == 0 || got == 3);
    tables_free(all);
    tables_free(none);
    tables_free(t);
    return got == 3;
}

static void cut_to_nothing(const char *path)
{
    ck_assert_int_eq(truncate(path, 0), 0);
}

static void cut_in_half(const char *path)
{
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(truncate(path, st.st_size / 2), 0);
}

static void cut_last_byte(const char *path)
{
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(truncate(path, st.st_size - 1), 0);
}

/* Replaces the third line by text: in all kinds of files it is a row. */
static void replace_row(const char *path, const char *text)
{
    size_t n;
    char *whole = file_read(path, 1 << 24, &n, NULL), *line = strchr(strchr(whole, '\n') + 1, '\n') + 1;
    char *changed = mem_printf("%.*s%s%s", (int)(line - whole), whole, text, strchr(line, '\n') + 1);
    write_text(path, changed);
    mem_free(changed);
    mem_free(whole);
}

static void spoil_row(const char *path)
{
    replace_row(path, "0 1 rubbish\n");
}

static void drop_row(const char *path)
{
    if (!strstr(path, "-points-")) /* points may be any number */
        replace_row(path, "");
    else
        cut_in_half(path);
}

static void numbers_out_of_range(const char *path)
{
    replace_row(path, "999999 8 -8 8\n");
}

static void other_version(const char *path)
{
    size_t n;
    char *whole = file_read(path, 1 << 24, &n, NULL), *changed = mem_printf("bitfader else 0%s", strchr(whole, '\n'));
    write_text(path, changed);
    mem_free(changed);
    mem_free(whole);
}

static void (*const damage[])(const char *path) = {cut_to_nothing, cut_in_half,          cut_last_byte, spoil_row,
                                                   drop_row,       numbers_out_of_range, other_version};

START_TEST(a_damaged_cache_is_no_cache)
{
    char own[96];
    snprintf(own, sizeof own, "%s/damage%d", room, _i);
    ck_assert_int_eq(mkdir(own, 0700), 0);
    setenv("XDG_CACHE_HOME", own, 1);
    ck_assert_int_eq(load_all(), 0);
    save_all();
    ck_assert_int_eq(load_all(), 1);
    ck_assert_int_eq(each_cache_file(damage[_i]), 3);
    int left = load_all();
    each_cache_file(remove_file);
    char *dir = cache_dir();
    rmdir(dir);
    rmdir(own);
    mem_free(dir);
    ck_assert_int_eq(left, 0);
}
END_TEST

/* --- whose the latency table is ------------------------------------------------------------------------------------
 */

/* What of a table that was kept under `host` is found under hand_host; note gets what is said. */
static bool found_under(const char *host, char note[160])
{
    struct tables *t = hand_tables(), *got = tables_new(LAYERS);
    struct kernel_times *times = hand_times(), *more = kernel_times_new();
    const struct cache_key other = {"cost", "xxh3-hand", 9, host};
    struct err e;
    ck_assert(!cache_save_cost(&other, t, times, &e));
    cache_load_cost(&cost_key, got, more);
    bool known = got->cost.known;
    ck_assert_int_eq(kernel_times_count(more), known);
    memcpy(note, got->cost.note, sizeof got->cost.note);
    kernel_times_free(times);
    kernel_times_free(more);
    tables_free(t);
    tables_free(got);
    return known;
}

static const struct {
    const char *host, *says;
} hosts[] = {
    {"Other Make 9; has c; uses c; caches 1K 2K 3K; kernels 12ab; bitfader 0", "another processor (Other Make 9)"},
    {"Hand Made 1; has c avx2; uses c; caches 1K 2K 3K; kernels 12ab; bitfader 0", "other instruction sets or caches"},
    {"Hand Made 1; has c; uses c; caches 1K 2K 4K; kernels 12ab; bitfader 0", "other instruction sets or caches"},
    {"Hand Made 1; has c; uses c; caches 1K 2K 3K; kernels 12ac; bitfader 0", "other kernels"},
    {"Hand Made 1; has c; uses c; caches 1K 2K 3K; kernels 12ab; bitfader 1", "other kernels"},
    {"Hand Made 1; has c; uses c avx2; caches 1K 2K 3K; kernels 12ab; bitfader 0", NULL}, /* --isa: no surprise */
    {"rubbish", "another processor (rubbish)"},
};

START_TEST(another_hosts_table_is_not_used)
{
    char own[96], note[160];
    snprintf(own, sizeof own, "%s/host%d", room, _i);
    ck_assert_int_eq(mkdir(own, 0700), 0);
    setenv("XDG_CACHE_HOME", own, 1);
    ck_assert(!found_under(hosts[_i].host, note));
    ck_assert_msg(hosts[_i].says ? strstr(note, hosts[_i].says) != NULL : !*note, "\"%s\"", note);
    save_all(); /* one of its own beside it: that is used, and nothing is said */
    ck_assert(found_under(hosts[_i].host, note) && !*note);
    each_cache_file(remove_file);
    char *dir = cache_dir();
    rmdir(dir);
    rmdir(own);
    mem_free(dir);
}
END_TEST

/* The name of a file is a hash; what counts is what stands in it. */
static void change_host(const char *path)
{
    size_t n;
    char *whole = file_read(path, 1 << 24, &n, NULL), *host = strstr(whole, "\nhost Hand");
    if (host)
        memcpy(host + 6, "Band", 4);
    write_text(path, whole);
    mem_free(whole);
}

START_TEST(a_table_that_was_moved_is_not_used)
{
    char own[96];
    snprintf(own, sizeof own, "%s/moved", room);
    ck_assert_int_eq(mkdir(own, 0700), 0);
    setenv("XDG_CACHE_HOME", own, 1);
    save_all();
    each_cache_file(change_host);
    struct tables *t = tables_new(LAYERS);
    struct kernel_times *times = kernel_times_new();
    cache_load_cost(&cost_key, t, times);
    ck_assert(!t->cost.known && strstr(t->cost.note, "another processor (Band Made 1)"));
    ck_assert_int_eq(kernel_times_count(times), 0);
    kernel_times_free(times);
    tables_free(t);
    each_cache_file(remove_file);
    char *dir = cache_dir();
    rmdir(dir);
    rmdir(own);
    mem_free(dir);
}
END_TEST

START_TEST(the_host_has_a_fingerprint)
{
    char *one = fingerprint_new(), *two = fingerprint_new();
    ck_assert_str_eq(one, two);
    ck_assert(strstr(one, "; kernels ") && !strchr(one, '\n'));
    ck_assert_ptr_null(fingerprint_difference(one, two));
    ck_assert_int_eq(isa_select("c", NULL), 0);
    char *masked = fingerprint_new();
    ck_assert(!isa_supported(ISA_AVX2) || strcmp(masked, one));
    ck_assert_ptr_null(fingerprint_difference(one, masked));
    ck_assert_int_eq(isa_select("auto", NULL), 0);
    mem_free(one);
    mem_free(two);
    mem_free(masked);
}
END_TEST

START_TEST(a_cache_that_cannot_be_written_is_told)
{
    setenv("XDG_CACHE_HOME", "/dev/null/nowhere", 1);
    struct tables *t = hand_tables();
    struct err e = {""};
    ck_assert_int_eq(cache_save_loss(&loss_key, t, &e), -1);
    ck_assert_msg(strstr(e.text, "XDG_CACHE_HOME"), "%s", e.text);
    tables_free(t);
    ck_assert_int_eq(load_all(), 0);
    struct session *s = open_model(models[0], 32, true);
    if (!s)
        return;
    ck_assert(!session_unkept(s, &e));
    ck_assert_int_eq(session_analyze(s, ANALYZE_COST, NULL, &e), 0); /* all the same */
    ck_assert(session_unkept(s, &e));
    ck_assert_msg(strstr(e.text, "XDG_CACHE_HOME"), "%s", e.text);
    session_free(s);
}
END_TEST

/* --- analysis ----------------------------------------------------------------------------------------------------- */

START_TEST(analysis_is_complete_and_cached)
{
    struct session *s = open_analyzed(models[_i]);
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
    s = open_analyzed(models[_i]); /* the same from the cache, to the last bit */
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
    struct session *whole = open_model(models[0], 8, false);
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
    struct session *s = open_model(models[0], 8, true);
    ck_assert_int_eq(session_analyze(s, parts, &p, &e), 1);
    t = session_tables(s);
    ck_assert_int_eq(t->layers_measured, 3); /* what was found is there, the rest is guessed */
    for (int l = 0; l < t->n_layers; l++)
        ck_assert(t->layers[l].measured == (l < 3) && t->layers[l].loss_w[4] >= 0);
    tables_free(t);
    session_free(s);
    s = open_model(models[0], 8, true); /* and in the cache */
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
    if (!file_exists(models[0]))
        return;
    o.dataset = "nowhere/none.yaml";
    ck_assert_ptr_null(session_open(models[0], &o, &status, &e));
    ck_assert_int_eq(status, 4);
    o.dataset = NULL; /* no dataset: bytes and noise are known all the same, and a search says what it lacks */
    o.cache = false;
    struct session *s = session_open(models[0], &o, &status, &e);
    ck_assert_msg(s != NULL, "%s", e.text);
    ck_assert_int_eq(session_analyze(s, ANALYZE_ALL, NULL, &e), 0);
    struct tables *t = session_tables(s);
    ck_assert(t->layers[0].bytes[0][4] > 0 && t->layers[0].sqnr[0][4] > 0 && !t->cost.known && !t->layers_measured);
    tables_free(t);
    struct profile *p = profile_named(s, "w8a8");
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
    struct profile *p = profile_named(s, name);
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
    struct profile *p = profile_named(s, name);
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
    struct session *s = open_analyzed(models[_i]);
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
    struct profile *p = profile_named(s, "w8a8");
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
    struct session *s = open_model(models[0], 8, false);
    if (!s)
        return;
    struct profile *p = profile_named(s, "w8a8");
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
        struct session *s = open_model(models[0], 16, false);
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
    struct session *s = open_analyzed(models[_i]);
    if (!s)
        return;
    struct tables *t = session_tables(s);
    struct profile *start = profile_named(s, "w8a8");
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
    struct session *s = open_analyzed(models[_i]);
    if (!s)
        return;
    struct profile *start = profile_named(s, "w8a8");
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
    struct profile *four = profile_named(s, "w4a8"); /* better than the same width everywhere */
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
    struct session *s = open_analyzed(models[0]);
    if (!s)
        return;
    struct profile *start = profile_named(s, "w8a8");
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
    struct session *s = open_analyzed(models[0]);
    if (!s)
        return;
    struct profile *start = profile_named(s, "w8a8");
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
    TCase *t = tcase_create("cache");
    tcase_add_unchecked_fixture(t, open_room, close_room);
    tcase_add_loop_test(t, a_damaged_cache_is_no_cache, 0, sizeof damage / sizeof *damage);
    tcase_add_loop_test(t, another_hosts_table_is_not_used, 0, sizeof hosts / sizeof *hosts);
    tcase_add_test(t, a_table_that_was_moved_is_not_used);
    tcase_add_test(t, the_host_has_a_fingerprint);
    tcase_add_test(t, a_cache_that_cannot_be_written_is_told);
    suite_add_tcase(s, t);
    t = tcase_create("session");
    tcase_set_timeout(t, 300);
    tcase_add_unchecked_fixture(t, open_room, close_room);
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
