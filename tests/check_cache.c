/* SPDX-License-Identifier: MIT
 *
 * Tables on disk: what is damaged, of another host or cannot be written.
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
#include "tests/session_room.h"

Suite *check_cache_suite(void);

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
    session_room_write(path, changed);
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
    session_room_write(path, changed);
    mem_free(changed);
    mem_free(whole);
}

static void (*const damage[])(const char *path) = {cut_to_nothing, cut_in_half,          cut_last_byte, spoil_row,
                                                   drop_row,       numbers_out_of_range, other_version};

START_TEST(a_damaged_cache_is_no_cache)
{
    char own[96];
    snprintf(own, sizeof own, "%s/damage%d", session_room, _i);
    ck_assert_int_eq(mkdir(own, 0700), 0);
    setenv("XDG_CACHE_HOME", own, 1);
    ck_assert_int_eq(load_all(), 0);
    save_all();
    ck_assert_int_eq(load_all(), 1);
    ck_assert_int_eq(session_room_each(damage[_i]), 3);
    int left = load_all();
    session_room_each(session_room_remove);
    char *dir = session_room_cache();
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
    snprintf(own, sizeof own, "%s/host%d", session_room, _i);
    ck_assert_int_eq(mkdir(own, 0700), 0);
    setenv("XDG_CACHE_HOME", own, 1);
    ck_assert(!found_under(hosts[_i].host, note));
    ck_assert_msg(hosts[_i].says ? strstr(note, hosts[_i].says) != NULL : !*note, "\"%s\"", note);
    save_all(); /* one of its own beside it: that is used, and nothing is said */
    ck_assert(found_under(hosts[_i].host, note) && !*note);
    session_room_each(session_room_remove);
    char *dir = session_room_cache();
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
    session_room_write(path, whole);
    mem_free(whole);
}

START_TEST(a_table_that_was_moved_is_not_used)
{
    char own[96];
    snprintf(own, sizeof own, "%s/moved", session_room);
    ck_assert_int_eq(mkdir(own, 0700), 0);
    setenv("XDG_CACHE_HOME", own, 1);
    save_all();
    session_room_each(change_host);
    struct tables *t = tables_new(LAYERS);
    struct kernel_times *times = kernel_times_new();
    cache_load_cost(&cost_key, t, times);
    ck_assert(!t->cost.known && strstr(t->cost.note, "another processor (Band Made 1)"));
    ck_assert_int_eq(kernel_times_count(times), 0);
    kernel_times_free(times);
    tables_free(t);
    session_room_each(session_room_remove);
    char *dir = session_room_cache();
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
    struct session *s = session_room_model(session_models[0], 32, true);
    if (!s)
        return;
    ck_assert(!session_unkept(s, &e));
    ck_assert_int_eq(session_analyze(s, ANALYZE_COST, NULL, &e), 0); /* all the same */
    ck_assert(session_unkept(s, &e));
    ck_assert_msg(strstr(e.text, "XDG_CACHE_HOME"), "%s", e.text);
    session_free(s);
}
END_TEST

Suite *check_cache_suite(void)
{
    Suite *s = suite_create("cache");
    TCase *t = tcase_create("cache");
    tcase_add_unchecked_fixture(t, session_room_open, session_room_close);
    tcase_add_loop_test(t, a_damaged_cache_is_no_cache, 0, sizeof damage / sizeof *damage);
    tcase_add_loop_test(t, another_hosts_table_is_not_used, 0, sizeof hosts / sizeof *hosts);
    tcase_add_test(t, a_table_that_was_moved_is_not_used);
    tcase_add_test(t, the_host_has_a_fingerprint);
    tcase_add_test(t, a_cache_that_cannot_be_written_is_told);
    suite_add_tcase(s, t);
    return s;
}
