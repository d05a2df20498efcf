/* SPDX-License-Identifier: MIT */
#include "engine/kernel_bench.h"

#include <math.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/watch.h"

enum { ROUNDS = 5, ROUND_NS = 40000, REPEAT_MOST = 100, TRIES = 5 };
static const double HOPELESS = 4, BEHIND = 1.5; /* times the fastest */
static const double CLOCK_STEADY = 0.08;

struct contender {
    const struct conv_kernel *row;
    void *packed, *prepared, *scratch;
    double ns;
    bool out;
};

struct contest {
    struct watch *watch;
    const struct conv_geom *geom;
    int a_bits;
    struct conv_call call;
    struct contender *items;
    int n;
};

static void contender_init(struct contender *c, const struct conv_kernel *row, const struct contest *x,
                           const struct conv_weights *w)
{
    *c = (struct contender){.row = row, .ns = INFINITY};
    c->packed = mem_new(row->packed_size(x->geom, x->a_bits, w) + 1, 1);
    c->prepared = mem_new(row->prepared_size(x->geom, x->a_bits, w) + 1, 1);
    c->scratch = mem_new(row->scratch_size(x->geom, x->a_bits, w) + 1, 1);
    row->pack(x->geom, x->a_bits, w, c->packed);
    row->prepare(x->geom, x->a_bits, c->packed, x->call.rq, c->prepared);
}

/* Runs it `repeat` times in a row, again where something else had the core meanwhile. Its time is the least it was
 * seen with. */
static void contender_run(const struct contest *x, struct contender *c, int repeat)
{
    struct conv_call call = x->call;
    bool disturbed = true;
    call.packed = c->packed;
    call.prepared = c->prepared;
    call.scratch = c->scratch;
    for (int tries = 0; tries < TRIES && disturbed; tries++) {
        watch_start(x->watch);
        for (int i = 0; i < repeat; i++)
            c->row->run(x->geom, x->a_bits, &call);
        c->ns = fmin(c->ns, (double)watch_stop(x->watch, &disturbed) / repeat);
    }
}

/* Those beyond `most` times the fastest are out. Returns how many are left. */
static int drop_behind(struct contest *x, double most)
{
    double best = INFINITY;
    int left = 0;
    for (int i = 0; i < x->n; i++)
        best = fmin(best, x->items[i].ns);
    for (int i = 0; i < x->n; i++) {
        x->items[i].out |= x->items[i].ns > most * best;
        left += !x->items[i].out;
    }
    return left;
}

/* A round for those that are left. `repeat`: short ones many times. */
static void run_round(struct contest *x, bool repeat)
{
    for (int i = 0; i < x->n; i++) {
        double fit = repeat ? ROUND_NS / (x->items[i].ns + 1) : 1;
        if (!x->items[i].out)
            contender_run(x, &x->items[i], fit < 1 ? 1 : fit > REPEAT_MOST ? REPEAT_MOST : (int)fit);
    }
}

/* The first round finds cold caches. After the second, those that are far behind leave; once three have been repeated,
 * those that are behind: one slow round, as beside a busy neighbour, does not cost a row its place. */
static void run_rounds(struct contest *x)
{
    for (int i = 0; i < x->n; i++) {
        x->items[i].ns = INFINITY;
        x->items[i].out = false;
    }
    run_round(x, false);
    run_round(x, false);
    int left = drop_behind(x, HOPELESS);
    for (int round = 0; round < ROUNDS && left > 1; round++) {
        run_round(x, true);
        if (round > 1)
            left = drop_behind(x, BEHIND);
    }
}

/* Again where the clock changed meanwhile. Returns the nanoseconds of a cycle. */
static double run_contest(struct contest *x)
{
    double before = watch_cycle_ns(), after = before;
    for (int tries = 0; tries < TRIES; tries++) {
        before = after;
        run_rounds(x);
        after = watch_cycle_ns();
        if (fabs(after / before - 1) < CLOCK_STEADY)
            break;
    }
    return (before + after) / 2;
}

void kernel_bench(const struct conv_geom *g, int a_bits, const struct conv_weights *w,
                  const struct conv_kernel *const *rows, int n, double *cycles)
{
    size_t n_in = (size_t)g->h * (size_t)g->w * (size_t)g->cin, cout = (size_t)g->cout;
    struct arena arena = {0};
    uint8_t *in = arena_new(&arena, n_in, 1);
    int32_t *m = arena_new(&arena, cout, sizeof *m);
    int64_t *b = arena_new(&arena, cout, sizeof *b);
    struct rng r;
    rng_init(&r, 1);
    const uint32_t codes = g->a_top ? (uint32_t)g->a_top + 1 : 1u << a_bits;
    for (size_t i = 0; i < n_in; i++)
        in[i] = (uint8_t)rng_below(&r, codes);
    for (size_t i = 0; i < cout; i++) {
        m[i] = 1 << 29;
        b[i] = INT64_C(1) << 45;
    }
    const struct requant rq = {.m = m, .b = b, .shift = 40, .hi = (1 << a_bits) - 1};
    struct contest x = {.geom = g, .a_bits = a_bits, .n = n, .watch = watch_begin()};
    x.call = (struct conv_call){.in = in, .rq = &rq};
    x.call.out_u8 = arena_new(&arena, (size_t)g->oh * (size_t)g->ow * cout, 1);
    x.items = arena_new(&arena, (size_t)n, sizeof *x.items);
    for (int i = 0; i < n; i++)
        contender_init(&x.items[i], rows[i], &x, w);
    double cycle_ns = run_contest(&x);
    watch_end(x.watch);
    for (int i = 0; i < n; i++) {
        cycles[i] = x.items[i].ns / cycle_ns;
        mem_free(x.items[i].packed);
        mem_free(x.items[i].prepared);
        mem_free(x.items[i].scratch);
    }
    arena_done(&arena);
}
