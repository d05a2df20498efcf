/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/host.h"
#include "base/mem.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "base/text.h"
#include "base/watch.h"
#include "quant/precision.h"

Suite *check_base_suite(void);

/* --- clock, rng, hash --------------------------------------------------------------------------------------------- */

START_TEST(clock_goes_forward)
{
    int64_t last = clock_ns();
    for (int i = 0; i < 1000; i++) {
        int64_t now = clock_ns();
        ck_assert(now >= last);
        last = now;
    }
}
END_TEST

START_TEST(rng_is_xoshiro256)
{
    /* The first outputs of the authors' C code from the state 1, 2, 3, 4. */
    static const uint64_t expected[] = {11520, 0, 1509978240, 1215971899390074240u};
    struct rng r = {{1, 2, 3, 4}};
    for (int i = 0; i < 4; i++)
        ck_assert_uint_eq(rng_next(&r), expected[i]);
    /* The first outputs of splitmix64 from 0. */
    rng_init(&r, 0);
    ck_assert_uint_eq(r.s[0], 0xe220a8397b1dcdafu);
    ck_assert_uint_eq(r.s[1], 0x6e789e6aa1b965f4u);
    ck_assert_uint_eq(r.s[2], 0x06c45d188009454fu);
    ck_assert_uint_eq(r.s[3], 0xf88bb8a8724c81ecu);
}
END_TEST

START_TEST(rng_ranges)
{
    struct rng r;
    int seen[7] = {0};
    double sum = 0;
    rng_init(&r, 3);
    for (int i = 0; i < 70000; i++) {
        uint32_t k = rng_below(&r, 7);
        ck_assert_uint_lt(k, 7);
        seen[k]++;
        double u = rng_unit(&r);
        ck_assert(u >= 0 && u < 1);
        sum += u;
    }
    for (int i = 0; i < 7; i++)
        ck_assert_int_lt(abs(seen[i] - 10000), 500); /* five deviations */
    ck_assert(fabs(sum / 70000 - 0.5) < 0.006);
    ck_assert_uint_eq(rng_below(&r, 1), 0);
}
END_TEST

START_TEST(hash_is_xxh3)
{
    char out[40];
    hash_fingerprint("", 0, out);
    ck_assert_str_eq(out, "xxh3-99aa06d3014798d86001c324468d497f"); /* of the empty text, from xxHash's own tool */
    ck_assert_uint_eq(hash_u64("", 0, 0), 0x2d06800538d394c2u);
    ck_assert_uint_ne(hash_u64("a", 1, 0), hash_u64("a", 1, 1));
}
END_TEST

/* --- text --------------------------------------------------------------------------------------------------------- */

START_TEST(text_grows)
{
    struct text t = {0};
    struct text same = {0};
    for (int i = 0; i < 1000; i++) {
        text_printf(&t, "%d,", i);
        char piece[16];
        snprintf(piece, sizeof piece, "%d,", i);
        text_put(&same, piece);
    }
    ck_assert_str_eq(t.s, same.s);
    ck_assert_uint_eq(t.n, strlen(t.s));
    text_done(&t);
    text_done(&same);
    ck_assert_ptr_null(t.s);
}
END_TEST

/* The definition, to hold the fast one against. */
static bool match_slowly(const char *p, const char *s)
{
    if (!*p)
        return !*s;
    if (*p == '*')
        return match_slowly(p + 1, s) || (*s && match_slowly(p, s + 1));
    return *s && (*p == '?' || *p == *s) && match_slowly(p + 1, s + 1);
}

static int distance_slowly(const char *a, const char *b)
{
    if (!*a || !*b)
        return (int)(strlen(a) + strlen(b));
    int best = distance_slowly(a + 1, b + 1) + (*a != *b);
    int del = distance_slowly(a + 1, b) + 1, ins = distance_slowly(a, b + 1) + 1;
    best = del < best ? del : best;
    return ins < best ? ins : best;
}

static void random_word(struct rng *r, const char *letters, int most, char *out)
{
    int n = (int)rng_below(r, (uint32_t)most + 1);
    for (int i = 0; i < n; i++)
        out[i] = letters[rng_below(r, (uint32_t)strlen(letters))];
    out[n] = '\0';
}

START_TEST(text_match_and_distance)
{
    struct rng r;
    rng_init(&r, 4);
    int matches = 0;
    for (int i = 0; i < 20000; i++) {
        char p[8], s[8];
        random_word(&r, "ab*?", 6, p);
        random_word(&r, "ab", 6, s);
        ck_assert_msg(text_match(p, s) == match_slowly(p, s), "%s %s", p, s);
        matches += text_match(p, s);
    }
    ck_assert_int_gt(matches, 1000);
    for (int i = 0; i < 2000; i++) {
        char a[8], b[8];
        random_word(&r, "abc", 5, a);
        random_word(&r, "abc", 5, b);
        ck_assert_int_eq(text_distance(a, b), distance_slowly(a, b));
    }
    ck_assert(!text_match("Conv", "conv"));
}
END_TEST

START_TEST(text_numbers)
{
    char s[32];
    ck_assert_str_eq(text_bytes(0, s), "0 B");
    ck_assert_str_eq(text_bytes(1023, s), "1023 B");
    ck_assert_str_eq(text_bytes(1024, s), "1.0 KiB");
    ck_assert_str_eq(text_bytes(121037, s), "118.2 KiB");
    ck_assert_str_eq(text_bytes((1 << 20) - 1, s), "1.0 MiB");
    ck_assert_str_eq(text_bytes(9961472, s), "9.5 MiB");
    ck_assert_str_eq(text_bytes(-2048, s), "-2.0 KiB");
    ck_assert_str_eq(text_bytes(INT64_MAX, s), "8.0 EiB");
    ck_assert_str_eq(text_count(0, s), "0");
    ck_assert_str_eq(text_count(999, s), "999");
    ck_assert_str_eq(text_count(1234, s), "1.23k");
    ck_assert_str_eq(text_count(9999, s), "10.0k");
    ck_assert_str_eq(text_count(99999, s), "100k");
    ck_assert_str_eq(text_count(999999, s), "1.00M");
    ck_assert_str_eq(text_count(4500000, s), "4.50M");
    ck_assert_str_eq(text_time(812000, s), "812 us");
    ck_assert_str_eq(text_time(3.4e6, s), "3.40 ms");
    ck_assert_str_eq(text_time(12345, s), "12.3 us");
    ck_assert_str_eq(text_time(999999, s), "1.00 ms");
    ck_assert_str_eq(text_time(2e9, s), "2.00 s");
}
END_TEST

START_TEST(text_parses_units)
{
    ck_assert_int_eq(text_parse_bytes("120KiB"), 122880);
    ck_assert_int_eq(text_parse_bytes("1.5MiB"), 1572864);
    ck_assert_int_eq(text_parse_bytes("118204B"), 118204);
    ck_assert_int_eq(text_parse_bytes("112 kB"), 112000);
    ck_assert_int_eq(text_parse_bytes("1MB"), 1000000);
    ck_assert(text_parse_ns("3.4ms") == 3.4e6);
    ck_assert(text_parse_ns("812us") == 812e3);
    ck_assert(text_parse_ns("1s") == 1e9);
    ck_assert(text_parse_ns("0.1ns") == 0.1);
    static const char *const wrong[] = {
        "",     "12",   "KiB",  "-1B",  "1e3B", "0x1B", "1.2.3B",         ".5B",
        "1kib", "1 KB", "infB", "nanB", "1BB",  "1B ",  "99999999999GiB", "1111111111111111111111111111111111111B"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_msg(text_parse_bytes(wrong[i]) == -1, "%s", wrong[i]);
        ck_assert_msg(text_parse_ns(wrong[i]) == -1, "%s", wrong[i]);
    }
}
END_TEST

/* --- parallel ----------------------------------------------------------------------------------------------------- */

enum { PIECES = 1000 };
struct counts {
    int seen[PIECES]; /* plain: each is written by one thread */
    int busy[256];    /* plain: calls with one thread number never overlap */
    atomic_int wrong, nested;
};

static _Thread_local int outer_thread = -1;

static void nested_body(void *ctx, int i, int thread)
{
    struct counts *c = ctx;
    (void)i;
    if (thread != outer_thread) /* runs in the thread that asked, under its number */
        atomic_store(&c->wrong, 1);
    c->busy[thread]++; /* the outer loop's thread: anything else is a race that ThreadSanitizer sees */
    atomic_fetch_add(&c->nested, 1);
}

static void outer_body(void *ctx, int i, int thread)
{
    struct counts *c = ctx;
    c->seen[i]++;
    c->busy[thread]++;
    if (thread < 0 || thread >= parallel_threads())
        atomic_store(&c->wrong, 1);
    outer_thread = thread;
    if (i % 100 == 0)
        parallel_for(5, nested_body, c);
}

START_TEST(parallel_does_each_once)
{
    static const int threads[] = {1, 2, 7, 64};
    parallel_set_threads(threads[_i]);
    ck_assert_int_eq(parallel_threads(), threads[_i]);
    for (int n = 0; n <= PIECES; n += n < 3 ? 1 : 997) {
        struct counts *c = mem_new(1, sizeof *c);
        parallel_for(n, outer_body, c);
        int busy = 0;
        for (int i = 0; i < PIECES; i++)
            ck_assert_int_eq(c->seen[i], i < n);
        for (int t = 0; t < 256; t++)
            busy += c->busy[t];
        ck_assert_int_eq(c->nested, (n + 99) / 100 * 5);
        ck_assert_int_eq(busy, n + c->nested);
        ck_assert_int_eq(c->wrong, 0);
        mem_free(c);
    }
    parallel_set_threads(0);
    ck_assert_int_ge(parallel_threads(), 1);
}
END_TEST

struct published {
    struct lock *lock;
    int value, stop;
};

static void publish(void *ctx)
{
    struct published *p = ctx;
    for (bool stop = false; !stop;) {
        lock_enter(p->lock);
        p->value++;
        stop = p->stop;
        lock_leave(p->lock);
    }
}

static void loop_in_job(void *ctx)
{
    parallel_for(PIECES, outer_body, ctx);
}

START_TEST(parallel_jobs)
{
    struct published p = {.lock = lock_new()};
    struct job *j = job_start(publish, &p);
    for (int seen = 0; seen < 3;) {
        lock_enter(p.lock);
        seen = p.value;
        lock_leave(p.lock);
    }
    ck_assert(!job_done(j));
    lock_enter(p.lock);
    p.stop = 1;
    lock_leave(p.lock);
    while (!job_done(j))
        usleep(100);
    job_join(j);
    job_join(NULL);
    lock_free(p.lock);

    /* A loop here and a loop in a job at the same time. */
    parallel_set_threads(3);
    struct counts *a = mem_new(1, sizeof *a), *b = mem_new(1, sizeof *b);
    j = job_start(loop_in_job, a);
    parallel_for(PIECES, outer_body, b);
    job_join(j);
    for (int i = 0; i < PIECES; i++)
        ck_assert(a->seen[i] == 1 && b->seen[i] == 1);
    mem_free(a);
    mem_free(b);
    parallel_set_threads(0);
}
END_TEST

/* --- files -------------------------------------------------------------------------------------------------------- */

static char dir[64];

static void make_dir(void)
{
    snprintf(dir, sizeof dir, "/tmp/check_base.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void drop_dir(void)
{
    char command[192];
    snprintf(command, sizeof command, "chmod -R u+w %s && rm -r %s", dir, dir);
    ck_assert_int_eq(system(command), 0);
}

static const char *in_dir(const char *name, char out[160])
{
    snprintf(out, 160, "%s/%s", dir, name);
    return out;
}

static int entries(void)
{
    DIR *d = opendir(dir);
    int n = 0;
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

static void assert_holds(const char *path, const char *content)
{
    struct err e;
    size_t n;
    char *s = file_read(path, 1 << 20, &n, &e);
    ck_assert_msg(s != NULL, "%s", e.text);
    ck_assert_uint_eq(n, strlen(content));
    ck_assert_str_eq(s, content);
    mem_free(s);
}

START_TEST(file_writes_and_reads)
{
    struct err e;
    char path[160], bak[160], link[160];
    in_dir("f", path);
    umask(027);
    ck_assert_int_eq(file_write(path, "one", 3, true, &e), 0);
    ck_assert_int_eq(entries(), 1);
    struct stat st;
    stat(path, &st);
    ck_assert_int_eq(st.st_mode & 07777, 0640);
    chmod(path, 0604);
    ck_assert_int_eq(file_write(path, "two", 3, true, &e), 0);
    assert_holds(path, "two");
    assert_holds(in_dir("f.bak", bak), "one");
    stat(path, &st);
    ck_assert_int_eq(st.st_mode & 07777, 0604);
    ck_assert_int_eq(file_write(path, "", 0, true, &e), 0);
    assert_holds(path, "");
    assert_holds(bak, "two");
    ck_assert_int_eq(entries(), 2);

    /* Links are followed, also one that leads to nothing yet, and stay links. */
    ck_assert_int_eq(symlink("f", in_dir("to_f", link)), 0);
    ck_assert_int_eq(file_write(link, "three", 5, false, &e), 0);
    assert_holds(path, "three");
    ck_assert_int_eq(symlink("new", in_dir("to_new", link)), 0);
    ck_assert_int_eq(file_write(link, "four", 4, false, &e), 0);
    assert_holds(in_dir("new", path), "four");
    lstat(link, &st);
    ck_assert(S_ISLNK(st.st_mode));
    ck_assert_int_eq(file_write("/dev/null", "x", 1, true, &e), 0);
    stat("/dev/null", &st);
    ck_assert(S_ISCHR(st.st_mode));
}
END_TEST

static void assert_write_fails(const char *path, const char *why, int files)
{
    struct err e;
    ck_assert_int_eq(file_write(path, "new", 3, true, &e), -1);
    ck_assert_msg(strstr(e.text, path) == e.text && strstr(e.text, why) && !strchr(e.text, '\n'), "%s", e.text);
    ck_assert_int_eq(entries(), files);
}

START_TEST(file_write_failures_leave_nothing)
{
    char path[160];
    struct err e;
    ck_assert_int_eq(mkdir(in_dir("d", path), 0700), 0);
    assert_write_fails(path, "it is a directory", 1);
    assert_write_fails(in_dir("none/f", path), "No such file or directory", 1);
    ck_assert_int_eq(symlink("loop", in_dir("loop", path)), 0);
    assert_write_fails(path, "Too many levels of symbolic links", 2);
    /* The backup cannot be written: the target stays. */
    ck_assert_int_eq(mkdir(in_dir("f.bak", path), 0700), 0);
    ck_assert_int_eq(file_write(in_dir("f", path), "old", 3, true, &e), 0);
    assert_write_fails(path, "the backup cannot be written: Is a directory", 4);
    assert_holds(path, "old");
    if (geteuid() == 0) /* root may write everywhere */
        return;
    chmod(dir, 0500);
    assert_write_fails(path, "Permission denied", 4);
    chmod(dir, 0700);
    assert_holds(path, "old");
}
END_TEST

START_TEST(file_write_on_full_disk)
{
    struct err e;
    char path[160];
    static char big[100000];
    memset(big, 'x', sizeof big);
    ck_assert_int_eq(file_write(in_dir("f", path), "old", 3, false, &e), 0);
    struct rlimit before, small = {.rlim_cur = 4096};
    getrlimit(RLIMIT_FSIZE, &before);
    small.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    int rc = file_write(path, big, sizeof big, true, &e);
    setrlimit(RLIMIT_FSIZE, &before);
    ck_assert_int_eq(rc, -1);
    ck_assert_ptr_nonnull(strstr(e.text, "File too large"));
    ck_assert_int_eq(entries(), 1);
    assert_holds(path, "old");
}
END_TEST

START_TEST(file_reads_gzip)
{
    struct err e;
    char path[160], cut[160];
    static char data[300000], packed[300000];
    struct rng r;
    rng_init(&r, 5);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)rng_below(&r, 16);
    gzFile z = gzopen(in_dir("f.gz", path), "wb");
    gzwrite(z, data, sizeof data);
    gzclose(z);
    size_t n = 0;
    char *back = file_read(path, sizeof data, &n, &e);
    ck_assert_uint_eq(n, sizeof data);
    ck_assert_mem_eq(back, data, n);
    ck_assert_int_eq(back[n], 0);
    mem_free(back);
    ck_assert_ptr_null(file_read(path, sizeof data - 1, &n, &e));
    ck_assert_ptr_nonnull(strstr(e.text, "f.gz: is larger than 299999 bytes"));

    FILE *f = fopen(path, "rb");
    size_t size = fread(packed, 1, sizeof packed, f);
    fclose(f);
    static const size_t lost[] = {1, 4, 9, 1000, 100000};
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(file_write(in_dir("cut.gz", cut), packed, size - lost[i], false, &e), 0);
        ck_assert_ptr_null(file_read(cut, 1 << 20, &n, &e));
        ck_assert_msg(strstr(e.text, "cut.gz: ") != NULL, "%s", e.text);
    }
    packed[size / 2] ^= 1;
    ck_assert_int_eq(file_write(cut, packed, size, false, &e), 0);
    ck_assert_ptr_null(file_read(cut, 1 << 20, &n, &e));

    ck_assert_ptr_null(file_read(dir, 1, &n, &e));
    ck_assert_ptr_nonnull(strstr(e.text, "is a directory"));
    ck_assert_ptr_null(file_read(in_dir("none", path), 1, &n, &e));
    ck_assert_ptr_nonnull(strstr(e.text, "No such file"));
    ck_assert(!file_exists(path) && file_exists(cut));
}
END_TEST

START_TEST(file_user_dirs)
{
    char path[160], expected[200];
    struct stat st;
    setenv("XDG_CACHE_HOME", in_dir("a/b", path), 1);
    char *d = file_cache_dir();
    snprintf(expected, sizeof expected, "%s/bitfader", path);
    ck_assert_str_eq(d, expected);
    ck_assert(!stat(d, &st) && S_ISDIR(st.st_mode) && (st.st_mode & 0777) == 0700);
    mem_free(d);
    setenv("XDG_STATE_HOME", "not/absolute", 1);
    setenv("HOME", dir, 1);
    d = file_state_dir();
    snprintf(expected, sizeof expected, "%s/.local/state/bitfader", dir);
    ck_assert_str_eq(d, expected);
    mem_free(d);
    unsetenv("HOME");
    ck_assert_ptr_null(file_state_dir());
    setenv("XDG_CACHE_HOME", "/dev/null", 1);
    ck_assert_ptr_null(file_cache_dir());
}
END_TEST

/* --- precision ---------------------------------------------------------------------------------------------------- */

START_TEST(precision_words)
{
    char s[16];
    struct precision p = precision_default();
    ck_assert_str_eq(precision_text(&p, s), "w8a8");
    for (int w = 0; w <= BITS_MAX; w++) {
        precision_set_w(&p, w);
        ck_assert_int_eq(p.scheme, w == 1 ? SCHEME_BINARY : SCHEME_UNIFORM);
        ck_assert(precision_valid(&p));
        ck_assert_int_eq(precision_is_integer(&p), w > 0);
    }
    precision_set_w(&p, 4);
    precision_set_a(&p, 0);
    ck_assert_str_eq(precision_text(&p, s), "w4a32");
    ck_assert(!precision_is_integer(&p));
    precision_set_w(&p, 0);
    ck_assert_str_eq(precision_text(&p, s), "fp32");
    p.scheme = SCHEME_BINARY;
    ck_assert(!precision_valid(&p));
    struct precision q = p;
    ck_assert(precision_equal(&p, &q));
    q.range = RANGE_MINMAX;
    ck_assert(!precision_equal(&p, &q));
    for (int i = 0; i < SCHEME_COUNT; i++)
        ck_assert_int_eq(precision_find(CHOICE_SCHEME, scheme_name(i)), i);
    for (int i = 0; i < GRANULARITY_COUNT; i++)
        ck_assert_int_eq(precision_find(CHOICE_GRANULARITY, granularity_name(i)), i);
    for (int i = 0; i < RANGE_COUNT; i++)
        ck_assert_int_eq(precision_find(CHOICE_RANGE, range_name(i)), i);
    ck_assert_int_eq(precision_find(CHOICE_RANGE, "MSE"), -1);
}
END_TEST

/* --- watched measurements ------------------------------------------------------------------------------------------
 */

static bool same_affinity(const cpu_set_t *a)
{
    cpu_set_t now;
    ck_assert_int_eq(sched_getaffinity(0, sizeof now, &now), 0);
    return CPU_EQUAL(a, &now);
}

START_TEST(watch_keeps_a_core_and_gives_it_back)
{
    cpu_set_t before, now;
    ck_assert_int_eq(sched_getaffinity(0, sizeof before, &before), 0);
    struct watch *w = watch_begin();
    int core = watch_core(w);
    ck_assert_int_eq(sched_getaffinity(0, sizeof now, &now), 0);
    if (core >= 0)
        ck_assert(CPU_COUNT(&now) == 1 && CPU_ISSET((size_t)core, &now) && CPU_ISSET((size_t)core, &before));
    watch_end(w);
    ck_assert(same_affinity(&before));
    watch_end(NULL);
}
END_TEST

START_TEST(watch_sees_time_that_is_not_ours)
{
    struct watch *w = watch_begin();
    bool disturbed = false;
    watch_start(w);
    usleep(3000);
    ck_assert_int_ge(watch_stop(w, &disturbed), 3000000);
    ck_assert(disturbed);
    int quiet = 0; /* some of many short pieces are left alone on any machine */
    for (int i = 0; i < 10000 && !quiet; i++) {
        watch_start(w);
        int64_t ns = watch_stop(w, &disturbed);
        ck_assert_int_ge(ns, 0);
        quiet += !disturbed;
    }
    ck_assert_int_eq(quiet, 1);
    watch_end(w);
}
END_TEST

START_TEST(watch_tells_the_clock)
{
    double ns = watch_cycle_ns();
    ck_assert_msg(ns > 0.05 && ns < 1000, "%g ns", ns);
}
END_TEST

START_TEST(host_says_what_it_is)
{
    char name[128], few[4];
    int64_t caches[3];
    host_processor(name, sizeof name);
    ck_assert(!strchr(name, '\n') && !strchr(name, ':'));
    host_processor(few, sizeof few);
    ck_assert_uint_lt(strlen(few), sizeof few);
    host_caches(caches);
    for (int i = 0; i < 3; i++)
        ck_assert_int_ge(caches[i], 0);
}
END_TEST

Suite *check_base_suite(void)
{
    Suite *s = suite_create("base");
    TCase *t = tcase_create("small");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, clock_goes_forward);
    tcase_add_test(t, rng_is_xoshiro256);
    tcase_add_test(t, rng_ranges);
    tcase_add_test(t, hash_is_xxh3);
    tcase_add_test(t, text_grows);
    tcase_add_test(t, text_match_and_distance);
    tcase_add_test(t, text_numbers);
    tcase_add_test(t, text_parses_units);
    tcase_add_test(t, precision_words);
    suite_add_tcase(s, t);
    t = tcase_create("parallel");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, parallel_does_each_once, 0, 4);
    tcase_add_test(t, parallel_jobs);
    suite_add_tcase(s, t);
    t = tcase_create("watch");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, watch_keeps_a_core_and_gives_it_back);
    tcase_add_test(t, watch_sees_time_that_is_not_ours);
    tcase_add_test(t, watch_tells_the_clock);
    tcase_add_test(t, host_says_what_it_is);
    suite_add_tcase(s, t);
    t = tcase_create("file");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, make_dir, drop_dir);
    tcase_add_test(t, file_writes_and_reads);
    tcase_add_test(t, file_write_failures_leave_nothing);
    tcase_add_test(t, file_write_on_full_disk);
    tcase_add_test(t, file_reads_gzip);
    tcase_add_test(t, file_user_dirs);
    suite_add_tcase(s, t);
    return s;
}
