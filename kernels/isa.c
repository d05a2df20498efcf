/* SPDX-License-Identifier: MIT */
#include "kernels/isa.h"

#include <string.h>

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

#define ISA_INDEXED_NAME(isa, name) [isa] = name,
static const char *const isa_names[ISA_COUNT] = {[ISA_C] = "c", ISA_ROWS(ISA_INDEXED_NAME)};

/* The user's limit: instruction sets above it are masked. */
static enum isa isa_limit = ISA_COUNT - 1;

const char *isa_name(enum isa isa)
{
    return isa_names[isa];
}

#if defined(__x86_64__)
/* The compiler's run-time asks XGETBV whether the operating system saves the wide registers. */
static bool processor_has(enum isa isa)
{
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    bool vnni = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                __builtin_cpu_supports("avx512vnni");
    switch (isa) {
    case ISA_AVX2:
        return avx2;
    case ISA_AVX512VNNI:
        return vnni;
    case ISA_AVX512VBMI:
        return vnni && __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vpopcntdq");
    default:
        return false;
    }
}
#elif defined(__aarch64__)
static bool processor_has(enum isa isa)
{
    unsigned long has = getauxval(AT_HWCAP), needs = isa == ISA_NEON ? HWCAP_ASIMD : HWCAP_ASIMD | HWCAP_ASIMDDP;
    return (isa == ISA_NEON || isa == ISA_NEONDOT) && (has & needs) == needs;
}
#else
static bool processor_has(enum isa isa)
{
    (void)isa;
    return false;
}
#endif

bool isa_supported(enum isa isa)
{
    return isa == ISA_C || processor_has(isa);
}

bool isa_enabled(enum isa isa)
{
    return isa <= isa_limit && isa_supported(isa);
}

int isa_select(const char *name, struct err *e)
{
    if (strcmp(name, "auto") == 0) {
        isa_limit = ISA_COUNT - 1;
        return 0;
    }
    for (int i = 0; i < ISA_COUNT; i++) {
        if (!isa_names[i] || strcmp(name, isa_names[i]) != 0)
            continue;
        if (!isa_supported((enum isa)i))
            return err_set(e, "%s: this processor or operating system lacks it; use auto", name);
        isa_limit = (enum isa)i;
        return 0;
    }
    return err_set(e, "%s: unknown; use one of " ISA_NAMES, name);
}
