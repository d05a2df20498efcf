/* SPDX-License-Identifier: MIT
 *
 * Teams: every part of every phase once and in order, whoever does it, with fewer processors than members, after sleep,
 * and with members that come late.
 */
#include <check.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#include "base/mem.h"
#include "base/team.h"

Suite *check_team_suite(void);

enum { MOST = 16 };

struct phases {
    struct team *team;
    int n;
    int *plain;         /* [MOST] not atomic: parts of a phase write their own, those of the next read all */
    atomic_int running; /* parts that have begun and not returned */
    atomic_int phase, wrong;
    int nap_part; /* who sleeps in the middle, or -1 */
};

static void nap(int microseconds)
{
    nanosleep(&(struct timespec){.tv_nsec = microseconds * 1000}, NULL);
}

static void body(void *ctx, int phase, int part)
{
    struct phases *p = ctx;
    int members = team_threads(p->team);
    atomic_fetch_add(&p->running, 1);
    if (atomic_load(&p->running) > members || part < 0 || part >= members || phase < 0 || phase >= p->n)
        atomic_store(&p->wrong, 1);
    int *now = p->plain + phase % 2 * MOST, *before = p->plain + (phase + 1) % 2 * MOST;
    for (int i = 0; i < members; i++)
        if (before[i] != phase)
            atomic_store(&p->wrong, 1);
    if (part == p->nap_part)
        nap(300);
    if (now[part] != (phase ? phase - 1 : -1))
        atomic_store(&p->wrong, 1);
    now[part] = phase + 1;
    atomic_fetch_sub(&p->running, 1);
}

static void run_phases(struct team *team, int n, int nap_part)
{
    int plain[2 * MOST];
    struct phases p = {.team = team, .n = n, .plain = plain, .nap_part = nap_part};
    for (int i = 0; i < MOST; i++) {
        plain[i] = -1;       /* of even phases */
        plain[MOST + i] = 0; /* of odd ones, and what phase 0 expects of the one before */
    }
    team_run(team, n, body, &p);
    ck_assert_int_eq(p.wrong, 0);
    ck_assert_int_eq(p.running, 0);
    for (int i = 0; n > 0 && i < team_threads(team); i++)
        ck_assert_int_eq(plain[(n - 1) % 2 * MOST + i], n);
}

static const int sizes[] = {1, 2, 3, 5, MOST};
enum { N_SIZES = sizeof sizes / sizeof *sizes };

START_TEST(test_phases_in_order)
{
    struct team *t = team_new(sizes[_i]);
    ck_assert_int_eq(team_threads(t), sizes[_i]);
    for (int n = 0; n < 40; n++)
        run_phases(t, n, -1);
    for (int i = 0; i < 200; i++)
        run_phases(t, 25, -1);
    team_free(t);
}
END_TEST

/* Members fall asleep between runs, and in runs while another takes long. */
START_TEST(test_sleepers)
{
    struct team *t = team_new(sizes[_i]);
    for (int i = 0; i < 20; i++) {
        run_phases(t, 3, i % 4 == 0 ? i % sizes[_i] : -1);
        nap(i % 5 * 100);
    }
    team_free(t);
}
END_TEST

START_TEST(test_short_lives)
{
    for (int i = 0; i < 50; i++) {
        struct team *t = team_new(sizes[_i]);
        if (i % 3)
            run_phases(t, i, -1);
        team_free(t);
    }
    team_free(NULL);
}
END_TEST

/* Two teams at once, each in the hands of one thread of the other's kind of work: they share nothing. */
static void run_inside(void *ctx, int phase, int part)
{
    struct team **teams = ctx;
    (void)phase;
    if (part < 2)
        run_phases(teams[part], 20, -1);
}

START_TEST(test_teams_in_a_team)
{
    struct team *outer = team_new(3), *inner[] = {team_new(2), team_new(3)};
    team_run(outer, 5, run_inside, inner);
    team_free(outer);
    team_free(inner[0]);
    team_free(inner[1]);
}
END_TEST

Suite *check_team_suite(void)
{
    Suite *s = suite_create("team");
    TCase *t = tcase_create("team");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, test_phases_in_order, 0, N_SIZES);
    tcase_add_loop_test(t, test_sleepers, 0, N_SIZES);
    tcase_add_loop_test(t, test_short_lives, 0, N_SIZES);
    tcase_add_test(t, test_teams_in_a_team);
    suite_add_tcase(s, t);
    return s;
}
