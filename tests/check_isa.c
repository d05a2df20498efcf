/* SPDX-License-Identifier: MIT
 *
 * Instruction sets: what is detected agrees with /proc/cpuinfo, and the mask masks.
 */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "kernels/isa.h"

Suite *check_isa_suite(void);

/* Whether the kernel lists a flag of the first processor; it leaves out what the operating system did not enable. */
static bool cpuinfo_has(const char *flag)
{
    FILE *f = fopen("/proc/cpuinfo", "r");
    char line[8192], word[64];
    bool found = false;
    snprintf(word, sizeof word, " %s ", flag);
    while (f && !found && fgets(line, sizeof line, f)) {
        if (strncmp(line, "flags", 5) != 0)
            continue;
        line[strcspn(line, "\n")] = ' ';
        found = strstr(line, word) != NULL;
    }
    if (f)
        fclose(f);
    return found;
}

START_TEST(test_detection)
{
    bool avx2 = cpuinfo_has("avx2") && cpuinfo_has("fma");
    bool vnni = avx2 && cpuinfo_has("avx512f") && cpuinfo_has("avx512bw") && cpuinfo_has("avx512vl") &&
                cpuinfo_has("avx512dq") && cpuinfo_has("avx512_vnni");
    ck_assert(isa_supported(ISA_C));
    ck_assert_int_eq(isa_supported(ISA_AVX2), avx2);
    ck_assert_int_eq(isa_supported(ISA_AVX512VNNI), vnni);
    ck_assert_int_eq(isa_supported(ISA_AVX512VBMI),
                     vnni && cpuinfo_has("avx512vbmi") && cpuinfo_has("avx512_vpopcntdq"));
}
END_TEST

START_TEST(test_select)
{
    static const char *const names[ISA_COUNT] = {"c", "avx2", "avx512vnni", "avx512vbmi"};
    for (int i = 0; i < ISA_COUNT; i++) {
        struct err e = {""};
        ck_assert_str_eq(isa_name((enum isa)i), names[i]);
        if (isa_supported((enum isa)i)) {
            ck_assert_int_eq(isa_select(names[i], &e), 0);
            for (int k = 0; k < ISA_COUNT; k++)
                ck_assert_int_eq(isa_enabled((enum isa)k), k <= i && isa_supported((enum isa)k));
        } else {
            ck_assert_int_eq(isa_select(names[i], &e), -1);
            ck_assert_ptr_nonnull(strstr(e.text, names[i]));
        }
    }
    ck_assert_int_eq(isa_select("auto", NULL), 0);
    for (int k = 0; k < ISA_COUNT; k++)
        ck_assert_int_eq(isa_enabled((enum isa)k), isa_supported((enum isa)k));
}
END_TEST

START_TEST(test_select_unknown)
{
    struct err e = {""};
    ck_assert_int_eq(isa_select("c", NULL), 0);
    ck_assert_int_eq(isa_select("sse9", &e), -1);
    ck_assert_ptr_nonnull(strstr(e.text, "sse9"));
    ck_assert(!isa_enabled(ISA_AVX2)); /* a failure changes nothing */
    ck_assert_int_eq(isa_select("auto", NULL), 0);
}
END_TEST

Suite *check_isa_suite(void)
{
    Suite *s = suite_create("isa");
    TCase *c = tcase_create("isa");
    tcase_add_test(c, test_detection);
    tcase_add_test(c, test_select);
    tcase_add_test(c, test_select_unknown);
    suite_add_tcase(s, c);
    return s;
}
