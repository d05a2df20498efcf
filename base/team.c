/* SPDX-License-Identifier: MIT */
#include "base/team.h"

#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

/* Phases are numbered through the life of the team, from 1 on. A slot says how far its part has come: the phase, times
 * four, and one of these. It only grows, so that a member who was away finds his way back by reading it. */
enum { CLAIMED = 1, DONE = 2, STOOD_IN = 3 }; /* STOOD_IN: done, and not by its member */

enum { LINE = 64 };
struct slot {
    alignas(LINE) _Atomic uint64_t word;
    char apart[LINE]; /* processors fetch two lines at once */
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
    alignas(LINE) _Atomic uint64_t limit; /* the last phase that may begin */
    atomic_bool stop;
    alignas(LINE) atomic_int sleepers;
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

static bool part_done(struct team *t, uint64_t phase, int part)
{
    return atomic_load(&t->slots[part].word) >= (phase << 2 | DONE);
}

static bool phase_done(struct team *t, uint64_t phase)
{
    for (int i = 0; i < t->threads; i++)
        if (!part_done(t, phase, i))
            return false;
    return true;
}

static bool phase_begins(struct team *t, uint64_t phase)
{
    return atomic_load(&t->limit) >= phase || atomic_load(&t->stop);
}

/* After a change that someone may sleep for. Who falls asleep counts himself before he looks for the change a last
 * time, and this looks for sleepers after it was made: one of them sees the other. */
static void wake_sleepers(struct team *t)
{
    if (atomic_load(&t->sleepers) == 0)
        return;
    pthread_mutex_lock(&t->mutex);
    pthread_cond_broadcast(&t->bell);
    pthread_mutex_unlock(&t->mutex);
}

static bool spin(struct team *t, bool (*ready)(struct team *t, uint64_t phase), uint64_t phase, int turns)
{
    for (int i = 0; i < turns; i++, relax())
        if (ready(t, phase))
            return true;
    return false;
}

static void wait_until(struct team *t, bool (*ready)(struct team *t, uint64_t phase), uint64_t phase)
{
    enum { SPIN_TURNS = 100, SPIN_NS = 10 * 1000, YIELD_NS = 60 * 1000 };
    if (spin(t, ready, phase, SPIN_TURNS))
        return;
    for (int64_t begin = clock_ns(), now = begin; now - begin < YIELD_NS; now = clock_ns()) {
        if (spin(t, ready, phase, SPIN_TURNS))
            return;
        if (now - begin > SPIN_NS)
            sched_yield();
    }
    pthread_mutex_lock(&t->mutex);
    atomic_fetch_add(&t->sleepers, 1);
    while (!ready(t, phase))
        pthread_cond_wait(&t->bell, &t->mutex);
    atomic_fetch_sub(&t->sleepers, 1);
    pthread_mutex_unlock(&t->mutex);
}

/* Does a part unless someone has claimed it. The phase before must be done, so that the slot, if it is behind, is
 * complete; and while a part is claimed its phase is not over and the team's work does not change. */
static void take_part(struct team *t, uint64_t phase, int part, int member)
{
    struct slot *s = &t->slots[part];
    uint64_t was = atomic_load(&s->word);
    if (was >> 2 >= phase || !atomic_compare_exchange_strong(&s->word, &was, phase << 2 | CLAIMED))
        return;
    t->body(t->ctx, (int)(phase - t->first), part);
    atomic_store(&s->word, phase << 2 | (part == member ? DONE : STOOD_IN));
    wake_sleepers(t);
}

/* The member's own part, those of who was away in the phase before, and after a while those of who has not come. */
static void work_phase(struct team *t, uint64_t phase, int member)
{
    enum { PATIENCE_TURNS = 40 }; /* about a microsecond: 10 times what a member takes who is there */
    take_part(t, phase, member, member);
    for (int i = 0; i < t->threads; i++)
        if ((atomic_load(&t->slots[i].word) & 3) == STOOD_IN)
            take_part(t, phase, i, member);
    if (spin(t, phase_done, phase, PATIENCE_TURNS))
        return;
    for (int i = 0; i < t->threads; i++)
        take_part(t, phase, i, member);
    wait_until(t, phase_done, phase);
}

static void *member_main(void *arg)
{
    struct member *m = arg;
    struct team *t = m->team;
    for (uint64_t phase = 1;; phase++) {
        uint64_t reached = atomic_load(&t->slots[m->number].word) >> 2;
        phase = phase < reached ? reached : phase; /* others did what was between */
        wait_until(t, phase_begins, phase);
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
    for (int i = 0; i < t->threads; i++)
        atomic_init(&t->slots[i].word, i ? STOOD_IN : DONE);
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
