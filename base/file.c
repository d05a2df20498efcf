/* SPDX-License-Identifier: MIT */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/mem.h"

enum { CHUNK = 256 * 1024, NAME_KEPT = 200, LINKS_MAX = 40 };

/* --- reading ------------------------------------------------------------------------------------------------------ */

const char *file_name(const char *path)
{
    return strcmp(path, FILE_STDIN) ? path : "standard input";
}

static int open_to_read(const char *path, struct stat *st, struct err *e)
{
    int fd = strcmp(path, FILE_STDIN) ? open(path, O_RDONLY | O_CLOEXEC) : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return err_set(e, "%s: cannot be read: %s", file_name(path), strerror(errno));
    if (fstat(fd, st) || S_ISDIR(st->st_mode)) {
        close(fd);
        return err_set(e, "%s: is a directory, not a file", file_name(path));
    }
    return fd;
}

int file_open_regular(const char *path, struct stat *st, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, st)) {
        err_set(e, "%s: cannot be read: %s", path, strerror(errno));
        goto fail;
    }
    if (S_ISREG(st->st_mode))
        return fd;
    err_set(e, "%s: cannot be read: not a regular file", path);
fail:
    if (fd >= 0)
        close(fd);
    return -1;
}

struct file_stream {
    gzFile z; /* passes plain bytes through */
    const char *name;
};

struct file_stream *file_stream_open(const char *path, int64_t *size, struct err *e)
{
    struct stat st;
    int fd = open_to_read(path, &st, e);
    if (fd < 0)
        return NULL;
    gzFile z = gzdopen(fd, "rb");
    if (!z) {
        close(fd);
        err_set(e, "%s: cannot be read: out of memory", file_name(path));
        return NULL;
    }
    gzbuffer(z, CHUNK);
    struct file_stream *s = mem_new(1, sizeof *s);
    *s = (struct file_stream){z, file_name(path)};
    bool whole = S_ISREG(st.st_mode) && strcmp(path, FILE_STDIN); /* standard input may stand anywhere in a file */
    *size = whole && gzdirect(z) ? (int64_t)st.st_size : -1;
    return s;
}

int64_t file_stream_read(struct file_stream *s, void *to, size_t n, struct err *e)
{
    size_t done = 0;
    while (done < n) {
        size_t room = n - done;
        int got = gzread(s->z, (char *)to + done, room > INT_MAX / 2 ? INT_MAX / 2 : (unsigned)room);
        if (got < 0) {
            int code;
            const char *why = gzerror(s->z, &code);
            return err_set(e, "%s: cannot be read: %s", s->name, code == Z_ERRNO ? strerror(errno) : why);
        }
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (int64_t)done;
}

int file_stream_close(struct file_stream *s, struct err *e)
{
    if (!s)
        return 0;
    int rc = 0;
    if (gzclose(s->z) != Z_OK)
        rc = err_set(e, "%s: gzip data ends too early (truncated file)", s->name);
    mem_free(s);
    return rc;
}

void *file_read(const char *path, size_t limit, size_t *size, struct err *e)
{
    int64_t known, got;
    struct file_stream *s = file_stream_open(path, &known, e);
    if (!s)
        return NULL;
    /* One byte more than the file has: the read that finds the end needs no larger buffer. */
    size_t cap = known >= 0 && (size_t)known <= limit ? (size_t)known + 1 : CHUNK, n = 0;
    char *data = mem_new(cap + 1, 1);
    while ((got = file_stream_read(s, data + n, cap - n, e)) > 0) {
        n += (size_t)got;
        if (n > limit)
            got = err_set(e, "%s: is larger than %zu bytes", file_name(path), limit);
        if (got < 0 || n < cap)
            break;
        data = mem_resize(data, n, 2 * cap + 1, 1);
        cap *= 2;
    }
    bool failed = got < 0;
    if (file_stream_close(s, failed ? NULL : e) || failed) {
        mem_free(data);
        return NULL;
    }
    *size = n;
    data[n] = '\0';
    return data;
}

bool file_exists(const char *path)
{
    struct stat st;
    return !stat(path, &st);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static int write_all(int fd, const char *data, size_t size)
{
    while (size) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

/* Length of the directory part of a path, with its slash; 0 when there is none. */
static size_t dir_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

/* Where a chain of symbolic links ends, whether or not something is there. The caller frees. NULL: errno says why. */
static char *follow_links(const char *path)
{
    char *at = mem_strdup(path);
    for (int i = 0; i < LINKS_MAX; i++) {
        char to[PATH_MAX];
        ssize_t n = readlink(at, to, sizeof to - 1);
        if (n < 0)
            return at;
        to[n] = '\0';
        char *next = to[0] == '/' ? mem_strdup(to) : mem_printf("%.*s%s", (int)dir_length(at), at, to);
        mem_free(at);
        at = next;
    }
    mem_free(at);
    errno = ELOOP;
    return NULL;
}

/* A new file ".NAME.XXXXXX" in the directory of path; *name is what it is called. Not mkstemp: that cannot give a new
 * file the mode that the user's umask asks for. */
static int open_temp(const char *path, mode_t mode, char **name)
{
    size_t dir = dir_length(path);
    for (int i = 0; i < 100; i++) {
        uint32_t r;
        if (getrandom(&r, sizeof r, 0) != sizeof r)
            return -1;
        *name = mem_printf("%.*s.%.*s.%06x", (int)dir, path, NAME_KEPT, path + dir, r & 0xffffff);
        int fd = open(*name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (fd >= 0)
            return fd;
        mem_free(*name);
        *name = NULL;
        if (errno != EEXIST)
            return -1;
    }
    return -1;
}

/* data in a new synced file beside path, with the mode (and, where allowed, the owner) of old. NULL: errno says why and
 * nothing is left behind. */
static char *write_temp(const char *path, const void *data, size_t size, const struct stat *old)
{
    char *name = NULL;
    int fd = open_temp(path, old ? 0600 : 0666, &name);
    if (fd < 0)
        return NULL;
    bool failed = write_all(fd, data, size) != 0;
    if (!failed && old) {
        /* Only root can give a file away; for everyone else it stays theirs, as after any editor. */
        if ((old->st_uid != geteuid() || old->st_gid != getegid()) && fchown(fd, old->st_uid, old->st_gid))
            errno = 0;
        failed = fchmod(fd, old->st_mode & 07777) != 0;
    }
    failed = failed || fsync(fd);
    int why = errno;
    if (close(fd) && !failed) {
        failed = true;
        why = errno;
    }
    if (failed) {
        unlink(name);
        mem_free(name);
        errno = why;
        return NULL;
    }
    return name;
}

static int rename_temp(char *temp, const char *target)
{
    int failed = rename(temp, target), why = errno;
    if (failed)
        unlink(temp);
    mem_free(temp);
    errno = why;
    return failed;
}

/* The bytes of a file as they are (file_read would gunzip). */
static char *read_raw(const char *path, size_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    size_t cap = CHUNK;
    char *data = mem_new(cap, 1);
    ssize_t got;
    for (*size = 0; (got = read(fd, data + *size, cap - *size)) != 0;) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            mem_free(data);
            data = NULL;
            break;
        }
        *size += (size_t)got;
        if (*size == cap) {
            data = mem_resize(data, cap, 2 * cap, 1);
            cap *= 2;
        }
    }
    int why = errno;
    close(fd);
    errno = why;
    return data;
}

/* A copy as TARGET.bak, put in place at once. A copy and not a link, because not every file system has links, and the
 * target must never be missing. */
static int keep_backup(const char *target, const struct stat *old, struct err *e)
{
    size_t size = 0;
    char *bytes = read_raw(target, &size), *temp = NULL;
    char *bak = mem_printf("%s.bak", target);
    int rc = -1;
    if (bytes)
        temp = write_temp(bak, bytes, size, old);
    if (!temp || rename_temp(temp, bak))
        err_set(e, "%s: the backup cannot be written: %s", bak, strerror(errno));
    else
        rc = 0;
    mem_free(bak);
    mem_free(bytes);
    return rc;
}

static int sync_dir(const char *path)
{
    size_t n = dir_length(path);
    char *dir = n ? mem_printf("%.*s", (int)n, path) : mem_strdup(".");
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    mem_free(dir);
    if (fd < 0)
        return errno == EACCES ? 0 : -1; /* a directory that may be written but not listed */
    int failed = fsync(fd) && errno != EINVAL && errno != EROFS;
    close(fd);
    return failed ? -1 : 0;
}

/* Devices and pipes cannot be replaced, only written to. */
static int write_through(const char *path, const void *data, size_t size, struct err *e)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool failed = fd < 0 || write_all(fd, data, size);
    int why = errno;
    if (fd >= 0 && close(fd) && !failed) {
        failed = true;
        why = errno;
    }
    return failed ? err_set(e, "%s: cannot be written: %s", path, strerror(why)) : 0;
}

int file_write(const char *path, const void *data, size_t size, bool backup, struct err *e)
{
    struct stat st;
    bool exists = !stat(path, &st);
    if (exists && S_ISDIR(st.st_mode))
        return err_set(e, "%s: cannot be written: it is a directory", path);
    if (exists && !S_ISREG(st.st_mode))
        return write_through(path, data, size, e);
    if (!exists && errno != ENOENT)
        return err_set(e, "%s: cannot be written: %s", path, strerror(errno));

    int rc = -1;
    char *target = follow_links(path);
    char *temp = target ? write_temp(target, data, size, exists ? &st : NULL) : NULL;
    if (!temp) {
        err_set(e, "%s: cannot be written: %s", path, strerror(errno));
        goto out;
    }
    if (exists && backup && keep_backup(target, &st, e)) {
        unlink(temp);
        mem_free(temp);
        goto out;
    }
    if (rename_temp(temp, target) || sync_dir(target)) {
        err_set(e, "%s: cannot be written: %s", path, strerror(errno));
        goto out;
    }
    rc = 0;
out:
    mem_free(target);
    return rc;
}

/* --- the user's directories ----------------------------------------------------------------------------------------
 */

static int make_dirs(char *path)
{
    for (char *p = path + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        int failed = mkdir(path, 0700) && errno != EEXIST;
        *p = '/';
        if (failed && errno != EACCES && errno != EROFS) /* above us may be what we can neither make nor need to */
            return -1;
    }
    return mkdir(path, 0700) && errno != EEXIST ? -1 : 0;
}

/* The base directory rules of freedesktop.org: a variable that is not an absolute path is ignored. */
static char *user_dir(const char *variable, const char *below_home)
{
    const char *base = getenv(variable), *home = getenv("HOME");
    char *dir = NULL;
    if (base && base[0] == '/')
        dir = mem_printf("%s/bitfader", base);
    else if (home && home[0] == '/')
        dir = mem_printf("%s/%s/bitfader", home, below_home);
    struct stat st;
    if (dir && !make_dirs(dir) && !stat(dir, &st) && S_ISDIR(st.st_mode) && !access(dir, W_OK | X_OK))
        return dir;
    mem_free(dir);
    return NULL;
}

char *file_cache_dir(void)
{
    return user_dir("XDG_CACHE_HOME", ".cache");
}

char *file_state_dir(void)
{
    return user_dir("XDG_STATE_HOME", ".local/state");
}
