/* SPDX-License-Identifier: MIT
 *
 * A team: threads that stay and work in step, for work that comes in phases of a few microseconds. parallel_for is for
 * coarse pieces; starting its threads costs more than such a phase.
 *
 * Every phase has one part a member, and who has done his own waits for the others. A member that is not there (asleep,
 * or without a processor) is not waited for: another takes his part. So a team is never much slower than one thread,
 * however busy the machine is; only who is stopped in the middle of a part holds the others up. Waiting spins for
 * some microseconds, then gives the processor away, then sleeps; while all members run nothing enters the kernel.
 */
#ifndef BITFADER_BASE_TEAM_H
#define BITFADER_BASE_TEAM_H

struct team;

/* threads: members, the caller of team_run among them; at least 1. Members whose thread cannot be started are never
 * there. */
struct team *team_new(int threads);
void team_free(struct team *t); /* NULL is fine */
int team_threads(const struct team *t);

/* Calls body(ctx, phase, part) for each phase 0..phases-1 and each part 0..threads-1, each once, on any member. All
 * parts of a phase have returned before one of the next is called. Not for two threads at once. */
void team_run(struct team *t, int phases, void (*body)(void *ctx, int phase, int part), void *ctx);

#endif
