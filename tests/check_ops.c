/* SPDX-License-Identifier: MIT
 *
 * ops/ against ONNX's own cases. $BITFADER_CASES names a part of a case's name to run only those, and prints them all.
 */
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "tests/interpret.h"

Suite *check_ops_suite(void);

static const char *const folders[] = {"node", "simple", "pytorch-converted", "pytorch-operator"};
enum { FOLDERS = sizeof folders / sizeof *folders, CASES_MAX = 2000 };

struct tally {
    int passed, failed, skipped;
};

static void run_case(const char *path, const char *name, bool talk, struct tally *t)
{
    struct err e = {""};
    int rc = 0;
    for (int set = 0; set < case_sets(path) && !rc; set++) {
        struct case_data c;
        struct arena a = {0};
        rc = case_open(&c, path, set, &e);
        struct array *got = rc ? NULL : arena_new(&a, (size_t)c.model.n_outputs + 1, sizeof *got);
        if (!rc)
            rc = interpret(&c, &a, got, &e);
        for (int i = 0; !rc && i < c.model.n_outputs; i++)
            if (array_there(&c.out[i]))
                rc = case_compare(&got[i], &c.out[i], &e) ? err_wrap(&e, "output %d", i) : 0;
        arena_done(&a);
        case_close(&c);
    }
    t->passed += rc == 0;
    t->skipped += rc > 0;
    t->failed += rc < 0;
    if (rc < 0 || talk)
        fprintf(stderr, "%s: %s%s%s\n", name,
                rc < 0 ? "FAILED"
                : rc   ? "skipped"
                       : "passed",
                rc ? ": " : "", rc ? e.text : "");
}

START_TEST(cases)
{
    char folder[256];
    const char *only = getenv("BITFADER_CASES");
    struct tally t = {0};
    snprintf(folder, sizeof folder, "%s/%s", CONFORMANCE_DATA, folders[_i]);
    struct dirent **names;
    int n = scandir(folder, &names, NULL, alphasort);
    if (n < 0) {
        fprintf(stderr, "skipped: %s is not there (package libonnx-testdata)\n", folder);
        return;
    }
    for (int i = 0; i < n; i++) {
        char path[600];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
        if (names[i]->d_name[0] != '.' && (!only || strstr(names[i]->d_name, only)))
            run_case(path, names[i]->d_name, only != NULL, &t);
        free(names[i]);
    }
    free(names);
    fprintf(stderr, "%s: %d passed, %d failed, %d skipped\n", folders[_i], t.passed, t.failed, t.skipped);
    ck_assert_int_eq(t.failed, 0);
}
END_TEST

Suite *check_ops_suite(void)
{
    Suite *s = suite_create("ops");
    TCase *t = tcase_create("onnx");
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, cases, 0, FOLDERS);
    suite_add_tcase(s, t);
    return s;
}
