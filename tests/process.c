/* SPDX-License-Identifier: MIT */
#include "tests/process.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"

enum { WORDS_MAX = 64, PATIENCE_MS = 60000 };

/* --- the room ----------------------------------------------------------------------------------------------------- */

int room_open(struct room *r)
{
    const char *model = getenv("BITFADER_TEST_MODEL");
    glob_t zoo = {0};
    *r = (struct room){.model = NULL};
    if (!getenv("BITFADER_BIN")) {
        fprintf(stderr, "skipped: BITFADER_BIN is not set\n");
        return -1;
    }
    if (model)
        r->model = mem_strdup(model);
    else if (!glob("zoo/*.onnx", 0, NULL, &zoo))
        r->model = mem_strdup(zoo.gl_pathv[0]);
    globfree(&zoo);
    if (!r->model) {
        fprintf(stderr, "skipped: there is no zoo/*.onnx here\n");
        return -1;
    }
    snprintf(r->dir, sizeof r->dir, "/tmp/bitfader-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(r->dir));
    return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

void room_close(struct room *r)
{
    if (r->dir[0])
        nftw(r->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    mem_free(r->model);
    *r = (struct room){.model = NULL};
}

int room_files(const struct room *r)
{
    DIR *d = opendir(r->dir);
    ck_assert_ptr_nonnull(d);
    int n = 0;
    for (const struct dirent *entry; (entry = readdir(d));)
        n += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
    closedir(d);
    return n;
}

void room_write(const struct room *r, const char *name, const void *data, size_t n)
{
    char *path = mem_printf("%s/%s", r->dir, name);
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(data, 1, n, f), n);
    ck_assert_int_eq(fclose(f), 0);
    mem_free(path);
}

/* --- the process -------------------------------------------------------------------------------------------------- */

/* One word with its "$M" and "$D" filled in; the caller frees. */
static char *expand(const struct room *r, const char *word)
{
    struct text t = {0};
    text_put(&t, "");
    for (; *word; word++) {
        if (word[0] == '$' && (word[1] == 'M' || word[1] == 'D'))
            text_put(&t, *++word == 'M' ? r->model : r->dir);
        else
            text_put_n(&t, word, 1);
    }
    return t.s;
}

static void child(const struct process_options *o, char **argv, int out, int err)
{
    if (o->out_path)
        out = open(o->out_path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (out < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
        _exit(127);
    if (o->out_closed)
        close(1);
    int nothing = open(o->in_path ? o->in_path : "/dev/null", O_RDONLY);
    if (nothing < 0 || dup2(nothing, 0) < 0)
        _exit(127);
    for (int fd = 3; fd < 64; fd++)
        close(fd);
    if (o->file_limit) {
        struct rlimit limit = {(rlim_t)o->file_limit, (rlim_t)o->file_limit};
        setrlimit(RLIMIT_FSIZE, &limit);
    }
    for (int n = 1; n < 32; n++) /* Check and its callers may have changed them */
        signal(n, SIG_DFL);
    unsetenv("BITFADER_DATA");
    setenv("LC_ALL", "C.UTF-8", 1);
    if (o->variable)
        putenv((char *)(size_t)o->variable);
    execv(argv[0], argv);
    _exit(127);
}

/* Reads both pipes until they end; does what the options ask for on the way. */
static void hear(struct process *p, const struct process_options *o, pid_t pid, int out, int err)
{
    struct pollfd fds[2] = {{o->out_unread ? -1 : out, POLLIN, 0}, {err, POLLIN, 0}};
    struct text texts[2] = {{0}, {0}};
    bool signalled = false;
    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        int ready = poll(fds, 2, PATIENCE_MS);
        if (ready <= 0)
            kill(pid, SIGKILL);
        ck_assert_msg(ready > 0, "nothing happened for %d s", PATIENCE_MS / 1000);
        for (int i = 0; i < 2; i++) {
            char buffer[4096];
            if (fds[i].fd < 0 || !fds[i].revents)
                continue;
            ssize_t n = read(fds[i].fd, buffer, sizeof buffer);
            if (n > 0)
                text_put_n(&texts[i], buffer, (size_t)n);
            if (i && n > 0 && o->signal && !signalled)
                signalled = !kill(pid, o->signal);
            if (n <= 0) {
                close(fds[i].fd);
                fds[i].fd = -1;
            }
        }
    }
    for (int i = 0; i < 2; i++)
        text_put(&texts[i], ""); /* so that s is never NULL */
    p->out = texts[0].s;
    p->out_n = texts[0].n;
    p->err = texts[1].s;
    p->err_n = texts[1].n;
}

struct process process_run(const struct room *r, const struct process_options *o, const char *words)
{
    static const struct process_options nothing_special = {.out_path = NULL};
    char *argv[WORDS_MAX + 2] = {mem_strdup(getenv("BITFADER_BIN"))};
    char *copy = mem_strdup(words), *rest = NULL;
    int n = 1, out[2], err[2], status;
    struct process p = {.status = -1};
    if (!o)
        o = &nothing_special;
    for (char *word = strtok_r(copy, " ", &rest); word && n <= WORDS_MAX; word = strtok_r(NULL, " ", &rest))
        argv[n++] = expand(r, word);
    ck_assert(!pipe(out) && !pipe(err));
    if (o->out_unread)
        close(out[0]);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (!pid)
        child(o, argv, out[1], err[1]);
    close(out[1]);
    close(err[1]);
    hear(&p, o, pid, out[0], err[0]);
    struct rusage used;
    ck_assert_int_eq(wait4(pid, &status, 0, &used), pid);
    p.peak_kib = used.ru_maxrss;
    p.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    ck_assert_int_ne(p.status, 127);
    for (int i = 0; i < n; i++)
        mem_free(argv[i]);
    mem_free(copy);
    return p;
}

void process_done(struct process *p)
{
    mem_free(p->out);
    mem_free(p->err);
    *p = (struct process){0};
}
