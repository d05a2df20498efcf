/* SPDX-License-Identifier: MIT */
#include "kernels/isa.h"

#include <string.h>

static const char *const isa_names[ISA_COUNT] = {"c", "avx2", "avx512vnni", "avx512vbmi"};

/* The user's limit: instruction sets above it are masked. */
static enum isa isa_limit = ISA_COUNT - 1;

const char *isa_name(enum isa isa)
{
    return isa_names[isa];
}

bool isa_supported(enum isa isa)
{
    if (isa == ISA_C)
        return true;
#if defined(__x86_64__)
    /* The compiler's run-time asks XGETBV whether the operating system saves the wide registers. */
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (isa == ISA_AVX2)
        return avx2;
    bool vnni = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                __builtin_cpu_supports("avx512vnni");
    if (isa == ISA_AVX512VNNI)
        return vnni;
    if (isa == ISA_AVX512VBMI)
        return vnni && __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vpopcntdq");
#endif
    return false;
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
        if (strcmp(name, isa_names[i]) != 0)
            continue;
        if (!isa_supported((enum isa)i))
            return err_set(e, "--isa %s: this processor or operating system lacks it; use auto", name);
        isa_limit = (enum isa)i;
        return 0;
    }
    return err_set(e, "--isa %s: unknown; use c, avx2, avx512vnni, avx512vbmi or auto", name);
}
