/* SPDX-License-Identifier: MIT */
#include "engine/kernel_times.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "engine/kernel_bench.h"

enum {
    GEOM_INTS = sizeof(struct conv_geom) / sizeof(int),
    WIDE_FROM = 5 /* bits at which levels follow from the width */
};
_Static_assert(GEOM_INTS * sizeof(int) == sizeof(struct conv_geom), "a geometry is integers and nothing else");

struct shape_key { /* of one kind of number, so that nothing lies between its members */
    uint64_t levels;
    int32_t geom[GEOM_INTS], w_bits, a_bits;
};
_Static_assert(GEOM_INTS % 2 == 0, "a key has nothing behind its last member");

struct shape_entry {
    uint64_t hash;
    struct shape_key key;
    double *cycles; /* [conv_kernel_count], NAN: not measured */
};

struct kernel_times {
    struct shape_entry *entries;
    int n, cap;
};

struct kernel_times *kernel_times_new(void)
{
    return mem_new(1, sizeof(struct kernel_times));
}

void kernel_times_free(struct kernel_times *t)
{
    for (int i = 0; t && i < t->n; i++)
        mem_free(t->entries[i].cycles);
    if (t)
        mem_free(t->entries);
    mem_free(t);
}

int kernel_times_count(const struct kernel_times *t)
{
    return t->n;
}

static struct shape_key key_of(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    struct shape_key k = {.w_bits = w->bits, .a_bits = a_bits};
    memcpy(k.geom, g, sizeof k.geom);
    if (w->bits < WIDE_FROM)
        k.levels = hash_u64(w->levels, (size_t)1 << w->bits, 0);
    return k;
}

static struct shape_entry *find_entry(const struct kernel_times *t, const struct shape_key *k)
{
    uint64_t hash = hash_u64(k, sizeof *k, 0);
    for (int i = 0; i < t->n; i++)
        if (t->entries[i].hash == hash && !memcmp(&t->entries[i].key, k, sizeof *k))
            return &t->entries[i];
    return NULL;
}

static struct shape_entry *need_entry(struct kernel_times *t, const struct shape_key *k)
{
    struct shape_entry *x = find_entry(t, k);
    if (x)
        return x;
    if (t->n == t->cap) {
        int cap = t->cap ? 2 * t->cap : 64;
        t->entries = mem_resize(t->entries, (size_t)t->n, (size_t)cap, sizeof *t->entries);
        t->cap = cap;
    }
    x = &t->entries[t->n++];
    *x = (struct shape_entry){.hash = hash_u64(k, sizeof *k, 0), .key = *k};
    x->cycles = mem_new((size_t)conv_kernel_count, sizeof *x->cycles);
    for (int i = 0; i < conv_kernel_count; i++)
        x->cycles[i] = NAN;
    return x;
}

static int row_index(const struct conv_kernel *row)
{
    int i = 0;
    while (conv_kernels[i] != row)
        i++;
    return i;
}

int kernel_times_rows(const struct conv_geom *g, int a_bits, const struct conv_weights *w,
                      const struct conv_kernel **rows)
{
    int n = 0;
    for (int i = 0; i < conv_kernel_count; i++)
        if (conv_kernels[i]->isa != ISA_C && isa_enabled(conv_kernels[i]->isa) &&
            conv_kernel_can(conv_kernels[i], g, a_bits, w))
            rows[n++] = conv_kernels[i];
    if (!n)
        rows[n++] = conv_kernel_find(g, a_bits, w);
    return n;
}

double kernel_times_cycles(const struct kernel_times *t, const struct conv_geom *g, int a_bits,
                           const struct conv_weights *w, const struct conv_kernel *row)
{
    struct shape_key k = key_of(g, a_bits, w);
    const struct shape_entry *x = find_entry(t, &k);
    return x ? x->cycles[row_index(row)] : NAN;
}

void kernel_times_set(struct kernel_times *t, const struct conv_geom *g, int a_bits, const struct conv_weights *w,
                      const struct conv_kernel *row, double cycles)
{
    struct shape_key k = key_of(g, a_bits, w);
    need_entry(t, &k)->cycles[row_index(row)] = cycles;
}

/* What is known of the row at other widths of activations, where that says all; else NAN. */
static double known_elsewhere(const struct kernel_times *t, const struct conv_geom *g, const struct conv_weights *w,
                              const struct conv_kernel *row)
{
    for (int a = 1; row->a_effect == A_EFFECT_NONE && a <= 8; a++) {
        double cycles = kernel_times_cycles(t, g, a, w, row);
        if (!isnan(cycles))
            return cycles;
    }
    return NAN;
}

/* Times the rows, and again while one that is known takes much longer than it did: then something else had a part in
 * it. known: NAN where it is not. */
static void time_rows(const struct conv_geom *g, int a_bits, const struct conv_weights *w,
                      const struct conv_kernel *const *rows, const double *known, int n, double *cycles)
{
    enum { TRIES = 4 };
    static const double LONGER = 1.15;
    double *again = mem_new((size_t)n, sizeof *again);
    bool disturbed = n > 0;
    for (int i = 0; i < n; i++)
        cycles[i] = INFINITY;
    for (int tries = 0; tries < TRIES && disturbed; tries++) {
        kernel_bench(g, a_bits, w, rows, n, again);
        disturbed = false;
        for (int i = 0; i < n; i++) {
            cycles[i] = fmin(cycles[i], again[i]);
            disturbed |= cycles[i] > LONGER * known[i];
        }
    }
    mem_free(again);
}

/* Measures rows that are not known, and beside them those that they have to beat, since a machine is not always equally
 * fast: the best that is known, and what comes near it. */
static void measure_rows(struct kernel_times *t, const struct conv_geom *g, int a_bits, const struct conv_weights *w,
                         const struct conv_kernel *const *rows, int n)
{
    static const double NEAR = 1.3;
    const struct conv_kernel **timed = mem_new((size_t)n, sizeof *timed);
    double *cycles = mem_new((size_t)n, sizeof *cycles), *before = mem_new((size_t)n, sizeof *before), best = INFINITY;
    int n_timed = 0, unknown = 0;
    for (int i = 0; i < n; i++) {
        double known = known_elsewhere(t, g, w, rows[i]);
        best = fmin(best, known); /* passes NAN over */
        unknown += isnan(known);
    }
    for (int i = 0; i < n; i++) {
        double known = known_elsewhere(t, g, w, rows[i]);
        if (isnan(known) || (unknown && known <= NEAR * best)) {
            before[n_timed] = known;
            timed[n_timed++] = rows[i];
        } else {
            kernel_times_set(t, g, a_bits, w, rows[i], known);
        }
    }
    time_rows(g, a_bits, w, timed, before, n_timed, cycles);
    for (int i = 0; i < n_timed; i++)
        kernel_times_set(t, g, a_bits, w, timed[i], cycles[i]);
    mem_free(timed);
    mem_free(cycles);
    mem_free(before);
}

const struct conv_kernel *kernel_times_choose(struct kernel_times *t, const struct conv_geom *g, int a_bits,
                                              const struct conv_weights *w)
{
    if (!t)
        return conv_kernel_find(g, a_bits, w);
    const struct conv_kernel **rows = mem_new((size_t)conv_kernel_count, sizeof *rows), *best;
    int n = kernel_times_rows(g, a_bits, w, rows);
    bool known = true;
    for (int i = 0; i < n && n > 1; i++)
        known &= !isnan(kernel_times_cycles(t, g, a_bits, w, rows[i]));
    if (!known)
        measure_rows(t, g, a_bits, w, rows, n);
    best = rows[n - 1];
    for (int i = n - 2; i >= 0; i--)
        if (kernel_times_cycles(t, g, a_bits, w, rows[i]) < kernel_times_cycles(t, g, a_bits, w, best))
            best = rows[i];
    mem_free(rows);
    return best;
}

int kernel_times_contest(const struct kernel_times *t, const struct conv_geom *g, int a_bits,
                         const struct conv_weights *w, struct contender *out)
{
    const struct conv_kernel **rows = mem_new((size_t)conv_kernel_count, sizeof *rows);
    int n = kernel_times_rows(g, a_bits, w, rows), known = 0;
    for (int i = 0; i < n; i++) {
        struct contender x = {rows[i], kernel_times_cycles(t, g, a_bits, w, rows[i])};
        int at = known;
        if (isnan(x.cycles))
            continue;
        for (; at > 0 && out[at - 1].cycles > x.cycles; at--)
            out[at] = out[at - 1];
        out[at] = x;
        known++;
    }
    mem_free(rows);
    return known;
}

/* --- text: "conv", the geometry, widths, levels, then names with their times ----------------------------------------
 */

static const char tag[] = "conv ";

void kernel_times_write(const struct kernel_times *t, struct text *out)
{
    for (int i = 0; i < t->n; i++) {
        const struct shape_key *k = &t->entries[i].key;
        text_put(out, tag);
        for (int j = 0; j < GEOM_INTS; j++)
            text_printf(out, "%d ", k->geom[j]);
        text_printf(out, "%d %d %llx", k->w_bits, k->a_bits, (unsigned long long)k->levels);
        for (int j = 0; j < conv_kernel_count; j++)
            if (!isnan(t->entries[i].cycles[j]))
                text_printf(out, " %s %.1f", conv_kernels[j]->name, t->entries[i].cycles[j]);
        text_put(out, "\n");
    }
}

/* The row with this name, n bytes long, or -1. */
static int find_row(const char *name, size_t n)
{
    for (int i = 0; i < conv_kernel_count; i++)
        if (strlen(conv_kernels[i]->name) == n && !memcmp(conv_kernels[i]->name, name, n))
            return i;
    return -1;
}

/* One line without its tag; what comes after its end, or NULL when it is damaged. */
static const char *read_line(struct kernel_times *t, const char *s)
{
    struct shape_key k = {0};
    int numbers[GEOM_INTS + 2];
    char *end;
    for (int j = 0; j < GEOM_INTS + 2; j++, s = end) {
        long x = strtol(s, &end, 10);
        if (end == s || x < 0 || x > INT32_MAX)
            return NULL;
        numbers[j] = (int)x;
    }
    memcpy(k.geom, numbers, sizeof k.geom);
    k.w_bits = numbers[GEOM_INTS];
    k.a_bits = numbers[GEOM_INTS + 1];
    k.levels = strtoull(s, &end, 16);
    if (end == s || k.w_bits < 1 || k.w_bits > 8 || k.a_bits < 1 || k.a_bits > 8)
        return NULL;
    struct shape_entry *x = need_entry(t, &k);
    for (s = end; *s == ' '; s = end) {
        size_t n = strcspn(++s, " \n");
        int row = find_row(s, n);
        double cycles = strtod(s + n, &end);
        if (row < 0 || end == s + n || !(cycles > 0))
            return NULL;
        x->cycles[row] = cycles;
    }
    return *s == '\n' ? s + 1 : NULL;
}

int kernel_times_read(struct kernel_times *t, const char **s)
{
    struct kernel_times *fresh = kernel_times_new();
    const char *at = *s;
    while (at && !strncmp(at, tag, sizeof tag - 1))
        at = read_line(fresh, at + sizeof tag - 1);
    for (int i = 0; at && i < fresh->n; i++) {
        struct shape_entry *x = need_entry(t, &fresh->entries[i].key);
        memcpy(x->cycles, fresh->entries[i].cycles, (size_t)conv_kernel_count * sizeof *x->cycles);
    }
    kernel_times_free(fresh);
    if (!at)
        return -1;
    *s = at;
    return 0;
}
