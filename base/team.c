/* SPDX-License-Identifier: MIT */
#include "base/team.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

/* Phases are numbered through the life of the team, from 1 on. A part is claimed before it is done, so that anyone can
 * do it; members claim their own, and who is there finds the line of `claimed` in his own cache. The others look at
 * `done` alone: the last phase whose part is done, times two, and STOOD_IN if not by its member. Both only grow, so
 * that a member who was away finds his way back by reading them. */
enum { STOOD_IN = 1, LINE = 128 }; /* processors fetch two lines of 64 bytes at once */
struct slot {
    _Atomic uint64_t claimed;
    char apart[LINE - sizeof(uint64_t)];
    _Atomic uint64_t done;
    char apart_too[LINE - sizeof(uint64_t)];
};

struct member {
    struct team *team;
    int number;
    pthread_t id;
};

struct team {
    int threads, started;
    struct slot *slots;     /* [threads] */
    struct member *members; /* [threads]; the first is whoever calls team_run */
    /* Written before `limit` by team_run; read by who has claimed a part of a phase up to it, and not changed while
     * there is such a part. */
    void (*body)(void *ctx, int phase, int part);
    void *ctx;
    uint64_t first;
    _Atomic uint64_t limit; /* the last phase that may begin */
    atomic_bool stop;
    atomic_int sleepers;
    pthread_mutex_t mutex; /* of those who sleep */
    pthread_cond_t bell;
};

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static bool phase_done(const struct team *t, uint64_t phase)
{
    for (int i = 0; i < t->threads; i++)
        if (atomic_load_explicit(&t->slots[i].done, memory_order_acquire) >> 1 < phase)
            return false;
    return true;
}

static bool phase_begins(const struct team *t, uint64_t phase)
{
    return atomic_load(&t->limit) >= phase || atomic_load(&t->stop);
}

typedef bool condition(const struct team *t, uint64_t phase);

/* Looks `turns` times, the first of them as fast as can be. */
static bool spin(const struct team *t, condition *holds, uint64_t phase, int turns)
{
    enum { EAGER = 50 };
    for (int i = 0; i < turns; i++) {
        if (holds(t, phase))
            return true;
        if (i >= EAGER)
            relax();
    }
    return false;
}

/* Spins, and then lets others have the processor; false after that. */
static bool linger(const struct team *t, condition *holds, uint64_t phase)
{
    enum { TURNS = 100, SPIN_NS = 10 * 1000, YIELD_NS = 60 * 1000 };
    for (int64_t begin = clock_ns(), now = begin; now - begin < YIELD_NS; now = clock_ns()) {
        if (spin(t, holds, phase, TURNS))
            return true;
        if (now - begin > SPIN_NS)
            sched_yield();
    }
    return false;
}

/* A part may take milliseconds. Who finishes it looks after nobody: that would cost every short part a round trip
 * between processors. Who waits sleeps for a fourth of the time that he has waited for. */
static void wait_for_parts(const struct team *t, uint64_t phase)
{
    int64_t begin = clock_ns();
    if (linger(t, phase_done, phase))
        return;
    while (!phase_done(t, phase)) {
        int64_t nap = (clock_ns() - begin) / 4, most = 5 * 1000 * 1000;
        nanosleep(&(struct timespec){.tv_nsec = nap < most ? nap : most}, NULL);
    }
}

/* Who falls asleep counts himself before he looks for work a last time, and team_run looks for sleepers after there is
 * work: one of them sees the other. */
static void wait_for_work(struct team *t, uint64_t phase)
{
    if (linger(t, phase_begins, phase))
        return;
    pthread_mutex_lock(&t->mutex);
    atomic_fetch_add(&t->sleepers, 1);
    while (!phase_begins(t, phase))
        pthread_cond_wait(&t->bell, &t->mutex);
    atomic_fetch_sub(&t->sleepers, 1);
    pthread_mutex_unlock(&t->mutex);
}

static void wake_sleepers(struct team *t)
{
    if (atomic_load(&t->sleepers) == 0)
        return;
    pthread_mutex_lock(&t->mutex);
    pthread_cond_broadcast(&t->bell);
    pthread_mutex_unlock(&t->mutex);
}

/* Does a part unless someone has claimed it. All parts of the phase before must be done; and while a part is claimed
 * its phase is not over, so that the team's work does not change. */
static void take_part(struct team *t, uint64_t phase, int part, int member)
{
    struct slot *s = &t->slots[part];
    uint64_t was = atomic_load_explicit(&s->claimed, memory_order_relaxed);
    if (was >= phase || !atomic_compare_exchange_strong(&s->claimed, &was, phase))
        return;
    t->body(t->ctx, (int)(phase - t->first), part);
    atomic_store_explicit(&s->done, phase << 1 | (part == member ? 0 : STOOD_IN), memory_order_release);
}

/* The member's own part, those of who was away in the phase before, and after a while those of who has not come. */
static void work_phase(struct team *t, uint64_t phase, int member)
{
    enum { PATIENCE = 80 }; /* turns, about a microsecond: what a member takes who is there is a tenth of it */
    take_part(t, phase, member, member);
    for (int i = 0; i < t->threads; i++)
        if (atomic_load_explicit(&t->slots[i].done, memory_order_acquire) == ((phase - 1) << 1 | STOOD_IN))
            take_part(t, phase, i, member);
    if (spin(t, phase_done, phase, PATIENCE))
        return;
    for (int i = 0; i < t->threads; i++)
        take_part(t, phase, i, member);
    wait_for_parts(t, phase);
}

static void *member_main(void *arg)
{
    struct member *m = arg;
    struct team *t = m->team;
    for (uint64_t phase = 1;; phase++) {
        uint64_t reached = atomic_load(&t->slots[m->number].done) >> 1;
        phase = phase < reached ? reached : phase; /* others did what was between */
        wait_for_work(t, phase);
        if (atomic_load(&t->stop))
            return NULL;
        work_phase(t, phase, m->number);
    }
}

struct team *team_new(int threads)
{
    struct team *t = mem_new(1, sizeof *t);
    t->threads = threads < 1 ? 1 : threads;
    t->slots = mem_new((size_t)t->threads, sizeof *t->slots);
    t->members = mem_new((size_t)t->threads, sizeof *t->members);
    pthread_mutex_init(&t->mutex, NULL);
    pthread_cond_init(&t->bell, NULL);
    for (int i = 1; i < t->threads; i++)
        atomic_init(&t->slots[i].done, STOOD_IN);
    for (t->started = 1; t->started < t->threads; t->started++) {
        struct member *m = &t->members[t->started];
        *m = (struct member){.team = t, .number = t->started};
        if (thread_start(&m->id, member_main, m))
            break;
    }
    return t;
}

void team_free(struct team *t)
{
    if (!t)
        return;
    atomic_store(&t->stop, true);
    wake_sleepers(t);
    for (int i = 1; i < t->started; i++)
        pthread_join(t->members[i].id, NULL);
    pthread_cond_destroy(&t->bell);
    pthread_mutex_destroy(&t->mutex);
    mem_free(t->slots);
    mem_free(t->members);
    mem_free(t);
}

int team_threads(const struct team *t)
{
    return t->threads;
}

void team_run(struct team *t, int phases, void (*body)(void *ctx, int phase, int part), void *ctx)
{
    if (phases < 1)
        return;
    uint64_t first = atomic_load(&t->limit) + 1, last = first + (uint64_t)phases - 1;
    t->body = body;
    t->ctx = ctx;
    t->first = first;
    atomic_store(&t->limit, last);
    wake_sleepers(t);
    for (uint64_t phase = first; phase <= last; phase++)
        work_phase(t, phase, 0);
}
