/* SPDX-License-Identifier: MIT
 *
 * Instruction sets: what is detected agrees with /proc/cpuinfo, and the mask masks.
 */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "kernels/isa.h"

Suite *check_isa_suite(void);

#if defined(__x86_64__)
#include <cpuid.h>
#define HERE "x86-64"
static const char flag_line[] = "flags";
#else
#define HERE "aarch64"
static const char flag_line[] = "Features";
#endif

/* What /proc/cpuinfo says of the first processor behind this key, between blanks; false if there is no such line. */
static bool cpuinfo_line(const char *key, char *line, size_t size)
{
    FILE *f = fopen("/proc/cpuinfo", "r");
    bool found = false;
    while (f && !found && fgets(line, (int)size, f)) {
        char *value = strchr(line, ':');
        found = value && !strncmp(line, key, strlen(key));
        if (found)
            memmove(line, value + 1, strlen(value));
    }
    if (f)
        fclose(f);
    line[found ? strcspn(line, "\n") : 0] = ' ';
    return found;
}

/* Whether the kernel lists a flag; it leaves out what the operating system did not enable. */
static bool cpuinfo_has(const char *flag)
{
    char line[8192], word[64];
    snprintf(word, sizeof word, " %s ", flag);
    return cpuinfo_line(flag_line, line, sizeof line) && strstr(line, word);
}

/* A program under an emulator reads of the processor below. */
static bool cpuinfo_is_ours(void)
{
    char line[8192];
    if (!cpuinfo_line(flag_line, line, sizeof line))
        return false;
#if defined(__x86_64__)
    unsigned name[13] = {0};
    for (unsigned i = 0, *n = name; i < 3; i++, n += 4)
        if (!__get_cpuid(0x80000002 + i, n, n + 1, n + 2, n + 3))
            return false;
    const char *brand = (const char *)name;
    return cpuinfo_line("model name", line, sizeof line) && strstr(line, brand + strspn(brand, " "));
#else
    return true;
#endif
}

START_TEST(test_detection)
{
    ck_assert(isa_supported(ISA_C));
    if (!cpuinfo_is_ours()) {
        fprintf(stderr, "skipped: /proc/cpuinfo is not of this processor\n");
        return;
    }
    bool avx2 = cpuinfo_has("avx2") && cpuinfo_has("fma");
    bool vnni = avx2 && cpuinfo_has("avx512f") && cpuinfo_has("avx512bw") && cpuinfo_has("avx512vl") &&
                cpuinfo_has("avx512dq") && cpuinfo_has("avx512_vnni");
    ck_assert_int_eq(isa_supported(ISA_AVX2), avx2);
    ck_assert_int_eq(isa_supported(ISA_AVX512VNNI), vnni);
    ck_assert_int_eq(isa_supported(ISA_AVX512VBMI),
                     vnni && cpuinfo_has("avx512vbmi") && cpuinfo_has("avx512_vpopcntdq"));
    ck_assert_int_eq(isa_supported(ISA_NEON), cpuinfo_has("asimd"));
    ck_assert_int_eq(isa_supported(ISA_NEONDOT), cpuinfo_has("asimddp"));
}
END_TEST

#if defined(__aarch64__)
/* What the processor's own registers say; Linux and emulators let programs read them. */
START_TEST(test_registers)
{
    unsigned long features, instructions;
    __asm__("mrs %0, ID_AA64PFR0_EL1" : "=r"(features));
    __asm__("mrs %0, ID_AA64ISAR0_EL1" : "=r"(instructions));
    bool simd = (features >> 20 & 15) != 15, dot = (instructions >> 44 & 15) != 0;
    ck_assert_int_eq(isa_supported(ISA_NEON), simd);
    ck_assert_int_eq(isa_supported(ISA_NEONDOT), simd && dot);
}
END_TEST
#endif

/* Every architecture offers its own. */
START_TEST(test_names)
{
    static const struct {
        enum isa isa;
        const char *name, *architecture;
    } rows[ISA_COUNT] = {
        {ISA_C, "c", HERE},
        {ISA_AVX2, "avx2", "x86-64"},
        {ISA_AVX512VNNI, "avx512vnni", "x86-64"},
        {ISA_AVX512VBMI, "avx512vbmi", "x86-64"},
        {ISA_NEON, "neon", "aarch64"},
        {ISA_NEONDOT, "neondot", "aarch64"},
    };
    for (int i = 0; i < ISA_COUNT; i++) {
        const char *name = isa_name(rows[i].isa);
        struct err e = {""};
        if (strcmp(rows[i].architecture, HERE) == 0) {
            ck_assert_str_eq(name, rows[i].name);
            ck_assert_ptr_nonnull(strstr(ISA_NAMES, rows[i].name));
        } else {
            ck_assert_ptr_null(name);
            ck_assert_int_eq(isa_select(rows[i].name, &e), -1);
            ck_assert_ptr_nonnull(strstr(e.text, "unknown"));
        }
    }
}
END_TEST

START_TEST(test_select)
{
    for (int i = 0; i < ISA_COUNT; i++) {
        const char *name = isa_name((enum isa)i);
        struct err e = {""};
        if (isa_supported((enum isa)i)) {
            ck_assert_int_eq(isa_select(name, &e), 0);
            for (int k = 0; k < ISA_COUNT; k++)
                ck_assert_int_eq(isa_enabled((enum isa)k), k <= i && isa_supported((enum isa)k));
        } else if (name) {
            ck_assert_int_eq(isa_select(name, &e), -1);
            ck_assert_ptr_nonnull(strstr(e.text, name));
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
    ck_assert_ptr_nonnull(strstr(e.text, ISA_NAMES));
    for (int k = ISA_C + 1; k < ISA_COUNT; k++)
        ck_assert(!isa_enabled((enum isa)k)); /* a failure changes nothing */
    ck_assert_int_eq(isa_select("auto", NULL), 0);
}
END_TEST

Suite *check_isa_suite(void)
{
    Suite *s = suite_create("isa");
    TCase *c = tcase_create("isa");
    tcase_add_test(c, test_detection);
#if defined(__aarch64__)
    tcase_add_test(c, test_registers);
#endif
    tcase_add_test(c, test_names);
    tcase_add_test(c, test_select);
    tcase_add_test(c, test_select_unknown);
    suite_add_tcase(s, c);
    return s;
}
