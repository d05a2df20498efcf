/* SPDX-License-Identifier: MIT */
#include "search/fingerprint.h"

#include <string.h>

#include "base/hash.h"
#include "base/host.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/version.h"
#include "kernels/float_conv.h"
#include "kernels/kernels.h"

enum part { PART_PROCESSOR, PART_HAS, PART_USES, PART_CACHES, PART_KERNELS, PART_PROGRAM, PART_COUNT };

static uint64_t add_text(const char *s, uint64_t h)
{
    return hash_u64(s, strlen(s) + 1, h);
}

/* What doctor prints of the rows: a kernel that is new, gone or made for other widths makes another table. */
static uint64_t kernels_hash(void)
{
    uint64_t h = 0;
    for (int i = 0; i < conv_kernel_count; i++) {
        const struct conv_kernel *k = conv_kernels[i];
        h = add_text(k->schemes, add_text(k->tile, add_text(k->name, h)));
        h = hash_u64(k->w_bits, sizeof k->w_bits, h);
        h = hash_u64(k->a_bits, sizeof k->a_bits, h);
    }
    for (int i = 0; i < float_conv_kernel_count; i++)
        h = add_text(float_conv_kernels[i]->name, h);
    for (int i = 0; i < matmul_kernel_count; i++)
        h = add_text(matmul_kernels[i]->name, h);
    return add_text(__VERSION__, h); /* of the compiler */
}

static void put_sets(struct text *t, const char *what, bool (*is)(enum isa isa))
{
    text_printf(t, "; %s", what);
    for (int i = 0; i < ISA_COUNT; i++)
        if (is((enum isa)i))
            text_printf(t, " %s", isa_name((enum isa)i));
}

char *fingerprint_new(void)
{
    struct text t = {0};
    char name[128];
    int64_t caches[3];
    host_processor(name, sizeof name);
    for (char *s = name; *s; s++)
        if (*s == ';')
            *s = ',';
    text_put(&t, *name ? name : "a processor without a name");
    put_sets(&t, "has", isa_supported);
    put_sets(&t, "uses", isa_enabled);
    host_caches(caches);
    text_put(&t, "; caches");
    for (int i = 0; i < 3; i++)
        text_printf(&t, " %lldK", (long long)(caches[i] / 1024));
    text_printf(&t, "; kernels %016llx; bitfader %s", (unsigned long long)kernels_hash(), BITFADER_VERSION);
    return t.s;
}

/* Part i of a line and its length. */
static const char *find_part(const char *line, int i, size_t *n)
{
    for (; i > 0 && *line; i--) {
        line += strcspn(line, ";");
        line += *line == ';';
        line += *line == ' ';
    }
    *n = strcspn(line, ";\n");
    return line;
}

static bool same_part(const char *own, const char *other, int i)
{
    size_t n, m;
    const char *a = find_part(own, i, &n), *b = find_part(other, i, &m);
    return n == m && !memcmp(a, b, n);
}

char *fingerprint_difference(const char *own, const char *other)
{
    size_t n;
    const char *name = find_part(other, PART_PROCESSOR, &n);
    if (!same_part(own, other, PART_PROCESSOR))
        return mem_printf("another processor (%.*s)", n > 80 ? 80 : (int)n, name);
    if (!same_part(own, other, PART_HAS) || !same_part(own, other, PART_CACHES))
        return mem_strdup("a processor with other instruction sets or caches");
    if (!same_part(own, other, PART_KERNELS) || !same_part(own, other, PART_PROGRAM))
        return mem_strdup("other kernels");
    return NULL;
}
