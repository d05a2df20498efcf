/* SPDX-License-Identifier: MIT
 *
 * What is broken gets one line on standard error, an exact exit status, and leaves no file behind.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/text.h"
#include "tests/hostile.h"
#include "tests/onnx_make.h"
#include "tests/process.h"

Suite *check_bad_input_suite(void);

/* Files that are in the room before, and must be all that is in it after. */
static void expect(const struct room *r, const struct process_options *o, const char *words, int status,
                   const char *part)
{
    int files = room_files(r);
    struct process p = process_run(r, o, words);
    ck_assert_msg(p.status == status, "%s: status %d, not %d: %s", words, p.status, status, p.err);
    ck_assert_msg(!strncmp(p.err, "bitfader: ", 10), "%s: %s", words, p.err);
    ck_assert_msg(strchr(p.err, '\n') == p.err + p.err_n - 1, "%s: not one line: %s", words, p.err);
    ck_assert_msg(strstr(p.err, part), "%s: no '%s' in %s", words, part, p.err);
    ck_assert_msg(!p.out_n, "%s: standard output has %s", words, p.out);
    ck_assert_msg(room_files(r) == files, "%s: left a file", words);
    process_done(&p);
}

/* Every command that opens a model, on the same one. */
static void expect_of_all(const struct room *r, const char *model, int status, const char *part)
{
    static const char *const commands[] = {"inspect %s", "estimate %s -p w4a4 -o $D/out", "profile check %s -p w4a4",
                                           "shot %s", "inspect --json %s -o $D/out"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        char words[256];
        snprintf(words, sizeof words, commands[i], model);
        expect(r, NULL, words, status, part);
    }
}

START_TEST(truncated_models)
{
    struct room r;
    struct err e;
    size_t n;
    if (room_open(&r))
        return;
    char *bytes = file_read(r.model, (size_t)1 << 30, &n, &e);
    ck_assert_msg(bytes, "%s", e.text);
    const size_t lengths[] = {0, 1, 7, 64, 1000, n / 3, n / 2, n - 1000, n - 1};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        room_write(&r, "cut.onnx", bytes, lengths[i]);
        expect(&r, NULL, "inspect $D/cut.onnx", 3, "cut.onnx");
        expect(&r, NULL, "estimate $D/cut.onnx -o $D/out", 3, "cut.onnx");
    }
    mem_free(bytes);
    room_close(&r);
}
END_TEST

START_TEST(models_that_are_none)
{
    struct room r;
    if (room_open(&r))
        return;
    uint8_t noise[4096];
    struct rng rng;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        rng_init(&rng, seed);
        for (size_t i = 0; i < sizeof noise; i++)
            noise[i] = (uint8_t)rng_below(&rng, 256);
        room_write(&r, "noise.onnx", noise, sizeof noise);
        expect(&r, NULL, "inspect $D/noise.onnx", 3, "noise.onnx");
    }
    static const char text[] = "this is no model\n";
    room_write(&r, "text.onnx", text, sizeof text - 1);
    expect_of_all(&r, "$D/text.onnx", 3, "text.onnx");
    expect_of_all(&r, "$D/missing.onnx", 3, "missing.onnx");
    expect_of_all(&r, "$D", 3, r.dir);
    expect_of_all(&r, "/dev/null", 3, "/dev/null");
    room_close(&r);
}
END_TEST

/* What asks for more time, memory or stack than a file should get: through the program. What opens stays small. */
START_TEST(hostile_models)
{
    const struct hostile_case *c = &hostile_cases[_i];
    struct room r;
    if (room_open(&r))
        return;
    size_t n;
    uint8_t *bytes = c->make(&n);
    room_write(&r, "hostile.onnx", bytes, n);
    mem_free(bytes);
    if (c->said) {
        expect(&r, NULL, "inspect $D/hostile.onnx", 3, c->said);
    } else {
        struct process p = process_run(&r, NULL, "inspect $D/hostile.onnx");
        ck_assert_msg(p.status == 0, "%s: %d: %s", c->name, p.status, p.err);
        ck_assert_msg(p.peak_kib < 1300 * 1024, "%s: %ld KiB", c->name, p.peak_kib);
        process_done(&p);
    }
    room_close(&r);
}
END_TEST

/* Weights that climb out of the folder. */
START_TEST(far_data)
{
    static const struct {
        const char *location, *said;
    } rows[] = {{"../../../../../../../../etc/passwd",
                 "tensor \"w\": its data file ../../../../../../../../etc/passwd is outside"},
                {"/etc/passwd", "tensor \"w\": its data file /etc/passwd is an absolute path"},
                {"no/such\x1b[31m.bin", "tensor \"w\": its data file no/such?[31m.bin cannot be read"},
                {".", "tensor \"w\": its data file . is outside"}};
    struct room r;
    if (room_open(&r))
        return;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a = {0};
        size_t n;
        Onnx__ModelProto *m = onnx_make_model("in x 1,3\nconst w 3,3\nMatMul(x,w)->y\nout y", &a);
        Onnx__StringStringEntryProto entry, *entries[] = {&entry};
        onnx__string_string_entry_proto__init(&entry);
        entry.key = arena_strdup(&a, "location");
        entry.value = arena_strdup(&a, rows[i].location);
        m->graph->initializer[0]->external_data = entries;
        m->graph->initializer[0]->n_external_data = 1;
        m->graph->initializer[0]->data_location = 1;
        m->graph->initializer[0]->n_float_data = 0;
        unsigned char *bytes = onnx_make_bytes(m, &a, &n);
        room_write(&r, "far.onnx", bytes, n);
        expect(&r, NULL, "inspect $D/far.onnx", 3, rows[i].said);
        arena_done(&a);
    }
    room_close(&r);
}
END_TEST

/* --- profiles ----------------------------------------------------------------------------------------------------- */

/* The profile that the program itself writes for its model; the caller frees. */
static char *good_profile(const struct room *r)
{
    struct process p = process_run(r, NULL, "profile set $M --set *:w4a8 -o -");
    ck_assert_msg(p.status == 0, "%s", p.err);
    char *text = mem_strdup(p.out);
    process_done(&p);
    return text;
}

/* The text with the first `old` made `new`; the caller frees. */
static char *replaced(const char *text, const char *old, const char *new)
{
    const char *at = strstr(text, old);
    ck_assert_msg(at, "no '%s' in:\n%s", old, text);
    return mem_printf("%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
}

START_TEST(broken_profiles)
{
    static const struct {
        const char *old, *new, *part;
    } rows[] = {
        {"bitfader/profile/1", "bitfader/profile/9", "bad.yaml:1:"},
        {"fingerprint: xxh3-", "fingerprint: xxh3-0", "--rebind"},
        {"\ndefaults:", "\nfrobnicate: 3\ndefaults:", "bad.yaml:"},
        {"w: 8", "w: 9", "bad.yaml:"},
        {"w: 8", "w: -1", "bad.yaml:"},
        {"w: 8", "w: many", "bad.yaml:"},
        {"w: 8", "weight: 8", "weight"},
        {"scheme: uniform", "scheme: magic", "magic"},
        {"\nlayers:", "\nlayers:\n  no.such.layer: {w: 4}", "no.such.layer"},
        {"schema:", "schema: [", "bad.yaml"},
        {"schema: bitfader/profile/1", "", "schema"},
    };
    struct room r;
    if (room_open(&r))
        return;
    char *good = good_profile(&r);
    room_write(&r, "bad.yaml", good, strlen(good));
    struct process p = process_run(&r, NULL, "profile check $M -p $D/bad.yaml"); /* not bad yet */
    ck_assert_msg(p.status == 0, "%s", p.err);
    process_done(&p);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *bad = replaced(good, rows[i].old, rows[i].new);
        room_write(&r, "bad.yaml", bad, strlen(bad));
        expect(&r, NULL, "profile check $M -p $D/bad.yaml", 4, rows[i].part);
        expect(&r, NULL, "estimate $M -p $D/bad.yaml -o $D/out", 4, rows[i].part);
        mem_free(bad);
    }
    for (size_t cut = 1; cut < strlen(good);
         cut += 37) { /* half a profile may still be one, but never ends worse than 4 */
        room_write(&r, "bad.yaml", good, cut);
        p = process_run(&r, NULL, "profile check $M -p $D/bad.yaml");
        ck_assert_msg(p.status == 4 || p.status == 0, "%zu bytes: %d: %s", cut, p.status, p.err);
        process_done(&p);
    }
    mem_free(good);
    expect(&r, NULL, "profile check $M -p $D/missing.yaml", 4, "missing.yaml");
    expect(&r, NULL, "profile check $M -p $D", 4, r.dir);
    room_close(&r);
}
END_TEST

/* "FILE:LINE:COLUMN: " stands where the key stands. */
START_TEST(places_are_named)
{
    struct room r;
    if (room_open(&r))
        return;
    char *good = good_profile(&r), *bad = replaced(good, "\ndefaults:", "\nfrobnicate: 3\ndefaults:");
    int line = 1;
    for (const char *s = bad; s < strstr(bad, "frobnicate"); s++)
        line += *s == '\n';
    char place[64];
    snprintf(place, sizeof place, "bad.yaml:%d:1: ", line);
    room_write(&r, "bad.yaml", bad, strlen(bad));
    expect(&r, NULL, "profile check $M -p $D/bad.yaml", 4, place);
    mem_free(bad);
    mem_free(good);
    room_close(&r);
}
END_TEST

/* --- datasets and files ------------------------------------------------------------------------------------------- */

START_TEST(missing_datasets)
{
    static const char description[] = "schema: bitfader/dataset/1\nname: nothing\n";
    struct room r;
    if (room_open(&r))
        return;
    room_write(&r, "half.yaml", description, sizeof description - 1);
    expect(&r, NULL, "run $M -d no-such-dataset", 4, "no-such-dataset");
    expect(&r, NULL, "run $M -d $D/missing.yaml", 4, "missing.yaml");
    expect(&r, NULL, "search $M -d $D/half.yaml --budget size=1KiB -o $D/out", 4, "half.yaml");
    expect(&r, NULL, "analyze $M -d $D", 4, r.dir);
    expect(&r, &(struct process_options){.variable = "BITFADER_DATA=no-such-dataset"}, "run $M", 4, "no-such-dataset");
    room_close(&r);
}
END_TEST

START_TEST(files_that_cannot_be_written)
{
    static const char *const commands[] = {"profile set $M --set *:w4 -q -o %s", "inspect $M -o %s",
                                           "profile show $M --json -o %s"};
    struct room r;
    if (room_open(&r))
        return;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        char words[128];
        snprintf(words, sizeof words, commands[i], "$D/missing/out.yaml");
        expect(&r, NULL, words, 1, "missing/out.yaml");
        snprintf(words, sizeof words, commands[i], "/dev/full");
        expect(&r, NULL, words, 1, "No space left on device");
        snprintf(words, sizeof words, commands[i], "$D/out.yaml"); /* the disk fills up on the way */
        expect(&r, &(struct process_options){.file_limit = 100}, words, 1, "out.yaml");
        snprintf(words, sizeof words, commands[i], "$D");
        expect(&r, NULL, words, 1, r.dir);
    }
    room_close(&r);
}
END_TEST

/* A profile that cannot be saved over stays what it was. */
START_TEST(the_old_file_stays)
{
    struct room r;
    struct err e;
    size_t n;
    if (room_open(&r))
        return;
    char *good = good_profile(&r), *path = mem_printf("%s/p.yaml", r.dir);
    room_write(&r, "p.yaml", good, strlen(good));
    expect(&r, &(struct process_options){.file_limit = 100}, "profile set $M -p $D/p.yaml --set *:w2 -q", 1, "p.yaml");
    char *after = file_read(path, 1 << 20, &n, &e);
    ck_assert_str_eq(after, good);
    mem_free(after);
    mem_free(path);
    mem_free(good);
    room_close(&r);
}
END_TEST

Suite *check_bad_input_suite(void)
{
    Suite *s = suite_create("bad_input");
    TCase *t = tcase_create("bad_input");
    tcase_set_timeout(t, 180);
    tcase_add_test(t, truncated_models);
    tcase_add_test(t, models_that_are_none);
    tcase_add_test(t, far_data);
    tcase_add_loop_test(t, hostile_models, 0, hostile_cases_count);
    tcase_add_test(t, broken_profiles);
    tcase_add_test(t, places_are_named);
    tcase_add_test(t, missing_datasets);
    tcase_add_test(t, files_that_cannot_be_written);
    tcase_add_test(t, the_old_file_stays);
    suite_add_tcase(s, t);
    return s;
}
